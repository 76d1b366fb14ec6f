"""An audit in words for people who judge, not calculate: natural frequencies, one sentence each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from datamall.fairness import metrics, sweeps
from datamall.fairness.auditing import Audit
from datamall.fairness.plan import Check
from datamall.fairness.subgroups import Reference
from datamall.fairness.summary import furthest_first
from datamall.fairness.verdict import FAIL, PASS

MEANING = {
    PASS: "There is evidence that the gap lies inside what is tolerated (equivalence test).",
    FAIL: "There is evidence that the gap lies outside what is tolerated.",
}
_SAME = ["study", "check", "label", "by", "group"]
NOT_FAIR = "Nothing is shown either way; that is no finding of fairness."


def answer(audit: Audit) -> str:
    """Return the verdict on all gating checks, with the gap of each check that passes or fails."""
    gating = audit.checks[audit.checks["gating"]]
    number = len(gating)
    checks = {check.name: check for check in audit.plan.checks}

    def each(rows: pd.DataFrame) -> str:
        return ". ".join(
            f"{row['check']}, {row['group']}: {_gap(row, checks[row['check']])}; tolerated is "
            f"{edges(checks[row['check']])}"
            for row in rows.to_dict("records")
        )

    if audit.verdict.overall == PASS:
        return f"PASS: inside the tolerance. Furthest out: {each(gating)}."
    if audit.verdict.overall == FAIL:
        failed = gating[gating["verdict"] == FAIL]
        return f"FAIL: outside the tolerance. {each(failed)}."
    if not number:
        return f"NOT ENOUGH EVIDENCE: no check gates. {NOT_FAIR}"
    unclear = list(gating.loc[gating["verdict"] != PASS, "check"])
    return f"NOT ENOUGH EVIDENCE on {', '.join(unclear)}. {NOT_FAIR}"


def frequencies(
    metric: str,
    rate: float,
    other: float,
    group: str,
    others: str = "everybody else",
    ends: tuple[float, float] = (np.nan, np.nan),
) -> str:
    """Return two rates as natural frequencies.

    Parameters
    ----------
    metric
        One of `datamall.fairness.metrics.RECORDS`.
    rate, other
        Of the group, and of what it is compared with; NaN if not known.
    group, others
        Their names.
    ends
        Where the rate of the group is not known: the lowest and the highest that it can be.

    Returns
    -------
    str
        Such as "Of 1,000 people without the outcome, 14 are selected all the same in the group
        women; among everybody else 6."; "between 9 and 14" where no more is known; empty where
        nothing is.
    """
    own = metrics.find(metric)
    known = [float(v) for v in ((rate,) if np.isfinite(rate) else ends)]
    if not np.isfinite(known).all():
        return ""
    per = _per(*known, *([other] if np.isfinite(other) else []))
    numbers = [f"{round(v * per):,}" for v in known]
    one = numbers[0] if len(set(numbers)) == 1 else f"between {' and '.join(numbers)}"
    two = f"{round(other * per):,}" if np.isfinite(other) else "it is not known how many"
    return f"Of {per:,} {own.whom}, {one} {own.what} in the group {group}; among {others} {two}."


def of_check(audit: Audit, check: Check, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page says about one check; `row` is that of `Audit.checks`."""
    named = _reference(check.reference)
    by = str(row["by"]).split(" × ")
    against = " × ".join(named.get(name, "?") for name in by) if named else "everybody else"
    rates = [np.nan if row[name] is None else row[name] for name in ("rate", "other_rate")]
    own = audit.figures[(audit.figures[_SAME] == [row[name] for name in _SAME]).all(axis=1)]
    ends = tuple(own[["low", "high"]].iloc[0]) if len(own) else (np.nan, np.nan)
    sentence = frequencies(check.metric, rates[0], rates[1], row["group"], against, ends)
    mine = audit.labels[audit.labels["check"] == check.name]
    return {
        "name": check.name,
        "verdict": row["verdict"],
        "meaning": MEANING.get(row["verdict"], NOT_FAIR),
        "sentence": sentence,
        "group": row["group"],
        "gap": _gap(row, check) if row["compared"] else "",
        "edges": edges(check),
        "tolerated": f"{edges(check)}: {check.reason}",
        "norm": check.norm,
        "gating": check.gating,
        "metric": check.metric,
        "rate": _rate(check.metric),
        "estimand": "these people, nobody else" if check.estimand == "list" else "the next people",
        "groups": _groups(row),
        "caution": _caution(row),
        "labels": mine[["label", "verdict"]].to_dict("records") if len(mine) > 1 else [],
        "kind": check.tolerance.kind,
        "low": check.tolerance.low,
        "high": check.tolerance.high,
        "others": _others(check),
        "reference": _reference(check.reference),
    }


def record(audit: Audit, title: str = "Audit", about: str = "") -> dict[str, Any]:
    """Return everything that an audit says, for a page and for machines.

    Returns
    -------
    dict
        ``title``, ``about``, ``answer``, ``verdict``, ``reasons``, ``level``, ``reference``
        (attribute → group), ``checks`` (see `of_check`) and ``tables``: name → DataFrame. The
        comparisons of a check begin with the group that is furthest out.
    """
    rows = audit.checks.to_dict("records")
    tables = {
        "checks": audit.checks,
        "comparisons": _ordered(audit),
        "figures": audit.figures,
        "labels": audit.labels,
        "recorded": audit.recorded,
        "changes": audit.changes,
        "stages": audit.stages,
        "calibration": audit.calibration,
        "capacities": audit.capacities,
        "thresholds": sweeps.by_threshold(audit.counts, audit.plan),
    }
    return {
        "title": title,
        "about": about,
        "answer": answer(audit),
        "verdict": audit.verdict.overall,
        "reasons": list(audit.verdict.reasons),
        "level": audit.plan.level,
        "reference": _reference(audit.plan.reference),
        "checks": [
            of_check(audit, check, row) for check, row in zip(audit.plan.checks, rows, strict=True)
        ],
        "tables": {name: table for name, table in tables.items() if len(table)},
    }


def _reference(reference: Reference) -> dict[str, str]:
    """Return the reference group of each attribute; empty where it is everybody else."""
    if not isinstance(reference, Mapping):
        return {}
    return {str(name): str(value) for name, value in reference.items()}


def _others(check: Check) -> str:
    """Return with what the groups of a check are compared."""
    named = _reference(check.reference)
    return ", ".join(named.get(name, "?") for name in check.groups) if named else "everybody else"


def _ordered(audit: Audit) -> pd.DataFrame:
    """Return the comparisons check by check, the group that is furthest out first.

    Where there are rival labels, a group keeps the place that it has under the first.
    """
    parts = []
    for check in audit.plan.checks:
        mine = audit.comparisons[audit.comparisons["check"] == check.name]
        first: dict[tuple[str, str], int] = {}
        for _, own in mine.groupby("label", sort=False):
            order = furthest_first(own, check.tolerance.kind)
            for by, group in own[["by", "group"]].iloc[order].itertuples(index=False):
                first.setdefault((by, group), len(first))
        places = [first[key] for key in zip(mine["by"], mine["group"], strict=True)]
        parts.append(mine.iloc[np.argsort(places, kind="stable")])
    return pd.concat(parts, ignore_index=True)


def _per(*rates: float) -> int:
    """Return of how many people to speak, so that the smaller number is no fraction."""
    least = min((v for v in rates if v > 0), default=1.0)
    return next((per for per in (100, 1000, 10_000, 100_000) if least * per >= 3), 1_000_000)


def _gap(row: Mapping[str, Any], check: Check) -> str:
    """Return a gap with its limits, or its limits alone where no more is known."""
    ratio = check.tolerance.kind == "ratio"
    form, widest = (_times, (0.0, np.inf)) if ratio else (_points, (-1.0, 1.0))
    unit = "times as often" if ratio else "percentage points"
    low, high = (
        end if row[name] is None or np.isnan(row[name]) else row[name]
        for name, end in zip(("gap_low", "gap_high"), widest, strict=True)
    )
    if row["gap"] is not None and np.isfinite(row["gap"]):
        limits = f"{form(low)} to {form(high)}"
        if ratio:
            return f"{form(row['gap'])} {unit} ({limits} with all that is uncertain)"
        return f"a difference of {form(row['gap'])} {unit} ({limits})"
    if ratio and np.isinf(high):
        return f"at least {form(low)} {unit}" if low > 0 else f"any number of {unit}"
    return f"{'' if ratio else 'a difference '}between {form(low)} and {form(high)} {unit}"


def _times(value: float) -> str:
    return "any number" if np.isinf(value) else f"{value:.2f}"


def _points(value: float) -> str:
    return f"{100 * value:.1f}".replace("-", "−")


def edges(check: Check) -> str:
    """Return what a check tolerates, in words."""
    own = check.tolerance
    form = _times if own.kind == "ratio" else _points
    unit = "times" if own.kind == "ratio" else "percentage points"
    if own.low is None:
        return f"up to {form(own.high or 0.0)} {unit}"
    if own.high is None:
        return f"from {form(own.low)} {unit}"
    return f"from {form(own.low)} to {form(own.high)} {unit}"


def _groups(row: Mapping[str, Any]) -> str:
    parts = [f"{row['compared']} group{'s' if row['compared'] != 1 else ''} compared"]
    for name, words in (
        ("failed", "outside"),
        ("unclear", "not clear"),
        ("not_judged", "not judged"),
    ):
        if row[name]:
            parts.append(f"{row[name]} {words}")
    found = row["detectable"]
    if found is not None and pd.notna(found) and row["verdict"] not in (PASS, FAIL):
        gap = f"{_times(found)} times" if row["kind"] == "ratio" else f"{_points(found)} points"
        parts.append(f"for {row['group']} a gap of {gap} would have been found")
    return "; ".join(parts)


def _rate(metric: str) -> str:
    own = metrics.find(metric)
    return f"{own.term}; equal rates are {own.parity}" if own.parity else own.term


def _caution(row: Mapping[str, Any]) -> str:
    if row["fragile"]:
        return "The conclusion depends on what counts as the outcome."
    if not row["identified"]:
        return f"Not identified (selective labels): {row['why']}."
    return ""
