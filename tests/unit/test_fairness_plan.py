"""A plan is checked word by word, and what differs from an earlier one is seen."""

from typing import Any

import pytest

from datamall.errors import DatamallError
from datamall.fairness import Cells, Plan, audit
from datamall.fairness.changes import differences

PLAN: dict[str, Any] = {
    "groups": ["sex", "origin"],
    "depth": 2,
    "smallest": 30,
    "result": "finding",
    "labels": {"unlawful": {"no": False, "yes": True}, "any": {"no": False, "yes": True}},
    "checks": [
        {
            "name": "flags",
            "metric": "selection_rate",
            "estimand": "list",
            "where": {"stage": "flagged"},
            "tolerance": {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"},
            "norm": "AI Act",
        },
        {
            "name": "hits",
            "metric": "ppv",
            "tolerance": {"kind": "difference", "low": -0.1, "high": 0.1, "reason": "committee"},
            "gating": False,
        },
    ],
}


def changed(**change: Any) -> dict[str, Any]:
    return PLAN | change


def with_check(**change: Any) -> dict[str, Any]:
    return changed(checks=[PLAN["checks"][0] | change, PLAN["checks"][1]])


def test_a_plan_is_read_from_a_mapping() -> None:
    plan = Plan.read(PLAN)
    assert Plan.read(plan) is plan
    flags, hits = plan.checks
    assert (flags.depth, flags.groups, flags.reference) == (2, ("sex", "origin"), "rest")
    assert (flags.estimand, hits.estimand) == ("list", "procedure")
    assert (flags.gating, hits.gating) == (True, False)
    assert (flags.tolerance.low, flags.tolerance.high, flags.reason) == (0.8, 1.25, "four fifths")


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ({}, "needs groups"),
        ([1], "is a mapping of words"),
        (changed(depht=2), "has no 'depht'"),
        (changed(groups=["sex", "sex"]), "each once"),
        (changed(depth=4), "The depth of check flags is 4"),
        (changed(level=95), "The level is 95"),
        (changed(power="high"), "The power is 'high'"),
        (changed(smallest=-1), "The smallest is -1"),
        (changed(capacity=2.5), "The capacity is 2.5"),
        (changed(result=None), "give both result and labels"),
        (changed(labels={"any": {"no": "perhaps"}}), "Label any says"),
        (changed(labels={"any": 3}), "Label any says"),
        (changed(identification={"rnd": "x"}), "has no 'rnd'"),
        (changed(checks="flags"), "are a list"),
        (changed(checks=[PLAN["checks"][0]] * 2), "two checks called flags"),
        (with_check(name=""), "needs a name"),
        (with_check(metric="gini"), "no metric 'gini'"),
        (with_check(tolerance={"kind": "ratio", "low": 0.8}), "needs a tolerance with its reason"),
        (with_check(tolerance=PLAN["checks"][0]["tolerance"] | {"hi": 1}), "has no 'hi'"),
        (with_check(tolerance=PLAN["checks"][0]["tolerance"] | {"low": 2}), "is no range around 1"),
        (with_check(tolerance=PLAN["checks"][0]["tolerance"] | {"low": "x"}), "no numbers"),
        (with_check(estimand="sample"), "it is list or procedure"),
        (with_check(of="all"), "it is everybody or investigated"),
        (with_check(gating="yes"), "gating: true or false"),
        (with_check(reference="man"), "'rest' or a value for each attribute"),
        (with_check(gatign=True), "A check has no 'gatign'"),
    ],
)
def test_a_plan_that_cannot_be(plan: Any, sentence: str) -> None:
    with pytest.raises(DatamallError, match=sentence):
        Plan.read(plan)


def test_a_plan_for_other_counts_is_refused() -> None:
    import pandas as pd

    cells = Cells.from_frame(pd.DataFrame({"sex": ["m", "f"], "d": [1, 0]}), ["sex"], "d")
    with pytest.raises(DatamallError, match="names 'origin', 'finding', 'stage'"):
        audit(cells, PLAN)


@pytest.mark.parametrize(
    ("change", "what", "easier"),
    [
        (with_check(tolerance=PLAN["checks"][0]["tolerance"] | {"high": 2}), "widened", "yes"),
        (with_check(tolerance=PLAN["checks"][0]["tolerance"] | {"high": 1.1}), "narrowed", "no"),
        (with_check(gating=False), "gating", "yes"),
        (changed(groups=["sex"]), "attribute", "yes"),
        (changed(checks=PLAN["checks"][1:]), "check", "yes"),
        (changed(labels={"any": PLAN["labels"]["any"]}), "label", "yes"),
        (changed(labels=PLAN["labels"] | {"any": {"no": False, "yes": None}}), "label", "perhaps"),
        (changed(smallest=100), "smallest", "yes"),
        (changed(level=0.9), "level", "yes"),
        (changed(merge={"origin": {"b": ["x", "y"]}}), "merge", "perhaps"),
        (changed(leave_out={"origin": ["x"]}), "leave_out", "perhaps"),
    ],
)
def test_what_turns_a_fail_is_seen(change: dict[str, Any], what: str, easier: str) -> None:
    found = differences(Plan.read(PLAN), Plan.read(change))
    assert any(what in row[0] and row[-1] == easier for row in found), found


def test_no_change_is_no_difference() -> None:
    assert differences(Plan.read(PLAN), Plan.read(PLAN)) == []
