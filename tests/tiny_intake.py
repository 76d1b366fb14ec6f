"""A project with one store, filled from a small raw file in windows-1252 with decimal commas."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datamall.errors import DatamallError
from datamall.mall.intake import intake

STORE = "shop.things"
HEADER = "Nr;Dag;Aantal;Gewicht;Kleur;Opmerking\n"
ROWS = (
    "b;31-01-2025;3;1,5;rood;zwarte kat\n"
    "a;01-01-2025;2;;blauw;Dorpsstraat 1\n"
    "c;28-02-2025;100;1.000,25;;één\n"
)
GOOD = (HEADER + ROWS).encode("windows-1252")


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    physical = {"string": "varchar", "integer": "bigint", "number": "decimal(9,2)", "date": "date"}
    described = {"name": name, "description": name, "logicalType": kind}
    if kind in ("integer", "number"):
        described["customProperties"] = [{"property": "unit", "value": "kg"}]
    return {**described, "physicalType": physical[kind], **more}


CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": STORE,
    "name": "Things",
    "version": "1.0.0",
    "status": "active",
    "customProperties": [{"property": "counted", "value": "things"}],
    "team": {
        "members": [
            {"username": "shopkeeper", "role": "owner"},
            {"username": "clerk", "role": "steward"},
        ]
    },
    "slaProperties": [{"property": "retention", "value": 1, "unit": "y"}],
    "schema": [
        {
            "name": "things",
            "logicalType": "object",
            "quality": [
                {
                    "type": "custom",
                    "engine": "datamall",
                    "name": "light_enough",
                    "description": "Heavier than ten kilograms each.",
                    "implementation": "weight <= 10 * amount + 0.25",
                }
            ],
            "properties": [
                column(
                    "id",
                    "string",
                    required=True,
                    primaryKey=True,
                    primaryKeyPosition=1,
                    logicalTypeOptions={"minLength": 1, "maxLength": 3, "pattern": "[a-z]+"},
                ),
                column(
                    "day",
                    "date",
                    required=True,
                    logicalTypeOptions={"minimum": "2025-01-01", "maximum": "2025-12-31"},
                ),
                column(
                    "amount",
                    "integer",
                    required=True,
                    logicalTypeOptions={"minimum": 0, "maximum": 1000},
                ),
                column("weight", "number", logicalTypeOptions={"minimum": 0, "maximum": 5000}),
                column(
                    "colour",
                    "string",
                    quality=[
                        {
                            "type": "library",
                            "metric": "invalidValues",
                            "mustBe": 0,
                            "arguments": {"validValues": ["red", "blue"]},
                        }
                    ],
                ),
                column("note", "string"),
            ],
        }
    ],
}

AUTHORITY: dict[str, Any] = {
    "authority": "tiny",
    "title": "Tiny",
    "synthetic": False,
    "files": {
        "list": {
            "path": "things*.csv",
            "format": "csv",
            "encoding": "windows-1252",
            "separator": ";",
            "decimal": ",",
            "thousands": ".",
            "date_format": "%d-%m-%Y",
            "source": "the shop",
        }
    },
    "stores": {
        STORE: {
            "file": "list",
            "columns": {
                "id": {"from": "Nr"},
                "day": {"from": "Dag"},
                "amount": {"from": "Aantal"},
                "weight": {"from": "Gewicht"},
                "colour": {"from": "Kleur", "map": {"rood": "red", "blauw": "blue"}},
            },
        }
    },
}

Edit = Callable[[dict[str, Any]], object]


def write_project(
    root: Path,
    raw: bytes | dict[str, bytes] = GOOD,
    contract: Edit = lambda _: None,
    authority: Edit = lambda _: None,
) -> Path:
    """Write the project, with contract and mapping changed by functions; JSON is YAML."""
    for path, document, edit in (
        ("data/contracts/shop/things.yaml", CONTRACT, contract),
        ("data/authorities/tiny.yaml", AUTHORITY, authority),
    ):
        changed = copy.deepcopy(document)
        edit(changed)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(json.dumps(changed), encoding="utf-8")
    for name, content in (raw if isinstance(raw, dict) else {"things.csv": raw}).items():
        path = root / "data" / "raw" / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def take_in(root: Path, **options: Any) -> dict[str, Any]:
    """Take the store in; the books of what was read balance."""
    report = intake(root, "tiny", STORE, **options)
    assert report["parsed"] == report["accepted"] + report["quarantined"]
    return report


def refusal(root: Path) -> str:
    """Return the one sentence with which intake refuses."""
    with pytest.raises(DatamallError) as caught:
        take_in(root)
    said = str(caught.value)
    assert said.endswith(".") and "\n" not in said
    return said


def fields(document: dict[str, Any]) -> dict[str, Any]:
    """Return the column mappings of an authority, to change them."""
    found: dict[str, Any] = document["stores"][STORE]["columns"]
    return found


def folder(root: Path) -> Path:
    return root / "data" / "stores" / "tiny" / STORE


def stored(root: Path) -> list[dict[str, Any]]:
    """Return all rows of the store, in the order of its parts."""
    parts = sorted(folder(root).glob("part-*.parquet"))
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def quarantined(root: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder(root) / "quarantine.parquet").to_pylist()
    return rows


def reasons(root: Path) -> dict[int, str]:
    """Return row → reason of all that is in quarantine."""
    return {row["row"]: row["reason"] for row in quarantined(root)}
