"""An authority that lacks a store: its notebook runs, and each chapter says what it lacks."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

MAPPING = """
authority: elsewhere
title: Elsewhere
synthetic: false
description: Two stores, English headers and dates, UTF-16.
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


@pytest.mark.slow
def test_a_single_store_makes_pages_that_name_the_gaps(project: Path, cli: Callable) -> None:
    (project / "data" / "authorities" / "elsewhere.yaml").write_text(MAPPING, "utf-8")
    raw = project / "data" / "raw" / "elsewhere"
    raw.mkdir(parents=True)
    rows = "Bin,Week of,Looked,Dirty\nb1,March 03 2025,4,1\nb2,March 10 2025,3,2\n"
    (raw / "visits.csv").write_text(rows, encoding="utf-16")
    done = cli(project, "run", "elsewhere")
    assert done.returncode == 0, done.stderr
    pages = project / "reports" / "elsewhere"
    gaps = json.loads((pages / "results" / "enforcement" / "gaps.json").read_text("utf-8"))
    assert len(gaps) > 10
    assert all("enforcement.containers" in gap["reason"] for gap in gaps)
    quality = json.loads((pages / "quality" / "enforcement.inspections.json").read_text("utf-8"))
    assert quality["accepted"] == quality["parsed"] == 2
    assert quality["unchecked_references"] == ["cluster"]
    assert "enforcement.containers" in (pages / "index.html").read_text("utf-8")
