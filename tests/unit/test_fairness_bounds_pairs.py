"""Comparisons of rounded and hidden counts, against every exact table that they can be."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datamall.fairness import Bounds

GROUPS = "abc"
Column = dict[str, Any]


def every(shown: Column, rounding: int, totals: bool) -> np.ndarray:
    """Return all counts of the groups that are printed so; one row per way.

    A number in print is the nearest multiple; "<3" is 0 to 2. Halves may go either way.
    """
    half = rounding // 2

    def known(value: Any) -> range:
        return range(3) if value == "<3" else range(max(value - half, 0), value + half + 1)

    ways = np.array(list(product(*(known(shown[group]) for group in GROUPS))))
    return ways[np.isin(ways.sum(axis=1), known(shown["total"]))] if totals else ways


def sheet(yes: Column, no: Column, totals: bool) -> pd.DataFrame:
    rows = [
        (group, word, column[group])
        for word, column in (("yes", yes), ("no", no))
        for group in (*GROUPS, "total")
        if totals or group != "total"
    ]
    return pd.DataFrame(rows, columns=["g", "d", "n"])


CASES = [
    # Rounded to 4: a total that leaves less than the sum of its parts, and one that leaves more.
    (4, {"a": 4, "b": 8, "c": 0, "total": 8}, {"a": 8, "b": 4, "c": 4, "total": 20}),
    (4, {"a": 4, "b": 4, "c": 4, "total": 12}, {"a": 0, "b": 4, "c": 12, "total": 12}),
    (2, {"a": 6, "b": 2, "c": 0, "total": 10}, {"a": 2, "b": 2, "c": 4, "total": 6}),
    # Hidden, exact and rounded.
    (1, {"a": "<3", "b": 5, "c": "<3", "total": 8}, {"a": 9, "b": 4, "c": "<3", "total": 14}),
    (4, {"a": "<3", "b": 4, "c": 8, "total": 12}, {"a": 4, "b": "<3", "c": "<3", "total": 8}),
]


@pytest.mark.parametrize("totals", [True, False])
@pytest.mark.parametrize(("rounding", "yes", "no"), CASES)
def test_corners_are_those_of_every_exact_table(
    rounding: int, yes: Column, no: Column, totals: bool
) -> None:
    """Lowest and highest share of a group, and of everybody else or of a reference group."""
    bounds = Bounds.from_rounded(sheet(yes, no, totals), ["g"], "d", count="n", rounding=rounding)
    ways = [every(column, rounding, totals) for column in (yes, no)]
    for reference in ("rest", {"g": "b"}):
        table = bounds.pairs(
            ["g"], estimand="list", names=["selection_rate"], reference=reference
        ).set_index("group")
        assert list(table.index) == [g for g in GROUPS if reference == "rest" or g != "b"]
        for group, row in table.iterrows():
            at = GROUPS.index(str(group))
            for prefix in ("", "other_"):
                chosen = [own[:, at] for own in ways]
                if prefix:
                    rest = [own.sum(axis=1) - own[:, at] for own in ways]
                    chosen = rest if reference == "rest" else [own[:, 1] for own in ways]
                least, most = ([pick(own) for own in chosen] for pick in (np.min, np.max))
                # A share is lowest with as few yes and as many no as there can be.
                low, high = (least[0], least[0] + most[1]), (most[0], most[0] + least[1])
                found = [
                    tuple(row[f"{prefix}{name}_{end}"] for name in ("successes", "trials"))
                    for end in ("low", "high")
                ]
                assert found == [low, high], (group, prefix, reference)
