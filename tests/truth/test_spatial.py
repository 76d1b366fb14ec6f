"""Spatial statistics against published values and against esda, an independent implementation."""

import itertools
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.special import ndtr
from scipy.stats import false_discovery_control

from datamall.enforcement import hotspots, spatial
from datamall.errors import DatamallError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # esda and libpysal announce changes of their own
    import libpysal
    from esda.getisord import G_Local
    from esda.moran import Moran


@pytest.fixture(scope="module")
def columbus() -> tuple[np.ndarray, libpysal.weights.W]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = libpysal.io.open(libpysal.examples.get_path("columbus.dbf"))
        crime = np.array(table.by_col("CRIME"))
        table.close()
        weights = libpysal.weights.Queen.from_shapefile(
            libpysal.examples.get_path("columbus.shp"), silence_warnings=True
        )
    weights.transform = "r"
    return crime, weights


def test_moran_on_columbus_equals_the_published_values(
    columbus: tuple[np.ndarray, libpysal.weights.W], shared: Path
) -> None:
    crime, weights = columbus
    text = (shared / "truth" / "external_truth.json").read_text("utf-8")
    published = json.loads(text)["moran_columbus"]
    found = spatial.moran(crime, weights.sparse)
    assert found["I"] == pytest.approx(published["I"], abs=1e-8)
    assert found["expected"] == pytest.approx(published["EI"], abs=1e-8)
    assert found["z"] == pytest.approx(published["z_rand"], abs=1e-4)


def test_moran_equals_esda(columbus: tuple[np.ndarray, libpysal.weights.W]) -> None:
    crime, weights = columbus
    oracle = Moran(crime, weights, permutations=0)
    found = spatial.moran(crime, weights.sparse)
    assert found["I"] == pytest.approx(oracle.I, abs=1e-12)
    assert found["z"] == pytest.approx(oracle.z_rand, abs=1e-9)


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("neighbours", [4, 8])
def test_gi_star_equals_esda(neighbours: int, scored: bool) -> None:
    rng = np.random.default_rng(neighbours)
    x, y = rng.random((2, 300)) * 5000
    values = rng.poisson(4, 300).astype(float)
    values = spatial.normal_scores(values) if scored else values
    near = spatial.nearest(x, y, neighbours)
    others = {i: [int(j) for j in row[1:]] for i, row in enumerate(near)}
    weights = libpysal.weights.W(others, silence_warnings=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        oracle = G_Local(values, weights, transform="B", star=True, permutations=0)
    np.testing.assert_allclose(spatial.local_g_star(values, near), oracle.Zs, rtol=0, atol=1e-9)


def test_normal_scores_follow_ranks_and_share_ties() -> None:
    scores = spatial.normal_scores(np.array([0.1 + 0.2, 900.0, 0.3, -5.0]))
    assert scores.tolist() == [0.0, 1.15, 0.0, -1.15]


@pytest.mark.parametrize("values", [[0, 0, 0, 0, 1, 1, 2, 7, 40], range(9), [3] * 9])
def test_tail_equals_a_count_of_all_choices_of_places(values: list[int]) -> None:
    scores = spatial.normal_scores(np.array(values))
    near = np.array(list(itertools.combinations(range(9), 4)))
    sums = scores[near].sum(axis=1).round(2)
    counted = [(sums >= own).mean() for own in sums]
    np.testing.assert_allclose(spatial.upper_tail(scores, near), counted, rtol=1e-12)


@pytest.mark.slow
def test_shuffled_places_have_hot_spots_no_more_often_than_the_set_level() -> None:
    # Skewed counts and rates, one in three of them zero, with planted hot spots; then shuffled.
    rng = np.random.default_rng(5)
    n = 300
    xy = rng.random((2, n)) * 5000
    mean = np.where(np.hypot(*(xy - 2500)) < 1000, 40, 4) * rng.gamma(0.5, 2, n)
    found = rng.poisson(mean)
    about = {"cluster": np.arange(n), "kind": "container", "inspections": 400, "district": "D"}
    place = pd.DataFrame(about | {"x": xy[0], "y": xy[1]})
    columns = {
        "enforcement.inspections": ["inspections", "with_waste", "cluster", "period_start"],
        "enforcement.containers": ["cluster", "kind", "neighbourhood", "x", "y"],
        "shared.neighbourhoods": ["neighbourhood", "district"],
    }
    # The extract is asked for its columns alone: one row of anything will do.
    data = {store: pd.DataFrame({n: [1] for n in names}) for store, names in columns.items()}

    def hot(values: np.ndarray) -> pd.DataFrame:
        rates = place.assign(with_waste=values, rate=values / 400)
        return hotspots.hot_spots(data, rates, 8, 0.05, 20)

    assert hot(found)["hot_count"].sum() >= 10
    near = spatial.nearest(*xy, 8)
    any_hot, any_normal = [], []
    for _ in range(100):
        values = rng.permutation(found)
        any_hot.append(hot(values)[["hot_count", "hot_rate", "hot_district"]].any().tolist())
        z = spatial.local_g_star(values, near)
        any_normal.append((false_discovery_control(ndtr(-z)) <= 0.05).any())
    # At 5 %, more than 10 of 100 has probability 0.01.
    assert (np.mean(any_hot, axis=0) <= 0.10).all()
    assert np.mean(any_normal) > 0.2  # the same shuffles by normal tails of the values


def test_neighbours_equal_those_of_libpysal_where_nothing_ties() -> None:
    x, y = np.random.default_rng(2).random((2, 200)) * 5000
    knn = libpysal.weights.KNN.from_array(np.column_stack([x, y]), k=6, silence_warnings=True)
    near = spatial.nearest(x, y, 6)
    assert (near[:, 0] == np.arange(200)).all()
    assert [set(row[1:]) for row in near] == [set(knn.neighbors[i]) for i in range(200)]


def test_ties_go_by_index_whatever_their_number() -> None:
    # Forty places on two spots, and a grid on which every distance occurs many times.
    x = np.repeat([0.0, 1000.0], 20)
    near = spatial.nearest(x, np.zeros(40), 5)
    assert near[7].tolist() == [7, 0, 1, 2, 3, 4]
    assert near[20].tolist() == [20, 21, 22, 23, 24, 25]
    gx, gy = (a.ravel() * 10.0 for a in np.meshgrid(np.arange(6), np.arange(6)))
    middle = spatial.nearest(gx, gy, 3)[14]
    assert middle.tolist() == [14, 8, 13, 15]


@pytest.mark.parametrize("noise", [0, 1e-15])
def test_statistics_of_equal_values_are_undefined(noise: float) -> None:
    near = spatial.nearest(np.arange(10.0), np.zeros(10), 2)
    values = 3 + noise * np.arange(10.0)
    assert np.isnan(spatial.local_g_star(values, near)).all()
    assert (spatial.upper_tail(spatial.normal_scores(values), near) == 1).all()
    weights = csr_matrix(np.eye(10, k=1))
    found = spatial.moran(values, weights)
    assert np.isnan([found["I"], found["z"]]).all()


@pytest.mark.parametrize("neighbours", [0, 10])
def test_too_many_neighbours_are_refused(neighbours: int) -> None:
    with pytest.raises(DatamallError, match="set neighbours between 1 and 9"):
        spatial.nearest(np.arange(10.0), np.zeros(10), neighbours)
