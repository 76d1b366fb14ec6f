"""How the error of any wrong FAIL is shared: never more than stated, and where it finds most."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from datamall.fairness.multiplicity import effects, mirrored, spent, weighted_holm, weights
from datamall.fairness.verdict import Tolerance

RATIO = Tolerance("ratio", 0.8, 1.25)


def test_equal_weights_are_holms() -> None:
    p = np.random.Generator(np.random.PCG64(1)).random(30) ** 4
    expected = multipletests(p, method="holm")[1]
    np.testing.assert_allclose(weighted_holm(p, np.full(30, 7.0)), expected, rtol=1e-12)
    p[3] = np.nan
    got = weighted_holm(p, np.ones(30))
    assert np.isnan(got[3])
    np.testing.assert_allclose(
        np.delete(got, 3), multipletests(np.delete(p, 3), method="holm")[1], rtol=1e-12
    )


def test_weighted_holm_by_hand() -> None:
    # p / weight: .02, .05, .4; what is left of the weights: 1, .5, .2.
    got = weighted_holm(np.array([0.01, 0.015, 0.08]), np.array([0.5, 0.3, 0.2]))
    np.testing.assert_allclose(got, [0.02, 0.025, 0.08])


def test_weighted_holm_reckons_in_double_precision_whatever_it_is_given() -> None:
    p, share = np.float32([0.01, 0.02, 0.3, 0.04]), np.float32([0.1, 0.7, 0.3, 0.9])
    got = weighted_holm(p, share)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, weighted_holm(p.astype(float), share.astype(float)))


@pytest.mark.parametrize(
    ("tolerance", "rate", "expected"),
    [
        # The logarithm of the farther end, times the square root of 100 x odds.
        (Tolerance("ratio", 0.8, 1.25), 0.2, np.log(1.25) * 5),
        (Tolerance("ratio", 0.5, 1.25), 0.2, np.log(2) * 5),
        (Tolerance("ratio", None, 3.0), 0.5, np.log(3) * 10),
        (Tolerance("ratio", 0.9, 1.1), 0.2, np.log(1.25) * 5),
        # A difference as a share of the rate, of which it is at least a quarter.
        (Tolerance("difference", -0.15, 0.1), 0.2, 0.75 * 5),
        (Tolerance("difference", None, 0.01), 0.2, 0.25 * 5),
        # Nobody and everybody have odds of a millionth and of a million.
        (Tolerance("ratio", 0.8, 1.25), 0.0, np.log(1.25) * np.sqrt(1e-4 / (1 - 1e-6))),
        (Tolerance("ratio", 0.8, 1.25), 1.0, np.log(1.25) * np.sqrt(1e8 * (1 - 1e-6))),
    ],
)
def test_effects_by_hand(tolerance: Tolerance, rate: float, expected: float) -> None:
    got = effects(np.array([100, 0, 400]), rate, tolerance)
    np.testing.assert_allclose(got, [expected, 0, 2 * expected], rtol=1e-9)


def test_the_error_is_spent_as_roeder_and_wasserman_have_it() -> None:
    effect = np.array([0.0, 1.0, 2.5, 4.0, 12.0])
    floor = np.array([0.05, 1.0, 2.5, 4.0, 12.0])

    def over(c: float) -> float:
        return float(norm.sf(floor / 2 + c / floor).sum() - 0.03)

    tail = norm.sf(floor / 2 + brentq(over, -1000, 1000, xtol=1e-13) / floor)
    np.testing.assert_allclose(spent(effect, 0.03), 0.9 * tail / tail.sum() + 0.02, rtol=1e-9)
    # From 40 standard errors on a gap is as good as certain, and 41 ask for no less than 40.
    assert spent(np.array([41.0, 40.0]), 0.05).tolist() == [0.5, 0.5]
    assert spent(np.array([60.0, 50.0]), 0.05).tolist() == [0.5, 0.5]
    # Where there is no error to spend, nobody gets more of it.
    np.testing.assert_allclose(spent(np.array([1.0, 2.0, 4.0]), 0.0), [1 / 3] * 3, rtol=1e-12)


def test_each_depth_spends_its_share_among_those_that_take_part() -> None:
    depth, effect = np.array([1, 1, 1, 2, 2, 3]), np.array([1.0, 3.0, 2.0, 0.5, 6.0, 2.0])
    among = np.array([True, False, True, True, True, False])
    expected = np.zeros(6)
    expected[[0, 2]] = spent(effect[[0, 2]], 0.05 / 2) / 2
    expected[[3, 4]] = spent(effect[[3, 4]], 0.05 / 2) / 2
    np.testing.assert_allclose(weights(depth, effect, 0.95, among), expected, rtol=1e-12)


def test_each_depth_gets_the_same_share_and_size_decides_within() -> None:
    depth = np.array([1, 1, 2, 2, 2, 2])
    share = weights(depth, effects(np.array([900, 1100, 5, 400, 600, 9]), 0.1, RATIO), 0.95)
    assert share.sum() == pytest.approx(1)
    assert share[depth == 1].sum() == pytest.approx(0.5)
    assert share[3] > 5 * share[2]
    assert (share > 0.01).all()


def test_groups_that_any_share_finds_need_less_of_it() -> None:
    share = weights(np.ones(3, int), np.array([12.0, 2.5, 0.1]), 0.95)
    assert share[1] > share[0]
    assert share[1] > share[2]


def test_weights_raise_the_power_for_a_small_group_at_the_same_false_alarms() -> None:
    """24 groups, 12,700 people, one group of 1.8 % flagged 1.5 times as often as 10 %."""
    sizes = np.r_[229, np.geomspace(30, 2200, 23)]
    sizes = np.round(sizes * (12_700 - 229) / sizes[1:].sum())
    sizes[0] = 229
    draw = np.random.Generator(np.random.PCG64(7))
    # What is to be found, against no difference at all.
    share = weights(np.ones(24, int), 0.5 / np.sqrt(9 / sizes), 0.95)
    alarms, found = [], []
    for rates in (np.full(24, 0.1), np.r_[0.15, np.full(23, 0.1)]):
        x = draw.binomial(sizes.astype(int), rates, size=(4000, 24))
        rest = (x.sum(axis=1, keepdims=True) - x) / (sizes.sum() - sizes)
        pooled = x.sum(axis=1, keepdims=True) / sizes.sum()
        z = (x / sizes - rest) / np.sqrt(
            pooled * (1 - pooled) * (1 / sizes + 1 / (sizes.sum() - sizes))
        )
        p = norm.sf(z)
        equal = np.array([weighted_holm(row, np.ones(24)) for row in p]) <= 0.05
        by_size = np.array([weighted_holm(row, share) for row in p]) <= 0.05
        alarms.append((equal.any(axis=1).mean(), by_size.any(axis=1).mean()))
        found.append((equal[:, 0].mean(), by_size[:, 0].mean()))
    assert found[1][1] > found[1][0] + 0.03
    assert found[1][1] > 0.31
    # The test of this simulation is a normal one, off by a little in small groups.
    assert alarms[0][1] < alarms[0][0] + 0.01


def test_two_groups_against_each_other_are_one_question() -> None:
    table = pd.DataFrame({"by": ["sex", "sex", "origin", "origin", "origin"]})
    assert mirrored(table, RATIO).tolist() == [False, True, False, False, False]
    open_ended = mirrored(table, Tolerance("ratio", None, 1.25))
    assert open_ended.dtype == bool and not open_ended.any()
    assert not mirrored(table, Tolerance("ratio", 0.7, 1.25)).any()
    assert mirrored(table, Tolerance("difference", -0.1, 0.1)).sum() == 1
