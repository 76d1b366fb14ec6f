"""Which groups are compared: one attribute at a time, or crossed, within strata or not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness.cells import Cells
from datamall.fairness.counting import label, named

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Reference = str | Mapping[str, Any]
REST = "rest"


@dataclass(frozen=True, eq=False)
class Subgroups:
    """Groups to compare, as sums of the rows of cells.

    Attributes
    ----------
    table
        One row per group: the strata, `by` (names of its attributes) and `group` (their values),
        both joined by " × ".
    values
        Per group, its attributes and their values.
    base
        The cells whose rows are summed.
    numbers
        Shape (kinds of groups, rows of `base`): number of the group of each kind that a row is in.
    stratum, base_stratum
        Number of the stratum of each group, and of each row of `base`.
    """

    table: pd.DataFrame
    values: tuple[tuple[tuple[str, str], ...], ...]
    base: Cells
    numbers: np.ndarray
    stratum: np.ndarray
    base_stratum: np.ndarray

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def counts(self) -> np.ndarray:
        """People per group, shape (groups, 3, 3)."""
        counts = np.zeros((len(self), 3, 3), np.int64)
        for own in self.numbers:
            np.add.at(counts, own, self.base.counts)
        return counts

    @property
    def members(self) -> "csr_array":
        """Shape (groups, rows of `base`): 1 where the row belongs to the group."""
        from scipy.sparse import csr_array

        columns = np.tile(np.arange(len(self.base)), len(self.numbers))
        ones = np.ones(len(columns), np.int64)
        return csr_array((ones, (self.numbers.ravel(), columns)), (len(self), len(self.base)))

    def references(self, reference: Reference = REST) -> tuple[np.ndarray, np.ndarray]:
        """Return what each group is compared with.

        Parameters
        ----------
        reference
            ``"rest"``: everybody else in the stratum. Otherwise the value of each attribute of
            the reference group, such as ``{"sex": "man", "origin": "Dutch"}``.

        Returns
        -------
        tuple of ndarray
            Counts, shape (groups, 3, 3), all 0 where the stratum has no such group; and whether
            the group is compared (not the reference group itself).

        Raises
        ------
        DatamallError
            If there is no such group in any stratum.
        """
        counts = self.counts
        if isinstance(reference, Mapping):
            return self._named(counts, reference)
        if reference != REST:
            raise DatamallError(
                f"The reference is 'rest' or a value for each attribute, not {reference!r}: write "
                "for example {'sex': 'man'}."
            )
        totals = np.zeros((self.base_stratum.max() + 1, 3, 3), np.int64)
        np.add.at(totals, self.base_stratum, self.base.counts)
        return totals[self.stratum] - counts, np.ones(len(self), bool)

    def _named(
        self, counts: np.ndarray, reference: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        place = {
            (s, own): i for i, (s, own) in enumerate(zip(self.stratum, self.values, strict=True))
        }
        index = np.full(len(self), -1)
        for i, (stratum, own) in enumerate(zip(self.stratum, self.values, strict=True)):
            wanted = tuple((name, label(reference.get(name, ""))) for name, _ in own)
            index[i] = place.get((stratum, wanted), -1)
        for by in self.table["by"].unique():
            of_kind = (self.table["by"] == by).to_numpy()
            if (index[of_kind] < 0).all():
                names = by.split(" × ")
                asked = " × ".join(str(reference.get(name, "(not named)")) for name in names)
                raise DatamallError(
                    f"There is no reference group {asked} of {by}: there are "
                    f"{named(list(self.table.loc[of_kind, 'group'].unique()))}."
                )
        found = np.where((index >= 0)[:, None, None], counts[index], 0)
        return found, index != np.arange(len(self))


def subgroups(
    cells: Cells,
    by: Sequence[str] | None = None,
    *,
    depth: int | None = None,
    within: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> Subgroups:
    """List the groups to compare.

    Parameters
    ----------
    cells
        The counts.
    by
        Attributes; default: all groups of the cells.
    depth
        None: the groups of all attributes crossed. Otherwise: of each attribute alone, each pair,
        …, up to this many.
    within
        Strata, such as score bands: groups are compared with others of the same stratum.
    keep
        Further keys that `base` should have.

    Returns
    -------
    Subgroups

    Raises
    ------
    DatamallError
        If a key does not exist or there is no attribute.
    """
    names = list(cells.groups if by is None else [by] if isinstance(by, str) else by)
    strata = [within] if isinstance(within, str) else list(within)
    if not names:
        raise DatamallError("There are no groups to compare: name at least one attribute.")
    if depth is not None and depth < 1:
        raise DatamallError(f"The depth is {depth}: give 1 (single attributes), 2 (pairs) or more.")
    asked = ("subgroups", *names, depth, *strata, None, *keep)
    if asked not in cells.known:
        cells.known[asked] = _subgroups(cells, names, strata, depth, keep)
    found: Subgroups = cells.known[asked]
    return found


def _subgroups(
    cells: Cells, names: list[str], strata: list[str], depth: int | None, keep: Sequence[str]
) -> Subgroups:
    base = cells.by([*strata, *names, *keep])
    stratum = np.unique(base.codes[:, : len(strata)], axis=0, return_inverse=True)[1].ravel()
    values: list[tuple[tuple[str, str], ...]] = []
    kinds, rows, firsts = [], [], []
    for size in range(1, min(depth, len(names)) + 1) if depth else [len(names)]:
        for own in combinations(names, size):
            places = [base.axes.index(name) for name in (*strata, *own)]
            _, first, inverse = np.unique(
                base.codes[:, places], axis=0, return_index=True, return_inverse=True
            )
            rows.append(inverse.ravel() + len(values))
            kinds += [" × ".join(own)] * len(first)
            firsts.append(first)
            texts = [
                [base.levels[place][code] for code in base.codes[first, place]]
                for place in places[len(strata) :]
            ]
            values += [tuple(zip(own, part, strict=True)) for part in zip(*texts, strict=True)]
    first = np.concatenate(firsts)
    table = base.keys[strata].iloc[first].reset_index(drop=True)
    table["by"] = kinds
    table["group"] = [" × ".join(text for _, text in own) for own in values]
    return Subgroups(table, tuple(values), base, np.stack(rows), stratum[first], stratum)


def row_of(table: pd.DataFrame, own: Sequence[str], reference: Reference) -> int:
    """Return the row of the reference group, or say that there is none."""
    if isinstance(reference, str):
        raise DatamallError(
            f"The reference is 'rest' or a value for each attribute, not {reference!r}: write "
            "for example {'sex': 'man'}."
        )
    wanted = tuple(str(reference.get(name, "(not named)")) for name in own)
    rows = [tuple(map(str, row)) for row in table[list(own)].itertuples(index=False)]
    if wanted not in rows:
        there = named([" × ".join(row) for row in rows])
        raise DatamallError(f"There is no reference group {' × '.join(wanted)}: there are {there}.")
    return rows.index(wanted)
