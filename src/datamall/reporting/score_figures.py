"""What a score does to each group: rates at every threshold, and what the same score means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from pandas import CategoricalDtype

from datamall.reporting import canvas, forest

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

KEY = 45.0  # points beside a name in the key: its line and the space around it
LINES = len(canvas.PALETTE)  # more cannot be told apart
BANDS = 3  # of more lines the bands would hide each other; then each has bars


def height(numbers: pd.DataFrame) -> float:
    """Return the height of a figure in inches: that of its lines, and room for their names."""
    return 2.9 + 0.18 * (numbers["group"].nunique() + 1)


def largest(table: pd.DataFrame) -> list[str]:
    """Return the groups of a table with columns `group` and `trials`, the largest first."""
    size = table.groupby("group", sort=False)["trials"].max()
    return [str(group) for group in size.sort_values(ascending=False, kind="stable").index]


def drawn(table: pd.DataFrame, groups: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Return the rows of the first groups, as many as can be told apart, in this order.

    A column `place` says which line a group has, so that it is the same in all figures. The
    sentence says what is left out; it is empty if nothing is.
    """
    place = {group: at for at, group in enumerate(groups)}
    kept = table[table["group"].isin(groups[:LINES])]
    kept = kept.assign(place=kept["group"].map(place)).sort_values("place", kind="stable")
    kept = kept.reset_index(drop=True)
    own = set(table["group"])
    if len(own) <= LINES and own <= set(groups[:LINES]):
        return kept, ""
    there = kept["group"].nunique()
    return kept, f"Drawn are the {there} largest of {len(own)} groups; all are in the file."


def rates(axes: Axes, numbers: pd.DataFrame) -> None:
    """Draw the rate of each group over thresholds, with its limits and the threshold in use.

    Parameters
    ----------
    numbers
        Columns threshold, in_use, group, place, rate, low, high: shares that are selected.
    """
    most = min(1.0, max(0.02, 1.25 * numbers["rate"].max()))
    ends = {end: 100 * numbers[end].clip(0, most) for end in ("low", "high")}
    _lines(axes, numbers.assign(value=100 * numbers["rate"], **ends), "threshold")
    axes.set(ylim=(0, 100 * most), ylabel="% selected")
    _in_use(axes, numbers)


def ratios(
    axes: Axes,
    numbers: pd.DataFrame,
    tolerance: tuple[float | None, float | None] | None,
) -> None:
    """Draw the ratio of each group over thresholds on a log axis, with the tolerance as a band.

    Parameters
    ----------
    numbers
        Columns threshold, in_use, group, place, ratio, ratio_low, ratio_high. A line is interrupted
        where its ratio is 0 or has no limit.
    tolerance
        Smallest and largest ratio that is tolerated, if there is one tolerance.
    """
    known = numbers["ratio"].where((numbers["ratio"] > 0) & (numbers["ratio"] < math.inf))
    edges = [edge for edge in tolerance or () if edge is not None]
    core = [1 / 1.3, 1.3, *edges, *known.dropna()]
    low, high = min(core) / 1.5, max(core) * 1.5
    ends = {end: numbers[f"ratio_{end}"].fillna(known).clip(low, high) for end in ("low", "high")}
    axes.set_yscale("log")
    if tolerance:
        bottom, top = (
            edge if end is None else end for end, edge in zip(tolerance, (low, high), strict=True)
        )
        axes.axhspan(bottom, top, facecolor=forest.BAND, linewidth=0, zorder=0.1, label="tolerated")
    _lines(axes, numbers.assign(value=known, **ends), "threshold")
    axes.axhline(1, color=canvas.INK, linewidth=1.3, zorder=0.7)
    axes.set(ylim=(low, high), ylabel="times as often")
    axes.set_yticks(*forest.ticks("ratio", low, high))
    axes.minorticks_off()
    _in_use(axes, numbers)


def calibration(axes: Axes, numbers: pd.DataFrame) -> None:
    """Draw the share with the outcome by score band and group, with its limits side by side.

    Parameters
    ----------
    numbers
        Columns score_band, group, place, rate, low, high.
    """
    shares = {name: 100 * numbers[name] for name in ("low", "high")}
    _lines(axes, numbers.assign(value=100 * numbers["rate"], **shares), "score_band", bars=True)
    most = max(shares["high"].max(), 100 * numbers["rate"].max(), 1.0)
    axes.set(ylim=(0, min(100.0, 1.05 * most)), ylabel="% with the outcome")


def _lines(axes: Axes, numbers: pd.DataFrame, x: str, bars: bool = False) -> None:
    """Draw one line per group, with a band if they are few or `bars` if they are many."""
    places, groups = _places(numbers[x]), numbers.groupby("place", sort=True)
    bars |= len(groups) > BANDS
    at = list(places.values())
    step = min((after - before for before, after in pairwise(at)), default=1.0)
    for number, (place, own) in enumerate(groups):
        aside = (number - (len(groups) - 1) / 2) * 0.12 * step if bars else 0.0
        where = own[x].astype(object).map(places).astype(float) + aside
        ends = None if bars else (own["low"], own["high"])
        canvas.line(axes, where, own["value"], ends, int(place), str(own["group"].iloc[0]))
        if bars:  # in one line, interrupted: a page holds hundreds
            x_, y_ = np.repeat(where, 3), own[["low", "high"]].assign(gap=np.nan)
            axes.plot(x_, y_.to_numpy().ravel(), color=canvas.PALETTE[int(place)], linewidth=0.9)
    if list(places) != at:
        axes.set_xticks(at, [str(value) for value in places])
    axes.set_xlabel(
        "lowest score of the band" if x == "score_band" else "lowest score that is selected"
    )
    _key(axes)


def _key(axes: Axes) -> None:
    """Name the lines above the axes, in two columns if the names leave room for them."""
    handles, names = axes.get_legend_handles_labels()
    room = 72 * canvas.WIDTH - 16
    columns = 2 if 2 * max(canvas.width(name, 9) + KEY for name in names) <= room else 1
    texts = ["\n".join(canvas.wrapped(name, room / columns - KEY, 9)) for name in names]
    axes.figure.legend(
        handles, texts, loc="outside upper left", ncols=columns, handlelength=2.8,
        columnspacing=1.2, borderpad=0.2,
    )  # fmt: skip


def _places(values: pd.Series) -> dict[Any, float]:
    """Return where each band stands: numbers at their value, words at equal steps."""
    there = list(dict.fromkeys(values))
    if isinstance(values.dtype, CategoricalDtype):
        there = [band for band in values.cat.categories if band in there]
    if all(isinstance(value, int | float) for value in there):
        return {value: float(value) for value in sorted(there)}
    return {value: float(place) for place, value in enumerate(there)}


def _in_use(axes: Axes, numbers: pd.DataFrame) -> None:
    """Mark the threshold that selects about as many as are selected now."""
    used = numbers.loc[numbers["in_use"].astype(bool), "threshold"]
    if not len(used):
        return
    at = _places(numbers["threshold"])[used.iloc[0]]
    axes.axvline(at, color=canvas.INK, linewidth=1.2, linestyle=(0, (1, 1.5)), zorder=0.8)
    right = at > sum(axes.get_xlim()) / 2
    axes.annotate(
        "in use", (at, 0.98), xycoords=("data", "axes fraction"), va="top",
        xytext=(-4 if right else 4, 0), textcoords="offset points", fontsize=forest.SMALL,
        ha="right" if right else "left",
        bbox={"facecolor": "white", "alpha": 0.85, "pad": 0.6, "linewidth": 0},
    )  # fmt: skip
