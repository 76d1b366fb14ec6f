"""Words: the answer, what is to be seen in each figure, and the headings of tables."""

from typing import TypeAlias

import pandas as pd

from datamall.requirements import Absent, passes_absent
from datamall.traffic import wisdom
from datamall.traffic.capacity import ABOVE, CUT_OFF
from datamall.traffic.forecast import Forecasts
from datamall.traffic.forecast_models import MEDIAN_WEEKS
from datamall.traffic.health import LOST
from datamall.traffic.information import WEEKDAYS, WORKING_DAY
from datamall.traffic.levels import FAULTY
from datamall.traffic.plans import OVER

Result: TypeAlias = pd.DataFrame | Absent
MEDIAN_LINE = f"median of up to {MEDIAN_WEEKS} weeks before"

# Headings of columns whose names do not say enough.
HEADINGS = {
    "above": "Days above capacity",
    "again": "Detectors not summed",
    "avoidable": "Avoidable person-hours",
    "basis": "Judged by",
    "better_days": "Days with less delay",
    "bike": "Cyclists",
    "bike_wait": "Cyclists wait then (s)",
    "bike_wait_now": "Cyclists wait now (s)",
    "capacity": "Capacity (pcu/h)",
    "ceiling": "Counts stop at (per hour)",
    "chance": "Share of weeks congested",
    "counted_to": "Counts to",
    "coverage": "Counted",
    "cut": "Demand cut off at",
    "cycle": "Cycle then (s)",
    "cycle_now": "Cycle now (s)",
    "day_high": "Single days, to",
    "day_low": "Single days, from",
    "decided_by_role": "Decided by (role)",
    "delay": "Delay (s per vehicle)",
    "detectable": "Smallest change found",
    "detectable_share": "The same, as a share",
    "doubt": "Cut off or not at",
    "evening": "Evening peak, now ÷ then",
    "gain": "Person-hours saved a peak",
    "greens": "Greens now → then",
    "high": "To",
    "hour_from": "From (h)",
    "hour_to": "Until (h)",
    "interval": "Interval (min)",
    "last_known": "Last known on",
    "level": "Level of service",
    "longest_red": "Longest red then (s)",
    "lost": "Person-hours lost",
    "low": "From",
    "mase_gated": "Error, gated",
    "mase_median": "Error, median of weeks",
    "mase_model": "Error, adaptive profile",
    "model_used": "Model used",
    "median": "Median of weeks",
    "method": "Chosen",
    "morning": "Morning peak, now ÷ then",
    "motor": "People in cars and buses",
    "nominal": "Promised",
    "other": "Other hours, now ÷ then",
    "pedestrian": "Pedestrians",
    "pedestrian_wait": "Pedestrians wait then (s)",
    "pedestrian_wait_now": "Pedestrians wait now (s)",
    "queue": "A queue is sure",
    "quarter": "Busiest 15 minutes (pcu/h)",
    "rank_high": "Rank, to",
    "rank_low": "Rank, from",
    "ratio": "Volume / capacity",
    "ratio_sum": "Share of time needed (Y)",
    "refused": "Peaks without a plan",
    "served": "Share of time served",
    "site": "Junction",
    "sites": "Junctions",
    "usual": "Level, usual day",
    "volume": "Volume (pcu/h)",
    "week_sd": "Week to week (sd)",
}

# Columns of one kind, as tables show them.
ERRORS = ("mase_median", "mase_model", "mase_trend", "mase_gated")
STRETCH = ("hour_from", "hour_to", "days", "of_days")
PLAN = ("gain", "low", "high", "greens", "cycle_now", "cycle", "better_days", "cut")
WAITS = ("bike_wait_now", "bike_wait", "pedestrian_wait_now", "pedestrian_wait")


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural unless it is 1."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def answer(plans: Result, periods: Result, confidence: float) -> str:
    """Return the answer of the analysis with its interval, short enough for a small screen.

    Parameters
    ----------
    plans
        As from `wisdom.proposals`; an Absent where no capacities or signal plans are known.
    periods
        As from `information.periods`; an Absent where nothing is counted.
    confidence
        Level of the intervals.
    """
    level = f"{100 * confidence:g} % interval"
    if isinstance(plans, Absent):
        days = working_days(periods)
        text = "Where people lose time cannot be said: no capacity or signal plan is known."
        if isinstance(days, Absent) or days.empty:
            return text
        top = days.iloc[0]
        return (
            f"{text} Of {counted(days['site'].nunique(), 'junction')}, {top['site']} counts most: "
            f"{top['mean']:,.0f} cars a working day ({level} {top['low']:,.0f} to "
            f"{top['high']:,.0f})."
        )
    sites = plans["site"].nunique()
    tried = plans[plans["verdict"] == wisdom.RECOMMENDED]
    over = plans.loc[plans["reason"].str.endswith(OVER), "site"].nunique()
    rest = f" At {over}, no timing solves it." if over else ""
    if tried.empty:
        return f"No other signal plan is known to save time at {counted(sites, 'junction')}.{rest}"
    by_site = tried.groupby("site")[["gain", "low", "high"]].sum()
    total, name = by_site.sum(), tried.set_index("site")["name"]
    return (
        f"At {len(by_site)} of {counted(sites, 'junction')}, other signal plans would save "
        f"{total['gain']:.0f} person-hours a working day ({level} {total['low']:.0f} to "
        f"{total['high']:.0f}), most at {name[[by_site['gain'].idxmax()]].iloc[0]}.{rest}"
    )


def metrics(plans: Result, faults: Result, plateaus: Result, scores: Result) -> dict[str, float]:
    """Return the numbers worth following from run to run, by name.

    Parameters
    ----------
    plans, faults, plateaus, scores
        As from `wisdom.proposals`, `health.examine`, `censoring.plateaus` and the scores of
        `forecast.forecasts`. What an Absent would have given is left out.
    """
    numbers: dict[str, float] = {}
    if not isinstance(plans, Absent):
        tried = plans[plans["verdict"] == wisdom.RECOMMENDED]
        numbers |= {"plans": len(tried)} | tried[["gain", "low", "high"]].sum().to_dict()
        numbers["no_plan"] = int((plans["verdict"] == wisdom.REFUSED).sum())
    if not isinstance(faults, Absent):
        broken = (faults["verdict"] == FAULTY) & (faults["kind"] != LOST)
        numbers["faults"] = int(broken.sum())
    if not isinstance(plateaus, Absent):
        for verdict, number in plateaus["verdict"].value_counts().items():
            numbers[str(verdict).replace(" ", "_")] = number
    for row in () if isinstance(scores, Absent) else scores.itertuples():
        for name in ("mase_median", "mase_gated", "coverage"):
            numbers[f"{name}_{row.mode}_{row.period[:4]}"] = getattr(row, name)
    return {name: float(value) for name, value in numbers.items()}


@passes_absent
def working_days(periods: pd.DataFrame) -> pd.DataFrame:
    """Return the cars of 24 hours on a working day by site, the most first; as for `answer`."""
    chosen = (periods["mode"] == "car") & (periods["days"] == WORKING_DAY)
    own = periods[chosen & periods["period"].str.startswith("24")]
    order = own.assign(order=-own["mean"]).sort_values(["order", "site"], ignore_index=True)
    return order.drop(columns="order")


@passes_absent
def usual_week(profiles: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    """Return the usual week of cars at the site with the most of them, hour by hour.

    Parameters
    ----------
    profiles
        As from `information.profiles`.
    days
        As from `working_days`.

    Returns
    -------
    pandas.DataFrame
        when, hour (0 Monday 0–1 h … 167), mean, low, high (missing where never counted), site,
        line.
    """
    own = _most_cars(profiles, days)
    hour = 24 * (own["weekday"] - 1) + own["hour"]
    whole = hours_of_days(own.assign(hour=hour), [name[:3] for name in WEEKDAYS])
    return whole.assign(line=whole["site"] + ": mean of all weeks")


@passes_absent
def next_week(ahead: Forecasts, days: pd.DataFrame) -> pd.DataFrame:
    """Return the week ahead of cars at the site with the most of them, beside the median.

    Parameters
    ----------
    ahead
        As from `forecast.forecasts`.
    days
        As from `working_days`.

    Returns
    -------
    pandas.DataFrame
        when, hour (0 the first hour of the week … 167), cars, low, high, site, line: the forecast
        by the chosen method with its interval, and the median of the weeks before.
    """
    own = _most_cars(ahead.week, days)
    first = own["day"].max() - pd.Timedelta(days=6)  # a site counted again later has two weeks
    hour = 24 * (own["day"] - first).dt.days + own["hour"]
    dates = pd.date_range(first, periods=7) if len(own) else []
    names = [f"{day.day_name()[:3]} {day.day} {day.month_name()[:3]}" for day in dates]
    whole = hours_of_days(own.assign(hour=hour), names)
    name = whole["site"] + ": forecast by " + whole["method"]
    chosen = whole.assign(cars=whole["expected"], line=name)
    other = whole.assign(
        cars=whole["median"], line=MEDIAN_LINE, low=float("nan"), high=float("nan")
    )
    columns = ["when", "hour", "cars", "low", "high", "site", "line"]
    return pd.concat([chosen, other], ignore_index=True)[columns]


def _most_cars(table: pd.DataFrame, days: pd.DataFrame) -> pd.DataFrame:
    return table[(table["mode"] == "car") & table["site"].isin(days["site"].head(1))]


def hours_of_days(own: pd.DataFrame, days: list[str]) -> pd.DataFrame:
    """Return all hours of the named days, with a column `when`; numbers are NaN where unknown."""
    names = [f"{day}, {hour}–{hour + 1} h" for day in days for hour in range(24)]
    whole = pd.DataFrame({"when": names, "hour": range(len(names))})
    own = own.drop_duplicates("hour", keep="last")  # a site may count in two ways: one is drawn
    whole = whole.merge(own, on="hour", how="left")
    same = [name for name in ("site", "method") if name in whole]
    return whole.assign(**whole[same].ffill().bfill())


@passes_absent
def noons(week: pd.DataFrame) -> dict[int, str]:
    """Return the name of each day at its noon, for the axis of a figure; `week` as above.

    Of dates the first and that of a new month name the month.
    """
    noon = week[week["hour"] % 24 == 12].drop_duplicates("hour")
    days: dict[int, str] = {}
    for row in noon.itertuples():
        name, *date = row.when.partition(",")[0].split()
        shown = date if not days or "1" in date else date[:1]
        days[row.hour] = f"{name}\n{' '.join(shown)}".strip()
    return days


@passes_absent
def part(ahead: Forecasts, name: str) -> pd.DataFrame:
    """Return one table of the forecasts: "week", "scores" or "by_site"."""
    return getattr(ahead, name)


@passes_absent
def week_ahead(ahead: Forecasts) -> pd.DataFrame:
    """Return `Forecasts.week` to a tenth of a passage; how each was chosen is in other tables."""
    table = ahead.week.drop(columns=["method", "holiday"])
    numbers = table.columns.difference(["site", "mode", "day", "hour"])
    return table.assign(**{name: table[name].round(1) for name in numbers})


@passes_absent
def choices(by_site: pd.DataFrame) -> pd.DataFrame:
    """Return mode, sites (how many), method and why, from `Forecasts.by_site`."""
    groups = by_site.groupby(["mode", "method", "why"], as_index=False)
    return groups.agg(sites=("site", "nunique"))[["mode", "sites", "method", "why"]]


@passes_absent
def fullest(ratios: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the first rows of `capacity.ratios` with a column `where` that names each."""
    where = ratios[["site", "approach", "lane_group"]].agg(" ".join, axis=1)
    return ratios.assign(where=where + ", " + ratios["peak"]).head(rows)


@passes_absent
def at_a_ceiling(plateaus: pd.DataFrame) -> pd.DataFrame:
    """Return where demand is cut off or the capacity on file refuted; as `censoring.plateaus`."""
    return plateaus[plateaus["verdict"].isin([CUT_OFF, ABOVE])]


@passes_absent
def describe_week(week: pd.DataFrame, value: str) -> str:
    """Say when a week is busiest; `week` as from `usual_week` or `next_week`."""
    known = week.dropna(subset=value)
    if known.empty:
        return "Nothing is known of the cars of a week."
    top, least = (known.loc[getattr(known[value], f)()] for f in ("idxmax", "idxmin"))
    return (
        f"Cars by hour of the week at junction {top['site']}: between {least[value]:,.0f} on "
        f"{least['when']} and {top[value]:,.0f} on {top['when']} ({top['low']:,.0f} to "
        f"{top['high']:,.0f})."
    )


@passes_absent
def describe_ahead(week: pd.DataFrame, by_site: pd.DataFrame) -> str:
    """Say what is expected and why by that method; as from `next_week` and `Forecasts`."""
    chosen, other = week[week["line"] != MEDIAN_LINE], week[week["line"] == MEDIAN_LINE]
    text = describe_week(chosen, "cars")
    if chosen["cars"].isna().all():
        return text
    why = by_site[(by_site["mode"] == "car") & by_site["site"].isin(chosen["site"])]["why"]
    because = f", because {why.iloc[-1]}" if len(why) else ": no week could be tested"
    return (
        f"{text} In the whole week {chosen['cars'].sum():,.0f}; by the {MEDIAN_LINE} "
        f"{other['cars'].sum():,.0f}. {chosen['line'].iloc[0]}{because}."
    )


@passes_absent
def describe_days(days: pd.DataFrame) -> str:
    """Say how far junctions differ; `days` as from `working_days`."""
    if days.empty:
        return "No cars were counted on working days."
    first, last = days.iloc[0], days.iloc[-1]
    return (
        f"Cars on a working day at {counted(len(days), 'junction')}, from {last['mean']:,.0f} at "
        f"{last['site']} to {first['mean']:,.0f} at {first['site']} "
        f"({first['low']:,.0f} to {first['high']:,.0f})."
    )


@passes_absent
def describe_ratios(ratios: pd.DataFrame) -> str:
    """Say how full lane groups are; `ratios` as from `capacity.ratios`."""
    known = ratios.dropna(subset="ratio")
    number = known["verdict"].value_counts()
    parts = [f"{number[name]} {name}" for name in number.index]
    top = known.iloc[0]
    return (
        f"Lane groups and peaks: {', '.join(parts)}. The fullest is {top['approach']} "
        f"{top['lane_group']} at {top['name']} in the {top['peak']}: {top['ratio']:.2f} of its "
        f"capacity ({top['low']:.2f} to {top['high']:.2f})."
    )


@passes_absent
def describe_lost(table: pd.DataFrame) -> str:
    """Say where most time is lost; `table` as from `knowledge.lost_time`."""
    known = table.dropna(subset="lost")
    if known.empty:
        return "Nowhere is it known how much time is lost."
    first, last = known.iloc[0], known.iloc[-1]
    return (
        f"Person-hours lost a working day at {counted(len(known), 'junction')}: from "
        f"{last['lost']:.0f} at {last['name']} to {first['lost']:.0f} at {first['name']} "
        f"({first['low']:.0f} to {first['high']:.0f})."
    )


@passes_absent
def describe_avoidable(table: pd.DataFrame) -> str:
    """Say where most can be saved and how sure the order is; as from `knowledge.avoidable`."""
    known = table.dropna(subset="avoidable")
    text = f"{counted(len(table) - len(known), 'junction')} without any plan."
    if known.empty:
        return text
    first = known.iloc[0]
    return (
        f"Avoidable person-hours a working day at {counted(len(known), 'junction')}: most at "
        f"{first['name']}, {first['avoidable']:.0f} ({first['low']:.0f} to {first['high']:.0f}), "
        f"rank {first['rank_low']} to {first['rank_high']}. {text}"
    )


@passes_absent
def describe_map(places: pd.DataFrame) -> str:
    """Say what each junction needs; `places` as from `wisdom.on_map`."""
    number = places["needs"].value_counts()
    parts = [f"{number[name]} {name}" for name in wisdom.NEEDS if name in number]
    return f"Map of {counted(len(places), 'junction')}: {', '.join(parts)}."
