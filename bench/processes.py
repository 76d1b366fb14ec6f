"""Run a program of this project, or of an earlier commit, and measure its time and memory."""

import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
WORK = ROOT / "bench" / ".work"
PAUSE = 0.2  # seconds between two looks at the memory; a look takes some ms of each process


@dataclass(frozen=True)
class Used:
    """What a program and all that it started used: wall and CPU seconds, megabytes at once."""

    seconds: float
    cpu: float
    megabytes: float


def tree(commit: str | None) -> Path:
    """Return a folder with the project as it was committed, or as it is here (None), anew.

    It has no data of its own but what is in git, so that a program finds there what is put there.
    """
    folder = WORK / (commit or "tree")
    remove(folder)
    folder.parent.mkdir(exist_ok=True)
    if commit:
        _git("worktree", "prune")
        _git("worktree", "add", "--quiet", "--detach", str(folder), commit)
    else:
        known = _git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
        for name in filter(None, known):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
    return folder


def remove(folder: Path) -> None:
    """Delete a folder that `tree` made."""
    shutil.rmtree(folder, ignore_errors=True)
    _git("worktree", "prune")


def run(folder: Path, *words: str) -> Used:
    """Run ``datamall`` in the tree at `folder` with that tree's own modules, and measure it.

    The memory is the largest sum, at any one look, over the program and all it started. Pages that
    several of them share are divided among them where the system says how many share one (Linux).
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(folder / "src")}
    command = [sys.executable, "-c", "from datamall.cli import main; main()", *words]
    start, most, before = time.perf_counter(), 0, resource.getrusage(resource.RUSAGE_CHILDREN)
    program = psutil.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    while program.poll() is None:
        most = max(most, _memory(program))
        time.sleep(PAUSE)
    if program.returncode:
        raise SystemExit(f"`datamall {' '.join(words)}` failed in {folder}.")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Used(time.perf_counter() - start, cpu, most / 1e6)


def _memory(program: psutil.Process) -> int:
    """Return the bytes that a program and all it started hold now."""
    total = 0
    try:
        for process in (program, *program.children(recursive=True)):
            held = process.memory_full_info()
            total += getattr(held, "pss", held.rss)
    except psutil.Error:  # it ended meanwhile
        return 0
    return total


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
