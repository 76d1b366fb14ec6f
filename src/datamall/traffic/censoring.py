"""Where counts stop at a ceiling: a queue was served, and how many wanted to pass is not known."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr

from datamall.requirements import Absent
from datamall.traffic.capacity import CUT_OFF, UNKNOWN_DEMAND
from datamall.traffic.cube import Array, Block, Cube, median

NOT_CUT_OFF, NOT_ENOUGH = "not cut off", "not enough evidence"
GROUP = ["site", "approach", "movement", "mode"]
COLUMNS = [*GROUP, "hour_from", "hour_to", "days", "of_days", "ceiling", "capacity"]
COLUMNS += ["evidence", "verdict", "demand"]
BAND = 0.06  # a queue is served within this share below the ceiling: drivers hesitate
LONG = 60  # minutes in a row at the ceiling make a plateau, and three intervals at least
OFTEN = 0.1  # share of working days from which on a plateau is a habit
CONFIDENCE = 0.95  # one-sided, of the share of days
LEAST_DAYS = 20  # working days counted
LEAST_FLOW = 60.0  # per hour; a lower ceiling is not told from small numbers
NEAR = (0.9, 1.08)  # ceiling ÷ capacity, where the ceiling is that of the signal
TOP = 0.95  # quantile over days of the busiest interval, taken as ceiling
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
        ceiling (cars per hour), capacity (pcu per hour, NaN where unknown), evidence (a sentence),
        verdict (`CUT_OFF`, `NOT_CUT_OFF` or `NOT_ENOUGH`) and demand (`UNKNOWN_DEMAND` where cut
        off). One row per stretch of hours with a plateau, or one for the busiest hour; in order of
        keys. An Absent where no cars were counted.

    Notes
    -----
    The ceiling is the count of the busiest interval of a day, at the 95th percentile of days. A
    plateau is an hour in a row, and three intervals at least, within 6 % below it: a queue is
    served evenly, while arrivals vary, as Poisson counts at least. How often arrivals would stay
    in that band by chance follows from the noise between neighbouring intervals at other hours;
    the lower bound of the share of days (Clopper and Pearson 1934) must exceed both that and a
    tenth. Where the capacity is known the ceiling must be near it as well; without it the
    plateau alone is the weaker evidence.
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
    block, capacity = _by_lane_group(block, capacities)
    groups, count = block.sums(GROUP)
    keys = pd.MultiIndex.from_frame(groups[GROUP[:3]].astype(str))
    groups["capacity"] = capacity.reindex(keys).to_numpy(dtype=float)
    flow = count[:, np.asarray(block.days.day_of_week) < 5] * (60 / block.interval)
    days = np.isfinite(flow).any(axis=2).sum(axis=1)
    ceiling = _ceiling(flow)
    length = max(3, LONG // block.interval)
    chance = _chance(flow, ceiling, length)
    most = ceiling[:, None, None]
    top = np.asarray((flow >= (1 - BAND) * most) & (flow <= most) & (flow > 0))
    by_hour = np.any(_in_a_row(top, length).reshape(*top.shape[:2], 24, -1), axis=3)
    rows = []
    for group in np.flatnonzero(days):
        about = (int(days[group]), ceiling[group], groups["capacity"][group], chance[group])
        for first, last in _hours(by_hour[group], flow[group]):
            seen = int(by_hour[group, :, first:last].any(axis=1).sum())
            rows.append((group, first, last, seen, *_judged(seen, *about, block.interval)))
    table = pd.DataFrame(
        rows, columns=["group", "hour_from", "hour_to", "days", "evidence", "verdict"]
    )
    place = table.pop("group").to_numpy(dtype=int)
    table["of_days"], table["ceiling"] = days[place], ceiling[place]
    table["demand"] = np.where(table["verdict"] == CUT_OFF, UNKNOWN_DEMAND, "")
    return groups.iloc[place].reset_index(drop=True).join(table)


def _by_lane_group(block: Block, capacities: pd.DataFrame | Absent) -> tuple[Block, pd.Series]:
    """Return the block with lane groups as movements, and their capacities."""
    if isinstance(capacities, Absent):
        return block, pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], [], []]))
    known = capacities.astype({"site": str, "approach": str, "movement": str})
    series = block.series.copy()
    pairs = series.reset_index().merge(known, on=["site", "approach"], suffixes=("", "_known"))
    names = zip(pairs["movement"], pairs["movement_known"], strict=True)
    within = [set(a) <= set(b) for a, b in names]
    pairs = pairs[np.array(within, dtype=bool)].drop_duplicates("index")
    series.loc[pairs["index"], "movement"] = pairs["movement_known"].to_numpy()
    block = replace(block, series=series)
    return block, known.set_index(["site", "approach", "movement"])["capacity"]


def _ceiling(flow: Array) -> Array:
    """Return the busiest interval of a day, at the quantile `TOP` of days."""
    highest = np.sort(np.nan_to_num(flow, nan=-1).max(axis=2), axis=1)
    known = (highest >= 0).sum(axis=1)
    place = highest.shape[1] - 1 - np.floor((1 - TOP) * known).astype(int)
    return highest[np.arange(len(highest)), np.maximum(place, 0)]


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


def _hours(by_hour: Bools, flow: Array) -> list[tuple[int, int]]:
    """Return the stretches of hours that often have a plateau, or else the busiest hour."""
    counted = max(int(np.isfinite(flow).any(axis=1).sum()), 1)
    often = by_hour.sum(axis=0) / counted >= OFTEN / 2
    edges = np.flatnonzero(np.diff(np.pad(often, 1).astype(int)))
    if edges.size:
        return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    usual = np.nan_to_num(median(flow, axis=0)).reshape(24, -1).sum(axis=1)
    busiest = int(usual.round(6).argmax())
    return [(busiest, busiest + 1)]


def _judged(
    seen: int, days: int, ceiling: float, capacity: float, chance: float, interval: int
) -> tuple[str, str]:
    """Return evidence and verdict of a stretch of hours."""
    low = betaincinv(seen, days - seen + 1, 1 - CONFIDENCE) if seen else 0.0
    high = betaincinv(seen + 1, days - seen, CONFIDENCE) if seen < days else 1.0
    said = f"A plateau at {ceiling:,.0f} per hour on {seen} of {days} working days"
    if not seen:
        said = f"Up to {ceiling:,.0f} per hour, but on none of {days} working days an hour in a row"
    if capacity < np.inf:
        said += f"; capacity {capacity:,.0f}"
    if days < LEAST_DAYS:
        return f"{said}; too few days.", NOT_ENOUGH
    below = ceiling < NEAR[0] * capacity * (1 if interval <= 15 else 0.8)
    if low > max(OFTEN, chance):
        if ceiling < LEAST_FLOW:
            return f"{said}; too few cars to tell a ceiling.", NOT_ENOUGH
        if np.isnan(capacity):
            return f"{said}; the capacity is not known, so that only the plateau tells.", CUT_OFF
        if NEAR[0] * capacity <= ceiling <= NEAR[1] * capacity:
            return f"{said}.", CUT_OFF
        return f"{said}; this ceiling is not that of the signal.", NOT_ENOUGH
    if below:
        return f"{said}; the busiest intervals stay below it.", NOT_CUT_OFF
    if high < OFTEN and interval <= LONG / 3:
        return f"{said}.", NOT_CUT_OFF
    if interval > LONG / 3:
        return f"{said}; counts by the hour hide a ceiling of less than three hours.", NOT_ENOUGH
    return f"{said}; by chance it may be on {chance:.0%}.", NOT_ENOUGH
