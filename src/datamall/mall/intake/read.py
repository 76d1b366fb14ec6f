"""Raw files as a stream of Arrow batches: text, numbered, hashed, never whole in memory."""

import re
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datamall.errors import DatamallError
from datamall.mall.authorities import Authority, Source
from datamall.mall.contracts import Contract
from datamall.mall.intake.fields import equal, fits, known_as, shown
from datamall.project import file_digest
from datamall.tabular.reading import Reading, read

RECORD = "record number of datamall"
# A record is file number × 2^46 + row number × 2^12 + number of the cell, 0 for a whole record.
FILE_SHIFT, ROW_SHIFT = 46, 12
HEADER_AGAIN = ("repeated_header", "The record is the header again.")
HEADED = ("csv", "xlsx", "parquet")
LONG_ROWS = 65_536  # of records made long, in one batch
OF_FILE = re.compile(r"#(file|row|[1-9][0-9]*)")  # what a mapping calls name, row, nth field


@dataclass(frozen=True)
class RawPart:
    """One raw file as it was read: name below the raw folder, size, SHA-256, number of records."""

    name: str
    bytes: int
    sha256: str
    records: int


class RawRecords:
    """All records of the raw files of one source.

    Parameters
    ----------
    root, authority, source, contract
        Project folder, authority, the source and the contract of the store.
    first
        Number of the first file, so that records of several sources have numbers of their own.
    without
        Names of files that are there and are not to be read.

    Attributes
    ----------
    headers
        Names that the mapping reads, which are the columns of the batches beside `RECORD`.
    paths
        The raw files, in order.
    parts
        Files that have been read to the end.
    empty
        Names of those that held no record.
    apart
        Record → code and sentence of records that are none: malformed, or the header again.
    parsed
        Number of records (of long ones, where wide ones are made long), those apart included.
    error
        The exception that ended the stream; an engine that reads it would bury its message.

    Raises
    ------
    DatamallError
        When there is no file, or one is empty, lacks a header or has a header twice.
    """

    def __init__(
        self,
        root: Path,
        authority: Authority,
        source: Source,
        contract: Contract,
        first: int = 0,
        without: Collection[str] = (),
    ) -> None:
        self._folder = source.file.folder(root, authority.authority)
        self._place = self._folder.relative_to(root).as_posix()
        self._source, self._contract, self._first = source, contract, first
        names: dict[str, str] = {}
        fillings = [filling.headers for filling in source.columns.values()]
        for header in (
            header for some in (*fillings, source.where_headers, source.event) for header in some
        ):
            names.setdefault(header.casefold(), header)
        self.headers = tuple(names.values())
        long = source.unpivot
        made = {long.name.casefold(), long.value.casefold()} if long else set()
        # Fields that are taken from the record as they are.
        self._plain = tuple(h for h in self.headers if h.casefold() not in made)
        self._cells: list[tuple[str, ...]] = []  # headers made long, by file
        self.paths = self._find(authority, without)
        self.parts: list[RawPart] = []
        self.empty: list[str] = []
        self.apart: dict[int, tuple[str, str]] = {}
        self.parsed = 0
        self.error: Exception | None = None

    @property
    def schema(self) -> pa.Schema:
        """Schema of the batches: `RECORD`, then each header as text."""
        return pa.schema(
            [(RECORD, pa.int64()), *((header, pa.string()) for header in self.headers)]
        )

    @property
    def range(self) -> tuple[int, int]:
        """The lowest number that a record of this source may have, and the end of them."""
        return self._first << FILE_SHIFT, (self._first + len(self.paths)) << FILE_SHIFT

    def name(self, record: int) -> tuple[str, int, str]:
        """Return the file of a record, its row and, where it was a cell, the header."""
        number = (record >> FILE_SHIFT) - self._first
        cell = record & ((1 << ROW_SHIFT) - 1)
        row = (record & ((1 << FILE_SHIFT) - 1)) >> ROW_SHIFT
        return self._name(self.paths[number]), row, self._cells[number][cell - 1] if cell else ""

    def delivered(self, path: Path) -> str | None:
        """Return when a file was delivered, as its name says (ISO 8601), or None."""
        spec = self._source.file
        if spec.days is not None:
            number = spec.on_each_day(spec.path).index(self._name(path))
            return (spec.days[0] + timedelta(number)).isoformat()
        stamp = spec.stamp(path)
        return None if stamp is None else stamp.isoformat().removesuffix("T00:00:00")

    def batches(self, kept: Path) -> Iterator[pa.RecordBatch]:
        """Yield all well-formed records in order, once; one batch is read ahead of the caller.

        Parameters
        ----------
        kept
            File to write the records to as they were, so that the few that are set apart can be
            found again without a second parse.
        """
        stream = self._all(kept)
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(next, stream, None)
            while (batch := self._result(coming)) is not None:
                coming = ahead.submit(next, stream, None)
                yield batch

    def fields(self, kept: Path, records: np.ndarray) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the raw fields of some records, given in ascending order, that were kept."""
        long, position = self._source.unpivot, 0
        with pa.OSFile(str(kept)) as file:
            while file.tell() < file.size():
                with pa.ipc.open_stream(file) as batches:
                    for batch in batches:
                        rows = batch.column(0).to_numpy()
                        last = rows[-1] | ((1 << ROW_SHIFT) - 1)
                        end = int(np.searchsorted(records, last, side="right"))
                        for record in records[position:end]:
                            cell = int(record) & ((1 << ROW_SHIFT) - 1)
                            at = int(np.searchsorted(rows, record - cell))
                            count = len(self._plain)
                            found = {
                                name: batch.column(n)[at].as_py()
                                for n, name in enumerate(self._plain, 1)
                            }
                            if long:
                                found[long.name] = batch.schema.names[count + cell]
                                found[long.value] = batch.column(count + cell)[at].as_py()
                            yield int(record), found
                        position = end

    def _result(self, coming: "Future[pa.RecordBatch | None]") -> pa.RecordBatch | None:
        try:
            return coming.result()
        except Exception as error:
            self.error = error
            raise

    def _all(self, kept: Path) -> Iterator[pa.RecordBatch]:
        with pa.OSFile(str(kept), "wb") as file:
            for number, path in enumerate(self.paths):
                place = f"{self._place}/{self._name(path)}"
                before = self.parsed
                try:
                    yield from self._file(file, number, path, place)
                except FileNotFoundError:
                    raise self.changed(place) from None
                if self.parsed == before:
                    self._without_records(path, place)

    def _file(self, kept: Any, number: int, path: Path, place: str) -> Iterator[pa.RecordBatch]:
        """Yield the records of one file."""
        base = (self._first + number) << FILE_SHIFT
        before = self.parsed
        titles: list[str] = []

        def choose(headers: list[str]) -> list[int]:
            positions = self._positions(headers, place)
            titles.extend(shown(headers[position], position) for position in positions)
            return positions

        reading, writer = Reading(path, place, choose, {}), None
        try:
            for rows, texts in read(self._source.file, self._source.sheet, reading):
                if writer is None:
                    if self._source.file.format == "parquet":
                        self._check_types(path, place)
                    names = [RECORD, *self._plain, *self._cells[number]]
                    types = [pa.int64(), *[pa.string()] * (len(names) - 1)]
                    schema = pa.schema(list(zip(names, types, strict=True)))
                    writer = pa.ipc.new_stream(kept, schema)
                again = equal(texts, titles)
                if again is not None:
                    for row in rows[again]:
                        self.apart[base + (int(row) << ROW_SHIFT)] = HEADER_AGAIN
                    rows, texts = rows[~again], [text.filter(pa.array(~again)) for text in texts]
                if not len(rows):
                    continue
                wide = self._batch(
                    schema, base + (rows << ROW_SHIFT), self._fill(rows, texts, path)
                )
                writer.write_batch(wide)
                if self._source.file.missing:
                    wide = self._without(wide, self._source.file.missing)
                if self._source.unpivot is None:
                    self.parsed += wide.num_rows
                    yield wide
                else:
                    for long in self._long(wide, self._cells[number]):
                        self.parsed += long.num_rows
                        yield long
        finally:
            if writer is not None:
                writer.close()
        if not titles and len(self._cells) == number:  # no record, and so no key
            self._cells.append(())
        for row, found in reading.malformed.items():
            sentence = f"The record has {found}."
            self.apart[base + (row << ROW_SHIFT)] = ("malformed", sentence)
        self.parsed += sum(record >= base for record in self.apart)
        records = self.parsed - before
        self.parts.append(RawPart(self._name(path), reading.bytes, reading.sha256, records))

    def _without(self, wide: pa.RecordBatch, words: tuple[str, ...]) -> pa.RecordBatch:
        """Return records in which words that stand for a blank cell are blank."""
        known = pa.array(words)
        texts = [pc.if_else(pc.is_in(text, known), "", text) for text in wide.columns[1:]]
        return self._batch(wide.schema, wide.column(0), texts)

    def _fill(self, rows: np.ndarray, texts: list[Any], path: Path) -> list[Any]:
        """Return the fields of a chunk, with name and row of the file where they are wanted."""
        given = iter(texts)
        filled = []
        for header in self._plain:
            if header == "#file":
                filled.append(pa.repeat(pa.scalar(self._name(path)), len(rows)))
            elif header == "#row":
                filled.append(pc.cast(pa.array(rows), pa.string()))
            else:
                filled.append(next(given))
        return [*filled, *given]

    def _long(self, wide: pa.RecordBatch, cells: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """Yield the cells of wide records, a few headers at a time and all records of each.

        The order does not matter, since rows are sorted; and the fields of a record can be passed
        on as they are.
        """
        assert self._source.unpivot is not None
        rows, plain = wide.num_rows, wide.columns[: 1 + len(self._plain)]
        step = max(1, LONG_ROWS // rows)
        for start in range(0, len(cells), step):
            some = range(start, min(start + step, len(cells)))
            record, *fields = (pa.concat_arrays([column] * len(some)) for column in plain)
            number = pa.array(np.repeat(np.arange(some.start + 1, some.stop + 1), rows))
            made = {
                self._source.unpivot.name.casefold(): pa.concat_arrays(
                    [pa.repeat(pa.scalar(cells[n]), rows) for n in some]
                ),
                self._source.unpivot.value.casefold(): pa.concat_arrays(
                    [wide.column(len(plain) + n) for n in some]
                ),
            }
            made |= {h.casefold(): f for h, f in zip(self._plain, fields, strict=True)}
            texts = [made[header.casefold()] for header in self.headers]
            yield self._batch(self.schema, pc.add(record, number), texts)

    def _without_records(self, path: Path, place: str) -> None:
        self.empty.append(self._name(path))
        if not self._source.file.may_be_empty:
            file = self._source.file
            what = "a header and " if file.format in HEADED and not file.columns else ""
            raise DatamallError(
                f"{place} holds {what}no records: ask for a full file, take it away, or say "
                "`may_be_empty: true` in the mapping if that is as it should be."
            )
        if len(self.empty) == len(self.paths):
            raise DatamallError(
                f"None of the {len(self.paths):,} files {self._place}/{self._source.file.path} "
                "holds a record: ask for full ones."
            )

    def verify(self) -> None:
        """Hash the files again; refuse when one is not what was read."""
        for path, part in zip(self.paths, self.parts, strict=True):
            if not path.is_file() or file_digest(path) != part.sha256:
                raise self.changed(f"{self._place}/{part.name}")

    def changed(self, place: str) -> DatamallError:
        """Return the error for a file that changed while it was read."""
        return DatamallError(
            f"{place} was changed while it was being read: wait until it has been written in "
            "full, and take it in again."
        )

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _find(self, authority: Authority, without: Collection[str]) -> list[Path]:
        spec = self._source.file
        paths, missing = spec.below(self._folder)
        if missing:
            remedy = "put it there"
            if spec.sha256:
                remedy = f"get it with `datamall fetch {authority.authority}`"
            elif spec.result_of:
                remedy = (
                    f"`datamall report {spec.result_of} --authority {authority.authority}` makes "
                    "it, where that page can show it; where it cannot, take the store out of the "
                    "mapping"
                )
            elif authority.synthetic:
                remedy = "make it with `datamall demo`"
            source = f" (source: {spec.source})" if spec.source else ""
            raise DatamallError(f"There is no {self._place}/{missing[0]}: {remedy}{source}.")
        wanted = [path for path in paths if self._name(path) not in without]
        if not wanted:
            raise DatamallError(
                f"Each delivery of {self._contract.name} in {self._place} is withdrawn or held "
                "back: accept one, or put another there."
            )
        return wanted

    def _positions(self, headers: list[str], place: str) -> list[int]:
        """Return where the wanted fields are; refuse a missing or doubtful one."""
        found: dict[str, list[int]] = {}
        for position, header in enumerate(headers):
            found.setdefault(known_as(header), []).append(position)
        positions, missing = [], []
        for header in self._plain:
            of_file = OF_FILE.fullmatch(header)
            if of_file is None and known_as(header) not in found:
                missing.append(header)
            elif of_file is None:
                positions.append(self._only(header, found, place))
            elif of_file[1].isdigit():
                if int(of_file[1]) > len(headers):
                    missing.append(header)
                positions.append(int(of_file[1]) - 1)
        if missing:
            raise DatamallError(
                f"{place} has no column {' and no column '.join(map(repr, missing))}: its header "
                f"is {', '.join(map(repr, headers))}; correct the mapping or ask for the column."
            )
        long = self._source.unpivot
        cells = [h for h in headers if long and long.match(h)]
        if long:
            self._check_cells(headers, cells, found, place)
        self._cells.append(tuple(cells))
        return positions + [self._only(cell, found, place) for cell in cells]

    def _only(self, header: str, found: dict[str, list[int]], place: str) -> int:
        if len(found[known_as(header)]) > 1:
            raise DatamallError(
                f"{place} has two columns called {header!r}: have one of them renamed."
            )
        return found[known_as(header)][0]

    def _check_cells(
        self, headers: list[str], cells: list[str], found: dict[str, list[int]], place: str
    ) -> None:
        long = self._source.unpivot
        assert long is not None
        if not 0 < len(cells) < 1 << ROW_SHIFT:
            raise DatamallError(
                f"{place}: {len(cells):,} headers match {long.headers!r}: correct `unpivot` in the "
                f"mapping; the header is {', '.join(map(repr, headers))}."
            )
        for name in (long.name, long.value):
            if known_as(name) in found:
                raise DatamallError(
                    f"{place} has a column called {name!r} itself: give `unpivot` in the mapping "
                    "another name."
                )

    def _check_types(self, path: Path, place: str) -> None:
        """Refuse Parquet columns that cannot fill the contract's column without loss."""
        types = {known_as(field.name): field.type for field in pq.read_schema(path)}
        for name, filling in self._source.columns.items():
            found = types.get(known_as(filling.header)) if filling.header else None
            if found is None or filling.map is not None:
                continue
            wanted = self._contract.column(name).type
            if not fits(found, wanted):
                raise DatamallError(
                    f"{place}: column {filling.header!r} is {found}, and {self._contract.name}."
                    f"{name} needs {wanted}: have it delivered as such, or convert it by an "
                    "`expression` in the mapping."
                )

    def _batch(self, schema: pa.Schema, records: Any, texts: list[Any]) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([pa.array(records, pa.int64()), *texts], schema=schema)
