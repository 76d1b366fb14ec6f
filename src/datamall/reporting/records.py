"""Rows of a CSV as JSON records, one a line: small, and a changed row is a changed line.

Text becomes text without records in between: of a table of a city's places that takes a fifth of
the time of an encoder that looks at each value to see what it is.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from json.encoder import encode_basestring

AT_ONCE = 5_000


def json_of(table: bytes, kinds: Mapping[str, str]) -> Iterator[str]:
    """Yield the parts of the JSON text of a table.

    Parameters
    ----------
    table
        CSV in UTF-8, its first line the names.
    kinds
        Kind of each column, as from `datamall.reporting.tables.kinds`.

    Notes
    -----
    Empty cells are null, as are infinite ones: JSON has no infinite number; the CSV says which it
    is.
    """
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(table), encoding="utf-8", newline=""))
    names = next(rows)
    written = [_WRITTEN[kinds[name]] for name in names]
    record = ",".join(
        f"{encode_basestring(name)}:%s".replace("%", "%%").replace("%%s", "%s") for name in names
    )
    before = "[\n"
    while some := list(islice(rows, AT_ONCE)):
        cells = zip(*some, strict=True)
        values = [write(own) for write, own in zip(written, cells, strict=True)]
        lines = map(f"{{{record}}}".__mod__, zip(*values, strict=True))
        yield before + ",\n".join(lines)
        before = ",\n"
    yield "[\n\n]\n" if before == "[\n" else "\n]\n"


def _texts(cells: Sequence[str]) -> Iterable[str]:
    if "" in cells:
        return (encode_basestring(cell) if cell else "null" for cell in cells)
    return map(encode_basestring, cells)


def _numbers(cells: Sequence[str]) -> Iterable[str]:
    # A number in a CSV of ours is written as in JSON, but for those that JSON has not.
    if _NO_NUMBER.isdisjoint(cells):
        return cells
    return ("null" if cell in _NO_NUMBER else cell for cell in cells)


def _booleans(cells: Sequence[str]) -> Iterable[str]:
    return ({"": "null", "True": "true"}.get(cell, "false") for cell in cells)


_NO_NUMBER = frozenset(("", "inf", "-inf", "nan"))
_WRITTEN: dict[str, Callable[[Sequence[str]], Iterable[str]]] = {
    "integer": _numbers,
    "number": _numbers,
    "boolean": _booleans,
    "text": _texts,
}
