"""The morning: what is owed is served or explained, and a bad night ends in the regular rounds."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from routed import sites, trucks

from datamall.enforcement import crew_facts, morning, morning_words, orders
from datamall.enforcement.chain import Chain
from datamall.enforcement.prevented import prevented
from datamall.enforcement.routing import Settings
from datamall.enforcement.state import State
from datamall.errors import DatamallError
from datamall.requirements import Absent

DAY = pd.Timestamp("2026-01-05")  # a Monday
PLACES = [f"P{number}" for number in range(8)]
SETTINGS = Settings(factor=1.0, speed=36.0, iterations=50, threshold=60.0)


def town(**own: Any) -> dict[str, Any]:
    """Return eight places in a row, a lift with a round of three, and a grab without one."""
    register = pd.DataFrame({"cluster": PLACES, "kind": "container"})
    register["x"], register["y"] = 500.0 * np.arange(len(PLACES)), 0.0
    looks = pd.DataFrame({"cluster": PLACES, "observer_role": "enforcement officer"})
    looks["period_start"] = pd.Timestamp("2026-01-04")
    looks = looks.assign(period_days=1, inspections=1, with_waste=0, bulky=0, full=0)
    looks.loc[2, ["with_waste", "bulky"]] = 1
    reports = pd.DataFrame(
        {
            "report": ["R1", "R2", "R3"],
            "opened": pd.to_datetime(["2026-01-02", "2026-01-03", "2026-01-03"]),
            "closed": pd.to_datetime([None, "2026-01-04", None]),
            "category": ["bulky waste", "bulky waste", "other"],
            "cluster": ["P5", "P6", "P7"],
            "duplicate_of": None,
        }
    )
    rounds = pd.DataFrame({"cluster": ["P1", "P3", "P4"], "weekday": 1, "truck": "W1"})
    rounds = rounds.assign(start=[400, 410, 420], service_seconds=120)
    fleet = trucks(
        [
            {"truck": "W1", "takes_bulky": "no", "takes_full": "yes"},
            {"truck": "G1", "takes_bulky": "yes"},
        ]
    )
    data = {
        "enforcement.containers": register,
        "enforcement.inspections": looks,
        "enforcement.reports": reports,
        "enforcement.rounds": rounds,
        "enforcement.trucks": fleet,
        "enforcement.disposal_sites": sites([{"site": "S", "x": 0.0}]),
    }
    return data | own


def now(**chance: float) -> pd.DataFrame:
    """Return the state of a morning: a chance of .1 at each place, other chances of bulky waste."""
    table = pd.DataFrame({"cluster": PLACES, "chance": 0.1, "full": 0.05, "bulky": 0.05})
    for place, value in chance.items():
        table.loc[table["cluster"] == place, ["chance", "bulky"]] = value, value
    table = table.assign(low=0.0, high=1.0, rate=0.2, days=1.0, last="nothing", open=0)
    table["oldest"], table["reason"] = np.nan, "An officer found nothing yesterday."
    found = table["cluster"] == "P2"
    table.loc[found, "last"] = "bulky waste"
    table.loc[table["cluster"] == "P5", ["open", "oldest"]] = 1, 3.0
    return table


def learnt() -> State:
    """Return what the morning needs of a state: how fast waste goes."""
    chain = Chain(0.5, 0.4, 0.6, pd.Series(dtype=float), pd.DataFrame({"event": [], "chance": []}))
    empty = pd.DataFrame()
    series = pd.Series(dtype=float)
    return State(DAY, empty, empty, chain, series, empty, empty, series, 0.9)


def planned(data: dict[str, Any], state: Any) -> tuple[Any, pd.DataFrame]:
    wanted = morning.candidates(data, state, learnt(), DAY, 3)
    return morning.plan(data, wanted, DAY, SETTINGS), wanted


def test_finds_of_yesterday_and_open_reports_must_be_served() -> None:
    _, wanted = planned(town(), now(P2=0.9, P5=0.8, P6=0.4))
    must = wanted[(wanted["demand"] == "must") & (wanted["kind"] == "bulky")]
    assert sorted(must["place"]) == ["P2", "P5"]  # the report of P6 was closed
    regular = wanted[wanted["reason"] == morning.REGULAR]
    assert list(regular["place"]) == ["P1", "P3", "P4"] and set(regular["demand"]) == {"must"}
    assert list(regular["service"]) == [120.0] * 3


def test_value_is_chance_times_days_times_effect() -> None:
    _, wanted = planned(town(), now(P2=0.9))
    own = wanted[(wanted["place"] == "P2") & (wanted["kind"] == "bulky")]
    # Gone at 0.5 × (1 − 0.2) a day: 2.5 days; a crew takes 0.85 of it away.
    assert own["value"].item() == pytest.approx(0.9 * 2.5 * 0.85)


def test_the_regular_round_is_kept_and_the_grab_goes_where_waste_lies() -> None:
    made, _ = planned(town(), now(P2=0.9, P5=0.8))
    stops = made.plan.stops
    lift = stops[(stops["truck"] == "W1") & (stops["kind"] == "full")]
    assert [place for place in lift["place"] if place in ("P1", "P3", "P4")] == ["P1", "P3", "P4"]
    assert {"P2", "P5"} <= set(stops.loc[stops["truck"] == "G1", "place"])


def test_each_thing_owed_has_an_outcome() -> None:
    data, state = town(), now(P2=0.9, P5=0.8)
    made, _ = planned(data, state)
    owed = morning.owed(data, state, made, DAY).set_index("place")
    assert owed.loc["P2", "outcome"].startswith("G1 at ")
    assert owed.loc["P5", "since"] == pd.Timestamp("2026-01-02")
    assert owed.loc["P7", "outcome"] == "no truck's work: for maintenance or the report desk"
    assert "P6" not in owed.index


def test_what_a_crew_took_away_is_owed_no_truck() -> None:
    data, state = town(), now(P2=0.02)
    wanted = morning.candidates(data, state, learnt(), DAY, 0)
    made = morning.plan(data, wanted, DAY, SETTINGS)
    left = morning.owed(data, state, made, DAY).set_index("place").loc["P2", "outcome"]
    assert left == "taken away since, or seen gone: the chance that waste lies there is 0.02"


def test_without_a_truck_for_it_each_place_says_so() -> None:
    data = town()
    data["enforcement.trucks"] = data["enforcement.trucks"].query("truck == 'W1'")
    made, _ = planned(data, now(P2=0.9))
    out = made.plan.left_out.set_index(["place", "kind"])["reason"]
    assert out["P2", "bulky"] == "no truck takes this kind of waste"


def test_where_nothing_is_known_the_regular_rounds_are_driven() -> None:
    unknown = Absent("x", "No looks.")
    wanted = morning.candidates(town(), unknown, unknown, DAY, 3)
    made = morning.plan(town(), wanted, DAY, SETTINGS)
    stops = made.plan.stops[made.plan.stops["kind"] == "full"]
    assert list(stops["place"]) == ["P1", "P3", "P4"]
    assert isinstance(morning.owed(town(), unknown, made, DAY), Absent)
    fresh = morning.freshness(town(), DAY, 1)
    text = morning_words.answer(made, unknown, unknown, fresh, DAY)
    assert "the regular rounds, as what lies there today is not known" in text


def test_without_trucks_there_is_no_plan_and_a_reason() -> None:
    data = town()
    del data["enforcement.trucks"]
    made = morning.plan(data, pd.DataFrame(), DAY, SETTINGS)
    assert isinstance(made, Absent) and "does not deliver enforcement.trucks" in made.reason


@pytest.mark.parametrize(
    ("last", "state"),
    [("2026-01-04", "fresh"), ("2026-01-03", "late"), ("2025-12-29", "stale"), (None, "never")],
)
def test_how_old_deliveries_are(last: str | None, state: str) -> None:
    data = town()
    looks = data["enforcement.inspections"]
    if last is None:
        data["enforcement.inspections"] = looks.iloc[:0]
    else:
        data["enforcement.inspections"] = looks.assign(period_start=pd.Timestamp(last))
    found = morning.freshness(data, DAY, 1).set_index("store")["state"]
    assert found["enforcement.inspections"].startswith(state)
    made, _ = planned(data, now())
    absent = Absent("x", "y")
    sentence = morning_words.answer(made, absent, absent, morning.freshness(data, DAY, 1), DAY)
    assert ("enforcement.inspections is" in sentence) == (state != "fresh")


def test_nothing_of_the_day_itself_or_later_counts() -> None:
    data = town()
    before = morning.candidates(data, now(P2=0.9), learnt(), DAY, 3)
    later = data["enforcement.reports"].assign(opened=DAY, closed=pd.NaT, cluster="P0")
    data["enforcement.reports"] = pd.concat([data["enforcement.reports"], later])
    pd.testing.assert_frame_equal(before, morning.candidates(data, now(P2=0.9), learnt(), DAY, 3))


def test_what_is_prevented_is_the_sum_with_an_interval_of_one_day() -> None:
    state = now(P2=0.5)
    made, _ = planned(town(), state)
    found = prevented(made, state, 0.9, 1)
    stops = made.plan.stops[made.plan.stops["kind"].isin(["bulky", "full"])]
    assert found.days == pytest.approx(stops["value"].sum())
    assert found.low < found.days < found.high
    # All but certain that it lies there: what is left is the assumed share of 0.7 to 1.0.
    sure = state.assign(bulky=1.0, full=1.0)
    certain = prevented(made, sure, 0.9, 1)
    assert certain.low / certain.days == pytest.approx((0.7 + 0.05 * 0.3) / 0.85, abs=0.01)
    assert certain.high / certain.days == pytest.approx((1.0 - 0.05 * 0.3) / 0.85, abs=0.01)
    text = morning_words.answer(
        made, morning.owed(town(), state, made, DAY), found, morning.freshness(town(), DAY, 1), DAY
    )
    assert f"expected to prevent {found.days:.0f} dirty days (90 % interval" in text


def test_the_plan_stands_beside_the_list_and_the_nearest() -> None:
    data = town()
    data["enforcement.rounds"] = data["enforcement.rounds"].assign(cluster=["P4", "P1", "P3"])
    wanted = morning.candidates(data, now(P2=0.9, P5=0.8), learnt(), DAY, 3)
    wanted = wanted[(wanted["kind"] == "bulky") | (wanted["reason"] == morning.REGULAR)]
    made = morning.plan(data, wanted, DAY, SETTINGS)
    table = orders.driven(data, made, wanted, DAY, SETTINGS)
    lift = table[table["truck"] == "W1"].set_index("way")
    assert set(lift["trucks"]) == {orders.BOUND} and set(lift["stops"]) == {3}
    # P4, P1, P3 as the round has them, or P1, P3, P4: there and back, 500 m apart.
    assert lift.loc[orders.NOTHING, "metres"] == lift.loc[orders.LISTED, "metres"] == 6000
    assert lift.loc[orders.NEAREST, "metres"] == lift.loc[orders.ALL_NEAREST, "metres"] == 4000
    assert lift.loc[orders.NEAREST, "seconds"] == 400 + 3 * 120
    grab = table[table["truck"] == "G1"].set_index("way")
    assert grab.loc[orders.NOTHING, ["stops", "seconds"]].tolist() == [0, 0]
    assert grab.loc[orders.LISTED, "musts"] == grab.loc[orders.PLANNED, "musts"] == 2
    beside = orders.beside(table).set_index(["trucks", "way"])
    own = beside.loc[(orders.FREE, orders.PLANNED)]
    assert own["per_hour"] == pytest.approx(own["value"] / own["hours"])
    assert own["hours"] == pytest.approx(grab.loc[orders.PLANNED, "seconds"] / 3600)
    assert np.isnan(beside.loc[(orders.FREE, orders.NOTHING), "per_hour"])
    said = orders.caption(beside.reset_index())
    assert said.startswith("All trucks: the plan ") and orders.ALL_NEAREST in said
    nobody = made.__class__(made.plan, made.nothing, made.changes, pd.DataFrame())
    assert isinstance(orders.driven(data, nobody, wanted, DAY, SETTINGS), Absent)


def test_a_crew_reads_three_facts_at_most_in_dutch() -> None:
    made, _ = planned(town(), now(P2=0.9, P5=0.8))
    told = crew_facts.facts(now(P2=0.9, P5=0.8), made.plan.stops)
    facts = told.drop_duplicates("place").set_index("place")["facts"]
    assert facts["P2"] == "gisteren gezien: grofvuil"
    assert facts["P5"] == "1 open melding van 3 dagen geleden; gisteren gezien: niets"
    assert facts["P1"] == "vaste ronde"


def test_a_day_that_is_none_is_one_sentence() -> None:
    with pytest.raises(DatamallError, match="give it as 2026-01-05"):
        morning.as_day("5 januari")
