"""Stretches of days on which a detector's level or hours of the day are not its own.

Each day gets a log likelihood ratio of "odd" against "as usual"; a stretch is where the sum of
these is largest, so that its first and last day come out of the same comparison. One day never
decides alone. Counts by the hour are made alike in variance by their square root (Bartlett 1936).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.traffic.cube import Array, Block, median

FAULTY, SUSPECT, ASK = "faulty", "suspect", "real or not: ask"
AWAY = "not there"  # no fault: a detector that came later, or was taken away
STEP = np.log(2)  # a level is odd when it is nearer to half or double the usual than to the usual
NOISE = 0.15  # least standard deviation (log) of a day's level, so that no detector is too sure
MOST = 3.0  # what one day may add to the evidence (log likelihood ratio), lest it decide alone
LEAST_EVIDENCE = 20.0  # so that odd levels, shapes and hours last for seven days at least
FITS = 3.0  # times its usual misfit, to which another profile may still be said to fit
SHAPE = 0.9  # least correlation with the usual hours of the day to be like them
TWICE = (1.8, 2.2)  # ratio to the usual that may be counting twice
UNCHANGED = (0.85, 1.15)  # ratio of the other detectors of a junction that are as usual
LEAST_HOURS, LEAST_COUNT = 12, 20  # of a day that is compared: hours counted, usual passages
ENOUGH = 5  # detectors of a mode whose median tells what all felt
HALF_DAY = 12  # hours' worth of usual misfit that is one unit of evidence
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


def rows_of(kind: str, rows: list[tuple[int, int, int, float, str, str]]) -> pd.DataFrame:
    """Return (row, first, last, hours, evidence, verdict) as a table; days by number."""
    names = ["row", "first", "last", "hours", "evidence", "verdict"]
    types = {"row": int, "first": int, "last": int, "hours": float}
    return pd.DataFrame(rows, columns=names).astype(types).assign(kind=kind)


def cover(shape: tuple[int, ...], table: pd.DataFrame) -> Bools:
    """Return which (row, day) lies in a stretch of a table with row, first and last day."""
    result = np.zeros(shape, dtype=bool)
    for row, first, last in table[["row", "first", "last"]].itertuples(index=False):
        result[row, first : last + 1] = True
    return result


@dataclass(frozen=True)
class Levels:
    """Counts by the hour without what is spoilt, against the usual.

    Attributes
    ----------
    block
        Hourly.
    weekly
        Median of the weeks, shape (series, 7 weekdays, 24).
    relative
        Logarithm of count ÷ usual by day, NaN where too little is known; (series, days).
    felt
        Logarithm of what all of a mode felt on a day, by which the usual is larger; (series, days).
    """

    block: Block
    weekly: Array
    relative: Array
    felt: Array

    @property
    def usual(self) -> Array:
        """Return the expected counts, in the shape of the block."""
        usual = self.weekly[:, self.block.days.day_of_week.to_numpy()]
        usual *= np.exp(self.felt)[..., None]
        return usual

    def without(self, table: pd.DataFrame) -> "Levels":
        """Return the levels without the stretches of a table."""
        spoilt = cover(self.relative.shape, table)
        relative = np.where(spoilt, np.nan, self.relative)
        return replace(self, block=self.block.without(spoilt), relative=relative)


def levels(block: Block, spoilt: Bools, free: Bools) -> Levels:
    """Compare the hours of a block with the usual of each detector, whatever others felt.

    Parameters
    ----------
    block
        Counts.
    spoilt
        Days on which a detector is known to be faulty, shape (series, days).
    free
        Public holidays, which have no usual, shape (days,).
    """
    hourly = block.hourly().without(spoilt | free)
    count, weekly = hourly.count, hourly.usual()
    usual = weekly[:, block.days.day_of_week.to_numpy()]
    known = np.isfinite(count) & np.isfinite(usual)
    got, expected = (np.where(known, part, 0).sum(axis=2, dtype=float) for part in (count, usual))
    enough = (known.sum(axis=2) >= LEAST_HOURS) & (expected >= LEAST_COUNT)
    relative = np.where(enough, np.log((got + 0.5) / (expected + 0.5)), np.nan)
    return Levels(hourly, weekly, relative, np.zeros(relative.shape))


def felt(series: pd.DataFrame, relative: Array) -> Array:
    """Return what all detectors of a mode felt on each day, in the shape of `relative`.

    Parameters
    ----------
    series, relative
        Of all detectors: the median of those of a mode, where there are `ENOUGH`; else nothing.
    """
    result = np.zeros(relative.shape)
    for rows in series.groupby("mode").indices.values():
        if len(rows) >= ENOUGH:
            result[rows] = np.nan_to_num(median(relative[rows], axis=0))
    return result


def swapped(levels: Levels) -> pd.DataFrame:
    """Find pairs of detectors of a junction and mode that each follow the other's usual hours."""
    block, count, expected, rows = levels.block, levels.block.count, levels.usual, []
    for own in block.series.groupby(["site", "mode"]).indices.values():
        misfit = _misfit(count[own], expected[own])
        each = np.arange(len(own))
        alone = misfit[:, each, each]
        counted = np.isfinite(count[own]).any(axis=2).T
        usual = median(np.where(counted, alone, np.nan), axis=0)
        a, b = np.triu_indices(len(own), 1)
        # Both must fit better; the worse of the two counts.
        better = np.minimum(alone[:, a] - misfit[:, a, b], alone[:, b] - misfit[:, b, a])
        both = counted[:, a] & counted[:, b]
        evidence = _evidence(better, np.maximum(usual[a], usual[b]), both)
        for pair, first, last in _stretches(evidence.T):
            days = np.arange(first, last + 1)[both[first : last + 1, pair]]
            ways = ((a[pair], b[pair]), (b[pair], a[pair]))
            exchanged = [np.median(misfit[days, x, y]) for x, y in ways]
            if max(exchanged) > FITS * max(usual[a[pair]], usual[b[pair]]):
                continue
            for (x, y), fit in zip(ways, exchanged, strict=True):
                said = (
                    f"Its hours are those usual at {block.series['detector'].iloc[own[y]]}, and "
                    f"the other way round: misfit {fit:,.0f} a day against "
                    f"{np.median(alone[days, x]):,.0f} with its own usual hours."
                )
                hours = np.isfinite(count[own[x], first : last + 1]).sum()
                rows.append((own[x], first, last, hours, said, FAULTY))
    return rows_of("swapped", rows)


def shifted(levels: Levels) -> pd.DataFrame:
    """Find junctions all of whose detectors of a mode run one hour late or early."""
    block, count, expected, rows = levels.block, levels.block.count, levels.usual, []
    for own in block.series.groupby(["site", "mode"]).indices.values():
        usual = expected[own]
        known = np.isfinite(count[own]) & np.isfinite(usual)
        root = np.sqrt(np.where(known, count[own], 0).sum(axis=0, dtype=float))
        there = known.any(axis=0).sum(axis=1) >= LEAST_HOURS
        alone = _moved(root, usual, known, 0)
        usually = np.median(alone[there]) if there.any() else np.nan
        for hours, word in ((1, "late"), (-1, "early")):
            moved = _moved(root, usual, known, hours)
            for _, first, last in _stretches(_evidence(alone - moved, usually, there)[None]):
                days = np.arange(first, last + 1)[there[first : last + 1]]
                if np.median(moved[days]) > FITS * usually:
                    continue
                said = (
                    f"The whole junction is one hour {word}: misfit {np.median(moved[days]):,.0f} "
                    f"a day against {np.median(alone[days]):,.0f} with the usual hours."
                )
                counted = np.isfinite(count[own, first : last + 1]).sum(axis=(1, 2))
                rows += [
                    (x, first, last, n, said, FAULTY) for x, n in zip(own, counted, strict=True)
                ]
    return rows_of("shifted", rows)


def _moved(root: Array, usual: Array, known: Bools, hours: int) -> Array:
    """Return the misfit by day of a junction's sums to its usual, moved by some hours."""
    moved = np.roll(np.nan_to_num(usual).reshape(len(usual), -1), hours, axis=1)
    expected = np.where(known, moved.reshape(usual.shape), 0).sum(axis=0, dtype=float)
    return np.asarray(((root - np.sqrt(expected)) ** 2).sum(axis=1))


def odd(block: Block, levels: Levels) -> pd.DataFrame:
    """Find stretches at a level far from the usual: counted twice, changed, or without sense.

    Parameters
    ----------
    block
        As delivered, to see whether all counts are even.
    levels
        Of that block.
    """
    relative = levels.relative
    middle = median(relative, axis=1)[:, None]
    noise = np.maximum(1.4826 * median(np.abs(relative - middle), axis=1), NOISE)[:, None]
    tables = []
    for sign in (1, -1):
        ratio = STEP * (sign * relative - STEP / 2) / noise**2
        evidence = np.nan_to_num(np.clip(ratio, -MOST, MOST))
        for place in _stretches(evidence):
            kind, hours, said, verdict = _judged(block, levels, *place)
            tables.append(rows_of(kind, [(*place, hours, said, verdict)]))
    return pd.concat(tables or [rows_of("change", [])], ignore_index=True)


def _judged(
    block: Block, levels: Levels, row: int, first: int, last: int
) -> tuple[str, float, str, str]:
    """Return kind, hours, evidence and verdict of a lasting odd level."""
    days = slice(first, last + 1)
    one = np.arange(len(block.series)) == row
    count = levels.block.take(one).count[0, days]
    usual = replace(levels, weekly=levels.weekly[one], felt=levels.felt[one]).usual[0, days]
    known = np.isfinite(count) & np.isfinite(usual)
    by_hour = [np.where(known, part, 0).sum(axis=0) for part in (count, usual)]
    ratio, alike = by_hour[0].sum() / by_hour[1].sum(), np.corrcoef(*by_hour)[0, 1]
    series, hours = block.series, float(known.sum())
    beside = (series["site"] == series["site"][row]) & (series["mode"] == series["mode"][row])
    beside[row] = False
    relative = levels.relative[beside, days]
    others = np.exp(np.nanmedian(relative)) if np.isfinite(relative).any() else np.nan
    said = f"{ratio:.2f} times its usual for {last - first + 1} days"
    if np.isfinite(others):
        said += f"; the junction's other detectors {others:.2f} times"
    said += f"; correlation with its usual hours {alike:.2f}"
    # Real counts are even half of the time. On the first and last day they may be mixed.
    inner = block.take(one).count[0, first + 1 : last]
    positive = inner[inner > 0]
    even = len(positive) >= 50 and (positive % 2 == 0).mean() > 0.99
    as_usual = not np.isfinite(others) or UNCHANGED[0] < others < UNCHANGED[1]
    if TWICE[0] < ratio < TWICE[1] and (even or (as_usual and alike >= SHAPE)):
        words = "nearly all counts are even" if even else "it may count twice, or traffic doubled"
        return "doubled", hours, f"{said}; {words}.", FAULTY if even else SUSPECT
    if alike < SHAPE:
        return "shape", hours, f"{said}.", SUSPECT
    return "change", hours, f"{said}.", ASK


def _evidence(better: Array, usual: Array | float, known: Bools) -> Array:
    """Return how much better another profile fits, in units of `HALF_DAY` of usual misfit."""
    unit = np.maximum(np.asarray(usual) / (24 / HALF_DAY), 1e-9)
    return np.where(known, np.clip(better / unit, -MOST, MOST), 0)


def _stretches(evidence: Array) -> list[tuple[int, int, int]]:
    """Return row, first and last day of the stretches with the largest sums of evidence."""
    evidence = evidence.astype(float)
    live, found = np.arange(len(evidence)), []
    while len(live):
        total = np.pad(np.cumsum(evidence[live], axis=1), ((0, 0), (1, 0)))
        lowest = np.minimum.accumulate(total, axis=1)
        end = np.argmax(total - lowest, axis=1)
        each = np.arange(len(live))
        enough = (total - lowest)[each, end] >= LEAST_EVIDENCE
        for place in np.flatnonzero(enough):
            row, last = int(live[place]), int(end[place]) - 1
            at = np.flatnonzero(total[place, : last + 1] == lowest[place, last + 1])
            found.append((row, int(at[-1]), last))
            evidence[row, at[-1] : last + 1] = -MOST
        live = live[enough]
    return sorted(found)


def _misfit(count: Array, usual: Array) -> Array:
    """Return sums of squares between the roots of counts and of usual profiles.

    Shape (days, series, series): series counted × series whose usual it is held against.
    """
    known = np.isfinite(count) & np.isfinite(usual).all(axis=0)
    root = np.where(known, np.sqrt(np.nan_to_num(count)), 0).transpose(1, 0, 2)
    profile = np.sqrt(np.nan_to_num(usual)).transpose(1, 2, 0)
    there = known.transpose(1, 0, 2).astype(float)
    own = (root**2).sum(axis=2)[..., None]
    return own - 2 * root @ profile + there @ profile**2
