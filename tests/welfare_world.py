"""A small welfare office in the shape of the contracts, with a known chance of each finding."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

# Log odds of an unlawful payment per fact.
TELLING = {"income_differences": 0.8, "late_reports": 0.6, "documents_missing": 0.4}


@dataclass(frozen=True)
class Office:
    """`data` is an extract; `chance` holds per client and year the true chances of findings."""

    data: dict[str, pd.DataFrame]
    chance: pd.DataFrame


def office(
    seed: int,
    *,
    people: int = 4000,
    drawn: int = 450,
    chosen: int = 400,
    strength: float = 1.0,
    base: float = -1.9,
) -> Office:
    """Draw two years of an office in which nothing but `TELLING` (times `strength`) tells."""
    rng = np.random.default_rng(seed)
    frames, looks, truths = [], [], []
    lasting = rng.normal(0, 0.7, people)
    for year in (2024, 2025):
        clients = pd.DataFrame({"client": [f"K{i:05d}" for i in range(people)], "year": year})
        level = np.exp(lasting - 0.8)
        clients["cost_sharers"] = rng.poisson(0.3, people)
        clients["months_on_benefit"] = rng.integers(1, 200, people)
        clients["months_since_review"] = rng.integers(0, 60, people)
        clients["income_months"] = rng.binomial(12, 0.2, people)
        clients["income_differences"] = rng.poisson(level).clip(max=12)
        clients["income_variation"] = rng.gamma(1, 150, people).round(2)
        clients["late_reports"] = rng.poisson(level)
        clients["reports"] = rng.poisson(2, people)
        clients["documents_missing"] = rng.poisson(0.5 * level)
        clients["repaid_before"] = np.where(rng.random(people) < 0.2, "yes", "no")
        clients["vehicle_mismatch"] = np.where(rng.random(people) < 0.05, "yes", "no")
        clients["benefit"] = rng.normal(1100, 150, people).clip(0, 3000).round(2)
        signal = sum(weight * clients[name] for name, weight in TELLING.items())
        unlawful = expit(base + strength * (signal - signal.mean()))
        # Half as many administrative mistakes, equally told by the facts; a few unclear results.
        administrative, unclear = unlawful * 0.5 * (1 - unlawful), np.full(people, 0.03)
        chances = {"unlawful": unlawful, "administrative": administrative, "unclear": unclear}
        edges = np.cumsum(np.column_stack(list(chances.values())), axis=1)
        names = np.array([*chances, "nothing"], object)
        result = names[(rng.random(people)[:, None] >= edges.clip(max=1)).sum(axis=1)]
        order = rng.permutation(people)
        arm = np.full(people, "none", object)
        arm[order[:drawn]] = "random"
        rest = order[drawn:]
        score = clients["income_months"].to_numpy() + rng.normal(0, 2, people)
        arm[rest[np.argsort(-score[rest])[:chosen]]] = "profile"
        visited = (arm != "none") & (rng.random(people) < 0.95)
        looks.append(
            pd.DataFrame(
                {
                    "client": clients["client"],
                    "year": year,
                    "arm": arm,
                    "flagged": np.where(score > np.quantile(score, 0.85), "yes", "no"),
                    "chosen": np.where(arm != "none", "yes", "no"),
                    "visited": np.where(visited, "yes", "no"),
                    "finding": np.where(visited, result, None),
                }
            )
        )
        frames.append(clients)
        truths.append(clients[["client", "year"]].assign(**chances))
    data = {
        "welfare.clients": pd.concat(frames, ignore_index=True),
        "welfare.investigations": pd.concat(looks, ignore_index=True),
    }
    return Office(data, pd.concat(truths, ignore_index=True))
