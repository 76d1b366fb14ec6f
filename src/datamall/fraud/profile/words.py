"""Words: the answer, what is to be seen in each figure, and the headings of tables."""

from typing import TypeAlias

import pandas as pd

from datamall.fraud.profile.effectiveness import SHOWN
from datamall.fraud.profile.proxies import OPEN, YES
from datamall.fraud.profile.wisdom import holds
from datamall.requirements import Absent, passes_absent

Result: TypeAlias = pd.DataFrame | Absent

# Headings of columns whose names do not say enough.
HEADINGS = {
    "arm": "Why looked at",
    "asks": "Asks of people",
    "band": "Third of people",
    "because": "Because",
    "beyond": "Stands for it?",
    "chance": "So far by chance",
    "chosen": "Chosen for a visit",
    "decided_by_role": "Decided by (role)",
    "draw_needed": "Random draw needed",
    "expected": "Chance expected",
    "for_nothing": "Visited for nothing",
    "found": "Mistake found",
    "goes_together": "Goes with mistakes found?",
    "high": "To",
    "label": "What counts as a mistake found",
    "low": "From",
    "nothing_high": "For nothing, to",
    "nothing_low": "For nothing, from",
    "one_more": "With …",
    "only_if": "Only if",
    "others_share": "Share without it",
    "others_high": "Without it, to",
    "others_low": "Without it, from",
    "outcome": "Should become rarer",
    "pairs": "Pairs told apart",
    "people_needed": "People needed in each half",
    "picked": "Would be picked",
    "recorded": "Result recorded",
    "share": "Share with a mistake found",
    "smallest": "Smallest lift that would show",
    "title": "Column",
    "usual": "Usual, of 1,000",
    "verdict": "Better than a random draw?",
    "way": "Way of choosing",
    "weight": "Weight",
    "weight_high": "Weight, to",
    "weight_low": "Weight, from",
    "with_mistake": "With a mistake",
    "with_more": "With one more, of 1,000",
}


def describe_proxies(table: Result, proxy_limit: float) -> str:
    """Return whether facts stand for a protected group, in a sentence; as from `proxies`."""
    if isinstance(table, Absent):
        return table.reason
    words = {}
    for own in (YES, OPEN):
        rows = table[table["beyond"].eq(own)]
        words[own] = [
            f"{fact} for {group}" for group, fact in zip(rows["group"], rows["fact"], strict=True)
        ]
    if words[YES]:
        return (
            f"More than {100 * proxy_limit:.0f} % of pairs are told apart, so that these stand for "
            f"a protected group: {'; '.join(words[YES])}"
        )
    if words[OPEN]:
        return f"Not ruled out that these stand for a protected group: {'; '.join(words[OPEN])}"
    return "No fact, and not all of them together, stand for a protected group"


def without(table: Result, *columns: str) -> Result:
    """Return the table without columns that only its figure needs; an Absent is passed on."""
    return table if isinstance(table, Absent) else table.drop(columns=list(columns))


def only(table: Result, *columns: str) -> Result:
    """Return the columns that a table on the page is about; an Absent is passed on."""
    return table if isinstance(table, Absent) else table[list(columns)]


def answer(lifts: Result, helped: Result, confidence: float) -> str:
    """Return the answer of the analysis with its interval, short enough for a small screen.

    Parameters
    ----------
    lifts, helped
        As from `measured.lifts` and `wisdom.measures`.
    confidence
        Level of the interval.
    """
    if isinstance(lifts, Absent):
        return f"No profile. {lifts.reason}{_help(helped)}"
    known = lifts.dropna(subset=["lift"])
    if known.empty:
        return f"No profile: too few people were drawn to say anything of it.{_help(helped)}"
    # The definition that decides: under which the least is shown.
    row = known.sort_values("low", kind="stable").iloc[0]
    said = (
        f"it would find “{row['label']}” {row['lift']:.1f} times as often as a random draw "
        f"({100 * confidence:g} % interval {row['low']:.1f} to {row['high']:.1f})"
    )
    if holds(lifts):
        return f"A profile may be put to the committee: {said}.{_help(helped)}"
    if row["verdict"] != SHOWN:
        return f"No profile: {said}, which may be chance.{_help(helped)}"
    open_ = lifts.loc[lifts["verdict"] != SHOWN, "label"].iloc[0]
    text = f"No profile: {said}, but too few were drawn to show “{open_}”."
    return f"{text}{_help(helped)}"


def _help(helped: Result) -> str:
    if isinstance(helped, Absent):
        return ""
    first = helped.iloc[0]
    return f" Help first: where {first['reason']}, {first['first_step']}."


def metrics(lifts: Result, shares: Result) -> dict[str, float]:
    """Return the numbers worth following from run to run, by name.

    Parameters
    ----------
    lifts, shares
        As from `measured.lifts` and `measured.per_thousand`. What an Absent would have given is
        left out.
    """
    numbers: dict[str, float] = {}
    for row in () if isinstance(lifts, Absent) else lifts.itertuples():
        name = str(row.label).replace(" ", "_")
        numbers |= {f"lift_{name}": row.lift, f"low_{name}": row.low, f"high_{name}": row.high}
    if not isinstance(lifts, Absent):
        numbers["profile_holds"] = float(holds(lifts))
    for row in () if isinstance(shares, Absent) else shares.itertuples():
        if row.way in ("random draw", "the profile") and not pd.isna(row.for_nothing):
            name = f"for_nothing_{row.way}_{row.label}".replace(" ", "_")
            numbers[name] = float(row.for_nothing)
    return numbers


@passes_absent
def first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the first definition of a mistake found."""
    return table[table["label"] == table["label"].iloc[0]]


@passes_absent
def describe_outcomes(table: pd.DataFrame) -> str:
    """Say how often a mistake was found by arm; `table` as from `first` of `outcomes`."""
    parts = [
        f"{row.group}: {100 * row.share:.0f} % ({100 * row.low:.0f} to {100 * row.high:.0f} %)"
        for row in table.dropna(subset=["share"]).itertuples()
    ]
    return f"Share with a mistake found. {'; '.join(parts) or 'Too few people to show'}."


@passes_absent
def describe_whom(table: pd.DataFrame) -> str:
    """Say in which facts the chosen differ from everybody; `table` as from `whom`."""
    sure = table[(table["low"] > 0) | (table["high"] < 0)]
    parts = [
        f"{row.group} ({row.low:.1f} to {row.high:.1f})" for row in sure.itertuples(index=False)
    ]
    return f"Beyond chance from everybody: {', '.join(parts) or 'none'}. The others hold 0."


@passes_absent
def describe_weights(table: pd.DataFrame) -> str:
    """Say which facts go with findings; `table` as from `knowledge.weights`."""
    sure = table[(table["weight_low"] > 0) | (table["weight_high"] < 0)]
    if sure.empty:
        return "No fact goes with findings beyond chance: every interval holds 0."
    parts = [
        f"{row.fact} ({'more' if row.weight > 0 else 'fewer'} findings)"
        for row in sure.itertuples()
    ]
    return f"Beyond chance go with findings: {', '.join(parts)}. The other intervals hold 0."


@passes_absent
def describe_lifts(table: pd.DataFrame) -> str:
    """Say how each way of picking compares with chance; `table` as from `measured.compared`."""
    parts = [
        f"{row.way}: {row.lift:.1f} ({row.low:.1f} to {row.high:.1f})"
        for row in table.dropna(subset=["lift"]).itertuples()
    ]
    return f"Lift over a random draw; 1 is no better. {'; '.join(parts) or 'Too few people'}."


@passes_absent
def describe_calibration(table: pd.DataFrame) -> str:
    """Say how chances and findings compare; `table` as from `knowledge.calibration`."""
    parts = [
        f"expected {100 * row.expected:.0f} %, found {100 * row.share:.0f} % "
        f"({100 * row.low:.0f} to {100 * row.high:.0f} %)"
        for row in table.dropna(subset=["share"]).itertuples()
    ]
    return f"Thirds of the people by chance. {'; '.join(parts) or 'Too few people to show'}."
