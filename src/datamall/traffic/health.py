"""Which counts are those of a faulty detector, told from what really changed on the street.

Each detector is compared with itself in other weeks, after taking out what all detectors of its
mode felt on that day. What is improbable for a working detector is listed with its evidence; only
what no traffic explains is called faulty. Real changes look like traffic: they keep the shape of
the day, and so they are listed as questions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy

from datamall.requirements import passes_absent
from datamall.threads import in_order
from datamall.traffic import levels
from datamall.traffic.cube import KEYS, Array, Block, Cube, median
from datamall.traffic.information import holidays
from datamall.traffic.levels import AWAY, FAULTY, SUSPECT, Bools, Ints, cover, rows_of

COLUMNS = [*KEYS, "kind", "first_day", "last_day", "hours", "evidence", "verdict"]
LOST, NOT_YET, NO_LONGER = "no data", "not yet counted", "no longer counted"
LEAST_OUTAGE = 2.0  # hours; the hour that is lacking where clocks change is none
LEAST_AWAY = 7 * 24.0  # hours before the first or after the last count; fewer are a gap
LEAST_ZEROS = 3.0  # hours
STRAY = 0.05  # of the usual, up to which a detector may count and still be silent
OFTEN_QUIET = 3  # days with silent hours from which on they are summed up
A_DAY = 24  # hours; who is silent that long is not merely quiet
EXPECTED = 30  # passages a detector would have counted; Poisson counts stay away once in e^30
LEAST_EQUAL = 6  # equal values in a row that are looked at
CHANCE = np.log(1e-3)  # of one run of equal values in the whole block, if nothing is wrong
LEAST_FLAT, FLAT = 30, 0.25  # passages in every hour of a day, and how much the most is above it
FLAT_NOISE = 5.0  # and so many standard deviations of Poisson counts: the range of a day's hours


@passes_absent
def examine(cube: Cube, calendar: pd.DataFrame | None = None) -> pd.DataFrame:
    """List what is odd about the counts of each detector.

    Parameters
    ----------
    cube
        All counts, as delivered.
    calendar
        shared.calendar; on its public holidays levels are not compared.

    Returns
    -------
    pandas.DataFrame
        site, approach, movement, mode, detector, kind, first_day, last_day, hours (within these
        days), evidence (a sentence) and verdict (`FAULTY`, `SUSPECT`, `ASK` or `AWAY`), in order of
        keys and days, lost data last. Kinds:

        - no data: nothing delivered for two hours or more;
        - not yet counted, no longer counted: nothing delivered for a week or more before a
          detector's first count, or after its last;
        - stuck: the same number again and again, less likely than 1 in 1,000 for all intervals
          together by the detector's own distribution at that time of the week;
        - flat: nearly the same in every hour of night and day;
        - zero: nothing counted where at least `EXPECTED` passages are usual. Faulty from a day on,
          unless all detectors of the approach or half of the mode count nothing: then it may be
          closed. Suspect where a detector never counted anything. Hours of several days, between
          which it counts, are one row: the street may be shut at these hours;
        - swapped: two detectors of a junction each follow the other's usual hours;
        - shifted: all detectors of a junction run an hour early or late;
        - doubled: about twice the usual. Faulty when all counts are even; else suspect, where the
          junction's other detectors are as usual;
        - change: a lasting level far from the usual that keeps the shape of the day: road works, a
          new road, or a fault; nobody can tell from counts, so ask;
        - shape: a lasting level far from the usual that does not.

    Notes
    -----
    How stretches of days are found is told in `levels`. A detector at fault for more than half of
    its weeks makes the fault its usual and is not found, but for stuck and flat ones.
    """
    found = [_examine(block, calendar) for block in cube]
    table = pd.concat(found, ignore_index=True)
    table["lost"] = table["kind"].isin([LOST, NOT_YET, NO_LONGER])
    order = ["lost", *KEYS, "first_day", "kind"]
    return table.sort_values(order, ignore_index=True)[COLUMNS]


@passes_absent
def healthy(cube: Cube, faults: pd.DataFrame) -> Cube:
    """Return the cube without the days on which a detector was faulty.

    Parameters
    ----------
    cube, faults
        As given to and returned by `examine`. What is suspect or may be real stays. Swapped pairs
        are left out rather than exchanged back: on their first and last day both are mixed.
    """
    bad = faults[faults["verdict"] == FAULTY]
    blocks = []
    for block in cube:
        rows = pd.MultiIndex.from_frame(block.series[KEYS])
        row = rows.get_indexer(pd.MultiIndex.from_frame(bad[KEYS].astype(str)))
        first, last = ((bad[day] - block.days[0]).dt.days for day in ("first_day", "last_day"))
        places = pd.DataFrame({"row": row, "first": first, "last": last})
        # A detector may be in two periods, that of another block lies outside.
        here = (places["row"] >= 0) & (places["last"] >= 0)
        spoilt = cover(block.stored.shape[:2], places[here].clip(lower=0))
        blocks.append(block.without(spoilt))
    return Cube(tuple(blocks), cube.again)


@passes_absent
def summary(cube: Cube, faults: pd.DataFrame) -> pd.DataFrame:
    """Return how much of the counting each kind of fault takes.

    Returns
    -------
    pandas.DataFrame
        kind, verdict, detectors, hours, share (of the hours of all detectors and days).
    """
    whole = sum(block.stored.size * block.interval / 60 for block in cube)
    keyed = faults.assign(key=pd.factorize(pd.MultiIndex.from_frame(faults[KEYS]))[0])
    table = keyed.groupby(["kind", "verdict"], as_index=False).agg(
        detectors=("key", "nunique"), hours=("hours", "sum")
    )
    return table.assign(share=table["hours"] / whole)


@dataclass(frozen=True)
class _Runs:
    """Stretches of intervals, end exclusive, in order of row and start."""

    row: Ints
    start: Ints
    end: Ints
    hours: NDArray[np.float64]

    def take(self, chosen: Bools) -> "_Runs":
        return _Runs(self.row[chosen], self.start[chosen], self.end[chosen], self.hours[chosen])


def _examine(block: Block, calendar: pd.DataFrame | None) -> pd.DataFrame:
    """Return the oddities of one block; each kind is looked for without those found before.

    Junctions are worked through some at a time; only days, not intervals, are known of all.
    """
    shape = block.stored.shape[:2]
    spoilt, alive, none = (np.zeros(shape, dtype=bool) for _ in range(3))

    def look(rows: slice, part: Block) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        count = part.count
        alive[rows] = np.nansum(count, axis=2) > 0
        none[rows] = ~alive[rows] & np.isfinite(count).any(2)
        stuck = _stuck(part, block.stored.size)
        spoilt[rows] |= cover(spoilt[rows].shape, stuck)
        flat = _flat(part, spoilt[rows])
        spoilt[rows] |= cover(spoilt[rows].shape, flat)
        return _moved(_outages(part), rows), _moved(stuck, rows), _moved(flat, rows)

    outages, stuck, flat = zip(*block.over_parts(look), strict=True)
    of_mode = {mode: none[rows] for mode, rows in block.series.groupby("mode").indices.items()}

    def silent(rows: slice, part: Block) -> pd.DataFrame:
        return _moved(_zero(part, spoilt[rows], alive[rows], none[rows], of_mode), rows)

    quiet = pd.concat(block.over_parts(silent), ignore_index=True)
    short = (quiet["verdict"] == SUSPECT) & (quiet["hours"] < A_DAY)
    spoilt |= cover(shape, quiet[~short])
    swapped, shifted, odd = _levels(block, spoilt, holidays(block.days, calendar))
    # Who shows another's counts is quiet in another's hours.
    explained = cover(shape, swapped) | cover(shape, shifted)
    quiet = _summed_up(quiet[~(short & explained[quiet["row"], quiet["first"]])])
    tables = [*outages, *stuck, *flat, quiet, swapped, shifted, odd]
    table = pd.concat([part for part in tables if len(part)] or tables[:1], ignore_index=True)
    days = block.days.to_numpy()
    table["first_day"], table["last_day"] = days[table["first"]], days[table["last"]]
    return block.series.iloc[table["row"]].reset_index(drop=True).join(table)


def _levels(
    block: Block, spoilt: Bools, free: Bools
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return what is swapped, shifted and at an odd level, each looked for without the former."""
    parts = list(block.parts())
    known = block.over_parts(lambda rows, part: levels.levels(part, spoilt[rows], free))
    felt = levels.felt(block.series, np.concatenate([each.relative for each in known]))

    def look(number: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        (rows, part), each = parts[number], known[number]
        each = replace(each, relative=each.relative - felt[rows], felt=felt[rows])
        swapped = levels.swapped(each)
        each = each.without(swapped)
        shifted = levels.shifted(each)
        odd = levels.odd(part, each.without(shifted))
        return _moved(swapped, rows), _moved(shifted, rows), _moved(odd, rows)

    tables = zip(*in_order(look, range(len(parts))), strict=True)
    swapped, shifted, odd = (pd.concat(kept, ignore_index=True) for kept in tables)
    return swapped, shifted, odd


def _moved(table: pd.DataFrame, rows: slice) -> pd.DataFrame:
    """Return a table about some series with their positions among all."""
    return table.assign(row=table["row"] + rows.start)


def _runs(flags: Bools, interval: int) -> _Runs:
    """Return the stretches of True along the last axis."""
    edges = np.diff(np.pad(flags, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(edges == 1)
    end = np.nonzero(edges == -1)[1]
    return _Runs(row, start, end, (end - start) * interval / 60)


def _joined(runs: _Runs, differ: Bools, gap: int) -> _Runs:
    """Join stretches of a row, no more than `gap` intervals apart, that do not differ.

    `differ` says of each stretch but the first whether it does from the one before.
    """
    if not len(runs.row):
        return runs
    apart = (np.diff(runs.row) != 0) | differ | (runs.start[1:] - runs.end[:-1] > gap)
    first = np.flatnonzero(np.append(True, apart))
    last = np.append(first[1:], len(runs.row)) - 1
    hours = np.add.reduceat(runs.hours, first)
    return _Runs(runs.row[first], runs.start[first], runs.end[last], hours)


def _outages(block: Block) -> pd.DataFrame:
    slots = block.stored.shape[2]
    flat = block.count.reshape(len(block.series), -1)
    runs = _runs(np.isnan(flat), block.interval)
    runs = runs.take(runs.hours >= LEAST_OUTAGE)
    # Before its first count and after its last a detector is not out of order.
    ever = (runs.end - runs.start < flat.shape[1]) & (runs.hours >= LEAST_AWAY)
    before, after = ever & (runs.start == 0), ever & (runs.end == flat.shape[1])
    tables = []
    for kind, own in ((LOST, ~(before | after)), (NOT_YET, before), (NO_LONGER, after)):
        rows = []
        chosen = runs.take(own)
        for r, a, b, h in zip(chosen.row, chosen.start, chosen.end, chosen.hours, strict=True):
            said = f"Nothing was delivered for {h:,.0f} hours."
            if kind == NOT_YET:
                said = f"Its first count is of {block.days[b // slots]:%Y-%m-%d}."
            elif kind == NO_LONGER:
                said = f"Its last count is of {block.days[(a - 1) // slots]:%Y-%m-%d}."
            verdict = FAULTY if kind == LOST else AWAY
            rows.append((r, a // slots, (b - 1) // slots, h, said, verdict))
        tables.append(rows_of(kind, rows))
    return pd.concat(tables, ignore_index=True)


def _stuck(block: Block, intervals: int) -> pd.DataFrame:
    """Find runs of equal values that are too long by the detector's own distribution.

    Of some junctions, among so many intervals of all of them.

    At a ceiling, where a queue serves nearly the same number each time, that distribution is
    narrow, so that runs there must be longer.
    """
    count = block.count
    flat = count.reshape(len(count), -1)
    again = np.zeros(flat.shape, dtype=bool)
    again[:, 1:] = (flat[:, 1:] == flat[:, :-1]) & (flat[:, 1:] > 0)
    runs = _runs(again, block.interval)
    runs = runs.take(runs.end - runs.start >= LEAST_EQUAL - 1)
    if len(runs.row):
        runs = runs.take(_log_chance(block, count, runs) + np.log(intervals) < CHANCE)
    slots = count.shape[2]
    joined = _joined(runs, np.diff(flat[runs.row, runs.start]) != 0, slots)
    rows = []
    for r, a, b, h in zip(joined.row, joined.start, joined.end, joined.hours, strict=True):
        said = f"The same count of {flat[r, a]:,.0f} again and again for {h:,.1f} hours."
        rows.append((r, (a - 1) // slots, (b - 1) // slots, h, said, FAULTY))
    return rows_of("stuck", rows)


def _flat(block: Block, spoilt: Bools) -> pd.DataFrame:
    """Find days on which night and day count nearly the same, which no street does."""
    hours = block.hourly().count
    low, high = hours.min(axis=2), hours.max(axis=2)  # NaN unless all hours were counted
    most = low * (1 + FLAT) + FLAT_NOISE * np.sqrt(low)
    runs = _runs((low >= LEAST_FLAT) & (high <= most) & ~spoilt, 24 * 60)
    runs = _joined(runs, np.zeros(max(len(runs.row) - 1, 0), dtype=bool), 1)
    rows = []
    for r, a, b, h in zip(runs.row, runs.start, runs.end, runs.hours, strict=True):
        said = f"About {np.nanmedian(hours[r, a:b]):,.0f} an hour by night as by day, "
        said += f"for {h:,.0f} hours."
        rows.append((r, a, b - 1, h, said, FAULTY))
    return rows_of("flat", rows)


def _log_chance(block: Block, count: Array, runs: _Runs) -> NDArray[np.float64]:
    """Return the logarithm of the chance of each run, given its first value."""
    length = runs.end - runs.start
    which = np.repeat(np.arange(len(length)), length)
    position = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    position = position + runs.start[which]
    slots = count.shape[2]
    before = int(block.days[0].weekday())
    day, slot = (position // slots) + before, position % slots
    weeks = block.weeks(count)
    result = np.zeros(len(length))
    number = np.arange(weeks.shape[1])
    flat = count.reshape(len(count), -1)
    equal_to = flat[runs.row, runs.start].astype(float)
    poisson = np.exp(xlogy(equal_to, equal_to) - equal_to - gammaln(equal_to + 1))
    for part in np.array_split(np.arange(len(which)), len(which) // 100_000 + 1):
        run = which[part]
        others = weeks[runs.row[run], :, day[part] % 7, slot[part]]
        first, last = (((edge[run] // slots) + before) // 7 for edge in (runs.start, runs.end))
        known = np.isfinite(others) & ((number < first[:, None]) | (number > last[:, None]))
        equal = (known & (others == equal_to[run, None])).sum(axis=1)
        share = (equal + 1) / (known.sum(axis=1) + 2)
        # Twice, because the intervals of a day resemble each other; and no less than a Poisson
        # count would repeat itself if the level of these hours were not the usual.
        share = np.maximum(np.minimum(2 * share, 0.9), poisson[run])
        np.add.at(result, run, np.log(share))
    return result


def _zero(
    block: Block, spoilt: Bools, alive: Bools, none: Bools, of_mode: Mapping[str, Bools]
) -> pd.DataFrame:
    """Find zeros where a detector usually counts.

    Parameters
    ----------
    block
        Some junctions.
    spoilt, alive, none
        Days on which their detectors are faulty, counted somebody, counted nobody.
    of_mode
        Days on which the detectors of all junctions counted nobody, by mode.
    """
    count = block.count
    number, _, slots = count.shape
    flat = count.reshape(number, -1)
    runs = _runs(flat == 0, block.interval)
    runs = runs.take(runs.hours >= LEAST_ZEROS)
    counting = np.where((alive & ~spoilt)[..., None], block.hourly().count, np.nan)
    usual = np.nan_to_num(median(block.weeks(counting), axis=1))
    usual = usual[:, block.days.day_of_week.to_numpy()].repeat(slots // 24, axis=2)
    usual = usual.reshape(number, -1) * (block.interval / 60)
    total = np.pad(np.cumsum(usual, axis=1, dtype=float), ((0, 0), (1, 0)))
    lost = total[runs.row, runs.end] - total[runs.row, runs.start]
    runs = runs.take(lost >= EXPECTED)
    # Who counts between two silent stretches is in order then.
    passed = np.pad(np.cumsum(np.nan_to_num(flat), axis=1, dtype=float), ((0, 0), (1, 0)))
    row, since, until = runs.row[1:], runs.end[:-1], runs.start[1:]
    here = until > since  # the same row
    since = np.where(here, since, until)
    between, as_usual = (values[row, until] - values[row, since] for values in (passed, total))
    runs = _joined(runs, between > STRAY * as_usual, slots)
    arm = pd.factorize(pd.MultiIndex.from_frame(block.series[["site", "approach", "mode"]]))[0]
    mode = block.series["mode"].to_numpy()
    rows = []
    for r, a, b, h in zip(runs.row, runs.start, runs.end, runs.hours, strict=True):
        first, last = a // slots, (b - 1) // slots
        # Whole days, if there are any.
        inside = slice(first + (a % slots > 0), last + (b % slots == 0))
        days = inside if inside.stop > inside.start else slice(first, last + 1)
        beside = (arm == arm[r]) & (np.arange(number) != r)
        closed = beside.any() and none[beside, days].mean() > 0.8
        others = of_mode[mode[r]]
        strike = len(others) > 2 and others[:, days].mean() > 0.5
        lasting = h >= A_DAY
        said = f"Nothing in {h:,.0f} hours in which about {total[r, b] - total[r, a]:,.0f} pass."
        if closed or strike:
            said += " Its neighbours count nothing either: closed, or out."
        verdict = FAULTY if lasting and not (closed or strike) else SUSPECT
        rows.append((r, first, last, h, said, verdict))
    there = np.isfinite(count)
    for r in np.flatnonzero(there.any(axis=(1, 2)) & ~alive.any(axis=1)):
        first, last = np.flatnonzero(there[r].any(axis=1))[[0, -1]]
        said = "It never counted anything: no traffic there, or not connected."
        rows.append((r, first, last, there[r].sum() * block.interval / 60, said, SUSPECT))
    return rows_of("zero", rows)


def _summed_up(quiet: pd.DataFrame) -> pd.DataFrame:
    """Return silent hours that come again and again as one row per detector."""
    short = (quiet["verdict"] == SUSPECT) & (quiet["hours"] < A_DAY)
    days = quiet.groupby("row")["first"].transform("size").where(short, 0)
    again = short & (days >= OFTEN_QUIET)
    rows = []
    for row, own in quiet[again].groupby("row"):
        hours = own["hours"].sum()
        said = f"Nothing in {hours:,.0f} hours on {len(own)} days, while it counts at others: "
        said += "shut or not counted at these hours."
        rows.append((int(row), own["first"].min(), own["last"].max(), hours, said, SUSPECT))
    return pd.concat([quiet[~again], rows_of("zero", rows)], ignore_index=True)
