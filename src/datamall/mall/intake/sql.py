"""The query of intake: raw text → typed columns, and the first check that each row fails."""

from collections.abc import Mapping, Sequence

from datamall.mall.authorities import Source, StoreMapping
from datamall.mall.contracts import Column, Contract
from datamall.mall.expressions import identifier
from datamall.mall.intake.checks import EVENT, Check
from datamall.mall.intake.columns import (
    converted,
    fault_name,
    fault_of,
    notation_of,
    outline_name,
    text_name,
    text_of,
    unmapped,
    unmapped_name,
)
from datamall.mall.intake.read import FILE_SHIFT, RECORD
from datamall.mall.places import GIVEN, PLACE

CHECK = "check of datamall"
CONTENT = "content of datamall"
COPIES = "copies of datamall"
WANTED = "wanted by datamall"
LEFT_OUT, REPLACED = -1, -2


def raw_table(source: int) -> str:
    """Return the name of the table that holds the raw records of a source."""
    return f"raw_{source}"


def converter(source: int) -> str:
    """Return the name of the function that brings the places of a source into the grid."""
    return f"to_grid_{source}"


def outliner(source: int) -> str:
    """Return the name of the function that brings the outlines of a source into the grid."""
    return f"outline_{source}"


def query(
    contract: Contract,
    mapping: StoreMapping,
    checks: list[list[Check]],
    content: Sequence[str] = (),
) -> str:
    """Return the query over the raw tables that gives every record once, sorted by its key.

    Its columns are those delivered, `RECORD`, and `CHECK`: the number (from 1, over the checks of
    all sources) of the first check that fails, 0 for none, `LEFT_OUT`, or `REPLACED` by a later
    delivery; the two numbers after those of the checks are events whose identifier occurs again,
    with other and with the same content. Where a source gives events, or counts that add up over
    deliveries, those of a key come as one, with the first record, and `COPIES` says how many there
    are.

    Parameters
    ----------
    contract, mapping
        Contract and mapping of the store.
    checks
        The checks of each source.
    content
        Columns of which each row is to have a hash, `CONTENT`.
    """
    tallied = any(source.tally or source.adds for source in mapping.sources)
    parts, selects, first = [], [], 1
    end = 1 + sum(map(len, checks))
    for number in range(len(mapping.sources)):
        parts += _of_source(contract, mapping, number, checks[number], (first, end), tallied)
        selects.append(f"FROM checked_{number}")
        first += len(checks[number])
    # Ties in the key are rare, and a column with one value in all rows orders nothing.
    keys = [name for name in contract.key if not _one_value(mapping, name)]
    order = ", ".join(identifier(name) for name in (*keys, RECORD))
    hashed = f", hash({', '.join(map(identifier, content))}) AS {identifier(CONTENT)}"
    rows = f"SELECT *{hashed if content else ''} FROM ({' UNION ALL '.join(selects)})"
    return f"WITH {', '.join(parts)} {rows} ORDER BY {order}"


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
    outlined = []
    texts, given, typed, moved = [], [], [], source.placed and source.file.system.moves
    for name, filling in source.columns.items():
        texts.append(f"{text_of(filling)} AS {text_name(name)}")
        if filling.map is not None:
            texts.append(f"{unmapped(filling)} AS {unmapped_name(name)}")
        if source.file.format == "xlsx" and filling.headers:
            texts.append(f"{fault_of(filling)} AS {fault_name(name)}")
        column, notation = contract.column(name), notation_of(filling, source)
        value = converted(column, notation)
        if moved and name in GIVEN:
            given.append(f"{converted(column, notation, 'DOUBLE')} AS {identifier(GIVEN[name])}")
            value = f"try_cast({identifier(PLACE)}.{name} AS {column.physical_type})"
        if column.outline:
            outlined.append(f"{outliner(number)}({text_name(name)}) AS {outline_name(name)}")
            value = f"{outline_name(name)}.shape"
        typed.append(f"{value} AS {identifier(name)}")
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
    if outlined:
        parts.append(f"outlined_{number} AS (SELECT *, {', '.join(outlined)} FROM {before})")
        before = f"outlined_{number}"
    parts.append(f"typed_{number} AS (SELECT {', '.join(typed)}, * FROM {before})")
    own = ", ".join(identifier(name) for name in source.columns)
    terms, event = f"{own}, {record}, {verdict} AS {check}", identifier(EVENT)
    delivery = f"({record} >> {FILE_SHIFT})"
    key = [identifier(name) for name in contract.key if name in source.columns]
    if source.event:
        terms += f", {event}"
    rows = f"SELECT {terms} FROM typed_{number}"
    if source.event or source.adds or source.later.startswith("replaces"):
        # Materialised: the engine may read what such windows are about twice, the raw records come
        # once.
        parts.append(f"known_{number} AS MATERIALIZED ({rows})")
        rows = f"FROM known_{number}"
    if source.later.startswith("replaces"):
        parts += _without_replaced(contract, source, number, delivery, key)
        rows = f"FROM latest_{number}"
    if source.event or source.adds:
        # Counts that add up over deliveries are, within one, what an event is: there once.
        same = event if source.event else ", ".join([delivery, *key])
        among = f"OVER (PARTITION BY {same}, {check})"
        told = (
            f"CASE WHEN {check} <> 0 THEN {check} "
            f"WHEN min(hash({own})) {among} <> max(hash({own})) {among} THEN {end} "
            f"WHEN {record} <> min({record}) {among} THEN {end + 1} ELSE 0 END"
        )
        rows = f"SELECT {own}, {record}, CAST({told} AS SMALLINT) AS {check} FROM ({rows})"
    if source.tally is None and not source.adds:
        one = f", CAST(1 AS BIGINT) AS {copies}" if tallied else ""
        chosen = f"SELECT {_named(values)}, {record}, {check}{one} FROM ({rows})"
        return [*parts, f"checked_{number} AS ({chosen})"]
    summed = [name for name in source.columns if name in contract.summed]
    added = {name: _sum(contract.column(name)) for name in summed}
    by = ", ".join(identifier(name) for name in source.columns if name not in added)
    values |= added | ({source.tally: "count(*)"} if source.tally else {})
    return [
        *parts,
        f"judged_{number} AS ({rows})",
        f"checked_{number} AS (SELECT {_named(values)}, min({record}) AS {record}, {check}, "
        f"count(*) AS {copies} FROM judged_{number} "
        f"GROUP BY {by}, {check}, CASE WHEN {check} = 0 THEN 0 ELSE {record} END)",
    ]


def _without_replaced(
    contract: Contract, source: Source, number: int, delivery: str, key: Sequence[str]
) -> list[str]:
    """Return expressions of which the last, ``latest_<number>``, marks what was replaced.

    Only rows that pass all checks replace, and are replaced: what is in quarantine says nothing.
    """
    known, check, covering = f"known_{number}", identifier(CHECK), []
    if source.later == "replaces":
        same = identifier(EVENT) if source.event else ", ".join(key)
        later = f"{delivery} < max({delivery}) OVER (PARTITION BY {same}, {check} = 0)"
    else:
        assert contract.period is not None
        start, covered = identifier(contract.period[0]), f"covered_{number}"
        spans = (
            f"SELECT {delivery} AS delivery, min({start}) AS low, max({start}) AS high "
            f"FROM {known} WHERE {check} = 0 GROUP BY 1"
        )
        covering = [f"{covered} AS MATERIALIZED ({spans})"]
        within = f"delivery > {delivery} AND {start} BETWEEN low AND high"
        later = f"EXISTS (FROM {covered} WHERE {within})"
    found = f"CASE WHEN {check} = 0 AND {later} THEN {REPLACED} ELSE {check} END"
    marked = f"SELECT * REPLACE (CAST({found} AS SMALLINT) AS {check}) FROM {known}"
    return [*covering, f"latest_{number} AS ({marked})"]


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
