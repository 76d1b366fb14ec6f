"""Are inspections where the need is, whatever kind of neighbourhood it is: an audit by groups.

Neighbourhoods are compared as groups by what they are like, and none is named or ranked.
"""

from typing import Any

import numpy as np
import pandas as pd

from datamall.enforcement.information import COUNTED, Tables
from datamall.errors import DatamallError
from datamall.fairness import Cells, audit
from datamall.requirements import Absent, needs, passes_absent

TITLE = "Inspections against need"
CONTAINERS, REPORTS = "enforcement.containers", "enforcement.reports"
FIFTHS = ("lowest fifth", "second fifth", "middle fifth", "fourth fifth", "highest fifth")
LEAST = 25  # neighbourhoods; with fewer no fifth has five
ENOUGH = "inspected as need calls for"
HEADINGS = {
    "by": "Neighbourhoods by",
    "detectable": "Smallest gap that could be found",
    "gap": "Gap",
    "group": "Group",
    "high": "To",
    "low": "From",
    "neighbourhoods": "Neighbourhoods",
    "other_share": "Of all others",
    "per_need": "Inspections per expected find",
    "share": "Inspected as need calls for",
    "verdict": "Verdict",
}


@needs(TITLE, *COUNTED, *(f"{CONTAINERS}.{name}" for name in ("cluster", "neighbourhood")))
@passes_absent
def by_neighbourhood(data: Tables, rates: pd.DataFrame) -> pd.DataFrame | Absent:
    """Return what each neighbourhood is like, needs and gets.

    Parameters
    ----------
    data, rates
        The extract, and `knowledge.dirty_rates` of it.

    Returns
    -------
    pandas.DataFrame
        neighbourhood, inspections, need (expected finds, were each place inspected once: the sum of
        pooled rates; of a place that nobody inspected the mean of its kind), enough (whether its
        part of all inspections is at least its part of all need), and the fifth of places, dump
        spots and, where reports are delivered with a place, reports per place. Absent with fewer
        than `LEAST` neighbourhoods.
    """
    register = data[CONTAINERS]
    kind = register.get("kind", "container")
    own = register[["cluster", "neighbourhood"]].assign(kind=kind).dropna()
    own = own.drop_duplicates("cluster").merge(
        rates[["cluster", "inspections", "rate"]], "left", "cluster"
    )
    usual = own.groupby("kind")["rate"].transform("mean").fillna(own["rate"].mean())
    own = own.assign(
        need=own["rate"].fillna(usual), inspections=own["inspections"].fillna(0), places=1
    )
    own["dump spots"] = (own["kind"] == "dump spot").astype(int)
    groups = ["places", "dump spots"]
    if {"cluster"} <= set(data.get(REPORTS, ())):
        own["reports"] = own["cluster"].map(data[REPORTS]["cluster"].value_counts()).fillna(0)
        groups.append("reports")
    table = own.groupby("neighbourhood")[["inspections", "need", *groups]].sum().reset_index()
    if len(table) < LEAST or not table["inspections"].sum() > 0:
        return Absent(TITLE, f"Not possible here: fewer than {LEAST} neighbourhoods are inspected.")
    part = table["inspections"] / table["inspections"].sum()
    enough = (part - table["need"] / table["need"].sum()).round(12) >= 0
    per_place = table[groups[1:]].div(table["places"], axis=0)
    levels = pd.concat([table["places"], per_place], axis=1)
    levels.columns = ["places", *(f"{name} per place" for name in groups[1:])]
    levels = levels.apply(_fifths, names=table["neighbourhood"])
    return table[["neighbourhood", "inspections", "need"]].assign(enough=enough).join(levels)


def _fifths(values: pd.Series, names: pd.Series) -> pd.Series:
    """Return the fifth of each value; ties by name."""
    order = np.lexsort((names.to_numpy(str), values.to_numpy(float).round(9)))
    turn = np.empty(len(order), dtype=int)
    turn[order] = np.arange(len(order))
    return pd.Series(np.array(FIFTHS)[turn * len(FIFTHS) // len(order)], values.index)


@passes_absent
def audited(table: pd.DataFrame, within: float, level: float) -> pd.DataFrame:
    """Audit whether groups of neighbourhoods are inspected as their need calls for.

    Parameters
    ----------
    table
        As from `by_neighbourhood`.
    within
        Difference between a group's share and that of all others that is tolerated.
    level
        1 - level: error of a wrong PASS, and of any wrong FAIL among all groups.

    Returns
    -------
    pandas.DataFrame
        by, group, neighbourhoods, share (of them inspected as need calls for), other_share (of all
        others), gap with low and high, detectable (smallest gap that could have been found; NaN
        where none could), per_need (inspections per expected find) and verdict: PASS, FAIL or NOT
        ENOUGH EVIDENCE.

    Notes
    -----
    The engine of every audit here (`datamall.fairness`): a FAIL holds for all comparisons at once
    (Holm), a PASS needs the gap to be inside the tolerance (TOST). A neighbourhood is one witness.
    """
    if not 0 < within < 1:
        raise DatamallError(f"need_within is {within}: set it between 0 and 1 in params.yaml.")
    groups = [name for name in table if name.startswith("places") or name.endswith("per place")]
    check: dict[str, Any] = {
        "name": ENOUGH,
        "metric": "selection_rate",
        "tolerance": {
            "kind": "difference", "low": -within, "high": within,
            "reason": "so much may come of chance in where officers happen to go",
        },
    }  # fmt: skip
    cells = Cells.from_frame(table, groups, decision="enough")
    found = audit(cells, {"groups": groups, "level": level, "checks": [check]}).comparisons
    sums = pd.concat(
        [
            table.groupby(by)[["inspections", "need"]].sum().rename_axis("group").assign(by=by)
            for by in groups
        ]
    ).reset_index()
    sums["per_need"] = sums["inspections"] / sums["need"]
    found = found.merge(sums[["by", "group", "per_need"]], on=["by", "group"])
    order = found["group"].map(FIFTHS.index)
    found = found.assign(order=order, turn=found["by"].map(groups.index))
    found = found.sort_values(["turn", "order"], ignore_index=True)
    return pd.DataFrame(
        {
            "by": found["by"],
            "group": found["group"],
            "neighbourhoods": found["trials"].astype(int),
            "share": found["rate"],
            "other_share": found["other_rate"],
            "gap": found["gap"],
            "low": found["all_low"],
            "high": found["all_high"],
            "detectable": found["detectable_high"],
            "per_need": found["per_need"],
            "verdict": found["verdict"],
        }
    )


def caption(table: pd.DataFrame | Absent) -> str:
    """Say how many groups have which verdict; `table` as from `audited`."""
    if isinstance(table, Absent):
        return table.reason
    counts = table["verdict"].value_counts()
    parts = [f"{counts[name]} {name}" for name in sorted(counts.index)]
    return f"Of {len(table)} groups of neighbourhoods: {', '.join(parts)}"
