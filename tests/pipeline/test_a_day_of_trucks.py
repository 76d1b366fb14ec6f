"""The day of docs/the-morning.md on the demo city, from file to file."""

import csv
import re
import shutil
import subprocess
from collections.abc import Callable
from math import hypot
from pathlib import Path

import pytest

POSITION = 235725.33, 579906.75  # of G01 at 10:40, as the demo has it


def rows(path: Path) -> list[dict[str, str]]:
    encoding = "windows-1252" if "raw" in path.parts else "utf-8"
    with path.open(encoding=encoding, newline="") as file:
        return [*csv.DictReader(file, delimiter=";" if "raw" in path.parts else ",")]


def deliver(path: Path, *lines: str) -> None:
    """Write a raw file over, with more records than it had."""
    with path.open("a", encoding="windows-1252") as file:
        file.writelines(f"{line}\n" for line in lines)


def near_the_truck(raw: Path) -> list[str]:
    """Return the places of which nobody said anything this year, the nearest to G01 first."""
    named = {
        row["Clusternummer"]
        for pattern in ("schouwen_2026*", "meldingen_2026*", "terugmeldingen*")
        for path in raw.glob(f"{pattern}.csv")
        for row in rows(path)
    }
    far: dict[str, float] = {}
    for row in rows(raw / "containers.csv"):
        x, y = (row[f"{axis}-coördinaat"].replace(",", ".") for axis in "XY")
        if re.fullmatch(r"GR\d{5}", row["Clusternummer"]) and x and y:
            far[row["Clusternummer"]] = hypot(float(x) - POSITION[0], float(y) - POSITION[1])
    return [place for place in sorted(far, key=lambda own: (far[own], own)) if place not in named]


@pytest.mark.slow
def test_a_day(project: Path, root: Path, tmp_path: Path, cli: Callable) -> None:
    walk = (root / "docs" / "the-morning.md").read_text("utf-8").split("## A day")[1]
    first, change, second = re.findall(r"`datamall ([^`]+)`", walk)
    here = tmp_path / "city"
    shutil.copytree(project, here)
    subprocess.run(["git", "init", "--quiet"], cwd=here, check=True)  # which DVC asks for
    assert cli(here, "demo").returncode == 0
    raw = here / "data" / "raw" / "demo"
    found, *told, next_find = near_the_truck(raw)[:5]

    def run(command: str) -> str:
        done = cli(here, *words(command))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def owed() -> dict[tuple[str, str], str]:
        table = rows(here / "reports" / "results" / "morning" / "owed.csv")
        return {(row["place"], row["what"]): row["outcome"] for row in table}

    looks = raw / "schouwen_2026_k1.csv"
    deliver(looks, f"{found};04-01-2026;Handhaver;1;1;1;0;0;0;0;")
    run(first)
    outcome = owed()[found, "found yesterday"]
    assert re.match(r"G0\d at \d+:\d\d$|no truck today: .+ would make it possible", outcome)

    deliver(
        raw / "meldingen_2026_k1.csv",
        *(f"M2026-9900{n};05-01-2026;;app;Grofvuil;{place};;" for n, place in enumerate(told)),
    )
    said = run(change)
    for place in told:
        assert re.search(rf"  {place} \(bulky\): (G0\d at 1[0-4]:\d\d|no truck: .+)", said), said
    trucks = [line for line in said.splitlines() if re.match(r"  [GW]0\d: ", line)]
    assert trucks and all("by doing nothing" in line for line in trucks)
    sheets = here / "data" / "crew" / "demo" / "2026-01-05" / "1040"
    assert (sheets / "G01.gpx").is_file()
    assert "Gewijzigd om 10:40 uur" in (sheets / "G01.html").read_text("utf-8")

    done, nothing, refused = told
    deliver(
        raw / "terugmeldingen.csv",
        f"05-01-2026;14:10;G01;{done};gedaan;",
        f"05-01-2026;14:20;G01;{nothing};niets aangetroffen;",
        f"05-01-2026;14:30;G01;{refused};niet gedaan;wegwerk",
        f"05-01-2026;14:40;G02;{refused};niet gedaan;wegwerk",
    )
    deliver(looks, f"{next_find};05-01-2026;Handhaver;1;1;1;0;0;0;0;")
    run(second)
    now = owed()
    for place in (done, nothing):
        assert now[place, "open report"] == "a crew was there since; the report is not closed yet"
    assert now[refused, "open report"].startswith("no truck today: refused by the driver")
    assert re.match(r"G0\d at|no truck today", now[next_find, "found yesterday"])


def words(command: str) -> list[str]:
    """Return the words of a command, those in quotation marks as one."""
    return [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', command)]


def test_without_a_plan_of_the_day_there_is_nothing_to_change(root: Path, cli: Callable) -> None:
    done = cli(root, "redirect", "--at", "2031-01-06 10:40")
    assert done.returncode == 1
    assert done.stderr == (
        "datamall: There is no plan of 2031-01-06 to change: make it first, "
        "`datamall morning --authority demo --date 2031-01-06`.\n"
    )
