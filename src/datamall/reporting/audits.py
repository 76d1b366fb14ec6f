"""The page and the file of an audit of anybody's counts: no notebook, no network, no script."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datamall.reporting import audit_figures, pages
from datamall.reporting.cards import fitted
from datamall.reporting.rounding import rounded
from datamall.reporting.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

CAPTIONS = {
    "comparisons": "Every comparison: the gap of each group, with limits and verdict",
    "figures": "Every rate, with its counts and limits",
    "labels": "Each check under each definition of the outcome",
    "recorded": "In which arms each result was recorded",
    "changes": "What was done to groups, labels and tolerances",
    "stages": "Stages of the selection: rates, and the ratio at each",
    "calibration": "What the same score means: the share with the outcome by score band",
    "capacities": "If fewer or more people could be selected",
    "thresholds": "Rates and ratios at each threshold; limits are each by itself",
}
# What a reader sees; the file holds every column.
COLUMNS = {
    "comparisons": [
        *("check", "label", "by", "group", "people", "rate", "other_rate"),
        *("gap", "gap_low", "gap_high", "detectable_high", "verdict", "not_judged"),
    ],
    "figures": ["check", "label", "by", "group", "source", "trials", "rate", "low", "high"],
}
ROWS = 60  # on the page; the file holds all


def write(record: Mapping[str, Any], folder: Path, name: str) -> list[Path]:
    """Write ``<name>.audit.json`` and ``<name>.audit.html``.

    Parameters
    ----------
    record
        What `datamall.fairness.words.record` returns.
    folder
        Folder that exists or is made.
    name
        Name of the specification, without its ending.

    Returns
    -------
    list of Path
        The two files, the file of figures first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {key: _plain(table) for key, table in record["tables"].items()}
    written = []
    for ending in (".audit.json", ".audit.html"):
        path = folder / f"{name}{ending}"
        aside = path.with_name(path.name + ".new")
        with aside.open("w", encoding="utf-8", newline="\n") as file:
            if ending == ".audit.json":
                figures = {**record, "tables": tables}
                json.dump(figures, file, indent=1, ensure_ascii=False, default=str)
                file.write("\n")
            else:
                file.write(page(record, name))
        aside.replace(path)
        written.append(path)
    return written


def page(record: Mapping[str, Any], name: str) -> str:
    """Return the page of an audit: the answer, each check in words and drawn, then all tables."""
    shown = []
    for key, caption in CAPTIONS.items():
        table = record["tables"].get(key)
        if table is None:
            continue
        kept = [column for column in COLUMNS.get(key, table.columns) if column in table]
        table = table[kept].dropna(axis=1, how="all")
        shown.append({"name": key, "html": fitted(html_table(table, caption, rows=ROWS))})
    html = pages.environment().get_template("audit.html.j2").render(
        name=name,
        record=record,
        checks=audit_figures.of_checks(record),
        curves=audit_figures.by_score(record),
        tables=shown,
        about={"title": record["title"], "synthetic": False},
    )  # fmt: skip
    return pages.tidy(html)


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows for JSON: rounded, and null for what is missing or has no end."""
    rows: list[dict[str, Any]] = rounded(table).to_dict("records")
    return [{str(key): _value(value) for key, value in row.items()} for row in rows]


def _value(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
