"""At each place the action that avoids most in an hour, by hand."""

import pandas as pd
import pytest

from datamall.enforcement import effects, prevent, wisdom
from datamall.errors import DatamallError
from datamall.requirements import Absent

HOURS, DAYS = [0.5, 0.2, 1.0, 4.0], [3.0, 2.0, 14.0, 80.0]


def choices(known: pd.DataFrame = effects.EFFECTS) -> wisdom.Options:
    """Return three places: bulky waste, a broken container, and bags and cardboard."""
    rates = pd.DataFrame({"cluster": ["P1", "P2", "P3"], "rate": [0.6, 0.5, 0.4], "sd": 0.05})
    rates = rates.assign(inspections=100, with_waste=50)
    shares = {"bulky": [0.8, 0.1, 0.0], "full": 0.0, "broken": [0.0, 0.6, 0.0]}
    shares |= {"residual": [0.1, 0.1, 0.5], "cardboard": [0.0, 0.0, 0.4]}
    causes = pd.DataFrame({"cluster": ["P1", "P2", "P3"]}).assign(**shares, weight=50.0)
    return wisdom.options(rates.assign(**dict.fromkeys(shares, 10)), causes, known)


def test_the_action_that_fits_the_cause_and_its_owner() -> None:
    best = prevent.best_actions(choices(), prevent.work(HOURS, DAYS)).set_index("cluster")
    owners = {"P1": "Bulky waste", "P2": "Maintenance", "P3": "Enforcement"}
    assert best["crew"].to_dict() == owners
    # Chance × share × middle of the effect × days, over hours.
    assert best.loc["P1", "per_hour"] == pytest.approx(0.6 * 0.8 * 0.85 * 3 / 0.5)
    assert best.loc["P2", "dirty_days"] == pytest.approx(0.5 * 0.6 * 0.85 * 14)
    assert best.loc["P3", "dirty_days"] == pytest.approx(0.4 * (0.5 * 0.1 + 0.4 * 0.145) * 80)
    assert [*best.index] == [*best.sort_values("per_hour", ascending=False).index]


def test_what_an_hour_costs_decides_which_action_it_is() -> None:
    dear = prevent.work([0.5, 0.2, 100.0, 4.0], DAYS)
    best = prevent.best_actions(choices(), dear).set_index("cluster")
    assert best.loc["P2", "crew"] == "Bulky waste"


def test_actions_add_up_over_the_places_where_they_fit() -> None:
    work = prevent.work(HOURS, DAYS)
    best = prevent.best_actions(choices(), work)
    table = prevent.by_action(best, work).set_index("crew")
    assert table["places"].to_dict() == {
        "Bulky waste": 1, "Collection": 0, "Maintenance": 1, "Enforcement": 1,
    }  # fmt: skip
    assert table["dirty_days"].sum() == pytest.approx(best["dirty_days"].sum())
    assert table.loc["Enforcement", "per_hour"] == pytest.approx(
        table.loc["Enforcement", "dirty_days"] / 4
    )
    assert pd.isna(table.loc["Collection", "per_hour"])
    said = prevent.caption(table.reset_index())
    assert "repair the container (Maintenance)" in said and "empty" not in said


def test_intervals_hold_what_is_expected_and_a_measured_effect_moves_it() -> None:
    work, known = prevent.work(HOURS, DAYS), choices()
    table = prevent.first_places(prevent.best_actions(known, work), known, 2, 0.9, 1)
    assert list(table["crew"]) == ["Bulky waste", "Enforcement", "Maintenance"]
    assert (table["low"] < table["per_hour"]).all() and (table["per_hour"] < table["high"]).all()
    measured = pd.DataFrame(
        [("bulky", "pick up bulky waste", 0.0, 0.0, "measured")],
        columns=["cause", "action", "low", "high", "source"],
    )
    best = prevent.best_actions(choices(effects.replaced(measured)), work).set_index("cluster")
    assert best.loc["P1", "crew"] == "Enforcement"


def test_where_no_cause_is_recorded_there_is_a_reason_and_no_work_is_free() -> None:
    none = Absent("x", "No cause is recorded.")
    assert prevent.best_actions(none, prevent.work(HOURS, DAYS)) is none
    assert prevent.caption(none) == "No cause is recorded."
    with pytest.raises(DatamallError, match="hours of Maintenance is 0: set it above 0"):
        prevent.work([0.5, 0.2, 0.0, 4.0], DAYS)
