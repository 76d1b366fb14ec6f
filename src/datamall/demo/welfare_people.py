"""People on benefit in the demo city: what their file says, and whether their amount is right.

The families and frequencies are those of the model that Rotterdam used until 2021, as far as it
was published. What makes an amount wrong is what the law asks about (income, duty to report,
assets, sharing costs) and what no record shows; who somebody is plays no part in it.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.demo import geography
from datamall.demo.draws import Floats, Integers, expit, logit, normal, pick, poisson, stream
from datamall.demo.welfare_world import WelfareWorld
from datamall.demo.world import World

YEARS = (2024, 2025)
ORIGINS = ("Netherlands", "Europe", "outside Europe")
ORIGIN_SHARES = (0.57, 0.13, 0.30)
EXPOSURE = np.array([0.0, 0.4, 1.0])  # by origin: how much of a planted bias acts
FORMS = ("single", "single parent", "couple", "other")
FORM_SHARES = (0.66, 0.16, 0.12, 0.06)
WOMEN = np.array([0.318, 0.83, 0.45, 0.40])
AGE = np.array([57.0, 43.0, 54.0, 36.0])  # before people under 18 and over 67 are left out
AGE_SPREAD = 15.0
WITH_CHILDREN = np.array([0.0, 1.0, 0.45, 0.15])
NORM = np.array([1284.0, 1284.0, 1834.0, 1100.0])  # EUR a month, about the national norms of 2024
CAUSES = (
    "end of work",
    "end of relation",
    "end of other benefit",
    "asylum",
    "study ended",
    "other",
)
CAUSE_SHARES = (0.34, 0.16, 0.2, 0.12, 0.06, 0.12)
LANGUAGE = np.array([0.04, 0.62, 0.80])  # another language, by origin
NO_PROOF = np.array([[0.55, 0.12], [0.60, 0.25], [0.60, 0.25]])  # language: none, in part
LONG = np.array([0.90, 0.70, 0.72])  # share that has not moved for five years, by origin
DAYS = 365 * 5 + 1
TRUTHS = ("right", "administrative", "unlawful")


def draw(seed: int, world: WelfareWorld) -> pd.DataFrame:
    """Draw the people of both years.

    Returns
    -------
    DataFrame
        One row per client and year, in their order: the columns of the contract
        ``welfare.clients`` before anything is left blank (yes and no as booleans), those of
        ``welfare.protected``, and ``age``, ``age_band``, ``exposure`` (0 to 1, of the planted
        biases), ``deprived`` (address), ``chance`` and ``chance_unlawful`` (true probabilities of
        a wrong and of an unlawful amount) and ``truth`` (of `TRUTHS`).
    """
    left = round(world.leaving * world.clients)
    number = world.clients + round(world.entering * world.clients)
    rng = stream(seed, "welfare presence")
    present = np.ones((2, number), dtype=bool)
    present[0, world.clients :] = False
    present[1, np.argsort(rng.random(world.clients), kind="stable")[:left]] = False
    # The numbers say nothing about who came when.
    order = np.argsort(rng.random(number), kind="stable")
    people = _person(seed, world, number)
    years = _years(seed, world, people, number)
    years |= _truth(seed, world, people, years, present)
    table: dict[str, Any] = {
        "client": np.array([f"BU{100_000 + place}" for place in range(number)], dtype=object)[order]
    }
    both = {name: np.broadcast_to(values, (2, number)) for name, values in people.items()}
    for name, values in (table | both | years).items():
        table[name] = np.broadcast_to(values, (2, number))[present]
    table["year"] = np.repeat(YEARS, present.sum(axis=1))
    place = np.lexsort((table["year"], np.broadcast_to(order, (2, number))[present]))
    frame = pd.DataFrame({name: values[place] for name, values in table.items()})
    frame["age_band"] = np.array(["under 27", "27 to 44", "45 and over"], dtype=object)[
        (frame["age"].to_numpy()[:, None] >= [27, 45]).sum(axis=1)
    ]
    return frame


def _choose(values: tuple[str, ...], codes: Integers) -> Any:
    return np.array(values, dtype=object)[codes]


def _person(seed: int, world: WelfareWorld, number: int) -> dict[str, Any]:
    """Draw what stays the same from one year to the next; ``hidden`` is what no record shows."""
    rng = stream(seed, "welfare people")
    origin = pick(rng, ORIGIN_SHARES, number)
    form = pick(rng, FORM_SHARES, number)
    woman = rng.random(number) < WOMEN[form]
    low, high = expit(1.702 * (np.array([[18], [68]]) - AGE[form]) / AGE_SPREAD)
    age = AGE[form] + AGE_SPREAD / 1.702 * logit(low + (high - low) * rng.random(number))
    age = np.clip(np.floor(age), 18, 67).astype(np.int64)
    some = rng.random(number) < WITH_CHILDREN[form]
    children = np.where(some, 1 + np.minimum(poisson(rng, np.full(number, 0.92)), 6), 0)
    youngest = np.floor(rng.random(number) * np.clip(age - 17, 1, 18)).astype(np.int64)
    strength = world.proxy_strength
    deprived, code = _address(seed, rng, origin, strength)

    def follows(chances: Floats) -> Floats:
        """Return the chance by origin, closer to the mean of all as proxies are weaker."""
        mean = np.average(chances, weights=ORIGIN_SHARES, axis=0)
        return (mean + strength * (chances - mean))[origin]

    language = rng.random(number) < follows(LANGUAGE)
    proof = (rng.random(number)[:, None] > follows(NO_PROOF).cumsum(axis=1)).sum(axis=1)
    settled = rng.random(number) < follows(LONG)
    reach = np.maximum((age - 5) * 365 * (0.45 + 0.55 * rng.random(number)), DAYS)
    days = np.where(settled, DAYS + (reach - DAYS) * rng.random(number) ** 0.5, 0)
    days = np.where(settled, days, DAYS * rng.random(number)).astype(np.int64)
    foreign = rng.random(number) < np.array([0.01, 0.55, 0.40])[origin]
    also = rng.random(number) < np.array([0.02, 0.15, 0.35])[origin]
    nationality = np.where(foreign, 1, np.where(also, 2, 0))
    hidden = normal(rng, number)
    flags = rng.random((7, number))
    fragile = normal(rng, number)  # barriers come together
    young = (children > 0) & (youngest < 5)
    return {
        "birth_year": YEARS[0] - 1 - age,
        "sex": _choose(("male", "female"), woman.astype(np.int64)),
        "living_form": _choose(FORMS, form),
        "children": children,
        "youngest_child": youngest,
        "neighbourhood": code,
        "days_at_address": days,
        "language_requirement": proof,
        "spoken_language_other": language,
        "appearance_remark": flags[0] < 0.445,
        "barrier_psychological": flags[1] < expit(-1.02 + 0.8 * fragile),
        "barrier_physical": flags[2] < expit(-0.95 + 0.5 * fragile),
        "barrier_addiction": flags[3] < expit(-3.05 + 0.8 * fragile),
        "barrier_financial": flags[4] < expit(-1.45 + 0.5 * fragile),
        "exemption_medical": flags[5] < expit(-2.4 + 1.0 * fragile),
        "exemption_care": flags[6] < np.where(young, 0.25, 0.012),
        "cause": _choose(CAUSES, pick(rng, CAUSE_SHARES, number)),
        "previous_applications": poisson(rng, np.full(number, 0.9)),
        "skills": (rng.random((10, number)) < 0.466).sum(axis=0),
        "origin": _choose(ORIGINS, origin),
        "nationality": _choose(("Dutch", "other", "both"), nationality),
        "disability": rng.random(number) < 0.17,
        "exposure": EXPOSURE[origin],
        "deprived": deprived,
        "form": form,
        "age": age,
        "hidden": hidden,
    }


def _address(seed: int, rng: np.random.Generator, origin: Integers, strength: float) -> Any:
    """Draw the neighbourhood of each person, and whether it is among the deprived ones."""
    codes = geography.neighbourhoods(seed, World())["neighbourhood"].to_numpy(dtype=object)
    own = stream(seed, "welfare deprivation")
    score = normal(own, len(codes))
    # Rents decide where people on benefit live; where they come from does so as well.
    appeal = np.array([0.5, 0.5, 0.5]) + strength * (EXPOSURE - EXPOSURE @ ORIGIN_SHARES)
    edges = np.cumsum(np.exp(appeal[:, None] * score), axis=1)
    edges /= edges[:, -1:]
    uniform = rng.random(len(origin))
    place = np.zeros(len(origin), dtype=np.int64)
    for group in range(len(ORIGINS)):
        mine = origin == group
        place[mine] = np.searchsorted(edges[group, :-1], uniform[mine], side="right")
    return score[place] > 0.5, codes[place]


def _years(seed: int, world: WelfareWorld, people: dict[str, Any], number: int) -> dict[str, Any]:
    """Draw what the file says anew at the start of each year; arrays of shape (2, people)."""
    rng = stream(seed, "welfare years")
    shape = (2, number)
    hidden, later = people["hidden"], np.array([[0], [1]])
    age = people["age"] + later
    days = people["days_at_address"] + 366 * later
    moves = np.where(days >= DAYS, 0, 1 + poisson(rng, np.full(number, 0.5)))
    months = 1 + np.floor(np.exp(3.9 + 0.9 * normal(rng, number))).clip(0, 400)
    review = np.minimum(months + 12 * later, np.floor(-18 * np.log(rng.random(shape))).clip(0, 120))
    missed = poisson(
        rng,
        np.exp(
            np.log(world.no_show_odds) * people["exposure"]
            - 1.08
            + 0.4 * people["barrier_psychological"]
            + 0.8 * normal(rng, shape)
            - 0.45 * np.log(world.no_show_odds) * (EXPOSURE @ ORIGIN_SHARES)
        ),
    )
    family = (people["form"] == 1) * 1.0 + (age < 27)
    some = rng.random(shape) < expit(-1.05 + np.log(world.family_income) * family)
    income = np.where(some, 1 + (rng.random((11, *shape)) < 0.5).sum(axis=0), 0)
    wrong = rng.random((12, *shape)) < expit(-1.7 + 0.6 * hidden)
    wrong = (wrong & (np.arange(12)[:, None, None] < income)).sum(axis=0)
    unseen = poisson(rng, np.exp(-2.4 + 0.6 * hidden) * np.ones(shape)).clip(0, 6)
    spread = np.where(some, 40 + 110 * np.exp(0.6 * normal(rng, shape)), 0.0)
    late = poisson(rng, np.exp(-0.95 + 0.55 * hidden) * np.ones(shape))
    sharers = (rng.random(shape) < 0.168) * (1 + poisson(rng, np.full(number, 0.86))).clip(0, 8)
    household = 1 + sharers
    norm = np.where(
        sharers > 0, NORM[2] * (0.4 + 0.3 * household) / household, NORM[people["form"]]
    )
    part = np.where(some, income / 12 * (0.2 + 0.5 * rng.random(shape)), 0.0)
    return {
        "age": age,
        "youngest_child": np.where(
            people["children"] > 0, np.minimum(people["youngest_child"] + later, 18), -1
        ),
        "days_at_address": days,
        "moves": moves,
        "cost_sharers": sharers,
        "contacts": poisson(
            rng, np.exp(2.1 + 0.6 * normal(rng, number)).clip(0, 45) * np.ones(shape)
        ),
        "no_shows": missed,
        "appointments": missed + poisson(rng, 1.57 * np.exp(0.5 * normal(rng, shape) - 0.125)),
        "plan_steps": poisson(rng, np.full(shape, 2.32)),
        "plan_stopped": poisson(rng, np.full(shape, 0.38)),
        "months_on_benefit": (months + 12 * later).astype(np.int64),
        "months_since_review": review.astype(np.int64),
        "income_months": income,
        "income_differences": np.minimum(wrong + unseen, 12),
        "income_variation": spread.round(2),
        "late_reports": late,
        "reports": late + poisson(rng, np.full(shape, 1.6)),
        "documents_missing": poisson(rng, np.exp(-1.4 + 0.5 * hidden) * np.ones(shape)),
        "repaid_before": rng.random(number) < expit(-1.6 + 0.6 * hidden) * np.ones(shape),
        "vehicle_mismatch": rng.random(shape) < expit(-3.6 + 0.3 * hidden),
        "benefit": (norm * (1 - part) * (1 + 0.04 * later)).round(2),
    }


def _truth(
    seed: int,
    world: WelfareWorld,
    people: dict[str, Any],
    years: dict[str, Any],
    present: NDArray[np.bool_],
) -> dict[str, Any]:
    """Return the chance that each amount is wrong or unlawful, and whether it is.

    The shares of the world are met among the files that are `present`, in both years together.
    """
    rng = stream(seed, "welfare truth")
    odds = (
        0.26 * years["late_reports"].clip(0, 4)
        + 0.30 * years["income_differences"].clip(0, 5)
        + 0.22 * years["documents_missing"].clip(0, 4)
        + 0.010 * years["months_since_review"].clip(0, 60)
        + 0.0015 * years["income_variation"].clip(0, 400)
        + 0.30 * (years["cost_sharers"] > 0)
        + 0.9 * years["vehicle_mismatch"]
        + world.error_spread * people["hidden"]
        + np.log(world.true_difference) * people["exposure"]
    )
    chance = expit(odds + _intercept(odds, present.astype(float), world.error_rate))
    worse = (
        0.9 * years["vehicle_mismatch"]
        + 0.25 * years["income_differences"].clip(0, 5)
        + 0.15 * years["late_reports"].clip(0, 4)
    )
    given = expit(worse + _intercept(worse, chance * present, world.unlawful_share))
    uniform = rng.random(odds.shape)
    wrong, unlawful = uniform < chance, uniform < chance * given
    return {
        "chance": chance,
        "chance_unlawful": chance * given,
        "truth": _choose(TRUTHS, wrong.astype(np.int64) + unlawful),
    }


def _intercept(odds: Floats, weights: Floats, share: float) -> float:
    """Return what must be added to log-odds so that their weighted mean chance is `share`."""
    low, high = -30.0, 30.0
    total = weights.sum()
    for _ in range(40):
        middle = (low + high) / 2
        if float((weights * expit(odds + middle)).sum()) < share * total:
            low = middle
        else:
            high = middle
    return (low + high) / 2
