"""Münster's and Boroondara's original files through intake, held against a reading of our own."""

import csv
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from datamall.mall.fetch import fetch
from datamall.mall.intake import intake

MOVEMENTS = {"G": "S", "L": "L", "R": "R", "GR": "SR", "GRL": "LSR", "LO": "L", "RO": "R"}
GROUP = re.compile(r"MQ_(\d+)_(FV\d+)_? ?([A-Z]+) \((MQ\d+)\)")
BOROONDARA = "scats_boroondara_2006-10_15min.csv"

Taken = tuple[Path, dict[str, dict]]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory, root: Path, shared: Path) -> Iterator[Taken]:
    """Fetch all files of open-data, and take both stores of traffic in."""
    folder = tmp_path_factory.mktemp("traffic")
    for name in ("contracts", "authorities"):
        shutil.copytree(root / "data" / name, folder / "data" / name)
    shutil.copy(root / "params.yaml", folder)
    assert len(fetch(folder, "open-data", shared / "real")) == 731 + 4
    stores = ("traffic.junctions", "traffic.counts")
    yield folder, {store: intake(folder, "open-data", store) for store in stores}
    shutil.rmtree(folder)


def store(taken: Taken, name: str) -> str:
    return f"'{taken[0]}/data/stores/open-data/{name}/part-*.parquet'"


def apart(taken: Taken, name: str) -> list[dict]:
    path = taken[0] / "data/stores/open-data" / name / "quarantine.parquet"
    rows: list[dict] = pq.read_table(path).to_pylist()
    return rows


@pytest.fixture(scope="module")
def boroondara(shared: Path) -> list[dict[str, str]]:
    text = (shared / "real" / "traffic" / BOROONDARA).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.fixture(scope="module")
def muenster(shared: Path) -> dict[str, Counter]:
    """Return, over all daily files: (site, approach, movement, detector) → what was read."""
    about: dict[str, Counter] = {"rows": Counter(), "cars": Counter(), "whole": Counter()}
    about["held"] = Counter()
    for path in sorted((shared / "real" / "traffic" / "muenster_daily").glob("*.csv")):
        header, *lines = path.read_text("ascii").splitlines()
        short = sum(line.count(";") != 25 for line in lines)
        # As a whole unlike the days before: most records are cut, or are not there at all.
        if short > len(lines) / 2 or 0 < len(lines) < 200:
            about["held"][f"muenster/{path.name}"] = len(lines)
            continue
        day = path.name.removesuffix("_24mq.csv")
        assert header.startswith(f"Name  /  Date: {day};0:00;1:00;")
        about["whole"]["empty files"] += not lines
        for name, *hours in (line.split(";") for line in lines):
            group = GROUP.fullmatch(name)
            about["whole"]["short"] += len(hours) != 25
            if len(hours) != 25:
                continue
            about["whole"]["others"] += group is None
            if group is None:
                continue
            site, approach, movement, detector = group.groups()
            key = (f"Münster {site}", approach, MOVEMENTS[movement], detector)
            counts = [int(hour) for hour in hours if hour]
            below = [count for count in counts if not 0 <= count <= 20_000]
            about["rows"][key] += 24 - len(below)
            about["cars"][key] += sum(counts) - sum(below)
            about["whole"]["out of range"] += len(below)
            about["whole"]["without a count"] += 24 - len(counts)
    return about


@pytest.mark.slow
def test_every_count_of_muenster_is_in_the_store(
    taken: Taken, muenster: dict[str, Counter]
) -> None:
    found = duckdb.sql(
        f"""
        SELECT site, approach, movement, detector, count(*), sum(count)::BIGINT
        FROM {store(taken, "traffic.counts")}
        WHERE starts_with(site, 'Münster') AND mode = 'car' AND minute = 0
            AND minutes = CASE WHEN count IS NULL THEN 0 ELSE 60 END
        GROUP BY ALL
        """
    ).fetchall()
    assert {row[:4]: row[4] for row in found} == muenster["rows"]
    assert {row[:4]: row[5] or 0 for row in found} == muenster["cars"]
    assert len({row[0] for row in found}) == 88


@pytest.mark.slow
def test_what_was_put_aside_of_muenster(taken: Taken, muenster: dict[str, Counter]) -> None:
    report, whole = taken[1]["traffic.counts"], muenster["whole"]
    waiting = {one["file"]: one for one in report["deliveries"] if one["state"] == "held back"}
    assert set(waiting) == set(muenster["held"]) and len(waiting) == 12
    assert all("put aside" in one["why"] or "records" in one["why"] for one in waiting.values())
    # Nobody can tell which hours a record with less than 24 of them holds.
    assert report["reasons"]["malformed"] == whole["short"] == 3_301
    assert report["reasons"]["range:count"] == whole["out of range"] == 125
    assert report["left_out"] == 24 * whole["others"]
    assert report["missing"]["count"] == whole["without a count"]
    assert len(report["empty_files"]) == whole["empty files"] == 12
    assert "muenster/2015_05_14_24mq.csv" in report["empty_files"]


@pytest.mark.slow
def test_quarters_of_boroondara(taken: Taken, boroondara: list[dict[str, str]]) -> None:
    sites, first, last, rows = duckdb.sql(
        f"""
        SELECT count(DISTINCT site), min(day)::VARCHAR, max(day)::VARCHAR, count(*)
        FROM {store(taken, "traffic.counts")}
        WHERE starts_with(site, 'Boroondara') AND minutes = 15
        """
    ).fetchall()[0]
    assert (sites, first, last) == (40, "2006-10-01", "2006-10-31")
    reasons = taken[1]["traffic.counts"]["reasons"]
    assert rows + reasons["conflict"] + reasons["duplicate"] == 96 * len(boroondara)
    record = boroondara[1000]
    found = duckdb.sql(
        f"""
        SELECT count FROM {store(taken, "traffic.counts")}
        WHERE site = 'Boroondara {record["SCATS Number"]}' AND approach = '{record["Location"]}'
            AND day = strptime('{record["Start Time"]}', '%d/%m/%Y')
        ORDER BY hour, minute
        """
    ).fetchall()
    quarters = [f"{n // 4}:{15 * (n % 4):02d}" for n in range(96)]
    assert [count for (count,) in found] == [int(record[quarter]) for quarter in quarters]


@pytest.mark.slow
def test_the_31_repeated_rows_of_boroondara_are_found(
    taken: Taken, boroondara: list[dict[str, str]]
) -> None:
    keys = [(r["SCATS Number"], r["Location"], r["Start Time"]) for r in boroondara]
    twice = {number for number, key in enumerate(keys, 2) if keys.count(key) > 1}
    assert len(twice) == 2 * 31
    # Two different counts for one approach: neither is kept, but where they agree.
    cells = [row for row in apart(taken, "traffic.counts") if row["file"] == BOROONDARA]
    assert {row["row"] for row in cells} == twice
    assert {row["reason"] for row in cells} == {"conflict", "duplicate"}
    places = apart(taken, "traffic.junctions")
    assert {row["row"] for row in places if row["reason"] == "conflict"} == twice


@pytest.mark.slow
def test_the_31_rows_at_latitude_0_are_found(
    taken: Taken, boroondara: list[dict[str, str]]
) -> None:
    nowhere = [n for n, row in enumerate(boroondara, 2) if float(row["NB_LATITUDE"]) == 0]
    places = apart(taken, "traffic.junctions")
    found = [row for row in places if row["reason"] == "rule:not_at_zero"]
    assert [row["row"] for row in found] == nowhere
    assert len(nowhere) == 31
    # The other 137 of 139 approaches have a place.
    assert taken[1]["traffic.junctions"]["accepted"] == 137
