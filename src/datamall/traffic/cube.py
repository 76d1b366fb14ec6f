"""Counts as dense arrays: detector × day × interval, one block per group of like detectors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.errors import DatamallError
from datamall.requirements import Absent, needs

COUNTS = "traffic.counts"
KEYS = ["site", "approach", "movement", "mode", "detector"]
COUNTED = tuple(f"{COUNTS}.{name}" for name in (*KEYS, "day", "hour", "minutes", "count"))
LEAST_SHARE = 0.75  # of a group's usual volume, counted by the detectors that did count
LONGEST_BREAK = 31  # days between two periods of counting that still share one block
Array = NDArray[np.floating]


@dataclass(frozen=True)
class Block:
    """Detectors that count in intervals of the same length and in periods that overlap.

    Attributes
    ----------
    series
        One row per detector, movement and mode: site, approach, movement, mode, detector; in the
        order of the first axis of `count`, which is that of the keys.
    days
        Every day from the first to the last one, without holes.
    interval
        Length of an interval in minutes.
    count
        Passages, float32, shape (series, days, intervals of a day); NaN where the interval was not
        counted from beginning to end.
    """

    series: pd.DataFrame
    days: pd.DatetimeIndex
    interval: int
    count: Array

    @property
    def label(self) -> str:
        """Return the period and interval in words."""
        return f"{self.days[0]:%Y-%m-%d} to {self.days[-1]:%Y-%m-%d}, {self.interval} min"

    def take(self, rows: NDArray) -> "Block":
        """Return the block of some series; `rows` as a mask or positions."""
        chosen = self.series.loc[rows].reset_index(drop=True)
        return replace(self, series=chosen, count=self.count[rows])

    def hourly(self) -> "Block":
        """Return the block by the hour; an hour counts only when all of its intervals do."""
        if self.interval == 60:
            return self
        shape = (*self.count.shape[:2], 24, 60 // self.interval)
        return replace(self, interval=60, count=self.count.reshape(shape).sum(axis=3))

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

    def sums(self, by: list[str]) -> tuple[pd.DataFrame, Array]:
        """Sum over the detectors of a group, making up for the few that did not count.

        Parameters
        ----------
        by
            Columns of `series` that make a group.

        Returns
        -------
        tuple
            The groups (columns `by`, in their order) and their sums, float64, shape (groups, days,
            slots). Where the detectors that counted carry at least `LEAST_SHARE` of what the group
            usually counts at that hour of the week, their sum is divided by that share; with less
            it is NaN. A detector that never counted takes no part.
        """
        codes = self.series.groupby(by, sort=True).ngroup().to_numpy()
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        groups = self.series.loc[order[starts], by].reset_index(drop=True)
        count = self.count[order]
        counted = np.isfinite(count)
        usual = np.nan_to_num(self.usual()[order])
        takes_part = counted.any(axis=(1, 2), keepdims=True)
        # A little is added so that at hours without any traffic all detectors weigh the same.
        weight = (usual + 1e-3) * takes_part
        weight = weight[:, self.days.day_of_week.to_numpy()]
        there = np.add.reduceat(np.where(counted, weight, 0), starts, dtype=float)
        whole = np.add.reduceat(weight, starts, dtype=float)
        total = np.add.reduceat(np.nan_to_num(count), starts, dtype=float)
        share = np.divide(there, whole, out=np.zeros_like(there), where=whole > 0)
        # Sums of the same numbers in two orders may differ in the last digit.
        share = np.where(share > 1 - 1e-6, 1, share)
        return groups, np.where(share >= LEAST_SHARE, total / np.maximum(share, 0.1), np.nan)


@dataclass(frozen=True)
class Cube:
    """All counts of an extract, in blocks ordered by first day and interval."""

    blocks: tuple[Block, ...]

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)

    def hourly(self) -> "Cube":
        """Return the cube by the hour."""
        return Cube(tuple(block.hourly() for block in self))


@needs("Counts", *COUNTED)
def cells(data: Mapping[str, pd.DataFrame]) -> Cube | Absent:
    """Arrange the counts of an extract as dense arrays.

    Parameters
    ----------
    data
        The extract; traffic.counts may lack the column minute, where it holds sums by the hour.

    Returns
    -------
    Cube
        Interval and period are found per detector, so that two authorities' counts may be in one
        extract. An Absent where nothing was counted.

    Raises
    ------
    DatamallError
        When a count lies outside a day, an interval does not divide the hour or an interval was
        delivered twice.
    """
    table = data[COUNTS]
    series, row = _series(table)
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
    if not interval.any():
        return Absent("Counts", f"Not possible here: no interval of {COUNTS} was counted.")
    interval[interval == 0] = interval.max()  # a detector that never counted
    if (60 % interval).any():
        wrong = series.loc[60 % interval > 0, "detector"].iloc[0]
        raise DatamallError(
            f"Detector {wrong} counts in intervals of {interval[60 % interval > 0][0]} minutes, "
            "which do not divide the hour: mend minutes in its mapping."
        )
    count = table["count"].to_numpy(dtype=np.float32, na_value=np.nan)
    count = np.where(minutes == interval[row], count, np.float32(np.nan))
    blocks = []
    for own in _groups(interval, first, last):
        minutes_each, start = int(interval[own[0]]), int(first[own].min())
        shape = (len(own), int(last[own].max()) - start + 1, 1440 // minutes_each)
        place = np.full(size, -1)
        place[own] = np.arange(len(own))
        inside = place[row] >= 0
        slot = (hour * 60 + minute)[inside] // minutes_each
        position = (place[row[inside]] * shape[1] + day[inside] - start) * shape[2] + slot
        filled = np.zeros(np.prod(shape), dtype=bool)
        filled[position] = True
        if filled.sum() < len(position):
            raise DatamallError(
                f"{len(position) - filled.sum()} intervals of {COUNTS} were delivered more than "
                "once: take the store in again, duplicates are removed there."
            )
        dense = np.full(np.prod(shape), np.nan, dtype=np.float32)
        dense[position] = count[inside]
        days = pd.date_range(np.datetime64(start, "D").astype("datetime64[s]"), periods=shape[1])
        chosen = series.iloc[own].reset_index(drop=True)
        blocks.append(Block(chosen, days, minutes_each, dense.reshape(shape)))
    return Cube(tuple(sorted(blocks, key=lambda block: (block.days[0], block.interval))))


def _series(table: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the keys that occur, in order, and the position among them of every row."""
    code, names = np.zeros(len(table), dtype=np.int64), []
    for key in KEYS:
        own, values = pd.factorize(table[key])
        names.append(np.asarray(values, dtype=object))
        code = code * len(values) + own
    row, found = pd.factorize(code)
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
