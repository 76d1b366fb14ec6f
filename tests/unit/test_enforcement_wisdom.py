"""The plan: right action, right order, honest intervals, nothing that depends on chance."""

import numpy as np
import pandas as pd
import pytest

from datamall.enforcement import effects, inspections, wisdom, words
from datamall.errors import DatamallError
from datamall.requirements import Absent


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
            "bulky": np.arange(n, 0, -1),
            **dict.fromkeys(["full", "broken", "residual", "cardboard"], np.arange(n) + 0.5),
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


GAP = Absent("x", "y")
ALL = wisdom.crews(10, 4, 2, 3)
BULKY = wisdom.crews(10, 0, 0, 0)


@pytest.fixture
def choices(rates: pd.DataFrame, causes: pd.DataFrame) -> wisdom.Options:
    return wisdom.options(rates, causes)


def test_each_place_has_one_option_per_action(
    choices: wisdom.Options, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    every = pd.concat(choices.values(), ignore_index=True)
    assert every.groupby(["crew", "action"], sort=False).size().to_dict() == {
        ("Bulky waste", "pick up bulky waste"): 40,
        ("Collection", "empty the container"): 40,
        ("Maintenance", "repair the container"): 40,
        ("Enforcement", "inform and enforce"): 40,
    }
    # Rate × share × middle of the range, summed over the causes of the action.
    third = every[every["cluster"] == "C02"].set_index("crew")
    rate = rates.loc[2, "rate"]
    assert third.loc["Bulky waste", "expected"] == pytest.approx(rate * 0.01 * 0.85)
    boards = rate * (0.6 * 0.1 + 0.3 * 0.145)
    assert third.loc["Enforcement", "expected"] == pytest.approx(boards)
    assert third.loc["Enforcement", "share"] == pytest.approx(0.9)
    assert third.loc["Enforcement", "records"] == 5
    # Only what is recorded can be removed.
    only = wisdom.options(rates, causes.drop(columns=["full", "broken", "residual", "cardboard"]))
    assert set(only) == {"Bulky waste"}


def test_plan_takes_the_most_useful_stops_of_each_crew(choices: wisdom.Options) -> None:
    plan = wisdom.plan(choices, wisdom.crews(5, 1, 1, 2), 0.9, 1)
    own = {crew: list(part["cluster"]) for crew, part in plan.groupby("crew", sort=False)}
    assert own == {
        "Bulky waste": ["C39", "C38", "C37", "C36", "C35"],
        "Collection": ["C00"],
        "Maintenance": ["C01"],
        "Enforcement": ["C39", "C38"],
    }
    assert (plan["low"] < plan["removed"]).all()
    assert (plan["removed"] < plan["high"]).all()
    assert plan.loc[0, "reason"] == "Waste 24 of 50 times, bulky waste 1 time"
    assert plan.set_index("crew").loc["Enforcement", "reason"].iloc[0] == (
        "Waste 24 of 50 times, bags 40 times, cardboard 40 times"
    )
    again = wisdom.plan(choices, wisdom.crews(5, 1, 1, 2), 0.9, 1)
    pd.testing.assert_frame_equal(plan, again)


def test_no_crew_gets_more_stops_than_it_can_make(choices: wisdom.Options) -> None:
    for stops in ((3, 7, 0, 1), (0, 0, 6, 0), (40, 1, 40, 2), (99, 0, 0, 41)):
        plan = wisdom.plan(choices, wisdom.crews(*stops), 0.9, 1)
        expected = {c: min(n, 40) for c, n in wisdom.crews(*stops).items() if n}
        assert plan["crew"].value_counts().to_dict() == expected
        assert not plan.duplicated(["crew", "cluster"]).any()


def test_stops_of_one_crew_do_not_move_those_of_another(choices: wisdom.Options) -> None:
    few, many = (wisdom.plan(choices, wisdom.crews(5, 3, n, 0), 0.9, 1) for n in (0, 20))
    columns = ["crew", "cluster", "removed"]
    pd.testing.assert_frame_equal(few[columns], many.loc[many["crew"] != "Maintenance", columns])


def test_map_of_stops_shows_every_place_once(rates: pd.DataFrame, choices: wisdom.Options) -> None:
    table = wisdom.stops_on_map(rates, wisdom.plan(choices, wisdom.crews(5, 1, 1, 2), 0.9, 1))
    assert sorted(table["cluster"]) == rates["cluster"].tolist()
    action = table.set_index("cluster")["action"]
    assert action["C39"] == action["C38"] == "more than one crew"
    assert action.value_counts().to_dict() == {
        "none": 33,
        "pick up bulky waste": 3,
        "more than one crew": 2,
        "empty the container": 1,
        "repair the container": 1,
    }


def test_interval_joins_rate_cause_and_effect(choices: wisdom.Options) -> None:
    plan = wisdom.plan(choices, wisdom.crews(1, 0, 0, 0), 0.9, 1).iloc[0]
    rng = np.random.default_rng(8)
    k = 0.8 * 0.2 / 0.06**2 - 1
    rate, share = rng.beta(0.8 * k, 0.2 * k, 200_000), rng.beta(20, 20, 200_000)
    oracle = np.quantile(rate * share * rng.uniform(0.7, 1, 200_000), [0.05, 0.95])
    assert [plan["low"], plan["high"]] == pytest.approx(oracle, abs=0.012)


def test_doubt_about_an_effect_does_not_average_out(
    rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    choices = wisdom.options(rates, causes.assign(weight=1e5))
    row = wisdom.compare_plans(choices, wisdom.crews(30, 0, 0, 0), 0.9, 1).iloc[0]
    # 90 % of the values between 0.7 and 1 lie between 0.715 and 0.985, for all places at once.
    assert row["high"] / row["low"] == pytest.approx(0.985 / 0.715, rel=0.05)


def test_certainty_falls_towards_the_edge_of_each_list(choices: wisdom.Options) -> None:
    plan = wisdom.plan(choices, wisdom.crews(20, 20, 20, 20), 0.9, 1)
    for _, own in plan.groupby("crew"):
        assert own["certainty"].iloc[0] == "firm"
        assert own["certainty"].iloc[-1] == "open"
    # Nothing is left out where a crew serves all places.
    everywhere = wisdom.plan(choices, wisdom.crews(0, 0, 99, 0), 0.9, 1)
    assert everywhere["certainty"].eq("firm").all()


def test_values_of_crews_say_where_a_stop_is_worth_most(choices: wisdom.Options) -> None:
    crews = wisdom.crews(10, 4, 0, 99)
    table = wisdom.crew_values(choices, crews, 0.9, 1).set_index("crew")
    plan = wisdom.plan(choices, crews, 0.9, 1)
    assert table["stops"].to_dict() == crews | {"Enforcement": 40}
    bulky = plan[plan["crew"] == "Bulky waste"]["removed"]
    assert table.loc["Bulky waste", "removed"] == pytest.approx(bulky.sum())
    assert table.loc["Bulky waste", "per_stop"] == pytest.approx(bulky.mean())
    assert table.loc["Bulky waste", "last_stop"] == bulky.iloc[-1]
    longer = wisdom.plan(choices, wisdom.crews(11, 0, 0, 0), 0.9, 1)["removed"]
    assert table.loc["Bulky waste", "next_stop"] == longer.iloc[-1] < bulky.iloc[-1]
    working = table.drop("Maintenance")
    assert (working["per_stop_low"] < working["per_stop"]).all()
    assert (working["per_stop"] < working["per_stop_high"]).all()
    # A crew that stays in has a best place; one that serves all places has none left.
    idle = table.loc["Maintenance"]
    assert idle[["removed", "low", "per_stop", "last_stop"]].isna().all()
    assert idle["next_stop"] == choices["Maintenance"]["expected"].max()
    assert table.loc["Enforcement", "next_stop"] == 0


def test_comparison_with_plans_by_record(
    rates: pd.DataFrame, causes: pd.DataFrame, choices: wisdom.Options
) -> None:
    table = wisdom.compare_plans(choices, ALL, 0.9, 1).set_index("plan")
    names = ["recommended", "records of own cause", "records of any waste", "regular truck only"]
    assert list(table.index) == names
    # The same capacities everywhere; the truck alone has the stops of its own crew.
    assert table["stops"].tolist() == [19, 19, 19, 4]
    first, own, count, truck = (row for _, row in table.iterrows())
    assert (first["gain"], first["gain_low"], first["gain_high"]) == (0, 0, 0)
    # Bulky waste is recorded most at C00 to C09, all other causes at C39, C38, …
    assert own["shared_stops"] == 3 + 1 + 3
    # Counts rank these places as rates do, apart from three with peculiar causes.
    assert count["shared_stops"] == 10 + 3 + 1 + 2
    assert own["gain"] > count["gain"] > 0
    collection = choices["Collection"].tail(4)["expected"].sum()
    assert truck["removed"] == pytest.approx(collection)
    assert truck["gain_low"] > 0
    assert first["one_day_low"] < first["low"] < first["high"] < first["one_day_high"]
    # Four crews at the same ten places: each place is dirty once.
    assert count["dirty"] == pytest.approx(rates["rate"].tail(10).sum())
    assert "regular truck only" not in list(wisdom.compare_plans(choices, BULKY, 0.9, 1)["plan"])


def test_parts_of_a_place_with_two_crews_add_up(
    rates: pd.DataFrame, choices: wisdom.Options
) -> None:
    both, bulky, full = (
        wisdom.compare_plans(choices, wisdom.crews(*stops), 0.9, 1).set_index("plan")
        for stops in ((1, 1, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0))
    )
    name = "records of any waste"  # both crews go to C38, a tie with C39
    parts = bulky.loc[name, "removed"] + full.loc[name, "removed"]
    assert both.loc[name, "removed"] == pytest.approx(parts)
    assert both.loc[name, "dirty"] == pytest.approx(rates.loc[38, "rate"])
    assert both.loc[name, "dirty"] == bulky.loc[name, "dirty"]


def test_inspections_are_partly_random_and_partly_where_they_decide(
    data: dict, rates: pd.DataFrame, choices: wisdom.Options
) -> None:
    looks = inspections.inspection_plan(data, choices, rates, BULKY, 20, 0.2, 3)
    assert looks["drawn"].tolist() == 16 * ["on purpose"] + 4 * ["at random"]
    assert looks["cluster"].is_unique
    assert looks["inclusion_probability"].eq(0.1).all()
    # The edge of a list of ten stops lies between C29 and C30.
    assert looks["cluster"].iloc[:2].isin(["C28", "C29", "C30", "C31"]).all()
    assert (
        looks["reason"].iloc[0] == "Near the edge of the list for bulky waste: one look may decide."
    )
    assert looks["gain"].isna().sum() == 4


def test_looking_is_worth_what_it_is_to_the_crew_to_which_it_matters_most(
    data: dict, rates: pd.DataFrame, choices: wisdom.Options
) -> None:
    gains = [
        inspections.inspection_plan(data, choices, rates, crews, 40, 0.01, 3).set_index("cluster")[
            "gain"
        ]
        for crews in (ALL, BULKY, wisdom.crews(0, 4, 0, 0), wisdom.crews(0, 0, 2, 0))
    ]
    gains = pd.concat(gains, axis=1).fillna(0).to_numpy()
    assert (gains[:, 0] >= gains[:, 1:].max(axis=1) - 1e-12).all()
    assert (gains[:, 2] > gains[:, 1]).any()


def test_much_waste_of_unknown_cause_is_inspected_first(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    causes.loc[39, ["bulky", "unknown"]] = 0.0, 0.95
    choices = wisdom.options(rates, causes)
    first = inspections.inspection_plan(data, choices, rates, ALL, 20, 0.2, 3).iloc[0]
    assert first["cluster"] == "C39"
    assert first["reason"] == "Much waste, cause unknown: inspect first."
    # Where bulky waste alone is recorded, all else is another cause rather than an unknown one.
    alone = causes.drop(columns=["full", "broken", "residual", "cardboard"])
    looks = inspections.inspection_plan(data, wisdom.options(rates, alone), rates, ALL, 20, 0.2, 3)
    assert not looks["reason"].str.contains("unknown").any()


def test_an_unknown_cause_does_not_matter_where_little_could_be_won(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    causes.loc[23, ["bulky", "unknown"]] = 0.0, 0.5
    choices = wisdom.options(rates, causes)
    looks = inspections.inspection_plan(data, choices, rates, BULKY, 20, 0.2, 3)
    assert not looks["reason"].str.contains("unknown").any()


def test_places_never_inspected_can_be_drawn(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame
) -> None:
    seen = rates.iloc[::2].reset_index(drop=True)
    choices = wisdom.options(seen, causes.iloc[::2])
    looks = inspections.inspection_plan(data, choices, seen, ALL, 40, 0.5, 3)
    assert (looks["inspections"] == 0).any()
    assert looks["inclusion_probability"].eq(0.5).all()


@pytest.mark.parametrize("stops", [(10, 4, 2, 3), (0, 0, 0, 0)])
def test_without_causes_or_crews_there_is_no_plan_but_inspections(
    data: dict, rates: pd.DataFrame, causes: pd.DataFrame, stops: tuple[int, int, int, int]
) -> None:
    crews = wisdom.crews(*stops)
    bare = causes[["cluster", "unknown", "weight"]] if any(stops) else causes
    choices = wisdom.options(rates, bare)
    assert isinstance(choices, Absent) == any(stops)
    plan = wisdom.plan(choices, crews, 0.9, 1)
    comparison = wisdom.compare_plans(choices, crews, 0.9, 1)
    gaps = (plan, comparison, wisdom.crew_values(choices, crews, 0.9, 1))
    assert all(isinstance(part, Absent) for part in gaps)
    assert words.only(plan, "crew") is plan
    assert wisdom.stops_on_map(rates, plan) is plan
    looks = inspections.inspection_plan(data, choices, rates, crews, 20, 0.2, 3)
    assert len(looks) == 20
    assert set(wisdom.decision_records(plan, looks)["part"]) == {"Inspectors"}
    assert words.answer(comparison, GAP, GAP, GAP, 0.9).startswith("No plan for tomorrow: ")


def test_decision_records_wait_for_somebody_to_decide(
    data: dict, rates: pd.DataFrame, choices: wisdom.Options
) -> None:
    crews = wisdom.crews(10, 4, 0, 1)
    looks = inspections.inspection_plan(data, choices, rates, crews, 20, 0.2, 3)
    table = wisdom.decision_records(wisdom.plan(choices, crews, 0.9, 1), looks)
    assert table[["part", "recommended"]].to_numpy().tolist() == [
        ["Bulky waste", "10 stops to pick up bulky waste, first C39"],
        ["Collection", "4 stops to empty the container, first C00"],
        ["Enforcement", "1 stop to inform and enforce, first C39"],
        ["Inspectors", "4 inspections at random"],
        ["Inspectors", "16 inspections on purpose"],
    ]


@pytest.mark.parametrize("effect", list(effects.EFFECTS.itertuples()), ids=lambda e: e.cause)
def test_every_assumed_effect_is_a_range_with_a_source(effect: object) -> None:
    assert 0 <= effect.low < effect.high <= 1
    assert effect.source


def test_numbers_out_of_range_are_refused(
    data: dict, rates: pd.DataFrame, choices: wisdom.Options
) -> None:
    with pytest.raises(DatamallError, match=r"stops_maintenance is -1: set it to 0 or more"):
        wisdom.crews(1, 0, -1, 0)
    with pytest.raises(DatamallError, match=r"confidence is 1"):
        wisdom.plan(choices, ALL, 1, 1)
    with pytest.raises(DatamallError, match="inspections_per_day is 0"):
        inspections.inspection_plan(data, choices, rates, ALL, 0, 0.2, 3)
    with pytest.raises(DatamallError, match=r"random_share is 1\.5"):
        inspections.inspection_plan(data, choices, rates, ALL, 20, 1.5, 3)


def test_answer_holds_every_number_with_its_interval(choices: wisdom.Options) -> None:
    comparison = wisdom.compare_plans(choices, ALL, 0.9, 1)
    truck = pd.DataFrame({"share": [0.63, 0.07], "low": [0.62, 0.07], "high": [0.64, 0.08]})
    row = comparison.iloc[0]
    sentence = words.answer(comparison, truck, GAP, GAP, 0.9)
    assert sentence.startswith("19 stops are expected to remove nuisance worth ")
    assert f"{row['removed']:.1f} (90 % interval {row['low']:.1f} to {row['high']:.1f})" in sentence
    assert sentence.endswith(" Of all nuisance, 63 % (62 to 64 %) is bulky.")
    assert "if actions work as stated below" in sentence
    assert len(sentence) <= 200
    assert "(97.5 % interval" in words.answer(comparison, truck, GAP, GAP, 0.975)
    single = wisdom.compare_plans(choices, wisdom.crews(1, 0, 0, 0), 0.9, 1)
    assert words.answer(single, truck, GAP, GAP, 0.9).startswith("1 stop is expected to remove")
    assert words.describe_truck(truck).endswith(
        " 63 % (62 to 64 %) is bulky, beyond a regular truck; "
        "the container was recorded full at 7 % (7 to 8 %)"
    )
    assert words.describe_truck(truck.head(1)).endswith(" is bulky, beyond a regular truck")
    agreed = pd.DataFrame({"kind": ["dump spot"], "jaccard": [0.5]})
    numbers = words.metrics(comparison, truck, agreed, Absent("Hot spots", "x"))
    assert numbers["jaccard_dump_spot"] == 0.5
    assert numbers["removed"] == row["removed"]
    assert (numbers["bulky_share"], numbers["full_share"]) == (0.63, 0.07)
    assert "full_share" not in words.metrics(comparison, truck.head(1), agreed, Absent("x", "x"))
    assert numbers["gain"] == comparison.loc[1, "gain"]


def test_descriptions_say_what_is_seen(rates: pd.DataFrame, choices: wisdom.Options) -> None:
    stops = words.describe_stops(wisdom.plan(choices, wisdom.crews(5, 1, 0, 2), 0.9, 1), rates)
    assert "Map of 8 stops, 5 to pick up bulky waste and 2 to inform and enforce and 1" in stops
    assert "at 6 places in 2 districts, 2 of them with more than one crew." in stops
    alone = words.describe_stops(wisdom.plan(choices, wisdom.crews(1, 0, 0, 0), 0.9, 1), rates)
    assert "Map of 1 stop, 1 to pick up bulky waste, at 1 place in 1 district," in alone
    text = words.describe_map(rates, "with_waste", "finds")
    assert "Map of 40 places. The tenth with the highest values (4 places)" in text
    assert "mostly to the east of the middle" in text
    gap = Absent("Chapter", "Not possible here.")
    for describe in (
        *(words.describe_exposure, words.describe_months, words.describe_hot_spots),
        words.describe_plans,
    ):
        assert describe(gap) == "Not possible here."
