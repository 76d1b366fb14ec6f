"""Traffic in the demo city: demand, what signals let through, and detectors that fail."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from datamall.demo import City, World, city
from datamall.demo.demand import GAP, QUARTERS, Traffic, traffic
from datamall.demo.detectors import BLANK, LASTING, Counted, counted
from datamall.demo.traffic_world import TrafficWorld
from datamall.demo.truth import clock_changes, detector_faults, junctions, lane_groups, road_works
from datamall.errors import DatamallError

SEED = 2319
KNOBS = TrafficWorld()
RUSH = slice(68, 72)  # 17-18 h, the design hour
SPRING, AUTUMN = pd.Timestamp("2025-03-30"), pd.Timestamp("2025-10-26")


@pytest.fixture(scope="module")
def year() -> Traffic:
    return traffic(SEED, World())


@pytest.fixture(scope="module")
def counts(year: Traffic) -> Counted:
    return counted(SEED, World(), year)


@pytest.fixture(scope="module")
def cars(year: Traffic) -> np.ndarray:
    """Return the rows of car detectors, which are those of the lane groups in order."""
    rows = np.flatnonzero(year.junctions.detectors["mode"] == "car")
    named = year.junctions.detectors.iloc[rows][["site", "approach", "movement"]]
    groups = year.junctions.groups[["site", "approach", "lane_group"]]
    assert (named.to_numpy() == groups.to_numpy()).all()
    return rows


@pytest.fixture(scope="module")
def groningen() -> City:
    return city(SEED)


@pytest.fixture(scope="module")
def truth(groningen: City) -> pd.DataFrame:
    return detector_faults(groningen)


def ordinary(year: Traffic) -> np.ndarray:
    """Return working days outside school holidays and events."""
    days = year.days
    return ((days["kind"] == 0) & ~days["school_holiday"] & (days["event"] == "")).to_numpy()


def at(year: Traffic, moment: pd.Timestamp) -> int:
    return int((moment - year.days["day"].iloc[0]) // pd.Timedelta(minutes=15))


def test_what_is_served_is_demand_cut_at_capacity(year: Traffic, cars: np.ndarray) -> None:
    demand = year.demand[cars].astype(np.int64)
    served, queue = year.served[cars].astype(np.int64), year.queue[cars].astype(np.int64)
    before = np.concatenate([np.zeros_like(queue[..., :1]), queue[..., :-1]], axis=2)
    wanted = before + demand
    capacity = np.floor(year.junctions.groups["capacity"].to_numpy() / 4)[:, None, None]
    able = np.broadcast_to(capacity, served.shape).copy()
    able[:, (year.days["day"] == AUTUMN).to_numpy(), GAP] *= 2  # the hour comes twice
    assert (served <= able).all()
    cut = served < wanted
    # A saturated quarter loses at most five in a hundred, and anything from none to all of it.
    loss = 1 - served[cut] / able[cut]
    assert loss.max() < KNOBS.capacity_loss + (1 / able[cut]).max()
    assert loss.mean() == pytest.approx(KNOBS.capacity_loss / 2, abs=0.005)
    assert np.unique(served[cut] / able[cut]).size > 100
    # Who is not served waits, up to the longest queue; nobody else does.
    longest = np.floor(KNOBS.patience * capacity)
    assert (queue == np.minimum(wanted - served, longest)).all()
    others = np.setdiff1d(np.arange(len(year.demand)), cars)
    assert (year.served[others] == year.demand[others]).all()
    # In the design hour of ordinary days people wait where capacity falls short, and elsewhere
    # only on days that are busier by chance.
    groups = year.junctions.groups.merge(year.junctions.sites, on="site")
    ratio = (groups["demand"] / groups["capacity"]).to_numpy()
    waits = (queue[:, ordinary(year), RUSH] > 0).mean(axis=(1, 2))
    assert waits[ratio > 1.1].min() > 0.95
    assert set(groups["plan"][ratio > 1.1]) == {"over capacity", "wrong split"}
    assert waits[~groups["plan"].isin(["over capacity", "wrong split"])].max() < 0.2
    assert waits[ratio < 0.75].max() < 0.05


def test_load_of_each_kind_of_junction_is_within_its_bounds(groningen: City) -> None:
    sites, groups = (table(groningen) for table in (junctions, lane_groups))
    assert len(sites) == KNOBS.junctions
    kinds = {
        "over capacity": (KNOBS.over_capacity, KNOBS.load_over),
        "wrong split": (KNOBS.wrong_split, KNOBS.load_wrong),
        "no conflict data": (KNOBS.no_conflicts, KNOBS.load_fine),
        "no saturation flow": (KNOBS.no_saturation, KNOBS.load_fine),
        "fine": (10, KNOBS.load_fine),
    }
    ratio = groups.assign(y=groups["demand"] / groups["saturation_flow"])
    y = ratio.groupby(["site", "phase"])["y"].max().groupby("site").sum()
    for kind, (number, (low, high)) in kinds.items():
        part = sites[sites["plan"] == kind]
        assert len(part) == number
        # Demand is rounded to a tenth of a vehicle an hour.
        assert np.allclose(y[part["site"]], part["load"], rtol=0, atol=0.001)
        assert part["load"].between(low - 1e-6, high + 1e-6).all(), kind
        assert part["webster_cycle"].isna().all() == (kind == "over capacity")


def test_plans_add_up_and_only_the_wrong_ones_starve_a_phase(groningen: City) -> None:
    sites, groups = (table(groningen) for table in (junctions, lane_groups))
    table = groups.merge(sites, on="site", suffixes=("", "_site"))
    for _, part in table.groupby("site"):
        phases = part.drop_duplicates("phase")
        assert phases["green"].sum() + part["lost_time"].iloc[0] == part["cycle"].iloc[0]
        assert (part.groupby("phase")["green"].nunique() == 1).all()
        assert (part["green"] >= part["minimum_green"]).all()
        assert part.groupby("phase")["critical"].sum().eq(1).all()
    share = table["green"] / table["cycle"]
    assert np.allclose(table["capacity"], table["saturation_flow"] * share)
    table["ratio"] = table["demand"] / table["capacity"]
    worst = table.groupby("site")["ratio"].max()
    plan = sites.set_index("site")["plan"]
    assert worst[plan == "wrong split"].between(0.98 * KNOBS.starved, 1.1 * KNOBS.starved).all()
    assert (table[table["plan"] == "wrong split"].groupby("site")["ratio"].min() < 0.8).all()
    assert worst[plan == "over capacity"].min() > 1
    assert worst[~plan.isin(["wrong split", "over capacity"])].max() < 0.95
    # Webster's green serves everybody where any timing does.
    timed = table[table["webster_cycle"].notna()]
    better = timed["saturation_flow"] * timed["webster_green"] / timed["webster_cycle"]
    assert (timed["demand"] / better).max() < 0.95
    assert np.allclose(
        timed.drop_duplicates(["site", "phase"]).groupby("site")["webster_green"].sum(),
        timed.groupby("site")[["webster_cycle", "lost_time"]].first() @ [1, -1],
    )


def test_demand_in_the_design_hour_is_the_design(year: Traffic) -> None:
    works = year.roadworks.iloc[0]
    detectors = year.junctions.detectors
    dug = (detectors["site"] == works["site"]) & (detectors["approach"] == works["approach"])
    hour = year.demand[:, ordinary(year), RUSH].sum(axis=2).mean(axis=1)
    expected = detectors["design"].to_numpy()
    for mode, within in {"car": 0.02, "bike": 0.05, "pedestrian": 0.05, "bus": 0.06}.items():
        rows = ((detectors["mode"] == mode) & ~dug).to_numpy()
        assert hour[rows].sum() == pytest.approx(expected[rows].sum(), rel=within), mode
        if mode in ("car", "bike"):
            assert np.corrcoef(hour[rows], expected[rows])[0, 1] > 0.99


def test_days_differ_as_planted(year: Traffic) -> None:
    days, modes = year.days, year.junctions.detectors["mode"].to_numpy()
    volume = {mode: year.demand[modes == mode].sum(axis=(0, 2)) for mode in ("car", "bike")}
    usual = ordinary(year)
    holiday = ((days["kind"] == 0) & days["school_holiday"]).to_numpy()
    assert volume["car"][holiday].mean() / volume["car"][usual].mean() == pytest.approx(
        KNOBS.school_holiday_car, abs=0.03
    )
    # Summer holidays are the season of bicycles, so that less is lost than the knob says.
    assert 0.6 < volume["bike"][holiday].mean() / volume["bike"][usual].mean() < 0.95
    assert volume["car"][(days["kind"] == 2).to_numpy()].mean() < 0.8 * volume["car"][usual].mean()
    weather = days["weather"].to_numpy()[usual]
    slope = np.polyfit(weather, np.log(volume["bike"][usual]), 1)[0]
    assert slope == pytest.approx(-KNOBS.weather_bike, abs=0.06)
    assert abs(np.polyfit(weather, np.log(volume["car"][usual]), 1)[0]) < 0.06


def test_road_works_take_traffic_away_from_one_approach(year: Traffic, groningen: City) -> None:
    works = road_works(groningen).iloc[0]
    assert works["share"] == KNOBS.roadworks_share
    assert (works["last_day"] - works["first_day"]).days + 1 == KNOBS.roadworks_days
    detectors = year.junctions.detectors
    arm = (detectors["site"] == works["site"]) & (detectors["approach"] == works["approach"])
    rows = (arm & (detectors["mode"] == "car")).to_numpy()
    others = ((detectors["site"] == works["site"]) & ~arm & (detectors["mode"] == "car")).to_numpy()
    dug = year.days["day"].between(works["first_day"], works["last_day"]).to_numpy()
    volume, beside = (year.demand[these].sum(axis=(0, 2)) for these in (rows, others))
    change = volume[dug].sum() / beside[dug].sum() / (volume[~dug].sum() / beside[~dug].sum())
    assert change == pytest.approx(KNOBS.roadworks_share, abs=0.02)


def test_every_detector_fault_is_where_the_truth_says_and_nothing_else(
    year: Traffic, counts: Counted, truth: pd.DataFrame
) -> None:
    """The counts follow from what was served and the table of faults alone."""
    pd.testing.assert_frame_equal(truth[counts.faults.columns], counts.faults)
    row = {name: place for place, name in enumerate(year.junctions.detectors["detector"])}
    expected = year.served.reshape(len(row), -1).copy()
    sent = np.ones(counts.sent.shape, dtype=bool)
    for fault in truth.itertuples():
        here, period = row[fault.detector], slice(at(year, fault.start), at(year, fault.end))
        if fault.kind == "not delivered":
            sent[here, period.start // QUARTERS : period.stop // QUARTERS] = False
        else:
            own, other = year.served[here].ravel(), year.served[row.get(fault.other, here)].ravel()
            expected[here, period] = {
                "stuck": np.full(own.shape, fault.value),
                "dead": np.zeros_like(own),
                "doubled": 2 * own,
                "swapped": other,
                "missing": np.full(own.shape, BLANK),
            }[fault.kind][period]
    cube = expected.reshape(counts.cells.shape)
    cube[:, (year.days["day"] == SPRING).to_numpy(), GAP] = BLANK
    assert (cube == counts.cells).all()
    assert (sent == counts.sent).all()


def test_faults_are_as_many_and_as_long_as_planted(truth: pd.DataFrame) -> None:
    number = truth["kind"].value_counts()
    assert number["stuck"] == KNOBS.stuck
    assert number["dead"] == KNOBS.zero
    assert number["doubled"] == KNOBS.doubled
    assert number["swapped"] == 2 * KNOBS.swapped
    assert number["missing"] == KNOBS.outages
    absent = truth[truth["kind"] == "not delivered"]
    assert len(absent.drop_duplicates(["site", "start"])) == KNOBS.not_delivered
    for kind, (low, high) in LASTING.items():
        length = (truth["end"] - truth["start"])[truth["kind"] == kind] / pd.Timedelta(days=1)
        # Whole junctions are absent for whole days, so that a part of the period is left over.
        slack = 1.0 if kind == "not delivered" else 1 / QUARTERS
        assert length.between(low - slack, high + slack).all(), kind
    assert (truth["first_day"] <= truth["start"]).all()
    assert (truth["last_day"] < truth["end"]).all()
    assert (truth["first_day"] <= truth["last_day"]).all()
    swapped = truth[truth["kind"] == "swapped"].set_index("detector")
    assert (swapped.loc[swapped["other"], "other"].to_numpy() == swapped.index).all()
    assert (truth.loc[truth["kind"] == "stuck", "value"] >= 1).all()
    assert truth.loc[truth["kind"] != "stuck", "value"].isna().all()
    # A detector has one lasting fault at most, and no outage beside it.
    own = truth[truth["kind"] != "not delivered"]
    lasting = own[own["kind"] != "missing"]
    assert lasting["detector"].is_unique
    assert not set(lasting["detector"]) & set(own.loc[own["kind"] == "missing", "detector"])


def test_days_of_23_and_25_hours(year: Traffic, counts: Counted, groningen: City) -> None:
    assert clock_changes(groningen) == {"forward": "2025-03-30", "back": "2025-10-26"}
    spring, autumn = (int(np.flatnonzero(year.days["day"] == day)[0]) for day in (SPRING, AUTUMN))
    assert (year.demand[:, spring, GAP] == 0).all()
    assert (counts.cells[:, spring, GAP] == BLANK).all()
    known = counts.cells[:, spring] != BLANK
    assert known.any(axis=0).sum() == 92
    sundays = np.flatnonzero(year.days["day"].dt.day_of_week == 6)
    plain = np.setdiff1d(sundays, [spring, autumn])
    usual = year.served[:, plain, GAP].sum(axis=(0, 2))
    assert year.served[:, autumn, GAP].sum() / usual.mean() == pytest.approx(2, abs=0.25)
    assert usual.max() < 1.5 * usual.mean()


def test_nothing_is_faulty_without_mess(year: Traffic) -> None:
    clean = counted(SEED, World(mess=0.0), year)
    assert clean.faults.empty
    assert clean.sent.all()
    spring = (year.days["day"] == SPRING).to_numpy()
    assert (clean.cells[:, ~spring] == year.served[:, ~spring]).all()


def test_knobs_plant_another_truth(groningen: City) -> None:
    small = TrafficWorld(
        junctions=4, days=28, over_capacity=0, wrong_split=0, no_conflicts=0, no_saturation=0
    )
    world = World(traffic=small)
    calm = traffic(SEED, world)
    assert clock_changes(replace(groningen, world=world)) == {}
    full = traffic(SEED, World(traffic=replace(small, over_capacity=4)))
    turned_away = [1 - one.served.sum() / one.demand.sum() for one in (calm, full)]
    assert turned_away[1] > 100 * turned_away[0]
    single = World(traffic=replace(small, stuck=1, zero=0, doubled=0, swapped=0, outages=0))
    faults = counted(SEED, single, calm).faults
    assert set(faults["kind"]) == {"stuck", "not delivered"}


def test_other_kinds_of_wrong_worlds_are_refused() -> None:
    with pytest.raises(DatamallError, match="no more over_capacity"):
        TrafficWorld(junctions=5)
    with pytest.raises(DatamallError, match="does not cover"):
        TrafficWorld(days=400)
