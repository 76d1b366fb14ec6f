"""Words: the answer of the audit, what is to be seen in its figures, and headings of tables."""

from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from datamall.fairness import Audit, verdict
from datamall.fairness.plan import Plan
from datamall.fraud.audit.display import comparisons, frequency, printable
from datamall.fraud.audit.knowledge import ORIGINS
from datamall.fraud.audit.sources import OWN
from datamall.requirements import Absent, passes_absent

Result: TypeAlias = Audit | Absent

HEADINGS = {
    "as_the_others": "If visited as often as others",
    "because": "Because",
    "chosen": "Chosen by a caseworker",
    "decided_by_role": "Decided by (role)",
    "decides": "Decides on the verdict",
    "detectable": "Smallest ratio that would have been found",
    "flagged": "Flagged by the profile",
    "high": "To",
    "if_equal": "Wrongly flagged, if the rest were equal",
    "label": "What counts as a mistake found",
    "low": "From",
    "mistakes": "With a mistake",
    "naive_of_1000": "Of 1,000 investigated (naive)",
    "naive_ratio": "Times as often (naive)",
    "next_step": "Safest next step",
    "norm": "Norm it serves",
    "number": "People counted",
    "of_1000": "Of 1,000",
    "others_of_1000": "Of 1,000 others",
    "people": "Group",
    "picked": "Chosen on the flags",
    "ratio": "Times as often as others",
    "rate": "What is compared",
    "reason": "Why so much",
    "recorded": "Result recorded",
    "sentence": "In people",
    "tolerated": "Times as often, tolerated",
    "visited": "Visited once chosen",
    "visited_for_nothing": "Visited, nothing found",
    "who": "Who takes the step",
    "wrongly visited": "Visited with nothing wrong",
}
_DOUBT = "That is no proof that people are treated alike."
_VERB = {
    "flagged": "flagged",
    "chosen": "chosen by a caseworker, once flagged,",
    "visited": "visited, once chosen,",
    "picked": "chosen for a visit",
}


def answer(result: Result) -> str:
    """Return the answer of the audit in a few sentences, with its uncertainty.

    Parameters
    ----------
    result
        As from `knowledge.judged`.
    """
    if isinstance(result, Absent):
        return f"Not enough evidence. {result.reason} {_DOUBT}"
    said, table = result.verdict.overall, comparisons(result, True)
    if said == verdict.PASS:
        most = max(check.tolerance.high or np.inf for check in result.plan.checks if check.gating)
        return (
            "No gap beyond the tolerance: in every check that gates, every group is treated as "
            f"everybody else to within {most:g} times. The committee decides, not this page."
        )
    if said == verdict.NOT_ENOUGH:
        open_ = int(table["verdict"].eq(said).sum())
        return (
            f"Do not deploy: there is not enough evidence. {open_} of {len(table)} comparisons "
            f"have no conclusion, though none is shown to be beyond its tolerance. {_DOUBT}"
        )
    failed = result.checks.loc[result.checks["verdict"].eq(verdict.FAIL), "check"]
    return f"Do not deploy. {_failures(table[table['check'].isin(failed)], result.plan)}"


def _failures(table: pd.DataFrame, plan: Plan) -> str:
    """Say which steps fail, by origin first, for the people to whom they happen more often."""
    shown = printable(table[table["verdict"].eq(verdict.FAIL)]).dropna(subset=["ratio"])
    more = shown[shown["ratio"] > 1]
    shown = more if len(more) else shown
    own = shown[shown["attribute"].isin(ORIGINS)]
    own = own if len(own) else shown
    own = own[own["people"].eq(own["people"].iloc[0])]
    first, *rest = (_said(row) for row in own.itertuples())
    where = str(own["study"].iloc[0]).replace(OWN + " ", "")
    people = own["people"].iloc[0].removesuffix(f" ({where})")
    text = f"In {where}, {people} are {first[0]} {first[1]} times as often as others"
    text += f" ({100 * plan.level:g} % interval {first[2]})"
    text += "".join(
        f", and {done} {ratio} times as often ({ends})" for done, ratio, ends in rest[:1]
    )
    others = sorted(set(shown["people"]) - set(own["people"]))
    return f"{text}." + (f" Beyond the tolerance, too: {', '.join(others)}." if others else "")


def _said(row: Any) -> tuple[str, str, str]:
    return _VERB.get(row.check, row.check), f"{row.ratio:.1f}", f"{row.low:.1f} to {row.high:.1f}"


def metrics(result: Result) -> dict[str, float]:
    """Return the numbers worth following from run to run, by name; `Absent` gives none."""
    numbers: dict[str, float] = {}
    if isinstance(result, Absent):
        return numbers
    for row in comparisons(result).itertuples():
        if row.attribute in ORIGINS and row.ratio == row.ratio and row.ratio < 1e6:
            year = str(row.study).rsplit(" ", 1)[0]
            name = f"{row.check}_{row.group}_{year}".replace(" ", "_").lower()
            numbers[f"ratio_{name}"] = float(row.ratio)
    gating = comparisons(result, True)
    for word, name in ((verdict.FAIL, "fail"), (verdict.PASS, "pass")):
        numbers[f"checks_{name}"] = float(gating["verdict"].eq(word).sum())
    return numbers | {"checks": float(len(gating))}


def overall(result: Result) -> str:
    """Return the verdict of the audit; without counts there is no evidence."""
    return verdict.NOT_ENOUGH if isinstance(result, Absent) else result.verdict.overall


@passes_absent
def describe_shares(table: pd.DataFrame, what: str) -> str:
    """Say how often something happens to each group; `table` as from `information.shares`."""
    parts = [
        f"{row.people}: {frequency(row.of_1000)} ({frequency(row.low)} to {frequency(row.high)})"
        for row in table.itertuples()
    ]
    return f"Of 1,000 people, how many {what}. {'; '.join(parts)}."


@passes_absent
def describe_gaps(table: pd.DataFrame) -> str:
    """Say how each origin compares at each step; `table` as from `knowledge.gaps`."""
    parts = [f"{r.label} {r.ratio:.1f} ({r.low:.1f} to {r.high:.1f})" for r in table.itertuples()]
    return f"Times as often as everybody else; 1 is equal. {'; '.join(parts)}."
