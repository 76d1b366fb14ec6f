"""Small numbers of people: what may be printed, so that no hidden count follows from it.

Counts below 10 are not shown, others are rounded to 5. Shares, lifts and their intervals, and the
verdicts, are reckoned from the rounded counts: so they cannot say more than these do. (One decimal
of a lift, reckoned from the exact counts, would often leave one exact count possible.) What can be
reckoned back from the page is therefore off by 2 people, and by 4 where two counts are subtracted.
"""

import numpy as np
import pandas as pd

from datamall.fairness.intervals import limits
from datamall.small_numbers import MINIMUM, REACH, ROUNDING

_RATIO = 0.1
# Far below any step, far above what is lost in floating point.
_SLACK = 1e-9


def counts(people: pd.Series) -> pd.Series:
    """Return counts of people as they may be printed.

    Parameters
    ----------
    people
        Exact counts.

    Returns
    -------
    pandas.Series
        Int64: rounded to the nearest 5; missing below 10.
    """
    number = people.fillna(0).astype("int64")
    rounded = (number + REACH) // ROUNDING * ROUNDING
    return rounded.astype("Int64").mask(number < MINIMUM)


def parts(table: pd.DataFrame) -> pd.DataFrame:
    """Return counts whose rows add up to a number that is printed too.

    Parameters
    ----------
    table
        Exact counts, in each row the parts of one whole; missing where there is no such part.

    Returns
    -------
    pandas.DataFrame
        As `counts`. Parts below 10 would follow from the whole and the others: so the smallest of
        these are hidden too, of equal ones the first, until at least two parts are hidden and
        these make up at least 10 people together.
    """
    exact = table.to_numpy(float)
    hidden = exact < MINIMUM
    for own, row in zip(hidden, exact, strict=True):
        for place in np.argsort(row, kind="stable"):  # from the smallest; what is no part is last
            if own.any() and (own.sum() == 1 or row[own].sum() < MINIMUM):
                own[place] = True
    return table.apply(counts).mask(hidden)


def enough(found: pd.Series, people: pd.Series) -> np.ndarray:
    """Return whether at least 10 people were found, and at least 10 not."""
    return (np.minimum(found, people - found) >= MINIMUM).to_numpy()


def shares(
    table: pd.DataFrame,
    found: str,
    people: str,
    tail: float,
    prefix: str = "",
    shown: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return a table with counts as they may be printed, and their shares with intervals.

    Parameters
    ----------
    table
        Exact counts in `found` and `people`.
    found, people
        Columns: how many the share counts, and of how many.
    tail
        Error allowed at each end of the interval.
    prefix
        Of the names of the ends of the interval.
    shown
        Rows to show, where others than those with `enough` found and not found.

    Returns
    -------
    pandas.DataFrame
        Counts as from `counts`; share, low and high, to three decimals: the share of the rounded
        counts, and the lowest and the highest limit of any counts that are rounded to these.
        Missing in rows that are not shown, as is the count found.

    Notes
    -----
    Exact limits (Clopper and Pearson 1934). They rise with the found and fall with the people, so
    that the ends are those of the furthest counts.
    """
    shown = enough(table[found], table[people]) if shown is None else shown
    result = table.assign(**{name: counts(table[name]) for name in (found, people)})
    result[found] = result[found].where(shown)
    x, n = numbers(table[found], shown), numbers(table[people], shown)
    low = limits(x - REACH, n + REACH, tail)[0]
    high = limits(np.minimum(x + REACH, n - REACH), n - REACH, tail)[1]
    ends = {f"{prefix}share": x / n, f"{prefix}low": low, f"{prefix}high": high}
    return outward(result.assign(**ends), 0.001, *ends, shown=shown)


def numbers(people: pd.Series, shown: np.ndarray | None = None) -> np.ndarray:
    """Return counts as they may be printed, for reckoning; NaN where they are not `shown`."""
    printed = counts(people)
    printed = printed if shown is None else printed.where(shown)
    return printed.to_numpy(float, na_value=np.nan)


def outward(
    table: pd.DataFrame, step: np.ndarray | float, *columns: str, shown: np.ndarray | bool = True
) -> pd.DataFrame:
    """Return a table of values rounded to a step, low ends down and high ends up.

    Parameters
    ----------
    table
        `columns`: value, low end and high end.
    step
        What they are rounded to.
    columns
        Columns of the value and of the ends of its interval.
    shown
        Rows whose counts are large enough; the others become missing.
    """
    value, low, high = columns
    rounded = {
        value: np.round(table[value] / step) * step,
        low: np.floor(table[low] / step + _SLACK) * step,
        high: np.ceil(table[high] / step - _SLACK) * step,
    }
    limited = {name: np.where(shown, v.round(9) + 0.0, np.nan) for name, v in rounded.items()}
    return table.assign(**limited)


def ratios(table: pd.DataFrame, shown: np.ndarray, *columns: str) -> pd.DataFrame:
    """Return ratios, reckoned from `numbers`, to one decimal; see `outward`."""
    return outward(table, _RATIO, *columns, shown=shown)
