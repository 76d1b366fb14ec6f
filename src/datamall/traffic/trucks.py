"""Trucks and traffic: which container stops lie in hours that traffic calls congested."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.requirements import Absent, needs, passes_absent
from datamall.traffic import weekly
from datamall.traffic.congestion import Hours, wilson
from datamall.traffic.information import WEEKDAYS
from datamall.traffic.weekly import Floats

_ROUNDS, _PLACES, _JUNCTIONS = "enforcement.rounds", "enforcement.containers", "traffic.junctions"
PLAN = tuple(f"{_ROUNDS}.{c}" for c in ("cluster", "weekday", "truck", "start", "service_seconds"))
WHERE = (
    *(f"{_PLACES}.{c}" for c in ("cluster", "x", "y")),
    *(f"{_JUNCTIONS}.{c}" for c in ("site", "x", "y")),
)
LEAST_KNOWN = 0.5  # of a week's stops that must be known for that week to be a witness
MOVE, KEEP, DOUBT = "serve earlier or later", "leave as it is", "not enough evidence"
STUCK = "no calm hour that day"


@needs("Stops near junctions", *PLAN, *WHERE)
def stops(data: Mapping[str, pd.DataFrame], distance: float) -> pd.DataFrame | Absent:
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
        truck, weekday, start (minute of the day), time (the same as a clock shows it),
        service_seconds, cluster, x, y (m), site (empty where no junction is near) and metres. In
        order of truck, weekday and start.
    """
    if not distance > 0:
        raise DatamallError(f"distance is {distance}: set it above 0 in params.yaml.")
    plan = data[_ROUNDS].astype({"cluster": str, "truck": str})
    places = data[_PLACES].astype({"cluster": str, "x": float, "y": float})
    where = places.groupby("cluster")[["x", "y"]].mean()
    own = data[_JUNCTIONS].astype({"site": str, "x": float, "y": float})
    sites = own.groupby("site")[["x", "y"]].mean().dropna()
    if sites.empty:
        return Absent("Stops near junctions", "Not possible here: no junction has a position.")
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
    table["time"] = table["start"].map(lambda minute: f"{minute // 60}:{minute % 60:02d}")
    columns = ["truck", "weekday", "start", "time", "service_seconds", "cluster", "x", "y"]
    table = table.sort_values(["truck", "weekday", "start", "cluster"], ignore_index=True)
    return table[[*columns, "site", "metres"]]


@passes_absent
def judged(
    planned: pd.DataFrame, hours: Hours, calm: float, often: float, confidence: float
) -> pd.DataFrame | Absent:
    """Return the stops near junctions with the chance that their hour is congested.

    Parameters
    ----------
    planned, hours
        As from `stops` and `congested_hours`.
    calm
        Chance of congestion up to which another hour is called calm.
    often
        Chance from which on congestion is a reason to plan otherwise.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        truck, weekday, start, time, service_seconds, cluster, site, metres, basis, hour, weeks,
        chance with low and high, if_late (chance in the hour after), calm_hour (nearest hour with
        a chance of at most `calm` in which trucks are under way that day, the earlier one of two as
        near; NA if there is none or the hour itself is calm), calm_chance and verdict. The highest
        chance first.

    Raises
    ------
    DatamallError
        When not 0 <= `calm` < `often` < 1.

    Notes
    -----
    Verdicts: serve earlier or later, where the whole interval of the chance lies at `often` or
    above and there is a calm hour; no calm hour that day; leave as it is, where it lies below; not
    enough evidence, where it holds `often` or nothing is known. Intervals are Wilson's.
    """
    if not 0 <= calm < often < 1:
        raise DatamallError(
            f"calm is {calm} and often {often}: set them to shares with 0 <= calm < often < 1 in "
            "params.yaml."
        )
    at = pd.Index(hours.sites["site"]).get_indexer(planned["site"])
    table, at = planned[at >= 0].reset_index(drop=True), at[at >= 0]
    if table.empty:
        return Absent("Stops in congested hours", "No stop is near a junction that was counted.")
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
    full, below = table["low"] >= often, table["high"] < often
    steps = [full & table["calm_hour"].notna(), full, below]
    table["verdict"] = np.select(steps, [MOVE, STUCK, KEEP], DOUBT)
    order = ["truck", "weekday", "start", "cluster"]
    table["order"] = -table["chance"].round(9)
    table = table.sort_values(["order", *order], ignore_index=True)
    return table.drop(columns=["order", "x", "y"])


@passes_absent
def on_map(planned: pd.DataFrame, near: pd.DataFrame) -> pd.DataFrame:
    """Return each place with a planned stop: cluster, x, y (m) and verdict.

    Parameters
    ----------
    planned, near
        As from `stops` and `judged`. Of several verdicts at one place the one that asks for most
        is shown; "other" is left as it is, or near no junction.
    """
    places = planned.groupby("cluster", as_index=False)[["x", "y"]].first()
    told = near.groupby("verdict")["cluster"].agg(set)
    steps = [places["cluster"].isin(told.get(name, set())) for name in (MOVE, STUCK, DOUBT)]
    return places.assign(verdict=np.select(steps, [MOVE, STUCK, DOUBT], "other"))


@passes_absent
def totals(
    planned: pd.DataFrame, near: pd.DataFrame, hours: Hours, confidence: float
) -> pd.DataFrame:
    """Return how many stops of a week lie in congested hours, in all and by weekday.

    Parameters
    ----------
    planned, near, hours
        As from `stops`, `judged` and `congested_hours`.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        weekday ("all week" first), stops (planned), near (within the distance of a counted
        junction), weeks, congested (stops in congested hours, mean over weeks) with low and high,
        least and most (of single weeks), movable (of the congested ones, those that have a calm
        hour on the same day) and minutes (of service in congested hours).

    Notes
    -----
    Student's t over weeks: all stops of a week share its traffic, so that they are one witness.
    Stops whose hour was not counted that week are taken at their chance over the other weeks; a
    week with less than half of its stops known is left out. Where all weeks are alike, the interval
    is Wilson's, with as many witnesses as weeks.
    """
    names = dict(enumerate(WEEKDAYS, start=1))
    day = near["weekday"]
    whole = _summed(near, day.map(lambda _: "all week"), hours, confidence)
    days = _summed(near, day, hours, confidence).sort_values("weekday")
    table = pd.concat([whole, days.assign(weekday=days["weekday"].map(names))], ignore_index=True)
    number = planned["weekday"].map(names).value_counts()
    number["all week"] = len(planned)
    table.insert(1, "stops", table["weekday"].map(number))
    return table


@passes_absent
def by_truck(near: pd.DataFrame, hours: Hours, confidence: float) -> pd.DataFrame:
    """Return how many stops of each truck lie in congested hours, the most first.

    Parameters and columns are as for `totals`, with truck instead of weekday and stops.
    """
    table = _summed(near, near["truck"], hours, confidence)
    order = table.assign(order=-table["congested"].round(9)).sort_values(["order", "truck"])
    return order.drop(columns="order").reset_index(drop=True)


def _summed(near: pd.DataFrame, label: pd.Series, hours: Hours, confidence: float) -> pd.DataFrame:
    """Return the columns of `totals` for each value of a label of the stops."""
    codes, names = pd.factorize(label)
    at = pd.Index(hours.sites["site"]).get_indexer(near["site"])
    by_week = hours.congested[at, :, near["weekday"].to_numpy() - 1, near["hour"].to_numpy()]
    chance = np.nan_to_num(near["chance"].to_numpy())
    known = ~np.isnan(by_week)
    table = near.assign(
        minutes=near["service_seconds"] / 60 * chance,
        movable=np.where(near["calm_hour"].notna(), chance, 0),
    ).groupby(codes)
    table = table.agg(near=("site", "size"), movable=("movable", "sum"), minutes=("minutes", "sum"))
    total, seen = (np.zeros((len(names), by_week.shape[1])) for _ in range(2))
    np.add.at(total, codes, np.where(known, by_week, chance[:, None]))
    np.add.at(seen, codes, known)
    number = table["near"].to_numpy()
    values = np.where(seen >= LEAST_KNOWN * number[:, None], total, np.nan)
    found = weekly.means(values, np.arange(values.shape[1]), confidence)
    least, most = _ends(values)
    alike = wilson(found.mean / number, found.weeks.astype(float), confidence)
    low = np.where(least == most, number * alike[0], np.maximum(found.low, 0))
    high = np.where(least == most, number * alike[1], np.minimum(found.high, number))
    table = table.assign(weeks=found.weeks, congested=found.mean, low=low, high=high)
    table = table.assign(least=least, most=most, **{str(label.name): names})
    columns = [
        str(label.name),
        "near",
        "weeks",
        "congested",
        "low",
        "high",
        "least",
        "most",
        "movable",
    ]
    return table[[*columns, "minutes"]].reset_index(drop=True)


def _ends(values: Floats) -> tuple[Floats, Floats]:
    """Return the least and the most of each row, NaN where nothing is known."""
    none = np.isnan(values).all(axis=1)
    least = np.where(np.isnan(values), np.inf, values).min(axis=1)
    most = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    return np.where(none, np.nan, least), np.where(none, np.nan, most)


@passes_absent
def changes(near: pd.DataFrame) -> pd.DataFrame:
    """Say, by truck and hour, whether stops near a junction should be served at another hour.

    Parameters
    ----------
    near
        As from `judged`.

    Returns
    -------
    pandas.DataFrame
        truck, weekday (its name), hour, site, stops, verdict, chance with low and high, calm_hour,
        calm_chance, if_late and weeks, as in `judged`, and minutes (of service). What asks for a
        change first, the most stops in congested hours before others.
    """
    keys = ["truck", "weekday", "hour", "site"]
    same = ["verdict", "chance", "low", "high", "calm_hour", "calm_chance", "if_late", "weeks"]
    groups = near.assign(minutes=near["service_seconds"] / 60).groupby(keys, as_index=False)
    table = groups.agg(
        stops=("cluster", "size"),
        **{name: (name, "first") for name in same},
        minutes=("minutes", "sum"),
    )
    table["rank"] = table["verdict"].map([MOVE, STUCK, DOUBT, KEEP].index)
    table["order"] = -(table["stops"] * table["chance"]).round(9)
    table = table.sort_values(["rank", "order", *keys], ignore_index=True)
    names = table["weekday"].map(dict(enumerate(WEEKDAYS, start=1)))
    return table.assign(weekday=names).drop(columns=["rank", "order"])


@passes_absent
def decision_records(table: pd.DataFrame) -> pd.DataFrame:
    """Return one record per change that planner and driver have to decide on.

    Parameters
    ----------
    table
        As from `changes`; only those to be served at another hour become a record.

    Returns
    -------
    pandas.DataFrame
        truck, weekday, recommended, expected.
    """
    rows = []
    for row in table[table["verdict"] == MOVE].itertuples():
        stops = f"{row.stops} stop{'' if row.stops == 1 else 's'}"
        hour, calm = (f"{value}–{value + 1} h" for value in (row.hour, row.calm_hour))
        share = [f"{100 * value:.0f} %" for value in (row.chance, row.low, row.high)]
        rows.append(
            {
                "truck": row.truck,
                "weekday": row.weekday,
                "recommended": f"serve {stops} near {row.site} at {calm}, not {hour}",
                "expected": f"congested in {share[0]} of the weeks ({share[1]} to {share[2]}), "
                f"then in {100 * row.calm_chance:.0f} %",
            }
        )
    return pd.DataFrame(rows, columns=["truck", "weekday", "recommended", "expected"])
