"""The knobs of the demo city's traffic: every planted effect, with the reason for its size."""

from dataclasses import dataclass
from datetime import date

from datamall.errors import DatamallError


@dataclass(frozen=True)
class TrafficWorld:
    """Junctions, a year of demand and the detectors' faults; the defaults are the demo.

    ``TrafficWorld(junctions=4, days=28, over_capacity=1, wrong_split=1, no_conflicts=0,
    no_saturation=0)`` is drawn in a moment.

    Attributes
    ----------
    junctions
        Junctions with signals that count, at most 40 for want of names; 0 for none at all.
    first_day, days
        Period of the counts.
    over_capacity, wrong_split
        Junctions where no timing helps, and junctions where one phase lacks green that others
        have too much of. Few: most signals are in order.
    no_conflicts, no_saturation
        Junctions whose register lacks the phases, or the saturation flow of one approach.
    load_fine, load_wrong, load_over
        Bounds of Y, the sum over phases of the critical ratio of demand to saturation flow in
        the evening peak hour of an ordinary working day. Webster's method ends at 0.95.
    starved
        Ratio of demand to capacity, in that hour, of the phase that lacks green.
    capacity_loss
        A saturated quarter serves this share less than capacity at most: drivers hesitate.
        Without it a queue would look like a detector that is stuck.
    patience
        Longest queue, in quarters of capacity; who would wait longer drives another way.
    dispersion_car, dispersion_bike, dispersion_pedestrian
        Variance of a quarter beyond Poisson, as a share of the squared mean (negative binomial).
        Buses keep to a timetable and have none.
    day_sd, hour_sd
        Spread (log scale) of whole days and of hours of one junction, felt by all detectors.
    weather_bike, weather_car, weather_persistence
        Effect (log scale) of one standard deviation of bad weather, and the correlation of one
        day with the next. Who leaves the bicycle partly takes the car.
    school_holiday_car, school_holiday_bike
        Demand on working days in school holidays, as a multiple.
    event_centre
        Bicycles and pedestrians in the centre from noon on a day with an event, as a multiple.
    roadworks_share, roadworks_days
        What is left of the traffic of one approach during road works, and their length: a true
        change that is no fault of a detector. 0 days for none.
    bike_phase
        Bicycles at a junction since it has a phase for them, as a multiple: the one measure of
        those on file that does something, beside the road works.
    outages
        Times that a detector delivers blanks for hours to weeks on end.
    not_delivered
        Times that a whole junction delivers no lines for days: its modem failed.
    stuck, zero, doubled, swapped
        Detectors that repeat one number, count nothing, count everything twice, and pairs whose
        numbers are exchanged, each for weeks.
    """

    junctions: int = 20
    first_day: date = date(2025, 1, 1)
    days: int = 365

    over_capacity: int = 3
    wrong_split: int = 4
    no_conflicts: int = 2
    no_saturation: int = 1
    load_fine: tuple[float, float] = (0.45, 0.68)
    load_wrong: tuple[float, float] = (0.58, 0.66)
    load_over: tuple[float, float] = (1.02, 1.12)
    starved: float = 1.15
    capacity_loss: float = 0.05
    patience: float = 1.0

    dispersion_car: float = 0.005
    dispersion_bike: float = 0.02
    dispersion_pedestrian: float = 0.05
    day_sd: float = 0.035
    hour_sd: float = 0.03
    weather_bike: float = 0.18
    weather_car: float = 0.02
    weather_persistence: float = 0.5
    school_holiday_car: float = 0.88
    school_holiday_bike: float = 0.7
    event_centre: float = 1.5
    roadworks_share: float = 0.3
    roadworks_days: int = 19
    bike_phase: float = 1.25

    outages: int = 45
    not_delivered: int = 3
    stuck: int = 4
    zero: int = 5
    doubled: int = 3
    swapped: int = 2

    def __post_init__(self) -> None:
        """Refuse junctions that cannot be drawn."""
        special = self.over_capacity + self.wrong_split + self.no_conflicts + self.no_saturation
        if not 0 <= self.junctions <= 40 or (self.junctions and special > self.junctions):
            raise DatamallError(
                f"A demo city cannot have {self.junctions} junctions of which {special} are "
                "special: choose at most 40 junctions, and no more over_capacity, wrong_split, "
                "no_conflicts and no_saturation together, for TrafficWorld(…)."
            )
        if not 1 <= self.days <= 366 or self.first_day.year + (self.days > 1) > 2026:
            raise DatamallError(
                f"The demo's calendar does not cover {self.days} days from {self.first_day}: "
                "choose 1 to 366 days that end in 2026 or before, for TrafficWorld(…)."
            )
