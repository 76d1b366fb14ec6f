"""Knowledge of causes: what the waste was, and how much of it is beyond a regular truck."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import ndtri

from datamall.enforcement import pooling
from datamall.enforcement.information import (
    ALL_PLACES,
    COUNTED,
    Tables,
    by_kind,
    places,
)
from datamall.enforcement.knowledge import check_level
from datamall.enforcement.sums import INSPECTIONS, once, recorded_causes, slices
from datamall.requirements import needs, passes_absent
from datamall.rows import Rows

_STORE = "enforcement.inspections"
_OF_CONTAINERS = ("full", "broken")


def _tally(data: Tables) -> tuple[pd.DataFrame, list[str]]:
    """Sum causes per place over the cells in which all delivered causes were filled in.

    Per cause: the inspections at which it was found *and* waste lay there, at most
    (`<cause>`) and less what was likely found without waste (`<cause>_least`), and how often it was
    surely found without waste (`<cause>_apart`).

    Notes
    -----
    A cell holds counts: of n inspections w with waste and b with the cause, at least b + w - n and
    at most min(b, w) are the same ones, and b - w are not. Where a cause is never found more often
    than waste, it is taken to be found with waste, as bulky waste is waste. Elsewhere how often it
    is found at an inspection without waste is seen in the cells without any, and at least in all;
    as often it is taken to be found without waste in the others, within these bounds. Where no cell
    is without waste, the least possible is the end.
    """
    seen = data[INSPECTIONS]
    table = once(seen, f"causes {list(seen)}", partial(_by_place, seen))
    kinds = places(data).set_index("cluster")["kind"]
    return table.assign(kind=table["cluster"].map(kinds)), recorded_causes(seen)


def _by_place(seen: pd.DataFrame | Rows) -> pd.DataFrame:
    """Return the sums of `_tally`, by cluster."""
    causes, tables = recorded_causes(seen), []
    totals = pd.Series(0.0, index=["looked", "without", *causes])
    for own in slices(seen):
        own = own.dropna(subset=causes)
        tables.append(_found(own, {}))
        clean = own[own["with_waste"] == 0]
        totals["looked"] += clean["inspections"].sum()
        totals["without"] += (own["inspections"] - own["with_waste"]).sum()
        totals[causes] += clean[causes].sum()
    table = pd.concat(tables, ignore_index=True)
    apart = {cause: table[f"{cause}_apart"].sum() for cause in causes}
    if any(apart.values()):
        share = {
            cause: max(
                totals[cause] / totals["looked"] if totals["looked"] else np.inf,
                number / totals["without"],
            )
            for cause, number in apart.items()
            if number
        }
        del table, tables  # the second sums take as much room as the first
        again = (_found(own.dropna(subset=causes), share) for own in slices(seen))
        table = pd.concat(again, ignore_index=True)
    return table.sort_values("cluster", ignore_index=True)


def _found(own: pd.DataFrame, share: Mapping[str, float]) -> pd.DataFrame:
    """Return the sums of `_tally` in some rows, given the shares found without waste."""
    n, w = own["inspections"], own["with_waste"]
    result = own[["cluster", "with_waste"]].copy()
    for cause in recorded_causes(own):
        most, least = np.minimum(own[cause], w), np.maximum(own[cause] + w - n, 0)
        result[cause], result[f"{cause}_apart"] = most, own[cause] - most
        without = share.get(cause, 0.0) * np.where(n > w, n - w, np.nan)
        result[f"{cause}_least"] = most - np.nan_to_num(np.minimum(without, most - least))
    result = result.groupby("cluster", observed=True).sum()
    return result.set_index(result.index.astype(str)).reset_index()


def _limits(found: np.ndarray, waste: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """Return the share of waste that was found, and its interval; places as witnesses.

    Ratio estimator (Cochran 1977, section 6.4). Where it has no width or reaches beyond 0 or 1,
    Wilson's interval with as many witnesses as the spread between places is worth.
    """
    width, places, total = ndtri((1 + confidence) / 2), len(waste), waste.sum()
    if not total:
        return np.nan, np.nan, np.nan
    share = found.sum() / total
    residual = float(((found - share * waste) ** 2).sum())
    half = width * np.sqrt(residual * places / max(places - 1, 1)) / total
    middle = share
    if residual < 1e-9 or not half <= middle <= 1 - half:
        spread = width**2 / max(int((waste > 0).sum()), 1)
        if residual >= 1e-9:
            spread = half**2 / (share * (1 - share))
        middle = (share + spread / 2) / (1 + spread)
        # Z times the root of share (1 - share) / n + z² / 4n², for n places.
        half = np.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    # Beyond 0 and 1 by the last digit alone.
    return share, max(middle - half, 0.0), min(middle + half, 1.0)


@needs("What was found", *COUNTED)
def cause_shares(data: Tables, confidence: float) -> pd.DataFrame:
    """Return the share of the inspections with waste at which each cause was found.

    Returns
    -------
    pandas.DataFrame
        kind ("all places" first), cause, found (inspections with waste at which it was found, at
        most), with_waste, share, low, high, and apart (inspections at which it was surely found
        without waste; they are no part of the share) where there are any; no rows where no cause
        is recorded, and none for a full or broken container at dump spots, which have no container.
        Causes occur together, so that shares need not add up to 1.

    Notes
    -----
    Ratio estimator with places as clusters (Cochran 1977, section 6.4): inspections of one place
    are no independent witnesses. Where places do not differ, as when a cause was found never or
    always, that estimator has no width: Wilson's interval (1927) with as many witnesses as there
    are places with waste. Where a cause was also found without waste, counts do not tell how often
    it was found with it: low is then that of the least that is likely (see `_tally`), so that the
    interval holds what is not known as well.
    """
    check_level("confidence", confidence)
    table, causes = _tally(data)
    rows = []
    for kind, own in by_kind(table):
        waste = own["with_waste"].to_numpy(float)
        for cause in causes:
            if kind == "dump spot" and cause in _OF_CONTAINERS:
                continue
            found, least = own[cause].to_numpy(float), own[f"{cause}_least"].to_numpy(float)
            share, low, high = _limits(found, waste, confidence)
            if not np.array_equal(found, least):
                _, low, _ = _limits(least, waste, confidence)
            counts = (int(found.sum()), int(waste.sum()))
            rows.append((kind, cause, *counts, share, low, high, int(own[f"{cause}_apart"].sum())))
    columns = ["kind", "cause", "found", "with_waste", "share", "low", "high", "apart"]
    result = pd.DataFrame(rows, columns=columns)
    return result if result["apart"].any() else result.drop(columns="apart")


@needs("What a regular truck can take", *COUNTED, f"{_STORE}.bulky")
def truck_reach(data: Tables, confidence: float) -> pd.DataFrame:
    """Return how much of the nuisance is bulky, and at how much a container was recorded full.

    Returns
    -------
    pandas.DataFrame
        part, found and with_waste (inspections), share, low, high, apart, as in `cause_shares`.
        Rows: "bulky, beyond a regular truck" and, where it is recorded, "container recorded full".
    """
    shares = cause_shares(data, confidence)
    parts = {"bulky": "bulky, beyond a regular truck", "full": "container recorded full"}
    own = shares[(shares["kind"] == ALL_PLACES) & shares["cause"].isin(list(parts))]
    own = own.assign(cause=own["cause"].map(parts)).rename(columns={"cause": "part"})
    return own.drop(columns="kind").reset_index(drop=True)


@needs("Causes by place", *COUNTED)
@passes_absent
def place_causes(data: Tables, rates: pd.DataFrame) -> pd.DataFrame:
    """Return the causes of each place, its own counts pulled towards those of its kind.

    Parameters
    ----------
    data, rates
        The extract; as from `knowledge.dirty_rates`.

    Returns
    -------
    pandas.DataFrame
        cluster, one column per recorded cause and unknown (shares of its inspections with waste,
        adding up to 1), and weight (inspections with waste that these shares are worth); ordered as
        `rates`.

    Notes
    -----
    An inspection with several causes is divided over them. Bags and cardboard at a full or broken
    container belong to the container: within a place, causes are taken to occur independently.
    Shares follow a Dirichlet distribution whose weight comes from how much places differ (moments,
    see `pooling.likeness`).
    """
    table, causes = _tally(data)
    table = rates[["cluster", "kind", "inspections", "effective_inspections"]].merge(
        table.drop(columns="kind"), on="cluster", how="left"
    )
    counts = np.array(table[causes].fillna(0), dtype=float).reshape(len(table), len(causes))
    waste = table["with_waste"].fillna(0).to_numpy(float)
    names = pd.Index(causes)
    container = np.minimum(counts[:, names.isin(_OF_CONTAINERS)].sum(axis=1), waste)
    free = 1 - container / np.maximum(waste, 1)
    counts[:, names.isin(["residual", "cardboard"])] *= free[:, None]
    counts *= (waste / np.maximum(counts.sum(axis=1), np.maximum(waste, 1)))[:, None]
    counts = np.column_stack([counts, waste - counts.sum(axis=1)])
    certain = (table["effective_inspections"] / table["inspections"]).to_numpy(float)
    shares, weight = np.zeros_like(counts), np.zeros(len(table))
    for kind in sorted(table["kind"].unique()):
        own = (table["kind"] == kind).to_numpy()
        total = waste[own].sum()
        city = counts[own].sum(axis=0) / total if total else np.eye(len(causes) + 1)[-1]
        _, rho = pooling.likeness(counts[own], waste[own], np.zeros(own.sum(), dtype=int))
        prior = 1 / np.clip(np.nan_to_num(rho, nan=1e-3), 1e-3, 0.5) - 1
        weight[own] = prior + waste[own] * certain[own]
        pulled = prior * city[None, :] + counts[own] * certain[own, None]
        shares[own] = pulled / weight[own, None]
    result = pd.DataFrame(shares, columns=[*causes, "unknown"])
    result.insert(0, "cluster", table["cluster"])
    return result.assign(weight=weight)
