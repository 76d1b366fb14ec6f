"""The notebook stays thin: titles, claims, calls."""

import ast
import json
from pathlib import Path

import nbformat
import pytest
import yaml

NAME = "fraud_audit.ipynb"


@pytest.fixture(scope="module")
def notebook(root: Path) -> nbformat.NotebookNode:
    return nbformat.read(root / "notebooks" / NAME, as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_cells_hold_calls_and_no_logic(notebook: nbformat.NotebookNode) -> None:
    logic = (
        *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While),
        *(ast.If, ast.IfExp, ast.Try, ast.With, ast.comprehension),
    )
    for cell in code(notebook):
        tree = ast.parse(cell.source)
        if "parameters" not in cell.metadata.get("tags", []):
            assert len(tree.body) <= 5, cell.id
        assert not [node for node in ast.walk(tree) if isinstance(node, logic)], cell.id


def test_parameters_are_those_of_params_yaml_typed_and_explained(
    root: Path, notebook: nbformat.NotebookNode
) -> None:
    [cell] = [c for c in code(notebook) if "parameters" in c.metadata.get("tags", [])]
    given = {}
    lines = cell.source.splitlines()
    for node in ast.parse(cell.source).body:
        assert isinstance(node, ast.AnnAssign)
        assert isinstance(node.target, ast.Name)
        assert node.value is not None and node.end_lineno is not None
        assert "  # " in lines[node.end_lineno - 1]
        value = ast.literal_eval(node.value)
        assert type(value).__name__ == ast.unparse(node.annotation).partition("[")[0]
        given[node.target.id] = value
    assert given == yaml.safe_load((root / "params.yaml").read_text("utf-8"))["fraud_audit"]


def test_chapters_come_in_order(notebook: nbformat.NotebookNode) -> None:
    lines = [
        line
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
    ]
    assert sum(line.startswith("# ") for line in lines) == 1
    chapters = [line for line in lines if line.startswith("## ")]
    assert chapters == ["## Data", "## Information", "## Knowledge", "## Wisdom"]


def test_every_result_has_a_name_of_its_own(notebook: nbformat.NotebookNode) -> None:
    names = []
    for cell in code(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call):
                words = {word.arg: word.value for word in node.keywords}
                if "name" in words:
                    names.append(ast.literal_eval(words["name"]))
                    assert {"caption", "title"} & set(words)
                    if "title" in words:
                        assert "alt" in words
    assert len(names) == len(set(names)) > 15


def test_file_is_stripped_and_written_as_nbformat_writes(
    root: Path, notebook: nbformat.NotebookNode
) -> None:
    text = (root / "notebooks" / NAME).read_text("utf-8")
    assert text == nbformat.writes(notebook) + "\n"
    assert [cell.id for cell in notebook.cells] == [
        f"cell-{i:02d}" for i in range(len(notebook.cells))
    ]
    for cell in code(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
    assert set(json.loads(text)["metadata"]) == {"kernelspec", "language_info"}
