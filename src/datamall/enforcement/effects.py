"""What an action takes away of the nuisance at a place: assumed effects, and draws from them."""

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from datamall.errors import DatamallError

_OUR_RANGE = "assumption: what a visit leaves undone on the day is not recorded"
# Not corrected for regression to the mean: the worst places improve by themselves.
_BOARDS = "at most {} %, of boards at the 100 worst places (Amsterdam OIS 2021)"
ASSUMED, MEASURED = "assumed", "measured"
# What an action takes away of the nuisance of one cause, as a share: every value between low and
# high is held to be equally likely. Replace by measured effects as soon as there are any.
EFFECTS = pd.DataFrame(
    [
        ("bulky", "pick up bulky waste", "Bulky waste", 0.7, 1.0, _OUR_RANGE),
        ("full", "empty the container", "Collection", 0.7, 1.0, _OUR_RANGE),
        ("broken", "repair the container", "Maintenance", 0.7, 1.0, _OUR_RANGE),
        ("residual", "inform and enforce", "Enforcement", 0.0, 0.20, _BOARDS.format("−20")),
        ("cardboard", "inform and enforce", "Enforcement", 0.0, 0.29, _BOARDS.format("−29")),
    ],
    columns=["cause", "action", "crew", "low", "high", "source"],
).assign(basis=ASSUMED)
# What an inspector found, by cause.
FOUND = {
    "bulky": "bulky waste",
    "full": "full container",
    "broken": "broken container",
    "residual": "bags",
    "cardboard": "cardboard",
}
_DRAWS, _LEVELS = 2000, 200


def replaced(measured: pd.DataFrame) -> pd.DataFrame:
    """Return `EFFECTS` with measured ranges in the place of assumed ones.

    Parameters
    ----------
    measured
        cause, action, low, high and source, as from `effect.measured` with the plan's words for
        the actions.

    Returns
    -------
    pandas.DataFrame
        As `EFFECTS`; basis is `MEASURED` where a range was replaced.

    Raises
    ------
    DatamallError
        When an action on a cause is measured twice, or is none of `EFFECTS`.
    """
    keys = ["cause", "action"]
    new = measured.set_index(keys)[["low", "high", "source"]]
    strange = new.index.difference(pd.MultiIndex.from_frame(EFFECTS[keys]))
    if len(strange) or not new.index.is_unique:
        cause, action = strange[0] if len(strange) else new.index[new.index.duplicated()][0]
        wrong = "is no effect that a plan uses" if len(strange) else "is measured twice"
        raise DatamallError(f"{action!r} on {cause!r} {wrong}: give one row per action and cause.")
    table = EFFECTS.set_index(keys)
    table.update(new.assign(basis=MEASURED))
    return table.reset_index()[list(EFFECTS)]


def share_of(cause: str, effects: pd.DataFrame = EFFECTS) -> tuple[float, float]:
    """Return the least and the most that the action against a cause takes away of it."""
    [(low, high)] = effects.loc[effects["cause"] == cause, ["low", "high"]].to_numpy(float)
    return float(low), float(high)


def recorded(table: pd.DataFrame, effects: pd.DataFrame = EFFECTS) -> pd.DataFrame:
    """Return the effects on the causes for which the table has a column."""
    return effects[effects["cause"].isin(table.columns)]


def draws(
    chosen: pd.DataFrame, seed: int, effects: pd.DataFrame = EFFECTS
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate what is removed, with and without a known effect of the action.

    Parameters
    ----------
    chosen
        Places and actions, as from `wisdom.options`; a place may occur more than once.
    seed
        Of the draws.
    effects
        As `EFFECTS`.

    Returns
    -------
    tuple of numpy.ndarray
        Nuisance removed, in inspections with waste, if the effect of an action were its middle, and
        if it is drawn from its range; both of shape (rows of `chosen`, draws). Rows of one place
        share its rate and causes; the effect of an action on a cause is drawn once for all places.

    Notes
    -----
    Rates and shares are drawn from beta distributions with the estimated mean and spread, by the
    inverse of their distribution function at evenly spaced levels.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    about = recorded(chosen, effects)
    own = chosen.drop_duplicates("cluster").sort_values("cluster")
    mean = np.column_stack([own["rate"], own[list(about["cause"])]]).clip(1e-6, 1 - 1e-6)
    weight = np.repeat(own["weight"].to_numpy()[:, None], mean.shape[1], axis=1)
    weight[:, 0] = mean[:, 0] * (1 - mean[:, 0]) / own["sd"].to_numpy().clip(1e-6) ** 2 - 1
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    a, b = (mean * weight)[:, :, None], ((1 - mean) * weight)[:, :, None]
    index = rng.integers(_LEVELS, size=(*mean.shape, _DRAWS))
    drawn = np.take_along_axis(betaincinv(a, b, levels), index, axis=2)
    row = own["cluster"].searchsorted(chosen["cluster"])
    rate, shares = drawn[row, 0], drawn[row, 1:]
    member = chosen["action"].to_numpy()[:, None] == about["action"].to_numpy()
    low, high = about["low"].to_numpy(), about["high"].to_numpy()
    effect = low[:, None] + (high - low)[:, None] * rng.random((len(about), _DRAWS))
    known = np.einsum("pcs,pc->ps", shares, member * (low + high) / 2)
    return rate * known, rate * np.einsum("pcs,cs,pc->ps", shares, effect, member * 1.0)
