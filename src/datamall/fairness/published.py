"""Reading published tables: which count each row holds, and what hidden ones and totals leave open.

A table gives some counts and some of their totals, all of them rounded or not, some hidden. Each
count becomes a pair of bounds: what its own row says; below the threshold where nothing but
smallness explains that it is hidden (`datamall.fairness.suppression`); then totals tighten the
bounds of their parts and parts those of their totals, line by line here, and all of them together
where that leaves hidden counts open (`datamall.fairness.linear_bounds`).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import counting, key_levels, linear_bounds, suppression
from datamall.fairness.counting import NO, UNKNOWN, YES, Labels, label

TOTAL = 3
HIDDEN = {"", ".", "x", "*", "-"}
UNLIMITED = linear_bounds.UNLIMITED
LARGEST = 2_000_000
# No bounds of a consistent table need more rounds; all rounds leave valid bounds.
_ROUNDS = 1000
_CHECK = (
    "Check the counts, the rounding, below which number counts are hidden, and that every column "
    "lists all its values."
)

Table = tuple[tuple[str, ...], tuple[tuple[Any, ...], ...], np.ndarray, np.ndarray, np.ndarray]


def table(
    frame: pd.DataFrame,
    keys: Mapping[str, str | None],
    decision: str | None,
    outcome: str | None,
    count: str,
    rounding: int,
    below: int | None,
    total: str,
    labels: Labels,
) -> Table:
    """Read a published table.

    Parameters
    ----------
    frame
        At least one row; one count per row.
    keys
        Column of each key, and its role (None: an attribute); the role becomes its name.
    decision, outcome, count, rounding, below, total, labels
        See `datamall.fairness.Bounds.from_rounded`.

    Returns
    -------
    tuple
        Names of the keys, their values, and the arrays `low`, `high` and `printed` of `Bounds`.
    """
    index, levels = [], []
    for name, role in keys.items():
        codes, known = axis(frame[name], role, total)
        index.append(codes)
        levels.append(tuple(known))
    sides = [side(frame, name, total, labels) for name in (decision, outcome)]
    place = (*index, *(codes for codes, _ in sides))
    shape = (*(len(known) + 1 for known in levels), 4, 4)
    if np.prod(shape) > LARGEST:
        raise DatamallError("The table has too many combinations of keys: give fewer groups.")
    low, high = np.zeros(shape, np.int64), np.full(shape, UNLIMITED)
    printed = np.full(shape, np.nan)
    for axis_, (_, possible) in zip((-2, -1), sides, strict=True):
        np.moveaxis(high, axis_, 0)[[v for v in range(3) if v not in possible]] = 0
        np.moveaxis(printed, axis_, 0)[[v for v in range(3) if v not in possible]] = 0
    least, most, value, silent = counts(frame[count], count, rounding, below)
    np.maximum.at(low, place, least)
    np.minimum.at(high, place, most)
    printed[place] = value
    names = tuple(role or name for name, role in keys.items())
    tight = low, high, printed, names, tuple(levels)
    hidden = np.isnan(value)
    if not hidden.any():
        tighten(*tight)
        return names, tuple(levels), low, high, printed
    # Without the positions that cannot hold, so that the last one along each is a true total.
    kept = [np.arange(size) for size in shape[:-2]]
    for column, (_, possible) in zip((decision, outcome), sides, strict=True):
        kept.append(np.array([*sorted(possible), TOTAL] if column is not None else [TOTAL]))
    part = np.ix_(*kept)
    listed, shown, asked = (
        _marked(shape, place, rows)[part] for rows in (slice(None), ~hidden, silent)
    )
    secret = listed & ~shown
    least, most = low[part], high[part]
    sure = asked & suppression.small(listed, secret)
    most[sure] = np.minimum(most[sure], (below or 1) - 1)
    high[part] = most
    tighten(*tight)
    least, most = low[part], high[part]
    odd = linear_bounds.tighten(least, most, listed, secret)
    if odd is not None:
        where = [own[i] for own, i in zip(kept, odd, strict=True)]
        raise DatamallError(
            f"The counts contradict their totals around {_place(where, names, levels)}: no "
            f"numbers agree with all of them at once. {_CHECK}"
        )
    low[part], high[part] = least, most
    tighten(*tight)
    return names, tuple(levels), low, high, printed


def _marked(shape: tuple[int, ...], place: tuple[np.ndarray, ...], rows: Any) -> np.ndarray:
    out = np.zeros(shape, bool)
    out[tuple(codes[rows] for codes in place)] = True
    return out


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


def counts(
    column: pd.Series, name: str, rounding: int, below: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what the rows of published counts say.

    Parameters
    ----------
    column
        Counts as printed.
    name, rounding, below
        Its name; see `datamall.fairness.Bounds.from_rounded`.

    Returns
    -------
    tuple of ndarray
        Lowest and highest count, the count in print (NaN where hidden), and which are hidden
        without saying below which number: of these nothing is known yet.
    """
    texts = column.map(lambda v: "" if label(v) == counting.MISSING else label(v))
    hidden = (texts.isin(HIDDEN) | texts.str.startswith("<")).to_numpy()
    silent = hidden & ~texts.str.fullmatch("<[1-9][0-9]*").to_numpy()
    if silent.any() and below is None:
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
    said = pd.to_numeric(texts.str.removeprefix("<").where(hidden & ~silent), "coerce")
    top = said.fillna(UNLIMITED + 1).to_numpy(np.int64) - 1
    low = np.where(hidden, 0, np.maximum(shown - rounding // 2, 0))
    high = np.where(hidden, top, shown + rounding // 2)
    return low, high, np.where(hidden, np.nan, shown), silent


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
    return (
        f"The counts contradict their totals at {_place(place, axes, levels)}: it would be at "
        f"least {low[tuple(place)]} and at most {high[tuple(place)]}. {_CHECK}"
    )


def _place(place: Sequence[int], axes: Sequence[str], levels: Sequence[Sequence[Any]]) -> str:
    """Return the keys of a count in words."""
    known = [*zip(axes, levels, strict=True)]
    known += [(name, ("no", "yes", "unknown")) for name in ("decision", "outcome")]
    return ", ".join(
        f"{name} {(*values, 'total')[code]}"
        for (name, values), code in zip(known, place, strict=True)
    )
