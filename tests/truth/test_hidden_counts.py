"""Hidden counts: what they can be, by programs and papers of statistical offices."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from datamall.fairness import Bounds, linear_bounds

TABLES = json.loads(Path(__file__).with_name("tau_argus.json").read_text("utf-8"))
LABELS = {"decision": {"no": False, "yes": True, "unknown": None}}
DECISIONS = ["no", "yes", "unknown", "Total"]


def bounds(keys: list[str], rows: list[list[Any]], **more: Any) -> Bounds:
    """Return the bounds of a table of which only the counts marked S or E are shown."""
    frame = pd.DataFrame([row[: len(keys) + 2] for row in rows], columns=[*keys, "n", "status"])
    shown = frame["n"].astype(object).where(frame["status"].isin(["S", "E"]), "x")
    options = {"total": "Total", "labels": LABELS, "suppressed_below": 10} | more
    return Bounds.from_rounded(
        frame.assign(n=shown),
        [k for k in keys if k != "decision"],
        "decision",
        count="n",
        **options,
    )


def ends(found: Bounds, keys: list[str], row: list[Any]) -> tuple[int, int]:
    place = [
        found.levels[i].index(row[i]) if row[i] != "Total" else -1 for i in range(len(found.axes))
    ]
    at = (*place, DECISIONS.index(row[keys.index("decision")]), -1)
    return int(found.low[at]), int(found.high[at])


@pytest.mark.parametrize("number", range(len(TABLES)))
def test_hidden_counts_can_be_what_tau_argus_says(number: int) -> None:
    """Its own audit of what it hid (pytauargus 0.6.0; see `tau_argus.py`), to the last count."""
    keys, rows = TABLES[number]["keys"], TABLES[number]["rows"]
    found = bounds(keys, rows)
    hidden = [row for row in rows if len(row) > len(keys) + 2]
    assert {row[len(keys) + 1] for row in hidden} == {"U", "M"}
    for row in hidden:
        assert ends(found, keys, row) == tuple(row[-2:]), row
    for row in rows:
        low, high = ends(found, keys, row)
        assert low <= row[len(keys)] <= high


@pytest.mark.parametrize("number", range(len(TABLES)))
def test_rounded_tables_of_tau_argus_hold_the_truth(number: int) -> None:
    keys, rows = TABLES[number]["keys"], TABLES[number]["rows"]
    n = len(keys)
    rough = [[*row[:n], (row[n] + 5) // 10 * 10, row[n + 1]] for row in rows]
    found = bounds(keys, rough, rounding=10)
    for row in rows:
        low, high = ends(found, keys, row)
        assert low <= row[n] <= high
        # No wider than what is known of the exact table and rounding of every count can explain.
        assert row[n + 1] == "S" or high < linear_bounds.UNLIMITED // 2
