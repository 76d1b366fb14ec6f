"""What a contract demands of data, and in what another one demands less.

A contract says what rows are about, how long they are kept, what a profile may not use, beside what
they may never lie, and what intake checks. Whatever cannot be compared, such as two regular
expressions, counts as less strict when it changes: somebody then looks at it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from datamall.mall.contracts import COUNTED, Column, Contract
from datamall.mall.retention import kept_since

Terms = Mapping[str, Any]
ANY_DAY = date(2024, 2, 29)
# What is a check of one column and has no order of its own.
FIXED = ("identifier", "outline", "pattern", "reference")


def terms(contract: Contract) -> dict[str, Any]:
    """Return what a contract demands, as it is written down in JSON."""
    apart = sorted(join.to for join in contract.forbidden_joins)
    return {
        **({"forbidden_joins": apart} if apart else {}),
        "store": contract.name,
        "counted": contract.counted,
        "person": contract.person,
        "key": list(contract.key),
        "link_needs_basis": contract.link_needs_basis,
        "retention": contract.retention,
        "tally": contract.tally,
        "rules": sorted(rule.expression for rule in contract.rules),
        "columns": {column.name: _column(column) for column in contract.columns},
    }


def digest(demanded: Terms) -> str:
    """Return the SHA-256 of terms, however their keys are ordered."""
    text = json.dumps(demanded, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def looser(before: Terms, after: Terms) -> list[str]:
    """Return in what terms are less strict than others, as sentences without a full stop.

    A column that is gone is not kept at all, and one that is new in a store of persons tells more
    about them.
    """
    return [*_of_store(before, after), *_of_columns(before, after)]


def _column(column: Column) -> dict[str, Any]:
    said = {
        "type": column.physical_type,
        "required": column.required,
        "minimum": _text(column.minimum),
        "maximum": _text(column.maximum),
        "min_length": column.min_length,
        "max_length": column.max_length,
        "pattern": column.pattern,
        "values": None if column.values is None else sorted(column.values),
        "reference": None if column.reference is None else ".".join(column.reference),
        "not_for_profiling": (column.profiling or "").startswith("forbidden"),
        "totals": column.totals,
        "identifier": column.identifier,
        "outline": column.outline,
    }
    return {name: value for name, value in said.items() if value not in (None, False)}


def _text(bound: Any) -> str | None:
    return None if bound is None else str(bound)


def _of_store(before: Terms, after: Terms) -> Iterator[str]:
    rank = {counted: number for number, counted in enumerate(COUNTED)}
    if rank[after["counted"]] > rank[before["counted"]]:
        yield f"it counts {after['counted']} and no longer {before['counted']}"
    if before["person"] and after["person"] != before["person"]:
        yield f"{before['person']} is no longer the number of a person"
    if not set(after["key"]) <= set(before["key"]):
        yield f"its key is {', '.join(after['key'])} and no longer {', '.join(before['key'])}"
    if before["link_needs_basis"] and not after["link_needs_basis"]:
        yield "a link to persons needs no legal basis of its own any more"
    if kept_since(after["retention"], ANY_DAY) < kept_since(before["retention"], ANY_DAY):
        yield f"rows are kept for {after['retention']} and no longer {before['retention']}"
    if after["tally"] != before["tally"]:
        yield "what contradicts itself is another thing: its tally has changed"
    beside = sorted({*before.get("forbidden_joins", ())} - {*after.get("forbidden_joins", ())})
    if beside:
        yield f"its rows may lie beside those of {beside[0]}, which was forbidden"
    gone = [rule for rule in before["rules"] if rule not in after["rules"]]
    if gone:
        yield f"the rule `{gone[0]}` is gone or another one"


def _of_columns(before: Terms, after: Terms) -> Iterator[str]:
    for name, now in after["columns"].items():
        was = before["columns"].get(name)
        if was is not None:
            yield from (f"column {name} {words}" for words in _of_column(was, now))
        elif after["counted"] in ("persons", "households"):
            yield f"column {name} is new, in a store of {after['counted']}"


def _of_column(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if now["type"] != was["type"]:
        yield f"is stored as {now['type']} and no longer {was['type']}"
        return  # its bounds are of another kind
    if was.get("required") and not now.get("required"):
        yield "is no longer required"
    for end, sign in (("minimum", 1), ("min_length", 1), ("maximum", -1), ("max_length", -1)):
        old, new = was.get(end), now.get(end)
        if old is not None and (new is None or sign * _less(new, old) > 0):
            word = "none" if new is None else new
            yield f"has the {end.replace('_', ' ')} {word} and no longer {old}"
    old_values, new_values = was.get("values"), now.get("values")
    if old_values and (new_values is None or not set(new_values) <= set(old_values)):
        yield "allows values that it did not allow"
    for name in FIXED:
        if was.get(name) and now.get(name) != was[name]:
            yield f"has another {name}, or none"
    if was.get("not_for_profiling") and not now.get("not_for_profiling"):
        yield "is no longer forbidden for profiling"
    if now.get("totals") and not was.get("totals"):
        yield "takes totals in"


def _less(one: Any, other: Any) -> int:
    """Return 1 where one bound is below another, -1 where it is above, otherwise 0."""
    if isinstance(one, int):
        return (one < other) - (one > other)
    try:
        left, right = Decimal(one), Decimal(other)
    except ArithmeticError:  # dates, whose text is in their order
        return (one < other) - (one > other)
    return (left < right) - (left > right)
