"""The weekly rounds of the demo city's trucks: who empties which container on which day, when.

Each truck has an area, each area three parts, each part two days three days apart. On a day a
truck leaves the depot and always goes to the nearest container that is left, and back to unload
when it is full. The plan is the same in every week.
"""

import numpy as np
import pandas as pd

from datamall.demo.draws import Floats, Integers, stream
from datamall.demo.street_world import RoundsWorld
from datamall.demo.world import World
from datamall.errors import DatamallError

PAIRS = ((1, 4), (2, 5), (3, 6))  # Monday and Thursday, and so on: evenly over the week


def rounds(seed: int, world: World, places: pd.DataFrame) -> pd.DataFrame:
    """Plan the rounds.

    Parameters
    ----------
    seed, world
        As for `datamall.demo.city`; the world has rounds.
    places
        `City.places`; dump spots are not emptied.

    Returns
    -------
    DataFrame
        One row per stop: truck, weekday (1 = Monday), turn (from 1), cluster, start (minute of
        the day) and service_seconds, in order of truck, weekday and turn.

    Raises
    ------
    DatamallError
        When trucks are too few to be back before midnight.
    """
    knobs = world.rounds or RoundsWorld()
    bins = places[places["kind"] == "container"].reset_index(drop=True)
    xy = bins[["x", "y"]].to_numpy()
    twice = (bins["households"] >= knobs.twice_from).to_numpy()
    low, high = knobs.service_seconds
    rng = stream(seed, "rounds")
    service = (10 * np.rint((low + (high - low) * rng.random(len(bins))) / 10)).astype(np.int64)
    parts = _areas(xy, 1 + twice, len(PAIRS) * knobs.trucks)
    tours = []
    for part in range(len(PAIRS) * knobs.trucks):
        members = np.flatnonzero(parts == part)
        once = np.cumsum(~twice[members]) % 2 == 0  # every other one comes on the second day
        for half, weekday in enumerate(PAIRS[part % len(PAIRS)]):
            stops = members[twice[members] | (once == bool(half))]
            turns = _order(np.array(knobs.depot), xy[stops])
            tour = bins.iloc[stops[turns]][["cluster"]].assign(
                truck=f"W{part // len(PAIRS) + 1:02d}",
                weekday=weekday,
                turn=np.arange(1, len(stops) + 1),
                start=_times(knobs, xy[stops[turns]], service[stops[turns]]),
                service_seconds=service[stops[turns]],
            )
            tours.append(tour)
    table = pd.concat(tours).sort_values(["truck", "weekday", "turn"], ignore_index=True)
    if table["start"].max() >= 24 * 60:
        raise DatamallError(
            f"{knobs.trucks} trucks would not be back before midnight: give more trucks in "
            "World(rounds=RoundsWorld(trucks=…))."
        )
    return table[["truck", "weekday", "turn", "cluster", "start", "service_seconds"]]


def _areas(xy: Floats, work: Integers, number: int) -> Integers:
    """Cut places into areas of equal work, each time across the longer side."""
    area = np.zeros(len(xy), dtype=np.int64)
    if number == 1 or not len(xy):
        return area
    longer = int(np.argmax(np.ptp(xy, axis=0)))
    order = np.argsort(xy[:, longer], kind="stable")
    share = number // 2
    before = np.cumsum(work[order]) <= work.sum() * share / number
    first, second = order[before], order[~before]
    area[first] = _areas(xy[first], work[first], share)
    area[second] = share + _areas(xy[second], work[second], number - share)
    return area


def _order(depot: Floats, xy: Floats) -> Integers:
    """Return the order in which a truck visits places: always the nearest that is left."""
    left = np.ones(len(xy), dtype=bool)
    here = depot
    order = np.zeros(len(xy), dtype=np.int64)
    for turn in range(len(xy)):
        away = ((xy - here) ** 2).sum(axis=1)
        order[turn] = np.argmin(np.where(left, away, np.inf))
        here = xy[order[turn]]
        left[order[turn]] = False
    return order


def _times(knobs: RoundsWorld, xy: Floats, service: Integers) -> Integers:
    """Return the minute at which service begins at each stop of a tour."""
    depot = np.array(knobs.depot)
    points = np.vstack([depot, xy])

    def seconds(start: Floats, end: Floats) -> Floats:
        metres = np.sqrt(((end - start) ** 2).sum(axis=-1))
        return metres * knobs.detour * 3.6 / knobs.speed

    drive = seconds(points[:-1], points[1:])
    full = (np.arange(len(xy)) % knobs.load == 0) & (np.arange(len(xy)) > 0)
    by_depot = seconds(points[:-1], depot) + 60 * knobs.unload_minutes + seconds(depot, points[1:])
    drive = np.where(full, by_depot, drive) + knobs.approach_seconds
    begun = np.cumsum(drive) + np.cumsum(service) - service
    return (knobs.start + begun / 60).astype(np.int64)
