"""Files of JSON: a list of records, one record a line, or the features of GeoJSON.

What lies deeper is called by its path: ``location.street``, and ``point.coordinates.0`` for the
first of a list. Numbers stay the text that they are in the file.
"""

import json
from collections.abc import Iterator
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from datamall.errors import DatamallError
from datamall.tabular.form import Form
from datamall.tabular.text import Utf8Stream, tidy, titles

PIECE = 1 << 20  # characters that are read at once
LONGEST = 16  # elements of a list that have names
TWICE = "\0"  # what is put into an object that has a key twice
NO_OBJECT = "no object of JSON"

Chunk = tuple[np.ndarray, list[Any]]
Numbered = Iterator[tuple[int, Any]]


class Number(str):
    """A number as the file writes it."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else {TWICE: True}


DECODER = json.JSONDecoder(
    parse_float=Number, parse_int=Number, parse_constant=str, object_pairs_hook=_once
)


class Elements:
    """The elements of a list in a stream of JSON, one after another; the whole is never in memory.

    Parameters
    ----------
    text
        The stream.
    path
        Keys of the objects in which the list lies; none: the file is the list.
    place, words
        What to call the file in an error, and where its form is described.
    """

    def __init__(self, text: TextIOWrapper, path: tuple[str, ...], place: str, words: str) -> None:
        self._text, self._path, self._place, self._words = text, path, place, words
        self._known, self._at, self._read = "", 0, 0

    def __iter__(self) -> Iterator[Any]:
        """Yield the elements.

        Raises
        ------
        DatamallError
            If there is no such list, or what is read is no JSON.
        """
        for key in self._path:
            self._enter(key)
        if self._next("[") != "[":
            raise self._no_list()
        if self._peek() == "]":
            self._at += 1
        else:
            yield self._value()
            while (mark := self._next(",]")) == ",":
                yield self._value()
            if mark != "]":
                raise self._unsound("a list is not closed")
        if not self._path and self._peek():
            raise self._unsound("something follows the list")
        while self._more():
            self._at = len(self._known)

    def _enter(self, key: str) -> None:
        mark = self._next("{")
        while mark in ("{", ","):
            own = self._value()
            if self._next(":") != ":":
                raise self._unsound("a key has no value")
            if own == key:
                return
            self._value()
            mark = self._next(",}")
        raise self._no_list()

    def _no_list(self) -> DatamallError:
        where = f" under {'.'.join(self._path)}" if self._path else ""
        return DatamallError(
            f"{self._place} has no list of records{where}: say in {self._words} where it lies, "
            "`records: key.of.key`; for one record a line it is `format: jsonl`."
        )

    def _unsound(self, why: str) -> DatamallError:
        return DatamallError(
            f"{self._place} is no sound JSON ({why}, at character "
            f"{self._read - len(self._known) + self._at:,}): ask for it again."
        )

    def _more(self) -> bool:
        piece = self._text.read(max(PIECE, len(self._known) - self._at))
        self._known, self._at = self._known[self._at :] + piece, 0
        self._read += len(piece)
        return bool(piece)

    def _peek(self) -> str:
        """Return the next character that is no space, "" at the end."""
        while True:
            while self._at < len(self._known) and self._known[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._known) or not self._more():
                return self._known[self._at : self._at + 1]

    def _next(self, marks: str) -> str:
        mark = self._peek()
        if not mark or mark not in marks:
            return ""
        self._at += 1
        return mark

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._known, self._at)
                # A number at the end of what is known may go on.
                if end < len(self._known) or not self._more():
                    self._at = end if end < len(self._known) else len(self._known)
                    return value
            except json.JSONDecodeError as error:
                beyond = error.pos - self._at
                if not self._more():
                    self._at += min(beyond, len(self._known))
                    raise self._unsound(error.msg) from None
            except RecursionError:
                raise self._unsound("it is nested too deeply") from None


def read(spec: Form, reading: Any, rows: int) -> Iterator[Chunk]:
    """Yield the records of a file of JSON, as `datamall.tabular.reading.read` does.

    The file is read twice, since any record may bring a key that no other has. Records are numbered
    from 1; those of ``jsonl`` have the number of their line.
    """
    if reading.path.stat().st_size == 0:
        raise DatamallError(f"{reading.place} is empty (0 bytes): ask for it again.")
    keys: dict[str, None] = {}
    some = False
    for _, item in _items(spec, reading, reading.path):
        keys |= dict.fromkeys(_flat(spec, item))
        some = True
    if not some:
        return
    names = list(keys)
    wanted = [names[position] for position in reading.choose(titles(names))]
    numbers: list[int] = []
    fields: list[list[str]] = [[] for _ in wanted]
    for number, item in _items(spec, reading, reading.path):
        if not isinstance(item, dict):
            reading.malformed[number] = NO_OBJECT
            continue
        found = _flat(spec, item)
        if TWICE in found:
            reading.malformed[number] = "one key twice"
            continue
        numbers.append(number)
        for column, key in zip(fields, wanted, strict=True):
            column.append(_text(found.get(key), spec.notation.decimal))
        if len(numbers) == rows:
            yield _chunk(numbers, fields)
            numbers, fields = [], [[] for _ in wanted]
    yield _chunk(numbers, fields)


def _chunk(numbers: list[int], fields: list[list[str]]) -> Chunk:
    return np.array(numbers, np.int64), [tidy(pa.array(some, pa.string())) for some in fields]


def _items(spec: Form, reading: Any, path: Path) -> Numbered:
    with Utf8Stream(path, spec, "", reading.place, reading.words) as stream:
        text = TextIOWrapper(BufferedReader(stream), "utf-8", newline="\n")
        if spec.format == "jsonl":
            for number, line in enumerate(text, 1):
                if line.strip():
                    yield number + stream.blank, _of_line(line)
        else:
            inside = ("features",) if spec.format == "geojson" else spec.records
            yield from enumerate(Elements(text, inside, reading.place, reading.words), 1)
        reading.sha256 = stream.sha256


def _of_line(line: str) -> Any:
    try:
        return DECODER.decode(line.strip())
    except (json.JSONDecodeError, RecursionError):
        return None


def _flat(spec: Form, item: Any) -> dict[str, Any]:
    """Return what lies in a record by its path."""
    found: dict[str, Any] = {}
    if spec.format != "geojson" or not isinstance(item, dict):
        _put(found, "", item)
        return found
    _put(found, "", item.get("properties") or {})
    found["#id"] = item.get("id")
    shape = item.get("geometry") or {}
    point = shape.get("coordinates") if shape.get("type") == "Point" else None
    found["#x"], found["#y"] = (*(point or ()), None, None)[:2]
    return found


def _put(found: dict[str, Any], path: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, own in value.items():
            _put(found, f"{path}.{key}" if path else key, own)
    elif isinstance(value, list):
        for number, own in enumerate(value if len(value) <= LONGEST else ()):
            _put(found, f"{path}.{number}", own)
    elif path:
        found[path] = value


def _text(value: Any, decimal: str) -> str:
    if isinstance(value, Number):
        return value.replace(".", decimal)
    if isinstance(value, bool):
        return str(value).lower()
    # Half of a pair of surrogates is no character.
    return "" if value is None else str(value).encode("utf-8", "replace").decode()
