"""Intake: raw files → a store that keeps its contract, and a quarantine for what does not.

The raw files are streamed, each row is checked against the contract in one query, sorted by key
and written in parts of fixed size. Every record that was parsed ends in the store or in the
quarantine; the old store stays as it was until the new one is complete.
"""

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datamall.errors import DatamallError
from datamall.mall import vault
from datamall.mall.authorities import Authority, Source, StoreMapping, load_authority
from datamall.mall.contracts import Contract, load_contracts
from datamall.mall.expressions import literal
from datamall.mall.intake.checks import Check, checks_of, reference_table
from datamall.mall.intake.read import RECORD, RawRecords
from datamall.mall.intake.sql import CHECK, COPIES, LEFT_OUT, converter, query, raw_table
from datamall.mall.intake.write import Kept, Parts, Reason, Repeats, write_quarantine
from datamall.project import file_digest, reports_folder, store_folder

BATCH_ROWS = 125_000
# Share of records, and number, that may contradict others before a delivery is held back: a few
# can be looked at one by one.
CONFLICTS, FEW = 0.01, 100
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DUPLICATE = Reason("duplicate", "The same row was read before; the first one is kept.")
CONFLICT = Reason("conflict", "Rows with this key differ; none of them is kept.")


class LostRecords(Exception):
    """Accepted and quarantined records do not add up to those parsed: a fault in this program."""


def intake(
    root: Path, authority: str, store: str, *, threads: int = 2, memory: str = "400MB"
) -> dict[str, Any]:
    """Take the raw files of one store in.

    Writes, aside and then in one move, ``data/stores/<authority>/<store>/`` with
    ``part-*.parquet`` (sorted by key), ``quarantine.parquet`` (file, row, header where one cell of
    a wide record is meant, reason, detail, raw) and ``store.json``, and ``quality/<store>.json``
    in the authority's reports folder. Where the store counts persons or households, parts and
    quarantine are closed (``.siv``, see `datamall.mall.vault`).

    Parameters
    ----------
    root
        Project folder.
    authority
        Name of the authority: its mapping is ``data/authorities/<authority>.yaml``.
    store
        ``department.store``.
    threads, memory
        Threads and memory of the engine; the result is the same.

    Returns
    -------
    dict
        The quality report: ``parsed``, ``accepted``, ``quarantined``, ``quarantined_share``,
        ``reasons`` (code → records) and ``missing`` (column → rows without a value). Where the
        mapping leaves records out, or keeps or counts equal rows as one, also ``read`` (all
        records), ``left_out`` and ``merged``, and ``parsed`` is without these. If there are any:
        ``empty_files`` without a record, and ``unchecked_references``, the columns that refer to
        a store that this authority does not deliver.

    Raises
    ------
    DatamallError
        When the store counts persons or households and the authority has no key; when contract
        or mapping have a mistake, a raw file is missing, empty, damaged, changed
        meanwhile or in another form than mapped, a store referred to is not there, all records
        would end in quarantine, or there is no room on the disk. The old store is untouched.
    """
    contracts = load_contracts(root)
    mapped = load_authority(root, authority, contracts)
    if store not in mapped.stores:
        known = ", ".join(mapped.stores)
        raise DatamallError(f"{authority} delivers no store called {store!r}: there are {known}.")
    mapping, contract = mapped.stores[store], contracts[store]
    # Before anything is read: without a key such a store may not be made.
    key = vault.key(mapped) if contract.personal else None
    targets = {c.name: c.reference for c in contract.columns if c.reference and mapping.has(c.name)}
    references = {
        name: _reference(root, mapped, store, *target)
        for name, target in targets.items()
        if target[0] in mapped.stores
    }
    unchecked = [name for name in targets if name not in references]
    sources: list[RawRecords] = []
    for source in mapping.sources:
        first = sum(len(before.paths) for before in sources)
        sources.append(RawRecords(root, mapped, source, contract, first))
    target = store_folder(root, authority, store)
    report_path = reports_folder(root, authority) / "quality" / f"{store}.json"
    with _explained(store), _aside(target) as folder:
        spill = folder / "spill"
        spill.mkdir()
        with _engine(threads, memory, spill, references) as engine:
            checks = [checks_of(contract, source, references) for source in mapping.sources]
            report, manifest, parts = _fill(
                engine, folder, spill, sources, contract, mapping, checks
            )
        empty = sorted({name for source in sources for name in source.empty})
        if empty:
            report["empty_files"] = empty
        if unchecked:
            report["unchecked_references"] = unchecked
        shutil.rmtree(spill)
        listed = _listed(parts)
        if key is not None:
            seal = vault.Seal(key, store, contract.version, len(parts))
            seal.close(folder / "quarantine.parquet")
            closed = _listed([seal.close(path) for path in parts], [one["rows"] for one in listed])
            listed = closed
        manifest = {"authority": authority, "store": store, **manifest}
        manifest |= {"sealed": key is not None, "parts": listed}
        _write_json(folder / "store.json", manifest)
        report_path.parent.mkdir(parents=True, exist_ok=True)
        report_aside = report_path.with_suffix(".json.partial")
        try:
            _write_json(report_aside, report)
            _swap(folder, target)
            report_aside.replace(report_path)
        finally:
            report_aside.unlink(missing_ok=True)
    return report


def _fill(
    engine: duckdb.DuckDBPyConnection,
    folder: Path,
    spill: Path,
    sources: list[RawRecords],
    contract: Contract,
    mapping: StoreMapping,
    checks: list[list[Check]],
) -> tuple[dict[str, Any], dict[str, Any], list[Path]]:
    """Write parts and quarantine into a folder; return quality report, manifest and parts."""
    columns = list(mapping.columns)
    kept = [
        Kept(source, spill / f"{raw_table(number)}.arrow", _secret(contract, how))
        for number, (source, how) in enumerate(zip(sources, mapping.sources, strict=True))
    ]
    repeats, parts = Repeats(contract.key, columns), Parts(folder, contract, columns)
    failed: list[np.ndarray] = []
    verdicts: list[np.ndarray] = []
    left_out = merged = 0
    try:
        for number, source in enumerate(sources):
            raw = pa.RecordBatchReader.from_batches(
                source.schema, source.batches(kept[number].file)
            )
            # As a C stream: a reader would be wrapped in a scanner that runs far ahead in memory.
            engine.register(raw_table(number), raw.__arrow_c_stream__())
            if mapping.sources[number].placed:
                mapping.sources[number].file.system.install(engine, converter(number))
        result = engine.execute(query(contract, mapping, checks)).to_arrow_reader(BATCH_ROWS)
        for batch in result:
            table = pa.Table.from_batches([batch])
            verdict = table[CHECK].to_numpy()
            if COPIES in table.schema.names:
                merged += int(pc.sum(table[COPIES]).as_py() or 0) - table.num_rows
            left_out += int((verdict == LEFT_OUT).sum())
            bad = verdict > 0
            if bad.any():
                failed.append(table[RECORD].to_numpy()[bad])
                verdicts.append(verdict[bad] - 1)
            if verdict.any():
                table = table.filter(pa.array(verdict == 0))
            _check_tally(table, contract, mapping)
            parts.write(repeats.feed(table))
        parts.write(repeats.finish())
        written = parts.finish()
    except (duckdb.Error, pa.ArrowException, OSError):
        for source in sources:
            if source.error is not None:  # the engine has buried its message
                raise source.error from None
        raise
    finally:
        parts.close()
    every = [check for some in checks for check in some]
    reasons = [Reason(check.code, check.sentence) for check in every] + [CONFLICT, DUPLICATE]
    copies = _numbers(repeats.duplicates)
    kept_once = np.zeros(len(copies), dtype=bool)
    for source, how in zip(sources, mapping.sources, strict=True):
        low, high = source.range
        kept_once |= how.distinct & (copies >= low) & (copies < high)
    merged += int(kept_once.sum())
    failed += [conflicts := _numbers(repeats.conflicts), copies[~kept_once]]
    verdicts.append(np.full(len(conflicts), len(every), np.int16))
    verdicts.append(np.full(len(failed[-1]), len(every) + 1, np.int16))
    records, numbers = np.concatenate(failed), np.concatenate(verdicts)
    order = np.argsort(records, kind="stable")
    path = folder / "quarantine.parquet"
    counts = write_quarantine(path, kept, records[order], numbers[order], reasons)
    for source in sources:
        source.verify()
    read, quarantined = sum(source.parsed for source in sources), counts.total()
    if parts.rows + quarantined + merged + left_out != read:
        raise LostRecords(
            f"{contract.name}: {parts.rows} accepted, {quarantined} quarantined, {merged} merged "
            f"and {left_out} left out of {read} read"
        )
    parsed = read - merged - left_out
    if parsed == 0:
        raise DatamallError(
            f"`where` or `totals` leaves out all {read:,} records for {contract.name}: correct it "
            "in the mapping."
        )
    _check_conflicts(counts[CONFLICT.code], parsed, contract, mapping)
    if parts.rows == 0:
        code, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
        raise DatamallError(
            f"All {parsed:,} records for {contract.name} would end in quarantine, {count:,} of "
            f"them for {code}: compare mapping, contract and raw files."
        )
    asked = {
        "left_out": (left_out, any(source.where for source in mapping.sources)),
        "merged": (merged, any(source.distinct or source.tally for source in mapping.sources)),
    }
    more = {name: count for name, (count, wanted) in asked.items() if wanted}
    report = {
        **({"read": read, **more} if more else {}),
        "parsed": parsed,
        "accepted": parts.rows,
        "quarantined": quarantined,
        "quarantined_share": float(f"{quarantined / parsed:.6g}"),
        "reasons": dict(sorted(counts.items())),
        "missing": {name: parts.missing[name] for name in columns},
    }
    raws = {part.name: asdict(part) for source in sources for part in source.parts}
    manifest = {
        "contract": {"name": contract.name, "version": contract.version},
        "mapping_sha256": mapping.digest,
        "columns": columns,
        "not_delivered": [c.name for c in contract.columns if not mapping.has(c.name)],
        "rows": parts.rows,
        "first_day": parts.first_day.isoformat() if parts.first_day else None,
        "last_day": parts.last_day.isoformat() if parts.last_day else None,
        "raw": list(raws.values()),
    }
    return report, manifest, written


def _listed(paths: list[Path], rows: list[int] | None = None) -> list[dict[str, Any]]:
    """Return name, rows and SHA-256 of parts; of closed ones the rows are given."""
    known = [pq.read_metadata(path).num_rows for path in paths] if rows is None else rows
    return [
        {"name": path.name, "rows": count, "sha256": file_digest(path)}
        for path, count in zip(paths, known, strict=True)
    ]


def _numbers(some: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *some])


def _secret(contract: Contract, source: Source) -> bool:
    """Return whether raw text is not to be shown: a record is a person, the store holds counts."""
    return source.tally is not None and contract.counted != "things"


def _check_conflicts(found: int, parsed: int, contract: Contract, mapping: StoreMapping) -> None:
    """Refuse a delivery that would lose what is seen often: none of rows that differ is kept."""
    known = mapping.conflicts
    if found <= FEW or found <= parsed * (CONFLICTS if known is None else known.at_most):
        return
    key = ", ".join(name for name in contract.key if mapping.has(name))
    way = (
        "say `events` in the mapping if a row is a single event, or"
        if contract.tally and not all(source.tally for source in mapping.sources)
        else "leave out all but the row that holds, or"
    )
    raise DatamallError(
        f"{found:,} of {parsed:,} records for {contract.name} share their key ({key}) with others "
        f"that differ: set aside, what is seen often would be lost and what is seen once kept. "
        f"Nothing was changed; {way} say why it is right so: `conflicts`."
    )


def _check_tally(table: pa.Table, contract: Contract, mapping: StoreMapping) -> None:
    """Refuse sums that the contract does not allow; no single record could be set apart.

    Rows that other sources deliver as counts have been checked one by one.
    """
    if not any(source.tally for source in mapping.sources):
        return
    for name in mapping.columns:
        column = contract.column(name)
        if column.maximum is None or not (column.additive or name == contract.tally):
            continue
        most = pc.max(table[name]).as_py()
        if most is not None and most > column.maximum:
            raise DatamallError(
                f"{contract.name}: events add up to {most:,} in {name}, where the contract allows "
                f"{column.maximum:,}: compare mapping and contract."
            )


def _reference(root: Path, mapped: Authority, store: str, target: str, column: str) -> pa.Table:
    """Return the values of a store that was taken in before, for a column that refers to it."""
    authority = mapped.authority
    folder = store_folder(root, authority, target)
    try:
        manifest = json.loads((folder / "store.json").read_text("utf-8"))
        if manifest["sealed"]:
            return vault.rows(folder, manifest, mapped).select([column])
        parts = [folder / part["name"] for part in manifest["parts"]]
        return pa.concat_tables(pq.read_table(part, columns=[column]) for part in parts)
    except FileNotFoundError:
        raise DatamallError(
            f"{store} refers to {target}, which has not been taken in for {authority}: run "
            f"`datamall intake {target} --authority {authority}` first."
        ) from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        raise DatamallError(
            f"The store {target} of {authority} is damaged: run "
            f"`datamall intake {target} --authority {authority}` again."
        ) from None


@contextmanager
def _engine(
    threads: int, memory: str, spill: Path, references: dict[str, pa.Table]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an engine that reaches no file but its own spill folder."""
    with duckdb.connect(":memory:", config={"threads": threads, "memory_limit": memory}) as engine:
        engine.execute(f"SET temp_directory = {literal(str(spill))}")
        engine.execute("SET enable_external_access = false")
        for column, table in references.items():
            engine.register(reference_table(column), table)
        yield engine


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Give a private folder beside the target, deleted at the end if it is still there."""
    folder = target.with_name(f"{target.name}.partial")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatamallError(
                f"{target.name} is being taken in by another process: wait until it is done."
            ) from None
        try:
            for left in folder.iterdir():  # of a run that was killed
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _swap(folder: Path, target: Path) -> None:
    """Put a complete folder in the place of the target; on failure put the old one back."""
    old = target.with_name(f"{target.name}.old.partial")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def _explained(store: str) -> Iterator[None]:
    """Turn failures of disk and engine into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _no_room(store) from None
        raise
    except duckdb.Error as error:
        if isinstance(error, duckdb.OutOfMemoryException):
            raise DatamallError(
                f"The memory that intake may use does not suffice for {store}: use fewer threads."
            ) from None
        if isinstance(error, duckdb.IOException):
            raise _no_room(store) from None
        if isinstance(error, duckdb.DataError):
            raise DatamallError(
                f"An expression for {store} fails on some record ({str(error).splitlines()[0]}): "
                "use try_cast in the mapping, so that such a record is quarantined."
            ) from None
        raise


def _no_room(store: str) -> DatamallError:
    return DatamallError(
        f"There is no room on the disk to take {store} in: free some and try again; the store is "
        "as it was."
    )
