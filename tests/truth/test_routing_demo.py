"""Rounds of the demo city: Monday at 10:40."""

import numpy as np
import pandas as pd
import pytest

from datamall.demo import City, World, city
from datamall.demo.fleet import Fleet, fleet
from datamall.demo.rounds import rounds
from datamall.enforcement.routing import Settings, redirect

SEED = 2319


@pytest.fixture(scope="module")
def groningen() -> City:
    return city(SEED, World(reports=None, traffic=None, welfare=None))


@pytest.fixture(scope="module")
def own(groningen: City) -> Fleet:
    return fleet(SEED, groningen.world, groningen.places)


def candidates(groningen: City, clusters: list[str], kind: str, **said: object) -> pd.DataFrame:
    """Return candidates at clusters."""
    where = groningen.places.set_index("cluster").loc[clusters, ["x", "y"]].reset_index()
    usual = {"value": 0.5, "demand": "may", "volume": 1.0, "mass": 80, "service": 300}
    usual |= {"opens": np.nan, "closes": np.nan, "reason": ""}
    return where.rename(columns={"cluster": "place"}).assign(kind=kind, **usual | said)


def test_three_reports_at_10_40_are_served_or_explained_and_the_rounds_stay_calm(
    groningen: City, own: Fleet
) -> None:
    done = own.under_way.set_index("truck")["stops_done"]
    plan = rounds(SEED, groningen.world, groningen.places).query("weekday == 1")
    left = plan[plan["turn"] > plan["truck"].map(done)].rename(columns={"cluster": "place"})
    rest = left[["truck", "turn", "place"]].assign(kind="full")
    committed = candidates(
        groningen, left["place"].tolist(), "full", volume=0.4, mass=160, service=180
    )
    spots = groningen.places["cluster"].iloc[[100, 1000, 2000]].tolist()
    reports = candidates(groningen, spots, "bulky", demand="must", value=2.0)
    found = redirect(
        pd.concat([committed, reports], ignore_index=True), rest,
        own.trucks, own.under_way, own.sites, Settings(iterations=50),
    )  # fmt: skip
    lost = found.plan.left_out.set_index("place")["reason"]
    for spot in spots:
        assert spot in set(found.plan.stops["place"]) or lost[spot]
    assert set(found.changes.query("change == 'adds'")["place"]) >= set(spots) - set(lost.index)
    assert found.trucks["gain"].sum() > 0
    assert not found.trucks["reordered"].any()
    served = found.plan.stops.query("kind != 'break'")
    first = served.groupby("truck")["place"].first()
    way = own.under_way.dropna(subset="next_place").set_index("truck")["next_place"]
    lifts = way[way.index.str.startswith("W")]
    assert (first[lifts.index] == lifts).all()
