"""The study of plans draws what it says, and its brute force finds the least."""

import itertools

import numpy as np
import pytest

from datamall.traffic import signals
from proofs import plans


def drawn(seed: int) -> plans.Drawn:
    return plans.draw(np.random.Generator(np.random.PCG64(seed)))


def test_junctions_are_what_was_planted() -> None:
    many = [drawn(seed) for seed in range(200)]
    assert {len(one.junction.least) for one in many} == {2, 3, 4}
    need = np.array([one.ratio_sum for one in many])
    assert 0.3 <= need.min() < 0.35 and 0.75 < need.max() <= 0.9
    for one in many:
        own = one.junction
        assert own.least.min() >= 6 and own.least.sum() + own.lost_time <= own.longest_cycle
        green = one.webster()
        assert (green >= own.least).all() and green.sum() + own.lost_time <= own.longest_cycle
    one = many[0]
    days = one.days(400, np.random.Generator(np.random.PCG64(1)))
    assert days.came.sum(axis=0).mean(axis=1) == pytest.approx(one.flow, rel=0.02)
    assert days.soft.mean(axis=2) == pytest.approx(one.soft, rel=0.05)


def test_the_least_of_all_divisions_is_found() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    for phases in (2, 3, 4):
        cost = rng.random((phases, 6))
        every = itertools.product(range(6), repeat=phases)
        sums = [sum(cost[p, g] for p, g in enumerate(d)) for d in every if sum(d) == 5]
        assert plans._least(cost) == pytest.approx(min(sums))


def test_no_plan_of_the_grid_is_better_than_the_best() -> None:
    one = drawn(5)
    own, days = one.junction, one.days(20, np.random.Generator(np.random.PCG64(3)))
    least = plans.best(one, days)
    hours = []
    for cycle in range(int(own.rooms[0] + own.lost_time), 121, plans.CYCLE_STEP):
        ratio = np.ones(len(own.least))
        green = signals.split(ratio, cycle, own.lost_time, own.least)
        hours.append(plans.search.person_hours(own, days, green[:, None]).sum(axis=(0, 1)).mean())
    assert len(hours) > 3 and least < min(hours)


@pytest.mark.slow
def test_searched_plans_are_near_the_best_and_webster_is_beside() -> None:
    table = plans.losses(24, 40, 7)
    found = plans.summary(table)
    every = found[found["phases"] == "all"].set_index("plan")
    assert (every["junctions"] == 24).all()
    assert every.loc[plans.SEARCHED, "near"] >= 0.85
    assert every.loc[plans.SEARCHED, "mean"] < min(0.01, every.loc[plans.WEBSTER, "mean"])
    assert (table.loc[table["plan"] != plans.FOLLOWS, "above"] >= 0).all()
    assert len(plans.lines(found)) == len(found) == 8
    assert f"{100 * every.loc[plans.SEARCHED, 'near']:.1f} % (" in plans.answer(found)
    assert plans.metrics(found)["webster_worst"] == every.loc[plans.WEBSTER, "worst"]
    load = plans.by_load(table)
    assert load["junctions"].sum() == len(table)
    assert plans.FOLLOWS in plans.describe(load)
    assert len(plans.farthest(table)) == 10
