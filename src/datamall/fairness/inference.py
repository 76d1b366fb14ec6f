"""Intervals of rates and of gaps between groups, for one group or for all of them at once.

Every table states its estimand. *The list*: these people were scored, and nobody else is meant;
rates are what they are and have no sampling error. *The procedure*: what would happen to the next
people, of whom these are a sample; rates have intervals.

Intervals for all rows at once divide the allowed error by the number of rows (Bonferroni). That
holds for any dependence between overlapping groups and metrics, and for counts of any size,
because the limits are exact. Critical values from a bootstrap (max-t) would be a little narrower
for large groups, and fail for small ones.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import metrics
from datamall.fairness.cells import Cells
from datamall.fairness.intervals import Kind, Method, gap_between, limits
from datamall.fairness.subgroups import REST, Reference, Subgroups, subgroups

Estimand = Literal["list", "procedure"]
KINDS: tuple[Kind, ...] = ("difference", "ratio")
COUNTED = ("successes", "trials", "other_successes", "other_trials")


def intervals(
    cells: Cells,
    by: Sequence[str] | None = None,
    *,
    estimand: Estimand,
    names: Sequence[str] = metrics.METRICS,
    depth: int | None = None,
    within: Sequence[str] = (),
    level: float = 0.95,
    simultaneous: bool = True,
    method: Method = "exact",
) -> pd.DataFrame:
    """Return the rates of groups with their intervals.

    Parameters
    ----------
    cells, by, depth, within
        See `datamall.fairness.subgroups.subgroups`.
    estimand
        ``"list"`` or ``"procedure"``; see the module.
    names
        Metrics.
    level
        Probability that the interval, or all of them, hold.
    simultaneous
        Whether `level` is for all rows together.
    method
        See `datamall.fairness.intervals`.

    Returns
    -------
    DataFrame
        One row per group and metric: strata, `by`, `group`, `metric`, `estimand`, `successes`,
        `trials`, `rate` (NaN without trials), `low`, `high` (0 and 1 without trials).
    """
    check(cells, level)
    groups = subgroups(cells, by, depth=depth, within=within)
    successes, trials = metrics.proportions(groups.counts, names)
    rates = metrics.share(successes, trials)
    low, high = rates, rates
    if estimand == "procedure":
        low, high = limits(successes, trials, _tail(level, simultaneous, trials > 0), method)
    columns = {"successes": successes, "trials": trials, "rate": rates, "low": low, "high": high}
    table = _long(groups, names, np.ones(len(groups), bool), estimand)
    return beside(table, {name: values.ravel() for name, values in columns.items()})


def compare(
    cells: Cells,
    by: Sequence[str] | None = None,
    *,
    estimand: Estimand,
    reference: Reference = REST,
    names: Sequence[str] = metrics.METRICS,
    depth: int | None = None,
    within: Sequence[str] = (),
    level: float = 0.95,
    simultaneous: bool = True,
    method: Method = "exact",
) -> pd.DataFrame:
    """Return the gaps between groups and what they are compared with.

    Parameters
    ----------
    cells, by, depth, within, estimand, names, level, simultaneous, method
        See `intervals`. With ``within=["score_band"]`` and ``names=["base_rate"]`` this is
        calibration by group.
    reference
        ``"rest"`` (everybody else, so that no group is the norm and the reference is large), or
        the value of each attribute of a reference group.

    Returns
    -------
    DataFrame
        One row per group and metric: strata, `by`, `group`, `metric`, `estimand`, `successes`,
        `trials`, `other_successes`, `other_trials`, `rate`, `other_rate`, and `difference` and
        `ratio`, each with `_low` and `_high`. Differences and ratios are two readings of one
        comparison: the level is for either.
    """
    check(cells, level)
    table = pairs(
        cells, by, estimand=estimand, reference=reference, names=names, depth=depth, within=within
    )
    return with_gaps(table, _tail(level, simultaneous, comparable(table)), method)


def pairs(
    cells: Cells,
    by: Sequence[str] | None = None,
    *,
    estimand: Estimand,
    reference: Reference = REST,
    names: Sequence[str] = metrics.METRICS,
    depth: int | None = None,
    within: Sequence[str] = (),
) -> pd.DataFrame:
    """Return the counts of each comparison: `compare` without its intervals."""
    groups = subgroups(cells, by, depth=depth, within=within)
    others, compared = groups.references(reference)
    one, other = (metrics.proportions(c[compared], names) for c in (groups.counts, others))
    columns = dict(zip(COUNTED, (v.ravel() for v in (*one, *other)), strict=True))
    return beside(_long(groups, names, compared, estimand), columns)


def with_gaps(table: pd.DataFrame, tail: float, method: Method = "exact") -> pd.DataFrame:
    """Add the rates and gaps of comparisons, with their intervals.

    Parameters
    ----------
    table
        As from `pairs` or `datamall.fairness.Bounds.pairs`. Where counts are known within bounds
        the intervals hold at the worst of them, so that they join rounding and sampling.
    tail
        Error allowed on each side of each interval.
    method
        See `datamall.fairness.intervals`.

    Returns
    -------
    DataFrame
        See `compare`.
    """
    return beside(table, gaps(table, ends(table), tail, KINDS, method))


def gaps(
    table: pd.DataFrame,
    corners: "tuple[Pairs, Pairs]",
    tail: float,
    kinds: Sequence[Kind],
    method: Method = "exact",
) -> dict[str, np.ndarray]:
    """Return the columns that `with_gaps` adds, of these kinds; `corners` as from `ends`."""
    found = {}
    for prefix in ("", "other_"):
        pair = table[f"{prefix}successes"].to_numpy(float), table[f"{prefix}trials"].to_numpy(float)
        found[f"{prefix}rate"] = metrics.share(*pair)
    census = (table["estimand"] == "list").to_numpy()
    known = []
    for lowest, highest in corners:
        at_lowest = limits(*lowest, tail, method)
        same = highest is lowest
        known.append((at_lowest, at_lowest if same else limits(*highest, tail, method)))
    for kind in kinds:
        rate, base = found["rate"], found["other_rate"]
        found[kind] = rate - base if kind == "difference" else metrics.ratio(rate, base)
        certain = gap_ends(*corners, kind)
        for place, end in enumerate(("low", "high")):
            # Lowest gap: one at its lowest and other at its highest; and the other way round.
            one, other = corners[0][place], corners[1][1 - place]
            limit = gap_between(one, other, known[0][place], known[1][1 - place], kind)[place]
            found[f"{kind}_{end}"] = np.where(census, certain[place], limit)
    return found


def beside(table: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table with these columns as its last; set one by one, each copies all the names."""
    again = [name for name in columns if name in table]
    kept = table.drop(columns=again) if again else table
    return pd.concat([kept, pd.DataFrame(columns, index=table.index)], axis=1)


Pairs = list[tuple[np.ndarray, np.ndarray]]


def ends(table: pd.DataFrame) -> tuple[Pairs, Pairs]:
    """Return successes and trials of one and of other, at the lowest and the highest rate.

    Where the table has no bounds, both are the counts.
    """
    found: list[Pairs] = []
    for prefix in ("", "other_"):
        suffixes = ("_low", "_high") if f"{prefix}trials_low" in table else ("",)
        names = [(f"{prefix}successes{end}", f"{prefix}trials{end}") for end in suffixes]
        sides = [(table[x].to_numpy(float), table[n].to_numpy(float)) for x, n in names]
        found.append([sides[0], sides[-1]])
    return found[0], found[1]


def gap_ends(one: Pairs, other: Pairs, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest gap that the bounds of the counts allow."""
    pairs = (one[0], other[1]), (one[1], other[0])
    rates = [(metrics.share(*a), metrics.share(*b)) for a, b in pairs]
    low, high = (a - b if kind == "difference" else metrics.ratio(a, b) for a, b in rates)
    return low, high


def comparable(table: pd.DataFrame) -> np.ndarray:
    """Return which rows have people on both sides."""
    (one, most), (other, other_most) = ends(table)
    return ((one[1] > 0) | (most[1] > 0)) & ((other[1] > 0) | (other_most[1] > 0))


def adjust(p: np.ndarray, method: Literal["holm", "bh"]) -> np.ndarray:
    """Adjust p-values for their number.

    Parameters
    ----------
    p
        P-values; NaN is left out and stays.
    method
        ``"holm"``: the probability of any false alarm (Holm 1979). ``"bh"``: the expected share
        of false alarms (Benjamini and Hochberg 1995).

    Returns
    -------
    ndarray
        Compare with the same level as a single p-value.
    """
    out = np.array(p, float)
    there = np.flatnonzero(~np.isnan(out))
    order = there[np.argsort(out[there], kind="stable")]
    number = len(order)
    if method == "holm":
        out[order] = np.maximum.accumulate(out[order] * np.arange(number, 0, -1))
    else:
        scaled = out[order] * number / np.arange(1, number + 1)
        out[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(out, 1)


def check(cells: Cells, level: float) -> None:
    """Refuse a level that is none, and weighted cells: their error is not binomial."""
    if not 0.5 <= level < 1:
        raise DatamallError(f"The level is {level}: give a probability such as 0.95.")
    if "weight" in cells.axes:
        raise DatamallError(
            "Weighted counts have no exact intervals: sum over the weights with by()."
        )


def _tail(level: float, simultaneous: bool, there: np.ndarray) -> float:
    return (1 - level) / 2 / (max(int(there.sum()), 1) if simultaneous else 1)


def _long(
    groups: Subgroups, names: Sequence[str], compared: np.ndarray, estimand: str
) -> pd.DataFrame:
    """Return one row per group that is compared and metric."""
    if estimand not in ("list", "procedure"):
        raise DatamallError(f"The estimand is 'list' or 'procedure', not {estimand!r}.")
    for name in names:
        metrics.find(name)
    rows = np.repeat(np.flatnonzero(compared), len(names))
    metric: Any = np.tile(np.array(list(names), object), int(compared.sum()))
    columns = {"metric": pd.array(metric, dtype="str"), "estimand": estimand}
    return beside(groups.table.take(rows).reset_index(drop=True), columns)
