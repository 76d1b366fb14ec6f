"""The bias audit: from counts to verdicts and words, on counts small enough to reckon by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from datamall.errors import DatamallError
from datamall.fairness import Audit, Plan, identification, steps
from datamall.fairness.bounds import Bounds
from datamall.fairness.joint_limits import BoundedPart, BoundedSample, Joined
from datamall.fairness.summary import Verdict
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS
from datamall.fraud.audit import (
    display,
    information,
    knowledge,
    sensitivity,
    sources,
    wisdom,
    words,
)
from datamall.fraud.audit.sources import TOTAL
from datamall.requirements import Absent

SECTION = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text("utf-8"))[
    "fraud_audit"
]
LABELS = {name: SECTION["labels"][name] for name in ("unlawful or administrative", "unlawful")}
GATING = ["flagged", "chosen", "visited", "wrongly visited"]


def planned(within: float | None = None, **changes: Any) -> Plan:
    """Return the plan of ``params.yaml`` with two definitions of a mistake, and with changes.

    `within`: the tolerance of all checks.
    """
    section = {name: value for name, value in SECTION.items() if name != "crossed"}
    section |= {"groups": ["origin", "sex"], "labels": LABELS} | changes
    if within is not None:
        edges = {"kind": "ratio", "within": within, "reason": "a test"}
        section["checks"] = [check | {"tolerance": edges} for check in section["checks"]]
    return Plan.read(section)


PLAN = planned()
FIVE = {"kind": "ratio", "within": 5, "reason": "a test"}


def of_check(name: str, **changes: Any) -> dict[str, Any]:
    return next(check for check in SECTION["checks"] if check["name"] == name) | changes


def files(people: dict[tuple[Any, ...], int]) -> dict[str, pd.DataFrame]:
    """Return an extract: (sex, arm, flagged, visited, finding) → people."""
    rows = []
    for (sex, arm, flagged, visited, finding), number in people.items():
        chosen = "no" if arm == "none" else "yes"
        rows.append((2025, sex, "27 to 44", arm, flagged, chosen, visited, finding, None, number))
    names = ["year", "sex", "age_band", "arm", "flagged", "chosen", "visited", "finding"]
    table = pd.DataFrame(rows, columns=[*names, "objection", "people"])
    return {"welfare.investigations": table}


# Of 1,000 women 300 are flagged, of 1,000 men 100; every second of them is chosen and visited.
UNEQUAL = {
    ("female", "none", "no", "no", None): 650,
    ("female", "none", "yes", "no", None): 150,
    ("female", "profile", "yes", "yes", "nothing"): 100,
    ("female", "profile", "yes", "yes", "unlawful"): 50,
    ("female", "random", "no", "yes", "nothing"): 40,
    ("female", "random", "no", "yes", "unlawful"): 10,
    ("male", "none", "no", "no", None): 850,
    ("male", "none", "yes", "no", None): 50,
    ("male", "profile", "yes", "yes", "nothing"): 30,
    ("male", "profile", "yes", "yes", "unlawful"): 20,
    ("male", "random", "no", "yes", "nothing"): 40,
    ("male", "random", "no", "yes", "unlawful"): 10,
}


def own(people: dict[tuple[Any, ...], int], *groups: str) -> pd.DataFrame:
    table = sources.own(files(people), groups or ("sex",), 2, {"unlawful": LABELS["unlawful"]})
    assert isinstance(table, pd.DataFrame)
    return table


def judged(table: pd.DataFrame, plan: Plan = PLAN) -> Audit:
    result = knowledge.judged(table, plan)
    assert isinstance(result, Audit)
    return result


@pytest.fixture(scope="module")
def unequal() -> Audit:
    """Return the audit of `UNEQUAL` by `PLAN`."""
    return judged(own(UNEQUAL))


def compared(result: Audit) -> pd.DataFrame:
    """Return the comparisons on the page under the first definition, by check."""
    return display.comparisons(result).set_index("check")


def bounds(table: pd.DataFrame, check: str, plan: Plan = PLAN) -> Bounds:
    """Return the counts of a check by sex, as the audit takes them."""
    [study] = sources.selection(table).studies(["sex"])
    what = next(each for each in plan.checks if each.name == check)
    label, meaning = study.labels(plan)[0]
    found = steps.counts(study, plan, what, label, meaning)
    assert found is not None
    return found


def pairs(table: pd.DataFrame, check: str) -> pd.DataFrame:
    """Return the counts of each group and of everybody else, with their bounds."""
    metric = next(each.metric for each in PLAN.checks if each.name == check)
    found = bounds(table, check)
    made = found.pairs(["sex"], estimand="procedure", names=[metric])
    return made.set_index("group")


def joined(table: pd.DataFrame, check: str = "wrongly visited") -> Joined:
    assert PLAN.identification is not None
    metric = next(each.metric for each in PLAN.checks if each.name == check)
    return identification.join(bounds(table, check), metric, PLAN.identification, ["sex"])


def count(table: pd.DataFrame, group: str, arm: str, band: str, stage: str, outcome: str) -> Any:
    keys = ["group", "arm", "band", "stage", "outcome"]
    return table.set_index(keys).loc[(group, arm, band, stage, outcome), "people"]


def test_own_counts_are_those_of_the_files_rounded_and_hidden() -> None:
    table = own(UNEQUAL | {("female", "signal", "no", "yes", "nothing"): 7})
    assert count(table, "female", TOTAL, TOTAL, "population", TOTAL) == 1005  # 1,007
    assert count(table, "female", TOTAL, "high", "flagged", TOTAL) == 300
    assert count(table, TOTAL, "profile", "high", "finding", "unlawful") == 70
    assert count(table, TOTAL, "random", TOTAL, "finding", "unlawful: no") == 80
    assert pd.isna(count(table, "female", "signal", TOTAL, "chosen", TOTAL))
    assert pd.isna(count(table, "male", "signal", TOTAL, "chosen", TOTAL))
    assert set(table["rounding"]) == {5}


def test_crossed_groups_are_counted_up_to_the_depth() -> None:
    table = own(UNEQUAL, "sex", "age_band")
    assert set(table["attribute"]) == {"sex", "age_band", "sex × age_band"}
    assert sources.crossings(["a", "b", "c"], 3)[-1] == ("a", "b", "c")


def test_missing_columns_are_a_gap_and_missing_groups_a_group() -> None:
    data = files(UNEQUAL)
    del data["welfare.investigations"]["arm"]
    gap = sources.own(data, ["sex"], 1)
    assert isinstance(gap, Absent)
    assert "welfare.investigations.arm" in gap.reason
    assert isinstance(sources.official({}), Absent)
    assert isinstance(sources.together(gap, gap), Absent)
    table = own(UNEQUAL | {(None, "none", "no", "no", None): 20})
    assert count(table, "(missing)", TOTAL, TOTAL, "population", TOTAL) == 20


def official(rounding: list[int] | None = None) -> dict[str, pd.DataFrame]:
    rows = [("Sweden 2017", "sex", sex, "random", "none", "finding", o, n) for sex, o, n in (
        ("men", "errors", 30), ("men", "none found", 70), ("women", "errors", 20),
        ("women", "none found", 80),
    )]  # fmt: skip
    table = pd.DataFrame(rows, columns=[*sources.KEYS, "people"])
    return {"welfare.audit_counts": table.assign(rounding=rounding or 1)}


def test_totals_of_exact_official_counts_are_added() -> None:
    table = sources.official(official())
    assert count(table, TOTAL, TOTAL, TOTAL, "finding", TOTAL) == 200
    assert count(table, "men", "random", TOTAL, "finding", TOTAL) == 100
    with pytest.raises(DatamallError, match="rounded in different ways"):
        sources.official(official([1, 1, 1, 10]))


def test_the_last_year_of_each_selection_is_judged() -> None:
    table = pd.DataFrame({"study": ["DUO 2014", "DUO 2019", "Sweden 2017"]})
    assert sources.latest(table)["study"].tolist() == ["DUO 2019", "Sweden 2017"]
    assert sources.earlier(table)["study"].tolist() == ["DUO 2014"]


def test_which_definitions_a_study_can_be_read_by() -> None:
    finding = pd.DataFrame({"stage": ["finding"], "arm": "random", "people": 30})
    known = ["nothing", "administrative", "unlawful"]

    def of(*results: str) -> pd.DataFrame:
        rows = [finding.assign(outcome=name) for name in (*results, TOTAL)]
        return pd.concat(rows, ignore_index=True)

    # One that says of every result what it means; which are no more than it says.
    assert list(sources.definitions(of(*known), PLAN.labels)) == list(LABELS)
    assert sources.definitions(of(*known, "errors"), PLAN.labels) == {}
    every = sources.definitions(of("errors found", "control investigation"), planned(
        labels=SECTION["labels"]).labels)  # fmt: skip
    left = every["errors, investigations left out"]
    assert left["control investigation"] is None and left["errors found"] is True
    # A part of a result is no further result, nor is a sum of them.
    parts = of("unduly", "unduly, no appeal", "unduly: yes", "none")
    assert list(steps.recorded(parts)) == ["unduly"]


def test_steps_are_compared_among_those_who_came_to_them() -> None:
    table = own(UNEQUAL)
    shown = compared(judged(table))
    assert set(shown["group"]) == {"female"}  # the other sex is the same, turned round
    numbers = ["successes", "trials", "other_successes", "other_trials"]
    assert pairs(table, "flagged").loc["female", numbers].tolist() == [300, 1000, 100, 1000]
    chosen = pairs(table, "chosen").loc["female"]
    assert chosen[["successes", "other_successes"]].tolist() == [150, 50]
    # How many of the flagged were drawn at random is hidden: 0 to 9.
    assert chosen["trials_high"] < 300 <= chosen["trials_low"]
    # That everybody was visited would tell of fewer than 10 that they were not.
    assert np.isnan(shown.loc["visited", "rate"]) and np.isnan(shown.loc["visited", "ratio"])
    assert pairs(table, "found").loc["female", numbers].tolist() == [10, 50, 10, 50]
    flagged = pairs(table, "flagged").loc["female"]
    assert [flagged["successes_low"], flagged["successes_high"]] == [298, 302]


def test_hidden_counts_are_bounds_and_never_noughts() -> None:
    few = own(UNEQUAL | {("male", "profile", "yes", "yes", "unlawful"): 9})
    male = pairs(few, "hit rate").loc["male"]
    assert 0 <= male["successes_low"] < male["successes_high"] == 9
    # Nor are they a rate: that the total leaves 10 for them is the doing of its rounding.
    assert np.isnan(compared(judged(few)).loc["hit rate", "other_rate"])
    result = judged(few)
    rows = result.comparisons["check"].eq("hit rate") & result.comparisons["group"].eq("male")
    assert (result.comparisons.loc[rows, "successes"] <= 9).all()
    shown = information.shares(result, "hit rate")
    assert shown["people"].tolist() == ["women"]


@pytest.mark.slow
def test_an_arm_in_which_nobody_was_is_nobody_and_one_without_results_is_no_nought(
    unequal: Audit,
) -> None:
    # Nobody reported anybody: still the caseworker chose, and whom the profile flagged is known.
    assert compared(unequal).loc["chosen", "verdict"] == NOT_ENOUGH
    reported = UNEQUAL | {
        (sex, "signal", "no", "yes", "nothing"): 60 for sex in ("female", "male")
    }  # fmt: skip
    table = own(reported)
    assert "wrongly visited" in compared(judged(table)).index
    results = table["arm"].eq("signal") & table["stage"].eq("finding")
    # Official counts print what they counted: what came of signals is not known, and not left out.
    printed = table[~results].assign(study="Somewhere 2025")
    assert "wrongly visited" not in compared(judged(printed)).index


def test_wrong_visits_by_hand() -> None:
    table = own(UNEQUAL)
    female = compared(judged(table)).loc["wrongly visited"]
    # 100 visited for nothing, of 950 who were not drawn, of whom four in five did nothing wrong.
    assert female["rate"] == pytest.approx(100 / (950 * 0.8))
    assert female["ratio"] == pytest.approx(100 / 30)
    assert female["low"] < 100 / 30 < female["high"]
    # Test and interval never disagree: at the limit the p-value is the error of that limit.
    found = joined(table)
    low = found.gaps(0.025, "ratio")[0][0]
    inside, outside = found.evidence("ratio", 1 / low, low)
    assert outside[0] == pytest.approx(2 * 0.025, rel=0.01)
    assert inside[0] > 0.5


def test_a_random_draw_without_a_case_leaves_everything_open() -> None:
    nobody = {key: n for key, n in UNEQUAL.items() if key[:2] != ("male", "random")}
    found = joined(own(nobody))
    low, high = found.gaps(0.025, "ratio")
    female, male = (list(found.table["group"]).index(group) for group in ("female", "male"))
    # Hidden: they may have been nobody. Each rate that there is may be theirs, up to everybody's.
    assert low[male] < 0.5
    assert found.limits(0.025)[1][male] == 1
    assert high[male] > 1 / found.rate()[female]
    said = compared(judged(own(nobody))).loc["wrongly visited"]
    assert said["verdict"] == NOT_ENOUGH and said["low"] < 0.5


def test_verdicts_and_the_whole(unequal: Audit) -> None:
    said = compared(unequal)["verdict"]
    assert said["flagged"] == FAIL
    assert said["chosen"] == NOT_ENOUGH
    assert words.overall(unequal) == FAIL
    # A check that could not be made is no evidence, even where all others pass.
    passing = [of_check(name, tolerance=FIVE, gating=True) for name in ("flagged", "picked")]
    assert words.overall(judged(own(UNEQUAL), planned(checks=passing))) == PASS
    upheld = of_check("upheld", gating=True)
    with_more = judged(own(UNEQUAL), planned(checks=[*passing, upheld]))
    assert set(with_more.comparisons["verdict"]) == {PASS}
    assert words.overall(with_more) == NOT_ENOUGH
    assert words.overall(Absent("a", "b")) == NOT_ENOUGH


def test_a_wider_tolerance_makes_less_of_the_same_gap() -> None:
    wide = compared(judged(own(UNEQUAL), planned(within=4.0)))
    assert wide.loc["flagged", "verdict"] == PASS


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ([of_check("flagged"), of_check("flagged")], "two checks called flagged"),
        ([of_check("flagged"), of_check("flagged", gating=False)], "two checks called flagged"),
        ([of_check("flagged", metric="burden")], "no metric 'burden'"),
        ([of_check("flagged", step={"to": "burdened"})], "step of check flagged goes to one of"),
        ([], "needs groups"),
        ([of_check("flagged", tolerance={"kind": "ratio", "within": 0.5, "reason": "-"})],
         "within 0.5: give a wider"),
        ([of_check("flagged", tolerance={"kind": "ratio", "within": 1.25})], "with its reason"),
        ([of_check("flagged", tolerance={"kind": "ratio", "within": 2, "high": 3, "reason": "-"})],
         "not both"),
        ([of_check("flagged", to="flagged")], "no 'to'"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused(checks: list[Any], message: str) -> None:
    with pytest.raises(DatamallError, match=message):
        planned(checks=checks)


def test_a_plan_without_a_step_or_a_check_that_gates_says_so() -> None:
    stepless = {name: value for name, value in of_check("flagged").items() if name != "step"}
    with pytest.raises(DatamallError, match="names no step"):
        judged(own(UNEQUAL), planned(checks=[stepless], labels={}))
    nothing = judged(own(UNEQUAL), planned(checks=[of_check("flagged", gating=False)]))
    assert words.overall(nothing) == NOT_ENOUGH
    assert "no check that gates" in nothing.verdict.reasons[0]


def test_sentences_are_in_numbers_of_people(unequal: Audit) -> None:
    said = knowledge.by_check(unequal, True).set_index("check")
    assert said.index.tolist() == GATING
    assert said.loc["flagged", "sentence"].startswith(
        "Of 1,000 women, 300 are flagged by the profile; of 1,000 others, 100: 3.0 ("
    )
    assert "who did nothing wrong, 132 are visited" in said.loc["wrongly visited", "sentence"]
    assert "ECHR" in said.loc["wrongly visited", "norm"]


def with_verdict(result: Audit, verdict: str) -> Audit:
    table = result.comparisons.assign(verdict=verdict)
    return replace(result, comparisons=table, verdict=Verdict(verdict, ()))


def test_the_answer_says_what_it_comes_to_and_never_that_unknown_is_fair(unequal: Audit) -> None:
    failed = words.answer(unequal)
    assert failed.startswith("Do not deploy. In 2025, women are flagged 3.0 times as often")
    assert "95 % interval" in failed
    unsure = words.answer(with_verdict(unequal, NOT_ENOUGH))
    assert unsure.startswith("Do not deploy: there is not enough evidence.")
    assert "no proof that people are treated alike" in unsure
    assert "no proof" in words.answer(Absent("a", "b."))
    assert words.answer(with_verdict(unequal, PASS)).startswith("No gap beyond")


def test_conclusions_name_every_check_that_decides() -> None:
    table = own(UNEQUAL)
    result = judged(table[table["stage"] != "visited"])
    done = wisdom.conclusions(result).set_index("check")
    assert done.index.tolist() == GATING
    assert done.loc["visited", "verdict"] == "not enough"
    assert done.loc["visited", "groups"] == "all"
    assert done.loc["flagged", "next_step"].startswith("Stop flagging")
    record = wisdom.decision_records(result)
    assert record.loc[0, "recommended"] == "Do not deploy"
    assert "decided" not in record  # that is no output of a program


def test_harm_by_hand(unequal: Audit) -> None:
    harm = wisdom.harm(unequal).set_index("people")
    # Women: 100 visited for nothing; at the rate of the others, 30.
    assert harm.loc["women", ["visited_for_nothing", "as_the_others", "too_many"]].tolist() == [
        100, 30, 70,
    ]  # fmt: skip
    assert harm.loc["women", "low"] <= 70 <= harm.loc["women", "high"]


def test_the_naive_rate_stands_beside_the_identified_one() -> None:
    table = own(UNEQUAL)
    told = knowledge.errors(table, judged(table)).set_index(["error", "people"])
    women = told.loc[("wrongly visited", "women")]
    # Naively: 140 of 200 women and 70 of 100 men visited had done nothing wrong. No gap at all.
    assert women["naive_of_1000"] == 700
    assert women["naive_ratio"] == 1
    assert women["ratio"] == pytest.approx(100 / 30, abs=0.005)
    assert isinstance(
        knowledge.errors(table, knowledge.judged(table, planned(groups=["x"]))), Absent
    )
    undrawn = own({key: n for key, n in UNEQUAL.items() if key[1] != "random"})
    assert isinstance(knowledge.errors(undrawn, judged(undrawn)), Absent)


def test_criteria_follow_from_each_other(unequal: Audit) -> None:
    table = knowledge.criteria(unequal).set_index("people")
    women = table.loc["women"]
    base, right, flags = 0.2, 50 / 150, 0.3
    assert women["wrongly_flagged"] == round(1000 * flags * (1 - right) / (1 - base))
    assert women["missed"] == round(1000 * (1 - flags * right / base))
    # Mistakes are equally frequent here, so the criteria could hold together.
    assert table["if_equal"].nunique() == 1


def test_a_conclusion_that_changes_with_the_definition_is_fragile() -> None:
    both = {
        ("female", "profile", "yes", "yes", "administrative"): 400,
        ("male", "profile", "yes", "yes", "administrative"): 20,
        ("male", "profile", "yes", "yes", "nothing"): 400,
    }
    result = judged(sources.own(files(UNEQUAL | both), ("sex",), 1, LABELS))
    told = knowledge.fragile(result)
    assert told.set_index("check").loc["hit rate", "fragile"] == "yes"
    assert told["fragile"].iloc[0] == "yes"
    checks = result.checks.set_index("check")
    assert checks.loc["hit rate", "fragile"] and checks.loc["hit rate", "verdict"] == NOT_ENOUGH


def test_a_result_of_one_arm_only_is_reported() -> None:
    sizes = {key: 10 * n for key, n in UNEQUAL.items()}
    only = information.only_in(own(sizes | {("male", "profile", "yes", "yes", "unclear"): 90}))
    assert only[["result", "arm", "number"]].to_numpy().tolist() == [["unclear", "profile", 90]]
    assert information.only_in(own(sizes)).empty


def test_rates_agree_with_fairlearn(unequal: Audit) -> None:
    table = information.difference_to_fairlearn(unequal)
    assert {"selection_rate", "precision_score"} <= set(table["metric"])
    assert (table["largest_difference"] < 1e-12).all()


def test_shares_have_intervals_that_hold_what_rounding_leaves_open(unequal: Audit) -> None:
    table = information.shares(unequal, "flagged").set_index("people")
    assert table.loc["women", "of_1000"] == 300
    assert table.loc["women", "low"] < 272 < 329 < table.loc["women", "high"]
    gap = information.shares(knowledge.judged(own(UNEQUAL), planned(groups=["origin"])), "flagged")
    assert isinstance(gap, Absent)
    assert isinstance(information.shares(unequal, "upheld"), Absent)


def test_small_numbers_are_hidden_with_what_they_would_follow_from() -> None:
    few = UNEQUAL | {("other", "none", "no", "no", None): 30} | {
        ("other", "profile", "yes", "yes", "nothing"): 4
    }  # fmt: skip
    table = information.people(own(few), planned(groups=["sex"]))
    flagged = table.set_index("people")["flagged"]
    assert flagged.isna().sum() == 2
    assert flagged["women"] == 300


def test_without_anything_every_chapter_is_a_gap() -> None:
    nothing = sources.together(sources.own({}, ["sex"], 1), sources.official({}))
    result = knowledge.judged(nothing, PLAN)
    for told in (
        display.comparisons(result),
        information.people(nothing, PLAN),
        information.shares(result, "flagged"),
        information.missing(result),
        knowledge.by_check(result, True),
        knowledge.fragile(result),
        knowledge.errors(nothing, result),
        sensitivity.years(nothing, result),
        sensitivity.capacities({}, PLAN),
        wisdom.conclusions(result),
        wisdom.harm(result),
    ):
        assert isinstance(told, Absent)
    assert words.metrics(result) == {}
    assert words.overall(result) == NOT_ENOUGH


ODD = {
    "nobody was flagged": {k: n for k, n in UNEQUAL.items() if k[2] == "no"},
    "everybody was flagged": {(*k[:2], "yes", *k[3:]): n for k, n in UNEQUAL.items()},
    "nobody was drawn at random": {k: n for k, n in UNEQUAL.items() if k[1] != "random"},
    "one group alone": {k: n for k, n in UNEQUAL.items() if k[0] == "male"},
    "sex is not known": {(None, *k[1:]): n for k, n in UNEQUAL.items() if k[0] == "male"},
    "three people": {
        ("female", "none", "no", "no", None): 2,
        ("male", "none", "no", "no", None): 1,
    },
}


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("people", ODD.values(), ids=ODD)
def test_odd_counts_give_no_verdict_beyond_their_evidence(
    people: dict[tuple[Any, ...], int],
) -> None:
    counts = own(people)
    result = knowledge.judged(counts, PLAN)
    assert words.overall(result) != PASS
    said = words.answer(result)
    assert "Do not deploy" in said or "no proof" in said
    for told in (
        information.people(counts, PLAN),
        information.shares(result, "wrongly visited"),
        information.labels(counts, PLAN),
        information.missing(result),
        information.difference_to_fairlearn(result),
        knowledge.by_check(result, True),
        knowledge.by_check(result, False),
        knowledge.matrix(display.comparisons(result, True)),
        knowledge.errors(counts, result),
        knowledge.calibration(counts, PLAN),
        knowledge.criteria(result),
        knowledge.decomposition(result),
        sensitivity.crossed(counts, PLAN),
        wisdom.conclusions(result),
        wisdom.harm(result),
        wisdom.decision_records(result),
    ):
        assert isinstance(told, pd.DataFrame | Absent)


@pytest.mark.slow
def test_far_out_the_limits_of_wrong_visits_err_no_more_often_than_stated() -> None:
    """100,000 fair worlds in which 20 people of a group were drawn, and nearly all did no wrong."""
    draw, worlds = np.random.Generator(np.random.PCG64(3)), 100_000
    sides = []
    for people, drawn in ((2700, 20), (6300, 400)):
        visited, clear = (draw.binomial(n, p, worlds) for n, p in ((people, 0.095), (drawn, 0.95)))
        # All who were visited had done nothing wrong: chance is in how many, and in the draw.
        of_draw = clear, drawn - clear
        samples = ((visited, visited, 0 * visited), (np.full(worlds, people), *of_draw))
        exact = [[np.stack([v, v, v]).astype(float) for v in own] for own in samples]
        flagged, left = BoundedSample(*exact[0], complete=True), BoundedSample(*exact[1])
        sides.append((flagged, left, left))
    part = BoundedPart(pd.DataFrame({"group": range(worlds)}), "base", False, None, *sides)
    tail = 0.001
    wrong = part.gap("fpr", tail, "ratio")[0] > 1
    assert wrong.mean() <= tail + 3 * np.sqrt(tail / worlds)  # plain limits: 0.0020
