"""Queues by hand: chains of quarters, lengths in the peak and the room for them."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from signal_cases import NO_CUT, cars, cut_off, junction, volumes

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import capacity, peaks, plans, queue_lengths, queues, signals

RULES = plans.Rules(longest_cycle=120, headroom=0.2, coverage=0.75)


def by_hand(volume: list[float], room: float, hours: float, queue: float) -> list[float]:
    found = [queue]
    for flow in volume:
        found.append(max(0.0, found[-1] + (flow - room) * hours))
    return found


def test_a_chain_is_what_each_quarter_leaves_to_the_next() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    volume, queue = 800 + 400 * rng.standard_normal((50, 12)).clip(-2), 30 * rng.random(50)
    found = queues.chain(volume, 850, 0.25, queue)
    apart = [by_hand(list(v), 850, 0.25, q) for v, q in zip(volume, queue, strict=True)]
    assert found == pytest.approx(np.array(apart))
    assert (found >= 0).all()


def test_after_what_is_not_known_no_queue_is() -> None:
    found = queues.chain([900, np.nan, 100], [800], 0.25)
    assert found[:2].tolist() == [0, 25]
    assert np.isnan(found[2:]).all()
    gap = queues.deterministic([900, np.nan], [800, 800], [0.25, 0.25])
    assert np.isnan([gap.longest, gap.clears, gap.total, gap.mean]).all()


def test_without_a_queue_the_delay_is_that_of_before() -> None:
    volume, room = np.array([0, 300, 800, 1200, np.nan]), np.array([900, 900, 800, 900, 900])
    found = queues.control_delay(volume, room, 0.5, 60)
    alone = signals.control_delay(volume, room, 0.5, 60)
    assert found.total == pytest.approx(alone.total, nan_ok=True)
    assert found.initial[:4].tolist() == [0, 0, 0, 0]


def test_a_queue_that_clears_delays_by_its_triangle() -> None:
    # 20 wait, 400 come and 800 may go: gone after 3 minutes of 15. In these the signal is as full
    # as at its capacity.
    found = queues.control_delay(400, 800, 0.5, 60, 20)
    assert found.initial == pytest.approx(1800 * 20 * 0.05 / (800 * 0.25))
    usual = signals.control_delay(400, 800, 0.5, 60).uniform
    assert found.uniform == pytest.approx(0.2 * 15 + 0.8 * usual)


def test_a_queue_delays_no_less_than_a_shorter_one() -> None:
    delay = queues.control_delay(700, 800, 0.5, 60, np.linspace(0, 200, 400)).total
    assert (np.diff(delay) > 0).all()
    assert np.isnan(queues.control_delay(700, 800, 0.5, 60, np.nan).total)
    assert np.isnan(queues.control_delay(700, 0, 0.5, 60, 5).total)


def test_a_queue_that_stays_has_no_time_at_which_it_clears() -> None:
    found = queues.deterministic([1000, 900], [800, 800], [1, 1])
    assert (found.longest, found.total) == (300, 100 + 250)
    assert np.isnan([found.clears, found.mean]).all()
    none = queues.deterministic([100, 200], [800, 800], [1, 1])
    assert (none.longest, none.clears, none.total, none.mean) == (0, 0, 0, 0)


def test_the_back_of_a_queue_by_hand() -> None:
    found = queues.back_of_queue(800, 1000, 0.5, 60, lanes=2)
    uniform = 400 * 60 / 3600 * 0.5 / (1 - 0.8 * 0.5)
    spread = 0.12 * (500 * 60 / 3600) ** 0.7
    overflow = 0.25 * 500 * 0.25 * (-0.2 + np.sqrt(0.04 + 8 * spread * 0.8 / 125))
    assert (found.uniform, found.overflow) == pytest.approx((uniform, overflow))
    assert found.high == pytest.approx(found.mean * (1.6 + np.exp(-found.mean / 5)))
    left = queues.back_of_queue(800, 1000, 0.5, 60, 30, lanes=2)
    late = queues.control_delay(800, 1000, 0.5, 60, 30).initial * 400 / 3600
    assert (left.initial, left.high - found.high) == pytest.approx((late, late))
    assert np.isnan(queues.back_of_queue(np.nan, 1000, 0.5, 60).high)
    assert queues.back_of_queue(500, 1000, 1.0, 60).uniform == 0


@pytest.mark.parametrize(
    "outside",
    [
        lambda: queues.chain([-1.0], [800]),
        lambda: queues.chain([100.0], [-1]),
        lambda: queues.chain([100.0], [800], 0),
        lambda: queues.chain([100.0], [800], 0.25, -1),
        lambda: queues.deterministic([100.0], [800], [-1]),
        lambda: queues.control_delay(500, 800, 0.4, 60, -1),
        lambda: queues.control_delay(500, 800, 1.2, 60, 1),
        lambda: queues.control_delay(500, 800, 0.4, 60, period=0),
        lambda: queues.back_of_queue(500, 800, 0.4, 60, lanes=0),
        lambda: queues.back_of_queue(-1, 800, 0.4, 60),
        lambda: queues.back_of_queue(500, 800, 0.4, 60, -3),
    ],
)
def test_outside_the_domain_is_an_error(outside: Callable[[], object]) -> None:
    with pytest.raises(DatamallError, match="no signal has that"):
        outside()


def test_lost_time_counts_what_a_quarter_leaves_over() -> None:
    """North serves 1,000; 1,100 come in each quarter: 25 more wait at the begin of each next."""
    [own] = volumes(cars(north=1100))
    [plan] = plans.propose((own,), NO_CUT, RULES)
    queue = 25.0 * np.arange(12)
    delay = signals.control_delay(1100, 1000, 0.5, 60).total + 3600 * queue / 1000
    others = [
        signals.control_delay(400, 1000, 0.5, 60),
        signals.control_delay(300, 550, 22 / 60, 60),
    ]
    hours = 1100 * delay.sum() + 12 * (400 * others[0].total + 300 * others[1].total)
    assert plan.lost[0][0, 0] == pytest.approx(np.full(20, 1.5 * hours / 4 / 3600))


def test_the_proposed_plan_carries_its_queues_too() -> None:
    """It is chosen in weeks of 600 an hour in the north; in those that judge it, 1,500 come."""
    [usual] = volumes()
    judged = np.repeat(usual.week.reshape(4, 5)[:, 0] % 2 == 1, 7)
    [own] = volumes(cars(north=np.where(judged, 1500, 600)))
    [plan] = plans.propose((own,), NO_CUT, RULES)
    day = int(np.flatnonzero(plan.judged)[0])
    cycle, lost = plan.table["cycle"].iloc[0], 0.0
    for group, flow, saturation in ((0, 300, 1500), (1, 1500, 2000), (2, 400, 2000)):
        share = plan.green[group, 0] / cycle
        delay = signals.control_delay(flow, saturation * share, share, cycle).total
        left = max(0, flow - saturation * share) / 4 * np.arange(12)
        lost += flow * (delay + 3600 * left / (saturation * share)).sum()
        assert (left[-1] > 0) == (group == 1)
    assert plan.lost_then[0, 0, 0, day] == pytest.approx(1.5 * lost / 4 / 3600)


def test_a_quarter_that_was_not_counted_leaves_the_queue_as_it_was() -> None:
    [own] = volumes(cars(north=1100))
    own.volume[1, :, :, 4] = np.nan
    found = capacity.carried(own, own.groups["green"], own.groups["cycle"]).queue
    assert found[1, 0, 0, 3:7] == pytest.approx([75, 100, 100, 125])


def test_an_hour_is_four_equal_quarters() -> None:
    [hours], [quarters] = volumes(cars(north=1100), minutes=60), volumes(cars(north=1100))
    now = (hours.groups["green"], hours.groups["cycle"])
    one, four = (capacity.delays(own, *now) for own in (hours, quarters))
    assert one == pytest.approx(four.reshape(3, 20, 2, 3, 4).mean(axis=4))
    picked = capacity.delays(hours, *now, np.full((3, 20, 2, 1), 1))
    assert picked[..., 0] == pytest.approx(one[..., 1])


def test_a_refuted_capacity_leaves_no_level_of_service() -> None:
    row = ("K1", "north", "LSR", "car", 7, 10, capacity.ABOVE, 1340.0, True)
    wrong = pd.DataFrame([row], columns=[*NO_CUT.columns, "ceiling", "queue"])
    table = capacity.levels(volumes(cars(north=1340)), wrong)
    assert table["demand"].eq(capacity.WRONG_CAPACITY).all()
    assert table["usual"].eq("unknown").all()


def lengths(groups: pd.DataFrame, plateaus: pd.DataFrame = NO_CUT, **flow: float) -> pd.DataFrame:
    found = peaks.lane_groups({"traffic.junctions": groups})
    table = queue_lengths.lengths(volumes(cars(**flow), groups), found, plateaus, 0.9)
    return table.set_index("approach")


def test_queue_in_vehicles_and_metres_by_hand() -> None:
    table = lengths(junction(lanes=2))
    back = queues.back_of_queue(600, 1000, 0.5, 60, lanes=2).high
    north = table.loc["north"]
    assert north["vehicles"] == pytest.approx(2 * back)
    assert north["metres"] == pytest.approx(back * 7.6)
    assert (north["low_metres"], north["high_metres"]) == pytest.approx((back * 7.6, back * 7.6))
    assert table.index.tolist()[0] == "north"
    assert table["verdict"].eq(queue_lengths.NO_ROOM).all()


def test_the_longest_quarter_has_what_the_hour_left_over() -> None:
    table = lengths(junction(lanes=1), north=1100)
    # The busiest hour begins with the peak: 75 wait when its last quarter begins.
    back = queues.back_of_queue(1100, 1000, 0.5, 60, 75).high
    assert table.loc["north", "vehicles"] == pytest.approx(back)


def test_the_figure_begins_with_the_most_metres_not_the_most_vehicles() -> None:
    table = lengths(junction(lanes=[1, 4, 1])).reset_index()
    assert table["approach"].iloc[0] == "north"
    drawn = queue_lengths.longest(table, 2)
    assert drawn["where"].tolist() == ["K1 south LSR, evening", "K1 east LSR, evening"]
    assert "The longest is north LSR at A – B in the evening" in queue_lengths.describe(table)


def test_room_is_that_of_the_lanes_where_it_is_delivered() -> None:
    table = lengths(junction(lanes=1, storage_length=[20.0, 300.0, np.nan]))
    assert table["verdict"].to_dict() == {
        "east": queue_lengths.SPILLS,
        "north": queue_lengths.FITS,
        "south": queue_lengths.NO_ROOM,
    }


@pytest.mark.parametrize(
    ("away", "verdict"), [(40.0, queue_lengths.REACHES), (900.0, queue_lengths.SHORT)]
)
def test_else_the_distance_to_the_nearest_junction(away: float, verdict: str) -> None:
    other = junction(lanes=1, site="K2", x=1000 + away)
    far = junction(lanes=1, site="K3", x=9000.0)
    table = lengths(pd.concat([junction(lanes=1), other, far], ignore_index=True))
    assert table.loc["north", "room"] == away
    assert table.loc["north", "basis"] == "as the crow flies to K2"
    assert table.loc["north", "verdict"] == verdict


def test_where_more_may_come_no_queue_is_said_to_fit() -> None:
    groups = junction(lanes=1, storage_length=300.0)
    cut, doubt = cut_off("north"), cut_off("north")
    doubt["verdict"] = capacity.NOT_ENOUGH
    for known in (pd.concat([cut, cut_off("north", 7, 10)]), doubt):
        found = lengths(groups, known)
        north = found.loc["north"]
        assert north["verdict"] == queue_lengths.NOT_ENOUGH or north["peak"] == "morning"
        assert found.loc["south", "verdict"] == queue_lengths.FITS
    both = pd.concat([doubt, doubt.assign(hour_from=7, hour_to=10)])
    assert lengths(groups, both).loc["north", "verdict"] == queue_lengths.NOT_ENOUGH


def test_lanes_that_are_not_delivered_leave_vehicles_alone() -> None:
    table = lengths(junction())
    assert table["verdict"].eq(queue_lengths.NO_LANES).all()
    assert table["vehicles"].notna().all()
    assert queue_lengths.longest(table.reset_index(), 5).empty
    assert "metres" not in queue_lengths.describe(table.reset_index())


def test_gaps_are_passed_on() -> None:
    gap = Absent("Capacity", "Not possible here.")
    assert queue_lengths.lengths(gap, gap, NO_CUT, 0.9) is gap
    assert queue_lengths.longest(gap, 20) is gap
    assert queue_lengths.describe(gap) is gap
