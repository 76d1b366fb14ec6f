"""The SQL of intake: raw text → typed columns, and the first check that each row fails."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from datamall.mall.authorities import Filling, Notation, StoreMapping
from datamall.mall.contracts import Column, Contract
from datamall.mall.expressions import identifier, literal
from datamall.mall.intake.read import RECORD

CHECK = "check of datamall"
PLAIN = Notation()


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


def query(contract: Contract, mapping: StoreMapping, checks: list[Check]) -> str:
    """Return the query over the table ``raw`` that gives every record once, sorted by its key.

    Its columns are those delivered, `RECORD`, and `CHECK`: the number (from 1) of the first
    check that fails, or 0.
    """
    texts, typed = [], []
    for name, filling in mapping.columns.items():
        texts.append(f"{_text(filling)} AS {_text_name(name)}")
        texts.append(f"{_unmapped(filling)} AS {_unmapped_name(name)}")
        converted = _convert(contract.column(name), _notation(filling, mapping))
        typed.append(f"{converted} AS {identifier(name)}")
    names = ", ".join(identifier(name) for name in (*mapping.columns, RECORD))
    order = ", ".join(identifier(name) for name in (*contract.key, RECORD))
    verdict = " ".join(f"WHEN {check.fails} THEN {i}" for i, check in enumerate(checks, 1))
    return (
        f"WITH texts AS (SELECT {', '.join(texts)}, {identifier(RECORD)} FROM raw), "
        f"typed AS (SELECT {', '.join(typed)}, * FROM texts) "
        f"SELECT {names}, CAST(CASE {verdict} ELSE 0 END AS SMALLINT) AS {identifier(CHECK)} "
        f"FROM typed ORDER BY {order}"
    )


def checks_of(
    contract: Contract, mapping: StoreMapping, references: Collection[str]
) -> list[Check]:
    """Return all checks of a store, in the order in which they are made.

    `references` are the columns whose `reference_table` is there; others are not looked up.
    """
    delivered = [column for column in contract.columns if mapping.has(column.name)]
    checks = [check for column in delivered for check in _column_checks(column, mapping)]
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
    for rule in contract.rules:
        if all(mapping.has(name) for name in rule.columns):
            fails = f"NOT coalesce(({rule.expression}\n), true)"
            checks.append(Check(f"rule:{rule.name}", rule.description, fails))
    return checks


def _text_name(column: str) -> str:
    return identifier(f"text of {column}")


def _unmapped_name(column: str) -> str:
    return identifier(f"unmapped {column}")


def _notation(filling: Filling, mapping: StoreMapping) -> Notation:
    """Return how the text of a column is written: as in the file, or as in the contract."""
    as_in_file = filling.map is None and filling.value is None and not filling.typed
    return mapping.file.notation if as_in_file else PLAIN


def _text(filling: Filling) -> str:
    """Return SQL for the text of a column; missing is NULL."""
    if filling.header is None:
        term = filling.expression or literal(filling.value)
        return f"nullif(trim(CAST(({term}\n) AS VARCHAR)), '')"
    if filling.map is None:
        return f"nullif({identifier(filling.header)}, '')"
    cases = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in filling.map.items())
    return f"CASE {identifier(filling.header)} {cases} END"


def _unmapped(filling: Filling) -> str:
    """Return SQL for: the raw text is not in the map. An empty field needs no entry."""
    if filling.header is None or filling.map is None:
        return "false"
    known = ", ".join(literal(raw) for raw in {**filling.map, "": None})
    return f"{identifier(filling.header)} NOT IN ({known})"


def _is_number(column: Column, notation: Notation) -> str:
    """Return SQL for: the text is a number as the file writes them."""
    point, thousands = f"\\{notation.decimal}", f"\\{notation.thousands}"
    whole = f"(?:[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+|[0-9]+)" if notation.thousands else "[0-9]+"
    fraction = f"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    pattern = f"[+-]?{fraction if column.type == 'number' else whole}"
    return f"regexp_full_match({_text_name(column.name)}, {literal(pattern)})"


def _convert(column: Column, notation: Notation) -> str:
    """Return SQL that converts the text of a column, or gives NULL where that cannot be done.

    A number is rounded to the contract's scale; a fraction is no integer (a plain cast would
    round it).
    """
    text = _text_name(column.name)
    if column.type == "string":
        return text
    if column.type == "date":
        return f"CAST(try_strptime({text}, {literal(notation.date_format)}) AS DATE)"
    plain = text
    if notation.thousands:
        plain = f"replace({plain}, {literal(notation.thousands)}, '')"
    if column.type == "number" and notation.decimal != ".":
        plain = f"replace({plain}, {literal(notation.decimal)}, '.')"
    cast = f"try_cast({plain} AS {column.physical_type})"
    return f"CASE WHEN {_is_number(column, notation)} THEN {cast} END"


def _column_checks(column: Column, mapping: StoreMapping) -> Iterator[Check]:
    filling = mapping.columns[column.name]
    name, text = identifier(column.name), _text_name(column.name)

    def check(kind: str, sentence: str, fails: str) -> Check:
        return Check(f"{kind}:{column.name}", f"{column.name} {sentence}.", fails)

    if filling.map is not None:
        yield check(
            "unmapped",
            f"has a raw text in {filling.header!r} that the mapping does not know",
            _unmapped_name(column.name),
        )
    if column.required:
        yield check("required", "is missing", f"{text} IS NULL")
    low, high = column.minimum, column.maximum
    bounds = [
        *([(f"at least {low}", f"{name} < {literal(low)}")] if low is not None else []),
        *([(f"at most {high}", f"{name} > {literal(high)}")] if high is not None else []),
    ]
    if column.type in ("integer", "number"):
        # A number too large for its type is out of range; it is a number all the same.
        is_number = _is_number(column, _notation(filling, mapping))
        bounds.append(
            (f"a number that fits {column.physical_type}", f"{name} IS NULL AND {is_number}")
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
        yield check("type", f"is not written as {_written(column, filling, mapping)}", fails)
    if column.min_length is not None or column.max_length is not None:
        low, high = column.min_length or 0, column.max_length
        words = f"at least {low}" if high is None else f"{low} to {high}"
        fails = f"length({name}) < {low}" + (f" OR length({name}) > {high}" if high else "")
        yield check("length", f"must have {words} characters", fails)
    if column.pattern is not None:
        fails = f"NOT regexp_full_match({name}, {literal(column.pattern)})"
        yield check("pattern", f"must match {column.pattern}", fails)
    if column.values is not None:
        known = ", ".join(literal(value) for value in column.values)
        words = f"must be one of: {', '.join(column.values)}"
        yield check("value", words, f"{name} NOT IN ({known})")


def _written(column: Column, filling: Filling, mapping: StoreMapping) -> str:
    notation = _notation(filling, mapping)
    if column.type == "date":
        return f"a date {notation.date_format}"
    return "a whole number" if column.type == "integer" else f"a number with {notation.decimal!r}"
