"""`datamall checkout`: a folder holds a whole extract or what it held before."""

import shutil
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_mall import make_project

from datamall.cli import main


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = make_project(tmp_path / "project")
    monkeypatch.chdir(made)
    return made


def test_an_extract_is_for_its_owner_alone(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "new"
    done = CliRunner().invoke(main, ["checkout", "enforcement", str(target)])
    assert done.exit_code == 0, done.output
    assert (target / "enforcement.inspections" / "part-00000.parquet").is_file()
    assert (target / "extract.json").is_file()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (target, *target.rglob("*"))}
    assert modes == {0o600, 0o700}


@pytest.mark.parametrize("there", [True, False])
def test_one_that_breaks_off_leaves_nothing(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    target, move = tmp_path / "new", shutil.move
    if there:
        target.mkdir()

    def breaks_off(source: Path, place: Path) -> None:
        if source.name == "extract.json":
            raise OSError(28, "No space left on device", str(place))
        move(source, place)

    monkeypatch.setattr(shutil, "move", breaks_off)
    done = CliRunner().invoke(main, ["checkout", "enforcement", str(target)])
    assert done.exit_code == 1
    assert "No space left" in done.output
    assert target.exists() is there
    assert not there or list(target.iterdir()) == []
