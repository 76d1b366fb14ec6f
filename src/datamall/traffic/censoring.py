"""Where counts stop at a ceiling: a queue was served, and how many wanted to pass is not known."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaincinv, gammainc, ndtr

from datamall.requirements import Absent
from datamall.traffic.capacity import ABOVE, CUT_OFF, NOT_ENOUGH, UNKNOWN_DEMAND
from datamall.traffic.cube import Array, Block, Cube, median
from datamall.traffic.peaks import membership

NOT_CUT_OFF = "not cut off"
GROUP = ["site", "approach", "movement", "mode"]
COLUMNS = [*GROUP, "hour_from", "hour_to", "days", "of_days", "ceiling", "capacity"]
COLUMNS += ["queue", "evidence", "verdict", "demand"]
BAND = 0.06  # a queue is served within this share below the ceiling: drivers hesitate
LONG = 60  # minutes in a row at the ceiling make a plateau, and three intervals at least
OFTEN = 0.1  # share of working days from which on a plateau is a habit
OFTEN_NEAR = 0.35  # share of days near the capacity, from which on chance is no excuse
CONFIDENCE = 0.95  # one-sided, of the share of days
LEAST_DAYS = 20  # working days counted
LEAST_FLOW = 60.0  # per hour; a lower ceiling is not told from small numbers
NEAR = (0.9, 1.08)  # ceiling ÷ capacity, where the ceiling is that of the signal
TOP = 0.95  # quantile over days of the busiest interval, taken as ceiling
EVEN = 0.5  # of the variance of arrivals; what varies less from day to day is served from a queue
EVEN_CHANCE = 1e-3  # that arrivals vary so little, for all intervals of an approach together
LEAST_COUNT = 15.0  # passages of an interval whose variance tells anything
QUARTILES = 1.349  # their distance, in standard deviations of a normal distribution
EFFICIENCY = 0.37  # of that distance as a measure of spread, against the variance itself
SHORT = 15  # minutes of an interval, up to which near a capacity means as much as a plateau
EXCESS = 3.0  # standard deviations of arrivals, by which a flow must exceed a capacity to refute it
Bools = NDArray[np.bool_]


def plateaus(cube: Cube | Absent, capacities: pd.DataFrame | Absent) -> pd.DataFrame | Absent:
    """Find approaches whose counts of cars stop at a ceiling on working days.

    Parameters
    ----------
    cube
        Counts of healthy detectors.
    capacities
        As from `peaks.capacities`; an Absent where none is known.

    Returns
    -------
    pandas.DataFrame
        site, approach, movement (those of the lane group, where known), mode, hour_from, hour_to
        (of the day, end exclusive), days (with a plateau there), of_days (working days counted),
        ceiling (cars per hour), capacity (pcu per hour, NaN where unknown), queue (whether one was
        surely served), evidence (a sentence), verdict (`CUT_OFF`, `NOT_CUT_OFF`, `NOT_ENOUGH` or
        `ABOVE`) and demand (`UNKNOWN_DEMAND` where cut off). One row per stretch of hours with a
        plateau or near the capacity, or one for the busiest hour; one alone where the counts refute
        the capacity on file. In order of keys. An Absent where no cars were counted.

    Notes
    -----
    The ceiling is the count of the busiest interval of a day, at the 95th percentile of days. A
    long plateau is an hour in a row, and three intervals at least, within 6 % below it: a queue is
    served evenly, while arrivals vary, as Poisson counts at least. How often arrivals would stay
    in that band by chance follows from the noise between neighbouring intervals at other hours;
    the lower bound of the share of days (Clopper and Pearson 1934) must exceed both that and a
    tenth. A short one, of one interval upwards, shows in the days: at the same time of the day,
    near the ceiling, they vary by less than half of what arrivals do (by quartiles, against a
    chi-square distribution). Where the capacity is known the ceiling must be near it as well;
    without it the plateau alone is the weaker evidence. Who comes near the capacity more often
    than by chance, without a plateau, may be cut off or not: that is not enough evidence. Nor is
    there, where no capacity is known and the busiest tenth of the days are as alike as queues are.

    Nothing serves more than its capacity: where on more than a tenth of the days (lower bound) an
    hour or an interval passed `NEAR` of it by three standard deviations, the file is wrong.
    """
    if isinstance(cube, Absent):
        return cube
    tables = [
        table
        for block in cube
        for table in block.over_parts(lambda _, part: _block(part, capacities))
    ]
    found = pd.concat(tables, ignore_index=True)
    if found.empty:
        return Absent("Cut off at capacity", "Not possible here: no cars were counted.")
    return found.sort_values([*GROUP, "hour_from"], ignore_index=True)[COLUMNS]


def _block(block: Block, capacities: pd.DataFrame | Absent) -> pd.DataFrame:
    block = block.take((block.series["mode"] == "car").to_numpy())
    if block.series.empty:
        return pd.DataFrame(columns=COLUMNS)
    block, known = _by_lane_group(block, capacities)
    groups, count = block.sums(GROUP)
    keys = pd.MultiIndex.from_frame(groups[GROUP[:3]].astype(str))
    capacity = known.reindex(keys).to_numpy(dtype=float)
    groups["capacity"] = capacity
    flow = count[:, np.asarray(block.days.day_of_week) < 5] * (60 / block.interval)
    days = np.isfinite(flow).any(axis=2).sum(axis=1)
    ceiling = _ceiling(flow)
    length = max(3, LONG // block.interval)
    chance, spread = _chance(flow, ceiling, length), _spread(flow)
    most = ceiling[:, None, None]
    top = np.asarray((flow >= (1 - BAND) * most) & (flow <= most) & (flow > 0))
    shape = (*top.shape[:2], 24, -1)
    by_hour = np.any(_in_a_row(top, length).reshape(shape), axis=3)
    close = _near(flow, capacity, block.interval)
    even = _even(flow, ceiling, block.interval)
    even, close = (np.any(own.reshape(len(flow), 24, -1), axis=2) for own in (even, close))
    above = np.any(_above(flow, capacity, block.interval).reshape(shape), axis=3)
    rows = []
    for group in np.flatnonzero(days):
        about = (int(days[group]), ceiling[group], capacity[group], chance[group])
        often = by_hour[group].sum(axis=0) / days[group] >= OFTEN / 2
        many = int(above[group].any(axis=1).sum())
        if _low(many, int(days[group])) > OFTEN:
            hours = np.flatnonzero(above[group].sum(axis=0) / days[group] >= OFTEN / 2)
            queue = even[group].any() or _low(
                int(by_hour[group].any(axis=1).sum()), about[0]
            ) > max(OFTEN, chance[group])
            said = f"Up to {ceiling[group]:,.0f} per hour on {many} of {about[0]} working days; "
            said += f"capacity {capacity[group]:,.0f}, and nothing serves more than that."
            rows.append((group, hours[0], hours[-1] + 1, many, bool(queue), said, ABOVE))
            continue
        for first, last in _hours(often | even[group], close[group], flow[group]):
            seen = int(by_hour[group, :, first:last].any(axis=1).sum())
            flat = bool(even[group, first:last].any())
            near = bool(close[group, first:last].any())
            judged = _judged(seen, flat, near, bool(spread[group]), *about, block.interval)
            rows.append((group, first, last, *judged))
    names = ["group", "hour_from", "hour_to", "days", "queue", "evidence", "verdict"]
    table = pd.DataFrame(rows, columns=names)
    place = table.pop("group").to_numpy(dtype=int)
    table["of_days"], table["ceiling"] = days[place], ceiling[place]
    table["demand"] = np.where(table["verdict"] == CUT_OFF, UNKNOWN_DEMAND, "")
    return groups.iloc[place].reset_index(drop=True).join(table)


def _by_lane_group(block: Block, capacities: pd.DataFrame | Absent) -> tuple[Block, pd.Series]:
    """Return the block with lane groups as movements, and their capacities."""
    if isinstance(capacities, Absent):
        return block, pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], [], []]))
    known = capacities.astype({"site": str, "approach": str, "movement": str})
    series = block.series.astype({"site": str, "approach": str, "movement": str})
    known = known[known["site"].isin(set(series["site"]))].reset_index(drop=True)
    member = membership(series, known.rename(columns={"movement": "lane_group"})) > 0
    held = np.flatnonzero(member.any(axis=0))
    if len(held):  # else some junctions of which no capacity is known
        series.loc[held, "movement"] = known["movement"].to_numpy()[member[:, held].argmax(axis=0)]
    block = replace(block, series=series)
    return block, known.set_index(["site", "approach", "movement"])["capacity"]


def _even(flow: Array, ceiling: Array, interval: int) -> Bools:
    """Return the intervals near the ceiling that vary too little over days, (groups, intervals)."""
    usual = median(flow, axis=1)
    hours = interval / 60
    tall = (usual >= NEAR[0] * ceiling[:, None]) & (usual >= LEAST_FLOW)
    tall &= usual * hours >= LEAST_COUNT
    group, slot = np.nonzero(tall)
    result = np.zeros(usual.shape, dtype=bool)
    if not group.size:
        return result
    days = np.sort(flow[group, :, slot], axis=1)  # NaN last
    number = np.isfinite(days).sum(axis=1)
    places = (np.floor(0.25 * (number - 1)), np.ceil(0.75 * (number - 1)))
    low, high = (np.take_along_axis(days, p.astype(int)[:, None], 1)[:, 0] for p in places)
    spread = np.maximum(high - low, 1 / hours) / QUARTILES * hours
    ratio = spread**2 / (usual[group, slot] * hours)
    degrees = EFFICIENCY * np.maximum(number - 1, 1)
    chance = gammainc(degrees / 2, degrees * ratio / 2) * tall.sum(axis=1)[group]
    result[group, slot] = (number >= LEAST_DAYS) & (ratio < EVEN) & (chance < EVEN_CHANCE)
    return result


def _above(flow: Array, capacity: Array, interval: int) -> Bools:
    """Return where an interval, or the hour from it on, exceeds what any capacity lets pass."""
    result = np.zeros(flow.shape, dtype=bool)
    known = np.isfinite(capacity) & (capacity > 0)
    for number in {1, max(60 // interval, 1)}:
        windows = np.lib.stride_tricks.sliding_window_view(flow[known], number, axis=2)
        noise = np.sqrt(capacity[known] / (number * interval / 60))
        most = NEAR[1] * capacity[known] + EXCESS * noise
        over = windows.mean(axis=3) > most[:, None, None]
        result[known, :, : over.shape[2]] |= over
    return result


def _near(flow: Array, capacity: Array, interval: int) -> Bools:
    """Return the intervals that are near the capacity more often than by chance."""
    if interval > SHORT:
        return np.zeros((len(flow), flow.shape[2]), dtype=bool)
    edge = (1 - BAND) * capacity[:, None]  # as far below it as a queue is served
    usual = median(flow, axis=1)
    number = np.isfinite(flow).sum(axis=1)
    share = (flow >= edge[:, None]).sum(axis=1) / np.maximum(number, 1)
    noise = np.sqrt(np.maximum(usual, 1) / (interval / 60))
    by_chance = 1 - ndtr((edge - usual) / noise)
    # Where half of the days are cut off, their median is no usual from which chance could tell.
    most = np.minimum(OFTEN + by_chance, OFTEN_NEAR)
    return np.asarray((usual >= edge) | (share >= most))


def _ceiling(flow: Array) -> Array:
    """Return the busiest interval of a day, at the quantile `TOP` of days."""
    highest = np.sort(np.nan_to_num(flow, nan=-1).max(axis=2), axis=1)
    known = (highest >= 0).sum(axis=1)
    place = highest.shape[1] - 1 - np.floor((1 - TOP) * known).astype(int)
    return highest[np.arange(len(highest)), np.maximum(place, 0)]


def _spread(flow: Array) -> Bools:
    """Return whose busiest days lie further apart than a queue is served, (groups,).

    If demand were cut off on a tenth of the days, the busiest interval of these would be nearly the
    same. The highest of all days is left out: one may be odd.
    """
    highest = np.sort(np.nan_to_num(flow, nan=-1).max(axis=2), axis=1)
    known = (highest >= 0).sum(axis=1)
    row, last = np.arange(len(highest)), highest.shape[1] - 1
    second = highest[row, np.maximum(last - 1, 0)]
    tenth = highest[row, np.clip(last - np.ceil(OFTEN * known).astype(int), 0, None)]
    return np.asarray((known >= LEAST_DAYS) & (tenth < (1 - BAND) * second))


def _chance(flow: Array, ceiling: Array, length: int) -> Array:
    """Return the chance that a day without a queue has a plateau; 1 where its noise is unknown.

    The noise is that between neighbouring intervals, each against its usual, where the usual is
    well below the ceiling. It is taken to shrink as that of Poisson counts does; a part that does
    not shrink would make plateaus by chance rarer still.
    """
    usual = median(flow, axis=1)
    share = usual / np.maximum(ceiling, 1)[:, None]
    middling = (share > 0.3) & (share < 0.8)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = (flow / usual[:, None] - 1) * np.sqrt(share)[:, None]
        apart = np.where(middling[:, None], apart, np.nan)
    noise = np.diff(apart, axis=2).reshape(len(flow), -1) / np.sqrt(2)
    spread = 1.4826 * median(np.abs(noise), axis=1)
    inside = 2 * ndtr(BAND / 2 / np.maximum(spread, 1e-9)) - 1
    tries = np.maximum((share >= 0.8).sum(axis=1) / length, 1)
    return np.where(np.isnan(spread), 1.0, np.minimum(tries * inside**length, 1))


def _in_a_row(flags: Bools, length: int) -> Bools:
    """Return what belongs to `length` or more True in a row along the last axis."""
    rows = np.lib.stride_tricks.sliding_window_view(flags, length, axis=-1).all(axis=-1)
    result = np.zeros_like(flags)
    for shift in range(length):
        result[..., shift : shift + rows.shape[-1]] |= rows
    return result


def _hours(often: Bools, near: Bools, flow: Array) -> list[tuple[int, int]]:
    """Return the stretches of hours that often have a plateau, or are near capacity.

    What is near beside a plateau is its beginning or end. Without either: the busiest hour.
    """
    flat, close = (
        [(int(a), int(b)) for a, b in np.flatnonzero(np.diff(np.pad(own, 1))).reshape(-1, 2)]
        for own in (often, near & ~often)
    )
    ends = {hour for one in flat for hour in one}
    found = flat + [one for one in close if not ends & set(one)]
    if found:
        return sorted(found)
    usual = np.nan_to_num(median(flow, axis=0)).reshape(24, -1).sum(axis=1)
    busiest = int(usual.round(6).argmax())
    return [(busiest, busiest + 1)]


def _low(seen: int, days: int) -> float:
    """Return the lower bound of a share of days."""
    return float(betaincinv(seen, days - seen + 1, 1 - CONFIDENCE)) if seen else 0.0


def _judged(
    seen: int,
    even: bool,
    near: bool,
    spread: bool,
    days: int,
    ceiling: float,
    capacity: float,
    chance: float,
    interval: int,
) -> tuple[int, bool, str, str]:
    """Return days, queue, evidence and verdict of a stretch of hours."""
    high = betaincinv(seen + 1, days - seen, CONFIDENCE) if seen < days else 1.0
    queue = even or _low(seen, days) > max(OFTEN, chance)
    said = f"A plateau at {ceiling:,.0f} per hour on {seen} of {days} working days"
    if even and not seen:
        said = f"Up to {ceiling:,.0f} per hour, where {days} working days hardly differ"
    elif not seen:
        said = f"Up to {ceiling:,.0f} per hour, but on none of {days} working days an hour in a row"
    if capacity < np.inf:
        said += f"; capacity {capacity:,.0f}"
    rest, verdict = _said(queue, near, spread, days, ceiling, capacity, chance, interval, high)
    return seen, queue, said + rest, verdict


def _said(
    queue: bool,
    near: bool,
    spread: bool,
    days: int,
    ceiling: float,
    capacity: float,
    chance: float,
    interval: int,
    high: float,
) -> tuple[str, str]:
    """Return the end of the evidence and the verdict."""
    below = ceiling < NEAR[0] * capacity * (1 if interval <= SHORT else 0.8)
    if days < LEAST_DAYS:
        if below and not queue:
            return "; the busiest intervals stay below it.", NOT_CUT_OFF
        return "; too few days.", NOT_ENOUGH
    if queue:
        if ceiling < LEAST_FLOW:
            return "; too few cars to tell a ceiling.", NOT_ENOUGH
        if np.isnan(capacity):
            return "; the capacity is not known, so that only the plateau tells.", CUT_OFF
        if NEAR[0] * capacity <= ceiling <= NEAR[1] * capacity:
            return ".", CUT_OFF
        return "; this ceiling is not that of the signal.", NOT_ENOUGH
    if below:
        return "; the busiest intervals stay below it.", NOT_CUT_OFF
    if near:
        return "; so near to it some demand may be cut off.", NOT_ENOUGH
    if high < OFTEN and interval <= LONG / 3:
        if np.isfinite(capacity):
            return ".", NOT_CUT_OFF
        if spread:
            return "; its busiest days differ more than a queue does.", NOT_CUT_OFF
        return "; without a capacity a shorter ceiling on some days cannot be told.", NOT_ENOUGH
    if interval > LONG / 3:
        return "; counts by the hour hide a ceiling of less than three hours.", NOT_ENOUGH
    return f"; by chance it may be on {chance:.0%}.", NOT_ENOUGH
