"""Verdicts reckoned by hand: at the very edges, within bounds of counts, on one side, of nobody."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import beta, binom, norm

from datamall.errors import DatamallError
from datamall.fairness.intervals import SMALLEST
from datamall.fairness.verdict import (
    FAIL,
    NOT_ENOUGH,
    PASS,
    Tolerance,
    detectable,
    evidence,
    judged,
    middle,
    of_list,
    overall,
    sides,
    verdicts,
)

FOUR_FIFTHS = Tolerance("ratio", 0.8, 1.25)
NEAR = Tolerance("difference", -0.125, 0.25)
Some = float | np.ndarray
COUNTS = ["successes", "trials", "other_successes", "other_trials"]
ADDED = [
    "p_inside",
    "p_outside",
    "detectable_low",
    "detectable_high",
    "p_outside_holm",
    "verdict",
]


def low_limit(x: Some, n: Some, tail: float) -> Any:
    """Return the limit of Clopper and Pearson as a quantile of the beta distribution."""
    return np.where(np.asarray(x) > 0, beta.ppf(tail, np.maximum(x, 0.5), n - x + 1), 0.0)


def gap_at_least(x: Some, n: Some, y: Some, m: Some, tail: float, kind: str) -> Any:
    """Return the lower limit of a gap as Newcombe, and Donner and Zou, write it down."""
    p, q, low, high = x / n, y / m, low_limit(x, n, tail), 1 - low_limit(m - y, m, tail)
    if kind == "difference":
        return p - q - np.sqrt((p - low) ** 2 + (high - q) ** 2)
    above, below = low * (2 * p - low), high * (2 * q - high)
    return (p * q - np.sqrt((p * q) ** 2 - above * below)) / below


def error_of(x: float, n: float, y: float, m: float, bound: float, kind: str) -> float:
    """Return the error at which the lower limit of the gap is the bound, below one half."""

    def over(z: float) -> float:
        return gap_at_least(x, n, y, m, float(norm.sf(z)), kind) - bound

    return float(norm.sf(brentq(over, 1e-9, 7.5, xtol=1e-12)))


def rows(counts: list[tuple[float, ...]], estimand: str = "procedure") -> pd.DataFrame:
    return pd.DataFrame(counts, columns=COUNTS).assign(estimand=estimand)


def one_row(*pair: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return one row that is known exactly, or its lowest and highest: x, n, x, n."""
    x, n, y, m = pair if len(pair) == 4 else pair * 2
    return [(np.array([x]), np.array([n])), (np.array([y]), np.array([m]))]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("difference", -0.99, 0.99),
        ("difference", 0.0, 0.0),
        ("difference", None, 0.0),
        ("difference", 0.0, None),
        ("ratio", 0.001, 1e9),
        ("ratio", 1.0, 1.0),
        ("ratio", None, 1.0),
        ("ratio", 1.0, None),
    ],
)
def test_a_tolerance_may_end_where_both_groups_are_alike(
    kind: str, low: float | None, high: float | None
) -> None:
    got = Tolerance(kind, low, high)  # type: ignore[arg-type]
    assert (got.kind, got.low, got.high) == (kind, low, high)
    assert sides(got) == 2 - [low, high].count(None)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        # All differences lie from -1 to 1, all ratios from 0 to infinity: that forbids nothing.
        ("difference", -1.0, 0.1),
        ("difference", -1.5, 0.1),
        ("difference", -0.1, 1.0),
        ("difference", -0.1, 1.5),
        ("difference", 0.01, 0.02),
        ("difference", -0.02, -0.01),
        ("difference", None, None),
        ("difference", float("nan"), 0.1),
        ("ratio", 0.0, 1.25),
        ("ratio", -0.5, 1.25),
        ("ratio", 0.8, float("inf")),
        ("ratio", 0.8, 0.9),
        ("ratio", 1.1, 1.25),
        ("ratio", None, None),
    ],
)
def test_a_tolerance_that_is_none_is_refused_in_words(
    kind: str, low: float | None, high: float | None
) -> None:
    with pytest.raises(DatamallError) as error:
        Tolerance(kind, low, high)  # type: ignore[arg-type]
    none = {"difference": 0, "ratio": 1}[kind]
    assert str(error.value) == (
        f"The tolerance from {low} to {high} is no range around {none} for a {kind}: "
        "set its low end, its high end or both."
    )


def test_a_tolerance_of_another_kind_is_refused_in_words() -> None:
    with pytest.raises(DatamallError) as error:
        Tolerance("odds", 0.8, 1.25)  # type: ignore[arg-type]
    assert str(error.value) == "A tolerance is a difference or a ratio, not 'odds'."


def test_a_gap_at_the_edge_of_the_tolerance_is_accepted() -> None:
    low = np.array([0.8, 0.8, 1.25, 0.7, 0.7, 0.5, 1.3, 0.9, 0.6, 1.2, np.nan])
    high = np.array([0.8, 1.25, 1.25, 0.8, 0.7, 1.3, 1.3, 1.0, 2.0, np.inf, np.nan])
    some = NOT_ENOUGH
    both = [PASS, PASS, PASS, some, FAIL, some, FAIL, PASS, some, some, some]
    assert of_list((low, high), FOUR_FIFTHS).tolist() == both
    # Nothing is too much, or too little, where that side is not limited.
    least = [PASS, PASS, PASS, some, FAIL, some, PASS, PASS, some, PASS, some]
    assert of_list((low, high), Tolerance("ratio", 0.8, None)).tolist() == least
    most = [PASS, PASS, PASS, PASS, PASS, some, FAIL, PASS, some, some, some]
    assert of_list((low, high), Tolerance("ratio", None, 1.25)).tolist() == most


def test_evidence_at_the_level_is_enough() -> None:
    # At 75 % the error is a quarter, of which Holm asks a third, half and all in turn.
    inside = [0.25, 0.26, 0.25, 0.0, 1.0, 0.0]
    table = pd.DataFrame({"p_inside": inside, "p_outside": [1.0, 1.0, 0.9, 0.0625, 0.05, np.nan]})
    got = judged(table, 0.75)
    # Five p-values: 5 x 0.05, 4 x 0.0625, 3 x 0.9 and so on, no more than 1.
    np.testing.assert_allclose(got["p_outside_holm"], [1, 1, 1, 0.25, 0.25, np.nan], rtol=1e-15)
    assert got["verdict"].tolist() == [PASS, NOT_ENOUGH, PASS, FAIL, FAIL, PASS]
    assert list(got) == ["p_inside", "p_outside", "p_outside_holm", "verdict"]
    assert list(table) == ["p_inside", "p_outside"]
    # Adjusted in another way, it counts as it is given.
    other = np.array([0.25, 0.25, 0.26, 1.0, 0.3, np.nan])
    got = judged(table, 0.75, other)
    np.testing.assert_array_equal(got["p_outside_holm"], other)
    assert got["verdict"].tolist() == [FAIL, FAIL, PASS, PASS, NOT_ENOUGH, PASS]


def test_the_middle_of_bounds_is_whole() -> None:
    side = [(np.array([3.0, 4.0, 7.0]), np.array([10.0, 9.0, 7.0]))]
    side += [(np.array([6.0, 4.0, 8.0]), np.array([13.0, 11.0, 20.0]))]
    x, n = middle(side)
    assert x.tolist() == [4, 4, 7]
    assert n.tolist() == [11, 10, 13]


def test_all_checks_together_by_hand() -> None:
    assert overall(iter([PASS])) == PASS
    assert overall([NOT_ENOUGH]) == NOT_ENOUGH
    assert overall([FAIL]) == FAIL
    assert overall([FAIL, PASS]) == FAIL
    assert overall(pd.Series([PASS, NOT_ENOUGH, PASS])) == NOT_ENOUGH


def test_evidence_is_the_error_at_which_the_limit_meets_the_tolerance() -> None:
    one, other = (300, 1000), (480, 2000)  # 30 % against 24 %
    turned = other + one
    for kind, low, high in (("difference", -0.02, 0.1), ("ratio", 0.9, 1.4)):
        above_low = error_of(*one, *other, low, kind)
        below_high = error_of(*turned, *((-high if kind == "difference" else 1 / high), kind))
        assert SMALLEST < above_low < below_high < 0.05
        both = Tolerance(kind, low, high)  # type: ignore[arg-type]
        for given, expected in (
            (both, below_high),
            (Tolerance(both.kind, low, None), above_low),
            (Tolerance(both.kind, None, high), below_high),
        ):
            inside, outside = evidence(one_row(*one), one_row(*other), given)
            np.testing.assert_allclose(inside, [expected], rtol=1e-7)
            # No limit is outside, at any error: twice one is still one.
            assert outside.tolist() == [1]
    for kind, low, high in (("difference", -0.1, 0.02), ("ratio", 0.9, 1.1)):
        wide = error_of(*one, *other, high, kind)
        both = Tolerance(kind, low, high)  # type: ignore[arg-type]
        inside, outside = evidence(one_row(*one), one_row(*other), both)
        assert inside.tolist() == [1]
        # Two sides are two chances of a false alarm, one side is one.
        np.testing.assert_allclose(outside, [2 * wide], rtol=1e-7)
        inside, outside = evidence(one_row(*one), one_row(*other), Tolerance(both.kind, None, high))
        np.testing.assert_allclose([inside, outside], [[1], [wide]], rtol=1e-7)
        # The same the other way round.
        back = Tolerance(both.kind, *((-high, None) if kind == "difference" else (1 / high, None)))
        inside, outside = evidence(one_row(*other), one_row(*one), back)
        np.testing.assert_allclose([inside, outside], [[1], [wide]], rtol=1e-7)


def test_evidence_within_bounds_is_that_at_the_worst_of_them() -> None:
    """29 to 31 % against 23 to 25 %, with bounds on people as well."""
    one, other = one_row(290, 1000, 313, 1010), one_row(460, 2000, 510, 2040)
    farthest, nearest = (313, 1010, 460, 2000), (290, 1000, 510, 2040)
    inside, outside = evidence(one, other, Tolerance("difference", -0.02, 0.11))
    back = (460, 2000, 313, 1010)
    expected = error_of(*back, -0.11, "difference")
    assert expected > error_of(*nearest, -0.02, "difference")
    np.testing.assert_allclose(inside, [expected], rtol=1e-7)
    inside, outside = evidence(one, other, Tolerance("difference", -0.02, None))
    np.testing.assert_allclose(inside, [error_of(*nearest, -0.02, "difference")], rtol=1e-7)
    assert outside.tolist() == [1]
    inside, outside = evidence(one, other, Tolerance("ratio", None, 1.02))
    np.testing.assert_allclose(outside, [error_of(*nearest, 1.02, "ratio")], rtol=1e-7)
    assert inside.tolist() == [1]
    inside, outside = evidence(other, one, Tolerance("difference", -0.01, None))
    np.testing.assert_allclose(outside, [error_of(*nearest, 0.01, "difference")], rtol=1e-7)
    assert inside.tolist() == [1]
    assert error_of(*farthest, 1.02, "ratio") < error_of(*nearest, 1.02, "ratio") / 10


def gaps_by_trying(
    n: int, y: int, m: int, tolerance: Tolerance, tail: float, power: float
) -> tuple[float, float]:
    """Return the detectable gaps by trying every number of successes, or of failures."""
    kind, found = tolerance.kind, [np.nan, np.nan]
    k = np.arange(1, n + 1)
    for place, bound in enumerate((tolerance.low, tolerance.high)):
        if bound is None:
            continue
        if place:
            finds = gap_at_least(k, n, y, m, tail, kind) > bound
        else:
            edge = -bound if kind == "difference" else 1 / bound
            finds = gap_at_least(y, m, n - k, n, tail, kind) > edge
        if finds.any():
            least = k[finds][0]
            rate = brentq(lambda p, k=least: binom.sf(k - 1, n, p) - power, 0, 1, xtol=1e-15)
            rate = rate if place else 1 - rate
            found[place] = rate - y / m if kind == "difference" else rate / (y / m)
    return found[0], found[1]


@pytest.mark.parametrize(
    ("tolerance", "tail", "power"),
    [
        (Tolerance("difference", -0.05, 0.02), 0.025, 0.8),
        (Tolerance("difference", -0.01, None), 0.1, 0.5),
        (Tolerance("difference", None, 0.25), 0.001, 0.9),
        (Tolerance("ratio", 0.8, 1.25), 0.025, 0.8),
        (Tolerance("ratio", 0.5, 1.01), 0.1, 0.99),
        (Tolerance("ratio", None, 2.0), 0.3, 0.6),
    ],
)
def test_detectable_gaps_equal_those_of_trying_every_count(
    tolerance: Tolerance, tail: float, power: float
) -> None:
    trials = [1, 2, 3, 4, 5, 6, 7, 8, 12, 20, 33, 60]
    for y, m in ((20, 100), (2, 4), (450, 500), (1, 3000), (2999, 3000), (1, 1)):
        n, same = np.array(trials), np.ones(len(trials))
        got = detectable((n, n), (y * same, m * same), tolerance, tail, power)
        expected = [gaps_by_trying(each, y, m, tolerance, tail, power) for each in trials]
        np.testing.assert_allclose(np.transpose(got), expected, rtol=1e-9)


def test_one_person_shows_a_gap_only_against_a_rate_that_is_known() -> None:
    """At an error of 5 %, one of one shows a rate of 5 %, here against none of ten million."""
    n, tail = np.array([1, 1, 0, 1, 0]), 0.05
    other = np.array([0.0, 1e7, 0, 0, 1e7]), np.array([1e7, 1e7, 1e7, 0, 1e7])
    one = np.zeros(5), n
    low, high = detectable(one, other, Tolerance("difference", -0.04, 0.04), tail, 0.8)
    # All of one with a power of 80 % needs 80 %; none of one needs 20 %.
    np.testing.assert_allclose(high, [0.8, np.nan, np.nan, np.nan, np.nan], rtol=1e-12)
    np.testing.assert_allclose(low, [np.nan, -0.8, np.nan, np.nan, np.nan], rtol=1e-12)
    low, high = detectable(one, other, Tolerance("difference", -0.06, 0.06), tail, 0.8)
    assert np.isnan([low, high]).all()
    # Any rate is infinitely many times none.
    low, high = detectable(one, other, FOUR_FIFTHS, tail, 0.8)
    assert high.tolist()[:1] == [np.inf]
    assert np.isnan([*high[1:], *low]).all()


def test_each_row_is_tried_at_its_own_error() -> None:
    n, other = np.array([60, 60, 20]), (np.array([20.0] * 3), np.array([100.0] * 3))
    got = detectable((n, n), other, FOUR_FIFTHS, np.array([0.025, 0.001, 0.1]), 0.7)
    expected = [
        gaps_by_trying(size, 20, 100, FOUR_FIFTHS, tail, 0.7)
        for size, tail in ((60, 0.025), (60, 0.001), (20, 0.1))
    ]
    np.testing.assert_allclose(np.transpose(got), expected, rtol=1e-9)


def test_a_table_of_all_kinds_of_rows_is_judged_row_by_row() -> None:
    """Two that can be compared, one that cannot, and two of a list; tolerances of two kinds."""
    table = pd.concat(
        [
            rows([(300, 1000, 480, 2000), (100, 1000, 480, 2000), (0, 0, 480, 2000)]),
            rows([(2, 4, 1, 4), (3, 4, 1, 4)], "list"),
        ]
    ).set_index(pd.Index([7, 7, 3, 1, 0], name="own"))
    before = table.copy()
    given = [FOUR_FIFTHS, NEAR, NEAR, NEAR, NEAR]
    got = verdicts(table, given)
    pd.testing.assert_frame_equal(table, before)
    assert list(got) == [*COUNTS, "estimand", *ADDED]
    assert got.index.tolist() == [0, 1, 2, 3, 4]
    pd.testing.assert_frame_equal(got[COUNTS], before[COUNTS].reset_index(drop=True))
    # 30 % are 1.25 times 24 %, exactly at the edge; 10 % are 14 % less than 24 %.
    assert got["verdict"].tolist() == [NOT_ENOUGH, NOT_ENOUGH, NOT_ENOUGH, PASS, FAIL]
    less = 2 * error_of(480, 2000, 100, 1000, 0.125, "difference")
    np.testing.assert_allclose(got["p_outside"], [1, less, *[np.nan] * 3], rtol=1e-7)
    np.testing.assert_allclose(got["p_outside_holm"], [1, 2 * less, *[np.nan] * 3], rtol=1e-7)
    assert got["p_inside"].tolist()[:3] == [1, 1, 1]
    assert got["p_inside"].isna().tolist() == [False, False, False, True, True]
    # Two sides and two comparisons share the error of 5 %; 80 % is the power.
    expected = [gaps_by_trying(1000, 480, 2000, own, 0.05 / 4, 0.8) for own in (FOUR_FIFTHS, NEAR)]
    assert np.isfinite(expected).all()
    gaps = got[["detectable_low", "detectable_high"]].to_numpy(float)
    np.testing.assert_allclose(gaps[:2], expected, rtol=1e-9)
    assert np.isnan(gaps[2:]).all()
    assert [got[name].dtype.kind for name in ADDED] == ["f"] * 5 + ["O"]
    # The same one by one, at another level and power: one side is not shared.
    single = verdicts(table[1:2], Tolerance("difference", -0.125, None), level=0.6, power=0.3)
    assert single["p_outside_holm"].item() == pytest.approx(less / 2, rel=1e-7)
    assert single["verdict"].item() == FAIL
    expected = gaps_by_trying(1000, 480, 2000, Tolerance("difference", -0.125, None), 1 - 0.6, 0.3)
    np.testing.assert_allclose(
        single[["detectable_low", "detectable_high"]].to_numpy(float), [expected], rtol=1e-9
    )


def test_no_rows_give_a_table_without_rows() -> None:
    got = verdicts(rows([]).astype(dict.fromkeys(COUNTS, float)), FOUR_FIFTHS)
    assert list(got) == [*COUNTS, "estimand", *ADDED]
    assert len(got) == 0
    assert overall(got["verdict"]) == NOT_ENOUGH
    assert got[ADDED[:5]].dtypes.tolist() == [np.dtype(float)] * 5


def test_bounds_of_counts_are_judged_at_their_worst_and_detected_from_their_middle() -> None:
    bounds = {
        "successes": (290, 313),
        "trials": (1000, 1011),
        "other_successes": (460, 511),
        "other_trials": (2000, 2040),
    }
    table = rows([(300, 1000, 480, 2000)] * 3)
    for name, (low, high) in bounds.items():
        table[f"{name}_low"], table[f"{name}_high"] = low, high
    # Rates of a list: at least 290 / 1000 - 511 / 2040, at most 313 / 1011 - 460 / 2000.
    table.loc[[1, 2], "estimand"] = "list"
    given = [Tolerance("difference", -0.02, 0.15), Tolerance("difference", None, 0.05)]
    got = verdicts(table, [*given, Tolerance("difference", None, 0.03)])
    assert got["verdict"].tolist() == [PASS, NOT_ENOUGH, FAIL]
    inside = error_of(290, 1000, 511, 2040, -0.02, "difference")
    assert got["p_inside"].iloc[0] == pytest.approx(inside, rel=1e-7)
    expected = gaps_by_trying(1005, 485, 2020, given[0], 0.05 / 2, 0.8)
    gaps = got.loc[0, ["detectable_low", "detectable_high"]].to_numpy(float)
    np.testing.assert_allclose(gaps, expected, rtol=1e-9)


def test_a_gap_that_is_the_accepted_one_is_accepted_however_it_is_reckoned() -> None:
    near = Tolerance("difference", -0.1, 0.1)
    edge = [(a, 100, a - 10, 100) for a in range(10, 101)]
    edge += [(y, 100, x, 100) for x, _, y, _ in edge]
    assert set(verdicts(rows(edge, "list"), near)["verdict"]) == {PASS}
    fifths = [(4 * k, 100, 5 * k, 100) for k in range(1, 21)]
    fifths += [(y, 100, x, 100) for x, _, y, _ in fifths]
    assert set(verdicts(rows(fifths, "list"), FOUR_FIFTHS)["verdict"]) == {PASS}
    beyond = [(7_999_999, 10**8, 10**7, 10**8), (12_500_001, 10**8, 10**7, 10**8)]
    assert set(verdicts(rows(beyond, "list"), FOUR_FIFTHS)["verdict"]) == {FAIL}
    beyond = [(40_000_001, 10**8, 3 * 10**7, 10**8), (3 * 10**7, 10**8, 40_000_001, 10**8)]
    assert set(verdicts(rows(beyond, "list"), near)["verdict"]) == {FAIL}
