"""What a measure did, on roads whose truth is known; and when nothing can be said."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import effect, effect_words
from datamall.traffic.cube import Cube
from proofs import flows

RULES = effect.Rules()
WIDE = effect.Rules(worth=0.1)
CALM = flows.Road(own=0.01, day=0.01)
BEGUN = flows.FIRST + pd.Timedelta(days=7 * CALM.begun)


def city(gain: float, lost: float = 0.0, road: flows.Road = CALM) -> tuple[Cube, Any]:
    cube, data, _ = flows.draw(road, gain, lost, 0.3, 4)
    return cube, data


def with_measures(data: Any, *rows: dict[str, object]) -> Any:
    """Return the extract with the measure as it is but for what each row says."""
    table = data[effect.MEASURES]
    usual = table.iloc[0].to_dict() | {"last_day": pd.NaT}
    made = pd.DataFrame([usual | row for row in rows])
    return data | {effect.MEASURES: made.astype({"last_day": "datetime64[s]"})}


def here(found: pd.DataFrame | Absent, measure: str = "M") -> pd.Series:
    assert isinstance(found, pd.DataFrame)
    rows = found[(found["measure"] == measure) & (found["about"] == effect.HERE)]
    return rows.iloc[0]


def test_what_was_planted_is_found_here_and_together() -> None:
    cube, data = city(0.2)
    found = effect.effects(data, cube, RULES)
    assert list(found) == effect.COLUMNS
    assert found["about"].tolist() == [effect.HERE, effect.BESIDE, effect.AREA]
    own, beside, area = (row for _, row in found.iterrows())
    assert own["ratio"] == pytest.approx(1.2, abs=0.02)
    assert own["low"] < 1.2 < own["high"]
    assert beside["low"] < 1 < beside["high"]
    assert own["verdict"] == effect.HELPED
    assert (own["before"], own["after"], own["controls"]) == (26, 20, 9)
    # One effect, once: what both gained together is what the junction gained.
    assert area["passages"] == pytest.approx(own["passages"], rel=0.25)
    # The same change, where fewer were wanted.
    [cube, data] = city(0.2)
    wanted = with_measures(data, {"aim": "fewer"})
    assert here(effect.effects(wanted, cube, RULES))["verdict"] == effect.CONTRARY


def test_what_only_moved_is_no_gain() -> None:
    cube, data = city(0.2, lost=1.0)
    found = effect.effects(data, cube, WIDE)
    own = here(found)
    assert own["low"] > 1.15
    assert found.loc[found["about"] == effect.BESIDE, "high"].iloc[0] < 1
    assert own["verdict"] == effect.MOVED
    # Who has no positions cannot see that.
    alone = {effect.MEASURES: data[effect.MEASURES]}
    found = effect.effects(alone, cube, RULES)
    assert found["about"].tolist() == [effect.HERE]
    assert "not known" in here(found)["reason"]


def test_nothing_is_nothing_only_where_it_would_have_been_seen() -> None:
    cube, data = city(0.0)
    own = here(effect.effects(data, cube, WIDE))
    assert own["verdict"] == effect.NO_EFFECT
    noisy, data = city(0.0, road=flows.Road(own=0.1))
    own = here(effect.effects(data, noisy, RULES))
    assert own["verdict"] == effect.NOT_ENOUGH
    assert own["findable"] > RULES.worth
    assert f"{100 * own['findable']:.0f} %" in own["reason"]


def test_too_few_weeks_or_controls_is_a_sentence_and_no_number() -> None:
    cube, data = city(0.2)
    last = flows.FIRST + pd.Timedelta(days=7 * CALM.weeks - 1)
    cases = {
        "weeks are counted since": {"first_day": last - pd.Timedelta(days=20)},
        "weeks are counted before": {"first_day": flows.FIRST + pd.Timedelta(days=40)},
        "No bike is counted": {"aimed_at": "bike"},
        "No car is counted at junction J99": {"site": "J99"},
        "junction J00, south": {"approach": "south"},
        "Only 1 weeks are counted since": {"last_day": BEGUN + pd.Timedelta(days=12)},
        "Only 0 weeks are counted since": {"first_day": last + pd.Timedelta(days=90)},
    }
    for said, changed in cases.items():
        own = here(effect.effects(with_measures(data, changed), cube, RULES))
        assert said in own["reason"], own["reason"]
        assert own["verdict"] == effect.NOT_ENOUGH and np.isnan(own["ratio"])
    own = here(effect.effects(data, cube, replace(RULES, least_controls=10)))
    assert "Only 9 junctions to compare with" in own["reason"]
    # A junction with a measure of its own in the time is no control, and one beside neither.
    other = {"measure": "N", "site": "J05", "first_day": BEGUN + pd.Timedelta(days=60)}
    found = effect.effects(with_measures(data, {}, other), cube, RULES)
    assert here(found)["controls"] == 8
    assert here(found)["after"] == 20


def test_no_week_is_counted_for_two_measures() -> None:
    cube, data = city(0.2)
    again = {"measure": "N", "first_day": BEGUN + pd.Timedelta(days=70)}
    found = effect.effects(with_measures(data, {}, again), cube, RULES)
    first, second = here(found), here(found, "N")
    assert (first["before"], first["after"]) == (26, 10)
    assert (second["before"], second["after"]) == (10, 10)
    assert first["ratio"] == pytest.approx(1.2, abs=0.03)
    assert second["low"] < 1 < second["high"]  # the gain came before
    # In the same week nobody can tell them apart; nor beside it, nor with too little in between.
    for row in (
        {"first_day": BEGUN + pd.Timedelta(days=3)},
        {"first_day": BEGUN, "site": "J01"},
        {"first_day": BEGUN + pd.Timedelta(days=20)},
    ):
        found = effect.effects(with_measures(data, {}, again | row), cube, RULES)
        assert here(found)["verdict"] == here(found, "N")["verdict"] == effect.APART
        assert found["ratio"].isna().all()


def test_a_junction_that_moved_before_already_proves_nothing() -> None:
    cube, data = city(0.0)
    [block] = cube
    stored = block.stored.astype(float)
    stored[0] *= np.exp(0.01 * np.arange(len(block.days)) / 7)[:, None]  # a hundredth a week
    cube = Cube((replace(block, stored=np.rint(stored).astype(np.int32)),))
    own = here(effect.effects(data, cube, RULES))
    assert own["verdict"] == effect.NOT_ENOUGH
    assert "before the measure already" in own["reason"]


def test_gaps_and_holidays_are_weeks_less_and_no_fall() -> None:
    cube, data = city(0.2)
    [block] = cube
    stored = block.stored.copy()
    stored[0, 30:51] = -1  # three weeks, one of them in parts
    stored[4:, 200:205] = -1
    day = block.days[0] + pd.Timedelta(days=7 * 28 + 1)
    stored[:2, 7 * 28 + 1] = 0
    calendar = pd.DataFrame({"day": [day], "holiday": ["King's Day"]})
    cube = Cube((replace(block, stored=stored),))
    own = here(effect.effects(data, cube, RULES, calendar))
    assert own["before"] == 23
    assert own["ratio"] == pytest.approx(1.2, abs=0.02)


def test_an_approach_is_counted_with_the_other_approaches_as_neighbours() -> None:
    cube, data = city(0.2, lost=1.0)
    [block] = cube
    # The first neighbour's counts become another approach of the junction itself.
    series = block.series.copy()
    series.loc[1, ["site", "approach"]] = ["J00", "south"]
    series.loc[2, "site"] = "J02"
    own = with_measures(data, {"approach": "north"})
    cube = Cube((replace(block, series=series),))
    found = effect.effects(own, cube, WIDE)
    assert here(found)["ratio"] == pytest.approx(1.2, abs=0.02)
    assert here(found)["verdict"] == effect.MOVED
    assert found.loc[found["about"] == effect.BESIDE, "high"].iloc[0] < 1


def test_other_modes_are_looked_at_beside() -> None:
    cube, data = city(0.2)
    [block] = cube
    bikes = block.series.assign(mode="bike")
    series = pd.concat([block.series, bikes], ignore_index=True)
    order = series.sort_values(["site", "mode"]).index
    stored = np.concatenate([block.stored, block.stored])[order]
    cube = Cube((replace(block, series=series.loc[order].reset_index(drop=True), stored=stored),))
    found = effect.effects(data, cube, RULES)
    assert found["mode"].tolist() == ["car", "car", "car", "bike"]
    assert found["verdict"].tolist() == [effect.HELPED, "", "", effect.ROSE]
    small, again = city(0.0)
    [block] = small
    bikes = np.concatenate([block.stored, block.stored])[order]
    cube = Cube((replace(cube.blocks[0], stored=bikes),))
    assert effect.effects(again, cube, RULES)["verdict"].tolist()[-1] == effect.STAYED


def test_rules_out_of_range_and_missing_columns_are_sentences() -> None:
    cube, data = city(0.0)
    for wrong in ({"worth": 0}, {"near": -1}, {"power": 1}, {"least_after": 1}, {"confidence": 1}):
        with pytest.raises(DatamallError, match=r"params\.yaml"):
            effect.effects(data, cube, replace(RULES, **wrong))
    lacking = data | {effect.MEASURES: data[effect.MEASURES].drop(columns="aim")}
    found = effect.effects(lacking, cube, RULES)
    assert isinstance(found, Absent) and "traffic.measures.aim" in found.reason
    gap = Absent("Counts", "Nothing.")
    assert effect.effects(data, gap, RULES) is gap


def test_words_say_what_is_known() -> None:
    cube, data = city(0.2)
    other = {"measure": "N", "site": "J07", "aimed_at": "bike"}
    found = effect.effects(with_measures(data, {}, other), cube, RULES)
    said = effect_words.verdicts(found)
    assert said["measure"].tolist() == ["M", "N"]
    known = effect_words.estimates(found)
    assert isinstance(known, pd.DataFrame)
    assert known["where"].iloc[0] == "M signal plan, car, here"
    assert set(effect_words.NUMBERS) < set(known)
    assert "car at M 1.2" in effect_words.describe(known)
    none = effect_words.estimates(found[found["measure"] == "N"])
    assert isinstance(none, Absent) and effect_words.describe(none) is none
