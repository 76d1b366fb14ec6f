"""What can a council choose: each measure reckoned on the same days, beside doing nothing."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.errors import DatamallError
from datamall.requirements import passes_absent
from datamall.traffic import measures, plans, timing
from datamall.traffic.capacity import NOT_ENOUGH, cut_off
from datamall.traffic.measures import Assumed, Changed
from datamall.traffic.peaks import PEAKS, Peaks, over_days
from datamall.traffic.plans import KINDS, OVER, Plan, Rules
from datamall.traffic.weekly import Floats

NOTHING, TIMINGS, LANE, BIKES, BAN, DOSING = (
    "nothing",
    "timings",
    "turn lane",
    "bike phase",
    "ban",
    "dosing",
)
SCENARIOS = (NOTHING, TIMINGS, LANE, BIKES, BAN, DOSING)


@dataclass(frozen=True)
class Compared:
    """What each scenario saves on each day that chose no plan.

    Attributes
    ----------
    rows
        One per junction, peak and scenario: site, name, peak, scenario, what (is done), cycle (s),
        cut, doubt (lane groups whose demand is or may be cut off), moved (see `measures.Changed`),
        approach (which it is moved from) and refused (why it is not reckoned, or empty).
    gain
        Person-hours saved, shape (rows, kinds, days), kinds as `plans.KINDS`; NaN where not known.
    detour
        Person-hours that everybody stopped by a ban would lose by going round; (rows, days).
    lost
        Person-hours lost now, shape (rows, days).
    legs
        As `rows`, one per approach of the scenario asked for: site, name, peak, scenario, approach.
    leg_gain
        As `gain`, by `legs`.
    week
        Number of the week of each day.
    gone
        Share of those stopped who do not come at all.
    """

    rows: pd.DataFrame
    gain: Floats
    detour: Floats
    lost: Floats
    legs: pd.DataFrame
    leg_gain: Floats
    week: NDArray[np.int64]
    gone: float


@passes_absent
def compare(
    parts: tuple[Peaks, ...],
    found: tuple[Plan, ...],
    plateaus: pd.DataFrame,
    rules: Rules,
    assumed: Assumed,
    scenario: str,
) -> Compared:
    """Reckon every scenario at every junction and peak.

    Parameters
    ----------
    parts, found, plateaus, rules
        As for and from `plans.propose`; its refusals hold here, too. Where only the flows are too
        high for any timing, what is no timing is reckoned all the same.
    assumed
        What is assumed of measures.
    scenario
        The one of `SCENARIOS` whose approaches are wanted.

    Notes
    -----
    Every measure gets greens divided anew by `plans.choose`, on the weeks that choose; what it
    saves is reckoned on the weeks between, against the plan of now on the same days. So *timings*
    is in each of the others, and what a measure adds is the difference to it. Where demand is or
    may be cut off, greens make room as `timing.demanded` has it, but hours are of who was
    counted.

    Raises
    ------
    DatamallError
        When there is no such scenario.
    """
    if scenario not in SCENARIOS:
        raise DatamallError(f"scenario is {scenario!r}: choose one of {', '.join(SCENARIOS)}.")
    days = pd.DatetimeIndex([])
    for own in parts:
        days = days.union(own.days[own.judged])
    pieces: list[_Piece] = []
    for own, plan in zip(parts, found, strict=True):
        cut, doubt = cut_off(own, plateaus), cut_off(own, plateaus, NOT_ENOUGH)
        at = days.get_indexer(own.days)
        for rows, part in own.parts():
            table = plan.table[plan.table["site"].isin(set(part.groups["site"]))]
            timings = table.reset_index(drop=True), plan.green[rows]
            flags = cut[rows], doubt[rows]
            pieces += _part(part, timings, flags, rules, assumed, (scenario, at, len(days)))
    names = ("gain", "detour", "lost", "leg_gain")
    joined = {name: np.concatenate([getattr(one, name) for one in pieces]) for name in names}
    rows, legs = (
        pd.concat([getattr(one, name) for one in pieces], ignore_index=True)
        for name in ("rows", "legs")
    )
    week = ((days - pd.Timestamp("2000-01-03")).days // 7).to_numpy()
    return Compared(rows=rows, legs=legs, week=week, gone=assumed.ban_gone, **joined)


@dataclass(frozen=True)
class _Piece:
    """One scenario at some junctions, as the fields of `Compared`."""

    rows: pd.DataFrame
    gain: Floats
    detour: Floats
    lost: Floats
    legs: pd.DataFrame
    leg_gain: Floats


def _part(
    own: Peaks,
    timings: tuple[pd.DataFrame, Floats],
    flags: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    rules: Rules,
    assumed: Assumed,
    wanted: tuple[str, NDArray[np.int64], int],
) -> list[_Piece]:
    """Return each scenario of some junctions."""
    groups, (table, green) = own.groups, timings
    flow = over_days(own.in_hour.mean(axis=3)[:, ~own.judged], np.nanmean)
    demand = np.stack(
        [
            timing.demanded(groups, flow[:, n], flags[0][:, n], flags[1][:, n], rules.headroom)
            for n in range(len(PEAKS))
        ],
        axis=1,
    )
    ratio = demand / groups["capacity"].to_numpy()[:, None]
    # The weeks that choose see the demand with its headroom; those that judge, what was counted.
    more = np.where(flow > 0, demand / np.where(flow > 0, flow, 1), 1.0)[:, None, :, None]
    volume = np.where(own.judged[:, None, None], own.volume, own.volume * more)
    asked = replace(own, volume=volume)
    now = _by_group(own, groups["green"].to_numpy(), groups["cycle"].to_numpy())
    data = table["refused"].where(~table["refused"].str.endswith(OVER), "")
    pieces = []
    for name in SCENARIOS:
        changed = _changed(name, asked, demand, ratio, now[0], assumed)
        kept = changed.kept
        if name == NOTHING:
            done, then = table.assign(cycle=table["cycle_now"], refused=""), now
        else:
            if name == TIMINGS:
                done, greens = table, green
                cycles = _cycles(own, table)
            else:
                none = np.zeros((len(kept), len(PEAKS)), dtype=bool)
                done, greens, cycles = plans.choose(changed.own, none, none, rules)
            then = np.zeros(now.shape)
            then[:, kept] = _by_group(changed.own, greens, cycles)
            if name == BIKES:
                alone = np.full(cycles.shape, assumed.bike_green)
                then[1] = _by_group(changed.own, alone, cycles)[1]
        if changed.hours is not None:
            then[0] += changed.hours
        way = np.zeros(now.shape[1:])
        if name == BAN:
            stopped = np.setdiff1d(np.arange(len(groups)), kept)
            way[stopped] = _people(own)[stopped] * assumed.detour / 3600
            then[0] += (1 - assumed.ban_gone) * way
        rows = _rows(done, table.assign(data=data), changed, groups, name)
        # Delays of the same plan, summed in another order, may differ in the last digits.
        gain = (now - then).round(9)
        pieces.append(_piece(own, rows, gain, way, now, changed, wanted))
    return pieces


def _changed(
    name: str, own: Peaks, demand: Floats, ratio: Floats, lost: Floats, assumed: Assumed
) -> Changed:
    if name == LANE:
        return measures.turn_lane(own, ratio, assumed)
    if name == BIKES:
        return measures.bike_phase(own, assumed)
    if name == BAN:
        return measures.ban(own, demand, ratio, lost, assumed)
    if name == DOSING:
        return measures.dosing(own, ratio, assumed)
    what = "as it is" if name == NOTHING else "greens divided anew"
    sites = map(str, own.groups["site"].unique())
    return Changed(own, np.arange(len(own.groups)), dict.fromkeys(sites, what))


def _by_group(own: Peaks, green: Floats, cycle: Floats) -> Floats:
    """Return `plans.person_hours` of each lane group, shape (kinds, groups, peaks, days)."""
    label = [f"{row:09d}" for row in range(len(own.groups))]
    return plans.person_hours(replace(own, groups=own.groups.assign(site=label)), green, cycle)


def _people(own: Peaks) -> Floats:
    """Return how many people of each lane group pass in a peak, shape (groups, peaks, days)."""
    known = ~np.isnan(own.riders)
    number = known.sum(axis=3)
    mean = np.where(known, own.riders, 0).sum(axis=3) / np.where(number > 0, number, np.nan)
    return np.moveaxis(mean * own.riders.shape[3] * own.interval / 60, 2, 1)


def _cycles(own: Peaks, table: pd.DataFrame) -> Floats:
    """Return the cycle of each lane group and peak, from rows of junctions and peaks."""
    codes, _ = pd.factorize(own.groups["site"], sort=True)
    return np.asarray(table["cycle"].to_numpy(float).reshape(-1, len(PEAKS))[codes])


def _rows(
    done: pd.DataFrame, table: pd.DataFrame, changed: Changed, groups: pd.DataFrame, name: str
) -> pd.DataFrame:
    """Return `Compared.rows` of one scenario; `groups` are the lane groups of now."""
    rows = table[["site", "name", "peak", "cut", "doubt"]].assign(scenario=name)
    pairs = list(zip(rows["site"], rows["peak"], strict=True))
    rows["what"] = [changed.said(changed.what, *pair) for pair in pairs]
    own = pd.Series([changed.said(changed.refused, *pair) for pair in pairs], rows.index)
    own = own.where(own != "", done["refused"])
    rows["refused"] = table["data"].where(table["data"] != "", own)
    known = rows["refused"] == ""
    rows["cycle"] = done["cycle"].where(known)
    rows["what"] = rows["what"].where(known, "")
    rows["moved"], rows["approach"] = 0.0, ""
    if changed.moved is not None:
        place = {pair: number for number, pair in enumerate(pairs)}
        for row, number in np.argwhere(changed.moved > 0):
            at = place[groups["site"].iloc[row], list(PEAKS)[number]]
            rows.loc[at, "moved"] = changed.moved[row, number]
            rows.loc[at, "approach"] = groups["approach"].iloc[row]
    rows["moved"], rows["approach"] = rows["moved"].where(known), rows["approach"].where(known, "")
    return rows


def _piece(
    own: Peaks,
    rows: pd.DataFrame,
    gain: Floats,
    way: Floats,
    now: Floats,
    changed: Changed,
    wanted: tuple[str, NDArray[np.int64], int],
) -> _Piece:
    """Sum up lane groups, and put days into the places of all days."""
    scenario, at, number = wanted
    judged = np.flatnonzero(at >= 0)
    unknown = (rows["refused"] != "").to_numpy()

    def summed(values: Floats, codes: NDArray[np.int64], hidden: NDArray[np.bool_]) -> Floats:
        """Return (lane groups, peaks, days) as (rows, all days)."""
        total = np.zeros((codes.max() + 1, *values.shape[1:]))
        np.add.at(total, codes, values)
        total = total.reshape(-1, values.shape[2])
        result = np.full((len(total), number), np.nan)
        result[:, at[judged]] = total[:, judged]
        result[hidden] = np.nan
        return result

    sites, _ = pd.factorize(own.groups["site"], sort=True)
    kinds = np.stack([summed(one, sites, unknown) for one in gain], axis=1)
    about = own.groups[["site", "name", "approach"]].drop_duplicates(["site", "approach"])
    legs, leg_gain = pd.DataFrame(), np.zeros((0, len(KINDS), number))
    if rows["scenario"].iloc[0] == scenario:
        leg = pd.MultiIndex.from_frame(about[["site", "approach"]])
        codes = leg.get_indexer(pd.MultiIndex.from_frame(own.groups[["site", "approach"]]))
        legs = about.loc[about.index.repeat(len(PEAKS))].reset_index(drop=True)
        legs["peak"], legs["scenario"] = np.tile(list(PEAKS), len(about)), scenario
        refused = rows.set_index(["site", "peak"])["refused"]
        pairs = pd.MultiIndex.from_frame(legs[["site", "peak"]])
        hidden = (refused.reindex(pairs) != "").to_numpy()
        leg_gain = np.stack([summed(one, codes, hidden) for one in gain], axis=1)
    detour, lost = (summed(one, sites, unknown) for one in (way, now.sum(axis=0)))
    return _Piece(rows, kinds, detour, lost, legs, leg_gain)
