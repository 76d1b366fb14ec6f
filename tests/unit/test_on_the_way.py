"""Rounds under way: what is left of them, what is new, and what a change says."""

from typing import Any

import pandas as pd
import pytest
from test_morning import DAY, PLACES, SETTINGS, learnt, now, town

from datamall.enforcement import crews, morning, on_the_way, redirect_words
from datamall.errors import DatamallError

MOMENT = DAY + pd.Timedelta(hours=10, minutes=40)


def state(truck: str, next_place: str, done: int, x: float = 0.0, minute: int = 640) -> dict:
    """Return where a truck says it is."""
    return {
        **{"truck": truck, "day": DAY, "minute": minute, "x": x, "y": 0.0, "volume": 0.0},
        **{"mass": 0.0, "stops_done": done, "next_place": next_place, "break_taken": "yes"},
    }


def afternoon(**own: Any) -> dict[str, Any]:
    """Return the town at 10:40, both trucks under way, with a report of this day at P0."""
    data = town()
    today = {"report": "R4", "opened": DAY, "closed": pd.NaT, "category": "bulky waste"}
    more = pd.DataFrame([today | {"cluster": "P0", "duplicate_of": None}])
    data["enforcement.reports"] = pd.concat(
        [data["enforcement.reports"], more], ignore_index=True
    ).astype({"opened": "datetime64[s]", "closed": "datetime64[s]"})
    states = [state("G1", "P5", 1, x=1500.0), state("W1", "P3", 1, x=600.0)]
    data[on_the_way.UNDER_WAY] = pd.DataFrame(states)
    return data | own


def planned(data: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    """Return the stops of the plan of the morning."""
    wanted = morning.candidates(data, table, learnt(), DAY, 3)
    return morning.plan(data, wanted, DAY, SETTINGS).plan.stops


def changed(data: dict[str, Any]) -> Any:
    table = now(P0=0.9, P2=0.9, P5=0.8)
    stops = planned(town(), now(P2=0.9, P5=0.8))
    return on_the_way.plan(data, stops, table, learnt(), MOMENT, SETTINGS)


def results(*rows: tuple[str, str, str]) -> dict[str, pd.DataFrame]:
    table = pd.DataFrame(rows, columns=["truck", "cluster", "result"])
    return {crews.STOPS: table.assign(day=DAY, minute=600, reason="unsafe")}


def test_a_round_goes_on_where_its_truck_drives_to() -> None:
    plan = pd.DataFrame({"truck": "W1", "place": [*PLACES, ""], "kind": [*["full"] * 8, "depot"]})
    plan["turn"] = range(1, 10)
    nothing = crews.stops({})
    rest = on_the_way.left(plan, pd.DataFrame([state("W1", "P6", 2)]), nothing)
    assert list(rest["place"]) == ["P6", "P7"]
    rest = on_the_way.left(plan, pd.DataFrame([state("W1", "elsewhere", 5)]), nothing)
    assert list(rest["place"]) == ["P5", "P6", "P7"]
    said = crews.stops(results(("W1", "P7", "refused"), ("G1", "P6", "done")))
    rest = on_the_way.left(plan, pd.DataFrame([state("W1", "P5", 5)]), said)
    assert list(rest["place"]) == ["P5", "P6"]


def test_the_last_position_by_then_counts() -> None:
    states = [state("G1", "P5", 1, minute=600), state("G1", "P6", 2, minute=630)]
    states += [
        state("G1", "P7", 3, minute=700),
        state("W1", "P1", 0) | {"day": DAY - pd.Timedelta(days=1)},
    ]
    own = on_the_way.under_way({on_the_way.UNDER_WAY: pd.DataFrame(states)}, MOMENT)
    assert list(own["next_place"]) == ["P6"] and list(own["minute"]) == [640]
    with pytest.raises(DatamallError, match="No truck has said where it is by 2026-01-05 10:40"):
        on_the_way.under_way({}, MOMENT)


def test_a_report_of_today_is_served_and_beside_it_stands_doing_nothing() -> None:
    made, new = changed(afternoon())
    assert list(new["place"]) == ["P0"]
    stops = made.plan.stops
    assert "P0" in set(stops.loc[stops["truck"] == "G1", "place"])
    assert "P0" not in set(made.nothing["place"])
    assert (made.trucks["musts"] >= made.trucks["musts_before"]).all()
    said = [*redirect_words.sentences(made, new)]
    stops = on_the_way.marked(stops, made.changes)
    assert set(stops.loc[stops["new"], "place"]) == {"P0"}
    assert any(line.startswith("  G1: adds P0 (bulky)") for line in said)
    assert any(line.startswith("  P0 (bulky): G1 at ") for line in said)


def test_what_was_planned_already_is_not_new() -> None:
    data = afternoon()
    data["enforcement.reports"].loc[3, "cluster"] = "P5"
    _, new = changed(data)
    assert new.empty


def test_what_a_truck_has_passed_is_not_sent_again() -> None:
    made, _ = changed(afternoon())
    stops = made.plan.stops
    assert "P1" not in set(stops.loc[stops["truck"] == "W1", "place"])


def test_a_veto_of_today_is_heard_and_the_reason_said() -> None:
    made, new = changed(afternoon(**results(("G1", "P0", "refused"))))
    assert "P0" not in set(made.plan.stops["place"])
    said = " ".join(redirect_words.sentences(made, new))
    assert "P0 (bulky): no truck: refused by the driver" in said


def test_a_report_where_a_crew_was_today_is_no_must() -> None:
    data = afternoon(**results(("G1", "P0", "done")))
    wanted = morning.candidates(data, now(P0=0.1), learnt(), MOMENT, 0)
    own = wanted[(wanted["place"] == "P0") & (wanted["kind"] == "bulky")]
    assert own.empty


def test_where_nothing_is_gained_nothing_is_changed() -> None:
    data = afternoon()
    data["enforcement.reports"] = data["enforcement.reports"].iloc[:3]
    made, new = changed(data)
    assert new.empty
    assert next(redirect_words.sentences(made, new)).startswith("Nothing is changed")


def test_without_coordinates_one_sentence() -> None:
    data = afternoon()
    data["enforcement.containers"] = data["enforcement.containers"].drop(columns="x")
    with pytest.raises(DatamallError, match="not delivered with x and y"):
        changed(data)
