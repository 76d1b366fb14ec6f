"""Limits and p-values where they can be reckoned by hand, and at the ends of what is allowed."""

from decimal import Decimal

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import betainc, betaincinv, ndtr
from scipy.stats import beta, binom

from datamall.fairness.intervals import (
    SMALLEST,
    Kind,
    Method,
    gap_above,
    gap_between,
    gap_limits,
    gap_lower,
    limits,
    lower_limit,
    p_above,
    p_below,
)

KINDS: tuple[Kind, ...] = ("difference", "ratio")
METHODS: tuple[Method, ...] = ("exact", "mid-p", "wilson")
SIZES = np.array([1, 2, 3, 20, 1000, 8000, 10**6, 10**9])
TAILS = (0.5, 0.25, 0.025, 1e-4, 1e-9, 1e-12, SMALLEST)


def counts(*pair: object) -> tuple[np.ndarray, np.ndarray]:
    one, other = (np.asarray(value) for value in pair)
    return one, other


def test_exact_limits_of_all_and_of_one() -> None:
    """All n were seen with probability p^n, and at least one with 1 - (1 - p)^n."""
    tail = np.geomspace(SMALLEST, 0.5, 100)[:, None]
    got = lower_limit(SIZES, SIZES, tail)
    np.testing.assert_allclose(got, tail ** (1 / SIZES), rtol=1e-13)
    got = lower_limit(np.array(1), SIZES, tail)
    np.testing.assert_allclose(got, -np.expm1(np.log1p(-tail) / SIZES), rtol=1e-13)


def test_exact_limits_of_more_people_than_a_number_can_tell_from_all() -> None:
    """The limit of all 10^18 is nearer to 1 than any number, and below 1 all the same."""
    low = lower_limit(np.array(1e18), np.array(1e18), np.array([0.5, 0.025, SMALLEST]))
    assert ((low < 1) & (low > 1 - 1e-15)).all()


def test_exact_limits_hold_for_as_many_people_as_there_are() -> None:
    """What `betaln` loses of ten thousand million is not taken for the limit."""
    n, x = 1e10, np.geomspace(1e3, 1e6, 40).round()
    tail = np.geomspace(SMALLEST, 1e-3, 20)[:, None]
    low = lower_limit(x, np.full_like(x, n), tail)
    np.testing.assert_allclose(np.log(betainc(x, n - x + 1, low)), np.log(tail) + 0 * x, atol=3e-8)


def test_exact_limits_hold_for_errors_as_small_as_they_come() -> None:
    sizes = np.array([1, 7, 150, 1328, 1497, 20_000, 1_799_475])
    tail = np.geomspace(1e-290, 1e-100, 60)[:, None]
    low = lower_limit(sizes, sizes, tail)
    np.testing.assert_allclose(low, tail ** (1 / sizes), rtol=1e-12)
    x, n = (
        np.array([13_015, 1104, 2132, 1996, 21_235]),
        np.array([14_499, 1210, 2625, 2053, 21_283]),
    )
    least = np.array([4.5398e-255, 1.4089e-280, 1.5695e-285, 4.5137e-276, 1.3479e-234])
    np.testing.assert_allclose(binom.sf(x - 1, n, lower_limit(x, n, least)), least, rtol=1e-7)
    # Where the limit itself is too small for a number, it is above 0 all the same.
    low = lower_limit(np.array(1), np.array([1, 3, 1000]), 5e-324)
    assert ((low > 0) & (low <= 1e-300)).all()


def test_exact_limits_of_two_of_three() -> None:
    """p^2 (3 - 2 p) is 0.5 at 0.5, 0.104 at 0.2 and 0.028 at 0.1."""
    got = lower_limit(np.array(2), np.array(3), np.array([0.5, 0.104, 0.028]))
    np.testing.assert_allclose(got, [0.5, 0.2, 0.1], rtol=1e-14)


@pytest.mark.parametrize("tail", TAILS)
def test_exact_limits_of_many_people(tail: float) -> None:
    x = np.array([2, 5, 40, 700, 7, 10**5, 10**12 - 10**6])
    n = np.array([9, 10, 90, 800, 10**6, 10**9, 10**12])
    np.testing.assert_allclose(lower_limit(x, n, tail), betaincinv(x, n - x + 1, tail), rtol=1e-12)


@pytest.mark.parametrize("tail", [0.5, 0.2, 0.025, 1e-4, 1e-9])
def test_mid_p_limits_of_few(tail: float) -> None:
    """Half of p^n; of one of two p^2 + p (1 - p), which is p; of one of three a cubic."""
    sizes = SIZES[:5]
    got = lower_limit(sizes, sizes, tail, "mid-p")
    np.testing.assert_allclose(got, (2 * tail) ** (1 / sizes), rtol=1e-6, atol=1e-15)
    got = lower_limit(np.array(1), np.array(2), tail, "mid-p")
    np.testing.assert_allclose(got, tail, rtol=1e-12, atol=1e-15)
    p = lower_limit(np.array(1), np.array(3), tail, "mid-p")
    seen = p**3 + 3 * p**2 * (1 - p) + 3 * p * (1 - p) ** 2 / 2
    np.testing.assert_allclose(seen, tail, rtol=1e-6)
    low, high = limits(np.array([0, 7]), np.array([7, 7]), tail, "mid-p")
    np.testing.assert_allclose(low, [0, (2 * tail) ** (1 / 7)], rtol=1e-12)
    np.testing.assert_allclose(high, [1 - (2 * tail) ** (1 / 7), 1], rtol=1e-12, atol=1e-15)


def test_score_limits_by_hand() -> None:
    """At a deviate of z: n / (n + z^2) of all; half of n, less z / 2 sqrt(n + z^2)."""
    x, n = np.array([1, 3, 4, 2, 1, 6, 0, 0]), np.array([1, 3, 4, 4, 2, 12, 5, 0])
    one, two = float(ndtr(-1)), float(ndtr(-2))
    got = lower_limit(x, n, one, "wilson")
    expected = [
        1 / 2,
        3 / 4,
        4 / 5,
        0.5 - 0.5 / 5**0.5,
        0.5 - 0.5 / 3**0.5,
        0.5 - 0.5 / 13**0.5,
        0,
        0,
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-14)
    # Of 3 out of 4 at 2: the roots of (p - 3/4)^2 = p (1 - p), so 2 p^2 - 5/2 p + 9/16 = 0.
    low, high = limits(np.array(3), np.array(4), two, "wilson")
    root = (2.5**2 - 4 * 2 * 9 / 16) ** 0.5
    np.testing.assert_allclose([low, high], [(2.5 - root) / 4, (2.5 + root) / 4], rtol=1e-14)


@pytest.mark.parametrize("method", METHODS)
def test_nobody_seen_and_nobody_there(method: Method) -> None:
    low, high = limits(np.array([0, 0, 5]), np.array([0, 5, 5]), 0.025, method)
    assert low[:2].tolist() == [0, 0]
    assert (high[0], high[2]) == (1, 1)
    assert 0 < high[1] < 1
    assert low[2] == pytest.approx(1 - high[1])
    assert not lower_limit(np.array(0), np.arange(1, 300), 0.025, method).any()
    # One tail for each, and counts that are no arrays.
    each = lower_limit(5, 5, np.array([0.1, 0.2]), method)  # type: ignore[arg-type]
    assert each.shape == (2,)
    assert each[0] < each[1]
    assert each[0] == lower_limit(5, 5, 0.1, method)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_counts_of_any_type_have_the_same_limits(method: Method) -> None:
    """As whole numbers of one byte 2 * 200 would be 144."""
    x, n = [0, 1, 150, 200], [200] * 4
    expected = limits(np.array(x, float), np.array(n, float), 0.025, method)
    for dtype in (np.uint8, np.int16, np.int64, np.float32):
        got = limits(np.array(x, dtype), np.array(n, dtype), 0.025, method)
        np.testing.assert_array_equal(got, expected)
    lists = limits(x, n, 0.025, method)  # type: ignore[arg-type]
    np.testing.assert_array_equal(lists, expected)


def test_counts_and_bounds_as_decimals() -> None:
    """As a database gives sums and a person writes bounds: exact, and no numbers of numpy."""
    x, n, y, m, bound = [7, 30], [10, 40], [2, 100], [9, 900], [1.25, 2.5]
    one, other = counts(x, n), counts(y, m)
    exact = [np.array([*map(Decimal, v)]) for v in (x, n, y, m, bound)]
    for method in METHODS:
        got = limits(exact[0], exact[1], 0.025, method)
        np.testing.assert_array_equal(got, limits(*one, 0.025, method))
    for kind in KINDS:
        got = gap_limits((exact[0], exact[1]), (exact[2], exact[3]), 0.025, kind)
        np.testing.assert_array_equal(got, gap_limits(one, other, 0.025, kind))
    for test in (p_above, p_below):
        for pair in ((one, other), (other, one)):
            got = test(*pair, exact[4], "ratio")  # type: ignore[operator]
            np.testing.assert_array_equal(got, test(*pair, np.array(bound), "ratio"))  # type: ignore[operator]
    # A bound of half the length of a number is that very bound.
    short = np.array([0.8, 0.3], np.float32)
    got = p_below(other, one, short, "ratio")
    np.testing.assert_array_equal(got, p_below(other, one, short.astype(float), "ratio"))
    assert ((got > SMALLEST) & (got < 0.5)).all()


def test_gaps_by_hand() -> None:
    """Sides of 0.3 and 0.4 make 0.5; 0.6 and 0.8 * 0.5625 make 0.75 of the product of the rates."""
    one, other = counts(5, 10), counts(2, 10)
    got = gap_above(one, other, np.array(0.2), np.array(0.6), "difference")
    assert got == pytest.approx(0.3 - 0.5, rel=1e-14)
    got = gap_above(one, counts(4, 10), np.array(0.2), np.array(0.625), "ratio")
    assert got == pytest.approx(0.16 / (0.2 + 0.15), rel=1e-14)
    # Without any error the gap is what was seen; with a rate that is known, it is the limit of one.
    for low, high, expected in ((0.5, 0.2, 2.5), (0.3, 0.2, 1.5), (0.5, 0.4, 1.25)):
        got = gap_above(one, other, np.array(low), np.array(high), "ratio")
        assert got == pytest.approx(expected, rel=1e-14)
        got = gap_above(one, other, np.array(low), np.array(high), "difference")
        assert got == pytest.approx(low - high, rel=1e-14)
    x, n, y, m = np.ogrid[1:8, 7:13, 1:8, 7:13]
    p, q = np.broadcast_arrays(x / n, y / m)
    np.testing.assert_allclose(gap_above((x, n), (y, m), p, q, "ratio"), p / q, rtol=1e-7)
    assert gap_above(counts(1, 1), counts(1, 1), p[:1], q[:1], "difference") == pytest.approx(
        -np.hypot(1 - p[:1], q[:1] - 1), abs=1e-14
    )
    # None of other: only the root counts.
    assert gap_above(one, counts(0, 9), np.array(0.2), np.array(0.4), "ratio") == pytest.approx(1)
    one_half = gap_between(one, other, counts(0.2, 0.9), counts(0.05, 0.6), "difference")
    np.testing.assert_allclose(one_half, [-0.2, 0.3 + np.hypot(0.4, 0.15)], rtol=1e-14)
    upside = gap_between(counts(4, 10), one, counts(0.3, 0.625), counts(0.2, 0.8), "ratio")
    assert upside[1] == pytest.approx(0.35 / 0.16, rel=1e-14)


def test_gaps_of_nobody() -> None:
    one, other = counts([0, 1, 0, 1], [0, 1, 0, 1]), counts([1, 0, 0, 1], [1, 0, 0, 1])
    for kind, unknown in (("difference", (-1, 1)), ("ratio", (0, np.inf))):
        for method in METHODS:
            low, high = gap_limits(one, other, 0.025, kind, method)  # type: ignore[arg-type]
            assert set(zip(low[:3], high[:3], strict=True)) == {unknown}
            assert unknown[0] < low[3] < high[3] < unknown[1]
            assert (gap_lower(one, other, 0.025, kind, method) == low).all()  # type: ignore[arg-type]


def test_ratios_of_groups_none_of_whom_were_selected() -> None:
    """Every second of a thousand: what the others leave behind in memory is not theirs."""
    x, every = np.tile([0, 5], 500), np.full(1000, 10)
    other = np.full(1000, 3), every
    low, high = gap_limits((x, every), other, 0.025, "ratio")
    assert not low[::2].any()
    assert np.ptp(low[1::2]) == 0
    assert low[1] > 0
    assert gap_limits(other, (x, every), 0.025, "ratio")[1][::2].tolist() == [np.inf] * 500
    assert np.isfinite(high).all()


def formula(
    one: tuple[int, int], other: tuple[int, int], tail: float, kind: Kind, method: Method
) -> float:
    """Return the lower limit of a gap as in the papers, from the limits of scipy."""
    (x, n), (y, m) = one, other
    p, q = x / n, y / m

    def solved(k: int, size: int) -> float:
        if method == "exact":
            return float(beta.ppf(tail, k, size - k + 1))
        return float(
            brentq(
                lambda r: binom.sf(k, size, r) + binom.pmf(k, size, r) / 2 - tail, 0, 1, xtol=1e-15
            )
        )

    low, high = solved(x, n), 1 - solved(m - y, m)
    if kind == "difference":
        return float(p - q - np.sqrt((p - low) ** 2 + (high - q) ** 2))
    root = np.sqrt((p * q) ** 2 - low * high * (2 * p - low) * (2 * q - high))
    return float((p * q - root) / (high * (2 * q - high)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS[:2])
def test_gaps_are_those_of_the_papers(kind: Kind, method: Method) -> None:
    for one, other in (((7, 30), (20, 200)), ((3, 11), (9, 14))):
        for tail in (0.3, 1e-4):
            got = gap_limits(counts(*one), counts(*other), tail, kind, method)
            turned = formula(other, one, tail, kind, method)
            expected = [
                formula(one, other, tail, kind, method),
                -turned if kind == "difference" else 1 / turned,
            ]
            np.testing.assert_allclose(got, expected, rtol=1e-9)
            assert gap_lower(counts(*one), counts(*other), tail, kind, method) == got[0]


def alone(x: np.ndarray, n: int, rate: np.ndarray) -> dict[Method, np.ndarray]:
    """Return the p-values of one proportion: binomial, with half of what was seen, and normal."""
    more, same = binom.sf(x, n, rate), binom.pmf(x, n, rate)
    deviate = (x / n - rate) / np.sqrt(rate * (1 - rate) / n)
    return {"exact": more + same, "mid-p": more + same / 2, "wilson": ndtr(-deviate)}


@pytest.mark.parametrize("method", METHODS)
def test_p_values_against_a_group_all_of_whom_are_selected(method: Method) -> None:
    """Its upper limit is 1, as its rate, so the gap says what the test of one proportion says."""
    n, rate = 30, np.array([0.02, 0.1, 0.25, 0.5, 0.75])[:, None]
    x = np.arange(1, n + 1)
    expected = alone(x, n, rate)[method]
    expected = np.where(expected < 0.5, np.maximum(expected, SMALLEST), 1)
    # Only what was seen above the bound can be evidence, whatever the method says of it.
    sure = np.abs(x / n - rate) > 1e-9
    all_ = counts(8, 8)
    for kind, above, below in (("ratio", rate, 1 / rate), ("difference", rate - 1, 1 - rate)):
        over = p_above((x, np.array(n)), all_, above, kind, method)  # type: ignore[arg-type]
        under = p_below(all_, (x, np.array(n)), below, kind, method)  # type: ignore[arg-type]
        for got in (over, under):
            assert got.shape == (5, n)
            np.testing.assert_allclose(got[sure], expected[sure], rtol=1e-7)
            small = expected == SMALLEST
            assert (got[small] == SMALLEST).all()
    assert (expected == SMALLEST).sum() > 20
    assert ((expected > SMALLEST) & (expected < 0.5)).sum() > 60


def test_p_values_by_hand() -> None:
    """At least one of two at 0.1 is 0.19, both 0.01; at 0.3 one is 0.51, which is no evidence."""
    x, n, all_ = np.array([1, 2, 1, 0]), np.array(2), counts(1, 1)
    rate = np.array([0.1, 0.1, 0.3, 0.1])
    for got in (
        p_above((x, n), all_, rate, "ratio"),
        p_above((x, n), all_, rate - 1, "difference"),
        p_below(all_, (x, n), 1 / rate, "ratio"),
        p_below(all_, (x, n), 1 - rate, "difference"),
    ):
        np.testing.assert_allclose(got, [0.19, 0.01, 1, 1], rtol=1e-12)


def test_p_values_of_one_person_against_one_or_two() -> None:
    """1 of 1 has the limit t, none of 1 the limit 1 - t, and 1 of 2 the limit sqrt(1 - t)."""
    t = np.array([2.453184740409622e-06, 1.0553317147162052e-05, 0.001, 0.01, 0.1, 0.3])
    got = p_above(counts(1, 1), counts(0, 1), 1 - 2**0.5 * (1 - t[1:]), "difference")
    np.testing.assert_allclose(got, t[1:], rtol=1e-6)
    bound = 0.5 - np.hypot(1 - t, np.sqrt(1 - t) - 0.5)
    np.testing.assert_allclose(
        p_above(counts(1, 1), counts(1, 2), bound, "difference"), t, rtol=1e-6
    )


def test_p_values_at_the_ends() -> None:
    none, some = counts(0, 9), counts(4, 9)
    # A gap that equals the bound is not above it, even if no error is left.
    assert p_above(none, some, np.array([0.0]), "ratio").tolist() == [1]
    assert p_above(counts(0, 0), some, np.array([-1.0]), "difference").tolist() == [1]
    assert p_above(some, some, np.array([0.0]), "ratio").tolist() == [SMALLEST]
    assert p_below(some, some, np.array([np.inf]), "ratio").tolist() == [SMALLEST]
    assert p_above(some, none, np.array([np.inf]), "ratio").tolist() == [1]
    many = counts(900_000, 10**6), counts(100_000, 10**6)
    for kind in KINDS:
        assert p_above(*many, np.array([0.5]), kind).tolist() == [SMALLEST]
        assert p_below(*many, np.array([0.5]), kind).tolist() == [1]
        assert p_below(*many[::-1], np.array([0.5]), kind).tolist() == [SMALLEST]
    assert SMALLEST == 1e-15


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_p_values_of_a_bound_that_is_a_limit(kind: Kind, method: Method) -> None:
    """The limit at an error of a half is not above itself; at the smallest, that is the p-value."""
    pair = counts([7, 30], [10, 40]), counts([2, 100], [9, 900])
    at = {tail: gap_lower(*pair, tail, kind, method) for tail in (0.5, 0.01, SMALLEST)}
    assert p_above(*pair, at[0.5], kind, method).tolist() == [1, 1]
    np.testing.assert_allclose(p_above(*pair, at[0.01], kind, method), 0.01, rtol=1e-9)
    assert p_above(*pair, at[SMALLEST], kind, method).tolist() == [SMALLEST] * 2
    both = p_above(*pair, np.array([at[0.5][0], at[0.01][1]]), kind, method)
    np.testing.assert_allclose(both, [1, 0.01], rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_p_values_are_where_the_limit_meets_the_bound(kind: Kind, method: Method) -> None:
    """From weak evidence to strong, of few people and of many, both ways round."""
    cases = [
        ((3, 10), (20, 200), (0.01, 1.1)),
        ((30, 100), (200, 2000), (0.05, 1.25)),
        ((600, 1000), (500, 1000), (0.02, 1.02)),
        ((40, 50), (100, 500), (0.1, 1.25)),
        ((9, 9), (5, 5000), (0.2, 100.0)),
        ((2, 5_000_000), (1, 9_000_000), (0.0, 1.25)),
    ]
    x, n, y, m = np.array([[*one, *other] for one, other, _ in cases]).T
    bound = np.array([edges[KINDS.index(kind)] for *_, edges in cases])
    got = p_above((x, n), (y, m), bound, kind, method)
    assert ((got > SMALLEST) & (got < 0.5)).all()
    at = gap_lower((x, n), (y, m), got, kind, method)
    np.testing.assert_allclose(at, bound, rtol=1e-9, atol=1e-12)
    turned = -bound if kind == "difference" else 1 / bound
    below = p_below((y, m), (x, n), turned, kind, method)
    np.testing.assert_allclose(below, got, rtol=1e-9)


def test_a_bound_where_the_limit_is_very_bent() -> None:
    """One of few against one of many: false position alone would not get there."""
    one, other = counts([1, 1], [132, 10]), counts([1, 6], [37_590, 11_895])
    at = gap_lower(one, other, p_above(one, other, 0.01, "ratio"), "ratio")
    np.testing.assert_allclose(at, 0.01, rtol=1e-10)


def test_limits_by_a_name_that_nobody_knows_are_refused() -> None:
    """A method that is written wrongly must not be taken for another."""
    with pytest.raises(ValueError, match="No limits by 'midp'; there are exact, mid-p, wilson"):
        lower_limit(np.array(1), np.array(2), 0.1, "midp")  # type: ignore[arg-type]
