"""Who used what: the log of use read by store, purpose and period, and for one person.

A use of a person's rows is a checkout of a version of a store in which the person was, whether
the rows were handed out one by one or added up with others.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from datamall.errors import DatamallError
from datamall.mall.authorities import Authority
from datamall.mall.log import logbook, merkle, persons
from datamall.mall.log.logbook import Entry
from datamall.mall.log.uses import CHECKOUT, REQUEST

PERIODS = {"day": 10, "month": 7, "year": 4}  # characters of an ISO date


@dataclass(frozen=True)
class Span:
    """Days of which the log is read, both included (UTC); None: from its start, to its end."""

    first: date | None = None
    last: date | None = None

    def holds(self, at: str) -> bool:
        """Whether an entry's time lies in it."""
        day = at[:10]
        return (self.first is None or self.first.isoformat() <= day) and (
            self.last is None or day <= self.last.isoformat()
        )


ALWAYS = Span()


@dataclass(frozen=True)
class Counts:
    """How often what was used.

    Attributes
    ----------
    uses
        (period, purpose, store) → how often, in order.
    refused
        (period, purpose or -, reason) → how often, in order.
    others
        Other events → how often.
    """

    uses: dict[tuple[str, str, str], int]
    refused: dict[tuple[str, str, str], int]
    others: dict[str, int]


@dataclass(frozen=True)
class Use:
    """One use of somebody's rows: the entry, and what it says of one store."""

    entry: Entry
    store: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What a person is told.

    Attributes
    ----------
    uses
        Each use of the person's rows, the earliest first.
    unknown
        Uses of stores of persons of which it is not known whose rows they were.
    held_back
        Laws by which uses are told later, and from which day on, whoever asks and whoever was in
        them: that there is one says nothing about the person.
    """

    uses: list[Use]
    unknown: list[Use]
    held_back: list[tuple[str, str]]


def counts(
    root: Path,
    authority: str,
    by: str = "month",
    span: Span = ALWAYS,
    purpose: str | None = None,
    store: str | None = None,
) -> Counts:
    """Return how often which store was used for which purpose.

    Parameters
    ----------
    root, authority
        Project folder and authority.
    by
        ``day``, ``month`` or ``year``.
    span, purpose, store
        Which entries count; None: all. A refusal is of no store.

    Raises
    ------
    DatamallError
        When an entry was altered.
    """
    uses: Counter[tuple[str, str, str]] = Counter()
    refused: Counter[tuple[str, str, str]] = Counter()
    others: Counter[str] = Counter()
    for entry in _of(root, authority, span):
        said = entry.said
        period, event = said["at"][: PERIODS[by]], said["event"]
        if event not in (CHECKOUT, REQUEST):
            others[event] += 1
        elif purpose is not None and said["purpose"] != purpose:
            continue
        elif said["outcome"] == "granted":
            names = [one["store"] for one in said["stores"]]
            uses.update((period, said["purpose"], n) for n in names if store in (None, n))
        elif store is None:
            refused[(period, said["purpose"] or "-", said["reason"])] += 1
    ordered = dict(sorted(uses.items())), dict(sorted(refused.items()))
    return Counts(*ordered, dict(sorted(others.items())))


def of_person(
    root: Path,
    mapping: Authority,
    number: str,
    column: str | None = None,
    *,
    today: date,
    span: Span = ALWAYS,
) -> Told:
    """Return each use of the rows of one person, and of nobody else.

    Parameters
    ----------
    root, mapping
        Project folder and authority.
    number
        The person's number as the stores have it.
    column
        What kind of number it is: the name of its column; None where the log knows one kind only.
    today
        The day on which it is asked: what is held back until then is told.
    span
        Days of which uses are wanted.

    Raises
    ------
    DatamallError
        When an entry was altered, there is no key, or the kind of number has to be said.
    """
    found = [
        (Use(entry, one), entry.said["held_back"])
        for entry in _of(root, mapping.authority, ALWAYS)
        if entry.said["event"] == CHECKOUT and entry.said["outcome"] == "granted"
        for one in entry.said["stores"]
        if one["counted"] == "persons"
    ]
    kinds = sorted({use.store["number"] for use, _ in found if use.store["number"]})
    if len(kinds) > 1 if column is None else column not in kinds:
        raise DatamallError(
            "Say by --kind what kind of number it is; the log knows "
            f"{', '.join(kinds) or 'none yet'}."
        )
    kind = column or (kinds[0] if kinds else "")
    sought = persons.tag(mapping, kind, number.strip()) if kinds else b""
    told = Told([], [], [])
    there: dict[tuple[str, str], bool | None] = {}
    for use, held in found:
        store, tags = use.store["store"], use.store["tags"]
        version = persons.seen(use.store["version"], use.store.get("part", ""))
        if (store, version) not in there:
            # The tags were made for the first use; what later ones say of them rests on the file.
            known = None if tags is None else persons.holds(root, store, version, tags, sought)
            there[(store, version)] = known
        if not span.holds(use.entry.said["at"]) or use.store["number"] not in (kind, None):
            continue
        if held and today < date.fromisoformat(held["until"]):
            told.held_back.append((held["statute"], held["until"]))
        elif there[(store, version)] is None:
            told.unknown.append(use)
        elif there[(store, version)]:
            told.uses.append(use)
    return Told(told.uses, told.unknown, sorted(set(told.held_back)))


def proof(root: Path, entries: list[Entry]) -> dict[str, Any]:
    """Return what shows that entries are in the log without showing others.

    Returns
    -------
    dict
        entries and root (hexadecimal) of the whole log, and proofs: number of an entry → its
        audit path (RFC 6962), hexadecimal.
    """
    leaves = logbook.whole(root)
    paths = {
        str(entry.number): [step.hex() for step in merkle.inclusion(leaves, entry.number - 1)]
        for entry in entries
    }
    return {"entries": len(leaves), "root": merkle.root(leaves).hex(), "proofs": paths}


def _of(root: Path, authority: str, span: Span) -> Iterator[Entry]:
    """Yield the entries of an authority; who asked for one that is none asked everybody."""
    for entry in logbook.read(root):
        if entry.said.get("authority") in (authority, None) and span.holds(entry.said["at"]):
            yield entry
