"""Every notebook of a report stays thin: titles, claims, calls, and no logic."""

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest

from datamall.project import load_parameters

LOGIC = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While),
    *(ast.If, ast.IfExp, ast.Try, ast.With, ast.comprehension),
)
ROOT = Path(__file__).parents[2]
NAMES = list(load_parameters(ROOT)["reports"])


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def notebook(root: Path, name: str) -> Any:
    return nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def parameters(notebook: Any) -> Any:
    [cell] = [cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", [])]
    return cell


def test_every_notebook_is_that_of_a_report(root: Path) -> None:
    assert {path.stem for path in (root / "notebooks").glob("*.ipynb")} == set(NAMES)


def test_cells_hold_calls_and_no_logic(notebook: Any) -> None:
    for cell in code(notebook):
        tree = ast.parse(cell.source)
        assert cell is parameters(notebook) or len(tree.body) <= 5, cell.id
        assert not [node for node in ast.walk(tree) if isinstance(node, LOGIC)], cell.id


def test_parameters_are_those_of_params_yaml_typed_and_explained(
    root: Path, name: str, notebook: Any
) -> None:
    cell = parameters(notebook)
    lines, given = cell.source.splitlines(), {}
    for node in ast.parse(cell.source).body:
        assert isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        assert node.value is not None and node.end_lineno is not None
        assert "  # " in lines[node.end_lineno - 1]
        value = ast.literal_eval(node.value)
        assert type(value).__name__ == ast.unparse(node.annotation).partition("[")[0]
        given[node.target.id] = value
    section = load_parameters(root)[name]
    assert {key: repr(value) for key, value in given.items()} == {
        key: repr(value) for key, value in section.items()
    }


def test_chapters_come_in_order(notebook: Any) -> None:
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    lines = [line for text in texts for line in text.splitlines()]
    assert sum(line.startswith("# ") for line in lines) == 1
    chapters = [line for line in lines if line.startswith("## ")]
    assert chapters == ["## Data", "## Information", "## Knowledge", "## Wisdom"]


def test_every_result_has_a_name_of_its_own(notebook: Any) -> None:
    names = []
    for cell in code(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            words = {w.arg: w.value for w in node.keywords} if isinstance(node, ast.Call) else {}
            if "name" in words:
                names.append(ast.literal_eval(words["name"]))
                assert "caption" in words or {"title", "alt"} <= set(words)
    assert names and len(names) == len(set(names))


def test_file_is_stripped_and_written_as_nbformat_writes(
    root: Path, name: str, notebook: Any
) -> None:
    text = (root / "notebooks" / f"{name}.ipynb").read_text("utf-8")
    assert text == nbformat.writes(notebook) + "\n"
    numbers = range(len(notebook.cells))
    assert [cell.id for cell in notebook.cells] == [f"cell-{number:02d}" for number in numbers]
    for cell in code(notebook):
        assert cell.outputs == [] and cell.execution_count is None
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
