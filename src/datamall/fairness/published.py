"""Reading published tables: which count each row holds, and what the totals say about it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import counting, key_levels
from datamall.fairness.counting import NO, UNKNOWN, YES, Labels, label

TOTAL = 3
HIDDEN = {"", ".", "x", "*", "-"}
# No bounds of a consistent table need more rounds; all rounds leave valid bounds.
_ROUNDS = 1000


def axis(column: pd.Series, role: str | None, total: str) -> tuple[np.ndarray, list[Any]]:
    """Return the codes of a column (the number of levels for totals) and its levels."""
    is_total = column.map(label).astype(str).str.lower() == total.lower()
    own = column[~is_total]
    if own.empty:
        raise DatamallError(
            f"Column {column.name} holds totals only, so that there are no groups to compare: "
            "leave it out of the keys."
        )
    if isinstance(own.dtype, pd.CategoricalDtype):
        own = own.cat.remove_categories([v for v in own.cat.categories if v == total])
    elif role == "score_band":
        with suppress(ValueError):
            own = pd.to_numeric(own)
    codes, values = counting.encode(own, str(column.name))
    found, known = key_levels.levels(codes, values, own, role)
    out = np.full(len(column), len(known))
    out[~is_total.to_numpy()] = found
    return out, known


def side(
    frame: pd.DataFrame, name: str | None, total: str, labels: Labels
) -> tuple[np.ndarray, set[int]]:
    """Return the position of each row along decision or outcome, and which of them can hold."""
    if name is None:
        return np.full(len(frame), TOTAL), {UNKNOWN}
    texts = frame[name].map(label).astype(str)
    is_total = (texts.str.lower() == total.lower()).to_numpy()
    codes = np.full(len(frame), TOTAL)
    codes[~is_total] = counting.truth(list(frame[name][~is_total]), name, labels)
    return codes, {NO, YES} | set(codes[~is_total].tolist())


def read(
    column: pd.Series, name: str, rounding: int, below: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the bounds of published counts, and the counts (NaN where hidden)."""
    texts = column.map(lambda v: "" if label(v) == counting.MISSING else label(v))
    hidden = (texts.isin(HIDDEN) | texts.str.startswith("<")).to_numpy()
    if (hidden & ~texts.str.fullmatch("<[1-9][0-9]*").to_numpy()).any() and below is None:
        raise DatamallError(
            f"Column {name} holds hidden counts: say with suppressed_below under which number "
            "counts were hidden."
        )
    shown = counting.numbers(column.where(~hidden, 0), name)
    odd = ~hidden & (shown % rounding != 0)
    if odd.any():
        raise DatamallError(
            f"Column {name} holds {shown[odd][0]}, which is no multiple of the rounding {rounding}."
        )
    # "<10" says itself what it hides.
    said = pd.to_numeric(texts.str.removeprefix("<").where(texts.str.startswith("<")), "coerce")
    top = said.fillna(below or 1).to_numpy(np.int64) - 1
    low = np.where(hidden, 0, np.maximum(shown - rounding // 2, 0))
    high = np.where(hidden, top, shown + rounding // 2)
    return low, high, np.where(hidden, np.nan, shown)


def tighten(
    low: np.ndarray,
    high: np.ndarray,
    printed: np.ndarray,
    axes: Sequence[str],
    levels: Sequence[Sequence[Any]],
) -> None:
    """Make counts and totals agree, in place, until nothing changes."""
    for _ in range(_ROUNDS):
        before = low.sum() - high.sum(), np.isnan(printed).sum()
        for axis in range(low.ndim):
            least, most, value = (np.moveaxis(v, axis, 0) for v in (low, high, printed))
            others_least = least[:-1].sum(axis=0) - least[:-1]
            others_most = most[:-1].sum(axis=0) - most[:-1]
            least[-1] = np.maximum(least[-1], least[:-1].sum(axis=0))
            most[-1] = np.minimum(most[-1], most[:-1].sum(axis=0))
            least[:-1] = np.maximum(least[:-1], least[-1] - others_most)
            most[:-1] = np.minimum(most[:-1], most[-1] - others_least)
            blank = np.isnan(value)
            value[-1] = np.where(blank[-1], value[:-1].sum(axis=0), value[-1])
            rest = value[-1] - np.nansum(value[:-1], axis=0)
            value[:-1] = np.where(blank[:-1] & (blank[:-1].sum(axis=0) == 1), rest, value[:-1])
        if (low > high).any():
            raise DatamallError(_contradiction(low, high, axes, levels))
        # What can be one number only is known, hidden or not.
        printed[...] = np.where(np.isnan(printed) & (low == high), low, printed)
        if before == (low.sum() - high.sum(), np.isnan(printed).sum()):
            return


def middle(low: np.ndarray, high: np.ndarray, printed: np.ndarray) -> np.ndarray:
    """Return counts as printed, or the middle of their bounds where these are near each other."""
    half = np.round((low + high) / 2)
    return np.where(np.isnan(printed), np.where(high - low <= half / 2, half, np.nan), printed)


def _contradiction(
    low: np.ndarray, high: np.ndarray, axes: Sequence[str], levels: Sequence[Sequence[Any]]
) -> str:
    place = np.argwhere(low > high)[0]
    named_levels: Mapping[str, Sequence[Any]] = {
        **dict(zip(axes, levels, strict=True)),
        "decision": ("no", "yes", "unknown"),
        "outcome": ("no", "yes", "unknown"),
    }
    words = ", ".join(
        f"{name} {(*known, 'total')[code]}"
        for (name, known), code in zip(named_levels.items(), place, strict=True)
    )
    return (
        f"The counts contradict their totals at {words}: it would be at least {low[tuple(place)]} "
        f"and at most {high[tuple(place)]}. Check the counts, the rounding, and that every column "
        "lists all its values."
    )
