"""Changes that plain DVC takes for up to date, and that the seal names and the log knows.

The control is DVC itself, on the same file in the same way: what it misses here it misses.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_mall import make_project

from datamall.mall.authorities import load_authority
from datamall.mall.log import logbook
from datamall.mall.seal import seals

STORE = "data/stores/demo/enforcement.containers"
PART = f"{STORE}/part-00000.parquet"


def dvc(project: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def flip(path: Path) -> None:
    content, mode = bytearray(path.read_bytes()), path.stat().st_mode
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(content))
    path.chmod(mode)  # an object of the cache that is read-only passes for whole


def same_size_and_time(project: Path) -> None:
    path = project / PART
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def another_object_in_the_cache(project: Path) -> None:
    whole = (project / PART).read_bytes()
    (found,) = (
        path
        for path in (project / ".dvc" / "cache").rglob("*")
        if path.is_file() and path.read_bytes() == whole
    )
    flip(found)
    (project / PART).unlink()
    dvc(project, "checkout", "--force")


def written_and_committed_anew(project: Path) -> None:
    flip(project / PART)
    dvc(project, "commit", "--force", STORE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack", [same_size_and_time, another_object_in_the_cache, written_and_committed_anew]
)
def test_what_dvc_misses_is_named_by_the_seal_and_in_the_log(
    tmp_path: Path,
    cli: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
    attack: Callable[[Path], None],
) -> None:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    project = make_project(tmp_path / "project")
    dvc(project, "init", "--no-scm", "--quiet")
    dvc(project, "config", "core.analytics", "false")
    dvc(project, "add", "--quiet", STORE)
    seals.seal(project, load_authority(project, "demo"), "stores", ["steward"])
    assert cli(project, "verify").returncode == 0
    whole = (project / PART).read_bytes()
    attack(project)
    assert (project / PART).read_bytes() != whole
    assert "up to date" in dvc(project, "status")
    done = cli(project, "verify")
    assert done.returncode == 1
    altered = rf"{STORE}(\.dvc|/part-00000\.parquet) was altered after stores were sealed"
    assert re.search(altered, done.stderr)
    # The door notices a store that is not the one taken in, too.
    assert "store-damaged" in cli(project, "checkout", "enforcement", str(tmp_path / "x")).stderr
    *_, noticed, refused = (entry.said for entry in logbook.read(project))
    assert (noticed["event"], noticed["outcome"]) == ("verify", "refused")
    assert (refused["event"], refused["reason"]) == ("checkout", "store-damaged")
