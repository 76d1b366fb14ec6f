"""Putting a candidate into rounds that are made already, alone or with a disposal trip."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from datamall.enforcement.routing.day import Step
from datamall.enforcement.routing.problem import Problem, Rounds


class Insertion(NamedTuple):
    """A candidate put into a round: what more it costs, and by how much that does not fit."""

    extra: int  # seconds of truck time, service and unloading included, where nobody has to wait
    truck: int
    steps: list[Step]  # the whole round with it
    late: int  # seconds
    over: bool  # more on board than the truck may carry


def insertions(problem: Problem, rounds: Rounds, row: int) -> Iterator[Insertion]:
    """Yield the insertions of a candidate into rounds, the cheapest detour first.

    It is put between any two stops, alone or with a disposal trip before or after it.
    """
    day, ways = problem.day, []
    visits = [visit for visit in problem.visits if visit.number == row]
    there = Step(False, row)
    trips = [Step(True, number) for number in range(len(day.sites)) if problem.unloads(number)]
    seconds = day.travel.seconds
    added = [[there], *([trip, there] for trip in trips), *([there, trip] for trip in trips)]
    taken = []  # by what is added: the seconds within it, its first and its last location
    for steps in added:
        at = [day.location(step) for step in steps]
        within = sum(day.leg(step).service for step in steps)
        taken.append((within + sum(int(seconds[leg]) for leg in pairwise(at)), at[0], at[-1]))
    for truck in np.flatnonzero(day.able[:, row]).tolist():
        path = [day.ready(truck)[0], *map(day.location, rounds[truck]), day.home(truck)]
        free = len(path) == 2 and not problem.anchored
        for position, (here, after) in enumerate(pairwise(path)):
            spared = 0 if free else seconds[here, after]
            for what, (within, first, last) in enumerate(taken):
                extra = within + seconds[here, first] + seconds[last, after] - spared
                ways.append((int(extra), truck, position, what))
    for extra, truck, position, what in sorted(ways):
        for visit in visits:
            steps = [step if step.at_site else visit for step in added[what]]
            whole = [*rounds[truck][:position], *steps, *rounds[truck][position:]]
            route = problem.route(truck, whole)
            late, over = int(route.time_warp()), any(route.excess_load())
            yield Insertion(extra, truck, whole, late, over)


def insert(problem: Problem, rounds: Rounds, least: float = 0) -> Rounds:
    """Return rounds into which nothing that is left out could be put with profit.

    Before the search, this makes the rounds that it starts from: the highest prize comes first, so
    what must be served is in them. After the search, which looks at near neighbours alone, it makes
    "not worth it" and "does not fit" true of each candidate. An insertion gains `least` seconds.
    """
    rounds = [list(steps) for steps in rounds]
    order = sorted({step.number for step in problem.visits}, key=lambda row: -problem.prizes[row])
    inserted = True
    while inserted:
        inserted = False
        served = {step.number for steps in rounds for step in steps if not step.at_site}
        for row in (row for row in order if row not in served):
            for way in insertions(problem, rounds, row):
                if way.extra >= problem.prizes[row] - least:
                    break
                if way.late or way.over:
                    continue
                before, after = rounds[way.truck], way.steps
                gain = problem.cost(way.truck, before) - problem.cost(way.truck, after)
                if gain > 0 and gain >= least:
                    rounds[way.truck], inserted = after, True
                    break
    return rounds
