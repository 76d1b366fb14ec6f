"""Draws of counts follow the laws of draws of people."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom

from datamall.errors import DatamallError
from datamall.fairness import Cells
from datamall.fairness.metrics import rate
from datamall.fairness.subgroups import subgroups
from proofs.resampling import bootstrap, draws, permutation


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    draw = np.random.Generator(np.random.PCG64(5))
    n = 2000
    frame = pd.DataFrame(
        {
            "g": draw.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1]),
            "h": draw.choice(["x", "y"], n),
            "arm": draw.choice(["profile", "random"], n, p=[0.8, 0.2]),
            "y": draw.random(n) < 0.3,
        }
    )
    return frame.assign(d=draw.random(n) < 0.2 + 0.2 * frame["y"])


def test_draws_keep_the_size_of_each_arm(people: pd.DataFrame) -> None:
    cells = Cells.from_frame(people, ["g"], "d", "y", arm="arm")
    groups = subgroups(cells, within=["arm"])
    for counts in draws(groups, 50, 1):
        for arm in (0, 1):
            total = counts[:, groups.stratum == arm].sum(axis=(1, 2, 3))
            assert (total == groups.counts[groups.stratum == arm].sum()).all()
    again, other = (np.concatenate(list(draws(groups, 50, seed))) for seed in (1, 2))
    assert np.array_equal(np.concatenate(list(draws(groups, 50, 1))), again)
    assert not np.array_equal(again, other)


def test_draws_of_counts_are_as_wide_as_draws_of_rows(people: pd.DataFrame) -> None:
    groups = subgroups(Cells.from_frame(people, ["g", "h"], "d", "y"), depth=2)
    ours = rate(np.concatenate(list(draws(groups, 6000, 1))), ["tpr", "ppv"])
    generator = np.random.Generator(np.random.PCG64(2))
    code = people["g"].map({"a": 0, "b": 1, "c": 2}) * 2 + (people["h"] == "y")
    code = code.to_numpy() * 9 + people["d"].to_numpy() * 3 + people["y"].to_numpy()
    rows = np.array(
        [
            np.bincount(code[generator.integers(0, len(code), len(code))], minlength=54)
            for _ in range(6000)
        ]
    ).reshape(-1, 6, 9)
    joined = (groups.members @ rows.transpose(1, 0, 2).reshape(6, -1)).reshape(-1, 6000, 3, 3)
    theirs = rate(joined.swapaxes(0, 1), ["tpr", "ppv"])
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=0.01)
    # The ratio of two standard deviations of 6,000 draws is known within 1.3 %: of 22 of them the
    # largest lies within nearly four times that.
    np.testing.assert_allclose(ours.std(axis=0) / theirs.std(axis=0), 1, atol=0.048)


def test_bootstrap_is_percentile_where_counts_are_large_and_exact_elsewhere() -> None:
    table = pd.DataFrame({"g": ["a", "b"], "tp": [60, 1], "fp": [40, 19], "fn": [50, 0], "tn": 90})
    cells = Cells.from_confusion(table, ["g"])
    got = bootstrap(cells, seed=1, names=["ppv", "tpr"]).set_index(["group", "metric"])
    assert got["method"].tolist() == ["percentile", "percentile", "exact", "exact"]
    large = got.loc[("a", "ppv")]
    assert large["low"] == pytest.approx(0.6 - 1.96 * np.sqrt(0.24 / 100), abs=0.02)
    assert got.loc[("b", "tpr"), ["low", "high"]].tolist() == pytest.approx([0.025, 1])


def test_weights_enter_the_draws() -> None:
    frame = pd.DataFrame({"g": "a", "d": [1, 0, 1, 0], "w": [9.0, 9.0, 1.0, 1.0], "n": 100})
    cells = Cells.from_frame(frame, ["g"], "d", weight="w", count="n")
    got = bootstrap(cells, seed=1, names=["selection_rate"], replicates=4000).iloc[0]
    assert got["rate"] == 0.5
    # Kish: 400 people weigh as much as (2000)^2 / 16,400 = 244.
    half = 1.96 * 0.5 / np.sqrt(2000**2 / 16400)
    assert got["high"] - got["low"] == pytest.approx(2 * half, rel=0.06)
    few = bootstrap(cells.where(weight=9.0), seed=1, names=["tpr"]).iloc[0]
    assert (few["low"], few["high"], few["method"]) == (0, 1, "unknown")


def test_exact_p_value_is_fishers() -> None:
    table = pd.DataFrame({"g": ["a", "b"], "tp": [9, 20], "fp": 0, "fn": [11, 160], "tn": 0})
    got = permutation(Cells.from_confusion(table, ["g"]), seed=1).set_index("group")
    law = hypergeom(200, 29, 20)
    assert got.loc["a", "p"] == pytest.approx(2 * law.sf(8), rel=1e-10)
    assert got.loc["a", "expected"] == pytest.approx(2.9)
    assert got.loc["b", "p"] == pytest.approx(got.loc["a", "p"])


def test_family_of_one_comparison_has_its_exact_p_value() -> None:
    table = pd.DataFrame({"g": ["a", "b"], "tp": [9, 20], "fp": 0, "fn": [31, 140], "tn": 0})
    got = permutation(Cells.from_confusion(table, ["g"]), seed=1, replicates=19_999)
    # The draws give the share of tables with as small a p-value, by doubling at most that p.
    law = hypergeom(200, 29, 40)
    x = np.arange(30)
    two = np.minimum(1, 2 * np.minimum(law.cdf(x), law.sf(x - 1)))
    share = law.pmf(x)[two <= got["p"][0] * (1 + 1e-9)].sum()
    assert 0.05 < share < got["p"][0]
    assert got["p_family"].tolist() == pytest.approx([share] * 2, abs=0.006)


def test_p_value_within_strata_adds_up_all_ways_to_choose() -> None:
    people = pd.DataFrame(
        {"g": list("aabbbabb"), "s": [0, 0, 0, 0, 0, 1, 1, 1], "d": [1, 1, 0, 1, 0, 1, 0, 0]}
    )
    cells = Cells.from_frame(people, ["g"], "d", score_band="s")
    got = permutation(cells, seed=1, within=["score_band"]).set_index("group").loc["a"]
    first, second = people[people.s == 0], people[people.s == 1]
    numbers = [
        (first.g.iloc[list(i)] == "a").sum() + (second.g.iloc[list(j)] == "a").sum()
        for i in combinations(range(5), 3)
        for j in combinations(range(3), 1)
    ]
    assert got["p"] == pytest.approx(min(1, 2 * np.mean(np.array(numbers) >= got["successes"])))
    assert got["expected"] == pytest.approx(np.mean(numbers))


@pytest.mark.slow
def test_family_p_values_keep_false_alarms_rare_and_find_a_gap() -> None:
    """150 fair worlds of 24 groups, crossed and alone: any alarm in at most 5 % of them."""
    draw = np.random.Generator(np.random.PCG64(6))
    a, b = np.divmod(np.arange(24), 6)
    size = draw.integers(20, 300, 24)
    alarms = 0
    for seed in range(150):
        hit = draw.binomial(size, 0.1)
        table = pd.DataFrame({"a": a, "b": b, "tp": hit, "fp": 0, "fn": size - hit, "tn": 0})
        cells = Cells.from_confusion(table, ["a", "b"])
        got = permutation(cells, seed=seed, depth=2, replicates=99)
        alarms += got["p_family"].min() <= 0.05
    assert 0 < alarms <= 15  # 7.5 expected, standard error 2.7
    hit[5] = size[5] // 2
    table = pd.DataFrame({"a": a, "b": b, "tp": hit, "fp": 0, "fn": size - hit, "tn": 0})
    got = permutation(Cells.from_confusion(table, ["a", "b"]), seed=1, depth=2)
    assert got.loc[got["p"].idxmin(), "group"] == "0 × 5"
    assert got["p_family"].min() == 1 / 1000
    assert (got["p_family"] >= got["p"] * 0.9).all()


def test_one_side_looks_one_way_only() -> None:
    table = pd.DataFrame({"g": ["a", "b", "c"], "tp": [30, 10, 20], "fp": 0, "fn": [70, 90, 80]})
    cells = Cells.from_confusion(table.assign(tn=0), ["g"])
    above, below = (permutation(cells, seed=1, side=side)["p"] for side in ("above", "below"))
    law = hypergeom(300, 60, 100)
    assert above.tolist() == pytest.approx([law.sf(29), law.sf(9), law.sf(19)])
    assert below.tolist() == pytest.approx([law.cdf(30), law.cdf(10), law.cdf(20)])


def test_a_gap_to_be_found_is_a_ratio_other_than_one() -> None:
    table = pd.DataFrame({"g": ["a", "b"], "tp": [5, 9], "fp": 0, "fn": 40, "tn": 0})
    cells = Cells.from_confusion(table, ["g"])
    for gap in (1, 0, -2):
        with pytest.raises(DatamallError, match="give a ratio"):
            permutation(cells, seed=1, gap=gap)


@pytest.mark.slow
def test_spending_the_error_well_finds_more_at_the_same_false_alarms() -> None:
    draw = np.random.Generator(np.random.PCG64(8))
    size = np.array([120, 3000, *[40] * 10, *[1500] * 4])
    found, alarms = {None: 0, 1.5: 0}, {None: 0, 1.5: 0}
    for seed in range(150):
        fair, rate = draw.binomial(size, 0.1), np.where(np.arange(len(size)) == 0, 0.2, 0.1)
        for hit, count in ((fair, alarms), (draw.binomial(size, rate), found)):
            table = pd.DataFrame({"g": range(len(size)), "tp": hit, "fp": 0, "fn": size - hit})
            cells = Cells.from_confusion(table.assign(tn=0), ["g"])
            for gap in count:
                got = permutation(cells, seed=seed, side="above", gap=gap, replicates=99)
                rows = got if count is alarms else got[got["group"] == "0"]
                count[gap] += rows["p_family"].min() <= 0.05
    assert found[1.5] > found[None] + 10
    assert 0 < alarms[1.5] <= 15  # 7.5 expected, standard error 2.7


def test_groups_of_nobody_and_all_selected_have_no_evidence() -> None:
    table = pd.DataFrame({"g": ["a", "b"], "tp": [5, 0], "fp": 0, "fn": 0, "tn": 0})
    got = permutation(Cells.from_confusion(table, ["g"]), seed=1)
    assert got["p"].tolist() == [1, 1]
    assert got["p_family"].tolist() == [1, 1]
    nobody = permutation(Cells.from_confusion(table, ["g"]), seed=1, metric="fpr")
    assert nobody["p"].tolist() == [1, 1]


def test_more_people_than_can_be_drawn() -> None:
    table = pd.DataFrame({"g": ["a"], "tp": [10**9], "fp": [0], "fn": [0], "tn": [0]})
    with pytest.raises(DatamallError, match="less than a thousand million"):
        permutation(Cells.from_confusion(table, ["g"]), seed=1)
