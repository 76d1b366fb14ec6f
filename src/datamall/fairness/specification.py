"""An audit of anybody's counts: a YAML file names a sheet, what its columns mean, and the plan.

A whole one, for a table of counts rounded to 10::

    title: Selection for control of student grants, 2019
    sheet: counts.csv          # beside this file: CSV, Parquet, or Excel (then tab: its sheet)
    columns:
      decision: selected       # yes or no; other words are read by values
      count: students          # absent: one row per person
    values: {selected: {ja: true, nee: false}}
    rounding: 10               # counts are rounded to this
    total: total               # the word that marks totals
    thousands: "."             # how numbers are written; decimal: ","
    groups: [origin]
    reference: {origin: Dutch}
    checks:
      - name: selected
        metric: selection_rate
        tolerance: {kind: ratio, low: 0.8, high: 1.25, reason: four fifths}

Columns have the roles decision, outcome, arm, stage, score_band and count; or tp, fp, fn, tn and n
per group. Instead of checks there can be tolerances, one per metric, which all gate. How a file is
written is said by the words of a mapping of intake: header_row; encoding, separator,
quote and trailing_separator of a CSV file; decimal and thousands. All other words are those of a
plan (`datamall.fairness.plan`). Where a check names a step of a selection, the sheet has one count
a row, with the columns study, attribute, group, arm, band, stage, outcome, count and rounding
(`datamall.fairness.steps`); tallies: studies that leave out what did not occur. A word that stands
for a text of the sheet is that text as it is written: 0014, NO and 2019 need no quotes
(`datamall.yamlfile.PLAN_TEXTS`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from datamall.errors import DatamallError
from datamall.fairness import sheet_counts, sheet_reading
from datamall.fairness.auditing import Audit, audit
from datamall.fairness.plan import Plan
from datamall.fairness.recoding import Counts
from datamall.fairness.sheet_counts import LIMITS
from datamall.fairness.steps import Selection
from datamall.yamlfile import PLAN_TEXTS, load_mapping

WORDS = ("title", "about", "sheet", "tab", "columns", "values", "bands", "total", "tallies")
MEANINGS = (True, False, None)
OF_PLAN = ("tolerances", *(each.name for each in fields(Plan)))


@dataclass(frozen=True)
class Specification:
    """Counts and a plan from a file: `title` and `about` are for readers."""

    title: str
    about: str
    counts: Counts | Selection
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
    specification = read(spec_path)
    return audit(specification.counts, specification.plan)


def read(spec_path: str | Path) -> Specification:
    """Read a specification and its sheet; see `run`."""
    path = Path(spec_path)
    spec = _spec(path)
    plan = Plan.read(_plan(spec))
    sheet = path.parent / str(spec["sheet"])
    counts: Counts | Selection
    if any(check.step is not None for check in plan.checks):
        counts = sheet_counts.selection(sheet, spec)
    else:
        counts = sheet_counts.read(sheet, plan, spec)
    title = str(spec.get("title") or path.stem)
    return Specification(title, str(spec.get("about") or ""), counts, plan)


def _spec(path: Path) -> dict[str, Any]:
    spec = load_mapping(path, path.name, PLAN_TEXTS)
    if not spec.get("sheet"):
        raise DatamallError(f"{path.name} names no sheet: write sheet: counts.csv.")
    known = {*WORDS, *LIMITS, *sheet_reading.WORDS, *OF_PLAN}
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
    for word in ("values", "labels"):
        for meanings in _mapping(spec, word).values():
            odd = [v for v in _mapping({word: meanings}, word).values() if v not in MEANINGS]
            if odd:
                raise DatamallError(f"{word} hold {odd[0]!r}: a text means true, false or null.")
    return spec


def _mapping(spec: Mapping[str, Any], word: str) -> Mapping[str, Any]:
    own = spec.get(word) or {}
    if not isinstance(own, Mapping):
        raise DatamallError(f"{word} say for each text what it means: {{yes: true, no: false}}.")
    return own


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
