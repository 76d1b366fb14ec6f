"""Worlds with a known truth: what the profile is said to be worth, and when it is said to hold."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from welfare_world import Office, office

from datamall.demo import welfare
from datamall.demo.welfare import WelfareWorld
from datamall.demo.welfare_people import TRUTHS
from datamall.demo.welfare_selection import FINDINGS, RECORDED
from datamall.fraud.profile import effectiveness, information, knowledge, wisdom
from datamall.fraud.profile.facts import CLIENTS, FACTS, INVESTIGATIONS
from datamall.requirements import Absent

LABELS = ["unlawful or administrative", "unlawful", "unlawful or administrative or unclear"]
HOW = {"confidence": 0.95, "power": 0.8, "wanted": 1.5}
CAPACITY = 400


def true_lifts(chances: pd.DataFrame, picks: np.ndarray) -> list[float]:
    """Return the true lift of the picked under each definition, from the chance of each finding."""
    sums = [chances[label.split(" or ")].sum(axis=1) for label in LABELS]
    return [float(own[picks].mean() / own.mean()) for own in sums]


def judged(world: Office) -> tuple[pd.DataFrame, list[float]]:
    """Return the lifts of the trained profile, and the true ones."""
    trained = knowledge.train(world.data, LABELS, 5)
    assert not isinstance(trained, Absent)
    table = information.joined(world.data)
    table = table[table["year"] == 2025]
    picks = effectiveness.picked(table, trained, CAPACITY)
    chances = table[["client", "year"]].merge(world.chance, on=["client", "year"])
    lifts = effectiveness.lifts(world.data, trained, LABELS, CAPACITY, **HOW)
    return lifts, true_lifts(chances, picks)


@pytest.mark.slow
def test_the_interval_holds_the_true_lift() -> None:
    """Covered at least as often as stated, and not by being useless: 100 worlds, each judged anew.

    The band is that of so many draws at 95 % (three standard errors).
    """
    held, shown = [], 0
    for seed in range(100):
        lifts, truth = judged(office(seed, people=2400, drawn=1000, base=-1.4))
        for row, true in zip(lifts.itertuples(), truth, strict=True):
            if not np.isnan(row.lift):
                held.append(row.low <= true <= row.high)
                shown += row.verdict == effectiveness.SHOWN
    assert len(held) > 250
    assert np.mean(held) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 100)
    assert shown > 0.8 * len(held)


@pytest.mark.slow
def test_a_profile_seldom_holds_where_facts_tell_nothing() -> None:
    held = 0
    for seed in range(100):
        lifts, truth = judged(office(seed, people=2400, drawn=1000, strength=0.0, base=-1.0))
        assert truth == pytest.approx([1.0] * 3)
        assert not lifts["lift"].isna().any()  # enough people, so that it could hold
        held += wisdom.holds(lifts)
    assert held <= 5


def test_a_profile_that_truly_helps_is_found() -> None:
    held = [
        wisdom.holds(judged(office(seed, people=4000, drawn=1200, base=-1.4))[0])
        for seed in range(5)
    ]
    assert sum(held) >= 4


@pytest.mark.slow
def test_suspicion_does_not_pass_for_knowledge() -> None:
    """Investigators who were told of a flag write down more; the facts tell nothing.

    The hit rate of the flagged is then well above that of the draw, and a profile learnt from
    all visits learns the flags. Among the people drawn at random it is worth nothing.
    """
    ratios, learnt = [], []
    for seed in range(4):
        world = office(seed, people=3000, drawn=900, chosen=600, strength=0.0, base=-1.2)
        looks = world.data[INVESTIGATIONS].copy()
        expected = np.random.default_rng(seed).random(len(looks)) < 0.8
        looks.loc[(looks["arm"] == "profile") & looks["finding"].notna() & expected, "finding"] = (
            "unlawful"
        )
        data = {**world.data, INVESTIGATIONS: looks}
        told = knowledge.choices(data, LABELS, 0.95)
        ratios.append(told.loc[told["arm"] == information.ARMS["profile"], "low"].min())
        habits = knowledge.train(data, LABELS, 5, "everybody visited")
        weight = knowledge.weights(habits, 0.95).set_index("fact")
        learnt.append(weight.loc["months with income", "weight_low"])
        lifts = effectiveness.lifts(data, habits, LABELS, CAPACITY, **HOW)
        assert not wisdom.holds(lifts)
        own = knowledge.weights(knowledge.train(data, LABELS, 5), 0.95).set_index("fact")
        assert own.loc["months with income", "weight_low"] <= 0
    assert min(ratios) > 1  # each time, it looks as if the flags knew something
    assert min(learnt) > 0


def extract(people: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return people of the demo as the extract of the purpose."""
    table = people.assign(arm=people["arm"].astype(object))
    for name in table.select_dtypes("bool"):
        table[name] = np.where(table[name], "yes", "no")
    keys = ["client", "year"]
    looks = ["arm", "flagged", "chosen", "visited", "finding"]
    return {CLIENTS: table[[*keys, *FACTS["column"]]], INVESTIGATIONS: table[[*keys, *looks]]}


@pytest.fixture(scope="module")
def biased() -> pd.DataFrame:
    """Return ten times the demo, chosen with all its bias; findings are recorded evenly."""
    world = replace(WelfareWorld(), label_odds=1.0, visit_odds=1.0, feedback=0.0)
    return welfare.people(11, world.times(10))


def chances(people: pd.DataFrame) -> pd.DataFrame:
    """Return the chance of each finding, given what is true of each person."""
    truth = pd.Categorical(people["truth"], TRUTHS).codes
    return pd.DataFrame(RECORDED[truth], columns=list(FINDINGS), index=people.index)


@pytest.mark.slow
def test_biased_selection_does_not_flatter_the_flags(biased: pd.DataFrame) -> None:
    """Caseworkers choose among the flagged with a bias of their own; the lift asks the draw."""
    last = biased[biased["year"] == 2025]
    truth = true_lifts(chances(last), last["flagged"].to_numpy())
    lifts = effectiveness.lifts_in_use(extract(biased), LABELS, **HOW)
    for row, true in zip(lifts.itertuples(), truth, strict=True):
        assert row.low <= true <= row.high, row.label
        assert row.low > 1  # and it is narrow enough to say so


@pytest.mark.slow
def test_the_demo_profile_is_worth_what_is_said(biased: pd.DataFrame) -> None:
    """Large enough to know: true lifts inside the intervals, and it holds."""
    data = extract(biased)
    trained = knowledge.train(data, LABELS, 5)
    table = information.joined(data)
    last = table[table["year"] == 2025]
    picks = effectiveness.picked(last, trained, 8000)
    people = last[["client", "year"]].merge(biased, on=["client", "year"])
    truth = true_lifts(chances(people), picks)
    lifts = effectiveness.lifts(data, trained, LABELS, 8000, **HOW)
    assert wisdom.holds(lifts)
    for row, true in zip(lifts.itertuples(), truth, strict=True):
        assert row.low <= true <= row.high, row.label
