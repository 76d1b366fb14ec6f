"""Driving a round on paper: windows, loads and the break, by hand and against PyVRP's clock."""

import numpy as np
import pytest
import routed
from hypothesis import given, settings
from hypothesis import strategies as st

from datamall.enforcement.routing.day import Step, prepare
from datamall.enforcement.routing.duties import duties, latest, sites
from datamall.enforcement.routing.problem import model
from datamall.enforcement.routing.refusals import fit
from datamall.enforcement.routing.timing import Leg, drive
from datamall.enforcement.routing.travel import Travel

LINE = np.abs(np.subtract.outer(np.arange(5) * 100, np.arange(5) * 100))
TRAVEL = Travel(LINE, LINE)
DUTY = {"start": 1000, "load_litres": 5, "load_kilograms": 7, "pause": 0, "pause_from": 0}


def test_a_round_by_hand() -> None:
    legs = [
        Leg(1, service=50, litres=10, kilograms=20),
        Leg(2, windows=((0, 900), (1400, 1500)), service=10, litres=1, kilograms=1),
        Leg(3, service=30, unloads=True),
        Leg(0, windows=((0, 1000),)),
    ]
    found = drive(TRAVEL, DUTY, legs, 0)
    assert found.pause is None
    assert [passage[:3] for passage in found.passages] == [
        (1100, 1100, 1150),
        (1250, 1400, 1410),
        (1510, 1510, 1540),
        (1840, 1840, 1840),
    ]
    assert [passage.litres for passage in found.passages] == [15, 16, 0, 0]
    assert [passage.kilograms for passage in found.passages] == [27, 28, 0, 0]
    assert [passage.metres for passage in found.passages] == [100, 200, 300, 600]
    assert [passage.late for passage in found.passages] == [False, False, False, True]


@pytest.mark.parametrize(
    ("pause_from", "pause", "arrivals"),
    [
        (1050, (1050, 1250), [1300, 1450]),  # on the road
        (1100, (1100, 1300), [1300, 1450]),  # there, before the service
        (1120, (1150, 1350), [1100, 1450]),  # once it is served
        (1500, None, [1100, 1250]),  # home before
    ],
)
def test_the_break_begins_once_nothing_is_served(
    pause_from: int, pause: tuple[int, int] | None, arrivals: list[int]
) -> None:
    duty = DUTY | {"pause": 200, "pause_from": pause_from}
    found = drive(TRAVEL, duty, [Leg(1, service=50), Leg(0)], 0)
    assert found.pause == pause
    assert [passage.arrival for passage in found.passages] == arrivals


def test_a_break_while_waiting_costs_nothing() -> None:
    duty = DUTY | {"pause": 200, "pause_from": 1200}
    found = drive(TRAVEL, duty, [Leg(1, windows=((1500, 1600),), service=50), Leg(0)], 0)
    assert found.pause == (1200, 1400)
    assert found.passages[0][:3] == (1400, 1500, 1550)


@given(st.integers(0, 500), st.integers(0, 300), st.integers(0, 600), st.integers(0, 500))
def test_what_is_reached_by_the_latest_time_is_in_time_with_the_break(
    closes: int, pause: int, from_: int, moment: int
) -> None:
    if moment <= latest(closes, pause, from_):
        assert (moment if moment < from_ else moment + pause) <= closes


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0, 30, 45]), st.data())
def test_what_pyvrp_holds_feasible_is_feasible_by_the_clock(
    seed: int, pause: int, data: st.DataObject
) -> None:
    """Also with the break, of which PyVRP knows nothing; without one the times are the same."""
    town = routed.town(seed, 6, 1, break_minutes=pause, break_from=data.draw(st.integers(360, 480)))
    places = town["candidates"].assign(closes=lambda t: t["closes"] + 40)
    places.loc[0, "opens"] = 425.0
    found, _ = fit(places)
    able, _ = duties(town["trucks"])
    day, refused = prepare(found, able, sites(town["sites"]), routed.PLAIN)
    assert refused.empty
    problem = model(day, routed.PLAIN)
    order = data.draw(st.permutations([*problem.visits, Step(True, 0)]))
    steps = order[: data.draw(st.integers(1, len(order)))]
    route = problem.route(0, steps)
    driven = day.drive(0, steps, int(route.start_time()))
    if route.is_feasible():
        assert not any(passage.late for passage in driven.passages)
        assert driven.passages[-1].arrival <= day.duties[0]["end"]
        assert max(passage.litres for passage in driven.passages) <= day.duties[0]["litres"]
    if not pause and not route.has_time_warp():
        assert [p.begin for p in driven.passages] == [stop.start_time for stop in route][1:]
        assert [p.departure for p in driven.passages] == [stop.end_time for stop in route][1:]
        assert driven.passages[-1].metres == route.distance()
