"""Formulas of signals at their edges: nothing known, nothing left, nobody there."""

from collections.abc import Callable

import numpy as np
import pytest

from datamall.errors import DatamallError
from datamall.traffic import signals


def test_no_cycle_serves_a_sum_of_one_or_more() -> None:
    cycle = signals.optimal_cycle([0.5, 1.0, 1.2, np.nan], 10)
    assert cycle[0] == pytest.approx(40)
    assert np.isnan(cycle[1:]).all()
    assert signals.minimum_cycle([0.5, 1.0], 10)[0] == pytest.approx(20)
    assert np.isnan(signals.minimum_cycle([0.5, 1.0], 10)[1])


def test_a_phase_never_gets_less_than_its_shortest_green() -> None:
    # In proportion: 45, 10, 5. The third needs 12, the rest share 48 as 9 to 2: then 8.7 is too
    # little for the second, which needs 9.
    green = signals.split([0.45, 0.10, 0.05], 72, 12, [6, 9, 12])
    assert green == pytest.approx([39, 9, 12])


def test_shortest_greens_that_do_not_fit_are_no_plan() -> None:
    assert np.isnan(signals.split([0.3, 0.3], 30, 10, [12, 12])).all()
    assert signals.split([0.3, 0.3], 34, 10, [12, 12]) == pytest.approx([12, 12])


def test_absent_phases_and_unknown_flows() -> None:
    green = signals.split(
        [[0.3, 0.3, 0.0], [0.3, np.nan, 0.2], [0.0, 0.0, 0.0]], [60, 60, 60], [10, 10, 10]
    )
    assert green[0] == pytest.approx([25, 25, 0])
    assert np.isnan(green[1:]).all()


def test_greens_of_many_junctions_at_once_are_those_of_each() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    ratios, least = rng.random((50, 4)) * 0.2 + 0.01, 5 + 10 * rng.random((50, 4))
    together = signals.split(ratios, np.full(50, 90.0), np.full(50, 12.0), least)
    apart = [signals.split(y, 90.0, 12.0, g) for y, g in zip(ratios, least, strict=True)]
    assert together == pytest.approx(np.array(apart))
    assert together.sum(axis=1) == pytest.approx(np.full(50, 78.0))
    assert (together >= least - 1e-9).all()


def test_a_queue_that_never_clears_has_no_uniform_delay() -> None:
    delay = signals.uniform_delay([500, 1000, 3000], 3000, 30, 100)
    assert np.isnan(delay.mean[1:]).all()
    assert np.isnan(delay.queue[1:]).all()


def test_delay_by_hand_at_half_the_capacity() -> None:
    delay = signals.control_delay(450, 900, 0.5, 60)
    assert delay.uniform == pytest.approx(0.5 * 60 * 0.25 / 0.75)
    root = np.sqrt(0.25 + 8 * 0.5 * 0.5 / (900 * 0.25))
    assert delay.incremental == pytest.approx(225 * (root - 0.5))


def test_delay_of_nothing_known_is_not_known() -> None:
    delay = signals.control_delay([np.nan, 500, 500], [900, np.nan, 0], 0.5, 60)
    assert np.isnan(delay.total).all()
    assert list(signals.level_of_service(delay.total, delay.ratio)) == ["unknown"] * 3


def test_green_without_end_delays_nobody_evenly() -> None:
    delay = signals.control_delay([100, 2000], 1000, 1.0, 60)
    assert delay.uniform == pytest.approx([0, 0])
    assert delay.incremental[1] > 3600 * 0.1


def test_levels_at_their_limits() -> None:
    levels = signals.level_of_service([10, 10.1, 20, 35, 55, 80, 80.1, 5], [0.5] * 7 + [1.01])
    assert list(levels) == ["A", "B", "B", "C", "D", "E", "F", "F"]


def test_people_who_never_fill_their_green_wait_for_the_rest_of_the_red() -> None:
    assert signals.waiting_time(30, 90) == pytest.approx(20)
    assert signals.waiting_time([90, 100], 90) == pytest.approx([0, 0])


@pytest.mark.parametrize(
    "outside",
    [
        lambda: signals.optimal_cycle(-0.1, 8),
        lambda: signals.optimal_cycle(0.5, -1),
        lambda: signals.uniform_delay(-1, 1800, 30, 60),
        lambda: signals.uniform_delay(500, 0, 30, 60),
        lambda: signals.uniform_delay(500, 1800, 70, 60),
        lambda: signals.control_delay(-1, 800, 0.4, 60),
        lambda: signals.control_delay(500, 800, 1.2, 60),
        lambda: signals.control_delay(500, 800, 0.4, 0),
        lambda: signals.control_delay([500, 500], [800, 800], [0.4, 1.2], 60),
    ],
)
def test_outside_the_domain_is_an_error(outside: Callable[[], object]) -> None:
    with pytest.raises(DatamallError, match="no signal has that"):
        outside()
