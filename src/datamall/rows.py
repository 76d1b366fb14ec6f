"""Tables that stay on file and are read in slices: all rows of a place or a junction at once.

Files of millions of rows lie in the order of a key. What is asked of each value of the key is then
reckoned slice by slice, in memory that does not grow with the rows.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datamall.errors import DatamallError
from datamall.threads import ahead

if TYPE_CHECKING:
    import pandas as pd

SLICE_ROWS = 250_000  # about; a slice ends where its last key does


class NotInOrder(DatamallError):
    """Rows do not lie in the order of the key."""


class Rows:
    """Parquet files in the order of a key, which look like one table to who asks of its columns.

    Parameters
    ----------
    paths
        One file at least, each with the same columns.
    key
        Column in whose order the rows lie, one file after the other; None: the first one.

    Attributes
    ----------
    key
        That column.
    columns
        Names of the columns.
    once
        What was reckoned of the rows: name → result, for whoever needs it a second time.
    """

    def __init__(self, paths: Sequence[Path], key: str | None = None) -> None:
        self._paths = tuple(paths)
        self._schema = pq.read_schema(self._paths[0])
        self.columns: list[str] = self._schema.names
        self.key = key or self.columns[0]
        self.once: dict[str, Any] = {}

    def __len__(self) -> int:
        return sum(pq.read_metadata(path).num_rows for path in self._paths)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __getitem__(self, columns: Any) -> Any:
        """Return the extremes of one column, or as many rows of some columns."""
        if isinstance(columns, str):
            return self.extremes[columns]
        narrower = Rows(self._paths, self.key)
        narrower.columns = [name for name in self.columns if name in columns]
        narrower.once = self.once
        return narrower

    def items(self) -> Iterator[tuple[str, "pd.Series"]]:
        """Yield each column with its extremes, which tell whether it has values, and several."""
        for name in self.columns:
            yield name, self.extremes[name]

    @cached_property
    def extremes(self) -> "pd.DataFrame":
        """The least and the highest value of each column, None where it has none."""
        import pandas as pd

        found: dict[str, list[Any]] = {name: [] for name in self.columns}
        for path in self._paths:
            about = pq.read_metadata(path)
            for group in range(about.num_row_groups):
                for position in range(about.num_columns):
                    column = about.row_group(group).column(position)
                    name, known = column.path_in_schema, column.statistics
                    if name not in found:
                        continue
                    if known is not None and known.has_min_max:
                        found[name] += [known.min, known.max]
                    elif known is None or known.null_count < column.num_values:
                        # Not every writer says it.
                        with pq.ParquetFile(path) as file:
                            values = file.read_row_group(group, columns=[name])[name]
                        found[name] += [
                            v for v in pc.min_max(values).as_py().values() if v is not None
                        ]
        return pd.DataFrame({k: [min(v), max(v)] if v else [None, None] for k, v in found.items()})

    def slices(self) -> Iterator["pd.DataFrame"]:
        """Yield the rows in slices that never cut a value of the key; text as categories.

        Raises
        ------
        NotInOrder
            When a key is missing or comes after a higher one; earlier slices have been yielded.
        """
        tables = self.tables(self._text([*self.columns, self.key]))
        yield from ahead(frame(table.unify_dictionaries()) for table in tables)

    def tables(self, text: Sequence[str] = ()) -> Iterator[pa.Table]:
        """Yield the same slices as Arrow tables, with these columns of text as dictionaries."""
        names = list(dict.fromkeys([*self.columns, self.key]))
        rest: pa.Table | None = None
        for path in self._paths:
            with pq.ParquetFile(path, read_dictionary=list(text)) as file:
                for batch in file.iter_batches(SLICE_ROWS, columns=names):
                    table = pa.Table.from_batches([batch])
                    table = table if rest is None else pa.concat_tables([rest, table])
                    start = self._last_key(table)
                    rest = table.slice(start)
                    if start:
                        yield table.slice(0, start).select(self.columns)
        if rest is not None and rest.num_rows:
            yield rest.select(self.columns)

    def whole(self, compact: bool = True) -> "pd.DataFrame":
        """Return all rows at once; compact: text as categories, in alphabetical order."""
        text = self._text(self.columns) if compact else None
        parts = [pq.read_table(p, columns=self.columns, read_dictionary=text) for p in self._paths]
        return frame(pa.concat_tables(parts).unify_dictionaries(), ordered=True)

    def _text(self, names: list[str]) -> list[str]:
        return [name for name in names if pa.types.is_string(self._schema.field(name).type)]

    def _last_key(self, table: pa.Table) -> int:
        """Return the row at which the last key begins; keys must rise."""
        column = table[self.key].unify_dictionaries().combine_chunks()
        if pa.types.is_dictionary(column.type):
            runs = pc.run_end_encode(column.indices)
            values = column.dictionary.take(runs.values)
        else:
            runs = pc.run_end_encode(column)
            values = runs.values  # noqa: PD011
        if values.null_count or not pc.all(pc.less(values[:-1], values[1:]), min_count=0).as_py():
            raise NotInOrder(
                f"The rows do not lie in the order of {self.key!r}: take the store in again."
            )
        return runs.run_ends[-2].as_py() if len(runs.run_ends) > 1 else 0


def frame(table: pa.Table, ordered: bool = False) -> "pd.DataFrame":
    """Return an Arrow table for analyses, if asked with its categories in alphabetical order.

    Decimals are exact in the stores; analyses compute with ordinary numbers.
    """
    fields = [f.with_type(pa.float64()) if pa.types.is_decimal(f.type) else f for f in table.schema]
    result = table.cast(pa.schema(fields)).to_pandas(date_as_object=False, split_blocks=True)
    for field in fields:
        if ordered and pa.types.is_dictionary(field.type):
            values = result[field.name].cat
            result[field.name] = values.set_categories(sorted(values.categories))
    return result
