"""Means of days with intervals in which weeks, not days, are the independent witnesses."""

from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.traffic.information import check_confidence

Floats: TypeAlias = NDArray[np.floating]


class Means(NamedTuple):
    """Means of rows over days, one value per row.

    Attributes
    ----------
    mean, low, high
        Mean of the days that are known, and the ends of its interval.
    days, weeks
        How many are known.
    week_sd
        Standard deviation of one week's mean.
    """

    mean: Floats
    low: Floats
    high: Floats
    days: NDArray[np.int64]
    weeks: NDArray[np.int64]
    week_sd: Floats


def means(values: Floats, week: NDArray[np.int64], confidence: float, together: int = 1) -> Means:
    """Return the mean of each row with an interval.

    Parameters
    ----------
    values
        Shape (rows, days), NaN where not known.
    week
        Number of the week of each day.
    confidence
        Probability with which all intervals hold.
    together
        Number of intervals that hold together with that probability (Bonferroni).

    Returns
    -------
    Means
        Without an interval (NaN) where fewer than two weeks are known.

    Notes
    -----
    Ratio estimator with weeks as clusters (Cochran 1977, section 6.4) and Student's t with as many
    degrees of freedom as weeks less one: days of one week resemble each other. Missing days make
    the interval wider; that they are like the others is assumed.
    """
    from scipy.special import stdtrit

    check_confidence(confidence)
    known = ~np.isnan(values)
    member = (week[:, None] == np.unique(week)[None, :]).astype(float)
    in_week = known.astype(float) @ member
    days, weeks = known.sum(axis=1), (in_week > 0).sum(axis=1)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=1) / np.where(days > 0, days, np.nan)
    off = filled @ member - in_week * np.nan_to_num(mean)[:, None]
    few = weeks < 2
    spread = (off**2).sum(axis=1) * weeks / np.where(few, np.nan, weeks - 1)
    error = np.sqrt(spread) / np.where(days > 0, days, np.nan)
    tail = 1 - (1 - confidence) / 2 / max(together, 1)
    width = stdtrit(np.where(few, 1, weeks - 1), tail) * error
    return Means(mean, mean - width, mean + width, days, weeks, error * np.sqrt(weeks))


def by_week(values: Floats, week: NDArray[np.int64]) -> Floats:
    """Return the mean of each week from the first to the last one, (rows, weeks); NaN if unknown.

    `values` of shape (rows, days), and `week`, the number of the week of each day.
    """
    member = (week[:, None] == np.arange(week.min(), week.max() + 1)).astype(float)
    number = (~np.isnan(values)).astype(float) @ member
    return np.nan_to_num(values) @ member / np.where(number > 0, number, np.nan)


def row_means(values: Floats) -> Floats:
    """Return the mean of what is known of each row, NaN where nothing is."""
    number = (~np.isnan(values)).sum(axis=1)
    return np.nansum(values, axis=1) / np.where(number > 0, number, np.nan)


def ranks(low: Floats, high: Floats) -> tuple[pd.Series, pd.Series]:
    """Return the first and last rank that each row may have, 1 for the highest value.

    Parameters
    ----------
    low, high
        Ends of intervals that hold together. A row without an interval has no rank (NA).

    Notes
    -----
    A rank is excluded only where intervals do not overlap, so that the ranks hold together with the
    probability of the intervals (Klein, Wright and Wieczorek 2020, JRSS A 183:589).
    """
    known = pd.Series(~(np.isnan(low) | np.isnan(high)))
    # Comparisons with NaN are false, so that rows without an interval take no rank from others.
    first = (low[None, :] > high[:, None]).sum(axis=1) + 1
    last = known.sum() - (high[None, :] < low[:, None]).sum(axis=1)
    return pd.Series(first, dtype="Int64").where(known), pd.Series(last, dtype="Int64").where(known)
