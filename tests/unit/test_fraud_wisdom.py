"""Wisdom on mistakes in benefit: the least intrusive help first, and who decides."""

import pandas as pd
import pytest
from welfare_world import Office, office

from datamall.fraud.profile import knowledge, wisdom, words
from datamall.fraud.profile.facts import CLIENTS, FACTS, has_reason
from datamall.requirements import Absent

LABELS = ["unlawful or administrative", "unlawful"]
NONE = Absent("The profile", "None here.")


@pytest.fixture(scope="module")
def world() -> Office:
    return office(8, people=3000, drawn=900)


@pytest.fixture(scope="module")
def helped(world: Office) -> pd.DataFrame:
    reasons = knowledge.by_reason(world.data, LABELS, 0.95)
    table = wisdom.measures(world.data, reasons, 0.95)
    assert isinstance(table, pd.DataFrame)
    return table


def years(before: list[int], now: list[int], fact: str = "late_reports") -> dict[str, pd.DataFrame]:
    """Return an extract of the same people in two years, with one fact."""
    rows = [
        (f"K{place:04d}", year, value)
        for year, values in ((2024, before), (2025, now))
        for place, value in enumerate(values)
    ]
    return {CLIENTS: pd.DataFrame(rows, columns=["client", "year", fact])}


def test_a_reason_is_one_fact_and_what_is_not_recorded_is_none() -> None:
    people = pd.DataFrame(
        {
            "months_since_review": [23.0, 24.0, float("nan")],
            "repaid_before": ["yes", "no", None],
            "benefit": [1000.0, 900.0, 800.0],
        }
    )
    reasons = has_reason(people)
    assert reasons["months_since_review"].tolist() == [False, True, False]
    assert reasons["repaid_before"].tolist() == [True, False, False]
    assert "benefit" not in reasons  # no fact that calls for help


def test_the_ladder_goes_from_the_least_to_the_most_intrusive() -> None:
    ladder = wisdom.ladder()
    assert ladder["step"].tolist() == [1, 2, 3, 4, 5]
    assert ladder["asks"].iloc[0].startswith("nothing")
    assert ladder["asks"].iloc[-1] == "a visit at home"
    assert "two people decide" in ladder["only_if"].iloc[-1]


def test_the_least_intrusive_comes_first_and_no_first_step_is_a_visit(
    helped: pd.DataFrame,
) -> None:
    asked = [wisdom.INTRUSION.index(text) for text in helped["asks"]]
    assert asked == sorted(asked)
    assert max(asked) <= 1  # nothing is asked of anybody, at most a letter informs
    # Within one step, what goes with mistakes is helped first.
    for step in set(asked):
        own = [row.goes_together != "yes" for row, a in zip(helped.itertuples(), asked, strict=True)
               if a == step]  # fmt: skip
        assert own == sorted(own)


def test_every_reason_has_a_measure() -> None:
    assert set(wisdom.MEASURES["column"]) == set(FACTS.loc[FACTS["reason"].notna(), "column"])
    assert set(wisdom.MEASURES["outcome"]) <= set(wisdom.MEASURES["column"])


def test_reasons_that_tell_go_together_with_mistakes(world: Office) -> None:
    table = knowledge.by_reason(world.data, LABELS, 0.95).set_index("reason")
    sure = set(table.index[table["goes_together"] == "yes"])
    told = {"income differs from the payroll", "reported a change late", "a document is missing"}
    assert len(sure) >= 2
    assert sure <= told
    assert table["share"].dropna().is_monotonic_decreasing


def test_share_by_reason_by_hand(world: Office) -> None:
    looks = world.data["welfare.investigations"]
    drawn = looks[(looks["arm"] == "random") & (looks["visited"] == "yes")]
    own = drawn.merge(world.data[CLIENTS], on=["client", "year"])
    late = own[own["late_reports"] >= 1]
    table = knowledge.by_reason(world.data, LABELS, 0.95).set_index("reason")
    row = table.loc["reported a change late"]
    assert abs(row["recorded"] - len(late)) <= 2
    share = late["finding"].isin(["unlawful", "administrative"]).mean()
    assert row["share"] == pytest.approx(share, abs=3 / len(late))


def test_who_has_it_a_year_later_by_hand() -> None:
    """Of 40 people who reported late, 16 do again; who left and who is new does not count."""
    data = years([1] * 40 + [0] * 60, [1] * 16 + [0] * 24 + [1] * 30 + [0] * 30)
    gone = data[CLIENTS].query("not (year == 2025 and client >= 'K0095')")
    new = pd.DataFrame({"client": ["N1"] * 1, "year": 2025, "late_reports": 1})
    table = wisdom.measures({CLIENTS: pd.concat([gone, new])}, NONE, 0.95)
    row = table.iloc[0]
    assert row[["reason", "people", "share"]].tolist() == ["reported a change late", 45, 0.375]
    assert row["goes_together"] == "not known"


def test_people_needed_agree_with_statsmodels() -> None:
    """Another formula for the same sample size: arcsines, which agree to a few per cent."""
    from statsmodels.stats.power import NormalIndPower
    from statsmodels.stats.proportion import proportion_effectsize

    data = years([1] * 400, [1] * 120 + [0] * 280)
    own = wisdom.measures(data, NONE, 0.95)["people_needed"].iloc[0]
    effect = proportion_effectsize(0.3, 0.2)
    oracle = NormalIndPower().solve_power(effect, alpha=0.05, power=0.8)
    assert own == pytest.approx(oracle, rel=0.05)


def test_no_measure_without_a_fact_that_calls_for_help() -> None:
    gap = wisdom.measures(years([1] * 30, [1] * 30, "benefit"), NONE, 0.95)
    assert isinstance(gap, Absent)
    assert "no fact that calls for help" in gap.reason


def test_one_year_gives_help_and_no_share(world: Office) -> None:
    clients = world.data[CLIENTS]
    table = wisdom.measures({CLIENTS: clients[clients["year"] == 2025]}, NONE, 0.95)
    assert len(table) == len(wisdom.MEASURES)
    assert table["share"].isna().all()
    assert table["people_needed"].isna().all()


def test_without_a_profile_the_help_stands(helped: pd.DataFrame) -> None:
    records = wisdom.decision_records(NONE, helped)
    assert records["part"].tolist() == ["Profile", "Help first", "Trial of the help", "Random draw"]
    assert records["recommended"].iloc[0] == "No profile"
    assert helped["first_step"].iloc[0] in records["recommended"].iloc[1]
    said = words.answer(NONE, helped, 0.95)
    assert said.startswith("No profile. None here. Help first: where ")
    assert helped["first_step"].iloc[0] in said


def test_without_help_the_draw_stands() -> None:
    records = wisdom.decision_records(NONE, NONE)
    assert records["part"].tolist() == ["Profile", "Random draw"]


def test_no_table_names_a_person(world: Office, helped: pd.DataFrame) -> None:
    people = set(world.data[CLIENTS]["client"])
    for table in (helped, wisdom.decision_records(NONE, helped), wisdom.ladder()):
        assert not people & set(table.astype(str).to_numpy().ravel())
