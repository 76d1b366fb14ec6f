"""Wisdom: at each place the action that keeps most dirty days away for an hour of work."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from datamall.enforcement.effects import EFFECTS, draws
from datamall.enforcement.information import known_of
from datamall.enforcement.knowledge import check_level
from datamall.enforcement.wisdom import Options
from datamall.errors import DatamallError
from datamall.requirements import Absent, passes_absent

HEADINGS = {
    "action": "Action",
    "cluster": "Place",
    "crew": "Owner",
    "days": "Days that it lasts",
    "dirty_days": "Dirty days avoided",
    "district": "District",
    "high": "To",
    "hours": "Hours of work",
    "low": "From",
    "per_hour": "Dirty days avoided an hour",
    "places": "Places where it fits best",
    "rate": "Chance of waste",
}


def work(hours: Sequence[float], days: Sequence[float]) -> pd.DataFrame:
    """Return what each action costs and how long it lasts: crew, action, hours and days.

    Parameters
    ----------
    hours
        Work of one action at one place, way there included; the crews in the order of
        `effects.EFFECTS`.
    days
        Days on which the place would have been dirty otherwise and is not.

    Raises
    ------
    DatamallError
        When a number is not above 0.
    """
    table = EFFECTS[["crew", "action"]].drop_duplicates("crew").reset_index(drop=True)
    table = table.assign(hours=np.array(hours, float), days=np.array(days, float))
    for name in ("hours", "days"):
        wrong = table[~table[name].between(1e-4, 1e4)]
        for row in wrong.itertuples():
            raise DatamallError(
                f"{name} of {row.crew} is {getattr(row, name):g}: set it above 0 in params.yaml, "
                "or the work of an action cannot be set against what it prevents."
            )
    return table


@passes_absent
def best_actions(choices: Options, work: pd.DataFrame) -> pd.DataFrame:
    """Return for each place the action that avoids most dirty days in an hour of work.

    Parameters
    ----------
    choices
        As from `wisdom.options`.
    work
        As from `work`.

    Returns
    -------
    pandas.DataFrame
        cluster, crew, hours and days (of one action), dirty_days (expected to be avoided by it) and
        per_hour, one row per place, best place first. A place of which no cause is known that an
        action removes is left out.

    Notes
    -----
    dirty_days is the chance of waste × share of the causes × effect, which is what an action takes
    away on a day, times the days that it lasts.
    """
    best = pd.DataFrame()
    costs = work.set_index("crew")[["hours", "days"]]
    for crew in sorted(choices):
        own = choices.expected(crew).assign(crew=crew, **costs.loc[crew].to_dict())
        own["dirty_days"] = own.pop("expected") * own["days"]
        # Rounded, so that no processor's last digit changes an order.
        own["per_hour"] = (own["dirty_days"] / own["hours"]).round(9)
        if len(best):
            better = own["per_hour"] > best["per_hour"]
            best.loc[better] = own[better]
        else:
            best = own
    best = best[best["per_hour"] > 0]
    return best.iloc[np.lexsort((best["cluster"], -best["per_hour"]))].reset_index(drop=True)


@passes_absent
def by_action(best: pd.DataFrame, work: pd.DataFrame) -> pd.DataFrame:
    """Return at how many places each action fits best, and what it avoids there.

    Parameters
    ----------
    best, work
        As from `best_actions` and `work`.

    Returns
    -------
    pandas.DataFrame
        action, crew (owner), hours and days (of one action), places, dirty_days (avoided, one
        action at each of these places) and per_hour.
    """
    own = best.groupby("crew")["dirty_days"].agg(["size", "sum"]).reindex(work["crew"])
    table = work[["action", "crew", "hours", "days"]].assign(
        places=own["size"].fillna(0).astype(int).to_numpy(),
        dirty_days=own["sum"].fillna(0).to_numpy(),
    )
    spent = table["places"] * table["hours"]
    return table.assign(per_hour=table["dirty_days"] / spent.where(spent > 0))


@passes_absent
def first_places(
    best: pd.DataFrame, choices: Options, number: int, confidence: float, seed: int
) -> pd.DataFrame | Absent:
    """Return for each action the places at which an hour of it avoids most, with intervals.

    Parameters
    ----------
    best, choices
        As from `best_actions` and `wisdom.options`.
    number
        Of places of each action, among those where it fits best.
    confidence, seed
        Of the intervals, which join the uncertainty of rate, causes and effect; hours and days
        count as known.

    Returns
    -------
    pandas.DataFrame
        cluster, kind, district (as far as known), crew (owner), action, rate, hours, dirty_days,
        and per_hour with low and high. Absent where no action fits anywhere.
    """
    check_level("confidence", confidence)
    first = best.groupby("crew").head(number).groupby("crew")
    parts = [
        own.merge(choices[crew].drop(columns="crew"), "left", "cluster") for crew, own in first
    ]
    if not parts:
        return Absent("First places", "No action removes a cause that is known of any place.")
    chosen = pd.concat(parts, ignore_index=True)
    about = [name for name in known_of(chosen) if name not in ("x", "y")]
    columns = [*about, "crew", "action", "rate", "hours", "dirty_days", "per_hour"]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    drawn = np.quantile(draws(chosen, seed, choices.effects)[1], tails, axis=1)
    low, high = drawn * (chosen["days"] / chosen["hours"]).to_numpy()
    return chosen[columns].assign(low=low, high=high)


def caption(table: pd.DataFrame | Absent) -> str:
    """Say which action avoids most an hour; `table` as from `by_action`."""
    if isinstance(table, Absent):
        return table.reason
    own = table[table["places"] > 0].sort_values("per_hour", ascending=False)
    parts = [
        f"{row.action} ({row.crew}) {row.per_hour:.2f} at {row.places:,} places"
        for row in own.itertuples()
    ]
    return f"Dirty days avoided by an hour of work, where it fits best: {'; '.join(parts)}"
