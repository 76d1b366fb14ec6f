"""Limits of proportions and gaps, against oracles and by adding up all possible outcomes."""

import numpy as np
import pytest
from scipy.special import betaincinv
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import confint_proportions_2indep

from datamall.fairness.intervals import (
    SMALLEST,
    Kind,
    Method,
    gap_limits,
    gap_lower,
    limits,
    lower_limit,
    p_above,
    p_below,
)

RATES, SIZES = (0.02, 0.05, 0.1), (20, 50, 100)
KINDS: tuple[Kind, ...] = ("difference", "ratio")


def coverage(n: int, p: float, method: Method) -> float:
    """Return the exact probability that the 95 % interval holds p."""
    x = np.arange(n + 1)
    low, high = limits(x, np.full(n + 1, n), 0.025, method)
    return float(binom.pmf(x, n, p) @ ((low <= p) & (p <= high)))


def bootstrap_coverage(n: int, p: float) -> float:
    """Return the same for the percentile bootstrap, whose quantiles are binomial."""
    x = np.arange(n + 1)
    low, high = (binom.ppf(q, n, x / n) / n for q in (0.025, 0.975))
    return float(binom.pmf(x, n, p) @ ((low <= p) & (p <= high)))


def test_coverage_is_at_least_what_is_stated() -> None:
    for p in RATES:
        for n in SIZES:
            assert coverage(n, p, "exact") >= 0.95
            assert coverage(n, p, "mid-p") >= 0.93
            assert coverage(n, p, "wilson") >= 0.92
    # What it replaces.
    assert round(bootstrap_coverage(20, 0.02), 2) == 0.33


def test_limits_equal_those_of_scipy() -> None:
    for x, n in [(0, 1), (1, 1), (0, 20), (3, 20), (20, 20), (45, 100), (7, 4000)]:
        for level in (0.9, 0.95, 0.999):
            test = binomtest(x, n)
            for method in ("exact", "wilson"):
                got = limits(np.array(x), np.array(n), (1 - level) / 2, method)  # type: ignore[arg-type]
                expected = test.proportion_ci(level, method=method)
                np.testing.assert_allclose(got, [expected.low, expected.high], atol=1e-12)


def test_mid_p_limits_solve_their_equation() -> None:
    x, n = np.array([1, 3, 10, 50]), np.array([10, 1000, 20, 50])
    low, high = limits(x, n, 0.025, "mid-p")
    np.testing.assert_allclose(binom.sf(x, n, low) + binom.pmf(x, n, low) / 2, 0.025, rtol=1e-9)
    inside = x < n
    got = binom.cdf(x - 1, n, high) + binom.pmf(x, n, high) / 2
    np.testing.assert_allclose(got[inside], 0.025, rtol=1e-9)


@pytest.mark.parametrize("tail", [0.5, 0.05, 0.025, 1e-5, 1e-12, SMALLEST])
def test_exact_limits_hold_for_all_sizes_and_levels(tail: float) -> None:
    draw = np.random.Generator(np.random.PCG64(1))
    n = np.floor(10 ** draw.uniform(0, 7, 2000))
    x = np.clip(np.round(n * 10 ** draw.uniform(-4, 0, 2000)), 1, n)
    np.testing.assert_allclose(lower_limit(x, n, tail), betaincinv(x, n - x + 1, tail), rtol=1e-9)


def test_difference_of_score_limits_is_newcombes() -> None:
    for counts in [(7, 30, 20, 200), (0, 25, 3, 40), (12, 12, 5, 9)]:
        expected = confint_proportions_2indep(*counts, method="newcomb")
        one, other = np.array(counts[:2]), np.array(counts[2:])
        got = gap_limits(tuple(one), tuple(other), 0.025, "difference", "wilson")
        np.testing.assert_allclose(got, expected, atol=1e-9)


def test_limits_of_ratios_where_counts_are_none_or_all() -> None:
    one = np.array([0, 3, 0, 30, 0]), np.array([30, 30, 30, 30, 0])
    other = np.array([20, 0, 0, 200, 20]), np.full(5, 200)
    low, high = gap_limits(one, other, 0.025, "ratio")
    assert low[0] == 0
    assert 1 < high[0] < 2
    assert low[1] > 1
    assert high[1] == np.inf
    assert (low[2], high[2]) == (0, np.inf)
    assert low[3] < 1 < high[3]
    assert (low[4], high[4]) == (0, np.inf)
    low, high = gap_limits(one, other, 0.025, "difference")
    assert (low[4], high[4]) == (-1, 1)


@pytest.mark.parametrize(
    ("n", "m", "rate"), [(20, 2000, 0.1), (200, 200, 0.1), (230, 3000, 0.02), (60, 3000, 0.5)]
)
def test_error_of_a_wrong_conclusion_is_at_most_what_is_stated(n: int, m: int, rate: float) -> None:
    """All outcomes of two groups whose ratio is exactly 1.25, and at the other end 0.8."""
    x, y = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    likely = binom.pmf(np.arange(m + 1), m, rate) > 1e-13
    x, y = x[:, likely], y[:, likely]
    pair = (x, np.full_like(x, n)), (y, np.full_like(y, m))
    for tail in (0.05, 0.001, 5e-5):
        for bound in (1.25, 0.8):
            law = binom.pmf(x, n, rate * bound) * binom.pmf(y, m, rate)
            above = law[gap_lower(*pair, tail, "ratio") > bound].sum()
            below = law[gap_limits(*pair, tail, "ratio")[1] < bound].sum()
            assert above <= tail
            assert below <= tail
            difference = rate * bound - rate
            assert law[gap_lower(*pair, tail, "difference") > difference].sum() <= tail


@pytest.mark.parametrize("kind", KINDS)
def test_p_values_agree_with_limits(kind: Kind) -> None:
    draw = np.random.Generator(np.random.PCG64(2))
    n, m = draw.integers(1, 3000, (2, 300))
    x, y = draw.integers(0, n // 4 + 1), draw.integers(0, m // 4 + 1)
    bound = 1.25 if kind == "ratio" else 0.02
    p = p_above((x, n), (y, m), bound, kind)
    assert ((p >= SMALLEST) & ((p <= 0.5) | (p == 1))).all()
    open_ = (p > SMALLEST) & (p < 0.5)
    assert open_.sum() > 50
    at = gap_lower((x[open_], n[open_]), (y[open_], m[open_]), p[open_], kind)
    np.testing.assert_allclose(at, bound, rtol=1e-8)
    reject = gap_lower((x, n), (y, m), 0.01, kind) > bound
    assert (reject == (p < 0.01)).all()
    below = p_below((x, n), (y, m), bound, kind)
    assert ((gap_limits((x, n), (y, m), 0.01, kind)[1] < bound) == (below < 0.01)).all()
    assert not ((p < 0.5) & (below < 0.5)).any()
