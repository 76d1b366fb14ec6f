"""How files were selected and investigated: the score in use, the caseworkers, the findings.

Each step draws from a stream of its own with one number per file, so that the same file meets
the same chance with and without a bias: what differs then is what the bias did to it.
"""

import numpy as np
import pandas as pd

from datamall.demo.draws import Floats, Integers, expit, logit, normal, stream
from datamall.demo.welfare_people import TRUTHS, YEARS
from datamall.demo.welfare_world import WelfareWorld

FINDINGS = ("nothing", "administrative", "unlawful", "unclear")
# Chance of each finding by truth (right, administrative, unlawful), without label bias.
RECORDED = np.array(
    [[0.935, 0.040, 0.005, 0.020], [0.170, 0.700, 0.080, 0.050], [0.060, 0.120, 0.780, 0.040]]
)
VISITED = 0.93
OBJECTING = (0.12, 0.30)  # to an administrative and to an unlawful finding
UPHELD = (0.08, 0.60)  # of a finding that is true, and of one that is too harsh


def select(seed: int, world: WelfareWorld, people: pd.DataFrame) -> pd.DataFrame:
    """Add to each file what happened to it.

    Parameters
    ----------
    people
        What `welfare_people.draw` returns.

    Returns
    -------
    DataFrame
        The same and ``score``, ``score_band`` (1 to 20), ``flagged``, ``arm``, ``chosen``,
        ``visited``, ``finding`` and ``objection`` (None where there is none); ``repaid_before`` of
        2025 with the findings of 2024, as far as they feed back.
    """
    codes = pd.factorize(people["client"])[0]
    parts = []
    stood = np.zeros(codes.max() + 1, dtype=bool)
    back = stream(seed, "welfare feedback").random(len(stood)) < world.feedback
    for year in YEARS:
        rows = np.flatnonzero(people["year"] == year)
        part = people.iloc[rows].reset_index(drop=True)
        part["repaid_before"] |= stood[codes[rows]] & back[codes[rows]]
        part = _one_year(seed, world, part, year)
        decided = part["finding"].isin(FINDINGS[1:3]) & (part["objection"] != "upheld")
        stood[codes[rows]] = decided
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _one_year(seed: int, world: WelfareWorld, people: pd.DataFrame, year: int) -> pd.DataFrame:
    number = len(people)
    exposure = people["exposure"].to_numpy()

    def rng(step: str) -> np.random.Generator:
        return stream(seed, f"welfare {step} {year}")

    score = _score(rng("score"), world, people)
    rank = np.empty(number, dtype=np.int64)
    rank[np.argsort(score, kind="stable")] = np.arange(number)
    flagged = rank >= number - round(world.flagged_share * number)
    arm = _arms(rng("arms"), world, people, flagged)
    chosen = arm != "none"
    met = expit(logit(VISITED) + np.log(world.visit_odds) * exposure)
    visited = chosen & (rng("visits").random(number) < met)
    truth = (people["truth"] != TRUTHS[0]).to_numpy().astype(np.int64)
    truth += (people["truth"] == TRUTHS[2]).to_numpy()
    finding = _findings(rng("findings").random(number), truth, world.label_odds**exposure)
    decided = visited & ((finding == 1) | (finding == 2))
    severe = (finding == 2).astype(np.int64)
    objects = expit(logit(OBJECTING)[severe] + np.log(world.objection_odds) * exposure)
    upheld = np.array(UPHELD)[(finding > truth).astype(np.int64)]
    draws = rng("objections").random((2, number))
    outcome = np.where(draws[0] >= objects, 0, np.where(draws[1] >= upheld, 1, 2))
    texts = np.array(["none", "rejected", "upheld", None], dtype=object)
    return people.assign(
        score=score,
        score_band=1 + rank * 20 // number,
        flagged=flagged,
        arm=arm,
        chosen=chosen,
        visited=visited,
        finding=np.array([*FINDINGS, None], dtype=object)[np.where(visited, finding, 4)],
        objection=texts[np.where(decided, outcome, 3)],
    )


def _score(rng: np.random.Generator, world: WelfareWorld, people: pd.DataFrame) -> Floats:
    """Return the score in use: facts about the amount, and proxies for who somebody is."""
    p = {name: people[name].to_numpy() for name in people.columns}
    facts = (
        0.45 * p["late_reports"].clip(0, 4)
        + 0.40 * p["income_differences"].clip(0, 5)
        + 0.30 * p["documents_missing"].clip(0, 4)
        + 0.010 * p["months_since_review"].clip(0, 60)
        + 0.40 * p["repaid_before"]
        + 0.50 * p["vehicle_mismatch"]
    )
    proxies = (
        0.45 * p["spoken_language_other"]
        + 0.15 * (2 - p["language_requirement"])
        + 0.30 * p["deprived"]
        + 0.25 * (p["days_at_address"] < 1826)
        + 0.25 * p["no_shows"].clip(0, 3)
        + 0.15 * p["appearance_remark"]
        + 0.25 * (p["children"] > 0)
        + 0.25 * (p["age"] < 35)
    )
    single_mother = (p["living_form"] == "single parent") & (p["sex"] == "female") & (p["age"] < 27)
    chance = 0.6 * normal(rng, len(people))
    return facts + world.selection_bias * proxies + world.intersection_bias * single_mother + chance


def _arms(
    rng: np.random.Generator, world: WelfareWorld, people: pd.DataFrame, flagged: np.ndarray
) -> np.ndarray:
    """Return why each file was looked at; the lot comes first and is blind for everything else."""
    number = len(people)
    arm = np.full(number, "none", dtype=object)
    exposure = people["exposure"].to_numpy()
    wrong = (people["truth"] != TRUTHS[0]).to_numpy()
    late = people["late_reports"].to_numpy().clip(0, 4)
    uniform = rng.random((4, number))
    weights = (
        ("random", world.random, np.zeros(number)),
        # Payroll and other offices report what does not fit, so signals know part of the truth.
        ("signal", world.signal, np.log(world.signal_odds) * exposure + 1.2 * wrong),
        (
            "profile",
            world.profile,
            np.where(flagged, np.log(world.human_odds) * exposure + 0.15 * late, -np.inf),
        ),
        (
            "follow-up",
            world.follow_up,
            np.where(people["repaid_before"], 0.0, -4.0),
        ),
    )
    for row, (name, size, preference) in enumerate(weights):
        free = arm == "none"
        arm[_weighted(uniform[row], np.where(free, preference, -np.inf), size)] = name
    return arm


def _weighted(uniform: Floats, preference: Floats, size: int) -> Integers:
    """Draw `size` rows without replacement, with odds exp(preference) (Efraimidis, Spirakis)."""
    with np.errstate(over="ignore", divide="ignore"):
        keys = np.log(-np.log1p(-uniform)) - preference
    return np.argsort(keys, kind="stable")[:size]


def _findings(uniform: Floats, truth: Integers, odds: Floats) -> Integers:
    """Return the recorded finding; `odds` make each step to a harsher one more likely."""
    base = RECORDED[truth]
    administrative, unlawful, unclear = base.T[1:]
    # Two steps, each with its odds multiplied: anything rather than nothing, unlawful rather than
    # administrative.
    some = expit(logit((administrative + unlawful) / (1 - unclear)) + np.log(odds))
    severe = expit(logit(unlawful / (administrative + unlawful)) + np.log(odds))
    rest = 1 - unclear
    edges = np.stack([rest * (1 - some), rest * (1 - some * severe), rest])
    return (uniform >= edges).sum(axis=0)
