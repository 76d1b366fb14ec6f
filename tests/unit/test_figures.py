import base64
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from datamall.errors import DatamallError
from datamall.reporting import canvas, figures, rounding, tables
from datamall.requirements import Absent

SAY: dict[str, Any] = {"name": "picture", "title": "A title", "alt": "What is to be seen."}


def places(count: int = 300) -> pd.DataFrame:
    rng = np.random.Generator(np.random.PCG64(5))
    rate = rng.random(count)
    return pd.DataFrame(
        {
            "cluster": [f"C{i:04}" for i in range(count)],
            "x": 229_385 + rng.random(count) * 15_000,
            "y": 571_301 + rng.random(count) * 19_000,
            "rate": rate,
            "low": rate * 0.8,
            "high": rate * 1.2,
            "inspections": rng.integers(1, 500, count),
            "hot": rate > 0.9,
            "role": ["crew", "officer"] * (count // 2),
        }
    )


DRAW: dict[str, Callable[..., None]] = {
    "map": lambda t, **say: figures.dot_map(
        t, value="rate", value_label="Rate", mark="hot", mark_label="Hot spot", **say
    ),
    "intervals": lambda t, **say: figures.intervals(
        t.head(8) if isinstance(t, pd.DataFrame) else t, label="cluster", value="rate",
        low="low", high="high", count="inspections", value_label="Rate", **say,
    ),
    "ratios": lambda t, **say: figures.ratios(
        t.head(8) if isinstance(t, pd.DataFrame) else t, label="cluster", value="rate",
        low="low", high="high", count="inspections", value_label="times as often as others",
        tolerance=(0.8, 1.25), **say,
    ),
    "bars": lambda t, **say: figures.bars(
        t.head(8) if isinstance(t, pd.DataFrame) else t, label="cluster", value="rate",
        low="low", high="high", hue="role", value_label="Rate", **say,
    ),
    "scatter": lambda t, **say: figures.scatter(
        t, x="inspections", y="rate", x_label="Inspections", y_label="Rate", mark="hot",
        mark_label="Hot spot", low="low", high="high", **say,
    ),
    "lines": lambda t, **say: figures.lines(
        t.head(60) if isinstance(t, pd.DataFrame) else t, x="x", y="rate", x_label="Place",
        y_label="Rate", low="low", high="high", band_label="90 % interval", hue="role", **say,
    ),
}  # fmt: skip


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tables.Bundle]:
    bundles: list[tables.Bundle] = []
    monkeypatch.setattr(tables, "publish", lambda *bundle: bundles.append(bundle))
    return bundles


def png(bundle: tables.Bundle) -> bytes:
    return base64.b64decode(bundle[0]["image/png"])


@pytest.mark.parametrize("kind", DRAW)
def test_figure_comes_with_alt_text_and_its_numbers(kind: str, shown: list[tables.Bundle]) -> None:
    DRAW[kind](places(), **SAY)
    (picture, about), (numbers, of_numbers) = shown
    assert about["image/png"] == {"alt": "What is to be seen."}
    image = Image.open(io.BytesIO(png(shown[0])))
    assert 600 <= image.width <= 900
    assert not image.info.get("Software")
    assert len(png(shown[0])) < 100_000
    assert numbers["text/html"].startswith('<details class="numbers"><summary>')
    assert "0.805" not in picture["text/plain"] and picture["text/plain"] == "A title"
    assert numbers[tables.CSV].startswith("cluster,")
    assert of_numbers["datamall"]["name"] == "picture"


@pytest.mark.parametrize("kind", DRAW)
def test_same_table_same_bytes_whatever_the_settings(kind: str, shown: list[tables.Bundle]) -> None:
    DRAW[kind](places(), **SAY)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.dpi": 20}):
        DRAW[kind](places(), **SAY)
    noise = places()
    noise[["rate", "low", "high"]] *= 1 + 1e-12  # as from another processor
    DRAW[kind](noise, **SAY)
    assert png(shown[0]) == png(shown[2]) == png(shown[4])
    assert shown[1] == shown[3] == shown[5]


@pytest.mark.parametrize("kind", DRAW)
def test_figures_are_drawn_from_rounded_numbers(
    kind: str, shown: list[tables.Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[pd.DataFrame] = []

    def png(draw: Any, numbers: pd.DataFrame, height: float) -> bytes:
        drawn.append(numbers)
        return b""

    monkeypatch.setattr(canvas, "png", png)
    DRAW[kind](places(), **SAY)
    pd.testing.assert_frame_equal(drawn[0], rounding.rounded(drawn[0]), check_exact=True)


@pytest.mark.parametrize("kind", DRAW)
def test_other_numbers_other_picture(kind: str, shown: list[tables.Bundle]) -> None:
    DRAW[kind](places(), **SAY)
    changed = places()
    changed.loc[0, ["rate", "low", "high"]] = [0.5, 0.01, 0.99]
    DRAW[kind](changed, **SAY)
    assert png(shown[0]) != png(shown[2])


@pytest.mark.slow
def test_same_bytes_under_one_and_two_threads(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_figures as t, hashlib\n"
        "found = []; t.tables.publish = lambda *b: found.append(b)\n"
        "[draw(t.places(), **t.SAY) for draw in t.DRAW.values()]\n"
        "print(hashlib.sha256(repr(found).encode()).hexdigest())"
    )
    digests = set()
    for threads in ("1", "2"):
        environment = os.environ | {
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "MPLCONFIGDIR": str(tmp_path / threads),
            "PYTHONHASHSEED": threads,
        }
        command = [sys.executable, "-c", code, str(Path(__file__).parent)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        digests.add(done.stdout)
    assert len(digests) == 1


@pytest.mark.parametrize("kind", DRAW)
def test_gap_takes_the_place_of_a_figure(kind: str, shown: list[tables.Bundle]) -> None:
    DRAW[kind](Absent("Chapter", "Not possible here: no columns."), **SAY)
    ((data, metadata),) = shown
    assert "image/png" not in data
    assert metadata["datamall"]["kind"] == "absent"


@pytest.mark.parametrize("kind", DRAW)
def test_figure_without_alt_or_title_is_refused(kind: str, shown: list[tables.Bundle]) -> None:
    with pytest.raises(DatamallError, match=r"has no alternative text \(alt\)"):
        DRAW[kind](places(), **SAY | {"alt": " "})
    with pytest.raises(DatamallError, match="has no title"):
        DRAW[kind](places(), **SAY | {"title": ""})
    with pytest.raises(DatamallError, match="cannot name"):
        DRAW[kind](places(), **SAY | {"name": "../picture"})
    assert not shown


@pytest.mark.parametrize("kind", DRAW)
def test_missing_column_is_one_sentence(kind: str) -> None:
    with pytest.raises(DatamallError, match="needs the column 'rate'"):
        DRAW[kind](places().drop(columns="rate"), **SAY)


@pytest.mark.parametrize("kind", DRAW)
def test_empty_and_missing_values_are_drawn_without_complaint(
    kind: str, shown: list[tables.Bundle]
) -> None:
    DRAW[kind](places().head(0), **SAY)
    partly = places()
    partly.loc[:2, ["rate", "low"]] = np.nan
    DRAW[kind](partly, **SAY)
    DRAW[kind](places(2), **SAY)
    assert len(shown) == 6
    assert "C0000" in shown[3][0][tables.CSV]  # not drawn, but in the numbers


def test_too_many_groups_are_refused() -> None:
    frame = pd.DataFrame({"label": "a", "group": list("abcdefg"), "value": 1.0})
    with pytest.raises(DatamallError, match="at most 6 can be told apart"):
        figures.bars(frame, label="label", value="value", hue="group", value_label="v", **SAY)


MARKS = ("marker", "color")


def curve(y: list[float], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": range(len(y)), "y": y} | columns)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, shown: list[tables.Bundle]) -> Callable[..., Any]:
    """Draw lines and return the axes they are on."""

    def lines(table: pd.DataFrame, **options: Any) -> Any:
        axes = Figure(layout="constrained").subplots()
        monkeypatch.setattr(canvas, "png", lambda draw, table, _: draw(axes, table) or b"")
        options = {"x": "x", "y": "y", "x_label": "X", "y_label": "Y"} | options
        figures.lines(table, **options, **SAY)
        return axes

    return lines


def test_a_line_is_interrupted_where_a_value_is_missing(drawn: Callable[..., Any]) -> None:
    axes = drawn(curve([3.0, 2.0, np.nan, 5.0, np.nan, 4.0, 6.0]))
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_ydata(), [3, 2, np.nan, 5, np.nan, 4, 6])
    (alone,) = axes.collections  # a point between two gaps is no line, and still to be seen
    assert alone.get_offsets().tolist() == [[3, 5]]


def test_a_band_is_drawn_only_where_there_is_an_interval(drawn: Callable[..., Any]) -> None:
    nan = np.nan
    table = curve([3.0, nan, 4, 2, 1], low=[2.0, nan, 3, nan, nan], high=[5.0, nan, 9, nan, nan])
    axes = drawn(table, low="low", high="high", band_label="90 % interval")
    bands = axes.collections[0].get_paths()
    assert [(path.vertices.min(), path.vertices.max()) for path in bands] == [(0, 5), (2, 9)]
    assert axes.get_legend().get_texts()[0].get_text() == "90 % interval"
    without = table.assign(low=nan, high=nan)
    assert drawn(without, low="low", high="high", band_label="90 %").get_legend() is None


def test_lines_go_from_the_lowest_x_to_the_highest(drawn: Callable[..., Any]) -> None:
    axes = drawn(curve([3.0, 2.0, 5.0]).iloc[::-1], ticks={0: "Mon", 2: "Tue"})
    assert axes.lines[0].get_xdata().tolist() == [0, 1, 2]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["Mon", "Tue"]
    assert axes.get_ylim()[0] == 0


def test_texts_stand_at_equal_steps_in_the_order_of_the_table(drawn: Callable[..., Any]) -> None:
    axes = drawn(curve([3.0, -2.0, 5.0]).assign(x=["none", "150", "45"]))
    assert axes.lines[0].get_xdata().tolist() == [0, 1, 2]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["none", "150", "45"]
    assert axes.get_ylim()[0] < -2


def test_lines_are_told_apart_without_colour(drawn: Callable[..., Any]) -> None:
    table = pd.concat(curve([3.0, 2.0]).assign(line=name) for name in "abcdef")
    table = table.assign(low=table["y"] - 1, high=table["y"] + 1)
    axes = drawn(table, hue="line", low="low", high="high", band_label="90 % interval")
    dashes = {str(line._unscaled_dash_pattern) for line in axes.lines}
    markers, colours = ({getattr(v, f"get_{what}")() for v in axes.lines} for what in MARKS)
    assert len(dashes) == len(markers) == len(colours) == 6
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == [*"abcdef", "90 % interval"]
    with pytest.raises(DatamallError, match="7 groups in 'line': at most 6"):
        drawn(pd.concat([table, curve([1.0]).assign(line="g")]), hue="line")


def test_two_rows_at_one_place_of_a_line_are_refused(drawn: Callable[..., Any]) -> None:
    with pytest.raises(DatamallError, match="two rows at one 'x' of a line"):
        drawn(curve([3.0, 2.0]).assign(x=1))


def test_lines_without_any_value_say_so(drawn: Callable[..., Any]) -> None:
    axes = drawn(curve([np.nan, np.nan]))
    assert [text.get_text() for text in axes.texts] == ["No data to draw"]


def test_a_colour_that_only_the_legend_shows_is_kept(shown: list[tables.Bundle]) -> None:
    week = curve(list(np.sin(np.arange(168.0)) + 1))
    both = pd.concat([week.assign(line="above"), week.assign(line="below")])
    figures.lines(both, x="x", y="y", x_label="X", y_label="Y", hue="line", **SAY)
    pixels = np.asarray(Image.open(io.BytesIO(png(shown[0]))).convert("RGB")).reshape(-1, 3)
    wanted = np.array([int(canvas.PALETTE[1][k : k + 2], 16) for k in (1, 3, 5)])
    assert np.abs(pixels - wanted).sum(axis=1).min() < 20


def test_a_long_label_is_wrapped_in_the_legend(drawn: Callable[..., Any]) -> None:
    line = "a junction with a very long name indeed: forecast by median"
    axes = drawn(curve([3.0, 2.0]).assign(line=line), hue="line")
    (text,) = axes.get_legend().get_texts()
    assert text.get_text().replace("\n", " ") == line
    assert max(map(len, text.get_text().split("\n"))) <= canvas.LEGEND_LETTERS


def test_classes_hold_about_as_many_places_and_all_of_them() -> None:
    frame = pd.DataFrame({"v": np.arange(1000) / 1000})
    classed, names = canvas.classes(frame, "v")
    assert names == ["below 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 and more"]
    assert set(classed["class"].value_counts()) == {200}
    assert canvas.classes(pd.DataFrame({"v": [1.0, 1.0]}), "v")[1] == ["one value"]


def test_map_of_categories_keeps_the_background_grey(shown: list[tables.Bundle]) -> None:
    frame = places()
    frame["list"] = ["neither", "both", "count"] * 100
    figures.dot_map(frame, value="list", value_label="List", **SAY)
    figures.dot_map(frame, value="hot", value_label="Hot spot", **SAY)
    figures.dot_map(frame.assign(list="none"), value="list", value_label="List", **SAY)
    assert canvas.categories(frame, "list")[1] == ["neither", "both", "count"]
    assert canvas.categories(frame, "hot")[1] == ["no", "yes"]
    frame["list"] = frame["cluster"].str[-1]
    with pytest.raises(DatamallError, match="10 groups in 'list': at most 6"):
        figures.dot_map(frame, value="list", value_label="List", **SAY)


def test_dots_shrink_where_places_are_close() -> None:
    spread, crowded = places(2400), places(2400)
    crowded[["x", "y"]] = crowded[["x", "y"]] / 10
    crowded.loc[0, ["x", "y"]] = 0.0  # one place far away leaves the rest in a corner
    assert canvas.dot_share(crowded["x"], crowded["y"]) < 0.5 * canvas.dot_share(
        spread["x"], spread["y"]
    )


def test_no_colour_says_what_no_shape_says() -> None:
    count = len(canvas.PALETTE)
    for shapes in (canvas.MARKERS, canvas.HATCHES, canvas.DASHES):
        assert len(set(shapes)) == count


def test_fonts_are_those_of_matplotlib() -> None:
    from matplotlib import font_manager

    (family,) = canvas.STYLE["font.family"]
    path = Path(font_manager.findfont(family, fallback_to_default=False))
    assert path.is_relative_to(matplotlib.get_data_path())
