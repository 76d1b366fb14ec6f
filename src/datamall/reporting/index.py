"""The first page: the answers of all reports, the verdict of the audit, and what is not known."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from datamall.project import load_parameters, put
from datamall.reporting import pages

STEPS = {
    "Data": "Records as the departments keep them. What does not fit its contract is put aside "
    "with a reason, and counted.",
    "Information": "What was seen, how often somebody looked, and how certain that makes it: "
    "rates with their counts and intervals.",
    "Knowledge": "What stands out beyond chance, and what would have stood out anyway: patterns, "
    "causes and comparisons that people with experience can read.",
    "Wisdom": "A decision that somebody can take and answer for: what to do, where, by whom, what "
    "it is expected to bring, and how we shall know.",
}
# Names of use cases for people, by package; another package is called by its own name.
USE_CASES = {"fraud": "Fraud prevention", "catalogue": "The mall"}
VERDICTS = {
    "PASS": "There is evidence that every gap between groups which the audit was to decide on is "
    "within what was agreed beforehand.",
    "FAIL": "There is evidence that at least one gap between groups is larger than what was agreed "
    "beforehand.",
    "NOT ENOUGH EVIDENCE": "There is not enough evidence: the audit shows neither that groups are "
    "treated alike nor that they are not. That is not a finding of fairness.",
    None: "No audit has given a verdict on these data, so that nothing is known about fairness.",
}
LONGEST = 240  # letters of a reason; the page of the report has all
MOST = 6  # chapters named for one reason, and reasons named for one store


def write(root: Path, authority: str, out_folder: Path) -> Path:
    """Write ``index.html``.

    Parameters
    ----------
    root, authority
        Project folder and authority.
    out_folder
        Folder of the pages, with ``results/*/answer.json``, ``results/*/absent.json``,
        ``quality/*.json`` and, if an audit has been decided on, ``gate.json``.

    Returns
    -------
    Path
        The page that was written.

    Raises
    ------
    DatamallError
        When the authority is unknown or params.yaml has a mistake.
    """
    about = pages.about_authority(root, authority)
    reports = load_parameters(root)["reports"]
    made = [name for name in reports if (out_folder / "results" / name / "answer.json").is_file()]
    cases = [_case(out_folder / "results" / name, reports[name]["package"]) for name in made]
    for case in cases:
        case["parts"] = [
            _part(out_folder, part, about["each"])
            for part, about in reports.items()
            if about.get("of") == case["name"]
        ]
    gate = out_folder / "gate.json"
    html = pages.environment().get_template("index.html.j2").render(
        about=about,
        cases=cases,
        missing=[
            name for name, about in reports.items() if name not in made and not about.get("of")
        ],
        gate=_load(gate) if gate.is_file() else None,
        verdicts=VERDICTS,
        steps=STEPS,
        absent=[row for case in cases for row in _absent(case)],
        quality=[_quality(path) for path in sorted((out_folder / "quality").glob("*.json"))],
    )  # fmt: skip
    page = out_folder / "index.html"
    put(page, pages.tidy(html))
    return page


def _load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _case(folder: Path, package: str) -> dict[str, Any]:
    """Return what the page says of one report."""
    record = _load(folder / "answer.json")
    return record | {
        "name": folder.name,
        "use_case": USE_CASES.get(package, package.replace("_", " ").capitalize()),
        "period": pages.period_in_words(record),
        "absent": _load(folder / "absent.json"),
    }


def _part(out_folder: Path, name: str, each: str) -> dict[str, Any]:
    """Return how many places of a report have a page of their own."""
    path = out_folder / "results" / name / "answers.json"
    number = len(_load(path)) if path.is_file() else 0
    return {"name": name, "each": each.replace("_", " "), "number": number}


def _absent(case: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Yield one row per reason for which chapters of a report could not run."""
    reasons: dict[str, list[dict[str, str]]] = {}
    for lack in case["absent"]:
        reasons.setdefault(lack["reason"], []).append(lack)
    for reason, chapters in reasons.items():
        yield {
            "case": case,
            "reason": textwrap.shorten(reason, LONGEST, placeholder=" … (in full on its page)"),
            "chapters": chapters[:MOST],
            "more": len(chapters[MOST:]),
        }


def _quality(path: Path) -> dict[str, Any]:
    """Return what became of the records of a store, the most frequent reasons first."""
    report = _load(path)
    # Of people, small numbers are not told.
    reasons = sorted(report["reasons"].items(), key=lambda entry: (-(entry[1] or 0), entry[0]))
    return {
        "store": path.stem,
        **{key: report[key] for key in ("parsed", "accepted", "quarantined")},
        "reasons": reasons[:MOST],
        "more": len(reasons[MOST:]),
    }
