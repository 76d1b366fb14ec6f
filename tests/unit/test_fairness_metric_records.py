"""A metric is one record: whoever adds one has bounds, an audit and a sentence with it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.fairness import Bounds, Cells, audit
from datamall.fairness.comparison import COUNTED, INVESTIGATED, WORST
from datamall.fairness.counting import NO, TOTAL, YES
from datamall.fairness.identification import join
from datamall.fairness.metrics import FN, FP, RECORDS, TN, TP, Metric
from datamall.fairness.plan import Identification
from datamall.fairness.verdict import FAIL, NOT_ENOUGH
from datamall.fairness.words import record

WORDS = ("made-up rate", "", "people of the test", "are counted")
MADE_UP = [
    Metric("fdr", (FP,), (FP, TP), *WORDS),
    Metric("wrong", (FP, FN), (TP, FP, FN, TN), *WORDS),
    Metric("treated_wrongly", (FP,), (FP, TP, TN, FN), *WORDS),
    Metric("innocent", ((TOTAL, NO),), ((TOTAL, NO), (TOTAL, YES)), *WORDS),
    Metric("mixed", (TP,), (TP, (NO, TOTAL)), *WORDS),
]
ADDED = [*MADE_UP, RECORDS["for"]]
# Group a is treated worse by all of them, far outside the tolerance.
ROWS = [("a", 1, 1, 400), ("a", 1, 0, 2100), ("a", 0, 1, 1500), ("a", 0, 0, 1000)]
ROWS += [("b", 1, 1, 3000), ("b", 1, 0, 100), ("b", 0, 1, 100), ("b", 0, 0, 1800)]
RATE = {
    "fdr": (2100 / 2500, 100 / 3100),
    "wrong": (3600 / 5000, 200 / 5000),
    "treated_wrongly": (2100 / 5000, 100 / 5000),
    "innocent": (3100 / 5000, 1900 / 5000),
    "mixed": (400 / 2900, 3000 / 4900),
    "for": (1500 / 2500, 100 / 1900),
}
EDGES = {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}


@pytest.fixture(params=ADDED, ids=lambda metric: metric.name)
def metric(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Metric:
    own: Metric = request.param
    monkeypatch.setitem(RECORDS, own.name, own)
    return own


def people(**more: list[Any]) -> pd.DataFrame:
    frame = pd.DataFrame(ROWS, columns=["g", "d", "y", "n"]).astype({"y": "Int8"})
    extra = pd.DataFrame({"g": ["a", "b"] * 2, "d": [1, 1, 0, 0], "n": 50} | more)
    return pd.concat([frame, extra], ignore_index=True) if more else frame


def plan(metric: Metric, **more: Any) -> dict[str, Any]:
    own = {"name": "one", "metric": metric.name, "tolerance": EDGES}
    own |= {k: more.pop(k) for k in list(more) if k == "of"}
    return {"groups": ["g"], "checks": [own]} | more


def test_it_is_counted_where_every_outcome_is_known(metric: Metric) -> None:
    result = audit(Cells.from_frame(people(), ["g"], "d", "y", count="n"), plan(metric))
    own = result.comparisons.set_index("group")
    np.testing.assert_allclose(own["rate"], RATE[metric.name], rtol=1e-12)
    assert own["identified"].all() and set(own["source"]) == {COUNTED}
    assert result.verdict.overall == FAIL


def test_it_is_not_identified_without_outcomes(metric: Metric) -> None:
    """Of some people there is no outcome: nothing is declared about the metric, and it is safe."""
    assert metric.needs_outcomes
    cells = Cells.from_frame(people(y=[None] * 4), ["g"], "d", "y", count="n")
    result = audit(cells, plan(metric))
    own = result.comparisons
    assert not own["identified"].any() and set(own["source"]) == {WORST}
    assert own["rate"].isna().all() and set(own["verdict"]) == {NOT_ENOUGH}
    assert own["why"].iloc[0] == "some people have no outcome, and the plan names no random arm"
    truth = result.figures.set_index("group")
    for group, rate in zip("ab", RATE[metric.name], strict=True):
        assert truth.loc[group, "low"] < rate < truth.loc[group, "high"]
    asked = audit(cells, plan(metric, of="investigated")).comparisons
    assert set(asked["source"]) == {INVESTIGATED}


def test_it_has_bounds_from_rounded_counts_and_their_totals(metric: Metric) -> None:
    exact = people()
    totals = [exact.groupby(["g", k], as_index=False)["n"].sum() for k in ("d", "y")]
    table = pd.concat([exact.astype({"y": object}), *totals]).astype(object).fillna("total")
    table["n"] = (table["n"].astype(float) / 10).round() * 10
    bounds = Bounds.from_rounded(table, ["g"], "d", "y", count="n", rounding=10)
    found = bounds.rates(["g"], [metric.name])
    low, high = found[metric.name + "_low"], found[metric.name + "_high"]
    assert (low < np.array(RATE[metric.name])).all() and (high > np.array(RATE[metric.name])).all()
    assert (high - low < 0.02).all()
    np.testing.assert_allclose(found[metric.name], RATE[metric.name], atol=1e-12)
    assert audit(bounds, plan(metric)).verdict.overall == FAIL


def test_it_is_repeated_under_every_label_and_has_its_sentence(metric: Metric) -> None:
    frame = people().assign(result=lambda t: t["y"].map({1: "error", 0: "none"}))
    cells = Cells.from_frame(frame, ["g", "result"], "d", count="n")
    own = plan(metric, result="result", labels={"one": {"error": True, "none": False}})
    own["labels"]["two"] = {"error": True, "none": False}
    result = audit(cells, own)
    assert sorted(result.labels["label"]) == ["one", "two"]
    said = record(result)["checks"][0]["sentence"]
    assert f" {metric.whom}, " in said and f" {metric.what} in the group " in said


@pytest.mark.parametrize("metric", ADDED, ids=lambda metric: metric.name)
def test_arms_are_joined_to_it_only_where_its_counts_allow(
    metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECORDS, metric.name, metric)
    # Everybody was drawn at random from ten times as many, whose flags are known.
    exact = people().assign(arm="random")
    rest = exact.assign(arm="none", y=pd.array([None] * 8, "Int8"), n=exact["n"] * 9)
    cells = Cells.from_frame(pd.concat([exact, rest]), ["g"], "d", "y", arm="arm", count="n")
    how = Identification("random")
    if metric.given is None:
        with pytest.raises(DatamallError, match=f"The {metric.name} .*: no arm gives it"):
            join(cells, metric.name, how)
        return
    np.testing.assert_allclose(join(cells, metric.name, how).rate(), RATE[metric.name])
    own = audit(cells, plan(metric, identification={"random": "random"}))
    assert own.comparisons["identified"].all()


@pytest.mark.parametrize(
    ("name", "without", "identified"),
    [
        *[("ppv", 0, True), ("fdr", 0, True), ("npv", 0, False), ("for", 1, True)],
        *[("base_rate", None, False), ("innocent", None, False)],
        *[("tpr", 0, False), ("tpr", None, True)],
    ],
)
def test_outcomes_are_asked_of_the_people_it_is_about_and_of_no_others(
    name: str, without: int | None, identified: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for metric in MADE_UP:
        monkeypatch.setitem(RECORDS, metric.name, metric)
    frame = people(d=[without] * 4, y=[None] * 4).astype({"d": "Int8"})
    result = audit(Cells.from_frame(frame, ["g"], "d", "y", count="n"), plan(RECORDS[name]))
    assert result.comparisons["identified"].tolist() == [identified] * 2


def test_a_rate_without_outcomes_has_no_arms_to_join() -> None:
    cells = Cells.from_frame(people().assign(arm="random"), ["g"], "d", "y", arm="arm", count="n")
    with pytest.raises(DatamallError, match=r"The selection_rate .*: no arm gives it"):
        join(cells, "selection_rate", Identification("random"))


@pytest.mark.parametrize(
    ("numerator", "denominator"),
    [((), (TP, FN)), ((TP, FN), (TP, FN)), ((FP,), (TP, FN)), ((TP,), (TP, (YES, TOTAL)))],
)
def test_what_is_no_share_is_no_metric(numerator: Any, denominator: Any) -> None:
    with pytest.raises(DatamallError, match="The metric odd is no share"):
        Metric("odd", numerator, denominator, *WORDS)
