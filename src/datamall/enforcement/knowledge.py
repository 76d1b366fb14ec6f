"""Knowledge: what the counts say once it is weighed how often, and by whom, was looked."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import ndtri

from datamall.enforcement import pooling
from datamall.enforcement.information import COUNTED, Tables, places
from datamall.enforcement.sums import COUNTS, INSPECTIONS, Sums, sums
from datamall.errors import DatamallError
from datamall.requirements import Absent, needs, passes_absent

_ROLE = "enforcement.inspections.observer_role"
_PERIOD = "enforcement.inspections.period_start"


def check_level(name: str, level: float) -> None:
    """Refuse a probability outside 0 to 1."""
    if not 0 < level < 1:
        raise DatamallError(f"{name} is {level}: set it between 0 and 1 in params.yaml.")


@needs("Habits of observers", *COUNTED, varying=(_ROLE,))
def observer_habits(data: Tables, confidence: float) -> pd.DataFrame:
    """Compare roles that looked at the same place in the same month.

    Returns
    -------
    pandas.DataFrame
        One row per role other than the most active (the reference): role, reference, pairs (places
        × months seen by both), inspections, reference_inspections (within pairs), odds_ratio, low,
        high.

    Notes
    -----
    Common odds ratio of Mantel and Haenszel with the variance of Robins, Breslow and Greenland
    (1986, Biometrics 42:311). It joins habit and timing: an officer who is sent when it is dirtier
    shows the same odds ratio as one who records more. Only two observers at the same visit would
    tell them apart. Months, not days or weeks: within days both see the same pile, and its ratio is
    that of what one overlooks, not that of how often each finds something.
    """
    check_level("confidence", confidence)
    found = sums(data[INSPECTIONS])
    looks = found.visits.groupby("role")["inspections"].sum()
    most, *others = looks.sort_values(ascending=False, kind="stable").index
    width, rows = ndtri((1 + confidence) / 2), []
    for role in others:
        own = found.pairs[found.pairs["first"].eq(min(role, most))]
        own = own[own["other"].eq(max(role, most))]
        ends = ("first", "other") if role < most else ("other", "first")
        (n1, a), (n0, c) = (
            [own[f"{end}_{name}"].to_numpy(float) for name in COUNTS] for end in ends
        )
        b, d, total, times = n1 - a, n0 - c, n1 + n0, own["times"].to_numpy(float)
        r, s, p, q = a * d / total, b * c / total, (a + d) / total, (b + c) / total
        known = min(times @ r, times @ s) > 0
        ratio = times @ r / (times @ s) if known else np.nan
        variance = (
            times @ (p * r) / (2 * (times @ r) ** 2)
            + times @ (p * s + q * r) / (2 * (times @ r) * (times @ s))
            + times @ (q * s) / (2 * (times @ s) ** 2)
            if known
            else np.nan
        )
        factor = np.exp(width * np.sqrt(variance))
        counts = (int(times.sum()), int(times @ n1), int(times @ n0))
        names = found.roles[role], found.roles[most]
        rows.append((*names, *counts, ratio, ratio / factor, ratio * factor))
    counted = ["pairs", "inspections", "reference_inspections"]
    return pd.DataFrame(rows, columns=["role", "reference", *counted, "odds_ratio", "low", "high"])


@passes_absent
def between_places(table: pd.DataFrame, minimum: int) -> pd.DataFrame:
    """Return how much more places differ than chance alone would make them.

    Parameters
    ----------
    table
        As from `information.places`.
    minimum
        Least number of inspections of a place that takes part.

    Returns
    -------
    pandas.DataFrame
        kind, places, inspections, dispersion (Pearson's chi-squared per degree of freedom against
        one rate for all places of the kind; 1 means chance alone).
    """
    rows = []
    for kind, own in table[table["inspections"] >= minimum].groupby("kind"):
        counts = own["with_waste"].to_numpy(), own["inspections"].to_numpy()
        dispersion, _ = pooling.likeness(*counts, np.zeros(len(own), dtype=int))
        rows.append((kind, len(own), int(counts[1].sum()), dispersion))
    return pd.DataFrame(rows, columns=["kind", "places", "inspections", "dispersion"])


@needs("Do quarters differ within a place?", *COUNTED, varying=(_PERIOD,))
def within_places(data: Tables) -> pd.DataFrame:
    """Return how much the quarters of one place differ beyond chance, and what that costs.

    Returns
    -------
    pandas.DataFrame
        One row: cells (place × role × quarter), inspections, dispersion (Pearson's, around the own
        rate of a place and role), likeness (correlation of two inspections of a place in the same
        quarter), effective_inspections (independent inspections that would tell as much).

    Notes
    -----
    Quarters, not weeks: what makes one week dirtier lasts into the next, and blocks that are too
    short to hold such a spell take its weeks for independent.
    """
    found = sums(data[INSPECTIONS])
    table = found.visits
    counts = table["with_waste"].to_numpy(), table["inspections"].to_numpy()
    group = table["place"].to_numpy(int) * len(found.roles) + table["role"].to_numpy()
    dispersion, rho = pooling.likeness(*counts, np.unique(group, return_inverse=True)[1])
    effective = _effective(found, np.nan_to_num(rho)).sum()
    return pd.DataFrame(
        {
            "cells": [len(table)],
            "inspections": [int(counts[1].sum())],
            "dispersion": [dispersion],
            "likeness": [rho],
            "effective_inspections": [effective],
        }
    )


def _effective(found: Sums, rho: float) -> pd.Series:
    """Return effective inspections per place: n in a quarter count for n / (1 + (n - 1) rho)."""
    n = found.visits.groupby(["place", "quarter"])["inspections"].sum()
    return (n / (1 + (n - 1) * rho)).groupby("place").sum()


@needs("Dirty rates with exposure", *COUNTED)
def dirty_rates(data: Tables, confidence: float) -> pd.DataFrame:
    """Return the dirty rate of every place: its own counts, pulled towards its district.

    Parameters
    ----------
    data
        The extract.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        As `information.places`, with effective_inspections, rate (posterior mean: the share of
        inspections that would find waste if every place were seen by the same mix of roles), low,
        high, sd, and rank among the places of its kind (1 = dirtiest) with rank_low and rank_high.

    Notes
    -----
    Model in `pooling`; kinds have means of their own. Habits of roles come from `observer_habits`
    and count as known. Where quarters differ beyond chance (`within_places`) inspections count for
    less (quasi-likelihood); where there is one period that cannot be seen, and the intervals are
    too narrow if weeks differ.
    """
    found = pooled(data, confidence)
    result, mix = found.places, found.mix
    standard = pooling.standard_rate(found.offsets.to_numpy(), mix.to_numpy())
    for own, posterior in found.kinds:
        reckon = partial(_summary, standard, confidence, pooling.Field.of(posterior.blocks()))
        names = ["rate", "low", "high", "sd", "rank_low", "rank_high"]
        for name, values in zip(names, posterior.summary(reckon), strict=True):
            result.loc[own, name] = values
        # Rounded, so that equal counts tie and the order is that of the clusters.
        order = (-result.loc[own, "rate"]).round(10).rank(method="first")
        result.loc[own, "rank"] = order
    whole = ["rank", "rank_low", "rank_high"]
    columns = [name for name in result if name not in whole]
    return result[[*columns, *whole]].astype(dict.fromkeys(whole, int))


@dataclass(frozen=True)
class PooledPlaces:
    """Posterior of all places.

    Attributes
    ----------
    places
        As `information.places`, with effective_inspections.
    offsets, mix
        Habit (log-odds) and share of the inspections of each role, which is the index.
    kinds
        For each kind which places are of it, shape (places,), and their posterior.
    """

    places: pd.DataFrame
    offsets: pd.Series
    mix: pd.Series
    kinds: list[tuple[np.ndarray, pooling.Pooled]]


def pooled(data: Tables, confidence: float, groups: pd.Series | None = None) -> PooledPlaces:
    """Return the posterior on which `dirty_rates` rests.

    Parameters
    ----------
    data, confidence
        As for `dirty_rates`.
    groups
        Group towards whose mean a place is pulled, by cluster; None: its district.
    """
    check_level("confidence", confidence)
    found, result = sums(data[INSPECTIONS]), places(data)
    habits, quarters = observer_habits(data, confidence), within_places(data)
    offset = pd.Series(0.0, index=found.roles)
    if not isinstance(habits, Absent):
        offset.update(np.log(habits.set_index("role")["odds_ratio"]))
    rho = 0.0 if isinstance(quarters, Absent) else float(np.nan_to_num(quarters.loc[0, "likeness"]))
    cell = found.visits["place"].to_numpy(int) * len(offset) + found.visits["role"].to_numpy()
    n, y = (
        np.bincount(cell, found.visits[name], len(result) * len(offset)).reshape(-1, len(offset))
        for name in COUNTS
    )
    mix = pd.Series(n.sum(axis=0) / n.sum(), index=found.roles)
    result["effective_inspections"] = _effective(found, rho).to_numpy()
    # Where districts are not delivered, all places of a kind are one.
    districts = result.get("district", pd.Series("", index=result.index))
    districts = districts if groups is None else result["cluster"].map(groups)
    scale = (result["effective_inspections"] / result["inspections"]).to_numpy()[:, None]
    kinds = []
    for kind in sorted(result["kind"].unique()):
        own = (result["kind"] == kind).to_numpy()
        district = pd.factorize(districts[own], sort=True)[0]
        counts = y[own] * scale[own], n[own] * scale[own]
        kinds.append((own, pooling.pool(*counts, offset.to_numpy(), district)))
    return PooledPlaces(result, offset, mix, kinds)


def _summary(
    standard: np.ndarray, confidence: float, field: pooling.Field, weights: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Return rate, its interval and standard deviation, and the interval of the rank."""
    mean, tail = weights @ standard, (1 - confidence) / 2
    return (
        mean,
        *pooling.quantiles(weights, standard, tail, 1 - tail),
        np.sqrt(np.maximum(weights @ standard**2 - mean**2, 0)),
        *pooling.rank_interval(weights, confidence, field),
    )


@passes_absent
def leading(table: pd.DataFrame, column: str, number: int) -> pd.DataFrame:
    """Return the `number` rows with the highest values, highest first; ties go by cluster."""
    values = -table[column].to_numpy(float).round(10)
    rows = np.arange(len(values))
    if 0 < number < len(values):
        # Only what can be among them is put in order: names take longest to compare.
        worst = np.partition(values, number - 1)[number - 1]
        rows = rows[~(values > worst)]
    order = np.lexsort((table["cluster"].iloc[rows], values[rows]))
    return table.iloc[rows[order[:number]]]


@passes_absent
def two_lists(rates: pd.DataFrame, top: int, minimum: int) -> pd.DataFrame | Absent:
    """Return which places lead by count and which by rate, per kind of place.

    Parameters
    ----------
    rates
        As from `dirty_rates`.
    top
        Length of both lists; at most half of the places of a kind.
    minimum
        Least number of inspections of a place that takes part.

    Returns
    -------
    pandas.DataFrame
        cluster, kind, inspections, with_waste, rate, low, high, rank_low, rank_high, top (length of
        the lists of this kind), top_count and top_rate (bool). An Absent where no place has that
        many inspections.
    """
    use = rates[rates["inspections"] >= minimum]
    if use.empty:
        reason = f"no place has {minimum} inspections, see minimum_inspections in params.yaml"
        return Absent("List by count and list by rate", f"Not possible here: {reason}.")
    about = ["cluster", "kind", "inspections", "with_waste", "rate", "low", "high"]
    parts = []
    for _, own in use.groupby("kind"):
        number = min(top, len(own) // 2)
        part = own[[*about, "rank_low", "rank_high"]].assign(top=number)
        for name, column in (("top_count", "with_waste"), ("top_rate", "rate")):
            part[name] = part["cluster"].isin(leading(own, column, number)["cluster"])
        parts.append(part)
    return pd.concat(parts).sort_values("cluster", ignore_index=True)


@passes_absent
def agreement(lists: pd.DataFrame) -> pd.DataFrame:
    """Summarise how far the two lists agree.

    Parameters
    ----------
    lists
        As from `two_lists`.

    Returns
    -------
    pandas.DataFrame
        kind, places, top, shared, jaccard (shared places as a share of all on either list),
        spearman (rank correlation of counts and rates).
    """
    rows = []
    for kind, own in lists.groupby("kind"):
        shared = int((own["top_count"] & own["top_rate"]).sum())
        either = int((own["top_count"] | own["top_rate"]).sum())
        spearman = own["with_waste"].rank().corr(own["rate"].round(10).rank())
        row = (kind, len(own), int(own["top"].iloc[0]), shared, shared / max(either, 1), spearman)
        rows.append(row)
    return pd.DataFrame(rows, columns=["kind", "places", "top", "shared", "jaccard", "spearman"])
