"""Regression of a weekly series whose weeks resemble each other.

How much they do is not known, and estimated from few weeks it comes out too small. So no single
value is taken: every value is, as likely as the series makes it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

Floats = NDArray[np.float64]
# Correlations of one week with the next that are tried. None below 0: weeks may resemble each
# other or not; that they repel each other would only make intervals too short.
CORRELATIONS = np.round(np.arange(0, 0.96, 0.05), 2)
LEAST_FREEDOM = 4
LONGEST = 104  # weeks before and after, beyond which nobody waits
_HALVINGS = 60


@dataclass(frozen=True)
class Fit:
    """One coefficient, by each correlation that is tried.

    Attributes
    ----------
    estimate, error
        Generalised least squares and its standard error, one of each correlation.
    spread
        Standard deviation of a single week about the regression.
    weight
        Probability of each correlation; they add up to 1.
    freedom
        Degrees of freedom: known weeks, as many as they are worth, less coefficients.
    """

    estimate: Floats
    error: Floats
    spread: Floats
    weight: Floats
    freedom: Floats

    @property
    def mean(self) -> float:
        """Return the estimate, the mean over correlations."""
        return float((self.weight * self.estimate).sum())

    @property
    def correlation(self) -> float:
        """Return the correlation of one week with the next, the mean over those tried."""
        return float((self.weight * CORRELATIONS).sum())

    def quantile(self, probability: float) -> float:
        """Return the value below which the coefficient lies with a probability."""
        each = self.estimate + self.error * stdtrit(self.freedom, probability)
        low, high = float(each.min()), float(each.max())
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = stdtr(self.freedom, (middle - self.estimate) / np.maximum(self.error, 1e-300))
            if float((self.weight * below).sum()) < probability:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def interval(self, confidence: float, together: int = 1) -> tuple[float, float]:
        """Return an interval; `together` of them hold with the confidence (Bonferroni)."""
        tail = (1 - confidence) / 2 / max(together, 1)
        return self.quantile(tail), self.quantile(1 - tail)


def fit(values: Floats, design: Floats, likely: tuple[float, ...] = ()) -> Fit:
    """Regress a series on what is known of its weeks.

    Parameters
    ----------
    values
        One value a week, NaN where not known: weeks apart stay as far apart as they are.
    design
        Shape (weeks, coefficients); the last coefficient is the one that is wanted.
    likely
        Standard deviations about nought of what is assumed of the coefficients in front of it, one
        of each; infinite (or left out, for all) where nothing is.

    Notes
    -----
    Residuals of weeks i and j have the correlation ρ^|i − j| (AR(1)). For each ρ of
    `CORRELATIONS`, coefficients are those of generalised least squares, and its weight is the
    marginal likelihood |V|^(−1/2) |X'V⁻¹X|^(−1/2) RSS^(−(n − p)/2): the posterior under flat priors
    on coefficients, log σ and ρ, as of Zellner and Tiao (1964, JASA 59:763); derived anew, not
    checked against the printed page. The coefficient is then a mixture of Student's t, wider than
    that of any one estimate of ρ. So that intervals of few weeks hold what they promise, weights
    are multiplied by Jeffreys' (1 − ρ²)^(−1/2), and n weeks count as n (1 − ρ) / (1 + ρ) for the
    degrees of freedom, of which at least `LEAST_FREEDOM` are left: chosen on drawn series, not
    derived. What is assumed of a coefficient is one more observation of it,
    weighted by the spread of a regression without it (ridge regression).

    Raises
    ------
    ValueError
        When there are not more known weeks than coefficients.
    """
    known = np.flatnonzero(np.isfinite(values))
    y, x = values[known], design[known]
    freedom = len(y) - x.shape[1]
    if freedom < 1:
        raise ValueError("A regression needs more weeks than coefficients.")
    apart = np.abs(known[:, None] - known[None, :])
    scale = max(float(np.ptp(y)), 1e-12)  # of a series without any spread nothing is divided by 0
    pull = np.zeros(x.shape[1])
    pull[: len(likely)] = 1 / np.asarray(likely, float)
    assumed = np.count_nonzero(pull)
    # One regression of each correlation, all at once: the first axis.
    root = np.linalg.cholesky(CORRELATIONS[:, None, None] ** apart)
    both = np.broadcast_to(np.column_stack([x, y]), (len(root), len(y), x.shape[1] + 1))
    white = np.linalg.solve(root, both)
    own, target = white[..., :-1], white[..., -1]
    inner = own.mT @ own
    least = (1e-9 * scale) ** 2
    # A little is added, so that a column without any movement ends nothing.
    _, rest = _solved(own, target, np.linalg.inv(inner + np.diag(1e-9 * (pull > 0))))
    if assumed:
        spread = np.sqrt((rest + least) / freedom)
        more = spread[:, None, None] * np.diag(pull)
        own = np.concatenate([own, more], axis=1)
        target = np.pad(target, ((0, 0), (0, len(pull))))
        inner = own.mT @ own
    inverse = np.linalg.inv(inner)
    coefficients, rest = _solved(own, target, inverse)
    rest = rest + least
    spread = np.sqrt(rest / (freedom + assumed))
    score = np.linalg.slogdet(inverse)[1] / 2 - (freedom + assumed) / 2 * np.log(rest)
    score -= np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    score -= np.log(1 - CORRELATIONS**2) / 2
    weight = np.exp(score - score.max())
    error = spread * np.sqrt(inverse[:, -1, -1])
    worth = len(y) * (1 - CORRELATIONS) / (1 + CORRELATIONS) - x.shape[1]
    worth = np.minimum(np.maximum(worth, LEAST_FREEDOM), freedom)
    return Fit(coefficients[:, -1], error, spread, weight / weight.sum(), worth)


def _solved(design: NDArray, target: NDArray, inverse: NDArray) -> tuple[Floats, Floats]:
    """Return the coefficients of least squares and the sums of squares that they leave."""
    coefficients = (inverse @ (design.mT @ target[..., None]))[..., 0]
    rest = target - (design @ coefficients[..., None])[..., 0]
    return coefficients, (rest**2).sum(axis=-1)


def change_variance(before: NDArray | int, after: NDArray | int) -> Floats:
    """Return the variance of an estimated change of level, in variances of a single week.

    Parameters
    ----------
    before, after
        Weeks without a gap, numbers or arrays of one shape.

    Returns
    -------
    numpy.ndarray
        Shape (…, correlations): of generalised least squares with the correlations tried.

    Notes
    -----
    The series is whitened (Prais and Winsten 1954): the first week times √(1 − ρ²), every other one
    less ρ times the one before.
    """
    old, new = (np.asarray(one, float)[..., None] for one in (before, after))
    left = 1 - CORRELATIONS
    level = (1 - CORRELATIONS**2) + (old + new - 1) * left**2
    both = left * (1 + (new - 1) * left)
    step = 1 + (new - 1) * left**2
    return (1 - CORRELATIONS**2) * level / (level * step - both**2)


def findable(series: Floats, weeks: int, confidence: float, power: float) -> float:
    """Return the smallest change of level that so many weeks, before and after, would show.

    Parameters
    ----------
    series
        One value a week, NaN where not known, of the time without a change.
    weeks
        To be measured before, and again after.
    confidence, power
        Level of the test, and probability with which the change should be found.

    Returns
    -------
    float
        In units of the series; NaN of fewer than three known weeks.
    """
    return float(_findable(series, np.array([weeks]), confidence, power)[0])


def weeks_needed(series: Floats, change: float, confidence: float, power: float) -> int | None:
    """Return the weeks, each before and after, from which on a change would be found.

    Parameters
    ----------
    series, confidence, power
        As for `findable`.
    change
        That should be found, in units of the series.

    Returns
    -------
    int or None
        At least 2; None where `LONGEST` are not enough, or fewer than three weeks are known.
    """
    weeks = np.arange(2, LONGEST + 1)
    enough = _findable(series, weeks, confidence, power).round(9) <= round(abs(change), 9)
    return int(weeks[enough.argmax()]) if enough.any() else None


def _findable(series: Floats, weeks: NDArray, confidence: float, power: float) -> Floats:
    if np.isfinite(series).sum() < 3:
        return np.full(len(weeks), np.nan)
    found = fit(series, np.ones((len(series), 1)))
    variance = change_variance(weeks, weeks) * found.spread**2
    factor = float(ndtri((1 + confidence) / 2) + ndtri(power))
    return factor * np.sqrt((found.weight * variance).sum(axis=-1))
