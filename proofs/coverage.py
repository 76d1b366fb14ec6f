"""Do intervals hold as often as they say? By enumeration: no draws, no error of simulation."""

import numpy as np
import pandas as pd
from scipy.stats import binom

from datamall.fairness.intervals import Method, limits

SHARES, SIZES = (0.02, 0.05, 0.1), (20, 50, 100)
METHODS: tuple[Method, ...] = ("exact", "mid-p", "wilson")
PERCENTILE = "percentile bootstrap"


def coverage(level: float = 0.95) -> pd.DataFrame:
    """Return how often intervals of one proportion hold the true share.

    Parameters
    ----------
    level
        What they promise.

    Returns
    -------
    DataFrame
        share, people, method, covered (probability that the interval holds the share) and width
        (its mean). The audit uses "exact"; the percentile bootstrap is given in the limit of
        endlessly many resamples, where its ends are quantiles of a binomial.
    """
    tail = (1 - level) / 2
    rows = []
    for share in SHARES:
        for people in SIZES:
            seen = np.arange(people + 1)
            chance = binom.pmf(seen, people, share)
            drawn = (binom.ppf(q, people, seen / people) / people for q in (tail, 1 - tail))
            ends = {PERCENTILE: tuple(drawn)}
            ends |= {method: limits(seen, people, tail, method) for method in METHODS}
            for method, (low, high) in ends.items():
                holds = (low <= share) & (share <= high)
                width = float(chance @ (high - low))
                rows.append((share, people, method, float(chance @ holds), width))
    return pd.DataFrame(rows, columns=["share", "people", "method", "covered", "width"])
