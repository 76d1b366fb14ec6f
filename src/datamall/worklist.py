"""A list of people behind an open gate and a valid decision, and one person of it by name.

The list holds pseudonyms in random order and nothing else: no score, no number, no reason. Both
pseudonyms and order come from the authority's key and the decision that permits the list, so that
two lists cannot be joined, and the same list has the same bytes. Who visits or invites asks for one
person at a time (`resolve`), and is somebody else than who made the list.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datamall import decisions, gate
from datamall.decisions import Kept
from datamall.errors import DatamallError
from datamall.mall import vault
from datamall.mall.authorities import Authority
from datamall.mall.door import Door, Extract
from datamall.mall.log import logbook
from datamall.mall.log.logbook import Entry
from datamall.mall.purposes import Refused
from datamall.project import load_parameters, store_folder

EVENT = "worklist"
FILE = "worklist.csv"
DIGITS = 16  # of a pseudonym, hexadecimal
PSEUDONYM = re.compile(f"[0-9a-f]{{{DIGITS}}}")


def make(
    root: Path,
    mapping: Authority,
    report: str,
    target: Path,
    role: str,
    as_of: date,
    again: Callable[[], str],
) -> int:
    """Write ``worklist.csv``, pseudonyms in random order, to a folder; return how many they are.

    Parameters
    ----------
    root, mapping, report
        Project folder, authority and audit.
    target
        A new or an empty folder outside the project.
    role
        Who makes the list.
    as_of
        The day on which it is made.
    again
        Comes to the audit's verdict again: see `datamall.gate.decide`.

    Raises
    ------
    Refused
        ``gate-closed``, ``no-list`` (nobody to be listed), or a reason of `decisions.permitting`.
    DatamallError
        When the folder lies in the project or is not empty.
    """
    place = target.resolve()
    if place.is_relative_to(root.resolve()):
        raise DatamallError(f"{target} lies inside the project: name a folder elsewhere.")
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise DatamallError(f"{target} is not empty: name a new or an empty folder.")
    permit = _permit(root, mapping, report, as_of, again)
    listed = _listed(root, mapping, report, permit, "worklist")
    if not listed:
        raise Refused("no-list", f"No list was written: nobody of {mapping.authority} is on it.")
    text = _text(listed)
    logbook.write(
        root,
        EVENT,
        outcome="granted",
        role=role,
        authority=mapping.authority,
        report=report,
        decision=permit.signed.digest,
        people=len(listed),
        sha256=hashlib.sha256(text).hexdigest(),
    )
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = place / f"{FILE}.partial"
    aside.touch(mode=0o600)
    aside.write_bytes(text)
    aside.replace(place / FILE)
    return len(listed)


def resolve(
    root: Path,
    mapping: Authority,
    report: str,
    pseudonym: str,
    role: str,
    as_of: date,
    again: Callable[[], str],
) -> str:
    """Return the number of one person on the list that was made last, on record.

    Parameters
    ----------
    root, mapping, report, as_of, again
        As for `make`: a list stops with the decision that permitted it.
    pseudonym
        A line of the list.
    role
        Who asks: neither in the role nor, but for invented data, by the account that made the list.

    Raises
    ------
    Refused
        ``no-list`` where none was made under this decision, ``made-the-list``, ``other-list`` where
        other people would be on it now, ``not-on-list``, or a reason for which no list is made.
    """
    permit = _permit(root, mapping, report, as_of, again)
    made = _last(root, mapping.authority, report)
    if made is None or made.said["decision"] != permit.signed.digest:
        raise Refused("no-list", f"No list of {report} was made here under this decision.")
    same_account = made.said["account"] == logbook.account() and not mapping.synthetic
    if role == made.said["role"] or same_account:
        raise Refused(
            "made-the-list",
            "Who made the list may not learn who is on it: somebody else asks, in another role.",
        )
    listed = _listed(root, mapping, report, permit, "resolve")
    if hashlib.sha256(_text(listed)).hexdigest() != made.said["sha256"]:
        raise Refused("other-list", f"The list of {report} would be another one now: make it anew.")
    if pseudonym not in listed:
        raise Refused("not-on-list", "Nobody on the list has this pseudonym: take it from a line.")
    logbook.write(
        root,
        "resolve",
        outcome="granted",
        role=role,
        authority=mapping.authority,
        report=report,
        decision=permit.signed.digest,
        pseudonym=pseudonym,
    )
    return listed[pseudonym]


def _permit(
    root: Path, mapping: Authority, report: str, as_of: date, again: Callable[[], str]
) -> Kept:
    """Return the decision that permits a list, behind an open gate."""
    refusals: list[Refused] = []
    try:
        permit = decisions.permitting(root, mapping, report, decisions.LIST, as_of)
    except Refused as refusal:
        refusals.append(refusal)
    # Without a decision nothing is handed out, and nothing has to be counted again for it.
    counted = (lambda: gate.PASS) if refusals else again
    reasons = gate.decide(root, mapping.authority, report, counted)["reasons"]
    if reasons:
        refusals.insert(0, Refused("gate-closed", " ".join(reasons)))
    if refusals:
        said = " ".join(refusal.sentence for refusal in refusals)
        raise Refused(refusals[0].code, f"No list is made or read. {said}")
    return permit


def _listed(
    root: Path, mapping: Authority, report: str, permit: Kept, occasion: str
) -> dict[str, str]:
    """Return pseudonym → number of everybody on the list, in its order."""
    about = load_parameters(root)["reports"][report]
    purpose = about.get("worklist")
    if not purpose:
        raise DatamallError(
            f"params.yaml names no purpose for a list of {report}: reports.{report}.worklist."
        )
    program: Any = import_module(f"datamall.{about['package']}.audit.listed")
    door = Door(root, mapping.authority, [purpose], f"{occasion} of {report}", inside=True)
    with door:
        data = Extract(door.hand_out(purpose))
    for store in data:
        manifest = store_folder(root, mapping.authority, store) / "store.json"
        if manifest.relative_to(root).as_posix() not in permit.subjects:
            raise DatamallError(
                f"{purpose!r} takes people from {store}, which {report} does not rest on: the "
                "decision is not about them."
            )
    numbers = program.numbers(data)
    own = f"worklist {permit.signed.digest}".encode()
    key = HKDF(SHA256(), 32, salt=None, info=own).derive(vault.key(mapping))
    named = {hmac.digest(key, one.encode(), "sha256").hex()[:DIGITS]: one for one in numbers}
    if len(named) < len(numbers):
        raise DatamallError("Two people have one pseudonym: decide again, which gives others.")
    # As good as a draw: where a pseudonym stands says nothing about the person.
    return dict(sorted(named.items()))


def _last(root: Path, authority: str, report: str) -> Entry | None:
    """Return the entry of the list that was made last."""
    found = None
    for entry in logbook.read(root):
        said = entry.said
        about = (said["event"], said.get("outcome"), said.get("authority"), said.get("report"))
        if about == (EVENT, "granted", authority, report):
            found = entry
    return found


def _text(listed: dict[str, str]) -> bytes:
    return "\n".join(["pseudonym", *listed, ""]).encode()
