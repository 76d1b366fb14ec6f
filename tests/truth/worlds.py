"""Small worlds of places with a known truth, planted exactly as the model assumes or worse."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv, expit, logit

ROLES = ("cleaning crew", "enforcement officer")


@dataclass(frozen=True)
class Planted:
    """`data` is an extract; `truth` holds per cluster: rate (at the world's mix of roles), district
    and the share of each cause among inspections with waste."""

    data: dict[str, pd.DataFrame]
    truth: pd.DataFrame


def plant(
    seed: int,
    *,
    districts: int = 8,
    per_district: int = 60,
    quarters: int = 12,
    looks: float = 2.0,
    attention: float = 0.5,
    odds_ratio: float = 1.6,
    likeness: float = 0.05,
    spread: float = 0.7,
    between: float = 0.4,
    rare: float = 0.0,
) -> Planted:
    """Draw a world: districts of places, quarters that differ (beta-binomial), two roles.

    `looks` is the mean number of inspections per place, quarter and role, `attention` how
    unequal districts are in it (log scale), `likeness` the correlation of inspections of one
    quarter, `rare` the share of places with a single quarter of inspections.
    """
    rng = np.random.default_rng(seed)
    n = districts * per_district
    district = np.repeat(np.arange(districts), per_district)
    theta = rng.normal(-0.6, between, districts)[district] + rng.normal(0, spread, n)
    busy = np.exp(rng.normal(0, attention, districts))[district]
    shape = 1 / likeness - 1
    p = expit(theta)[:, None]
    quarter = rng.beta(p * shape, (1 - p) * shape, size=(n, quarters)).clip(1e-9, 1 - 1e-9)
    # The rate that a role meets in the long run: the mean over the quarters that might have been.
    level = (np.arange(400) + 0.5) / 400
    usual = betaincinv(p * shape, (1 - p) * shape, level).clip(1e-9, 1 - 1e-9)
    effects = np.array([0.0, np.log(odds_ratio)])
    long_run = [expit(logit(usual) + effect).mean(axis=1) for effect in effects]
    causes = rng.dirichlet([6, 3, 1, 1, 0.5, 0.5], size=n)
    names = ["bulky", "residual", "cardboard", "full", "broken", "none"]
    few = rng.random(n) < rare
    frames, seen = [], []
    for role, effect in zip(ROLES, effects, strict=True):
        counts = rng.poisson(looks * busy[:, None], size=(n, quarters))
        counts[few, 1:] = 0
        counts[:, 0] = np.maximum(counts[:, 0], 1)
        found = rng.binomial(counts, expit(logit(quarter) + effect))
        kinds = rng.multinomial(found.ravel(), np.repeat(causes, quarters, axis=0))
        frame = pd.DataFrame(
            {
                "cluster": np.repeat([f"C{i:04d}" for i in range(n)], quarters),
                "observer_role": role,
                "period_start": np.tile(
                    pd.date_range("2025-01-01", periods=quarters, freq="QS"), n
                ),
                "inspections": counts.ravel(),
                "with_waste": found.ravel(),
                **{name: kinds[:, k] for k, name in enumerate(names[:-1])},
            }
        )
        frames.append(frame[frame["inspections"] > 0])
        seen.append(counts.sum())
    mix = np.array(seen) / sum(seen)
    cluster = [f"C{i:04d}" for i in range(n)]
    name = np.array([f"D{d}" for d in range(districts)])[district]
    centre = rng.random((districts, 2)) * 8000
    xy = centre[district] + rng.normal(0, 500, (n, 2))
    data = {
        "enforcement.inspections": pd.concat(frames, ignore_index=True),
        "enforcement.containers": pd.DataFrame(
            {
                "cluster": cluster,
                "kind": "container",
                "x": 230_000 + xy[:, 0],
                "y": 575_000 + xy[:, 1],
                "neighbourhood": name,
            }
        ),
        "shared.neighbourhoods": pd.DataFrame(
            {"neighbourhood": sorted(set(name)), "district": sorted(set(name))}
        ),
    }
    rate = mix[0] * long_run[0] + mix[1] * long_run[1]
    truth = pd.DataFrame({"cluster": cluster, "district": name, "rate": rate})
    return Planted(data, truth.join(pd.DataFrame(causes, columns=names)))
