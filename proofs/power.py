"""Is one small group found, whose rate is 1.5 times that of the others?

24 groups, 12,700 people, 10 % selected, and one group of 1.8 %: with Holm's correction of ordinary
tests about three in ten such worlds raise an alarm for that group. The same error can be spent
better: this is how much that gives. Of exact counts, and about any gap at all: the gate asks more,
whether a gap is outside its tolerance, from rounded counts.
"""

import numpy as np
import pandas as pd
from scipy.special import ndtr

from datamall.fairness import Cells
from datamall.fairness.inference import adjust
from datamall.fairness.intervals import limits
from proofs.resampling import permutation

PEOPLE, RATE, SMALL, GAP, ERROR = 12_700, 0.1, 0.018, 1.5, 0.05
HOLM, OURS = "z tests, Holm", "permutation, by size"
REPLICATES = 399  # of the permutation; a p-value of 0.0025 is the smallest


def shares() -> np.ndarray:
    """Return the shares of 24 groups: two by three by four, uneven, one of them 1.8 %."""
    own = np.multiply.outer(np.outer([0.45, 0.55], [0.12, 0.35, 0.53]), [0.58, 0.25, 0.12, 0.05])
    own = own.ravel()
    own[small()] = 0
    own *= (1 - SMALL) / own.sum()
    own[small()] = SMALL
    return own


def small() -> int:
    """Return the place of the small group."""
    return 13


def power(worlds: int, seed: int) -> pd.DataFrame:
    """Draw worlds with and without the gap, and count alarms.

    Parameters
    ----------
    worlds
        Worlds drawn of each kind.
    seed
        Seed of the draws.

    Returns
    -------
    DataFrame
        method, gap (1: no group differs), alarms (share of worlds with an alarm for any group) with
        low and high, and found (share with an alarm for the small group) with found_low and
        found_high; 95 % limits of the simulation.
    """
    draw = np.random.Generator(np.random.PCG64(seed))
    rows = []
    for gap in (1.0, GAP):
        rate = np.full(24, RATE)
        rate[small()] *= gap
        alarm = {HOLM: np.zeros((worlds, 24), bool), OURS: np.zeros((worlds, 24), bool)}
        for world in range(worlds):
            people = draw.multinomial(PEOPLE, shares())
            chosen = draw.binomial(people, rate)
            alarm[HOLM][world] = adjust(_z_tests(chosen, people), "holm") <= ERROR
            alarm[OURS][world] = _ours(chosen, people, world) <= ERROR
        for method, raised in alarm.items():
            counts = raised.any(axis=1).sum(), raised[:, small()].sum()
            (low, found_low), (high, found_high) = limits(np.array(counts), worlds, 0.025)
            any_, found = (float(count) / worlds for count in counts)
            rows.append((method, gap, any_, low, high, found, found_low, found_high))
    ends = ["alarms", "low", "high", "found", "found_low", "found_high"]
    return pd.DataFrame(rows, columns=["method", "gap", *ends])


def _z_tests(chosen: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Return two-sided p-values of each group against the rest, pooled (the usual test)."""
    others, pool = people.sum() - people, chosen.sum() / people.sum()
    apart = chosen / people - (chosen.sum() - chosen) / others
    error = np.sqrt(pool * (1 - pool) * (1 / people + 1 / others))
    return np.asarray(2 * ndtr(-np.abs(apart) / error))


def _ours(chosen: np.ndarray, people: np.ndarray, seed: int) -> np.ndarray:
    table = pd.DataFrame({"own": [f"{place:02}" for place in range(24)], "tp": chosen, "fp": 0})
    cells = Cells.from_confusion(table.assign(fn=people - chosen, tn=0), ["own"])
    found = permutation(cells, seed=seed, side="above", gap=GAP, replicates=REPLICATES)
    return found["p_family"].to_numpy()
