"""The SQL of one column: its text from the raw fields, and the value that the text stands for."""

from datamall.mall.authorities import Source
from datamall.mall.contracts import Column
from datamall.mall.expressions import identifier, literal
from datamall.mall.fillings import Filling
from datamall.tabular.form import Notation
from datamall.tabular.workbook import ERROR, FORMULA

PLAIN = Notation()
# Of a workbook: what is seen is no value.
FAULTS = (
    ("excel_error", "is read from a cell that shows an error of the sheet", ERROR),
    (
        "formula",
        "is read from a formula that was saved without its value: calculate and save the workbook",
        FORMULA,
    ),
)


def text_name(column: str) -> str:
    """Return what the text of a column is called, as an SQL identifier."""
    return identifier(f"text of {column}")


def outline_name(column: str) -> str:
    """Return what the outline of a column is called, with the number of what is wrong with it."""
    return identifier(f"outline of {column}")


def unmapped_name(column: str) -> str:
    """Return what is called whether the raw text of a column is not in its map."""
    return identifier(f"unmapped {column}")


def notation_of(filling: Filling, source: Source) -> Notation:
    """Return how the text of a column is written: as in the file, or as in the contract."""
    as_in_file = filling.map is None and filling.value is None and not filling.typed
    return source.file.notation if as_in_file else PLAIN


def text_of(filling: Filling) -> str:
    """Return SQL for the text of a column; missing is NULL."""
    if filling.header is None:
        term = filling.expression or literal(filling.value)
        return f"nullif(trim(CAST(({term}\n) AS VARCHAR)), '')"
    if filling.map is None:
        return f"nullif({identifier(filling.header)}, '')"
    cases = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in filling.map.items())
    return f"CASE {identifier(filling.header)} {cases} END"


def unmapped(filling: Filling) -> str:
    """Return SQL for: the raw text is not in the map. An empty field needs no entry."""
    known = ", ".join(literal(raw) for raw in {**(filling.map or {}), "": None})
    return f"{identifier(str(filling.header))} NOT IN ({known})"


def fault_name(column: str) -> str:
    """Return what is called which of `FAULTS` a column is read from."""
    return identifier(f"fault of {column}")


def fault_of(filling: Filling) -> str:
    """Return SQL for which of `FAULTS` a column is read from, from 0; NULL for none."""
    cases = (
        f"WHEN regexp_full_match({identifier(header)}, {literal(pattern)}, 's') THEN {n}"
        for header in filling.headers
        for n, (_, _, pattern) in enumerate(FAULTS)
    )
    return f"CASE {' '.join(cases)} END"


def is_number(column: Column, notation: Notation) -> str:
    """Return SQL for: the text is a number as the file writes them."""
    pattern = notation.pattern() if column.type == "number" else notation.whole
    return f"regexp_full_match({text_name(column.name)}, {literal(pattern)})"


def converted(column: Column, notation: Notation, kind: str | None = None) -> str:
    """Return SQL that converts the text of a column, or gives NULL where that cannot be done.

    `kind` is an SQL type other than the contract's.

    A number is rounded to the contract's scale; a fraction is no integer (a plain cast would
    round it).
    """
    text = text_name(column.name)
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
    cast = f"WHEN {is_number(column, notation)} THEN try_cast({pointed} AS {kind})"
    if column.type == "integer":  # few are written as 3,0: others need no replacing
        digits = f"regexp_full_match({text}, {literal(notation.pattern(fractions=False))})"
        cast = f"WHEN {digits} THEN try_cast({plain} AS {kind}) {cast}"
    return f"CASE {cast} END"
