"""What is published of the log of use: how often what was used, and the head of the log.

The log itself never leaves the house, and no page is made from it, or the same sources would give
another page after each run. Pages are made from ``data/usage/<authority>/published.yaml``, which
somebody asks for and commits. Each head in it stands with the proof that its log begins as the one
before ended (RFC 6962), so that everybody can see that nothing was taken back.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from datamall.errors import DatamallError
from datamall.mall.log import logbook, merkle, persons
from datamall.mall.log.usage import counts
from datamall.mall.log.uses import CHECKOUT
from datamall.project import put
from datamall.written import Ends, Text, read_as
from datamall.yamlfile import dump, load_mapping


@dataclass(frozen=True)
class Checkpoint:
    """The head of the log on a day: `proof` shows that it goes on where the one before ended."""

    day: Text
    entries: Annotated[int, Ends(1)]
    root: Text
    proof: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Uses:
    """How often a store was used for a purpose in a month."""

    month: Text
    purpose: Text
    store: Text
    times: Annotated[int, Ends(1)]


@dataclass(frozen=True)
class Refusals:
    """How often a checkout was refused in a month; ``-`` is a purpose that is in no register."""

    month: Text
    purpose: Text
    reason: Text
    times: Annotated[int, Ends(1)]


@dataclass(frozen=True)
class Published:
    """What is published, in order."""

    checkpoints: tuple[Checkpoint, ...] = ()
    uses: tuple[Uses, ...] = ()
    refused: tuple[Refusals, ...] = ()


def file_of(root: Path, authority: str) -> Path:
    """Return the file with what is published for an authority; it need not be there."""
    return root / "data" / "usage" / authority / "published.yaml"


def read(root: Path, authority: str) -> Published:
    """Return what is published for an authority; nothing where nothing was.

    Raises
    ------
    DatamallError
        When the file is damaged, or a head does not go on where the one before ended.
    """
    path = file_of(root, authority)
    place = path.relative_to(root).as_posix()
    if not path.is_file():
        return Published()
    found = read_as(Published, load_mapping(path, place), place)
    for before, after in zip(found.checkpoints, found.checkpoints[1:], strict=False):
        steps = [_hash(step, place) for step in after.proof]
        heads = _hash(before.root, place), before.entries, _hash(after.root, place), after.entries
        if not merkle.extends(*heads, steps):
            raise DatamallError(
                f"{place}: the log of {after.day} does not begin with the {before.entries:,} "
                f"entries of {before.day}: something was altered or taken back in between."
            )
    return found


def publish(root: Path, authority: str) -> Path:
    """Write how often what was used, by month, and the head of the log; return the file.

    Raises
    ------
    DatamallError
        When the log is empty, was altered, or does not go on where the last published one ended.
    """
    leaves = _checked(root, authority)
    if not leaves:
        raise DatamallError("The log of use is empty: there is nothing to publish.")
    before = read(root, authority).checkpoints
    head = merkle.root(leaves).hex()
    if not before or before[-1].root != head:
        steps = merkle.consistency(leaves, before[-1].entries) if before else []
        today = datetime.now(UTC).date().isoformat()
        point = Checkpoint(today, len(leaves), head, tuple(step.hex() for step in steps))
        before = (*before, point)
    found = counts(root, authority)
    content = Published(
        before,
        tuple(Uses(*key, times) for key, times in found.uses.items()),
        tuple(Refusals(*key, times) for key, times in found.refused.items()),
    )
    path = file_of(root, authority)
    put(path, dump(asdict(content)))
    return path


def check(root: Path, authority: str, known: Sequence[bytes] = ()) -> int:
    """Check the log, what was published of it and who was in stores; return how many entries.

    Parameters
    ----------
    root, authority
        Project folder and authority.
    known
        Hashes that a witness kept.

    Raises
    ------
    DatamallError
        With the first thing that was altered or cut.
    """
    leaves = _checked(root, authority, known)
    first: dict[tuple[str, str], str] = {}
    for entry in logbook.read(root):
        if entry.said["event"] != CHECKOUT or entry.said["outcome"] != "granted":
            continue
        for one in entry.said["stores"]:
            if one.get("tags") is None:
                continue
            version = (one["store"], persons.seen(one["version"], one.get("part", "")))
            if version not in first:
                first[version] = one["tags"]
                found = persons.kept(root, *version)
                if found is not None and found.sha256 != one["tags"]:
                    raise DatamallError(_others(one["store"], entry.number))
            elif first[version] != one["tags"]:
                raise DatamallError(_others(one["store"], entry.number))
    return len(leaves)


def _checked(root: Path, authority: str, known: Sequence[bytes] = ()) -> list[bytes]:
    """Return the hashes of the log after comparing it with all that is known of it elsewhere."""
    leaves = logbook.whole(root, known)
    last = 0
    for point in read(root, authority).checkpoints:
        if point.entries > len(leaves):
            raise DatamallError(
                f"The log of use was cut, or is another one: on {point.day} it had "
                f"{point.entries:,} entries (data/usage/{authority}), and entry "
                f"{len(leaves) + 1:,} is the first one that is gone."
            )
        if merkle.root(leaves[: point.entries]).hex() != point.root:
            raise DatamallError(
                f"The log of use was written anew, or is another one: between entries {last + 1:,} "
                f"and {point.entries:,} it is not what it was on {point.day} "
                f"(data/usage/{authority}). A witness tells which entry."
            )
        last = point.entries
    return leaves


def _hash(text: str, place: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise DatamallError(
            f"{place}: {text!r} is no SHA-256: restore the file from git."
        ) from None


def _others(store: str, number: int) -> str:
    return (
        f"Who was in {store} is kept otherwise than entry {number:,} of the log of use says: the "
        "file of tags was altered, so that some people would not be told. Restore it from a copy."
    )
