"""Webster's plan of one junction, where his formula holds and where shortest greens break it."""

import itertools

import numpy as np
import pytest

from datamall.traffic import signals, timing

PHASE = np.array([0, 0, 1, 2])
SATURATION = np.array([1800.0, 3600.0, 1800.0, 1800.0])
DEMAND = np.array([500.0, 700.0, 200.0, 250.0])


def delay(green: np.ndarray) -> float:
    """Return the delay of all cars by the manual's formula, greens of the phases given."""
    cycle = green.sum() + 12
    share = green[PHASE] / cycle
    found = signals.control_delay(DEMAND, SATURATION * share, share, cycle)
    return float((found.total * DEMAND).sum())


def timed(least: tuple[float, ...], longest: float = 120, now: float = 90) -> tuple:
    return timing.timed(DEMAND, SATURATION, PHASE, np.array(least), 12.0, now, longest)


def test_where_no_shortest_green_is_binding_it_is_websters() -> None:
    # Y = 950 / 1800, (1.5 × 12 + 5) / (1 − Y) = 48.7: 37 s of green, as 500 to 200 to 250.
    green, cycle = timed((6, 6, 6))
    assert (green.tolist(), cycle) == ([19, 8, 10], 49)


@pytest.mark.parametrize("least", [(6, 20, 20), (6, 20, 6), (10, 14, 20), (6, 30, 6)])
def test_where_one_is_the_cycle_has_room_for_the_others(least: tuple[float, ...]) -> None:
    green, cycle = timed(least)
    assert (green >= least).all() and green.sum() + 12 == cycle <= 120
    ranges = [range(int(low), 109) for low in least]
    every = [np.array(g, float) for g in itertools.product(*ranges) if sum(g) in range(40, 109, 4)]
    assert delay(green) < 1.01 * min(delay(one) for one in every[::3])


def test_a_cycle_is_never_longer_than_the_longest() -> None:
    for longest in (62.0, 62.5, 80.0):
        green, cycle = timed((6, 20, 20), longest)
        assert cycle <= longest and green.sum() == np.floor(cycle - 12)
