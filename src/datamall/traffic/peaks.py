"""Volume: what each lane group had to serve in the peaks of working days."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.requirements import Absent, needs, passes_absent
from datamall.traffic import conflicts, safety
from datamall.traffic.cube import LONGEST_BREAK, PART_CELLS, Block, Cube
from datamall.traffic.information import holidays
from datamall.traffic.weekly import Floats

_STORE = "traffic.junctions"
KEYS = ("site", "approach", "lane_group")
SIGNALS = tuple(f"{_STORE}.{name}" for name in (*KEYS, "saturation_flow", "green", "cycle"))
# First and last hour (exclusive) of the peaks: ochtendspits and avondspits.
PEAKS = {"morning": (7, 10), "evening": (16, 19)}
MOTOR = ("car", "bus", "heavy")
SOFT = ("bike", "pedestrian")
ALL = "all"  # lane group of an approach whose lanes are not recorded
_WORDS = ("name", "phase", "conflicts")
_NUMBERS = (
    *("x", "y", "lanes", "storage_length", "lost_time", "minimum_green", "pedestrian_time"),
    "crossing_length",
)
_PLAN = ("saturation_flow", "green", "cycle")


@dataclass(frozen=True)
class Vehicles:
    """What is reckoned of motor vehicles, each mode of `MOTOR` in turn.

    Attributes
    ----------
    pcu
        Passenger cars that take as much room in the flow as one of them.
    people
        People on board.
    """

    pcu: tuple[float, float, float]
    people: tuple[float, float, float]


@dataclass(frozen=True)
class Peaks:
    """What was counted in the peaks of working days, by lane group.

    Attributes
    ----------
    groups
        Lane groups, as from `lane_groups`; its RangeIndex is the first axis of `volume`.
    days, week
        Working days, and the number of the week of each.
    interval
        Minutes of one interval.
    volume
        Flow in pcu per hour, shape (groups, days, peaks, intervals); NaN where not counted.
    riders
        People in these vehicles, per hour; same shape.
    start
        Interval of the peak at which the busiest hour of the junction begins, shape (groups,
        peaks).
    soft
        Approaches where cyclists or pedestrians were counted: site, approach, mode and group, the
        lane group beside which they get green; its RangeIndex is the first axis of `people`.
    people
        Cyclists and pedestrians per hour, shape (soft, days, peaks, intervals).
    asked
        Days that a lane group should have been counted, shape (groups, days): of the pattern of
        now, from its first count to its last; without an end where a detector is only faulty.
    until
        Last day of a lane group that is no longer counted, shape (groups,); NaT of the others.
    """

    groups: pd.DataFrame
    days: pd.DatetimeIndex
    week: NDArray[np.int64]
    interval: int
    volume: Floats
    riders: Floats
    start: NDArray[np.int64]
    soft: pd.DataFrame
    people: Floats
    asked: NDArray[np.bool_]
    until: NDArray[np.datetime64]

    def parts(self) -> Iterator[tuple[slice, "Peaks"]]:
        """Yield the peaks some junctions at a time, with the positions of their lane groups."""
        site = self.groups["site"].to_numpy()
        most = max(PART_CELLS // max(self.volume[0].size, 1), 1)  # lane groups
        first = 0
        while first < len(site):
            last = np.searchsorted(site, site[min(first + most, len(site)) - 1], side="right")
            rows = slice(first, int(last))
            beside = self.soft["site"].isin(set(site[rows])).to_numpy()
            soft = self.soft[beside].reset_index(drop=True)
            soft["group"] = soft["group"].where(soft["group"] < 0, soft["group"] - first)
            yield (
                rows,
                replace(
                    self,
                    groups=self.groups.iloc[rows].reset_index(drop=True),
                    volume=self.volume[rows],
                    riders=self.riders[rows],
                    start=self.start[rows],
                    soft=soft,
                    people=self.people[beside],
                    asked=self.asked[rows],
                    until=self.until[rows],
                ),
            )
            first = int(last)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Return the days that judge a plan: every other week; the rest choose it."""
        return np.asarray(self.week % 2 == 1)

    @property
    def in_hour(self) -> Floats:
        """Return the flow in the intervals of the busiest hour, (groups, days, peaks, n)."""
        step = np.arange(60 // self.interval)
        index = self.start[:, None, :, None] + step
        shape = (*self.volume.shape[:3], len(step))
        return np.take_along_axis(self.volume, np.broadcast_to(index, shape), axis=3)

    def begin(self, group: int, peak: int) -> str:
        """Return the time at which the busiest hour of a lane group's junction begins."""
        first = list(PEAKS.values())[peak][0] * 60
        minute = first + int(self.start[group, peak]) * self.interval
        return f"{minute // 60}:{minute % 60:02d}"


@needs("Capacity", *SIGNALS)
def lane_groups(data: Any) -> pd.DataFrame | Absent:
    """Return what each lane group can serve with the signal plan of now.

    Parameters
    ----------
    data
        The extract.

    Returns
    -------
    pandas.DataFrame
        site, approach, lane_group, then name, phase, x, y (m), lanes, storage_length (m),
        lost_time, minimum_green, pedestrian_time, crossing_length (m), saturation_flow (pcu/h),
        green, cycle (s), conflicts, each NaN or empty where the authority does not deliver it;
        misread (what cannot be read of the conflicts, or empty) and capacity (pcu/h): saturation
        flow × green / cycle. Where the length of the crossing is delivered, pedestrian time is
        what that needs. Ordered by its keys. An Absent where no capacity is known.
    """
    table = data[_STORE]
    keys = list(KEYS)
    result = table[keys].astype(str)
    for column in _WORDS:
        blank = pd.Series("", index=table.index)
        result[column] = table.get(column, blank).astype(object).fillna("").astype(str)
    for column in (*_NUMBERS, *_PLAN):
        result[column] = table[column].astype(float) if column in table else np.nan
    result["name"] = result["name"].where(result["name"] != "", result["site"])
    result["misread"] = conflicts.misread(result)
    crossing = safety.crossing_time(result["crossing_length"])
    result["pedestrian_time"] = crossing.fillna(result["pedestrian_time"])
    # What no signal has is not known: one such row must not stop the others.
    odd = (result["cycle"] <= 0) | (result["green"] > result["cycle"]) | (result["green"] < 0)
    odd |= result["saturation_flow"] <= 0
    result.loc[odd, list(_PLAN)] = np.nan
    result["capacity"] = result["saturation_flow"] * result["green"] / result["cycle"]
    if result["capacity"].isna().all():
        return Absent("Capacity", "No lane group has a saturation flow and a signal plan.")
    return result.sort_values(keys, ignore_index=True)


@passes_absent
def capacities(groups: pd.DataFrame) -> pd.DataFrame:
    """Return the capacity of lane groups as `censoring.plateaus` takes it.

    Returns
    -------
    pandas.DataFrame
        site, approach, movement (those of the lane group, as counted together), capacity (pcu/h).
    """
    table = groups.rename(columns={"lane_group": "movement"}).dropna(subset="capacity")
    return table[["site", "approach", "movement", "capacity"]].reset_index(drop=True)


@passes_absent
def peaks(
    cube: Cube,
    groups: pd.DataFrame,
    calendar: pd.DataFrame | None,
    vehicles: Vehicles,
) -> tuple[Peaks, ...] | Absent:
    """Return volumes in the peaks of working days, one `Peaks` per block of the cube.

    Parameters
    ----------
    cube
        Counts without the periods in which detectors were found faulty.
    groups
        As from `lane_groups`.
    calendar
        Days with their holiday, if there is one; holidays are no working days.
    vehicles
        Room and people of each mode.

    Notes
    -----
    A count belongs to the lane group that holds all its movements, a bus or heavy vehicle whose
    movement is not recorded to the one that goes straight on. Where some movement of a lane group
    is never counted, its volume is not known. Where cars were counted but the detector of buses or
    heavy vehicles was out, these are taken from the median of other days at that time: they are
    few.
    """
    found = []
    end = max(block.days[-1] for block in cube)
    for block in cube:
        known = set(block.series["site"].astype(str)) & set(groups["site"])
        own = groups[groups["site"].isin(known)].reset_index(drop=True)
        if own["capacity"].notna().any() and block.interval <= 60:
            found.append(_peaks(block, own, calendar, vehicles, end))
    reason = "No junction with a known capacity was counted on a working day."
    kept = tuple(p for p in found if len(p.days) and not np.isnan(p.volume).all())
    return kept or Absent("Volume and capacity", reason)


def _peaks(
    block: Block,
    groups: pd.DataFrame,
    calendar: pd.DataFrame | None,
    vehicles: Vehicles,
    end: pd.Timestamp,
) -> Peaks:
    working = np.asarray(block.days.day_of_week < 5) & ~holidays(block.days, calendar)
    days = block.days[working]

    def look(_: slice, part: Block) -> tuple[Any, ...] | None:
        named = part.series["site"].astype(str)
        own = groups[groups["site"].isin(set(named))].reset_index(drop=True)
        if own.empty:
            return None
        part = part.take(named.isin(set(own["site"])).to_numpy())
        volumes = _volumes(part, own, working, vehicles)
        return own, *volumes, *_lives(part, own, working, volumes[0], end)

    parts, before = [found for found in block.over_parts(look) if found is not None], 0
    for own, _, _, _, people, *_ in parts:
        people["group"] = people["group"].where(people["group"] < 0, people["group"] + before)
        before += len(own)
    named, volume, riders, start, people, walkers, asked, until = zip(*parts, strict=True)
    return Peaks(
        pd.concat(named, ignore_index=True),
        days,
        ((days - pd.Timestamp("2000-01-03")).days // 7).to_numpy(),
        block.interval,
        np.concatenate(volume),
        np.concatenate(riders),
        np.concatenate(start),
        pd.concat(people, ignore_index=True),
        np.concatenate(walkers),
        np.concatenate(asked),
        np.concatenate(until),
    )


def _lives(
    block: Block,
    groups: pd.DataFrame,
    working: NDArray[np.bool_],
    volume: Floats,
    end: pd.Timestamp,
) -> tuple[NDArray[np.bool_], NDArray[np.datetime64]]:
    """Return asked and until of `Peaks`; `end` is the last day of all counts."""
    days, shape = block.days[working], volume.shape[:2]
    if not shape[1]:
        return np.zeros(shape, dtype=bool), np.full(shape[0], "NaT", dtype="datetime64[s]")
    known = np.asarray(np.any(np.isfinite(volume), axis=(2, 3)))
    ever = np.asarray(np.any(known, axis=1))
    sites, site = pd.factorize(block.series["site"].astype(str))
    place = pd.Index(site).get_indexer(groups["site"])
    cars = (block.series["mode"] == "car").to_numpy()
    faulty, aside = (np.zeros((len(site), len(block.days)), dtype=bool) for _ in range(2))
    if block.spoilt is not None:
        np.logical_or.at(faulty, sites[cars], block.spoilt[cars])
    if block.aside is not None:
        np.logical_or.at(aside, sites, block.aside)
    faulty, aside = faulty[place][:, working], aside[place][:, working]
    number = np.arange(shape[1])
    first, last = known.argmax(axis=1), shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    alive = (number >= first[:, None]) & (number <= last[:, None])
    asked = (alive | faulty | ~ever[:, None]) & ~aside
    after = (number > last[:, None]) & ~faulty & ~aside
    silent = after.sum(axis=1) * 7 / 5 + (end - block.days[-1]).days
    until = np.full(shape[0], "NaT", dtype="datetime64[s]")
    ended = ever & (silent > LONGEST_BREAK)
    until[ended] = days.to_numpy().astype("datetime64[s]")[last[ended]]
    return asked, until


def _volumes(
    block: Block,
    groups: pd.DataFrame,
    working: NDArray[np.bool_],
    vehicles: Vehicles,
) -> tuple[Floats, Floats, NDArray[np.int64], pd.DataFrame, Floats]:
    """Return volume, riders, start, soft and people of `Peaks` for some junctions."""
    per_hour = 60 // block.interval
    slots = [np.arange(a * per_hour, b * per_hour) for a, b in PEAKS.values()]
    by = ["site", "approach", "movement", "mode"]
    keys, counts = block.sums(by, np.concatenate(slots))
    keys = keys.astype(str)
    flow = counts[:, working] * per_hour
    flow = flow.reshape(*flow.shape[:2], len(PEAKS), len(slots[0]))
    modes = motor(keys, flow, groups)
    volume, riders = weighed(vehicles.pcu, modes), weighed(vehicles.people, modes)
    soft = keys[keys["mode"].isin(SOFT)]
    people = soft.groupby(["site", "approach", "mode"], as_index=False).size().drop(columns="size")
    which = np.zeros((len(people), len(keys)))
    order = people.reset_index().merge(soft.reset_index(), on=["site", "approach", "mode"])
    which[order["index_x"], order["index_y"]] = 1
    walkers = _gather(which, keys["mode"].isin(SOFT), flow)
    people["group"] = _beside(people, groups)
    return volume, riders, _busiest(volume, groups["site"], per_hour), people, walkers


def motor(keys: pd.DataFrame, flow: Floats, groups: pd.DataFrame) -> list[Floats]:
    """Return the cars, buses and heavy vehicles of each lane group, in the order of `MOTOR`.

    Parameters
    ----------
    keys, flow
        Counts as from `Block.sums`: site, approach, movement, mode, and numbers of shape (counts,
        days, …).
    groups
        As from `lane_groups`.

    Returns
    -------
    list of numpy.ndarray
        Shape (groups, days, …). Cars are NaN where some movement of the lane group was not
        counted. Others are 0 where none are counted at all, and the median of other days at that
        time where their detector was out.
    """
    member = membership(keys, groups)
    # What goes with cars and has no movement recorded goes straight on.
    others = keys["mode"].isin(MOTOR[1:]) & (keys["movement"] == "-")
    on = np.flatnonzero(others)
    beside = _beside(keys.iloc[on], groups)
    member[beside[beside >= 0], on[beside >= 0]] = 1
    cars, *found = (_gather(member, keys["mode"] == mode, flow) for mode in MOTOR)
    own = (keys["mode"] == "car").to_numpy()
    cars[~_complete(keys[own], member[:, own], groups)] = np.nan
    result = [cars]
    for each in found:
        usual = over_days(each, np.nanmedian)[:, None]
        result.append(np.nan_to_num(np.where(np.isnan(each), usual, each)))
    return result


def weighed(weights: tuple[float, float, float], modes: list[Floats]) -> Floats:
    """Return the sum over the modes of `MOTOR`, each with its weight."""
    return np.asarray(sum(each * one for each, one in zip(weights, modes, strict=True)))


def membership(keys: pd.DataFrame, groups: pd.DataFrame) -> Floats:
    """Return which counts (columns) belong to which lane group (rows); the only rule of it.

    A lane group holds the movements of its name. One that is called all, or that is the only one
    of its approach, holds whatever is counted there and no other lane group holds.
    """
    member = np.zeros((len(groups), len(keys)))
    about = ["site", "approach"]
    pairs = groups[[*about, "lane_group"]].reset_index(drop=True).reset_index()
    pairs = pairs.merge(keys[[*about, "movement"]].reset_index(drop=True).reset_index(), on=about)
    names = zip(pairs["movement"], pairs["lane_group"], strict=True)
    holds = np.array([g != ALL and set(m) <= set(g) for m, g in names], dtype=bool)
    count = pairs["index_y"]
    alone = count.groupby(count).transform("size") == 1
    held = pd.Series(holds).groupby(count.to_numpy()).transform("any").to_numpy()
    rest = ((pairs["lane_group"] == ALL) | alone).to_numpy() & ~held
    fits = pairs[holds | rest]
    member[fits["index_x"], fits["index_y"]] = 1
    return member


def _complete(keys: pd.DataFrame, member: Floats, groups: pd.DataFrame) -> NDArray[np.bool_]:
    """Return for which lane groups every movement is counted somewhere."""
    result = []
    for own, name in zip(member > 0, groups["lane_group"], strict=True):
        counted = set("".join(keys["movement"][own]))
        result.append(own.any() and ("-" in counted or name == ALL or set(name) <= counted))
    return np.array(result, dtype=bool)


def _gather(member: Floats, chosen: pd.Series, flow: Floats) -> Floats:
    """Sum the chosen counts of each row of `member`; NaN where one of them is not known."""
    own = (member > 0) & chosen.to_numpy(bool)
    total = np.zeros((len(own), *flow.shape[1:]))
    for row, column in np.argwhere(own):  # a lane group has one or a few
        total[row] += flow[column]
    total[~own.any(axis=1)] = np.nan
    return total


def over_days(values: Floats, function: Callable[..., Any]) -> Floats:
    """Apply a function such as nanmean over days, the second axis; NaN where none is known."""
    none = np.asarray(np.isnan(values).all(axis=1))
    if none.all():
        return np.full(none.shape, np.nan)
    filled = np.where(none[:, None], 0.0, values)
    return np.where(none, np.nan, function(filled, axis=1))


def _beside(people: pd.DataFrame, groups: pd.DataFrame) -> NDArray[np.int64]:
    """Return the lane group with which the people of an approach get green, −1 if none.

    It is the one that goes straight on, with the longest green if there are several.
    """
    table = groups.reset_index()
    straight = table["lane_group"].str.contains("S") | (table["lane_group"] == ALL)
    table = table.assign(straight=straight)
    order = ["straight", "green", "index"]
    table = table.sort_values(order, ascending=[False, False, True], kind="stable")
    first = table.drop_duplicates(["site", "approach"]).set_index(["site", "approach"])["index"]
    found = pd.MultiIndex.from_frame(people[["site", "approach"]]).map(first.to_dict())
    return np.asarray(pd.Series(found, dtype=float).fillna(-1), dtype=np.int64)


def _busiest(volume: Floats, site: pd.Series, per_hour: int) -> NDArray[np.int64]:
    """Return at which interval of each peak the busiest hour of each group's junction begins."""
    usual = np.nan_to_num(over_days(volume, np.nanmean))
    codes, _ = pd.factorize(site)
    total = np.zeros((codes.max() + 1, *usual.shape[1:]))
    np.add.at(total, codes, usual)
    hours = np.lib.stride_tricks.sliding_window_view(total, per_hour, axis=2).sum(axis=3)
    return np.asarray(hours.round(6).argmax(axis=2)[codes])
