"""Formulas of signals give the published values, to the printed digit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamall.traffic import signals


@pytest.fixture(scope="module")
def truth(shared: Path) -> dict[str, Any]:
    text = (shared / "truth" / "external_truth.json").read_text("utf-8")
    return json.loads(text)


def digits(value: float, printed: float) -> bool:
    """Return whether a value, rounded to the digits of a printed one, is that printed one."""
    places = len(str(printed).split(".")[1])
    return round(float(value), places) == printed


@pytest.mark.parametrize("number", [0, 1])
def test_webster(truth: dict[str, Any], number: int) -> None:
    case = truth["webster_1958"]["cases"][number]
    ratios = np.array(case["q"]) / np.array(case["s"])
    cycle = signals.optimal_cycle(ratios.sum(), case["lost_time_s"])
    assert digits(cycle, case["cycle_s"])
    greens = signals.split(ratios, cycle, case["lost_time_s"])
    assert all(digits(g, p) for g, p in zip(greens, case["green_s"], strict=True))
    assert greens.sum() + case["lost_time_s"] == pytest.approx(cycle)


def test_uniform_delay(truth: dict[str, Any]) -> None:
    case = truth["uniform_delay_dd1"]
    delay = signals.uniform_delay(
        case["arrival_veh_h"], case["saturation_veh_h"], case["green_s"], case["cycle_s"]
    )
    assert digits(delay.mean, case["mean_delay_s"])
    assert digits(delay.total, case["total_delay_veh_s"])
    assert digits(delay.queue, case["max_queue_veh"])
    assert (float(delay.longest), float(delay.clearing)) == pytest.approx((70, 14))
    assert digits(delay.queued, 0.84)


def test_control_delay_with_the_cap_at_one(truth: dict[str, Any]) -> None:
    [case] = truth["hcm_control_delay"]["cases"]
    delay = signals.control_delay(case["v"], case["c"], case["g_over_C"], case["C"])
    assert digits(delay.ratio, case["X"])
    assert digits(delay.uniform, case["d1"])
    assert digits(delay.incremental, case["d2"])
    assert digits(delay.total, case["d"])
    assert signals.level_of_service(delay.total, delay.ratio) == case["los"]
    assert signals.level_of_service(delay.total, 1.0) == "E"  # by delay alone
    # Code that forgets min(1, X) would find a longer uniform delay here.
    uncapped = 0.5 * 90 * 0.6**2 / (1 - case["X"] * 0.4)
    assert uncapped - delay.uniform > 0.3
