"""Authorities written from docs/add-an-authority.md alone, with one store each."""

import json
import math
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

# Invented headers, UTF-16, English dates, hours side by side, a footer, a crossing under test.
CROSSINGS = """
authority: riverside
title: Riverside
synthetic: false
description: Hourly counts at two crossings in the spring of 2025.
files:
  loops:
    path: loops.txt
    format: csv
    encoding: utf-16
    separator: "|"
    thousands: ","
    date_format: "%B %d, %Y"
stores:
  traffic.counts:
    file: loops
    where: Crossing NOT IN ('', 'TEST')
    unpivot: {headers: "[0-9]{1,2}h", name: hour, value: counted}
    columns:
      site: {from: Crossing}
      approach: {from: Arm}
      movement: {from: Turn, map: {ahead: S, left: L}}
      mode: {value: car}
      detector: {from: "#4"}
      day: {from: Counted on}
      hour: {expression: "replace(hour, 'h', '')"}
      minute: {value: "0"}
      minutes: {expression: "CASE WHEN counted = '' THEN '0' ELSE '60' END"}
      count: {from: counted}
"""
DAYS = [date(2025, 3, 3) + timedelta(days=n) for n in range(12 * 7)]


def loops() -> str:
    """Return counts that peak in the morning and are lower at weekends; one hour is not counted."""
    lines = ["|".join(["Crossing", "Arm", "Turn", "", "Counted on", *(f"{n}h" for n in range(24))])]
    for number, (crossing, turn) in enumerate((("C1", "ahead"), ("C1", "left"), ("C2", "ahead"))):
        for index, day in enumerate(DAYS):
            size = (600 if day.weekday() < 5 else 350) / (number + 1) + 7 * (index % 5)
            hours = [size * math.exp(-(((hour - 8) / 5) ** 2)) for hour in range(24)]
            texts = [f"{2 * round(count):,}" for count in hours]
            texts[3] = "" if index == 10 else texts[3]
            when = f"{day:%B} {day.day}, {day.year}"
            lines.append("|".join([crossing, "north", turn, f"loop {number}", when, *texts]))
    lines.append("|".join(["TEST", "north", "ahead", "loop 9", "May 1, 2025", *["1"] * 24]))
    lines.append("|".join(["C2", "north", "round", "loop 2", "June 1, 2025", *["1"] * 24]))
    lines.append("|".join(["", "source: city of Riverside", *[""] * 27]))
    return "\n".join(lines) + "\n"


INSPECTIONS = """
authority: elsewhere
title: Elsewhere
synthetic: false
description: Visits to bins, by week.
files:
  visits: {path: visits.csv, format: csv, encoding: utf-16, separator: ",", date_format: "%B %d %Y"}
stores:
  enforcement.inspections:
    file: visits
    columns:
      cluster: {from: Bin}
      period_start: {from: Week of}
      period_days: {value: "7"}
      observer_role: {value: unknown}
      inspections: {from: Looked}
      with_waste: {from: Dirty}
"""
VISITS = "Bin,Week of,Looked,Dirty\nb1,March 03 2025,4,1\nb2,March 10 2025,3,2\n"


def add(project: Path, mapping: str, name: str, text: str) -> str:
    """Write a mapping and its raw file; return the authority's name."""
    authority = str(yaml.safe_load(mapping)["authority"])
    (project / "data" / "authorities" / f"{authority}.yaml").write_text(mapping, "utf-8")
    raw = project / "data" / "raw" / authority
    raw.mkdir(parents=True)
    (raw / name).write_text(text, encoding="utf-16")
    return authority


def read(path: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(path.read_text("utf-8"))
    return found


@pytest.mark.slow
def test_wide_counts_run_their_chapters_and_name_the_gaps(project: Path, cli: Callable) -> None:
    authority = add(project, CROSSINGS, "loops.txt", loops())
    checked = cli(project, "check", authority)
    assert checked.returncode == 0, checked.stderr
    assert "traffic.junctions: not delivered" in checked.stdout
    for arguments in (["intake", "traffic.counts"], ["report", "traffic"], ["index"]):
        done = cli(project, *arguments, "--authority", authority)
        assert done.returncode == 0, done.stderr
    pages = project / "reports" / authority
    quality = json.loads((pages / "quality" / "traffic.counts.json").read_text("utf-8"))
    assert quality["accepted"] == 3 * len(DAYS) * 24
    assert quality["left_out"] == 2 * 24
    assert quality["reasons"] == {"unmapped:movement": 24}
    assert quality["missing"]["count"] == 3
    # What needs counts alone has run; what needs lanes or signals says so.
    gaps = read(pages / "results" / "traffic" / "absent.json")
    assert gaps
    # Whether a measure helped needs to be told of measures.
    lacking = ("traffic.junctions", "traffic.measures")
    odd = [g["reason"] for g in gaps if not any(name in g["reason"] for name in lacking)]
    assert odd == []
    tables = {path.stem for path in (pages / "results" / "traffic").glob("*.csv")}
    assert {"profiles", "forecasts", "health", "working_days"} <= tables
    assert not tables & {gap["name"] for gap in gaps}
    assert "traffic.junctions" in (pages / "index.html").read_text("utf-8")


@pytest.mark.slow
def test_the_whole_pipeline_runs_for_a_single_store(project: Path, cli: Callable) -> None:
    authority = add(project, INSPECTIONS, "visits.csv", VISITS)
    done = cli(project, "run", authority)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = project / "reports" / authority
    quality = json.loads((pages / "quality" / "enforcement.inspections.json").read_text("utf-8"))
    assert quality["accepted"] == quality["parsed"] == 2
    assert quality["unchecked_references"] == ["cluster"]
    # What needs inspections alone has run; what needs a register of places or reports says so.
    gaps = read(pages / "results" / "enforcement" / "absent.json")
    lacking = re.compile(r"the store enforcement\.(containers|reports)\b")
    other = {gap["name"] for gap in gaps if not lacking.search(gap["reason"])}
    assert {"exposure", "counts", "hot_spots", "reported"} <= {gap["name"] for gap in gaps} - other
    # No causes, one role of observers and seven looks are not enough for these.
    assert other == {
        *("observer_habits", "agreement", "two_lists", "truck_reach"),
        *("plan", "crews", "plans", "comparison", "prevent_actions", "prevent_places"),
        "measured",  # no action was delivered
    }
    tables = {path.stem for path in (pages / "results" / "enforcement").glob("*.csv")}
    assert {"totals", "months_counted", "rates", "within_places"} <= tables
    # Reports of which no store is delivered have a page, and say what they lack.
    reports = yaml.safe_load((project / "params.yaml").read_text("utf-8"))["reports"]
    for report, about in reports.items():
        if about.get("of"):  # of no place there is a page
            assert list((pages / report).iterdir()) == []
            [gap] = read(pages / "results" / report / "absent.json")
            assert "no junction" in gap["reason"]
        else:
            assert (pages / f"{report}.html").is_file(), report
    for report, lacking in (("traffic", "traffic.counts"), ("fraud_profile", "welfare.clients")):
        gaps = read(pages / "results" / report / "absent.json")
        assert any(lacking in gap["reason"] for gap in gaps)
    gate = json.loads((pages / "gate.json").read_text("utf-8"))
    assert not gate["open"]
    assert gate["reasons"]
    assert "enforcement.containers" in (pages / "index.html").read_text("utf-8")


REPORTS = """
authority: callers
title: Callers
synthetic: false
description: Reports of waste, without duplicates.
files:
  calls: {path: calls.csv, format: csv, encoding: utf-16, separator: ",", date_format: "%B %d %Y"}
stores:
  enforcement.reports:
    file: calls
    columns:
      report: {from: Number}
      opened: {from: Opened}
      closed: {from: Closed}
      channel: {value: unknown}
      category: {value: other}
      cluster: {from: Bin}
"""
CALLS = """Number,Opened,Closed,Bin
1,March 03 2025,March 05 2025,b1
2,March 10 2025,,b1
3,April 02 2025,April 09 2025,b2
4,April 02 2025,April 03 2025,b1
"""


@pytest.mark.slow
def test_reports_alone_have_a_page(project: Path, cli: Callable) -> None:
    authority = add(project, REPORTS, "calls.csv", CALLS)
    for arguments in (["intake", "enforcement.reports"], ["report", "enforcement"]):
        done = cli(project, *arguments, "--authority", authority)
        assert done.returncode == 0, done.stderr
    results = project / "reports" / authority / "results" / "enforcement"
    [whole] = [row for row in read(results / "reported.json") if row["by"] == "all"]
    assert (whole["reports"], whole["still_open"], whole["days"]) == (4, 1, 2)
    assert "duplicates" not in whole
    months = read(results / "reports_through_the_year.json")
    assert [row["month"] for row in months] == ["2025-03", "2025-04"]
    assert read(results / "repeats.json")[0] == {
        **{"cluster": "b1", "reports": 3, "months": 2},
        **{"first_day": "2025-03-03", "last_day": "2025-04-02"},
    }
