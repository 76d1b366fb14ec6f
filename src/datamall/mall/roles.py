"""Roles: in which of them an account may ask, as somebody declared outside the project.

A purpose is granted to roles, and not to whoever sits at the machine. Who has which is a file
``<authority>.roles.yaml``, account → its roles, in /etc/datamall, where an administrator alone
writes, or else in the folder of one's own keys, where it is a rule for the honest. Of invented
data everybody has every role.
"""

import os
import stat
from collections.abc import Collection
from pathlib import Path

from datamall.errors import DatamallError
from datamall.mall import vault
from datamall.mall.authorities import Authority
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused
from datamall.yamlfile import load_mapping

ADMINISTERED = Path("/etc/datamall")


def acting(mapping: Authority, purpose: str, granted: Collection[str]) -> str | None:
    """Return the role in which this account asks for a purpose; None where none is needed.

    Parameters
    ----------
    mapping
        Whose data.
    purpose, granted
        Name of the purpose, and the roles that may use it.

    Returns
    -------
    str or None
        The one that DATAMALL_ROLE names, otherwise the first of `granted` that the account has.

    Raises
    ------
    Refused
        ``role-without-grant``: the account has none of them, or asks in another.
    DatamallError
        When the file of roles is none, or others than its owner can write it.
    """
    if not granted:
        return None
    path = _file(mapping)
    own = [*granted] if mapping.synthetic else _declared(path).get(logbook.account(), [])
    asked = os.environ.get(logbook.ROLE)
    for role in granted:
        if role in own and asked in (None, "", role):
            return role
    there = "" if mapping.synthetic else f" Roles of accounts stand in {path}, `account: [role]`."
    raise Refused(
        "role-without-grant",
        f"{purpose!r} is granted to {', '.join(granted)}, which this account is not, or does not "
        f"ask as ({logbook.ROLE}).{there}",
    )


def _file(mapping: Authority) -> Path:
    name = f"{mapping.authority}.roles.yaml"
    administered = ADMINISTERED / name
    own = vault.key_file(mapping.authority).with_name(name)
    return administered if administered.exists() else own


def _declared(path: Path) -> dict[str, list[str]]:
    """Return account → its roles; nobody has one where there is no file."""
    if not path.is_file():
        return {}
    if stat.S_IMODE(path.stat().st_mode) & 0o022:
        raise DatamallError(f"Others can write the roles in {path}: run `chmod go-w` on it.")
    found = load_mapping(path, str(path))
    if not all(isinstance(roles, list) for roles in found.values()):
        raise DatamallError(f"{path}: give each account a list of roles, `account: [role]`.")
    return found
