"""Other thresholds and capacities."""

import numpy as np
import pandas as pd
import pytest

from datamall.errors import DatamallError
from datamall.fairness import Cells
from datamall.fairness.intervals import gap_limits
from datamall.fairness.metrics import METRICS
from datamall.fairness.sweeps import calibration, capacities, decide, threshold_for, thresholds


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    draw = np.random.Generator(np.random.PCG64(7))
    n = 3000
    frame = pd.DataFrame({"g": draw.choice(["a", "b"], n), "y": draw.random(n) < 0.2})
    score = np.round(draw.random(n) * 0.7 + 0.3 * frame["y"], 2)
    return frame.assign(score=score.where(draw.random(n) < 0.95), d=score > 0.8)


def test_every_threshold_gives_the_rates_of_deciding_by_it(people: pd.DataFrame) -> None:
    cells = Cells.from_frame(people, ["g"], "d", "y", score_band="score")
    got = thresholds(cells)
    for threshold in (0.0, 0.33, 0.9):
        rows = people.assign(d=people.score >= threshold)
        expected = Cells.from_frame(rows, ["g"], "d", "y")
        own = got[got["threshold"] == threshold].reset_index(drop=True)
        pd.testing.assert_frame_equal(own[["g", "n", *METRICS]], expected.rates())
        assert (own["selected"] == rows.d.sum()).all()
        assert decide(cells, threshold).by(["g"]) == expected


def test_capacity_is_reached_as_nearly_as_bands_allow(people: pd.DataFrame) -> None:
    cells = Cells.from_frame(people, ["g"], "d", "y", score_band="score")
    got = capacities(cells)
    now = people.d.sum()
    assert got["capacity"].tolist() == np.repeat([0.8, 0.9, 1.0, 1.1, 1.2], 2).tolist()
    for share, part in got.groupby("capacity"):
        numbers = [(people.score >= t).sum() for t in sorted(people.score.dropna().unique())]
        assert abs(part["selected"].iloc[0] - share * now) == min(
            abs(number - share * now) for number in numbers
        )


def test_bands_of_text_keep_their_order() -> None:
    order = ["low", "middle", "high"]
    frame = pd.DataFrame(
        {"g": "a", "b": pd.Categorical(["low", "high", None], order, ordered=True)}
    )
    cells = Cells.from_frame(frame.assign(d=0), ["g"], "d", score_band="b")
    got = thresholds(cells, names=["selection_rate"])
    assert got["threshold"].tolist() == order
    assert got["selected"].tolist() == [2, 1, 1]
    assert threshold_for(cells, 1) == "high"
    with pytest.raises(DatamallError, match="There is no score band medium"):
        decide(cells, "medium")


def test_cells_without_bands() -> None:
    cells = Cells.from_frame(pd.DataFrame({"g": ["a"], "d": [1]}), ["g"], "d")
    with pytest.raises(DatamallError, match="have no score_band"):
        thresholds(cells)


def test_calibration_is_the_share_with_the_outcome_within_each_band() -> None:
    rows = [(1, "a", 0, 90), (1, "a", 1, 10), (1, "b", 0, 45), (1, "b", 1, 5)]
    rows += [(2, "a", 0, 50), (2, "a", 1, 50), (2, "b", 0, 30), (2, "b", 1, 10), (3, "a", 1, 5)]
    table = pd.DataFrame(rows, columns=["s", "g", "y", "n"])
    cells = Cells.from_frame(table, ["g"], outcome="y", score_band="s", count="n")
    got = calibration(cells, reference={"g": "a"})
    assert got[["score_band", "group", "successes", "trials"]].to_numpy().tolist() == [
        [1, "b", 5, 50],
        [2, "b", 10, 40],
    ]
    np.testing.assert_allclose(got["difference"], [0, -0.25], atol=1e-12)
    one, other = (np.array([10]), np.array([40])), (np.array([50]), np.array([100]))
    low, high = gap_limits(one, other, (1 - 0.95) / 2 / 2, "difference")
    assert got.loc[1, ["difference_low", "difference_high"]].tolist() == [low[0], high[0]]
    # Against everybody else: where there is nobody else, nothing is known.
    alone = calibration(cells).set_index(["score_band", "group"]).loc[(3, "a")]
    assert (alone["difference_low"], alone["difference_high"]) == (-1, 1)
