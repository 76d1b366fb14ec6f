"""The map of the demo city: settlements, neighbourhoods, containers and dump spots.

Shared by every department's part of the city. Names are made up, so that no figure can be read as
one about a real neighbourhood.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from datamall.demo.draws import Floats, Integers, normal, pick, sample, stream
from datamall.demo.world import World

BOX = (229_385, 571_301, 244_646, 590_982)
"""Extent of Groningen's register of containers: west, south, east, north in RD metres."""

REGISTER = 2319
"""Containers for which the spreads of `SETTLEMENTS` hold; smaller cities are as dense."""

REACH = 2.3
"""Standard deviations at which positions are cut off, so that no place leaves the box."""


class Settlement(NamedTuple):
    """A lump of neighbourhoods around one point.

    Coordinates and `spread` (standard deviation) in metres; `share` of all containers; `rounds`
    are the rounds that a cleaning crew plans per week.
    """

    district: str
    x: float
    y: float
    spread: float
    share: float
    rounds: float


SETTLEMENTS = (
    Settlement("Martenskwartier", 233_800, 581_900, 520, 0.19, 1.2),
    Settlement("Oosterdrift", 235_200, 582_500, 480, 0.12, 0.9),
    Settlement("Korrekamp", 234_100, 583_500, 480, 0.12, 0.9),
    Settlement("Hélperzoom", 234_500, 579_500, 560, 0.11, 0.9),
    Settlement("Paddemaar", 232_000, 583_900, 560, 0.10, 0.6),
    Settlement("Vinkenborg", 231_000, 582_600, 460, 0.08, 0.6),
    Settlement("Coëndersveen", 236_000, 580_500, 520, 0.07, 0.6),
    Settlement("Beijenkamp", 236_200, 585_400, 560, 0.07, 0.6),
    Settlement("Lewenstee", 237_600, 583_700, 500, 0.05, 0.6),
    Settlement("Hogekerke", 230_900, 580_900, 300, 0.02, 0.3),
    Settlement("Onnerhaar", 236_400, 576_700, 560, 0.04, 0.3),
    Settlement("Onnerhaar", 237_300, 572_500, 150, 0.007, 0.3),
    Settlement("Sint-Annerhörn", 241_300, 587_600, 330, 0.018, 0.3),
    Settlement("Sint-Annerhörn", 243_700, 590_100, 100, 0.005, 0.3),
)
FIRST = (
    *("Ooster", "Wester", "Noorder", "Zuider", "Molen", "Linden", "Hoorn", "Schuiten", "Reeë"),
    *("Coöperatie", "Ruïne", "Veld", "Turf", "Geuzen", "Hélper", "Boter"),
)
LAST = ("maar", "borg", "stee", "kamp", "weerd", "zijl", "hof", "veen", "hörn", "diep")


def neighbourhoods(seed: int, world: World) -> pd.DataFrame:
    """Draw the centres of the neighbourhoods.

    Returns
    -------
    DataFrame
        One row per neighbourhood: neighbourhood (code), name, district, settlement (index into
        `SETTLEMENTS`), x, y (m, RD), in the order of the codes.
    """
    rng = stream(seed, "neighbourhoods")
    shares = np.array([settlement.share for settlement in SETTLEMENTS])
    # At least one each; the rest in proportion, by the largest remainder.
    exact = (world.neighbourhoods - len(shares)) * shares / shares.sum()
    number = 1 + exact.astype(int)
    number[np.argsort(number - exact, kind="stable")[: world.neighbourhoods - number.sum()]] += 1
    settlement = np.repeat(np.arange(len(shares)), number)
    x, y = _around(rng, settlement, scale(world))
    names = [first + last for first in FIRST for last in LAST]
    district = pd.Series([SETTLEMENTS[index].district for index in settlement])
    order = pd.factorize(district)[0]
    within = district.groupby(district).cumcount()
    return pd.DataFrame(
        {
            "neighbourhood": [
                f"B{d + 1:02d}{n + 1:02d}" for d, n in zip(order, within, strict=True)
            ],
            "name": [names[index] for index in sample(rng, len(names), len(settlement))],
            "district": district,
            "settlement": settlement,
            "x": x,
            "y": y,
        }
    )


def places(seed: int, world: World, areas: pd.DataFrame) -> pd.DataFrame:
    """Draw the containers and the dump spots.

    Parameters
    ----------
    areas
        What `neighbourhoods` returns.

    Returns
    -------
    DataFrame
        One row per place, in the order of the register: cluster, kind, fraction, x, y (m, RD, to
        the centimetre), households, neighbourhood (the nearest centre), district, rounds (planned
        per week).
    """
    rng = stream(seed, "places")
    number = world.places + world.dump_spots
    settlement = pick(rng, [settlement.share for settlement in SETTLEMENTS], number)
    members = areas.groupby("settlement").indices
    # A place lies around the centre of one neighbourhood of its settlement.
    first = np.array([members[index][0] for index in range(len(SETTLEMENTS))])
    size = np.array([len(members[index]) for index in range(len(SETTLEMENTS))])
    centre = first[settlement] + (rng.random(number) * size[settlement]).astype(int)
    spread = 150 * min(1.0, scale(world) * 2)
    x = (areas["x"].to_numpy()[centre] + spread * normal(rng, number, REACH)).round(2)
    y = (areas["y"].to_numpy()[centre] + spread * normal(rng, number, REACH)).round(2)
    nearest = np.hypot(
        x[:, None] - areas["x"].to_numpy(), y[:, None] - areas["y"].to_numpy()
    ).argmin(axis=1)
    kind = np.where(np.arange(number) < world.places, "container", "dump spot")
    spread_log = 0.5  # a large building has some three times the households of a small street
    households = world.households_per_place * np.exp(
        spread_log * normal(rng, number) - spread_log**2 / 2
    )
    shuffled = sample(rng, number, number)
    rounds = np.array([settlement.rounds for settlement in SETTLEMENTS])
    table = pd.DataFrame(
        {
            "kind": kind,
            "fraction": pd.Series(kind).map({"container": "residual"}),
            "x": x,
            "y": y,
            "households": np.where(kind == "container", households.round().clip(2), 0).astype(int),
            "neighbourhood": areas["neighbourhood"].to_numpy()[nearest],
            "district": areas["district"].to_numpy()[nearest],
            "rounds": rounds[areas["settlement"].to_numpy()[nearest]],
        }
    ).iloc[shuffled]
    table.insert(0, "cluster", [f"GR{index + 1:05d}" for index in range(number)])
    return table.reset_index(drop=True)


def households(seed: int, areas: pd.DataFrame, table: pd.DataFrame) -> Integers:
    """Return the households of each neighbourhood, rounded to five as Statistics Netherlands does.

    More than those that depend on a container underground: some have a bin of their own.
    """
    rng = stream(seed, "households")
    served = table.groupby("neighbourhood")["households"].sum().reindex(areas["neighbourhood"])
    share = 1.05 + 0.25 * rng.random(len(areas))
    own_bin = 10 + 50 * rng.random(len(areas))
    return (5 * ((served.fillna(0).to_numpy() * share + own_bin) / 5).round()).astype(np.int64)


def scale(world: World) -> float:
    """Return the factor on distances that keeps a city of another size as dense."""
    return float(np.sqrt(world.places / REGISTER))


def _around(rng: np.random.Generator, settlement: Integers, scale: float) -> tuple[Floats, Floats]:
    """Draw points around the centres of their settlements."""
    centre = np.array([(s.x, s.y, s.spread * scale) for s in SETTLEMENTS])[settlement]
    x = centre[:, 0] + centre[:, 2] * normal(rng, len(settlement), REACH)
    y = centre[:, 1] + centre[:, 2] * normal(rng, len(settlement), REACH)
    return x, y
