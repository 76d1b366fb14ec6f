"""Tables that stay on file, read in slices."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamall import rows as module
from datamall.rows import NotInOrder, Rows
from datamall.traffic.cube import COUNTS, cells


def write(folder: Path, frame: pd.DataFrame, parts: int) -> list[Path]:
    cuts = np.linspace(0, len(frame), parts + 1).astype(int)
    paths = []
    for number, (start, end) in enumerate(pairwise(cuts)):
        paths.append(folder / f"part-{number:05d}.parquet")
        table = pa.Table.from_pandas(frame.iloc[start:end], preserve_index=False)
        pq.write_table(table, paths[-1], row_group_size=3)
    return paths


@settings(max_examples=30, deadline=None)
@given(
    keys=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40).map(sorted),
    parts=st.integers(1, 4),
    size=st.integers(1, 12),
)
def test_slices_hold_every_row_once_and_no_key_twice(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], parts: int, size: int
) -> None:
    frame = pd.DataFrame({"key": keys, "number": range(len(keys))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SLICE_ROWS", size)
        found = [*Rows(write(tmp_path_factory.mktemp("r"), frame, parts)).slices()]
    assert [n for part in found for n in part["number"]] == [*range(len(keys))]
    assert [k for part in found for k in part["key"].astype(str)] == keys
    names = [set(part["key"].astype(str)) for part in found]
    assert sum(map(len, names)) == len(set(keys))


@pytest.mark.parametrize("keys", [["b", "a"], ["a", "b", "a"], ["a", None]])
def test_rows_out_of_order_are_refused(tmp_path: Path, keys: list[str | None]) -> None:
    paths = write(tmp_path, pd.DataFrame({"key": keys}), 1)
    with pytest.raises(NotInOrder, match="do not lie in the order of 'key'"):
        list(Rows(paths).slices())


def test_columns_tell_whether_they_have_values_and_several(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"key": ["a", "b", "c"], "one": [4, 4, 4], "none": pd.array([None] * 3, dtype="Int64")}
    )
    rows = Rows(write(tmp_path, frame, 2))
    assert rows["one"].tolist() == [4, 4]
    assert rows["none"].isna().all()
    assert [name for name, _ in rows.items()] == list(frame)
    assert len(rows) == 3
    assert list(rows[["key", "one"]].whole()) == ["key", "one"]


def test_a_file_that_does_not_say_its_extremes_is_asked(tmp_path: Path) -> None:
    table = pa.table({"key": ["a", "b"], "one": [7, None], "none": pa.nulls(2, pa.int64())})
    pq.write_table(table, tmp_path / "part.parquet", write_statistics=False)
    rows = Rows([tmp_path / "part.parquet"])
    assert rows["one"].tolist() == [7, 7]
    assert rows["key"].tolist() == ["a", "b"]
    assert rows["none"].isna().all()


@pytest.mark.parametrize("parts", [1, 3])
def test_counts_on_file_make_the_same_cube(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    draw = np.random.Generator(np.random.PCG64(8))
    keys = ["site", "approach", "movement", "mode", "detector"]
    series = [
        ("J1", "north", "S", "car", "1", 15), ("J1", "south", "S", "car", "2", 15),
        ("J2", "north", "S", "bike", "1", 60), ("J3", "east", "-", "car", "1", 15),
        ("J3", "east", "-", "car", "2", 0),
    ]  # fmt: skip
    tables = []
    for *names, minutes in series:
        each = minutes or 15
        days = pd.date_range("2025-03-03", periods=3)
        index = pd.MultiIndex.from_product([days, range(24), range(0, 60, each)])
        table = index.to_frame(index=False, name=["day", "hour", "minute"])
        table = pd.DataFrame([names], columns=keys).merge(table, how="cross")
        table["minutes"] = minutes
        count = pd.Series(draw.poisson(9, len(table)), dtype="Int64")
        table["count"] = count.mask(draw.random(len(table)) < 0.1) if minutes else pd.NA
        tables.append(table.astype({"count": "Int64"}))
    frame = pd.concat(tables, ignore_index=True)
    monkeypatch.setattr(module, "SLICE_ROWS", 50)
    on_file = cells({COUNTS: Rows(write(tmp_path, frame, parts))})
    for one, two in zip(cells({COUNTS: frame}), on_file, strict=True):
        pd.testing.assert_frame_equal(one.series, two.series)
        assert (one.days.equals(two.days), one.interval) == (True, two.interval)
        np.testing.assert_array_equal(one.count, two.count)
