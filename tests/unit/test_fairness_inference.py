"""Intervals and comparisons of groups as tables."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from datamall.errors import DatamallError
from datamall.fairness import Cells
from datamall.fairness.inference import adjust, compare, intervals
from datamall.fairness.intervals import gap_limits, limits
from datamall.fairness.subgroups import subgroups


@pytest.fixture(scope="module")
def cells() -> Cells:
    draw = np.random.Generator(np.random.PCG64(3))
    n = 5000
    frame = pd.DataFrame(
        {
            "sex": draw.choice(["woman", "man"], n),
            "origin": draw.choice(["Dutch", "Turkish", "other"], n, p=[0.7, 0.1, 0.2]),
            "age": draw.choice(["<30", "30+"], n),
            "band": draw.integers(0, 4, n),
            "d": draw.random(n) < 0.1,
            "y": draw.random(n) < 0.2,
        }
    )
    return Cells.from_frame(frame, ["sex", "origin", "age"], "d", "y", score_band="band")


def test_rates_have_intervals_only_as_a_procedure(cells: Cells) -> None:
    names = ["selection_rate", "tpr"]
    sample = intervals(cells, ["sex"], estimand="procedure", names=names, simultaneous=False)
    row = sample.iloc[1]
    assert (row["by"], row["group"], row["metric"]) == ("sex", "man", "tpr")
    low, high = limits(row["successes"], row["trials"], (1 - 0.95) / 2)
    assert (row["low"], row["high"]) == (low, high)
    census = intervals(cells, ["sex"], estimand="list", names=names)
    assert (census["low"] == census["rate"]).all()
    assert (census["high"] == sample["rate"]).all()
    assert set(census["estimand"]) == {"list"}
    with pytest.raises(DatamallError, match="The estimand is 'list' or 'procedure', not 'both'"):
        intervals(cells, estimand="both")  # type: ignore[arg-type]


def test_error_of_all_rows_together_is_divided(cells: Cells) -> None:
    many = intervals(cells, estimand="procedure", names=["fpr"], depth=3)
    assert len(many) == 2 + 3 + 2 + 6 + 4 + 6 + 12
    low, _ = limits(many["successes"], many["trials"], 0.025 / len(many))
    np.testing.assert_allclose(many["low"], low, rtol=1e-12)


def test_groups_are_compared_with_everybody_else(cells: Cells) -> None:
    got = compare(cells, depth=2, estimand="procedure", names=["selection_rate"])
    row = got[(got["by"] == "sex × origin") & (got["group"] == "woman × Turkish")].iloc[0]
    part = cells.where(sex="woman", origin="Turkish").counts.sum(axis=(0, 2))
    whole = cells.counts.sum(axis=(0, 2))
    one, other = (part[1], part[:2].sum()), (whole[1] - part[1], (whole - part)[:2].sum())
    assert (row["successes"], row["trials"]) == one
    assert (row["other_successes"], row["other_trials"]) == other
    low, high = gap_limits(one, other, 0.025 / len(got), "ratio")
    assert (row["ratio_low"], row["ratio_high"]) == (low, high)
    assert row["ratio"] == pytest.approx(one[0] / one[1] / (other[0] / other[1]))


def test_groups_are_compared_with_a_reference_of_the_same_kind(cells: Cells) -> None:
    got = compare(
        cells,
        ["sex", "origin"],
        depth=2,
        estimand="list",
        reference={"sex": "man", "origin": "Dutch"},
        names=["base_rate"],
    )
    assert len(got) == 1 + 2 + 5
    crossed = got[got["by"] == "sex × origin"]
    reference = cells.rates(["sex", "origin"]).set_index(["sex", "origin"]).loc[("man", "Dutch")]
    assert (crossed["other_rate"] == reference["base_rate"]).all()
    assert "man × Dutch" not in set(crossed["group"])
    assert (got["difference_low"] == got["difference"]).all()


def test_calibration_compares_within_bands(cells: Cells) -> None:
    got = compare(cells, ["sex"], within=["score_band"], estimand="procedure", names=["base_rate"])
    assert got["score_band"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    top = cells.where(score_band=3).rates(["sex"]).set_index("sex")["base_rate"]
    last = got.iloc[-1]
    assert (last["group"], last["rate"], last["other_rate"]) == ("woman", top["woman"], top["man"])
    named = compare(
        cells,
        ["sex"],
        within=["score_band"],
        estimand="procedure",
        names=["base_rate"],
        reference={"sex": "man"},
    )
    assert named["other_rate"].iloc[-1] == top["man"]
    assert len(named) == 4


def test_a_stratum_without_the_reference_group_is_unknown() -> None:
    frame = pd.DataFrame({"g": ["a", "b", "b"], "s": [1, 1, 2], "d": [1, 0, 1]})
    cells = Cells.from_frame(frame, ["g"], "d", score_band="s")
    got = compare(
        cells,
        within=["score_band"],
        estimand="procedure",
        names=["selection_rate"],
        reference={"g": "a"},
    )
    assert got["other_trials"].tolist() == [1, 0]
    assert np.isnan(got["difference"].iloc[1])
    assert (got["difference_low"].iloc[1], got["difference_high"].iloc[1]) == (-1, 1)


def test_one_person_and_nobody_is_no_evidence() -> None:
    table = pd.DataFrame({"g": ["a", "b", "c"], "d": 1, "y": [1, 0, 1], "n": [1, 500, 0]})
    cells = Cells.from_frame(table, ["g"], "d", "y", count="n")
    got = intervals(cells, estimand="procedure", names=["ppv"]).set_index("group")
    assert got.loc["a", "rate"] == 1
    assert got.loc["a", "low"] < 0.02
    assert got.loc["c", ["low", "high"]].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"reference": {"sex": "robot", "origin": "Dutch", "age": "<30"}},
            "no reference group rob",
        ),
        ({"reference": {"sex": "man"}}, r"man × \(not named\)"),
        ({"reference": "man"}, "The reference is 'rest' or a value for each attribute"),
        ({"level": 95}, "The level is 95"),
        ({"depth": 0}, "The depth is 0"),
        ({"by": []}, "no groups to compare"),
        ({"by": ["income"]}, "There is no key 'income'"),
        ({"names": ["gini"]}, "There is no metric 'gini'"),
    ],
)
def test_comparisons_that_cannot_be_made(cells: Cells, arguments: dict, sentence: str) -> None:
    with pytest.raises(DatamallError, match=sentence):
        compare(cells, **{"estimand": "procedure"} | arguments)


def test_weighted_counts_are_refused() -> None:
    frame = pd.DataFrame({"g": ["a", "b"], "d": [1, 0], "w": [1.0, 2.0]})
    cells = Cells.from_frame(frame, ["g"], "d", weight="w")
    with pytest.raises(DatamallError, match="Weighted counts have no exact intervals"):
        intervals(cells, estimand="procedure")


def test_adjusted_p_values_equal_those_of_statsmodels() -> None:
    draw = np.random.Generator(np.random.PCG64(4))
    p = draw.random(40) ** 3
    for ours, theirs in (("holm", "holm"), ("bh", "fdr_bh")):
        expected = multipletests(p, method=theirs)[1]
        np.testing.assert_allclose(adjust(p, ours), expected, rtol=1e-12)  # type: ignore[arg-type]
    with_gap = np.array([0.01, np.nan, 0.02])
    np.testing.assert_allclose(adjust(with_gap, "holm"), [0.02, np.nan, 0.02])
    assert adjust(np.array([]), "bh").size == 0


def test_subgroups_are_sums_of_cells(cells: Cells) -> None:
    got = subgroups(cells, depth=3)
    assert list(got.table["by"].unique())[3] == "sex × origin"
    for by in (["sex"], ["origin", "age"], ["sex", "origin", "age"]):
        rows = (got.table["by"] == " × ".join(by)).to_numpy()
        np.testing.assert_array_equal(got.counts[rows], cells.by(by).counts)
