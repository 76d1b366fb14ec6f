"""The raw files of the demo city: same bytes, agreed form, every planted mistake found again."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from datamall.demo import City, TrafficWorld, WelfareWorld, World, city, make, truth
from datamall.demo.street_world import ActionWorld, FillsWorld, ReportsWorld, RoundsWorld

SEED = 2319
SMALL = World(
    places=300,
    dump_spots=20,
    neighbourhoods=24,
    weeks=26,
    traffic=TrafficWorld(
        junctions=4, days=28, over_capacity=1, wrong_split=1, no_conflicts=0, no_saturation=0
    ),
    welfare=WelfareWorld(clients=1500, profile=120, signal=40, follow_up=20, random=80),
)
# The last week of the inspections ends in 2026.
QUARTERS = [*(f"schouwen_2025_k{quarter}.csv" for quarter in (1, 2, 3, 4)), "schouwen_2026_k1.csv"]
INSPECTED = ["buurten.csv", "containers.csv", *QUARTERS]
FILES = sorted(
    [
        *INSPECTED,
        *("beschermd.csv", "bijstand_2024.csv", "bijstand_2025.csv", "cbs_tellingen.csv"),
        *("kalender.csv", "kruispunten.csv", "onderzoeken_2024.csv", "onderzoeken_2025.csv"),
        *(f"meldingen_2025_k{quarter}.csv" for quarter in (1, 2, 3, 4)),
        *("maatregelen.csv", "meldingen_2026_k1.csv", "routes.csv"),
        *("grenzen.geojson", "onderweg.csv", "stortplaatsen.csv", "terugmeldingen.csv"),
        *("verkeersmaatregelen.csv", "vulgraden.csv", "wagens.csv"),
        *(f"tellingen_2025_{month:02d}.csv" for month in range(1, 13)),
    ]
)
COUNTS = ["Grofvuil", "Huisvuil", "Karton", "Container vol", "Container defect"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with raw/ and truth/ of the full city."""
    path = tmp_path_factory.mktemp("demo")
    make(path / "raw", SEED)
    truth(path / "truth", SEED)
    return path


@pytest.fixture(scope="module")
def groningen() -> City:
    return city(SEED)


def digests(path: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in path.iterdir()}


@cache  # most tests here read the same files
def lines(path: Path) -> list[tuple[dict[str, str], list[str]]]:
    """Read a raw file by the standard library: fields by header, and the fields too many."""
    if path.suffix == ".geojson":
        features = json.loads(path.read_text("utf-8"))["features"]
        return [
            (feature["properties"] | {"#shape": feature["geometry"]}, []) for feature in features
        ]
    found = []
    with path.open(encoding="windows-1252", newline="") as file:
        reader = csv.reader(file, delimiter=";")
        header = next(reader)
        for cells in reader:
            if cells[0].startswith("***"):  # the line with which an export ends
                continue
            assert len(cells) >= len(header)
            row = dict(zip(header, cells[: len(header)], strict=True))
            found.append((row, cells[len(header) :]))
    return found


@cache
def fault_of_date(text: str) -> str | None:
    try:
        datetime.strptime(text, "%d-%m-%Y")
    except ValueError:
        return "date in another form" if "/" in text else "impossible date"
    return None


def whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def fault_of_inspection(row: dict[str, str], more: list[str], known: set[str]) -> str | None:
    """Judge one row as a careful clerk would, from the contract alone."""
    required = ("Clusternummer", "Datum", "Waarnemer", "Aantal schouwen", "Met bijplaatsing")
    if more:
        return "too many fields"
    if any(row[column] == "" for column in required):
        return "missing required field"
    if row["Clusternummer"] not in known:
        return "unknown cluster"
    if row["Waarnemer"] not in ("Reinigingsploeg", "Handhaver"):
        return "unknown role"
    if fault := fault_of_date(row["Datum"]):
        return fault
    texts = [row[column] for column in ("Aantal schouwen", "Met bijplaatsing", *COUNTS)]
    numbers = [whole(text) for text in texts]
    if None in numbers:
        wrong = texts[numbers.index(None)]
        return "fraction in a count" if "," in wrong else "text in a number"
    looks, dirty, *causes = (number for number in numbers if number is not None)
    if min(looks, dirty, *causes) < 0:
        return "negative count"
    if looks == 0:
        return "no inspection at all"
    if dirty > looks:
        return "more with waste than inspections"
    return "more of a cause than inspections" if max(causes) > looks else None


def fault_of_place(row: dict[str, str], areas: set[str]) -> str | None:
    if not row["X-coördinaat"] or not row["Y-coördinaat"]:
        return "missing coordinates"
    x, y = (float(row[name].replace(",", ".")) for name in ("X-coördinaat", "Y-coördinaat"))
    if x == y == 0:
        return "zero coordinates"
    if x > 300_000 and y < 300_000:
        return "swapped coordinates"
    if row["Soort plek"] not in ("ondergrondse container", "dumpplek"):
        return "unknown kind of place"
    if row["Buurtcode"] not in areas:
        return "unknown neighbourhood"
    return "negative count" if row["Huishoudens"].startswith("-") else None


def repeated(rows: list[tuple[str, dict[str, str]]], key: list[str]) -> Counter[tuple[str, str]]:
    """Count copies and contradictions among sound rows, each in its file."""
    found: Counter[tuple[str, str]] = Counter()
    by_key: dict[tuple[str, ...], list[tuple[str, dict[str, str]]]] = {}
    for name, row in rows:
        by_key.setdefault(tuple(row[column] for column in key), []).append((name, row))
    for same in by_key.values():
        different = {tuple(row.values()) for _, row in same}
        if len(different) > 1:
            found[same[0][0], "contradiction"] += len(same)
        elif len(same) > 1:
            found[same[0][0], "exact duplicate"] += len(same) - 1
    return found


@pytest.mark.slow
def test_same_bytes_anywhere(tmp_path: Path) -> None:
    """Another working directory, hash seed, thread count and fewer CPU features."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    program = (
        "import datetime, sys; from pathlib import Path; from datamall.demo import *\n"
        "from datamall.demo.street_world import *\n"
        f"make(Path(sys.argv[1]) / 'raw', {SEED}, {SMALL})\n"
        f"truth(Path(sys.argv[1]) / 'truth', {SEED}, {SMALL})\n"
    )
    disabled = " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name])
    settings = (
        {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"},
        {"PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "2", "NPY_DISABLE_CPU_FEATURES": disabled},
    )
    for number, setting in enumerate(settings):
        working = tmp_path / f"working{number}"
        working.mkdir()
        target = tmp_path / f"out{number}"
        command = [sys.executable, "-c", program, str(target)]
        subprocess.run(command, cwd=working, env=os.environ | setting, check=True)
        assert not list(working.iterdir())
    make(tmp_path / "raw", SEED, SMALL)
    # Half a year of inspections (it ends early in July), four weeks of counts.
    late = (
        "k4",
        "2026_k1",
        *(f"tellingen_2025_{month:02d}" for month in range(2, 13)),
    )
    wanted = [name for name in FILES if not any(part in name for part in late)]
    assert sorted(digests(tmp_path / "raw")) == wanted
    for part in ("raw", "truth"):
        assert digests(tmp_path / "out0" / part) == digests(tmp_path / "out1" / part)
    assert digests(tmp_path / "raw") == digests(tmp_path / "out0" / "raw")


@pytest.mark.slow
def test_files_are_those_of_the_mapping(folder: Path, root: Path) -> None:
    assert sorted(path.name for path in (folder / "raw").iterdir()) == FILES
    assert sum(path.stat().st_size for path in (folder / "raw").iterdir()) <= 150_000_000
    mapping = yaml.safe_load((root / "data" / "authorities" / "demo.yaml").read_text("utf-8"))
    delivered = {}
    of_departments = {n: file for n, file in mapping["files"].items() if "result_of" not in file}
    for name, file in of_departments.items():
        found = sorted(path.name for path in (folder / "raw").glob(file["path"]))
        assert found
        delivered[name] = found
    assert sorted(name for names in delivered.values() for name in names) == FILES
    for store in mapping["stores"].values():
        for name in delivered.get(store["file"], []):
            header = lines(folder / "raw" / name)[0][0]
            made = set(store.get("unpivot", {}).values())
            wanted = {c["from"] for c in store["columns"].values() if "from" in c}
            assert wanted - made <= set(header)
            rows = [row for row, _ in lines(folder / "raw" / name)]
            for column in store["columns"].values():
                if "map" in column:
                    values = {row[column["from"]] for row in rows}
                    assert len(values & set(column["map"])) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_form_of_the_files(folder: Path, name: str) -> None:
    raw = (folder / "raw" / name).read_bytes()
    if name == "grenzen.geojson":
        assert len(raw) < 300_000 and raw.decode("utf-8").count("\n") == raw.count(b"Feature") + 1
        return
    raw.decode("windows-1252")
    if name in ("kalender.csv", "terugmeldingen.csv", "verkeersmaatregelen.csv", "vulgraden.csv"):
        assert raw.isascii()
    else:
        with pytest.raises(UnicodeDecodeError):
            raw.decode("utf-8")
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")


@pytest.mark.slow
def test_every_planted_mistake_is_found_again(folder: Path, groningen: City) -> None:
    """A clerk who has only the files finds what the truth says, and no more."""
    found: Counter[tuple[str, str]] = Counter()
    areas = [row for row, more in lines(folder / "raw" / "buurten.csv") if not more]
    found["buurten.csv", "missing required field"] = sum(not row["Buurtcode"] for row in areas)
    named = [("buurten.csv", row) for row in areas if row["Buurtcode"]]
    found += repeated(named, ["Buurtcode"])
    codes = {row["Buurtcode"] for _, row in named}
    sound = []
    for row, more in lines(folder / "raw" / "containers.csv"):
        assert not more
        fault = fault_of_place(row, codes)
        if fault:
            found["containers.csv", fault] += 1
        else:
            sound.append(("containers.csv", row))
    found += repeated(sound, ["Clusternummer"])
    known = {row["Clusternummer"] for _, row in sound}
    visits = []
    for name in QUARTERS:
        for row, more in lines(folder / "raw" / name):
            fault = fault_of_inspection(row, more, known)
            if fault:
                found[name, fault] += 1
            else:
                visits.append((name, row))
    found += repeated(visits, ["Clusternummer", "Datum", "Waarnemer"])

    planted = pd.read_csv(folder / "truth" / "faults.csv")
    assert set(planted["file"]) == set(FILES) - {"kalender.csv"}
    planted = planted[planted["file"].isin(INSPECTED)]
    assert found == Counter(
        {(row.file, row.fault): int(row.rows) for row in planted.itertuples(index=False)}
    )
    assert planted.groupby("fault").size().size == 19
    raw_rows = json.loads((folder / "truth" / "parameters.json").read_text("utf-8"))["raw_rows"]
    inspected = sum(raw_rows[name] for name in INSPECTED)
    assert planted["rows"].sum() / inspected < 0.015
    copies = planted.query("fault == 'exact duplicate' and file != 'buurten.csv'")["rows"].sum()
    assert 0.0025 < copies / inspected < 0.0035
    assert sorted(raw_rows) == FILES
    for name, rows in raw_rows.items():
        assert len(lines(folder / "raw" / name)) == rows


@pytest.mark.slow
def test_sound_rows_are_the_tallies(folder: Path, groningen: City) -> None:
    """Nothing but the planted mistakes stands between the tallies and the files."""
    known = set(groningen.places["cluster"])
    rows = [row for name in QUARTERS for row, more in lines(folder / "raw" / name) if not more]
    sound = pd.DataFrame([row for row in rows if not fault_of_inspection(row, [], known)])
    sound = sound.drop_duplicates()
    key = ["cluster", "period_start", "observer_role"]
    dutch = dict(
        zip(groningen.tallies.columns, sound.columns[: len(groningen.tallies.columns)], strict=True)
    )
    sound = sound.rename(columns={raw: name for name, raw in dutch.items()})
    sound = sound[~sound.duplicated(key, keep=False)]
    sound["period_start"] = pd.to_datetime(sound["period_start"], format="%d-%m-%Y")
    roles = {"Reinigingsploeg": "cleaning crew", "Handhaver": "enforcement officer"}
    sound["observer_role"] = sound["observer_role"].map(roles)
    counts = groningen.tallies.columns[3:]
    joined = groningen.tallies.merge(sound, on=key, suffixes=("", "_raw"))
    assert len(joined) == len(sound)
    for name in counts:
        assert (joined[name] == joined[f"{name}_raw"].astype(int)).all()
    planted = pd.read_csv(folder / "truth" / "faults.csv")
    lost = planted[planted["file"].isin(QUARTERS) & (planted["fault"] != "exact duplicate")]
    # Of a contradiction one row is the tally itself, the other came on top of it.
    extra = lost.loc[lost["fault"] == "contradiction", "rows"].sum() // 2
    assert len(groningen.tallies) - len(sound) == lost["rows"].sum() - extra


@pytest.mark.slow
def test_places_carry_their_coordinates(folder: Path, groningen: City) -> None:
    rows = pd.DataFrame([row for row, _ in lines(folder / "raw" / "containers.csv")])
    rows = rows.drop_duplicates().set_index("Clusternummer")
    kept = rows.loc[groningen.places["cluster"]]
    assert len(kept) == len(groningen.places)
    for column, name in (("X-coördinaat", "x"), ("Y-coördinaat", "y")):
        assert kept[column].str.fullmatch(r"\d{6},\d\d").all()
        values = kept[column].str.replace(",", ".").astype(float).to_numpy()
        assert np.array_equal(values, groningen.places[name])
    # Nobody inspects a cleared container, so that a refused place takes no inspection with it.
    cleared = set(rows.index) - set(groningen.places["cluster"])
    assert cleared
    assert not cleared & set(groningen.tallies["cluster"])


@pytest.mark.slow
def test_remarks_are_quoted_where_they_hold_the_separator(folder: Path) -> None:
    raw = (folder / "raw" / QUARTERS[0]).read_bytes().decode("windows-1252")
    assert '"matras; bank"' in raw
    assert any(row["Opmerking"] == "matras; bank" for row, _ in lines(folder / "raw" / QUARTERS[0]))


@pytest.mark.slow
def test_clean_files_without_mess(tmp_path: Path) -> None:
    clean = replace(SMALL, weeks=13, mess=0.0)
    make(tmp_path / "raw", SEED, clean)
    truth(tmp_path / "truth", SEED, clean)
    assert pd.read_csv(tmp_path / "truth" / "faults.csv").empty
    drawn = city(SEED, clean)
    assert len(lines(tmp_path / "raw" / "containers.csv")) == len(drawn.places)
    written = [len(lines(tmp_path / "raw" / name)) for name in QUARTERS[:2]]
    assert sum(written) == len(drawn.tallies)


@pytest.mark.slow
def test_truth_tables(folder: Path, groningen: City) -> None:
    tables = {path.name for path in (folder / "truth").iterdir()}
    assert tables == {
        *("clusters.csv", "hot_spots.csv", "districts.csv", "faults.csv", "parameters.json"),
        *(
            "actions.csv",
            "fills.csv",
            "reporting.csv",
            "junctions.csv",
            "lane_groups.csv",
            "detector_faults.csv",
            "measures.csv",
        ),
        *("road_works.csv", "welfare_people.csv", "welfare_groups.csv", "welfare_knobs.csv"),
    }
    clusters = pd.read_csv(folder / "truth" / "clusters.csv")
    assert clusters["cluster"].tolist() == groningen.places["cluster"].tolist()
    assert np.allclose(clusters["x"], groningen.places["x"], rtol=0, atol=0.005)
    # Officers record more; but where crews come often, they come when less lies there.
    roles = clusters[["rate_crew", "rate_officer"]]
    assert clusters["rate"].between(roles.min(axis=1), roles.max(axis=1)).all()
    assert (clusters["rate_officer"] > clusters["rate_crew"]).mean() > 0.95
    parameters = json.loads((folder / "truth" / "parameters.json").read_text("utf-8"))
    assert parameters["inspections"] == groningen.tallies["inspections"].sum()
    assert parameters["world"]["observer_odds_ratio"] == 1.6
    # Every knob of every department, by name.
    for part, knobs in (
        ("rounds", RoundsWorld),
        ("fills", FillsWorld),
        ("reports", ReportsWorld),
        ("actions", ActionWorld),
        ("traffic", TrafficWorld),
        ("welfare", WelfareWorld),
    ):
        assert list(parameters["world"][part]) == [field.name for field in fields(knobs)]
