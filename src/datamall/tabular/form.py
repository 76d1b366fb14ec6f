"""The form of a table in a file: its format, its marks, and how it writes numbers and dates."""

import codecs
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datamall.errors import DatamallError

OBJECTS = ("json", "jsonl", "geojson", "xml")
# An XML file names its encoding itself.
TEXT = ("csv", "fixed", *OBJECTS[:-1])
FORMATS = (*TEXT, "xml", "parquet", "xlsx")
CSV_ONLY = ("separator", "quote", "trailing_separator")
# Words that have a meaning for some formats only.
MEANING = {
    "encoding": TEXT,
    **dict.fromkeys(CSV_ONLY, ("csv",)),
    "header_row": ("csv", "xlsx"),
    "columns": ("csv", "xlsx", "fixed"),
    "records": ("json", "xml"),
}
FLAGS = ("trailing_separator",)
SPAN = re.compile(r"([0-9]+)(-)?([0-9]+)?")
HIGHEST_HEADER = 1000


def plain(text: str) -> str:
    """Return a text in one of its forms: composed (NFC), with plain spaces, without marks of order.

    >>> plain("Gro\u0308ningen\u00a0Noord")
    'Gröningen Noord'
    """
    return unicodedata.normalize(
        "NFC", re.sub("[\u00a0\u2007\u202f]", " ", text.replace("\ufeff", ""))
    )


@dataclass(frozen=True)
class Notation:
    """How numbers and dates are written: decimal sign, sign between thousands, date format."""

    decimal: str = "."
    thousands: str = ""
    date_format: str = "%Y-%m-%d"

    def pattern(self, fractions: bool = True) -> str:
        """Return the regular expression of a number in full, without or with `fractions`."""
        point, thousands = f"\\{self.decimal}", f"\\{self.thousands}"
        whole = "[0-9]+"
        if self.thousands:
            whole = f"(?:[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+|[0-9]+)"
        fraction = f"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
        return f"[+-]?{fraction if fractions else whole}"

    @property
    def whole(self) -> str:
        """Regular expression of a whole number, be it as 3.0.

        Three noughts (27.000) may be thousands: they count as a fraction only where another sign
        is known to stand between thousands.
        """
        noughts = "0+" if self.thousands else "(?:0{1,2}|0{4,})"
        return f"{self.pattern(fractions=False)}(?:\\{self.decimal}{noughts})?"

    def plain(self, text: str) -> str:
        """Return the text of a number as computers write it."""
        return text.replace(self.thousands, "").replace(self.decimal, ".")


@dataclass(frozen=True, kw_only=True)
class Form:
    """What must be known of a file before its table can be read.

    Attributes
    ----------
    format
        One of `FORMATS`.
    header_row
        Row of the headers in a sheet, or their line in a CSV file, from 1.
    columns
        Names of the columns, in order, of a CSV file or sheet without headers, or of fixed width.
    positions
        First and last character of each of these columns, from 1, in a file of fixed width; last
        is None where a column goes on to the end of the line.
    records
        Keys, from the outermost on, under which the list of records lies in a file of JSON, or
        names of the elements down to those that are the records of a file of XML.
    missing
        Words that stand for a blank cell.
    encoding
        Of a file of text.
    separator, quote, trailing_separator
        Of a CSV file; `quote` is empty where quotes have no meaning; with `trailing_separator`
        each record ends in a separator, which the header does not.
    notation
        How numbers and dates are written.
    """

    format: str
    header_row: int = 1
    columns: tuple[str, ...] = ()
    positions: tuple[tuple[int, int | None], ...] = ()
    records: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    encoding: str = "utf-8"
    separator: str = ","
    quote: str = '"'
    trailing_separator: bool = False
    notation: Notation = Notation()


def checked(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the fields of a `Form` from the words that people write.

    Parameters
    ----------
    item
        `format` and the fields of `Form`; those of `Notation` beside them.
    place
        Where the words stand, for errors.

    Raises
    ------
    DatamallError
        If a word has a value that cannot be, or no meaning for the format.
    """
    kind = item["format"]
    if kind not in FORMATS:
        known = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise DatamallError(f"{place}: format must be {known}, not {kind!r}.")
    given = {word: item[word] for word in (*MEANING, "missing") if word in item}
    for word in given:
        if kind not in MEANING.get(word, FORMATS):
            raise DatamallError(f"{place}: {word} has no meaning for {kind}: leave it out.")
    row = item.get("header_row", 1)
    if type(row) is not int or not 1 <= row <= HIGHEST_HEADER:
        raise DatamallError(f"{place}: header_row must be the number of a row, from 1.")
    notation = {key: item[key] for key in ("decimal", "thousands", "date_format") if key in item}
    for word, value in {**given, **notation}.items():
        if word in FLAGS and not isinstance(value, bool):
            raise DatamallError(f"{place}: {word} must be true or false.")
        if word == "missing" or (word == "columns" and kind != "fixed"):
            given[word] = _texts(value, word, place)
        elif word not in (*FLAGS, "header_row", "columns") and not isinstance(value, str):
            raise DatamallError(f"{place}: {word} must be text: write it between quotes.")
    if "columns" in item and "header_row" in item:
        raise DatamallError(
            f"{place}: columns names what has no header, header_row says where it is: keep one."
        )
    if kind == "fixed":
        given |= _positions(item.get("columns"), place)
    if kind == "xml" and "records" not in given:
        raise DatamallError(
            f"{place}: records names the elements, from the outermost on, down to those that are "
            "the records: `records: list.item`."
        )
    if "records" in given:
        given["records"] = tuple(given["records"].split("."))
    _check_marks(item, place)
    _check_encoding(item.get("encoding", Form.encoding), place)
    return {"format": kind, **given, "notation": Notation(**notation)}


def _positions(columns: Any, place: str) -> dict[str, Any]:
    """Return names and positions of columns of fixed width: `Street: 7-20`."""
    found: dict[str, tuple[int, int | None]] = {}
    for name, text in (columns if isinstance(columns, dict) else {}).items():
        given = SPAN.fullmatch(str(text).strip())
        first, last = (int(given[1]), int(given[3] or 0)) if given else (0, 0)
        if given and not given[2]:
            last = first
        if first < 1 or (last and last < first) or not isinstance(name, str):
            found = {}
            break
        found[plain(name).strip()] = (first, last or None)
    if not found:
        raise DatamallError(
            f"{place}: columns gives the characters of each column, from 1: "
            '{Street: 7-20, Kind: "21", Remark: 22-} (to the end of the line).'
        )
    return {"columns": tuple(found), "positions": tuple(found.values())}


def _texts(value: Any, word: str, place: str) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else []
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise DatamallError(f'{place}: {word} must be a list of texts, such as ["a", "b"].')
    return tuple(plain(text).strip() for text in texts)


def _check_encoding(encoding: str, place: str) -> None:
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        known = isinstance(decoder.decode(b"", final=True), str)
    except (LookupError, ValueError):
        known = False
    if not known:
        raise DatamallError(
            f"{place}: no encoding is called {encoding!r}: utf-8 and windows-1252 are usual."
        )


def _check_marks(item: Mapping[str, Any], place: str) -> None:
    marks: dict[str, str] = {
        "separator": item.get("separator", Form.separator),
        "quote": item.get("quote", Form.quote),
        "decimal": item.get("decimal", Notation.decimal),
        "thousands": item.get("thousands", Notation.thousands),
    }
    for key, mark in marks.items():
        empty = key in ("quote", "thousands") and not mark
        if not empty and (len(mark) != 1 or not mark.isascii() or mark.isalnum() or mark in "\r\n"):
            raise DatamallError(f"{place}: {key} must be one character, not {mark!r}.")
    if len({marks["separator"], marks["quote"]}) == 1 or marks["decimal"] == marks["thousands"]:
        raise DatamallError(f"{place}: one character has two meanings: correct one of them.")
