"""Counts of junctions as cubes: the demo's with its planted truth, and two real cities'."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from datamall.demo import World
from datamall.demo.calendar import days
from datamall.demo.demand import Traffic, traffic
from datamall.demo.detectors import BLANK, Counted, counted
from datamall.demo.traffic_world import TrafficWorld
from datamall.traffic.cube import COUNTS, KEYS, Block, Cube, cells

BOROONDARA = "scats_boroondara_2006-10_15min.csv"
NAME = re.compile(r"MQ_(?P<site>\d{5})_FV(?P<approach>\d+)_ ?(?P<movement>[GLRO]*) \(MQ\d+\)")
MOVEMENTS = {"G": "S", "GR": "SR", "GRL": "LSR", "L": "L", "LO": "L", "R": "R", "RO": "R", "": "-"}


class Planted(NamedTuple):
    """A demo year: what the analysis gets, and the truth it may not see."""

    cube: Cube
    calendar: pd.DataFrame
    year: Traffic
    counts: Counted


def planted(seed: int, **knobs: object) -> Planted:
    """Draw a year of the demo city's traffic, as intake would hand it on."""
    world = World(traffic=TrafficWorld(**knobs))  # type: ignore[arg-type]
    year = traffic(seed, world)
    counts = counted(seed, world, year)
    there = counts.sent[..., None] & (counts.cells != BLANK)
    count = np.where(there, counts.cells, np.nan).astype(np.float32)
    order = year.junctions.detectors.sort_values(KEYS).index.to_numpy()
    series = year.junctions.detectors.loc[order, KEYS].reset_index(drop=True)
    block = Block(series, pd.DatetimeIndex(year.days["day"]), 15, count[order])
    calendar = days(world)
    calendar["holiday"] = calendar["holiday"].where(calendar["holiday"] != "")
    calendar["school_holiday"] = np.where(calendar["school_holiday"], "yes", "no")
    return Planted(Cube((block,)), calendar, year, counts)


def muenster(folder: Path) -> Cube:
    """Read the 731 daily files of Münster's junctions; rows with other names are no detectors."""
    parts = []
    for path in sorted((folder / "muenster_daily").glob("*_24mq.csv")):
        # A few lines end early; what they lack was not counted.
        lines = [f"{line};{24 * ';'}" for line in path.read_text("utf-8").splitlines()[1:]]
        fields = [line.split(";")[:25] for line in lines]
        table = pd.DataFrame(fields, columns=["detector", *range(24)])
        parts.append(table.assign(day=pd.Timestamp(path.name[:10].replace("_", "-"))))
    table = pd.concat(parts, ignore_index=True)
    keys = table["detector"].str.extract(NAME)
    keys["movement"] = keys["movement"].map(MOVEMENTS)
    table = table.drop(columns="detector").join(keys.assign(detector=table["detector"]))
    return _cube(table[keys["site"].notna()], 60)


def boroondara(folder: Path) -> Cube:
    """Read the quarters of Boroondara; two detectors share a name, their numbers differ."""
    table = pd.read_csv(folder / BOROONDARA, dtype=str)
    about = {
        "site": table["SCATS Number"],
        "approach": table["Location"],
        "movement": "-",
        "detector": table["Location"] + " " + table["VR Internal Loc"],
        "day": pd.to_datetime(table["Start Time"], format="%d/%m/%Y"),
    }
    quarters = table[[name for name in table if re.fullmatch(r"\d+:\d\d", name)]]
    return _cube(quarters.set_axis(range(96), axis=1).assign(**about), 15)


def _cube(wide: pd.DataFrame, minutes: int) -> Cube:
    """Return wide lines, one column a slot, as the extract has them, arranged by the module."""
    keys = ["site", "approach", "movement", "detector", "day"]
    table = wide.melt(id_vars=keys, var_name="slot", value_name="count")
    count = pd.to_numeric(table["count"])
    # A few are negative, which intake would set aside.
    table["count"] = count.where(count >= 0)
    start = table.pop("slot").astype(int) * minutes
    counted_or_not = np.where(table["count"].notna(), minutes, 0)
    table = table.assign(mode="car", hour=start // 60, minute=start % 60, minutes=counted_or_not)
    return cells({COUNTS: table})
