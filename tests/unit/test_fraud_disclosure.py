"""Small numbers of people: what is printed says no more than rounded counts."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from datamall.fraud import disclosure
from datamall.fraud.profile import effectiveness

TAIL = 0.025


def behind(printed: int) -> range:
    """Return the exact counts that a printed one may stand for."""
    return range(max(printed - 2, disclosure.MINIMUM), printed + 3)


def test_counts_below_ten_are_hidden_and_others_rounded_to_five() -> None:
    printed = disclosure.counts(pd.Series([0, 1, 9, 10, 12, 13, 17, 18, 1002]))
    assert printed.isna().tolist() == [True, True, True, *[False] * 6]
    assert printed.dropna().tolist() == [10, 10, 15, 15, 20, 1000]


def test_a_hidden_part_hides_the_smallest_others_until_ten_people_are_hidden() -> None:
    table = pd.DataFrame(
        {"a": [3, 3, 0, 40], "b": [20, 4, 0, 50], "c": [25, 200, 11, np.nan], "d": [90] * 4}
    )
    printed = disclosure.parts(table)
    assert printed.isna().to_numpy().tolist() == [
        [True, True, False, False],
        [True, True, False, True],
        [True, True, True, False],
        [False, False, True, False],  # what is no part hides nothing
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_hidden_part_does_not_follow_from_the_printed_whole(seed: int) -> None:
    """Subtract what is printed from the whole: at least five counts stay possible."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.negative_binomial(1, 0.03, (300, 4)), columns=list("abcd"))
    whole = disclosure.counts(table.sum(axis=1))
    printed = disclosure.parts(table)
    attacked = 0
    for row in table.index[whole.notna()]:
        shown = printed.loc[row].dropna()
        if len(shown) < 4:
            attacked += 1
            # The rest is shared by two hidden parts or more, so that each may be 0 up to its most.
            assert 4 - len(shown) >= 2
            assert whole[row] + 2 - (shown - 2).sum() >= 4
    assert attacked > 50


@pytest.mark.parametrize(("found", "people"), [(12, 38), (23, 61), (11, 400), (57, 410)])
def test_a_share_says_no_more_than_its_rounded_counts(found: int, people: int) -> None:
    first = disclosure.shares(pd.DataFrame({"x": [found], "n": [people]}), "x", "n", TAIL)
    same = pd.DataFrame(
        list(product(behind(int(first["x"][0])), behind(int(first["n"][0])))), columns=["x", "n"]
    )
    same = same[disclosure.enough(same["x"], same["n"])].reset_index(drop=True)
    assert same["x"].nunique() >= 3
    printed = disclosure.shares(same, "x", "n", TAIL)
    assert len(printed.drop_duplicates()) == 1
    assert printed.iloc[0].equals(first.iloc[0])


def test_an_interval_of_a_share_holds_the_exact_one() -> None:
    from datamall.fairness.intervals import limits

    table = pd.DataFrame(list(product(range(10, 50), range(20, 120, 3))), columns=["x", "n"])
    table = table[disclosure.enough(table["x"], table["n"])].reset_index(drop=True)
    printed = disclosure.shares(table, "x", "n", TAIL)
    low, high = limits(table["x"], table["n"], TAIL)
    assert (printed["low"] <= low).all()
    assert (printed["high"] >= high).all()
    # And not by making it useless.
    assert (printed["high"] - printed["low"]).le(2 * (high - low)).all()


@pytest.mark.parametrize(("found", "people"), [(9, 100), (91, 100), (5, 8)])
def test_a_share_is_hidden_with_its_count(found: int, people: int) -> None:
    printed = disclosure.shares(pd.DataFrame({"x": [found], "n": [people]}), "x", "n", TAIL)
    assert printed[["x", "share", "low", "high"]].isna().all(axis=None)


def drawn(x: int, n: int, y: int, m: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a year in which x of n picked people and y of m others have a mistake."""
    result = ["unlawful"] * x + ["nothing"] * (n - x) + ["unlawful"] * y + ["nothing"] * (m - y)
    table = pd.DataFrame({"arm": "random", "seen": True, "finding": result})
    rest = pd.DataFrame({"arm": "none", "seen": False, "finding": [None] * (9000 - n - m)})
    place = np.arange(9000)
    # As many of everybody whatever n is.
    picks = (place < n) | ((place >= n + m) & (place < m + 800))
    return pd.concat([table, rest], ignore_index=True), picks


def test_a_lift_says_no_more_than_its_rounded_counts() -> None:
    # Of the last columns the rounded size of the whole draw is a part as well.
    pages = {
        tuple(
            effectiveness.measure("it", *drawn(x, n, y, m), ["unlawful"], 0.95, 0.8, 1.5)
            .drop(columns=["smallest", "draw_needed"])
            .astype(str)
            .iloc[0]
        )
        for x, n, y, m in product(behind(15), (38, 42), (58, 62), (370,))
    }
    assert len(pages) == 1


@pytest.mark.parametrize("counts", [(9, 40, 60, 370), (31, 40, 60, 370), (20, 40, 9, 370)])
def test_a_lift_that_rests_on_few_people_is_neither_shown_nor_claimed(
    counts: tuple[int, int, int, int],
) -> None:
    own = effectiveness.measure("it", *drawn(*counts), ["unlawful"], 0.95, 0.8, 1.5).iloc[0]
    assert own[["found", "lift", "low", "high"]].isna().all()
    assert own["verdict"] == effectiveness.TOO_FEW
