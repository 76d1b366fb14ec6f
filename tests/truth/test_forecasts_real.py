"""On real counts the published forecast is never worse than the weekly median.

Boroondara: 40 signals, a month of quarters. Münster: 88 junctions, two years of hours.
"""

from pathlib import Path
from typing import NamedTuple

import holidays
import numpy as np
import pandas as pd
import pytest
from junction_counts import BOROONDARA, boroondara, muenster

from datamall.traffic import forecast, health
from datamall.traffic.cube import Block, Cube
from datamall.traffic.forecast_models import BASELINE
from datamall.traffic.levels import FAULTY

CONFIDENCE = 0.9


class Real(NamedTuple):
    """A real set: all counts, what was found about detectors, and forecasts without these."""

    cube: Cube
    faults: pd.DataFrame
    raw: forecast.Forecasts
    clean: forecast.Forecasts


def real(cube: Cube) -> Real:
    faults = health.examine(cube)
    clean = health.healthy(cube, faults)
    made = [forecast.forecasts(part, CONFIDENCE) for part in (cube, clean)]
    return Real(cube, faults, *made)


@pytest.fixture(scope="module")
def melbourne(shared: Path) -> Real:
    return real(boroondara(shared / "real" / "traffic"))


@pytest.fixture(scope="module")
def westphalia(shared: Path) -> Real:
    return real(muenster(shared / "real" / "traffic"))


def never_worse(made: forecast.Forecasts, band: float) -> None:
    """Check accuracy and coverage by mode and over all sites and origins, and print them."""
    scores, sites = made.scores, made.by_site
    print(scores[["mode", "sites", "origins", "mase_median", "mase_gated", "coverage"]])
    assert (scores["mase_gated"] <= scores["mase_median"] + 1e-12).all()
    weight = sites["origins"] / sites["origins"].sum()
    both = [float((sites[name] * weight).sum()) for name in ("mase_gated", "mase_median")]
    print(f"all sites: {both[0]:.4f} against {both[1]:.4f} by the weekly median")
    assert both[0] <= both[1] + 1e-12
    assert (scores["coverage"] - CONFIDENCE).abs().max() < band


def test_boroondara_is_read_whole(melbourne: Real, shared: Path) -> None:
    raw = pd.read_csv(shared / "real" / "traffic" / BOROONDARA, dtype=str)
    assert raw.duplicated(["SCATS Number", "Location", "Start Time"]).sum() == 31
    assert (raw["NB_LATITUDE"].astype(float) == 0).sum() == 31
    (block,) = melbourne.cube
    # What looks double is a second detector of the same name; its counts differ.
    assert len(block.series) == 140
    assert block.series["site"].nunique() == 40
    assert np.isfinite(block.count).sum() == len(raw) * 96
    twins = block.series["approach"] == "HIGH_ST NE of CHARLES_ST"
    assert twins.sum() == 2
    first, second = block.count[twins.to_numpy()]
    assert not np.array_equal(first, second)


def test_boroondara_publishes_the_median_and_says_why(melbourne: Real) -> None:
    never_worse(melbourne.clean, band=0.03)
    sites = melbourne.clean.by_site
    assert len(sites) == 40
    assert set(sites["method"]) == {BASELINE}
    assert (sites["mase_gated"] == sites["mase_median"]).all()
    assert sites["why"].str.startswith("fewer than 8 weeks").all()
    week = melbourne.clean.week
    assert week["day"].min() == pd.Timestamp("2006-11-01")
    assert set(week["method"]) == {BASELINE}


def test_boroondara_has_no_faults_beyond_lost_data_and_one_detector(melbourne: Real) -> None:
    """That one counts about 340 cars in every hour of every night; two Sundays give it away."""
    faulty = melbourne.faults[melbourne.faults["verdict"] == FAULTY]
    assert set(faulty["kind"]) == {"no data", "flat"}
    flat = faulty[faulty["kind"] == "flat"]
    assert set(flat["detector"]) == {"RATHMINES_RD W of BURKE_RD 7"}
    assert list(flat["first_day"].astype(str)) == ["2006-10-01", "2006-10-22"]
    (block,) = melbourne.cube
    row = (block.series["detector"] == "RATHMINES_RD W of BURKE_RD 7").to_numpy()
    nights = block.hourly().count[row][..., :5]
    assert np.nanmin(nights) > 300


@pytest.mark.slow
def test_muenster_is_never_worse_than_the_median(westphalia: Real) -> None:
    never_worse(westphalia.clean, band=0.02)
    never_worse(westphalia.raw, band=0.02)


@pytest.mark.slow
def test_no_single_junction_of_muenster_is_worse_without_its_faults(westphalia: Real) -> None:
    sites = westphalia.clean.by_site
    assert len(sites) == 88
    assert (sites["mase_gated"] <= sites["mase_median"] + 1e-12).all()
    assert (sites["model_used"] > 0).sum() > 60


@pytest.mark.slow
def test_each_junction_of_muenster_is_held_as_promised_as_far_as_weeks_can_tell(
    westphalia: Real,
) -> None:
    for made in (westphalia.clean, westphalia.raw):
        sites, score = made.by_site, made.scores.iloc[0]
        apart = (sites["coverage"] - CONFIDENCE).abs()
        print(f"{(apart <= 0.02).mean():.3f} near, {score['near_at_best']:.3f} by chance")
        assert (apart <= 0.02).mean() > 0.9
        assert score["near"] > score["near_at_best"]
        # Who is further away was tested in few weeks.
        assert sites.loc[apart > 0.02, "origins"].max() < 45


@pytest.mark.slow
def test_holidays_of_muenster_are_forecast_as_holidays(westphalia: Real) -> None:
    days = pd.DataFrame({"day": pd.date_range("2015-01-01", "2017-01-07")})
    named = holidays.country_holidays("DE", subdiv="NW", years=(2015, 2016, 2017))
    days["holiday"] = [named.get(day.date()) for day in days["day"]]
    (block,) = health.healthy(westphalia.cube, westphalia.faults)
    made = forecast.forecasts(Cube((block,)), CONFIDENCE, days)
    plain, told = (one.scores.iloc[0] for one in (westphalia.clean, made))
    print(f"{told['mase_gated']:.4f} with holidays, {plain['mase_gated']:.4f} without")
    assert told["mase_gated"] < 0.92 * plain["mase_gated"]
    assert (made.by_site["mase_gated"] <= made.by_site["mase_median"] + 1e-12).all()
    ahead = made.week[made.week["day"] == "2017-01-01"]
    assert set(ahead["holiday"]) == {"as any Sunday"}


@pytest.mark.slow
def test_the_gate_holds_on_any_part_of_muenster_s_two_years(westphalia: Real) -> None:
    (block,) = health.healthy(westphalia.cube, westphalia.faults)
    apart = []
    for length in (170, 250, 365, 520):
        for first in range(0, len(block.days) - length + 1, 35):
            part = slice(first, min(first + length, len(block.days)))
            window = Block(block.series, block.days[part], 60, block.count[:, part])
            made = forecast.forecasts(Cube((window,)), CONFIDENCE)
            score = made.scores.iloc[0]
            apart.append(score["mase_gated"] - score["mase_median"])
    print(f"{len(apart)} windows: {np.mean(apart):.4f} on average, at worst {max(apart):.4f}")
    assert len(apart) >= 48
    assert (np.array(apart) > 0).sum() <= 1
    assert max(apart) < 0.002
    assert np.mean(apart) < -0.02


@pytest.mark.slow
def test_muenster_has_the_faults_its_publisher_warns_of(westphalia: Real) -> None:
    faulty = westphalia.faults[westphalia.faults["verdict"] == FAULTY]
    swapped = faulty[faulty["kind"] == "swapped"]
    assert set(swapped["site"]) == {"08065", "08070"}
    # One loop counts a vehicle every second, night and day, for two years.
    flat = faulty[(faulty["kind"] == "flat") & (faulty["site"] == "01230")]
    assert flat["hours"].sum() > 15_000
    assert flat["evidence"].str.startswith("About 3,60").all()
    # Twelve files hold nothing at all: every detector has these days as lost, or was not there.
    away = westphalia.faults[
        westphalia.faults["kind"].isin(["not yet counted", "no longer counted"])
    ]
    assert set(away["verdict"]) == {"not there"}
    lost = pd.concat([faulty[faulty["kind"] == "no data"], away])
    lost = lost[(lost["first_day"] <= "2015-05-14") & (lost["last_day"] >= "2015-05-14")]
    assert lost["detector"].nunique() == 647
    # The rest, weeks of thousands of hours, is asked about.
    other = westphalia.faults[westphalia.faults["kind"] == "change"]
    assert set(other["verdict"]) == {"real or not: ask"}
    share = health.summary(westphalia.cube, faulty).set_index("kind")["share"].drop("no data")
    assert share.sum() < 0.01
