"""A year of demand at the junctions, and what the signals let through.

Mean of a quarter of an hour at a detector::

    design / 4 x profile(kind, mode, kind of day, quarter) x weekday x season and school holiday
    x weather(day) x event x measures x shock(site, day) x shock(site, hour)

Demand is negative binomial around it. Where a lane group gets more than its green can serve, the
rest waits for the next quarter: a count shows what was *served*.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betainc, pdtr

from datamall.demo import calendar
from datamall.demo.draws import Floats, Integers, normal, stream
from datamall.demo.junctions import Junctions, junctions
from datamall.demo.measures import measures
from datamall.demo.traffic_world import TrafficWorld
from datamall.demo.world import World

QUARTERS = 96
HOUR = (np.arange(QUARTERS) + 0.5) / 4  # middle of each quarter
GAP = slice(8, 12)  # 2-3 h: lacking in spring and double in autumn, where clocks change
LEVELS = 16  # steps of the square root of the mean, so that a step is far below chance
DIGITS = 6  # factors are rounded, so that the last bit of exp() cannot decide a count

# Bumps of a day (h): morning peak, midday, evening peak, evening; and their heights by kind of
# site on working days, Saturdays and Sundays, and a floor for the night.
BUMPS = ((8.3, 0.8), (13.0, 3.2), (17.4, 0.95), (20.5, 2.2))
CAR: dict[str, tuple[tuple[float, ...], ...]] = {
    "ring": (
        (1.0, 0.42, 1.0, 0.2, 0.03),
        (0.1, 0.75, 0.2, 0.2, 0.04),
        (0.03, 0.6, 0.25, 0.2, 0.04),
    ),
    "radial": (
        (0.95, 0.5, 1.0, 0.25, 0.02),
        (0.1, 0.8, 0.2, 0.25, 0.03),
        (0.03, 0.6, 0.2, 0.2, 0.03),
    ),
    "business": (
        (1.0, 0.4, 1.0, 0.08, 0.01),
        (0.05, 0.3, 0.05, 0.05, 0.01),
        (0.02, 0.2, 0.05, 0.05, 0.01),
    ),
    "school": (
        (1.0, 0.45, 1.0, 0.15, 0.01),
        (0.08, 0.6, 0.15, 0.15, 0.02),
        (0.03, 0.5, 0.15, 0.15, 0.02),
    ),
    "centre": (
        (0.6, 0.7, 1.0, 0.45, 0.03),
        (0.1, 0.95, 0.35, 0.5, 0.06),
        (0.03, 0.7, 0.25, 0.35, 0.05),
    ),
}
BIKE = ((1.0, 0.5, 0.8, 0.3, 0.02), (0.1, 0.6, 0.2, 0.35, 0.05), (0.03, 0.45, 0.15, 0.25, 0.05))
PEDESTRIAN = ((0.3, 0.9, 0.7, 0.4, 0.02), (0.1, 1.4, 0.6, 0.5, 0.06), (0.03, 1.0, 0.3, 0.3, 0.05))
BUS = ((0.9, 0.7, 0.6, 0.5, 0.02), (0.2, 0.7, 0.2, 0.4, 0.02), (0.1, 0.5, 0.1, 0.3, 0.02))
SHAPES = {"bike": BIKE, "pedestrian": PEDESTRIAN, "bus": BUS}
WEEKDAY = {  # multiples of an ordinary working day, Monday to Friday
    "car": (0.97, 1.02, 1.0, 1.03, 0.98),
    "bike": (1.02, 1.05, 0.98, 1.04, 0.91),
}


@dataclass(frozen=True)
class Traffic:
    """A drawn year: the truth, and what faultless detectors would have counted.

    Attributes
    ----------
    junctions
        See `datamall.demo.junctions.Junctions`; axis 0 below follows its detectors.
    days
        day, kind (0 working day, 1 Saturday, 2 Sunday or holiday), school_holiday, event,
        weather (standard deviations of bad weather); axis 1 below.
    roadworks
        site, approach, first_day, last_day, share.
    measures
        See `datamall.demo.measures.measures`; the road works are one of them.
    demand, served
        int32 of shape (detectors, days, 96): who arrived and who got through in each quarter.
        The same but for cars.
    queue
        int32, same shape: cars that still wait at the end of the quarter.
    """

    junctions: Junctions
    days: pd.DataFrame
    roadworks: pd.DataFrame
    measures: pd.DataFrame
    demand: NDArray[np.int32]
    served: NDArray[np.int32]
    queue: NDArray[np.int32]


@lru_cache(maxsize=1)  # files and truth ask for the same year, which takes a second to draw
def traffic(seed: int, world: World) -> Traffic:
    """Draw the junctions and their year; whoever changes what is returned changes it for all."""
    made = junctions(seed, knobs_of(world))
    days = traffic_days(seed, world)
    works = _roadworks(seed, world, made, days)
    taken = measures(seed, knobs_of(world), made, days, works)
    shape = (len(made.detectors), len(days), QUARTERS)
    demand = np.zeros(shape, dtype=np.int32)
    for site, rows in made.detectors.groupby("site").indices.items():
        part = made.detectors.iloc[rows]
        demand[rows] = _arrivals(seed, world, str(site), part, days, taken)
    served, queue = demand.copy(), np.zeros(shape, dtype=np.int32)
    cars = np.flatnonzero(made.detectors["mode"] == "car")
    served[cars], queue[cars] = _through(seed, world, made, days, demand[cars])
    return Traffic(made, days, works, taken, demand, served, queue)


def knobs_of(world: World) -> TrafficWorld:
    """Return the knobs of traffic; the demo's for a city without."""
    return world.traffic or TrafficWorld()


def profile(mode: str, kind: str, day: int, morning: Floats) -> Floats:
    """Return the shape of a day: quarters by detector; 1 on average at 17-18 h of a working day.

    Parameters
    ----------
    mode, kind
        Mode of the detector and kind of its site.
    day
        0 working day, 1 Saturday, 2 Sunday or holiday.
    morning
        Height of the morning peak of each detector, as a share of its evening peak.
    """
    heights = CAR[kind] if mode == "car" else SHAPES[mode]

    def shape(height: tuple[float, ...]) -> Floats:
        total = np.full((len(morning), QUARTERS), height[-1])
        for number, (centre, width) in enumerate(BUMPS):
            bump = np.round(np.exp(-0.5 * ((HOUR - centre) / width) ** 2), DIGITS)
            share = morning[:, None] if number == 0 else 1.0
            total += height[number] * share * bump
        # Hardly anybody is on the road before five.
        return total * np.where(HOUR < 5, 0.35, 1.0)

    evening = shape(heights[0])[:, 68:72].mean(axis=1, keepdims=True)
    return np.round(shape(heights[day]) / evening, DIGITS)


def day_factor(mode: str, days: pd.DataFrame, world: World) -> Floats:
    """Return what season, weekday, holidays and weather make of each day, for one mode."""
    knobs = knobs_of(world)
    weekday = days["day"].dt.day_of_week.to_numpy()
    working = days["kind"].to_numpy() == 0
    week = np.array((*WEEKDAY.get(mode, (1.0,) * 5), 1.0, 1.0))[weekday]
    factor = np.where(working, week, 1.0)
    # The warmest days come at the end of July: many bicycles, somewhat fewer cars.
    season = np.cos(2 * np.pi * (days["day"].dt.day_of_year.to_numpy() - 208) / 365)
    swing = {"car": -0.015, "bike": 0.22, "pedestrian": 0.1}.get(mode, 0.0)
    factor = factor * (1 + swing * season)
    holiday = {"car": knobs.school_holiday_car, "bike": knobs.school_holiday_bike}.get(mode, 1.0)
    factor = factor * np.where(working & days["school_holiday"], holiday, 1.0)
    wet = {"car": knobs.weather_car, "bike": -knobs.weather_bike, "pedestrian": -0.1}.get(mode, 0.0)
    return np.round(factor * np.exp(wet * days["weather"].to_numpy() - wet**2 / 2), DIGITS)


def clock_changes(days: pd.DataFrame, season: str) -> NDArray[np.bool_]:
    """Return on which day clocks change: the last Sunday of March or of October."""
    month = {"spring": 3, "autumn": 10}[season]
    day = days["day"]
    last = (day.dt.day_of_week == 6) & (day.dt.day > 24)
    return (last & (day.dt.month == month)).to_numpy()


def traffic_days(seed: int, world: World) -> pd.DataFrame:
    """Return the days of the counts with their kind and weather: see `Traffic.days`."""
    rng = stream(seed, "weather")
    knobs = knobs_of(world)
    table = calendar.days(world)
    first = (pd.Timestamp(knobs.first_day) - table["day"].iloc[0]).days
    table = table.iloc[first : first + knobs.days].reset_index(drop=True)
    weekday = table["day"].dt.day_of_week
    # On Good Friday most people work; shops close early.
    free = (table["holiday"] != "") & (table["holiday"] != "Goede vrijdag")
    kind = np.where((weekday == 6) | free, 2, np.where(weekday == 5, 1, 0))
    steps = normal(rng, knobs.days)
    weather = np.zeros(knobs.days)
    keep = knobs.weather_persistence
    for day, step in enumerate(steps):
        weather[day] = keep * weather[day - 1] + np.sqrt(1 - keep**2) * step if day else step
    return table.assign(kind=kind, weather=np.round(weather, DIGITS))


def _roadworks(seed: int, world: World, made: Junctions, days: pd.DataFrame) -> pd.DataFrame:
    """Choose an approach that is dug up for some weeks, at a junction where all else is well."""
    rng = stream(seed, "road works")
    knobs = knobs_of(world)
    length = knobs.roadworks_days
    names = ["site", "approach", "first_day", "last_day", "share"]
    fine = made.sites.loc[made.sites["plan"] == "fine", "site"].to_numpy()
    if not length or length >= len(days) or not len(fine):
        return pd.DataFrame(columns=names)
    site = fine[int(rng.random() * len(fine))]
    arms = made.groups.loc[made.groups["site"] == site, "approach"].unique()
    arm = arms[int(rng.random() * len(arms))]
    first = int(rng.random() * (len(days) - length))
    period = days["day"].iloc[first], days["day"].iloc[first + length - 1]
    return pd.DataFrame([(site, arm, *period, knobs.roadworks_share)], columns=names)


def _arrivals(
    seed: int,
    world: World,
    site: str,
    detectors: pd.DataFrame,
    days: pd.DataFrame,
    taken: pd.DataFrame,
) -> NDArray[np.int32]:
    """Draw the demand at one junction: detectors, days, quarters."""
    knobs = knobs_of(world)
    rng = stream(seed, f"traffic {site}")
    day_shock = np.exp(knobs.day_sd * normal(rng, len(days)) - knobs.day_sd**2 / 2)
    hours = normal(rng, (len(days), 24))
    hour_shock = np.exp(knobs.hour_sd * hours - knobs.hour_sd**2 / 2).repeat(4, axis=1)
    shock = np.round(day_shock[:, None] * hour_shock, DIGITS)
    clock = np.ones((len(days), QUARTERS))
    clock[clock_changes(days, "spring"), GAP] = 0.0
    clock[clock_changes(days, "autumn"), GAP] = 2.0
    crowd = np.ones((len(days), QUARTERS))
    crowd[(days["event"] != "").to_numpy(), 48:] = knobs.event_centre
    kind = detectors["kind"].iloc[0]
    found = np.zeros((len(detectors), len(days), QUARTERS), dtype=np.int32)
    for mode, rows in detectors.reset_index(drop=True).groupby("mode").indices.items():
        part = detectors.iloc[rows]
        morning = part["morning"].to_numpy()
        shapes = np.stack([profile(str(mode), kind, day, morning) for day in range(3)])
        usual = shapes[days["kind"].to_numpy()].transpose(1, 0, 2)
        mean = usual * (part["design"].to_numpy()[:, None, None] / 4)
        mean = mean * day_factor(str(mode), days, world)[:, None] * shock * clock
        if mode in ("bike", "pedestrian") and kind == "centre":
            mean = mean * crowd
        here = taken[(taken["site"] == site) & (taken["aimed_at"] == mode)]
        for own in here[here["effect"] != 1].itertuples():
            since = (days["day"] >= own.first_day) & ~(days["day"] > own.last_day)
            arm = (part["approach"] == own.approach).to_numpy() | (own.approach == "all")
            mean[np.ix_(arm, since.to_numpy())] *= own.effect
        level = np.rint(LEVELS * np.sqrt(mean)).astype(np.int64)
        found[rows] = _counts(rng, level, getattr(knobs, f"dispersion_{mode}", 0.0))
    return found


@cache
def _thresholds(level: int, dispersion: float) -> Integers:
    """Return the distribution function at 0, 1, 2 … of a level, in units of a 32-bit draw."""
    centre = (level / LEVELS) ** 2
    number = np.arange(int(centre + 9 * np.sqrt(centre + dispersion * centre**2)) + 12)
    if centre == 0:
        below = np.ones(len(number))
    elif dispersion:
        size = 1 / dispersion
        below = betainc(size, number + 1.0, size / (size + centre))
    else:
        below = pdtr(number, centre)
    thresholds = np.rint(below * 2.0**32).astype(np.int64)
    thresholds[-1] = 2**32  # no draw lies above
    return thresholds


def _counts(rng: np.random.Generator, level: Integers, dispersion: float) -> NDArray[np.int32]:
    """Draw negative binomial (or Poisson) counts through whole-number quantiles of the mean.

    A count is the number of thresholds of its level that lie at or below a 32-bit draw.
    """
    present = np.unique(level)
    first = np.zeros(int(level.max()) + 1, dtype=np.int64)
    thresholds = [_thresholds(int(one), dispersion) for one in present]
    length = np.array([len(some) for some in thresholds])
    first[present] = np.cumsum(length) - length
    keys = [(one << 33) + some for one, some in zip(present, thresholds, strict=True)]
    draws = rng.integers(0, 2**32, level.shape, dtype=np.uint32).astype(np.int64)
    place = np.searchsorted(np.concatenate(keys), (level << 33) + draws, side="right")
    return (place - first[level]).astype(np.int32)


def _through(
    seed: int, world: World, made: Junctions, days: pd.DataFrame, demand: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Let the demand of the lane groups through; return what was served and what still waits."""
    knobs = knobs_of(world)
    rng = stream(seed, "hesitation")
    capacity = np.floor(made.groups["capacity"].to_numpy() / 4).astype(np.int64)
    loss = rng.integers(0, int(1000 * knobs.capacity_loss) + 1, demand.shape)
    able = capacity[:, None, None] - capacity[:, None, None] * loss // 1000
    able[:, clock_changes(days, "autumn"), GAP] *= 2
    longest = np.floor(knobs.patience * capacity).astype(np.int64)[:, None]
    served, queue = np.zeros_like(demand), np.zeros_like(demand)
    waiting = np.zeros(demand.shape[:2], dtype=np.int64)
    for quarter in range(QUARTERS):
        wanted = waiting + demand[:, :, quarter]
        served[:, :, quarter] = np.minimum(wanted, able[:, :, quarter])
        waiting = np.minimum(wanted - served[:, :, quarter], longest)
        queue[:, :, quarter] = waiting
    return served, queue
