"""How a column of a contract is filled from the headers of a raw file, as a mapping says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from datamall.errors import DatamallError
from datamall.mall.clocks import PARTS, Stamp
from datamall.mall.contracts import Column
from datamall.mall.expressions import columns_of, type_of
from datamall.mall.rawfiles import RawFile, keys, mapping
from datamall.written import Text, read_as

COLUMN_KEYS = ("from", "map", "part", "expression", "value")
FORMAT = re.compile(r"%-?[A-Za-z]")


@dataclass(frozen=True)
class Filling:
    """How one column is filled, in one of four ways.

    Attributes
    ----------
    header
        Header whose text is taken over.
    map
        With `header`: raw text → text of the contract, or None for a missing value.
    expression
        SQL over headers, all of them text.
    value
        The same text in every row, written as the contract writes it (2025-01-31, 1.5).
    headers
        Headers that are read.
    typed
        Whether the expression gives a number or date rather than text in the file's notation.
    stamp
        With `expression`: the time stamp of which it is a part.
    """

    header: str | None
    map: dict[str, str | None] | None
    expression: str | None
    value: str | None
    headers: tuple[str, ...]
    typed: bool
    stamp: Stamp | None = None


@dataclass(frozen=True)
class Unpivot:
    """One row per record and header, of the headers that match.

    Attributes
    ----------
    headers
        Regular expression that a header must match in full, or a format of dates or times such as
        %H:%M in which it must be written.
    name, value
        What the header's text and the cell are called in the fillings.
    """

    headers: Text
    name: Text
    value: Text

    def match(self, header: str) -> bool:
        """Whether a header is one whose cells become rows."""
        if not FORMAT.search(self.headers):
            return re.fullmatch(self.headers, header) is not None
        try:
            datetime.strptime(header, self.headers.replace("%-", "%"))
        except ValueError:
            return False
        return True


def unpivot_of(item: Any, fillings: Mapping[str, Filling], place: str) -> Unpivot:
    """Return how wide records become long ones, checked against what reads their cells.

    Raises
    ------
    DatamallError
        For the first mistake, with its place.
    """
    place = f"{place}: unpivot"
    unpivot = read_as(Unpivot, item, place)
    try:
        re.compile("" if FORMAT.search(unpivot.headers) else unpivot.headers)
    except re.error as error:
        raise DatamallError(
            f"{place}: headers {unpivot.headers!r} is no regular expression: {error}."
        ) from None
    read = {header.casefold() for filling in fillings.values() for header in filling.headers}
    if unpivot.name.casefold() == unpivot.value.casefold():
        raise DatamallError(f"{place}: name and value are the same: give each its own.")
    for key, text in (("name", unpivot.name), ("value", unpivot.value)):
        if text.startswith("#"):
            raise DatamallError(f"{place}: {key} must not begin with #, as {text!r} does.")
        if text.casefold() not in read:
            raise DatamallError(
                f"{place}: no column is filled from {text!r}, which is the {key}: use it."
            )
    return unpivot


def expression_of(text: str, place: str) -> tuple[tuple[str, ...], str]:
    """Return the headers that an expression reads and the SQL type that it gives."""
    try:
        headers = tuple(columns_of(text))
        return headers, type_of(text, dict.fromkeys(headers, "VARCHAR"))
    except DatamallError as error:
        raise DatamallError(f"{place}: {error}.") from None


def _part(column: Column, item: dict[str, Any], file: RawFile, place: str) -> Filling:
    """Return how a column is filled with a part of a time stamp."""
    headers, part, time = item.get("from"), item["part"], file.time
    headers = [headers] if isinstance(headers, str) else headers
    if set(item) != {"from", "part"} or not (
        isinstance(headers, list) and headers and all(isinstance(h, str) for h in headers)
    ):
        raise DatamallError(
            f"{place}: a part of a time stamp is taken `from` its header, or a list of headers "
            "whose texts follow one another, and from nothing else."
        )
    if PARTS.get(part) != column.type:
        raise DatamallError(
            f"{place}: part must be {' or '.join(PARTS)}, of which the day is a date and others "
            f"are whole numbers; {part!r} does not fill a {column.type}."
        )
    if time is None:
        raise DatamallError(
            f"{place}: say how file {file.name} writes time stamps: `time` with format, zone and "
            "clock."
        )
    if part == "fold" and time.distance is None:
        raise DatamallError(
            f"{place}: by a local clock nobody can tell the repeated hour from the first: leave "
            "`part: fold` out."
        )
    if file.format == "xlsx":  # a cell of a day and time is shown so
        shown = (*time.formats, "%Y-%m-%d %H:%M:%S", file.notation.date_format)
        time = replace(time, format=tuple(dict.fromkeys(shown)))
    stamp = Stamp(tuple(header.strip() for header in headers), time, part)
    return Filling(None, None, stamp.value, None, stamp.headers, typed=True, stamp=stamp)


def filling_of(column: Column, item: Any, file: RawFile, place: str) -> Filling:
    """Return how a column is filled from a file, checked.

    Raises
    ------
    DatamallError
        For the first mistake, with its place.
    """
    keys(item, COLUMN_KEYS, place)
    if "part" in item:
        return _part(column, item, file, place)
    ways = [key for key in ("from", "expression", "value") if key in item]
    if len(ways) != 1 or ("map" in item and ways != ["from"]):
        raise DatamallError(
            f"{place}: fill it in one way: `from` (with a `map` if need be), `expression` or "
            f"`value`, not {' and '.join(item) or 'none'}."
        )
    if not isinstance(item[ways[0]], str) or not item[ways[0]].strip():
        raise DatamallError(f"{place}: {ways[0]} must be text: write it between quotes.")
    values = item.get("map")
    if "map" in item:
        mapping(values, place, "map")
        if not all(value is None or isinstance(value, str) for value in values.values()):
            raise DatamallError(f"{place}: map must lead to text or null: use quotes.")
        values = {raw.strip(): value for raw, value in values.items()}
    for value in [*(values or {}).values(), *([item["value"]] if "value" in item else [])]:
        if column.values is not None and value is not None and value not in column.values:
            raise DatamallError(
                f"{place}: {value!r} is not a value of the contract, which has "
                f"{', '.join(column.values)}."
            )
    header = item["from"].strip() if "from" in item else None
    headers: tuple[str, ...] = () if header is None else (header,)
    typed = False
    if "expression" in item:
        headers, kind = expression_of(item["expression"], place)
        if re.match("STRUCT|MAP|UNION", kind) or kind.endswith("]"):
            raise DatamallError(
                f"{place}: `{item['expression']}` gives {kind}: write one that gives text, a "
                "number or a date."
            )
        typed = kind != "VARCHAR"
    return Filling(
        header=header,
        map=values,
        expression=item.get("expression"),
        value=item.get("value"),
        headers=headers,
        typed=typed,
    )
