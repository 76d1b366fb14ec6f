"""What every network has: closed roads, new roads, short peaks, wrong files, detectors that come
and go. Each is a sentence there, and never stops the others."""

from functools import cache

import numpy as np
import ordinary_city as city
import pandas as pd
import pytest
from ordinary_city import APPROACHES, CAPACITY, EVENING, MORNING, Found

from datamall.traffic import health, plans, wisdom
from datamall.traffic.capacity import ABOVE, CUT_OFF
from datamall.traffic.censoring import NOT_CUT_OFF
from datamall.traffic.levels import FAULTY

NORTH, WEEKS = APPROACHES.index("N"), 12
WORKING = np.arange(7 * WEEKS) % 7 < 5


def second(variant: str) -> np.ndarray:
    """Return the second junction's counts."""
    rng = np.random.Generator(np.random.PCG64(3))
    count = city.counts()
    if variant == "closed":
        count[:] = 0
    elif variant == "all but one closed":
        count[np.arange(4) != NORTH] = 0
    elif variant == "shut morning":
        count[:, :, MORNING] = 0
    elif variant == "shut evening":
        count[:, :, EVENING] = 0
    elif variant == "short peak":
        size = (WORKING.sum(), 3)
        count[NORTH, WORKING, 31:34] = round(CAPACITY[NORTH] / 4) + rng.integers(-3, 4, size)
    elif variant == "above":
        size = (WORKING.sum(), 6)
        count[NORTH, WORKING, 30:36] = round(1.34 * CAPACITY[NORTH] / 4) + rng.integers(-4, 5, size)
    elif variant == "late":
        count[:, :42] = np.nan
    elif variant == "ended":
        count[:, 42:] = np.nan
    elif variant in ("new road", "just changed"):
        before = city.counts(60, (500, 500, 500, 500))
        weeks = 8 if variant == "new road" else 3
        after = city.counts(weeks, (300, 1400, 900, 300), seed=8)
        count = np.concatenate([before[:, : -7 * weeks], after], axis=1)
    elif variant == "roadworks":
        count[NORTH, 28:49] = np.round(0.3 * count[NORTH, 28:49])
    elif variant == "growing":
        weeks = 60
        usual = tuple(0.6 * flow for flow in city.USUAL)
        trend = 1.6 ** (np.arange(7 * weeks) / 364)
        count = rng.poisson(city.counts(weeks, usual) * trend[:, None]).astype(float)
    elif variant == "clock changes":
        count[:, 34, 8:12] = np.nan  # a day of 23 hours
        count[:, 62, 8:12] *= 2  # and one in which an hour comes twice
    else:
        assert variant == "as usual", variant
    return count


@cache
def found(variant: str) -> Found:
    return city.analysed(city.city(second(variant)))


VARIANTS = ("closed", "all but one closed", "shut morning", "shut evening", "short peak", "above")
VARIANTS += ("late", "ended", "new road", "just changed", "roadworks", "growing", "clock changes")


@pytest.mark.parametrize("variant", [*VARIANTS, "as usual"])
def test_one_junction_never_stops_the_other(variant: str) -> None:
    got = found(variant)
    for peak in ("morning", "evening"):
        row = got.plan("1", peak)
        assert row["verdict"] == wisdom.RECOMMENDED
        assert row["cycle"] == 48
    assert len(got.plans) == 4
    assert got.ahead.week["site"].unique().tolist() == ["1", "2"]


def test_a_closed_junction_has_no_plan_and_no_fault() -> None:
    got = found("closed")
    for peak in ("morning", "evening"):
        row = got.plan("2", peak)
        assert row["reason"] == plans.UNSEEN
        assert row["verdict"] == wisdom.REFUSED
    assert not (got.of("2")["verdict"] == FAULTY).any()


def test_approaches_that_are_closed_are_named() -> None:
    got = found("all but one closed")
    for peak in ("morning", "evening"):
        assert (
            got.plan("2", peak)["reason"]
            == "Closed or not counted in this peak: E all, S all, W all."
        )
    assert not (got.of("2")["verdict"] == FAULTY).any()


@pytest.mark.parametrize(("shut", "open_"), [("morning", "evening"), ("evening", "morning")])
def test_a_peak_that_is_shut_leaves_the_other_its_plan(shut: str, open_: str) -> None:
    got = found(f"shut {shut}")
    assert got.plan("2", shut)["reason"] == plans.UNSEEN
    row = got.plan("2", open_)
    assert (row["verdict"], row["coverage"]) == (wisdom.RECOMMENDED, 1)
    odd = got.of("2")
    assert not (odd["verdict"] == FAULTY).any()
    # One line per detector at most, not one per week.
    assert len(odd) and odd["detector"].is_unique
    assert odd["evidence"].str.contains("shut or not counted at these hours").all()


def test_a_plan_rests_on_the_road_of_today() -> None:
    got = found("new road")
    table = got.changes.set_index(["site", "approach"])
    assert list(table.index) == [("2", approach) for approach in APPROACHES]
    since = city.FIRST + pd.Timedelta(days=28)
    assert (abs(table["since"] - since) <= pd.Timedelta(days=1)).all()
    assert table["weeks"].tolist() == [8] * 4
    ratio = table.loc[("2", "N"), "morning"]
    assert ratio == pytest.approx(1400 / 500, rel=0.05)
    row = got.plan("2", "morning")
    # y = 1400 × 1.1 / 3700 and 300 × 1.1 / 1700, by the flows of today.
    assert row["served"] == pytest.approx(1.1 * (1400 / 3700 + 300 / 1700), rel=0.02)
    assert row["verdict"] != wisdom.RECOMMENDED or row["gain"] > 0
    assert row["days"] == 20


def test_too_few_weeks_since_the_road_changed_are_no_plan() -> None:
    got = found("just changed")
    for peak in ("morning", "evening"):
        reason = got.plan("2", peak)["reason"]
        assert reason.startswith("The road changed on 10 March 2025 (")
        assert reason.endswith("): 3 weeks since then are too few.")


def test_roadworks_of_three_weeks_are_left_out() -> None:
    got = found("roadworks")
    table = got.changes.set_index("approach")
    assert list(table.index) == ["N"]
    assert "the weeks before it are like those since" in table.loc["N", "evidence"]
    row = got.plan("2", "morning")
    assert row["served"] == pytest.approx(1.1 * (900 / 3700 + 400 / 1700), rel=0.02)
    assert row["verdict"] == wisdom.RECOMMENDED
    assert row["coverage"] == 1


def test_growth_is_no_change() -> None:
    got = found("growing")
    assert got.changes.empty
    assert got.of("2").empty
    assert got.plan("2", "morning")["verdict"] == wisdom.RECOMMENDED


def test_a_short_peak_at_capacity_is_cut_off() -> None:
    got = found("short peak")
    rows = got.plateaus.set_index(["site", "approach"])
    assert rows.loc[("2", "N"), "capacity"] == CAPACITY[NORTH]
    assert rows.loc[("2", "N"), "verdict"] == CUT_OFF
    assert rows.loc[("2", "N"), ["hour_from", "hour_to"]].tolist() == [7, 9]
    assert (rows.loc["1", "verdict"] == NOT_CUT_OFF).all()
    row = got.plan("2", "morning")
    assert row["cut"] == "N all"
    assert row["ratio_sum"] >= 1.2 * 0.5
    assert got.plan("2", "evening")["cut"] == ""


def test_counts_above_the_capacity_on_file_say_that_it_is_wrong() -> None:
    got = found("above")
    rows = got.plateaus.set_index(["site", "approach"])
    assert rows.loc[("2", "N"), "verdict"] == ABOVE
    for peak in ("morning", "evening"):
        row = got.plan("2", peak)
        assert row["verdict"] == wisdom.REFUSED
        ceiling = rows.loc[("2", "N"), "ceiling"]
        assert ceiling == pytest.approx(1.34 * 1850, rel=0.01)
        assert row["reason"] == (
            f"The capacity on file is wrong: N all passes {ceiling:,.0f} an hour, 1,850 on file. A "
            f"queue is sure, so its saturation flow is about {2 * ceiling:,.0f} pcu/h, if the "
            "green on file is right."
        )


def test_a_detector_that_came_late_is_judged_from_its_first_day() -> None:
    got = found("late")
    odd = got.of("2")
    assert set(odd["kind"]) == {health.NOT_YET}
    assert not (odd["verdict"] == FAULTY).any()
    row = got.plan("2", "morning")
    assert (row["verdict"], row["coverage"]) == (wisdom.RECOMMENDED, 1)


def test_a_detector_that_ended_is_forecast_from_its_last_day() -> None:
    got = found("ended")
    odd = got.of("2")
    assert set(odd["kind"]) == {health.NO_LONGER}
    assert not (odd["verdict"] == FAULTY).any()
    reason = got.plan("2", "morning")["reason"]
    assert reason.startswith("No longer counted: the last working day is 14 February 2025")
    days = got.ahead.week.groupby("site")["day"].agg(["min", "max"])
    assert days.loc["2", "min"] == pd.Timestamp("2025-02-17")
    assert days.loc["1", "min"] == pd.Timestamp("2025-03-31")
    why = got.ahead.by_site.set_index("site")["why"]
    assert why["2"].startswith("not counted since 2025-02-16")


def test_who_ends_is_forecast_beside_another_mode_that_goes_on() -> None:
    # A year ago cars were no longer counted, while bikes were.
    cars, bikes = city.counts(60), city.counts(60, seed=9)
    cars[:, 7 * 40 :] = np.nan
    keys = pd.concat([city.keys("2"), city.keys("2", mode="bike", detector=list("abcd"))])
    both = city.city(np.concatenate([cars, bikes]), second_keys=keys)
    week = city.analysed(both).ahead.week
    own = week[(week["site"] == "2")].groupby("mode")["day"].min()
    assert (own["bike"] - own["car"]).days == 7 * 20


def test_a_detector_that_moved_goes_on_counting() -> None:
    # From the sixth week on, another detector counts the same approach.
    count = city.counts()
    moved = np.concatenate([count, count[[NORTH]]])
    moved[NORTH, 35:], moved[4, :35] = np.nan, np.nan
    names = city.keys("2")
    other = names.iloc[[NORTH]].assign(detector="2N2")
    got = city.analysed(city.city(moved, second_keys=pd.concat([names, other])))
    row = got.plan("2", "morning")
    assert (row["verdict"], row["coverage"]) == (wisdom.RECOMMENDED, 1)
    assert set(got.of("2")["kind"]) == {health.NOT_YET, health.NO_LONGER}
    # And where one of two lanes ends, the other is not taken for both.
    ended = np.concatenate([count, count[[NORTH]]])
    ended[4, 35:] = np.nan
    got = city.analysed(city.city(ended, second_keys=pd.concat([names, other])))
    assert "No longer counted" in got.plan("2", "morning")["reason"]


def test_days_on_which_clocks_change_are_no_faults() -> None:
    got = found("clock changes")
    assert got.faults.empty
    assert got.changes.empty
    assert got.plan("2", "morning")["coverage"] == 1


def test_a_junction_with_one_approach_has_nothing_to_divide() -> None:
    junctions = city.register().query("site == '1' or approach == 'N'")
    count = city.counts()[[NORTH]]
    both = city.city(count, second_keys=city.keys("2").iloc[[NORTH]])
    got = city.analysed(
        both, junctions.assign(green=lambda t: t["green"].where(t["site"] == "1", 72))
    )
    reason = got.plan("2", "morning")["reason"]
    assert reason == "One phase alone: there is no other to give green to or take it from."
    assert got.plan("1", "morning")["verdict"] == wisdom.RECOMMENDED


UNSAFE = {
    "lost time": ({"lost_time": 0.0, "cycle": 72.0}, "lost time of 0 s is less than the 6 s"),
    "green": ({"minimum_green": 2.0}, "minimum green of 2 s is less than the 5 s"),
    "pedestrians": ({"pedestrian_time": 4.0}, "pedestrian time of 4 s is less than the 10 s"),
    "cycle": ({"green": 8.0, "cycle": 24.0}, "cycle of 24 s is outside 30 to 180 s"),
}


@pytest.mark.parametrize("what", UNSAFE)
def test_what_is_not_safe_is_refused(what: str) -> None:
    changed, said = UNSAFE[what]
    got = city.analysed(city.city(city.counts()), city.register(**changed))
    row = got.plan("2", "morning")
    assert row["verdict"] == wisdom.REFUSED
    assert said in row["reason"]
    assert got.plan("1", "morning")["verdict"] == wisdom.RECOMMENDED


@pytest.mark.parametrize("changed", [{"cycle": 0.0}, {"green": 90.0}, {"saturation_flow": 0}])
def test_what_no_signal_has_is_not_known_there(changed: dict[str, float]) -> None:
    got = city.analysed(city.city(city.counts()), city.register(**changed))
    assert got.plan("2", "morning")["reason"].startswith("Not delivered for every lane group")
    assert got.plan("1", "morning")["verdict"] == wisdom.RECOMMENDED


def test_all_movements_on_one_lane_keep_its_capacity() -> None:
    # Each movement is counted apart; together they are the lane group that is called all.
    count = second("short peak")
    parts, rest = [], count[NORTH]
    rng = np.random.Generator(np.random.PCG64(5))
    for share in (0.2, 0.75):
        parts.append(rng.binomial(rest.astype(int), share).astype(float))
        rest = rest - parts[-1]
    apart = np.concatenate([np.delete(count, NORTH, axis=0), *(p[None] for p in [*parts, rest])])
    names = city.keys("2")
    lanes = pd.concat([names.iloc[[NORTH]]] * 3).assign(movement=list("LSR"), detector=list("lsr"))
    got = city.analysed(city.city(apart, second_keys=pd.concat([names.drop(index=NORTH), lanes])))
    rows = got.plateaus.set_index(["site", "approach"]).loc[("2", "N")]
    assert (rows["movement"], rows["capacity"]) == ("all", CAPACITY[NORTH])
    assert rows["verdict"] == CUT_OFF


def test_where_a_ceiling_cannot_be_told_there_is_headroom_and_no_confident_plan() -> None:
    # The evening comes near the capacity without a plateau of which anything could be said.
    count = city.counts(flows=(400, 1600, 700, 350))
    got = city.analysed(city.city(count))
    row = got.plan("2", "morning")
    assert row["doubt"] == "N all"
    assert row["verdict"] == wisdom.DOUBT
    assert "it cannot be told whether demand of N all is cut off" in row["reason"]
    assert row["ratio_sum"] > row["served"]


def test_a_road_that_changed_last_week_has_no_plan_yet() -> None:
    count = city.counts()
    count[NORTH, -7:] = np.round(1.4 * count[NORTH, -7:])
    got = city.analysed(city.city(count))
    for peak in ("morning", "evening"):
        row = got.plan("2", peak)
        assert row["verdict"] == wisdom.REFUSED
        assert row["reason"].startswith(
            "The last five working days are unlike the weeks before (N all: 1."
        )
        assert got.plan("1", peak)["verdict"] == wisdom.RECOMMENDED


def test_a_day_alone_and_a_closure_that_is_over_are_no_news_of_a_road() -> None:
    count = city.counts()
    count[NORTH, -3] = 0
    count[NORTH, -28:-21] = np.round(0.4 * count[NORTH, -28:-21])
    assert city.analysed(city.city(count)).plan("2", "morning")["verdict"] == wisdom.RECOMMENDED
