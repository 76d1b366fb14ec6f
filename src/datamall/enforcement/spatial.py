"""Spatial statistics: nearest neighbours, Moran's I and the local statistic Gi*."""

import numpy as np
from scipy.sparse import spmatrix
from scipy.spatial import cKDTree
from scipy.special import ndtri

from datamall.errors import DatamallError

BLOCK = 4096  # places at once


def nearest(x: np.ndarray, y: np.ndarray, neighbours: int) -> np.ndarray:
    """Return each place and its nearest others.

    Parameters
    ----------
    x, y
        Coordinates in metres, shape (places,).
    neighbours
        Number of others.

    Returns
    -------
    numpy.ndarray
        Indices, shape (places, neighbours + 1), the place itself first. Distances are compared to
        the millimetre; equally near places go by index.

    Raises
    ------
    DatamallError
        When there are not more places than neighbours.
    """
    n = len(x)
    if not 1 <= neighbours < n:
        raise DatamallError(
            f"{neighbours} neighbours asked of {n} places: set neighbours between 1 and {n - 1}."
        )
    points = np.column_stack([x, y]).astype(float)
    tree, blocks = cKDTree(points), np.array_split(np.arange(n), -(-n // BLOCK))
    return np.concatenate([_nearest(tree, points, own, neighbours) for own in blocks])


def _nearest(tree: cKDTree, points: np.ndarray, own: np.ndarray, neighbours: int) -> np.ndarray:
    """Return the rows of `nearest` for some of the points."""
    width = neighbours + 2
    while True:
        # Ask for more until no tie crosses the edge: the order within the tree must not matter.
        distance, index = tree.query(points[own], k=min(width, len(points)))
        distance = distance.round(3)
        if width >= len(points) or (distance[:, neighbours] < distance[:, -1]).all():
            break
        width *= 2
    distance[index == own[:, None]] = -1
    order = np.lexsort((index, distance), axis=1)
    return np.take_along_axis(index, order, axis=1)[:, : neighbours + 1]


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Return the normal quantile of each value's rank, Φ⁻¹((rank − ½) / n), to two decimals.

    A single extreme count then weighs no more than its rank does. Two decimals put sums of scores
    on a lattice, so that `upper_tail` can count them exactly.

    Parameters
    ----------
    values
        Shape (places,). Values that are equal to 12 decimals tie and share their mean rank.

    Returns
    -------
    numpy.ndarray
        Shape (places,), in the order of the values.
    """
    from scipy.stats import rankdata

    values = np.asarray(values, float).round(12)
    return ndtri((rankdata(values) - 0.5) / len(values)).round(2)


def upper_tail(scores: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the exact one-sided p-value of Gi* under all permutations of the scores over places.

    A sum over m places is then the sum of m scores drawn without replacement. Its distribution is
    counted score by score: each place takes part with chance m / n, independently, so that a
    binomial number of those with one score do, and the outcomes with m places are kept (rejective
    sampling, Hájek 1964, Annals of Mathematical Statistics 35:1491).
    No draws, no normal approximation, which fails for skewed or tied values and few neighbours.

    Parameters
    ----------
    scores
        Shape (places,), to two decimals, as from `normal_scores`.
    near
        Neighbours including the place itself, as from `nearest`.

    Returns
    -------
    numpy.ndarray
        Shape (places,): the chance of a sum at least as high. Work grows with m² and the number
        of different scores.
    """
    from scipy.stats import binom

    n, m = near.shape
    steps = np.rint(np.asarray(scores) * 100).astype(int)
    steps -= steps.min()
    size = m * steps.max() + 1
    chance = np.zeros((m + 1, size))  # by number of places so far and sum so far
    chance[0, 0] = 1
    for step, places in zip(*np.unique(steps, return_counts=True), strict=True):
        before, chance = chance, np.zeros_like(chance)
        for joined in range(min(m, places) + 1):
            part = before[: m + 1 - joined, : size - joined * step]
            chance[joined:, joined * step :] += part * binom.pmf(joined, places, m / n)
    tail = chance[m, ::-1].cumsum()[::-1]
    return tail[steps[near].sum(axis=1)] / tail[0]


def constant(values: np.ndarray) -> bool:
    """Return whether all values are equal to 12 decimals, as ranks take them in `normal_scores`."""
    return bool(np.ptp(np.asarray(values, float).round(12)) == 0)


def local_g_star(values: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return the z-score of Gi* (Ord and Getis 1995, Geographical Analysis 27:286).

    Parameters
    ----------
    values
        Shape (places,).
    near
        Neighbours including the place itself, as from `nearest`; weights are 0 or 1.

    Returns
    -------
    numpy.ndarray
        Shape (places,); NaN where all values are equal, as the statistic is undefined then.
    """
    values = np.asarray(values, float)
    n, m = near.shape
    excess = values[near].sum(axis=1) - m * values.mean()
    scale = values.std() * np.sqrt(m * (n - m) / (n - 1))
    return np.full(n, np.nan) if constant(values) else excess / scale


def moran(values: np.ndarray, weights: spmatrix) -> dict[str, float]:
    """Return Moran's I with its z-score under randomisation (Cliff and Ord 1981).

    Parameters
    ----------
    values
        Shape (places,).
    weights
        Sparse matrix of spatial weights, shape (places, places), zero diagonal.

    Returns
    -------
    dict
        `I`, `expected`, `z`; `I` and `z` are NaN where all values are equal, as they are undefined
        then.
    """
    z = np.asarray(values, float) - np.mean(values)
    n, total = len(z), weights.sum()
    if constant(values):
        return {"I": np.nan, "expected": -1 / (n - 1), "z": np.nan}
    statistic = n / total * float(z @ (weights @ z)) / float(z @ z)
    both = weights + weights.T
    s1 = float(both.data @ both.data) / 2
    s2 = float(np.sum(np.asarray(both.sum(axis=0)) ** 2))
    kurtosis = n * np.sum(z**4) / np.sum(z**2) ** 2
    expected = -1 / (n - 1)
    first = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * total**2)
    second = kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * total**2)
    variance = (first - second) / ((n - 1) * (n - 2) * (n - 3) * total**2) - expected**2
    return {"I": statistic, "expected": expected, "z": (statistic - expected) / variance**0.5}
