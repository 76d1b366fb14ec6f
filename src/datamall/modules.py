"""Which files a program can run: the modules that it imports, and those that these import.

Read from the source, without running it: imports inside functions and those for type checkers
count too, so that nothing that could run is missed.
"""

import ast
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

PACKAGE = "datamall"


@lru_cache(maxsize=1024)
def imported(code: str) -> tuple[str, ...]:
    """Return the names of this package that a program imports, modules or what is in them."""
    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(code)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= dict.fromkeys(name for name in names if name.split(".")[0] == PACKAGE)
    return tuple(found)


def of_notebook(path: Path) -> tuple[str, ...]:
    """Return what the cells of a notebook import; nothing where there is no such notebook."""
    if not path.is_file():
        return ()
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return tuple(dict.fromkeys(name for text in code for name in imported(text)))


def reached(source: Path, names: Iterable[str]) -> list[Path]:
    """Return the files of modules and of all that they import, in order.

    Parameters
    ----------
    source
        Folder of the package, ``src/datamall``.
    names
        Modules, as ``datamall.gate``, or names in them; what is no file is passed over.

    Returns
    -------
    list of Path
        Modules, their packages, and files other than modules that lie with them (templates,
        schemas).
    """
    waiting, found = [*names], set[Path]()
    while waiting:
        parts = waiting.pop().split(".")[1:]
        folders = [source.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
        files = [folder / "__init__.py" for folder in folders] + [folders[-1].with_suffix(".py")]
        for path in files:
            if path.is_file() and path not in found:
                found.add(path)
                waiting += imported(path.read_text("utf-8"))
    packages = {path.parent for path in found} - {source}
    beside = {
        path
        for folder in packages
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    return sorted(found | beside)
