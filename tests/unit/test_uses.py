"""Each checkout has an entry before anything is handed out; each refusal has one with a code."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tiny_mall import make_project, write_store

from datamall.errors import DatamallError
from datamall.mall import access, deliveries
from datamall.mall.access import checkout
from datamall.mall.contracts import load_contracts
from datamall.mall.door import MOST_REFUSED, Door
from datamall.mall.intake import intake
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused
from datamall.project import file_digest

YEARS = pa.table({"client": ["K1", "K2", "K1"], "year": [2024, 2024, 2025]})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    return make_project(tmp_path / "project")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "extract"
    made.mkdir()
    return made


@pytest.fixture
def door(project: Path) -> Iterator[Door]:
    with Door(project, "demo", ["enforcement"], "a test") as opened:
        yield opened


def said(project: Path) -> list[dict[str, Any]]:
    return [entry.said for entry in logbook.read(project)]


def ask(door: Door, purpose: str) -> dict[str, str]:
    return door.answer(json.dumps({"purpose": purpose}).encode())


def people(project: Path) -> None:
    for store, column in (("welfare.clients", "benefit"), ("welfare.investigations", "arm")):
        nothing = pa.array([None] * YEARS.num_rows, pa.int64())
        write_store(project, store, YEARS.append_column(column, nothing), 1)


def test_an_entry_says_what_was_handed_out(project: Path, folder: Path) -> None:
    about = checkout(project, "demo", "enforcement", folder, "report enforcement")
    (entry,), contracts = said(project), load_contracts(project)
    assert (entry["event"], entry["outcome"]) == ("checkout", "granted")
    assert (entry["authority"], entry["purpose"]) == ("demo", "enforcement")
    assert (entry["occasion"], entry["owner"]) == ("report enforcement", "City management")
    assert entry["gdpr"] == "6(1)(e)" and entry["statute"].startswith("Wet milieubeheer")
    assert [one["store"] for one in entry["stores"]] == list(about["stores"])
    for one in entry["stores"]:
        table = pq.read_table(folder / one["store"])
        assert (one["columns"], one["rows"]) == (table.column_names, table.num_rows)
        manifest = project / "data" / "stores" / "demo" / one["store"] / "store.json"
        assert one["version"] == file_digest(manifest)
        assert one["contract"] == contracts[one["store"]].version
        assert "tags" not in one
    inspections = entry["stores"][3]
    assert inspections["grain"] == {"period_start": "month"}
    assert inspections["sums"][:2] == ["inspections", "with_waste"]
    assert entry["stores"][0]["sums"] is None


def test_registers_of_the_mall_have_a_version_too(project: Path, folder: Path) -> None:
    checkout(project, "demo", "mall", folder)
    checkout(project, "demo", "mall", folder)
    (project / "data" / "stores" / "demo" / "enforcement.reports" / "store.json").unlink()
    checkout(project, "demo", "mall", folder)
    first, second, third = ({o["store"]: o["version"] for o in e["stores"]} for e in said(project))
    assert first == second
    assert {store for store in first if first[store] != third[store]} == {"mall.stores"}


def test_what_is_not_delivered_was_not_used(project: Path, folder: Path) -> None:
    checkout(project, "demo", "enforcement", folder)
    path = project / "data" / "authorities" / "demo.yaml"
    mapping = yaml.safe_load(path.read_text("utf-8"))
    del mapping["stores"]["enforcement.reports"]
    path.write_text(yaml.safe_dump(mapping), encoding="utf-8")
    checkout(project, "demo", "enforcement", folder)
    before, after = ({one["store"] for one in entry["stores"]} for entry in said(project))
    assert before - after == {"enforcement.reports"}
    reports = next(o for o in said(project)[0]["stores"] if o["store"] == "enforcement.reports")
    assert "x" not in reports["columns"]  # granted, and not delivered


def test_of_persons_the_log_has_how_many_and_no_names(project: Path, folder: Path) -> None:
    people(project)
    checkout(project, "demo", "fraud-profile", folder)
    (entry,) = said(project)
    assert [(o["number"], o["persons"], o["rows"]) for o in entry["stores"]] == [
        ("client", 2, 3),
        ("client", 2, 3),
    ]
    kept = sorted((project / "data" / "log").rglob("*.tags"))
    assert len(kept) == 2 and all(len(path.read_bytes()) == 32 for path in kept)
    for path in (project / "data" / "log").rglob("*"):
        assert path.is_dir() or not any(name in path.read_bytes() for name in (b"K1", b"K2"))


@pytest.mark.parametrize(
    ("authority", "purpose", "code", "kept"),
    [
        ("demo", "../enforcement", "unknown-purpose", ("demo", None)),
        ("demo", "bsn-123456782", "unknown-purpose", ("demo", None)),
        ("demo", "trucks", "store-not-taken-in", ("demo", "trucks")),
        ("../demo", "enforcement", "mistake", (None, "enforcement")),
        ("nowhere", "enforcement", "mistake", (None, "enforcement")),
    ],
)
def test_a_refusal_has_its_code_and_no_text_of_whoever_asks(
    project: Path, folder: Path, authority: str, purpose: str, code: str, kept: tuple[Any, Any]
) -> None:
    with pytest.raises(DatamallError):
        checkout(project, authority, purpose, folder)
    (entry,) = said(project)
    assert (entry["outcome"], entry["reason"]) == ("refused", code)
    assert (entry["authority"], entry["purpose"]) == kept


def test_each_other_reason_is_written_down(project: Path, folder: Path) -> None:
    part = project / "data" / "stores" / "demo" / "enforcement.containers" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(Refused, match="store-damaged"):
        checkout(project, "demo", "enforcement", folder)
    register = project / "data" / "purposes.yaml"
    text = register.read_text("utf-8")
    register.write_text(text.replace("district]", "distric]", 1), encoding="utf-8")
    with pytest.raises(Refused, match="unknown-column"):
        checkout(project, "demo", "enforcement", folder)
    register.write_text("enforcement: [", encoding="utf-8")
    with pytest.raises(DatamallError):
        checkout(project, "demo", "enforcement", folder)
    codes = [(one["purpose"], one["reason"]) for one in said(project)]
    known = "enforcement"
    assert codes == [(known, "store-damaged"), (known, "unknown-column"), (None, "mistake")]


def test_without_an_entry_nothing_is_handed_out(project: Path, folder: Path, door: Door) -> None:
    (project / "data" / "log").write_text("in the way")
    with pytest.raises(DatamallError, match="not-logged"):
        checkout(project, "demo", "enforcement", folder)
    assert list(folder.iterdir()) == []
    assert "not-logged" in ask(door, "enforcement")["refused"]
    assert "not-logged" in ask(door, "traffic")["refused"]
    assert list(door.extracts.iterdir()) == []
    (project / "data" / "log").unlink()
    assert "folder" in ask(door, "enforcement")


def test_a_log_that_was_cut_hands_nothing_out(project: Path, folder: Path) -> None:
    checkout(project, "demo", "enforcement", folder)
    checkout(project, "demo", "enforcement", folder)
    log = project / "data" / "log" / "entries.log"
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    other = folder.with_name("other")
    other.mkdir()
    with pytest.raises(DatamallError, match="entry 2 is the first one that is gone"):
        checkout(project, "demo", "enforcement", other)
    assert list(other.iterdir()) == []


def test_the_entry_is_there_before_the_extract_is(
    project: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = Path.rename

    def look(self: Path, target: Path) -> Path:
        seen.append(len(said(project)))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", look)
    assert "folder" in ask(door, "enforcement")
    assert seen == [1]


def test_the_door_writes_down_what_it_refuses(project: Path, door: Door) -> None:
    ask(door, "traffic")
    ask(door, "nothing")
    door.answer(b"\x80\x04")
    ask(door, "enforcement")
    ask(door, "enforcement")  # the kernel has it already: nothing is handed out again
    found = [(o["event"], o["outcome"], o.get("reason"), o["purpose"]) for o in said(project)]
    assert found == [
        ("checkout", "refused", "not-granted", "traffic"),
        ("checkout", "refused", "not-granted", None),
        ("request", "refused", "malformed", None),
        ("checkout", "granted", None, "enforcement"),
    ]
    assert {one["occasion"] for one in said(project)} == {"a test"}


def test_a_kernel_cannot_fill_the_log(project: Path, door: Door) -> None:
    for _ in range(MOST_REFUSED + 20):
        answer = ask(door, "traffic")
    assert "restart the kernel" in answer["refused"]
    assert "restart the kernel" in ask(door, "enforcement")["refused"]
    assert len(said(project)) == MOST_REFUSED


def test_a_failure_inside_is_written_down(
    project: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("row 7")

    monkeypatch.setattr(access, "_query", fail)
    with pytest.raises(RuntimeError):
        checkout(project, "demo", "enforcement", folder)
    assert said(project)[0]["reason"] == "RuntimeError"


def test_intake_and_decisions_are_written_down(project: Path) -> None:
    raw = project / "data" / "raw" / "city"
    raw.mkdir(parents=True)
    (raw / "people.csv").write_text("client,origin\nK1,Europe\nK2,Netherlands\nK3,Mars\n")
    store = "welfare.protected"
    mapping = {
        **{"authority": "city", "title": "City", "synthetic": True},
        "files": {"people": {"path": "people.csv", "format": "csv"}},
        "stores": {
            store: {
                "file": "people",
                "columns": {name: {"from": name} for name in ("client", "origin")},
            }
        },
    }
    place = project / "data" / "authorities" / "city.yaml"
    place.write_text(yaml.safe_dump(mapping), "utf-8")
    intake(project, "city", store)
    manifest = project / "data" / "stores" / "city" / store / "store.json"
    (entry,) = said(project)
    assert entry["event"] == "intake" and entry["version"] == file_digest(manifest)
    assert (entry["rows"], entry["put_aside"], entry["persons"]) == (2, 1, 2)
    assert entry["deliveries"] == {"taken in": 1}
    deliveries.decide(project, "city", store, "accepted", "people.csv", "steward", "Mars")
    assert said(project)[1]["role"] == "steward"
    (raw / "people.csv").write_text("client,origin\n")
    with pytest.raises(DatamallError):
        intake(project, "city", store)
    assert said(project)[2]["outcome"] == "refused"
    (raw / "people.csv").write_text("client,origin\nK1,Europe\nK2,Netherlands\nK3,Mars\n")
    before = manifest.read_bytes()
    (project / "data" / "log" / "entries.log").unlink()
    with pytest.raises(DatamallError, match="was cut"):
        intake(project, "city", store)
    assert manifest.read_bytes() == before
