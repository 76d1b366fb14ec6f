"""Counts become volumes of lane groups, or are not known."""

import numpy as np
import pandas as pd
import pytest
from signal_cases import FIRST, PEOPLE, cars, counts, junction, volumes

from datamall.requirements import Absent
from datamall.traffic import peaks

NORTH = 1  # place of the lane group: east, north, south


def test_volume_is_flow_in_pcu_and_riders_are_people() -> None:
    [own] = volumes(cars() | {("north", "LSR", "bus"): 8})
    assert own.volume.shape == (3, 20, 2, 12)
    assert own.volume[NORTH] == pytest.approx(600 + 2 * 8)
    assert own.riders[NORTH] == pytest.approx(600 * 1.5 + 8 * 20)
    assert own.volume[0] == pytest.approx(300)


def test_heavy_vehicles_take_room_as_they_are_said_to() -> None:
    # 30 an hour on the north, whose movement is not recorded: they go straight on, with the cars.
    vehicles = peaks.Vehicles(pcu=(1.0, 2.0, 2.5), people=(1.5, 20.0, 1.2))
    groups = peaks.lane_groups({"traffic.junctions": junction()})
    flow = cars() | {("north", "-", "heavy"): 30, ("north", "LSR", "bus"): 8}
    [own] = peaks.peaks(counts(flow), groups, None, vehicles)
    assert own.volume[NORTH] == pytest.approx(600 + 2 * 8 + 2.5 * 30)
    assert own.riders[NORTH] == pytest.approx(600 * 1.5 + 8 * 20 + 1.2 * 30)
    assert own.volume[0] == pytest.approx(300)


def test_weekends_and_holidays_are_no_working_days() -> None:
    days = pd.date_range(FIRST, periods=28)
    calendar = pd.DataFrame({"day": days, "holiday": [None, "Feast", *[None] * 26]})
    groups = peaks.lane_groups({"traffic.junctions": junction()})
    [own] = peaks.peaks(counts(cars()), groups, calendar, PEOPLE)
    assert list(own.days) == [day for day in days if day.weekday() < 5 and day.day != 4]
    assert list(np.bincount(own.week - own.week.min())) == [4, 5, 5, 5]


def test_busiest_hour_is_that_of_the_whole_junction() -> None:
    cube = counts(cars())
    count = cube.blocks[0].count
    count[NORTH, :, 4 * 8 + 1 : 4 * 9 + 1] *= 2  # 8:15 to 9:15
    count[0, :, 4 * 7 : 4 * 8] += 20
    [own] = peaks.peaks(cube, peaks.lane_groups({"traffic.junctions": junction()}), None, PEOPLE)
    assert {own.begin(group, 0) for group in range(3)} == {"8:15"}
    assert own.begin(0, 1) == "16:00"
    assert own.in_hour[NORTH, :, 0] == pytest.approx(1200)


def test_hour_counts_give_the_same_volume() -> None:
    [quarters], [hours] = volumes(minutes=15), volumes(minutes=60)
    assert hours.interval == 60
    assert hours.in_hour.mean() == pytest.approx(quarters.in_hour.mean())


def test_movements_belong_to_the_lane_group_that_holds_them() -> None:
    groups = junction().iloc[[1, 1]].assign(lane_group=["SR", "L"])
    keys = pd.DataFrame(
        [("K1", "north", movement) for movement in ("L", "S", "R", "LSR", "-")],
        columns=["site", "approach", "movement"],
    )
    member = peaks.membership(keys, groups.reset_index(drop=True))
    assert member.tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 0]]
    # An approach of one lane group takes whatever is counted there.
    alone = junction().iloc[[1]].assign(lane_group="all").reset_index(drop=True)
    assert peaks.membership(keys, alone).tolist() == [[1, 1, 1, 1, 1]]


def test_a_lane_group_with_a_movement_that_is_never_counted_is_unknown() -> None:
    groups = junction(lane_group=["LSR", "SR", "LSR"])
    flow = cars()
    flow[("north", "S", "car")] = flow.pop(("north", "LSR", "car"))
    [own] = volumes(flow, groups)
    assert np.isnan(own.volume[NORTH]).all()
    assert not np.isnan(own.volume[[0, 2]]).any()
    flow[("north", "R", "car")] = 100
    [own] = volumes(flow, groups)
    assert own.volume[NORTH] == pytest.approx(700)


def test_a_bus_without_movement_goes_straight_on_and_its_outage_is_filled() -> None:
    groups = pd.concat([junction(lane_group=["LSR", "SR", "LSR"]), junction().iloc[[1]]])
    groups["lane_group"] = ["LSR", "SR", "LSR", "L"]
    flow = cars()
    flow[("north", "SR", "car")] = flow.pop(("north", "LSR", "car"))
    flow |= {("north", "L", "car"): 100, ("north", "-", "bus"): np.repeat([np.nan, 8, 8, 8], 7)}
    [own] = volumes(flow, groups)
    volume = dict(zip(own.groups["approach"] + own.groups["lane_group"], own.volume, strict=True))
    assert volume["northSR"] == pytest.approx(616)  # on the days without the bus detector too
    assert volume["northL"] == pytest.approx(100)


def test_an_hour_in_which_cars_were_not_counted_is_unknown() -> None:
    flow = cars(north=np.repeat([np.nan, 600, 600, 600], 7))
    [own] = volumes(flow)
    assert np.isnan(own.volume[NORTH, :5]).all()
    assert own.volume[NORTH, 5:] == pytest.approx(600)


def test_cyclists_get_green_with_the_lane_group_that_goes_straight_on() -> None:
    [own] = volumes(cars() | {("east", "-", "bike"): 90, ("west", "-", "pedestrian"): 10})
    assert own.soft[["approach", "mode"]].values.tolist() == [
        ["east", "bike"],
        ["west", "pedestrian"],
    ]
    assert own.soft["group"].tolist() == [0, -1]  # the west has no lane group here
    assert own.people[0] == pytest.approx(90)


def test_lane_groups_tell_what_is_not_delivered() -> None:
    table = junction(name=[None, "A – B", "A – B"]).drop(columns=["lost_time", "phase", "x"])
    found = peaks.lane_groups({"traffic.junctions": table})
    assert found["name"].tolist() == ["K1", "A – B", "A – B"]
    assert (found["phase"] == "").all()
    assert found[["lost_time", "x"]].isna().all(axis=None)
    assert found["capacity"].tolist() == [550, 1000, 1000]
    assert peaks.capacities(found)["movement"].tolist() == ["LSR"] * 3


def test_without_capacities_there_is_a_gap() -> None:
    gap = peaks.lane_groups({"traffic.junctions": junction().drop(columns="green")})
    assert isinstance(gap, Absent)
    assert "traffic.junctions.green" in gap.reason
    empty = peaks.lane_groups({"traffic.junctions": junction(saturation_flow=np.nan)})
    assert isinstance(empty, Absent)
    assert peaks.peaks(counts(cars()), gap, None, PEOPLE) is gap


def test_counts_of_other_junctions_only_are_a_gap() -> None:
    groups = peaks.lane_groups({"traffic.junctions": junction(site="K9")})
    assert isinstance(peaks.peaks(counts(cars()), groups, None, PEOPLE), Absent)
