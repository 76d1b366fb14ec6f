"""From the columns of a sheet to counts: what each of them is, and which of its rows are totals."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import counting, sheet_totals
from datamall.fairness.bounds import Bounds
from datamall.fairness.cells import Cells, check_names
from datamall.fairness.counting import MISSING, label, named
from datamall.fairness.key_levels import ROLES as KEYS
from datamall.fairness.plan import Plan
from datamall.fairness.published import HIDDEN
from datamall.fairness.recoding import Counts
from datamall.fairness.sheet_reading import Sheet, load
from datamall.fairness.sheet_totals import COUNT, SIDES
from datamall.fairness.steps import ALL, Selection
from datamall.fairness.steps import KEYS as STEPS

ROLES = ("decision", "outcome", "arm", "stage", "score_band", "count")
CONFUSION = {"tp": ("yes", "yes"), "fp": ("yes", "no"), "fn": ("no", "yes"), "tn": ("no", "no")}
LIMITS = ("rounding", "suppressed_below")
COUNT_ROLE, DEFAULT_HIDDEN = "count", 10
TOTAL = "total"
_TRUTHS = ROLES[:2]
_MARKS = [*map(re.escape, sorted(HIDDEN)), "< ?[1-9][0-9]*"]


def read(path: Path, plan: Plan, spec: Mapping[str, Any]) -> Counts:
    """Return the counts of a sheet.

    Parameters
    ----------
    path
        The sheet.
    plan
        The plan: its keys are columns of the sheet.
    spec
        What the specification says of the sheet; see `datamall.fairness.specification`.

    Returns
    -------
    Cells or Bounds
        Bounds if counts are rounded or some are hidden.

    Raises
    ------
    DatamallError
        If the sheet is not as the specification says, or its totals do not add up.
    """
    roles = _roles(spec)
    confusion = {role: name for role, name in roles.items() if role in (*CONFUSION, "n")}
    limits = {word: spec[word] for word in LIMITS if spec.get(word) is not None}
    total = None if spec.get("total") is None else str(spec["total"]).strip()
    truths = [roles[role] for role in _TRUTHS if role in roles]
    groups = _groups(plan, roles)
    own: dict[str, Any] = {role: roles[role] for role in KEYS if role in roles}
    keys = [*groups, *own.values()]
    counted = [name for role, name in roles.items() if role in (*confusion, "count")]
    if (limits or total) and not counted:
        raise DatamallError("Limits and totals of counts need a column with the role count.")
    used = [*keys, *truths, *counted]
    check_names(groups)
    double = [name for name in used if used.count(name) > 1]
    if double:
        raise DatamallError(f"Column {double[0]} is named twice: each column has one role.")
    known = {(total or TOTAL).casefold()} if total or limits else set()
    sheet = load(path, spec, used, counted, [*sheet_totals.WORDS, *known])
    odd = [name for name in spec.get("values") or {} if name not in truths]
    if odd:
        raise DatamallError(
            f"values speaks of {named(odd)}, which is no column of decision or outcome: correct it."
        )
    counts = {v: sheet.counts(v, _MARKS if limits else ()) for v in counted}
    if counted:
        bands = {str(v).casefold() for v in (*(spec.get("bands") or ()), *plan.stages)}
        said = {label(v).casefold() for v in _flat((spec.get("values") or {}).values())}
        first, rounding = counts[counted[0]], int(limits.get("rounding", 1))
        sheet_totals.refuse_undeclared(
            sheet, [*keys, *truths], first, known | bands | said, rounding
        )
    total = total or TOTAL
    frame = sheet.frame[keys].copy()
    for name in truths:
        frame[name] = _sides(sheet.frame[name], total, (spec.get("values") or {}).get(name))
    if confusion:
        truths = [*_TRUTHS]
        frame = _melted(frame, {role: counts[name] for role, name in confusion.items()}, total)
    elif counted:
        frame[COUNT] = counts[counted[0]]
    if counted and not limits:
        frame = sheet_totals.taken_out(sheet.name, frame, keys, truths, total)
    if "score_band" in own:
        name = own["score_band"]
        frame[name] = _bands(sheet, frame[name], spec.get("bands"), total if limits else None)
    given: dict[str, Any] = {v: roles.get(v, v if confusion else None) for v in _TRUTHS}
    if not limits:
        return Cells.from_frame(frame, groups, **given, **own, count=COUNT if counted else None)
    again = frame.duplicated([*keys, *truths]).to_numpy()
    if again.any():
        second = again.argmax()
        same = (frame[[*keys, *truths]] == frame[[*keys, *truths]].iloc[second]).all(axis=1)
        raise DatamallError(
            f"Rows {frame.index[same.to_numpy().argmax()]} and {frame.index[second]} of "
            f"{sheet.name} have the same keys, and rounded or hidden counts do not add up: name "
            "the column in which they differ under groups, or take one out."
        )
    return Bounds.from_rounded(frame, groups, **given, **own, count=COUNT, total=total, **limits)


def selection(path: Path, spec: Mapping[str, Any]) -> Selection:
    """Return the counts of the steps of a selection, one count a row.

    Parameters
    ----------
    path, spec
        See `read`. The roles of columns are the keys of `datamall.fairness.steps.KEYS`, count and
        rounding; a column that has the name of its role need not be named, and rounding may be one
        number for all.

    Raises
    ------
    DatamallError
        If a column is not there, or a count is none.
    """
    given = spec.get("columns") or {}
    every = [*STEPS, COUNT_ROLE, *([] if "rounding" in spec else ["rounding"])]
    odd = [role for role in given if role not in every]
    if odd:
        raise DatamallError(
            f"A column of a selection has no role {odd[0]!r}: the roles are {', '.join(every)}."
        )
    roles = {role: str(given.get(role, role)) for role in every}
    counted = [roles[role] for role in every[len(STEPS) :]]
    sheet = load(path, spec, [*roles.values()], counted, [ALL])
    frame = pd.DataFrame({role: sheet.frame[roles[role]].astype(str) for role in STEPS})
    frame = frame.map(str.strip).where(lambda v: v != "", MISSING)
    people = sheet.counts(roles[COUNT_ROLE], _MARKS)
    shown = ~people.astype(str).str.fullmatch("|".join(_MARKS))
    frame["people"] = pd.to_numeric(people.where(shown, None), errors="coerce").astype("Int64")
    if "rounding" in spec:
        frame["rounding"] = int(spec["rounding"])
    else:
        frame["rounding"] = sheet.counts(roles["rounding"]).to_numpy()
    return Selection.read(
        frame,
        hidden_below=int(spec.get("suppressed_below") or DEFAULT_HIDDEN),
        tallies=[str(study) for study in spec.get("tallies") or ()],
    )


def _roles(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns by role."""
    roles = spec.get("columns") or {}
    if not isinstance(roles, Mapping) or not isinstance(spec.get("values") or {}, Mapping):
        raise DatamallError("columns and values are mappings: {decision: flagged, count: people}.")
    every = (*ROLES, *CONFUSION, "n")
    odd = [role for role in roles if role not in every]
    if odd:
        raise DatamallError(
            f"A column has no role {odd[0]!r}: the roles are {', '.join(every)}; "
            "attributes are named under groups."
        )
    confusion = set(roles) & {*CONFUSION, "n"}
    if confusion and (set(CONFUSION) - confusion or len(confusion) < len(roles)):
        raise DatamallError(
            "Counts of confusion need the columns tp, fp, fn and tn, and go with n alone."
        )
    return {role: str(name) for role, name in roles.items()}


def _groups(plan: Plan, roles: Mapping[str, str]) -> list[str]:
    """Return the columns that the plan names: attributes, strata, the result, what picks a part."""
    names = [*plan.groups, *(name for check in plan.checks for name in check.groups)]
    picked = [name for check in plan.checks for name in check.where]
    names += [name for name in picked if name not in KEYS and name not in roles.values()]
    names += plan.identification.strata if plan.identification else ()
    names += [plan.result] if plan.result else []
    return list(dict.fromkeys(name for name in names if name not in KEYS))


def _flat(meanings: Any) -> list[Any]:
    return [value for own in meanings if isinstance(own, Mapping) for value in own]


def _sides(column: pd.Series, total: str, meaning: Any) -> pd.Series:
    """Return a decision or an outcome as `SIDES`, blank or total."""
    name, marks = str(column.name), sheet_totals.marks(column, total)
    levels = list(column.cat.categories)
    own = [text for text in levels if text.casefold() != total.casefold()]
    codes = counting.truth(own, name, {} if meaning is None else {name: meaning})
    place = dict(zip(own, codes, strict=True))
    to = np.array([place.get(text, 3) for text in levels], np.int8)[column.cat.codes]
    assert ((to == 3) == marks).all()
    texts = pd.Categorical.from_codes(to, [*SIDES, "", total])
    return pd.Series(texts, column.index, name=name)


def _melted(frame: pd.DataFrame, counts: Mapping[str, pd.Series], total: str) -> pd.DataFrame:
    """Return one row per count of confusion."""
    parts = []
    for role, own in counts.items():
        part = frame.copy()
        for name, side in zip(_TRUTHS, CONFUSION.get(role, (total,) * 2), strict=True):
            levels = [*SIDES, "", total]
            part[name] = pd.Categorical([side] * len(part), levels)
        part[COUNT] = own
        parts.append(part)
    return pd.concat(parts)


def _bands(sheet: Sheet, column: pd.Series, order: Any, total: str | None) -> pd.Series:
    """Return bands as numbers, or in the order that the specification gives."""
    column = column.cat.remove_unused_categories()
    if order is None:
        return sheet.scale(column, total)
    both = [*(label(value) for value in order), *([total] if total else [])]
    odd = [text for text in column.cat.categories if text and text not in both]
    if odd:
        raise DatamallError(f"Column {column.name} holds {named(odd)}, not among the bands.")
    return column.cat.set_categories(both, ordered=True)
