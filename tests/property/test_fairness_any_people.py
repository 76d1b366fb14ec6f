"""Whatever the people, cells keep their promises."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamall.fairness import Bounds, Cells
from datamall.fairness.metrics import METRICS

PERSON = st.tuples(
    st.sampled_from(["a", "b", None, " ", "10", "9"]),
    st.sampled_from([1, 2, 3]),
    st.sampled_from([True, False, None]),
    st.sampled_from([1.0, 0.0, None]),
)
PEOPLE = st.lists(PERSON, min_size=1, max_size=40)
QUICK = settings(deadline=None, derandomize=True, max_examples=60)


def frame(people: list[tuple]) -> pd.DataFrame:
    table = pd.DataFrame(people, columns=["g", "h", "d", "y"])
    return table.astype({"g": "str", "h": "int64", "d": "boolean", "y": "float64"})


def cells(people: list[tuple]) -> Cells:
    return Cells.from_frame(frame(people), ["g", "h"], "d", "y")


@QUICK
@given(PEOPLE, PEOPLE)
def test_cells_of_two_lists_add_up(one: list[tuple], two: list[tuple]) -> None:
    assert cells(one) + cells(two) == cells(one + two) == cells(two + one)
    assert (cells(one) + cells(two)).by(["h"]) == cells(one).by(["h"]) + cells(two).by(["h"])


@QUICK
@given(PEOPLE)
def test_engine_and_order_make_no_difference(people: list[tuple]) -> None:
    relation = duckdb.from_df(frame(people))
    assert Cells.from_frame(relation, ["g", "h"], "d", "y") == cells(people) == cells(people[::-1])
    back = cells(people).frame
    assert Cells.from_frame(back, ["g", "h"], "decision", "outcome", count="count") == cells(people)


@QUICK
@given(PEOPLE)
def test_rates_are_those_of_the_people_counted(people: list[tuple]) -> None:
    got = cells(people).rates([]).iloc[0]
    known = [(d, y) for _, _, d, y in people if d is not None and y is not None]
    decided = [d for _, _, d, _ in people if d is not None]
    np.testing.assert_equal(got["selection_rate"], np.mean(decided) if decided else np.nan)
    wanted = {"tpr": (1, 1.0), "fpr": (1, 0.0)}
    for name, (d, y) in wanted.items():
        of = [pair for pair in known if pair[1] == y]
        share = sum(pair[0] == bool(d) for pair in of) / len(of) if of else np.nan
        np.testing.assert_equal(got[name], share)


COUNTS = st.lists(st.integers(0, 60), min_size=8, max_size=8)


@pytest.mark.slow
@QUICK
@given(COUNTS, st.sampled_from([1, 5, 10]), st.sampled_from([None, 10]), st.booleans())
def test_bounds_hold_the_truth(
    counts: list[int], rounding: int, below: int | None, totals: bool
) -> None:
    grid = [(g, d, y) for g in "ab" for d in "01" for y in "01"]
    truth = pd.DataFrame(grid, columns=["g", "d", "y"]).assign(n=counts)
    parts = [truth]
    if totals:
        for keys in (["g", "d"], ["g", "y"], ["g"], ["d"]):
            parts.append(truth.groupby(keys, as_index=False)["n"].sum())
    table = pd.concat(parts, ignore_index=True).fillna("total")
    printed = (table["n"] / rounding).round().astype(int) * rounding
    hidden = table["n"] < (below or 0)
    shown = table.assign(n=printed.where(~hidden))
    got = Bounds.from_rounded(
        shown, ["g"], "d", "y", count="n", rounding=rounding, suppressed_below=below
    ).rates()
    exact = Cells.from_frame(truth, ["g"], "d", "y", count="n").rates()
    for name in METRICS:
        known = exact[name].notna()
        assert (got[name + "_low"] <= exact[name] + 1e-12)[known].all()
        assert (got[name + "_high"] >= exact[name] - 1e-12)[known].all()
    assert ((got["n_low"] <= exact["n"]) & (got["n_high"] >= exact["n"])).all()
