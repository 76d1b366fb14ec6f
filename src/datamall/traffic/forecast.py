"""A week ahead: a model that speaks only where it has beaten the median of weeks before.

The baseline is the median of up to eight weeks at the same hour of the week, which is hard to
beat. A model, an adaptive profile with or without its trend, is used for a site only where it has
beaten the baseline on the weeks before, by more than chance; else the baseline is. Everything is
judged by rolling origins: each week is forecast from the weeks before it alone, the choice between
them, the width of intervals and the treatment of holidays included.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.requirements import Absent, passes_absent
from datamall.threads import in_order
from datamall.traffic import forecast_judging as judging
from datamall.traffic.cube import Array, Block, Cube
from datamall.traffic.forecast_models import METHODS, Run, run
from datamall.traffic.information import check_confidence

PROMISE = ("nominal", "coverage", "near", "near_at_best")  # columns as tables show them
HEADINGS = {
    "coverage": "Counted inside",
    "holiday": "Public holiday, forecast",
    "mase_trend": "Error, profile with trend",
    "near": "Junctions near the promise",
    "near_at_best": "Near by chance, were each exact",
    "nominal": "Promised inside",
}


@dataclass(frozen=True)
class Forecasts:
    """Forecasts for the week after each series' last day, and how forecasts so far turned out.

    Attributes
    ----------
    week
        site, mode, day, hour, expected (passages), low, high, median (the baseline), method of
        `expected` (of `forecast_models.METHODS`), holiday (how a public holiday is forecast, or
        that it is not known; "" on other days).
    scores
        One row per group of like detectors and mode: period (and interval), mode, sites, origins
        (weeks forecast as a test), mase_median, mase_model, mase_trend, mase_gated (mean absolute
        scaled error over all sites and origins, Hyndman and Koehler 2006 with the seasonal naive
        forecast of a week: error ÷ mean absolute difference to the week before, in the weeks
        before the origin; the last is what was published), model_used (share of sites and origins
        at which the gate was open), nominal, coverage (share of the counts in their interval, on
        these weeks), near (share of sites whose own coverage is within 0.02 of nominal),
        near_at_best (what that would be by chance if every site had exactly what is promised).
    by_site
        The same by site and mode, with coverage_error (standard error of the coverage, weeks being
        the witnesses), method (for the week ahead) and why it was chosen; of a series that ended
        before the others, since when it is not counted.
    """

    week: pd.DataFrame
    scores: pd.DataFrame
    by_site: pd.DataFrame


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
    of what the last fortnight deviated as a whole. School holidays have an effect by hour, shrunk
    towards none. The model is the mean of that and the baseline, which is half as wrong where the
    two differ without reason. The constants were chosen on two years of 88 junctions in Münster; a
    ridge regression on the calendar lost to the median on three of four real sets, which is why
    there is none. Both lie behind a level that grows: the trend multiplies the model by what it
    usually lay behind in the weeks before, damped by how sure that is.

    On a public holiday any method's forecast gives way to the Sunday of the same week, or to that
    and what earlier holidays had beyond it, where this was nearer to the site's earlier holidays
    than the usual day; with fewer than two of these it is said that it is not known.

    Intervals are those of `forecast_judging.intervals`, the gate that of `chosen`.

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
            scores.append(judging.pooled(judged))
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


@passes_absent
def holidays_ahead(ahead: Forecasts) -> pd.DataFrame:
    """Return day, mode, sites (how many) and holiday: how public holidays ahead are forecast."""
    free = ahead.week[ahead.week["holiday"] != ""]
    table = free.groupby(["day", "mode", "holiday"], as_index=False).agg(sites=("site", "nunique"))
    return table[["day", "mode", "sites", "holiday"]]


def _forecast(
    block: Block, confidence: float, calendar: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the week ahead of a block, and how forecasts so far turned out."""
    runs = [
        one
        for one in block.over_parts(lambda _, part: run(part.hourly(), calendar))
        if one is not None
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
    block: Block, runs: list[Run], confidence: float
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """Return the week ahead, and how forecasts so far turned out, each in parts."""
    modes = np.concatenate([one.groups["mode"].to_numpy() for one in runs])
    errors = in_order(judging.errors, runs)
    use = judging.chosen(np.concatenate(errors, axis=1), modes, runs[0].start)
    each = np.split(use, np.cumsum([len(one.groups) for one in runs[:-1]]))

    def judge(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        one, own = runs[number], each[number]
        best = one.best(own)
        low, high = judging.intervals(one, best, confidence)
        week = _week(block, one, own, best, low, high)
        return week, judging.scored(one, errors[number], own, low, high)

    found = in_order(judge, range(len(runs)))
    return [week for week, _ in found], [scored for _, scored in found]


def _week(
    block: Block, one: Run, use: NDArray[np.int64], best: Array, low: Array, high: Array
) -> pd.DataFrame:
    """Return the week ahead as a table; without rows where nothing can be expected."""
    group, day, hour = (axis.ravel() for axis in np.indices(best[:, -1].shape))
    table = one.groups.iloc[group].reset_index(drop=True)
    table["day"] = (block.days[-1] + pd.to_timedelta(np.arange(1, 8), unit="D"))[day]
    table["hour"] = hour
    found = {"expected": best, "low": low, "high": high, "median": one.median}
    for name, values in found.items():
        table[name] = values[:, -1].ravel()
    table["method"] = np.array(METHODS, dtype=object)[use[group, -1]]
    table["holiday"] = one.as_holiday()[group, day]
    return table[table["expected"].notna()]
