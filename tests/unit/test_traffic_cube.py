"""Counts become dense arrays, and sums make up for few detectors but not for many."""

from collections.abc import Callable

import counted_streets as streets
import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic.cube import COUNTS, KEYS, Block, Cube, cells, median
from datamall.traffic.information import totals


def one(cube: Cube) -> Block:
    (block,) = cube
    return block


@pytest.fixture
def rows() -> pd.DataFrame:
    count = np.arange(2 * 3 * 24, dtype=float).reshape(2, 3, 24)
    count[0, 1, 5] = np.nan
    return streets.table(count)


def test_every_count_finds_its_place_in_any_order_of_rows(rows: pd.DataFrame) -> None:
    block = one(cells({COUNTS: rows.sample(frac=1, random_state=3)}))
    assert block.interval == 60
    assert list(block.series["detector"]) == ["D0", "D1"]
    assert list(block.days) == list(pd.date_range(streets.MONDAY, periods=3))
    expected = np.arange(2 * 3 * 24, dtype=float).reshape(2, 3, 24)
    expected[0, 1, 5] = np.nan
    np.testing.assert_array_equal(block.count, expected)
    assert block.label == "2025-03-03 to 2025-03-05, 60 min"


def test_an_interval_counted_in_part_is_not_counted(rows: pd.DataFrame) -> None:
    rows.loc[7, "minutes"] = 45
    assert np.isnan(one(cells({COUNTS: rows})).count[0, 0, 7])


def test_days_without_a_line_are_lost_not_zero(rows: pd.DataFrame) -> None:
    kept = rows[rows["day"] != "2025-03-04"]
    block = one(cells({COUNTS: kept}))
    assert block.count.shape == (2, 3, 24)
    assert np.isnan(block.count[:, 1]).all()
    assert np.isfinite(block.count[:, [0, 2]]).all()


def test_sums_by_the_hour_need_no_minute(rows: pd.DataFrame) -> None:
    first = one(cells({COUNTS: rows}))
    second = one(cells({COUNTS: rows.drop(columns="minute")}))
    np.testing.assert_array_equal(first.count, second.count)


def test_a_missing_column_leaves_a_gap(rows: pd.DataFrame) -> None:
    gap = cells({COUNTS: rows.drop(columns="minutes")})
    assert isinstance(gap, Absent)
    assert "traffic.counts.minutes" in gap.reason


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("hour", 24, "an hour or minute outside the day"),
        ("minute", -1, "an hour or minute outside the day"),
        ("minutes", 25, "Detector D0 counts in intervals of 25 minutes"),
    ],
)
def test_times_that_cannot_be_are_refused(
    rows: pd.DataFrame, column: str, value: int, message: str
) -> None:
    rows[column] = value
    with pytest.raises(DatamallError, match=message):
        cells({COUNTS: rows})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows.head(0), "the store traffic.counts holds no rows"),
        (lambda rows: rows.assign(minutes=0), "no interval of traffic.counts was counted"),
        (lambda rows: rows.assign(count=None), "traffic.counts.count was never filled"),
    ],
)
def test_nothing_counted_is_a_gap(
    rows: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], reason: str
) -> None:
    found = cells({COUNTS: change(rows)})
    assert isinstance(found, Absent)
    assert reason in found.reason


def test_an_interval_twice_is_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(DatamallError, match=r"2 intervals of .* were delivered more"):
        cells({COUNTS: pd.concat([rows, rows.iloc[[3, 60]]])})


def test_a_detector_that_never_counted_is_there_with_nothing(rows: pd.DataFrame) -> None:
    silent = rows["detector"] == "D1"
    rows.loc[silent, "minutes"] = 0
    rows.loc[silent, "count"] = pd.NA
    block = one(cells({COUNTS: rows}))
    assert list(block.series["detector"]) == ["D0", "D1"]
    assert np.isnan(block.count[1]).all()


def test_intervals_and_periods_make_blocks() -> None:
    hours, quarters = np.ones((1, 7, 24)), np.ones((1, 7, 96))
    parts = [
        streets.table(hours, streets.names(1, detector="old"), "2024-01-01"),
        streets.table(hours, streets.names(1, detector="soon after"), "2024-02-07"),
        streets.table(hours, streets.names(1, detector="much later"), "2025-01-01"),
        streets.table(quarters, streets.names(1, detector="fine"), "2025-01-01", minutes=15),
    ]
    blocks = list(cells({COUNTS: pd.concat(parts)}))
    found = [(b.interval, list(b.series["detector"]), len(b.days)) for b in blocks]
    assert found == [(60, ["old", "soon after"], 44), (15, ["fine"], 7), (60, ["much later"], 7)]


def test_an_hour_counts_when_all_its_quarters_do() -> None:
    quarters = np.arange(96, dtype=float).reshape(1, 1, 96)
    quarters[0, 0, 9] = np.nan
    hours = one(streets.cube(quarters, minutes=15).hourly())
    assert hours.interval == 60
    assert np.isnan(hours.count[0, 0, 2])
    assert hours.count[0, 0, 0] == 0 + 1 + 2 + 3
    assert hours.count[0, 0, 23] == 92 + 93 + 94 + 95
    assert one(Cube((hours,)).hourly()) is hours


def test_weeks_begin_on_monday() -> None:
    block = one(streets.cube(np.ones((1, 10, 24)), first="2025-03-06"))  # a Thursday
    weeks = block.weeks(block.count)
    assert weeks.shape == (1, 2, 7, 24)
    assert np.isnan(weeks[0, 0, :3]).all()
    assert np.isfinite(weeks[0, 0, 3:]).all()
    assert np.isfinite(weeks[0, 1, :6]).all()
    assert np.isnan(weeks[0, 1, 6]).all()


def test_the_usual_is_the_median_of_what_was_counted() -> None:
    count = np.ones((1, 28, 24)) * np.array([1, 2, 30, 4]).repeat(7)[None, :, None]
    count[0, 21, 8] = np.nan  # the fourth Monday
    usual = one(streets.cube(count)).usual()
    assert usual.shape == (1, 7, 24)
    assert usual[0, 0, 8] == 2
    assert usual[0, 1, 8] == 3


def test_median_is_that_of_numpy() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    values = rng.integers(0, 9, (4, 7, 5)).astype(float)
    values[rng.random(values.shape) < 0.4] = np.nan
    values[2, :, 3] = 1
    for axis in range(3):
        known = ~np.isnan(values).all(axis=axis)
        expected = np.nanmedian(np.moveaxis(values, axis, -1)[known], axis=-1)
        np.testing.assert_array_equal(median(values, axis)[known], expected)
    assert np.isnan(median(np.full((2, 3), np.nan), axis=1)).all()


@pytest.fixture
def four() -> np.ndarray:
    """Return four weeks of detectors that count 40, 30, 20 and 10 in every hour."""
    return np.ones((4, 28, 24)) * np.array([40.0, 30, 20, 10])[:, None, None]


def sums(count: np.ndarray) -> np.ndarray:
    block = one(streets.cube(count, streets.names(4, approach="north")))
    groups, total = block.sums(["site", "mode"])
    assert groups.to_dict("records") == [{"site": "J1", "mode": "car"}]
    return total[0]


def test_a_sum_of_all_is_the_sum(four: np.ndarray) -> None:
    assert (sums(four) == 100).all()


def test_a_sum_makes_up_for_few(four: np.ndarray) -> None:
    four[3, 2, 5] = np.nan  # a tenth
    four[2, 9, 6] = np.nan  # a fifth
    total = sums(four)
    assert total[2, 5] == pytest.approx(100, rel=1e-4)
    assert total[9, 6] == pytest.approx(100, rel=1e-4)
    assert (total == 100).sum() >= 28 * 24 - 2


def test_a_sum_does_not_make_up_for_many(four: np.ndarray) -> None:
    four[1, 2, 5] = np.nan  # three tenths
    total = sums(four)
    assert np.isnan(total[2, 5])
    assert np.isnan(total).sum() == 1


def test_who_never_counted_is_not_made_up_for(four: np.ndarray) -> None:
    four[0] = np.nan
    assert (sums(four) == 60).all()


def test_groups_come_in_the_order_of_their_names() -> None:
    keys = streets.names(3, site=["B", "A", "B"], mode=["bike", "car", "bike"])
    count = np.ones((3, 7, 24)) * np.array([1.0, 2, 4])[:, None, None]
    groups, total = one(streets.cube(count, keys)).sums(["site", "mode"])
    assert list(groups["site"]) == ["A", "B"]
    assert (total[0] == 2).all()
    assert (total[1] == 5).all()


def test_taking_series_keeps_their_counts() -> None:
    block = one(streets.cube(np.arange(3 * 7 * 24, dtype=float).reshape(3, 7, 24)))
    part = block.take(np.array([False, True, True]))
    assert list(part.series["detector"]) == ["D1", "D2"]
    assert list(part.series.index) == [0, 1]
    np.testing.assert_array_equal(part.count, block.count[1:])
    assert list(part.series.columns) == KEYS


def test_who_sees_the_same_cars_again_is_not_summed(rows: pd.DataFrame) -> None:
    # The same cars at the stop line and, with another detector, sixty metres before it.
    ahead = rows.assign(detector="ahead", role="advance")
    waiting = rows.assign(detector="waiting", role="presence", count=1)
    plain, both = cells({COUNTS: rows}), cells({COUNTS: pd.concat([rows, ahead, waiting])})
    pd.testing.assert_frame_equal(one(both).series, one(plain).series)
    np.testing.assert_array_equal(one(both).count, one(plain).count)
    seen = rows.drop_duplicates(KEYS).groupby("mode").size()
    assert both.again == (2 * seen).to_dict()
    assert (both.hourly().again, plain.again) == (both.again, {})
    told = totals(both)
    assert told["again"].tolist() == [both.again[mode] for mode in told["mode"]]
    assert "again" not in totals(plain)
    alone = cells({COUNTS: ahead})
    assert isinstance(alone, Absent)


def test_an_interval_watched_for_less_than_half_of_it_is_not_counted(rows: pd.DataFrame) -> None:
    watched = np.ones(len(rows))
    watched[[3, 4, 5]] = [0.49, 0.5, np.nan]  # the last was not recorded
    block, plain = (
        one(cells({COUNTS: table})) for table in (rows.assign(completeness=watched), rows)
    )
    lost = np.isfinite(plain.count) & np.isnan(block.count)
    assert lost.sum() == 1
    kept = np.isfinite(block.count)
    np.testing.assert_array_equal(block.count[kept], plain.count[kept])
