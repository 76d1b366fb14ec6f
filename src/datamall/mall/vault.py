"""The vault: stores of persons and households lie encrypted, with the same bytes every time.

Each file of such a store is one AES-SIV ciphertext (RFC 5297). Without a nonce the same rows give
the same bytes, as everywhere here; what that gives away is whether two deliveries are equal. The
store, the version of its contract, the name of the file and the number of parts are bound to it, so
that a part can be neither moved, renamed nor left out without being noticed.

A key is a file outside the project that only its owner can read, one for each authority. Invented
data have a key that everybody knows: it protects nothing, and only lets the demo run as a real
authority would.
"""

import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datamall.errors import DatamallError
from datamall.mall.authorities import Authority

SUFFIX = ".siv"
SIZE = 64  # bytes: AES-256 twice
PUBLIC = b"datamall: the key of invented data, known to everybody"


@dataclass(frozen=True)
class Seal:
    """What the files of one store are encrypted with.

    Attributes
    ----------
    key
        64 bytes.
    store, version
        The store, and the version of its contract.
    parts
        Number of parts.
    """

    key: bytes
    store: str
    version: str
    parts: int

    def close(self, path: Path, content: bytes) -> Path:
        """Write the ciphertext of what a file would hold to ``<name>.siv``; return its path."""
        closed = path.with_name(path.name + SUFFIX)
        closed.write_bytes(AESSIV(self.key).encrypt(content, self._bound(closed)))
        return closed

    def open(self, path: Path) -> pa.Table:
        """Return the rows of a file.

        Raises
        ------
        DatamallError
            When the key is another one, or the file is not what was closed under its name.
        """
        try:
            text = AESSIV(self.key).decrypt(path.read_bytes(), self._bound(path))
        except InvalidTag:
            raise DatamallError(
                f"{self.store}: {path.name} does not open with the key of this authority: bring "
                f"back the key with which it was taken in, or run `datamall intake {self.store}` "
                "again."
            ) from None
        return pq.read_table(pa.BufferReader(text))

    def _bound(self, path: Path) -> list[bytes]:
        texts = (self.store, self.version, path.name, str(self.parts))
        return [text.encode() for text in texts]


def key_file(authority: str) -> Path:
    """Return where the key of an authority lies: outside every project."""
    return Path.home() / ".config" / "datamall" / f"{authority}.key"


def key(authority: Authority) -> bytes:
    """Return the key of an authority's stores of persons.

    Raises
    ------
    DatamallError
        When there is no key file, it is none, or others than its owner can read it.
    """
    if authority.synthetic:
        return HKDF(SHA256(), SIZE, salt=None, info=b"stores").derive(PUBLIC)
    path = key_file(authority.authority)
    return read_key(
        path,
        SIZE,
        f"There is no key for the stores of persons of {authority.authority}: make one with "
        f"`datamall key {authority.authority}`, or put the one you have at {path}.",
    )


def read_key(path: Path, size: int, missing: str) -> bytes:
    """Return the key in a file, `size` bytes written as hexadecimal digits.

    Raises
    ------
    DatamallError
        With the sentence `missing` when there is no file; when it is no key, or others than its
        owner can read it.
    """
    if not path.is_file():
        raise DatamallError(missing)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise DatamallError(f"Others can read the key {path}: run `chmod 600` on it.")
    try:
        found = bytes.fromhex(path.read_text("ascii"))
    except ValueError:
        found = b""
    if len(found) != size:
        raise DatamallError(
            f"{path} is no key: it must hold {2 * size} hexadecimal digits, as `datamall key` "
            "writes them."
        )
    return found


def make_key(authority: Authority) -> Path:
    """Make a key file; return its path.

    Raises
    ------
    DatamallError
        When there is one already: with another key the stores could not be read.
    """
    if authority.synthetic:
        raise DatamallError(
            f"The data of {authority.authority} are invented: their key is known to everybody, "
            "and no file."
        )
    return write_key(key_file(authority.authority), SIZE)


def write_key(path: Path, size: int) -> Path:
    """Write a new key of `size` bytes to a file that only its owner can read; return its path.

    Raises
    ------
    DatamallError
        When there is one already.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".partial")  # for its owner alone
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(size) + "\n")
            file.flush()
            os.fsync(handle)
        os.link(aside, path)  # whole or not at all, and never over another
    except FileExistsError:
        raise DatamallError(
            f"There is a key at {path} already: what was closed or signed with it needs that one."
        ) from None
    finally:
        Path(aside).unlink()
    return path
