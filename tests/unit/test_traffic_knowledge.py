"""Lost and avoidable time: means over weeks, intervals that hold together, ranks."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from signal_cases import NO_CUT, PEOPLE, cars, counts, cut_off, junction, volumes

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import cube, knowledge, peaks, plans, weekly

RULES = plans.Rules(longest_cycle=120, headroom=0.2, coverage=0.75)
WEEK = np.repeat(np.arange(4), 5)


def test_weeks_are_the_witnesses() -> None:
    rng = np.random.default_rng(3)
    weeks = rng.normal(50, 5, 4)
    found = weekly.means(np.repeat(weeks, 5)[None], WEEK, 0.9)
    low, high = stats.t.interval(0.9, 3, weeks.mean(), stats.sem(weeks))
    assert found.mean[0] == pytest.approx(weeks.mean())
    assert (found.low[0], found.high[0]) == pytest.approx((low, high))
    assert found.week_sd[0] == pytest.approx(weeks.std(ddof=1))
    # The days of a week add nothing that the week does not tell.
    assert (found.days[0], found.weeks[0]) == (20, 4)


def test_missing_days_and_single_weeks() -> None:
    values = np.array([[1.0, 2, 3, np.nan], [1, 2, np.nan, np.nan], [np.nan] * 4])
    found = weekly.means(values, np.array([0, 0, 1, 1]), 0.9)
    assert found.mean[:2].tolist() == [2, 1.5]
    assert found.weeks.tolist() == [2, 1, 0]
    # Two weeks, a ratio estimate: the second deviates by 1 over 1 day, the first by -1 over 2.
    error = np.sqrt((1 + 1) * 2 / 1) / 3
    assert found.high[0] - 2 == pytest.approx(stats.t.ppf(0.95, 1) * error)
    assert np.isnan(found.low[1:]).all()
    assert np.isnan(found.mean[2])


def test_intervals_that_hold_together_are_wider() -> None:
    values = np.repeat([40.0, 50, 60, 50], 5)[None]
    alone, together = (weekly.means(values, WEEK, 0.9, number) for number in (1, 20))
    assert together.high[0] - 50 == pytest.approx(
        (alone.high[0] - 50) * stats.t.ppf(1 - 0.05 / 20, 3) / stats.t.ppf(0.95, 3)
    )
    with pytest.raises(DatamallError, match="confidence"):
        weekly.means(values, WEEK, 1)


def test_ranks_are_excluded_only_where_intervals_do_not_overlap() -> None:
    first, last = weekly.ranks(np.array([8.0, 5, 1, np.nan, 4]), np.array([9.0, 7, 2, np.nan, 6]))
    assert first.tolist() == [1, 2, 4, pd.NA, 2]
    assert last.tolist() == [1, 3, 4, pd.NA, 3]


def two_junctions(missing: bool = False) -> tuple[tuple[peaks.Peaks, ...], tuple[plans.Plan, ...]]:
    """The second junction has half the traffic; or its signal plan lacks the phases."""
    block = counts(cars()).blocks[0]
    other = block.series.assign(site="K2", detector="E" + block.series["detector"])
    series = pd.concat([block.series, other], ignore_index=True)
    count = np.concatenate([block.count, block.count / 2])
    both = cube.Cube((cube.Block(series, block.days, 15, count),))
    second = junction(site="K2", name="C – D")
    if missing:
        second["phase"] = None
    groups = peaks.lane_groups({"traffic.junctions": pd.concat([junction(), second])})
    parts = peaks.peaks(both, groups, None, PEOPLE)
    return parts, plans.propose(parts, NO_CUT, RULES)


def test_lost_time_adds_up_and_is_ranked() -> None:
    parts, found = two_junctions()
    table = knowledge.lost_time(parts, found, 0.9)
    assert table["site"].tolist() == ["K1", "K2"]
    assert table["rank_low"].tolist() == table["rank_high"].tolist() == [1, 2]
    assert table["lost"].to_numpy() == pytest.approx(found[0].lost.sum(axis=(0, 2))[:, 0])
    kinds = table[["motor", "bike", "pedestrian"]].sum(axis=1)
    assert kinds.to_numpy() == pytest.approx(table["lost"].to_numpy())
    assert (table["demand"] == "").all()


def test_where_demand_is_cut_off_lost_time_is_the_least() -> None:
    parts = volumes()
    found = plans.propose(parts, cut_off("north"), RULES)
    assert knowledge.lost_time(parts, found, 0.9)["demand"].tolist() == [
        "at least: demand is cut off"
    ]


def test_avoidable_is_what_the_plans_save_on_the_days_that_judge_them() -> None:
    parts, found = two_junctions()
    table = knowledge.avoidable(parts, found, 0.9).set_index("site")
    [plan] = found
    gain = (plan.lost - plan.lost_then).sum(axis=(0, 2))[:, plan.judged].mean(axis=1)
    assert table.loc[["K1", "K2"], "avoidable"].to_numpy() == pytest.approx(gain)
    assert table["days"].tolist() == [10, 10]
    assert table["share"].to_numpy() == pytest.approx(
        (table["avoidable"] / table["lost"]).to_numpy()
    )


def test_a_junction_without_a_plan_has_no_number_and_no_rank() -> None:
    table = knowledge.avoidable(*two_junctions(missing=True), 0.9)
    assert table["site"].tolist() == ["K1", "K2"]
    assert table["refused"].tolist() == ["", "morning and evening"]
    assert np.isnan(table.loc[1, "avoidable"])
    assert table["rank_high"].tolist() == [1, pd.NA]


def test_gaps_are_passed_on() -> None:
    gap = Absent("Capacity", "Not possible here.")
    assert knowledge.lost_time(gap, gap, 0.9) is gap
    assert knowledge.avoidable(gap, gap, 0.9) is gap
