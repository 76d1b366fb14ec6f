"""A project with pages, results and a gate that can be released, without a pipeline."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from tiny_mall import ROOT, make_project

from datamall import releases
from datamall.mall import accepted, closed_stores
from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts

STORE = "welfare.investigations"
REPORTS = {"fraud_audit": "fraud-audit", "mall": "mall", "trucks": "trucks"}


def rows(people: range, year: int = 2025, arm: str = "none") -> pd.DataFrame:
    return pd.DataFrame({"client": [f"K{n:04}" for n in people], "year": year, "arm": arm})


def write_store(project: Path, table: pd.DataFrame) -> None:
    """Write a closed store of people, of no more columns than a test needs."""
    folder, plain = project / "data" / "stores" / "demo" / STORE, project / "plain"
    shutil.rmtree(folder, ignore_errors=True)
    for place in (folder, plain):
        place.mkdir(parents=True)
    rows_ = pa.Table.from_pandas(table, preserve_index=False)
    part = plain / "part-00000.parquet"
    pq.write_table(rows_, part)
    pq.write_table(rows_.slice(0, 0), plain / closed_stores.QUARANTINE)
    mapping, contract = load_authority(project, "demo"), load_contracts(project)[STORE]
    parts, _ = closed_stores.close(project, mapping, contract, plain, folder, [part])
    plain.rmdir()
    manifest = {
        "authority": "demo", "store": STORE, "contract": accepted.written(contract),
        "rows": len(table), "sealed": True, "raw": [], "columns": list(table),
        "not_delivered": [], "parts": parts,
    }  # fmt: skip
    (folder / "store.json").write_text(json.dumps(manifest))


def write_page(project: Path, name: str, number: int, verdict: str | None = None) -> None:
    reports = project / "reports"
    results = reports / "results" / name
    results.mkdir(parents=True, exist_ok=True)
    mark = releases.DRAFT
    (reports / f"{name}.html").write_text(f"<html>{mark}<p>{number}</p></html>\n")
    (results / "numbers.csv").write_text(f"group,number\nwomen,{number}\nmen,40\n")
    answer = {
        "title": name, "question": "?", "sentence": f"It is {number}.", "verdict": verdict,
        "caution": "", "evidence": [], "authority": "Demo", "synthetic": True,
        "first_day": None, "last_day": None, "not_delivered": [],
    }  # fmt: skip
    (results / "answer.json").write_text(json.dumps(answer))
    (results / "absent.json").write_text("[]")
    rests_on = {f"store {STORE}": str(number), "src/datamall/cli.py": "1"}
    (results / "provenance.json").write_text(json.dumps(rests_on))


def write_gate(project: Path, is_open: bool) -> None:
    gate = json.loads((ROOT / "reports" / "gate.json").read_text("utf-8"))
    (project / "reports" / "gate.json").write_text(json.dumps(gate | {"open": is_open}))


def make_released(folder: Path) -> Path:
    """Write a project with everything that a release is made of."""
    made = make_project(folder)
    about = {n: {"purposes": [p], "package": "fraud"} for n, p in REPORTS.items()}
    about["fraud_audit"]["audit"] = True  # type: ignore[assignment]
    parameters: dict[str, Any] = {n: {"level": 0.95} for n in REPORTS} | {"reports": about}
    (made / "params.yaml").write_text(yaml.safe_dump(parameters, sort_keys=False))
    write_store(made, rows(range(100)))
    for name in REPORTS:
        write_page(made, name, 50, "FAIL" if name == "fraud_audit" else None)
    write_gate(made, False)
    quality = made / "reports" / "quality"
    quality.mkdir()
    report = {"parsed": 100, "accepted": 100, "quarantined": 0, "reasons": {}, "missing": {}}
    for store in (STORE, "enforcement.containers"):
        (quality / f"{store}.json").write_text(json.dumps(report))
    (made / "notebooks").mkdir()
    (made / "notebooks" / "mall.ipynb").write_text("{}")

    return made
