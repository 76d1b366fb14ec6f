"""Keys that sign: one for each role of an authority; the private ones outside the project.

Public keys stand in ``data/keys/<authority>.yaml``, role → 64 hexadecimal digits, and are
committed. Invented data have keys that everybody knows: their seals show how it works and prove
nothing.
"""

import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datamall.errors import DatamallError
from datamall.mall import vault
from datamall.mall.authorities import Authority
from datamall.project import put
from datamall.yamlfile import dump, load_mapping

ROLE = re.compile(r"[a-z][a-z-]{0,39}")
SIZE = 32  # bytes of a private key, and of a public one
INVENTED = ("committee", "steward")  # roles of an authority whose data are invented


def private(mapping: Authority, role: str) -> Ed25519PrivateKey:
    """Return the key with which a role signs.

    Raises
    ------
    DatamallError
        When there is none, it is no key, or others than its owner can read it.
    """
    checked(role)
    if mapping.synthetic:
        return invented(role)
    path = _file(mapping, role)
    command = f"datamall key {mapping.authority} --role {role}"
    missing = f"There is no key with which the {role} of {mapping.authority} signs: make one with "
    return Ed25519PrivateKey.from_private_bytes(
        vault.read_key(path, SIZE, f"{missing}`{command}`, or put the one you have at {path}.")
    )


def invented(role: str) -> Ed25519PrivateKey:
    """Return the key of a role where data are invented, which everybody knows."""
    secret = HKDF(SHA256(), SIZE, salt=None, info=f"seal {role}".encode()).derive(vault.PUBLIC)
    return Ed25519PrivateKey.from_private_bytes(secret)


def signing(root: Path, mapping: Authority, role: str) -> Ed25519PrivateKey:
    """Return the key with which a role signs, if it is the one whose public half is known.

    Raises
    ------
    DatamallError
        When it is not, or there is none; see `private`.
    """
    known = public(root, mapping)
    if role not in known:
        raise DatamallError(
            f"No public key of {role!r} is among those of {mapping.authority}: there are "
            f"{', '.join(known) or 'none yet'}."
        )
    key = private(mapping, role)
    if key.public_key().public_bytes_raw() != known[role].public_bytes_raw():
        raise DatamallError(
            f"The key with which the {role} of {mapping.authority} signs here is not the one "
            "whose public half is in data/keys: bring back the one, or the other."
        )
    return key


def make(root: Path, mapping: Authority, role: str) -> Path:
    """Make the key of a role, and add its public half to those of the project; return its path.

    Raises
    ------
    DatamallError
        When there is one already.
    """
    checked(role)
    if mapping.synthetic:
        raise DatamallError(
            f"The data of {mapping.authority} are invented: its keys are known to everybody."
        )
    path = vault.write_key(_file(mapping, role), SIZE)
    known = {name: key.public_bytes_raw().hex() for name, key in public(root, mapping).items()}
    known[role] = private(mapping, role).public_key().public_bytes_raw().hex()
    place = _published(root, mapping)
    put(place, dump(dict(sorted(known.items()))))
    return path


def public(
    root: Path, mapping: Authority, elsewhere: Path | None = None
) -> dict[str, Ed25519PublicKey]:
    """Return the public keys of an authority by role.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    elsewhere
        A file with the keys instead of the project's, which who writes there cannot reach.

    Raises
    ------
    DatamallError
        When the file holds something else.
    """
    if mapping.synthetic and elsewhere is None:
        return {role: private(mapping, role).public_key() for role in INVENTED}
    path = elsewhere or _published(root, mapping)
    place = str(elsewhere or path.relative_to(root).as_posix())
    if not path.is_file():
        return {}
    found = {}
    for role, text in load_mapping(path, place).items():
        try:
            found[checked(role)] = Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(text)))
        except ValueError:
            raise DatamallError(
                f"{place}: the key of {role} must be {2 * SIZE} hexadecimal digits: restore the "
                "file from git."
            ) from None
    return found


def _published(root: Path, mapping: Authority) -> Path:
    return root / "data" / "keys" / f"{mapping.authority}.yaml"


def _file(mapping: Authority, role: str) -> Path:
    return vault.key_file(f"{mapping.authority}.{role}")


def checked(role: str) -> str:
    """Return the name of a role, if it is one.

    Raises
    ------
    DatamallError
        When it is not.
    """
    if not ROLE.fullmatch(role):
        raise DatamallError(f"{role!r} is no name of a role: take small letters and -.")
    return role
