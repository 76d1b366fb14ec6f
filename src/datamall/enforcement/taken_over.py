"""Which measured effects take the place of assumed ones in a plan, and why others do not.

The plan reckons them itself from the actions that were delivered: it believes no page and no file.
"""

from collections.abc import Collection

import pandas as pd

from datamall.enforcement import effect, histories
from datamall.enforcement.effect import DISPLACED, HELPED, MOVED, NAIVE, NEIGHBOURS, OWN
from datamall.enforcement.effects import ASSUMED, EFFECTS, MEASURED, replaced
from datamall.enforcement.information import Tables
from datamall.enforcement.measured_effects import TITLE, actions
from datamall.enforcement.morning import PICKED_UP
from datamall.enforcement.sums import INSPECTIONS, slices
from datamall.enforcement.words import counted
from datamall.requirements import Absent, passes_absent

LEVEL = 0.95  # of the intervals that replace an assumed range, as on the page about effects
NEAR = 150.0  # metres within which nuisance could have moved, as there
# What a plan calls an action that is delivered by another name. A board informs and nobody
# enforces, so that its effect is the least that both do together: assumption.
CALLED = {"information board": "inform and enforce"}
JUDGED = ("action", "cause", "low", "high", "verdict", "should_not_move", "neighbours", "outcome")


def judged(
    data: Tables, confidence: float = LEVEL, causes: Collection[str] = tuple(EFFECTS["cause"])
) -> pd.DataFrame | Absent:
    """Return what each delivered action did to each cause that a plan sends somebody for.

    Parameters
    ----------
    data
        The extract, with the actions.
    confidence
        Level of the intervals.
    causes
        Of which the effect is wanted.

    Returns
    -------
    pandas.DataFrame
        action (in the words of a plan), cause, low and high (change of the chance of a find),
        verdict, should_not_move and neighbours (what is said of these), outcome (`MEASURED`, or why
        the assumption stays) and source. Absent where no action is delivered, or it cannot be
        measured.
    """
    given = actions(data)
    if isinstance(given, Absent):
        return given
    if INSPECTIONS not in data:
        return Absent(TITLE, f"Not possible here: the authority does not deliver {INSPECTIONS}.")
    known = [cause for cause in causes if cause in data[INSPECTIONS]]
    rows = []
    for name, places in given.groupby("action", sort=True):
        own = EFFECTS[EFFECTS["action"] == CALLED.get(str(name), str(name))]
        # What the action leaves alone.
        unaffected = "bulky" if "bulky" not in set(own["cause"]) else "residual"
        for one in own[own["cause"].isin(known)].itertuples():
            found = effect.effects(
                data,
                places,
                outcome=one.cause,
                unaffected=unaffected if unaffected in data[INSPECTIONS] else None,
                near=NEAR if {"x", "y"} <= set(data["enforcement.containers"]) else None,
                confidence=confidence,
            )
            if isinstance(found, Absent):
                return found
            rows.append(_judged(found, str(one.action), str(one.cause), _period(data, places)))
    table = pd.DataFrame(rows, columns=[*JUDGED, "source", "looks"])
    # Of two actions that a plan has one word for, that with more looks counts.
    table = table.sort_values(["cause", "looks"], ascending=[True, False], kind="stable")
    return table.drop_duplicates(["action", "cause"])[[*JUDGED, "source"]].reset_index(drop=True)


def _judged(found: pd.DataFrame, action: str, cause: str, period: str) -> tuple[object, ...]:
    """Return the row of one action and cause."""
    row = found[(found["about"] == OWN) & (found["method"] != NAIVE)].iloc[0]
    verdicts = found.set_index("about")["verdict"]
    beside = str(verdicts.get(NEIGHBOURS, "not looked at"))
    other = [str(v) for about, v in verdicts.items() if about not in (OWN, NEIGHBOURS)]
    should = other[0] if other else "not looked at"
    taken = effect.measured(found, cause)
    outcome = MEASURED if len(taken) else f"{ASSUMED}: {should if should == MOVED else row.verdict}"
    source = ""
    if len(taken):
        helped = "" if row.verdict == HELPED else f", {row.verdict}"
        moved = f"; {beside}: not taken off" if beside == DISPLACED else ""
        source = f"{taken['source'].iloc[0]}, {period}{helped}{moved}"
    numbers = (row.low, row.high, row.verdict, should, beside, outcome, source, row.looks)
    return (action, cause, *numbers)


def _period(data: Tables, places: pd.DataFrame) -> str:
    """Return the days of the looks after an action began."""
    last = max(part["period_start"].max() for part in slices(data[INSPECTIONS]))
    return f"{places['first_day'].min():%Y-%m-%d} to {last:%Y-%m-%d}"


def used(table: pd.DataFrame | Absent) -> pd.DataFrame:
    """Return the effects that a plan rests on, each measured or assumed; `table` from `judged`."""
    if isinstance(table, Absent):
        return EFFECTS
    own = table[table["outcome"] == MEASURED]
    ranges = own.assign(low=(-own["high"]).clip(0, 1), high=(-own["low"]).clip(0, 1))
    return replaced(ranges[["cause", "action", "low", "high", "source"]])


def on_a_day(data: Tables, day: pd.Timestamp) -> pd.DataFrame:
    """Return the effects that the rounds of a day rest on, from what was known before it."""
    return used(judged(histories.before(data, day), causes=(PICKED_UP,)))


def caption(effects: pd.DataFrame) -> str:
    """Say how many effects are measured and how many assumed; `effects` as from `used`."""
    number = int((effects["basis"] == MEASURED).sum())
    if not number:
        return "Share of a cause's nuisance removed: every range is assumed, none is measured"
    left = counted(len(effects) - number, "range")
    return f"Share of a cause's nuisance removed: {number} measured in this city, {left} assumed"


def of_rounds(effects: pd.DataFrame) -> str:
    """Say in a sentence what a crew is held to take away; `effects` as from `on_a_day`."""
    [row] = effects[effects["cause"] == PICKED_UP].itertuples()
    return (
        f"A crew is held to take away {100 * row.low:.0f} to {100 * row.high:.0f} % of what it was "
        f"sent for ({row.source})"
    )


@passes_absent
def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return what a page shows of `judged`."""
    return table[list(JUDGED)]
