"""What a plan of rounds rests on beside its tables."""

from dataclasses import dataclass

from datamall.errors import DatamallError


@dataclass(frozen=True)
class Settings:
    """Assumptions and the amount of search.

    Attributes
    ----------
    worth
        Seconds of a truck's time that a dirty day prevented is worth. At 3,600 a truck makes a
        detour of an hour, service included, to prevent one day with waste.
    factor
        How much longer a road is than a straight line.
    speed
        Mean speed between stops (km/h).
    iterations, seed
        Of the search. The number of iterations and no clock ends it: same input, same plan.
    threshold
        Seconds that each change to a round under way must gain: a stop added, dropped or handed
        over, or another order. Smaller ones are not made.
    """

    worth: float = 3600.0
    factor: float = 1.3
    speed: float = 25.0
    iterations: int = 600
    seed: int = 1
    threshold: float = 300.0

    def __post_init__(self) -> None:
        """Refuse what no plan can be made from."""
        numbers = {"worth": 0.0, "factor": 1.0, "speed": 1.0, "iterations": 1, "threshold": 0.0}
        for name, least in numbers.items():
            if not least <= getattr(self, name) < 1e6:
                raise DatamallError(
                    f"{name} of the rounds is {getattr(self, name)}: set it from {least:g} to a "
                    "million in params.yaml."
                )
