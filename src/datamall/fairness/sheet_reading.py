"""A sheet as it shows itself: every value text, every row numbered as in the file, nothing guessed.

CSV, Excel and Parquet come as one: `datamall.tabular` gives text, and here the words stay words, a
number is what the declared notation makes of its text, and what cannot be so is named by its cell.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datamall.errors import DatamallError
from datamall.fairness.counting import named
from datamall.tabular.form import CSV_ONLY, Form, Notation, checked
from datamall.tabular.reading import Reading, read
from datamall.tabular.workbook import ERROR, FORMULA
from datamall.tabular.workbook import name as cell_name

WORDS = ("header_row", "encoding", *CSV_ONLY, "decimal", "thousands")
_KINDS = {".parquet": "parquet", ".xlsx": "xlsx", ".xlsm": "xlsx"}
_OTHERS = {".xls", ".xlsb", ".ods", ".numbers"}
_SEPARATORS = ",;\t|"
_FAULT = re.compile(f"{ERROR}|{FORMULA}", re.DOTALL)
_DIGITS = 15
_PIECE = 1 << 16  # rows that are held as text
_HALF = 20  # rows; fewer that come again may be chance


@dataclass(frozen=True, eq=False)
class Sheet:
    """The columns of a sheet that are used.

    Attributes
    ----------
    frame
        One row per record, a categorical of text per column; the index holds the rows of the file.
    name
        Name of the file.
    notation, declared
        How numbers are written, and which of `decimal` and `thousands` was said.
    places
        Column → its position; in a workbook alone, where cells have names.
    """

    frame: pd.DataFrame
    name: str
    notation: Notation
    declared: frozenset[str]
    places: Mapping[str, int]

    def cell(self, column: str, row: int) -> str:
        """Return what to call a cell in an error."""
        own = f" (cell {cell_name(row - 1, self.places[column])})" if column in self.places else ""
        return f"{self.name}, row {row}, column {column}{own}"

    def first(self, column: str, texts: Sequence[str]) -> str:
        """Return what to call the first cell of a column with one of these texts, and its text."""
        found = self.frame[column].isin(texts).to_numpy().argmax()
        row = int(self.frame.index[found])
        return f"{self.cell(column, row)} holds {self.frame[column].iloc[found]!r}"

    def counts(self, column: str, marks: Sequence[str] = ()) -> pd.Series:
        """Return a column of counts: whole numbers, or their plain text if some are hidden.

        Parameters
        ----------
        column
            Its name.
        marks
            Regular expressions of what stands for a hidden count and is kept; none: no count is
            hidden.

        Raises
        ------
        DatamallError
            If a text is no whole number in the declared notation, with its cell.
        """
        whole = self.notation.pattern(fractions=False).removeprefix("[+-]?")
        if "decimal" in self.declared:
            whole += f"(?:\\{self.notation.decimal}0*)?"
        plain, odd = [], []
        for text in self.frame[column].cat.categories:
            hidden = any(re.fullmatch(mark, text) for mark in marks)
            number = self.notation.plain(text).split(".")[0]
            good = re.fullmatch(whole, text) and len(number.lstrip("0")) <= _DIGITS
            odd += [] if good or hidden else [text]
            plain.append(text.replace(" ", "") if hidden else number if good else "0")
        if odd:
            raise DatamallError(
                f"{self.first(column, odd)}, which is not a count: {self._how(odd)}"
            )
        values = np.array(plain, object) if marks else np.array(plain, object).astype(np.int64)
        return pd.Series(values[self.frame[column].cat.codes], self.frame.index, name=column)

    def scale(self, column: pd.Series, keep: str | None = None) -> pd.Series:
        """Return (rows of) a column as numbers, missing ones as NaN; `keep` is a text that stays.

        Raises
        ------
        DatamallError
            If a text is no number in the declared notation, with its cell.
        """
        numbers: list[Any] = []
        for text in column.cat.categories:
            good = re.fullmatch(self.notation.pattern(), text)
            kept = keep is not None and text.casefold() == keep.casefold()
            if not (good or kept or not text):
                raise DatamallError(
                    f"{self.first(str(column.name), [text])}, which is no number: for bands, list "
                    "them under bands, lowest first; for numbers, say how they are written."
                )
            if good and not self.declared and re.fullmatch(r"\d{1,3}(\.\d{3})+", text):
                raise DatamallError(f"{self.first(str(column.name), [text])}: {self._how([text])}")
            numbers.append(text if kept else float(self.notation.plain(text)) if good else np.nan)
        kind = float if keep is None else object
        return pd.Series(np.array(numbers, kind)[column.cat.codes], column.index)

    def _how(self, odd: Sequence[str]) -> str:
        sign = min(
            (c for text in odd for c in re.findall(r"(?<=\d)[.,' ](?=\d)", text)), default=""
        )
        if not sign:
            return "counts are whole numbers from 0."
        return (
            f"say in the specification how numbers are written, thousands: {sign!r} or decimal: "
            f"{sign!r}, or write whole numbers without signs."
        )


def form(path: Path, spec: Mapping[str, Any]) -> Form:
    """Return the form of a sheet: what the specification says of it, else what it plainly is.

    Raises
    ------
    DatamallError
        If the file is not there, of a kind that is not read, or a word has a value that cannot be.
    """
    kind = path.suffix.lower()
    if not path.is_file():
        raise DatamallError(f"There is no sheet {path.name} beside the specification.")
    if kind in _OTHERS:
        raise DatamallError(
            f"{path.name} is a {kind} file, whose errors and formulas cannot be told from blanks: "
            "save it as .xlsx."
        )
    given = {word: spec[word] for word in WORDS if spec.get(word) is not None}
    item = {"format": _KINDS.get(kind, "csv"), **given}
    if item["format"] == "csv" and "separator" not in item:
        with path.open("rb") as file:
            lines = file.read(1 << 16).splitlines()[int(given.get("header_row", 1)) - 1 :]
        header = next((line for line in lines if line), b"")
        item["separator"] = max(_SEPARATORS, key=lambda sign: header.count(sign.encode()))
    if item.get("thousands") == "." and "decimal" not in item:
        item["decimal"] = ","
    return Form(**checked(item, "The specification"))


def load(
    path: Path,
    spec: Mapping[str, Any],
    used: Sequence[str],
    counted: Sequence[str] = (),
    totals: Sequence[str] = (),
) -> Sheet:
    """Read a sheet.

    Parameters
    ----------
    path
        CSV, .xlsx or Parquet.
    spec
        What is said of it: `tab` and `WORDS`.
    used
        Columns to return.
    counted
        Those of them that hold counts; none: each row is a person.
    totals
        Words, in small letters, that mark totals of counts; a column that is not used has none.

    Raises
    ------
    DatamallError
        If the sheet cannot be read whole, a used column is not there or there twice, a cell shows
        an error or a formula without a value, or rows occur twice; one sentence with the place.
    """
    own, headers, gathered = form(path, spec), [], _Gathered(counted, totals)

    def choose(found: list[str]) -> list[int]:
        absent = [name for name in used if name not in found]
        if absent:
            there = named(found)
            raise DatamallError(f"The sheet has no column {named(absent)}: there are {there}.")
        twice = [name for name in used if found.count(name) > 1]
        if twice:
            raise DatamallError(
                f"{path.name} has two columns called {twice[0]!r}: give one of them another name."
            )
        headers.extend(found)
        return list(range(len(found)))

    tab = spec.get("tab")
    reading = Reading(
        path, path.name, choose, {}, "the specification", every_line=True, piece=_PIECE
    )
    for rows, texts in read(own, None if tab is None else str(tab), reading):
        gathered.add(rows, dict(zip(_unique(headers), texts, strict=True)), used)
    if reading.malformed:
        row, found = min(reading.malformed.items())
        raise DatamallError(
            f"{path.name}, row {row} has {found}: correct it, or the separator "
            f"({own.separator!r}); a text with a separator needs quotes."
        )
    places = {v: headers.index(v) for v in used} if own.format == "xlsx" else {}
    declared = frozenset(w for w in ("decimal", "thousands") if spec.get(w) is not None)
    sheet = Sheet(gathered.frame(used), path.name, own.notation, declared, places)
    for (top, left), (bottom, right) in reading.merged:
        over = [v for v, place in places.items() if left <= place <= right]
        if over and bottom >= own.header_row and (top, left) != (bottom, right):
            raise DatamallError(
                f"{path.name} has merged cells {cell_name(top, left)}:{cell_name(bottom, right)} "
                f"over column {over[0]}: unmerge them, and give each row its own value."
            )
    for column in used:
        odd = [text for text in sheet.frame[column].cat.categories if _FAULT.fullmatch(text)]
        if odd:
            raise DatamallError(
                f"{sheet.first(column, odd)}, an error or a formula without its value: calculate "
                "and save the sheet again, or mend the cell."
            )
    gathered.refuse_repeats(sheet, [v for v in used if v not in counted])
    return sheet


class _Gathered:
    """Rows as they come: the used columns as codes, and each whole record as a digest."""

    def __init__(self, counted: Sequence[str], totals: Sequence[str]) -> None:
        self._counted, self._totals = counted, pa.array(totals if counted else [], pa.string())
        self._rows: list[np.ndarray | range] = []
        self._codes: dict[str, list[np.ndarray]] = {}
        self._texts: dict[str, dict[str, int]] = {}  # of each column: text → its code
        self._digests: list[np.ndarray] | None = []  # None: no people all come twice

    def add(self, rows: np.ndarray, texts: Mapping[str, Any], used: Sequence[str]) -> None:
        """Take in a chunk of records."""
        if not len(rows):
            return
        blank = np.logical_and.reduce(
            [pc.equal(texts[name], "").to_numpy(zero_copy_only=False) for name in used]
        )
        if self._counted and blank.any():
            raise DatamallError(
                f"Row {rows[blank.argmax()]} of the sheet is blank in every column that is used: "
                "take it out."
            )
        for name in set(texts) - set(used):
            total = pc.is_in(pc.utf8_lower(texts[name]), self._totals)
            if pc.any(total).as_py():
                at = pc.index(total, True).as_py()
                raise DatamallError(
                    f"Row {rows[at]} of the sheet has {texts[name][at].as_py()!r} in column "
                    f"{name}, which is not used: its people would count twice. Take out the totals "
                    "over it, or name the column under groups."
                )
        # Rows in one run are numbered by its ends.
        first, last = int(rows[0]), int(rows[-1])
        run = last - first + 1 == len(rows)
        self._rows.append(range(first, last + 1) if run else rows.astype(np.int32))
        record = {}
        for name, column in texts.items():
            coded = pc.dictionary_encode(column)
            codes, words = coded.indices.to_numpy(), coded.dictionary.to_pylist()
            if name in used:
                known = self._texts.setdefault(name, {})
                to = [known.setdefault(text, len(known)) for text in words]
                small = np.array(to, np.min_scalar_type(-len(known)))
                self._codes.setdefault(name, []).append(small[codes])
            if name not in self._counted and self._digests is not None:
                levels = pd.Index(words, dtype=object)
                record[name] = pd.Categorical.from_codes(codes, levels, validate=False)
        if self._digests is None:
            return
        digest = pd.util.hash_pandas_object(pd.DataFrame(record, copy=False), index=False)
        self._digests.append(digest.to_numpy())
        if not self._counted and _apart(self._digests[-1]):
            self._digests = None

    def frame(self, used: Sequence[str]) -> pd.DataFrame:
        """Return the used columns."""
        if not self._rows:
            raise DatamallError("There are no rows to count: give at least one.")
        columns = {}
        for name in used:
            codes = np.concatenate(self._codes.pop(name))
            columns[name] = pd.Categorical.from_codes(
                codes, pd.Index([*self._texts.pop(name)], dtype=object)
            )
        return pd.DataFrame(columns, index=self._index(), copy=False)

    def _index(self) -> pd.Index:
        """Return the rows of the file."""
        first = self._rows[0][0]
        last, number = self._rows[-1][-1], sum(map(len, self._rows))
        if last - first + 1 == number:
            return pd.RangeIndex(first, last + 1)
        return pd.Index(np.concatenate([np.asarray(part, np.int32) for part in self._rows]))

    def refuse_repeats(self, sheet: Sheet, keys: Sequence[str]) -> None:
        """Refuse rows of counts that are of the same people, and people who all come twice."""
        if self._digests is None:
            return
        digests = np.concatenate(self._digests)
        half = len(digests) // 2
        if self._counted:
            again = pd.Series(digests).duplicated().to_numpy()
            if not again.any():
                return
            second = int(again.argmax())
            first = int((digests == digests[second]).argmax())
        elif (
            len(digests) % 2
            or half < _HALF
            or not np.array_equal(digests[:half], digests[half:])
            or len(np.unique(digests)) < half
        ):
            return
        else:
            first, second = 0, half
        one, two = (int(sheet.frame.index[i]) for i in (first, second))
        of = ", ".join(f"{name} {sheet.frame[name].iloc[first]!s}" for name in keys)
        raise DatamallError(
            f"Rows {one} and {two} of {sheet.name} are of the same people ({of}): is the table in "
            "it twice? Take one out, or add the column in which they differ."
        )


def _apart(digests: np.ndarray) -> bool:
    """Return whether some of these come again after one number of rows, and some after another.

    Where all people come twice, the second time in the order of the first, each comes again after
    the same number of rows.
    """
    order = np.argsort(digests, kind="stable")
    same = digests[order[1:]] == digests[order[:-1]]
    return len(np.unique((order[1:] - order[:-1])[same])) > 1


def _unique(headers: Sequence[str]) -> list[str]:
    """Return names of columns that differ, those that are used as they are."""
    return [name if headers.count(name) == 1 else f"{name}#{i}" for i, name in enumerate(headers)]
