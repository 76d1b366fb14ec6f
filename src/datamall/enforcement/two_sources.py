"""Reports of residents and inspections side by side: how far both speak of the same places."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from datamall.enforcement.information import COUNTED, Tables
from datamall.enforcement.reports import OPEN, REPORTS, with_spells
from datamall.enforcement.sums import INSPECTIONS, slices, sums
from datamall.requirements import needs

CELLS_AT_ONCE = 2_000_000


@needs(
    "What residents reported and what inspectors found",
    *COUNTED,
    "enforcement.inspections.period_start",
    f"{REPORTS}.cluster",
    f"{REPORTS}.closed",
    varying=OPEN[:1],
)
def overlap(data: Tables) -> pd.DataFrame:
    """Return how far reports and inspections speak of the same places at the same time.

    Returns
    -------
    pandas.DataFrame
        unit ("place" and, where there are several, "place in one period"), reported, of these
        not_inspected and nothing_found (inspected), found (with waste, by inspectors), of these
        not_reported. A place counts as reported in all periods in which a report was open; periods
        of less than a week are taken together by the week, from Monday on.
    """
    seen, starts = data[INSPECTIONS], sums(data[INSPECTIONS]).periods
    if (np.diff(starts) < np.timedelta64(7, "D")).any():
        day = starts.astype("M8[D]").astype("int64")
        starts = np.unique((day - (day + 3) % 7).astype("M8[D]")).astype(starts.dtype)
    told, names = _told(data, starts)
    by_place = sums(seen).places["with_waste"].reset_index().assign(period=0)
    rows = [("place", *_counted(told.max(axis=1, keepdims=True), names, [by_place]))]
    if len(starts) > 1:
        parts = (_by_period(own, starts) for own in slices(seen))
        rows.append(("place in one period", *_counted(told, names, parts)))
    columns = ["reported", "not_inspected", "nothing_found", "found", "not_reported"]
    return pd.DataFrame(rows, columns=["unit", *columns])


def _told(data: Tables, starts: np.ndarray) -> tuple[np.ndarray, pd.Index]:
    """Return whether a report was open, by cluster and period, and the clusters with reports."""
    table = with_spells(data)[["cluster", "opened", "until"]].dropna(subset="cluster")
    code, clusters = pd.factorize(table["cluster"])
    begin, end = (
        np.searchsorted(starts, table[name].to_numpy(), side="right") - 1
        for name in ("opened", "until")
    )
    # What was closed before the first inspection was open in no period.
    lasted, begin = end >= 0, begin.clip(0)
    order = np.argsort(code[lasted], kind="stable")
    code, begin, end = (values[lasted][order] for values in (code, begin, end))
    told = np.zeros((len(clusters), len(starts)), dtype=bool)
    step = max(CELLS_AT_ONCE // (len(starts) + 1), 1)
    for first in range(0, len(clusters), step):
        own = slice(*np.searchsorted(code, (first, first + step)))
        # How many begin in each period, less those whose last was the one before.
        open_ = np.zeros((min(step, len(clusters) - first), len(starts) + 1), dtype="int32")
        np.add.at(open_, (code[own] - first, begin[own]), 1)
        np.subtract.at(open_, (code[own] - first, end[own] + 1), 1)
        told[first : first + step] = open_.cumsum(axis=1)[:, :-1] > 0
    return told, pd.Index(np.asarray(clusters, dtype=str))


def _by_period(own: pd.DataFrame, starts: np.ndarray) -> pd.DataFrame:
    """Return cluster, period (position in `starts`) and with_waste of some inspections."""
    period = np.searchsorted(starts, own["period_start"].to_numpy(), side="right") - 1
    keys = ["cluster", "period"]
    by_period = own.assign(period=period).groupby(keys, as_index=False, observed=True)
    return by_period["with_waste"].sum()


def _counted(told: np.ndarray, names: pd.Index, parts: Iterable[pd.DataFrame]) -> tuple[int, ...]:
    """Count units of place and period: reported, inspected, with waste; see `overlap`.

    Parameters
    ----------
    told
        Whether there was a report, by cluster and period.
    names
        Its clusters.
    parts
        Units inspected: cluster, period, with_waste; none twice.
    """
    both = nothing = found = only = 0
    for own in parts:
        place, clusters = pd.factorize(own["cluster"])
        code = names.get_indexer(np.asarray(clusters, dtype=str))[place]
        reported = np.zeros(len(own), dtype=bool)
        known = code >= 0
        reported[known] = told[code[known], own["period"].to_numpy()[known]]
        waste = own["with_waste"].to_numpy() > 0
        both += int(reported.sum())
        nothing += int((reported & ~waste).sum())
        found += int(waste.sum())
        only += int((waste & ~reported).sum())
    number = int(told.sum())
    return number, number - both, nothing, found, only
