"""Files of text, Parquet files and sheets of workbooks as chunks of text, numbered by row."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from datamall.errors import DatamallError
from datamall.project import file_digest
from datamall.tabular import objects, workbook
from datamall.tabular.form import OBJECTS, Form, plain
from datamall.tabular.text import Utf8Stream, csv_headers, tidy, titles

BLOCK = 4_000_000  # bytes of UTF-8 that are parsed at once
ROWS = 65_536  # rows of a Parquet file or a sheet that are taken at once
# Ends every CSV stream. If it does not come back as a record, a quote was left open.
END = "\x1e end of datamall \x1e"

Chunk = tuple[np.ndarray, list[Any]]  # numbers of rows; one array of text per wanted field
Choose = Callable[[list[str]], list[int]]  # headers → positions of the wanted fields, in order


@dataclass
class Reading:
    """One raw file while it is read.

    Attributes
    ----------
    path, place
        The file, and what to call it in an error.
    choose
        Says, once the headers are known, which fields are wanted.
    malformed
        Row → what a record has that does not fit: "5 fields where the header has 6".
    words
        Where the form of the file is described, for errors.
    every_line
        Whether blank lines of a CSV file are rows that have a number, as they have in a
        spreadsheet. They are told from records by all fields, so that all must be wanted.
    piece
        Rows of a CSV file that are taken at once, at most; None: those of a block. Fewer hold less.
    bytes, sha256
        Size and digest; the digest is known when the file has been read to the end.
    merged
        First and last cell of each merged range of a sheet, as (row, column) from 0.
    """

    path: Path
    place: str
    choose: Choose
    malformed: dict[int, str]
    words: str = "the mapping"
    every_line: bool = False
    piece: int | None = None
    bytes: int = 0
    sha256: str = ""
    merged: list[Any] = field(default_factory=list)


def read(spec: Form, sheet: str | None, reading: Reading) -> Iterator[Chunk]:
    """Yield the well-formed records of a file in order.

    Rows are numbered as in a spreadsheet, the header included; in a CSV file blank lines are not
    counted unless `Reading.every_line` says so; without a header the first row has number 1, and
    records that are lines have the number of their line.
    Blank rows are no records.

    Parameters
    ----------
    spec
        The form of the file.
    sheet
        Name of the sheet of a workbook; None: the first.
    reading
        The file, and what becomes known of it.

    Raises
    ------
    DatamallError
        If the file is not of this form.
    """
    reading.bytes = reading.path.stat().st_size
    if spec.format == "csv":
        return _csv(spec, reading)
    if spec.format == "fixed":
        return _fixed(spec, reading)
    if spec.format in OBJECTS:
        return objects.read(spec, reading, ROWS)
    if spec.format == "parquet":
        return _parquet(spec, reading)
    return _xlsx(spec, sheet, reading)


def _csv(spec: Form, reading: Reading) -> Iterator[Chunk]:
    place, row = reading.place, 1 if spec.columns else spec.header_row + 1
    headers = csv_headers(reading.path, spec, place, reading.words)
    wanted = [str(position) for position in reading.choose(headers)]
    names = [str(position) for position in range(len(headers) + spec.trailing_separator)]
    # A field after the last separator must be empty; a record with one more is malformed.
    included = list(dict.fromkeys([*wanted, names[-1]]))
    last = "\n" + spec.separator.join([END] * len(names)) + "\n"
    bad: list[int] = []

    def fields_of(found: int) -> str:
        known = "are named" if spec.columns else "the header has"
        return f"{found} fields where {known} {len(names)}"

    def set_apart(found: pa.csv.InvalidRow) -> str:
        number = found.number + spec.header_row - 1 + (stream.blank if reading.every_line else 0)
        bad.append(number)
        reading.malformed[number] = fields_of(found.actual_columns)
        return "skip"

    ended = False
    with Utf8Stream(reading.path, spec, last, place, reading.words) as stream:
        try:
            reader = pa.csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                # Rows have numbers only without threads.
                read_options=pa.csv.ReadOptions(
                    use_threads=False,
                    block_size=BLOCK,
                    column_names=names,
                    skip_rows_after_names=0 if spec.columns else 1,
                ),
                parse_options=pa.csv.ParseOptions(
                    delimiter=spec.separator,
                    quote_char=spec.quote or False,
                    newlines_in_values=bool(spec.quote),
                    ignore_empty_lines=not reading.every_line,
                    invalid_row_handler=set_apart,
                ),
                convert_options=pa.csv.ConvertOptions(
                    include_columns=included,
                    column_types=dict.fromkeys(names, pa.string()),
                    check_utf8=False,
                ),
            )
            row += stream.blank if reading.every_line else 0
            for batch in _pieces(reader, reading.piece):
                if batch.num_rows and batch.column(0)[-1].as_py() == END:
                    batch, ended = batch.slice(0, batch.num_rows - 1), True
                numbers = np.arange(row, row + batch.num_rows + len(bad))
                numbers = numbers[~np.isin(numbers, bad)][: batch.num_rows]
                if not len(numbers):
                    continue
                row = int(numbers[-1]) + 1
                bad = [number for number in bad if number >= row]
                trimmed = [tidy(column) for column in batch.columns]
                if spec.trailing_separator:
                    closed = pc.equal(trimmed[included.index(names[-1])], "")
                    for number in numbers[~closed.to_numpy(zero_copy_only=False)]:
                        reading.malformed[int(number)] = fields_of(len(names))
                    trimmed = [column.filter(closed) for column in trimmed]
                    numbers = numbers[closed.to_numpy(zero_copy_only=False)]
                if reading.every_line:
                    numbers, trimmed = _without_blank(numbers, trimmed)
                fields = dict(zip(included, trimmed, strict=True))
                yield numbers, [fields[name] for name in wanted]
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error) and "out of sync" not in str(error):
                raise DatamallError(
                    f"{place} cannot be read as CSV after record {row - 1:,}: {error}."
                ) from None
    if not ended:
        raise DatamallError(
            f"{place} opens a quote after record {row - 1:,} that is never closed: ask for a "
            f"sound file, or set `quote` in {reading.words}."
        )
    reading.sha256 = stream.sha256


def _pieces(batches: Iterable[Any], rows: int | None) -> Iterator[Any]:
    """Yield batches, and those of more rows in pieces."""
    for batch in batches:
        most = rows or max(batch.num_rows, 1)
        yield from (batch.slice(start, most) for start in range(0, max(batch.num_rows, 1), most))


def _without_blank(numbers: np.ndarray, texts: list[Any]) -> Chunk:
    """Take out the rows without any text."""
    some = np.zeros(len(numbers), bool)
    for column in texts:
        some |= pc.not_equal(column, "").to_numpy(zero_copy_only=False)
    return (numbers, texts) if some.all() else (numbers[some], [v.filter(some) for v in texts])


def _fixed(spec: Form, reading: Reading) -> Iterator[Chunk]:
    chosen = reading.choose(list(spec.columns))
    row = 0
    with Utf8Stream(reading.path, spec, "", reading.place, reading.words) as stream:
        text = io.TextIOWrapper(io.BufferedReader(stream), "utf-8")
        while some := text.readlines(BLOCK):
            lines = pa.array([line.rstrip("\n") for line in some], pa.string())
            numbers = np.arange(row, row + len(some)) + 1 + stream.blank
            row += len(some)
            lengths = pc.utf8_length(lines).to_numpy()
            good = ~pc.equal(tidy(lines), "").to_numpy(zero_copy_only=False)
            for position in chosen:
                first, last = spec.positions[position]
                cut = good & (lengths >= first) & (lengths < (last or 0))
                takes = f"{spec.columns[position]} takes {first} to {last}"
                for number, length in zip(numbers[cut], lengths[cut], strict=True):
                    reading.malformed[int(number)] = f"{length} characters where {takes}"
                good &= ~cut
            kept = lines.filter(pa.array(good))
            yield (
                numbers[good],
                [
                    tidy(pc.utf8_slice_codeunits(kept, first - 1, last))
                    for first, last in (spec.positions[position] for position in chosen)
                ],
            )
    reading.sha256 = stream.sha256


def _parquet(spec: Form, reading: Reading) -> Iterator[Chunk]:
    import pyarrow.parquet as pq  # 10 MB that other files do not need

    place, before = reading.place, file_digest(reading.path)
    try:
        with pq.ParquetFile(reading.path) as file:
            positions = reading.choose([plain(name) for name in file.schema_arrow.names])
            fields = [file.schema_arrow.field(position) for position in positions]
            for kind in (field.type for field in fields):
                if pa.types.is_nested(kind) or pa.types.is_binary(kind):
                    raise DatamallError(
                        f"{place} has a column of type {kind}, which has no text: leave it out of "
                        f"{reading.words}."
                    )
            row, names = 1, list(dict.fromkeys(field.name for field in fields))
            # Two columns may have one name: they come in the order of the file.
            read = [n for n, name in enumerate(file.schema_arrow.names) if name in names]
            places = [read.index(position) for position in positions]
            for batch in file.iter_batches(ROWS, columns=names):
                texts = [_texts(batch.column(n), spec.notation.decimal) for n in places]
                yield np.arange(row, row + batch.num_rows), texts
                row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DatamallError(
            f"{place} is no sound Parquet file ({str(error).splitlines()[0]}): ask for it again."
        ) from None
    reading.sha256 = before


def _texts(column: Any, decimal: str) -> Any:
    """Return typed values as text, missing ones blank: 27.0 is 27."""
    texts = pc.cast(column, pa.string())
    if pa.types.is_decimal(column.type):
        texts = pc.replace_substring_regex(texts, r"\.0+$", "")
    if pa.types.is_timestamp(column.type) or pa.types.is_time(column.type):
        texts = pc.replace_substring_regex(texts, r"\.0+(Z?)$", r"\1")
    if pa.types.is_floating(column.type):
        # Arrow itself writes a float of ten digits and more with an exponent.
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), 2.0**53))
        texts = pc.if_else(
            whole, pc.cast(pc.cast(pc.if_else(whole, column, None), pa.int64()), pa.string()), texts
        )
    if decimal != "." and (pa.types.is_decimal(column.type) or pa.types.is_floating(column.type)):
        texts = pc.replace_substring(texts, ".", decimal)
    return tidy(pc.fill_null(texts, ""))


def _xlsx(spec: Form, sheet: str | None, reading: Reading) -> Iterator[Chunk]:
    place, before = reading.place, file_digest(reading.path)
    rows, reading.merged = workbook.load(reading.path, sheet, place, f"`sheet` in {reading.words}")
    start = 0 if spec.columns else spec.header_row
    if not spec.columns and (len(rows) < start or not any(rows[start - 1])):
        raise DatamallError(
            f"{place}: sheet {sheet!r} has no headers in row {spec.header_row}: correct "
            f"`header_row` in {reading.words}."
        )
    # Line breaks in a header are for the eye.
    top = spec.columns or [workbook.text(cell, spec.notation) for cell in rows[start - 1]]
    positions = reading.choose(titles([" ".join(text.split()) for text in top]))
    if spec.columns and max(positions, default=0) >= max(map(len, rows), default=0):
        raise DatamallError(
            f"{place}: sheet {sheet!r} has fewer columns than {reading.words} names: correct "
            "`columns` there."
        )
    below = range(start, len(rows))
    numbers = np.array([n for n in below if any(c != "" for c in rows[n])], np.int64)
    for first in range(0, len(numbers), ROWS):
        some = numbers[first : first + ROWS]
        texts = [
            pa.array([workbook.text(rows[n][position], spec.notation) for n in some], pa.string())
            for position in positions
        ]
        yield some + 1, [tidy(text) for text in texts]
    reading.sha256 = before
