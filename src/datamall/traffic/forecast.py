"""A week ahead: a model that speaks only where it has beaten the median of weeks before.

The baseline is the median of up to eight weeks at the same hour of the week, which is hard to
beat. The model, an adaptive profile, is used for a site only where it has beaten the baseline on
the weeks before, by more than chance; else the baseline is. Everything is judged by rolling
origins: each week is forecast from the weeks before it alone, the choice between the two included.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from datamall.requirements import Absent, passes_absent
from datamall.threads import in_order
from datamall.traffic.cube import Array, Block, Cube, median
from datamall.traffic.information import check_confidence, holidays

BASELINE, MODEL = "median of weeks", "adaptive profile"
MEDIAN_WEEKS = 8
MEMORY = 26  # weeks that the adaptive profile looks back
HALF_LIFE = 4  # weeks after which a week weighs half as much
CLIP = 1.5  # robust standard deviations: what lies further from the median is drawn to there
LEVEL = 0.3  # share of the last fortnight's common deviation that is expected to last
BLEND = 0.5  # weight of the profile in the model; the median has the rest
RIDGE = 3  # days' worth of doubt about the effect of a kind of day
FIRST = 2  # weeks before the first origin
ORIGINS = 60  # latest weeks that are forecast as a test, at most
LEAST_ORIGINS = 8  # weeks forecast before the model may be chosen
LEAST_HOURS = 84  # of a week; a week with fewer is no test
GATE_TOGETHER = 0.95  # one-sided confidence that the model beats the baseline at all sites
GATE_ALONE = 0.8  # the same at the site itself, where weeks tell less
WITNESSES = 26  # latest weeks whose errors make the intervals


@dataclass(frozen=True)
class Forecasts:
    """Forecasts for the week after each series' last day, and how forecasts so far turned out.

    Attributes
    ----------
    week
        site, mode, day, hour, expected (passages), low, high, median (the baseline), method of
        `expected` (`BASELINE` or `MODEL`).
    scores
        One row per group of like detectors and mode: period (and interval), mode, sites, origins
        (weeks forecast as a test), mase_median, mase_model, mase_gated (mean absolute scaled error
        over all sites and origins, Hyndman and Koehler 2006 with the seasonal naive forecast of a
        week: error ÷ mean absolute difference to the week before, in the weeks before the
        origin), model_used (share of sites and origins at which the gate was
        open), nominal, coverage (share of the counts in their interval, on these weeks).
    by_site
        The same by site and mode, with method (for the week ahead) and why it was chosen; of a
        series that ended before the others, since when it is not counted.
    """

    week: pd.DataFrame
    scores: pd.DataFrame
    by_site: pd.DataFrame


@dataclass(frozen=True)
class _Run:
    """Arrays of one block; weeks end on the block's last day, the first may begin with NaN."""

    groups: pd.DataFrame
    weeks: Array  # (groups, weeks, 7, 24)
    median: Array  # the same and one week more: forecasts by the baseline, NaN before `start`
    model: Array
    scale: Array  # (groups, weeks + 1)
    working: NDArray[np.bool_]  # which of the 7 days are Monday to Friday
    start: int


@passes_absent
def forecasts(
    cube: Cube, confidence: float, calendar: pd.DataFrame | None = None
) -> Forecasts | Absent:
    """Forecast the hours of the week after the last day of each site and mode.

    Parameters
    ----------
    cube
        Counts of healthy detectors, summed by site and mode as in `Block.sums`.
    confidence
        Level of the intervals.
    calendar
        shared.calendar: public and school holidays, those of the week ahead included.

    Returns
    -------
    Forecasts
        Or an Absent when no site has two weeks of counts.

    Notes
    -----
    The adaptive profile works on log(1 + count): a mean by hour of the week over 26 weeks with a
    half-life of 4, outliers drawn in to 1.5 robust standard deviations around the median, plus 0.3
    of what the last fortnight deviated as a whole. School holidays and public holidays (against the
    Sunday of the same week) have effects by hour, shrunk towards none. The model is the mean of
    that and the baseline, which is half as wrong where the two differ without reason. The constants
    were chosen on two years of 88 junctions in Münster; a ridge regression on the calendar lost to
    the median on three of four real sets, which is why there is none.

    Intervals are quantiles of the chosen method's errors in the 26 weeks before, on the log scale,
    at the same hour of the day on working or weekend days. The gate is that of `chosen`.

    A gate cannot promise. On 48 windows of 170 to 520 days in Münster the published forecasts were
    on average 0.024 better than the median (scaled error), and worse once, by 0.002.

    Only past counts enter a forecast. Which counts are healthy was however judged with the whole
    period known: on the day itself some of these faults would not have been found yet.
    """
    check_confidence(confidence)
    weeks, scores, sites = [], [], []
    for block in cube:
        label = replace(block, interval=60).label
        coming, judged = _forecast(block, confidence, calendar)
        judged = judged.assign(period=label, nominal=confidence)
        if "origins" in judged:
            scores.append(_pooled(judged))
        for part in _ended(block):
            # Judged with the others; what comes is forecast from its own last day.
            own, why = _forecast(part, confidence, calendar)
            said = f"not counted since {part.days[-1]:%Y-%m-%d}; " + why["why"].astype(str)
            why = why.assign(period=label, nominal=confidence, why=said)
            coming, judged = (_replaced(a, b, part) for a, b in ((coming, own), (judged, why)))
        weeks += [coming] if len(coming) else []
        sites += [judged] if "origins" in judged else []
    if not weeks:
        return Absent("The week ahead", "Not possible here: no site was counted for two weeks.")
    order = ["site", "mode", "day", "hour"]
    by_site = pd.concat(sites).drop(columns=["inside", "hours"])
    return Forecasts(
        pd.concat(weeks).sort_values(order, ignore_index=True),
        pd.concat(scores).sort_values(["mode", "period"], ignore_index=True),
        by_site.sort_values(["site", "mode", "period"], ignore_index=True),
    )


def _forecast(
    block: Block, confidence: float, calendar: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the week ahead of a block, and how forecasts so far turned out."""
    runs = [
        run
        for run in block.over_parts(lambda _, part: _run(part.hourly(), calendar))
        if run is not None
    ]
    if not runs:
        return pd.DataFrame(columns=["site", "mode"]), pd.DataFrame(columns=["site", "mode", "why"])
    coming, judged = _judged(block, runs, confidence)
    return pd.concat(coming), pd.concat(judged)


def _ended(block: Block) -> Iterator[Block]:
    """Yield the series of sites and modes that end a week or more before the block, until then."""
    known = np.concatenate(block.over_parts(lambda _, part: np.isfinite(part.count).any(axis=2)))
    length = len(block.days)
    last = pd.Series(length - 1 - known[:, ::-1].argmax(axis=1)).where(known.any(axis=1), -1)
    keys = [block.series[name].to_numpy() for name in ("site", "mode")]
    last = last.groupby(keys).transform("max").to_numpy()
    for end in np.unique(last[(last >= 0) & (last <= length - 1 - 7)]):
        part = block.take(last == end)
        days = slice(int(end) + 1)
        spoilt, aside = (None if m is None else m[:, days] for m in (part.spoilt, part.aside))
        part = replace(part, days=part.days[days], stored=part.stored[:, days])
        yield replace(part, spoilt=spoilt, aside=aside)


def _replaced(table: pd.DataFrame, own: pd.DataFrame, part: Block) -> pd.DataFrame:
    """Return a table by site and mode with other rows for the series of a part."""
    series = pd.MultiIndex.from_frame(part.series[["site", "mode"]].astype(str))
    there = pd.MultiIndex.from_frame(table[["site", "mode"]].astype(str)).isin(series)
    kept = [each for each in (table[~there], own) if len(each)]
    return pd.concat(kept) if kept else own


def _judged(
    block: Block, runs: list[_Run], confidence: float
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Return the week ahead, and how forecasts so far turned out, each in parts."""
    errors = [_errors(run) for run in runs]
    modes = np.concatenate([run.groups["mode"].to_numpy() for run in runs])
    use = chosen(np.concatenate(errors, axis=1), modes, runs[0].start)
    each = np.split(use, np.cumsum([len(run.groups) for run in runs[:-1]]))

    def judge(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        run, error, own = runs[number], errors[number], each[number]
        best = np.where(own[:, :, None, None], run.model, run.median)
        low, high = _intervals(run, best, confidence)
        return _week(block, run, own, best, low, high), _scored(run, error, own, low, high)

    found = in_order(judge, range(len(runs)))
    return [week for week, _ in found], [scored for _, scored in found]


def chosen(error: NDArray[np.float64], modes: NDArray, start: int) -> NDArray[np.bool_]:
    """Say where the model may speak, from what was known before each week.

    Parameters
    ----------
    error
        Scaled errors, shape (2: baseline and model, groups, weeks), NaN where untested.
    modes
        Mode of each group; groups of one mode are judged together first.
    start
        First week that was forecast.

    Returns
    -------
    numpy.ndarray
        Shape (groups, weeks + 1): the last one is the week ahead. True where the model beat the
        baseline in the weeks before, by a t test over weeks: for all groups of the mode on
        average, and for the group itself; each on at least `LEAST_ORIGINS` weeks. Differences
        beyond 1 count as 1, lest one broken detector decides for all.
    """
    apart = np.clip(error[1] - error[0], -1, 1)
    use = np.zeros((apart.shape[0], apart.shape[1] + 1), dtype=bool)
    together = np.full_like(apart, np.nan)
    for mode in np.unique(modes):
        own = modes == mode
        number = np.isfinite(apart[own]).sum(axis=0)
        total = np.nansum(apart[own], axis=0)
        together[own] = np.divide(total, number, out=np.full(len(number), np.nan), where=number > 0)
    for week in range(start + LEAST_ORIGINS, use.shape[1]):
        alone = _better(apart[:, :week], GATE_ALONE)
        use[:, week] = alone & _better(together[:, :week], GATE_TOGETHER)
    return use


def _better(apart: Array, margin: float) -> NDArray[np.bool_]:
    """Return whether the mean along the last axis is below 0 by a one-sided t test."""
    number = np.isfinite(apart).sum(axis=1)
    many = number >= LEAST_ORIGINS
    mean = np.nansum(apart, axis=1) / np.maximum(number, 1)
    squares = np.nansum((apart - mean[:, None]) ** 2, axis=1) / np.maximum(number - 1, 1)
    width = stdtrit(np.maximum(number - 1, 1), margin) * np.sqrt(squares / np.maximum(number, 1))
    return many & (mean + width < 0)


def _run(block: Block, calendar: pd.DataFrame | None) -> _Run | None:
    """Forecast every week from the weeks before it; None where there are too few."""
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
    model, plain = baseline.copy(), baseline.copy()
    effect = {"school": np.zeros((len(groups), 1, 24)), "free": np.zeros((len(groups), 1, 24))}
    sums = {name: [np.zeros_like(values), np.zeros_like(values)] for name, values in effect.items()}
    for week in range(start, number + 1):
        past = slice(max(0, week - MEMORY), week)
        adjusted = log[:, past] - np.where(school[past][..., None], effect["school"][:, None], 0)
        plain[:, week] = _adaptive(np.where(free[past][..., None], np.nan, adjusted))
        baseline[:, week] = median(weeks[:, max(0, week - MEDIAN_WEEKS) : week], axis=1)
        expected = plain[:, week] + np.where(school[week][:, None], effect["school"], 0)
        like_sunday = plain[:, week, [sunday]] + effect["free"]
        expected = np.where(free[week][:, None], like_sunday, expected)
        profile = np.maximum(np.expm1(expected), 0)
        model[:, week] = BLEND * profile + (1 - BLEND) * baseline[:, week]
        if week < number:
            # What this week teaches about kinds of days, for the weeks after it.
            usual = {"school": plain[:, week], "free": plain[:, week, [sunday]]}
            for name, kind in (("school", school[week]), ("free", free[week])):
                rest = np.where(kind[:, None], log[:, week] - usual[name], np.nan)
                sums[name][0] += np.nansum(rest, axis=1, keepdims=True)
                sums[name][1] += np.isfinite(rest).sum(axis=1, keepdims=True)
                effect[name] = sums[name][0] / (sums[name][1] + RIDGE)
    naive = np.abs(np.diff(weeks, axis=1, prepend=np.nan))
    total = np.nansum(naive, axis=(2, 3)).cumsum(axis=1)
    counted = np.isfinite(naive).sum(axis=(2, 3)).cumsum(axis=1)
    scale = np.divide(total, counted, out=np.full(total.shape, np.nan), where=total > 0)
    scale = np.concatenate([np.full((len(groups), 1), np.nan), scale], axis=1)
    working = np.asarray(days[:7].day_of_week < 5)
    return _Run(groups, weeks, baseline, model, scale, working, start)


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


def _school(days: pd.DatetimeIndex, calendar: pd.DataFrame | None) -> NDArray[np.bool_]:
    """Return which working days lie in a school holiday."""
    if calendar is None or not {"day", "school_holiday"} <= set(calendar):
        return np.zeros(len(days), dtype=bool)
    off = calendar.loc[calendar["school_holiday"] == "yes", "day"]
    return np.asarray(days.isin(pd.DatetimeIndex(off)) & (days.day_of_week < 5))


def _errors(run: _Run) -> NDArray[np.float64]:
    """Return the scaled errors of baseline and model by week, NaN where a week is no test."""
    number = run.weeks.shape[1]
    both = np.isfinite(run.weeks + run.median[:, :number] + run.model[:, :number])
    hours = both.sum(axis=(2, 3))
    found = []
    for made in (run.median, run.model):
        apart = np.where(both, np.abs(run.weeks - made[:, :number]), 0).sum(axis=(2, 3))
        found.append(np.where(hours >= LEAST_HOURS, apart / np.maximum(hours, 1), np.nan))
    return np.stack(found) / run.scale[:, :number]


def _intervals(run: _Run, best: Array, confidence: float) -> tuple[Array, Array]:
    """Return the bounds of every forecast from the errors of the weeks before."""
    number = run.weeks.shape[1]
    apart = np.log1p(run.weeks) - np.log1p(best[:, :number])
    low, high = np.full(best.shape, np.nan), np.full(best.shape, np.nan)
    for week in range(run.start + 1, number + 1):
        past = apart[:, max(run.start, week - WITNESSES) : week]
        for own in (run.working, ~run.working):
            errors = past[:, :, own].reshape(len(past), -1, 24)
            below, above = _quantiles(np.moveaxis(errors, 1, 2), confidence)
            low[:, week, own], high[:, week, own] = below[:, None], above[:, None]
        below, above = _quantiles(past.reshape(len(past), -1), confidence)
        missing = np.isnan(low[:, week] + high[:, week])
        low[:, week] = np.where(missing, below[:, None, None], low[:, week])
        high[:, week] = np.where(missing, above[:, None, None], high[:, week])
    log = np.log1p(best)
    return np.maximum(np.expm1(log + low), 0), np.expm1(log + high)


def _quantiles(errors: Array, confidence: float) -> tuple[Array, Array]:
    """Return lower and upper bound along the last axis, NaN where the errors are too few.

    Ranks of n errors count as n + 1 parts, as in split conformal prediction: the next error is as
    likely to fall in each part.
    """
    ordered = np.sort(errors, axis=-1)  # NaN last
    number = np.isfinite(ordered).sum(axis=-1, keepdims=True)
    rank = np.floor((number + 1) * (1 - confidence) / 2).astype(int)
    enough = rank > 0
    last = ordered.shape[-1] - 1
    below = np.take_along_axis(ordered, np.clip(rank - 1, 0, last), -1)
    above = np.take_along_axis(ordered, np.clip(number - rank, 0, last), -1)
    missing = np.nan
    return np.where(enough, below, missing)[..., 0], np.where(enough, above, missing)[..., 0]


def _week(
    block: Block, run: _Run, use: NDArray[np.bool_], best: Array, low: Array, high: Array
) -> pd.DataFrame:
    """Return the week ahead as a table; without rows where nothing can be expected."""
    group, day, hour = (axis.ravel() for axis in np.indices(best[:, -1].shape))
    table = run.groups.iloc[group].reset_index(drop=True)
    table["day"] = (block.days[-1] + pd.to_timedelta(np.arange(1, 8), unit="D"))[day]
    table["hour"] = hour
    found = {"expected": best, "low": low, "high": high, "median": run.median}
    for name, values in found.items():
        table[name] = values[:, -1].ravel()
    table["method"] = np.where(use[group, -1], MODEL, BASELINE)
    return table[table["expected"].notna()]


def _scored(
    run: _Run, error: NDArray[np.float64], use: NDArray[np.bool_], low: Array, high: Array
) -> pd.DataFrame:
    """Return by site and mode how the forecasts of the weeks before turned out."""
    number = run.weeks.shape[1]
    tested = np.isfinite(error[0])
    gated = np.where(use[:, :number], error[1], error[0])
    count = np.maximum(tested.sum(axis=1), 1)
    known = np.isfinite(run.weeks + low[:, :number]) & tested[..., None, None]
    # An end is an error that was met before: a count may lie on it, whatever the last digit says.
    near = 1e-9 * (1 + run.weeks)
    inside = known & (low[:, :number] <= run.weeks + near) & (run.weeks - near <= high[:, :number])
    table = run.groups.assign(
        origins=tested.sum(axis=1),
        mase_median=np.nansum(error[0], axis=1) / count,
        mase_model=np.nansum(error[1], axis=1) / count,
        mase_gated=np.nansum(gated, axis=1) / count,
        model_used=(use[:, :number] & tested).sum(axis=1) / count,
        method=np.where(use[:, -1], MODEL, BASELINE),
        inside=inside.sum(axis=(1, 2, 3)),
        hours=known.sum(axis=(1, 2, 3)),
    )
    table["why"] = np.select(
        [use[:, -1], table["origins"] < LEAST_ORIGINS],
        [
            "the model beat the median by more than chance in the weeks before",
            f"fewer than {LEAST_ORIGINS} weeks could be tested: the median stays",
        ],
        "the model did not beat the median by more than chance: the median stays",
    )
    table["coverage"] = table["inside"] / table["hours"].where(table["hours"] > 0)
    return table[table["origins"] > 0]


def _pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Return the scores by mode: every site and week weighs the same; no rows without a test."""
    rows = []
    errors = ["mase_median", "mase_model", "mase_gated", "model_used"]
    for mode, own in table.groupby("mode"):
        weight = own["origins"] / own["origins"].sum()
        row = {"period": own["period"].iloc[0], "mode": mode, "sites": len(own)}
        row["origins"] = int(own["origins"].max())
        for name in errors:
            row[name] = (own[name] * weight).sum()
        row["nominal"] = own["nominal"].iloc[0]
        row["coverage"] = own["inside"].sum() / max(own["hours"].sum(), 1)
        rows.append(row)
    columns = ["period", "mode", "sites", "origins", *errors, "nominal", "coverage"]
    return pd.DataFrame(rows, columns=columns)
