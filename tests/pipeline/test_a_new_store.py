"""A new store, by the text of docs/add-a-store.md."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pyarrow.parquet as pq
import pytest
import yaml

NAME = "newtown"
STORE = "enforcement.weighings"


@pytest.mark.slow
def test_by_the_guide_from_contract_to_extract(
    project: Path, root: Path, tmp_path: Path, cli: Callable
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("raw", "stores", ".git"))
    guide = (folder / "docs" / "add-a-store.md").read_text("utf-8")
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```", guide, re.DOTALL | re.MULTILINE)
    code = [dedent(text) for _, _, text in found]
    contract, mapping, first, second, line, purpose = code
    paths = re.findall(r"^ *`(data/[\w<>/.-]+)`$", guide, re.MULTILINE)
    assert len(paths) == 3
    for path, text in zip(paths, (contract, first, second), strict=True):
        file = folder / path.replace("<name>", NAME)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    about = f"authority: {NAME}\ntitle: New town\nsynthetic: true\n"
    (folder / "data" / "authorities" / f"{NAME}.yaml").write_text(about + mapping, "utf-8")
    stages = (folder / "dvc.yaml").read_text("utf-8")
    place = "    foreach:\n      shared.calendar"
    assert stages.count(place) == 1
    stages = stages.replace("    foreach:\n", f"    foreach:\n      {line}", 1)
    (folder / "dvc.yaml").write_text(stages, "utf-8")
    with (folder / "data" / "purposes.yaml").open("a", encoding="utf-8") as file:
        file.write("\n" + purpose)

    ours = {"PYTHONPATH": str(folder / "src")}
    done = cli(folder, "check", NAME, **ours)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^  lifts +delivered$", done.stdout, re.MULTILINE)
    done = cli(folder, "intake", STORE, "--authority", NAME, **ours)
    assert done.returncode == 0, done.stderr
    assert "3 rows accepted, 0 quarantined" in done.stdout
    parts = (folder / "data" / "stores" / NAME / STORE).glob("part-*")
    rows = [row for part in sorted(parts) for row in pq.read_table(part).to_pylist()]
    assert [(r["cluster"], str(r["day"]), r["lifts"], r["heavy"]) for r in rows] == [
        ("C1", "2025-01-06", 2, 0),
        ("C1", "2025-01-07", 1, 1),
        ("C2", "2025-01-06", 1, 0),
    ]
    done = cli(folder, "deliveries", STORE, "--authority", NAME, **ours)
    assert done.stdout.count("taken in") == 2
    # The pipeline of that town has the stage, and the catalogue the contract.
    done = cli(folder, "inputs", "stores", "--authority", NAME, **ours)
    assert done.returncode == 0, done.stderr
    assert (folder / "data" / "inputs" / NAME / "stores" / f"{STORE}.json").is_file()
    assert yaml.safe_load(stages)["stages"]["intake"]["foreach"][STORE].startswith(
        "data/contracts/"
    )
    target = tmp_path / "extract"
    done = cli(folder, "checkout", "weighings", str(target), "--authority", NAME, **ours)
    assert done.returncode == 0, done.stderr
    extract = pq.read_table(target / STORE).to_pylist()
    assert [(r["cluster"], r["lifts"], r["heavy"]) for r in extract] == [
        ("C1", 3, 1),
        ("C2", 1, 0),
    ]
    about_it = json.loads((target / "extract.json").read_text("utf-8"))
    assert about_it["purpose"] == "weighings"
