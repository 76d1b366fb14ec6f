"""Figures in one house style, each with an alternative text and a table of its numbers.

Every function draws from the table rounded to 6 significant digits, on a canvas of its own (no
pyplot state), with the fonts that come with matplotlib: the same table gives the same bytes. What
colour says, shape, size, dashes or hatching say too; uncertainty is drawn as a bar or a band. Where
a chapter could not run, its `Absent` takes the place of the figure.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from datamall.errors import DatamallError
from datamall.reporting import canvas, forest, outlines, publishing, tables
from datamall.requirements import Absent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

NUMERIC = ("integer", "number")


def dot_map(
    table: pd.DataFrame | Absent,
    *,
    name: str,
    title: str,
    alt: str,
    x: str = "x",
    y: str = "y",
    value: str,
    value_label: str,
    mark: str | None = None,
    mark_label: str | None = None,
    background: pd.DataFrame | None = None,
    lead: bool = False,
) -> None:
    """Draw places as dots: the larger and darker, the higher the value; or by category.

    North is up, both axes have the same scale, and a bar shows kilometres. There are no tiles.
    Borders and water lie behind the dots where they were delivered, and the alternative text says
    so.

    Parameters
    ----------
    table
        One row per place, or an `Absent`. Of more places on one spot the highest value is on top.
    name, title, alt
        Name of the result files, title on the page, and what is to be seen, for people who do
        not see it.
    x, y
        Columns with coordinates in metres.
    value, value_label
        Column that is shown, and its meaning. Numbers make at most five classes, told apart by
        size and lightness; categories (at most six, apart from a grey one called neither, none,
        no or other) by shape and colour.
    mark, mark_label
        Boolean column: these places get a ring; and what that means.
    background
        What an extract holds as ``shared.outlines``, if anything: kind, shape and perhaps name.
    lead
        Whether places, named by the first column, lead to the pages about them, where there are.
    """

    def draw(axes: Axes, numbers: pd.DataFrame) -> None:
        share = canvas.dot_share(numbers[x], numbers[y])
        ordered = tables.kinds(numbers)[value] in NUMERIC
        dots = canvas.ordered_dots if ordered else canvas.category_dots
        dots(axes, numbers.sort_values([value, x, y], kind="stable"), x, y, value, share, name)
        if mark is not None:
            marked = numbers[numbers[mark].fillna(False).astype(bool)]
            axes.scatter(
                marked[x], marked[y], s=50 * share + 12, marker="o", facecolor="none",
                edgecolor=canvas.PALETTE[1], linewidth=1.3,
                label=textwrap.fill(mark_label or tables.heading(mark), 28),
            )  # fmt: skip
        canvas.as_map(axes, numbers[x], numbers[y])
        canvas.legend_below(axes, value_label)
        view = outlines.around(numbers[x], numbers[y])
        outlines.draw(axes, background, view, numbers[x], numbers[y])

    def height(numbers: pd.DataFrame) -> float:
        view = outlines.around(numbers[x], numbers[y])
        key = outlines.KEY if outlines.seen(background, view) else 0.0
        return canvas.map_height(numbers[x], numbers[y]) + key

    if not isinstance(table, Absent) and alt and {x, y} <= {*table.columns}:
        alt += outlines.sentence(background, outlines.around(table[x], table[y]))
    drawn = [x, y, value]
    headings, spots = {value: value_label}, (x, y) if lead else None
    publishing.figure(table, drawn, [mark], draw, height, name, title, alt, headings, spots=spots)


def intervals(
    table: pd.DataFrame | Absent,
    *,
    name: str,
    title: str,
    alt: str,
    label: str,
    value: str,
    low: str,
    high: str,
    count: str,
    value_label: str,
    light: bool = False,
) -> None:
    """Draw one line per row: the value as a dot, its interval as a bar, its count beside it.

    Parameters
    ----------
    table
        Rows in the order in which they are drawn, from the top, or an `Absent`; of more than 40 the
        first 40 are drawn.
    name, title, alt
        See `dot_map`.
    label, value, low, high, count
        Columns: name of the row, value, ends of its interval, and the number it rests on.
    value_label
        What the value is, with its unit.
    light
        Whether it is one of very many pages, which are to be small.
    """

    def draw(axes: Axes, numbers: pd.DataFrame) -> None:
        rows = numbers.head(canvas.DRAWN_ROWS)
        places = range(len(rows))
        axes.hlines(
            places, rows[low], rows[high], color=canvas.PALETTE[0], linewidth=3.2, alpha=0.45
        )
        axes.scatter(rows[value], places, s=26, color=canvas.PALETTE[0], zorder=3)
        canvas.row_labels(axes, rows[label])
        axes.set_xlabel(textwrap.fill(value_label, 44))
        for place, number in zip(places, rows[count], strict=True):
            axes.annotate(
                f"n = {number:,.0f}", (1.0, place), xycoords=("axes fraction", "data"),
                xytext=(4, 0), textcoords="offset points", va="center", fontsize=9,
            )  # fmt: skip

    def height(numbers: pd.DataFrame) -> float:
        return canvas.rows_height(len(numbers))

    drawn, headings = [label, value, count], {value: value_label}
    publishing.figure(
        table, drawn, [low, high], draw, height, name, title, alt, headings, light=light
    )


def ratios(
    table: pd.DataFrame | Absent,
    *,
    name: str,
    title: str,
    alt: str,
    label: str,
    value: str,
    low: str,
    high: str,
    count: str,
    value_label: str,
    tolerance: tuple[float | None, float | None] | None = None,
    kind: forest.Kind = "ratio",
    verdict: str | None = None,
    interval_label: str = "interval",
) -> None:
    """Draw gaps between groups, one row each: ratios on a log axis, or differences.

    Parameters
    ----------
    table
        Rows in the order in which they are drawn, from the top, or an `Absent`; of more than 20 the
        first 20 are drawn, and the figure says so.
    name, title, alt
        See `dot_map`.
    label, value, low, high, count
        Columns: name of the row, gap, ends of its interval (0 and infinite ones are drawn as arrows
        and said), and how many people it has.
    value_label
        What the gap is, such as times as often as everybody else.
    tolerance
        Smallest and largest gap that is tolerated, None where that side is not limited.
    kind
        ``"ratio"``: the line is at 1, and twice and half are as far from it; ``"difference"`` of
        two shares: the line is at 0.
    verdict
        Column of PASS, FAIL, NOT ENOUGH EVIDENCE or "not judged".
    interval_label
        What the interval is, for the key.
    """
    plot = forest.Forest(
        label, value, low, high, count, value_label,
        kind=kind, tolerance=tolerance, verdict=verdict, interval_label=interval_label,
    )  # fmt: skip
    headings, further = {value: value_label}, [value, low, high, count, verdict]
    publishing.figure(
        table, [label], further, plot.draw, plot.height, name, title, alt, headings, infinite=True
    )


def bars(
    table: pd.DataFrame | Absent,
    *,
    name: str,
    title: str,
    alt: str,
    label: str,
    value: str,
    low: str | None = None,
    high: str | None = None,
    hue: str | None = None,
    value_label: str,
) -> None:
    """Draw horizontal bars, from the top in the order of the table.

    Parameters
    ----------
    table
        One row per bar, or an `Absent`; the bars of the first 40 labels are drawn.
    name, title, alt
        See `dot_map`.
    label, value
        Columns: name and length of the bar.
    low, high
        Columns with the ends of an interval, drawn as a line over the bar.
    hue
        Column that splits each label into at most six bars, by colour and hatching.
    value_label
        What the value is, with its unit.
    """

    def draw(axes: Axes, numbers: pd.DataFrame) -> None:
        labels = list(dict.fromkeys(numbers[label]))[: canvas.DRAWN_ROWS]
        groups = list(dict.fromkeys(numbers[hue])) if hue else [None]
        canvas.check_groups(name, str(hue), len(groups))
        thickness = 0.76 / len(groups)
        for step, group in enumerate(groups):
            rows = numbers[numbers[hue] == group] if hue else numbers
            rows = rows[rows[label].isin(labels)]
            offset = (step - (len(groups) - 1) / 2) * thickness
            places = [labels.index(text) + offset for text in rows[label]]
            axes.barh(
                places, rows[value], thickness * 0.92, color=canvas.PALETTE[step],
                hatch=canvas.HATCHES[step], edgecolor="white", linewidth=0,
                label=None if group is None else str(group),
            )  # fmt: skip
            if low and high:
                for colour, wide in (("white", 3.6), (canvas.INK, 1.6)):
                    axes.hlines(places, rows[low], rows[high], color=colour, linewidth=wide)
        canvas.row_labels(axes, labels)
        axes.set_xlabel(textwrap.fill(value_label, 44))
        if hue:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, columnspacing=1.2)

    def height(numbers: pd.DataFrame) -> float:
        return canvas.rows_height(numbers[label].nunique(), numbers[hue].nunique() if hue else 1)

    drawn = [label, value]
    publishing.figure(
        table, drawn, [hue, low, high], draw, height, name, title, alt, {value: value_label}
    )


def scatter(
    table: pd.DataFrame | Absent,
    *,
    name: str,
    title: str,
    alt: str,
    x: str,
    y: str,
    x_label: str,
    y_label: str,
    mark: str | None = None,
    mark_label: str | None = None,
    low: str | None = None,
    high: str | None = None,
) -> None:
    """Draw one dot per row, with its interval if there is one.

    Parameters
    ----------
    table
        Rows, or an `Absent`.
    name, title, alt
        See `dot_map`.
    x, y, x_label, y_label
        Columns of the two axes, and what they are, with their units.
    mark, mark_label
        Boolean column: these rows get another shape and colour; and what that means.
    low, high
        Columns with the ends of an interval of `y`.
    """

    def draw(axes: Axes, numbers: pd.DataFrame) -> None:
        if low and high:
            axes.vlines(numbers[x], numbers[low], numbers[high], color=canvas.GREY, linewidth=0.8)
        share = math.sqrt(min(1.0, 300 / len(numbers)))
        groups: list[tuple[pd.DataFrame, str | None]] = [(numbers, None)]
        if mark:
            marked = numbers[mark].fillna(False).astype(bool)
            meaning = mark_label or tables.heading(mark)
            groups = [(numbers[~marked], "other"), (numbers[marked], meaning)]
        for step, (own, label) in enumerate(groups):
            if len(own) or not step:
                canvas.dots(
                    axes, own[x], own[y], 10 + 26 * share, canvas.PALETTE[step],
                    canvas.MARKERS[step], alpha=0.55 + 0.35 * share, linewidth=0.3, label=label,
                )  # fmt: skip
        axes.set(xlabel=textwrap.fill(x_label, 44), ylabel=textwrap.fill(y_label, 32))
        if mark:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handletextpad=0.2)

    headings = {x: x_label, y: y_label}
    publishing.figure(
        table, [x, y], [low, high, mark], draw, lambda _: 3.4, name, title, alt, headings
    )


def lines(
    table: pd.DataFrame | Absent,
    *,
    name: str,
    title: str,
    alt: str,
    x: str,
    y: str,
    x_label: str,
    y_label: str,
    low: str | None = None,
    high: str | None = None,
    band_label: str | None = None,
    hue: str | None = None,
    ticks: Mapping[float, str] | None = None,
    light: bool = False,
) -> None:
    """Draw lines over x, each from its lowest x to its highest, with their intervals as bands.

    Parameters
    ----------
    table
        One row per point, or an `Absent`. A row without `y` interrupts its line, so that nothing is
        drawn where nothing is known; a row that is absent does not.
    name, title, alt
        See `dot_map`.
    x, y, x_label, y_label
        Columns of the two axes, and what they are, with their units. Texts as `x` stand at equal
        steps in the order of the table.
    low, high, band_label
        Columns with the ends of an interval of `y`, missing where a line has none; and what the
        interval is, for the legend.
    hue
        Column that makes at most six lines, told apart by colour and by dashes, and by markers
        where a line has few points.
    ticks
        Number on the x axis → its name there.
    light
        See `intervals`.

    Raises
    ------
    DatamallError
        Also when a line has two rows at one x.
    """

    def draw(axes: Axes, numbers: pd.DataFrame) -> None:
        if numbers[y].isna().all():
            canvas.nothing(axes)
            return
        groups = list(dict.fromkeys(numbers[hue])) if hue else [None]
        canvas.check_groups(name, str(hue), len(groups))
        if numbers.duplicated([x, hue] if hue else [x]).any():
            raise DatamallError(
                f"Figure {name!r} has two rows at one {x!r} of a line: name the column that tells "
                "the lines apart as hue, or join the rows."
            )
        names = list(dict.fromkeys(numbers[x]))
        ordered = tables.kinds(numbers)[x] in NUMERIC
        place = numbers[x] if ordered else numbers[x].map(names.index)
        points = numbers.assign(**{x: place}).sort_values(x, kind="stable")
        banded = []
        for step, group in enumerate(groups):
            own = points[points[hue] == group] if hue else points
            ends = (own[low], own[high]) if low and high and own[low].notna().any() else None
            banded += [step] if ends else []
            canvas.line(axes, own[x], own[y], ends, step, None if group is None else str(group))
        axes.set(xlabel=textwrap.fill(x_label, 44), ylabel=textwrap.fill(y_label, 32))
        known = points[[column for column in (y, low, high) if column]]
        if known.min().min() >= 0:
            axes.set_ylim(bottom=0)
        named = ticks or ({} if ordered else dict(enumerate(names)))
        if named:
            axes.set_xticks(list(named), list(named.values()))
        canvas.legend_of_lines(axes, band_label, banded)

    def height(numbers: pd.DataFrame) -> float:
        return 3.2 + 0.2 * (numbers[hue].nunique() if hue else 1)

    drawn = [x, hue] if hue else [x]  # what lacks y interrupts a line
    headings = {x: x_label, y: y_label}
    further = [y, low, high]
    publishing.figure(table, drawn, further, draw, height, name, title, alt, headings, light=light)
