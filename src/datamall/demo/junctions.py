"""The junctions of the demo city: roads that meet, lanes, demand by design and signal plans.

Detectors are numbered as Dutch signal groups are: 01-12 for cars (right, straight on and left of
each approach, from the north clockwise), 21-24 bicycles, 31-34 pedestrians, 41-44 buses.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datamall.demo.draws import Floats, normal, sample, stream
from datamall.demo.geography import FIRST, LAST, SETTLEMENTS
from datamall.demo.traffic_world import TrafficWorld

APPROACHES = ("north", "east", "south", "west")
KINDS = ("ring", "radial", "business", "school", "centre")
CENTRE = 900.0  # m from the middle of the first settlement
APART = 300.0  # m between junctions at least

# Lane groups by approach and the phase that serves each. Groups of one phase run together.
# Where left-turners have no lane of their own they give way, which the model leaves out.
LAYOUTS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "separate": (
        *(("north", "SR", "A"), ("south", "SR", "A"), ("north", "L", "B"), ("south", "L", "B")),
        *(("east", "SR", "C"), ("west", "SR", "C"), ("east", "L", "D"), ("west", "L", "D")),
    ),
    "mixed": (
        *(("north", "SR", "A"), ("south", "SR", "A"), ("north", "L", "B"), ("south", "L", "B")),
        *(("east", "LSR", "C"), ("west", "LSR", "C")),
    ),
    "simple": (
        *(("north", "LSR", "A"), ("south", "LSR", "A")),
        *(("east", "LSR", "B"), ("west", "LSR", "B")),
    ),
    "tee": (
        *(("west", "SR", "A"), ("east", "S", "A"), ("east", "L", "B")),
        ("south", "LR", "C"),
    ),
}
ORDER = ("separate", "mixed", "tee", "simple", "mixed", "tee", "separate", "tee")
SATURATION = {"S": 1900, "SR": 1800, "L": 1700, "LR": 1600, "LSR": 1500}  # pcu/h and lane
LOST = 4.0  # s per phase: start-up and clearance
MINIMUM_GREEN = 6.0
LONGEST = 120.0  # s; a longer cycle is not accepted on the street


class Junctions(NamedTuple):
    """The truth about junctions before any mess.

    Attributes
    ----------
    sites
        site, name, x, y (m, RD), kind (of `KINDS`), layout, plan (fine, wrong split, over
        capacity, no conflict data or no saturation flow), load (Y in the design hour), cycle,
        lost_time (s), webster_cycle (s; NaN from Y = 0.95).
    groups
        One row per lane group: site, approach, lane_group, lanes, saturation_flow (pcu/h),
        phase, green, minimum_green, pedestrian_time (s; NaN where nobody crosses), demand
        (vehicles/h in the design hour, 17-18 h on an ordinary working day), morning (demand at
        8-9 h as a share of it), capacity (vehicles/h), critical (whether the group decides on
        its phase) and webster_green (s). One vehicle is one pcu.
    detectors
        One row per detector: site, approach, movement, mode, detector, kind, design (passages/h
        in the design hour) and morning.
    """

    sites: pd.DataFrame
    groups: pd.DataFrame
    detectors: pd.DataFrame


def junctions(seed: int, world: TrafficWorld) -> Junctions:
    """Draw the junctions (at least one)."""
    sites = _sites(seed, world)
    records = sites.to_dict("records")
    groups = pd.concat([_groups(seed, world, site) for site in records], ignore_index=True)
    of_site = ["load", "cycle", "lost_time", "webster_cycle"]
    sites = sites.merge(groups.groupby("site")[of_site].first(), left_on="site", right_index=True)
    groups["capacity"] = groups["saturation_flow"] * groups["green"] / groups["cycle"]
    groups = groups.drop(columns=of_site)
    groups.insert(0, "site", groups.pop("site"))
    cars = dict(list(groups.groupby("site")))
    detectors = [_detectors(seed, site, cars[site["site"]]) for site in records]
    return Junctions(sites, groups, pd.concat(detectors, ignore_index=True))


def _sites(seed: int, world: TrafficWorld) -> pd.DataFrame:
    """Draw places, names and kinds, and share out what is planted."""
    rng = stream(seed, "junctions")
    middle = SETTLEMENTS[0]
    shares = np.array([settlement.share for settlement in SETTLEMENTS])
    edges = np.cumsum(shares) / shares.sum()
    rows: list[tuple[float, float]] = []
    while len(rows) < world.junctions:
        home = SETTLEMENTS[int(np.searchsorted(edges[:-1], rng.random(), side="right"))]
        shift = home.spread * 1.2 * normal(rng, 2, 2.0)
        x, y = np.round(home.x + shift[0], 2), np.round(home.y + shift[1], 2)
        if all(np.hypot(x - a, y - b) >= APART for a, b in rows):
            rows.append((float(x), float(y)))
    plans = (
        ["over capacity"] * world.over_capacity
        + ["wrong split"] * world.wrong_split
        + ["no conflict data"] * world.no_conflicts
        + ["no saturation flow"] * world.no_saturation
    )
    plans += ["fine"] * (world.junctions - len(plans))
    shuffled = sample(rng, world.junctions, world.junctions)
    away = [np.hypot(x - middle.x, y - middle.y) for x, y in rows]
    names = [first + last for first in FIRST for last in LAST]
    roads = sample(rng, len(names), 2 * world.junctions)
    return pd.DataFrame(
        {
            "site": [f"K{index + 1:02d}" for index in range(world.junctions)],
            "name": [
                f"{names[roads[2 * index]]}weg – {names[roads[2 * index + 1]]}laan"
                for index in range(world.junctions)
            ],
            "x": [x for x, _ in rows],
            "y": [y for _, y in rows],
            "kind": [
                "centre" if away[index] < CENTRE else KINDS[index % 4]
                for index in range(world.junctions)
            ],
            "layout": [ORDER[index % len(ORDER)] for index in range(world.junctions)],
            "plan": [plans[index] for index in shuffled],
        }
    )


def _groups(seed: int, world: TrafficWorld, site: dict[str, Any]) -> pd.DataFrame:
    """Draw the lane groups of one junction, and its signal plan."""
    rng = stream(seed, f"junction {site['site']}")
    table = pd.DataFrame(LAYOUTS[str(site["layout"])], columns=["approach", "lane_group", "phase"])
    number = len(table)
    busy = site["kind"] in ("ring", "radial") and site["layout"] != "simple"
    straight = table["lane_group"].str.contains("S").to_numpy()
    main = table["phase"].isin(["A"]).to_numpy()
    table["lanes"] = np.where(busy & straight & main, 2, 1)
    lane = table["lane_group"].map(SATURATION) * (0.95 + 0.1 * rng.random(number))
    table["saturation_flow"] = (10 * (lane / 10).round() * table["lanes"]).astype(int)

    low, high = {"wrong split": world.load_wrong, "over capacity": world.load_over}.get(
        str(site["plan"]), world.load_fine
    )
    load = low + (high - low) * rng.random()
    phase, names = pd.factorize(table["phase"])
    # Straight on needs more than left turns and side roads.
    usual = np.where(straight & main, 1.6, 0.9)
    mean = np.bincount(phase, usual, len(names)) / np.bincount(phase, minlength=len(names))
    weight = mean * (0.85 + 0.3 * rng.random(len(names)))
    y = np.round(load * weight / weight.sum(), 6)
    # The first group of a phase in random order is the one that decides; others need less.
    order = rng.random(number)
    first = order == np.array([order[phase == index].max() for index in range(len(names))])[phase]
    ratio = y[phase] * np.where(first, 1.0, 0.55 + 0.35 * rng.random(number))
    table["demand"] = (ratio * table["saturation_flow"]).round(1)
    morning = {
        name: 0.7 + 0.3 * share for name, share in zip(APPROACHES, rng.random(4), strict=True)
    }
    table["morning"] = table["approach"].map(morning).round(4)
    table["critical"] = first

    lost = LOST * len(names)
    webster = (1.5 * lost + 5) / (1 - y.sum()) if y.sum() < 0.95 else np.nan
    cycle = float(np.clip(5 * np.ceil(np.nan_to_num(webster, nan=LONGEST) / 5), 60, LONGEST))
    share = y / y.sum()
    green = _whole(share * (cycle - lost), cycle - lost)
    best = share * (webster - lost)
    if site["plan"] == "wrong split":
        starved = int(np.argmax(y * np.isin(names, table["phase"][straight])))
        short = np.floor(y[starved] * cycle / world.starved)
        rest = np.where(np.arange(len(y)) == starved, 0.0, share / (1 - share[starved]))
        green = rest * (cycle - lost - short)
        green[starved] = short
        green = _whole(green, cycle - lost)
    walk = np.round(11 + 8 * rng.random(len(names)))
    walked = np.bincount(phase, straight, len(names)) > 0
    return table.assign(
        site=site["site"],
        load=y.sum(),
        green=green[phase],
        cycle=cycle,
        lost_time=lost,
        webster_cycle=webster,
        webster_green=best[phase],
        minimum_green=MINIMUM_GREEN,
        pedestrian_time=np.where(walked, np.minimum(walk, green), np.nan)[phase],
    )


def _whole(green: Floats, total: float) -> Floats:
    """Round greens to whole seconds that add up to `total`, none below the minimum."""
    whole = np.maximum(np.floor(green), MINIMUM_GREEN)
    missing = round(float(total - whole.sum()))
    # What is over goes to the largest remainders; what is lacking comes from the longest green.
    whole[np.argsort(whole - green, kind="stable")[: max(missing, 0)]] += 1
    whole[np.argmax(whole)] += min(missing, 0)
    return whole


def _detectors(seed: int, site: dict[str, Any], cars: pd.DataFrame) -> pd.DataFrame:
    """Draw what is counted: cars by lane group; bicycles, pedestrians and buses by approach."""
    rng = stream(seed, f"detectors {site['site']}")
    arms = [name for name in APPROACHES if name in set(cars["approach"])]
    kind = site["kind"]
    table = cars[["approach", "lane_group", "demand", "morning"]].set_axis(
        ["approach", "movement", "design", "morning"], axis=1
    )
    lane = [3 if name == "L" else 2 if "S" in name else 1 for name in table["movement"]]
    number = 3 * table["approach"].map(APPROACHES.index) + lane
    parts = [table.assign(mode="car", number=number)]
    extras = (
        ("bike", 21, arms, {"centre": 260.0, "school": 200.0}.get(kind, 110.0)),
        ("pedestrian", 31, arms[:2] if kind == "centre" else [], 150.0),
        ("bus", 41, arms[:1] if kind == "radial" else [], 7.0),
    )
    for mode, first, legs, usual in extras:
        share = 0.6 + 0.8 * rng.random(len(legs))
        part = {
            "approach": legs,
            "movement": "-",
            "design": (usual * share).round(1),
            "morning": (0.9 + 0.5 * rng.random(len(legs))).round(4),
            "mode": mode,
            "number": [first + APPROACHES.index(leg) for leg in legs],
        }
        parts.append(pd.DataFrame(part))
    found = pd.concat(parts, ignore_index=True)
    return found.assign(
        site=site["site"],
        kind=kind,
        detector=[f"{site['site']}-{int(one):02d}" for one in found["number"]],
    )[["site", "approach", "movement", "mode", "detector", "kind", "design", "morning"]]
