"""Outlines: from the system of a file into the authority's grid, and looked at before that.

A store holds an outline as well-known text, in metres of the grid, to the centimetre. One that is
not sound is put aside with a sentence, since no map could be drawn of it.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from datamall.mall.places import System, extent
from datamall.tabular import wkt

KIND = "STRUCT(shape VARCHAR, fault INTEGER)"
PLACES = 2  # decimals of a metre
TEXT, OPEN, SHORT, ZERO, EXCHANGED, OUTSIDE, CROSSING = range(7)


def checks(system: System) -> Iterator[tuple[str, str]]:
    """Yield kind and sentence of each fault, in the order of their numbers."""
    yield "outline", f"is no outline: {', '.join(wkt.DEPTHS)} as well-known text"
    yield "open_ring", "has a ring that does not end where it begins"
    yield "short_ring", "has a ring of fewer than three corners, or a line of fewer than two points"
    yield from ((kind, sentence) for kind, sentence, _ in system.checks("x", "y"))
    yield "crossing_ring", "has a ring that crosses itself or another, or parts that overlap"


def install(engine: duckdb.DuckDBPyConnection, name: str, system: System) -> None:
    """Give an engine the function that brings outlines into the grid, and judges them."""
    kinds: Any = ["VARCHAR"]
    convert = partial(converted, system)
    engine.create_function(name, convert, kinds, KIND, type="arrow", null_handling="special")  # type: ignore[call-overload]


def converted(system: System, texts: Any) -> Any:
    """Return an array of texts as one of outlines in the grid, or the number of what is wrong."""
    found = [("", None) if text is None else _converted(system, text) for text in texts.to_pylist()]
    shapes = pa.array([shape or None for shape, _ in found], pa.string())
    faults = pa.array([fault for _, fault in found], pa.int32())
    return pa.StructArray.from_arrays([shapes, faults], names=["shape", "fault"])


def _converted(system: System, text: str) -> tuple[str, int | None]:
    try:
        kind, parts = wkt.read(text)
    except (ValueError, RecursionError):
        return "", TEXT
    lines = kind.endswith("LINESTRING")
    if not lines and any(ring[0] != ring[-1] for part in parts for ring in part):
        return "", OPEN
    if (fault := _misplaced(system, parts)) is not None:
        return "", fault
    moved = [[_moved(system, ring) for ring in part] for part in parts]
    if any(len(ring) < (2 if lines else 4) for part in moved for ring in part):
        return "", SHORT
    if not lines and not _sound(moved):
        return "", CROSSING
    own = [part[0] for part in moved] if lines else moved
    return wkt.written(kind, own if kind.startswith("MULTI") else own[0]), None


def _misplaced(system: System, parts: list[list[wkt.Ring]]) -> int | None:
    x, y = np.array([point for part in parts for ring in part for point in ring]).T
    west, south, east, north = extent(system.crs, system.grid)

    def inside(x: Any, y: Any) -> Any:
        return (x >= west) & (x <= east) & (y >= south) & (y <= north)

    if ((x == 0) | (y == 0)).any():
        return ZERO
    if inside(x, y).all():
        return None
    return EXCHANGED if inside(y, x).all() else OUTSIDE


def _moved(system: System, ring: wkt.Ring) -> wkt.Ring:
    """Return a ring in the grid, to the centimetre; a point that is the one before it goes."""
    points = np.array(ring)
    if system.moves:
        moved = system.convert(pa.array(points[:, 0]), pa.array(points[:, 1]))
        points = np.array([field.to_numpy() for field in moved.flatten()]).T
    points = points.round(PLACES)
    kept = np.append(True, (points[1:] != points[:-1]).any(axis=1))
    rounded: wkt.Ring = points[kept].tolist()
    return rounded


def _sound(parts: list[list[wkt.Ring]]) -> bool:
    import shapely  # 20 MB that other stores do not need

    return bool(shapely.MultiPolygon([(part[0], part[1:]) for part in parts]).is_valid)
