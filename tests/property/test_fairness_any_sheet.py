"""Whatever the notation and the kind of file, one table is one audit."""

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from excel_files import workbook
from hypothesis import given, settings
from hypothesis import strategies as st

from datamall.fairness.cells import Cells
from datamall.fairness.specification import read

GROUPS = ["NA", "None", "01", "1", "TRUE", "null", "1.0", "Curaçao", "a b", "x;y", '5" pipe', "-"]
COUNTS = st.one_of(st.integers(0, 2000), st.integers(0, 10**9))
TABLES = st.dictionaries(
    st.tuples(st.sampled_from(GROUPS), st.sampled_from(["yes", "no"])), COUNTS, min_size=1
)
SEPARATORS, THOUSANDS = st.sampled_from(",;\t|"), st.sampled_from(["", ".", ",", " ", "'"])
SPEC: dict[str, Any] = {
    "columns": {"decision": "selected", "count": "n"},
    "groups": ["origin"],
    "tolerances": {
        "selection_rate": {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}
    },
}
HEADER = ["origin", "selected", "n"]


def counts(folder: Path, name: str, **words: Any) -> Any:
    path = folder / "audit.yaml"
    path.write_text(yaml.safe_dump(SPEC | {"sheet": name} | words), encoding="utf-8")
    return read(path).counts


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=60)
@given(TABLES, SEPARATORS, THOUSANDS, st.sampled_from(["utf-8", "utf-16"]), st.booleans())
def test_one_table_is_one_audit(
    table: dict[tuple[str, str], int], separator: str, thousands: str, encoding: str, typed: bool
) -> None:
    rows = [[*keys, n] for keys, n in table.items()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = [[*row[:2], f"{row[2]:,}".replace(",", thousands)] for row in rows]
        lines = [separator.join(map(quoted, row)) for row in [HEADER, *texts]]
        (folder / "a.csv").write_text("\n\n".join(lines), encoding=encoding)
        notation = {"thousands": thousands, "decimal": "," if thousands != "," else "."}
        shown = rows if typed else texts
        (folder / "a.xlsx").write_bytes(workbook(HEADER, *shown))
        columns = [list(column) for column in zip(*shown, strict=True)]
        if typed:
            columns[2] = [float(n) for n in columns[2]]
        pq.write_table(pa.table(columns, names=HEADER), folder / "a.parquet")
        words = {} if typed else notation
        found = [
            counts(folder, "a.csv", encoding=encoding, separator=separator, **notation),
            counts(folder, "a.xlsx", **words),
            counts(folder, "a.parquet", **words),
        ]
    assert isinstance(found[0], Cells)
    rows = found[0].frame[["origin", "decision", "count"]].astype(object).to_numpy().tolist()
    assert {(group, "yes" if side else "no"): n for group, side, n in rows} == {
        keys: n for keys, n in table.items() if n
    }
    assert found[0] == found[1] == found[2]
