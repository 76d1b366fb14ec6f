"""What lists foretell: by hand, and in cities whose next weeks are known."""

import numpy as np
import pandas as pd
import pytest

from datamall.enforcement import foretelling
from datamall.errors import DatamallError
from datamall.requirements import Absent

INSPECTIONS = "enforcement.inspections"


def city(seed: int, places: int = 300, weeks: int = 52) -> dict[str, pd.DataFrame]:
    """Return a city in which inspectors go where it is clean as often as where it is dirty."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(1.2, 4, places)
    looks = rng.poisson(rng.gamma(0.7, 2, places)[:, None], (places, weeks))
    looks[:, ::13] += 1
    place, week = np.nonzero(looks)
    number = looks[place, week]
    table = pd.DataFrame(
        {
            "cluster": [f"C{k:04d}" for k in place],
            "period_start": pd.Timestamp("2025-01-06") + pd.to_timedelta(7 * week, unit="D"),
            "period_days": 7,
            "inspections": number,
            "with_waste": rng.binomial(number, chance[place]),
        }
    )
    xy = rng.random((places, 2)) * 4000
    register = pd.DataFrame({"cluster": [f"C{k:04d}" for k in range(places)]})
    register = register.assign(kind="container", x=xy[:, 0], y=xy[:, 1])
    return {INSPECTIONS: table, "enforcement.containers": register}


def test_hit_rates_by_hand() -> None:
    score, found = np.array([4, 3, 2, 1.0]), np.array([5, 3, 0, 2.0])
    assert foretelling.hit_rates(score, found, (0.25, 0.5, 1.0)).tolist() == [0.5, 0.8, 1.0]
    # Of the third place a half is inside: 5 + 3 + 0 / 2; of the first a half: 5 / 2.
    assert foretelling.hit_rates(score, found, (0.125, 0.625)) == pytest.approx([0.25, 0.8])
    # By weight (area): the first place is half of it all.
    weight = np.array([3, 1, 1, 1.0])
    assert foretelling.hit_rates(score, found, (0.5,), weight) == pytest.approx([15 / 20])


def test_equal_scores_share_what_they_hold() -> None:
    found = np.array([4, 0, 2, 2.0])
    for order in (slice(None), slice(None, None, -1)):
        hits = foretelling.hit_rates(np.array([1, 1, 0, 0.0]), found[order], (0.25,))
        assert hits == pytest.approx([0.25])
    assert foretelling.hit_rates(np.zeros(4), found, (0.05, 0.2)) == pytest.approx([0.05, 0.2])
    assert np.isnan(foretelling.hit_rates(np.zeros(4), np.zeros(4), (0.5,))).all()


def test_draws_are_those_of_repeated_places() -> None:
    rng = np.random.default_rng(1)
    score, found = rng.random(30), rng.random(30)
    weight = rng.multinomial(30, np.full(30, 1 / 30), size=5)
    ours = foretelling.hit_rates(score, found, (0.1, 0.35), weight)
    for draw, times in enumerate(weight):
        again = np.repeat(np.arange(30), times)
        hand = foretelling.hit_rates(score[again], found[again], (0.1, 0.35))
        assert ours[:, draw] == pytest.approx(hand)


def test_kernel_by_hand() -> None:
    x, y = np.array([0, 300, 5000.0]), np.zeros(3)
    found = foretelling.kernel(x, y, np.array([2, 4, 1]), 200.0)
    near = np.exp(-0.5 * (300 / 200) ** 2)
    hand = np.array([2 + 4 * near, 4 + 2 * near, 1]) / (2 * np.pi * 200**2)
    assert found == pytest.approx(hand)


def test_the_pooled_rate_foretells_more_than_the_count_where_looks_are_unequal() -> None:
    table = foretelling.foretold(city(1), 13, seed=1)
    assert isinstance(table, pd.DataFrame)
    own = table[table["share"] == 0.1].set_index("list")
    best = own.loc[foretelling.POOLED]
    assert best["role"] == foretelling.TARGET and best["gain_low"] > 0
    assert best["pai"] == pytest.approx(best["hit_rate"] / 0.1)
    assert own.loc[foretelling.GI_STAR, "role"] == foretelling.DESCRIPTION
    assert own.loc[foretelling.COUNT, ["gain", "gain_low", "gain_high"]].tolist() == [0, 0, 0]
    assert (table["low"] <= table["hit_rate"]).all() and (table["hit_rate"] <= table["high"]).all()
    says = foretelling.describe(table)
    assert "10 % of the places by pooled rate" in says and "Gi* describes" in says
    pd.testing.assert_frame_equal(table, foretelling.foretold(city(1), 13, seed=1))


def test_the_weeks_judged_are_not_those_on_which_the_list_was_chosen() -> None:
    """What comes in the last weeks cannot change the choice, nor the earlier hit rates."""
    data = city(2)
    before = foretelling.foretold(data, 13, seed=1)
    table = data[INSPECTIONS].copy()
    late = table["period_start"] >= "2025-10-06"
    table.loc[late, "with_waste"] = table.loc[late, "inspections"] - table.loc[late, "with_waste"]
    after = foretelling.foretold({**data, INSPECTIONS: table}, 13, seed=1)
    for column in ("role", "earlier"):
        pd.testing.assert_series_equal(before[column], after[column])
    assert not np.allclose(before["hit_rate"], after["hit_rate"])
    # Nor do they enter the lists that are judged: then the lists would be right either way.
    best = after[(after["role"] == foretelling.TARGET) & (after["share"] == 0.1)]
    assert best["pai"].iloc[0] < 1


def test_without_a_map_the_lists_that_need_none_are_left() -> None:
    data = city(3)
    table = foretelling.foretold({INSPECTIONS: data[INSPECTIONS]}, 13, seed=1)
    assert set(table["list"]) == {foretelling.COUNT, foretelling.RAW, foretelling.POOLED}
    assert "Gi*" not in foretelling.describe(table)


def test_too_little_is_said() -> None:
    data = city(4)
    for weeks in (26, 60):
        found = foretelling.foretold(data, weeks, seed=1)
        assert isinstance(found, Absent) and "too little was looked at" in found.reason
        assert foretelling.describe(found) is found
    few = foretelling.foretold(city(4, places=30), 13, seed=1)
    assert isinstance(few, Absent)
    clean = data[INSPECTIONS].assign(with_waste=0)
    assert isinstance(foretelling.foretold({**data, INSPECTIONS: clean}, 13, seed=1), Absent)


def test_a_wrong_choice_is_refused() -> None:
    with pytest.raises(DatamallError, match=r"one of 0\.05, 0\.1, 0\.2"):
        foretelling.foretold(city(5), 13, seed=1, main=0.3)
    with pytest.raises(DatamallError, match="weeks is 0"):
        foretelling.foretold(city(5), 0, seed=1)
