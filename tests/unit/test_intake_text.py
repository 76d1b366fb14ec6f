"""Text files as departments send them: packed, titled, without a header, with words for nothing."""

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_intake import (
    GOOD,
    HEADER,
    ROWS,
    STORE,
    column,
    fields,
    folder,
    quarantined,
    reasons,
    refusal,
    stored,
    take_in,
    write_project,
)

from datamall.project import file_digest
from datamall.tabular.text import tidy


def said_of_file(**words: Any) -> Any:
    return lambda document: document["files"]["list"].update(words)


def text(lines: str) -> bytes:
    return lines.encode("windows-1252")


def parts(root: Path) -> bytes:
    return (folder(root) / "part-00000.parquet").read_bytes()


@pytest.mark.parametrize(
    ("raw", "words", "first"),
    [
        ("sep=;\n" + HEADER + ROWS, {}, 2),
        ("sep=;\r\n" + HEADER + ROWS, {}, 2),
        ("\n\n" + HEADER + ROWS, {}, 2),
        ("Rapport; 2025\n\nDraaidatum 1-2-2025\n" + HEADER + ROWS, {"header_row": 4}, 5),
        ("sep=;\nTitel\n" + HEADER + ROWS, {"header_row": 2}, 3),
        ('Titel "van" de lijst\r\n' + HEADER + ROWS, {"header_row": 2}, 3),
        (ROWS, {"columns": HEADER.strip().split(";")}, 1),
    ],
)
def test_what_stands_above_the_records(
    tmp_path: Path, raw: str, words: dict[str, Any], first: int
) -> None:
    take_in(write_project(tmp_path / "plain"))
    root = tmp_path / "other"
    report = take_in(write_project(root, text(raw + "x;x;x;;;\n"), authority=said_of_file(**words)))
    assert (report["accepted"], report["quarantined"]) == (3, 1)
    assert parts(root) == parts(tmp_path / "plain")
    assert list(reasons(root)) == [first + 3]


def test_what_stands_above_the_records_and_does_not_fit(tmp_path: Path) -> None:
    root = write_project(tmp_path, text("sep=,\n" + HEADER + ROWS))
    assert "things.csv says sep=, in its first line, and the mapping ';'" in refusal(root)
    write_project(tmp_path, authority=said_of_file(header_row=9))
    assert "has no line 9, where its header should be" in refusal(root)


def test_without_a_header_each_record_must_have_the_named_fields(tmp_path: Path) -> None:
    named = said_of_file(columns=HEADER.strip().split(";"))
    raw = text("x;01-01-2025\n" + ROWS + "y;01-01-2025;1;1;;;\n")
    take_in(write_project(tmp_path, raw, authority=named))
    assert reasons(tmp_path) == {1: "malformed", 5: "malformed"}
    found = quarantined(tmp_path)[0]["detail"]
    assert found == "The record has 2 fields where are named 6."


def zipped(*members: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("things.csv", gzip.compress(GOOD, mtime=0)),
        ("things.csv.gz", gzip.compress(GOOD, mtime=0)),
        ("things.zip", zipped(("a/", b""), ("a/x.csv", GOOD), ("__MACOSX/a/._x.csv", b"0"))),
    ],
)
def test_packed_files(tmp_path: Path, name: str, content: bytes) -> None:
    take_in(write_project(tmp_path / "plain"))
    root = write_project(tmp_path / "packed", {name: content}, authority=said_of_file(path=name))
    take_in(root)
    assert parts(root) == parts(tmp_path / "plain")
    manifest = (folder(root) / "store.json").read_text("utf-8")
    assert file_digest(root / "data" / "raw" / "tiny" / name) in manifest


NAMES = [f"{a}{b}{c}" for a in "abcdef" for b in "ghijkl" for c in "mnopqr"]
MANY = HEADER + "".join(f"{name};01-01-2025;{n};;;\n" for n, name in enumerate(NAMES))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gzip.compress(text(MANY), mtime=0)[:-100], "things.csv cannot be unpacked in full"),
        (gzip.compress(text(MANY), mtime=0)[:9], "things.csv cannot be unpacked in full"),
        (gzip.compress(b"", mtime=0), "holds blank lines only"),
        (zipped(("a.csv", GOOD), ("b.csv", GOOD)), "holds 2 files: a.csv, b.csv; one is read"),
        (zipped(), "things.csv holds 0 files"),
        (zipped(("a.csv", text(MANY)))[:-50], "cannot be unpacked in full"),
        (
            gzip.compress(GOOD + b"d;01-01-2025;1;;;\x81\n", mtime=0),
            "byte 0x81 in line 5 (byte offset 157)",
        ),
    ],
)
def test_packed_files_that_are_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert sentence in refusal(write_project(tmp_path, content))


def test_the_header_again_is_known_for_what_it_is(tmp_path: Path) -> None:
    raw = text(HEADER + "a;01-01-2025;1;;;\n" + HEADER + "b;01-01-2025;x;;;\n" + HEADER)
    report = take_in(write_project(tmp_path, raw))
    assert (report["parsed"], report["accepted"]) == (4, 1)
    assert reasons(tmp_path) == {3: "repeated_header", 4: "type:amount", 5: "repeated_header"}


def test_a_field_that_has_the_text_of_its_header_is_no_header(tmp_path: Path) -> None:
    raw = text("Nr;Dag;Aantal;Gewicht;Kleur\nnr;01-01-2025;1;;\nNr;01-01-2025;Aantal;;Kleur\n")
    take_in(write_project(tmp_path, raw))
    assert reasons(tmp_path) == {3: "pattern:id"}


WITH_TOTALS = text(
    HEADER + "a;01-01-2025;1;;;\nTotaal;01-01-2025;1;;;\nb;01-01-2025;2;;;\n TOTAAL ;;3;;;\n"
)


def test_totals_are_set_aside_or_left_out(tmp_path: Path) -> None:
    report = take_in(write_project(tmp_path, WITH_TOTALS))
    assert reasons(tmp_path) == {3: "total:id", 5: "total:id"}

    def known(document: dict[str, Any]) -> None:
        document["stores"][STORE].update(totals={"Nr": ["totaal"]})

    report = take_in(write_project(tmp_path, WITH_TOTALS, authority=known))
    assert (report["read"], report["left_out"], report["quarantined"]) == (4, 2, 0)

    def with_where(document: dict[str, Any]) -> None:
        known(document)
        document["stores"][STORE]["where"] = "Nr <> 'b' OR Aantal = '0'"

    assert take_in(write_project(tmp_path, WITH_TOTALS, authority=with_where))["left_out"] == 3

    def none(document: dict[str, Any]) -> None:
        document["stores"][STORE].update(totals={"Nr": []})

    take_in(write_project(tmp_path, WITH_TOTALS, authority=none))
    assert reasons(tmp_path) == {3: "length:id", 5: "length:id"}

    def a_store_of_totals(document: dict[str, Any]) -> None:
        column = document["schema"][0]["properties"][0]
        column["customProperties"] = [{"property": "totals", "value": True}]

    other = tmp_path / "other"
    take_in(write_project(other, WITH_TOTALS, contract=a_store_of_totals))
    assert reasons(other) == {3: "length:id", 5: "length:id"}


def test_words_for_what_is_not_known(tmp_path: Path) -> None:
    raw = text(HEADER + "a;01-01-2025;1;-;n.b.;\nb;01-01-2025;-;1;rood;\nc;01-01-2025;1;--;;\n")
    report = take_in(write_project(tmp_path, raw, authority=said_of_file(missing=["-", "n.b."])))
    assert report["missing"] == {"id": 0, "day": 0, "amount": 0, "weight": 1, "colour": 1}
    assert reasons(tmp_path) == {3: "required:amount", 4: "type:weight"}
    assert '"Aantal": "-"' in quarantined(tmp_path)[0]["raw"]  # as it came


@pytest.mark.parametrize(
    ("written", "words", "number"),
    [
        ("3,0", {}, 3),
        ("3,00", {}, 3),
        ("1.000,000", {}, 1000),
        ("3.0", {"decimal": ".", "thousands": ""}, 3),
        ("-0,0", {}, 0),
        # May be twenty-seven thousand: nobody said so.
        ("27.000", {"decimal": ".", "thousands": ""}, None),
        ("3,5", {}, None),
        ("3,", {}, None),
        ("3.0", {}, None),
    ],
)
def test_whole_numbers(
    tmp_path: Path, written: str, words: dict[str, Any], number: int | None
) -> None:
    raw = text(HEADER + f"a;01-01-2025;{written};;;\nb;01-01-2025;5;;;\n")
    take_in(write_project(tmp_path, raw, authority=said_of_file(**words)))
    assert [row["amount"] for row in stored(tmp_path)] == ([5] if number is None else [number, 5])
    assert reasons(tmp_path) == ({2: "type:amount"} if number is None else {})


def test_a_column_of_floats_of_a_parquet_file(tmp_path: Path) -> None:
    def mapping(document: dict[str, Any]) -> None:
        document["files"]["list"] = {"path": "x.parquet", "format": "parquet"}
        for name in ("weight", "colour"):
            fields(document).pop(name)
        fields(document)["day"] = {"value": "2025-01-01"}

    root = write_project(tmp_path, {"x.parquet": b""}, authority=mapping)
    table = pa.table({"Nr": ["a", "b", "c"], "Aantal": [3.0, 2.5, None]})
    pq.write_table(table, root / "data" / "raw" / "tiny" / "x.parquet")
    take_in(root)
    assert [row["amount"] for row in stored(root)] == [3]
    assert reasons(root) == {2: "type:amount", 3: "required:amount"}


def with_note(contract: dict[str, Any]) -> None:
    contract["schema"][0]["properties"][5] = column("note", "string")


def test_one_text_in_several_forms(tmp_path: Path) -> None:
    def mapping(document: dict[str, Any]) -> None:
        document["files"]["list"].update(encoding="utf-8", thousands=" ")
        fields(document)["amount"] = {"from": "Aantal pië"}  # composed, with a plain space
        fields(document)["note"] = {"from": "Opme\u0308rking"}  # decomposed

    header = "Nr;Dag;Aantal\u00a0pie\u0308;Gewicht;Kleur;Opmërking\n"
    rows = (
        "\u00a0a\u00a0;01-01-2025;1\u00a0000;;rood\u00a0;Gro\u0308te\u202fMarkt\n"
        "b;01-01-2025;1;;blauw;Gröte Markt\n"
    )
    raw = ("\ufeff" + header + rows + "\ufeff" + header).encode()
    take_in(write_project(tmp_path, raw, contract=with_note, authority=mapping))
    kept = [(row["id"], row["amount"], row["note"]) for row in stored(tmp_path)]
    assert kept == [("a", 1000, "Gröte Markt"), ("b", 1, "Gröte Markt")]
    assert reasons(tmp_path) == {4: "repeated_header"}


def test_two_headers_that_look_alike_are_two(tmp_path: Path) -> None:
    raw = ("Nr;Dag;Aantal;Gewicht;Kleur;Kleur\u00a0\n" + "a;01-01-2025;1;;;\n").encode()
    said = refusal(write_project(tmp_path, raw, authority=said_of_file(encoding="utf-8")))
    assert "two columns called 'Kleur'" in said


@pytest.mark.parametrize("again", [pa.array(["x", "é", "ß\u0327", ""]), pa.array([], pa.string())])
def test_text_in_one_form_stays_as_it_is(again: pa.Array) -> None:
    assert tidy(tidy(again)).equals(tidy(again))


@pytest.mark.parametrize("at", ["header", "first record", "late"])
def test_utf8_that_is_to_be_read_as_a_windows_code_page(tmp_path: Path, at: str) -> None:
    header = HEADER.replace("Opmerking", "Coördinaat") if at == "header" else HEADER
    rows = "a;01-01-2025;1;;;één\n" if at == "first record" else "a;01-01-2025;1;;;\n"
    late = "".join(f"b;02-01-2025;{n};;;\n" for n in range(90_000)) + "c;01-01-2025;1;;;één\n"
    root = write_project(tmp_path, (header + rows + (late if at == "late" else "")).encode())
    said = refusal(root)
    assert "things.csv is written in UTF-8" in said
    assert "the mapping says windows-1252: correct its encoding there" in said


def test_a_code_page_is_no_utf8_by_chance(tmp_path: Path) -> None:
    # Ã© by itself would be UTF-8: another character shows that this is not.
    far = "".join(f"{name};01-01-2025;1;;;\n" for name in NAMES * 600)  # in another block
    first, last = "a;01-01-2025;1;;;één\n", "b;01-01-2025;1;;;Ã©\n"

    def kept_once(document: dict[str, Any]) -> None:
        document["stores"][STORE]["distinct"] = True

    for name, between in (("near", ""), ("far", far)):
        raw = text(HEADER + first + between + last)
        take_in(write_project(tmp_path / name, raw, authority=kept_once))
        assert {"a", "b"} <= {row["id"] for row in stored(tmp_path / name)}


def test_packed_and_titled_is_the_same_for_any_number_of_threads(tmp_path: Path) -> None:
    raw = gzip.compress(text("Titel\n" + MANY + HEADER + "Totaal;;1;;;\n"), mtime=0)
    found = []
    for threads in (1, 3):
        root = write_project(tmp_path / str(threads), raw, authority=said_of_file(header_row=2))
        assert take_in(root, threads=threads)["accepted"] == 216
        found.append((parts(root), quarantined(root)))
    assert found[0] == found[1]
