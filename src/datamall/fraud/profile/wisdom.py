"""Wisdom: the least intrusive help for each reason, and what to decide about the profile."""

import numpy as np
import pandas as pd

from datamall.fraud import disclosure
from datamall.fraud.profile.effectiveness import SHOWN
from datamall.fraud.profile.facts import CLIENTS, FACTS, has_reason
from datamall.fraud.profile.information import KNOWN, Tables, check_level
from datamall.requirements import Absent, needs

# What a measure asks of people, least first. A later step needs a person who decides it, and that
# the earlier ones were tried.
INTRUSION = (
    "nothing: the department checks its own records",
    "nothing: a letter informs",
    "an answer: help is offered",
    "a conversation",
    "a visit at home",
)
# The first step for each reason, how intrusive it is, the next step, and the fact that should
# become rarer among the people who get the first one: a year later everybody's records tell,
# without a visit. A proposal: the department knows what it has tried before.
MEASURES = pd.DataFrame(
    [
        (
            *("income_differences", "correct the amount from the payroll register, and write so"),
            *(0, "letter with the months that differ, and an example", "income_differences"),
        ),
        (
            *("income_months", "statement filled in beforehand from the payroll register", 0),
            *("letter that explains what happens when income varies", "income_differences"),
        ),
        (
            *("documents_missing", "get the document from a register instead of asking again", 0),
            *("help desk offers to fill it in together", "documents_missing"),
        ),
        (
            *("cost_sharers", "check whether the right standard was applied", 0),
            *("letter that explains when to report who lives there", "late_reports"),
        ),
        (
            *("months_since_review", "review from the own records, for everybody in turn", 0),
            *("letter that asks whether anything has changed", "late_reports"),
        ),
        (
            *("late_reports", "shorter form, and a reminder when a change is likely", 1),
            *("help desk calls and asks what makes it hard", "late_reports"),
        ),
        (
            *("repaid_before", "explain how income is set off, with the own figures", 1),
            *("help desk goes through one month together", "income_differences"),
        ),
        (
            *("vehicle_mismatch", "letter that explains what to state about vehicles", 1),
            *("help with the statement at the desk", "vehicle_mismatch"),
        ),
    ],
    columns=["column", "first_step", "intrusion", "next_step", "outcome"],
)
# A fall that is worth the effort, and the error and power with which a trial should show it.
_FALL, _Z_ERROR, _Z_POWER = 1 / 3, 1.959964, 0.841621


@needs("The least intrusive help", *KNOWN)
def measures(
    data: Tables, evidence: pd.DataFrame | Absent, confidence: float
) -> pd.DataFrame | Absent:
    """Propose for each reason the least intrusive measure, and how to see whether it works.

    Parameters
    ----------
    data
        The extract.
    evidence
        Which reasons go with mistakes found, as from `knowledge.by_reason`.
    confidence
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        reason, people (who have it in the last year), goes_together (with mistakes found; ``not
        known`` without a random draw), first_step, asks (what that asks of people),
        next_step (if it comes back); outcome (the fact that should become rarer), share (of those
        with the reason the year before, and still on benefit, who have the outcome in the last
        year) with low and high, and people_needed (in each half, to show a fall by a third). The
        least intrusive first, of these the reasons that go with mistakes, then those with most
        people expected to have the outcome. Reasons come from facts, not from a profile.

    Notes
    -----
    People needed: two shares compared at an error of 5 % (two-sided) with a power of 80 %
    (Fleiss, Levin and Paik 2003, chapter 4, without continuity correction).
    """
    check_level("confidence", confidence)
    clients = data[CLIENTS]
    last = clients["year"].max()
    now, before = (
        clients[clients["year"] == year].set_index("client") for year in (last, last - 1)
    )
    have = has_reason(now)
    if not len(have.columns):
        return Absent("The least intrusive help", "Not possible here: no fact that calls for help.")
    # Of the people still on benefit; who left it has no fact to come back.
    known = has_reason(before).reindex(now.index).eq(True)
    table = MEASURES[MEASURES["column"].isin(have.columns)].merge(FACTS, on="column")
    pairs = zip(table["outcome"], table["column"], strict=True)
    outcomes = [outcome if outcome in have else column for outcome, column in pairs]
    had, has = known[table["column"]].to_numpy(), have[outcomes].to_numpy()
    table["outcome"] = list(FACTS.set_index("column").loc[outcomes, "reason"])
    table["people"] = have[table["column"]].sum().to_numpy()
    table["again"], table["of"] = (had & has).sum(axis=0), had.sum(axis=0)
    table["people"] = disclosure.counts(table["people"])
    table = disclosure.shares(table, "again", "of", (1 - confidence) / 2)
    table["expected"] = -table["people"].astype("Float64") * table["share"]
    told = (
        {} if isinstance(evidence, Absent) else dict(evidence[["reason", "goes_together"]].values)
    )
    table["goes_together"] = [told.get(reason, "not known") for reason in table["reason"]]
    table["unshown"] = table["goes_together"] != "yes"
    order = ["intrusion", "unshown", "expected", "column"]
    table = table.sort_values(order, ignore_index=True)
    table["people_needed"] = _needed(table["share"])
    table["asks"] = [INTRUSION[step] for step in table["intrusion"]]
    columns = ["reason", "people", "goes_together", "first_step", "asks", "next_step"]
    return table[[*columns, "outcome", "share", "low", "high", "people_needed"]]


def _needed(share: pd.Series) -> pd.Series:
    """Return people in each half who show a fall by a third, rounded up to 10."""
    p = share.to_numpy(float)
    q = p * (1 - _FALL)
    mean = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        root = _Z_ERROR * np.sqrt(2 * mean * (1 - mean)) + _Z_POWER * np.sqrt(
            p * (1 - p) + q * (1 - q)
        )
        number = np.ceil((root / (p - q)) ** 2 / 10) * 10
    return pd.Series(number, share.index).where(p > 0).astype("Int64")


def ladder() -> pd.DataFrame:
    """Return the steps from the least to the most intrusive, and when each may be taken.

    Returns
    -------
    pandas.DataFrame
        step, asks, only_if.
    """
    rules = (
        "always first",
        "a fact calls for it",
        "the reason came back after a letter",
        "help was offered and the reason came back; a caseworker decides, and says why in writing",
        "a conversation left a question that only a visit can answer; two people decide",
    )
    steps = range(1, len(INTRUSION) + 1)
    return pd.DataFrame({"step": list(steps), "asks": INTRUSION, "only_if": rules})


def holds(lifts: pd.DataFrame) -> bool:
    """Return whether the profile beats a random draw under every definition; see `measured`."""
    return bool((lifts["verdict"] == SHOWN).all())


def decision_records(lifts: pd.DataFrame | Absent, helped: pd.DataFrame | Absent) -> pd.DataFrame:
    """Return one record per decision that people have to take (`datamall decide`).

    Parameters
    ----------
    lifts, helped
        As from `measured.lifts` and `measures`.

    Returns
    -------
    pandas.DataFrame
        part, recommended, because.
    """
    rows = [("Profile", *_about_profile(lifts))]
    if not isinstance(helped, Absent):
        first = helped.iloc[0]
        rows.append(
            (
                "Help first",
                f"Where {first['reason']}: {first['first_step']}",
                f"of all first steps it asks least of people ({first['asks']})",
            )
        )
        trial = "Half of the people, drawn at random, get the help first, the others a year later"
        rows.append(("Trial of the help", trial, "only so is seen whether it prevents mistakes"))
    keep = "Keep drawing people at random, and do not tell who visits why somebody is visited"
    rows.append(("Random draw", keep, _about_draw(lifts)))
    return pd.DataFrame(rows, columns=["part", "recommended", "because"])


def _about_profile(lifts: pd.DataFrame | Absent) -> tuple[str, str]:
    if isinstance(lifts, Absent):
        return "No profile", "there is none whose worth could be measured"
    if holds(lifts):
        return (
            "Put it to the committee with the bias audit; do not use it before both agree",
            "it beats a random draw under every definition of a mistake",
        )
    failed = lifts.loc[lifts["verdict"] != SHOWN, "label"].iloc[0]
    return "No profile", f"it is not shown to beat a random draw at finding: {failed}"


def _about_draw(lifts: pd.DataFrame | Absent) -> str:
    because = "without it nobody could say what a profile, or help, is worth"
    if isinstance(lifts, Absent) or lifts["draw_needed"].isna().all():
        return because
    row = lifts.loc[lifts["draw_needed"].idxmax()]
    return f"{because}; about {row['draw_needed']:,} people would settle “{row['label']}”"
