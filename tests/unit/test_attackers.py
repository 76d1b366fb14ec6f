"""What attackers of our own find in tables that give counts away, and in sound ones."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from datamall.attackers import Count, Kind, Space, differing, printed, reckoned, told

EXACT = {("1", "F"): 20, ("1", "M"): 3, ("2", "F"): 18, ("2", "M"): 15}
EXACT |= {("3", "F"): 9, ("3", "M"): 25, ("4", "F"): 40, ("4", "M"): 31}
SPACE = Space(
    {"district": ("1", "2", "3", "4"), "sex": ("F", "M")},
    lambda people: pd.Series(True, index=people.index),
)


def kind(**values: str) -> Kind:
    return {name: frozenset([value]) for name, value in values.items()}


def table(hidden: set[tuple[str, str]]) -> list[Count]:
    """Print the table with exact counts and totals, without the hidden cells."""
    found = [
        Count(f"{d}{s}", kind(district=d, sex=s), n, n)
        for (d, s), n in EXACT.items()
        if (d, s) not in hidden
    ]
    for place, name in enumerate(("district", "sex")):
        for value in SPACE.attributes[name]:
            total = sum(n for key, n in EXACT.items() if key[place] == value)
            found.append(Count(value, kind(**{name: value}), total, total))
    return found


def asked(*cells: tuple[str, str]) -> dict[str, Kind]:
    return {d + s: kind(district=d, sex=s) for d, s in cells}


def test_hiding_the_small_cells_alone_gives_them_away() -> None:
    """The example of pytauargus 0.6 (FREQ 7): both hidden cells follow from the totals."""
    hidden = {("1", "M"), ("3", "F")}
    found = reckoned(SPACE, table(hidden), asked(*sorted(hidden)))
    assert found[["low", "high"]].to_numpy().tolist() == [[3, 3], [9, 9]]
    assert found["pinned"].all()


def test_more_hidden_cells_leave_what_linear_programs_of_others_leave() -> None:
    """The pattern that pytauargus's optimal suppression gives, with the ends from its notes."""
    cells = [("1", "F"), ("1", "M"), ("2", "F"), ("2", "M")]
    found = reckoned(SPACE, table({*cells}), asked(*cells))
    ends = found[["low", "high"]].to_numpy().astype(int).tolist()
    # 23 in district 1, 33 in district 2, and 38 women in both: by hand.
    assert ends == [[5, 23], [0, 18], [15, 33], [0, 18]]
    assert not found["pinned"].any()


@pytest.mark.parametrize("seed", range(20))
def test_what_is_true_lies_within_what_was_reckoned(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = dict(zip(product("1234", "FM"), rng.integers(0, 40, 8).tolist(), strict=True))
    counts = []
    for cell, number in values.items():
        hidden = np.nan if number < 10 else 5 * round(number / 5)
        counts.append(printed("".join(cell), kind(district=cell[0], sex=cell[1]), hidden))
    for place, name in enumerate(("district", "sex")):
        for value in SPACE.attributes[name]:
            total = sum(n for key, n in values.items() if key[place] == value)
            shown = np.nan if total < 10 else 5 * round(total / 5)
            counts.append(printed(value, kind(**{name: value}), shown))
    found = reckoned(SPACE, counts, asked(*values))
    true = np.array([*values.values()])
    assert ((found["low"] <= true) & (true <= found["high"])).all()


def test_steps_that_nearly_all_take_give_away_how_few_do_not() -> None:
    everybody = printed("all", {}, 50)
    women = printed("women", kind(sex="F"), 50)
    found = reckoned(SPACE, [everybody, women], {"men": kind(sex="M")})
    assert found.loc[0, ["low", "high"]].tolist() == [0, 4]
    exact = Count("all", {}, 51, 51)
    assert reckoned(SPACE, [exact, women], {"men": kind(sex="M")}).loc[0, "pinned"]


def test_counts_that_no_people_agree_with_are_refused() -> None:
    with pytest.raises(ValueError, match="No people agree"):
        reckoned(
            SPACE,
            [printed("all", {}, 20), printed("women", kind(sex="F"), 50)],
            {"men": kind(sex="M")},
        )


def test_a_number_that_changed_tells_who_the_one_person_was() -> None:
    sexes = {"women": kind(sex="F"), "men": kind(sex="M")}
    before = [printed("women", sexes["women"], 50), printed("men", sexes["men"], 40)]
    after = [printed("women", sexes["women"], 45), printed("men", sexes["men"], 40)]
    assert differing(before, after) == ["women"]
    found = told(SPACE, before, after, sexes, gone=1).set_index("what")
    assert found.loc["women", ["low", "high"]].tolist() == [1, 1]
    assert found.loc["men", ["low", "high"]].tolist() == [0, 0]
    assert found["pinned"].all()


def test_the_same_numbers_tell_nothing_of_one_person() -> None:
    sexes = {"women": kind(sex="F"), "men": kind(sex="M")}
    same = [printed("women", sexes["women"], 50), printed("men", sexes["men"], 40)]
    assert differing(same, same) == []
    found = told(SPACE, same, same, sexes, gone=1)
    assert found["low"].tolist() == [0, 0] and found["high"].tolist() == [1, 1]
    assert not found["pinned"].any()


def test_what_hangs_together_by_no_sum_is_reckoned_apart() -> None:
    first = [
        printed("1", kind(district="1"), 50),
        printed("1F", kind(district="1", sex="F"), 30),
        printed("2", kind(district="2"), 40),
    ]
    found = reckoned(SPACE, first, {"1M": kind(district="1", sex="M")})
    assert found.loc[0, ["low", "high"]].tolist() == [16, 24]
    contradiction = printed("2F", kind(district="2", sex="F"), 60)
    with pytest.raises(ValueError, match="No people agree"):
        reckoned(SPACE, [*first, contradiction], {"1M": kind(district="1", sex="M")})
