"""What counts only when two different people have signed it: a steward and the committee.

One file is one statement in an envelope. Whoever signs adds a signature of their role, and each
signature has an entry in the log of use: that says which account gave it, and which statement on a
matter was the last. A statement of which the log knows nothing is signed by nobody.
"""

import hashlib
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from datamall.errors import DatamallError
from datamall.mall.authorities import Authority
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused
from datamall.mall.seal import keys
from datamall.mall.seal.envelope import key_id, opened
from datamall.mall.seal.envelope import sign as enveloped
from datamall.project import put

BOTH = ("committee", "steward")


@dataclass(frozen=True)
class Signed:
    """A statement that was signed.

    Attributes
    ----------
    content
        The in-toto statement.
    digest
        SHA-256 of what is signed; the same whoever has signed so far.
    roles
        Role → id of the key, of all known keys whose signature is good.
    """

    content: dict[str, Any]
    digest: str
    roles: dict[str, str]


def read(path: Path, known: Mapping[str, Ed25519PublicKey], where: str) -> Signed:
    """Return the statement in a file, after checking its signatures.

    Parameters
    ----------
    path
        The envelope.
    known
        Public keys by role (`datamall.mall.seal.keys.public`).
    where
        The envelope in words, for errors.

    Raises
    ------
    Refused
        ``altered``: it is no envelope, or not as it was signed, or nobody known signed it.
    """
    try:
        envelope = json.loads(path.read_bytes())
    except ValueError:
        envelope = None
    try:
        content, ids = opened(envelope, {key_id(key): key for key in known.values()}, where)
    except DatamallError as error:
        raise Refused("altered", str(error)) from None
    digest = hashlib.sha256(b64decode(envelope["payload"])).hexdigest()
    roles = {role: key_id(key) for role, key in sorted(known.items()) if key_id(key) in ids}
    return Signed(content, digest, roles)


def sign(
    root: Path,
    mapping: Authority,
    path: Path,
    content: Mapping[str, Any],
    role: str,
    event: str,
    **said: Any,
) -> str:
    """Sign a statement as one role, beside those who have; return its digest.

    The file comes first and then the entry, without which it counts for nothing: whoever is
    interrupted in between signs again. Where no entry can be written the file is as before.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    path
        Where the envelope lies; it need not be there.
    content
        The statement, the same as that of the file if there is one.
    role
        Who signs.
    event, said
        Of the entry in the log of use, which also has ``authority``, ``role`` and ``signed``.

    Raises
    ------
    DatamallError
        When the role has no key, or the log cannot be written.
    """
    envelope = enveloped(content, [keys.signing(root, mapping, role)])
    before = path.read_text("utf-8") if path.is_file() else None
    if before is not None:
        own = {one["keyid"] for one in envelope["signatures"]}
        others = [one for one in json.loads(before)["signatures"] if one["keyid"] not in own]
        envelope["signatures"] = [*others, *envelope["signatures"]]
    digest = hashlib.sha256(b64decode(envelope["payload"])).hexdigest()
    put(path, json.dumps(envelope, indent=1) + "\n")
    try:
        logbook.write(root, event, role=role, authority=mapping.authority, signed=digest, **said)
    except BaseException:
        path.unlink() if before is None else put(path, before)
        raise
    return digest


def both_roles(signed: Signed) -> None:
    """Check that a statement has the signatures of two roles, by two keys.

    Raises
    ------
    Refused
        ``lacks-signature`` or ``one-key``.
    """
    lacking = [role for role in BOTH if role not in signed.roles]
    if lacking:
        raise Refused(
            "lacks-signature",
            f"It needs the signatures of two people, and lacks that of the {lacking[0]}.",
        )
    if len({signed.roles[role] for role in BOTH}) < len(BOTH):
        raise Refused(
            "one-key",
            f"The roles {' and '.join(BOTH)} have one and the same key: each person needs an own.",
        )


def by_two(root: Path, mapping: Authority, signed: Signed, event: str) -> None:
    """Check that a statement is signed by two different people, as the log of use has it.

    Two roles, two keys and two accounts. Of invented data one account may do both, since their
    keys are known to everybody anyway.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    signed
        As from `read`.
    event
        Of the entries that its signatures have.

    Raises
    ------
    Refused
        ``lacks-signature``, ``one-key``, ``not-in-log`` or ``one-person``.
    """
    both_roles(signed)
    accounts = {
        entry.said["role"]: entry.said["account"]
        for entry in logbook.read(root)
        if (entry.said["event"], entry.said.get("authority")) == (event, mapping.authority)
        and entry.said.get("signed") == signed.digest
    }
    unknown = [role for role in BOTH if role not in accounts]
    if unknown:
        raise Refused(
            "not-in-log",
            f"The log of use does not know that the {unknown[0]} signed it: sign it here.",
        )
    if not mapping.synthetic and len({accounts[role] for role in BOTH}) < len(BOTH):
        raise Refused(
            "one-person",
            "One account signed for both roles: it needs two people with an account each.",
        )
