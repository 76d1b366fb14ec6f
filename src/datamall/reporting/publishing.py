"""A figure of a notebook: its picture, its alternative text and the table of its numbers."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from datamall.errors import DatamallError
from datamall.reporting import canvas, tables
from datamall.reporting.rounding import rounded
from datamall.requirements import Absent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

TABLE_ROWS, LIGHT_ROWS = 40, 24  # rows on the page below a figure; the result files hold all


def figure(
    table: pd.DataFrame | Absent,
    drawn: Sequence[str],
    further: Sequence[str | None],
    draw: Callable[[Axes, pd.DataFrame], None],
    height: Callable[[pd.DataFrame], float],
    name: str,
    title: str,
    alt: str,
    headings: dict[str, str],
    *,
    infinite: bool = False,
    light: bool = False,
    spots: tuple[str, str] | None = None,
) -> None:
    """Check, draw and publish a figure and the table of its numbers.

    Parameters
    ----------
    table
        Its numbers, or the `Absent` that takes its place. The first column names the row.
    drawn, further
        Columns that are drawn: rows that lack one of `drawn` are left out of the drawing, not of
        the table; those of `further` may be missing, or None.
    draw, height
        Draw the rounded rows on axes; say how high the figure is, in inches.
    name, title, alt
        See `datamall.reporting.figures.dot_map`.
    headings
        Column → heading in the table.
    infinite
        Whether `draw` can draw what is infinite; else that is in the table alone.
    light
        Whether it is one of very many pages, which are to be small.
    spots
        Columns of the coordinates of a map whose places a page may lead from: they are named by
        the first column.

    Raises
    ------
    DatamallError
        When a column, the name or a text is missing.
    """
    if isinstance(table, Absent):  # its alternative text may have become unavailable too
        tables.publish(*tables.absent_bundle(table, tables.check_name(name)))
        return
    alt = tables.check_text(alt, "alternative text (alt)", tables.check_name(name))
    title = tables.check_text(title, "title", name)
    wanted = list(dict.fromkeys(column for column in (*drawn, *further) if column))
    absent = [column for column in wanted if column not in table.columns]
    if absent:
        raise DatamallError(
            f"Figure {name!r} needs the column {absent[0]!r}, which its table has not: "
            f"there are {', '.join(map(str, table.columns))}."
        )
    kept = list(dict.fromkeys([str(table.columns[0]), *wanted]))  # the first column names the row
    numbers = rounded(table[kept].reset_index(drop=True))
    finite = numbers if infinite else numbers.replace([math.inf, -math.inf], math.nan)
    known = finite.dropna(subset=list(drawn))
    about: dict[str, Any] = {"kind": "figure", "name": name, "caption": title}
    further_settings: dict[str, Any] = {"dpi": canvas.LIGHT_DPI} if light else {}
    if spots:

        def seen(axes: Axes) -> None:
            places = canvas.spots(axes, *(known[column] for column in spots))
            keys = known[known.columns[0]].astype(str)
            about["column"] = str(known.columns[0])
            about["spots"] = [[key, *place] for key, place in zip(keys, places, strict=True)]

        further_settings["seen"] = seen
    picture = canvas.png(draw, known, height(known), **further_settings)
    tables.publish(
        {"image/png": base64.b64encode(picture).decode("ascii"), "text/plain": title},
        {"image/png": {"alt": alt}, "datamall": about},
    )
    data, metadata = tables.table_bundle(
        numbers, name, title, LIGHT_ROWS if light else TABLE_ROWS, headings
    )
    summary = f"<summary>Numbers of the figure: {escape(title)}</summary>"
    data["text/html"] = f'<details class="numbers">{summary}\n{data["text/html"]}</details>\n'
    metadata["datamall"]["kind"] = "numbers"
    tables.publish(data, metadata)
