"""Counts of a few detectors, drawn or written by hand, as an extract hands them out."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.traffic.cube import COUNTS, KEYS, Cube, cells

MONDAY = "2025-03-03"
# Share of the busiest hour by hour of a working day, and of a day of the weekend.
WORKING = np.array(
    [2, 1, 1, 1, 3, 10, 35, 80, 90, 60, 50, 55, 60, 60, 60, 70, 90, 100, 80, 50, 35, 25, 15, 6]
) / 100  # fmt: skip
WEEKEND = np.roll(WORKING, 2) * 0.6


def names(number: int, **columns: object) -> pd.DataFrame:
    """Return keys of detectors of one junction, D0 onwards, each an approach of its own."""
    about: dict[str, object] = {
        "site": "J1",
        "approach": [f"arm {row}" for row in range(number)],
        "movement": "S",
        "mode": "car",
        "detector": [f"D{row}" for row in range(number)],
    }
    return pd.DataFrame(about | columns, index=range(number))[KEYS]


def drawn(
    volumes: Sequence[float],
    weeks: int = 10,
    minutes: int = 60,
    seed: int = 1,
    shapes: NDArray | None = None,
) -> NDArray:
    """Draw counts: Poisson around a profile, with days that all detectors feel.

    Parameters
    ----------
    volumes
        Passages in the busiest hour, by detector.
    weeks, minutes, seed
        Length, interval and seed.
    shapes
        Of a working day by hour, (detectors, 24); `WORKING` for all if not given.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    size = np.asarray(volumes, dtype=float)
    working = np.tile(WORKING, (len(size), 1)) if shapes is None else np.asarray(shapes)
    weekend = np.tile(WEEKEND, (len(size), 1)) if shapes is None else 0.6 * np.roll(working, 2, 1)
    week = np.stack([working] * 5 + [weekend] * 2, axis=1)
    mean = np.tile(week, (1, weeks, 1)) * size[:, None, None]
    mean = mean * np.exp(0.05 * rng.standard_normal(7 * weeks))[None, :, None]
    return rng.poisson(mean.repeat(60 // minutes, axis=2) * minutes / 60).astype(float)


def table(
    count: NDArray, keys: pd.DataFrame | None = None, first: str = MONDAY, minutes: int = 60
) -> pd.DataFrame:
    """Return counts (detectors, days, slots) as rows; NaN as rows in which nothing was counted."""
    keys = names(len(count)) if keys is None else keys
    row, day, slot = (axis.ravel() for axis in np.indices(count.shape))
    flat = count.ravel()
    rows = keys.iloc[row].reset_index(drop=True)
    rows["day"] = (pd.Timestamp(first) + pd.to_timedelta(np.arange(count.shape[1]), unit="D"))[day]
    rows["hour"], rows["minute"] = slot * minutes // 60, slot * minutes % 60
    rows["minutes"] = np.where(np.isnan(flat), 0, minutes)
    rows["count"] = pd.array(np.where(np.isnan(flat), None, flat), dtype="Int64")
    return rows


def cube(
    count: NDArray, keys: pd.DataFrame | None = None, first: str = MONDAY, minutes: int = 60
) -> Cube:
    """Return counts (detectors, days, slots) as the analysis sees them."""
    made = cells({COUNTS: table(count, keys, first, minutes)})
    assert isinstance(made, Cube)
    return made
