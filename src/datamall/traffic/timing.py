"""Webster's plan of one junction in one peak: what it must serve, its greens and its cycle."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.traffic import safety, signals
from datamall.traffic.weekly import Floats


def demanded(
    groups: pd.DataFrame,
    flow: Floats,
    cut: NDArray[np.bool_],
    doubtful: NDArray[np.bool_],
    headroom: float,
) -> Floats:
    """Return the flow that a plan must serve, with headroom where it is or may be cut off.

    Parameters
    ----------
    groups
        Lane groups of one junction, as from `peaks.lane_groups`.
    flow
        What was served in the busiest hour, pcu per hour.
    cut, doubtful
        Whether it is cut off, and whether that cannot be told.
    headroom
        As in `plans.Rules`.
    """
    most = groups["saturation_flow"] * ((1 + headroom) * groups["green"] / groups["cycle"])
    # What may be cut off gets the same room on top of what was served, as far as that is known.
    room = np.minimum((1 + headroom) * flow, np.fmax(flow, most.to_numpy()))
    demand = np.where(doubtful, room, flow)
    return np.where(cut, np.maximum(flow, most.to_numpy()), demand)


def shortest_greens(groups: pd.DataFrame) -> Floats:
    """Return the shortest green of each lane group in whole seconds: its own and of who walks."""
    return np.ceil(
        groups[["minimum_green", "pedestrian_time"]].max(axis=1).fillna(0).to_numpy(float)
    )


def timed(
    demand: Floats,
    saturation: Floats,
    phase: NDArray[np.int64],
    least: Floats,
    lost: float,
    now: float,
    longest: float,
) -> tuple[Floats, float]:
    """Return Webster's greens of the phases in whole seconds, and the cycle.

    Parameters
    ----------
    demand, saturation
        pcu per hour of each lane group.
    phase
        Number of the phase of each lane group, from 0 on.
    least
        Shortest green of each phase, in whole seconds.
    lost, now
        Lost time and cycle of now, in seconds.
    longest
        Longest cycle, in seconds.

    Notes
    -----
    Of Webster's cycle and that of now, divided anew, the one with less delay at these flows. Where
    least greens leave a phase less than its share, his formula does not hold: a cycle as short
    starves the others. Then every whole second up to the longest cycle is tried.
    """
    ratio = np.zeros(len(least))
    np.maximum.at(ratio, phase, demand / saturation)
    optimal = float(signals.optimal_cycle(float(ratio.sum()), lost))
    shortest = max(least.sum() + lost, safety.CYCLES[0])
    # Whole seconds of green; never beyond the longest cycle.
    most = np.floor(longest - lost + 1e-9)
    rooms = [min(np.ceil(max(one, shortest) - lost - 1e-9), most) for one in (optimal, now)]
    if (signals.split(ratio, lost + rooms[0], lost) < least).any():
        rooms += list(np.arange(rooms[0] + 1, most + 1))
    found = []
    for room in rooms:
        green = _whole(signals.split(ratio, lost + room, lost, least), room)
        share = green[phase] / (lost + room)
        delay = signals.control_delay(demand, saturation * share, share, lost + room).total
        found.append(((delay * demand).sum().round(6), float(lost + room), green))
    _, cycle, green = min(found, key=lambda one: one[:2])
    return green, cycle


def _whole(green: Floats, total: float) -> Floats:
    """Round greens to whole seconds with the same sum (largest remainders first)."""
    floor = np.floor(green + 1e-9)
    order = np.argsort(-(green - floor).round(9), kind="stable")
    floor[order[: round(total - floor.sum())]] += 1
    return floor
