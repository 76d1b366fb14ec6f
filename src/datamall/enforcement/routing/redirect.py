"""Rounds under way, changed for what was found since, beside doing nothing.

Drivers gave up on plans that changed all day. So a round keeps its order unless a change gains
more than a threshold, and the stop that a truck drives to already is never taken from it.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from datamall.enforcement.routing.absences import NOBODY, absent
from datamall.enforcement.routing.day import Step, prepare
from datamall.enforcement.routing.duties import duties
from datamall.enforcement.routing.duties import sites as open_sites
from datamall.enforcement.routing.insertion import insert
from datamall.enforcement.routing.plan import STOPS, Plan, in_order, refusals, stops
from datamall.enforcement.routing.problem import Problem, Rounds, model
from datamall.enforcement.routing.refusals import complete, fit, left_out
from datamall.enforcement.routing.settings import Settings
from datamall.enforcement.routing.waiting import around
from datamall.errors import DatamallError

REST = ("truck", "turn", "place", "kind")
CHANGES = ("truck", "change", "place", "kind", "other", "value", "reason")
ADD, DROP, TAKE, GIVE = "adds", "drops", "takes over", "hands over"


@dataclass(frozen=True)
class Redirect:
    """A changed plan beside the unchanged one.

    Attributes
    ----------
    plan
        Stops from now on, what is left out and why, refusals: see `Plan`.
    nothing
        The stops of the rounds as they are, timed again from now on.
    changes
        What each truck adds, drops, takes over and hands over: truck, change, place, kind, other
        (truck, where one hands over to another), value (dirty days) and reason.
    trucks
        One row per truck: stops, musts among them, value (dirty days), metres, seconds (of the
        round) and home (s of the day) with the change and, as ``…_before``, without; reordered,
        whether stops that stay have another order; and gain, in seconds: what the nuisance
        prevented is worth, less the time. A truck that helps another may lose; together they serve
        more musts, or as many and lose nothing.
    """

    plan: Plan
    nothing: pd.DataFrame
    changes: pd.DataFrame
    trucks: pd.DataFrame


def redirect(
    candidates: pd.DataFrame,
    rest: pd.DataFrame,
    trucks: pd.DataFrame,
    under_way: pd.DataFrame,
    sites: pd.DataFrame | None,
    settings: Settings,
    *,
    roads: pd.DataFrame | None = None,
    avoid: pd.DataFrame | None = None,
    weekday: int = 1,
    vetoes: pd.DataFrame | None = None,
) -> Redirect:
    """Return what each truck under way had better do from now on.

    Parameters
    ----------
    candidates
        As for `refusals.fit`: the rest of the rounds and what was found since.
    rest
        The columns of `REST`: what is left of each truck's round, each of it a candidate.
    trucks, under_way, sites
        As for `duties.duties` and `duties.sites`.
    settings
        With the threshold.
    roads, avoid, weekday, vetoes
        As for `prepare`.

    Raises
    ------
    DatamallError
        When a table has not what it needs, or a stop of the rest is no candidate.

    Notes
    -----
    Doing nothing: each truck drives its rest in order, unloads at the nearest site when the next
    stop does not fit, and skips what it cannot reach in time or no longer serves. The search
    starts from there, once what a truck would stand still for is put elsewhere in its round
    (`around`), and what it changes is kept per group of trucks that exchange stops, where
    it gains the threshold: no plan is worse than doing nothing.
    """
    complete(rest, REST, "The rests of the rounds")
    known = set(zip(candidates["place"].astype(str), candidates["kind"].astype(str), strict=True))
    for truck, place, kind in zip(rest["truck"], rest["place"], rest["kind"], strict=True):
        if (str(place), str(kind)) not in known:
            raise DatamallError(
                f"{place} ({kind}) of the round of {truck} is no candidate: give what serving it "
                "prevents, or take it from the rest."
            )
    found, out = fit(candidates)
    able, refused = duties(trucks, under_way)
    own = open_sites(sites)
    day, more = prepare(
        found, able, own, settings, roads=roads, avoid=avoid, weekday=weekday, vetoes=vetoes
    )
    empty = pd.DataFrame(columns=list(STOPS))
    if not day.duties:
        lost = in_order([out, left_out(day.candidates, NOBODY)])
        plan = Plan(empty, lost, refusals([refused, more], sites, own, lost))
        return Redirect(plan, empty, pd.DataFrame(columns=list(CHANGES)), pd.DataFrame())
    problem = model(day, settings)
    nothing = undisturbed(problem, rest)
    rounds = calm(problem, nothing, settings)
    assert problem.total(rounds) <= problem.total(nothing)
    lost = in_order([out, absent(problem, rounds, settings, settings.threshold)])
    tables = [stops(problem, which) for which in (rounds, nothing)]
    return Redirect(
        Plan(tables[0], lost, refusals([refused, more], sites, own, lost)),
        tables[1],
        _changes(problem, nothing, rounds, lost),
        _trucks(problem, nothing, rounds),
    )


def undisturbed(problem: Problem, rest: pd.DataFrame) -> Rounds:
    """Return the rounds that the trucks drive if nobody redirects them."""
    day, rounds = problem.day, []
    rows = day.rows()
    ordered = rest.astype({"truck": str, "place": str, "kind": str}).sort_values("turn")
    done = {step.number for steps in day.before for step in steps if not step.at_site}
    for truck, duty in enumerate(day.duties):
        steps: list[Step] = []
        mine = ordered[ordered["truck"] == duty["truck"]]
        for stop in zip(mine["place"], mine["kind"], strict=True):
            row = rows.get(stop)
            if row is None or row in done or not day.able[truck, row]:
                continue
            way = problem.reached(truck, steps, row)
            if way:
                steps += way
                done.add(row)
        rounds.append(steps)
    return rounds


def calm(problem: Problem, nothing: Rounds, settings: Settings) -> Rounds:
    """Return better rounds of which each change gains the threshold, or those that there are.

    First a truck that would stand before a closed door, or wait for an avoided hour to end, goes
    there earlier or later; then what is new is put between the stops in their order. Only where
    planning anew gains the threshold beside that, for each stop that another truck then serves or
    nobody and each truck with another order, trucks change their order or exchange stops.
    """
    least = settings.threshold
    added = insert(problem, around(problem, nothing, least), least)
    searched = _without_trifles(problem, nothing, problem.search(settings, added), least)
    rounds = list(added)
    for group in _groups(added, searched):
        gain = sum(problem.cost(t, added[t]) - problem.cost(t, searched[t]) for t in group)
        if gain > 0 and gain >= least * _changed(added, searched, group):
            for truck in group:
                rounds[truck] = searched[truck]
    return insert(problem, rounds, least)


def _without_trifles(problem: Problem, nothing: Rounds, rounds: Rounds, least: float) -> Rounds:
    """Return rounds without what is new in them and gains less than the threshold."""
    before = _served(nothing)
    rounds = [list(steps) for steps in rounds]
    for truck, steps in enumerate(rounds):
        for step in [one for one in steps if not one.at_site and one.number not in before]:
            shorter = [other for other in rounds[truck] if other != step]
            gain = problem.cost(truck, shorter) - problem.cost(truck, rounds[truck])
            if gain < least and problem.route(truck, shorter).is_feasible():
                rounds[truck] = shorter
    return rounds


def _served(rounds: Rounds) -> dict[int, int]:
    """Return the truck of each candidate that is served."""
    return {step.number: truck for truck, steps in enumerate(rounds) for step in steps
            if not step.at_site}  # fmt: skip


def _changed(before: Rounds, after: Rounds, group: list[int]) -> int:
    """Return how many stops of some trucks are served by another or none, and trucks reordered."""
    then, now = _served(before), _served(after)
    stops = [row for row in then.keys() | now.keys() if {then.get(row), now.get(row)} & set(group)]
    moved = sum(then.get(row) != now.get(row) for row in stops)
    return moved + sum(_reordered(before[truck], after[truck]) for truck in group)


def _reordered(before: list[Step], after: list[Step]) -> bool:
    """Return whether the stops that stay in a round have another order."""
    rows = [[step.number for step in steps if not step.at_site] for steps in (before, after)]
    both = set(rows[0]) & set(rows[1])
    kept = [[row for row in own if row in both] for own in rows]
    return kept[0] != kept[1]


def _groups(before: Rounds, after: Rounds) -> list[list[int]]:
    """Return the groups of trucks of which no stop goes to another group."""
    group = list(range(len(before)))
    then, now = _served(before), _served(after)
    for row in then.keys() & now.keys():
        one, other = group[then[row]], group[now[row]]
        group = [min(one, other) if own in (one, other) else own for own in group]
    return [
        [truck for truck, own in enumerate(group) if own == name] for name in sorted(set(group))
    ]


def _changes(problem: Problem, nothing: Rounds, rounds: Rounds, lost: pd.DataFrame) -> pd.DataFrame:
    """Return what each truck adds, drops, takes over and hands over."""
    day, before, after = problem.day, _served(nothing), _served(rounds)
    reasons = {(place, kind): reason for place, kind, reason in
               zip(lost["place"], lost["kind"], lost["reason"], strict=True)}  # fmt: skip
    names = [duty["truck"] for duty in day.duties]
    found = []
    for row in sorted(before.keys() | after.keys()):
        own = day.candidates.iloc[row]
        what = (own["place"], own["kind"])
        then, now = before.get(row), after.get(row)
        told = (own["value"], own["reason"])
        if then is None and now is not None:
            found.append((names[now], ADD, *what, "", *told))
        elif now is None and then is not None:
            found.append((names[then], DROP, *what, "", own["value"], reasons[what]))
        elif then is not None and now is not None and then != now:
            found.append((names[now], TAKE, *what, names[then], *told))
            found.append((names[then], GIVE, *what, names[now], *told))
    table = pd.DataFrame(found, columns=list(CHANGES))
    return table.sort_values(["truck", "change", "place", "kind"], ignore_index=True)


def _trucks(problem: Problem, nothing: Rounds, rounds: Rounds) -> pd.DataFrame:
    """Return each truck's round with the change and without."""
    places, rows = problem.day.candidates, []
    for truck, duty in enumerate(problem.day.duties):
        row: dict[str, Any] = {"truck": duty["truck"]}
        won = []
        for steps, end in ((rounds[truck], ""), (nothing[truck], "_before")):
            served = [step.number for step in steps if not step.at_site]
            last = problem.day.drive(truck, steps).passages[-1]
            own = places.iloc[served]
            row |= {
                "stops" + end: len(served),
                "musts" + end: int((own["demand"] == "must").sum()),
                "value" + end: float(own["value"].sum()),
                "metres" + end: last.metres,
                "seconds" + end: int(problem.route(truck, steps).duration()),
                "home" + end: last.arrival,
            }
            won.append(int(problem.worth[served].sum()) - int(row["seconds" + end]))
        reordered = _reordered(nothing[truck], rounds[truck])
        rows.append(row | {"reordered": reordered, "gain": won[0] - won[1]})
    return pd.DataFrame(rows)
