"""Amsterdam's original file through intake, held against published figures."""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from datamall.mall.intake import intake

STORES = ("shared.neighbourhoods", "enforcement.containers", "enforcement.inspections")
FILE = "amsterdam_bins_2025.csv"


def take_in(root: Path, here: Path, content: bytes) -> dict[str, dict]:
    """Take a raw file into a project with the contracts and mappings of this one."""
    for name in ("contracts", "authorities"):
        shutil.copytree(here / "data" / name, root / "data" / name, dirs_exist_ok=True)
    shutil.copy(here / "params.yaml", root)
    raw = root / "data" / "raw" / "open-data"
    raw.mkdir(parents=True, exist_ok=True)
    (raw / FILE).write_bytes(content)
    return {store: intake(root, "open-data", store) for store in STORES}


def read(root: Path, store: str) -> pa.Table:
    return pq.read_table(root / "data/stores/open-data" / store / "part-00000.parquet")


@pytest.fixture(scope="module")
def original(shared: Path) -> bytes:
    return (shared / "real" / "waste" / FILE).read_bytes()


@pytest.fixture(scope="module")
def truth(shared: Path) -> dict[str, float]:
    text = (shared / "truth" / "external_truth.json").read_text("utf-8")
    found: dict[str, float] = json.loads(text)["amsterdam_2025_inspections"]
    return found


@pytest.fixture(scope="module")
def taken(
    tmp_path_factory: pytest.TempPathFactory, root: Path, original: bytes
) -> Iterator[tuple[Path, dict[str, dict]]]:
    folder = tmp_path_factory.mktemp("amsterdam")
    yield folder, take_in(folder, root, original)
    shutil.rmtree(folder)


def figures(root: Path) -> dict[str, float]:
    places, visits = read(root, STORES[1]), read(root, STORES[2])
    assert places.num_rows == visits.num_rows
    row = duckdb.sql(
        """
        SELECT count(*) AS locations, sum(inspections) AS inspections,
            sum(with_waste) AS not_clean, sum(bulky) AS bulky,
            round(corr(inspections, with_waste), 3) AS corr_inspections_dirty,
            count(*) FILTER (kind = 'container' AND inspections >= 20)
                AS containers_with_20_inspections
        FROM places JOIN visits USING (cluster)
        """
    )
    return dict(zip(row.columns, row.fetchall()[0], strict=True))


def test_the_figures_are_those_published(
    taken: tuple[Path, dict[str, dict]], truth: dict[str, float]
) -> None:
    assert figures(taken[0]) == truth


def test_nothing_is_quarantined(taken: tuple[Path, dict[str, dict]]) -> None:
    root, reports = taken
    assert [report["quarantined"] for report in reports.values()] == [0, 0, 0]
    assert [report["accepted"] for report in reports.values()] == [8, 10_297, 10_297]
    kinds = duckdb.sql(f"FROM '{root}/data/stores/open-data/enforcement.containers/part-*.parquet'")
    assert kinds.aggregate("count(*) FILTER (kind = 'container')").fetchall() == [(2_673,)]
    assert kinds.aggregate("count(*) FILTER (kind = 'dump spot')").fetchall() == [(7_624,)]


def test_the_period_is_that_of_the_file(taken: tuple[Path, dict[str, dict]]) -> None:
    text = (taken[0] / "data/stores/open-data" / STORES[2] / "store.json").read_text()
    manifest = json.loads(text)
    assert (manifest["first_day"], manifest["last_day"]) == ("2025-01-02", "2025-10-29")
    assert manifest["not_delivered"] == ["residual", "cardboard", "full", "broken"]


def test_one_changed_value_moves_the_figure(
    tmp_path: Path, root: Path, original: bytes, truth: dict[str, float]
) -> None:
    changed = original.replace(b"Kloveniersburgwal 1,409,281,", b"Kloveniersburgwal 1,410,281,", 1)
    assert changed != original
    take_in(tmp_path, root, changed)
    assert figures(tmp_path) == {**truth, "inspections": truth["inspections"] + 1}


def test_no_address_reaches_store_quarantine_or_report(
    tmp_path: Path, root: Path, original: bytes
) -> None:
    # Faults of every kind, so that rows with addresses end in quarantine.
    lines = original.splitlines()
    header = lines[0].decode().split(",")
    lines[1] = lines[1].replace(b",409,", b",x,")
    lines[2] += b",one field more"
    lines[3] = lines[3].replace(b"POINT", b"LINE")
    lines += [lines[9], lines[10].replace(b"False", b"Maybe").replace(b"True", b"Maybe")]
    reports = take_in(tmp_path, root, b"\n".join(lines) + b"\n")
    assert reports["enforcement.containers"]["quarantined"] >= 4
    position = [header.index(name) for name in ("straatnaam", "postcode", "adres")]
    rows = csv.reader(io.StringIO(original.decode()))
    words = {row[number] for row in list(rows)[1:] for number in position} - {""}
    cells: set[str] = set()
    reported = ""
    for path in tmp_path.glob("data/stores/**/*.parquet"):
        table = pq.read_table(path)
        for name in table.column_names:
            cells |= set(pc.cast(table[name], pa.string()).to_pylist())
        if path.name == "quarantine.parquet":
            reported += json.dumps(table.to_pylist())
    for path in [*tmp_path.glob("data/stores/**/*.json"), *tmp_path.glob("reports/**/*.json")]:
        reported += path.read_text()
    assert {"A3715", "container"} <= cells
    assert not cells & words
    assert "geometrie_origineel" in reported
    assert [word for word in words if word in reported] == []
    assert not [cell for cell in cells if cell and re.search(r"\b[0-9]{4} ?[A-Z]{2}\b", cell)]
