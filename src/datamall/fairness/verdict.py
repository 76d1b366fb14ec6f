"""Three verdicts for each comparison: PASS, FAIL, NOT ENOUGH EVIDENCE.

PASS needs evidence that the gap lies inside the tolerance: an equivalence test, by two one-sided
tests (TOST; Schuirmann 1987). FAIL needs evidence that it lies outside. All checks together pass if
each of them does, and then the error of a wrong PASS is that of one check (intersection and union,
Berger 1982); they fail if any does, so the evidence for FAIL is adjusted for their number (Holm
1979).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import betaincinv, ndtri

from datamall.errors import DatamallError
from datamall.fairness.inference import Pairs, adjust, comparable, ends, gap_ends
from datamall.fairness.intervals import (
    Kind,
    Pair,
    gap_above,
    limits,
    lower_limit,
    p_above,
    p_below,
    unskewed,
)
from datamall.fairness.metrics import share

PASS, FAIL, NOT_ENOUGH = "PASS", "FAIL", "NOT ENOUGH EVIDENCE"


@dataclass(frozen=True)
class Tolerance:
    """The gaps that are accepted, set before the outcomes are seen.

    Attributes
    ----------
    kind
        ``"difference"`` or ``"ratio"``.
    low, high
        Smallest and largest accepted gap; None where that side is not limited.
    """

    kind: Kind
    low: float | None
    high: float | None

    def __post_init__(self) -> None:
        none = 0.0 if self.kind == "difference" else 1.0
        if self.kind not in ("difference", "ratio"):
            raise DatamallError(f"A tolerance is a difference or a ratio, not {self.kind!r}.")
        least, most = (-1.0, 1.0) if self.kind == "difference" else (0.0, np.inf)
        low, high = self.low, self.high
        good = (low is None or least < low <= none) and (high is None or none <= high < most)
        if not good or (low is None and high is None):
            raise DatamallError(
                f"The tolerance from {low} to {high} is no range around {none:g} for a "
                f"{self.kind}: set its low end, its high end or both."
            )


def verdicts(
    comparisons: pd.DataFrame,
    tolerance: Tolerance | Sequence[Tolerance],
    *,
    level: float = 0.95,
    power: float = 0.8,
) -> pd.DataFrame:
    """Judge each comparison.

    Parameters
    ----------
    comparisons
        Rows of `datamall.fairness.inference.compare`: all the checks that gate together. Where
        counts are known within bounds (`datamall.fairness.Bounds.pairs`), a verdict holds at the
        worst of them.
    tolerance
        What is accepted: for all rows, or one for each.
    level
        1 - level is the error of a wrong PASS, and of any wrong FAIL.
    power
        Probability with which a gap counts as detectable.

    Returns
    -------
    DataFrame
        The rows with `verdict`, `p_inside` (evidence that the gap is inside the tolerance),
        `p_outside` (that it is outside), `p_outside_holm`, `detectable_low` and
        `detectable_high`: gaps, in the terms of the tolerance, beyond which FAIL would have been
        found with the given power, the other group being as observed; NaN where no gap would.
        Where the estimand is the list, the gap is what it is: the tests are NaN.
    """
    table = comparisons.reset_index(drop=True)
    given = [tolerance] * len(table) if isinstance(tolerance, Tolerance) else list(tolerance)
    corners, known = ends(table), comparable(table)
    table["p_inside"], table["p_outside"] = 1.0, 1.0
    table["detectable_low"], table["detectable_high"] = np.nan, np.nan
    census = (table["estimand"] == "list").to_numpy()
    number = max(int((known & ~census).sum()), 1)
    certain = np.full(len(table), NOT_ENOUGH, object)
    for own in dict.fromkeys(given):
        rows = np.array([each == own for each in given])
        one, other = ([(x[rows], n[rows]) for x, n in side] for side in corners)
        table.loc[rows, ["p_inside", "p_outside"]] = np.stack(evidence(one, other, own), axis=1)
        tail = (1 - level) / sides(own) / number
        gaps = detectable(middle(one), middle(other), own, tail, power)
        table.loc[rows, ["detectable_low", "detectable_high"]] = np.stack(gaps, axis=1)
        certain[rows] = of_list(gap_ends(one, other, own.kind), own)
    # A comparison that cannot be made is no chance of a false alarm.
    table["p_outside"] = table["p_outside"].where(known)
    tested = ["p_inside", "p_outside", "detectable_low", "detectable_high"]
    table.loc[census, tested] = np.nan
    table = judged(table, level)
    table["verdict"] = np.where(census, certain, table["verdict"])
    return table


def _hair(edge: float) -> float:
    """Return by how much a gap as reckoned may miss the gap that it is."""
    return 1e-12 * abs(edge) + float(np.finfo(float).eps)


def of_list(gaps: tuple[np.ndarray, np.ndarray], tolerance: Tolerance) -> np.ndarray:
    """Judge gaps that have no sampling error; rounding may leave them open.

    The edges are accepted: 4 of 100 against 5 of 100 are four fifths, though .04 / .05 as reckoned
    is a hair less.
    """
    low = -np.inf if tolerance.low is None else tolerance.low - _hair(tolerance.low)
    high = np.inf if tolerance.high is None else tolerance.high + _hair(tolerance.high)
    outside = (gaps[1] < low) | (gaps[0] > high)
    inside = (gaps[0] >= low) & (gaps[1] <= high)
    return np.where(outside, FAIL, np.where(inside, PASS, NOT_ENOUGH))


def judged(table: pd.DataFrame, level: float, adjusted: np.ndarray | None = None) -> pd.DataFrame:
    """Add `p_outside_holm` and `verdict` to rows with `p_inside` and `p_outside`.

    `adjusted`: `p_outside` adjusted for the number of rows, if not by Holm's method.
    """
    if adjusted is None:
        adjusted = adjust(table["p_outside"].to_numpy(), "holm")
    fails, passes = adjusted <= 1 - level, (table["p_inside"] <= 1 - level).to_numpy()
    verdict = np.where(fails, FAIL, np.where(passes, PASS, NOT_ENOUGH))
    return table.assign(p_outside_holm=adjusted, verdict=verdict)


def evidence(one: Pairs, other: Pairs, tolerance: Tolerance) -> tuple[np.ndarray, np.ndarray]:
    """Return the p-values of "the gap is outside" and of "the gap is inside" the tolerance.

    Parameters
    ----------
    one, other
        Successes and trials at the lowest and at the highest rate; see
        `datamall.fairness.inference.ends`.
    tolerance
        What is accepted.

    Returns
    -------
    tuple of ndarray
        Small is evidence that the gap is inside, or outside, whatever the counts within bounds.
    """
    edges = [edge for edge in (tolerance.low, tolerance.high) if edge is not None]
    bounds = np.reshape(edges, (-1, *[1] * np.ndim(one[0][0])))
    above = p_above(one[0], other[1], bounds, tolerance.kind)
    below = p_below(one[1], other[0], bounds, tolerance.kind)
    inside, outside = np.zeros(above.shape[1:]), np.ones(above.shape[1:])
    if tolerance.low is not None:
        inside, outside = np.maximum(inside, above[0]), np.minimum(outside, below[0])
    if tolerance.high is not None:
        inside, outside = np.maximum(inside, below[-1]), np.minimum(outside, above[-1])
    return inside, np.minimum(1, sides(tolerance) * outside)


def sides(tolerance: Tolerance) -> int:
    """Return how many sides of a tolerance are limited."""
    return int(tolerance.low is not None) + int(tolerance.high is not None)


def middle(side: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """Return whole counts in the middle of their bounds."""
    (x, n), (y, m) = side
    return np.floor((x + y) / 2), np.floor((n + m) / 2)


def overall(verdict: Iterable[str]) -> str:
    """Return the verdict on all gating checks together; without any, there is no evidence."""
    each = set(verdict)
    if FAIL in each:
        return FAIL
    return PASS if each == {PASS} else NOT_ENOUGH


def detectable(
    one: Pair, other: Pair, tolerance: Tolerance, tail: np.ndarray | float, power: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gaps that a test would have found, below and above the tolerance.

    Parameters
    ----------
    one
        Successes (not used) and trials of each group.
    other
        Successes and trials of what it is compared with, taken as they are.
    tolerance
        What is accepted.
    tail
        Error of the test on one side.
    power
        Probability of finding the gap.

    Returns
    -------
    tuple of ndarray
        NaN where no gap is large enough, or the tolerance has no such side.
    """
    shape = np.broadcast_shapes(*(np.shape(v) for v in (one[1], *other, tail)))
    trials, y, m, tails = (
        np.broadcast_to(v, shape).astype(float).ravel() for v in (one[1], *other, tail)
    )
    kind, sides_ = tolerance.kind, {"low": tolerance.low, "high": tolerance.high}
    bounds = {side: bound for side, bound in sides_.items() if bound is not None}
    size, gaps = len(trials), {side: np.full(shape, np.nan) for side in sides_}
    given = (trials, y, m, tails, *limits(y, m, tails))
    # Both sides are searched together.
    trials, y, m, tails, below, above = (np.tile(v, len(bounds)) for v in given)
    down = np.repeat([side == "low" for side in bounds], size)
    # Below the tolerance the gap is that of the others to the group.
    turned = [
        bound if side == "high" else -bound if kind == "difference" else 1 / bound
        for side, bound in bounds.items()
    ]
    beyond = np.repeat(turned, size)

    def found(k: np.ndarray, i: np.ndarray, quick: bool) -> np.ndarray:
        n, low = trials[i], down[i]
        # A search among score limits ends where that among exact ones can start.
        if quick:
            edge = lower_limit(unskewed(k, n, -ndtri(tails[i])), n, tails[i], "wilson")
        else:
            edge = lower_limit(k, n, tails[i])
        one = np.where(low, y[i], k), np.where(low, m[i], n)
        other = np.where(low, n - k, y[i]), np.where(low, n, m[i])
        ends = np.where(low, below[i], edge), np.where(low, 1 - edge, above[i])
        return gap_above(one, other, *ends, kind) > beyond[i]

    # The least number of successes (failures, on the low side) that the test would find.
    least = _least(trials, partial(found, quick=False), _least(trials, partial(found, quick=True)))
    there = (least <= trials) & (trials > 0)
    k = np.where(there, least, 1)
    # The rate at which that many are seen with the given power.
    needed = np.where(there, betaincinv(k, np.maximum(trials - k, 0) + 1, power), np.nan)
    needed, rate = np.where(down, 1 - needed, needed), share(y, m)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = needed - rate if kind == "difference" else needed / rate
    gaps |= dict(zip(bounds, gap.reshape(len(bounds), *shape), strict=True))
    return gaps["low"], gaps["high"]


def _least(
    trials: np.ndarray,
    found: Callable[[np.ndarray, np.ndarray], np.ndarray],
    guess: np.ndarray | None = None,
) -> np.ndarray:
    """Return the least number from 1 to `trials` that is found, one more where none is.

    `found` says of numbers, and of their places among the trials, whether they are. From a guess
    the search steps away, each time twice as far, until it has the answer between two numbers; then
    it halves.
    """
    low, high = np.zeros(len(trials)), trials + 1.0
    k, step = np.floor((low + high) / 2) if guess is None else guess, 1
    while len(i := np.flatnonzero(high - low > 1)):
        probe = np.clip(k[i], low[i] + 1, high[i] - 1)
        finds = found(probe, i)
        low[i], high[i] = np.where(finds, low[i], probe), np.where(finds, probe, high[i])
        k = np.floor((low + high) / 2)
        if guess is not None:
            k = np.where(low == 0, high - step, np.where(high > trials, low + step, k))
            step *= 2
    return high
