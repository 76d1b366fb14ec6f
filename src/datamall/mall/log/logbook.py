"""The log of use: what the door, and whoever decides about data, writes down before anything is.

One line for each entry, ``<hash> <entry>``: the entry as JSON in one fixed spelling, and its hash
as a leaf of a Merkle tree (`datamall.mall.log.merkle`). Lines are only added, one process at a
time, and are on the disk before `write` returns: whoever hands something out afterwards has an
entry for it, and where none can be written there is nothing to hand out. What a crash left of a
line is no entry; the next one removes it and says so.

``head.json`` beside it is what has to be kept of the tree to go on, and how long the log was. It
lets a log that was cut be refused at once; whoever can write here could change it as well, so that
it takes a witness elsewhere to notice that (`witness`, and `datamall.mall.log.published`). A log
that was cut takes no entry: ``damaged.json`` keeps what was noticed until the log is restored, and
that is then its next entry.

The log is a record and no output: it has a clock, lies outside git and DVC, and nothing that the
pipeline makes reads it. It names no persons.
"""

import fcntl
import json
import os
import pwd
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from datamall.errors import DatamallError
from datamall.mall.log import merkle
from datamall.mall.log.merkle import Tree, leaf_hash

ELSEWHERE = "DATAMALL_LOG"
ROLE = "DATAMALL_ROLE"
LINE = re.compile(rb"([0-9a-f]{64}) (\{[^\n]*\})\n")
ENTRIES, HEAD, DAMAGED = "entries.log", "head.json", "damaged.json"


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes
    ----------
    number
        From 1 on.
    leaf
        Its hash in the tree.
    said
        ``at`` (UTC, ISO 8601), ``account`` and ``role`` (who), ``event``, and what belongs to it.
    """

    number: int
    leaf: bytes
    said: dict[str, Any]


@dataclass(frozen=True)
class _Head:
    """How far the log goes: its tree, and its length in bytes."""

    tree: Tree
    length: int


def folder(root: Path) -> Path:
    """Return where the log of a project lies: ``data/log``, or what DATAMALL_LOG names.

    Raises
    ------
    DatamallError
        When that lies inside the project, where git, DVC or JupyterLab could get at it.
    """
    named = os.environ.get(ELSEWHERE)
    if not named:
        return root / "data" / "log"
    found = Path(named).absolute()
    if found.resolve().is_relative_to(root.resolve()):
        raise DatamallError(
            f"{ELSEWHERE} names a folder inside the project: name one elsewhere, or leave it unset "
            "for data/log."
        )
    return found


def write(root: Path, event: str, **said: Any) -> int:
    """Add an entry; when this returns, it is on the disk.

    Parameters
    ----------
    root
        Project folder.
    event
        What is about to happen: ``checkout``, ``request``, ``intake``, ``delivery``, ``key``,
        ``registration``, ``gate``, ``decision``, ``outcome``, ``worklist``, ``resolve`` or
        ``person``.
    said
        What belongs to it; ``role`` where it was given, otherwise it is that of DATAMALL_ROLE.

    Returns
    -------
    int
        Number of the entry, from 1 on.

    Raises
    ------
    DatamallError
        When it cannot be written, or the log was cut or altered at its end: then what was about to
        happen must not.
    """
    who = {"account": account(), "role": os.environ.get(ROLE) or "not given"}
    with _explained(), _open(root) as file:
        try:
            head, removed = _mended(root, file)
        except DatamallError as error:
            _notice(folder(root), who, str(error))
            raise
        damage = _noticed(folder(root))
        if damage is not None:
            head = _add(file, head, who, {"event": "damaged", "noticed": damage})
        if removed:
            head = _add(file, head, who, {"event": "recovered", "bytes": removed})
        head = _add(file, head, who, {"event": event, **said})
        _keep(folder(root), head)
        if damage is not None:
            (folder(root) / DAMAGED).unlink()
    return head.tree.size


@contextmanager
def noted(root: Path, event: str, **said: Any) -> Iterator[None]:
    """Write down what is about to be done and, where that is refused, that it was."""
    write(root, event, **said)
    with refusals(root, event, **said):
        yield


@contextmanager
def refusals(root: Path, event: str, **said: Any) -> Iterator[None]:
    """Write down where what is done here is refused; that is said even if the log takes nothing.

    The entry has the code of the reason, where the refusal has one, and never its text.
    """
    try:
        yield
    except DatamallError as error:
        code = getattr(error, "code", "mistake")
        with suppress(DatamallError):
            write(root, event, outcome="refused", reason=code, **said)
        raise


def put(path: Path, content: bytes) -> None:
    """Write a file beside the entries that rest on it, whole or not at all, and onto the disk.

    Raises
    ------
    DatamallError
        When it cannot be written.
    """
    with _explained():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(handle)
            Path(aside).replace(path)
        except OSError:
            Path(aside).unlink()
            raise
        _sync(path.parent)


def read(root: Path) -> Iterator[Entry]:
    """Yield all entries, each checked against its own hash.

    Raises
    ------
    DatamallError
        At the first entry that was altered, or at the end where some are gone.
    """
    path = folder(root) / ENTRIES
    # Before the entries, which may become more meanwhile.
    head = _head(folder(root)) or _Head(Tree(), 0)
    number = 0
    if path.is_file():
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n") and head.length < file.tell():
                    break  # it is being written, or was when a process was killed
                number += 1
                yield _entry(number, line)
    if number < head.tree.size:
        raise _cut(number, head.tree.size)


def whole(root: Path, known: Sequence[bytes] = ()) -> list[bytes]:
    """Return the hashes of all entries, after checking that none was altered, added or taken away.

    Parameters
    ----------
    root
        Project folder.
    known
        Hashes of the first entries, as a witness kept them (`witness`).

    Raises
    ------
    DatamallError
        With the number of the first entry that is another or gone.
    """
    head = _head(folder(root))
    leaves: list[bytes] = []
    for entry in read(root):
        if entry.number <= len(known) and entry.leaf != known[entry.number - 1]:
            raise _altered(entry.number)
        leaves.append(entry.leaf)
    if len(leaves) < len(known):
        raise _cut(len(leaves), len(known))
    if head and head.tree.root != merkle.root(leaves[: head.tree.size]):
        raise DatamallError(
            f"{HEAD} is not of the first {head.tree.size:,} entries of the log of use: one or the "
            "other was written anew, and a witness tells which. If the entries are those that it "
            f"saw, delete {HEAD}."
        )
    return leaves


def witness(root: Path, path: Path) -> int:
    """Write down elsewhere what the log holds now; return how many entries that are.

    A witness is a file of hashes, one line for each entry, out of reach of who writes the log. It
    says nothing of what the entries are, and tells exactly which one was altered or cut.

    Raises
    ------
    DatamallError
        When the log is not what the witness saw before; the witness stays as it was.
    """
    seen = hashes(path) if path.exists() else []
    leaves = whole(root, seen)
    with path.open("a", encoding="ascii") as file:
        file.writelines(f"{leaf.hex()}\n" for leaf in leaves[len(seen) :])
    return len(leaves)


def hashes(path: Path) -> list[bytes]:
    """Return the hashes that a witness kept."""
    try:
        found = [bytes.fromhex(line) for line in path.read_text("ascii").splitlines()]
    except ValueError:
        found = [b""]
    if any(len(one) != 32 for one in found):
        raise DatamallError(f"{path} is no witness: it must hold one SHA-256 in each line.")
    return found


def account() -> str:
    """Return the account of the operating system in which this runs."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn a failure of the disk into a refusal."""
    try:
        yield
    except OSError as error:
        raise DatamallError(
            f"The log of use cannot be written ({error.strerror or error}), so nothing is done or "
            "handed out: see to the folder data/log, or the one that DATAMALL_LOG names. "
            "(not-logged)"
        ) from None


@contextmanager
def _open(root: Path) -> Iterator[int]:
    """Open the log to add to it; other processes wait."""
    place = folder(root)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = not (place / ENTRIES).exists()
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(place / ENTRIES, flags, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if new:
            _sync(place.parent)
            _sync(place)
        yield file
    finally:
        os.close(file)


def _mended(root: Path, file: int) -> tuple[_Head, int]:
    """Return how far the log goes, and how many bytes of an unfinished line were removed."""
    head = _head(folder(root)) or _Head(Tree(), 0)
    length = os.fstat(file).st_size
    if length < head.length:
        raise _cut(os.pread(file, length, 0).count(b"\n"), head.tree.size)
    if head.length and os.pread(file, 1, head.length - 1) != b"\n":
        raise _altered(head.tree.size)
    tail = os.pread(file, length - head.length, head.length) if length > head.length else b""
    *lines, left = tail.split(b"\n")
    for line in lines:  # written by a process that was killed before it could say so
        entry = _entry(head.tree.size + 1, line + b"\n")
        head = _Head(head.tree.add(entry.leaf), head.length + len(line) + 1)
    if left:
        os.ftruncate(file, head.length)
    return head, len(left)


def _notice(place: Path, who: dict[str, str], found: str) -> None:
    """Keep beside the log what it cannot take: when it was first seen to be damaged, and how."""
    if not (place / DAMAGED).exists():
        seen = {"at": _now().isoformat(timespec="milliseconds"), **who, "found": found}
        put(place / DAMAGED, _line(seen))


def _noticed(place: Path) -> dict[str, Any] | None:
    """Return what was noticed while the log was damaged; None where it never was."""
    try:
        return _said((place / DAMAGED).read_bytes()) or {"found": "what cannot be read any more"}
    except FileNotFoundError:
        return None


def _add(file: int, head: _Head, who: dict[str, str], said: dict[str, Any]) -> _Head:
    line = _line({"at": _now().isoformat(timespec="milliseconds"), **who, **said})
    try:
        if os.write(file, line) != len(line):
            raise OSError("no room on the disk")
        os.fsync(file)
    except OSError:
        os.ftruncate(file, head.length)
        raise
    return _Head(head.tree.add(bytes.fromhex(line[:64].decode())), head.length + len(line))


def _line(said: dict[str, Any]) -> bytes:
    """Return the one spelling of an entry, after its hash."""
    text = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    return b"%b %b\n" % (leaf_hash(text).hex().encode(), text)


def _keep(place: Path, head: _Head) -> None:
    content = {
        "entries": head.tree.size,
        "bytes": head.length,
        "peaks": [peak.hex() for peak in head.tree.peaks],
    }
    aside = place / f"{HEAD}.partial"
    aside.touch(mode=0o600)
    aside.write_bytes(_line(content))
    aside.replace(place / HEAD)


def _head(place: Path) -> _Head | None:
    """Return what was kept; None where there is nothing, or a crash of the machine spoilt it."""
    try:
        kept = _said((place / HEAD).read_bytes())
    except FileNotFoundError:
        return None
    if kept is None:
        return None
    tree = Tree(kept["entries"], tuple(map(bytes.fromhex, kept["peaks"])))
    return _Head(tree, kept["bytes"])


def _entry(number: int, line: bytes) -> Entry:
    said = _said(line)
    if said is None:
        raise _altered(number)
    return Entry(number, bytes.fromhex(line[:64].decode()), said)


def _said(line: bytes) -> dict[str, Any] | None:
    """Return what a line says; None if it is not what was written."""
    found = LINE.fullmatch(line)
    if not found or leaf_hash(found[2]).hex().encode() != found[1]:
        return None
    said: dict[str, Any] = json.loads(found[2])
    return said


def _altered(number: int) -> DatamallError:
    return DatamallError(
        f"Entry {number:,} of the log of use was altered: it is the first one that is not what was "
        "written. Keep the log as it is, find out who could write there, and restore it from a "
        "copy."
    )


def _cut(there: int, were: int) -> DatamallError:
    return DatamallError(
        f"The log of use was cut: it had {were:,} entries, and entry {there + 1:,} is the first "
        "one that is gone. Find out who could write there, and restore it from a copy."
    )


def _sync(place: Path) -> None:
    """Have the names in a folder on the disk, too."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
