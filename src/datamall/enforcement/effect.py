"""Knowledge, afterwards: what an action did at the places where it was done.

What would have been found without the action: the pooled rate of each place from the time before
(regression to the mean removed), moved in log-odds as the places that it is compared with moved.
The effect is what was found over what was expected. Places are the units: looks at one place are
not taken for independent.
"""

from functools import cache

import numpy as np
import pandas as pd

from datamall.enforcement.expectation import Found, Looks
from datamall.enforcement.information import COUNTED, Tables
from datamall.enforcement.knowledge import check_level
from datamall.enforcement.sums import INSPECTIONS
from datamall.errors import DatamallError
from datamall.requirements import Absent, needs, passes_absent

DRAWN = "beside places drawn to wait"
CITY = "beside the rest of the city"
NAIVE = "before and after, not corrected"
IDENTIFIED = {
    DRAWN: (
        "The effect at places like these: who started was drawn by lot, so that places that wait "
        "differ by chance alone. Not: whether it lasts, or what it does at places of another kind."
    ),
    CITY: (
        "The change beyond that of the city, without regression to the mean. Not: the effect, if "
        "something else changed at these places, or if they would have moved otherwise than the "
        "city by themselves."
    ),
    NAIVE: (
        "Nothing: places are chosen when they are at their worst and get better by themselves, and "
        "seasons change. It stands here to show how far off it is."
    ),
}
HELPED, WORSE, NO_EFFECT = "it helped", "it got worse", "no effect worth its work"
NOT_ENOUGH = "not enough evidence"
UNMOVED, MOVED = "did not move, as it should", "moved too: do not credit the action alone"
CLEANER, DISPLACED, NO_SPILL = "cleaner too", "nuisance moved there", "no spill-over that matters"
# What is said when the count fell, rose, or did neither by as much as matters.
EFFECT, FALSIFIED = (HELPED, WORSE, NO_EFFECT), (MOVED, MOVED, UNMOVED)
SPILLED = (CLEANER, DISPLACED, NO_SPILL)
OWN, NEIGHBOURS = "places of the action", "neighbours"
_COLUMNS = ["action", "about", "method", "estimate", "low", "high", "places", "compared"]
_COLUMNS += ["looks", "findable", "verdict"]
_GIVEN = {"cluster", "action", "first_day"}


def check_actions(actions: pd.DataFrame) -> pd.DataFrame:
    """Return the actions, or say what is wrong with them.

    Parameters
    ----------
    actions
        cluster, action, first_day (of the action at this place) and, where it was drawn by lot who
        starts, drawn: "treated" or "control" (first_day is then empty or planned, and not used);
        empty where people chose the place.

    Raises
    ------
    DatamallError
        When a column is missing, a place occurs twice in one action, drawn has another value, or a
        place that was not drawn to wait has no first day.
    """
    missing = sorted(_GIVEN - set(actions))
    if missing:
        raise DatamallError(f"The actions have no column {' or '.join(missing)}: deliver it.")
    drawn = actions["drawn"] if "drawn" in actions else pd.Series(np.nan, actions.index)
    table = actions.assign(
        drawn=drawn.astype(object).where(drawn.notna(), ""),
        first_day=actions["first_day"].astype("datetime64[s]"),
    )
    strange = table[~table["drawn"].isin(["treated", "control", ""])]
    if len(strange):
        value, place = strange["drawn"].iloc[0], strange["cluster"].iloc[0]
        sentence = f"drawn is {value!r} at place {place}: it is treated, control or empty."
        raise DatamallError(sentence)
    twice = table[table.duplicated(["cluster", "action"])]
    if len(twice):
        place, action = twice["cluster"].iloc[0], twice["action"].iloc[0]
        raise DatamallError(f"Place {place} stands twice in {action}: keep one row of it.")
    undated = table[table["first_day"].isna() & table["drawn"].ne("control")]
    if len(undated):
        place, action = undated["cluster"].iloc[0], undated["action"].iloc[0]
        raise DatamallError(f"Place {place} has no first day in {action}: say when it began.")
    return table


@needs(
    "Did it help?",
    *COUNTED,
    f"{INSPECTIONS}.period_days",
    varying=(f"{INSPECTIONS}.period_start",),
)
@passes_absent
def effects(
    data: Tables,
    actions: pd.DataFrame,
    *,
    outcome: str = "with_waste",
    unaffected: str | None = None,
    near: float | None = None,
    confidence: float = 0.95,
    worthwhile: float = 0.1,
) -> pd.DataFrame | Absent:
    """Estimate what each action did at its places, and say how sure that is.

    Parameters
    ----------
    data
        The extract.
    actions
        As for `check_actions`.
    outcome, unaffected
        Count that the action should lower, and one that it should leave alone (a falsification
        outcome): with_waste or a cause.
    near
        Metres within which a place that was left alone counts as a neighbour: it is no comparison,
        and how it moved itself is estimated. None where neighbours are not looked at.
    confidence
        Level of the intervals.
    worthwhile
        Smallest share of the nuisance that is worth the work.

    Returns
    -------
    pandas.DataFrame
        One row per estimate: action, about (`OWN`, `NEIGHBOURS`, or the falsification outcome),
        method, estimate (change of the chance of a find, -0.2 is a fifth less) with low and high,
        places (of the action, with looks before and after), compared (places that it is compared
        with), looks (at the places of the action, after it began), findable (smallest decrease that
        would be found in 8 of 10 cases) and verdict (none for the naive method). NaN where nobody
        looked before, afterwards, or at places to compare with.

    Notes
    -----
    Expectation by empirical Bayes (Hauer 1997, "Observational Before-After Studies in Road
    Safety") with the model of `pooling`, from the looks before the action began anywhere. The
    places compared say by how much the log-odds moved in each month: places drawn for the action
    that wait or have not yet started; else all places that the action left alone, which say too
    whether bad places moved otherwise than good ones (not so for what should not move, where
    places of the action are pulled towards their own mean, as they were chosen by something else).
    A period in which the action began is left out. Interval on the log scale from the part of each
    place (cluster-robust, Liang and Zeger 1986, as the jackknife over places: CR3 of Bell and
    McCaffrey 2002), Student's t with one degree of freedom less than the fewer places.
    """
    check_level("confidence", confidence)
    check_level("worthwhile", worthwhile)
    table = check_actions(actions)
    for name in (outcome, unaffected):
        if name is not None and name not in data[INSPECTIONS]:
            reason = f"Not possible here: the authority does not deliver {INSPECTIONS}.{name}."
            return Absent("Did it help?", reason)
    treated = table[table["drawn"].ne("control")]
    if treated.empty:
        return Absent("Did it help?", "Not possible here: no action has begun anywhere.")
    touched = treated.groupby("cluster")["first_day"].min()

    @cache
    def looks(name: str, day: pd.Timestamp, apart: frozenset[str]) -> Looks | None:
        return Looks.of(data, name, day, apart)

    rows = []
    for action, own in table.groupby("action", sort=True):
        begun = own[own["drawn"].ne("control")].set_index("cluster")["first_day"]
        if begun.empty:
            continue
        # By lot: some were drawn to wait, or to start later than others.
        lot = own["drawn"].ne("").all() and (len(begun) < len(own) or begun.min() < begun.max())
        method = DRAWN if lot else CITY
        for about, name in ((OWN, outcome), (f"{unaffected}, which should not move", unaffected)):
            if name is None:
                continue
            # Places were chosen by the outcome: what else lies there is not at its worst by luck.
            looked = looks(name, begun.min(), frozenset(own["cluster"] if about != OWN else ()))
            if looked is None:  # nobody looked before
                rows.append((action, about, method, *Found(), NOT_ENOUGH))
                continue
            start, other = looked.days(begun), looked.days(touched)
            beside = looked.beside(begun, near) if near else looked.days(begun[:0])
            apart = np.isnat(beside)
            among = apart & np.isin(looked.clusters, own["cluster"]) if lot else apart
            found = looked.effect(start, other, among, confidence, tilt=not lot and about == OWN)
            if about != OWN:
                rows.append((action, about, method, *found, _judged(found, worthwhile, FALSIFIED)))
                continue
            rows.append((action, about, method, *found, _judged(found, worthwhile, EFFECT)))
            rows.append((action, about, NAIVE, *looked.naive(start, confidence), None))
            if near:
                beside[~np.isnat(other)] = np.datetime64("NaT")
                found = looked.effect(beside, other, apart, confidence, tilt=True)
                verdict = _judged(found, worthwhile, SPILLED)
                rows.append((action, NEIGHBOURS, CITY, *found, verdict))
    return pd.DataFrame(rows, columns=_COLUMNS)


@passes_absent
def measured(table: pd.DataFrame, cause: str) -> pd.DataFrame:
    """Return what replaces the assumed effect on a cause, where enough was found.

    Parameters
    ----------
    table
        As from `effects`, of this cause as outcome.
    cause
        As in `effects.EFFECTS`.

    Returns
    -------
    pandas.DataFrame
        cause, action, low, high (share of the nuisance of this cause taken away) and source, one
        row per action with a verdict other than `NOT_ENOUGH`, for `effects.replaced`.
        Empty where nothing is known, or where what should not move did: then the assumption stays.
    """
    moved = table.loc[table["verdict"].eq(MOVED), "action"]
    own = table[table["about"].eq(OWN) & table["method"].ne(NAIVE)]
    own = own[own["verdict"].ne(NOT_ENOUGH) & ~own["action"].isin(moved)]
    rows = zip(own["method"], own["looks"], own["places"], strict=True)
    source = [f"measured {how}: {looks:,} looks at {places} places" for how, looks, places in rows]
    return pd.DataFrame(
        {
            "cause": cause,
            "action": own["action"],
            "low": (-own["high"]).clip(0, 1),
            "high": (-own["low"]).clip(0, 1),
            "source": source,
        }
    ).reset_index(drop=True)


def _judged(found: Found, worthwhile: float, words: tuple[str, str, str]) -> str:
    """Return the verdict: fell, rose, or no change that matters; else not enough evidence."""
    fell, rose, neither = words
    if found.high < 0 or found.low > 0:
        return fell if found.high < 0 else rose
    # An effect that is not wanted may go either way; of one that is wanted a rise is none.
    most = -found.low if words is EFFECT else max(-found.low, found.high)
    return neither if most < worthwhile else NOT_ENOUGH
