"""The knobs of the demo city's trucks, fill levels, reports and action, each with its reason."""

from dataclasses import dataclass

from datamall.errors import DatamallError

CATEGORIES = ("container full", "container broken", "bulky waste", "bags beside container", "other")
CHANNELS = ("app", "web", "telephone", "email", "unknown")


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
    grabs
        Further trucks with a grab for what lies beside containers, without rounds that repeat.
    volume, mass
        What a truck with a lift and one with a grab may carry: m³ and kg. A load is 20 m³ of
        household waste; furniture is light.
    end, rest
        Minute of the day at which the shift ends, 8½ hours after its start, and the break: its
        minutes, and from when until when it may begin.
    second_site
        Where trucks can unload beside the depot (m, RD): at the western edge.
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
    grabs: int = 2
    volume: tuple[float, float] = (20.0, 16.0)
    mass: tuple[int, int] = (9000, 3500)
    end: int = 900
    rest: tuple[int, int, int] = (30, 600, 780)
    second_site: tuple[float, float] = (230_600.0, 581_900.0)

    def __post_init__(self) -> None:
        """Refuse rounds that cannot be planned."""
        if self.trucks < 1 or self.load < 1 or not 0 <= self.start < 1440 or not self.speed > 0:
            raise DatamallError(
                f"Rounds cannot be planned for {self.trucks} trucks of {self.load} stops that "
                f"leave at minute {self.start} at {self.speed} km/h: give at least one truck, one "
                "stop, a minute of the day and a speed above 0, for RoundsWorld(…)."
            )


@dataclass(frozen=True)
class FillsWorld:
    """How fast containers fill, and who reads it; the defaults are the demo.

    Attributes
    ----------
    days
        Days of readings before the morning of the snapshot: three turns of a weekly round.
    sensors
        Share of the containers that have one.
    rise, rises, rise_sd
        Percent a day for each household at a container, its bounds (who has more households has a
        larger container, or two), and the spread (log scale) of containers around that. At 45
        households the container is half full when it is emptied the second time a week.
    small
        Multiple for the containers that are too small for their households.
    day_sd
        Spread (log scale) of the days of one container.
    noise
        Standard deviation of a reading, in percent.
    faults
        Shares of the sensors that are stuck, dead or silent from a day on.
    told
        Share of the stuck sensors of which the platform says so.
    passes
        Share of the moments at which a crew says how full a container without a sensor is.
    """

    days: int = 21
    sensors: float = 0.9
    rise: float = 0.36
    rises: tuple[float, float] = (3.0, 16.0)
    rise_sd: float = 0.25
    small: float = 1.5
    day_sd: float = 0.25
    noise: float = 1.0
    faults: tuple[float, float, float] = (0.03, 0.02, 0.02)
    told: float = 0.2
    passes: float = 0.03

    def __post_init__(self) -> None:
        """Refuse containers that cannot be drawn."""
        if self.days < 7 or not (0 < self.rises[0] <= self.rises[1] and sum(self.faults) < 1):
            raise DatamallError(
                f"Fill levels cannot be drawn for {self.days} days, {self.rises} percent a day and "
                f"{self.faults} of the sensors broken: give seven days or more, a lowest and a "
                "highest rise above 0, and shares that leave some sensors, for FillsWorld(…)."
            )


@dataclass(frozen=True)
class ReportsWorld:
    """What residents report; the defaults are the demo.

    Attributes
    ----------
    incidents
        Share of what lies there that residents notice. At 0.18 the city has some ten thousand
        reports a year, as Utrecht had in 2020.
    beside
        Share of what is reported that lies around the corner, where an inspector of the place does
        not look.
    rates
        Lowest and highest rate of a neighbourhood, in reports a day on one thing that lies there.
        Six times as many from one as from another: in New York some tracts report three times as
        fast as others, and 0.2 and 0.6 a day are recovered well from the repeats.
    closing_days
        Mean days (exponential) from first report to closing, by `CATEGORIES`: a truck comes the
        next day, a mechanic within the week, and "other" finds its department first.
    channel_delay
        Multiple of these by channel of the first report, in order of `CHANNELS`: e-mail waits to
        be read, a telephone call is passed on at once.
    channels
        Shares of `CHANNELS`.
    vague
        Share of the reports that are filed as "other" whatever was seen.
    nowhere
        Further reports without a place that could be established, as a share of the others; no
        desk can link these.
    """

    incidents: float = 0.18
    beside: float = 0.15
    rates: tuple[float, float] = (0.1, 0.6)
    closing_days: tuple[float, ...] = (1.2, 4.0, 3.0, 2.0, 5.0)
    channel_delay: tuple[float, ...] = (1.0, 1.1, 0.8, 1.8, 1.2)
    channels: tuple[float, ...] = (0.44, 0.28, 0.2, 0.06, 0.02)
    vague: float = 0.06
    nowhere: float = 0.05

    def __post_init__(self) -> None:
        """Refuse residents that cannot be drawn."""
        shares = 0 <= self.incidents <= 1 and 0 <= self.beside < 1
        if not 0 < self.rates[0] <= self.rates[1] or not shares:
            raise DatamallError(
                f"Residents cannot report {self.rates} times a day {self.incidents} of what lies "
                f"there, {self.beside} of it around the corner: give a lowest and a highest rate "
                "above 0 and shares from 0 to 1 for ReportsWorld(…)."
            )

    def around_the_corner(self) -> float:
        """Return how often something to report begins around the corner, per pile at the place."""
        return self.incidents * self.beside / (1 - self.beside)


@dataclass(frozen=True)
class ActionWorld:
    """An action against bags of residual waste, drawn by lot; the defaults are the demo.

    Attributes
    ----------
    places
        Share of the places that it is drawn for: those where bags were found most often until
        then, as a city would choose them, so that they improve by themselves. Half of them get it.
    after_weeks
        Weeks of the period before it begins.
    effect
        Share of the residual waste that it keeps away: information boards at the 100 worst places
        did so by a fifth (Amsterdam OIS 2021).
    """

    places: float = 0.08
    after_weeks: int = 26
    effect: float = 0.2

    def __post_init__(self) -> None:
        """Refuse an action that cannot be drawn."""
        if not (0 < self.places <= 1 and 0 <= self.effect <= 1 and self.after_weeks >= 0):
            raise DatamallError(
                f"An action cannot keep away {self.effect} of the bags at {self.places} of the "
                f"places after {self.after_weeks} weeks: give shares from 0 to 1 and whole weeks "
                "for ActionWorld(…)."
            )
