"""Why a candidate is in no round, each in a sentence."""

import pandas as pd

from datamall.enforcement.routing.day import Day
from datamall.enforcement.routing.insertion import insertions
from datamall.enforcement.routing.problem import Problem, Rounds
from datamall.enforcement.routing.refusals import left_out, listed, minutes
from datamall.enforcement.routing.settings import Settings

NOBODY = "no truck can drive: one on duty would make it possible"


def absent(problem: Problem, rounds: Rounds, settings: Settings, least: float = 0) -> pd.DataFrame:
    """Return the candidates that are in no round, each with the reason.

    Parameters
    ----------
    problem, rounds, settings
        Of the plan.
    least
        Seconds that a change of a round has to gain.

    Returns
    -------
    DataFrame
        `refusals.LEFT_OUT`, in order of place and kind.
    """
    day = problem.day
    served = {step.number for steps in (*rounds, *day.before) for step in steps if not step.at_site}
    rows = [row for row in range(len(day.candidates)) if row not in served]
    reasons = [_reason(problem, rounds, row, settings, least) for row in rows]
    table = day.candidates.iloc[rows]
    return left_out(table, pd.Series(reasons, index=table.index, dtype=object))


def _reason(problem: Problem, rounds: Rounds, row: int, settings: Settings, least: float) -> str:
    """Return why a candidate is in no round."""
    day = problem.day
    if not day.able[:, row].any():
        return _nobody(day, row)
    if not any(step.number == row for step in problem.visits):
        return (
            "in all its hours its street is to be avoided, or it is closed: other hours would "
            "make it possible"
        )
    alone: Rounds = [[] for _ in rounds]
    ways = list(insertions(problem, alone, row))
    if all(way.late for way in ways):
        late = min(way.late for way in ways)
        return (
            f"out of reach: even a truck that went there at once would be {minutes(late)} late; "
            "so much longer a shift, or other hours, would make it possible"
        )
    fits, cheapest = None, None
    for way in insertions(problem, rounds, row):
        cheapest = cheapest or way
        if not way.late and not way.over:
            fits = way
            break
    assert cheapest is not None
    value = day.candidates["value"].iloc[row]
    if fits is not None or cheapest.extra >= problem.prizes[row] - least:
        way = fits or cheapest
        taken = way.extra
        if fits is not None:  # what is waited for counts too
            before, after = (problem.cost(way.truck, own) for own in (rounds[way.truck], way.steps))
            taken = after - before + int(problem.prizes[row])
        threshold = f", and a change has to gain {minutes(least)}" if least else ""
        return (
            f"not worth the detour: {minutes(taken)} of {day.duties[way.truck]['truck']} for "
            f"{value:.2g} dirty days, which are worth {minutes(value * settings.worth)}{threshold}"
        )
    name = day.duties[cheapest.truck]["truck"]
    if cheapest.late:
        return (
            f"does not fit the shift: {name}, which passes nearest, would be "
            f"{minutes(cheapest.late)} late; so much more time, or another truck, would make it "
            "possible"
        )
    return (
        f"no room: {name}, which passes nearest, is full there and has no time to unload; another "
        "truck or a nearer disposal site would make it possible"
    )


def _nobody(day: Day, row: int) -> str:
    """Return why no truck may serve a candidate."""
    own = day.candidates.iloc[row]
    takes = [duty for duty in day.duties if own["kind"] in duty["takes"]]
    if not takes:
        return f"no truck on duty takes {own['kind']}: one that does would make it possible"
    large = [
        duty["truck"]
        for duty in takes
        if own["litres"] <= duty["litres"] and own["kilograms"] <= duty["kilograms"]
    ]
    if not large:
        return (
            f"its {own['litres'] / 1000:g} m³ and {own['kilograms']:,} kg fit in no truck that "
            "takes it: a larger truck, or two stops, would make it possible"
        )
    return f"refused by the driver of {listed(large)}: another truck would make it possible"
