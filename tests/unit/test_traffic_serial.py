"""A regression of weeks that resemble each other, against statsmodels and on drawn series."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from datamall.traffic import serial

BEFORE, AFTER = 20, 12
SINCE = (np.arange(BEFORE + AFTER) >= BEFORE).astype(float)
DESIGN = np.column_stack([np.ones(BEFORE + AFTER), SINCE])


def drawn(rho: float, seed: int, weeks: int = BEFORE + AFTER) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(seed))
    series = rng.standard_normal(weeks)
    for week in range(1, weeks):
        series[week] = rho * series[week - 1] + np.sqrt(1 - rho**2) * series[week]
    return series


def test_each_correlation_is_the_least_squares_of_statsmodels() -> None:
    series = drawn(0.5, 1)
    series[[3, 17, 25]] = np.nan
    found = serial.fit(series, DESIGN)
    known = np.flatnonzero(np.isfinite(series))
    apart = np.abs(known[:, None] - known)
    for place in (0, 6, 12, 19):
        sigma = serial.CORRELATIONS[place] ** apart
        other = sm.GLS(series[known], DESIGN[known], sigma=sigma).fit()
        assert found.estimate[place] == pytest.approx(other.params[1], abs=1e-9)
        assert found.error[place] == pytest.approx(other.bse[1], rel=1e-6)
    assert found.freedom[0] == len(known) - 2 and found.freedom[-1] == serial.LEAST_FREEDOM
    assert found.freedom[6] == pytest.approx(len(known) * 0.7 / 1.3 - 2)
    assert found.weight.sum() == pytest.approx(1)


def test_its_quantiles_are_those_of_the_mixture() -> None:
    found = serial.fit(drawn(0.4, 2), DESIGN)
    low, high = found.interval(0.95)
    each = stats.t(found.freedom, found.estimate, found.error)
    assert (found.weight * each.cdf(low)).sum() == pytest.approx(0.025, abs=1e-9)
    assert (found.weight * each.cdf(high)).sum() == pytest.approx(0.975, abs=1e-9)
    wider = found.interval(0.95, together=5)
    assert wider == pytest.approx(found.interval(0.99))
    assert wider[0] < low < found.mean < high < wider[1]


def test_weeks_alike_are_seen_to_be_alike() -> None:
    means = [
        np.mean([serial.fit(drawn(rho, s, 100), np.ones((100, 1))).correlation for s in range(20)])
        for rho in (0.0, 0.3, 0.6)
    ]
    assert means == pytest.approx([0.08, 0.3, 0.6], abs=0.08)


def test_a_series_without_any_spread_has_no_change() -> None:
    found = serial.fit(np.full(BEFORE + AFTER, 0.3), DESIGN)
    assert found.mean == pytest.approx(0, abs=1e-9)
    assert np.diff(found.interval(0.95)) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="more weeks"):
        serial.fit(np.array([1.0, np.nan, 2.0]), np.eye(3)[:, :2])


def test_the_variance_of_a_change_is_that_of_the_design() -> None:
    found = serial.change_variance(np.array([BEFORE, 4]), np.array([AFTER, 4]))
    apart = np.abs(np.arange(BEFORE + AFTER)[:, None] - np.arange(BEFORE + AFTER))
    for place in (0, 6, 19):
        inverse = np.linalg.inv(serial.CORRELATIONS[place] ** apart)
        expected = np.linalg.inv(DESIGN.T @ inverse @ DESIGN)[1, 1]
        assert found[0, place] == pytest.approx(expected)
    # Weeks that are independent: two means.
    assert found[1, 0] == pytest.approx(2 / 4)


def test_what_is_findable_and_the_weeks_for_it_agree() -> None:
    series = drawn(0.3, 5, 40)
    least = serial.findable(series, 6, 0.9, 0.8)
    assert serial.weeks_needed(series, least, 0.9, 0.8) == 6
    assert serial.weeks_needed(series, -0.99 * least, 0.9, 0.8) == 7
    assert serial.findable(series, 12, 0.9, 0.8) < least
    # Weeks that resemble each other tell less.
    assert least > (stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) * series.std(ddof=1) / np.sqrt(3)
    assert serial.weeks_needed(series, 0.0, 0.9, 0.8) is None
    assert np.isnan(serial.findable(series[:2], 6, 0.9, 0.8))
    assert serial.weeks_needed(series[:2], 1.0, 0.9, 0.8) is None
