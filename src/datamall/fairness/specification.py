"""An audit of anybody's counts: a YAML file names a sheet, what its columns mean, and the plan.

A whole one, for a table of counts rounded to 10::

    title: Selection for control of student grants, 2019
    sheet: counts.csv          # beside this file: CSV, Parquet, or Excel (then tab: its sheet)
    columns:
      decision: selected       # yes or no; other words are read by values
      count: students          # absent: one row per person
    values: {selected: {ja: true, nee: false}}
    rounding: 10               # counts are rounded to this; total: the word that marks totals
    groups: [origin]
    reference: {origin: Dutch}
    checks:
      - name: selected
        metric: selection_rate
        tolerance: {kind: ratio, low: 0.8, high: 1.25, reason: four fifths}

Columns have the roles decision, outcome, arm, stage, score_band and count; or tp, fp, fn, tn and n
per group. Instead of checks there can be tolerances, one per metric, which all gate. All other
words are those of a plan (`datamall.fairness.plan`). Names and values of the sheet are texts as
written, without quotes too: NO, 0014 and 2019 (`datamall.yamlfile.PLAN_TEXTS`).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness.auditing import Audit, audit
from datamall.fairness.bounds import Bounds
from datamall.fairness.cells import Cells
from datamall.fairness.counting import MISSING, label, named
from datamall.fairness.plan import Plan
from datamall.fairness.recoding import Counts
from datamall.yamlfile import PLAN_TEXTS, load_mapping

ROLES = ("decision", "outcome", "arm", "stage", "score_band", "count")
CONFUSION = ("tp", "fp", "fn", "tn", "n")
WORDS = ("title", "about", "sheet", "tab", "columns", "values", "bands", "total")
LIMITS = ("rounding", "suppressed_below")


@dataclass(frozen=True)
class Sheet:
    """Counts and a plan from a file: `title` and `about` are for readers."""

    title: str
    about: str
    counts: Counts
    plan: Plan


def run(spec_path: str | Path) -> Audit:
    """Audit the counts that a specification names.

    Parameters
    ----------
    spec_path
        A YAML file; see the module.

    Raises
    ------
    DatamallError
        If the specification, the sheet or its counts cannot be; one sentence.
    """
    sheet = read(spec_path)
    return audit(sheet.counts, sheet.plan)


def read(spec_path: str | Path) -> Sheet:
    """Read a specification and its sheet; see `run`."""
    path = Path(spec_path)
    spec = _spec(path)
    plan = Plan.read(_plan(spec))
    roles = spec.get("columns") or {}
    if not isinstance(roles, Mapping) or not isinstance(spec.get("values") or {}, Mapping):
        raise DatamallError("columns and values are mappings: {decision: flagged, count: people}.")
    odd = [role for role in roles if role not in (*ROLES, *CONFUSION)]
    if odd:
        raise DatamallError(
            f"A column has no role {odd[0]!r}: the roles are {', '.join((*ROLES, *CONFUSION))}; "
            "attributes are named under groups."
        )
    frame = _frame(path.parent / str(spec.get("sheet", "")), spec.get("tab"))
    counts = _counts(frame, plan, roles, spec)
    title = str(spec.get("title") or path.stem)
    return Sheet(title, str(spec.get("about") or ""), counts, plan)


def _spec(path: Path) -> dict[str, Any]:
    spec = load_mapping(path, path.name, PLAN_TEXTS)
    if not spec.get("sheet"):
        raise DatamallError(f"{path.name} names no sheet: write sheet: counts.csv.")
    known = {*WORDS, *LIMITS, "tolerances", *(each.name for each in fields(Plan))}
    odd = [word for word in spec if word not in known]
    if odd:
        raise DatamallError(
            f"{path.name} has an unknown word {odd[0]!r}: it can have {', '.join(sorted(known))}."
        )
    for word in LIMITS:
        value = spec.get(word)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or value < 1
        ):
            raise DatamallError(f"{word} is {value!r}: give a whole number from 1.")
    return spec


def _plan(spec: Mapping[str, Any]) -> dict[str, Any]:
    plan = {each.name: spec[each.name] for each in fields(Plan) if each.name in spec}
    tolerances = spec.get("tolerances")
    if tolerances is not None:
        if not isinstance(tolerances, Mapping) or "checks" in plan:
            raise DatamallError("Give checks, or tolerances by metric: not both.")
        plan["checks"] = [
            {"name": str(metric), "metric": metric, "tolerance": each}
            for metric, each in tolerances.items()
        ]
    return plan


def _frame(path: Path, tab: Any) -> pd.DataFrame:
    """Return a sheet, with every value of a CSV file as text."""
    kind = path.suffix.lower()
    if not path.is_file():
        raise DatamallError(f"There is no sheet {path.name} beside the specification.")
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        if kind in (".xlsx", ".xls", ".xlsb", ".ods"):
            return pd.read_excel(path, sheet_name=0 if tab is None else tab, engine="calamine")
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
        separator = max(",;\t|", key=header.count)
        return pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except UnicodeDecodeError:
        raise DatamallError(f"{path.name} is no UTF-8 text: save it as CSV in UTF-8.") from None
    except (ValueError, OSError, csv.Error) as error:
        # pandas and its readers name what is wrong in the first line.
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatamallError(f"{path.name} cannot be read ({why}): save it again.") from None
    except Exception as error:
        # Readers of workbooks have errors of their own, without a common kind.
        if type(error).__module__.split(".")[0] not in ("python_calamine", "pyarrow"):
            raise
        raise DatamallError(f"{path.name} is no sound {kind[1:]} file: save it again.") from None


def _counts(
    frame: pd.DataFrame, plan: Plan, roles: Mapping[str, str], spec: Mapping[str, Any]
) -> Counts:
    groups = [
        *dict.fromkeys([*plan.groups, *_strata(plan)]),
        *([plan.result] if plan.result else []),
    ]
    limits = {word: spec[word] for word in LIMITS if spec.get(word) is not None}
    confusion = {role: roles[role] for role in CONFUSION if role in roles}
    if confusion:
        if set(confusion) - {"n"} != set(CONFUSION) - {"n"} or len(confusion) < len(roles):
            raise DatamallError(
                "Counts of confusion need the columns tp, fp, fn and tn, and go with n alone."
            )
        if limits or "n" in confusion:
            columns: dict[str, Any] = confusion | limits
            return Bounds.from_confusion(frame, groups, **columns)
        return Cells.from_confusion(frame, groups, **confusion)
    own = {role: roles[role] for role in ROLES if role in roles}
    absent = [name for name in own.values() if name not in frame.columns]
    if absent:
        there = named(list(frame.columns))
        raise DatamallError(f"The sheet has no column {named(absent)}: there are {there}.")
    if "score_band" in own:
        frame = frame.assign(**{own["score_band"]: _bands(frame[own["score_band"]], spec, limits)})
    own["labels"] = spec.get("values") or None  # type: ignore[assignment]
    if not limits:
        return Cells.from_frame(frame, groups, **own)  # type: ignore[arg-type]
    if "count" not in own:
        raise DatamallError("Rounded or hidden counts need a column with the role count.")
    total = str(spec.get("total") or "total")
    return Bounds.from_rounded(frame, groups, total=total, **own, **limits)  # type: ignore[arg-type]


def _strata(plan: Plan) -> tuple[str, ...]:
    return plan.identification.strata if plan.identification else ()


def _bands(column: pd.Series, spec: Mapping[str, Any], limits: Mapping[str, Any]) -> pd.Series:
    """Return bands as numbers, or in the order that the specification gives."""
    order = spec.get("bands")
    if order is not None:
        known, total = [str(v) for v in order], str(spec.get("total") or "total")
        texts = column.map(label).astype(str)
        odd = sorted(set(texts) - set(known) - {MISSING} - ({total} if limits else set()))
        if odd:
            raise DatamallError(f"Column {column.name} holds {named(odd)}, not among the bands.")
        both = [*known, *([total] if limits else [])]
        return pd.Series(pd.Categorical(texts, both, ordered=True), column.index)
    if limits:
        return column
    try:
        return pd.to_numeric(column.replace("", None))
    except ValueError:
        raise DatamallError(
            f"Column {column.name} holds bands that are no numbers: list them under bands, lowest "
            "first."
        ) from None
