"""Fill levels in the demo city: the mistakes of the file, and what was planted, found again."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from datamall.demo import City, World, city, departments, raw
from datamall.demo.fills import Fills, fills
from datamall.demo.street_world import FillsWorld
from datamall.demo.truth import tables
from datamall.enforcement import fills as analysis
from datamall.enforcement.fills import FILLS, Limits
from datamall.errors import DatamallError
from datamall.mall.intake import intake

SEED = 2319
DAY = pd.Timestamp("2026-01-05")
# How intake calls what was planted.
CODES = {
    "exact duplicate": "duplicate",
    "contradiction": "conflict",
    "above 100": "range:level",
    "below 0": "range:level",
    "no level": "required:level",
    "unknown cluster": "reference:cluster",
    "unknown state": "unmapped:state",
    "time in another form": "time:day",
}


@pytest.fixture(scope="module")
def groningen() -> City:
    return city(SEED, World(reports=None, traffic=None, welfare=None))


@pytest.fixture(scope="module")
def own(groningen: City) -> Fills:
    return fills(SEED, groningen.world, groningen.places)


@pytest.fixture(scope="module")
def taken_in(
    groningen: City, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, pd.DataFrame], dict[str, Any], pd.DataFrame]:
    """Return the extract of levels and rounds, the report of intake and the planted faults."""
    folder = tmp_path_factory.mktemp("fills")
    for name in ("contracts", "authorities"):
        shutil.copytree(root / "data" / name, folder / "data" / name)
    target = folder / "data" / "raw" / "demo"
    target.mkdir(parents=True)
    wanted = {"buurten.csv", "containers.csv", "routes.csv", "vulgraden.csv"}
    files = [file for file in departments.deliver(groningen) if file.name in wanted]
    for file in files:
        raw.write(target, file)
    data = {}
    names = ("shared.neighbourhoods", "enforcement.containers", "enforcement.rounds", FILLS)
    for store in names:
        report = intake(folder, "demo", store)
        parts = sorted((folder / "data" / "stores" / "demo" / store).glob("part-*.parquet"))
        data[store] = pd.concat([pq.read_table(p).to_pandas() for p in parts], ignore_index=True)
    faults = departments.faults(files)
    return data, report, faults[faults["file"] == "vulgraden.csv"]


def test_intake_puts_exactly_the_planted_mistakes_aside(
    taken_in: tuple[Any, dict[str, Any], pd.DataFrame],
) -> None:
    _, report, faults = taken_in
    assert set(faults["fault"]) == set(CODES)
    planted = faults.groupby(faults["fault"].map(CODES))["rows"].sum().to_dict()
    assert report["reasons"] == planted


def test_readings_are_taken_in_at_local_time(
    taken_in: tuple[dict[str, pd.DataFrame], Any, Any], own: Fills
) -> None:
    """The file says 05:00 UTC of what was read at six in the morning."""
    table = taken_in[0][FILLS]
    time = analysis.histories.moments(table)
    found = table.assign(time=time, level=table["level"].astype(int))
    keys = ["cluster", "time", "source"]
    both = found.merge(own.readings.astype({"time": "datetime64[s]"}), on=keys)
    assert len(both) == len(found) > 0.99 * len(own.readings)
    assert (both["level_x"] == both["level_y"]).all()


def test_levels_and_faults_are_found_again(
    taken_in: tuple[dict[str, pd.DataFrame], Any, Any], own: Fills
) -> None:
    found = analysis.levels(taken_in[0], DAY, Limits()).set_index("cluster")
    true = own.truth.set_index("cluster")
    assert true["fault"].value_counts()[["stuck", "dead", "silent"]].min() > 20
    both = found.join(true.rename(columns=lambda name: f"true_{name}"))
    for fault in ("stuck", "dead", "silent"):
        # A sensor that read a full container when it stuck says nothing against itself.
        mine = both[(both["true_fault"] == fault) & (both["level"] != 100)]
        long = mine[mine["true_since"] < DAY - pd.Timedelta(days=5)]
        assert len(long) and long["why"].str.startswith(fault).all(), fault
    sound = both[(both["true_fault"] == "") & (both["why"] == "")]
    assert (both.loc[both["true_fault"] == "", "why"] == "").mean() > 0.99
    # Read a night before, when nobody throws anything in but in the hour after ten.
    assert (sound["level"] - sound["true_level"]).abs().quantile(0.99) < 6
    rise = sound.dropna(subset="rise")
    assert len(rise) > 0.98 * len(sound)
    assert 0.9 < (rise["rise"] / rise["true_rise"]).median() < 1.1
    assert np.corrcoef(rise["rise"], rise["true_rise"])[0, 1] > 0.9


def test_the_truth_is_a_table_of_its_own(groningen: City, own: Fills) -> None:
    pd.testing.assert_frame_equal(tables(groningen)["fills"], own.truth)
    assert own.truth["level"].between(0, 100).all()
    assert own.truth["fault"].eq("no sensor").mean() == pytest.approx(0.1, abs=0.001)
    assert own.readings["time"].max() < DAY + pd.Timedelta(hours=7)


@pytest.mark.slow
def test_a_city_without_sensors(groningen: City) -> None:
    for world in ({"fills": None}, {"rounds": None}):
        bare = replace(groningen, world=replace(groningen.world, **world))
        assert "vulgraden.csv" not in {file.name for file in departments.deliver(bare)}


@pytest.mark.parametrize("knobs", [{"days": 3}, {"rises": (5.0, 1.0)}, {"faults": (0.5, 0.3, 0.2)}])
def test_containers_that_cannot_be_drawn(knobs: dict[str, Any]) -> None:
    with pytest.raises(DatamallError, match="Fill levels cannot be drawn"):
        FillsWorld(**knobs)
