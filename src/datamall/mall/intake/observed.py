"""What each delivery brings: records, days, places and values, seen as the rows come by."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datamall.mall.contracts import Contract
from datamall.mall.intake.read import FILE_SHIFT, RECORD, RawRecords
from datamall.mall.intake.sql import CONTENT

EPOCH = date(1970, 1, 1)


class Day(NamedTuple):
    """A day of a delivery: rows in which something was counted, and the sum of all its hashes."""

    counted: int
    content: int


@dataclass
class Brought:
    """What one delivery brings.

    Attributes
    ----------
    file, sha256
        Its name below the raw folder, and its digest.
    delivered
        When, as its name says (ISO 8601), or None.
    records, put_aside, replaced, rows
        Records in the file; of these put aside, replaced by a later delivery, and sound rows.
    empty
        Column → sound rows without a value.
    days
        Day (since 1970) that rows begin on → what there is of it.
    places
        What its rows are about, where a contract's key begins with a register's.
    """

    file: str
    sha256: str = ""
    delivered: str | None = None
    records: int = 0
    put_aside: int = 0
    replaced: int = 0
    rows: int = 0
    empty: Counter[str] = field(default_factory=Counter)
    days: dict[int, Day] = field(default_factory=dict)
    places: set[tuple[str | None, ...]] = field(default_factory=set)

    @property
    def order(self) -> tuple[str, str]:
        """What deliveries of a source are sorted by."""
        return self.delivered or "", self.file

    @property
    def span(self) -> int:
        """Number of days from the first to the last; 1 where rows have none."""
        return max(self.days) - min(self.days) + 1 if self.days else 1

    @property
    def first_day(self) -> date | None:
        """The first day that a row begins on."""
        return EPOCH + timedelta(min(self.days)) if self.days else None

    @property
    def last_day(self) -> date | None:
        """The last day that a row begins on."""
        return EPOCH + timedelta(max(self.days)) if self.days else None


def content_columns(contract: Contract, columns: tuple[str, ...]) -> list[str]:
    """Return the columns whose hash tells a day that was copied from another; may be none.

    Only counts can tell: two days of statements differ by their keys.
    """
    if contract.tally is None or contract.period is None or contract.period[0] not in columns:
        return []
    return [name for name in columns if name not in contract.period]


class Observed:
    """Counts, for each file, what the rows bring that pass all checks.

    Parameters
    ----------
    contract, columns
        Contract of the store, and the columns delivered.
    files
        Number of files of all sources.

    Attributes
    ----------
    brought
        What each file brings.
    place, seen
        Columns that name a place, and place → rows of all files.
    """

    def __init__(self, contract: Contract, columns: tuple[str, ...], files: int) -> None:
        self.brought = [Brought("") for _ in range(files)]
        self._columns = columns
        period = contract.period
        self._start = period[0] if period and period[0] in columns else None
        own = [n for n in columns if contract.column(n).additive and n != contract.tally]
        self._counted = own or ([contract.tally] if contract.tally in columns else [])
        self.place: list[str] = []
        self.seen: Counter[tuple[str | None, ...]] = Counter()
        # Persons are no places: whether one is in the next file is nobody's business here.
        if contract.column(contract.key[0]).reference and not contract.personal:
            for name in contract.key:
                if contract.column(name).type != "string" or name not in columns:
                    break
                self.place.append(name)

    def replace(self, table: pa.Table, again: np.ndarray) -> int:
        """Count the rows that a later delivery replaced; return how many they are."""
        files = table[RECORD].to_numpy()[again] >> FILE_SHIFT
        for number, rows in zip(*np.unique(files, return_counts=True), strict=True):
            self.brought[number].replaced += int(rows)
        return len(files)

    def told(self, sources: Sequence[RawRecords], put_aside: np.ndarray) -> list[list[Brought]]:
        """Return what each file of each source brought, now that all of them have been read.

        `put_aside` are the records in quarantine, but for those that are no records.
        """
        apart = np.array([n for source in sources for n in source.apart], np.int64)
        files = np.concatenate([put_aside, apart]) >> FILE_SHIFT
        for number, records in zip(*np.unique(files, return_counts=True), strict=True):
            self.brought[number].put_aside = int(records)
        by_source, left = [], iter(self.brought)
        for source in sources:
            own = [next(left) for _ in source.paths]
            for one, part, path in zip(own, source.parts, source.paths, strict=True):
                one.file, one.sha256, one.records = part.name, part.sha256, part.records
                one.delivered = source.delivered(path)
            by_source.append(own)
        return by_source

    def feed(self, table: pa.Table) -> None:
        """Take rows that passed all checks, in the order of the store."""
        if not table.num_rows:
            return
        files = table[RECORD].to_numpy() >> FILE_SHIFT
        for number, rows in zip(*np.unique(files, return_counts=True), strict=True):
            self.brought[number].rows += int(rows)
        for name in self._columns:
            if table[name].null_count:
                lacking = files[table[name].is_null().to_numpy(zero_copy_only=False)]
                for number, rows in zip(*np.unique(lacking, return_counts=True), strict=True):
                    self.brought[number].empty[name] += int(rows)
        self._days(table, files)
        self._places(table, files)

    def _days(self, table: pa.Table, files: np.ndarray) -> None:
        if self._start is None or table[self._start].null_count:
            return
        starts = pc.cast(table[self._start], pa.int32()).to_numpy().astype(np.int64)
        keys, at = np.unique((files << 32) + starts, return_inverse=True)
        content, counted = np.zeros(len(keys), np.uint64), np.zeros(len(keys), np.int64)
        if CONTENT in table.schema.names:
            np.add.at(content, at, table[CONTENT].to_numpy().astype(np.uint64))
            some = np.zeros(table.num_rows, bool)
            for name in self._counted:
                some |= pc.fill_null(pc.greater(table[name], 0), False).to_numpy()
            counted = np.bincount(at[some], minlength=len(keys))
        for key, rows, sum_ in zip(keys.tolist(), counted.tolist(), content.tolist(), strict=True):
            # A day before 1970 would borrow from the file's number.
            number, day = (key + (1 << 31)) >> 32, (key + (1 << 31)) % (1 << 32) - (1 << 31)
            days = self.brought[number].days
            before = days.get(day, Day(0, 0))
            days[day] = Day(before.counted + rows, (before.content + sum_) % (1 << 64))

    def _places(self, table: pa.Table, files: np.ndarray) -> None:
        if not self.place:
            return
        # Rows come sorted by place, so that few of them begin a new one.
        new = np.ones(table.num_rows, bool)
        new[1:] = files[1:] != files[:-1]
        for name in self.place:
            column = table[name].combine_chunks()
            unlike = pc.not_equal(column.slice(1), column.slice(0, len(column) - 1))
            new[1:] |= pc.fill_null(unlike, True).to_numpy(zero_copy_only=False)
        begins = np.flatnonzero(new)
        names = [table[name].take(pa.array(begins)).to_pylist() for name in self.place]
        lengths = np.diff(begins, append=table.num_rows).tolist()
        places = zip(*names, strict=True)
        for number, rows, place in zip(files[begins].tolist(), lengths, places, strict=True):
            self.brought[number].places.add(place)
            self.seen[place] += rows
