"""Outlines are brought into the authority's grid; one that is not sound is put aside, and why."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely
from test_intake_places import CERTIFIED
from tiny_intake import STORE, column, fields, reasons, stored, write_project

from datamall.errors import DatamallError
from datamall.mall.contracts import load_contracts
from datamall.mall.intake import intake

Edit = Callable[[dict[str, Any]], None]
X, Y = 233_000, 581_000
SQUARE = [[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]]
HOLE = [[20, 20], [20, 40], [40, 40], [40, 20], [20, 20]]


def at(ring: list[list[float]], x: float = X, y: float = Y) -> list[list[float]]:
    return [[x + point[0], y + point[1]] for point in ring]


def with_outline(contract: dict[str, Any]) -> None:
    own = {**column("shape", "string"), "required": True}
    own["customProperties"] = [{"property": "outline", "value": True}]
    contract["schema"][0]["properties"].append(own)


def outlined(shape: str = "#shape", **file: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        document["files"]["list"] = {"path": "things*", "format": "geojson", **file}
        fields(document).clear()
        fields(document).update({"id": {"from": "nr"}, "day": {"value": "2025-01-01"}})
        fields(document).update({"amount": {"value": "1"}, "shape": {"from": shape}})

    return edit


def features(**shapes: tuple[str, Any]) -> bytes:
    some = [
        {
            "type": "Feature",
            "properties": {"nr": name},
            "geometry": {"type": kind, "coordinates": coordinates},
        }
        for name, (kind, coordinates) in shapes.items()
    ]
    return json.dumps({"type": "FeatureCollection", "features": some}).encode()


def take_in(root: Path, raw: bytes, edit: Edit) -> dict[str, Any]:
    write_project(root, {"things.csv": raw}, with_outline, edit)
    report = intake(root, "tiny", STORE)
    assert report["parsed"] == report["accepted"] + report["quarantined"]
    return {row["id"]: row["shape"] for row in stored(root)}


def test_areas_with_holes_and_of_several_parts_and_lines(tmp_path: Path) -> None:
    far = at(SQUARE, X + 500)
    raw = features(
        a=("Polygon", [at(SQUARE), at(HOLE)]),
        b=("MultiPolygon", [[at(SQUARE), at(HOLE)], [far]]),
        c=("LineString", at([[0, 0, 7.5], [0.5, 10.25, 7.5]])),
        d=("MultiLineString", [at(SQUARE), at(HOLE)]),
    )
    found = take_in(tmp_path, raw, outlined())
    assert found["c"] == "LINESTRING (233000 581000, 233000.5 581010.25)"
    a, b, _, d = (shapely.from_wkt(found[name]) for name in "abcd")
    assert a.equals(shapely.Polygon(at(SQUARE), [at(HOLE)])) and a.area == 100**2 - 20**2
    assert b.equals(shapely.MultiPolygon([a, shapely.Polygon(far)]))
    assert d.geom_type == "MultiLineString" and d.length == 480


def test_degrees_become_metres_of_the_dutch_grid(tmp_path: Path) -> None:
    points = [(float(lon), float(lat)) for lat, lon, _, _ in CERTIFIED.values()]
    points = [points[n] for n in (0, 1, 2, 3, 0)]  # north west, north east, middle, south west
    found = take_in(tmp_path, features(a=("Polygon", [points])), outlined(crs="EPSG:4326"))
    corners = shapely.get_coordinates(shapely.from_wkt(found["a"]))[:-1]
    for corner, (_, _, x, y) in zip(corners, CERTIFIED.values(), strict=True):
        assert abs(corner - (x, y)).max() < 0.25
        assert (corner == corner.round(2)).all()


def test_each_unsound_outline_is_put_aside_with_its_reason(tmp_path: Path) -> None:
    bow = [[0, 0], [100, 100], [100, 0], [0, 100], [0, 0]]
    raw = features(
        a=("Polygon", [at(SQUARE)]),
        b=("Polygon", [at(bow)]),
        c=("Polygon", [at([[0, 0], [10, 0], [0, 0]])]),
        d=("Polygon", [at([[0, 0], [10, 0], [10, 10]])]),
        e=("Polygon", [at([[0, 0], [10, 0], [10, 0.001], [0, 0]])]),
        f=("Point", [X, Y]),
        g=("Polygon", [[[6.5, 53.2], [6.6, 53.2], [6.6, 53.3], [6.5, 53.2]]]),
        h=("Polygon", [[[y, x] for x, y in at(SQUARE)]]),
        i=("Polygon", [[[0, 0], *at(SQUARE), [0, 0]]]),
        j=("MultiPolygon", [[at(SQUARE)], [at(SQUARE, X + 50)]]),
        k=("Polygon", [at(SQUARE), at(HOLE, X + 90)]),
        l=("LineString", at([[0, 0], [0, 0]])),
        m=("Polygon", [["x", "y"]]),
        n=("GeometryCollection", None),
        o=("Polygon", []),
        p=("Polygon", at(SQUARE)),  # a list too few
    )
    assert take_in(tmp_path, raw, outlined()).keys() == {"a"}
    codes = [*("crossing", "short", "open", "short"), *("",), "outside", "exchanged", "zero"]
    codes += ["crossing", "crossing", "short", "", "", "", ""]
    of_ring = {"crossing", "short", "open"}
    wanted = {
        n: f"{code}_{'ring' if code in of_ring else 'place'}:shape" if code else "outline:shape"
        for n, code in enumerate(codes, 2)
    }
    assert reasons(tmp_path) == wanted


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("POLYGON((233000 581000,233100 581000,233100 581100,233000 581000))", True),
        ("Polygon Z ((233000 581000 1, 233100 581000 1, 233100 581100 1, 233000 581000 1))", True),
        ("POLYGON ((233000 581000, 233100 581000, 233100 581100, 233000 581000)", False),
        ("POLYGON ((233000, 233100 581000, 233100 581100, 233000 581000))", False),
        ("POLYGON ((1e999 581000, 233100 581000, 233100 581100, 1e999 581000))", False),
        ("POLYGON EMPTY", False),
        ("B0101", False),
    ],
)
def test_well_known_text_of_any_file(tmp_path: Path, text: str, sound: bool) -> None:
    raw = f'nr;geom\na;"{text}"\nb;"LINESTRING (233000 581000, 1e5 5e5)"\n'.encode()
    found = take_in(tmp_path, raw, outlined("geom", format="csv", separator=";", decimal=","))
    assert found["b"] == "LINESTRING (233000 581000, 100000 500000)"
    assert ("a" in found) == sound
    assert reasons(tmp_path) == ({} if sound else {2: "outline:shape"})


def test_an_outline_is_text_without_limits(tmp_path: Path) -> None:
    def of_numbers(contract: dict[str, Any]) -> None:
        with_outline(contract)
        contract["schema"][0]["properties"][-1]["logicalTypeOptions"] = {"maxLength": 9}

    write_project(tmp_path, {"things.csv": b""}, of_numbers)
    with pytest.raises(DatamallError, match="column shape: an outline is a string without limits"):
        load_contracts(tmp_path)
