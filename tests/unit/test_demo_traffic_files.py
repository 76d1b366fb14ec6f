"""The raw files on traffic: 96 columns a day, and mistakes that intake finds again."""

import csv
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from datamall.demo import World, raw, traffic_raw
from datamall.demo.calendar import days
from datamall.demo.demand import QUARTERS, Traffic, traffic
from datamall.demo.detectors import BLANK, Counted, counted
from datamall.demo.traffic_world import TrafficWorld
from datamall.mall.intake import intake

SEED = 2319
# A year of six junctions: enough lines for every mistake, read in a moment.
WORLD = World(
    traffic=TrafficWorld(
        junctions=6, over_capacity=1, wrong_split=1, no_conflicts=2, no_saturation=1
    ),
    welfare=None,
    mess=2.5,
)
# How intake calls what was planted: mistakes that it does not tell apart → codes, and whether a
# whole line is put aside (all its quarters, but one record where it has no form) or one quarter.
LINES = {
    ("too many fields", "line of another form"): ["malformed"],
    ("unknown mode",): ["unmapped:mode"],
    ("unknown movement",): ["unmapped:movement"],
    ("impossible date", "date in another form"): ["type:day"],
    ("missing required field",): ["required:site", "required:detector", "required:day"],
}
CELLS = {
    ("text in a number", "fraction in a count"): ["type:count"],
    ("negative count",): ["range:count"],
    ("contradiction",): ["conflict"],
}
JUNCTIONS = {
    "exact duplicate": "duplicate",
    "green longer than the cycle": "rule:green_within_cycle",
    "unlikely saturation flow": "range:saturation_flow",
    "missing required field": "required:lane_group",
    "swapped coordinates": "exchanged_place:x",
}


class Delivered(NamedTuple):
    """The drawn year, its raw files, the planted faults and what intake made of them."""

    year: Traffic
    counts: Counted
    folder: Path
    faults: pd.DataFrame
    reports: dict[str, Any]


@pytest.fixture(scope="module")
def delivered(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    folder = tmp_path_factory.mktemp("traffic")
    for name in ("contracts", "authorities"):
        shutil.copytree(root / "data" / name, folder / "data" / name)
    target = folder / "data" / "raw" / "demo"
    target.mkdir(parents=True)
    year = traffic(SEED, WORLD)
    counts = counted(SEED, WORLD, year)
    faults = []
    for file in (
        traffic_raw.calendar_file(days(WORLD)),
        traffic_raw.junction_file(WORLD, year),
        *traffic_raw.count_files(SEED, WORLD, year, counts),
    ):
        raw.write(target, file)
        faults.append(file.faults.assign(file=file.name))
    stores = ("shared.calendar", "traffic.junctions", "traffic.counts")
    reports = {store: intake(folder, "demo", store) for store in stores}
    return Delivered(year, counts, folder, pd.concat(faults, ignore_index=True), reports)


def store(delivered: Delivered, name: str) -> pd.DataFrame:
    parts = delivered.folder.glob(f"data/stores/demo/{name}/part-*.parquet")
    return pd.concat([pq.read_table(part).to_pandas() for part in sorted(parts)])


def test_count_files_are_wide(delivered: Delivered) -> None:
    files = sorted(delivered.folder.glob("data/raw/demo/tellingen_*.csv"))
    assert [path.name for path in files] == [f"tellingen_2025_{n:02d}.csv" for n in range(1, 13)]
    for path in files:
        with path.open(encoding="windows-1252", newline="") as file:
            header, *lines = csv.reader(file, delimiter=";")
        times = [name for name in header if ":" in name]
        assert times == [f"{hour:02d}:{m:02d}" for hour in range(24) for m in (0, 15, 30, 45)]
        assert header[:6] == ["Kruispunt", "Detector", "Tak", "Richting", "Soort", "Datum"]
        assert lines[-1] == [f"*** einde export: {len(lines) - 1} regels ***"]


def test_intake_puts_exactly_the_planted_counts_aside(delivered: Delivered) -> None:
    here = delivered.faults[delivered.faults["file"].str.startswith("tellingen")]
    planted = here.groupby("fault")["rows"].sum()
    report = delivered.reports["traffic.counts"]
    reasons = report["reasons"]
    for alike, codes in CELLS.items():
        assert all(reasons[code] > 0 for code in codes), alike
        assert sum(reasons[code] for code in codes) == planted[list(alike)].sum(), alike
    for alike, codes in LINES.items():
        assert all(reasons[code] > 0 for code in codes), alike
        each = 1 if codes == ["malformed"] else QUARTERS
        assert sum(reasons[code] for code in codes) == each * planted[list(alike)].sum(), alike
    # A second line that differs in one quarter repeats the other 95.
    pairs = planted["contradiction"] // 2
    assert reasons["duplicate"] == QUARTERS * planted["exact duplicate"] + (QUARTERS - 1) * pairs
    told = {code for codes in (*CELLS.values(), *LINES.values()) for code in codes}
    assert set(reasons) == told | {"duplicate"}
    faults = {fault for alike in (*CELLS, *LINES) for fault in alike}
    assert set(planted.index) == faults | {"exact duplicate"}
    assert report["quarantined_share"] < 0.01


def test_sound_counts_are_what_detectors_showed(delivered: Delivered) -> None:
    table = store(delivered, "traffic.counts")
    detectors = delivered.year.junctions.detectors
    row = pd.Index(detectors["detector"]).get_indexer(table["detector"])
    day = pd.Index(delivered.year.days["day"]).get_indexer(pd.to_datetime(table["day"]))
    quarter = (table["hour"] * 4 + table["minute"] // 15).to_numpy()
    assert min(row.min(), day.min()) >= 0
    for name in ("site", "approach", "movement", "mode"):
        assert (detectors[name].to_numpy()[row] == table[name].to_numpy()).all(), name
    shown = delivered.counts.cells[row, day, quarter]
    assert (table["count"].fillna(BLANK).to_numpy() == shown).all()
    assert (table["minutes"].to_numpy() == np.where(shown == BLANK, 0, 15)).all()
    # Nothing else is lacking than what was put aside or never sent.
    there = np.zeros(delivered.counts.cells.shape, dtype=bool)
    there[row, day, quarter] = True
    assert len(table) == there.sum()
    assert not there[~delivered.counts.sent].any()
    here = delivered.faults[delivered.faults["file"].str.startswith("tellingen")]
    planted = here.groupby("fault")["rows"].sum()
    lines = planted[[fault for alike in LINES for fault in alike]].drop("line of another form")
    cells = planted[["text in a number", "fraction in a count", "negative count"]]
    lost = QUARTERS * lines.sum() + cells.sum() + planted["contradiction"] // 2
    assert (delivered.counts.sent[..., None] & ~there).sum() == lost


def test_intake_puts_exactly_the_planted_junctions_aside(delivered: Delivered) -> None:
    here = delivered.faults[delivered.faults["file"] == "kruispunten.csv"]
    report = delivered.reports["traffic.junctions"]
    assert report["reasons"] == {
        JUNCTIONS[fault]: rows for fault, rows in zip(here["fault"], here["rows"], strict=True)
    }
    assert set(here["fault"]) == set(JUNCTIONS)


def test_register_of_junctions_has_the_planted_gaps_alone(delivered: Delivered) -> None:
    table = store(delivered, "traffic.junctions")
    sites = delivered.year.junctions.sites.set_index("site")["plan"]
    groups = delivered.year.junctions.groups
    key = ["site", "approach", "lane_group"]
    joined = table.merge(groups, on=key, suffixes=("", "_true"), validate="one_to_one")
    assert len(joined) == len(groups) == len(table)
    plan = joined["site"].map(sites)
    assert (joined["phase"].isna() == (plan == "no conflict data")).all()
    assert (joined["lost_time"].isna() == (plan == "no conflict data")).all()
    unmeasured = joined["saturation_flow"].isna()
    assert set(plan[unmeasured]) == {"no saturation flow"}
    assert joined[unmeasured].groupby("site")["approach"].nunique().eq(1).all()
    assert (joined["storage_length"].notna() == (joined["lane_group"] == "L")).all()
    assert joined["storage_length"].dropna().between(60, 140).all()
    for name in ("lanes", "saturation_flow", "green", "minimum_green"):
        known = joined[name].notna()
        assert (joined[name].astype(float)[known] == joined[f"{name}_true"][known]).all(), name


def test_calendar_is_taken_in_whole(delivered: Delivered) -> None:
    report = delivered.reports["shared.calendar"]
    assert report["quarantined"] == 0
    table = store(delivered, "shared.calendar").set_index("day")
    assert len(table) == 366 + 365 + 365
    named = table["holiday"].dropna()
    assert named[pd.Timestamp("2025-04-26").date()] == "King's Day"  # the 27th is a Sunday
    assert named[pd.Timestamp("2025-05-29").date()] == "Ascension Day"
    assert table.loc[pd.Timestamp("2025-09-01").date(), "student_moves"] == "yes"
    assert table["event"].nunique() == 5
