"""Words of the trucks: the answer, what is to be seen in each figure, and headings."""

from typing import TypeAlias

import pandas as pd

from datamall.requirements import Absent, passes_absent
from datamall.traffic.trucks import DOUBT, MOVE, STUCK
from datamall.traffic.words import counted

Result: TypeAlias = pd.DataFrame | Absent

# Headings of columns whose names do not say enough.
HEADINGS = {
    "basis": "Judged by",
    "calm_chance": "Congested then",
    "calm_hour": "Calm hour",
    "chance": "Share of weeks congested",
    "cluster": "Place",
    "congested": "Stops in congested hours",
    "decided_by_role": "Decided by (role)",
    "high": "To",
    "if_late": "Congested an hour later",
    "interval": "Interval (min)",
    "least": "Fewest in a week",
    "low": "From",
    "metres": "To the junction (m)",
    "minutes": "Minutes of service",
    "most": "Most in a week",
    "movable": "With a calm hour that day",
    "near": "Stops near a junction",
    "site": "Junction",
    "start": "Start (minute of the day)",
    "stops": "Stops",
    "weekday": "Weekday",
}


def answer(totals: Result, confidence: float) -> str:
    """Return the answer with its interval, short enough for a small screen.

    Parameters
    ----------
    totals
        As from `trucks.totals`.
    confidence
        Level of the interval.
    """
    if isinstance(totals, Absent):
        return (
            "Which stops lie in congested hours cannot be said: planned rounds near junctions that "
            "count are not known."
        )
    own = totals.iloc[0]
    text = f"Of {counted(own['stops'], 'stop')} a week, {own['near']:,} are near a junction that "
    if pd.isna(own["congested"]):
        return f"{text}counts; in no week were enough hours counted to say which are congested."
    return (
        f"{text}counts; {own['congested']:.0f} of these ({100 * confidence:g} % interval "
        f"{own['low']:.0f} to {own['high']:.0f}) fall in congested hours, {own['movable']:.0f} of "
        "them with a calm hour the same day. Of the others traffic knows nothing."
    )


def metrics(totals: Result, changes: Result) -> dict[str, float]:
    """Return the numbers worth following from run to run, by name.

    Parameters
    ----------
    totals, changes
        As from `trucks.totals` and `trucks.changes`.
    """
    numbers: dict[str, float] = {}
    if not isinstance(totals, Absent):
        columns = ["stops", "near", "congested", "low", "high", "movable", "minutes"]
        numbers |= {name: float(totals.iloc[0][name]) for name in columns}
    if not isinstance(changes, Absent):
        numbers["changes"] = float((changes["verdict"] == MOVE).sum())
    return numbers


@passes_absent
def describe_totals(table: pd.DataFrame, label: str) -> str:
    """Say which weekday or truck has most stops in congested hours; `label` is its column."""
    own = table[table[label] != "all week"].dropna(subset="congested")
    if own.empty:
        return "In no week enough hours were counted."
    top = own.loc[own["congested"].idxmax()]
    return (
        f"Stops a week in congested hours, by {label}. Most: {top[label]}, {top['congested']:.1f} "
        f"({top['low']:.1f} to {top['high']:.1f}) of {counted(top['near'], 'stop')} near junctions."
    )


@passes_absent
def describe_map(places: pd.DataFrame) -> str:
    """Say how many places are concerned; `places` as from `trucks.on_map`."""
    number = places["verdict"].value_counts()
    parts = [f"{number[name]} {name}" for name in (MOVE, STUCK, DOUBT) if name in number]
    return f"Map of {counted(len(places), 'place')} with a planned stop: {', '.join(parts) or 0}."
