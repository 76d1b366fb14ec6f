"""The knobs of the demo city: every planted effect, with the reason for its size."""

from dataclasses import dataclass
from datetime import date

from datamall.demo.street_world import ActionWorld, FillsWorld, ReportsWorld, RoundsWorld
from datamall.demo.traffic_world import TrafficWorld
from datamall.demo.welfare_world import WelfareWorld
from datamall.errors import DatamallError


@dataclass(frozen=True)
class World:
    """A world that a city can be drawn from; the defaults are the demo.

    Change a knob to plant another truth, e.g. ``World(observer_odds_ratio=1, feedback=0)`` for a
    city where it does not matter who looks, or ``World(places=200, dump_spots=15,
    neighbourhoods=24, weeks=13)`` for one that is drawn in a moment.

    Attributes
    ----------
    places
        Residual containers; Groningen's public register holds 2,319.
    dump_spots
        Places without a container where waste is often found.
    neighbourhoods
        Neighbourhoods: from 14, one for each settlement, to 160, for want of names.
    households_per_place
        Mean of the log-normal number of households that depend on a container.
    first_monday, weeks
        Period of the inspections; the default weeks all start in 2025.
    relaxation
        Rate per day at which a place forgets what lay there: 0.35 makes waste at an average place
        stay for 3.6 days if nobody takes it away.
    crew_skips, crew_cleans
        Share of the looks of a cleaning crew that fall out (illness, road works), and the share of
        what it finds that it takes away on the same day. A couch waits for the lorry.
    officer_looks
        Mean looks of enforcement officers per place and week. Their number is fixed for the
        city; what follows only says where they go.
    officer_district_sd
        Spread (log scale) of officers' attention between districts: the inspection bias. At 0.7
        the busiest district gets over ten times the attention of the quietest.
    feedback
        Power by which officers return to places with past hits; 0 is no feedback.
    memory
        Share of a past hit that is still remembered a week later.
    dirty_rate
        Probability that waste lies at an average container in an average week, as a crew sees
        it, if nobody but chance takes it away. Low enough that three times as much is still
        possible.
    dump_spot_odds
        Odds of waste on a dump spot, as a multiple of those at a container.
    district_sd
        Spread (logit) between districts. Small: a place says more than its district.
    place_sd
        Spread (logit) between places of one district: a few are always dirty, most seldom.
    shock_sd, shock_persistence
        Spread (logit) of the weeks of one place around its own level, and the correlation of one
        week with the next. Makes inspections of one place alike: overdispersion.
    moving_odds, moving_monday, moving_weeks
        Odds of waste in the week of the student moves, as a multiple, the Monday of that week
        and how many weeks (standard deviation) the season lasts.
    hot_spot_rates, hot_spot_radius, hot_spot_places
        Relative rate at an average place in each planted hot spot, and the bounds of the radii
        (m) and of the number of places in one. A small city may have room for fewer hot spots.
    observer_odds_ratio
        Odds that an officer records waste where a crew would, as a multiple.
    bulky, residual, cardboard, full, broken
        Share of the inspections with waste at an ordinary place where this is (also) found.
        Set so that about a tenth is full or broken and well over half is bulky, as reported for
        Groningen.
    cause_sd
        Spread (logit) of the shares of bulky, residual and cardboard between places.
    often_full, often_broken
        Share of the containers that are too small for their households, or that fail again and
        again: there a truck or a mechanic does help.
    mess
        Multiple of the usual number of faults in the raw files; 0 writes clean files.
    rounds
        Trucks and when they empty containers; see `RoundsWorld`. None for no plan.
    fills
        How fast containers fill; see `FillsWorld`. None for no readings; none without rounds.
    reports
        What residents report; see `ReportsWorld`. None for no reports.
    actions
        An action drawn by lot; see `ActionWorld`. None for none.
    traffic
        Junctions, counts and detectors; see `TrafficWorld`. None for a city without.
    welfare
        People on benefit and how they are investigated; see `WelfareWorld`. None for none.
    """

    places: int = 2319
    dump_spots: int = 150
    neighbourhoods: int = 110
    households_per_place: float = 45.0

    first_monday: date = date(2025, 1, 6)
    weeks: int = 52

    relaxation: float = 0.35
    crew_skips: float = 0.08
    crew_cleans: float = 0.6
    officer_looks: float = 0.45
    officer_district_sd: float = 0.7
    feedback: float = 0.6
    memory: float = 0.9

    dirty_rate: float = 0.2
    dump_spot_odds: float = 2.2
    district_sd: float = 0.25
    place_sd: float = 0.8
    shock_sd: float = 0.6
    shock_persistence: float = 0.7
    moving_odds: float = 1.8
    moving_monday: date = date(2025, 9, 1)
    moving_weeks: float = 1.2
    hot_spot_rates: tuple[float, ...] = (1.5, 1.5, 2.0, 2.0, 3.0, 3.0)
    hot_spot_radius: tuple[float, float] = (300.0, 800.0)
    hot_spot_places: tuple[int, int] = (10, 80)
    observer_odds_ratio: float = 1.6

    bulky: float = 0.66
    residual: float = 0.36
    cardboard: float = 0.22
    full: float = 0.05
    broken: float = 0.02
    cause_sd: float = 0.6
    often_full: float = 0.06
    often_broken: float = 0.015

    mess: float = 1.0
    rounds: RoundsWorld | None = RoundsWorld()  # noqa: RUF009 (frozen, like those below)
    fills: FillsWorld | None = FillsWorld()  # noqa: RUF009
    reports: ReportsWorld | None = ReportsWorld()  # noqa: RUF009
    actions: ActionWorld | None = ActionWorld()  # noqa: RUF009
    traffic: TrafficWorld | None = TrafficWorld()  # noqa: RUF009
    welfare: WelfareWorld | None = WelfareWorld()  # noqa: RUF009

    def __post_init__(self) -> None:
        """Refuse a city that cannot be drawn."""
        if not (self.relaxation > 0 and 0 <= self.crew_cleans <= 1):
            raise DatamallError(
                f"Waste cannot come and go {self.relaxation} times a day, nor crews take "
                f"{self.crew_cleans} of it away: give a rate above 0 and a share from 0 to 1 for "
                "World(relaxation=…, crew_cleans=…)."
            )
        if not 14 <= self.neighbourhoods <= 160:
            raise DatamallError(
                f"A demo city cannot have {self.neighbourhoods} neighbourhoods: choose a number "
                "from 14 to 160 for World(neighbourhoods=…)."
            )
