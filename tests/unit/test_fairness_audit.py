"""The audit as a whole: verdicts, labels, arms, what is not judged, and hostile input."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.fairness import Audit, Bounds, Cells, audit
from datamall.fairness.inference import compare
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS, verdicts

RATIO = {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}
POINTS = {"kind": "difference", "low": -0.1, "high": 0.1, "reason": "ten points"}


def check(metric: str = "selection_rate", **more: Any) -> dict[str, Any]:
    return {"name": metric, "metric": metric, "tolerance": RATIO} | more


def plan(*checks: dict[str, Any], groups: Any = ("g",), **more: Any) -> dict[str, Any]:
    return {"groups": list(groups), "checks": list(checks)} | more


def cells(**groups: tuple[int, int, int, int]) -> Cells:
    """Return cells from tp, fp, fn, tn of each group."""
    table = pd.DataFrame.from_dict(groups, orient="index", columns=["tp", "fp", "fn", "tn"])
    return Cells.from_confusion(table.reset_index(names="g"), ["g"])


def flagged(**groups: tuple[int, int]) -> Cells:
    return cells(**{name: (x, 0, n - x, 0) for name, (x, n) in groups.items()})


def one(result: Audit) -> pd.Series:
    assert len(result.checks) == 1
    return result.checks.iloc[0]


def test_one_check_is_what_its_parts_say() -> None:
    counts = flagged(a=(1000, 10_000), b=(1010, 10_000), c=(2600, 10_000))
    result = audit(counts, plan(check()))
    expected = verdicts(
        compare(counts, estimand="procedure", names=["selection_rate"]), _tolerance()
    ).set_index("group")
    own = result.comparisons.set_index("group")
    for ours, theirs in (("gap", "ratio"), ("p_inside",) * 2, ("p_outside",) * 2):
        np.testing.assert_allclose(own[ours], expected[theirs], rtol=1e-12)
    # Both limits of all gaps at once are those of compare, whose level is for all rows.
    for end in ("low", "high"):
        np.testing.assert_allclose(own[f"all_{end}"], expected[f"ratio_{end}"], rtol=1e-12)
    assert own["verdict"].to_dict() == {"a": FAIL, "b": FAIL, "c": FAIL}
    assert result.verdict.overall == FAIL
    assert (one(result)["failed"], one(result)["group"]) == (3, "c")
    assert result.figures["rate"].tolist() == [0.1, 0.101, 0.26]


def _tolerance() -> Any:
    from datamall.fairness.verdict import Tolerance

    return Tolerance("ratio", 0.8, 1.25)


def test_pass_needs_every_gating_check_and_no_other() -> None:
    counts = cells(a=(500, 500, 3000, 6000), b=(500, 510, 3000, 6000))
    rare = check("ppv", name="rare", tolerance={**RATIO, "low": 0.999, "high": 1.001})
    both = audit(counts, plan(check(), check("fpr")))
    assert both.verdict.overall == PASS
    assert both.verdict.reasons == ()
    assert audit(counts, plan(check(), rare)).verdict.overall == NOT_ENOUGH
    informs = audit(counts, plan(check(), rare | {"gating": False}))
    assert informs.verdict.overall == PASS
    assert informs.checks["verdict"].tolist() == [PASS, NOT_ENOUGH]
    nothing = audit(counts, plan(check(gating=False)))
    assert nothing.verdict.overall == NOT_ENOUGH
    assert "no check that gates" in nothing.verdict.reasons[0]


def test_pass_is_both_limits_inside_the_tolerance() -> None:
    draw = np.random.Generator(np.random.PCG64(11))
    for _ in range(20):
        n = draw.integers(300, 3000, 3)
        counts = flagged(**{f"g{i}": (int(draw.binomial(v, 0.2)), int(v)) for i, v in enumerate(n)})
        own = audit(counts, plan(check())).comparisons
        inside = (own["gap_low"] > 0.8) & (own["gap_high"] < 1.25)
        assert (inside == (own["verdict"] == PASS)).all()


def test_two_groups_are_one_comparison_and_not_two() -> None:
    own = audit(flagged(a=(100, 1000), b=(160, 1000)), plan(check())).comparisons
    np.testing.assert_allclose(own["p_outside_holm"], own["p_outside"], rtol=1e-9)
    three = audit(flagged(a=(100, 1000), b=(160, 1000), c=(100, 1000)), plan(check())).comparisons
    assert three["p_outside_holm"].min() > 2 * three["p_outside"].min()


def test_a_list_is_judged_as_it_is() -> None:
    result = audit(flagged(a=(10, 100), b=(11, 100), c=(20, 100)), plan(check(estimand="list")))
    assert result.comparisons["verdict"].tolist() == [FAIL, FAIL, FAIL]
    assert result.comparisons["p_outside"].isna().all()
    assert (result.figures["low"] == result.figures["rate"]).all()
    same = audit(flagged(a=(10, 100), b=(11, 100)), plan(check(estimand="list")))
    assert same.verdict.overall == PASS


RESULTS = pd.DataFrame(
    [(g, r, n) for g, row in {"a": (300, 100, 600), "b": (300, 400, 300)}.items()
     for r, n in zip(("fraud", "unclear", "none"), row, strict=True)],
    columns=["g", "result", "n"],
)  # fmt: skip
LABELS = {
    "strict": {"fraud": True, "unclear": False, "none": False},
    "wide": {"fraud": True, "unclear": True, "none": False},
}


def test_a_conclusion_that_depends_on_the_label_is_fragile_and_no_evidence() -> None:
    counts = Cells.from_frame(RESULTS, ["g", "result"], count="n")
    result = audit(counts, plan(check("base_rate"), result="result", labels=LABELS))
    assert result.labels.set_index("label")["verdict"].to_dict() == {"strict": PASS, "wide": FAIL}
    assert one(result)["fragile"]
    assert result.verdict.overall == NOT_ENOUGH
    assert result.verdict.reasons == (
        "base_rate depends on what counts as the outcome (strict: PASS, wide: FAIL).",
    )
    alone = audit(counts, plan(check("base_rate"), result="result", labels={"s": LABELS["strict"]}))
    assert alone.verdict.overall == PASS
    assert not one(alone)["fragile"]


def test_checks_without_outcomes_are_not_repeated_by_label() -> None:
    frame = RESULTS.assign(d=1)
    counts = Cells.from_frame(frame, ["g", "result"], "d", count="n")
    result = audit(counts, plan(check(), check("ppv"), result="result", labels=LABELS))
    assert result.labels[["check", "label"]].to_numpy().tolist() == [
        ["selection_rate", "as recorded"],
        ["ppv", "strict"],
        ["ppv", "wide"],
    ]


def everybody(seed: int = 3, **more: Any) -> pd.DataFrame:
    """Return 20,000 people; one group is wrongly flagged three times as often."""
    draw = np.random.Generator(np.random.PCG64(seed))
    n = more.get("n", 20_000)
    g = draw.choice(["a", "b"], n, p=[0.8, 0.2])
    y = draw.random(n) < 0.2
    flag = draw.random(n) < np.where(g == "b", more.get("b", 0.15), 0.05) * (1 + y)
    arm = np.where(draw.random(n) < 0.1, "random", np.where(flag, "profile", "none"))
    result = pd.Series(np.where(y, "fraud", "none")).where(arm != "none")
    return pd.DataFrame({"g": g, "flag": flag, "arm": arm, "result": result})


HOW = {"random": "random", "profile": "profile", "reason": "all who are flagged are visited"}
MEANS = {"fraud": {"fraud": True, "none": False}}


def of_everybody(frame: pd.DataFrame, **more: Any) -> Audit:
    counts = Cells.from_frame(frame, ["g", "result"], "flag", arm="arm")
    asked = plan(check("fpr"), result="result", labels=MEANS, identification=HOW)
    return audit(counts, asked | more)


def test_error_rates_are_of_everybody_where_a_random_arm_identifies_them() -> None:
    fails, fair = of_everybody(everybody()), of_everybody(everybody(b=0.05, n=60_000))
    assert (fails.verdict.overall, fair.verdict.overall) == (FAIL, PASS)
    row = one(fails)
    assert row["identified"]
    assert row["rate"] == pytest.approx(0.15, abs=0.02)
    assert row["all_low"] < 3 < row["all_high"]
    assert set(fails.comparisons["source"]) == {"all arms, with the flags of everybody"}


def test_without_a_random_arm_they_are_not_identified() -> None:
    frame = everybody()
    frame = frame.assign(result=frame["result"].where(frame["arm"] == "profile"))
    result = of_everybody(frame)
    row = one(result)
    assert not row["identified"]
    assert row["why"] == "the random arm has no outcomes"
    assert result.verdict.overall == NOT_ENOUGH
    assert result.verdict.reasons == ("fpr is not identified: the random arm has no outcomes.",)
    assert set(result.comparisons["source"]) == {"worst cases"}
    assert result.comparisons["detectable_high"].isna().all()
    # The worst cases hold the truth, and say little.
    own = result.figures.set_index("group")
    assert (own.loc["b", "low"] < 0.15) & (own.loc["b", "high"] > 0.15)
    unplanned = of_everybody(everybody(), identification=None)
    assert "names no random arm" in one(unplanned)["why"]


def test_error_rates_of_the_selected_alone_are_no_rates_of_everybody() -> None:
    alone = cells(a=(300, 700, 0, 0), b=(300, 700, 0, 0))
    row = one(audit(alone, plan(check("fpr"))))
    assert row["verdict"] == NOT_ENOUGH
    assert row["why"] == "everybody who is counted was selected, or nobody was"
    # Of a list the worst cases agree, on 1 and 1: that is no evidence either.
    assert one(audit(alone, plan(check("fpr", estimand="list"))))["verdict"] == NOT_ENOUGH
    assert one(audit(alone, plan(check("ppv"))))["verdict"] == PASS
    nobody = cells(a=(0, 0, 300, 700), b=(0, 0, 300, 700))
    assert one(audit(nobody, plan(check("fnr", tolerance=POINTS))))["verdict"] == NOT_ENOUGH


def test_rates_among_the_investigated_are_called_that() -> None:
    result = of_everybody(
        everybody(), checks=[check("fpr", of="investigated", gating=False, tolerance=POINTS)]
    )
    assert set(result.comparisons["source"]) == {"investigated only"}


def test_a_result_of_one_arm_only_is_found_and_not_joined() -> None:
    frame = everybody()
    odd = (frame["arm"] == "profile") & (frame["result"] == "fraud") & (frame.index % 2 == 0)
    frame.loc[odd, "result"] = "opened"
    labels = {"wide": MEANS["fraud"] | {"opened": True}, "drop": MEANS["fraud"] | {"opened": None}}
    result = of_everybody(frame, labels=labels)
    assert result.recorded.set_index("result")["one_arm_only"].to_dict() == {
        "fraud": False,
        "none": False,
        "opened": True,
    }
    why = result.comparisons.groupby("label")["why"].first()
    assert why["wide"] == "opened was recorded in the arm profile only"
    assert why["drop"] == ""
    same = {**HOW, "same_measurement": "the second visit was offered to all"}
    stated = of_everybody(frame, labels=labels, identification=same)
    assert stated.comparisons["identified"].all()


def test_groups_that_do_not_gate_are_shown() -> None:
    counts = flagged(a=(1000, 10_000), b=(1010, 10_000), c=(8, 20), d=(4000, 10_000))
    rest = {"reference": {"g": "a"}}
    everything = audit(counts, plan(check(), **rest))
    assert everything.verdict.overall == FAIL
    some = audit(counts, plan(check(), leave_out={"g": ["d"]}, smallest=30, **rest))
    assert some.verdict.overall == PASS
    own = some.comparisons.set_index("group")
    assert own["gates"].to_dict() == {"b": True, "c": False, "d": False}
    assert own.loc["d", "verdict"] == FAIL
    assert own.loc["c", "not_judged"] == "fewer than 30 people"
    assert own.loc["d", "not_judged"] == "the plan leaves out g d"
    assert some.changes["what"].tolist() == ["group left out", "small groups left out"]
    assert (some.changes["easier"] == "yes").all()
    assert one(some)["not_judged"] == 2


def test_merged_groups_stay_written_on_the_audit() -> None:
    counts = flagged(a=(1000, 10_000), b=(1000, 10_000), c=(400, 1000), d=(1000, 30_000))
    assert audit(counts, plan(check(), reference={"g": "a"})).verdict.overall == FAIL
    turned = {"merge": {"g": {"other": ["c", "d"]}}, "leave_out": {"g": ["other"]}}
    merged = plan(check(), reference={"g": "a"}, **turned)
    result = audit(counts, merged, registered=plan(check(), reference={"g": "a"}))
    assert result.verdict.overall == PASS
    assert result.changes["what"].tolist() == [
        "groups merged",
        "group left out",
        "merge",
        "leave_out",
    ]
    assert result.changes.iloc[0][["before", "after"]].tolist() == ["c, d", "other"]


def test_rounded_counts_are_judged_at_their_worst() -> None:
    table = pd.DataFrame({"g": list("aabb"), "d": [1, 0] * 2, "n": [1000, 9000, 1240, 8760]})
    exact = Cells.from_frame(table, ["g"], "d", count="n")
    asked = plan(check(estimand="list"), reference={"g": "a"})
    assert audit(exact, asked).verdict.overall == PASS
    rough = Bounds.from_rounded(table, ["g"], "d", count="n", rounding=20)
    assert audit(rough, asked).verdict.overall == NOT_ENOUGH
    row = audit(rough, asked).comparisons.iloc[0]
    assert row["gap_low"] < row["gap"] < row["gap_high"]
    own = audit(rough, asked).figures
    assert ((own["low"] < own["rate"]) & (own["rate"] < own["high"])).all()
    assert audit(rough, plan(check())).comparisons["detectable_high"].gt(1.25).all()


def test_capacity_and_threshold_are_varied() -> None:
    draw = np.random.Generator(np.random.PCG64(4))
    frame = pd.DataFrame({"g": draw.choice(["a", "b"], 9000), "s": draw.integers(1, 21, 9000)})
    frame["s"] = np.where((frame["g"] == "b") & (frame["s"] == 18), 19, frame["s"])
    frame["d"] = frame["s"] >= 19
    counts = Cells.from_frame(frame, ["g"], "d", score_band="s")
    result = audit(counts, plan(check(estimand="list"), capacity=int(frame["d"].sum())))
    swept = result.capacities
    assert swept["capacity"].tolist() == [0.8, 0.9, 1.0, 1.1, 1.2]
    assert swept.loc[swept["capacity"] == 1.0, "selected"].item() == frame["d"].sum()
    # One band lower both groups have as many.
    assert swept["verdict"].tolist() == [FAIL, FAIL, FAIL, FAIL, PASS]
    without = audit(counts.by(["g"]), plan(check()))
    assert without.capacities.empty


@pytest.mark.parametrize(
    ("frame", "overall"),
    [
        ({"g": ["a", None, "b", np.nan] * 50, "d": [1, 0] * 100}, FAIL),
        ({"g": ["a"] * 500 + ["b"], "d": [1, 0] * 250 + [1]}, NOT_ENOUGH),
        ({"g": ["a"] * 100, "d": [1, 0] * 50}, NOT_ENOUGH),
        ({"g": ["a", "b"] * 100, "d": [0] * 200}, NOT_ENOUGH),
        ({"g": ["a", "b"] * 1000, "d": [1] * 2000}, PASS),
        ({"g": ["a", "b"], "d": [1, 1]}, NOT_ENOUGH),
        ({"g": ["a", "b"] * 9, "d": [None] * 18}, NOT_ENOUGH),
    ],
)
def test_odd_people(frame: dict[str, list[Any]], overall: str) -> None:
    for estimand in ("procedure",) if overall != NOT_ENOUGH else ("procedure", "list"):
        if estimand == "list" and len(set(frame["g"])) == 2 and 1 in frame["d"]:
            continue  # a list of one person is what it is
        counts = Cells.from_frame(pd.DataFrame(frame), ["g"], "d")
        assert audit(counts, plan(check(estimand=estimand))).verdict.overall == overall


def test_a_reference_that_does_not_exist() -> None:
    with pytest.raises(DatamallError, match="There is no reference group z of g"):
        audit(flagged(a=(1, 9), b=(2, 9)), plan(check(), reference={"g": "z"}))
    with pytest.raises(DatamallError, match="There is no reference group z"):
        of_everybody(everybody(), reference={"g": "z"})


def test_weights_are_refused() -> None:
    frame = pd.DataFrame({"g": ["a", "b"], "d": [1, 0], "w": [1.0, 2.0]})
    with pytest.raises(DatamallError, match="Weighted counts"):
        audit(Cells.from_frame(frame, ["g"], "d", weight="w"), plan(check()))


@pytest.mark.slow
def test_ten_thousand_groups_are_no_evidence() -> None:
    draw = np.random.Generator(np.random.PCG64(5))
    frame = pd.DataFrame({"g": np.arange(200_000) % 10_000, "d": draw.random(200_000) < 0.1})
    assert audit(Cells.from_frame(frame, ["g"], "d"), plan(check())).verdict.overall == NOT_ENOUGH


@pytest.mark.slow
def test_wrong_fails_of_many_groups_are_as_rare_as_stated() -> None:
    """Fair worlds at the edge of the tolerance for nobody: all groups alike, tolerance 1."""
    draw = np.random.Generator(np.random.PCG64(6))
    sizes = np.array([4000, 2500, 1200, 600, 300, 150, 80, 40])
    narrow = {"kind": "ratio", "low": None, "high": 1.0, "reason": "none"}
    wrong = 0
    for _ in range(100):
        x = draw.binomial(sizes, 0.1)
        counts = flagged(
            **{f"g{i}": (int(v), int(n)) for i, (v, n) in enumerate(zip(x, sizes, strict=True))}
        )
        wrong += audit(counts, plan(check(tolerance=narrow))).verdict.overall == FAIL
    assert wrong <= 11  # 5 % of 100, and three standard errors


@pytest.mark.slow
def test_gaps_of_joined_rates_would_have_been_found_as_often_as_stated() -> None:
    """In worlds whose gap is the detectable one, FAIL is found about as often as the power."""
    first = of_everybody(everybody(seed=1), reference={"g": "a"}).comparisons.iloc[0]
    gap = first["detectable_high"]
    assert 1.25 < gap < 2.5
    assert np.isnan(first["detectable_low"]) or first["detectable_low"] < 0.8
    fails = 0
    for seed in range(40):
        frame = everybody(seed=100 + seed, b=0.05 * gap)
        fails += of_everybody(frame, reference={"g": "a"}).verdict.overall == FAIL
    assert 0.5 < fails / 40 < 0.97
