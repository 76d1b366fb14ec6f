"""Measures: what each thing that a council can choose changes at junctions, by stated assumptions.

A measure takes the peaks of some junctions and returns what these would be with it. Nothing here
is measured: each number is an assumption with a name in params.yaml.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.errors import DatamallError
from datamall.traffic.peaks import PEAKS, Peaks
from datamall.traffic.safety import LANE, WALKING
from datamall.traffic.weekly import Floats

NO_BIKES = "Cyclists are not counted here: what they would gain is not known."
NO_LEFT = "No lane group holds left-turners alone: how many a ban would stop is not known."
LEFT = "L"


@dataclass(frozen=True)
class Assumed:
    """What is assumed of measures.

    Attributes
    ----------
    lane_flow
        Saturation flow that a turn lane adds to the fullest lane group (pcu/h).
    bike_green, bike_lost
        Green of cyclists alone, and time lost with changing to it, once a cycle (s).
    ban_gone
        Share of those whom a ban stops that do not come at all; the others go round.
    detour
        Seconds that each of the others loses by it.
    dosing
        Share of the capacity of now that the fullest lane group is let in.
    """

    lane_flow: float
    bike_green: float
    bike_lost: float
    ban_gone: float
    detour: float
    dosing: float

    def __post_init__(self) -> None:
        """Refuse what cannot be; raises DatamallError."""
        for name in ("lane_flow", "bike_green", "bike_lost", "dosing"):
            if not getattr(self, name) > 0:
                raise DatamallError(f"{name} is {getattr(self, name)}: set it above 0.")
        if not (0 <= self.ban_gone <= 1 and self.dosing <= 1):
            said = f"ban_gone is {self.ban_gone} and dosing is {self.dosing}"
            raise DatamallError(f"{said}: these are shares, set them to 1 at most.")
        if not self.detour >= 0:
            raise DatamallError(f"detour is {self.detour}: set it to 0 seconds or more.")


@dataclass
class Changed:
    """Some junctions with a measure.

    Attributes
    ----------
    own
        Their peaks then.
    kept
        Positions of these lane groups among those of now.
    what
        Site → what is done, in words; with a peak, (site, peak) → the same.
    refused
        Site, or (site, peak) → why that cannot be reckoned.
    hours
        Person-hours that vehicles lose elsewhere, shape (lane groups of now, peaks, days).
    moved
        What is stopped or held back at its worst, (lane groups of now, peaks): of a ban pcu/h, of
        dosing the longest queue on the mean day (pcu); else 0.
    """

    own: Peaks
    kept: NDArray[np.int64]
    what: dict = field(default_factory=dict)
    refused: dict = field(default_factory=dict)
    hours: Floats | None = None
    moved: Floats | None = None

    def said(self, words: dict, site: str, peak: str) -> str:
        """Return the words for one junction and peak, or nothing."""
        return words.get((site, peak)) or words.get(site, "")


def fullest(groups: pd.DataFrame, ratio: Floats) -> dict[str, int]:
    """Return site → its lane group with the highest ratio; sites without any ratio are left out."""
    found = {}
    for site, members in groups.groupby("site").indices.items():
        own = ratio[members].round(9)
        if not np.isnan(own).all():
            found[str(site)] = int(members[np.nanargmax(own)])
    return found


def named(groups: pd.DataFrame, row: int) -> str:
    """Return approach and lane group in words."""
    return f"{groups['approach'].iloc[row]} {groups['lane_group'].iloc[row]}"


def turn_lane(own: Peaks, ratio: Floats, assumed: Assumed) -> Changed:
    """Give the fullest lane group of each junction one more lane.

    `ratio` is demand divided by capacity, (groups, peaks); a lane lies there all day, so the fuller
    peak decides. Whoever walks across it, beside a lane group of another phase, crosses one lane
    more (`LANE`) and gets the time for it.
    """
    groups = own.groups.copy()
    picked = fullest(groups, _either(ratio))
    for site, row in picked.items():
        groups.loc[row, "saturation_flow"] += assumed.lane_flow
        groups.loc[row, "lanes"] += 1
        across = (groups["site"] == site) & (groups["phase"] != groups.loc[row, "phase"])
        groups.loc[across, "pedestrian_time"] += LANE / WALKING
        groups.loc[across, "crossing_length"] += LANE
    groups["capacity"] = groups["saturation_flow"] * groups["green"] / groups["cycle"]
    what = {site: f"one more lane for {named(groups, row)}" for site, row in picked.items()}
    return Changed(replace(own, groups=groups), np.arange(len(groups)), what)


def bike_phase(own: Peaks, assumed: Assumed) -> Changed:
    """Add a phase in which cyclists of all approaches ride and nobody else does."""
    time = assumed.bike_green + assumed.bike_lost
    longer = {name: own.groups[name] + time for name in ("lost_time", "cycle")}
    groups = own.groups.assign(**longer)
    ride = (own.soft["mode"] == "bike") & (own.soft["group"] >= 0)
    sites, counted = groups["site"].unique(), set(own.soft.loc[ride, "site"])
    what = f"{assumed.bike_green:g} s of green for cyclists alone, {assumed.bike_lost:g} s lost"
    refused = {str(site): NO_BIKES for site in sites if site not in counted}
    rows = np.arange(len(groups))
    return Changed(replace(own, groups=groups), rows, dict.fromkeys(map(str, sites), what), refused)


def ban(own: Peaks, demand: Floats, ratio: Floats, before: Floats, assumed: Assumed) -> Changed:
    """Close the fullest lane group of left-turners, and give its green to the other phases.

    Parameters
    ----------
    own
        Some junctions.
    demand, ratio
        In the busiest hour (pcu/h), and divided by capacity; (groups, peaks).
    before
        Person-hours that vehicles lose now, (groups, peaks, days).
    assumed
        What is assumed.

    Notes
    -----
    Who is stopped saves nothing: what they lose now counts as lost then, or else a junction that
    nobody may pass would be the best. Who goes round loses the detour on top (`Changed.hours` is
    that of all going round; see `scenarios.compare`).
    """
    groups = own.groups
    legs = groups.groupby(["site", "approach"])["lane_group"].transform("size")
    alone = ((groups["lane_group"] == LEFT) & (legs > 1)).to_numpy()
    picked = fullest(groups, np.where(alone, _either(ratio), np.nan))
    sites, gone = map(str, groups["site"].unique()), np.zeros(len(groups), dtype=bool)
    gone[list(picked.values())] = True
    kept = np.flatnonzero(~gone)
    rest = groups.iloc[kept].copy()
    for row in picked.values():
        _phase_closed(rest, groups, row)
    rest["capacity"] = rest["saturation_flow"] * rest["green"] / rest["cycle"]
    order = np.full(len(groups), -1)
    order[kept] = np.arange(len(kept))
    for row in picked.values():  # who walks or rides beside it gets green with its neighbour
        leg = (rest[["site", "approach"]] == groups.loc[row, ["site", "approach"]]).all(axis=1)
        order[row] = order[rest.index[leg.to_numpy()][0]]
    beside = own.soft["group"].to_numpy(dtype=int)
    soft = own.soft.assign(group=np.where(beside >= 0, order[beside], -1))
    then = replace(
        own,
        groups=rest.reset_index(drop=True),
        volume=own.volume[kept],
        riders=own.riders[kept],
        start=own.start[kept],
        soft=soft,
        asked=own.asked[kept],
        until=own.until[kept],
    )
    hours = np.where(gone[:, None, None], before, 0.0)
    what = {site: f"no left turn from {groups['approach'].iloc[r]}" for site, r in picked.items()}
    refused = {site: NO_LEFT for site in sites if site not in picked}
    return Changed(then, kept, what, refused, hours, np.where(gone[:, None], demand, 0.0))


def _phase_closed(rest: pd.DataFrame, groups: pd.DataFrame, row: int) -> None:
    """Give the green and lost time of a phase that has no lane group any more to the others."""
    site, phase = groups.loc[row, ["site", "phase"]]
    own = rest["site"] == site
    if (rest.loc[own, "phase"] == phase).any() or not own.any():
        return
    phases = groups.loc[groups["site"] == site, "phase"].nunique()
    lost, cycle = groups.loc[row, ["lost_time", "cycle"]].astype(float)
    less = lost * (phases - 1) / phases  # each phase is taken to lose as much as the others
    left = cycle - lost - float(groups.loc[row, "green"])
    rest.loc[own, "lost_time"] = less
    if left > 0:
        rest.loc[own, "green"] *= (cycle - less) / left


def dosing(own: Peaks, ratio: Floats, assumed: Assumed) -> Changed:
    """Let in no more to the fullest lane group than a share of what it can serve now.

    Who is held back waits upstream, and enters as soon as there is room; the peak is followed from
    its first interval, without a queue, to its last: who still waits then is no longer followed.
    """
    groups = own.groups
    shape = (len(groups), len(PEAKS), len(own.days))
    result = Changed(own, np.arange(len(groups)), hours=np.zeros(shape))
    result.moved = np.zeros(shape[:2])
    volume, riders = own.volume.copy(), own.riders.copy()
    for number, peak in enumerate(PEAKS):
        for site, row in fullest(groups, ratio[:, number]).items():
            most = assumed.dosing * float(groups["capacity"].iloc[row])
            if not ratio[row, number] > assumed.dosing:
                said = f"No lane group is fuller than {100 * assumed.dosing:g} %"
                result.refused[site, peak] = f"{said}: there is nothing to hold back."
                continue
            came = own.volume[row, :, number]
            served, waited, longest = held_back(came, most, own.interval / 60)
            volume[row, :, number] = served
            share = np.where(came > 0, served / np.where(came > 0, came, 1), 1.0)
            per = own.riders[row, :, number].copy()
            riders[row, :, number] = per * share
            people = _sum(per) / np.where(_sum(came) > 0, _sum(came), np.nan)
            result.hours[row, number] = waited * people  # type: ignore[index]
            judged = longest[own.judged]
            if not np.isnan(judged).all():
                result.moved[row, number] = np.nanmean(judged)
            result.what[site, peak] = f"{named(groups, row)} lets in {most:,.0f} pcu/h at most"
    result.own = replace(own, volume=volume, riders=riders)
    return result


def held_back(came: Floats, most: float, hours: float) -> tuple[Floats, Floats, Floats]:
    """Return what passes where no more than `most` may, and who waits for it.

    Parameters
    ----------
    came
        Flow of each interval (pcu/h), shape (days, intervals). One that was not counted is taken to
        be like the others of its day.
    most
        Pcu per hour.
    hours
        Length of an interval.

    Returns
    -------
    tuple
        Flow that passes (NaN where not counted), and of each day the time waited (pcu·h: area
        below the queue, with straight lines between ends of intervals) and the longest queue (pcu).
    """
    usual = _sum(came) / came.shape[1]
    queue, waited = np.zeros(len(came)), np.zeros(len(came))
    longest, passed = queue.copy(), np.empty(came.shape)
    for step in range(came.shape[1]):
        flow = np.where(np.isnan(came[:, step]), usual, came[:, step])
        passed[:, step] = np.minimum(most, flow + queue / hours)
        then = queue + (flow - passed[:, step]) * hours
        waited += (queue + then) / 2 * hours
        queue, longest = then, np.fmax(longest, then)
    none = np.isnan(usual)
    return (
        np.where(np.isnan(came), np.nan, passed),
        np.where(none, np.nan, waited),
        np.where(none, np.nan, longest),
    )


def _sum(values: Floats) -> Floats:
    """Return sums over intervals, gaps taken as the rest; NaN where nothing is known."""
    known = ~np.isnan(values)
    number = known.sum(axis=-1)
    total = np.where(known, values, 0).sum(axis=-1) * values.shape[-1]
    return np.asarray(total / np.where(number > 0, number, np.nan))


def _either(ratio: Floats) -> Floats:
    """Return the higher of both peaks, NaN where neither is known."""
    return np.asarray(np.fmax(ratio[:, 0], ratio[:, 1]))
