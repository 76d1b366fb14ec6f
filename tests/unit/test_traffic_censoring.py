"""A queue is told from a busy hour, with and without a known capacity."""

import counted_streets as streets
import numpy as np
import pandas as pd
import pytest

from datamall.requirements import Absent
from datamall.traffic import capacity, censoring
from datamall.traffic.cube import Cube

UNKNOWN = Absent("Capacity", "Not possible here.")
LIMIT = 100  # cars in a quarter


def quarters(peak: float = 600.0, weeks: int = 12, seed: int = 1) -> np.ndarray:
    return streets.drawn([peak, 300], weeks=weeks, minutes=15, seed=seed)


def queued(weeks: int = 12, days: int | None = None, seed: int = 1) -> np.ndarray:
    """Return counts of which the first detector's stop at the limit, on the first days or all."""
    rng = np.random.Generator(np.random.PCG64(seed))
    count = quarters(600, weeks, seed)
    able = rng.integers(95, LIMIT + 1, count.shape[1:]).astype(float)
    served = np.minimum(count[0], able)
    if days is None:
        days = len(served)
    count[0] = rng.binomial(count[0].astype(int), 0.5)
    count[0, :days] = served[:days]
    return count


def known(*values: float) -> pd.DataFrame:
    keys = streets.names(len(values))
    return keys[["site", "approach", "movement"]].assign(capacity=values)


def found(count: np.ndarray, capacities: pd.DataFrame | Absent, minutes: int = 15) -> pd.DataFrame:
    table = censoring.plateaus(streets.cube(count, minutes=minutes), capacities)
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == censoring.COLUMNS
    return table


@pytest.mark.parametrize("capacities", [known(400, 500), UNKNOWN])
def test_a_queue_is_found_with_and_without_the_capacity(
    capacities: pd.DataFrame | Absent,
) -> None:
    table = found(queued(), capacities).set_index("approach")
    row = table.loc[["arm 0"]]
    assert set(row["verdict"]) == {capacity.CUT_OFF}
    assert set(row["demand"]) == {capacity.UNKNOWN_DEMAND}
    assert set(row["ceiling"]) == {4 * LIMIT}
    stretches = zip(row["hour_from"], row["hour_to"], strict=True)
    hours = {hour for first, last in stretches for hour in range(first, last)}
    # Demand is 480 to 600 an hour there, at most 360 from 10 to 13 h and 300 from 19 h.
    assert {7, 8, 16, 17, 18} <= hours <= {7, 8, 9, 13, 14, 15, 16, 17, 18, 19}
    assert row["days"].max() > 50
    assert set(row["of_days"]) == {60}
    other = table.loc["arm 1"]
    assert other["verdict"] == censoring.NOT_CUT_OFF
    assert other["demand"] == ""


def test_what_is_said_is_weaker_without_the_capacity() -> None:
    evidence = found(queued(), UNKNOWN)["evidence"].iloc[0]
    assert "the capacity is not known, so that only the plateau tells" in evidence
    assert found(queued(), known(400, 500))["evidence"].iloc[0].endswith("; capacity 400.")


@pytest.mark.parametrize("seed", range(8))
def test_a_busy_street_without_a_queue_is_not_cut_off(seed: int) -> None:
    table = found(quarters(1200, seed=seed), known(2000, 600))
    assert (table["verdict"] == censoring.NOT_CUT_OFF).all()
    assert (table["demand"] == "").all()
    table = found(quarters(1200, seed=seed), UNKNOWN)
    assert capacity.CUT_OFF not in set(table["verdict"])


def test_days_that_differ_more_than_a_queue_refute_a_ceiling_without_a_capacity() -> None:
    none = 0
    for seed in range(8):
        row = found(quarters(150, seed=seed), UNKNOWN).set_index("approach").loc["arm 0"]
        words = {
            censoring.NOT_CUT_OFF: "its busiest days differ more than a queue does.",
            censoring.NOT_ENOUGH: "a shorter ceiling on some days cannot be told.",
        }
        assert row["evidence"].endswith(words[row["verdict"]])
        none += row["verdict"] == censoring.NOT_CUT_OFF
    assert none >= 4


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("minutes", [15, 30, 45])
def test_a_short_ceiling_on_some_days_is_never_said_to_be_none(minutes: int, share: float) -> None:
    rng = np.random.Generator(np.random.PCG64(4))
    count = np.minimum(quarters(300, seed=2), LIMIT)
    working = np.flatnonzero(np.arange(count.shape[1]) % 7 < 5)
    days = rng.permutation(working)[: int(share * len(working))]
    for slot in range(68, 68 + minutes // 15):
        count[0, days, slot] = rng.integers(97, LIMIT + 1, len(days))
    for capacities in (UNKNOWN, known(4 * LIMIT, 500)):
        table = found(count, capacities)
        own = table[table["approach"] == "arm 0"]
        assert set(own["verdict"]) == {censoring.NOT_ENOUGH}


def test_junctions_of_which_no_capacity_is_known_are_looked_at_all_the_same() -> None:
    other = known(400).assign(site="J9")
    assert set(found(queued(), other)["capacity"].isna()) == {True}


def test_a_flow_without_noise_of_its_own_is_not_told_from_a_queue() -> None:
    row = found(quarters(40_000), UNKNOWN).iloc[0]
    assert row["days"] > 0.2 * row["of_days"]
    assert row["verdict"] == censoring.NOT_ENOUGH
    assert "by chance it may be on" in row["evidence"]


def test_a_flow_just_below_capacity_is_not_cut_off() -> None:
    count = quarters(380)
    table = found(count, known(400, 500)).set_index("approach")
    assert (table.loc[["arm 0"], "verdict"] != capacity.CUT_OFF).all()


def test_a_queue_on_few_days_is_no_habit() -> None:
    table = found(queued(days=3), UNKNOWN)
    assert capacity.CUT_OFF not in set(table["verdict"])


def test_too_few_days_are_not_enough() -> None:
    table = found(queued(weeks=3), known(400, 500)).set_index("approach")
    row = table.loc[["arm 0"]]
    assert set(row["verdict"]) == {censoring.NOT_ENOUGH}
    assert row["evidence"].str.endswith("; capacity 400; too few days.").all()


def test_a_ceiling_far_from_the_capacity_is_not_that_of_the_signal() -> None:
    row = found(queued(), known(900, 500)).set_index("approach").loc[["arm 0"]]
    assert set(row["verdict"]) == {censoring.NOT_ENOUGH}
    assert row["evidence"].str.contains("this ceiling is not that of the signal").all()


def test_capacity_holds_for_the_movements_counted_apart() -> None:
    count = queued()
    # The queue of the lane group is known by its sum alone.
    straight = np.random.Generator(np.random.PCG64(3)).binomial(count[0].astype(int), 0.7)
    parts = np.stack([straight, count[0] - straight])
    keys = streets.names(2, approach="north", movement=["S", "R"])
    lane_group = pd.DataFrame(
        {"site": ["J1"], "approach": ["north"], "movement": ["SR"], "capacity": [400.0]}
    )
    cube = streets.cube(parts, keys, minutes=15)
    table = censoring.plateaus(cube, lane_group)
    assert set(table["movement"]) == {"SR"}
    assert set(table["verdict"]) == {capacity.CUT_OFF}
    assert capacity.CUT_OFF not in set(censoring.plateaus(cube, UNKNOWN)["verdict"])


def test_hours_tell_a_queue_of_three_hours() -> None:
    hours = queued().reshape(2, -1, 24, 4).sum(axis=3)
    row = found(hours, UNKNOWN, minutes=60).set_index("approach").loc[["arm 0"]]
    evening = row[(row["hour_from"] <= 16) & (row["hour_to"] >= 19)]
    assert evening["verdict"].tolist() == [capacity.CUT_OFF]


def test_hours_hide_short_ceilings() -> None:
    hours = quarters().reshape(2, -1, 24, 4).sum(axis=3)
    table = found(hours, UNKNOWN, minutes=60)
    assert set(table["verdict"]) == {censoring.NOT_ENOUGH}
    assert table["evidence"].str.contains("counts by the hour hide a ceiling").all()


def test_hours_tell_who_is_far_below_capacity() -> None:
    hours = quarters(200).reshape(2, -1, 24, 4).sum(axis=3)
    table = found(hours, known(900, 900), minutes=60)
    assert set(table["verdict"]) == {censoring.NOT_CUT_OFF}


def test_hours_lost_to_faults_are_no_days_without_a_queue() -> None:
    count = queued()
    count[0, ::2] = np.nan
    row = found(count, known(400, 500)).set_index("approach").loc[["arm 0"]]
    assert set(row["verdict"]) == {capacity.CUT_OFF}
    assert set(row["of_days"]) == {30}


def test_small_numbers_have_no_ceiling() -> None:
    count = np.minimum(quarters(60), 8)
    table = found(count[:1], UNKNOWN)
    assert capacity.CUT_OFF not in set(table["verdict"])


def test_nothing_at_all_is_no_plateau() -> None:
    row = found(np.zeros((1, 70, 96)), UNKNOWN).iloc[0]
    assert row["days"] == 0
    assert row["verdict"] != capacity.CUT_OFF


def test_what_was_never_counted_is_left_out() -> None:
    count = queued()
    count[1] = np.nan
    assert set(found(count, UNKNOWN)["approach"]) == {"arm 0"}


def test_only_cars_queue_here() -> None:
    bikes = streets.cube(queued(), streets.names(2, mode="bike"), minutes=15)
    gap = censoring.plateaus(bikes, UNKNOWN)
    assert isinstance(gap, Absent)
    assert gap.reason == "Not possible here: no cars were counted."


def test_gaps_pass_through() -> None:
    gap = Absent("Counts", "Not possible here.")
    assert censoring.plateaus(gap, known(1)) is gap
    assert isinstance(streets.cube(queued(), minutes=15), Cube)
