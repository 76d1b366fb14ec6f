"""Small cities for the tests of rounds, and a count of every round that could be driven."""

from collections.abc import Sequence
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
import pandas as pd

from datamall.enforcement.routing import Settings

# A metre takes a second and a road is a straight line, so that tests reckon in their head.
PLAIN = Settings(worth=1000.0, factor=1.0, speed=3.6, iterations=200)


def candidates(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return candidates: one per row, of which place, x and y are said and the rest may be."""
    usual = {
        "kind": "bulky",
        "y": 0.0,
        "value": 1.0,
        "demand": "may",
        "volume": 1.0,
        "mass": 100.0,
        "service": 60.0,
        "opens": np.nan,
        "closes": np.nan,
        "reason": "open report",
    }
    return pd.DataFrame([usual | row for row in rows], columns=["place", "x", *usual])


def trucks(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return trucks at the depot 0, 0 that take bulky waste from 6:00 to 14:00 without a break."""
    usual = {
        "x": 0.0,
        "y": 0.0,
        "volume": 10.0,
        "mass": 5000.0,
        "shift_start": 360,
        "shift_end": 840,
        "break_minutes": 0,
        "break_from": 660,
        "break_to": 780,
        "takes_bulky": "yes",
    }
    table = pd.DataFrame([usual | row for row in rows])
    return table.fillna({name: "no" for name in table if name.startswith("takes_")})


def sites(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return disposal sites."""
    usual = {"y": 0.0, "opens": np.nan, "closes": np.nan, "unload_minutes": 10}
    return pd.DataFrame([usual | row for row in rows], columns=["site", "x", *usual])


def town(seed: int, stops: int, number: int, **own: Any) -> dict[str, pd.DataFrame]:
    """Return candidates, trucks and sites of a random town of 4 km with coordinates in 10 m."""
    rng = np.random.Generator(np.random.PCG64(seed))
    xy = 10.0 * rng.integers(-200, 200, (stops + 2, 2))
    some = rng.random(stops) < 0.3
    places = candidates(
        [
            {
                "place": f"P{row:03d}",
                "x": xy[row, 0],
                "y": xy[row, 1],
                "value": round(float(rng.gamma(2)), 2),
                "volume": float(rng.integers(1, 6)),
                "service": float(60 * rng.integers(1, 10)),
                "closes": 380.0 if some[row] else np.nan,
            }
            for row in range(stops)
        ]
    )
    fleet = trucks([{"truck": f"W{row}", **own} for row in range(number)])
    return {
        "candidates": places,
        "trucks": fleet,
        "sites": sites([{"site": "S1", "x": xy[-1, 0], "y": xy[-1, 1]}]),
    }


def every_round(town: dict[str, pd.DataFrame], truck: int, settings: Settings) -> dict[Any, float]:
    """Return of each set of places the least seconds in which a truck serves them all, from home.

    Every order is driven, with and without a disposal trip before each stop but the first.
    """
    places, duty = town["candidates"], town["trucks"].iloc[truck]
    site = town["sites"].iloc[0]
    least: dict[Any, float] = {frozenset(): 0.0}
    rows = places.to_dict("records")
    for size in range(1, len(rows) + 1):
        for chosen in combinations(range(len(rows)), size):
            found = [
                _driven([rows[row] for row in order], trips, duty, site, settings)
                for order in permutations(chosen)
                for trips in product((False, True), repeat=size - 1)
            ]
            best = min(found)
            if np.isfinite(best):
                least[frozenset(chosen)] = best
    return least


def _driven(
    order: Sequence[dict[Any, Any]], trips: Sequence[bool], duty: Any, site: Any, settings: Settings
) -> float:
    """Return the seconds of one round from depot to depot, infinite where it is impossible."""
    moment, here, load = 60.0 * duty["shift_start"], (duty["x"], duty["y"]), 0.0

    def away(to: tuple[float, float]) -> float:
        straight = np.hypot(here[0] - to[0], here[1] - to[1]) * settings.factor
        return float(round(straight * 3.6 / settings.speed))

    for place, trip in zip(order, (False, *trips), strict=True):
        if trip:
            moment += away((site["x"], site["y"])) + 60 * site["unload_minutes"]
            here, load = (site["x"], site["y"]), 0.0
        moment += away((place["x"], place["y"]))
        here, load = (place["x"], place["y"]), load + place["volume"]
        closes = np.nan_to_num(place["closes"], nan=1440)
        if moment > 60 * closes or load > duty["volume"]:
            return np.inf
        moment += place["service"]
    moment += away((duty["x"], duty["y"]))
    return moment - 60 * duty["shift_start"] if moment <= 60 * duty["shift_end"] else np.inf


def best(town: dict[str, pd.DataFrame], settings: Settings) -> float:
    """Return the least cost of all plans: seconds driven less seconds won."""
    value = (town["candidates"]["value"] * settings.worth).round().to_numpy()
    found = {frozenset(): 0.0}
    for truck in range(len(town["trucks"])):
        more = every_round(town, truck, settings)
        found = _joined(found, more)
    return min(seconds - value[list(served)].sum() for served, seconds in found.items())


def _joined(first: dict[Any, float], second: dict[Any, float]) -> dict[Any, float]:
    """Return of each set of places the least seconds in which two share it."""
    least: dict[Any, float] = {}
    for own, other in product(first, second):
        if not own & other:
            seconds = first[own] + second[other]
            least[own | other] = min(seconds, least.get(own | other, np.inf))
    return least


def cost(stops: pd.DataFrame, town: dict[str, pd.DataFrame], settings: Settings) -> float:
    """Return the cost of a plan, from its table alone."""
    total = 0.0
    for truck, own in stops.groupby("truck"):
        duty = town["trucks"].set_index("truck").loc[truck]
        first = own.iloc[0]
        straight = np.hypot(first["x"] - duty["x"], first["y"] - duty["y"]) * settings.factor
        total += own["arrival"].iloc[-1] - first["arrival"]
        total += round(straight * 3.6 / settings.speed)
    return total - (stops["value"] * settings.worth).round().sum()
