"""Wisdom: first signal plans that an engineer can take, change, refuse and answer for."""

import numpy as np
import pandas as pd
from scipy.special import ndtri

from datamall.errors import DatamallError
from datamall.requirements import Absent, passes_absent
from datamall.traffic import serial, signals, weekly
from datamall.traffic.information import check_confidence
from datamall.traffic.peaks import PEAKS, Peaks
from datamall.traffic.plans import KINDS, OVER, Plan
from datamall.traffic.weekly import Floats

RECOMMENDED, KEEP, DOUBT, REFUSED = (
    "try it",
    "keep the plan of now",
    "not enough evidence",
    "no plan",
)
# Standard deviation of what queues that are followed save, against the formula's saving, as a
# share of it: measured at junctions by themselves (`python -m proofs run streets`).
MODEL_ERROR = 0.08
NEEDS = ("another signal plan", "more than timing", "data first", DOUBT, "none")
_KEYS = ["site", "name", "peak"]


@passes_absent
def proposals(
    parts: tuple[Peaks, ...], plans: tuple[Plan, ...], confidence: float, worth: float
) -> pd.DataFrame:
    """Return the first plan of each junction and peak, and what it does on days it did not see.

    Parameters
    ----------
    parts, plans
        As from `peaks.peaks` and `plans.propose`.
    confidence
        Probability with which the intervals of all plans hold together.
    worth
        Person-hours in a peak from which on a change is worth the work.

    Returns
    -------
    pandas.DataFrame
        site, name, peak, verdict, reason, cycle_now, cycle (s), greens (by phase, now → proposed),
        served and ratio_sum (Y, as counted and with headroom), optimal_cycle (Webster's, before
        limits), days (judged), gain (person-hours saved in one peak) with low and high, better_days
        (share of these days on which fewer person-hours are lost), motor, bike and pedestrian
        (parts of the gain), bike_wait_now, bike_wait, pedestrian_wait_now and pedestrian_wait (mean
        wait per person, s), longest_red (s, of all phases, with the plan), cut (lane groups whose
        demand is cut off), doubt (those of which that cannot be told) and coverage.
        Plans to try first, then refusals, doubts and plans to keep; the largest gain first.

    Notes
    -----
    The interval holds what weeks differ and what the formula of delay may be wrong by: a share of
    the gain, `MODEL_ERROR`, as found where queues were followed. Both are taken as independent.

    Verdicts: try it, where the whole interval of the gain is above `worth`; keep the plan of now,
    where it is below and all demand is known; not enough evidence, where it holds it, or where it
    cannot be told whether demand is cut off; no plan, with the reason why. Where
    demand is cut off, gains are computed from what was served, which understates what the phase
    that lacks green would gain.

    Raises
    ------
    DatamallError
        When `worth` is below 0.
    """
    if not worth >= 0:
        raise DatamallError(f"worth is {worth}: set it to 0 or more in params.yaml.")
    frames, gains = [], []
    for own, plan in zip(parts, plans, strict=True):
        frames.append(_effects(own, plan))
        # Delays of the same plan, summed in another order, may differ in the last digits.
        gain = (plan.lost - plan.lost_then).sum(axis=0).round(9)
        gains.append(np.where(plan.judged, gain, np.nan).reshape(len(plan.table), -1))
    together = sum(int((~np.isnan(g)).any(axis=1).sum()) for g in gains)
    pairs = zip(parts, gains, strict=True)
    found = [weekly.means(g, own.week, confidence, together) for own, g in pairs]
    table = pd.concat(frames, ignore_index=True)
    for name, column in {"gain": "mean", "low": "low", "high": "high", "days": "days"}.items():
        table[name] = np.concatenate([getattr(f, column) for f in found])
    beside = -ndtri((1 - confidence) / 2 / max(together, 1)) * MODEL_ERROR * table["gain"].abs()
    width = np.hypot(table["high"] - table["gain"], beside)
    table["low"], table["high"] = table["gain"] - width, table["gain"] + width
    better = [(g > 0).sum(1) / np.maximum((~np.isnan(g)).sum(1), 1) for g in gains]
    table["better_days"] = np.where(table["days"] > 0, np.concatenate(better), np.nan)
    better, known = table["low"] > worth, table["doubt"] == ""
    keep = (table["high"] < worth) & known & (table["cut"] == "")
    steps = [table["refused"] != "", better & known, keep]
    table["verdict"] = np.select(steps, [REFUSED, RECOMMENDED, KEEP], DOUBT)
    table["reason"] = table["refused"].where(table["refused"] != "", _reasons(table, worth))
    place = table["verdict"].map([RECOMMENDED, REFUSED, DOUBT, KEEP].index)
    table = table.assign(place=place, order=-table["gain"].round(9))
    table = table.sort_values(["place", "order", "site", "peak"])
    columns = [*_KEYS, "verdict", "reason", "cycle_now", "cycle", "greens", "served"]
    columns += ["ratio_sum", "optimal_cycle", "days", "gain", "low", "high", "better_days", *KINDS]
    columns += [f"{kind}_wait{when}" for kind in KINDS[1:] for when in ("_now", "")]
    return table[[*columns, "longest_red", "cut", "doubt", "coverage"]].reset_index(drop=True)


def _effects(own: Peaks, plan: Plan) -> pd.DataFrame:
    """Return the rows of a block's plans with what they do to each kind of people."""
    table = plan.table.copy()
    gain = np.where(plan.judged, plan.lost - plan.lost_then, np.nan)
    for number, kind in enumerate(KINDS):
        table[kind] = weekly.row_means(gain[number].reshape(len(table), -1))
    cycle = table["cycle"].to_numpy().reshape(-1, len(PEAKS))
    codes, _ = pd.factorize(own.groups["site"], sort=True)
    red = cycle[codes] - plan.green
    longest = np.full(cycle.shape, -np.inf)
    np.maximum.at(longest, codes, red)
    table["longest_red"] = np.where(np.isnan(cycle), np.nan, longest).ravel()
    now = own.groups[["green", "cycle"]].to_numpy(float).T
    at = own.soft["group"].to_numpy(dtype=int)
    usual = np.nan_to_num(_mean_over(own.people))
    before = signals.waiting_time(*now)[at][:, None]
    after = signals.waiting_time(plan.green, cycle[codes])[at]
    for kind in KINDS[1:]:
        chosen = np.flatnonzero((own.soft["mode"] == kind).to_numpy() & (at >= 0))
        rows, weight = codes[at[chosen]], usual[chosen]
        total, first, then = (np.zeros(cycle.shape) for _ in range(3))
        np.add.at(total, rows, weight)
        np.add.at(first, rows, weight * before[chosen])
        np.add.at(then, rows, weight * after[chosen])
        total = np.where(total > 0, total, np.nan)
        table[f"{kind}_wait_now"] = (first / total).ravel()
        table[f"{kind}_wait"] = (then / total).ravel()
    return table


def _mean_over(people: Floats) -> Floats:
    """Return people per hour in each peak, mean over days and intervals."""
    rows = np.moveaxis(people, 2, 1).reshape(-1, people.shape[1] * people.shape[3])
    return weekly.row_means(rows).reshape(len(people), len(PEAKS))


def _reasons(table: pd.DataFrame, worth: float) -> pd.Series:
    """Return one sentence per plan on what is known of it."""
    days = (100 * table["better_days"]).map("{:.0f} %".format)
    text = "Loses less time on " + days + " of the days that did not choose it."
    tried = text + np.where(
        table["cut"] != "",
        " A first step: demand of " + table["cut"] + " is cut off, so measure again after it.",
        "",
    )
    keep = f"What another plan would save is below {worth:g} person-hours a peak."
    doubt = f"It cannot be told whether another plan would save {worth:g} person-hours a peak."
    hidden = "But it cannot be told whether demand of " + table["doubt"] + " is cut off, and more "
    hidden += "may wait than was counted: look at its queue first."
    more = "Demand of " + table["cut"] + " is cut off: what was counted does not tell what another "
    more += "plan would save."
    steps = [
        table["verdict"] == RECOMMENDED,
        table["verdict"] == KEEP,
        table["doubt"] != "",
        (table["cut"] != "") & (table["high"] < worth),
    ]
    return pd.Series(np.select(steps, [tried, keep, text + " " + hidden, more], doubt), table.index)


@passes_absent
def on_map(groups: pd.DataFrame, plans: pd.DataFrame) -> pd.DataFrame | Absent:
    """Return what each junction needs, and where it lies.

    Parameters
    ----------
    groups, plans
        As from `peaks.lane_groups` and `wisdom.proposals`.

    Returns
    -------
    pandas.DataFrame
        site, name, x, y (m) and needs, of `NEEDS`: another signal plan (in some peak, by its
        verdict), more than timing (no timing solves some peak), data first (no plan for want of
        data), not enough evidence, or none. Of several, what is hardest to get: more than timing
        before a plan, a plan before data. An Absent where no junction has a position.
    """
    table = groups.groupby("site", as_index=False)[["name", "x", "y"]].first()
    if table[["x", "y"]].isna().any(axis=1).all():
        return Absent("Map of the junctions", "Not possible here: no junction has a position.")
    return table.assign(needs=needs(table["site"], plans))


def needs(sites: pd.Series, plans: pd.DataFrame) -> pd.Series:
    """Return what each of some junctions needs, of `NEEDS`; `plans` as from `proposals`."""
    over = plans.loc[plans["reason"].str.endswith(OVER), "site"]
    own = [over, *(plans.loc[plans["verdict"] == v, "site"] for v in (RECOMMENDED, REFUSED, DOUBT))]
    order = [NEEDS[1], NEEDS[0], NEEDS[2], DOUBT]
    found = np.select([sites.isin(some) for some in own], order, NEEDS[4])
    return pd.Series(found, index=sites.index)


@passes_absent
def to_confirm(
    parts: tuple[Peaks, ...],
    plans: tuple[Plan, ...],
    table: pd.DataFrame,
    weeks: int,
    confidence: float,
    power: float,
) -> pd.DataFrame:
    """Say what to measure to confirm each plan that is worth trying, and for how long.

    Parameters
    ----------
    parts, plans, table
        As from `peaks.peaks`, `plans.propose` and `proposals`.
    weeks
        Weeks to be measured before, and again after the change.
    confidence
        Level of the test.
    power
        Probability with which a change of the stated size should be found.

    Returns
    -------
    pandas.DataFrame
        site, name, peak, gain (expected, person-hours in one peak), weeks_needed (each before and
        after, to find it; NA where two years would not do), enough (whether `weeks` are),
        detectable (smallest change found with `weeks`), detectable_share (of what is lost now),
        lost (now), week_sd (standard deviation of one week's mean) and measure (what).

    Notes
    -----
    A change of level of a series whose weeks resemble each other as those of now do
    (`serial.findable`): (z(1 − α/2) + z(power)) times its standard error. The weeks of now vary in
    volume alone; measured delay varies more, so that these weeks are the least.
    """
    check_confidence(confidence)
    if weeks < 1:
        raise DatamallError(f"weeks_to_confirm is {weeks}: set it to at least 1 in params.yaml.")
    if not 0 < power < 1:
        raise DatamallError(f"power is {power}: set it between 0 and 1 in params.yaml.")
    frames = []
    for own, plan in zip(parts, plans, strict=True):
        lost = plan.lost.sum(axis=0).reshape(len(plan.table), -1)
        found = weekly.means(lost, own.week, confidence)
        frame = plan.table[_KEYS].assign(lost=found.mean, week_sd=found.week_sd)
        frames.append(frame.assign(series=list(weekly.by_week(lost, own.week))))
    tried = table.loc[table["verdict"] == RECOMMENDED, [*_KEYS, "gain", "cut"]]
    result = tried.merge(pd.concat(frames), on=_KEYS, validate="one_to_one")
    both = list(zip(result["series"], result["gain"], strict=True))
    least = [serial.findable(one, weeks, confidence, power) for one, _ in both]
    result["detectable"] = np.array(least, dtype=float)
    result["detectable_share"] = result["detectable"] / result["lost"]
    needed = [serial.weeks_needed(one, gain, confidence, power) for one, gain in both]
    result["weeks_needed"] = pd.array(needed, dtype="Int64")
    result["enough"] = result["weeks_needed"].le(weeks).fillna(False)
    own_cut = "queue at the end of green on " + result["cut"] + ", and delay of all approaches"
    result["measure"] = own_cut.where(result["cut"] != "", "delay of all approaches in the peak")
    columns = [*_KEYS, "gain", "weeks_needed", "enough", "detectable", "detectable_share", "lost"]
    return result[[*columns, "week_sd", "measure"]]


@passes_absent
def decision_records(table: pd.DataFrame) -> pd.DataFrame:
    """Return one record per junction and peak that people have to decide on.

    Parameters
    ----------
    table
        As from `proposals`.

    Returns
    -------
    pandas.DataFrame
        site, name, peak, recommended, expected.
    """
    plan = "cycle " + table["cycle"].map("{:.0f}".format) + " s, " + table["greens"]
    interval = table[["gain", "low", "high"]].map("{:.1f}".format)
    gain = interval["gain"] + " person-hours a peak less (" + interval["low"] + " to "
    gain += interval["high"] + ")"
    tried = table["verdict"] == RECOMMENDED
    return table[_KEYS].assign(
        recommended=plan.where(tried, "no change now: " + table["verdict"]),
        expected=gain.where(tried, table["reason"]),
    )
