"""Rows in order → repeated keys set apart → Parquet parts of fixed size."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datamall.mall.contracts import Column, Contract
from datamall.mall.intake_read import RECORD, RawRecords, digest

PART_ROWS = 1_000_000
GROUP_ROWS = 125_000
QUARANTINE_ROWS = 50_000

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("raw", pa.string(), nullable=False),
    ]
)


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type of a contract's column."""
    if column.type == "number":
        precision, scale = column.physical_type.removeprefix("decimal(").rstrip(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    return {"string": pa.string(), "integer": pa.int64(), "date": pa.date32()}[column.type]


class Repeats:
    """Finds rows that share a key, in a stream sorted by key and record.

    Where all rows of a key are the same, the first is kept and the others are duplicates. Where
    they differ, nobody can tell which is right: all of them are in conflict.

    Attributes
    ----------
    duplicates, conflicts
        Arrays with the records set apart so far.
    """

    def __init__(self, key: tuple[str, ...], columns: list[str]) -> None:
        self._key = key
        self._others = [name for name in columns if name not in key]
        self._first: pa.Table | None = None  # first row of the last key, not yet judged
        self._copies: list[np.ndarray] = []  # records of the further rows of that key
        self._differ = False  # whether any of those differs from the first
        self.duplicates: list[np.ndarray] = []
        self.conflicts: list[np.ndarray] = []

    def feed(self, table: pa.Table) -> pa.Table:
        """Take the next rows; return those of complete keys that are accepted."""
        if table.num_rows == 0:
            return table
        if self._first is not None:
            table = pa.concat_tables([self._first, table])
        table = table.combine_chunks()
        rows = table.num_rows
        new = np.ones(rows, dtype=bool)
        new[1:] = False
        for name in self._key:
            column = table[name]
            new[1:] |= pc.not_equal(column.slice(1), column.slice(0, rows - 1)).to_numpy()
        group = np.cumsum(new) - 1
        starts = np.flatnonzero(new)
        differ = np.zeros(len(starts), dtype=bool)
        differ[0] = self._differ
        repeated = np.flatnonzero(~new)
        if len(repeated):
            unlike = self._unlike(table.take(repeated), table.take(repeated - 1))
            differ[group[repeated[unlike]]] = True
        records = table[RECORD].to_numpy()
        last = starts[-1]
        if last > 0:
            self._judge(bool(differ[0]))
            self._copies = []
        done = np.arange(rows) < last
        in_conflict = differ[group]
        self.conflicts.append(records[done & in_conflict])
        self.duplicates.append(records[done & ~in_conflict & ~new])
        self._first = table.slice(last, 1)
        self._copies.append(records[last + 1 :])
        self._differ = bool(differ[-1])
        return table.filter(pa.array(done & new & ~in_conflict))

    def finish(self) -> pa.Table | None:
        """Judge the last key; return its row if it is accepted."""
        if self._first is None:
            return None
        self._judge(self._differ)
        if self._differ:
            self.conflicts.append(self._first[RECORD].to_numpy())
            return None
        return self._first

    def _judge(self, differ: bool) -> None:
        (self.conflicts if differ else self.duplicates).extend(self._copies)

    def _unlike(self, left: pa.Table, right: pa.Table) -> np.ndarray:
        unlike = np.zeros(left.num_rows, dtype=bool)
        for name in self._others:
            a, b = left[name], right[name]
            unlike |= pc.fill_null(pc.not_equal(a, b), False).to_numpy()
            unlike |= pc.xor(a.is_null(), b.is_null()).to_numpy()
        return unlike


class Parts:
    """Writes rows into Parquet files of `PART_ROWS` rows, whatever the size of the batches.

    Attributes
    ----------
    rows
        Number of rows written.
    missing
        Column → number of rows without a value.
    first_day, last_day
        Days that the rows are about, if the contract has a date.
    """

    def __init__(self, folder: Path, contract: Contract, columns: list[str]) -> None:
        self._folder, self._contract = folder, contract
        fields = [contract.column(name) for name in columns]
        self._schema = pa.schema(
            [pa.field(f.name, arrow_type(f), nullable=not f.required) for f in fields]
        )
        self._waiting: list[pa.Table] = []
        self._count = 0
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0
        self.missing: Counter[str] = Counter(dict.fromkeys(columns, 0))
        self.first_day: date | None = None
        self.last_day: date | None = None

    def write(self, table: pa.Table) -> None:
        """Take accepted rows; write as many full row groups as there are."""
        self._waiting.append(table.select(self._schema.names).cast(self._schema))
        self._count += table.num_rows
        while self._count >= GROUP_ROWS:
            self._group(GROUP_ROWS)

    def finish(self) -> list[dict[str, Any]]:
        """Write what is left; return name, rows and SHA-256 of each part."""
        if self._count:
            self._group(self._count)
        self.close()
        parts = []
        for path in sorted(self._folder.glob("part-*.parquet")):
            rows = pq.read_metadata(path).num_rows
            parts.append({"name": path.name, "rows": rows, "sha256": digest(path)})
        return parts

    def close(self) -> None:
        """Close the part that is being written."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()

    def _group(self, size: int) -> None:
        table = pa.concat_tables(self._waiting)
        group = table.slice(0, size).combine_chunks()
        self._waiting, self._count = [table.slice(size)], table.num_rows - size
        if self.rows % PART_ROWS == 0:
            self.close()
            path = self._folder / f"part-{self.rows // PART_ROWS:05d}.parquet"
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        assert self._writer is not None
        self._writer.write_table(group, row_group_size=GROUP_ROWS)
        self.rows += group.num_rows
        for name in self._schema.names:
            self.missing[name] += group[name].null_count
        self._days(group)

    def _days(self, group: pa.Table) -> None:
        if self._contract.period is None or self._contract.period[0] not in self._schema.names:
            return
        start, days = self._contract.period
        first = last = group[start]
        if days in self._schema.names:
            # Days as whole numbers: Arrow adds no number to a date.
            span = pc.subtract(pc.add(pc.cast(first, pa.int32()), group[days]), 1)
            last = pc.cast(pc.cast(span, pa.int32()), pa.date32())
        low, high = pc.min(first).as_py(), pc.max(last).as_py()
        if low is not None and high is not None:
            self.first_day = min(low, self.first_day or low)
            self.last_day = max(high, self.last_day or high)


@dataclass(frozen=True)
class Reason:
    """Why a record is set apart: code and sentence."""

    code: str
    sentence: str


def write_quarantine(
    path: Path, source: RawRecords, records: np.ndarray, reasons: np.ndarray, texts: list[Reason]
) -> Counter[str]:
    """Write the records that are set apart, with their raw fields, in the order of the files.

    The raw files are read once more: carrying every raw text through the sort would cost more.

    Parameters
    ----------
    path
        Parquet file to write.
    source
        The raw records.
    records, reasons
        Records in ascending order and, for each, the position of its reason in `texts`.
        Malformed records are added here: their fields cannot be told apart, so no raw text of
        theirs is kept, since it may hold what no contract asks for.
    texts
        Reasons.

    Returns
    -------
    Counter
        Reason code → number of records written.
    """
    counts: Counter[str] = Counter()
    rows: list[tuple[str, int, str, str, str]] = []
    with pq.ParquetWriter(path, QUARANTINE_SCHEMA, compression="zstd") as writer:
        for record, code, sentence, raw in _in_order(source, records, reasons, texts):
            counts[code] += 1
            rows.append((*source.name(record), code, sentence, raw))
            if len(rows) == QUARANTINE_ROWS:
                _write_rows(writer, rows)
                rows = []
        _write_rows(writer, rows)
    return counts


def _write_rows(writer: pq.ParquetWriter, rows: list[tuple[str, int, str, str, str]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
    writer.write_table(pa.table(columns, schema=QUARANTINE_SCHEMA))


def _in_order(
    source: RawRecords, records: np.ndarray, reasons: np.ndarray, texts: list[Reason]
) -> Iterator[tuple[int, str, str, str]]:
    malformed = sorted(source.malformed.items())
    if not len(records) and not malformed:
        return
    position = 0

    def misfits(until: int | None) -> Iterator[tuple[int, str, str, str]]:
        while malformed and (until is None or malformed[0][0] < until):
            record, (found, expected) = malformed.pop(0)
            sentence = f"The record has {found} fields where the header has {expected}."
            yield record, "malformed", sentence, "{}"

    for batch in source.batches():
        numbers = batch.column(0).to_numpy()
        end = position + int(np.searchsorted(records[position:], numbers[-1], side="right"))
        wanted = records[position:end]
        raw = batch.take(pa.array(np.searchsorted(numbers, wanted))).to_pylist()
        for record, fields, reason in zip(wanted, raw, reasons[position:end], strict=True):
            yield from misfits(int(record))
            del fields[RECORD]
            text = json.dumps(fields, ensure_ascii=False)
            yield int(record), texts[reason].code, texts[reason].sentence, text
        position = end
    yield from misfits(None)
