"""Cities with actions whose effect is known: places, weeks, looks, and what inspectors find."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

HELPS, NOTHING, LOT, LOT_NOTHING, STEPS = (
    "helps, at the worst places",
    "does nothing, at the worst places",
    "helps, drawn by lot",
    "does nothing, drawn by lot",
    "helps, started in steps by lot",
)
EFFECT = {HELPS: -0.2, NOTHING: 0.0, LOT: -0.2, LOT_NOTHING: 0.0, STEPS: -0.2}
FIRST_DAY = pd.Timestamp("2024-01-01")


@dataclass(frozen=True)
class City:
    """What is drawn.

    Attributes
    ----------
    parts
        Each action has a part of the city of its own, from which its places are chosen: so many
        places a part.
    chosen
        Worst places of each part, by what was found there before.
    before, after
        Periods of four weeks.
    looks
        Mean number of looks at a place in a period; dirtier places are looked at more.
    spread, wander
        Of the log-odds of places, and of the quarters of one place.
    season, trend
        Height of the yearly wave of the log-odds, and how all of the city moves when actions begin.
    """

    parts: int = 100
    chosen: int = 40
    before: int = 13
    after: int = 7
    looks: float = 3.0
    spread: float = 0.8
    wander: float = 0.3
    season: float = 0.2
    trend: float = -0.15


def draw(city: City, seed: int) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Draw one city with all actions.

    Returns
    -------
    tuple
        The extract (inspections alone: with_waste, which actions lower, and bulky, which they leave
        alone), and the actions as for `datamall.enforcement.effect.effects`.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    places, periods = city.parts * len(EFFECT), city.before + city.after
    level = rng.normal(-0.5, city.spread, places)
    quarters = rng.normal(0, city.wander, (places, -(-periods // 3))).repeat(3, axis=1)
    time = np.arange(periods)
    wave = city.season * np.sin(2 * np.pi * time / 13) + city.trend * (time >= city.before)
    chance = expit(level[:, None] + quarters[:, :periods] + wave)
    busy = city.looks * rng.gamma(2, 0.5, places) * (0.6 + expit(level))
    looks = rng.poisson(busy[:, None], (places, periods))
    early = slice(city.before)
    found = rng.binomial(looks, chance)
    raw = (found[:, early].sum(axis=1) + 0.5) / (looks[:, early].sum(axis=1) + 1)
    name = np.array([f"C{number:04d}" for number in range(places)])
    day = FIRST_DAY + pd.to_timedelta(28 * np.arange(periods + 1), unit="D")
    rows, kept = [], np.ones((places, periods))
    for part, (action, effect) in enumerate(EFFECT.items()):
        own = np.arange(part * city.parts, (part + 1) * city.parts)
        worst = rng.permutation(own[np.argsort(-raw[own], kind="stable")[: city.chosen]])
        start = np.full(city.chosen, city.before)
        if action in (LOT, LOT_NOTHING):
            start[city.chosen // 2 :] = periods
        if action == STEPS:
            start += 2 * (np.arange(city.chosen) % (city.after // 2 + 1))
        kept[worst] = np.where(time >= start[:, None], 1 + effect, 1)
        drawn = np.where(start < periods, "treated", "control")
        table = pd.DataFrame({"cluster": name[worst], "action": action, "first_day": day[start]})
        rows.append(table.assign(drawn=drawn if action in (LOT, LOT_NOTHING, STEPS) else ""))
    # Some of what was found is not there if the action took it away.
    left = rng.binomial(found, kept)
    bulky = rng.binomial(looks, 0.4 * chance)
    place, period = np.nonzero(looks)
    table = pd.DataFrame(
        {
            "cluster": name[place],
            "period_start": day[period],
            "period_days": 28,
            "observer_role": "cleaning crew",
            "inspections": looks[place, period],
            "with_waste": left[place, period],
            "bulky": bulky[place, period],
        }
    )
    return {"enforcement.inspections": table}, pd.concat(rows, ignore_index=True)
