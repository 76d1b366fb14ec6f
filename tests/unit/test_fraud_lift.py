"""The lift over a random draw: by hand, its interval, and when a profile does not hold."""

import numpy as np
import pandas as pd
import pytest
from welfare_world import Office, office

from datamall.errors import DatamallError
from datamall.fraud.profile import effectiveness, knowledge, lift, wisdom, words
from datamall.fraud.profile.information import CLIENTS, INVESTIGATIONS
from datamall.fraud.profile.model import Profile
from datamall.requirements import Absent

ALL = ["unlawful or administrative", "unlawful", "unlawful or administrative or unclear"]
HOW = {"confidence": 0.95, "power": 0.8, "wanted": 1.5}
# A profile that picks who reported late, whatever else.
LATE = Profile(
    facts=("late_reports",),
    usual=np.array([0.0]),
    centre=np.array([0.0]),
    spread=np.array([1.0]),
    coefficients=np.array([-2.0, 1.0]),
    errors=np.array([0.1, 0.1]),
    people=400,
    found=80,
)


def year(**counts: dict[str, int]) -> dict[str, pd.DataFrame]:
    """Return an extract of one year: 100 picked and 400 others drawn, of 10,000 people.

    `counts` says for ``picked`` and ``others`` how often each finding was recorded; the rest is
    nothing. A tenth of everybody is picked.
    """
    rows = []
    for who, size, late in (("picked", 100, 1), ("others", 400, 0)):
        results = [name for name, count in counts[who].items() for _ in range(count)]
        results += ["nothing"] * (size - len(results))
        rows += [(late, "random", "yes", result) for result in results]
    rows += [(1, "none", "no", None)] * 900 + [(0, "none", "no", None)] * 8600
    table = pd.DataFrame(rows, columns=["late_reports", "arm", "visited", "finding"])
    table.insert(0, "client", [f"K{place:05d}" for place in range(len(table))])
    table.insert(1, "year", 2025)
    looks = table.drop(columns="late_reports").assign(flagged="no", chosen="no")
    return {CLIENTS: table[["client", "year", "late_reports"]], INVESTIGATIONS: looks}


def test_the_lift_is_that_of_the_counts() -> None:
    """50 % of the picked and 10 % of the others: a draw finds 14 %, the profile 50 / 14."""
    data = year(picked={"unlawful": 50}, others={"unlawful": 40})
    own = effectiveness.lifts(data, LATE, ["unlawful"], 1000, **HOW).iloc[0]
    assert own[["picked", "found"]].tolist() == [100, 50]
    assert own["lift"] == pytest.approx(0.5 / 0.14, abs=0.05)
    assert own["verdict"] == effectiveness.SHOWN
    assert own["low"] < own["lift"] < own["high"]


def test_a_lift_of_one_is_not_shown() -> None:
    data = year(picked={"unlawful": 20}, others={"unlawful": 80})
    own = effectiveness.lifts(data, LATE, ["unlawful"], 1000, **HOW).iloc[0]
    assert own["lift"] == 1
    assert own["low"] < 1 < own["high"]
    assert own["verdict"] == effectiveness.NOT_SHOWN


def test_limits_of_the_ratio_become_limits_of_the_lift() -> None:
    ratios = np.array([0.0, 0.5, 1.0, 3.0, np.inf])
    for share in (0.01, 0.1, 0.5):
        lifts = lift.of_ratio(ratios, share)
        assert lifts[[0, 2]].tolist() == [0, 1]
        assert lifts[-1] == 1 / share  # all mistakes are among the picked
        assert (np.diff(lifts) > 0).all()
        p, q = 0.3, 0.1
        assert lifts[3] == pytest.approx(p / (share * p + (1 - share) * q))


def test_the_interval_is_above_one_exactly_where_that_of_the_ratio_is() -> None:
    from datamall.fairness.intervals import gap_limits

    x = np.arange(10.0, 60)
    full = np.full_like(x, 100)
    y, m = np.full_like(x, 60), np.full_like(x, 400)
    low, high = lift.estimate((x, full), (y, m), 0.1, 0.95)[1:]
    ratio_low, ratio_high = gap_limits((x, full), (y, m), 0.025, "ratio")
    assert ((low > 1) == (ratio_low > 1)).all()
    assert ((high < 1) == (ratio_high < 1)).all()
    assert 0 < (low > 1).sum() < len(x)


def test_no_profile_where_one_definition_alone_touches_one() -> None:
    """Four times as many administrative mistakes, and not one unlawful payment more."""
    data = year(
        picked={"unlawful": 15, "administrative": 40},
        others={"unlawful": 60, "administrative": 40},
    )
    lifts = effectiveness.lifts(data, LATE, ALL, 1000, **HOW)
    assert lifts["verdict"].tolist() == [
        effectiveness.SHOWN,
        effectiveness.NOT_SHOWN,
        effectiveness.SHOWN,
    ]
    assert not wisdom.holds(lifts)
    said = words.answer(lifts, Absent("Help", "None."), 0.95)
    assert said.startswith("No profile: it would find “unlawful” 1.0 times as often")
    assert "may be chance" in said
    record = wisdom.decision_records(lifts, Absent("Help", "None."))
    assert record["recommended"][0] == "No profile"
    assert "unlawful" in record["because"][0]


def test_no_profile_where_one_definition_alone_has_too_few_people() -> None:
    data = year(
        picked={"unlawful": 9, "administrative": 40}, others={"unlawful": 12, "administrative": 40}
    )
    lifts = effectiveness.lifts(data, LATE, ALL, 1000, **HOW)
    assert lifts["verdict"].tolist() == [
        effectiveness.SHOWN,
        effectiveness.TOO_FEW,
        effectiveness.SHOWN,
    ]
    assert not wisdom.holds(lifts)
    said = words.answer(lifts, Absent("Help", "None."), 0.95)
    assert said.startswith("No profile")
    assert said.endswith("too few were drawn to show “unlawful”.")


def test_a_profile_that_holds_goes_to_the_committee_and_no_further() -> None:
    data = year(
        picked={"unlawful": 40, "administrative": 20}, others={"unlawful": 40, "administrative": 20}
    )
    lifts = effectiveness.lifts(data, LATE, ALL, 1000, **HOW)
    assert wisdom.holds(lifts)
    said = words.answer(lifts, Absent("Help", "None."), 0.95)
    # The weakest definition speaks.
    weakest = lifts.sort_values("low").iloc[0]
    assert f"“{weakest['label']}” {weakest['lift']:.1f} times" in said
    assert said.startswith("A profile may be put to the committee: ")
    assert said.endswith(").")
    record = wisdom.decision_records(lifts, Absent("Help", "None."))
    assert "with the bias audit" in record["recommended"][0]


def test_metrics_follow_the_lifts() -> None:
    data = year(picked={"unlawful": 50}, others={"unlawful": 40})
    lifts = effectiveness.lifts(data, LATE, ["unlawful"], 1000, **HOW)
    shares = effectiveness.per_thousand(data, LATE, ["unlawful"], 1000, 0.95)
    assert words.metrics(lifts, shares) == {
        "lift_unlawful": lifts["lift"][0],
        "low_unlawful": lifts["low"][0],
        "high_unlawful": lifts["high"][0],
        "profile_holds": 1.0,
        "for_nothing_random_draw_unlawful": 820.0,
        "for_nothing_the_profile_unlawful": 500.0,
    }
    assert words.metrics(Absent("a", "b"), Absent("a", "b")) == {}


def test_visits_for_nothing_by_hand() -> None:
    data = year(picked={"unlawful": 50}, others={"unlawful": 40})
    table = effectiveness.per_thousand(data, LATE, ["unlawful"], 1000, 0.95).set_index("way")
    assert table.loc["the profile", ["recorded", "with_mistake"]].tolist() == [100, 500]
    assert table.loc["random draw", ["recorded", "with_mistake"]].tolist() == [500, 180]
    assert (table["for_nothing"] + table["with_mistake"] == 1000).all()
    assert (table["nothing_low"] == 1000 - table["high"]).all()


def test_people_of_one_chance_are_in_together() -> None:
    data = year(picked={"unlawful": 50}, others={"unlawful": 40})
    table = data[CLIENTS]
    picks = effectiveness.picked(table, LATE, 1)
    assert picks.sum() == 1000  # all who share the highest chance


def test_a_capacity_beyond_everybody_is_refused() -> None:
    data = year(picked={"unlawful": 50}, others={"unlawful": 40})
    for size in (0, 10_000):
        with pytest.raises(DatamallError, match="below the number of people"):
            effectiveness.lifts(data, LATE, ["unlawful"], size, **HOW)


def test_smallest_lift_shows_as_often_as_stated() -> None:
    """Draw the profile of the smallest lift: it is shown at the stated power."""
    small = lift.smallest(60, 340, 0.15, 0.2, 0.95, 0.8)
    rng = np.random.default_rng(3)
    p, q = small * 0.2, 0.2 * (1 - small * 0.15) / 0.85
    x, y = rng.binomial(60, p, 20_000), rng.binomial(340, q, 20_000)
    low = lift.estimate((x, np.full_like(x, 60)), (y, np.full_like(y, 340)), 0.15, 0.95)[1]
    assert (low > 1).mean() == pytest.approx(0.8, abs=0.012)


@pytest.mark.parametrize(("share", "rate", "wanted"), [(0.1, 0.2, 1.5), (0.3, 0.2, 1.3)])
def test_people_to_draw_show_the_wanted_lift(share: float, rate: float, wanted: float) -> None:
    drawn = lift.needed(share, rate, wanted, 0.95, 0.8)
    assert drawn is not None
    rng = np.random.default_rng(4)
    n = round(share * drawn)
    x = rng.binomial(n, wanted * rate, 20_000)
    y = rng.binomial(drawn - n, rate * (1 - wanted * share) / (1 - share), 20_000)
    sizes = np.full_like(x, n), np.full_like(y, drawn - n)
    low = lift.estimate((x, sizes[0]), (y, sizes[1]), share, 0.95)[1]
    assert (low > 1).mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("share", "rate", "wanted"),
    [(0.1, 0.2, 1.0), (0.1, 0.2, 6.0), (0.8, 0.2, 1.5), (0.1, 0.0, 1.5), (0.1, float("nan"), 2)],
)
def test_no_draw_shows_what_cannot_be(share: float, rate: float, wanted: float) -> None:
    assert lift.needed(share, rate, wanted, 0.95, 0.8) is None


def test_smallest_is_unknown_where_nothing_is_known() -> None:
    for picked, rate in ((0, 0.2), (float("nan"), 0.2), (40, float("nan"))):
        assert np.isnan(lift.smallest(picked, 370, 0.1, rate, 0.95, 0.8))


@pytest.fixture(scope="module")
def world() -> Office:
    return office(8, people=3000, drawn=900)


def test_flags_in_use_are_measured_among_the_drawn(world: Office) -> None:
    own = effectiveness.lifts_in_use(world.data, ALL, **HOW)
    looks = world.data[INVESTIGATIONS]
    drawn = looks[
        (looks["arm"] == "random") & (looks["visited"] == "yes") & (looks["year"] == 2025)
    ]
    assert abs(own["picked"][0] - (drawn["flagged"] == "yes").sum()) <= 2
    # These flags know nothing of mistakes.
    assert (own["low"] <= 1).all()


def test_without_flags_the_comparison_is_the_profile_alone(world: Office) -> None:
    looks = world.data[INVESTIGATIONS]
    data = {**world.data, INVESTIGATIONS: looks.drop(columns="flagged")}
    in_use = effectiveness.lifts_in_use(data, ALL, **HOW)
    assert isinstance(in_use, Absent)
    assert "flagged" in in_use.reason
    trained = knowledge.train(data, ALL, 5)
    own = effectiveness.lifts(data, trained, ALL, 300, **HOW)
    assert set(effectiveness.compared(own, in_use)["way"]) == {"the profile"}
    unflagged = {**world.data, INVESTIGATIONS: looks.assign(flagged="no")}
    assert isinstance(effectiveness.lifts_in_use(unflagged, ALL, **HOW), Absent)


def test_definitions_stay_together_in_a_comparison(world: Office) -> None:
    trained = knowledge.train(world.data, ALL, 5)
    own = effectiveness.lifts(world.data, trained, ALL, 300, **HOW)
    both = effectiveness.compared(own, effectiveness.lifts_in_use(world.data, ALL, **HOW))
    assert both["label"].tolist() == [label for label in ALL for _ in range(2)]
    assert both["way"].tolist() == ["the profile", "flags in use"] * 3


def test_sizes_around_the_set_one(world: Office) -> None:
    trained = knowledge.train(world.data, ALL, 5)
    table = effectiveness.capacities(world.data, trained, ALL, 300, **HOW)
    assert table["capacity"].tolist() == [size for size in (240, 300, 360, 600) for _ in ALL]
    own = effectiveness.lifts(world.data, trained, ALL, 300, **HOW)
    same = table[table["capacity"] == 300].reset_index(drop=True)
    assert same["lift"].equals(own["lift"])


def test_a_gap_is_passed_on(world: Office) -> None:
    gap = Absent("The profile", "None.")
    assert effectiveness.lifts(world.data, gap, ALL, 300, **HOW) == gap
    assert effectiveness.capacities(world.data, gap, ALL, 300, **HOW) == gap
    assert effectiveness.per_thousand(world.data, gap, ALL, 300, 0.95) == gap
    assert effectiveness.compared(gap, gap) == gap
    assert words.answer(gap, gap, 0.95) == "No profile. None."
    assert words.describe_lifts(gap) == gap
