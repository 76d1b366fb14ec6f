"""Sheets for crews: what is on them, in Dutch, and the route as GPX."""

import re
from datetime import date
from pathlib import Path

import gpxpy
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.reporting import crew

ABOUT = {"title": "Testdorp", "synthetic": True}
DAY = date(2026, 1, 5)


def stop(truck: str, turn: int, place: str, kind: str, **other: object) -> dict[str, object]:
    row = {"truck": truck, "turn": turn, "place": place, "kind": kind, "x": 233_000.0 + 100 * turn}
    row |= {"y": 582_000.0, "arrival": f"6:{30 + 5 * turn}", "departure": f"6:{32 + 5 * turn}"}
    return row | {"volume": 1.25 * turn, "mass": 1_100.0 * turn, "facts": ""} | other


STOPS = [
    stop("W 1", 1, "GR00001", "bulky", facts="gisteren gezien: grofvuil; 2 meldingen open"),
    stop("W 1", 2, "break", "break"),
    stop("W 1", 3, "Oost", "disposal"),
    stop("W 1", 4, "depot", "depot", arrival="24:05"),
    stop("W2", 1, "GR00002", "full"),
    stop("W2", 2, "depot", "depot"),
]


def sheets(folder: Path, **other: object) -> dict[str, str]:
    paths = crew.write(folder, ABOUT, DAY, STOPS, "EPSG:28992", **other)  # type: ignore[arg-type]
    return {path.name: path.read_text("utf-8") for path in paths}


def test_a_sheet_says_what_a_driver_needs_and_for_which_day(tmp_path: Path) -> None:
    found = sheets(tmp_path)
    assert list(found) == ["W-1.gpx", "W-1.html", "W2.gpx", "W2.html"]
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found["W-1.html"]))
    assert "Plan van maandag 5 januari 2026. Alleen geldig op deze dag." in text
    assert "1 stop, van 6:35 tot 24:05 terug op de werf" in text
    for fact in ("gisteren gezien: grofvuil", "2 meldingen open", "aan boord 1,2 m³, 1.100 kg"):
        assert fact in text
    assert text.count("er lag niets") == 1  # asked at places alone
    assert "Straten zijn niet aangeleverd" in text and "Verzonnen stad" in text


def test_places_in_words_come_first(tmp_path: Path) -> None:
    page = sheets(tmp_path, places={"GR00001": "Kerkstraat hoek Dorpsplein"})["W-1.html"]
    assert "Kerkstraat hoek Dorpsplein</span> (GR00001)" in page
    assert "niet aangeleverd" not in page


def test_the_route_lies_where_the_stops_do(tmp_path: Path) -> None:
    (route,) = gpxpy.parse(sheets(tmp_path)["W-1.gpx"]).routes
    assert [point.name for point in route.points] == ["1 GR00001", "3 Oost", "4 depot"]
    # Of the Martinitoren in Groningen, about 233,883 and 582,067 (Kadaster), half a mile away.
    assert route.points[0].latitude == pytest.approx(53.2193, abs=0.01)
    assert route.points[0].longitude == pytest.approx(6.5682, abs=0.02)


def test_the_same_plan_has_the_same_bytes_and_yesterdays_sheets_go(tmp_path: Path) -> None:
    (tmp_path / "W9.html").write_text("yesterday")
    first = sheets(tmp_path)
    assert sheets(tmp_path) == first
    assert not (tmp_path / "W9.html").exists()


def test_four_facts_are_too_many(tmp_path: Path) -> None:
    with pytest.raises(DatamallError, match=r"GR00001 has 4 facts, and a driver reads 3"):
        row = stop("W1", 1, "GR00001", "bulky", facts="a; b; c; d")
        crew.write(tmp_path, ABOUT, DAY, [row], "EPSG:28992")
    assert not list(tmp_path.iterdir())


def test_numbers_are_dutch() -> None:
    assert crew.number(1234.56, 1) == "1.234,6"


def test_the_map_shows_borders_and_water_where_they_were_delivered(tmp_path: Path) -> None:
    square = "POLYGON ((233000 581900, 233300 581900, 233300 582100, 233000 581900))"
    rows = [("district", "Noord", square), ("water", "Diep", square)]
    background = pd.DataFrame(rows, columns=["kind", "name", "shape"])
    without, found = sheets(tmp_path / "a")["W-1.html"], sheets(tmp_path, background=background)
    for word in ("wijkgrens", "water", "Lichte lijnen en vlakken zijn grenzen"):
        assert word in found["W-1.html"] and word not in without
    assert "buurtgrens" not in found["W-1.html"]
    assert found == sheets(tmp_path, background=background)
    empty = sheets(tmp_path / "b", background=background.head(0))["W-1.html"]
    assert empty == without
