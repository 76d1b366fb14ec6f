"""Statistics against independent implementations, and at their edges."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from statsmodels.stats.contingency_tables import StratifiedTable

from datamall.enforcement import hotspots, knowledge, pooling
from datamall.errors import DatamallError
from datamall.requirements import Absent


def extract(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    clusters = sorted(table["cluster"].unique())
    number = np.arange(len(clusters))
    return {
        "enforcement.inspections": table,
        "enforcement.containers": pd.DataFrame(
            {
                "cluster": clusters,
                "kind": "container",
                "x": 1000.0 + 100 * (number % 7),
                "y": 1000.0 + 100 * (number // 7),
                "neighbourhood": np.where(number % 2, "n1", "n2"),
            }
        ),
        "shared.neighbourhoods": pd.DataFrame(
            {"neighbourhood": ["n1", "n2"], "district": ["North", "South"]}
        ),
    }


@pytest.fixture
def data() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(1)
    months = pd.date_range("2025-01-01", periods=3, freq="MS")
    keys = pd.MultiIndex.from_product(
        [[f"C{i:02d}" for i in range(40)], ["crew", "officer"], months],
        names=["cluster", "observer_role", "period_start"],
    )
    table = keys.to_frame(index=False)
    table["inspections"] = rng.integers(1, 9, len(table))
    chance = expit(-0.5 + 0.6 * (table["observer_role"] == "officer"))
    table["with_waste"] = rng.binomial(table["inspections"], chance)
    return extract(table)


def test_odds_ratio_and_interval_equal_statsmodels(data: dict[str, pd.DataFrame]) -> None:
    found = knowledge.observer_habits(data, 0.9).iloc[0]
    table = data["enforcement.inspections"]
    strata = []
    for _, own in table.groupby(["cluster", "period_start"]):
        own = own.set_index("observer_role").loc[[found["role"], found["reference"]]]
        clean = own["inspections"] - own["with_waste"]
        strata.append(np.column_stack([own["with_waste"], clean]).astype(float))
    oracle = StratifiedTable(strata)
    assert found["odds_ratio"] == pytest.approx(oracle.oddsratio_pooled, rel=1e-12)
    low, high = oracle.oddsratio_pooled_confint(alpha=0.1)
    assert (found["low"], found["high"]) == pytest.approx((low, high), rel=1e-9)


def test_days_of_one_month_are_compared_together(data: dict[str, pd.DataFrame]) -> None:
    """On one day both see the same pile: their ratio would be that of what one overlooks."""
    table = data["enforcement.inspections"]
    late = pd.to_timedelta(9 * table["observer_role"].eq("officer"), unit="D")
    apart = extract(table.assign(period_start=table["period_start"] + late))
    same = [knowledge.observer_habits(one, 0.9) for one in (data, apart)]
    pd.testing.assert_frame_equal(*same)


def test_roles_that_never_meet_leave_the_ratio_open(data: dict[str, pd.DataFrame]) -> None:
    table = data["enforcement.inspections"]
    apart = table[(table["observer_role"] == "crew") == (table["cluster"] < "C20")]
    found = knowledge.observer_habits(extract(apart), 0.9).iloc[0]
    assert found["pairs"] == 0
    assert np.isnan(found["odds_ratio"])
    assert knowledge.dirty_rates(extract(apart), 0.9)["rate"].between(0, 1).all()


def test_dispersion_is_pearsons_corrected_for_small_groups() -> None:
    y, n = np.array([3.0, 7, 0, 2]), np.array([10.0, 10, 5, 5])
    dispersion, _ = pooling.likeness(y, n, np.array([0, 0, 1, 1]))
    chi = [2 * 2**2 / (10 * 0.25), 2 * 1**2 / (5 * 0.2 * 0.8)]
    expected = 1 + (chi[0] * 19 / 20 - 1 + chi[1] * 9 / 10 - 1) / 2
    assert dispersion == pytest.approx(expected)


def test_dispersion_without_anything_to_compare_is_not_a_number() -> None:
    assert np.isnan(pooling.likeness(np.array([1.0]), np.array([3.0]), np.array([0]))).all()


def test_pooling_maximises_the_marginal_likelihood() -> None:
    rng = np.random.default_rng(3)
    n = rng.integers(5, 60, 400).astype(float)
    y = rng.binomial(n.astype(int), expit(rng.normal(-0.4, 0.8, 400))).astype(float)
    fit = pooling.pool(y[:, None], n[:, None], np.zeros(1), np.zeros(400, dtype=int))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)

    def loss(parameters: np.ndarray) -> float:
        p = expit(parameters[0] + np.exp(parameters[1]) * nodes)
        like = np.exp(y[:, None] * np.log(p) + (n - y)[:, None] * np.log1p(-p))
        return -float(np.log(like @ weights).sum())

    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7}).x
    assert fit.means[0] == pytest.approx(best[0], abs=2e-3)
    assert fit.spread == pytest.approx(np.exp(best[1]), abs=2e-3)


def test_posterior_of_one_place_equals_direct_integration() -> None:
    theta = np.linspace(-12, 12, 100_001)
    rng = np.random.default_rng(4)
    n = np.full(200, 30.0)
    y = rng.binomial(30, expit(rng.normal(0, 1, 200))).astype(float)
    fit = pooling.pool(y[:, None], n[:, None], np.zeros(1), np.zeros(200, dtype=int))
    p = expit(theta)
    density = p ** y[0] * (1 - p) ** (30 - y[0])
    density *= np.exp(-0.5 * ((theta - fit.means[0]) / fit.spread) ** 2)
    density /= density.sum()
    standard = pooling.standard_rate(np.zeros(1), np.ones(1))
    # The doubt about the mean widens the prior of a place by next to nothing here.
    assert fit.weights[0] @ standard == pytest.approx(density @ p, abs=2e-4)
    for level in (0.05, 0.5, 0.95):
        exact = p[np.searchsorted(density.cumsum(), level)]
        found = pooling.quantiles(fit.weights[:1], standard, level)[0][0]
        assert found == pytest.approx(exact, abs=1e-3)


def test_the_doubt_about_the_mean_of_a_small_group_is_in_the_rates_of_its_places() -> None:
    """80 groups of five places, integrated over the mean of their group place by place."""
    rng, size, places = np.random.default_rng(8), 5, 400
    group, n = np.repeat(np.arange(places // size), size), np.full(places, 6.0)
    theta = rng.normal(-0.5, 1, places // size)[group] + rng.normal(0, 1, places)
    y = rng.binomial(6, expit(theta)).astype(float)
    fit = pooling.pool(y[:, None], n[:, None], np.zeros(1), group)
    # Means that are not known well seem to differ less than they do.
    assert fit.between == pytest.approx(1, abs=0.15)

    grid = np.linspace(-7, 7, 401)
    likelihood = expit(grid) ** y[:, None] * expit(-grid) ** (n - y)[:, None]
    # Of a place, given the mean of its group: by mean (rows) and log-odds (columns).
    given = np.exp(-0.5 * ((grid - grid[:, None]) / fit.spread) ** 2)
    of_mean = np.exp(-0.5 * ((grid - fit.means.mean()) / fit.between) ** 2)
    told = np.log(likelihood @ given.T)  # about the mean, by each place
    others = np.add.reduceat(told, np.arange(0, places, size))[group] - told
    exact = likelihood * ((of_mean * np.exp(others)) @ given)
    wide = [deviation(exact, grid), deviation(fit.weights, pooling.GRID)]
    # Without the doubt a place would seem to be known an eighth better than it is.
    assert (wide[1] / wide[0]).mean() == pytest.approx(1, abs=0.04)


def deviation(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each row of a posterior."""
    weights = weights / weights.sum(axis=1, keepdims=True)
    return np.sqrt(weights @ values**2 - (weights @ values) ** 2)


def test_equal_counts_get_equal_rates_and_rank_by_cluster() -> None:
    table = pd.DataFrame(
        {
            "cluster": list("DCBA"),
            "inspections": 10,
            "with_waste": [4, 4, 4, 4],
            "observer_role": "x",
        }
    )
    data = extract(table)
    data["enforcement.containers"]["neighbourhood"] = "n1"
    rates = knowledge.dirty_rates(data, 0.9)
    assert rates["rate"].nunique() == 1
    assert rates["rank"].tolist() == [1, 2, 3, 4]
    assert knowledge.leading(rates, "rate", 2)["cluster"].tolist() == ["A", "B"]


def test_rank_intervals_equal_simulated_ranks() -> None:
    rng = np.random.default_rng(6)
    n = rng.integers(5, 200, 150).astype(float)
    y = rng.binomial(n.astype(int), expit(rng.normal(-0.5, 0.7, 150))).astype(float)
    weights = pooling.pool(y[:, None], n[:, None], np.zeros(1), np.zeros(150, dtype=int)).weights
    low, high = pooling.rank_interval(weights, 0.9)
    cumulative = weights.cumsum(axis=1)
    uniform = rng.random((1000, 150, 1))
    drawn = (cumulative[None] < uniform).sum(axis=2) + rng.random((1000, 150)) / 2
    ranks = (-drawn).argsort(axis=1).argsort(axis=1) + 1
    simulated = np.quantile(ranks, [0.05, 0.95], axis=0)
    assert np.abs(low - simulated[0]).mean() < 2
    assert np.abs(high - simulated[1]).mean() < 2


def test_more_inspections_narrow_an_interval_and_few_pull_to_the_district() -> None:
    table = pd.DataFrame(
        {
            "cluster": [f"C{i:02d}" for i in range(30)],
            "inspections": [2] * 10 + [50] * 10 + [400] * 10,
            "with_waste": [2] * 5 + [0] * 5 + [20] * 5 + [10] * 5 + [160] * 5 + [80] * 5,
            "observer_role": "unknown",
        }
    )
    rates = knowledge.dirty_rates(extract(table), 0.9)
    width = (rates["high"] - rates["low"]).to_numpy()
    assert width[:10].min() > width[10:20].max() > width[20:].max()
    assert rates.loc[0, "rate"] < 0.7
    assert rates.loc[29, "rate"] == pytest.approx(0.2, abs=0.01)


def test_rates_are_those_of_one_mix_of_roles_whoever_looked() -> None:
    # Equal places; officers record three times the odds; 60 of 100 were seen by one role only.
    rows = []
    for i in range(100):
        for role, found in (("crew", 20), ("officer", 43)):
            if i < 40 or (i < 70) == (role == "crew"):
                rows.append((f"C{i:02d}", role, 1, 100, found))
    table = pd.DataFrame(
        rows, columns=["cluster", "observer_role", "period_start", "inspections", "with_waste"]
    )
    rates = knowledge.dirty_rates(extract(table), 0.9)
    crew, officer = rates["rate"].iloc[40:70].mean(), rates["rate"].iloc[70:].mean()
    assert abs(crew - officer) < 0.02
    assert rates["observed"].iloc[70:].mean() - rates["observed"].iloc[40:70].mean() > 0.2


def test_kinds_have_means_of_their_own() -> None:
    spot = [True] * 10 + [False] * 10
    table = pd.DataFrame(
        {
            "cluster": [f"C{i:02d}" for i in range(20)],
            "inspections": [2] + [50] * 19,
            "with_waste": [1] + [45] * 9 + [5] * 10,
            "observer_role": "unknown",
        }
    )
    data = extract(table)
    places = data["enforcement.containers"]
    places["kind"], places["neighbourhood"] = np.where(spot, "dump spot", "container"), "n1"
    rates = knowledge.dirty_rates(data, 0.9)
    # Half of two looks found waste: pulled up to the dump spots, not down to the containers.
    assert rates.loc[0, "rate"] > 0.7
    assert rates["rank"].tolist() == [10, *range(1, 10), *range(1, 11)]


def test_lists_summarise_by_hand() -> None:
    rates = pd.DataFrame(
        {
            "cluster": list("ABCDEFX"),
            "kind": "container",
            "inspections": [100, 100, 100, 20, 20, 20, 5],
            "with_waste": [50, 40, 10, 18, 16, 1, 5],
            "rate": [0.5, 0.4, 0.1, 0.9, 0.8, 0.05, 0.95],
            **dict.fromkeys(["low", "high", "rank_low", "rank_high"], 0),
        }
    )
    lists = knowledge.two_lists(rates, 3, 20)
    assert lists.loc[lists["top_count"], "cluster"].tolist() == ["A", "B", "D"]
    assert lists.loc[lists["top_rate"], "cluster"].tolist() == ["A", "D", "E"]
    row = knowledge.agreement(lists).iloc[0]
    assert (row["places"], row["shared"], row["jaccard"]) == (6, 2, 0.5)
    few = knowledge.two_lists(rates, 3, 1000)
    assert isinstance(few, Absent)
    assert "no place has 1000 inspections, see minimum_inspections" in few.reason


def test_hot_spots_need_enough_places(data: dict[str, pd.DataFrame]) -> None:
    rates = knowledge.dirty_rates(data, 0.9)
    few = hotspots.hot_spots(data, rates, 8, 0.05, 10_000)
    assert isinstance(few, Absent)
    assert hotspots.hot_spot_lists(few) is few
    assert isinstance(hotspots.clustering(data, rates, 8, 10_000), Absent)
    table = hotspots.hot_spots(data, rates, 8, 0.05, 1)
    assert len(table) == 40
    assert set(table["hot"]) <= {"both lists", "count only", "rate only", "neither"}


@pytest.mark.parametrize("level", [0.0, 1.0, 90])
def test_levels_outside_zero_to_one_are_refused(
    data: dict[str, pd.DataFrame], level: float
) -> None:
    with pytest.raises(DatamallError, match="between 0 and 1"):
        knowledge.dirty_rates(data, level)
    with pytest.raises(DatamallError, match="between 0 and 1"):
        hotspots.hot_spots(data, pd.DataFrame(), 8, level, 1)


def test_dirty_places_beside_a_hot_spot_belong_to_it() -> None:
    """A row of places 100 m apart: the first four are hot by Gi*, the next two dirty themselves."""
    number = np.arange(12)
    hot = pd.DataFrame(
        {
            "cluster": [f"C{k:02d}" for k in number],
            "kind": "container",
            "x": 100.0 * number,
            "y": 0.0,
            "inspections": 10,
            "with_waste": 5,
            "hot_rate": number < 4,
        }
    )
    low = np.where(number < 6, 0.6, 0.3)
    low[[1, 11]] = 0.3, 0.6  # within, clean; dirty, but beside no hot spot
    rates = hot[["cluster"]].assign(low=low)[::-1]
    table = hotspots.hot_places(hot, rates, 2)
    # Its two nearest others: of C03 these are C02 and C04, so that C05 is beside no hot spot.
    assert table["together"].tolist() == [True] * 5 + [False] * 7
    clean = hotspots.hot_places(hot, rates.assign(low=0.4), 2)
    assert clean["together"].equals(hot["hot_rate"].rename("together"))
    absent = Absent("Hot spots", "none")
    assert hotspots.hot_places(absent, rates, 2) is absent
