"""The profile: what it learns from, what it never sees, and when there is none."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from welfare_world import TELLING, Office, office

from datamall.fraud.profile import facts, information, knowledge, model
from datamall.fraud.profile.information import CLIENTS, INVESTIGATIONS
from datamall.mall.contracts import load_contracts
from datamall.mall.purposes import Refused, load_purposes
from datamall.requirements import Absent

LABELS = ["unlawful or administrative", "unlawful"]


@pytest.fixture(scope="module")
def world() -> Office:
    return office(5, people=3000, drawn=900)


@pytest.fixture(scope="module")
def trained(world: Office) -> model.Profile:
    result = knowledge.train(world.data, LABELS, 5)
    assert isinstance(result, model.Profile)
    return result


def learnt_from(world: Office) -> pd.DataFrame:
    """Return the people whom the profile may learn from, by hand."""
    clients, looks = (world.data[name] for name in (CLIENTS, INVESTIGATIONS))
    drawn = looks[(looks["arm"] == "random") & (looks["visited"] == "yes")]
    tested = set(looks.loc[(looks["year"] == 2025) & (looks["arm"] == "random"), "client"])
    own = drawn[(drawn["year"] == 2024) & ~drawn["client"].isin(tested)]
    return own.merge(clients, on=["client", "year"]).sort_values("client")


def test_it_is_the_logit_of_statsmodels(world: Office, trained: model.Profile) -> None:
    """Another way to the same maximum: Newton's method on the facts as they are."""
    import statsmodels.api as sm

    own = learnt_from(world)
    values = facts.numbers(own, list(trained.facts))
    hits = own["finding"].isin(["unlawful", "administrative"]).astype(float)
    oracle = sm.Logit(hits, sm.add_constant(values)).fit(disp=0, maxiter=100)
    assert (trained.people, trained.found) == (len(own), hits.sum())
    assert trained.chance(own) == pytest.approx(oracle.predict(), abs=1e-7)
    per_unit = trained.coefficients[1:] / trained.spread
    assert per_unit == pytest.approx(oracle.params.to_numpy()[1:], rel=1e-5)
    assert trained.errors[1:] / trained.spread == pytest.approx(oracle.bse.to_numpy()[1:], rel=1e-4)


def test_it_finds_what_tells(trained: model.Profile) -> None:
    table = model.odds(trained, 0.95)
    sure = set(table.loc[table["weight_low"] > 0, "column"])
    assert {"income_differences", "late_reports"} <= sure <= set(TELLING)
    assert not (table["weight_high"] < 0).any()


def test_natural_frequencies_by_hand() -> None:
    one = model.Profile(
        facts=("late_reports",),
        usual=np.array([0.0]),
        centre=np.array([1.0]),
        spread=np.array([2.0]),
        coefficients=np.array([-1.0, 2 * np.log(3)]),
        errors=np.array([0.1, 0.1]),
        people=100,
        found=20,
    )
    # One report more is half a deviation: odds times 3; 200 of 1,000 are odds of 1 to 4.
    assert model.odds(one, 0.95)["with_more"].item() == pytest.approx(1000 * 3 / 7)
    people = pd.DataFrame({"late_reports": [1.0, np.nan]})
    # What is not recorded is taken as usual.
    expected = 1 / (1 + np.exp([1.0, 1.0 + np.log(3)]))
    assert one.chance(people) == pytest.approx(expected, abs=1e-8)


def test_nobody_is_learnt_from_and_tested_on(world: Office) -> None:
    people = {way: knowledge.train(world.data, LABELS, 5, way).people for way in knowledge.TRAINING}
    assert people["random draw"] == len(learnt_from(world))
    looks = world.data[INVESTIGATIONS]
    seen = looks[(looks["visited"] == "yes") & (looks["year"] == 2024)]
    assert people["random draw, nobody left out"] == (seen["arm"] == "random").sum()
    tested = looks.loc[(looks["year"] == 2025) & (looks["arm"] == "random"), "client"]
    assert people["everybody visited"] == (~seen["client"].isin(tested)).sum()


def test_the_year_it_is_judged_on_does_not_teach(world: Office, trained: model.Profile) -> None:
    looks = world.data[INVESTIGATIONS]
    later = looks.assign(
        finding=looks["finding"].mask((looks["year"] == 2025) & looks["finding"].notna(), "unclear")
    )
    again = knowledge.train({**world.data, INVESTIGATIONS: later}, LABELS, 5)
    assert again.coefficients == pytest.approx(trained.coefficients, abs=0)


def test_facts_are_the_columns_that_the_contract_permits(root: Path) -> None:
    columns = load_contracts(root)[CLIENTS].columns
    permitted = {c.name for c in columns if (c.profiling or "").startswith("permitted")}
    assert set(facts.FACTS["column"]) == permitted


def test_a_forbidden_column_in_the_extract_is_not_used(
    world: Office, trained: model.Profile
) -> None:
    """Even one that tells everything."""
    looks = world.data[INVESTIGATIONS]
    telling = looks["finding"].eq("unlawful").astype(float)
    clients = world.data[CLIENTS].assign(birth_year=telling, contacts=telling)
    again = knowledge.train({**world.data, CLIENTS: clients}, LABELS, 5)
    assert again.facts == trained.facts
    assert again.coefficients == pytest.approx(trained.coefficients, abs=0)
    assert "birth_year" not in information.joined({**world.data, CLIENTS: clients})


def test_the_door_refuses_a_forbidden_column(root: Path, tmp_path: Path) -> None:
    register = yaml.safe_load((root / "data" / "purposes.yaml").read_text("utf-8"))
    register["fraud-profile"]["stores"][CLIENTS]["columns"].append("spoken_language_other")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "purposes.yaml").write_text(json.dumps(register), encoding="utf-8")
    with pytest.raises(Refused, match=r"spoken_language_other.*forbidden-for-profiling"):
        load_purposes(tmp_path, load_contracts(root))


def test_no_profile_of_too_few_findings(world: Office) -> None:
    result = knowledge.train(world.data, LABELS, 1000)
    assert isinstance(result, Absent)
    assert "12000 of each are needed" in result.reason


def test_no_profile_where_facts_separate_people() -> None:
    people = pd.DataFrame({"late_reports": [0.0] * 20 + [1.0] * 20})
    result = model.fit(people, pd.Series([False] * 20 + [True] * 20), ["late_reports"], 5)
    assert isinstance(result, Absent)
    assert "separate the people" in result.reason


def test_no_profile_of_two_facts_that_say_the_same() -> None:
    late = np.tile([0.0, 1.0, 2.0, 3.0], 25)
    people = pd.DataFrame({"late_reports": late, "reports": 2 * late})
    hits = pd.Series(np.arange(100) % 3 == 0)
    result = model.fit(people, hits, list(people), 5)
    assert isinstance(result, Absent)
    assert "say the same" in result.reason


def test_a_fact_that_never_varies_is_left_out() -> None:
    people = pd.DataFrame({"late_reports": np.tile([0.0, 1.0], 50), "reports": 1.0})
    result = model.fit(people, pd.Series(np.arange(100) % 3 == 0), list(people), 5)
    assert isinstance(result, model.Profile)
    assert result.facts == ("late_reports",)


def test_without_a_draw_in_the_last_year_there_is_no_profile(world: Office) -> None:
    looks = world.data[INVESTIGATIONS]
    late = (looks["year"] == 2025) & (looks["arm"] == "random")
    result = knowledge.train({**world.data, INVESTIGATIONS: looks[~late]}, LABELS, 5)
    assert isinstance(result, Absent)
    assert "nobody was drawn at random in 2025" in result.reason


def test_an_authority_with_some_of_the_facts(world: Office) -> None:
    clients = world.data[CLIENTS][["client", "year", "late_reports", "income_differences"]]
    result = knowledge.train({**world.data, CLIENTS: clients}, LABELS, 5)
    assert isinstance(result, model.Profile)
    assert result.facts == ("income_differences", "late_reports")


def test_weights_and_calibration_are_printed_coarsely(
    world: Office, trained: model.Profile
) -> None:
    weights = knowledge.weights(trained, 0.95)
    assert (weights[["usual", "with_more", "low", "high"]] % 10 == 0).all(axis=None)
    exact = model.odds(trained, 0.95)
    assert (weights["low"] <= exact["low"]).all()
    assert (weights["high"] >= exact["high"]).all()
    bands = knowledge.calibration(world.data, trained, LABELS, 0.95)
    assert bands["band"].tolist() == [1, 2, 3]
    assert (bands[["recorded", "found"]] % 5 == 0).all(axis=None)
    assert bands["expected"].is_monotonic_increasing
    # The truth is a logit in these facts, so chances are right.
    assert bands["expected"].between(bands["low"], bands["high"]).all()
