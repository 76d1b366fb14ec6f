"""What a council can choose, reckoned by hand at a small junction."""

import shutil
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from dvc.utils.hydra import apply_overrides
from signal_cases import NO_CUT, PEOPLE, cars, counts, cut_off, junction

from datamall.errors import DatamallError
from datamall.project import load_parameters
from datamall.reporting.parameters import declared
from datamall.requirements import Absent
from datamall.traffic import (
    measures,
    peaks,
    plans,
    scenario_tables,
    scenario_words,
    scenarios,
    signals,
)

ROOT = Path(__file__).parents[2]
RULES = plans.Rules(longest_cycle=120, headroom=0.2, coverage=0.75)
ASSUMED = measures.Assumed(
    lane_flow=1500, bike_green=8, bike_lost=4, ban_gone=0.25, detour=120, dosing=0.85
)
HOURS = 3  # of a peak
BIKES = {("east", "-", "bike"): 90, ("north", "-", "pedestrian"): 60}


def with_left() -> pd.DataFrame:
    """Return a third phase for left-turners from the north: 22 + 30 + 14 s, 12 s lost, 78 s."""
    table = junction(pedestrian_time=6.0, lost_time=12.0, cycle=78.0)
    left = table.iloc[[1]].assign(lane_group="L", phase="3", saturation_flow=1600, green=14.0)
    table["lane_group"] = ["LSR", "SR", "LSR"]
    return pd.concat([table, left], ignore_index=True)


def turning(left: Any = 200, north: Any = 600) -> dict[tuple[str, str, str], Any]:
    rest = {("east", "LSR", "car"): 300, ("south", "LSR", "car"): 400}
    return rest | {("north", "SR", "car"): north, ("north", "L", "car"): left}


def compared(
    flow: dict | None = None,
    groups: pd.DataFrame | None = None,
    scenario: str = scenarios.TIMINGS,
    plateaus: pd.DataFrame = NO_CUT,
    assumed: measures.Assumed = ASSUMED,
    weeks: int = 4,
    changed: pd.DataFrame | None = None,
) -> scenarios.Compared:
    table = junction(pedestrian_time=6.0) if groups is None else groups
    known = peaks.lane_groups({"traffic.junctions": table})
    own = peaks.peaks(counts(flow or cars() | BIKES, weeks), known, None, PEOPLE)
    found = plans.propose(own, plateaus, RULES, changed)
    return scenarios.compare(own, found, plateaus, RULES, assumed, scenario)


def row(found: scenarios.Compared, scenario: str) -> pd.Series:
    table = scenario_tables.options(found, 0.9, 3.0)
    [number] = np.flatnonzero((table["scenario"] == scenario) & (table["peak"] == "evening"))
    return table.iloc[number]


def lost(flow: list[float], saturation: list[float], green: list[float], cycle: float) -> float:
    """Return person-hours of a peak, 1.5 people in a car."""
    share = np.array(green) / cycle
    delay = signals.control_delay(flow, np.array(saturation) * share, share, cycle).total
    return float((1.5 * np.array(flow) * delay).sum() / 3600 * HOURS)


NOW = lost([300, 600, 400], [1500, 2000, 2000], [22, 30, 30], 60)


def test_nothing_saves_nothing_and_timings_are_the_plan() -> None:
    found = compared(cars())
    assert row(found, "nothing")["gain"] == 0
    timings = row(found, "timings")
    then = lost([300, 600, 400], [1500, 2000, 2000], [10, 16, 16], 34)  # Webster's, by hand
    assert timings["gain"] == pytest.approx(NOW - then)
    assert timings["cycle"] == 34


def test_a_turn_lane_goes_to_the_fullest_lane_group() -> None:
    # The north serves 1,000 pcu/h and has 600; the east 550 and 300: .6 and .55. With 1,500 more,
    # the south decides on its phase: y = .2 and .2, C = 17 / .6 = 28.3, at least 30 s (RiLSA).
    one = row(compared(cars()), "turn lane")
    assert one["what"] == "one more lane for north LSR"
    assert one["cycle"] == 30
    then = lost([300, 600, 400], [1500, 3500, 2000], [11, 11, 11], 30)  # 22 s, half and half
    assert one["gain"] == pytest.approx(NOW - then)
    assert one["verdict"] == "saves time"


def test_who_crosses_a_wider_street_gets_the_time() -> None:
    groups = peaks.lane_groups({"traffic.junctions": junction()})
    own = peaks.peaks(counts(cars(), 4), groups, None, PEOPLE)[0]
    ratio = np.tile([[0.5], [0.6], [0.4]], 2)
    then = measures.turn_lane(own, ratio, ASSUMED).own.groups
    assert then["saturation_flow"].tolist() == [1500, 3500, 2000]
    assert then["pedestrian_time"].tolist() == pytest.approx([10 + 2.75 / 1.2, 12, 12])
    assert then["capacity"].tolist() == pytest.approx([550, 1750, 1000])
    assert own.groups["saturation_flow"].tolist() == [1500, 2000, 2000]  # now stays as it is


def test_a_bike_phase_costs_cars_its_time_and_gives_cyclists_its_green() -> None:
    one = row(compared(), "bike phase")
    # L = 8 + 8 + 4 = 20: C = (30 + 5) / .5 = 70, 50 s of green as 3 to 2.
    assert one["cycle"] == 70
    then = lost([300, 600, 400], [1500, 2000, 2000], [20, 30, 30], 70)
    assert one["motor"] == pytest.approx(NOW - then)
    assert one["bike"] == pytest.approx(90 * HOURS * (38**2 / 120 - 62**2 / 140) / 3600)
    assert one["pedestrian"] == pytest.approx(60 * HOURS * (30**2 / 120 - 40**2 / 140) / 3600)
    assert one["bike"] < 0  # safe, but 8 s once a cycle are a longer wait
    assert "Cyclists are not counted" in row(compared(cars()), "bike phase")["reason"]


def test_a_ban_gives_its_green_away_and_saves_nothing_for_whom_it_stops() -> None:
    found = compared(turning(), with_left())
    one = row(found, "ban")
    assert one["what"] == "no left turn from north"
    # Without the third phase L = 8, y = .3 and .2: Webster's 34 s again.
    assert one["cycle"] == 34
    rest = lost([300, 600, 400], [1500, 2000, 2000], [22, 30, 30], 78)
    then = lost([300, 600, 400], [1500, 2000, 2000], [10, 16, 16], 34)
    way = 200 * 1.5 * HOURS * 120 / 3600
    assert one["all_gone"] == pytest.approx(rest - then)
    assert one["all_round"] == pytest.approx(rest - then - way)
    assert one["gain"] == pytest.approx(rest - then - 0.75 * way)
    moved = found.rows[(found.rows["scenario"] == "ban") & (found.rows["peak"] == "evening")]
    assert moved[["moved", "approach"]].to_numpy().tolist() == [[200, "north"]]
    table = scenario_tables.options(found, 0.9, 3.0)
    total = scenario_tables.totals(found, table, 0.9).set_index("scenario").loc["ban"]
    # Both peaks are alike.
    assert total["all_gone"] - total["all_round"] == pytest.approx(2 * way)


def test_a_ban_needs_a_count_of_whom_it_stops() -> None:
    assert "how many a ban would stop is not known" in row(compared(), "ban")["reason"]


def test_a_ban_must_win_both_ways() -> None:
    flow, groups = turning(), with_left()
    base = row(compared(flow, groups), "ban")
    assert base["all_gone"] > 3 > base["all_round"]
    assert base["verdict"] == "not enough evidence"
    near = measures.Assumed(1500, 8, 4, 0.25, detour=0, dosing=0.85)
    assert row(compared(flow, groups, assumed=near), "ban")["verdict"] == "saves time"


def test_dosing_moves_the_queue_upstream() -> None:
    # North 900 of 1,000 pcu/h; 850 are let in: 50 more wait each hour, for three hours.
    found = compared(cars(north=900))
    one = row(found, "dosing")
    assert one["what"] == "north LSR lets in 850 pcu/h at most"
    waited = 1.5 * 50 * HOURS**2 / 2
    now = lost([300, 900, 400], [1500, 2000, 2000], [22, 30, 30], 60)
    # y = .425 and .2: C = 17 / .375 = 45.3, 38 s of green as 17 to 8.
    assert one["cycle"] == 46
    then = lost([300, 850, 400], [1500, 2000, 2000], [12, 26, 26], 46)
    assert one["motor"] == pytest.approx(now - then - waited)
    assert one["verdict"] == "costs time"
    moved = found.rows[(found.rows["scenario"] == "dosing") & (found.rows["peak"] == "evening")]
    assert moved["moved"].tolist() == pytest.approx([150])
    assert "there is nothing to hold back" in row(compared(), "dosing")["reason"]


def test_a_queue_that_is_held_back_goes_in_later() -> None:
    came = np.array([[1200.0, 800, 600, 1000], [1200, np.nan, 800, 800], [np.nan] * 4])
    passed, waited, longest = measures.held_back(came, 1000, 0.25)
    assert passed[0].tolist() == [1000, 1000, 600, 1000]
    assert waited[0] == pytest.approx((0 + 50) / 2 * 0.25 + (50 + 0) / 2 * 0.25)
    assert longest[:2].tolist() == [50, 50]
    assert np.isnan(passed[1, 1])  # what was not counted is not made up, but may fill the gap
    assert np.isnan([waited[2], longest[2]]).all()


def test_no_verdict_where_demand_is_cut_off() -> None:
    found = compared(plateaus=cut_off("north"))
    table = scenario_tables.options(found, 0.9, 3.0)
    evening = table[(table["peak"] == "evening") & (table["reason"] == "")]
    assert set(evening["verdict"]) == {"", "not enough evidence"}
    assert set(evening["unknown"]) == {"north LSR"}
    morning = table[(table["peak"] == "morning") & (table["scenario"] == "turn lane")]
    assert morning["verdict"].tolist() == ["saves time"]


def test_refusals_of_plans_hold_here_too() -> None:
    unsafe = compared(groups=junction(lost_time=2.0, cycle=54.0))
    table = scenario_tables.options(unsafe, 0.9, 3.0)
    changes = table[table["scenario"] != "nothing"]
    assert set(changes["verdict"]) == {"not reckoned"}
    assert changes["reason"].str.startswith("Not safe or not true").all()
    assert changes[["gain", "low", "high", "motor"]].isna().all(axis=None)


def test_what_no_timing_solves_another_measure_may() -> None:
    over = compared(cars(north=1500) | BIKES)  # y = .75 + .2
    assert row(over, "timings")["reason"].endswith(plans.OVER)
    one = row(over, "turn lane")
    assert one["reason"] == ""
    assert one["gain"] > 100


def test_totals_add_up_and_weeks_are_the_witnesses() -> None:
    weekly = np.repeat([700.0, 560, 600, 640, 720, 580], 7)
    found = compared(cars(north=weekly) | BIKES, weeks=6)
    table = scenario_tables.options(found, 0.9, 3.0)
    total = scenario_tables.totals(found, table, 0.9).set_index("scenario")
    for name in ("timings", "turn lane", "bike phase"):
        own = table[table["scenario"] == name]
        assert total.loc[name, "gain"] == pytest.approx(own["gain"].sum())
        assert total.loc[name, "low"] < total.loc[name, "gain"] < total.loc[name, "high"]
        parts = total.loc[name, ["motor", "bike", "pedestrian"]].sum()
        assert parts == pytest.approx(total.loc[name, "gain"])
    assert total.loc["ban", "done"] == 0
    now = total.loc["nothing", "lost"]
    assert total.loc["timings", "lost"] == pytest.approx(now - total.loc["timings", "gain"])
    assert total["price"].tolist() == ["none"] + ["not delivered"] * 5


def test_legs_add_up_to_the_junction() -> None:
    found = compared(cars(north=900) | BIKES, scenario="turn lane")
    legs = scenario_tables.legs(found, 0.9)
    evening = legs[legs["peak"] == "evening"]
    assert evening["approach"].tolist() == ["south", "east", "north"]  # who loses comes first
    assert evening["gain"].sum() == pytest.approx(row(found, "turn lane")["gain"])
    assert isinstance(scenario_tables.legs(compared(scenario="nothing"), 0.9), Absent)
    assert isinstance(scenario_tables.legs(compared(scenario="ban"), 0.9), Absent)


def test_words_of_the_answer() -> None:
    found = compared(cars(north=900) | BIKES)
    total = scenario_tables.totals(found, scenario_tables.options(found, 0.9, 3.0), 0.9)
    assert scenario_words.sentence(total, "timings", 0.9) == ""
    assert "stay lost" in scenario_words.sentence(total, "nothing", 0.9)
    assert "can be reckoned nowhere" in scenario_words.sentence(total, "ban", 0.9)
    said = scenario_words.sentence(total, "dosing", 0.9)
    assert said.startswith(" Dosing, at all 2 junctions and peaks at which it can be reckoned")
    assert "by +6" in said
    assert scenario_words.sentence(Absent("x", "y."), "ban", 0.9) == ""


@pytest.mark.parametrize(
    "wrong", [{"lane_flow": 0}, {"ban_gone": 1.2}, {"dosing": 1.1}, {"detour": -1}]
)
def test_what_cannot_be_assumed_is_refused(wrong: dict[str, float]) -> None:
    usual = {"lane_flow": 1500, "bike_green": 8, "bike_lost": 4, "ban_gone": 0.5}
    with pytest.raises(DatamallError, match=next(iter(wrong))):
        measures.Assumed(**(usual | {"detour": 60, "dosing": 0.9} | wrong))  # type: ignore[arg-type]


def test_every_scenario_can_be_asked_for(tmp_path: Path) -> None:
    """By `dvc exp run -S "traffic.scenario=turn lane"`: the notebook allows what is reckoned."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    known = declared(nbformat.read(ROOT / "notebooks" / "traffic.ipynb", 4), "traffic")
    assert known["scenario"].texts == scenarios.SCENARIOS
    for scenario in scenarios.SCENARIOS:
        apply_overrides(tmp_path / "params.yaml", [f"traffic.scenario={scenario}"])
        assert load_parameters(tmp_path)["traffic"]["scenario"] == scenario
    with pytest.raises(DatamallError, match="choose one of nothing, timings"):
        compared(scenario="a tunnel")


def test_greens_make_the_same_room_for_demand_that_is_cut_off() -> None:
    # A lane that adds nothing is timings alone, headroom included.
    none = measures.Assumed(1e-6, 8, 4, 0.25, 120, 0.85)
    found = compared(cars(north=950), plateaus=cut_off("north"), assumed=none)
    lane, timings = row(found, "turn lane"), row(found, "timings")
    assert lane["cycle"] == timings["cycle"]
    assert lane["gain"] == pytest.approx(timings["gain"], abs=1e-4)
    assert timings["cycle"] != row(compared(cars(north=950)), "timings")["cycle"]


def test_hours_are_of_who_was_counted() -> None:
    plateaus = cut_off("north")
    groups = peaks.lane_groups({"traffic.junctions": junction(pedestrian_time=6.0)})
    own = peaks.peaks(counts(cars(north=950), 4), groups, None, PEOPLE)
    [plan] = plans.propose(own, plateaus, RULES)
    saved = (plan.lost - plan.lost_then).sum(axis=0)[0, 1, plan.judged].mean()
    found = compared(cars(north=950), plateaus=plateaus)
    assert row(found, "timings")["gain"] == pytest.approx(saved)


def test_what_may_matter_or_not_is_not_little() -> None:
    weekly = np.repeat([700.0, 560, 600, 640, 720, 580], 7)
    found = compared(cars(north=weekly), weeks=6)
    gain = row(found, "timings")["gain"]
    for worth, said in ((gain, "not enough evidence"), (1000, "changes little"), (0, "saves time")):
        table = scenario_tables.options(found, 0.9, worth)
        assert set(table.loc[table["scenario"] == "timings", "verdict"]) == {said}
