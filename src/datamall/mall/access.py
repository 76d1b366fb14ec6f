"""Checkout: decide on a purpose, write the extract that it is granted, and write down that.

Deny by default: see `datamall.mall.purposes`. Columns or stores that an authority does not deliver
are left out and listed. Granted or refused, nothing comes of it without an entry in the log of
use (`datamall.mall.log.logbook`).
"""

import json
import re
import shutil
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datamall.mall import epochs, extracts, pseudonyms, roles
from datamall.mall.authorities import Authority, load_authority
from datamall.mall.contracts import Contract, load_contracts
from datamall.mall.expressions import identifier
from datamall.mall.log import persons, uses
from datamall.mall.purposes import (
    PERSONAL,
    Grant,
    Purpose,
    Refused,
    check_joins,
    load_purposes,
)
from datamall.mall.registers import Registers, is_register
from datamall.mall.sources import Source, kept, of_table, taken_in
from datamall.rows import NotInOrder, Rows


def checkout(
    root: Path,
    authority: str,
    purpose: str,
    folder: Path,
    occasion: str = "",
    *,
    inside: bool = False,
    beside: Collection[str] = (),
    threads: int = 2,
) -> dict[str, Any]:
    """Decide on a purpose, write its extract and, last, an entry in the log of use.

    Parameters
    ----------
    root
        Project folder.
    authority, purpose
        Whose data, and an entry of ``data/purposes.yaml``.
    folder
        Existing folder for the extract, which nobody else looks into before this returns: one
        folder ``<department.store>`` per store that is delivered, with its rows in
        ``part-*.parquet``, in the order of all columns, and ``extract.json``; only their owner can
        read them.
    occasion
        What asks, in words for the log: ``report enforcement``.
    inside
        Whether a program inside the door asks, for whom a purpose may be reserved; such a purpose
        gets the numbers of persons, and every other one pseudonyms (`datamall.mall.pseudonyms`).
    beside
        Purposes of which who asks has the extracts already: together with theirs, too, no two
        stores may be forbidden to join.
    threads
        Threads of the engine; the result is the same.

    Returns
    -------
    dict
        What ``extract.json`` holds: ``purpose``, ``title``, ``authority``, ``authority_title``,
        ``synthetic``, ``description``, ``stores`` (per store: ``columns``, ``not_delivered``,
        ``rows``, ``kept_since``, ``counted``, and ``about``, what the contract says of each of its
        columns),
        ``period`` (``first_day`` and ``last_day`` as ISO dates, or None) and ``personal`` (whether
        a delivered store counts persons or households).

    Raises
    ------
    Refused
        When the purpose is unknown or for other roles, grants something that has no contract or may
        not lie beside what was handed out, or needs a store that has not been taken in, not under
        its contract of now, is damaged or has no exact sum; nothing has been written then.
    DatamallError
        When the register, a contract or the mapping has a mistake, or the log cannot be written;
        no extract is there then.
    """
    try:
        extract, used = _extract(root, authority, purpose, folder, inside, beside, threads)
    except Exception as error:
        uses.refused(root, authority, purpose, occasion, uses.reason(error))
        raise
    try:
        uses.granted(root, authority, used, occasion)
    except BaseException:
        (folder / "extract.json").unlink(missing_ok=True)
        for store in extract["stores"]:
            shutil.rmtree(folder / store, ignore_errors=True)
        raise
    return extract


def _extract(
    root: Path,
    authority: str,
    purpose: str,
    folder: Path,
    inside: bool,
    beside: Collection[str],
    threads: int,
) -> tuple[dict[str, Any], uses.Used]:
    """Write the extract; return what it holds, and what the log is to say of it."""
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
    if granted.inside and not inside:
        raise Refused(
            "inside-only",
            f"{purpose!r} hands out no extract: a program inside the door reads it (`datamall "
            "worklist`, `datamall resolve`).",
        )
    delivered = [contracts[g.store] for g in granted.grants if g.store in mapping.stores]
    # What is public, or not there, needs nobody's role.
    guarded = any(contract.counted != "public" for contract in delivered)
    role = roles.acting(mapping, purpose, granted.roles) if guarded else None
    there = {g.store for name in (*beside, purpose) for g in register[name].grants}
    check_joins(f"Who asks for {purpose!r} beside {', '.join(beside)}", there, contracts)
    wanted = [g.store for g in granted.grants]
    sources = {name: taken_in(root, mapping, contracts[name]) for name in wanted}
    if any(map(is_register, sources)):
        made = Registers(root, mapping, contracts, register)
        sources |= {name: of_table(made.table(name)) for name in wanted if is_register(name)}
    stores: dict[str, Any] = {}
    used: list[dict[str, Any]] = []
    periods: list[tuple[str, str]] = []
    with duckdb.connect(config={"threads": threads, "memory_limit": "600MB"}) as engine:
        # What does not fit into memory must not spill into whatever folder we are in.
        engine.execute("SET temp_directory = ?", [str(folder / ".spill")])
        for name, source in sources.items():
            sources[name] = kept(engine, source, contracts[name], mapping.as_of)
        shown = sources
        if not granted.inside:
            shown = _pseudonymous(root, mapping, granted, contracts, sources, engine)
        queries = {g.store: _query(engine, g, shown[g.store]) for g in granted.grants}
        # All is decided: from here on files are made.
        for grant in granted.grants:
            source, contract = sources[grant.store], contracts[grant.store]
            columns = [name for name in grant.names if name in source.columns]
            rows = 0
            if columns:
                own = folder / grant.store
                own.mkdir(mode=0o700, exist_ok=True)
                for old in own.glob("part-*"):  # of an extract that was here before
                    old.unlink()
                query = queries[grant.store]
                rows = _write(engine, grant, contract.key, shown[grant.store], query, columns, own)
                if grant.last_day and set(grant.last_day) <= set(source.columns) and rows:
                    periods.append(_period(engine, source, *grant.last_day))
                who = _persons(root, mapping, engine, contract, source)
                used.append(uses.of_store(grant, contract, source, columns, rows, who))
            stores[grant.store] = {
                "columns": columns,
                "not_delivered": [name for name in grant.names if name not in source.columns],
                "rows": rows,
                "kept_since": source.since,
                "counted": contract.counted,
                "about": _about(contract, grant, source),
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
    return extract, uses.Used(granted, used, role)


def _pseudonymous(
    root: Path,
    mapping: Authority,
    purpose: Purpose,
    contracts: dict[str, Contract],
    sources: dict[str, Source],
    engine: duckdb.DuckDBPyConnection,
) -> dict[str, Source]:
    """Return the sources with pseudonyms where the purpose is granted numbers of persons.

    The epoch is the year of the authority's day, or of the last one in the stores concerned, so
    that all of them join.
    """
    kinds = {
        grant.store: {
            column: kind
            for column, kind in pseudonyms.identifiers(contracts[grant.store]).items()
            if column in grant.columns and column in sources[grant.store].columns
        }
        for grant in purpose.grants
    }
    with_numbers = [store for store, own in kinds.items() if own]
    if not with_numbers:
        return sources
    days = [day for store in with_numbers if (day := sources[store].last)]
    known = mapping.as_of or max(days, default=None)
    epoch = str(known.year) if known else epochs.UNDATED
    key = pseudonyms.key_of(root, mapping, purpose.name, epoch)
    return sources | {
        store: replace(
            sources[store],
            table=pseudonyms.replaced(
                sources[store].relation(engine).to_arrow_table(), kinds[store], key, epoch
            ),
            condition="",
        )
        for store in with_numbers
    }


def _persons(
    root: Path,
    mapping: Authority,
    engine: duckdb.DuckDBPyConnection,
    contract: Contract,
    source: Source,
) -> persons.Kept | None:
    """Return who is in what is kept of a store of persons; None if that cannot be told."""
    column = contract.person
    if column is None or column not in source.columns:
        return None
    known = persons.kept(root, contract.name, source.seen)
    if known is not None:
        return known
    numbers = source.relation(engine).select(identifier(column)).to_arrow_table()[0]
    return persons.keep(root, mapping, contract.name, source.seen, column, numbers)


def _private(path: Path) -> Path:
    """Make an empty file that only its owner can read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    return path


def _about(contract: Contract, grant: Grant, source: Source) -> dict[str, Any]:
    """Return what a contract says of each of its columns, granted or not."""
    return {
        column.name: {
            "title": column.title,
            "description": column.description,
            "unit": column.unit,
            "family": column.family,
            "profiling": column.profiling,
            "granted": column.name in grant.names,
            "delivered": column.name in source.columns,
        }
        for column in contract.columns
    }


def _query(engine: duckdb.DuckDBPyConnection, grant: Grant, source: Source) -> str:
    """Return SQL for the granted columns in total order: rows, or one group-by."""
    if not source.columns:
        return ""
    relation = source.relation(engine)
    types = {n: str(kind) for n, kind in zip(relation.columns, relation.types, strict=True)}
    terms, keys = [], []
    for name in grant.names:
        if name not in source.columns:
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


def _write(
    engine: duckdb.DuckDBPyConnection,
    grant: Grant,
    key: tuple[str, ...],
    source: Source,
    query: str,
    columns: list[str],
    folder: Path,
) -> int:
    """Write the granted columns of a store in total order; return the number of rows."""
    path = _private(folder / "part-00000.parquet")
    own = source.relation(engine).query("store", query)
    if source.whole:
        lies = pq.read_schema(source.parts[0])
        if grant.sums is None and columns == lies.names and columns[: len(key)] == list(key):
            # A store lies in the order of its key. Granted whole, it is handed out as it lies.
            for number, part in enumerate(source.parts):
                shutil.copyfile(part, _private(folder / f"part-{number:05d}.parquet"))
            return sum(pq.read_metadata(part).num_rows for part in source.parts)
        fine = {name for name in columns if grant.columns.get(name) == "value"}
        ways: list[Iterator[pa.Table]] = []
        # Of cells as fine as the key each is one row: there is nothing to add up.
        if grant.sums is None or fine.issuperset(key):
            ways.append(extracts.as_they_lie(list(source.parts), columns))
        if grant.sums is not None and columns[0] in fine:
            ways.append(_grouped(engine, source, query, columns))
        for tables in ways:
            try:
                return extracts.write(tables, own.limit(0).to_arrow_table().schema, path)
            except NotInOrder:
                _private(path)
    reader = own.to_arrow_reader(extracts.GROUP_ROWS)
    return extracts.write(_tables(reader), reader.schema, path)


def _grouped(
    engine: duckdb.DuckDBPyConnection, source: Source, query: str, columns: list[str]
) -> Iterator[pa.Table]:
    """Yield the groups of a query slice by slice of its first column, in memory for one slice.

    Raises
    ------
    NotInOrder
        When the store does not lie in the order of that column.
    """
    for rows in Rows(source.parts, columns[0])[columns].tables():
        part = Source(tuple(columns), table=rows)
        yield part.relation(engine).query("store", query).to_arrow_table()


def _tables(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    for batch in reader:
        yield pa.Table.from_batches([batch])


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
    engine: duckdb.DuckDBPyConnection, source: Source, start: str, days: str | None = None
) -> tuple[str, str]:
    """Return the first and the last day of dates, of periods or of whole years."""
    first, relation = identifier(start), source.relation(engine)
    length = f"CAST({identifier(days)} AS INTEGER)" if days else "1"
    ends = f"min({first}), max({first} + {length} - 1)"
    if str(relation.select(first).types[0]) != "DATE":
        ends = f"make_date(min({first}), 1, 1), make_date(max({first}), 12, 31)"
    row = relation.query("store", f"SELECT {ends} FROM store").fetchone()
    assert row is not None
    return row[0].isoformat(), row[1].isoformat()
