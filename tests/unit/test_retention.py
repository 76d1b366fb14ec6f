"""What is older than its contract keeps it does not leave the door, and is no use of anybody's."""

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from city_of_persons import CITY, STORE, City, make_city
from hypothesis import given
from hypothesis import strategies as st
from tiny_mall import inspections, make_project, write_store

from datamall.errors import DatamallError
from datamall.mall.access import checkout
from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts
from datamall.mall.log import logbook
from datamall.mall.log.usage import of_person
from datamall.mall.retention import kept_since

INSPECTIONS = "enforcement.inspections"


@given(st.integers(1, 300), st.dates(date(1950, 1, 1), date(2100, 12, 31)))
def test_terms_are_reckoned_as_calendars_do(count: int, day: date) -> None:
    for unit, name in (("y", "years"), ("m", "months"), ("d", "days")):
        offset = pd.DateOffset(**{name: count})
        expected = (pd.Timestamp(day) - offset).date()
        assert kept_since(f"{count} {unit}", day) == expected


def test_more_than_there_are_days_keeps_everything() -> None:
    assert kept_since("9999 y", date(2026, 1, 1)) == date.min == kept_since("9999 m", date.min)


@pytest.mark.parametrize("term", ["5", "0 y", "-1 y", "1.5 y", "5 weeks", "five y"])
def test_a_term_is_a_whole_number_with_its_unit(term: str) -> None:
    with pytest.raises(DatamallError, match="is no retention"):
        kept_since(term, date(2026, 1, 1))


def test_the_day_of_a_row_is_that_of_its_key(root: Path) -> None:
    contracts = load_contracts(root)
    days = {name: contract.dated for name, contract in contracts.items()}
    assert days["welfare.clients"] == "year"  # and not the year of birth
    assert days["traffic.counts"] == "day" and days["enforcement.reports"] == "opened"
    assert days["welfare.protected"] is None


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    return make_project(tmp_path / "project")


def weeks(project: Path, tmp_path: Path) -> list[date]:
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    checkout(project, "demo", "enforcement", folder)
    table = pq.read_table(folder / INSPECTIONS)
    return sorted(set(table["period_start"].to_pylist()))


def test_rows_before_the_term_stay_inside(project: Path, tmp_path: Path) -> None:
    """Three years before the last day in the store itself; the day at the end is still kept."""
    found = inspections()
    days = pa.array([date(2023, 2, 22), date(2023, 2, 23), *[date(2026, 2, 23)] * 3])
    place = found.schema.get_field_index("period_start")
    write_store(project, INSPECTIONS, found.set_column(place, "period_start", days))
    assert weeks(project, tmp_path) == [date(2023, 2, 1), date(2026, 2, 1)]
    (*_, entry) = logbook.read(project)
    (said,) = [one for one in entry.said["stores"] if one["store"] == INSPECTIONS]
    assert (said["part"], said["rows"]) == ("since-2023-02-23", 4)


def test_a_mapping_may_name_the_day(project: Path, tmp_path: Path) -> None:
    path = project / "data" / "authorities" / "demo.yaml"
    text = path.read_text("utf-8")
    path.write_text(f"as_of: 2029-01-12\n{text}", "utf-8")
    assert weeks(project, tmp_path) == [date(2026, 1, 1), date(2026, 2, 1)]
    path.write_text(f"as_of: 2031-01-12\n{text}", "utf-8")
    assert weeks(project, tmp_path) == []
    path.write_text(f"as_of: soon\n{text}", "utf-8")
    with pytest.raises(DatamallError, match="as_of is a day such as"):
        load_authority(project, "demo")


def test_nothing_is_cut_where_all_rows_are_kept(project: Path, tmp_path: Path) -> None:
    assert len(weeks(project, tmp_path)) == 2
    (*_, entry) = logbook.read(project)
    assert not [one for one in entry.said["stores"] if "part" in one]


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> City:
    made = make_city(tmp_path, monkeypatch)
    made.deliver(("K1", 2019), ("K2", 2020), ("K3", 2025))
    made.done("intake", STORE)
    return made


def test_who_is_not_kept_is_not_told_of_uses(city: City, tmp_path: Path) -> None:
    city.done("checkout", "count", str(tmp_path / "out"))
    table = pq.read_table(tmp_path / "out" / STORE)
    assert table.to_pydict() == {"year": [2020, 2025], "people": [1, 1]}
    mapping = load_authority(city.root, CITY)

    def uses(number: str) -> int:
        return len(of_person(city.root, mapping, number, today=date(2027, 1, 1)).uses)

    assert [uses(number) for number in ("K1", "K2", "K3", "K4")] == [0, 1, 1, 0]
    city.done("verify")  # the tags are those of the entry


def test_a_longer_retention_is_no_way_to_old_rows(city: City, tmp_path: Path) -> None:
    city.edit(("value: 5, unit: y", "value: 50, unit: y"))
    said = city.refused("checkout", "count", str(tmp_path / "out"))
    assert "rows are kept for 50 y and no longer 5 y" in said and "[contract-looser]" in said


def test_the_day_is_of_the_authority(city: City, tmp_path: Path) -> None:
    path = city.root / "data" / "authorities" / f"{CITY}.yaml"
    mapping: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump(mapping | {"as_of": "2026-03-01"}), "utf-8")
    city.done("checkout", "count", str(tmp_path / "out"))
    assert pq.read_table(tmp_path / "out" / STORE)["year"].to_pylist() == [2025]
