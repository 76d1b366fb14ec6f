"""Pseudonyms: in the place of a person's number, another one for each purpose and epoch.

A pseudonym is the HMAC-SHA-256 of the number, cut to 128 bits, under a key that only the door can
derive; the epoch stands before it. Within an extract the same number has the same pseudonym in each
store and year, so that rows of one person can be joined; those of two purposes, or of two epochs,
cannot, and nobody without the key finds out whose they are.
"""

import base64
import hmac
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from datamall.mall import epochs
from datamall.mall.authorities import Authority
from datamall.mall.contracts import Contract

SIZE = 16  # bytes


def identifiers(contract: Contract) -> dict[str, str]:
    """Return the columns of a contract that identify persons → of which kind their numbers are.

    The same number of another kind is somebody else.
    """
    found = {c.name: c.identifier for c in contract.columns if c.identifier}
    own = contract.person
    return {own: own, **found} if own else found


def key_of(root: Path, mapping: Authority, purpose: str, epoch: str) -> bytes:
    """Return the key of the pseudonyms of a purpose in an epoch.

    Raises
    ------
    Refused
        ``epoch-destroyed``.
    """
    info = f"v1|{purpose}|{epoch}"
    return epochs.derived(root, mapping, epochs.PSEUDONYMS, epoch, info, 32, make=True)


def pseudonym(key: bytes, epoch: str, kind: str, number: str) -> str:
    """Return the pseudonym of a number: ``2025-`` and 26 letters and digits."""
    digest = hmac.digest(key, f"{kind}\0{number}".encode(), "sha256")[:SIZE]
    return f"{epoch}-{base64.b32encode(digest).decode().rstrip('=')}"


def replaced(table: pa.Table, kinds: Mapping[str, str], key: bytes, epoch: str) -> pa.Table:
    """Return a table with pseudonyms in the place of numbers; what is missing stays so.

    Parameters
    ----------
    table
        Rows.
    kinds
        Column with numbers → their kind (`identifiers`).
    key, epoch
        As from `key_of`.
    """
    for column, kind in kinds.items():
        coded = table[column].combine_chunks().dictionary_encode()
        names = [pseudonym(key, epoch, kind, number) for number in coded.dictionary.to_pylist()]
        own = pa.DictionaryArray.from_arrays(coded.indices, pa.array(names, pa.string()))
        place = table.schema.get_field_index(column)
        table = table.set_column(place, column, own.cast(pa.string()))
    return table
