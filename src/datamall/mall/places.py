"""Coordinates: from the system of a file into the authority's grid, and looked at before that.

Stores hold metres in one grid per authority, in their columns ``x`` and ``y``. A pair is believed
where it lies in the area for which that grid was made; one that lies there with its two numbers
exchanged, or at 0, says what went wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from datamall.errors import DatamallError

GRID = "EPSG:28992"  # where an authority names no other
X, Y = "x", "y"
LONGITUDE, LATITUDE = "longitude", "latitude"
GIVEN = {X: "given x of datamall", Y: "given y of datamall"}
PLACE = "place of datamall"
KIND = "STRUCT(x DOUBLE, y DOUBLE)"


@dataclass(frozen=True)
class System:
    """The coordinate system of a file and the authority's grid, as names such as EPSG:4326."""

    crs: str
    grid: str

    @property
    def moves(self) -> bool:
        """Whether coordinates are to be converted."""
        return self.crs != self.grid

    @property
    def degrees(self) -> bool:
        """Whether the file's own system, and not the grid, is of longitude and latitude."""
        return self.moves and geographic(self.crs)

    def checks(self, x: str, y: str) -> Iterator[tuple[str, str, str]]:
        """Yield kind, sentence and SQL of what is wrong with a pair, given SQL for its numbers."""
        west, south, east, north = extent(self.crs, self.grid)
        yield "zero_place", "is of a place at 0, where nothing is", f"{x} = 0 OR {y} = 0"

        def inside(x: str, y: str) -> str:
            return f"{x} BETWEEN {west!r} AND {east!r} AND {y} BETWEEN {south!r} AND {north!r}"

        beyond = f"NOT ({inside(x, y)})"
        yield (
            "exchanged_place",
            f"is of a place that lies in the area of {self.grid} with its two numbers exchanged: "
            "in the mapping, x is east (longitude) and y north (latitude)",
            f"{beyond} AND {inside(y, x)}",
        )
        yield "outside_place", f"is of a place outside the area of {self.grid}", beyond

    def install(self, engine: duckdb.DuckDBPyConnection, name: str) -> None:
        """Give an engine the function that brings pairs into the grid, if they are to be moved."""
        if self.moves:
            kinds: Any = ["DOUBLE", "DOUBLE"]
            engine.create_function(
                name, self.convert, kinds, KIND, type="arrow", null_handling="special"
            )  # type: ignore[call-overload]

    def convert(self, x: Any, y: Any) -> Any:
        """Return two arrays of numbers as one of pairs in the grid; null where there is none."""
        pair = [some.to_numpy(zero_copy_only=False).astype(float) for some in (x, y)]
        moved = _transformer(self.crs, self.grid).transform(*pair)
        arrays = [pa.array(some, mask=~np.isfinite(some)) for some in moved]
        return pa.StructArray.from_arrays(arrays, names=[X, Y])


def checked_crs(name: Any, place: str, grid: bool = False) -> str:
    """Return the name of a coordinate system that there is; as a grid it must be in metres.

    Raises
    ------
    DatamallError
        If there is none of this name, or it is no grid where one is needed.
    """
    import pyproj

    try:
        system = pyproj.CRS.from_user_input(name if isinstance(name, str) else "")
    except pyproj.exceptions.CRSError:
        raise DatamallError(
            f"{place}: crs {name!r} is no coordinate system: write it like EPSG:28992, or "
            "EPSG:4326 for degrees."
        ) from None
    metres = system.is_projected and system.axis_info[0].unit_name == "metre"
    if grid and not (metres and system.area_of_use):
        raise DatamallError(
            f"{place}: crs {name!r} is no grid in metres with an area of its own, which stores "
            "need: say it at the file that is written so, and name your grid here."
        )
    return str(name)


@cache
def geographic(crs: str) -> bool:
    """Whether a coordinate system is of degrees."""
    import pyproj

    return bool(pyproj.CRS(crs).is_geographic)


@cache
def extent(crs: str, grid: str) -> tuple[float, float, float, float]:
    """Return west, south, east and north of the area of a grid, in the units of `crs`."""
    import pyproj

    area = pyproj.CRS(grid).area_of_use
    assert area is not None  # `checked_crs` asks for it
    bounds: tuple[float, float, float, float] = area.bounds
    if geographic(crs):
        return bounds
    west, south, east, north = _transformer("EPSG:4326", crs).transform_bounds(*bounds)
    return round(west), round(south), round(east), round(north)


@cache
def _transformer(crs: str, grid: str) -> Any:
    import pyproj

    # Finer grids of corrections from the network would give other decimals elsewhere.
    pyproj.network.set_network_enabled(False)
    return pyproj.Transformer.from_crs(crs, grid, always_xy=True)
