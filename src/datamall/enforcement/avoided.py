"""Hours in which streets near congested junctions are avoided, as traffic hands them over.

The store ``traffic.congested_hours`` says how often each hour of the week is congested at a
junction. A place near one is not served in the hours of today's weekday that are known to be
congested often; `routing.prepare` closes it for them.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from datamall.enforcement.crews import KINDS
from datamall.enforcement.information import Tables
from datamall.enforcement.morning import CONTAINERS, ROUNDS, TRUCKS
from datamall.enforcement.routing import Redirect
from datamall.enforcement.routing.day import AVOID
from datamall.enforcement.routing.refusals import clock
from datamall.errors import DatamallError
from datamall.requirements import Absent, needs, passes_absent

STORE, TITLE = "traffic.congested_hours", "Hours to avoid"
FROM = ("site", "weekday", "hour", "x", "y", "basis", "weeks", "chance", "low", "high")
DATED = ("last_known", "counted_to")
USED, DOUBT = "avoided", "not enough evidence"
OLD, LATER, NOWHERE = "counts too old", "counted after this morning", "no position"
STUCK, NOT_THERE = "no calm hour", "no truck today"
SAME_SPOT = 1.0  # metres: two places nearer than that are one pile
NEAR = ("place", "x", "y", "site", "start", "end", "state")
MOVED = ("truck", "place", "kind", "site", "hours", "then", "outcome")
SPENT = (
    *("truck", "moved", "stops_without", "stops", "musts_without", "musts"),
    *("minutes_without", "minutes", "more"),
)
# Of `hours`, what a reader needs; where junctions are is on the map.
SHOWN = ["site", "hour", "basis", "weeks", "chance", "low", "high", "last_known", "days", "state"]
CONFLICTS = ("truck", "place", "time", "site", "hours", "outcome")


@needs(TITLE, *(f"{STORE}.{name}" for name in (*FROM, *DATED)))
def hours(data: Tables, day: pd.Timestamp, often: float, oldest: int) -> pd.DataFrame | Absent:
    """Return the hours of a day's weekday that may be congested often, and which are avoided.

    Parameters
    ----------
    data
        The extract.
    day
        The morning; what was counted on it or later is not known yet.
    often
        Share of weeks congested from which on an hour is avoided: its whole interval lies there.
    oldest
        Days after which a count says no more how it is now.

    Returns
    -------
    pandas.DataFrame
        site, x, y (m), hour, basis, weeks, chance with low and high, last_known, days (since) and
        state: `USED`, `DOUBT` where the interval holds `often`, `OLD`, `LATER` or `NOWHERE`. Hours
        whose interval lies below `often` are left out. In order of hour and site.
    """
    if not 0 < often < 1:
        raise DatamallError(f"often is {often}: set it between 0 and 1 in params.yaml.")
    if not oldest >= 1:
        raise DatamallError(f"oldest is {oldest}: set it to 1 day or more in params.yaml.")
    table = data[STORE]
    own = table[table["weekday"] == day.isoweekday()].astype(
        {"site": str, **dict.fromkeys(("x", "y", "chance", "low", "high"), float)}
    )
    own = own[own["high"] >= often].assign(
        last_known=lambda t: t["last_known"].astype("datetime64[s]"),
        days=lambda t: (day.normalize() - t["last_known"]).dt.days,
    )
    where = own[["x", "y"]].isna().any(axis=1)
    steps = [own["days"] <= 0, own["days"] > oldest, own["low"] < often, where]
    own["state"] = np.select(steps, [LATER, OLD, DOUBT, NOWHERE], USED)
    columns = ["site", "x", "y", "hour", "basis", "weeks", "chance", "low", "high"]
    own = own.sort_values(["hour", "site"], ignore_index=True)
    return own[[*columns, "last_known", "days", "state"]]


@passes_absent
def near(data: Tables, found: pd.DataFrame, distance: float) -> pd.DataFrame | Absent:
    """Return the places that are not served in some hours of the day.

    Parameters
    ----------
    data
        The extract with containers and trucks.
    found
        As from `hours`.
    distance
        Metres from a junction, as the crow flies, within which its congestion counts.

    Returns
    -------
    pandas.DataFrame
        `NEAR`: one row per place and span of avoided hours, start and end in minutes of the day,
        with the junctions that they are avoided for; state is `USED`, or `STUCK` where each hour
        in which trucks are out is congested: such a place is served as ever. In order of place
        and start.
    """
    if not distance > 0:
        raise DatamallError(f"distance is {distance}: set it above 0 in params.yaml.")
    if CONTAINERS not in data or not {"x", "y"} <= set(data[CONTAINERS]):
        return Absent(TITLE, f"Not possible here: {CONTAINERS} is not delivered with x and y.")
    places = data[CONTAINERS][["cluster", "x", "y"]].astype({"x": float, "y": float})
    own = found[found["state"] == USED]
    pairs = places.assign(place=places["cluster"].astype(str)).merge(
        own[["site", "x", "y", "hour"]], how="cross", suffixes=("", "_site")
    )
    away = np.hypot(pairs["x"] - pairs["x_site"], pairs["y"] - pairs["y_site"])
    pairs = pairs[away <= distance].sort_values(["place", "hour", "site"])
    out = _out(data)
    spans = []
    for (place, x, y), mine in pairs.groupby(["place", "x", "y"]):
        congested = set(mine["hour"])
        state = STUCK if out <= congested else USED
        for first, last in _spans(sorted(congested)):
            sites = mine.loc[mine["hour"].between(first, last), "site"]
            names = ", ".join(sorted(set(sites)))
            spans.append((place, x, y, names, 60 * first, 60 * last + 60, state))
    return pd.DataFrame(spans, columns=list(NEAR))


def _out(data: Tables) -> set[int]:
    """Return the hours in which trucks are out; all of the day where no shift is known."""
    fleet = data.get(TRUCKS, pd.DataFrame())
    if not len(fleet) or not {"shift_start", "shift_end"} <= set(fleet):
        return set(range(24))
    start, end = int(fleet["shift_start"].min()), int(fleet["shift_end"].max())
    return set(range(start // 60, -(-end // 60)))


def _spans(whole: list[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each run of hours."""
    for _, run in groupby(enumerate(whole), key=lambda pair: pair[1] - pair[0]):
        own = [hour for _, hour in run]
        yield own[0], own[-1]


def rows(around: pd.DataFrame | Absent, day: pd.Timestamp) -> pd.DataFrame:
    """Return what `routing.redirect` avoids (`AVOID`): none where `around` is an `Absent`."""
    if isinstance(around, Absent):
        return pd.DataFrame(columns=list(AVOID), dtype=float)
    own = around[around["state"] == USED]
    return own.assign(radius=SAME_SPOT, weekday=day.isoweekday())[list(AVOID)]


@passes_absent
def moved(around: pd.DataFrame, made: Redirect, without: Redirect) -> pd.DataFrame | Absent:
    """Return the stops that would have been made in avoided hours, and what became of each.

    Parameters
    ----------
    around
        As from `near`.
    made, without
        The plan that avoids these hours, and the one that does not.

    Returns
    -------
    pandas.DataFrame
        `MOVED`: truck and then (time) without, site and hours that are avoided, and outcome: which
        truck comes when, or why none does. In order of truck and then.
    """
    own = without.plan.stops[without.plan.stops["kind"].isin(list(KINDS))]
    told = _outcomes(made)
    found = [
        (stop.truck, stop.place, stop.kind, span.site, _hours(span), clock(stop.arrival),
         _said(told, (stop.place, stop.kind), span))
        for stop, span in _within(own, around, own["arrival"] / 60, own["departure"] / 60)
    ]  # fmt: skip
    return pd.DataFrame(found, columns=list(MOVED))


@passes_absent
def conflicts(
    data: Tables, around: pd.DataFrame, made: Redirect, day: pd.Timestamp
) -> pd.DataFrame | Absent:
    """Return the stops of regular rounds that are planned for an avoided hour of their street.

    Parameters
    ----------
    data, day
        The extract with rounds, and the morning.
    around, made
        As from `near` and `morning.plan`.

    Returns
    -------
    pandas.DataFrame
        `CONFLICTS`: truck, place and time of the round as it is delivered, the junction and its
        hours, and outcome, which truck comes when today. In order of truck and time.
    """
    if ROUNDS not in data:
        return Absent(TITLE, f"Not possible here: the authority does not deliver {ROUNDS}.")
    table = data[ROUNDS].astype({"truck": str, "cluster": str})
    own = table[table["weekday"] == day.isoweekday()].rename(columns={"cluster": "place"})
    told = _outcomes(made)
    start = own["start"].astype(float)
    ends = start + own["service_seconds"].astype(float) / 60
    found = [
        (stop.truck, stop.place, clock(60 * stop.start), span.site, _hours(span),
         _said(told, (stop.place, "full"), span))
        for stop, span in _within(own, around, start, ends)
    ]  # fmt: skip
    return pd.DataFrame(found, columns=list(CONFLICTS))


def _within(
    stops: pd.DataFrame, around: pd.DataFrame, begin: pd.Series, end: pd.Series
) -> Iterator[tuple[Any, Any]]:
    """Yield each stop that lies in an avoided span of its place with that span, in order."""
    spans = {place: [*own.itertuples()] for place, own in
             around[around["state"] == USED].groupby("place")}  # fmt: skip
    table = stops.assign(begin=begin, end=end).sort_values(["truck", "begin", "place"])
    for stop in table.itertuples():
        for span in spans.get(stop.place, []):
            if stop.begin < span.end and stop.end > span.start:
                yield stop, span


def _outcomes(made: Redirect) -> dict[tuple[str, str], tuple[str, float]]:
    """Return of each place and kind its truck and arrival (s), or why there is none, and NaN."""
    lost = made.plan.left_out
    reasons = zip(lost["place"], lost["kind"], lost["reason"], strict=True)
    told = {(place, kind): (f"{NOT_THERE}: {reason}", np.nan) for place, kind, reason in reasons}
    stops = made.plan.stops[["place", "kind", "truck", "arrival"]].itertuples(index=False)
    return told | {(s.place, s.kind): (s.truck, float(s.arrival)) for s in stops}


def _said(told: dict[Any, tuple[str, float]], key: tuple[str, str], span: Any) -> str:
    """Return what becomes of a stop; a truck that is there early waits for the end of the span."""
    truck, arrival = told.get(key, (NOT_THERE, np.nan))
    if np.isnan(arrival):
        return truck
    waits = span.start <= arrival / 60 < span.end
    return f"{truck} at {clock(60 * span.end if waits else arrival)}"


def _hours(span: Any) -> str:
    return f"{clock(60 * span.start)}–{clock(60 * span.end)}"


@passes_absent
def cost(made: Redirect, without: Redirect, changed: pd.DataFrame) -> pd.DataFrame:
    """Return what avoiding costs each truck.

    Parameters
    ----------
    made, without
        As for `moved`.
    changed
        As from `moved`.

    Returns
    -------
    pandas.DataFrame
        truck, moved (stops of its plan without that lay in avoided hours), stops, musts among them
        and minutes (of its round) with and, as ``_without``, without, and more (minutes). Where
        the search plans other rounds this is between two good plans, not the least possible.
    """
    if not len(made.trucks):
        return pd.DataFrame(columns=list(SPENT))
    own = made.trucks.merge(without.trucks, on="truck", suffixes=("", "_without"))
    number = changed["truck"].value_counts()
    own["moved"] = own["truck"].map(number).fillna(0).astype(int)
    own["minutes_without"], own["minutes"] = own["seconds_without"] / 60, own["seconds"] / 60
    own["more"] = own["minutes"] - own["minutes_without"]
    return own[list(SPENT)]
