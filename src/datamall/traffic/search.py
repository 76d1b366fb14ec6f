"""Signal plans searched on simulated waiting, beside Webster's.

Webster's formula is for steady arrivals of cars. Here each plan is held against queues that rise
and fall with the counts of real days, and against the waits of cyclists and pedestrians. In the
queues of `simulate` a lane group's wait depends on its own green and the cycle alone: so waits are
reckoned for some greens of each phase, and the best division of a cycle is found by adding up.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.traffic import safety, signals, simulate, timing
from datamall.traffic.peaks import Peaks, over_days
from datamall.traffic.plans import DAY_SHARE, KINDS, Rules
from datamall.traffic.weekly import Floats

# How many times to divide are tried, from the shortest to the longest, and then which near the
# best; greens in seconds from a division by flow ratios, and then from the best.
ROOMS, ROOMS_NEAR = 9, (-7, -4, -2, 0, 2, 4, 7)
WIDE = (-24.0, -16.0, -11.0, -7.0, -4.0, -2.0, 0.0, 2.0, 4.0, 7.0, 11.0, 16.0, 24.0)
CLOSE = (-9.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 9.0)


LONGER = 1.5  # times a fixed green, up to which a signal that follows the traffic may stay green


@dataclass(frozen=True)
class Junction:
    """What holds of a junction whatever its plan.

    Attributes
    ----------
    phase
        Number of the phase of each lane group, from 0 on, shape (groups,).
    saturation
        pcu per hour, shape (groups,).
    least
        Shortest green of each phase in whole seconds, shape (phases,).
    lost_time, longest_cycle
        In seconds.
    """

    phase: NDArray[np.int64]
    saturation: Floats
    least: Floats
    lost_time: float
    longest_cycle: float

    @property
    def rooms(self) -> tuple[int, int]:
        """Return the fewest and most whole seconds of a cycle that may be green."""
        fewest = max(self.least.sum(), np.ceil(safety.CYCLES[0] - self.lost_time))
        return int(fewest), int(np.floor(self.longest_cycle - self.lost_time + 1e-9))


@dataclass(frozen=True)
class Days:
    """What came to a junction in a peak of some days.

    Attributes
    ----------
    came
        Passenger cars by step, as from `simulate.arrivals`, shape (steps, groups, days).
    people
        People for each passenger car, shape (groups, days).
    soft
        Cyclists and pedestrians beside each lane group, shape (2, groups, days).
    """

    came: simulate.Ints
    people: Floats
    soft: Floats


def person_hours(junction: Junction, days: Days, greens: Floats) -> Floats:
    """Return the person-hours that people wait with each plan.

    Parameters
    ----------
    junction, days
        Where and when.
    greens
        Effective greens in seconds, shape (phases, plans).

    Returns
    -------
    numpy.ndarray
        Shape (kinds, groups, days, plans), kinds as in `plans.KINDS`.
    """
    cycle = greens.sum(axis=0) + junction.lost_time
    return hours_of(junction, days, greens[junction.phase], cycle)


def hours_of(junction: Junction, days: Days, green: Floats, cycle: Floats) -> Floats:
    """Return `person_hours` of greens (groups, plans), whether or not they add up to a cycle."""
    motor = simulate.waited(days.came, junction.saturation, green, cycle)
    wait = signals.waiting_time(green, cycle)[:, None, :]
    parts = [motor * days.people[:, :, None], *(one[:, :, None] * wait for one in days.soft)]
    return np.stack(parts) / 3600


def actuated(junction: Junction, days: Days, webster: Floats) -> Floats:
    """Return the same where the signal follows the traffic, shape (kinds, groups, days).

    Parameters
    ----------
    junction, days
        Where and when.
    webster
        Greens of fixed times in seconds, shape (phases,). The longest green of a phase is `LONGER`
        times this, or less where the longest cycle has no room for it: an assumption.
    """
    most = np.maximum(junction.least, LONGER * webster)
    room = (junction.longest_cycle - junction.lost_time) / most.sum()
    most = np.maximum(junction.least, most * min(1, room))
    car, wait = simulate.actuated(
        days.came, junction.saturation, junction.phase, junction.least, most, junction.lost_time
    )
    return np.stack([car * days.people, *(one * wait for one in days.soft)]) / 3600


def choose(junction: Junction, days: Days, webster: Floats) -> Floats:
    """Return the greens with the fewest person-hours on some days, in whole seconds.

    Parameters
    ----------
    junction, days
        Where and when.
    webster
        Greens in whole seconds from which the search begins, shape (phases,).

    Returns
    -------
    numpy.ndarray
        Effective greens in seconds, shape (phases,): never below the shortest ones, in a cycle of
        `safety.CYCLES` and not above the longest. Webster's, unless others are better.

    Notes
    -----
    Two rounds, the second near the best of the first. In each, waits are simulated for some greens
    of each phase in some cycles, with straight lines between them; the best plan of each cycle by
    these is then simulated itself.
    """
    fewest, most = junction.rooms
    flow = days.came.sum(axis=0).mean(axis=1) / (len(days.came) * simulate.STEP / 3600)
    ratio = np.zeros(len(junction.least))
    np.maximum.at(ratio, junction.phase, flow / junction.saturation)
    best, rooms = webster, np.append(np.geomspace(fewest, most, ROOMS), webster.sum())
    for near in (WIDE, CLOSE):
        tried = np.unique(np.clip(np.rint(rooms), fewest, most))
        centre = np.broadcast_to(best, (len(tried), len(best)))
        if near is WIDE:
            lost = junction.lost_time
            centre = signals.split(np.maximum(ratio, 1e-6), tried + lost, lost, junction.least)
        plans = np.column_stack([best, *_divided(junction, days, tried, centre, near)])
        hours = person_hours(junction, days, plans).sum(axis=(0, 1)).mean(axis=0)
        best = plans[:, hours.round(6).argmin()]
        rooms = best.sum() + np.array(ROOMS_NEAR)
    return np.asarray(best)


def _divided(
    junction: Junction, days: Days, tried: Floats, centre: Floats, near: tuple[float, ...]
) -> list[Floats]:
    """Return the best greens of each room that is tried, by straight lines between some."""
    least, phases = junction.least, len(junction.least)
    free = tried - least.sum()
    # Also the shortest and the longest green that there may be.
    knots = np.rint(centre)[..., None] + np.array((-1000.0, *near, 1000.0))
    knots = np.clip(knots, least[:, None], (least + free[:, None])[..., None])
    cycle = np.repeat(tried + junction.lost_time, knots.shape[2])
    green = knots.transpose(1, 0, 2).reshape(phases, -1)
    hours = hours_of(junction, days, green[junction.phase], cycle).sum(axis=0).mean(axis=1)
    total = np.zeros((phases, len(cycle)))
    np.add.at(total, junction.phase, hours)
    cost = total.reshape(phases, len(tried), -1).round(6)
    found: list[Floats] = []
    for row, rest in enumerate(free.astype(int)):
        second = [low + np.arange(rest + 1) for low in least]
        lines = [np.interp(at, knots[row, p], cost[p, row]) for p, at in enumerate(second)]
        found.append(least + divide(lines))
    return found


def divide(costs: list[Floats]) -> Floats:
    """Divide whole seconds over phases so that the sum of their costs is least.

    Parameters
    ----------
    costs
        Of each phase its cost with 0, 1, … up to all seconds.

    Returns
    -------
    numpy.ndarray
        Seconds of each phase, adding up to all; of equal divisions the one that gives the last
        phases most.
    """
    size = len(costs[0])
    place = np.arange(size)
    rest = place[:, None] - place  # what the phases before get, of a sum and what this one gets
    best, taken = costs[0], []
    for cost in costs[1:]:
        sums = np.where(rest >= 0, best[rest] + cost, np.inf).round(9)
        own = size - 1 - sums[:, ::-1].argmin(axis=1)
        taken.append(own)
        best = sums[place, own]
    left, result = size - 1, []
    for own in reversed(taken):
        result.append(own[left])
        left -= own[left]
    return np.array([left, *reversed(result)], dtype=float)


def junction(groups: pd.DataFrame, rules: Rules) -> Junction:
    """Return what holds of a junction that has a plan; `groups` as from `peaks.lane_groups`."""
    phase, names = pd.factorize(groups["phase"], sort=True)
    shortest = timing.shortest_greens(groups)
    return Junction(
        phase,
        groups["saturation_flow"].to_numpy(float),
        np.array([shortest[phase == one].max() for one in range(len(names))]),
        float(groups["lost_time"].iloc[0]),
        rules.longest_cycle,
    )


def counted(own: Peaks, members: NDArray[np.int64], peak: int) -> NDArray[np.bool_]:
    """Return the days on which enough intervals of every lane group were counted."""
    known = ~np.isnan(own.volume[members, :, peak])
    return np.asarray((known.mean(axis=2) >= DAY_SHARE).all(axis=0))


def days(
    own: Peaks,
    members: NDArray[np.int64],
    peak: int,
    chosen: NDArray[np.int64],
    rng: np.random.Generator,
    more: Floats | None = None,
) -> Days:
    """Return what came to a junction on some days, its gaps filled from other days.

    Parameters
    ----------
    own
        One block.
    members, peak, chosen
        Positions of the junction's lane groups, of the peak and of the days.
    rng
        For the arrivals within an interval.
    more
        By how many times more came in the busiest hour than was counted, shape (groups,).
    """

    def filled(values: Floats, function: object) -> Floats:
        usual = np.nan_to_num(over_days(values, function))[:, None]  # type: ignore[arg-type]
        return np.where(np.isnan(values), usual, values)[:, chosen]

    volume = filled(own.volume[members, :, peak], np.nanmean)
    riders = filled(own.riders[members, :, peak], np.nanmean).sum(axis=2)
    total = volume.sum(axis=2)
    people = riders / np.where(total > 0, total, 1)
    if more is not None:
        slots = np.arange(volume.shape[2])
        first = own.start[members, peak][:, None]
        busy = (slots >= first) & (slots < first + 60 // own.interval)
        volume = volume * np.where(busy, more[:, None], 1.0)[:, None, :]
    walkers = np.zeros((len(KINDS) - 1, len(members), len(chosen)))
    place = pd.Index(members).get_indexer(own.soft["group"])
    for number, kind in enumerate(KINDS[1:]):
        rows = np.flatnonzero((own.soft["mode"] == kind).to_numpy() & (place >= 0))
        came = filled(own.people[rows, :, peak], np.nanmedian).sum(axis=2) * own.interval / 60
        np.add.at(walkers[number], place[rows], came)
    return Days(simulate.arrivals(volume, own.interval, rng), people, walkers)


def room_for(
    own: Peaks,
    members: NDArray[np.int64],
    peak: int,
    unknown: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    choosing: NDArray[np.bool_],
    rules: Rules,
) -> Floats:
    """Return by how many times more a plan must serve than was counted, as Webster's does.

    Parameters
    ----------
    own, members, peak
        As in `days`.
    unknown
        Whether demand of each lane group is cut off, and whether that cannot be told.
    choosing
        The days that choose.
    rules
        For their headroom.
    """
    first = own.start[members[0], peak]  # of the junction; `in_hour` would take the whole city
    hour = slice(first, first + 60 // own.interval)
    busiest = own.volume[members, :, peak][:, choosing, hour].mean(axis=2)
    flow = over_days(busiest[:, :, None], np.nanmean)[:, 0]
    groups = own.groups.iloc[members]
    demand = timing.demanded(groups, flow, *unknown, rules.headroom)
    return np.where(flow > 0, demand / np.where(flow > 0, flow, 1), 1.0)
