"""Envelopes of signed statements: DSSE v1 around in-toto statements, with Ed25519 (RFC 8032).

What is signed is the payload with its type and both lengths before it, so that nothing can be read
in two ways. An envelope can have signatures of several roles.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from datamall.errors import DatamallError

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"


def pae(kind: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: the pre-authentication encoding of DSSE v1."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def key_id(key: Ed25519PublicKey) -> str:
    """Return how signatures name a key: the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def statement(subjects: Mapping[str, str], kind: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return an in-toto statement about files.

    Parameters
    ----------
    subjects
        Path in the project → SHA-256.
    kind
        Type of what is said of them, a URI.
    about
        What is said of them.
    """
    return {
        "_type": STATEMENT,
        "subject": [{"name": n, "digest": {"sha256": d}} for n, d in sorted(subjects.items())],
        "predicateType": kind,
        "predicate": dict(about),
    }


def sign(content: Mapping[str, Any], keys: Iterable[Ed25519PrivateKey]) -> dict[str, Any]:
    """Return an envelope with a signature by each of the keys."""
    payload = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return {
        "payloadType": PAYLOAD,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {
                "keyid": key_id(key.public_key()),
                "sig": base64.b64encode(key.sign(pae(PAYLOAD, payload))).decode(),
            }
            for key in keys
        ],
    }


def opened(
    envelope: Any, known: Mapping[str, Ed25519PublicKey], where: str
) -> tuple[dict[str, Any], set[str]]:
    """Return the statement in an envelope and the ids of the known keys that signed it.

    Parameters
    ----------
    envelope
        As it was read.
    known
        Keys by their id; signatures by others say nothing.
    where
        The envelope in words, for errors.

    Raises
    ------
    DatamallError
        When it is no envelope, a signature by a known key is wrong, or there is none.
    """
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        given = [
            (str(one["keyid"]), base64.b64decode(one["sig"], validate=True))
            for one in envelope["signatures"]
        ]
        kind = envelope["payloadType"]
    except (KeyError, TypeError, ValueError):
        raise DatamallError(f"{where} is no envelope: restore it from a copy.") from None
    signed = set()
    for name, signature in given:
        if name not in known:
            continue
        try:
            known[name].verify(signature, pae(str(kind), payload))
        except InvalidSignature:
            raise DatamallError(f"{where} was altered after it was signed.") from None
        signed.add(name)
    if not signed or kind != PAYLOAD:
        raise DatamallError(f"{where} is signed by nobody whose key is known here.")
    content: dict[str, Any] = json.loads(payload)
    return content, signed
