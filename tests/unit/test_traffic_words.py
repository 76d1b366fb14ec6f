"""Sentences say what the tables hold, and what is not known."""

import numpy as np
import pandas as pd
import pytest

from datamall.requirements import Absent
from datamall.traffic import health, levels, plans, trucks, trucks_words, wisdom, words
from datamall.traffic.forecast import Forecasts
from datamall.traffic.forecast_models import BASELINE, MODEL
from datamall.traffic.information import MEAN_DAY, WORKING_DAY

GAP = Absent(
    "Capacity", "Not possible here: the authority does not deliver traffic.junctions.green."
)


def proposals(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    """Site, verdict, reason and gain; the interval is 2 to each side."""
    table = pd.DataFrame(rows, columns=["site", "verdict", "reason", "gain"])
    name = "Road " + table["site"]
    return table.assign(name=name, low=table["gain"] - 2, high=table["gain"] + 2)


PLANS = proposals(
    ("A", wisdom.RECOMMENDED, "", 10.0),
    ("A", wisdom.RECOMMENDED, "", 8.0),
    ("B", wisdom.RECOMMENDED, "", 12.0),
    ("C", wisdom.REFUSED, f"Flows need 1.00: {plans.OVER}", np.nan),
    ("C", wisdom.REFUSED, f"Flows need 1.10: {plans.OVER}", np.nan),
    ("D", wisdom.KEEP, "", 1.0),
)
PERIODS = pd.DataFrame(
    {
        "site": ["A", "A", "B", "B", "A"],
        "mode": ["car", "car", "car", "bike", "car"],
        "days": [WORKING_DAY, MEAN_DAY, WORKING_DAY, WORKING_DAY, WORKING_DAY],
        "period": ["24 hours (etmaal)"] * 4 + ["night (nacht)"],
        "mean": [9000.0, 99_000, 12_345, 50_000, 400],
        "low": [8900.0, 0, 12_000, 0, 0],
        "high": [9100.0, 0, 12_700, 0, 0],
    }
)


def test_answer_with_plans() -> None:
    assert words.answer(PLANS, PERIODS, 0.9) == (
        "At 2 of 4 junctions, other signal plans would save 30 person-hours a working day (90 % "
        "interval 24 to 36), most at Road A. At 1, no timing solves it."
    )


def test_answer_without_a_plan_or_refusal() -> None:
    text = words.answer(PLANS[PLANS["site"] == "D"], PERIODS, 0.9)
    assert text == "No other signal plan is known to save time at 1 junction."


def test_answer_without_capacities_says_what_is_not_known() -> None:
    assert words.answer(GAP, PERIODS, 0.9) == (
        "Where people lose time cannot be said: no capacity or signal plan is known. Of 2 "
        "junctions, B counts most: 12,345 cars a working day (90 % interval 12,000 to 12,700)."
    )
    assert words.answer(GAP, PERIODS.head(0), 0.9).endswith("plan is known.")


@pytest.mark.parametrize(
    "text", [words.answer(PLANS, PERIODS, 0.9), words.answer(GAP, PERIODS, 0.9)]
)
def test_answers_are_short(text: str) -> None:
    assert len(text) < 220


def test_metrics_leave_out_what_a_gap_would_have_given() -> None:
    scores = pd.DataFrame(
        {
            **{"mode": ["car"], "period": ["2025-01-01 to 2025-12-31, 60 min"]},
            **{"mase_median": [0.8], "mase_gated": [0.7], "coverage": [0.91]},
        }
    )
    plateaus = pd.DataFrame({"verdict": ["cut off at capacity", "not cut off", "not cut off"]})
    faults = pd.DataFrame(
        {
            "kind": [health.LOST, "stuck", "zero", "change", "doubled", "shape"],
            "verdict": [*[levels.FAULTY] * 3, levels.ASK, levels.SUSPECT, levels.FAULTY],
        }
    )
    assert words.metrics(PLANS, faults, plateaus, scores) == {
        **{"plans": 3, "gain": 30, "low": 24, "high": 36, "no_plan": 2, "faults": 3},
        **{"cut_off_at_capacity": 1, "not_cut_off": 2},
        **{"mase_median_car_2025": 0.8, "mase_gated_car_2025": 0.7, "coverage_car_2025": 0.91},
    }
    assert words.metrics(GAP, GAP, GAP, GAP) == {}


DAYS = words.working_days(PERIODS)


def test_the_usual_week_is_that_of_the_junction_that_counts_most_cars() -> None:
    assert DAYS["site"].tolist() == ["B", "A"]
    table = pd.DataFrame(
        {
            "site": ["B", "B", "B", "A", "B"],
            "mode": ["car", "car", "car", "car", "bike"],
            "weekday": [7, 1, 1, 1, 1],
            "hour": [23, 8, 8, 8, 8],
            "mean": [100.0, 4, 900, 5, 6],
            "low": 1.0,
            "high": 2.0,
        }
    )
    week = words.usual_week(table, DAYS)
    assert week["hour"].tolist() == list(range(168))  # what was never counted is missing
    assert week["mean"].dropna().to_dict() == {8: 900, 167: 100}
    assert week["when"][[8, 167]].tolist() == ["Mon, 8–9 h", "Sun, 23–24 h"]
    assert words.describe_week(week, "mean") == (
        "Cars by hour of the week at junction B: between 100 on Sun, 23–24 h and 900 on Mon, "
        "8–9 h (1 to 2)."
    )
    assert set(week["line"]) == {"B: mean of all weeks"}
    assert words.noons(week) == dict(
        zip(range(12, 168, 24), ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], strict=True)
    )
    unknown = words.usual_week(table.head(0), DAYS)
    assert words.describe_week(unknown, "mean") == "Nothing is known of the cars of a week."
    assert words.describe_days(DAYS).startswith(
        "Cars on a working day at 2 junctions, from 9,000 at A to 12,345 at B (12,000 to 12,700)"
    )


def coming(site: str, first: str, hours: list[int]) -> pd.DataFrame:
    """Hours of a week from its first day on; the last of them is always there."""
    hour = pd.Series([*hours, 167])
    return pd.DataFrame(
        {
            **{"site": site, "mode": "car", "day": pd.Timestamp(first), "hour": hour % 24},
            **{"expected": 100.0 + hour, "low": 90.0, "high": 300.0, "median": 200.0 + hour},
            "method": MODEL,
        }
    ).assign(day=lambda own: own["day"] + pd.to_timedelta(hour // 24, unit="D"))


def test_the_week_ahead_stands_beside_the_median() -> None:
    before, after = coming("B", "2025-03-03", [0, 1]), coming("B", "2026-01-01", [8, 30])
    ahead = pd.concat([before, after, coming("A", "2026-01-01", [8])])
    by_site = pd.DataFrame({"site": ["A", "B", "B"], "mode": ["car", "bike", "car"]})
    by_site["why"] = ["it is A", "it cycles", "it won"]
    week = words.next_week(Forecasts(ahead, GAP, by_site), DAYS)
    lines = week.groupby("line", sort=False)
    assert [(name, own["hour"].tolist()) for name, own in lines] == [
        ("B: forecast by adaptive profile", list(range(168))),
        ("median of up to 8 weeks before", list(range(168))),
    ]
    chosen, other = (own.dropna(subset="cars") for _, own in lines)
    assert chosen["when"].tolist() == ["Thu 1 Jan, 8–9 h", "Fri 2 Jan, 6–7 h", "Wed 7 Jan, 23–24 h"]
    assert chosen["cars"].tolist() == [108, 130, 267]
    assert other["cars"].tolist() == [208, 230, 367]
    assert (chosen["high"] == 300).all() and other["high"].isna().all()
    dates = ["Thu\n1 Jan", "Fri\n2", "Sat\n3", "Sun\n4", "Mon\n5", "Tue\n6", "Wed\n7"]
    assert list(words.noons(week).values()) == dates
    change = words.next_week(Forecasts(coming("B", "2026-01-29", [8]), GAP, by_site), DAYS)
    assert list(words.noons(change).values())[2:5] == ["Sat\n31", "Sun\n1 Feb", "Mon\n2"]
    assert words.describe_ahead(week, by_site) == (
        "Cars by hour of the week at junction B: between 108 on Thu 1 Jan, 8–9 h and 267 on Wed 7 "
        "Jan, 23–24 h (90 to 300). In the whole week 505; by the median of up to 8 weeks before "
        "805. B: forecast by adaptive profile, because it won."
    )


def test_a_junction_without_a_forecast_has_no_week_ahead() -> None:
    ahead = Forecasts(coming("A", "2026-01-01", [8]), GAP, GAP)
    week = words.next_week(ahead, DAYS)
    assert week.empty and words.noons(week) == {}
    assert words.describe_ahead(week, DAYS) == "Nothing is known of the cars of a week."


def test_parts_of_the_forecasts() -> None:
    ahead = Forecasts(*(pd.DataFrame({"x": [number]}) for number in range(3)))
    assert words.part(ahead, "scores")["x"].tolist() == [1]
    assert words.part(GAP, "scores") is GAP


def test_choices_count_junctions_by_reason() -> None:
    by_site = pd.DataFrame(
        {
            **{"site": list("ABCA"), "mode": ["car", "car", "car", "bike"]},
            **{"method": [MODEL, BASELINE, MODEL, MODEL], "why": ["won", "lost", "won", "won"]},
        }
    )
    assert words.choices(by_site).to_numpy().tolist() == [
        ["bike", 1, MODEL, "won"],
        ["car", 2, MODEL, "won"],
        ["car", 1, BASELINE, "lost"],
    ]


RATIOS = pd.DataFrame(
    {
        **{"site": ["A", "A", "B"], "name": "Road A", "approach": "north"},
        **{"lane_group": ["SR", "L", "SR"], "peak": "evening", "ratio": [0.97, 0.5, np.nan]},
        **{"low": 0.9, "high": 1.0, "verdict": ["crowded", "not crowded", "not enough evidence"]},
    }
)


def test_ratios_in_words() -> None:
    assert words.fullest(RATIOS, 2)["where"].tolist() == [
        "A north SR, evening",
        "A north L, evening",
    ]
    assert words.describe_ratios(RATIOS) == (
        "Lane groups and peaks: 1 crowded, 1 not crowded. The fullest is north SR at Road A in the "
        "evening: 0.97 of its capacity (0.90 to 1.00)."
    )


def test_lost_and_avoidable_in_words() -> None:
    table = pd.DataFrame(
        {
            **{"name": ["Road A", "Road B", "Road C"], "lost": [50.0, 20, np.nan]},
            **{"avoidable": [9.0, 1, np.nan], "low": 8.0, "high": 11.0},
            **{
                "rank_low": pd.array([1, 1, None], "Int64"),
                "rank_high": pd.array([2, 2, None], "Int64"),
            },
        }
    )
    assert words.describe_lost(table) == (
        "Person-hours lost a working day at 2 junctions: from 20 at Road B to 50 at Road A (8 to "
        "11)."
    )
    assert words.describe_avoidable(table) == (
        "Avoidable person-hours a working day at 2 junctions: most at Road A, 9 (8 to 11), rank 1 "
        "to 2. 1 junction without any plan."
    )
    assert words.describe_avoidable(table.tail(1)) == "1 junction without any plan."
    assert words.describe_lost(table.tail(1)) == "Nowhere is it known how much time is lost."
    assert (
        words.describe_map(pd.DataFrame({"needs": ["none", "more than timing", "none"]}))
        == "Map of 3 junctions: 1 more than timing, 2 none."
    )


TOTALS = pd.DataFrame(
    {
        **{"weekday": ["all week", "Monday", "Tuesday"], "stops": [3968, 10, 5]},
        **{"near": [496, 9, 5], "congested": [31.2, 20, 11.2], "low": [28.1, 15, 9]},
        **{"high": [34.0, 25, 13], "movable": [30.6, 20, 10.6], "minutes": [80.0, 50, 30]},
    }
)


def test_the_answer_about_trucks() -> None:
    assert trucks_words.answer(TOTALS, 0.9) == (
        "Of 3,968 stops a week, 496 are near a junction that counts; 31 of these (90 % interval 28 "
        "to 34) fall in congested hours, 31 of them with a calm hour the same day. Of the others "
        "traffic knows nothing."
    )
    assert trucks_words.answer(GAP, 0.9).startswith("Which stops lie in congested hours cannot be")


def test_words_and_metrics_of_trucks() -> None:
    assert trucks_words.describe_totals(TOTALS, "weekday") == (
        "Stops a week in congested hours, by weekday. Most: Monday, 20.0 (15.0 to 25.0) of 9 stops "
        "near junctions."
    )
    changes = pd.DataFrame({"verdict": [trucks.MOVE, trucks.KEEP]})
    assert trucks_words.metrics(TOTALS, changes)["changes"] == 1
    assert trucks_words.metrics(TOTALS, changes)["congested"] == 31.2
    assert trucks_words.metrics(GAP, GAP) == {}
    places = pd.DataFrame({"verdict": [trucks.MOVE, "other", trucks.DOUBT, trucks.MOVE]})
    assert trucks_words.describe_map(places) == (
        "Map of 4 places with a planned stop: 2 serve earlier or later, 1 not enough evidence."
    )
    none = trucks_words.describe_totals(TOTALS.head(1), "weekday")
    assert none == "In no week enough hours were counted."


def test_gaps_are_passed_on() -> None:
    for describe in (words.describe_days, words.describe_ratios, words.describe_lost):
        assert describe(GAP) is GAP
    assert words.describe_week(GAP, "mean") is GAP
    assert words.next_week(GAP, DAYS) is GAP
    assert words.describe_ahead(GAP, GAP) is GAP
    assert words.noons(words.usual_week(GAP, DAYS)) is GAP
    assert words.fullest(GAP, 3) is GAP
    assert trucks_words.describe_map(GAP) is GAP
