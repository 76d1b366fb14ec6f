"""Attackers of our own at the demo: within its tables, and between releases one person apart."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import welfare_release as demo
import yaml

from datamall import release_checks
from datamall.attackers import differing, printed, reckoned, told
from datamall.fraud import printed as pages
from datamall.mall import versions
from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts

PERSONS = 200
REPORTS = ("fraud_profile", "fraud_audit")
STORES = ("welfare.clients", "welfare.investigations")


@pytest.fixture(scope="module")
def parameters(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return demo.demo()


def marks(root: Path, people: pd.DataFrame) -> dict[str, bytes]:
    contracts, mapping = load_contracts(root), load_authority(root, "demo")
    data = demo.extract(people)
    return {
        store: versions.marks(
            mapping, contracts[store], pa.Table.from_pandas(data[store], preserve_index=False)
        )
        for store in STORES
    }


def without(every: dict[str, bytes], some: dict[str, bytes]) -> dict[str, bytes]:
    """Return the marks of stores without those of some rows, as they would be made anew."""
    left = {}
    for store, found in every.items():
        head, _, body = found.partition(b"\n")
        size = 12 + 4 * (head.count(b"\x1f") + 1)
        own = some[store].partition(b"\n")[2]
        gone = {own[at : at + size] for at in range(0, len(own), size)}
        rows = (body[at : at + size] for at in range(0, len(body), size))
        left[store] = head + b"\n" + b"".join(row for row in rows if row not in gone)
    return left


def results(root: Path) -> dict[str, pd.DataFrame]:
    found = {}
    for report in REPORTS:
        for path in (root / "reports" / "results" / report).glob("*.csv"):
            found[f"{report}/{path.stem}"] = pd.read_csv(path)
    return found


@pytest.mark.slow
def test_attackers_pin_nothing_below_ten_in_the_demos_tables(root: Path) -> None:
    assert release_checks.attacked(root, [], root / "reports", {}) == []


@pytest.mark.slow
def test_with_visits_beside_results_they_do(root: Path, people: pd.DataFrame) -> None:
    """The control: what was printed before tells how few visits have no result."""
    tables = {"fraud_profile/people": results(root)["fraud_profile/people"]}
    counts = pages.counts(tables)
    asked = {"visited alone": pages.small(tables)["2025, random draw, visited"]}
    space = pages.space(pages.years_of(tables))
    assert reckoned(space, counts, asked)["high"].iloc[0] >= 10
    drawn = people[(people["year"] == 2025) & (people["arm"] == "random") & people["visited"]]
    reached = frozenset(["visited", "finding", "objection", "upheld"])
    of = {**asked["visited alone"], "reached": reached}
    counts.append(printed("visited", of, 5 * round(len(drawn) / 5)))
    assert reckoned(space, counts, asked)["high"].iloc[0] < 10


@pytest.mark.slow
def test_releases_one_person_apart_tell_nothing_of_200_and_without_the_remedy_they_do(
    root: Path, people: pd.DataFrame, parameters: dict[str, Any]
) -> None:
    first, then = marks(root, people), demo.counts(people, parameters)
    told_of = 0
    for number, person in enumerate(demo.some(people, PERSONS)):
        own = people["client"] == person
        rest = people[~own]
        now = without(first, marks(root, people[own]))
        assert number > 2 or now == marks(root, rest)
        # Every page about people rests on one of these stores, and stands as it was.
        assert not any(versions.far_enough(first[store], now[store]) for store in STORES)
        # The remedy switched off: a number that is another is about this person.
        told_of += bool(differing(then, demo.counts(rest, parameters)))
    assert told_of > PERSONS / 3


def others(people: pd.DataFrame, number: int, seed: int = 99) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return people of 2025 without some, and without as many others."""
    year = people[people["year"] == 2025]
    order = np.random.default_rng(seed).permutation(year["client"].unique())
    return (
        year[~year["client"].isin(order[:number])],
        year[~year["client"].isin(order[number : 2 * number])],
    )


@pytest.mark.slow
def test_of_enough_people_nothing_below_ten_follows_from_two_releases(
    root: Path, people: pd.DataFrame, parameters: dict[str, Any]
) -> None:
    one, two = others(people, versions.ENOUGH)
    before, after = demo.counts(one, parameters), demo.counts(two, parameters)
    assert len(differing(before, after)) > 5
    asked = {name: pages.sensitive()[name] for name in ("women", "couples", "signal", "unlawful")}
    space = pages.space(("2025",))
    found = told(space, before, after, asked, versions.ENOUGH, versions.ENOUGH)
    assert not found["pinned"].any() and found["high"].ge(10).all()
    first, second = marks(root, one), marks(root, two)
    assert all(versions.far_enough(first[store], second[store]) for store in STORES)


@pytest.mark.slow
def test_of_one_person_much_follows(people: pd.DataFrame, parameters: dict[str, Any]) -> None:
    """The control: somebody in whose tables numbers changed."""
    year = people[people["year"] == 2025]
    before = demo.counts(year, parameters)
    person = year[year["client"].eq("BU100005")].iloc[0]
    after = demo.counts(year[year["client"] != person["client"]], parameters)
    asked = {name: pages.sensitive()[name] for name in ("women", "men", "people living alone")}
    found = told(pages.space(("2025",)), before, after, asked, gone=1).set_index("what")
    assert found["pinned"].all()
    true = [person["sex"] == "female", person["sex"] == "male", person["living_form"] == "single"]
    assert found["low"].tolist() == found["high"].tolist() == true
