"""Strip notebooks before a commit: ``python -m datamall.reporting.strip [--check] FILE…``."""

import copy
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from datamall.reporting.notebooks import canonical, keeps_outputs, read


def committed(notebook: NotebookNode) -> str:
    """Return the text of a notebook as it is committed: stripped, its cells numbered in order.

    JupyterLab gives a new cell a random id; numbers say where a cell is, and are the same whoever
    wrote it.
    """
    numbered = nbformat.from_dict(copy.deepcopy(notebook))
    for number, cell in enumerate(numbered.cells):
        cell.id = f"cell-{number:02d}"
    return canonical(numbered)


def main(arguments: list[str]) -> int:
    """Rewrite notebooks as git holds them; return 1 if one was different.

    With ``--check`` they are left as they are.
    """
    check = "--check" in arguments
    different = False
    for name in arguments:
        path = Path(name)
        if name == "--check" or keeps_outputs(path.as_posix()):
            continue
        clean = committed(read(path))
        if clean != path.read_text("utf-8"):
            different = True
            if check:
                print(f"{name} holds outputs, editors' metadata or ids out of order: strip it.")
            else:
                path.write_text(clean, encoding="utf-8", newline="\n")
                print(
                    f"{name}: outputs and editors' metadata removed, cells numbered; add it again."
                )
    return int(different)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
