"""A round that is changed on the way, for what was reported and found since the morning.

The plan of the morning is given; what is left of it, and what is new, goes to `routing.redirect`.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from datamall.enforcement import (
    avoided,
    avoided_words,
    crews,
    fills,
    foresight,
    histories,
    morning,
    state,
    taken_over,
)
from datamall.enforcement.crew_facts import facts
from datamall.enforcement.information import Tables
from datamall.enforcement.routing import Redirect, Settings, redirect_by_kinds
from datamall.enforcement.routing.redirect import ADD, TAKE
from datamall.enforcement.state import State
from datamall.errors import DatamallError
from datamall.requirements import Absent

UNDER_WAY = "enforcement.under_way"
PLANNED = ("truck", "turn", "place", "kind")


def under_way(data: Tables, moment: pd.Timestamp) -> pd.DataFrame:
    """Return the last state of each truck on a day, as it was known at a moment of it.

    Raises
    ------
    DatamallError
        When no truck has said where it is by then.
    """
    table = data.get(UNDER_WAY, pd.DataFrame(columns=["truck", "day", "minute"]))
    time = histories.moments(table)
    own = table[(time <= moment) & (time >= moment.normalize())].astype({"truck": str})
    own = own.sort_values(["truck", "minute"]).drop_duplicates("truck", keep="last")
    if own.empty:
        raise DatamallError(
            f"No truck has said where it is by {moment:%Y-%m-%d %H:%M}: deliver {UNDER_WAY}, or "
            "leave the plan of the morning as it is."
        )
    own = own.assign(minute=moment.hour * 60 + moment.minute)
    return own.reset_index(drop=True)


def left(planned: pd.DataFrame, states: pd.DataFrame, stops: pd.DataFrame) -> pd.DataFrame:
    """Return what is left of the rounds of the trucks under way.

    Parameters
    ----------
    planned
        The stops of the morning's plan: `PLANNED`.
    states
        As from `under_way`.
    stops
        As from `crews.stops`: those of this day.

    Returns
    -------
    pandas.DataFrame
        `PLANNED`. A round goes on at the place that its truck drives to; where that is not of the
        plan, after as many stops as the truck has made. What came of a stop already is left out.
    """
    planned = planned[planned["kind"].isin(list(crews.KINDS))]
    made = set(zip(stops["truck"], stops["cluster"], strict=True))
    rounds = [planned.iloc[:0]]
    for one in states.itertuples():
        own = planned[planned["truck"] == one.truck].sort_values("turn")
        at = np.flatnonzero((own["place"] == one.next_place).to_numpy())
        own = own.iloc[at[0] if len(at) else int(one.stops_done) :]
        rounds.append(own[[(one.truck, place) not in made for place in own["place"]]])
    return pd.concat(rounds, ignore_index=True)[list(PLANNED)]


def plan(
    data: Tables,
    planned: pd.DataFrame,
    now: pd.DataFrame,
    learnt: State,
    moment: pd.Timestamp,
    settings: Settings,
    levels: pd.DataFrame | Absent | None = None,
    avoid: pd.DataFrame | None = None,
) -> tuple[Redirect, pd.DataFrame]:
    """Return what each truck under way had better do from now on, and what is new since morning.

    Parameters
    ----------
    data
        The extract, with what was delivered since the morning.
    planned
        The stops of the morning's plan: `PLANNED`.
    now
        As from `state.today` at the moment.
    learnt
        As from `state.fit` on the morning.
    moment
        Day and time.
    settings, avoid
        See `routing.redirect`.
    levels
        As from `fills.levels` at the moment.

    Returns
    -------
    tuple
        The `Redirect`; and place, kind and reason of what was reported, found or read as full on
        this day and must be served.

    Raises
    ------
    DatamallError
        When no truck has said where it is, or the places are not delivered with coordinates.
    """
    known = histories.before(data, moment)
    states, said = under_way(data, moment), crews.stops(known)
    rest = left(planned, states, said[said["day"] == moment.normalize()])
    used = taken_over.on_a_day(data, moment)
    pairs = set(zip(rest["place"], rest["kind"], strict=True))
    wanted = morning.candidates(data, now, learnt, moment, 0, pairs, levels, used)
    if not isinstance(wanted, pd.DataFrame):
        raise DatamallError(wanted.reason)
    mine = {*zip(planned["place"], planned["kind"], strict=True)}
    # A stop of the plan that a truck has passed, or that another makes, is no truck's here.
    gone = _among(wanted, mine - pairs) | (wanted["reason"] == morning.REGULAR).to_numpy()
    wanted = wanted[~gone | _among(wanted, pairs)]
    made = redirect_by_kinds(
        *(wanted, rest, data[morning.TRUCKS].astype({"truck": str}), states),
        *(data.get(morning.SITES), settings),
        avoid=avoid,
        weekday=moment.isoweekday(),
        vetoes=crews.vetoes(known, moment),
    )
    new = wanted["place"].isin(_of_today(known, moment))
    if isinstance(levels, pd.DataFrame):
        read = levels.loc[levels["read"] >= moment.normalize(), "cluster"]
        new |= fills.by_level(levels, wanted) & wanted["place"].isin(read)
    new &= (wanted["demand"] == "must") & ~_among(wanted, pairs)
    return made, wanted.loc[new, ["place", "kind", "reason"]].reset_index(drop=True)


def _among(table: pd.DataFrame, pairs: set[tuple[str, str]]) -> np.ndarray:
    """Return whether place and kind of each row are among some."""
    rows = zip(table["place"], table["kind"], strict=True)
    return np.fromiter((pair in pairs for pair in rows), dtype=bool, count=len(table))


def changed(
    data: Tables, planned: pd.DataFrame, moment: pd.Timestamp, own: Mapping[str, Any]
) -> tuple[Redirect, pd.DataFrame, pd.DataFrame, str]:
    """Learn what lies there now and change the rounds under way.

    Parameters
    ----------
    data, planned, moment
        As for `plan`.
    own
        The parameters of the report of the morning.

    Returns
    -------
    tuple
        The two of `plan`; the stops from now on as a crew reads them, with new: whether a change
        put them into the round of their truck; and which hours are avoided, in a sentence.

    Raises
    ------
    DatamallError
        As `plan`, and where what lies there is not known.
    """
    day, confidence = moment.normalize(), own["confidence"]
    learnt = state.fit(data, day, confidence)
    scores, _ = morning.both(foresight.held_out(data, day, own["weeks"], confidence))
    now = state.today(data, learnt, scores, moment)
    if isinstance(now, Absent) or isinstance(learnt, Absent):
        raise DatamallError(f"What lies there now is not known: {now.reason}")
    settings = Settings(**{field.name: own[field.name] for field in fields(Settings)})
    congested = avoided.hours(data, day, own["often"], own["oldest"])
    around = avoided.near(data, congested, own["distance"])
    avoid = avoided.rows(around, day)
    limits = fills.Limits(**{field.name: own[field.name] for field in fields(fills.Limits)})
    levels = fills.levels(data, moment, limits)
    made, new = plan(data, planned, now, learnt, moment, settings, levels, avoid)
    said = avoided_words.told(congested, around, day)
    return made, new, marked(facts(now, made.plan.stops, levels), made.changes), said


def marked(stops: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Return stops with new, whether a change put them into the round of their truck."""
    own = changes[changes["change"].isin((ADD, TAKE))]
    put_in = set(zip(own["truck"], own["place"], own["kind"], strict=True))
    keys = zip(stops["truck"], stops["place"], stops["kind"], strict=True)
    return stops.assign(new=[key in put_in for key in keys])


def _of_today(known: Tables, moment: pd.Timestamp) -> set[str]:
    """Return the places of which somebody said something on this day."""
    day = moment.normalize()
    seen, told = histories.looks(known), histories.first_reports(known)
    return {*seen.loc[seen["day"] >= day, "cluster"], *told.loc[told["opened"] >= day, "cluster"]}
