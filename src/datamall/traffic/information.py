"""Information: what was counted where and when, as means with the weeks as their witnesses."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from datamall.errors import DatamallError
from datamall.requirements import passes_absent
from datamall.traffic.cube import Array, Block, Cube

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# The vocabulary of Dutch counts; hours of one calendar day.
PERIODS = {
    "morning peak (ochtendspits)": range(7, 10),
    "evening peak (avondspits)": range(16, 19),
    "day (dagperiode)": range(7, 19),
    "evening (avondperiode)": range(19, 23),
    "night (nacht)": [*range(7), 23],
    "24 hours (etmaal)": range(24),
}
MEAN_DAY, WORKING_DAY = "mean day (weekdag)", "working day (werkdag)"


def check_confidence(confidence: float) -> None:
    """Refuse a level of confidence outside 0 to 1."""
    if not 0 < confidence < 1:
        raise DatamallError(f"confidence is {confidence}: set it between 0 and 1 in params.yaml.")


def holidays(days: pd.DatetimeIndex, calendar: pd.DataFrame | None) -> NDArray[np.bool_]:
    """Return which days the calendar names a public holiday; none without a calendar."""
    if calendar is None or not {"day", "holiday"} <= set(calendar):
        return np.zeros(len(days), dtype=bool)
    free = calendar.loc[calendar["holiday"].notna(), "day"]
    return np.asarray(days.isin(pd.DatetimeIndex(free)))


@passes_absent
def totals(cube: Cube) -> pd.DataFrame:
    """Return what was counted, by mode and group of like detectors.

    Returns
    -------
    pandas.DataFrame
        mode, interval (minutes), first_day, last_day, sites, detectors, hours (counted, over all
        detectors), coverage (share of the hours of the period that were counted), passages; and
        where there are any, again: detectors of the mode that see the same vehicles again, and are
        not summed.
    """
    tables = []
    for block in cube:
        about = block.series[["mode", "site"]].copy()
        count = np.concatenate(block.over_parts(lambda _, part: _sums(part)))
        about["counted"], about["passages"] = count.T
        table = about.groupby("mode", as_index=False).agg(
            sites=("site", "nunique"),
            detectors=("site", "size"),
            hours=("counted", "sum"),
            passages=("passages", "sum"),
        )
        table["coverage"] = table["hours"] / (table["detectors"] * block.stored[0].size)
        table["hours"] *= block.interval / 60
        table["passages"] = table["passages"].astype(np.int64)
        table["interval"] = block.interval
        table["first_day"], table["last_day"] = block.days[0], block.days[-1]
        tables.append(table)
    columns = ["mode", "interval", "first_day", "last_day", "sites", "detectors", "hours"]
    found = pd.concat(tables)[[*columns, "coverage", "passages"]]
    if cube.again:
        found["again"] = found["mode"].map(cube.again).fillna(0).astype(np.int64)
    return found.sort_values(["mode", "first_day", "interval"], ignore_index=True)


def _sums(block: Block) -> Array:
    """Return the number of intervals counted and of passages by series, shape (series, 2)."""
    count = block.count.reshape(len(block.series), -1)
    return np.column_stack([np.isfinite(count).sum(axis=1), np.nansum(count, axis=1, dtype=float)])


@passes_absent
def coverage(cube: Cube) -> pd.DataFrame:
    """Return how much of its own period was counted at each site, by mode.

    Returns
    -------
    pandas.DataFrame
        site, mode, detectors, first_day, last_day (on which anything was counted), coverage (share
        of the intervals from the first to the last of these days, over all detectors), weeks (with
        any count).
    """
    parts = []
    for whole in cube:
        for _, block in whole.parts():
            counted = np.isfinite(block.count)
            any_day = np.any(counted, axis=2)
            weeks = block.weeks(any_day[..., None].astype(float)) > 0
            for (site, mode), own in block.series.groupby(["site", "mode"]):
                there = np.flatnonzero(any_day[own.index].any(axis=0))
                if there.size:
                    parts.append(
                        {
                            "site": site,
                            "mode": mode,
                            "detectors": len(own),
                            "first_day": block.days[there[0]],
                            "last_day": block.days[there[-1]],
                            "coverage": counted[own.index, there[0] : there[-1] + 1].mean(),
                            "weeks": int(weeks[own.index].any(axis=(0, 2, 3)).sum()),
                        }
                    )
    return pd.DataFrame(parts).sort_values(["site", "mode", "first_day"], ignore_index=True)


@passes_absent
def profiles(cube: Cube, confidence: float, calendar: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the weekly profile of each site and mode.

    Parameters
    ----------
    cube
        Counts, best of healthy detectors only.
    confidence
        Level of the intervals.
    calendar
        shared.calendar; its public holidays are left out.

    Returns
    -------
    pandas.DataFrame
        site, mode, weekday (1 Monday … 7 Sunday), hour, mean (passages per hour, all approaches),
        low, high (t interval of the mean that takes each week for one witness; NaN with a single
        week), weeks. Hours that were never counted are left out.
    """
    check_confidence(confidence)
    parts = []
    for block, groups, hours in _by_site(cube):
        hours = np.where(holidays(block.days, calendar)[:, None], np.nan, hours)
        values = block.weeks(hours)
        mean, low, high, number = _interval(values, confidence, axis=1)
        shape = mean.shape
        place, weekday, hour = (axis.ravel() for axis in np.indices(shape))
        table = (
            groups.iloc[place]
            .reset_index(drop=True)
            .assign(
                weekday=weekday + 1,
                hour=hour,
                mean=mean.ravel(),
                low=low.ravel(),
                high=high.ravel(),
                weeks=number.ravel(),
            )
        )
        parts.append(table[table["weeks"] > 0])
    return pd.concat(parts).sort_values(["site", "mode", "weekday", "hour"], ignore_index=True)


@passes_absent
def periods(cube: Cube, confidence: float, calendar: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the passages in the periods of the day that Dutch counts report.

    Parameters
    ----------
    cube, confidence, calendar
        As in `profiles`; public holidays are reported apart.

    Returns
    -------
    pandas.DataFrame
        site, mode, days (`MEAN_DAY`: mean of Monday to Sunday, `WORKING_DAY`: of Monday to Friday,
        or holiday), period (of `PERIODS`), mean (passages in the whole period), low, high (t
        interval over weeks, over holidays for these), weeks (holidays counted, for these).

    Notes
    -----
    The mean is that of the means by weekday, so that a weekday which was counted less often weighs
    the same. Its error is that of the weeks' mean deviations from it: days of one week resemble
    each other and are one witness.
    """
    check_confidence(confidence)
    parts = []
    for block, groups, hours in _by_site(cube):
        free = holidays(block.days, calendar)
        for name, own in PERIODS.items():
            total = hours[..., list(own)].sum(axis=2, keepdims=True)
            values = block.weeks(np.where(free[:, None], np.nan, total))[..., 0]
            found = {
                MEAN_DAY: _over_weeks(values, confidence),
                WORKING_DAY: _over_weeks(values[..., :5], confidence),
            }
            if free.any():
                found["holiday"] = _interval(total[:, free, 0], confidence, axis=1)
            for days, columns in found.items():
                table = groups.assign(days=days, period=name)
                parts.append(
                    table.assign(
                        **dict(zip(["mean", "low", "high", "weeks"], columns, strict=True))
                    )
                )
    table = pd.concat(parts)
    table = table[table["weeks"] > 0]
    order = {name: place for place, name in enumerate((MEAN_DAY, WORKING_DAY, "holiday", *PERIODS))}
    return table.sort_values(
        ["site", "mode", "days", "period"],
        key=lambda column: column.map(order) if column.name in ("days", "period") else column,
        kind="stable",
        ignore_index=True,
    )


def _by_site(cube: Cube) -> list[tuple[Block, pd.DataFrame, Array]]:
    """Return the hourly blocks with the sums by site and mode."""
    hourly = list(cube.hourly())
    return [(block, *block.sums(["site", "mode"])) for block in hourly]


def _interval(
    values: Array, confidence: float, axis: int
) -> tuple[Array, Array, Array, NDArray[np.intp]]:
    """Return mean, its t interval (low not below 0) and number along an axis, without NaN."""
    there = ~np.isnan(values)
    number = there.sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(values, axis=axis) / number
        apart = np.where(there, values - np.expand_dims(mean, axis), 0)
        error = np.sqrt((apart**2).sum(axis=axis) / (number - 1) / number)
        width = np.where(
            number > 1, stdtrit(np.maximum(number - 1, 1), (1 + confidence) / 2), np.nan
        )
    return mean, np.maximum(mean - width * error, 0), mean + width * error, number


def _over_weeks(values: Array, confidence: float) -> tuple[Array, Array, Array, NDArray[np.intp]]:
    """Return the mean of the means by weekday and its interval; values (groups, weeks, days)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        by_weekday = np.nansum(values, axis=1) / (~np.isnan(values)).sum(axis=1)
        apart = values - by_weekday[:, None, :]
        days = (~np.isnan(apart)).sum(axis=2)
        by_week = np.where(days > 0, np.nansum(apart, axis=2) / days, np.nan)
    mean = by_weekday.mean(axis=1)
    middle, _, high, weeks = _interval(by_week, confidence, axis=1)
    width = high - middle
    # A weekday that was never counted leaves the mean of all of them unknown.
    weeks = np.where(np.isnan(mean), 0, weeks)
    return mean, np.maximum(mean - width, 0), mean + width, weeks
