"""Formulas of queues give published values, to the printed digit, and those of a simulated signal.

Where a source is named as quoted, its printed page was not looked at.
"""

import numpy as np
import pytest
from numpy.typing import NDArray
from test_signals import digits

from datamall.traffic import queues, signals


def test_webster_of_two_through_roads() -> None:
    # GATE civil engineering, cycle of a two-phase signal, as quoted by interviewmania.com: 77 s.
    cycle = signals.optimal_cycle(1000 / 2500 + 900 / 3000, 12)
    assert round(float(cycle)) == 77


def test_uniform_delay_of_a_minute() -> None:
    # GATE civil engineering, 20 and 50 vehicles a minute, as quoted by byjus.com: 12.50 s.
    delay = signals.uniform_delay(20 * 60, 50 * 60, 30, 60)
    assert digits(delay.mean, 12.5)


def test_a_cycle_of_red_and_green() -> None:
    # Mannering, Washburn: Principles of Highway Engineering and Traffic Analysis, chapter 7: red of
    # 30 s, saturation flow 1,000 veh/h, total delay 83.33 veh·s; answer 400 veh/h and a cycle of
    # 50 s at which capacity equals arrivals, as quoted on a page of answers.
    found = queues.deterministic([400, 400], [0, 1000], np.array([30, 20]) / 3600)
    assert digits(3600 * found.total, 83.33)
    assert 3600 * found.clears == pytest.approx(50)
    assert digits(signals.uniform_delay(400, 1000, 20, 50).total, 83.33)


def test_oversaturated_for_two_hours() -> None:
    # J. Buckholz, notes on queuing, University of North Florida, D/D/1 example 6: 200 then 125
    # veh/h against 150: 100 vehicles after 2 hours, gone 4 hours later. (The notes go on with a
    # mean queue of 25 while it falls from 100 to 0; that is 50, so their total is not held here.)
    found = queues.deterministic([200, 125], [150, 150], [2, 6])
    assert (found.longest, found.clears) == (100, 2 + 4)
    assert queues.chain([200, 125], [150], [2, 4]).tolist() == [0, 100, 0]


def test_an_entrance_that_opens_late() -> None:
    # Mannering, Washburn, chapter 5, as quoted on academicheros.com: 6 veh/min for 15 minutes, then
    # 2; the entrance opens at a queue of 30 and serves 4 a minute. It opens after 5 minutes, 50
    # wait after 15, and the queue clears 25 minutes later, 40 after the start.
    hours = np.array([5, 10, 60]) / 60
    found = queues.deterministic(np.array([6, 6, 2]) * 60, np.array([0, 4, 4]) * 60, hours)
    assert queues.chain(np.array([6, 6]) * 60, np.array([0, 4]) * 60, hours[:2])[1:] == (
        pytest.approx([30, 50])
    )
    assert 60 * found.clears == pytest.approx(40)


def test_the_gate_of_a_park() -> None:
    # Mannering, Washburn, example 5.7, from memory: 480 veh/h for 20 minutes, then 120, 15 seconds
    # each: 80 wait at the most, gone after 60 minutes; 2,400 veh·min, 10 minutes per vehicle.
    found = queues.deterministic([480, 120], [240, 240], np.array([20, 100]) / 60)
    assert (found.longest, 60 * found.clears) == pytest.approx((80, 60))
    assert (60 * found.total, 60 * found.mean) == pytest.approx((2400, 10))


@pytest.mark.parametrize(
    ("volume", "saturation", "green", "printed"),
    [(233, 1749, 53, 43.4), (227, 1656, 53, 43.8), (206, 1734, 39, 55.9), (173, 1638, 39, 54.6)],
)
def test_four_ramps_of_a_diamond(
    volume: float, saturation: float, green: float, printed: float
) -> None:
    # HCM, 7th edition, chapter 34, example problem 1, exhibits 34-7 to 34-16 (C = 160 s, d1 and d2
    # of fixed times), as quoted by the tests of crosstraffic/transportations-library.
    delay = queues.control_delay(volume, saturation * green / 160, green / 160, 160)
    assert digits(delay.total, printed)


def left_over(queue: NDArray, v: NDArray, c: NDArray, hours: float) -> NDArray:
    """Initial queue delay as the 7th edition of the HCM writes it (equations 19-44 to 19-49)."""
    time = np.where(v >= c, hours, np.minimum(hours, queue / np.where(v < c, c - v, 1)))
    end, own = queue + time * (v - c), np.where(v >= c, hours * (v - c), 0)
    area = time * (queue + end - own) / 2 + (end**2 - own**2 - queue**2) / (2 * c)
    return 3600 / (v * hours) * area


def test_two_editions_of_the_manual_agree_on_d3() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    queue, v, c = 60 * rng.random(2000), 50 + 1500 * rng.random(2000), 50 + 1500 * rng.random(2000)
    found = queues.control_delay(v, c, 0.4, 90, queue).initial
    assert found == pytest.approx(left_over(queue, v, c, 0.25))


def test_three_cases_of_d3() -> None:
    # KHCM (2013), formulas 8-51 to 8-53, as quoted by the package KHCMinR: a queue that clears,
    # 1800 Q² / (c T (c − v)); that does not, 3600 Q / c − 1800 T (1 − X); and from X = 1 on 3600
    # Q / c. Its arguments are those of the package's examples.
    delay = queues.control_delay(
        [400, 840, 1300], [1800, 1200, 1200], 0.4, 90, [322, 500, 322], period=1.2
    )
    by_hand = [
        1800 * 322**2 / (1800 * 1.2 * 1400),
        3600 * 500 / 1200 - 1800 * 1.2 * (1 - 0.7),
        3600 * 322 / 1200,
    ]
    assert delay.initial == pytest.approx(by_hand)


def test_a_lane_group_that_stays_above_its_capacity() -> None:
    # Roess, Prassas, McShane: v = 800, c = 775 for three quarters; the first is printed (67.9). The
    # next two follow from d3 = 3600 Q / c with 6.25 and 12.5 vehicles left over; no print seen.
    queue = queues.chain([800, 800, 800], [775])
    assert queue.tolist() == [0, 6.25, 12.5, 18.75]
    delay = queues.control_delay(800, 775, 0.4, 90, queue[:3]).total
    assert delay[0].round(1) == 67.9
    assert delay - delay[0] == pytest.approx([0, 3600 * 6.25 / 775, 3600 * 12.5 / 775])


def test_what_the_quarters_wait_is_the_whole_queue() -> None:
    """Whoever comes in a quarter waits by d3 and the lasting part of d2: together all of D/D/1.

    Without d3 two thirds of it would be missing.
    """
    rng = np.random.Generator(np.random.PCG64(4))
    volume = 1000 + 300 * rng.random((200, 12)) - np.r_[np.zeros(5), np.full(7, 400.0)]
    volume = np.concatenate([volume, np.full((200, 4), 100.0)], axis=1)  # then it clears
    queue = queues.chain(volume, np.array([1000.0]))[:, :-1]
    late = queues.control_delay(volume, 1000, 0.5, 60, queue).initial
    lasting = 1800 * 0.25 * np.maximum(volume / 1000 - 1, 0)
    whole = queues.deterministic(volume, np.full(16, 1000.0), np.full(16, 0.25))
    assert not np.isnan(whole.clears).any()
    assert ((late + lasting) * volume / 4 / 3600).sum(axis=1) == pytest.approx(whole.total)
    assert (lasting * volume / 4 / 3600).sum() < whole.total.sum() / 3


def simulated(ratio: float, green: int, cycle: int, first: float = 0.0) -> NDArray:
    """Return how many stop in each cycle of a quarter; Poisson, 1,800 veh/h while green."""
    rng = np.random.Generator(np.random.PCG64(3))
    waiting = np.full(2000, first)
    back = []
    for _ in range(900 // cycle):
        stopped = waiting.copy()
        for second in range(cycle):
            came = rng.poisson(ratio * green / cycle / 2, 2000)
            stops = (waiting > 0) | (second < cycle - green)
            stopped += np.where(stops, came, 0)
            served = 0.0 if second < cycle - green else 0.5
            waiting = np.maximum(0, waiting + np.where(stops, came, 0) - served)
        back.append(stopped)
    return np.array(back)


@pytest.mark.parametrize("ratio", [0.4, 0.7, 0.9, 1.0])
@pytest.mark.parametrize(("green", "cycle"), [(20, 60), (30, 90), (60, 120)])
def test_the_back_of_the_queue_is_that_of_a_simulated_signal_or_up_to_a_third_more(
    ratio: float, green: int, cycle: int
) -> None:
    room = 1800 * green / cycle
    found = queues.back_of_queue(ratio * room, room, green / cycle, cycle)
    seen = simulated(ratio, green, cycle)
    assert 1 < found.mean / seen.mean() < 1.3
    assert 0.97 < found.high / np.quantile(seen, 0.95) < 1.37


def test_a_queue_left_over_makes_the_back_as_much_longer_as_in_the_simulation() -> None:
    seen = simulated(0.9, 30, 90, first=25).mean() - simulated(0.9, 30, 90).mean()
    found = queues.back_of_queue(540, 600, 1 / 3, 90, 25).initial
    assert found == pytest.approx(seen, rel=0.15)
