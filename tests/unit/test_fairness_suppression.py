"""A hidden count is small for certain only where nothing else explains that it is hidden."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.fairness import Bounds, audit
from datamall.fairness.linear_bounds import UNLIMITED
from datamall.fairness.suppression import small
from datamall.fairness.words import answer, record

# One count of "small" is hidden because it is small, another so that nobody reckons the first.
CONFUSION = pd.DataFrame(
    {"people": ["large", "small"], "tp": [520, 14], "fp": [260, "x"], "fn": [780, "x"]}
).assign(tn=[1240, 21], n=[2800, 52])
EDGES = {"kind": "ratio", "reason": "an example"}
PLAN: dict[str, Any] = {
    "groups": ["people"],
    "checks": [
        {
            "name": "found",
            "metric": "tpr",
            "estimand": "list",
            "tolerance": EDGES | {"low": 0.7, "high": 1.45},
        },
        {
            "name": "selected",
            "metric": "selection_rate",
            "estimand": "list",
            "tolerance": EDGES | {"low": 0.8, "high": 1.25},
        },
    ],
}


def hidden(frame: pd.DataFrame, group: str, **more: Any) -> dict[str, tuple[int, int]]:
    """Return the bounds of tp, fp, fn and tn of a group."""
    n = {"n": "n"} if "n" in frame else {}
    found = Bounds.from_confusion(frame, ["people"], **n, **{"suppressed_below": 10} | more)
    at = found.levels[0].index(group)
    places = {"tp": (1, 1), "fp": (1, 0), "fn": (0, 1), "tn": (0, 0)}
    return {
        k: (int(found.low[at, d, y]), int(found.high[at, d, y])) for k, (d, y) in places.items()
    }


def test_a_count_hidden_for_the_sake_of_another_is_not_taken_as_small() -> None:
    assert hidden(CONFUSION, "small") == {
        "tp": (14,) * 2,
        "fp": (0, 17),
        "fn": (0, 17),
        "tn": (21,) * 2,
    }
    result = audit(Bounds.from_confusion(CONFUSION, ["people"], n="n", suppressed_below=10), PLAN)
    # In truth 1.30 and 1.24 times, both inside.
    assert result.verdict.overall == "NOT ENOUGH EVIDENCE"
    assert set(result.comparisons["verdict"]) == {"NOT ENOUGH EVIDENCE"}
    said = [check["gap"] for check in record(result)["checks"]]
    assert said == ["between 0.40 and 0.89 times as often", "between 0.47 and 1.03 times as often"]
    assert "nan" not in answer(result)


def test_what_follows_from_totals_is_known_whatever_the_threshold() -> None:
    # 13 + 4 of the whole table leave nothing open: the row of totals gives both away.
    whole = pd.DataFrame([["total", 534, 264, 793, 1261, 2852]], columns=CONFUSION.columns)
    got = hidden(pd.concat([CONFUSION, whole], ignore_index=True), "small")
    assert (got["fp"], got["fn"]) == ((4, 4), (13, 13))
    # Rounded, the same row gives them within its rounding, and 13 is still no number below 10.
    rough = pd.concat([CONFUSION, whole], ignore_index=True)
    for name in rough.columns[1:]:
        numbers = pd.to_numeric(rough[name], errors="coerce")
        rough[name] = ((numbers + 5) // 10 * 10).astype(object).where(numbers.notna(), "x")
    got = hidden(rough, "small", rounding=10)
    assert got["fp"][0] <= 4 <= got["fp"][1] and got["fn"][0] <= 13 <= got["fn"][1]


def test_a_count_alone_in_its_totals_is_small() -> None:
    alone = CONFUSION.assign(fn=[780, 10], tp=[520, 10], tn=[1240, 20], n=[2800, 50])
    # By its total 0 to 30, as each of the four in print may be 5 off.
    assert hidden(alone, "small", rounding=10)["fp"] == (0, 9)
    # Without totals nobody could reckon anything: every hidden count is small.
    bare = CONFUSION.drop(columns="n")
    assert hidden(bare, "small") == {"tp": (14,) * 2, "fp": (0, 9), "fn": (0, 9), "tn": (21,) * 2}
    # The other group is as it was.
    assert hidden(CONFUSION.assign(fn=[780, 13]), "small")["fp"] == (4, 4)


def test_a_number_that_says_what_it_hides_needs_no_threshold() -> None:
    marked = CONFUSION.assign(fp=[260, "<10"])
    # "<10" is 0 to 9; the other one is what the total leaves.
    assert (hidden(marked, "small")["fp"], hidden(marked, "small")["fn"]) == ((0, 9), (8, 17))
    both = CONFUSION.assign(fp=[260, "<10"], fn=[780, "<20"])
    frame = Bounds.from_confusion(both, ["people"], n="n")
    assert frame.high[1, 0, 1] == 17 and frame.high[1, 1, 0] == 9


def test_a_hidden_total_is_as_unknown_as_a_hidden_part() -> None:
    got = hidden(CONFUSION.assign(n=[2800, "x"], fn=[780, 13]), "small")
    assert got["fp"][1] > UNLIMITED // 2
    assert hidden(CONFUSION.assign(n=[2800, "<60"], fn=[780, 13]), "small")["fp"] == (0, 59 - 48)


def test_a_small_count_that_its_totals_make_large_is_refused() -> None:
    odd = CONFUSION.assign(fn=[780, 13], n=[2800, 90])
    with pytest.raises(DatamallError, match=r"contradict .* below which number counts are hidden"):
        hidden(odd, "small")


def pattern(text: str) -> np.ndarray:
    """Return marks row by row; the last row and column are totals."""
    return np.array([list(row) for row in text.split()])


@pytest.mark.parametrize(
    ("sheet", "certain"),
    [
        # h hidden, . shown, _ not on the sheet; S hidden and small for certain.
        ("h..  ...  ...", "S..  ...  ..."),  # alone in its row and column
        ("hh.  ...  ...", "hh.  ...  ..."),  # two in a row, each alone in its column
        ("h..  .h.  ...", "S..  .S.  ..."),  # no total holds both but through totals in print
        ("h._  .h_  __.", "h._  .h_  __."),  # the one total on the sheet holds both
        ("h._  .h_  ___", "S._  .S_  ___"),  # no totals
        ("h._  .h_  .._", "S._  .S_  .._"),  # totals of columns alone
        ("h._  h._  .._", "h._  h._  .._"),
        ("h.h  ...  ...", "h.h  ...  ..."),  # a count and its total
        ("h..  ...  h..", "h..  ...  h.."),
        ("h.h  ...  .._", "h.h  ...  .._"),  # also where no total holds the hidden total
        ("..h  ...  ...", "..S  ...  ..."),  # a total alone: it would follow from its parts
        # What is left out hands on what is hidden elsewhere.
        ("h_.  .h_  _._", "h_.  .h_  _._"),  # c + u = 30 and u + h = 40: c would give h away
        ("h_.  .h_  ___", "S_.  .S_  ___"),  # c and u change against each other, and nothing else
        ("h_.  h_.  __.", "S_.  S_.  __."),
        ("h_.  .h_  _..", "S_.  .S_  _.."),  # with the total of all, both follow
    ],
)
def test_which_hidden_counts_are_small(sheet: str, certain: str) -> None:
    marks = pattern(sheet)
    found = small(marks != "_", marks == "h")
    assert (found == (pattern(certain) == "S")).all()


@pytest.mark.parametrize(
    ("kind", "small", "large", "said"),
    [
        # Nobody or four, all of them found: the rate is 1 or there is none.
        ("ratio", ("<5", 0), (50, 50), "between 0.00 and 2.00 times as often"),
        (
            "difference",
            ("<5", 0),
            (50, 50),
            "a difference between −100.0 and 50.0 percentage points",
        ),
        ("ratio", ("<5", 10), (50, 50), "between 0.00 and 0.57 times as often"),
        ("ratio", (10, 0), ("<5", 50), "at least 13.50 times as often"),
        ("ratio", (0, "<5"), (0, "<5"), "any number of times as often"),
        (
            "ratio",
            (10, 40),
            (50, 50),
            "0.40 times as often (0.40 to 0.40 with all that is uncertain)",
        ),
    ],
)
def test_a_gap_that_is_not_known_is_said_by_its_bounds(
    kind: str, small: tuple[Any, Any], large: tuple[Any, Any], said: str
) -> None:
    frame = pd.DataFrame({"people": ["a", "large"], "fp": 10, "tn": 10})
    (tp, fn), (other, missed) = small, large
    counts = Bounds.from_confusion(frame.assign(tp=[tp, other], fn=[fn, missed]), ["people"])
    low, high = {"ratio": (0.5, 2.0), "difference": (-0.1, 0.1)}[kind]
    edges = {"kind": kind, "low": low, "high": high, "reason": "an example"}
    check = {"name": "found", "metric": "tpr", "estimand": "list", "tolerance": edges}
    plan = {"groups": ["people"], "reference": {"people": "large"}, "checks": [check]}
    assert record(audit(counts, plan))["checks"][0]["gap"] == said
