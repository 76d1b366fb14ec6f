"""Forest plots: everything is in the picture, where it belongs, or named as left out."""

import math
import re
from contextlib import ExitStack
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from datamall.reporting import canvas
from datamall.reporting.forest import BAND, MARKS, ROWS, Forest, ticks

INF, NAN = math.inf, math.nan
OPEN = ExitStack()  # a figure is cleared when it is left
NAMES = ["label", "gap", "low", "high", "all_low", "all_high", "people", "verdict", "note"]
TABLE = pd.DataFrame(
    [
        ("plain", 3.5, 3.0, 4.0, 2.8, 4.4, 19_580, "FAIL", ""),
        ("no limit", 2.0, 1.1, INF, 0.9, INF, 12, "NOT ENOUGH EVIDENCE", ""),
        ("to nought", 0.0, 0.0, 3.0, 0.0, 5.0, 8, "NOT ENOUGH EVIDENCE", ""),
        ("any number", INF, 1.5, INF, 1.2, INF, 5, "not judged", "fewer than 30 people"),
        ("worst cases", NAN, 0.2, 6.0, 0.2, 6.0, 40, "NOT ENOUGH EVIDENCE", "not identified"),
        ("equal & <fair> $5 to $10", 1.0, 0.9, 1.1, 0.85, 1.15, 20_000, "PASS", ""),
        ("women × born abroad × " + "W" * 70, 1.2, 0.9, 1.4, 0.8, 1.6, 700, "PASS", ""),
    ],
    columns=NAMES,
)


def forest(**change: Any) -> Forest:
    options: dict[str, Any] = {
        "value_label": "times as often as everybody else", "tolerance": (0.8, 1.25),
        "wide": ("all_low", "all_high"), "verdict": "verdict", "note": "note",
    }  # fmt: skip
    return Forest("label", "gap", "low", "high", "people", **options | change)


def drawn(plot: Forest, table: pd.DataFrame = TABLE) -> Any:
    """Return the axes of a plot, drawn as on a page."""
    figure = OPEN.enter_context(canvas.drawn(plot.draw, table, plot.height(table)))
    FigureCanvasAgg(figure).draw()
    return figure.axes[0]


def marks(axes: Any, shapes: str) -> list[tuple[float, float]]:
    found = [line for line in axes.lines if line.get_marker() in tuple(shapes)]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in found]


def words(axes: Any) -> str:
    texts = [text.get_text().replace("\u00a0", " ") for text in axes.texts]
    return " ".join(texts)


def test_every_row_is_in_the_picture_with_its_size_and_verdict() -> None:
    said = re.sub(r"(?<=W) (?=W)", "", words(drawn(forest())))
    for row in TABLE.to_dict("records"):
        assert row["label"] in said
        assert f"{row['people']:,} people" in said
        assert MARKS[row["verdict"]].words in said
    assert "fewer than 30 people" in said and "not identified" in said
    # A gap that is known and finite has its mark, with the shape of its verdict.
    assert [x for x, _ in marks(drawn(forest()), "D")] == pytest.approx([3.5])
    assert [x for x, _ in marks(drawn(forest()), "o")] == pytest.approx([2.0, 1.0, 1.2])


def test_limits_that_do_not_exist_end_in_an_arrow_and_are_said() -> None:
    axes = drawn(forest())
    left, right = axes.get_xlim()
    assert [x for x, _ in marks(axes, ">")] == pytest.approx([right] * 4)  # thick and thin
    assert [x for x, _ in marks(axes, "<")] == pytest.approx([left] * 2)
    said = words(axes)
    for text in ("12 people, no upper limit", "8 people, 0 times", "any number of times"):
        assert text in said
    assert "down to 0" in words(drawn(forest(), TABLE.assign(low=0.0)))
    key = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "goes on, or no limit" in key
    plain = drawn(forest(), TABLE.head(1)).get_legend().get_texts()
    assert "goes on, or no limit" not in [text.get_text() for text in plain]


def test_the_line_of_no_gap_and_the_tolerance_are_where_they_belong() -> None:
    axes = drawn(forest())
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.8, 1.25))
    upright = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    there = {round(float(x[0]), 9) for x in upright if x[0] == x[1]}
    assert {1.0, 0.8, 1.25} <= there
    (open_,) = drawn(forest(tolerance=(None, 1.25))).patches
    left, _ = drawn(forest(tolerance=(None, 1.25))).get_xlim()
    assert open_.get_x() == pytest.approx(left)
    assert open_.get_x() + open_.get_width() == pytest.approx(1.25)
    assert not drawn(forest(tolerance=None)).patches


def test_twice_and_half_are_as_far_from_one() -> None:
    place = drawn(forest()).transData.transform([(0.5, 1), (1, 1), (2, 1), (4, 1)])[:, 0]
    np.testing.assert_allclose(np.diff(place), np.diff(place)[0])


def test_both_intervals_are_drawn_thick_and_thin() -> None:
    axes = drawn(forest(), TABLE.head(1))
    rows = [c for c in axes.collections if len(c.get_segments()) == 1]
    found = {
        round(float(c.get_linewidths()[0]), 1): c.get_segments()[0][:, 0].tolist() for c in rows
    }
    assert found[3.6] == pytest.approx([3.0, 4.0])
    assert found[1.1] == pytest.approx([2.8, 4.4])


def test_a_difference_stands_on_a_linear_axis_around_nought() -> None:
    table = TABLE.iloc[[0, 5]].assign(
        gap=[0.031, -0.01], low=[0.02, -0.015], high=[0.04, 0.0], all_low=-0.02, all_high=0.05
    )
    axes = drawn(forest(kind="difference", tolerance=(-0.02, 0.02)), table)
    assert axes.get_xscale() == "linear"
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((-2, 2))
    assert [x for x, _ in marks(axes, "D")] == pytest.approx([3.1])
    assert 0 in axes.get_xticks() and "−2" in [t.get_text() for t in axes.get_xticklabels()]
    assert "in percentage points" in words(axes)


def test_of_many_rows_the_first_are_drawn_and_the_others_counted() -> None:
    many = pd.concat([TABLE] * 83, ignore_index=True).head(576)
    many["label"] = [f"group {i}" for i in range(len(many))]
    axes = drawn(forest(), many)
    said = words(axes)
    assert f"group {ROWS - 1}" in said and f"group {ROWS} " not in said
    rest = [MARKS[verdict].words for verdict in many["verdict"].iloc[ROWS:]]
    counted = [f"{rest.count(mark.words)} {mark.words}" for key, mark in MARKS.items() if key]
    assert f"First {ROWS} of 576; not drawn: {', '.join(counted)}" in said
    assert forest().describe(many).startswith(f"{ROWS} of 576 rows on a log axis with a line at 1")
    assert forest().left_out(TABLE) == ""


@pytest.mark.parametrize("rows", [1, len(TABLE)])
@pytest.mark.parametrize("kind", ["ratio", "difference"])
def test_no_word_leaves_the_picture_and_none_covers_another(kind: Any, rows: int) -> None:
    plot, table = forest(kind=kind), TABLE.head(rows)
    if kind == "difference":
        table = table.replace([INF, NAN], 0.9).assign(gap=0.1, all_high=0.3)
    with canvas.drawn(plot.draw, table, plot.height(table)) as figure:
        agg = FigureCanvasAgg(figure)
        agg.draw()
        renderer: Any = agg.get_renderer()
        texts = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
        boxes = [(t.get_text(), Text.get_window_extent(t, renderer)) for t in texts]
        full = figure.bbox
        for text, box in boxes:
            assert box.x0 >= -1 and box.x1 <= full.x1 + 1, text
            assert box.y0 >= -1 and box.y1 <= full.y1 + 1, text
        for i, (text, box) in enumerate(boxes):
            for other, beside in boxes[:i]:
                wide = min(box.x1, beside.x1) - max(box.x0, beside.x0)
                high = min(box.y1, beside.y1) - max(box.y0, beside.y0)
                assert wide <= 1 or high <= 4, (text, other)  # letters' own room may touch


def test_shape_and_filling_say_what_colour_says() -> None:
    said = [(mark.shape, mark.filled) for key, mark in MARKS.items() if key]
    assert len(set(said)) == len(said)
    luminance = [
        sum(w * int(colour[k : k + 2], 16) for w, k in ((0.3, 1), (0.59, 3), (0.11, 5)))
        for colour in (canvas.INK, BAND, "#ffffff")
    ]
    assert luminance == sorted(luminance)  # in black and white, too


def test_an_element_of_a_page_holds_text_and_refers_to_nothing() -> None:
    plot = forest()
    first, again = (
        canvas.svg(plot.draw, TABLE, plot.height(TABLE), "gaps-1", plot.describe(TABLE))
        for _ in range(2)
    )
    assert first == again
    assert "equal &amp; &lt;fair&gt; $5 to $10" in first
    assert not re.search(r"url\(|<style|<script|http|DOCTYPE|<title|<metadata|<image", first)
    other = canvas.svg(plot.draw, TABLE, plot.height(TABLE), "gaps-2", "Another one.")
    ids, others = (set(re.findall(r'\bid="([^"]+)"', text)) for text in (first, other))
    assert ids and not ids & others
    assert set(re.findall(r'href="#([^"]+)"', first)) <= ids
    assert 'role="img" aria-label="7 of 7 rows on a log axis' in first
    assert len(first) < 30_000


def test_numbers_in_names_are_not_shortened() -> None:
    table = TABLE.head(1).assign(label="0.123456 and <g id=")
    text = canvas.svg(forest().draw, table, 2.0, "gaps-1", "A figure.")
    assert "0.123456 and &lt;g id=" in text


@pytest.mark.parametrize(
    ("kind", "least", "most", "expected"),
    [
        ("ratio", 0.75, 1.4, ["0.8", "0.91", "1", "1.1", "1.25"]),
        ("ratio", 0.45, 2.2, ["0.5", "0.67", "0.8", "1", "1.25", "1.5", "2"]),
        ("ratio", 0.2, 9, ["0.25", "0.5", "1", "2", "4", "8"]),
        ("ratio", 1e-4, 200, ["0.0001", "0.001", "0.01", "0.1", "1", "10", "100"]),
        ("difference", -2.4, 3.2, ["−2", "−1", "0", "1", "2", "3"]),
    ],
)
def test_ticks_are_few_and_the_same_on_both_sides(
    kind: Any, least: float, most: float, expected: list[str]
) -> None:
    assert ticks(kind, least, most)[1] == expected


def test_lines_are_wrapped_where_they_are_wide_not_where_they_have_letters() -> None:
    assert canvas.wrapped("iiii iiii", 30, 9) != canvas.wrapped("WWWW WWWW", 30, 9)
    lines = canvas.wrapped("W" * 40 + " and more", 100, 9)
    assert "".join(lines).replace(" ", "") == "W" * 40 + "andmore"
    assert all(canvas.width(line, 9) <= 100 for line in lines)
    assert canvas.wrapped("", 100, 9) == [""]
