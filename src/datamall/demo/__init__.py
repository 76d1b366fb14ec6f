"""A synthetic Groningen: raw files as departments deliver them, and the truth behind them.

The truth is for tests and for people who check the method. No analysis may import this package.
"""

from pathlib import Path

from datamall.demo import departments, enforcement, raw
from datamall.demo import truth as _truth
from datamall.demo.enforcement import City
from datamall.demo.traffic_world import TrafficWorld
from datamall.demo.welfare_world import WelfareWorld
from datamall.demo.world import World
from datamall.errors import DatamallError

__all__ = ["City", "TrafficWorld", "WelfareWorld", "World", "city", "make", "truth"]


def city(seed: int, world: World | None = None) -> City:
    """Return the truth and the tallies before any mess; see `City` for the tables.

    Raises
    ------
    DatamallError
        When the seed is no whole number from 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise DatamallError(
            f"The seed of the demo city is {seed!r}: give a whole number from 0, in params.yaml "
            "under demo, seed."
        )
    return enforcement.city(seed, world or World())


def make(folder: Path, seed: int, world: World | None = None) -> None:
    """Write the raw files of the demo authority; the same bytes for the same seed and world.

    Parameters
    ----------
    folder
        Where the files go, e.g. ``containers.csv`` and ``tellingen_2025_01.csv``: what each
        holds is in ``data/authorities/demo.yaml``.
    seed
        Any whole number that is not negative.
    world
        Knobs; the demo's when absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for delivery in departments.deliver(city(seed, world)):
        raw.write(folder, delivery)


def truth(folder: Path, seed: int, world: World | None = None, *, root: Path | None = None) -> None:
    """Write what was planted: see `datamall.demo.truth` for the tables.

    Parameters
    ----------
    folder
        Where a CSV per table of `datamall.demo.truth.tables`, ``faults.csv`` and
        ``parameters.json`` go.
    seed, world
        As for `make`.
    root
        Project folder; its data and source folders are refused.

    Raises
    ------
    DatamallError
        When `folder` lies where an analysis could read it, or is a file.
    """
    if folder.is_file():
        raise DatamallError(f"{folder} is a file: name a folder for the truth of the demo city.")
    if root is not None:
        _truth.refuse_inside(folder, root)
    _truth.write(city(seed, world), folder)
