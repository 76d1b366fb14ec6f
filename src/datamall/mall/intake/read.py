"""Raw files as a stream of Arrow batches: text, numbered, hashed, never whole in memory."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from datamall.errors import DatamallError
from datamall.mall.authorities import Authority, StoreMapping
from datamall.mall.contracts import Contract
from datamall.mall.intake.text import Utf8Stream, csv_headers
from datamall.project import raw_folder

RECORD = "record number of datamall"
FILE_SHIFT = 40  # a record is file number × 2^40 + row number
BLOCK = 4_000_000  # bytes of UTF-8 that are parsed at once
PARQUET_ROWS = 65_536
# Ends every CSV stream. If it does not come back as a record, a quote was left open.
END = "\x1e end of datamall \x1e"


@dataclass(frozen=True)
class RawPart:
    """One raw file as it was read: name below the raw folder, size in bytes and SHA-256."""

    name: str
    bytes: int
    sha256: str


class RawRecords:
    """All records of the raw files of one store.

    Parameters
    ----------
    root, authority, mapping, contract
        Project folder, authority, and the mapping and contract of the store.

    Attributes
    ----------
    headers
        Headers that the mapping reads, which are the columns of the batches beside `RECORD`.
    parts
        Files that have been read to the end.
    malformed
        Record → (fields found, fields in the header) of records that do not fit the header.
    parsed
        Number of records, malformed ones included.
    error
        The exception that ended the stream; an engine that reads it would bury its message.

    Raises
    ------
    DatamallError
        When there is no file, or one is empty, lacks a header or has a header twice.
    """

    def __init__(
        self, root: Path, authority: Authority, mapping: StoreMapping, contract: Contract
    ) -> None:
        self._folder = raw_folder(root, authority.authority)
        self._place = f"data/raw/{authority.authority}"
        self._mapping, self._contract = mapping, contract
        names: dict[str, str] = {}
        for filling in mapping.columns.values():
            for header in filling.headers:
                names.setdefault(header.casefold(), header)
        self.headers = tuple(names.values())
        self.paths = self._find(authority)
        self.parts: list[RawPart] = []
        self.malformed: dict[int, tuple[int, int]] = {}
        self.parsed = 0
        self.error: Exception | None = None

    @property
    def schema(self) -> pa.Schema:
        """Schema of the batches: `RECORD`, then each header as text."""
        return pa.schema(
            [(RECORD, pa.int64()), *((header, pa.string()) for header in self.headers)]
        )

    def name(self, record: int) -> tuple[str, int]:
        """Return the file of a record and its number in it.

        In a CSV file the header has number 1 and blank lines are not counted; in a Parquet file
        the first row has number 1.
        """
        path = self.paths[record >> FILE_SHIFT]
        return path.relative_to(self._folder).as_posix(), record & ((1 << FILE_SHIFT) - 1)

    def batches(self, kept: Path) -> Iterator[pa.RecordBatch]:
        """Yield all well-formed records in order, once; one batch is read ahead of the caller.

        Parameters
        ----------
        kept
            File to write the batches to, so that the few records that are set apart can be
            found `again` without a second parse.
        """
        stream = self._all(kept)
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(next, stream, None)
            while (batch := self._result(coming)) is not None:
                coming = ahead.submit(next, stream, None)
                yield batch

    def again(self, kept: Path) -> Iterator[pa.RecordBatch]:
        """Yield the batches that were kept, one at a time."""
        with pa.OSFile(str(kept)) as file, pa.ipc.open_file(file) as batches:
            for number in range(batches.num_record_batches):
                yield batches.get_batch(number)

    def _result(self, coming: "Future[pa.RecordBatch | None]") -> pa.RecordBatch | None:
        try:
            return coming.result()
        except Exception as error:
            self.error = error
            raise

    def _all(self, path: Path) -> Iterator[pa.RecordBatch]:
        read = self._csv if self._mapping.file.format == "csv" else self._parquet
        with pa.OSFile(str(path), "wb") as file:
            kept = pa.ipc.new_file(file, self.schema)
            for number, path in enumerate(self.paths):
                place = f"{self._place}/{path.relative_to(self._folder).as_posix()}"
                before = self.parsed
                try:
                    for batch in read(path, number << FILE_SHIFT, place):
                        kept.write_batch(batch)
                        yield batch
                except FileNotFoundError:
                    raise self.changed(place) from None
                if self.parsed == before:
                    raise DatamallError(
                        f"{place} holds a header and no records: ask for a full file, or take it "
                        "away."
                    )
            kept.close()

    def verify(self) -> None:
        """Hash the files again; refuse when one is not what was read."""
        for path, part in zip(self.paths, self.parts, strict=True):
            if not path.is_file() or digest(path) != part.sha256:
                raise self.changed(f"{self._place}/{part.name}")

    def changed(self, place: str) -> DatamallError:
        """Return the error for a file that changed while it was read."""
        return DatamallError(
            f"{place} was changed while it was being read: wait until it has been written in "
            "full, and take it in again."
        )

    def _find(self, authority: Authority) -> list[Path]:
        spec = self._mapping.file
        paths = sorted(path for path in self._folder.glob(spec.path) if path.is_file())
        if not paths:
            remedy = "put it there"
            if spec.sha256:
                remedy = f"get it with `datamall fetch {authority.authority}`"
            elif authority.synthetic:
                remedy = "make it with `datamall demo`"
            source = f" (source: {spec.source})" if spec.source else ""
            raise DatamallError(f"There is no {self._place}/{spec.path}: {remedy}{source}.")
        return paths

    def _positions(self, headers: list[str], place: str) -> list[int]:
        """Return where the wanted headers are; refuse a missing or doubtful one."""
        found: dict[str, int] = {}
        for position, header in enumerate(headers):
            if header.casefold() in found:
                raise DatamallError(
                    f"{place} has two columns called {header!r}: have one of them renamed."
                )
            found[header.casefold()] = position
        missing = [header for header in self.headers if header.casefold() not in found]
        if missing:
            raise DatamallError(
                f"{place} has no column {' and no column '.join(map(repr, missing))}: its header "
                f"is {', '.join(map(repr, headers))}; correct the mapping or ask for the column."
            )
        return [found[header.casefold()] for header in self.headers]

    def _csv(self, path: Path, base: int, place: str) -> Iterator[pa.RecordBatch]:
        spec, size = self._mapping.file, path.stat().st_size
        headers = csv_headers(path, spec.encoding, spec.separator, spec.quote, place)
        positions = [str(position) for position in self._positions(headers, place)]
        last = "\n" + spec.separator.join([END] * len(headers)) + "\n"
        bad: list[int] = []

        def set_apart(row: pa.csv.InvalidRow) -> str:
            bad.append(row.number)
            self.malformed[base + row.number] = (row.actual_columns, row.expected_columns)
            return "skip"

        names = [str(position) for position in range(len(headers))]
        row, ended = 2, False
        with Utf8Stream(path, spec.encoding, last, place) as stream:
            try:
                reader = pa.csv.open_csv(
                    pa.PythonFile(stream, mode="r"),
                    # Rows have numbers only without threads.
                    read_options=pa.csv.ReadOptions(
                        use_threads=False,
                        block_size=BLOCK,
                        column_names=names,
                        skip_rows_after_names=1,
                    ),
                    parse_options=pa.csv.ParseOptions(
                        delimiter=spec.separator,
                        quote_char=spec.quote or False,
                        newlines_in_values=bool(spec.quote),
                        invalid_row_handler=set_apart,
                    ),
                    convert_options=pa.csv.ConvertOptions(
                        include_columns=positions,
                        column_types=dict.fromkeys(names, pa.string()),
                        check_utf8=False,
                    ),
                )
                for batch in reader:
                    if batch.num_rows and batch.column(0)[-1].as_py() == END:
                        batch, ended = batch.slice(0, batch.num_rows - 1), True
                    numbers = np.arange(row, row + batch.num_rows + len(bad))
                    numbers = numbers[~np.isin(numbers, bad)][: batch.num_rows]
                    if len(numbers):
                        row = int(numbers[-1]) + 1
                        bad = [number for number in bad if number >= row]
                        self.parsed += batch.num_rows
                        trimmed = [pc.ascii_trim_whitespace(column) for column in batch.columns]
                        yield self._batch(base + numbers, trimmed)
            except pa.ArrowInvalid as error:
                if "straddl" not in str(error) and "out of sync" not in str(error):
                    raise DatamallError(
                        f"{place} cannot be read as CSV after record {row - 1:,}: {error}."
                    ) from None
        if not ended:
            raise DatamallError(
                f"{place} opens a quote after record {row - 1:,} that is never closed: ask for a "
                "sound file, or set `quote` in the mapping."
            )
        self.parsed += sum(1 for record in self.malformed if record >= base)
        self.parts.append(
            RawPart(path.relative_to(self._folder).as_posix(), size, stream.hash.hexdigest())
        )

    def _parquet(self, path: Path, base: int, place: str) -> Iterator[pa.RecordBatch]:
        size, before = path.stat().st_size, digest(path)
        try:
            with pq.ParquetFile(path) as file:
                positions = self._positions(file.schema_arrow.names, place)
                fields = [file.schema_arrow.field(position) for position in positions]
                self._check_types(fields, place)
                row, names = 1, [field.name for field in fields]
                for batch in file.iter_batches(PARQUET_ROWS, columns=names):
                    texts = []
                    for field in fields:
                        column = pc.cast(batch.column(field.name), pa.string())
                        texts.append(pc.ascii_trim_whitespace(pc.fill_null(column, "")))
                    yield self._batch(base + np.arange(row, row + batch.num_rows), texts)
                    row += batch.num_rows
                    self.parsed += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DatamallError(
                f"{place} is no sound Parquet file ({str(error).splitlines()[0]}): ask for it "
                "again."
            ) from None
        self.parts.append(RawPart(path.relative_to(self._folder).as_posix(), size, before))

    def _check_types(self, fields: list[pa.Field], place: str) -> None:
        """Refuse Parquet columns that cannot fill the contract's column without loss."""
        types = {field.name.casefold(): field.type for field in fields}
        for kind in types.values():
            if pa.types.is_nested(kind) or pa.types.is_binary(kind):
                raise DatamallError(
                    f"{place} has a column of type {kind}, which has no text: leave it out of the "
                    "mapping."
                )
        for name, filling in self._mapping.columns.items():
            if filling.header is None or filling.map is not None:
                continue
            wanted, found = self._contract.column(name).type, types[filling.header.casefold()]
            if not fits(found, wanted):
                raise DatamallError(
                    f"{place}: column {filling.header!r} is {found}, and {self._contract.name}."
                    f"{name} needs {wanted}: have it delivered as such, or convert it by an "
                    "`expression` in the mapping."
                )

    def _batch(self, records: Any, texts: list[Any]) -> pa.RecordBatch:
        columns = [pa.array(records, pa.int64()), *texts]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def fits(found: pa.DataType, wanted: str) -> bool:
    """Whether a Parquet type holds values of a contract's type and nothing else."""
    if pa.types.is_dictionary(found):
        found = found.value_type
    integer = pa.types.is_integer(found)
    return {
        "integer": integer,
        "number": integer or pa.types.is_floating(found) or pa.types.is_decimal(found),
        "date": pa.types.is_date(found),
        "string": integer or pa.types.is_string(found) or pa.types.is_large_string(found),
    }[wanted]


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
