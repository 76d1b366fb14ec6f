"""PASS, FAIL and NOT ENOUGH EVIDENCE, and how often each is wrong."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from datamall.errors import DatamallError
from datamall.fairness import Cells
from datamall.fairness.inference import compare
from datamall.fairness.intervals import gap_lower
from datamall.fairness.verdict import (
    FAIL,
    NOT_ENOUGH,
    PASS,
    Tolerance,
    detectable,
    overall,
    verdicts,
)

FOUR_FIFTHS = Tolerance("ratio", 0.8, 1.25)


def judged(selected: list[int], people: list[int], **more: object) -> pd.DataFrame:
    table = pd.DataFrame({"g": [f"g{i}" for i in range(len(people))], "tp": selected, "fp": 0})
    table["fn"], table["tn"] = np.array(people) - np.array(selected), 0
    options: dict = {"estimand": "procedure", "names": ["selection_rate"]} | more
    return verdicts(compare(Cells.from_confusion(table, ["g"]), **options), FOUR_FIFTHS)


def test_each_verdict_is_possible() -> None:
    assert set(judged([1000, 1010], [10_000, 10_000])["verdict"]) == {PASS}
    assert set(judged([1000, 2000], [10_000, 10_000])["verdict"]) == {FAIL}
    assert set(judged([10, 14], [100, 100])["verdict"]) == {NOT_ENOUGH}
    mixed = judged([1000, 1010, 1005, 2], [10_000, 10_000, 10_000, 20])
    assert mixed["verdict"].tolist() == [PASS, PASS, PASS, NOT_ENOUGH]


def test_tiny_and_empty_groups_are_never_judged() -> None:
    got = judged([100, 100, 1, 0, 0], [1000, 1000, 1, 1, 0])
    assert got["verdict"].tolist()[2:] == [NOT_ENOUGH] * 3
    assert np.isnan(got["detectable_high"].iloc[4])
    assert set(judged([0, 0], [1000, 1000])["verdict"]) == {NOT_ENOUGH}
    assert set(judged([50], [50])["verdict"]) == {NOT_ENOUGH}


def test_ten_thousand_small_groups_give_no_verdict() -> None:
    got = judged([1] * 10_000, [10] * 10_000)
    assert set(got["verdict"]) == {NOT_ENOUGH}


def test_many_checks_need_more_evidence_to_fail() -> None:
    """The very gap that fails alone is no evidence among twenty: one in twenty looks like it."""
    rows = pd.DataFrame({"successes": [160] + [100] * 19, "trials": 1000})
    rows = rows.assign(other_successes=1000, other_trials=10_000, estimand="procedure", ratio=1.0)
    alone, among = verdicts(rows[:1], FOUR_FIFTHS), verdicts(rows, FOUR_FIFTHS)
    assert alone["verdict"].tolist() == [FAIL]
    assert among["verdict"].iloc[0] == NOT_ENOUGH
    assert among["p_outside_holm"].iloc[0] == pytest.approx(20 * alone["p_outside"].item())
    # Two sides of the tolerance share the error, twenty checks share it again.
    pairs = [
        tuple(rows[[a, b]].to_numpy(float).T) for a, b in (rows.columns[:2], rows.columns[2:4])
    ]
    expected = detectable(*pairs, FOUR_FIFTHS, 0.05 / 2 / 20, 0.8)[1]  # type: ignore[arg-type]
    np.testing.assert_allclose(among["detectable_high"], expected, rtol=1e-12)


def test_a_list_is_judged_as_it_is() -> None:
    got = judged([10, 14, 12, 0], [100, 100, 100, 0], estimand="list")
    assert got["verdict"].tolist() == [FAIL, FAIL, PASS, NOT_ENOUGH]
    assert got["p_outside"].isna().all()


def test_a_tolerance_on_one_side_asks_one_question() -> None:
    table = pd.DataFrame({"g": ["a", "b"], "tp": [500, 1000], "fp": 0, "fn": [9500, 9000], "tn": 0})
    rows = compare(
        Cells.from_confusion(table, ["g"]), estimand="procedure", names=["selection_rate"]
    )
    got = verdicts(rows, Tolerance("ratio", None, 1.25)).set_index("group")["verdict"]
    assert got.to_dict() == {"a": PASS, "b": FAIL}
    difference = verdicts(rows, Tolerance("difference", -0.1, 0.1))["verdict"]
    assert set(difference) == {PASS}


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("ratio", 1.1, 1.25),
        ("ratio", None, 0.9),
        ("ratio", 0, 1.25),
        ("difference", 0.01, 0.02),
        ("difference", None, None),
        ("odds", 0.8, 1.25),
    ],
)
def test_a_tolerance_that_is_none(kind: str, low: float | None, high: float | None) -> None:
    with pytest.raises(DatamallError, match=r"tolerance"):
        Tolerance(kind, low, high)  # type: ignore[arg-type]


def test_all_checks_together() -> None:
    assert overall([PASS, PASS]) == PASS
    assert overall([PASS, NOT_ENOUGH]) == NOT_ENOUGH
    assert overall([PASS, FAIL, NOT_ENOUGH]) == FAIL
    assert overall([]) == NOT_ENOUGH


def test_wrong_verdicts_are_as_rare_as_stated() -> None:
    """All outcomes of two groups, exactly at the edge of the tolerance and in its middle."""
    n, m, rate = 400, 500, 0.3
    x, y = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    likely = (binom.pmf(x, n, 0.375) + binom.pmf(x, n, 0.3)) * binom.pmf(y, m, rate) > 1e-9
    x, y = x[likely], y[likely]
    rows = pd.DataFrame({"successes": x, "trials": n, "other_successes": y, "other_trials": m})
    rows["estimand"], rows["ratio"] = "procedure", 1.0
    # One comparison at a time: Holm over one.
    got = verdicts(rows, FOUR_FIFTHS)
    fails = got["p_outside"].to_numpy() <= 0.05
    passes = got["p_inside"].to_numpy() <= 0.05
    assert not (fails & passes).any()
    edge = binom.pmf(x, n, 0.375) * binom.pmf(y, m, rate)
    assert 0.02 < edge[passes].sum() <= 0.05
    assert 0.01 < edge[fails].sum() <= 0.05
    fair = binom.pmf(x, n, rate) * binom.pmf(y, m, rate)
    assert fair[fails].sum() < 1e-4
    assert fair[passes].sum() > 0.35


@pytest.mark.parametrize("kind", ["ratio", "difference"])
def test_detectable_gaps_are_found_with_the_stated_power(kind: str) -> None:
    tolerance = FOUR_FIFTHS if kind == "ratio" else Tolerance("difference", -0.02, 0.03)
    trials = np.array([300, 2000, 15])
    other = np.array([500, 500, 500]), np.array([2000, 2000, 2000])
    low, high = detectable((trials, trials), other, tolerance, 0.01, 0.8)
    for i, n in enumerate(trials):
        x = np.arange(n + 1)
        pair = (other[0][i], other[1][i])
        above = gap_lower((x, n), pair, 0.01, tolerance.kind) > tolerance.high
        edge = -tolerance.low if kind == "difference" else 1 / tolerance.low
        below = gap_lower(pair, (x, n), 0.01, tolerance.kind) > edge
        for gap, region in ((low[i], below), (high[i], above)):
            rate = 0.25 * gap if kind == "ratio" else 0.25 + gap
            power = binom.pmf(x, n, rate)[region].sum() if not np.isnan(gap) else np.nan
            assert np.isnan(gap) or power == pytest.approx(0.8)
    assert np.isnan(low[2])  # 15 people cannot show a rate far enough below a quarter
    assert high[1] < high[0]
