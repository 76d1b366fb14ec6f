"""Forecasts of a week: the median of weeks before, an adaptive profile, its trend, and holidays.

Every week is forecast from the weeks before it alone. Which forecast is published is chosen in
`forecast_judging`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.traffic.cube import Array, Block, median
from datamall.traffic.information import holidays

BASELINE, MODEL = "median of weeks", "adaptive profile"
TREND = "adaptive profile with trend"
METHODS = (BASELINE, MODEL, TREND)  # by the number that stands for each where one is chosen
MEDIAN_WEEKS = 8
MEMORY = 26  # weeks that the adaptive profile looks back
HALF_LIFE = 4  # weeks after which a week weighs half as much
CLIP = 1.5  # robust standard deviations: what lies further from the median is drawn to there
LEVEL = 0.3  # share of the last fortnight's common deviation that is expected to last
BLEND = 0.5  # weight of the profile in the model; the median has the rest
RIDGE = 3  # days' worth of doubt about the effect of a kind of day
FIRST = 2  # weeks before the first origin
ORIGINS = 60  # latest weeks that are forecast as a test, at most
LEAST_ORIGINS = 8  # weeks forecast before anything but the median may be chosen
LEAST_HOLIDAYS = 2  # holidays counted at a site before it is said how they are there
OVERLAP = 2  # weeks forecast in a row, from nearly the same past, that tell as much as one
UNKNOWN, USUAL, SUNDAY, EARLIER = range(-1, 3)
AS_HOLIDAY = {
    UNKNOWN: f"not known: fewer than {LEAST_HOLIDAYS} earlier holidays counted here",
    USUAL: "as any such day, which was nearest on earlier holidays",
    SUNDAY: "as a Sunday, which was nearest on earlier holidays",
    EARLIER: "as earlier holidays, which was nearest",
}
ON_SUNDAY = "as any Sunday"


@dataclass(frozen=True)
class Holiday:
    """A public holiday that is no Sunday, and what each group is expected to count on it.

    Attributes
    ----------
    week, day
        Place in the weeks of the run.
    choice
        `UNKNOWN`, `USUAL` (the forecast of any such day stays), `SUNDAY` or `EARLIER`, by group.
    expected
        Passages by hour, shape (groups, 24); meant for the last two choices.
    """

    week: int
    day: int
    choice: NDArray[np.int64]
    expected: Array

    def put(self, made: Array) -> None:
        """Write into forecasts (groups, weeks, 7, 24) what is expected of this holiday."""
        rows = self.choice >= SUNDAY
        made[rows, self.week, self.day] = self.expected[rows]


@dataclass(frozen=True)
class Run:
    """Forecasts of one block; weeks end on the block's last day, the first may begin with NaN.

    Attributes
    ----------
    groups
        Site and mode of each group.
    weeks
        Passages, shape (groups, weeks, 7, 24).
    median, model
        The same and one week more: forecasts by the baseline and the model, NaN before `start`.
        Holidays are in the model, not in the median.
    trend
        By what the model is multiplied to follow the trend, shape (groups, weeks + 1).
    scale
        Mean absolute difference to the week before, in the weeks before, (groups, weeks + 1).
    working, free
        Which of the 7 days are Monday to Friday; which days are public holidays, (weeks + 1, 7).
    holidays
        Those from `start` on that are no Sundays.
    start
        First week that is forecast.
    """

    groups: pd.DataFrame
    weeks: Array
    median: Array
    model: Array
    trend: Array
    scale: Array
    working: NDArray[np.bool_]
    free: NDArray[np.bool_]
    holidays: list[Holiday]
    start: int

    def best(self, use: NDArray[np.int64]) -> Array:
        """Return the forecasts by the chosen methods; `use` as from `forecast_judging.chosen`."""
        made = np.where(use[:, :, None, None] > 0, self.model, self.median)
        made *= np.where(use == METHODS.index(TREND), self.trend, 1)[:, :, None, None]
        for one in self.holidays:
            one.put(made)
        return made

    def as_holiday(self) -> NDArray[np.object_]:
        """Return in words how the days ahead are forecast, shape (groups, 7); "" if as usual."""
        words = np.full((len(self.groups), 7), "", dtype=object)
        words[:, self.free[-1]] = ON_SUNDAY
        for one in self.holidays:
            if one.week == self.weeks.shape[1]:
                words[:, one.day] = [AS_HOLIDAY[choice] for choice in one.choice]
        return words


def run(block: Block, calendar: pd.DataFrame | None) -> Run | None:
    """Forecast every week from the weeks before it; None where there are too few.

    Parameters
    ----------
    block
        Counts by the hour.
    calendar
        shared.calendar: public and school holidays, those of the week ahead included; or None.
    """
    groups, hours = block.sums(["site", "mode"])
    ahead = -len(block.days) % 7
    hours = np.pad(hours, [(0, 0), (ahead, 0), (0, 0)], constant_values=np.nan)
    weeks = hours.reshape(len(groups), -1, 7, 24)
    number = weeks.shape[1]
    if number <= FIRST:
        return None
    days = pd.date_range(block.days[-1] - pd.Timedelta(days=7 * number - 1), periods=7 * number + 7)
    free = holidays(days, calendar).reshape(-1, 7)
    school = _school(days, calendar).reshape(-1, 7) & ~free
    sunday = int(np.flatnonzero(days[:7].day_of_week == 6)[0])
    start = max(FIRST, number - ORIGINS)

    log = np.log1p(weeks)
    baseline = np.full((len(groups), number + 1, 7, 24), np.nan)
    model = baseline.copy()
    lag = np.full((len(groups), number), np.nan)
    trend = np.ones((len(groups), number + 1))
    off, like = _Effect(len(groups)), _Likeness(len(groups))
    for week in range(start, number + 1):
        past = slice(max(0, week - MEMORY), week)
        adjusted = log[:, past] - np.where(school[past][..., None], off.size[:, None], 0)
        plain = _adaptive(np.where(free[past][..., None], np.nan, adjusted))
        baseline[:, week] = _median(weeks, free, week)
        effect = np.where(school[week][:, None], off.size, 0)
        profile = np.maximum(np.expm1(plain + effect), 0)
        usual = baseline[:, week] * np.exp(_whole_day(effect, plain))
        profile = np.where(np.isnan(profile), usual, profile)
        model[:, week] = BLEND * profile + (1 - BLEND) * usual
        trend[:, week] = _trend(lag[:, past])
        for day in np.flatnonzero(free[week]):
            if day != sunday:
                like.ahead(week, int(day), baseline[:, week, day], plain[:, sunday])
        if week < number:
            # What this week teaches, for the weeks after it.
            level = plain + np.log(trend[:, week, None, None])  # growth is no holiday's effect
            off.learn(log[:, week], level, school[week])
            lag[:, week] = _lag(weeks[:, week], model[:, week], ~free[week])
            like.learn(week, weeks[:, week])
    for one in like.found:
        one.put(model)
    naive = np.abs(np.diff(weeks, axis=1, prepend=np.nan))
    total = np.nansum(naive, axis=(2, 3)).cumsum(axis=1)
    counted = np.isfinite(naive).sum(axis=(2, 3)).cumsum(axis=1)
    scale = np.divide(total, counted, out=np.full(total.shape, np.nan), where=total > 0)
    scale = np.concatenate([np.full((len(groups), 1), np.nan), scale], axis=1)
    working = np.asarray(days[:7].day_of_week < 5)
    return Run(groups, weeks, baseline, model, trend, scale, working, free, like.found, start)


class _Effect:
    """What a kind of day adds to the logarithm of the profile, by hour, shrunk towards none."""

    def __init__(self, groups: int) -> None:
        self.size = np.zeros((groups, 1, 24))
        self._total, self._days = np.zeros_like(self.size), np.zeros_like(self.size)

    def learn(self, log: Array, usual: Array, kind: NDArray[np.bool_]) -> None:
        """Learn from the days of a kind, shape (groups, 7, 24) and (7,)."""
        if kind.any():
            rest = (log - usual)[:, kind]
            self._total += np.nansum(rest, axis=1, keepdims=True)
            self._days += np.isfinite(rest).sum(axis=1, keepdims=True)
            self.size = self._total / (self._days + RIDGE)


class _Likeness:
    """What a site's holidays were like so far: any such day, a Sunday, or earlier holidays."""

    def __init__(self, groups: int) -> None:
        self.found: list[Holiday] = []
        self._effect = _Effect(groups)  # against the Sunday of the same week
        self._error, self._number = np.zeros((3, groups)), np.zeros(groups, dtype=int)
        self._open: list[tuple[Array, Array]] = []  # options and Sundays of this week's holidays

    def ahead(self, week: int, day: int, usual: Array, sunday: Array) -> None:
        """Forecast a holiday as what was nearest on the holidays before its week."""
        found = [usual, np.expm1(sunday), np.expm1(sunday + self._effect.size[:, 0])]
        options = np.maximum(np.stack(found), 0)
        choice = self._error.round(6).argmin(axis=0)  # the usual day where none was nearer
        expected = options[choice, np.arange(len(choice))]
        choice = np.where(np.isfinite(expected).any(axis=1), choice, USUAL)
        choice = np.where(self._number < LEAST_HOLIDAYS, UNKNOWN, choice)
        self.found.append(Holiday(week, day, choice, expected))
        self._open.append((options, sunday))

    def learn(self, week: int, counts: Array) -> None:
        """Learn from the holidays of a week that was counted, shape (groups, 7, 24)."""
        days = [one.day for one in self.found if one.week == week]
        for day, (options, sunday) in zip(days, self._open, strict=True):
            apart = np.abs(options - counts[:, day]).mean(axis=2)
            known = np.isfinite(apart).all(axis=0)
            self._error += np.where(known, apart, 0)
            self._number += known
            self._effect.learn(np.log1p(counts[:, [day]]), sunday[:, None], np.array([True]))
        self._open.clear()


def _median(weeks: Array, free: NDArray[np.bool_], week: int) -> Array:
    """Return the median of weeks before, without public holidays where other days are known."""
    past = slice(max(0, week - MEDIAN_WEEKS), week)
    made = median(weeks[:, past], axis=1)
    days = free[past].any(axis=0) & ~free[past].all(axis=0)
    if days.any():
        others = np.where(free[past][:, days, None], np.nan, weeks[:, past][:, :, days])
        others = median(others, axis=1)
        made[:, days] = np.where(np.isnan(others), made[:, days], others)
    return made


def _adaptive(log: Array) -> Array:
    """Return the adaptive profile of the week after; `log` as (groups, weeks, 7, 24)."""
    number = log.shape[1]
    middle = median(log, axis=1)
    spread = 1.4826 * median(np.abs(log - middle[:, None]), axis=1)
    recent = median(log[:, -MEDIAN_WEEKS:], axis=1)
    recent = np.where(np.isnan(recent), middle, recent)
    width = CLIP * np.maximum(spread, 0.05)
    drawn_in = np.clip(log, (recent - width)[:, None], (recent + width)[:, None])
    age = np.arange(number)[::-1]
    weight = (0.5 ** (age / HALF_LIFE))[:, None, None] * np.isfinite(log)
    total = weight.sum(axis=1)
    profile = np.nansum(weight * np.nan_to_num(drawn_in), axis=1)
    profile = np.divide(profile, total, out=np.full(total.shape, np.nan), where=total > 0)
    # The last fortnight as a whole; each hour weighs as its traffic does.
    apart = log[:, -2:] - profile[:, None]
    traffic = np.expm1(profile)[:, None] * 0.5 ** age[-2:, None, None]
    traffic = np.where(np.isfinite(apart), traffic, 0)
    level = (traffic * np.nan_to_num(apart)).sum(axis=(1, 2, 3))
    level = level / np.maximum(traffic.sum(axis=(1, 2, 3)), 1e-9)
    return profile + LEVEL * level[:, None, None]


def _whole_day(effect: Array, plain: Array) -> Array:
    """Return the effect on a whole day: each hour weighs as its traffic does."""
    traffic = np.maximum(np.nan_to_num(np.expm1(plain)), 0)
    total = (traffic * effect).sum(axis=2, keepdims=True)
    return total / np.maximum(traffic.sum(axis=2, keepdims=True), 1e-9)


def _lag(counts: Array, made: Array, usual: NDArray[np.bool_]) -> Array:
    """Return by how much a week's total lay above its forecast, as a logarithm; holidays apart."""
    both = np.isfinite(counts + made) & usual[:, None]
    total, expected = (np.where(both, each, 0).sum(axis=(1, 2)) for each in (counts, made))
    known = (total > 0) & (expected > 0)
    return np.log(np.divide(total, expected, out=np.full(len(total), np.nan), where=known))


def _trend(lag: Array) -> Array:
    """Return the factor by which a model that lags behind growth is made up for its lag.

    A mean of weeks before lies behind a level that grows steadily by growth × mean age. What it
    lay behind in the weeks before, by their median, is what it lies behind in the next one. That
    is damped by how sure it is: the square of its standard error ÷ itself is taken off, all of it
    where it is less than its error. `lag` as from `_lag`, (groups, weeks).
    """
    number = np.isfinite(lag).sum(axis=1)
    size = median(lag, axis=1)
    spread = 1.4826 * median(np.abs(lag - size[:, None]), axis=1)
    # The error of a median of normal values is sqrt(π / 2) times that of their mean.
    error = np.sqrt(np.pi / 2 * OVERLAP / np.maximum(number, 1)) * spread
    known = (number >= LEAST_ORIGINS) & (np.abs(size) > error)
    sure = np.divide(error, size, out=np.ones_like(size), where=known)
    return np.exp(np.where(known, size * (1 - sure**2), 0))


def _school(days: pd.DatetimeIndex, calendar: pd.DataFrame | None) -> NDArray[np.bool_]:
    """Return which working days lie in a school holiday."""
    if calendar is None or not {"day", "school_holiday"} <= set(calendar):
        return np.zeros(len(days), dtype=bool)
    off = calendar.loc[calendar["school_holiday"] == "yes", "day"]
    return np.asarray(days.isin(pd.DatetimeIndex(off)) & (days.day_of_week < 5))
