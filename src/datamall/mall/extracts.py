"""Write one table of an extract: all rows in the order of all columns, in groups of fixed size.

Stores are sorted by key, and a purpose often grants the key first and in its order. Then sorting
again would cost most of a checkout: so the rows are read as they lie and looked at on the way,
and only where one stands in the wrong place is the table sorted.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datamall.rows import NotInOrder

GROUP_ROWS = 250_000


def write(tables: Iterable[pa.Table], schema: pa.Schema, path: Path) -> int:
    """Write tables one after the other; return the number of rows.

    The bytes depend on the rows alone, not on how they were cut into tables.
    """
    waiting: list[pa.Table] = []
    count = rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in tables:
            waiting.append(table.cast(schema))
            count += table.num_rows
            while count >= GROUP_ROWS:
                whole = pa.concat_tables(waiting)
                writer.write_table(whole.slice(0, GROUP_ROWS).combine_chunks())
                waiting, count = [whole.slice(GROUP_ROWS)], count - GROUP_ROWS
                rows += GROUP_ROWS
        if count:
            writer.write_table(pa.concat_tables(waiting).combine_chunks())
    return rows + count


def as_they_lie(parts: list[Path], columns: list[str]) -> Iterator[pa.Table]:
    """Yield the rows of parts as long as they lie in the order of these columns.

    Raises
    ------
    NotInOrder
        At the first group that holds a row in the wrong place; earlier ones have been yielded.
    """
    last: pa.Table | None = None
    for part in parts:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(GROUP_ROWS, columns=columns):
                table = pa.Table.from_batches([batch]).select(columns)
                if table.num_rows == 0:
                    continue
                if not in_order(table if last is None else pa.concat_tables([last, table])):
                    raise NotInOrder("The rows do not lie in the order of all columns.")
                last = table.slice(table.num_rows - 1)
                yield table


def in_order(table: pa.Table) -> bool:
    """Return whether each row comes after the one before it, by all columns from the first on.

    The order is that of the engine's ``ORDER BY ALL``: ascending, text by its bytes, missing
    values last.
    """
    equal = np.ones(max(table.num_rows - 1, 0), dtype=bool)  # to the row before, so far
    for column in table.columns:
        if not equal.any():
            break
        places = _places(column)
        step = np.sign(places[1:] - places[:-1])
        if (step[equal] < 0).any():
            return False
        equal &= step == 0
    return True


def _places(column: pa.ChunkedArray) -> np.ndarray:
    """Return whole numbers that are ordered as the values of a column are."""
    kind = column.type
    if (pa.types.is_int64(kind) or pa.types.is_date32(kind)) and not column.null_count:
        whole = column.cast(pa.int32()).cast(pa.int64()) if pa.types.is_date32(kind) else column
        return whole.to_numpy()
    coded = column.combine_chunks().dictionary_encode()
    values = coded.dictionary.to_pylist()
    if pa.types.is_string(kind):
        values = [value.encode() for value in values]
    place = np.full(len(values) + 1, len(values))  # the last one is that of missing values
    place[sorted(range(len(values)), key=values.__getitem__)] = np.arange(len(values))
    return place[coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
