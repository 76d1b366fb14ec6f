"""Stops in an order that people drive by themselves: down a list, or always to the nearest.

Trucks, shifts, loads, hours, breaks and travel are those of a plan, so that it can be set beside.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamall.enforcement.routing.day import Day, Step, prepare
from datamall.enforcement.routing.duties import duties
from datamall.enforcement.routing.duties import sites as open_sites
from datamall.enforcement.routing.problem import Problem, Rounds, model
from datamall.enforcement.routing.refusals import fit
from datamall.enforcement.routing.settings import Settings

DRIVEN = ("truck", "stops", "musts", "value", "metres", "home")
ANY = ""  # the truck of a stop that is made by whoever comes first


def in_other_order(
    candidates: pd.DataFrame,
    listed: pd.DataFrame,
    trucks: pd.DataFrame,
    under_way: pd.DataFrame,
    sites: pd.DataFrame | None,
    settings: Settings,
    *,
    nearest: bool,
    **day: Any,
) -> pd.DataFrame:
    """Return what each truck does without a plan.

    Parameters
    ----------
    candidates, trucks, under_way, sites, settings, day
        As for `redirect`.
    listed
        truck (or `ANY`), place and kind, in the order of the list.
    nearest
        Whether a truck goes to the nearest of the stops that are left, or to the first of the list.

    Returns
    -------
    pandas.DataFrame
        truck, stops (reached), musts among them, value (dirty days prevented), metres, and home (s
        of the day).

    Notes
    -----
    The truck that is free first chooses first. It unloads at the nearest site when the next stop
    does not fit, as trucks do that nobody redirects; what it cannot reach and be home in time it
    leaves, and tries the next.
    """
    own = candidates.merge(listed[["place", "kind"]].drop_duplicates(), on=["place", "kind"])
    found, _ = fit(own)
    able, _ = duties(trucks, under_way)
    whole, _ = prepare(found, able, open_sites(sites), settings, **day)
    if not whole.duties:
        return pd.DataFrame(columns=list(DRIVEN))
    rows = []
    for truck, steps in enumerate(_driven(model(whole, settings), listed, nearest)):
        served = [step.number for step in steps if not step.at_site]
        about = whole.candidates.iloc[served]
        last = whole.drive(truck, steps).passages[-1]
        musts, value = int((about["demand"] == "must").sum()), float(about["value"].sum())
        name = whole.duties[truck]["truck"]
        rows.append((name, len(served), musts, value, last.metres, last.arrival))
    return pd.DataFrame(rows, columns=list(DRIVEN))


def _driven(problem: Problem, listed: pd.DataFrame, nearest: bool) -> Rounds:
    """Return the rounds in which the stops of a list are made."""
    day = problem.day
    rows = day.rows()
    pairs = zip(listed["place"].astype(str), listed["kind"].astype(str), strict=True)
    numbers = np.array([rows.get(pair, -1) for pair in pairs], dtype=np.int64)
    # Each stop once, where the list has it first; what no truck could serve is no candidate.
    first = np.unique(numbers, return_index=True)[1]
    first = np.sort(first[numbers[first] >= 0])
    names = listed["truck"].astype(str).iloc[first]
    mine = [names.isin([ANY, str(duty["truck"])]).to_numpy() for duty in day.duties]
    return append(problem, [[] for _ in day.duties], numbers[first], mine, nearest)


def append(
    problem: Problem,
    rounds: Rounds,
    numbers: npt.NDArray[np.int64],
    mine: Sequence[npt.NDArray[np.bool_]],
    nearest: bool,
) -> Rounds:
    """Return rounds that go on with other stops; the truck that is free first chooses first.

    Parameters
    ----------
    problem, rounds
        The day, and what its trucks do before.
    numbers
        Candidates in the order of a list.
    mine
        For each truck, whether it may make each of these.
    nearest
        Whether a truck goes to the nearest of what is left, or to the first of the list.
    """
    day, rounds = problem.day, [list(steps) for steps in rounds]
    done = [step.number for steps in [*day.before, *rounds] for step in steps if not step.at_site]
    left = ~np.isin(numbers, done)
    able = [own & day.able[truck, numbers] for truck, own in enumerate(mine)]
    free = {truck: _free(day, truck, steps) for truck, steps in enumerate(rounds)}
    while free:
        truck = min(free, key=lambda own: (free[own], own))
        steps = rounds[truck]
        choice = np.flatnonzero(left & able[truck])
        if nearest:
            here = day.location(steps[-1]) if steps else day.ready(truck)[0]
            there = [day.location(Step(False, int(numbers[own]))) for own in choice]
            choice = choice[np.argsort(day.travel.seconds[here, there], kind="stable")]
        ways = ((own, problem.reached(truck, steps, int(numbers[own]))) for own in choice)
        stop, way = next(((own, way) for own, way in ways if way), (-1, []))
        if not way:
            del free[truck]
            continue
        left[stop] = False
        steps += way
        free[truck] = _free(day, truck, steps)
    return rounds


def _free(day: Day, truck: int, steps: Sequence[Step]) -> int:
    """Return when a truck has done its steps."""
    return day.drive(truck, steps).passages[-2].departure if steps else day.ready(truck)[1]
