"""Published tables: bounds hold the truth, and totals beat sums."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.fairness import Bounds, Cells


def table(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["origin", "band", "selected", "n"])


RISK = table(
    ("Dutch", "3", "yes", 10),
    ("Dutch", "4", "yes", 10),
    ("Dutch", "5", "yes", 0),
    ("Dutch", "3", "total", 3000),
    ("Dutch", "4", "total", 3000),
    ("Dutch", "5", "total", 2380),
    ("abroad", "3", "yes", 20),
    ("abroad", "4", "yes", 10),
    ("abroad", "5", "yes", 10),
    ("abroad", "3", "total", 3000),
    ("abroad", "4", "total", 3000),
    ("abroad", "5", "total", 2040),
)


def bounds(frame: pd.DataFrame, **more: object) -> Bounds:
    options: dict = {"count": "n", "score_band": "band", "rounding": 10} | more
    return Bounds.from_rounded(frame, ["origin"], "selected", **options)


def test_a_sum_of_rounded_counts_is_known_less_well_than_each() -> None:
    rates = bounds(RISK).rates(["origin"], ["selection_rate"]).set_index("origin")
    row = rates.loc["Dutch"]
    assert (row["n_low"], row["n_high"]) == (8365, 8395)
    assert row["selection_rate"] == 20 / 8380
    assert row["selection_rate_low"] == 10 / 8395
    assert row["selection_rate_high"] == 35 / 8365


def test_a_published_total_beats_a_sum_and_tightens_its_parts() -> None:
    more = table(("Dutch", "total", "yes", 10), ("Dutch", "total", "total", 8380))
    got = bounds(pd.concat([RISK, more]))
    row = got.rates(["origin"], ["selection_rate"]).set_index("origin").loc["Dutch"]
    assert (row["n_low"], row["n_high"]) == (8375, 8385)
    assert row["selection_rate"] == 10 / 8380
    assert row["selection_rate_low"] == 10 / 8385  # three parts of at least 5, 5 and 0
    assert row["selection_rate_high"] == 15 / 8375
    parts = got.rates(["origin", "score_band"], ["selection_rate"])
    third = parts[(parts.origin == "Dutch") & (parts.score_band == 3)].iloc[0]
    assert third["selection_rate_high"] == 10 / 2995  # 15 before the total was known


def test_gaps_hold_their_worst_corners() -> None:
    got = bounds(RISK).gaps(["origin"], "Dutch", ["selection_rate"]).iloc[0]
    assert got["ratio"] == (40 / 8040) / (20 / 8380)
    assert got["ratio_low"] == (25 / 8055) / (35 / 8365)
    assert got["ratio_high"] == (55 / 8025) / (10 / 8395)
    assert got["difference_low"] == 25 / 8055 - 35 / 8365
    with pytest.raises(DatamallError, match="There is no reference group"):
        bounds(RISK).gaps(["origin"], "Belgian")


def test_hidden_counts_are_bounds_and_never_zeros() -> None:
    frame = pd.DataFrame(
        {"g": ["a", "b"], "tp": [100, "<10"], "fp": [50, 40], "fn": [".", 12], "tn": [800, 700]}
    )
    row = Bounds.from_confusion(frame, ["g"], suppressed_below=10).rates().set_index("g")
    assert (row.loc["a", "tpr_low"], row.loc["a", "tpr_high"]) == (100 / 109, 1)
    assert np.isnan(row.loc["a", "tpr"])
    assert row.loc["a", "fpr"] == row.loc["a", "fpr_low"] == row.loc["a", "fpr_high"] == 50 / 850
    with pytest.raises(DatamallError, match="say with suppressed_below"):
        Bounds.from_confusion(frame, ["g"])
    # The size of the group gives the hidden count away.
    exact = Bounds.from_confusion(frame.assign(n=[955, 760]), ["g"], n="n", suppressed_below=10)
    assert exact.rates(names=["tpr"])["tpr"].tolist() == [100 / 105, 8 / 20]


def test_contradictory_totals_are_found_and_named() -> None:
    frame = pd.DataFrame({"g": ["a"], "tp": [5], "fp": [5], "fn": [5], "tn": [5], "n": [21]})
    with pytest.raises(DatamallError, match=r"contradict their totals at g a, decision .* least"):
        Bounds.from_confusion(frame, ["g"], n="n")
    assert Bounds.from_confusion(frame.assign(n=20), ["g"], n="n").rates()["n_low"].item() == 20
    wrong = pd.concat([RISK, table(("Dutch", "total", "yes", 60))])
    with pytest.raises(DatamallError, match="contradict their totals at origin Dutch"):
        bounds(wrong)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n": 12}, "holds 12, which is no multiple of the rounding 10"),
        ({"n": -10}, "counts are whole numbers"),
        ({"n": 2.5}, "counts are whole numbers"),
        ({"selected": "perhaps"}, "neither yes nor no"),
        ({"band": "low"}, "score bands without an order"),
    ],
)
def test_published_counts_that_cannot_be_right(change: dict, sentence: str) -> None:
    with pytest.raises(DatamallError, match=sentence):
        bounds(RISK.head(1).assign(**change))


def test_without_rounding_bounds_are_the_cells() -> None:
    draw = np.random.Generator(np.random.PCG64(1))
    frame = pd.DataFrame({"g": list("ab") * 4, "d": [0, 0, 1, 1] * 2, "y": [0] * 4 + [1] * 4})
    frame["n"] = draw.integers(0, 50, 8)
    got = Bounds.from_rounded(frame, ["g"], "d", "y", count="n").rates()
    cells = Cells.from_frame(frame, ["g"], "d", "y", count="n").rates()
    for name in cells.columns[2:]:
        for end in ("", "_low", "_high"):
            np.testing.assert_allclose(got[name + end], cells[name], err_msg=name + end)


def test_students_of_two_origins_as_published(shared: Path) -> None:
    """Selection for control of student grants in 2019: 27,890 and 19,580 students, to 10."""
    rows = [
        ("Dutch", "yes", 260),
        ("Dutch", "total", 27_890),
        ("non-European", "yes", 650),
        ("non-European", "total", 19_580),
    ]
    frame = pd.DataFrame(rows, columns=["origin", "selected", "n"])
    got = Bounds.from_rounded(frame, ["origin"], "selected", count="n", rounding=10)
    import json

    truth = json.loads((shared / "truth" / "external_truth.json").read_text("utf-8"))
    published = truth["duo_2019"]["selected"]
    rates = got.rates(names=["selection_rate"]).set_index("origin")["selection_rate"]
    assert rates["non-European"] == pytest.approx(published[0], abs=1e-12)
    assert rates["Dutch"] == pytest.approx(published[1], abs=1e-12)
    gap = got.gaps(["origin"], "Dutch", ["selection_rate"]).iloc[0]
    assert round(gap["ratio"], 1) == truth["duo_2019"]["published_ratios"][1]
    assert gap["ratio_low"] < gap["ratio"] < gap["ratio_high"]
