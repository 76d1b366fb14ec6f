"""What a plan takes over of what was measured, and what stays an assumption, by hand."""

import numpy as np
import pandas as pd
import pytest

from datamall.enforcement import effect, effects, taken_over, wisdom
from datamall.requirements import Absent

BEGUN = pd.Timestamp("2025-07-07")
BULKY = "pick up bulky waste"


def town(
    residual: float = 0.5, bulky: float = 0.5, looks: int = 40, action: str = "information board"
) -> dict[str, pd.DataFrame]:
    """Return 40 places of which every other one got an action; shares of looks that find there.

    Before, and at the places that wait, half of the looks find bags and half bulky waste.
    """
    rows = []
    for place in range(40):
        for week in range(16):
            day = pd.Timestamp("2025-05-12") + pd.Timedelta(weeks=week)
            after = day >= BEGUN and place % 2 == 0
            # One more, one less, so that places and weeks differ.
            turn = (-1) ** (place // 2 + week)
            found = [round(looks * (share if after else 0.5)) + turn for share in (residual, bulky)]
            rows.append((f"P{place:02}", day, looks, *found))
    table = pd.DataFrame(
        rows, columns=["cluster", "period_start", "inspections", "residual", "bulky"]
    )
    table = table.assign(
        period_days=1, observer_role="officer", with_waste=table[["residual", "bulky"]].max(axis=1)
    )
    places = [f"P{place:02}" for place in range(40)]
    register = pd.DataFrame({"cluster": places, "kind": "container", "x": 0.0, "y": 0.0})
    register["x"] = 1000.0 * np.arange(40)
    given = pd.DataFrame({"cluster": places, "action": action, "first_day": BEGUN})
    given["drawn"] = ["yes", "no"] * 20
    stores = {"containers": register, "inspections": table, "actions": given}
    return {f"enforcement.{name}": store for name, store in stores.items()}


def row(data: dict[str, pd.DataFrame], cause: str = "residual") -> pd.Series:
    table = taken_over.judged(data)
    assert isinstance(table, pd.DataFrame)
    return table.set_index("cause").loc[cause]


def test_a_measured_range_takes_the_place_of_the_assumed_one_with_its_source() -> None:
    data = town(residual=0.3)
    own = row(data)
    assert own["outcome"] == effects.MEASURED and own["verdict"] == effect.HELPED
    assert [own["low"], own["high"]] == pytest.approx([0.3 / 0.5 - 1] * 2, abs=0.01)
    assert own["source"] == (
        "measured beside places drawn to wait: 6,400 looks at 20 places, 2025-07-07 to 2025-08-25"
    )
    used = taken_over.used(taken_over.judged(data)).set_index("cause")
    assert used.loc["residual", ["low", "high"]].tolist() == [-own["high"], -own["low"]]
    assert used.loc["residual", "basis"] == effects.MEASURED
    assert set(used.drop("residual")["basis"]) == {effects.ASSUMED}
    assert "1 measured in this city, 4 ranges assumed" in taken_over.caption(used.reset_index())
    # And the plan reckons with it.
    rates = pd.DataFrame({"cluster": ["P00"], "rate": [0.5], "sd": [0.1], "inspections": [9]})
    rates = rates.assign(with_waste=4, residual=4)
    causes = pd.DataFrame({"cluster": ["P00"], "residual": [0.8], "weight": [9.0]})
    choices = wisdom.options(rates, causes, used.reset_index())
    middle = -(own["low"] + own["high"]) / 2
    assert choices["Enforcement"]["expected"].item() == pytest.approx(0.5 * 0.8 * middle)


def test_where_what_should_not_move_did_the_assumption_stays() -> None:
    data = town(residual=0.3, bulky=0.3)
    own = row(data)
    assert own["verdict"] == effect.HELPED
    assert own["outcome"] == "assumed: moved too: do not credit the action alone"
    pd.testing.assert_frame_equal(taken_over.used(taken_over.judged(data)), effects.EFFECTS)


def test_an_interval_that_leaves_both_open_is_no_help() -> None:
    data, rng = town(), np.random.Generator(np.random.PCG64(5))
    table = data["enforcement.inspections"]
    chance = table["inspections"].clip(upper=3).to_numpy()
    drawn = {name: rng.binomial(chance, 0.3) for name in ("residual", "bulky")}
    data["enforcement.inspections"] = table.assign(inspections=3, with_waste=3, **drawn)
    own = row(data)
    assert own["low"] < -0.1 < 0 < own["high"]
    assert own["outcome"] == "assumed: not enough evidence" and own["source"] == ""
    used = taken_over.used(taken_over.judged(data))
    pd.testing.assert_frame_equal(used, effects.EFFECTS)
    assert "every range is assumed" in taken_over.caption(used)


def test_no_effect_that_matters_is_a_finding_and_says_so() -> None:
    own = row(town(residual=0.49))
    used = taken_over.used(taken_over.judged(town(residual=0.49))).set_index("cause")
    assert own["verdict"] == effect.NO_EFFECT and own["outcome"] == effects.MEASURED
    assert own["source"].endswith(f"2025-08-25, {effect.NO_EFFECT}")
    assert used.loc["residual", "high"] < 0.1


def test_without_actions_all_is_assumed_and_the_page_says_why() -> None:
    data = town()
    del data["enforcement.actions"]
    found = taken_over.judged(data)
    assert isinstance(found, Absent) and "does not deliver enforcement.actions" in found.reason
    assert taken_over.used(found) is effects.EFFECTS


def test_an_action_that_no_plan_has_is_left_alone() -> None:
    assert len(taken_over.judged(town(action="a song"))) == 0
    assert taken_over.used(taken_over.judged(town(action="a song"))).equals(effects.EFFECTS)


def test_the_rounds_of_a_day_know_what_was_measured_before_it() -> None:
    data = town(residual=0.5, bulky=0.2, action=BULKY)
    later = taken_over.on_a_day(data, pd.Timestamp("2025-09-08")).set_index("cause")
    assert later.loc["bulky", "basis"] == effects.MEASURED
    assert later.loc["bulky", ["low", "high"]].to_numpy(float) == pytest.approx(0.6, abs=0.01)
    said = taken_over.of_rounds(later.reset_index())
    assert said.endswith("2025-07-07 to 2025-08-25)") and "(measured beside" in said
    assert "70 to 100 % of what it was sent for (assumption" in taken_over.of_rounds(
        effects.EFFECTS
    )
    # On the morning that it began nobody had looked yet.
    assert taken_over.on_a_day(data, BEGUN).equals(effects.EFFECTS)
