"""Attackers of our own: what somebody can reckon from all that was ever released.

One reckons within a release. Every printed count is a sum over kinds of people (a man who lives
alone, was drawn at random in 2025 and visited, ...) of which only bounds are known. The lowest and
the highest that any other sum can be, by all linked tables at once, is a linear program (the
attacker's problem of cell suppression: Fischetti and Salazar, Management Science 47, 2001).

The other compares two releases, and knows how many people are in the one and not in the other, and
who they are; he wants to know of what kind they are. A number that changed tells him.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from datamall.small_numbers import MINIMUM, REACH, ROUNDING

_UNBOUNDED = 3  # status of the solver
_TOLERANCE = 1e-4  # its errors: far below the half by which a whole number could be missed

Kind = Mapping[str, frozenset[str]]  # attribute -> the values that are counted; others: all


@dataclass(frozen=True)
class Count:
    """A printed count: where it stands, whom it counts, and the exact ones that it stands for."""

    where: str
    of: Kind
    low: float
    high: float


@dataclass(frozen=True)
class Space:
    """All kinds of people: attribute → values, and which combinations there can be."""

    attributes: Mapping[str, tuple[str, ...]]
    possible: Callable[[pd.DataFrame], pd.Series]

    def holding(self, kinds: Sequence[Kind]) -> np.ndarray:
        """Return which kinds of people each sum holds, one row a sum, as ones and noughts.

        Kinds that no sum tells apart are one column.
        """
        people = pd.DataFrame(
            list(product(*self.attributes.values())), columns=list(self.attributes)
        )
        people = people[self.possible(people)]
        known = {
            (name, value): people[name].eq(value).to_numpy()
            for name, values in self.attributes.items()
            for value in values
        }
        held = np.ones((len(kinds), len(people)), bool)
        for row, kind in zip(held, kinds, strict=True):
            for name, values in kind.items():
                row &= np.logical_or.reduce([known[name, value] for value in sorted(values)])
        return np.unique(held, axis=1).astype(float)


def printed(where: str, of: Kind, number: float | None, rounding: int = ROUNDING) -> Count:
    """Return what a printed count tells: missing ones tell nothing, others up to rounding."""
    if number is None or np.isnan(number):
        return Count(where, of, 0, np.inf)
    reach = REACH if rounding == ROUNDING else rounding / 2
    least = MINIMUM if rounding == ROUNDING else 0
    return Count(where, of, max(number - reach, least), number + reach)


def reckoned(space: Space, counts: Sequence[Count], asked: Mapping[str, Kind]) -> pd.DataFrame:
    """Return the lowest and the highest that sums can be, by all printed counts together.

    Parameters
    ----------
    space
        All kinds of people.
    counts
        What is in print.
    asked
        Name → whom it counts.

    Returns
    -------
    pandas.DataFrame
        what, low, high, and pinned: whether it is known to be below ten, and of it fewer than five
        numbers are left, which is what rounding leaves of any count.

    Raises
    ------
    ValueError
        When no people agree with all counts: then what they are said to count is wrong.
    """
    sums = space.holding([*(one.of for one in counts), *asked.values()])
    known = [(one.low, one.high) for one in counts]
    found = _ends(sums[: len(counts)], known, sums[len(counts) :], [*asked])
    return found.assign(pinned=pinned(found["low"], found["high"]))


def pinned(low: pd.Series, high: pd.Series) -> pd.Series:
    """Return which numbers are known to be below ten, and more exactly than rounding leaves any."""
    return high.lt(MINIMUM) & (high - low).lt(ROUNDING - 1)


def told(
    space: Space,
    before: Sequence[Count],
    after: Sequence[Count],
    asked: Mapping[str, Kind],
    gone: int,
    came: int = 0,
) -> pd.DataFrame:
    """Return what two releases together tell of the people between them.

    Parameters
    ----------
    space
        All kinds of people.
    before, after
        What is in print in the one and in the other.
    asked
        Name → a kind of people.
    gone, came
        How many people left, and how many came: the attacker knows it, and who they are.

    Returns
    -------
    pandas.DataFrame
        what, who (``gone`` or ``came``), low, high (how many of them are of this kind), and pinned,
        as in `reckoned`; of fewer than five people, whether anything is known.
    """
    sums = space.holding([*(one.of for one in (*before, *after)), *asked.values()])
    first, second, kinds = np.split(sums, [len(before), len(before) + len(after)])
    nobody, everybody = np.zeros_like, np.ones((1, sums.shape[1]))
    # People of the first release, those of them who left, and those who came.
    rows = np.block(
        [
            [first, nobody(first), nobody(first)],
            [second, -second, second],
            [nobody(everybody), everybody, nobody(everybody)],
            [nobody(everybody), nobody(everybody), everybody],
        ]
    )
    known = [(one.low, one.high) for one in (*before, *after)] + [(gone, gone), (came, came)]
    both = [[nobody(kinds), kinds, nobody(kinds)], [nobody(kinds), nobody(kinds), kinds]]
    found = _ends(rows, known, np.block(both), [*asked, *asked])
    size = np.repeat([gone, came], len(asked))
    found.insert(1, "who", np.repeat(["gone", "came"], len(asked)))
    found = found[size > 0]
    narrower = (found["high"] - found["low"]).lt(np.minimum(size[size > 0], ROUNDING - 1))
    return found.assign(pinned=found["high"].lt(MINIMUM) & narrower).reset_index(drop=True)


def _ends(
    rows: np.ndarray, known: Sequence[tuple[float, float]], asked: np.ndarray, names: list[str]
) -> pd.DataFrame:
    """Return the ends of sums by linear programs, rounded inwards since people are whole."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    low, high = np.array(known, float).T
    low, high = np.append(low, np.zeros(len(asked))), np.append(high, np.full(len(asked), np.inf))
    every = np.vstack([rows, asked])
    # What hangs together by no sum, as two years, are programs of their own.
    holds = (every != 0).astype(np.int32)
    together = connected_components(csr_array(holds.T @ holds), directed=False)[1]
    ends = np.zeros((len(asked), 2))
    for part in np.unique(together):
        columns = together == part
        mine = np.flatnonzero(every[:, columns].any(axis=1))
        limits, wanted = mine[mine < len(rows)], mine[mine >= len(rows)] - len(rows)
        bounds = low[limits], high[limits]
        ends[wanted] = _programs(rows[limits][:, columns], *bounds, asked[wanted][:, columns])
    inwards = np.ceil(ends[:, 0] - _TOLERANCE) + 0.0, np.floor(ends[:, 1] + _TOLERANCE)
    return pd.DataFrame({"what": names, "low": inwards[0], "high": inwards[1]})


def _programs(rows: np.ndarray, low: np.ndarray, high: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return the lowest and the highest of sums of what is linked; all people are nought or more.

    An end that the people of another program attain already needs no program of its own.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    above, under = np.isfinite(high), low > 0
    limits = {
        "A_ub": csr_array(np.vstack([rows[above], -rows[under]])),
        "b_ub": np.concatenate([high[above], -low[under]]),
    }
    ends = np.tile([np.inf, -np.inf], (len(asked), 1))
    # First as few as can be of all that is asked, then each by itself.
    goals: list[tuple[int | None, int, np.ndarray]] = [(None, 0, asked.sum(axis=0))]
    goals += [(at, side, asked[at] * (-1) ** side) for side in (0, 1) for at in range(len(asked))]
    for at, side, goal in goals:
        if side == 0 and at is not None and ends[at, 0] < _TOLERANCE:
            continue
        found = linprog(goal, **limits, method="highs")
        if found.status == _UNBOUNDED:
            ends[at, 1] = np.inf
            continue
        if found.x is None:
            raise ValueError("No people agree with all of these counts.")
        values = asked @ found.x
        ends = np.column_stack([np.fmin(ends[:, 0], values), np.fmax(ends[:, 1], values)])
    return ends


def differing(before: Iterable[Count], after: Iterable[Count]) -> list[str]:
    """Return which printed counts are not the same in two releases."""
    known = {one.where: (one.low, one.high) for one in before}
    now = {one.where: (one.low, one.high) for one in after}
    return sorted(where for where in {*known, *now} if known.get(where) != now.get(where))
