"""Forest plots: the gap of each group with its interval, on an axis around "no gap".

A ratio stands on a log axis, on which twice and half are as far from 1; a difference on a linear
one around 0. What is tolerated is a band. Each group has a line of words (its name, its size, its
verdict) and below it a line with its mark: shape and filling say what the verdict says, and colour
repeats it. Nothing leaves the picture in silence: an interval that goes on beyond the axis ends in
an arrow, a limit that does not exist is named, and so is how many rows are not drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from datamall.reporting import canvas

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Kind = Literal["ratio", "difference"]
ROWS = 20  # rows that are drawn; more fit on no screen
SIDE, LINE, STRIP, SPACE = 14.0, 12.0, 11.0, 4.0  # points: margins, a line of words, of marks
SMALL = 9.0  # points: letters
BASE = 9.0  # points from the top of a line of words to its foot
ROOM = 72 * canvas.WIDTH - 2 * SIDE
REACH = {"ratio": math.log(8), "difference": 0.25}  # how far intervals are drawn beyond the gaps
LEAST = {"ratio": math.log(1.15), "difference": 0.02}  # how far the axis goes on either side
BAND = "#d3e3ea"


@dataclass(frozen=True)
class Mark:
    """How a verdict is drawn."""

    words: str
    shape: str
    colour: str
    filled: bool
    meaning: str


MARKS = {
    "FAIL": Mark("FAIL", "D", canvas.PALETTE[1], True, "FAIL: outside"),
    "PASS": Mark("PASS", "o", canvas.PALETTE[0], True, "PASS: inside"),
    "NOT ENOUGH EVIDENCE": Mark("not clear", "o", canvas.INK, False, "not clear: neither shown"),
    "not judged": Mark("not judged", "s", canvas.GREY, False, "not judged"),
    "": Mark("", "o", canvas.PALETTE[0], True, ""),
}


@dataclass(frozen=True)
class Forest:
    """Which columns of a table make a forest plot.

    Attributes
    ----------
    label, value, low, high, count
        Columns: name of the row, its gap, ends of its interval, and how many people it has. Ends
        of a ratio may be 0 or infinite; a missing end is no limit, a missing gap has no mark.
    value_label
        What the gap is.
    kind
        ``"ratio"`` or ``"difference"`` (of shares; drawn in percentage points).
    tolerance
        Smallest and largest gap that is tolerated, None where that side is not limited; None:
        there is no tolerance.
    wide
        Columns with the ends of a second, wider interval, drawn thin.
    interval_label, wide_label
        What the two intervals are, for the key.
    verdict, note
        Columns: a key of `MARKS`, and what else is said of the row.
    """

    label: str
    value: str
    low: str
    high: str
    count: str
    value_label: str
    kind: Kind = "ratio"
    tolerance: tuple[float | None, float | None] | None = None
    wide: tuple[str, str] | None = None
    interval_label: str = "interval"
    wide_label: str = "all at once"
    verdict: str | None = None
    note: str | None = None

    def height(self, numbers: pd.DataFrame) -> float:
        """Return the height of the figure in inches."""
        if not len(numbers):
            return 1.2
        rows = sum(self._words(row)[2] for row in _records(numbers))
        return (rows + self._below(numbers) + self._above(numbers)) / 72

    def draw(self, axes: Axes, numbers: pd.DataFrame) -> None:
        """Draw the rows of a rounded table in their order, from the top."""
        least, most = self._range(numbers.head(ROWS))
        wide, high = 72 * canvas.WIDTH, 72 * self.height(numbers)
        below, above = self._below(numbers) / high, self._above(numbers) / high
        axes.set_position((SIDE / wide, below, 1 - 2 * SIDE / wide, 1 - below - above))
        axes.set_ylim((1 - below - above) * high, 0)  # one unit is one point
        if self.kind == "ratio":
            axes.set_xscale("log")
        axes.set_xlim(self._at(least), self._at(most))
        self._axis(axes, least, most, numbers)
        top = 0.0
        for row in _records(numbers):
            text, said, tall = self._words(row)
            lines = round((tall - SPACE - STRIP) / LINE)
            if top:
                axes.axhline(top + SPACE / 2, color=canvas.LIGHT, linewidth=0.6, zorder=0.5)
            self._say(axes, top + SPACE, text, [""] * (lines - len(said)) + said)
            self._mark(axes, top + tall - STRIP / 2, row, least, most)
            top += tall
        self._key(axes, numbers)

    def describe(self, numbers: pd.DataFrame) -> str:
        """Return what is to be seen, as an alternative text."""
        ratio, shown = self.kind == "ratio", _records(numbers)
        axis = "a log axis with a line at 1" if ratio else "an axis with a line at 0"
        if self.tolerance:
            ends = [None if end is None else self._number(end) for end in self.tolerance]
            axis += f" and what is tolerated as a band, {_from_to(*ends)}"
        parts = [f"{len(shown)} of {len(numbers)} rows on {axis}: {self.value_label}."]
        verdicts = self._verdicts(numbers)
        parts += [f"{verdicts}."] if verdicts else []
        for row in shown[:3]:
            text = f"{row[self.label]}: {self._number(row[self.value])}"
            ends = [self._number(row[end]) for end in (self.low, self.high)]
            parts.append(f"{text} ({ends[0]} to {ends[1]}).")
        return " ".join(parts)

    def left_out(self, numbers: pd.DataFrame) -> str:
        """Return how many rows are not drawn, and with what verdicts; empty if none."""
        if len(numbers) <= ROWS:
            return ""
        rest = self._verdicts(numbers.iloc[ROWS:])
        return f"First {ROWS} of {len(numbers)}" + (f"; not drawn: {rest}" if rest else "")

    def _verdicts(self, numbers: pd.DataFrame) -> str:
        if self.verdict is None:
            return ""
        counted = numbers[self.verdict].value_counts()
        there = [(mark.words, counted[key]) for key, mark in MARKS.items() if key in counted]
        return ", ".join(f"{number} {words}" for words, number in there)

    def _verdict(self, row: dict[str, Any]) -> Mark:
        return MARKS.get(row[self.verdict], MARKS["not judged"]) if self.verdict else MARKS[""]

    def _number(self, value: float) -> str:
        if math.isnan(value):
            return "not known"
        if math.isinf(value):
            return "no limit"
        text = f"{value:.2f}" if self.kind == "ratio" else f"{100 * value:.1f} points"
        return text.replace("-", "−")

    def _at(self, place: float) -> float:
        """Return the value on the axis: ratios are kept as logarithms, differences as shares."""
        return math.exp(place) if self.kind == "ratio" else 100 * place

    def _place(self, value: float) -> float:
        if self.kind == "difference":
            return value
        return -math.inf if value == 0 else math.log(value)

    def _ends(self, row: dict[str, Any], columns: tuple[str, str]) -> tuple[float, float]:
        low, high = (self._place(row[column]) for column in columns)
        return (-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high)

    def _all_ends(self, numbers: pd.DataFrame) -> list[float]:
        intervals = [(row, columns) for row in _records(numbers) for columns in self._intervals()]
        return [end for interval in intervals for end in self._ends(*interval)]

    def _intervals(self) -> list[tuple[str, str]]:
        return [(self.low, self.high), *([self.wide] if self.wide else [])]

    def _range(self, numbers: pd.DataFrame) -> tuple[float, float]:
        """Return the ends of the axis: all gaps, and of intervals what is not far beyond them."""
        reach, least = REACH[self.kind], LEAST[self.kind]
        edges = [self._place(end) for end in self.tolerance or () if end is not None]
        gaps = [self._place(value) for value in numbers[self.value] if not math.isnan(value)]
        core = [-least, least, *edges, *(gap for gap in gaps if math.isfinite(gap))]
        known = [*core, *(end for end in self._all_ends(numbers) if math.isfinite(end))]
        low, high = max(min(known), min(core) - reach), min(max(known), max(core) + reach)
        return low - 0.05 * (high - low), high + 0.05 * (high - low)

    def _axis(self, axes: Axes, least: float, most: float, numbers: pd.DataFrame) -> None:
        """Draw the line of no gap, the tolerance, and ticks that are as far on both sides."""
        none = self._at(0.0)
        if self.tolerance:
            ends = [
                edge if end is None else self._place(end)
                for end, edge in zip(self.tolerance, (least, most), strict=True)
            ]
            axes.axvspan(
                self._at(ends[0]), self._at(ends[1]), facecolor=BAND, linewidth=0, zorder=0.1,
                label="tolerated",
            )  # fmt: skip
            for end in self.tolerance:
                if end is not None:
                    axes.axvline(
                        self._at(self._place(end)), color=canvas.GREY, linewidth=0.9,
                        linestyle=(0, (4, 2)), zorder=0.6,
                    )  # fmt: skip
        axes.axvline(none, color=canvas.INK, linewidth=1.3, zorder=0.7)
        places, names = ticks(self.kind, self._at(least), self._at(most))
        axes.set_xticks(places, names)
        axes.minorticks_off()
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False, axis="y")
        for place, line in enumerate(self._foot(numbers)):
            axes.annotate(
                line, (0, 0), xycoords="axes fraction", xytext=(0, -21 - LINE * place),
                textcoords="offset points", va="top", fontsize=SMALL,
            )  # fmt: skip

    def _foot(self, numbers: pd.DataFrame) -> list[str]:
        unit = "; log axis" if self.kind == "ratio" else ", in percentage points"
        texts = [self.value_label + unit, self.left_out(numbers)]
        return [line for text in texts if text for line in canvas.wrapped(text, ROOM, SMALL)]

    def _below(self, numbers: pd.DataFrame) -> float:
        return 26 + LINE * len(self._foot(numbers))

    def _above(self, numbers: pd.DataFrame) -> float:
        return 4 + 13 * math.ceil(len(self._meanings(numbers)) / 2)

    def _words(self, row: dict[str, Any]) -> tuple[list[str], list[str], float]:
        """Return the lines of the name, those at its right or below it, and the row's height."""
        parts = [] if math.isnan(row[self.count]) else [f"{row[self.count]:,.0f} people"]
        parts += [row[self.note]] if self.note is not None and row[self.note] else []
        verdict = self._verdict(row).words
        parts = [", ".join([*parts, *self._unlimited(row)]), verdict.replace(" ", "\u00a0")]
        said = canvas.wrapped(" ·\u00a0".join(part for part in parts if part), ROOM, SMALL)
        text = canvas.wrapped(str(row[self.label]), ROOM, SMALL)
        beside = len(text) == len(said) == 1
        beside = beside and canvas.width(text[0] + "    " + said[0], SMALL) <= ROOM
        lines = 1 if beside else len(text) + len(said)
        return text, said, SPACE + LINE * lines + STRIP

    def _unlimited(self, row: dict[str, Any]) -> list[str]:
        value, (low, high) = row[self.value], self._ends(row, (self.low, self.high))
        said = []
        if math.isnan(value):
            said += [] if self.note and row[self.note] else ["gap not known"]
        elif self.kind == "ratio" and not 0 < value < math.inf:
            said.append("0 times" if value == 0 else "any number of times")
        if math.isinf(high) and value != math.inf:
            said.append("no upper limit")
        if math.isinf(low) and value != 0:
            said.append("down to 0" if self.kind == "ratio" else "no lower limit")
        return said

    def _say(self, axes: Axes, top: float, text: list[str], said: list[str]) -> None:
        left, right = axes.get_xlim()
        under = {"facecolor": "white", "alpha": 0.85, "pad": 0.6, "linewidth": 0}
        style: dict[str, Any] = {"va": "baseline", "fontsize": SMALL, "zorder": 4, "bbox": under}
        for place, line in enumerate(text):
            axes.text(left, top + BASE + LINE * place, line, ha="left", **style)
        for place, line in enumerate(said):
            if not line:
                continue
            y = top + BASE + LINE * place
            axes.text(right, y, line, ha="right", color=canvas.GREY, **style)

    def _mark(self, axes: Axes, y: float, row: dict[str, Any], least: float, most: float) -> None:
        """Draw the intervals of a row, with an arrow where one goes on, and its mark."""
        mark, known = self._verdict(row), not math.isnan(row[self.value])
        solid = known and mark is not MARKS["not judged"]
        for columns, wide in zip(self._intervals(), (3.6, 1.1), strict=False):
            low, high = self._ends(row, columns)
            start, stop = (self._at(min(max(end, least), most)) for end in (low, high))
            axes.hlines(
                y, start, stop, color=mark.colour, linewidth=wide, zorder=2,
                linestyle="-" if solid else (0, (2, 1)),
            )  # fmt: skip
            for end, edge, shape, outside in (
                (low, least, "<", low < least), (high, most, ">", high > most),
            ):  # fmt: skip
                if outside:
                    self._dot(axes, edge, y, shape, mark.colour, True, 5.0)
                elif wide < 2 and math.isfinite(end):
                    axes.plot([self._at(end)], [y], marker="|", color=mark.colour, markersize=6)
        place = self._place(row[self.value])
        if math.isfinite(place):
            self._dot(axes, place, y, mark.shape, mark.colour, mark.filled, 6.5)

    def _dot(
        self, axes: Axes, place: float, y: float, shape: str, colour: str, filled: bool, size: float
    ) -> None:
        axes.plot(
            [self._at(place)], [y], marker=shape, color=colour, markersize=size, zorder=3,
            markerfacecolor=colour if filled else "white", markeredgewidth=1.3, linestyle="",
            clip_on=False,
        )  # fmt: skip

    def _meanings(self, numbers: pd.DataFrame) -> list[tuple[str, dict[str, Any]]]:
        """Return the entries of the key: what it says, and how its line is drawn."""
        there = set(numbers[self.verdict].head(ROWS)) if self.verdict else set()
        entries: list[tuple[str, dict[str, Any]]] = [
            (
                mark.meaning,
                {"marker": mark.shape, "color": mark.colour, "linestyle": "", "markersize": 6.5,
                 "markerfacecolor": mark.colour if mark.filled else "white"},
            )
            for key, mark in MARKS.items()
            if key in there and mark.meaning
        ]  # fmt: skip
        if self.tolerance:
            entries.append(("tolerated", {"color": BAND, "linewidth": 8}))
        entries.append((self.interval_label, {"color": canvas.INK, "linewidth": 3.6}))
        if self.wide:
            entries.append((self.wide_label, {"color": canvas.INK, "linewidth": 1.1}))
        shown = numbers.head(ROWS)
        least, most = self._range(shown)
        if any(not least <= end <= most for end in self._all_ends(shown)):
            arrow = {"marker": ">", "color": canvas.INK, "linestyle": ""}
            entries.append(("goes on, or no limit", arrow))
        return entries

    def _key(self, axes: Axes, numbers: pd.DataFrame) -> None:
        from matplotlib.lines import Line2D

        entries = self._meanings(numbers)
        axes.legend(
            [Line2D([], [], **style) for _, style in entries], [text for text, _ in entries],
            loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=SMALL, borderpad=0,
            borderaxespad=0.2, labelspacing=0.35, columnspacing=1.2, handlelength=2.2,
        )  # fmt: skip


def _records(numbers: pd.DataFrame) -> list[dict[str, Any]]:
    return numbers.head(ROWS).to_dict("records")


def _from_to(low: str | None, high: str | None) -> str:
    if low is None:
        return f"up to {high}"
    return f"from {low}" + (f" to {high}" if high else "")


def ticks(kind: Kind, least: float, most: float) -> tuple[list[float], list[str]]:
    """Return at most eight ticks on both sides of no gap: of a ratio, each with its inverse."""
    far = max(most, 1 / least) if kind == "ratio" else 0.0
    if kind == "ratio" and far < 3:
        above = [1.1, 1.25, 1.5] if far < 1.7 else [1.25, 1.5, 2.0]
        places = [*(1 / tick for tick in reversed(above)), 1.0, *above]
    elif kind == "ratio":
        steps, wide = (2.0, 4.0, 10.0, 100.0, 1e4, 1e8), math.log(most / least)
        step = next((step for step in steps if wide <= 7 * math.log(step)), 1e16)
        places = [step**power for power in range(-8, 9)]
    else:
        steps = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
        step = next((step for step in steps if most - least <= 7 * step), 50.0)
        places = [step * k for k in range(-8, 9)]
    places = [place for place in places if least <= place <= most]
    return places, [_plain(place) for place in places]


def _plain(value: float) -> str:
    text = f"{value:.3g}" if abs(value) < 0.2 else f"{value:.2f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")
