"""Reports of residents and inspections side by side: how far both speak of the same places."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from datamall.enforcement.information import COUNTED, Tables
from datamall.enforcement.reports import OPEN, REPORTS, with_spells
from datamall.enforcement.sums import INSPECTIONS, slices, sums
from datamall.requirements import needs

REPORTS_AT_ONCE = 100_000


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
        not_reported. A place counts as reported in all periods in which a report was open.
    """
    columns, seen = ["cluster", "opened", "until"], data[INSPECTIONS]
    table = with_spells(data)[columns].dropna(subset="cluster")
    starts = sums(seen).periods
    code, clusters = pd.factorize(table["cluster"])
    names = pd.Index(np.asarray(clusters, dtype=str))
    begin, end = (
        np.searchsorted(starts, table[name].to_numpy(), side="right") - 1
        for name in ("opened", "until")
    )
    told = _told(code, begin, end, len(starts))
    by_place = sums(seen).places["with_waste"].reset_index().assign(period=0)
    rows = [("place", *_counted(np.unique(told // len(starts)), names, 1, [by_place]))]
    if len(starts) > 1:
        parts = (_by_period(own, starts) for own in slices(seen))
        rows.append(("place in one period", *_counted(told, names, len(starts), parts)))
    columns = ["reported", "not_inspected", "nothing_found", "found", "not_reported"]
    return pd.DataFrame(rows, columns=["unit", *columns])


def _told(code: np.ndarray, begin: np.ndarray, end: np.ndarray, periods: int) -> np.ndarray:
    """Return code × `periods` + period, once each, for all periods in which a report was open."""
    parts = [np.empty(0, dtype=int)]
    for first in range(0, len(code), REPORTS_AT_ONCE):
        own = slice(first, first + REPORTS_AT_ONCE)
        since = begin[own].clip(0)
        length = end[own] - since + 1  # 0 for what was closed before the first inspection
        turn = np.arange(length.sum()) - np.repeat(length.cumsum() - length, length)
        parts.append(np.unique(np.repeat(code[own] * periods + since, length) + turn))
    return np.unique(np.concatenate(parts))


def _by_period(own: pd.DataFrame, starts: np.ndarray) -> pd.DataFrame:
    """Return cluster, period (position in `starts`) and with_waste of some inspections."""
    period = np.searchsorted(starts, own["period_start"].to_numpy())
    keys = ["cluster", "period"]
    by_period = own.assign(period=period).groupby(keys, as_index=False, observed=True)
    return by_period["with_waste"].sum()


def _counted(
    told: np.ndarray, names: pd.Index, periods: int, parts: Iterable[pd.DataFrame]
) -> tuple[int, ...]:
    """Count units of place and period: reported, inspected, with waste; see `overlap`.

    Parameters
    ----------
    told
        Units reported, none twice, as position in `names` × `periods` + period.
    names
        Clusters with reports.
    periods
        Number of periods.
    parts
        Units inspected: cluster, period, with_waste; none twice.
    """
    both = nothing = found = only = 0
    for own in parts:
        place, clusters = pd.factorize(own["cluster"])
        code = names.get_indexer(np.asarray(clusters, dtype=str))[place]
        reported = (code >= 0) & np.isin(code * periods + own["period"].to_numpy(), told)
        waste = own["with_waste"].to_numpy() > 0
        both += int(reported.sum())
        nothing += int((reported & ~waste).sum())
        found += int(waste.sum())
        only += int((waste & ~reported).sum())
    return len(told), len(told) - both, nothing, found, only
