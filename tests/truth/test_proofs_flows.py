"""The study of flows draws what it says, and finds what is promised on fewer cities."""

import numpy as np
import pytest

from datamall.traffic import effect
from proofs import flows


def test_roads_are_what_was_planted() -> None:
    calm = flows.Road(own=0, common=0, day=0, season=0, growth=0, own_growth=0)
    for _, gain, lost in flows.PLANTED:
        cube, _, truth = flows.draw(calm, gain, lost, 0.3, 1)
        [block] = cube
        weeks = block.stored.reshape(calm.sites, calm.weeks, -1).sum(axis=2)
        change = weeks[:, calm.begun :].mean(axis=1) / weeks[:, : calm.begun].mean(axis=1) - 1
        assert change[0] == pytest.approx(truth[effect.HERE], abs=0.01)
        assert change[3:] == pytest.approx(0, abs=0.01)
        before, after = (part[:3].sum() for part in np.split(weeks, [calm.begun], axis=1))
        ratio = after / before * calm.begun / (calm.weeks - calm.begun) - 1
        assert ratio == pytest.approx(truth[effect.AREA], abs=0.01)
        both = [part[1:3].sum() for part in np.split(weeks, [calm.begun], axis=1)]
        beside = both[1] / both[0] * calm.begun / (calm.weeks - calm.begun) - 1
        assert beside == pytest.approx(truth[effect.BESIDE], abs=0.01)


def test_weeks_resemble_each_other_as_planted() -> None:
    for rho in flows.CORRELATIONS:
        drawn = flows._serial(np.random.Generator(np.random.PCG64(1)), (400, 46), rho)
        assert drawn.std() == pytest.approx(1, abs=0.02)
        near = np.corrcoef(drawn[:, 1:].ravel(), drawn[:, :-1].ravel())[0, 1]
        assert near == pytest.approx(rho, abs=0.03)


@pytest.mark.slow
def test_intervals_hold_the_truth_and_naive_ones_do_not() -> None:
    every = flows.estimates(20, 3)
    table = flows.summary(every)
    single = table[table["method"] == flows.SINGLE]
    assert len(single) == len(flows.PLANTED) * len(flows.CORRELATIONS)
    # 200 intervals at 95 %.
    assert single["covered"].mean() > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)
    joint = flows.together(every)
    assert joint["covered"].mean() > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)
    nothing = single[single["what"] == flows.NOTHING]
    assert nothing["moves"].mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)
    for naive in (flows.ALONE, flows.PLAIN):
        own = table[table["method"] == naive]
        assert own["covered"].mean() < 0.8
        assert own.loc[own["what"] == flows.NOTHING, "moves"].mean() > 0.15
    # Larger effects are found more often, and what gained is hardly ever called nothing.
    found = single[single["what"] != flows.MOVED].groupby("planted")["moves"].mean()
    assert found.is_monotonic_increasing and found[0.2] > 0.9
    said = flows.verdicts(every)
    assert said.loc[said["what"] == flows.GAIN, "nothing"].mean() < 0.05
    assert said.loc[said["what"] != flows.GAIN, "helped"].mean() < 0.1
    assert set(said) >= {"helped", "moved", "nothing", "contrary", "unknown"}
    known = flows.metrics(table, said, joint)
    assert f"{100 * known['naive_wrong_effect']:.1f} %" in flows.answer(table, said, joint)
    assert len(flows.lines(table)) == len(table)
    assert flows.ALONE in flows.describe(flows.covering(table))
