"""What a sheet of a workbook shows, cell by cell, where the fast reader gives a blank or less.

calamine reads an error (#N/A) and a formula whose value was never calculated as blank, and knows no
formats of numbers. Those cells are looked up in the file itself.
"""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from datamall.errors import DatamallError
from datamall.tabular.form import Notation

Rows = list[list[Any]]
# Errors as Excel and LibreOffice write them, and formulas that were saved without their value.
ERROR = r"#[A-Z][A-Z_/0]*[!?]|#N/[A-Z]|#DEEL/0!|Err:[0-9]+"
FORMULA = "=.+"


def load(path: Path, sheet: str | None, place: str, words: str) -> tuple[Rows, list[Any]]:
    """Return the cells of a sheet from its first row on, and the ranges that are merged.

    Parameters
    ----------
    path, place
        An .xlsx file, and what to call it in an error.
    sheet
        Name of the sheet; None: the first.
    words
        Where the sheet is named, for errors.

    Returns
    -------
    tuple
        Rows of values (blank is ""), where an error is its text (#N/A), a formula without a value
        is its text (=A1), and a whole number in a format of noughts is as shown (0014); and
        first and last cell of each merged range, as (row, column) from 0.

    Raises
    ------
    DatamallError
        If it is no workbook, or has no such sheet.
    """
    import python_calamine

    try:
        with python_calamine.load_workbook(path) as book:
            sheet = book.sheet_names[0] if sheet is None else sheet
            if sheet not in book.sheet_names:
                known = ", ".join(map(repr, book.sheet_names))
                raise DatamallError(
                    f"{place} has no sheet {sheet!r}: there are {known}; correct {words}."
                )
            cells = book.get_sheet_by_name(sheet)
            rows, merged = cells.to_python(skip_empty_area=False), cells.merged_cell_ranges or []
        for (row, column), text in _shown(path, sheet):
            if row < len(rows) and column < len(rows[row]):
                rows[row][column] = text
    except (python_calamine.CalamineError, OSError, zipfile.BadZipFile, KeyError) as error:
        raise _unsound(place, error) from None
    except ElementTree.ParseError as error:
        raise _unsound(place, error) from None
    return rows, merged


def text(value: Any, notation: Notation) -> str:
    """Return a cell as its sheet shows it, in a notation: 27.0 is 27."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        shown = str(int(value)) if value.is_integer() else repr(value)
        return shown.replace(".", notation.decimal)
    if isinstance(value, datetime) and (value.hour or value.minute or value.second):
        return value.isoformat(" ")
    return value.strftime(notation.date_format) if isinstance(value, date) else str(value)


def name(row: int, column: int) -> str:
    """Return the name of a cell by its row and column from 0: C4."""
    letters, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _unsound(place: str, error: Exception) -> DatamallError:
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DatamallError(f"{place} is no sound workbook ({why}): ask for it again.")


def _shown(path: Path, sheet: str) -> Iterator[tuple[tuple[int, int], str]]:
    """Yield the places and texts of errors, formulas without a value, and numbers like 0014."""
    with zipfile.ZipFile(path) as archive:
        part, styles = _parts(archive, sheet)
        widths = _noughts(archive, styles) if styles else {}
        row = column = -1
        with archive.open(part) as file:
            for event, element in ElementTree.iterparse(file, ("start", "end")):
                kind = _local(element)
                if event == "start" and kind == "row":
                    row, column = int(element.get("r", row + 2)) - 1, -1
                elif event == "end" and kind == "c":
                    column = _column(element.get("r"), column + 1)
                    shown = _cell(element, widths)
                    if shown is not None:
                        yield (row, column), shown
                elif event == "end" and kind == "row":
                    element.clear()


def _cell(element: ElementTree.Element, widths: dict[str, int]) -> str | None:
    parts = {_local(child): child.text or "" for child in element}
    kind, value = element.get("t", "n"), parts.get("v", "").strip()
    if kind == "e":
        return value or "#ERROR!"
    if "f" in parts and not value and kind in ("n", "b", "d"):
        return f"={parts['f']}"
    width = widths.get(element.get("s", "0"), 0)
    return value.zfill(width) if width and kind == "n" and value.isdigit() else None


def _parts(archive: zipfile.ZipFile, sheet: str) -> tuple[str, str | None]:
    """Return the parts of the archive that hold a sheet and the styles."""
    book = next(
        target for kind, target in _links(archive, "").values() if kind.endswith("/officeDocument")
    )
    links = _links(archive, book)
    for element in _tree(archive, book).iter():
        if _local(element) == "sheet" and element.get("name") == sheet:
            own = next(v for k, v in element.attrib.items() if k.endswith("}id"))
            styles = (target for kind, target in links.values() if kind.endswith("/styles"))
            return links[own][1], next(styles, None)
    raise KeyError(f"no sheet {sheet}")


def _links(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return the relations of a part: id → kind and the path of the other part."""
    folder, own = posixpath.split(part)
    found = {}
    for link in _tree(archive, posixpath.join(folder, "_rels", f"{own}.rels")):
        target = posixpath.normpath(posixpath.join("/", folder, link.get("Target", "")))
        found[link.get("Id", "")] = link.get("Type", ""), target.lstrip("/")
    return found


def _noughts(archive: zipfile.ZipFile, styles: str) -> dict[str, int]:
    """Return the styles that show numbers by noughts alone (0000), and with how many digits."""
    tree = _tree(archive, styles)
    codes = {
        element.get("numFmtId"): element.get("formatCode", "")
        for element in tree.iter()
        if _local(element) == "numFmt"
    }
    formats = [e for part in tree if _local(part) == "cellXfs" for e in part]
    shown = {str(i): codes.get(e.get("numFmtId"), "") for i, e in enumerate(formats)}
    return {style: len(code) for style, code in shown.items() if re.fullmatch("00+", code)}


def _tree(archive: zipfile.ZipFile, part: str) -> ElementTree.Element:
    return ElementTree.fromstring(archive.read(part))


def _local(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _column(place: str | None, following: int) -> int:
    if place is None:
        return following
    number = 0
    for letter in place.rstrip("0123456789"):
        number = number * 26 + ord(letter.upper()) - 64
    return number - 1
