"""The mall's registers say what the files that they are made from say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_mall import inspections, make_project, write_store

from datamall.mall import outlines
from datamall.mall.access import checkout
from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts
from datamall.mall.intake.columns import FAULTS
from datamall.mall.intake.read import HEADER_AGAIN
from datamall.mall.places import GRID, System
from datamall.mall.purposes import Refused, load_purposes
from datamall.mall.registers import REASONS, Registers, is_register

INSPECTIONS = "enforcement.inspections"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def register(project: Path, name: str, authority: str = "demo") -> list[dict[str, Any]]:
    contracts = load_contracts(project)
    purposes = load_purposes(project, contracts)
    made = Registers(project, load_authority(project, authority), contracts, purposes)
    rows: list[dict[str, Any]] = made.table(f"mall.{name}").to_pylist()
    return rows


def report_quality(project: Path, store: str = INSPECTIONS, **changes: Any) -> Path:
    """Write what intake would report of a store."""
    folder = project / "reports" / "quality"
    folder.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {
        "parsed": 8, "accepted": 5, "quarantined": 3,
        "reasons": {"range:bulky": 2, "rule:bulky_within_inspections": 1},
        "missing": {"bulky": 2},
    }  # fmt: skip
    (folder / f"{store}.json").write_text(json.dumps(report | changes))
    return folder / f"{store}.json"


def write(path: Path, document: Any) -> None:
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def test_stores_and_columns_are_those_of_the_contracts(project: Path) -> None:
    files = sorted((project / "data" / "contracts").glob("*/*.yaml"))
    documents = {f"{path.parent.name}.{path.stem}": read(path) for path in files}
    others = {name: text for name, text in documents.items() if not is_register(name)}
    assert len(others) < len(documents)
    stores = {row["store"]: row for row in register(project, "stores")}
    assert sorted(stores) == sorted(others)
    for name, document in others.items():
        row, custom = (
            stores[name],
            {c["property"]: c["value"] for c in document["customProperties"]},
        )
        people = {member["role"]: member["username"] for member in document["team"]["members"]}
        assert (row["title"], row["version"]) == (document["name"], document["version"])
        assert (row["owner"], row["steward"]) == (people["owner"], people["steward"])
        assert row["counted"] == custom["counted"]
        assert row["link_needs_basis"] == ("yes" if custom.get("link_needs_basis") else "no")
    columns = register(project, "columns")
    written = [
        (name, column["name"], column["businessName"])
        for name, document in others.items()
        for column in document["schema"][0]["properties"]
    ]
    found = sorted(columns, key=lambda row: (row["store"], row["position"]))
    assert [(row["store"], row["column"], row["title"]) for row in found] == sorted(
        written, key=lambda entry: entry[0]
    )


def test_purposes_and_grants_are_those_of_the_register(project: Path) -> None:
    written = read(project / "data" / "purposes.yaml")
    reports = read(project / "params.yaml")["reports"]
    rows = {row["purpose"]: row for row in register(project, "purposes")}
    assert sorted(rows) == sorted(written)
    for name, entry in written.items():
        assert rows[name]["statute"] == entry["legal_basis"]["statute"]
        assert rows[name]["profiling"] == ("yes" if entry.get("profiling") else "no")
        using = sorted(
            r
            for r, about in reports.items()
            if name in about["purposes"] or name == about.get("worklist")
        )
        assert rows[name]["reports"] == (", ".join(using) or None)
    expected = set()
    for name, entry in written.items():
        for store, wish in entry["stores"].items():
            if is_register(store):
                continue
            shape = "counts" if "sums" in wish else "rows"
            uses = dict.fromkeys(wish.get("last_day", []), "first and last day")
            uses |= dict.fromkeys(wish.get("columns", []), "as delivered")
            for column, fine in wish.get("grain", {}).items():
                uses[column] = "as delivered" if fine == "value" else f"by {fine}"
            uses |= dict.fromkeys(wish.get("sums", []), "added up")
            expected |= {(name, store, column, use, shape) for column, use in uses.items()}
    grants = register(project, "grants")
    keys = ("purpose", "store", "column", "use", "shape")
    assert {tuple(row[key] for key in keys) for row in grants} == expected
    assert len(grants) == len(expected)
    assert ("enforcement", INSPECTIONS, "period_start", "by month", "counts") in expected


def test_an_authority_without_quality_reports(project: Path) -> None:
    assert register(project, "quality") == register(project, "reasons") == []
    states = {row["store"]: row["state"] for row in register(project, "stores")}
    assert states[INSPECTIONS] == "taken in"
    assert states["welfare.clients"] == "to be taken in"
    assert all(row["missing"] is None for row in register(project, "columns"))


def test_a_store_that_is_not_delivered(project: Path) -> None:
    path = project / "data" / "authorities" / "demo.yaml"
    mapping = read(path)
    del mapping["stores"][INSPECTIONS]
    write(path, mapping)
    report_quality(project)
    row = next(row for row in register(project, "stores") if row["store"] == INSPECTIONS)
    assert (row["state"], row["rows"], row["first_day"]) == ("not delivered", None, None)
    columns = [row for row in register(project, "columns") if row["store"] == INSPECTIONS]
    assert {row["state"] for row in columns} == {"not delivered"}
    # A report that is left from when it was delivered is about nothing now.
    assert register(project, "quality") == []


def test_what_became_of_the_records(project: Path) -> None:
    report_quality(project, merged=4, empty_files=["visits.csv"])
    [row] = register(project, "quality")
    assert row == {
        "store": INSPECTIONS, "read": 12, "merged": 4, "accepted": 5, "put_aside": 3, "files": 0,
        "empty_files": 1,
    }  # fmt: skip
    columns = {r["column"]: r for r in register(project, "columns") if r["store"] == INSPECTIONS}
    assert (columns["bulky"]["missing"], columns["cluster"]["missing"]) == (2, 0)
    meanings = {row["reason"]: row["meaning"] for row in register(project, "reasons")}
    contract = load_contracts(project)[INSPECTIONS]
    rule = next(r for r in contract.rules if r.name == "bulky_within_inspections")
    assert meanings == {
        "range:bulky": f"{contract.column('bulky').title}: outside the range allowed",
        "rule:bulky_within_inspections": rule.description,
    }


def test_every_reason_in_the_demos_reports_has_words(root: Path) -> None:
    codes = {
        reason.partition(":")[0]
        for path in (root / "reports" / "quality").glob("*.json")
        for reason in json.loads(path.read_text("utf-8"))["reasons"]
    }
    assert codes - {"rule"} <= set(REASONS)
    assert len(codes) > 5


def test_every_reason_of_intake_has_words(root: Path) -> None:
    """Read from the program: a kind of check that is added needs words for the page."""
    folder = root / "src" / "datamall" / "mall"
    code = "".join(path.read_text("utf-8") for path in (folder / "intake").glob("*.py"))
    kinds = set(re.findall(r'(?:check\(|Check\(|Reason\()\s*f?"([a-z_]+)[":]', code))
    kinds |= {kind for kind, _, _ in (*FAULTS, *System("EPSG:4326", GRID).checks("x", "y"))}
    kinds |= {kind for kind, _ in outlines.checks(System("EPSG:4326", GRID))}
    kinds |= {HEADER_AGAIN[0], "malformed"}
    assert kinds - {"rule"} == set(REASONS)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"parsed": 3}', "\xff"])
def test_a_damaged_report_or_manifest_is_refused(project: Path, text: str) -> None:
    for path in (
        report_quality(project),
        project / "data" / "stores" / "demo" / INSPECTIONS / "store.json",
    ):
        whole = path.read_bytes()
        path.write_text(text, encoding="latin-1")
        with pytest.raises(Refused, match="take that store in again") as refusal:
            register(project, "quality")
        assert refusal.value.code == "store-damaged"
        path.write_bytes(whole)
    assert len(register(project, "quality")) == 1


def test_checkout_hands_registers_out_by_purpose_alone(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "extract"
    folder.mkdir()
    about = checkout(project, "demo", "mall", folder)
    assert about["personal"] is False
    assert all(is_register(store) for store in about["stores"])
    assert about["stores"]["mall.quality"]["rows"] == 0
    assert not any(store["not_delivered"] for store in about["stores"].values())


def test_registers_follow_what_was_taken_in(project: Path) -> None:
    before = {row["store"]: row["rows"] for row in register(project, "stores")}
    write_store(project, INSPECTIONS, inspections().slice(0, 2), 1)
    after = {row["store"]: row["rows"] for row in register(project, "stores")}
    assert (before[INSPECTIONS], after[INSPECTIONS]) == (5, 2)
