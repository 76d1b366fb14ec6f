"""Formulas of traffic signals: cycles and greens, delay, level of service.

Pure functions of numbers and arrays that broadcast. What is not known (NaN) stays not known, what a
formula has no answer to is NaN, and what lies outside its domain is an error: never a number that
looks right.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datamall.errors import DatamallError

Floats: TypeAlias = NDArray[np.floating]

# From this sum of flow ratios on, no cycle that is bearable serves the demand.
OVER_CAPACITY = 0.95
# Highway Capacity Manual, exhibit 19-8: longest mean delay of each level, in seconds.
LEVELS = {"A": 10.0, "B": 20.0, "C": 35.0, "D": 55.0, "E": 80.0}
UNKNOWN = "unknown"


def hold(what: str, values: ArrayLike, low: float, high: ArrayLike = np.inf) -> None:
    """Refuse numbers outside a formula's domain; NaN is inside."""
    found, most = np.broadcast_arrays(np.asarray(values, float), np.asarray(high, float))
    bad = (found < low) | (found > most + 1e-9)
    if bad.any():
        raise DatamallError(f"{what} is {found[bad][0]:g}: no signal has that, mend it on file.")


def optimal_cycle(ratio_sum: ArrayLike, lost_time: ArrayLike) -> Floats:
    """Return the cycle with the least total delay, (1.5 L + 5) / (1 − Y), in seconds.

    Parameters
    ----------
    ratio_sum
        Y: sum over the phases of their highest flow ratio (flow divided by saturation flow).
    lost_time
        L: time of a cycle in which no phase is effectively green, in seconds.

    Returns
    -------
    numpy.ndarray
        NaN where Y is 1 or more: no cycle serves that.

    Notes
    -----
    Webster (1958), Traffic signal settings, Road Research Technical Paper 39.
    """
    ratio_sum, lost_time = np.asarray(ratio_sum, float), np.asarray(lost_time, float)
    hold("A sum of flow ratios", ratio_sum, 0)
    hold("A lost time", lost_time, 0)
    rest = np.where(ratio_sum < 1, 1 - ratio_sum, np.nan)
    return np.asarray((1.5 * lost_time + 5) / rest)


def minimum_cycle(ratio_sum: ArrayLike, lost_time: ArrayLike) -> Floats:
    """Return the shortest cycle that just serves the flows, L / (1 − Y), in seconds.

    Parameters and what is NaN are as in `optimal_cycle`.
    """
    ratio_sum, lost_time = np.asarray(ratio_sum, float), np.asarray(lost_time, float)
    return np.asarray(lost_time / np.where(ratio_sum < 1, 1 - ratio_sum, np.nan))


def split(
    ratios: ArrayLike, cycle: ArrayLike, lost_time: ArrayLike, least: ArrayLike = 0.0
) -> Floats:
    """Divide a cycle's green over its phases in proportion to their flow ratios.

    Parameters
    ----------
    ratios
        y: highest flow ratio of each phase, shape (…, phases); 0 where there is no such phase.
    cycle, lost_time
        In seconds, shape (…).
    least
        Shortest green of each phase in seconds, shape (…, phases). A phase that would get less gets
        this, and the others share what is left.

    Returns
    -------
    numpy.ndarray
        Effective greens in seconds, shape (…, phases), adding up to the cycle less its lost time;
        NaN where the shortest greens do not fit, or no phase has any flow.

    Notes
    -----
    Webster (1958): g = (y / Y)(C − L).
    """
    ratios = np.asarray(ratios, float)
    least = np.broadcast_to(np.asarray(least, float), ratios.shape)
    total = (np.asarray(cycle, float) - np.asarray(lost_time, float))[..., None]
    held = np.zeros(ratios.shape, dtype=bool)
    # Each round holds at least one phase more at its shortest green, or nothing changes any more.
    for _ in range(ratios.shape[-1] + 1):
        left = total - np.where(held, least, 0).sum(axis=-1, keepdims=True)
        weight = np.where(held, 0.0, ratios)
        share = weight.sum(axis=-1, keepdims=True)
        green = np.where(held, least, weight / np.where(share > 0, share, np.nan) * left)
        # Where every phase is held, the proportions are those of the shortest greens.
        full = share <= 0
        scale = total / np.where(least.sum(-1, keepdims=True) > 0, least.sum(-1, keepdims=True), 1)
        green = np.where(full & held.any(axis=-1, keepdims=True), least * scale, green)
        held = held | (green < least)
    fits = least.sum(axis=-1, keepdims=True) <= total + 1e-9
    return np.asarray(np.where(fits & (ratios.sum(-1, keepdims=True) > 0), green, np.nan))


class UniformDelay(NamedTuple):
    """Delay at evenly spaced arrivals, one field per figure; arrays of one shape.

    Attributes
    ----------
    mean, total, longest
        Delay per vehicle and of the first one in red (s), and of all vehicles of a cycle (veh·s).
    queue
        Longest queue (veh).
    clearing
        Time after the start of green until the queue is gone (s).
    queued
        Share of the vehicles that stop.
    """

    mean: Floats
    total: Floats
    longest: Floats
    queue: Floats
    clearing: Floats
    queued: Floats


def uniform_delay(
    flow: ArrayLike, saturation: ArrayLike, green: ArrayLike, cycle: ArrayLike
) -> UniformDelay:
    """Return the delay of evenly spaced arrivals that are served evenly (D/D/1).

    Parameters
    ----------
    flow, saturation
        Vehicles per hour.
    green, cycle
        Effective green and cycle, in seconds.

    Returns
    -------
    UniformDelay
        NaN where the queue does not clear within the cycle: then it grows without end.

    Notes
    -----
    Area of the queue's triangle, as in Fundamentals of Transportation (Traffic signals), Wikibooks.
    """
    hold("A flow", flow, 0)
    hold("A saturation flow", saturation, 1e-9)
    hold("A cycle", cycle, 1e-9)
    hold("A green", green, 0, cycle)
    rate = np.asarray(flow, float) / 3600
    green, cycle = np.asarray(green, float), np.asarray(cycle, float)
    load = np.asarray(flow, float) / np.asarray(saturation, float)
    red = cycle - green
    clearing = load * red / np.where(load < 1, 1 - load, np.nan)
    clearing = np.where(clearing <= green + 1e-9, clearing, np.nan)
    known = np.where(np.isnan(clearing), np.nan, 1.0)
    total = known * rate * red * (red + clearing) / 2
    mean = (red + clearing) * red / 2 / cycle
    queued = (red + clearing) / cycle
    return UniformDelay(mean, total, known * red, known * rate * red, clearing, queued)


class ControlDelay(NamedTuple):
    """Control delay per vehicle in seconds, and its parts.

    Attributes
    ----------
    ratio
        Volume divided by capacity (X).
    uniform, incremental
        Delay of even arrivals (d1), and of random and lasting overflow (d2).
    total
        d1 × progression factor + d2.
    """

    ratio: Floats
    uniform: Floats
    incremental: Floats
    total: Floats


def control_delay(
    volume: ArrayLike,
    capacity: ArrayLike,
    green_share: ArrayLike,
    cycle: ArrayLike,
    *,
    period: float = 0.25,
    controller: float = 0.5,
    upstream: float = 1.0,
    progression: float = 1.0,
) -> ControlDelay:
    """Return the control delay of the Highway Capacity Manual.

    Parameters
    ----------
    volume, capacity
        Flow and capacity of a lane group, in the same unit per hour. Without capacity: NaN.
    green_share
        Effective green divided by the cycle.
    cycle
        In seconds.
    period
        Length of the period that is looked at, in hours (T).
    controller
        0.5 for fixed times (k).
    upstream
        1 for a junction on its own (I).
    progression
        1 for arrivals that owe nothing to a signal upstream (PF).

    Notes
    -----
    HCM, equations 19-20 and 19-26: d1 = 0.5 C (1 − g/C)² / (1 − min(1, X) g/C) and
    d2 = 900 T [(X − 1) + √((X − 1)² + 8 k I X / (c T))]. X is capped at 1 in d1; some published
    code forgets that, and then exceeds the manual where X > 1. What a queue that is left over from
    the period before adds (d3) is in `queues.control_delay`.
    """
    volume, capacity = np.asarray(volume, float), np.asarray(capacity, float)
    share, cycle = np.asarray(green_share, float), np.asarray(cycle, float)
    hold("A volume", volume, 0)
    hold("A capacity", capacity, 0)
    hold("A share of green", share, 0, 1)
    hold("A cycle", cycle, 1e-9)
    capacity = np.where(capacity > 0, capacity, np.nan)
    ratio = volume / capacity
    served = 1 - np.minimum(1, ratio) * share
    uniform = 0.5 * cycle * (1 - share) ** 2 / np.where(served > 0, served, np.nan)
    uniform = np.where((share >= 1) & ~np.isnan(ratio), 0.0, uniform)  # green without end
    above = ratio - 1
    root = np.sqrt(above**2 + 8 * controller * upstream * ratio / (capacity * period))
    incremental = 900 * period * (above + root)
    return ControlDelay(ratio, uniform, incremental, uniform * progression + incremental)


def level_of_service(delay: ArrayLike, ratio: ArrayLike) -> NDArray[np.str_]:
    """Return the level of service, A to F, or "unknown".

    Parameters
    ----------
    delay
        Mean control delay in seconds.
    ratio
        Volume divided by capacity; above 1 the level is F, however short the delay.

    Notes
    -----
    HCM exhibit 19-8: A ≤ 10, B ≤ 20, C ≤ 35, D ≤ 55, E ≤ 80 seconds, else F.
    """
    delay, ratio = np.broadcast_arrays(np.asarray(delay, float), np.asarray(ratio, float))
    known = ~(np.isnan(delay) | np.isnan(ratio))
    steps = [~known, ratio > 1, *(delay <= limit for limit in LEVELS.values())]
    return np.select(steps, [UNKNOWN, "F", *LEVELS], "F")


def waiting_time(green: ArrayLike, cycle: ArrayLike) -> Floats:
    """Return the mean wait of people who never fill their green, (C − g)² / 2C, in seconds.

    Parameters
    ----------
    green, cycle
        Time in which they may start, and the cycle, in seconds.

    Notes
    -----
    HCM equation 19-71 for pedestrians. Cyclists on a track of their own, far below its capacity,
    wait as long.
    """
    green, cycle = np.asarray(green, float), np.asarray(cycle, float)
    return np.asarray(np.maximum(cycle - green, 0) ** 2 / (2 * np.where(cycle > 0, cycle, np.nan)))
