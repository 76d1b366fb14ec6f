"""Travel between places, in whole metres and whole seconds; every place reaches every other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from datamall.enforcement.routing.settings import Settings
from datamall.errors import DatamallError

Integers = npt.NDArray[np.int64]
LONGEST = 1_000_000  # metres or seconds of one leg; a delivered value from here on means "no road"


@dataclass(frozen=True)
class Travel:
    """Travel from each point (row) to each other (column).

    Attributes
    ----------
    metres, seconds
        Whole numbers, nought from a point to itself, all below `LONGEST`.
    """

    metres: Integers
    seconds: Integers

    def __post_init__(self) -> None:
        """Hold what every plan relies on."""
        for table in (self.metres, self.seconds):
            assert table.dtype == np.int64
            assert table.shape == 2 * (len(self.metres),)
            assert (table >= 0).all() and (table < LONGEST).all()
            assert not np.diagonal(table).any()


def between(points: pd.DataFrame, settings: Settings, roads: pd.DataFrame | None = None) -> Travel:
    """Return the travel between points.

    Parameters
    ----------
    points
        name, x, y (m), one row per point; a name may stand for several points.
    settings
        Factor and speed for what no road is delivered for.
    roads
        A delivered matrix: from, to (names), metres, seconds; one row per ordered pair. None, or
        one without rows, for straight lines times the factor.

    Returns
    -------
    Travel
        In the order of `points`.

    Raises
    ------
    DatamallError
        When a coordinate is missing, a pair of the matrix is missing or has no road, a pair
        comes twice, or a leg is longer than `LONGEST`.

    Notes
    -----
    A point whose name the matrix does not hold (a truck under way, a new report) goes by the
    straight line to the nearest point that it holds, and from there by road.
    """
    xy = points[["x", "y"]].to_numpy(dtype=float)
    lost = points["name"][~np.isfinite(xy).all(axis=1)]
    if len(lost):
        raise DatamallError(f"{lost.iloc[0]} has no coordinates: deliver x and y for it.")
    apart = np.hypot(*(xy[:, None, :] - xy[None, :, :]).transpose(2, 0, 1)) * settings.factor
    if len(apart) and apart.max() >= LONGEST:
        row, column = np.unravel_index(int(apart.argmax()), apart.shape)
        raise DatamallError(
            f"{points['name'].iloc[row]} and {points['name'].iloc[column]} are "
            f"{apart.max() / 1000:,.0f} km apart: check their coordinates."
        )
    metres, seconds = apart, apart * 3.6 / settings.speed
    if roads is not None and len(roads):
        metres, seconds = _by_road(points["name"].astype(str), metres, seconds, roads)
    whole = [np.rint(table).astype(np.int64) for table in (metres, seconds)]
    return Travel(*whole)


def _by_road(
    names: pd.Series, metres: np.ndarray, seconds: np.ndarray, roads: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return metres and seconds by a delivered matrix, and to it by the straight line."""
    ends = roads[["from", "to"]].astype(str)
    known = sorted(set(names) & set(ends["from"]) & set(ends["to"]))
    if not known:
        raise DatamallError(
            "The road matrix names none of these places: its from and to are the numbers of "
            "places and disposal sites as in their stores."
        )
    rows, columns = (pd.Index(known).get_indexer(pd.Index(ends[end])) for end in ("from", "to"))
    here = (rows >= 0) & (columns >= 0) & (rows != columns)
    cell = rows[here] * len(known) + columns[here]
    if pd.Index(cell).has_duplicates:
        again = ends[here][pd.Index(cell).duplicated()].iloc[0]
        raise DatamallError(
            f"The road matrix says twice how far it is from {again['from']} to {again['to']}: "
            "keep one row per ordered pair."
        )
    tables = []
    for name in ("metres", "seconds"):
        table = np.full((len(known), len(known)), np.nan)
        np.fill_diagonal(table, 0)
        table.flat[cell] = pd.to_numeric(roads[name][here]).to_numpy(dtype=float)
        gone = ~((table >= 0) & (table < LONGEST))
        if gone.any():
            row, column = np.argwhere(gone)[0]
            raise DatamallError(
                f"The road matrix has no {name} from {known[row]} to {known[column]} (and "
                f"{gone.sum() - 1} pairs more): every place must reach every other; leave out a "
                "place that no truck can reach."
            )
        tables.append(table)
    at = pd.Index(known).get_indexer(pd.Index(names))
    held = np.flatnonzero(at >= 0)
    by = held[metres[:, held].argmin(axis=1)]  # a point that the matrix holds is nearest to itself
    by = np.where(at >= 0, np.arange(len(at)), by)
    found = []
    for table, straight in zip(tables, (metres, seconds), strict=True):
        out = straight[np.arange(len(at)), by]
        road = table[np.ix_(at[by], at[by])] + out[:, None] + out[None, :]
        found.append(np.where(by[:, None] == by[None, :], straight, road))
    return found[0], found[1]
