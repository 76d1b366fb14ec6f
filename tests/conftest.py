"""Fixtures that every test may use."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with real public data and published values, or skip."""
    folder = ROOT.parent / "shared"
    if not (folder / "truth" / "external_truth.json").is_file():
        pytest.skip("needs the folder ../shared with real public data and published values")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project as git would see it, without data, stores or history.

    One for each file of tests: what one leaves behind (a page that failed) is not found by another.
    """
    folder = tmp_path_factory.mktemp("project")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    return folder


def datamall(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder, as a user would."""
    return subprocess.run(
        [Path(sys.executable).with_name("datamall"), *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def cli(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the command line in a folder."""
    log = tmp_path_factory.mktemp("log")

    def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        # What tests do in this very project is no use of it.
        own = {"DATAMALL_LOG": str(log)} if folder == ROOT else {}
        return datamall(folder, *arguments, **own | environment)

    return run
