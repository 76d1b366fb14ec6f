"""Knowledge of causes: what the waste was, and how much of it is beyond a regular truck."""

import numpy as np
import pandas as pd
from scipy.special import ndtri

from datamall.enforcement import pooling
from datamall.enforcement.information import COUNTED, Tables, cells, recorded_causes
from datamall.enforcement.knowledge import check_level
from datamall.requirements import needs, passes_absent

_STORE = "enforcement.inspections"
_OF_CONTAINERS = ("full", "broken")


def _tally(data: Tables) -> tuple[pd.DataFrame, list[str]]:
    """Sum causes per place over the cells in which all delivered causes were filled in."""
    table = cells(data)
    causes = [cause for cause in recorded_causes(table) if table[cause].notna().any()]
    keys = ["cluster", "kind"]
    sums = table.dropna(subset=causes).groupby(keys, as_index=False)[["with_waste", *causes]].sum()
    return sums.sort_values("cluster", ignore_index=True), causes


@needs("What was found", *COUNTED)
def cause_shares(data: Tables, confidence: float) -> pd.DataFrame:
    """Return the share of the inspections with waste at which each cause was found.

    Returns
    -------
    pandas.DataFrame
        kind ("all places" first), cause, found (inspections), with_waste, share, low, high; no rows
        where no cause is recorded, and none for a full or broken container at dump spots, which
        have no container. Causes occur together, so that shares need not add up to 1.

    Notes
    -----
    Ratio estimator with places as clusters (Cochran 1977, section 6.4): inspections of one place
    are no independent witnesses. Where places do not differ, as when a cause was found never or
    always, that estimator has no width: Wilson's interval (1927) with as many witnesses as there
    are places with waste.
    """
    check_level("confidence", confidence)
    table, causes = _tally(data)
    width = ndtri((1 + confidence) / 2)
    rows = []
    groups = [("all places", table), *table.groupby("kind")]
    for kind, own in groups:
        waste, places = own["with_waste"], len(own)
        for cause in causes:
            if kind == "dump spot" and cause in _OF_CONTAINERS:
                continue
            found, total = own[cause].sum(), waste.sum()
            share = found / total if total else np.nan
            residual = float(((own[cause] - share * waste) ** 2).sum())
            error = np.sqrt(residual * places / max(places - 1, 1)) / max(total, 1)
            middle, half = share, width * error
            if residual < 1e-9:
                spread = width**2 / max(int((waste > 0).sum()), 1)
                middle = (share + spread / 2) / (1 + spread)
                # Z times the root of share (1 - share) / n + z² / 4n², for n places.
                half = np.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
            limits = np.clip([middle - half, middle + half], 0, 1)
            rows.append((kind, cause, int(found), int(total), share, *limits))
    columns = ["kind", "cause", "found", "with_waste", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


@needs("What a regular truck can take", *COUNTED, f"{_STORE}.bulky")
def truck_reach(data: Tables, confidence: float) -> pd.DataFrame:
    """Return how much of the nuisance is bulky, and at how much a container was recorded full.

    Returns
    -------
    pandas.DataFrame
        part, found and with_waste (inspections), share, low, high. Rows: "bulky, beyond a regular
        truck" and, where it is recorded, "container recorded full".
    """
    shares = cause_shares(data, confidence)
    parts = {"bulky": "bulky, beyond a regular truck", "full": "container recorded full"}
    own = shares[(shares["kind"] == "all places") & shares["cause"].isin(list(parts))]
    own = own.assign(cause=own["cause"].map(parts)).rename(columns={"cause": "part"})
    return own.drop(columns="kind").reset_index(drop=True)


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
    counts = table[causes].fillna(0).to_numpy(float).reshape(len(table), len(causes))
    waste = table["with_waste"].fillna(0).to_numpy(float)
    # More findings of a cause than of waste: a few places in real data.
    counts = np.minimum(counts, waste[:, None])
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
