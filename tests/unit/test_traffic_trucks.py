"""Stops in congested hours, on weeks that can be counted on two hands."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from signal_cases import cars, counts, junction
from statsmodels.stats.proportion import proportion_confint

from datamall.errors import DatamallError
from datamall.requirements import Absent
from datamall.traffic import congestion, peaks, trucks

MONDAY, TUESDAY = 1, 2
PCU = (1.0, 2.0, 2.0)
WEEKS = 10
FIRST = pd.Timestamp("2025-01-06")


def hours(congested: dict[tuple[int, int, int], float]) -> congestion.Hours:
    """Two junctions; (site, weekday, hour): share of the ten weeks congested, from the first."""
    values = np.zeros((2, WEEKS, 7, 24))
    for (site, weekday, hour), share in congested.items():
        values[site, : round(share * WEEKS), weekday - 1, hour] = 1
    sites = pd.DataFrame({"site": ["K1", "K2"], "basis": congestion.BY_CAPACITY})
    return congestion.Hours(sites, values, FIRST, FIRST + pd.Timedelta(days=7 * WEEKS - 1))


def extract(*rows: tuple[str, int, str, int]) -> dict[str, pd.DataFrame]:
    """Stops (cluster, weekday, truck, start); clusters A, B near K1, C near K2, D nowhere."""
    rounds = pd.DataFrame(rows, columns=["cluster", "weekday", "truck", "start"])
    return {
        "enforcement.rounds": rounds.assign(service_seconds=120),
        "enforcement.containers": pd.DataFrame(
            {"cluster": [*"ABCD"], "x": [0.0, 100, 3000, 9000], "y": [0.0, 0, 40, 9000]}
        ),
        "traffic.junctions": pd.DataFrame(
            {"site": ["K1", "K1", "K2"], "x": [10.0, 10, 3000], "y": [0.0, 0, 0]}
        ),
    }


def judged(found: congestion.Hours, *rows: tuple[str, int, str, int]) -> pd.DataFrame:
    return trucks.judged(trucks.stops(extract(*rows), 150), found, 0.1, 0.5, 0.9)


def test_the_nearest_junction_within_the_distance() -> None:
    data = extract(("A", 1, "T", 400), ("B", 1, "T", 410), ("C", 1, "T", 420), ("D", 1, "T", 425))
    table = trucks.stops(data, 95).set_index("cluster")
    assert table["site"].to_dict() == {"A": "K1", "B": "K1", "C": "K2", "D": ""}
    assert table.loc["B", "metres"] == 90
    assert table.loc["C", "time"] == "7:00"
    assert trucks.stops(data, 50).set_index("cluster")["site"]["B"] == ""
    with pytest.raises(DatamallError, match="distance"):
        trucks.stops(data, 0)


def test_a_place_without_position_is_near_nothing() -> None:
    data = extract(("A", 1, "T", 400), ("B", 1, "T", 410))
    data["enforcement.containers"].loc[0, "x"] = np.nan
    assert trucks.stops(data, 150).set_index("cluster")["site"].to_dict() == {"A": "", "B": "K1"}


def test_no_stops_or_no_positions_are_a_gap() -> None:
    assert "enforcement.rounds holds no rows" in trucks.stops(extract(), 150).reason
    data = extract(("A", 1, "T", 400))
    half = data["traffic.junctions"].assign(x=[np.nan, np.nan, 1.0], y=[1.0, 1.0, np.nan])
    data["traffic.junctions"] = half
    assert "no junction has a position" in trucks.stops(data, 150).reason
    del data["enforcement.rounds"]
    assert "the store enforcement.rounds" in trucks.stops(data, 150).reason


def test_chance_calm_hour_and_verdict() -> None:
    found = hours({(0, 1, 8): 0.9, (0, 1, 7): 0.1, (0, 1, 9): 0.2, (0, 2, 8): 0.6, (1, 1, 8): 0.2})
    table = judged(
        found,
        ("A", MONDAY, "T", 8 * 60 + 59),
        ("D", MONDAY, "T", 6 * 60),
        ("B", TUESDAY, "T", 8 * 60),
        ("C", MONDAY, "T", 8 * 60),
    ).set_index("cluster")
    assert table.index.tolist() == ["A", "B", "C"]
    assert table["chance"].tolist() == [0.9, 0.6, 0.2]
    assert table.loc["A", ["if_late", "calm_hour", "calm_chance"]].tolist() == [0.2, 7, 0.1]
    # On Tuesday no truck is under way at another hour.
    assert table["verdict"].tolist() == [trucks.MOVE, trucks.DOUBT, trucks.KEEP]
    assert pd.isna(table.loc["B", "calm_hour"])
    # That of C is congested too often to be calm and too seldom to change.
    assert table.loc["C", "calm_hour"] == 7


def test_an_hour_never_counted_is_no_evidence() -> None:
    found = hours({})
    found.congested[0, :, 0, 8] = np.nan
    table = judged(found, ("A", MONDAY, "T", 480), ("C", MONDAY, "T", 490))
    row = table.set_index("cluster").loc["A"]
    assert row["verdict"] == trucks.DOUBT
    assert np.isnan(row["chance"])
    assert row["weeks"] == 0


def test_congested_all_day_is_told_from_movable() -> None:
    found = hours({(0, 1, hour): 1.0 for hour in range(6, 12)})
    table = judged(found, ("A", MONDAY, "T", 6 * 60), ("B", MONDAY, "T", 11 * 60))
    assert (table["verdict"] == trucks.STUCK).all()


@pytest.mark.parametrize("shares", [(0.5, 0.5), (-0.1, 0.5), (0.1, 1)])
def test_impossible_shares_are_refused(shares: tuple[float, float]) -> None:
    planned = trucks.stops(extract(("A", 1, "T", 480)), 150)
    with pytest.raises(DatamallError, match="calm"):
        trucks.judged(planned, hours({}), *shares, 0.9)


def test_totals_by_hand_with_weeks_as_witnesses() -> None:
    found = hours({(0, 1, 8): 0.6, (1, 2, 8): 0.3})
    rows = [("A", MONDAY, "T1", 480), ("B", MONDAY, "T2", 490), ("C", TUESDAY, "T1", 480)]
    data = extract(*rows, ("D", MONDAY, "T1", 500), ("A", MONDAY, "T1", 360))
    planned = trucks.stops(data, 150)
    near = trucks.judged(planned, found, 0.1, 0.5, 0.9)
    table = trucks.totals(planned, near, found, 0.9).set_index("weekday")
    assert table.index.tolist() == ["all week", "Monday", "Tuesday"]
    assert table["stops"].tolist() == [5, 4, 1]
    assert table["near"].tolist() == [4, 3, 1]
    by_week = np.array([3, 3, 3, 2, 2, 2, 0, 0, 0, 0])
    whole = table.loc["all week"]
    assert whole["congested"] == pytest.approx(by_week.mean())
    low, high = stats.t.interval(0.9, 9, by_week.mean(), stats.sem(by_week))
    assert (whole["low"], whole["high"]) == pytest.approx((low, high))
    assert (whole["least"], whole["most"], whole["weeks"]) == (0, 3, 10)
    assert whole["minutes"] == pytest.approx(2 * by_week.mean())
    # Both Monday stops could be served at 6, where a truck is under way; on Tuesday none.
    assert whole["movable"] == pytest.approx(1.2)
    trucks_table = trucks.by_truck(near, found, 0.9).set_index("truck")
    assert trucks_table["congested"].to_dict() == pytest.approx({"T1": 0.9, "T2": 0.6})


def test_weeks_that_are_all_alike_still_leave_doubt() -> None:
    near = judged(hours({}), ("A", 1, "T", 480), ("B", 1, "T", 485))
    table = trucks.by_truck(near, hours({}), 0.9)
    low, high = proportion_confint(0, WEEKS, 0.1, method="wilson")
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([2 * low, 2 * high], abs=1e-12)
    assert table.loc[0, "high"] > 0.2


def test_an_hour_missing_in_a_week_is_taken_at_its_chance() -> None:
    found = hours({(0, 1, 8): 0.5})
    found.congested[0, 0, 0, 8] = np.nan  # a week in which it was congested
    near = judged(found, ("A", 1, "T", 480), ("C", 1, "T", 480), ("C", 1, "T", 500))
    table = trucks.by_truck(near, found, 0.9)
    assert near["chance"].max() == pytest.approx(4 / 9)
    assert table.loc[0, "congested"] == pytest.approx((4 / 9 + 4) / 10)
    assert table.loc[0, "weeks"] == 10
    # A week of which most is unknown is no witness.
    found.congested[1, 0] = np.nan
    assert (
        trucks.by_truck(judged(found, ("A", 1, "T", 480), ("C", 1, "T", 480)), found, 0.9).loc[
            0, "weeks"
        ]
        == 9
    )


def test_wilson_is_that_of_statsmodels() -> None:
    for count, number in ((0, 7), (3, 10), (52, 52)):
        found = congestion.wilson(np.array([count / number]), np.array([float(number)]), 0.9)
        oracle = proportion_confint(count, number, 0.1, method="wilson")
        assert [end[0] for end in found] == pytest.approx(oracle, abs=1e-12)


def test_changes_and_records() -> None:
    found = hours({(0, 1, 8): 1.0, (1, 1, 8): 0.6})
    near = judged(
        found,
        *[("A", 1, "T1", 480), ("B", 1, "T1", 485), ("C", 1, "T2", 490), ("C", 1, "T2", 360)],
    )
    table = trucks.changes(near)
    assert table["verdict"].tolist() == [trucks.MOVE, trucks.DOUBT, trucks.KEEP]
    assert table.loc[0, ["truck", "weekday", "hour", "site", "stops", "minutes"]].tolist() == [
        *("T1", "Monday", 8, "K1", 2, 4.0)
    ]
    [record] = trucks.decision_records(table).to_dict("records")
    assert record["recommended"] == "serve 2 stops near K1 at 7–8 h, not 8–9 h"
    assert record["expected"] == "congested in 100 % of the weeks (79 % to 100 %), then in 0 %"


def test_the_map_shows_the_verdict_that_asks_for_most() -> None:
    found = hours({(0, 1, 8): 1.0})
    data = extract(("A", 1, "T", 480), ("A", 2, "T", 480), ("C", 1, "T", 400), ("D", 1, "T", 410))
    planned = trucks.stops(data, 150)
    near = trucks.judged(planned, found, 0.1, 0.5, 0.9)
    told = trucks.on_map(planned, near).set_index("cluster")["verdict"]
    assert told.to_dict() == {"A": trucks.MOVE, "C": "other", "D": "other"}


def test_congestion_by_capacity_and_by_profile() -> None:
    # North serves 1000 an hour; its hour from 8 is above 0.9 of that in the first two weeks.
    cube = counts(cars(north=600, south=400, east=300), weeks=4, minutes=60)
    cube.blocks[0].count[1, :14, 8] = 950
    groups = peaks.lane_groups({"traffic.junctions": junction()})
    found = congestion.congested_hours(cube, groups, None, 0.9, 0.9, PCU)
    assert found.sites["basis"].tolist() == [congestion.BY_CAPACITY]
    assert found.chance[0, 0, 8] == 0.5
    assert found.chance[0].sum() == 7 * 0.5
    table = congestion.hours_table(found, 0.9)
    assert table["hour"].eq(8).all()
    assert (table.loc[0, "low"] < 0.5) and (table.loc[0, "high"] > 0.5)
    # Without one capacity the junction's own busiest hour is the measure.
    lacking = peaks.lane_groups(
        {"traffic.junctions": junction(saturation_flow=[1500, np.nan, 2000])}
    )
    for unknown in (lacking, Absent("Capacity", "Not possible here.")):
        own = congestion.congested_hours(cube, unknown, None, 0.9, 0.9, PCU)
        assert own.sites["basis"].tolist() == [congestion.BY_PROFILE]
        # 1300 is usual, at 8 h the median of 1650 and 1300: 1475, and 0.9 of it 1327.
        assert own.chance[0, 0, 8] == 0.5
        assert own.chance[0].sum() == 7 * 0.5


def test_what_is_handed_over_is_each_hour_that_was_known() -> None:
    """Four weeks from Monday 6 January; Monday at 8 congested in two, and not known in the last."""
    cube = counts(cars(), weeks=4, minutes=60)
    cube.blocks[0].count[1, :14, 8] = 950
    cube.blocks[0].count[:, 21, 8] = np.nan
    cube.blocks[0].count[:, 2::7, 3] = np.nan  # never on a Wednesday at 3
    groups = peaks.lane_groups({"traffic.junctions": junction()})
    found = congestion.congested_hours(cube, groups, None, 0.9, 0.9, PCU)
    site = found.sites["site"].item()
    places = {"traffic.junctions": pd.DataFrame({"site": [site] * 2, "x": [1.0, 3], "y": [5.0, 5]})}
    table = congestion.delivery(found, places, 0.9)
    assert len(table) == 7 * 24 - 1
    first = cube.blocks[0].days[0]
    own = table.set_index(["weekday", "hour"])
    assert own.loc[(1, 8), ["weeks", "chance"]].tolist() == [3, pytest.approx(2 / 3)]
    assert own.loc[(1, 8), "last_known"] == first + pd.Timedelta(days=14)
    assert own.loc[(1, 9), "last_known"] == first + pd.Timedelta(days=21)
    assert own.loc[(7, 9), "last_known"] == first + pd.Timedelta(days=27)
    assert set(table["counted_to"]) == {first + pd.Timedelta(days=27)}
    assert own.loc[(1, 8), ["x", "y"]].tolist() == [2, 5]
    assert own.loc[(1, 8), "low"] < 2 / 3 < own.loc[(1, 8), "high"]
    assert (own["chance"] == 0).sum() == 7 * 24 - 1 - 7
    assert congestion.delivery(found, {}, 0.9)["x"].isna().all()
    found.congested[:] = np.nan
    assert "no hour of any junction" in congestion.delivery(found, places, 0.9).reason


def test_an_outage_does_not_make_congestion_look_frequent() -> None:
    cube = counts(cars(), weeks=4, minutes=60)
    cube.blocks[0].count[1, :7, 8] = 950
    cube.blocks[0].count[0, :14, 8] = np.nan  # the east was out for two weeks
    groups = peaks.lane_groups({"traffic.junctions": junction()})
    found = congestion.congested_hours(cube, groups, None, 0.9, 0.9, PCU)
    assert found.weeks[0, 0, 8] == 2
    assert found.chance[0, 0, 8] == 0


def test_holidays_and_gaps() -> None:
    cube = counts(cars(), weeks=4, minutes=60)
    calendar = pd.DataFrame({"day": cube.blocks[0].days[:1], "holiday": ["Feast"]})
    gap = Absent("Capacity", "Not possible here.")
    found = congestion.congested_hours(cube, gap, calendar, 0.9, 0.9, PCU)
    assert found.weeks[0, 0, 8] == 3
    assert found.weeks[0, 1, 8] == 4
    assert congestion.congested_hours(gap, gap, None, 0.9, 0.9, PCU) is gap
    with pytest.raises(DatamallError, match="busy"):
        congestion.congested_hours(cube, gap, None, 0.9, 0, PCU)
    assert trucks.judged(gap, found, 0.1, 0.5, 0.9) is gap
    away = trucks.stops(extract(("D", 1, "T", 480)), 150)
    assert "No stop is near" in trucks.judged(away, found, 0.1, 0.5, 0.9).reason
