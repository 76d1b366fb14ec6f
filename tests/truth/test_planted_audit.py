"""The audit on worlds whose bias is known: found where it was planted, and nowhere else."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import binom

from datamall.demo import welfare
from datamall.demo.welfare import WelfareWorld
from datamall.fairness import Plan
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS
from datamall.fraud.audit import sources, words

FAR, HERE = "outside Europe", "Netherlands"
STEPS = ("flagged", "chosen", "visited", "found", "harsher")
WORLD = WelfareWorld()

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def plan(root: Any) -> Plan:
    section = yaml.safe_load((root / "params.yaml").read_text("utf-8"))["fraud_audit"]
    return Plan(**{name: value for name, value in section.items() if name != "depth"})


def extract(people: pd.DataFrame) -> Tables:
    """Return what the purpose hands out of these people, in the shape of the contracts."""
    counts = welfare.welfare_counts.count(people).drop(columns="exact")
    words = {True: "yes", False: "no"}
    steps = {name: people[name].map(words) for name in ("flagged", "chosen", "visited")}
    kept = ["year", "sex", "age_band", "living_form", "score_band", "arm", "finding", "objection"]
    files = people[kept].assign(people=1, **steps)
    return {"welfare.investigations": files, "welfare.audit_counts": counts}


def counted(world: WelfareWorld, seed: int = 5) -> Tables:
    people = welfare.people(seed, world)
    return extract(people[people["year"] == 2025])


def judge(data: Tables, plan: Plan, *groups: str) -> pd.DataFrame:
    """Return all checks by these attributes, gating and informing, as families of their own."""
    plan = replace(plan, groups=groups)
    counts = sources.together(sources.own(data, groups, 1, plan.labels), sources.official(data))
    both = [judging.gate(counts, plan), judging.inform(counts, plan)]
    return pd.concat(both, ignore_index=True)


def of(table: pd.DataFrame, group: str) -> pd.DataFrame:
    return table[table["group"].eq(group)].set_index("check")


def verdicts(table: pd.DataFrame) -> dict[str, str]:
    """Return the verdict on each step for people from outside Europe."""
    return of(table, FAR)["verdict"].reindex(STEPS).to_dict()


def test_the_demo_fails_by_origin_and_both_the_profile_and_the_caseworker_are_named(
    plan: Plan,
) -> None:
    table = judge(extract(welfare.people(2319)), plan, "origin")
    gating = table[table["check"].isin(plan.gating)]
    assert judging.overall(gating, plan) == FAIL
    far = of(table, FAR)
    assert far.loc["flagged", "verdict"] == far.loc["chosen", "verdict"] == FAIL
    # The true ratios, in the truth that only the demo knows.
    truth = welfare.truth_tables(2319)["welfare_groups"]
    truth = truth[(truth["attribute"] == "origin") & (truth["year"] == 2025)].set_index("group")
    for check, column in (("flagged", "flagged"), ("chosen", "chosen_given_flagged")):
        weight = truth["people"] * (1 if check == "flagged" else truth["flagged"])
        rest = truth.index != FAR
        other = np.average(truth[column][rest], weights=weight[rest])
        assert far.loc[check, "low"] < truth.loc[FAR, column] / other < far.loc[check, "high"]
    said = words.answer(gating, replace(plan, groups=("origin",)))
    assert "people from outside Europe are flagged 2." in said
    assert "chosen by a caseworker, once flagged, 1." in said


# A bias, the knobs that plant it, times the demo's people, and the step at which it acts.
PLANTED = [
    ("selection", WORLD.only("selection_bias", "proxy_strength"), {"flagged"}),
    ("human", WORLD.only("human_odds").times(2), {"chosen"}),
    ("visits", replace(WORLD, visit_odds=0.25).only("visit_odds").times(3), {"visited"}),
    ("label", replace(WORLD, label_odds=8.0).only("label_odds").times(4), {"found", "harsher"}),
]


@pytest.mark.parametrize(("world", "where"), [p[1:] for p in PLANTED], ids=[p[0] for p in PLANTED])
def test_a_planted_bias_is_found_at_its_step_and_at_no_other(
    plan: Plan, world: WelfareWorld, where: set[str]
) -> None:
    table = judge(counted(world), plan, "origin", "sex")
    found = verdicts(table)
    assert {step for step, verdict in found.items() if verdict == FAIL} == where
    # Nobody was handled differently by sex.
    assert FAIL not in set(table.loc[table["attribute"] == "sex", "verdict"])
    # Whatever was planted at a step, others are not shown to differ there.
    far = of(table, FAR)
    for step in set(STEPS) - where:
        assert far.loc[step, "low"] < 1 < far.loc[step, "high"], step


def test_single_mothers_are_seen_where_groups_cross_and_hardly_before(plan: Plan) -> None:
    from datamall.fraud.audit import sensitivity

    world = replace(WORLD, intersection_bias=1.5).only("intersection_bias")
    data = counted(world)
    counts = sources.own(data, ("sex", "age_band", "living_form"), 3, plan.labels)
    crossed = sensitivity.crossed(counts, plan)
    first = crossed.iloc[0]
    assert first["people"] == "female × under 27 × single parent"
    assert first["verdict"] == FAIL
    alone = judge(data, plan, "sex", "living_form")
    assert FAIL not in set(alone.loc[alone["check"] == "flagged", "verdict"])


@pytest.mark.slow
def test_a_fair_world_passes_where_enough_people_are_counted(plan: Plan) -> None:
    table = judge(counted(WORLD.none().times(10)), plan, "origin")
    gating = table[table["check"].isin(plan.gating)]
    assert judging.overall(gating, replace(plan, groups=("origin",))) == PASS


def test_a_fair_world_of_the_demos_size_is_neither_failed_nor_called_fair(plan: Plan) -> None:
    table = judge(counted(WORLD.none()), plan, "origin", "sex", "age_band", "living_form")
    gating = table[table["check"].isin(plan.gating)]
    assert judging.overall(gating, plan) == NOT_ENOUGH
    assert "no proof that people are treated alike" in words.answer(gating, plan)


@pytest.mark.slow
def test_fair_worlds_are_rarely_failed(plan: Plan) -> None:
    """All true ratios lie on the edge of a tolerance of 1, where wrong FAILs are most frequent."""
    edge = replace(plan, groups=("origin", "sex", "living_form"), ratio=1.0001, ratio_alike=1.0001)
    worlds, failed, uncorrected = 60, 0, 0
    for seed in range(worlds):
        data = counted(WORLD.none(), seed)
        counts = sources.together(
            sources.own(data, edge.groups, 1, edge.labels), sources.official(data)
        )
        counts = counts[counts["attribute"].isin(edge.groups)]
        pairs = judging.every_step(counts, edge, edge.gating)
        failed += bool(judging.judged(pairs, edge)["verdict"].eq(FAIL).any())
        alone = (pairs.iloc[[row]].reset_index(drop=True) for row in range(len(pairs)))
        uncorrected += any(judging.judged(p, edge)["verdict"].eq(FAIL).any() for p in alone)
    # At most 5 %, with room for the chance in so many worlds.
    assert failed <= binom.ppf(0.999, worlds, 0.05)
    # Judged one by one, fair worlds would fail more often than that: so this test can fail.
    assert uncorrected > binom.ppf(0.999, worlds, 0.05)


def wrongly_visited(people: pd.DataFrame) -> float:
    """Return the true ratio: of the people without a mistake, those whom the selection visited."""
    right = people[people["truth"] == "right"]
    visited = right["visited"] & right["arm"].ne("random")
    far = right["origin"] == FAR
    return float(visited[far].mean() / visited[~far].mean())


def naive(people: pd.DataFrame) -> float:
    """Return the same among the people investigated, as it is usually counted."""
    seen = people[people["visited"]]
    nothing = seen["finding"].isin(["nothing", "unclear"]) & seen["arm"].ne("random")
    far = seen["origin"] == FAR
    return float(nothing[far].mean() / nothing[~far].mean())


@pytest.mark.slow
def test_the_ratio_of_wrong_visits_lies_in_its_interval_where_the_naive_one_is_far_off(
    plan: Plan,
) -> None:
    world = WORLD.only("selection_bias", "proxy_strength", "human_odds")
    held, worlds, tail = 0, 40, 0.025
    estimates, truths, naives = [], [], []
    for seed in range(worlds):
        people = welfare.people(seed, world)
        people = people[people["year"] == 2025]
        counts = extract(people)["welfare.audit_counts"]
        own = counts[counts["attribute"] == "origin"]
        pairs = errors.pairs(own, plan.labels[0])
        assert pairs is not None
        far = pairs[pairs["group"] == FAR]
        low, high = errors.interval(far, tail)
        truth = wrongly_visited(people)
        held += bool(low[0] < truth < high[0])
        estimates.append(float(errors.rates(far)["ratio"].iloc[0]))
        truths.append(truth)
        naives.append(naive(people))
    assert held >= binom.ppf(0.001, worlds, 0.95)
    assert np.median(estimates) == pytest.approx(np.median(truths), rel=0.1)
    assert np.median(naives) < 0.75 * np.median(truths)


def test_without_a_random_draw_wrong_visits_are_not_known(plan: Plan) -> None:
    data = extract(welfare.people(2319))
    data = {name: table[table["arm"] != "random"] for name, table in data.items()}
    table = judge(data, plan, "origin")
    assert "wrongly visited" not in set(table["check"])
    gating = table[table["check"].isin(plan.gating)]
    assert judging.overall(gating[gating["verdict"] != FAIL], plan) == NOT_ENOUGH
