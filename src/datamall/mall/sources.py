"""Sources of an extract: what a store holds, and what of that may still be handed out.

A store is read only where it is whole, taken in under its contract as it is now, and as far as the
contract keeps its rows and their keys are there. Retention is reckoned from a day that the
authority's mapping names (``as_of``) or else from the last day of the store itself, never from a
clock: the same data give the same extract on any day.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datamall.mall import accepted, closed_stores
from datamall.mall.authorities import Authority
from datamall.mall.contracts import Contract
from datamall.mall.expressions import identifier, literal
from datamall.mall.log import persons
from datamall.mall.purposes import Refused
from datamall.mall.retention import kept_since
from datamall.project import file_digest, store_folder


@dataclass(frozen=True)
class Source:
    """What a store holds: its columns and its parts, or a table that the door made or opened.

    Attributes
    ----------
    columns
        Those that are delivered.
    version
        SHA-256 of its manifest, or of the rows of one of the mall's own registers.
    parts, table
        Files with the rows, or the rows.
    condition
        SQL of the rows that are kept; empty: all.
    since
        The first day of which rows are kept, where there are older ones; or None.
    last
        The last day in its rows, if they have one.
    gone
        Epochs of the version whose keys were destroyed.
    """

    columns: tuple[str, ...]
    version: str = ""
    parts: tuple[Path, ...] = ()
    table: pa.Table | None = None
    condition: str = ""
    since: str | None = None
    last: date | None = None
    gone: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        """What part of the version is kept, as the log names it; empty: all of it."""
        since = [f"since-{self.since}"] if self.since else []
        return ".".join([*since, *(f"without-{epoch}" for epoch in self.gone)])

    @property
    def seen(self) -> str:
        """The version or the part of it, as its tags are named."""
        return persons.seen(self.version, self.part)

    @property
    def whole(self) -> bool:
        """Whether the files are handed out with all of their rows."""
        return self.table is None and bool(self.parts) and not self.condition

    def relation(self, engine: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """Return the rows that are kept, for a query."""
        if self.table is not None:
            found = engine.from_arrow(self.table)
        else:
            # DuckDB expands patterns in names; folders above the store may hold such characters.
            names = [re.sub(r"([*?\[])", r"[\1]", str(path)) for path in self.parts]
            found = engine.read_parquet(names)
        return found.filter(self.condition) if self.condition else found


NOTHING = Source(())


def of_table(table: pa.Table) -> Source:
    """Return one of the mall's own registers as a source."""
    rows = json.dumps(table.to_pylist(), sort_keys=True, default=str)
    version = hashlib.sha256(rows.encode()).hexdigest()
    return Source(tuple(table.column_names), version, table=table)


def taken_in(root: Path, mapping: Authority, contract: Contract) -> Source:
    """Return what a store holds; nothing if the authority does not deliver it, or not yet.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    contract
        The contract of the store as it is now.

    Raises
    ------
    Refused
        ``store-not-taken-in``; ``store-damaged`` where its files are not those that were taken in;
        ``other-contract`` where that was under another contract; and those of
        `datamall.mall.accepted.check` and `datamall.mall.closed_stores.rows`.
    """
    authority, store = mapping.authority, contract.name
    if store not in mapping.stores:
        return NOTHING
    accepted.check(root, mapping, contract)
    folder = store_folder(root, authority, store)
    if not (folder / "store.json").is_file():
        if all(source.file.result_of for source in mapping.stores[store].sources):
            return NOTHING  # handed over by a page that nobody has made yet
        raise Refused(
            "store-not-taken-in",
            f"Store {store} of {authority} has not been taken in: "
            f"run `datamall intake {store} --authority {authority}` and try again.",
        )
    parts = sorted(folder.glob("part-*"))
    try:
        written = (folder / "store.json").read_bytes()
        version, manifest = hashlib.sha256(written).hexdigest(), json.loads(written)
        columns = tuple(map(str, manifest["columns"]))
        listed = {part["name"]: part["sha256"] for part in manifest["parts"]}
        sealed = bool(manifest.get("sealed"))
        same = accepted.taken_in_under(manifest, contract)
        whole = bool(parts) and listed == {part.name: file_digest(part) for part in parts}
        if sealed:
            whole &= all("epoch" in part for part in manifest["parts"])
        elif whole:
            whole = set(columns) <= set(pq.read_schema(parts[0]).names)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        whole = False
    if not whole:
        raise Refused(
            "store-damaged",
            f"The files of store {store} of {authority} are not those that store.json lists: "
            f"run `datamall intake {store} --authority {authority}` again.",
        )
    if not same:
        raise Refused(
            "other-contract",
            f"Store {store} of {authority} was not taken in under its contract as it is now: run "
            f"`datamall intake {store} --authority {authority}` and try again.",
        )
    if sealed:
        rows = closed_stores.rows(root, folder, manifest, mapping)
        gone = tuple(closed_stores.destroyed(root, mapping, manifest))
        return Source(columns, version, table=rows, gone=gone)
    return Source(columns, version, tuple(parts))


def kept(
    engine: duckdb.DuckDBPyConnection, source: Source, contract: Contract, as_of: date | None
) -> Source:
    """Return what of a store may still be handed out: no row older than its contract keeps it.

    Parameters
    ----------
    engine
        Reads the days of the rows.
    source, contract
        The store. One without a day or year in its rows is kept whole.
    as_of
        The day from which retention is reckoned; None: the last one in the store.
    """
    dated = contract.dated
    if dated is None or dated not in source.columns:
        return source
    column, by_year = identifier(dated), contract.column(dated).type == "integer"
    ends = source.relation(engine).query("store", f"SELECT min({column}), max({column}) FROM store")
    row = ends.fetchone()
    if row is None or row[0] is None:
        return source
    last = date(row[1], 12, 31) if by_year else row[1]
    source = replace(source, last=last)
    since = kept_since(contract.retention, as_of or last)
    first = since.year if by_year else since  # of a year that is kept in part, all of it is
    if row[0] >= first:
        return source
    # Of a row without a day nobody can say that it is older.
    condition = f"{column} >= {literal(first)} OR {column} IS NULL"
    return replace(source, condition=condition, since=since.isoformat())
