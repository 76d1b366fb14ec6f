"""Which forecast may speak, how wide its interval is, and how both turned out.

All of it is judged by rolling origins: what is said of a week knows the weeks before it alone.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from datamall.traffic.cube import Array
from datamall.traffic.forecast_models import (
    LEAST_HOLIDAYS,
    LEAST_ORIGINS,
    METHODS,
    MODEL,
    TREND,
    Run,
)

LEAST_HOURS = 84  # of a week; a week with fewer is no test
GATE_TOGETHER = 0.95  # one-sided confidence that the model beats the baseline at all sites
GATE_ALONE = 0.8  # the same at the site itself, where weeks tell less
GATE_TREND = 0.995  # that a trend beats both others at a site, whatever it does elsewhere
WITNESSES = 26  # latest weeks whose errors make the intervals
STEP = 0.5  # by how much an interval widens, as a logarithm, for each miss beyond the promise
WIDEST = 1.5  # logarithm of the factor by which an interval is widened or narrowed at most
NEAR = 0.02  # coverage that far from the promise is called near it
LAGS = 4  # weeks apart up to which weeks of one series are taken to resemble each other


def chosen(error: NDArray[np.float64], modes: NDArray, start: int) -> NDArray[np.int64]:
    """Say which method may speak, from what was known before each week.

    Parameters
    ----------
    error
        Scaled errors, shape (2 or 3: baseline, model and trend, groups, weeks), NaN where
        untested.
    modes
        Mode of each group; groups of one mode are judged together first.
    start
        First week that was forecast.

    Returns
    -------
    numpy.ndarray
        Shape (groups, weeks + 1): the last one is the week ahead. Numbers of `METHODS`: 1 where
        the model beat the baseline in the weeks before, by a t test over weeks: for all groups of
        the mode on average, and for the group itself; 2 where the trend beat each of the two in
        this way, or at the group itself at a stricter level, as one road grows without the others;
        else 0. Each on at least `LEAST_ORIGINS` weeks.
        Differences beyond 1 count as 1, lest one broken detector decides for all.
    """
    use = np.zeros((error.shape[1], error.shape[2] + 1), dtype=np.int64)
    model = _Against(error[1] - error[0], modes)
    trend = [_Against(error[2] - other, modes) for other in error[:2]] if len(error) > 2 else []
    for week in range(start + LEAST_ORIGINS, use.shape[1]):
        use[:, week] = model.alone(week, GATE_ALONE) & model.together(week, GATE_TOGETHER)
        if trend:
            same = [
                one.alone(week, GATE_ALONE) & one.together(week, GATE_TOGETHER) for one in trend
            ]
            own = [one.alone(week, GATE_TREND) for one in trend]
            grows = np.all(same, axis=0) | np.all(own, axis=0)
            use[grows, week] = METHODS.index(TREND)
    return use


class _Against:
    """By how much the errors of one method are above those of another, week by week."""

    def __init__(self, apart: Array, modes: NDArray) -> None:
        self._own = np.clip(apart, -1, 1)
        self._mode = np.full_like(self._own, np.nan)
        for mode in np.unique(modes):
            rows = modes == mode
            number = np.isfinite(self._own[rows]).sum(axis=0)
            total = np.nansum(self._own[rows], axis=0)
            unknown = np.full(len(number), np.nan)
            self._mode[rows] = np.divide(total, number, out=unknown, where=number > 0)

    def alone(self, week: int, margin: float) -> NDArray[np.bool_]:
        """Return whether each group's errors were smaller before a week, by more than chance."""
        return _better(self._own[:, :week], margin)

    def together(self, week: int, margin: float) -> NDArray[np.bool_]:
        """Return the same of all groups of the mode on average."""
        return _better(self._mode[:, :week], margin)


def _better(apart: Array, margin: float) -> NDArray[np.bool_]:
    """Return whether the mean along the last axis is below 0 by a one-sided t test."""
    number = np.isfinite(apart).sum(axis=1)
    many = number >= LEAST_ORIGINS
    mean = np.nansum(apart, axis=1) / np.maximum(number, 1)
    squares = np.nansum((apart - mean[:, None]) ** 2, axis=1) / np.maximum(number - 1, 1)
    width = stdtrit(np.maximum(number - 1, 1), margin) * np.sqrt(squares / np.maximum(number, 1))
    return many & ((mean + width).round(9) < 0)


def errors(run: Run) -> NDArray[np.float64]:
    """Return the scaled errors of the methods by week without holidays, NaN if no test.

    Shape (3, groups, weeks). How a holiday is forecast is no merit of a method.
    """
    return _errors(run, _tested(run) & ~run.free[:-1, :, None])


def _errors(run: Run, there: NDArray[np.bool_]) -> NDArray[np.float64]:
    found = [_error(run, made, there) for made in (run.median, run.model)]
    everywhere = np.full(run.trend.shape, METHODS.index(TREND))
    return np.stack([*found, _error(run, run.best(everywhere), there)])


def _tested(run: Run) -> NDArray[np.bool_]:
    number = run.weeks.shape[1]
    return np.isfinite(run.weeks + run.median[:, :number] + run.model[:, :number])


def _error(run: Run, made: Array, there: NDArray[np.bool_]) -> Array:
    """Return the mean absolute scaled error of each week, NaN where too few hours are there."""
    number = run.weeks.shape[1]
    hours = there.sum(axis=(2, 3))
    apart = np.where(there, np.abs(run.weeks - made[:, :number]), 0).sum(axis=(2, 3))
    enough = hours >= LEAST_HOURS
    return np.where(enough, apart / np.maximum(hours, 1), np.nan) / run.scale[:, :number]


def intervals(run: Run, best: Array, confidence: float) -> tuple[Array, Array]:
    """Return the bounds of every forecast from the errors of the weeks before.

    Quantiles of the errors so far on a log scale, at the same hour on working or weekend days. An
    interval that held too few counts of the week before is wider in the next, one that held too
    many narrower: the logarithm of its width moves by `STEP` times what was missed beyond the
    promise. In the long run each series is then held as promised, whatever comes (the idea of
    adaptive conformal inference, Gibbs and Candès 2021, on the width instead of the level; not
    checked against the printed page). A holiday's interval also spans the errors on earlier ones.
    """
    number = run.weeks.shape[1]
    log = np.log1p(best)
    apart = np.log1p(run.weeks) - log[:, :number]
    usual = np.where(run.free[:-1, :, None], np.nan, apart) if run.free.any() else apart
    low, high = np.full(best.shape, np.nan), np.full(best.shape, np.nan)
    wide = np.zeros(len(best))
    for week in range(run.start + 1, number + 1):
        past = usual[:, max(run.start, week - WITNESSES) : week]
        below, above = np.full((*past.shape[:1], 7, 24), np.nan), np.full(best[:, 0].shape, np.nan)
        for own in (run.working, ~run.working):
            at_hour = past[:, :, own].reshape(len(past), -1, 24)
            ends = _quantiles(np.moveaxis(at_hour, 1, 2), confidence)
            below[:, own], above[:, own] = (each[:, None] for each in ends)
        ends = _quantiles(past.reshape(len(past), -1), confidence)
        missing = np.isnan(below + above)
        below = np.where(missing, ends[0][:, None, None], below)
        above = np.where(missing, ends[1][:, None, None], above)
        middle, half = (below + above) / 2, (above - below) / 2 * np.exp(wide)[:, None, None]
        below, above = middle - half, middle + half
        if run.free[week].any():
            _span_holidays(run, apart, week, below, above, confidence)
        low[:, week] = np.maximum(np.expm1(log[:, week] + below), 0)
        high[:, week] = np.expm1(log[:, week] + above)
        if week < number:
            known = np.isfinite(run.weeks[:, week] + low[:, week])
            hours = known.sum(axis=(1, 2))
            held = inside(run.weeks[:, week], low[:, week], high[:, week]).sum(axis=(1, 2))
            missed = confidence - held / np.maximum(hours, 1)
            wide += np.where(hours >= LEAST_HOURS, STEP * missed, 0)
            wide = np.clip(wide, -WIDEST, WIDEST)
    return low, high


def _span_holidays(
    run: Run, apart: Array, week: int, below: Array, above: Array, confidence: float
) -> None:
    """Widen the bounds of a week's holidays to the errors on earlier ones, if there are enough."""
    past = run.free[:-1].copy()
    past[: run.start], past[week:] = False, False
    own = apart[:, past]
    if own.shape[1] < LEAST_HOLIDAYS:
        return
    ends = _quantiles(own.reshape(len(own), -1), confidence)
    for bounds, end, wider in ((below, ends[0], np.fmin), (above, ends[1], np.fmax)):
        days = run.free[week]
        bounds[:, days] = wider(bounds[:, days], end[:, None, None])


def _quantiles(found: Array, confidence: float) -> tuple[Array, Array]:
    """Return lower and upper bound along the last axis, NaN where the errors are too few.

    Ranks of n errors count as n + 1 parts, as in split conformal prediction: the next error is as
    likely to fall in each part. Between two ranks the bound is interpolated.
    """
    ordered = np.sort(found, axis=-1)  # NaN last
    number = np.isfinite(ordered).sum(axis=-1, keepdims=True)
    place = ((number + 1) * (1 - confidence) / 2).round(9)
    rank = np.floor(place).astype(int)
    part, last = place - rank, ordered.shape[-1] - 1

    def at(position: NDArray[np.intp]) -> Array:
        return np.take_along_axis(ordered, np.clip(position, 0, last), -1)

    below = (1 - part) * at(rank - 1) + part * at(np.minimum(rank, number - 1))
    above = (1 - part) * at(number - rank) + part * at(np.maximum(number - rank - 1, 0))
    enough = rank > 0
    return np.where(enough, below, np.nan)[..., 0], np.where(enough, above, np.nan)[..., 0]


def inside(counts: Array, low: Array, high: Array) -> NDArray[np.bool_]:
    """Return which counts lie in their interval; what lies on an end does, to the last digit."""
    near = 1e-9 * (1 + counts)
    return (low <= counts + near) & (counts - near <= high)


def scored(run: Run, error: Array, use: NDArray[np.int64], low: Array, high: Array) -> pd.DataFrame:
    """Return by site and mode how the forecasts of the weeks before turned out.

    `error` as from `errors`; holidays are counted here.
    """
    number = run.weeks.shape[1]
    there = _tested(run)
    if run.holidays:
        error, published = _errors(run, there), _error(run, run.best(use), there)
    else:
        published = np.take_along_axis(error, use[None, :, :number], axis=0)[0]
    error = np.stack([*error, published])
    tested = np.isfinite(error[0])
    count = np.maximum(tested.sum(axis=1), 1)
    known = np.isfinite(run.weeks + low[:, :number]) & tested[..., None, None]
    held = known & inside(run.weeks, low[:, :number], high[:, :number])
    hours, held = known.sum(axis=(2, 3)), held.sum(axis=(2, 3))
    names = ("mase_median", "mase_model", "mase_trend", "mase_gated")
    mean = np.nansum(error, axis=2) / count
    table = run.groups.assign(
        origins=tested.sum(axis=1),
        **dict(zip(names, mean, strict=True)),
        model_used=((use[:, :number] > 0) & tested).sum(axis=1) / count,
        method=np.array(METHODS, dtype=object)[use[:, -1]],
        inside=held.sum(axis=1),
        hours=hours.sum(axis=1),
        coverage_error=_standard_error(held, hours),
    )
    table["why"] = np.select(
        [table["method"] == TREND, table["method"] == MODEL, table["origins"] < LEAST_ORIGINS],
        [
            "the level grows or falls, and following it beat both others by more than chance",
            "the model beat the median by more than chance in the weeks before",
            f"fewer than {LEAST_ORIGINS} weeks could be tested: the median stays",
        ],
        "the model did not beat the median by more than chance: the median stays",
    )
    table["coverage"] = table["inside"] / table["hours"].where(table["hours"] > 0)
    return table[table["origins"] > 0]


def _standard_error(held: NDArray, hours: NDArray) -> Array:
    """Return the standard error of each series' coverage, weeks being its witnesses.

    From how far each week's coverage lay apart from their mean, and how much weeks up to `LAGS`
    apart resemble each other, with weights that fall evenly (Newey and West 1987). NaN with a
    single week.
    """
    known = hours > 0
    mean = held.sum(axis=1) / np.maximum(hours.sum(axis=1), 1)
    apart = np.where(known, held - mean[:, None] * hours, 0)
    total = (apart**2).sum(axis=1)
    for step in range(1, min(LAGS, apart.shape[1] - 1) + 1):
        both = (apart[:, step:] * apart[:, :-step]).sum(axis=1)
        total = total + 2 * (1 - step / (LAGS + 1)) * both
    error = np.sqrt(np.maximum(total, 0)) / np.maximum(hours.sum(axis=1), 1)
    return np.where(known.sum(axis=1) > 1, error, np.nan)


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Return the scores by mode: every site and week weighs the same; no rows without a test."""
    rows = []
    means = ["mase_median", "mase_model", "mase_trend", "mase_gated", "model_used"]
    for mode, own in table.groupby("mode"):
        weight = own["origins"] / own["origins"].sum()
        row = {"period": own["period"].iloc[0], "mode": mode, "sites": len(own)}
        row["origins"] = int(own["origins"].max())
        for name in means:
            row[name] = (own[name] * weight).sum()
        row["nominal"] = own["nominal"].iloc[0]
        row["coverage"] = own["inside"].sum() / max(own["hours"].sum(), 1)
        told = own.dropna(subset="coverage_error")
        near = (told["coverage"] - told["nominal"]).abs().round(9) <= NEAR
        error = np.maximum(told["coverage_error"].to_numpy(), 1e-9)
        row["near"] = near.mean()
        row["near_at_best"] = (2 * ndtr(NEAR / error) - 1).mean() if len(told) else np.nan
        rows.append(row)
    columns = ["period", "mode", "sites", "origins", *means, "nominal", "coverage", "near"]
    return pd.DataFrame(rows, columns=[*columns, "near_at_best"])
