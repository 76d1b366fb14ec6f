"""Hours that traffic calls congested: what is avoided, what moves for it, and what is said."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import routed
from test_morning import DAY, SETTINGS, learnt, town
from test_on_the_way import afternoon
from test_on_the_way import now as state
from test_routing_redirect import LINE, driven, rest, under_way

from datamall.enforcement import avoided, avoided_words, morning, on_the_way
from datamall.enforcement.routing import redirect, waiting
from datamall.enforcement.routing.day import prepare
from datamall.enforcement.routing.duties import duties
from datamall.enforcement.routing.duties import sites as open_sites
from datamall.enforcement.routing.problem import model
from datamall.enforcement.routing.redirect import undisturbed
from datamall.enforcement.routing.refusals import fit
from datamall.errors import DatamallError
from datamall.requirements import Absent

NO_STATE = Absent("x", "No looks.")
OFTEN, OLDEST, DISTANCE = 0.5, 92, 100.0


def congested(*rows: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the store; usually K1 beside P3, Monday from 6 to 7, known a week ago."""
    usual = {
        **{"site": "K1", "weekday": 1, "hour": 6, "x": 1500.0, "y": 0.0, "weeks": 40},
        **{"basis": "volume / capacity", "chance": 0.9, "low": 0.8, "high": 0.95},
        **{"last_known": "2025-12-29", "counted_to": "2025-12-31"},
    }
    table = pd.DataFrame([usual | row for row in rows or [{}]])
    return {avoided.STORE: table.astype(dict.fromkeys(["last_known", "counted_to"], "M8[s]"))}


def found(data: dict[str, Any], day: pd.Timestamp = DAY) -> Any:
    return avoided.hours(data, day, OFTEN, OLDEST)


def around(data: dict[str, Any], day: pd.Timestamp = DAY) -> Any:
    return avoided.near(data, found(data, day), DISTANCE)


def planned(data: dict[str, Any], day: pd.Timestamp = DAY) -> tuple[Any, Any]:
    """Return the regular rounds with and without a look at congestion."""
    wanted = morning.candidates(data, NO_STATE, NO_STATE, day, 3)
    return morning.plans(data, wanted, day, SETTINGS, avoided.rows(around(data, day), day))


def served(made: Any) -> dict[str, float]:
    """Return when service begins at each place, in minutes; each takes 120 s."""
    stops = made.plan.stops[made.plan.stops["kind"] == "full"]
    return dict(zip(stops["place"], stops["departure"] / 60 - 2, strict=True))


def test_a_stop_near_a_congested_junction_is_made_at_another_hour() -> None:
    data = town(**congested())
    made, without = planned(data)
    assert served(without)["P3"] < 7 * 60 <= served(made)["P3"]
    assert served(made).keys() == served(without).keys() == {"P1", "P3", "P4"}
    changed = avoided.moved(around(data), made, without)
    assert changed[["truck", "place", "site", "hours", "outcome"]].to_numpy().tolist() == [
        ["W1", "P3", "K1", "6:00–7:00", "W1 at 7:00"]
    ]
    spent = avoided.cost(made, without, changed).set_index("truck")
    # 50 s to P1, 100 to P3, 50 to P4, 200 home, 120 at each. Now P3 comes last: home 150 s and two
    # minutes after 7:00, an hour and 270 s after the shift began.
    assert spent.loc["W1", ["moved", "stops"]].tolist() == [1, 3]
    assert spent.loc["W1", "minutes_without"] == pytest.approx(760 / 60)
    assert spent.loc["W1", "more"] == pytest.approx((3870 - 760) / 60)
    assert avoided_words.price(changed, spent.reset_index()).startswith(
        "1 stop would have been made in avoided hours; at another time now: 1, by no truck: 0. "
        "All rounds together take +52 minutes and make +0 stops"
    )
    said = avoided_words.told(found(data), around(data), DAY)
    assert "6–7 h at K1. Last counted 7 days ago. 1 place near there is not served then." in said


def test_a_regular_stop_in_an_avoided_hour_is_named_with_what_becomes_of_it() -> None:
    """P3 is planned for 6:50 (410), P4 for 7:00: its street is free again then."""
    data = town(**congested({}, {"x": 2000.0, "site": "K2"}))
    made, _ = planned(data)
    table = avoided.conflicts(data, around(data), made, DAY)
    assert table[["truck", "place", "time", "site", "hours"]].to_numpy().tolist() == [
        ["W1", "P3", "6:50", "K1", "6:00–7:00"]
    ]
    assert table["outcome"].item().startswith("W1 at 7:0")
    data["enforcement.rounds"]["start"] -= 60  # P4 at 6:00, P3 at 5:50 for two minutes
    table = avoided.conflicts(data, around(data), made, DAY)
    assert list(table["place"]) == ["P4"]
    assert isinstance(avoided.conflicts(data, NO_STATE, made, DAY), Absent)
    spans = around(data)
    del data["enforcement.rounds"]
    assert "enforcement.rounds" in avoided.conflicts(data, spans, made, DAY).reason


def test_without_the_store_the_plan_is_as_ever_and_the_page_says_so() -> None:
    made, without = planned(town())
    assert made is without
    said = avoided_words.told(found(town()), around(town()), DAY)
    assert said == (
        "No hour is avoided for congestion. Not possible here: the authority does not deliver the "
        "store traffic.congested_hours."
    )
    assert avoided_words.price(NO_STATE, NO_STATE).endswith("is not known.")


@pytest.mark.parametrize(
    ("last", "state"),
    [
        ("2026-01-04", avoided.USED),
        ("2025-10-05", avoided.USED),  # 92 days
        ("2025-10-04", avoided.OLD),
        ("2026-01-05", avoided.LATER),
    ],
)
def test_counts_that_are_old_or_of_a_later_day_are_not_used(last: str, state: str) -> None:
    data = town(**congested({"last_known": last}))
    table = found(data)
    assert table["state"].tolist() == [state]
    made, without = planned(data)
    assert (made is without) == (state != avoided.USED)
    said = avoided_words.told(table, around(data), DAY)
    assert ("No hour of a Monday is avoided" in said) == (state != avoided.USED)
    assert ("K1: not avoided, as it was last counted longer" in said) == (state == avoided.OLD)
    assert ("K1: not avoided, as it was counted on this" in said) == (state == avoided.LATER)


def test_hours_of_another_weekday_do_not_count() -> None:
    data = town(**congested({"weekday": 2}))
    assert found(data).empty
    made, without = planned(data)
    assert made is without
    assert len(found(data, DAY + pd.Timedelta(days=1))) == 1


def test_an_hour_that_may_be_calm_is_shown_and_not_avoided() -> None:
    data = town(**congested({"low": 0.49}, {"hour": 7, "low": 0.1, "high": 0.49}))
    table = found(data)
    assert table[["hour", "state"]].to_numpy().tolist() == [[6, avoided.DOUBT]]
    assert around(data).empty
    assert found(town(**congested({"low": 0.5})))["state"].item() == avoided.USED


def test_a_junction_without_a_position_is_named() -> None:
    data = town(**congested({"x": None}, {"site": "K2"}))
    assert dict(zip(*found(data)[["site", "state"]].to_numpy().T, strict=True)) == {
        "K1": avoided.NOWHERE,
        "K2": avoided.USED,
    }
    said = avoided_words.told(found(data), around(data), DAY)
    assert "K1: not avoided, as nobody knows where the junction is." in said


def test_a_place_near_two_junctions_is_closed_for_the_hours_of_both() -> None:
    """At 1460 m, 40 from P3 and 540 from P4; and at 1580 m, 80 from P3: 6 to 7, 7 to 8, 9 to 10."""
    rows = [{"site": "K1", "x": 1460.0}, {"site": "K2", "x": 1580.0, "hour": 7}]
    data = town(**congested(*rows, {"site": "K2", "x": 1580.0, "hour": 9}))
    spans = around(data)
    assert spans[["place", "site", "start", "end"]].to_numpy().tolist() == [
        ["P3", "K1, K2", 360, 480],
        ["P3", "K2", 540, 600],
    ]
    begin = served(planned(data)[0])["P3"]
    assert 480 <= begin <= 538 or begin >= 600
    assert around(town(**congested({"x": 1600.5}))).empty  # 100.5 m


def test_where_every_hour_is_congested_places_are_served_as_ever() -> None:
    """Trucks are out from 6:00 to 14:00."""
    every = [{"hour": hour} for hour in range(6, 14)]
    data = town(**congested(*every))
    assert around(data)[["place", "state"]].to_numpy().tolist() == [["P3", avoided.STUCK]]
    made, without = planned(data)
    assert made is without and "P3" in served(made)
    said = avoided_words.told(found(data), around(data), DAY)
    assert "0 places near there are not served then. 1 place near there is served as ever" in said
    assert said.endswith("trucks are out, so that no hour is better than another.")
    calm = town(**congested(*every[:-1]))
    assert set(around(calm)["state"]) == {avoided.USED}
    assert served(planned(calm)[0])["P3"] >= 13 * 60


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [{}, {"hour": 7, "site": "K2"}, {"hour": 8, "site": "K0"}]
    data = town(**congested(*rows))
    other = town(**congested(*rows[::-1]))
    other["enforcement.containers"] = other["enforcement.containers"].iloc[::-1]
    pd.testing.assert_frame_equal(found(data), found(other))
    pd.testing.assert_frame_equal(around(data), around(other))
    pd.testing.assert_frame_equal(planned(data)[0].plan.stops, planned(other)[0].plan.stops)


@pytest.mark.parametrize(
    ("name", "given"), [("often", (0.0, 92)), ("often", (1.0, 92)), ("oldest", (0.5, 0))]
)
def test_parameters_that_mean_nothing_are_refused(name: str, given: tuple[float, int]) -> None:
    with pytest.raises(DatamallError, match=f"{name} is .* in params.yaml"):
        avoided.hours(congested(), DAY, *given)
    with pytest.raises(DatamallError, match="distance is 0"):
        avoided.near(town(), found(congested()), 0)


def test_places_without_coordinates_are_a_sentence() -> None:
    data = congested()
    assert "enforcement.containers is not delivered" in around(data).reason
    assert avoided.rows(around(data), DAY).empty


def test_a_change_on_the_way_avoids_them_too() -> None:
    """At 10:40 W1 drives to P3, which it still may; P0 was reported and is avoided until noon."""
    data = afternoon(**congested({"hour": 10, "x": 0.0}, {"hour": 11, "x": 0.0}))
    wanted = morning.candidates(town(), state(P2=0.9, P5=0.8), learnt(), DAY, 3)
    plan = morning.plan(town(), wanted, DAY, SETTINGS).plan.stops
    avoid = avoided.rows(around(data), DAY)
    table = state(P0=0.9, P2=0.9, P5=0.8)
    begins = []
    for given in (None, avoid):
        made, _ = on_the_way.plan(data, plan, table, learnt(), DAY + pd.Timedelta("640min"),
                                  SETTINGS, avoid=given)  # fmt: skip
        own = made.plan.stops[made.plan.stops["place"] == "P0"]
        begins.append(own["departure"].min() / 60)
    assert begins[0] < 720 < begins[1]


FLEET = routed.trucks([{"truck": "W1"}])
NOW = under_way([{"truck": "W1"}])
CLOSED = pd.DataFrame(
    {"x": [3000.0], "y": [0.0], "radius": [1.0], "weekday": [1], "start": [600], "end": [660]}
)


def test_a_truck_does_not_stand_still_where_it_can_come_back() -> None:
    """From 10:00 at a metre a second it is at c, 3 km away, at 10:52, and 8 minutes early."""
    own = rest("W1", *"abcdef")
    calm = replace(routed.PLAIN, threshold=120.0)
    found = redirect(LINE, own, FLEET, NOW, None, calm, avoid=CLOSED)
    assert driven(found.nothing, "W1") == list("abcdef")
    assert driven(found.plan.stops, "W1") == list("abdefc")
    row = found.trucks.iloc[0]
    # It would have been there after 3,000 s and two stops, at 10:52.
    assert row["seconds"] == 12_000 + 6 * 60
    assert row["seconds_before"] - row["seconds"] == 3600 - (3000 + 2 * 60)
    assert row["reordered"] and not len(found.changes)


def test_what_spares_less_than_the_threshold_is_waited_for() -> None:
    own = rest("W1", *"abcdef")
    restless = replace(routed.PLAIN, threshold=481.0)
    found = redirect(LINE, own, FLEET, NOW, None, restless, avoid=CLOSED)
    assert driven(found.plan.stops, "W1") == list("abcdef")
    stops = found.plan.stops.set_index("place")
    assert stops.loc["c", "departure"] == 11 * 3600 + 60


def test_a_truck_that_comes_back_unloads_where_it_must() -> None:
    """It carries three: a, b, d, then the site, e, f and c."""
    fleet = routed.trucks([{"truck": "W1", "volume": 3.0}])
    site = routed.sites([{"site": "S", "x": 4000.0, "unload_minutes": 1}])
    able, _ = duties(fleet, NOW)
    day, _ = prepare(fit(LINE)[0], able, open_sites(site), routed.PLAIN, avoid=CLOSED)
    problem = model(day, routed.PLAIN)
    nothing = undisturbed(problem, rest("W1", *"abcdef"))
    orders = [
        "".join("S" if step.at_site else "abcdef"[step.number] for step in steps)
        for steps in (nothing[0], waiting.around(problem, nothing, 120.0)[0])
    ]
    assert orders == ["abcSdef", "abdSefc"]
