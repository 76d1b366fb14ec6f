"""Every raw file of the demo city, by department."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from datamall.demo import (
    calendar,
    demand,
    detectors,
    fills_raw,
    fleet_raw,
    outlines,
    raw,
    street_raw,
    traffic_raw,
    welfare,
)
from datamall.demo.enforcement import City
from datamall.demo.raw import Delivery
from datamall.demo.welfare_world import WelfareWorld


def deliver(city: City) -> Iterator[Delivery]:
    """Yield the raw files of all departments, one by one, for together they are large."""
    yield traffic_raw.calendar_file(calendar.days(city.world))
    yield from raw.deliver(city)
    yield outlines.outline_file(city)
    if city.world.rounds:
        yield street_raw.round_file(city)
        yield from fleet_raw.fleet_files(city)
        if city.world.fills:
            yield fills_raw.fill_file(city)
    if city.world.reports:
        yield from street_raw.report_files(city)
    if city.world.actions:
        yield street_raw.action_file(city)
    if city.world.traffic and city.world.traffic.junctions:
        year = demand.traffic(city.seed, city.world)
        yield traffic_raw.junction_file(city.world, year)
        yield traffic_raw.measure_file(city.world, year)
        counts = detectors.counted(city.seed, city.world, year)
        yield from traffic_raw.count_files(city.seed, city.world, year, counts)
    if city.world.welfare:
        yield from welfare.files(city.seed, benefit_world(city))


def benefit_world(city: City) -> WelfareWorld:
    """Return the knobs of welfare, with mistakes as in the city as a whole."""
    knobs = city.world.welfare or WelfareWorld()
    return replace(knobs, mess=knobs.mess * city.world.mess)


def faults(deliveries: list[Delivery]) -> pd.DataFrame:
    """Return file, fault and rows of all mistakes, in order of file and fault."""
    table = pd.concat([one.faults.assign(file=one.name) for one in deliveries])
    return table.groupby(["file", "fault"], as_index=False)["rows"].sum()
