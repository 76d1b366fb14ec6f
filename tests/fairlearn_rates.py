"""Rates of groups as fairlearn and scikit-learn reckon them from rows: the oracle of our own."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from fairlearn import metrics as fairlearn
from sklearn.metrics import accuracy_score, precision_score

Function = Callable[..., float]


def _base_rate(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    return float(np.average(np.asarray(y_true, float), weights=sample_weight))


def _given_outcome(name: str) -> Function:
    function = getattr(fairlearn, name)

    def rate(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        return float(function(y_true, y_pred, sample_weight=sample_weight, pos_label=1))

    return rate


def _given_decision(decision: int, outcome: int) -> Function:
    """Return a rate of those with a decision, as the precision of a class."""

    def rate(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        right = np.asarray(y_true) if decision == outcome else 1 - np.asarray(y_true)
        options: dict[str, Any] = {"pos_label": decision, "zero_division": np.nan}
        return float(precision_score(right, y_pred, sample_weight=sample_weight, **options))

    return rate


FUNCTIONS: dict[str, Function] = {
    "selection_rate": fairlearn.selection_rate,
    "base_rate": _base_rate,
    "tpr": _given_outcome("true_positive_rate"),
    "fpr": _given_outcome("false_positive_rate"),
    "fnr": _given_outcome("false_negative_rate"),
    "tnr": _given_outcome("true_negative_rate"),
    "ppv": _given_decision(1, 1),
    "npv": _given_decision(0, 0),
    "for": _given_decision(0, 1),
    "accuracy": accuracy_score,
}
GIVEN_OUTCOME = ("tpr", "fpr", "fnr", "tnr")


def metric_frame(
    people: pd.DataFrame,
    by: Sequence[str],
    names: Sequence[str] = tuple(FUNCTIONS),
    weight: str | None = None,
    **more: Any,
) -> fairlearn.MetricFrame:
    """Return fairlearn's frame; columns `d` and `y` are 0 or 1."""
    weights = {"sample_weight": people[weight]} if weight else {}
    return fairlearn.MetricFrame(
        metrics={name: FUNCTIONS[name] for name in names},
        y_true=people["y"],
        y_pred=people["d"],
        sensitive_features=people[list(by)],
        sample_params=dict.fromkeys(names, weights),
        **more,
    )


def rates(
    people: pd.DataFrame,
    by: Sequence[str],
    names: Sequence[str] = tuple(FUNCTIONS),
    weight: str | None = None,
) -> pd.DataFrame:
    """Return one row per group, each rate from the people of whom it can be known.

    Columns `d` and `y` are 0, 1 or missing; fairlearn cannot take missing outcomes, and takes a
    missing decision for no, so rows are picked for it. A group that has none of them is absent.
    """
    found = []
    for needs, own in (
        (["d"], {"selection_rate"}),
        (["y"], {"base_rate"}),
        (["d", "y"], set(FUNCTIONS) - {"selection_rate", "base_rate"}),
    ):
        known = people.dropna(subset=needs).fillna({"d": 0, "y": 0}).astype({"d": int, "y": int})
        asked = [name for name in names if name in own]
        if asked and len(known):
            found.append(metric_frame(known, by, asked, weight).by_group.astype(float))
    if not found:
        return pd.DataFrame(columns=list(names), dtype=float)
    return pd.concat(found, axis=1).reindex(columns=list(names))


def differs(ours: pd.DataFrame, theirs: pd.DataFrame) -> float:
    """Return the largest difference of rates that are defined; fairlearn's 0 for none is checked.

    Parameters
    ----------
    ours, theirs
        Indexed by group; groups or rates that fairlearn does not have are undefined here too.
    """
    theirs = theirs.reindex(ours.index)
    undefined = ours.isna()
    # Without trials we say NaN; fairlearn says 0 for rates given the outcome, NaN for others.
    silent = theirs.where(undefined).stack().dropna()
    assert set(silent) <= {0.0} and set(silent.index.get_level_values(-1)) <= set(GIVEN_OUTCOME)
    assert theirs.where(~undefined, 0.0).notna().all(axis=None)
    return float((ours - theirs).abs().max(axis=None))
