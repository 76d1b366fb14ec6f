"""Whatever an office hides, and for whose sake: bounds hold the truth, and words say them."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamall.fairness import Bounds, Cells, audit
from datamall.fairness.metrics import METRICS
from datamall.fairness.words import record

BELOW = 5
COUNT = st.one_of(st.integers(0, 12), st.integers(0, 400))
TOTALS = [("g",), ("d",), ("y",), ("d", "y"), ("g", "d"), ("g", "y"), ("g", "d", "y")]
SEED = st.integers(0, 2**16)
# Of the whole table, the totals on the sheet.
SHEETS = st.one_of(
    st.sampled_from([[], [("d", "y")], [("d", "y"), ("g",), ("g", "d", "y")], TOTALS]),
    st.lists(st.sampled_from(TOTALS), unique=True),
)


def published(counts: list[int], totals: list[tuple[str, ...]]) -> pd.DataFrame:
    """Return the counts of three groups by decision and outcome, and the totals on the sheet."""
    grid = [(g, d, y) for g in "abc" for d in "01" for y in "01"]
    truth = pd.DataFrame(grid, columns=["g", "d", "y"]).assign(n=counts)
    parts = [truth]
    for over in totals:
        keys = [key for key in ("g", "d", "y") if key not in over]
        own = (
            truth.groupby(keys, as_index=False)["n"].sum()
            if keys
            else truth[["n"]].sum().to_frame().T
        )
        parts.append(own.assign(**dict.fromkeys(over, "total")))
    return pd.concat(parts, ignore_index=True)


def lines(frame: pd.DataFrame) -> list[np.ndarray]:
    """Return the sums on a sheet: which rows are a total and its parts.

    Parts are of the nearest kinds on the sheet: over decisions, over outcomes, over groups, or over
    several of these where what lies between is not on the sheet.
    """
    keys = frame[["g", "d", "y"]].to_numpy()
    kinds = keys == "total"
    every, found = np.unique(kinds, axis=0), []

    def inside(one: np.ndarray, other: np.ndarray) -> bool:
        return bool((one <= other).all() and (one < other).any())

    for i, own in enumerate(keys):
        below = [kind for kind in every if inside(kind, kinds[i])]
        for kind in below:
            if not any(inside(kind, other) for other in below):
                same = (kinds == kind).all(axis=1) & ((keys == own) | kinds[i]).all(axis=1)
                found.append(np.append(np.flatnonzero(same), i))
    return found


def follows(frame: pd.DataFrame, unknown: np.ndarray) -> np.ndarray:
    """Return which counts follow from those that are in print, by linear algebra."""
    keys = frame[["g", "d", "y"]].to_numpy()
    leaves = keys[(keys != "total").all(axis=1)]
    holds = ((keys[:, None] == leaves) | (keys[:, None] == "total")).all(axis=2).astype(float)
    known = holds[~unknown].T
    fitted = known @ np.linalg.pinv(known) @ holds.T
    return np.asarray(np.abs(fitted - holds.T).max(axis=0) < 1e-9)


@st.composite
def sheets(draw: Any) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return a true table, the same as printed, and its rounding.

    Some rows may be left out. Small counts are hidden, and others for their sake by one of three
    rules: where a line has one hidden count, the smallest other, or any other, in all lines until
    none gives one away or in some lines only; or any that keeps a hidden count from following.
    """
    totals, rule = draw(SHEETS), draw(st.sampled_from(["smallest", "any", "algebra"]))
    truth = published(draw(st.lists(COUNT, min_size=12, max_size=12)), totals)
    rounding, zeros = draw(st.sampled_from([1, 1, 3, 10])), draw(st.booleans())
    careful, choice = draw(st.booleans()), np.random.Generator(np.random.PCG64(draw(SEED)))
    n = truth["n"].to_numpy()
    left_out = choice.random(len(n)) < draw(st.sampled_from([0, 0, 0.25]))
    left_out &= (truth[["d", "y"]] != "1").any(axis=1).to_numpy()  # each group is on the sheet
    small = (n < BELOW) & ((n > 0) | zeros) & ~left_out
    hidden, again = small | left_out, True
    marked = small & (choice.random(len(n)) < draw(st.sampled_from([0, 0.5])))
    sums = lines(truth)
    while again and rule != "algebra":
        again = False
        for line in sums:
            shown = line[~hidden[line]]
            alone = len(line) - len(shown) == 1 and not left_out[line].any()
            if alone and len(shown) and (careful or choice.random() < 0.5):
                own = shown[np.argmin(n[shown])] if rule == "smallest" else choice.choice(shown)
                hidden[own], again = True, careful
    for own in np.flatnonzero(small) if rule == "algebra" else []:
        # Nothing is hidden for a count that no single other one would keep from following.
        trials = [
            hidden | (np.arange(len(n)) == i) for i in choice.permutation(np.flatnonzero(~hidden))
        ]
        if follows(truth, hidden)[own]:
            hidden = next((trial for trial in trials if not follows(truth, trial)[own]), hidden)
    printed = ((truth["n"] + rounding // 2) // rounding * rounding).astype(object)
    printed[hidden], printed[marked] = "x", f"<{BELOW}"
    return truth, truth.assign(n=printed)[~left_out], rounding


def read(frame: pd.DataFrame, rounding: int) -> Bounds:
    return Bounds.from_rounded(
        frame, ["g"], "d", "y", count="n", rounding=rounding, suppressed_below=BELOW
    )


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=100)
@given(sheets())
def test_bounds_of_hidden_counts_hold_the_truth(
    sheet: tuple[pd.DataFrame, pd.DataFrame, int],
) -> None:
    truth, printed, rounding = sheet
    leaves = truth[(truth[["g", "d", "y"]] != "total").all(axis=1)]
    exact = Bounds.from_cells(Cells.from_frame(leaves, ["g"], "d", "y", count="n"))
    found = read(printed, rounding)
    assert (found.low <= exact.low).all() and (exact.low <= found.high).all()


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=20)
@given(
    sheets(),
    st.sampled_from(["list", "procedure"]),
    st.sampled_from(["ratio", "difference"]),
    st.lists(st.sampled_from(METRICS), min_size=1, max_size=3, unique=True),
)
def test_no_sentence_speaks_of_what_is_no_number(
    sheet: tuple[pd.DataFrame, pd.DataFrame, int], estimand: str, kind: str, names: list[str]
) -> None:
    edges = {"ratio": (0.8, 1.25), "difference": (-0.05, 0.05)}[kind]
    tolerance = {"kind": kind, "low": edges[0], "high": edges[1], "reason": "an example"}
    checks = [
        {"name": metric, "metric": metric, "tolerance": tolerance, "estimand": estimand}
        for metric in names
    ]
    result = audit(read(*sheet[1:]), {"groups": ["g"], "checks": checks})
    said = record(result)
    texts = [said["answer"], *said["reasons"]]
    texts += [str(value) for check in said["checks"] for value in check.values()]
    for text in texts:
        assert not re.search(r"\b(nan|inf|none)\b", text, re.IGNORECASE), text
    for check, row in zip(said["checks"], result.checks.to_dict("records"), strict=True):
        assert check["gap"] or not row["compared"]
