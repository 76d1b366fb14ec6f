"""Fixtures that every test may use."""

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
