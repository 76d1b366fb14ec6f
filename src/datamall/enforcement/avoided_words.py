"""What pages and commands say of the hours that rounds avoid, in words."""

import pandas as pd

from datamall.enforcement.avoided import LATER, NOT_THERE, NOWHERE, OLD, STUCK, USED
from datamall.enforcement.words import counted
from datamall.requirements import Absent

NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def told(found: pd.DataFrame | Absent, around: pd.DataFrame | Absent, day: pd.Timestamp) -> str:
    """Say which hours are avoided at which junctions today, and how old their counts are.

    Parameters
    ----------
    found, around
        As from `avoided.hours` and `avoided.near`; an `Absent` becomes its reason.
    day
        The morning.
    """
    for one in (found, around):
        if isinstance(one, Absent):
            return f"No hour is avoided for congestion. {one.reason}"
    assert isinstance(found, pd.DataFrame) and isinstance(around, pd.DataFrame)
    name = NAMES[day.weekday()]
    used = found[found["state"] == USED]
    parts = [_unused(found)]
    if used.empty:
        parts.insert(0, f"No hour of a {name} is avoided for congestion.")
        return " ".join(part for part in parts if part)
    spans = [
        f"{hour}–{hour + 1} h at {', '.join(own['site'])}" for hour, own in used.groupby("hour")
    ]
    ages = used["days"]
    old = f"{ages.min()}" if ages.min() == ages.max() else f"{ages.min()} to {ages.max()}"
    parts.insert(
        0,
        f"On a {name} traffic calls these hours congested: {'; '.join(spans)}. Last counted "
        f"{old} {'day' if old == '1' else 'days'} ago. "
        f"{_places(around, USED)} not served then.",
    )
    if (around["state"] == STUCK).any():
        parts.append(
            f"{_places(around, STUCK)} served as ever: their junctions are congested in each hour "
            "in which trucks are out, so that no hour is better than another."
        )
    return " ".join(part for part in parts if part)


def _unused(found: pd.DataFrame) -> str:
    """Return sentences on what may be congested and is not avoided."""
    said = {
        OLD: "not avoided, as it was last counted longer ago than counts hold",
        LATER: "not avoided, as it was counted on this day or later",
        NOWHERE: "not avoided, as nobody knows where the junction is",
    }
    parts = [
        f"{', '.join(sorted(set(own['site'])))}: {said[state]}."
        for state, own in found.groupby("state")
        if state in said
    ]
    return " ".join(parts)


def _places(around: pd.DataFrame, state: str) -> str:
    number = len(set(around.loc[around["state"] == state, "place"]))
    return f"{counted(number, 'place')} near there {'is' if number == 1 else 'are'}"


def price(changed: pd.DataFrame | Absent, spent: pd.DataFrame | Absent) -> str:
    """Say how many stops are made at another time for it, and what that costs.

    Parameters
    ----------
    changed, spent
        As from `avoided.moved` and `avoided.cost`.
    """
    if isinstance(changed, Absent) or isinstance(spent, Absent):
        return "What avoiding congestion costs is not known."
    if changed.empty:
        return "No stop would have been made in an avoided hour."
    lost = int(changed["outcome"].str.startswith(NOT_THERE).sum())
    stops, musts = (int(spent[n].sum() - spent[f"{n}_without"].sum()) for n in ("stops", "musts"))
    return (
        f"{counted(len(changed), 'stop')} would have been made in avoided hours; at another time "
        f"now: {len(changed) - lost}, by no truck: {lost}. All rounds together take "
        f"{spent['more'].sum():+.0f} minutes and make {stops:+d} stops, {musts:+d} of those that "
        "must be made, beside the plan that does not look at congestion. Both are good plans, not "
        "proven to be the best."
    )
