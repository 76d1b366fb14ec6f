"""Since when the traffic of a junction is what it is now, and which days are of another pattern.

A plan is for the road of today. Per approach the level of cars in the two peaks and at other hours
is followed week by week; where it jumps and stays, the days before are set aside for the whole
junction, unless they are like those since. Growth moves a level without a jump, and is none.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.errors import DatamallError
from datamall.requirements import passes_absent
from datamall.traffic.cube import Array, Block, Cube, median
from datamall.traffic.information import holidays
from datamall.traffic.levels import ENOUGH

# Hours whose level is followed; the other hours are the third one.
HOURS = {"morning": range(7, 10), "evening": range(16, 19)}
FEATURES = (*HOURS, "other")
COLUMNS = ["site", "approach", "first_day", "last_day", "since", "weeks", *FEATURES, "evidence"]
STEP = np.log(1.25)  # least jump of a level; what is less, the mean of all weeks may serve
SURE = 4.5  # standard errors by which a jump must exceed what weeks differ by themselves
NEAR = 5  # weeks before and after, between which a jump is measured
ALIKE = 2.0  # weeks that tell as much as one alone: a week resembles the one before
SHORTEST = 2  # weeks that a level lasts
LATELY = 8  # weeks before the last five days, against which these are held
PENALTY = 20.0  # of one level more, in squared standard deviations (optimal partitioning)
LEAST_NOISE = 0.03  # of a week's level (log), so that no street is too sure
FEW = 5.0  # added to counts, so that an empty street is no endless fall
SEASON = 8  # weeks up to which what a whole city feels is a season, not a change
ODD = 0.1  # change of a week (log) that a whole city felt, in which no road is judged
MANY = 4 * ENOUGH  # approaches whose median tells what the whole city felt


@passes_absent
def changes(cube: Cube, calendar: pd.DataFrame | None = None) -> pd.DataFrame:
    """List the days on which an approach carried another traffic than now.

    Parameters
    ----------
    cube
        Counts of healthy detectors.
    calendar
        shared.calendar; public and school holidays tell nothing of the road.

    Returns
    -------
    pandas.DataFrame
        site, approach, first_day and last_day (set aside), since (first day of the pattern of
        now), weeks (of that pattern), morning, evening and other (ratio of now to then: peaks of
        7–10 and 16–19 h, and other hours; NaN where too little was counted), evidence (a
        sentence). In order of keys and days; no row where nothing changed.

    Notes
    -----
    Working days give one level a week (their median, weekdays made alike; of three weeks the
    middle one, so that no single week decides). Where twenty approaches or more are counted, what
    the median of the city felt for up to eight weeks is taken out, and weeks in which it felt a
    tenth or more tell nothing. Levels are found by optimal partitioning (Jackson et al. 2005, IEEE
    Signal Processing Letters 12:105) with a penalty for each; a jump counts when the means of five
    weeks before and after differ by a quarter at least and by 4.5 standard errors, two weeks
    counting as one. Slow growth has no such jump. Jumps are dated by day, on working days alone.
    """
    tables = [_block(block.hourly(), calendar) for block in cube]
    found = pd.concat(tables, ignore_index=True)
    return found.sort_values(COLUMNS[:3], ignore_index=True)[COLUMNS]


@passes_absent
def now(cube: Cube, found: pd.DataFrame, weeks: int = 0, leave_out: str = "") -> Cube:
    """Return the cube of the pattern of now; other days are set aside, for whole junctions.

    Parameters
    ----------
    cube, found
        As given to and returned by `changes`.
    weeks
        Latest weeks that count; 0: all.
    leave_out
        Days of roadworks or events, as "2025-05-05 to 2025-05-21; 2025-08-28".

    Raises
    ------
    DatamallError
        When `leave_out` names no days.
    """
    stretches = _named(leave_out)
    last = max(block.days[-1] for block in cube)
    blocks = []
    for block in cube:
        aside = np.zeros(block.stored.shape[:2], dtype=bool)
        for row in found.itertuples():
            days = np.asarray((block.days >= row.first_day) & (block.days <= row.last_day))
            aside |= (block.series["site"] == row.site).to_numpy()[:, None] & days
        for first, until in stretches:
            aside[:, np.asarray((block.days >= first) & (block.days <= until))] = True
        if weeks:
            aside[:, np.asarray(block.days <= last - pd.Timedelta(days=7 * weeks))] = True
        blocks.append(replace(block, aside=aside))
    return Cube(tuple(blocks), cube.again)


def lately(volume: Array) -> Array:
    """Return how many times its usual the last five days of a peak are, where a road may be new.

    Parameters
    ----------
    volume
        Flow in the peaks of working days, shape (groups, days, peaks, intervals); NaN: not counted.

    Returns
    -------
    numpy.ndarray
        Shape (groups, peaks); NaN where they are as usual, or too little was counted.

    Notes
    -----
    `changes` needs two weeks. Five days against the eight times five before, by the same measure as
    there; what the median of twenty lane groups or more felt is taken out. Whether it lasts, five
    days cannot tell.
    """
    days = 5 * (LATELY + 1)
    known = np.isfinite(volume)
    number = known.sum(axis=3)
    flow = np.where(known, volume, 0).sum(axis=3) / np.where(number > 0, number, np.nan)
    level = np.log(flow + FEW)[:, -days:]
    pad = ((0, 0), (days - level.shape[1], 0), (0, 0))
    level = np.pad(level, pad, constant_values=np.nan)
    weeks = median(level.reshape(len(level), LATELY + 1, 5, -1), axis=2)
    before, last = weeks[:, :-1], weeks[:, -1]
    usual, many = median(before, axis=1), np.isfinite(before).sum(axis=1)
    apart = last - usual
    if len(apart) >= MANY:
        apart = apart - np.nan_to_num(median(apart, axis=0))
    spread = 1.4826 * median(np.abs(before - usual[:, None]), axis=1)
    noise = np.fmax(spread, np.fmax(LEAST_NOISE, 1 / np.sqrt(5 * np.exp(np.nan_to_num(usual)))))
    error = noise * np.sqrt(ALIKE + ALIKE / np.maximum(many, 1))
    far = np.abs(apart).round(9) >= np.maximum(STEP, SURE * error).round(9)
    return np.where(far & (many >= NEAR), np.exp(apart), np.nan)


def _named(text: str) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Return first and last day of each stretch that is named."""
    stretches = []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        first, _, last = (one.strip() for one in part.partition(" to "))
        try:
            days = [pd.to_datetime(one, format="%Y-%m-%d") for one in (first, last or first)]
        except ValueError as error:
            raise DatamallError(
                f'leave_out has "{part}", which is no day: write 2025-05-05 to 2025-05-21, and ";" '
                "between stretches, in params.yaml."
            ) from error
        if days[1] < days[0]:
            raise DatamallError(f'leave_out has "{part}", which ends before it begins.')
        stretches.append((days[0], days[1]))
    return stretches


def _block(block: Block, calendar: pd.DataFrame | None) -> pd.DataFrame:
    block = block.take((block.series["mode"] == "car").to_numpy())
    if block.series.empty or len(block.days) < 7 * 2 * SHORTEST:
        return pd.DataFrame(columns=COLUMNS)
    parts = block.over_parts(lambda _, part: _by_day(part))
    keys = pd.concat([names for names, _ in parts], ignore_index=True)
    daily = np.concatenate([values for _, values in parts])
    daily[:, np.asarray(block.days.day_of_week >= 5) | _free(block.days, calendar)] = np.nan
    daily, weekly, noise = _levels(block, daily)
    found = []
    for row, ends in enumerate(_partition(weekly / noise[:, None])):
        ends = _jumps(weekly[row], noise[row], ends)
        if len(ends) > 2:
            found += _stretches(block, daily[row], weekly[row], ends, keys.iloc[row])
    return pd.DataFrame(found, columns=COLUMNS)


def _by_day(block: Block) -> tuple[pd.DataFrame, Array]:
    """Return the approaches and the logarithms of their counts, (approaches, days, features)."""
    keys, hours = block.sums(["site", "approach"])
    others = [hour for hour in range(24) if not any(hour in own for own in HOURS.values())]
    sums = [hours[..., list(own)].sum(axis=2) for own in (*HOURS.values(), others)]
    return keys.astype(str), np.log(np.stack(sums, axis=2) + FEW)


def _free(days: pd.DatetimeIndex, calendar: pd.DataFrame | None) -> NDArray[np.bool_]:
    """Return which days are public or school holidays."""
    free = holidays(days, calendar)
    if calendar is None or not {"day", "school_holiday"} <= set(calendar):
        return free
    off = calendar.loc[calendar["school_holiday"] == "yes", "day"]
    return free | np.asarray(days.isin(pd.DatetimeIndex(off)))


def _levels(block: Block, daily: Array) -> tuple[Array, Array, Array]:
    """Return levels by day and week, weekdays made alike, and the noise of a week.

    Shapes (approaches, days, features), (approaches, weeks, features), (approaches, features).
    """
    before = int(block.days[0].weekday())
    by_week = np.moveaxis(block.weeks(np.moveaxis(daily, 2, 1)[..., None])[..., 0], 1, 3)
    usual = median(by_week, axis=2)[:, :, None]
    weekday = np.nan_to_num(median(by_week - usual, axis=1))  # (approaches, 7, features)
    alike = by_week - weekday[:, None]
    weekly = median(alike, axis=2)
    if len(weekly) >= MANY:
        felt = median(weekly - median(weekly, axis=1)[:, None], axis=0)
        width = min(2 * SEASON + 1, len(felt))
        windows = np.lib.stride_tricks.sliding_window_view(felt, width, axis=0)
        around = np.clip(np.arange(len(felt)) - width // 2, 0, len(felt) - width)
        felt = np.nan_to_num(felt - median(windows, axis=2)[around])  # what lasts, roads have
        weekly = weekly - felt
        # What empties a whole city, such as the days before New Year, does not do so evenly.
        weekly[:, (np.abs(felt) > ODD).any(axis=1)] = np.nan
    apart = np.diff(weekly, axis=1)
    weekly = _middle_of_three(weekly)
    spread = 1.4826 * median(np.abs(apart), axis=1) / np.sqrt(2)
    counted = np.exp(np.nan_to_num(median(weekly, axis=1)))
    least = np.maximum(LEAST_NOISE, 1 / np.sqrt(5 * counted))
    flat = alike.reshape(len(alike), -1, alike.shape[3])
    days = flat[:, before : before + daily.shape[1]]
    return days, weekly, np.fmax(spread, least)


def _middle_of_three(weekly: Array) -> Array:
    """Return the median of each week and its neighbours; the first and last stay as they are."""
    around = np.stack([np.roll(weekly, step, axis=1) for step in (-1, 0, 1)])
    result = np.where(np.isnan(weekly), np.nan, median(around, axis=0))
    result[:, [0, -1]] = weekly[:, [0, -1]]
    return result


def _partition(levels: Array) -> list[list[int]]:
    """Return the ends of the levels of each row by optimal partitioning, from 0 to all weeks.

    `levels` in standard deviations, shape (rows, weeks, features).
    """
    known = np.isfinite(levels)
    filled = np.where(known, levels, 0)
    pad = ((0, 0), (1, 0), (0, 0))
    number, total, square = (
        np.pad(np.cumsum(values, axis=1, dtype=float), pad) for values in (known, filled, filled**2)
    )
    rows, weeks = levels.shape[:2]
    best = np.full((rows, weeks + 1), np.inf)
    best[:, 0] = -PENALTY
    before = np.zeros((rows, weeks + 1), dtype=int)
    for end in range(SHORTEST, weeks + 1):
        start = slice(0, end - SHORTEST + 1)
        size = number[:, [end]] - number[:, start]
        part = total[:, [end]] - total[:, start]
        spread = square[:, [end]] - square[:, start] - part**2 / np.maximum(size, 1)
        cost = best[:, start] + spread.sum(axis=2) + PENALTY
        cost = cost.round(6)  # so that no processor's last digit decides
        before[:, end] = cost.argmin(axis=1)
        best[:, end] = cost.min(axis=1)
    result = []
    for row in range(rows):
        ends = [weeks]
        while ends[-1] > 0:
            ends.append(int(before[row, ends[-1]]))
        result.append(ends[::-1])
    return result


def _beside(weekly: Array, first: int, last: int, at_end: bool) -> tuple[Array, Array]:
    """Return mean and number of the first or last known weeks of a stretch, by feature."""
    own = weekly[first:last]
    own = own[np.isfinite(own).any(axis=1)]
    own = own[-NEAR:] if at_end else own[:NEAR]
    number = np.isfinite(own).sum(axis=0)
    return np.nansum(own, axis=0) / np.where(number > 0, number, np.nan), number


def _jumps(weekly: Array, noise: Array, ends: list[int]) -> list[int]:
    """Return the ends between which levels really jump, the weakest left out one by one."""
    ends = list(ends)
    while len(ends) > 2:
        size = []
        for place in range(1, len(ends) - 1):
            old, many = _beside(weekly, ends[place - 1], ends[place], at_end=True)
            new, more = _beside(weekly, ends[place], ends[place + 1], at_end=False)
            error = noise * np.sqrt(ALIKE / np.maximum(many, 1) + ALIKE / np.maximum(more, 1))
            jump = np.abs(new - old) / np.maximum(STEP, SURE * error)
            size.append(np.nan_to_num(jump).max().round(9))
        if min(size) >= 1:
            break
        del ends[1 + int(np.argmin(size))]
    return ends


def _stretches(
    block: Block, daily: Array, weekly: Array, ends: list[int], about: pd.Series
) -> list[tuple[object, ...]]:
    """Return one row per stretch of weeks that is unlike now."""
    middle = range(1, len(ends) - 1)
    cuts = [0, *(_day(block, daily, weekly, ends, place) for place in middle), len(block.days)]
    like, reference = [len(ends) - 2], _beside(weekly, ends[-2], ends[-1], at_end=False)[0]
    level = reference
    for place in range(len(ends) - 3, -1, -1):
        end = _beside(weekly, ends[place], ends[place + 1], at_end=True)[0]
        if not (np.abs(end - reference) >= STEP).any():
            like.append(place)
            reference = _beside(weekly, ends[place], ends[place + 1], at_end=False)[0]
    unlike = [place for place in range(len(ends) - 1) if place not in like]
    if not unlike:
        return []
    since = block.days[cuts[unlike[-1] + 1]]
    weeks = sum(round((cuts[place + 1] - cuts[place]) / 7) for place in like)
    rows: list[tuple[object, ...]] = []
    for place in unlike:
        then = _beside(weekly, ends[place], ends[place + 1], at_end=True)[0]
        ratio = np.exp(level - then)
        said = "; ".join(
            f"{name} {value:.2f} times what it was"
            for name, value in zip(FEATURES, ratio, strict=True)
            if np.isfinite(value)
        )
        said = f"Since {_date(since)}: {said}"
        if min(like) < place:
            said += "; the weeks before it are like those since"
        first, last = block.days[cuts[place]], block.days[cuts[place + 1] - 1]
        rows.append((*about, first, last, since, weeks, *ratio, said + "."))
    return rows


def _day(block: Block, daily: Array, weekly: Array, ends: list[int], place: int) -> int:
    """Return the number of the day on which a level begins."""
    old = _beside(weekly, ends[place - 1], ends[place], at_end=True)[0]
    new = _beside(weekly, ends[place], ends[place + 1], at_end=False)[0]
    feature = int(np.nan_to_num(np.abs(new - old)).round(9).argmax())
    monday = 7 * ends[place] - int(block.days[0].weekday())
    first, last = max(monday - 7, 1), min(monday + 7, len(block.days) - 1)
    own = daily[first:last, feature]
    before, after = (np.nan_to_num((own - level[feature]) ** 2) for level in (old, new))
    cost = np.append(0, np.cumsum(before)) + after.sum() - np.append(0, np.cumsum(after))
    cost = cost.round(6)
    return first + int(np.flatnonzero(cost == cost.min())[-1])  # no weekend begins anything


def _date(day: pd.Timestamp) -> str:
    return f"{day.day} {day.month_name()} {day.year}"


def said(found: pd.DataFrame | None) -> dict[str, str]:
    """Return by site since when its pattern of now holds, as the begin of a sentence."""
    if found is None or found.empty:
        return {}
    order = found.assign(size=np.abs(np.log(found[list(FEATURES)])).max(axis=1).round(9))
    order = order.sort_values(["site", "since", "size", "approach"], kind="stable")
    top = order.drop_duplicates("site", keep="last")
    words = {}
    for row in top.itertuples():
        ratios = " and ".join(
            f"{getattr(row, name):.2f} times in the {name}"
            for name in HOURS
            if np.isfinite(getattr(row, name))
        )
        words[str(row.site)] = f"The road changed on {_date(row.since)} ({row.approach}: {ratios})"
    return words
