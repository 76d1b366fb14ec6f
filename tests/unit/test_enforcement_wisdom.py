"""The plan: right action, right order, honest intervals, nothing that depends on chance."""

import numpy as np
import pandas as pd
import pytest

from datamall.chapters import Gap
from datamall.enforcement import wisdom, words
from datamall.errors import DatamallError


@pytest.fixture
def rates() -> pd.DataFrame:
    n = 40
    return pd.DataFrame(
        {
            "cluster": [f"C{i:02d}" for i in range(n)],
            "kind": "container",
            "district": ["North", "South"] * (n // 2),
            "x": np.arange(n) * 100.0,
            "y": 0.0,
            "inspections": 50,
            "with_waste": np.arange(n) // 2 + 5,
            "rate": np.linspace(0.2, 0.8, n),
            "low": np.linspace(0.1, 0.7, n),
            "high": np.linspace(0.3, 0.9, n),
            "sd": 0.06,
        }
    )


@pytest.fixture
def causes(rates: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame({"cluster": rates["cluster"]}).assign(
        bulky=0.5, residual=0.2, cardboard=0.1, full=0.1, broken=0.05, unknown=0.05, weight=40.0
    )
    table.loc[0, ["bulky", "full"]] = 0.05, 0.55
    table.loc[1, ["bulky", "broken"]] = 0.05, 0.5
    table.loc[2, ["bulky", "residual", "cardboard", "full", "broken"]] = 0.01, 0.6, 0.3, 0.01, 0.01
    return table


@pytest.fixture
def data(rates: pd.DataFrame) -> dict[str, pd.DataFrame]:
    places = rates[["cluster", "kind", "x", "y"]].assign(neighbourhood=rates["district"])
    areas = pd.DataFrame({"neighbourhood": ["North", "South"], "district": ["North", "South"]})
    return {"enforcement.containers": places, "shared.neighbourhoods": areas}


def test_each_cause_goes_to_its_department(rates: pd.DataFrame, causes: pd.DataFrame) -> None:
    table = wisdom.options(rates, causes)
    about = table[["cause", "action", "department"]].to_numpy().tolist()
    assert about[0] == ["full", "empty the container", "Waste collection"]
    assert about[1] == ["broken", "repair the container", "Maintenance"]
    assert about[2] == ["residual", "inform and enforce", "Enforcement"]
    assert about[3] == ["bulky", "pick up bulky waste", "Bulky waste crew"]
    # Rate × share × middle of the range, summed over the causes of the action.
    assert table.loc[3, "expected"] == pytest.approx(rates.loc[3, "rate"] * 0.5 * 0.85)
    boards = rates.loc[2, "rate"] * (0.6 * 0.1 + 0.3 * 0.145)
    assert table.loc[2, "expected"] == pytest.approx(boards)


def test_plan_takes_the_most_useful_stops(rates: pd.DataFrame, causes: pd.DataFrame) -> None:
    plan = wisdom.plan(wisdom.options(rates, causes), 5, 0.9, 1)
    assert plan["cluster"].tolist() == ["C39", "C38", "C37", "C36", "C35"]
    assert plan["stop"].tolist() == [1, 2, 3, 4, 5]
    assert (plan["avoided_low"] < plan["avoided"]).all()
    assert (plan["avoided"] < plan["avoided_high"]).all()
    assert plan.loc[0, "reason"] == (
        "Waste at 24 of 50 inspections; about 50 % of it goes back to bulky waste."
    )
    pd.testing.assert_frame_equal(plan, wisdom.plan(wisdom.options(rates, causes), 5, 0.9, 1))


def test_map_of_stops_shows_the_other_places_too(rates: pd.DataFrame, causes: pd.DataFrame) -> None:
    plan = wisdom.plan(wisdom.options(rates, causes), 5, 0.9, 1)
    table = wisdom.stops_on_map(rates, plan)
    assert table["cluster"].tolist()[:5] == plan["cluster"].tolist()
    assert sorted(table["cluster"]) == rates["cluster"].tolist()
    assert table["action"].value_counts().to_dict() == {"none": 35, "pick up bulky waste": 5}


def test_interval_joins_rate_cause_and_effect(rates: pd.DataFrame, causes: pd.DataFrame) -> None:
    plan = wisdom.plan(wisdom.options(rates, causes), 1, 0.9, 1).iloc[0]
    rng = np.random.default_rng(8)
    k = 0.8 * 0.2 / 0.06**2 - 1
    rate, share = rng.beta(0.8 * k, 0.2 * k, 200_000), rng.beta(20, 20, 200_000)
    oracle = np.quantile(rate * share * rng.uniform(0.7, 1, 200_000), [0.05, 0.95])
    assert [plan["avoided_low"], plan["avoided_high"]] == pytest.approx(oracle, abs=0.012)


def test_doubt_about_an_effect_does_not_average_out(
    rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    row = wisdom.compare_plans(rates, causes.assign(weight=1e5), 30, 0.9, 1).iloc[0]
    # 90 % of the values between 0.7 and 1 lie between 0.715 and 0.985, for all places at once.
    assert row["high"] / row["low"] == pytest.approx(0.985 / 0.715, rel=0.05)


def test_certainty_falls_towards_the_edge(rates: pd.DataFrame, causes: pd.DataFrame) -> None:
    plan = wisdom.plan(wisdom.options(rates, causes), 30, 0.9, 1)
    assert plan["certainty"].iloc[0] == "firm"
    assert plan["certainty"].iloc[-1] == "open"


def test_more_stops_than_places(rates: pd.DataFrame, causes: pd.DataFrame) -> None:
    assert len(wisdom.plan(wisdom.options(rates, causes), 99, 0.9, 1)) == 40


def test_comparison_with_an_unchanged_plan(rates: pd.DataFrame, causes: pd.DataFrame) -> None:
    table = wisdom.compare_plans(rates, causes, 10, 0.9, 1)
    assert len(table) == 3
    assert (table["stops"] == 10).all()
    first, same, truck = (row for _, row in table.iterrows())
    assert (first["gain"], first["gain_low"], first["gain_high"]) == (0, 0, 0)
    # Counts rank these places as rates do, so that the places are the same.
    assert same["shared_stops"] == 10
    assert same["gain_low"] == pytest.approx(0, abs=1e-9)
    assert truck["avoided"] == pytest.approx(first["avoided"] * 0.1 / 0.5)
    assert truck["gain_low"] > 0
    assert first["one_day_low"] < first["low"] < first["high"] < first["one_day_high"]
    assert first["dirty"] == pytest.approx(rates["rate"].tail(10).sum(), rel=0.01)


def test_inspections_are_partly_random_and_partly_where_they_decide(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    choices = wisdom.options(rates, causes)
    looks = wisdom.inspection_plan(data, choices, rates, 10, 20, 0.2, 3)
    assert looks["drawn"].value_counts().to_dict() == {"on purpose": 16, "at random": 4}
    assert looks["cluster"].is_unique
    assert looks["inclusion_probability"].eq(0.1).all()
    # The edge of a plan of ten stops lies between C29 and C30.
    chosen = looks[looks["drawn"] == "on purpose"]
    assert chosen["cluster"].iloc[:2].isin(["C28", "C29", "C30", "C31"]).all()
    assert looks["gain"].isna().sum() == 4


def test_much_waste_of_unknown_cause_is_inspected_first(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    causes.loc[39, ["bulky", "unknown"]] = 0.0, 0.95
    looks = wisdom.inspection_plan(data, wisdom.options(rates, causes), rates, 10, 20, 0.2, 3)
    first = looks[looks["drawn"] == "on purpose"].iloc[0]
    assert first["cluster"] == "C39"
    assert first["reason"] == "Much waste, cause unknown: inspect first."


def test_an_unknown_cause_does_not_matter_where_little_could_be_won(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    causes.loc[23, ["bulky", "unknown"]] = 0.0, 0.5
    looks = wisdom.inspection_plan(data, wisdom.options(rates, causes), rates, 10, 20, 0.2, 3)
    assert not looks["reason"].str.contains("unknown").any()


def test_places_never_inspected_can_be_drawn(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    seen = rates.iloc[::2].reset_index(drop=True)
    choices = wisdom.options(seen, causes.iloc[::2])
    looks = wisdom.inspection_plan(data, choices, seen, 5, 40, 0.5, 3)
    assert (looks["inspections"] == 0).any()
    assert looks["inclusion_probability"].eq(0.5).all()


def test_without_causes_there_is_no_plan_but_inspections(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    bare = causes[["cluster", "unknown", "weight"]]
    choices = wisdom.options(rates, bare)
    assert isinstance(choices, Gap)
    plan, lists = wisdom.plan(choices, 10, 0.9, 1), wisdom.own_lists(rates, bare, 10, 0.9, 1)
    comparison = wisdom.compare_plans(rates, bare, 10, 0.9, 1)
    looks = wisdom.inspection_plan(data, choices, rates, 10, 20, 0.2, 3)
    assert all(isinstance(part, Gap) for part in (plan, lists, comparison))
    assert len(looks) == 20
    assert set(wisdom.decision_records(plan, lists, looks)["part"]) == {"Inspectors"}
    assert words.answer(comparison, Gap("truck", "x"), 0.9).startswith("No plan for tomorrow.")


def test_decision_records_wait_for_somebody_to_decide(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    choices = wisdom.options(rates, causes)
    lists = wisdom.own_lists(rates, causes, 12, 0.9, 1)
    assert lists.groupby("action").size().tolist() == [3, 3, 3, 3]
    looks = wisdom.inspection_plan(data, choices, rates, 10, 20, 0.2, 3)
    table = wisdom.decision_records(wisdom.plan(choices, 10, 0.9, 1), lists, looks)
    assert table["part"].tolist() == [
        *("Bulky waste crew", "Waste collection", "Maintenance", "Enforcement"),
        *("Inspectors", "Inspectors"),
    ]
    assert table["places"].tolist() == [10, 0, 0, 0, 4, 16]
    empty = table[["decided", "decided_by_role", "why_different", "what_came_of_it"]]
    assert empty.eq("").all(axis=None)


@pytest.mark.parametrize("effect", list(wisdom.EFFECTS.itertuples()), ids=lambda e: e.cause)
def test_every_assumed_effect_is_a_range_with_a_source(effect: object) -> None:
    assert 0 <= effect.low < effect.high <= 1
    assert effect.source


def test_numbers_below_one_are_refused(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    choices = wisdom.options(rates, causes)
    with pytest.raises(DatamallError, match="stops is 0"):
        wisdom.plan(choices, 0, 0.9, 1)
    with pytest.raises(DatamallError, match="inspections_per_day is 0"):
        wisdom.inspection_plan(data, choices, rates, 10, 0, 0.2, 3)
    with pytest.raises(DatamallError, match=r"random_share is 1\.5"):
        wisdom.inspection_plan(data, choices, rates, 10, 20, 1.5, 3)


def test_answer_holds_every_number_with_its_interval(
    rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    comparison = wisdom.compare_plans(rates, causes, 10, 0.9, 1)
    truck = pd.DataFrame({"share": [0.63, 0.07], "low": [0.62, 0.06], "high": [0.64, 0.08]})
    row = comparison.iloc[0]
    sentence = words.answer(comparison, truck, 0.9)
    assert f"{row['avoided']:.1f} (90 % interval {row['low']:.1f} to {row['high']:.1f})" in sentence
    assert "at most 7 % (6 to 8 %) of all nuisance: 63 % (62 to 64 %) is bulky." in sentence
    assert len(sentence) < 500
    agreed = pd.DataFrame({"kind": ["dump spot"], "jaccard": [0.5]})
    numbers = words.metrics(comparison, truck, agreed, Gap("Hot spots", "x"))
    assert numbers["jaccard_dump_spot"] == 0.5
    assert numbers["avoided"] == row["avoided"]


def test_descriptions_say_what_is_seen(rates: pd.DataFrame) -> None:
    text = words.describe_map(rates, "with_waste", "finds")
    assert "Map of 40 places. The tenth with the highest values (4 places)" in text
    assert "mostly to the east of the middle" in text
    gap = Gap("Chapter", "Not possible here.")
    for describe in (
        *(words.describe_exposure, words.describe_months, words.describe_hot_spots),
        words.describe_plans,
    ):
        assert describe(gap) == "Not possible here."
