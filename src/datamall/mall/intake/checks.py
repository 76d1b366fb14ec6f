"""What each row is held against: the first check that it fails is why it is set apart."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from datamall.mall import outlines
from datamall.mall.authorities import Source
from datamall.mall.clocks import AGAIN, GAP, Stamp
from datamall.mall.contracts import SERVICE_NUMBER, Column, Contract
from datamall.mall.expressions import identifier, literal
from datamall.mall.fillings import Filling
from datamall.mall.intake.columns import (
    FAULTS,
    fault_name,
    is_number,
    notation_of,
    outline_name,
    text_name,
    unmapped_name,
)
from datamall.mall.places import GIVEN, LATITUDE, LONGITUDE, X, Y

EVENT = "event of datamall"
# What stands in the place of a name where a row adds up others.
TOTALS = ("total", "totals", "grand total", "subtotal", "totaal", "eindtotaal", "subtotaal",
          "gesamt", "insgesamt", "summe")  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A test of one row.

    Attributes
    ----------
    code
        Reason code of a row that fails: ``kind:column`` or ``rule:name``.
    sentence
        The same for people.
    fails
        SQL condition that is true for a row that fails.
    """

    code: str
    sentence: str
    fails: str


def reference_table(column: str) -> str:
    """Return the name of the table that holds the values a column may refer to."""
    return f"reference_{column}"


def checks_of(contract: Contract, source: Source, references: Collection[str]) -> list[Check]:
    """Return all checks of a source, in the order in which they are made.

    `references` are the columns whose `reference_table` is there; others are not looked up.
    """
    delivered = [column for column in contract.columns if column.name in source.columns]
    checks = [
        _is_total(column.name, str(source.columns[column.name].header))
        for column in delivered
        if column.name in contract.key and _names(column, source)
    ]
    checks += [check for column in delivered for check in _column_checks(column, source)]
    for column in delivered:
        if column.reference and column.name in references:
            store, target = column.reference
            name, table = identifier(column.name), identifier(reference_table(column.name))
            checks.append(
                Check(
                    f"reference:{column.name}",
                    f"{column.name} does not occur in {store}.{target}.",
                    f"{name} IS NOT NULL AND {name} NOT IN (FROM {table})",
                )
            )
    if source.event:
        named = ", ".join(source.event)
        fails = f"{identifier(EVENT)} IS NULL"
        checks.append(Check("event", f"The event has no identifier ({named} is empty).", fails))
    for rule in contract.rules:
        if all(source.has(name) for name in rule.columns):
            fails = f"NOT coalesce(({rule.expression}\n), true)"
            checks.append(Check(f"rule:{rule.name}", rule.description, fails))
    return checks


def _names(column: Column, source: Source) -> bool:
    """Whether a column takes a text over of which the mapping does not say what totals are."""
    filling = source.columns[column.name]
    plain = filling.header is not None and filling.map is None
    # A contract may have totals itself, among its words or by saying so.
    free = column.type == "string" and column.values is None and not column.totals
    return free and plain and filling.header not in source.totals


def _is_total(column: str, header: str) -> Check:
    known = ", ".join(literal(f(word)) for word in TOTALS for f in (str, str.capitalize, str.upper))
    return Check(
        f"total:{column}",
        f"{header} holds a word for a total: name such words in the mapping, `totals: "
        f'{{{header}: ["Total"]}}`, to leave such rows out ([] if none is one).',
        f"{text_name(column)} IN ({known})",
    )


def _column_checks(column: Column, source: Source) -> Iterator[Check]:
    filling = source.columns[column.name]
    name, text = identifier(column.name), text_name(column.name)

    def check(kind: str, sentence: str, fails: str) -> Check:
        return Check(f"{kind}:{column.name}", f"{column.name} {sentence}.", fails)

    if source.file.format == "xlsx" and filling.headers:
        for n, (kind, sentence, _) in enumerate(FAULTS):
            yield check(kind, sentence, f"{fault_name(column.name)} = {n}")
    if filling.map is not None:
        yield check(
            "unmapped",
            f"has a raw text in {filling.header!r} that the mapping does not know",
            unmapped_name(column.name),
        )
    if filling.stamp is not None:
        yield from _stamp_checks(check, filling.stamp, source)
    if column.required:
        yield check("required", "is missing", f"{text} IS NULL")
    system = source.file.system
    if source.placed and column.name in GIVEN:
        own = GIVEN if system.moves else {X: X, Y: Y}
        name = identifier(own[column.name])
        if column.name == X:
            if not column.required:
                half = f"({text} IS NULL) <> ({text_name(Y)} IS NULL)"
                yield check("half_place", "is one number of a place without the other", half)
            yield from (check(*one) for one in system.checks(name, identifier(own[Y])))
    if column.name == LONGITUDE and system.degrees and LATITUDE in source.columns:
        yield from (check(*one) for one in system.checks(name, identifier(LATITUDE)))
    low, high = column.minimum, column.maximum
    bounds = [
        *([(f"at least {low}", f"{name} < {literal(low)}")] if low is not None else []),
        *([(f"at most {high}", f"{name} > {literal(high)}")] if high is not None else []),
    ]
    if column.type in ("integer", "number"):
        # A number too large for its type is out of range; it is a number all the same.
        number = is_number(column, notation_of(filling, source))
        bounds.append(
            (f"a number that fits {column.physical_type}", f"{name} IS NULL AND {number}")
        )
    if bounds:
        unit = f" ({column.unit})" if column.unit else ""
        yield check(
            "range",
            f"must be {' and '.join(words for words, _ in bounds)}{unit}",
            " OR ".join(f"({fails})" for _, fails in bounds),
        )
    if column.type != "string":
        fails = f"{name} IS NULL AND {text} IS NOT NULL"
        yield check("type", f"is not written as {_written(column, filling, source)}", fails)
    if column.min_length is not None or column.max_length is not None:
        low, high = column.min_length or 0, column.max_length
        words = f"at least {low}" if high is None else f"{low} to {high}"
        fails = f"length({name}) < {low}" + (f" OR length({name}) > {high}" if high else "")
        yield check("length", f"must have {words} characters", fails)
    if column.pattern is not None:
        fails = f"NOT regexp_full_match({name}, {literal(column.pattern)})"
        yield check("pattern", f"must match {column.pattern}", fails)
    if column.outline:
        for n, (kind, sentence) in enumerate(outlines.checks(system)):
            yield check(kind, sentence, f"{outline_name(column.name)}.fault = {n}")
    if column.identifier == SERVICE_NUMBER:
        words = "is no citizen service number: nine digits that pass the eleven-test"
        yield check("number", words, f"{name} IS NOT NULL AND NOT {_eleven(name)}")
    if column.values is not None:
        known = ", ".join(literal(value) for value in column.values)
        words = f"must be one of: {', '.join(column.values)}"
        yield check("value", words, f"{name} NOT IN ({known})")


def _eleven(name: str) -> str:
    """Return SQL for the eleven-test of citizen service numbers, 9 to 2 and -1 as weights."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    digits = (
        f"{weight} * TRY_CAST(substr({name}, {place}, 1) AS INTEGER)"
        for place, weight in enumerate(weights, 1)
    )
    sound = f"{name} <> '000000000' AND ({' + '.join(digits)}) % 11 = 0"
    return f"CASE WHEN regexp_full_match({name}, '[0-9]{{9}}') THEN {sound} ELSE false END"


def _stamp_checks(
    check: Callable[[str, str, str], Check], stamp: Stamp, source: Source
) -> Iterator[Check]:
    """Yield what a time stamp must be before a day or hour is taken from it."""
    local, odd = stamp.local, stamp.odd
    formats = " or ".join(stamp.time.formats)
    fails = f"{local} IS NULL AND {stamp.text} <> ''"
    yield check("time", f"is of a time that is not written as {formats}", fails)
    words = f"is of an hour that does not exist in {stamp.time.zone}: clocks were set forward"
    yield check("no_such_hour", words, f"{odd} = {GAP}")
    told = any(f.stamp and f.stamp.part == "fold" for f in source.columns.values())
    # Events of both hours are counted in the one; their day is sure in any case.
    if stamp.part == "hour" and source.tally is None and not told:
        which = "and the record does not say which it is"
        if stamp.time.distance is not None:
            which = "and this is the second, for which the store has no place of its own"
        words = f"is of an hour that comes twice in {stamp.time.zone} on this day, {which}"
        yield check("repeated_hour", words, f"{odd} = {AGAIN}")


def _written(column: Column, filling: Filling, source: Source) -> str:
    notation = notation_of(filling, source)
    if column.type == "date":
        return f"a date {notation.date_format}"
    return "a whole number" if column.type == "integer" else f"a number with {notation.decimal!r}"
