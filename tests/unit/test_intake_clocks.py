"""Time stamps become local days and hours: two days of 2025 in Amsterdam, reckoned by hand.

On 30 March the clock goes from 01:59 to 03:00 (01:00 UTC); on 26 October it goes from 02:59 in
summer time (00:59 UTC) back to 02:00 in winter time (01:00 UTC).
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from excel_files import workbook
from tiny_intake import STORE, column, fields, quarantined, reasons, stored, write_project

from datamall.errors import DatamallError
from datamall.mall.authorities import load_authority
from datamall.mall.clocks import changes, odd_halves
from datamall.mall.intake import intake

Edit = Callable[[dict[str, Any]], None]
ZONE = "Europe/Amsterdam"
FORMAT = "%Y-%m-%d %H:%M"


def hourly(contract: dict[str, Any]) -> None:
    """One row per thing, day, hour and minute; `fold` where it is asked for."""
    properties = contract["schema"][0]["properties"]
    properties[1].update(primaryKey=True, primaryKeyPosition=2)
    properties[2]["required"] = False
    for position, name in enumerate(("hour", "minute"), 3):
        more = {"primaryKey": True, "primaryKeyPosition": position, "required": True}
        properties.append(column(name, "integer", **more))
    properties.append(column("fold", "integer"))
    del contract["schema"][0]["quality"]


def timed(*parts: str, stamp: Any = "when", **time: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        document["files"]["list"] = {
            "path": "things*", "format": "csv", "time": {"format": FORMAT, "zone": ZONE, **time}
        }  # fmt: skip
        fields(document).clear()
        fields(document)["id"] = {"from": "nr"}
        for part in parts or ("day", "hour", "minute"):
            fields(document)[part] = {"from": stamp, "part": part}

    return edit


def take_in(root: Path, stamps: list[str], edit: Edit, contract: Edit = hourly) -> dict[str, Any]:
    raw = "nr,when\n" + "".join(f"{chr(97 + n)},{stamp}\n" for n, stamp in enumerate(stamps))
    write_project(root, {"things.csv": raw.encode()}, contract=contract, authority=edit)
    report = intake(root, "tiny", STORE)
    assert report["parsed"] == report["accepted"] + report["quarantined"]
    return report


def local(root: Path) -> dict[str, str]:
    return {row["id"]: f"{row['day']} {row['hour']:02}:{row['minute']:02}" for row in stored(root)}


@pytest.mark.parametrize(
    ("clock", "stamps", "expected", "apart"),
    [
        (
            "local",
            ["2025-03-30 01:59", "2025-03-30 02:00", "2025-03-30 02:59", "2025-03-30 03:00",
             "2025-10-26 01:59", "2025-10-26 02:00", "2025-10-26 02:59", "2025-10-26 03:00"],
            {"a": "2025-03-30 01:59", "d": "2025-03-30 03:00",
             "e": "2025-10-26 01:59", "h": "2025-10-26 03:00"},
            {3: "no_such_hour:day", 4: "no_such_hour:day",
             7: "repeated_hour:hour", 8: "repeated_hour:hour"},
        ),
        (
            "utc",
            ["2025-03-30 00:59", "2025-03-30 01:00", "2025-10-26 00:00", "2025-10-26 00:59",
             "2025-10-26 01:00", "2025-10-26 01:59", "2025-10-26 02:00", "2025-12-31 23:30"],
            {"a": "2025-03-30 01:59", "b": "2025-03-30 03:00", "c": "2025-10-26 02:00",
             "d": "2025-10-26 02:59", "g": "2025-10-26 03:00"},
            # Half past eleven in the evening of the year is in the next, beyond the contract.
            {6: "repeated_hour:hour", 7: "repeated_hour:hour", 9: "range:day"},
        ),
        (
            "winter",
            ["2025-03-30 01:59", "2025-03-30 02:00", "2025-07-01 23:30", "2025-10-26 01:00",
             "2025-10-26 02:00", "2025-10-26 03:00", "2025-01-01 00:00"],
            {"a": "2025-03-30 01:59", "b": "2025-03-30 03:00", "c": "2025-07-02 00:30",
             "d": "2025-10-26 02:00", "f": "2025-10-26 03:00", "g": "2025-01-01 00:00"},
            {6: "repeated_hour:hour"},
        ),
        ("-02:30", ["2025-06-30 20:00", "2025-12-30 20:00"],
         {"a": "2025-07-01 00:30", "b": "2025-12-30 23:30"}, {}),
    ],
)  # fmt: skip
def test_clocks(
    tmp_path: Path, clock: str, stamps: list[str], expected: dict[str, str], apart: dict[int, str]
) -> None:
    take_in(tmp_path, stamps, timed(clock=clock))
    assert local(tmp_path) == expected
    assert reasons(tmp_path) == apart


def test_a_stamp_that_says_its_own_distance(tmp_path: Path) -> None:
    stamps = [
        "2025-10-26T02:30:00+0200", "2025-10-26T02:30:00+01:00", "2025-10-26T00:30:00+00:00",
        "2025-06-01T12:00:00-07:00", "2025-06-01T12:00:00", "2025-06-01T12:00:00Z",
    ]  # fmt: skip
    edit = timed("day", "hour", "minute", "fold", format="%Y-%m-%dT%H:%M:%S%z")
    take_in(tmp_path, stamps, edit)
    assert local(tmp_path) == {
        "a": "2025-10-26 02:30", "b": "2025-10-26 02:30", "c": "2025-10-26 02:30",
        "d": "2025-06-01 21:00", "f": "2025-06-01 14:00",
    }  # fmt: skip
    assert [row["fold"] for row in stored(tmp_path)] == [0, 1, 0, 0, 0]
    assert reasons(tmp_path) == {6: "time:day"}
    found = quarantined(tmp_path)[0]["detail"]
    assert found == "day is of a time that is not written as %Y-%m-%dT%H:%M:%S%z."


def test_several_formats_and_stamps_that_are_missing(tmp_path: Path) -> None:
    formats = ["%Y-%m-%dT%H:%M:%S.%fZ", "%m/%d/%Y %I:%M:%S %p"]
    stamps = ["2025-02-15T10:00:00.000Z", "02/15/2025 11:05:00 PM", "", "15/02/2025 11:05:00 PM"]
    take_in(tmp_path, stamps, timed(format=formats, clock="utc"))
    assert local(tmp_path) == {"a": "2025-02-15 11:00", "b": "2025-02-16 00:05"}
    assert reasons(tmp_path) == {4: "required:day", 5: "time:day"}


def test_days_are_sure_where_hours_are_not(tmp_path: Path) -> None:
    def daily(contract: dict[str, Any]) -> None:
        hourly(contract)
        for item in contract["schema"][0]["properties"][6:8]:
            item.update(primaryKey=False, required=False)
            del item["primaryKeyPosition"]

    stamps = ["2025-10-26 02:30", "2025-03-30 02:30"]
    take_in(tmp_path, stamps, timed("day", clock="local"), daily)
    assert [str(row["day"]) for row in stored(tmp_path)] == ["2025-10-26"]
    assert reasons(tmp_path) == {3: "no_such_hour:day"}


def test_events_of_both_hours_are_counted(tmp_path: Path) -> None:
    def tallied(contract: dict[str, Any]) -> None:
        hourly(contract)
        contract["schema"][0]["customProperties"] = [{"property": "tally", "value": "amount"}]

    def edit(document: dict[str, Any]) -> None:
        timed("day", "hour", clock="local")(document)
        document["stores"][STORE]["events"] = []
        fields(document)["minute"] = {"value": "0"}
        fields(document)["id"] = {"value": "x"}

    stamps = ["2025-10-26 02:30", "2025-10-26 02:10", "2025-03-30 02:30"]
    take_in_events = write_project(
        tmp_path, {"things.csv": ("when\n" + "\n".join(stamps) + "\n").encode()}, tallied, edit
    )
    report = intake(take_in_events, "tiny", STORE)
    assert [(row["hour"], row["amount"]) for row in stored(tmp_path)] == [(2, 2)]
    assert report["reasons"] == {"no_such_hour:day": 1}


def test_a_day_beside_a_time(tmp_path: Path) -> None:
    edit = timed(stamp=["datum", "tijd"], format="%d-%m-%Y %H:%M", clock="local")
    raw = b"nr,datum,tijd\na,30-03-2025,01:15\nb,30-03-2025,02:15\nc,30-03-2025,\n"
    write_project(tmp_path, {"things.csv": raw}, hourly, edit)
    intake(tmp_path, "tiny", STORE)
    assert local(tmp_path) == {"a": "2025-03-30 01:15"}
    assert reasons(tmp_path) == {3: "no_such_hour:day", 4: "time:day"}


def test_times_as_headers(tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        timed(stamp=["datum", "tijd"], format="%d-%m-%Y %H:%M", clock="winter")(document)
        own = {"headers": "%H:%M", "name": "tijd", "value": "n"}
        document["stores"][STORE]["unpivot"] = own
        fields(document)["amount"] = {"from": "n"}

    raw = b"nr,datum,00:00,0:30,24:00,total\na,01-07-2025,1,2,3,6\nb,31-02-2025,4,5,0,9\n"
    write_project(tmp_path, {"things.csv": raw}, hourly, edit)
    intake(tmp_path, "tiny", STORE)
    assert [(row["hour"], row["minute"], row["amount"]) for row in stored(tmp_path)] == [
        (1, 0, 1), (1, 30, 2)
    ]  # fmt: skip
    assert [(row["row"], row["header"], row["reason"]) for row in quarantined(tmp_path)] == [
        (3, "00:00", "time:day"), (3, "0:30", "time:day")
    ]  # fmt: skip


@pytest.mark.parametrize("headers", ["%Y", "%d-%m-%Y"])
def test_years_and_days_as_headers_of_a_sheet(tmp_path: Path, headers: str) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["files"]["list"] = {
            "path": "things*", "format": "xlsx", "date_format": "%d-%m-%Y"
        }  # fmt: skip
        own = {"headers": headers, "name": "kop", "value": "n"}
        document["stores"][STORE].update(sheet="Cijfers", unpivot=own)
        fields(document).clear()
        day = {"from": "kop"} if "d" in headers else {"value": "2025-01-01"}
        fields(document).update(
            id={"expression": "CASE kop WHEN '2024' THEN 'a' ELSE 'b' END"},
            day=day,
            amount={"from": "n"},
        )

    heads: list[Any] = ["nr", 2024.0, 2025.0, "Totaal", date(2025, 3, 1)]
    content = workbook(heads, ["a", 1, 2, 3, 4])
    write_project(tmp_path, {"things.xlsx": content}, authority=edit)
    intake(tmp_path, "tiny", STORE)
    kept = [(row["day"].month, row["amount"]) for row in stored(tmp_path)]
    assert kept == ([(1, 1), (1, 2)] if headers == "%Y" else [(3, 4)])


def test_cells_of_days_and_times(tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        timed(clock="local")(document)
        document["files"]["list"].update(format="xlsx", date_format="%d-%m-%Y")
        document["stores"][STORE]["sheet"] = "Cijfers"

    content = workbook(
        ["nr", "when"], ["a", date(2025, 1, 6)], ["b", "2025-01-06 07:30"], ["c", "7.30"]
    )
    write_project(tmp_path, {"things.xlsx": content}, hourly, edit)
    intake(tmp_path, "tiny", STORE)
    assert local(tmp_path) == {"a": "2025-01-06 00:00", "b": "2025-01-06 07:30"}
    assert reasons(tmp_path) == {4: "time:day"}


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_stamps_of_a_parquet_file(tmp_path: Path, unit: str, zone: str | None) -> None:
    written = "%Y-%m-%d %H:%M:%S" + ("Z" if zone else "")

    def edit(document: dict[str, Any]) -> None:
        timed(format=written, clock="utc")(document)
        document["files"]["list"]["format"] = "parquet"

    stamps = pa.array([datetime(2025, 7, 1, 22, 15), None], pa.timestamp(unit, zone))
    root = write_project(tmp_path, {"things.parquet": b""}, hourly, edit)
    path = root / "data" / "raw" / "tiny" / "things.parquet"
    pq.write_table(pa.table({"nr": ["a", "b"], "when": stamps}), path)
    intake(root, "tiny", STORE)
    assert local(root) == {"a": "2025-07-02 00:15"}


@pytest.mark.parametrize("zone", [ZONE, "Australia/Melbourne", "America/New_York", "Asia/Tokyo"])
def test_every_hour_of_a_year_is_that_of_the_standard_library(tmp_path: Path, zone: str) -> None:
    own = ZoneInfo(zone)
    instants = [datetime(2025, 1, 2) + timedelta(minutes=30 * n) for n in range(48 * 363)]
    names = ["".join(three) for three in product(ascii_lowercase, repeat=3)]
    raw = "nr,when\n" + "".join(
        f"{names[n % len(names)]},{instant:{FORMAT}}\n" for n, instant in enumerate(instants)
    )
    edit = timed("day", "hour", "minute", "fold", clock="utc", zone=zone)
    write_project(tmp_path, {"things.csv": raw.encode()}, hourly, edit)
    intake(tmp_path, "tiny", STORE)
    found = [
        (row["day"], row["hour"], row["minute"], row["fold"], row["id"]) for row in stored(tmp_path)
    ]
    expected = []
    for n, instant in enumerate(instants):
        at = instant.replace(tzinfo=ZoneInfo("UTC")).astimezone(own)
        expected.append((at.date(), at.hour, at.minute, at.fold, names[n % len(names)]))
    assert sorted(found) == sorted(expected)


def test_changes_of_amsterdam_in_2025() -> None:
    known = [change for change in changes(ZONE) if change[0].year == 2025]
    assert known == [
        (datetime(2025, 3, 30, 1), 3600, 7200), (datetime(2025, 10, 26, 1), 7200, 3600)
    ]  # fmt: skip
    gaps, again = odd_halves(ZONE, local=True)
    spring = int((datetime(2025, 3, 30, 2) - datetime(1970, 1, 1)).total_seconds()) // 1800
    autumn = int((datetime(2025, 10, 26, 2) - datetime(1970, 1, 1)).total_seconds()) // 1800
    assert {spring, spring + 1} <= set(gaps) and not {spring - 1, spring + 2} & set(gaps)
    assert {autumn, autumn + 1} <= set(again) and not {autumn - 1, autumn + 2} & set(again)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (timed(), "time: clock says which time the stamps are"),
        (timed(clock="utc", format="%H:%M%z"), "time: clock says which time the stamps are"),
        (timed(clock="summer"), "time: clock must be local, utc, winter or a distance from UTC"),
        (timed(clock="utc", zone="Europe/Groningen"), "zone 'Europe/Groningen' is not known"),
        (timed(clock="utc", format="%Q"), "format '%Q' is no format of time stamps"),
        (timed(format=["%H%z", "%H"]), "format is a format or several, all of them with %z"),
        (timed("fold", clock="local"), "column fold: by a local clock nobody can tell"),
        (timed("week", clock="utc"), "the contract has no column 'week'"),
        (timed(stamp=[], clock="utc"), "a part of a time stamp is taken `from` its header"),
    ],
)
def test_times_that_cannot_be(tmp_path: Path, edit: Edit, sentence: str) -> None:
    root = write_project(tmp_path, contract=hourly, authority=edit)
    with pytest.raises(DatamallError) as caught:
        load_authority(root, "tiny")
    assert sentence in str(caught.value) and str(caught.value).endswith(".")


def test_a_part_needs_a_file_that_says_how(tmp_path: Path) -> None:
    def without(document: dict[str, Any]) -> None:
        timed(clock="utc")(document)
        del document["files"]["list"]["time"]

    def of_text(document: dict[str, Any]) -> None:
        timed(clock="utc")(document)
        fields(document)["day"] = {"from": "when", "part": "hour"}

    for edit, sentence in (
        (without, "say how file list writes"),
        (of_text, "does not fill a date"),
    ):
        with pytest.raises(DatamallError, match=sentence):
            load_authority(write_project(tmp_path, contract=hourly, authority=edit), "tiny")
