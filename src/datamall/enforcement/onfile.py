"""The extract as this analysis reads it: inspections stay on file, reports take little memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from datamall.enforcement.sums import INSPECTIONS
from datamall.rows import Rows, frame

REPORTS = "enforcement.reports"


def on_file(extract: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an extract for chapters that are to read millions of rows.

    Parameters
    ----------
    extract
        As from the door. Where it is a mapping of tables without a method `path`, which tells the
        file of a store, it is returned as it is: the answers are the same.
    """
    return OnFile(extract) if hasattr(extract, "path") else extract


class OnFile(Mapping[str, Any]):
    """An extract whose inspections are `Rows` and whose reports have numbers for their names.

    All else of it, as what is said about it, is as it was.
    """

    def __init__(self, extract: Any) -> None:
        self._extract = extract
        self._made: dict[str, Any] = {}

    def __getitem__(self, store: str) -> Any:
        if store in self._made:
            return self._made[store]
        if store == INSPECTIONS:
            self._made[store] = Rows([self._extract.path(store)], "cluster")
        elif store == REPORTS:
            self._made[store] = coded_reports(self._extract.path(store))
        else:
            return self._extract[store]
        return self._made[store]

    def __iter__(self) -> Iterator[str]:
        return iter(self._extract)

    def __len__(self) -> int:
        return len(self._extract)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extract, name)


def coded_reports(path: Path) -> pd.DataFrame:
    """Return the reports with whole numbers in place of their names, other text as categories.

    The name of a report ties a duplicate to what it repeats, and nothing else.
    """
    schema = pq.read_schema(path)
    named = [name for name in ("report", "duplicate_of") if name in schema.names]
    text = [f.name for f in schema if pa.types.is_string(f.type) and f.name not in named]
    table = pq.read_table(path, read_dictionary=text)
    names = [chunk for name in named for chunk in table[name].chunks]
    codes = pa.chunked_array(names, pa.string()).dictionary_encode().combine_chunks()
    for turn, name in enumerate(named):
        own = codes.indices.slice(turn * table.num_rows, table.num_rows)
        table = table.set_column(table.column_names.index(name), name, own)
    return frame(table.unify_dictionaries(), ordered=True)
