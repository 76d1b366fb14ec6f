"""The log of use in words: tables for the house, and letters to one person in two languages."""

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from datamall.mall.authorities import Authority
from datamall.mall.contracts import Contract
from datamall.mall.log.usage import Counts, Told, Use

LANGUAGES = ("nl", "en")
TEXTS: dict[str, dict[str, str]] = {
    "title": {"nl": "Gebruik van uw gegevens: {0}", "en": "Use of your data: {0}"},
    "none": {
        "nl": "In dit logboek staat geen gebruik van rijen met dit nummer.",
        "en": "No use of rows with this number is in this log.",
    },
    "some": {
        "nl": "{0} keer gebruikt, van {1} tot en met {2}.",
        "en": "Used {0} times, from {1} to {2}.",
    },
    "once": {"nl": "Eén keer gebruikt, op {1}.", "en": "Used once, on {1}."},
    "by": {
        "nl": "Door: {0}; functie: {1}; aanleiding: {2}",
        "en": "By: {0}; role: {1}; occasion: {2}",
    },
    "not given": {"nl": "niet opgegeven", "en": "not given"},
    "basis": {
        "nl": "Grondslag: AVG artikel {0}; {1}",
        "en": "Legal basis: GDPR article {0}; {1}",
    },
    "rows": {"nl": "Uw rij zelf: {0}", "en": "Your row itself: {0}"},
    "sums": {
        "nl": "Geteld met anderen, niet afzonderlijk: {0}",
        "en": "Counted with others, not by itself: {0}",
    },
    "unknown": {
        "nl": "Van {0} keer gebruik van gegevens over personen is niet meer na te gaan of u erbij "
        "was, omdat niet bewaard is wie erin stonden:",
        "en": "Of {0} uses of data on persons it can no longer be told whether you were among "
        "them, since it was not kept who was:",
    },
    "held back": {
        "nl": "Gebruik op grond van {0} wordt pas vanaf {1} verteld. Dit staat hier voor iedereen "
        "en zegt niet dat u erbij was.",
        "en": "Uses on the ground of {0} are told from {1} on. This stands here for everybody and "
        "does not say that you were in them.",
    },
    "entry": {"nl": "regel {0} van het logboek", "en": "entry {0} of the log"},
}


def table(found: Counts, rows: int | None = None) -> str:
    """Return counts as text.

    Parameters
    ----------
    found
        What was counted.
    rows
        At most so many lines of each kind, the latest; None: all.
    """
    parts = []
    if found.uses:
        parts.append(_lines(("period", "purpose", "store", "uses"), found.uses, rows))
    if found.refused:
        parts.append(_lines(("period", "purpose", "refused because", "times"), found.refused, rows))
    if found.others:
        named = ", ".join(f"{event} {times:,}" for event, times in found.others.items())
        parts.append(f"Also: {named}.")
    return "\n\n".join(parts) or "Nothing of that is in the log of use."


def _lines(
    heads: tuple[str, ...], counted: Mapping[tuple[str, str, str], int], most: int | None
) -> str:
    rows = [(*key, f"{times:,}") for key, times in counted.items()][-(most or len(counted)) :]
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]

    def line(row: Iterable[str]) -> str:
        *texts, number = row
        left = (f"{text:<{width}}" for text, width in zip(texts, widths[:-1], strict=True))
        return "  ".join((*left, f"{number:>{widths[-1]}}"))

    return "\n".join(map(line, (heads, *rows)))


def letter(told: Told, mapping: Authority, contracts: Mapping[str, Contract], language: str) -> str:
    """Return what a person is told, in Dutch (``nl``) or English (``en``).

    Names of purposes, stores and columns are those of the registers.
    """

    def say(name: str, *values: object) -> str:
        return TEXTS[name][language].format(*values)

    parts = [say("title", mapping.title)]
    uses = [list(some) for _, some in groupby(told.uses, lambda use: use.entry.number)]
    days = [use.entry.said["at"][:10] for use, *_ in uses]
    if days:
        name = "some" if len(days) > 1 else "once"
        parts.append(say(name, len(days), days[0], days[-1]))
    else:
        parts.append(say("none"))
    parts += [_use(some, contracts, say) for some in uses]
    if told.unknown:
        lines = [f"  {_head(use, say)}: {_title(use, contracts)}" for use in told.unknown]
        parts.append("\n".join([say("unknown", len(told.unknown)), *lines]))
    parts += [say("held back", *law) for law in told.held_back]
    return "\n\n".join(parts)


def _use(uses: list[Use], contracts: Mapping[str, Contract], say: Callable[..., str]) -> str:
    """Return one entry in words, with each of its stores that the person is in."""
    said = uses[0].entry.said
    role = say("not given") if said["role"] == "not given" else said["role"]
    lines = [
        f"{_head(uses[0], say)}: {said['title']} ({said['purpose']})",
        f"  {say('by', said['owner'], role, said['occasion'] or say('not given'))}",
        f"  {say('basis', said['gdpr'], said['statute'])}",
    ]
    for use in uses:
        contract = contracts.get(use.store["store"])
        titles = {column.name: column.title for column in contract.columns} if contract else {}
        columns = ", ".join(titles.get(name, name) for name in use.store["columns"])
        how = say("rows" if use.store["sums"] is None else "sums", columns)
        lines.append(f"  {_title(use, contracts)}. {how}")
    return "\n".join(lines)


def _head(use: Use, say: Callable[..., str]) -> str:
    at = use.entry.said["at"]
    return f"{at[:10]} {at[11:16]} UTC, {say('entry', use.entry.number)}"


def _title(use: Use, contracts: Mapping[str, Contract]) -> str:
    contract = contracts.get(use.store["store"])
    return contract.title if contract else str(use.store["store"])


def record(told: Told, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person is told as data.

    Parameters
    ----------
    told
        What is told.
    shown
        What `datamall.mall.log.usage.proof` gave for its entries.

    Returns
    -------
    dict
        uses and unknown (per use: entry, leaf, and what the entry says of it without the account
        of the official, which is between the house and its auditor), held_back, and `shown`. The
        leaf is the hash of the whole entry: its proof shows that it is in the log, and whoever
        may see the entry can reckon the hash.
    """

    def said(use: Use) -> dict[str, Any]:
        hidden = ("account", "stores", "event", "outcome", "authority", "held_back")
        about = {name: value for name, value in use.entry.said.items() if name not in hidden}
        store = {name: value for name, value in use.store.items() if name != "tags"}
        return {"entry": use.entry.number, "leaf": use.entry.leaf.hex(), **about, **store}

    return {
        "uses": [said(use) for use in told.uses],
        "unknown": [said(use) for use in told.unknown],
        "held_back": [{"statute": law, "until": day} for law, day in told.held_back],
        **shown,
    }
