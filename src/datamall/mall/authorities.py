"""Mappings: where an authority's raw files are, and how they fill the columns of the contracts.

A mapping is one YAML file, ``data/authorities/<name>.yaml``; a municipality that joins writes one
and no Python. Every mistake in it is found here, before a raw file is opened.
"""

import codecs
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from datamall.errors import DatamallError
from datamall.mall.contracts import Column, Contract, load_contracts
from datamall.mall.documents import read_yaml
from datamall.mall.expressions import columns_of, literal, type_of

AUTHORITY_KEYS = ("authority", "title", "synthetic", "description", "files", "stores")
FETCHED = ("sha256", "source", "found_under", "url")
CSV_ONLY = ("encoding", "separator", "quote", "decimal", "thousands", "date_format")
FILE_KEYS = ("path", "format", *CSV_ONLY, *FETCHED)
STORE_KEYS = ("file", "distinct", "columns")
COLUMN_KEYS = ("from", "map", "expression", "value")
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
TAKEN = ("results", "quality")  # folders that the demo has in reports/, where others have theirs


@dataclass(frozen=True)
class Notation:
    """How numbers and dates are written: decimal sign, sign between thousands, date format."""

    decimal: str = "."
    thousands: str = ""
    date_format: str = "%Y-%m-%d"


@dataclass(frozen=True)
class RawFile:
    """A raw file, or files of one form.

    Attributes
    ----------
    name
        Name in the mapping.
    path
        Path or pattern below ``data/raw/<authority>``.
    format
        ``csv`` or ``parquet``.
    encoding, separator, quote
        Of a CSV file; `quote` is empty where quotes have no meaning.
    notation
        How numbers and dates are written.
    sha256, source, found_under, url
        For files that are fetched: digest, where to get the file in words, its path below the
        folder given by ``--from``, and its https address.
    """

    name: str
    path: str
    format: str
    encoding: str
    separator: str
    quote: str
    notation: Notation
    sha256: str | None
    source: str | None
    found_under: str | None
    url: str | None


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
    """

    header: str | None
    map: dict[str, str | None] | None
    expression: str | None
    value: str | None
    headers: tuple[str, ...]
    typed: bool


@dataclass(frozen=True)
class StoreMapping:
    """How one store is filled from one raw file (or files of one form)."""

    store: str
    file: RawFile
    distinct: bool
    columns: dict[str, Filling]

    def has(self, column: str) -> bool:
        """Whether the authority delivers a column, be it one value for all rows."""
        return column in self.columns

    def constant(self, column: str) -> bool:
        """Whether a column has the same value in every row."""
        return self.has(column) and not self.columns[column].headers

    @property
    def digest(self) -> str:
        """SHA-256 of this mapping: it changes when the same file would be read otherwise."""
        about = asdict(self)
        for key in FETCHED:
            del about["file"][key]
        text = json.dumps(about, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Authority:
    """An authority: its title, whether its data are invented, its raw files and stores."""

    authority: str
    title: str
    synthetic: bool
    description: str
    files: dict[str, RawFile]
    stores: dict[str, StoreMapping]


def load_authority(
    root: Path, name: str, contracts: Mapping[str, Contract] | None = None
) -> Authority:
    """Return the mapping of an authority, checked against the contracts.

    Parameters
    ----------
    root
        Project folder.
    name
        Name of the authority, which is the name of its file.
    contracts
        Contracts of the project, if they have been loaded already.

    Raises
    ------
    DatamallError
        For the first mistake: a name that is not plain; an unknown key, store, column or file; a
        required column that is not filled, or filled in two ways; an expression that is no SQL.
    """
    if not NAME.fullmatch(name) or name in TAKEN:
        raise DatamallError(
            f"An authority cannot be called {name!r}: take a small letter and then at most 39 "
            f"small letters, digits and -, but not {' or '.join(TAKEN)}."
        )
    folder = root / "data" / "authorities"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise DatamallError(
            f"No authority called {name!r}: there are {known}; to add one, write "
            f"data/authorities/{name}.yaml."
        )
    place = f"data/authorities/{name}.yaml"
    document = read_yaml(path, place)
    _keys(document, AUTHORITY_KEYS, place, needed=("authority", "title", "files", "stores"))
    if document["authority"] != name:
        raise DatamallError(f"{place}: authority is {document['authority']!r}, not {name!r}.")
    if not isinstance(document.get("synthetic"), bool):
        raise DatamallError(f"{place}: say `synthetic: true` if the data are invented, or false.")
    files = {
        key: _file(key, item, f"{place}: file {key}")
        for key, item in _mapping(document["files"], place, "files").items()
    }
    contracts = load_contracts(root) if contracts is None else contracts
    stores = {}
    for store, item in _mapping(document["stores"], place, "stores").items():
        if store not in contracts:
            known = ", ".join(sorted(contracts))
            raise DatamallError(f"{place}: no contract for store {store!r}: there are {known}.")
        stores[store] = _store(contracts[store], item, files, f"{place}: store {store}")
    return Authority(
        authority=name,
        title=str(document["title"]),
        synthetic=document["synthetic"],
        description=str(document.get("description", "")),
        files=files,
        stores=stores,
    )


def _keys(item: Any, known: tuple[str, ...], place: str, needed: tuple[str, ...] = ()) -> None:
    if not isinstance(item, dict):
        raise DatamallError(f"{place}: `key: value` lines are expected here, not {item!r}.")
    for key in item:
        if key not in known:
            raise DatamallError(f"{place}: unknown key {key!r}: there are {', '.join(known)}.")
    for key in needed:
        if key not in item:
            raise DatamallError(f"{place}: the key {key!r} is missing: add it.")


def _mapping(item: Any, place: str, name: str) -> dict[str, Any]:
    if not isinstance(item, dict) or not item or not all(isinstance(key, str) for key in item):
        raise DatamallError(f"{place}: {name} must hold one or more names with lines below them.")
    return item


def _file(name: str, item: Any, place: str) -> RawFile:
    _keys(item, FILE_KEYS, place, needed=("path", "format"))
    for key, value in item.items():
        if not isinstance(value, str):
            raise DatamallError(f"{place}: {key} must be text: write it between quotes.")
    path = PurePosixPath(item["path"])
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DatamallError(f"{place}: path must lie below data/raw/<authority>, not {path}.")
    if any("**" in part and part != "**" for part in path.parts):
        raise DatamallError(
            f"{place}: path {item['path']!r} has ** beside other characters: write * for any "
            "characters in a name, and **/ for any folders."
        )
    if item["format"] not in ("csv", "parquet"):
        raise DatamallError(f"{place}: format must be csv or parquet, not {item['format']!r}.")
    if item["format"] == "parquet":
        for key in CSV_ONLY:
            if key in item:
                raise DatamallError(f"{place}: {key} has no meaning for parquet: leave it out.")
    if "sha256" in item and re.search(r"[*?\[]", item["path"]):
        raise DatamallError(f"{place}: a file with a sha256 has a full path, without * or ?.")
    if "sha256" in item and not re.fullmatch(r"[0-9a-f]{64}", item["sha256"]):
        raise DatamallError(f"{place}: sha256 must be 64 lower-case hexadecimal digits.")
    if not item.get("url", "https:").startswith("https:"):
        raise DatamallError(
            f"{place}: url must start with https:, so that nobody changes the file."
        )
    encoding = item.get("encoding", "utf-8")
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        known = isinstance(decoder.decode(b"", final=True), str)
    except (LookupError, ValueError):
        known = False
    if not known:
        raise DatamallError(
            f"{place}: no encoding is called {encoding!r}: utf-8 and windows-1252 are usual."
        )
    marks = {
        "separator": item.get("separator", ","),
        "quote": item.get("quote", '"'),
        "decimal": item.get("decimal", "."),
        "thousands": item.get("thousands", ""),
    }
    for key, mark in marks.items():
        empty = key in ("quote", "thousands") and not mark
        if not empty and (len(mark) != 1 or not mark.isascii() or mark.isalnum() or mark in "\r\n"):
            raise DatamallError(f"{place}: {key} must be one character, not {mark!r}.")
    if len({marks["separator"], marks["quote"]}) == 1 or marks["decimal"] == marks["thousands"]:
        raise DatamallError(f"{place}: one character has two meanings: correct one of them.")
    date_format = item.get("date_format", "%Y-%m-%d")
    try:
        type_of(f"strptime('', {literal(date_format)})", {})
    except DatamallError:
        date_format = ""
    # Case matters: %m is a month and %M are minutes, with which every date is in January.
    codes = set(re.findall(r"%-?([A-Za-z])", date_format.replace("%%", "")))
    if not (codes & set("yY") and ("j" in codes or (codes & set("mbB") and "d" in codes))):
        raise DatamallError(
            f"{place}: date_format {item['date_format']!r} is no date format: write it like "
            "%d-%m-%Y (%m is the month, %M are minutes)."
        )
    return RawFile(
        name=name,
        path=item["path"],
        format=item["format"],
        encoding=encoding,
        separator=marks["separator"],
        quote=marks["quote"],
        notation=Notation(marks["decimal"], marks["thousands"], date_format),
        **{key: item.get(key) for key in FETCHED},
    )


def _store(contract: Contract, item: Any, files: Mapping[str, RawFile], place: str) -> StoreMapping:
    _keys(item, STORE_KEYS, place, needed=("file", "columns"))
    if item["file"] not in files:
        raise DatamallError(
            f"{place}: no file is called {item['file']!r}: there are {', '.join(files)}."
        )
    if not isinstance(item.get("distinct", False), bool):
        raise DatamallError(f"{place}: distinct must be true or false.")
    columns = {column.name: column for column in contract.columns}
    fillings = {}
    for name, filling in _mapping(item["columns"], place, "columns").items():
        if name not in columns:
            raise DatamallError(
                f"{place}: the contract has no column {name!r}: there are {', '.join(columns)}."
            )
        fillings[name] = _filling(columns[name], filling, f"{place}, column {name}")
    for column in contract.columns:
        if column.required and column.name not in fillings:
            raise DatamallError(
                f"{place}: the contract requires column {column.name}: say how it is filled."
            )
    if not any(filling.headers for filling in fillings.values()):
        raise DatamallError(f"{place}: no column is read from the file: fill one `from` a header.")
    order = [column.name for column in contract.columns if column.name in fillings]
    return StoreMapping(
        store=contract.name,
        file=files[item["file"]],
        distinct=item.get("distinct", False),
        columns={name: fillings[name] for name in order},
    )


def _filling(column: Column, item: Any, place: str) -> Filling:
    _keys(item, COLUMN_KEYS, place)
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
        _mapping(values, place, "map")
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
        try:
            headers = tuple(columns_of(item["expression"]))
            kind = type_of(item["expression"], dict.fromkeys(headers, "VARCHAR"))
        except DatamallError as error:
            raise DatamallError(f"{place}: {error}.") from None
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
