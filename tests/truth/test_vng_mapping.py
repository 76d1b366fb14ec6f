"""The dummy register that Dutch municipalities share for trying things, through a mapping.

6,878 invented people on benefit with the fields of a municipality's own export
(VNG-Realisatie/Data-Science-Hub-Bijstand): no number, years as 1982.0, causes as codes that are
not explained.
"""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stores_at_rest

from datamall.mall.intake import intake

STORE = "welfare.clients"
MAPPING = """
authority: dummy
title: Dummy municipality
synthetic: true
files:
  register: {path: register.csv, format: csv}
stores:
  welfare.clients:
    file: register
    columns:
      client: {expression: "'V' || \\"#row\\""}  # the register has no numbers
      year: {expression: "regexp_extract(startdatum, '^[0-9]{4}')"}
      birth_year: {expression: "regexp_extract(geboortejaar, '^([0-9]{4})[.]0$', 1)"}
      sex: {from: geslacht, map: {vrouw: female, man: male}}
      living_form:
        from: Omschrijving leefvorm
        map: {Alleenstaande: single, Alleenstaande ouder: single parent, Anders: other}
      months_on_benefit:
        expression: "date_diff('month', TRY_CAST(startdatum AS DATE), TRY_CAST(einddatum AS DATE))"
"""


@pytest.fixture(scope="module")
def register(shared: Path) -> list[dict[str, str]]:
    path = shared / "real" / "fraud" / "vng" / "DummyDataBijstandv3.csv"
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


@pytest.fixture(scope="module")
def taken(
    tmp_path_factory: pytest.TempPathFactory, root: Path, shared: Path
) -> Iterator[tuple[Path, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("register")
    shutil.copytree(root / "data" / "contracts", folder / "data" / "contracts")
    (folder / "data" / "authorities").mkdir()
    (folder / "data" / "authorities" / "dummy.yaml").write_text(MAPPING, encoding="utf-8")
    raw = folder / "data" / "raw" / "dummy" / "register.csv"
    raw.parent.mkdir(parents=True)
    shutil.copy(shared / "real" / "fraud" / "vng" / "DummyDataBijstandv3.csv", raw)
    yield folder, intake(folder, "dummy", STORE)
    shutil.rmtree(folder)


def read(taken: tuple[Path, dict[str, Any]], quarantine: bool = False) -> list[dict[str, Any]]:
    table = stores_at_rest.rows(taken[0], "dummy", STORE, quarantine=quarantine)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_everybody_is_taken_in_or_named(
    taken: tuple[Path, dict[str, Any]], register: list[dict[str, str]]
) -> None:
    # The mapping forgets couples, as a newcomer might: each is set aside, none is guessed.
    forgotten = sum(row["Omschrijving leefvorm"] == "Gehuwd / Samenwonend" for row in register)
    report = taken[1]
    assert report["parsed"] == len(register) == 6878
    assert (
        report["reasons"] == {"unmapped:living_form": forgotten} == {"unmapped:living_form": 1052}
    )
    apart = read(taken, quarantine=True)
    assert {row["detail"] for row in apart} == {
        "living_form has a raw text in 'Omschrijving leefvorm' that the mapping does not know."
    }


def test_people_are_as_in_the_register(
    taken: tuple[Path, dict[str, Any]], register: list[dict[str, str]]
) -> None:
    forms = {"Alleenstaande": "single", "Alleenstaande ouder": "single parent", "Anders": "other"}
    expected = {}
    for number, row in enumerate(register, 2):
        form = forms.get(row["Omschrijving leefvorm"])
        start, end = (row[name].split("-") for name in ("startdatum", "einddatum"))
        months = (
            12 * (int(end[0]) - int(start[0])) + int(end[1]) - int(start[1]) if end[0] else None
        )
        sex = {"vrouw": "female", "man": "male"}[row["geslacht"]]
        if form:
            about = (int(start[0]), int(float(row["geboortejaar"])), sex, form, months)
            expected[f"V{number}"] = about
    names = ("year", "birth_year", "sex", "living_form", "months_on_benefit")
    found = {row["client"]: tuple(row[name] for name in names) for row in read(taken)}
    assert found == expected
    assert Counter(row[3] for row in found.values()) == {
        "single": 3868, "single parent": 1556, "other": 402
    }  # fmt: skip


def test_what_is_not_delivered_is_said(taken: tuple[Path, dict[str, Any]]) -> None:
    manifest = taken[0] / "data" / "stores" / "dummy" / STORE / "store.json"
    absent = json.loads(manifest.read_text("utf-8"))["not_delivered"]
    # The register has codes of causes, and nobody says what they mean.
    assert {"cause", "benefit", "neighbourhood"} <= set(absent)
    assert "months_on_benefit" not in absent
