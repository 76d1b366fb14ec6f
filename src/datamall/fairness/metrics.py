"""Rates of groups from counts by decision and outcome.

Counts have shape (..., 3, 3): decision by outcome, each no, yes, unknown. Every rate is a share
``yes / (yes + no)`` of two sums of these nine counts, so one product with a matrix of ones gives
all rates of all groups and replicates. A rate with no people to count is NaN: fairlearn and
scikit-learn return 0 there, which reads as perfect.

A metric is one record of `RECORDS`. What can be known of it, and from whom, follows from the counts
it is a share of, never from a list of names: a rate whose counts ask for an outcome is not known of
people without one, whoever adds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness.counting import NO, TOTAL, UNKNOWN, YES, named

Count = tuple[int, int]
Criterion = Literal["independence", "separation", "sufficiency"]

TP, FP, FN, TN = (YES, YES), (YES, NO), (NO, YES), (NO, NO)


@dataclass(frozen=True)
class Metric:
    """A rate: which people are counted, and of whom they are a share.

    Counts are (decision, outcome), each no, yes, unknown or `TOTAL`: whichever. People whose
    decision or outcome is unknown are in neither sum, wherever the rate asks for it.

    Attributes
    ----------
    name
        Its name in plans and tables.
    numerator, denominator
        The counts that are summed; those of the numerator are some of the denominator's.
    term
        Standard name of the rate.
    parity
        Standard name of equal rates; empty if there is none.
    whom, what
        Its sentence: "Of 100 *people with the outcome*, 30 *are selected*".

    Raises
    ------
    DatamallError
        If the numerator is nobody or everybody of the denominator, or people are counted twice.
    """

    name: str
    numerator: tuple[Count, ...]
    denominator: tuple[Count, ...]
    term: str
    parity: str
    whom: str
    what: str

    def __post_init__(self) -> None:
        within = set(self.numerator) < set(self.denominator) and self.numerator
        people = [place for count in self.denominator for place in _places(count)]
        if not within or len(set(people)) < len(people):
            raise DatamallError(
                f"The metric {self.name} is no share: its numerator must be a part of its "
                "denominator, and everybody counted once."
            )

    @property
    def complement(self) -> tuple[Count, ...]:
        """The counts of the denominator that are not in the numerator: those of 1 − rate."""
        return tuple(count for count in self.denominator if count not in self.numerator)

    @property
    def given(self) -> Count | None:
        """The count that both sums are parts of, with those unknown; None: they have no total."""
        if len(self.denominator) == 2:
            (d, y), (e, z) = self.denominator
            if d == e and {y, z} == {NO, YES}:
                return d, TOTAL
            if y == z and {d, e} == {NO, YES}:
                return TOTAL, y
        return None

    @property
    def unknown(self) -> Count | None:
        """The people of `given` who are in neither sum."""
        if self.given is None:
            return None
        (d, y), (e, _) = self.denominator
        return (d, UNKNOWN) if d == e else (UNKNOWN, y)

    @property
    def needs_outcomes(self) -> bool:
        """Whether it is known only of people whose outcome is."""
        return any(y != TOTAL for _, y in self.denominator)

    @property
    def decisions(self) -> list[int]:
        """The decisions of the people it is about."""
        return sorted({d for count in self.denominator for d, _ in _places(count)})

    @property
    def criterion(self) -> Criterion | None:
        """What equal rates are a part of (Barocas, Hardt and Narayanan 2023, chapter 3).

        Independence: the decision does not depend on the group. Separation: it does not among those
        with one outcome. Sufficiency: the outcome does not among those with one decision.
        """
        if self.given == (TOTAL, TOTAL):
            return None if self.needs_outcomes else "independence"
        if self.given in ((TOTAL, NO), (TOTAL, YES)):
            return "separation"
        return "sufficiency" if self.given in ((NO, TOTAL), (YES, TOTAL)) else None

    @property
    def joinable(self) -> bool:
        """Whether outcomes of several arms can be put together to it."""
        return self.needs_outcomes and self.given is not None and UNKNOWN not in self.given


def _places(count: Count) -> list[Count]:
    """Return where a count is found among the nine."""
    every = (NO, YES, UNKNOWN)
    d, y = (every if value == TOTAL else (value,) for value in count)
    return [(i, j) for i in d for j in y]


_SELECTED, _NOT_SELECTED = (YES, TOTAL), (NO, TOTAL)
_WITH, _WITHOUT = (TOTAL, YES), (TOTAL, NO)

RECORDS = {
    record.name: record
    for record in (
        Metric(
            "selection_rate",
            (_SELECTED,),
            (_SELECTED, _NOT_SELECTED),
            "selection rate",
            "demographic parity",
            "people",
            "are selected",
        ),
        Metric(
            "base_rate", (_WITH,), (_WITH, _WITHOUT), "base rate", "", "people", "have the outcome"
        ),
        Metric(
            "tpr",
            (TP,),
            (TP, FN),
            "true positive rate",
            "equal opportunity",
            "people with the outcome",
            "are selected",
        ),
        Metric(
            "fpr",
            (FP,),
            (FP, TN),
            "false positive rate",
            "predictive equality",
            "people without the outcome",
            "are selected all the same",
        ),
        Metric(
            "fnr",
            (FN,),
            (FN, TP),
            "false negative rate",
            "equal opportunity",
            "people with the outcome",
            "are not selected",
        ),
        Metric(
            "tnr",
            (TN,),
            (TN, FP),
            "true negative rate",
            "predictive equality",
            "people without the outcome",
            "are left alone",
        ),
        Metric(
            "ppv",
            (TP,),
            (TP, FP),
            "positive predictive value",
            "predictive parity",
            "people who are selected",
            "have the outcome",
        ),
        Metric(
            "npv",
            (TN,),
            (TN, FN),
            "negative predictive value",
            "false omission rate parity",
            "people who are not selected",
            "do not have the outcome",
        ),
        Metric(
            "for",
            (FN,),
            (FN, TN),
            "false omission rate",
            "false omission rate parity",
            "people who are not selected",
            "have the outcome",
        ),
        Metric(
            "accuracy",
            (TP, TN),
            (TP, TN, FP, FN),
            "accuracy",
            "overall accuracy equality",
            "people",
            "are rightly selected or rightly not",
        ),
    )
}
METRICS = tuple(RECORDS)


def find(name: str) -> Metric:
    """Return the record of a metric, or say which there are."""
    if name not in RECORDS:
        raise DatamallError(f"There is no metric {named([name])}: there are {', '.join(RECORDS)}.")
    return RECORDS[name]


@lru_cache
def _matrices(which: tuple[Metric, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the ones that sum nine counts to those of yes, and of no."""
    sides = np.zeros((2, 3, 3, len(which)))
    for m, metric in enumerate(which):
        for side, counts in zip(sides, (metric.numerator, metric.complement), strict=True):
            for place in (place for count in counts for place in _places(count)):
                side[(*place, m)] = 1
    sides.setflags(write=False)
    yes, no = sides.reshape(2, 9, len(which))
    return yes, no


def proportions(
    counts: np.ndarray, metrics: Sequence[str] = METRICS
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each rate is a share of.

    Parameters
    ----------
    counts
        Shape (..., 3, 3): decision by outcome. Sums of weights do as well.
    metrics
        Names, of `RECORDS`.

    Returns
    -------
    tuple of ndarray
        Successes and trials, shape (..., metrics).
    """
    flat = counts.reshape(*counts.shape[:-2], 9)
    sides = _matrices(tuple(find(name) for name in metrics))
    yes, no = (flat @ side.astype(flat.dtype) for side in sides)
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
