"""Whom the printed counts of the fraud pages count: the people of the demo, one by one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import welfare_release as demo
import yaml

from datamall.fraud import printed
from datamall.fraud.profile.information import ARMS, REST


def kinds(people: pd.DataFrame) -> pd.DataFrame:
    """Return each person's kind, in the attributes of the space."""
    steps = [
        people["objection"].eq("upheld"),
        people["objection"].isin(["rejected", "upheld"]),
        people["finding"].notna(),
        people["visited"],
        people["chosen"],
    ]
    names = ["upheld", "objection", "finding", "visited", "chosen"]
    return people.assign(
        year=people["year"].astype(str),
        arm=people["arm"].map({"none": REST, **ARMS}),
        reached=np.select(steps, names, "population"),
        flagged=people["flagged"].map(demo.WORDS),
        finding=people["finding"].fillna("no result"),
    )


@pytest.mark.parametrize("without", ["", "fraud_profile/people"])
def test_each_printed_count_stands_for_the_people_whom_it_counts(root: Path, without: str) -> None:
    people = demo.demo()
    tables = demo.tables(people, yaml.safe_load((root / "params.yaml").read_text("utf-8")))
    tables.pop(without, None)
    if without:
        tables = {name: table for name, table in tables.items() if "audit" in name}
        people = people[people["year"] == 2025].assign(year="")
    counts, known = printed.counts(tables), kinds(people)
    # 9 groups at 6 steps; 2 years of 6 rows and 3 columns; 3 labels, 2 years, 4 arms, 2 columns.
    assert len(counts) == 9 * 6 + (0 if without else 2 * 6 * 3 + 3 * 2 * 4 * 2)
    for one in counts:
        own = pd.Series(True, index=known.index)
        for name, values in one.of.items():
            own &= known[name].isin(values)
        assert one.low <= own.sum() <= one.high, one.where
    assert sum(np.isfinite(one.high) for one in counts) > 0.7 * len(counts)


def test_what_is_asked_is_few_and_can_be(root: Path) -> None:
    tables = {"fraud_profile/people": pd.DataFrame({"year": [2024, 2025]})}
    asked = {**printed.small(tables), **printed.sensitive()}
    assert len(asked) > 100
    space = printed.space(printed.years_of(tables))
    assert space.holding([*asked.values()]).any(axis=1).all()


def test_each_figure_of_the_pages_is_known_and_none_is_of_one_person(root: Path) -> None:
    found = {
        heading
        for report in ("fraud_profile", "fraud_audit")
        for path in (root / "reports" / "results" / report).glob("*.csv")
        if path.stat().st_size > 1
        for heading in pd.read_csv(path).select_dtypes("number")
    }
    assert len(found) > 50
    assert not [heading for heading in found if not printed.FIGURES.fullmatch(heading)]
    for own in ("lowest", "highest", "min", "max", "median", "benefit", "people_low", "age"):
        assert not printed.FIGURES.fullmatch(own)
