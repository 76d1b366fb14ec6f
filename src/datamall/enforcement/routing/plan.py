"""The plan of a day: who goes where and when, what is left out and why, what was refused."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from datamall.enforcement.routing.absences import NOBODY, absent
from datamall.enforcement.routing.day import Day, Step, prepare
from datamall.enforcement.routing.duties import REFUSALS, duties
from datamall.enforcement.routing.duties import sites as open_sites
from datamall.enforcement.routing.insertion import insert
from datamall.enforcement.routing.problem import Problem, Rounds, model
from datamall.enforcement.routing.refusals import fit, left_out
from datamall.enforcement.routing.settings import Settings

STOPS = (
    *("truck", "turn", "place", "kind", "x", "y", "arrival", "departure", "volume", "mass"),
    *("metres", "value", "reason"),
)
DISPOSAL, BREAK, HOME = "disposal", "break", "depot"


@dataclass(frozen=True)
class Plan:
    """A plan.

    Attributes
    ----------
    stops
        One row per stop, in order of truck and turn: truck, turn (from 1), place (the site's
        name at a disposal trip), kind (of the waste, or `DISPOSAL`, `BREAK`, `HOME`), x, y (m),
        arrival and departure (s of the day), volume (m³) and mass (kg) on board after it, metres
        driven so far, value (dirty days prevented there) and reason.
    left_out
        Candidates that are in no round: place, kind, demand, value and reason.
    refusals
        What could not be planned as delivered: subject, and a sentence that says what would make
        it possible.
    """

    stops: pd.DataFrame
    left_out: pd.DataFrame
    refusals: pd.DataFrame


def plan(
    candidates: pd.DataFrame,
    trucks: pd.DataFrame,
    sites: pd.DataFrame | None,
    settings: Settings,
    *,
    roads: pd.DataFrame | None = None,
    avoid: pd.DataFrame | None = None,
    weekday: int = 1,
    vetoes: pd.DataFrame | None = None,
) -> Plan:
    """Return the plan of a day from its morning on.

    Parameters
    ----------
    candidates
        As for `refusals.fit`.
    trucks, sites
        As for `duties.duties` and `duties.sites`.
    settings
        Assumptions and the amount of search.
    roads, avoid, weekday, vetoes
        As for `prepare`.

    Raises
    ------
    DatamallError
        When a table has not the columns or numbers that it needs.
    """
    found, out = fit(candidates)
    able, refused = duties(trucks)
    own = open_sites(sites)
    day, more = prepare(
        found, able, own, settings, roads=roads, avoid=avoid, weekday=weekday, vetoes=vetoes
    )
    if day.duties:
        problem = model(day, settings)
        start = insert(problem, [[] for _ in day.duties])
        rounds = insert(problem, problem.search(settings, start))
        served, left = stops(problem, rounds), absent(problem, rounds, settings)
    else:
        served, left = pd.DataFrame(columns=list(STOPS)), left_out(day.candidates, NOBODY)
    lost = in_order([out, left])
    return Plan(served, lost, refusals([refused, more], sites, own, lost))


def in_order(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return what is left out in order of place and kind."""
    whole = pd.concat(parts, ignore_index=True)
    return whole.sort_values(["place", "kind", "reason"], ignore_index=True)


def refusals(
    parts: list[pd.DataFrame],
    sites: pd.DataFrame | None,
    usable: pd.DataFrame,
    left: pd.DataFrame,
) -> pd.DataFrame:
    """Return all refusals: of trucks, of disposal sites, and of places that must be served."""
    own = []
    if usable.empty:
        own.append(
            (
                "disposal sites",
                "No disposal site is delivered that is open and has coordinates: each truck makes "
                "one load; a site would let it go on when it is full.",
            )
        )
    elif sites is not None and len(usable) < len(sites):
        lost = sorted(set(sites["site"].astype(str)) - set(usable["site"]))
        own += [(name, f"{name} has no coordinates, or closes before anybody is unloaded: correct "
                 "it, and trucks can unload there.") for name in lost]  # fmt: skip
    own += [
        (place, f"{place} ({kind}) must be served and is not: {reason}.")
        for place, kind, reason in left.loc[
            left["demand"] == "must", ["place", "kind", "reason"]
        ].itertuples(index=False)
    ]
    return pd.concat([*parts, pd.DataFrame(own, columns=list(REFUSALS))], ignore_index=True)


def stops(problem: Problem, rounds: Rounds) -> pd.DataFrame:
    """Return rounds as a table: see `Plan.stops`. A truck without any step has no rows."""
    day, rows = problem.day, []
    for truck, steps in enumerate(rounds):
        whole = [*day.before[truck], *steps]
        if not whole:
            continue
        duty = day.duties[truck]
        leaves = None
        if steps and not duty["under_way"]:
            leaves = int(problem.route(truck, steps).start_time())
        driven = day.drive(truck, steps, leaves)
        own = [
            {
                **_what(day, truck, step),
                "arrival": passage.arrival,
                "departure": passage.departure,
                "volume": passage.litres / 1000,
                "mass": passage.kilograms,
                "metres": passage.metres,
            }
            for step, passage in zip([*whole, None], driven.passages, strict=True)
        ]
        if driven.pause is not None:
            begin, end = driven.pause
            turn = next(i for i, row in enumerate(own) if row["departure"] > begin)
            before = own[turn - 1] if turn else _start(duty)
            rest = {"place": "", "kind": BREAK, "arrival": begin, "departure": end}
            own.insert(turn, before | rest | {"value": 0.0, "reason": "break of the crew"})
        rows += [row | {"truck": duty["truck"], "turn": i} for i, row in enumerate(own, 1)]
    return pd.DataFrame(rows, columns=list(STOPS))


def _start(duty: dict[str, Any]) -> dict[str, Any]:
    """Return where and how a truck starts."""
    return {
        "x": duty["x"],
        "y": duty["y"],
        "volume": duty["load_litres"] / 1000,
        "mass": duty["load_kilograms"],
        "metres": 0,
    }


def _what(day: Day, truck: int, step: Step | None) -> dict[str, Any]:
    """Return what a stop is; None is the way home."""
    if step is None:
        own = day.duties[truck]
        what = {"place": "", "kind": HOME, "x": own["depot_x"], "y": own["depot_y"]}
        return what | {"value": 0.0, "reason": "end of the round"}
    if step.at_site:
        site = day.sites.iloc[step.number]
        what = {"place": site["site"], "kind": DISPOSAL, "x": site["x"], "y": site["y"]}
        return what | {"value": 0.0, "reason": "to unload"}
    own = day.candidates.iloc[step.number]
    return {name: own[name] for name in ("place", "kind", "x", "y", "value", "reason")}
