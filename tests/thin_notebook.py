"""What must hold for every notebook of a report: titles, claims, calls, and no logic."""

import ast
from pathlib import Path
from typing import Any

import nbformat
import yaml

LOGIC = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While),
    *(ast.If, ast.IfExp, ast.Try, ast.With, ast.comprehension),
)


def check(root: Path, name: str) -> set[str]:
    """Assert all of it for ``notebooks/<name>.ipynb``; return the names of its results."""
    path = root / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    [parameters] = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    for cell in code:
        tree = ast.parse(cell.source)
        assert cell is parameters or len(tree.body) <= 5, cell.id
        assert not [node for node in ast.walk(tree) if isinstance(node, LOGIC)], cell.id
        assert cell.outputs == [] and cell.execution_count is None
    given = yaml.safe_load((root / "params.yaml").read_text("utf-8"))[name]
    assert dict(map(_parameter, parameters.source.splitlines())) == given
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    lines = [line for text in texts for line in text.splitlines()]
    assert sum(line.startswith("# ") for line in lines) == 1
    chapters = [line for line in lines if line.startswith("## ")]
    assert chapters == ["## Data", "## Information", "## Knowledge", "## Wisdom"]
    assert path.read_text("utf-8") == nbformat.writes(notebook) + "\n"
    assert [cell.id for cell in notebook.cells] == [
        f"cell-{number:02d}" for number in range(len(notebook.cells))
    ]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    return _results(code)


def _parameter(line: str) -> tuple[str, Any]:
    """Return name and value of a parameter, which has a type and an explanation."""
    [node] = ast.parse(line).body
    assert isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    assert "  # " in line
    assert node.value is not None
    value = ast.literal_eval(node.value)
    assert type(value).__name__ == ast.unparse(node.annotation).split("[")[0]
    return node.target.id, value


def _results(code: list[Any]) -> set[str]:
    names = []
    for cell in code:
        for node in ast.walk(ast.parse(cell.source)):
            words = {w.arg: w.value for w in node.keywords} if isinstance(node, ast.Call) else {}
            if "name" in words:
                names.append(ast.literal_eval(words["name"]))
                assert "caption" in words or {"title", "alt"} <= set(words)
    assert len(names) == len(set(names))
    return set(names)
