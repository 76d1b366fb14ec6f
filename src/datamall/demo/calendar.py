"""The calendar of the demo city: the same days drive traffic, waste and the benefit desk."""

from datetime import date, timedelta

import holidays
import pandas as pd

from datamall.demo.world import World

YEARS = (2024, 2025, 2026)  # a year before the data, to learn from, and one after, to forecast

# Region North, first and last day. The holidays that end one year and begin the next come once.
SCHOOL_HOLIDAYS = (
    (date(2024, 1, 1), date(2024, 1, 7)),
    (date(2024, 2, 17), date(2024, 2, 25)),
    (date(2024, 4, 27), date(2024, 5, 5)),
    (date(2024, 7, 20), date(2024, 9, 1)),
    (date(2024, 10, 26), date(2024, 11, 3)),
    (date(2024, 12, 21), date(2025, 1, 5)),
    (date(2025, 2, 15), date(2025, 2, 23)),
    (date(2025, 4, 26), date(2025, 5, 4)),
    (date(2025, 7, 12), date(2025, 8, 24)),
    (date(2025, 10, 18), date(2025, 10, 26)),
    (date(2025, 12, 20), date(2026, 1, 4)),
    (date(2026, 2, 21), date(2026, 3, 1)),
    (date(2026, 4, 25), date(2026, 5, 3)),
    (date(2026, 7, 4), date(2026, 8, 16)),
    (date(2026, 10, 10), date(2026, 10, 18)),
    (date(2026, 12, 19), date(2026, 12, 31)),
)
# Made up, like every name in the city: name, month, first day and last day, in every year.
EVENTS = (
    ("Winterfestival", 1, 15, 18),
    ("Voorjaarskermis", 5, 9, 14),
    ("Introductieweek", 8, 11, 15),
    ("Stadsloop", 10, 12, 12),
    ("Lichtjesmarkt", 12, 12, 14),
)


def days(world: World) -> pd.DataFrame:
    """Return every day of `YEARS`.

    Returns
    -------
    DataFrame
        day, holiday (Dutch name by the package holidays, "" on other days), school_holiday,
        student_moves (both bool) and event (Dutch name or "").
    """
    table = pd.DataFrame({"day": pd.date_range(f"{YEARS[0]}-01-01", f"{YEARS[-1]}-12-31")})
    day = table["day"]
    named = holidays.country_holidays("NL", years=YEARS, language="nl")
    event = pd.Series("", index=day.index, dtype=object)
    for name, month, first, last in EVENTS:
        event[(day.dt.month == month) & day.dt.day.between(first, last)] = name
    closed = pd.Series(False, index=day.index)
    for begin, end in SCHOOL_HOLIDAYS:
        closed |= day.between(pd.Timestamp(begin), pd.Timestamp(end))
    moving = pd.Series(False, index=day.index)
    for year in YEARS:
        begin, end = moving_weeks(world, year)
        moving |= day.between(pd.Timestamp(begin), pd.Timestamp(end))
    return table.assign(
        holiday=[named.get(one.date(), "") for one in day],
        school_holiday=closed,
        student_moves=moving,
        event=event,
    )


def moving_weeks(world: World, year: int) -> tuple[date, date]:
    """Return the first and the last day of the weeks in which students move house.

    The week of the world's moves and one on either side, as in the inspections; in other years
    around the Monday nearest to 1 September.
    """
    monday = world.moving_monday
    if year != monday.year:
        near = date(year, 9, 1)
        monday = near + timedelta(days=3 - (near.weekday() + 3) % 7)
    return monday - timedelta(weeks=1), monday + timedelta(days=13)
