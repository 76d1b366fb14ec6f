"""The seconds of the rounds: a plan of 200 stops, and a redirect of the trucks on their way.

A random city of 16 by 20 km, eight trucks of two kinds, two disposal sites, time windows on a
third of the places, streets to avoid and a break. Iterations end the search, no clock, so that the
plan is the same on every machine and the time is not: this is the place to look at it.

    python -m bench.routing [--stops 200] [--iterations 600]
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from datamall.enforcement.routing import Settings, plan, redirect

TRUCKS = 8
NOW = 640  # minute of the day


def places(rng: np.random.Generator, number: int, name: str) -> pd.DataFrame:
    """Return random candidates."""
    early, late = (rng.random(number) < 0.3 for _ in range(2))
    return pd.DataFrame(
        {
            "place": [f"{name}{row:04d}" for row in range(number)],
            "kind": rng.choice(["bulky", "full"], number),
            "x": rng.uniform(229_000, 245_000, number),
            "y": rng.uniform(571_000, 591_000, number),
            "value": rng.gamma(1, 1, number),
            "demand": np.where(rng.random(number) < 0.1, "must", "may"),
            "volume": rng.uniform(0.3, 2, number),
            "mass": rng.integers(20, 300, number),
            "service": rng.integers(90, 600, number),
            "opens": np.where(early, 540, np.nan),
            "closes": np.where(late, 780, np.nan),
            "reason": "",
        }
    )


def city(rng: np.random.Generator) -> dict[str, Any]:
    """Return trucks, disposal sites and streets to avoid."""
    trucks = pd.DataFrame({"truck": [f"W{row}" for row in range(TRUCKS)]}).assign(
        x=237_900, y=581_200, volume=20, mass=9000, shift_start=390, shift_end=870,
        break_minutes=30, break_from=690, break_to=780, takes_full="yes",
    )  # fmt: skip
    trucks["takes_bulky"] = np.where(np.arange(TRUCKS) % 2, "yes", "no")
    sites = pd.DataFrame({"site": ["east", "west"], "x": [237_900, 230_600]})
    sites = sites.assign(y=581_500, opens=420, closes=960, unload_minutes=15)
    avoid = pd.DataFrame({"x": rng.uniform(229_000, 245_000, 5)}).assign(
        y=rng.uniform(571_000, 591_000, 5), radius=1500, weekday=1, start=[450] * 3 + [960] * 2
    )
    return {"trucks": trucks, "sites": sites, "avoid": avoid.assign(end=avoid["start"] + 90)}


def under_way(stops: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return where the trucks of a plan are now, and the rest of their rounds."""
    done = stops[(stops["value"] > 0) & (stops["departure"] <= 60 * NOW)]
    left = stops[(stops["value"] > 0) & (stops["departure"] > 60 * NOW)]
    state = done.groupby("truck").last().reset_index()[["truck", "x", "y", "volume", "mass"]]
    state["next_place"] = state["truck"].map(left.groupby("truck")["place"].first())
    return state.assign(minute=NOW, break_taken="no"), left[["truck", "turn", "place", "kind"]]


def timed(what: str, call: Callable[[], Any]) -> Any:
    """Print what a call takes and return what it returns."""
    start = time.perf_counter()
    found = call()
    print(f"{what:<52}{time.perf_counter() - start:6.1f} s")
    return found


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=200)
    parser.add_argument("--iterations", type=int, default=Settings().iterations)
    asked = parser.parse_args()
    rng = np.random.Generator(np.random.PCG64(1))
    settings = Settings(iterations=asked.iterations)
    morning, own = places(rng, asked.stops, "P"), city(rng)
    found = timed(
        f"plan: {asked.stops} places, {TRUCKS} trucks, {asked.iterations} iterations",
        lambda: plan(morning, settings=settings, **own),
    )
    state, rest = under_way(found.stops)
    there = morning[morning["place"].isin(rest["place"])]
    more = pd.concat([there, places(rng, asked.stops - len(there), "N")], ignore_index=True)
    changed = timed(
        f"redirect: {len(rest)} stops left, {len(more) - len(rest)} new places",
        lambda: redirect(more, rest, under_way=state, settings=settings, **own),
    )
    total = changed.trucks[["value", "value_before"]].sum()
    print(f"dirty days prevented: {total['value']:.0f}, doing nothing {total['value_before']:.0f}")


if __name__ == "__main__":
    main()
