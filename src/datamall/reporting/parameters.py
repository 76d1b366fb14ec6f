"""The typed parameters of a notebook: what it declares, and whether given values fit.

Papermill executes parameter names as code and takes any value, so both are checked before it
sees them, and before a kernel starts.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode

from datamall.errors import DatamallError

SCALARS: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool}


def declared(notebook: NotebookNode, name: str) -> dict[str, tuple[str, Any, str]]:
    """Return parameter → (type, default, help) from the cell tagged ``parameters``.

    Raises
    ------
    DatamallError
        When there is more than one such cell, or a line is not ``name: type = literal``.
    """
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if len(cells) > 1:
        raise DatamallError(f"Notebook {name} has two cells tagged parameters: keep one.")
    found: dict[str, tuple[str, Any, str]] = {}
    for cell in cells:
        lines = cell.source.splitlines()
        for line in ast.parse(cell.source).body:
            if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)):
                raise _not_declared(name, lines[line.lineno - 1])
            kind = ast.unparse(line.annotation)
            try:
                default = ast.literal_eval(line.value) if line.value else None
            except ValueError:
                raise _not_declared(name, lines[line.lineno - 1]) from None
            element = kind.removeprefix("list[").removesuffix("]")
            if element not in SCALARS or kind not in (element, f"list[{element}]"):
                raise _not_declared(name, lines[line.lineno - 1])
            note = lines[(line.end_lineno or line.lineno) - 1][line.end_col_offset or 0 :]
            found[line.target.id] = (kind, default, note.strip().lstrip("# "))
            _check_value(found, line.target.id, default, f"Notebook {name}, default of")
    return found


def _not_declared(name: str, line: str) -> DatamallError:
    return DatamallError(
        f"Notebook {name} has {line.strip()!r} in its parameters cell: write name: type = value, "
        f"with a type of {', '.join(SCALARS)} or a list of one of these, and a plain value."
    )


def check_parameters(notebook: NotebookNode, given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the given parameters, with whole numbers made floats where floats are declared.

    Raises
    ------
    DatamallError
        When a name is not declared by the notebook (so also when it is code), or a value has
        another type than declared.
    """
    known = declared(notebook, name)
    for parameter in given:
        if parameter not in known:
            raise DatamallError(
                f"Notebook {name} has no parameter {str(parameter)[:60]!r}: "
                f"it has {', '.join(known) or 'none'}."
            )
    where = f"Notebook {name}, parameter"
    return {key: _check_value(known, key, value, where) for key, value in given.items()}


def _check_value(
    known: Mapping[str, tuple[str, Any, str]], key: str, value: Any, where: str
) -> Any:
    kind = known[key][0]
    many = kind.startswith("list[")
    wanted = SCALARS[kind[5:-1] if many else kind]
    elements = value if many and isinstance(value, list) else [value]
    fits = isinstance(value, list) or not many
    for element in elements:
        exact = type(element) is wanted
        fits = fits and (exact or (wanted is float and type(element) is int))
    if not fits:
        raise DatamallError(f"{where} {key} is {value!r}: it must be {kind}.")
    cast = [float(e) if wanted is float else e for e in elements]
    return cast if many else cast[0]
