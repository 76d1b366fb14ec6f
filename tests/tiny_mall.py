"""A project with stores of a few rows, written by hand in the form that intake gives them."""

import hashlib
import json
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datamall.mall import accepted
from datamall.mall.contracts import load_contracts

ROOT = Path(__file__).parents[1]
# A value that no extract may hold: households are granted to no purpose.
SECRET = 4711


def make_project(folder: Path, parts: int = 2) -> Path:
    """Write contracts, purposes, mappings and the demo's stores to a folder."""
    for name in ("contracts", "authorities"):
        shutil.copytree(
            ROOT / "data" / name,
            folder / "data" / name,
            ignore=lambda at, names: _folders(at, names),
        )
    # By month, so that the door has something to add up.
    purposes = (ROOT / "data" / "purposes.yaml").read_text("utf-8")
    by_month = purposes.replace(
        "period_start: value, observer_role: value, period_days: value",
        "period_start: month, observer_role: value",
    )
    assert by_month != purposes
    (folder / "data" / "purposes.yaml").write_text(by_month, encoding="utf-8")
    shutil.copy(ROOT / "params.yaml", folder)
    write_store(folder, "shared.neighbourhoods", neighbourhoods(), parts)
    write_store(folder, "shared.outlines", outlines(), parts)
    write_store(folder, "enforcement.containers", containers(), parts)
    write_store(folder, "enforcement.inspections", inspections(), parts)
    write_store(folder, "enforcement.reports", reports(), parts)
    write_store(folder, "enforcement.actions", actions(), parts)
    return folder


def _folders(at: str, names: list[str]) -> list[str]:
    """Name the folders below data/authorities: projects of other authorities."""
    inside = Path(at).name == "authorities"
    return [name for name in names if inside and (Path(at) / name).is_dir()]


def write_store(
    root: Path, store: str, table: pa.Table, parts: int = 2, not_delivered: tuple[str, ...] = ()
) -> Path:
    """Write a store in parts of equal size, with its manifest."""
    folder = root / "data" / "stores" / "demo" / store
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-table.num_rows // parts) or 1
    listed = []
    for number, start in enumerate(range(0, max(table.num_rows, 1), size)):
        part = table.slice(start, size)
        path = folder / f"part-{number:05}.parquet"
        pq.write_table(part, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        listed.append({"name": path.name, "rows": part.num_rows, "sha256": digest})
    manifest = {
        "contract": accepted.written(load_contracts(root)[store]),
        "columns": table.column_names,
        "not_delivered": list(not_delivered),
        "rows": table.num_rows,
        "parts": listed,
        "raw": [],
    }
    (folder / "store.json").write_text(json.dumps(manifest))
    return folder


def neighbourhoods() -> pa.Table:
    """Return three neighbourhoods in two districts."""
    return pa.table(
        {
            "neighbourhood": ["N1", "N2", "N3"],
            "district": ["East", "East", "West"],
            "households": [SECRET, SECRET, SECRET],
        }
    )


def outlines() -> pa.Table:
    shape = "POLYGON ((230000 580000, 230500 580000, 230500 580400, 230000 580000))"
    return pa.table({"kind": ["district"], "code": ["W1"], "name": ["North"], "shape": [shape]})


def containers() -> pa.Table:
    """Return three places, one of them a dump spot."""
    return pa.table(
        {
            "cluster": ["c1", "c2", "d1"],
            "kind": ["container", "container", "dump spot"],
            "fraction": ["residual", "paper", None],
            "x": pa.array(
                [Decimal("230000.25"), Decimal("231000"), Decimal("5")], pa.decimal128(9, 2)
            ),
            "y": pa.array(
                [Decimal("580000"), Decimal("581000"), Decimal("7")], pa.decimal128(9, 2)
            ),
            "households": [SECRET, SECRET, None],
            "neighbourhood": ["N1", "N2", "N3"],
        }
    )


def inspections() -> pa.Table:
    """Return four weeks at two places, the last of which ends in March."""
    crew, officer = "cleaning crew", "enforcement officer"
    return pa.table(
        {
            "cluster": ["c1", "c1", "c1", "c1", "d1"],
            "period_start": [
                date(2026, 1, 5),
                date(2026, 1, 12),
                date(2026, 1, 12),
                date(2026, 2, 23),
                date(2026, 2, 23),
            ],
            "period_days": [7, 7, 7, 7, 7],
            "observer_role": [crew, crew, officer, crew, crew],
            "inspections": [3, 4, 5, 6, 7],
            "with_waste": [1, 2, 3, 4, 5],
            "bulky": [1, None, 1, 1, None],
            "residual": [0, 0, 0, 0, 0],
            "cardboard": [0, 1, 0, 1, 0],
            "full": [0, 0, 0, 0, 0],
            "broken": [0, 0, 0, 0, 0],
        }
    )


def actions() -> pa.Table:
    """Return an action that one of two places was drawn for."""
    return pa.table(
        {
            "cluster": ["c1", "c2"],
            "action": ["information board"] * 2,
            "first_day": [date(2026, 2, 2)] * 2,
            "drawn": ["yes", "no"],
        }
    )


def reports() -> pa.Table:
    """Return a report of one place that was repeated and closed, and one that is open."""
    return pa.table(
        {
            "report": ["r1", "r2", "r3"],
            "opened": [date(2026, 1, 7), date(2026, 1, 8), date(2026, 2, 2)],
            "closed": [date(2026, 1, 9), date(2026, 1, 9), None],
            "channel": ["app", "web", "app"],
            "category": ["bulky waste", "bulky waste", "other"],
            "cluster": ["c1", "c1", None],
            "duplicate_of": [None, "r1", None],
        }
    )
