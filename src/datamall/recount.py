"""Come to an audit's verdict again, from the stores: what a file says of it proves nothing."""

from importlib import import_module
from pathlib import Path

from datamall.errors import DatamallError
from datamall.mall.door import Door, Extract
from datamall.project import load_parameters


def verdict(root: Path, authority: str, report: str) -> str:
    """Return the verdict of an audit by the plan in params.yaml, counted now.

    The program is ``datamall.<package>.audit.again``, of the package of the report; its data come
    by the report's purpose, at a door, as they come to the notebook.

    Raises
    ------
    DatamallError
        When the report is of no package with such a program, or the door refuses.
    """
    parameters = load_parameters(root)
    about = parameters["reports"][report]
    try:
        program = import_module(f"datamall.{about['package']}.audit.again")
    except ModuleNotFoundError:
        raise DatamallError(
            f"The verdict of {report} cannot be counted again, since there is no "
            f"datamall.{about['package']}.audit.again: without it the gate stays closed."
        ) from None
    (purpose,) = about["purposes"]
    with Door(root, authority, about["purposes"], f"gate of {report}") as door:
        data = Extract(door.hand_out(purpose))
    found: str = program.verdict(data, parameters[report])
    return found
