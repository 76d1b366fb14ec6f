"""Formulas of queues: what is left over from period to period, its delay, and how far it reaches.

Pure functions that broadcast, with the manners of `signals`: what is not known (NaN) stays not
known, and what lies outside a formula's domain is an error.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from datamall.traffic import signals
from datamall.traffic.signals import Floats, hold

# Highway Capacity Manual: 25 feet from front to front in a standing queue.
SPACING = 7.6  # metres per passenger car
# HCM 2000, exhibit G16-9, fixed times, 95 in 100 cycles: p1 + p2 exp(−Q / p3).
PERCENTILE = (1.6, 1.0, 5.0)


def chain(
    volume: ArrayLike, capacity: ArrayLike, period: ArrayLike = 0.25, queue: ArrayLike = 0.0
) -> Floats:
    """Return the queue at the ends of periods that follow each other.

    Parameters
    ----------
    volume, capacity
        Vehicles per hour, of shape (…, periods) together. A capacity of 0 is a closed stop line.
    period
        Length of a period in hours; one number, or one for each period.
    queue
        Vehicles that wait at the beginning of the first period, shape (…).

    Returns
    -------
    numpy.ndarray
        Vehicles, shape (…, periods + 1): at the beginning of each period, and at the end of the
        last one. After a period that is not known, no queue is.

    Notes
    -----
    What exceeds the capacity stays for the next period: Q' = max(0, Q + (v − c) T), as by the HCM
    from period to period (equation 19-45 of its 7th edition). For all periods at once it is the sum
    of (v − c) T less its lowest value so far (Lindley 1952).
    """
    volume, capacity = np.asarray(volume, float), np.asarray(capacity, float)
    hold("A volume", volume, 0)
    hold("A capacity", capacity, 0)
    hold("A period", period, 1e-9)
    hold("A queue", queue, 0)
    grown = (volume - capacity) * np.asarray(period, float)
    total = np.zeros((*grown.shape[:-1], grown.shape[-1] + 1))
    np.cumsum(grown, axis=-1, out=total[..., 1:])
    lowest = np.minimum.accumulate(total, axis=-1)
    return np.asarray(total - np.minimum(lowest, -np.asarray(queue, float)[..., None]))


class ControlDelay(NamedTuple):
    """Control delay in seconds per vehicle that arrives in a period, and its parts.

    Attributes
    ----------
    ratio
        Volume divided by capacity (X).
    uniform, incremental
        Delay of even arrivals (d1), and of random and lasting overflow of this period (d2).
    initial
        Delay by the queue that was there at the beginning (d3).
    total
        Their sum.
    """

    ratio: Floats
    uniform: Floats
    incremental: Floats
    initial: Floats
    total: Floats


def control_delay(
    volume: ArrayLike,
    capacity: ArrayLike,
    green_share: ArrayLike,
    cycle: ArrayLike,
    queue: ArrayLike = 0.0,
    *,
    period: float = 0.25,
) -> ControlDelay:
    """Return the control delay of a period that begins with a queue.

    Parameters
    ----------
    volume, capacity, green_share, cycle, period
        As for `signals.control_delay`.
    queue
        Vehicles that wait at the beginning. Without any, this is `signals.control_delay`.

    Notes
    -----
    HCM 2000, chapter 16 and its appendix F: d3 = 1800 Q (1 + u) t / (c T), with t = min(T, Q / (c −
    v)), the time until the queue has cleared, and u = max(0, 1 − (c − v) T / Q), what of it has not
    at the end; from X = 1 on t = T and u = 1. Equation 19-44 of the 7th edition gives the same. For
    the time t the signal is saturated, so that d1 is that of X = 1 for t of T (as the appendix is
    cited; its printed page was not looked at).
    """
    hold("A queue", queue, 0)
    hold("A period", period, 1e-9)
    base = signals.control_delay(volume, capacity, green_share, cycle, period=period)
    volume, capacity = np.asarray(volume, float), np.asarray(capacity, float)
    queue = np.asarray(queue, float)
    spare = np.maximum(capacity - volume, 0) * period
    # Share of the period until it has cleared; where it has not, all of it.
    busy = np.ones(np.broadcast_shapes(queue.shape, spare.shape))
    np.divide(queue, spare, out=busy, where=queue < spare)
    initial = 1800 * (queue + np.maximum(queue - spare, 0)) * busy
    initial = initial / np.where(capacity > 0, capacity, np.nan)
    full = 0.5 * np.asarray(cycle, float) * (1 - np.asarray(green_share, float))
    uniform = full * busy + base.uniform * (1 - busy)
    total = uniform + base.incremental + initial
    return ControlDelay(base.ratio, uniform, base.incremental, initial, total)


class Deterministic(NamedTuple):
    """A queue of even arrivals that are served evenly (D/D/1), over pieces of time.

    Attributes
    ----------
    longest
        Greatest number of vehicles that wait.
    clears
        Hours after the beginning until nobody waits any more; NaN where somebody does at the end.
    total
        Vehicle-hours waited, until the end of the last piece.
    mean
        Hours per vehicle that came before the queue was gone; NaN where it is not.
    """

    longest: Floats
    clears: Floats
    total: Floats
    mean: Floats


def deterministic(
    flow: ArrayLike, capacity: ArrayLike, hours: ArrayLike, queue: ArrayLike = 0.0
) -> Deterministic:
    """Return the queue of pieces of time with even flow and capacity.

    Parameters
    ----------
    flow, capacity
        Vehicles per hour, shape (…, pieces) together. A capacity of 0 is red or closed; of one
        signal cycle the pieces are red and green.
    hours
        Length of each piece, shape (pieces,).
    queue
        Vehicles that wait at the beginning.

    Notes
    -----
    Areas between the curves of arrivals and departures (Newell). A queue that is there at the end
    is oversaturation: what it will wait further depends on what comes then.
    """
    flow, capacity, hours = np.asarray(flow, float), np.asarray(capacity, float), np.asarray(hours)
    edges = chain(flow, capacity, hours, queue)
    begin, end = edges[..., :-1], edges[..., 1:]
    shrinks = capacity - flow
    # Time of each piece in which somebody waits: until it is empty, or all of it.
    empties = begin / np.where(shrinks > 0, shrinks, np.nan)
    waits = np.where((begin > 0) | (flow > capacity), hours, 0.0)
    waits = np.where(shrinks > 0, np.minimum(empties, hours), waits)
    waits = np.where(np.isnan(end), np.nan, waits)
    total = ((begin + end) / 2 * waits).sum(axis=-1)
    start = np.cumsum(hours) - hours
    clears = np.where(waits > 0, start + waits, 0.0).max(axis=-1)
    clears = np.where(edges[..., -1] <= 1e-9, clears, np.nan)
    came = (flow * np.clip(clears[..., None] - start, 0, hours)).sum(axis=-1)
    came = came + np.asarray(queue, float)
    mean = np.where(clears > 0, total / np.where(came > 0, came, np.nan), clears)
    total = np.where(np.isnan(edges[..., -1]), np.nan, total)
    return Deterministic(edges.max(axis=-1), clears, total, mean)


class BackOfQueue(NamedTuple):
    """How far back vehicles stop in a cycle, in vehicles per lane.

    Attributes
    ----------
    uniform, overflow, initial
        Mean of what arrives in red and while the queue clears (Q1), of cycles that do not clear
        (Q2), and of what is left over from the period before (Q3).
    mean
        Their sum.
    high
        What is not exceeded in 95 of 100 cycles.
    """

    uniform: Floats
    overflow: Floats
    initial: Floats
    mean: Floats
    high: Floats


def back_of_queue(
    volume: ArrayLike,
    capacity: ArrayLike,
    green_share: ArrayLike,
    cycle: ArrayLike,
    queue: ArrayLike = 0.0,
    *,
    lanes: ArrayLike = 1.0,
    period: float = 0.25,
) -> BackOfQueue:
    """Return how far back vehicles stop, in the mean and in 95 of 100 cycles.

    Parameters
    ----------
    volume, capacity, green_share, cycle, queue, period
        As for `control_delay`; of the whole lane group.
    lanes
        Number of its lanes, taken to be used alike.

    Notes
    -----
    HCM 2000, chapter 16, appendix G, fixed times, per lane: Q1 = (v C / 3600)(1 − g/C) / (1 −
    min(1, X) g/C); Q2 = 0.25 c T [(X − 1) + √((X − 1)² + 8 kB X / (c T))] with kB = 0.12 (s g /
    3600)^0.7; 95 of 100 cycles stay within (Q1 + Q2)(1.6 + exp(−(Q1 + Q2) / 5)). Formula and
    factors as this appendix is cited, not checked against the printed page; the tests hold them
    against a simulated signal. What is left over is the queue whose delay is d3, by Little's law
    Q3 = d3 v / 3600 (so in chapter 31 of later editions); it does not vary with the cycle and
    is added without the factor.
    """
    found = control_delay(volume, capacity, green_share, cycle, queue, period=period)
    hold("A number of lanes", lanes, 1)
    flow: Floats = np.asarray(volume, float) / np.asarray(lanes, float)
    room: Floats = np.asarray(capacity, float) / np.asarray(lanes, float)
    share, length = np.asarray(green_share, float), np.asarray(cycle, float)
    served = 1 - np.minimum(1, found.ratio) * share
    uniform = flow * length / 3600 * (1 - share) / np.where(served > 0, served, np.nan)
    uniform = np.where((share >= 1) & ~np.isnan(found.ratio), 0.0, uniform)  # green without end
    spread = 0.12 * (room * length / 3600) ** 0.7
    above = found.ratio - 1
    room = np.where(room > 0, room, np.nan)
    root = np.sqrt(above**2 + 8 * spread * found.ratio / (room * period))
    overflow = 0.25 * room * period * (above + root)
    initial = found.initial * flow / 3600
    within = uniform + overflow
    first, second, third = PERCENTILE
    high = within * (first + second * np.exp(-within / third)) + initial
    return BackOfQueue(uniform, overflow, initial, within + initial, high)
