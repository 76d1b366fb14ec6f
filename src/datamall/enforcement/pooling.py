"""Partial pooling of counts: rates of places that borrow strength from their group.

Model, for place i in group d, seen by observers of role r::

    successes[i, r] ~ Binomial(trials[i, r], expit(theta[i] + offset[r]))
    theta[i] ~ Normal(mean[d], spread²)        mean[d] ~ Normal(centre, between²)

This is empirical Bayes (Robbins 1956; Efron and Morris 1975): the means and spreads that serve as
prior for each place are estimated from all of them, by EM (Dempster, Laird and Rubin 1977). The
places are integrated over a fixed grid: no random draws, the same answer every time.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, ndtr

GRID = np.linspace(-8.0, 8.0, 321)  # log-odds; rates from 0.03 % to 99.97 %
STEP = GRID[1] - GRID[0]


@dataclass(frozen=True)
class Pooled:
    """Posterior of a set of places.

    Attributes
    ----------
    weights
        Probability of each grid value, shape (places, `GRID`); rows sum to 1.
    means
        Mean log-odds of each group, shape (groups,).
    spread
        Standard deviation of the log-odds of places within a group.
    between
        Standard deviation of the group means.
    """

    weights: np.ndarray
    means: np.ndarray
    spread: float
    between: float


def likeness(successes: np.ndarray, trials: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Measure how much cells of one group differ by more than chance.

    Parameters
    ----------
    successes, trials
        Counts per cell, shape (cells,) or (cells, categories) for `successes`.
    group
        Group of each cell, as codes 0, 1, ….

    Returns
    -------
    tuple of float
        The Pearson dispersion (1 if only chance is at work) and the intra-cell correlation rho:
        the correlation of two trials in the same cell, between 0 and 1. Both NaN where no group
        has two cells and both outcomes.

    Notes
    -----
    Given a group's total, chance alone makes its cells multivariate hypergeometric, which gives
    Pearson's chi-squared the exact expectation N(M - 1)/(N - 1) for N trials in M cells; so a
    group with few trials does not bias the measure. Rho follows from the excess by moments
    (Williams 1982, Applied Statistics 31:144).
    """
    counts = np.asarray(successes, float).reshape(len(trials), -1)
    n = np.asarray(trials, float)
    size = np.bincount(group, n)
    cells = np.bincount(group, n > 0)
    square = np.bincount(group, n**2) / np.maximum(size, 1)
    excess = reach = degrees = 0.0
    for y in counts.T:
        p = np.bincount(group, y) / np.maximum(size, 1)
        use = (size >= 2) & (cells >= 2) & (p > 0) & (p < 1)
        own = use[group] & (n > 0)
        residual = (y - n * p[group])[own] ** 2 / (n * (p * (1 - p))[group])[own]
        chi = np.bincount(group[own], residual, minlength=len(size))[use]
        size_, cells_, square_ = size[use], cells[use], square[use]
        excess += np.sum(chi * (size_ - 1) / size_ - (cells_ - 1))
        degrees += np.sum(cells_ - 1)
        extra = (cells_ - 1) * (square_ - 1) / (size_ - 1)
        reach += np.sum(size_ - cells_ + 1 - square_ + extra)
    if degrees == 0:
        return np.nan, np.nan
    rho = excess / reach if reach > 0 else 0.0
    return 1 + excess / degrees, float(np.clip(rho, 0, 1))


def pool(
    successes: np.ndarray, trials: np.ndarray, offsets: np.ndarray, group: np.ndarray
) -> Pooled:
    """Estimate the model above and return the posterior of every place.

    Parameters
    ----------
    successes, trials
        Counts, shape (places, roles); they need not be whole numbers, so that trials that resemble
        each other may be counted for less.
    offsets
        Habit of each role in log-odds, shape (roles,).
    group
        Group of each place, as codes 0, 1, ….

    Returns
    -------
    Pooled
        Places with equal counts in one group get exactly equal rows.

    Notes
    -----
    The uncertainty of a group mean (Laplace approximation) is added to the prior of its places.
    """
    key = np.column_stack([group, successes, trials])
    unique, back, copies = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    roles = len(offsets)
    code = unique[:, 0].astype(int)
    y, n = unique[:, 1 : 1 + roles], unique[:, 1 + roles :]
    shifted = GRID[None, :] + np.asarray(offsets, float)[:, None]
    log_likelihood = y @ log_expit(shifted) + (n - y) @ log_expit(-shifted)
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    members = np.bincount(code, copies)

    def posterior(means: np.ndarray, variance: np.ndarray) -> np.ndarray:
        prior = np.exp(-0.5 * (GRID[None, :] - means[:, None]) ** 2 / variance[:, None])
        weights = likelihood * prior[code]
        return weights / weights.sum(axis=1, keepdims=True)

    centre = 0.0
    means, spread2, between2 = np.zeros(len(members)), 1.0, 1.0
    doubt = np.zeros(len(members))
    for _ in range(1000):
        moments = posterior(means, np.full(len(members), spread2)) @ np.stack([GRID, GRID**2]).T
        variance = moments[:, 1] - moments[:, 0] ** 2
        known = np.bincount(code, copies * np.maximum(1 - variance / spread2, 0)) / spread2
        doubt = 1 / (1 / between2 + known)
        weight = members / spread2 + 1 / between2
        total = np.bincount(code, copies * moments[:, 0])
        before = np.array([centre, spread2, between2])
        means = (total / spread2 + centre / between2) / weight
        distance = variance + (moments[:, 0] - means[code]) ** 2
        # One grid step is the least spread that the grid can hold.
        spread2 = max(float(copies @ distance / copies.sum()), STEP**2)
        centre = float(means.mean())
        between2 = max(float(np.mean((means - centre) ** 2 + doubt)), STEP**2)
        if np.abs(before - [centre, spread2, between2]).max() < 1e-7:
            break
    weights = posterior(means, spread2 + doubt)[back.ravel()]
    return Pooled(weights, means, spread2**0.5, between2**0.5)


def standard_rate(offsets: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Return the rate at each grid value if every place were seen by the same mix of roles.

    Parameters
    ----------
    offsets, mix
        Log-odds and share of the inspections of each role, shape (roles,).
    """
    return mix @ expit(GRID[None, :] + np.asarray(offsets, float)[:, None])


def quantile(weights: np.ndarray, values: np.ndarray, level: float) -> np.ndarray:
    """Return a quantile of every row of a posterior.

    Parameters
    ----------
    weights
        Shape (places, grid).
    values
        Value at each grid point, not decreasing.
    level
        Between 0 and 1.
    """
    return _inverse(np.cumsum(weights, axis=1) - weights / 2, values, level)


def rank_interval(weights: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest rank (1 = highest rate) that a place may well have.

    The number of other places above a given rate is a sum of independent indicators; its normal
    approximation is averaged over the posterior of the place itself.
    """
    below = np.cumsum(weights, axis=1) - weights / 2
    above = (1 - below).sum(axis=0) - 0.5  # a place is above itself with probability one half
    noise = np.sqrt(np.maximum((below * (1 - below)).sum(axis=0), 1e-12))
    ranks = np.unique(np.geomspace(1, len(weights), 200).round())
    probability = weights @ ndtr((ranks[None, :] - 0.5 - above[:, None]) / noise[:, None])
    tail = (1 - confidence) / 2
    low, high = (_inverse(probability, ranks, level) for level in (tail, 1 - tail))
    return np.floor(low).astype(int), np.ceil(high).astype(int)


def _inverse(cumulative: np.ndarray, values: np.ndarray, level: float) -> np.ndarray:
    """Invert the distribution function in each row by linear interpolation."""
    right = np.clip((cumulative < level).sum(axis=1), 1, len(values) - 1)
    rows = np.arange(len(cumulative))
    low, high = cumulative[rows, right - 1], cumulative[rows, right]
    part = np.clip((level - low) / np.maximum(high - low, 1e-300), 0, 1)
    return values[right - 1] + part * (values[right] - values[right - 1])
