"""Wisdom, before an action: who starts when, and how small an effect could be found.

Which places start first is drawn by lot, so that those that wait differ from them by chance alone
(`effect` compares them). A trial that cannot find what it is made for is known before it begins.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from datamall.enforcement.information import COUNTED, Tables, known_of
from datamall.enforcement.knowledge import check_level, dirty_rates, within_places
from datamall.enforcement.sums import INSPECTIONS, slices
from datamall.errors import DatamallError
from datamall.requirements import Absent, needs

QUARTER = 13  # weeks
_PERIOD = (f"{INSPECTIONS}.period_start", f"{INSPECTIONS}.period_days")


def calendar(
    places: pd.DataFrame,
    steps: int,
    first_day: pd.Timestamp,
    weeks: int,
    seed: int,
    waiting: bool = True,
) -> pd.DataFrame:
    """Draw by lot in which step each place starts.

    Parameters
    ----------
    places
        cluster and, as far as known, kind and district: groups get their share of each.
    steps
        Number of days on which places start.
    first_day, weeks
        First day of the first step; length of each.
    seed
        Of the lot: keep it with the calendar, so that everybody can draw it again.
    waiting
        Whether one more group waits to the end, so that the last step can be compared too.

    Returns
    -------
    pandas.DataFrame
        One row per place and step, by place: what is known of the place, starts (step, from 1;
        one more than there are steps for those who wait), chance (of that group), step, day (first
        of the step) and begun (bool).

    Raises
    ------
    DatamallError
        When a place stands twice, or there are fewer than two places for each group.

    Notes
    -----
    Places lie in order of kind, district and lot; groups are dealt round, their order drawn anew
    each round. Numbers of places in two groups differ by one at most, in each kind and district by
    two.
    """
    groups = steps + waiting
    if steps < 1 or weeks < 1 or groups < 2:
        raise DatamallError("A calendar needs a week, and two groups that start at other times.")
    if places["cluster"].duplicated().any():
        twice = places.loc[places["cluster"].duplicated(), "cluster"].min()
        raise DatamallError(f"Place {twice} stands twice among the places: name it once.")
    if len(places) < 2 * groups:
        raise DatamallError(
            f"{len(places)} places make no {groups} groups of two: choose more places, or fewer "
            "steps."
        )
    rng = np.random.Generator(np.random.PCG64(seed))
    about = known_of(places)
    table = places[about].sort_values("cluster", ignore_index=True)
    table["lot"] = rng.permutation(len(table))
    table = table.sort_values([c for c in ("kind", "district") if c in about] + ["lot"])
    rounds = -(-len(table) // groups)
    dealt = rng.permuted(np.tile(np.arange(1, groups + 1), (rounds, 1)), axis=1).ravel()
    table["starts"] = dealt[: len(table)]
    table["chance"] = 1 / groups
    table = table.drop(columns="lot").sort_values("cluster")
    days = pd.DataFrame({"step": np.arange(1, steps + 1)})
    days["day"] = pd.Timestamp(first_day) + pd.to_timedelta(7 * weeks * (days["step"] - 1), "D")
    rows = table.merge(days, how="cross")
    return rows.assign(begun=rows["step"] >= rows["starts"])


def actions(drawn: pd.DataFrame, action: str) -> pd.DataFrame:
    """Return a calendar as `effect.effects` takes it: cluster, action, first_day, drawn."""
    first = drawn[drawn["begun"]].groupby("cluster")["day"].min()
    table = drawn.drop_duplicates("cluster")[["cluster"]].reset_index(drop=True)
    table["action"], table["first_day"] = action, table["cluster"].map(first)
    return table.assign(drawn=np.where(table["first_day"].isna(), "control", "treated"))


@needs("What a trial could find", *COUNTED, _PERIOD[1], varying=_PERIOD[:1])
def past_looks(data: Tables, clusters: Sequence[str]) -> pd.DataFrame | Absent:
    """Return what the past says of places that are to have an action.

    Parameters
    ----------
    data
        The extract.
    clusters
        Names of the places.

    Returns
    -------
    pandas.DataFrame
        cluster, looks (inspections per week), rate and sd (pooled: their quotient says how far the
        place may differ from what is expected of it) and likeness (of two looks in one quarter, the
        same for all); an Absent where none of the places was looked at.
    """
    rates, quarters = dirty_rates(data, 0.9), within_places(data)
    if isinstance(rates, Absent):
        return rates
    rho = 0.0 if isinstance(quarters, Absent) else float(np.nan_to_num(quarters.loc[0, "likeness"]))
    begin, end = [], []
    for part in slices(data[INSPECTIONS]):
        begin.append(part["period_start"].min())
        length = pd.to_timedelta(part["period_days"].astype(int), unit="D")
        end.append((part["period_start"] + length).max())
    weeks = (max(end) - min(begin)).days / 7
    own = rates[rates["cluster"].isin(list(clusters))].reset_index(drop=True)
    if own.empty:
        reason = "Not possible here: none of these places was ever looked at."
        return Absent("What a trial could find", reason)
    looks = own["inspections"] / weeks
    return own[["cluster", "rate", "sd"]].assign(looks=looks, likeness=rho)


def smallest_effect(
    past: pd.DataFrame, drawn: pd.DataFrame, weeks: float, power: float = 0.8, level: float = 0.95
) -> float:
    """Return the smallest decrease that would be found, as a share of the nuisance.

    Parameters
    ----------
    past, drawn
        As from `past_looks` and `calendar`, of the same places.
    weeks
        Length of each step.
    power
        Chance to find it.
    level
        Of the interval that must not hold nought; two-sided.

    Returns
    -------
    float
        0.2 is a fifth; NaN with fewer than two places that begin or wait.

    Notes
    -----
    Standard error of Hussey and Hughes (2007, Contemporary Clinical Trials 28:182, equation 7) on
    the scale of the logarithm of the rate. Between places (tau²): how far each may differ from its
    pooled rate. Within (sigma²), of one place and step: (1 - p) / (p n) times Kish's design effect
    1 + (m - 1) rho, for the m looks of n that fall in one quarter. A place weighs by the finds that
    are expected there. Student's t as in `effect`.
    """
    check_level("power", power)
    check_level("level", level)
    own = drawn[drawn["cluster"].isin(past["cluster"])]
    begun = own.pivot_table(index="cluster", columns="step", values="begun").to_numpy(float)
    places, steps = begun.shape
    ever = int((begun.max(axis=1) > 0).sum())
    idle = int((begun.min(axis=1) == 0).sum())
    if min(ever, idle) < 2:
        return float("nan")
    looks = past["looks"] * weeks
    share = looks * past["rate"] / (looks * past["rate"]).sum()
    weight = places * share**2  # of a variance, in that of the mean over places
    together = looks * min(weeks, QUARTER) / weeks
    effect = 1 + np.maximum(together - 1, 0) * past["likeness"]
    within = (weight * (1 - past["rate"]) / (past["rate"] * looks) * effect).sum()
    between = (weight * (past["sd"] / past["rate"]) ** 2).sum()
    u, v = begun.sum(), np.square(begun.sum(axis=1)).sum()
    w = np.square(begun.sum(axis=0)).sum()
    known = (places * u - w) * within
    known += (u**2 + places * steps * u - steps * w - places * v) * between
    variance = places * within * (within + steps * between) / known
    degrees = min(ever, idle) - 1
    width = stdtrit(degrees, (1 + level) / 2) + stdtrit(degrees, power)
    return float(1 - np.exp(-width * np.sqrt(variance)))


def weeks_needed(
    past: pd.DataFrame,
    drawn: pd.DataFrame,
    wanted: float,
    longest: int = 52,
    power: float = 0.8,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the smallest effect that could be found with steps of each length.

    Parameters
    ----------
    past, drawn, power, level
        As for `smallest_effect`.
    wanted
        Smallest decrease that is worth finding.
    longest
        Weeks of a step that are tried at most.

    Returns
    -------
    pandas.DataFrame
        weeks (of a step), total (weeks of the trial), findable and enough (bool: at most what is
        wanted). Where no row is enough, more weeks do not help: choose more places.
    """
    check_level("wanted", wanted)
    weeks = np.arange(1, longest + 1)
    findable = [smallest_effect(past, drawn, float(number), power, level) for number in weeks]
    table = pd.DataFrame({"weeks": weeks, "total": weeks * drawn["step"].nunique()})
    return table.assign(findable=findable, enough=np.array(findable) <= wanted)


def describe(table: pd.DataFrame, places: int, wanted: float) -> str:
    """Say in a sentence or two whether the trial can find what it is made for.

    Parameters
    ----------
    table, wanted
        As from and for `weeks_needed`.
    places
        Number of places.
    """
    aim = f"a decrease by {100 * wanted:.0f} %"
    enough = table[table["enough"]]
    if len(enough):
        first = enough.iloc[0]
        return (
            f"With {places} places steps of {first['weeks']} weeks, {first['total']} in all, find "
            f"{aim} in 8 of 10 cases."
        )
    last = table.iloc[-1]
    if np.isnan(last["findable"]):
        return f"{places} places are too few to find anything: groups need two each."
    return (
        f"Even steps of {last['weeks']} weeks find no less than {100 * last['findable']:.0f} % in "
        f"8 of 10 cases: to find {aim}, choose more than {places} places."
    )
