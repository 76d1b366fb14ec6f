"""The demo city: what was planted is there, and the knobs turn what they say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamall.demo import City, World, city, draws, truth
from datamall.demo.geography import BOX
from datamall.demo.truth import clusters
from datamall.errors import DatamallError

SEED = 2319
SMALL = World(places=300, dump_spots=20, neighbourhoods=24, weeks=26, hot_spot_rates=(3.0,))
# Where nobody takes anything away and no day is like the one before, looks are independent draws of
# the planted chance.
UNTOUCHED = World(crew_cleans=0.0, reports=None, relaxation=20.0, actions=None)
CAUSES = ["bulky", "residual", "cardboard", "full", "broken"]


@pytest.fixture(scope="module")
def groningen() -> City:
    return city(SEED)


def per_place(drawn: City) -> pd.DataFrame:
    sums = drawn.tallies.groupby("cluster")[["inspections", "with_waste", *CAUSES]].sum()
    return clusters(drawn).set_index("cluster").join(sums.add_suffix("_seen"))


def odds_ratio(tallies: pd.DataFrame, keys: list[str]) -> float:
    """Mantel-Haenszel odds ratio of officers against crews, stratified by `keys`."""
    counts = tallies.pivot_table(
        index=keys, columns="observer_role", values=["inspections", "with_waste"], aggfunc="sum"
    ).dropna()
    dirty = counts["with_waste"]
    clean = counts["inspections"] - dirty
    total = counts["inspections"].sum(axis=1)
    officer, crew = "enforcement officer", "cleaning crew"
    return float(
        (dirty[officer] * clean[crew] / total).sum() / (dirty[crew] * clean[officer] / total).sum()
    )


def test_size_of_the_city(groningen: City) -> None:
    kinds = groningen.places["kind"].value_counts()
    assert kinds.to_dict() == {"container": 2319, "dump spot": 150}
    assert groningen.places["fraction"].isna().equals(groningen.places["kind"] == "dump spot")
    assert len(groningen.neighbourhoods) == 110
    assert groningen.neighbourhoods["district"].nunique() == 12
    assert 140_000 < groningen.tallies["inspections"].sum() < 160_000
    assert len(groningen.tallies) > 0.97 * groningen.tallies["inspections"].sum()
    days = groningen.tallies["period_start"].value_counts()
    assert len(days) == 364  # every day, the last one the Sunday before a Monday of work
    assert days.index.min() == pd.Timestamp("2025-01-06")
    assert days.index.max() == pd.Timestamp("2026-01-04")


def test_places_lie_in_the_box_and_in_lumps(groningen: City) -> None:
    places = groningen.places
    west, south, east, north = BOX
    assert places["x"].between(west, east).all()
    assert places["y"].between(south, north).all()
    # Far from uniform: half of the places on less than a thirtieth of the box.
    cells = (places["x"] // 500).astype(int).astype(str) + "/" + (places["y"] // 500).astype(str)
    fullest = cells.value_counts()
    needed = int((fullest.cumsum() < len(places) / 2).sum()) + 1
    assert needed * 500**2 < (east - west) * (north - south) / 30
    centre = np.hypot(places["x"] - 233_800, places["y"] - 581_900) < 1_000
    assert centre.sum() > 300
    areas = groningen.neighbourhoods
    distance = np.hypot(
        places["x"].to_numpy()[:, None] - areas["x"].to_numpy(),
        places["y"].to_numpy()[:, None] - areas["y"].to_numpy(),
    )
    nearest = areas["neighbourhood"].to_numpy()[distance.argmin(axis=1)]
    assert (places["neighbourhood"].to_numpy() == nearest).all()


def test_households(groningen: City) -> None:
    containers = groningen.places.query("kind == 'container'")["households"]
    assert 42 < containers.mean() < 48
    assert abs(np.log(containers).skew()) < 0.3  # log-normal
    assert groningen.neighbourhoods["households"].mod(5).eq(0).all()
    served = groningen.places.groupby("neighbourhood")["households"].sum()
    known = groningen.neighbourhoods.set_index("neighbourhood")["households"]
    assert (known >= served.reindex(known.index, fill_value=0)).all()


def test_names_need_windows_1252(groningen: City) -> None:
    names = "".join(groningen.neighbourhoods["name"] + groningen.neighbourhoods["district"])
    assert {"ë", "é", "ö"} <= set(names)
    assert groningen.neighbourhoods["name"].is_unique


def test_tallies_are_possible(groningen: City) -> None:
    tallies = groningen.tallies
    keys = ["cluster", "period_start", "observer_role"]
    assert not tallies.duplicated(keys).any()
    assert tallies[keys].equals(tallies[keys].sort_values(keys, ignore_index=True))
    assert tallies["inspections"].ge(1).all()
    for counted in ("with_waste", *CAUSES):
        assert tallies[counted].between(0, tallies["inspections"]).all()
    for cause in CAUSES:
        assert (tallies[cause] <= tallies["with_waste"]).all()


def test_causes(groningen: City) -> None:
    single = groningen.tallies.query("inspections == 1 and with_waste == 1")
    assert 0.08 < ((single["full"] + single["broken"]) > 0).mean() < 0.12
    sums = groningen.tallies[["with_waste", *CAUSES]].sum()
    assert 0.55 < sums["bulky"] / sums["with_waste"] < 0.7
    assert (single[CAUSES].sum(axis=1) > 1).any()  # causes overlap
    # The mix differs: some containers are full at half of their inspections with waste.
    seen = per_place(groningen).query("with_waste_seen >= 20")
    assert 0.03 < (seen["full_seen"] / seen["with_waste_seen"] > 0.35).mean() < 0.12
    assert seen.loc[seen["kind"] == "dump spot", ["full_seen", "broken_seen"]].eq(0).all(axis=None)


def test_true_rates_are_those_of_the_tallies() -> None:
    """Without shocks that last and without feedback, rates of places are met within chance."""
    still = replace(UNTOUCHED, places=300, dump_spots=20, neighbourhoods=24, weeks=104)
    still = replace(still, hot_spot_rates=(3.0,), relaxation=0.35)
    drawn = city(7, replace(still, shock_sd=0.3, shock_persistence=0.0, feedback=0.0))
    for role, rate in {
        "cleaning crew": "rate_crew",
        "enforcement officer": "rate_officer",
    }.items():
        seen = (
            drawn.tallies[drawn.tallies["observer_role"] == role]
            .groupby("cluster")
            .sum(numeric_only=True)
        )
        true = clusters(drawn).set_index("cluster")[rate].reindex(seen.index)
        expected = seen["inspections"] * true
        error = (seen["with_waste"] - expected) / np.sqrt(expected * (1 - true))
        assert abs(error.mean()) < 4 / np.sqrt(len(error))
        assert 0.8 < error.std() < 1.4


def test_reference_mixture_is_the_share_of_the_roles(groningen: City) -> None:
    places = clusters(groningen)
    shares = groningen.tallies.groupby("observer_role")["inspections"].sum()
    shares = shares / shares.sum()
    mixed = (
        shares["cleaning crew"] * places["rate_crew"]
        + shares["enforcement officer"] * places["rate_officer"]
    )
    assert np.allclose(places["rate"], mixed)


@pytest.mark.parametrize(("planted", "low", "high"), [(1.0, 0.93, 1.07), (1.6, 1.5, 1.7)])
def test_observer_odds_ratio(planted: float, low: float, high: float) -> None:
    # Feedback would send officers where chance was high, so it is off here.
    drawn = city(
        SEED,
        replace(
            UNTOUCHED, observer_odds_ratio=planted, feedback=0.0, shock_sd=0.0, moving_odds=1.0
        ),
    )
    assert low < odds_ratio(drawn.tallies, ["cluster"]) < high


def test_hot_spots(groningen: City) -> None:
    places, spots = clusters(groningen), groningen.hot_spots
    assert spots["relative_rate"].tolist() == [3.0, 3.0, 2.0, 2.0, 1.5, 1.5]
    assert spots["radius"].between(300, 800).all()
    assert places.groupby("hot_spot").size().loc[1:].tolist() == spots["places"].tolist()
    assert places["hot_spot"].gt(0).mean() < 0.25
    for spot in spots.itertuples():
        inside = places["hot_spot"] == spot.hot_spot
        distance = np.hypot(places["x"] - spot.x, places["y"] - spot.y)
        assert (distance <= spot.radius).equals(inside)
    # An average place there is as many times as dirty as an average place elsewhere.
    chance = draws.expit(draws.logit(0.2) + places["hot_spot_effect"])
    assert np.allclose(chance / 0.2, places["relative_rate"])


def test_hot_spots_are_in_the_tallies() -> None:
    """With nothing else planted, waste is found in a hot spot as often as the knob says."""
    bare = replace(
        UNTOUCHED,
        place_sd=0.0,
        district_sd=0.0,
        shock_sd=0.0,
        dump_spot_odds=1.0,
        moving_odds=1.0,
        observer_odds_ratio=1.0,
    )
    drawn = city(SEED, bare)
    where = drawn.places.set_index("cluster")["relative_rate"]
    sums = drawn.tallies.groupby(drawn.tallies["cluster"].map(where)).sum(numeric_only=True)
    assert sums.index.tolist() == [1.0, 1.5, 2.0, 3.0]
    expected = 0.2 * sums.index
    error = np.sqrt(expected * (1 - expected) / sums["inspections"])
    assert (abs(sums["with_waste"] / sums["inspections"] - expected) < 4 * error).all()


def test_effects_of_districts_and_places(groningen: City) -> None:
    assert 0.75 < groningen.places["place_effect"].std() < 0.85
    effects = groningen.places.groupby("district")["district_effect"].first()
    assert 0.2 < effects.std() < 0.3
    # With little else planted, the districts differ as they should, by nearly their effects.
    bare = replace(
        UNTOUCHED, place_sd=0.0, shock_sd=0.0, district_sd=0.5, hot_spot_rates=(), feedback=0.0
    )
    drawn = city(SEED, bare)
    planted = drawn.places.set_index("cluster")
    cells = drawn.tallies.join(planted[["kind", "district_effect"]], on="cluster")
    cells = cells[(cells["kind"] == "container") & (cells["observer_role"] == "cleaning crew")]
    sums = cells.groupby("district_effect")[["inspections", "with_waste"]].sum()
    slope = np.polyfit(sums.index, draws.logit(sums["with_waste"] / sums["inspections"]), 1)[0]
    assert 0.9 < slope < 1.1


def test_containers_overflow_where_many_households_depend_on_them(groningen: City) -> None:
    containers = groningen.places.query("kind == 'container'")
    households = containers.groupby(containers["full"] > 0.5)["households"].mean()
    assert households[True] > 1.3 * households[False]


def test_officers_are_biased_by_district_and_past(groningen: City) -> None:
    def looks(drawn: City, role: str) -> pd.Series:
        mine = drawn.tallies[drawn.tallies["observer_role"] == role]
        found = mine.groupby("cluster")["inspections"].sum()
        return found.reindex(drawn.places["cluster"], fill_value=0).to_numpy()

    places = clusters(groningen)
    officer = looks(groningen, "enforcement officer")
    by_district = places.assign(looks=officer).groupby("district").mean(numeric_only=True)
    assert by_district["looks"].corr(by_district["officer_attention"]) > 0.8

    # Within a district: officers go where waste is, crews do their rounds.
    def within(drawn: City, values: np.ndarray) -> float:
        table = clusters(drawn)[["district", "rate"]].assign(looks=values)
        centred = table[["rate", "looks"]] - table.groupby("district").transform("mean")
        return float(centred["rate"].corr(centred["looks"]))

    assert within(groningen, officer) > 0.4
    assert abs(within(groningen, looks(groningen, "cleaning crew"))) < 0.2
    fair = city(SEED, World(feedback=0.0))
    assert abs(within(fair, looks(fair, "enforcement officer"))) < 0.1
    # Hence the count of dirty inspections follows the number of inspections.
    seen = per_place(groningen)
    assert seen["inspections_seen"].corr(seen["with_waste_seen"]) > 0.8


def test_inspections_of_one_place_are_alike() -> None:
    """Months of one place vary more than chance, but not when no shocks are planted."""

    def dispersion(world: World) -> float:
        tallies = city(11, world).tallies
        # One look a day: those of one day see the same.
        tallies = tallies.drop_duplicates(["cluster", "period_start"])
        tallies = tallies.assign(
            with_waste=tallies["with_waste"] / tallies["inspections"], inspections=1
        )
        months = tallies.assign(month=tallies["period_start"].dt.month)
        cells = months.groupby(["cluster", "month"])[["inspections", "with_waste"]].sum()
        sums = cells.groupby("cluster").transform("sum")
        rate = sums["with_waste"] / sums["inspections"]
        usable = (rate > 0.05) & (rate < 0.95)
        error = (cells["with_waste"] - cells["inspections"] * rate) ** 2
        pearson = (error / (cells["inspections"] * rate * (1 - rate)))[usable]
        freedom = usable.sum() - cells.index.get_level_values(0)[usable].nunique()
        return float(pearson.sum() / freedom)

    still = replace(SMALL, weeks=52, observer_odds_ratio=1.0, moving_odds=1.0, shock_sd=0.0)
    still = replace(still, crew_cleans=0.0, reports=None, actions=None, relaxation=20.0)
    assert 0.9 < dispersion(still) < 1.1
    assert dispersion(replace(still, shock_sd=0.8)) > 1.2
    # So does a pile that stays for some days.
    assert dispersion(replace(still, relaxation=0.2)) > 1.2


def test_student_moves(groningen: City) -> None:
    monday = groningen.tallies["period_start"].dt.to_period("W").dt.start_time
    weeks = groningen.tallies.groupby(monday)[["inspections", "with_waste"]].sum()
    odds = weeks["with_waste"] / (weeks["inspections"] - weeks["with_waste"])
    moving = odds.index.isin(pd.to_datetime(["2025-08-25", "2025-09-01", "2025-09-08"]))
    ordinary = odds[(odds.index < "2025-08-11") | (odds.index > "2025-09-22")]
    assert odds[moving].min() > ordinary.quantile(0.9)
    assert 1.4 < odds[moving].mean() / ordinary.mean() < 1.9


def test_a_small_city_is_as_dense(groningen: City) -> None:
    small = city(SEED, SMALL)
    assert len(small.places) == 320
    west, south, east, north = BOX
    assert small.places["x"].between(west, east).all()
    assert small.places["y"].between(south, north).all()

    def nearest(places: pd.DataFrame) -> float:
        xy = places[["x", "y"]].to_numpy()
        distance = np.hypot(*(xy[:, None] - xy).transpose(2, 0, 1))
        np.fill_diagonal(distance, np.inf)
        return float(np.median(distance.min(axis=1)))

    assert 0.4 < nearest(small.places) / nearest(groningen.places) < 1.6


def test_another_seed_is_another_city() -> None:
    assert not city(1, SMALL).tallies.equals(city(2, SMALL).tallies)


def test_draws_have_their_distributions() -> None:
    rng = draws.stream(1, "test")
    mean = np.array([0.0, 0.3, 2.0, 40.0])
    counts = draws.poisson(rng, np.tile(mean, (50_000, 1)))
    assert np.allclose(counts.mean(axis=0), mean, rtol=0.02)
    assert np.allclose(counts.var(axis=0), mean, rtol=0.04)
    normal = draws.normal(rng, 50_000, 2.3)
    assert abs(normal.mean()) < 0.02
    assert np.abs(normal).max() <= 2.3
    assert np.isclose(draws.normal_scores(rng, 12).sum(), 0)
    picked = np.bincount(draws.pick(rng, [1, 0, 3], 50_000), minlength=3)
    assert picked[1] == 0
    assert np.isclose(picked[2] / picked[0], 3, rtol=0.05)
    assert sorted(draws.sample(rng, 10, 10)) == list(range(10))


@pytest.mark.parametrize("seed", [-1, 1.5, True, "2319"])
def test_wrong_seeds_are_refused(seed: object) -> None:
    with pytest.raises(DatamallError, match=r"seed of the demo city.*params\.yaml"):
        city(seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [13, 161])
def test_impossible_cities_are_refused(number: int) -> None:
    with pytest.raises(DatamallError, match="from 14 to 160"):
        World(neighbourhoods=number)


@pytest.mark.parametrize("inside", ["data", "data/raw/demo/truth", "src/datamall", "link/truth"])
def test_truth_is_not_written_where_an_analysis_can_read_it(tmp_path: Path, inside: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(DatamallError, match="choose a folder outside the project"):
        truth(tmp_path / inside, SEED, SMALL, root=tmp_path)
    assert not list((tmp_path / "data").iterdir())


def test_truth_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DatamallError, match="name a folder"):
        truth(tmp_path / "file", SEED, SMALL)
    assert (tmp_path / "file").read_text() == "mine"
