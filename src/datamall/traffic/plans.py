"""First signal plans by Webster's method, with the reasons for which none is given.

A plan is chosen on every other week and judged on the weeks between them, so that what it gains is
no echo of the days that chose it, and can be negative.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.errors import DatamallError
from datamall.requirements import passes_absent
from datamall.traffic import changes, safety, signals, timing
from datamall.traffic.capacity import NOT_ENOUGH, cut_off, delays, exceeded
from datamall.traffic.peaks import PEAKS, Peaks, over_days
from datamall.traffic.weekly import Floats

SLACK = 1.0  # seconds by which the greens of the plan of now may miss the cycle: rounding
KINDS = ("motor", "bike", "pedestrian")
OVER = "no timing solves it."
UNSEEN = "Closed or not counted: nothing passed in this peak, or nobody knows what did."
DAY_SHARE = 0.75  # of the intervals of a peak that must be counted for a day to be judged


@dataclass(frozen=True)
class Rules:
    """What a plan must keep to.

    Attributes
    ----------
    longest_cycle
        In seconds.
    headroom
        Share by which demand that is cut off is taken to exceed what the plan of now can serve.
    coverage
        Least share of the peaks of working days in which a junction must have been counted.
    weeks
        Least number of weeks of the pattern of now, where a road changed.
    """

    longest_cycle: float
    headroom: float
    coverage: float
    weeks: int = 6

    def __post_init__(self) -> None:
        """Refuse rules that no plan could keep to.

        Raises
        ------
        DatamallError
            When a share is not between 0 and 1 or the cycle is not above 0.
        """
        shares = {"headroom": self.headroom, "least_coverage": self.coverage}
        for name, value in shares.items():
            if not 0 < value < 1:
                raise DatamallError(f"{name} is {value}: set it between 0 and 1 in params.yaml.")
        if not self.longest_cycle > 0:
            sentence = f"longest_cycle is {self.longest_cycle}: set it above 0 in params.yaml."
            raise DatamallError(sentence)


@dataclass(frozen=True)
class Plan:
    """Plans of one block, and what they cost and save.

    Attributes
    ----------
    table
        One row per junction and peak, in this order: site, name, peak, served (sum over phases of
        the flow ratio as counted), ratio_sum (Y: the same with headroom where demand is cut off),
        cut (lane groups whose demand is cut off), doubt (those of which that cannot be told),
        coverage (share of the days of the pattern of now, from first count to last), cycle_now,
        optimal_cycle, cycle, greens (in words) and refused (why there is no plan, or empty).
    green
        Proposed effective greens, shape (groups, peaks), NaN without a plan.
    lost
        Person-hours lost on each day with the plan of now, shape (kinds, junctions, peaks, days);
        kinds as in `KINDS`. NaN of a junction whose capacity on file is wrong.
    lost_then
        The same with the proposed plan.
    judged
        Days that took no part in choosing.
    """

    table: pd.DataFrame
    green: Floats
    lost: Floats
    lost_then: Floats
    judged: NDArray[np.bool_]


@passes_absent
def propose(
    parts: tuple[Peaks, ...],
    plateaus: pd.DataFrame,
    rules: Rules,
    changed: pd.DataFrame | None = None,
) -> tuple[Plan, ...]:
    """Propose a plan per junction and peak and judge it on the days that did not choose it.

    Parameters
    ----------
    parts
        As from `peaks.peaks`.
    plateaus
        As from `censoring.plateaus`.
    rules
        What a plan must keep to.
    changed
        As from `changes.changes`, of the counts of which `changes.now` made these peaks.
    """
    found, since = [], changes.said(changed)
    for own in parts:
        cut, doubt = cut_off(own, plateaus), cut_off(own, plateaus, NOT_ENOUGH)
        above = exceeded(own, plateaus)
        lately = changes.lately(own.volume)
        each = [
            _propose(
                part,
                cut[rows],
                doubt[rows],
                (above[0][rows], above[1][rows]),
                since,
                lately[rows],
                rules,
            )
            for rows, part in own.parts()
        ]
        found.append(
            Plan(
                pd.concat([plan.table for plan in each], ignore_index=True),
                np.concatenate([plan.green for plan in each]),
                np.concatenate([plan.lost for plan in each], axis=1),
                np.concatenate([plan.lost_then for plan in each], axis=1),
                each[0].judged,
            )
        )
    return tuple(found)


def _propose(
    own: Peaks,
    cut: NDArray[np.bool_],
    doubtful: NDArray[np.bool_],
    above: tuple[Floats, NDArray[np.bool_]],
    since: dict[str, str],
    lately: Floats,
    rules: Rules,
) -> Plan:
    groups, wrong, doubts = own.groups, np.zeros(len(own.groups), dtype=bool), {}
    for site, members in groups.groupby("site").indices.items():
        wrong[members] = ~np.isnan(above[0][members]).all()
        weeks = len(np.unique(own.week[own.asked[members].any(axis=0)]))
        doubt = _wrong(groups.iloc[members], above[0][members], above[1][members])
        doubt = doubt or _ended(own.until[members])
        doubts[site] = doubt or _changed(since.get(str(site), ""), weeks, rules)
    table, green, cycles = choose(own, cut, doubtful, rules, doubts, lately)
    lost = person_hours(own, groups["green"].to_numpy(), groups["cycle"].to_numpy(), wrong)
    return Plan(table, green, lost, person_hours(own, green, cycles), own.judged)


def choose(
    own: Peaks,
    cut: NDArray[np.bool_],
    doubtful: NDArray[np.bool_],
    rules: Rules,
    doubts: dict[str, str] | None = None,
    lately: Floats | None = None,
) -> tuple[pd.DataFrame, Floats, Floats]:
    """Choose a plan for each junction and peak on every other week.

    Parameters
    ----------
    own
        Some junctions.
    cut, doubtful
        Where demand is cut off, and where that cannot be told, shape (groups, peaks).
    rules
        What a plan must keep to.
    doubts
        Site → why there is no plan whatever its flows.
    lately
        As from `changes.lately`, shape (groups, peaks); None: not asked.

    Returns
    -------
    tuple
        Rows as `Plan.table`, and greens and cycles (s), shape (groups, peaks), NaN without a plan.
    """
    groups = own.groups
    flow = over_days(own.in_hour.mean(axis=3)[:, ~own.judged], np.nanmean)
    known = (~np.isnan(own.volume)).mean(axis=3)
    asked = own.asked[:, :, None]
    counted = np.where(asked, known, 0).sum(axis=1) / np.maximum(asked.sum(axis=1), 1)
    green = np.full((len(groups), len(PEAKS)), np.nan)
    cycles, rows = green.copy(), []
    for site, members in groups.groupby("site").indices.items():
        named = groups.iloc[members]
        doubt = (doubts or {}).get(str(site)) or _doubt(named)
        for number, peak in enumerate(PEAKS):
            unknown = cut[members, number], doubtful[members, number]
            part = (flow[members, number], *unknown, counted[members, number].min())
            said = doubt
            if lately is not None:
                said = said or _unlike(lately[members, number], _names(named))
            row, found = _site(named, said, *part, rules)
            rows.append({"site": site, "peak": peak} | row)
            green[members, number] = found
            cycles[members, number] = row["cycle"]
    return pd.DataFrame(rows), green, cycles


def _site(
    groups: pd.DataFrame,
    doubt: str,
    flow: Floats,
    cut: NDArray[np.bool_],
    doubtful: NDArray[np.bool_],
    coverage: float,
    rules: Rules,
) -> tuple[dict[str, Any], Floats]:
    """Return the row of one junction and peak, and the greens of its lane groups."""
    phase, phases = pd.factorize(groups["phase"], sort=True)

    def highest(values: Floats) -> Floats:
        return np.array([values[phase == one].max() for one in range(len(phases))])

    saturation, now = groups["saturation_flow"].to_numpy(), groups["cycle"].iloc[0]
    demand = timing.demanded(groups, flow, cut, doubtful, rules.headroom)
    ratio, least = highest(demand / saturation), highest(timing.shortest_greens(groups))
    lost, total = groups["lost_time"].iloc[0], float(ratio.sum())
    optimal = float(signals.optimal_cycle(total, lost))
    refused = doubt or _uncounted(coverage, rules) or _unseen(flow, _names(groups))
    refused = refused or _limits(total, least.sum(), lost, cut, rules)
    # Which lane groups need green of their own is not known without phases.
    known = (groups["phase"] != "").all()
    row = {
        "name": groups["name"].iloc[0],
        "served": float(highest(flow / saturation).sum()) if known else np.nan,
        "ratio_sum": total if known else np.nan,
        "cut": ", ".join(_names(groups)[cut]),
        "doubt": ", ".join(_names(groups)[doubtful & ~cut]),
        "coverage": coverage,
        "cycle_now": now,
        "optimal_cycle": optimal if known else np.nan,
        "cycle": np.nan,
        "greens": "",
        "refused": refused,
    }
    if refused:
        return row, np.full(len(groups), np.nan)
    green, cycle = timing.timed(demand, saturation, phase, least, lost, now, rules.longest_cycle)
    before = highest(groups["green"].to_numpy())
    words = [f"{p}: {b:.0f} → {g:.0f} s" for p, b, g in zip(phases, before, green, strict=True)]
    return row | {"cycle": cycle, "greens": "; ".join(words)}, green[phase]


def _doubt(groups: pd.DataFrame) -> str:
    """Say what is not known of a junction for a plan in any peak, or nothing."""
    if (groups["phase"] == "").any():
        return "Conflict data missing: which lane groups may run together is not delivered."
    needed = ["saturation_flow", "green", "cycle", "lost_time"]
    lacking = [c.replace("_", " ") for c in needed if groups[c].isna().any()]
    if lacking:
        return f"Not delivered for every lane group: {', '.join(lacking)}."
    # Beside a lane group without pedestrian time nobody crosses, if others have one.
    if groups["minimum_green"].isna().any() or groups["pedestrian_time"].isna().all():
        return "Minimum green or pedestrian time missing: a plan could not be shown to keep them."
    phases = groups.groupby("phase")["green"]
    off = abs(phases.max().sum() + groups["lost_time"].iloc[0] - groups["cycle"].iloc[0])
    one = groups[["cycle", "lost_time"]].nunique().max() == 1
    if phases.agg(np.ptp).max() > SLACK or off > SLACK or not one:
        return "The plan of now does not add up: its greens and lost time are not its cycle."
    if len(phases) == 1:
        return "One phase alone: there is no other to give green to or take it from."
    return safety.unsafe(groups)


def _names(groups: pd.DataFrame) -> NDArray:
    return (groups["approach"] + " " + groups["lane_group"]).to_numpy(dtype=object)


def _wrong(groups: pd.DataFrame, above: Floats, queue: NDArray[np.bool_]) -> str:
    """Say that a capacity on file is refuted by the counts, or nothing."""
    if np.isnan(above).all():
        return ""
    first = int(np.nanargmax((above / groups["capacity"].to_numpy()).round(9)))
    row = groups.iloc[first]
    said = f"The capacity on file is wrong: {_names(groups)[first]} passes {above[first]:,.0f} an "
    said += f"hour, {row['capacity']:,.0f} on file."
    if queue[first]:
        saturation = above[first] * row["cycle"] / row["green"]
        said += (
            f" A queue is sure, so its saturation flow is about {saturation:,.0f} pcu/h, if the "
        )
        said += "green on file is right."
    return said


def _ended(until: NDArray[np.datetime64]) -> str:
    """Say that some lane group is no longer counted, or nothing."""
    if np.isnat(until).all():
        return ""
    day = pd.Timestamp(np.nanmin(until))
    said = (
        f"No longer counted: the last working day is {day.day} {day.month_name()} {day.year}, and"
    )
    return f"{said} what passes now is not known."


def _changed(since: str, weeks: int, rules: Rules) -> str:
    """Say that the road changed too short a while ago, or nothing."""
    if not since or weeks >= rules.weeks:
        return ""
    number = "1 week since then is" if weeks == 1 else f"{weeks} weeks since then are"
    return f"{since}: {number} too few."


def _unlike(lately: Floats, names: NDArray) -> str:
    """Say that the last days may be those of another road, or nothing."""
    if np.isnan(lately).all():
        return ""
    first = int(np.nanargmax(np.abs(np.log(lately)).round(9)))
    said = f"The last five working days are unlike the weeks before ({names[first]}: "
    return f"{said}{lately[first]:.2f} times): see first whether that lasts."


def _uncounted(coverage: float, rules: Rules) -> str:
    """Say that too little was counted in a peak, or nothing."""
    if not coverage > 0:
        return UNSEEN
    if not coverage >= rules.coverage:
        return (
            f"Counted in {100 * coverage:.0f} % of the peaks, less than {100 * rules.coverage:g} %:"
            " first mend the detectors."
        )
    return ""


def _unseen(flow: Floats, names: NDArray) -> str:
    """Say where the days which choose a plan show no flow, or nothing."""
    none = ~(flow > 0)
    if none.all():
        return UNSEEN
    shut = ", ".join(names[none])
    return f"Closed or not counted in this peak: {shut}." if shut else ""


def _limits(total: float, least: float, lost: float, cut: NDArray[np.bool_], rules: Rules) -> str:
    """Say why no timing solves it, or nothing."""
    need = f"Flows need {total:.2f} of the time"
    if cut.any():
        need += f", with {100 * rules.headroom:g} % more than is served where demand is cut off"
    if total >= signals.OVER_CAPACITY:
        return f"{need} (0.95 or more): {OVER}"
    if least + lost > rules.longest_cycle:
        return (
            f"Minimum greens and pedestrian times need {least + lost:.0f} s, more than the longest "
            f"cycle of {rules.longest_cycle:g} s."
        )
    if total > 1 - lost / rules.longest_cycle:
        return f"{need}, and a cycle of {rules.longest_cycle:g} s has less: {OVER}"
    return ""


def person_hours(
    own: Peaks, green: Floats, cycle: Floats, unknown: NDArray[np.bool_] | None = None
) -> Floats:
    """Return person-hours lost with some plan, shape (kinds, junctions, peaks, days).

    Parameters
    ----------
    own
        Some junctions.
    green, cycle
        In seconds, shape (groups,) or (groups, peaks).
    unknown
        Lane groups of which nobody knows the delay, shape (groups,).

    Notes
    -----
    A day without enough counts of some lane group is NaN. Cyclists and pedestrians who were not
    counted are taken from the median of other days at that time.
    """
    delay = delays(own, green, cycle)
    if unknown is not None:
        delay[unknown] = np.nan
    return _lost(own, delay, green, cycle)


def _lost(own: Peaks, delay: Floats, green: Floats, cycle: Floats) -> Floats:
    codes, sites = pd.factorize(own.groups["site"], sort=True)
    intervals = own.volume.shape[3]
    hours = own.interval / 60 / 3600
    counted = (~np.isnan(own.riders)).mean(axis=3)
    waiting = own.riders * delay * hours
    known = ~np.isnan(waiting)
    total = np.where(known, waiting, 0).sum(axis=3) / np.maximum(known.sum(axis=3), 1) * intervals
    enough = (counted >= DAY_SHARE) & (known.sum(axis=3) > 0)
    motor = np.where(enough, total, np.nan)
    result = np.zeros((len(KINDS), len(sites), len(PEAKS), len(own.days)))
    np.add.at(result[0], codes, np.moveaxis(motor, 2, 1))
    wait = np.asarray(signals.waiting_time(green, cycle))
    wait = np.broadcast_to(wait.reshape(len(own.groups), -1), (len(own.groups), len(PEAKS)))
    usual = over_days(own.people, np.nanmedian)[:, None]
    people = np.where(np.isnan(own.people), usual, own.people)
    lost = people.sum(axis=3) * wait[own.soft["group"].to_numpy(dtype=int)][:, None, :] * hours
    lost[own.soft["group"].to_numpy() < 0] = 0  # no green is known for them
    for number, kind in enumerate(KINDS[1:], start=1):
        chosen = (own.soft["mode"] == kind).to_numpy() & (own.soft["group"] >= 0).to_numpy()
        rows = codes[own.soft["group"].to_numpy(dtype=int)[chosen]]
        np.add.at(result[number], rows, np.moveaxis(np.nan_to_num(lost[chosen]), 2, 1))
    return result
