"""Borders, water, main roads and some names below the dots of a map.

In greys and one light blue, the same for all of a kind: an area is never coloured by what was found
there. What leaves the map is cut off at its edge, and no name covers a dot or another name.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from datamall.reporting import canvas

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WATER, SHORE, DEEP = "#d3e7f4", "#7fa9c6", "#2b5a7a"
# Kind → colour and width in points, from below to above.
LINES = {
    "road": ("#e4e6e8", 2.6),
    "neighbourhood": ("#c3ccd4", 0.5),
    "district": ("#8f9ba7", 0.9),
}
KINDS = {
    "district": "borders of districts",
    "neighbourhood": "borders of neighbourhoods",
    "water": "water",
    "road": "main roads",
}
TITLES = {**{kind: kind for kind in KINDS}, "road": "main road"}
AREAS, WATERS = 4, 2  # that have their name on the map, at most
SIZE = 9.0  # points
KEY = 0.25  # inches of height that the key takes
STEPS = 30  # places that are tried for a name, in each direction
APART = 4.0  # points between a name and the middle of a dot, or another name
FINE = 1600  # parts of the map's width in which nobody sees a corner

View = tuple[float, float, float, float]


class Outline(NamedTuple):
    """What of an outline lies on a map: its name, if any, its shape there, and its border there."""

    name: str
    shape: Any
    border: Any


def around(x: pd.Series, y: pd.Series) -> View:
    """Return the map of some places: 3 % of its width and height beyond them."""
    west, south, east, north = (float(some) for some in (x.min(), y.min(), x.max(), y.max()))
    wide, high = 0.03 * max(east - west, 100.0), 0.03 * max(north - south, 100.0)
    return west - wide, south - high, east + wide, north + high


def seen(outlines: pd.DataFrame | None, view: View) -> dict[str, list[Outline]]:
    """Return kind → what of the outlines lies on a map, of the kinds in `KINDS`.

    Parameters
    ----------
    outlines
        Rows with kind, shape (well-known text, m) and perhaps name; of anything else nothing.
    view
        West, south, east and north of the map, in m.
    """
    columns = getattr(outlines, "columns", ())
    if outlines is None or not {"kind", "shape"} <= {*columns} or not all(map(isfinite, view)):
        return {}
    import shapely

    page = shapely.box(*view)
    known = outlines.dropna(subset=["kind", "shape"])
    shapes = shapely.from_wkt(known["shape"].astype(str).to_numpy())
    names = known["name"] if "name" in columns else [None] * len(known)
    found: dict[str, list[Outline]] = {}
    for kind, name, shape in zip(known["kind"], names, shapes, strict=True):
        if kind in KINDS and shape.intersects(page):
            border = shape.boundary if shape.geom_type.endswith("Polygon") else shape
            text = name if isinstance(name, str) else ""
            one = Outline(text, shape.intersection(page), border.intersection(page))
            found.setdefault(kind, []).append(one)
    return found


def sentence(outlines: pd.DataFrame | None, view: View) -> str:
    """Return what a map says of its background, with a space before it; "" where it has none."""
    found = seen(outlines, view)
    parts = [text for kind, text in KINDS.items() if kind in found]
    listed = " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
    return f" Behind them lie, in pale lines and fills, {listed}." if parts else ""


def draw(
    axes: Axes,
    outlines: pd.DataFrame | None,
    view: View,
    x: pd.Series,
    y: pd.Series,
    titles: Mapping[str, str] = TITLES,
    apart: float = APART,
) -> None:
    """Draw outlines below all else on a map that is otherwise complete; its limits stay.

    Parameters
    ----------
    axes
        The map.
    outlines, view
        As for `seen`.
    x, y
        Places that no name may cover, in m.
    titles
        Kind → what it is called in the key.
    apart
        How far names stay from the middle of a dot, in points.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found = seen(outlines, view)
    if not found:
        return
    fine = (view[2] - view[0]) / FINE
    handles: list[Any] = []
    if "water" in found:
        _water(axes, found["water"], fine)
        title = titles["water"]
        handles.append(Patch(facecolor=WATER, edgecolor=SHORE, linewidth=0.5, label=title))
    for place, (kind, (colour, thick)) in enumerate(LINES.items()):
        if kind in found:
            borders = [one.border for one in found[kind]]
            _lines(axes, borders, fine, colour, thick, 0.5 + 0.1 * place)
            handles.append(Line2D([], [], color=colour, linewidth=thick, label=titles[kind]))
    axes.figure.legend(
        handles=handles[::-1], loc="outside upper left", ncols=len(handles), fontsize=9,
        handlelength=1.4, handletextpad=0.4, columnspacing=1.0, borderpad=0.1,
    )  # fmt: skip
    _names(axes, found, x, y, apart)


def _water(axes: Axes, waters: list[Outline], fine: float) -> None:
    """Fill areas of water, without their isles; draw those that are lines."""
    import shapely
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    # Holes run the other way round, so that they stay empty by any rule of filling.
    shapes = [shapely.orient_polygons(one.shape.simplify(fine)) for one in waters]
    rings = [
        Path(shapely.get_coordinates(ring).round(1), closed=True)
        for part in shapely.get_parts(shapes)
        if part.geom_type == "Polygon"
        for ring in (part.exterior, *part.interiors)
    ]
    if rings:
        fill = Path.make_compound_path(*rings)
        axes.add_artist(PathPatch(fill, facecolor=WATER, linewidth=0, zorder=0.3))
    _lines(axes, [one.border for one in waters], fine, SHORE, 0.5, 0.4)


def _lines(
    axes: Axes, borders: list[Any], fine: float, colour: str, thick: float, order: float
) -> None:
    """Draw lines, each stretch once, also where two areas share it."""
    import shapely
    from matplotlib.collections import LineCollection

    merged = shapely.get_parts(shapely.line_merge(shapely.union_all(borders)))
    some = [line for line in merged if line.geom_type == "LineString"]
    stretches = [
        shapely.get_coordinates(line).round(1)
        for line in shapely.simplify(some, fine, preserve_topology=False)
    ]
    axes.add_collection(
        LineCollection(stretches, colors=colour, linewidths=thick, zorder=order), autolim=False
    )


def _names(
    axes: Axes, found: dict[str, list[Outline]], x: pd.Series, y: pd.Series, apart: float
) -> None:
    """Write the names of the largest areas and waters where nothing else is."""
    import numpy as np
    import shapely
    from matplotlib.figure import Figure

    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()  # only then is known how large a metre is
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    point = (east - west) / (axes.get_window_extent().width * 72 / figure.dpi)
    page, dots = shapely.box(west, south, east, north), np.column_stack([x, y])
    wet = found.get("water", [])
    water = shapely.union_all([one.shape for one in wet])
    areas = next((found[kind] for kind in ("district", "neighbourhood") if kind in found), [])
    # To the point, which is less than anybody sees here.
    dry = [one._replace(shape=one.shape.simplify(point) - water) for one in areas]
    land = shapely.union_all([one.shape for one in dry])
    taken: list[Any] = []
    for some, most, colour, style in (
        (dry, AREAS, canvas.GREY, "normal"),
        (wet, WATERS, DEEP, "italic"),
    ):
        before = len(taken)
        named = sorted(
            (one for one in some if one.name), key=lambda one: (-round(one.shape.area), one.name)
        )
        for one in named[: 3 * most]:
            if len(taken) == before + most:
                break
            room = _room(one, land, point, page, dots, taken, apart)
            if room is None:
                continue
            taken.append(room)
            # What lies under a name is made pale, but for the water that has it.
            pale = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6}
            afloat = 2 * one.shape.intersection(room).area > room.area
            left, low, right, high = room.bounds
            axes.text(
                (left + right) / 2, (low + high) / 2, one.name, ha="center", va="center",
                fontsize=SIZE, color=colour, style=style, in_layout=False, zorder=0.9,
                bbox=None if some is wet and afloat else pale,
            )  # fmt: skip


def _room(
    one: Outline, land: Any, point: float, page: Any, dots: Any, taken: list[Any], apart: float
) -> Any:
    """Return the rectangle of a name, `point` m to the point; None where it has no room.

    Of the free places one that is in no other outline, in its own, and near the middle of that.
    """
    import numpy as np
    import shapely

    west, south, east, north = one.shape.bounds
    grid = np.meshgrid(np.linspace(west, east, STEPS), np.linspace(south, north, STEPS))
    tried = np.column_stack([some.ravel() for some in grid])
    tried = tried[shapely.contains_xy(one.shape, tried)]
    # In a narrow canal there may be no such place.
    tried = np.vstack([tried, shapely.get_coordinates(one.shape)]) if len(tried) < STEPS else tried
    half = np.array([canvas.width(one.name, SIZE) + 2, 1.25 * SIZE]) / 2 * point
    wide = half + apart * point
    beside = np.subtract((west, south), wide), np.add((east, north), wide)
    near = ((dots > beside[0]) & (dots < beside[1])).all(axis=1)
    dots = dots[near]
    free = [
        not (abs(dots - place) < wide).all(axis=1).any()
        and not shapely.box(*(place - wide), *(place + wide)).intersects(taken).any()
        for place in tried
    ]
    tried = tried[np.array(free, bool)]
    rooms = shapely.box(*(tried - half).T, *(tried + half).T)
    kept = shapely.contains_properly(page, rooms)
    tried, rooms = tried[kept], rooms[kept]
    if not len(rooms):
        return None
    own, every = (
        shapely.area(shapely.intersection(shape, rooms)) / shapely.area(rooms)
        for shape in (one.shape, land)
    )
    away = np.hypot(*(tried - shapely.get_coordinates(one.shape.centroid)).T).round()
    return rooms[np.lexsort([away, (every - 1.5 * own).round(1)])[0]]
