"""Trucks, disposal sites and rounds under way in the demo city: written, and found again."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from datamall.demo import City, World, city, departments, raw
from datamall.demo.fleet import Fleet, fleet
from datamall.demo.rounds import rounds
from datamall.mall.intake import intake

SEED = 2319
# How intake calls what was planted, by store: file, and mistake → code.
PLANTED = {
    "trucks": (
        "wagens.csv",
        {
            "exact duplicate": "duplicate",
            "no capacity": "required:volume",
            "impossible capacity": "range:mass",
            "unknown answer": "unmapped:takes_bulky",
            "ends before it starts": "rule:ends_after_start",
            "zero coordinates": "zero_place:x",
        },
    ),
    "disposal_sites": (
        "stortplaatsen.csv",
        {
            "exact duplicate": "duplicate",
            "no time to unload": "required:unload_minutes",
            "closes before it opens": "rule:closes_after_opening",
        },
    ),
    "under_way": (
        "onderweg.csv",
        {
            "exact duplicate": "duplicate",
            "no position": "required:x",
            "unknown cluster": "reference:next_place",
            "impossible load": "range:mass",
        },
    ),
    "stop_results": (
        "terugmeldingen.csv",
        {
            "exact duplicate": "duplicate",
            "contradiction": "conflict",
            "unknown cluster": "reference:cluster",
            "unknown result": "unmapped:result",
            "refused without a reason": "rule:refused_with_a_reason",
            "impossible time": "range:minute",
        },
    ),
}


@pytest.fixture(scope="module")
def groningen() -> City:
    return city(SEED, World(reports=None, traffic=None, welfare=None))


@pytest.fixture(scope="module")
def own(groningen: City) -> Fleet:
    return fleet(SEED, groningen.world, groningen.places)


@pytest.fixture(scope="module")
def taken_in(
    groningen: City, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], pd.DataFrame]:
    """Return the stores' folder, the report of each and the planted faults."""
    folder = tmp_path_factory.mktemp("fleet")
    for name in ("contracts", "authorities"):
        shutil.copytree(root / "data" / name, folder / "data" / name)
    target = folder / "data" / "raw" / "demo"
    target.mkdir(parents=True)
    wanted = {"buurten.csv", "containers.csv", *(file for file, _ in PLANTED.values())}
    files = [file for file in departments.deliver(groningen) if file.name in wanted]
    for file in files:
        raw.write(target, file)
    for store in ("shared.neighbourhoods", "enforcement.containers"):
        intake(folder, "demo", store)
    found = {name: intake(folder, "demo", f"enforcement.{name}") for name in PLANTED}
    return folder / "data" / "stores" / "demo", found, departments.faults(files)


def store(folder: Path, name: str) -> pd.DataFrame:
    parts = sorted((folder / f"enforcement.{name}").glob("part-*.parquet"))
    return pd.concat([pq.read_table(part).to_pandas() for part in parts], ignore_index=True)


@pytest.mark.parametrize("name", PLANTED)
def test_intake_puts_exactly_the_planted_mistakes_aside(
    taken_in: tuple[Path, dict[str, Any], pd.DataFrame], name: str
) -> None:
    _, found, faults = taken_in
    file, codes = PLANTED[name]
    planted = faults[faults["file"] == file].set_index("fault")["rows"]
    told = {codes[fault]: rows for fault, rows in planted.items()}
    assert found[name]["reasons"] == told
    assert set(planted.index) == set(codes)


def test_sound_rows_are_the_fleet(
    taken_in: tuple[Path, dict[str, Any], pd.DataFrame], own: Fleet
) -> None:
    """No truck that drives is lost: the mistakes are on lines about old ones."""
    for name, table in zip(("trucks", "disposal_sites", "under_way"), own, strict=False):
        found = store(taken_in[0], name)
        true = table.sort_values(list(table.columns[:1]), ignore_index=True)
        found = found.sort_values(list(table.columns[:1]), ignore_index=True)[true.columns]
        assert len(found) == len(true)
        for column in true:
            if column in ("x", "y", "volume"):
                assert (found[column].astype(float) - true[column]).abs().max() <= 0.0051
            elif column == "day":
                assert (pd.to_datetime(found[column]) == true[column]).all()
            else:
                assert found[column].tolist() == true[column].tolist(), (name, column)


def test_a_truck_under_way_has_done_what_its_round_says_by_then(
    groningen: City, own: Fleet
) -> None:
    monday = rounds(SEED, groningen.world, groningen.places).query("weekday == 1")
    way = own.under_way.set_index("truck")
    assert list(way.index) == list(own.trucks["truck"].sort_values())
    for truck, stops in monday.groupby("truck"):
        state, stops = way.loc[truck], stops.set_index("turn")
        assert stops["start"][state["stops_done"]] <= 640 < stops["start"][state["stops_done"] + 1]
        assert stops["cluster"][state["stops_done"] + 1] == state["next_place"]
    limits = own.trucks.set_index("truck")
    for column in ("volume", "mass"):
        assert (way[column] > 0).all()
        assert (way[column] <= limits[column].reindex(way.index)).all()


def test_results_are_of_the_stops_of_the_day_before_with_a_few_refusals(own: Fleet) -> None:
    table = own.results
    assert (table["day"] == pd.Timestamp("2026-01-03")).all()
    shares = table["result"].value_counts(normalize=True)
    assert 0.02 < shares["nothing there"] < 0.06
    assert 0.005 < shares["refused"] < 0.03
    assert ((table["reason"] != "") == (table["result"] == "refused")).all()


def test_a_city_without_rounds_or_mess(groningen: City) -> None:
    bare = replace(groningen, world=replace(groningen.world, rounds=None))
    names = {file.name for file in departments.deliver(bare)}
    assert not names & {file for file, _ in PLANTED.values()}
    clean = replace(groningen, world=replace(groningen.world, mess=0.0))
    for file in departments.deliver(clean):
        assert file.faults.empty
