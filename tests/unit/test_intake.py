"""What intake makes of raw files that it can read."""

import fcntl
import hashlib
import json
import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_intake import (
    GOOD,
    HEADER,
    STORE,
    column,
    fields,
    folder,
    quarantined,
    reasons,
    stored,
    write_project,
)

from datamall.errors import DatamallError
from datamall.mall import strictness
from datamall.mall.contracts import load_contracts
from datamall.mall.intake import intake
from datamall.mall.intake import read as intake_read
from datamall.mall.intake import write as intake_write
from datamall.tabular import reading


def take_in(root: Path, **options: int) -> dict[str, object]:
    return intake(root, "tiny", STORE, **options)


def csv(*rows: str) -> bytes:
    return (HEADER + "\n".join(rows) + "\n").encode("windows-1252")


def test_text_becomes_typed_rows_in_the_order_of_the_key(tmp_path: Path) -> None:
    report = take_in(write_project(tmp_path))
    rows = stored(tmp_path)
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert rows[1] == {
        "id": "b",
        "day": date(2025, 1, 31),
        "amount": 3,
        "weight": Decimal("1.50"),
        "colour": "red",
    }
    assert rows[2]["weight"] == Decimal("1000.25")
    assert report == {
        "parsed": 3,
        "accepted": 3,
        "quarantined": 0,
        "quarantined_share": 0.0,
        "reasons": {},
        "missing": {"id": 0, "day": 0, "amount": 0, "weight": 1, "colour": 1},
        "deliveries": [
            {
                "file": "things.csv",
                "sha256": hashlib.sha256(GOOD).hexdigest(),
                "delivered": None,
                "state": "taken in",
                "why": None,
                "records": 3,
                "put_aside": 0,
                "replaced": 0,
                "first_day": "2025-01-01",
                "last_day": "2025-02-28",
            }
        ],
    }
    assert json.loads((tmp_path / f"reports/tiny/quality/{STORE}.json").read_text()) == report


def test_schema_of_the_parts_is_the_contract(tmp_path: Path) -> None:
    take_in(write_project(tmp_path))
    schema = pq.read_schema(folder(tmp_path) / "part-00000.parquet")
    assert schema.names == ["id", "day", "amount", "weight", "colour"]
    types = [pa.string(), pa.date32(), pa.int64(), pa.decimal128(9, 2), pa.string()]
    assert schema.types == types
    assert [field.nullable for field in schema] == [False, False, False, True, True]


def test_manifest_says_what_was_taken_in(tmp_path: Path) -> None:
    take_in(write_project(tmp_path))
    manifest = json.loads((folder(tmp_path) / "store.json").read_text())
    part = (folder(tmp_path) / "part-00000.parquet").read_bytes()
    demanded = strictness.digest(strictness.terms(load_contracts(tmp_path)[STORE]))
    assert manifest["contract"] == {"name": STORE, "version": "1.0.0", "terms": demanded}
    assert manifest["not_delivered"] == ["note"]
    assert (manifest["first_day"], manifest["last_day"]) == ("2025-01-01", "2025-02-28")
    assert manifest["rows"] == 3
    digest = hashlib.sha256(part).hexdigest()
    assert manifest["parts"] == [{"name": "part-00000.parquet", "rows": 3, "sha256": digest}]
    raw = hashlib.sha256(GOOD).hexdigest()
    read = {"name": "things.csv", "bytes": len(GOOD), "sha256": raw, "records": 3}
    assert manifest["raw"] == [read]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (";01-01-2025;1;;;", "required:id"),
        ("a;;1;;;", "required:day"),
        ("a;2025-01-01;1;;;", "type:day"),
        ("a;30-02-2025;1;;;", "type:day"),
        ("a;01-01-2024;1;;;", "range:day"),
        ("a;01-01-2025;1,6;;;", "type:amount"),
        ("a;01-01-2025;1.6;;;", "type:amount"),
        ("a;01-01-2025;1e2;;;", "type:amount"),
        ("a;01-01-2025;-1;;;", "range:amount"),
        ("a;01-01-2025;1.001;;;", "range:amount"),
        ("a;01-01-2025;99999999999999999999;;;", "range:amount"),
        ("a;01-01-2025;1;1.5;;", "type:weight"),
        ("a;01-01-2025;1;onbekend;;", "type:weight"),
        ("a;01-01-2025;1;99999999999,5;;", "range:weight"),
        ("a;01-01-2025;1;;groen;", "unmapped:colour"),
        ("aaaa;01-01-2025;1;;;", "length:id"),
        ("A;01-01-2025;1;;;", "pattern:id"),
        ("a;01-01-2025;1;11;;", "rule:light_enough"),
        ("a;01-01-2025;1", "malformed"),
        ("a;01-01-2025;1;;;;", "malformed"),
    ],
)
def test_a_faulty_row_is_set_apart_with_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    take_in(write_project(tmp_path, csv("z;01-01-2025;1;;;", row)))
    assert [row["id"] for row in stored(tmp_path)] == ["z"]
    (found,) = quarantined(tmp_path)
    assert (found["file"], found["row"], found["reason"]) == ("things.csv", 3, reason)
    assert found["detail"].endswith(".")


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", "5.00"), ("+5", "5.00"), ("1.234,5", "1234.50"), (",5", "0.50"), ("2,345", "2.35")],
)
def test_numbers_as_the_file_writes_them(tmp_path: Path, text: str, number: str) -> None:
    take_in(write_project(tmp_path, csv(f"a;01-01-2025;1000;{text};;")))
    assert stored(tmp_path)[0]["weight"] == Decimal(number)


def test_white_space_around_a_field_does_not_count(tmp_path: Path) -> None:
    take_in(write_project(tmp_path, csv(" a ; 01-01-2025 ;\t1 ; 2,5 ; rood ;")))
    assert stored(tmp_path)[0]["colour"] == "red"


def test_a_copy_is_a_duplicate_and_different_rows_of_one_key_conflict(tmp_path: Path) -> None:
    raw = csv(
        "b;01-01-2025;1;;;first",
        "a;01-01-2025;1;;;",
        "b;01-01-2025;1;;;copy, for notes do not count",
        "c;01-01-2025;1;;;",
        "c;01-01-2025;2;;;",
        "c;01-01-2025;1;;;",
        "b;01-01-2025;01;;;another copy",
        "d;01-01-2025;1;;;",
        "d;01-01-2025;1;5;;",
    )
    report = take_in(write_project(tmp_path, raw))
    assert [row["id"] for row in stored(tmp_path)] == ["a", "b"]
    assert reasons(tmp_path) == {
        4: "duplicate",
        5: "conflict",
        6: "conflict",
        7: "conflict",
        8: "duplicate",
        9: "conflict",
        10: "conflict",
    }
    assert report["reasons"] == {"conflict": 5, "duplicate": 2}


def test_copies_in_another_file_are_duplicates_too(tmp_path: Path) -> None:
    # Not byte for byte the same, or the second would be held back as a whole.
    write_project(tmp_path, {"things_1.csv": GOOD, "things_2.csv": GOOD + b"\n"})
    report = take_in(tmp_path)
    assert (report["parsed"], report["accepted"], report["quarantined"]) == (6, 3, 3)
    assert {row["file"] for row in quarantined(tmp_path)} == {"things_2.csv"}


def test_files_of_one_form_may_order_their_columns_differently(tmp_path: Path) -> None:
    other = b"Kleur;Gewicht;Aantal;Dag;Nr\nblauw;1,5;2;01-02-2025;d\n"
    take_in(write_project(tmp_path, {"things_1.csv": GOOD, "things_2.csv": other}))
    assert stored(tmp_path)[3] == {
        "id": "d",
        "day": date(2025, 2, 1),
        "amount": 2,
        "weight": Decimal("1.50"),
        "colour": "blue",
    }


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_keys_that_span_batches_are_judged_as_one(batch: int) -> None:
    # key, value: what must become of the records of each key
    rows = [("a", 1), ("b", 1), ("b", 1), ("b", 1), ("c", 1), ("c", None), ("c", 1), ("d", 1)]
    rows += [("e", None), ("e", None), ("f", 1), ("f", 1), ("f", 2)]
    keys, values = zip(*rows, strict=True)
    table = pa.table(
        {"k": keys, "v": pa.array(values, pa.int64()), intake_read.RECORD: range(len(rows))}
    )
    repeats = intake_write.Repeats(("k",), ["k", "v"])
    accepted = [
        row
        for start in range(0, len(rows), batch)
        for kept in repeats.feed(table.slice(start, batch))
        for row in kept.to_pylist()
    ]
    accepted += [row for kept in repeats.finish() for row in kept.to_pylist()]
    assert [(row["k"], row[intake_read.RECORD]) for row in accepted] == [
        ("a", 0),
        ("b", 1),
        ("d", 7),
        ("e", 8),
    ]
    assert sorted(n for some in repeats.duplicates for n in some) == [2, 3, 9]
    conflicts = [n for some in repeats.conflicts for n in some[intake_read.RECORD].to_pylist()]
    assert sorted(conflicts) == [4, 5, 6, 10, 11, 12]


def test_what_is_remembered_of_a_batch_does_not_keep_it_in_memory() -> None:
    repeats = intake_write.Repeats(("k",), ["k", "v"])
    for start in range(0, 5000, 500):
        keys = [*range(start, start + 499), start + 498]  # the last two contradict each other
        values = pa.array(range(500), pa.int64())
        repeats.feed(pa.table({"k": keys, "v": values, intake_read.RECORD: range(500)}))
    repeats.finish()
    assert repeats.duplicates and all(array.base is None for array in repeats.duplicates)
    assert sum(table.num_rows for table in repeats.conflicts) == 20
    # Key and record, eight bytes each; a slice would hold its whole batch of 500.
    size = sum(table.get_total_buffer_size() for table in repeats.conflicts)
    assert size == 20 * 2 * 8


def test_distinct_keeps_one_of_each_and_says_how_many_it_merged(tmp_path: Path) -> None:
    def distinct(mapping: dict) -> None:
        mapping["stores"][STORE]["distinct"] = True

    raw = csv("a;01-01-2025;1;;;", "b;01-01-2025;1;;;", "a;01-01-2025;1;;;", "a;01-01-2025;x;;;")
    report = take_in(write_project(tmp_path, raw, authority=distinct))
    assert (report["read"], report["merged"], report["parsed"]) == (4, 1, 3)
    assert (report["accepted"], report["quarantined"]) == (2, 1)
    assert reasons(tmp_path) == {5: "type:amount"}


def test_fields_that_the_mapping_does_not_use_are_nowhere(tmp_path: Path) -> None:
    raw = csv(
        "a;01-01-2025;1;;;Dorpsstraat 1",
        "b;01-01-2025;x;;;Dorpsstraat 2",
        "c;01-01-2025;1;;;Dorpsstraat 3;",
        "a;01-01-2025;1;;;Dorpsstraat 4",
    )
    take_in(write_project(tmp_path, raw))
    for row in quarantined(tmp_path):
        assert "Dorpsstraat" not in json.dumps(row)
    raws = {row["row"]: json.loads(row["raw"]) for row in quarantined(tmp_path)}
    assert raws[3] == {"Nr": "b", "Dag": "01-01-2025", "Aantal": "x", "Gewicht": "", "Kleur": ""}
    assert raws[4] == {}  # malformed: nobody can tell which field is the address


def test_expressions_constants_and_headers_without_a_name(tmp_path: Path) -> None:
    def mapping(document: dict) -> None:
        fields(document).update(
            id={"expression": "lower(substr(column00, 1, 1))"},
            day={"expression": "make_date(2025, try_cast(Maand AS integer), 1)"},
            amount={"value": "7"},
            weight={"expression": "Kilo || ',5'"},
            colour={"value": "red"},
        )

    raw = b";Maand;Kilo\nA1;2;3\nB2;x;4\n"
    take_in(write_project(tmp_path, raw, authority=mapping))
    assert stored(tmp_path) == [
        {
            "id": "a",
            "day": date(2025, 2, 1),
            "amount": 7,
            "weight": Decimal("3.50"),
            "colour": "red",
        }
    ]
    assert reasons(tmp_path) == {3: "required:day"}


def test_a_map_may_lead_to_a_missing_value(tmp_path: Path) -> None:
    def mapping(document: dict) -> None:
        fields(document)["colour"]["map"] = {"rood": "red", "geen": None}

    take_in(write_project(tmp_path, csv("a;01-01-2025;1;;geen;"), authority=mapping))
    assert stored(tmp_path)[0]["colour"] is None


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbfNr;Dag;Aantal;Gewicht;Kleur\r\na;01-01-2025;1;;\r\n",
        b'\n\n"Nr";"Dag";"Aantal";"Gewicht";"Kleur"\n\n"a";01-01-2025;"1";"";""\n\n',
        b"Nr ; Dag;Aantal;Gewicht;Kleur\na;01-01-2025;1;;",
        b'"Nr";Dag;Aantal;Gewicht;Kleur;"a\nlong\nheader"\na;01-01-2025;1;;;"a ""long""\nfield"\n',
    ],
)
def test_forms_of_csv(tmp_path: Path, raw: bytes) -> None:
    def utf8(document: dict) -> None:
        document["files"]["list"]["encoding"] = "utf-8"

    report = take_in(write_project(tmp_path, raw, authority=utf8))
    assert (report["parsed"], stored(tmp_path)[0]["id"]) == (1, "a")


def test_quotes_without_meaning(tmp_path: Path) -> None:
    def plain(document: dict) -> None:
        document["files"]["list"]["quote"] = ""

    report = take_in(write_project(tmp_path, csv('a;01-01-2025;1;;;5" pipe'), authority=plain))
    assert report["accepted"] == 1


def test_records_are_numbered_alike_whatever_the_size_of_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{'x' if n % 7 else ''};01-01-2025;{'1;;;' if n % 5 else ''}" for n in range(90)]
    raw = csv("a;01-01-2025;1;;;", *rows)
    take_in(write_project(tmp_path, raw))
    found = quarantined(tmp_path)
    monkeypatch.setattr(reading, "BLOCK", 1200)
    take_in(tmp_path)
    assert quarantined(tmp_path) == found
    assert [row["row"] for row in found] == [3, *range(5, 93)]


def test_parquet_is_taken_in_as_it_is(tmp_path: Path) -> None:
    def parquet(document: dict) -> None:
        document["files"]["list"] = {"path": "things.parquet", "format": "parquet"}
        fields(document)["weight"] = {"expression": "replace(Gewicht, ' kg', '')"}

    write_project(tmp_path, {}, authority=parquet)
    table = pa.table(
        {
            "Nr": ["a", None, "b"],
            "Dag": pa.array([date(2025, 1, 1)] * 3),
            "Aantal": pa.array([1, 2, None], pa.int32()),
            "Gewicht": ["1.5 kg", "2 kg", None],
            "Kleur": pa.array(["rood", "blauw", None]).dictionary_encode(),
        }
    )
    (tmp_path / "data/raw/tiny").mkdir(parents=True)
    pq.write_table(table, tmp_path / "data/raw/tiny/things.parquet")
    take_in(tmp_path)
    assert [row["weight"] for row in stored(tmp_path)] == [Decimal("1.50")]
    assert reasons(tmp_path) == {2: "required:id", 3: "required:amount"}


def many(rows: int) -> bytes:
    names = [
        f"{chr(97 + n // 676 % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}" for n in range(rows)
    ]
    return csv(*(f"{names[n * 7 % rows]};01-01-2025;{n % 9};{n % 5},5;;" for n in range(rows)))


def test_same_bytes_whatever_threads_memory_and_folder(tmp_path: Path) -> None:
    found = []
    for number, options in enumerate([{"threads": 1}, {"threads": 2}, {"threads": 3}]):
        root = write_project(tmp_path / str(number), many(2001))
        take_in(root, **options)
        files = sorted(path for path in (root / "data/stores").rglob("*") if path.is_file())
        files += sorted((root / "reports").rglob("*.json"))
        found.append({str(path.relative_to(root)): path.read_bytes() for path in files})
    assert len(found[0]) == 4
    assert found[0] == found[1] == found[2]


def test_parts_have_a_fixed_size_and_one_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_write, "PART_ROWS", 400)
    monkeypatch.setattr(intake_write, "GROUP_ROWS", 100)
    take_in(write_project(tmp_path, many(1003)))
    manifest = json.loads((folder(tmp_path) / "store.json").read_text())
    accepted = manifest["rows"]
    assert [part["rows"] for part in manifest["parts"]] == [400, 400, accepted - 800]
    ids = [row["id"] for row in stored(tmp_path)]
    assert ids == sorted(ids)
    assert len(ids) == accepted


def test_a_store_can_be_taken_in_again_and_leaves_nothing_aside(tmp_path: Path) -> None:
    def overwritten(mapping: dict[str, Any]) -> None:
        mapping["files"]["list"]["overwritten"] = True

    take_in(write_project(tmp_path, authority=overwritten))
    left = folder(tmp_path).with_name(f"{STORE}.partial")  # of a run that was killed
    (left / "spill").mkdir(parents=True)
    (left / "part-00009.parquet").touch()
    take_in(write_project(tmp_path, csv("z;01-01-2025;1;;;"), authority=overwritten))
    assert [row["id"] for row in stored(tmp_path)] == ["z"]
    assert [path.name for path in folder(tmp_path).parent.iterdir()] == [STORE]
    assert sorted(path.name for path in folder(tmp_path).iterdir()) == [
        "part-00000.parquet",
        "quarantine.parquet",
        "store.json",
    ]


def test_one_intake_of_a_store_at_a_time(tmp_path: Path) -> None:
    write_project(tmp_path)
    aside = folder(tmp_path).with_name(f"{STORE}.partial")
    aside.mkdir(parents=True)
    other = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(DatamallError, match="by another process"):
            take_in(tmp_path)
    finally:
        os.close(other)
    assert take_in(tmp_path)["accepted"] == 3


def test_last_day_counts_the_days_of_a_period(tmp_path: Path) -> None:
    def period(contract: dict) -> None:
        properties = contract["schema"][0]["properties"]
        properties[1]["name"] = "period_start"
        properties.append(column("period_days", "integer", required=True))

    def mapping(document: dict) -> None:
        fields(document)["period_start"] = fields(document).pop("day")
        fields(document)["period_days"] = {"value": "7"}

    take_in(write_project(tmp_path, contract=period, authority=mapping))
    manifest = json.loads((folder(tmp_path) / "store.json").read_text())
    assert (manifest["first_day"], manifest["last_day"]) == ("2025-01-01", "2025-03-06")
