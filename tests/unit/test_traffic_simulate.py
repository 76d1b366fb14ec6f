"""Simulated queues against what is known by hand and by formula."""

import numpy as np
import pytest
from numpy.typing import NDArray

from datamall.errors import DatamallError
from datamall.traffic import signals, simulate


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def webster(volume: float, saturation: float, green: float, cycle: float) -> float:
    """Webster (1958): even arrivals, a queue M/D/1, and the third term fitted to simulations."""
    share, rate = green / cycle, volume / 3600
    x = volume / (saturation * share)
    even = cycle * (1 - share) ** 2 / 2 / (1 - share * x)
    third = 0.65 * (cycle / rate**2) ** (1 / 3) * x ** (2 + 5 * share)
    return even + x**2 / (2 * rate * (1 - x)) - third


@pytest.mark.parametrize(
    ("green", "cycle", "saturation"), [(30, 60, 1800), (40, 90, 3600), (30, 120, 1500)]
)
@pytest.mark.parametrize("x", [0.4, 0.6, 0.7, 0.8, 0.85])
def test_delay_is_websters_and_below_the_manuals(
    green: float, cycle: float, saturation: float, x: float
) -> None:
    volume = x * saturation * green / cycle
    mean, low, high = simulate.delay(volume, saturation, green, cycle, days=300, seed=2)
    assert low < mean < high < 1.06 * low
    assert mean == pytest.approx(webster(volume, saturation, green, cycle), rel=0.06)
    # The manual has no third term: it lies above, by up to a sixth.
    capacity = saturation * green / cycle
    manual = signals.control_delay(volume, capacity, green / cycle, cycle, period=1.0).total
    assert mean < 1.01 * manual < 1.01 * 1.21 * mean


def test_an_interval_holds_the_long_run_as_often_as_it_says() -> None:
    truth = simulate.delay(600, 1800, 30, 60, days=3000, seed=99)[0]
    held = 0
    for seed in range(100):
        _, low, high = simulate.delay(600, 1800, 30, 60, days=20, seed=seed, confidence=0.9)
        held += low <= truth <= high
    assert 82 <= held <= 98


@pytest.mark.parametrize("x", [0.5, 0.8])
def test_green_without_end_is_a_queue_with_even_service(x: float) -> None:
    # M/D/1: x / (2 s (1 − x)), with 2 s for each car: 1 and 4 seconds.
    mean, low, high = simulate.delay(1800 * x, 1800, 60, 60, days=300, hours=3)
    assert low < 2 * x / (2 * (1 - x)) < high
    assert mean == pytest.approx({0.5: 1.0, 0.8: 4.0}[x], rel=0.05)


def even(per: int, cycles: int, cycle: int) -> NDArray[np.int64]:
    """Return a car in every so many-th step, of one lane group on one day."""
    steps = round(cycles * cycle / simulate.STEP)
    return (np.arange(steps) % per == 0).astype(np.int64)[:, None, None]


def test_even_arrivals_wait_as_reckoned_by_hand() -> None:
    # 600 an hour against 3,000 in 30 of 100 s: 30.625 s each.
    came = even(3, 50, 100)
    total = simulate.waited(came, [3000], [[30]], [[100]])[0, 0, 0]
    by_hand = signals.uniform_delay(600, 3000, 30, 100).mean
    assert by_hand == pytest.approx(30.625)
    assert total / came.sum() == pytest.approx(float(by_hand), rel=0.005)


def test_every_step_by_hand() -> None:
    # Red for 4 s, then green for 4 s at 1 a step. Three cars in the first step, one in the last:
    # queues of 3, 3, 2, 1 and 1, 1, 0, 0.
    came = np.array([3, 0, 0, 0, 0, 0, 0, 0])[:, None, None]
    assert simulate.waited(came, [1800], [[4]], [[8]])[0, 0, 0] == 2 * (3 + 3 + 2 + 1 + 1 + 1)
    # Of two who are left, at half of 1,800 an hour on the mean: 2² ÷ 2 ÷ 0.25 = 8 s.
    came = np.array([0, 0, 0, 3])[:, None, None]
    assert simulate.waited(came, [1800], [[4]], [[8]])[0, 0, 0] == 2 * 2 + 8


def test_many_at_once_are_each_alone() -> None:
    volume = generator(3).uniform(200, 500, (3, 4, 4))
    came = simulate.arrivals(volume, 15, generator(4))
    saturation = np.array([1800.0, 3500.0, 1700.0])
    green = np.array([[20.0, 31.0], [25.0, 12.0], [18.0, 44.0]])
    cycle = np.broadcast_to([60.0, 77.0], green.shape)
    found = simulate.waited(came, saturation, green, cycle)
    for group, day, plan in np.ndindex(found.shape):
        alone = simulate.waited(
            came[:, [group]][:, :, [day]],
            saturation[[group]],
            green[[group]][:, [plan]],
            cycle[[group]][:, [plan]],
        )
        assert alone[0, 0, 0] == found[group, day, plan]


def test_arrivals_keep_what_was_counted() -> None:
    volume = np.array([[400.0, 0, 1000, 800], [402, 3, 999, 1]])
    came = simulate.arrivals(volume, 15, generator())
    assert came.shape == (1800, 2)
    quarters = came.reshape(4, 450, 2).sum(axis=1).T
    assert (abs(quarters - volume / 4) < 1).all()
    assert quarters[0].tolist() == [100, 0, 250, 200]
    # Parts of a car are rounded by lot: a quarter of the times up.
    parts = simulate.arrivals(np.full((4000, 1), 401.0), 15, generator(3)).sum(axis=0)
    assert set(parts) == {100, 101} and parts.mean() == pytest.approx(100.25, abs=0.03)
    # Within a quarter like Poisson: the variance of minutes is their mean, less a fifteenth.
    many = simulate.arrivals(np.full((400, 1), 1200.0), 15, generator(2))
    minutes = many.reshape(15, 30, 400).sum(axis=1)
    assert minutes.var() == pytest.approx(20 * 14 / 15, rel=0.06)


@pytest.mark.parametrize("volume", [np.nan, -1.0, np.inf])
def test_what_is_not_known_is_not_simulated(volume: float) -> None:
    with pytest.raises(DatamallError, match="not known or below 0"):
        simulate.arrivals(np.array([volume]), 15, generator())


def test_a_plan_that_no_signal_has_is_refused() -> None:
    came = even(3, 2, 60)
    for saturation, green, cycle in ((1800, 70, 60), (0, 20, 60), (1800, -1, 60)):
        with pytest.raises(DatamallError, match="mend it on file"):
            simulate.waited(came, [saturation], [[green]], [[cycle]])
    with pytest.raises(DatamallError, match="whole minutes"):
        simulate.arrivals(np.array([10.0]), 0.51, generator())


def test_a_signal_that_follows_the_traffic_at_its_most_is_one_of_fixed_times() -> None:
    # More than it can serve: every green is the longest.
    came = simulate.arrivals(np.full((2, 5, 4), 1500.0), 15, generator())
    found, wait = simulate.actuated(came, [1800, 1800], [0, 1], [10, 10], [30, 20], 8)
    fixed = simulate.waited(came, [1800, 1800], [[30], [20]], [[58], [58]])[..., 0]
    assert found == pytest.approx(fixed, rel=0.02)
    assert wait[:, 0] == pytest.approx([28**2 / 2 / 58, 38**2 / 2 / 58], rel=0.02)


def test_a_signal_that_follows_the_traffic_gives_the_green_to_who_comes() -> None:
    volume = np.zeros((2, 20, 4))
    volume[0], volume[1] = 900, 60
    came = simulate.arrivals(volume, 15, generator(5))
    follows, wait = simulate.actuated(came, [1800, 1800], [0, 1], [6, 6], [60, 60], 8)
    fixed = simulate.waited(came, [1800, 1800], [[30], [30]], [[68], [68]])[..., 0]
    assert follows.sum() < 0.5 * fixed.sum()
    assert wait[0].mean() < wait[1].mean()
    # Nobody comes: each green is the shortest, and people on foot wait for a cycle of 20 s.
    nobody = np.zeros((900, 2, 1), dtype=np.int64)
    none, wait = simulate.actuated(nobody, [1800, 1800], [0, 1], [6, 6], [60, 60], 8)
    assert none.sum() == 0
    assert wait == pytest.approx(14**2 / 2 / 20, rel=0.02)
