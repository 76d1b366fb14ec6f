"""Borders, water and main roads of the demo city, as an authority's own map service gives them.

A neighbourhood is the land that is nearer to its centre than to any other, which is how places have
theirs, as far as the municipality goes; a district is its neighbourhoods together. Water and roads
have made-up courses, and names of nowhere.
"""

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import shapely
from shapely import Geometry

from datamall.demo.draws import Floats
from datamall.demo.enforcement import City
from datamall.demo.geography import SETTLEMENTS, scale
from datamall.demo.mistakes import count_faults
from datamall.demo.raw import Delivery

NAME = "grenzen.geojson"
OUTSKIRTS = 650  # m of land around the outermost centres
SINGEL, CANAL = 60, 45  # m of width
# Kind, code and name of what is no area.
WATERS = ("Schuitensingel", "Turfdiep", "Reeëmeer")
ROADS = ("Rondweg", "Heerweg")


def outline_file(city: City) -> Delivery:
    """Return the features: soort, code, naam and geometry (GeoJSON, degrees), and the faults."""
    rows = [*_areas(city.neighbourhoods), *_water(scale(city.world)), *_roads()]
    faults = []
    if city.world.mess:
        # Two ponds that somebody drew and nobody looked at: a bow, and a line there and back.
        x, y = SETTLEMENTS[0].x, SETTLEMENTS[0].y
        bow = [(x, y), (x + 40, y + 40), (x + 40, y), (x, y + 40), (x, y)]
        back = [(x, y), (x + 40, y), (x, y)]
        ponds = [shapely.Polygon(bow), {"type": "Polygon", "coordinates": [_degrees(back)]}]
        rows += [("water", f"V{90 + n}", "", pond) for n, pond in enumerate(ponds)]
        faults = ["crossing ring", "short ring"]
    texts = [(*about, json.dumps(_geojson(shape))) for *about, shape in rows]
    table = pd.DataFrame(texts, columns=["soort", "code", "naam", "geometry"])
    return Delivery(NAME, table, count_faults(faults))


def _areas(areas: pd.DataFrame) -> Iterator[tuple[str, str, str, Geometry]]:
    """Yield the neighbourhoods in the order of their codes, then the districts."""
    centres = shapely.MultiPoint(areas[["x", "y"]].to_numpy())
    land = shapely.concave_hull(centres, ratio=0.4).buffer(OUTSKIRTS, quad_segs=4)
    land = land.union(centres.buffer(OUTSKIRTS, quad_segs=4)).simplify(20)
    cells = shapely.voronoi_polygons(centres, extend_to=land, ordered=True).geoms
    shapes = [cell.intersection(land) for cell in cells]
    for code, name, shape in zip(areas["neighbourhood"], areas["name"], shapes, strict=True):
        yield "buurt", code, name, shape
    # At a millimetre, that two sides of one border meet.
    whole = pd.Series(shapes, areas["neighbourhood"].str[:3].to_numpy()).groupby(level=0)
    names = areas.groupby(areas["neighbourhood"].str[:3])["district"].first()
    for code, some in whole:
        yield "wijk", f"W{code[1:]}", names[code], shapely.union_all(some, grid_size=0.001)


def _water(size: float) -> Iterator[tuple[str, str, str, Geometry]]:
    """Yield a canal around the centre, one that leaves the city from there, and a lake."""
    x, y = SETTLEMENTS[0].x, SETTLEMENTS[0].y
    course = _loop(x, y, 900 * size, 780 * size)
    out = [
        (x + 850 * size, y + 200),
        (x + 1500, y + 900),
        (x + 3300, y + 3400),
        (x + 9000, y + 6000),
    ]
    isle = _loop(233_350, 577_800, 90, 60)
    shapes = (
        shapely.LinearRing(course).buffer(SINGEL / 2, quad_segs=2),
        shapely.LineString(out).buffer(CANAL / 2, quad_segs=2),
        shapely.Polygon(_loop(233_000, 577_700, 900, 850), [isle]),
    )
    for number, (name, shape) in enumerate(zip(WATERS, shapes, strict=True), 1):
        yield "water", f"V{number:02d}", name, shape


def _roads() -> Iterator[tuple[str, str, str, Geometry]]:
    """Yield a road around the city, and one through it from south to north-east."""
    x, y = SETTLEMENTS[0].x, SETTLEMENTS[0].y
    through = [(s.x, s.y) for s in (SETTLEMENTS[n] for n in (11, 10, 3, 0, 2, 7, 12, 13))]
    shapes = (shapely.LineString(_loop(x + 500, y + 700, 2600, 2900)), shapely.LineString(through))
    for number, (name, shape) in enumerate(zip(ROADS, shapes, strict=True), 1):
        yield "weg", f"H{number:02d}", name, shape


def _loop(x: float, y: float, wide: float, high: float) -> Floats:
    """Return a closed line around a point, a little lumpy."""
    turn = np.linspace(0, 2 * np.pi, 41)
    turn[-1] = 0
    reach = 1 + 0.07 * np.sin(3 * turn) + 0.04 * np.cos(5 * turn)
    return np.column_stack([x + wide * reach * np.cos(turn), y + high * reach * np.sin(turn)])


def _geojson(shape: Geometry | dict[str, object]) -> dict[str, object]:
    """Return a shape in degrees, to the centimetre."""
    if isinstance(shape, dict):
        return shape
    moved: dict[str, object] = shapely.geometry.mapping(shapely.transform(shape, _degrees))
    return moved


def _degrees(points: Floats | list[tuple[float, float]]) -> list[list[float]]:
    import pyproj

    pyproj.network.set_network_enabled(False)
    to = pyproj.Transformer.from_crs("EPSG:28992", "EPSG:4326", always_xy=True)
    return np.column_stack(to.transform(*np.array(points).T)).round(7).tolist()
