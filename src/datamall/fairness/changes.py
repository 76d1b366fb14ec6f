"""What was done to groups, labels, tolerances and checks: seen, so that it hides nothing.

A FAIL can be turned by merging the group that fails into another, leaving it out, widening the
tolerance or calling something else the outcome. None of that is forbidden; all of it is shown, and
that the gate only opens for a plan registered beforehand is the matter of whoever keeps the gate.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from datamall.fairness.plan import Check, Plan
from datamall.fairness.recoding import Counts
from datamall.fairness.steps import Selection

COLUMNS = ["what", "where", "before", "after", "easier"]


def made(counts: Counts | Selection, plan: Plan, before: Plan | None = None) -> pd.DataFrame:
    """Return what was done to the counts, and how the plan differs from an earlier one.

    Parameters
    ----------
    counts
        As audited: merged values are written on them.
    plan
        The plan of the audit.
    before
        An earlier plan, such as the one that was registered.

    Returns
    -------
    DataFrame
        One row per change: `what`, `where` (attribute or check), `before`, `after`, and `easier`:
        whether a PASS became easier, or nothing can be said ("yes", "no", "perhaps").
    """
    rows = [
        ("groups merged", axis, ", ".join(old), new, "perhaps") for axis, new, old in counts.merged
    ]
    for axis, values in plan.leave_out.items():
        rows += [("group left out", axis, str(v), "shown, not judged", "yes") for v in values]
    if plan.smallest:
        few = f"groups of fewer than {plan.smallest} people"
        rows.append(("small groups left out", "all checks", few, "shown, not judged", "yes"))
    if before is not None:
        rows += differences(before, plan)
    return pd.DataFrame(rows, columns=COLUMNS)


def differences(before: Plan, after: Plan) -> list[tuple[str, str, str, str, str]]:
    """Return how a plan differs from an earlier one; see `made`."""
    rows = []

    def note(what: str, where: str, old: Any, new: Any, easier: str) -> None:
        if old != new:
            rows.append((what, where, _text(old), _text(new), easier))

    for name in sorted({*before.groups, *after.groups}):
        old, new = name in before.groups, name in after.groups
        note("attribute", name, _there(old), _there(new), "yes" if old else "no")
    note("depth", "plan", before.depth, after.depth, _easier(after.depth < before.depth))
    note("level", "plan", before.level, after.level, _easier(after.level < before.level))
    note(
        "smallest",
        "plan",
        before.smallest,
        after.smallest,
        _easier(after.smallest > before.smallest),
    )
    for what in ("reference", "identification", "merge", "leave_out", "result", "capacity"):
        note(what, "plan", getattr(before, what), getattr(after, what), "perhaps")
    for name in sorted({*before.labels, *after.labels}):
        was, now = before.labels.get(name), after.labels.get(name)
        note("label", name, was, now, "yes" if now is None else "no" if was is None else "perhaps")
    if list(before.labels) != list(after.labels) and set(before.labels) == set(after.labels):
        note("order of labels", "plan", list(before.labels), list(after.labels), "perhaps")
    checks, others = ({c.name: c for c in plan.checks} for plan in (before, after))
    for name in dict.fromkeys([*checks, *others]):
        if name in checks and name in others:
            _of_check(note, checks[name], others[name])
        else:
            there = name in checks
            note("check", name, _there(there), _there(not there), "yes" if there else "no")
    return rows


def _of_check(note: Any, old: Check, new: Check) -> None:
    one, two = old.tolerance, new.tolerance
    if one.kind == two.kind:
        ends = [(_end(v.low, -1), _end(v.high, 1)) for v in (one, two)]
        wider = ends[1][0] < ends[0][0] or ends[1][1] > ends[0][1]
        what = "tolerance widened" if wider else "tolerance narrowed"
        easier = "yes" if wider else "no"
    else:
        what, easier = "tolerance", "perhaps"
    note(what, old.name, _edges(one), _edges(two), easier)
    gates = {True: "gates", False: "informs"}
    note("gating", old.name, gates[old.gating], gates[new.gating], _easier(old.gating))
    note("depth", old.name, old.depth, new.depth, _easier(new.depth < old.depth))
    fewer = set(new.groups) < set(old.groups)
    note("attributes", old.name, old.groups, new.groups, "yes" if fewer else "perhaps")
    for what in ("metric", "estimand", "where", "of", "reference", "reason", "norm"):
        easier = "no" if what in ("reason", "norm") else "perhaps"
        note(what, old.name, getattr(old, what), getattr(new, what), easier)


def _easier(yes: bool) -> str:
    return "yes" if yes else "no"


def _there(yes: bool) -> str:
    return "there" if yes else "not there"


def _end(value: float | None, side: int) -> float:
    return side * float("inf") if value is None else value


def _edges(tolerance: Any) -> str:
    low, high = ("no limit" if v is None else f"{v:g}" for v in (tolerance.low, tolerance.high))
    return f"{tolerance.kind} from {low} to {high}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_text(v)}" for k, v in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
