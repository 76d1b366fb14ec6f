"""Rounds in which a truck would wait, with the stops that it waits for earlier or later."""

from datamall.enforcement.routing.day import Step
from datamall.enforcement.routing.problem import Problem, Rounds
from datamall.enforcement.routing.timing import ALWAYS, drive


def around(problem: Problem, rounds: Rounds, least: float) -> Rounds:
    """Return rounds in which what is closed when its truck is there is served at another time.

    Parameters
    ----------
    problem
        The day.
    rounds
        Feasible; what must be waited for is waited for.
    least
        Seconds that each such change must spare.

    Returns
    -------
    list of list of Step
        Feasible, no dearer. The stops that a truck would find closed if it never waited are put
        together, in their order, at the place of its round that costs least, as often as that
        spares enough: a round that passes a congested junction keeps its order but for these. The
        truck then unloads where its next stop would not fit.
    """
    rounds = [list(steps) for steps in rounds]
    for truck, steps in enumerate(rounds):
        while True:
            better = _moved(problem, truck, steps)
            if problem.cost(truck, steps) - problem.cost(truck, better) < max(least, 1):
                break
            steps = better
        rounds[truck] = steps
    return rounds


def _moved(problem: Problem, truck: int, steps: list[Step]) -> list[Step]:
    """Return the cheapest round with the stops found closed elsewhere, or the round itself."""
    closed = _closed(problem, truck, steps)
    rest = [step for step in steps if step not in closed and not step.at_site]
    best, least = steps, problem.cost(truck, steps)
    if not closed:
        return best
    for position in range(len(rest) + 1):
        stops = [*rest[:position], *closed, *rest[position:]]
        whole = _timed(problem, truck, _unloading(problem, truck, stops))
        if whole is None or not problem.route(truck, whole).is_feasible():
            continue
        cost = problem.cost(truck, whole)
        if cost < least:
            best, least = whole, cost
    return best


def _closed(problem: Problem, truck: int, steps: list[Step]) -> list[Step]:
    """Return the stops that are closed when the truck is there, if it never waits."""
    day = problem.day
    before, duty = day.decided(truck), day.duties[truck]
    legs = [step if step.windows == ALWAYS else step._replace(windows=ALWAYS) for step in
            (*before, *(day.leg(step) for step in steps))]  # fmt: skip
    passages = drive(day.travel, duty, legs, truck, paused=False).passages[len(before) :]
    return [
        step
        for step, passage in zip(steps, passages, strict=True)
        if not step.at_site and not _open(day.leg(step).windows, passage.begin)
    ]


def _unloading(problem: Problem, truck: int, stops: list[Step]) -> list[Step]:
    """Return stops with a trip to the nearest disposal site before each that does not fit."""
    day, duty = problem.day, problem.day.duties[truck]
    here, _, litres, kilograms = day.ready(truck)
    trips = [Step(True, site) for site in range(len(day.sites)) if problem.unloads(site)]
    found: list[Step] = []
    for step in stops:
        leg = day.leg(step)
        litres, kilograms = litres + leg.litres, kilograms + leg.kilograms
        if trips and (litres > duty["litres"] or kilograms > duty["kilograms"]):
            away = day.travel.seconds[here]
            found.append(min(trips, key=lambda trip: (int(away[day.location(trip)]), trip.number)))
            litres, kilograms = leg.litres, leg.kilograms
        found.append(step)
        here = leg.location
    return found


def _timed(problem: Problem, truck: int, steps: list[Step]) -> list[Step] | None:
    """Return steps with each stop in the first of its windows that the truck reaches, if any."""
    day = problem.day
    before = day.decided(truck)
    legs = [*before, *(day.leg(step) for step in steps)]
    driven = drive(day.travel, day.duties[truck], legs, truck, paused=False)
    found = []
    for step, passage in zip(steps, driven.passages[len(before) :], strict=True):
        if not step.at_site:
            spans = day.leg(step).windows
            numbers = [n for n, (a, b) in enumerate(spans) if a <= passage.begin <= b]
            step = step._replace(window=numbers[0]) if numbers else step
        if passage.late or (not step.at_site and step not in problem.number):
            return None
        found.append(step)
    return found


def _open(windows: tuple[tuple[int, int], ...], moment: int) -> bool:
    return any(opens <= moment <= closes for opens, closes in windows)
