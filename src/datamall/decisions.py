"""What was decided on the recommendations of a page: by whom, why, and what came of it.

A page ends with recommendations (``results/<report>/decisions.csv``); what people decide about one
is no output of a program. It is a statement of theirs about exactly these results and the stores
that they rest on, signed (`datamall.mall.seal.signatures`) and kept in
``data/decisions/<authority>/<report>/<number>.json``. Files are only added; a later decision on the
same recommendation takes the place of an earlier one. What came of a decision is a statement about
that decision, and stands in the same row of files.

A decision counts as long as it is signed by two people, is the last on its recommendation, is about
the results as they are now, and has not expired.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from datamall.errors import DatamallError
from datamall.mall.authorities import Authority, load_authority
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused
from datamall.mall.seal import keys, signatures
from datamall.mall.seal.envelope import statement
from datamall.mall.seal.signatures import Signed
from datamall.project import file_digest, load_parameters, reports_folder, store_folder

DECISION, OUTCOME = "urn:datamall:decision", "urn:datamall:outcome"
EVENTS = {DECISION: "decision", OUTCOME: "outcome"}
LIST = "worklist"  # what a decision may permit
RECOMMENDED = "recommended"
LONGEST = 600  # letters of a text
STORE = "store "  # how provenance names the manifest of a store


@dataclass(frozen=True)
class Recommendation:
    """A row of a page's recommendations: its number from 1, what it is about, and what it says."""

    number: int
    about: str
    text: str


@dataclass(frozen=True)
class Kept:
    """A decision, or what came of one, as it was signed.

    Attributes
    ----------
    number
        Of its file, from 1.
    said
        The predicate of the statement: see `decide` and `came_of`.
    subjects
        Path in the project → SHA-256.
    signed
        Its digest and signatures.
    """

    number: int
    said: dict[str, Any]
    subjects: dict[str, str]
    signed: Signed

    @property
    def kind(self) -> str:
        """`DECISION` or `OUTCOME`."""
        return str(self.signed.content["predicateType"])


def folder(root: Path, authority: str, report: str) -> Path:
    """Return where the decisions on a report lie; the folder need not be there."""
    return root / "data" / "decisions" / authority / report


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
    path = _results(root, authority, report) / "decisions.csv"
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
    """Write down a decision and sign it as the first of two; return its number.

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
        What it permits: ``worklist``.

    Raises
    ------
    DatamallError
        When a text is missing or is none, the day is past, or the results are of other data.
    """
    known = recommendations(root, mapping.authority, report)
    if not 1 <= recommendation <= len(known):
        raise DatamallError(
            f"{report} has no recommendation {recommendation}: `datamall decide {report} "
            f"--authority {mapping.authority}` lists them."
        )
    about = known[recommendation - 1]
    taken = _text(decided, "what is decided") if decided else about.text
    reason = _text(why, "why it differs") if why else ""
    if taken != about.text and not reason:
        raise DatamallError(
            f"It is recommended otherwise ({about.text!r}): say why this is decided (--why)."
        )
    if until < as_of:
        raise DatamallError(f"The decision would have expired on {until}: give a later day.")
    results = _results(root, mapping.authority, report)
    rests_on = json.loads((results / "provenance.json").read_text("utf-8"))
    stores = _stores(root, mapping.authority, rests_on)
    told = {name: rests_on[name] for name in rests_on if name.startswith(STORE)}
    if list(told.values()) != list(stores.values()):
        raise DatamallError(
            f"The results of {report} are of other data than the stores hold now: run `datamall "
            f"report {report} --authority {mapping.authority}`, and look at the page again."
        )
    number = len(_files(root, mapping.authority, report)) + 1
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
        "conditions": [_text(text, "a condition") for text in conditions],
        "dissent": [_text(text, "a dissent") for text in dissent],
        "until": until.isoformat(),
        "permits": sorted(set(permits)),
    }
    subjects = _figures(root, mapping.authority, report, results) | stores
    _sign(root, mapping, report, number, statement(subjects, DECISION, said), role)
    return number


def countersign(root: Path, mapping: Authority, report: str, number: int, role: str) -> None:
    """Add the second signature to a decision on the results as they are now.

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
    _about_now(root, mapping.authority, one)
    if role in one.signed.roles and role in _entries(root, mapping.authority, one.signed.digest):
        raise DatamallError(f"The {role} has signed decision {number} already: another has to.")
    _sign(root, mapping, report, number, one.signed.content, role)


def came_of(root: Path, mapping: Authority, report: str, number: int, text: str, role: str) -> None:
    """Write down what came of a decision that two people had signed; signed by one role.

    Raises
    ------
    Refused
        When the decision is not as it was signed, or was never signed by two people.
    DatamallError
        When there is no such decision, or the text is none.
    """
    one = _one(root, mapping, report, number)
    if one.kind != DECISION:
        raise DatamallError(f"Number {number} of {report} is what came of a decision, not one.")
    signatures.by_two(root, mapping, one.signed, EVENTS[DECISION])
    said = {
        "authority": mapping.authority,
        "report": report,
        "decision": number,
        "came_of_it": _text(text, "what came of it"),
        "by": role,
    }
    name = _path(root, mapping.authority, report, number).relative_to(root).as_posix()
    after = len(_files(root, mapping.authority, report)) + 1
    content = statement({name: one.signed.digest}, OUTCOME, said)
    _sign(root, mapping, report, after, content, role)


def permitting(root: Path, mapping: Authority, report: str, act: str, as_of: date) -> Kept:
    """Return the decision that permits an act now.

    Parameters
    ----------
    root, mapping, report
        Project folder, authority and report.
    act
        Such as ``worklist``.
    as_of
        The day on which it is asked. Where the log of use has a later one, that counts: a clock
        that was set back makes no decision valid.

    Raises
    ------
    Refused
        With the first reason: ``no-decision``, ``altered``, those of `signatures.by_two`,
        ``replaced``, ``other-results`` or ``expired``.
    """
    found = [one for one in kept(root, mapping, report) if act in one.said.get("permits", ())]
    if not found:
        raise Refused(
            "no-decision", f"No decision on {report} of {mapping.authority} permits a {act}."
        )
    one = found[-1]
    where = f"Decision {one.number} on {report}"
    try:
        signatures.by_two(root, mapping, one.signed, EVENTS[DECISION])
    except Refused as refusal:
        raise Refused(refusal.code, f"{where}: {refusal.sentence}") from None
    last, today = "", as_of.isoformat()
    for entry in logbook.read(root):
        said = entry.said
        today = max(today, said["at"][:10])
        about = (said["event"], said.get("authority"), said.get("report"))
        if about == (EVENTS[DECISION], mapping.authority, report) and "signed" in said:
            same = said["recommendation"] == one.said["recommendation"]
            last = said["signed"] if same else last
    if last != one.signed.digest:
        raise Refused(
            "replaced", f"{where} is not the last one on its recommendation: a later one is."
        )
    _about_now(root, mapping.authority, one)
    if today > one.said["until"]:
        raise Refused("expired", f"{where} expired on {one.said['until']}.")
    return one


def kept(
    root: Path,
    mapping: Authority,
    report: str,
    known: Mapping[str, Ed25519PublicKey] | None = None,
) -> list[Kept]:
    """Return the decisions on a report and what came of them, in the order of their numbers.

    Parameters
    ----------
    root, mapping, report
        Project folder, authority and report.
    known
        Public keys by role; without it, those of the project.

    Raises
    ------
    Refused
        ``altered``, at the first that is not as it was signed, or is gone from between others.
    """
    known = keys.public(root, mapping) if known is None else known
    found = []
    for number, path in enumerate(_files(root, mapping.authority, report), 1):
        place = path.relative_to(root).as_posix()
        if path != _path(root, mapping.authority, report, number):
            raise Refused("altered", f"Before {place} another one is gone: restore it from git.")
        signed = signatures.read(path, known, place)
        said, kind = signed.content["predicate"], signed.content["predicateType"]
        if (said.get("authority"), said.get("report")) != (mapping.authority, report) or (
            kind not in EVENTS
        ):
            raise Refused("altered", f"{place} is a statement about something else.")
        subjects = {one["name"]: one["digest"]["sha256"] for one in signed.content["subject"]}
        found.append(Kept(number, said, subjects, signed))
    return found


def verify(root: Path, mapping: Authority, known: Mapping[str, Ed25519PublicKey]) -> int:
    """Check all that was decided against its signatures and the log; return how many files.

    Raises
    ------
    Refused
        ``altered``, with the first that is not as it was signed, that the log does not know, or
        that the log knows and is gone.
    """
    authority, there = mapping.authority, dict[str, str]()
    for report in sorted(path.name for path in folder(root, authority, "").glob("*/")):
        for one in kept(root, mapping, report, known):
            place = _path(root, authority, report, one.number).relative_to(root)
            there[one.signed.digest] = place.as_posix()
    logged = {
        entry.said["signed"]: entry.said
        for entry in logbook.read(root)
        if entry.said["event"] in EVENTS.values() and entry.said.get("authority") == authority
        if "signed" in entry.said
    }
    if logged and (strange := [place for digest, place in there.items() if digest not in logged]):
        raise Refused("altered", f"{strange[0]} is not among the decisions in the log of use.")
    for digest, said in logged.items():
        if digest not in there:
            where = f"{said['number']} on {said['report']}"
            raise Refused("altered", f"Decision {where} is gone, or another is in its place.")
    return len(there)


def shown(
    root: Path, authority: str, report: str, rests_on: Mapping[str, str], results: Path
) -> list[dict[str, Any]]:
    """Return what the page shows of each decision on it.

    Parameters
    ----------
    root, authority, report
        Project folder, authority and report.
    rests_on
        Provenance of the page.
    results
        Folder of the page's results, wherever they lie now.

    Returns
    -------
    list of dict
        What was decided (see `decide`), ``roles`` that signed, ``lacking`` (who has not),
        ``current`` (whether it is about these results), ``replaced`` (whether a later one is about
        the same recommendation) and ``came`` (texts).
    """
    if not _files(root, authority, report):
        return []
    found = kept(root, load_authority(root, authority), report)
    now = _figures(root, authority, report, results) | _stores(root, authority, rests_on)
    made = [one for one in found if one.kind == DECISION]
    last = {one.said["recommendation"]: one.number for one in made}
    return [
        {
            **one.said,
            "roles": list(one.signed.roles),
            "lacking": [role for role in signatures.BOTH if role not in one.signed.roles],
            "current": one.subjects == now,
            "replaced": last[one.said["recommendation"]] != one.number,
            "came": [
                other.said["came_of_it"]
                for other in found
                if other.kind == OUTCOME and one.signed.digest in other.subjects.values()
            ],
        }
        for one in made
    ]


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
    path = _path(root, mapping.authority, report, number)
    event = EVENTS[content["predicateType"]]
    signatures.sign(root, mapping, path, content, role, event, **said)


def _one(root: Path, mapping: Authority, report: str, number: int) -> Kept:
    found = kept(root, mapping, report)
    if not 1 <= number <= len(found):
        raise DatamallError(f"There is no decision {number} on {report} of {mapping.authority}.")
    return found[number - 1]


def _about_now(root: Path, authority: str, one: Kept) -> None:
    """Check that a decision is about the results and stores as they are now, byte for byte."""
    report = one.said["report"]
    now = _figures(root, authority, report, _results(root, authority, report))
    stores = (name for name in one.subjects if name not in now and (root / name).is_file())
    now |= {name: file_digest(root / name) for name in stores}
    for name in sorted({*one.subjects, *now}):
        if one.subjects.get(name) != now.get(name):
            raise Refused(
                "other-results",
                f"Decision {one.number} on {report} is about other results: {name} is not what "
                "it was. Look at the page as it is now, and decide again.",
            )


def _entries(root: Path, authority: str, digest: str) -> set[str]:
    """Return the roles whose signature under a statement the log knows."""
    return {
        entry.said["role"]
        for entry in logbook.read(root)
        if (entry.said.get("signed"), entry.said.get("authority")) == (digest, authority)
    }


def _figures(root: Path, authority: str, report: str, results: Path) -> dict[str, str]:
    """Return path of each result → SHA-256. What the page rests on, code too, is none."""
    place = _results(root, authority, report).relative_to(root).as_posix()
    files = (path for path in results.glob("*") if path.name != "provenance.json")
    return {f"{place}/{path.name}": file_digest(path) for path in sorted(files)}


def _stores(root: Path, authority: str, rests_on: Mapping[str, str]) -> dict[str, str]:
    """Return path of the manifest of each store that results rest on → SHA-256."""
    names = (name.removeprefix(STORE) for name in rests_on if name.startswith(STORE))
    paths = (store_folder(root, authority, name) / "store.json" for name in names)
    return {p.relative_to(root).as_posix(): file_digest(p) for p in paths if p.is_file()}


def _results(root: Path, authority: str, report: str) -> Path:
    return reports_folder(root, authority) / "results" / report


def _files(root: Path, authority: str, report: str) -> list[Path]:
    return sorted(folder(root, authority, report).glob("*.json"))


def _path(root: Path, authority: str, report: str, number: int) -> Path:
    return folder(root, authority, report) / f"{number:03}.json"


def _text(text: str, what: str) -> str:
    """Return a text that is one line of words."""
    whole = text.strip()
    if not whole or not whole.isprintable() or len(whole) > LONGEST:
        raise DatamallError(
            f"{what[0].upper()}{what[1:]} must be one line of at most {LONGEST} letters, about "
            "no person by name."
        )
    return whole
