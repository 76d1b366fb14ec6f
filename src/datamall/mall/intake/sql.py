"""The SQL of intake: raw text → typed columns, and the first check that each row fails."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from datamall.mall.authorities import Filling, Source, StoreMapping
from datamall.mall.clocks import AGAIN, GAP, Stamp
from datamall.mall.contracts import Column, Contract
from datamall.mall.expressions import identifier, literal
from datamall.mall.intake.read import RECORD
from datamall.mall.places import GIVEN, LATITUDE, LONGITUDE, PLACE, X, Y
from datamall.tabular.form import Notation
from datamall.tabular.workbook import ERROR, FORMULA

CHECK = "check of datamall"
COPIES = "copies of datamall"
EVENT = "event of datamall"
WANTED = "wanted by datamall"
LEFT_OUT = -1
PLAIN = Notation()
# What stands in the place of a name where a row adds up others.
TOTALS = ("total", "totals", "grand total", "subtotal", "totaal", "eindtotaal", "subtotaal",
          "gesamt", "insgesamt", "summe")  # fmt: skip
# Of a workbook: what is seen is no value.
FAULTS = (
    ("excel_error", "is read from a cell that shows an error of the sheet", ERROR),
    (
        "formula",
        "is read from a formula that was saved without its value: calculate and save the workbook",
        FORMULA,
    ),
)


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


def raw_table(source: int) -> str:
    """Return the name of the table that holds the raw records of a source."""
    return f"raw_{source}"


def converter(source: int) -> str:
    """Return the name of the function that brings the places of a source into the grid."""
    return f"to_grid_{source}"


def query(contract: Contract, mapping: StoreMapping, checks: list[list[Check]]) -> str:
    """Return the query over the raw tables that gives every record once, sorted by its key.

    Its columns are those delivered, `RECORD`, and `CHECK`: the number (from 1, over the checks of
    all sources) of the first check that fails, 0 for none, or `LEFT_OUT`; the two numbers after
    those of the checks are events whose identifier occurs again, with other and with the same
    content. Where a source gives events, those of a key come as one, with the first record, and
    `COPIES` says how many there are.

    Parameters
    ----------
    contract, mapping
        Contract and mapping of the store.
    checks
        The checks of each source.
    """
    tallied = any(source.tally for source in mapping.sources)
    parts, selects, first = [], [], 1
    end = 1 + sum(map(len, checks))
    for number in range(len(mapping.sources)):
        parts += _of_source(contract, mapping, number, checks[number], (first, end), tallied)
        selects.append(f"FROM checked_{number}")
        first += len(checks[number])
    # Ties in the key are rare, and a column with one value in all rows orders nothing.
    keys = [name for name in contract.key if not _one_value(mapping, name)]
    order = ", ".join(identifier(name) for name in (*keys, RECORD))
    return f"WITH {', '.join(parts)} {' UNION ALL '.join(selects)} ORDER BY {order}"


def _one_value(mapping: StoreMapping, column: str) -> bool:
    return mapping.constant(column) and all(source.has(column) for source in mapping.sources)


def _of_source(
    contract: Contract,
    mapping: StoreMapping,
    number: int,
    checks: list[Check],
    verdicts: tuple[int, int],
    tallied: bool,
) -> list[str]:
    """Return the common table expressions of one source; the last is ``checked_<number>``.

    `verdicts`: the number of the first of these checks, and the one after all checks.
    """
    source, (first, end) = mapping.sources[number], verdicts
    texts, given, typed, moved = [], [], [], source.placed and source.file.system.moves
    for name, filling in source.columns.items():
        texts.append(f"{_text(filling)} AS {_text_name(name)}")
        if filling.map is not None:
            texts.append(f"{_unmapped(filling)} AS {_unmapped_name(name)}")
        if source.file.format == "xlsx" and filling.headers:
            texts.append(f"{_fault(filling)} AS {_fault_name(name)}")
        column, notation = contract.column(name), _notation(filling, source)
        converted = _convert(column, notation)
        if moved and name in GIVEN:
            given.append(f"{_convert(column, notation, 'DOUBLE')} AS {identifier(GIVEN[name])}")
            converted = f"try_cast({identifier(PLACE)}.{name} AS {column.physical_type})"
        typed.append(f"{converted} AS {identifier(name)}")
    if source.tally is not None:
        # A single event counts for one, which is what rules of the contract are held against.
        typed.append(f"CAST(1 AS BIGINT) AS {identifier(source.tally)}")
    if source.event:
        texts.append(f"{_identifier(source.event)} AS {identifier(EVENT)}")
    if source.where:
        texts.append(f"coalesce(({source.where}\n), false) AS {identifier(WANTED)}")
    record, check, copies = identifier(RECORD), identifier(CHECK), identifier(COPIES)
    cases = [f"WHEN NOT {identifier(WANTED)} THEN {LEFT_OUT}"] if source.where else []
    cases += [f"WHEN {one.fails} THEN {n}" for n, one in enumerate(checks, first)]
    found = f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"
    verdict = f"CAST({found} AS SMALLINT)"
    kinds = {name: contract.column(name).physical_type for name in mapping.columns}
    values = {n: identifier(n) if source.has(n) else f"CAST(NULL AS {k})" for n, k in kinds.items()}
    stamps = {f.stamp.headers: f.stamp for f in source.columns.values() if f.stamp}.values()
    raw, parts = raw_table(number), []
    if stamps:
        # In steps, so that a stamp is read once, however many parts of it are asked for.
        for step, new in enumerate(zip(*(stamp.steps() for stamp in stamps), strict=True)):
            made = f"timed_{number}_{step}"
            parts.append(f"{made} AS (SELECT *, {', '.join(new)} FROM {raw})")
            raw = made
        texts += [name for stamp in stamps for name in (stamp.text, stamp.local, stamp.odd)]
    parts += [
        f"texts_{number} AS (SELECT {', '.join(texts)}, {record} FROM {raw})",
    ]
    before = f"texts_{number}"
    if moved:
        parts.append(f"given_{number} AS (SELECT *, {', '.join(given)} FROM {before})")
        pair, before = ", ".join(map(identifier, GIVEN.values())), f"placed_{number}"
        place = f"{converter(number)}({pair}) AS {identifier(PLACE)}"
        parts.append(f"{before} AS (SELECT *, {place} FROM given_{number})")
    parts.append(f"typed_{number} AS (SELECT {', '.join(typed)}, * FROM {before})")
    if source.tally is None:
        one = f", CAST(1 AS BIGINT) AS {copies}" if tallied else ""
        return [
            *parts,
            f"checked_{number} AS (SELECT {_named(values)}, {record}, {verdict} AS {check}{one} "
            f"FROM typed_{number})",
        ]
    own, event = ", ".join(identifier(name) for name in source.columns), identifier(EVENT)
    terms = f"{own}, {record}, {verdict} AS {check}"
    judged = f"SELECT {terms} FROM typed_{number}"
    if source.event:
        # Materialised: the engine may read what such windows are about twice, the raw records come
        # once.
        known = f"SELECT {terms}, {event} FROM typed_{number}"
        parts.append(f"events_{number} AS MATERIALIZED ({known})")
        among = f"OVER (PARTITION BY {event}, {check} = 0)"
        told = (
            f"CASE WHEN {check} <> 0 THEN {check} "
            f"WHEN min(hash({own})) {among} <> max(hash({own})) {among} THEN {end} "
            f"WHEN {record} <> min({record}) {among} THEN {end + 1} ELSE 0 END"
        )
        judged = f"SELECT {own}, {record}, CAST({told} AS SMALLINT) AS {check} FROM events_{number}"
    added = {n: _sum(contract.column(n)) for n in source.columns if contract.column(n).additive}
    by = ", ".join(identifier(name) for name in source.columns if name not in added)
    values |= added | {source.tally: "count(*)"}
    return [
        *parts,
        f"judged_{number} AS ({judged})",
        f"checked_{number} AS (SELECT {_named(values)}, min({record}) AS {record}, {check}, "
        f"count(*) AS {copies} FROM judged_{number} "
        f"GROUP BY {by}, {check}, CASE WHEN {check} = 0 THEN 0 ELSE {record} END)",
    ]


def _named(values: Mapping[str, str]) -> str:
    """Return the terms of a SELECT, each called by its column."""
    return ", ".join(f"{value} AS {identifier(name)}" for name, value in values.items())


def _identifier(headers: Sequence[str]) -> str:
    """Return SQL for the identifier of an event as one text, NULL where it has none."""
    parts = [f"coalesce({identifier(header)}, '')" for header in headers]
    return f"nullif(concat_ws(chr(31), {', '.join(parts)}), repeat(chr(31), {len(parts) - 1}))"


def _sum(column: Column) -> str:
    """Return SQL for a sum over events; it is not known where any of them has no value."""
    name = identifier(column.name)
    total = f"CAST(sum({name}) AS {column.physical_type})"
    return f"CASE WHEN count({name}) = count(*) THEN {total} END"


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
    free = column.type == "string" and column.values is None  # a contract may have totals itself
    return free and plain and filling.header not in source.totals


def _is_total(column: str, header: str) -> Check:
    known = ", ".join(literal(f(word)) for word in TOTALS for f in (str, str.capitalize, str.upper))
    return Check(
        f"total:{column}",
        f"{header} holds a word for a total: name such words in the mapping, `totals: "
        f'{{{header}: ["Total"]}}`, to leave such rows out ([] if none is one).',
        f"{_text_name(column)} IN ({known})",
    )


def _text_name(column: str) -> str:
    return identifier(f"text of {column}")


def _unmapped_name(column: str) -> str:
    return identifier(f"unmapped {column}")


def _notation(filling: Filling, source: Source) -> Notation:
    """Return how the text of a column is written: as in the file, or as in the contract."""
    as_in_file = filling.map is None and filling.value is None and not filling.typed
    return source.file.notation if as_in_file else PLAIN


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
    known = ", ".join(literal(raw) for raw in {**(filling.map or {}), "": None})
    return f"{identifier(str(filling.header))} NOT IN ({known})"


def _fault_name(column: str) -> str:
    return identifier(f"fault of {column}")


def _fault(filling: Filling) -> str:
    """Return SQL for which of `FAULTS` a column is read from, from 0; NULL for none."""
    cases = (
        f"WHEN regexp_full_match({identifier(header)}, {literal(pattern)}, 's') THEN {n}"
        for header in filling.headers
        for n, (_, _, pattern) in enumerate(FAULTS)
    )
    return f"CASE {' '.join(cases)} END"


def _is_number(column: Column, notation: Notation) -> str:
    """Return SQL for: the text is a number as the file writes them."""
    pattern = notation.pattern() if column.type == "number" else notation.whole
    return f"regexp_full_match({_text_name(column.name)}, {literal(pattern)})"


def _convert(column: Column, notation: Notation, kind: str | None = None) -> str:
    """Return SQL that converts the text of a column, or gives NULL where that cannot be done.

    `kind` is an SQL type other than the contract's.

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
    pointed = plain
    if notation.decimal != ".":
        pointed = f"replace({plain}, {literal(notation.decimal)}, '.')"
    kind = kind or column.physical_type
    cast = f"WHEN {_is_number(column, notation)} THEN try_cast({pointed} AS {kind})"
    if column.type == "integer":  # few are written as 3,0: others need no replacing
        digits = f"regexp_full_match({text}, {literal(notation.pattern(fractions=False))})"
        cast = f"WHEN {digits} THEN try_cast({plain} AS {kind}) {cast}"
    return f"CASE {cast} END"


def _column_checks(column: Column, source: Source) -> Iterator[Check]:
    filling = source.columns[column.name]
    name, text = identifier(column.name), _text_name(column.name)

    def check(kind: str, sentence: str, fails: str) -> Check:
        return Check(f"{kind}:{column.name}", f"{column.name} {sentence}.", fails)

    if source.file.format == "xlsx" and filling.headers:
        for n, (kind, sentence, _) in enumerate(FAULTS):
            yield check(kind, sentence, f"{_fault_name(column.name)} = {n}")
    if filling.map is not None:
        yield check(
            "unmapped",
            f"has a raw text in {filling.header!r} that the mapping does not know",
            _unmapped_name(column.name),
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
                half = f"({text} IS NULL) <> ({_text_name(Y)} IS NULL)"
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
        is_number = _is_number(column, _notation(filling, source))
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
        yield check("type", f"is not written as {_written(column, filling, source)}", fails)
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
    notation = _notation(filling, source)
    if column.type == "date":
        return f"a date {notation.date_format}"
    return "a whole number" if column.type == "integer" else f"a number with {notation.decimal!r}"
