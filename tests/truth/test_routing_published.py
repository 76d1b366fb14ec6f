"""The search on two published instances: gaps to the best known cost, by iterations."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyvrp import Client, Depot, Location, ProblemData, VehicleType

from datamall.enforcement.routing import Settings
from datamall.enforcement.routing.problem import best_found

INSTANCES = json.loads(Path(__file__).with_name("routing_instances.json").read_text("utf-8"))


def problem(own: dict[str, Any]) -> ProblemData:
    """Return an instance: whole distances, rounded, or cut where its times are scaled."""
    xy = np.reshape(own["xy"], (-1, 2))
    straight = np.hypot(*(xy[:, None, :] - xy[None, :, :]).transpose(2, 0, 1)) * own["scale"]
    away = (np.rint(straight) if own["scale"] == 1 else np.floor(straight)).astype(np.int64)
    early, late = np.reshape(own["windows"] or [0, 10**6] * len(xy), (-1, 2)).T * own["scale"]
    clients = [
        Client(
            row,
            pickup=[own["demand"][row]],
            service_duration=own["service"] * own["scale"],
            tw_early=int(early[row]),
            tw_late=int(late[row]),
        )
        for row in range(1, len(xy))
    ]
    depot = Depot(0, int(early[0]), int(late[0]))
    fleet = VehicleType(own["vehicles"], [own["capacity"]])
    places = [Location(float(x), float(y)) for x, y in xy]
    return ProblemData(places, clients, [depot], [fleet], [away], [away])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["X-n101-k25", "RC208"])
def test_the_gap_to_the_best_known_cost_is_at_most_one_percent(name: str) -> None:
    own = INSTANCES[name]
    found = best_found(problem(own), Settings(iterations=8000))
    assert found.is_feasible()
    assert own["best"] <= found.distance() <= 1.01 * own["best"]
