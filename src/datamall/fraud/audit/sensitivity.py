"""Further knowledge: crossed groups, another capacity, earlier years, and what cannot be known."""

from dataclasses import replace

import numpy as np
import pandas as pd

from datamall.fairness import Audit, Cells, sweeps
from datamall.fairness.plan import Plan
from datamall.fraud import disclosure
from datamall.fraud.audit.display import THOUSAND, comparisons, printable, whose
from datamall.fraud.audit.knowledge import RANK, judged, times
from datamall.fraud.audit.sources import CROSSED, INVESTIGATIONS, Tables, earlier, latest
from datamall.requirements import Absent, needs, passes_absent


@passes_absent
def crossed(counts: pd.DataFrame, plan: Plan, check: str = "flagged") -> pd.DataFrame:
    """Return the crossed groups that a look at one attribute at a time would miss.

    Returns
    -------
    pandas.DataFrame
        people, number, of_1000, others_of_1000, ratio with low and high, verdict; all crossed
        groups at once, those outside the tolerance first, then by how sure it is.
    """
    last = latest(counts)
    both = last[last["attribute"].str.contains(CROSSED, regex=False)]
    both = pd.concat([both, last[last["attribute"].eq("origin and sex")]])
    groups = tuple(both["attribute"].unique())
    checks = tuple(replace(c, groups=groups) for c in plan.checks if c.name == check)
    result = judged(both, replace(plan, groups=groups, checks=checks)) if groups else None
    if result is None or isinstance(result, Absent):
        return Absent("Where groups cross", "Not possible here: nobody counted crossed groups.")
    table = comparisons(result)
    rank = table["verdict"].map(RANK)
    far = np.maximum(np.log(table["low"].clip(1e-9)), -np.log(table["high"].clip(upper=1e9)))
    order = table.assign(rank=rank, far=-far).sort_values(["rank", "far"], kind="stable")
    columns = ["people", "number", "of_1000", "others_of_1000", "ratio", "low", "high", "verdict"]
    return printable(order)[columns].reset_index(drop=True)


@passes_absent
def years(counts: pd.DataFrame, result: Audit) -> pd.DataFrame | Absent:
    """Return how the gaps have moved since earlier years.

    Returns
    -------
    pandas.DataFrame
        people, check that gates, and per year the ratio to everybody else in words, with an
        interval that holds for all gaps of the check in that year. Many people are in both years,
        so that the years are not independent of each other.
    """
    gating = tuple(check for check in result.plan.checks if check.gating)
    plan, parts = replace(result.plan, checks=gating), [comparisons(result, True)]
    for _, own in earlier(counts).groupby("study", sort=True):
        before = judged(own, plan)
        parts += [] if isinstance(before, Absent) else [comparisons(before, True)]
    if len(parts) == 1:
        return Absent("Earlier years", "Not possible here: there are counts of one year only.")
    shown = pd.concat([printable(part) for part in parts], ignore_index=True)
    shown["said"] = [times(row) for _, row in shown.iterrows()]
    shown["year"] = shown["study"].str.rsplit(" ", n=1).str[-1]
    shown["people"] = shown["people"].str.replace(r" \([^)]*\)$", "", regex=True)
    shown["rank"] = shown["attribute"].map({name: i for i, name in enumerate(plan.groups)})
    keys = ["rank", "people", "check"]
    wide = shown.pivot_table(index=keys, columns="year", values="said", aggfunc="first")
    wide = wide.fillna("not counted").reset_index().drop(columns="rank").rename_axis(columns=None)
    return wide.reset_index(drop=True)


@needs(
    "More or fewer flags",
    *(f"{INVESTIGATIONS}.{name}" for name in ("year", "score_band", "flagged", "people")),
)
def capacities(data: Tables, plan: Plan) -> pd.DataFrame | Absent:
    """Return whether the gaps hang on how many people are flagged.

    Returns
    -------
    pandas.DataFrame
        people, and of 1,000 those who would be flagged by the same score, if about a fifth fewer,
        as many as now, or a fifth more were flagged. Bands of the score are not split, so that
        each column says how many people of all would be.
    """
    files = data[INVESTIGATIONS]
    known = [name for name in plan.groups if name in files]
    if not known:
        return Absent(
            "More or fewer flags", "Not possible here: no group of the plan is delivered."
        )
    last = files[files["year"].eq(files["year"].max())]
    cells = Cells.from_frame(last, known, "flagged", score_band="score_band", count="people")
    parts = []
    for name in known:
        table = sweeps.capacities(cells, [name], ["selection_rate"], (0.8, 1.0, 1.2))
        chosen = (table["n"] * table["selection_rate"]).round()
        share = disclosure.counts(chosen) / disclosure.counts(table["n"])
        table = table.assign(study="", attribute=name, group=table[name], share=THOUSAND * share)
        parts.append(table.assign(people=whose(table)))
    table = pd.concat(parts, ignore_index=True).astype({"share": float})
    wide = table.pivot_table(
        index=["attribute", "people"], columns="capacity", values="share", dropna=False
    )
    numbers = disclosure.counts(table.groupby("capacity")["selected"].first())
    wide.columns = [f"if {number:,} are" for number in numbers]
    return wide.round().dropna().reset_index().drop(columns="attribute")


@passes_absent
def unknowable(counts: pd.DataFrame) -> pd.DataFrame:
    """Return what no number of these counts could tell.

    Returns
    -------
    pandas.DataFrame
        question, why_not, what_would_help.
    """
    drawn = latest(counts)["arm"].eq("random").any()
    rows = [
        (
            "Why a group is flagged more often",
            "counts show that it is so, not which fact of a file makes it so",
            "the inputs, each with its reason; a trial without the doubtful ones",
        ),
        (
            "Whether investigators record more in one group at the same facts",
            "a mistake is what an investigator wrote down; nobody wrote it down twice",
            "a second reader who does not know whom a file is about",
        ),
        (
            "Whether one person was treated unfairly",
            "an average of a group can hide a wrong and cannot prove one",
            "an objection; it is free, and decided on the person's own file",
        ),
        (
            "Who belongs to no group that anybody counts",
            "disability, belief or orientation are not counted, and mostly may not be",
            "asking the people concerned and their organisations",
        ),
    ]
    if not drawn:
        rows.append(
            (
                "How many people are burdened who did nothing wrong",
                "nobody was drawn at random, so that only who was chosen is known",
                "a random draw, some hundreds of people a year",
            )
        )
    return pd.DataFrame(rows, columns=["question", "why_not", "what_would_help"])
