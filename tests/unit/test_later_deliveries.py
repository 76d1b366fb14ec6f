"""What a later file does to the rows of earlier ones: nothing, replace them, add to them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from town import COLUMNS, STORE, WEEK, Row, city, stored

from datamall.errors import DatamallError
from datamall.mall.authorities import load_authority
from datamall.mall.intake import intake

EVENTS = {name: filling for name, filling in COLUMNS.items() if name != "inspections"}
FIRST: list[Row] = [("A", WEEK[0], 5, 1, ""), ("A", WEEK[1], 5, 2, ""), ("B", WEEK[0], 4, 4, "")]
SECOND: list[Row] = [("A", WEEK[1], 6, 3, ""), ("A", WEEK[2], 5, 0, "")]


def test_without_a_word_both_versions_contradict_each_other(root: Path, tmp_path: Path) -> None:
    project = city(root, tmp_path, {"1.csv": FIRST, "2.csv": SECOND}, {})
    report = intake(project, "town", STORE)
    assert report["reasons"] == {"conflict": 2}
    assert [row[:2] for row in stored(project)] == [("A", WEEK[0]), ("A", WEEK[2]), ("B", WEEK[0])]


def test_a_correction_takes_the_place_of_what_it_corrects(root: Path, tmp_path: Path) -> None:
    files = {"1.csv": FIRST, "2.csv": SECOND}
    project = city(root, tmp_path, files, {}, later="replaces")
    report = intake(project, "town", STORE)
    assert (report["read"], report["replaced"], report["parsed"], report["accepted"]) == (
        5,
        1,
        4,
        4,
    )
    assert report["quarantined"] == 0
    assert stored(project) == [
        ("A", WEEK[0], 5, 1),
        ("A", WEEK[1], 6, 3),
        ("A", WEEK[2], 5, 0),
        ("B", WEEK[0], 4, 4),
    ]


def test_what_is_in_quarantine_replaces_nothing(root: Path, tmp_path: Path) -> None:
    wrong: list[Row] = [("A", WEEK[1], 6, 7, "")]  # more with waste than were seen
    files = {"1.csv": FIRST, "2.csv": wrong}
    project = city(root, tmp_path, files, {}, later="replaces")
    report = intake(project, "town", STORE)
    assert report["replaced"] == 0 and report["quarantined"] == 1
    assert ("A", WEEK[1], 5, 2) in stored(project)


def test_the_same_version_twice_and_two_versions_in_one_file(root: Path, tmp_path: Path) -> None:
    """Within a delivery rows are judged as ever: nobody can tell which of them is the later."""
    twice: list[Row] = [("A", WEEK[0], 6, 3, ""), ("A", WEEK[0], 6, 3, "")]
    torn: list[Row] = [("A", WEEK[1], 6, 3, ""), ("A", WEEK[1], 6, 4, "")]
    files = {"1.csv": FIRST, "2.csv": twice + torn}
    project = city(root, tmp_path, files, {}, later="replaces")
    report = intake(project, "town", STORE)
    assert report["reasons"] == {"conflict": 2, "duplicate": 1} and report["replaced"] == 2
    assert stored(project) == [("A", WEEK[0], 6, 3), ("B", WEEK[0], 4, 4)]


def test_files_of_the_week_so_far(root: Path, tmp_path: Path) -> None:
    """Each tells its days anew: what it no longer holds is gone, what came before it stays."""
    monday: list[Row] = [("A", WEEK[0], 5, 1, ""), ("B", WEEK[0], 5, 1, "")]
    tuesday: list[Row] = [("A", WEEK[0], 5, 2, ""), ("A", WEEK[1], 5, 0, "")]
    wednesday: list[Row] = [("C", WEEK[1], 5, 5, ""), ("A", WEEK[2], 5, 0, "")]
    files = {"1.csv": monday, "2.csv": tuesday, "3.csv": wednesday}
    project = city(root, tmp_path, files, {}, later="replaces period")
    report = intake(project, "town", STORE)
    assert report["replaced"] == 3
    assert stored(project) == [
        ("A", WEEK[0], 5, 2),
        ("A", WEEK[2], 5, 0),
        ("C", WEEK[1], 5, 5),
    ]


def test_parts_of_a_day_add_up(root: Path, tmp_path: Path) -> None:
    """Also where they are equal; but not within a delivery, where a row is there once."""
    noon: list[Row] = [("A", WEEK[0], 5, 1, ""), ("A", WEEK[0], 5, 1, ""), ("B", WEEK[0], 4, 4, "")]
    files = {"1.csv": noon, "2.csv": noon[:1], "3.csv": [("A", WEEK[0], 2, 2, "")]}
    project = city(root, tmp_path, files, {}, later="adds")
    report = intake(project, "town", STORE)
    assert report["reasons"] == {"duplicate": 1}
    assert (report["read"], report["merged"], report["accepted"]) == (5, 2, 2)
    assert stored(project) == [("A", WEEK[0], 12, 4), ("B", WEEK[0], 4, 4)]


def test_a_corrected_event_is_found_by_its_identifier(root: Path, tmp_path: Path) -> None:
    """It can have moved to another place and day; events that were not corrected are counted."""
    first: list[Row] = [("A", WEEK[0], "", w, f"e{n}") for n, w in enumerate((1, 0, 1))]
    fixed: list[Row] = [("B", WEEK[1], "", 1, "e0"), ("A", WEEK[0], "", 0, "e3")]
    files = {"1.csv": first, "2.csv": fixed}
    options: dict[str, Any] = {"events": ["id"], "columns": EVENTS}
    project = city(root, tmp_path, files, {}, later="replaces", **options)
    report = intake(project, "town", STORE)
    assert (report["read"], report["replaced"], report["quarantined"]) == (5, 1, 0)
    assert stored(project) == [("A", WEEK[0], 3, 1), ("B", WEEK[1], 1, 1)]
    # Without the word the two versions contradict each other, and both are set aside.
    project = city(root, tmp_path, files, {}, **options)
    assert intake(project, "town", STORE)["reasons"] == {"conflict": 2}
    assert stored(project) == [("A", WEEK[0], 3, 1)]


def test_the_order_is_that_of_delivery(root: Path, tmp_path: Path) -> None:
    late: list[Row] = [("A", WEEK[1], 6, 3, "")]
    files = {"a_20250120_correctie.csv": late, "z_20250113.csv": FIRST}
    dated = {"delivered": "%Y%m%d"}
    project = city(root, tmp_path, files, dated, later="replaces")
    intake(project, "town", STORE)
    assert ("A", WEEK[1], 6, 3) in stored(project)
    project = city(root, tmp_path, files, {}, later="replaces")
    intake(project, "town", STORE)
    assert ("A", WEEK[1], 5, 2) in stored(project)  # by name z is the later one
    project = city(root, tmp_path, {"2025.csv": FIRST}, dated)
    with pytest.raises(DatamallError, match=r"2025\.csv does not say once when it was delivered"):
        intake(project, "town", STORE)


@pytest.mark.parametrize(
    ("file", "store", "sentence"),
    [
        ({}, {"later": "wins"}, "later is one of conflicts, replaces, replaces period, adds"),
        (
            {},
            {"later": "replaces", "events": [], "columns": EVENTS},
            "an event without an identifier cannot be found again",
        ),
        ({"delivered": "%d-%m"}, {}, "delivered says how a file's name gives the day"),
        ({"delivered": "%Y%m%d", "days": "2025-01-01/2025-01-02"}, {}, "leave delivered out"),
        ({"overwritten": "yes"}, {}, "overwritten must be true or false"),
        ({"result_of": "../traffic"}, {}, "result_of names a report, such as traffic"),
        (
            {"result_of": "traffic", "overwritten": True},
            {},
            "a result of a page has no overwritten",
        ),
    ],
)
def test_words_that_mean_nothing_are_refused(
    root: Path, tmp_path: Path, file: dict[str, Any], store: dict[str, Any], sentence: str
) -> None:
    if "days" in file:
        file = {**file, "path": "%Y-%m-%d.csv"}
    project = city(root, tmp_path, {"1.csv": FIRST}, file, **store)
    with pytest.raises(DatamallError, match=sentence):
        load_authority(project, "town")


def test_nothing_is_added_to_a_statement(root: Path, tmp_path: Path) -> None:
    project = city(root, tmp_path, {"1.csv": FIRST}, {})
    path = project / "data" / "authorities" / "town.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    columns = {"cluster": {"from": "bin"}, "kind": {"value": "container"}}
    columns |= {"x": {"from": "seen"}, "y": {"from": "seen"}, "neighbourhood": {"from": "id"}}
    place = "enforcement.containers"
    document["stores"] = {place: {"file": "seen", "later": "adds", "columns": columns}}
    path.write_text(yaml.safe_dump(document), "utf-8")
    with pytest.raises(DatamallError, match="a statement, which nothing can be added to"):
        load_authority(project, "town")
    document["stores"][place]["later"] = "replaces period"
    path.write_text(yaml.safe_dump(document), "utf-8")
    with pytest.raises(DatamallError, match="no date here, so that no period can be replaced"):
        load_authority(project, "town")


def test_a_result_of_a_page_is_taken_in_like_any_file(root: Path, tmp_path: Path) -> None:
    """From the results of the page; each is written over the one before."""
    project = city(root, tmp_path, {"seen.csv": FIRST}, {"path": "seen.csv"})
    intake(project, "town", STORE)
    told = stored(project)
    path = project / "data" / "authorities" / "town.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    document["files"]["seen"]["result_of"] = "streets"
    path.write_text(yaml.safe_dump(document), "utf-8")
    with pytest.raises(DatamallError, match=r"There is no reports/town/results/streets/seen\.csv"):
        intake(project, "town", STORE)
    results = project / "reports" / "town" / "results" / "streets"
    results.mkdir(parents=True)
    (project / "data" / "raw" / "town" / "seen.csv").rename(results / "seen.csv")
    intake(project, "town", STORE)
    assert stored(project) == told
    text = (results / "seen.csv").read_text("utf-8")
    (results / "seen.csv").write_text(text.rsplit("\n", 2)[0] + "\n", "utf-8")
    intake(project, "town", STORE)
    assert len(stored(project)) == len(told) - 1
