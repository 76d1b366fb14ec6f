"""One small junction, counted for some weeks, with numbers that can be checked by hand."""

from typing import Any

import numpy as np
import pandas as pd

from datamall.traffic import cube, peaks

FIRST = pd.Timestamp("2025-03-03")  # a Monday
PEOPLE = peaks.Vehicles(pcu=(1.0, 2.0, 2.0), people=(1.5, 20.0, 1.1))
NO_CUT = pd.DataFrame(
    columns=["site", "approach", "movement", "mode", "hour_from", "hour_to", "verdict"]
)


def junction(**changes: Any) -> pd.DataFrame:
    """Two phases: north and south share the first one. Greens 30 and 22 + lost 8 = cycle 60."""
    table = pd.DataFrame(
        {
            "site": "K1",
            "approach": ["east", "north", "south"],
            "lane_group": "LSR",
            "name": "A – B",
            "x": 1000.0,
            "y": 2000.0,
            "phase": ["2", "1", "1"],
            "saturation_flow": [1500, 2000, 2000],
            "green": [22.0, 30.0, 30.0],
            "cycle": 60.0,
            "lost_time": 8.0,
            "minimum_green": 6.0,
            "pedestrian_time": [10.0, 12.0, 12.0],
        }
    )
    return table.assign(**changes)


def counts(flow: dict[tuple[str, str, str], Any], weeks: int = 4, minutes: int = 15) -> cube.Cube:
    """Return a cube of hourly flows by (approach, movement, mode).

    A flow is one number, or an array of one number a day.
    """
    keys = sorted(flow)
    series = pd.DataFrame(keys, columns=["approach", "movement", "mode"])
    series.insert(0, "site", "K1")
    series["detector"] = [f"D{number}" for number in range(len(keys))]
    shape = (7 * weeks, 24 * 60 // minutes)
    daily = [np.broadcast_to(np.asarray(flow[key], float)[..., None], shape) for key in keys]
    count = np.stack(daily).astype(np.float32) * minutes / 60
    days = pd.date_range(FIRST, periods=shape[0])
    return cube.Cube((cube.Block(series, days, minutes, count),))


def cars(north: Any = 600, south: Any = 400, east: Any = 300) -> dict[tuple[str, str, str], Any]:
    flows = {"north": north, "south": south, "east": east}
    return {(approach, "LSR", "car"): flow for approach, flow in flows.items()}


def volumes(
    flow: dict[tuple[str, str, str], Any] | None = None,
    groups: pd.DataFrame | None = None,
    weeks: int = 4,
    minutes: int = 15,
) -> tuple[peaks.Peaks, ...]:
    """Return the peaks of the junction."""
    table = junction() if groups is None else groups
    found = peaks.lane_groups({"traffic.junctions": table})
    return peaks.peaks(counts(flow or cars(), weeks, minutes), found, None, PEOPLE)


def cut_off(approach: str, first: int = 16, last: int = 19) -> pd.DataFrame:
    """Return plateaus in which one approach is cut off at capacity."""
    row = ("K1", approach, "LSR", "car", first, last, "cut off at capacity")
    return pd.DataFrame([row], columns=NO_CUT.columns)
