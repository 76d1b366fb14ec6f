"""Two junctions in quarters, as an ordinary city meets them: the second one has its variants."""

from typing import NamedTuple

import counted_streets as streets
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamall.requirements import Absent
from datamall.traffic import censoring, changes, forecast, health, peaks, plans, wisdom
from datamall.traffic.cube import Cube

FIRST = pd.Timestamp("2025-01-06")  # a Monday
PEOPLE = peaks.Vehicles(pcu=(1.0, 2.0, 2.0), people=(1.3, 15.0, 1.1))
RULES = plans.Rules(longest_cycle=120, headroom=0.2, coverage=0.75, weeks=6)
APPROACHES = ("E", "N", "S", "W")
USUAL = (400, 900, 700, 350)
CAPACITY = (680, 1850, 1850, 680)  # of the junctions below
# Share of the busiest hour at some hours of a working day, with straight lines between them.
AT = (0, 5, 6.5, 7.5, 9, 10, 12, 15, 16.5, 18, 20, 24)
SHARE = (0.05, 0.05, 0.4, 1.1, 1.1, 0.6, 0.5, 0.6, 0.8, 0.75, 0.3, 0.05)
MORNING, EVENING = slice(26, 40), slice(60, 78)  # quarters in which a peak may be shut


class Found(NamedTuple):
    """What the analysis says of a city."""

    counts: Cube
    faults: pd.DataFrame
    plateaus: pd.DataFrame
    changes: pd.DataFrame
    plans: pd.DataFrame
    ahead: forecast.Forecasts

    def plan(self, site: str, peak: str) -> pd.Series:
        """Return the row of one junction and peak."""
        rows = self.plans[(self.plans["site"] == site) & (self.plans["peak"] == peak)]
        assert len(rows) == 1
        return rows.iloc[0]

    def of(self, site: str) -> pd.DataFrame:
        """Return what is odd of the detectors of a junction."""
        return self.faults[self.faults["site"] == site]


def counts(weeks: int = 12, flows: tuple[float, ...] = USUAL, seed: int = 7) -> NDArray:
    """Draw one junction's quarters, shape (approaches, days, 96), from a Monday on.

    Poisson, half as much at weekends.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    share = np.interp(np.arange(96) / 4, AT, SHARE)
    day = np.where(np.arange(7 * weeks) % 7 < 5, 1.0, 0.5)
    mean = np.asarray(flows, float)[:, None, None] * day[:, None] * share / 4
    return rng.poisson(mean).astype(float)


def keys(site: str, **columns: object) -> pd.DataFrame:
    """Return the keys of a junction's four detectors."""
    about = {"site": site, "approach": list(APPROACHES), "movement": "-"}
    names = [f"{site}{approach}1" for approach in APPROACHES]
    return streets.names(4, **about | {"detector": names} | columns)


def register(**changed: object) -> pd.DataFrame:
    """Return traffic.junctions of both; what is `changed` holds for the second one."""
    main = np.isin(APPROACHES, ["N", "S"])
    table = pd.DataFrame({"approach": APPROACHES, "lane_group": "all"}).assign(
        lanes=np.where(main, 2, 1),
        saturation_flow=np.where(main, 3700, 1700),
        phase=np.where(main, "A", "B"),
        green=np.where(main, 40.0, 32.0),
        cycle=80.0,
        lost_time=8.0,
        minimum_green=6.0,
        pedestrian_time=20.0,
    )
    return pd.concat([table.assign(site="1"), table.assign(site="2", **changed)], ignore_index=True)


def city(second: NDArray, seed: int = 1, second_keys: pd.DataFrame | None = None) -> Cube:
    """Return the counts of a junction as usual and of a second one."""
    first = counts(second.shape[1] // 7, seed=seed)
    own = keys("2") if second_keys is None else second_keys
    both = pd.concat([keys("1"), own], ignore_index=True)
    start = FIRST - pd.Timedelta(days=second.shape[1] - 84)
    return streets.cube(np.concatenate([first, second]), both, f"{start:%Y-%m-%d}", minutes=15)


def analysed(
    cube: Cube, junctions: pd.DataFrame | None = None, calendar: pd.DataFrame | None = None
) -> Found:
    """Return what the page says, in the order in which its chapters do."""
    table = register() if junctions is None else junctions
    groups = peaks.lane_groups({"traffic.junctions": table})
    faults = health.examine(cube, calendar)
    healthy = health.healthy(cube, faults)
    changed = changes.changes(healthy, calendar)
    now = changes.now(healthy, changed)
    plateaus = censoring.plateaus(now, peaks.capacities(groups))
    parts = peaks.peaks(now, groups, calendar, PEOPLE)
    proposed = plans.propose(parts, plateaus, RULES, changed)
    found = wisdom.proposals(parts, proposed, 0.9, 3.0)
    ahead = forecast.forecasts(healthy, 0.9, calendar)
    assert not any(isinstance(one, Absent) for one in (faults, plateaus, found, ahead, changed))
    return Found(cube, faults, plateaus, changed, found, ahead)
