"""Rates of groups from counts by decision and outcome.

Counts have shape (..., 3, 3): decision by outcome, each no, yes, unknown. Every rate is a share
``yes / (yes + no)`` of two sums of these nine counts, so one product with a matrix of ones gives
all rates of all groups and replicates. A rate with no people to count is NaN: fairlearn and
scikit-learn return 0 there, which reads as perfect.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness.counting import NO, UNKNOWN, YES, named

_ALL = (NO, YES, UNKNOWN)


def _where(decisions: Sequence[int], outcomes: Sequence[int]) -> list[tuple[int, int]]:
    return [(d, y) for d in decisions for y in outcomes]


# Rate: the (decision, outcome) pairs that count as yes, and those that count as no. People whose
# decision or outcome is unknown count in neither, wherever the rate asks for it.
PAIRS: dict[str, tuple[list[tuple[int, int]], list[tuple[int, int]]]] = {
    "selection_rate": (_where([YES], _ALL), _where([NO], _ALL)),
    "base_rate": (_where(_ALL, [YES]), _where(_ALL, [NO])),
    "tpr": (_where([YES], [YES]), _where([NO], [YES])),
    "fpr": (_where([YES], [NO]), _where([NO], [NO])),
    "fnr": (_where([NO], [YES]), _where([YES], [YES])),
    "tnr": (_where([NO], [NO]), _where([YES], [NO])),
    "ppv": (_where([YES], [YES]), _where([YES], [NO])),
    "npv": (_where([NO], [NO]), _where([NO], [YES])),
    "accuracy": ([(YES, YES), (NO, NO)], [(YES, NO), (NO, YES)]),
}
METRICS = tuple(PAIRS)


def _matrix(side: int) -> np.ndarray:
    matrix = np.zeros((3, 3, len(PAIRS)), np.int64)
    for m, pairs in enumerate(PAIRS.values()):
        for pair in pairs[side]:
            matrix[(*pair, m)] = 1
    return matrix.reshape(9, -1)


_YES, _NO = _matrix(0), _matrix(1)


def chosen(metrics: Sequence[str]) -> list[int]:
    """Return the positions of metrics in `METRICS`, or say which name is unknown."""
    odd = [name for name in metrics if name not in METRICS]
    if odd:
        raise DatamallError(f"There is no metric {named(odd)}: there are {', '.join(METRICS)}.")
    return [METRICS.index(name) for name in metrics]


def proportions(
    counts: np.ndarray, metrics: Sequence[str] = METRICS
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each rate is a share of.

    Parameters
    ----------
    counts
        Shape (..., 3, 3): decision by outcome. Sums of weights do as well.
    metrics
        Names, of `METRICS`.

    Returns
    -------
    tuple of ndarray
        Successes and trials, shape (..., metrics).
    """
    flat = counts.reshape(*counts.shape[:-2], 9)
    which = chosen(metrics)
    yes, no = (flat @ side[:, which].astype(flat.dtype) for side in (_YES, _NO))
    return yes, yes + no


def share(successes: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Return successes / trials, NaN where there are no trials."""
    out = np.full(np.broadcast(successes, trials).shape, np.nan)
    return np.divide(successes, trials, out=out, where=np.asarray(trials) > 0)


def rate(counts: np.ndarray, metrics: Sequence[str] = METRICS) -> np.ndarray:
    """Return rates, shape (..., metrics); see `proportions`."""
    # As floating-point numbers, exact up to 2^53, the product is several times faster.
    return share(*proportions(np.asarray(counts, float), metrics))


def ratio(value: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return value / reference: infinite where only the reference is 0, NaN where both are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(value) / np.asarray(reference)


def spread(rates: np.ndarray, overall: np.ndarray) -> np.ndarray:
    """Return how far groups lie apart, as fairlearn's ``MetricFrame`` defines it.

    Parameters
    ----------
    rates
        Shape (..., groups, metrics); groups with NaN are left out.
    overall
        Rates of everybody, shape (..., metrics).

    Returns
    -------
    ndarray
        Shape (..., metrics, 4): largest difference between two groups, smallest ratio between
        two groups, largest difference to overall, smallest ratio to overall (turned round where
        above 1). NaN where no group has the rate.

    Notes
    -----
    The largest difference is above 0 even where all groups are treated alike, the more so the
    more groups there are: it is a description, no evidence.
    """
    defined = ~np.isnan(rates)
    some = defined.any(axis=-2)
    high = np.where(defined, rates, -np.inf).max(axis=-2)
    low = np.where(defined, rates, np.inf).min(axis=-2)
    off = np.abs(rates - overall[..., None, :])
    turned = ratio(rates, overall[..., None, :])
    with np.errstate(divide="ignore"):
        turned = np.where(turned > 1, 1 / turned, turned)
    parts = [
        high - low,
        ratio(low, high),
        np.where(defined, off, -np.inf).max(axis=-2),
        np.where(np.isnan(turned), np.inf, turned).min(axis=-2),
    ]
    with_value = np.stack(parts, axis=-1)
    return np.where(some[..., None] & np.isfinite(with_value), with_value, np.nan)


SPREADS = ("difference_between", "ratio_between", "difference_to_overall", "ratio_to_overall")


def spread_table(rates: np.ndarray, overall: np.ndarray, metrics: Sequence[str]) -> pd.DataFrame:
    """Return `spread` as a table: one row per metric, columns `SPREADS`."""
    table = pd.DataFrame(spread(rates, overall), columns=list(SPREADS))
    table.insert(0, "metric", list(metrics))
    return table
