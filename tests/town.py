"""A town whose department of enforcement delivers files of counts, or of single checks."""

import csv
import io
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

STORE = "enforcement.inspections"
HEADER = ("bin", "day", "seen", "waste", "id")
WEEK = ("2025-01-06", "2025-01-07", "2025-01-08", "2025-01-09")
COLUMNS = {
    "cluster": {"from": "bin"},
    "period_start": {"from": "day"},
    "period_days": {"value": "1"},
    "observer_role": {"value": "cleaning crew"},
    "inspections": {"from": "seen"},
    "with_waste": {"from": "waste"},
}
Row = tuple[Any, ...]


def city(
    root: Path, tmp_path: Path, files: dict[str, list[Row]], file: dict[str, Any], **store: Any
) -> Path:
    """Write a project in which a department delivers several files of counts, or of events."""
    project = tmp_path / "city"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(root / "data" / "contracts", project / "data" / "contracts")
    (project / "data" / "raw" / "town").mkdir(parents=True)
    for name, rows in files.items():
        deliver(project, name, rows)
    document = {
        "authority": "town",
        "title": "A town that corrects itself",
        "synthetic": True,
        "files": {"seen": {"path": "*.csv", "format": "csv", "separator": ",", **file}},
        "stores": {STORE: {"file": "seen", "columns": COLUMNS, **store}},
    }
    (project / "data" / "authorities").mkdir()
    (project / "data" / "authorities" / "town.yaml").write_text(yaml.safe_dump(document), "utf-8")
    return project


def deliver(project: Path, name: str, rows: list[Row]) -> Path:
    """Write one more file, or another over one that is there."""
    path, text = project / "data" / "raw" / "town" / name, io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
    path.write_text(text.getvalue(), "utf-8")
    return path


def stored(project: Path) -> list[Row]:
    """Return cluster, day, inspections and with_waste of all rows, in order."""
    folder = project / "data" / "stores" / "town" / STORE
    rows = [
        row for part in sorted(folder.glob("part-*")) for row in pq.read_table(part).to_pylist()
    ]
    return [
        (r["cluster"], r["period_start"].isoformat(), r["inspections"], r["with_waste"])
        for r in rows
    ]
