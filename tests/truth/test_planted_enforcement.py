"""The analysis finds what was planted, at its stated level, and not what was not."""

import numpy as np
import pandas as pd
import pytest
from worlds import Planted, plant

from datamall.demo import World, city
from datamall.demo.truth import clusters
from datamall.enforcement import causes, effects, hotspots, inspections, knowledge, wisdom
from datamall.enforcement.sums import CAUSES
from datamall.requirements import Absent

CONFIDENCE = 0.9
INSPECTIONS = "enforcement.inspections"


@pytest.fixture(scope="module")
def worlds() -> list[tuple[Planted, pd.DataFrame]]:
    planted = [plant(seed, rare=0.2) for seed in (1, 2, 3)]
    return [(world, knowledge.dirty_rates(world.data, CONFIDENCE)) for world in planted]


def coverage(world: Planted, rates: pd.DataFrame) -> float:
    truth = world.truth["rate"].to_numpy()
    return float(((rates["low"] <= truth) & (truth <= rates["high"])).mean())


def test_intervals_cover_at_their_level(worlds: list[tuple[Planted, pd.DataFrame]]) -> None:
    covered = [coverage(world, rates) for world, rates in worlds]
    places = sum(len(rates) for _, rates in worlds)
    margin = 3 * np.sqrt(CONFIDENCE * (1 - CONFIDENCE) / places)
    assert abs(np.mean(covered) - CONFIDENCE) < margin


def test_intervals_that_forget_the_quarters_cover_too_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = plant(4, looks=6, likeness=0.15)
    right = coverage(world, knowledge.dirty_rates(world.data, CONFIDENCE))
    monkeypatch.setattr(knowledge, "within_places", lambda data: Absent("quarters", "not measured"))
    wrong = coverage(world, knowledge.dirty_rates(world.data, CONFIDENCE))
    assert right > 0.86
    assert wrong < 0.75


def test_pooling_beats_the_naive_rate(worlds: list[tuple[Planted, pd.DataFrame]]) -> None:
    for world, rates in worlds:
        truth = world.truth["rate"].to_numpy()
        pooled = np.mean((rates["rate"] - truth) ** 2)
        assert pooled < 0.8 * np.mean((rates["observed"] - truth) ** 2)


def test_likeness_of_quarters_is_recovered(worlds: list[tuple[Planted, pd.DataFrame]]) -> None:
    found = [knowledge.within_places(world.data).loc[0, "likeness"] for world, _ in worlds]
    assert np.mean(found) == pytest.approx(0.05, abs=0.015)


def test_no_likeness_is_found_where_none_is() -> None:
    quarters = knowledge.within_places(plant(9, likeness=1e-6).data)
    assert quarters.loc[0, "dispersion"] == pytest.approx(1, abs=0.03)
    assert quarters.loc[0, "effective_inspections"] > 0.98 * quarters.loc[0, "inspections"]


@pytest.mark.slow
def test_habit_of_observers_is_recovered_where_timing_is_fair() -> None:
    hits = 0
    for seed in range(12):
        world = plant(100 + seed, districts=4, per_district=40, likeness=0.1, odds_ratio=1.6)
        row = knowledge.observer_habits(world.data, 0.95).iloc[0]
        sign = 1 if row["role"] == "enforcement officer" else -1
        hits += row["low"] <= 1.6**sign <= row["high"]
    assert hits >= 9  # of 12; 9 or more has probability 0.998 at 95 %


def test_ranking_does_not_follow_a_district_that_is_inspected_five_times_as_much(
    worlds: list[tuple[Planted, pd.DataFrame]],
) -> None:
    world, before = worlds[0]
    busy = before.loc[before["district"] == "D3", "cluster"]
    data = dict(world.data)
    table = data[INSPECTIONS].copy()
    counts = ["inspections", "with_waste", *CAUSES]
    table.loc[table["cluster"].isin(busy), counts] *= 5
    data[INSPECTIONS] = table
    after = knowledge.dirty_rates(data, CONFIDENCE)
    assert stays(before, after) >= 0.95
    # The list by count is flooded by that district.
    naive = [knowledge.leading(table, "with_waste", 50)["cluster"] for table in (before, after)]
    assert naive[1].isin(busy).sum() > naive[0].isin(busy).sum() + 15
    rate = [knowledge.leading(table, "rate", 50)["cluster"] for table in (before, after)]
    assert len(set(rate[0]) & set(rate[1])) >= 40


def stays(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Return the share of places whose new rank lies in the interval of the old one."""
    inside = after["rank"].between(before["rank_low"], before["rank_high"])
    return float(inside.mean())


def test_ranking_does_not_hang_on_district_labels(
    worlds: list[tuple[Planted, pd.DataFrame]],
) -> None:
    world, before = worlds[1]
    places = world.data["enforcement.containers"]
    shuffled = np.random.default_rng(5).permutation(places["neighbourhood"])
    data = world.data | {"enforcement.containers": places.assign(neighbourhood=shuffled)}
    assert stays(before, knowledge.dirty_rates(data, CONFIDENCE)) >= 0.95
    # Other names for the same districts change nothing at all.
    names = {f"D{i}": f"district {9 - i}" for i in range(8)}
    areas = world.data["shared.neighbourhoods"]
    renamed = areas.assign(district=areas["neighbourhood"].map(names))
    again = knowledge.dirty_rates(world.data | {"shared.neighbourhoods": renamed}, CONFIDENCE)
    columns = ["cluster", "rate", "low", "high", "rank"]
    pd.testing.assert_frame_equal(again[columns], before[columns], rtol=1e-6)


def test_causes_are_recovered(worlds: list[tuple[Planted, pd.DataFrame]]) -> None:
    for world, rates in worlds:
        found = causes.place_causes(world.data, rates)
        truth = world.truth
        total = found[[*CAUSES, "unknown"]].sum(axis=1)
        np.testing.assert_allclose(total, 1)
        for cause in ("bulky", "full"):
            raw = rates[cause] / rates["with_waste"].clip(lower=1)
            error = np.mean((found[cause] - truth[cause]) ** 2)
            assert error < 0.8 * np.mean((raw - truth[cause]) ** 2)
            assert abs((found[cause] - truth[cause]).mean()) < 0.02


@pytest.mark.slow
def test_share_of_bulky_waste_covers() -> None:
    hits = 0
    for seed in range(20):
        world = plant(200 + seed, districts=4, per_district=40)
        row = causes.cause_shares(world.data, CONFIDENCE).set_index(["kind", "cause"])
        row = row.loc[("all places", "bulky")]
        hits += row["low"] <= 6 / 12 <= row["high"]
    assert hits >= 15  # of 20; 15 or more has probability 0.989 at 90 %


def test_plan_keeps_its_promise_where_a_naive_one_does_not(
    worlds: list[tuple[Planted, pd.DataFrame]],
) -> None:
    effect = effects.EFFECTS.set_index("cause")[["low", "high"]].mean(axis=1)
    crews = wisdom.crews(25, 15, 10, 10)
    for world, rates in worlds:
        found = causes.place_causes(world.data, rates)
        choices = wisdom.options(rates, found)
        plan = wisdom.compare_plans(choices, crews, CONFIDENCE, 1).iloc[0]
        stops = wisdom.plan(choices, crews, CONFIDENCE, 1)
        truth = world.truth.set_index("cluster")
        value = 0.0
        for action, own in stops.groupby("action"):
            about = effects.EFFECTS.loc[effects.EFFECTS["action"] == action, "cause"]
            place = truth.loc[own["cluster"]]
            value += (place["rate"] * (place[list(about)] @ effect[about])).sum()
        assert plan["low"] < value < plan["high"]
        # Chosen and judged by raw rates and shares, the plan promises too much (winner's curse).
        raw = rates["observed"] * rates["bulky"] / rates["with_waste"].clip(lower=1) * 0.85
        chosen = raw.nlargest(40)
        real = world.truth.loc[chosen.index]
        assert chosen.sum() > 1.05 * (real["rate"] * real["bulky"] * 0.85).sum()


@pytest.mark.slow
def test_every_place_has_the_stated_chance_of_a_random_inspection() -> None:
    world = plant(7, districts=3, per_district=20, quarters=3)
    rates = knowledge.dirty_rates(world.data, CONFIDENCE)
    choices = wisdom.options(rates, causes.place_causes(world.data, rates))
    crews = wisdom.crews(3, 1, 1, 1)
    drawn = pd.Series(0, index=rates["cluster"])
    for seed in range(100):
        looks = inspections.inspection_plan(world.data, choices, rates, crews, 20, 0.2, seed)
        random = looks[looks["drawn"] == "at random"]
        drawn[random["cluster"]] += 1
        assert looks["cluster"].is_unique
        assert len(looks) == 20
        assert len(random) == 4
        assert set(random["district"]) == {"D0", "D1", "D2"}
    assert looks["inclusion_probability"].eq(4 / 60).all()
    np.testing.assert_allclose(drawn / 100, 4 / 60, atol=4 * np.sqrt(4 / 60 / 100))


@pytest.fixture(scope="module")
def demo() -> list[tuple[dict[str, pd.DataFrame], pd.DataFrame]]:
    """Draw cities of the demo: extract and truth of each."""
    found = []
    for seed in range(11, 16):
        drawn = city(seed, World(places=800, dump_spots=60, neighbourhoods=60, weeks=39))
        data = {
            INSPECTIONS: drawn.tallies,
            "enforcement.containers": drawn.places[["cluster", "kind", "x", "y", "neighbourhood"]],
            "shared.neighbourhoods": drawn.neighbourhoods[["neighbourhood", "district"]],
        }
        found.append((data, clusters(drawn).set_index("cluster")))
    return found


def test_demo_city_is_covered_although_its_weeks_and_officers_break_the_model(
    demo: list[tuple[dict[str, pd.DataFrame], pd.DataFrame]],
) -> None:
    covered = []
    for data, truth in demo:
        rates = knowledge.dirty_rates(data, CONFIDENCE)
        own = truth.loc[rates["cluster"], "rate"].to_numpy()
        covered.append(((rates["low"] <= own) & (own <= rates["high"])).mean())
    assert abs(np.mean(covered) - CONFIDENCE) < 0.02


def test_hot_spots_by_rate_are_fewer_and_truer_than_by_count(
    demo: list[tuple[dict[str, pd.DataFrame], pd.DataFrame]],
) -> None:
    hits = []
    for data, truth in demo:
        rates = knowledge.dirty_rates(data, CONFIDENCE)
        hot = hotspots.hot_spots(data, rates, 8, 0.05, 10)
        hot = hot[hot["kind"] == "container"]
        planted = truth.loc[hot["cluster"], "hot_spot"].to_numpy() > 0
        hits += [(name, ~planted[hot[f"hot_{name}"]]) for name in ("count", "rate")]
    false = {
        name: np.concatenate([own for kind, own in hits if kind == name]).mean()
        for name in ("count", "rate")
    }
    assert false["rate"] < 0.1
    assert false["count"] > 2 * false["rate"]
