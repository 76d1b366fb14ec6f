"""Welfare in the demo city: people on benefit, how they were selected, and what was planted."""

from collections.abc import Iterator

import pandas as pd

from datamall.demo import welfare_counts, welfare_people, welfare_raw, welfare_selection
from datamall.demo import welfare_truth as _truth
from datamall.demo.raw import Delivery
from datamall.demo.welfare_world import BIASES, NEUTRAL, WelfareWorld

__all__ = ["BIASES", "NEUTRAL", "WelfareWorld", "counts", "files", "people", "truth_tables"]


def people(seed: int, world: WelfareWorld | None = None) -> pd.DataFrame:
    """Draw people on benefit and what happened to their files, with the truth.

    Parameters
    ----------
    seed
        Any whole number that is not negative.
    world
        Knobs; the demo's when absent.

    Returns
    -------
    DataFrame
        One row per client and year (2024, 2025): see `welfare_people.draw` and
        `welfare_selection.select`.
    """
    world = world or WelfareWorld()
    return welfare_selection.select(seed, world, welfare_people.draw(seed, world))


def counts(seed: int, world: WelfareWorld | None = None) -> pd.DataFrame:
    """Return the official counts of the same people: see `welfare_counts.count`."""
    return welfare_counts.count(people(seed, world))


def files(seed: int, world: WelfareWorld | None = None) -> Iterator[Delivery]:
    """Yield the raw files, with the planted faults: see `welfare_raw.deliver`."""
    world = world or WelfareWorld()
    drawn = people(seed, world)
    yield from welfare_raw.deliver(seed, world, drawn, welfare_counts.count(drawn))


def truth_tables(seed: int, world: WelfareWorld | None = None) -> dict[str, pd.DataFrame]:
    """Return what was planted, by name of the table: see `welfare_truth`."""
    world = world or WelfareWorld()
    return _truth.tables(people(seed, world), people(seed, world.without_bias()), world)
