"""Rows in order → repeated keys set apart → Parquet parts of fixed size."""

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datamall.mall.contracts import Contract, arrow_type
from datamall.mall.intake.read import RECORD, RawRecords

PART_ROWS = 1_000_000
GROUP_ROWS = 125_000
QUARANTINE_ROWS = 50_000

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("header", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("raw", pa.string(), nullable=False),
    ]
)


class Repeats:
    """Finds rows that share a key, in a stream sorted by key and record.

    Where all rows of a key are the same, the first is kept and the others are duplicates. Where
    they differ, nobody can tell which is right: all of them are in conflict.

    Parameters
    ----------
    key, columns
        Columns of the key, and all that are delivered.
    sums
        Columns that are kept of rows in conflict, beside `RECORD` and the key.

    Attributes
    ----------
    duplicates
        Arrays with the records of copies so far.
    conflicts
        Tables with the rows in conflict so far.
    """

    def __init__(self, key: tuple[str, ...], columns: list[str], sums: Sequence[str] = ()) -> None:
        self._key = key
        self._others = tuple(name for name in columns if name not in key)
        self._kept = [RECORD, *(name for name in (*key, *sums) if name in columns)]
        self._first: pa.Table | None = None  # first row of the last key, which may go on
        self._copies: list[pa.Table] = []  # further rows of that key
        self._differ = False  # whether any of those differs from the first
        self.duplicates: list[np.ndarray] = []
        self.conflicts: list[pa.Table] = []

    def feed(self, table: pa.Table) -> list[pa.Table]:
        """Take the next rows; return those of complete keys that are accepted."""
        table, rows = table.combine_chunks(), table.num_rows
        if rows == 0:
            return []
        new = np.zeros(rows, dtype=bool)
        unlike = np.zeros(rows, dtype=bool)  # a row that shares its key with the one before
        for name in self._key:
            column = table[name]
            new[1:] |= pc.not_equal(column.slice(1), column.slice(0, rows - 1)).to_numpy()
        new[0] = self._first is None or _row(self._first, self._key) != _row(table, self._key)
        if self._first is not None and not new[0]:
            unlike[0] = _row(self._first, self._others) != _row(table, self._others)
        again = np.flatnonzero(~new[1:]) + 1
        if len(again):
            unlike[again] = self._unlike(table.take(again), table.take(again - 1))
        records, starts = table[RECORD].to_numpy(), np.flatnonzero(new)
        head = starts[0] if len(starts) else rows
        self._copies.append(self._copy(table, np.arange(head)))
        self._differ |= bool(unlike[:head].any())
        if not len(starts):
            return []
        accepted, last = self.finish(), starts[-1]
        body = slice(head, last)
        group = np.cumsum(new[body]) - 1
        conflict = np.zeros(len(starts), dtype=bool)
        conflict[group[unlike[body]]] = True
        in_conflict = conflict[group]
        keep = new[body] & ~in_conflict
        self.conflicts.append(self._copy(table, np.flatnonzero(in_conflict) + head))
        self.duplicates.append(records[body][~keep & ~in_conflict])
        kept = table.slice(head, last - head)
        accepted.append(kept if keep.all() else kept.filter(pa.array(keep)))
        self._first = table.slice(last, 1)
        self._copies = [self._copy(table, np.arange(last + 1, rows))]
        self._differ = bool(unlike[last + 1 :].any())
        return accepted

    def finish(self) -> list[pa.Table]:
        """Judge the last key; return its first row if it is accepted."""
        first, differ, copies = self._first, self._differ, self._copies
        self._first, self._copies, self._differ = None, [], False
        if first is not None and differ:
            self.conflicts += [*copies, self._copy(first, np.arange(1))]
            return []
        self.duplicates += [copy[RECORD].to_numpy().copy() for copy in copies]
        return [] if first is None else [first]

    def _copy(self, table: pa.Table, rows: np.ndarray) -> pa.Table:
        # A slice would keep the whole batch in memory.
        return table.select(self._kept).take(pa.array(rows))

    def _unlike(self, left: pa.Table, right: pa.Table) -> np.ndarray:
        unlike = np.zeros(left.num_rows, dtype=bool)
        for name in self._others:
            a, b = left[name], right[name]
            unlike |= pc.fill_null(pc.not_equal(a, b), False).to_numpy()
            unlike |= pc.xor(a.is_null(), b.is_null()).to_numpy()
        return unlike


class Parts:
    """Writes rows into Parquet files of `PART_ROWS` rows, whatever the size of the batches.

    Parameters
    ----------
    folder, contract, columns
        Where the files go, and what they hold.

    Attributes
    ----------
    rows
        Number of rows written.
    missing, sums
        Column → number of rows without a value; additive column → sum over rows.
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
        self._pool = ThreadPoolExecutor(1)  # writes one group while the next is made
        self._writing: Future[None] | None = None
        self.rows = 0
        self.missing: Counter[str] = Counter(dict.fromkeys(columns, 0))
        self.sums = dict.fromkeys((f.name for f in fields if f.name in contract.summed), 0)
        self.first_day: date | None = None
        self.last_day: date | None = None

    def write(self, tables: list[pa.Table]) -> None:
        """Take accepted rows; write as many full row groups as there are."""
        for table in tables:
            self._waiting.append(table.select(self._schema.names).cast(self._schema))
            self._count += table.num_rows
        while self._count >= GROUP_ROWS:
            self._group(GROUP_ROWS)

    def finish(self) -> list[Path]:
        """Write what is left; return the files."""
        if self._count:
            self._group(self._count)
        self.close()
        return sorted(self._folder.glob("part-*.parquet"))

    def close(self) -> None:
        """Wait for the last group and close the part that is being written."""
        try:
            self._wait()
        finally:
            self._pool.shutdown()
            self._end_part()

    def _end_part(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()

    def _wait(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _group(self, size: int) -> None:
        table = pa.concat_tables(self._waiting)
        group = table.slice(0, size)
        self._waiting, self._count = [table.slice(size)], table.num_rows - size
        self._wait()
        if self.rows % PART_ROWS == 0:
            self._end_part()
            path = self._folder / f"part-{self.rows // PART_ROWS:05d}.parquet"
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self.rows += size
        self._writing = self._pool.submit(self._write, group)

    def _write(self, group: pa.Table) -> None:
        assert self._writer is not None
        group = group.combine_chunks()
        self._writer.write_table(group, row_group_size=GROUP_ROWS)
        for name in self._schema.names:
            self.missing[name] += group[name].null_count
        for name in self.sums:
            self.sums[name] += pc.sum(group[name]).as_py() or 0
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


def _row(table: pa.Table, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(table[name][0].as_py() for name in names)


@dataclass(frozen=True)
class Reason:
    """Why a record is set apart: code and sentence."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Kept:
    """The records of one source, and the file in which they were kept as they came.

    `secret`: no raw text is to be shown, since a record is a person and the store holds counts.
    """

    source: RawRecords
    file: Path
    secret: bool


def write_quarantine(
    path: Path, sources: list[Kept], records: np.ndarray, reasons: np.ndarray, texts: list[Reason]
) -> Counter[str]:
    """Write the records that are set apart, with their raw fields, in the order of the files.

    Their raw text is looked up in what was kept: carrying every raw text through the sort would
    cost more.

    Parameters
    ----------
    path
        Parquet file to write.
    sources
        The sources, in order.
    records, reasons
        Records in ascending order and, for each, the position of its reason in `texts`.
        Malformed records and repeated headers are added here. The fields of a malformed one cannot
        be told apart, so no raw text of theirs is kept: it may hold what no contract asks for.
    texts
        Reasons.

    Returns
    -------
    Counter
        Reason code → number of records written.
    """
    counts: Counter[str] = Counter()
    rows: list[tuple[str, int, str, str, str, str]] = []
    with pq.ParquetWriter(path, QUARANTINE_SCHEMA, compression="zstd") as writer:
        for kept in sources:
            low, high = np.searchsorted(records, kept.source.range)
            some, why = records[low:high], reasons[low:high]
            for record, code, sentence, raw in _in_order(kept, some, why, texts):
                counts[code] += 1
                rows.append((*kept.source.name(record), code, sentence, raw))
                if len(rows) == QUARANTINE_ROWS:
                    _write_rows(writer, rows)
                    rows = []
        _write_rows(writer, rows)
    return counts


def _write_rows(writer: pq.ParquetWriter, rows: list[tuple[str, int, str, str, str, str]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * len(QUARANTINE_SCHEMA)
    writer.write_table(pa.table(columns, schema=QUARANTINE_SCHEMA))


def _in_order(
    kept: Kept, records: np.ndarray, reasons: np.ndarray, texts: list[Reason]
) -> Iterator[tuple[int, str, str, str]]:
    def well_formed() -> Iterator[tuple[int, str, str, str]]:
        if len(records):
            found = kept.source.fields(kept.file, records)
            for (record, fields), reason in zip(found, reasons, strict=True):
                text = "{}" if kept.secret else json.dumps(fields, ensure_ascii=False)
                yield record, texts[reason].code, texts[reason].sentence, text

    def apart() -> Iterator[tuple[int, str, str, str]]:
        for record, (code, sentence) in sorted(kept.source.apart.items()):
            yield record, code, sentence, "{}"

    return heapq.merge(well_formed(), apart())
