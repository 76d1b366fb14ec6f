"""Counts made ready for a comparison: levels merged, parts picked, a recorded result read.

All functions take `Cells` or `Bounds` and return the same kind. What was merged stays written on
the counts, since merging groups until a gap is gone is a way to hide it.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from datamall.errors import DatamallError
from datamall.fairness import counting, key_levels, published
from datamall.fairness.bounds import Bounds
from datamall.fairness.cells import Cells
from datamall.fairness.counting import NO, TOTAL, UNKNOWN, YES, named

Counts: TypeAlias = Cells | Bounds
Merge = tuple[str, str, tuple[str, ...]]


def levels(counts: Counts, axis: str) -> tuple[Any, ...]:
    """Return the values of a key, or say that there is none of that name."""
    if axis not in counts.axes:
        raise DatamallError(f"There is no key {named([axis])}: there are {named(counts.axes)}.")
    return counts.levels[counts.axes.index(axis)]


def where(counts: Counts, wanted: Mapping[str, Any]) -> Any:
    """Keep people with these values.

    Parameters
    ----------
    counts
        Cells or bounds.
    wanted
        For each key a value, or a list of values. Rounded counts of several values are added up,
        and the key is gone, as it is where one value of bounds is picked.

    Raises
    ------
    DatamallError
        If a key or a value does not exist.
    """
    empty = [axis for axis, value in wanted.items() if value in ([], ())]
    if empty:
        raise DatamallError(f"No value of {empty[0]} is wanted: name at least one.")
    if isinstance(counts, Cells):
        return counts.where(**wanted)
    result: Any = counts
    for axis, value in wanted.items():
        values = list(value) if isinstance(value, list | tuple) else [value]
        places = key_levels.positions(axis, levels(result, axis), values)
        if len(places) > 1:
            result = merge(result, axis, {"picked": [levels(result, axis)[i] for i in places]})
            places = [levels(result, axis).index("picked")]
        place, at = result.axes.index(axis), places[0]
        low, high, printed = (
            np.take(v, at, axis=place) for v in (result.low, result.high, result.printed)
        )
        rest = (*result.axes[:place], *result.axes[place + 1 :])
        names = (*result.levels[:place], *result.levels[place + 1 :])
        result = Bounds(rest, names, low, high, printed, counts.merged)
    return result


def merge(counts: Counts, axis: str, into: Mapping[str, Sequence[Hashable]]) -> Any:
    """Merge values of a key.

    Parameters
    ----------
    counts
        Cells or bounds.
    axis
        The key; a group, an arm or a stage.
    into
        For each new value the old ones that it stands for, such as
        ``{"under 30": ["under 18", "18 to 29"]}``; the others stay.

    Returns
    -------
    Cells or Bounds
        With one more entry in `merged` per new value: key, new value, old values.

    Raises
    ------
    DatamallError
        If a value does not exist, is merged twice, or its new name is taken.
    """
    known = levels(counts, axis)
    if axis in ("score_band", "weight"):
        raise DatamallError(f"{axis} is a scale: count its rows with wider bands instead.")
    into = {counting.label(name): values for name, values in into.items()}
    old = {name: key_levels.positions(axis, known, values) for name, values in into.items()}
    every = [at for places in old.values() for at in places]
    twice = [known[at] for at in every if every.count(at) > 1]
    if twice:
        raise DatamallError(f"{twice[0]!s} is merged twice.")
    stay = [value for at, value in enumerate(known) if at not in every]
    taken = [name for name in into if name in stay]
    if taken:
        raise DatamallError(f"There is a {axis} {taken[0]} already: give another new name.")
    names = sorted([*stay, *into], key=counting.natural)
    target = {at: names.index(name) for name, places in old.items() for at in places}
    to = np.array([target.get(at, -1) for at in range(len(known))])
    to[to < 0] = [names.index(value) for value in stay]
    record = tuple((axis, name, tuple(map(str, values))) for name, values in into.items())
    place = counts.axes.index(axis)
    done: Any = (*counts.merged, *record)
    all_levels = (*counts.levels[:place], tuple(names), *counts.levels[place + 1 :])
    if isinstance(counts, Cells):
        codes = counts.codes.copy()
        codes[:, place] = to[codes[:, place]]
        return Cells(
            counts.axes, *key_levels.canonical(counts.axes, all_levels, codes, counts.counts), done
        )
    arrays = [_summed(v, place, to, len(names)) for v in (counts.low, counts.high, counts.printed)]
    published.tighten(arrays[0], arrays[1], arrays[2], counts.axes, all_levels)
    return Bounds(counts.axes, all_levels, arrays[0], arrays[1], arrays[2], done)


def _summed(array: np.ndarray, place: int, to: np.ndarray, size: int) -> np.ndarray:
    """Return an array of bounds with the positions of one key summed; the total stays."""
    moved = np.moveaxis(array, place, 0)
    out = np.zeros((size + 1, *moved.shape[1:]), array.dtype)
    np.add.at(out, to, moved[:-1])
    out[-1] = moved[-1]
    return np.ascontiguousarray(np.moveaxis(out, 0, place))


def label(counts: Counts, axis: str, meaning: Mapping[Any, bool | None]) -> Any:
    """Read the outcome from a key that holds the recorded result.

    Parameters
    ----------
    counts
        Cells or bounds whose outcome is unknown throughout.
    axis
        The key with the results.
    meaning
        For each result: True (what the selection looks for), False, or None (left out). A missing
        result (``"(missing)"``) is left out.

    Returns
    -------
    Cells or Bounds
        Without that key, with an outcome.

    Raises
    ------
    DatamallError
        If a result means nothing, or there is an outcome already.
    """
    known = levels(counts, axis)
    meaning = {counting.label(value): each for value, each in meaning.items()}
    odd = [value for value in known if value not in meaning and value != counting.MISSING]
    if odd:
        raise DatamallError(
            f"{axis} holds {named(odd)}, which this label does not mention: say for each value "
            "whether it counts (True), does not (False) or is left out (None)."
        )
    codes = [{True: YES, False: NO, None: UNKNOWN}[meaning.get(value)] for value in known]
    place = counts.axes.index(axis)
    rest = (*counts.axes[:place], *counts.axes[place + 1 :])
    names = (*counts.levels[:place], *counts.levels[place + 1 :])
    if isinstance(counts, Cells):
        if counts.counts[..., [NO, YES]].any():
            raise DatamallError("These cells have an outcome already: count them without one.")
        own: Any = np.zeros_like(counts.counts)
        rows = np.arange(len(counts))
        own[rows, :, np.array(codes)[counts.codes[:, place]]] = counts.counts[..., UNKNOWN]
        codes_left = np.delete(counts.codes, place, axis=1)
        return Cells(rest, *key_levels.canonical(rest, names, codes_left, own), counts.merged)
    if counts.high[..., [NO, YES]].any():
        raise DatamallError("These counts have an outcome already: give them without one.")
    arrays: list[Any] = []
    for array in (counts.low, counts.high, counts.printed):
        moved = np.moveaxis(array[..., TOTAL], place, 0)
        own = np.zeros((4, *moved.shape[1:]), array.dtype)
        np.add.at(own, np.array(codes), moved[:-1])
        own[TOTAL] = moved[-1]
        arrays.append(np.ascontiguousarray(np.moveaxis(own, 0, -1)))
    published.tighten(arrays[0], arrays[1], arrays[2], rest, names)
    return Bounds(rest, names, arrays[0], arrays[1], arrays[2], counts.merged)
