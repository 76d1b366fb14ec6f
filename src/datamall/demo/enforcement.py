"""A year of daily looks in the demo city, with everything that was planted in it.

Log-odds that a role would find waste at a place on a day of a week, were none taken away::

    base + dump spot + district + place + hot spot + season(week) + shock(place, week) + role

Who looks where: cleaning crews do rounds; enforcement officers have districts they favour and
return to places where waste was found. Hence the number of inspections depends on the outcome,
and a count of dirty inspections says more about officers than about places. What lies where on
which day, and for how long, is in `datamall.demo.days`.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from datamall.demo import days, geography
from datamall.demo.days import CAUSES, ROLES
from datamall.demo.draws import Floats, expit, logit, normal, normal_scores, sample, stream
from datamall.demo.street_world import ReportsWorld
from datamall.demo.world import World

__all__ = ["CAUSES", "ROLES", "City", "base_logit", "city", "reporting_rates"]


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
        One row per cluster, day and role with at least one inspection: cluster, period_start,
        observer_role, inspections, with_waste and `CAUSES`, in order of the key.
    incidents
        What residents reported, each thing once: place (row of `places`), opened and closed (days
        since the first Monday, with fractions), category and channel (positions in
        `street_world.CATEGORIES` and ``CHANNELS``), in order of place and time.
    actions
        Places that an action was drawn for: cluster, first_day, drawn (whether the place has it;
        the others are its controls).
    """

    seed: int
    world: World
    neighbourhoods: pd.DataFrame
    places: pd.DataFrame
    hot_spots: pd.DataFrame
    weeks: pd.DataFrame
    tallies: pd.DataFrame
    incidents: pd.DataFrame
    actions: pd.DataFrame


def city(seed: int, world: World) -> City:
    """Draw a city; the same seed and world give the same city on every machine."""
    areas = geography.neighbourhoods(seed, world)
    places = geography.places(seed, world, areas)
    areas["households"] = geography.households(seed, areas, places)
    hot_spots = _hot_spots(seed, world, places)
    places = _effects(seed, world, places, hot_spots)
    weeks = _weeks(world)
    rate = reporting_rates(seed, world, areas).set_index("neighbourhood")["rate"]
    walked = days.year(
        seed,
        world,
        places,
        weeks,
        base_logit(world, places),
        rate[places["neighbourhood"]].to_numpy(),
    )
    return City(seed, world, areas, places, hot_spots, weeks, *walked)


def reporting_rates(seed: int, world: World, areas: pd.DataFrame) -> pd.DataFrame:
    """Return neighbourhood and rate: reports a day on one thing that lies there.

    Evenly spread on the log scale between the bounds, in random order: the same for every seed.
    """
    low, high = (world.reports or ReportsWorld()).rates
    rank = sample(stream(seed, "who reports"), len(areas), len(areas))
    rate = (low * (high / low) ** ((rank + 0.5) / len(areas))).round(6)
    return pd.DataFrame({"neighbourhood": areas["neighbourhood"], "rate": rate})


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
