"""Three verdicts for each comparison: PASS, FAIL, NOT ENOUGH EVIDENCE.

PASS needs evidence that the gap lies inside the tolerance (two one-sided tests, Schuirmann 1987);
FAIL needs evidence that it lies outside. All checks together pass if each of them does, and then
the error of a wrong PASS is that of one check (intersection and union, Berger 1982); they fail if
any does, so the evidence for FAIL is adjusted for their number (Holm 1979).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from datamall.errors import DatamallError
from datamall.fairness.inference import adjust
from datamall.fairness.intervals import Kind, Pair, gap_lower, p_above, p_below

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
    comparisons: pd.DataFrame, tolerance: Tolerance, *, level: float = 0.95, power: float = 0.8
) -> pd.DataFrame:
    """Judge each comparison.

    Parameters
    ----------
    comparisons
        Rows of `datamall.fairness.inference.compare`: all the checks that gate together.
    tolerance
        What is accepted.
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
    one = table["successes"].to_numpy(float), table["trials"].to_numpy(float)
    other = table["other_successes"].to_numpy(float), table["other_trials"].to_numpy(float)
    sides = int(tolerance.low is not None) + int(tolerance.high is not None)
    inside, outside = np.zeros(len(table)), np.ones(len(table))
    if tolerance.low is not None:
        inside = np.maximum(inside, p_above(one, other, tolerance.low, tolerance.kind))
        outside = np.minimum(outside, p_below(one, other, tolerance.low, tolerance.kind))
    if tolerance.high is not None:
        inside = np.maximum(inside, p_below(one, other, tolerance.high, tolerance.kind))
        outside = np.minimum(outside, p_above(one, other, tolerance.high, tolerance.kind))
    census = (table["estimand"] == "list").to_numpy()
    known = (one[1] > 0) & (other[1] > 0)
    # A comparison that cannot be made is no chance of a false alarm.
    table["p_inside"] = np.where(census, np.nan, inside)
    table["p_outside"] = np.where(census | ~known, np.nan, np.minimum(1, sides * outside))
    table["p_outside_holm"] = adjust(table["p_outside"].to_numpy(), "holm")
    gap = table[tolerance.kind].to_numpy()
    low = -np.inf if tolerance.low is None else tolerance.low
    high = np.inf if tolerance.high is None else tolerance.high
    fails = np.where(census, (gap < low) | (gap > high), table["p_outside_holm"] <= 1 - level)
    passes = np.where(census, (gap >= low) & (gap <= high), inside <= 1 - level)
    table["verdict"] = np.where(fails, FAIL, np.where(passes, PASS, NOT_ENOUGH))
    tail = (1 - level) / sides / max(int((known & ~census).sum()), 1)
    below, above = detectable(one, other, tolerance, tail, power)
    table["detectable_low"] = np.where(census, np.nan, below)
    table["detectable_high"] = np.where(census, np.nan, above)
    return table


def overall(verdict: Iterable[str]) -> str:
    """Return the verdict on all gating checks together; without any, there is no evidence."""
    each = set(verdict)
    if FAIL in each:
        return FAIL
    return PASS if each == {PASS} else NOT_ENOUGH


def detectable(
    one: Pair, other: Pair, tolerance: Tolerance, tail: float, power: float
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
    trials, (y, m) = one[1], other
    rate = np.divide(y, m, out=np.full(np.shape(y), np.nan), where=m > 0)
    nothing = np.full(np.shape(trials), np.nan)
    gaps = []
    for side, bound in (("low", tolerance.low), ("high", tolerance.high)):
        if bound is None:
            gaps.append(nothing)
            continue

        def found(k: np.ndarray, side: str = side, bound: float = bound) -> np.ndarray:
            if side == "high":
                return gap_lower((k, trials), other, tail, tolerance.kind) > bound
            turned = -bound if tolerance.kind == "difference" else 1 / bound
            return gap_lower(other, (trials - k, trials), tail, tolerance.kind) > turned

        # The least number of successes (failures, on the low side) that the test would find.
        least, most = np.zeros(np.shape(trials)), trials + 1.0
        while np.any(most - least > 1):
            middle = np.floor((least + most) / 2)
            finds = found(np.minimum(middle, trials))
            least, most = np.where(finds, least, middle), np.where(finds, middle, most)
        there = (most <= trials) & (trials > 0)
        k = np.where(there, most, 1)
        # The rate at which that many are seen with the given power.
        needed = np.where(there, betaincinv(k, np.maximum(trials - k, 0) + 1, power), np.nan)
        needed = needed if side == "high" else 1 - needed
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps.append(needed - rate if tolerance.kind == "difference" else needed / rate)
    return gaps[0], gaps[1]
