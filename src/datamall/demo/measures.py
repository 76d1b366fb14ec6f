"""Measures at junctions: one that brings cyclists, some that do nothing, and road works."""

import numpy as np
import pandas as pd

from datamall.demo.draws import sample, stream
from datamall.demo.junctions import Junctions
from datamall.demo.traffic_world import TrafficWorld

APART = 1500.0  # m between measures where there is room, so that none is beside another
COLUMNS = ["measure", "site", "approach", "kind", "aimed_at", "aim", "first_day", "last_day"]
COLUMNS += ["effect"]
# Kind, whom it is aimed at, what should come of it, and which share of the period has passed when
# it begins. The two in the middle begin at one junction, days apart: nobody can tell them apart.
PLANNED = (
    ("bike phase", "bike", "more", 0, 0.6),
    ("signal plan", "car", "more", 1, 0.5),
    ("ban", "car", "fewer", 2, 0.45),
    ("dosing", "car", "fewer", 2, 0.455),
    ("signal plan", "car", "more", 3, 0.96),
)


def measures(
    seed: int, knobs: TrafficWorld, made: Junctions, days: pd.DataFrame, works: pd.DataFrame
) -> pd.DataFrame:
    """Choose junctions in order, other than that of the road works, for measures.

    Returns
    -------
    DataFrame
        measure, site, approach ("all" or that of the road works), kind, aimed_at (mode), aim (more
        or fewer), first_day, last_day (NaT where it stays), effect (the planted multiple of what
        comes of that mode).
    """
    fine = made.sites[(made.sites["plan"] == "fine") & ~made.sites["site"].isin(works["site"])]
    drawn = fine.iloc[sample(stream(seed, "measures"), len(fine), len(fine))]
    sites = _apart(made.sites, list(drawn["site"]), list(works["site"]))
    rows: list[tuple[object, ...]] = []
    for kind, mode, aim, place, share in PLANNED if len(sites) else ():
        day = days["day"].iloc[int(share * len(days))]
        gain = knobs.bike_phase if kind == "bike phase" else 1.0
        rows.append((sites[place % len(sites)], "all", kind, mode, aim, day, pd.NaT, gain))
    for work in works.itertuples():
        period = work.first_day, work.last_day
        rows.append((work.site, work.approach, "roadworks", "car", "fewer", *period, work.share))
    table = pd.DataFrame(rows, columns=COLUMNS[1:])
    table.insert(0, "measure", [f"VM{number + 1:03}" for number in range(len(table))])
    return table.astype({"first_day": "datetime64[s]", "last_day": "datetime64[s]"})


def _apart(places: pd.DataFrame, drawn: list[str], taken: list[str]) -> list[str]:
    """Return junctions in the order drawn, those first that lie apart from all before them."""
    at = {own.site: np.array([own.x, own.y]) for own in places.itertuples()}
    first: list[str] = []
    for site in drawn:
        away = [np.linalg.norm(at[site] - at[other]) for other in [*taken, *first]]
        if all(metres > APART for metres in away):
            first.append(site)
    return first + [site for site in drawn if site not in first]
