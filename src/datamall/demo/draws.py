"""Random draws that come out the same on every machine.

Each part of the city draws from a stream of its own, named after it, so that a part added later
changes nothing in the others. Only uniform numbers are drawn and then put through the inverse of
the distribution function: a rejection sampler could take another number of draws where two CPUs
differ in the last bit, and everything after it would differ.
"""

from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of the part called `name`."""
    return np.random.Generator(np.random.PCG64([seed, crc32(name.encode())]))


def normal(rng: np.random.Generator, size: int | tuple[int, ...], reach: float = 8.0) -> Floats:
    """Draw from the standard normal distribution, truncated at `reach` on both sides.

    Truncation bounds the positions of places, so that all lie inside the box of the city.
    """
    tail = float(ndtr(-reach))
    return ndtri(tail + (1 - 2 * tail) * rng.random(size))


def normal_scores(rng: np.random.Generator, size: int) -> Floats:
    """Return the `size` expected quantiles of a standard normal distribution in random order.

    Used where few values are drawn (one per district): their spread is the same for every seed.
    """
    order = np.argsort(rng.random(size), kind="stable")
    return ndtri((order + 0.5) / size)


def poisson(rng: np.random.Generator, mean: Floats) -> Integers:
    """Draw Poisson counts by walking up the distribution function; for means below about 50."""
    uniform = rng.random(mean.shape)
    count = np.zeros(mean.shape, dtype=np.int64)
    probability = np.exp(-mean)
    below = probability.copy()
    # A draw that is still above after so many steps is a rounding of the last bit of `below`.
    for step in range(1, int(mean.max(initial=0) * 2) + 60):
        above = uniform >= below
        if not above.any():
            break
        count += above
        probability = probability * mean / step
        below += probability
    return count


def pick(rng: np.random.Generator, shares: ArrayLike, size: int) -> Integers:
    """Draw `size` indices with probabilities proportional to `shares`."""
    edges = np.cumsum(np.asarray(shares, dtype=float))
    return np.searchsorted(edges[:-1] / edges[-1], rng.random(size), side="right")


def sample(rng: np.random.Generator, population: int, size: int) -> Integers:
    """Return `size` different indices below `population`, in random order."""
    return np.argsort(rng.random(population), kind="stable")[:size]


def expit(logit: ArrayLike) -> Floats:
    """Return the probability that belongs to a log-odds."""
    return 1 / (1 + np.exp(-np.asarray(logit, dtype=float)))


def logit(probability: ArrayLike) -> Floats:
    """Return the log-odds of a probability."""
    p = np.asarray(probability, dtype=float)
    return np.log(p / (1 - p))
