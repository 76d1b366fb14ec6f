"""Inspections that stay on file: the same answers, whatever the slices that they are read in."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.towns import city
from datamall import rows
from datamall.enforcement import (
    causes,
    hotspots,
    information,
    inspections,
    knowledge,
    onfile,
    pooling,
    report_places,
    reports,
    spatial,
    sums,
    two_sources,
    wisdom,
)
from datamall.requirements import Absent
from datamall.rows import NotInOrder, Rows, frame

INSPECTIONS, REPORTS = "enforcement.inspections", "enforcement.reports"


class Data(dict[str, Any]):
    """The stores of one reading; what several chapters ask of it is reckoned once."""

    __hash__ = object.__hash__  # type: ignore[assignment]


class Files(Mapping[str, Any]):
    """A folder of stores as an extract, some of them left on file."""

    authority = "towns"

    def __init__(self, folder: Path, on_file: tuple[str, ...] = ()) -> None:
        self.folder, self.on_file = folder, on_file

    def path(self, store: str) -> Path:
        return self.folder / store / "part-00000.parquet"

    def __getitem__(self, store: str) -> Any:
        if store in self.on_file:
            return Rows([self.path(store)])
        return frame(pq.read_table(self.path(store)))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(folder.name for folder in self.folder.iterdir()))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Return a city in which a third role looked, blanks were left and causes lay without waste."""
    folder = tmp_path_factory.mktemp("city")
    city(folder, 420)
    found = Files(folder)
    table = pq.read_table(found.path(INSPECTIONS)).to_pandas(date_as_object=True)
    turn = np.arange(len(table))
    table.loc[turn % 11 == 3, "observer_role"] = "unknown"
    table = table.drop_duplicates(["cluster", "period_start", "observer_role"])
    turn = np.arange(len(table))
    for cause, every in {"full": 7, "bulky": 31}.items():
        table[cause] = table[cause].astype("Int64").mask(turn % every == 5)
    table["broken"] = table["broken"].where(turn % 13 > 0, 1)
    schema = pq.read_schema(found.path(INSPECTIONS))
    fields = [field.with_nullable(True) for field in schema]
    whole = pa.Table.from_pandas(table, pa.schema(fields), preserve_index=False)
    pq.write_table(whole, found.path(INSPECTIONS), row_group_size=1000)
    told = pq.read_table(found.path(REPORTS))
    place = np.arange(told.num_rows)
    for name, step in {"x": 37, "y": 91}.items():
        told = told.append_column(name, pa.array(1000.0 + place * step % 20_000))
    pq.write_table(told, found.path(REPORTS))
    return found


@pytest.fixture(scope="module")
def on_file(files: Files) -> Iterator[Data]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "SLICE_ROWS", 700)
        patch.setattr(pooling, "BLOCK", 17)
        patch.setattr(spatial, "BLOCK", 29)
        patch.setattr(two_sources, "CELLS_AT_ONCE", 1000)
        data = onfile.read(Files(files.folder, onfile.STORES))
        yield Data({store: data[store] for store in data})


@pytest.fixture(scope="module")
def whole(files: Files) -> Data:
    return Data({store: files[store] for store in files})


@cache
def rates_of(data: Data) -> pd.DataFrame:
    return knowledge.dirty_rates(data, 0.9)


@cache
def choices_of(data: Data) -> wisdom.Options | Absent:
    rates = rates_of(data)
    return wisdom.options(rates, causes.place_causes(data, rates))


CREWS = wisdom.crews(6, 5, 4, 3)
CHAPTERS: dict[str, Callable[[Data], Any]] = {
    "totals": information.totals,
    "exposure": information.exposure,
    "on_map": information.on_map,
    "months": information.months,
    "cause_shares": lambda data: causes.cause_shares(data, 0.9),
    "truck_reach": lambda data: causes.truck_reach(data, 0.9),
    "reported": lambda data: reports.reported(data, 0.9),
    "trend": reports.trend,
    "repeats": reports.repeats,
    "squares": lambda data: report_places.squares(data, 8, 0.05),
    "spots": report_places.spots,
    "two_sources": two_sources.overlap,
    "observer_habits": lambda data: knowledge.observer_habits(data, 0.9),
    "between_places": lambda data: knowledge.between_places(information.places(data), 20),
    "within_places": knowledge.within_places,
    "dirty_rates": rates_of,
    "hot_spots": lambda data: hotspots.hot_spots(data, rates_of(data), 8, 0.05, 20),
    "clustering": lambda data: hotspots.clustering(data, rates_of(data), 8, 20),
    "reporting_rates": lambda data: reports.reporting_rates(data, 0.9),
    "differences": lambda data: reports.differences(data, reports.reporting_rates(data, 0.9), 0.9),
    "raw_counts": lambda data: reports.raw_counts(data, reports.reporting_rates(data, 0.9), 0.9),
    "place_causes": lambda data: causes.place_causes(data, rates_of(data)),
    "plan": lambda data: wisdom.plan(choices_of(data), CREWS, 0.9, 1),
    "crew_values": lambda data: wisdom.crew_values(choices_of(data), CREWS, 0.9, 1),
    "compare_plans": lambda data: wisdom.compare_plans(choices_of(data), CREWS, 0.9, 1),
    "inspection_plan": lambda data: inspections.inspection_plan(
        data, choices_of(data), rates_of(data), CREWS, 30, 0.2, 1
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_slices_give_the_answers_of_the_whole_table(
    chapter: str, on_file: Data, whole: Data
) -> None:
    reckon = CHAPTERS[chapter]
    pd.testing.assert_frame_equal(reckon(on_file), reckon(whole), rtol=1e-11, check_dtype=False)


def test_the_city_tries_what_is_hard(on_file: Data, whole: Data) -> None:
    found = sums.sums(on_file[INSPECTIONS])
    assert found.roles == ["cleaning crew", "enforcement officer", "unknown"]
    assert len([*on_file[INSPECTIONS].slices()]) > 10
    shares = causes.cause_shares(whole, 0.9)
    assert shares["apart"].gt(0).any() and shares["apart"].eq(0).any()
    assert reports.reporting_rates(whole, 0.9)["duplicates"].iloc[-1] > 100


def test_what_is_said_of_an_extract_stays(files: Files) -> None:
    extract = Files(files.folder, onfile.STORES)
    data = onfile.read(extract)
    assert isinstance(data[INSPECTIONS], Rows)
    assert data[REPORTS]["report"].dtype.kind == "i"
    assert (data.authority, len(data), [*data]) == ("towns", len(extract), [*extract])


def test_sums_are_reckoned_once_and_anew_for_fewer_columns(on_file: Data) -> None:
    seen = on_file[INSPECTIONS]
    assert sums.sums(seen) is sums.sums(seen)
    fewer = seen[[name for name in seen if name != "observer_role"]]
    assert sums.sums(fewer).roles == ["unknown"]


def test_tables_without_files_are_taken_as_they_are(whole: Data) -> None:
    assert onfile.read(whole) is whole


def test_rows_in_another_order_are_refused(files: Files, tmp_path: Path) -> None:
    table = pq.read_table(files.path(INSPECTIONS))
    turned = tmp_path / "turned.parquet"
    pq.write_table(pa.concat_tables([table.slice(1000), table.slice(0, 1000)]), turned)
    with pytest.raises(NotInOrder, match="order of 'cluster'"):
        list(Rows([turned], "cluster").slices())
