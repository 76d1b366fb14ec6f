"""Tables of others as text: what a sheet shows, and where it stands."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from excel_files import Fault, Formula, Padded, workbook

from datamall.errors import DatamallError
from datamall.tabular.form import Form, Notation, checked
from datamall.tabular.reading import Reading, read
from datamall.tabular.workbook import name

DUTCH = Notation(",", ".")


def shown(path: Path, form: Form, sheet: str | None = None) -> tuple[dict[int, list[str]], Reading]:
    reading = Reading(path, path.name, lambda headers: list(range(len(headers))), {}, "x", True)
    rows = {}
    for numbers, texts in read(form, sheet, reading):
        columns = [column.to_pylist() for column in texts]
        rows |= {int(n): list(row) for n, *row in zip(numbers, *columns, strict=True)}
    return rows, reading


def in_file(folder: Path, content: bytes, form: Form) -> tuple[dict[int, list[str]], Reading]:
    path = folder / f"a.{form.format}"
    path.write_bytes(content)
    return shown(path, form)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rows_of_a_text_file_have_the_numbers_that_a_spreadsheet_gives_them(
    tmp_path: Path, ending: str
) -> None:
    lines = ["", "", "a,b", "1,2", "", '"3', 'x",4', ",", "5,6,7", "", "8,"]
    rows, reading = in_file(tmp_path, ending.join(lines).encode(), Form(format="csv"))
    # The blank lines and the row of blanks are none; a quoted line break is in one row.
    assert rows == {4: ["1", "2"], 6: [f"3{ending}x", "4"], 10: ["8", ""]}
    assert reading.malformed == {8: "3 fields where the header has 2"}


def test_rows_below_titles_have_the_numbers_of_their_lines(tmp_path: Path) -> None:
    content = b"Counts, 2025\n\na,b\n1,2\n\n3,4\n5\n"
    rows, reading = in_file(tmp_path, content, Form(format="csv", header_row=3))
    assert rows == {4: ["1", "2"], 6: ["3", "4"]}
    assert reading.malformed == {7: "1 fields where the header has 2"}


def test_one_column_with_blank_lines(tmp_path: Path) -> None:
    assert in_file(tmp_path, b"a\n1\n\n3\n", Form(format="csv"))[0] == {2: ["1"], 4: ["3"]}


def test_a_sheet_is_what_it_shows(tmp_path: Path) -> None:
    content = workbook(
        ["Text", 2019.0, "x"],
        ["01", 1, True],
        ["1.0", 1.0, False],
        ["NA", 0.5, date(2020, 1, 2)],
        [],
        ["None", Padded(14), "TRUE"],
        [Fault("#N/A"), Formula("A1", None), Formula("A1+1", 7)],
        [Formula('""', ""), Fault("#DIV/0!"), "#text"],
        [Padded("14"), Padded(12345), Padded(-14)],
    )
    rows, _ = in_file(tmp_path, content, Form(format="xlsx", notation=DUTCH))
    assert rows == {
        2: ["01", "1", "TRUE"],
        3: ["1.0", "1", "FALSE"],
        4: ["NA", "0,5", "2020-01-02"],
        6: ["None", "0014", "TRUE"],
        7: ["#N/A", "=A1", "7"],
        8: ["", "#DIV/0!", "#text"],
        9: ["14", "12345", "-14"],
    }


def test_headers_of_a_sheet_are_what_it_shows(tmp_path: Path) -> None:
    found: list[str] = []
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook(["Title"], [2019.0, "a\nb", ""], [1, 2, 3]))

    def choose(headers: list[str]) -> list[int]:
        found.extend(headers)
        return [0]

    rows = [*read(Form(format="xlsx", header_row=2), "Cijfers", Reading(path, "a", choose, {}))]
    assert found == ["2019", "a b", "column02"]
    assert rows[0][0].tolist() == [3]


def test_merged_cells_are_told(tmp_path: Path) -> None:
    content = workbook(["a"], ["x"], [], merged="A2:A3")
    assert in_file(tmp_path, content, Form(format="xlsx"))[1].merged == [((1, 0), (2, 0))]


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([27.0, 123456789012.0, None, 0.5], pa.float64(), ["27", "123456789012", "", "0,5"]),
        ([27.0, 1.5], pa.float32(), ["27", "1,5"]),
        ([None, None], pa.null(), ["", ""]),
        (["01", None, "NA"], pa.large_string(), ["01", "", "NA"]),
        (["01", "1"], pa.string_view(), ["01", "1"]),
        ([date(2020, 1, 2)], pa.date32(), ["2020-01-02"]),
        ([True, False], pa.bool_(), ["true", "false"]),
        ([1, 20_000], pa.decimal128(9, 2), ["1", "20000"]),
    ],
)
def test_typed_values_of_a_parquet_file(
    tmp_path: Path, values: list[Any], kind: pa.DataType, texts: list[str]
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array(values, kind)}), path)
    rows, _ = shown(path, Form(format="parquet", notation=DUTCH))
    assert rows == {n: [text] for n, text in enumerate(texts, 1)}


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ({"format": "ods"}, "here: format must be csv, fixed, json, .* parquet or xlsx, not 'ods'"),
        ({"format": "parquet", "header_row": 2}, "header_row has no meaning for parquet"),
        ({"format": "csv", "header_row": 2, "columns": ["a"]}, "keep one"),
        ({"format": "csv", "columns": "a"}, "columns must be a list of texts"),
        ({"format": "fixed"}, "columns gives the characters of each column"),
        ({"format": "fixed", "columns": ["a"]}, "columns gives the characters of each column"),
        ({"format": "fixed", "columns": {"a": "3-2"}}, "columns gives the characters"),
        ({"format": "fixed", "columns": {"a": "0-2"}}, "columns gives the characters"),
        ({"format": "jsonl", "records": "a"}, "records has no meaning for jsonl"),
        ({"format": "json", "records": ["a"]}, "records must be text"),
        ({"format": "csv", "missing": [1]}, "missing must be a list of texts"),
        ({"format": "xlsx", "quote": "'"}, "quote has no meaning for xlsx"),
        ({"format": "csv", "thousands": ".."}, "thousands must be one character"),
        ({"format": "csv", "thousands": "."}, "one character has two meanings"),
        ({"format": "csv", "encoding": "dutch"}, "no encoding is called 'dutch'"),
    ],
)
def test_forms_that_cannot_be(item: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DatamallError, match=sentence):
        checked(item, "here")


def test_names_of_cells() -> None:
    assert [name(0, 0), name(3, 25), name(3, 26), name(0, 702)] == ["A1", "Z4", "AA4", "AAA1"]
