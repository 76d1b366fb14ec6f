"""Tables of rates and gaps, every number of which can be reckoned by hand."""

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from datamall.errors import DatamallError
from datamall.fairness import Cells, metrics
from datamall.fairness.inference import (
    adjust,
    comparable,
    compare,
    ends,
    gap_ends,
    intervals,
    pairs,
    with_gaps,
)
from datamall.fairness.intervals import gap_limits, limits

# One deviate on each side: limits of all n are n / (n + 1) and 1.
ONE = float(ndtr(-1))
LEVEL = 1 - 2 * ONE
GAPS = [f"{kind}{end}" for kind in ("difference", "ratio") for end in ("", "_low", "_high")]


def cells() -> Cells:
    """Return two groups in two bands: tp, fp, fn and tn of each."""
    rows = [
        ("a", 1, 3, 0, 0, 0),
        ("a", 2, 1, 0, 0, 3),
        ("b", 1, 0, 0, 0, 4),
        ("b", 2, 4, 4, 0, 0),
    ]
    table = pd.DataFrame(rows, columns=["g", "score_band", "tp", "fp", "fn", "tn"])
    people = table.melt(["g", "score_band"], var_name="cell", value_name="n")
    people["d"] = people["cell"].isin(["tp", "fp"])
    people["y"] = people["cell"].isin(["tp", "fn"])
    return Cells.from_frame(people, ["g"], "d", "y", score_band="score_band", count="n")


def test_a_table_of_rates() -> None:
    """Of a 4 of 7 are selected and of b 8 of 12; with the outcome are 4 of 4, and 4 of 4."""
    names = ["selection_rate", "tpr"]
    table = intervals(
        cells(),
        estimand="procedure",
        names=names,
        level=LEVEL,
        simultaneous=False,
        method="wilson",
    )
    assert table.columns.tolist() == [
        "by", "group", "metric", "estimand", "successes", "trials", "rate", "low", "high"
    ]  # fmt: skip
    assert table.index.tolist() == [0, 1, 2, 3]
    assert table["by"].tolist() == ["g"] * 4
    assert table["group"].tolist() == ["a", "a", "b", "b"]
    assert table["metric"].tolist() == names * 2
    assert table["metric"].dtype == "str"
    assert set(table["estimand"]) == {"procedure"}
    assert table["successes"].tolist() == [4, 4, 8, 4]
    assert table["trials"].tolist() == [7, 4, 12, 4]
    assert table["rate"].tolist() == [4 / 7, 1, 8 / 12, 1]
    # Of n with a deviate of 1: (x + 1/2 -+ sqrt(x (n - x) / n + 1/4)) / (n + 1).
    half = np.array([(4 * 3 / 7 + 1 / 4) ** 0.5, 0.5, (8 * 4 / 12 + 1 / 4) ** 0.5, 0.5])
    middle, wide = np.array([4.5, 4.5, 8.5, 4.5]), np.array([8, 5, 13, 5])
    np.testing.assert_allclose(table["low"], (middle - half) / wide, rtol=1e-12)
    np.testing.assert_allclose(table["high"], (middle + half) / wide, rtol=1e-12)
    census = intervals(cells(), estimand="list", names=names)
    assert census[["low", "high"]].to_numpy().tolist() == [[r, r] for r in table["rate"]]
    # In turn of the names that are given, which may be any.
    assert intervals(cells(), estimand="list")["metric"].tolist() == [*metrics.METRICS] * 2


def test_rates_within_bands() -> None:
    """At 95 % of all rows: the exact limits of all n are the n-th roots of the error of one."""
    table = intervals(cells(), within=["score_band"], estimand="procedure", names=["ppv"])
    assert table.columns[0] == "score_band"
    assert table["score_band"].tolist() == [1, 1, 2, 2]
    assert table["group"].tolist() == ["a", "b", "a", "b"]
    assert table["trials"].tolist() == [3, 0, 1, 8]
    # Three rows have anybody, and the error of 0.05 has two sides.
    each = 0.05 / 2 / 3
    np.testing.assert_allclose(table["low"].iloc[[0, 2]], [each ** (1 / 3), each], rtol=1e-10)
    assert table["high"].iloc[[0, 2]].tolist() == [1, 1]
    assert table[["low", "high"]].iloc[1].tolist() == [0, 1]
    assert np.isnan(table["rate"].iloc[1])
    low, high = limits(np.array(4), np.array(8), each)
    np.testing.assert_allclose(table[["low", "high"]].iloc[3].tolist(), [low, high], rtol=1e-10)
    alone = intervals(
        cells(), within=["score_band"], estimand="procedure", names=["ppv"], simultaneous=False
    )
    np.testing.assert_allclose(alone["low"].iloc[[0, 2]], [0.025 ** (1 / 3), 0.025], rtol=1e-10)


def test_one_row_has_the_whole_error() -> None:
    one = cells().where(g="a").by(["g"])
    for names in (["tpr"], ["tpr", "fnr"]):
        table = intervals(one, estimand="procedure", names=names, level=0.9)
        assert table["low"].iloc[0] == pytest.approx((0.05 / len(names)) ** (1 / 4), rel=1e-10)


def test_a_level_of_a_half_is_the_least_and_one_is_too_much() -> None:
    table = intervals(
        cells().where(g="a").by(["g"]), estimand="procedure", names=["tpr"], level=0.5
    )
    assert table["low"].tolist() == pytest.approx([0.25 ** (1 / 4)], rel=1e-10)
    for level in (0.49, 1, 1.0, 95):
        for asked in (intervals, compare):
            with pytest.raises(DatamallError) as refused:
                asked(cells(), estimand="procedure", level=level)
            assert str(refused.value) == (f"The level is {level}: give a probability such as 0.95.")


def test_sentences_of_what_is_refused() -> None:
    frame = pd.DataFrame({"g": ["a", "b"], "d": [1, 0], "w": [1.0, 2.0]})
    weighted = Cells.from_frame(frame, ["g"], "d", weight="w")
    for asked in (intervals, compare):
        with pytest.raises(DatamallError) as refused:
            asked(weighted, estimand="procedure")
        assert str(refused.value) == (
            "Weighted counts have no exact intervals: sum over the weights with by()."
        )
    for asked in (intervals, compare, pairs):
        with pytest.raises(DatamallError) as refused:
            asked(cells(), estimand="both")  # type: ignore[operator]
        assert str(refused.value) == "The estimand is 'list' or 'procedure', not 'both'."


def test_a_table_of_gaps() -> None:
    """All 4 of a against 8 of 12 of b, and the other way round, at one deviate on each side."""
    rows = pd.DataFrame({"g": ["a", "b"], "tp": [4, 8], "fp": 0, "fn": [0, 4], "tn": 0})
    counts = Cells.from_confusion(rows, ["g"])
    options: dict[str, Any] = {"names": ["tpr"], "level": LEVEL, "method": "wilson"}
    table = compare(counts, estimand="procedure", simultaneous=False, **options)
    assert table.columns.tolist() == [
        "by", "group", "metric", "estimand", "successes", "trials", "other_successes",
        "other_trials", "rate", "other_rate", *GAPS,
    ]  # fmt: skip
    found = table.drop(columns=["by", "metric", "estimand", "group"])
    # 4 of 4: 0.8 to 1. 8 of 12: (8.5 -+ sqrt(35 / 12)) / 13.
    p, low, high = 2 / 3, (8.5 - (35 / 12) ** 0.5) / 13, (8.5 + (35 / 12) ** 0.5) / 13
    down = 1 / 3 - (0.2**2 + (high - p) ** 2) ** 0.5
    up = 1 / 3 + p - low
    # The ratio solves r^2 low (2 p - low) - 2 r p q + high (2 q - high) = 0, for both its ends.
    half = np.sqrt(p**2 - 0.8 * 1.2 * high * (2 * p - high))
    least = (p - half) / (high * (2 * p - high))
    most = (p + np.sqrt(p**2 - low * (2 * p - low))) / (low * (2 * p - low))
    first = [4, 4, 8, 12, 1, p, 1 / 3, down, up, 1.5, least, most]
    second = [8, 12, 4, 4, p, 1, -1 / 3, -up, -down, p, 1 / most, 1 / least]
    np.testing.assert_allclose(found.to_numpy(float), [first, second], rtol=1e-12)
    # Two rows share the error.
    both = compare(counts, estimand="procedure", **options)
    lower, upper = gap_limits(
        (np.array(4), np.array(4)), (np.array(8), np.array(12)), ONE / 2, "ratio", "wilson"
    )
    assert both["ratio_low"].iloc[0] == pytest.approx(lower, rel=1e-12)
    assert both["ratio_high"].iloc[0] == pytest.approx(upper, rel=1e-12)
    census = compare(counts, estimand="list", names=["tpr"])
    expected = [[1 / 3] * 3 + [1.5] * 3, [-1 / 3] * 3 + [p] * 3]
    np.testing.assert_allclose(census[GAPS].to_numpy(float), expected, rtol=1e-12)


def test_gaps_by_the_method_that_is_asked_for() -> None:
    """All 2 of a against none of 3 of b: the whole error, half of it, or a score."""
    rows = pd.DataFrame({"g": ["a", "b"], "tp": [2, 0], "fp": 0, "fn": [0, 3], "tn": 0})
    counts = Cells.from_confusion(rows, ["g"])
    sides = {
        "exact": (1 - 0.025 ** (1 / 2), 1 - 0.025 ** (1 / 3)),
        "mid-p": (1 - 0.05 ** (1 / 2), 1 - 0.05 ** (1 / 3)),
        "wilson": (1 - 2 / (2 + 1.959963984540054**2), 1 - 3 / (3 + 1.959963984540054**2)),
    }
    for method, (one, other) in sides.items():
        options: dict[str, Any] = {"names": ["tpr"], "simultaneous": False, "method": method}
        gaps = compare(counts, estimand="procedure", **options).iloc[0]
        assert gaps["difference_low"] == pytest.approx(1 - np.hypot(one, other), rel=1e-9)
        rates = intervals(counts, estimand="procedure", **options)
        assert rates["low"].iloc[0] == pytest.approx(1 - one, rel=1e-9)
        assert rates["high"].iloc[1] == pytest.approx(other, rel=1e-9)
    default = compare(counts, estimand="procedure", names=["tpr"], simultaneous=False).iloc[0]
    assert default["difference_low"] == pytest.approx(1 - np.hypot(*sides["exact"]), rel=1e-9)


def bounded() -> pd.DataFrame:
    """Return 4 to 5 of 10 against 2 to 4 of 20 to 16, nobody against 1 of 2, and 1 of 2 in turn."""
    return pd.DataFrame(
        {
            "successes": [5, 0, 1],
            "trials": [10, 0, 2],
            "successes_low": [4, 0, 1],
            "trials_low": [10, 0, 2],
            "successes_high": [5, 0, 1],
            "trials_high": [10, 4, 2],
            "other_successes": [3, 1, 0],
            "other_trials": [20, 2, 0],
            "other_successes_low": [2, 1, 0],
            "other_trials_low": [20, 2, 0],
            "other_successes_high": [4, 1, 0],
            "other_trials_high": [16, 2, 0],
            "estimand": ["list", "procedure", "procedure"],
        }
    )


def test_counts_within_bounds_give_the_gaps_at_the_worst() -> None:
    table = bounded()
    one, other = ends(table)
    assert [[v.tolist() for v in side] for side in one] == [
        [[4, 0, 1], [10, 0, 2]],
        [[5, 0, 1], [10, 4, 2]],
    ]
    assert [[v.tolist() for v in side] for side in other] == [
        [[2, 1, 0], [20, 2, 0]],
        [[4, 1, 0], [16, 2, 0]],
    ]
    assert all(v.dtype == float for pair in (*one, *other) for v in pair)
    low, high = gap_ends(one, other, "difference")
    np.testing.assert_allclose(low, [0.4 - 0.25, np.nan, np.nan])
    np.testing.assert_allclose(high, [0.5 - 0.1, -0.5, np.nan])
    low, high = gap_ends(one, other, "ratio")
    np.testing.assert_allclose(low, [0.4 / 0.25, np.nan, np.nan])
    np.testing.assert_allclose(high, [0.5 / 0.1, 0, np.nan])
    # There may be somebody in the second, at one end; nobody is with the third.
    assert comparable(table).tolist() == [True, True, False]
    turned = table.rename(columns=lambda name: name.replace("other_", "swap_"))
    turned.columns = [
        name[5:] if name.startswith("swap_") else name if name == "estimand" else f"other_{name}"
        for name in turned
    ]
    assert comparable(turned).tolist() == [True, True, False]
    for census in (True, False):
        rows = table.assign(estimand="list" if census else "procedure")
        got = with_gaps(rows, 0.025).iloc[0]
        assert (got["rate"], got["other_rate"]) == (0.5, 0.15)
        assert got["difference"] == pytest.approx(0.35)
        assert got["ratio"] == pytest.approx(10 / 3)
        worst = (np.array(4), np.array(10)), (np.array(4), np.array(16))
        best = (np.array(5), np.array(10)), (np.array(2), np.array(20))
        for kind, least, most in (("difference", 0.15, 0.4), ("ratio", 1.6, 5)):
            if not census:
                least = gap_limits(*worst, 0.025, kind)[0]  # type: ignore[arg-type]
                most = gap_limits(*best, 0.025, kind)[1]  # type: ignore[arg-type]
            assert got[f"{kind}_low"] == pytest.approx(float(least), rel=1e-12)
            assert got[f"{kind}_high"] == pytest.approx(float(most), rel=1e-12)
    for method in ("exact", "mid-p", "wilson"):
        got = with_gaps(table.assign(estimand="procedure"), 0.025, method).iloc[0]  # type: ignore[arg-type]
        least = gap_limits(*worst, 0.025, "difference", method)[0]  # type: ignore[arg-type]
        most = gap_limits(*best, 0.025, "difference", method)[1]  # type: ignore[arg-type]
        both = got[["difference_low", "difference_high"]].tolist()
        assert both == pytest.approx([float(least), float(most)], rel=1e-12)
    # Each row is what its own estimand says.
    mixed = with_gaps(table, 0.025)
    assert mixed["difference_low"].iloc[0] == pytest.approx(0.15)
    assert (mixed["difference_low"].iloc[2], mixed["ratio_high"].iloc[2]) == (-1, np.inf)
    # Counts may be decimals, as a database gives them.
    numbers = table.columns.drop("estimand")
    exact = table.astype(dict.fromkeys(numbers, object))
    exact[numbers] = exact[numbers].map(Decimal)
    pd.testing.assert_frame_equal(with_gaps(exact, 0.025)[GAPS], mixed[GAPS])
    # The table that was given stays as it was.
    assert table.columns.tolist() == bounded().columns.tolist()


def test_whether_there_is_anybody_to_compare() -> None:
    table = pd.DataFrame(
        {
            "successes": [0, 0, 0, 1],
            "trials": [0, 1, 0, 1],
            "other_successes": [0, 0, 0, 1],
            "other_trials": [1, 0, 0, 1],
        }
    )
    assert comparable(table).tolist() == [False, False, False, True]
    one, other = ends(table)
    assert one[0] is one[1]
    assert other[0] is other[1]
    # One person is enough, at either end of what is known.
    people = ((1, 0), (0, 1), (1, 1), (0, 0))
    rows = [(*own, *theirs) for own in people for theirs in people]
    sides = ["trials_low", "trials_high", "other_trials_low", "other_trials_high"]
    known = pd.DataFrame(rows, columns=sides)
    for side in sides:
        known[side.replace("trials", "successes")] = 0
    assert comparable(known).tolist() == [True, True, True, False] * 3 + [False] * 4
    assert comparable(bounded().iloc[[1]]).tolist() == [True]


def test_nobody_in_a_comparison_has_no_share_of_the_error() -> None:
    """Of a and b three and one were found; c has nobody: two comparisons, of a and of b."""
    rows = pd.DataFrame({"g": ["a", "b", "c"], "tp": [3, 1, 0], "fp": 0, "fn": 0, "tn": 0})
    counts = Cells.from_confusion(rows, ["g"])
    table = compare(counts, estimand="procedure", names=["tpr"], level=0.9)
    assert table["other_trials"].tolist() == [1, 3, 4]
    one, other = 1 - 0.025 ** (1 / 3), 1 - 0.025
    np.testing.assert_allclose(table["difference_low"], [-one, -other, -1], rtol=1e-9)
    np.testing.assert_allclose(table["difference_high"], [other, one, 1], rtol=1e-9)


def test_pairs_are_counts_alone() -> None:
    table = pairs(
        cells(),
        ["g"],
        estimand="list",
        reference={"g": "b"},
        names=["selection_rate", "fpr"],
        within=["score_band"],
    )
    columns = ["successes", "trials", "other_successes", "other_trials"]
    assert table.columns.tolist() == ["score_band", "by", "group", "metric", "estimand", *columns]
    assert table["group"].tolist() == ["a"] * 4
    assert table["score_band"].tolist() == [1, 1, 2, 2]
    assert table[columns].to_numpy().tolist() == [
        [3, 3, 0, 4],
        [0, 0, 0, 4],
        [1, 4, 8, 8],
        [0, 3, 4, 4],
    ]
    assert set(table["estimand"]) == {"list"}
    rows = pd.DataFrame({"g": [*"aabb"], "h": [*"cdcd"], "tp": [3, 1, 0, 4], "fp": 0, "fn": 0})
    counts = Cells.from_confusion(rows.assign(tn=0), ["g", "h"])
    every = pairs(counts, estimand="list", names=["tpr"], depth=1)
    assert every["group"].tolist() == ["a", "b", "c", "d"]
    assert every[columns].to_numpy().tolist() == [
        [4, 4] * 2,
        [4, 4] * 2,
        [3, 3, 5, 5],
        [5, 5, 3, 3],
    ]
    again = compare(counts, estimand="list", names=["tpr"], depth=1)
    pd.testing.assert_frame_equal(again[every.columns], every)
    within = compare(counts, ["g"], within=["h"], estimand="list", names=["tpr"])
    assert within["h"].tolist() == [*"ccdd"]


def test_adjusted_p_values_by_hand() -> None:
    """Holm: 4, 3, 2 and 1 times, never falling, at most 1; Benjamini and Hochberg: 4 / rank."""
    p = np.array([0.02, np.nan, 0.01, 0.6, 0.03])
    np.testing.assert_allclose(adjust(p, "holm"), [0.06, np.nan, 0.04, 0.6, 0.06], rtol=1e-14)
    np.testing.assert_allclose(adjust(p, "bh"), [0.04, np.nan, 0.04, 0.6, 0.04], rtol=1e-14)
    assert adjust(np.array([0.5, 0.9]), "holm").tolist() == [1, 1]
    assert adjust(np.array([0.5, 0.9]), "bh").tolist() == [0.9, 0.9]
    assert adjust(np.array([1, 1, 0]), "bh").tolist() == [1, 1, 0]
    # Whole numbers, texts of numbers and the values themselves: the argument is not changed.
    assert adjust(np.array([0, 1], object), "holm").dtype == float
    assert np.isnan(p[1])
    assert p[0] == 0.02
