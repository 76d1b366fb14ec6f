"""Short events: single hours whose counts are far from what is usual then, at a stated rate.

A fair, an accident, a closure of a morning: none lasts long enough to be a fault or a change. They
are told from chance hour by hour, so that in a hundred detectors some would seem odd every day;
the threshold is therefore set by how many false ones are expected, and that number is printed.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincc, stdtrit

from datamall.errors import DatamallError
from datamall.requirements import passes_absent
from datamall.traffic.cube import KEYS, Array, Block, Cube, median
from datamall.traffic.information import holidays
from datamall.traffic.levels import ENOUGH, FAULTY, Bools, cover

COLUMNS = [*KEYS, "day", "hour_from", "hour_to", "counted", "usual", "times", "evidence"]
SUMMARY = ["mode", "weeks_judged", "events", "by_chance"]
RATE = 1.0  # false events that are expected in 1,000 weeks of healthy detectors
A_WEEK = 168  # hours
STRETCH = 8  # weeks, about, whose median is the usual: longer ones hold growth and seasons
LEAST_WEEKS = 4  # of a stretch, counted at that hour
FELT = np.log(1.25)  # by which a whole city is unlike itself; then no single street is judged
FEW = 60  # detectors of a mode, up to which each is held against the others alone
ASKED = 201  # detectors of a mode, at most, whose median tells what all felt
LEAST_USUAL = 1.0  # passages; a smaller usual says nothing of what all felt
LEAST_OWN, OWN_HOURS = 10.0, 6  # passages and hours that tell a detector's own level of a day
EFFICIENCY = 0.37  # of the median of deviations as a measure of spread, against the variance
ALIKE = 2.0  # days that tell as much as one alone: days of a week resemble each other
DEVIATION = 1.4826  # standard deviation ÷ median of deviations, of a normal distribution

HEADINGS = {
    "by_chance": "Expected by chance, at most",
    "counted": "Passages counted",
    "events": "Hours that are far from the usual",
    "times": "Counted ÷ usual",
    "usual": "Passages usual then",
    "weeks_judged": "Detector-weeks judged",
}

Row: TypeAlias = tuple[object, ...]


@dataclass(frozen=True)
class Events:
    """What was found, and how much of it chance may have brought.

    Attributes
    ----------
    table
        One row per detector and stretch of hours of a day: site, approach, movement, mode,
        detector, day, hour_from, hour_to (end exclusive), counted, usual (after what all detectors
        felt), times (counted ÷ usual), evidence (a sentence). In order of days and keys.
    summary
        By mode: mode, weeks_judged (detector-hours ÷ 168), events, by_chance (how many of these
        are expected where nothing happened, at most).
    """

    table: pd.DataFrame
    summary: pd.DataFrame


@passes_absent
def events(
    cube: Cube, faults: pd.DataFrame, calendar: pd.DataFrame | None = None, rate: float = RATE
) -> Events:
    """List the hours in which a detector counted far more or fewer than is usual then.

    Parameters
    ----------
    cube
        Counts of healthy detectors.
    faults
        As from `health.examine`; days that are odd in a way of their own are not looked at again.
    calendar
        shared.calendar; public holidays have no usual.
    rate
        False events that are accepted in 1,000 weeks of one healthy detector.

    Raises
    ------
    DatamallError
        When `rate` is not above 0, or so high that one hour in a hundred would be false.

    Notes
    -----
    The usual is the median of the other weeks of about eight at that hour of the week, times what
    the median of the detectors of a mode felt in that very hour (where there are five), and times
    the detector's own level of that day (its median hour, a quarter at most). Counts and usual are
    made alike in variance by 2 √(n + 3/8) (Anscombe 1948), as small numbers need it, and by their
    logarithm, as large ones do; both differences must be large, each measured by its median size at
    that hour of the day of this detector, the first one by no less than chance alone has (1). Since
    that size is itself estimated, its tails are those of Student's t with .37 times as many degrees
    of freedom as days, of which two count as one. And no hour counts that a Poisson count would
    have as often.
    Each hour has the chance rate ÷ 168,000, so that the expected number of false hours is `rate`,
    however these depend on each other; hours in a row are one event. Hours in which a whole city
    was unlike itself by a quarter are not judged.
    """
    if not 0 < rate < 1000 * A_WEEK / 100:
        raise DatamallError(f"rate is {rate}: set it above 0 and below {10 * A_WEEK}.")
    chance = rate / 1000 / A_WEEK
    tables, hours = [], []
    for block in cube:
        found, judged = _block(block, _explained(block, faults), calendar, chance)
        tables.append(found)
        hours.append(judged)
    table = pd.concat(tables, ignore_index=True)
    table = table.sort_values(["day", *KEYS, "hour_from"], ignore_index=True)[COLUMNS]
    weeks = pd.concat(hours).groupby(level=0).sum() / A_WEEK
    number = table.groupby("mode").size().reindex(weeks.index, fill_value=0)
    summary = pd.DataFrame(
        {"weeks_judged": weeks, "events": number, "by_chance": weeks * rate / 1000}
    )
    return Events(table, summary.rename_axis("mode").reset_index()[SUMMARY])


@passes_absent
def part(found: Events, name: str) -> pd.DataFrame:
    """Return one table of the events: "table" or "summary"."""
    return getattr(found, name)


def _explained(block: Block, faults: pd.DataFrame) -> Bools:
    """Return the days of a level or shape of their own, shape (series, days)."""
    odd = faults[faults["kind"].isin(["change", "shape", "doubled"]) | faults["verdict"].eq(FAULTY)]
    rows = pd.MultiIndex.from_frame(block.series[KEYS].astype(str))
    row = rows.get_indexer(pd.MultiIndex.from_frame(odd[KEYS].astype(str)))
    first, last = ((odd[day] - block.days[0]).dt.days for day in ("first_day", "last_day"))
    places = pd.DataFrame({"row": row, "first": first, "last": last})
    here = (places["row"] >= 0) & (places["last"] >= 0)
    return cover(block.stored.shape[:2], places[here].clip(lower=0))


def _block(
    block: Block, explained: Bools, calendar: pd.DataFrame | None, chance: float
) -> tuple[pd.DataFrame, pd.Series]:
    """Return the events of a block, and the hours judged by mode."""
    free = holidays(block.days, calendar)
    modes, mode = np.unique(block.series["mode"].astype(str).to_numpy(), return_inverse=True)
    block = block.without(explained | free)
    place = np.zeros(len(mode), dtype=np.intp)
    moods: list[Array] = []
    for one in range(len(modes)):
        rows = np.flatnonzero(mode == one)
        own = _felt(block, rows)
        place[rows] = sum(map(len, moods)) + np.arange(len(rows)) % len(own)
        moods.append(own)
    felt = np.concatenate(moods)

    def look(rows: slice, part: Block) -> tuple[list[Row], NDArray[np.intp]]:
        count, mood = part.hourly().count, felt[place[rows]]
        usual = _usual(part, count) * np.exp(mood)
        usual *= np.exp(_own(count, usual))[..., None]
        far = 2 * (np.sqrt(count + 0.375) - np.sqrt(usual + 0.375))
        far = np.where(np.abs(mood) <= FELT, far, np.nan)
        judged = np.isfinite(far)
        odd = judged & (np.abs(far) > _most(part, far, chance, 1))
        far = np.where(judged, np.log((count + 0.5) / (usual + 0.5)), np.nan)
        odd &= np.abs(far) > _most(part, far, chance, 0)
        odd[odd] = _beyond_poisson(count[odd], usual[odd], chance)
        rows_found = [
            row
            for own in (odd & (far > 0), odd & (far < 0))
            for row in _rows(part, own, count, usual)
        ]
        number = np.bincount(
            mode[rows].repeat(judged[0].size)[judged.ravel()], minlength=len(modes)
        )
        return rows_found, number

    found, hours = zip(*block.over_parts(look), strict=True)
    table = pd.DataFrame([row for rows in found for row in rows], columns=COLUMNS)
    return table, pd.Series(np.sum(hours, axis=0), index=modes)


def _felt(block: Block, rows: NDArray[np.intp]) -> Array:
    """Return the logarithm of what the detectors of a mode felt; 0: nothing.

    Shape (detectors, days, 24): for each what the others felt, or one row for all where they are
    many.
    """
    none = np.zeros((1, len(block.days), 24))
    if len(rows) < ENOUGH:
        return none
    few = len(rows) <= FEW
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), ASKED)).round().astype(int)]
    ratios = []
    for _, part in block.take(chosen).parts():
        count = part.hourly().count
        usual = _usual(part, count)
        known = usual >= LEAST_USUAL
        ratio = np.log((count + 0.5) / (np.where(known, usual, 1) + 0.5))
        ratios.append(np.where(known, ratio, np.nan).astype(np.float32))
    every = np.concatenate(ratios)
    enough = np.isfinite(every).sum(axis=0) >= ENOUGH
    middle = _of_others(every, 0) if few else median(every, axis=0)[None]
    return np.where(enough, np.nan_to_num(middle), 0)


def _usual(block: Block, count: Array) -> Array:
    """Return the median of the other weeks of about eight at that hour, (series, days, 24)."""
    before = int(block.days[0].weekday())
    weeks = block.weeks(count)
    result = np.empty(weeks.shape)
    number = weeks.shape[1]
    for own in np.array_split(np.arange(number), max(round(number / STRETCH), 1)):
        part = weeks[:, own]
        enough = np.isfinite(part).sum(axis=1, keepdims=True) > LEAST_WEEKS
        result[:, own] = np.where(enough, _of_others(part, 1), np.nan)
    return result.reshape(len(count), -1, 24)[:, before : before + count.shape[1]]


def _of_others(values: Array, axis: int) -> Array:
    """Return for each value along an axis the median of the others, in the shape of `values`.

    Held against a median in which it takes part, a count seems nearer than it is.
    """
    ordered = np.sort(values, axis=axis)  # NaN last
    number = np.isfinite(ordered).sum(axis=axis, keepdims=True)
    half, most = number // 2, values.shape[axis] - 1
    below, middle, above = (
        np.take_along_axis(ordered, np.clip(half + step, 0, most), axis=axis) for step in (-1, 0, 1)
    )
    of_odd = np.where(values > middle, below, middle) + np.where(values < middle, above, middle)
    of_odd = np.where(values == middle, below + above, of_odd) / 2
    of_even = np.where(values <= below, middle, below)
    return np.where(number % 2 == 1, of_odd, of_even)


def _own(count: Array, usual: Array) -> Array:
    """Return the logarithm of each detector's own level of a day, (series, days); 0: unknown."""
    known = np.isfinite(count) & (usual >= LEAST_OWN)
    ratio = np.log((count + 0.5) / (np.where(known, usual, 1) + 0.5))
    level = median(np.where(known, ratio, np.nan), axis=2)
    enough = known.sum(axis=2) >= OWN_HOURS
    return np.clip(np.where(enough, np.nan_to_num(level), 0), -FELT, FELT)


def _most(block: Block, far: Array, chance: float, least: float) -> Array:
    """Return how far an hour may be from the usual, in the shape of `far`.

    `least` is the standard deviation that chance alone has.
    """
    most = np.full(far.shape, np.nan)
    weekend = np.asarray(block.days.day_of_week >= 5)
    for days in filter(len, (np.flatnonzero(weekend), np.flatnonzero(~weekend))):
        own = far[:, days]
        number = np.isfinite(own).sum(axis=1)
        spread = np.fmax(DEVIATION * median(np.abs(own), axis=1), least)
        degrees = EFFICIENCY / ALIKE * np.maximum(number - 1, 1)
        most[:, days] = (spread * -stdtrit(degrees, chance / 2))[:, None]
    return most


def _beyond_poisson(count: Array, usual: Array, chance: float) -> Bools:
    """Return which counts are rarer than `chance` for a Poisson distribution, on either side."""
    below = gammaincc(count + 1.0, usual)
    above = np.where(count > 0, gammainc(np.maximum(count, 1.0), usual), 1.0)
    return np.asarray(np.minimum(below, above) < chance / 2)


def _rows(block: Block, odd: Bools, count: Array, usual: Array) -> list[Row]:
    """Return a row of `COLUMNS` for each stretch of hours of a day."""
    edges = np.diff(np.pad(odd, ((0, 0), (0, 0), (1, 1))).astype(np.int8), axis=2)
    series, day, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[2]
    names = block.series[KEYS].astype(str).to_numpy()
    rows: list[Row] = []
    for r, d, a, b in zip(series, day, first, last, strict=True):
        got, expected = float(count[r, d, a:b].sum()), float(usual[r, d, a:b].sum())
        words = "more" if got > expected else "fewer"
        said = f"{got:,.0f} passages from {a} to {b} h, where {expected:,.0f} are usual: {words} "
        said += "than the days of this detector differ by themselves."
        times = got / expected if expected > 0 else np.nan
        rows.append((*names[r], block.days[d], int(a), int(b), got, expected, times, said))
    return rows
