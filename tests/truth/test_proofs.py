"""The studies judge as the audit does, and find what they say."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from datamall.fairness import audit
from proofs import coverage, power, verdicts, words
from proofs.worlds import World, draw

GATING = (verdicts.FLAGGED, verdicts.WRONGLY)
WORLDS = [
    World(arm=0),
    World(people=3000, arm=150, share=0.1),
    World(arm=450, share=0.3, flag_gap=1.25),
    World(arm=1500, share=0.3, flag_gap=1.5, human_gap=0.7),
    World(people=33_000, arm=1500, share=0.3),
]


@pytest.mark.parametrize(("number", "world"), list(enumerate(WORLDS)))
def test_each_verdict_is_the_one_of_the_audit(number: int, world: World) -> None:
    drawn = draw(world, 4, number)
    found = verdicts.checks(drawn)
    ours = verdicts.judge({name: found[name] for name in GATING})
    for place, verdict in enumerate(ours):
        result = audit(drawn.cells(place), verdicts.PLAN)
        assert result.verdict.overall == verdict
        checks = result.checks.set_index("check")
        assert checks.loc[verdicts.WRONGLY, "identified"] == (world.arm > 0)
        rows = result.comparisons.drop_duplicates("check", keep="last").set_index("check")
        flagged = found[verdicts.FLAGGED]
        assert rows.loc[verdicts.FLAGGED, "p_inside"] == pytest.approx(flagged.inside[place])
        assert rows.loc[verdicts.FLAGGED, "p_outside"] == pytest.approx(flagged.outside[place])
        # The studies round these up to the levels at which something is decided.
        wrongly = found[verdicts.WRONGLY]
        error = 1 - verdicts.LEVEL
        for level in (error, error / 2):
            outside = rows.loc[verdicts.WRONGLY, "p_outside"] <= level
            assert outside == (wrongly.outside[place] <= level)
        inside = rows.loc[verdicts.WRONGLY, "p_inside"] <= error
        assert inside == (wrongly.inside[place] <= error)


def test_all_three_verdicts_occur() -> None:
    worlds = [draw(world, 60, 9) for world in (WORLDS[4], WORLDS[3], WORLDS[1])]
    found = [verdicts.judge(verdicts.checks(world)) for world in worlds]
    assert len(set(np.concatenate(found))) == 3


def test_worlds_are_what_was_planted() -> None:
    world = World(people=200_000, arm=20_000, share=0.4, flag_gap=2, base_gap=1.5, human_gap=0.5)
    drawn = draw(world, 40, 1)
    assert (drawn.lot.sum(axis=(1, 2, 3)) == world.arm).all()
    found = drawn.lot.sum(axis=2).mean(axis=0)
    base = found[:, 1] / found.sum(axis=1)
    assert base == pytest.approx([0.2, 0.3], abs=0.005)
    share = (drawn.flagged / drawn.everybody).mean(axis=0)
    assert share == pytest.approx([0.14, 0.32], abs=0.005)  # .8 × .1 + .2 × .3; .7 × .2 + .3 × .6
    left = drawn.flagged - drawn.lot[:, :, 1].sum(axis=-1)
    assert (drawn.picked / left).mean(axis=0) == pytest.approx([0.6, 0.3], abs=0.005)
    assert (drawn.visited >= 0).all() and (drawn.visited <= drawn.picked).all()
    assert np.array_equal(drawn.lot, draw(world, 40, 1).lot)


def test_errors_stay_below_what_is_promised_on_a_small_grid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = {"people": (9000,), "arm": (1500,), "share": (0.3,), "flag_gap": (1.0, 1.25, 1.5)}
    monkeypatch.setattr(verdicts, "GRID", small)
    table = verdicts.grid(300, 3).set_index("truth")
    chance = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert table.loc["fair", "p_fail"] <= chance
    assert table.loc["biased", "p_pass"] == 0
    assert table.loc["at the edge", ["p_pass", "p_fail"]].max() <= chance
    assert table.loc["fair", "p_pass"] > 0.3  # an audit that can never pass would be as useless
    assert table.loc["biased", "p_fail"] > 0.7


def test_a_bias_is_found_at_its_step_and_nowhere_else() -> None:
    table = verdicts.mechanisms(60, 4)
    assert (table.loc[table["should"], "p_fail"] > 0.95).all()
    assert (table.loc[~table["should"], "p_fail"] <= 0.05).all()
    nothing = table[(table["planted"] == "findings are recorded")]
    assert not nothing["should"].any()  # it cannot be seen, and the page says so


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
    lines = words.lines(grid, power.power(3, 1), verdicts.identified(10, 1))
    assert lines[0].startswith("fair worlds (10): P(PASS) 0.500, P(FAIL) 0.400")
    assert len(lines) == 6


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
