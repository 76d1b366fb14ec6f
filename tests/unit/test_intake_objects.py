"""Records of JSON, GeoJSON and fixed width, and Parquet with columns that tell little."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_intake import (
    column,
    fields,
    quarantined,
    reasons,
    refusal,
    stored,
    take_in,
    write_project,
)

from datamall.tabular import markup, objects
from datamall.tabular.objects import Elements

Edit = Callable[[dict[str, Any]], None]


def mapped(form: dict[str, Any], **columns: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        document["files"]["list"] = {"path": "things*", **form}
        fields(document).clear()
        fields(document).update(columns)

    return edit


NESTED = {
    "id": {"from": "nr"},
    "day": {"from": "found.day"},
    "amount": {"from": "counts.1"},
    "weight": {"from": "found.kilo"},
    "colour": {"from": "colour", "map": {"rood": "red", "blauw": "blue"}},
}
RECORDS: list[Any] = [
    {"nr": "b", "found": {"day": "2025-01-31", "kilo": 1.5}, "counts": [9, 3], "colour": "rood"},
    {"nr": "a", "counts": [9, 2.0], "found": {"kilo": None, "day": "2025-01-01"}},
    {"nr": "c", "found": {"day": "2025-02-28"}, "counts": [9], "more": {"deep": [1, {"x": True}]}},
    {"nr": "d", "found": {"day": "2025-02-28"}, "counts": [9, 20.5]},
    [],
]


def lines(records: list[Any]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("form", "raw"),
    [
        ({"format": "json"}, json.dumps(RECORDS, indent=2).encode()),
        ({"format": "json"}, gzip.compress(json.dumps(RECORDS).encode(), mtime=0)),
        (
            {"format": "json", "records": "answer.list"},
            json.dumps(
                {"k": 1234567, "n": {"list": [5]}, "answer": {"a": "]}", "list": RECORDS, "z": 1}}
            ).encode(),
        ),
        ({"format": "jsonl"}, lines(RECORDS)),
        ({"format": "json", "encoding": "utf-16"}, json.dumps(RECORDS).encode("utf-16")),
    ],
)
def test_objects_are_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: dict[str, Any], raw: bytes, piece: int
) -> None:
    monkeypatch.setattr(objects, "PIECE", piece)
    root = write_project(tmp_path, {"things.x": raw}, authority=mapped(form, **NESTED))
    report = take_in(root)
    kept = [tuple(row.values()) for row in stored(root)]
    assert [(row[0], str(row[1]), row[2], str(row[3]), row[4]) for row in kept] == [
        ("a", "2025-01-01", 2, "None", None),
        ("b", "2025-01-31", 3, "1.50", "red"),
    ]
    assert reasons(root) == {3: "required:amount", 4: "type:amount", 5: "malformed"}
    assert quarantined(root)[2]["detail"] == "The record has no object of JSON."
    assert report["parsed"] == len(RECORDS)


def test_numbers_keep_the_text_of_the_file(tmp_path: Path) -> None:
    raw = b"""[{"nr": "a", "n": 3.0, "w": 1.005}, {"nr": "b", "n": 12345678901234567890, "w": 1e2},
               {"nr": "c", "n": 27.000, "w": NaN}, {"nr": "d", "n": 4, "w": "2,5"}]"""
    columns = {"id": {"from": "nr"}, "amount": {"from": "n"}, "weight": {"from": "w"}}
    edit = mapped({"format": "json", "decimal": ","}, day={"value": "2025-01-01"}, **columns)
    take_in(write_project(tmp_path, {"things.json": raw}, authority=edit))
    assert [(row["id"], row["amount"], str(row["weight"])) for row in stored(tmp_path)] == [
        ("a", 3, "1.01"), ("d", 4, "2.50")
    ]  # fmt: skip
    assert reasons(tmp_path) == {2: "range:amount", 3: "type:amount"}


def test_lines_that_are_no_object_are_set_apart(tmp_path: Path) -> None:
    good = b'{"nr": "%b", "found": {"day": "2025-01-01"}, "counts": [0, 1]}\n'
    bad = b'\n{"nr": "b", \n7\n{"nr": "x", "found": {"day": "2025-01-01", "day": ""}}\n'
    raw = b"\n" + good % b"a" + bad + good % b"c"
    columns = {name: NESTED[name] for name in ("id", "day", "amount")}
    root = write_project(
        tmp_path, {"things.x": raw}, authority=mapped({"format": "jsonl"}, **columns)
    )
    take_in(root)
    assert [row["id"] for row in stored(root)] == ["a", "c"]
    assert reasons(root) == {4: "malformed", 5: "malformed", 6: "malformed"}
    assert quarantined(root)[2]["detail"] == "The record has one key twice."


@pytest.mark.parametrize(
    ("raw", "form", "sentence"),
    [
        (b"", {}, "is empty (0 bytes)"),
        (b"[]", {}, "things.x holds no records"),
        (b'{"a": []}', {}, "has no list of records: say in the mapping where it lies"),
        (b'{"a": [], "b": 3}', {"records": "b"}, "has no list of records under b"),
        (b'{"a": []}', {"records": "a.b"}, "has no list of records under a.b"),
        (b'[{"nr": "a"}, {"nr": ', {}, "is no sound JSON (Expecting value, at character 21)"),
        (b'[{"nr": "a"}, {"nr": x}]', {}, "is no sound JSON (Expecting value, at character 21)"),
        (b'[{"nr": "a"}] [', {}, "is no sound JSON (something follows the list, at character 14)"),
        (b'[{"nr": "a"} 5]', {}, "is no sound JSON (a list is not closed"),
        (b"[" * 100_000, {}, "is no sound JSON (it is nested too deeply"),
        (b'[{"nr": "a"}]', {}, "has no column 'found.day' and no column 'counts.1'"),
        (b'[{"nr": "\xe9"}]', {}, "is not valid utf-8: byte 0xe9 in line 1"),
        (
            b'[{"nr": 1, "found": {"day": 2}, "found.day": 3, "counts": [0, 1]}]',
            {},
            "two columns called 'found.day'",
        ),
    ],
)
def test_files_of_json_that_are_refused(
    tmp_path: Path, raw: bytes, form: dict[str, Any], sentence: str
) -> None:
    edit = mapped({"format": "json", **form}, **NESTED)
    assert sentence in refusal(write_project(tmp_path, {"things.x": raw}, authority=edit))


def test_a_list_is_never_whole_in_memory() -> None:
    text = "[" + ",".join(f'{{"n": "{"x" * 1000}{n}"}}' for n in range(5000)) + "]"
    elements = Elements(io.StringIO(text), (), "x", "x")  # type: ignore[arg-type]
    longest = max(len(elements._known) for _ in elements)
    assert longest < len(text) / 2


ITEMS = """<?xml version="1.0" encoding="ISO-8859-1"?>
<l:list xmlns:l="urn:list" made="today"><title>Things <b>found</b></title>
 <l:item nr="b"><found><day>2025-01-31</day><kilo>1.5</kilo></found>
  <count/><count> 3 </count><colour>bl\u00e5</colour></l:item>
 <l:item nr="a"><found><day l:sure="yes">2025-01-01</day></found><count>9</count><count>2.0</count>
 </l:item><other><item nr="none"/></other>
 <l:item nr="c"><found><day>2025-02-28</day></found><count>9</count></l:item>
 <l:item>loose</l:item>
</l:list>"""
OF_XML = {
    "id": {"from": "$.nr"},
    "day": {"from": "found.0.day.0"},
    "amount": {"from": "count.1"},
    "weight": {"from": "found.0.kilo.0"},
    "colour": {"from": "colour.0", "map": {"bl\u00e5": "blue"}},
}


@pytest.mark.parametrize("pack", [bytes, lambda raw: gzip.compress(raw, mtime=0)])
def test_elements_of_xml_are_records(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    raw = pack(ITEMS.encode("latin-1"))
    form = {"format": "xml", "records": "list.item"}
    columns = OF_XML | {"day": {"from": "found.0.day.0"}}
    root = write_project(tmp_path, {"things.x": raw}, authority=mapped(form, **columns))
    report = take_in(root)
    kept = [tuple(row.values()) for row in stored(root)]
    # The day of the second has an attribute, so its text lies deeper: it is not at found.0.day.0.
    assert [(row[0], str(row[1]), row[2], str(row[3]), row[4]) for row in kept] == [
        ("b", "2025-01-31", 3, "1.50", "blue")
    ]
    assert reasons(root) == {2: "required:day", 3: "required:amount", 4: "required:id"}
    assert report["parsed"] == 4
    take_in(write_project(
        tmp_path / "deeper", {"things.x": raw},
        authority=mapped(form, **OF_XML | {"day": {"from": "found.0.day.0._"}}),
    ))  # fmt: skip
    assert [row["id"] for row in stored(tmp_path / "deeper")] == ["a"]


@pytest.mark.parametrize(
    ("raw", "form", "sentence"),
    [
        (b"", {}, "is empty (0 bytes)"),
        (b"<list/>", {}, "has no element at list.item: say in the mapping where its records lie"),
        (b"<a><list><item/></list></a>", {}, "has no element at list.item"),
        (b"<list><item></list>", {}, "is no sound XML (mismatched tag: line 1, column 14)"),
        (b"<list><item/></list>more", {}, "is no sound XML (junk after document element"),
        (b"<!DOCTYPE list><list><item/></list>", {}, "brings definitions of its own (a DOCTYPE)"),
        (b"<list><item><a>1</a></item></list>", {}, "no column 'found.0.day.0'"),
        (b"<list/>", {"records": None}, "records names the elements, from the outermost on"),
        (b"<list/>", {"encoding": "latin-1"}, "encoding has no meaning for xml: leave it out"),
    ],
)
def test_files_of_xml_that_are_refused(
    tmp_path: Path, raw: bytes, form: dict[str, Any], sentence: str
) -> None:
    given = {"format": "xml", "records": "list.item", **form}
    edit = mapped({k: v for k, v in given.items() if v is not None}, **OF_XML)
    assert sentence in refusal(write_project(tmp_path, {"things.x": raw}, authority=edit))


def test_elements_that_were_read_are_forgotten() -> None:
    record = b"<item><n>" + b"x" * 1000 + b"</n></item>"

    class Long(io.RawIOBase):
        left = 20_000

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            return b"<list>" if self.left == 19_999 else record if self.left > 0 else (
                b"</list>" if not self.left else b"")  # fmt: skip

    tracemalloc.start()
    found = sum(1 for _ in markup.elements(Long(), ("list", "item"), "x", "x"))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 19_998
    assert peak < 1_000_000


FEATURES = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "id": 7, "properties": {"nr": "a", "x": 1},
         "geometry": {"type": "Point", "coordinates": [6.5, 53.2, 0]}},
        {"type": "Feature", "properties": {"nr": "b", "x": 2}, "geometry": None},
        {"type": "Feature", "properties": None, "geometry": {"type": "Polygon", "coordinates": [
            [[0, 0], [1, 0], [1, 1], [0, 0]]]}},
    ],
}  # fmt: skip


def test_features_of_geojson(tmp_path: Path) -> None:
    def with_note(contract: dict[str, Any]) -> None:
        contract["schema"][0]["properties"][5] = column("note", "string")

    note = {"expression": '"#id" || \' \' || "#x" || \' \' || "#y"'}
    edit = mapped(
        {"format": "geojson"}, id={"from": "nr"}, amount={"from": "x"}, note=note,
        day={"value": "2025-01-01"},
    )  # fmt: skip
    raw = json.dumps(FEATURES).encode()
    take_in(write_project(tmp_path, {"things.x": raw}, contract=with_note, authority=edit))
    kept = [(row["id"], row["amount"], row["note"]) for row in stored(tmp_path)]
    assert kept == [("a", 1, "7 6.5 53.2"), ("b", 2, None)]
    assert reasons(tmp_path) == {3: "required:id"}


FIXED = {"id": "1-3", "day": "4-11", "amount": "12-14", "kind": 15, "note": "16-"}
WIDE_COLUMNS = {
    "id": {"from": "id"},
    "day": {"from": "day"},
    "amount": {"from": "amount"},
    "colour": {"from": "kind", "map": {"R": "red"}},
    "note": {"from": "note"},
}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_fixed_width(tmp_path: Path, ending: str) -> None:
    def with_note(contract: dict[str, Any]) -> None:
        contract["schema"][0]["properties"][5] = column("note", "string")

    rows = [
        "a  20250101  5R a note that goes on",
        "bé 2025013112 ",  # the spaces at the end were taken away, and the colour is not there
        "",
        "c  20250101 1",  # the amount may have gone on: 1 is not known to be right
        "d  20250101120Ré",
        "e  20250101",
    ]
    form = {
        "format": "fixed", "columns": FIXED, "date_format": "%Y%m%d", "encoding": "windows-1252"
    }  # fmt: skip
    edit = mapped(form, **WIDE_COLUMNS)
    raw = ending.join(rows).encode("windows-1252")
    take_in(write_project(tmp_path, {"things.x": raw}, contract=with_note, authority=edit))
    kept = [(row["id"], row["amount"], row["colour"], row["note"]) for row in stored(tmp_path)]
    assert kept == [("a", 5, "red", "a note that goes on"), ("d", 120, "red", "é")]
    assert reasons(tmp_path) == {2: "pattern:id", 4: "malformed", 6: "required:amount"}
    (cut,) = [row for row in quarantined(tmp_path) if row["reason"] == "malformed"]
    assert cut["detail"] == "The record has 13 characters where amount takes 12 to 14."


def test_parquet_with_columns_that_tell_little(tmp_path: Path) -> None:
    columns = {
        "id": {"from": "Nr"},
        "day": {"from": "Dag"},
        "amount": {"from": "#4"},  # one of two that have a name in common
        "weight": {"from": "Gewicht"},
        "colour": {"from": "Kleur", "map": {"rood": "red"}},
    }
    arrays = [
        pa.array(["a", "b"], pa.string_view()),
        pa.array([20089, 20090], pa.int32()).cast(pa.date32()),
        pa.array([7, 7]),
        pa.array([1, 2]),
        pa.nulls(2),
        pa.array(["rood", None]).dictionary_encode(),
    ]
    table = pa.Table.from_arrays(arrays, ["Nr", "Dag", "Aantal", "Aantal", "Gewicht", "Kleur"])
    sink = io.BytesIO()
    pq.write_table(table, sink)
    edit = mapped({"format": "parquet"}, **columns)
    report = take_in(write_project(tmp_path, {"things.x": sink.getvalue()}, authority=edit))
    assert [row["amount"] for row in stored(tmp_path)] == [1, 2]
    assert report["missing"] == {"id": 0, "day": 0, "amount": 0, "weight": 2, "colour": 1}
    edit = mapped({"format": "parquet"}, **{**columns, "amount": {"from": "Aantal"}})
    assert "two columns called 'Aantal'" in refusal(write_project(tmp_path, {}, authority=edit))


@pytest.mark.parametrize("form", [{"format": "json"}, {"format": "jsonl"}])
def test_the_same_bytes_for_any_number_of_threads(tmp_path: Path, form: dict[str, Any]) -> None:
    names = [f"{a}{b}{c}" for a in "abcdef" for b in "ghijkl" for c in "mnopqr"]
    records: list[Any] = [
        {"nr": name, "found": {"day": "2025-01-01"}, "counts": [0, n % 7 or "x"], "colour": None}
        for n, name in enumerate(names)
    ]
    raw = json.dumps(records).encode() if form["format"] == "json" else lines(records)
    columns = {name: NESTED[name] for name in ("id", "day", "amount")}
    found = []
    for threads in (1, 3):
        root = write_project(
            tmp_path / str(threads), {"things.x": raw}, authority=mapped(form, **columns)
        )
        take_in(root, threads=threads)
        stores = sorted((root / "data" / "stores").rglob("*.parquet"))
        found.append([path.read_bytes() for path in stores])
    assert found[0] == found[1]
