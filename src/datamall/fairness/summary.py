"""What the comparisons of an audit come to: one row per check, and one verdict on all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from datamall.fairness.plan import Check, Plan
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS
from datamall.fairness.verdict import overall as together


@dataclass(frozen=True)
class Verdict:
    """What an audit says: PASS, FAIL or NOT ENOUGH EVIDENCE, and a sentence per open question."""

    overall: str
    reasons: tuple[str, ...]


def summary(comparisons: pd.DataFrame, plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame, Verdict]:
    """Sum up judged comparisons.

    Parameters
    ----------
    comparisons
        See `datamall.fairness.auditing.Audit`.
    plan
        The plan they were made by.

    Returns
    -------
    tuple
        The tables `checks` and `labels` of an audit, and its verdict.
    """
    rows, by_label, reasons = [], [], []
    for check in plan.checks:
        mine = comparisons[comparisons["check"] == check.name]
        found = [
            {"check": check.name, "label": label} | _summary(own, check)
            for label, own in _readings(mine)
        ]
        by_label += found
        each = [row["verdict"] for row in found]
        first = found[0] if found else _summary(mine, check) | {"label": ""}
        fragile = len(set(each)) > 1
        verdict = NOT_ENOUGH if fragile else together(each)
        edges = check.tolerance
        rows.append(
            {
                **{"check": check.name, "metric": check.metric, "estimand": check.estimand},
                **{"norm": check.norm, "gating": check.gating, "kind": edges.kind},
                **{"low": edges.low, "high": edges.high, "reason": check.reason},
                **{"verdict": verdict, "fragile": fragile},
                **{k: v for k, v in first.items() if k not in ("check", "verdict")},
            }
        )
        if check.gating and verdict != PASS:
            names = [row["label"] for row in found]
            reasons.append(_reason(check, rows[-1], dict(zip(names, each, strict=True))))
    gating = [row["verdict"] for row in rows if row["gating"]]
    if not gating:
        reasons.append("The plan has no check that gates, so that nothing can pass.")
    kept = ["check", "label", "verdict", "study", "by", "group", "gap", "gap_low", "gap_high"]
    labels = pd.DataFrame(by_label, columns=kept if not by_label else None)
    table = pd.DataFrame(rows).astype({"low": float, "high": float})
    return table, labels[kept], Verdict(together(gating), tuple(reasons))


def _readings(mine: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the comparisons of a check under each definition of the outcome.

    The first of every study together, then the second; of a study that has no second, the first.
    """
    last = mine.groupby("study")["reading"].transform("max") if len(mine) else mine["study"]
    for reading in sorted(mine["reading"].unique()):
        own = mine[(mine["reading"] == reading) | ((mine["reading"] == 0) & (last < reading))]
        yield " / ".join(own.loc[own["reading"] == reading, "label"].unique()), own


def _summary(own: pd.DataFrame, check: Check) -> dict[str, Any]:
    """Return the verdict on the groups of a check, and the one that is clearest outside."""
    judged_ = own[own["not_judged"] == ""]
    out: dict[str, Any] = {
        "verdict": together(judged_["verdict"].unique()),
        "identified": bool(own["identified"].all()),
        "why": next((why for why in own["why"].unique() if why), ""),
        "compared": len(judged_),
        "failed": int((judged_["verdict"] == FAIL).sum()),
        "unclear": int((judged_["verdict"] == NOT_ENOUGH).sum()),
        "not_judged": len(own) - len(judged_),
    }
    names = ["study", "by", "group", "rate", "other_rate", "gap", "gap_low", "gap_high"]
    names += ["all_low", "all_high"]
    if judged_.empty:
        return out | dict.fromkeys(names[:3], "") | dict.fromkeys([*names[3:], "detectable"])
    worst = judged_.iloc[furthest_first(judged_, check.tolerance.kind)[0]]
    return out | worst[names].to_dict() | {"detectable": worst["detectable_high"]}


def furthest_first(rows: pd.DataFrame, kind: str) -> np.ndarray:
    """Return the positions of judged comparisons from the clearest outside to the clearest inside.

    Parameters
    ----------
    rows
        Comparisons of one check under one label; those that are not judged come last.
    kind
        Of the tolerance: ``"ratio"`` or ``"difference"``.
    """
    verdict, gap = rows["verdict"].to_numpy(), rows["gap"].to_numpy(float)
    size = np.abs(np.log(np.clip(gap, 1e-9, 1e9))) if kind == "ratio" else np.abs(gap)
    p = rows["p_outside"].to_numpy(float)
    keys = [
        (rows["not_judged"] != "").to_numpy(bool),
        np.select([verdict == FAIL, verdict == NOT_ENOUGH], [0, 1], 2),
        np.where(np.isnan(p), 1, p).round(12),
        np.where(np.isnan(size), np.inf, -size.round(9)),
        # Of two groups that mirror each other, the one with more comes first.
        np.where(np.isnan(gap), 0, -gap),
        *(rows[name] for name in ("study", "by", "group")),
    ]
    ranked = list(zip(*(key.tolist() for key in keys), strict=True))
    return np.array(sorted(range(len(rows)), key=ranked.__getitem__), int)


def _reason(check: Check, row: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    if row["fragile"]:
        each = ", ".join(f"{name}: {verdict}" for name, verdict in labels.items())
        return f"{check.name} depends on what counts as the outcome ({each})."
    if not row["identified"] and row["verdict"] == NOT_ENOUGH:
        return f"{check.name} is not identified: {row['why']}."
    if row["verdict"] == FAIL:
        return f"{check.name} is outside its tolerance for {row['by']} {row['group']}."
    if not row["compared"]:
        return f"{check.name} compares no group that is judged."
    groups = f"{row['unclear']} of {row['compared']} groups"
    return f"{check.name} is not shown to be inside its tolerance for {groups}."
