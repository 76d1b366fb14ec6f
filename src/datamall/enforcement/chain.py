"""A chain of two states per place: waste comes and goes, and a look or a closing says where it was.

Chance that a look of role s finds waste, d days after an event of kind e (a look of some role that
found something or nothing, or the closing of a report), at a place with long-run rate r::

    p = q + (m[e] - q) exp(-relaxation d)        logit q = logit r + level[s]

This is the transition probability of a continuous-time Markov chain with two states, stationary
chance q and relaxation rate = arrival + removal (Karlin and Taylor 1975, chapter 4). m is the
chance directly after the event: after a find of a role, 1 less the chance that its look ends with
removal. It is one for all who look next: a role that never comes on the day after itself, as a crew
on its rounds, says nothing of that day.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit, logit

LONGEST = 60  # days; after so many nothing is left of what an event said
_RELAXATION = (0.003, 5.0)  # per day: a pile of a year, and one of hours
_STEP = 0.1  # of the log-odds of rates within a cell
# Weight of what is thought of an event beforehand, in looks, so that one seen seldom says little.
_PRIOR = 1.0
_SCORING, _EXACT = 50, 1e-10


@dataclass(frozen=True)
class Chain:
    """A fitted chain.

    Attributes
    ----------
    relaxation, relaxation_low, relaxation_high
        Per day, with its interval.
    levels
        Log-odds of each role's long-run chance less that of the place, by role.
    after
        Chance directly after an event, one row per event: event, looks (on which it rests), chance,
        low, high.
    """

    relaxation: float
    relaxation_low: float
    relaxation_high: float
    levels: pd.Series
    after: pd.DataFrame

    def chance(
        self, rate: np.ndarray, role: np.ndarray, event: np.ndarray, days: np.ndarray
    ) -> np.ndarray:
        """Return the chance that a look finds waste.

        Parameters
        ----------
        rate
            Long-run rate of the place.
        role
            Who looks.
        event, days
            The last event and the days since; "" and any number where there was none.
        """
        usual = expit(logit(rate) + self.levels.reindex(role).fillna(0).to_numpy())
        left, kept = self.left(event, days)
        return np.where(kept > 0, usual + (left - usual) * kept, usual)

    def left(self, event: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the chance directly after the last events, and how much of them is remembered."""
        chance = self.after.set_index("event")["chance"].reindex(event).to_numpy()
        kept = np.exp(-self.relaxation * np.where(np.isnan(chance), np.inf, days))
        return np.nan_to_num(chance), kept


def fit(pairs: pd.DataFrame, width: float) -> Chain:
    """Fit the chain by maximum likelihood.

    Parameters
    ----------
    pairs
        One row per look that has an event before it: event, days, role, rate, found (0 or 1).
    width
        Standard errors that an interval reaches to each side.

    Notes
    -----
    Looks with the same event, days, role and rate (to a tenth of its log-odds) are one cell.
    Intervals by the expected (Fisher) information.
    """
    cells = pairs.assign(
        days=pairs["days"].clip(upper=LONGEST),
        rate=(logit(pairs["rate"]) / _STEP).round() * _STEP,
    )
    keys = ["event", "role", "days", "rate"]
    cells = cells.groupby(keys, observed=True)["found"].agg(["size", "sum"]).reset_index()
    kind, kinds = pd.factorize(cells["event"], sort=True)
    level, roles = pd.factorize(cells["role"], sort=True)
    days, rate, n, y = (cells[name].to_numpy(float) for name in ("days", "rate", "size", "sum"))
    members = np.eye(len(roles))[level], np.eye(len(kinds))[kind]

    def chances(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the chance of each cell, and its derivatives by the parameters."""
        relaxation, usual = np.exp(x[0]), expit(rate + x[1 + level])
        right_after = expit(x[1 + len(roles) + kind])
        kept = np.exp(-relaxation * days)
        slopes = (
            -((right_after - usual) * kept * relaxation * days)[:, None],
            (usual * (1 - usual) * (1 - kept))[:, None] * members[0],
            (right_after * (1 - right_after) * kept)[:, None] * members[1],
        )
        return (usual + (right_after - usual) * kept).clip(1e-9, 1 - 1e-9), np.hstack(slopes)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        p, slopes = chances(x)
        after = expit(x[1 + len(roles) :])
        value = y @ np.log(p) + (n - y) @ np.log1p(-p)
        value += _PRIOR / 2 * np.log(after * (1 - after)).sum()
        slope = slopes.T @ ((y - n * p) / (p * (1 - p)))
        slope[1 + len(roles) :] += _PRIOR / 2 * (1 - 2 * after)
        return -value, -slope

    start = np.concatenate([[np.log(0.2)], np.zeros(len(roles) + len(kinds))])
    limits = [tuple(np.log(_RELAXATION)), *[(-12.0, 12.0)] * (len(start) - 1)]
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=limits).x
    own = 1 + len(roles) + np.arange(len(kinds))

    def informed(x: np.ndarray) -> np.ndarray:
        p, slopes = chances(x)
        information = slopes.T @ ((n / (p * (1 - p)))[:, None] * slopes)
        information[own, own] += _PRIOR * expit(x[own]) * expit(-x[own])
        return np.asarray(information)

    # L-BFGS stops a little before the maximum, where depends on the processor's last digits;
    # scoring ends there.
    for _ in range(_SCORING):
        step = np.linalg.pinv(informed(best), hermitian=True) @ loss(best)[1]
        moved = np.clip(best - step, *np.transpose(limits))
        if loss(moved)[0] > loss(best)[0] or np.abs(step).max() < _EXACT:
            break
        best = moved
    information, after = informed(best), best[own]
    variance = np.diag(np.linalg.pinv(information, hermitian=True))
    # Where nothing is remembered, nothing tells how fast it is forgotten.
    error = np.minimum(width * np.sqrt(np.maximum(variance, 0)), 12.0)
    half = error[1 + len(roles) :]
    rests = {"event": kinds, "looks": np.bincount(kind, n, len(kinds)).astype(int)}
    ends = {"chance": expit(after), "low": expit(after - half), "high": expit(after + half)}
    relaxation, low, high = np.exp(best[0] + np.array([0, -1, 1]) * error[0])
    levels = pd.Series(best[1 : 1 + len(roles)], index=roles)
    return Chain(relaxation, low, high, levels, pd.DataFrame(rests | ends))


def shift(found: np.ndarray, chance: np.ndarray) -> tuple[float, float]:
    """Return by how much log-odds must rise for the chances to be right on average, and its error.

    Maximum of the likelihood of one parameter, with the weight of `_PRIOR` looks for no change.
    """
    x, base = 0.0, logit(chance)
    information = 1.0
    for _ in range(100):
        p = expit(base + x)
        slope = float((found - p).sum()) - _PRIOR * (expit(x) - 0.5)
        information = float((p * (1 - p)).sum()) + _PRIOR * expit(x) * expit(-x)
        step = float(np.clip(slope / information, -1, 1))
        x += step
        if abs(step) < 1e-9:
            break
    return x, information**-0.5
