#!/usr/bin/env bash
# pyvrp 0.14.1.
# Guess beforehand: loads and capacities in another unit (litres for cubic metres, both times 1000)
# describe the same problem and give the same plan; a stop whose prize is a hundred times what it
# costs is served.
# Behaviour: in litres the last of five stops, which needs a second trip to unload, is never served
# in 20,000 iterations, though its prize is 100,000 and the trip costs about 800. The penalty starts
# at 50,000 for each unit too much, whatever the unit, and falls by a tenth every 500 iterations.
# Made required, the stop is served at once. Output seen (unit, required, clients, cost):
#   1 False 5 3100
#   1000 False 4 101940
#   1000 True 5 3100
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyvrp==0.14.1
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from pyvrp import Client, Depot, Location, ProblemData, VehicleType, solve
from pyvrp.stop import MaxIterations

x = [0, 50, 100, 200, 300, 400, 500]
away = np.abs(np.subtract.outer(x, x)).astype(np.int64)


def run(unit, required):
    clients = [
        Client(2 + row, pickup=[unit], service_duration=60, prize=100_000, required=required)
        for row in range(5)
    ]
    truck = VehicleType(
        1, [2 * unit], tw_late=28_800, unit_distance_cost=0, unit_duration_cost=1, reload_depots=[1]
    )
    depots = [Depot(0), Depot(1, service_duration=600)]
    places = [Location(place, 0) for place in x]
    data = ProblemData(places, clients, depots, [truck], [away], [away])
    found = solve(data, MaxIterations(20_000), seed=1, collect_stats=False)
    print(unit, required, found.best.num_clients(), found.cost())
    return found.best.num_clients(), found.cost()


assert run(1, False) == (5, 3100)
assert run(1000, False) == (4, 101_940)
assert run(1000, True) == (5, 3100)
PYTHON
