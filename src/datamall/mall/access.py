"""Who gets what: the purpose register, and the extract that a purpose is granted.

Deny by default: a purpose grants the stores and columns written in ``data/purposes.yaml`` and
nothing else. Columns or stores that an authority does not deliver are left out and listed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datamall.errors import DatamallError
from datamall.mall.authorities import Authority, load_authority
from datamall.mall.contracts import Contract, load_contracts
from datamall.mall.documents import read_yaml
from datamall.mall.expressions import identifier
from datamall.mall.intake.read import digest
from datamall.project import store_folder

PERSONAL = {"persons", "households"}
GRAINS = ("value", "day", "week", "month", "quarter", "year")
NAME = re.compile(r"[a-z][a-z0-9_-]*")
KEYS = {
    "title": str,
    "question": str,
    "legal_basis": dict,
    "owner": str,
    "processes_personal_data": bool,
    "stores": dict,
}


class Refused(DatamallError):
    """A checkout that is not allowed or not possible.

    Attributes
    ----------
    code
        Reason code: ``unknown-purpose``, ``unknown-store``, ``unknown-column``,
        ``not-granted``, ``store-not-taken-in``, ``store-damaged`` or ``inexact-sum``.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"{sentence} ({code})")
        self.code = code


@dataclass(frozen=True)
class Grant:
    """What a purpose gets of one store.

    Attributes
    ----------
    store
        Name, ``department.store``.
    columns
        Column → how fine: ``value``, or for dates ``day`` to ``year`` (the first day of it).
    sums
        Columns that are added up per combination of `columns`; None: rows, not sums.
    last_day
        The columns that hold the first day and the number of days of a period, or None.
    """

    store: str
    columns: Mapping[str, str]
    sums: tuple[str, ...] | None
    last_day: tuple[str, str] | None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of the extract, in order."""
        return (*self.columns, *(self.sums or ()))


@dataclass(frozen=True)
class Purpose:
    """An entry of the purpose register, checked against the contracts."""

    name: str
    title: str
    grants: tuple[Grant, ...]


def load_purposes(root: Path, contracts: Mapping[str, Contract]) -> dict[str, Purpose]:
    """Return the purpose register ``data/purposes.yaml``.

    Parameters
    ----------
    root
        Project folder.
    contracts
        Contracts by store, from `datamall.mall.contracts.load_contracts`.

    Returns
    -------
    dict
        Purposes by name.

    Raises
    ------
    DatamallError
        At the first mistake: it is a `Refused` where a store or column has no contract.
    """
    path = root / "data" / "purposes.yaml"
    if not path.is_file():
        raise DatamallError("There is no data/purposes.yaml: without it nothing is granted.")
    register = read_yaml(path, "data/purposes.yaml")
    return {name: _purpose(name, entry, contracts) for name, entry in register.items()}


def _purpose(name: Any, entry: Any, contracts: Mapping[str, Contract]) -> Purpose:
    where = f"data/purposes.yaml: purpose {name!r}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DatamallError(f"{where}: a name has small letters, digits, - and _ only; rename it.")
    if not isinstance(entry, dict):
        raise DatamallError(f"{where} must be a mapping with {', '.join(KEYS)}.")
    _only(where, entry, KEYS)
    for key, kind in KEYS.items():
        if not isinstance(entry.get(key), kind) or entry[key] in ("", {}):
            raise DatamallError(f"{where} needs {key!r}, as {_kind(kind)}; write it down.")
    basis = entry["legal_basis"]
    if not all(isinstance(basis.get(key), str) and basis[key] for key in ("gdpr", "statute")):
        raise DatamallError(f"{where}: legal_basis needs 'gdpr' and 'statute' as text.")
    grants = tuple(_grant(where, store, wish, contracts) for store, wish in entry["stores"].items())
    personal = sorted(g.store for g in grants if contracts[g.store].counted in PERSONAL)
    if personal and not entry["processes_personal_data"]:
        raise DatamallError(
            f"{where} says that it processes no personal data, but {', '.join(personal)} counts "
            "persons or households; set processes_personal_data to true."
        )
    return Purpose(name, entry["title"], grants)


def _grant(where: str, store: Any, wish: Any, contracts: Mapping[str, Contract]) -> Grant:
    where = f"{where}, store {store!r}"
    if store not in contracts:
        raise Refused("unknown-store", f"{where}: there is no contract for it in data/contracts.")
    if not isinstance(wish, dict):
        raise DatamallError(f"{where} needs either 'columns', or 'grain' and 'sums'.")
    _only(where, wish, ("columns", "grain", "sums", "last_day"))
    grain, sums, last_day = (wish.get(key) for key in ("grain", "sums", "last_day"))
    if ("columns" in wish) == ("grain" in wish) or ("grain" in wish) != ("sums" in wish):
        raise DatamallError(f"{where} needs either 'columns', or 'grain' and 'sums'.")
    if "columns" in wish:
        columns = dict.fromkeys(_names(f"{where}, columns", wish["columns"]), "value")
    elif isinstance(grain, dict) and grain:
        columns = grain
    else:
        raise DatamallError(f"{where}: grain must map columns to one of {', '.join(GRAINS)}.")
    added = None if sums is None else _names(f"{where}, sums", sums)
    ends = None if last_day is None else _names(f"{where}, last_day", last_day)
    types = {column.name: column.type for column in contracts[store].columns}
    for column in (*columns, *(added or ()), *(ends or ())):
        if column not in types:
            raise Refused("unknown-column", f"{where}: its contract has no column {column!r}.")
    for column, fine in columns.items():
        if fine not in GRAINS:
            raise DatamallError(
                f"{where}: grain of {column!r} is {fine!r}; choose from {', '.join(GRAINS)}."
            )
        if fine != "value" and types[column] != "date":
            raise DatamallError(f"{where}: only a date has the grain {fine!r}, {column!r} is none.")
    for column in added or ():
        if types[column] not in ("integer", "number"):
            raise DatamallError(f"{where}: {column!r} is no number and cannot be added up.")
        if column in columns:
            raise DatamallError(f"{where}: {column!r} is both grain and sum; choose one.")
    if ends is None:
        return Grant(store, columns, added, None)
    if [types[column] for column in ends] != ["date", "integer"]:
        raise DatamallError(
            f"{where}: last_day names two columns, a date and a whole number of days."
        )
    return Grant(store, columns, added, (ends[0], ends[1]))


def _only(where: str, entry: Mapping[Any, Any], known: Any) -> None:
    for key in entry:
        if key not in known:
            raise DatamallError(
                f"{where} has an unknown key {key!r}; known are {', '.join(known)}."
            )


def _names(where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or len({str(v) for v in value}) != len(value):
        raise DatamallError(f"{where} must be a list of different columns.")
    return tuple(str(name) for name in value)


def _kind(kind: type) -> str:
    return {str: "text", dict: "a mapping", bool: "true or false"}[kind]


def checkout(
    root: Path, authority: str, purpose: str, folder: Path, *, threads: int = 2
) -> dict[str, Any]:
    """Decide on a purpose and write its extract.

    Parameters
    ----------
    root
        Project folder.
    authority, purpose
        Whose data, and an entry of ``data/purposes.yaml``.
    folder
        Existing folder for the extract: one ``<department.store>.parquet`` per store that is
        delivered, rows in the order of all columns, and ``extract.json``; nobody else can read
        them.
    threads
        Threads of the engine; the result is the same.

    Returns
    -------
    dict
        What ``extract.json`` holds: ``purpose``, ``title``, ``authority``, ``authority_title``,
        ``synthetic``, ``description``, ``stores`` (per store: ``columns``, ``not_delivered``,
        ``rows``, ``counted``), ``period`` (``first_day`` and ``last_day`` as ISO dates, or None)
        and ``personal`` (whether a delivered store counts persons or households).

    Raises
    ------
    Refused
        When the purpose is unknown, grants something that has no contract, or needs a store
        that has not been taken in, is damaged or has no exact sum; nothing has been written then.
    DatamallError
        When the register, a contract or the mapping has a mistake.
    """
    contracts = load_contracts(root)
    register = load_purposes(root, contracts)
    if purpose not in register:
        raise Refused(
            "unknown-purpose",
            f"No purpose called {purpose!r} in data/purposes.yaml: "
            f"there are {', '.join(sorted(register))}.",
        )
    mapping = load_authority(root, authority)
    granted = register[purpose]
    taken_in = {g.store: _taken_in(root, mapping, g.store) for g in granted.grants}
    stores: dict[str, Any] = {}
    periods: list[tuple[str, str]] = []
    with duckdb.connect(config={"threads": threads, "memory_limit": "600MB"}) as engine:
        # What does not fit into memory must not spill into whatever folder we are in.
        engine.execute("SET temp_directory = ?", [str(folder / ".spill")])
        queries = {g.store: _query(engine, g, *taken_in[g.store]) for g in granted.grants}
        # All is decided: from here on files are made.
        for grant in granted.grants:
            delivered, parts = taken_in[grant.store]
            columns = [name for name in grant.names if name in delivered]
            rows = 0
            if columns:
                source = engine.read_parquet(parts)
                table = source.query("store", queries[grant.store]).to_arrow_table()
                path = _private(folder / f"{grant.store}.parquet")
                pq.write_table(table, path, compression="zstd")
                rows = table.num_rows
                if grant.last_day and set(grant.last_day) <= set(delivered) and rows:
                    periods.append(_period(engine, parts, *grant.last_day))
            stores[grant.store] = {
                "columns": columns,
                "not_delivered": [name for name in grant.names if name not in delivered],
                "rows": rows,
                "counted": contracts[grant.store].counted,
            }
    period = None
    if periods:
        first, last = zip(*periods, strict=True)
        period = {"first_day": min(first), "last_day": max(last)}
    extract = {
        "purpose": purpose,
        "title": granted.title,
        "authority": authority,
        "authority_title": mapping.title,
        "synthetic": mapping.synthetic,
        "description": mapping.description,
        "stores": stores,
        "period": period,
        "personal": any(s["columns"] and s["counted"] in PERSONAL for s in stores.values()),
    }
    text = json.dumps(extract, indent=1, ensure_ascii=False)
    _private(folder / "extract.json").write_text(text + "\n", encoding="utf-8")
    return extract


def _private(path: Path) -> Path:
    """Make an empty file that only its owner can read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    return path


def _taken_in(root: Path, mapping: Authority, store: str) -> tuple[list[str], list[str]]:
    """Return the columns and the parts of a store; none if the authority does not deliver it.

    The parts must be those that were taken in: a store that was changed since is refused.
    """
    if store not in mapping.stores:
        return [], []
    authority = mapping.authority
    folder = store_folder(root, authority, store)
    if not (folder / "store.json").is_file():
        raise Refused(
            "store-not-taken-in",
            f"Store {store} of {authority} has not been taken in: "
            f"run `datamall intake {store} --authority {authority}` and try again.",
        )
    parts = sorted(folder.glob("part-*.parquet"))
    try:
        manifest = json.loads((folder / "store.json").read_text("utf-8"))
        columns = list(map(str, manifest["columns"]))
        listed = {part["name"]: part["sha256"] for part in manifest["parts"]}
        whole = bool(parts) and listed == {part.name: digest(part) for part in parts}
        whole = whole and set(columns) <= set(pq.read_schema(parts[0]).names)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        whole = False
    if not whole:
        raise Refused(
            "store-damaged",
            f"The files of store {store} of {authority} are not those that store.json lists: "
            f"run `datamall intake {store} --authority {authority}` again.",
        )
    # DuckDB expands patterns in names; the folders above the store may hold such characters.
    return columns, [re.sub(r"([*?\[])", r"[\1]", str(part)) for part in parts]


def _query(
    engine: duckdb.DuckDBPyConnection, grant: Grant, delivered: list[str], parts: list[str]
) -> str:
    """Return SQL for the granted columns in total order: rows, or one group-by."""
    if not parts:
        return ""
    source = engine.read_parquet(parts)
    types = {name: str(kind) for name, kind in zip(source.columns, source.types, strict=True)}
    terms, keys = [], []
    for name in grant.names:
        if name not in delivered:
            continue
        column, fine = identifier(name), grant.columns.get(name)
        if fine is None:
            total = _total(grant.store, name, types[name])
            terms.append(f"CAST(sum({column}) AS {total}) AS {column}")
        else:
            keys.append(column if fine == "value" else f"date_trunc('{fine}', {column})::DATE")
            terms.append(f"{keys[-1]} AS {column}")
    group = f"GROUP BY {', '.join(keys)}" if grant.sums is not None and keys else ""
    return f"SELECT {', '.join(terms)} FROM store {group} ORDER BY ALL"


def _total(store: str, column: str, kind: str) -> str:
    """Return the type of a sum. Floating-point sums depend on the order, so on the threads."""
    if kind in ("DOUBLE", "FLOAT"):
        raise Refused(
            "inexact-sum",
            f"{store}.{column} is stored as {kind} and has no exact sum: give it a whole or "
            "decimal physicalType in its contract, and take the store in again.",
        )
    scale = re.fullmatch(r"DECIMAL\(\d+,\s*(\d+)\)", kind)
    return f"DECIMAL(38, {scale[1]})" if scale else "BIGINT"


def _period(
    engine: duckdb.DuckDBPyConnection, parts: list[str], start: str, days: str
) -> tuple[str, str]:
    first, length = identifier(start), identifier(days)
    query = f"SELECT min({first}), max({first} + CAST({length} AS INTEGER) - 1) FROM store"
    row = engine.read_parquet(parts).query("store", query).fetchone()
    assert row is not None
    return row[0].isoformat(), row[1].isoformat()
