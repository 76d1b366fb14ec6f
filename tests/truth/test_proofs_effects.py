"""The study of effects draws what it says, and finds what is promised on fewer cities."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datamall.enforcement import effect, trial
from datamall.yamlfile import load_mapping
from proofs import cities, discs, effects
from proofs.__main__ import STUDIES, files

SMALL = cities.City(parts=60, chosen=24)


def test_cities_are_what_was_planted() -> None:
    city = cities.City(parts=150, chosen=150, season=0, trend=0, wander=0, looks=20)
    data, actions = cities.draw(city, 1)
    table = data["enforcement.inspections"]
    begun = actions.set_index("cluster")["first_day"]
    assert actions.groupby("action").size().to_dict() == dict.fromkeys(cities.EFFECT, 150)
    drawn = actions.groupby("action")["drawn"].agg(set).to_dict()
    assert drawn[cities.HELPS] == {""} and drawn[cities.LOT] == {"treated", "control"}
    assert drawn[cities.STEPS] == {"treated"}
    after = table[table["period_start"] >= begun.min()]
    counts = after.groupby("cluster")[["inspections", "with_waste"]].sum()
    rate = counts["with_waste"] / counts["inspections"]
    past = (
        table[table["period_start"] < begun.min()]
        .groupby("cluster")[["inspections", "with_waste"]]
        .sum()
    )
    before = past["with_waste"] / past["inspections"]
    for action, truth in ((cities.HELPS, -0.2), (cities.NOTHING, 0.0)):
        own = actions.loc[actions["action"] == action, "cluster"]
        assert rate[own].mean() / before[own].mean() - 1 == pytest.approx(truth, abs=0.02)
    pd.testing.assert_frame_equal(actions, cities.draw(city, 1)[1])


@pytest.mark.slow
def test_intervals_hold_the_truth_and_before_and_after_does_not() -> None:
    table = effects.summary(effects.estimates(25, 4, SMALL)).set_index(["action", "method"])
    ours = table[table.index.get_level_values("method") != effect.NAIVE]
    assert len(ours) == len(cities.EFFECT) and (ours["cities"] == 25).all()
    # All five together: 125 intervals at 95 %, of one city somewhat alike.
    assert ours["covered"].mean() > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 125)
    nothing = ours[ours["truth"] == 0]
    assert nothing["helped"].mean() <= 0.05 + 3 * np.sqrt(0.025 * 0.975 / 50)
    assert (ours["estimate"] - ours["truth"]).abs().max() < 0.08
    naive = table.loc[(cities.NOTHING, effect.NAIVE)]
    assert naive["estimate"] < -0.03 < table.loc[(cities.NOTHING, effect.CITY), "estimate"]


def test_what_a_trial_was_said_to_find_is_what_it_finds() -> None:
    foretold, found = [], []
    for seed in range(4):
        data, actions = cities.draw(cities.City(), seed)
        table = data["enforcement.inspections"]
        own = actions[actions["action"] == cities.LOT]
        before = table[table["period_start"] < own["first_day"].min()]
        past = trial.past_looks({"enforcement.inspections": before}, list(own["cluster"]))
        drawn = own[["cluster"]].assign(step=1, begun=own["drawn"] == "treated")
        foretold.append(trial.smallest_effect(past, drawn, 4 * cities.City().after))
        found.append(effect.effects(data, own)["findable"].iloc[0])
    assert np.mean(foretold) == pytest.approx(np.mean(found), rel=0.2)


@pytest.mark.slow
def test_hot_spots_are_found_by_the_rate_and_follow_the_looks_by_count() -> None:
    table = discs.discs(4, 2).set_index(["ratio", "list"])
    assert table.loc[(3.0, discs.TOGETHER), "found"] >= 0.93
    assert table.loc[(3.0, discs.TOGETHER), "false"] <= 0.012
    for ratio in discs.RATIOS:
        assert (
            table.loc[(ratio, discs.COUNT), "false"] > table.loc[(ratio, discs.TOGETHER), "false"]
        )
    assert table.loc[(1.0, discs.TOGETHER), "false"] < 0.005 < 0.02
    _, inside = discs.draw(3.0, 1)
    assert inside.mean() == pytest.approx(np.pi * 0.7**2 / 36, abs=0.02)


@pytest.mark.slow
def test_words_name_what_was_found() -> None:
    table = effects.summary(effects.estimates(2, 1, SMALL))
    hot = discs.discs(1, 1)
    assert len(effects.lines(table, hot)) == len(table) + len(hot)
    known = effects.metrics(table, hot)
    assert f"{100 * known['hot_spots_found']:.1f} % are found" in effects.answer(table, hot)
    assert "before and after " in effects.describe(effects.covering(table))
    verdicts = effects.falsified(1, 1, SMALL)
    assert verdicts["estimates"].sum() == len(cities.EFFECT)


@pytest.mark.parametrize("study", STUDIES)
def test_each_study_is_run_again_where_a_file_that_it_names_has_changed(
    root: Path, study: str
) -> None:
    deps = load_mapping(root / "proofs" / "dvc.yaml", "proofs/dvc.yaml")["stages"][study]["deps"]
    for path in files(root, study):
        name = path.relative_to(root).as_posix()
        assert any(name == dep or name.startswith(f"{dep}/") for dep in deps), name
