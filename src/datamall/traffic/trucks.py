"""Trucks and traffic: which container stops lie in hours that traffic calls congested."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from datamall.chapters import Gap, needs, passes_gaps
from datamall.errors import DatamallError
from datamall.traffic import weekly
from datamall.traffic.cube import Block, Cube, median
from datamall.traffic.information import WEEKDAYS, check_confidence, holidays
from datamall.traffic.peaks import motor
from datamall.traffic.weekly import Floats

_ROUNDS, _PLACES, _JUNCTIONS = "enforcement.rounds", "enforcement.containers", "traffic.junctions"
PLAN = tuple(f"{_ROUNDS}.{c}" for c in ("cluster", "weekday", "truck", "start", "service_seconds"))
WHERE = (*(f"{_PLACES}.{c}" for c in ("cluster", "x", "y")), *(f"{_JUNCTIONS}.{c}" for c in "xy"))
BY_CAPACITY, BY_PROFILE = "volume / capacity", "own busiest hour"
LEAST_KNOWN = 0.5  # of a week's stops that must be known for that week to be a witness


@dataclass(frozen=True)
class Hours:
    """Which hours were congested at which junction, week by week.

    Attributes
    ----------
    sites
        site and basis (`BY_CAPACITY` or `BY_PROFILE`); its RangeIndex is the first axis.
    congested
        1, 0 or NaN where not known, shape (sites, weeks, 7 weekdays, 24 hours).
    """

    sites: pd.DataFrame
    congested: Floats

    @property
    def weeks(self) -> Floats:
        """Return in how many weeks each hour is known, shape (sites, 7, 24)."""
        return (~np.isnan(self.congested)).sum(axis=1).astype(float)

    @property
    def chance(self) -> Floats:
        """Return the share of these weeks in which the hour was congested, (sites, 7, 24)."""
        weeks = self.weeks
        return np.nansum(self.congested, axis=1) / np.where(weeks > 0, weeks, np.nan)


@passes_gaps
def congested_hours(
    cube: Cube,
    groups: pd.DataFrame | Gap,
    calendar: pd.DataFrame | None,
    crowded: float,
    busy: float,
    pcu_bus: float,
) -> Hours:
    """Say for each hour whether a junction was congested.

    Parameters
    ----------
    cube
        Counts without the periods in which detectors were found faulty.
    groups
        As from `peaks.lane_groups`; a Gap where no capacity is known.
    calendar
        Days with their holiday; holidays are left out.
    crowded
        A junction with known capacities is congested in an hour in which the volume of some lane
        group is at least this share of its capacity.
    busy
        Another junction counts as congested when its volume is at least this share of what is
        usual in its own busiest hour of the week: busy for itself; whether people wait is unknown.
    pcu_bus
        Passenger cars that take as much room in the flow as one bus.

    Returns
    -------
    Hours
        From the first week of any block to the last; a junction in two blocks as in the last one.

    Raises
    ------
    DatamallError
        When a share is not above 0.
    """
    for name, value in {"crowded": crowded, "busy": busy}.items():
        if not value > 0:
            raise DatamallError(f"{name} is {value}: set it above 0 in params.yaml.")
    known = pd.DataFrame() if isinstance(groups, Gap) else groups
    found = [_hours(block, known, calendar, crowded, busy, pcu_bus) for block in cube.hourly()]
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
    return Hours(sites[keep].reset_index(drop=True), values)


def _hours(
    block: Block,
    groups: pd.DataFrame,
    calendar: pd.DataFrame | None,
    crowded: float,
    busy: float,
    pcu_bus: float,
) -> tuple[pd.DataFrame, Floats]:
    keys, counts = block.sums(["site", "approach", "movement", "mode"])
    keys = keys.astype(str)
    counts[:, holidays(block.days, calendar)] = np.nan
    cars = keys["mode"].isin(["car", "bus"]).to_numpy()
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
        vehicles, buses = motor(keys, counts, own)
        ratio = (vehicles + pcu_bus * buses) / own["capacity"].to_numpy()[:, None, None]
        at = pd.Index(sites).get_indexer(own["site"])
        above, unknown = (np.zeros(total.shape, dtype=bool) for _ in range(2))
        np.logical_or.at(above, at, ratio >= crowded)
        np.logical_or.at(unknown, at, np.isnan(ratio))
        # One lane group above is enough; none above is known only if all were counted.
        by_capacity = np.where(above, 1.0, np.where(unknown, np.nan, 0.0))
        judged = np.unique(at[own["capacity"].notna() & ~np.isnan(ratio).all(axis=(1, 2))])
        result[judged], basis[judged] = by_capacity[judged], BY_CAPACITY
    return pd.DataFrame({"site": sites, "basis": basis}), block.weeks(result)


@passes_gaps
def hours_table(hours: Hours, groups: pd.DataFrame | Gap, confidence: float) -> pd.DataFrame:
    """Return how often each hour of the week is congested at each junction.

    Parameters
    ----------
    hours, groups
        As from `congested_hours` and `peaks.lane_groups` (for names).
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        site, basis, weekday (1 Monday), hour, weeks, chance (share of the weeks in which it was
        congested), low, high. Hours never congested are left out.

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
    return table.assign(chance=chance[index], low=low[index], high=high[index])


def wilson(share: Floats, number: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return the ends of Wilson's interval (1927) of a share; NaN where nothing is known."""
    check_confidence(confidence)
    spread = ndtri((1 + confidence) / 2) ** 2 / np.where(number > 0, number, np.nan)
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return np.maximum(middle - half, 0), np.minimum(middle + half, 1)


@needs("Stops near junctions", *PLAN, *WHERE)
def stops(data: Mapping[str, pd.DataFrame], distance: float) -> pd.DataFrame | Gap:
    """Return all planned stops with the nearest junction, if one is near.

    Parameters
    ----------
    data
        The extract.
    distance
        In metres, as the crow flies; a stop farther from every junction has none.

    Returns
    -------
    pandas.DataFrame
        truck, weekday, start (minute of the day), service_seconds, cluster, x, y (m), site (empty
        where no junction is near) and metres. In order of truck, weekday and start.
    """
    if not distance > 0:
        raise DatamallError(f"distance is {distance}: set it above 0 in params.yaml.")
    plan = data[_ROUNDS].astype({"cluster": str, "truck": str})
    places = data[_PLACES].astype({"cluster": str, "x": float, "y": float})
    where = places.groupby("cluster")[["x", "y"]].mean()
    own = data[_JUNCTIONS].astype({"site": str, "x": float, "y": float})
    sites = own.groupby("site")[["x", "y"]].mean().dropna()
    if plan.empty or sites.empty:
        what = "no stop is planned" if plan.empty else "no junction has a position"
        return Gap("Stops near junctions", f"Not possible here: {what}.")
    table = plan.merge(where, left_on="cluster", right_index=True, how="left")
    away = np.hypot(
        where["x"].to_numpy()[:, None] - sites["x"].to_numpy()[None, :],
        where["y"].to_numpy()[:, None] - sites["y"].to_numpy()[None, :],
    )
    nearest = np.nan_to_num(away, nan=np.inf).argmin(axis=1)
    metres = away[np.arange(len(where)), nearest]
    near = pd.DataFrame({"metres": metres, "site": sites.index[nearest]}, index=where.index)
    near["site"] = near["site"].where(near["metres"] <= distance, "")
    table = table.merge(near, left_on="cluster", right_index=True, how="left")
    table["site"] = table["site"].fillna("")
    columns = ["truck", "weekday", "start", "service_seconds", "cluster", "x", "y"]
    table = table.sort_values(["truck", "weekday", "start", "cluster"], ignore_index=True)
    return table[[*columns, "site", "metres"]]


@passes_gaps
def judged(
    planned: pd.DataFrame, hours: Hours, calm: float, confidence: float
) -> pd.DataFrame | Gap:
    """Return the stops near junctions with the chance that their hour is congested.

    Parameters
    ----------
    planned, hours
        As from `stops` and `congested_hours`.
    calm
        Chance of congestion up to which another hour is called calm.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        truck, weekday, start, service_seconds, cluster, site, metres, basis, hour, weeks, chance
        with low and high, if_late (chance in the hour after), calm_hour (nearest hour with a chance
        of at most `calm` in which trucks are under way that day, the earlier one of two as near; NA
        if there is none or the hour itself is calm) and calm_chance. The highest chance first.
    """
    if not 0 <= calm < 1:
        raise DatamallError(f"calm is {calm}: set it to 0 or more and below 1 in params.yaml.")
    at = pd.Index(hours.sites["site"]).get_indexer(planned["site"])
    table, at = planned[at >= 0].reset_index(drop=True), at[at >= 0]
    if table.empty:
        return Gap("Stops in congested hours", "No stop is near a junction that was counted.")
    chance, weeks = hours.chance, hours.weeks
    low, high = wilson(chance, weeks, confidence)
    hour = (table["start"] // 60).to_numpy()
    index = (at, (table["weekday"] - 1).to_numpy(), hour)
    table["basis"] = hours.sites["basis"].to_numpy()[at]
    table["hour"], table["weeks"] = hour, weeks[index].astype(int)
    table["chance"], table["low"], table["high"] = chance[index], low[index], high[index]
    table["if_late"] = chance[index[0], index[1], np.minimum(hour + 1, 23)]
    day = planned["start"] // 60
    first, last = (day.groupby(planned["weekday"]).agg(f) for f in ("min", "max"))
    clock = np.arange(24)[None, :]
    under_way = (clock >= table["weekday"].map(first).to_numpy()[:, None]) & (
        clock <= table["weekday"].map(last).to_numpy()[:, None]
    )
    row = chance[index[0], index[1]]
    far = np.where(under_way & (row <= calm), np.abs(clock - hour[:, None]), 99)
    best = far.argmin(axis=1)
    none = (far.min(axis=1) == 99) | ~(table["chance"] > calm).to_numpy()
    table["calm_hour"] = pd.array(np.where(none, 0, best), dtype="Int64")
    table.loc[none, "calm_hour"] = pd.NA
    table["calm_chance"] = np.where(none, np.nan, row[np.arange(len(table)), best])
    order = ["truck", "weekday", "start", "cluster"]
    table["order"] = -table["chance"].round(9)
    table = table.sort_values(["order", *order], ignore_index=True).drop(columns="order")
    return table.drop(columns=["x", "y"])


@passes_gaps
def totals(planned: pd.DataFrame, hours: Hours, confidence: float) -> pd.DataFrame:
    """Return how many stops of a week lie in congested hours, in all and by weekday.

    Parameters
    ----------
    planned, hours, confidence
        As for `judged`.

    Returns
    -------
    pandas.DataFrame
        weekday ("all week" first), stops (planned), near (within the distance of a counted
        junction), weeks, congested (stops in congested hours, mean over weeks) with low and high,
        least and most (of single weeks) and minutes (of service in congested hours).

    Notes
    -----
    Student's t over weeks: all stops of a week share its traffic, so that they are one witness.
    Stops whose hour was not counted that week are taken at their chance over the other weeks; a
    week with less than half of its stops known is left out.
    """
    at = pd.Index(hours.sites["site"]).get_indexer(planned["site"])
    near, at = planned[at >= 0], at[at >= 0]
    day, hour = (near["weekday"] - 1).to_numpy(), (near["start"] // 60).to_numpy()
    by_week = hours.congested[at, :, day, hour]
    chance = hours.chance[at, day, hour]
    known = ~np.isnan(by_week) & ~np.isnan(chance)[:, None]
    filled = np.where(known, by_week, np.nan_to_num(chance)[:, None])
    minutes = near["service_seconds"].to_numpy() / 60 * np.nan_to_num(chance)
    rows = [_row("all week", planned, np.ones(len(near), dtype=bool), known, filled, minutes)]
    for number, name in enumerate(WEEKDAYS):
        if (planned["weekday"] == number + 1).any():
            own = planned[planned["weekday"] == number + 1]
            rows.append(_row(name, own, day == number, known, filled, minutes))
    values = np.array([row.pop("values") for row in rows])
    week = np.arange(values.shape[1])
    found = weekly.means(values, week, confidence)
    table = pd.DataFrame(rows).assign(weeks=found.weeks, congested=found.mean)
    table["low"], table["high"] = np.maximum(found.low, 0), found.high
    some = ~np.isnan(values).all(axis=1)
    for name, edge, function in (("least", np.inf, np.min), ("most", -np.inf, np.max)):
        ends = function(np.where(np.isnan(values), edge, values), axis=1)
        table[name] = np.where(some, ends, np.nan)
    columns = ["weekday", "stops", "near", "weeks", "congested", "low", "high", "least", "most"]
    return table[[*columns, "minutes"]]


def _row(
    name: str,
    planned: pd.DataFrame,
    own: NDArray[np.bool_],
    known: NDArray[np.bool_],
    filled: Floats,
    minutes: Floats,
) -> dict[str, object]:
    """Return one row of `totals`, with its number of congested stops by week as `values`."""
    enough = known[own].sum(axis=0) >= max(LEAST_KNOWN * own.sum(), 1)
    values = np.where(enough, filled[own].sum(axis=0), np.nan)
    about = {"weekday": name, "stops": len(planned), "near": int(own.sum())}
    return about | {"minutes": float(minutes[own].sum()), "values": values}


@passes_gaps
def by_truck(table: pd.DataFrame) -> pd.DataFrame:
    """Return the expected stops in congested hours of each truck.

    Parameters
    ----------
    table
        As from `judged`.

    Returns
    -------
    pandas.DataFrame
        truck, near (stops near a junction in a week), congested (of these, expected in a congested
        hour), movable (of these, expected at stops that have a calm hour on the same day). The
        most first.
    """
    own = table.assign(movable=table["chance"].where(table["calm_hour"].notna(), 0))
    result = own.groupby("truck", as_index=False).agg(
        near=("chance", "size"), congested=("chance", "sum"), movable=("movable", "sum")
    )
    order = result.assign(order=-result["congested"].round(9)).sort_values(["order", "truck"])
    return order.drop(columns="order").reset_index(drop=True)
