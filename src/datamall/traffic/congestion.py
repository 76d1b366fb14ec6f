"""Which hours of the week are congested at which junction, week by week."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from datamall.errors import DatamallError
from datamall.requirements import Absent, passes_absent
from datamall.traffic.cube import Block, Cube, median
from datamall.traffic.information import check_confidence, holidays
from datamall.traffic.peaks import MOTOR, motor, weighed
from datamall.traffic.weekly import Floats

JUNCTIONS = "traffic.junctions"
BY_CAPACITY, BY_PROFILE = "volume / capacity", "own busiest hour"


@dataclass(frozen=True)
class Hours:
    """Which hours were congested at which junction, week by week.

    Attributes
    ----------
    sites
        site and basis (`BY_CAPACITY` or `BY_PROFILE`); its RangeIndex is the first axis.
    congested
        1, 0 or NaN where not known, shape (sites, weeks, 7 weekdays, 24 hours).
    monday
        The first day of the first week.
    last
        The last day of the counts, congested or not known.
    """

    sites: pd.DataFrame
    congested: Floats
    monday: pd.Timestamp
    last: pd.Timestamp

    @property
    def weeks(self) -> Floats:
        """Return in how many weeks each hour is known, shape (sites, 7, 24)."""
        return (~np.isnan(self.congested)).sum(axis=1).astype(float)

    @property
    def chance(self) -> Floats:
        """Return the share of these weeks in which the hour was congested, (sites, 7, 24)."""
        weeks = self.weeks
        return np.nansum(self.congested, axis=1) / np.where(weeks > 0, weeks, np.nan)


def congested_hours(
    cube: Cube | Absent,
    groups: pd.DataFrame | Absent,
    calendar: pd.DataFrame | None,
    crowded: float,
    busy: float,
    pcu: tuple[float, float, float],
) -> Hours | Absent:
    """Say for each hour whether a junction was congested.

    Parameters
    ----------
    cube
        Counts without the periods in which detectors were found faulty.
    groups
        As from `peaks.lane_groups`; an Absent where no capacity is known.
    calendar
        Days with their holiday; holidays are left out.
    crowded
        A junction whose lane groups all have a known capacity is congested in an hour in which the
        volume of one of them is at least this share of it.
    busy
        Another junction counts as congested when its volume is at least this share of what is
        usual in its own busiest hour of the week: busy for itself; whether people wait is unknown.
    pcu
        Passenger cars that take as much room in the flow as one car, bus and heavy vehicle.

    Returns
    -------
    Hours
        From the first week of any block to the last; a junction in two blocks as in the last one.
        An Absent where `cube` is one.

    Raises
    ------
    DatamallError
        When a share is not above 0.
    """
    if isinstance(cube, Absent):
        return cube
    for name, value in {"crowded": crowded, "busy": busy}.items():
        if not value > 0:
            raise DatamallError(f"{name} is {value}: set it above 0 in params.yaml.")
    known = pd.DataFrame() if isinstance(groups, Absent) else groups
    found = [_hours(block, known, calendar, crowded, busy, pcu) for block in cube.hourly()]
    mondays = [block.days[0] - pd.Timedelta(days=block.days[0].weekday()) for block in cube]
    before = [(monday - min(mondays)).days // 7 for monday in mondays]
    weeks = max(b + part.shape[1] for b, (_, part) in zip(before, found, strict=True))
    padded = [
        np.pad(
            part.astype(np.float32),
            [(0, 0), (b, weeks - b - part.shape[1]), (0, 0), (0, 0)],
            constant_values=np.nan,
        )
        for b, (_, part) in zip(before, found, strict=True)
    ]
    sites = pd.concat([table for table, _ in found], ignore_index=True)
    # A junction in two blocks keeps the one it is in last.
    keep = ~sites["site"].duplicated(keep="last").to_numpy()
    values = np.concatenate(padded)[keep]
    last = max(block.days[-1] for block in cube)
    return Hours(sites[keep].reset_index(drop=True), values, min(mondays), last)


def _hours(
    block: Block,
    groups: pd.DataFrame,
    calendar: pd.DataFrame | None,
    crowded: float,
    busy: float,
    pcu: tuple[float, float, float],
) -> tuple[pd.DataFrame, Floats]:
    """Return sites with their basis, in order, and whether they were congested, week by week."""

    def look(_: slice, part: Block) -> tuple[pd.DataFrame, Floats]:
        return _of_part(part, groups, calendar, crowded, busy, pcu)

    tables, values = zip(*block.over_parts(look), strict=True)
    sites = pd.concat(tables, ignore_index=True)
    order = np.argsort(sites["site"].to_numpy(dtype=object), kind="stable")
    return sites.iloc[order].reset_index(drop=True), np.concatenate(values)[order]


def _of_part(
    block: Block,
    groups: pd.DataFrame,
    calendar: pd.DataFrame | None,
    crowded: float,
    busy: float,
    pcu: tuple[float, float, float],
) -> tuple[pd.DataFrame, Floats]:
    keys, counts = block.sums(["site", "approach", "movement", "mode"])
    keys = keys.astype(str)
    counts[:, holidays(block.days, calendar)] = np.nan
    cars = keys["mode"].isin(MOTOR).to_numpy()
    keys, counts = keys[cars].reset_index(drop=True), counts[cars]
    codes, sites = pd.factorize(keys["site"], sort=True)
    total = np.zeros((len(sites), *counts.shape[1:]))
    np.add.at(total, codes, np.where(np.isnan(counts), 0, counts))
    counted = np.zeros(total.shape, dtype=bool)
    np.logical_or.at(counted, codes, ~np.isnan(counts))
    # A junction is judged by itself where each of its usual counts is there.
    lacking = np.zeros(total.shape, dtype=bool)
    ever = ~np.isnan(counts).all(axis=(1, 2))
    np.logical_or.at(lacking, codes[ever], np.isnan(counts[ever]))
    total[lacking | ~counted] = np.nan
    usual = median(block.weeks(total), axis=1)
    top = np.max(np.where(np.isnan(usual), -np.inf, usual), axis=(1, 2))
    full = total >= busy * top[:, None, None]
    result = np.where(np.isnan(total), np.nan, full.astype(float))
    basis = np.full(len(sites), BY_PROFILE, dtype=object)
    own = groups[groups["site"].isin(sites)].reset_index(drop=True) if len(groups) else groups
    if len(own) and own["capacity"].notna().any():
        volume = weighed(pcu, motor(keys, counts, own))
        ratio = volume / own["capacity"].to_numpy()[:, None, None]
        at = pd.Index(sites).get_indexer(own["site"])
        above, unknown = (np.zeros(total.shape, dtype=bool) for _ in range(2))
        np.logical_or.at(above, at, ratio >= crowded)
        # An hour known only where it was congested would make congestion look frequent.
        np.logical_or.at(unknown, at, np.isnan(ratio))
        judged = np.intersect1d(at, np.flatnonzero(~unknown.all(axis=(1, 2))))
        by_capacity = np.where(unknown, np.nan, above.astype(float))
        result[judged], basis[judged] = by_capacity[judged], BY_CAPACITY
    return pd.DataFrame({"site": sites, "basis": basis}), block.weeks(result)


@passes_absent
def hours_table(hours: Hours, confidence: float) -> pd.DataFrame:
    """Return how often each hour of the week is congested at each junction.

    Parameters
    ----------
    hours
        As from `congested_hours`.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        site, basis, weekday (1 Monday), hour, weeks, chance (share of the weeks in which it was
        congested), low, high. The most often congested first; hours that never were are left out.

    Notes
    -----
    Wilson's interval (1927), weeks as independent witnesses.
    """
    weeks, chance = hours.weeks, hours.chance
    low, high = wilson(chance, weeks, confidence)
    site, weekday, hour = np.nonzero(np.nan_to_num(chance) > 0)
    index = (site, weekday, hour)
    table = hours.sites.iloc[site].reset_index(drop=True)
    table = table.assign(weekday=weekday + 1, hour=hour, weeks=weeks[index].astype(int))
    table = table.assign(chance=chance[index], low=low[index], high=high[index])
    order = table.assign(order=-table["chance"].round(9))
    order = order.sort_values(["order", "site", "weekday", "hour"], ignore_index=True)
    return order.drop(columns="order")


@passes_absent
def delivery(
    hours: Hours, data: Mapping[str, pd.DataFrame], confidence: float
) -> pd.DataFrame | Absent:
    """Return all counted hours of the week, as other departments get them.

    Parameters
    ----------
    hours
        As from `congested_hours`.
    data
        The extract, with the positions of junctions where they are known.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        The columns of the contract ``traffic.congested_hours``: site, x, y (m, NaN where not
        known), weekday (1 Monday), hour, basis, weeks (known), chance (share of these that were
        congested) with low and high (Wilson's), last_known (the last day on which this hour was
        known) and counted_to (the last day of all counts). In order of site, weekday and hour;
        hours that were never known are left out.
    """
    weeks, chance = hours.weeks, hours.chance
    low, high = wilson(chance, weeks, confidence)
    index = site, weekday, hour = np.nonzero(weeks)
    if not len(site):
        return Absent("Congested hours", "Not possible here: no hour of any junction is known.")
    known = ~np.isnan(hours.congested)
    week = known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)[index]
    table = hours.sites.iloc[site].reset_index(drop=True)
    where = _positions(data).reindex(table["site"].astype(str))
    table = table.assign(x=where["x"].to_numpy(), y=where["y"].to_numpy())
    table = table.assign(weekday=weekday + 1, hour=hour, weeks=weeks[index].astype(int))
    table = table.assign(chance=chance[index], low=low[index], high=high[index])
    table["last_known"] = hours.monday + pd.to_timedelta(7 * week + weekday, unit="D")
    table["counted_to"] = hours.last
    order = ["site", "weekday", "hour"]
    columns = ["site", "x", "y", "weekday", "hour", "basis", "weeks", "chance", "low", "high"]
    return table.sort_values(order, ignore_index=True)[[*columns, "last_known", "counted_to"]]


def _positions(data: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the position of each junction, where the authority delivers it."""
    table = data.get(JUNCTIONS, pd.DataFrame())
    if not {"site", "x", "y"} <= set(table):
        return pd.DataFrame({"x": [], "y": []}, dtype=float)
    own = table[["site", "x", "y"]].astype({"site": str, "x": float, "y": float})
    return own.dropna().groupby("site").mean()  # half of a position is none


def wilson(share: Floats, number: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return the ends of Wilson's interval (1927) of a share; NaN where nothing is known."""
    check_confidence(confidence)
    spread = ndtri((1 + confidence) / 2) ** 2 / np.where(number > 0, number, np.nan)
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)
