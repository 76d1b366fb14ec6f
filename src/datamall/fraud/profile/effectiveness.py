"""How much better than a random draw: what each way of picking people would find."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fraud import disclosure
from datamall.fraud.profile import lift
from datamall.fraud.profile.facts import INVESTIGATIONS
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
SHOWN, NOT_SHOWN, TOO_FEW = "above a random draw", "not shown", "too few people"


@passes_absent
def lifts(
    data: Tables,
    trained: Profile,
    labels: Sequence[str],
    capacity: int,
    confidence: float,
    power: float,
    wanted: float,
    name: str = "the profile",
) -> pd.DataFrame:
    """Measure the profile within the random draw of the last year.

    Parameters
    ----------
    data
        The extract.
    trained
        As from `train`.
    labels
        Definitions of a mistake found.
    capacity
        People whom the profile may propose for a visit in a year; the score of the last of them
        is the edge, and all who share it are in.
    confidence, power
        Level of the intervals; probability with which a lift should be shown.
    wanted
        Lift for which `draw_needed` is reckoned.
    name
        What the way of picking is called in the table.

    Returns
    -------
    pandas.DataFrame
        One row per label: way, label, picked (people of the random draw whom it would pick),
        found (of them), lift with low and high, reckoned from the rounded counts, verdict
        (``above a random draw`` where the interval lies above 1, else ``not shown``), smallest
        (lift that so many people would have shown) and draw_needed (people with a result in the
        random draw who would show the wanted lift). Where fewer than 10 people were found or not
        found, among the picked or the others, found and lift are missing and the verdict is ``too
        few people``: nothing that cannot be shown is claimed.
    """
    table = joined(data)
    table = table[table["year"] == table["year"].max()]
    picks = picked(table, trained, capacity)
    return measure(name, table, picks, labels, confidence, power, wanted)


def picked(table: pd.DataFrame, trained: Profile, capacity: int) -> np.ndarray:
    """Return whom the profile would pick of everybody in one year; see `lifts`."""
    if not 0 < capacity < len(table):
        raise DatamallError(
            f"capacity is {capacity}: set it in params.yaml above 0 and below the number of "
            "people in a year."
        )
    chance = trained.chance(table)
    return chance >= np.sort(chance)[-capacity]


@needs("The selection in use", *SEEN, *KNOWN, f"{INVESTIGATIONS}.flagged", varying=_YEAR)
def lifts_in_use(
    data: Tables, labels: Sequence[str], confidence: float, power: float, wanted: float
) -> pd.DataFrame | Absent:
    """Measure the flags of the selection in use in the same way; see `lifts`."""
    table = joined(data)
    table = table[table["year"] == table["year"].max()]
    flagged = table["flagged"].eq("yes").to_numpy()
    drawn = flagged[(table["arm"].eq("random") & table["seen"]).to_numpy()]
    if not drawn.any() or drawn.all():
        reason = "Not possible here: people drawn at random carry no flag to compare."
        return Absent("The selection in use", reason)
    return measure("flags in use", table, flagged, labels, confidence, power, wanted)


def measure(
    way: str,
    table: pd.DataFrame,
    picks: np.ndarray,
    labels: Sequence[str],
    confidence: float,
    power: float,
    wanted: float,
) -> pd.DataFrame:
    """Return the rows of `lifts` for the people picked out of everybody in one year."""
    check_level("confidence", confidence)
    check_level("power", power)
    drawn = (table["arm"].eq("random") & table["seen"]).to_numpy()
    inside = picks[drawn]
    rows = []
    for label, own in definitions(labels).items():
        hits = found(table[drawn], own).to_numpy()
        people = inside.sum(), (hits & inside).sum(), (~inside).sum(), (hits & ~inside).sum()
        rows.append((way, label, *map(int, people)))
    counted = ["picked", "found", "others", "others_found"]
    result = pd.DataFrame(rows, columns=["way", "label", *counted])
    shown = disclosure.enough(result["found"], result["picked"])
    shown = shown & disclosure.enough(result["others_found"], result["others"])
    n, x, m, y = (disclosure.numbers(result[name], shown) for name in counted)
    share = float(picks.mean())
    value, low, high = lift.estimate((x, n), (y, m), share, confidence)
    result = result.assign(lift=value, low=low, high=high)
    result = disclosure.ratios(result, shown, "lift", "low", "high")
    result["verdict"] = np.select([result["low"] > 1, shown], [SHOWN, NOT_SHOWN], TOO_FEW)
    base = disclosure.numbers(result["found"] + result["others_found"])
    base = base / disclosure.numbers(result["picked"] + result["others"])
    sizes = zip(
        disclosure.numbers(result["picked"]), disclosure.numbers(result["others"]), strict=True
    )
    result["smallest"] = [
        round(lift.smallest(one, other, share, rate, confidence, power), 1)
        for (one, other), rate in zip(sizes, base, strict=True)
    ]
    result["draw_needed"] = [lift.needed(share, rate, wanted, confidence, power) for rate in base]
    result["draw_needed"] = result["draw_needed"].astype("Int64")
    result["picked"] = disclosure.counts(result["picked"])
    result["found"] = disclosure.counts(result["found"]).where(shown)
    columns = ["way", "label", "picked", "found", "lift", "low", "high", "verdict"]
    return result[[*columns, "smallest", "draw_needed"]]


def compared(*tables: pd.DataFrame | Absent) -> pd.DataFrame | Absent:
    """Put the lifts of several ways of picking together, definition by definition.

    Parameters
    ----------
    tables
        As from `lifts` and `lifts_in_use`. The first is the profile, without which there is
        nothing to compare; of the others those that could not be measured are left out.
    """
    if isinstance(tables[0], Absent):
        return tables[0]
    result = pd.concat([t for t in tables if not isinstance(t, Absent)], ignore_index=True)
    rank = pd.factorize(result["label"])[0]
    return result.iloc[np.argsort(rank, kind="stable")].reset_index(drop=True)


@passes_absent
def capacities(
    data: Tables,
    trained: Profile,
    labels: Sequence[str],
    capacity: int,
    confidence: float,
    power: float,
    wanted: float,
) -> pd.DataFrame:
    """Say whether the lift hangs on how many people are visited.

    Returns
    -------
    pandas.DataFrame
        capacity (a fifth less, as set, a fifth more, and twice as many), then as `lifts`.
    """
    sizes = dict.fromkeys(round(capacity * factor) for factor in (0.8, 1, 1.2, 2))
    people = int((data[INVESTIGATIONS]["year"] == data[INVESTIGATIONS]["year"].max()).sum())
    parts = [
        lifts(data, trained, labels, size, confidence, power, wanted).assign(capacity=size)
        for size in sizes
        if size < people
    ]
    result = pd.concat(parts, ignore_index=True).drop(columns=["way", "draw_needed"])
    result.insert(0, "capacity", result.pop("capacity"))
    return result


@passes_absent
def per_thousand(
    data: Tables, trained: Profile, labels: Sequence[str], capacity: int, confidence: float
) -> pd.DataFrame:
    """Return what 1,000 visits would find, and how many would be for nothing.

    Returns
    -------
    pandas.DataFrame
        label, way (a random draw, the profile, and people as chosen last year in each other arm),
        recorded (people with a result that this rests on), with_mistake of 1,000 visits with low
        and high, for_nothing with nothing_low and nothing_high; from `disclosure.shares`, rounded
        to 10, the ends of intervals outward.

    Notes
    -----
    Of the profile and the random draw among the people of the random draw alone; of the other
    arms among those whom somebody chose, so that they are about other people.
    """
    table = joined(data)
    table = table[table["year"] == table["year"].max()]
    drawn = (table["arm"].eq("random") & table["seen"]).to_numpy()
    inside = drawn & picked(table, trained, capacity)
    own = tally(table[inside], labels).assign(arm="the profile")
    result = pd.concat([own, tally(table, labels)], ignore_index=True)
    order = pd.factorize(pd.Series([*definitions(labels)]))[1]
    result["label"] = pd.Categorical(result["label"], order)
    ways = [ARMS["random"], "the profile", *[arm for arm in ARMS.values() if arm != ARMS["random"]]]
    result["way"] = pd.Categorical(result["arm"], ways)
    result = result.sort_values(["label", "way"], ignore_index=True)
    result = disclosure.shares(result, "found", "recorded", (1 - confidence) / 2)
    thousand = disclosure.outward(result, 0.01, "share", "low", "high")[["share", "low", "high"]]
    thousand = (1000 * thousand).round().astype("Int64")
    return pd.DataFrame(
        {
            "label": result["label"].astype(str),
            "way": result["way"].astype(str).replace(ARMS["profile"], "chosen on the flags in use"),
            "recorded": result["recorded"],
            "with_mistake": thousand["share"],
            "low": thousand["low"],
            "high": thousand["high"],
            "for_nothing": 1000 - thousand["share"],
            "nothing_low": 1000 - thousand["high"],
            "nothing_high": 1000 - thousand["low"],
        }
    )
