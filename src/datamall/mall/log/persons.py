"""Who was in a store, kept beside the log of use so that people can be told of each use of theirs.

The log names nobody, and stores are replaced by the next delivery: so for each version of a store
of persons the log keeps one set of tags, made when it is taken in, or at the first checkout where
it came in another way. A tag is the keyed BLAKE2b of a person's number (RFC 7693; 128 bits) under
a key of the log, which HKDF (RFC 5869) derives from that of the authority: whoever has the number
and the key can look for it, and nobody can read numbers out of it. The digest of the set stands in
every entry that rests on it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datamall.mall import vault
from datamall.mall.authorities import Authority
from datamall.mall.log import logbook

SIZE = 16  # bytes of a tag


@dataclass(frozen=True)
class Kept:
    """A set of tags: its SHA-256, and how many persons it holds."""

    sha256: str
    persons: int

    def said(self, column: str | None) -> dict[str, Any]:
        """Return what an entry says of it: number (their column), persons and tags (SHA-256)."""
        return {"number": column, "persons": self.persons, "tags": self.sha256}


def seen(version: str, part: str) -> str:
    """Return how tags name a version of a store, or the part of it that is kept."""
    return f"{version}.{part}" if part else version


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
    root: Path,
    mapping: Authority,
    store: str,
    version: str,
    column: str,
    numbers: pa.ChunkedArray,
) -> Kept:
    """Keep who is in a version of a store; return what identifies the set.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    store, version, column
        Store, its version, and the column with the numbers.
    numbers
        Its values, as often as they come.

    Raises
    ------
    DatamallError
        When there is no key, or it cannot be written.
    """
    known = numbers.unique().drop_null().to_pylist()
    tags = b"".join(sorted(_tags(mapping, column, known)))
    logbook.put(_path(root, store, version), tags)
    return _identified(tags)


def kept(root: Path, store: str, version: str) -> Kept | None:
    """Return what is known of a version of a store; None if it was never handed out."""
    tags = _read(_path(root, store, version))
    return None if tags is None else _identified(tags)


def holds(root: Path, store: str, version: str, sha256: str, sought: bytes) -> bool | None:
    """Return whether a tag is of a version of a store; None if its tags are gone or others now.

    Parameters
    ----------
    root, store, version
        Project folder, store and version.
    sha256
        Of its tags, as the log has it.
    sought
        The tag.
    """
    tags = _read(_path(root, store, version))
    if tags is None or _identified(tags).sha256 != sha256:
        return None
    return any(tags[at : at + SIZE] == sought for at in range(0, len(tags), SIZE))


def _tags(mapping: Authority, column: str, numbers: Iterable[str]) -> Iterator[bytes]:
    key = HKDF(SHA256(), 32, salt=None, info=b"log of use").derive(vault.key(mapping))
    start = hashlib.blake2b(f"{column}\0".encode(), digest_size=SIZE, key=key)
    for number in numbers:
        one = start.copy()
        one.update(number.encode())
        yield one.digest()


def _path(root: Path, store: str, version: str) -> Path:
    return logbook.folder(root) / "persons" / store / f"{version}.tags"


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _identified(tags: bytes) -> Kept:
    return Kept(hashlib.sha256(tags).hexdigest(), len(tags) // SIZE)
