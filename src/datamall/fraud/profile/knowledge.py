"""Knowledge: what goes with mistakes found, and what a profile on permitted facts would learn."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from datamall.fairness.intervals import gap_limits
from datamall.fraud import disclosure
from datamall.fraud.profile import model
from datamall.fraud.profile.facts import FACTS, INVESTIGATIONS, delivered, has_reason
from datamall.fraud.profile.information import (
    ARMS,
    KNOWN,
    SEEN,
    Tables,
    check_level,
    definitions,
    found,
    joined,
    tally,
)
from datamall.fraud.profile.model import Profile
from datamall.requirements import Absent, needs, passes_absent

_YEAR = (f"{INVESTIGATIONS}.year",)
Training = Literal["random draw", "random draw, nobody left out", "everybody visited"]
TRAINING: tuple[Training, ...] = (
    "random draw",
    "random draw, nobody left out",
    "everybody visited",
)
_BANDS = 3


@needs("The profile", *SEEN, *KNOWN, varying=_YEAR)
def train(
    data: Tables,
    labels: Sequence[str],
    findings_per_fact: int,
    training: Training = "random draw",
) -> Profile | Absent:
    """Train the profile on the years before the last one.

    Parameters
    ----------
    data
        The extract.
    labels
        Definitions of a mistake found; the profile learns the first.
    findings_per_fact
        See `datamall.fraud.profile.model.fit`.
    training
        Whom it learns from. ``"random draw"``: the random arm, without the people who are drawn
        again in the last year, so that nobody is both learnt from and tested on; it learns whose
        file holds a mistake. The other two are there to compare: with these people, and everybody
        who was visited, whom caseworkers chose: that learns their habits too.

    Returns
    -------
    Profile or Absent
    """
    table = joined(data)
    last = table["year"].max()
    if not (table["seen"] & table["arm"].eq("random") & table["year"].eq(last)).any():
        reason = f"Not possible here: nobody was drawn at random in {last}, so nothing can be said."
        return Absent(model.CHAPTER, reason)
    own = table[table["seen"] & (table["year"] < last)]
    if training != "everybody visited":
        own = own[own["arm"] == "random"]
    if training != "random draw, nobody left out":
        tested = table.loc[(table["year"] == last) & (table["arm"] == "random"), "client"]
        own = own[~own["client"].isin(tested)]
    target = found(own, next(iter(definitions(labels).values())))
    return model.fit(own, target, delivered(own), findings_per_fact)


@passes_absent
def weights(trained: Profile, confidence: float) -> pd.DataFrame:
    """Return what the profile goes by; see `datamall.fraud.profile.model.odds`.

    Returns
    -------
    pandas.DataFrame
        fact, people (learnt from, as from `disclosure.counts`), one_more, weight, weight_low,
        weight_high, usual, with_more, low, high; people of 1,000 are rounded to 10, the ends of
        intervals outward.
    """
    check_level("confidence", confidence)
    table = model.odds(trained, confidence).drop(columns="column")
    table.insert(1, "people", disclosure.counts(pd.Series(trained.people, table.index)))
    table[["usual", "with_more"]] = (table[["usual", "with_more"]] / 10).round() * 10
    table["low"], table["high"] = np.floor(table["low"] / 10) * 10, np.ceil(table["high"] / 10) * 10
    whole = ["usual", "with_more", "low", "high"]
    parts = ["weight", "weight_low", "weight_high"]
    return table.astype(dict.fromkeys(whole, "int64")).round(dict.fromkeys(parts, 2))


@needs("What choosing finds", *SEEN, *KNOWN)
def choices(data: Tables, labels: Sequence[str], confidence: float) -> pd.DataFrame | Absent:
    """Compare each way in which people were chosen with the random draw of the same year.

    Returns
    -------
    pandas.DataFrame
        label, year, arm, group, recorded (people with a result), ratio of the shares of mistakes
        found, low, high; for each arm but the random one. Intervals hold for all rows together
        (Bonferroni).
    """
    check_level("confidence", confidence)
    table = tally(joined(data), labels)
    keys = ["label", "year"]
    random = table[table["arm"] == ARMS["random"]].drop(columns="arm")
    pairs = table[table["arm"] != ARMS["random"]].merge(random, on=keys, suffixes=("", "_random"))
    if pairs.empty:
        return Absent("What choosing finds", "Not possible here: nobody was drawn at random.")
    shown = disclosure.enough(pairs["found"], pairs["recorded"])
    shown = shown & disclosure.enough(pairs["found_random"], pairs["recorded_random"])
    x, n, y, m = (
        disclosure.numbers(pairs[name], shown)
        for name in ("found", "recorded", "found_random", "recorded_random")
    )
    low, high = gap_limits((x, n), (y, m), (1 - confidence) / 2 / len(pairs), "ratio")
    pairs = pairs.assign(ratio=x / n / (y / m), low=low, high=high)
    pairs = disclosure.ratios(pairs, shown, "ratio", "low", "high")
    pairs["group"] = pairs["arm"] + ", " + pairs["year"].astype(str)
    pairs["recorded"] = disclosure.counts(pairs["recorded"])
    return pairs[["label", "year", "arm", "group", "recorded", "ratio", "low", "high"]]


@needs("What goes with mistakes", *SEEN, *KNOWN)
def by_reason(data: Tables, labels: Sequence[str], confidence: float) -> pd.DataFrame | Absent:
    """Compare people with and without each reason for help, one reason at a time.

    Returns
    -------
    pandas.DataFrame
        reason, recorded (people of the random draw, all years, with the reason and a result),
        share (with a mistake found, first label), low, high, and the same of people without it:
        others_share, others_low, others_high; as from `disclosure.shares`, both or none, since each
        follows from the other and the sum. goes_together: ``yes`` where they are shown and the
        interval of the difference lies above 0. All intervals hold together (Bonferroni).
    """
    check_level("confidence", confidence)
    table = joined(data)
    table = table[table["seen"] & table["arm"].eq("random")]
    have = has_reason(table)
    if table.empty or have.empty:
        return Absent("What goes with mistakes", "Not possible here: nobody was drawn at random.")
    hits = found(table, next(iter(definitions(labels).values()))).to_numpy()
    reasons = FACTS.set_index("column").loc[have.columns, "reason"].to_numpy()
    result = pd.DataFrame({"reason": reasons, "found": have[hits].sum(), "recorded": have.sum()})
    result["others_found"] = hits.sum() - result["found"]
    result["others_recorded"] = len(hits) - result["recorded"]
    counted = ["found", "recorded", "others_found", "others_recorded"]
    shown = disclosure.enough(result["found"], result["recorded"])
    shown = shown & disclosure.enough(result["others_found"], result["others_recorded"])
    x, n, y, m = (disclosure.numbers(result[name], shown) for name in counted)
    tail = (1 - confidence) / 2 / len(result)
    above = gap_limits((x, n), (y, m), tail, "difference")[0] > 0
    result = disclosure.shares(result, "found", "recorded", tail, shown=shown)
    result = disclosure.shares(result, "others_found", "others_recorded", tail, "others_", shown)
    result["goes_together"] = np.where(shown & above, "yes", "not shown")
    columns = ["reason", "recorded", "share", "low", "high"]
    columns += ["others_share", "others_low", "others_high", "goes_together"]
    order = ["share", "reason"]
    return result.sort_values(order, ascending=[False, True], ignore_index=True)[columns]


@passes_absent
def calibration(
    data: Tables, trained: Profile, labels: Sequence[str], confidence: float
) -> pd.DataFrame:
    """Compare the chances that the profile sees with what was found, in the random draw.

    Returns
    -------
    pandas.DataFrame
        band (third of the people by chance, 1 = lowest), recorded (people), expected (mean chance),
        found, share, low, high, for the first label; as from `disclosure.shares`, found as from
        `disclosure.parts` of the draw. Intervals hold for all bands together (Bonferroni).
    """
    check_level("confidence", confidence)
    table = joined(data)
    own = table[table["seen"] & table["arm"].eq("random") & table["year"].eq(table["year"].max())]
    chance = pd.Series(trained.chance(own), own.index)
    # Equal chances share a band, whoever comes first.
    band = np.ceil(chance.rank(method="average", pct=True) * _BANDS).astype(int)
    hits = found(own, next(iter(definitions(labels).values())))
    frame = pd.DataFrame({"band": band, "recorded": 1, "expected": chance, "found": hits})
    groups = frame.groupby("band")
    result = groups[["recorded", "found"]].sum().join(groups["expected"].mean()).reset_index()
    tail = (1 - confidence) / 2 / len(result)
    # The bands are the parts of the draw, of which is printed how many were found.
    printed = disclosure.parts(result[["found"]].T).T["found"]
    shown = disclosure.enough(result["found"], result["recorded"]) & printed.notna().to_numpy()
    result = disclosure.shares(result, "found", "recorded", tail, shown=shown)
    result["expected"] = result["expected"].round(2)
    columns = ["band", "recorded", "expected", "found", "share", "low", "high"]
    return result[columns]
