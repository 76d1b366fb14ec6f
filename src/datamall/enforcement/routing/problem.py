"""The rounds of a day as a problem of PyVRP: prizes, windows, loads, disposal trips.

Costs are seconds of truck time. No stop is forced: one that must be served carries a prize above
everything else that could be won, so that as many of these are served as can be, and there is
always a plan.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from pyvrp import (
    Activity,
    ActivityType,
    Client,
    ClientGroup,
    Depot,
    IteratedLocalSearch,
    Location,
    PenaltyManager,
    PenaltyParams,
    ProblemData,
    RandomNumberGenerator,
    Route,
    Solution,
    VehicleType,
)
from pyvrp.constants import MAX_VALUE
from pyvrp.exceptions import PenaltyBoundWarning
from pyvrp.search import OPERATORS, LocalSearch, PerturbationManager, compute_neighbours
from pyvrp.stop import MaxIterations

from datamall.enforcement.routing.day import Day, Step
from datamall.enforcement.routing.duties import latest
from datamall.enforcement.routing.settings import Settings
from datamall.enforcement.routing.timing import DAY
from datamall.enforcement.routing.travel import LONGEST, Integers
from datamall.errors import DatamallError

# Metres and seconds of a leg that no truck may drive: far above the cost of a whole plan, and so
# far below PyVRP's largest value that no sum of penalties overflows.
NO_ROAD = 10**10
assert 1000 * LONGEST <= NO_ROAD <= MAX_VALUE // 1000

# Prize up to which a litre too much may cost 2 and a second too late 10 when the search begins.
_PRIZE = 3000.0

Rounds = list[list[Step]]


@dataclass(frozen=True)
class Problem:
    """A day as PyVRP has it.

    Attributes
    ----------
    day
        Places, trucks and travel.
    worth, prizes
        Seconds that the nuisance at each candidate is worth, without and with what sets a must
        above all else.
    visits
        The clients of PyVRP in order: a candidate in one of its windows. After them, for trucks
        under way, comes an anchor for each.
    number
        Of each visit, its place in `visits`.
    data
        Vehicle type t is duty t; depots are starts, ends and disposal sites.
    """

    day: Day
    worth: Integers
    prizes: Integers
    visits: list[Step]
    number: dict[Step, int]
    data: ProblemData

    @property
    def anchored(self) -> bool:
        """Whether the trucks are under way, so that the way home counts for each."""
        return self.data.num_clients > len(self.visits)

    def unloads(self, site: int) -> bool:
        """Return whether a site is open long enough to plan a trip to it."""
        return 2 * len(self.day.duties) + site in self.data.vehicle_type(0).reload_depots

    def route(self, truck: int, steps: Sequence[Step]) -> Route:
        """Return PyVRP's route of steps."""
        own = map(self.activities.__getitem__, steps)
        return Route(self.data, [*self.anchors[truck], *own], truck)

    @cached_property
    def activities(self) -> dict[Step, Activity]:
        """PyVRP's word for each step; hundreds of thousands of routes are tried in a morning."""
        first = 2 * len(self.day.duties)
        trips = range(len(self.day.sites))
        return {
            **{Step(True, n): Activity(ActivityType.DEPOT, first + n) for n in trips},
            **{step: Activity(ActivityType.CLIENT, n) for step, n in self.number.items()},
        }

    @cached_property
    def anchors(self) -> list[list[Activity]]:
        """What each truck begins with: its anchor where it is under way."""
        first, trucks = len(self.visits), range(len(self.day.duties))
        return [
            [Activity(ActivityType.CLIENT, first + truck)] if self.anchored else []
            for truck in trucks
        ]

    def reached(self, truck: int, steps: Sequence[Step], row: int) -> list[Step]:
        """Return what a truck does after some steps to serve a candidate next; [] if it cannot.

        Where the place does not fit, it unloads first, at the nearest site.
        """
        day = self.day
        here = day.location(steps[-1]) if steps else day.ready(truck)[0]
        trips = [Step(True, site) for site in range(len(day.sites)) if self.unloads(site)]
        trips = sorted(trips, key=lambda site: day.travel.seconds[here, day.location(site)])[:1]
        visits = self.windows.get(row, [])
        ways = [[visit] for visit in visits] + [[trip, own] for trip in trips for own in visits]
        fits = (way for way in ways if self.route(truck, [*steps, *way]).is_feasible())
        return next(fits, [])

    @cached_property
    def windows(self) -> dict[int, list[Step]]:
        """The visits of each candidate, one for each of its windows."""
        own: dict[int, list[Step]] = {}
        for visit in self.visits:
            own.setdefault(visit.number, []).append(visit)
        return own

    def cost(self, truck: int, steps: Sequence[Step]) -> int:
        """Return the seconds that a round takes less those that it wins."""
        if not steps and not self.anchored:
            return 0
        route = self.route(truck, steps)
        return int(route.duration() - route.prizes())

    def search(self, settings: Settings, start: Rounds) -> Rounds:
        """Return the best rounds found, never worse than those of the start, which are feasible."""
        if not self.visits:
            return start
        driven = [self.route(t, steps) for t, steps in enumerate(start) if steps or self.anchored]
        first = Solution(self.data, driven)
        assert first.is_feasible()
        found = best_found(self.data, settings, first if driven else None)
        if not found.is_feasible():
            return start
        rounds: Rounds = [[] for _ in self.day.duties]
        for route in found.routes():
            own = rounds[route.vehicle_type()]
            for stop in route:
                if stop.is_client() and stop.idx < len(self.visits):
                    own.append(self.visits[stop.idx])
                elif stop.is_depot() and stop.idx >= 2 * len(rounds):
                    own.append(Step(True, stop.idx - 2 * len(rounds)))
        return rounds if self.total(rounds) < self.total(start) else start

    def total(self, rounds: Rounds) -> int:
        """Return the cost of all rounds."""
        return sum(self.cost(truck, steps) for truck, steps in enumerate(rounds))


def model(day: Day, settings: Settings) -> Problem:
    """Return a day as a problem.

    Parameters
    ----------
    day
        As from `prepare`.
    settings
        What a dirty day prevented is worth.

    Raises
    ------
    DatamallError
        When what could be won comes near the value for "no road".

    Notes
    -----
    Breaks: PyVRP has none. A truck that owes one has so much less of a shift, and whatever closes
    after the earliest break closes for the plan by the longest break earlier; so the break fits in
    wherever it falls (`duties.latest`). Two windows of a place are two clients of a group, of
    which one at most is served. To a place that a truck may not serve this truck has no road. The
    way home of a truck under way counts whatever it does: where it starts stands a client that
    must be served and to which no other truck has a road.
    """
    committed = {step.number for steps in day.before for step in steps if not step.at_site}
    value = day.candidates["value"].to_numpy(dtype=float)
    worth = np.rint(value * settings.worth).astype(np.int64)
    shifts = sum(duty["end"] - duty["start"] for duty in day.duties)
    most = int(worth.sum()) + shifts + 1  # nothing that a must could cost is worth as much
    prizes = worth + most * (day.candidates["demand"] == "must").to_numpy(dtype=np.int64)
    if 100 * most > NO_ROAD:
        raise DatamallError(
            f"The candidates are worth {most:,} seconds together, too near the value for no road: "
            "lower worth in params.yaml, or check their values."
        )
    owed = [day.owes(truck) for truck in range(len(day.duties))]
    pause, from_ = (max((p for p, _ in owed), default=0), min((f for _, f in owed), default=DAY))
    clients: list[Client] = []
    groups: list[ClientGroup] = []
    visits: list[Step] = []
    for row in np.flatnonzero(day.able.any(axis=0)):
        if int(row) in committed:
            continue
        leg = day.leg(Step(False, int(row)))
        spans = [(number, opens, latest(closes, pause, from_))
                 for number, (opens, closes) in enumerate(leg.windows)]  # fmt: skip
        spans = [span for span in spans if span[1] <= span[2]]
        group = len(groups) if len(spans) > 1 else None
        if group is not None:
            groups.append(ClientGroup(list(range(len(clients), len(clients) + len(spans))), False))
        for number, opens, closes in spans:
            visits.append(Step(False, int(row), number))
            clients.append(
                Client(
                    leg.location,
                    pickup=[leg.litres, leg.kilograms],
                    service_duration=leg.service,
                    tw_early=opens,
                    tw_late=closes,
                    prize=int(prizes[row]),
                    required=False,
                    group=group,
                )
            )
    points = len(day.travel.metres)
    trucks = len(day.duties)
    depots = [Depot(points + truck) for truck in range(trucks)]
    depots += [Depot(day.home(truck)) for truck in range(trucks)]
    unloading = []
    for number in range(len(day.sites)):
        leg = day.leg(Step(True, number))
        opens, closes = leg.windows[0][0], latest(leg.windows[0][1], pause, from_)
        unloading += [len(depots)] if opens <= closes else []
        depots.append(Depot(leg.location, opens, max(opens, closes), leg.service))
    under_way = any(duty["under_way"] for duty in day.duties)
    clients += [Client(points + truck, pickup=[0, 0]) for truck in range(trucks * under_way)]
    kinds: dict[bytes, int] = {}
    fleet = [_vehicle(day, truck, kinds, unloading) for truck in range(trucks)]
    matrices = [_matrices(day, np.frombuffer(able, dtype=bool)) for able in kinds]
    places = [Location(0, 0) for _ in range(points + trucks)]
    distances, durations = ([pair[which] for pair in matrices] for which in (0, 1))
    data = ProblemData(places, clients, depots, fleet, distances, durations, groups)
    return Problem(day, worth, prizes, visits, {step: i for i, step in enumerate(visits)}, data)


def best_found(data: ProblemData, settings: Settings, first: Solution | None = None) -> Solution:
    """Return PyVRP's best solution.

    This is `pyvrp.solve` with other penalties at the start. It begins at 50,000 for each litre too
    much or second too late and comes down by a tenth every 500 iterations, so that within a
    thousand no place is tried that needs a disposal trip of its own. From far below what a second
    of a full shift is worth, on the other hand, it finds only rounds that nobody can drive. So it
    begins in proportion to the highest prize, which is what being late or overloaded could win.
    """
    highest = max((client.prize for client in data.clients()), default=0)
    eager = max(highest / _PRIZE, 1.0)
    random = RandomNumberGenerator(seed=settings.seed)
    local = LocalSearch(data, random, compute_neighbours(data), PerturbationManager())
    for operator in OPERATORS:
        if operator.supports(data):
            local.add_operator(operator(data))
    start = ([2.0 * eager] * data.num_load_dimensions, 10.0 * eager, 1.0)
    penalties = PenaltyManager(start, PenaltyParams(solutions_between_updates=50))
    if first is None:
        drawn = Solution.make_random(data, random)
        first = local(drawn, penalties.max_cost_evaluator(), exhaustive=True)
    search = IteratedLocalSearch(data, penalties, local, first)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PenaltyBoundWarning)  # told by `Problem.search`'s result
        return search.run(MaxIterations(settings.iterations), collect_stats=False).best


def _vehicle(day: Day, truck: int, kinds: dict[bytes, int], unloading: list[int]) -> VehicleType:
    """Return a truck; trucks that may serve the same places share a profile, by `kinds`."""
    duty: dict[str, Any] = day.duties[truck]
    _, ready, litres, kilograms = day.ready(truck)
    trucks = len(day.duties)
    return VehicleType(
        capacity=[duty["litres"], duty["kilograms"]],
        start_depot=truck,
        end_depot=trucks + truck,
        tw_early=ready,
        tw_late=day.end(truck),
        start_late=ready if duty["under_way"] else None,
        unit_distance_cost=0,
        unit_duration_cost=1,
        profile=kinds.setdefault(day.able[truck].tobytes(), len(kinds)),
        initial_load=[litres, kilograms],
        reload_depots=unloading,
    )


def _matrices(day: Day, able: npt.NDArray[np.bool_]) -> tuple[Any, Any]:
    """Return metres and seconds for trucks that may serve some places; starts come last."""
    starts = [day.ready(truck)[0] for truck in range(len(day.duties))]
    places = np.r_[np.arange(len(day.travel.metres)), starts].astype(np.int64)
    closed = np.zeros(len(places), dtype=bool)
    first = 2 * len(day.duties) + len(day.sites)
    closed[first : first + len(able)] = ~able
    own = np.arange(len(places)) >= len(day.travel.metres)
    found = []
    for table in (day.travel.metres, day.travel.seconds):
        whole = table[np.ix_(places, places)]
        whole[closed, :] = whole[:, closed] = NO_ROAD
        whole[:, own] = NO_ROAD
        np.fill_diagonal(whole, 0)
        found.append(whole)
    return found[0], found[1]
