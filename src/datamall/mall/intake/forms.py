"""CSV files, Parquet files and sheets of workbooks as chunks of text fields, numbered by row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from datamall.errors import DatamallError
from datamall.mall.intake.text import Utf8Stream, csv_headers
from datamall.mall.rawfiles import Notation, RawFile
from datamall.project import file_digest

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
        Row → (fields found, fields in the header) of records that do not fit the header.
    bytes, sha256
        Size and digest; the digest is known when the file has been read to the end.
    """

    path: Path
    place: str
    choose: Choose
    malformed: dict[int, tuple[int, int]]
    bytes: int = 0
    sha256: str = ""


def read(spec: RawFile, sheet: str | None, reading: Reading) -> Iterator[Chunk]:
    """Yield the well-formed records of a file in order.

    Rows are numbered as in a spreadsheet, the header included; in a CSV file blank lines are not
    counted; in a Parquet file the first row has number 1.
    """
    reading.bytes = reading.path.stat().st_size
    if spec.format == "csv":
        return _csv(spec, reading)
    if spec.format == "parquet":
        return _parquet(reading)
    return _xlsx(spec, str(sheet), reading)


def _csv(spec: RawFile, reading: Reading) -> Iterator[Chunk]:
    place = reading.place
    headers = csv_headers(reading.path, spec.encoding, spec.separator, spec.quote, place)
    wanted = [str(position) for position in reading.choose(headers)]
    names = [str(position) for position in range(len(headers) + spec.trailing_separator)]
    # A field after the last separator must be empty; a record with one more is malformed.
    included = list(dict.fromkeys([*wanted, names[-1]]))
    last = "\n" + spec.separator.join([END] * len(names)) + "\n"
    bad: list[int] = []

    def set_apart(row: pa.csv.InvalidRow) -> str:
        bad.append(row.number)
        reading.malformed[row.number] = (row.actual_columns, row.expected_columns)
        return "skip"

    row, ended = 2, False
    with Utf8Stream(reading.path, spec.encoding, last, place) as stream:
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
                    include_columns=included,
                    column_types=dict.fromkeys(names, pa.string()),
                    check_utf8=False,
                ),
            )
            for batch in reader:
                if batch.num_rows and batch.column(0)[-1].as_py() == END:
                    batch, ended = batch.slice(0, batch.num_rows - 1), True
                numbers = np.arange(row, row + batch.num_rows + len(bad))
                numbers = numbers[~np.isin(numbers, bad)][: batch.num_rows]
                if not len(numbers):
                    continue
                row = int(numbers[-1]) + 1
                bad = [number for number in bad if number >= row]
                trimmed = [pc.ascii_trim_whitespace(column) for column in batch.columns]
                if spec.trailing_separator:
                    closed = pc.equal(trimmed[included.index(names[-1])], "")
                    for number in numbers[~closed.to_numpy(zero_copy_only=False)]:
                        reading.malformed[int(number)] = (len(names), len(headers))
                    trimmed = [column.filter(closed) for column in trimmed]
                    numbers = numbers[closed.to_numpy(zero_copy_only=False)]
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
            "sound file, or set `quote` in the mapping."
        )
    reading.sha256 = stream.hash.hexdigest()


def _parquet(reading: Reading) -> Iterator[Chunk]:
    place, before = reading.place, file_digest(reading.path)
    try:
        with pq.ParquetFile(reading.path) as file:
            positions = reading.choose(file.schema_arrow.names)
            fields = [file.schema_arrow.field(position) for position in positions]
            for kind in (field.type for field in fields):
                if pa.types.is_nested(kind) or pa.types.is_binary(kind):
                    raise DatamallError(
                        f"{place} has a column of type {kind}, which has no text: leave it out of "
                        "the mapping."
                    )
            row, names = 1, list(dict.fromkeys(field.name for field in fields))
            for batch in file.iter_batches(ROWS, columns=names):
                texts = []
                for field in fields:
                    column = pc.cast(batch.column(field.name), pa.string())
                    texts.append(pc.ascii_trim_whitespace(pc.fill_null(column, "")))
                yield np.arange(row, row + batch.num_rows), texts
                row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DatamallError(
            f"{place} is no sound Parquet file ({str(error).splitlines()[0]}): ask for it again."
        ) from None
    reading.sha256 = before


def parquet_types(path: Path) -> dict[str, pa.DataType]:
    """Return header, in small letters, → type of a Parquet file that has been opened before."""
    return {field.name.casefold(): field.type for field in pq.read_schema(path)}


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


def _xlsx(spec: RawFile, sheet: str, reading: Reading) -> Iterator[Chunk]:
    import python_calamine

    place, before = reading.place, file_digest(reading.path)
    try:
        with python_calamine.load_workbook(reading.path) as book:
            if sheet not in book.sheet_names:
                known = ", ".join(map(repr, book.sheet_names))
                raise DatamallError(
                    f"{place} has no sheet {sheet!r}: there are {known}; correct `sheet` in the "
                    "mapping."
                )
            rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except (python_calamine.CalamineError, OSError) as error:
        raise DatamallError(
            f"{place} is no sound workbook ({str(error).splitlines()[0]}): ask for it again."
        ) from None
    if len(rows) < spec.header_row or not any(rows[spec.header_row - 1]):
        raise DatamallError(
            f"{place}: sheet {sheet!r} has no headers in row {spec.header_row}: correct "
            "`header_row` in the mapping."
        )
    # Line breaks in a header are for the eye.
    titles = [" ".join(str(cell).split()) for cell in rows[spec.header_row - 1]]
    headers = [title or f"column{position:02d}" for position, title in enumerate(titles)]
    positions = reading.choose(headers)
    numbers = np.array(
        [
            number
            for number in range(spec.header_row, len(rows))
            if any(c != "" for c in rows[number])
        ],
        np.int64,
    )
    for start in range(0, len(numbers), ROWS):
        some = numbers[start : start + ROWS]
        texts = [
            pa.array([_cell(rows[n][position], spec.notation) for n in some], pa.string())
            for position in positions
        ]
        yield some + 1, [pc.ascii_trim_whitespace(text) for text in texts]
    reading.sha256 = before


def _cell(value: Any, notation: Notation) -> str:
    """Return a cell of a sheet as the file writes it: 27.0 is 27."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not isinstance(value, bool):
        text = str(int(value)) if value.is_integer() else repr(value)
        return text.replace(".", notation.decimal)
    if isinstance(value, datetime) and (value.hour or value.minute or value.second):
        return value.isoformat(" ")
    if isinstance(value, date):
        return value.strftime(notation.date_format)
    return str(value).lower() if isinstance(value, bool) else str(value)
