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
from datamall.traffic import signals
from datamall.traffic.capacity import cut_off, delays
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
    """

    longest_cycle: float
    headroom: float
    coverage: float

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
        cut (lane groups whose demand is cut off), coverage, cycle_now, optimal_cycle, cycle,
        greens (in words) and refused (why there is no plan, or an empty text).
    green
        Proposed effective greens, shape (groups, peaks), NaN without a plan.
    lost
        Person-hours lost on each day with the plan of now, shape (kinds, junctions, peaks, days);
        kinds as in `KINDS`.
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
def propose(parts: tuple[Peaks, ...], plateaus: pd.DataFrame, rules: Rules) -> tuple[Plan, ...]:
    """Propose a plan per junction and peak and judge it on the days that did not choose it.

    Parameters
    ----------
    parts
        As from `peaks.peaks`.
    plateaus
        As from `censoring.plateaus`.
    rules
        What a plan must keep to.
    """
    found = []
    for own in parts:
        cut = cut_off(own, plateaus)
        each = [_propose(part, cut[rows], rules) for rows, part in own.parts()]
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


def _propose(own: Peaks, cut: NDArray[np.bool_], rules: Rules) -> Plan:
    groups = own.groups
    judged = own.week % 2 == 1
    flow = over_days(own.in_hour.mean(axis=3)[:, ~judged], np.nanmean)
    counted = (~np.isnan(own.volume)).mean(axis=(1, 3))
    green = np.full((len(groups), len(PEAKS)), np.nan)
    cycles = green.copy()
    rows = []
    for site, members in groups.groupby("site").indices.items():
        named = groups.iloc[members]
        doubt = _doubt(named)
        for number, peak in enumerate(PEAKS):
            known = (flow[members, number], cut[members, number], counted[members, number].min())
            row, found = _site(named, doubt, *known, rules)
            rows.append({"site": site, "peak": peak} | row)
            green[members, number] = found
            cycles[members, number] = row["cycle"]
    table = pd.DataFrame(rows)
    lost = _lost(own, delays(own, own.volume).total, groups["green"], groups["cycle"])
    share = green / cycles
    capacity = (groups["saturation_flow"].to_numpy()[:, None] * share)[:, None, :, None]
    period = min(own.interval, 15) / 60
    wide = (slice(None), None, slice(None), None)
    then = signals.control_delay(own.volume, capacity, share[wide], cycles[wide], period=period)
    return Plan(table, green, lost, _lost(own, then.total, green, cycles), judged)


def _site(
    groups: pd.DataFrame,
    doubt: str,
    flow: Floats,
    cut: NDArray[np.bool_],
    coverage: float,
    rules: Rules,
) -> tuple[dict[str, Any], Floats]:
    """Return the row of one junction and peak, and the greens of its lane groups."""
    phase, phases = pd.factorize(groups["phase"], sort=True)

    def highest(values: Floats) -> Floats:
        return np.array([values[phase == one].max() for one in range(len(phases))])

    saturation, now = groups["saturation_flow"].to_numpy(), groups["cycle"].iloc[0]
    most = saturation * ((1 + rules.headroom) * groups["green"] / groups["cycle"]).to_numpy()
    demand = np.where(cut, np.maximum(flow, most), flow)
    shortest = groups[["minimum_green", "pedestrian_time"]].max(axis=1).fillna(0).to_numpy()
    ratio, least = highest(demand / saturation), highest(np.ceil(shortest))
    lost, total = groups["lost_time"].iloc[0], float(ratio.sum())
    optimal = float(signals.optimal_cycle(total, lost))
    refused = doubt or _uncounted(coverage, rules) or _unseen(flow)
    refused = refused or _limits(total, least.sum(), lost, cut, rules)
    # Which lane groups need green of their own is not known without phases.
    known = (groups["phase"] != "").all()
    row = {
        "name": groups["name"].iloc[0],
        "served": float(highest(flow / saturation).sum()) if known else np.nan,
        "ratio_sum": total if known else np.nan,
        "cut": ", ".join((groups["approach"] + " " + groups["lane_group"])[cut]),
        "coverage": coverage,
        "cycle_now": now,
        "optimal_cycle": optimal if known else np.nan,
        "cycle": np.nan,
        "greens": "",
        "refused": refused,
    }
    if refused:
        return row, np.full(len(groups), np.nan)
    # Where least greens are binding, Webster's cycle may be worse than that of now, divided anew.
    fits = [min(max(one, least.sum() + lost), rules.longest_cycle) for one in (optimal, now)]
    found = []
    for wanted in fits:
        # Whole seconds; never beyond the longest cycle.
        room = np.ceil(wanted - lost - 1e-9)
        room -= room + lost > rules.longest_cycle + 1e-9
        green = _whole(signals.split(ratio, lost + room, lost, least), room)
        share = green[phase] / (lost + room)
        delay = signals.control_delay(demand, saturation * share, share, lost + room).total
        found.append(((delay * demand).sum().round(6), lost + room, green))
    _, cycle, green = min(found, key=lambda one: one[:2])
    before = highest(groups["green"].to_numpy())
    words = [f"{p}: {b:.0f} → {g:.0f} s" for p, b, g in zip(phases, before, green, strict=True)]
    return row | {"cycle": float(cycle), "greens": "; ".join(words)}, green[phase]


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
    return ""


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


def _unseen(flow: Floats) -> str:
    """Say that the days which choose a plan show no flow to divide the cycle by, or nothing."""
    return "" if not np.isnan(flow).any() and flow.sum() > 0 else UNSEEN


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


def _whole(green: Floats, total: float) -> Floats:
    """Round greens to whole seconds with the same sum (largest remainders first)."""
    floor = np.floor(green + 1e-9)
    order = np.argsort(-(green - floor).round(9), kind="stable")
    floor[order[: round(total - floor.sum())]] += 1
    return floor


def _lost(
    own: Peaks, delay: Floats, green: Floats | pd.Series, cycle: Floats | pd.Series
) -> Floats:
    """Return person-hours lost, shape (kinds, junctions, peaks, days).

    A day without enough counts of some lane group is NaN. Cyclists and pedestrians who were not
    counted are taken from the median of other days at that time.
    """
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
