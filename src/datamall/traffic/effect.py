"""Knowledge, afterwards: what a measure did to the traffic where it was taken, and beside it.

An interrupted time series with controls: weeks of the junction beside weeks of all junctions that
nobody touched, before and since. What moves the whole city, a season or a holiday, moves the
controls too and is no effect; what moved to the street beside is no gain.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from datamall.errors import DatamallError
from datamall.requirements import Absent, needs, passes_absent
from datamall.traffic import serial
from datamall.traffic.cube import Cube
from datamall.traffic.information import check_confidence, holidays
from datamall.traffic.serial import Fit, Floats

MEASURES = "traffic.measures"
GIVEN = ("measure", "site", "approach", "kind", "aimed_at", "aim", "first_day")
ALL = "all"  # approaches
MORE = "more"
HERE, BESIDE, AREA = "here", "neighbours", "here and neighbours together"
HELPED, CONTRARY, NO_EFFECT = "helped", "did the contrary", "no effect large enough to matter"
NOT_ENOUGH = "not enough evidence"
MOVED = "traffic moved, no gain"
APART = "not separable"
ROSE, FELL, STAYED = "rose", "fell", "no change that matters"
COLUMNS = ["measure", "site", "approach", "kind", "mode", "about", "first_day", "before", "after"]
COLUMNS += ["controls", "ratio", "low", "high", "passages", "passages_low", "passages_high"]
COLUMNS += ["correlation", "findable", "verdict", "reason"]
LEAST_DAYS = 4  # of a week, without which it is not known
COUNTED = 0.75  # of the days before, and of those since, that a control or neighbour must count
FEW = 0.5  # added to a day's count, so that an empty street is no endless fall


@dataclass(frozen=True)
class Rules:
    """What shapes an estimate.

    Attributes
    ----------
    confidence
        Probability with which all intervals hold together.
    worth
        Share of the traffic from which on a change matters.
    near
        Metres within which another junction is a neighbour: it may take or lose what moved, and
        is no control.
    weeks
        Longest time before, and since, that is looked at.
    least_before, least_after, least_controls
        Weeks and junctions without which there is no number.
    swing, growth
        Assumed of a junction, as standard deviations: by how much more or less it swings with the
        city (a share), and grows otherwise than the city in a year (log). Who grew faster than that
        already before proves nothing.
    power
        Probability with which `findable` would be found.
    """

    confidence: float = 0.95
    worth: float = 0.05
    near: float = 750.0
    weeks: int = 26
    least_before: int = 8
    least_after: int = 4
    least_controls: int = 3
    swing: float = 0.3
    growth: float = 0.1
    power: float = 0.8


@needs("Did what was done help?", *(f"{MEASURES}.{name}" for name in GIVEN))
@passes_absent
def effects(
    data: Any, cube: Cube, rules: Rules, calendar: pd.DataFrame | None = None
) -> pd.DataFrame | Absent:
    """Estimate what each measure did to what was counted, and say how sure that is.

    Parameters
    ----------
    data
        The extract; junctions without x and y have no neighbours.
    cube
        Counts of healthy detectors, all days.
    rules
        See `Rules`.
    calendar
        shared.calendar; public holidays are left out.

    Returns
    -------
    pandas.DataFrame
        One row per measure, mode and place that is looked at: measure, site, approach, kind, mode,
        about (`HERE`; of the mode that the measure is aimed at also `BESIDE`, all neighbours and
        other approaches together, and `AREA`, both), first_day, before and after (weeks known),
        controls, ratio (of what passed to what would have passed without it) with low and high,
        passages (the same a day, at the level of before) with low and high, correlation (of one
        week with the next), findable (smallest rise, as a share, that would be found in `power` of
        the cases), verdict and reason (of the rows about `HERE`). NaN where there is no number,
        which the reason explains.

    Notes
    -----
    Of each day the logarithm of the count, less the mean of its weekday before, and less the median
    of the same of all controls; weeks are counted from the first day on and are the means of their
    days. Controls are all junctions that count the same mode well before and since, lie further
    away than `near` and saw no measure begin or end in the time: nobody chooses them by how they
    moved. The change of level is that of `serial.fit`, whose weeks resemble each other, beside a
    swing and a growth of the place's own, which are assumed to be small. What controls add to an
    interrupted time series: Bernal, Cummins and Gasparrini 2018, Int. J. Epidemiology 47:2082. All
    intervals hold together (Bonferroni).

    Where another measure begins or ends at the junction or beside it, the time looked at ends
    there, so that no week is counted for both; what begins in the same week is not separable.

    Raises
    ------
    DatamallError
        When a rule is out of its range.
    """
    _check(rules)
    table = data[MEASURES].sort_values(["first_day", "measure"], ignore_index=True)
    counts = _Counts.of(cube, table, calendar)
    places = _positions(data)
    found = [_measure(row, table, counts, places, rules) for row in table.itertuples()]
    rows = [row for own in found for row in own]
    together = sum(row.fit is not None for row in rows)
    result = pd.DataFrame(
        [_row(row, rules, together) for row in rows], columns=COLUMNS[:-2]
    ).astype({"before": "Int64", "after": "Int64", "controls": "Int64"})
    return result.assign(**_judged(result, rows, table, rules))


def _check(rules: Rules) -> None:
    check_confidence(rules.confidence)
    if not (0 < rules.worth < 1 and rules.near >= 0 and 0 < rules.power < 1):
        raise DatamallError(
            "The least share that matters and the power lie between 0 and 1, and metres are not "
            "below 0: mend effect_worth, effect_near or power in params.yaml."
        )
    if rules.least_before < 4 or rules.least_after < 2 or rules.least_controls < 1:
        raise DatamallError(
            "An effect needs at least 4 weeks before, 2 since, and a control: mend the least weeks "
            "in params.yaml."
        )


@dataclass(frozen=True)
class _Counts:
    """Passages a day by site, approach (or `ALL`) and mode; NaN where unknown, and on holidays."""

    days: pd.DatetimeIndex
    daily: dict[tuple[str, str, str], Floats]

    @classmethod
    def of(cls, cube: Cube, measures: pd.DataFrame, calendar: pd.DataFrame | None) -> "_Counts":
        first, last = min(b.days[0] for b in cube), max(b.days[-1] for b in cube)
        days = pd.date_range(first, last)
        arms = set(measures.loc[measures["approach"] != ALL, "site"])
        daily: dict[tuple[str, str, str], Floats] = {}
        for block in cube:
            begin = (block.days[0] - first).days
            own = block.hourly()
            chosen = own.take(own.series["site"].isin(arms).to_numpy())
            for by, part in ((["site", "mode"], own), (["site", "approach", "mode"], chosen)):
                if part.series.empty:
                    continue
                keys, hours = part.sums(by)
                for key, total in zip(keys.itertuples(index=False), hours.sum(axis=2), strict=True):
                    name = (str(key.site), str(getattr(key, "approach", ALL)), str(key.mode))
                    values = daily.setdefault(name, np.full(len(days), np.nan))
                    part_days = values[begin : begin + len(total)]
                    part_days[:] = np.where(np.isnan(part_days), total, part_days)
        free = holidays(days, calendar)
        for values in daily.values():
            values[free] = np.nan
        return cls(days, daily)

    def at(self, day: pd.Timestamp) -> int:
        """Return the number of a day, which may lie outside."""
        return int((pd.Timestamp(day) - self.days[0]).days)


class _Time(NamedTuple):
    """Days that are looked at: from `start` to `first` (exclusive), and on to `end` (exclusive)."""

    start: int
    first: int
    end: int


class _Row(NamedTuple):
    """One estimate, or the reason why there is none."""

    measure: Any
    mode: str
    about: str
    reason: str
    fit: Fit | None = None
    base: float = np.nan
    before: int | None = None
    after: int | None = None
    controls: int | None = None
    drift: bool = False


def _positions(data: Any) -> dict[str, tuple[float, float]]:
    """Return where junctions lie, of those of which it is known."""
    table = data.get("traffic.junctions")
    if table is None or not {"site", "x", "y"} <= set(table):
        return {}
    known = table[["site", "x", "y"]].dropna().drop_duplicates("site")
    return {str(r.site): (float(r.x), float(r.y)) for r in known.itertuples()}


def _neighbours(site: str, places: dict[str, tuple[float, float]], near: float) -> set[str]:
    if site not in places:
        return set()
    x, y = places[site]
    away = {one: np.hypot(a - x, b - y) for one, (a, b) in places.items() if one != site}
    return {one for one, metres in away.items() if round(metres, 3) <= near}


def _measure(
    row: Any,
    table: pd.DataFrame,
    counts: _Counts,
    places: dict[str, tuple[float, float]],
    rules: Rules,
) -> list[_Row]:
    """Return the rows of one measure."""
    site, approach = str(row.site), str(row.approach)
    aimed = str(row.aimed_at)
    beside = _neighbours(site, places, rules.near)
    time, refused = _time(row, table, counts, {site} | beside, rules)
    modes = sorted(mode for own, arm, mode in counts.daily if (own, arm) == (site, approach))
    if aimed not in modes:
        where = f"junction {site}" + ("" if approach == ALL else f", {approach}")
        return [_Row(row, aimed, HERE, f"No {aimed} is counted at {where}.")]
    if refused:
        return [_Row(row, aimed, HERE, refused)]
    rows = []
    for mode in sorted(modes, key=lambda one: (one != aimed, one)):
        others = _controls(mode, {site} | beside, table, counts, time)
        own = counts.daily[site, approach, mode]
        made = _estimate(row, mode, HERE, own, others, counts, time, rules)
        rows.append(made)
        if mode != aimed or made.fit is None:
            continue
        around = [
            counts.daily[one, ALL, mode]
            for one in sorted(beside)
            if (one, ALL, mode) in counts.daily
        ]
        if approach != ALL:
            around.append(counts.daily[site, ALL, mode] - own)
        if around:
            there = np.sum(around, axis=0)
            for about, values in ((BESIDE, there), (AREA, there + own)):
                rows.append(_estimate(row, mode, about, values, others, counts, time, rules))
    return rows


def _time(
    row: Any, table: pd.DataFrame, counts: _Counts, around: set[str], rules: Rules
) -> tuple[_Time, str]:
    """Return the days of which nothing else is known to have changed, or why there are too few."""
    first, span = counts.at(row.first_day), 7 * rules.weeks
    start, end = max(first - span, 0), min(first + span, len(counts.days))
    until = getattr(row, "last_day", pd.NaT)
    if pd.notna(until):
        end = min(end, counts.at(until) + 1)
    cut: set[str] = set()
    for other in table[table["site"].isin(around) & (table["measure"] != row.measure)].itertuples():
        gone = getattr(other, "last_day", pd.NaT)
        for day in (other.first_day, *([] if pd.isna(gone) else [gone + pd.Timedelta(days=1)])):
            at = counts.at(day)
            if abs(at - first) < 7:
                return _Time(
                    start, first, end
                ), f"{APART}: {other.measure} begins or ends at {other.site} in the same week."
            if start < at < first:
                start, cut = at, cut | {str(other.measure)}
            elif first < at < end:
                end, cut = at, cut | {str(other.measure)}
    time = _Time(start, first, end)
    before, after = (first - start) // 7, (end - first) // 7
    if before >= rules.least_before and after >= rules.least_after:
        return time, ""
    if cut and (first // 7 >= rules.least_before):
        return time, f"{APART}: Too few weeks without {' and '.join(sorted(cut))}, here or beside."
    if before < rules.least_before:
        many, when, least = before, "before it", rules.least_before
    else:
        many, when, least = after, "since", rules.least_after
    return time, f"Only {max(many, 0)} weeks are counted {when}, and {least} are needed."


def _controls(
    mode: str, around: set[str], table: pd.DataFrame, counts: _Counts, time: _Time
) -> list[Floats]:
    """Return the days of all junctions that nobody touched in the time."""
    touched = set(around)
    for other in table.itertuples():
        gone = getattr(other, "last_day", pd.NaT)
        days = [other.first_day] + ([] if pd.isna(gone) else [gone + pd.Timedelta(days=1)])
        if any(time.start < counts.at(day) < time.end for day in days):
            touched.add(str(other.site))
    return [
        values
        for (site, arm, own), values in sorted(counts.daily.items())
        if (arm, own) == (ALL, mode) and site not in touched and _counted(values, time)
    ]


def _counted(values: Floats, time: _Time) -> bool:
    """Return whether enough is known both before and since."""
    parts = values[time.start : time.first], values[time.first : time.end]
    return all(np.isfinite(part).mean() >= COUNTED and (part > 0).any() for part in parts)


def _relative(values: Floats, counts: _Counts, time: _Time) -> Floats:
    """Return the logarithm of each day less the mean of its weekday before, (…, days)."""
    level = np.log(values + FEW)
    weekday = counts.days.day_of_week.to_numpy()
    for day in range(7):
        own = level[..., weekday == day]
        before = level[..., time.start : time.first][..., weekday[time.start : time.first] == day]
        number = np.isfinite(before).sum(axis=-1, keepdims=True)
        usual = np.nansum(before, axis=-1, keepdims=True) / np.where(number > 0, number, np.nan)
        level[..., weekday == day] = own - usual
    return level


def _estimate(
    row: Any,
    mode: str,
    about: str,
    own: Floats,
    others: list[Floats],
    counts: _Counts,
    time: _Time,
    rules: Rules,
) -> _Row:
    """Return one estimate, or why there is none."""
    if len(others) < rules.least_controls:
        return _Row(
            row,
            mode,
            about,
            f"Only {len(others)} junctions to compare with count {mode} in the same time and were "
            f"left alone; {rules.least_controls} are needed.",
            controls=len(others),
        )
    compared = _relative(np.array(others), counts, time)
    beside = np.full(len(own), np.nan)
    enough = np.isfinite(compared).sum(axis=0) >= rules.least_controls
    beside[enough] = np.nanmedian(compared[:, enough], axis=0)
    city, _ = _weeks(beside, time)
    weekly, before = _weeks(_relative(own, counts, time) - beside, time)
    known = np.isfinite(weekly)
    many = int(known[:before].sum()), int(known[before:].sum())
    if many[0] < rules.least_before or many[1] < rules.least_after:
        said = f"{many[0]} weeks before and {many[1]} since are counted in most of their days; "
        said += f"{rules.least_before} and {rules.least_after} are needed."
        return _Row(row, mode, about, said, None, np.nan, *many, len(others))
    since = (np.arange(len(weekly)) >= before).astype(float)
    # Who swings or grows more than the city does is no effect either.
    week = np.arange(len(weekly)) - before
    design = np.column_stack([np.ones(len(weekly)), np.nan_to_num(city), week / 52, since])
    fit = serial.fit(weekly, design, (np.inf, rules.swing, rules.growth))
    base = float(np.nanmean(own[time.start : time.first]))
    drift = _drifts(weekly[:before], design[:before, :3], rules)
    return _Row(row, mode, about, "", fit, base, *many, len(others), drift)


def _weeks(level: Floats, time: _Time) -> tuple[Floats, int]:
    """Return the means of the weeks counted from the first day on, and how many lie before it."""
    before, after = (time.first - time.start) // 7, (time.end - time.first) // 7
    days = level[time.first - 7 * before : time.first + 7 * after].reshape(-1, 7)
    number = np.isfinite(days).sum(axis=1)
    mean = np.nansum(days, axis=1) / np.maximum(number, 1)
    return np.where(number >= LEAST_DAYS, mean, np.nan).round(9), before


def _drifts(weekly: Floats, design: Floats, rules: Rules) -> bool:
    """Return whether the place grew against its controls before already, more than is assumed."""
    if np.isfinite(weekly).sum() <= design.shape[1]:
        return False
    slope = serial.fit(weekly, design, (np.inf, rules.swing))
    low, high = slope.interval(0.95)
    sure = low > 0 or high < 0
    return bool(sure and round(abs(slope.mean), 9) >= rules.growth)


def _row(row: _Row, rules: Rules, together: int) -> tuple[Any, ...]:
    own = row.measure
    about = (own.measure, own.site, own.approach, own.kind, row.mode, row.about, own.first_day)
    many = (row.before, row.after, row.controls)
    if row.fit is None:
        return (*about, *many, *(np.nan,) * 8)
    low, high = row.fit.interval(rules.confidence, together)
    ratio = np.exp([row.fit.mean, low, high]).round(9)
    passages = (row.base * (ratio - 1)).round(6)
    tail = ndtri(1 - (1 - rules.confidence) / 2 / together)
    least = np.expm1((high - low) / 2 * (1 + ndtri(rules.power) / tail))
    return (*about, *many, *ratio, *passages, row.fit.correlation, least)


def _judged(
    result: pd.DataFrame, rows: list[_Row], table: pd.DataFrame, rules: Rules
) -> dict[str, list[str]]:
    """Return verdict and reason of each row about the place itself."""
    verdicts, reasons = [], []
    for place, (row, about) in enumerate(zip(rows, result.itertuples(), strict=True)):
        verdict = reason = ""
        if about.about == HERE:
            rest = result.iloc[place + 1 : place + 3]
            same = (rest["measure"] == about.measure) & (rest["mode"] == about.mode)
            area = rest[same & (rest["about"] == AREA)]
            verdict, reason = _verdict(row, about, area, rules)
        verdicts.append(verdict)
        reasons.append(reason)
    return {"verdict": verdicts, "reason": reasons}


def _verdict(row: _Row, own: Any, area: pd.DataFrame, rules: Rules) -> tuple[str, str]:
    if row.fit is None:
        said = row.reason.removeprefix(f"{APART}: ")
        return (NOT_ENOUGH if said == row.reason else APART), said
    if row.drift:
        return NOT_ENOUGH, (
            "It moved against its controls before the measure already, so that what came after is "
            "no proof of it."
        )
    least = rules.worth * row.base
    low, high = own.passages_low, own.passages_high
    if row.mode != row.measure.aimed_at:
        if low > 0 or high < 0:
            return (ROSE if low > 0 else FELL), "Not what the measure was for."
        inside = max(-low, high) < least
        return (STAYED, "Not what the measure was for.") if inside else (NOT_ENOUGH, _find(own))
    sign = 1 if row.measure.aim == MORE else -1
    low, high = sorted((sign * low, sign * high))
    if high < 0:
        return CONTRARY, f"Here it did the contrary of what was wanted ({row.measure.aim})."
    if low <= 0:
        known = high < least
        said = f"What it can have done lies below {100 * rules.worth:g} % of the traffic."
        return (NO_EFFECT, said) if known else (NOT_ENOUGH, _find(own))
    if area.empty:
        return HELPED, (
            "As wanted, here. No counted neighbour lies near: whether traffic moved to other "
            "streets is not known."
        )
    bounds = area.iloc[0][["passages_low", "passages_high"]].astype(float) * sign
    if bounds.isna().any():
        return NOT_ENOUGH, "As wanted here, but whether it moved beside it is not counted."
    if bounds.min() > 0:
        return HELPED, "As wanted, here and with its neighbours together."
    if bounds.max() < least:
        return MOVED, "As wanted here, and the neighbours moved the other way: no gain together."
    return NOT_ENOUGH, "As wanted here, but with its neighbours together it may be no gain."


def _find(own: Any) -> str:
    return f"Only a change of about {100 * own.findable:.0f} % or more would have been found."
