"""A junction's page says what the city's says, of that junction alone, whatever is missing."""

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
import towns

from datamall import handed
from datamall.errors import DatamallError
from datamall.reporting import canvas, records, tables
from datamall.requirements import Absent
from datamall.traffic import junction, junction_words, sites

ROOT = Path(__file__).parents[2]


def write(folder: Path, found: dict[str, pd.DataFrame], absent: list[dict[str, str]]) -> None:
    """Write results as the runner does."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in found.items():
        text = tables.csv_text(table).encode()
        parts = records.json_of(text, tables.kinds(table))
        (folder / f"{name}.json").write_text("".join(parts), "utf-8")
    answer = {
        "authority": "Town", "synthetic": True, "first_day": "2025-01-06",
        "last_day": "2025-03-23", "not_delivered": ["traffic.counts.role"],
    }  # fmt: skip
    (folder / "answer.json").write_text(json.dumps(answer))
    (folder / "parameters.json").write_text(json.dumps({"confidence": 0.9}))
    (folder / "absent.json").write_text(json.dumps(absent))


def city(folder: Path, found: dict[str, pd.DataFrame], *absent: str) -> handed.Results:
    lacking = [{"name": n, "chapter": "Chapter", "reason": f"No {n} here."} for n in absent]
    write(folder, found, lacking)
    return handed.handed("traffic", "site", folder)


PLANS = pd.DataFrame(
    {"site": ["A", "B"], "peak": ["morning"] * 2, "gain": [17.94, 3], "low": [16.4, 2],
     "high": [19.4, 4]}
)  # fmt: skip
NO_PLAN = pd.DataFrame(
    {"site": ["A", "C"], "peak": ["evening"] * 2, "verdict": ["not enough evidence", "no plan"],
     "reason": ["Cannot be told. Look.", "Counted in 20 %. Mend it."], "doubt": ["east S", ""]}
)  # fmt: skip


def test_the_answer_is_that_of_this_junction_with_its_interval(tmp_path: Path) -> None:
    days = pd.DataFrame(
        {"site": ["C"], "mean": [1234.5], "low": [1200.0], "high": [1300.0], "weeks": [9]}
    )
    found = city(tmp_path, {"plans": PLANS, "no_plan": NO_PLAN, "working_days": days})
    assert junction_words.answer(found, "A") == (
        "Morning: try another plan, which saves 17.9 person-hours (90 % interval 16.4 to 19.4). "
        "Evening: not enough evidence."
    )
    # A refusal is no verdict on the junction: its reason goes with it.
    assert junction_words.answer(found, "C") == "Evening: no plan: counted in 20 %."
    # Of a junction that is not on file the counts are told, and nothing of a plan.
    assert junction_words.answer(found, "Z").startswith("No lane group is on file here.")


def test_without_capacities_the_page_says_what_is_missing_and_what_was_counted(
    tmp_path: Path,
) -> None:
    days = pd.DataFrame(
        {"site": ["C"], "mean": [1234.5], "low": [1200.0], "high": [1300.0], "weeks": [9]}
    )
    lacking = ("plans", "no_plan", "ratios", "lost_time", "ranking", "decisions", "to_confirm")
    empty = dict.fromkeys(("faults", "changes", "forecasts"), pd.DataFrame({"site": []}))
    places = pd.DataFrame({"site": ["C"], "name": ["C"], "needs": ["not known"]})
    places = places.assign(detectors=1, x=float("nan"), y=float("nan"))
    found = city(tmp_path, empty | {"working_days": days, "junctions": places}, *lacking)
    answer = junction_words.answer(found, "C")
    assert "cannot be said: no capacity" in answer and "1,234 cars" in answer
    assert "90 % interval 1,200 to 1,300" in answer
    facts = junction_words.facts(found, "C")
    assert facts["Where"] == "Its position was not delivered."
    assert facts["How full"] == "No ratios here."
    assert facts["What to measure"] == "No to_confirm here."
    assert facts["Next week"].startswith("It was not counted long enough")


def test_doubt_is_never_silence(tmp_path: Path) -> None:
    """Where nothing is to be confirmed, what cannot be told is still to be measured."""
    found = city(tmp_path, {"no_plan": NO_PLAN, "to_confirm": pd.DataFrame({"site": []})})
    assert "the queue at east S" in junction_words._measure(found, "A")
    assert "No plan is proposed" in junction_words._measure(found, "C")


def test_what_was_not_counted_is_not_called_in_order(tmp_path: Path) -> None:
    none = dict.fromkeys(("faults", "changes"), pd.DataFrame({"site": []}))
    places = pd.DataFrame({"site": ["A", "B"], "detectors": [3, 0]})
    found = city(tmp_path, none | {"junctions": places})
    for told in (junction_words._changed, junction_words._detectors):
        assert "Nothing was counted here" in told(found, "B")
        assert "Nothing was counted here" not in told(found, "A")
    for table in (junction.faults(found, "B"), junction.changes(found, "B")):
        assert isinstance(table, Absent) and "Nothing was counted here" in table.reason


def test_a_table_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    found = city(tmp_path, {})
    with pytest.raises(DatamallError, match=r"no table 'plans'.*datamall report traffic"):
        found.at("plans", "A")
    with pytest.raises(DatamallError, match=r"answer\.json is missing"):
        handed.handed("traffic", "site", tmp_path / "elsewhere")


def test_every_junction_counted_or_on_file_is_listed_once() -> None:
    file = pd.DataFrame(
        {"site": ["B", "B", None], "name": [None, "Bridge", "X"], "x": [1, 1, 2], "y": [2, 2, 3]}
    )
    listed = sites.junctions({sites.STORE: file}, Absent("Counts", "None."), Absent("P", "None."))
    assert isinstance(listed, pd.DataFrame)
    assert listed.values.tolist() == [["B", "Bridge", "not known", 0, 1.0, 2.0]]
    none = sites.junctions({}, Absent("Counts", "None."), Absent("P", "None."))
    assert isinstance(none, Absent) and "no junction" in none.reason


def shown_of(
    data: towns.Town, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Run the city's notebook and then that of each junction; return what both showed."""
    with monkeypatch.context() as patch:
        whole = towns.run("traffic", data, patch)
    found = {
        name: pd.read_csv(io.StringIO(text), keep_default_na=True, dtype={"site": str})
        for name, text in whole.items()
        if isinstance(text, str) and name != "answer"
    }
    gaps = [about for about in whole.values() if isinstance(about, dict)]
    write(folder, found, gaps)
    own: dict[str, dict[str, Any]] = {}
    if "junctions" not in found:
        return whole, own
    book = nbformat.read(ROOT / "notebooks" / "junctions.ipynb", as_version=4)
    cells = [cell.source for cell in book.cells if cell.cell_type == "code"][1:]
    results = partial(handed.handed, folder=folder)
    monkeypatch.setattr(handed, "handed", results)
    for site in found["junctions"]["site"]:
        published: dict[str, Any] = {}

        def publish(
            content: dict[str, Any], metadata: dict[str, Any], to: dict[str, Any] = published
        ) -> None:
            about = metadata["datamall"]
            if tables.ANSWER in content:
                to["answer"] = content[tables.ANSWER]
            elif "name" in about and "image/png" not in content:
                to[about["name"]] = content.get(tables.CSV, about)

        monkeypatch.setattr(tables, "publish", publish)
        monkeypatch.setattr(canvas, "png", lambda draw, numbers, height, **_: b"")
        scope: dict[str, Any] = {"site": site}
        for source in cells:
            exec(source, scope)
        own[site] = published
    return whole, own


def numbers(text: Any) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text)) if isinstance(text, str) else pd.DataFrame()


@pytest.mark.slow
def test_numbers_of_a_junction_are_those_of_the_city(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = towns.lawful(towns.granted(towns.town(), "traffic"))
    whole, own = shown_of(data, tmp_path / "results", monkeypatch)
    assert sorted(own) == ["J1", "J2"]
    for name, columns in {
        "ratios": ["ratio", "low", "high", "delay"], "who_waits": ["motor", "longest_red"],
        "to_confirm": ["detectable", "gain"], "faults": ["hours"], "changes": ["weeks"],
    }.items():  # fmt: skip
        city_rows = numbers(whole[name])
        for site, shown in own.items():
            mine = numbers(shown[name])
            theirs = city_rows[city_rows["site"] == site] if len(city_rows) else city_rows
            assert len(mine) == len(theirs), (name, site)
            for column in columns if len(mine) else ():
                assert mine[column].tolist() == theirs[column].tolist(), (name, site)
    assert all(shown["answer"]["sentence"] for shown in own.values())


WORST = [
    "everything absent",
    "traffic.counts alone",
    "traffic.counts one row",
    "traffic.counts.count nought",
    "traffic.junctions alone",
    "traffic.junctions one row",
    "traffic.junctions.lane_group all missing",
    "traffic.junctions.x absent",
    "traffic.junctions.name all missing",
    "traffic.counts.mode constant",
]


@pytest.mark.slow
@pytest.mark.parametrize("damage", WORST)
def test_no_damage_ends_the_page_of_a_junction(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [data] = [d for name, d in towns.damages(towns.town(), "traffic") if name == damage]
    _, own = shown_of(towns.lawful(data), tmp_path / "results", monkeypatch)
    assert bool(own) == (damage != "everything absent")
    for shown in own.values():
        assert shown["answer"]["sentence"] and len(shown["answer"]["facts"]) == 9
