"""Sweden's people and DUO's counts through intake, held against the sheets as published."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from workbooks import sheet

from datamall.mall.fetch import fetch
from datamall.mall.intake import intake

STORE = "welfare.audit_counts"
SWEDEN = Path("real/fraud/sweden/data_english.xlsx")
DUO = Path("real/fraud/duo/DUO_CUB_Netherlands_Statistics.xlsx")
ARMS = {"High Risk": "profile", "High High Risk": "profile", "Random": "random"}
ARMS |= {"Follow-up Control": "follow-up"}
BANDS = {"High Risk": "high", "High High Risk": "very high"}


def income(value: Any) -> str:
    low, middle = value < 290_000, value < 340_000
    return "below 290,000 SEK" if low else "290,000 to 339,999 SEK" if middle else (
        "340,000 SEK and over"
    )  # fmt: skip


def education(value: Any) -> str:
    if value is None:
        return "not recorded"
    return "unknown" if value == 9 else f"level {value:.0f}"


# Attribute → sheet, its column, and the group of a cell.
SHEETS: dict[str, tuple[str, str, Any]] = {
    "sex": ("Gender", "Gender", {"K": "women", "M": "men"}.get),
    "income": ("Income", "Income", income),
    "education": ("Education", "Education", education),
    "background": ("Foreign", "Foreign Background", ["Swedish", "foreign"].__getitem__),
    "place of birth": ("Foreign", "Born Abroad", ["Sweden", "abroad"].__getitem__),
}
# Column of DUO's tables → attribute and group.
COLUMNS = {
    2: ("origin", "total"),
    3: ("place of birth", "Netherlands"),
    4: ("place of birth", "abroad"),
    5: ("origin", "Netherlands"),
    6: ("origin", "Europe"),
    7: ("origin", "outside Europe"),
    8: ("origin and place of birth", "Netherlands, born there"),
    9: ("origin and place of birth", "Europe, born in the Netherlands"),
    10: ("origin and place of birth", "outside Europe, born in the Netherlands"),
    11: ("origin and place of birth", "Europe, born abroad"),
    12: ("origin and place of birth", "outside Europe, born abroad"),
}
TABLES = {
    "Table 1": ("DUO 2014", "profile"),
    "Table 2": ("DUO 2019", "profile"),
    "Table 3": ("DUO 2014", "random"),
    "Table 4": ("DUO 2017", "random"),
}
# Row of DUO's tables → stage and outcome. Those of a risk category end in the same words.
ROWS = {
    "Total": ("population", "total"),
    "Selected for control: yes": ("chosen", "total"),
    "Selected for control: no": ("population", "not chosen"),
    "Outcome house visit: duly": ("finding", "duly"),
    "Outcome house visit: unduly": ("finding", "unduly"),
    "Outcome house visit: could not take place": ("chosen", "could not take place"),
    "Unduly, appeal": ("objection", "total"),
    "Unduly, no appeal": ("finding", "unduly, no appeal"),
    "Unduly, appeal successful": ("upheld", "total"),
    "Unduly, appeal partly successful": ("objection", "partly upheld"),
    "Unduly, appeal not successful": ("objection", "rejected"),
}

Keys = tuple[str, ...]


@pytest.fixture(scope="module")
def taken(
    tmp_path_factory: pytest.TempPathFactory, root: Path, shared: Path
) -> Iterator[tuple[Path, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("welfare")
    for name in ("contracts", "authorities"):
        shutil.copytree(root / "data" / name, folder / "data" / name)
    fetch(folder, "open-data", shared / "real")
    yield folder, intake(folder, "open-data", STORE)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def rows(taken: tuple[Path, dict[str, Any]]) -> list[dict[str, Any]]:
    part = taken[0] / "data/stores/open-data" / STORE / "part-00000.parquet"
    found: list[dict[str, Any]] = pq.read_table(part).to_pylist()
    return found


def counts(rows: list[dict[str, Any]], country: str, rounding: int) -> dict[Keys, int]:
    own = [row for row in rows if row["study"].startswith(country)]
    assert {row["rounding"] for row in own} == {rounding}
    names = ("study", "attribute", "group", "arm", "band", "stage", "outcome")
    return {tuple(row[name] for name in names): row["people"] for row in own}


def test_swedish_cells_are_those_of_the_sheets(rows: list[dict[str, Any]], shared: Path) -> None:
    expected: Counter[Keys] = Counter()
    for attribute, (title, column, group) in SHEETS.items():
        header, *people = sheet(shared / SWEDEN, f"{title} 1 Decimal")
        place = {name: number for number, name in header.items()}
        for person in people:
            cell = person.get(place[column])
            value = int(cell) if isinstance(cell, float) else cell
            method, result = (person[place[name]] for name in ("Selection Method", "Result"))
            about = (attribute, group(value), ARMS[method], BANDS.get(method, "none"))
            expected["Sweden 2017", *about, "finding", result.lower()] += 1
    assert counts(rows, "Sweden", 1) == expected


def test_swedish_cells_give_the_published_figures(rows: list[dict[str, Any]], shared: Path) -> None:
    truth = json.loads((shared / "truth" / "external_truth.json").read_text("utf-8"))
    sweden = truth["sweden_2017_temporary_parental_benefit"]
    found = counts(rows, "Sweden", 1)
    drawn = {key[1:]: people for key, people in found.items() if key[3] == "random"}
    for attribute in SHEETS:
        own = {key: people for key, people in drawn.items() if key[0] == attribute}
        assert sum(own.values()) == sweden["random"]
        errors = sum(n for key, n in own.items() if key[-1] != "no errors found")
        share = sweden["errors_found_share_published_label"]["random"]
        assert round(errors / sweden["random"], 6) == share
    women = sum(n for key, n in drawn.items() if key[:2] == ("sex", "women"))
    share = sweden["share_random_vs_algo_pct"]["women"][0]
    assert round(100 * women / sweden["random"], 2) == share


@pytest.mark.parametrize("title", TABLES)
def test_dutch_cells_are_those_of_the_tables(
    rows: list[dict[str, Any]], shared: Path, title: str
) -> None:
    study, selected = TABLES[title]
    expected: dict[Keys, int] = {}
    for row in sheet(shared / DUO, title):
        risk, _, rest = str(row.get(1, "")).rpartition(" & ")
        if str(row.get(1, "")).startswith("Risk category") and not risk:
            risk, rest = rest, "Total"
        if not isinstance(row.get(0), float) or rest not in ROWS:
            continue
        if risk and not risk.startswith("Risk category"):
            continue
        stage, outcome = ROWS[rest]
        band = "total" if not risk else "unknown" if risk[-1] == "6" else risk[-1]
        # Everybody drawn at random was chosen; nobody in the population was drawn yet.
        if selected == "random" and stage == "population":
            stage = "chosen"
        arm = "total" if stage == "population" else selected
        for column, (attribute, group) in COLUMNS.items():
            key = (study, attribute, group, arm, band, stage, outcome)
            assert key not in expected
            expected[key] = int(row[column])
    found = counts(rows, study, 10)
    profile = selected == "profile"
    own = {key: people for key, people in found.items() if (key[3] != "random") == profile}
    assert own == expected
    assert len(expected) == 11 * {"profile": 41, "random": 27}[selected]


def test_a_stage_for_each_question_of_an_audit(rows: list[dict[str, Any]]) -> None:
    """Risk, choice given risk, finding and objection upheld, by origin, as published."""
    found = counts(rows, "DUO 2019", 10)

    def people(group: str, arm: str, band: str, stage: str, outcome: str = "total") -> int:
        return found["DUO 2019", "origin", group, arm, band, stage, outcome]

    shares = {}
    for group in ("outside Europe", "Netherlands"):
        everybody = people(group, "total", "total", "population")
        high = sum(people(group, "total", band, "population") for band in "12")
        chosen = sum(people(group, "profile", band, "chosen") for band in "12")
        unduly = people(group, "profile", "total", "finding", "unduly")
        upheld = people(group, "profile", "total", "upheld")
        shares[group] = [high / everybody, chosen / high, upheld / unduly]
    one, other = shares.values()
    # The model is near parity, the choice of people is not: 0.9 and 3.6 in print.
    assert [round(a / b, 1) for a, b in zip(one[:2], other[:2], strict=True)] == [0.9, 3.6]
    assert one[2] == 20 / 250


def test_people_are_counted_and_not_kept(
    taken: tuple[Path, dict[str, Any]], rows: list[dict[str, Any]]
) -> None:
    folder, report = taken
    sweden = [row["people"] for row in rows if row["study"] == "Sweden 2017"]
    assert sum(sweden) == len(SHEETS) * 6129
    assert report["merged"] == sum(sweden) - len(sweden)
    assert report["reasons"] == {}
    assert report["accepted"] == len(rows)
    left = [path.name for path in (folder / "data/stores/open-data" / STORE).iterdir()]
    assert sorted(left) == ["part-00000.parquet", "quarantine.parquet", "store.json"]
