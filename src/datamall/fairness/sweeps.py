"""What another threshold, or another capacity, would have meant for each group."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import comparison, identification, key_levels, metrics
from datamall.fairness.cells import Cells
from datamall.fairness.counting import MISSING, NO, UNKNOWN, YES, named
from datamall.fairness.inference import compare, intervals, pairs, with_gaps
from datamall.fairness.intervals import limits
from datamall.fairness.plan import Plan
from datamall.fairness.recoding import Counts
from datamall.fairness.steps import Selection
from datamall.fairness.subgroups import REST, Reference

CAPACITIES = (0.8, 0.9, 1.0, 1.1, 1.2)
THRESHOLDS = 40
FINEST, JOINED = 20, 10  # more bands than this are joined to so many


def decide(cells: Cells, threshold: Any) -> Cells:
    """Return the cells as if everybody from this score band upwards were selected.

    People without a score are not selected.

    Raises
    ------
    DatamallError
        If there is no such band.
    """
    bands = _bands(cells)
    if threshold not in bands:
        raise DatamallError(f"There is no score band {threshold}: there are {named(bands)}.")
    place = cells.axes.index("score_band")
    from_here = list(cells.levels[place]).index(threshold)
    counts = np.zeros_like(cells.counts)
    selected = np.where(cells.codes[:, place] >= from_here, YES, NO)
    counts[np.arange(len(cells)), selected] = cells.counts.sum(axis=1)
    return Cells(cells.axes, cells.levels, cells.codes, counts)


def threshold_for(cells: Cells, capacity: float) -> Any:
    """Return the score band from which upwards the number of people is nearest to `capacity`.

    Of two that are as near, the one that selects fewer.
    """
    bands = _bands(cells)
    numbers = _selected(cells, [])[1][..., YES, :].sum(axis=(1, 2))
    return bands[len(bands) - 1 - int(np.argmin(np.abs(numbers - capacity)[::-1]))]


def thresholds(
    cells: Cells, by: Sequence[str] | None = None, names: Sequence[str] = metrics.METRICS
) -> pd.DataFrame:
    """Return the rates of each group at every threshold.

    Parameters
    ----------
    cells
        Counts with a key `score_band`; the decisions in them are not used.
    by
        Groups; default: all.
    names
        Metrics.

    Returns
    -------
    DataFrame
        One row per threshold and group: `threshold` (lowest band that is selected), `selected`
        (people, all groups together), the keys, `n`, and the metrics.
    """
    table, counts = _selected(cells, cells.groups if by is None else by)
    bands = _bands(cells)
    repeated = pd.concat([table] * len(bands), ignore_index=True)
    selected = counts[..., YES, :].sum(axis=(1, 2))
    order = pd.Categorical(bands, bands, ordered=True) if isinstance(bands[0], str) else bands
    repeated.insert(0, "threshold", pd.Series(order).repeat(len(table)).to_numpy())
    repeated.insert(1, "selected", np.repeat(selected, len(table)))
    repeated["n"] = counts.sum(axis=(2, 3)).ravel()
    repeated[list(names)] = metrics.rate(counts, names).reshape(-1, len(names))
    return repeated


def capacities(
    cells: Cells,
    by: Sequence[str] | None = None,
    names: Sequence[str] = metrics.METRICS,
    shares: Sequence[float] = CAPACITIES,
) -> pd.DataFrame:
    """Return the rates of each group if fewer or more people could be selected.

    Parameters
    ----------
    cells, by, names
        See `thresholds`; here the decisions in `cells` say how many are selected now.
    shares
        Capacities, as multiples of that number.

    Returns
    -------
    DataFrame
        As `thresholds`, with a first column `capacity` (the share). Bands are not split, so
        `selected` is the nearest number that a threshold gives.
    """
    now = cells.counts[:, YES].sum()
    everything = thresholds(cells, by, names)
    parts = []
    for share in shares:
        part = everything[everything["threshold"] == threshold_for(cells, share * now)].copy()
        part.insert(0, "capacity", share)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def calibration(
    cells: Cells,
    by: Sequence[str] | None = None,
    *,
    reference: Reference = REST,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return whether the same score means the same for each group.

    Parameters
    ----------
    cells
        Counts with a key `score_band`; people without an outcome are left out, so give those of
        the random arm, or of one arm.
    by, reference
        See `datamall.fairness.inference.compare`; one attribute at a time.
    level
        For all differences together.

    Returns
    -------
    DataFrame
        One row per band and group in which somebody has an outcome: `score_band` (of more than 20
        bands ten are made, of about as many people each, and named by their lowest), `by`, `group`,
        `successes`, `trials`, `rate`, `low`, `high` (limits at the level, each for itself),
        `other_rate`, `difference`, `difference_low`, `difference_high`.
    """
    cells = _joined(cells)
    options: dict[str, Any] = {"estimand": "procedure", "names": ["base_rate"], "depth": 1}
    table = pairs(cells, by, reference=reference, within=["score_band"], **options)
    table = table[table["trials"] > 0].reset_index(drop=True)
    tail = (1 - level) / 2 / max(int((table["other_trials"] > 0).sum()), 1)
    table = with_gaps(table, tail)
    counted = table["successes"].to_numpy(), table["trials"].to_numpy()
    table["low"], table["high"] = limits(*counted, (1 - level) / 2)
    kept = ["score_band", "by", "group", "successes", "trials", "rate", "low", "high"]
    kept.append("other_rate")
    return table[[*kept, "difference", "difference_low", "difference_high"]]


def _joined(cells: Cells) -> Cells:
    """Return the cells with neighbouring bands joined where there are too many to compare each."""
    bands, place = _bands(cells), cells.axes.index("score_band")
    if len(bands) <= FINEST:
        return cells
    levels = list(cells.levels[place])
    known = cells.counts[..., :UNKNOWN].sum(axis=(1, 2))
    people = np.bincount(cells.codes[:, place], known, len(levels))
    people[[level not in bands for level in levels]] = 0
    before = np.cumsum(people) - people
    tenth = np.floor(JOINED * before / max(people.sum(), 1)).clip(max=JOINED - 1)
    to = np.arange(len(levels))
    for part in np.unique(tenth):
        own = [i for i in np.flatnonzero(tenth == part) if levels[i] in bands]
        to[own] = own[:1]
    codes = cells.codes.copy()
    codes[:, place] = to[codes[:, place]]
    made = key_levels.canonical(cells.axes, cells.levels, codes, cells.counts)
    return Cells(cells.axes, *made, cells.merged)


def by_threshold(counts: Counts | Selection, plan: Plan) -> pd.DataFrame:
    """Return the rates of each group, and its ratio to others, at every threshold.

    The selection rate is that of everybody. Rates that need the outcome are given where it is
    known of everybody, or in a random arm (not one drawn within strata), and then of its people:
    outcomes that only the selected have say nothing about a lower threshold.

    Parameters
    ----------
    counts
        Those of the audit; the outcome is read by the first label of the plan.
    plan
        Its groups (one attribute at a time), reference, level and capacity.

    Returns
    -------
    DataFrame
        One row per metric, threshold and group: `metric`, `threshold` (lowest band that is
        selected), `selected` (people, all groups together), `in_use` (the threshold that selects
        about as many as are selected now, or as the plan's capacity), `by`, `group`, `trials`,
        `rate`, `low`, `high`, `ratio`, `ratio_low`, `ratio_high` (limits at the level, each for
        itself; no ratio where the group is what others are compared with). Of more than
        `THRESHOLDS` thresholds, as many, evenly spread. Empty without score bands.
    """
    if not isinstance(counts, Cells) or "score_band" not in counts.axes:
        return pd.DataFrame()
    cells = comparison.labelled(counts, plan)
    parts = _at_thresholds(cells, cells, plan, ["selection_rate"])
    how = plan.identification
    if how is not None and identification.design(cells, how)[0] and not how.strata:
        parts += _at_thresholds(cells.where(arm=how.random), cells, plan, ["tpr", "fpr"])
    elif not cells.counts[..., UNKNOWN].any():
        parts += _at_thresholds(cells, cells, plan, ["tpr", "fpr"])
    table = pd.concat(parts, ignore_index=True)
    place = table["metric"].map({m: i for i, m in enumerate(metrics.METRICS)})
    return table.iloc[np.argsort(place.to_numpy(), kind="stable")].reset_index(drop=True)


def _at_thresholds(
    cells: Cells, everybody: Cells, plan: Plan, names: Sequence[str]
) -> list[pd.DataFrame]:
    """Return one table per threshold; how many are selected is counted among everybody."""
    bands = _bands(everybody)
    numbers = dict(
        zip(bands, _selected(everybody, [])[1][..., YES, :].sum(axis=(1, 2)), strict=True)
    )
    now = plan.capacity or int(everybody.counts[:, YES].sum())
    used = threshold_for(everybody, now) if now else None
    some = np.unique(np.linspace(0, len(bands) - 1, min(len(bands), THRESHOLDS)).round())
    options: dict[str, Any] = {"estimand": "procedure", "names": list(names), "depth": 1}
    options |= {"level": plan.level, "simultaneous": False}
    keys = ["by", "group", "metric"]
    parts = []
    for band in [band for i, band in enumerate(bands) if i in some or band == used]:
        moved = decide(cells, band)
        rates = intervals(moved, plan.groups, **options)
        gaps = compare(moved, plan.groups, reference=plan.reference, **options)
        gaps = gaps[[*keys, "ratio", "ratio_low", "ratio_high"]]
        table = rates.merge(gaps, on=keys, how="left")
        about = {"threshold": band, "selected": int(numbers[band]), "in_use": band == used}
        kept = [*about, "by", "group", "trials", "rate", "low", "high", *gaps.columns[3:]]
        parts.append(table.assign(**about)[["metric", *kept]])
    return parts


def _bands(cells: Cells) -> list[Any]:
    """Return the bands that a threshold can be set at."""
    if "score_band" not in cells.axes:
        raise DatamallError("These cells have no score_band: name its column in from_frame.")
    if "weight" in cells.axes:
        raise DatamallError("Weighted counts have no capacity: sum over the weights with by().")
    known = cells.levels[cells.axes.index("score_band")]
    return [band for band in known if band not in (-np.inf, MISSING)]


def _selected(cells: Cells, by: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the groups, and their counts at each threshold: (thresholds, groups, 3, 3)."""
    names = [by] if isinstance(by, str) else list(by)
    bands, groups = _bands(cells), cells.by(names)
    fine = cells.by([*names, "score_band"])
    without = len(cells.levels[cells.axes.index("score_band")]) - len(bands)
    new = np.r_[True, (fine.codes[1:, :-1] != fine.codes[:-1, :-1]).any(axis=1)]
    table = np.zeros((len(groups), len(bands) + without, 3), np.int64)
    table[np.cumsum(new) - 1, fine.codes[:, -1]] = fine.counts.sum(axis=1)
    # From each band upwards: sums from the highest down.
    upwards = table[:, without:][:, ::-1].cumsum(axis=1)[:, ::-1].swapaxes(0, 1)
    counts = np.zeros((len(bands), len(groups), 3, 3), np.int64)
    counts[:, :, YES], counts[:, :, NO] = upwards, table.sum(axis=1) - upwards
    return groups.keys, counts
