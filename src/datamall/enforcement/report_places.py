"""Reports by their position: squares of the map, hot spots among them, repeats at one spot.

Where many report is not where most waste lies: see `reports.raw_counts`.
"""

import numpy as np
import pandas as pd

from datamall.enforcement import spatial
from datamall.enforcement.hotspots import LEAST_PLACES
from datamall.enforcement.information import Tables
from datamall.enforcement.knowledge import check_level
from datamall.enforcement.reports import repeated
from datamall.requirements import needs

_STORE = "enforcement.reports"
_XY = (f"{_STORE}.x", f"{_STORE}.y")
SQUARE, SPOT = 250.0, 25.0  # metres; a neighbourhood has several squares, a crossing one spot


@needs("Map of the reports", *_XY)
def squares(data: Tables, neighbours: int, fdr: float) -> pd.DataFrame:
    """Return the reports of each square of the map from which any came.

    Parameters
    ----------
    data
        The extract.
    neighbours
        Nearest squares that make up a neighbourhood, besides the square itself.
    fdr
        Tolerated share of false hot spots.

    Returns
    -------
    pandas.DataFrame
        square (south-west corner, km), x, y (m, its middle), reports, z (Gi* of normal scores; NaN
        with fewer than `LEAST_PLACES` squares, or with equal numbers) and hot (bool), from south to
        north.

    Notes
    -----
    As in `hotspots.hot_spots`, with exact p-values. Squares without a report take no part: nothing
    says whether they are streets, water or another municipality.
    """
    from scipy.stats import false_discovery_control

    check_level("fdr", fdr)
    corner = _corners(data[_STORE], SQUARE)
    table = corner.groupby(["south", "west"], as_index=False).size()
    km = (table[["west", "south"]] / 1000).map("{:.2f}".format)
    result = pd.DataFrame({"square": km["west"] + " " + km["south"]})
    result["x"], result["y"] = table["west"] + SQUARE / 2, table["south"] + SQUARE / 2
    result["reports"] = table["size"]
    if len(result) < max(LEAST_PLACES, neighbours + 2):
        return result.assign(z=np.nan, hot=False)
    near = spatial.nearest(result["x"].to_numpy(), result["y"].to_numpy(), neighbours)
    scores = spatial.normal_scores(result["reports"].to_numpy(float))
    chance = false_discovery_control(spatial.upper_tail(scores, near))
    return result.assign(z=spatial.local_g_star(scores, near), hot=chance <= fdr)


@needs("Repeats at one spot", *_XY, f"{_STORE}.opened")
def spots(data: Tables) -> pd.DataFrame:
    """Return the spots with reports, the most first.

    Returns
    -------
    pandas.DataFrame
        x, y (m, the middle of a square of `SPOT`), then as in `reports.repeats`.
    """
    table = data[_STORE].dropna(subset=["x", "y"])
    corner = _corners(table, SPOT)
    table = table.assign(x=corner["west"] + SPOT / 2, y=corner["south"] + SPOT / 2)
    return repeated(table, ["x", "y"])


def _corners(table: pd.DataFrame, size: float) -> pd.DataFrame:
    """Return the south-west corner of the square in which each report with a position lies."""
    own = table[["x", "y"]].astype(float).dropna().rename(columns={"x": "west", "y": "south"})
    return (own // size) * size
