"""Borders and water of the demo city fit its places, and intake finds what is wrong with them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from test_demo_files import SMALL

from datamall.demo import City, city, outlines, raw
from datamall.mall.intake import intake


@pytest.fixture(scope="module")
def town() -> City:
    return city(5, SMALL)


@pytest.fixture(scope="module")
def taken_in(
    town: City, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, int], dict[str, dict[str, shapely.Geometry]]]:
    """Return the reasons, and kind → name or code → shape in metres."""
    folder = tmp_path_factory.mktemp("outlines")
    for name in ("contracts", "authorities"):
        shutil.copytree(root / "data" / name, folder / "data" / name)
    own = folder / "data" / "raw" / "demo"
    own.mkdir(parents=True)
    raw.write(own, outlines.outline_file(town))
    report = intake(folder, "demo", "shared.outlines")
    found: dict[str, dict[str, shapely.Geometry]] = {}
    table = pq.read_table(
        folder / "data" / "stores" / "demo" / "shared.outlines" / "part-00000.parquet"
    )
    for row in table.to_pylist():
        key = row["code"] if row["kind"] == "neighbourhood" else row["name"]
        found.setdefault(row["kind"], {})[key] = shapely.from_wkt(row["shape"])
    return report["reasons"], found


def test_intake_puts_exactly_the_planted_mistakes_aside(taken_in: tuple, town: City) -> None:
    reasons, found = taken_in
    faults = outlines.outline_file(town).faults
    planted = dict(zip(faults["fault"], faults["rows"], strict=True))
    assert planted == {"crossing ring": 1, "short ring": 1}
    assert reasons == {"crossing_ring:shape": 1, "short_ring:shape": 1}
    assert set(found["neighbourhood"]) == set(town.neighbourhoods["neighbourhood"])
    assert set(found["district"]) == set(town.neighbourhoods["district"])
    assert set(found["water"]) == set(outlines.WATERS) and set(found["road"]) == set(outlines.ROADS)


def test_places_lie_in_their_own_neighbourhood_and_district(taken_in: tuple, town: City) -> None:
    _, found = taken_in
    points = shapely.points(town.places["x"], town.places["y"])
    for kind in ("neighbourhood", "district"):
        shapes = np.array([found[kind][name] for name in town.places[kind]])
        # To a metre, on which degrees and back agree.
        assert (shapely.distance(shapes, points) < 1).all()
        areas = [*found[kind].values()]
        together = shapely.union_all(areas, grid_size=0.1).area
        assert together == pytest.approx(sum(area.area for area in areas), rel=1e-4)


def test_water_has_isles_and_leaves_the_land(taken_in: tuple) -> None:
    _, found = taken_in
    land = shapely.union_all([*found["district"].values()])
    singel, diep, meer = (found["water"][name] for name in outlines.WATERS)
    assert len(singel.interiors) == len(meer.interiors) == 1
    assert not land.contains(diep)


def test_a_city_without_mess_has_none_here(town: City) -> None:
    from dataclasses import replace

    clean = outlines.outline_file(replace(town, world=replace(town.world, mess=0)))
    assert len(clean.faults) == 0
    assert all(json.loads(text)["coordinates"] for text in clean.table["geometry"])
