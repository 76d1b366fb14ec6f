"""Webster's plan by hand, its refusals, and what is lost with it."""

import numpy as np
import pandas as pd
import pytest
from signal_cases import NO_CUT, cars, cut_off, junction, volumes

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import plans, signals

RULES = plans.Rules(longest_cycle=120, headroom=0.2, coverage=0.75)


def proposed(
    flow: dict[tuple[str, str, str], object] | None = None,
    groups: pd.DataFrame | None = None,
    plateaus: pd.DataFrame = NO_CUT,
    rules: plans.Rules = RULES,
) -> plans.Plan:
    [plan] = plans.propose(volumes(flow, groups), plateaus, rules)
    return plan


def evening(plan: plans.Plan) -> pd.Series:
    return plan.table[plan.table["peak"] == "evening"].iloc[0]


def test_cycle_and_greens_are_webster_s() -> None:
    # y = 600/2000 and 300/1500, L = 8: C = (12 + 5)/(1 - .5) = 34 s, 26 s of green as 3 to 2.
    groups = junction(pedestrian_time=6.0)
    plan = proposed(groups=groups)
    row = evening(plan)
    assert row["ratio_sum"] == row["served"] == pytest.approx(0.5)
    assert row["optimal_cycle"] == pytest.approx(34)
    assert row["cycle"] == 34
    assert row["greens"] == "1: 30 → 16 s; 2: 22 → 10 s"
    assert plan.green[:, 1].tolist() == [10, 16, 16]
    assert row["refused"] == ""


def test_the_flow_that_decides_is_the_highest_of_a_phase() -> None:
    south = evening(proposed(cars(north=100, south=900)))
    north = evening(proposed(cars(north=900, south=100)))
    assert south["greens"] == north["greens"]
    assert south["ratio_sum"] == pytest.approx(0.45 + 0.2)


def test_shortest_greens_are_kept_in_a_cycle_that_has_room_for_them() -> None:
    # Pedestrians of the second phase need 20 of the 26 s that Webster's cycle has: divided so,
    # the first phase, which needs .3 of the time, would be starved.
    groups = junction(pedestrian_time=[20.0, 6.0, 6.0])
    row = evening(proposed(groups=groups))
    assert row["cycle"] == 58
    assert row["greens"] == "1: 30 → 30 s; 2: 22 → 20 s"
    # Where the second phase needs them anyway, a cycle hardly longer than the shortest is taken.
    other = evening(proposed(cars(north=100, south=100, east=500), groups))
    assert other["cycle"] == 35
    assert other["greens"] == "1: 30 → 6 s; 2: 22 → 21 s"


def test_demand_that_is_cut_off_gets_headroom() -> None:
    plan = proposed(cars(north=1000), plateaus=cut_off("north"))
    row = evening(plan)
    assert row["served"] == pytest.approx(0.5 + 0.2)
    assert row["ratio_sum"] == pytest.approx(1.2 * 0.5 + 0.2)  # of the share of green now
    assert row["cut"] == "north LSR"
    assert plan.green[1, 1] / row["cycle"] > 0.5
    morning = plan.table[plan.table["peak"] == "morning"].iloc[0]
    assert morning["ratio_sum"] == pytest.approx(0.7)
    # Where more than that was counted, the count is what is asked.
    more = evening(proposed(cars(north=1300), plateaus=cut_off("north")))
    assert more["ratio_sum"] == pytest.approx(0.65 + 0.2)


REFUSALS = {
    "0.95 or more": (cars(north=1500), junction(), RULES),
    "a cycle of 60 s has less": (
        cars(north=1340, south=100),
        junction(),
        plans.Rules(60, 0.2, 0.75),
    ),
    "more than the longest cycle of 20 s": (cars(), junction(), plans.Rules(20, 0.2, 0.75)),
    "Conflict data missing": (cars(), junction(phase=["2", "1", None]), RULES),
    "saturation flow": (cars(), junction(saturation_flow=[1500, np.nan, 2000]), RULES),
    "lost time": (cars(), junction(lost_time=np.nan), RULES),
    "Minimum green or pedestrian time missing": (cars(), junction(minimum_green=np.nan), RULES),
    "does not add up": (cars(), junction(green=[22.0, 40.0, 40.0]), RULES),
    "Counted in 50 % of the peaks": (
        cars(north=np.repeat([600, np.nan, np.nan, 600], 7)),
        junction(),
        RULES,
    ),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_refused_with_the_reason_and_without_a_number(reason: str) -> None:
    flow, groups, rules = REFUSALS[reason]
    plan = proposed(flow, groups, rules=rules)
    row = evening(plan)
    assert reason in row["refused"]
    assert np.isnan(row["cycle"])
    assert row["greens"] == ""
    assert np.isnan(plan.green).all()
    assert np.isnan(plan.lost_then).any(axis=(0, 1, 2)).all()
    solves = ("0.95 or more" in reason) or ("has less" in reason)
    assert row["refused"].endswith(plans.OVER) == solves


def test_headroom_is_named_where_it_decides() -> None:
    row = evening(proposed(cars(north=1000, east=600), plateaus=cut_off("north")))
    assert row["refused"].startswith("Flows need 1.00 of the time, with 20 % more than is served")


def test_person_hours_lost_by_hand() -> None:
    flow = cars() | {("east", "-", "bike"): 90, ("north", "-", "pedestrian"): 60}
    plan = proposed(flow)
    capacity, share = np.array([550, 1000, 1000]), np.array([22 / 60, 0.5, 0.5])
    delay = signals.control_delay([300, 600, 400], capacity, share, 60).total
    motor = (1.5 * np.array([300, 600, 400]) * delay).sum() / 3600 * 3  # three hours
    bike = 90 * (38**2 / 120) / 3600 * 3
    walk = 60 * (30**2 / 120) / 3600 * 3
    assert plan.lost.shape == (3, 1, 2, 20)
    for kind, hours in enumerate((motor, bike, walk)):
        assert plan.lost[kind] == pytest.approx(hours)
    assert (plan.lost_then[1] < plan.lost[1]).all()  # the cycle is shorter


def test_a_day_without_enough_counts_is_not_judged_and_a_few_gaps_are_made_up_for() -> None:
    flow = cars()
    few = volumes(flow)[0]
    few.volume[1, 0, 0, :3] = few.riders[1, 0, 0, :3] = np.nan  # 9 of 12 quarters are left
    few.volume[1, 1, 0, :4] = few.riders[1, 1, 0, :4] = np.nan
    [plan] = plans.propose((few,), NO_CUT, RULES)
    assert plan.lost[0, 0, 0, 0] == pytest.approx(plan.lost[0, 0, 0, 5])
    assert np.isnan(plan.lost[0, 0, 0, 1])


def test_days_that_chose_the_plan_do_not_judge_it() -> None:
    # In the weeks that choose, the east has much traffic; in those that judge, the north.
    weeks = np.repeat([0, 1, 0, 1], 7)
    [own] = volumes()
    first = own.week.min() % 2
    odd = weeks == 1 - first
    plan = proposed(cars(north=np.where(odd, 900, 200), east=np.where(odd, 100, 700)))
    row = evening(plan)
    assert plan.judged.sum() == 10
    # The south decides on its phase where the north has 200.
    assert row["ratio_sum"] == pytest.approx(400 / 2000 + 700 / 1500)
    gain = (plan.lost - plan.lost_then).sum(axis=0)[0, 1]
    assert (gain[plan.judged] < 0).all()
    assert (gain[~plan.judged] > 0).all()


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("headroom", (120, 0, 0.75)),
        ("least_coverage", (120, 0.2, 1.5)),
        ("longest_cycle", (0, 0.2, 0.75)),
    ],
)
def test_impossible_rules_are_refused(name: str, rules: tuple[float, float, float]) -> None:
    with pytest.raises(DatamallError, match=name):
        plans.Rules(*rules)


def test_a_gap_is_passed_on() -> None:
    gap = Absent("Capacity", "Not possible here.")
    assert plans.propose(gap, NO_CUT, RULES) is gap
