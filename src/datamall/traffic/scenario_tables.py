"""What scenarios do, side by side: by junction and peak, summed up, and by approach."""

from typing import Any

import numpy as np
import pandas as pd

from datamall.requirements import Absent, passes_absent
from datamall.traffic import weekly
from datamall.traffic.capacity import NOT_ENOUGH
from datamall.traffic.plans import KINDS
from datamall.traffic.scenarios import BAN, NOTHING, SCENARIOS, Compared

SAVES, COSTS, LITTLE, NOT_RECKONED = (
    "saves time",
    "costs time",
    "changes little",
    "not reckoned",
)
_COUNTED = {"saves": SAVES, "costs": COSTS}
_KEYS = ["site", "name", "peak", "scenario"]


@passes_absent
def options(compared: Compared, confidence: float, worth: float) -> pd.DataFrame:
    """Return what each scenario does at each junction and peak.

    Parameters
    ----------
    compared
        As from `compare`.
    confidence
        Probability with which the intervals of all rows hold together.
    worth
        Person-hours in a peak from which on a difference matters.

    Returns
    -------
    pandas.DataFrame
        site, name, peak, scenario, verdict, gain (person-hours saved in one peak) with low and
        high, motor, bike and pedestrian (parts of it; motor are people in cars, buses and heavy
        vehicles), all_gone and all_round (the gain, should all whom a ban stops stay away, or go
        round), what (is done), cycle (s), days, unknown (lane groups whose demand is or may be cut
        off) and reason (why it is not reckoned).

    Notes
    -----
    Verdicts: saves time, costs time, changes little (the whole interval within `worth` of nought),
    not enough evidence, not reckoned. Of a ban the verdict must hold both ways, whether all stay
    away or all go round. Where demand is or may be cut off no verdict is given: what would then be
    served is not known.
    """
    rows, week = compared.rows, compared.week
    total = compared.gain.sum(axis=1)
    ends = total + compared.detour * (1 - compared.gone), total - compared.detour * compared.gone
    real = (rows["scenario"] != NOTHING).to_numpy()
    together = int((~np.isnan(total)).any(axis=1)[real].sum())
    found, best, worst = (
        weekly.means(values, week, confidence, together) for values in (total, *ends)
    )
    unknown = rows["cut"].where(rows["doubt"] == "", rows["cut"] + ", " + rows["doubt"])
    table = rows[_KEYS].assign(
        gain=found.mean,
        low=found.low,
        high=found.high,
        all_gone=np.where(rows["scenario"] == BAN, best.mean, np.nan),
        all_round=np.where(rows["scenario"] == BAN, worst.mean, np.nan),
        what=rows["what"],
        cycle=rows["cycle"],
        days=found.days,
        unknown=unknown.str.strip(", "),
        reason=rows["refused"],
    )
    for number, kind in enumerate(KINDS):
        own = np.where(np.isnan(total), np.nan, compared.gain[:, number])
        table[kind] = weekly.row_means(own)
    steps = [
        table["reason"] != "",
        table["unknown"] != "",
        worst.low > worth,
        best.high < -worth,
        (worst.low > -worth) & (best.high < worth),
    ]
    words = [NOT_RECKONED, NOT_ENOUGH, SAVES, COSTS, LITTLE]
    table["verdict"] = np.where(real, np.select(steps, words, NOT_ENOUGH), "")
    order = [*_KEYS, "verdict", "gain", "low", "high", *KINDS, "all_gone", "all_round", "what"]
    place = table["scenario"].map(SCENARIOS.index)
    table = table.assign(place=place).sort_values(["site", "peak", "place"], ignore_index=True)
    return table[[*order, "cycle", "days", "unknown", "reason"]]


@passes_absent
def totals(compared: Compared, table: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return each scenario done wherever it can be reckoned, with nothing done elsewhere.

    Parameters
    ----------
    compared, table
        As from `compare` and `options`.
    confidence
        Probability with which the intervals of all rows hold together.

    Returns
    -------
    pandas.DataFrame
        scenario, gain (person-hours saved in both peaks of a working day) with low and high, motor,
        bike, pedestrian (parts of it), known (the part of it where demand is known), all_gone and
        all_round (of a ban, as in `options`), lost (person-hours that stay lost), done (junctions
        and peaks), unknown (of these, with demand that is or may be cut off), saves and costs (of
        these, by verdict), not_reckoned and price. In the order of `SCENARIOS`.

    Notes
    -----
    Linearised sum of the means of all rows, with weeks as clusters: a day on which a junction was
    not counted says nothing of it, and nothing of the others.
    """
    result = []
    total, size = compared.gain.sum(axis=1), len(compared.week)
    nothing = (compared.rows["scenario"] == NOTHING).to_numpy()
    now = np.nansum(weekly.row_means(compared.lost[nothing]))
    for name in SCENARIOS:
        values = total[(compared.rows["scenario"] == name).to_numpy()]
        known = ~np.isnan(values)
        share = known.sum(axis=1, keepdims=True) / size
        mean = np.nan_to_num(weekly.row_means(values))[:, None]
        off = np.where(known, values - mean, 0) / np.where(share > 0, share, 1)
        every = (off + mean).sum(axis=0, keepdims=True)
        found = weekly.means(every, compared.week, confidence, len(SCENARIOS) - 1)
        own = table[table["scenario"] == name]
        done, unknown = own["gain"].notna(), own["unknown"] != ""
        row: dict[str, Any] = {"scenario": name, "gain": found.mean[0]}
        row |= {"low": found.low[0], "high": found.high[0]} | own[[*KINDS]].sum().to_dict()
        row["known"] = own.loc[~unknown, "gain"].sum()
        row |= own[["all_gone", "all_round"]].sum(min_count=1).to_dict()
        row |= {"lost": now - found.mean[0], "done": int(done.sum())}
        row["unknown"] = int((unknown & done).sum())
        row |= {key: int((own["verdict"] == said).sum()) for key, said in _COUNTED.items()}
        row["not_reckoned"] = int((~done).sum())
        result.append(row | {"price": "none" if name == NOTHING else "not delivered"})
    return pd.DataFrame(result)


@passes_absent
def legs(compared: Compared, confidence: float) -> pd.DataFrame | Absent:
    """Return who gains and who loses, by approach, in the scenario that was asked for.

    Parameters
    ----------
    compared
        As from `compare`.
    confidence
        Probability with which the intervals of all rows hold together.

    Returns
    -------
    pandas.DataFrame
        site, name, peak, approach, gain (person-hours saved in one peak) with low and high, motor,
        bike, pedestrian (parts of it) and days; the largest loss first. An Absent where nothing is
        changed or reckoned.
    """
    scenario = compared.legs["scenario"].iloc[0]
    total = compared.leg_gain.sum(axis=1)
    known = (~np.isnan(total)).any(axis=1)
    if scenario == NOTHING or not known.any():
        why = "nothing is changed" if scenario == NOTHING else "it can be reckoned nowhere"
        return Absent(f"Who gains and who loses: {scenario}", f"Nobody is compared here: {why}.")
    found = weekly.means(total, compared.week, confidence, int(known.sum()))
    table = compared.legs.drop(columns="scenario")
    table = table.assign(gain=found.mean, low=found.low, high=found.high)
    for number, kind in enumerate(KINDS):
        own = np.where(np.isnan(total), np.nan, compared.leg_gain[:, number])
        table[kind] = weekly.row_means(own)
    table = table.assign(days=found.days, order=table["gain"].round(9))[known]
    order = ["order", "site", "approach", "peak"]
    return table.sort_values(order, ignore_index=True).drop(columns="order")
