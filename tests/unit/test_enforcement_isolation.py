"""No analysis knows the demo: what was planted must be found, not read."""

import ast
from pathlib import Path

import nbformat
import pytest

SOURCE = Path(__file__).parents[2]
NOT_ANALYSES = {"mall", "reporting", "demo", "tabular"}
# Reads the sheet that somebody names for `datamall audit`; no analysis may use it.
SHEET = ("fairness/specification.py", "fairness/sheet_*.py")
READERS = (
    *("datamall.demo", "datamall.tabular"),
    *("datamall.fairness.specification", "datamall.fairness.sheet_"),
)
# The analyses find themselves: every package but the two other wings and the demo.
MODULES = sorted(
    path
    for package in (SOURCE / "src" / "datamall").glob("*/__init__.py")
    if package.parent.name not in NOT_ANALYSES
    for path in package.parent.rglob("*.py")
    if not any(path.match(pattern) for pattern in SHEET)
)
NOTEBOOKS = sorted((SOURCE / "notebooks").glob("*.ipynb"))


def source(path: Path) -> str:
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        return "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return text


def trespasses(text: str) -> list[str]:
    """Return what in a source text imports the demo, or could read its seed or files."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith(READERS)]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{a.name}" for a in node.names]
            # A relative import hides its package: not done here.
            found += [n for n in names if node.level or n.startswith(READERS)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = ("data/raw", "data/stores")
            found += [word for word in (*READERS, *words) if word in node.value]
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            dynamic = {"open", "import_module", "__import__", "eval", "exec", "read_text"}
            found += [name] if name in dynamic | {"safe_load", "read_csv", "read_parquet"} else []
    return found


def test_there_is_something_to_search() -> None:
    assert {path.parent.name for path in MODULES} >= {"enforcement"}
    assert NOTEBOOKS


@pytest.mark.parametrize("path", [*MODULES, *NOTEBOOKS], ids=lambda p: f"{p.parent.name}-{p.name}")
def test_analyses_neither_import_the_demo_nor_read_files(path: Path) -> None:
    assert trespasses(source(path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import datamall.demo",
        "from datamall import demo",
        "from datamall.demo import city",
        "from ..demo import city",
        "from datamall.fairness import specification",
        "from datamall.fairness.sheet_reading import load",
        "import datamall.tabular.reading",
        "import importlib; importlib.import_module('datamall.' + 'demo')",
        "import yaml; seed = yaml.safe_load(open('params.yaml'))['demo']['seed']",
        "import pandas; pandas.read_csv('x')",
        "def f():\n    from datamall.demo.world import World",
    ],
)
def test_the_search_finds_every_way_in(text: str) -> None:
    assert trespasses(text)
