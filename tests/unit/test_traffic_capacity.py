"""Volume against capacity by hand, with what is cut off named."""

import numpy as np
import pandas as pd
import pytest
from signal_cases import NO_CUT, cars, cut_off, volumes

from datamall.traffic import capacity, signals


def by_group(table: pd.DataFrame, peak: str = "evening") -> pd.DataFrame:
    return table[table["peak"] == peak].set_index("approach")


def test_ratio_delay_and_level_by_hand() -> None:
    north = by_group(capacity.ratios(volumes(), NO_CUT, 0.9, 0.9)).loc["north"]
    assert north["ratio"] == pytest.approx(600 / 1000)
    assert (north["low"], north["high"]) == pytest.approx((0.6, 0.6))
    delay = signals.control_delay(600, 1000, 0.5, 60).total
    assert north["delay"] == pytest.approx(delay)
    assert north["level"] == "B"
    assert (north["days"], north["coverage"], north["hour"]) == (20, 1, "16:00")
    assert north["peak_hour_factor"] == pytest.approx(1)


def test_verdicts_follow_from_the_whole_interval() -> None:
    weeks = np.repeat([1, -1, 1, -1], 7)
    flow = cars(north=950 + 5 * weeks, south=600, east=495 + 30 * weeks)
    table = by_group(capacity.ratios(volumes(flow), NO_CUT, 0.9, 0.9))
    verdicts = table["verdict"].to_dict()
    assert verdicts == {
        "north": "crowded",
        "south": "not crowded",
        "east": "not enough evidence",
    }


def test_intervals_hold_together_and_widen_with_confidence() -> None:
    flow = cars(north=600 + 60 * np.repeat([1, -1, 1, -1], 7))
    [narrow, wide] = [
        by_group(capacity.ratios(volumes(flow), NO_CUT, level, 0.9)).loc["north"]
        for level in (0.5, 0.9)
    ]
    assert 0 < narrow["high"] - narrow["low"] < wide["high"] - wide["low"]


def test_where_demand_is_cut_off_it_is_said_and_the_level_is_the_best_possible() -> None:
    table = capacity.ratios(volumes(cars(north=850)), cut_off("north"), 0.9, 0.9)
    evening, morning = (by_group(table, peak).loc["north"] for peak in ("evening", "morning"))
    assert evening["verdict"] == "at capacity"
    assert evening["demand"] == capacity.UNKNOWN_DEMAND
    assert evening["level"] == morning["level"] + " or worse"
    assert morning["demand"] == ""
    assert table.loc[table["approach"] == "south", "demand"].eq("").all()


@pytest.mark.parametrize(("first", "last", "hit"), [(15, 16, False), (18, 20, True), (6, 8, False)])
def test_a_plateau_counts_in_the_peak_it_overlaps(first: int, last: int, hit: bool) -> None:
    [own] = volumes()
    cut = capacity.cut_off(own, cut_off("east", first, last))
    assert cut[:, 1].tolist() == [hit, False, False]


def test_hours_hide_the_busiest_quarter() -> None:
    table = capacity.ratios(volumes(minutes=60), NO_CUT, 0.9, 0.9)
    assert table["peak_hour_factor"].isna().all()
    assert by_group(table).loc["north", "ratio"] == pytest.approx(0.6)


def test_levels_count_days_and_need_all_lane_groups() -> None:
    # On one working day the north is above capacity, on five the east was not counted.
    north, east = np.full(28, 600.0), np.full(28, 300.0)
    north[[2, 22]], east[21:] = 1100, np.nan  # the second one is not counted in full
    table = capacity.levels(volumes(cars(north=north, east=east)), NO_CUT)
    row = table[table["peak"] == "morning"].iloc[0]
    assert row["days"] == 15
    assert row["above"] == pytest.approx(1 / 15)
    assert row[["A", "B", "C", "D", "E", "F"]].sum() == pytest.approx(1)
    assert row["B"] == pytest.approx(14 / 15)
    one = signals.control_delay([300, 600, 400], [550, 1000, 1000], [22 / 60, 0.5, 0.5], 60).total
    assert row["delay"] == pytest.approx(np.average(one, weights=[300, 600, 400]))
    assert row["usual"] == "B"


def test_a_capacity_that_the_counts_refute_has_no_level() -> None:
    above = cut_off("north").assign(verdict=capacity.ABOVE, ceiling=1400.0, queue=False)
    table = capacity.levels(volumes(), above)
    assert (table["demand"] == capacity.WRONG_CAPACITY).all()
    assert (table["usual"] == signals.UNKNOWN).all()
    assert table[["delay", "A", "B", "C", "D", "E", "F", "above"]].isna().all(axis=None)
    assert (table["days"] == 20).all()
    assert capacity.levels(volumes(), NO_CUT)["delay"].notna().all()
