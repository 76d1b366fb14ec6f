"""The catalogue's notebook runs on an authority that has nothing yet."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from tiny_mall import make_project

from datamall.mall.access import checkout
from datamall.mall.door import Extract
from datamall.reporting import tables


def run(root: Path, data: Extract, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the cells of the notebook here; return what each output holds, by name."""
    shown: dict[str, Any] = {}

    def keep(content: dict[str, Any], about: dict[str, Any]) -> None:
        known = about["datamall"]
        assert known["kind"] != "absent"
        shown[known.get("name", known["kind"])] = content

    monkeypatch.setattr(tables, "publish", keep)
    monkeypatch.setattr("datamall.mall.door.extract", lambda purpose: data)
    notebook = nbformat.read(root / "notebooks" / "mall.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    exec("\n".join(cells), {})
    return shown


def test_it_runs_before_quality_was_reported(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, folder = make_project(tmp_path / "project"), tmp_path / "extract"
    folder.mkdir()
    mapping = project / "data" / "authorities" / "demo.yaml"
    about = yaml.safe_load(mapping.read_text("utf-8"))
    del about["stores"]["welfare.clients"]
    mapping.write_text(yaml.safe_dump(about), encoding="utf-8")
    checkout(project, "demo", "mall", folder)
    shown = run(root, Extract(folder), monkeypatch)
    assert "The mall holds 6 of 21 stores, 17 rows." in shown["answer"]["text/plain"]
    assert "fraud-profile of welfare.clients" in shown["unused"][tables.CSV]
    assert "No rows." in shown["quality"]["text/html"]
