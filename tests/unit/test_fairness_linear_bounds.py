"""Bounds by all totals at once, against every table that agrees with what is in print."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from datamall.errors import DatamallError
from datamall.fairness import Bounds, Cells, linear_bounds


def with_totals(counts: np.ndarray, first: int = 0) -> np.ndarray:
    """Return counts with the total last along each axis from the first one on."""
    for axis in range(first, counts.ndim):
        counts = np.concatenate([counts, counts.sum(axis=axis, keepdims=True)], axis=axis)
    return counts


def sheet(counts: np.ndarray) -> pd.DataFrame:
    """Return all counts and totals by keys a, b, ... and the decision, the last axis."""
    names = [*"abc"[: counts.ndim - 1], "d"]
    values = [
        [*(f"{name}{i}" for i in range(size)), "total"]
        for name, size in zip(names, counts.shape, strict=True)
    ]
    values[-1] = ["no", "yes", "total"]
    rows = [
        [*(own[i] for own, i in zip(values, place, strict=True)), n]
        for place, n in np.ndenumerate(with_totals(counts))
    ]
    return pd.DataFrame(rows, columns=[*names, "n"])


def read(frame: pd.DataFrame, rounding: int = 1, below: int = 10**6) -> Bounds:
    keys = [name for name in frame if name not in ("d", "n")]
    return Bounds.from_rounded(
        frame, keys, "d", count="n", rounding=rounding, suppressed_below=below
    )


def ends(found: Bounds) -> np.ndarray:
    """Return bounds of all counts and totals, in the order of `with_totals`; lows first."""
    return np.stack([found.low, found.high])[..., [0, 1, 3], 3]


def some(draw: np.random.Generator, rounding: int) -> tuple[tuple[int, int], pd.DataFrame]:
    """Return the shape of a small table, and its sheet: numbers hidden, totals left out."""
    shape = int(draw.integers(2, 4)), 2
    frame = sheet(draw.multinomial(5, np.full(6, 1 / 6)).reshape(3, 2)[: shape[0]])
    printed = (frame["n"] + rounding // 2) // rounding * rounding
    hidden = draw.random(len(frame)) < 0.5
    hidden[[0, -1]] = True, False
    kind = (frame[["a", "d"]] == "total").apply(tuple, axis=1)
    left_out = [own for own in ((True, False), (False, True)) if draw.random() < 0.3]
    frame["n"] = printed.astype(object).where(~hidden, "x")
    return shape, frame.assign(listed=~kind.isin(left_out))


@pytest.mark.parametrize("rounding", [1, 3])
def test_bounds_are_those_of_every_table_in_two_ways(rounding: int) -> None:
    draw, open_ = np.random.Generator(np.random.PCG64(rounding)), 0
    for _ in range(40):
        shape, frame = some(draw, rounding)
        most = frame["n"].iloc[-1] + rounding // 2
        every = np.indices((most + 1,) * np.prod(shape)).reshape(np.prod(shape), -1).T
        every = every[every.sum(axis=1) <= most]
        own = with_totals(every.reshape(-1, *shape), 1).reshape(len(every), -1)
        shown = ((frame["n"] != "x") & frame["listed"]).to_numpy()
        agrees = np.abs(own[:, shown] - frame.loc[shown, "n"].to_numpy(int)) <= rounding // 2
        own = own[agrees.all(axis=1)]
        found = ends(read(frame[frame["listed"]].drop(columns="listed"), rounding))
        np.testing.assert_array_equal(found[0].ravel(), own.min(axis=0), err_msg=str(frame))
        np.testing.assert_array_equal(found[1].ravel(), own.max(axis=0), err_msg=str(frame))
        open_ += int((found[0] < found[1]).any())
    assert open_ > 20


def crossed(seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return counts by three keys, and a sheet on which most are hidden, totals of one key too."""
    draw = np.random.Generator(np.random.PCG64(seed))
    counts = np.floor(draw.gamma(0.7, 20, (4, 4, 2))).astype(int)
    frame = sheet(counts)
    hidden = (frame[["a", "b", "d"]] == "total").sum(axis=1) <= 1
    hidden &= draw.random(len(frame)) < 0.8
    return counts, frame.assign(n=frame["n"].astype(object).where(~hidden, "x"))


def test_all_totals_together_say_more_than_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    tighter = 0
    for seed in range(12):
        counts, frame = crossed(seed)
        together = ends(read(frame))
        monkeypatch.setattr(linear_bounds, "LARGEST", 0)
        apart = ends(read(frame))
        monkeypatch.undo()
        truth = with_totals(counts)
        for low, high in (together, apart):
            assert (low <= truth).all() and (truth <= high).all()
        assert (together[0] >= apart[0]).all() and (together[1] <= apart[1]).all()
        tighter += int(((together[1] - together[0]) < (apart[1] - apart[0])).sum())
    assert tighter > 5


def test_sums_that_overlap_bound_each_other_at_both_ends() -> None:
    """Against one linear program for each end; whole counts lie inside it."""
    draw, narrower = np.random.Generator(np.random.PCG64(8)), np.zeros(2, int)
    for _ in range(60):
        sums = np.unique(draw.integers(0, 2, (5, 4)), axis=0)
        truth = sums @ draw.integers(0, 9, 4)
        ends = truth - draw.integers(0, 4, len(sums)), truth + draw.integers(0, 4, len(sums))
        found = [end.astype(float) for end in ends]
        assert linear_bounds.narrow(sums, *found)
        limits = np.concatenate([sums, -sums]), np.concatenate([ends[1], -ends[0]])
        for side, (sign, inwards) in enumerate(((1, np.ceil), (-1, np.floor))):
            exact = [inwards(sign * linprog(sign * own, *limits).fun - sign * 1e-7) for own in sums]
            assert found[side].tolist() == exact
            narrower[side] += (found[side] != ends[side]).sum()
    assert (narrower > 20).all()
    odd = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    low, high = np.array([1.0, 1, 1, 0]), np.array([1.0, 1, 1, 3])
    # Halves would do: of whole counts there are none, which is left to whoever compares the ends.
    assert linear_bounds.narrow(odd, low, high)
    assert (low[-1], high[-1]) == (2, 1)


def test_parts_that_no_total_joins_are_bounded_apart() -> None:
    parts = [crossed(seed)[1] for seed in (2, 3)]
    apart = [ends(read(part)) for part in parts]
    both = pd.concat([part.assign(c=f"c{i}") for i, part in enumerate(parts)], ignore_index=True)
    found = ends(read(both))  # keys a, b and c: no total over c is on the sheet
    for i, own in enumerate(apart):
        np.testing.assert_array_equal(found[:, :, :, i], own)
    np.testing.assert_array_equal(found[:, :, :, -1], apart[0] + apart[1])


def test_cells_give_the_same_arrays_as_a_table_without_hidden_counts() -> None:
    frame = sheet(np.arange(8).reshape(2, 2, 2))
    leaves = frame[(frame[["a", "b", "d"]] != "total").all(axis=1)]
    cells = Bounds.from_cells(Cells.from_frame(leaves, ["a", "b"], "d", count="n"))
    np.testing.assert_array_equal(read(frame).low, cells.low)


def test_numbers_that_no_table_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # 1 and 2 of each row, of at most 2 in all of each column: line by line these go unseen here.
    low, high = np.zeros((3, 3), int), np.full((3, 3), 2)
    low[:2, 2] = high[:2, 2] = 3
    listed = np.ones((3, 3), bool)
    high[2, 2] = 6
    odd = linear_bounds.tighten(low, high, listed, listed)
    assert odd is not None
    monkeypatch.setattr(linear_bounds, "tighten", lambda *_: (1, 0, 0))
    with pytest.raises(DatamallError, match=r"contradict their totals around a a1, .* at once"):
        read(sheet(np.eye(2, dtype=int)).replace({"n": {1: "x"}}))
