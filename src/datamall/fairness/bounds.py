"""Published tables: counts that were rounded or hidden, known within bounds.

Such a table gives some counts and some of their totals. Here every count and every total over
any of the keys is a number between two bounds, and they must add up: a total tightens the bounds
of its parts, the parts those of their total. A published total therefore beats a sum: k counts
rounded to 10 give their sum within 5k, the total in print gives it within 5.
"""

import math
from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import key_levels, metrics, published
from datamall.fairness.cells import Cells
from datamall.fairness.counting import TOTAL, UNKNOWN, named
from datamall.fairness.inference import Estimand
from datamall.fairness.published import PublishedTable
from datamall.fairness.subgroups import REST, Reference, row_of


class Bounds(PublishedTable):
    """Counts of people by keys, decision and outcome, each between two bounds.

    Make them with `from_rounded`, `from_confusion` or `from_cells`.
    """

    @classmethod
    def from_cells(cls, cells: Cells) -> "Bounds":
        """Return exact counts as bounds that leave nothing open.

        Raises
        ------
        DatamallError
            If the keys have too many combinations.
        """
        shape = (*(len(known) + 1 for known in cells.levels), 4, 4)
        if np.prod(shape) > published.LARGEST:
            raise DatamallError("The table has too many combinations of keys: give fewer groups.")
        counts = np.zeros(shape, np.int64)
        counts[(*cells.codes.T, slice(3), slice(3))] = cells.counts
        for axis in range(counts.ndim):
            own = np.moveaxis(counts, axis, 0)
            own[-1] = own[:-1].sum(axis=0)
        exact = counts.astype(float)
        return cls(cells.axes, cells.levels, counts, counts.copy(), exact, cells.merged)

    def corners(
        self, by: Sequence[str] | None = None, names: Sequence[str] = metrics.METRICS
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the counts that make each rate as low, and as high, as the table allows.

        Parameters
        ----------
        by
            Keys; default: all that are no role.
        names
            Metrics.

        Returns
        -------
        tuple
            The keys, one row per group; and an array of shape (groups, metrics, 2, 2): lowest and
            highest rate by successes and trials.
        """
        table, own = self.sides(by, names)
        return table, corners_of(own)

    def sides(
        self,
        by: Sequence[str] | None = None,
        names: Sequence[str] = metrics.METRICS,
        unknown: bool = False,
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """Return the bounds of both sides of each rate.

        Parameters
        ----------
        by, names
            See `corners`.
        unknown
            Whether people of whom the outcome or the decision is unknown may have had either, and
            count on both sides.

        Returns
        -------
        tuple
            The keys, one row per group; and an array of shape (groups, metrics, 2, 2): yes and no
            by least and most.
        """
        table, place = self._places(by)
        which = [metrics.find(name) for name in names]
        bounds = self.low[place], self.high[place]
        out = np.zeros((len(table), len(names), 2, 2), np.int64)
        for m, metric in enumerate(which):
            for side, nodes in enumerate((metric.numerator, metric.complement)):
                d, y = np.array(nodes).T
                for end, bound in enumerate(bounds):
                    out[:, m, side, end] = bound[:, d, y].sum(axis=1)
                if unknown:
                    open_ = {(v, UNKNOWN) for v, w in nodes if w != TOTAL}
                    open_ |= {(UNKNOWN, w) for v, w in nodes if v != TOTAL}
                    open_ |= {(UNKNOWN, UNKNOWN)} if TOTAL not in d else set()
                    out[:, m, side, 1] += sum(bounds[1][:, v, w] for v, w in sorted(open_))
        return table, out

    def proportions(
        self, by: Sequence[str] | None = None, names: Sequence[str] = metrics.METRICS
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """Return what each rate is a share of, as printed.

        Parameters
        ----------
        by, names
            See `corners`.

        Returns
        -------
        tuple
            The keys, and an array of shape (groups, metrics, 2): successes and trials, NaN where
            a number is hidden.
        """
        table, place = self._places(by)
        parts = [np.stack(self._printed(place, name), axis=1) for name in names]
        return table, np.stack(parts, axis=1)

    def rates(
        self, by: Sequence[str] | None = None, names: Sequence[str] = metrics.METRICS
    ) -> pd.DataFrame:
        """Return one row per group with its rates as published and their bounds.

        Parameters
        ----------
        by, names
            See `corners`.

        Returns
        -------
        DataFrame
            The keys; `n_low` and `n_high`, people; and for each metric three columns: as printed
            (NaN where a count it needs is hidden), `_low` and `_high`. Where printed numbers
            contradict each other by their rounding, the printed rate is the nearest that all of
            them allow. No room for sampling is in the bounds.
        """
        table, ends = self.corners(by, names)
        place = self._places(by)[1]
        table["n_low"], table["n_high"] = self.low[place][:, -1, -1], self.high[place][:, -1, -1]
        for m, name in enumerate(names):
            # Without trials at one end only, any rate is possible at that end.
            some = ends[:, m, :, 1].any(axis=1)
            value = [metrics.share(*ends[:, m, side].T) for side in (0, 1)]
            low, high = (np.where(some & np.isnan(v), end, v) for end, v in enumerate(value))
            table[name] = np.clip(metrics.share(*self._printed(place, name)), low, high)
            table[name + "_low"], table[name + "_high"] = low, high
        return table

    def gaps(
        self,
        by: Sequence[str],
        reference: Hashable | Sequence[Hashable],
        names: Sequence[str] = metrics.METRICS,
    ) -> pd.DataFrame:
        """Return the gap of each group to a reference group, and its bounds.

        Parameters
        ----------
        by, names
            See `corners`.
        reference
            The value of each key of the reference group.

        Returns
        -------
        DataFrame
            One row per group and metric: the keys, `metric`, and `difference` and `ratio`, each as
            printed, `_low` and `_high`.

        Raises
        ------
        DatamallError
            If there is no such group.
        """
        names = list(names)
        table = self.rates(by, names)
        groups = [by] if isinstance(by, str) else list(by)
        wanted = (reference,) if isinstance(reference, str) else tuple(reference)  # type: ignore[arg-type]
        rows = [i for i, row in enumerate(table[groups].itertuples(index=False)) if row == wanted]
        if not rows:
            first = [" × ".join(map(str, row)) for row in table[groups].itertuples(index=False)]
            raise DatamallError(f"There is no reference group {wanted}: there are {named(first)}.")
        parts = []
        for name in names:
            part = table[groups].assign(metric=name)
            own, low, high = (table[name + end] for end in ("", "_low", "_high"))
            base, least, most = (table[name + end].iloc[rows[0]] for end in ("", "_low", "_high"))
            part["difference"] = own - base
            part["difference_low"], part["difference_high"] = low - most, high - least
            part["ratio"] = metrics.ratio(own, base)
            part["ratio_low"] = metrics.ratio(low, most)
            part["ratio_high"] = metrics.ratio(high, least)
            parts.append(part.drop(index=rows))
        return pd.concat(parts, ignore_index=True)

    def pairs(
        self,
        by: Sequence[str] | None = None,
        *,
        estimand: Estimand,
        reference: Reference = REST,
        names: Sequence[str] = metrics.METRICS,
        depth: int | None = None,
        unknown: bool = False,
    ) -> pd.DataFrame:
        """Return the counts of each comparison, with the corners of their self.

        Parameters
        ----------
        bounds
            Counts; keys that are not among `by` are summed over, by their totals where printed.
        by, estimand, reference, names, depth
            See `datamall.fairness.inference.compare`.
        unknown
            See `datamall.fairness.Bounds.sides`.

        Returns
        -------
        DataFrame
            One row per group and metric: `by`, `group`, `metric`, `estimand`, then `successes` and
            `trials` as printed (missing where hidden), and at the lowest and the highest rate that
            the bounds allow (`_low`, `_high`); and the same of what it is compared with (`other_`).

        Notes
        -----
        Everybody else is the total less the group, or the sum of the others, whichever is tighter.
        The two sides are bounded apart, which can only make the bounds of the gap wider.

        Raises
        ------
        DatamallError
            If there is no such key or reference group.
        """
        attributes = list(self.groups) if by is None else [by] if isinstance(by, str) else list(by)
        if not attributes:
            raise DatamallError("There are no groups to compare: name at least one attribute.")
        names = list(names)
        everybody, whole = self.sides([], names, unknown)[1], self.proportions([], names)[1]
        parts = []
        for size in range(1, min(depth, len(attributes)) + 1) if depth else [len(attributes)]:
            for own in combinations(attributes, size):
                table, sides = self.sides(own, names, unknown)
                printed = _within(self.proportions(own, names)[1], sides)
                there: np.ndarray = np.asarray(sides[..., 1].any(axis=(1, 2)))
                if reference == REST:
                    low = np.maximum(everybody[..., 0] - sides[..., 1], _others(sides[..., 0]))
                    high = np.minimum(everybody[..., 1] - sides[..., 0], _others(sides[..., 1]))
                    others = np.stack([np.maximum(low, 0), high], axis=-1)
                    base = _within(whole - printed, others)
                else:
                    row = row_of(table, own, reference)
                    others = np.broadcast_to(sides[row], sides.shape)
                    base = np.broadcast_to(printed[row], printed.shape)
                    there[row] = False
                labels = [" × ".join(map(str, v)) for v in table[list(own)].itertuples(index=False)]
                part = pd.DataFrame({"by": " × ".join(own), "group": labels})[there]
                part = part.loc[part.index.repeat(len(names))].reset_index(drop=True)
                part = part.assign(metric=names * int(there.sum()), estimand=estimand)
                for prefix, counts, bound in (("", printed, sides), ("other_", base, others)):
                    corner = corners_of(bound)[there].reshape(-1, 2, 2)
                    pair = counts[there].reshape(-1, 2)
                    for place, what in enumerate(("successes", "trials")):
                        part[prefix + what] = pair[:, place]
                        for end, suffix in enumerate(("_low", "_high")):
                            part[prefix + what + suffix] = corner[:, end, place]
                parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def _places(self, by: Sequence[str] | None) -> tuple[pd.DataFrame, tuple[Any, ...]]:
        """Return the groups as a table, and where their counts are."""
        names = list(self.groups) if by is None else [by] if isinstance(by, str) else list(by)
        absent = [name for name in names if name not in self.axes]
        if absent:
            raise DatamallError(f"There is no key {named(absent)}: there are {named(self.axes)}.")
        known = [self.levels[self.axes.index(name)] for name in names]
        sizes = [len(own) for own in known]
        grid = np.indices(sizes).reshape(len(names), math.prod(sizes))
        parts = zip(names, known, grid, strict=True)
        columns = {name: key_levels.series(name, own, codes) for name, own, codes in parts}
        table = pd.DataFrame(columns, index=range(grid.shape[1]))
        where = dict(zip(names, grid, strict=True))
        last = np.full(grid.shape[1], -1)
        return table, tuple(where.get(name, last) for name in self.axes)

    def _printed(self, place: tuple[Any, ...], name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return successes and trials of a rate as they follow from the published numbers."""
        value, metric = self.printed[place], metrics.find(name)
        yes, no = (
            sum((value[:, d, y] for d, y in nodes), np.zeros(len(value)))
            for nodes in (metric.numerator, metric.complement)
        )
        trials = yes + no
        if metric.given and metric.unknown:
            both, neither = (value[:, d, y] for d, y in (metric.given, metric.unknown))
            # A total that holds nobody unknown is one printed number, yes and no are two. Otherwise
            # yes and no are nearer to the share than a total less the unknown.
            trials = np.where(
                (neither == 0) & ~np.isnan(both) | np.isnan(trials), both - neither, trials
            )
        return yes, trials


def corners_of(sides: np.ndarray) -> np.ndarray:
    """Return `Bounds.corners` from `Bounds.sides`.

    A share is highest with as many yes and as few no as there can be. What a total says about its
    parts is in their bounds already.
    """
    yes, no = sides[..., 0, :], sides[..., 1, :]
    return np.stack([yes, yes + no[..., ::-1]], axis=-1)


def _within(counts: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Return successes and trials no further out than their bounds, as differences of rounded are.

    `sides`: as from `Bounds.sides`.
    """
    bounds = np.stack([sides[..., 0, :], sides.sum(axis=-2)], axis=-2)
    return np.clip(counts, bounds[..., 0], bounds[..., 1])


def _others(bound: np.ndarray) -> np.ndarray:
    """Return the sum over all other groups."""
    return bound.sum(axis=0) - bound
