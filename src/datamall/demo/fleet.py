"""The demo city's trucks, where they unload, and where they are on a Monday at 10:40.

Eight trucks with a lift empty the containers of the weekly rounds (`datamall.demo.rounds`); two
with a grab take what lies beside them and have no round that repeats. By 10:40 the first have done
the stops of their Monday that begin by then, the others a few.
"""

from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamall.demo.draws import sample, stream
from datamall.demo.rounds import rounds
from datamall.demo.street_world import RoundsWorld
from datamall.demo.world import World

SNAPSHOT = (date(2026, 1, 5), 640)  # the first Monday after the year of inspections, 10:40
KINDS = ("full", "bulky", "residual", "cardboard")
SATURDAY = 6
REASONS = ("parked car", "road works", "too much", "unsafe", "other")
NOTHING_THERE, REFUSED = 0.04, 0.015  # of the stops
GRAB_STOPS = 9  # that a truck with a grab has done by 10:40


class Fleet(NamedTuple):
    """Trucks, disposal sites, rounds under way and results of stops, in the words of the stores."""

    trucks: pd.DataFrame
    sites: pd.DataFrame
    under_way: pd.DataFrame
    results: pd.DataFrame


def fleet(seed: int, world: World, places: pd.DataFrame) -> Fleet:
    """Return the fleet.

    Parameters
    ----------
    seed, world
        As for `datamall.demo.city`; the world has rounds.
    places
        `City.places`.

    Returns
    -------
    Fleet
        Columns as in the contracts of the stores, in the order of their keys.
    """
    knobs = world.rounds or RoundsWorld()
    plan = rounds(seed, world, places)
    lifts = [f"W{number:02d}" for number in range(1, knobs.trucks + 1)]
    grabs = [f"G{number:02d}" for number in range(1, knobs.grabs + 1)]
    lift = np.array([name in lifts for name in [*lifts, *grabs]])
    trucks = pd.DataFrame({"truck": [*lifts, *grabs]})
    trucks["x"], trucks["y"] = knobs.depot
    trucks["volume"] = np.where(lift, *knobs.volume)
    trucks["mass"] = np.where(lift, *knobs.mass)
    for kind in KINDS:
        trucks[f"takes_{kind}"] = np.where(lift == (kind == "full"), "yes", "no")
    trucks["shift_start"], trucks["shift_end"] = knobs.start, knobs.end
    trucks["break_minutes"] = knobs.rest[0]
    trucks["break_from"], trucks["break_to"] = knobs.rest[1:]
    trucks["crew"] = np.where(lift, 2, 1)
    sites = pd.DataFrame(
        [(name, x, y, opens, closes, knobs.unload_minutes) for name, x, y, opens, closes in
         (("Oost", *knobs.depot, 360, 1080), ("West", *knobs.second_site, 420, 960))],
        columns=["site", "x", "y", "opens", "closes", "unload_minutes"],
    )  # fmt: skip
    where = places.set_index("cluster")[["x", "y"]]
    under_way = pd.concat(
        [_lifts(knobs, plan, where), _grabs(seed, knobs, grabs, where)], ignore_index=True
    )
    return Fleet(trucks, sites, under_way.sort_values("truck", ignore_index=True),
                 _results(seed, plan))  # fmt: skip


def _lifts(knobs: RoundsWorld, plan: pd.DataFrame, where: pd.DataFrame) -> pd.DataFrame:
    """Return the trucks with a Monday round: at the last stop that has begun."""
    today = plan[plan["weekday"] == 1]
    done = today[today["start"] <= SNAPSHOT[1]].groupby("truck").size()
    rows = []
    for truck, number in done.items():
        own = today[today["truck"] == truck].sort_values("turn")
        aboard = (number - 1) % knobs.load + 1  # stops since it last unloaded
        left = own["cluster"].iloc[number : number + 1]
        rows.append(
            {
                "truck": truck,
                **where.loc[own["cluster"].iloc[number - 1]].to_dict(),
                "volume": round(knobs.volume[0] * aboard / knobs.load, 1),
                "mass": round(knobs.mass[0] * 0.8 * aboard / knobs.load),
                "stops_done": number,
                "next_place": left.iloc[0] if len(left) else None,
            }
        )
    return _moment(pd.DataFrame(rows))


def _grabs(seed: int, knobs: RoundsWorld, grabs: list[str], where: pd.DataFrame) -> pd.DataFrame:
    """Return the trucks with a grab, each somewhere in the city with a part of its load."""
    rng = stream(seed, "fleet")
    spots = where.iloc[sample(rng, len(where), 2 * len(grabs))]
    stops = GRAB_STOPS + rng.integers(-2, 3, len(grabs))
    table = pd.DataFrame({"truck": grabs, "stops_done": stops})
    table[["x", "y"]] = spots.iloc[: len(grabs)].to_numpy()
    table["volume"] = (1.1 * stops).round(1)
    table["mass"] = 90 * stops
    table["next_place"] = spots.index[len(grabs) :]
    return _moment(table)


def _moment(table: pd.DataFrame) -> pd.DataFrame:
    """Return rounds under way at the moment of the snapshot; the first has had its break."""
    day, minute = SNAPSHOT
    columns = ["day", "minute", "truck", "x", "y", "volume", "mass", "stops_done", "next_place"]
    table = table.assign(day=pd.Timestamp(day), minute=minute)[columns]
    return table.assign(break_taken=["yes", *["no"] * (len(table) - 1)])


def _results(seed: int, plan: pd.DataFrame) -> pd.DataFrame:
    """Return what came of the stops of the Saturday before, with a few that were not served."""
    rng = stream(seed, "results of stops")
    own = plan[plan["weekday"] == SATURDAY].sort_values(["start", "truck", "cluster"])
    chance = rng.random(len(own))
    result = np.select(
        [chance < NOTHING_THERE, chance < NOTHING_THERE + REFUSED],
        ["nothing there", "refused"],
        "done",
    )
    reason = np.array(REASONS)[rng.integers(0, len(REASONS), len(own))]
    return pd.DataFrame(
        {
            "day": pd.Timestamp(SNAPSHOT[0]) - pd.Timedelta(days=2),
            "minute": own["start"].to_numpy(),
            "truck": own["truck"].to_numpy(),
            "cluster": own["cluster"].to_numpy(),
            "result": result,
            "reason": np.where(result == "refused", reason, ""),
        }
    )
