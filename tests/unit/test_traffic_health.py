"""Each kind of fault is told from healthy counts, and from what really happens on streets."""

from collections.abc import Callable

import counted_streets as streets
import numpy as np
import pandas as pd
import pytest

from datamall.requirements import Absent
from datamall.traffic import health
from datamall.traffic.cube import COUNTS, Cube, cells
from datamall.traffic.levels import ASK, FAULTY, SUSPECT

VOLUMES = (400, 150, 300, 60, 250, 120)
FIRST, LAST = 21, 34  # days of the faults that are planted here, both inclusive
FAULT = slice(FIRST, LAST + 1)


def day(number: int) -> pd.Timestamp:
    return pd.Timestamp(streets.MONDAY) + pd.Timedelta(days=number)


def counts(seed: int = 1, minutes: int = 60) -> np.ndarray:
    shapes = np.stack([streets.WORKING, np.roll(streets.WORKING, -3)] * 3)
    return streets.drawn(VOLUMES, minutes=minutes, seed=seed, shapes=shapes)


def faults(count: np.ndarray, minutes: int = 60, **keys: object) -> pd.DataFrame:
    made = streets.cube(count, streets.names(len(count), **keys), minutes=minutes)
    found = health.examine(made)
    assert isinstance(found, pd.DataFrame)
    return found


def only(found: pd.DataFrame, kind: str) -> pd.Series:
    assert found["kind"].tolist() == [kind], found["evidence"].tolist()
    return found.iloc[0]


@pytest.mark.parametrize("minutes", [60, 15])
@pytest.mark.parametrize("seed", range(1, 6))
def test_healthy_counts_have_no_faults(seed: int, minutes: int) -> None:
    assert faults(counts(seed, minutes), minutes).empty


@pytest.mark.parametrize("minutes", [60, 15])
def test_a_stuck_detector(minutes: int) -> None:
    count = counts(minutes=minutes)
    count[2, FAULT] = 37
    row = only(faults(count, minutes), "stuck")
    assert row["detector"] == "D2"
    assert row["verdict"] == FAULTY
    assert (row["first_day"], row["last_day"]) == (day(FIRST), day(LAST))
    assert row["hours"] == pytest.approx(14 * 24, abs=2)
    assert row["evidence"].startswith("The same count of 37 again and again for 33")


def test_a_lost_quarter_does_not_hide_that_a_detector_is_stuck() -> None:
    count = counts(minutes=15)
    count[2, FAULT] = 37
    count[2, 25, 40] = np.nan
    row = only(faults(count, 15), "stuck")
    assert (row["first_day"], row["last_day"]) == (day(FIRST), day(LAST))


def test_a_detector_stuck_all_the_time_is_found() -> None:
    count = counts()
    count[2] = 37
    row = only(faults(count), "stuck")
    assert (row["first_day"], row["last_day"]) == (day(0), day(69))


def test_small_numbers_by_night_repeat_themselves() -> None:
    count = counts()
    count[:, :, :5] = 1
    assert faults(count).empty


def test_a_queue_that_is_served_evenly_is_not_stuck() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    count = counts(minutes=15)
    served = rng.integers(95, 101, count.shape[1:]).astype(float)
    count[0, :, 28:48] = served[:, 28:48]
    assert faults(count, 15).empty
    count[0, 30, 28:68] = 97
    assert only(faults(count, 15), "stuck")["first_day"] == day(30)


def test_a_lane_served_by_one_or_two_numbers_is_not_stuck() -> None:
    rng = np.random.Generator(np.random.PCG64(9))
    count = counts(minutes=15)
    count[3, :, 28:76] = rng.integers(29, 31, (70, 48))
    assert faults(count, 15).empty


def test_a_street_that_is_nearly_closed_is_not_stuck() -> None:
    count = counts()
    count[2, 30, 6:18] = 1
    assert faults(count).empty


def test_a_detector_without_night_or_day() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    count = counts()
    count[1] = 3600 + rng.integers(-3, 4, count.shape[1:])
    row = only(faults(count), "flat")
    assert row["detector"] == "D1"
    assert row["verdict"] == FAULTY
    assert row["evidence"] == "About 3,600 an hour by night as by day, for 1,680 hours."


@pytest.mark.parametrize("minutes", [60, 15])
def test_a_silent_detector(minutes: int) -> None:
    count = counts(minutes=minutes)
    count[0, FAULT] = 0
    row = only(faults(count, minutes), "zero")
    assert row["detector"] == "D0"
    assert row["verdict"] == FAULTY
    assert (row["first_day"], row["last_day"]) == (day(FIRST), day(LAST))
    assert row["hours"] == pytest.approx(14 * 24, abs=6)


def test_a_detector_is_silent_where_it_usually_counts() -> None:
    count = counts()
    count[:, :, :5] = 0
    assert faults(count).empty
    count[3] = 0
    count[3, :, 8] = 1  # a street that hardly anybody uses
    assert faults(count).empty


def test_a_detector_that_was_always_silent_is_suspect() -> None:
    count = counts()
    count[3] = 0
    row = only(faults(count), "zero")
    assert row["verdict"] == SUSPECT
    assert row["hours"] == 70 * 24
    assert row["evidence"].startswith("It never counted anything")


def test_some_silent_hours_are_suspect_only() -> None:
    count = counts()
    count[0, 24, 9:14] = 0
    row = only(faults(count), "zero")
    assert row["verdict"] == SUSPECT
    assert row["hours"] == 5


def test_a_closed_approach_is_not_called_a_fault() -> None:
    count = counts()
    count[:2, FAULT] = 0
    arms = ["north", "north", "east", "east", "south", "south"]
    found = faults(count, approach=arms, movement=["S", "L"] * 3)
    assert found["detector"].tolist() == ["D1", "D0"]
    assert set(found["kind"]) == {"zero"}
    assert set(found["verdict"]) == {SUSPECT}
    assert found["evidence"].str.contains("Its neighbours count nothing either").all()


def test_a_strike_is_not_called_a_fault() -> None:
    count = counts()
    count[:3, 23:25] = 0
    found = faults(count, mode=["bus"] * 3 + ["car"] * 3)
    assert len(found) == 3
    assert set(found["verdict"]) == {SUSPECT}


def doubled(factor: Callable[[np.ndarray], np.ndarray]) -> pd.Series:
    count = counts(minutes=15)
    count[4, FAULT] = factor(count[4, FAULT])
    return only(faults(count, 15), "doubled")


def test_a_detector_that_counts_everything_twice() -> None:
    row = doubled(lambda own: 2 * own)
    assert row["detector"] == "D4"
    assert row["verdict"] == FAULTY
    assert (row["first_day"], row["last_day"]) == (day(FIRST), day(LAST))
    assert "nearly all counts are even" in row["evidence"]


def test_twice_the_traffic_is_not_twice_the_count() -> None:
    rng = np.random.Generator(np.random.PCG64(4))
    row = doubled(lambda own: own + rng.poisson(own))
    assert row["verdict"] == SUSPECT
    assert "or traffic doubled" in row["evidence"]


def test_a_fault_that_begins_at_noon_is_still_seen_as_doubled() -> None:
    count = counts(minutes=15)
    flat = count[4].reshape(-1)
    flat[FIRST * 96 + 40 : LAST * 96 + 40] *= 2
    row = only(faults(count, 15), "doubled")
    assert row["verdict"] == FAULTY


@pytest.mark.parametrize("minutes", [60, 15])
def test_a_swapped_pair(minutes: int) -> None:
    count = counts(minutes=minutes)
    count[[0, 3], FAULT] = count[[3, 0], FAULT]
    found = faults(count, minutes)
    assert found["detector"].tolist() == ["D0", "D3"]
    assert set(found["kind"]) == {"swapped"}
    assert set(found["verdict"]) == {FAULTY}
    assert set(found["first_day"]) == {day(FIRST)}
    assert set(found["last_day"]) == {day(LAST)}
    assert "usual at D3, and the other way round" in found["evidence"].iloc[0]


def test_one_detector_that_resembles_another_is_not_swapped() -> None:
    count = counts()
    count[3, FAULT] = count[0, FAULT]
    assert "swapped" not in set(faults(count)["kind"])


def test_two_changes_at_once_are_not_swapped() -> None:
    rng = np.random.Generator(np.random.PCG64(10))
    count = counts()
    # Each comes nearer to the other's usual, but to neither.
    count[0, FAULT] = rng.binomial(count[0, FAULT].astype(int), 0.3)
    count[4, FAULT] = rng.poisson(2.8 * count[4, FAULT])
    found = faults(count)
    assert found["kind"].tolist() == ["change", "change"]


def test_a_pair_is_swapped_while_both_follow_the_other() -> None:
    count = counts()
    count[3, FIRST - 7 : FIRST] = count[0, FIRST - 7 : FIRST]
    count[[0, 3], FAULT] = count[[3, 0], FAULT]
    found = faults(count)
    swapped = found[found["kind"] == "swapped"]
    assert set(swapped["first_day"]) == {day(FIRST)}
    assert set(swapped["last_day"]) == {day(LAST)}


def test_pairs_are_of_one_junction() -> None:
    count = counts()
    count[[0, 3], FAULT] = count[[3, 0], FAULT]
    found = faults(count, site=["A", "A", "A", "B", "B", "B"])
    assert "swapped" not in set(found["kind"])


def test_a_junction_whose_clock_is_an_hour_late() -> None:
    count = counts()
    flat = count.reshape(len(count), -1)
    moved = flat[:3, FIRST * 24 : (LAST + 1) * 24]
    flat[:3, FIRST * 24 : (LAST + 1) * 24] = np.roll(moved, 1, axis=1)
    found = faults(count, site=["A", "A", "A", "B", "B", "B"])
    assert found["detector"].tolist() == ["D0", "D1", "D2"]
    assert set(found["kind"]) == {"shifted"}
    assert set(found["verdict"]) == {FAULTY}
    assert set(found["first_day"]) == {day(FIRST)}
    assert set(found["last_day"]) == {day(LAST)}
    assert found["evidence"].str.startswith("The whole junction is one hour late").all()


def test_road_works_are_a_question() -> None:
    rng = np.random.Generator(np.random.PCG64(6))
    count = counts()
    count[2, FAULT] = rng.binomial(count[2, FAULT].astype(int), 0.3)
    row = only(faults(count), "change")
    assert row["detector"] == "D2"
    assert row["verdict"] == ASK
    assert (row["first_day"], row["last_day"]) == (day(FIRST), day(LAST))
    assert row["evidence"].startswith("0.31 times its usual for 14 days; the junction's other")


def test_what_all_feel_is_no_fault() -> None:
    rng = np.random.Generator(np.random.PCG64(7))
    count = counts()
    count[:, FAULT] = rng.binomial(count[:, FAULT].astype(int), 0.4)
    assert faults(count).empty


def test_a_level_without_the_shape_of_the_day_is_suspect() -> None:
    rng = np.random.Generator(np.random.PCG64(8))
    count = counts()
    count[2, FAULT] = rng.poisson(300 * np.roll(streets.WORKING, 10), (14, 24))
    count[2, FAULT] *= 2
    row = only(faults(count), "shape")
    assert row["verdict"] == SUSPECT


def test_a_few_odd_days_are_everyday_life() -> None:
    count = counts()
    count[2, 21:25] = np.round(count[2, 21:25] * 2.5)
    assert faults(count).empty


def test_outages_are_listed_by_their_length() -> None:
    count = counts()
    count[1, 3, 5:9] = np.nan
    count[4, 40:43] = np.nan
    count[:, 27, 2] = np.nan  # the hour that is lacking in spring
    found = faults(count)
    assert found["kind"].tolist() == ["no data"] * 2
    assert found["detector"].tolist() == ["D1", "D4"]
    assert found["hours"].tolist() == [4, 72]
    assert found["last_day"].tolist() == [day(3), day(42)]
    assert found["evidence"].iloc[1] == "Nothing was delivered for 72 hours."


def test_holidays_are_not_compared() -> None:
    count = counts()
    count[2, FAULT] = np.round(count[2, FAULT] * 0.3)
    days = pd.date_range(streets.MONDAY, periods=70)
    free = np.isin(np.arange(70), np.arange(FIRST, LAST + 1))
    calendar = pd.DataFrame({"day": days, "holiday": np.where(free, "bouwvak", None)})
    assert health.examine(streets.cube(count), calendar).empty


def spoilt() -> tuple[np.ndarray, Cube, pd.DataFrame]:
    count = counts()
    count[0, 10:20] = 0
    count[2, FAULT] = np.round(count[2, FAULT] * 0.3)
    count[5, 3, 5:9] = np.nan
    cube = streets.cube(count)
    return count, cube, health.examine(cube)


def test_healthy_leaves_out_faulty_days_and_nothing_else() -> None:
    count, cube, found = spoilt()
    (block,) = health.healthy(cube, found)
    expected = count.copy()
    expected[0, 10:20] = np.nan
    expected[5, 3] = np.nan
    np.testing.assert_array_equal(block.count, expected)
    (before,) = cube
    assert np.isfinite(before.count).sum() == np.isfinite(count).sum()


def test_healthy_counts_are_found_healthy() -> None:
    _, cube, found = spoilt()
    again = health.examine(health.healthy(cube, found))
    assert set(again["kind"]) == {"no data", "change"}


def test_summary_adds_up_by_kind() -> None:
    _, cube, found = spoilt()
    table = health.summary(cube, found).set_index("kind")
    whole = 6 * 70 * 24
    assert table.loc["no data", ["detectors", "hours"]].tolist() == [1, 4]
    assert table.loc["zero", "detectors"] == 1
    assert table.loc["zero", "share"] == pytest.approx(240 / whole, rel=0.03)
    assert table.loc["change", "verdict"] == ASK


def test_nothing_to_say_is_an_empty_table() -> None:
    cube = streets.cube(counts())
    found = health.examine(cube)
    assert list(found.columns) == health.COLUMNS
    assert health.summary(cube, found).empty
    (block,), (before,) = health.healthy(cube, found), cube
    np.testing.assert_array_equal(block.count, before.count)


def test_blocks_are_examined_apart() -> None:
    count = counts()
    count[0, FAULT] = 0
    old = streets.table(count)
    new = streets.table(counts(2, 15), streets.names(6, site="J2"), "2026-01-05", 15)
    cube = cells({COUNTS: pd.concat([old, new])})
    found = health.examine(cube)
    assert only(found, "zero")["site"] == "J1"
    first, second = health.healthy(cube, found)
    assert np.isnan(first.count[0, FAULT]).all()
    assert np.isfinite(second.count).all()


def test_a_detector_that_never_counted_is_one_outage() -> None:
    count = counts()
    count[3] = np.nan
    row = only(faults(count), "no data")
    assert row["hours"] == 70 * 24


def test_gaps_pass_through() -> None:
    gap = Absent("Counts", "Not possible here.")
    assert health.examine(gap) is gap
    assert health.healthy(gap, gap) is gap
    assert health.summary(streets.cube(counts()), gap) is gap


def test_flat_counts_may_differ_as_chance_does() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    count = streets.drawn([300, 400, 500], 12)
    count[0, 30:37] = rng.poisson(120, (7, 24))
    table = health.examine(streets.cube(count))
    row = table[table["kind"] == "flat"].squeeze()
    assert (row["detector"], row["verdict"]) == ("D0", FAULTY)
    first = pd.Timestamp(streets.MONDAY) + pd.Timedelta(days=30)
    assert abs((row["first_day"] - first).days) <= 1 and row["hours"] >= 5 * 24
