"""How well the state of a morning was foretold on weeks that it was not learnt from."""

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtri

from datamall.enforcement import crews, histories
from datamall.enforcement.information import COUNTED, Tables
from datamall.enforcement.state import STARTS, TITLE, State, every_rate, fit, foretell
from datamall.requirements import Absent, needs, passes_absent

TENTHS = 10


@needs("How well the state foretells", *COUNTED, varying=(STARTS,))
def held_out(
    data: Tables, as_of: pd.Timestamp, weeks: int, confidence: float
) -> tuple[pd.DataFrame, pd.DataFrame] | Absent:
    """Foretell the looks of the last weeks before a morning by what was learnt before them.

    Each look is foretold on its morning, with what was known then; the model is not learnt again.

    Returns
    -------
    tuple of pandas.DataFrame
        Scores, one row per score ("Brier", "logarithmic"): score, looks, places, rate (mean score
        of the long-run rate, lower is better), state, gain (rate - state), low, high and better
        (whether low is above 0). Reliability, one row per tenth of the looks in order of their
        chance: tenth, looks, foretold (mean chance), found (share), low, high. Or an `Absent`.

    Notes
    -----
    Intervals by places as clusters, as looks of one place resemble each other. The rate has the
    level of each role as the state has, so that the gain is that of the day alone.
    """
    first = as_of - pd.Timedelta(weeks=weeks)
    state = fit(data, first, confidence)
    if isinstance(state, Absent):
        return state
    known = histories.before(data, as_of)
    seen, told = histories.looks(known), crews.reports(known)
    happened = histories.events(seen, told, crews.cleared(known, seen))
    table = histories.mornings(seen[seen["day"] >= first], happened, told)
    table["rate"] = table["cluster"].map(every_rate(data, state).set_index("cluster")["rate"])
    table = table[table["role"].isin(state.usual.index)]
    if table.empty:
        return Absent(TITLE, f"Not tested here: nobody looked in the {weeks} weeks held out.")
    y, place = table["found"].to_numpy(float), pd.factorize(table["cluster"])[0]
    by_rate = expit(logit(table["rate"].to_numpy()) + state.usual[table["role"]].to_numpy())
    by_state = foretell(table, state)
    width = float(ndtri((1 + confidence) / 2))
    rows = []
    for score, loss in (("Brier", _brier), ("logarithmic", _log_score)):
        without, within = loss(y, by_rate), loss(y, by_state)
        gain, low, high = _clustered(without - within, place, width)
        counts = len(y), len(np.unique(place))
        rows.append((score, *counts, without.mean(), within.mean(), gain, low, high, low > 0))
    columns = ["score", "looks", "places", "rate", "state", "gain", "low", "high", "better"]
    order = np.argsort(by_state, kind="stable")
    parts = []
    for tenth, own in enumerate(np.array_split(order, min(TENTHS, len(order))), start=1):
        found, low, high = _clustered(y[own], place[own], width)
        parts.append((tenth, len(own), by_state[own].mean(), found, max(low, 0), min(high, 1)))
    names = ["tenth", "looks", "foretold", "found", "low", "high"]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(parts, columns=names)


def _brier(y: np.ndarray, chance: np.ndarray) -> np.ndarray:
    return (y - chance) ** 2


def _log_score(y: np.ndarray, chance: np.ndarray) -> np.ndarray:
    return -np.log(np.where(y > 0, chance, 1 - chance).clip(1e-9))


def _clustered(values: np.ndarray, place: np.ndarray, width: float) -> tuple[float, float, float]:
    """Return a mean and its interval, places as witnesses (Cochran 1977, section 6.4)."""
    mean = float(values.mean())
    residual = np.bincount(place, values - mean)
    places = len(np.unique(place))
    half = width * float(np.sqrt((residual**2).sum() * places / max(places - 1, 1))) / len(values)
    return mean, mean - half, mean + half


@passes_absent
def explain(state: State, scores: pd.DataFrame) -> str:
    """Say in two sentences how the chances of a morning come about, and what they are worth.

    Parameters
    ----------
    state, scores
        As from `fit` and, its first table, `held_out`.
    """
    own = scores.set_index("score").loc["Brier"]
    better = bool(scores["better"].all())
    gone = -np.expm1(-state.chain.relaxation)
    return (
        "The chance that waste lies at a place starts from its long-run rate; what the last look "
        "found, and whether it was taken away then, counts less with each day (at a rate of "
        f"{state.chain.relaxation:.2f}, so {100 * gone:.0f} % is forgotten by the next morning), "
        "and an open report multiplies the odds by what was found where such reports were open. "
        f"On {own['looks']:,.0f} later looks at {own['places']:,.0f} places the squared error was "
        f"{own['state']:.3f}, against {own['rate']:.3f} for the long-run rate (gain "
        f"{own['gain']:.3f}, {100 * state.confidence:g} % interval {own['low']:.3f} to "
        f"{own['high']:.3f})"
        + (
            "."
            if better
            else ", which is no gain that was shown: the state is not used, and the long-run rate "
            "stands."
        )
    )
