"""The notebooks of traffic stay thin: titles, claims, calls."""

import ast
import json
from pathlib import Path

import nbformat
import pytest
import yaml

NAMES = ("traffic", "trucks")


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def notebook(root: Path, name: str) -> nbformat.NotebookNode:
    return nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)


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
    root: Path, name: str, notebook: nbformat.NotebookNode
) -> None:
    [cell] = [c for c in code(notebook) if "parameters" in c.metadata.get("tags", [])]
    given = {}
    for line, node in zip(cell.source.splitlines(), ast.parse(cell.source).body, strict=True):
        assert isinstance(node, ast.AnnAssign)
        assert "  # " in line
        value = ast.literal_eval(node.value)
        assert type(value).__name__ == node.annotation.id
        given[node.target.id] = value
    assert given == yaml.safe_load((root / "params.yaml").read_text("utf-8"))[name]


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
    assert len(names) == len(set(names)) > 9


def test_file_is_stripped_and_written_as_nbformat_writes(
    root: Path, name: str, notebook: nbformat.NotebookNode
) -> None:
    text = (root / "notebooks" / f"{name}.ipynb").read_text("utf-8")
    assert text == nbformat.writes(notebook) + "\n"
    assert [cell.id for cell in notebook.cells] == [
        f"cell-{i:02d}" for i in range(len(notebook.cells))
    ]
    for cell in code(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
    assert set(json.loads(text)["metadata"]) == {"kernelspec", "language_info"}
