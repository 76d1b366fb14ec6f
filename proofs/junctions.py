"""Detectors and junctions drawn with a known truth: what the study of streets is given to judge."""

from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.traffic.cube import KEYS, Block, Cube

Floats: TypeAlias = NDArray[np.floating]
FIRST = pd.Timestamp("2024-01-01")  # a Monday
# Share of the busiest hour at some hours of a working day, with straight lines between them.
AT = (0, 5, 6.5, 7.5, 9, 10, 12, 15, 16.5, 18, 20, 24)
SHARE = (0.05, 0.05, 0.4, 1.0, 1.0, 0.6, 0.5, 0.6, 0.9, 0.85, 0.3, 0.05)
WEEKEND = 0.55
EVENING_FROM = 12  # hour; an approach that is busier in the morning is less so after it


class Mood(NamedTuple):
    """How counts of healthy detectors vary, each a standard deviation of a logarithm.

    Attributes
    ----------
    city
        Of days, for all detectors alike.
    week
        Of weeks, for one detector; half of a week's mood is that of the week before.
    hour
        Of intervals, for one detector.
    growth
        Of a year, for one detector: its mean is .05.
    season
        Amplitude of a year, alike for all.
    tilt
        Share by which one peak may be higher, and the other lower.
    """

    city: float = 0.05
    week: float = 0.03
    hour: float = 0.04
    growth: float = 0.05
    season: float = 0.0
    tilt: float = 0.25


USUAL = Mood()


def generator(*seed: int) -> np.random.Generator:
    """Return the random numbers of a seed, or of a seed within a seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def shapes(minutes: int, tilt: Floats) -> Floats:
    """Return shares of the busiest hour by interval, (number, slots).

    `tilt` is the share by which the morning is higher and the evening lower, shape (number,).
    """
    hour = np.arange(0, 24, minutes / 60)
    most = np.asarray(tilt)[:, None]
    return np.interp(hour, AT, SHARE) * np.where(hour < EVENING_FROM, 1 + most, 1 - most)


def means(
    rng: np.random.Generator,
    volume: Floats,
    weeks: int,
    minutes: int,
    mood: Mood = USUAL,
    tilt: Floats | None = None,
) -> Floats:
    """Return mean passages of intervals, shape (detectors, days, slots).

    Parameters
    ----------
    rng
        Random numbers.
    volume
        Passages in the busiest hour, by detector.
    weeks, minutes
        Length, and that of an interval.
    mood
        How much they vary.
    tilt
        As for `shapes`; None: drawn.
    """
    number, days = len(volume), 7 * weeks
    drawn = rng.uniform(-mood.tilt, mood.tilt, number) if tilt is None else tilt
    share = shapes(minutes, drawn)
    day = np.arange(days)
    level = np.where(day % 7 < 5, 1.0, WEEKEND)
    level = level * np.exp(mood.city * rng.standard_normal(days))
    level = level * (1 + mood.season * np.sin(2 * np.pi * day / 364))
    own = rng.standard_normal((number, weeks))
    for week in range(1, weeks):
        own[:, week] = 0.5 * own[:, week - 1] + np.sqrt(0.75) * own[:, week]
    growth = mood.growth * (1 + rng.standard_normal(number))
    lasting = mood.week * own.repeat(7, axis=1) + growth[:, None] * day / 364
    level = level * np.exp(lasting)
    return np.asarray(volume)[:, None, None] * level[..., None] * share[:, None] * minutes / 60


def counts(rng: np.random.Generator, mean: Floats, mood: Mood = USUAL) -> Floats:
    """Draw passages."""
    return rng.poisson(mean * np.exp(mood.hour * rng.standard_normal(mean.shape))).astype(float)


def names(number: int, of_a_site: int = 4) -> pd.DataFrame:
    """Return the keys of detectors, each an approach of its own."""
    place = np.arange(number)
    site = [f"{row // of_a_site:05d}" for row in place]
    approach = [f"{row % of_a_site}" for row in place]
    about = {"site": site, "approach": approach, "movement": "-", "mode": "car"}
    return pd.DataFrame(about | {"detector": [f"D{row:05d}" for row in place]})[KEYS]


def cube(count: Floats, minutes: int, keys: pd.DataFrame | None = None) -> Cube:
    """Return counts (detectors, days, slots; NaN: none) as the analysis sees them."""
    series = names(len(count)) if keys is None else keys
    days = pd.date_range(FIRST, periods=count.shape[1])
    return Cube((Block(series, days, minutes, count.astype(np.float32)),))


def served(arrivals: Floats, capacity: Floats) -> Floats:
    """Return what passes of each interval, where what does not waits for the next one.

    Parameters
    ----------
    arrivals, capacity
        Passages of an interval, (…, slots), and those that can pass; the queue is gone at midnight.
    """
    most = np.broadcast_to(capacity, arrivals.shape)
    passed = np.empty_like(arrivals)
    queue = np.zeros(arrivals.shape[:-1])
    for slot in range(arrivals.shape[-1]):
        wanted = queue + arrivals[..., slot]
        passed[..., slot] = np.minimum(wanted, np.floor(most[..., slot]))
        queue = wanted - passed[..., slot]
    return passed


def waiting(
    rng: np.random.Generator,
    flow: Floats,
    saturation: Floats,
    green: Floats,
    cycle: Floats,
    level: Floats,
) -> Floats:
    """Return vehicle-hours of waiting in a peak, from queues that are followed cycle by cycle.

    Parameters
    ----------
    rng
        Random numbers.
    flow
        Mean arrivals per hour in quarters of an hour, shape (plans, groups, quarters).
    saturation, green
        Vehicles per hour of green, and its seconds, shape (plans, groups).
    cycle
        Seconds, shape (plans,).
    level
        Of the days on which the peak is drawn, against the mean: shape (plans, groups, days).

    Returns
    -------
    numpy.ndarray
        Mean over days, shape (plans, groups).

    Notes
    -----
    Arrivals of a cycle are Poisson and spread evenly over it, red first; in green the queue leaves
    at the rate of saturation. The area under the queue is what is waited; what is left goes on
    into the next cycle, and at the end of the peak is waited for until it is served. This knows
    nothing of the formulas that are judged by it.
    """
    seconds = flow.shape[2] * 900
    red, most = (cycle[:, None] - green)[..., None], saturation[..., None] / 3600
    length, long = cycle[:, None, None], green[..., None]
    queue = np.zeros(level.shape)
    area = np.zeros_like(queue)
    plan = np.arange(len(cycle))
    for turn in range(int(np.ceil(seconds / cycle.min()))):
        quarter = (turn * cycle // 900).astype(int)
        live = (turn * cycle < seconds)[:, None, None]
        mean = flow[plan, :, np.minimum(quarter, flow.shape[2] - 1)][..., None] / 3600 * length
        rate = rng.poisson(mean * level) / length
        end_of_red = queue + rate * red
        falling = most - rate
        clear = np.where(falling > 0, end_of_red / np.maximum(falling, 1e-9), np.inf)
        left = np.maximum(end_of_red - falling * long, 0)
        inside = np.where(
            clear <= long,
            end_of_red * np.minimum(clear, long) / 2,
            (end_of_red + left) * long / 2,
        )
        area += np.where(live, (queue + end_of_red) / 2 * red + inside, 0)
        queue = np.where(live, np.where(clear <= long, 0, left), queue)
    area += queue**2 / 2 / (most * long / length)
    return np.asarray(area.mean(axis=2) / 3600)
