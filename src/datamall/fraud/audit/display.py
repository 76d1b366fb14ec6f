"""How comparisons are printed: names of groups, natural frequencies, protected small numbers.

Small numbers of persons were rounded and hidden before anything was compared: `sources.own`.
"""

import pandas as pd

from datamall.fraud import disclosure
from datamall.fraud.audit.sources import CROSSED, TOTAL, is_own

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


def printable(table: pd.DataFrame) -> pd.DataFrame:
    """Return comparisons for people who read them.

    Parameters
    ----------
    table
        As from `judge.judged`.

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
    result["number"] = (5 * (table["trials"] / 5).round()).astype("Int64")
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
