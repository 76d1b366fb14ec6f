"""What was decided on the recommendations of a page: by whom, why, and what came of it.

A page ends with recommendations (``results/<report>/decisions.csv``); what people decide about one
is no output of a program. It is a statement of theirs about exactly these results and the stores
that they rest on, signed (`datamall.mall.seal.signatures`) and kept in
``data/decisions/<authority>/<report>/<number>.json``. Files are only added; a later decision on the
same recommendation takes the place of an earlier one. What came of a decision is a statement about
that decision, and stands in the same row of files.

What permits something, such as a list of people, counts as long as it is signed by two people, is
the last decision on its recommendation, is about the results as they are now, and has not expired.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from datamall.mall.authorities import Authority, load_authority
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused
from datamall.mall.seal import keys, signatures
from datamall.mall.seal.signatures import Signed
from datamall.project import file_digest, reports_folder, store_folder

DECISION, OUTCOME = "urn:datamall:decision", "urn:datamall:outcome"
EVENTS = {DECISION: "decision", OUTCOME: "outcome"}
LIST = "worklist"  # what a decision may permit
STORE = "store "  # how provenance names the manifest of a store


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
    about_now(root, mapping.authority, one)
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
    for number, path in enumerate(files(root, mapping.authority, report), 1):
        place = path.relative_to(root).as_posix()
        if path != file_of(root, mapping.authority, report, number):
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
            place = file_of(root, authority, report, one.number).relative_to(root)
            there[one.signed.digest] = place.as_posix()
    logged = {
        entry.said["signed"]: entry.said
        for entry in logbook.read(root)
        if entry.said["event"] in EVENTS.values() and entry.said.get("authority") == authority
        if "signed" in entry.said
    }
    if logged and (strange := [place for digest, place in there.items() if digest not in logged]):
        raise Refused(
            "altered",
            f"{strange[0]} is not in the log of use: if it was signed here, sign it again "
            "(`datamall decide REPORT --sign NUMBER`).",
        )
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
        What was decided (see `decide`), ``roles`` that signed, ``lacking`` (who has to,
        where it permits something),
        ``current`` (whether it is about these results), ``replaced`` (whether a later one is about
        the same recommendation) and ``came`` (texts).
    """
    if not files(root, authority, report):
        return []
    found = kept(root, load_authority(root, authority), report)
    now = figures(root, authority, report, results) | stores_of(root, authority, rests_on)
    made = [one for one in found if one.kind == DECISION]
    last = {one.said["recommendation"]: one.number for one in made}
    return [
        {
            **one.said,
            "roles": list(one.signed.roles),
            "lacking": [
                role
                for role in (signatures.BOTH if one.said["permits"] else ())
                if role not in one.signed.roles
            ],
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


def about_now(root: Path, authority: str, one: Kept) -> None:
    """Check that a decision is about the results and stores as they are now, byte for byte.

    Raises
    ------
    Refused
        ``other-results``, with the first that is not what it was.
    """
    report = one.said["report"]
    now = figures(root, authority, report, results_of(root, authority, report))
    stores = (name for name in one.subjects if name not in now and (root / name).is_file())
    now |= {name: file_digest(root / name) for name in stores}
    for name in sorted({*one.subjects, *now}):
        if one.subjects.get(name) != now.get(name):
            raise Refused(
                "other-results",
                f"Decision {one.number} on {report} is about other results: {name} is not what "
                "it was. Look at the page as it is now, and decide again.",
            )


def figures(root: Path, authority: str, report: str, results: Path) -> dict[str, str]:
    """Return path of each result → SHA-256, read where they lie now.

    What the page rests on is none: it names code, too, and a decision is not about that.
    """
    place = results_of(root, authority, report).relative_to(root).as_posix()
    found = (path for path in results.glob("*") if path.name != "provenance.json")
    return {f"{place}/{path.name}": file_digest(path) for path in sorted(found)}


def stores_of(root: Path, authority: str, rests_on: Mapping[str, str]) -> dict[str, str]:
    """Return path of the manifest of each store that results rest on → SHA-256."""
    names = (name.removeprefix(STORE) for name in rests_on if name.startswith(STORE))
    paths = (store_folder(root, authority, name) / "store.json" for name in names)
    return {p.relative_to(root).as_posix(): file_digest(p) for p in paths if p.is_file()}


def results_of(root: Path, authority: str, report: str) -> Path:
    """Return the folder of a report's results."""
    return reports_folder(root, authority) / "results" / report


def files(root: Path, authority: str, report: str) -> list[Path]:
    """Return the files of the decisions on a report, in order."""
    return sorted(folder(root, authority, report).glob("*.json"))


def file_of(root: Path, authority: str, report: str, number: int) -> Path:
    """Return where a decision, or what came of one, lies."""
    return folder(root, authority, report) / f"{number:03}.json"
