"""Wisdom: what the audit comes to, who is harmed how often, and the safest next step."""

import numpy as np
import pandas as pd

from datamall.fairness import verdict
from datamall.fraud.audit.display import whose
from datamall.fraud.audit.errors import WRONGLY_VISITED
from datamall.fraud.audit.judge import Plan, every_step, judged, overall
from datamall.fraud.audit.knowledge import WORDS, by_check
from datamall.fraud.audit.sources import latest
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
def conclusions(table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return the conclusion on each check that gates, and the safest next step.

    Parameters
    ----------
    table
        As from `judge.gate`.
    plan
        The plan.

    Returns
    -------
    pandas.DataFrame
        check, verdict, groups (that fail, or have no conclusion), next_step, decided_by (a
        proposal). A check that gates and could not be made is there as not enough evidence.
    """
    rows = []
    for check in plan.gating:
        own = table[table["check"].eq(check)]
        said = verdict.overall(own["verdict"]) if len(own) else verdict.NOT_ENOUGH
        own = own[own["verdict"].eq(said) & (said != verdict.PASS)]
        # Whoever is treated more often, before who is so more rarely.
        own = own.assign(fewer=own["ratio"].fillna(0) < 1).sort_values("fewer", kind="stable")
        words = [w + " (less often)" * f for w, f in zip(whose(own), own["fewer"], strict=True)]
        groups = ", ".join(words) if len(own) else "none" if said == verdict.PASS else "all"
        step, role = STEPS.get(check, OTHERWISE) if said == verdict.FAIL else UNDECIDED[said]
        rows.append((check, WORDS[said], groups, step, role))
    return pd.DataFrame(rows, columns=["check", "verdict", "groups", "next_step", "decided_by"])


@passes_absent
def harm(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame | Absent:
    """Return how many people were visited with nothing found, and how many of them too many.

    Returns
    -------
    pandas.DataFrame
        people; visited_for_nothing; as_the_others (how many, had they been visited as often as
        everybody else of those who did nothing wrong); too_many with low and high, to 5 people.
    """
    last = latest(counts)
    last = last[last["attribute"].isin(plan.groups)]
    pairs = every_step(last, plan, [WRONGLY_VISITED]) if len(last) else last
    if not len(pairs):
        reason = "Not possible here: it needs visits and a random draw of the same year."
        return Absent("Who is harmed how often", reason)
    table = judged(pairs, plan)
    table = table[table["ratio"].notna() & table["successes"].notna()]
    ends = {"too_many": "ratio", "low": "low", "high": "high"}
    result = pd.DataFrame(
        {"people": whose(table), "visited_for_nothing": _fives(table["successes"])}
    )
    result["as_the_others"] = _fives(table["successes"] / table["ratio"]).to_numpy()
    for name, column in ends.items():
        # So many times as often as others: all but 1 / ratio of them come on top.
        extra = table["successes"] * (1 - 1 / table[column].clip(lower=1e-9))
        result[name] = _fives(extra).to_numpy()
    shown = result[(result["too_many"] > 0).to_numpy()]
    return shown.sort_values("too_many", ascending=False, kind="stable").reset_index(drop=True)


def _fives(people: pd.Series) -> pd.Series:
    number = (5 * (people / 5).round()).replace([np.inf, -np.inf], np.nan)
    return number.where(number.abs() < 1e7).astype("Int64").reset_index(drop=True)


@passes_absent
def decision_records(table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return one record per decision, to be completed by who decides.

    Returns
    -------
    pandas.DataFrame
        part, recommended, because, and the empty columns decided, decided_by_role, why_different
        and what_came_of_it.
    """
    said, sentences = overall(table, plan), by_check(table).set_index("check")
    deploy = "Do not deploy" if said != verdict.PASS else "May be put to the committee"
    failing = sentences.index[sentences["verdict"].eq(WORDS[said])]
    because = " ".join(sentences.loc[c, "sentence"] for c in failing[:2])
    rows = [("The selection as it is", deploy, because)]
    done = conclusions(table, plan)
    steps = done[done["verdict"].eq(WORDS[verdict.FAIL])].drop_duplicates("next_step")
    rows += [(row.check, row.next_step, f"it fails for {row.groups}") for row in steps.itertuples()]
    rows.append(
        (
            "random draw",
            "Keep drawing people at random, more of them, and do not tell who visits why",
            "without it nobody can say who is visited without cause",
        )
    )
    result = pd.DataFrame(rows, columns=["part", "recommended", "because"])
    return result.assign(decided="", decided_by_role="", why_different="", what_came_of_it="")
