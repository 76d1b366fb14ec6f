"""Small numbers of people: what may be printed, so that no hidden count follows from it.

Counts below 10 are not shown, others are rounded to 5. Shares and their intervals are rounded to
steps of at least 5 people, the ends of intervals outward, so that they stay true and say no more
than the rounded counts. Every table of the package goes through here; the statistics do not.
"""

import numpy as np
import pandas as pd

MINIMUM, ROUNDING = 10, 5
_STEPS = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
_LIFT = 0.1
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
    rounded = (number + ROUNDING // 2) // ROUNDING * ROUNDING
    return rounded.astype("Int64").mask(number < MINIMUM)


def parts(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return a table whose columns add up to a number that is printed too.

    Parameters
    ----------
    table
        Exact counts in `columns`, the parts of one whole in each row.
    columns
        The parts.

    Returns
    -------
    pandas.DataFrame
        As `counts`. Where one part alone would be hidden, it would follow from the others: then
        the smallest of these is hidden too, unless the part is empty and there is nothing to hide.
    """
    result = table.copy()
    exact = table[columns].to_numpy("int64")
    hidden = (exact < MINIMUM) & (exact > 0)
    for row in np.flatnonzero(hidden.sum(axis=1) == 1):
        others = np.where(hidden[row] | (exact[row] == 0), np.iinfo("int64").max, exact[row])
        hidden[row, others.argmin()] |= others.min() < np.iinfo("int64").max
    for position, column in enumerate(columns):
        shown = counts(table[column])
        # Nobody at all stands for nobody: that no one is here tells nothing about a person.
        shown = shown.mask(exact[:, position] == 0, 0)
        result[column] = shown.mask(hidden[:, position])
    return result


def shares(table: pd.DataFrame, found: str, people: str, *columns: str) -> pd.DataFrame:
    """Return a table of shares of people as it may be printed.

    Parameters
    ----------
    table
        Exact counts in `found` and `people`, and `columns`: share, low end and high end.
    found, people
        Columns: how many the share counts, and of how many.
    columns
        Columns of the share and of the ends of its interval.

    Returns
    -------
    pandas.DataFrame
        Counts as from `counts`; shares rounded to a step that is worth at least 5 people, low ends
        down and high ends up. Missing where fewer than 10 people were found, or not found.
    """
    value, low, high = columns
    trials = table[people].fillna(0).to_numpy(float)
    successes = table[found].fillna(0).to_numpy(float)
    shown = (successes >= MINIMUM) & (trials - successes >= MINIMUM)
    wanted = ROUNDING / np.maximum(trials, MINIMUM)
    step = _STEPS[np.minimum(np.searchsorted(_STEPS, wanted - _SLACK), len(_STEPS) - 1)]
    rounded = {
        value: np.round(table[value] / step) * step,
        low: np.floor(table[low] / step + _SLACK) * step,
        high: np.ceil(table[high] / step - _SLACK) * step,
    }
    limited = {name: np.where(shown, np.clip(v, 0, 1), np.nan) for name, v in rounded.items()}
    return table.assign(**limited, **{found: counts(table[found]), people: counts(table[people])})


def ratios(table: pd.DataFrame, shown: np.ndarray, *columns: str) -> pd.DataFrame:
    """Return a table of ratios of shares as it may be printed.

    Parameters
    ----------
    table
        `columns`: ratio, low end and high end.
    shown
        Rows whose counts are large enough.
    columns
        Columns of the ratio and of the ends of its interval.

    Returns
    -------
    pandas.DataFrame
        Ratios to one decimal, low ends down and high ends up; missing in rows that are not shown.
    """
    value, low, high = columns
    rounded = {
        value: np.round(table[value] / _LIFT) * _LIFT,
        low: np.floor(table[low] / _LIFT + _SLACK) * _LIFT,
        high: np.ceil(table[high] / _LIFT - _SLACK) * _LIFT,
    }
    return table.assign(**{k: np.where(shown, v.round(9), np.nan) for k, v in rounded.items()})
