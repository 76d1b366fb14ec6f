"""A year of inspections in the demo city, with everything that was planted in it.

Log-odds that a role finds waste at a place in a week::

    base + dump spot + district + place + hot spot + season(week) + shock(place, week) + role

Who looks where: cleaning crews do rounds; enforcement officers have districts they favour and
return to places where waste was found. Hence the number of inspections depends on the outcome,
and a count of dirty inspections says more about officers than about places.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from datamall.demo import geography
from datamall.demo.draws import (
    Floats,
    Integers,
    expit,
    logit,
    normal,
    normal_scores,
    poisson,
    sample,
    stream,
)
from datamall.demo.world import World

ROLES = ("cleaning crew", "enforcement officer")
CAUSES = ("bulky", "residual", "cardboard", "full", "broken")


@dataclass(frozen=True)
class City:
    """A drawn city: the truth and what inspectors counted, before any mess.

    Attributes
    ----------
    seed, world
        What it was drawn from.
    neighbourhoods
        neighbourhood, name, district, settlement, x, y, households.
    places
        One row per container or dump spot: the register (cluster, kind, fraction, x, y,
        households, neighbourhood, district), the planted effects on the logit scale
        (district_effect, place_effect, hot_spot_effect), hot_spot (number, 0 for none),
        relative_rate, officer_attention, rounds, and the share of its inspections with waste at
        which each of `CAUSES` is found.
    hot_spots
        hot_spot, x, y, radius (m), relative_rate, places.
    weeks
        week (its Monday), season (logit).
    tallies
        One row per cluster, week and role with at least one inspection: cluster, period_start,
        observer_role, inspections, with_waste and `CAUSES`, in order of the key.
    """

    seed: int
    world: World
    neighbourhoods: pd.DataFrame
    places: pd.DataFrame
    hot_spots: pd.DataFrame
    weeks: pd.DataFrame
    tallies: pd.DataFrame


def city(seed: int, world: World) -> City:
    """Draw a city; the same seed and world give the same city on every machine."""
    areas = geography.neighbourhoods(seed, world)
    places = geography.places(seed, world, areas)
    areas["households"] = geography.households(seed, areas, places)
    hot_spots = _hot_spots(seed, world, places)
    places = _effects(seed, world, places, hot_spots)
    weeks = _weeks(world)
    tallies = _inspections(seed, world, places, weeks)
    return City(seed, world, areas, places, hot_spots, weeks, tallies)


def base_logit(world: World, places: pd.DataFrame) -> Floats:
    """Return the log-odds of each place for a crew, without season and weekly shocks."""
    return (
        logit(world.dirty_rate)
        + np.where(places["kind"] == "dump spot", np.log(world.dump_spot_odds), 0.0)
        + places["district_effect"].to_numpy()
        + places["place_effect"].to_numpy()
        + places["hot_spot_effect"].to_numpy()
    )


def _hot_spots(seed: int, world: World, places: pd.DataFrame) -> pd.DataFrame:
    """Draw discs around containers that do not overlap and hold enough places."""
    rng = stream(seed, "hot spots")
    xy = places[["x", "y"]].to_numpy()
    low, high = world.hot_spot_radius
    radii = low + (high - low) * rng.random(len(places))
    rows: list[tuple[float, float, float, float, int]] = []
    # The strongest first, so that a small city keeps those that can be found.
    rates = sorted(world.hot_spot_rates, reverse=True)
    for index in sample(rng, len(places), len(places)):
        if len(rows) == len(rates):
            break
        (x, y), radius = xy[index], radii[index]
        inside = int((np.hypot(*(xy - xy[index]).T) <= radius).sum())
        apart = all(np.hypot(x - a, y - b) > radius + r for a, b, r, *_ in rows)
        if apart and world.hot_spot_places[0] <= inside <= world.hot_spot_places[1]:
            rows.append((x, y, radius, rates[len(rows)], inside))
    table = pd.DataFrame(rows, columns=["x", "y", "radius", "relative_rate", "places"])
    table.insert(0, "hot_spot", np.arange(1, len(table) + 1))
    return table


def _effects(
    seed: int, world: World, places: pd.DataFrame, hot_spots: pd.DataFrame
) -> pd.DataFrame:
    """Add what was planted to each place."""
    rng = stream(seed, "effects")
    number = len(places)
    district, names = pd.factorize(places["district"], sort=True)
    effect = world.district_sd * normal_scores(rng, len(names))
    attention = np.exp(world.officer_district_sd * normal_scores(rng, len(names)))
    hot = np.zeros(number, dtype=np.int64)
    for spot in hot_spots.itertuples():
        hot[np.hypot(places["x"] - spot.x, places["y"] - spot.y) <= spot.radius] = spot.hot_spot
    rate = np.concatenate([[1.0], hot_spots["relative_rate"].to_numpy(dtype=float)])[hot]
    causes = _causes(rng, world, places)
    return places.assign(
        district_effect=effect[district],
        place_effect=world.place_sd * normal(rng, number),
        hot_spot=hot,
        relative_rate=rate,
        hot_spot_effect=logit(world.dirty_rate * rate) - logit(world.dirty_rate),
        officer_attention=attention[district],
        **causes,
    )


def _causes(rng: np.random.Generator, world: World, places: pd.DataFrame) -> dict[str, Floats]:
    """Return the share of each cause among the inspections with waste of each place."""
    number = len(places)
    container = (places["kind"] == "container").to_numpy()
    shares = {
        name: expit(logit(getattr(world, name)) + world.cause_sd * normal(rng, number))
        for name in ("bulky", "residual", "cardboard")
    }
    # Containers overflow where many households depend on one, apart from chance.
    crowded = np.log(places["households"].to_numpy().clip(1)) / 0.5 + normal(rng, number)
    ranked = np.argsort(np.where(container, -crowded, np.inf), kind="stable")
    often_full = np.isin(np.arange(number), ranked[: round(world.often_full * container.sum())])
    often_broken = container & (rng.random(number) < world.often_broken)
    # Waste there is what did not fit: bags rather than furniture.
    shares["bulky"] = np.where(often_full, 0.3, shares["bulky"])
    shares["residual"] = np.where(often_full, 0.75, shares["residual"])
    shares["full"] = np.where(often_full, 0.55, world.full) * container
    shares["broken"] = np.where(often_broken, 0.5, world.broken) * container
    return shares


def _weeks(world: World) -> pd.DataFrame:
    """Return the Mondays of the period and the season of each week."""
    mondays = [world.first_monday + timedelta(weeks=week) for week in range(world.weeks)]
    away = np.array([(monday - world.moving_monday).days / 7 for monday in mondays])
    season = np.log(world.moving_odds) * np.exp(-0.5 * (away / world.moving_weeks) ** 2)
    return pd.DataFrame({"week": pd.to_datetime(mondays), "season": season})


def _inspections(
    seed: int, world: World, places: pd.DataFrame, weeks: pd.DataFrame
) -> pd.DataFrame:
    """Walk through the weeks: who looks where, what is found, and what officers remember."""
    rng = stream(seed, "inspections")
    number = len(places)
    role_effect = np.array([[0.0], [np.log(world.observer_odds_ratio)]])
    base = base_logit(world, places)
    causes = places[list(CAUSES)].to_numpy().T
    rounds = places["rounds"].to_numpy()
    attention = places["officer_attention"].to_numpy()
    start = rng.random(number)
    shock = normal(rng, number)
    memory = np.zeros(number)
    frames = []
    for week, season in enumerate(weeks["season"]):
        looks = np.stack(
            [
                _crew(rng, world, start + rounds * week, rounds),
                _officers(rng, world, attention * (1 + memory) ** world.feedback),
            ]
        )
        chance = expit(base + season + world.shock_sd * shock + role_effect)
        cell = np.repeat(np.arange(looks.size), looks.ravel())
        found = rng.random(len(cell)) < chance.ravel()[cell]
        seen = (rng.random((len(CAUSES), len(cell))) < causes[:, cell % number]) & found
        counts = [np.bincount(cell[mask], minlength=looks.size) for mask in (found, *seen)]
        visited = np.flatnonzero(looks.ravel())
        frames.append(
            pd.DataFrame(
                {
                    "cluster": visited % number,
                    "period_start": week,
                    "observer_role": visited // number,
                    "inspections": looks.ravel()[visited],
                    **{
                        name: count[visited]
                        for name, count in zip(("with_waste", *CAUSES), counts, strict=True)
                    },
                }
            )
        )
        memory = world.memory * memory + counts[0].reshape(2, number).sum(axis=0)
        shock = world.shock_persistence * shock + np.sqrt(1 - world.shock_persistence**2) * normal(
            rng, number
        )
    # The register numbers places, and time numbers weeks, in the order of the key.
    table = pd.concat(frames).sort_values(
        ["cluster", "period_start", "observer_role"], ignore_index=True
    )
    return table.assign(
        cluster=places["cluster"].to_numpy()[table["cluster"]],
        period_start=weeks["week"].to_numpy()[table["period_start"]],
        observer_role=np.array(ROLES, dtype=object)[table["observer_role"]],
    )


def _crew(rng: np.random.Generator, world: World, before: Floats, rounds: Floats) -> Integers:
    """Return the looks of a crew: those of the rounds that come due, less those that fall out."""
    due = world.crew_looks * (np.floor(before + rounds) - np.floor(before))
    turn = np.arange(int(world.crew_looks * np.ceil(rounds.max())))[:, None]
    kept = rng.random((len(turn), len(rounds))) >= world.crew_skips
    return ((turn < due) & kept).sum(axis=0)


def _officers(rng: np.random.Generator, world: World, weight: Floats) -> Integers:
    """Return the looks of the officers: a fixed expected total, shared out by weight."""
    return poisson(rng, world.officer_looks * len(weight) * weight / weight.sum())
