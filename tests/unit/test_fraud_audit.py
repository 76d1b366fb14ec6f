"""The bias audit: from counts to verdicts and words, on counts small enough to reckon by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS
from datamall.fraud.audit import (
    errors,
    information,
    judge,
    knowledge,
    sensitivity,
    sources,
    wisdom,
    words,
)
from datamall.fraud.audit.judge import Plan
from datamall.fraud.audit.sources import TOTAL
from datamall.requirements import Absent

LABELS = ["unlawful or administrative", "unlawful"]
PLAN = Plan(
    groups=["origin", "sex"],
    gating=["flagged", "chosen", "visited", "wrongly visited"],
    informing=["found", "hit rate", "wrongly flagged", "missed"],
    labels=LABELS,
    ratio=1.25,
    ratio_alike=1.11,
    level=0.95,
    power=0.8,
)


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
    table = sources.own(files(people), groups or ("sex",), 2, ["unlawful"])
    assert isinstance(table, pd.DataFrame)
    return table


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


def test_what_a_label_means() -> None:
    known = ["nothing", "administrative", "unlawful"]
    assert sources.meaning("unlawful", known) == {
        "nothing": False,
        "administrative": False,
        "unlawful": True,
    }
    left = sources.meaning("unlawful without administrative", known)
    assert left is not None and left["administrative"] is None
    assert sources.meaning("errors", known) is None
    with pytest.raises(DatamallError, match="name it once"):
        sources.meaning("unlawful without unlawful", known)
    # A part of a result is no further result.
    parts = pd.DataFrame({"stage": "finding", "outcome": ["unduly", "unduly, no appeal", TOTAL]})
    assert sources.outcomes(parts) == ["unduly"]


def test_steps_are_compared_among_those_who_came_to_them() -> None:
    pairs = judge.steps(own(UNEQUAL), ["flagged", "chosen", "visited", "found"], "unlawful")
    assert pairs["group"].tolist() == ["female"] * 4  # the other sex is the same, turned round
    got = pairs.set_index("check")[["successes", "trials", "other_successes", "other_trials"]]
    assert got.loc["flagged"].tolist() == [300, 1000, 100, 1000]
    assert got.loc["chosen", ["successes", "other_successes"]].tolist() == [150, 50]
    # How many of the flagged were drawn at random is hidden: 0 to 9.
    chosen = pairs.set_index("check").loc["chosen"]
    assert chosen["trials_high"] < 300 <= chosen["trials_low"]
    # That everybody was visited would tell of fewer than 10 that they were not.
    assert np.isnan(got.loc["visited", "successes"])
    assert got.loc["found"].tolist() == [10, 50, 10, 50]
    bounds = pairs.set_index("check").loc["flagged"]
    assert [bounds["successes_low"], bounds["successes_high"]] == [298, 302]


def test_hidden_counts_are_bounds_and_never_noughts() -> None:
    few = UNEQUAL | {("male", "profile", "yes", "yes", "unlawful"): 9}
    table = own(few)
    pairs = judge.steps(table, ["hit rate"], "unlawful", every_group=True)
    male = pairs.set_index("group").loc["male"]
    assert 0 <= male["successes_low"] < male["successes_high"] == 9
    assert np.isnan(male["successes"])


def test_wrong_visits_by_hand() -> None:
    pairs = errors.pairs(own(UNEQUAL), "unlawful")
    assert pairs is not None
    female = errors.rates(pairs).set_index("group").loc["female"]
    # 100 visited for nothing, of 1,000 of whom four in five did nothing wrong.
    assert female["rate"] == pytest.approx(100 / 800)
    assert female["ratio"] == pytest.approx(100 / 30)
    low, high = errors.interval(pairs, 0.025)
    assert low[0] < 100 / 30 < high[0]
    # Test and interval never disagree: at the limit the p-value is the error of that limit.
    inside, outside = errors.evidence(pairs.head(1), 1 / low[0], low[0])
    assert outside[0] == pytest.approx(2 * 0.025, rel=0.01)
    assert inside[0] > 0.5


def test_a_random_draw_without_a_case_leaves_everything_open() -> None:
    nobody = {key: n for key, n in UNEQUAL.items() if key[:2] != ("male", "random")}
    pairs = errors.pairs(own(nobody), "unlawful")
    assert pairs is not None
    low, high = errors.interval(pairs[pairs["group"] == "male"], 0.025)
    # Hidden: they may have been nobody.
    assert low[0] < 0.5
    assert high[0] == np.inf


def test_verdicts_and_the_whole() -> None:
    table = judge.gate(own(UNEQUAL), PLAN)
    assert isinstance(table, pd.DataFrame)
    said = table.set_index("check")["verdict"]
    assert said["flagged"] == FAIL
    assert said["chosen"] == NOT_ENOUGH
    assert judge.overall(table, PLAN) == FAIL
    # A check that could not be made is no evidence, even where all others pass.
    passed = table.assign(verdict=PASS)
    assert judge.overall(passed, PLAN) == PASS
    assert judge.overall(passed[passed["check"] != "chosen"], PLAN) == NOT_ENOUGH
    assert judge.overall(Absent("a", "b"), PLAN) == NOT_ENOUGH


def test_a_wider_tolerance_makes_less_of_the_same_gap() -> None:
    wide = replace(PLAN, ratio=4.0)
    table = judge.gate(own(UNEQUAL), wide)
    assert table.set_index("check").loc["flagged", "verdict"] == PASS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gating": ["flagged", "flagged"]}, "name 'flagged'"),
        ({"gating": ["burdened"]}, "name 'burdened'"),
        ({"gating": []}, "no check"),
        ({"informing": ["flagged"]}, "at most once"),
        ({"ratio": 0.5}, "tolerance"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DatamallError, match=message):
        replace(PLAN, **change)


def test_sentences_are_in_numbers_of_people() -> None:
    table = judge.gate(own(UNEQUAL), PLAN)
    said = knowledge.by_check(table).set_index("check")
    assert said.loc["flagged", "sentence"].startswith(
        "Of 1,000 women, 300 are flagged by the profile; of 1,000 others, 100: 3.0 ("
    )
    assert "who did nothing wrong, 125 are visited" in said.loc["wrongly visited", "sentence"]
    assert "ECHR" in said.loc["wrongly visited", "norm"]


def test_the_answer_says_what_it_comes_to_and_never_that_unknown_is_fair() -> None:
    table = judge.gate(own(UNEQUAL), PLAN)
    failed = words.answer(table, PLAN)
    assert failed.startswith("Do not deploy. In 2025, women are flagged 3.0 times as often")
    assert "95 % interval" in failed
    unsure = words.answer(table.assign(verdict=NOT_ENOUGH), PLAN)
    assert unsure.startswith("Do not deploy: there is not enough evidence.")
    assert "no proof that people are treated alike" in unsure
    assert "no proof" in words.answer(Absent("a", "b."), PLAN)
    assert words.answer(table.assign(verdict=PASS), PLAN).startswith("No gap beyond")


def test_conclusions_name_every_check_that_decides() -> None:
    table = judge.gate(own(UNEQUAL), PLAN)
    done = wisdom.conclusions(table[table["check"] != "visited"], PLAN).set_index("check")
    assert done.index.tolist() == PLAN.gating
    assert done.loc["visited", "verdict"] == "not enough"
    assert done.loc["flagged", "next_step"].startswith("Stop flagging")
    record = wisdom.decision_records(table, PLAN)
    assert record.loc[0, "recommended"] == "Do not deploy"
    assert (record[["decided", "decided_by_role"]] == "").all().all()


def test_harm_by_hand() -> None:
    harm = wisdom.harm(own(UNEQUAL), PLAN).set_index("people")
    # Women: 100 visited for nothing; at the rate of the others, 30.
    assert harm.loc["women", ["visited_for_nothing", "as_the_others", "too_many"]].tolist() == [
        100, 30, 70,
    ]  # fmt: skip
    assert harm.loc["women", "low"] <= 70 <= harm.loc["women", "high"]


def test_the_naive_rate_stands_beside_the_identified_one() -> None:
    told = knowledge.errors(own(UNEQUAL), PLAN).set_index(["error", "people"])
    women = told.loc[("wrongly visited", "women")]
    # Naively: 140 of 200 women and 70 of 100 men visited had done nothing wrong. No gap at all.
    assert women["naive_of_1000"] == 700
    assert women["naive_ratio"] == 1
    assert women["ratio"] == pytest.approx(100 / 30, abs=0.005)
    assert isinstance(knowledge.errors(own(UNEQUAL), replace(PLAN, groups=["x"])), Absent)


def test_criteria_follow_from_each_other() -> None:
    table = knowledge.criteria(own(UNEQUAL), PLAN).set_index("people")
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
    data = files(UNEQUAL | both)
    table = sources.own(data, ("sex",), 1, LABELS)
    told = knowledge.fragile(table, PLAN)
    assert told.set_index("check").loc["hit rate", "fragile"] == "yes"
    assert told["fragile"].iloc[0] == "yes"


def test_a_result_of_one_arm_only_is_reported() -> None:
    sizes = {key: 10 * n for key, n in UNEQUAL.items()}
    only = information.only_in(own(sizes | {("male", "profile", "yes", "yes", "unclear"): 90}))
    assert only[["result", "arm", "number"]].to_numpy().tolist() == [["unclear", "profile", 90]]
    assert information.only_in(own(sizes)).empty


def test_rates_agree_with_fairlearn() -> None:
    table = information.difference_to_fairlearn(own(UNEQUAL), PLAN)
    assert {"selection_rate", "precision_score"} <= set(table["metric"])
    assert (table["largest_difference"] < 1e-12).all()


def test_shares_have_intervals_that_hold_what_rounding_leaves_open() -> None:
    table = information.shares(own(UNEQUAL), PLAN, "flagged").set_index("people")
    assert table.loc["women", "of_1000"] == 300
    assert table.loc["women", "low"] < 272 < 329 < table.loc["women", "high"]
    gap = information.shares(own(UNEQUAL), replace(PLAN, groups=["origin"]), "flagged")
    assert isinstance(gap, Absent)


def test_small_numbers_are_hidden_with_what_they_would_follow_from() -> None:
    few = UNEQUAL | {("other", "none", "no", "no", None): 30} | {
        ("other", "profile", "yes", "yes", "nothing"): 4
    }  # fmt: skip
    table = information.people(own(few), replace(PLAN, groups=["sex"]))
    flagged = table.set_index("people")["flagged"]
    assert flagged.isna().sum() == 2
    assert flagged["women"] == 300


def test_without_anything_every_chapter_is_a_gap() -> None:
    gap = sources.together(sources.own({}, ["sex"], 1), sources.official({}))
    gate = judge.gate(gap, PLAN)
    for told in (
        information.people(gap, PLAN),
        information.shares(gap, PLAN, "flagged"),
        information.missing(gap, PLAN),
        knowledge.by_check(gate),
        knowledge.fragile(gap, PLAN),
        sensitivity.years(gap, gate, PLAN),
        sensitivity.capacities({}, PLAN),
        wisdom.conclusions(gate, PLAN),
    ):
        assert isinstance(told, Absent)
    assert words.metrics(gate, gate, PLAN) == {}


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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("people", ODD.values(), ids=ODD)
def test_odd_counts_give_no_verdict_beyond_their_evidence(
    people: dict[tuple[Any, ...], int],
) -> None:
    counts = own(people)
    gate, inform = judge.gate(counts, PLAN), judge.inform(counts, PLAN)
    assert judge.overall(gate, PLAN) != PASS
    said = words.answer(gate, PLAN)
    assert "Do not deploy" in said or "no proof" in said
    for told in (
        information.people(counts, PLAN),
        information.shares(counts, PLAN, "wrongly visited"),
        information.labels(counts, PLAN),
        information.difference_to_fairlearn(counts, PLAN),
        knowledge.by_check(gate),
        knowledge.by_check(inform),
        knowledge.matrix(gate),
        knowledge.errors(counts, PLAN),
        knowledge.calibration(counts, PLAN),
        knowledge.criteria(counts, PLAN),
        sensitivity.crossed(counts, PLAN),
        wisdom.conclusions(gate, PLAN),
        wisdom.harm(counts, PLAN),
        wisdom.decision_records(gate, PLAN),
    ):
        assert isinstance(told, pd.DataFrame | Absent)


def test_far_out_the_limits_of_wrong_visits_err_no_more_often_than_stated() -> None:
    """100,000 fair worlds in which 20 people of a group were drawn, and nearly all did no wrong."""
    draw = np.random.Generator(np.random.PCG64(3))
    columns: dict[str, Any] = {}
    for side, people, drawn in (("", 2700, 20), ("other_", 6300, 400)):
        visited, clear = (draw.binomial(n, p, 100_000) for n, p in ((people, 0.095), (drawn, 0.95)))
        for name, x, n in ((side, visited, people), (f"clear_{side}", clear, drawn)):
            for end in ("", "_low", "_high"):
                columns |= {f"{name}successes{end}": x, f"{name}trials{end}": np.full(len(x), n)}
    tail = 0.001
    wrong = errors.lower(pd.DataFrame(columns), tail) > 1
    assert wrong.mean() <= tail + 3 * np.sqrt(tail / len(wrong))  # plain limits: 0.0020
