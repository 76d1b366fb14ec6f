"""Conflicts and crossings on file: what phases may not do, and what is not known without them."""

import numpy as np
import pandas as pd
import pytest
from signal_cases import NO_CUT, PEOPLE, cars, counts, junction

from datamall.traffic import conflicts, peaks, plans

RULES = plans.Rules(longest_cycle=120, headroom=0.2, coverage=0.75)
APART = ["north LSR 5 s; south LSR 3 s", "east LSR 3 s", ""]  # of east, north and south


def groups(**changed: object) -> pd.DataFrame:
    return peaks.lane_groups({"traffic.junctions": junction(**changed)})


def refused(**changed: object) -> str:
    own = peaks.peaks(counts(cars(), 4), groups(**changed), None, PEOPLE)
    [plan] = plans.propose(own, NO_CUT, RULES)
    [said] = plan.table["refused"].unique()
    return said


def test_conflicts_on_file_that_phases_keep_change_nothing() -> None:
    # 5 s from the east to the north and 3 s back: 8 s, which is the lost time.
    assert refused(conflicts=APART) == refused() == ""


def test_groups_that_conflict_have_no_green_together() -> None:
    both = refused(conflicts=["", "south LSR", ""])
    assert "Not safe or not true: north LSR and south LSR conflict and have green together" in both
    assert "in phase 1 (conflicts on file)" in both
    assert refused(conflicts=["", "", "north LSR 4 s"]) == both  # whoever of them says it


def test_lost_time_holds_the_clearances() -> None:
    more = ["north LSR 5 s; south LSR 6 s", "east LSR 3 s", ""]  # the longest of a change counts
    said = refused(conflicts=more)
    assert "a lost time of 8 s is less than the 9 s of clearance" in said
    assert refused(conflicts=more, lost_time=9.0, cycle=61.0) == ""


def test_only_what_no_order_of_phases_can_keep_is_refused() -> None:
    table = junction(phase=["1", "2", "3"], lost_time=9.0, green=17.0)
    # 1 → 2 → 3 → 1 needs 9 + 9 + 0, 1 → 3 → 2 → 1 needs 1 + 1 + 1.
    table["conflicts"] = [
        "north LSR 9 s; south LSR 1 s",
        "south LSR 9 s; east LSR 1 s",
        "north LSR 1 s",
    ]
    own = peaks.lane_groups({"traffic.junctions": table})
    assert conflicts.broken(own) is None
    own["lost_time"] = 2.0
    assert "the 3 s of clearance" in conflicts.broken(own)[0]


@pytest.mark.parametrize("text", ["north L 5 s", "north LSR 5", "norht LSR 5 s", "all others"])
def test_what_cannot_be_read_is_refused_there(text: str) -> None:
    said = refused(conflicts=[text, "", ""])
    assert f"conflicts name {text!r}, no lane group here: write approach" in said


def test_names_of_more_words_are_read() -> None:
    named = {
        "approach": ["Mill Road", "north", "south"],
        "conflicts": ["", "Mill Road LSR 4 s", ""],
    }
    own = groups(**named)
    assert conflicts.pairs(own) == {
        (("north", "LSR"), ("Mill Road", "LSR")): 4.0,
        (("Mill Road", "LSR"), ("north", "LSR")): 0.0,
    }


def test_the_crossing_replaces_the_pedestrian_time() -> None:
    # 12 m at 1.2 m/s and 5 s of least green.
    own = groups(crossing_length=[12.0, np.nan, 18.0])
    assert own["pedestrian_time"].tolist() == pytest.approx([15, 12, 20])
    # Beside lanes that would need more a crossing with a refuge is believed, a guess is not.
    lanes = {"lanes": 4, "pedestrian_time": [10.0, 14.0, 14.0]}
    assert "a pedestrian time of 10 s" in refused(**lanes)
    assert refused(**lanes, crossing_length=6.0) == ""


def test_without_conflicts_or_crossings_a_plan_is_an_indication() -> None:
    plain = conflicts.standing(groups())
    assert plain["plan"].tolist() == ["a capacity indication only"]
    assert plain["junctions"].tolist() == [1]
    whole = conflicts.standing(groups(conflicts=APART, crossing_length=6.0))
    assert whole["plan"].tolist() == [conflicts.KEEPS]
    # One crossing of which only somebody's guess is known is enough to make it one.
    some = groups(conflicts=APART, crossing_length=[6.0, 6.0, np.nan])
    assert conflicts.standing(some)["crossings"].tolist() == ["not delivered"]
    assert conflicts.standing(some)["plan"].tolist() == [conflicts.INDICATION]
