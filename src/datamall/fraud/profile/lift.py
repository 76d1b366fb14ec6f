"""Lift: how many times as often a profile finds a mistake as a random draw does.

In a random arm the people whom a profile would pick are a random sample of all whom it would
pick, and the others a random sample of the rest. With shares p and q of mistakes found among
them, and a known share f of everybody picked, lift = p / (f p + (1 - f) q) = r / (f r + 1 - f)
for r = p / q. It grows with r, so limits of r give limits of the lift, and its interval lies above
1 exactly where that of r does.
"""

import numpy as np

from datamall.fairness.intervals import gap_between, gap_limits, limits

_STEPS = 40


def of_ratio(ratio: np.ndarray, share: np.ndarray | float) -> np.ndarray:
    """Return the lift for a ratio of picked to others; `share` of everybody is picked."""
    r, f = np.asarray(ratio, float), np.asarray(share, float)
    finite = np.where(np.isinf(r), 1.0, r)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isinf(r), 1 / f, finite / (f * finite + 1 - f))


def estimate(
    picked: tuple[np.ndarray, np.ndarray],
    others: tuple[np.ndarray, np.ndarray],
    share: np.ndarray | float,
    confidence: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lift with its interval.

    Parameters
    ----------
    picked, others
        Mistakes found and people, among the people of the random arm who would be picked, and
        among those who would not.
    share
        Share of everybody that is picked.
    confidence
        Level of the two-sided interval.

    Returns
    -------
    tuple of numpy.ndarray
        Lift (NaN where nobody is picked, nothing is found or a count is NaN), low, high.

    Notes
    -----
    Limits of the ratio from exact limits of both shares (Clopper and Pearson 1934; Donner and Zou
    2012, see `datamall.fairness.intervals`).
    """
    (x, n), (y, m) = (tuple(np.asarray(v, float) for v in pair) for pair in (picked, others))
    low, high = gap_limits((x, n), (y, m), (1 - confidence) / 2, "ratio")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (x / n) / (y / m)
    return of_ratio(ratio, share), of_ratio(low, share), of_ratio(high, share)


def smallest(
    picked: float, others: float, share: float, rate: float, confidence: float, power: float
) -> float:
    """Return the smallest lift that this many people would show.

    Parameters
    ----------
    picked, others
        People of the random arm who would be picked, and who would not.
    share
        Share of everybody that is picked.
    rate
        Share of mistakes found by a random draw.
    confidence
        Level of the interval that has to lie above 1.
    power
        Probability with which it should.

    Returns
    -------
    float
        NaN where even a profile that picks nobody without a mistake would not show it, and where
        a number is not known (NaN).
    """
    if not (picked > 0 and others > 0 and 0 < rate < 1 and 0 < share < 1):
        return float("nan")
    picked, others = int(picked), int(others)
    one = np.arange(picked + 1.0)[:, None], np.array(float(picked))
    other = np.arange(others + 1.0), np.array(float(others))
    tail = (1 - confidence) / 2
    known = (limits(*one, tail), limits(*other, tail))
    finds = gap_between(one, other, *known, "ratio")[0] > 1

    def found(lift: float) -> float:
        p, q = lift * rate, rate * (1 - lift * share) / (1 - share)
        return float(_binomial(picked, p) @ finds @ _binomial(others, q))

    low, high = 1.0, min(1 / rate, 1 / share)
    if found(high) < power:
        return float("nan")
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if found(middle) >= power else (middle, high)
    return high


def needed(share: float, rate: float, wanted: float, confidence: float, power: float) -> int | None:
    """Return about how many people must be drawn at random to show a lift.

    Parameters
    ----------
    share, rate, confidence, power
        As for `smallest`.
    wanted
        The lift.

    Returns
    -------
    int or None
        People with a result, rounded up to 10; None where the lift cannot exist: no profile finds
        more mistakes than there are.

    Notes
    -----
    Two shares compared by groups of unequal size, with the correction for continuity (Fleiss,
    Levin and Paik 2003, chapter 4), which stands for the caution of exact limits: they then show
    the lift with a power of .77 to .80 where .8 is wanted.
    """
    from scipy.special import ndtri

    if not (0 < share < 1 and 0 < rate < 1) or wanted <= 1 or wanted >= min(1 / rate, 1 / share):
        return None
    p, q = wanted * rate, rate * (1 - wanted * share) / (1 - share)
    nothing = np.sqrt(rate * (1 - rate) / (share * (1 - share)))
    lifted = np.sqrt(p * (1 - p) / share + q * (1 - q) / (1 - share))
    width = ndtri((1 + confidence) / 2) * nothing + ndtri(power) * lifted
    people = (width / (p - q)) ** 2
    people *= (1 + np.sqrt(1 + 2 / (people * share * (1 - share) * (p - q)))) ** 2 / 4
    return int(np.ceil(people / 10) * 10)


def _binomial(trials: int, rate: float) -> np.ndarray:
    """Return the probabilities of 0 to `trials` successes."""
    from scipy.stats import binom

    return np.asarray(binom.pmf(np.arange(trials + 1), trials, float(np.clip(rate, 0, 1))))
