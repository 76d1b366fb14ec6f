"""Mistakes planted in raw files: spoilt lines, repeated ones and contradictions, all counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from datamall.demo.draws import sample

DUPLICATES = 0.003  # share of the rows that a batch sent twice delivers again
CONTRADICTIONS = 12  # pairs per 100,000 rows: a correction that did not replace the first entry


def _everywhere(table: pd.DataFrame) -> pd.Series:
    return pd.Series(True, index=table.index)


class Fault(NamedTuple):
    """A mistake: its name, rows per 100,000, and what may be typed into which column.

    The name of another column means that what stands there is typed. `where` tells of each row of
    a table whether the mistake would be what its name says there.
    """

    name: str
    frequency: float
    cases: tuple[tuple[str, str], ...]
    where: Callable[[pd.DataFrame], pd.Series] = _everywhere


def spoil(
    rng: np.random.Generator,
    mess: float,
    table: pd.DataFrame,
    faults: Iterable[Fault],
    otherwise: Mapping[str, Any],
    contradictions: float = CONTRADICTIONS,
) -> pd.DataFrame:
    """Spoil rows, each by one mistake; then repeat some sound ones and contradict others.

    Parameters
    ----------
    rng
        The stream of this file's mistakes.
    mess
        `World.mess`, above 0.
    table
        Lines as text, numbered from 0, and ``fault``, empty; changed in place.
    faults
        Mistakes other than repetitions and contradictions.
    otherwise
        What a second line that contradicts the first says in which column; as for
        `DataFrame.assign`.
    contradictions
        Pairs of such lines per 100,000.

    Returns
    -------
    DataFrame
        The lines with the name of their ``fault``, and after them copies and second lines, each
        under the index of the line it goes with.
    """
    number = len(table)
    sound = sample(rng, number, number)  # taken from the front, so that no row is chosen twice
    for fault in faults:
        fit = sound[fault.where(table).to_numpy()[sound]]
        rows = fit[: often(mess, fault.frequency * number / 1e5)]
        for turn, (column, value) in enumerate(fault.cases):
            chosen = rows[turn :: len(fault.cases)]
            table.loc[chosen, column] = table.loc[chosen, value] if value in table else value
        table.loc[rows, "fault"] = fault.name
        sound = sound[~np.isin(sound, rows)]
    twice = often(mess, DUPLICATES * number)
    pairs = often(mess, contradictions * number / 1e5)
    copies = table.iloc[sound[:twice]].assign(fault="exact duplicate")
    table.loc[sound[twice : twice + pairs], "fault"] = "contradiction"
    second = table.iloc[sound[twice : twice + pairs]].assign(**otherwise)
    return pd.concat([table, copies, second])


def misprint(table: pd.DataFrame, changes: Sequence[Mapping[str, str]]) -> None:
    """Change the first rows in place, one by one: column → text, or the column it stands in."""
    for row, change in enumerate(changes):
        proper = table.loc[row]
        table.loc[row, list(change)] = [proper.get(value, value) for value in change.values()]


def one_more(column: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Return a function that gives the whole numbers of a column, as text, each one higher."""
    return lambda table: (table[column].astype(int) + 1).astype(str)


def often(mess: float, usual: float) -> int:
    """Return how often a mistake is made: at least once, so that small cities have them all."""
    return max(1, round(mess * usual))


def count_faults(names: Iterable[str]) -> pd.DataFrame:
    """Return fault and rows of a list of mistakes; "" is none."""
    counted = Counter(name for name in names if name)
    return pd.DataFrame({"fault": list(counted), "rows": list(counted.values())})
