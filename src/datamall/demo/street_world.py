"""The knobs of the demo city's trucks and residents' reports, with the reason for each size."""

from dataclasses import dataclass

from datamall.errors import DatamallError


@dataclass(frozen=True)
class RoundsWorld:
    """The weekly rounds of the collection trucks; the defaults are the demo.

    Attributes
    ----------
    trucks
        Trucks, each with an area of its own. Eight are done around noon, as a shift has it.
    twice_from
        Households at a container from which it is emptied twice a week rather than once; so
        most are.
    start
        Minute of the day at which trucks leave the depot: 6:30, so that the second hour of a
        round lies in the morning peak.
    depot
        Where trucks start and unload (m, RD): a business park at the eastern edge.
    speed, detour
        Mean speed (km/h) in the city, and how much longer a road is than a straight line.
    approach_seconds
        Time to park at a container and to leave again.
    service_seconds
        Bounds of the time that a truck stands at a container: hook on, lift, empty, put back.
    load, unload_minutes
        Stops after which a truck is full, and the time to empty it at the depot.
    """

    trucks: int = 8
    twice_from: int = 30
    start: int = 390
    depot: tuple[float, float] = (237_900.0, 581_200.0)
    speed: float = 25.0
    detour: float = 1.3
    approach_seconds: int = 30
    service_seconds: tuple[int, int] = (90, 210)
    load: int = 45
    unload_minutes: int = 15

    def __post_init__(self) -> None:
        """Refuse rounds that cannot be planned."""
        if self.trucks < 1 or self.load < 1 or not 0 <= self.start < 1440 or not self.speed > 0:
            raise DatamallError(
                f"Rounds cannot be planned for {self.trucks} trucks of {self.load} stops that "
                f"leave at minute {self.start} at {self.speed} km/h: give at least one truck, one "
                "stop, a minute of the day and a speed above 0, for RoundsWorld(…)."
            )
