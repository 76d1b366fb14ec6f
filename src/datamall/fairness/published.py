"""Reading published tables: which count each row holds, and what hidden ones and totals leave open.

A table gives some counts and some of their totals, all of them rounded or not, some hidden. Each
count becomes a pair of bounds: what its own row says; below the threshold where nothing but
smallness explains that it is hidden (`datamall.fairness.suppression`); then totals tighten the
bounds of their parts and parts those of their totals, line by line here, and all of them together
where that leaves hidden counts open (`datamall.fairness.linear_bounds`).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import counting, key_levels, linear_bounds, suppression
from datamall.fairness.cells import check_names
from datamall.fairness.counting import NO, TOTAL, UNKNOWN, YES, Labels, label

HIDDEN = {"", ".", "x", "*", "-"}
UNLIMITED = linear_bounds.UNLIMITED
LARGEST = 2_000_000
# No bounds of a consistent table need more rounds; all rounds leave valid bounds.
_ROUNDS = 1000
_CHECK = (
    "Check the counts, the rounding, below which number counts are hidden, and that every column "
    "lists all its values."
)


@dataclass(frozen=True, eq=False)
class PublishedTable:
    """Counts of people by keys, decision and outcome, each between two bounds.

    See `datamall.fairness.Bounds`, which is made of it.

    Attributes
    ----------
    axes, levels
        Names of the keys and their values.
    low, high
        Bounds, integers; one dimension per key, then decision and outcome (no, yes, unknown).
        The last position along each dimension is the total over it.
    printed
        The counts as published, or what follows from those; NaN where nothing does.
    merged
        What `datamall.fairness.recoding.merge` merged: key, new value, old values.
    """

    axes: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...]
    low: np.ndarray
    high: np.ndarray
    printed: np.ndarray
    merged: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        for array in (self.low, self.high, self.printed):
            array.setflags(write=False)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the attributes: the keys that are no role."""
        return tuple(name for name in self.axes if name not in key_levels.ROLES)

    @classmethod
    def from_rounded(
        cls,
        frame: pd.DataFrame,
        groups: Sequence[str],
        decision: str | None = None,
        outcome: str | None = None,
        *,
        count: str,
        arm: str | None = None,
        stage: str | None = None,
        score_band: str | None = None,
        rounding: int = 1,
        suppressed_below: int | None = None,
        total: str = "total",
        labels: Labels | None = None,
    ) -> Self:
        """Take a published table with one count per row.

        Parameters
        ----------
        frame
            One row per count. A row with `total` in a column of keys, decision or outcome holds
            the total over it; the values of each column must be complete.
        groups, decision, outcome, arm, stage, score_band, labels
            As in `Cells.from_frame`. Combinations that are not in the table are unknown.
        count
            Column of counts. Hidden ones are empty, or one of ``. x * -``, or ``<10``, which is
            0 to 9 whatever `suppressed_below`.
        rounding
            Counts are rounded to the nearest multiple of this.
        suppressed_below
            Counts below this are hidden, and perhaps others for their sake. A hidden count lies
            below it only where nothing else explains that it is hidden
            (`datamall.fairness.suppression`); otherwise it can be whatever all totals of the table
            leave together (`datamall.fairness.linear_bounds`).
        total
            The value that marks totals.

        Raises
        ------
        DatamallError
            If counts contradict their totals, or are negative, fractional, no multiples of
            `rounding`, or hidden without `suppressed_below`.
        """
        groups = [groups] if isinstance(groups, str) else list(groups)
        given = (("arm", arm), ("stage", stage), ("score_band", score_band))
        roles = {role: name for role, name in given if name is not None}
        keys = dict.fromkeys(groups) | {name: role for role, name in roles.items()}
        truths = [name for name in (decision, outcome) if name is not None]
        counting.collect(frame, [*groups, *roles.values(), *truths], count)
        check_names(groups)
        if not len(frame):
            raise DatamallError("There are no rows to count: give at least one.")
        index, levels = [], []
        for name, role in keys.items():
            codes, known = axis(frame[name], role, total)
            index.append(codes)
            levels.append(tuple(known))
        sides = [side(frame, name, total, labels or {}) for name in (decision, outcome)]
        place = (*index, *(codes for codes, _ in sides))
        shape = (*(len(known) + 1 for known in levels), 4, 4)
        if np.prod(shape) > LARGEST:
            raise DatamallError("The table has too many combinations of keys: give fewer groups.")
        low, high = np.zeros(shape, np.int64), np.full(shape, UNLIMITED)
        printed = np.full(shape, np.nan)
        for axis_, (_, possible) in zip((-2, -1), sides, strict=True):
            np.moveaxis(high, axis_, 0)[[v for v in range(3) if v not in possible]] = 0
            np.moveaxis(printed, axis_, 0)[[v for v in range(3) if v not in possible]] = 0
        least, most, value, silent = counts(frame[count], count, rounding, suppressed_below)
        np.maximum.at(low, place, least)
        np.minimum.at(high, place, most)
        printed[place] = value
        names = tuple(role or name for name, role in keys.items())
        tight = low, high, printed, names, tuple(levels)
        if np.isnan(value).any():
            # Without the positions that cannot hold: the last one along each is a true total.
            kept = [np.arange(size) for size in shape[:-2]]
            for column, (_, possible) in zip((decision, outcome), sides, strict=True):
                kept.append(np.array([TOTAL] if column is None else [*sorted(possible), TOTAL]))
            listed, shown, asked = (
                _marked(shape, place, rows)[np.ix_(*kept)]
                for rows in (slice(None), ~np.isnan(value), silent)
            )
            _settle(tight, kept, listed, listed & ~shown, asked, suppressed_below or 1)
        tighten(*tight)
        return cls(names, tuple(levels), low, high, printed)

    @classmethod
    def from_confusion(
        cls,
        frame: pd.DataFrame,
        groups: Sequence[str],
        tp: str = "tp",
        fp: str = "fp",
        fn: str = "fn",
        tn: str = "tn",
        *,
        n: str | None = None,
        rounding: int = 1,
        suppressed_below: int | None = None,
    ) -> Self:
        """Take counts of true and false positives and negatives per group, some hidden.

        Parameters
        ----------
        frame, groups, tp, fp, fn, tn
            As in `Cells.from_confusion`.
        n
            Column of the size of each group, if published.
        rounding, suppressed_below
            See `from_rounded`.

        Raises
        ------
        DatamallError
            See `from_rounded`.
        """
        groups = [groups] if isinstance(groups, str) else list(groups)
        table = _confusion(frame, groups, (tp, fp, fn, tn), n)
        limits: dict[str, Any] = {"rounding": rounding, "suppressed_below": suppressed_below}
        return cls.from_rounded(table, groups, "decision", "outcome", count="count", **limits)


def _confusion(
    frame: pd.DataFrame, groups: Sequence[str], columns: Sequence[str], size: str | None
) -> pd.DataFrame:
    """Return counts of true and false positives, false and true negatives, one per row."""
    yes_no = (("1", "1"), ("1", "0"), ("0", "1"), ("0", "0"))
    marks = dict(zip(columns, yes_no, strict=True))
    counting.collect(frame, [*groups, *marks, *([size] if size is not None else [])], None)
    parts = [
        frame[groups].assign(decision=d, outcome=y, count=frame[name])
        for name, (d, y) in marks.items()
    ]
    if size is not None:
        parts.append(frame[groups].assign(decision="total", outcome="total", count=frame[size]))
    return pd.concat([part.astype({"count": object}) for part in parts], ignore_index=True)


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
    """Return counts as printed, or the middle of their bounds where these are near each other.

    A difference of rounded counts may lie outside the bounds, even below nought; this does not.
    """
    half = np.round((low + high) / 2)
    near = np.where(high - low <= half / 2, half, np.nan)
    return np.where(np.isnan(printed), near, np.clip(printed, low, high))


def _settle(
    tight: Any,
    kept: Sequence[np.ndarray],
    listed: np.ndarray,
    hidden: np.ndarray,
    asked: np.ndarray,
    below: int,
) -> None:
    """Bound hidden counts, in place: by the threshold where it says something, and by all totals.

    `tight`: what `tighten` takes. The other arrays are of the positions that are `kept`: which
    counts are on the sheet, which of them hidden, and which of these without saying below what.
    """
    low, high, _, axes, levels = tight
    part = np.ix_(*kept)
    small = asked & suppression.small(listed, hidden)
    high[part] = np.where(small, np.minimum(high[part], below - 1), high[part])
    tighten(*tight)
    least, most = low[part], high[part]
    odd = linear_bounds.tighten(least, most, listed, hidden)
    if odd is not None:
        place = [own[i] for own, i in zip(kept, odd, strict=True)]
        raise DatamallError(
            f"The counts contradict their totals around {_words(place, axes, levels)}: no numbers "
            f"agree with all of them at once. {_CHECK}"
        )
    low[part], high[part] = least, most


def _contradiction(
    low: np.ndarray, high: np.ndarray, axes: Sequence[str], levels: Sequence[Sequence[Any]]
) -> str:
    place = np.argwhere(low > high)[0]
    return (
        f"The counts contradict their totals at {_words(place, axes, levels)}: it would be at "
        f"least {low[tuple(place)]} and at most {high[tuple(place)]}. {_CHECK}"
    )


def _words(place: Sequence[int], axes: Sequence[str], levels: Sequence[Sequence[Any]]) -> str:
    """Return the keys of a count in words."""
    known = [*zip(axes, levels, strict=True)]
    known += [(name, ("no", "yes", "unknown")) for name in ("decision", "outcome")]
    return ", ".join(
        f"{name} {(*values, 'total')[code]}"
        for (name, values), code in zip(known, place, strict=True)
    )
