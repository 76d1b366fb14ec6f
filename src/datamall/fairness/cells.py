"""Cells: how many people there are for each combination of keys, decision and outcome."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import counting, key_levels, metrics
from datamall.fairness.counting import UNKNOWN, Labels, named
from datamall.fairness.key_levels import ROLES

RESERVED = {*ROLES, *metrics.METRICS, "n", "by", "group", "metric", "decision", "outcome", "count"}


@dataclass(frozen=True, eq=False)
class Cells:
    """Counts of people by keys, decision and outcome.

    Cells add up (``a + b``: more files, days, municipalities), can be summed over keys (`by`) and
    picked from (`where`); they never change. Make them with `from_frame` or `from_confusion`;
    for rounded or hidden counts see `datamall.fairness.Bounds`.

    Attributes
    ----------
    axes
        Names of the keys: the groups, then those of `ROLES` that there are.
    levels
        The values of each key, in order.
    codes
        Keys of each row as positions in `levels`, shape (rows, axes), sorted.
    counts
        People, integers of shape (rows, 3, 3): decision by outcome, each no, yes, unknown.
    merged
        What `datamall.fairness.recoding.merge` merged: key, new value, old values.
    """

    axes: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...]
    codes: np.ndarray
    counts: np.ndarray
    merged: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    # What was reckoned of them already, for those who ask again: they never change.
    known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.codes.setflags(write=False)
        self.counts.setflags(write=False)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        groups: Sequence[str],
        decision: str | None = None,
        outcome: str | None = None,
        *,
        arm: str | None = None,
        stage: str | None = None,
        score_band: str | None = None,
        weight: str | None = None,
        count: str | None = None,
        labels: Labels | None = None,
    ) -> "Cells":
        """Count rows, or take cells that are already counted.

        Parameters
        ----------
        frame
            One row per person, or per cell if `count` is given: a pandas DataFrame, an Arrow
            table or a DuckDB relation (grouped in the engine, whatever its number of rows).
        groups
            Columns of the attributes to audit. Missing or blank values are a group of their own,
            ``"(missing)"``.
        decision, outcome
            Columns of yes (1, True, "yes") and no (0, False, "no"): was the person selected; was
            what the selection looks for found. A missing value is *unknown*, which is not no.
        arm
            Column that says how the person was drawn (profile, random).
        stage
            Column that says which decision of several this is.
        score_band
            Column of the band of the score: a number, or an ordered categorical, lowest first.
            People without a score come before the lowest.
        weight
            Column of weights; kept as a key, so at most 100 different ones.
        count
            Column of counts, whole numbers.
        labels
            For columns of decision or outcome with other values than yes and no, what each value
            means: ``{"result": {"fraud": True, "none": False, "unclear": None}}``.

        Returns
        -------
        Cells

        Raises
        ------
        DatamallError
            If a column is unknown or named twice, a value means nothing, or a count is negative,
            fractional or missing.
        """
        groups = [groups] if isinstance(groups, str) else list(groups)
        roles = {
            role: name
            for role, name in zip(ROLES, (arm, stage, score_band, weight), strict=True)
            if name is not None
        }
        columns = [*groups, *roles.values()]
        truths = [name for name in (decision, outcome) if name is not None]
        check_names(groups)
        if not columns and not truths:
            raise DatamallError("There is nothing to count by: name a group or a decision.")
        rows, count = counting.collect(frame, [*columns, *truths], count)
        found, values, totals = counting.tally(rows, [*columns, *truths], count)
        if not len(found):
            raise DatamallError("There are no rows to count: give at least one.")
        role = {name: role for role, name in roles.items()}
        read = [
            key_levels.levels(found[:, i], values[i], rows[name], role.get(name))
            for i, name in enumerate(columns)
        ]
        both = {}
        for i, name in enumerate(truths, start=len(columns)):
            used, inverse = np.unique(found[:, i], return_inverse=True)
            met = [None if code < 0 else values[i][code] for code in used]
            both[name] = counting.truth(met, name, labels or {})[inverse]
        unknown = np.full(len(found), UNKNOWN)
        cube = np.zeros((len(found), 3, 3), np.int64)
        d = unknown if decision is None else both[decision]
        y = unknown if outcome is None else both[outcome]
        cube[np.arange(len(found)), d, y] = totals
        codes = np.array([own for own, _ in read], np.int64).reshape(len(read), len(found)).T
        return _make((*groups, *roles), [known for _, known in read], codes, cube)

    @classmethod
    def from_confusion(
        cls,
        frame: pd.DataFrame,
        groups: Sequence[str],
        tp: str = "tp",
        fp: str = "fp",
        fn: str = "fn",
        tn: str = "tn",
    ) -> "Cells":
        """Take counts of true and false positives and negatives per group.

        Parameters
        ----------
        frame
            One row per group.
        groups
            Columns of the attributes.
        tp, fp, fn, tn
            Columns of counts: selected with and without the outcome, not selected with and
            without it.

        Returns
        -------
        Cells

        Raises
        ------
        DatamallError
            If a count is missing, negative or fractional; hidden counts are for
            `Bounds.from_confusion`.
        """
        names, parts = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}, []
        for kind, name in names.items():
            if name not in frame.columns:
                raise DatamallError(f"There is no column {named([name])} with counts of {kind}.")
            part = frame[[*groups]].copy()
            part["decision"], part["outcome"] = int(kind[1] == "p"), int(kind in ("tp", "fn"))
            part["count"] = counting.numbers(frame[name], name)
            parts.append(part)
        return cls.from_frame(pd.concat(parts), groups, "decision", "outcome", count="count")

    def __add__(self, other: "Cells") -> "Cells":
        if self.axes != other.axes:
            raise DatamallError(
                f"Cells by {', '.join(self.axes)} and cells by {', '.join(other.axes)} do not add "
                "up: sum both to the same keys with by()."
            )
        levels, codes = [], np.concatenate([self.codes, other.codes])
        for i, name in enumerate(self.axes):
            levels.append(key_levels.union(self.levels[i], other.levels[i], name == "score_band"))
            place = {level: code for code, level in enumerate(levels[-1])}
            for part, own in ((codes[: len(self)], self), (codes[len(self) :], other)):
                part[:, i] = np.array([place[v] for v in own.levels[i]], np.int64)[part[:, i]]
        both = np.concatenate([self.counts, other.counts])
        return _make(
            self.axes, levels, codes, both, tuple(dict.fromkeys((*self.merged, *other.merged)))
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Cells)
            and (self.axes, self.levels) == (other.axes, other.levels)
            and np.array_equal(self.codes, other.codes)
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Cells of {self.people} people by {', '.join(self.axes) or 'nothing'}"

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the attributes: the keys that are no role."""
        return tuple(name for name in self.axes if name not in ROLES)

    @property
    def people(self) -> int:
        """Number of people."""
        return int(self.counts.sum())

    @property
    def keys(self) -> pd.DataFrame:
        """One row per row of `counts`, one column per axis."""
        pairs = zip(self.axes, self.levels, self.codes.T, strict=True)
        columns = {name: key_levels.series(name, known, codes) for name, known, codes in pairs}
        return pd.DataFrame(columns, index=range(len(self)))

    @property
    def frame(self) -> pd.DataFrame:
        """Tidy table: keys, `decision` and `outcome` (1, 0 or missing), `count` above 0."""
        row, d, y = np.nonzero(self.counts)
        table = self.keys.iloc[row].reset_index(drop=True)
        for name, code in (("decision", d), ("outcome", y)):
            table[name] = pd.array(np.where(code == UNKNOWN, -1, code), "Int8")
            table[name] = table[name].mask(code == UNKNOWN)
        table["count"] = self.counts[row, d, y]
        return table

    def by(self, names: Sequence[str]) -> "Cells":
        """Sum over all other keys.

        Parameters
        ----------
        names
            Axes to keep, in the order of the result; none gives one row for everybody.
        """
        wanted = [names] if isinstance(names, str) else list(names)
        places = [self._place(name) for name in wanted]
        levels = [self.levels[place] for place in places]
        return _make(wanted, levels, self.codes[:, places], self.counts, self.merged)

    def where(self, **levels: Hashable | Sequence[Hashable]) -> "Cells":
        """Keep the rows with these values, such as ``where(arm="random", sex=["man", "woman"])``.

        Raises
        ------
        DatamallError
            If a key or a value does not exist.
        """
        if not levels:
            return self
        keep = np.ones(len(self), bool)
        for name, wanted in levels.items():
            place = self._place(name)
            several = isinstance(wanted, list | tuple | set | frozenset | range)
            values: list[Any] = list(wanted) if several else [wanted]  # type: ignore[arg-type]
            at = key_levels.positions(name, self.levels[place], values)
            keep &= np.isin(self.codes[:, place], at)
        return _make(self.axes, list(self.levels), self.codes[keep], self.counts[keep], self.merged)

    def totals(self, by: Sequence[str] | None = None) -> tuple["Cells", np.ndarray]:
        """Return the cells by these keys (default: the groups) and their counts, weighted.

        The counts are floating-point sums of weights where there is a weight, else the integers.
        """
        names = list(self.groups if by is None else [by] if isinstance(by, str) else by)
        part = self.by(names)
        if "weight" not in self.axes or "weight" in names:
            return part, part.counts
        fine = self.by([*names, "weight"])
        weights = np.array(fine.levels[-1])[fine.codes[:, -1]]
        starts = key_levels.starts(fine.codes[:, :-1])
        return part, np.add.reduceat(fine.counts * weights[:, None, None], starts, axis=0)

    def rates(
        self, by: Sequence[str] | None = None, names: Sequence[str] = metrics.METRICS
    ) -> pd.DataFrame:
        """Return one row per group with its rates.

        Parameters
        ----------
        by
            Keys; default: all groups. ``[]`` gives one row for everybody.
        names
            Which metrics; default: all.

        Returns
        -------
        DataFrame
            The keys, `n` (people, not weighted), and a column per metric, NaN where undefined.
            Where the outcome is known for the selected alone, so are all rates with an outcome.
        """
        part, counts = self.totals(by)
        table = part.keys
        table["n"] = part.counts.sum(axis=(1, 2))
        table[list(names)] = metrics.rate(counts, names)
        return table

    def spread(
        self, by: Sequence[str] | None = None, names: Sequence[str] = metrics.METRICS
    ) -> pd.DataFrame:
        """Return per metric how far groups lie apart; see `datamall.fairness.metrics.spread`."""
        groups, everybody = self.totals(by)[1], self.totals([])[1]
        rates = metrics.rate(groups, names)
        return metrics.spread_table(rates, metrics.rate(everybody, names)[0], names)

    def _place(self, name: str) -> int:
        if name not in self.axes:
            raise DatamallError(f"There is no key {named([name])}: there are {named(self.axes)}.")
        return self.axes.index(name)


def _make(
    axes: Sequence[str],
    levels: Sequence[Sequence[Any]],
    codes: np.ndarray,
    counts: np.ndarray,
    merged: tuple[tuple[str, str, tuple[str, ...]], ...] = (),
) -> Cells:
    return Cells(tuple(axes), *key_levels.canonical(axes, levels, codes, counts), merged)


def check_names(groups: Sequence[str]) -> None:
    """Refuse group columns with a name that the tables of the audit use."""
    taken = sorted(RESERVED & set(groups))
    if taken:
        raise DatamallError(
            f"A group column cannot be called {named(taken)}: rename it, the tables of the audit "
            "use that name."
        )
