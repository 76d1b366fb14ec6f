"""What was planted in the demo city, as tables against which results can be held."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from datamall.demo import departments
from datamall.demo.draws import Floats, expit
from datamall.demo.enforcement import ROLES, City, base_logit
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
        once) and over the weekly shocks; and ``rate``, the two mixed by the shares of the roles
        in all inspections of the city. How often a place was inspected plays no part.
    """
    # Gauss-Hermite: the mean over a normal shock, exact to far more digits than are written.
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    weights = weights / weights.sum()
    season = city.weeks["season"].to_numpy()
    base = base_logit(city.world, city.places)

    def rate(role_effect: float) -> Floats:
        mean = np.zeros(len(base))
        for node, weight in zip(nodes, weights, strict=True):
            shift = city.world.shock_sd * node + role_effect
            mean += weight * expit(base[:, None] + season + shift).mean(axis=1)
        return mean

    crew, officer = rate(0.0), rate(float(np.log(city.world.observer_odds_ratio)))
    share = role_shares(city)
    mixed = share[ROLES[0]] * crew + share[ROLES[1]] * officer
    return city.places.assign(rate_crew=crew, rate_officer=officer, rate=mixed)


def role_shares(city: City) -> dict[str, float]:
    """Return the share of each role in all inspections: the reference mixture."""
    looks = city.tallies.groupby("observer_role")["inspections"].sum()
    return {role: float(looks[role] / looks.sum()) for role in ROLES}


def write(city: City, folder: Path) -> None:
    """Write the truth: clusters, hot_spots, districts and faults (CSV) and parameters (JSON)."""
    folder.mkdir(parents=True, exist_ok=True)
    places = clusters(city)
    deliveries = list(departments.deliver(city))
    districts = places.groupby("district", as_index=False).agg(
        places=("cluster", "size"),
        district_effect=("district_effect", "first"),
        officer_attention=("officer_attention", "first"),
        rate=("rate", "mean"),
    )
    parameters = {
        "seed": city.seed,
        "world": asdict(city.world),
        "role_shares": role_shares(city),
        "inspections": int(city.tallies["inspections"].sum()),
        "with_waste": int(city.tallies["with_waste"].sum()),
        "tallies": len(city.tallies),
        "raw_rows": {one.name: len(one.table) for one in deliveries},
    }
    for name, table in {
        "clusters": places,
        "hot_spots": city.hot_spots,
        "districts": districts,
        "faults": departments.faults(deliveries),
    }.items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.9g", lineterminator="\n")
    text = json.dumps(parameters, indent=2, default=str, ensure_ascii=False)
    (folder / "parameters.json").write_text(text + "\n", encoding="utf-8")
