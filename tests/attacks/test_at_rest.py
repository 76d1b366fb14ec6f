"""No person in plain text on the disk outside the raw files, also after a kill."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import Kernel
from tiny_mall import make_project

from datamall.mall import remains

STORE = "welfare.protected"
WHO = b"KLANT1"
# Killed at the moment when all rows are known and none is closed yet.
KILLED = """
import os, signal, sys
from pathlib import Path
from datamall.mall import closed_stores
from datamall.mall.intake import intake

def kill(root, mapping, contract, plain, folder, parts):
    assert all(path.parent == plain for path in parts) and len(parts) > 0
    print(plain, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

closed_stores.close = kill
intake(Path(sys.argv[1]), "demo", "welfare.protected")
"""

needs_memory = pytest.mark.skipif(
    not remains.in_memory(), reason="needs a place for files in memory (/dev/shm)"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = make_project(tmp_path / "project")
    raw = made / "data" / "raw" / "demo"
    raw.mkdir(parents=True)
    (raw / "people.csv").write_text("client,origin\nKLANT1,Europe\nKLANT2,Netherlands\n")
    columns = {name: {"from": name} for name in ("client", "origin")}
    mapping = {
        **{"authority": "demo", "title": "City", "synthetic": True, "description": "Made."},
        "files": {"people": {"path": "people.csv", "format": "csv"}},
        "stores": {STORE: {"file": "people", "columns": columns}},
    }
    (made / "data" / "authorities" / "demo.yaml").write_text(yaml.safe_dump(mapping))
    return made


def holding(*folders: Path) -> list[Path]:
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return [path for path in files if WHO in path.read_bytes()]


@pytest.mark.slow
@needs_memory
def test_an_intake_that_is_killed_leaves_no_plain_person(
    project: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        done = subprocess.run(
            [sys.executable, "-c", KILLED, project],
            env=os.environ | {"TMPDIR": temporary},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        left = Path(done.stdout.strip())
        assert left.is_relative_to(remains.IN_MEMORY)
        raw = project / "data" / "raw" / "demo" / "people.csv"
        assert holding(project, Path(temporary)) == [raw]
        assert cli(project, "check", "demo").returncode == 0
        assert not left.exists()
        assert cli(project, "intake", STORE).returncode == 0
        assert holding(project, Path(temporary)) == [raw]


@needs_memory
def test_what_may_be_about_persons_lies_in_memory_and_nothing_else_does(
    start: Callable[..., Kernel], mall: Path
) -> None:
    for purposes, inside in ((["fraud-profile"], True), (None, True), (["traffic", "mall"], False)):
        folder = start(mall, purposes=purposes).door.folder
        assert folder.is_relative_to(remains.IN_MEMORY) is inside, purposes


def test_connection_files_go_with_the_door(
    start: Callable[..., Kernel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    kernel = start()
    assert Path(kernel.manager.connection_file).is_relative_to(kernel.door.folder)
    assert "Errno" not in kernel.run("open('connection.json').read()").error
    kernel.client.stop_channels()
    kernel.manager.restart_kernel(now=True)
    kernel.connect()
    assert kernel.run("print(1)").printed == "1\n"
    assert list((tmp_path / "runtime").glob("*")) == []


@pytest.mark.parametrize("mark", [None, b"", b"mine"])
def test_a_folder_of_somebody_is_never_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: bytes | None
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = tmp_path / f"{remains.PREFIX}notes"
    own.mkdir()
    (own / "note.txt").write_text("mine")
    if mark is not None:
        (own / remains.MARK).write_bytes(mark)
    link = tmp_path / f"{remains.PREFIX}link"
    link.symlink_to(own)
    assert [folder for folder in remains.sweep() if folder.parent == tmp_path] == []
    assert (own / "note.txt").read_text() == "mine"


def test_a_folder_in_use_is_not_swept_and_one_with_closed_folders_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with remains.Private(personal=False) as private:
        (private.path / "x").mkdir(0)
        assert remains.sweep() == [] or private.path.exists()
        copied = tmp_path / f"{remains.PREFIX}left"
        copied.mkdir()
        (copied / remains.MARK).write_bytes(remains.SAYS)
        (copied / "x").mkdir()
        assert copied in remains.sweep()
        assert private.path.is_dir()
    assert list(tmp_path.iterdir()) == []
