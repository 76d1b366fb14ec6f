"""How many people lie between two versions of a store, without keeping either.

Of a version that was released, keyed digests of each row are kept beside the log of use: of the
person, and of each value, so that a column more does not make everybody look new. They lie there
by slices: the parts of a store that its key tells apart beside persons, such as years, since a page
about an old year rests on that year alone.
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
_SLICE, _PERSON, _VALUE = 4, 8, 4  # bytes of the digests
_APART, _MISSING = "\x1f", "\x00"


def marks(mapping: Authority, contract: Contract, table: pa.Table) -> bytes:
    """Return the digests of all rows of a version of a store, in order of their bytes.

    Parameters
    ----------
    mapping, contract
        The authority, whose key is needed, and the store's contract.
    table
        Its rows.

    Returns
    -------
    bytes
        A line with the names of the columns; then for each row 4 bytes of its slice, 8 of its
        person and 4 of each value.
    """
    secret = HKDF(SHA256(), 32, salt=None, info=b"versions").derive(vault.key(mapping))
    person = [contract.person] if contract.person else list(contract.key)
    rest = [name for name in contract.key if name not in person]
    values = sorted(table.column_names)
    parts = [
        _digests(secret, _SLICE, contract.name, _texts(table, rest, years=True)),
        # The same person in every store that has such numbers.
        _digests(secret, _PERSON, _APART.join(person), _texts(table, person)),
        *(
            _digests(secret, _VALUE, f"{contract.name}{_APART}{name}", _texts(table, [name]))
            for name in values
        ),
    ]
    rows = sorted(b"".join(one) for one in zip(*parts, strict=True))
    return _APART.join(values).encode() + b"\n" + b"".join(rows)


def _texts(table: pa.Table, names: list[str], years: bool = False) -> Iterable[str]:
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


def _digests(secret: bytes, size: int, what: str, texts: Iterable[str]) -> list[bytes]:
    start = hashlib.blake2b(f"{what}{_APART}".encode(), digest_size=size, key=secret)
    known: dict[str, bytes] = {}
    found = []
    for text in texts:
        if text not in known:
            one = start.copy()
            one.update(text.encode())
            known[text] = one.digest()
        found.append(known[text])
    return found


def between(before: bytes, after: bytes) -> list[tuple[int, int]]:
    """Return how many people left and how many came, of each slice that both versions have.

    Whoever's row says something else now, in a column that both have, has left and come.
    """
    columns, others = _columns(before), _columns(after)
    common = [name for name in columns if name in others]
    old = _rows(before, [columns.index(name) for name in common])
    new = _rows(after, [others.index(name) for name in common])
    left, came = _people(old - new), _people(new - old)
    slices = sorted({row[:_SLICE] for row in old} & {row[:_SLICE] for row in new})
    return [(len(left.get(one, ())), len(came.get(one, ()))) for one in slices]


def _people(rows: Iterable[bytes]) -> dict[bytes, set[bytes]]:
    """Return slice → people."""
    found: dict[bytes, set[bytes]] = {}
    for row in rows:
        found.setdefault(row[:_SLICE], set()).add(row[_SLICE : _SLICE + _PERSON])
    return found


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


def _columns(found: bytes) -> list[str]:
    return found.partition(b"\n")[0].decode().split(_APART)


def _rows(found: bytes, wanted: list[int]) -> set[bytes]:
    """Return slice, person and the wanted values of each row."""
    head, _, body = found.partition(b"\n")
    own = _SLICE + _PERSON
    size = own + _VALUE * (head.decode().count(_APART) + 1)
    places = [slice(own + _VALUE * at, own + _VALUE * (at + 1)) for at in wanted]
    rows = (body[at : at + size] for at in range(0, len(body), size))
    return {row[:own] + b"".join(row[place] for place in places) for row in rows}


def _path(root: Path, authority: str, store: str, digest: str) -> Path:
    return logbook.folder(root) / "released" / authority / store / f"{digest}.marks"
