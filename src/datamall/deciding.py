"""Decide on what a page recommends, sign that as the second of two, and say what came of it.

What is written here is read, and told valid or not, by `datamall.decisions`.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from datamall.decisions import (
    DECISION,
    EVENTS,
    LIST,
    OUTCOME,
    STORE,
    Kept,
    about_now,
    figures,
    file_of,
    files,
    kept,
    results_of,
    stores_of,
)
from datamall.errors import DatamallError
from datamall.identifiers import sentence
from datamall.mall.authorities import Authority
from datamall.mall.log import logbook
from datamall.mall.seal import signatures
from datamall.mall.seal.envelope import statement
from datamall.project import load_parameters

RECOMMENDED = "recommended"


@dataclass(frozen=True)
class Recommendation:
    """A row of a page's recommendations: its number from 1, what it is about, and what it says."""

    number: int
    about: str
    text: str


def recommendations(root: Path, authority: str, report: str) -> list[Recommendation]:
    """Return what the page of a report recommends.

    Raises
    ------
    DatamallError
        When there is no such report, or it has not been run here or recommends nothing.
    """
    known = load_parameters(root)["reports"]
    if report not in known:
        raise DatamallError(
            f"No report called {report!r} in params.yaml under reports: "
            f"there are {', '.join(known)}."
        )
    path = results_of(root, authority, report) / "decisions.csv"
    if not path.is_file():
        raise DatamallError(
            f"There is nothing to decide about {report} of {authority}: run `datamall report "
            f"{report} --authority {authority}` first."
        )
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and RECOMMENDED not in rows[0]:
        raise DatamallError(f"{path.relative_to(root)} has no column {RECOMMENDED}: give it one.")
    found = []
    for number, row in enumerate(rows, 1):
        before = list(row)[: list(row).index(RECOMMENDED)]
        about = ", ".join(row[name] for name in before if row[name])
        found.append(Recommendation(number, about, row[RECOMMENDED]))
    return found


def decide(
    root: Path,
    mapping: Authority,
    report: str,
    recommendation: int,
    role: str,
    *,
    until: date,
    as_of: date,
    decided: str = "",
    why: str = "",
    conditions: Sequence[str] = (),
    dissent: Sequence[str] = (),
    permits: Sequence[str] = (),
) -> int:
    """Write down a decision and sign it; return its number.

    One signature is enough for a decision that permits nothing; what permits something counts only
    with those of two people (`countersign`).

    Parameters
    ----------
    root, mapping, report
        Project folder, authority and report.
    recommendation
        Number of what it is about (`recommendations`).
    role
        Who decides and signs: one of those who have a key.
    until
        The last day on which it counts.
    as_of
        The day on which it is made.
    decided
        What is decided; as recommended without it.
    why
        Why it is another than recommended; needed then.
    conditions, dissent
        Under which conditions, and what who was against it said.
    permits
        What it permits: ``worklist``, of an audit behind whose gate people are listed.

    Raises
    ------
    DatamallError
        When a text is missing or is none, the day is past, the results are of other data, or the
        report has nothing that could be permitted.
    """
    known = recommendations(root, mapping.authority, report)
    if not 1 <= recommendation <= len(known):
        raise DatamallError(
            f"{report} has no recommendation {recommendation}: `datamall decide {report} "
            f"--authority {mapping.authority}` lists them."
        )
    about = known[recommendation - 1]
    taken = sentence(decided, "what is decided") if decided else about.text
    reason = sentence(why, "why it differs") if why else ""
    if taken != about.text and not reason:
        raise DatamallError(
            f"It is recommended otherwise ({about.text!r}): say why this is decided (--why)."
        )
    if permits and not load_parameters(root)["reports"][report].get(LIST):
        raise DatamallError(f"Behind {report} nobody is listed: leave out what it would permit.")
    if until < as_of:
        raise DatamallError(f"The decision would have expired on {until}: give a later day.")
    results = results_of(root, mapping.authority, report)
    rests_on = json.loads((results / "provenance.json").read_text("utf-8"))
    stores = stores_of(root, mapping.authority, rests_on)
    told = {name: rests_on[name] for name in rests_on if name.startswith(STORE)}
    if list(told.values()) != list(stores.values()):
        raise DatamallError(
            f"The results of {report} are of other data than the stores hold now: run `datamall "
            f"report {report} --authority {mapping.authority}`, and look at the page again."
        )
    number = len(files(root, mapping.authority, report)) + 1
    said = {
        "authority": mapping.authority,
        "report": report,
        "number": number,
        "recommendation": recommendation,
        "about": about.about,
        "recommended": about.text,
        "decided": taken,
        "by": role,
        "why_different": reason,
        "conditions": [sentence(text, "a condition") for text in conditions],
        "dissent": [sentence(text, "a dissent") for text in dissent],
        "until": until.isoformat(),
        "permits": sorted(set(permits)),
    }
    subjects = figures(root, mapping.authority, report, results) | stores
    _sign(root, mapping, report, number, statement(subjects, DECISION, said), role)
    return number


def countersign(root: Path, mapping: Authority, report: str, number: int, role: str) -> None:
    """Add a signature to a decision on the results as they are now.

    Raises
    ------
    Refused
        When it is not as it was signed, or is about other results.
    DatamallError
        When there is no such decision, or this role has signed it.
    """
    one = _one(root, mapping, report, number)
    if one.kind != DECISION:
        raise DatamallError(f"Number {number} of {report} is what came of a decision, not one.")
    about_now(root, mapping.authority, one)
    if role in one.signed.roles and role in _entries(root, mapping.authority, one.signed.digest):
        raise DatamallError(f"The {role} has signed decision {number} already: another has to.")
    _sign(root, mapping, report, number, one.signed.content, role)


def came_of(
    root: Path,
    mapping: Authority,
    report: str,
    number: int,
    text: str,
    role: str,
    measured_on: str = "",
) -> None:
    """Write down what came of a decision; signed by one role.

    Parameters
    ----------
    root, mapping, report, number, role
        Project folder, authority, report and decision; who says it.
    text
        What came of it.
    measured_on
        Another report, such as ``effects``, whose answer is what came of it, before the text; the
        statement is then about its results, too, byte for byte.

    Raises
    ------
    Refused
        When the decision is not as it was signed, or needed two people who never signed it.
    DatamallError
        When there is no such decision, or the text is none.
    """
    one = _one(root, mapping, report, number)
    if one.kind != DECISION:
        raise DatamallError(f"Number {number} of {report} is what came of a decision, not one.")
    if one.said["permits"]:
        signatures.by_two(root, mapping, one.signed, EVENTS[DECISION])
    subjects = {}
    if measured_on:
        text = f"{_answer(root, mapping.authority, measured_on)} {text}".strip()
        results = results_of(root, mapping.authority, measured_on)
        subjects = figures(root, mapping.authority, measured_on, results)
    said = {
        "authority": mapping.authority,
        "report": report,
        "decision": number,
        "came_of_it": sentence(text, "what came of it"),
        "by": role,
    }
    name = file_of(root, mapping.authority, report, number).relative_to(root).as_posix()
    after = len(files(root, mapping.authority, report)) + 1
    content = statement({name: one.signed.digest} | subjects, OUTCOME, said)
    _sign(root, mapping, report, after, content, role)


def _answer(root: Path, authority: str, report: str) -> str:
    """Return the answer of a page, with the days that it is about."""
    path = results_of(root, authority, report) / "answer.json"
    if not path.is_file():
        raise DatamallError(
            f"There is no page {report} of {authority} that could have measured it: run `datamall "
            f"report {report} --authority {authority}` first."
        )
    said = json.loads(path.read_text("utf-8"))
    return f"{said['sentence']} (page {report}, {said['first_day']} to {said['last_day']})"


def listed(root: Path, mapping: Authority, report: str) -> str:
    """Return the recommendations of a report and what was decided about each, as text."""
    lines = []
    found = kept(root, mapping, report)
    for row in recommendations(root, mapping.authority, report):
        lines.append(f"{row.number}. {row.about}: {row.text}")
        for one in found:
            if one.kind == DECISION and one.said["recommendation"] == row.number:
                said, roles = one.said, " and ".join(one.signed.roles)
                lines.append(f"   decision {one.number}, until {said['until']}: {said['decided']}")
                lines.append(f"     signed by {roles}")
    return "\n".join(lines)


def _sign(
    root: Path,
    mapping: Authority,
    report: str,
    number: int,
    content: Mapping[str, Any],
    role: str,
) -> None:
    said = {"report": report, "number": number}
    if content["predicateType"] == DECISION:
        said["recommendation"] = content["predicate"]["recommendation"]
    path = file_of(root, mapping.authority, report, number)
    event = EVENTS[content["predicateType"]]
    signatures.sign(root, mapping, path, content, role, event, **said)


def _one(root: Path, mapping: Authority, report: str, number: int) -> Kept:
    found = kept(root, mapping, report)
    if not 1 <= number <= len(found):
        raise DatamallError(f"There is no decision {number} on {report} of {mapping.authority}.")
    return found[number - 1]


def _entries(root: Path, authority: str, digest: str) -> set[str]:
    """Return the roles whose signature under a statement the log knows."""
    return {
        entry.said["role"]
        for entry in logbook.read(root)
        if (entry.said.get("signed"), entry.said.get("authority")) == (digest, authority)
    }
