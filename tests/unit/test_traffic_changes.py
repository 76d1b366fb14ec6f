"""A road that changed is told from growth, holidays, a wild week and the whole city's mood."""

import numpy as np
import ordinary_city as city
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import changes

NORTH = 1


def found(count: np.ndarray, calendar: pd.DataFrame | None = None) -> pd.DataFrame:
    table = changes.changes(city.city(count), calendar)
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == changes.COLUMNS
    return table[table["site"] == "2"]


def day(count: np.ndarray, number: int) -> pd.Timestamp:
    return city.FIRST + pd.Timedelta(days=number + 84 - count.shape[1])


@pytest.mark.parametrize("seed", range(20))
def test_weeks_that_differ_by_chance_are_no_change(seed: int) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    count = city.counts(40, (60, 900, 300, 30), seed=seed)
    weekly = np.exp(0.08 * rng.standard_normal(40)).repeat(7)
    assert found(rng.poisson(count * weekly[:, None]).astype(float)).empty


def test_weeks_that_resemble_each_other_are_seldom_a_change() -> None:
    false = 0
    for seed in range(10):
        rng = np.random.Generator(np.random.PCG64(seed))
        lasting = rng.standard_normal((4, 40))
        for week in range(1, 40):
            lasting[:, week] = 0.5 * lasting[:, week - 1] + np.sqrt(0.75) * lasting[:, week]
        level = np.exp(0.12 * lasting).repeat(7, axis=1)[..., None]
        count = rng.poisson(city.counts(40, seed=seed) * level).astype(float)
        false += found(count)["approach"].nunique()
    assert false <= 2  # of 40 approaches, each 40 weeks


@pytest.mark.parametrize(("number", "factor"), [(100, 0.6), (142, 1.6), (164, 0.0), (200, 1.4)])
def test_a_jump_is_dated_and_measured(number: int, factor: float) -> None:
    count = city.counts(40)
    count[NORTH, number:] = np.round(count[NORTH, number:] * factor)
    row = found(count).squeeze()
    assert row["approach"] == "N"
    assert abs(row["since"] - day(count, number)) <= pd.Timedelta(days=3)
    assert row["last_day"] == row["since"] - pd.Timedelta(days=1)
    if factor:
        assert row[["morning", "evening", "other"]].tolist() == pytest.approx([factor] * 3, rel=0.1)


def test_a_change_of_one_peak_alone_is_one_of_shape() -> None:
    count = city.counts(40)
    count[NORTH, 140:, 28:40] = np.round(count[NORTH, 140:, 28:40] * 0.5)
    row = found(count).squeeze()
    assert row["morning"] == pytest.approx(0.5, rel=0.1)
    assert row["evening"] == pytest.approx(1, rel=0.05)


def test_a_wild_week_a_season_and_growth_are_none() -> None:
    count = city.counts(60)
    count[:, 140:147] = np.round(count[:, 140:147] * 0.3)
    assert found(count).empty
    rng = np.random.Generator(np.random.PCG64(2))
    season = 1 + 0.15 * np.sin(np.arange(420) * 2 * np.pi / 364)
    growth = 1.5 ** (np.arange(420) / 364)
    slow = rng.poisson(city.counts(60) * (season * growth)[:, None]).astype(float)
    assert found(slow).empty


def test_school_holidays_tell_nothing_of_the_road() -> None:
    count = city.counts(40)
    count[:, 140:182] = np.round(count[:, 140:182] * 0.6)
    assert len(found(count)) == 4
    days = pd.date_range(day(count, 0), periods=280)
    off = (np.arange(280) >= 140) & (np.arange(280) < 182)
    school = np.where(off, "yes", "no")
    calendar = pd.DataFrame({"day": days, "holiday": None, "school_holiday": school})
    assert found(count, calendar).empty


def test_what_the_whole_city_felt_is_no_change_of_a_road() -> None:
    keys = pd.concat([city.keys(str(site)) for site in range(2, 8)])
    all_ = np.concatenate([city.counts(40, seed=site) for site in range(2, 8)])
    dip = all_.copy()
    dip[:, 245:] = np.round(dip[:, 245:] * 0.6)  # the last five weeks, as before a summer ends
    assert changes.changes(city.city(dip, second_keys=keys)).empty
    # What lasts longer is a change of each road; the first junction's has none.
    all_[:, 140:] = np.round(all_[:, 140:] * 0.6)
    table = changes.changes(city.city(all_, second_keys=keys))
    assert set(table["site"]) == set("234567")


def test_days_of_another_pattern_are_set_aside_for_the_whole_junction() -> None:
    count = city.counts(40)
    count[NORTH, :140] = np.round(count[NORTH, :140] * 0.5)
    cube = city.city(count)
    [block] = changes.now(cube, changes.changes(cube))
    assert block.aside is not None
    site = (block.series["site"] == "2").to_numpy()
    assert block.aside[site, :140].all()
    assert not block.aside[site, 140:].any()
    assert not block.aside[~site].any()
    assert np.isnan(block.count[site, :140]).all()
    assert np.isfinite(block.count[site, 140:]).all()


def test_latest_weeks_and_named_days_alone_count() -> None:
    cube = city.city(city.counts())
    none = changes.changes(cube)
    [block] = changes.now(cube, none, weeks=4, leave_out="2025-03-10 to 2025-03-12; 2025-03-20")
    out = {pd.Timestamp(f"2025-03-{number}") for number in (10, 11, 12, 20)}
    assert block.aside is not None
    for number, date in enumerate(block.days):
        assert block.aside[:, number].all() == (date < pd.Timestamp("2025-03-03") or date in out)


@pytest.mark.parametrize("text", ["May", "2025-05-21 to 2025-05-05", "2025-05-05 to", "05-05-2025"])
def test_days_that_are_none_are_refused(text: str) -> None:
    cube = city.city(city.counts())
    with pytest.raises(DatamallError, match="leave_out has"):
        changes.now(cube, changes.changes(cube), leave_out=text)


def test_too_short_counts_have_no_change_and_gaps_pass() -> None:
    count = city.counts(3)
    count[NORTH, 10:] = 0
    assert found(count).empty
    gap = Absent("Counts", "Not possible here.")
    assert changes.changes(gap) is gap
    assert changes.now(gap, gap) is gap
    assert changes.said(None) == {}
