"""Forgetting: destroy the key of an epoch, on record, so that its rows are unreadable for good.

The entry of the log comes first, and then the key goes: who is interrupted in between does it
again. What is kept beside the log says to the door that the key was destroyed, should a copy of it
come back; the log itself says it to intake and to `datamall verify`.
"""

import json
import os
from datetime import date
from pathlib import Path

from datamall.errors import DatamallError
from datamall.identifiers import sentence
from datamall.mall import closed_stores, epochs
from datamall.mall.authorities import Authority
from datamall.mall.contracts import Contract
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused
from datamall.mall.retention import kept_since
from datamall.mall.seal import keys
from datamall.project import store_folder

EVENT = "epoch"


def forget(
    root: Path, mapping: Authority, contract: Contract | None, epoch: str, role: str, reason: str
) -> None:
    """Destroy the key of an epoch of a store, or of the pseudonyms that were handed out in it.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    contract
        Contract of the store; None: of pseudonyms.
    epoch
        The year of the rows, or in which pseudonyms were handed out; or ``undated``.
    role
        Who does it; its key has to be there.
    reason
        Why, where the rows would still be kept; it stands in the log.

    Raises
    ------
    Refused
        ``invented`` (everybody knows these keys), ``unknown-epoch``, or ``still-kept``.
    DatamallError
        When the role has no key, or the log cannot be written.
    """
    what = contract.name if contract else epochs.PSEUDONYMS
    if mapping.synthetic:
        raise Refused(
            "invented",
            f"The data of {mapping.authority} are invented: everybody knows their keys, and none "
            "of them can be destroyed.",
        )
    keys.signing(root, mapping, role)
    known = _known(root, mapping, what)
    if epoch not in known:
        raise Refused(
            "unknown-epoch",
            f"{what} has no epoch {epoch!r}: there are {', '.join(known) or 'none yet'}.",
        )
    if not reason.strip() and not _past(mapping, contract, known, epoch):
        raise Refused(
            "still-kept",
            f"No contract says that {epoch} of {what} is past keeping: say why it has to go "
            "(--reason).",
        )
    why = sentence(reason or "past its retention", "the reason")
    logbook.write(
        root,
        EVENT,
        role=role,
        authority=mapping.authority,
        store=what,
        epoch=epoch,
        outcome="destroyed",
        reason=why,
    )
    _destroy(root, mapping, what, epoch)


def mended(root: Path, mapping: Authority, store: str) -> None:
    """Destroy again what the log says was destroyed, should a key or the mark be otherwise."""
    for epoch in _by_log(root, mapping, store):
        _destroy(root, mapping, store, epoch)


def verify(root: Path, mapping: Authority) -> int:
    """Check that no destroyed key is back; return how many were destroyed.

    Raises
    ------
    DatamallError
        With the first that is.
    """
    count = 0
    for store in (*mapping.stores, epochs.PSEUDONYMS):
        for epoch in _by_log(root, mapping, store):
            count += 1
            here = epochs.file_of(mapping.authority, store, epoch).exists()
            if here or not epochs.destroyed(root, mapping, store, epoch):
                raise DatamallError(
                    f"The key of epoch {epoch} of {store} was destroyed, and "
                    f"{'is back' if here else 'the mark of that is gone'}: take {store} in again, "
                    "which destroys it, and find out who kept a copy."
                )
    return count


def _destroy(root: Path, mapping: Authority, store: str, epoch: str) -> None:
    logbook.put(epochs.mark(root, mapping, store, epoch), b"destroyed\n")
    # Records that were set apart are of any year; the next intake makes a new key for them.
    for gone in (epoch, closed_stores.ASIDE):
        path = epochs.file_of(mapping.authority, store, gone)
        if not path.exists():
            continue
        with path.open("r+b") as file:  # over the bytes, as far as the disk does so
            file.write(b"0" * path.stat().st_size)
            file.flush()
            os.fsync(file.fileno())
        path.unlink()


def _by_log(root: Path, mapping: Authority, store: str) -> list[str]:
    found = set()
    for entry in logbook.read(root):
        said = entry.said
        about = (said["event"], said.get("authority"), said.get("store"), said.get("outcome"))
        if about == (EVENT, mapping.authority, store, "destroyed"):
            found.add(said["epoch"])
    return sorted(found)


def _known(root: Path, mapping: Authority, what: str) -> list[str]:
    """Return the epochs of a store, or those of which pseudonyms were handed out, in order."""
    if what == epochs.PSEUDONYMS:
        folder = epochs.file_of(mapping.authority, what, "any").parent
        return sorted(path.stem for path in folder.glob("*.key"))
    path = store_folder(root, mapping.authority, what) / "store.json"
    try:
        parts = json.loads(path.read_text("utf-8"))["parts"]
        return sorted({part["epoch"] for part in parts if "epoch" in part})
    except (OSError, ValueError, KeyError, TypeError):
        raise DatamallError(
            f"{what} has not been taken in for {mapping.authority}, or is damaged: run `datamall "
            f"intake {what} --authority {mapping.authority}` first."
        ) from None


def _past(mapping: Authority, contract: Contract | None, known: list[str], epoch: str) -> bool:
    """Return whether a contract keeps no row of an epoch any more."""
    if contract is None or not epoch.isdecimal():
        return False
    last = mapping.as_of or date(max(int(one) for one in known if one.isdecimal()), 12, 31)
    return int(epoch) < kept_since(contract.retention, last).year
