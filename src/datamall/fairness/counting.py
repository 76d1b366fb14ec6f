"""From rows to counts: one pass over the rows, or one group-by in the engine that holds them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError

MISSING = "(missing)"
NO, YES, UNKNOWN, TOTAL = 0, 1, 2, 3

Labels = Mapping[str, Mapping[Any, bool | None]]

_WORDS = {"1": YES, "1.0": YES, "true": YES, "yes": YES}
_WORDS |= {"0": NO, "0.0": NO, "false": NO, "no": NO, "": UNKNOWN}
# Rows are coded in pieces that stay in the processor's cache.
_PIECE = 1 << 16
# Up to this many possible cells are counted in one table; beyond, they are hashed.
_TABLE = 1 << 18
_LARGEST = 2**53


def named(values: Sequence[Any]) -> str:
    """Return values as text for an error: the first five, and how many more there are."""
    text = ", ".join(repr(str(value)) for value in values[:5])
    return text + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def label(value: Any) -> str:
    """Return the text of a group: blank text and missing values become `MISSING`."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return MISSING
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value).strip() or MISSING


def natural(level: Any) -> tuple[int, float, str]:
    """Return the key by which levels are sorted: numbers, then text, then `MISSING`."""
    if level == MISSING:
        return 2, 0.0, ""
    try:
        number = float(level)
    except ValueError:
        number = math.nan
    # "nan" is a text; minus infinity is the band of people without a score.
    return (1, 0.0, str(level)) if math.isnan(number) else (0, number, str(level))


def truth(levels: Sequence[Any], column: str, labels: Labels) -> np.ndarray:
    """Return `NO`, `YES` or `UNKNOWN` for each value of a decision or an outcome.

    Parameters
    ----------
    levels
        The values that occur; a missing value is unknown, which is not "no".
    column
        Name of the column, for errors.
    labels
        For the columns that hold other values than yes and no: what each value means.

    Returns
    -------
    ndarray
        Integers, one per level.

    Raises
    ------
    DatamallError
        If a value means nothing.
    """
    own = labels.get(column)
    # Text against text: a 1 of the labels is the 1 of a sheet.
    own = None if own is None else {label(value): meaning for value, meaning in own.items()}
    for said in (own or {}).values():
        if said not in (True, False, None):
            raise DatamallError(
                f"A value of column {column} means {said!r}: it means true, false or null."
            )
    codes, odd = np.full(len(levels), UNKNOWN), []
    for i, level in enumerate(levels):
        text = label(level)
        if text == MISSING:
            continue
        if own is not None:
            meaning = own.get(text, "odd")
            codes[i] = UNKNOWN if meaning is None else int(bool(meaning))
            odd += [level] if meaning == "odd" else []
        elif text.lower() in _WORDS:
            codes[i] = _WORDS[text.lower()]
        else:
            odd.append(level)
    if odd:
        raise DatamallError(
            f"Column {column} holds {named(odd)}, which is neither yes nor no: use 1 and 0, leave "
            "unknown empty, or say with labels what each value means (True, False or None)."
        )
    return codes


def numbers(column: pd.Series, name: str) -> np.ndarray:
    """Return a column of counts as integers.

    Raises
    ------
    DatamallError
        If a count is missing, negative, fractional or not a number.
    """
    values = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
    wrong = ~((values >= 0) & (values == np.floor(values)) & np.isfinite(values))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise DatamallError(
            f"Column {name} holds {column.iloc[row]!s} (row {row + 1}), which is not a count: "
            "counts are whole numbers from 0."
        )
    if values.sum() >= _LARGEST:
        raise DatamallError(f"Column {name} adds up to more than 2^53: these are not people.")
    return values.astype(np.int64)


def collect(frame: Any, columns: Sequence[str], count: str | None) -> tuple[pd.DataFrame, Any]:
    """Return the rows to count as a DataFrame, grouped beforehand where an engine holds them.

    Parameters
    ----------
    frame
        pandas DataFrame, Arrow table (or reader or data set) or DuckDB relation.
    columns
        Columns to group by.
    count
        Column of counts; None if each row is one person.

    Returns
    -------
    tuple
        The DataFrame, and the name of its column of counts (None if each row is one person).

    Raises
    ------
    DatamallError
        If a column does not exist or the input is of another kind.
    """
    kind = type(frame).__module__.split(".")[0]
    if kind == "pyarrow":
        import duckdb

        engine = duckdb.connect()
        names = frame.schema.names if hasattr(frame, "schema") else []
        frame = engine.from_arrow(frame)
    elif isinstance(frame, pd.DataFrame) or kind in ("duckdb", "_duckdb"):
        names = list(frame.columns)
    else:
        raise DatamallError(
            "Cells are made from a pandas DataFrame, an Arrow table or a DuckDB relation, "
            f"not from {type(frame).__name__}."
        )
    wanted = [*columns, *([count] if count is not None else [])]
    absent = [name for name in wanted if name not in names]
    if absent:
        raise DatamallError(f"There is no column {named(absent)}: there are {named(names)}.")
    double = [name for name in wanted if wanted.count(name) > 1 or names.count(name) > 1]
    if double:
        raise DatamallError(f"Column {double[0]} is named twice: each column has one role.")
    if isinstance(frame, pd.DataFrame):
        return frame, count
    keys = [_quoted(name) for name in columns]
    measure = "count(*)"
    if count is not None:
        own = _quoted(count)
        # A sum would hide a negative or fractional count, so such a group adds up to NULL.
        good = f"bool_and({own} >= 0 AND {own} < {_LARGEST} AND {own} = trunc({own}))"
        whole = f"count(*) = count({own}) AND {good}"
        measure = f"CASE WHEN {whole} THEN CAST(sum({own}) AS BIGINT) END"
    total = "count" if count is None else count
    if count is not None and not _numeric(frame, names.index(count)):
        raise DatamallError(f"Column {count} is not a number: counts are whole numbers from 0.")
    while total in columns:
        total += "_"
    query = ", ".join([*keys, f"{measure} AS {_quoted(total)}"])
    grouped = frame.aggregate(query, ", ".join(keys)).df()
    bad = grouped[total].isna()
    if bad.any():
        first = grouped.loc[bad.idxmax(), list(columns)].to_dict()
        at = ", ".join(f"{name} {label(value)}" for name, value in first.items())
        raise DatamallError(
            f"Column {count} holds a missing, negative or fractional number among {at}: counts are "
            "whole numbers from 0."
        )
    return grouped, total


def tally(frame: pd.DataFrame, columns: Sequence[str], count: str | None) -> tuple[Any, ...]:
    """Count rows by the values of some columns.

    Parameters
    ----------
    frame, columns, count
        As `collect` returns them.

    Returns
    -------
    tuple
        Codes, shape (combinations that occur, columns), with -1 for a missing value; the values
        that the codes of each column stand for; and the count of each combination.
    """
    coded = [encode(frame[name], name) for name in columns]
    weights = None if count is None else numbers(frame[count], count)
    sizes = [len(levels) + 1 for _, levels in coded]
    # A missing value has code -1: adding one everywhere is one constant at the end.
    shift, room = 0, 1
    for size in sizes:
        shift, room = shift * size + 1, room * size
    if room >= 2**62:
        matrix = np.stack([codes for codes, _ in coded], axis=1).astype(np.int64)
        cells, inverse = np.unique(matrix, axis=0, return_inverse=True)
        inverse, found = inverse.ravel(), cells + 1
    elif weights is None and room <= _TABLE:
        table = np.zeros(room, np.int64)
        for start in range(0, len(frame), _PIECE):
            code = _horner(coded, sizes, slice(start, start + _PIECE)) + shift
            table += np.bincount(code, minlength=room)
        cells = np.flatnonzero(table)
        found = np.stack(np.unravel_index(cells, sizes), axis=1)
        return found - 1, [levels for _, levels in coded], table[cells]
    else:
        inverse, cells = pd.factorize(_horner(coded, sizes, slice(None)) + shift)
        found = np.stack(np.unravel_index(cells, sizes), axis=1)
    totals = np.bincount(inverse, weights, minlength=len(found)).astype(np.int64)
    return found - 1, [levels for _, levels in coded], totals


def encode(column: pd.Series, name: str) -> tuple[np.ndarray, list[Any]]:
    """Return the codes of a column (-1 where missing) and the values they stand for."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), list(column.cat.categories)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biu" and len(column):
        values = column.to_numpy()
        values = values.view(np.uint8) if values.dtype.kind == "b" else values
        low, high = int(values.min()), int(values.max())
        if high - low < _PIECE and high < 2**62:
            low = 0 if low >= 0 and high < 256 else low
            whole = values if low == 0 else values.astype(np.int64) - low
            return whole, list(range(low, high + 1))
    try:
        codes, levels = pd.factorize(column)
    except TypeError:
        raise DatamallError(f"Column {name} holds lists or the like: give plain values.") from None
    return codes, list(levels)


def _horner(coded: list[Any], sizes: list[int], rows: slice) -> np.ndarray:
    """Return one number for each combination of codes, as the digits of a mixed radix."""
    code = coded[0][0][rows].astype(np.int64)
    for (codes, _), size in zip(coded[1:], sizes[1:], strict=True):
        code *= size
        code += codes[rows]
    return code


def _numeric(relation: Any, position: int) -> bool:
    kind = str(relation.types[position]).split("(")[0]
    return kind.endswith(("INT", "INTEGER", "DECIMAL", "DOUBLE", "FLOAT"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
