"""What was counted, by site: totals, coverage, weekly profiles and periods with their weeks."""

import counted_streets as streets
import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_1samp

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import information
from datamall.traffic.cube import Cube

GAP = Absent("Counts", "Not possible here.")


def levels(*values: float) -> np.ndarray:
    """Return one detector that counts the same in all hours of a week, a value a week."""
    return np.ones((1, 7 * len(values), 24)) * np.repeat(values, 7)[None, :, None]


def holiday(day: str) -> pd.DataFrame:
    days = pd.date_range(streets.MONDAY, periods=60)
    return pd.DataFrame({"day": days, "holiday": np.where(days == day, "Koningsdag", None)})


def test_totals_count_hours_and_passages() -> None:
    count = np.full((2, 7, 96), 3.0)
    count[1, 0, :48] = np.nan
    keys = streets.names(2, mode=["car", "bike"])
    found = information.totals(streets.cube(count, keys, minutes=15)).set_index("mode")
    assert found.loc["car", "passages"] == 3 * 7 * 96
    assert found.loc["bike", "passages"] == 3 * (7 * 96 - 48)
    assert found.loc["bike", "hours"] == 7 * 24 - 12
    assert found.loc["bike", "coverage"] == pytest.approx(13 / 14)
    assert found.loc["car", ["sites", "detectors", "interval"]].tolist() == [1, 1, 15]
    assert found.loc["car", "first_day"] == pd.Timestamp(streets.MONDAY)
    assert found.loc["car", "last_day"] == pd.Timestamp("2025-03-09")


def test_totals_of_two_periods_stay_apart() -> None:
    old, new = streets.table(levels(1)), streets.table(levels(2), first="2026-01-05")
    new["detector"] = "renewed"
    found = information.totals(streets.cells({streets.COUNTS: pd.concat([old, new])}))
    assert found["passages"].tolist() == [168, 336]
    assert found["first_day"].tolist() == [pd.Timestamp(streets.MONDAY), pd.Timestamp("2026-01-05")]


def test_coverage_is_of_the_whole_period_of_all_detectors() -> None:
    count = np.ones((3, 21, 24))
    count[0, :7] = np.nan
    count[1, 10] = np.nan
    keys = streets.names(3, site=["A", "A", "B"])
    found = information.coverage(streets.cube(count, keys)).set_index("site")
    assert found.loc["A", "coverage"] == pytest.approx(1 - 8 / 42)
    assert found.loc["A", ["detectors", "weeks"]].tolist() == [2, 3]
    assert found.loc["B", ["coverage", "weeks"]].tolist() == [1, 3]


def test_coverage_begins_with_the_first_count() -> None:
    count = np.ones((2, 21, 24))
    count[0, :8] = np.nan
    keys = streets.names(2, site=["A", "B"])
    found = information.coverage(streets.cube(count, keys)).set_index("site")
    assert found.loc["A", "first_day"] == pd.Timestamp("2025-03-11")
    assert found.loc["A", "weeks"] == 2
    assert found.loc["A", "coverage"] == 1


def test_a_profile_is_the_mean_over_weeks_with_its_t_interval() -> None:
    values = np.array([10.0, 14, 12, 40])
    found = information.profiles(streets.cube(levels(*values)), 0.9)
    assert len(found) == 7 * 24
    row = found[(found["weekday"] == 3) & (found["hour"] == 8)].iloc[0]
    expected = ttest_1samp(values, 0).confidence_interval(0.9)
    assert row["mean"] == pytest.approx(19)
    assert row["high"] == pytest.approx(expected.high)
    assert row["low"] == pytest.approx(expected.low)
    assert row["weeks"] == 4


def test_no_interval_reaches_below_nothing() -> None:
    found = information.profiles(streets.cube(levels(0, 0, 9)), 0.95)
    assert (found["low"] == 0).all()
    assert (found["high"] > 9).all()


def test_a_profile_sums_the_approaches() -> None:
    count = np.concatenate([levels(10, 20), levels(1, 2)])
    assert (information.profiles(streets.cube(count), 0.9)["mean"] == 16.5).all()


def test_a_single_week_has_no_interval() -> None:
    found = information.profiles(streets.cube(levels(5)), 0.9)
    assert (found["mean"] == 5).all()
    assert found["low"].isna().all()
    assert found["high"].isna().all()


def test_hours_never_counted_are_left_out() -> None:
    count = levels(5, 6)
    count[0, [2, 9], 3] = np.nan
    found = information.profiles(streets.cube(count), 0.9)
    assert len(found) == 7 * 24 - 1
    assert not ((found["weekday"] == 3) & (found["hour"] == 3)).any()


def test_holidays_are_no_part_of_the_profile() -> None:
    count = levels(10, 10, 10)
    count[0, 7] = 1000  # the second Monday
    cube = streets.cube(count)
    monday = information.profiles(cube, 0.9).query("weekday == 1")
    assert (monday["mean"] == 340).all()
    monday = information.profiles(cube, 0.9, holiday("2025-03-10")).query("weekday == 1")
    assert (monday["mean"] == 10).all()
    assert (monday["weeks"] == 2).all()


def test_periods_of_the_day_are_those_of_dutch_counts() -> None:
    names = list(information.PERIODS)
    hours = [len(own) for own in information.PERIODS.values()]
    assert dict(zip(names, hours, strict=True)) == {
        "morning peak (ochtendspits)": 3,
        "evening peak (avondspits)": 3,
        "day (dagperiode)": 12,
        "evening (avondperiode)": 4,
        "night (nacht)": 8,
        "24 hours (etmaal)": 24,
    }
    day, evening, night = (set(information.PERIODS[name]) for name in names[2:5])
    assert day | evening | night == set(range(24))


def test_periods_sum_hours_and_average_weekdays() -> None:
    count = levels(10, 14)
    count[0, 5::7] = 1  # Saturdays
    found = information.periods(streets.cube(count), 0.9)
    found = found.set_index(["days", "period"])
    whole = "24 hours (etmaal)"
    assert found.loc[(information.WORKING_DAY, whole), "mean"] == 24 * 12
    assert found.loc[(information.MEAN_DAY, whole), "mean"] == pytest.approx(24 * (6 * 12 + 1) / 7)
    assert found.loc[(information.WORKING_DAY, "night (nacht)"), "mean"] == 8 * 12
    row = found.loc[(information.WORKING_DAY, whole)]
    width = t.ppf(0.95, 1) * np.std([240, 336], ddof=1) / np.sqrt(2)
    assert row["high"] - row["mean"] == pytest.approx(width)
    assert row["weeks"] == 2
    assert list(found.index.get_level_values("days").unique()) == [
        information.MEAN_DAY,
        information.WORKING_DAY,
    ]


def test_a_weekday_counted_less_often_weighs_the_same() -> None:
    count = levels(10, 10, 10, 10)
    count[0, 1::7] = 80  # Tuesdays
    count[0, [1, 8]] = np.nan
    found = information.periods(streets.cube(count), 0.9).set_index(["days", "period"])
    mean = found.loc[(information.WORKING_DAY, "24 hours (etmaal)"), "mean"]
    assert mean == pytest.approx(24 * (4 * 10 + 80) / 5)


def test_a_weekday_never_counted_leaves_the_mean_unknown() -> None:
    count = levels(10, 10)
    count[0, 6::7] = np.nan  # Sundays
    found = information.periods(streets.cube(count), 0.9)
    assert set(found["days"]) == {information.WORKING_DAY}


def test_holidays_are_periods_of_their_own() -> None:
    count = levels(10, 10, 10)
    count[0, 7] = 2
    found = information.periods(streets.cube(count), 0.9, holiday("2025-03-10"))
    found = found.set_index(["days", "period"])
    whole = "24 hours (etmaal)"
    assert found.loc[("holiday", whole), "mean"] == 48
    assert found.loc[("holiday", whole), "weeks"] == 1
    assert np.isnan(found.loc[("holiday", whole), "high"])
    assert found.loc[(information.WORKING_DAY, whole), "mean"] == 240


def test_a_calendar_without_holidays_names_none() -> None:
    days = pd.date_range("2025-01-01", periods=3)
    assert not information.holidays(days, None).any()
    assert not information.holidays(days, pd.DataFrame({"day": days})).any()
    table = pd.DataFrame({"day": days, "holiday": ["Nieuwjaarsdag", None, None]})
    assert information.holidays(days, table).tolist() == [True, False, False]


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -0.1])
def test_a_level_beyond_0_to_1_is_refused(confidence: float) -> None:
    with pytest.raises(DatamallError, match="set it between 0 and 1"):
        information.profiles(streets.cube(levels(1)), confidence)


def test_gaps_pass_through() -> None:
    assert information.totals(GAP) is GAP
    assert information.coverage(GAP) is GAP
    assert information.profiles(GAP, 0.9) is GAP
    assert information.periods(GAP, 0.9) is GAP


def test_quarters_are_summed_to_hours() -> None:
    quarters = np.full((1, 14, 96), 2.0)
    quarters[0, :, 4] = np.nan
    found = information.profiles(streets.cube(quarters, minutes=15), 0.9)
    assert (found["mean"] == 8).all()
    assert set(found["hour"]) == set(range(24)) - {1}
    assert isinstance(streets.cube(quarters, minutes=15), Cube)
