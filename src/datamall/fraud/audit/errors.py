"""Wrongly visited: the share of people without a mistake whom the selection has visited.

Who has no mistake is known of the visited alone, and these were not chosen by chance. The random
draw tells how many there are in each group; so the rate of a group is its people visited with
nothing found, out of its people times the share of the draw in whom nothing was found. Counted
among the investigated alone it would be far off. This holds where a finding means the same in each
group; where investigators record more in one at the same truth, it is too low there.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from datamall.fairness import rounded
from datamall.fairness.intervals import SMALLEST, lower_limit
from datamall.fairness.joint_limits import careful
from datamall.fraud.audit.checks import CHECKS, OF, Check, bounds, results
from datamall.fraud.audit.sources import TOTAL

WRONGLY_VISITED = "wrongly visited"
ABOUT = Check(
    WRONGLY_VISITED,
    "are visited",
    "who did nothing wrong",
    "everybody: the profile, the caseworker, who reports",
    "ECHR 8 (home) with 14; GDPR 5(1)(a)",
    (TOTAL, TOTAL, "population", TOTAL),
)
SELECTION = ("profile", "signal", "follow-up")
_STEPS = 30
Term = tuple[str, str, int]  # prefix of the columns, which end of their bounds, power


def pairs(counts: pd.DataFrame, label: str | None) -> pd.DataFrame | None:
    """Return the counts of each group and of everybody else.

    Parameters
    ----------
    counts
        One study and attribute, as from `sources`.
    label
        Definition of a mistake found.

    Returns
    -------
    pandas.DataFrame or None
        As `datamall.fairness.rounded.pairs` for the people visited with nothing found out of all,
        and with ``clear_`` before each column for nothing found in the random draw. None where
        there is no random draw, or the counts are not there.
    """
    read = results(counts, label)
    if read is None:
        return None
    arms = [arm for arm in SELECTION if counts["arm"].eq(arm).any()]
    nothing = [name for name, value in read.items() if value is False]
    harmed = {(arm, TOTAL, "finding", name): True for arm in arms for name in nothing}
    clear = {
        ("random", TOTAL, "finding", name): None if value is None else not value
        for name, value in read.items()
    }
    draw = replace(CHECKS["found"], parts=clear, whole=("random", TOTAL, "finding", TOTAL))
    found, random = bounds(counts, replace(ABOUT, parts=harmed)), bounds(counts, draw)
    if found is None or random is None:
        return None
    visited, drawn = (
        rounded.pairs(each, [OF], estimand="procedure", names=["base_rate"]).set_index("group")
        for each in (found, random)
    )
    numbers = drawn.drop(columns=["by", "metric", "estimand"]).add_prefix("clear_")
    return visited.join(numbers, how="inner").reset_index()


def rates(table: pd.DataFrame) -> pd.DataFrame:
    """Add `rate`, `other_rate` and `ratio`: of the people without a mistake, those visited."""
    table = table.copy()
    for side in ("", "other_"):
        share = table[f"clear_{side}successes"] / table[f"clear_{side}trials"].replace(0, np.nan)
        table[f"{side}rate"] = table[f"{side}successes"] / (table[f"{side}trials"] * share)
    return table.assign(ratio=table["rate"] / table["other_rate"])


def rate_interval(table: pd.DataFrame, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Return limits of the rate of each group; as `lower`, of two terms."""
    ends = []
    for end, other, sign in (("_low", "_high", 1), ("_high", "_low", -1)):
        terms = (("", end, 1), ("clear_", other, -1))
        ends.append(_limit(table, terms, tail, sign))
    return ends[0], np.minimum(ends[1], 1)


def lower(table: pd.DataFrame, tail: np.ndarray | float, turned: bool = False) -> np.ndarray:
    """Return lower limits of the ratio, at whichever counts the rounding makes them lowest.

    Parameters
    ----------
    table
        As from `pairs`.
    tail
        Error allowed.
    turned
        Of everybody else to the group instead.

    Notes
    -----
    Exact limits of the four shares, put together on the scale of logarithms by recovering the
    variance on the side that matters (Donner and Zou 2012), here of four terms instead of two.
    They are taken at a smaller error, as all joined limits are (`datamall.fairness.joint_limits`):
    with few people drawn, plain ones erred up to 2.8 times as often as stated at 0.05 %.
    """
    one, other = ("other_", "") if turned else ("", "other_")
    terms = (
        (one, "_low", 1),
        (other, "_high", -1),
        (f"clear_{one}", "_high", -1),
        (f"clear_{other}", "_low", 1),
    )
    out = _limit(table, terms, tail, 1)
    # Without a case on a side that would raise the ratio there is no evidence that it is high.
    return np.where(np.isfinite(out), out, 0.0)


def _limit(
    table: pd.DataFrame, terms: tuple[Term, ...], tail: np.ndarray | float, side: int
) -> np.ndarray:
    """Return a limit of a product of shares (power 1) and inverses (power -1).

    The lower one for side 1, the upper one for side -1.
    """
    total, spread, tail = np.zeros(len(table)), np.zeros(len(table)), careful(tail)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, end, sign in terms:
            x, n = (table[f"{name}{w}{end}"].to_numpy(float) for w in ("successes", "trials"))
            x = np.minimum(x, n)
            value = np.log(x / n)
            low = sign * side > 0
            edge = lower_limit(x if low else n - x, n, tail)
            edge = np.log(edge if low else 1 - edge)
            total, spread = total + sign * value, spread + (value - edge) ** 2
        return np.asarray(np.exp(total - side * np.sqrt(spread)))


def interval(table: pd.DataFrame, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper limits of the ratio; 0 and infinity where nothing is known."""
    with np.errstate(divide="ignore"):
        return lower(table, tail), 1 / lower(table, tail, turned=True)


def evidence(table: pd.DataFrame, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the p-values of "inside" and of "outside" a tolerance of the ratio.

    See `datamall.fairness.verdict.evidence`: a p-value is the error at which the limit is the end
    of the tolerance, so that test and interval never disagree.
    """
    above, below = (_above(table, high, False), _above(table, 1 / low, True))
    under, over = (_above(table, 1 / high, True), _above(table, low, False))
    return np.maximum(under, over), np.minimum(1, 2 * np.minimum(above, below))


def _above(table: pd.DataFrame, bound: float, turned: bool) -> np.ndarray:
    """Return the p-value of "the ratio is at most the bound"."""
    left, right = np.zeros(len(table)), np.full(len(table), -ndtri(SMALLEST))
    for _ in range(_STEPS):
        z = (left + right) / 2
        over = lower(table, ndtr(-z), turned) > bound
        left, right = np.where(over, z, left), np.where(over, right, z)
    return np.where(lower(table, 0.5, turned) > bound, ndtr(-left), 1.0)


def detectable(table: pd.DataFrame, tail: float, power: float, bound: float) -> np.ndarray:
    """Return about the ratio above the bound that would have been found with some power.

    On the scale of logarithms the estimate is taken as normal, as wide as it is here.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.log(rates(table)["ratio"].to_numpy(float) / lower(table, tail))
    gap = bound * np.exp(reach * (1 + ndtri(power) / -ndtri(tail)))
    return np.where(np.isfinite(gap), gap, np.nan)
