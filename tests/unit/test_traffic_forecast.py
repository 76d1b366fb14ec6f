"""The model speaks only where it has beaten the median, and nothing looks ahead."""

import counted_streets as streets
import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import forecast
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
    return forecast.chosen(error, np.array(modes or ["car"] * len(apart)), start)


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
    result = made(growing())
    site = result.by_site.iloc[0]
    assert site["mase_gated"] < site["mase_median"]
    assert site["method"] == forecast.MODEL
    assert site["why"].startswith("the model beat the median")
    assert set(result.week["method"]) == {forecast.MODEL}
    assert (result.week["expected"] != result.week["median"]).mean() > 0.9
    assert 0.5 < site["model_used"] < 1


def test_the_median_is_published_where_the_model_does_not() -> None:
    # Two kinds of weeks in turn: their median is right on average, the last weeks mislead.
    count = noisy(40)
    count *= np.repeat(np.tile([1.0, 1.0, 1.6, 1.6], 10), 7)[None, :, None]
    result = made(np.round(count))
    site = result.by_site.iloc[0]
    assert site["mase_model"] > site["mase_median"]
    assert site["mase_gated"] == site["mase_median"]
    assert site["method"] == forecast.BASELINE
    assert result.week["expected"].equals(result.week["median"])
    assert site["why"].startswith("the model did not beat the median")
    assert site["model_used"] == 0


def test_few_weeks_are_said_to_be_few() -> None:
    site = made(noisy(8)).by_site.iloc[0]
    assert site["origins"] == 6
    assert site["method"] == forecast.BASELINE
    assert site["why"] == "fewer than 8 weeks could be tested: the median stays"


def test_the_median_is_that_of_up_to_eight_weeks() -> None:
    count = noisy(9)
    week = made(count).week
    assert set(week["method"]) == {forecast.BASELINE}
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


def run(count: np.ndarray, calendar: pd.DataFrame | None = None) -> forecast._Run:
    (block,) = streets.cube(count)
    found = forecast._run(block, calendar)
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
    use = forecast.chosen(forecast._errors(run(changed)), np.array(["car"]), forecast.FIRST)
    method = forecast.MODEL if use[0, 25] else forecast.BASELINE
    assert set(early.week["method"]) == {method}


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
    # The third holiday, on working days; half of the model is the median, which knows nothing.
    third = [np.abs(one.weeks - one.model[:, :38])[:, 28:30, :5].mean() for one in (plain, told)]
    assert third[1] < 0.75 * third[0]


def test_a_holiday_ahead_is_expected_to_be_a_sunday() -> None:
    count = noisy(30)
    days = calendar(weeks=40).drop(columns="school_holiday")
    number = np.arange(280)
    days["holiday"] = np.where((number % 7 == 2) & (number // 7 % 3 == 0), "feestdag", None)
    free = days["holiday"].notna().to_numpy()[:210]
    count[:, free] = np.roll(count, -4, axis=1)[:, free]  # the Sunday after that Wednesday
    ahead = run(count, days)
    wednesday, sunday = ahead.model[0, 30, 2], ahead.model[0, 30, 6]
    assert days["holiday"].iloc[30 * 7 + 2] == "feestdag"
    # Half of the model is the median, which does not know of holidays.
    usual = ahead.median[0, 30, 2]
    assert np.abs(wednesday - 0.5 * (usual + sunday)).mean() < 0.05 * usual.mean()


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
