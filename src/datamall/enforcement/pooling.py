"""Partial pooling of counts: rates of places that borrow strength from their group.

Model, for place i in group d, seen by observers of role r::

    successes[i, r] ~ Binomial(trials[i, r], expit(theta[i] + offset[r]))
    theta[i] ~ Normal(mean[d], spread²)        mean[d] ~ Normal(centre, between²)

This is empirical Bayes (Robbins 1956; Efron and Morris 1975): the means and spreads that serve as
prior for each place are estimated from all of them, by EM (Dempster, Laird and Rubin 1977). The
places are integrated over a fixed grid: no random draws, the same answer every time.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from scipy.special import expit, log_expit, ndtr

from datamall.threads import Found, in_order

GRID = np.linspace(-8.0, 8.0, 321)  # log-odds; rates from 0.03 % to 99.97 %
STEP = GRID[1] - GRID[0]
BLOCK = 96  # places at once; so many rows of the grid stay in the cache of the processor


@dataclass(frozen=True)
class Pooled:
    """Posterior of a set of places, which is worked out block by block.

    Attributes
    ----------
    likelihood
        What is known of each of the different counts, see `Likelihood`.
    back
        Position of the counts of each place in `likelihood`, shape (places,).
    means
        Mean log-odds of each group, shape (groups,).
    spread
        Standard deviation of the log-odds of places within a group.
    between
        Standard deviation of the group means.
    variance
        Of the prior of each group's places: spread² and the uncertainty of the mean.
    """

    likelihood: "Likelihood"
    back: np.ndarray
    means: np.ndarray
    spread: float
    between: float
    variance: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Probability of each grid value at each place, shape (places, `GRID`); rows sum to 1."""
        return np.concatenate([weights for weights, _ in self.blocks()])[self.back]

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of `weights` that differ, and at how many places each holds."""
        prior = self.likelihood.prior(self.means, self.variance)
        for rows in self.likelihood.rows():
            weights = self.likelihood.weighted(rows, prior)
            yield weights / weights.sum(axis=1, keepdims=True), self.likelihood.copies[rows]

    def summary(self, reckon: Callable[[np.ndarray], tuple[np.ndarray, ...]]) -> list[np.ndarray]:
        """Return what is reckoned of each row of `weights`, one value per place and result."""
        prior = self.likelihood.prior(self.means, self.variance)

        def of(rows: slice) -> tuple[np.ndarray, ...]:
            weights = self.likelihood.weighted(rows, prior)
            return reckon(weights / weights.sum(axis=1, keepdims=True))

        parts = zip(*self.likelihood.each(of), strict=True)
        return [np.concatenate(part)[self.back] for part in parts]


@dataclass(frozen=True)
class Likelihood:
    """Different counts of places of one group: what they say of the log-odds.

    Attributes
    ----------
    group, copies
        Group of the places with these counts, and how many they are, shape (counts,).
    successes, trials
        Shape (counts, roles).
    offsets
        Habit of each role in log-odds, shape (roles,).
    """

    group: np.ndarray
    copies: np.ndarray
    successes: np.ndarray
    trials: np.ndarray
    offsets: np.ndarray

    def rows(self) -> list[slice]:
        """Return which rows are worked through at a time, so that they stay in the cache."""
        return [slice(start, start + BLOCK) for start in range(0, len(self.group), BLOCK)]

    def each(self, reckon: Callable[[slice], Found]) -> list[Found]:
        """Return what is reckoned of all rows, so many at a time as stay in the cache."""
        rows = self.rows()
        several = [rows[start : start + 50] for start in range(0, len(rows), 50)]
        return [*chain(*in_order(lambda some: [reckon(one) for one in some], several))]

    def prior(self, means: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Return the prior of each group at each grid value, up to a factor per group."""
        return np.exp(-0.5 * (GRID[None, :] - means[:, None]) ** 2 / variance[:, None])

    @cached_property
    def logs(self) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of the chances of both outcomes, shape (roles, `GRID`)."""
        shifted = GRID[None, :] + np.asarray(self.offsets, float)[:, None]
        return log_expit(shifted), log_expit(-shifted)

    def weighted(self, rows: slice, prior: np.ndarray) -> np.ndarray:
        """Return likelihood × prior of some rows at each grid value, up to a factor per row."""
        found, missed = self.logs
        y, n = self.successes[rows], self.trials[rows]
        weights: np.ndarray = y @ found
        weights += (n - y) @ missed
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        weights *= prior[self.group[rows]]
        return weights

    def moments(self, means: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the log-odds given the counts and a prior per group."""
        powers = np.stack([np.ones_like(GRID), GRID, GRID**2]).T
        prior, _ = self.prior(means, variance), self.logs
        sums = self.each(lambda rows: self.weighted(rows, prior) @ powers)
        size, first, second = np.concatenate(sums).T
        mean = first / size
        return mean, second / size - mean**2


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
    roles, code = len(offsets), unique[:, 0].astype(int)
    y, n = unique[:, 1 : 1 + roles], unique[:, 1 + roles :]
    likelihood = Likelihood(code, copies, y, n, offsets)
    members = np.bincount(code, copies)
    centre = 0.0
    means, spread2, between2 = np.zeros(len(members)), 1.0, 1.0
    doubt = np.zeros(len(members))
    for _ in range(1000):
        mean, variance = likelihood.moments(means, np.full(len(members), spread2))
        known = np.bincount(code, copies * np.maximum(1 - variance / spread2, 0)) / spread2
        doubt = 1 / (1 / between2 + known)
        weight = members / spread2 + 1 / between2
        total = np.bincount(code, copies * mean)
        before = np.array([centre, spread2, between2])
        means = (total / spread2 + centre / between2) / weight
        distance = variance + (mean - means[code]) ** 2
        # One grid step is the least spread that the grid can hold.
        spread2 = max(float(copies @ distance / copies.sum()), STEP**2)
        centre = float(means.mean())
        between2 = max(float(np.mean((means - centre) ** 2 + doubt)), STEP**2)
        if np.abs(before - [centre, spread2, between2]).max() < 1e-7:
            break
    spreads = spread2**0.5, between2**0.5
    return Pooled(likelihood, back.ravel(), means, *spreads, spread2 + doubt)


def standard_rate(offsets: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Return the rate at each grid value if every place were seen by the same mix of roles.

    Parameters
    ----------
    offsets, mix
        Log-odds and share of the inspections of each role, shape (roles,).
    """
    return mix @ expit(GRID[None, :] + np.asarray(offsets, float)[:, None])


def quantiles(weights: np.ndarray, values: np.ndarray, *levels: float) -> list[np.ndarray]:
    """Return quantiles of every row of a posterior.

    Parameters
    ----------
    weights
        Shape (places, grid).
    values
        Value at each grid point, not decreasing.
    levels
        Between 0 and 1.
    """
    cumulative = np.cumsum(weights, axis=1) - weights / 2
    return [_inverse(cumulative, values, level) for level in levels]


@dataclass(frozen=True)
class Field:
    """How many of a number of places are above each grid value: mean and standard deviation."""

    places: int
    above: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, blocks: Iterable[tuple[np.ndarray, np.ndarray]]) -> "Field":
        """Reckon it from rows of a posterior, each with the number of places that have it."""
        places, above, variance = 0, np.zeros(len(GRID)), np.zeros(len(GRID))
        for weights, copies in blocks:
            below = np.cumsum(weights, axis=1) - weights / 2
            places += int(copies.sum())
            above += copies @ (1 - below)
            variance += copies @ (below * (1 - below))
        return cls(places, above, np.sqrt(np.maximum(variance, 1e-12)))

    @cached_property
    def ranks(self) -> np.ndarray:
        """Ranks at which chances are known: all low ones, and ever fewer."""
        return np.unique(np.geomspace(1, self.places, 200).round())

    @cached_property
    def chance(self) -> np.ndarray:
        """Chance that a place at each grid value has at most each rank, shape (`GRID`, ranks)."""
        above = self.above - 0.5  # a place is above itself with probability one half
        return np.asarray(ndtr((self.ranks[None, :] - 0.5 - above[:, None]) / self.noise[:, None]))


def rank_interval(
    weights: np.ndarray, confidence: float, field: Field | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest rank (1 = highest rate) that a place may well have.

    The number of other places above a given rate is a sum of independent indicators; its normal
    approximation is averaged over the posterior of the place itself.

    Parameters
    ----------
    weights
        Posterior of some places, shape (places, `GRID`).
    confidence
        Level of the interval.
    field
        Of all places among which these rank; without it these are all.
    """
    field = field or Field.of([(weights, np.ones(len(weights)))])
    probability, tail = weights @ field.chance, (1 - confidence) / 2
    low, high = (_inverse(probability, field.ranks, level) for level in (tail, 1 - tail))
    return np.floor(low).astype(int), np.ceil(high).astype(int)


def _inverse(cumulative: np.ndarray, values: np.ndarray, level: float) -> np.ndarray:
    """Invert the distribution function in each row by linear interpolation."""
    right = np.clip((cumulative < level).sum(axis=1), 1, len(values) - 1)
    rows = np.arange(len(cumulative))
    low, high = cumulative[rows, right - 1], cumulative[rows, right]
    part = np.clip((level - low) / np.maximum(high - low, 1e-300), 0, 1)
    return values[right - 1] + part * (values[right] - values[right - 1])
