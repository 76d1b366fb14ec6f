"""The raw files on welfare: official counts that nest, and mistakes that intake finds again."""

import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import stores_at_rest

from datamall.demo import departments, raw, welfare
from datamall.demo.raw import Delivery
from datamall.demo.welfare import WelfareWorld
from datamall.demo.welfare_counts import KEYS
from datamall.fairness import Bounds
from datamall.mall.intake import intake

SEED = 2319
STORES = ("clients", "investigations", "protected", "audit_counts")
FILES = [
    *("bijstand_2024.csv", "onderzoeken_2024.csv", "bijstand_2025.csv", "onderzoeken_2025.csv"),
    *("beschermd.csv", "cbs_tellingen.csv"),
]
# How intake calls what was planted: fault → codes, by store.
CODES = {
    "clients": {
        "exact duplicate": ["duplicate"],
        "contradiction": ["conflict"],
        "too many fields": ["malformed"],
        "missing required field": ["required:client"],
        "number in another form": ["pattern:client"],
        "impossible year of birth": ["range:birth_year"],
        "negative count": ["range:children", "range:months_on_benefit"],
        "unknown code": [
            *("unmapped:living_form", "unmapped:sex", "unmapped:language_requirement"),
        ],
        "text in a number": ["type:income_months", "type:cost_sharers"],
        "impossible amount": ["range:benefit"],
        "amount in another form": ["type:benefit"],
    },
    "investigations": {
        "exact duplicate": ["duplicate"],
        "contradiction": ["conflict"],
        "missing required field": ["required:client", "required:arm"],
        "unknown code": ["unmapped:living_form", "unmapped:arm"],
        "impossible score band": ["range:score_band"],
        "finding without a visit": ["rule:visited_if_found"],
        "visit without being chosen": ["rule:chosen_if_visited"],
        "chosen without a reason": ["rule:arm_if_chosen"],
    },
    "protected": {
        "exact duplicate": ["duplicate"],
        "contradiction": ["conflict"],
        "missing required field": ["required:client", "required:origin"],
        "unknown code": ["unmapped:origin"],
    },
    "audit_counts": {"missing required field": ["unmapped:study"]},
}
OF = dict(
    zip(("bijstand", "onderzoeken", "beschermd", "cbs"), STORES, strict=True)
)  # store by the beginning of a file's name


@pytest.fixture(scope="module")
def demo() -> pd.DataFrame:
    return welfare.people(SEED)


@pytest.fixture(scope="module")
def counts() -> pd.DataFrame:
    return welfare.counts(SEED)


@pytest.fixture(scope="module")
def files() -> list[Delivery]:
    return list(welfare.files(SEED))


@pytest.fixture(scope="module")
def taken_in(
    root: Path, files: list[Delivery], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """Return a project with the four stores taken in, and the report of each."""
    folder = tmp_path_factory.mktemp("welfare")
    for name in ("contracts", "authorities"):
        shutil.copytree(root / "data" / name, folder / "data" / name)
    target = folder / "data" / "raw" / "demo"
    target.mkdir(parents=True)
    for file in files:
        raw.write(target, file)
    return folder, {store: intake(folder, "demo", f"welfare.{store}") for store in STORES}


def store(folder: Path, name: str) -> pd.DataFrame:
    return stores_at_rest.rows(folder, "demo", f"welfare.{name}").to_pandas()


def test_files_and_their_form(files: list[Delivery]) -> None:
    assert [file.name for file in files] == FILES
    for file in files:
        text = "".join(file.table.columns) + "".join(map("".join, file.table.to_numpy()))
        text.encode("windows-1252")
        assert not text.isascii(), file.name


def test_intake_finds_every_planted_mistake(
    files: list[Delivery], taken_in: tuple[Path, dict[str, Any]]
) -> None:
    _, reports = taken_in
    faults = departments.faults(files)
    assert faults["rows"].gt(0).all()
    faults["store"] = faults["file"].map(lambda name: OF[name.split("_")[0].split(".")[0]])
    for name, report in reports.items():
        planted = faults[faults["store"] == name].groupby("fault")["rows"].sum().to_dict()
        assert set(planted) == set(CODES[name])
        found: Counter[str] = Counter()
        for fault, codes in CODES[name].items():
            assert all(report["reasons"][code] > 0 for code in codes), fault
            found[fault] = sum(report["reasons"][code] for code in codes)
        assert found == planted
        assert report["quarantined"] == sum(planted.values())
        assert report["quarantined_share"] < 0.01


def test_sound_rows_say_what_is_true(
    taken_in: tuple[Path, dict[str, Any]], demo: pd.DataFrame
) -> None:
    folder, _ = taken_in
    key = ["client", "year"]
    for name in ("clients", "investigations"):
        table = store(folder, name)
        joined = table.merge(demo, on=key, suffixes=("", "_true"), validate="one_to_one")
        assert len(joined) == len(table) > 0.99 * len(demo)
        for column in table.columns.difference([*key, "people", "youngest_child"]):
            true = joined[f"{column}_true"]
            if true.dtype == bool:
                true = true.map({True: "yes", False: "no"})
            here = joined[column].notna() & true.notna()
            if true.dtype.kind in "if":
                assert np.allclose(joined[column][here].astype(float), true[here].astype(float))
            else:
                assert (joined[column][here] == true[here]).all(), column
        if name == "investigations":
            assert (joined["finding"].isna() == joined["finding_true"].isna()).all()
            assert (joined["objection"].isna() == joined["objection_true"].isna()).all()
    protected = store(folder, "protected").merge(
        demo.drop_duplicates("client"), on="client", suffixes=("", "_true")
    )
    assert (protected["origin"] == protected["origin_true"]).all()


def test_fields_are_blank_more_often_by_origin() -> None:
    few, many = (
        next(welfare.files(4, WelfareWorld(missing_odds=odds))).table  # bijstand_2024.csv
        for odds in (1.0, 3.0)
    )
    people = welfare.people(4).drop_duplicates("client").set_index("client")

    def share(table: pd.DataFrame, origin: str) -> float:
        known = table[table["Cliëntnummer"].isin(people.index[people["origin"] == origin])]
        return float((known["Competenties"] == "").mean())

    assert share(many, "outside Europe") > 2 * share(few, "outside Europe")
    assert share(many, "Netherlands") == pytest.approx(share(few, "Netherlands"), abs=0.01)
    assert share(few, "outside Europe") == pytest.approx(share(few, "Netherlands"), abs=0.02)


def test_counts_are_those_of_the_people(counts: pd.DataFrame, demo: pd.DataFrame) -> None:
    row = counts.set_index(KEYS)["exact"]
    study, total = "Demo city 2025", "total"
    year = demo[demo["year"] == 2025]
    far = year[year["origin"] == "outside Europe"]
    assert row[study, "origin", total, total, total, "population", total] == len(year)
    assert (
        row[study, "origin", "outside Europe", total, total, "flagged", total]
        == far["flagged"].sum()
    )
    profile = far[(far["arm"] == "profile") & (far["finding"] == "unlawful")]
    assert row[study, "origin", "outside Europe", "profile", total, "finding", "unlawful"] == len(
        profile
    )
    women = year[(year["origin"] == "Europe") & (year["sex"] == "female") & ~year["flagged"]]
    assert row[
        study, "origin and sex", "Europe, female", "random", "other", "visited", total
    ] == sum((women["arm"] == "random") & women["visited"])
    assert row[study, "origin", total, total, total, "upheld", total] == sum(
        year["objection"] == "upheld"
    )


@pytest.mark.parametrize(
    ("axis", "parts"),
    [
        ("band", ["high", "other"]),
        ("outcome", ["nothing", "administrative", "unlawful", "unclear"]),
        ("arm", ["profile", "random", "signal", "follow-up"]),
    ],
)
def test_parts_add_up_before_rounding(counts: pd.DataFrame, axis: str, parts: list[str]) -> None:
    wide = counts.pivot(
        index=[key for key in KEYS if key != axis], columns=axis, values="exact"
    ).dropna()
    assert len(wide) > 50
    assert (wide[parts].sum(axis=1) == wide["total"]).all()


def test_stages_nest(counts: pd.DataFrame) -> None:
    keys = [key for key in KEYS if key not in ("stage", "outcome")]
    wide = counts[counts["outcome"] == "total"].pivot(index=keys, columns="stage", values="exact")
    arms = wide.dropna(subset="chosen")
    order = ["chosen", "visited", "finding", "objection", "upheld"]
    for earlier, later in pairwise(order):
        assert (arms[earlier] >= arms[later]).all()
    everybody = wide.xs("total", level="arm")
    assert (everybody["population"] >= everybody[["flagged", "chosen"]].max(axis=1)).all()
    assert (everybody["flagged"] >= wide.xs("profile", level="arm")["chosen"]).all()
    high, other = (everybody.xs(name, level="band") for name in ("high", "other"))
    assert (high["flagged"] == high["population"]).all()
    assert (other["flagged"] == 0).all()
    # Before anybody is chosen nobody has an arm.
    assert wide.drop(index="total", level="arm")[["population", "flagged"]].isna().all(axis=None)


def test_counts_are_rounded_one_by_one(counts: pd.DataFrame) -> None:
    assert (counts["people"] % 10 == 0).all()
    assert (counts["people"] - counts["exact"]).between(-4, 5).all()
    assert (counts["rounding"] == 10).all()
    assert not counts.duplicated(KEYS).any()
    assert counts["study"].unique().tolist() == ["Demo city 2024", "Demo city 2025"]
    wide = counts.pivot(
        index=[key for key in KEYS if key != "band"], columns="band", values="people"
    )
    assert (wide["high"] + wide["other"] != wide["total"]).any()  # so that a total beats a sum


def test_bounds_accept_the_counts_and_hold_the_truth(counts: pd.DataFrame) -> None:
    table = counts[
        (counts["study"] == "Demo city 2025")
        & (counts["attribute"] == "origin")
        & counts["stage"].isin(["chosen", "visited"])
        & (counts["outcome"] == "total")
    ]
    table = table.rename(columns={"group": "origin", "band": "score_band"})
    bands = pd.Categorical(table["score_band"], ["other", "high", "total"], ordered=True)
    by = ["origin", "arm", "stage", "score_band"]
    roles = {role: role for role in by[1:]}
    bounds = Bounds.from_rounded(
        table.assign(score_band=bands), by[:1], count="people", rounding=10, **roles
    )
    exact = table.merge(bounds.rates(by, ["base_rate"]).astype(dict.fromkeys(by, str)), on=by)
    assert len(exact) == 3 * 4 * 2 * 2
    assert exact["exact"].between(exact["n_low"], exact["n_high"]).all()


def test_clean_files_without_mess() -> None:
    files = list(welfare.files(SEED, WelfareWorld(mess=0.0)))
    assert departments.faults(files).empty
    tables = {file.name: file.table for file in files}
    people = welfare.people(SEED)
    assert len(tables["bijstand_2024.csv"]) == (people["year"] == 2024).sum()
    assert (tables["bijstand_2025.csv"].drop(columns="Opmerking") == "").sum().sum() == (
        people.loc[people["year"] == 2025, "youngest_child"] < 0
    ).sum()


def test_same_files_every_time(tmp_path: Path) -> None:
    small = WelfareWorld(clients=1500, profile=120, signal=40, follow_up=20, random=80)
    written = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        for file in welfare.files(SEED, small):
            raw.write(folder, file)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert sorted(written[0]) == sorted(FILES)
    assert written[0] == written[1]
