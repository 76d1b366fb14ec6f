"""Keys of cells: groups, arms, stages, score bands and weights, and the order they come in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness.counting import MISSING, label, named, natural

ROLES = ("arm", "stage", "score_band", "weight")
MOST_WEIGHTS = 100


def levels(
    codes: np.ndarray, values: list[Any], column: pd.Series, role: str | None
) -> tuple[np.ndarray, list[Any]]:
    """Return the codes and levels of a key from those of its column.

    Parameters
    ----------
    codes
        Positions in `values`, -1 where missing.
    values
        Values of the column.
    column
        The column: its name for errors, its type for the order of score bands.
    role
        One of `ROLES`, None for a group.

    Returns
    -------
    tuple
        New codes, none below 0, and levels: text for groups, arms and stages; numbers for
        weights; numbers or text for score bands, where a missing one comes first.

    Raises
    ------
    DatamallError
        If score bands have no order, or weights are too many, missing or negative.
    """
    used, inverse = np.unique(codes, return_inverse=True)
    met = [None if i < 0 else values[i] for i in used]
    bands = _bands(column) if role == "score_band" else None
    if role == "weight" or bands == []:
        read: list[Any] = [_number(value, str(column.name), role) for value in met]
    else:
        read = [label(value) for value in met]
    if role == "weight" and (len(read) > MOST_WEIGHTS or min(read) < 0):
        raise DatamallError(
            f"Column {column.name} holds {len(read)} different weights from {min(read):g}: weights "
            f"are a key of the cells, so give at most {MOST_WEIGHTS}, none below 0."
        )
    known = sorted(set(read), key=natural)
    if bands:
        known = [MISSING] * (MISSING in read) + bands
    place = {level: i for i, level in enumerate(known)}
    return np.array([place[value] for value in read], np.int64)[inverse], known


def positions(name: str, known: Sequence[Any], values: Sequence[Any]) -> list[int]:
    """Return where values are among the levels of a key.

    Parameters
    ----------
    name
        The key, for errors.
    known
        Its levels.
    values
        What is asked for: the text of a level, or what `label` makes that text of. Levels that are
        numbers are compared as numbers.

    Raises
    ------
    DatamallError
        If there is no such level.
    """
    place: dict[Any, int] = {label(level): i for i, level in enumerate(known)}
    place |= {level: i for i, level in enumerate(known) if not isinstance(level, str)}
    asked = [(label(value), natural(label(value))) for value in values]
    found = [place.get(text, place.get(key[1]) if key[0] == 0 else None) for text, key in asked]
    absent = [value for value, at in zip(values, found, strict=True) if at is None]
    if absent:
        raise DatamallError(f"There is no {name} {named(absent)}: there are {named(known)}.")
    return [at for at in found if at is not None]


def canonical(
    axes: Sequence[str], known: Sequence[Sequence[Any]], codes: np.ndarray, counts: np.ndarray
) -> tuple[tuple[tuple[Any, ...], ...], np.ndarray, np.ndarray]:
    """Bring rows of cells into their one form.

    Rows are sorted by key and those with the same key summed; levels that no row has are dropped
    (not of score bands, which are a scale) and the others put in order.

    Returns
    -------
    tuple
        Levels, codes and counts.
    """
    ordered, columns = [], []
    for position, name in enumerate(axes):
        own, column = list(known[position]), codes[:, position]
        if name != "score_band":
            used, column = np.unique(column, return_inverse=True)
            own = [own[i] for i in used]
            order = sorted(range(len(own)), key=lambda i, own=own: natural(own[i]))  # type: ignore[misc]
            own, column = [own[i] for i in order], np.argsort(order)[column]
        ordered.append(tuple(own))
        columns.append(column)
    if not columns:
        return (), np.zeros((1, 0), np.int64), counts.sum(axis=0, keepdims=True)
    matrix = np.stack(columns, axis=1)
    rows = np.lexsort(columns[::-1])
    matrix, counts = matrix[rows], counts[rows]
    first = starts(matrix)
    if len(first) < len(matrix):
        matrix, counts = matrix[first], np.add.reduceat(counts, first, axis=0)
    return tuple(ordered), matrix, counts


def starts(codes: np.ndarray) -> np.ndarray:
    """Return the rows of sorted codes at which a new key begins."""
    new = np.ones(len(codes), bool)
    new[1:] = (codes[1:] != codes[:-1]).any(axis=1)
    return np.flatnonzero(new)


def union(one: Sequence[Any], two: Sequence[Any], scale: bool) -> list[Any]:
    """Return the levels of two sets of cells.

    Raises
    ------
    DatamallError
        If they are a scale of text bands of which neither holds the other.
    """
    if not scale or not any(isinstance(value, str) for value in (*one, *two)):
        return sorted({*one, *two}, key=natural)
    longer, shorter = (list(v) for v in ((one, two) if len(one) >= len(two) else (two, one)))
    if [value for value in longer if value in shorter] != shorter:
        raise DatamallError(
            f"Score bands {named(one)} and {named(two)} do not add up: neither holds the other."
        )
    return longer


def series(name: str, known: Sequence[Any], codes: np.ndarray) -> pd.Series:
    """Return the column of a table: text, numbers, or an ordered categorical of text bands."""
    if name == "weight" or (name == "score_band" and not isinstance(known[-1], str)):
        return pd.Series(np.array(known, float)[codes], name=name)
    if name == "score_band":
        return pd.Series(pd.Categorical.from_codes(codes, list(known), ordered=True), name=name)
    return pd.Series(np.array(known, object)[codes], name=name, dtype="str")


def _bands(column: pd.Series) -> list[Any]:
    """Return text bands in order; none if the bands are numbers."""
    categories = getattr(column.dtype, "categories", None)
    if pd.api.types.is_numeric_dtype(column.dtype if categories is None else categories):
        return []
    if categories is None or not column.cat.ordered:
        raise DatamallError(
            f"Column {column.name} holds score bands without an order: make it a number, or an "
            "ordered categorical with the lowest band first."
        )
    return [label(value) for value in categories]


def _number(value: Any, column: str, role: str | None) -> float:
    if role == "score_band" and label(value) == MISSING:
        return -np.inf
    try:
        number = np.nan if value is None else float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise DatamallError(f"Column {column} holds {value!s}, which is not a finite number.")
    return number
