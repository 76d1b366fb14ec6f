"""Facts that stand for a protected group are found, alone or together, and others are not."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_mall import make_project
from welfare_world import office

from datamall import limits
from datamall.errors import DatamallError
from datamall.fraud.profile import proxies, words
from datamall.fraud.profile.facts import CLIENTS, FACTS
from datamall.fraud.profile.proxies import NO, OPEN, TOGETHER, YES
from datamall.mall.contracts import load_contracts
from datamall.mall.log import logbook
from datamall.mall.purposes import load_purposes
from datamall.requirements import Absent

FORMS = ["single", "single parent", "couple", "other"]


def world(seed: int = 3, people: int = 2000) -> pd.DataFrame:
    """Return people whose facts have nothing to do with who they are."""
    rng = np.random.default_rng(seed + 1000)
    clients = office(seed, people=people).data[CLIENTS].drop(columns="client")
    return clients.assign(
        sex=rng.choice(["female", "male"], len(clients)),
        birth_year=rng.integers(1950, 2005, len(clients)),
        living_form=rng.choice(FORMS, len(clients)),
    )


def found(clients: pd.DataFrame, limit: float = 0.64) -> pd.DataFrame:
    table = proxies.stand_for({CLIENTS: clients}, limit, 0.95)
    assert isinstance(table, pd.DataFrame)
    return table


def of(table: pd.DataFrame, group: str, fact: str) -> pd.Series:
    (row,) = table[table["group"].eq(group) & table["fact"].eq(fact)].index
    return table.loc[row]


def test_facts_that_have_nothing_to_do_with_people_stand_for_nobody() -> None:
    table = found(world())
    assert set(table["beyond"]) == {NO} and table["chance"].min() > 0.05
    assert list(table["group"].unique()) == [
        *("women", "people under 27", "people 27 to 44", "people 45 and over"),
        *(f"living form: {form}" for form in sorted(FORMS)),
    ]
    # All together, and the two furthest.
    assert (table.groupby("group").size() == 3).all()
    assert words.describe_proxies(table, 0.64).startswith("No fact, and not all of them together")


@pytest.mark.parametrize("sign", [1, -1])
def test_a_fact_that_goes_along_with_a_group_stands_for_it(sign: int) -> None:
    clients = world()
    women = clients["sex"].eq("female")
    clients["benefit"] += sign * 225 * women  # one and a half standard deviations
    table = found(clients)
    row = of(table, "women", "monthly benefit")
    from sklearn.metrics import roc_auc_score

    last = clients["year"].eq(2025)
    truth = roc_auc_score(women[last], sign * clients.loc[last, "benefit"])
    assert row["pairs"] == pytest.approx(truth, abs=0.006)
    assert row["low"] < truth < row["high"] < row["low"] + 0.1
    assert (row["beyond"], row["chance"]) == (YES, 1 / 500)
    assert of(table, "women", TOGETHER)["beyond"] == YES
    assert set(table.loc[table["group"].ne("women"), "beyond"]) == {NO}
    said = words.describe_proxies(table, 0.64)
    assert said == (
        "More than 64 % of pairs are told apart, so that these stand for a protected group: "
        "all facts together for women; monthly benefit for women"
    )


def test_facts_stand_for_a_group_together_of_which_none_does_alone() -> None:
    """Women have repaid or have a vehicle, and not both: neither fact alone says anything."""
    clients, rng = world(people=3000), np.random.default_rng(8)
    for name in ("repaid_before", "vehicle_mismatch"):
        clients[name] = rng.choice(["yes", "no"], len(clients))
    one = clients["repaid_before"].ne(clients["vehicle_mismatch"])
    clients["sex"] = np.where(one ^ (rng.random(len(clients)) < 0.1), "female", "male")
    table = found(clients)
    women = table[table["group"].eq("women")]
    assert list(women.loc[women["beyond"].eq(YES), "fact"]) == [TOGETHER]
    assert of(table, "women", TOGETHER)["chance"] == 1 / 500


@pytest.mark.slow
def test_between_yes_and_no_it_says_that_it_does_not_know() -> None:
    clients = world()
    clients["benefit"] += 75 * clients["sex"].eq("female")  # half a standard deviation: the limit
    row = of(found(clients), "women", "monthly benefit")
    assert row["low"] < 0.64 < row["high"] and row["beyond"] == OPEN
    assert "Not ruled out" in words.describe_proxies(found(clients), 0.64)
    assert of(found(clients, 0.55), "women", "monthly benefit")["beyond"] == YES
    assert of(found(clients, 0.75), "women", "monthly benefit")["beyond"] == NO


@pytest.mark.slow
def test_intervals_are_as_wide_as_people_drawn_again_say() -> None:
    rng = np.random.default_rng(5)
    inside = np.arange(600) < 200
    scores = np.round(rng.normal(size=600) + 0.6 * inside, 1)  # with ties
    table, _ = proxies._compared(scores[:, None], inside[:, None], 0.025, rng)
    from sklearn.metrics import roc_auc_score

    again = []
    for _ in range(2000):
        own, other = rng.integers(0, 200, 200), rng.integers(200, 600, 400)
        again.append(roc_auc_score(inside, scores[np.concatenate([own, other])]))
    width = (table["high"] - table["low"]).item()
    assert width == pytest.approx(2 * 1.96 * np.std(again), rel=0.07)
    assert table["pairs"].item() == pytest.approx(roc_auc_score(inside, scores), abs=1e-12)


@pytest.mark.slow
def test_chances_are_right_for_all_facts_and_groups_together() -> None:
    """In 20 worlds without any proxy the least chance is below one in ten about twice."""
    least = [found(world(seed, 400))["chance"].min() for seed in range(20)]
    assert sum(chance <= 0.1 for chance in least) <= 5
    assert np.median(least) > 0.2


def test_only_permitted_facts_of_the_last_year_count() -> None:
    clients = world()
    women = clients["sex"].eq("female")
    before = clients["year"].eq(2024)
    telling = clients.assign(contacts=women.astype(float), children=women.astype(float))
    telling.loc[before, "benefit"] += 1000.0 * women[before]
    pd.testing.assert_frame_equal(found(telling), found(clients))


def test_without_groups_or_facts_a_sentence_stands_there() -> None:
    clients = world()
    bare = clients.drop(columns=["sex", "birth_year", "living_form"])
    few = clients.assign(sex="male", birth_year=1960, living_form=None)
    for table in (bare, few, clients[["year", "sex"]]):
        result = proxies.stand_for({CLIENTS: table}, 0.64, 0.95)
        assert isinstance(result, Absent)
        assert words.describe_proxies(result, 0.64) == result.reason
    only = found(clients[["year", "benefit", "living_form"]])
    assert set(only["fact"]) == {TOGETHER, "monthly benefit"}
    with pytest.raises(DatamallError, match=r"proxy_limit is 0\.4: set it from 0\.5"):
        proxies.stand_for({CLIENTS: clients}, 0.4, 0.95)


def test_its_purpose_has_each_permitted_fact_and_nobodys_number(root: Path) -> None:
    purpose = load_purposes(root, load_contracts(root))["fraud-proxies"]
    (grant,) = purpose.grants
    assert set(FACTS["column"]) < set(grant.names) and "client" not in grant.names
    assert set(grant.names) - set(FACTS["column"]) == {"year", "sex", "birth_year", "living_form"}
    assert not purpose.profiling


def test_what_is_beyond_the_limit_is_in_the_log_by_number_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    project = make_project(tmp_path / "project")
    assert limits.note(project, "demo", "fraud_profile") == 0  # it did not run
    path = project / "reports" / "results" / "fraud_profile" / "proxies.csv"
    path.parent.mkdir(parents=True)
    for beyond, number in (([NO, OPEN], 0), ([YES, NO, YES], 2)):
        with path.open("w", newline="") as file:
            rows = [["group", "beyond"], *(["Jan Jansen", each] for each in beyond)]
            csv.writer(file).writerows(rows)
        assert limits.note(project, "demo", "fraud_profile") == number
    assert limits.note(project, "demo", "mall") == 0
    ((said),) = [entry.said for entry in logbook.read(project)]
    assert (said["event"], said["outcome"], said["report"]) == ("limit", "noticed", "fraud_profile")
    assert (said["table"], said["beyond"]) == ("proxies", 2) and "Jansen" not in str(said)
