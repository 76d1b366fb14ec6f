"""The surface that figures are drawn on: one style, one format, and the parts they share."""

from __future__ import annotations

import io
import logging
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from datamall.errors import DatamallError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 4.2  # inches; with DPI 831 pixels, whose text is readable at 320 and at 1280 CSS pixels
DPI, LIGHT_DPI = 198, 132  # light: as many pixels as a page shows, of a figure on many pages
INK, GREY, MIST, LIGHT = "#1b2733", "#5c6b7a", "#9aa6b2", "#dfe5ea"
# Okabe and Ito's palette (2008), told apart by people with any common colour blindness.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BACKGROUND = ("neither", "none", "no", "other")  # categories that are drawn small and grey
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "oo")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (9, 3)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "D", "^", "s", "v", "P")
CLASSES = 5
DRAWN_ROWS = 40
LEGEND_LETTERS = 42  # in a row of a legend
# Verdana is as wide as DejaVu Sans, which descends from it; what else there may be is narrower.
FONT = "font-family: 'DejaVu Sans', Verdana, sans-serif"
# What a page does not need of the tags that matplotlib writes.
SHORTER = (
    (r'^<g id="[^"]*"', "<g"),
    (r"^<g ?/>\s*", ""),
    (r' clip-path="[^"]*"', ""),  # an address, which pages do not have
    (r" font-family: 'DejaVu Sans';", ""),
    (r' transform="rotate\(-?0 [^"]*"', ""),
    (r' xlink:href="#', ' href="#'),
    (r"(\d\.\d\d)\d+(?=[ \"])", r"\1"),
    (r"\s*\n\s*", "\n"),  # not without a line: tools that show changes go by lines
)
STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT,
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.unicode_minus": True,
    "text.parse_math": False,  # a dollar in a name is a dollar
}


Draw = Callable[["Axes", "pd.DataFrame"], None]


def png(
    draw: Draw,
    numbers: pd.DataFrame,
    height: float,
    dpi: int = DPI,
    seen: Callable[[Axes], None] = lambda axes: None,
) -> bytes:
    """Return a figure as PNG with nothing in it that depends on time, machine or settings.

    `seen` is called with the axes once all has its place.
    """
    with drawn(draw, numbers, height, dpi=dpi) as figure:
        import numpy
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        seen(figure.axes[0])
        picture = Image.fromarray(numpy.asarray(canvas.buffer_rgba())[:, :, :3])
    # 64 colours do for a figure and make a map of thousands of dots three times smaller. They are
    # chosen to be near every colour of it, also one that is seen in its legend only.
    few = picture.quantize(64, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def svg(draw: Draw, numbers: pd.DataFrame, height: float, name: str, alt: str) -> str:
    """Return a figure as an element of a page: text that is text, no script, style or address.

    Nothing is clipped: what is drawn lies within its axes.

    Parameters
    ----------
    draw, numbers, height
        As for `png`.
    name
        Unique on the page: what the element refers to within itself is named by it.
    alt
        What is to be seen, for people who do not see it.
    """
    settings = {"svg.fonttype": "none", "svg.hashsalt": name}
    with drawn(draw, numbers, height, settings) as figure:
        buffer = io.StringIO()
        nobody = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nobody)
    head, _, shapes = buffer.getvalue().partition("<svg ")[2].partition(">")
    box = re.findall(r'viewBox="[^"]*"', head)[0]
    # Neither a style for the whole page, nor the shapes at which all else is clipped.
    shapes = re.sub(r"<defs>\s*<(style|clipPath).*?</defs>", "", shapes, flags=re.DOTALL)
    shapes = re.sub(r"<[^>]*>\s*", _shorter, shapes)
    return f'<svg {box} role="img" aria-label="{escape(alt)}" style="{FONT}">{shapes}'


def _shorter(tag: re.Match[str]) -> str:
    text = tag[0]
    for long, short in SHORTER:
        text = re.sub(long, short, text)
    return text


@contextmanager
def drawn(
    draw: Draw,
    numbers: pd.DataFrame,
    height: float,
    settings: Mapping[Any, Any] | None = None,
    dpi: int = DPI,
) -> Iterator[Figure]:
    """Give a figure, drawn in the style of the house whatever the user's own settings are."""
    # A fresh font list takes a while on some machines; saying so has no place in a report.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        known: dict[Any, Any] = matplotlib.rcParams
        dict.update(known, _house())
        matplotlib.rcParams.update(settings or {})
        figure = Figure(figsize=(WIDTH, height), dpi=dpi, layout="constrained")
        axes = figure.subplots()
        if len(numbers):
            draw(axes, numbers)
        else:
            nothing(axes)
        yield figure
        figure.clear()  # its parts refer to each other: left as they are they would stay a while


@cache
def _house() -> dict[str, Any]:
    """Return all settings of matplotlib in the style of the house, checked once; no backend.

    Checking each of hundreds of settings anew took a fifth of the time of a figure.
    """
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        return {name: value for name, value in matplotlib.rcParams.items() if name != "backend"}


@cache
def width(text: str, size: float) -> float:
    """Return how wide a text of one line is, in points, in letters of this size."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=STYLE["font.family"], size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def wrapped(text: str, room: float, size: float) -> list[str]:
    """Return a text in lines that are no wider than `room` points; no letter is lost."""
    lines = [""]
    for word in re.split(r"[ \t\n]+", text.strip()):  # not where a space is no break
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, size) <= room:
            lines[-1] = longer
            continue
        lines += [""] if lines[-1] else []
        for letter in word:  # a word that is too long for a line goes on in the next
            if lines[-1] and width(lines[-1] + letter, size) > room:
                lines.append("")
            lines[-1] += letter
    return lines


def nothing(axes: Axes) -> None:
    """Say that there is nothing to draw."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, "No data to draw", ha="center", transform=axes.transAxes)


def row_labels(axes: Axes, labels: Sequence[Any] | pd.Series) -> None:
    """Write the names of the rows at the left, the first row at the top."""
    axes.set_yticks(range(len(labels)), [textwrap.fill(str(text), 20) for text in labels])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def rows_height(rows: int, bars: int = 1) -> float:
    """Return the height in inches for so many labelled rows of so many bars each."""
    return 1.0 + 0.3 * min(max(rows, 2), DRAWN_ROWS) * (0.5 + bars / 2)


def spots(axes: Axes, x: pd.Series, y: pd.Series) -> list[list[float]]:
    """Return where places lie in a figure: shares of its width, and of its height from above."""
    wide, high = axes.figure.bbox.size
    if not len(x):
        return []
    points = axes.transData.transform(list(zip(x, y, strict=True)))
    return [[round(a / wide, 3), round(1 - b / high, 3)] for a, b in points.tolist()]


def map_height(x: pd.Series, y: pd.Series) -> float:
    """Return the height in inches of a map of these coordinates and its legend."""
    wide, high = (float(c.max() - c.min()) if len(c) else 0.0 for c in (x, y))
    return min(max(WIDTH * high / max(wide, 100.0), 2.0), 5.4) + 1.1


def as_map(axes: Axes, x: pd.Series, y: pd.Series) -> None:
    """Give axes one scale, a bar of kilometres and an arrow to the north; no ticks."""
    axes.set_aspect("equal")
    axes.set_axis_off()
    wide, high = (max(float(c.max() - c.min()), 100.0) for c in (x, y))
    left, bottom = float(x.min()), float(y.min()) - 0.09 * high
    power = 10 ** math.floor(math.log10(wide / 3))
    bar = next(power * step for step in (5, 2, 1) if power * step <= wide / 3)
    axes.plot([left, left + bar], [bottom, bottom], color=INK, linewidth=2.5, solid_capstyle="butt")
    axes.annotate(f"{bar / 1000:g} km", (left + bar, bottom), xytext=(5, 0),
                  textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    axes.annotate(
        "N", (1, bottom + 0.08 * high), (1, bottom), xycoords=("axes fraction", "data"),
        ha="center", va="center", fontsize=9,
        arrowprops={"arrowstyle": "-|>", "color": INK, "shrinkA": 5, "shrinkB": 0},
    )  # fmt: skip
    axes.set_ylim(bottom - 0.05 * high, float(y.max()) + 0.03 * high)


def legend_below(axes: Axes, title: str) -> None:
    """Put the legend of a map below it."""
    axes.figure.legend(
        title=title, loc="outside lower left", ncols=2, alignment="left", title_fontsize=9,
        columnspacing=1.2, handletextpad=0.3,
    )  # fmt: skip


def ramp(classes: int) -> list[str]:
    """Return colours from light to dark; cividis is read alike by people who see fewer colours."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    places = [0.88 - 0.88 * step / max(classes - 1, 1) for step in range(classes)]
    return [to_hex(colormaps["cividis"](place)) for place in places]


def classes(numbers: pd.DataFrame, value: str) -> tuple[pd.DataFrame, list[str]]:
    """Add a column ``class``: at most five classes of about as many places each."""
    import numpy as np

    values = numbers[value].to_numpy(dtype="float64")
    cuts = np.quantile(values, np.arange(1, CLASSES) / CLASSES)
    cuts = sorted({float(f"{cut:.2g}") for cut in cuts})
    cuts = [cut for cut in cuts if values.min() < cut <= values.max()]
    ends = [f"{cut:,.10g}" for cut in cuts]
    names = [f"below {ends[0]}", *(f"{a} to {b}" for a, b in pairwise(ends)),
             f"{ends[-1]} and more"] if cuts else ["one value"]  # fmt: skip
    places = np.searchsorted(cuts, values, side="right")
    return numbers.assign(**{"class": [names[p] for p in places]}), names


def categories(numbers: pd.DataFrame, value: str) -> tuple[pd.DataFrame, list[str]]:
    """Add a column ``class`` with the categories as text; what is background comes first."""
    texts = [{True: "yes", False: "no"}.get(v, str(v)) for v in numbers[value]]
    names = sorted(set(texts), key=lambda text: (text not in BACKGROUND, text))
    return numbers.assign(**{"class": texts}), names


def dot_share(x: pd.Series, y: pd.Series) -> float:
    """Return by how much dots must shrink so that places in a crowded city stay apart."""
    import numpy as np

    grid = 24
    extent = max(float(x.max() - x.min()), float(y.max() - y.min()), 1.0)
    cells = [((c - c.min()).to_numpy() / extent * (grid - 1)).round() for c in (x, y)]
    filled = len(np.unique(cells[0] * grid + cells[1])) / grid**2
    return math.sqrt(min(1.0, 600 * filled / len(x)))


def ordered_dots(
    axes: Axes, places: pd.DataFrame, x: str, y: str, value: str, share: float, name: str
) -> None:
    """Draw places by classes of a number: the larger and darker, the higher."""
    places, steps = classes(places, value)
    colours = ramp(len(steps))
    sizes = [(7 + 38 * ((k + 1) / len(steps)) ** 1.5) * share for k in range(len(steps))]
    for step, colour, size in zip(steps, colours, sizes, strict=True):
        own = places[places["class"] == step]
        dots(axes, own[x], own[y], size, colour)
    for label, colour, size in zip(steps, colours, sizes, strict=True):
        axes.scatter([], [], s=max(1.5 * size, 12), color=colour, label=label)


def category_dots(
    axes: Axes, places: pd.DataFrame, x: str, y: str, value: str, share: float, name: str
) -> None:
    """Draw places by category, in colour and shape; what is background is grey."""
    places, names = categories(places, value)
    grey = [text for text in names if text in BACKGROUND]
    others = names[len(grey) :]
    check_groups(name, value, len(others))
    for text in grey:
        own = places[places["class"] == text]
        axes.scatter(own[x], own[y], s=14 * share, color=MIST, label=text)
    colours, markers = PALETTE[: len(others)], MARKERS[: len(others)]
    size = 22 * share + 12
    for label, colour, marker in zip(others, colours, markers, strict=True):
        own = places[places["class"] == label]
        dots(axes, own[x], own[y], size, colour, marker)
    for label, colour, marker in zip(others, colours, markers, strict=True):
        axes.scatter([], [], s=max(size, 20), color=colour, marker=marker, label=label)


def dots(
    axes: Axes, x: pd.Series, y: pd.Series, size: float, colour: str, marker: str = "o", **more: Any
) -> None:
    """Draw points that are alike, each with a thin white edge.

    All at once: what differs from point to point is drawn path by path, which takes twenty times as
    long for the places of a large city.
    """
    import seaborn

    look = {"edgecolor": "white", "linewidth": 0.2, "legend": False} | more
    seaborn.scatterplot(x=x, y=y, s=size, color=colour, marker=marker, ax=axes, **look)


def check_groups(name: str, column: str, count: int) -> None:
    """Refuse more groups than can be told apart."""
    if count > len(PALETTE):
        raise DatamallError(
            f"Figure {name!r} has {count} groups in {column!r}: at most {len(PALETTE)} "
            "can be told apart; join some or draw more figures."
        )


def line(
    axes: Axes,
    x: pd.Series,
    y: pd.Series,
    ends: tuple[pd.Series, pd.Series] | None,
    step: int,
    label: str | None,
) -> None:
    """Draw one line in the style of its step, above those of later steps, and its band."""
    colour, few = PALETTE[step], len(y) <= DRAWN_ROWS
    alone = y.shift().isna() & y.notna() & y.shift(-1).isna()  # a line of one point is none
    if ends is not None:
        low, high = ends
        axes.fill_between(x, low, high, color=colour, alpha=0.3, linewidth=0)
        axes.vlines(x[alone], low[alone], high[alone], color=colour, alpha=0.4)
    axes.plot(
        x, y, color=colour, linestyle=DASHES[step], linewidth=1.6 if few else 1.2, label=label,
        marker=MARKERS[step] if few else "", markersize=4.5, zorder=3 - step / 10,
    )  # fmt: skip
    axes.scatter(x[alone], y[alone], s=9, color=colour, marker=MARKERS[step])


def legend_of_lines(axes: Axes, band_label: str | None, banded: Sequence[int]) -> None:
    """Name the lines above the axes, and what the bands are at the lines of these steps."""
    if band_label and banded:
        colour = PALETTE[banded[0]] if len(banded) == 1 else GREY
        axes.fill_between([], [], [], color=colour, alpha=0.3, linewidth=0, label=band_label)
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        columns = 1 if 2 * max(map(len, labels)) > LEGEND_LETTERS else 2
        axes.legend(
            handles, [textwrap.fill(text, LEGEND_LETTERS // columns) for text in labels],
            loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, columnspacing=1.2,
            handlelength=2.8,
        )  # fmt: skip
