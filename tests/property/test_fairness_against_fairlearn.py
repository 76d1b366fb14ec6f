"""Rates are fairlearn's, whatever the people; and where it is silent, we are not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from fairlearn_rates import FUNCTIONS, differs, metric_frame, rates
from hypothesis import given, settings
from hypothesis import strategies as st

from datamall.errors import DatamallError
from datamall.fairness import Cells
from datamall.fairness.counting import MISSING
from datamall.fairness.inference import compare
from datamall.fairness.metrics import METRICS

# Group c has people of one kind of h only, so that some combinations are empty; z has none at all.
PERSON = st.tuples(
    *[st.sampled_from(["a", "a", "b", None]), st.sampled_from(["x", "y"])],
    *[st.sampled_from([0, 1, None]), st.sampled_from([0, 1, None])],
    st.sampled_from([0.5, 1.0, 2.25, 1 / 3, 1e-3, 1e4]),
)
FEW = st.lists(PERSON, min_size=1, max_size=30)
KIND = pd.CategoricalDtype(["a", "b", "c", "z"])


def table(people: list[tuple[Any, ...]]) -> pd.DataFrame:
    rows = [*people, ("c", "x", 1, 1, 1.0)]
    frame = pd.DataFrame(rows, columns=["g", "h", "d", "y", "w"])
    return frame.astype({"g": KIND, "d": "Int8", "y": "Int8"})


def named(people: pd.DataFrame) -> pd.DataFrame:
    """Return the people with missing groups as a group; fairlearn takes none that are missing."""
    return people.assign(g=people["g"].astype(object).fillna(MISSING))


def test_every_metric_has_an_oracle() -> None:
    assert set(FUNCTIONS) == set(METRICS)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=25)
@given(FEW, st.booleans(), st.sampled_from([["g"], ["g", "h"]]))
def test_rates_are_fairlearns(people: list[tuple[Any, ...]], weighted: bool, by: list[str]) -> None:
    frame, weight = table(people), "w" if weighted else None
    cells = Cells.from_frame(frame, ["g", "h"], "d", "y", weight=weight)
    ours = cells.rates(by).set_index(by)[list(METRICS)]
    theirs = rates(named(frame), by, weight=weight)
    assert differs(ours, theirs) < 1e-12
    # Groups that fairlearn has and we have not hold nobody.
    assert theirs.drop(ours.index, errors="ignore").isna().all(axis=None)


def test_missing_groups_are_refused_there_and_a_group_here() -> None:
    frame = pd.DataFrame({"g": ["a", None, "b", "b"], "d": [1, 0, 1, 0], "y": [1, 0, 0, 1]})
    with pytest.raises(ValueError, match="contains missing values"):
        metric_frame(frame, ["g"])
    ours = Cells.from_frame(frame, ["g"], "d", "y").rates().set_index("g")["selection_rate"]
    assert ours.to_dict() == {"a": 1.0, "b": 0.5, MISSING: 0.0}


# All of group a are selected and none of group b: the widest gap there is.
SILENT = {
    "words": (["yes", "yes", "no", "no"], [1.0, 0.0]),
    "digits as text": (["1", "1", "0", "0"], [1.0, 0.0]),
    "codes": ([2, 2, 1, 1], None),
    "scores": ([0.9, 0.8, 0.2, 0.1], None),
    "other words": (["picked", "picked", "left", "left"], None),
}


@pytest.mark.parametrize("case", SILENT)
def test_decisions_that_are_no_numbers_are_all_not_selected_there_and_read_or_refused_here(
    case: str,
) -> None:
    decisions, right = SILENT[case]
    frame = pd.DataFrame({"g": list("aabb"), "d": decisions, "y": [1, 0, 1, 0]})
    theirs = metric_frame(frame, ["g"], ["selection_rate"]).by_group["selection_rate"]
    assert theirs["a"] == 0.0  # in silence, and so are the gaps
    parity = fairlearn.demographic_parity_difference(
        frame["y"], frame["d"], sensitive_features=frame["g"]
    )
    assert parity == (1.0 if case == "codes" else 0.0)  # 1 and 2 become yes and no turned round
    if right is None:
        with pytest.raises(DatamallError, match="Column d"):
            Cells.from_frame(frame, ["g"], "d", "y")
        meaning = {"d": {value: i < 2 for i, value in enumerate(decisions)}}
        ours = Cells.from_frame(frame, ["g"], "d", "y", labels=meaning)
    else:
        ours = Cells.from_frame(frame, ["g"], "d", "y")
    assert ours.rates()["selection_rate"].tolist() == [1.0, 0.0]


def test_a_missing_decision_is_no_there_and_unknown_here() -> None:
    frame = pd.DataFrame({"g": "a", "d": [1.0, np.nan, 1.0, 0.0], "y": [1, 0, 1, 0]})
    assert metric_frame(frame, ["g"], ["selection_rate"]).by_group.iloc[0, 0] == 0.5
    ours = Cells.from_frame(frame, ["g"], "d", "y").rates()
    assert ours["selection_rate"].tolist() == [2 / 3]


def test_a_group_without_negatives_has_rate_0_there_and_none_here() -> None:
    """Its false alarms are unknown; as 0 they make the largest gap, or the best group."""
    frame = pd.DataFrame({"g": list("aabb"), "d": [1, 0, 1, 1], "y": [1, 1, 0, 0]})
    theirs = metric_frame(frame, ["g"], ["fpr", "tnr"])
    assert theirs.by_group.loc["a"].tolist() == [0.0, 0.0]  # both, though one is 1 less the other
    assert theirs.difference()["fpr"] == 1.0
    cells = Cells.from_frame(frame, ["g"], "d", "y")
    assert cells.rates()[["fpr", "tnr"]].iloc[0].isna().all()
    assert cells.spread().set_index("metric").loc["fpr", "difference_between"] == 0.0


def test_the_interval_of_a_gap_never_holds_0_there_and_does_here() -> None:
    """Of 200 people each, exactly as many are selected: no data speak more for no gap."""
    frame = pd.DataFrame({"g": ["a", "b"] * 200, "d": [1, 1, 0, 0] * 100, "y": 0})
    theirs = metric_frame(
        frame, ["g"], ["selection_rate"], n_boot=100, ci_quantiles=[0.025, 0.975], random_state=1
    )
    low, high = (ends["selection_rate"] for ends in theirs.difference_ci())
    assert theirs.difference()["selection_rate"] == 0.0
    assert 0.0 < low < high  # the estimate itself is outside
    cells = Cells.from_frame(frame, ["g"], "d", "y")
    own = compare(cells, estimand="procedure", names=["selection_rate"]).iloc[0]
    assert own["difference_low"] < 0.0 < own["difference_high"]
