"""Keys of epochs: random files beside the authority's key, each of which can be destroyed.

A key that is derived from another one can be made again as long as that one is there, so that
nothing is gone when it is deleted. So each epoch has a secret of its own, a file that only its
owner can read, and what is used is derived by HKDF (RFC 5869) from the authority's key with that
secret as salt: it takes both. Epochs of a store are the years of its rows; those of pseudonyms are
the years in which they are handed out. Invented data have secrets that everybody knows: they cannot
be destroyed.
"""

from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datamall.mall import vault
from datamall.mall.authorities import Authority
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused

SIZE = 32  # bytes of a secret
PSEUDONYMS = "pseudonyms"  # beside the names of stores, which have a dot
UNDATED = "undated"


def derived(
    root: Path, mapping: Authority, what: str, epoch: str, info: str, size: int, *, make: bool
) -> bytes:
    """Return a key of an epoch.

    Parameters
    ----------
    root, mapping
        Project folder, whose log knows what was destroyed, and authority.
    what, epoch
        A store or `PSEUDONYMS`, and the epoch: a year, or `UNDATED`.
    info, size
        What the key is for, and how many bytes it has.
    make
        Whether a secret is made where there is none.

    Raises
    ------
    Refused
        ``epoch-destroyed``, whatever files there are; or ``epoch-without-key``.
    DatamallError
        When the authority has no key, or others than its owner can read one of the files.
    """
    if destroyed(root, mapping, what, epoch):
        raise Refused("epoch-destroyed", f"The key of epoch {epoch} of {what} was destroyed.")
    secret = _secret(mapping, what, epoch, make)
    return HKDF(SHA256(), size, salt=secret, info=info.encode()).derive(vault.key(mapping))


def destroyed(root: Path, mapping: Authority, what: str, epoch: str) -> bool:
    """Return whether the key of an epoch was destroyed, as is kept beside the log."""
    return mark(root, mapping, what, epoch).exists()


def mark(root: Path, mapping: Authority, what: str, epoch: str) -> Path:
    """Return where it is kept beside the log that the key of an epoch was destroyed."""
    return logbook.folder(root) / "epochs" / mapping.authority / what / epoch


def file_of(authority: str, what: str, epoch: str) -> Path:
    """Return where the secret of an epoch lies: beside the authority's key."""
    return vault.key_file(authority).with_suffix(".epochs") / what / f"{epoch}.key"


def _secret(mapping: Authority, what: str, epoch: str, make: bool) -> bytes:
    if mapping.synthetic:
        own = f"epoch {epoch} of {what}".encode()
        return HKDF(SHA256(), SIZE, salt=None, info=own).derive(vault.PUBLIC)
    path = file_of(mapping.authority, what, epoch)
    if not path.exists():
        if not make:
            raise Refused(
                "epoch-without-key",
                f"There is no key for epoch {epoch} of {what} of {mapping.authority}: bring it "
                f"back to {path}, or take {what} in again.",
            )
        vault.key(mapping)  # without which no other is made
        vault.write_key(path, SIZE)
    return vault.read_key(path, SIZE, f"There is no key at {path}.")
