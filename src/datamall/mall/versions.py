"""How many people lie between two versions of a store, without keeping either.

Of a version that was released, two keyed digests are kept of each row beside the log of use: of the
person, and of all that the row says. They lie there by slices: the parts of a store that its key
tells apart beside persons, such as years, since a page about an old year rests on that year alone.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from datamall.errors import DatamallError
from datamall.mall import vault
from datamall.mall.authorities import Authority
from datamall.mall.contracts import Contract
from datamall.mall.log import logbook

# People who must have left, and as many who must have come, before numbers about them are shown
# anew: the attackers then learn of no kind of people how many below ten of it left or came
# (docs/decisions/0017). With ten they do.
ENOUGH = 20
_SLICE, _PERSON, _ROW = 4, 8, 8  # bytes of the digests
_SIZE = _SLICE + _PERSON + _ROW
_APART, _MISSING = "\x1f", "\x00"


def marks(mapping: Authority, contract: Contract, table: pa.Table) -> bytes:
    """Return the digests of all rows of a version of a store, in order of their bytes.

    Parameters
    ----------
    mapping, contract
        The authority, whose key is needed, and the store's contract.
    table
        Its rows.
    """
    secret = HKDF(SHA256(), 32, salt=None, info=b"versions").derive(vault.key(mapping))
    person = [contract.person] if contract.person else list(contract.key)
    rest = [name for name in contract.key if name not in person]
    sizes = ((rest, _SLICE), (person, _PERSON), (table.column_names, _ROW))
    parts = []
    for names, size in sizes:
        start = hashlib.blake2b(digest_size=size, key=secret)
        start.update(_APART.join([contract.name, *names] if size != _PERSON else names).encode())
        parts.append(_digests(start, _texts(table, names, years=size == _SLICE)))
    return b"".join(sorted(b"".join(one) for one in zip(*parts, strict=True)))


def _texts(table: pa.Table, names: list[str], years: bool) -> Iterable[str]:
    if not names:
        return [""] * table.num_rows
    columns = []
    for name in names:
        values = table[name]
        if years and pa.types.is_date(values.type):
            values = pc.year(values)
        columns.append(pc.cast(values, pa.string()))
    joined = pc.binary_join_element_wise(
        *columns, _APART, null_handling="replace", null_replacement=_MISSING
    )
    texts: list[str] = joined.to_pylist()
    return texts


def _digests(start: "hashlib.blake2b", texts: Iterable[str]) -> list[bytes]:
    found = []
    for text in texts:
        one = start.copy()
        one.update(text.encode())
        found.append(one.digest())
    return found


def between(before: bytes, after: bytes) -> list[tuple[int, int]]:
    """Return how many people left and how many came, of each slice that both versions have.

    Whoever's row says something else now has left and come.
    """
    old, new = _rows(before), _rows(after)
    slices = sorted({row[:_SLICE] for row in old} & {row[:_SLICE] for row in new})
    counted = []
    for name in slices:
        people = [
            {row[_SLICE : _SLICE + _PERSON] for row in only if row[:_SLICE] == name}
            for only in (old - new, new - old)
        ]
        counted.append((len(people[0]), len(people[1])))
    return counted


def far_enough(before: bytes, after: bytes) -> bool:
    """Whether numbers of both versions can be shown: in each slice nobody or `ENOUGH` lie between.

    Nobody's row is another, or at least 20 people left and at least 20 came.
    """
    return all(pair == (0, 0) or min(pair) >= ENOUGH for pair in between(before, after))


def keep(root: Path, authority: str, store: str, found: bytes) -> str:
    """Keep the digests of a version; return their SHA-256."""
    digest = hashlib.sha256(found).hexdigest()
    logbook.put(_path(root, authority, store, digest), found)
    return digest


def kept(root: Path, authority: str, store: str, digest: str) -> bytes:
    """Return the digests of a version that was released.

    Raises
    ------
    DatamallError
        When they are gone or altered: then nobody can say how many people lie in between.
    """
    path = _path(root, authority, store, digest)
    found = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(found).hexdigest() != digest:
        raise DatamallError(
            f"What {store} was when it was released is gone or altered ({path.name} beside the log "
            "of use), so that nobody can say how many people lie between: restore it from a copy."
        )
    return found


def known(records: Iterable[Mapping[str, Mapping[str, str]]]) -> dict[str, set[str]]:
    """Return store → versions that were ever released, from report → store → version each."""
    found: dict[str, set[str]] = {}
    for versions in records:
        for stores in versions.values():
            for store, digest in stores.items():
                found.setdefault(store, set()).add(digest)
    return found


def _rows(found: bytes) -> set[bytes]:
    return {found[at : at + _SIZE] for at in range(0, len(found), _SIZE)}


def _path(root: Path, authority: str, store: str, digest: str) -> Path:
    return logbook.folder(root) / "released" / authority / store / f"{digest}.marks"
