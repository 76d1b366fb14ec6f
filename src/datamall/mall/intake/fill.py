"""Raw records → checked rows in parts, the others in quarantine, and the books that balance."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamall.errors import DatamallError
from datamall.mall import accepted, outlines
from datamall.mall.authorities import Source, StoreMapping
from datamall.mall.contracts import Contract
from datamall.mall.intake.checks import Check
from datamall.mall.intake.conflicts import at_stake
from datamall.mall.intake.conflicts import check as check_conflicts
from datamall.mall.intake.observed import Brought, Observed, content_columns
from datamall.mall.intake.progress import Progress
from datamall.mall.intake.read import RECORD, RawRecords
from datamall.mall.intake.sql import (
    CHECK,
    COPIES,
    LEFT_OUT,
    REPLACED,
    converter,
    outliner,
    query,
    raw_table,
)
from datamall.mall.intake.write import Kept, Parts, Reason, Repeats, write_quarantine
from datamall.mall.protected import said

BATCH_ROWS = 125_000
NO_MEMORY = "Out of Memory Error"
DUPLICATE = Reason("duplicate", "The same row was read before; the first one is kept.")
CONFLICT = Reason("conflict", "Rows with this key differ; none of them is kept.")


# Quality report, manifest, parts, and what each file of each source brings.
Filled: TypeAlias = tuple[dict[str, Any], dict[str, Any], list[Path], list[list[Brought]]]


class LostRecords(Exception):
    """Accepted and quarantined records do not add up to those parsed: a fault in this program."""


def fill_store(
    engine: duckdb.DuckDBPyConnection,
    folder: Path,
    spill: Path,
    sources: list[RawRecords],
    contract: Contract,
    mapping: StoreMapping,
    checks: list[list[Check]],
) -> Filled:
    """Write parts and quarantine into a folder."""
    columns = list(mapping.columns)
    observed = Observed(contract, mapping.columns, sum(len(source.paths) for source in sources))
    # Only a second file can be the copy of a first.
    content = content_columns(contract, mapping.columns) if len(observed.brought) > 1 else []
    kept = [
        Kept(source, spill / f"{raw_table(number)}.arrow", _secret(contract, how))
        for number, (source, how) in enumerate(zip(sources, mapping.sources, strict=True))
    ]
    repeats = Repeats(contract.key, columns, contract.summed)
    parts = Parts(folder, contract, columns)
    failed: list[np.ndarray] = []
    verdicts: list[np.ndarray] = []
    left_out = merged = replaced = 0
    progress = Progress(contract, sources)
    try:
        for number, source in enumerate(sources):
            raw = pa.RecordBatchReader.from_batches(
                source.schema, progress.reading(source.batches(kept[number].file))
            )
            # As a C stream: a reader would be wrapped in a scanner that runs far ahead in memory.
            engine.register(raw_table(number), raw.__arrow_c_stream__())
            if mapping.sources[number].placed:
                mapping.sources[number].file.system.install(engine, converter(number))
            if any(column.outline for column in contract.columns):
                outlines.install(engine, outliner(number), mapping.sources[number].file.system)
        result = engine.execute(query(contract, mapping, checks, content)).to_arrow_reader(
            BATCH_ROWS
        )
        for batch in progress.checked(result):
            table = pa.Table.from_batches([batch])
            verdict = table[CHECK].to_numpy()
            if COPIES in table.schema.names:
                merged += int(pc.sum(table[COPIES]).as_py() or 0) - table.num_rows
            left_out += int((verdict == LEFT_OUT).sum())
            again = verdict == REPLACED
            replaced += observed.replace(table, again)
            bad = verdict > 0
            if bad.any():
                failed.append(table[RECORD].to_numpy()[bad])
                verdicts.append(verdict[bad] - 1)
            sound = table
            if verdict.any():
                sound = table.filter(pa.array(again | (verdict == 0)))
                table = table.filter(pa.array(verdict == 0))
            observed.feed(sound)
            _check_tally(table, contract, mapping)
            parts.write(repeats.feed(table))
        parts.write(repeats.finish())
        written = parts.finish()
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        for source in sources:
            if source.error is not None:  # the engine has buried its message
                raise source.error from None
        if str(error).startswith(NO_MEMORY):  # as Arrow says it, once batches are being read
            raise duckdb.OutOfMemoryException(str(error)) from None
        raise
    finally:
        progress.close()
        parts.close()
    every = [check for some in checks for check in some]
    reasons = [Reason(check.code, check.sentence) for check in every] + [CONFLICT, DUPLICATE]
    copies = _numbers(repeats.duplicates)
    kept_once = np.zeros(len(copies), dtype=bool)
    for source, how in zip(sources, mapping.sources, strict=True):
        low, high = source.range
        kept_once |= how.distinct & (copies >= low) & (copies < high)
    merged += int(kept_once.sum())
    conflicts = pa.concat_tables(repeats.conflicts) if repeats.conflicts else None
    in_conflict = _numbers([] if conflicts is None else [conflicts[RECORD].to_numpy()])
    failed += [in_conflict, copies[~kept_once]]
    verdicts.append(np.full(len(in_conflict), len(every), np.int16))
    verdicts.append(np.full(len(failed[-1]), len(every) + 1, np.int16))
    records, numbers = np.concatenate(failed), np.concatenate(verdicts)
    order = np.argsort(records, kind="stable")
    path = folder / "quarantine.parquet"
    counts = write_quarantine(path, kept, records[order], numbers[order], reasons)
    for source in sources:
        source.verify()
    brought = observed.told(sources, records)
    read, quarantined = sum(source.parsed for source in sources), counts.total()
    if parts.rows + quarantined + merged + replaced + left_out != read:
        raise LostRecords(
            f"{contract.name}: {parts.rows} accepted, {quarantined} quarantined, {merged} merged, "
            f"{replaced} replaced and {left_out} left out of {read} read"
        )
    parsed = read - merged - replaced - left_out
    if parsed == 0:
        raise DatamallError(
            f"`where` or `totals` leaves out all {said(read, contract)} records for "
            f"{contract.name}: correct it in the mapping."
        )
    if conflicts is not None:
        check_conflicts(conflicts, parsed, contract, mapping, observed.seen, observed.place)
    if parts.rows == 0:
        code, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
        raise DatamallError(
            f"All {said(parsed, contract)} records for {contract.name} would end in quarantine, "
            f"{said(count, contract)} of them for {code}: compare mapping, contract and raw files."
        )
    asked = {
        "left_out": (left_out, any(source.where for source in mapping.sources)),
        "merged": (merged, any(s.distinct or s.tally or s.adds for s in mapping.sources)),
        "replaced": (replaced, any(s.later.startswith("replaces") for s in mapping.sources)),
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
    if conflicts is not None and conflicts.num_rows and not contract.personal:
        report["in_conflict"] = at_stake(conflicts, contract, parts.sums)
    raws = {part.name: asdict(part) for source in sources for part in source.parts}
    manifest = {
        "contract": accepted.written(contract),
        "mapping_sha256": mapping.digest,
        "columns": columns,
        "not_delivered": [c.name for c in contract.columns if not mapping.has(c.name)],
        "rows": parts.rows,
        "first_day": parts.first_day.isoformat() if parts.first_day else None,
        "last_day": parts.last_day.isoformat() if parts.last_day else None,
        "raw": list(raws.values()),
    }
    return report, manifest, written, brought


def _numbers(some: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *some])


def _secret(contract: Contract, source: Source) -> bool:
    """Return whether raw text is not to be shown: a record is a person, the store holds counts."""
    return source.tally is not None and contract.counted != "things"


def _check_tally(table: pa.Table, contract: Contract, mapping: StoreMapping) -> None:
    """Refuse sums that the contract does not allow; no single record could be set apart.

    Rows that other sources deliver as counts have been checked one by one.
    """
    if not any(source.tally or source.adds for source in mapping.sources):
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
