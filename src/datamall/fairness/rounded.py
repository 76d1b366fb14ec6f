"""Comparisons of groups whose counts are known within bounds."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import metrics
from datamall.fairness.bounds import Bounds, corners_of
from datamall.fairness.counting import label, named
from datamall.fairness.inference import Estimand
from datamall.fairness.subgroups import REST, Reference


def pairs(
    bounds: Bounds,
    by: Sequence[str] | None = None,
    *,
    estimand: Estimand,
    reference: Reference = REST,
    names: Sequence[str] = metrics.METRICS,
    depth: int | None = None,
    unknown: bool = False,
) -> pd.DataFrame:
    """Return the counts of each comparison, with the corners of their bounds.

    Parameters
    ----------
    bounds
        Counts; keys that are not among `by` are summed over, by their totals where printed.
    by, estimand, reference, names, depth
        See `datamall.fairness.inference.compare`.
    unknown
        See `datamall.fairness.bounds.Bounds.sides`.

    Returns
    -------
    DataFrame
        One row per group and metric: `by`, `group`, `metric`, `estimand`, then `successes` and
        `trials` as printed (missing where hidden), and at the lowest and the highest rate that the
        bounds allow (`_low`, `_high`); and the same of what it is compared with (`other_`).

    Notes
    -----
    Everybody else is the total less the group, or the sum of the others, whichever is tighter.
    The two sides are bounded apart, which can only make the bounds of the gap wider.

    Raises
    ------
    DatamallError
        If there is no such key or reference group.
    """
    attributes = list(bounds.groups) if by is None else [by] if isinstance(by, str) else list(by)
    if not attributes:
        raise DatamallError("There are no groups to compare: name at least one attribute.")
    names = list(names)
    everybody, whole = bounds.sides([], names, unknown)[1], bounds.proportions([], names)[1]
    parts = []
    for size in range(1, min(depth, len(attributes)) + 1) if depth else [len(attributes)]:
        for own in combinations(attributes, size):
            table, sides = bounds.sides(own, names, unknown)
            printed = bounds.proportions(own, names)[1]
            there: np.ndarray = np.asarray(sides[..., 1].any(axis=(1, 2)))
            if reference == REST:
                low = np.maximum(everybody[..., 0] - sides[..., 1], _others(sides[..., 0]))
                high = np.minimum(everybody[..., 1] - sides[..., 0], _others(sides[..., 1]))
                others = np.stack([np.maximum(low, 0), high], axis=-1)
                base = whole - printed
            else:
                row = row_of(table, own, reference)
                others = np.broadcast_to(sides[row], sides.shape)
                base = np.broadcast_to(printed[row], printed.shape)
                there[row] = False
            labels = [" × ".join(map(str, v)) for v in table[list(own)].itertuples(index=False)]
            part = pd.DataFrame({"by": " × ".join(own), "group": labels})[there]
            part = part.loc[part.index.repeat(len(names))].reset_index(drop=True)
            part = part.assign(metric=names * int(there.sum()), estimand=estimand)
            for prefix, counts, bound in (("", printed, sides), ("other_", base, others)):
                corner = corners_of(bound)[there].reshape(-1, 2, 2)
                pair = counts[there].reshape(-1, 2)
                for place, what in enumerate(("successes", "trials")):
                    part[prefix + what] = pair[:, place]
                    for end, suffix in enumerate(("_low", "_high")):
                        part[prefix + what + suffix] = corner[:, end, place]
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _others(bound: np.ndarray) -> np.ndarray:
    """Return the sum over all other groups."""
    return bound.sum(axis=0) - bound


def row_of(table: pd.DataFrame, own: Sequence[str], reference: Reference) -> int:
    """Return the row of the reference group, or say that there is none."""
    if isinstance(reference, str):
        raise DatamallError(
            f"The reference is 'rest' or a value for each attribute, not {reference!r}: write "
            "for example {'sex': 'man'}."
        )
    wanted = tuple(label(reference.get(name, "(not named)")) for name in own)
    rows = [tuple(map(str, row)) for row in table[list(own)].itertuples(index=False)]
    if wanted not in rows:
        there = named([" × ".join(row) for row in rows])
        raise DatamallError(f"There is no reference group {' × '.join(wanted)}: there are {there}.")
    return rows.index(wanted)
