"""Raw files of other shapes: wide, daily, in workbooks, from several sources, of single records."""

import json
from datetime import date
from pathlib import Path

import pytest
from excel_files import Fault, Formula, workbook
from tiny_intake import (
    STORE,
    column,
    fields,
    quarantined,
    reasons,
    refusal,
    stored,
    take_in,
    write_project,
)

from datamall.mall.authorities import load_authority
from datamall.mall.intake import read as intake_read


def keyed_by_day(contract: dict) -> None:
    contract["schema"][0]["properties"][1].update(primaryKey=True, primaryKeyPosition=2)


WIDE = "Nr;Kleur;01-01-2025;02-01-2025;Totaal\n"


def wide(mapping: dict) -> None:
    """One column a day, as spreadsheets have it; the total is no day."""
    mapping["stores"][STORE]["unpivot"] = {
        "headers": "[0-9]{2}-[0-9]{2}-[0-9]{4}",
        "name": "dag",
        "value": "aantal",
    }
    fields(mapping).pop("weight")
    fields(mapping).update(day={"from": "dag"}, amount={"from": "aantal"})


def wide_project(root: Path, text: str) -> Path:
    return write_project(root, text.encode(), contract=keyed_by_day, authority=wide)


def test_a_wide_record_becomes_one_row_for_each_header(tmp_path: Path) -> None:
    report = take_in(wide_project(tmp_path, WIDE + "b;rood;3;4;7\na;;1;2;3\n"))
    rows = [(row["id"], row["day"], row["amount"], row["colour"]) for row in stored(tmp_path)]
    assert rows == [
        ("a", date(2025, 1, 1), 1, None),
        ("a", date(2025, 1, 2), 2, None),
        ("b", date(2025, 1, 1), 3, "red"),
        ("b", date(2025, 1, 2), 4, "red"),
    ]
    assert (report["parsed"], report["accepted"]) == (4, 4)


def test_quarantine_names_the_cell_by_its_header(tmp_path: Path) -> None:
    report = take_in(wide_project(tmp_path, WIDE + "a;rood;1;x;0\nb;;;2;0\nc;groen;1;2;3\n"))
    assert [(row["id"], row["day"].day) for row in stored(tmp_path)] == [("a", 1), ("b", 2)]
    apart = [(row["row"], row["header"], row["reason"]) for row in quarantined(tmp_path)]
    assert apart == [
        (2, "02-01-2025", "type:amount"),
        (3, "01-01-2025", "required:amount"),
        (4, "01-01-2025", "unmapped:colour"),
        (4, "02-01-2025", "unmapped:colour"),
    ]
    raw = json.loads(quarantined(tmp_path)[0]["raw"])
    assert raw == {"Nr": "a", "Kleur": "rood", "dag": "02-01-2025", "aantal": "x"}
    assert (report["parsed"], report["accepted"], report["quarantined"]) == (6, 2, 4)


def test_a_wide_record_that_is_malformed_is_one(tmp_path: Path) -> None:
    report = take_in(wide_project(tmp_path, WIDE + "a;rood;1;2;3\nb;rood;1\n"))
    (apart,) = quarantined(tmp_path)
    assert (apart["row"], apart["header"], apart["reason"]) == (3, "", "malformed")
    assert (report["parsed"], report["accepted"]) == (3, 2)


def test_an_empty_cell_is_missing_where_the_contract_allows_it(tmp_path: Path) -> None:
    def optional(contract: dict) -> None:
        keyed_by_day(contract)
        contract["schema"][0]["properties"][2]["required"] = False

    write_project(tmp_path, (WIDE + "a;;1; ;1\n").encode(), contract=optional, authority=wide)
    assert take_in(tmp_path)["missing"]["amount"] == 1
    assert [row["amount"] for row in stored(tmp_path)] == [1, None]


def test_wide_files_may_have_other_days_and_many_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_read, "LONG_ROWS", 2)  # several batches for each record
    names = [f"{a}{b}" for a in "abcd" for b in "xyz"]
    lines = "".join(f"{name};rood;{n};{n + 1};0\n" for n, name in enumerate(names))
    other = "03-01-2025;Kleur;Nr\n9;blauw;ax\n"
    raw = {"things_1.csv": (WIDE + lines).encode(), "things_2.csv": other.encode()}
    write_project(tmp_path, raw, contract=keyed_by_day, authority=wide)
    assert take_in(tmp_path)["accepted"] == 25
    found = {(row["id"], row["day"].day): row["amount"] for row in stored(tmp_path)}
    expected = {(name, day): n + day - 1 for n, name in enumerate(names) for day in (1, 2)}
    assert found == expected | {("ax", 3): 9}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Nr;Kleur;1 jan;2 jan\na;;1;2\n", "0 headers match '[0-9]{2}-[0-9]{2}-[0-9]{4}'"),
        ("Nr;Kleur;01-01-2025;01-01-2025\na;;1;2\n", "two columns called '01-01-2025'"),
        ("Nr;Kleur;dag;01-01-2025\na;;1;2\n", "a column called 'dag' itself"),
        ("Kleur;01-01-2025\n;1\n", "no column 'Nr'"),
    ],
)
def test_wide_files_that_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in refusal(wide_project(tmp_path, text))


DAYS = "counts/%Y_%m_%d.csv"


def daily(mapping: dict) -> None:
    """One file a day, whose name holds the date; fields by their position."""
    mapping["files"]["list"].update(
        path=DAYS, days="2025-01-30/2025-02-01", date_format="%Y_%m_%d", trailing_separator=True
    )
    mapping["stores"][STORE]["columns"] = {
        "id": {"from": "#1"},
        "day": {"expression": "regexp_extract(\"#file\", '[0-9]{4}_[0-9]{2}_[0-9]{2}')"},
        "amount": {"from": "#2"},
        "colour": {"expression": "CASE WHEN \"#row\" = '3' THEN 'blue' END"},
    }


def daily_files(*contents: bytes) -> dict[str, bytes]:
    days = ("2025_01_30", "2025_01_31", "2025_02_01")
    return {f"counts/{day}.csv": text for day, text in zip(days, contents, strict=False)}


HEAD = b"Name / date;number\n"


def test_a_file_for_each_day(tmp_path: Path) -> None:
    raw = daily_files(HEAD + b"a;1;\nb;2;\n", HEAD + b"a;3;\n", HEAD + b"b;4;\n")
    write_project(tmp_path, raw, contract=keyed_by_day, authority=daily)
    assert take_in(tmp_path)["accepted"] == 4
    rows = [(row["id"], str(row["day"]), row["amount"], row["colour"]) for row in stored(tmp_path)]
    assert rows == [
        ("a", "2025-01-30", 1, None),
        ("a", "2025-01-31", 3, None),
        ("b", "2025-01-30", 2, "blue"),
        ("b", "2025-02-01", 4, None),
    ]


def test_a_missing_day_is_named(tmp_path: Path) -> None:
    raw = daily_files(HEAD + b"a;1;\n", HEAD + b"a;3;\n")
    write_project(tmp_path, raw, contract=keyed_by_day, authority=daily)
    assert "There is no data/raw/tiny/counts/2025_02_01.csv" in refusal(tmp_path)


def test_a_field_that_the_header_has_no_place_for(tmp_path: Path) -> None:
    raw = daily_files(*[b"Name\na;\n"] * 3)
    write_project(tmp_path, raw, contract=keyed_by_day, authority=daily)
    assert "2025_01_30.csv has no column '#2': its header is 'Name'" in refusal(tmp_path)


def test_the_field_after_a_trailing_separator_must_be_empty(tmp_path: Path) -> None:
    raw = daily_files(HEAD + b"a;1;\nb;2;oh\nc;3\n", *[HEAD + b"a;1;\n"] * 2)
    write_project(tmp_path, raw, contract=keyed_by_day, authority=daily)
    assert take_in(tmp_path)["accepted"] == 3
    assert reasons(tmp_path) == {3: "malformed", 4: "malformed"}


def test_days_without_records_are_named_where_they_may_be(tmp_path: Path) -> None:
    raw = daily_files(HEAD, HEAD + b"a;3;\n", HEAD)
    write_project(tmp_path, raw, contract=keyed_by_day, authority=daily)
    assert "2025_01_30.csv holds a header and no records" in refusal(tmp_path)

    def may_be_empty(mapping: dict) -> None:
        daily(mapping)
        mapping["files"]["list"]["may_be_empty"] = True

    write_project(tmp_path, raw, contract=keyed_by_day, authority=may_be_empty)
    empty = ["counts/2025_01_30.csv", "counts/2025_02_01.csv"]
    assert take_in(tmp_path)["empty_files"] == empty
    write_project(tmp_path, daily_files(*[HEAD] * 3), contract=keyed_by_day, authority=may_be_empty)
    assert "None of the 3 files data/raw/tiny/counts" in refusal(tmp_path)


def two_sources(mapping: dict) -> None:
    """The files of another department beside those of the first, in another form."""
    mapping["files"]["other"] = {"path": "other.csv", "format": "csv", "date_format": "%m/%d/%Y"}
    first = mapping["stores"][STORE]
    second = {
        "file": "other",
        "columns": {
            "id": {"expression": "lower(code)"},
            "day": {"from": "when"},
            "amount": {"from": "number"},
            "note": {"value": "from elsewhere"},
        },
    }
    mapping["stores"][STORE] = {"sources": [first, second]}


OTHER = b"code,when,number\nD,12/31/2025,5\nA,01/01/2025,2\nE,31/12/2025,6\n"


def test_several_sources_fill_one_store(tmp_path: Path) -> None:
    raw = {"things.csv": b"Nr;Dag;Aantal;Gewicht;Kleur\nb;31-01-2025;3;1,5;rood\n"}
    root = write_project(tmp_path, raw | {"other.csv": OTHER}, authority=two_sources)
    report = take_in(root)
    rows = [(row["id"], row["amount"], row["colour"], row["note"]) for row in stored(tmp_path)]
    assert rows == [
        ("a", 2, None, "from elsewhere"),
        ("b", 3, "red", None),
        ("d", 5, None, "from elsewhere"),
    ]
    (apart,) = quarantined(tmp_path)
    assert (apart["file"], apart["row"], apart["reason"]) == ("other.csv", 4, "type:day")
    assert apart["detail"] == "day is not written as a date %m/%d/%Y."
    assert report["missing"] == {
        "id": 0, "day": 0, "amount": 0, "weight": 2, "colour": 2, "note": 1
    }  # fmt: skip
    mapping = load_authority(root, "tiny").stores[STORE]
    assert mapping.constant("note")
    assert not mapping.constant("colour")


def test_rows_of_one_key_in_two_sources(tmp_path: Path) -> None:
    def without_notes(mapping: dict) -> None:
        two_sources(mapping)
        del mapping["stores"][STORE]["sources"][1]["columns"]["note"]

    first = b"Nr;Dag;Aantal;Gewicht;Kleur\na;01-01-2025;2;;\nd;31-12-2025;6;;\nf;01-01-2025;1;;\n"
    raw = {"things.csv": first, "other.csv": OTHER}
    take_in(write_project(tmp_path, raw, authority=without_notes))
    assert [row["id"] for row in stored(tmp_path)] == ["a", "f"]
    apart = [(row["file"], row["row"], row["reason"]) for row in quarantined(tmp_path)]
    assert apart == [
        ("things.csv", 3, "conflict"),
        ("other.csv", 2, "conflict"),
        ("other.csv", 3, "duplicate"),
        ("other.csv", 4, "type:day"),
    ]


LIST = b"Nr;Dag;Aantal;Gewicht;Kleur\n"


def test_records_that_are_not_wanted_are_left_out_and_counted(tmp_path: Path) -> None:
    def where(mapping: dict) -> None:
        mapping["stores"][STORE]["where"] = "try_cast(Aantal AS INTEGER) > 0"

    rows = b"a;01-01-2025;1;;\nb;01-01-2025;0;;\nc;01-01-2025;x;;\nd;x;1;;\ne;01-01-2025\n"
    report = take_in(write_project(tmp_path, LIST + rows, authority=where))
    # Where it cannot be said to be true, a record is left out too.
    assert [row["id"] for row in stored(tmp_path)] == ["a"]
    assert reasons(tmp_path) == {5: "type:day", 6: "malformed"}
    assert (report["read"], report["left_out"], report["parsed"]) == (5, 2, 3)


def test_where_that_leaves_out_everything(tmp_path: Path) -> None:
    def where(mapping: dict) -> None:
        mapping["stores"][STORE]["where"] = "Nr = '?'"

    root = write_project(tmp_path, LIST + b"a;01-01-2025;1;;\n", authority=where)
    assert "`where` or `totals` leaves out all 1 records for shop.things" in refusal(root)


def tallied(mapping: dict) -> None:
    """Each record is one thing of a colour and a day; the store holds how many there are."""
    mapping["stores"][STORE]["events"] = []
    fields(mapping).pop("amount")
    fields(mapping).pop("weight")
    fields(mapping)["id"] = {"expression": "lower(Nr)"}


def without_rule(contract: dict) -> None:
    keyed_by_day(contract)
    del contract["schema"][0]["quality"]
    contract["schema"][0]["customProperties"] = [{"property": "tally", "value": "amount"}]
    contract["customProperties"] = [{"property": "counted", "value": "public"}]
    contract["schema"][0]["properties"][4].update(primaryKey=True, primaryKeyPosition=3)
    contract["schema"][0]["properties"][4]["required"] = True
    contract["schema"][0]["properties"][2]["logicalTypeOptions"]["maximum"] = 3


PEOPLE = b"Nr;Dag;Kleur\na;01-01-2025;rood\nA;01-01-2025;rood\na;01-01-2025;blauw\n"


def test_records_are_counted_and_not_kept(tmp_path: Path) -> None:
    raw = PEOPLE + b"a;01-01-2025;groen\n" * 2 + b"a;x;rood\na;01-01-2025;rood\nb;01-01-2025\n"
    report = take_in(write_project(tmp_path, raw, contract=without_rule, authority=tallied))
    rows = [(row["id"], row["colour"], row["amount"]) for row in stored(tmp_path)]
    assert rows == [("a", "blue", 1), ("a", "red", 3)]
    assert reasons(tmp_path) == {
        5: "unmapped:colour", 6: "unmapped:colour", 7: "type:day", 9: "malformed"
    }  # fmt: skip
    # A record is a person here: not even a faulty one is shown.
    assert {row["raw"] for row in quarantined(tmp_path)} == {"{}"}
    assert (report["read"], report["merged"], report["parsed"]) == (8, 2, 6)


def test_more_than_the_contract_allows_is_refused(tmp_path: Path) -> None:
    raw = PEOPLE + b"a;01-01-2025;rood\n" * 2
    root = write_project(tmp_path, raw, contract=without_rule, authority=tallied)
    assert "events add up to 4 in amount, where the contract allows 3" in refusal(root)


def test_a_count_out_of_range_beside_records_that_are_counted(tmp_path: Path) -> None:
    def both(mapping: dict) -> None:
        tallied(mapping)
        counted = mapping["stores"][STORE]
        given = {**counted, "columns": {**counted["columns"], "amount": {"from": "Aantal"}}}
        mapping["files"]["other"] = {**mapping["files"]["list"], "path": "other.csv"}
        mapping["stores"][STORE] = {"sources": [counted, {**given, "file": "other"}]}
        del mapping["stores"][STORE]["sources"][1]["events"]

    raw = {"things.csv": PEOPLE, "other.csv": b"Nr;Dag;Kleur;Aantal\nb;01-01-2025;rood;4\n"}
    report = take_in(write_project(tmp_path, raw, contract=without_rule, authority=both))
    assert report["reasons"] == {"range:amount": 1}
    assert report["accepted"] == 2


def in_sheet(mapping: dict) -> None:
    mapping["files"]["list"] = {
        "path": "things.xlsx",
        "format": "xlsx",
        "header_row": 3,
        "decimal": ",",
        "date_format": "%d-%m-%Y",
    }
    mapping["stores"][STORE].update(sheet="Cijfers", where="Nr <> ''")
    fields(mapping).update(amount={"from": "Aantal (stuks)"})


SHEET = [
    ["Tabel 1"],
    [],
    ["Nr", "Dag", "Aantal\n(stuks)", "Gewicht", "Kleur"],
    ["a", date(2025, 1, 31), 3, 1.5, "rood"],
    [" b ", "01-02-2025", 2, " ", ""],
    [],
    ["c", "x", 2.5, 1, "blauw"],
    ["", "Bron: CBS"],
]


def test_a_sheet_of_a_workbook(tmp_path: Path) -> None:
    root = write_project(tmp_path, {"things.xlsx": workbook(*SHEET)}, authority=in_sheet)
    report = take_in(root)
    rows = [(row["id"], str(row["day"]), row["amount"]) for row in stored(tmp_path)]
    assert rows == [("a", "2025-01-31", 3), ("b", "2025-02-01", 2)]
    assert [str(row["weight"]) for row in stored(tmp_path)] == ["1.50", "None"]
    # Rows are those of the sheet; the empty one is none, the footer is left out.
    assert reasons(tmp_path) == {7: "type:day"}
    assert (report["read"], report["left_out"]) == (4, 1)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (workbook(*SHEET, name="Blad1"), "has no sheet 'Cijfers': there are 'Blad1'"),
        (workbook(*SHEET[:2]), "sheet 'Cijfers' has no headers in row 3"),
        (workbook(*SHEET[:3]), "a header and no records"),
        (workbook(*[row[:4] for row in SHEET]), "no column 'Kleur'"),
        (workbook(*SHEET)[:900], "is no sound workbook"),
        (b"Nr;Dag\n", "is no sound workbook"),
    ],
)
def test_workbooks_that_are_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    root = write_project(tmp_path, {"things.xlsx": content}, authority=in_sheet)
    assert sentence in refusal(root)


def test_a_sheet_without_headers(tmp_path: Path) -> None:
    names = ["Nr", "Dag", "Aantal (stuks)", "Gewicht", "Kleur"]

    def edit(mapping: dict, names: list[str] = names) -> None:
        in_sheet(mapping)
        del mapping["files"]["list"]["header_row"]
        mapping["files"]["list"]["columns"] = names

    content = {"things.xlsx": workbook(*SHEET[3:5])}
    take_in(write_project(tmp_path, content, authority=edit))
    assert [(row["id"], row["amount"]) for row in stored(tmp_path)] == [("a", 3), ("b", 2)]

    def too_many(mapping: dict) -> None:
        edit(mapping, ["More", *names])

    said = refusal(write_project(tmp_path, content, authority=too_many))
    assert "has fewer columns than the mapping names: correct `columns` there" in said


def test_cells_without_a_value_have_reasons_of_their_own(tmp_path: Path) -> None:
    rows = [
        *SHEET[:3],
        ["a", date(2025, 1, 31), Fault("#DIV/0!"), 1.5, "rood"],
        ["b", date(2025, 1, 31), Formula("SUM(A1:A2)", None), 1.5, "rood"],
        ["c", date(2025, 1, 31), 4, Fault("#N/A"), "rood"],
        ["d", date(2025, 1, 31), 4, 1.5, Fault("#REF!")],
        ["e", date(2025, 1, 31), Formula("2+2", 4), 1.5, "rood"],
        [Fault("#NAME?"), date(2025, 1, 31), 4, 1.5, "rood"],
    ]
    take_in(write_project(tmp_path, {"things.xlsx": workbook(*rows)}, authority=in_sheet))
    assert [(row["id"], row["amount"]) for row in stored(tmp_path)] == [("e", 4)]
    assert reasons(tmp_path) == {
        4: "excel_error:amount", 5: "formula:amount", 6: "excel_error:weight",
        7: "excel_error:colour", 9: "excel_error:id",
    }  # fmt: skip
    assert '"Aantal (stuks)": "=SUM(A1:A2)"' in quarantined(tmp_path)[1]["raw"]


def test_a_cell_without_a_value_among_headers_made_long(tmp_path: Path) -> None:
    def edit(mapping: dict) -> None:
        wide(mapping)
        mapping["files"]["list"] = {
            "path": "things.xlsx", "format": "xlsx", "date_format": "%d-%m-%Y"
        }  # fmt: skip
        mapping["stores"][STORE]["sheet"] = "Cijfers"
        fields(mapping)["amount"] = {"expression": "aantal || ''"}

    heads = ["Nr", "Kleur", date(2025, 1, 1), date(2025, 1, 2)]
    content = workbook(heads, ["a", "rood", 1, Fault("#N/A")], ["b", "", Formula("A1", None), 4])
    root = write_project(tmp_path, {"things.xlsx": content}, keyed_by_day, edit)
    take_in(root)
    assert [(row["id"], row["amount"]) for row in stored(root)] == [("a", 1), ("b", 4)]
    apart = [(row["row"], row["header"], row["reason"]) for row in quarantined(root)]
    assert apart == [(2, "02-01-2025", "excel_error:amount"), (3, "01-01-2025", "formula:amount")]


def test_utf_16_and_english_dates(tmp_path: Path) -> None:
    def english(mapping: dict) -> None:
        mapping["files"]["list"] = {
            "path": "things.csv", "format": "csv", "encoding": "utf-16", "date_format": "%B %d, %Y"
        }  # fmt: skip
        mapping["stores"][STORE]["columns"] = {
            "id": {"from": "Bin"},
            "day": {"from": "Week of"},
            "amount": {"from": "Looked"},
            "note": {"from": "Street"},
        }

    def with_note(contract: dict) -> None:
        contract["schema"][0]["properties"][5] = column("note", "string", required=True)

    text = 'Bin,Week of,Looked,Street\na,"March 31, 2025",4,Élan\nb,"Maart 31, 2025",4,Ely\n'
    raw = text.encode("utf-16")
    take_in(write_project(tmp_path, raw, contract=with_note, authority=english))
    (row,) = stored(tmp_path)
    assert (row["day"], row["note"]) == (date(2025, 3, 31), "Élan")
    assert reasons(tmp_path) == {3: "type:day"}
