"""How comparisons are printed: names of groups, natural frequencies, protected small numbers.

Small numbers of persons were rounded and hidden before anything was compared: `sources.own`.
"""

import pandas as pd

from datamall.fairness import Audit
from datamall.fairness.plan import AS_RECORDED, Check
from datamall.fairness.steps import Selection
from datamall.fraud import disclosure
from datamall.fraud.audit.sources import CROSSED, TOTAL, is_own
from datamall.requirements import passes_absent

THOUSAND, LARGEST = 1000, 100
_SPOKEN = {
    ("sex", "female"): "women",
    ("sex", "male"): "men",
    ("sex", "women"): "women",
    ("sex", "men"): "men",
    ("age_band", "under 27"): "people under 27",
    ("age_band", "45 and over"): "people of 45 and over",
    ("living_form", "single"): "people living alone",
    ("living_form", "single parent"): "single parents",
    ("living_form", "couple"): "couples",
    ("living_form", "other"): "people living otherwise",
}
_FORMS = {
    "origin": "people from {}",
    "place of birth": "people born in {}",
    "background": "people with a {} background",
    "age_band": "people aged {}",
    "education": "people with education {}",
    "income": "people with an income of {}",
}
_ARTICLE = {"Netherlands": "the Netherlands", "Swedish": "Swedish", "abroad": "another country"}


def named(attribute: str, group: str) -> str:
    """Return a group of people in words."""
    if CROSSED in attribute or " and " in attribute:
        return group.replace(", ", CROSSED)
    if (attribute, group) in _SPOKEN:
        return _SPOKEN[attribute, group]
    return _FORMS.get(attribute, attribute + ": {}").format(_ARTICLE.get(group, group))


def whose(table: pd.DataFrame) -> list[str]:
    """Return the groups of a table in words; with their study where there are several."""
    pairs = zip(table["attribute"], table["group"], strict=True)
    words = [named(str(attribute), str(group)) for attribute, group in pairs]
    studies = sorted({study for study in table["study"] if not is_own(study)})
    if len(studies) < 2:
        return words
    return [f"{text} ({study})" for text, study in zip(words, table["study"], strict=True)]


@passes_absent
def comparisons(
    result: Audit, gating: bool | None = None, label: str | None = None
) -> pd.DataFrame:
    """Return the comparisons of an audit that a page is about.

    Parameters
    ----------
    result
        The audit.
    gating
        Those that gate, those that inform; None: all.
    label
        Definition of a mistake found; None: the first that counts for each study.

    Returns
    -------
    pandas.DataFrame
        study, attribute, group, check, label; people, rate, other_rate, ratio; low and high (all
        gaps of a check at once); verdict; detectable (ratio above 1 that would have been found).
        Of two groups the first: the other is the same turned round. In the order of the plan.
    """
    table = result.comparisons.rename(
        columns={"by": "attribute", "gap": "ratio", "all_low": "low", "all_high": "high"}
    ).rename(columns={"detectable_high": "detectable"})
    checks = [check.name for check in result.plan.checks if gating in (None, check.gating)]
    first = table.groupby(["study", "check"])["label"].transform("first")
    shown = table["label"].eq(first) if label is None else table["label"].isin([label, AS_RECORDED])
    table = table[shown & table["check"].isin(checks)]
    keys = ["study", "attribute", "check", "label"]
    groups = table.groupby(keys)["group"]
    table = table[~(groups.transform("size").eq(2) & groups.cumcount().eq(1))]
    order = table["check"].map({name: place for place, name in enumerate(checks)})
    table = table.assign(order=order).sort_values(
        ["order", "study", "attribute", "group"], kind="stable"
    )
    return told(table, result)[COLUMNS].reset_index(drop=True)


COLUMNS = [
    *("study", "attribute", "group", "check", "label", "people", "rate", "other_rate"),
    *("ratio", "low", "high", "verdict", "detectable"),
]


def told(table: pd.DataFrame, result: Audit) -> pd.DataFrame:
    """Hide rates of which too little is known, or which would tell too much.

    A rounded count that may as well be half as large is no number; and no rate may tell that fewer
    than 10 of the department's people did, or did not.
    """
    own, least = table["study"].map(is_own), pd.Series(0, table.index)
    if isinstance(result.counts, Selection):
        rounding = result.counts.table.groupby("study")["rounding"].max()
        least = table["study"].map(2 * rounding.where(rounding > 1, 0))
    for side in ("", "other_") if "other_rate" in table else ("",):
        yes, of = table[f"{side}successes"], table[f"{side}trials"]
        few = (yes < disclosure.MINIMUM) | (of - yes < disclosure.MINIMUM)
        table = table.assign(
            **{f"{side}rate": table[f"{side}rate"].mask(own & few | (yes < least))}
        )
    if "ratio" not in table:
        return table
    unknown = table["rate"].isna() | table["other_rate"].isna()
    return table.assign(ratio=table["ratio"].mask(unknown))


def check_of(result: Audit, name: str) -> Check:
    """Return a check of the plan by its name."""
    return next(check for check in result.plan.checks if check.name == name)


def printable(table: pd.DataFrame) -> pd.DataFrame:
    """Return comparisons for people who read them.

    Parameters
    ----------
    table
        As from `comparisons`.

    Returns
    -------
    pandas.DataFrame
        The same rows: people (group, in words), study, attribute, group, check, label, number (of
        people who could be taken on), of_1000 and others_of_1000, ratio with low and high,
        verdict, detectable. Missing where too few people stand behind a number.
    """
    result = table[["study", "attribute", "group", "check", "label"]].copy()
    result.insert(0, "people", whose(table))
    # Also the middle of what a number can be is no more exact than others on the page.
    result["number"] = (5 * (table["people"] / 5).round()).astype("Int64")
    result["of_1000"] = (THOUSAND * table["rate"]).round(1)
    result["others_of_1000"] = (THOUSAND * table["other_rate"]).round(1)
    for column in ("ratio", "low", "high"):
        # Beyond a hundred times nothing is known.
        result[column] = table[column].where(table[column] < LARGEST).round(2)
    return result.assign(verdict=table["verdict"], detectable=table["detectable"].round(1))


def frequency(value: float) -> str:
    """Return a number of 1,000 people in words: whole, or with one decimal below 10."""
    if value != value:
        return "too few to say"
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def counts_by_group(counts: pd.DataFrame, stages: dict[str, str]) -> pd.DataFrame:
    """Return how many people of each group reached each stage.

    Parameters
    ----------
    counts
        As from `sources`.
    stages
        Stage → heading.

    Returns
    -------
    pandas.DataFrame
        people, and a column per stage that is there. Of the department's own numbers those
        below 10 are hidden, with others from which they would follow.
    """
    anybody = counts["band"].eq(TOTAL) & counts["outcome"].eq(TOTAL)
    # Some studies print what the profile chose, and no total over all arms.
    rows = counts[anybody & counts["arm"].isin([TOTAL, "profile"]) & counts["stage"].isin(stages)]
    rows = rows.sort_values("arm", ascending=False, kind="stable")
    keys = ["study", "attribute", "group", "stage"]
    rows = rows.drop_duplicates(keys)
    parts = []
    for (study, attribute), own in rows.groupby(["study", "attribute"], sort=True):
        part = own[own["group"].ne(TOTAL)].astype({"people": float})
        wide = part.pivot_table(
            index="group", columns="stage", values="people", aggfunc="sum", dropna=False
        ).rename_axis(columns=None)
        if is_own(str(study)):
            # Each stage is a whole whose parts are the groups; a hidden one counts as nobody.
            wide = disclosure.parts(wide.fillna(0).T).T
        parts.append(wide.reset_index().assign(study=study, attribute=attribute))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "people", whose(table))
    known = [stage for stage in stages if stage in table]
    table[known] = table[known].astype("Int64")
    return table[["people", *known]].rename(columns=stages)
