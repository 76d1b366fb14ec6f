"""One junction: its part of what the city's page found. Nothing is estimated here.

The tables are the results of the report *traffic*, whole and rounded as its page shows them, so
that a junction's page and the city's say the same.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from datamall.handed import Results
from datamall.requirements import Absent, passes_absent
from datamall.traffic.information import WEEKDAYS, WORKING_DAY
from datamall.traffic.words import MEDIAN_LINE, hours_of_days

MODES = ("car", "heavy", "bus", "bike", "pedestrian")  # the first that is there is drawn
PEAKS = ("morning", "evening")
NO_CHANGE = "At no approach did the counts jump by a quarter or more and stay there."
NOT_ODD = "Nothing odd was found in what was counted."


def found(table: pd.DataFrame | Absent, title: str, nothing: str) -> pd.DataFrame | Absent:
    """Return a table, or where it has no rows a sentence that says so under a title."""
    return table if isinstance(table, Absent) or len(table) else Absent(title, nothing)


def unless_uncounted(city: Results, site: str, text: str) -> str:
    """Return a text on what was not found, or that nothing was counted that could tell."""
    own = row(city.at("junctions", site))
    counted = own is None or own["detectors"] > 0
    return text if counted else "Nothing was counted here, so that nothing is known of it."


def faults(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return what is odd of the counts of a junction, with evidence, as `health.examine` says."""
    own = city.at("faults", site)
    own = own if isinstance(own, Absent) or own.empty else own.drop(columns="site")
    return found(own, "What is odd of its counts", unless_uncounted(city, site, NOT_ODD))


def working_day(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return passages by mode and period of a working day, as from `information.periods`."""
    own = city.at("periods", site)
    if not isinstance(own, Absent) and len(own):
        own = own[own["days"] == WORKING_DAY].drop(columns=["site", "days"])
    return found(own, "A working day", "It was not counted on a whole working day.")


def usual_week(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return the usual week, hour by hour and mode: when, hour (0 to 167), mean, low, high, line.

    As from `information.profiles`; hours that were never counted lack their mean.
    """
    own = city.at("profiles", site)
    if isinstance(own, Absent) or own.empty:
        return found(own, "The usual week", "No hour of the week is known.")
    own = own.assign(hour=24 * (own["weekday"] - 1) + own["hour"])
    days = [name[:3] for name in WEEKDAYS]
    parts = [
        hours_of_days(own[own["mode"] == mode], days).assign(line=mode)
        for mode in _modes(own)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def changes(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return the days set aside because the road was another one, as from `changes.changes`."""
    own = city.at("changes", site)
    own = own if isinstance(own, Absent) or own.empty else own.drop(columns="site")
    nothing = f"{NO_CHANGE} Smaller and slow changes are no jumps."
    return found(own, "The road of today", unless_uncounted(city, site, nothing))


def fullness(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return how full each lane group is in both peaks, the fullest first; from the city's table.

    Columns: where (approach, lane group and peak), ratio, low, high, verdict, demand, delay (s per
    vehicle), level, capacity (pcu/h), quarter (pcu/h in the busiest 15 minutes), hour, days.
    """
    own = city.at("ratios", site)
    if isinstance(own, Absent) or own.empty:
        return found(own, "How full", "No lane group here has both a volume and a capacity.")
    where = own["approach"] + " " + own["lane_group"].replace("-", "all") + ", " + own["peak"]
    columns = ["ratio", "low", "high", "verdict", "demand", "delay", "level", "capacity"]
    return own.assign(where=where)[["where", *columns, "quarter", "hour", "days"]]


def congested(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return the hours of the week in which it was ever congested, the most often first."""
    own = city.at("congested_hours", site)
    if not isinstance(own, Absent) and len(own):
        own = own[own["chance"] > 0]
        order = own.assign(order=-own["chance"]).sort_values(["order", "weekday", "hour"])
        hours = zip(order["weekday"], order["hour"], strict=True)
        when = [f"{WEEKDAYS[day - 1]}, {hour}–{hour + 1} h" for day, hour in hours]
        own = order.assign(when=when)[["when", "chance", "low", "high", "weeks", "basis"]]
    return found(own, "Congested hours", "It was congested in none of the hours that are known.")


def ceilings(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return where counts stop at capacity or not, as from `censoring.plateaus`."""
    own = city.at("plateaus", site)
    if not isinstance(own, Absent) and len(own):
        own = own[["approach", "movement", "mode", "verdict", "evidence"]]
    return found(own, "Counts that stop", "No approach was counted long enough to tell.")


def proposed(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return what is recommended in each peak, and what is expected of it or why not."""
    own = city.at("decisions", site)
    if not isinstance(own, Absent) and len(own):
        own = own.assign(place=own["peak"].map(PEAKS.index)).sort_values("place")
        own = own[["peak", "recommended", "expected"]]
    return found(own, "A signal plan", "Nothing was proposed: no lane group is on file.")


def who_waits(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return what the plans to try do to each kind of people, by peak."""
    own = city.at("who_waits", site)
    if not isinstance(own, Absent) and len(own):
        own = own.drop(columns=["site", "name"])
    return found(own, "Who is helped", "No plan is proposed that would help or harm anybody.")


def to_confirm(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return what to measure to know whether the plans to try help, by peak."""
    own = city.at("to_confirm", site)
    if not isinstance(own, Absent) and len(own):
        own = own.drop(columns=["site", "name", "week_sd"])
    return found(own, "What to measure", "No plan is proposed that could be confirmed.")


def week_ahead(city: Results, site: str) -> pd.DataFrame | Absent:
    """Return the week ahead of the mode that weighs most, beside the median of the weeks before.

    Columns: when, hour (0 the first of the week), number, low, high, line, mode.
    """
    own = city.at("forecasts", site)
    if isinstance(own, Absent) or own.empty:
        nothing = "It was not counted long enough, or not lately enough, to be forecast."
        return found(own, "The week ahead", nothing)
    own = own[own["mode"] == _modes(own)[0]]
    day = pd.to_datetime(own["day"])
    first = day.max() - pd.Timedelta(days=6)  # counted again later: two weeks
    own = own.assign(hour=24 * (day - first).dt.days + own["hour"])
    names = [
        f"{d.day_name()[:3]} {d.day} {d.month_name()[:3]}" for d in pd.date_range(first, periods=7)
    ]
    whole = hours_of_days(own[own["hour"] >= 0], names)
    no_ends = {"low": float("nan"), "high": float("nan")}
    lines = [
        whole.assign(number=whole["expected"], line="forecast"),
        whole.assign(number=whole["median"], line=MEDIAN_LINE, **no_ends),
    ]
    columns = ["when", "hour", "number", "low", "high", "line", "mode"]
    return pd.concat(lines, ignore_index=True).assign(mode=own["mode"].iloc[0])[columns]


@passes_absent
def _modes(own: pd.DataFrame) -> list[str]:
    """Return the modes of a table, those that weigh most first."""
    there = list(dict.fromkeys(own["mode"]))
    return [m for m in MODES if m in there] + sorted(m for m in there if m not in MODES)


def row(table: pd.DataFrame | Absent, **where: Any) -> Mapping[str, Any] | None:
    """Return the first row of a table with these values; None where there is none."""
    if isinstance(table, Absent) or table.empty:
        return None
    for column, value in where.items():
        table = table[table[column] == value]
    return table.iloc[0].to_dict() if len(table) else None
