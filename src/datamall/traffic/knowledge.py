"""Knowledge: what time people lose at junctions, and what part of it other timing would save."""

import numpy as np
import pandas as pd

from datamall.requirements import passes_absent
from datamall.traffic import weekly
from datamall.traffic.peaks import Peaks
from datamall.traffic.plans import KINDS, Plan
from datamall.traffic.weekly import Floats, Means

TOP = ["site", "name"]


@passes_absent
def lost_time(parts: tuple[Peaks, ...], plans: tuple[Plan, ...], confidence: float) -> pd.DataFrame:
    """Return the person-hours lost at each junction in the peaks of one working day.

    Parameters
    ----------
    parts, plans
        As from `peaks.peaks` and `plans.propose`.
    confidence
        Probability with which all intervals hold together.

    Returns
    -------
    pandas.DataFrame
        site, name, days, lost (person-hours a working day, both peaks) with low and high, motor
        (people in cars and buses), bike, pedestrian (parts of it), rank_low, rank_high and demand
        ("at least" where demand is cut off). The highest first.

    Notes
    -----
    HCM control delay of the plan of now for vehicles; for cyclists and pedestrians the rest of the
    red. Ranks follow from intervals that hold together.
    """
    total = [plan.lost.sum(axis=(0, 2)) for plan in plans]
    found = _joined(parts, total, confidence)
    table = pd.concat([_sites(plan) for plan in plans], ignore_index=True)
    table["days"] = found.days
    table["lost"], table["low"], table["high"] = found.mean, found.low.clip(min=0), found.high
    for number, kind in enumerate(KINDS):
        values = [_mean(plan.lost[number].sum(axis=1), total[i]) for i, plan in enumerate(plans)]
        table[kind] = np.concatenate(values)
    table["rank_low"], table["rank_high"] = weekly.ranks(found.low, found.high)
    cut = pd.concat([plan.table for plan in plans]).groupby("site")["cut"].agg(_any_text)
    table["demand"] = np.where(table["site"].map(cut), "at least: demand is cut off", "")
    return _first(table, "lost")


@passes_absent
def avoidable(parts: tuple[Peaks, ...], plans: tuple[Plan, ...], confidence: float) -> pd.DataFrame:
    """Return the part of the lost person-hours that first signal plans would save.

    Parameters
    ----------
    parts, plans, confidence
        As for `lost_time`.

    Returns
    -------
    pandas.DataFrame
        site, name, days (judged), lost (person-hours a working day in the peaks that have a plan),
        avoidable with low and high (negative: the plan would cost time), share (avoidable / lost),
        rank_low, rank_high and refused (peaks without a plan). Junctions with the most avoidable
        hours first; those without any plan last, with no number and no rank: what they could save
        is not known.

    Notes
    -----
    Only days that took no part in choosing the plans count.
    """
    now: list[Floats] = []
    gain: list[Floats] = []
    for plan in plans:
        given = np.asarray(~np.isnan(plan.lost_then).all(axis=(0, 3)))
        before, then = plan.lost.sum(axis=0), plan.lost_then.sum(axis=0)
        for values, out in ((before, now), (before - then, gain)):
            total = np.where(given[:, :, None], values, 0).sum(axis=1)
            total[~given.any(axis=1)] = np.nan
            out.append(np.where(plan.judged, total, np.nan))
    found = _joined(parts, gain, confidence)
    table = pd.concat([_sites(plan) for plan in plans], ignore_index=True)
    table["days"] = found.days
    table["lost"] = np.concatenate([_mean(n, g) for n, g in zip(now, gain, strict=True)])
    table["avoidable"], table["low"], table["high"] = found.mean, found.low, found.high
    table["share"] = table["avoidable"] / table["lost"]
    table["rank_low"], table["rank_high"] = weekly.ranks(found.low, found.high)
    refused = pd.concat([plan.table[plan.table["refused"] != ""] for plan in plans])
    names = refused.groupby("site")["peak"].agg(" and ".join)
    table["refused"] = [names.get(site, "") for site in table["site"]]
    return _first(table, "avoidable")


def _any_text(values: pd.Series) -> bool:
    return bool((values != "").any())


def _sites(plan: Plan) -> pd.DataFrame:
    """Return the junctions of a block, in the order of its arrays."""
    return plan.table.drop_duplicates("site")[TOP].reset_index(drop=True)


def _mean(values: Floats, where: Floats) -> Floats:
    """Return the means over the days on which `where` is known."""
    return weekly.row_means(np.where(np.isnan(where), np.nan, values))


def _joined(parts: tuple[Peaks, ...], values: list[Floats], confidence: float) -> Means:
    """Return the means of all blocks' rows, with intervals that hold together."""
    together = sum(int((~np.isnan(v)).any(axis=1).sum()) for v in values)
    pairs = zip(parts, values, strict=True)
    found = [weekly.means(v, own.week, confidence, together) for own, v in pairs]
    return Means(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _first(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the table with the highest values first; ties in order of site."""
    order = table.assign(order=-table[column].round(9)).sort_values(["order", "site"])
    return order.drop(columns="order").reset_index(drop=True)
