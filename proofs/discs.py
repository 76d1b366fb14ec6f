"""Hot spots where it is known which places are dirtier: a disc in a city half of which is ignored.

The east is looked at half as often as the west. Raw counts follow who looks; the pooled rate of
`datamall.enforcement` divides by the looks, which are known, and the page finds hot spots in it.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from datamall.enforcement import hotspots, knowledge

RATIOS = (1.0, 1.5, 2.0, 3.0)
PLACES, SIDE, RADIUS = 600, 6000.0, 700.0  # metres
NEAR, FDR, BASE, SPREAD, LOOKS = 8, 0.05, 0.2, 0.2, 60.0
COUNT, RATE, TOGETHER = "Gi* of counts", "Gi* of pooled rates", "dirty together"
LISTS = {COUNT: "hot_count", RATE: "hot_rate", TOGETHER: "together"}


def draw(ratio: float, seed: int) -> tuple[dict[str, pd.DataFrame], np.ndarray]:
    """Return the extract of a city, and which places lie in the disc.

    Parameters
    ----------
    ratio
        Chance of waste in the disc, over that elsewhere (which differs from place to place).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    xy = rng.random((PLACES, 2)) * SIDE
    centre = RADIUS + rng.random(2) * (SIDE - 2 * RADIUS)
    inside = ((xy - centre) ** 2).sum(axis=1) < RADIUS**2
    usual = BASE * np.exp(SPREAD * rng.normal(size=PLACES) - SPREAD**2 / 2)
    chance = np.minimum(usual * np.where(inside, ratio, 1), 0.95)
    looks = 1 + rng.poisson(LOOKS * np.where(xy[:, 0] > SIDE / 2, 0.5, 1.0))
    name = [f"C{number:03d}" for number in range(PLACES)]
    found = {"inspections": looks, "with_waste": rng.binomial(looks, chance)}
    places = {"cluster": name, "kind": "container", "x": xy[:, 0], "y": xy[:, 1]}
    data = {"enforcement.inspections": pd.DataFrame({"cluster": name, **found})}
    return data | {"enforcement.containers": pd.DataFrame(places)}, inside


def trials(worlds: int, seed: int) -> Iterator[tuple[float, str, float, float]]:
    """Yield ratio, list, share of the disc found, share of the rest called hot, of each world."""
    for number in range(worlds):
        for ratio in RATIOS:
            data, inside = draw(ratio, seed + number)
            rates = knowledge.dirty_rates(data, 0.9)
            hot = hotspots.hot_spots(data, rates, NEAR, FDR, 1)
            hot = hotspots.hot_places(hot, rates, NEAR)
            for name, column in LISTS.items():
                found = hot[column].to_numpy()
                yield ratio, name, found[inside].mean(), found[~inside].mean()


def discs(worlds: int, seed: int) -> pd.DataFrame:
    """Return how often hot spots are found where they are, and where they are not.

    Returns
    -------
    DataFrame
        ratio, list (of `LISTS`), worlds, found (share of the places in the disc) and false (share
        of the others called hot).
    """
    table = pd.DataFrame(trials(worlds, seed), columns=["ratio", "list", "found", "false"])
    groups = table.groupby(["ratio", "list"])
    result = groups[["found", "false"]].mean()
    result.insert(0, "worlds", groups.size())
    return result.reset_index()
