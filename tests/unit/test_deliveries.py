"""Each file is judged as a whole: what is unlike those before it waits, and the store stays."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from town import COLUMNS, STORE, Row, city, deliver, stored

from datamall.cli import main
from datamall.errors import DatamallError
from datamall.inputs import of_stores
from datamall.mall.deliveries import decide, decisions, held_back, history, standing
from datamall.mall.intake import intake
from datamall.project import file_digest

BULKY = {**COLUMNS, "bulky": {"from": "id"}}


def week(number: int, places: int = 40, rate: float = 0.3, first: int = 0) -> list[Row]:
    """Return checks of a week, each place once a day, with bulky waste in the last column."""
    draw, rows = np.random.default_rng(number), []
    for day in range(7):
        when = date(2025, 1, 6) + timedelta(7 * number + day)
        for place in range(first, first + places):
            seen = int(draw.integers(3, 9))
            waste = int(draw.binomial(seen, rate))
            rows.append((f"P{place:03}", when.isoformat(), seen, waste, min(waste, place % 3)))
    return rows


def weeks(root: Path, tmp_path: Path, number: int = 4, **file: Any) -> Path:
    """Write a town with so many weeks, and take them in."""
    files = {f"week{n}.csv": week(n) for n in range(number)}
    later = file.pop("later", "conflicts")
    project = city(root, tmp_path, files, file, columns=BULKY, later=later)
    intake(project, "town", STORE)
    assert states(project) == {f"week{n}.csv": "taken in" for n in range(number)}
    return project


def states(project: Path) -> dict[str, str]:
    return {one["file"]: one["state"] for one in history(project, "town", STORE)}


def held(project: Path, name: str, rows: list[Row]) -> str:
    """Deliver a file that is held back; return why. The store stays, and later files are judged."""
    before = stored(project)
    deliver(project, name, rows)
    report = intake(project, "town", STORE)
    assert stored(project) == before
    found = {one["file"]: one for one in report["deliveries"]}[name]
    assert found["state"] == "held back"
    assert found["records"] == len(rows)
    return str(found["why"])


def test_half_the_records(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    less = [row for row in week(4) if row[0] >= "P025"]
    assert held(project, "week4.csv", less) == (
        "It has 105 records for 7 days; from earlier ones 280 were to be expected."
    )
    # What comes after is judged by those that were taken in, and follows on what waits.
    deliver(project, "week5.csv", week(5))
    intake(project, "town", STORE)
    assert states(project)["week5.csv"] == "taken in"
    assert history(project, "town", STORE)[-1]["why"] is None
    assert held_back(project, "town") == {STORE: 1}


def test_a_few_records_less_are_an_ordinary_week(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    deliver(project, "week4.csv", [row for row in week(4) if row[0] >= "P002"])
    intake(project, "town", STORE)
    assert states(project)["week4.csv"] == "taken in"


def test_nobody_went_out(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path, may_be_empty=True)
    deliver(project, "week4.csv", [])
    intake(project, "town", STORE)
    assert states(project)["week4.csv"] == "taken in"


def test_much_that_is_put_aside(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    faults = [(*row[:3], row[2] + 1, 0) if n < 28 else row for n, row in enumerate(week(4))]
    assert held(project, "week4.csv", faults) == (
        "10.0% of its records are put aside; at most 0.0% were before."
    )


def test_a_column_that_is_empty_all_at_once(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    assert held(project, "week4.csv", [(*row[:4], "") for row in week(4)]) == (
        "bulky is empty throughout; before it was filled in 100% of rows."
    )


def test_days_that_are_missing(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    hole = [row for row in week(4) if row[1] not in ("2025-02-05", "2025-02-06")]
    assert held(project, "week4.csv", hole) == (
        "There is nothing between 2025-02-04 and 2025-02-07; before, at most 1 day lay between two."
    )
    # A week that was never delivered is no fault of the one that comes after it.
    project = weeks(root, tmp_path)
    deliver(project, "week5.csv", week(5))
    intake(project, "town", STORE)
    found = history(project, "town", STORE)[-1]
    assert found["state"] == "taken in"
    assert found["why"].startswith("There is nothing between 2025-02-02 and 2025-02-10")


def test_places_that_are_gone(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    assert held(project, "week4.csv", week(4, first=5)) == (
        "5 of the 40 that were in each of the last 4 deliveries are gone, such as P000."
    )
    # One or two are closed in any week.
    deliver(project, "week4.csv", week(4, first=2))
    intake(project, "town", STORE)
    assert states(project)["week4.csv"] == "taken in"


def test_a_day_that_was_copied(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    rows, day = week(4), week(1)[:40]
    copied = [(*old[:1], new[1], *old[2:]) for old, new in zip(day, rows[:40], strict=True)]
    counted = sum(row[4] > 0 or row[3] > 0 for row in copied)
    assert held(project, "week4.csv", copied + rows[40:]) == (
        f"All {counted} counts of 2025-02-03 are those that week1.csv has for 2025-01-13, to the "
        "last one."
    )


def test_a_file_that_is_there_twice(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    assert held(project, "week4.csv", week(2)) == "It is the same as week2.csv, byte for byte."


def test_a_correction_is_small(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path, later="replaces")
    deliver(project, "week4.csv", [("P001", "2025-01-14", 9, 9, 1)])
    report = intake(project, "town", STORE)
    assert report["replaced"] == 1 and states(project)["week4.csv"] == "taken in"
    assert {one["file"]: one["replaced"] for one in report["deliveries"]}["week1.csv"] == 1


def accept(project: Path, name: str, decision: str = "accepted") -> None:
    decide(project, "town", STORE, decision, name, "steward", "Looked at it.")


def test_the_steward_accepts_exactly_what_was_looked_at(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    less = [row for row in week(4) if row[0] >= "P025"]
    held(project, "week4.csv", less)
    accept(project, "week4.csv")
    intake(project, "town", STORE)
    assert states(project)["week4.csv"] == "taken in"
    assert len(stored(project)) == 4 * 280 + 105
    made = decisions(project, "town", STORE)
    path = project / "data" / "raw" / "town" / "week4.csv"
    assert [(one.decision, one.sha256, one.reason) for one in made] == [
        ("accepted", file_digest(path), "Looked at it.")
    ]
    deliver(project, "week4.csv", less[1:])
    assert standing(project, "town", STORE) == (frozenset(), {})


def test_a_withdrawn_delivery_is_as_if_it_had_never_come(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path, number=3)
    folder = project / "data" / "stores" / "town" / STORE
    before = [part.read_bytes() for part in sorted(folder.glob("part-*"))]
    deliver(project, "week3.csv", week(3))
    intake(project, "town", STORE)
    assert len(stored(project)) == 4 * 280
    inputs = of_stores(project, "town")[STORE]
    accept(project, "week3.csv", "withdrawn")
    assert of_stores(project, "town")[STORE] != inputs
    intake(project, "town", STORE)
    assert [part.read_bytes() for part in sorted(folder.glob("part-*"))] == before
    last = history(project, "town", STORE)[-1]
    assert (last["state"], last["why"]) == ("withdrawn", "Looked at it.")
    # Whoever thinks better of it accepts it again.
    accept(project, "week3.csv")
    intake(project, "town", STORE)
    assert len(stored(project)) == 4 * 280


def test_a_file_that_was_edited(root: Path, tmp_path: Path) -> None:
    """Nobody can see later what it said; so a person looks at it, and the store stays."""
    project = weeks(root, tmp_path)
    before = stored(project)
    deliver(
        project,
        "week2.csv",
        [("P001", *row[1:]) if n == 0 else row for n, row in enumerate(week(2))][1:],
    )
    with pytest.raises(DatamallError) as refused:
        intake(project, "town", STORE)
    assert "week2.csv is held back. It has changed since it was taken in" in str(refused.value)
    assert f"`datamall deliveries {STORE} --authority town --accept week2.csv" in str(refused.value)
    assert stored(project) == before
    accept(project, "week2.csv")
    intake(project, "town", STORE)
    assert len(stored(project)) == len(before) - 1


@pytest.mark.parametrize("overwritten", [False, True])
def test_a_file_that_was_cut_afterwards_does_not_take_its_rows_along(
    root: Path, tmp_path: Path, overwritten: bool
) -> None:
    """It would be held back as unlike the others; but the store has what it said before."""
    project = weeks(root, tmp_path, overwritten=overwritten)
    before = stored(project)
    deliver(project, "week2.csv", week(2, places=9))
    with pytest.raises(DatamallError, match=r"week2\.csv is held back") as refused:
        intake(project, "town", STORE)
    known = "63 records for 7 days" if overwritten else "has changed since it was taken in"
    assert known in str(refused.value) and stored(project) == before
    accept(project, "week2.csv")
    intake(project, "town", STORE)
    assert len(stored(project)) == len(before) - 280 + 63


def test_a_file_that_its_department_writes_over(root: Path, tmp_path: Path) -> None:
    project = city(root, tmp_path, {"now.csv": week(0)}, {"overwritten": True}, columns=BULKY)
    intake(project, "town", STORE)
    deliver(project, "now.csv", week(1))
    intake(project, "town", STORE)
    before = stored(project)
    assert before[0][1] == "2025-01-13"
    deliver(project, "now.csv", week(2, places=5))
    with pytest.raises(DatamallError, match="It has 35 records for 7 days") as refused:
        intake(project, "town", STORE)
    assert "The store is as it was" in str(refused.value) and stored(project) == before


def test_a_file_that_is_gone(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path)
    before = stored(project)
    (project / "data" / "raw" / "town" / "week1.csv").unlink()
    with pytest.raises(DatamallError, match=r"week1\.csv was taken in before and is not there"):
        intake(project, "town", STORE)
    assert stored(project) == before
    accept(project, "week1.csv", "withdrawn")
    intake(project, "town", STORE)
    assert len(stored(project)) == 3 * 280
    assert states(project)["week1.csv"] == "withdrawn"


def test_nothing_is_left_when_all_is_withdrawn(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path, number=1)
    accept(project, "week0.csv", "withdrawn")
    with pytest.raises(
        DatamallError, match=r"Each delivery of enforcement\.inspections in data/raw"
    ):
        intake(project, "town", STORE)
    assert len(stored(project)) == 280


def test_decisions_that_nobody_can_follow(root: Path, tmp_path: Path) -> None:
    project = weeks(root, tmp_path, number=1)
    with pytest.raises(DatamallError, match=r"no delivery called 'week9\.csv'"):
        accept(project, "week9.csv")
    with pytest.raises(DatamallError, match="delivers no store called 'x'"):
        decide(project, "town", "x", "accepted", "week0.csv", "steward", "Why not.")
    with pytest.raises(DatamallError, match="reason"):
        decide(project, "town", STORE, "accepted", "week0.csv", "steward", " ")
    with pytest.raises(DatamallError, match="holds a telephone number"):
        decide(project, "town", STORE, "accepted", "week0.csv", "steward", "Ask 050 123 45 67.")
    assert decisions(project, "town", STORE) == []
    accept(project, "week0.csv")
    path = project / "data" / "deliveries" / "town" / f"{STORE}.yaml"
    path.write_text(path.read_text("utf-8").replace("accepted", "agreed"), "utf-8")
    with pytest.raises(DatamallError, match="decision 1"):
        intake(project, "town", STORE)


@pytest.fixture
def whole(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a town that has reports, too, as the working folder."""
    project = weeks(root, tmp_path)
    for name in ("src", "notebooks", "params.yaml"):
        (project / name).symlink_to(root / name)
    (project / "data" / "purposes.yaml").symlink_to(root / "data" / "purposes.yaml")
    monkeypatch.chdir(project)
    return project


def test_the_history_on_the_command_line(whole: Path) -> None:
    deliver(whole, "week4.csv", week(4, places=10))
    run = CliRunner().invoke
    town = ["--authority", "town"]
    said = run(main, ["intake", STORE, *town])
    assert said.exit_code == 0
    assert "week4.csv is held back. It has 70 records for 7 days" in said.output
    listed = run(main, ["deliveries", STORE, *town]).output.splitlines()
    assert listed[0].split() == ["file", "days", "records", "put", "aside", "replaced", "state"]
    assert listed[1].split() == [
        "week0.csv", "2025-01-06", "to", "2025-01-12", "280", "0", "0", "taken", "in",
    ]  # fmt: skip
    assert listed[5].endswith("held back") and "were to be expected" in listed[6]
    why = ["--by", "steward", "--reason", "Snow."]
    said = run(main, ["deliveries", STORE, *town, "--accept", "week4.csv", *why])
    assert said.exit_code == 0
    assert "week4.csv is accepted. What rests on it is out of date:" in said.output
    assert {"enforcement.inspections", "report enforcement", "report mall"} <= {
        line.strip() for line in said.output.splitlines()
    }
    assert "report fraud_audit" not in said.output
    run(main, ["intake", STORE, *town])
    assert "accepted by steward: Snow." in run(main, ["deliveries", STORE, *town]).output
    both = run(main, ["deliveries", STORE, *town, "--accept", "a", "--withdraw", "b"])
    assert both.exit_code == 1 and "not both at a time" in both.output


AGAIN = """
import sys
from pathlib import Path
from datamall.mall.intake import intake
while True:
    print("once more", flush=True)
    intake(Path(sys.argv[1]), "town", sys.argv[2])
"""


@pytest.mark.slow
def test_whenever_it_is_killed_nothing_is_lost_and_nothing_half(root: Path, tmp_path: Path) -> None:
    """A hundred times: after it the store is whole, of before or of after, and intake goes on."""
    project = weeks(root, tmp_path, number=2)
    folder = project / "data" / "stores" / "town" / STORE
    draw, seen = np.random.default_rng(7), set()
    for kill in range(100):
        # Sometimes with a delivery more, sometimes without it: the store differs.
        extra = project / "data" / "raw" / "town" / "week2.csv"
        if kill % 2:
            accept(project, "week2.csv", "withdrawn")
        else:
            deliver(project, "week2.csv", week(2))
            accept(project, "week2.csv")
        running = subprocess.Popen(
            [sys.executable, "-c", AGAIN, project, STORE], stdout=subprocess.PIPE
        )
        assert running.stdout is not None and running.stdout.readline()
        if draw.random() < 0.5:  # in half of the cases after a whole intake, in the next
            assert running.stdout.readline()
        time.sleep(float(draw.uniform(0, 0.6)))
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()
        manifest = json.loads((folder / "store.json").read_text("utf-8"))
        for part in manifest["parts"]:
            assert file_digest(folder / part["name"]) == part["sha256"]
        rows = len(stored(project))
        assert rows == manifest["rows"] and rows in (560, 840)
        seen.add(rows)
        assert extra.is_file()
    assert seen == {560, 840}
    intake(project, "town", STORE)
    assert len(stored(project)) == 560
    assert yaml.safe_load((project / "data" / "authorities" / "town.yaml").read_text("utf-8"))
