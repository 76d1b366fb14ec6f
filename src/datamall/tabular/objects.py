"""Files of records: JSON (a list, one record a line, or the features of GeoJSON) and XML.

What lies deeper is called by its path: ``location.street``, and ``point.coordinates.0`` for the
first of a list. Numbers stay the text that they are in the file.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from typing import Any

import numpy as np
import pyarrow as pa

from datamall.errors import DatamallError
from datamall.project import file_digest
from datamall.tabular import markup, wkt
from datamall.tabular.form import Form
from datamall.tabular.text import Utf8Stream, opened, tidy, titles

PIECE = 1 << 20  # characters that are read at once
LONGEST = 16  # elements of a list that have names
NO_OBJECT = "no object of JSON"

TWICE = object()  # in the place of a record in which an object has a key twice

Chunk = tuple[np.ndarray, list[Any]]
Numbered = Iterator[tuple[int, Any]]
Path = tuple[str | int, ...]  # keys and places in lists, from the outermost on


class Number(str):
    """A number as the file writes it."""


@dataclass(frozen=True)
class Geometry:
    """The geometry of a feature, which is made text where it is wanted."""

    kind: str
    coordinates: Any


class Decoder(json.JSONDecoder):
    """Reads JSON; `twice` is whether an object had a key twice since that was last set."""

    def __init__(self) -> None:
        self.twice = False
        super().__init__(
            parse_float=Number,
            parse_int=Number,
            parse_constant=str,
            object_pairs_hook=self._object,
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self.twice |= len(found) < len(pairs)
        return found


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
        self._decoder = Decoder()

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
            yield self._record()
            while (mark := self._next(",]")) == ",":
                yield self._record()
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

    def _record(self) -> Any:
        self._decoder.twice = False
        value = self._value()
        return TWICE if self._decoder.twice else value

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._known, self._at)
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
    """Yield the records of a file of JSON or XML, as `datamall.tabular.reading.read` does.

    The file is read twice, since any record may bring a key that no other has. Records are numbered
    from 1; those of ``jsonl`` have the number of their line.
    """
    if reading.path.stat().st_size == 0:
        raise DatamallError(f"{reading.place} is empty (0 bytes): ask for it again.")
    known: dict[Path, None] = {}
    some = False
    for _, item in _items(spec, reading):
        if isinstance(item, dict):
            _add_paths(known, item)
        some = True
    if not some:
        return
    paths = list(known)
    names = titles([".".join(map(str, path)) for path in paths])
    wanted = [paths[position] for position in reading.choose(names)]
    numbers: list[int] = []
    fields: list[list[str]] = [[] for _ in wanted]
    for number, item in _items(spec, reading):
        if not isinstance(item, dict):
            reading.malformed[number] = "one key twice" if item is TWICE else NO_OBJECT
            continue
        numbers.append(number)
        for column, path in zip(fields, wanted, strict=True):
            column.append(_text(_at(item, path), spec.notation.decimal))
        if len(numbers) == rows:
            yield _chunk(numbers, fields)
            numbers, fields = [], [[] for _ in wanted]
    yield _chunk(numbers, fields)


def _chunk(numbers: list[int], fields: list[list[str]]) -> Chunk:
    return np.array(numbers, np.int64), [tidy(pa.array(some, pa.string())) for some in fields]


def _items(spec: Form, reading: Any) -> Numbered:
    if spec.format == "xml":
        with opened(reading.path, reading.place) as file:
            found = markup.elements(file, spec.records, reading.place, reading.words)
            yield from enumerate(({"_": one} if isinstance(one, str) else one for one in found), 1)
        reading.sha256 = file_digest(reading.path)
        return
    with Utf8Stream(reading.path, spec, "", reading.place, reading.words) as stream:
        text = TextIOWrapper(BufferedReader(stream), "utf-8", newline="\n")
        if spec.format == "jsonl":
            decoder = Decoder()
            for number, line in enumerate(text, 1):
                if line.strip():
                    yield number + stream.blank, _of_line(line, decoder)
        elif spec.format == "json":
            yield from enumerate(Elements(text, spec.records, reading.place, reading.words), 1)
        else:
            features = Elements(text, ("features",), reading.place, reading.words)
            yield from enumerate(map(_feature, features), 1)
        reading.sha256 = stream.sha256


def _of_line(line: str, decoder: Decoder) -> Any:
    decoder.twice = False
    try:
        item = decoder.decode(line.strip())
    except (json.JSONDecodeError, RecursionError):
        return None
    return TWICE if decoder.twice else item


def _feature(item: Any) -> Any:
    """Return the properties of a feature, its identifier, its geometry, coordinates if a point."""
    if not isinstance(item, dict):
        return item
    shape = item.get("geometry") or {}
    kind, coordinates = shape.get("type"), shape.get("coordinates")
    x, y = (*((coordinates if kind == "Point" else None) or ()), None, None)[:2]
    own = {"#id": item.get("id"), "#x": x, "#y": y}
    return {
        **(item.get("properties") or {}),
        **own,
        "#shape": Geometry(str(kind), coordinates) if shape else None,
    }


def _add_paths(known: dict[Path, None], value: Any, path: Path = ()) -> None:
    """Add the paths of all that lies in an object or list."""
    if isinstance(value, dict):
        inside: Iterable[tuple[str | int, Any]] = value.items()
    else:
        inside = enumerate(value if len(value) <= LONGEST else ())
    for step, own in inside:
        if isinstance(own, dict | list):
            _add_paths(known, own, (*path, step))
        else:
            known[(*path, step)] = None


def _at(value: Any, path: Path) -> Any:
    """Return what lies at a path; None where there is nothing, or something deeper."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value) <= LONGEST:
            value = value[step]
        else:
            return None
    return None if isinstance(value, dict | list) else value


def _text(value: Any, decimal: str) -> str:
    if isinstance(value, Number):
        return value.replace(".", decimal)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Geometry):
        value = wkt.written(value.kind, value.coordinates)
    # Half of a pair of surrogates is no character.
    return "" if value is None else str(value).encode("utf-8", "replace").decode()
