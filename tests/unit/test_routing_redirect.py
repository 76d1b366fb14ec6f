"""Rounds under way: what each truck drops, adds and gains, and never worse than doing nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import routed
from hypothesis import example, given, settings
from hypothesis import strategies as st
from routed import PLAIN

from datamall.enforcement.routing import Redirect, redirect
from datamall.errors import DatamallError

CALM = replace(PLAIN, threshold=120.0)


def under_way(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return trucks under way at 10:00 at the depot, empty and on the way to no place."""
    usual = {
        "minute": 600,
        "x": 0.0,
        "y": 0.0,
        "volume": 0.0,
        "mass": 0.0,
        "next_place": None,
        "break_taken": "yes",
    }
    return pd.DataFrame([usual | row for row in rows])


def rest(truck: str, *places: str) -> pd.DataFrame:
    """Return the rest of a truck's round."""
    table = pd.DataFrame({"truck": truck, "turn": range(len(places)), "place": places})
    return table.assign(kind="bulky")


LINE = routed.candidates(
    [{"place": name, "x": 1000.0 * (row + 1)} for row, name in enumerate("abcdef")]
)
LINE["value"] = 5.0


def driven(table: pd.DataFrame, truck: str) -> list[str]:
    own = table[(table["truck"] == truck) & (table["kind"] != "depot")]
    return list(own["place"])


def test_a_report_on_the_way_is_added_and_the_order_stays() -> None:
    fleet = routed.trucks([{"truck": "W1"}])
    found = redirect(
        LINE, rest("W1", "b", "d", "f"), fleet, under_way([{"truck": "W1"}]), None, CALM
    )
    assert driven(found.nothing, "W1") == ["b", "d", "f"]
    assert driven(found.plan.stops, "W1") == list("abcdef")
    assert found.changes[["truck", "change", "place"]].to_numpy().tolist() == [
        ["W1", "adds", name] for name in "ace"
    ]
    row = found.trucks.iloc[0]
    assert row["gain"] == 3 * 5000 - 3 * 60
    assert (row["stops"], row["stops_before"]) == (6, 3)
    assert row["metres"] == row["metres_before"] == 12_000
    assert row["home"] - row["home_before"] == 180
    assert not row["reordered"]


def test_what_gains_less_than_the_threshold_is_left_as_it_is() -> None:
    """Served out and back, the other order would spare nothing; a value of 0.1 is worth 100 s."""
    fleet = routed.trucks([{"truck": "W1"}])
    places = pd.concat([LINE, routed.candidates([{"place": "little", "x": 1500.0, "value": 0.15}])])
    now = under_way([{"truck": "W1"}])
    own = rest("W1", "b", "a", "c", "d", "e", "f")
    restless = redirect(places, own, fleet, now, None, replace(CALM, threshold=0.0))
    assert "little" in driven(restless.plan.stops, "W1")
    assert driven(restless.plan.stops, "W1") != ["b", "a", "little", "c", "d", "e", "f"]
    quiet = redirect(places, own, fleet, now, None, replace(CALM, threshold=2001.0))
    assert driven(quiet.plan.stops, "W1") == list(own["place"])
    assert quiet.changes.empty
    assert quiet.trucks["gain"].tolist() == [0]
    told = quiet.plan.left_out.set_index("place")["reason"]["little"]
    assert told.endswith("and a change has to gain 34 minutes")
    at = redirect(places, own, fleet, now, None, replace(CALM, threshold=2000.0))
    assert at.trucks["reordered"].tolist() == [True]
    assert at.trucks["gain"].tolist() == [2000]


def test_the_stop_that_a_truck_drives_to_is_never_taken() -> None:
    fleet = routed.trucks([{"truck": "W1", "shift_end": 640}, {"truck": "W2", "shift_end": 640}])
    now = under_way([{"truck": "W1", "next_place": "a"}, {"truck": "W2", "x": 1000.0}])
    places = LINE.assign(value=[0.0, 5, 5, 0, 0, 0])
    plan = rest("W1", "a").iloc[:1]
    found = redirect(places, plan, fleet, now, None, CALM)
    assert driven(found.plan.stops, "W1")[0] == "a"
    assert driven(found.nothing, "W1") == ["a"]
    assert "a" not in set(found.changes["place"])


def test_a_vetoed_stop_goes_to_another_truck_and_never_back() -> None:
    fleet = routed.trucks([{"truck": "W1"}, {"truck": "W2"}])
    now = under_way([{"truck": "W1"}, {"truck": "W2"}])
    vetoes = pd.DataFrame({"truck": ["W1"], "place": ["b"]})
    found = redirect(LINE, rest("W1", *"abcdef"), fleet, now, None, CALM, vetoes=vetoes)
    assert "b" not in driven(found.nothing, "W1")
    assert "b" not in driven(found.plan.stops, "W1")
    assert "b" in driven(found.plan.stops, "W2")
    # One truck that passes anyway serves the others on its way; the first may go home.
    taken = found.changes[found.changes["truck"] == "W2"].set_index("place")["change"]
    assert taken.to_dict() == dict.fromkeys("acdef", "takes over") | {"b": "adds"}


def test_a_full_truck_unloads_first_or_says_what_would_help() -> None:
    fleet = routed.trucks([{"truck": "W1", "volume": 2.0}])
    now = under_way([{"truck": "W1", "volume": 2.5, "next_place": "a"}])
    own = rest("W1", "a", "b", "c")
    site = routed.sites([{"site": "S", "x": -500.0}])
    found = redirect(LINE, own, fleet, now, site, CALM)
    assert driven(found.plan.stops, "W1")[:2] == ["S", "a"]
    assert driven(found.nothing, "W1") == ["S", "a", "b", "S", "c"]
    assert found.plan.stops["volume"].max() <= 2.0
    without = redirect(LINE, own, fleet, now, None, CALM)
    assert without.plan.stops.empty
    told = without.plan.refusals.set_index("subject")["sentence"]["W1"]
    assert told == (
        "W1 has 2.5 m³ and 0 kg on board and may carry 2 m³ and 5,000 kg: a disposal site to "
        "unload at, or the right load, would make a plan possible."
    )


def test_a_truck_without_time_left_is_told_and_its_stops_are_offered_to_the_others() -> None:
    fleet = routed.trucks([{"truck": "W1", "shift_end": 600}, {"truck": "W2"}])
    far = {"truck": "W3", "x": 9000.0}
    fleet = pd.concat([fleet, routed.trucks([{"truck": "W3", "shift_end": 610}])])
    now = under_way([{"truck": "W1"}, {"truck": "W2"}, far, {"truck": "W9"}])
    found = redirect(LINE, rest("W1", "a", "b"), fleet, now, None, CALM)
    told = found.plan.refusals.set_index("subject")["sentence"]
    assert told["W1"].startswith("The shift of W1 ends at 10:00 and it is 10:00")
    assert told["W3"] == (
        "W3 would be home at 12:30 without any further stop, and its shift ends at 10:10: 140 "
        "minutes more would make a plan possible."
    )
    assert told["W9"] == "W9 is under way and no truck of the store: add it to the trucks."
    assert set(found.plan.stops["truck"]) == {"W2"}
    assert {"a", "b"} <= set(driven(found.plan.stops, "W2"))


def test_two_records_of_one_pile_are_one_stop_of_the_round() -> None:
    fleet = routed.trucks([{"truck": "W1"}])
    report = {"place": "R1", "x": 1000.2, "demand": "must", "value": 2.0}
    places = pd.concat([LINE, routed.candidates([report])])
    found = redirect(places, rest("W1", "a", "b"), fleet, under_way([{"truck": "W1"}]), None, CALM)
    assert driven(found.nothing, "W1") == ["R1", "b"]
    told = found.plan.left_out.set_index("place")["reason"]["a"]
    assert told == "two records of one pile: it is served, or not, as R1"


def test_a_rest_that_is_no_candidate_is_refused() -> None:
    fleet, now = routed.trucks([{"truck": "W1"}]), under_way([{"truck": "W1"}])
    with pytest.raises(DatamallError, match=r"z .bulky. of the round of W1 is no candidate"):
        redirect(LINE, rest("W1", "z"), fleet, now, None, CALM)
    with pytest.raises(DatamallError, match="Truck W1 is under way twice"):
        redirect(LINE, rest("W1", "a"), fleet, pd.concat([now, now]), None, CALM)


def test_where_two_drive_to_one_place_the_first_to_be_there_serves_it() -> None:
    fleet = routed.trucks([{"truck": "W1"}, {"truck": "W2"}])
    both = [{"truck": "W1", "x": 0.0, "next_place": "b"}, {"truck": "W2", "x": 1900.0}]
    both[1]["next_place"] = "b"
    found = redirect(LINE, rest("W1", "b"), fleet, under_way(both), None, CALM)
    for table in (found.plan.stops, found.nothing):
        assert list(table.loc[table["place"] == "b", "truck"]) == ["W2"]
    told = found.plan.refusals.set_index("subject")["sentence"]["W1"]
    assert told == ("W1 and W2 both drive to b: W2 is there first, and W1 goes on without it.")


def some_day(seed: int, threshold: float, minutes: int) -> tuple[dict[str, Any], Redirect]:
    rng = np.random.Generator(np.random.PCG64(seed))
    number = int(rng.integers(1, 4))
    town = routed.town(seed, int(rng.integers(3, 14)), number, volume=8.0, shift_end=600 + minutes)
    places = town["candidates"]
    places["opens"] = np.where(rng.random(len(places)) < 0.2, 630.0, np.nan)
    places["closes"] = np.where(rng.random(len(places)) < 0.2, 660.0, np.nan)
    places["demand"] = rng.choice(["must", "may", "may", "don't"], len(places))
    town["trucks"]["break_from"] = 610
    town["trucks"]["break_minutes"] = rng.choice([0, 15], number)
    names = town["trucks"]["truck"]
    now = under_way(
        [
            {
                "truck": name,
                "x": float(10 * rng.integers(-200, 200)),
                "volume": float(rng.integers(0, 10)),
                "break_taken": rng.choice(["yes", "no"]),
                "next_place": rng.choice(places["place"]) if rng.random() < 0.3 else None,
            }
            for name in names
        ]
    )
    rounds = places.sample(frac=0.7, random_state=seed)[["place", "kind"]]
    rounds = rounds.assign(truck=rng.choice(names, len(rounds)), turn=range(len(rounds)))
    vetoes = pd.DataFrame({"truck": names, "place": rng.choice(places["place"], number)})
    own = replace(PLAIN, threshold=threshold, iterations=50)
    day = {"candidates": places, "rest": rounds, "trucks": town["trucks"], "under_way": now}
    found = redirect(**day, sites=town["sites"], settings=own, vetoes=vetoes)
    return day | {"vetoes": vetoes, "sites": town["sites"], "settings": own}, found


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@example(227, 0.0, 153)  # two trucks say that they drive to one place
@given(st.integers(0, 10**6), st.sampled_from([0.0, 300.0]), st.integers(10, 240))
def test_no_redirect_is_worse_than_doing_nothing(seed: int, threshold: float, left: int) -> None:
    day, found = some_day(seed, threshold, left)
    if found.trucks.empty:
        return
    musts = found.trucks["musts"].sum() - found.trucks["musts_before"].sum()
    assert musts > 0 or (musts == 0 and found.trucks["gain"].sum() >= 0)
    if not musts and not found.changes.empty:
        assert found.trucks["gain"].sum() >= threshold
    for table in (found.plan.stops, found.nothing):
        for truck, own in table.groupby("truck"):
            duty = day["trucks"].set_index("truck").loc[truck]
            assert own["arrival"].iloc[-1] <= 60 * duty["shift_end"]
            assert own.loc[own["kind"] != "break", "volume"].max() <= duty["volume"]
            assert own["arrival"].is_monotonic_increasing
            vetoed = day["vetoes"].loc[day["vetoes"]["truck"] == truck, "place"]
            assert not set(own["place"]) & set(vetoed)
        assert not table.loc[table["value"] > 0, "place"].duplicated().any()
    served = set(found.plan.stops["place"]) & set(day["candidates"]["place"])
    assert served | set(found.plan.left_out["place"]) == set(day["candidates"]["place"])


def test_the_same_bytes_twice() -> None:
    for seed in (1, 2, 3):
        day, found = some_day(seed, 60.0, 120)
        day["candidates"] = day["candidates"].sample(frac=1, random_state=seed)
        again = redirect(**day)
        for name in ("changes", "trucks", "nothing"):
            assert getattr(found, name).to_csv() == getattr(again, name).to_csv()
        assert found.plan.stops.to_csv() == again.plan.stops.to_csv()


def test_a_truck_drives_home_whatever_it_serves_so_its_stop_on_the_way_is_not_given_away() -> None:
    """To one that counts no way home of an idle truck, giving it away would spare 4,800 s."""
    fleet = routed.trucks([{"truck": "W1"}, {"truck": "W2"}])
    now = under_way([{"truck": "W1", "x": 5000.0}, {"truck": "W2", "x": 3900.0}])
    own = pd.concat([rest("W1", "d"), rest("W2", "b")])
    found = redirect(LINE[LINE["place"].isin(["b", "d"])], own, fleet, now, None, CALM)
    assert found.changes.empty
    assert driven(found.plan.stops, "W1") == ["d"]


def test_handing_over_many_stops_for_little_is_not_worth_the_trouble() -> None:
    """The truck that drives home along the line could serve all of it: three stops more."""
    fleet = routed.trucks([{"truck": "W1"}, {"truck": "W2"}])
    places = LINE.assign(x=LINE["x"] / 10 + 300)
    now = under_way([{"truck": "W1", "x": 1000.0}, {"truck": "W2"}])
    own = pd.concat([rest("W1", *"fdb"), rest("W2", *"ace")])
    eager = redirect(places, own, fleet, now, None, replace(CALM, threshold=60.0))
    given = (eager.changes["change"] == "hands over").sum()
    assert given == 3
    gain = eager.trucks["gain"].sum()
    at = replace(CALM, threshold=gain / 3)
    assert redirect(places, own, fleet, now, None, at).trucks["gain"].sum() == gain
    above = redirect(places, own, fleet, now, None, replace(at, threshold=gain / 3 + 1))
    assert above.changes.empty
    assert above.trucks["gain"].sum() == 0
