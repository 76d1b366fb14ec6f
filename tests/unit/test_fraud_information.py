"""Information on people on benefit: by hand, and what a gap in the data does."""

import pandas as pd
import pytest
from welfare_world import Office, office

from datamall.errors import DatamallError
from datamall.fraud.profile import effectiveness, information, knowledge, words
from datamall.fraud.profile.information import CLIENTS, INVESTIGATIONS
from datamall.requirements import Absent

LABELS = ["unlawful or administrative", "unlawful"]
ABOUT = {
    CLIENTS: {
        "client": {"title": "Client", "description": "Number.", "profiling": None},
        "reports": {
            "title": "Reports",
            "description": "Changes reported.",
            "profiling": "permitted: the duty to report",
        },
        "sex": {
            "title": "Sex",
            "description": "As registered.",
            "profiling": "forbidden: protected: see the law",
        },
    }
}


@pytest.fixture(scope="module")
def world() -> Office:
    return office(3, people=2000, drawn=400, chosen=300)


def looks(rows: list[tuple[str, str, str | None, int]]) -> dict[str, pd.DataFrame]:
    """Return an extract of (arm, visited, finding, people) in 2025; without facts."""
    table = pd.DataFrame(
        [row[:3] for row in rows for _ in range(row[3])], columns=["arm", "visited", "finding"]
    )
    table.insert(0, "client", [f"K{place:05d}" for place in range(len(table))])
    table.insert(1, "year", 2025)
    return {CLIENTS: table[["client", "year"]], INVESTIGATIONS: table}


def test_definitions_are_what_has_to_be_recorded() -> None:
    assert information.definitions(["unlawful or administrative", "unclear"]) == {
        "unlawful or administrative": ["unlawful", "administrative"],
        "unclear": ["unclear"],
    }


@pytest.mark.parametrize(
    "labels",
    [
        [],
        ["nothing"],
        ["unlawful or fraud"],
        ["unlawful", "unlawful"],
        ["unlawful or unclear", "unclear or unlawful"],
        ["unlawful,unclear"],
    ],
)
def test_a_definition_that_says_nothing_is_refused(labels: list[str]) -> None:
    with pytest.raises(DatamallError, match=r"labels is .*unlawful, administrative, unclear"):
        information.definitions(labels)


def test_an_unclear_result_is_no_mistake_but_where_it_is_said() -> None:
    table = pd.DataFrame({"finding": ["unlawful", "administrative", "unclear", "nothing", None]})
    for label, expected in (
        ("unlawful", [True, False, False, False, False]),
        ("unlawful or administrative or unclear", [True, True, True, False, False]),
    ):
        [own] = information.definitions([label]).values()
        assert information.found(table, own).tolist() == expected


def test_columns_come_with_the_reason_of_the_contract() -> None:
    used = information.columns(ABOUT, used=True)
    assert used.to_numpy().tolist() == [["Reports", "Changes reported.", "the duty to report"]]
    not_used = information.columns(ABOUT, used=False)
    assert not_used["reason"].tolist() == ["protected: see the law"]
    assert isinstance(information.columns({}, used=True), Absent)


def test_people_and_stages_by_hand() -> None:
    data = looks(
        [
            ("random", "yes", "nothing", 60),
            ("random", "no", None, 21),
            ("signal", "yes", "unlawful", 30),
            ("none", "no", None, 500),
        ]
    )
    table = information.people(data).set_index("arm")
    assert table["people"].to_dict() == {
        "everybody": 610,
        "random draw": 80,
        "signal": 30,
        "not looked at": 500,
    }
    assert table.loc["random draw", ["chosen", "recorded"]].tolist() == [80, 60]
    assert table.loc["everybody", "recorded"] == 90
    assert table.loc["not looked at", ["chosen", "recorded"]].isna().all()
    # Beside those with a result it would tell how few visits have none.
    assert "visited" not in table


def test_a_small_arm_does_not_follow_from_everybody() -> None:
    data = looks(
        [
            ("random", "yes", "nothing", 60),
            ("signal", "yes", "unlawful", 4),
            ("profile", "yes", "nothing", 30),
            ("none", "no", None, 500),
        ]
    )
    table = information.people(data).set_index("arm")
    for stage in ("people", "chosen", "recorded"):
        hidden = table[stage].isna() & (table.index != "not looked at")
        assert set(table.index[hidden]) == {"signal", "profile in use"}


def test_outcomes_by_hand() -> None:
    data = looks(
        [
            ("random", "yes", "nothing", 80),
            ("random", "yes", "unlawful", 12),
            ("random", "yes", "administrative", 8),
            ("random", "no", None, 30),
            ("profile", "yes", "unlawful", 9),
            ("profile", "yes", "nothing", 21),
        ]
    )
    table = information.outcomes(data, LABELS, 0.95)
    both, unlawful = (table[table["label"] == label].set_index("arm") for label in LABELS)
    assert both.loc["random draw", ["recorded", "found", "share"]].tolist() == [100, 20, 0.2]
    assert unlawful.loc["random draw", "found"] == 10
    assert unlawful.loc["profile in use", ["found", "share", "low", "high"]].isna().all()
    assert table["group"].tolist()[:2] == ["random draw, 2025", "profile in use, 2025"]


def test_what_is_not_recorded_by_hand(world: Office) -> None:
    clients = world.data[CLIENTS].copy()
    late = clients["year"] == 2024
    clients.loc[clients.index[late][:37], "late_reports"] = float("nan")
    clients.loc[clients.index[~late][:9], "benefit"] = float("nan")
    table = information.missing({**world.data, CLIENTS: clients})
    # Nine people are too few to print.
    assert table["fact"].tolist() == ["late reports"]
    assert table["year_2024"].tolist() == [35]
    assert table["year_2025"].isna().all()


def test_a_person_without_a_file_stays_in(world: Office) -> None:
    drawn = world.data[INVESTIGATIONS]["arm"].eq("random") & (
        world.data[INVESTIGATIONS]["year"] == 2025
    )
    gone = world.data[INVESTIGATIONS][drawn].head(20)[["client", "year"]]
    clients = world.data[CLIENTS].merge(gone, how="left", indicator=True)
    clients = clients[clients["_merge"] == "left_only"].drop(columns="_merge")
    data = {**world.data, CLIENTS: clients}
    assert information.people(data).equals(information.people(world.data))
    assert (information.missing(data)["year_2025"] == 20).all()


def test_stores_of_different_years_are_refused(world: Office) -> None:
    clients = world.data[CLIENTS].assign(year=world.data[CLIENTS]["year"] - 10)
    with pytest.raises(DatamallError, match="is about somebody in"):
        information.people({**world.data, CLIENTS: clients})


def test_the_draw_resembles_everybody_and_the_chosen_do_not(world: Office) -> None:
    """This office chooses people with months of income."""
    table = information.whom(world.data, 0.95).set_index(["fact", "whom"])
    drawn = table.xs("drawn", level="whom")
    assert (drawn["low"] <= 0).all()
    assert (drawn["high"] >= 0).all()
    chosen = table.xs("chosen", level="whom")
    assert chosen.loc["months with income", "low"] > 0.5
    assert (chosen.drop("months with income")["low"] <= 0).all()


def test_a_mean_is_too_coarse_to_count_people_by() -> None:
    """Of some 95 drawn one in twenty has the fact: five of them are a quarter of a deviation."""
    data = office(3, people=2000, drawn=100, chosen=300).data
    table = information.whom(data, 0.95)
    row = table[(table["fact"] == "vehicle not stated") & (table["whom"] == "drawn")]
    own = information.joined(data).query("year == 2024")
    people = (own["seen"] & own["arm"].eq("random")).sum()
    five = 5 / (people * own["vehicle_mismatch"].eq("yes").std())
    assert 0.2 < five < 0.3
    steps = row[["mean", "low", "high"]].to_numpy() / 0.3
    assert steps == pytest.approx(steps.round(), abs=1e-6)
    assert (row["low"] < row["high"]).all()


def test_ratio_to_the_draw_by_hand() -> None:
    data = looks(
        [
            ("random", "yes", "nothing", 80),
            ("random", "yes", "unlawful", 20),
            ("profile", "yes", "nothing", 60),
            ("profile", "yes", "unlawful", 40),
            ("signal", "yes", "unlawful", 9),
            ("signal", "yes", "nothing", 30),
        ]
    )
    table = knowledge.choices(data, ["unlawful"], 0.95).set_index("arm")
    assert table.loc["profile in use", "ratio"] == 2
    assert table.loc["profile in use", "low"] > 1
    assert table.loc["signal", ["ratio", "low", "high"]].isna().all()


def test_an_authority_without_a_draw_gets_sentences(world: Office) -> None:
    own = world.data[INVESTIGATIONS]
    data = {**world.data, INVESTIGATIONS: own[own["arm"] != "random"]}
    for gap in (
        knowledge.train(data, LABELS, 5),
        knowledge.choices(data, LABELS, 0.95),
        knowledge.by_reason(data, LABELS, 0.95),
    ):
        assert isinstance(gap, Absent)
        assert "drawn at random" in gap.reason
    assert "random draw" not in set(information.people(data)["arm"])


@pytest.mark.parametrize("lost", ["arm", "finding", "visited"])
def test_an_authority_without_a_column_gets_sentences(world: Office, lost: str) -> None:
    data = {**world.data, INVESTIGATIONS: world.data[INVESTIGATIONS].drop(columns=lost)}
    for gap in (
        information.people(data),
        information.outcomes(data, LABELS, 0.95),
        information.whom(data, 0.95),
        knowledge.train(data, LABELS, 5),
        effectiveness.lifts_in_use(data, LABELS, 0.95, 0.8, 1.5),
    ):
        assert isinstance(gap, Absent)
        assert f"{INVESTIGATIONS}.{lost}" in gap.reason
        assert words.first(gap) == words.without(gap, "x") == words.only(gap, "x") == gap


def test_one_year_alone_gives_no_profile(world: Office) -> None:
    data = {store: table[table["year"] == 2025] for store, table in world.data.items()}
    gap = knowledge.train(data, LABELS, 5)
    assert isinstance(gap, Absent)
    assert "one value only" in gap.reason


@pytest.mark.parametrize("level", [0.4, 1.0, 95])
def test_a_level_that_is_none_is_refused(world: Office, level: float) -> None:
    with pytest.raises(DatamallError, match="confidence is"):
        information.outcomes(world.data, LABELS, level)
