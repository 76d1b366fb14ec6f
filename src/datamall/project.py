"""Where things are in a project folder."""

from pathlib import Path

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


def raw_folder(root: Path, authority: str) -> Path:
    """Return the folder with the raw files of an authority."""
    return root / "data" / "raw" / authority


def store_folder(root: Path, authority: str, store: str) -> Path:
    """Return the folder of one store, e.g. ``data/stores/demo/enforcement.containers``."""
    return root / "data" / "stores" / authority / store


def reports_folder(root: Path, authority: str) -> Path:
    """Return the folder of the pages: ``reports`` for the demo, ``reports/<name>`` for others."""
    return root / "reports" if authority == "demo" else root / "reports" / authority
