"""Single events become the counts that a contract asks for, and none is lost with its frequency."""

import csv
import io
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from datamall.errors import DatamallError
from datamall.mall.intake import intake
from datamall.project import reports_folder

STORE = "enforcement.inspections"
FOUND = {"map": {"1": "1", "0": "0"}}
CHECKS = {
    "cluster": {"from": "bin"},
    "period_start": {"from": "day"},
    "period_days": {"value": "1"},
    "observer_role": {"value": "cleaning crew"},
    "with_waste": {"from": "waste"},
    "bulky": {"from": "bulky"},
}
Row = tuple[Any, ...]


def city(root: Path, tmp_path: Path, rows: list[Row], **store: Any) -> Path:
    """Write a project in which one department delivers one row per check of a bin."""
    project = tmp_path / "city"
    shutil.copytree(root / "data" / "contracts", project / "data" / "contracts")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [("bin", "day", "time", "waste", "bulky"), *rows]
    )
    (project / "data" / "raw" / "single").mkdir(parents=True)
    (project / "data" / "raw" / "single" / "checks.csv").write_text(text.getvalue(), "utf-8")
    document = {
        "authority": "single",
        "title": "A town of single checks",
        "synthetic": True,
        "files": {"checks": {"path": "checks.csv", "format": "csv", "separator": ","}},
        "stores": {STORE: {"file": "checks", "columns": CHECKS, **store}},
    }
    (project / "data" / "authorities").mkdir()
    (project / "data" / "authorities" / "single.yaml").write_text(yaml.safe_dump(document), "utf-8")
    return project


def stored(project: Path, name: str = "part-*.parquet") -> list[dict[str, Any]]:
    folder = project / "data" / "stores" / "single" / STORE
    return [row for part in sorted(folder.glob(name)) for row in pq.read_table(part).to_pylist()]


def checks(days: int = 60) -> list[Row]:
    """Return checks of 60 bins, one, two or three a day; waste at 30 % everywhere."""
    draw, rows = np.random.default_rng(4), []
    for place in range(60):
        for day in range(days):
            for check in range(1 + place % 3):
                waste = draw.random() < 0.3
                when = date(2025, 1, 6) + timedelta(day)
                bulky = int(waste and draw.random() < 0.4)
                rows.append((f"B{place:02}", when, f"{8 + 3 * check:02}:15", int(waste), bulky))
    return rows


def test_places_that_are_checked_often_keep_their_rate(root: Path, tmp_path: Path) -> None:
    rows = checks()
    project = city(root, tmp_path, rows, events=["bin", "day", "time"])
    report = intake(project, "single", STORE)
    assert (report["read"], report["quarantined"]) == (len(rows), 0)
    assert report["accepted"] == 60 * 60 and report["merged"] == len(rows) - 60 * 60
    found = np.zeros((3, 3), int)
    for row in stored(project):
        kind = int(row["cluster"][1:]) % 3
        assert row["inspections"] == kind + 1
        found[kind] += [row["inspections"], row["with_waste"], row["bulky"]]
    by_hand = np.zeros((3, 3), int)
    for place, _, _, waste, bulky in rows:
        by_hand[int(place[1:]) % 3] += [1, waste, bulky]
    assert (found == by_hand).all()
    assert np.allclose(found[:, 1] / found[:, 0], 0.3, atol=0.03)


def test_without_saying_so_nothing_is_taken_in(root: Path, tmp_path: Path) -> None:
    statement = {**CHECKS, "inspections": {"value": "1"}}
    project = city(root, tmp_path, checks(), columns=statement)
    with pytest.raises(DatamallError) as refused:
        intake(project, "single", STORE)
    said = str(refused.value)
    found: dict[Row, list[Row]] = {}
    for place, when, _, *own in checks():
        found.setdefault((place, when), []).append(tuple(own))
    lost = sum(len(own) for own in found.values() if len(set(own)) > 1)
    assert said.startswith(f"{lost:,} of 7,200 records for enforcement.inspections share their key")
    assert "(cluster, period_start, observer_role)" in said
    assert "what is seen often would be lost" in said and "say `events`" in said
    assert not (project / "data" / "stores").exists() or not stored(project)
    # Whoever knows that it is right so says why; it stands in the mapping.
    known = {"at_most": 0.6, "because": "A test of what is lost."}
    shutil.rmtree(project)
    project = city(root, tmp_path, checks(), columns=statement, conflicts=known)
    report = intake(project, "single", STORE)
    assert report["reasons"]["conflict"] == lost


A, B = "2025-01-06", "2025-01-07"
MESS: list[Row] = [
    ("B1", A, "08:00", 1, 1),
    ("B1", A, "08:00", 1, 1),  # the same check again
    ("B1", A, "09:00", 0, 0),
    ("B1", A, "10:00", 0, 0),  # another check with the same finding
    ("B2", A, "08:00", 1, 0),
    ("B2", A, "08:00", 0, 0),  # one check, two findings
    ("B2", A, "09:00", 1, ""),  # bulky waste was not looked for
    ("B2", A, "11:00", 1, 1),
    ("B3", A, "08:00", 1, 2),  # more bulky finds than checks
    ("B3", A, "09:00", 2, 0),  # more finds than checks
    ("", A, "09:00", 1, 0),
    ("B3", B, "09:00", 1, 0),
]


@pytest.mark.parametrize("order", [1, -1])
def test_copies_contradictions_and_faults_by_hand(root: Path, tmp_path: Path, order: int) -> None:
    project = city(root, tmp_path, MESS[::order], events=["bin", "day", "time"])
    report = intake(project, "single", STORE)
    names = ("cluster", "period_start", "inspections", "with_waste", "bulky")
    kept = [tuple(row[name] for name in names) for row in stored(project)]
    # What is not known of one check is not known of their sum.
    first, second = date(2025, 1, 6), date(2025, 1, 7)
    assert kept == [("B1", first, 3, 1, 1), ("B2", first, 2, 2, None), ("B3", second, 1, 1, 0)]
    why = [row["reason"] for row in stored(project, "quarantine.parquet")]
    assert sorted(why) == [
        "conflict", "conflict", "duplicate", "required:cluster", "rule:bulky_within_inspections",
        "rule:with_waste_within_inspections",
    ]  # fmt: skip
    assert '"bin": "B2"' in next(
        row["raw"] for row in stored(project, "quarantine.parquet") if row["reason"] == "conflict"
    )
    assert (report["read"], report["parsed"], report["merged"]) == (12, 9, 3)


def test_an_event_without_an_identifier_is_set_aside(root: Path, tmp_path: Path) -> None:
    rows = [(*row, number) for number, row in enumerate(MESS[:3])]
    project = city(root, tmp_path, [*rows, (*MESS[3], "")], events=["id"])
    path = project / "data" / "raw" / "single" / "checks.csv"
    path.write_text(path.read_text("utf-8").replace("bulky\n", "bulky,id\n", 1), "utf-8")
    report = intake(project, "single", STORE)
    assert report["reasons"] == {"event": 1}
    (row,) = stored(project)
    assert (row["inspections"], row["with_waste"]) == (3, 2)


def test_rows_without_an_identifier_all_count(root: Path, tmp_path: Path) -> None:
    project = city(root, tmp_path, MESS[:4], events=[])
    assert intake(project, "single", STORE)["accepted"] == 1
    (row,) = stored(project)
    assert (row["inspections"], row["with_waste"], row["bulky"]) == (4, 2, 2)


def test_events_twice_are_the_same_bytes(root: Path, tmp_path: Path) -> None:
    rows, kept = checks(10), []
    for number, own in enumerate((rows, rows, rows[::-1])):
        project = city(root, tmp_path / str(number), own, events=["bin", "day", "time"])
        intake(project, "single", STORE, threads=1 + number % 2)
        parts = (project / "data" / "stores" / "single" / STORE).glob("part-*.parquet")
        kept.append([path.read_bytes() for path in sorted(parts)])
        assert reports_folder(project, "single").is_dir()
    assert kept[0] == kept[1] == kept[2]


Edit = Callable[[dict[str, Any]], None]


def table(document: dict[str, Any]) -> dict[str, Any]:
    return document["schema"][0]


CONTRACTS: list[tuple[Edit, str]] = [
    (lambda d: table(d).update(customProperties=[{"property": "tally", "value": "cluster"}]),
     "tally names the column that counts events, one of whole numbers outside the key: there are"),
    (lambda d: table(d).pop("customProperties"),
     "column with_waste: additive is for measures of events, beside a `tally`"),
    (lambda d: table(d)["properties"][0].update(
        customProperties=[{"property": "additive", "value": True}]),
     "column cluster: a string cannot be added"),
    (lambda d: table(d)["properties"][5]["customProperties"][-1].update(value="yes"),
     "additive must be true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "said"), CONTRACTS, ids=[said for _, said in CONTRACTS])
def test_a_contract_says_what_adds_up(root: Path, tmp_path: Path, edit: Edit, said: str) -> None:
    project = city(root, tmp_path, MESS, events=[])
    path = project / "data" / "contracts" / "enforcement" / "inspections.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    edit(document)
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    with pytest.raises(DatamallError, match=said):
        intake(project, "single", STORE)


def test_what_records_in_conflict_could_change_is_said(root: Path, tmp_path: Path) -> None:
    """The smallest and the largest value of each key, beside what was accepted."""
    statement = {**CHECKS, "inspections": {"from": "time"}}
    rows: list[Row] = [
        ("B1", A, 4, 1, 0),
        ("B1", A, 6, 1, 1),
        ("B1", B, 5, 1, 0),
        ("B2", A, 2, 0, 0),
        ("B2", A, 2, 0, 0),
    ]
    report = intake(city(root, tmp_path, rows, columns=statement), "single", STORE)
    assert report["reasons"] == {"conflict": 2, "duplicate": 1}
    assert report["in_conflict"] == {
        "inspections": {"accepted": 7, "least": 11, "most": 13},
        "with_waste": {"accepted": 1, "least": 2, "most": 2},
        "bulky": {"accepted": 0, "least": 0, "most": 1},
    }


@pytest.mark.parametrize("where", ["often", "everywhere"])
def test_what_is_seen_often_must_not_be_lost_even_if_it_is_little(
    root: Path, tmp_path: Path, where: str
) -> None:
    """Under one per cent of all records is let through; not if it is mostly of some bins."""
    statement = {**CHECKS, "inspections": {"value": "1"}}
    days = [date(2025, 1, 6) + timedelta(n) for n in range(100)]
    rows: list[Row] = [(f"F{n:03}", day, "8", 0, 0) for n in range(60) for day in days]
    rows += [(f"S{n:03}", day, "8", 0, 0) for n in range(300) for day in days[:30]]
    chosen = rows[:6000:86] if where == "often" else rows[::215]
    again: list[Row] = [(place, day, "9", 1, 0) for place, day, *_ in chosen]
    assert len(again) == 70
    project = city(root, tmp_path, rows + again, columns=statement)
    if where == "everywhere":
        assert intake(project, "single", STORE)["reasons"] == {"conflict": 140}
        return
    with pytest.raises(DatamallError) as refused:
        intake(project, "single", STORE)
    assert str(refused.value).startswith("140 of 15,070 records for enforcement.inspections")
    assert (
        "2.3% of the records of what is seen often and 0.0% of what is seen rarely are in conflict"
    ) in str(refused.value)
    known = {"at_most": 0.01, "because": "Two teams met there."}
    project = city(root, tmp_path / "known", rows + again, columns=statement, conflicts=known)
    assert intake(project, "single", STORE)["reasons"] == {"conflict": 140}
