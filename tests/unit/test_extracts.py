"""Extracts have the same bytes however their rows come, and are sorted as the engine sorts."""

import datetime
import hashlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamall.mall import extracts

SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("number", pa.int64()),
        ("day", pa.date32()),
        ("amount", pa.decimal128(9, 2)),
    ]
)
# Few different values, so that rows tie; letters whose order differs by bytes and by alphabet.
TEXTS = st.sampled_from(["", "a", "b", "Z", "é", "z", "ﬀ", "𝔞", None])
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.one_of(st.none(), st.integers(-2, 2)),
        st.one_of(st.none(), st.dates(datetime.date(2024, 12, 30), datetime.date(2025, 1, 2))),
        st.one_of(st.none(), st.decimals(-1, 1, places=2)),
    ),
    max_size=12,
)


def table(rows: list[tuple]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def fully_sorted(rows: pa.Table) -> pa.Table:
    """Return what the engine's ORDER BY ALL gives."""
    with duckdb.connect() as engine:
        engine.register("given", rows)
        return engine.sql("SELECT * FROM given ORDER BY ALL").to_arrow_table()


def cut(rows: pa.Table, places: list[int]) -> Iterator[pa.Table]:
    ends = sorted({0, rows.num_rows, *(p % (rows.num_rows + 1) for p in places)})
    for first, last in pairwise(ends):
        yield rows.slice(first, last - first)


def digest(tables: Iterator[pa.Table] | list[pa.Table], schema: pa.Schema = SCHEMA) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder, "extract.parquet")
        extracts.write(tables, schema, path)
        return hashlib.sha256(path.read_bytes()).hexdigest()


@settings(max_examples=60, deadline=None)
@given(ROWS, st.lists(st.integers(0, 50), max_size=4), st.integers(1, 5))
def test_same_bytes_however_rows_are_cut(rows: list[tuple], places: list[int], size: int) -> None:
    given_rows = table(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extracts, "GROUP_ROWS", size)
        assert digest(cut(given_rows, places)) == digest([given_rows])


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_in_order_is_what_the_engine_calls_sorted(rows: list[tuple]) -> None:
    given_rows = table(rows)
    inside = fully_sorted(given_rows)
    assert extracts.in_order(inside)
    assert extracts.in_order(given_rows) is given_rows.equals(inside.cast(SCHEMA))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(ROWS, st.lists(st.integers(0, 50), max_size=3), st.booleans(), st.integers(1, 4))
def test_rows_as_they_lie_are_those_of_a_full_sort_or_refused(
    rows: list[tuple], places: list[int], sort: bool, size: int
) -> None:
    given_rows = fully_sorted(table(rows)).cast(SCHEMA) if sort else table(rows)
    whole = fully_sorted(given_rows).cast(SCHEMA)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(extracts, "GROUP_ROWS", size)
        parts = []
        for number, part in enumerate(cut(given_rows, places)):
            parts.append(Path(folder, f"part-{number}.parquet"))
            pq.write_table(part, parts[-1])
        try:
            lies = digest(extracts.as_they_lie(parts, SCHEMA.names))
        except extracts.NotInOrder:
            assert not given_rows.equals(whole)
        else:
            assert lies == digest([whole])
            assert given_rows.equals(whole)


def write_parts(folder: Path, *parts: pa.Table) -> list[Path]:
    paths = [folder / f"part-{number}.parquet" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        pq.write_table(part, path)
    return paths


def test_a_row_in_the_wrong_place_is_found_between_two_parts(tmp_path: Path) -> None:
    early, late = table([("a", 1, None, None)]), table([("b", 1, None, None)])
    assert len(list(extracts.as_they_lie(write_parts(tmp_path, early, late), ["text"]))) == 2
    with pytest.raises(extracts.NotInOrder):
        list(extracts.as_they_lie(write_parts(tmp_path, late, early), ["text"]))


def test_an_empty_part_between_hides_nothing(tmp_path: Path) -> None:
    early, late = table([("a", 1, None, None)]), table([("b", 1, None, None)])
    with pytest.raises(extracts.NotInOrder):
        list(extracts.as_they_lie(write_parts(tmp_path, late, table([]), early), ["text"]))


def test_order_goes_by_the_columns_asked_for(tmp_path: Path) -> None:
    rows = table([("b", 1, None, None), ("a", 2, None, None)])
    paths = write_parts(tmp_path, rows)
    [lies] = extracts.as_they_lie(paths, ["number", "text"])
    assert lies.column_names == ["number", "text"]
    with pytest.raises(extracts.NotInOrder):
        list(extracts.as_they_lie(paths, ["text", "number"]))


def test_groups_have_a_fixed_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracts, "GROUP_ROWS", 4)
    rows: list[tuple[Any, ...]] = [("a", number, None, None) for number in range(10)]
    path = tmp_path / "extract.parquet"
    assert extracts.write(cut(table(rows), [1, 3, 9]), SCHEMA, path) == 10
    about = pq.ParquetFile(path).metadata
    assert [about.row_group(k).num_rows for k in range(about.num_row_groups)] == [4, 4, 2]
    assert pq.read_table(path).equals(table(rows))
