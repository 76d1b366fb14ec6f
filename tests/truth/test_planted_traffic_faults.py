"""Planted detector faults are found as what they are, road works are not called one.

Where demand was above capacity the counts are found to stop at a ceiling.
"""

import numpy as np
import pandas as pd
import pytest
from junction_counts import Planted, planted

from datamall.requirements import Absent
from datamall.traffic import capacity, censoring, health, levels

KINDS = {"dead": "zero", "missing": "no data", "not delivered": "no data"}
DEMO, OTHERS = 2319, range(1, 7)
UNKNOWN = Absent("Capacity", "Not possible here: the authority does not deliver traffic.junctions.")
PEAKS = ((7, 10), (16, 19))
OFTEN = 0.1  # of working days with a queue for an hour, from which on an approach is cut off


class Case:
    """A planted year and what the analysis made of it."""

    def __init__(self, seed: int) -> None:
        self.world: Planted = planted(seed)
        self.found = health.examine(self.world.cube, self.world.calendar)
        truth = self.world.counts.faults
        last = (truth["end"] - pd.Timedelta(minutes=15)).dt.normalize()
        self.truth = truth.assign(
            kind=truth["kind"].replace(KINDS), first=truth["start"].dt.normalize(), last=last
        )

    def share(self, fault: object) -> float:
        """Return which share of a planted fault's days was found with its kind."""
        rows = self.found
        same = (rows["detector"] == fault.detector) & (rows["kind"] == fault.kind)
        days = pd.date_range(fault.first, fault.last)
        hit = np.zeros(len(days), dtype=bool)
        for row in rows[same & (rows["verdict"] == levels.FAULTY)].itertuples():
            hit |= (days >= row.first_day) & (days <= row.last_day)
        return float(hit.mean())

    def false_weeks(self) -> tuple[int, int]:
        """Return the healthy detector-weeks that were called faulty, and all of them."""
        block = next(iter(self.world.cube))
        row = {name: place for place, name in enumerate(block.series["detector"])}
        planted_days, called = (np.zeros(block.count.shape[:2], dtype=bool) for _ in range(2))
        for fault in self.truth.itertuples():
            first, last = (int((day - block.days[0]).days) for day in (fault.first, fault.last))
            planted_days[row[fault.detector], first : last + 1] = True
        faulty = self.found[
            (self.found["verdict"] == levels.FAULTY) & (self.found["kind"] != "no data")
        ]
        for one in faulty.itertuples():
            first, last = (int((d - block.days[0]).days) for d in (one.first_day, one.last_day))
            called[row[one.detector], first : last + 1] = True
        weeks = [
            part[:, :364].reshape(len(part), 52, 7).any(axis=2) for part in (planted_days, called)
        ]
        return int((~weeks[0] & weeks[1]).sum()), int((~weeks[0]).sum())

    def queues(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Return lane group and peak, and the share of working days with a queue for an hour."""
        year = self.world.year
        cars = np.flatnonzero(year.junctions.detectors["mode"] == "car")
        working = (year.days["kind"] == 0).to_numpy()
        waiting = year.queue[cars][:, working] > 0
        rows, shares = [], []
        for place, car in enumerate(cars):
            for first, last in PEAKS:
                about = year.junctions.detectors.loc[car, ["site", "approach", "movement"]]
                rows.append((*about, first, last))
                quarters = waiting[place, :, first * 4 : last * 4].sum(axis=1)
                shares.append((quarters >= 4).mean())
        names = ["site", "approach", "movement", "first", "last"]
        return pd.DataFrame(rows, columns=names), np.array(shares)

    def plateaus(self, known: bool) -> tuple[pd.DataFrame, np.ndarray]:
        """Return what `censoring` finds, and in which rows of `queues` it is cut off."""
        groups = self.world.year.junctions.groups.rename(columns={"lane_group": "movement"})
        capacities = groups[["site", "approach", "movement", "capacity"]] if known else UNKNOWN
        table = censoring.plateaus(health.healthy(self.world.cube, self.found), capacities)
        assert isinstance(table, pd.DataFrame)
        cut = table[table["verdict"] == capacity.CUT_OFF]
        keys = ["site", "approach", "movement"]
        pairs = self.queues()[0].reset_index().merge(cut, on=keys)
        over = (pairs["hour_from"] < pairs["last"]) & (pairs["hour_to"] > pairs["first"])
        found = np.zeros(len(self.queues()[0]), dtype=bool)
        found[pairs.loc[over, "index"]] = True
        return table, found


@pytest.fixture(scope="module")
def demo() -> Case:
    return Case(DEMO)


def check_faults(case: Case) -> None:
    shares = {(f.detector, f.kind, f.start): case.share(f) for f in case.truth.itertuples()}
    assert len(shares) > 60
    assert {key: share for key, share in shares.items() if share < 0.8} == {}
    false, healthy_weeks = case.false_weeks()
    assert healthy_weeks > 5_000
    assert false <= 0.01 * healthy_weeks


def test_every_planted_fault_is_found_as_what_it_is(demo: Case) -> None:
    assert set(demo.truth["kind"]) == {"stuck", "zero", "doubled", "swapped", "no data"}
    check_faults(demo)


def test_nothing_healthy_is_called_faulty(demo: Case) -> None:
    assert demo.false_weeks()[0] == 0


def test_swapped_pairs_name_each_other(demo: Case) -> None:
    found = demo.found[demo.found["kind"] == "swapped"].set_index("detector")["evidence"]
    truth = demo.truth[demo.truth["kind"] == "swapped"]
    assert len(found) == len(truth) == 4
    for fault in truth.itertuples():
        assert f"usual at {fault.other}," in found[fault.detector]


def check_road_works(case: Case) -> None:
    works = case.world.year.roadworks.iloc[0]
    rows = case.found[
        (case.found["site"] == works["site"]) & (case.found["approach"] == works["approach"])
    ]
    rows = rows[(rows["mode"] == "car") & (rows["last_day"] >= works["first_day"])]
    rows = rows[(rows["first_day"] <= works["last_day"]) & (rows["kind"] != "no data")]
    detectors = case.world.year.junctions.detectors
    own = detectors[(detectors["site"] == works["site"]) & (detectors["mode"] == "car")]
    dug = set(own.loc[own["approach"] == works["approach"], "detector"])
    change = rows[rows["kind"] == "change"]
    assert dug
    assert set(change["detector"]) == dug
    assert set(change["verdict"]) == {levels.ASK}
    apart = (change["first_day"] - works["first_day"]).dt.days.abs()
    assert apart.max() <= 2


def test_road_works_are_asked_about_not_called_a_fault(demo: Case) -> None:
    check_road_works(demo)


def test_healthy_counts_are_the_truth_again(demo: Case) -> None:
    block = next(iter(health.healthy(demo.world.cube, demo.found)))
    before = next(iter(demo.world.cube))
    year = demo.world.year
    order = [list(year.junctions.detectors["detector"]).index(d) for d in block.series["detector"]]
    served = year.served[order]
    wrong = np.isfinite(before.count) & (before.count != served)
    left = np.isfinite(block.count) & (block.count != served)
    assert wrong.sum() > 50_000
    # What is left are first and last days of which most hours were in order.
    assert left.sum() < 0.01 * wrong.sum()
    lost = np.isfinite(before.count).sum() - np.isfinite(block.count).sum()
    assert lost < 1.2 * wrong.sum()


def check_ceilings(case: Case, known: bool, precision: float, recall: float) -> None:
    table, found = case.plateaus(known)
    truly = case.queues()[1] >= OFTEN
    print(f"precision {(found & truly).sum()}/{found.sum()}, recall of {truly.sum()}")
    assert truly.sum() >= 15
    assert (found & truly).sum() >= precision * found.sum()
    assert (found & truly).sum() >= recall * truly.sum()
    cut = table[table["verdict"] == capacity.CUT_OFF]
    assert set(cut["demand"]) == {capacity.UNKNOWN_DEMAND}
    assert set(table.loc[table["verdict"] != capacity.CUT_OFF, "demand"]) == {""}
    # The ceiling is the capacity, to the vehicle of a quarter, also where nobody told it.
    groups = case.world.year.junctions.groups.rename(columns={"lane_group": "movement"})
    pairs = cut.drop(columns="capacity").merge(groups, on=["site", "approach", "movement"])
    assert (pairs["ceiling"] - pairs["capacity"]).abs().max() < 8


@pytest.mark.parametrize("known", [True, False])
def test_approaches_over_capacity_are_found_cut_off(demo: Case, known: bool) -> None:
    check_ceilings(demo, known, precision=0.95, recall=1)


def test_who_is_far_from_capacity_is_not_called_cut_off(demo: Case) -> None:
    table, found = demo.plateaus(known=True)
    assert not found[demo.queues()[1] < 0.05].any()
    truth = demo.world.year.junctions.groups.rename(columns={"lane_group": "movement"})
    truth = truth.assign(load=truth["demand"] / truth["capacity"])
    keys = ["site", "approach", "movement"]
    load = table.merge(truth[[*keys, "load"]], on=keys)
    far, full = load["load"] < 0.85, load["load"] >= 0.95
    assert far.sum() > 50
    # Some reach it on some days.
    assert (load.loc[far, "verdict"] == censoring.NOT_CUT_OFF).mean() > 0.85
    assert not (load.loc[full, "verdict"] == censoring.NOT_CUT_OFF).any()


@pytest.mark.slow
@pytest.mark.parametrize("seed", OTHERS)
def test_other_cities(seed: int) -> None:
    case = Case(seed)
    check_faults(case)
    check_road_works(case)
    for known in (True, False):
        check_ceilings(case, known, precision=0.9, recall=0.9)
