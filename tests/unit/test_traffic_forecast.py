"""The model speaks only where it has beaten the median, and nothing looks ahead."""

import counted_streets as streets
import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import forecast
from datamall.traffic import forecast_judging as judging
from datamall.traffic import forecast_models as models
from datamall.traffic.cube import Block, Cube


def made(
    count: np.ndarray, calendar: pd.DataFrame | None = None, **keys: object
) -> forecast.Forecasts:
    cube = streets.cube(count, streets.names(len(count), **keys))
    result = forecast.forecasts(cube, 0.9, calendar)
    assert isinstance(result, forecast.Forecasts)
    return result


def noisy(weeks: int = 30, seed: int = 1) -> np.ndarray:
    return streets.drawn([400.0], weeks=weeks, seed=seed)


def growing(weeks: int = 30) -> np.ndarray:
    """Return counts that grow by a twentieth a week, which a median of weeks lags behind."""
    rng = np.random.Generator(np.random.PCG64(2))
    return rng.poisson(noisy(weeks) * np.repeat(1.05 ** np.arange(weeks), 7)[None, :, None]) * 1.0


# The gate


def gate(apart: np.ndarray, modes: list[str] | None = None, start: int = 0) -> np.ndarray:
    """Return the choices where the model's error is 1 plus these, and the median's is 1."""
    error = np.stack([np.ones_like(apart), 1 + apart])
    return judging.chosen(error, np.array(modes or ["car"] * len(apart)), start)


def wobble(rows: int, weeks: int, mean: float) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(3))
    return mean + 0.02 * rng.standard_normal((rows, weeks))


def test_a_model_that_wins_is_chosen_from_the_eighth_week_on() -> None:
    use = gate(wobble(3, 20, -0.1))
    assert use.shape == (3, 21)
    assert not use[:, :8].any()
    assert use[:, 8:].all()


def test_a_model_that_loses_is_refused() -> None:
    assert not gate(wobble(3, 20, 0.1)).any()


def test_a_model_that_is_no_better_is_refused_nearly_always() -> None:
    assert gate(wobble(40, 50, 0.0)).mean() < 0.1


def test_one_site_where_the_model_loses_keeps_the_median() -> None:
    apart = wobble(5, 20, -0.1)
    apart[2] += 0.2
    use = gate(apart)
    assert not use[2].any()
    assert use[[0, 1, 3, 4], 8:].all()


def test_a_site_that_wins_alone_is_not_believed() -> None:
    apart = wobble(5, 20, 0.1)
    apart[2] -= 0.2
    assert not gate(apart).any()


def test_modes_are_judged_apart() -> None:
    apart = wobble(4, 20, 0.1)
    apart[:2] -= 0.2
    use = gate(apart, ["bike", "bike", "car", "car"])
    assert use[:2, 8:].all()
    assert not use[2:].any()


def test_the_choice_for_a_week_knows_only_the_weeks_before() -> None:
    apart = wobble(3, 20, -0.1)
    changed = apart.copy()
    changed[:, 12:] = 5
    np.testing.assert_array_equal(gate(apart)[:, :13], gate(changed)[:, :13])
    assert not gate(changed)[:, 20].any()


def test_one_broken_week_does_not_decide() -> None:
    apart = wobble(3, 30, -0.1)
    apart[:, 5] = -500
    steady = wobble(3, 30, 0.1)
    steady[:, 5] = -500
    assert gate(apart)[:, -1].all()
    assert not gate(steady)[:, -1].any()


def test_untested_weeks_are_no_witnesses() -> None:
    apart = wobble(3, 20, -0.1)
    apart[:, ::2] = np.nan
    use = gate(apart)
    assert not use[:, :16].any()
    assert use[:, 16:].all()


# The whole


def test_the_model_is_published_where_it_beats_the_median() -> None:
    result = made(streets.drawn([400, 250], weeks=60, seed=5), site=["A", "B"])
    site = result.by_site.iloc[0]
    assert site["mase_gated"] < site["mase_median"]
    assert site["method"] == models.MODEL
    assert site["why"].startswith("the model beat the median")
    assert set(result.week["method"]) == {models.MODEL}
    assert (result.week["expected"] != result.week["median"]).mean() > 0.9
    assert 0.5 < site["model_used"] < 1


def test_the_trend_is_published_where_it_beats_both() -> None:
    result = made(growing())
    site = result.by_site.iloc[0]
    assert site["mase_gated"] < site["mase_model"] < site["mase_median"]
    assert site["mase_trend"] < 0.8 * site["mase_median"]
    assert site["method"] == models.TREND
    assert site["why"].startswith("the level grows or falls")
    assert set(result.week["method"]) == {models.TREND}


def test_one_road_that_grows_is_followed_among_roads_that_do_not() -> None:
    count = streets.drawn([400] * 6, weeks=60, seed=6)
    rng = np.random.Generator(np.random.PCG64(7))
    count[2] = rng.poisson(count[2] * np.repeat(1.01 ** np.arange(60), 7)[:, None])
    sites = made(count, site=list("ABCDEF")).by_site.set_index("site")
    assert sites.index[sites["method"] == models.TREND].tolist() == ["C"]


def test_noise_is_no_trend() -> None:
    lag = 0.02 * np.random.Generator(np.random.PCG64(8)).standard_normal((2000, 26))
    factor = models._trend(lag)
    assert (factor == 1).mean() > 0.8
    steady = models._trend(lag + 0.05)
    assert np.median(steady) == pytest.approx(np.exp(0.05), rel=0.01)
    assert (models._trend(lag[:, :7] + 0.05) == 1).all()  # seven weeks are too few


def test_the_median_is_published_where_the_model_does_not() -> None:
    # Two kinds of weeks in turn: their median is right on average, the last weeks mislead.
    count = noisy(40)
    count *= np.repeat(np.tile([1.0, 1.0, 1.6, 1.6], 10), 7)[None, :, None]
    result = made(np.round(count))
    site = result.by_site.iloc[0]
    assert site["mase_model"] > site["mase_median"]
    assert site["mase_gated"] == site["mase_median"]
    assert site["method"] == models.BASELINE
    assert result.week["expected"].equals(result.week["median"])
    assert site["why"].startswith("the model did not beat the median")
    assert site["model_used"] == 0


def test_few_weeks_are_said_to_be_few() -> None:
    site = made(noisy(8)).by_site.iloc[0]
    assert site["origins"] == 6
    assert site["method"] == models.BASELINE
    assert site["why"] == "fewer than 8 weeks could be tested: the median stays"


def test_the_median_is_that_of_up_to_eight_weeks() -> None:
    count = noisy(9)
    week = made(count).week
    assert set(week["method"]) == {models.BASELINE}
    expected = np.median(count.reshape(9, 7, 24)[-8:], axis=0)
    np.testing.assert_allclose(week["expected"], expected.ravel())
    assert list(week["day"].unique()) == list(pd.date_range("2025-05-05", periods=7))
    assert (week["low"] <= week["expected"]).all()
    assert (week["expected"] <= week["high"]).all()


def test_the_error_is_scaled_as_published() -> None:
    # Hyndman and Koehler 2006: mean absolute error by that of the seasonal naive in the past.
    weeks = noisy(12).reshape(12, 168)
    scaled = []
    for origin in range(2, 12):
        expected = np.median(weeks[max(0, origin - 8) : origin], axis=0)
        scale = np.abs(weeks[1:origin] - weeks[: origin - 1]).mean()
        scaled.append(np.abs(weeks[origin] - expected).mean() / scale)
    result = made(weeks.reshape(1, 84, 24))
    assert result.by_site["mase_median"].iloc[0] == pytest.approx(np.mean(scaled), rel=1e-6)
    assert result.scores["mase_median"].iloc[0] == pytest.approx(np.mean(scaled), rel=1e-6)


def run(count: np.ndarray, calendar: pd.DataFrame | None = None) -> models.Run:
    (block,) = streets.cube(count)
    found = models.run(block, calendar)
    assert found is not None
    return found


def calendar(first: str = streets.MONDAY, weeks: int = 60) -> pd.DataFrame:
    """Return a calendar in which weeks 10 to 12 and every eighth Monday are free."""
    number = np.arange(7 * weeks)
    school = np.isin(number // 7, [10, 11, 12])
    return pd.DataFrame(
        {
            "day": pd.date_range(first, periods=7 * weeks),
            "holiday": np.where(number % 56 == 0, "feestdag", None),
            "school_holiday": np.where(school, "yes", "no"),
        }
    )


def test_no_forecast_knows_its_own_week_or_a_later_one() -> None:
    count = growing(30)
    whole = run(count, calendar())
    for known in (5, 12, 29):
        part = run(count[:, : 7 * known], calendar())
        for name in ("median", "model", "scale"):
            before, after = getattr(part, name), getattr(whole, name)
            np.testing.assert_array_equal(before[:, -1], after[:, known])


def test_the_published_week_is_that_of_the_run_before_it_came() -> None:
    count = growing(30)
    early = made(count[:, : 7 * 25])
    changed = count.copy()
    changed[:, 7 * 25 :] = 1
    use = judging.chosen(judging.errors(run(changed)), np.array(["car"]), models.FIRST)
    assert set(early.week["method"]) == {models.METHODS[use[0, 25]]}


@pytest.mark.parametrize("confidence", [0.8, 0.9])
def test_intervals_cover_at_their_level(confidence: float) -> None:
    cube = streets.cube(streets.drawn([400, 250, 120], weeks=60, seed=4))
    scores = forecast.forecasts(cube, confidence).scores
    assert scores["coverage"].iloc[0] == pytest.approx(confidence, abs=0.02)
    assert scores["nominal"].iloc[0] == confidence


def test_wider_intervals_for_more_confidence() -> None:
    cube = streets.cube(noisy(40))
    narrow, wide = (forecast.forecasts(cube, level).week for level in (0.5, 0.95))
    assert (wide["high"] - wide["low"] > narrow["high"] - narrow["low"]).mean() > 0.99
    assert (wide["low"] >= 0).all()


def test_school_holidays_are_learnt_from_earlier_ones() -> None:
    days = calendar(weeks=40)
    days["school_holiday"] = np.where(np.arange(280) // 7 % 10 >= 8, "yes", "no")
    count = noisy(38)
    off = (days["school_holiday"] == "yes").to_numpy()[: 38 * 7]
    count[:, off] = np.round(count[:, off] * 0.6)
    plain, told = (run(count, known) for known in (None, days.drop(columns="holiday")))
    # The third holiday, on working days.
    third = [np.abs(one.weeks - one.model[:, :38])[:, 28:30, :5].mean() for one in (plain, told)]
    assert third[1] < 0.3 * third[0]


def free_wednesdays(weeks: int) -> pd.DataFrame:
    """Return a calendar in which every third Wednesday is free, and nothing else."""
    days, number = calendar(weeks=weeks), np.arange(7 * weeks)
    days["holiday"] = np.where((number % 7 == 2) & (number // 7 % 3 == 0), "feestdag", None)
    return days.drop(columns="school_holiday")


def with_holidays(count: np.ndarray, days: pd.DataFrame, share: float) -> np.ndarray:
    """Return counts in which free days have this share of the Sunday after them."""
    free = days["holiday"].notna().to_numpy()[: count.shape[1]]
    count = count.copy()
    count[:, free] = np.round(share * np.roll(count, -4, axis=1)[:, free])
    return count


def test_a_holiday_ahead_is_expected_to_be_a_sunday() -> None:
    days = free_wednesdays(40)
    count = with_holidays(noisy(30), days, 1)
    week = made(count, days).week
    ahead = week.pivot_table("expected", "day", "hour").to_numpy()
    assert days["holiday"].iloc[30 * 7 + 2] == "feestdag"
    assert np.abs(ahead[2] - ahead[6]).mean() < 0.1 * ahead[6].mean()
    said = week.groupby("day")["holiday"].agg(set)
    words = {models.AS_HOLIDAY[models.SUNDAY], models.AS_HOLIDAY[models.EARLIER]}
    assert len(said.iloc[2]) == 1 and said.iloc[2] <= words
    assert all(one == {""} for one in said.drop(said.index[2]))
    # The median stays the one of any Wednesday, without the free ones.
    usual = week.pivot_table("median", "day", "hour").to_numpy()[2]
    before = count.reshape(30, 7, 24)[22:, 2][[0, 1, 3, 4, 6, 7]]
    np.testing.assert_allclose(usual, np.median(before, axis=0))


def test_a_holiday_is_like_earlier_ones_where_these_were_no_sundays() -> None:
    days = free_wednesdays(40)
    count = with_holidays(noisy(30), days, 0.4)
    week = made(count, days).week
    ahead = week.pivot_table("expected", "day", "hour").to_numpy()
    assert set(week["holiday"]) == {"", models.AS_HOLIDAY[models.EARLIER]}
    # Nine of them, with three days' worth of doubt.
    assert 0.4 < ahead[2].sum() / ahead[6].sum() < 0.4 ** (9 / 12) * 1.1


def test_a_holiday_on_which_nobody_stays_at_home_is_any_day() -> None:
    days = free_wednesdays(40)
    week = made(noisy(30), days).week
    assert set(week["holiday"]) == {"", models.AS_HOLIDAY[models.USUAL]}
    ahead = week.pivot_table("expected", "day", "hour").to_numpy()
    assert ahead[2].sum() == pytest.approx(ahead[1].sum(), rel=0.1)


def test_the_first_holidays_are_not_known() -> None:
    days = free_wednesdays(40)
    days.loc[days["day"] < days["day"].iloc[15 * 7], "holiday"] = None
    for weeks, known in ((18, False), (21, True)):  # one and two were counted before
        week = made(with_holidays(noisy(weeks), days, 1), days).week
        said = set(week["holiday"]) - {""}
        assert (said == {models.AS_HOLIDAY[models.UNKNOWN]}) is not known
        assert len(said) == 1


def test_where_the_median_stays_a_holiday_is_a_holiday_all_the_same() -> None:
    days = free_wednesdays(40)
    one = run(with_holidays(noisy(30), days, 0.5), days)
    (ahead,) = [each for each in one.holidays if each.week == 30]
    made = one.best(np.zeros((1, 31), dtype=int))
    np.testing.assert_array_equal(made[:, 30, 2], ahead.expected)
    assert ahead.expected.sum() < 0.6 * one.median[0, 30, 2].sum()


def test_a_free_sunday_is_a_sunday() -> None:
    days = calendar(weeks=40).drop(columns="school_holiday")
    days["holiday"] = np.where(np.arange(280) % 7 == 6, "feestdag", None)
    week = made(noisy(30), days).week
    plain = made(noisy(30)).week
    assert set(week["holiday"]) == {"", models.ON_SUNDAY}
    np.testing.assert_allclose(week["median"], plain["median"])


def test_forecasts_with_holidays_are_nearer_and_their_intervals_hold() -> None:
    days = free_wednesdays(70)
    count = with_holidays(streets.drawn([400.0, 300.0], weeks=64, seed=9), days, 0.7)
    told, plain = (made(count, known).by_site for known in (days, None))
    assert (told["mase_gated"] < told["mase_median"]).all()
    assert told["mase_gated"].mean() < 0.9 * plain["mase_gated"].mean()
    assert (told["coverage"] - 0.9).abs().max() < 0.02
    # Also on the holidays themselves.
    one = run(count, days)
    use = judging.chosen(judging.errors(one), np.array(["car"]), one.start)
    low, high = judging.intervals(one, one.best(use), 0.9)
    held = judging.inside(one.weeks, low[:, :-1], high[:, :-1])[:, one.free[:-1]]
    assert held[:, -12:].mean() > 0.8


def test_without_a_calendar_nothing_is_said_of_holidays() -> None:
    assert set(made(noisy(12)).week["holiday"]) == {""}


def test_weeks_end_on_the_last_day_whatever_day_that_is() -> None:
    count = noisy(9)[:, :-3]  # ends on a Thursday
    week = made(count).week
    assert week["day"].min() == pd.Timestamp("2025-05-02")
    monday = week[week["day"] == "2025-05-05"]["expected"]
    expected = np.median(count[0, 7:60:7][-8:], axis=0)
    np.testing.assert_allclose(monday, expected)


def test_weeks_that_are_hardly_counted_are_no_test() -> None:
    count = noisy(20)
    count[:, 70:75] = np.nan
    assert made(count).by_site["origins"].iloc[0] == 17


def test_hours_never_counted_get_no_forecast() -> None:
    count = noisy(12)
    count[:, :, 3] = np.nan
    week = made(count).week
    assert len(week) == 7 * 23
    assert 3 not in set(week["hour"])


def test_sites_and_modes_are_forecast_apart() -> None:
    count = streets.drawn([400, 300, 200], weeks=12)
    result = made(count, site=["A", "A", "B"], mode=["car", "bike", "car"])
    assert len(result.week) == 3 * 168
    assert result.by_site[["site", "mode"]].to_numpy().tolist() == [
        ["A", "bike"],
        ["A", "car"],
        ["B", "car"],
    ]
    assert result.scores[["mode", "sites"]].to_numpy().tolist() == [["bike", 1], ["car", 2]]


def test_quarters_are_forecast_by_the_hour() -> None:
    quarters = streets.drawn([400.0], weeks=12, minutes=15)
    hours = quarters.reshape(1, -1, 24, 4).sum(axis=3)
    fine = forecast.forecasts(streets.cube(quarters, minutes=15), 0.9)
    assert fine.week.equals(made(hours).week)


@pytest.mark.parametrize("weeks", [1, 2])
def test_too_short_a_time_leaves_a_gap(weeks: int) -> None:
    gap = forecast.forecasts(streets.cube(noisy(weeks)), 0.9)
    assert isinstance(gap, Absent)
    assert "no site was counted for two weeks" in gap.reason


def test_gaps_and_wrong_levels() -> None:
    gap = Absent("Counts", "Not possible here.")
    assert forecast.forecasts(gap, 0.9) is gap
    with pytest.raises(DatamallError, match="confidence is 2"):
        forecast.forecasts(streets.cube(noisy(3)), 2)


def test_blocks_have_weeks_of_their_own() -> None:
    (first,) = streets.cube(noisy(12))
    days = first.days + pd.Timedelta(days=364)
    second = Block(streets.names(1, site="J2"), days, 60, first.count)
    week = forecast.forecasts(Cube((first, second)), 0.9).week
    last = week.groupby("site")["day"].max()
    assert (last["J2"] - last["J1"]).days == 364


def test_each_series_is_forecast_from_its_own_last_day_or_named() -> None:
    count = streets.drawn([400, 300, 200, 100], weeks=30)
    count[1, 7 * 20 :] = np.nan  # ended
    count[2, : 7 * 15] = np.nan  # came late
    count[3, : 7 * 28] = np.nan  # came too late to be tested
    result = made(count, site=list("ABCD"))
    last = result.week.groupby("site")["day"].agg(["min", "max"])
    start = pd.Timestamp(streets.MONDAY)
    for site, weeks in {"A": 30, "B": 20, "C": 30, "D": 30}.items():
        first = start + pd.Timedelta(days=7 * weeks)
        assert tuple(last.loc[site]) == (first, first + pd.Timedelta(days=6))
    sites = result.by_site.set_index("site")
    assert sites.loc["B", "why"].startswith("not counted since 2025-07-20")
    assert sites.loc["C", "origins"] == 13
    assert (result.week.groupby("site").size() == 168).all()


# Planted series

PLANTED = {
    "steady": {},
    "growth of 10 % a year": {"growth": 0.1},
    "growth of 30 % a year": {"growth": 0.3},
    "school holidays": {"dip": 0.3},
    "growth and school holidays": {"growth": 0.3, "dip": 0.3},
    "a quarter of a year": {"weeks": 14},
    "few passages": {"busiest": (2, 20)},
}


def planted(
    growth: float = 0.0, dip: float = 0.0, weeks: int = 70, busiest: tuple[float, float] = (30, 600)
) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw twelve sites: weeks resemble the one before, days are felt by all; with a calendar."""
    rng = np.random.Generator(np.random.PCG64(11))
    size = np.geomspace(*busiest, 12)
    shock = rng.standard_normal((13, weeks))
    for week in range(1, weeks):
        shock[:, week] = 0.5 * shock[:, week - 1] + np.sqrt(0.75) * shock[:, week]
    level = np.repeat(0.03 * shock[0] + 0.02 * shock[1:], 7, axis=1)
    day = np.arange(7 * weeks)
    level += 0.05 * rng.standard_normal(7 * weeks) + np.log1p(growth) * day / 364
    off = np.isin(day // 7 % 52, [6, 7, 16, 17, 28, 29, 30, 31, 32, 33, 42, 51])
    level += np.where(off & (day % 7 < 5), np.log1p(-dip), 0)
    shape = np.tile(np.stack([streets.WORKING] * 5 + [streets.WEEKEND] * 2), (weeks, 1))
    count = rng.poisson(size[:, None, None] * np.exp(level)[..., None] * shape).astype(float)
    days = pd.DataFrame({"day": pd.date_range(streets.MONDAY, periods=7 * weeks)})
    return count, days.assign(school_holiday=np.where(off, "yes", "no"))


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("told", [True, False])
def test_planted_series_are_forecast_no_worse_and_held_as_promised(kind: str, told: bool) -> None:
    count, days = planted(**PLANTED[kind])
    result = made(count, days if told else None, site=[f"{row:02}" for row in range(len(count))])
    score, sites = result.scores.iloc[0], result.by_site
    assert score["mase_gated"] <= score["mase_median"]
    assert (sites["coverage"] - 0.9).abs().max() <= judging.NEAR
    assert score["near"] == 1
    if told and kind == "school holidays":
        assert score["mase_gated"] < 0.85 * score["mase_median"]


def test_the_error_of_a_coverage_is_that_of_weeks_that_resemble_each_other() -> None:
    rng = np.random.Generator(np.random.PCG64(12))
    weeks, hours = 200, np.full((400, 200), 168)
    alike = rng.standard_normal((400, weeks))
    for week in range(1, weeks):
        alike[:, week] = 0.4 * alike[:, week - 1] + np.sqrt(1 - 0.4**2) * alike[:, week]
    held = 168 * (0.9 + 0.03 * alike)
    said = judging._standard_error(held, hours)
    true = (held / hours).mean(axis=1).std()
    assert np.median(said) == pytest.approx(true, rel=0.15)
    alone = judging._standard_error(held[:, :1], hours[:, :1])
    assert np.isnan(alone).all()


def test_near_the_promise_is_counted_and_what_chance_would_leave() -> None:
    count, days = planted()
    result = made(count, days, site=[f"{row:02}" for row in range(len(count))])
    score, sites = result.scores.iloc[0], result.by_site
    assert score["near"] == ((sites["coverage"] - 0.9).abs() <= 0.02).mean()
    assert 0 < score["near_at_best"] <= 1


def test_an_interval_that_missed_is_wider_the_week_after() -> None:
    count = noisy(30)
    odd = count.copy()
    odd[:, 7 * 29 :] = np.round(0.4 * odd[:, 7 * 29 :])
    usual, after = (made(one).week for one in (count, odd))
    share = [(one["high"] - one["low"]).sum() / one["expected"].sum() for one in (usual, after)]
    assert share[1] > 1.2 * share[0]
