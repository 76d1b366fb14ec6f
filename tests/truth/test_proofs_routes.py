"""The study of mornings sets like beside like, and finds what is promised on fewer of them."""

import numpy as np
import pandas as pd
import pytest

from datamall.demo import World
from datamall.enforcement import orders
from proofs import routes

SMALL = World(places=300, dump_spots=20, neighbourhoods=24)
MORNING = {"day": "2026-01-05", "confidence": 0.9, "weeks": 8, "most": 20, "worth": 3600.0}
MORNING |= {"factor": 1.3, "speed": 25.0, "iterations": 150, "threshold": 300.0, "seed": 1}


def days(number: int, **gains: float) -> pd.DataFrame:
    """Return mornings on which each way prevents a little less an hour than the plan."""
    rng = np.random.Generator(np.random.PCG64(5))
    rows = []
    for day in pd.date_range("2025-11-03", periods=number):
        level = 4 + rng.normal()
        for trucks in (routes.BOTH, orders.FREE):
            for way in orders.WAYS:
                per_hour = level - gains.get(way, 0.0) * (way != orders.PLANNED)
                row = {"day": day, "trucks": trucks, "way": way, "gain": 5, "more_musts": 1}
                km = 100.0 + (way != orders.PLANNED)
                rows.append(row | {"value": 9.0, "km": km, "per_hour": per_hour})
    return pd.DataFrame(rows)


def test_differences_are_paired_by_morning() -> None:
    found = routes.paired(days(30, **{orders.ALL_LISTED: 0.5}), 1, 0.95)
    row = found.set_index(["trucks", "way"]).loc[(routes.BOTH, orders.ALL_LISTED)]
    # Mornings differ by one, and the pairs do not at all.
    assert row[["more", "low", "high"]].tolist() == pytest.approx([0.5] * 3)
    assert row[["km_less", "km_low", "km_high"]].tolist() == pytest.approx([1.0] * 3)
    assert row["better"] == row["mornings"] == 30
    others = found[found["way"] == orders.NEAREST]
    assert (others["more"] == 0).all() and (others["better"] == 0).all()


def test_mornings_that_are_alike_make_wider_intervals() -> None:
    table = days(30)
    plan = (table["way"] == orders.PLANNED).to_numpy()
    number = (table["day"] - table["day"].min()).dt.days.to_numpy()

    def width(more: np.ndarray) -> float:
        own = table.assign(per_hour=table["per_hour"] + np.where(plan, more[number], 0.0))
        row = routes.paired(own, 1, 0.95).iloc[0]
        return float(row["high"] - row["low"])

    apart = np.tile([1.0, -1.0], 15)
    weeks = np.repeat([1.0, -1.0, 1.0, -1.0, 1.0], 6)
    assert width(weeks) > 3 * width(apart)


@pytest.mark.slow
def test_two_mornings_are_planned_as_they_were_and_gain_over_the_habits() -> None:
    driven = routes.driven(MORNING, 2319, 2, SMALL)
    assert [*driven["day"].unique()] == [pd.Timestamp("2026-01-02"), pd.Timestamp("2026-01-03")]
    table = routes.by_morning(driven)
    found = routes.paired(table, 1, 0.95).set_index(["trucks", "way"])
    for way in (orders.ALL_LISTED, orders.ALL_NEAREST, orders.LISTED):
        assert found.loc[(routes.BOTH, way), "more"] > 0
    plans = routes.of_plans(table)
    assert (plans["gain"] > 0).all() and (plans["more_musts"] >= 0).all()
    assert len(routes.lines(found.reset_index())) == len(orders.WAYS) - 1
    assert "On no morning was the plan worse" in routes.answer(found.reset_index())
