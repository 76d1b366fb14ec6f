"""Families of comparisons: how the error of any wrong FAIL is shared among them.

Holm's method with weights (Holm 1979, section 3) holds for any dependence between comparisons and
any weights that were fixed without their outcomes. Two things are known beforehand and are used:

- Groups of one attribute and crossed groups get equal shares of the error, so that hundreds of
  intersections do not drown the few main groups.
- Within these, error goes where it can find something: a group of half the people is judged with
  any share, one of three people with none. The weights that find most gaps of a given size are
  those of Roeder and Wasserman (Statistical Science 24, 2009, section 3). They need the size of
  each group and the rate of everybody, not the rate of the group.
"""

import numpy as np
import pandas as pd
from scipy.special import ndtr

from datamall.fairness.verdict import Tolerance

# Every comparison keeps this part of an equal share, whatever its size.
FLOOR = 0.1


def weighted_holm(p: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Adjust p-values for their number, with weights.

    Parameters
    ----------
    p
        P-values; NaN is left out and stays.
    weights
        Positive; only their ratios count. Equal ones give Holm's method.

    Returns
    -------
    ndarray
        Compare with the same level as a single p-value.
    """
    out = np.array(p, float)
    there = np.flatnonzero(~np.isnan(out))
    own = np.asarray(weights, float)[there]
    order = np.argsort(out[there] / own, kind="stable")
    left = np.cumsum(own[order][::-1])[::-1]
    scaled = out[there][order] / own[order] * left
    out[there[order]] = np.minimum(np.maximum.accumulate(scaled), 1)
    return out


def weights(
    depth: np.ndarray, effect: np.ndarray, level: float, among: np.ndarray | None = None
) -> np.ndarray:
    """Return the share of the error of each comparison; they sum to 1.

    Parameters
    ----------
    depth
        Number of attributes that are crossed in each; each depth gets the same share.
    effect
        Gap that should be found, in standard errors of its estimate; see `effects`.
    level
        1 - level is the error of the family.
    among
        Which comparisons take part; the others get 0. Default: all.

    Notes
    -----
    The best weights are ``P(Z > effect / 2 + c / effect) / error`` with the c at which they sum to
    1; c is found by halving. A tenth of the error is shared equally.
    """
    among = np.ones(len(depth), bool) if among is None else among
    out = np.zeros(len(depth))
    levels = np.unique(depth[among])
    for each in levels:
        own = among & (depth == each)
        share = (1 - level) / len(levels)
        out[own] = spent(effect[own], share) / len(levels)
    return out


def effects(trials: np.ndarray, rate: float, tolerance: Tolerance) -> np.ndarray:
    """Return how many standard errors a gap twice as far as tolerated lies from the tolerance.

    Parameters
    ----------
    trials
        People of each group.
    rate
        Rate of everybody.
    tolerance
        What is accepted; a ratio of less than 1.25 counts as 1.25, a difference as a quarter of
        the rate.
    """
    rate = float(np.clip(rate, 1e-6, 1 - 1e-6))
    ends = [v for v in (tolerance.low, tolerance.high) if v is not None]
    if tolerance.kind == "ratio":
        gap = max([abs(np.log(v)) for v in ends] + [np.log(1.25)])
    else:
        gap = max([*map(abs, ends), rate / 4]) / rate
    return gap * np.sqrt(np.asarray(trials) * rate / (1 - rate))


def mirrored(table: pd.DataFrame, tolerance: Tolerance) -> np.ndarray:
    """Return which rows say again what the row before said: the second of two groups.

    Parameters
    ----------
    table
        Comparisons with everybody else, in order: columns `by` and one row per group.
    tolerance
        Only where it is the same on both sides do both say the same.
    """
    low, high = tolerance.low, tolerance.high
    if low is None or high is None:
        return np.zeros(len(table), bool)
    off = low * high - 1 if tolerance.kind == "ratio" else low + high
    code = pd.factorize(table["by"])[0]
    second = (np.bincount(code)[code] == 2) & table["by"].duplicated().to_numpy()
    return second & (abs(off) < 1e-12)


def spent(effect: np.ndarray, error: float) -> np.ndarray:
    """Return the share of an error that each test gets; they sum to 1.

    Parameters
    ----------
    effect
        Gap that should be found, in standard errors of its estimate.
    error
        Probability of a false alarm in any test, on one side.
    """
    effect, (low, high) = np.clip(effect, 0.05, 40), (-1000.0, 1000.0)
    for _ in range(80):
        c = (low + high) / 2
        total = ndtr(-(effect / 2 + c / effect)).sum()
        low, high = (c, high) if total > error else (low, c)
    tail = ndtr(-(effect / 2 + high / effect))
    total = tail.sum()
    best = tail / total if total > 0 else np.full(len(effect), 1 / len(effect))
    return np.asarray((1 - FLOOR) * best + FLOOR / len(effect))
