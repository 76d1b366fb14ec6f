"""What no signal plan may go below, by published rule: a file that does is wrong or unsafe.

These are plausible minima of what is *delivered*, not the design of a signal: that needs the paths
of each stream, which no count has. Where conflicts and clearances are delivered (`conflicts`), the
phases are held against them, too. A plan is proposed only where what it must keep to is plausible.
"""

import numpy as np
import pandas as pd

from datamall.traffic import conflicts

# FGSV, Richtlinien für Lichtsignalanlagen (RiLSA 2015): no stream gets less green than this, and
# whoever steps off at the end of green still crosses the street at this speed.
LEAST_GREEN = 5.0  # s
WALKING = 1.2  # m/s
# The shortest cycle there. Its longest is 90 s, 120 s where it cannot be helped; cities run longer
# ones, so that only what is half as long again is taken for a mistake. That half is our own.
CYCLES = (30.0, 180.0)  # s
# Highway Capacity Manual: 2 s are lost at the start of green, 2 s of yellow and all-red are used;
# yellow is 3 s at least (at 50 km/h), and an all-red of 0 s is taken for possible.
LEAST_LOST = 3.0  # s for each phase
LANE = 2.75  # m, the narrowest lane of a city street (RASt 06)


def crossing_time(metres: pd.Series) -> pd.Series:
    """Return the time pedestrians need for a crossing, in seconds; NaN where it is not known.

    Least green, and the way across at `WALKING`.
    """
    return LEAST_GREEN + metres / WALKING


def least_pedestrian_time(groups: pd.DataFrame) -> pd.Series:
    """Return the least time pedestrians beside each lane group can need, in seconds.

    Parameters
    ----------
    groups
        Lane groups of one junction, as from `peaks.lane_groups`.

    Notes
    -----
    As long as the crossing is, where that is delivered. Else, who walks beside a lane group crosses
    a street whose lanes have green in another phase: of these the narrowest approach, because which
    one is not delivered.
    """
    lanes = groups.groupby("approach")["lanes"].sum(min_count=1)
    least = []
    for phase in groups["phase"]:
        crossed = lanes[groups.loc[groups["phase"] != phase, "approach"].unique()].min()
        least.append(np.nan_to_num(crossed) * LANE)
    guessed = pd.Series(least, index=groups.index, dtype=float)
    return crossing_time(groups["crossing_length"].fillna(guessed))


def unsafe(groups: pd.DataFrame) -> str:
    """Say which delivered time of a junction no signal may have, or nothing.

    Parameters
    ----------
    groups
        Lane groups of one junction, as from `peaks.lane_groups`, with phases and a plan of now.
    """
    phases = groups["phase"].nunique()
    lost, cycle = groups["lost_time"].iloc[0], groups["cycle"].iloc[0]
    if not CYCLES[0] <= cycle <= CYCLES[1]:
        return _said(f"a cycle of {cycle:g} s is outside {CYCLES[0]:g} to {CYCLES[1]:g} s", "RiLSA")
    if lost < LEAST_LOST * phases:
        text = f"a lost time of {lost:g} s is less than the {LEAST_LOST * phases:g} s that"
        return _said(f"{text} {phases} phases lose with starting, yellow and clearing", "HCM")
    for column, what in (("green", "green"), ("minimum_green", "minimum green")):
        short = groups[column].min()
        if short < LEAST_GREEN:
            return _said(f"a {what} of {short:g} s is less than the {LEAST_GREEN:g} s", "RiLSA")
    needed = least_pedestrian_time(groups)
    short = groups["pedestrian_time"] < needed - 1e-9  # beside some lane groups nobody crosses
    if short.any():
        worst = (needed - groups["pedestrian_time"]).where(short).idxmax()
        given, least = groups.loc[worst, "pedestrian_time"], needed[worst]
        text = f"a pedestrian time of {given:g} s is less than the {least:.0f} s"
        return _said(f"{text} to step off and cross at {WALKING:g} m/s", "RiLSA")
    found = conflicts.broken(groups)
    return _said(*found) if found else ""


def _said(what: str, source: str) -> str:
    return f"Not safe or not true: {what} ({source}). Mend it on file."
