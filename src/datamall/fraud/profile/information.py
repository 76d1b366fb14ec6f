"""Information: who was looked at, why, and what was recorded, before any judgement."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fraud import disclosure
from datamall.fraud.profile.facts import CLIENTS, FACTS, INVESTIGATIONS, KEYS, delivered, numbers
from datamall.requirements import Absent, needs

Tables = Mapping[str, pd.DataFrame]
ARMS = {
    "random": "random draw",
    "profile": "profile in use",
    "signal": "signal",
    "follow-up": "follow-up",
}
REST = "not looked at"
MISTAKES = ("unlawful", "administrative", "unclear")
SEEN = tuple(f"{INVESTIGATIONS}.{name}" for name in ("client", "year", "arm", "visited", "finding"))
KNOWN = tuple(f"{CLIENTS}.{name}" for name in KEYS)


def check_level(name: str, level: float) -> None:
    """Refuse a probability outside 0.5 to 1."""
    if not 0.5 <= level < 1:
        raise DatamallError(f"{name} is {level}: set it from 0.5 to below 1 in params.yaml.")


def definitions(labels: Sequence[str]) -> dict[str, list[str]]:
    """Return label → what has to be recorded for it to count as a mistake found.

    Parameters
    ----------
    labels
        Findings joined by " or ", as ``"unlawful or administrative"``. A result that is not among
        them counts as not found, also an unclear one: nobody is held to be wrong for want of proof.

    Raises
    ------
    DatamallError
        When there is none, one is named twice, or one names a finding that does not exist.
    """
    result = {label: label.split(" or ") for label in labels}
    odd = [part for own in result.values() for part in own if part not in MISTAKES]
    if odd or not labels or len(set(map(frozenset, result.values()))) < len(labels):
        raise DatamallError(
            f"labels is {list(labels)}: name different definitions made of "
            f"{', '.join(MISTAKES)}, joined by ' or ', in params.yaml."
        )
    return result


def columns(about: Mapping[str, Any], used: bool) -> pd.DataFrame | Absent:
    """Return the columns that the profile may use, or may not, with the contract's reason.

    Parameters
    ----------
    about
        Store → column → its title, description and properties, as the extract carries it.
    used
        Whether those that may be used are wanted.

    Returns
    -------
    pandas.DataFrame
        title, description and reason; in the order of the contract.
    """
    rows = []
    for column in about.get(CLIENTS, {}).values():
        verdict, _, reason = (column.get("profiling") or "").partition(": ")
        if verdict == ("permitted" if used else "forbidden"):
            rows.append((column["title"], column["description"], reason))
    if not rows:
        chapter = "What may be used" if used else "What may not be used"
        return Absent(chapter, f"Not possible here: the extract does not describe {CLIENTS}.")
    return pd.DataFrame(rows, columns=["title", "description", "reason"])


def joined(data: Tables) -> pd.DataFrame:
    """Return one row per person and year: what was recorded, and what came of it.

    Returns
    -------
    pandas.DataFrame
        The columns of welfare.investigations and the delivered facts, none of which is recorded
        where the file is missing; seen (whether the person was visited and the result recorded);
        ordered by year and client.

    Raises
    ------
    DatamallError
        When nobody's file is there, as where the stores are of different years.
    """
    clients = data[CLIENTS][[*KEYS, *delivered(data[CLIENTS])]]
    table = data[INVESTIGATIONS].merge(
        clients, on=KEYS, how="left", validate="one_to_one", indicator=True
    )
    if table.pop("_merge").ne("both").all():
        raise DatamallError(
            f"No row of {INVESTIGATIONS} is about somebody in {CLIENTS} of that year: take both "
            "stores in again."
        )
    table["seen"] = table["visited"].eq("yes") & table["finding"].notna()
    return table.sort_values(["year", "client"], ignore_index=True)


def found(table: pd.DataFrame, findings: Sequence[str]) -> pd.Series:
    """Return whether one of the findings was recorded; False where nothing was."""
    return table["finding"].isin(list(findings))


@needs("People and stages", *SEEN, *KNOWN)
def people(data: Tables) -> pd.DataFrame:
    """Return how many people were looked at, why, and how far it went.

    Returns
    -------
    pandas.DataFrame
        year, arm ("everybody" first), people, and of them chosen and recorded (visited, with a
        result); arms as from `disclosure.parts` of everybody. People without an arm were not
        looked at. Not how many were visited: beside those with a result it would tell exactly how
        few have none.
    """
    table = joined(data)
    table = table.assign(
        people=1,
        chosen=table["arm"].ne("none") if "chosen" not in table else table["chosen"].eq("yes"),
        recorded=table["seen"],
    )
    table["arm"] = table["arm"].map({"none": REST, **ARMS})
    stages = ["people", "chosen", "recorded"]
    parts = []
    for year, own in table.groupby("year"):
        sums = own.groupby("arm")[stages].sum().astype(float)
        sums = sums.reindex([arm for arm in (*ARMS.values(), REST) if arm in sums.index])
        everybody = sums.sum().to_frame("everybody").T.apply(disclosure.counts)
        # Who was not looked at is part of everybody, and of no later stage.
        sums.loc[sums.index == REST, stages[1:]] = np.nan
        parts.append(pd.concat([everybody, disclosure.parts(sums.T).T]).assign(year=year))
    result = pd.concat(parts).rename_axis("arm").reset_index()
    return result[["year", "arm", *stages]]


@needs("Mistakes found by arm", *SEEN, *KNOWN)
def outcomes(data: Tables, labels: Sequence[str], confidence: float) -> pd.DataFrame:
    """Return how often a mistake was found, by arm, under each definition of a mistake.

    Returns
    -------
    pandas.DataFrame
        label, year, arm, group (arm and year), recorded (people with a result), found, share, low,
        high; as from `disclosure.shares`, each row by itself.
    """
    check_level("confidence", confidence)
    result = tally(joined(data), labels)
    result.insert(3, "group", result["arm"] + ", " + result["year"].astype(str))
    return disclosure.shares(result, "found", "recorded", (1 - confidence) / 2)


def tally(table: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """Return exact counts of people with a result and of mistakes found, by label, year, arm."""
    seen = table[table["seen"]].assign(arm=table["arm"].map(ARMS))
    parts = []
    for label, own in definitions(labels).items():
        counted = seen.assign(recorded=1, found=found(seen, own).astype(int))
        sums = counted.groupby(["year", "arm"], as_index=False)[["recorded", "found"]].sum()
        parts.append(_by_arm(sums).assign(label=label))
    result = pd.concat(parts, ignore_index=True)
    return result[["label", "year", "arm", "recorded", "found"]]


def _by_arm(table: pd.DataFrame) -> pd.DataFrame:
    """Order rows by year and arm, the random draw first."""
    rank = table["arm"].map({arm: rank for rank, arm in enumerate(ARMS.values())})
    return (
        table.assign(rank=rank)
        .sort_values(["year", "rank"], ignore_index=True)
        .drop(columns="rank")
    )


@needs("What is not recorded", *SEEN, *KNOWN)
def missing(data: Tables) -> pd.DataFrame:
    """Return how many people lack each fact.

    Returns
    -------
    pandas.DataFrame
        fact, and for each year the people for whom it is not recorded, as from `disclosure.counts`;
        most first, without the facts that fewer than 10 people lack in every year.
    """
    table = joined(data)
    facts = delivered(table)
    lacking = numbers(table, facts).isna().groupby(table["year"]).sum().T
    lacking.index = pd.Index(FACTS.set_index("column").loc[facts, "fact"], name="fact")
    order = np.lexsort((np.arange(len(facts)), -lacking.sum(axis=1)))
    result = lacking.iloc[order].rename(columns=lambda year: f"year_{year}")
    return result.apply(disclosure.counts).dropna(how="all").reset_index()


@needs("Whom past choices are about", *SEEN, *KNOWN, varying=(f"{INVESTIGATIONS}.year",))
def whom(data: Tables, confidence: float) -> pd.DataFrame:
    """Compare the people whose result is known with everybody, in the years before the last.

    Returns
    -------
    pandas.DataFrame
        fact, whom (``drawn``: at random; ``chosen``: otherwise), group (both), people (of whom it
        is known, as from `disclosure.counts`), mean (how far it lies from that of everybody, in
        standard deviations), low, high. Rounded to a step that is worth at least five people whose
        fact is one more; missing where it is known of fewer than 10.

    Notes
    -----
    Normal intervals for all facts together (Bonferroni); everybody is taken as known, not as a
    sample.
    """
    from scipy.special import ndtri

    check_level("confidence", confidence)
    table = joined(data)
    table = table[table["year"] < table["year"].max()]
    facts = delivered(table)
    values = numbers(table, facts)
    spread = values.std().where(values.std() > 0)
    values = (values - values.mean()) / spread
    drawn = table["seen"] & table["arm"].eq("random")
    names = FACTS.set_index("column").loc[facts, "fact"]
    width = ndtri(1 - (1 - confidence) / 2 / max(len(facts), 1))
    parts = []
    for name, own in {"drawn": drawn, "chosen": table["seen"] & ~drawn}.items():
        number = values[own].notna().sum()
        mean, half = values[own].mean(), width * values[own].std() / np.sqrt(number.clip(lower=1))
        part = pd.DataFrame({"fact": names, "whom": name, "group": names + ", " + name})
        part = part.assign(people=number, mean=mean, low=mean - half, high=mean + half)
        worth = disclosure.ROUNDING / (spread * number.clip(lower=disclosure.MINIMUM)).to_numpy()
        step = 0.1 * np.ceil(np.maximum(worth / 0.1, 1))
        enough = number.to_numpy() >= disclosure.MINIMUM
        part = disclosure.outward(part, step, "mean", "low", "high", shown=enough)
        parts.append(part.assign(people=disclosure.counts(number), order=range(len(part))))
    result = pd.concat(parts).sort_values("order", kind="stable", ignore_index=True)
    return result.drop(columns="order")
