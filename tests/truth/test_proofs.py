"""The studies judge as the audit does, and find what they say."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from datamall.fairness import Audit, audit
from datamall.fraud.audit import sources
from proofs import coverage, power, printed, verdicts, words
from proofs.worlds import Drawn, World, draw

WORLDS = [
    World(arm=0),
    World(people=3000, arm=150, share=0.018),
    World(people=3000, arm=150, share=0.1),
    World(arm=450, share=0.3, flag_gap=1.25),
    World(arm=1500, share=0.3, flag_gap=1.5, human_gap=0.7),
    World(people=33_000, arm=1500, share=0.3),
    World(people=33_000, arm=4500, share=0.3, visit_gap=0.7, label_gap=0.8),
]


def audited(drawn: Drawn, world: int) -> Audit:
    """Audit one world as the gate does: the department's files, its counts, the plan."""
    plan = verdicts.plan()
    return audit(sources.selection(printed.counts(drawn, world, plan.labels)), plan)


# One world tells a developer; the others take most of a minute.
EACH = [
    pytest.param(number, world, marks=[] if number == 0 else pytest.mark.slow)
    for number, world in enumerate(WORLDS)
]


@pytest.mark.parametrize(("number", "world"), EACH)
def test_each_verdict_and_every_limit_is_the_one_of_the_audit(number: int, world: World) -> None:
    drawn = draw(world, 3, number)
    found = verdicts.checks(drawn)
    ours = verdicts.judge(found)
    error = 1 - verdicts.plan().level
    for place in range(len(drawn)):
        result = audited(drawn, place)
        assert result.verdict.overall == ours[""][place]
        said = result.checks.set_index("check")["verdict"]
        compared = result.comparisons[result.comparisons["group"] == "B"]
        assert set(compared["check"]) == set(found)
        for name, own in found.items():
            if name in ours:
                assert said[name] == ours[name][place]
            rows = compared[compared["check"] == name]
            # All definitions of a mistake say the same.
            assert rows[["gap_low", "all_high", "p_outside"]].nunique(dropna=False).max() == 1
            row = rows.iloc[0]
            for prefix, tail in (("gap", error), ("all", error / 4)):
                low, high = (v[place] for v in own.at(tail))
                assert row[f"{prefix}_low"] == pytest.approx(low)
                assert row[f"{prefix}_high"] == pytest.approx(high)
            if own.gap is not None:
                assert row["gap"] == pytest.approx(own.gap[place], nan_ok=True)
            # The studies round these up to the levels at which something is decided.
            for level in verdicts.errors():
                outside = own.outside(verdicts.errors())[place]
                assert (row["p_outside"] <= level) == (outside <= level)
            assert (row["p_inside"] <= error) == own.inside(error)[place]
            figures = result.figures[result.figures["check"] == name]
            for group, ends in zip("AB", own.rates, strict=True):
                shown = figures[figures["group"] == group].iloc[0]
                assert shown[["low", "high"]].to_list() == pytest.approx(list(ends[:, place]))


def test_small_numbers_are_hidden_and_others_rounded() -> None:
    drawn = draw(WORLDS[1], 20, 4)
    exact = drawn.count("chosen", "profile")
    low, high, shown = printed.known(drawn, ("chosen", "profile", "total", "total"))
    assert (exact[:, 1] < 10).any() and np.isnan(shown[:, 1]).sum() == (exact[:, 1] < 10).sum()
    assert ((low[:, :2] <= exact) & (exact <= high[:, :2])).all()
    assert (np.nan_to_num(shown) % 5 == 0).all()
    assert (high[np.isnan(shown)] == 9).all() and (high - low)[~np.isnan(shown)].max() == 4


def test_all_three_verdicts_occur() -> None:
    worlds = [draw(world, 60, 9) for world in (WORLDS[5], WORLDS[4], WORLDS[1])]
    found = [verdicts.judge(verdicts.checks(world))[""] for world in worlds]
    assert len(set(np.concatenate(found))) == 3


def test_worlds_are_what_was_planted() -> None:
    planted = {"flag_gap": 2, "base_gap": 1.5, "human_gap": 0.5, "visit_gap": 0.8}
    world = World(people=200_000, arm=20_000, share=0.4, signals=0.05, **planted)
    drawn = draw(world, 40, 1)
    count, truth = drawn.count, verdicts.truth(world)
    assert (count("population", "random").sum(axis=1) == world.arm).all()
    found = count("finding", "random", "total", "unlawful").mean(axis=0)
    base = found / count("finding", "random").mean(axis=0)
    assert base == pytest.approx([0.2, 0.3], abs=0.005)
    share = (count("flagged") / count("population")).mean(axis=0)
    assert share == pytest.approx([0.14, 0.32], abs=0.005)  # .8 × .1 + .2 × .3; .7 × .2 + .3 × .6
    assert share == pytest.approx(truth["flagged"], abs=0.005)
    left = count("flagged") - sum(count("flagged", arm) for arm in ("random", "signal"))
    chosen = (count("chosen", "profile") / left).mean(axis=0)
    assert chosen == pytest.approx([0.6, 0.3], abs=0.005)
    visited = (count("visited") / count("chosen")).mean(axis=0)
    assert visited == pytest.approx([0.9, 0.72], abs=0.005)
    # Of all who did nothing wrong and were not drawn, .05 are reported and visited, or flagged,
    # chosen and visited.
    clean = count("population") - count("population", "random")
    clean = clean * (1 - np.array([0.2, 0.3]))
    wrong = sum(count("finding", arm, "total", "nothing") for arm in ("profile", "signal"))
    planted_rates = [0.9 * (0.05 + 0.95 * 0.1 * 0.6), 0.72 * (0.05 + 0.95 * 0.2 * 0.3)]
    assert (wrong / clean).mean(axis=0) == pytest.approx(planted_rates, abs=0.002)
    assert truth["wrongly visited"] == pytest.approx(planted_rates)
    assert (drawn.people >= 0).all()
    assert np.array_equal(drawn.people, draw(world, 40, 1).people)


@pytest.mark.slow
def test_errors_stay_below_what_is_promised_on_a_small_grid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = {"people": (33_000,), "arm": (1500,), "share": (0.3,), "flag_gap": (1.0, 1.25, 1.5)}
    monkeypatch.setattr(verdicts, "GRID", small)
    table, intervals = verdicts.grid(300, 3)
    table = table.set_index("truth")
    chance = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert table.loc["fair", "p_fail"] <= chance
    assert table.loc["biased", "p_pass"] == 0
    assert table.loc["at the edge", ["p_pass", "p_fail"]].max() <= chance
    assert table.loc["fair", "p_pass"] > 0.3  # an audit that can never pass would be as useless
    assert table.loc["biased", "p_fail"] > 0.7
    held = words.holding(intervals)
    assert len(held) == 5 * 5 and (held["cells"] == 3).all()
    least = 0.95 - 2 * np.sqrt(0.05 * 0.95 / 900)
    assert (held["covered"] >= least).all()
    # Shares that are counted of thousands are nearly as often held as is promised, and no more.
    assert held.loc[held["interval"] == verdicts.RATES[0], "covered"].min() < 0.99


def test_limits_hold_where_hardly_anybody_is_drawn_or_half_of_all_people() -> None:
    for world in (World(arm=150, share=0.018), World(arm=4500, share=0.1)):
        found = verdicts.checks(draw(world, 200, 6))
        table = verdicts.held(found, world)
        assert (table["covered"] >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)).all()
        for own in found.values():
            assert not np.isnan([own.low, own.high]).any()


@pytest.mark.slow
def test_a_bias_is_found_at_its_step_and_nowhere_else() -> None:
    table = verdicts.mechanisms(60, 4)
    assert (table.loc[table["should"], "p_fail"] > 0.6).all()
    assert (table.loc[~table["should"], "p_fail"] <= 0.05).all()
    nothing = table[(table["planted"] == "findings are recorded")]
    assert not nothing["should"].any()  # it cannot be seen, and the page says so


@pytest.mark.slow
def test_the_planted_ratio_lies_in_its_interval_and_the_naive_one_far_off() -> None:
    table = verdicts.identified(200, 5).set_index("random_arm")
    assert np.isnan(table.loc[0, "covered"])
    known = table.drop(index=0)
    assert (known["covered"] >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)).all()
    assert (known["naive"] < 0.9 * known["ratio"]).all()


def test_coverage_is_that_of_enumeration_by_hand() -> None:
    table = coverage.coverage().set_index(["share", "people", "method"])["covered"]
    # 20 people at 2 %: with no case the bootstrap says 0 to 0, with 4 or more at least 1 in 20.
    seen = sum(math.comb(20, x) * 0.02**x * 0.98 ** (20 - x) for x in (1, 2, 3))
    assert table[0.02, 20, coverage.PERCENTILE] == pytest.approx(seen)
    exact = table[:, :, "exact"]
    assert (exact >= 0.95).all()


@pytest.mark.slow
def test_the_small_group_is_found_more_often_at_the_same_false_alarms() -> None:
    table = power.power(200, 2).set_index(["method", "gap"])
    ours, holm = (table.loc[(m, power.GAP), "found"] for m in (power.OURS, power.HOLM))
    assert ours > holm
    assert table.loc[(power.OURS, 1.0), "alarms"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    shares = power.shares()
    assert shares.sum() == pytest.approx(1) and shares[power.small()] == power.SMALL


def test_lines_name_all_three_verdicts() -> None:
    rows = itertools.product((9000,), (450,), (0.1,), (1.0, 1.25, 1.5))
    grid = pd.DataFrame(rows, columns=["caseload", "random_arm", "group_share", "gap"])
    grid = grid.assign(truth=list(words.ORDER), worlds=10, p_pass=[0.5, 0.1, 0], p_not_enough=0.1)
    grid["p_fail"] = 0.9 - grid["p_pass"]
    intervals = verdicts.held(verdicts.checks(draw(World(), 10, 1)), World())
    held = words.holding(intervals.assign(worlds=10))
    lines = words.lines(grid, held, power.power(3, 1), verdicts.identified(10, 1))
    assert lines[0].startswith("fair worlds (10): P(PASS) 0.500, P(FAIL) 0.400")
    assert len(lines) == 7


def test_cells_below_are_counted_beside_those_by_chance() -> None:
    table = pd.DataFrame({"covered": [0.97, 0.95, 0.90], "promised": 0.95, "worlds": 100})
    held = words.holding(table.assign(check="flagged", interval="rate of the group")).iloc[0]
    # Two standard errors below 95 of 100 is 90.64: 90 or fewer, 2.8 % of a binomial of 100.
    assert held["below"] == 1 and held["cells"] == 3 and held["lowest"] == 0.90
    below = sum(math.comb(100, k) * 0.95**k * 0.05 ** (100 - k) for k in range(91))
    assert held["chance"] == pytest.approx(3 * below)


def test_curves_are_drawn_of_worlds_that_ever_pass() -> None:
    rows = itertools.product((3000, 33_000), (0, 4500), (0.1, 0.3), (1.0, 1.5))
    grid = pd.DataFrame(rows, columns=["caseload", "random_arm", "group_share", "gap"])
    grid["truth"] = grid["gap"].map({1.0: "fair", 1.5: "biased"})
    large, fair = (grid["caseload"] > 3000) & (grid["random_arm"] > 0), grid["gap"] == 1
    grid["p_pass"] = (grid["group_share"] + 0.5).where(large & fair, 0.0)
    grid.loc[~fair, "p_pass"] = 0.9  # of no matter here
    table = words.passing(grid.assign(worlds=10))
    assert table["arm"].tolist() == ["0", "0", "4,500", "4,500"]
    best, other = "33,000 people, group of 30 %", "33,000 people, group of 10 %"
    assert table["world"].tolist() == [best, other] * 2
    assert table["p_pass"].tolist() == [0, 0, 0.8, 0.6]
    assert table["high"].iloc[0] == pytest.approx(1 - 0.025**0.1)  # 0 of 10 (Clopper-Pearson)
    assert (table["low"].iloc[2:] > 0.2).all() and (table["high"].iloc[2:] < 1).all()
    assert words.describe_passing(table) == (
        "P(PASS) on fair worlds by the number of people drawn. "
        f"{best}: 0.00 with 0 drawn to 0.80 with 4,500; {other}: 0.00 with 0 drawn to 0.60 with "
        "4,500."
    )
    many = pd.concat([grid.assign(caseload=grid["caseload"] + k, worlds=10) for k in range(9)])
    assert words.passing(many)["world"].nunique() == words.LINES
