"""Stops in orders that people drive by themselves, by hand, and the plan beside them."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import routed
from routed import PLAIN

from datamall.enforcement.routing import redirect
from datamall.enforcement.routing.orders import ANY, in_other_order


def at_depot(trucks: pd.DataFrame) -> pd.DataFrame:
    own = trucks[["truck", "x", "y"]].assign(minute=trucks["shift_start"], volume=0.0, mass=0.0)
    return own.assign(next_place="", break_taken="no")


def driven(town: dict[str, pd.DataFrame], listed: pd.DataFrame, nearest: bool) -> pd.DataFrame:
    states = at_depot(town["trucks"])
    tables = (town["candidates"], listed, town["trucks"], states, town["sites"], PLAIN)
    return in_other_order(*tables, nearest=nearest)


def line(*xs: float, **truck: Any) -> dict[str, pd.DataFrame]:
    """Return places on a line through the depot and one truck, a metre a second."""
    rows = [{"place": f"P{number}", "x": x} for number, x in enumerate(xs)]
    return {
        "candidates": routed.candidates(rows),
        "trucks": routed.trucks([{"truck": "W1"} | truck]),
        "sites": routed.sites([]),
    }


def listed(*places: str, truck: str = "W1") -> pd.DataFrame:
    return pd.DataFrame({"truck": truck, "place": list(places), "kind": "bulky"})


def test_down_the_list_and_to_the_nearest_by_hand() -> None:
    town = line(100.0, 200.0, 300.0)
    own = listed("P2", "P0", "P1")
    [down], [near] = (driven(town, own, way).to_dict("records") for way in (False, True))
    assert (down["metres"], near["metres"]) == (300 + 200 + 100 + 200, 600)
    assert down["home"] == 360 * 60 + 800 + 3 * 60 and near["home"] == 360 * 60 + 600 + 3 * 60
    assert down["stops"] == near["stops"] == 3 and down["value"] == 3.0


def test_what_does_not_fit_the_shift_is_left_and_the_next_tried() -> None:
    town = line(100.0, 5_000.0, 200.0, shift_end=360 + 20)
    town["candidates"].loc[[1, 2], "demand"] = "must"
    [row] = driven(town, listed("P1", "P2", "P0"), False).to_dict("records")
    assert (row["stops"], row["musts"], row["metres"]) == (2, 1, 200 + 100 + 100)


def test_a_full_truck_unloads_at_the_nearest_site_first() -> None:
    town = line(100.0, 200.0, volume=1.0)
    [alone] = driven(town, listed("P0", "P1"), True).to_dict("records")
    assert alone["stops"] == 1
    town["sites"] = routed.sites([{"site": "S", "x": 150.0}, {"site": "far", "x": 900.0}])
    [row] = driven(town, listed("P0", "P1"), True).to_dict("records")
    assert (row["stops"], row["metres"]) == (2, 400)
    assert row["home"] == 360 * 60 + 400 + 2 * 60 + 10 * 60


def test_who_is_free_first_takes_the_next_that_is_nobodys_own() -> None:
    town = line(100.0, -100.0, 150.0, -150.0)
    two = routed.trucks([{"truck": "W1"}, {"truck": "W2", "shift_start": 360 + 1}])
    town["trucks"] = two
    # W1 takes P0 at 6:00, W2 has P1 nearest of what is left at 6:01, and so on.
    table = driven(town, listed("P0", "P1", "P2", "P3", truck=ANY), True).set_index("truck")
    assert table["metres"].to_dict() == {"W1": 300, "W2": 300}
    own = pd.concat([listed("P0", "P1", "P2"), listed("P3", truck="W2")])
    table = driven(town, own, True).set_index("truck")
    assert table["stops"].to_dict() == {"W1": 3, "W2": 1}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_not_everything_fits_a_plan_serves_most_of_what_must_be_served(seed: int) -> None:
    """As many as the habits do and more: being late everywhere is no way to serve them."""
    town = routed.town(seed, 120, 2, volume=30.0, shift_end=360 + 240)
    town["candidates"]["closes"] = float("nan")
    town["candidates"].loc[:80, "demand"] = "must"
    states, settings = at_depot(town["trucks"]), replace(PLAIN, worth=3600.0, iterations=600)
    nothing = pd.DataFrame(columns=["truck", "turn", "place", "kind"])
    made = redirect(
        town["candidates"], nothing, town["trucks"], states, town["sites"], settings
    ).trucks
    every = listed(*town["candidates"]["place"], truck=ANY)
    for nearest in (False, True):
        habit = driven(town, every, nearest)
        assert made["musts"].sum() > habit["musts"].sum()
