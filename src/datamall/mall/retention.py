"""Retention: the day before which rows are not kept any more, reckoned from a given day."""

import re
from datetime import date, timedelta

from datamall.errors import DatamallError

UNITS = {
    **dict.fromkeys(("y", "yr", "year", "years"), 12),
    **dict.fromkeys(("m", "month", "months"), 1),
    **dict.fromkeys(("d", "day", "days"), 0),
}
TERM = re.compile(r"([1-9]\d{0,3}) (\w+)")


def kept_since(retention: str, as_of: date) -> date:
    """Return the first day of which rows are still kept on a day.

    Parameters
    ----------
    retention
        As contracts have it: a whole number and a unit of `UNITS`, such as ``5 y``.
    as_of
        The day from which it is reckoned back. Of months that are too short it is their last day.

    Raises
    ------
    DatamallError
        When it is no such term.
    """
    found = TERM.fullmatch(retention)
    if not found or found[2] not in UNITS:
        raise DatamallError(f"{retention!r} is no retention: write a whole number of y, m or d")
    count, months = int(found[1]), UNITS[found[2]]
    try:
        if not months:
            return as_of - timedelta(days=count)
        whole = as_of.year * 12 + as_of.month - 1 - count * months
        year, month = divmod(whole, 12)
        for day in range(as_of.day, as_of.day - 4, -1):
            try:
                return date(year, month + 1, day)
            except ValueError:
                continue
    except (OverflowError, ValueError):
        pass
    return date.min
