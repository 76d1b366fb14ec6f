"""Borders and water behind the dots of a map: cut off at its edge, in one colour, names apart."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from datamall.reporting import canvas, figures, outlines, tables
from datamall.requirements import Absent

X, Y = 233_000.0, 581_000.0
SAY: dict[str, Any] = {"name": "picture", "title": "A title", "alt": "Places."}


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    return shapely.box(X + west, Y + south, X + east, Y + north)


def store(*rows: tuple[str, str | None, Any]) -> pd.DataFrame:
    texts = [(kind, name, shape.wkt) for kind, name, shape in rows]
    return pd.DataFrame(texts, columns=["kind", "name", "shape"])


def places(count: int = 400) -> pd.DataFrame:
    """Return places in the west and the east of a square of 4 km, none in between."""
    rng = np.random.Generator(np.random.PCG64(7))
    east = rng.random(count) < 0.5
    x = X + 1400 * rng.random(count) + 2600 * east
    frame = pd.DataFrame({"place": range(count), "x": x, "y": Y + 4000 * rng.random(count)})
    corners = [[X, Y], [X + 4000, Y + 4000]]
    frame.loc[:1, ["x", "y"]] = corners[:count]
    return frame.assign(rate=rng.random(count))


TOWN = store(
    ("district", "Links", box(-9000, -500, 2000, 5000)),
    ("district", "Rechts", box(2000, -500, 9000, 5000)),
    ("neighbourhood", "A", box(-9000, -500, 2000, 2000)),
    ("neighbourhood", "B", box(-9000, 2000, 2000, 5000)),
    ("water", "Plas", box(1500, 500, 2500, 1500) - box(1900, 900, 2100, 1100)),
    ("water", None, shapely.MultiPolygon([box(1500, 3000, 1600, 3100), box(9000, 0, 9100, 99)])),
    ("road", "Weg", shapely.LineString([(X - 9000, Y + 50), (X + 9000, Y + 50)])),
    ("neighbourhood", "Ver", box(20_000, 20_000, 21_000, 21_000)),
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tables.Bundle]:
    bundles: list[tables.Bundle] = []
    monkeypatch.setattr(tables, "publish", lambda *bundle: bundles.append(bundle))
    return bundles


def drawn(background: pd.DataFrame | None, frame: pd.DataFrame) -> tuple[Figure, Axes]:
    """Return a map as `figures.dot_map` draws it, laid out."""
    kept: list[Any] = []

    def draw(axes: Axes, numbers: pd.DataFrame) -> None:
        canvas.ordered_dots(axes, numbers, "x", "y", "rate", 1.0, "picture")
        canvas.as_map(axes, numbers["x"], numbers["y"])
        view = outlines.around(numbers["x"], numbers["y"])
        outlines.draw(axes, background, view, numbers["x"], numbers["y"])
        axes.figure.draw_without_rendering()  # type: ignore[union-attr]
        kept.append((axes.get_xlim(), axes.get_ylim(), [*axes.collections], [*axes.texts]))
        kept.append({to_hex(patch.get_facecolor()) for patch in axes.artists + axes.patches})
        kept.append([text.get_window_extent().extents for text in axes.texts if text.zorder < 1])
        kept.append(axes.transData.transform(numbers[["x", "y"]]) if len(numbers) else None)

    canvas.png(draw, frame, 5.0)
    return kept  # type: ignore[return-value]


def lines(collections: list[Any]) -> dict[str, list[np.ndarray]]:
    found: dict[str, list[np.ndarray]] = {}
    for one in collections:
        if isinstance(one, LineCollection):
            found[to_hex(one.get_colors()[0])] = [np.asarray(s) for s in one.get_segments()]
            assert len(one.get_colors()) == 1
    return found


def test_what_leaves_the_map_is_cut_off_and_does_not_enlarge_it() -> None:
    frame = places()
    (without, *_), (limits, *_) = drawn(None, frame), drawn(TOWN, frame)
    assert limits[:2] == without[:2]
    west, south, east, north = outlines.around(frame["x"], frame["y"])
    assert (west, south, east, north) == (X - 120, Y - 120, X + 4120, Y + 4120)
    found = lines(limits[2])
    assert len(found) == 4  # of districts, neighbourhoods, roads and shores
    for segments in found.values():
        assert segments
        for segment in segments:
            assert (segment >= (west - 0.1, south - 0.1)).all()
            assert (segment <= (east + 0.1, north + 0.1)).all()


def test_a_border_of_two_areas_is_drawn_once_and_no_area_is_filled() -> None:
    limits, fills, *_ = drawn(TOWN, places())
    [border] = lines(limits[2])[outlines.LINES["district"][0]]
    assert border.tolist() == [[X + 2000, Y - 120], [X + 2000, Y + 4120]]
    assert fills == {outlines.WATER}


def near(picture: Image.Image, colour: str) -> np.ndarray:
    wanted = [int(colour[n : n + 2], 16) for n in (1, 3, 5)]
    return np.asarray(abs(np.asarray(picture.convert("RGB")).astype(int) - wanted).max(axis=2) < 9)


def test_isles_stay_land_and_every_part_is_drawn(shown: list[tables.Bundle]) -> None:
    lake = box(1000, 1000, 3000, 3000)
    areas = {}
    for name, shape in {
        "whole": lake,
        "isle": lake - box(1500, 1500, 2500, 2500),
        "turned": shapely.Polygon(
            lake.exterior.coords, [box(1500, 1500, 2500, 2500).exterior.coords]
        ),
        "parts": shapely.MultiPolygon([box(1000, 1000, 3000, 1500), box(1000, 2500, 3000, 3000)]),
    }.items():

        def draw(axes: Axes, numbers: pd.DataFrame, shape: Any = shape) -> None:
            axes.scatter(numbers["x"], numbers["y"], s=1)
            canvas.as_map(axes, numbers["x"], numbers["y"])
            outlines._water(axes, [outlines.Outline("", shape, shape.boundary)], 2.0)

        picture = Image.open(io.BytesIO(canvas.png(draw, places(2), 5.0)))
        areas[name] = near(picture, outlines.WATER).sum()
    for name, share in (("isle", 0.75), ("turned", 0.75), ("parts", 0.5)):
        assert areas[name] / areas["whole"] == pytest.approx(share, abs=0.03)


def test_names_cover_no_dot_and_no_other_name_and_are_few() -> None:
    # All ten have room between the places of the west and those of the east.
    many = [("district", f"Wijk {n}", box(1450, 400 * n, 2550, 400 * n + 390)) for n in range(10)]
    for background in (TOWN, store(*many)):
        limits, _, names, dots = drawn(background, places())
        texts = [text.get_text() for text in limits[3] if text.zorder < 1]
        assert 1 <= len(names) <= outlines.AREAS + outlines.WATERS
        assert len(set(texts)) == len(texts)
        assert background is TOWN or len(names) == outlines.AREAS
        for n, (west, south, east, north) in enumerate(names):
            inside = (dots > (west, south)) & (dots < (east, north))
            assert not inside.all(axis=1).any(), texts[n]
            for left, low, right, high in names[:n]:
                assert east < left or west > right or north < low or south > high
    assert {"Links", "Rechts", "Plas"} <= {t.get_text() for t in drawn(TOWN, places())[0][3]}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        TOWN.head(0),
        TOWN.tail(1),
        TOWN.drop(columns="shape"),
        TOWN.assign(shape=None),
        Absent("Outlines", "Not delivered."),
    ],
)
def test_a_map_without_outlines_is_as_it_was(shown: list[tables.Bundle], nothing: Any) -> None:
    figures.dot_map(places(), value="rate", value_label="Rate", **SAY)
    before, shown[:] = shown[:], []
    figures.dot_map(places(), value="rate", value_label="Rate", background=nothing, **SAY)
    assert shown == before


def test_the_alternative_text_says_what_is_drawn(shown: list[tables.Bundle]) -> None:
    for background in (TOWN, TOWN.query("kind == 'water'"), TOWN.drop(columns="name")):
        figures.dot_map(places(), value="rate", value_label="Rate", background=background, **SAY)
    everything = (
        "Places. Behind them lie, in pale lines and fills, borders of districts, borders of "
        "neighbourhoods, water and main roads."
    )
    water = "Places. Behind them lie, in pale lines and fills, water."
    pictures = [b for b in shown if "image/png" in b[0]]
    assert [b[1]["image/png"]["alt"] for b in pictures] == [everything, water, everything]


def test_places_are_what_an_outline_is_drawn_for(shown: list[tables.Bundle]) -> None:
    frame = places().assign(x=np.nan)
    figures.dot_map(frame, value="rate", value_label="Rate", background=TOWN, **SAY)
    figures.dot_map(frame.head(0), value="rate", value_label="Rate", background=TOWN, **SAY)
    figures.dot_map(places(2).tail(1), value="rate", value_label="Rate", background=TOWN, **SAY)
    assert len([b for b in shown if "image/png" in b[0]]) == 3


def test_the_same_outlines_give_the_same_bytes(shown: list[tables.Bundle]) -> None:
    for background in (TOWN, TOWN.sample(frac=1, random_state=1)):
        figures.dot_map(places(), value="rate", value_label="Rate", background=background, **SAY)
    first, second = (b[0]["image/png"] for b in shown if "image/png" in b[0])
    assert first == second
