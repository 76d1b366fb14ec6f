"""The typed parameters of a notebook: what it declares, and whether given values fit.

Papermill executes parameter names as code and takes any value, so both are checked before it
sees them, and before a kernel starts. A line of the cell tagged ``parameters`` is::

    top: int = 100  # [1, 1000] length of the list
    mode: str = "car"  # {car, bike} what is counted

The comment begins with what is allowed: the smallest and the largest number, or all the texts;
the rest of it is the help. In a list this holds for each element.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datamall.errors import DatamallError

if TYPE_CHECKING:
    from nbformat import NotebookNode

SCALARS: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool, "dict": dict}
NUMBERS = ("int", "float")
ALLOWED = re.compile(r"(?P<ends>\[[^\]]*\])|(?P<texts>\{[^}]*\})")


@dataclass(frozen=True)
class Parameter:
    """A parameter that a notebook declares.

    Attributes
    ----------
    kind
        ``int``, ``float``, ``str``, ``bool``, ``dict`` (whose reader checks what is in it) or
        ``list[…]`` of one of these.
    default
        Its value where none is given.
    help
        What it means.
    ends
        The smallest and the largest number allowed, or None.
    texts
        The texts allowed, or None.
    """

    kind: str
    default: Any
    help: str
    ends: tuple[float, float] | None = None
    texts: tuple[str, ...] | None = None

    @property
    def element(self) -> str:
        """Type of the value, or of the elements of a list."""
        return self.kind.removeprefix("list[").removesuffix("]")

    @property
    def allowed(self) -> str:
        """What is allowed, in words; empty where nothing is said."""
        if self.ends is not None:
            return " to ".join(f"{end:.10g}" for end in self.ends)
        return ", ".join(self.texts or ())


def declared(notebook: NotebookNode, name: str) -> dict[str, Parameter]:
    """Return the parameters by name, from the cell tagged ``parameters``.

    Raises
    ------
    DatamallError
        When there is more than one such cell, a line is not ``name: type = literal``, what is
        allowed cannot be read, or a default is not allowed.
    """
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if len(cells) > 1:
        raise DatamallError(f"Notebook {name} has two cells tagged parameters: keep one.")
    found: dict[str, Parameter] = {}
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
            note = lines[(line.end_lineno or line.lineno) - 1].encode()[line.end_col_offset or 0 :]
            key, comment = line.target.id, note.decode().strip().lstrip("# ")
            found[key] = _parameter(kind, default, comment, f"Notebook {name}, parameter {key}")
            _check_value(found[key], default, f"Notebook {name}, default of {key}")
    return found


def _not_declared(name: str, line: str) -> DatamallError:
    return DatamallError(
        f"Notebook {name} has {line.strip()!r} in its parameters cell: write name: type = value, "
        f"with a type of {', '.join(SCALARS)} or a list of one of these, and a plain value."
    )


def _parameter(kind: str, default: Any, comment: str, where: str) -> Parameter:
    """Return a parameter, with what its comment allows."""
    plain = Parameter(kind, default, comment)
    found = ALLOWED.match(comment)
    if not found:
        return plain
    note = comment[found.end() :].strip()
    if found["texts"] and plain.element == "str":
        texts = tuple(text.strip() for text in found["texts"][1:-1].split(","))
        return Parameter(kind, default, note, texts=texts)
    try:
        low, high = ast.literal_eval(found["ends"] or "")
        fits = plain.element in NUMBERS and all(type(end) in (int, float) for end in (low, high))
    except (ValueError, TypeError, SyntaxError):
        fits = False
    if not fits or not low <= high:
        raise DatamallError(
            f"{where} allows {found.group()}: write [smallest, largest] for numbers, or "
            "{one, another} for text."
        )
    return Parameter(kind, default, note, ends=(low, high))


def check_parameters(notebook: NotebookNode, given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the given parameters, with whole numbers made floats where floats are declared.

    Raises
    ------
    DatamallError
        When a name is not declared by the notebook (so also when it is code), or a value has
        another type than declared or is not allowed.
    """
    known = declared(notebook, name)
    for parameter in given:
        if parameter not in known:
            raise DatamallError(
                f"Notebook {name} has no parameter {str(parameter)[:60]!r}: "
                f"it has {', '.join(known) or 'none'}."
            )
    where = f"Notebook {name}, parameter"
    return {key: _check_value(known[key], value, f"{where} {key}") for key, value in given.items()}


def _check_value(parameter: Parameter, value: Any, where: str) -> Any:
    many = parameter.kind.startswith("list[")
    wanted = SCALARS[parameter.element]
    elements = value if many and isinstance(value, list) else [value]
    fits = isinstance(value, list) or not many
    for element in elements:
        exact = type(element) is wanted
        fits = fits and (exact or (wanted is float and type(element) is int))
    if not fits:
        raise DatamallError(f"{where} is {value!r}: it must be {parameter.kind}.")
    for element in elements:
        if wanted is float and not math.isfinite(element):
            raise DatamallError(f"{where} is {value!r}: give a number.")
        inside = parameter.ends is None or parameter.ends[0] <= element <= parameter.ends[1]
        if not inside or (parameter.texts is not None and element not in parameter.texts):
            span = "a value from" if parameter.ends else "one of"
            raise DatamallError(f"{where} is {value!r}: choose {span} {parameter.allowed}.")
    cast = [float(e) if wanted is float else e for e in elements]
    return cast if many else cast[0]
