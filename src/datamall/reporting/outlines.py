"""Borders, water, main roads and some names below the dots of a map.

All in greys and one light blue, the same for all of a kind: an area is never coloured by what was
found there. What leaves the map is cut off at its edge, and no name covers a dot or another name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from datamall.reporting import canvas

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WATER, SHORE, DEEP = "#d6e9f5", "#8fb7d3", "#2f5f80"
# Kind → colour, width in points, and what the key calls it; from below to above.
LINES = {
    "road": ("#e9e3d6", 3.0, "main road"),
    "neighbourhood": ("#c9d1d8", 0.5, "neighbourhood"),
    "district": ("#8a96a3", 0.9, "district"),
}
NAMES, OF_WATER = 4, 2  # at most, of areas and of water
SIZE = 7.5  # points
STEPS = 24  # places that are tried for a name, in each direction
APART = 3.0  # points between a name and what it must not cover
SMALL = 0.004  # share of the map below which an area has no name there


def drawable(outlines: pd.DataFrame | None, x: pd.Series, y: pd.Series) -> dict[str, list[Any]]:
    """Return kind → pairs of name and shape of what can be seen around some places.

    Parameters
    ----------
    outlines
        Rows with kind, shape (well-known text, m) and perhaps name; anything else: there are none.
    x, y
        The places, in m.
    """
    columns = getattr(outlines, "columns", ())
    if outlines is None or not {"kind", "shape"} <= set(columns) or not len(x):
        return {}
    import shapely

    known = outlines.dropna(subset=["kind", "shape"])
    names = known["name"] if "name" in columns else [None] * len(known)
    shapes = shapely.clip_by_rect(shapely.from_wkt(known["shape"].astype(str)), *view(x, y))
    found: dict[str, list[Any]] = {}
    for kind, name, shape in zip(known["kind"], names, shapes, strict=True):
        if not shape.is_empty:
            found.setdefault(str(kind), []).append((name if isinstance(name, str) else "", shape))
    return found


def view(x: pd.Series, y: pd.Series) -> tuple[float, float, float, float]:
    """Return west, south, east and north of the map of some places: 3 % around them."""
    wide, high = (max(float(some.max() - some.min()), 100.0) for some in (x, y))
    return (
        float(x.min()) - 0.03 * wide, float(y.min()) - 0.03 * high,
        float(x.max()) + 0.03 * wide, float(y.max()) + 0.03 * high,
    )  # fmt: skip
