"""Draws: bootstrap of any statistic of the counts, and permutation tests of no difference.

Both draw counts, never people: the cost grows with the number of groups and not with the number
of people. Draws come from numpy's PCG64 with the seed that is given. Large counts are drawn by
rejection, where the last bit of a logarithm, which differs between processors, could in principle
turn one draw and all that follow; the chance is below 1e-9 for an audit, and a test draws the same
counts with the processor's newer instructions switched off, by which logarithms do differ.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, kron
from scipy.special import gammaln

from datamall.errors import DatamallError
from datamall.fairness import metrics, multiplicity
from datamall.fairness.cells import Cells
from datamall.fairness.inference import check
from datamall.fairness.intervals import limits
from datamall.fairness.subgroups import Subgroups, subgroups

# Below this many people on either side of a rate, its bootstrap is not used.
SMALL = 10
Side = Literal["both", "above", "below"]
# Numbers that a thread holds at a time: few enough to stay near the processor.
_BLOCK = 400_000
_MOST_DRAWN = 10**9


class _Draws:
    """Counts as they might have been: the law of `draws`, a block of replicates at a time."""

    def __init__(self, groups: Subgroups, replicates: int, seed: int) -> None:
        base = groups.base
        flat = base.counts.reshape(-1, 9)
        self.row, self.cell = np.nonzero(flat)
        self.people = flat[self.row, self.cell]
        arm = base.codes[:, base.axes.index("arm")] if "arm" in base.axes else np.zeros(len(base))
        self.parts = [np.flatnonzero(arm[self.row] == one) for one in np.unique(arm)]
        # One product with a sparse matrix takes each drawn count to the groups it belongs to.
        where = (np.ones(len(self.row)), (self.row * 9 + self.cell, np.arange(len(self.row))))
        spread = csr_array(where, (len(base) * 9, len(self.row)))
        self.to_groups = csr_array(kron(groups.members * _weights(base), np.eye(9)) @ spread)
        block = max(1, _BLOCK // max(len(groups) * 9, len(self.row)))
        self.starts = range(0, replicates, block)
        self.numbers = [min(block, replicates - start) for start in self.starts]
        # A seed for each block, so that it does not matter which thread draws it.
        self.seeds = np.random.SeedSequence(seed).spawn(len(self.numbers))

    def block(self, number: int) -> np.ndarray:
        """Return the counts of each combination that occurs, shape (combinations, replicates)."""
        generator = np.random.Generator(np.random.PCG64(self.seeds[number]))
        drawn = np.empty((len(self.row), self.numbers[number]))
        for own in self.parts:
            total = int(self.people[own].sum())
            shares = self.people[own] / total
            drawn[own] = generator.multinomial(total, shares, self.numbers[number]).T
        return drawn


def draws(groups: Subgroups, replicates: int, seed: int) -> Iterator[np.ndarray]:
    """Yield counts as they might have been, with the size of each arm as it was.

    Parameters
    ----------
    groups
        The groups; arms are kept apart if `groups.base` has them as a key, weights likewise.
    replicates
        How many draws.
    seed
        Seed of the draws.

    Yields
    ------
    ndarray
        Shape (some of the replicates, groups, 3, 3): people, or sums of weights, as floating-point
        numbers, which are exact up to 2^53.

    Notes
    -----
    Within an arm of n people the counts of all combinations are multinomial with the observed
    shares: exactly the law of the counts in a bootstrap of rows (Efron 1979).
    """
    made = _Draws(groups, replicates, seed)
    for number, size in enumerate(made.numbers):
        yield (made.to_groups @ made.block(number)).T.reshape(size, len(groups), 3, 3)


def bootstrap(
    cells: Cells,
    by: Sequence[str] | None = None,
    *,
    seed: int,
    names: Sequence[str] = metrics.METRICS,
    depth: int | None = None,
    replicates: int = 1000,
    level: float = 0.95,
    threads: int = 2,
) -> pd.DataFrame:
    """Return rates with percentile intervals of resampled counts, exact ones in small groups.

    Parameters
    ----------
    cells, by, depth
        See `datamall.fairness.subgroups.subgroups`. Arms and weights are kept.
    seed, replicates
        See `draws`.
    names
        Metrics.
    level
        Probability that an interval holds, each for itself.
    threads
        How many to draw on; the result is the same.

    Returns
    -------
    DataFrame
        One row per group and metric: `by`, `group`, `metric`, `rate`, `low`, `high`, `method`:
        "percentile", or "exact" where fewer than 10 people are on one side of the rate: there
        a percentile interval can be far too narrow, down to nothing. Weighted counts have no
        exact intervals; there the limits are 0 and 1, "unknown".
    """
    groups = subgroups(
        cells, by, depth=depth, keep=[role for role in ("arm", "weight") if role in cells.axes]
    )
    successes, trials = metrics.proportions(groups.counts, names)
    tail = (1 - level) / 2
    small = np.minimum(successes, trials - successes) < SMALL
    base = groups.base.counts.reshape(-1, 9) * _weights(groups.base)[:, None]
    rate = metrics.rate((groups.members @ base).reshape(-1, 3, 3), names)
    low, high, otherwise = np.zeros(rate.shape), np.ones(rate.shape), "unknown"
    if "weight" not in cells.axes:
        low[small], high[small] = limits(successes[small], trials[small], tail)
        otherwise = "exact"
    made = _Draws(groups, replicates, seed)
    # Successes and trials of each rate as sums of what is drawn.
    yes, all_ = (
        csr_array(kron(np.eye(len(groups)), side.T) @ made.to_groups)[np.flatnonzero(~small)]
        for side in metrics.proportions(np.eye(9).reshape(9, 3, 3), names)
    )
    large = np.empty((yes.shape[0], replicates))

    def draw(number: int) -> None:
        drawn, start = made.block(number), made.starts[number]
        with np.errstate(invalid="ignore"):  # nobody, of twenty or more, is drawn once in 10^8
            large[:, start : start + made.numbers[number]] = (yes @ drawn) / (all_ @ drawn)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(draw, range(len(made.numbers))))
        ends = list(pool.map(lambda part: _ends(part, tail), np.array_split(large, threads)))
    low[~small], high[~small] = np.concatenate(ends, axis=1)
    table = groups.table.loc[groups.table.index.repeat(len(names))].reset_index(drop=True)
    table["metric"] = list(names) * len(groups)
    table["rate"], table["low"], table["high"] = rate.ravel(), low.ravel(), high.ravel()
    table["method"] = np.where(small.ravel(), otherwise, "percentile")
    return table


def permutation(
    cells: Cells,
    by: Sequence[str] | None = None,
    *,
    seed: int,
    metric: str = "selection_rate",
    depth: int | None = None,
    within: Sequence[str] = (),
    side: Side = "both",
    gap: float | None = None,
    level: float = 0.95,
    replicates: int = 999,
) -> pd.DataFrame:
    """Test that a rate has nothing to do with the groups.

    If so, every way to hand the successes to the people counted is equally likely: within each
    stratum, the successes of the groups are hypergeometric, which needs no other assumption.

    Parameters
    ----------
    cells, by, depth
        See `datamall.fairness.subgroups.subgroups`.
    seed
        Seed of the draws, which only `p_family` uses.
    metric
        The rate.
    within
        Strata: with ``["score_band"]``, whether groups differ among people of the same band.
    side
        ``"above"`` looks for groups whose rate is higher only, which an audit of a burden may
        declare beforehand; ``"below"`` for lower ones.
    gap
        Ratio of the rates that should be found, declared beforehand: the error of `p_family` is
        then spent where such a gap can be seen (`datamall.fairness.multiplicity`). None spreads it
        evenly.
    level
        Level at which `p_family` will be used; it only shapes how `gap` spreads the error.
    replicates
        How many draws.

    Returns
    -------
    DataFrame
        One row per group: `by`, `group`, `metric`, `successes`, `trials`, `expected` (successes
        if groups made no difference), `p` (exact; two-sided by doubling) and `p_family`, adjusted
        for all rows: the probability of any false alarm, by the step-down minimum of p (Westfall
        and Young 1993), weighted if there is a `gap`. It uses that groups overlap, and that small
        ones cannot reach a small p.

    Raises
    ------
    DatamallError
        If a stratum counts a thousand million people or more.
    """
    check(cells, level)
    strata = [within] if isinstance(within, str) else list(within)
    groups = subgroups(cells, by, depth=depth, keep=strata)
    successes, trials = (v[:, 0] for v in metrics.proportions(groups.base.counts, [metric]))
    codes = groups.base.codes[:, len(groups.base.axes) - len(strata) :]
    stratum = np.unique(codes, axis=0, return_inverse=True)[1].ravel()
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = np.zeros((len(trials), replicates), np.int64)
    laws: list[tuple[int, np.ndarray]] = [(0, np.ones(1))] * len(groups)
    expected = np.zeros(len(groups))
    for own in (np.flatnonzero(stratum == s) for s in range(stratum.max() + 1)):
        people, total = int(trials[own].sum()), int(successes[own].sum())
        if people >= _MOST_DRAWN:
            raise DatamallError("A permutation test takes less than a thousand million people.")
        if not people:
            continue
        drawn[own] = generator.multivariate_hypergeometric(
            trials[own], total, replicates, method="marginals"
        ).T
        sizes = groups.members[:, own] @ trials[own]
        expected += sizes * (total / people)
        laws = [_plus(law, _law(people, total, int(n))) for law, n in zip(laws, sizes, strict=True)]
    seen, might = groups.members @ successes, groups.members @ drawn
    p, q = np.empty(len(groups)), np.empty((len(groups), replicates))
    for i, (start, law) in enumerate(laws):
        tail = _tails(law, side)
        p[i] = tail[np.clip(seen[i] - start, 0, len(tail) - 1)]
        q[i] = tail[np.clip(might[i] - start, 0, len(tail) - 1)]
    weight = np.ones(len(groups))
    if gap is not None:
        if not gap > 0 or gap == 1:
            raise DatamallError(f"The gap to be found is {gap}: give a ratio such as 1.5.")
        spread = np.array([_spread(law) for _, law in laws])
        effect = np.abs(gap - 1) * expected / np.where(spread > 0, spread, np.inf)
        weight = multiplicity.spent(effect, (1 - level) / (1 + (side == "both"))) * len(groups)
    scaled, q = p / weight, q / weight[:, None]
    order = np.argsort(scaled, kind="stable")
    least = np.minimum.accumulate(q[order][::-1], axis=0)[::-1]
    # Equal up to rounding counts as equal: draws repeat the very counts that were seen.
    as_low = (least <= scaled[order][:, None] * (1 + 1e-9)).sum(axis=1)
    family = np.empty(len(groups))
    family[order] = np.maximum.accumulate((1 + as_low) / (1 + replicates))
    return groups.table.assign(
        metric=metric,
        successes=seen,
        trials=groups.members @ trials,
        expected=expected,
        p=p,
        p_family=family,
    )


def _tails(law: np.ndarray, side: Side) -> np.ndarray:
    """Return the p-value of each count of a law."""
    below, above = np.cumsum(law), np.cumsum(law[::-1])[::-1]
    if side == "both":
        return np.asarray(np.minimum(1, 2 * np.minimum(below, above)))
    return below if side == "below" else above


def _spread(law: np.ndarray) -> float:
    """Return the standard deviation of a law."""
    k = np.arange(len(law))
    return float(np.sqrt(law @ (k - law @ k) ** 2))


def _ends(values: np.ndarray, tail: float) -> np.ndarray:
    """Sort each row; return both ends of its middle as `numpy.quantile` has them, (2, rows)."""
    values.sort(axis=1)  # three times as fast as to look for these two
    last = values.shape[1] - 1
    place = np.array([tail, 1 - tail]) * last
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, last)
    ends = values[:, below] + (values[:, above] - values[:, below]) * (place - below)
    return np.asarray(ends.T)


def _weights(base: Cells) -> np.ndarray:
    """Return the weight of each row of cells: 1 where there are none."""
    if "weight" not in base.axes:
        return np.ones(len(base))
    place = base.axes.index("weight")
    return np.array(base.levels[place], float)[base.codes[:, place]]


def _law(people: int, total: int, size: int) -> tuple[int, np.ndarray]:
    """Return the hypergeometric law of the successes of a group: its start and probabilities."""
    mean = size * total / people
    spread = np.sqrt(mean * (people - total) / people * (people - size) / max(people - 1, 1))
    reach = 12 * spread + 40
    start = int(max(0, size + total - people, np.floor(mean - reach)))
    end = int(min(size, total, np.ceil(mean + reach)))
    k = np.arange(start, end + 1)
    log = -gammaln(k + 1) - gammaln(total - k + 1)
    log -= gammaln(size - k + 1) + gammaln(people - total - size + k + 1)
    law = np.exp(log - log.max())
    return start, law / law.sum()


def _plus(one: tuple[int, np.ndarray], two: tuple[int, np.ndarray]) -> tuple[int, np.ndarray]:
    """Return the law of a sum of two independent counts."""
    return one[0] + two[0], np.convolve(one[1], two[1])
