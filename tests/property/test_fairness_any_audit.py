"""Whatever the counts, an audit gives tables that agree with each other, or one sentence."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamall.errors import DatamallError
from datamall.fairness import Bounds, Cells, audit
from datamall.fairness.metrics import METRICS
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS
from datamall.fairness.words import record

COUNT = st.one_of(st.integers(0, 12), st.integers(0, 3000))
ROW = st.tuples(
    *[st.sampled_from(["a", "b", "", "c × d"]), st.sampled_from(["x", "y"])],
    *[st.sampled_from(["profile", "random", "none"]), st.sampled_from([0, 1, None])],
    *[st.sampled_from(["wrong", "right", "odd", None]), COUNT],
)
EDGES = st.sampled_from(
    [
        {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "r"},
        {"kind": "ratio", "low": None, "high": 1.0, "reason": "r"},
        {"kind": "difference", "low": -0.05, "high": 0.05, "reason": "r"},
        {"kind": "difference", "low": -0.05, "high": None, "reason": "r"},
    ]
)


@st.composite
def plans(draw: Any) -> dict[str, Any]:
    labels = {"one": {"wrong": True, "right": False, "odd": None}}
    if draw(st.booleans()):
        labels["two"] = {"wrong": True, "right": False, "odd": True}
    checks = [
        {
            "name": f"{i} {metric}",
            "metric": metric,
            "tolerance": draw(EDGES),
            "gating": draw(st.booleans()),
            "estimand": draw(st.sampled_from(["list", "procedure"])),
            "of": draw(st.sampled_from(["everybody", "investigated"])),
            "depth": draw(st.integers(1, 2)),
        }
        for i, metric in enumerate(draw(st.lists(st.sampled_from(METRICS), min_size=1, max_size=3)))
    ]
    how = st.sampled_from(
        [None, {"random": "random"}, {"random": "random", "profile": "profile", "reason": "r"}]
    )
    return {
        **{"groups": ["g", "h"], "result": "result", "labels": labels, "checks": checks},
        **{"identification": draw(how), "smallest": draw(st.sampled_from([0, 20]))},
    }


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=25)
@given(rows=st.lists(ROW, min_size=1, max_size=25), plan=plans(), rounded=st.booleans())
def test_any_audit(rows: list[tuple[Any, ...]], plan: dict[str, Any], rounded: bool) -> None:
    names = ["g", "h", "arm", "d", "result", "n"]
    frame = pd.DataFrame(rows, columns=names).astype({"d": "Int8"})
    frame = frame.groupby(names[:-1], dropna=False, as_index=False)["n"].sum()
    groups = ["g", "h", "result"]
    try:
        if rounded:
            counts: Any = Bounds.from_rounded(
                frame.assign(n=frame["n"] // 5 * 5), groups, "d", arm="arm", count="n", rounding=5
            )
        else:
            counts = Cells.from_frame(frame, groups, "d", arm="arm", count="n")
        result = audit(counts, plan)
    except DatamallError as error:
        assert "\n" not in str(error)
        return
    own = result.comparisons
    assert set(own["verdict"]) <= {PASS, FAIL, NOT_ENOUGH}
    tested = own[own["p_inside"].notna()]
    # Limits of different kinds never contradict each other, nor a verdict its limits.
    assert (tested["gap_low"] <= tested["gap_high"]).all()
    assert (tested["all_low"] <= tested["gap_low"] + 1e-9).all()
    inside = own[(own["verdict"] == PASS) & own["identified"]]
    for check, part in inside.groupby("check"):
        edges = next(c.tolerance for c in result.plan.checks if c.name == check)
        assert edges.low is None or (part["gap_low"] >= edges.low - 1e-6).all()
        assert edges.high is None or (part["gap_high"] <= edges.high + 1e-6).all()
    assert (own.loc[~own["identified"], "verdict"] == NOT_ENOUGH).all()
    figures = result.figures
    known = figures["rate"].notna()
    assert (figures["low"] <= figures["rate"] + 1e-9)[known].all()
    assert (figures["rate"] <= figures["high"] + 1e-9)[known].all()
    gating = result.checks.loc[result.checks["gating"], "verdict"]
    if result.verdict.overall == PASS:
        assert len(gating) and set(gating) == {PASS}
    elif result.verdict.overall == FAIL:
        assert FAIL in set(gating)
    said = record(result)
    assert len(said["checks"]) == len(plan["checks"])
    assert not np.isnan([len(check["meaning"]) for check in said["checks"]]).any()
