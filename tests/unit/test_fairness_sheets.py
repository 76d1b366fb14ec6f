"""Sheets of ordinary life: what is written in them is what is counted, or the cell is named."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from excel_files import Fault, Formula, Padded, workbook

from datamall.errors import DatamallError
from datamall.fairness import Bounds, Cells
from datamall.fairness.specification import read, run
from datamall.fairness.verdict import FAIL, NOT_ENOUGH
from datamall.fairness.words import answer

SPEC = """
title: Selection for control
sheet: {sheet}
columns: {{decision: selected, count: n}}
groups: [origin]
checks:
  - name: selected
    metric: selection_rate
    tolerance: {{kind: ratio, low: 0.8, high: 1.25, reason: four fifths}}
"""
DUTCH = "origin;selected;n\nNL;yes;260\nNL;no;27.000\nBU;yes;650\nBU;no;18.000\n"
TOTALS = "origin,selected,n\nA,yes,6100\nA,no,13900\nB,yes,5000\nB,no,15000\n"
TOTAL_ROWS = "Totaal,yes,11100\nTotaal,no,28900\n"
HEADER = ["origin", "selected", "n"]
ROWS = [["NL", "yes", 260], ["NL", "no", 27_000], ["BU", "yes", 650], ["BU", "no", 18_000]]
PEOPLE = {"columns: {decision: selected, count: n}": "columns: {decision: selected}"}


def make(
    folder: Path,
    content: str | bytes | pa.Table,
    more: str = "",
    name: str = "d.csv",
    change: dict[str, str] | None = None,
) -> Path:
    """Write a sheet and its specification; return the path of the specification."""
    if isinstance(content, pa.Table):
        pq.write_table(content, folder / name)
    else:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    text = SPEC.format(sheet=name) + more
    for old, new in (change or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "audit.yaml").write_text(text, encoding="utf-8")
    return folder / "audit.yaml"


def refusal(path: Path) -> str:
    """Return the one sentence with which a sheet is refused."""
    with pytest.raises(DatamallError) as caught:
        run(path)
    said = str(caught.value)
    assert said.endswith(".") and "\n" not in said
    return said


def people(path: Path) -> dict[tuple[str, ...], int]:
    """Return the people of each group and decision."""
    counts = read(path).counts
    assert isinstance(counts, Cells)
    table = counts.frame.astype({"decision": object})
    keys = [*counts.axes, "decision"]
    return {tuple(map(str, k)): int(v) for k, v in table.set_index(keys)["count"].items()}  # type: ignore[arg-type]


def test_round_thousands_of_dutch_excel(tmp_path: Path) -> None:
    said = refusal(make(tmp_path, DUTCH))
    assert said.startswith("d.csv, row 3, column n holds '27.000', which is not a count")
    assert "thousands: '.'" in said
    result = run(make(tmp_path, DUTCH, 'thousands: "."'))
    plain = run(make(tmp_path, DUTCH.replace(".", "")))
    assert result.verdict.overall == FAIL
    assert "3.65 times as often (3.24 to 4.13" in answer(result)
    pd.testing.assert_frame_equal(result.comparisons, plain.comparisons)


@pytest.mark.parametrize(
    ("more", "text", "count"),
    [
        ('thousands: "."', "1.234.567", 1_234_567),
        ("thousands: ' '", "27 000", 27_000),
        ('thousands: "\'"', "27'000", 27_000),
        ('thousands: "."\ndecimal: ","', "27.000,00", 27_000),
        ('decimal: "."', "27.000", 27),
        ("decimal: ','", "27,0", 27),
        ('thousands: "."', "27000", 27_000),
    ],
)
def test_counts_in_a_declared_notation(tmp_path: Path, more: str, text: str, count: int) -> None:
    path = make(tmp_path, f'origin;selected;n\nA;yes;"{text}"\nB;no;3\n', more)
    assert people(path) == {("A", "1"): count, ("B", "0"): 3}


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("", "27,000"),
        ("", "27 000"),
        ("", "1e3"),
        ("", "-3"),
        ("", "27.0"),
        ("", "zero"),
        ("", "١٢"),
        ("", "9" * 20),
        ('thousands: "."', "27.00"),
        ('thousands: "."', "2.7000"),
        ('thousands: "."', "27,5"),
        ('decimal: ","', "27.000"),
        ('decimal: ","', "27,5"),
    ],
)
def test_counts_in_no_declared_notation(tmp_path: Path, more: str, text: str) -> None:
    path = make(tmp_path, f'origin;selected;n\nA;yes;1\nB;no;"{text}"\n', more)
    assert f"d.csv, row 3, column n holds {text!r}, which is not a count" in refusal(path)


def test_an_english_thousand_without_quotes_is_a_field_too_many(tmp_path: Path) -> None:
    path = make(tmp_path, "origin,selected,n\nA,yes,1\n\nB,no,27,000\n")
    assert "d.csv, row 4 has 4 fields where the header has 3" in refusal(path)


def sheets(rows: list[list[Any]], header: list[str] | None = None) -> dict[str, Any]:
    """Return the same table of text and counts in three kinds of files."""
    header = header or HEADER
    lines = [";".join(map(str, row)) for row in [header, *rows]]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return {
        "d.csv": "\n".join(lines) + "\n",
        "d.xlsx": workbook(header, *rows),
        "d.parquet": pa.table(columns, names=header),
    }


@pytest.mark.parametrize("name", ["d.csv", "d.xlsx", "d.parquet"])
def test_words_stay_words(tmp_path: Path, name: str) -> None:
    groups = ["NA", "None", "01", "1", "TRUE", "null", "nan", "1.0"]
    rows = [[g, s, 10 + i] for i, g in enumerate(groups) for s in ("yes", "no")]
    found = people(make(tmp_path, sheets(rows)[name], name=name))
    assert found == {(g, d): 10 + i for i, g in enumerate(groups) for d in "10"}


def test_typed_cells_are_what_the_sheet_shows(tmp_path: Path) -> None:
    cells = [2019.0, True, Padded(14), 0.5, "01", 1]
    rows = [[cell, "yes", float(10 + i)] for i, cell in enumerate(cells)]
    found = people(make(tmp_path, workbook(HEADER, *rows), name="d.xlsx"))
    texts = ["2019", "TRUE", "0014", "0.5", "01", "1"]
    assert found == {(text, "1"): 10 + i for i, text in enumerate(texts)}


def test_a_typed_fraction_is_no_count_in_any_notation(tmp_path: Path) -> None:
    content = workbook(HEADER, ["A", "yes", 27.5])
    for more in ("", 'thousands: "."', 'decimal: "."'):
        assert "(cell C2) holds '27" in refusal(make(tmp_path, content, more, "d.xlsx"))


@pytest.mark.parametrize("fault", ["#REF!", "#N/A", "#DIV/0!", "#NAME?"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_error_is_named_by_its_cell(tmp_path: Path, fault: str, place: int) -> None:
    rows: list[list[Any]] = [[*row] for row in ROWS]
    rows[2][place] = Fault(fault)
    said = refusal(make(tmp_path, workbook(["Table 1"], HEADER, *rows), "header_row: 2", "d.xlsx"))
    assert said.startswith(f"d.xlsx, row 5, column {HEADER[place]} (cell {'ABC'[place]}5) holds ")
    assert fault in said
    rows[2][place] = fault
    text = "\n".join(",".join(map(str, row)) for row in [HEADER, *rows])
    assert f"row 4, column {HEADER[place]} holds {fault!r}" in refusal(make(tmp_path, text))


def test_a_formula_needs_its_value(tmp_path: Path) -> None:
    rows = [*ROWS[:3], ["BU", "no", Formula("C2*70", 18_000)]]
    path = make(tmp_path, workbook(HEADER, *rows), name="d.xlsx")
    assert people(path)["BU", "0"] == 18_000
    rows[3] = ["BU", "no", Formula("C2*70", None)]
    said = refusal(make(tmp_path, workbook(HEADER, *rows), "suppressed_below: 10", "d.xlsx"))
    assert "(cell C5) holds '=C2*70', an error or a formula without its value" in said


def test_errors_in_columns_that_are_not_used(tmp_path: Path) -> None:
    rows = [[*row, Fault("#N/A")] for row in ROWS]
    path = make(tmp_path, workbook([*HEADER, "share"], *rows), name="d.xlsx")
    assert people(path)["NL", "1"] == 260


def test_merged_cells_are_refused_where_they_are_used(tmp_path: Path) -> None:
    rows = [["NL", "yes", 260], ["", "no", 27_000]]
    content = workbook(["Title"], HEADER, *rows, merged="A3:A4")
    assert "merged cells A3:A4 over column origin" in refusal(
        make(tmp_path, content, "header_row: 2", "d.xlsx")
    )
    content = workbook(["Title"], HEADER, *ROWS, merged="A1:C1")
    assert len(people(make(tmp_path, content, "header_row: 2", "d.xlsx"))) == 4


@pytest.mark.parametrize("name", ["d.csv", "d.xlsx"])
def test_two_columns_of_one_name(tmp_path: Path, name: str) -> None:
    content = sheets([[*row, 1] for row in ROWS], [*HEADER, "n"])
    said = refusal(make(tmp_path, content[name], name=name))
    assert said.startswith(f"{name} has two columns called 'n'")
    content = sheets([[*row, i, i] for i, row in enumerate(ROWS)], [*HEADER, "x", "x"])
    assert people(make(tmp_path, content[name], name=name))["NL", "1"] == 260


def test_exact_counts_with_their_totals(tmp_path: Path) -> None:
    plain = run(make(tmp_path, TOTALS))
    assert plain.verdict.overall == NOT_ENOUGH
    assert plain.comparisons["gap"].round(2).tolist() == [1.22, 0.82]
    whole = "A,Totaal,20000\nTOTAAL,totaal,40000\n"
    for rows in (TOTAL_ROWS, TOTAL_ROWS + whole):
        result = run(make(tmp_path, TOTALS + rows, "total: Totaal"))
        pd.testing.assert_frame_equal(result.comparisons, plain.comparisons)
    assert result.verdict == plain.verdict


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("Totaal,yes,11101\n", "Row 6 of d.csv is a total of 11,101, and its parts add up to 11,1"),
        ("Totaal,yes,11099\n", "Row 6 of d.csv is a total of 11,099"),
        ("A,Totaal,20001\n", "Row 6 of d.csv is a total of 20,001"),
        ("Totaal,yes,11100\n\nTotaal,Totaal,5\n", "Row 8 of d.csv is a total of 5, and its parts"),
        ("C,yes,5\nC,Totaal,4\n", "Row 7 of d.csv is a total of 4, less than its part"),
        ("C,Totaal,4\n", "Row 6 of d.csv is a total of 4, and its parts add up to 0"),
    ],
)
def test_totals_that_do_not_add_up(tmp_path: Path, rows: str, sentence: str) -> None:
    assert refusal(make(tmp_path, TOTALS + rows, "total: Totaal")).startswith(sentence)


def test_a_total_beside_one_side_gives_the_other(tmp_path: Path) -> None:
    rows = "origin,selected,n\nA,yes,6100\nA,total,20000\nB,total,20000\nB,no,15000\n"
    assert people(make(tmp_path, rows, "total: total")) == people(make(tmp_path, TOTALS))


@pytest.mark.parametrize("word", ["Totaal", "total", "ALLE", "Everybody", "Eindtotaal:"])
def test_a_total_that_is_not_declared_is_asked_about(tmp_path: Path, word: str) -> None:
    said = refusal(make(tmp_path, TOTALS + TOTAL_ROWS.replace("Totaal", word)))
    assert f"row 6, column origin holds {word!r}: if that is a total, say total: {word}" in said
    said = refusal(make(tmp_path, TOTALS + f"A,{word},20000\n"))
    assert f"row 6, column selected holds {word!r}: if that is a total" in said


def test_a_group_with_such_a_word_in_its_name_is_a_total_if_it_is_the_sum(tmp_path: Path) -> None:
    rows = TOTAL_ROWS.replace("Totaal", "Alle herkomsten")
    assert "say total: Alle herkomsten" in refusal(make(tmp_path, TOTALS + rows))
    path = make(tmp_path, TOTALS + rows.replace("11100", "11000"))
    assert people(path)["Alle herkomsten", "1"] == 11_000


def test_totals_of_rounded_counts_that_are_called_otherwise(tmp_path: Path) -> None:
    path = make(tmp_path, TOTALS + TOTAL_ROWS.replace("11100", "11110"), "rounding: 10")
    assert "say total: Totaal" in refusal(path)
    path = make(
        tmp_path, TOTALS + TOTAL_ROWS.replace("11100", "11110"), "rounding: 10\ntotal: TOTAAL"
    )
    assert isinstance(read(path).counts, Bounds)


def test_totals_over_a_column_that_is_not_used(tmp_path: Path) -> None:
    rows = "origin,sex,selected,n\nA,man,yes,10\nA,woman,yes,20\nA,Total,yes,30\n"
    said = refusal(make(tmp_path, rows))
    assert said.startswith("Row 4 of the sheet has 'Total' in column sex, which is not used")
    assert people(make(tmp_path, rows.replace("A,Total,yes,30\n", ""))) == {("A", "1"): 30}


CONFUSION = {
    "columns: {decision: selected, count: n}": "columns: {tp: TP, fp: FP, fn: FN, tn: TN, n: N}"
}


def test_totals_of_confusion(tmp_path: Path) -> None:
    rows = "origin,TP,FP,FN,TN,N\nA,30,20,30,200,280\nB,40,60,30,200,330\n"
    total = rows + "Totaal,70,80,60,400,610\n"
    plain = read(make(tmp_path, rows, change=CONFUSION)).counts
    assert isinstance(plain, Cells) and plain.people == 610
    assert read(make(tmp_path, total, "total: Totaal", change=CONFUSION)).counts == plain
    assert "row 4, column origin holds 'Totaal'" in refusal(make(tmp_path, total, change=CONFUSION))
    odd = rows.replace("280", "281")
    assert "Row 2 of d.csv is a total of 281, and its parts add up to 280" in refusal(
        make(tmp_path, odd, change=CONFUSION)
    )
    hidden = total.replace("A,30", "A,< 10").replace(",280", ",254").replace(",70,", ",44,")
    hidden = hidden.replace("610", "584")
    path = make(tmp_path, hidden, "total: Totaal\nsuppressed_below: 10", change=CONFUSION)
    assert isinstance(read(path).counts, Bounds)


@pytest.mark.parametrize("between", ["", "\n", "\n\n"])
def test_a_table_pasted_twice(tmp_path: Path, between: str) -> None:
    body = TOTALS.split("\n", 1)[1]
    said = refusal(make(tmp_path, TOTALS + between + body))
    second = 6 + len(between)
    assert said.startswith(f"Rows 2 and {second} of d.csv are of the same people (origin A")
    # With other counts too: which of the two holds?
    assert "Rows 3 and 6" in refusal(make(tmp_path, TOTALS + "A,no,5\n"))


def test_a_table_pasted_twice_with_its_header(tmp_path: Path) -> None:
    assert refusal(make(tmp_path, TOTALS + TOTALS)).startswith("Rows 2 and 7 of d.csv are")
    said = refusal(make(tmp_path, "origin,selected,n\n" + TOTALS))
    assert "row 2, column n holds 'n', which is not a count" in said


def test_rows_that_differ_in_a_column_that_is_not_used_are_added_up(tmp_path: Path) -> None:
    rows = "year,origin,selected,n\n2019,A,yes,10\n2020,A,yes,20\n"
    assert people(make(tmp_path, rows)) == {("A", "1"): 30}
    said = refusal(make(tmp_path, rows, "rounding: 10"))
    assert said.startswith("Rows 2 and 3 of d.csv have the same keys, and rounded or hidden")


def test_people_pasted_twice(tmp_path: Path) -> None:
    lines = [f"{i},{'AB'[i % 2]},{'yes' if i % 3 else 'no'}\n" for i in range(30)]
    header = "nr,origin,selected\n"
    assert sum(people(make(tmp_path, header + "".join(lines), change=PEOPLE)).values()) == 30
    said = refusal(make(tmp_path, header + "".join(lines * 2), change=PEOPLE))
    assert said.startswith("Rows 2 and 32 of d.csv are of the same people (origin A, selected no)")
    # Without a number each row may be another person.
    alike = "origin,selected\n" + "".join(line.split(",", 1)[1] for line in lines * 2)
    assert sum(people(make(tmp_path, alike, change=PEOPLE)).values()) == 60


def test_more_people_than_are_held_as_text(tmp_path: Path) -> None:
    lines = [f"{i},{'AB'[i % 2]},{'yes' if i % 3 else 'no'}\n" for i in range(40_000)]
    header = "nr,origin,selected\n"
    said = refusal(make(tmp_path, header + "".join(lines * 2), change=PEOPLE))
    assert said.startswith("Rows 2 and 40002 of d.csv are of the same people (origin A, selected")
    # Two who come twice at different distances: not the whole list.
    one = header + lines[0] * 2 + "".join(lines[1:] + lines[2:]) + lines[7]
    assert sum(people(make(tmp_path, one, change=PEOPLE)).values()) == 80_000
    # Blank lines have numbers, wherever they are.
    counted = "origin,selected,n\n" + "".join(f"{i},yes,1\n" for i in range(70_000))
    gap = counted.replace("\n9,yes", "\n\n9,yes") + "A,no,1.5\n"
    assert "d.csv, row 70003, column n holds '1.5'" in refusal(make(tmp_path, gap))
    broken = counted.replace("\n66000,yes,1\n", "\n66000,yes\n")
    assert "d.csv, row 66002 has 2 fields" in refusal(make(tmp_path, broken))


def test_rows_are_those_of_the_file(tmp_path: Path) -> None:
    text = '\n\norigin;selected;n\n\nNL;yes;260\n"N\nL";no;27\n\n;;\nBU;no;1.5\n'
    assert "d.csv, row 9, column n holds '1.5'" in refusal(make(tmp_path, text))
    rows = [["Source"], [], HEADER, ROWS[0], [], ["BU", "no", "1.5"]]
    said = refusal(make(tmp_path, workbook(*rows), "header_row: 3", "d.xlsx"))
    assert "d.xlsx, row 6, column n (cell C6) holds '1.5'" in said
    table = pa.table({"origin": ["A", "B"], "selected": ["yes", "no"], "n": ["1", "1.5"]})
    assert "d.parquet, row 2, column n" in refusal(make(tmp_path, table, name="d.parquet"))


def test_a_row_without_anything_that_is_used(tmp_path: Path) -> None:
    text = "origin,selected,n,remark\nA,yes,10,\n,,,Source: us\n"
    assert refusal(make(tmp_path, text)).startswith("Row 3 of the sheet is blank in every column")


TWO = "country;selected;n\nNO;yes;{0}\nNO;no;100\nSE;yes;20\nSE;no;100\nDK;yes;30\nDK;no;100\n"
COUNTRY = {"groups: [origin]": "groups: [country]"}


def test_words_of_the_plan_are_the_text_of_the_sheet(tmp_path: Path) -> None:
    rows = TWO.format(10)
    for text in ("NO", "0014", "2019", "1.0", "1e5"):
        own = rows.replace("NO", text)
        path = make(tmp_path, own, f"reference: {{country: {text}}}", change=COUNTRY)
        assert run(path).comparisons["group"].tolist() == sorted({"SE", "DK"})
        path = make(tmp_path, own, f"leave_out: {{country: [{text}]}}", change=COUNTRY)
        table = run(path).comparisons.set_index("group")["not_judged"]
        assert table[text] == f"the plan leaves out country {text}" and table["SE"] == ""
        path = make(tmp_path, own, f"merge: {{country: {{off: [{text}, SE]}}}}", change=COUNTRY)
        assert sorted(run(path).comparisons["group"]) == ["DK", "off"]


def test_a_part_is_picked_by_a_column_that_is_no_attribute(tmp_path: Path) -> None:
    rows = "jaar,origin,selected,n\n"
    for year, more in ((2019, 5), (2020, 50)):
        rows += f"{year},A,yes,{more}\n{year},A,no,100\n{year},B,yes,9\n{year},B,no,99\n"
    check = "metric: selection_rate"
    for asked, successes in (("2019", 5), ("[2019, 2020]", 55)):
        change = {check: f"{check}\n    where: {{jaar: {asked}}}"}
        figures = run(make(tmp_path, rows, change=change)).figures.set_index("group")
        assert figures["successes"]["A"] == successes
    change = {check: f"{check}\n    where: {{jaar: 2021}}"}
    assert "There is no jaar '2021'" in refusal(make(tmp_path, rows, change=change))
    change = {check: f"{check}\n    where: {{jaar: 2019}}"}
    figures = run(make(tmp_path, rows, "rounding: 1", change=change)).figures.set_index("group")
    assert figures["successes"]["A"] == 5


def test_merging_numbers(tmp_path: Path) -> None:
    rows = "code,selected,n\n" + "".join(f"{c},{s},9\n" for c in (2, 9, 10) for s in ("yes", "no"))
    change = {"groups: [origin]": "groups: [code]\nmerge: {code: {other: [2, 9]}}"}
    assert read(make(tmp_path, rows, change=change)).plan.merge == {"code": {"other": ["2", "9"]}}
    assert sorted(run(make(tmp_path, rows, change=change)).comparisons["group"]) == ["10", "other"]


def test_arms_stages_and_results_are_the_text_of_the_sheet(tmp_path: Path) -> None:
    rows = ["arm,origin,selected,found,n"]
    rows += [
        f"{arm},{origin},{selected},{found},{100 + len(found)}"
        for arm in ("NO", "01")
        for origin in ("A", "B")
        for selected in ("yes", "no")
        for found in ("on", "0")
    ]
    change = {
        "count: n}": "count: n, arm: arm}",
        "metric: selection_rate": "metric: fpr",
        "groups: [origin]": "groups: [origin]\nresult: found\n"
        "labels: {strict: {on: true, 0: false}}\n"
        "identification: {random: 01, profile: NO, reason: all are visited}",
    }
    plan = read(make(tmp_path, "\n".join(rows), change=change)).plan
    assert plan.labels == {"strict": {"on": True, "0": False}}
    assert plan.identification is not None
    assert (plan.identification.random, plan.identification.profile) == ("01", "NO")
    assert run(tmp_path / "audit.yaml").comparisons["rate"].notna().all()


@pytest.mark.parametrize("words", [("yes", "no"), ("on", "off"), ("1", "0"), ("NO", "N")])
def test_values_are_the_words_of_the_sheet(tmp_path: Path, words: tuple[str, str]) -> None:
    own = TOTALS.replace("yes", words[0]).replace("no,", f"{words[1]},")
    values = f"values: {{selected: {{{words[0]}: true, {words[1]}: false}}}}"
    assert people(make(tmp_path, own, values)) == people(make(tmp_path, TOTALS))


def test_values_that_mean_nothing(tmp_path: Path) -> None:
    path = make(tmp_path, TOTALS, "values: {selected: {yes: yes, no: no}}")
    assert "means true, false or null" in refusal(path)
    path = make(tmp_path, TOTALS, "values: {selectd: {yes: true, no: false}}")
    assert "values speaks of 'selectd'" in refusal(path)


@pytest.mark.parametrize(
    ("band", "more", "said"),
    [
        ("0,5", "", "column band holds '0,5', which is no number"),
        ("1.000", "", "column band holds '1.000': say in the specification how numbers"),
        ("0,5", 'decimal: ","', 0.5),
        ("1.000", 'decimal: "."', 1.0),
        ("1.000", 'thousands: "."', 1000.0),
        ("0.25", "", 0.25),
    ],
)
def test_bands_in_a_declared_notation(
    tmp_path: Path, band: str, more: str, said: str | float
) -> None:
    change = {"count: n}": "count: n, score_band: band}"}
    path = make(
        tmp_path, f"origin;selected;n;band\nA;yes;5;{band}\nB;no;5;3\n", more, change=change
    )
    if isinstance(said, str):
        assert said in refusal(path)
    else:
        assert set(read(path).counts.levels[-1]) == {said, 3.0}


def test_encodings_separators_and_quotes_as_in_a_mapping(tmp_path: Path) -> None:
    content = "origin|selected|n\n'S|é'|yes|5\n'B'|no|6\n".encode("windows-1252")
    more = "encoding: windows-1252\nseparator: '|'\nquote: \"'\""
    assert people(make(tmp_path, content, more)) == {("S|é", "1"): 5, ("B", "0"): 6}
    assert "is not valid utf-8: byte 0xe9 in line 2" in refusal(make(tmp_path, content))
    said = refusal(make(tmp_path, workbook(HEADER, *ROWS), "encoding: utf-8", "d.xlsx"))
    assert said == "The specification: encoding has no meaning for xlsx: leave it out."


@pytest.mark.parametrize("name", ["d.xls", "d.ods", "d.xlsb"])
def test_workbooks_whose_errors_cannot_be_told(tmp_path: Path, name: str) -> None:
    assert re.search(r"save it as \.xlsx", refusal(make(tmp_path, b"x", name=name)))


def test_a_sheet_without_rows(tmp_path: Path) -> None:
    assert "no rows to count" in refusal(make(tmp_path, "origin,selected,n\n"))
