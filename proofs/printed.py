"""Counts of many worlds as the department prints them, and what can be known from these.

The same as `datamall.fairness.steps.assemble` makes of one world: counts are rounded and hidden by
`datamall.fraud.disclosure`, each is bounded, and totals tighten the bounds; here of all worlds at
once, by the cells that a check of the plan names. Tests hold both to be equal.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from datamall.fairness import published
from datamall.fairness.counting import TOTAL
from datamall.fairness.steps import ALL, Cell, Node, Study
from datamall.fraud import disclosure
from datamall.fraud.audit import sources
from proofs.worlds import GROUPS, Drawn

# Of a number that no count gives.
_ANY = 2**43


def study(drawn: Drawn, world: int, labels: sources.Labels) -> Study:
    """Return one world as the audit gets it from the department's files."""
    return next(sources.selection(counts(drawn, world, labels)).studies(["origin"]))


def counts(drawn: Drawn, world: int, labels: sources.Labels) -> pd.DataFrame:
    """Return the department's own counts of one world, as it prints them."""
    table = sources.own({sources.INVESTIGATIONS: drawn.files(world)}, ["origin"], 1, labels)
    assert isinstance(table, pd.DataFrame)
    return table


def known(drawn: Drawn, node: Node) -> np.ndarray:
    """Return the bounds of a count, and the count as printed.

    Returns
    -------
    ndarray
        Shape (3, worlds, 3 groups): least, most, and as printed (NaN if hidden); the last group is
        everybody, who are counted and rounded anew.
    """
    exact = drawn.count(*node)
    exact = np.concatenate([exact, exact.sum(axis=1, keepdims=True)], axis=1)
    shown = disclosure.counts(pd.Series(exact.ravel())).to_numpy(float, na_value=np.nan)
    shown, half = shown.reshape(exact.shape), disclosure.ROUNDING // 2
    hidden = np.isnan(shown)
    low = np.where(hidden, 0, np.maximum(shown - half, 0))
    return np.stack([low, np.where(hidden, disclosure.MINIMUM - 1, shown + half), shown])


def assemble(drawn: Drawn, cells: Sequence[Cell]) -> tuple[np.ndarray, list[str]]:
    """Return the counts that a check is about, of every world.

    Parameters
    ----------
    drawn
        The worlds.
    cells
        As from `datamall.fairness.steps.cells` for one of them.

    Returns
    -------
    tuple
        Shape (3, worlds, 3 groups, arms and their sum, 4 decisions, 4 outcomes): least, most, as
        printed or as follows from that (NaN where nothing does); and the arms.
    """
    arms = sorted({cell.arm for cell in cells} - {ALL})
    # Several counts of the same people add up over their parts, and some parts have their own
    # total; the others are one.
    whole = {cell.part for cell in cells if cell.decision == TOTAL}
    places = [
        (cell.arm, cell.decision, cell.outcome, cell.part if cell.part in whole else "")
        for cell in cells
        if cell.part != ALL
    ]
    if len(set(places)) < len(places):
        whole = {cell.part for cell in cells}
    part_of = {cell.part: cell.part if cell.part in whole else "" for cell in cells}
    parts = sorted(set(part_of.values()) - {ALL})
    # A total over worlds is needed by `tighten`, and left open: so it tells nothing.
    shape = (len(drawn) + 1, len(GROUPS) + 1, len(arms) + 1, len(parts) + 1, TOTAL + 1, TOTAL + 1)
    low, high, printed = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape)
    for axis in range(len(shape)):
        np.moveaxis(high, axis, 0)[-1] = _ANY
        np.moveaxis(printed, axis, 0)[-1] = np.nan
    for cell in cells:
        arm = -1 if cell.arm == ALL else arms.index(cell.arm)
        part = -1 if cell.part == ALL else parts.index(part_of[cell.part])
        here = (slice(-1), slice(None), arm, part, cell.decision, cell.outcome)
        if cell.node is None:
            low[here], high[here], printed[here] = 0, _ANY, np.nan
        else:
            low[here], high[here], printed[here] = known(drawn, cell.node)
    names = ("world", "origin", "arm", "part")
    worlds = [str(world) for world in range(len(drawn))]
    published.tighten(low, high, printed, names, (worlds, GROUPS, arms, parts))
    return np.stack([low, high, printed])[:, :-1, :, :, -1], arms
