"""Whatever the counts, limits and verdicts keep their order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from datamall.fairness.intervals import Kind, gap_limits, limits
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS, Tolerance, verdicts

TRIALS = st.one_of(st.integers(0, 30), st.integers(0, 10**7))
PAIR = TRIALS.flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
TAIL = st.sampled_from([0.5, 0.1, 0.025, 1e-4, 1e-8])
QUICK = settings(deadline=None, derandomize=True, max_examples=100)


@QUICK
@given(PAIR, TAIL, st.sampled_from(["exact", "mid-p", "wilson"]))
def test_limits_enclose_the_share(pair: tuple, tail: float, method: str) -> None:
    x, n = (np.array(v, float) for v in pair)
    low, high = limits(x, n, tail, method)  # type: ignore[arg-type]
    assert 0 <= low <= high + 1e-12 <= 1 + 2e-12
    # At half of the error both mid-p limits are one median, which is not the share.
    if n and (method != "mid-p" or tail < 0.5):
        assert low - 1e-9 <= x / n <= high + 1e-9
    wide = limits(x, n, tail / 10, method)  # type: ignore[arg-type]
    assert wide[0] <= low + 1e-12
    assert wide[1] >= high - 1e-12
    other = limits(n - x, n, tail, method)  # type: ignore[arg-type]
    np.testing.assert_allclose([1 - other[1], 1 - other[0]], [low, high], atol=1e-12)


@QUICK
@given(PAIR, PAIR, TAIL, st.sampled_from(["difference", "ratio"]))
def test_limits_of_gaps_enclose_the_gap_and_turn_round(
    one: tuple, other: tuple, tail: float, kind: Kind
) -> None:
    pairs = [tuple(np.array(v, float) for v in pair) for pair in (one, other)]
    low, high = gap_limits(*pairs, tail, kind)
    assert low <= high + 1e-9
    (x, n), (y, m) = one, other
    if n and m and (kind == "difference" or y):
        gap = x / n - y / m if kind == "difference" else (x / n) / (y / m)
        assert low <= gap * (1 + 1e-9) + 1e-9
        assert high >= gap * (1 - 1e-9) - 1e-9
    back = gap_limits(*pairs[::-1], tail, kind)
    with np.errstate(divide="ignore"):
        turned = (-back[1], -back[0]) if kind == "difference" else (1 / back[1], 1 / back[0])
    np.testing.assert_allclose(turned, (low, high), rtol=1e-9)


@pytest.mark.slow
@QUICK
@given(st.lists(st.tuples(PAIR, PAIR), min_size=1, max_size=4))
def test_verdicts_agree_with_limits(rows: list[tuple]) -> None:
    x, n, y, m = (np.array([pair[i][j] for pair in rows]) for i in (0, 1) for j in (0, 1))
    assume(((n > 0) & (m > 0)).any())
    table = pd.DataFrame(
        {"successes": x, "trials": n, "other_successes": y, "other_trials": m}
    ).assign(estimand="procedure", ratio=1.0)
    got = verdicts(table, Tolerance("ratio", 0.5, 2.0))
    low, high = gap_limits((x, n), (y, m), 0.05, "ratio")
    inside = (low > 0.5) & (high < 2)
    assert (got["verdict"] == PASS).tolist() == inside.tolist()
    comparisons = ((n > 0) & (m > 0)).sum()
    low, high = gap_limits((x, n), (y, m), 0.025 / comparisons, "ratio")
    assert (got["verdict"][(low > 2) | (high < 0.5)] == FAIL).all()
    low, high = gap_limits((x, n), (y, m), 0.025, "ratio")
    assert (got["verdict"][(low <= 2) & (high >= 0.5) & ~inside] == NOT_ENOUGH).all()
