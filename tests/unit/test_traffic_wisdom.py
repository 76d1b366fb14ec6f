"""Verdicts on plans, what to measure, and the records that people complete."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from signal_cases import NO_CUT, cars, cut_off, junction, volumes

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import peaks, plans, serial, wisdom

RULES = plans.Rules(longest_cycle=120, headroom=0.2, coverage=0.75)
# Weeks differ, so that there is an interval; both weeks that judge and weeks that choose do.
WEEKS = np.repeat([1.0, 1.05, 1.1, 0.95, 0.9, 1.0, 1.05, 0.95], 7)


def proposals(
    worth: float = 3, spread: float = 1, **kwargs: object
) -> tuple[pd.DataFrame, tuple, tuple]:
    flow = {
        key: value * (1 + spread * (WEEKS - 1))
        for key, value in cars(north=kwargs.get("north", 600)).items()
    }
    flow |= {("east", "-", "bike"): 90}
    parts = volumes(flow, kwargs.get("groups"), weeks=8)  # type: ignore[arg-type]
    found = plans.propose(parts, kwargs.get("plateaus", NO_CUT), RULES)
    return wisdom.proposals(parts, found, 0.9, worth), parts, found


def test_verdicts_follow_from_the_interval_and_what_is_worth_it() -> None:
    table, _, _ = proposals(worth=0)
    assert (table["verdict"] == wisdom.RECOMMENDED).all()
    gain, low, high = (table[name].iloc[0] for name in ("gain", "low", "high"))
    assert 0 < low < gain < high
    for worth, verdict in (
        (low - 1e-6, wisdom.RECOMMENDED),
        (gain, wisdom.DOUBT),
        (high + 1e-6, wisdom.KEEP),
    ):
        assert proposals(worth)[0]["verdict"].iloc[0] == verdict
    with pytest.raises(DatamallError, match="worth"):
        proposals(-1)


def test_the_plan_of_now_is_kept_where_no_other_is_found() -> None:
    # The greens of now are what Webster's cycle gives at these flows: nothing is gained.
    table, _, found = proposals()
    green = found[0].green[:, 1]
    cycle = table.loc[table["peak"] == "evening", "cycle"].iloc[0]
    same, _, _ = proposals(groups=junction(green=green, cycle=cycle))
    evening = same[same["peak"] == "evening"].iloc[0]
    assert evening["verdict"] == wisdom.KEEP
    assert (evening["gain"], evening["low"], evening["high"]) == (0, 0, 0)


def test_who_gains_and_who_waits() -> None:
    table, _, _ = proposals(worth=0)
    row = table.iloc[0]
    assert row["motor"] + row["bike"] + row["pedestrian"] == pytest.approx(row["gain"])
    assert row["bike_wait_now"] == pytest.approx(38**2 / 120)
    green = float(row["greens"].split("→ ")[-1].split(" ")[0])
    assert row["bike_wait"] == pytest.approx((row["cycle"] - green) ** 2 / (2 * row["cycle"]))
    assert np.isnan(row["pedestrian_wait"])
    other = float(row["greens"].split("→ ")[1].split(" ")[0])
    assert row["longest_red"] == row["cycle"] - min(green, other)


def test_refusals_keep_their_reason_and_come_after_plans() -> None:
    table, _, _ = proposals(groups=junction(phase=None))
    assert (table["verdict"] == wisdom.REFUSED).all()
    assert table["reason"].str.startswith("Conflict data missing").all()
    assert table[["gain", "low", "ratio_sum", "served", "optimal_cycle"]].isna().all(axis=None)


def test_a_first_step_says_so() -> None:
    short = junction(green=[37.0, 15.0, 15.0])  # the north can be served 500 an hour
    # No week is above that: what it would leave over would be all that an interval shows.
    table, _, _ = proposals(groups=short, north=450, plateaus=cut_off("north"))
    reason = table.set_index("peak")["reason"]
    assert reason["evening"].endswith(
        "A first step: demand of north LSR is cut off, so measure again after it."
    )
    assert "first step" not in reason["morning"]


def test_what_to_measure_by_hand() -> None:
    table, parts, found = proposals(worth=0)
    confirm = wisdom.to_confirm(parts, found, table, 4, 0.9, 0.8)
    row = confirm.iloc[0]
    weeks = found[0].lost.sum(axis=0)[0, 1].reshape(8, 5).mean(axis=1)
    assert row["week_sd"] == pytest.approx(weeks.std(ddof=1))
    assert row["lost"] == pytest.approx(weeks.mean())
    # Weeks that resemble each other tell less than as many that do not.
    factor = (stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) * weeks.std(ddof=1)
    assert row["detectable"] > factor * np.sqrt(2 / 4)
    assert row["detectable"] == pytest.approx(serial.findable(weeks, 4, 0.9, 0.8))
    needed = serial.weeks_needed(weeks, row["gain"], 0.9, 0.8)
    assert row["weeks_needed"] == needed
    assert row["enough"] == (needed <= 4)
    assert needed > 2
    # A single week shows no spread, however alike weeks are.
    alike, parts, found = proposals(worth=0, spread=0.01)
    assert wisdom.to_confirm(parts, found, alike, 4, 0.9, 0.8)["weeks_needed"].tolist() == [2, 2]


@pytest.mark.parametrize(("weeks", "power", "name"), [(0, 0.8, "weeks"), (4, 1, "power")])
def test_impossible_measurements_are_refused(weeks: int, power: float, name: str) -> None:
    table, parts, found = proposals()
    with pytest.raises(DatamallError, match=name):
        wisdom.to_confirm(parts, found, table, weeks, 0.9, power)


def test_nothing_to_try_is_nothing_to_measure() -> None:
    table, parts, found = proposals(worth=1000)
    assert wisdom.to_confirm(parts, found, table, 4, 0.9, 0.8).empty


def test_records_leave_the_decision_to_people() -> None:
    table, _, _ = proposals(worth=0)
    refused, _, _ = proposals(groups=junction(phase=None))
    record, no_plan = (wisdom.decision_records(own).iloc[0] for own in (table, refused))
    assert record["recommended"].startswith(f"cycle {table['cycle'].iloc[0]:.0f} s, 1: 30 →")
    assert "person-hours a peak less (" in record["expected"]
    assert no_plan["recommended"] == "no change now: no plan"
    assert no_plan["expected"].startswith("Conflict data missing")


def test_the_map_says_what_is_needed_most() -> None:
    about = pd.DataFrame({"site": [*"ABCDE"], "name": "n", "x": 1.0, "y": [2, 3, 4, 5, 6.0]})
    verdicts = {
        ("A", "morning"): (wisdom.RECOMMENDED, ""),
        ("A", "evening"): (wisdom.REFUSED, f"Flows need 1: {plans.OVER}"),
        ("B", "evening"): (wisdom.RECOMMENDED, ""),
        ("C", "evening"): (wisdom.REFUSED, "Conflict data missing."),
        ("D", "evening"): (wisdom.KEEP, ""),
        ("E", "morning"): (wisdom.DOUBT, ""),
        ("E", "evening"): (wisdom.KEEP, ""),
    }
    table = pd.DataFrame(
        [(*key, *value) for key, value in verdicts.items()],
        columns=["site", "peak", "verdict", "reason"],
    )
    needs = wisdom.on_map(about, table)["needs"].tolist()
    assert needs[:3] == ["more than timing", "another signal plan", "data first"]
    assert needs[3:] == ["none", wisdom.DOUBT]
    nowhere = wisdom.on_map(about.assign(x=np.nan), table)
    assert isinstance(nowhere, Absent)


def test_gaps_are_passed_on() -> None:
    gap = peaks.lane_groups({})
    assert isinstance(gap, Absent)
    assert wisdom.proposals(gap, gap, 0.9, 3) is gap
    assert wisdom.to_confirm(gap, gap, gap, 4, 0.9, 0.8) is gap
    assert wisdom.decision_records(gap) is gap


def test_weeks_that_are_all_alike_do_not_make_the_formula_right() -> None:
    table, _, _ = proposals(worth=0, spread=0)
    # Two plans: each interval at 95 %.
    assert wisdom.MODEL_ERROR > 0
    width = stats.norm.ppf(0.975) * wisdom.MODEL_ERROR * table["gain"]
    assert (table["high"] - table["gain"]).to_numpy() == pytest.approx(width.to_numpy())
    assert (table["gain"] - table["low"]).to_numpy() == pytest.approx(width.to_numpy())
