"""Deliveries of a store: what a steward decided about single files, and what became of each.

Each raw file is a delivery. Intake judges it against those before it (`datamall.mall.intake.judge`)
and holds it back where it is unusual; the steward then accepts it, or withdraws one that was taken
in. Both are kept, with the reason, in ``data/deliveries/<authority>/<store>.yaml`` and count for
exactly the bytes that the steward saw. What became of each file is in the store's report of
quality, made anew by each intake from files and decisions alone.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from datamall.errors import DatamallError
from datamall.identifiers import sentence
from datamall.mall.authorities import Authority, load_authority
from datamall.mall.log import logbook
from datamall.project import file_digest, put, reports_folder
from datamall.written import Text, read_as
from datamall.yamlfile import dump, load

if TYPE_CHECKING:
    from datamall.mall.intake.observed import Brought

TAKEN_IN, HELD_BACK, WITHDRAWN = "taken in", "held back", "withdrawn"


@dataclass(frozen=True)
class Decision:
    """What was decided about a file, by which role and why; `sha256` says which bytes it had."""

    decision: Literal["accepted", "withdrawn"]
    file: Text
    sha256: Text
    by: Text
    reason: Text


def decisions_file(root: Path, authority: str, store: str) -> Path:
    """Return the file with the decisions on the deliveries of a store; it need not be there."""
    return root / "data" / "deliveries" / authority / f"{store}.yaml"


def decisions(root: Path, authority: str, store: str) -> list[Decision]:
    """Return what was decided on the deliveries of a store, in order.

    Raises
    ------
    DatamallError
        When the file is damaged.
    """
    path = decisions_file(root, authority, store)
    if not path.is_file():
        return []
    place = path.relative_to(root).as_posix()
    return [
        read_as(Decision, item, f"{place}: decision {number}")
        for number, item in enumerate(load(path, place) or [], 1)
    ]


def standing(root: Path, authority: str, store: str) -> tuple[frozenset[str], dict[str, Decision]]:
    """Return the files that are accepted, and those withdrawn with the decision, as they are now.

    A decision on other bytes than a file has now says nothing about it; one to withdraw a file
    that is no longer there holds.
    """
    digests: dict[str, str] = {}
    latest: dict[str, Decision] = {}
    every = decisions(root, authority, store)
    there = _there(root, load_authority(root, authority), store) if every else {}
    for made in every:
        if made.file not in digests and made.file in there:
            digests[made.file] = file_digest(there[made.file])
        if digests.get(made.file, made.sha256) == made.sha256:
            latest[made.file] = made
    accepted = (name for name, made in latest.items() if made.decision == "accepted")
    withdrawn = {name: made for name, made in latest.items() if made.decision == "withdrawn"}
    return frozenset(accepted), withdrawn


def history(root: Path, authority: str, store: str) -> list[dict[str, Any]]:
    """Return what became of each delivery when the store was last taken in; none before that."""
    path = reports_folder(root, authority) / "quality" / f"{store}.json"
    if not path.is_file():
        return []
    try:
        found: list[dict[str, Any]] = json.loads(path.read_text("utf-8")).get("deliveries", [])
    except ValueError:
        raise DatamallError(
            f"{path.relative_to(root)} cannot be read: take {store} in again."
        ) from None
    return found


def held_back(root: Path, authority: str) -> dict[str, int]:
    """Return how many deliveries wait for a steward, by store; only stores with any."""
    stores = load_authority(root, authority).stores
    waiting = {
        store: sum(one["state"] == HELD_BACK for one in history(root, authority, store))
        for store in stores
    }
    return {store: files for store, files in waiting.items() if files}


def told(
    brought: list[list["Brought"]],
    notes: dict[str, str],
    held: list[tuple["Brought", str]],
    withdrawn: dict[str, Decision],
) -> list[dict[str, Any]]:
    """Return what became of each delivery, in their order; what was withdrawn comes last.

    Returns
    -------
    list of dict
        file, sha256, delivered (ISO 8601, as its name says), state, why (it is held back or
        withdrawn; of what is taken in, what is missing before it, if anything), records,
        put_aside, replaced (records), first_day and last_day (that its sound rows begin on). Of
        what is held back, put_aside counts what contradicted others, too.
    """
    here = [(one, TAKEN_IN, notes.get(one.file)) for some in brought for one in some]
    waits = [(one, HELD_BACK, why) for one, why in held]
    every = sorted([*here, *waits], key=lambda found: found[0].order)
    rows = [
        {
            "file": one.file,
            "sha256": one.sha256,
            "delivered": one.delivered,
            "state": state,
            "why": why,
            "records": one.records,
            "put_aside": one.put_aside,
            "replaced": one.replaced,
            "first_day": one.first_day and one.first_day.isoformat(),
            "last_day": one.last_day and one.last_day.isoformat(),
        }
        for one, state, why in every
    ]
    empty = dict.fromkeys(rows[0] if rows else [])
    gone = {n: {"file": n, "sha256": d.sha256, "why": d.reason} for n, d in withdrawn.items()}
    return rows + [{**empty, **known, "state": WITHDRAWN} for _, known in sorted(gone.items())]


def listed(root: Path, authority: str, store: str) -> str:
    """Return the history of a store's deliveries as text, the latest last.

    Raises
    ------
    DatamallError
        When the authority does not deliver the store, or it was never taken in.
    """
    mapped = load_authority(root, authority)
    _check_store(mapped, store)
    every = history(root, authority, store)
    if not every:
        raise DatamallError(
            f"{store} has not been taken in for {authority}: run `datamall run {authority}` first."
        )
    said = {(made.file, made.sha256): made for made in decisions(root, authority, store)}
    width = max(len(one["file"]) for one in every)
    lines = [
        f"{'file':<{width}}  {'days':<24}{'records':>12}{'put aside':>11}{'replaced':>10}  state"
    ]
    for one in every:
        days = " to ".join(dict.fromkeys(one[n] for n in ("first_day", "last_day") if one[n]))
        numbers = [one[name] for name in ("records", "put_aside", "replaced")]
        texts = ["" if number is None else f"{number:,}" for number in numbers]
        lines.append(
            f"{one['file']:<{width}}  {days:<24}{texts[0]:>12}{texts[1]:>11}{texts[2]:>10}  "
            f"{one['state']}"
        )
        if one["why"]:
            lines.append(f"{'':<{width}}  {one['why']}")
        if made := said.get((one["file"], one["sha256"])):
            lines.append(f"{'':<{width}}  {made.decision} by {made.by}: {made.reason}")
    return "\n".join(lines)


def decide(
    root: Path, authority: str, store: str, decision: str, file: str, by: str, reason: str
) -> None:
    """Keep a decision on a delivery; intake follows it the next time.

    Parameters
    ----------
    root, authority, store
        Project folder, authority and store.
    decision
        ``accepted`` or ``withdrawn``.
    file
        Name of the raw file, as the history has it.
    by, reason
        Role that decides, not a name of a person; why, in a sentence.

    Raises
    ------
    DatamallError
        When the store or the file is not known, or a word is missing.
    """
    mapped = load_authority(root, authority)
    digest = _digest(root, mapped, store, file)
    who, why = sentence(by, "who decides (--by)"), sentence(reason, "the reason (--reason)")
    given = {"decision": decision, "file": file, "sha256": digest, "by": who, "reason": why}
    made = read_as(Decision, given, f"the decision on {file}")
    logbook.write(
        root,
        "delivery",
        role=made.by,
        authority=authority,
        store=store,
        file=file,
        sha256=digest,
        decision=decision,
    )
    path = decisions_file(root, authority, store)
    put(path, dump([asdict(one) for one in (*decisions(root, authority, store), made)]))


def _check_store(mapped: Authority, store: str) -> None:
    if store not in mapped.stores:
        known = ", ".join(mapped.stores)
        raise DatamallError(
            f"{mapped.authority} delivers no store called {store!r}: there are {known}."
        )


def _there(root: Path, mapped: Authority, store: str) -> dict[str, Path]:
    """Return the deliveries of a store that are there, by the name that its history gives them."""
    there: dict[str, Path] = {}
    for source in mapped.stores[store].sources:
        folder = source.file.folder(root, mapped.authority)
        paths, _ = source.file.below(folder)
        there |= {path.relative_to(folder).as_posix(): path for path in paths}
    return there


def _digest(root: Path, mapped: Authority, store: str, file: str) -> str:
    _check_store(mapped, store)
    there = _there(root, mapped, store)
    if file in there:
        return file_digest(there[file])
    before = {one["file"]: str(one["sha256"]) for one in history(root, mapped.authority, store)}
    if file not in before:
        names = sorted({*there, *before})
        some = ", ".join(names[-3:])
        raise DatamallError(
            f"{store} has no delivery called {file!r}: there are {len(names):,}, such as {some}; "
            f"`datamall deliveries {store}` lists them."
        )
    return before[file]
