"""The lowest and highest that each count of a published table can be, by all its totals at once.

Line by line, a total and its parts bound each other (`datamall.fairness.published.tighten`). In a
table with totals of rows, columns and more, that leaves hidden counts wider than the totals
together allow: what is added in one line must go in another. The exact question, the lowest and
the highest of a sum over all tables that agree with what is in print, is a linear program (the
attacker's problem of cell suppression: Fischetti and Salazar, Management Science 47, 2001), solved
by HiGHS (Huangfu and Hall, Mathematical Programming Computation 10, 2018). Counts are whole, so
its ends are rounded inwards.

Arrays here have one axis per key, then decision and outcome; along each the last position is the
total over it, and an axis of one position has no parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# The bound of a count of which nothing is known.
UNLIMITED = 2**43
# Open counts that are looked into, the smallest parts of the table first; the others stay as their
# lines leave them. 160 in one part, ten by eight groups with all totals rounded, take 0.65 seconds
# on a core of 2 GHz, 320 take 1.9.
LARGEST = 200
# Errors of the solver: far below the half by which a whole count could be missed.
_TOLERANCE = 1e-4
_INFEASIBLE = 2


def tighten(
    low: np.ndarray, high: np.ndarray, listed: np.ndarray, hidden: np.ndarray
) -> tuple[int, ...] | None:
    """Make the bounds of counts near hidden ones as narrow as all totals together allow, in place.

    Parameters
    ----------
    low, high
        Bounds of each count and total, tightened line by line.
    listed, hidden
        Which of them the sheet lists, and which of these it hides. Only parts of the table with
        hidden counts are looked into.

    Returns
    -------
    tuple of int or None
        A place around which no counts agree with all totals at once, if there is one.
    """
    own = leaves(low.shape)
    atoms = np.argwhere(own & (low < high))
    # What the open counts leave of each total.
    settled = summed(np.where(own & (low == high), low, 0))
    least, most = (low - settled).ravel(), (high - settled).ravel()
    finite = high < UNLIMITED // 2
    every = holding(atoms, finite)
    open_in = every @ np.ones(len(atoms))
    spent = 0
    for nodes, columns in sorted(linked(holding(atoms, listed & finite)), key=lambda v: len(v[1])):
        # In one line alone all bounds are as narrow as can be.
        if not hidden.ravel()[nodes].any() or (open_in[nodes] > 1).sum() < 2:
            continue
        spent += len(columns)
        if spent > LARGEST:
            break
        # Totals that reach into other parts are sums of what is found here.
        some = every.tocsc()[:, columns]
        places, number = np.unique(some.indices, return_counts=True)
        mine = places[number == open_in[places]]
        sums, which = np.unique(every[mine][:, columns].toarray(), axis=0, return_inverse=True)
        ends = np.full(len(sums), -np.inf), np.full(len(sums), np.inf)
        np.maximum.at(ends[0], which.ravel(), least[mine])
        np.minimum.at(ends[1], which.ravel(), most[mine])
        if not narrow(sums, *ends):
            return tuple(int(v) for v in np.unravel_index(nodes[0], low.shape))
        for array, end in zip((low, high), ends, strict=True):
            found = settled.ravel()[mine] + end[which.ravel()].astype(np.int64)
            array[np.unravel_index(mine, low.shape)] = found
    return None


def narrow(sums: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    """Tighten the bounds of sums of counts by each other, in place.

    Parameters
    ----------
    sums
        One row per sum: which counts it holds.
    low, high
        Their bounds; floats, infinite where there is none.

    Returns
    -------
    bool
        Whether there are counts, whole or not, within all bounds.

    Notes
    -----
    An end that the counts of another program attain needs no program of its own.
    """
    # 30 MB that few tables need.
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    inside = LinearConstraint(csr_array(sums), low.copy(), high.copy())
    open_ = np.stack([np.ones(len(low), bool), np.ones(len(low), bool)])
    goals = [(sign * sums.sum(axis=0), -1) for sign in (1, -1)]
    while goals or open_.any():
        if goals:
            goal, target = goals.pop()
        else:
            side, target = (int(v) for v in np.argwhere(open_)[0])
            open_[side, target] = False
            goal = sums[target] * (1 if side == 0 else -1)
        found = milp(goal, constraints=inside, bounds=Bounds(0, np.inf))
        if found.x is None and found.status == _INFEASIBLE:
            return False
        if found.x is None:
            continue
        values = sums @ found.x
        if target >= 0 and side == 0:
            low[target] = max(low[target], np.ceil(values[target] - _TOLERANCE))
        elif target >= 0:
            high[target] = min(high[target], np.floor(values[target] + _TOLERANCE))
        open_[0] &= values > low + _TOLERANCE
        open_[1] &= values < high - _TOLERANCE
    return True


def leaves(shape: tuple[int, ...]) -> np.ndarray:
    """Return which positions are no total."""
    out = np.ones(shape, bool)
    for axis, size in enumerate(shape):
        if size > 1:
            np.moveaxis(out, axis, 0)[-1] = False
    return out


def summed(array: np.ndarray) -> np.ndarray:
    """Return at each position the sum over all that it holds, itself included."""
    out = array.astype(np.int64)
    for axis, size in enumerate(array.shape):
        if size > 1:
            own = np.moveaxis(out, axis, 0)
            own[-1] = own.sum(axis=0)
    return out


def totals(
    at: np.ndarray, shape: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], np.ndarray, tuple[np.ndarray, ...]]]:
    """Yield the totals that hold some positions, those over fewer axes first.

    Each as the axes that are summed over, for which positions that is one (they are no total
    already), and the places of the totals.
    """
    axes, last = [axis for axis, size in enumerate(shape) if size > 1], np.array(shape) - 1
    for size in range(1, len(axes) + 1):
        for own in combinations(axes, size):
            raised = at.copy()
            raised[:, own] = last[list(own)]
            valid = np.asarray((at[:, own] < last[list(own)]).all(axis=1))
            yield own, valid, tuple(raised.T)


def holding(at: np.ndarray, wanted: np.ndarray) -> csr_array:
    """Return which counts (columns) each wanted position (rows, flat) holds, itself included."""
    from scipy.sparse import csr_array

    rows, columns = [np.ravel_multi_index(tuple(at.T), wanted.shape)], [np.arange(len(at))]
    for _, valid, total in totals(at, wanted.shape):
        rows.append(np.ravel_multi_index(total, wanted.shape)[valid])
        columns.append(np.flatnonzero(valid))
    row, column = np.concatenate(rows), np.concatenate(columns)
    kept = wanted.ravel()[row]
    ones = np.ones(int(kept.sum()))
    return csr_array((ones, (row[kept], column[kept])), shape=(wanted.size, len(at)))


def linked(holds: csr_array) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the parts of a table that hang together: positions (rows), and counts (columns).

    Counts that no position holds are in no part.
    """
    from scipy.sparse import block_array
    from scipy.sparse.csgraph import connected_components

    rows = np.flatnonzero(np.diff(holds.indptr))
    edges = holds[rows]
    labels = connected_components(block_array([[None, edges], [edges.T, None]]), directed=False)[1]
    out = []
    for own, size in (
        (labels[: len(rows)], rows),
        (labels[len(rows) :], np.arange(holds.shape[1])),
    ):
        order = np.argsort(own, kind="stable")
        out.append((own[order], size[order]))
    (of_rows, nodes), (of_columns, columns) = out
    return [
        (
            nodes[slice(*np.searchsorted(of_rows, [label, label + 1]))],
            columns[slice(*np.searchsorted(of_columns, [label, label + 1]))],
        )
        for label in np.unique(of_rows)
    ]
