"""First signal plans by Webster's method, with the reasons for which none is given.

A plan is chosen on every other week and judged on the weeks between them, so that what it gains is
no echo of the days that chose it, and can be negative.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.chapters import Gap, passes_gaps
from datamall.errors import DatamallError
from datamall.traffic import signals
from datamall.traffic.capacity import cut_off, delays
from datamall.traffic.peaks import PEAKS, Peaks, over_days
from datamall.traffic.weekly import Floats

SLACK = 1.0  # seconds by which the greens of the plan of now may miss the cycle: rounding
KINDS = ("motor", "bike", "pedestrian")
DAY_SHARE = 0.75  # of the intervals of a peak that must be counted for a day to be judged


@dataclass(frozen=True)
class Rules:
    """What a plan must keep to.

    Attributes
    ----------
    longest_cycle
        In seconds.
    practical
        Share of its capacity up to which a phase is filled on purpose.
    room
        Least share of the cycle that other phases must be able to give to a phase whose demand is
        cut off; with less, no timing is known to help.
    coverage
        Least share of the peaks of working days in which a junction must have been counted.
    """

    longest_cycle: float
    practical: float
    room: float
    coverage: float

    def __post_init__(self) -> None:
        """Refuse rules that no plan could keep to.

        Raises
        ------
        DatamallError
            When a share is not between 0 and 1 or the cycle is not above 0.
        """
        shares = {"practical_saturation": self.practical, "room": self.room}
        for name, value in (shares | {"least_coverage": self.coverage}).items():
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
        One row per junction and peak, in this order: site, name, peak, ratio_sum (Y; at least
        this where demand is cut off), cut (lane groups whose demand is cut off), coverage,
        cycle_now, optimal_cycle, cycle, greens (in words) and refused (why there is no plan, or
        an empty text).
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


@passes_gaps
def propose(
    parts: tuple[Peaks, ...], plateaus: pd.DataFrame | Gap, rules: Rules
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
    """
    return tuple(_propose(own, cut_off(own, plateaus), rules) for own in parts)


def _propose(own: Peaks, cut: NDArray[np.bool_], rules: Rules) -> Plan:
    groups = own.groups
    judged = own.week % 2 == 1
    flow = over_days(own.in_hour.mean(axis=3)[:, ~judged], np.nanmean)
    # Who is served at capacity asks for at least that, however little was counted in some hours.
    saturation = groups["saturation_flow"].to_numpy()[:, None]
    share_now = (groups["green"] / groups["cycle"]).to_numpy()[:, None]
    need = np.where(cut, np.maximum(flow / saturation, share_now), flow / saturation)
    counted = (~np.isnan(own.volume)).mean(axis=(1, 3))
    green = np.full((len(groups), len(PEAKS)), np.nan)
    cycles = green.copy()
    rows = []
    for site, members in groups.groupby("site").indices.items():
        for number, peak in enumerate(PEAKS):
            known = (need[members, number], cut[members, number], counted[members, number])
            row, found = _site(groups.iloc[members], *known, rules)
            rows.append({"site": site, "peak": peak} | row)
            green[members, number] = found
            cycles[members, number] = row["cycle"]
    table = pd.DataFrame(rows)
    lost = _lost(own, delays(own, own.volume).total, groups["green"], groups["cycle"])
    share = green / cycles
    capacity = (saturation * share)[:, None, :, None]
    period = min(own.interval, 15) / 60
    wide = (slice(None), None, slice(None), None)
    then = signals.control_delay(own.volume, capacity, share[wide], cycles[wide], period=period)
    return Plan(table, green, lost, _lost(own, then.total, green, cycles), judged)


def _site(
    groups: pd.DataFrame,
    need: Floats,
    cut: NDArray[np.bool_],
    counted: Floats,
    rules: Rules,
) -> tuple[dict[str, object], Floats]:
    """Return the row of one junction and peak, and the greens of its lane groups."""
    phase, phases = pd.factorize(groups["phase"], sort=True)
    size = len(phases)
    lost, now = groups["lost_time"].iloc[0], groups["cycle"].iloc[0]
    ratio, least, before = (np.zeros(size) for _ in range(3))
    unmet = np.zeros(size, dtype=bool)
    shortest = groups[["minimum_green", "pedestrian_time"]].max(axis=1)
    np.maximum.at(ratio, phase, np.where(np.isnan(need), np.inf, need))
    ratio[np.isinf(ratio)] = np.nan
    np.maximum.at(least, phase, np.ceil(shortest.fillna(0)))
    np.maximum.at(before, phase, groups["green"].fillna(0).to_numpy())
    np.logical_or.at(unmet, phase, cut)
    total = float(ratio.sum())
    optimal = float(signals.optimal_cycle(total, lost))
    named = (groups["approach"] + " " + groups["lane_group"])[cut]
    row = {
        "name": groups["name"].iloc[0],
        "ratio_sum": total,
        "cut": ", ".join(named),
        "coverage": float(counted.min()),
        "cycle_now": now,
        "optimal_cycle": optimal,
        "cycle": np.nan,
        "greens": "",
    }
    # What other phases can give to those that are cut off, in shares of the longest cycle.
    served = float((ratio[~unmet] / rules.practical).sum() + ratio[unmet].sum())
    spare = 1 - lost / rules.longest_cycle - served
    refused = _doubt(groups, before, rules, row["coverage"]) or _limits(
        total, spare, float(least.sum()), lost, row["cut"], rules
    )
    if refused:
        return row | {"refused": refused}, np.full(len(groups), np.nan)
    wanted = optimal
    if unmet.any():
        # Demand is not known: never a shorter cycle, and long enough to leave them the room.
        wanted = max(optimal, now, lost / (1 - served - rules.room))
    wanted = min(max(wanted, least.sum() + lost), rules.longest_cycle)
    available = np.floor(rules.longest_cycle - lost) if wanted == rules.longest_cycle else np.ceil(
        wanted - lost - 1e-9
    )  # fmt: skip
    cycle = float(lost + available)
    if unmet.any():
        enough = np.ceil(ratio / rules.practical * cycle - 1e-9)
        held = np.where(unmet, least, np.maximum(least, enough))
        green = signals.split(np.where(unmet, ratio, 0), cycle, lost, held)
    else:
        green = signals.split(ratio, cycle, lost, least)
    green = _whole(green, available)
    words = [f"{p}: {b:.0f} → {g:.0f} s" for p, b, g in zip(phases, before, green, strict=True)]
    return row | {"cycle": cycle, "greens": "; ".join(words), "refused": ""}, green[phase]


def _doubt(groups: pd.DataFrame, before: Floats, rules: Rules, coverage: object) -> str:
    """Say what is not known well enough for a plan, or nothing."""
    if (groups["phase"] == "").any():
        return "Conflict data missing: which lane groups may run together is not delivered."
    needed = ["saturation_flow", "green", "cycle", "lost_time"]
    lacking = [c.replace("_", " ") for c in needed if groups[c].isna().any()]
    if lacking:
        return f"Not delivered for every lane group: {', '.join(lacking)}."
    # Beside a lane group without pedestrian time nobody crosses, if others have one.
    if groups["minimum_green"].isna().any() or groups["pedestrian_time"].isna().all():
        return "Minimum green or pedestrian time missing: a plan could not be shown to keep them."
    spread = groups.groupby("phase")["green"].agg(np.ptp).max()
    off = abs(before.sum() + groups["lost_time"].iloc[0] - groups["cycle"].iloc[0])
    one = groups[["cycle", "lost_time"]].nunique().max() == 1
    if spread > SLACK or off > SLACK or not one:
        return "The plan of now does not add up: its greens and lost time are not its cycle."
    if not float(str(coverage)) >= rules.coverage:
        return (
            f"Counted in {100 * float(str(coverage)):.0f} % of the peaks, less than "
            f"{100 * rules.coverage:g} %: first mend the detectors."
        )
    return ""


def _limits(
    total: float, spare: float, least: float, lost: float, cut: object, rules: Rules
) -> str:
    """Say why no timing solves it, or nothing."""
    if total >= signals.OVER_CAPACITY:
        return f"Flows need {total:.2f} of the time (0.95 or more): no timing solves it."
    if cut and spare < rules.room:
        return (
            f"Demand of {cut} is cut off and the other phases have nothing to spare: flows need "
            f"at least {total:.2f} of the time, and how much more is unknown."
        )
    if least + lost > rules.longest_cycle:
        return (
            f"Minimum greens and pedestrian times need {least + lost:.0f} s, more than the longest "
            f"cycle of {rules.longest_cycle:g} s."
        )
    if total > 1 - lost / rules.longest_cycle:
        return f"Flows fit in no cycle of at most {rules.longest_cycle:g} s."
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
