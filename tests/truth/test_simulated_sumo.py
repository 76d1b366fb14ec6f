"""Our queues beside SUMO's cars, where it is installed (``pip install libsumo``); never needed.

One lane, one signal, Poisson arrivals, drivers who are all alike. SUMO's cars brake, follow and
start; what the lane serves there is measured by a queue that never ends, and our queue gets that
saturation flow.
"""

from pathlib import Path

import pytest

from datamall.traffic import simulate

libsumo = pytest.importorskip("libsumo", reason="SUMO is not installed: pip install libsumo")

CYCLE, GREEN, YELLOW = 60, 27, 3  # seconds
NET = """<net version="1.20" junctionCornerDetail="5" limitTurnSpeed="5.50">
<location netOffset="0,0" convBoundary="0,0,2200,0" origBoundary="0,0,2200,0" projParameter="!"/>
<edge id="in" from="a" to="b" priority="1"><lane id="in_0" index="0" speed="13.89"
 length="2000" shape="0,-1.6 2000,-1.6"/></edge>
<edge id="out" from="b" to="c" priority="1"><lane id="out_0" index="0" speed="13.89"
 length="200" shape="2000,-1.6 2200,-1.6"/></edge>
<tlLogic id="b" type="static" programID="0" offset="0">
<phase duration="{green}" state="G"/><phase duration="{yellow}" state="y"/>
<phase duration="{red}" state="r"/></tlLogic>
<junction id="a" type="dead_end" x="0" y="0" incLanes="" intLanes="" shape="0,0 0,-3.2"/>
<junction id="b" type="traffic_light" x="2000" y="0" incLanes="in_0" intLanes=""
 shape="2000,0 2000,-3.2"><request index="0" response="0" foes="0" cont="0"/></junction>
<junction id="c" type="dead_end" x="2200" y="0" incLanes="out_0" intLanes=""
 shape="2200,0 2200,-3.2"/>
<connection from="in" to="out" fromLane="0" toLane="0" tl="b" linkIndex="0" dir="s" state="o"/>
</net>"""

ROUTES = """<routes><vType id="car" sigma="0" speedDev="0"/><route id="r" edges="in out"/>
<flow id="f" type="car" route="r" begin="0" end="{end}" period="exp({rate})" departSpeed="max"
 departPos="0"/></routes>"""


def sumo(folder: Path, volume: float, hours: float, seed: int) -> tuple[float, float]:
    """Return mean time loss (s) and cars served an hour."""
    net, routes = folder / "one.net.xml", folder / "one.rou.xml"
    net.write_text(NET.format(green=GREEN, yellow=YELLOW, red=CYCLE - GREEN - YELLOW))
    routes.write_text(ROUTES.format(end=3600 * hours, rate=volume / 3600))
    out = folder / "trips.xml"
    options = ["-n", str(net), "-r", str(routes), "--no-internal-links", "--seed", str(seed)]
    options += ["--tripinfo-output", str(out), "--no-step-log", "--no-warnings"]
    libsumo.start(["sumo", *options, "--step-length", "0.5", "--time-to-teleport", "-1"])
    while libsumo.simulation.getTime() < 3600 * hours:
        libsumo.simulationStep()
    libsumo.close()
    lines = [line for line in out.read_text().splitlines() if "<tripinfo " in line]
    losses = [float(line.split('timeLoss="')[1].split('"')[0]) for line in lines]
    return sum(losses) / len(losses), len(losses) / hours


@pytest.mark.slow
def test_delay_is_near_that_of_sumo(tmp_path: Path) -> None:
    _, capacity = sumo(tmp_path, 1800, 2, 1)
    for x in (0.5, 0.7, 0.85):
        runs = [sumo(tmp_path, x * capacity, 2, seed) for seed in range(3)]
        theirs = sum(loss for loss, _ in runs) / len(runs)
        saturation = capacity * CYCLE / GREEN
        ours, _, _ = simulate.delay(x * capacity, saturation, GREEN, CYCLE, hours=2)
        # With 1.28: 13.5 and 12.6, 14.9 and 15.0, 19.2 and 20.4 s. Theirs brake, ours do not.
        assert ours == pytest.approx(theirs, rel=0.12)
