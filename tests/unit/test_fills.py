"""Fill levels: what can be believed of a reading, what it comes to, and what a truck then does."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_morning import DAY, SETTINGS, learnt, now, town
from test_on_the_way import MOMENT, state

from datamall.enforcement import (
    crew_facts,
    crews,
    fill_checks,
    fill_words,
    fills,
    morning,
    on_the_way,
)
from datamall.enforcement.fills import FILLS, Limits
from datamall.enforcement.prevented import prevented
from datamall.errors import DatamallError
from datamall.requirements import Absent

LIMITS = Limits()
HOURS = (6, 14, 22)


def reading(cluster: str, time: str, level: float, **own: Any) -> dict[str, Any]:
    """Return one row of the store."""
    moment = pd.Timestamp(time)
    row = {"cluster": cluster, "fraction": "residual", "source": "sensor", "state": "ok"}
    row |= {"day": moment.normalize(), "hour": moment.hour, "minute": moment.minute}
    return row | {"level": level} | own


def rising(cluster: str, last: float, by: float = 3.0, days: int = 8) -> list[dict[str, Any]]:
    """Return three readings a day until yesterday at ten, each so much above the one before.

    Between them lie eight hours, so that the rise is three times as much a day. What would be
    below nought was thrown in before an emptying, at as much above 45.
    """
    number = days * len(HOURS)
    times = [DAY - pd.Timedelta(days=d) + pd.Timedelta(hours=h)
             for d in range(days, 0, -1) for h in HOURS]  # fmt: skip
    levels = last - by * np.arange(number - 1, -1, -1)
    levels = levels % 45 if (levels < 0).any() else levels
    levels[-1] = last
    return [reading(cluster, str(t), float(v)) for t, v in zip(times, levels, strict=True)]


def readings(*rows: Any) -> dict[str, pd.DataFrame]:
    """Return the store of some readings, one by one or in lists."""
    flat = [one for row in rows for one in (row if isinstance(row, list) else [row])]
    return {FILLS: pd.DataFrame(flat)}


def levels(*rows: Any, moment: pd.Timestamp = DAY, **own: Any) -> Any:
    """Return what is known of the town's containers, by cluster."""
    found = fills.levels(town(**readings(*rows), **own), moment, LIMITS)
    return found if isinstance(found, Absent) else found.set_index("cluster")


def wanted(*rows: Any, most: int = 3, **own: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    data = town(**readings(*rows), **own)
    known = fills.levels(data, DAY, LIMITS)
    table = morning.candidates(data, now(), learnt(), DAY, most, levels=known)
    return table[table["kind"] == "full"].set_index("place"), known


def test_the_last_reading_its_age_and_what_it_comes_to_tonight() -> None:
    found = levels(rising("P0", 62.0)).loc["P0"]
    assert (found["level"], found["age"], found["rise"]) == (62.0, 2.0, 9.0)
    # Read at 22:00, two hours before the day begins and 26 before it ends.
    assert found["evening"] == pytest.approx(62 + 9 * 26 / 24, abs=0.05)
    assert found["reason"] == (
        "62 % full by its sensor yesterday at 22:00; at its usual 9 % a day 72 % tonight."
    )


def test_what_is_emptied_does_not_lower_the_usual_rise() -> None:
    """Nine a day for eight days: more than 45 percent, so that it was emptied meanwhile."""
    table = rising("P0", 40.0)
    assert min(row["level"] for row in table[:-8]) < 10 < max(row["level"] for row in table[:-8])
    assert levels(table).loc["P0", "rise"] == 9.0


def test_what_is_emptied_every_day_has_a_usual_rise_of_the_other_hours() -> None:
    cycle = dict(zip(HOURS, (20.0, 5.0, 12.0), strict=True))
    days = pd.date_range("2025-12-30", "2026-01-04")
    rows = [reading("P0", f"{day:%Y-%m-%d} {h:02d}:00", cycle[h]) for day in days for h in HOURS]
    # From 5 at two to 20 at six: fifteen in sixteen hours.
    assert levels(rows).loc["P0", "rise"] == 22.5


def test_of_a_few_days_no_usual_rise_is_known() -> None:
    found = levels(rising("P0", 62.0, days=2)).loc["P0"]
    assert np.isnan(found["rise"]) and np.isnan(found["evening"])
    assert found["reason"] == "62 % full by its sensor yesterday at 22:00."


@pytest.mark.parametrize(
    ("level", "demand"), [(80.0, "must"), (79.9, "may"), (60.0, "may"), (59.9, ""), (100.0, "must")]
)
def test_from_which_level_on(level: float, demand: str) -> None:
    assert levels(reading("P0", "2026-01-04 22:00", level)).loc["P0", "demand"] == demand


def test_what_will_have_to_be_emptied_by_tonight_may_be_now() -> None:
    found = levels(rising("P0", 55.0, by=8.0), rising("P2", 55.0, by=2.0))
    assert found.loc["P0", "evening"] == 81.0 and found.loc["P0", "demand"] == "may"
    assert found.loc["P2", "demand"] == ""


def test_days_full_are_those_until_the_next_round() -> None:
    # P3's next round is in seven days; at nine a day and 64 % four days after its reading.
    found = levels(rising("P3", 64.0), rising("P0", 64.0), rising("P1", 20.0))
    assert found.loc["P3", "days_full"] == pytest.approx(7 - (36 / 9 - 2 / 24), abs=1e-4)
    assert found.loc["P0", "days_full"] == np.inf  # no round at all
    assert found.loc["P1", "days_full"] == 0.0


def test_who_was_not_read_for_days_gains_as_much_as_the_median_of_the_others() -> None:
    crew = reading("P3", "2026-01-04 12:00", 75.0, source="crew", state=None)
    others = [rising("P0", 40.0, by=3.0), rising("P1", 40.0, by=4.0), rising("P2", 40.0, by=2.0)]
    found = levels(crew, *others).loc["P3"]
    assert np.isnan(found["rise"])
    assert found["days_full"] == pytest.approx(7 - (25 / 9 - 0.5), abs=1e-4)


def test_a_stuck_sensor_is_set_aside_by_name_while_others_rise() -> None:
    stuck = [row | {"level": 85.0} for row in rising("P0", 85.0)]
    found = levels(stuck, rising("P2", 50.0))
    assert found.loc["P0", "why"] == "stuck at 85 % since 2025-12-28, while 1 other changed"
    assert np.isnan(found.loc["P0", "level"]) and found.loc["P0", "demand"] == ""
    assert found.loc["P2", "why"] == ""


def test_a_level_that_stands_for_a_weekend_is_believed() -> None:
    table = rising("P0", 70.0)
    for row in table[-9:]:  # three days
        row["level"] = 70.0
    assert levels(table).loc["P0", "why"] == ""


def test_all_sensors_stuck_are_the_delivery() -> None:
    rows = [row | {"level": 85.0} for name in ("P0", "P2") for row in rising(name, 85.0)]
    found = levels(rows)
    assert found["why"].str.endswith("no other changed either: look at the delivery first").all()
    own, _ = wanted(rows)
    usual = morning.candidates(town(), now(), learnt(), DAY, 3)
    usual = usual[usual["kind"] == "full"].set_index("place")
    pd.testing.assert_frame_equal(own, usual)


def test_a_full_container_cannot_rise_and_is_no_stuck_sensor_until_it_was_emptied() -> None:
    full = [row | {"level": 100.0} for row in rising("P0", 100.0)]
    assert levels(full).loc["P0", "demand"] == "must"
    stop = {"truck": "W1", "cluster": "P0", "result": "done", "reason": None}
    stop |= {"day": pd.Timestamp("2026-01-03"), "minute": 600}
    found = levels(full, **{crews.STOPS: pd.DataFrame([stop])})
    assert found.loc["P0", "why"].startswith("stuck at 100 %")


def test_what_was_emptied_after_it_was_read_is_not_known() -> None:
    stop = {"truck": "W1", "cluster": "P0", "result": "done", "reason": None}
    stop |= {"day": pd.Timestamp("2026-01-04"), "minute": 23 * 60}
    told = {crews.STOPS: pd.DataFrame([stop])}
    found = levels(rising("P0", 85.0), **told)
    assert found.loc["P0", "why"] == "emptied since it was read, at 2026-01-04 23:00"
    # A grab that takes furniture empties no container, and a refusal none either.
    for other in ({"truck": "G1"}, {"result": "refused"}):
        told = {crews.STOPS: pd.DataFrame([stop | other])}
        assert levels(rising("P0", 85.0), **told).loc["P0", "demand"] == "must"


def test_dead_silent_and_impossible_sensors_have_their_reason() -> None:
    old = rising("P3", 85.0)[:-9]
    dead = [*rising("P0", 50.0)[:-9], reading("P0", "2026-01-04 22:00", 0.0, state="dead")]
    odd = [*rising("P1", 50.0)[:-9], reading("P1", "2026-01-04 22:00", 140.0)]
    crew = reading("P4", "2025-12-28 12:00", 75.0, source="crew", state=None)
    found = levels(old, dead, odd, crew, rising("P2", 50.0))["why"]
    assert found["P3"] == "silent since 2026-01-01 22:00"
    assert found["P0"] == "dead, as its own platform says"
    assert found["P1"] == "impossible: its last level is none of 0 to 100 %"
    assert found["P4"] == "not looked at by a crew since 2025-12-28 12:00"
    kinds = fill_words.believed(
        fills.levels(town(**readings(old, dead, odd, crew)), DAY, LIMITS), LIMITS
    )
    assert list(kinds["band"][4:]) == [
        *("not believed: dead", "not believed: impossible"),
        *("not believed: not looked at by a crew", "not believed: silent"),
    ]


def test_a_level_above_100_leaves_the_reading_before_it() -> None:
    found = levels(rising("P0", 70.0), reading("P0", "2026-01-04 23:00", 255.0)).loc["P0"]
    assert (found["level"], found["why"]) == (70.0, "")


def test_a_dead_sensor_leaves_what_a_crew_saw() -> None:
    crew = reading("P0", "2026-01-04 12:00", 75.0, source="crew", state=None)
    dead = reading("P0", "2026-01-04 22:00", 0.0, state="dead")
    found = levels(crew, dead).loc["P0"]
    assert (found["level"], found["source"], found["age"]) == (75.0, "crew", 12.0)
    assert found["reason"] == "75 % full by a crew yesterday at 12:00."


def test_nothing_of_the_day_itself_or_later_is_known_in_the_morning() -> None:
    early = rising("P0", 62.0)
    later = [reading("P0", f"{DAY:%Y-%m-%d} {hour}:00", 95.0) for hour in ("00", "06")]
    later += [reading("P0", "2026-01-09 12:00", 95.0), reading("P2", "2026-01-05 06:00", 95.0)]
    pd.testing.assert_frame_equal(levels(early), levels(early, later))
    at_noon = levels(early, later, moment=DAY + pd.Timedelta(hours=12))
    assert list(at_noon["level"]) == [95.0, 95.0]


def test_of_two_that_differ_at_one_moment_a_crew_counts_and_else_neither() -> None:
    one = reading("P0", "2026-01-04 22:00", 90.0)
    before = reading("P0", "2026-01-04 14:00", 30.0)
    crew = reading("P0", "2026-01-04 22:00", 50.0, source="crew")
    assert levels(before, one, crew).loc["P0", "level"] == 50.0
    assert levels(before, one, one | {"level": 40.0}).loc["P0", "level"] == 30.0
    assert levels(before, one, one).loc["P0", "level"] == 90.0  # the same, sent twice


def test_a_container_of_another_fraction_is_not_the_one_of_the_round() -> None:
    data = town(**readings(reading("P0", "2026-01-04 22:00", 90.0, fraction="glass")))
    data["enforcement.containers"] = data["enforcement.containers"].assign(fraction="residual")
    assert isinstance(fills.levels(data, DAY, LIMITS), Absent)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (None, "Not possible here: the authority does not deliver the store enforcement.fill_le"),
        ([], "Not possible here: the store enforcement.fill_levels holds no rows."),
        ([reading("P0", "2025-12-01 22:00", 90.0)], "Not used: the last reading is of 2025-12-01"),
        ([reading("P0", "2026-01-07 22:00", 90.0)], "Not possible here: no fill level is known fr"),
    ],
)
def test_without_readings_all_is_as_without_the_store(rows: Any, said: str) -> None:
    data = town()
    if rows is not None:
        data[FILLS] = pd.DataFrame(rows, columns=list(reading("", "2026-01-01", 0.0)))
    known = fills.levels(data, DAY, LIMITS)
    assert isinstance(known, Absent) and known.reason.startswith(said)
    usual = morning.candidates(town(), now(), learnt(), DAY, 3)
    pd.testing.assert_frame_equal(
        morning.candidates(data, now(), learnt(), DAY, 3, levels=known), usual
    )
    made = morning.plan(data, usual, DAY, SETTINGS)
    for table in (
        morning.owed(data, now(), made, DAY, known),
        morning.owed(data, now(), made, DAY),
    ):
        assert "read as full" not in set(table["what"])
    assert prevented(made, now(), 0.9, 1, known) == prevented(made, now(), 0.9, 1)
    for table in (fill_words.believed(known, LIMITS), fill_words.set_aside(known)):
        assert table is known
    in_rounds = fill_words.in_rounds(morning.todays_rounds(data, DAY), known, LIMITS)
    assert fill_words.caption_of_rounds(in_rounds, LIMITS) == known.reason


def test_a_full_container_outside_the_round_is_a_must_and_its_reason_says_why() -> None:
    own, _ = wanted(rising("P0", 84.0), rising("P1", 90.0), rising("P6", 64.0), rising("P7", 10.0))
    assert own.loc["P0", "demand"] == "must"
    assert own.loc["P0", "reason"].startswith("84 % full by its sensor yesterday at 22:00; ")
    assert (own.loc["P0", "service"], own.loc["P0", "mass"]) == (180.0, 160.0)
    # The round is kept, and has no second stop; what is nearly empty is no longer guessed at.
    assert own.loc["P1", "reason"] == morning.REGULAR
    assert own.index.is_unique and "P7" not in own.index
    # No round ever comes to P6: as long as waste is held to lie anywhere, times the crew's share.
    assert own.loc["P6", ["demand", "value"]].tolist() == ["may", round(14 * 0.85, 4)]


def test_a_may_is_worth_the_days_that_it_would_be_full() -> None:
    rounds = town()["enforcement.rounds"]
    more = pd.DataFrame({"cluster": ["P0", "P2", "P6"], "weekday": [7, 4, 2], "truck": "W1"})
    rounds = pd.concat([rounds, more.assign(start=400, service_seconds=120)])
    full = [rising(name, 76.0, by=4.0) for name in ("P0", "P2", "P6")]  # twelve a day
    own, _ = wanted(*full, **{"enforcement.rounds": rounds})
    to_full = 24 / 12 - 2 / 24
    assert own.loc["P0", "value"] == pytest.approx((6 - to_full) * 0.85, abs=1e-4)
    assert own.loc["P2", "value"] == pytest.approx((3 - to_full) * 0.85, abs=1e-4)
    assert "P6" not in own.index  # the round of tomorrow is in time
    own, _ = wanted(*full, most=1, **{"enforcement.rounds": rounds})
    assert "P0" in own.index and "P2" not in own.index


def test_a_report_of_a_full_container_stays_a_must_whatever_its_sensor_says() -> None:
    told = town()["enforcement.reports"]
    told.loc[0, ["cluster", "category"]] = "P6", "container full"
    own, _ = wanted(rising("P6", 20.0), **{"enforcement.reports": told})
    assert own.loc["P6", "demand"] == "must"
    own, _ = wanted(rising("P6", 90.0), **{"enforcement.reports": told})
    assert list(own.index).count("P6") == 1 and own.loc["P6", "reason"] == now()["reason"][6]


def test_the_plan_serves_it_the_crew_reads_it_and_it_is_owed() -> None:
    data = town(**readings(rising("P2", 84.0), rising("P3", 85.0)))
    known = fills.levels(data, DAY, LIMITS)
    own = morning.candidates(data, now(), learnt(), DAY, 0, levels=known)
    made = morning.plan(data, own, DAY, SETTINGS)
    stops = made.plan.stops
    assert "P2" in set(stops.loc[stops["truck"] == "W1", "place"])
    told = crew_facts.facts(now(), stops, known)
    told = told[told["kind"] == "full"].set_index("place")["facts"]
    assert told["P2"] == "84 % vol (sensor, 04-01 22:00); gisteren gezien: grofvuil"
    assert told["P3"] == "vaste ronde"
    owed = morning.owed(data, now(), made, DAY, known)
    owed = owed[owed["what"] == "read as full"].set_index("place")
    assert list(owed.index) == ["P2"] and owed.loc["P2", "outcome"].startswith("W1 at ")
    # What was read is sure, so that its chance widens nothing.
    assert prevented(made, now(), 0.9, 1, known).high < prevented(made, now(), 0.9, 1).high


def test_how_many_stops_of_a_round_could_have_waited() -> None:
    data = town(**readings(rising("P1", 39.0), rising("P3", 85.0), rising("P0", 10.0)))
    known = fills.levels(data, DAY, LIMITS)
    table = fill_words.in_rounds(morning.todays_rounds(data, DAY), known, LIMITS)
    assert table.to_dict("records") == [
        {"truck": "W1", "stops": 3, "known": 2, "could_wait": 1, "must_empty": 1}
    ]
    said = fill_words.caption_of_rounds(table, LIMITS)
    assert said.startswith(
        "Of 3 stops of today's rounds a level is believed of 2, and 1 of these are under 40 %"
    )
    # It is knowledge: each of them is still in the round.
    own = morning.candidates(data, now(), learnt(), DAY, 3, levels=known)
    assert set(own.loc[own["reason"] == morning.REGULAR, "place"]) == {"P1", "P3", "P4"}


def test_a_reading_of_today_is_new_on_the_way() -> None:
    # What was read as full yesterday is not new, served or not.
    today = reading("P0", "2026-01-05 09:00", 88.0)
    data = town(**readings(rising("P0", 50.0), today, rising("P6", 85.0)))
    data[on_the_way.UNDER_WAY] = pd.DataFrame([state("W1", "P3", 1, x=600.0)])
    planned = morning.plan(
        data, morning.candidates(data, now(), learnt(), DAY, 3), DAY, SETTINGS
    ).plan.stops
    planned = planned[planned["place"] != "P0"]
    args = (data, planned, now(), learnt(), MOMENT, SETTINGS)
    made, new = on_the_way.plan(*args, fills.levels(data, MOMENT, LIMITS))
    assert new[["place", "kind"]].to_numpy().tolist() == [["P0", "full"]]
    assert new["reason"].item().startswith("88 % full by its sensor today at 09:00")
    assert "P0" in set(made.plan.stops["place"])
    _, before = on_the_way.plan(*args, fills.levels(data, DAY, LIMITS))
    assert before.empty


def test_a_may_of_the_plan_is_kept_on_the_way() -> None:
    data = town(**readings(rising("P0", 70.0), rising("P6", 20.0)))
    known = fills.levels(data, DAY, LIMITS)
    own = morning.candidates(data, now(), learnt(), MOMENT, 0, {("P0", "full")}, known)
    kept = own.set_index(["place", "kind"]).loc[("P0", "full")]
    assert kept["demand"] == "may" and kept["reason"].startswith("70 % full")
    own = morning.candidates(data, now(), learnt(), MOMENT, 0, {("P6", "full")}, known)
    assert ("P6", "full") in set(zip(own["place"], own["kind"], strict=True))


def test_limits_in_another_order_are_one_sentence() -> None:
    with pytest.raises(DatamallError, match="give must_empty, may_empty and low from high to low"):
        Limits(must_empty=60.0, may_empty=80.0)


def test_what_is_foretold_is_held_against_what_was_read_later() -> None:
    rises = [rising(name, last) for name, last in (("P0", 70.0), ("P2", 72.0), ("P6", 75.0))]
    # One that a round comes to on those days is no test of what it gains.
    rounds = pd.DataFrame({"cluster": "P7", "weekday": range(1, 8), "truck": "W1"})
    data = town(**readings(*rises, rising("P7", 20.0)), **{"enforcement.rounds": rounds})
    table = fill_checks.foretold(data, DAY, LIMITS).set_index("way")
    days = fill_checks.MORNINGS
    assert table["readings"].tolist() == [3 * days, 3 * days]
    # Each gains nine a day; from ten in the evening until ten in the next one.
    assert table.loc[fill_checks.BY_RISE, ["off", "above"]].tolist() == [0.0, 0.0]
    assert table.loc[fill_checks.AS_READ, ["off", "above"]].tolist() == [9.0, -9.0]
    said = fill_checks.caption(table.reset_index())
    assert "by its usual rise is nearer, 0.0 percent off and not 9.0." in said


def test_without_levels_nothing_was_foretold() -> None:
    found = fill_checks.foretold(town(), DAY, LIMITS)
    assert isinstance(found, Absent) and fill_checks.caption(found) == found.reason
