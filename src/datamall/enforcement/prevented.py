"""How much nuisance the rounds of a day are expected to prevent, and how sure that is."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from datamall.enforcement.crews import KINDS
from datamall.enforcement.effects import EFFECTS, share_of
from datamall.enforcement.fills import by_level
from datamall.enforcement.knowledge import check_level
from datamall.enforcement.morning import PICKED_UP
from datamall.enforcement.routing import Redirect
from datamall.requirements import Absent

_DRAWS = 4000


class Prevented(NamedTuple):
    """Dirty days that the stops of a day prevent, with the interval of a single day."""

    days: float
    low: float
    high: float
    confidence: float


def prevented(
    made: Redirect | Absent,
    now: pd.DataFrame | Absent,
    confidence: float,
    seed: int,
    levels: pd.DataFrame | Absent | None = None,
    effects: pd.DataFrame = EFFECTS,
) -> Prevented | Absent:
    """Return what the stops of a day prevent.

    Parameters
    ----------
    made, now
        As from `morning.plan` and `state.today`.
    confidence, seed
        Level of the interval; of the draws.
    levels
        As from `fills.levels`, where fill levels are delivered.
    effects
        As for `morning.candidates`.

    Notes
    -----
    The interval joins whether waste lies at each place (by its chance, places apart from each
    other) and what a crew takes away of it (one share for all stops, every value of its range
    equally likely). How long waste would have gone on lying there counts as known, as does what was
    read of a container.
    """
    check_level("confidence", confidence)
    if isinstance(now, Absent) or isinstance(made, Absent):
        return made if isinstance(made, Absent) else now
    stops = made.plan.stops[made.plan.stops["kind"].isin(list(KINDS))]
    every = now.set_index("cluster")
    chance = np.array(
        [
            every[kind].get(place, 0.0) if kind in every else 0.0
            for place, kind in zip(stops["place"], stops["kind"], strict=True)
        ]
    )
    chance[by_level(levels, stops)] = 1.0
    value = stops["value"].to_numpy(float)
    spread = np.where(chance > 0, value**2 * (1 - chance) / np.maximum(chance, 1e-9), 0.0).sum()
    low, high = share_of(PICKED_UP, effects)
    rng = np.random.Generator(np.random.PCG64(seed))
    share = (low + (high - low) * rng.random(_DRAWS)) / ((low + high) / 2)
    drawn = share * np.maximum(value.sum() + spread**0.5 * rng.standard_normal(_DRAWS), 0)
    ends = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Prevented(float(value.sum()), float(ends[0]), float(ends[1]), confidence)
