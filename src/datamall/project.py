"""Where things are in a project folder, and which exact file one is."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamall.errors import DatamallError


def find_root(start: Path | None = None) -> Path:
    """Return the project folder: `start` or the nearest folder above it that holds the contracts.

    Raises
    ------
    DatamallError
        When no folder from `start` (default: the working directory) upwards is a project.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "data" / "contracts").is_dir() and (folder / "params.yaml").is_file():
            return folder
    raise DatamallError(
        f"No Datamall project at or above {here}: go to the folder that holds params.yaml "
        "and data/contracts, and try again."
    )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put(path: Path, text: str) -> None:
    """Put a file of text in its place, whole or not at all; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.partial")
    aside.write_text(text, encoding="utf-8", newline="\n")
    aside.replace(path)


def raw_folder(root: Path, authority: str) -> Path:
    """Return the folder with the raw files of an authority."""
    return root / "data" / "raw" / authority


def store_folder(root: Path, authority: str, store: str) -> Path:
    """Return the folder of one store, e.g. ``data/stores/demo/enforcement.containers``."""
    return root / "data" / "stores" / authority / store


def reports_folder(root: Path, authority: str) -> Path:
    """Return the folder of the pages: ``reports`` for the demo, ``reports/<name>`` for others."""
    return root / "reports" if authority == "demo" else root / "reports" / authority


@dataclass(frozen=True)
class Report:
    """What params.yaml says of a report: its purposes and package, and of an audit more.

    Attributes
    ----------
    purposes, package
        What its notebook may check out, and the package that it belongs to.
    audit
        Whether each run is written down in data/audits.
    worklist
        The purpose for which people are listed behind the gate of an audit, if they are.
    hands_over
        Whether a result of its page is a delivery of a store (``result_of`` in a mapping), so that
        it runs before the reports that use this store.
    of, each
        Of a report that makes a page for each place of another report: that report, whose results
        it shows, and the parameter that names the place. Its purposes are then those of whose data
        it shows; its kernel gets the results alone.
    limits
        The table whose rows are checked against a limit (`datamall.limits`), if there is one.
    """

    purposes: tuple[str, ...]
    package: str
    audit: bool = False
    worklist: str | None = None
    hands_over: bool = False
    of: str | None = None
    each: str | None = None
    limits: str | None = None


def load_parameters(root: Path) -> dict[str, Any]:
    """Return params.yaml, with every report's section, purposes and package checked.

    Raises
    ------
    DatamallError
        When the file is no valid YAML or a section has another shape than the pipeline needs.
    """
    from datamall.written import read_as
    from datamall.yamlfile import PLAN_TEXTS, load_mapping

    parameters = load_mapping(root / "params.yaml", "params.yaml", PLAN_TEXTS)
    if not isinstance(parameters.get("reports"), dict):
        raise DatamallError("params.yaml has no section `reports` with one entry per notebook.")
    for name, about in parameters["reports"].items():
        report = read_as(Report, about, f"params.yaml: reports.{name}")
        if (
            (report.of is None) != (report.each is None)
            or report.of == name
            or (report.of is not None and report.of not in parameters["reports"])
        ):
            raise DatamallError(
                f"params.yaml: reports.{name}: a page for each place needs `of`, another report, "
                "and `each`, the parameter that names the place; give both or neither."
            )
        if not isinstance(parameters.get(name), dict):
            raise DatamallError(
                f"params.yaml: the section `{name}` must hold one `name: value` per parameter of "
                f"notebooks/{name}.ipynb."
            )
    return parameters


def by_place(root: Path) -> list[str]:
    """Return the reports that make a page for each place, in folders of their names.

    None where params.yaml cannot be read: what is sealed does not wait for that.
    """
    try:
        reports = load_parameters(root)["reports"]
    except (DatamallError, OSError):
        return []
    return [name for name, about in reports.items() if about.get("of")]
