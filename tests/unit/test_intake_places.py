"""Coordinates of any system become metres in the authority's grid, and are looked at before.

The Dutch points are those by which RDNAPTRANS is certified; the tower of Groningen and a place in
Münster are reckoned from the formulas of the map projection itself.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_intake import STORE, column, fields, reasons, stored, write_project

from datamall.errors import DatamallError
from datamall.mall.authorities import load_authority
from datamall.mall.intake import intake

Edit = Callable[[dict[str, Any]], None]
# latitude, longitude (ETRS 89) → RD x, y
CERTIFIED = {
    "a": ("53.160753042", "4.824761912", 117380.12, 575040.34),
    "b": ("53.419482050", "6.776726674", 247380.56, 604580.78),
    "c": ("52.155172897", "5.387203657", 155000.00, 463000.00),
    "d": ("51.368607152", "3.397588595", 16460.91, 377380.23),
}


def with_place(required: bool = True) -> Edit:
    def edit(contract: dict[str, Any]) -> None:
        properties = contract["schema"][0]["properties"]
        for name in ("x", "y", "longitude", "latitude"):
            more = {"physicalType": "decimal(9,2)" if len(name) == 1 else "decimal(8,5)"}
            needed = required and len(name) == 1
            properties.append({**column(name, "number"), "required": needed, **more})

    return edit


def placed(columns: tuple[str, ...] = ("x", "y"), grid: str | None = None, **file: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        document["files"]["list"] = {"path": "things*", "format": "csv", **file}
        if grid:
            document["crs"] = grid
        fields(document).clear()
        fields(document).update({"id": {"from": "nr"}, "day": {"value": "2025-01-01"}})
        fields(document)["amount"] = {"value": "1"}
        for name in columns:
            fields(document)[name] = {"from": "lon" if name in ("x", "longitude") else "lat"}

    return edit


def take_in(
    root: Path, rows: list[tuple[str, str, str]], edit: Edit, required: bool = True, **more: Any
) -> dict[str, Any]:
    raw = "nr,lat,lon\n" + "".join(f"{','.join(row)}\n" for row in rows)
    write_project(root, {"things.csv": raw.encode()}, with_place(required), edit)
    report = intake(root, "tiny", STORE, **more)
    assert report["parsed"] == report["accepted"] + report["quarantined"]
    return report


def test_degrees_become_metres_of_the_dutch_grid(tmp_path: Path) -> None:
    rows = [(name, lat, lon) for name, (lat, lon, _, _) in CERTIFIED.items()]
    take_in(tmp_path, rows, placed(crs="EPSG:4326"))
    for row in stored(tmp_path):
        _, _, x, y = CERTIFIED[row["id"]]
        # Without the grid of corrections: to a quarter of a metre.
        assert math.hypot(float(row["x"]) - x, float(row["y"]) - y) < 0.25
    assert len(stored(tmp_path)) == 4


def transverse_mercator(latitude: float, longitude: float) -> tuple[float, float]:
    """Return UTM 32N coordinates by Krüger's series to the third order (GRS 80)."""
    flattening = 1 / 298.257222101
    n = flattening / (2 - flattening)
    radius = 6378137 / (1 + n) * (1 + n**2 / 4 + n**4 / 64)
    alpha = (
        n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16, 13 * n**2 / 48 - 3 * n**3 / 5, 61 * n**3 / 240
    )  # fmt: skip
    phi, dl = math.radians(latitude), math.radians(longitude - 9)
    k = 2 * math.sqrt(n) / (1 + n)
    t = math.sinh(math.atanh(math.sin(phi)) - k * math.atanh(k * math.sin(phi)))
    xi, eta = math.atan2(t, math.cos(dl)), math.atanh(math.sin(dl) / math.hypot(1, t))
    east = eta + sum(
        a * math.cos(2 * j * xi) * math.sinh(2 * j * eta) for j, a in enumerate(alpha, 1)
    )
    north = xi + sum(
        a * math.sin(2 * j * xi) * math.cosh(2 * j * eta) for j, a in enumerate(alpha, 1)
    )
    return 500000 + 0.9996 * radius * east, 0.9996 * radius * north


def test_an_authority_has_its_own_grid(tmp_path: Path) -> None:
    rows = [("a", "51.9625", "7.6256"), ("b", "53.2194", "6.5665"), ("c", "52.0", "13.4")]
    take_in(tmp_path, rows, placed(crs="EPSG:4326", grid="EPSG:25832"))
    for row, (_, lat, lon) in zip(stored(tmp_path), rows, strict=False):
        x, y = transverse_mercator(float(lat), float(lon))
        assert abs(float(row["x"]) - x) < 0.02 and abs(float(row["y"]) - y) < 0.02
    assert reasons(tmp_path) == {4: "outside_place:x"}  # Berlin is in the next zone


def test_from_one_grid_into_another(tmp_path: Path) -> None:
    x, y = transverse_mercator(52.155172897, 5.387203657)  # the tower of Amersfoort
    take_in(tmp_path, [("a", f"{y:.3f}", f"{x:.3f}")], placed(crs="EPSG:25832"))
    (row,) = stored(tmp_path)
    assert math.hypot(float(row["x"]) - 155000, float(row["y"]) - 463000) < 0.25


ODD = [
    ("a", "53.2194", "6.5665"),
    ("b", "6.5665", "53.2194"),  # exchanged
    ("c", "0", "0"),
    ("d", "53.2194", "0.0"),
    ("e", "48.8566", "2.3522"),  # Paris
    ("f", "53.2194", ""),
    ("g", "", ""),
    ("h", "x", "6.5665"),
    ("i", "53.2194", "x"),
    ("j", "-53.2194", "6.5665"),
    ("k", "233904.5", "581957.2"),  # metres
]


@pytest.mark.parametrize("required", [True, False])
def test_degrees_are_looked_at_before_they_are_believed(tmp_path: Path, required: bool) -> None:
    take_in(tmp_path, ODD, placed(crs="EPSG:4326"), required)
    found = {chr(95 + row): reason for row, reason in reasons(tmp_path).items()}
    missing = {"f": "required:x", "g": "required:x"} if required else {"f": "half_place:x"}
    assert found == missing | {
        "b": "exchanged_place:x", "c": "zero_place:x", "d": "zero_place:x", "e": "outside_place:x",
        "h": "type:y", "i": "type:x", "j": "outside_place:x", "k": "outside_place:x",
    }  # fmt: skip
    kept = {row["id"]: row["x"] is None for row in stored(tmp_path)}
    assert kept == ({"a": False} if required else {"a": False, "g": True})


def test_metres_of_the_grid_are_looked_at_too(tmp_path: Path) -> None:
    rows = [
        ("a", "581957.2", "233904.5"), ("b", "233904.5", "581957.2"), ("c", "53.2194", "6.5665"),
        ("d", "0", "0"),
    ]  # fmt: skip
    take_in(tmp_path, rows, placed())
    assert [(row["id"], str(row["x"])) for row in stored(tmp_path)] == [("a", "233904.50")]
    assert reasons(tmp_path) == {
        3: "exchanged_place:x", 4: "outside_place:x", 5: "zero_place:x"
    }  # fmt: skip


def test_degrees_that_stay_degrees(tmp_path: Path) -> None:
    columns = ("longitude", "latitude")
    take_in(tmp_path, ODD[:5], placed(columns, crs="EPSG:4326"), required=False)
    assert [(row["id"], str(row["latitude"])) for row in stored(tmp_path)] == [("a", "53.21940")]
    assert reasons(tmp_path) == {
        3: "exchanged_place:longitude", 4: "zero_place:longitude", 5: "zero_place:longitude",
        6: "outside_place:longitude",
    }  # fmt: skip


def test_places_are_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    rows = [
        (f"{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}", f"{51 + n / 1000}", f"{5 + n / 2000}")
        for n in range(600)
    ]
    found = []
    for threads in (1, 3):
        root = tmp_path / str(threads)
        take_in(root, rows, placed(crs="EPSG:4326"), threads=threads)
        found.append(
            [path.read_bytes() for path in sorted((root / "data/stores").rglob("*.parquet"))]
        )
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (placed(crs="EPSG:1"), "file list: crs 'EPSG:1' is no coordinate system"),
        (placed(crs=4326), "file list: crs 4326 is no coordinate system"),
        (placed(grid="EPSG:4326"), "crs 'EPSG:4326' is no grid in metres"),
        (placed(("x",), crs="EPSG:4326"), "cannot be converted without the other: fill both"),
    ],
)
def test_systems_that_cannot_be(tmp_path: Path, edit: Edit, sentence: str) -> None:
    root = write_project(tmp_path, contract=with_place(False), authority=edit)
    with pytest.raises(DatamallError, match=sentence):
        load_authority(root, "tiny")
