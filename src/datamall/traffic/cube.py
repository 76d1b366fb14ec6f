"""Counts as dense arrays: detector × day × interval, one block per group of like detectors."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.errors import DatamallError
from datamall.memory import let_go
from datamall.requirements import Absent, needs
from datamall.rows import Rows
from datamall.threads import in_order

COUNTS = "traffic.counts"
KEYS = ["site", "approach", "movement", "mode", "detector"]
COUNTED = tuple(f"{COUNTS}.{name}" for name in (*KEYS, "day", "hour", "minutes", "count"))
LEAST_SHARE = 0.75  # of a group's usual volume, counted by the detectors that did count
LONGEST_BREAK = 31  # days between two periods of counting that still share one block
NOT_COUNTED = -1  # among whole numbers
COUNTING = "count"  # role of the detectors that are summed
LEAST_WATCHED = 0.5  # of an interval; what was seen in less says little of the whole
PART_CELLS = 1_500_000  # of a block that are worked through at a time, about
Array = NDArray[np.floating]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Block:
    """Detectors that count in intervals of the same length and in periods that overlap.

    Attributes
    ----------
    series
        One row per detector, movement and mode: site, approach, movement, mode, detector; in the
        order of the first axis of `stored`, which is that of the keys.
    days
        Every day from the first to the last one, without holes.
    interval
        Length of an interval in minutes.
    stored
        Passages, shape (series, days, intervals of a day): whole numbers with `NOT_COUNTED`, which
        take a quarter to half of the room, or float32 with NaN, where the interval was not counted
        from beginning to end.
    spoilt
        Days whose counts are left out as those of a fault, shape (series, days); None: none.
    aside
        Days of another pattern than that of now, which are no gaps; the same shape or None.
    """

    series: pd.DataFrame
    days: pd.DatetimeIndex
    interval: int
    stored: NDArray
    spoilt: NDArray[np.bool_] | None = None
    aside: NDArray[np.bool_] | None = None

    @property
    def count(self) -> Array:
        """Return the passages that count as float32, else NaN; whole numbers are copied."""
        whole = self.stored.dtype.kind != "f"
        masks = [mask for mask in (self.spoilt, self.aside) if mask is not None]
        count = self.stored.astype(np.float32, copy=whole or bool(masks))
        if whole:
            count[self.stored == NOT_COUNTED] = np.nan
        for mask in masks:
            count[mask] = np.nan
        return count

    @property
    def label(self) -> str:
        """Return the period and interval in words."""
        return f"{self.days[0]:%Y-%m-%d} to {self.days[-1]:%Y-%m-%d}, {self.interval} min"

    def take(self, rows: NDArray | slice) -> "Block":
        """Return the block of some series; `rows` as a mask, positions or a slice."""
        chosen = self.series.iloc[rows].reset_index(drop=True)
        spoilt, aside = (None if m is None else m[rows] for m in (self.spoilt, self.aside))
        return replace(self, series=chosen, stored=self.stored[rows], spoilt=spoilt, aside=aside)

    def without(self, spoilt: NDArray[np.bool_]) -> "Block":
        """Return the block without the counts of some days, a mask of shape (series, days)."""
        return replace(self, spoilt=spoilt if self.spoilt is None else self.spoilt | spoilt)

    def parts(self) -> Iterator[tuple[slice, "Block"]]:
        """Yield the block some junctions at a time, with the positions of their series.

        What is reckoned of each junction by itself takes no more room than some of them.
        """
        starts = np.flatnonzero(self.series["site"].ne(self.series["site"].shift()).to_numpy())
        most = max(PART_CELLS // max(self.stored[0].size, 1), 1)  # series
        first = 0
        for start, end in zip(starts, [*starts[1:], len(self.series)], strict=True):
            if end - first > most and start > first:
                yield slice(first, int(start)), self.take(slice(first, start))
                first = int(start)
        yield slice(first, len(self.series)), self.take(slice(first, None))

    def over_parts(self, function: Callable[[slice, "Block"], Found]) -> list[Found]:
        """Return what a function finds of some junctions at a time, in their order."""
        found = in_order(lambda part: function(*part), self.parts())
        let_go()
        return found

    def hourly(self) -> "Block":
        """Return the block by the hour; an hour counts only when all of its intervals do."""
        if self.interval == 60:
            return self
        shape = (*self.stored.shape[:2], 24, 60 // self.interval)
        each = self.stored.reshape(shape)
        if each.dtype.kind == "f":
            return replace(self, interval=60, stored=each.sum(axis=3))
        total = each.sum(axis=3, dtype=np.int32)
        total[(each == NOT_COUNTED).any(axis=3)] = NOT_COUNTED
        return replace(self, interval=60, stored=total)

    def weeks(self, values: Array) -> Array:
        """Return values (…, days, slots) as (…, weeks, 7, slots) from a Monday, NaN beyond."""
        before = int(self.days[0].weekday())
        after = -(before + len(self.days)) % 7
        edges = [(0, 0)] * (values.ndim - 2) + [(before, after), (0, 0)]
        padded = np.pad(values, edges, constant_values=np.nan)
        return padded.reshape(*values.shape[:-2], -1, 7, values.shape[-1])

    def usual(self) -> Array:
        """Return the median over weeks, shape (series, 7 weekdays, slots), NaN if never counted."""
        return median(self.weeks(self.count), axis=1)

    def sums(
        self, by: list[str], slots: NDArray[np.intp] | None = None
    ) -> tuple[pd.DataFrame, Array]:
        """Sum over the detectors of a group, making up for the few that did not count.

        Parameters
        ----------
        by
            Columns of `series` that make a group, the junction first.
        slots
            Intervals of the day that are wanted; None: all.

        Returns
        -------
        tuple
            The groups (columns `by`, in their order) and their sums, float64, shape (groups, days,
            slots). Where the detectors that counted carry at least `LEAST_SHARE` of what the group
            usually counts at that hour of the week, their sum is divided by that share; with less
            it is NaN. A detector that never counted takes no part; one that begins where another
            of the same approach, movement and mode ended is that one moved.
        """
        found = self.over_parts(lambda _, part: part._sums(by, slots))
        groups = pd.concat([names for names, _ in found], ignore_index=True)
        return groups, np.concatenate([total for _, total in found])

    def _sums(self, by: list[str], slots: NDArray[np.intp] | None) -> tuple[pd.DataFrame, Array]:
        codes = self.series.groupby(by, sort=True).ngroup().to_numpy()
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        groups = self.series.loc[order[starts], by].reset_index(drop=True)
        size = np.diff(starts, append=len(order))
        count = self.count[order]
        wanted = slice(None) if slots is None else slots
        total = np.empty((len(groups), len(self.days), count[0, 0, wanted].size))
        total[size == 1] = count[starts[size == 1]][..., wanted]  # who is alone is the sum
        if (size > 1).any():
            chosen = np.repeat(size > 1, size)
            several = _moved_on(count[chosen], self.series.iloc[order[chosen]])
            begin = np.cumsum(size[size > 1]) - size[size > 1]
            total[size > 1] = self._made_up(several, begin, wanted)
        return groups, total

    def _made_up(self, count: Array, starts: NDArray[np.intp], wanted: NDArray | slice) -> Array:
        """Return the sums of groups of several series, made up for those that did not count."""
        takes_part = np.isfinite(count).any(axis=(1, 2), keepdims=True)
        count = count[..., wanted]
        counted = np.isfinite(count)
        usual = np.nan_to_num(median(self.weeks(count), axis=1))
        # A little is added so that at hours without any traffic all detectors weigh the same.
        weight = (usual + 1e-3) * takes_part
        weight = weight[:, self.days.day_of_week.to_numpy()]
        there = np.add.reduceat(np.where(counted, weight, 0), starts, dtype=float)
        whole = np.add.reduceat(weight, starts, dtype=float)
        total = np.add.reduceat(np.nan_to_num(count), starts, dtype=float)
        share = np.divide(there, whole, out=np.zeros_like(there), where=whole > 0)
        # Sums of the same numbers in two orders may differ in the last digit.
        share = np.where(share > 1 - 1e-6, 1, share)
        return np.where(share >= LEAST_SHARE, total / np.maximum(share, 0.1), np.nan)


@dataclass(frozen=True)
class Cube:
    """All counts of an extract, in blocks ordered by first day and interval.

    Attributes
    ----------
    blocks
        The counts.
    again
        Mode → number of detectors that see others' vehicles again, or only that somebody waits:
        they are in no block.
    """

    blocks: tuple[Block, ...]
    again: Mapping[str, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)

    def hourly(self) -> "Cube":
        """Return the cube by the hour."""
        return Cube(tuple(block.hourly() for block in self), self.again)


@needs("Counts", *COUNTED)
def cells(data: Mapping[str, pd.DataFrame | Rows]) -> Cube | Absent:
    """Arrange the counts of an extract as dense arrays.

    Parameters
    ----------
    data
        The extract; traffic.counts may lack the column minute, where it holds sums by the hour,
        role, where every detector counts, and completeness, where that was not recorded. `Rows`
        in the order of the junctions are read some junctions at a time.

    Returns
    -------
    Cube
        Interval and period are found per detector, so that two authorities' counts may be in one
        extract. Detectors whose role is another than to count are left out, so that no vehicle is
        summed twice; an interval watched for less than `LEAST_WATCHED` is not counted. An Absent
        where nothing was counted.

    Raises
    ------
    DatamallError
        When a count lies outside a day, an interval does not divide the hour or an interval was
        delivered twice.
    """
    table = data[COUNTS]
    if isinstance(table, Rows):
        read = table.slices() if table.key == "site" else [table.whole()]
        parts = [_part(each) for each in read]
    else:
        parts = [_part(table)]
    again = pd.concat([part.again for part in parts])
    series = pd.concat([part.series for part in parts], ignore_index=True)
    interval, first, last = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("interval", "first", "last")
    )
    if not interval.any():
        return Absent("Counts", f"Not possible here: no interval of {COUNTS} was counted.")
    interval[interval == 0] = interval.max()  # a detector that never counted
    counted = [each for part in parts for each in part.counted]
    del parts
    kind = np.result_type(np.int16, *{each.dtype for each in counted})
    blocks = []
    for own in _groups(interval, first, last):
        minutes, begin = int(interval[own[0]]), int(first[own].min())
        days = int(last[own].max()) - begin + 1
        stored = np.full((len(own), days, 1440 // minutes), NOT_COUNTED, dtype=kind)
        for row, place in enumerate(own):
            if counted[place].size:
                offset = int(first[place]) - begin
                stored[row, offset : offset + len(counted[place])] = counted[place]
                counted[place] = counted[place][:0].copy()  # what is in the block is let go
        index = pd.date_range(np.datetime64(begin, "D").astype("datetime64[s]"), periods=days)
        chosen = series.iloc[own].reset_index(drop=True)
        blocks.append(Block(chosen, index, minutes, stored))
    del counted
    let_go()
    blocks.sort(key=lambda block: (block.days[0], block.interval))
    return Cube(tuple(blocks), again.groupby(level="mode").sum().to_dict())


@dataclass(frozen=True)
class _Part:
    """The counts of some junctions; per series its interval (0: never counted) and days."""

    series: pd.DataFrame
    interval: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    counted: list[NDArray]  # (days, intervals of a day); empty where never counted
    again: pd.Series  # detectors that do not count for themselves, by mode


def _part(table: pd.DataFrame) -> _Part:
    again = pd.Series(dtype="int64", index=pd.Index([], dtype=object, name="mode"))
    if "role" in table:
        other = (table["role"].notna() & (table["role"] != COUNTING)).to_numpy()
        if other.any():
            again = _series(table[other])[0].groupby("mode").size()
            table = table[~other]
    series, row = _series(table)
    if table.empty:
        none = np.zeros(0, np.int64)
        return _Part(series, none, none, none, [], again)
    day = table["day"].to_numpy().astype("datetime64[D]").astype(np.int64)
    hour = table["hour"].to_numpy()
    minute = table["minute"].to_numpy() if "minute" in table else np.zeros_like(hour)
    minutes = table["minutes"].to_numpy()
    if not (_within(hour, 0, 23) and _within(minute, 0, 59)):
        raise DatamallError(f"{COUNTS} holds an hour or minute outside the day: mend its mapping.")
    size = len(series)
    interval, first, last = np.zeros(size, np.int64), np.full(size, 1 << 40), np.zeros(size, int)
    np.maximum.at(interval, row, minutes if "minute" in table else np.where(minutes > 0, 60, 0))
    np.minimum.at(first, row, day)
    np.maximum.at(last, row, day)
    each = np.maximum(interval, 1)
    if (60 % each).any():
        wrong = series.loc[60 % each > 0, "detector"].iloc[0]
        raise DatamallError(
            f"Detector {wrong} counts in intervals of {each[60 % each > 0][0]} minutes, "
            "which do not divide the hour: mend minutes in its mapping."
        )
    slots = np.where(interval > 0, 1440 // each, 0)
    ends = np.cumsum(slots * (last - first + 1))
    begin = ends - slots * (last - first + 1) - slots * first
    known = interval[row] > 0
    row, day, minutes = row[known], day[known], minutes[known]
    position = begin[row] + day * slots[row] + (hour * 60 + minute)[known] // each[row]
    count = table["count"].to_numpy(dtype=float, na_value=np.nan)[known]
    whole = (minutes == each[row]) & ~np.isnan(count)
    if "completeness" in table:
        watched = table["completeness"].to_numpy(dtype=float, na_value=np.nan)[known]
        whole &= ~(watched < LEAST_WATCHED)  # where it was not recorded, it is taken as whole
    count = np.where(whole, count, NOT_COUNTED)
    filled = np.zeros(ends[-1], dtype=bool)
    filled[position] = True
    if filled.sum() < len(position):
        raise DatamallError(
            f"{len(position) - filled.sum()} intervals of {COUNTS} were delivered more than "
            "once: take the store in again, duplicates are removed there."
        )
    kind = np.int16 if count.max(initial=0) <= np.iinfo(np.int16).max else np.int32
    flat = np.full(ends[-1], NOT_COUNTED, dtype=kind)
    flat[position] = count
    counted = [
        values.reshape(-1, max(width, 1))
        for values, width in zip(np.split(flat, ends[:-1]), slots, strict=True)
    ]
    return _Part(series, interval, first, last, counted, again)


def _series(table: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the keys that occur, in order, and the position among them of every row."""
    code, names = np.zeros(len(table), dtype=np.int64), []
    for key in KEYS:
        column = table[key]
        if isinstance(column.dtype, pd.CategoricalDtype):
            own, values = column.cat.codes.to_numpy(), column.cat.categories
        else:
            own, values = pd.factorize(column)
        names.append(np.asarray(values, dtype=object))
        code = code * len(values) + own
    # Rows of one series mostly follow each other: their runs are far fewer.
    starts = np.flatnonzero(np.diff(code, prepend=-1))
    run, found = pd.factorize(code[starts])
    row = np.repeat(run, np.diff(starts, append=len(code)))
    parts = np.unravel_index(found, [len(values) for values in names])
    series = pd.DataFrame({k: v[p] for k, v, p in zip(KEYS, names, parts, strict=True)}, dtype=str)
    series = series.sort_values(KEYS)
    rank = np.empty(len(series), dtype=np.int64)
    rank[series.index] = np.arange(len(series))
    return series.reset_index(drop=True), rank[row]


def _groups(
    interval: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]
) -> list[NDArray[np.intp]]:
    """Return the series of each block: the same interval, periods that overlap or nearly do."""
    order = np.lexsort((first, interval))
    # A new block begins where the interval changes or nothing has counted for a while.
    until = pd.Series(last[order]).groupby(interval[order]).cummax().to_numpy()
    breaks = (np.diff(interval[order]) != 0) | (first[order][1:] > until[:-1] + LONGEST_BREAK)
    return [np.sort(own) for own in np.split(order, np.flatnonzero(breaks) + 1)]


def _moved_on(count: Array, series: pd.DataFrame) -> Array:
    """Let a detector that begins where another of its movement ended go on in its place.

    `count` of shape (series, days, slots) is changed and returned.
    """
    known = np.asarray(np.any(np.isfinite(count), axis=2))
    first, last = known.argmax(axis=1), known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    away = known.any(axis=1) & ((first > 0) | (last < known.shape[1] - 1))
    if not away.any():
        return count
    place = series.groupby(KEYS[:-1], sort=False).ngroup().to_numpy()
    for own in np.unique(place[away]):
        rows = np.flatnonzero((place == own) & away)
        rows = rows[np.argsort(first[rows], kind="stable")]
        for number, row in enumerate(rows):
            for after in rows[number + 1 :]:
                if 0 < first[after] - last[row] <= LONGEST_BREAK:
                    count[row, first[after] :] = count[after, first[after] :]
                    count[after], last[row] = np.nan, last[after]
                    first[after] = count.shape[1] + LONGEST_BREAK  # it is no row of its own
    return count


def _within(values: NDArray, low: int, high: int) -> bool:
    return bool(values.min() >= low and values.max() <= high)


def median(values: Array, axis: int) -> Array:
    """Return the median along an axis without its NaN; NaN where there is nothing else.

    By a sort of the whole array, which is several times faster than `numpy.nanmedian`.
    """
    ordered = np.sort(np.moveaxis(values, axis, -1), axis=-1)  # NaN last
    number = (~np.isnan(ordered)).sum(axis=-1, keepdims=True)
    low, high = np.maximum(number - 1, 0) // 2, np.minimum(number // 2, ordered.shape[-1] - 1)
    middle = np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, high, -1)
    return (middle / 2)[..., 0]
