"""Wisdom: what the audit comes to, who is harmed how often, and the safest next step."""

import numpy as np
import pandas as pd

from datamall.fairness import Audit, steps, verdict
from datamall.fairness.counting import NO, YES
from datamall.fairness.published import middle
from datamall.fraud.audit.display import check_of, comparisons, whose
from datamall.fraud.audit.knowledge import WORDS, WRONGLY_VISITED, by_check
from datamall.requirements import Absent, passes_absent

# Safest first step where a check fails, and what it asks of whom.
STEPS = {
    "flagged": (
        "Stop flagging with this profile; go on with the random draw and with help first",
        "the alderman, on the advice of the ethics committee",
    ),
    "picked": (
        "Stop choosing people for visits by profile and caseworker; go on with the random draw",
        "the alderman, on the advice of the ethics committee",
    ),
    "chosen": (
        "Let a draw, not a person, choose among the flagged; hide name, language and address",
        "the head of social affairs",
    ),
    "visited": (
        "Invite by phone and in plain language, with a second appointment, before a visit counts",
        "the head of social affairs",
    ),
    "reported": (
        "Weigh a signal by its facts alone; a second person decides who does not know whom",
        "the head of social affairs",
    ),
    "found": (
        "Let a second investigator read findings who does not know whom they are about",
        "the head of the investigation desk",
    ),
    "harsher": (
        "Let a second investigator read findings who does not know whom they are about",
        "the head of the investigation desk",
    ),
    WRONGLY_VISITED: (
        "Send no visits from this selection; tell the people visited without cause, and apologise",
        "the alderman",
    ),
}
OTHERWISE = ("Find out why, before anything of it is used", "the head of social affairs")
UNDECIDED = {
    verdict.NOT_ENOUGH: (
        "Do not deploy: enlarge the random draw, and audit again on people nobody has audited",
        "the ethics committee",
    ),
    verdict.PASS: (
        "None from this check: every group lies within the tolerance",
        "nobody",
    ),
}


@passes_absent
def conclusions(result: Audit) -> pd.DataFrame:
    """Return the conclusion on each check that gates, and the safest next step.

    Parameters
    ----------
    result
        As from `knowledge.judged`.

    Returns
    -------
    pandas.DataFrame
        check, verdict, groups (that fail, or have no conclusion), next_step, decided_by (a
        proposal). A check that gates and could not be made is there as not enough evidence.
    """
    rows, table = [], comparisons(result, True)
    verdicts = result.checks.set_index("check")["verdict"]
    for check in (check.name for check in result.plan.checks if check.gating):
        own, said = table[table["check"].eq(check)], verdicts[check]
        own = own[own["verdict"].eq(said) & (said != verdict.PASS)]
        # Whoever is treated more often, before who is so more rarely.
        own = own.assign(fewer=own["ratio"].fillna(0) < 1).sort_values("fewer", kind="stable")
        words = [w + " (less often)" * f for w, f in zip(whose(own), own["fewer"], strict=True)]
        groups = ", ".join(words) if len(own) else "none" if said == verdict.PASS else "all"
        step, role = STEPS.get(check, OTHERWISE) if said == verdict.FAIL else UNDECIDED[said]
        rows.append((check, WORDS[said], groups, step, role))
    return pd.DataFrame(rows, columns=["check", "verdict", "groups", "next_step", "decided_by"])


@passes_absent
def harm(result: Audit) -> pd.DataFrame | Absent:
    """Return how many people were visited with nothing found, and how many of them too many.

    Returns
    -------
    pandas.DataFrame
        people; visited_for_nothing; as_the_others (how many, had they been visited as often as
        everybody else of those who did nothing wrong); too_many with low and high, to 5 people.
    """
    table = comparisons(result)
    table = table[table["check"].eq(WRONGLY_VISITED) & table["ratio"].notna()]
    if not len(table):
        reason = "Not possible here: it needs visits and a random draw of the same year."
        return Absent("Who is harmed how often", reason)
    table = table.merge(_visited_for_nothing(result), on=["study", "attribute", "group"])
    table = table[table["successes"].notna()].reset_index(drop=True)
    ends = {"too_many": "ratio", "low": "low", "high": "high"}
    shown = pd.DataFrame(
        {"people": whose(table), "visited_for_nothing": _fives(table["successes"])}
    )
    shown["as_the_others"] = _fives(table["successes"] / table["ratio"]).to_numpy()
    for name, column in ends.items():
        # So many times as often as others: all but 1 / ratio of them come on top.
        extra = table["successes"] * (1 - 1 / table[column].clip(lower=1e-9))
        shown[name] = _fives(extra).to_numpy()
    shown = shown[(shown["too_many"] > 0).to_numpy()]
    return shown.sort_values("too_many", ascending=False, kind="stable").reset_index(drop=True)


def _visited_for_nothing(result: Audit) -> pd.DataFrame:
    """Return study, attribute, group and successes: people visited with nothing found."""
    check, plan, parts = check_of(result, WRONGLY_VISITED), result.plan, []
    if not isinstance(result.counts, steps.Selection):
        return pd.DataFrame(columns=["study", "attribute", "group", "successes"])
    for study in result.counts.studies(plan.groups):
        for label, meaning in study.labels(plan)[:1]:
            found = steps.counts(study, plan, check, label, meaning)
            if found is None:
                continue
            here = (slice(-1), -1, YES, NO)
            people = middle(found.low[here], found.high[here], found.printed[here])
            own = {"study": study.name, "attribute": study.attribute, "group": study.groups}
            parts.append(pd.DataFrame(own | {"successes": people}))
    return pd.concat(parts, ignore_index=True)


def _fives(people: pd.Series) -> pd.Series:
    number = (5 * (people / 5).round()).replace([np.inf, -np.inf], np.nan)
    return number.where(number.abs() < 1e7).astype("Int64").reset_index(drop=True)


@passes_absent
def decision_records(result: Audit) -> pd.DataFrame:
    """Return one record per decision that people have to take (`datamall decide`).

    Returns
    -------
    pandas.DataFrame
        part, recommended, because.
    """
    said = result.verdict.overall
    sentences = by_check(result, True).set_index("check")
    deploy = "Do not deploy" if said != verdict.PASS else "May be put to the committee"
    failing = sentences.index[sentences["verdict"].eq(WORDS[said])]
    because = " ".join(sentences.loc[c, "sentence"] for c in failing[:2])
    rows = [("The selection as it is", deploy, because)]
    done = conclusions(result)
    steps = done[done["verdict"].eq(WORDS[verdict.FAIL])].drop_duplicates("next_step")
    rows += [(row.check, row.next_step, f"it fails for {row.groups}") for row in steps.itertuples()]
    rows.append(
        (
            "random draw",
            "Keep drawing people at random, more of them, and do not tell who visits why",
            "without it nobody can say who is visited without cause",
        )
    )
    return pd.DataFrame(rows, columns=["part", "recommended", "because"])
