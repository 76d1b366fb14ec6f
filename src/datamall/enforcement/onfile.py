"""The extract as this analysis reads it: inspections stay on file, reports take little memory."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from datamall.enforcement.sums import INSPECTIONS
from datamall.rows import Rows, frame

REPORTS = "enforcement.reports"
STORES = (INSPECTIONS, REPORTS)  # to be left on file by the door


def read(extract: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an extract for the chapters: reports that were left on file take little memory.

    Parameters
    ----------
    extract
        As from the door; what was not left on file stays as it is, and the answers are the same.
    """
    return Coded(extract) if isinstance(extract.get(REPORTS), Rows) else extract


class Coded(Mapping[str, Any]):
    """An extract whose reports have numbers for their names; all else is as it was."""

    def __init__(self, extract: Mapping[str, Any]) -> None:
        self._extract = extract
        self._reports = coded(extract[REPORTS])

    def __getitem__(self, store: str) -> Any:
        return self._reports if store == REPORTS else self._extract[store]

    def __iter__(self) -> Iterator[str]:
        return iter(self._extract)

    def __len__(self) -> int:
        return len(self._extract)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extract, name)


def coded(reports: Rows) -> pd.DataFrame:
    """Return the reports with whole numbers in place of their names, other text as categories.

    The name of a report ties a duplicate to what it repeats, and nothing else.
    """
    named = [name for name in ("report", "duplicate_of") if name in reports]
    others = [name for name in ("channel", "category", "cluster") if name in reports]
    tables = [*reports.tables(others)]
    if not tables:
        return reports.whole()
    table = pa.concat_tables(tables).unify_dictionaries()
    names = [chunk for name in named for chunk in table[name].chunks]
    codes = pa.chunked_array(names, pa.string()).dictionary_encode().combine_chunks()
    for turn, name in enumerate(named):
        own = codes.indices.slice(turn * table.num_rows, table.num_rows)
        table = table.set_column(table.column_names.index(name), name, own)
    return frame(table, ordered=True)
