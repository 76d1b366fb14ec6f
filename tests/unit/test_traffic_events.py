"""Single hours that are far from the usual, told from chance, from cities and from faults."""

import counted_streets as streets
import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import events, health

FAIR = (0, 37, slice(19, 22))  # detector, day, hours


def found(
    count: np.ndarray, calendar: pd.DataFrame | None = None, **changed: object
) -> events.Events:
    cube = streets.cube(count)
    faults = health.examine(cube, calendar)
    got = events.events(cube, faults, calendar, **changed)
    assert isinstance(got, events.Events)
    assert list(got.table.columns) == events.COLUMNS
    return got


def usual(number: int = 8, weeks: int = 16) -> np.ndarray:
    return streets.drawn([800] * number, weeks)


def test_a_healthy_city_has_as_few_as_are_promised() -> None:
    got = found(streets.drawn(np.linspace(20, 900, 60), 26, seed=3))
    [row] = got.summary.itertuples()
    assert row.weeks_judged == pytest.approx(60 * 26, rel=0.01)
    assert row.by_chance == pytest.approx(row.weeks_judged / 1000)
    assert row.events == len(got.table) <= 4  # of 1.6 expected at most
    more = found(streets.drawn(np.linspace(20, 900, 60), 26, seed=3), rate=500.0)
    assert len(more.table) > 20


@pytest.mark.parametrize("times", [2.5, 0.0])
def test_hours_of_a_fair_or_of_a_closure_are_dated(times: float) -> None:
    count = usual()
    count[FAIR] = np.round(times * count[FAIR])
    row = found(count).table.squeeze()
    assert row["detector"] == "D0"
    assert row["day"] == pd.Timestamp(streets.MONDAY) + pd.Timedelta(days=37)
    assert (row["hour_from"], row["hour_to"]) == (19, 22)
    assert row["times"] == pytest.approx(times, rel=0.25)
    assert row["counted"] == count[FAIR].sum()


def test_what_all_felt_is_nobodys_event() -> None:
    count = usual()
    count[:, 37, 19:22] = np.round(0.2 * count[:, 37, 19:22])
    assert found(count).table.empty
    alone = found(count[:4])  # too few to tell what all felt
    assert set(alone.table["detector"]) == {"D0", "D1", "D2", "D3"}


def test_holidays_and_days_with_a_level_of_their_own_are_not_looked_at() -> None:
    count = usual()
    count[FAIR] = 0
    day = pd.Timestamp(streets.MONDAY) + pd.Timedelta(days=37)
    calendar = pd.DataFrame({"day": [day], "holiday": ["fair"], "school_holiday": ["no"]})
    assert found(count, calendar).table.empty
    lasting = usual()
    lasting[0, 60:81] = np.round(0.35 * lasting[0, 60:81])
    got = found(lasting)
    assert got.table.empty
    assert got.summary["weeks_judged"].iloc[0] < 8 * 16 - 2


def test_a_count_takes_no_part_in_its_own_usual() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    for number in (5, 6, 8, 9):
        weeks = rng.integers(0, 9, (2, number, 7, 24)).astype(float)
        got = events._of_others(weeks, 1)
        for week in range(number):
            others = np.median(np.delete(weeks, week, axis=1), axis=1)
            assert (got[:, week] == others).all()


def test_growth_is_no_event_and_few_weeks_tell_nothing() -> None:
    trend = 1.6 ** (np.arange(7 * 40) / 364)
    rng = np.random.Generator(np.random.PCG64(5))
    count = rng.poisson(streets.drawn([300] * 8, 40) * trend[None, :, None]).astype(float)
    assert len(found(count).table) <= 1  # of .3 expected at most
    assert found(usual(weeks=4)).summary["weeks_judged"].iloc[0] == 0


def test_a_rate_that_promises_nothing_is_refused() -> None:
    cube = streets.cube(usual(2, 6))
    with pytest.raises(DatamallError, match="rate is 0"):
        events.events(cube, health.examine(cube), rate=0)
    lacking = Absent("Counts", "None.")
    assert events.part(events.events(lacking, lacking), "table") is lacking


def test_a_single_day_tells_nothing() -> None:
    got = found(usual(weeks=1)[:, :1])
    assert got.table.empty
    assert got.summary["weeks_judged"].iloc[0] == 0
