"""Who was in a store, kept beside the log of use so that people can be told of each use of theirs.

The log names nobody, and stores are replaced by the next delivery: so for each version of a store
of persons that is handed out, the log keeps one set of tags, made once. A tag is the HMAC of a
person's number under a key of the log (HKDF of the authority's key, RFC 5869), cut to 128 bits:
whoever has the number and the key can look for it, and nobody can read numbers out of it. The
digest of the set stands in every entry that rests on it.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datamall.mall import logbook, vault
from datamall.mall.authorities import Authority

SIZE = 16  # bytes of a tag


@dataclass(frozen=True)
class Kept:
    """A set of tags: its SHA-256, and how many persons it holds."""

    sha256: str
    persons: int


def tag(mapping: Authority, column: str, number: str) -> bytes:
    """Return the tag of one person.

    Parameters
    ----------
    mapping
        The authority, whose key is needed.
    column
        The column with such numbers: the same number of another register is somebody else.
    number
        As the store has it.

    Raises
    ------
    DatamallError
        When there is no key.
    """
    return next(_tags(mapping, column, [number]))


def keep(
    root: Path, mapping: Authority, store: str, version: str, column: str, numbers: Iterable[str]
) -> Kept:
    """Keep who is in a version of a store; return what identifies the set.

    Raises
    ------
    DatamallError
        When there is no key, or it cannot be written.
    """
    tags = b"".join(sorted(set(_tags(mapping, column, numbers))))
    logbook.put(_path(root, store, version), tags)
    return _identified(tags)


def kept(root: Path, store: str, version: str) -> Kept | None:
    """Return what is known of a version of a store; None if it was never handed out."""
    tags = _read(_path(root, store, version))
    return None if tags is None else _identified(tags)


def within(root: Path, store: str, version: str, sha256: str) -> frozenset[bytes] | None:
    """Return the tags of a version of a store; None if they are gone or not those of an entry."""
    tags = _read(_path(root, store, version))
    if tags is None or _identified(tags).sha256 != sha256:
        return None
    return frozenset(tags[at : at + SIZE] for at in range(0, len(tags), SIZE))


def _tags(mapping: Authority, column: str, numbers: Iterable[str]) -> Iterator[bytes]:
    key = HKDF(SHA256(), 32, salt=None, info=b"log of use").derive(vault.key(mapping))
    start = f"{column}\0".encode()
    for number in numbers:
        yield hmac.digest(key, start + number.encode(), "sha256")[:SIZE]


def _path(root: Path, store: str, version: str) -> Path:
    return logbook.folder(root) / "persons" / store / f"{version}.tags"


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _identified(tags: bytes) -> Kept:
    return Kept(hashlib.sha256(tags).hexdigest(), len(tags) // SIZE)
