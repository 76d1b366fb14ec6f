"""Plans of rounds: the best of all in tiny towns, the same bytes twice, each absence explained."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import routed
from routed import PLAIN

from datamall.enforcement.routing import Settings, plan
from datamall.errors import DatamallError


@pytest.mark.parametrize("seed", range(12))
def test_a_plan_of_a_tiny_town_is_the_best_of_all(seed: int) -> None:
    town = routed.town(seed, 5, 1 + seed % 2, shift_end=400 + 10 * (seed % 5), volume=6.0)
    settings = replace(PLAIN, worth=(500, 1500)[seed % 2])
    found = plan(**town, settings=settings)
    assert routed.cost(found.stops, town, settings) == routed.best(town, settings)
    served = found.stops.loc[found.stops["value"] > 0, "place"]
    assert sorted([*served, *found.left_out["place"]]) == list(town["candidates"]["place"])


def test_a_must_is_served_before_all_else() -> None:
    town = routed.town(3, 12, 1, shift_end=460)
    places = town["candidates"]
    places["closes"] = np.nan
    free = plan(**town, settings=PLAIN)
    outside = free.left_out["place"].iloc[0]
    places.loc[places["place"] == outside, "demand"] = "must"
    forced = plan(**town, settings=PLAIN)
    assert outside in set(forced.stops["place"])
    assert forced.refusals.empty


def test_musts_that_cannot_all_be_served_are_each_explained_and_the_rest_is_planned() -> None:
    places = routed.candidates(
        [
            {"place": "near", "x": 600.0},
            {"place": "far", "x": 20_000.0, "demand": "must"},
            {"place": "east", "x": 5_000.0, "demand": "must"},
            {"place": "west", "x": -5_000.0, "demand": "must"},
        ]
    )
    one = routed.trucks([{"truck": "W1", "shift_end": 360 + 180}])
    found = plan(places, one, None, PLAIN)
    assert {"near", "east"} <= set(found.stops["place"]) or {"near", "west"} <= set(
        found.stops["place"]
    )
    told = found.refusals.set_index("subject")["sentence"]
    assert told["far"] == (
        "far (bulky) must be served and is not: out of reach: even a truck that went there at "
        "once would be 488 minutes late; so much longer a shift, or other hours, would make it "
        "possible."
    )
    other = "west" if "east" in set(found.stops["place"]) else "east"
    assert "does not fit the shift: W1" in told[other]
    assert "each truck makes one load" in told["disposal sites"]


def test_a_full_truck_unloads_and_goes_on_while_the_site_is_open() -> None:
    places = routed.candidates([{"place": f"P{i}", "x": 100.0 * (i + 1)} for i in range(5)])
    town = {"candidates": places, "trucks": routed.trucks([{"truck": "W1", "volume": 2.0}])}
    settings = replace(PLAIN, worth=1e4)
    open_ = plan(**town, sites=routed.sites([{"site": "S", "x": 50.0}]), settings=settings)
    assert (open_.stops["kind"] == "disposal").sum() == 2
    assert open_.left_out.empty
    assert open_.stops["volume"].max() == 2.0
    early = routed.sites([{"site": "S", "x": 50.0, "closes": 365}])
    shut = plan(**town, sites=early, settings=settings)
    assert (shut.stops["kind"] == "disposal").sum() == 0
    assert len(shut.left_out) == 3
    assert (
        shut.left_out["reason"].str.startswith("no room: W1, which passes nearest, is full").all()
    )


def test_each_absence_says_why() -> None:
    places = routed.candidates(
        [
            {"place": "a", "x": 600.0},
            {"place": "b", "x": 600.0, "kind": "broken"},
            {"place": "c", "x": np.nan},
            {"place": "d", "x": 700.0, "demand": "don't", "reason": "nothing there at 10:12"},
            {"place": "e", "x": 800.0, "volume": 11.0},
            {"place": "f", "x": 3_600.0, "value": 0.5},
            {"place": "g", "x": 900.0},
            {"place": "a", "x": 600.0, "value": 0.2, "volume": 3.0},
            {"place": "R7", "x": 600.3, "value": 0.9},
            {"place": "h", "x": 1_000.0, "opens": 900, "closes": 960},
        ]
    )
    trucks = routed.trucks([{"truck": "W1"}, {"truck": "W2"}])
    vetoes = pd.DataFrame({"truck": ["W1", "W2"], "place": "g"})
    found = plan(places, trucks, routed.sites([]), replace(PLAIN, worth=2000.0), vetoes=vetoes)
    told = found.left_out.set_index("place")["reason"].map(lambda text: text.split(":")[0])
    assert told.to_dict() == {
        "R7": "two records of one pile",
        "a": "two records of one pile",
        "b": "no truck on duty takes broken",
        "c": "it has no coordinates",
        "d": "not to be served",
        "e": "its 11 m³ and 100 kg fit in no truck that takes it",
        "f": "not worth the detour",
        "g": "refused by the driver of W1 and W2",
        "h": "out of reach",
    }
    text = found.left_out.set_index("place")["reason"]
    assert text["d"].endswith("nothing there at 10:12")
    stop = found.stops[found.stops["place"] == "a"].iloc[0]
    assert text["f"] == (
        f"not worth the detour: 101 minutes of {stop['truck']} for 0.5 dirty days, which are worth "
        "17 minutes"
    )
    assert stop["volume"] == 3.0  # the room of the larger record


def test_trucks_that_cannot_drive_are_told_and_the_others_do() -> None:
    places = routed.candidates([{"place": "a", "x": 600.0}])
    trucks = routed.trucks(
        [
            {"truck": "W1", "shift_start": 840},
            {"truck": "W2"},
            {"truck": "W3", "x": np.nan},
        ]
    )
    settings = replace(PLAIN, worth=2000.0)
    found = plan(places, trucks, routed.sites([{"site": "S", "x": np.nan}]), settings)
    assert list(found.stops["truck"].unique()) == ["W2"]
    told = found.refusals.set_index("subject")["sentence"]
    assert told["W1"] == (
        "The shift of W1 ends at 14:00 and it is 14:00: a later shift end would make a plan "
        "possible."
    )
    assert "W3 has no position or no depot" in told["W3"]
    nobody = plan(places, trucks.iloc[[0]], None, PLAIN)
    assert nobody.stops.empty
    assert nobody.left_out["reason"].tolist() == [
        "no truck can drive: one on duty would make it possible"
    ]


def test_the_same_bytes_whatever_the_order_of_rows() -> None:
    town = routed.town(1, 30, 3, shift_end=480, break_minutes=15, break_from=400)
    first = plan(**town, settings=PLAIN)
    mixed = {name: table.sample(frac=1, random_state=2) for name, table in town.items()}
    again = plan(**mixed, settings=PLAIN)
    for one, other in zip(vars(first).values(), vars(again).values(), strict=True):
        assert one.to_csv() == other.to_csv()
    assert (first.stops["kind"] == "break").sum() == first.stops["truck"].nunique()


def test_nothing_is_served_in_streets_while_they_are_to_be_avoided() -> None:
    places = routed.candidates([{"place": f"P{i}", "x": 10.0 * i} for i in range(1, 20)])
    trucks = routed.trucks([{"truck": "W1", "shift_start": 440}])
    avoid = pd.DataFrame(
        {"x": 150.0, "y": 0.0, "radius": 60.0, "weekday": [1, 1, 2], "start": [420, 500, 360]}
    ).assign(end=[470, 505, 1000])
    found = plan(places, trucks, None, replace(PLAIN, worth=1e5), avoid=avoid, weekday=1)
    near = found.stops[(found.stops["x"] - 150).abs() <= 60]
    near = near[near["value"] > 0]
    assert len(near) == 11 or len(found.left_out)
    for start, end in ((420 * 60, 470 * 60), (500 * 60, 505 * 60)):
        assert not (
            (near["arrival"].clip(lower=470 * 60) < end) & (near["departure"] > start)
        ).any()
    never = avoid.assign(start=0, end=1440, weekday=1)
    none = plan(places, trucks, None, replace(PLAIN, worth=1e5), avoid=never, weekday=1)
    hidden = none.left_out["reason"].str.startswith("in all its hours its street is to be avoided")
    assert hidden.sum() == 11


def test_kilometres_beat_the_order_of_the_list_and_the_nearest_neighbour() -> None:
    town = routed.town(7, 40, 1, volume=1000.0, shift_end=1200)
    town["candidates"]["closes"] = np.nan
    found = plan(**town, settings=replace(PLAIN, worth=1e5))
    assert found.left_out.empty
    xy = np.vstack([[0, 0], town["candidates"][["x", "y"]], [0, 0]])
    listed = np.hypot(*np.diff(xy, axis=0).T).sum()
    left, here, nearest = list(range(1, 41)), 0, 0.0
    while left:
        away = np.hypot(*(xy[left] - xy[here]).T)
        nearest += away.min()
        here = left.pop(int(away.argmin()))
    nearest += np.hypot(*xy[here])
    assert found.stops["metres"].max() < 0.92 * nearest < 0.92 * listed


def test_what_is_not_delivered_or_no_number_is_refused() -> None:
    town = routed.town(1, 3, 1)
    for name, column in (("candidates", "volume"), ("trucks", "mass"), ("sites", "opens")):
        with pytest.raises(DatamallError, match=f"have no {column}: deliver it"):
            plan(**town | {name: town[name].drop(columns=column)}, settings=PLAIN)
    for column, value in (("demand", "maybe"), ("value", -1.0), ("mass", np.inf)):
        wrong = town["candidates"].assign(**{column: value})
        with pytest.raises(DatamallError, match=column):
            plan(**town | {"candidates": wrong}, settings=PLAIN)
    with pytest.raises(DatamallError, match="Truck W0 comes twice"):
        plan(**town | {"trucks": pd.concat([town["trucks"]] * 2)}, settings=PLAIN)
    with pytest.raises(DatamallError, match="lower worth"):
        plan(**town | {"candidates": town["candidates"].assign(value=1e5)}, settings=PLAIN)
    with pytest.raises(DatamallError, match=r"factor of the rounds is 0\.5"):
        Settings(factor=0.5)
