"""What was planted in the demo city, as tables against which results can be held."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from datamall.demo import demand, departments, detectors, fills, welfare
from datamall.demo import junctions as _junctions
from datamall.demo.draws import Floats, expit
from datamall.demo.enforcement import ROLES, City, base_logit, reporting_rates
from datamall.errors import DatamallError


def refuse_inside(folder: Path, root: Path) -> None:
    """Refuse a folder from which an analysis could read the truth.

    Raises
    ------
    DatamallError
        When `folder` lies in the project's data or source (also by a symbolic link).
    """
    for name in ("data", "src"):
        if folder.resolve().is_relative_to((root / name).resolve()):
            raise DatamallError(
                f"The truth may not be written to {folder}, because an analysis could read it in "
                f"the project's folder '{name}': choose a folder outside the project."
            )


def clusters(city: City) -> pd.DataFrame:
    """Return the true rate of every place.

    Returns
    -------
    DataFrame
        The columns of `City.places` and ``rate_crew``, ``rate_officer``: the probability that
        one look of that role finds waste, averaged over the weeks of the period (each counts
        once), over the weekly shocks and over its days: a crew's are those of its rounds, an
        officer's any; and ``rate``, the two mixed by the shares of the roles in all inspections of
        the city. How often officers came plays no part, nor does an action.
    """
    # Gauss-Hermite: the mean over a normal shock, exact to far more digits than are written.
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    weights = weights / weights.sum()
    season = city.weeks["season"].to_numpy()
    base = base_logit(city.world, city.places)
    on_rounds, on_any_day = _left_by_crews(city)
    crew, officer = np.zeros(len(base)), np.zeros(len(base))
    for node, weight in zip(nodes, weights, strict=True):
        logits = base[:, None] + season + city.world.shock_sd * node
        chance = expit(logits)
        lies = _left_by_reports(city, chance)
        beyond = expit(logits + np.log(city.world.observer_odds_ratio)) - chance
        crew += weight * (lies * on_rounds[:, None]).mean(axis=1)
        officer += weight * (beyond + lies * on_any_day[:, None]).mean(axis=1)
    share = role_shares(city)
    mixed = share[ROLES[0]] * crew + share[ROLES[1]] * officer
    return city.places.assign(rate_crew=crew, rate_officer=officer, rate=mixed)


def _left_by_crews(city: City) -> tuple[Floats, Floats]:
    """Return the share of the chance of waste that crews leave: on their rounds, and on any day.

    Rounds come at even times. What a crew takes away comes back at the rate of relaxation, and
    until the next round that is all that comes.
    """
    world = city.world
    between = 7 / city.places["rounds"].to_numpy()
    kept = 1 - world.crew_cleans * (1 - world.crew_skips)
    forgets = np.exp(-world.relaxation * between)
    on_rounds = (1 - forgets) / (1 - kept * forgets)
    a_day = np.exp(-world.relaxation)
    lasting = a_day * (1 - forgets) / ((1 - a_day) * between)
    return on_rounds, 1 - (1 - kept * on_rounds) * lasting


def _left_by_reports(city: City, chance: Floats) -> Floats:
    """Return the chance of waste where residents report and what they report is taken away.

    Mornings with waste over all mornings from one pile to the next (renewal reward): what is
    reported stays until it is closed, and then nothing lies there until something new does.
    """
    knobs = city.world.reports
    if not knobs:
        return chance
    areas = reporting(city).set_index("neighbourhood")["rate"]
    rate = areas[city.places["neighbourhood"]].to_numpy()[:, None]
    shares = city.places[["full", "broken", "bulky"]].assign(
        bags=city.places["residual"] + city.places["cardboard"]
    )
    first = shares.div(shares.sum(axis=1).clip(lower=1), axis=0).to_numpy()
    delay = np.average(knobs.channel_delay, weights=knobs.channels)
    # A pile that is none of the causes is not reported.
    named = first.sum(axis=1, keepdims=True)
    stays = first @ np.array(knobs.closing_days[:4])[:, None] / named * delay
    told, renewed = -np.expm1(-rate), -np.expm1(-city.world.relaxation)
    mornings = 1 / (1 - (1 - told) * (1 - renewed))
    reported, noticed = told * mornings, knobs.incidents * named
    with_waste = (1 - noticed) / renewed + noticed * (mornings + reported * stays)
    longer = (noticed + knobs.around_the_corner() * named) * reported * stays
    return chance * with_waste / (1 / renewed + chance * longer)


def role_shares(city: City) -> dict[str, float]:
    """Return the share of each role in all inspections: the reference mixture."""
    looks = city.tallies.groupby("observer_role")["inspections"].sum()
    return {role: float(looks[role] / looks.sum()) for role in ROLES}


def districts(places: pd.DataFrame) -> pd.DataFrame:
    """Return the planted effects and the mean true rate by district.

    Parameters
    ----------
    places
        What `clusters` returns.

    Returns
    -------
    DataFrame
        district, places, district_effect (logit), officer_attention and rate (mean over places).
    """
    return places.groupby("district", as_index=False).agg(
        places=("cluster", "size"),
        district_effect=("district_effect", "first"),
        officer_attention=("officer_attention", "first"),
        rate=("rate", "mean"),
    )


def reporting(city: City) -> pd.DataFrame:
    """Return neighbourhood and rate: reports a day on one thing that lies there."""
    return reporting_rates(city.seed, city.world, city.neighbourhoods)


def junctions(city: City) -> pd.DataFrame:
    """Return the junctions and what is the matter with each.

    Returns
    -------
    DataFrame
        site, name, x, y (m), kind, layout, plan (fine, wrong split, over capacity, no conflict data
        or no saturation flow), load (Y in the design hour), cycle, lost_time and webster_cycle (s;
        NaN where no timing helps).
    """
    return _junctions.junctions(city.seed, demand.knobs_of(city.world)).sites


def lane_groups(city: City) -> pd.DataFrame:
    """Return lane groups with demand, capacity and the better green; see `Junctions.groups`."""
    return _junctions.junctions(city.seed, demand.knobs_of(city.world)).groups


def detector_faults(city: City) -> pd.DataFrame:
    """Return every fault of a detector.

    Returns
    -------
    DataFrame
        site, approach, movement, mode, detector, kind (swapped, stuck, dead, doubled, missing or
        not delivered), start and end (local time, end exclusive), first_day and last_day (both with
        at least a quarter of an hour of it), other (the detector it is exchanged with, "" for
        none) and value (that a stuck one shows; NaN for the others).
    """
    return _traffic_year(city)["detector_faults"]


def road_works(city: City) -> pd.DataFrame:
    """Return site, approach, first_day, last_day and share (of the traffic that is left)."""
    return _traffic_year(city)["road_works"]


def clock_changes(city: City) -> dict[str, str]:
    """Return the days of the counts on which clocks change: forward and back, where they do."""
    days = demand.traffic_days(city.seed, city.world)
    found = {
        name: days.loc[demand.clock_changes(days, season), "day"]
        for name, season in (("forward", "spring"), ("back", "autumn"))
    }
    return {name: str(day.iloc[0].date()) for name, day in found.items() if len(day)}


def _traffic_year(city: City) -> dict[str, pd.DataFrame]:
    year = demand.traffic(city.seed, city.world)
    faults = detectors.counted(city.seed, city.world, year).faults
    last = faults["end"] - pd.Timedelta(minutes=15)
    spans = {"first_day": faults["start"].dt.normalize(), "last_day": last.dt.normalize()}
    return {
        "detector_faults": faults.assign(**spans),
        "road_works": year.roadworks,
        "measures": year.measures,
    }


def tables(city: City) -> dict[str, pd.DataFrame]:
    """Return all that was planted, by name of the table.

    Returns
    -------
    dict
        clusters, hot_spots and districts; where the world has them actions (with the share of
        residual waste that each keeps away); fills; reporting; junctions, lane_groups,
        detector_faults and road_works; and the tables of `datamall.demo.welfare.truth_tables`.
    """
    world = city.world
    places = clusters(city)
    found = {"clusters": places, "hot_spots": city.hot_spots, "districts": districts(places)}
    if world.actions:
        found["actions"] = city.actions.assign(effect=world.actions.effect * city.actions["drawn"])
    if world.rounds and world.fills:
        found["fills"] = fills.fills(city.seed, world, city.places).truth
    if world.reports:
        found["reporting"] = reporting(city)
    if world.traffic and world.traffic.junctions:
        found |= {"junctions": junctions(city), "lane_groups": lane_groups(city)}
        found |= _traffic_year(city)
    if world.welfare:
        found |= welfare.truth_tables(city.seed, departments.benefit_world(city))
    return found


def write(city: City, folder: Path) -> None:
    """Write `tables`, faults (CSV) and parameters (JSON)."""
    folder.mkdir(parents=True, exist_ok=True)
    deliveries = list(departments.deliver(city))
    parameters = {
        "seed": city.seed,
        "world": asdict(city.world),
        "role_shares": role_shares(city),
        "inspections": int(city.tallies["inspections"].sum()),
        "with_waste": int(city.tallies["with_waste"].sum()),
        "tallies": len(city.tallies),
        "clock_changes": clock_changes(city),
        "raw_rows": {one.name: len(one.table) for one in deliveries},
    }
    for name, table in (tables(city) | {"faults": departments.faults(deliveries)}).items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.9g", lineterminator="\n")
    text = json.dumps(parameters, indent=2, default=str, ensure_ascii=False)
    (folder / "parameters.json").write_text(text + "\n", encoding="utf-8")
