"""Queue lengths: how far back vehicles stop in the peak, and whether there is room for them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.requirements import passes_absent
from datamall.traffic import queues, weekly
from datamall.traffic.capacity import (
    CUT_OFF,
    NOT_ENOUGH,
    UNKNOWN_DEMAND,
    WRONG_CAPACITY,
    carried,
    cut_off,
    exceeded,
)
from datamall.traffic.peaks import PEAKS, Peaks
from datamall.traffic.weekly import Floats

FITS, SPILLS = "fits in its lanes", "longer than its lanes"
SHORT, REACHES = "reaches no junction on file", "may reach a junction"
NO_ROOM = "not delivered: length of the lanes, or where junctions lie"
NO_LANES = "not delivered: number of lanes"
MAYBE = "it may be cut off or not"
LANES, NEIGHBOUR = "its lanes", "as the crow flies to "
HEADINGS = {
    "basis": "Room is",
    "demand": "Demand",
    "low_metres": "From (m)",
    "metres": "Metres of each lane",
    "high_metres": "To (m)",
    "room": "Room (m)",
    "vehicles": "Queue (vehicles)",
    "verdict": "Verdict",
}


@passes_absent
def lengths(
    parts: tuple[Peaks, ...], groups: pd.DataFrame, plateaus: pd.DataFrame, confidence: float
) -> pd.DataFrame:
    """Return the queue of each lane group in its peak, and whether there is room for it.

    Parameters
    ----------
    parts, groups, plateaus
        As from `peaks.peaks`, `peaks.lane_groups` and `censoring.plateaus`.
    confidence
        Probability with which all intervals of the table hold together.

    Returns
    -------
    pandas.DataFrame
        site, name, approach, lane_group, peak (of the two that with the longer queue), vehicles (of
        all its lanes, that in 95 of 100 cycles are not exceeded in the quarter of the peak hour
        with the longest queue; mean over days) with low and high, metres (of each lane) with
        low_metres and high_metres, room (m), basis (what the room is), verdict, demand and days.
        The longest queue first.

    Notes
    -----
    `queues.back_of_queue` with the plan of now; its lanes are taken to be used alike, and a
    passenger car to take `queues.SPACING` metres. The room is the storage length of its lanes, or
    else the distance to the nearest junction on file: as the crow flies, so that no street to it is
    shorter; whether the approach leads there is not known. Verdicts need the whole interval; where
    more may come than was counted, no queue is said to fit.
    """
    frames, values = [], []
    for own in parts:
        frame, found = _lengths(own, plateaus)
        frames.append(frame)
        values.append(found)
    together = sum(int((~np.isnan(v)).any(axis=1).sum()) for v in values)
    means = [
        weekly.means(v, own.week, confidence, together)
        for v, own in zip(values, parts, strict=True)
    ]
    table = pd.concat(frames, ignore_index=True)
    for name, column in {"vehicles": "mean", "low": "low", "high": "high", "days": "days"}.items():
        table[name] = np.concatenate([getattr(found, column) for found in means])
    table["low"] = table["low"].clip(lower=0)
    for name, column in {"metres": "vehicles", "low_metres": "low", "high_metres": "high"}.items():
        table[name] = table[column] / table["lanes"] * queues.SPACING
    near = _neighbours(groups)
    stored = table["storage_length"].notna()
    table["room"] = table["storage_length"].fillna(table["site"].map(near["room"]))
    basis = NEIGHBOUR + table["site"].map(near["site"]).astype(str)
    table["basis"] = np.where(stored, LANES, np.where(table["room"].notna(), basis, ""))
    table["verdict"] = _verdicts(table, stored)
    table["order"] = -table["vehicles"].round(9)
    keys = ["site", "approach", "lane_group"]
    table = table.sort_values(["order", *keys, "peak"]).drop_duplicates(keys)
    columns = ["site", "name", "approach", "lane_group", "peak", "vehicles", "low", "high"]
    columns += ["metres", "low_metres", "high_metres", "room", "basis", "verdict", "demand", "days"]
    return table[columns].reset_index(drop=True)


def _lengths(own: Peaks, plateaus: pd.DataFrame) -> tuple[pd.DataFrame, Floats]:
    """Return one row per lane group and peak, and its queue in vehicles of each day."""
    found = []
    for _, part in own.parts():
        lanes = part.groups["lanes"].fillna(1).to_numpy(float)[:, None, None, None]
        # Only a peak hour that was counted in full has a longest quarter.
        hour = part.start[:, None, :, None] + np.arange(60 // part.interval)
        hour = np.broadcast_to(hour, (*part.volume.shape[:3], hour.shape[3]))
        flow = carried(part, part.groups["green"], part.groups["cycle"]).of(hour)
        back = queues.back_of_queue(*flow[:5], lanes=lanes, period=flow.period)
        found.append((back.high * lanes).max(axis=3))
    longest = np.concatenate(found)
    wrong = ~np.isnan(exceeded(own, plateaus)[0])
    longest[wrong] = np.nan
    about = ["site", "name", "approach", "lane_group", "lanes", "storage_length"]
    table = own.groups.loc[own.groups.index.repeat(len(PEAKS)), about].reset_index(drop=True)
    table["peak"] = np.tile(list(PEAKS), len(own.groups))
    cut, doubt = (cut_off(own, plateaus, verdict).ravel() for verdict in (CUT_OFF, NOT_ENOUGH))
    known = [np.repeat(wrong, len(PEAKS)), cut, doubt]
    table["demand"] = np.select(known, [WRONG_CAPACITY, UNKNOWN_DEMAND, MAYBE], "")
    return table, np.moveaxis(longest, 2, 1).reshape(len(table), -1)


def _neighbours(groups: pd.DataFrame) -> pd.DataFrame:
    """Return of each junction (index) the nearest other one, `site`, and its distance, `room`."""
    places = groups.groupby("site")[["x", "y"]].first().dropna()
    empty = pd.DataFrame({"site": pd.Series(dtype=object), "room": pd.Series(dtype=float)})
    if len(places) < 2:
        return empty
    x, y = places.to_numpy(float).T
    away = np.hypot(x[:, None] - x, y[:, None] - y).round(6)
    np.fill_diagonal(away, np.inf)
    first = away.argmin(axis=1)
    room = np.take_along_axis(away, first[:, None], axis=1)[:, 0]
    found = pd.DataFrame({"site": places.index[first], "room": room}, index=places.index)
    return found[found["room"] > 0]  # two junctions at one place have no street between them


def _verdicts(table: pd.DataFrame, stored: pd.Series) -> NDArray[np.str_]:
    """Return whether there is room, as far as that is known."""
    low, high = table["low_metres"].round(6), table["high_metres"].round(6)
    over, within = low > table["room"], (high < table["room"]) & (table["demand"] == "")
    steps = [
        table["vehicles"].isna(),
        table["lanes"].isna(),
        table["room"].isna(),
        over & stored,
        over,
        within & stored,
        within,
    ]
    words = [NOT_ENOUGH, NO_LANES, NO_ROOM, SPILLS, REACHES, FITS, SHORT]
    return np.select(steps, words, NOT_ENOUGH)


@passes_absent
def longest(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return the rows of `lengths` with the most metres of a lane, with `where` that names each."""
    known = table.dropna(subset="metres")
    order = np.argsort(-known["metres"].round(6).to_numpy(), kind="stable")
    known = known.iloc[order].head(rows)
    where = known["site"] + " " + known["approach"] + " " + known["lane_group"]
    return known.assign(where=where + ", " + known["peak"])


@passes_absent
def describe(table: pd.DataFrame) -> str:
    """Say how long queues get; `table` as from `lengths`."""
    known = table.dropna(subset="vehicles")
    if known.empty:
        return "Of no lane group is it known how long its queue gets."
    top, number = known.iloc[0], known["verdict"].value_counts()
    said = "; ".join(f"{word}: {number[word]}" for word in sorted(number.index))
    metres = "" if np.isnan(top["metres"]) else f", {top['metres']:.0f} metres of each lane"
    where = f"{top['approach']} {top['lane_group']} at {top['name']} in the {top['peak']}"
    return (
        f"Queues of {len(known)} lane groups in their peak ({said}). The longest is {where}: "
        f"{top['vehicles']:.0f} passenger cars ({top['low']:.0f} to {top['high']:.0f}){metres}."
    )
