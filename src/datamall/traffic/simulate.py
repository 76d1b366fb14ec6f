"""Queues at a signal, second by second: what people wait where arrivals are not even.

Each lane group has a queue of its own that stands upright at the stop line, takes no room and
blocks nobody. Many days and many plans are stepped through at once, with the same arrivals for
every plan, so that plans are compared without the luck of different days. Queues are counted in
thousandths of a passenger car, whole numbers, so that every processor finds the same.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datamall.errors import DatamallError
from datamall.traffic import weekly
from datamall.traffic.weekly import Floats

Ints: TypeAlias = NDArray[np.integer]

STEP = 2.0  # seconds; about what one car takes to follow another, so that one alone waits nothing
UNIT = 1000.0  # of a passenger car
BLOCK = 300  # steps of which the service is worked out at once
GAP = 2.0  # seconds without queue or car, after which a signal that follows the traffic moves on


def arrivals(volume: Floats, minutes: float, rng: np.random.Generator) -> Ints:
    """Spread what came in each interval over its steps, each passenger car by lot.

    Parameters
    ----------
    volume
        Flow in pcu per hour, shape (…, intervals).
    minutes
        Length of an interval.
    rng
        Where the lots come from.

    Returns
    -------
    numpy.ndarray
        Passenger cars that come in each step of `STEP`, shape (steps, …).

    Raises
    ------
    DatamallError
        Where a volume is not known or below 0, or an interval is not a whole number of steps.

    Notes
    -----
    Of Poisson arrivals, given how many came, each came at any time alike: what was counted keeps
    its own variance from quarter to quarter and day to day, and none is added. Parts of a passenger
    car are rounded by lot.
    """
    number = np.asarray(volume, float) * minutes / 60
    per = minutes * 60 / STEP
    if not (np.isfinite(number) & (number >= 0)).all():
        raise DatamallError("A volume to simulate is not known or below 0: fill or drop that day.")
    if not (per >= 1 and per == int(per)):
        text = f"An interval of {minutes:g} minutes has no whole number of steps of {STEP:g} s"
        raise DatamallError(f"{text}: simulate intervals of whole minutes.")
    steps = int(per)
    whole = np.floor(number + rng.random(number.shape)).astype(np.int64).ravel()
    place = np.repeat(np.arange(whole.size) * steps, whole)
    place += rng.integers(0, steps, whole.sum())
    came = np.bincount(place, minlength=whole.size * steps)
    came = came.reshape(*number.shape[:-1], number.shape[-1] * steps)
    return np.ascontiguousarray(np.moveaxis(came, -1, 0))


def waited(came: Ints, saturation: ArrayLike, green: ArrayLike, cycle: ArrayLike) -> Floats:
    """Return the time that all passenger cars of a day wait together, with fixed times.

    Parameters
    ----------
    came
        Arrivals by step, shape (steps, groups, days).
    saturation
        Flow at the stop line while it is green, pcu per hour, shape (groups,).
    green, cycle
        Effective green and cycle in seconds, shape (groups, plans).

    Returns
    -------
    numpy.ndarray
        Seconds times passenger cars, shape (groups, days, plans).

    Notes
    -----
    The queue after a step is the queue before it, and what came, less what green served, and never
    below nothing. Each lane group's clock begins with its red: without neighbours, nothing depends
    on the order of the phases. Who still waits at the end leaves at the capacity of the plan.
    """
    saturation = np.asarray(saturation, float)[:, None]
    green, cycle = np.broadcast_arrays(np.asarray(green, float), np.asarray(cycle, float))
    if ((green < 0) | (green > cycle) | (cycle <= 0)).any() or not (saturation > 0).all():
        text = "A plan to simulate has a green that is not between 0 and its cycle"
        raise DatamallError(f"{text}, or no saturation flow: mend it on file.")
    total = np.zeros((*came.shape[1:], green.shape[1]))
    # Single precision is twice as fast; whole thousandths of up to 16,000 cars are exact in it.
    queue, change, part = (np.zeros(total.shape, dtype=np.float32) for _ in range(3))
    for first in range(0, len(came), BLOCK):
        time = STEP * np.arange(first, min(first + BLOCK, len(came)) + 1)[:, None, None]
        cycles, into = np.divmod(time, cycle)
        seconds = cycles * green + np.maximum(into - (cycle - green), 0)
        served = np.diff(np.rint(seconds * saturation / 3600 * UNIT), axis=0).astype(np.float32)
        numbers = (UNIT * came[first : first + BLOCK]).astype(np.float32)
        part[:] = 0
        for own, out in zip(numbers, served, strict=True):
            np.subtract(own[:, :, None], out[:, None, :], out=change)
            queue += change
            np.maximum(queue, 0, out=queue)
            part += queue
        total += part
    after = _afterwards(queue, (saturation * green / cycle)[:, None, :])
    return np.asarray((total * (STEP / UNIT) + after).round(6))


def delay(
    volume: float,
    saturation: float,
    green: float,
    cycle: float,
    *,
    days: int = 200,
    hours: float = 1.0,
    seed: int = 1,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """Return the simulated delay of a lane group with Poisson arrivals, and its interval.

    Parameters
    ----------
    volume, saturation
        Flow that comes and that green serves, pcu per hour.
    green, cycle
        Effective green and cycle, in seconds.
    days, hours
        How many days of so many hours are simulated; each begins without a queue.
    seed
        Of the arrivals.
    confidence
        Level of the interval of the mean over days (ratio of sums, Student's t).

    Returns
    -------
    tuple of float
        Seconds per passenger car, and both ends.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    came = arrivals(rng.poisson(volume * hours, (1, days, 1)) / hours, hours * 60, rng)
    total = waited(came, [saturation], [[green]], [[cycle]])[0, :, 0]
    number = came.sum(axis=0)[0]
    # Of a ratio of sums: what each day is off, over the mean number of cars.
    mean = total.sum() / max(number.sum(), 1)
    off = mean + (total - mean * number) / max(number.mean(), 1e-9)
    found = weekly.means(off[None], np.arange(days), confidence)
    return float(mean), float(found.low[0]), float(found.high[0])


def actuated(
    came: Ints,
    saturation: ArrayLike,
    phase: ArrayLike,
    least: ArrayLike,
    most: ArrayLike,
    lost_time: float,
) -> tuple[Floats, Floats]:
    """Return the same of a signal that follows the traffic.

    Parameters
    ----------
    came, saturation
        As in `waited`.
    phase
        Number of the phase of each lane group, from 0 on, shape (groups,).
    least, most
        Shortest and longest green of each phase in seconds, shape (phases,).
    lost_time
        Seconds of a cycle in which no phase is green, the same after each phase.

    Returns
    -------
    waited : numpy.ndarray
        Seconds times passenger cars, shape (groups, days).
    wait : numpy.ndarray
        Mean time until the next green of somebody who comes at any time, in seconds, same shape.

    Notes
    -----
    Green goes on, from its least to its most, until every lane group that has it was once without
    queue and without a car for `GAP` seconds. Every phase comes in every cycle, whether or not
    anybody waits: there are people on foot whom no count knows. Detectors that see every car at the
    stop line are assumed; times are rounded up to whole steps. Who still waits at the end leaves at
    the capacity of the greens that were.
    """
    phase = np.asarray(phase)
    least, most = (np.ceil(np.asarray(one, float) / STEP) for one in (least, most))
    clear = np.ceil(lost_time / len(least) / STEP)
    out = (np.rint(np.asarray(saturation, float) * STEP / 3600 * UNIT))[:, None]
    groups, days = came.shape[1:]
    queue, total, red, wait, open_ = (np.zeros((groups, days)) for _ in range(5))
    now, age, gap = np.zeros(days, dtype=np.int64), np.zeros(days), np.zeros((groups, days))
    done = np.zeros((groups, days), dtype=bool)
    clearing = np.zeros(days, dtype=bool)
    for own in UNIT * came:
        green = (phase[:, None] == now) & ~clearing
        queue += own - green * out
        np.maximum(queue, 0, out=queue)
        total += queue
        open_ += green
        red = np.where(green, 0, red + 1)
        wait += np.maximum(red - 0.5, 0)
        gap = np.where((queue > 0) | (own > 0), 0, gap + 1)
        done = ~green | done | (gap * STEP >= GAP)
        age += 1
        ended = ~clearing & (age >= least[now])
        ended &= done.all(axis=0) | (age >= most[now])
        cleared = clearing & (age >= clear) if clear else ended
        now = np.where(cleared, (now + 1) % len(least), now)
        clearing = (clearing | ended) & ~cleared
        age = np.where(ended | cleared, 0, age)
        done &= ~cleared
    saturation = np.asarray(saturation, float)[:, None]
    after = _afterwards(queue, saturation * open_ / max(len(came), 1))
    return np.asarray((total * (STEP / UNIT) + after).round(6)), wait * STEP / len(came)


def _afterwards(queue: Floats, capacity: Floats) -> Floats:
    """Return the time that a queue (thousandths) still waits that leaves at a capacity (pcu/h)."""
    left = queue.astype(float) / UNIT
    rate = np.where(capacity > 0, capacity / 3600, np.nan)
    return np.where(left > 0, left**2 / 2 / rate, 0.0)
