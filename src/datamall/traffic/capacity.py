"""Volume against capacity: how full lane groups are, and at which level of service."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from datamall.requirements import passes_absent
from datamall.traffic import queues, signals, weekly
from datamall.traffic.peaks import PEAKS, Peaks, membership, over_days
from datamall.traffic.weekly import Floats

CUT_OFF = "cut off at capacity"
NOT_ENOUGH = "not enough evidence"
ABOVE = "above the capacity on file"
UNKNOWN_DEMAND = "demand above this is unknown"
WRONG_CAPACITY = "the capacity on file is wrong"


def cut_off(own: Peaks, plateaus: pd.DataFrame, verdict: str = CUT_OFF) -> NDArray[np.bool_]:
    """Return in which peaks a lane group is cut off at capacity, shape (groups, peaks).

    Parameters
    ----------
    own
        One block.
    plateaus
        As from `censoring.plateaus`.
    verdict
        Another of its verdicts: where that one holds.
    """
    result = np.zeros((len(own.groups), len(PEAKS)), dtype=bool)
    flat = plateaus[(plateaus["verdict"] == verdict) & (plateaus["mode"].astype(str) == "car")]
    keys = flat[["site", "approach", "movement"]].astype(str).reset_index(drop=True)
    member = membership(keys, own.groups) > 0
    for number, (first, last) in enumerate(PEAKS.values()):
        overlaps = ((flat["hour_from"] < last) & (flat["hour_to"] > first)).to_numpy()
        result[:, number] = (member & overlaps).any(axis=1)
    return result


def exceeded(own: Peaks, plateaus: pd.DataFrame) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the flows per hour that exceed the capacity on file, by lane group; else NaN.

    And whether a queue is sure there, so that this flow is that of its saturation.
    """
    flow, queue = np.full(len(own.groups), np.nan), np.zeros(len(own.groups), dtype=bool)
    above = plateaus[(plateaus["verdict"] == ABOVE) & (plateaus["mode"].astype(str) == "car")]
    if len(above):
        keys = above[["site", "approach", "movement"]].astype(str).reset_index(drop=True)
        for row, place in np.argwhere(membership(keys, own.groups) > 0):
            flow[row], queue[row] = above["ceiling"].iloc[place], above["queue"].iloc[place]
    return flow, queue


class Flow(NamedTuple):
    """The plan and the flow of the quarters of the peaks, as arrays that broadcast.

    Attributes
    ----------
    volume, capacity
        In pcu per hour, shape (groups, days, peaks, quarters) together.
    share, cycle
        Share of green, and the cycle in seconds.
    queue
        What is left over at the beginning of each quarter, in pcu.
    period, steps
        Hours of a quarter (of the interval of counting, where that is shorter), and how many of
        them an interval has.
    """

    volume: Floats
    capacity: Floats
    share: Floats
    cycle: Floats
    queue: Floats
    period: float
    steps: int

    def of(self, interval: NDArray[np.int64]) -> "Flow":
        """Return the quarters of some intervals, shape (groups, days, peaks, intervals)."""
        index = interval[..., None] * self.steps + np.arange(self.steps)
        index = index.reshape(*interval.shape[:3], -1)
        volume, queue = (np.take_along_axis(v, index, axis=3) for v in (self.volume, self.queue))
        return self._replace(volume=volume, queue=queue)


def carried(own: Peaks, green: ArrayLike, cycle: ArrayLike) -> Flow:
    """Return the flow in the peaks with what is left over from quarter to quarter.

    Parameters
    ----------
    own
        One block, or a part of one.
    green, cycle
        The plan, shape (groups,) or (groups, peaks).

    Notes
    -----
    Nobody waits when a peak begins, and a quarter that was not counted leaves the queue as it was:
    both are assumed. Counts by the hour are taken as four equal quarters.
    """
    green, cycle, saturation = (
        np.asarray(value, float).reshape(len(own.groups), 1, -1, 1)
        for value in (green, cycle, own.groups["saturation_flow"])
    )
    share, steps = green / cycle, max(own.interval // 15, 1)
    capacity, period = saturation * share, min(own.interval, 15) / 60
    volume = np.repeat(own.volume, steps, axis=3) if steps > 1 else own.volume
    came = np.where(np.isnan(volume), capacity, volume)
    queue = queues.chain(came, capacity, period)[..., :-1]
    return Flow(volume, capacity, share, cycle, queue, period, steps)


def delays(
    own: Peaks, green: ArrayLike, cycle: ArrayLike, at: NDArray[np.int64] | None = None
) -> Floats:
    """Return HCM control delay in the peaks, in seconds, shape (groups, days, peaks, intervals).

    Parameters
    ----------
    own, green, cycle
        As for `carried`.
    at
        The intervals that are asked, shape (groups, days, peaks, intervals); else all of them.
    """
    flow = carried(own, green, cycle)
    flow = flow if at is None else flow.of(at)
    found = np.empty(flow.volume.shape)
    for peak in range(len(PEAKS)):  # one after the other: what lies between takes much memory
        part = (value[:, :, min(peak, value.shape[2] - 1)] for value in flow[:5])
        found[:, :, peak] = queues.control_delay(*part, period=flow.period).total
    if flow.steps == 1:
        return found
    return np.asarray(found.reshape(*found.shape[:3], -1, flow.steps).mean(axis=4))


def busiest(own: Peaks) -> tuple[Floats, Floats, Floats]:
    """Return flow, ratio to the capacity and delay in the busiest quarter of the peak hour.

    Each of shape (groups, days, peaks), with the plan of now; NaN where the hour was not counted in
    full.
    """
    found = []
    for _, part in own.parts():
        hour = part.in_hour
        at = (part.start[:, None] + hour.argmax(axis=3))[..., None]
        delay = delays(part, part.groups["green"], part.groups["cycle"], at)[..., 0]
        found.append((hour.max(axis=3), delay))
    flow, delay = (np.concatenate(values) for values in zip(*found, strict=True))
    room = own.groups["capacity"].where(own.groups["capacity"] > 0).to_numpy()
    return flow, flow / room[:, None, None], delay


@passes_absent
def ratios(
    parts: tuple[Peaks, ...], plateaus: pd.DataFrame, confidence: float, crowded: float
) -> pd.DataFrame:
    """Return volume over capacity of each lane group in the peak hour of its junction.

    Parameters
    ----------
    parts
        As from `peaks`.
    plateaus
        As from `censoring.plateaus`.
    confidence
        Probability with which all intervals of the table hold together.
    crowded
        Ratio from which on a lane group is called crowded.

    Returns
    -------
    pandas.DataFrame
        site, approach, lane_group, peak, ratio (mean over days of the busiest 15 minutes divided by
        capacity) with low and high, verdict, demand, delay (s per vehicle, median day), level,
        day_low and day_high (ratio of 9 in 10 single days), capacity (pcu/h), volume (pcu/h, mean
        over days), quarter (pcu/h in the busiest 15 minutes), peak_hour_factor, hour (its begin),
        days, coverage (share of working days) and name. The highest ratio first.

    Notes
    -----
    Where counts come by the hour, the busiest 15 minutes are not known: then the hour stands in,
    the peak hour factor is missing and the ratio is a lower bound.
    """
    tables = [_ratios(own, cut_off(own, plateaus), exceeded(own, plateaus)[0]) for own in parts]
    table = pd.concat([frame for frame, _ in tables], ignore_index=True)
    rows = [values for _, values in tables]
    together = sum(int((~np.isnan(v).all(axis=1)).sum()) for v in rows)
    found = [
        weekly.means(v, own.week, confidence, together) for own, v in zip(parts, rows, strict=True)
    ]
    for column in ("ratio", "low", "high"):
        name = {"ratio": "mean"}.get(column, column)
        table[column] = np.concatenate([getattr(f, name) for f in found])
    table["low"] = table["low"].clip(lower=0)
    table["verdict"] = np.select(
        [table["low"] >= crowded, table["high"] < crowded], ["crowded", "not crowded"],
        "not enough evidence",
    )  # fmt: skip
    unknown = table["demand"] == UNKNOWN_DEMAND
    table.loc[table["demand"] == WRONG_CAPACITY, "verdict"] = "not enough evidence"
    table.loc[unknown & (table["verdict"] != "crowded"), "verdict"] = "at capacity"
    order = ["site", "approach", "lane_group", "peak", "ratio", "low", "high", "verdict"]
    order += ["demand", "delay", "level", "day_low", "day_high", "capacity", "volume", "quarter"]
    order += ["peak_hour_factor", "hour", "days", "coverage", "name"]
    keys = ["site", "approach", "lane_group", "peak"]
    table["order"] = -table["ratio"].round(9)
    return table.sort_values(["order", *keys], ignore_index=True)[order]


def _ratios(own: Peaks, cut: NDArray[np.bool_], above: Floats) -> tuple[pd.DataFrame, Floats]:
    """Return one row per lane group and peak, and its ratio of each day (rows, days)."""
    count = (len(own.groups), len(PEAKS))
    mean, quarter, ratio, delay = map(_rows, (own.in_hour.mean(axis=3), *busiest(own)))
    about = ["site", "name", "approach", "lane_group", "capacity"]
    table = own.groups.loc[own.groups.index.repeat(count[1]), about].reset_index(drop=True)
    table["peak"] = np.tile(list(PEAKS), count[0])
    table["hour"] = [own.begin(g, p) for g in range(count[0]) for p in range(count[1])]
    table["days"] = (~np.isnan(ratio)).sum(axis=1)
    table["coverage"] = table["days"] / len(own.days)
    table["volume"], table["quarter"] = (over_days(v, np.nanmean) for v in (mean, quarter))
    hourly = own.interval >= 60
    table["peak_hour_factor"] = np.nan if hourly else table["volume"] / table["quarter"]
    for name, level in (("day_low", 0.05), ("day_high", 0.95)):
        table[name] = over_days(ratio, lambda v, axis, q=level: np.nanquantile(v, q, axis=axis))
    wrong = np.repeat(~np.isnan(above), count[1])
    table["delay"] = np.where(wrong, np.nan, over_days(delay, np.nanmedian))
    usual = over_days(ratio, np.nanmedian)
    table["level"] = signals.level_of_service(table["delay"], usual)
    words = [WRONG_CAPACITY, UNKNOWN_DEMAND]
    table["demand"] = np.select([wrong, cut.ravel()], words, "")
    table["level"] = _at_least(table["level"], table["demand"])
    return table, ratio


def _at_least(level: pd.Series, demand: pd.Series) -> pd.Series:
    """Return levels of which those with unknown demand are called the best that is possible."""
    worse = (demand != "") & ~level.isin(["F", signals.UNKNOWN])
    return level.where(~worse, level + " or worse")


def _rows(values: Floats) -> Floats:
    """Return values of shape (groups, days, peaks) as (groups × peaks, days)."""
    return np.moveaxis(values, 2, 1).reshape(-1, values.shape[1])


def junction_delay(own: Peaks) -> tuple[pd.DataFrame, Floats, Floats]:
    """Return each junction's mean delay and highest ratio, by peak and day.

    Parameters
    ----------
    own
        One block.

    Returns
    -------
    tuple
        Junctions (site, name), and two arrays of shape (sites, peaks, days): delay per vehicle (s)
        in the busiest quarter of the peak hour, weighed by volume, and the highest ratio of volume
        to capacity. NaN unless all lane groups were counted.
    """
    quarter, ratio, delay = busiest(own)
    sites = own.groups[["site", "name"]].drop_duplicates("site").reset_index(drop=True)
    codes = pd.Index(sites["site"]).get_indexer(own.groups["site"])
    weight, total = (np.zeros((len(sites), *quarter.shape[1:])) for _ in range(2))
    np.add.at(weight, codes, quarter)
    np.add.at(total, codes, delay * quarter)
    delay = total / np.where(weight > 0, weight, np.nan)
    worst = np.zeros(delay.shape)
    np.maximum.at(worst, codes, np.nan_to_num(ratio))
    worst = np.where(np.isnan(delay), np.nan, worst)
    return sites, np.moveaxis(delay, 2, 1), np.moveaxis(worst, 2, 1)


@passes_absent
def levels(parts: tuple[Peaks, ...], plateaus: pd.DataFrame) -> pd.DataFrame:
    """Return the share of working days at each level of service, by junction and peak.

    Parameters
    ----------
    parts, plateaus
        As from `peaks` and `censoring.plateaus`.

    Returns
    -------
    pandas.DataFrame
        site, name, peak, delay (s per vehicle, median day), usual (level of the median day), demand
        (where some demand is cut off, so that the delay is at least this, or the capacity on file
        is wrong, so that it is not known), A to F (shares of days),
        above (the share of days on which some lane group was above capacity) and days (on which all
        lane groups were counted). Longest delay first, junctions without one last.
    """
    frames = []
    for own in parts:
        sites, delay, worst = junction_delay(own)
        codes = pd.Index(sites["site"]).get_indexer(own.groups["site"])
        wrong = np.zeros(len(sites), dtype=bool)
        np.logical_or.at(wrong, codes, ~np.isnan(exceeded(own, plateaus)[0]))
        counted = (~np.isnan(delay)).sum(axis=2).ravel()
        delay = np.where(wrong[:, None, None], np.nan, delay)
        rows = sites.loc[sites.index.repeat(len(PEAKS))].reset_index(drop=True)
        delay, worst = (v.reshape(-1, len(own.days)) for v in (delay, worst))
        rows["peak"] = np.tile(list(PEAKS), len(sites))
        known = (~np.isnan(delay)).sum(axis=1)
        rows["days"], rows["delay"] = counted, over_days(delay, np.nanmedian)
        # The level of a junction goes by its delay alone; a ratio above 1 is told beside it.
        level = signals.level_of_service(delay, np.zeros_like(delay))
        rows["usual"] = signals.level_of_service(rows["delay"], np.zeros(len(rows)))
        for name in (*signals.LEVELS, "F"):
            rows[name] = (level == name).sum(axis=1) / np.where(known > 0, known, np.nan)
        rows["above"] = (worst > 1).sum(axis=1) / np.where(known > 0, known, np.nan)
        cut = np.zeros((len(sites), len(PEAKS)), dtype=bool)
        np.logical_or.at(cut, codes, cut_off(own, plateaus))
        steps = [np.repeat(wrong, len(PEAKS)), cut.ravel()]
        rows["demand"] = np.select(steps, [WRONG_CAPACITY, UNKNOWN_DEMAND], "")
        rows["usual"] = _at_least(rows["usual"], rows["demand"])
        frames.append(rows)
    table = pd.concat(frames, ignore_index=True)
    order = table.assign(order=-table["delay"].round(9)).sort_values(["order", "site", "peak"])
    columns = ["site", "name", "peak", "delay", "usual", "demand", *signals.LEVELS, "F", "above"]
    return order[[*columns, "days"]].reset_index(drop=True)
