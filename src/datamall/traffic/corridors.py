"""Neighbours: what a measure at one junction moves to the next, and when signals go together.

Junctions lie where they were delivered, and are neighbours when they are near each other as the
crow flies. Whether a street joins them, no count says.
"""

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.requirements import Absent, passes_absent
from datamall.traffic.peaks import PEAKS
from datamall.traffic.scenarios import BAN, DOSING, Compared
from datamall.traffic.wisdom import RECOMMENDED

COMPASS = ("north", "east", "south", "west")
LENGTH = 6.0  # m of street that a waiting passenger car takes, with the gap before it: our own
NOT_KNOWN, ROOM, PART, FULL = "not known", "room for all", "room for a part", "full"
REACHES, SHORT = "the queue reaches it", "the queue ends before it"
NO_PLACE, NO_PAIR = (
    "Not possible here: no junction has a position.",
    "No two junctions with a position lie within {:g} m.",
)


def pairs(groups: pd.DataFrame, metres: float) -> pd.DataFrame:
    """Return all ordered pairs of junctions within a distance.

    Parameters
    ----------
    groups
        As from `peaks.lane_groups`.
    metres
        Longest distance, as the crow flies.

    Returns
    -------
    pandas.DataFrame
        site, neighbour, distance (m), and leg: the approach of the neighbour that lies on the side
        of the site, by its name (north, N, …); empty where approaches are not named so, or none
        lies there.

    Raises
    ------
    DatamallError
        When the distance is not above 0.
    """
    if not metres > 0:
        raise DatamallError(f"near is {metres}: set it above 0 metres in params.yaml.")
    sites = groups.groupby("site")[["x", "y"]].first().dropna()
    x, y = sites["x"].to_numpy(), sites["y"].to_numpy()
    # From each site (rows) to each neighbour (columns).
    east, north = x[None, :] - x[:, None], y[None, :] - y[:, None]
    distance = np.hypot(east, north).round(3)
    first, second = np.nonzero((distance <= metres) & (distance > 0))
    legs: dict[tuple[str, str], str] = {}
    for site, approach in groups[["site", "approach"]].drop_duplicates().itertuples(index=False):
        side = next((s for s in COMPASS if approach.lower() in (s, s[0])), None)
        if side:
            legs[site, side] = approach
    # Of the neighbour, the site lies to the other side.
    angle = np.arctan2(-east[first, second], -north[first, second])
    side = np.round(angle.round(9) / (np.pi / 2)).astype(int) % 4
    names = sites.index.to_numpy()
    found = pd.DataFrame({"site": names[first], "neighbour": names[second]})
    found["distance"] = distance[first, second]
    keys = zip(found["neighbour"], side, strict=True)
    found["leg"] = [legs.get((site, COMPASS[one]), "") for site, one in keys]
    return found


@passes_absent
def moved(
    groups: pd.DataFrame,
    ratios: pd.DataFrame,
    compared: Compared,
    metres: float,
    crowded: float,
) -> pd.DataFrame | Absent:
    """Return what bans and dosing move to the neighbours, and whether there is room for it.

    Parameters
    ----------
    groups, ratios, compared
        As from `peaks.lane_groups`, `capacity.ratios` and `scenarios.compare`.
    metres
        Distance up to which junctions are neighbours.
    crowded
        Ratio of volume to capacity from which on a lane group has no room.

    Returns
    -------
    pandas.DataFrame
        site, peak, scenario, neighbour, distance (m), moved (of a ban, pcu/h that it stops; of
        dosing the longest queue, pcu), leg (the neighbour's approach that faces the site), ratio
        (of its fullest lane group now, busiest quarter), ratio_part and ratio_all (if what is
        stopped spreads evenly over the neighbours, or all of it comes here), reach (m of queue)
        and verdict. An Absent where no junction has a position.

    Notes
    -----
    Which way people go round is not known, hence both ends. What faces no known approach, is cut
    off or has no capacity on file is not known, never free. A queue waits on the lanes of the
    lane group's approach, `LENGTH` each, and reaches the neighbour on that side or not.
    """
    if groups[["x", "y"]].isna().any(axis=1).all():
        return Absent("Room at the neighbours", NO_PLACE)
    near = pairs(groups, metres)
    lanes = groups.groupby(["site", "approach"])["lanes"].sum(min_count=1)
    facing = near.rename(columns={"site": "neighbour", "neighbour": "site", "leg": "approach"})
    upstream = facing.set_index(["site", "neighbour"])["approach"]
    fullest = ratios.assign(order=ratios["ratio"].round(9)).sort_values("order", ascending=False)
    fullest = fullest.drop_duplicates(["site", "approach", "peak"])
    fullest = fullest.set_index(["site", "approach", "peak"])
    rows = []
    for one in compared.rows[compared.rows["moved"] > 0].itertuples():
        around = near[near["site"] == one.site]
        own = {"site": one.site, "peak": one.peak, "scenario": one.scenario, "moved": one.moved}
        if one.scenario == DOSING:
            known = around["neighbour"].map(lambda n, s=one.site: upstream.get((s, n), ""))
            around = around[known == one.approach]
            reach = one.moved * LENGTH / lanes.get((one.site, one.approach), np.nan)
        if around.empty:
            rows.append(own | {"verdict": NOT_KNOWN})
        for place in around.itertuples():
            row = own | {"neighbour": place.neighbour, "distance": place.distance}
            if one.scenario == DOSING:
                said = REACHES if reach >= place.distance else SHORT
                row |= {"reach": reach, "verdict": NOT_KNOWN if np.isnan(reach) else said}
            else:
                row |= {"leg": place.leg, "verdict": NOT_KNOWN}
                key = place.neighbour, place.leg, one.peak
                if key in fullest.index:
                    row |= _room(fullest.loc[key], one.moved, len(around), crowded)
            rows.append(row)
    columns = ["site", "peak", "scenario", "neighbour", "distance", "moved", "leg", "ratio"]
    columns += ["ratio_part", "ratio_all", "reach", "verdict"]
    table = pd.DataFrame(rows, columns=columns).astype({"ratio": float, "reach": float})
    table[["neighbour", "leg"]] = table[["neighbour", "leg"]].astype(object).fillna("")
    place = table["scenario"].map([BAN, DOSING].index)
    table = table.assign(place=place).sort_values(["place", "site", "peak", "distance"])
    return table[columns].reset_index(drop=True)


def _room(lane: pd.Series, volume: float, among: int, crowded: float) -> dict[str, object]:
    """Return what becomes of the fullest lane group of an approach."""
    part, every = (lane["ratio"] + volume / n / lane["capacity"] for n in (among, 1))
    result = {"ratio": lane["ratio"], "ratio_part": part, "ratio_all": every}
    if lane["demand"] != "" or np.isnan(every):
        return result | {"verdict": NOT_KNOWN}
    steps = ROOM if every < crowded else PART if part < crowded else FULL
    return result | {"verdict": steps}


@passes_absent
def coordination(
    groups: pd.DataFrame, plans: pd.DataFrame, metres: float, speed: float
) -> pd.DataFrame | Absent:
    """Return when the green of neighbouring signals should begin for people who drive through.

    Parameters
    ----------
    groups, plans
        As from `peaks.lane_groups` and `wisdom.proposals`.
    metres
        Distance up to which junctions are neighbours.
    speed
        At which people drive from one to the other, in km/h.

    Returns
    -------
    pandas.DataFrame
        site, neighbour, distance (m), travel (s), cycle and cycle_neighbour (s, now), offset (s by
        which the neighbour's green begins later, for who comes from the site), offset_back (for who
        comes the other way), both (one offset for both ways), miss (s by which it is off, each way)
        and then (whether a plan would break equal cycles, or what is lacking). Offsets only where
        cycles are equal. An Absent without positions or neighbours.

    Notes
    -----
    Distance / speed, modulo the cycle t: offsets t and −t. An offset φ misses the one way by
    |φ − t| and the other by |φ + t|, round the cycle; both miss alike at 0 and half a cycle, of
    which the nearer to t is taken. Reckoned here, not checked against a printed page. With
    another speed it is another offset.
    """
    title = "Coordination of neighbouring signals"
    if not speed > 0:
        raise DatamallError(f"speed is {speed}: set it above 0 km/h in params.yaml.")
    if groups[["x", "y"]].isna().any(axis=1).all():
        return Absent(title, NO_PLACE)
    near = pairs(groups, metres)
    near = near[near["site"] < near["neighbour"]].reset_index(drop=True)
    if near.empty:
        return Absent(title, NO_PAIR.format(metres))
    cycles = groups.groupby("site")["cycle"].first()
    table = near.drop(columns="leg")
    table["travel"] = (table["distance"] / (speed / 3.6)).round(1)
    table["cycle"] = table["site"].map(cycles)
    table["cycle_neighbour"] = table["neighbour"].map(cycles)
    common = table["cycle"].where(table["cycle"] == table["cycle_neighbour"])
    table["offset"] = (table["travel"] % common).round(1)
    table["offset_back"] = ((common - table["offset"]) % common).round(1)
    from_nought = np.minimum(table["offset"], table["offset_back"])
    from_half = common / 2 - from_nought
    table["both"] = np.where(from_nought <= from_half, 0.0, common / 2)
    table["both"] = table["both"].where(common.notna())
    table["miss"] = np.minimum(from_nought, from_half).round(1)
    tried = plans[plans["verdict"] == RECOMMENDED].set_index(["site", "peak"])["cycle"]
    table["then"] = [_then(row, tried) for row in table.itertuples()]
    return table.sort_values(["distance", "site", "neighbour"], ignore_index=True)


def _then(row: tuple, tried: pd.Series) -> str:
    """Say whether plans for one or both break equal cycles."""
    pair = {row.site: row.cycle, row.neighbour: row.cycle_neighbour}  # type: ignore[attr-defined]
    if np.isnan(list(pair.values())).any():
        return "A cycle is not delivered."
    if len(set(pair.values())) > 1:
        return "Cycles differ now: nothing to keep together."
    said = []
    for peak in PEAKS:
        then = {site: tried.get((site, peak), now) for site, now in pair.items()}
        if len(set(then.values())) > 1:
            cycles = " and ".join(f"{site} {cycle:.0f} s" for site, cycle in then.items())
            said.append(f"plans break equal cycles in the {peak}: {cycles}")
    if not said:
        return "Equal, and no plan breaks that."
    return f"P{'; '.join(said)[1:]}."
