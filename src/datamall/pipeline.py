"""Run the pipeline of an authority: the demo's own, or the same stages with another lock.

The demo's `dvc.yaml` and `dvc.lock` are in git. Every other authority gets a DVC project of its
own below ``data/authorities/<name>/``, ignored by git, whose `dvc.yaml` is written from the
demo's: so switching authority never touches the demo's lock (docs/decisions/0002).
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datamall.errors import DatamallError
from datamall.project import load_parameters
from datamall.yamlfile import dump, load_mapping

UP = Path("..", "..", "..")
OUTPUTS = ("outs", "metrics", "plots")
# Without version control, or DVC would refuse a pipeline that git ignores.
CONFIG = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"


def authorities(root: Path) -> list[str]:
    """Return the names of all authorities that have a mapping."""
    return sorted(path.stem for path in (root / "data" / "authorities").glob("*.yaml"))


def run(root: Path, authority: str, force: bool = False) -> None:
    """Reproduce the pipeline of an authority.

    Raises
    ------
    DatamallError
        When the authority is unknown or a stage fails (the stage has said why).
    """
    _check(root, authority)
    folder = root if authority == "demo" else prepare(root, authority)
    arguments = ["repro", *(["--force"] if force else [])]
    if dvc(arguments, folder) != 0:
        raise DatamallError(
            f"The pipeline of {authority} did not finish: mend what the stage above says, "
            "and run it again; what has succeeded is kept."
        )


def take_in(root: Path, authority: str, stores: Iterable[str]) -> None:
    """Take in those of some stores that are not up to date, and what they refer to.

    Raises
    ------
    DatamallError
        When the authority is unknown or a stage fails (the stage has said why).
    """
    _check(root, authority)
    demo = authority == "demo"
    folder = root if demo else prepare(root, authority)
    targets = [f"intake{'@' if demo else '-'}{store}" for store in stores]
    if targets and dvc(["repro", "--quiet", *targets], folder) != 0:
        raise DatamallError(
            f"Not all that arrived for {authority} could be taken in: mend what the stage above "
            "says, and run it again; the stores of yesterday stay."
        )


def write_parameters(root: Path, authority: str) -> None:
    """Write each section of params.yaml to ``data/parameters/<authority>/<section>.json``.

    JSON tells 8, 8.0, "8" and true apart, keeps the order of the lines and knows no comments: so a
    file changes exactly when what its section says has changed. The stages depend on these files.

    Raises
    ------
    DatamallError
        When the authority is unknown or params.yaml has a mistake; the files then stay.
    """
    _check(root, authority)
    sections = load_parameters(root)
    write_apart(root / "data" / "parameters" / authority, sections)


def write_apart(folder: Path, contents: Mapping[str, Any]) -> None:
    """Write each of some contents to ``<name>.json`` in a folder that then holds nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in contents.items():
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _check(root: Path, authority: str) -> None:
    if authority not in authorities(root):
        raise DatamallError(
            f"No authority called {authority!r}: there are {', '.join(authorities(root))}; "
            f"to add one, write data/authorities/{authority}.yaml (docs/add-an-authority.md)."
        )


def dvc(arguments: list[str], folder: Path) -> int:
    """Run DVC in a folder with this Python's environment; return its exit code."""
    here = str(Path(sys.executable).parent)
    environment = os.environ | {
        "PATH": here + os.pathsep + os.environ.get("PATH", ""),
        "DVC_NO_ANALYTICS": "1",
    }
    command = [sys.executable, "-m", "dvc", *arguments]
    if not sys.stdout.isatty():
        return subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    # Somebody waits: which stage of how many, and since when.
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, encoding="utf-8"
    ) as running:
        assert running.stdout is not None
        for line in numbered(running.stdout, stages(folder), time.monotonic):
            print(line, end="", flush=True)
    return running.returncode


def stages(folder: Path) -> int:
    """Return how many stages the pipeline in a folder has."""
    every = load_mapping(folder / "dvc.yaml", "dvc.yaml")["stages"].values()
    return sum(len(stage.get("foreach", "1")) for stage in every)


def numbered(lines: Iterable[str], count: int, clock: Callable[[], float]) -> Iterator[str]:
    """Yield what DVC prints, the line that begins a stage with its number and the time so far.

    Parameters
    ----------
    lines, count
        Lines of ``dvc repro``, and how many stages there are.
    clock
        Seconds since some moment.
    """
    start, number = clock(), 0
    for line in lines:
        if line.startswith(("Running stage '", "Stage '")):
            number += 1
            minutes, seconds = divmod(int(clock() - start), 60)
            line = f"[{number} of {count}, {minutes}:{seconds:02}] {line}"
        yield line


def prepare(root: Path, authority: str) -> Path:
    """Write an authority's own DVC project; return its folder."""
    folder = root / "data" / "authorities" / authority
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    # Where its audits are registered and counted, its deliveries and pages decided about and its
    # uses published: DVC wants the folders to be there.
    for kept in ("audits", "decisions", "deliveries", "usage"):
        (root / "data" / kept / authority).mkdir(parents=True, exist_ok=True)
    (folder / ".dvc" / "config").write_text(CONFIG, encoding="utf-8")
    demo = load_mapping(root / "dvc.yaml", "dvc.yaml")
    place = f"data/authorities/{authority}.yaml"
    stores = set(load_mapping(root / place, place).get("stores") or {})
    pipeline = derive(demo, authority, stores, root)
    (folder / "dvc.yaml").write_text(dump(pipeline), encoding="utf-8")
    return folder


def derive(demo: dict[str, Any], authority: str, stores: set[str], root: Path) -> dict[str, Any]:
    """Return the pipeline of another authority, derived from the demo's.

    The stage that makes the demo's raw files is left out, and so is the intake of stores that
    the authority does not deliver; paths lead three folders up; folders of code are spelled out
    file by file, because `.dvcignore` cannot keep byte code out of a folder above the project;
    nothing is cached, since outputs lie outside this DVC project.
    """
    values = {"authority": authority, "pages": f"reports/{authority}"}
    stages = {}
    for name, stage in demo["stages"].items():
        if name == "demo":
            continue
        each = stage.get("foreach", [""])
        for key, item in (each if isinstance(each, dict) else {v: v for v in each}).items():
            filled = _fill(stage.get("do", stage), values | {"key": key, "item": item})
            if (
                filled["cmd"].startswith("datamall intake ")
                and filled["cmd"].split()[2] not in stores
            ):
                continue
            folder = f"data/stores/{authority}/"
            filled["deps"] = [
                dep
                for dep in dict.fromkeys(filled["deps"])
                if not dep.startswith(folder) or dep.removeprefix(folder) in stores
            ]
            stages[f"{name}-{key}" if key else name] = _move(filled, root)
    return {"stages": stages}


def _fill(stage: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    text = json.dumps(stage)
    # The item first: it may name the authority itself.
    for name, value in sorted(values.items(), key=lambda value: value[0] != "item"):
        text = text.replace(f"${{{name}}}", value)
    filled: dict[str, Any] = json.loads(text)
    return filled


def _move(stage: dict[str, Any], root: Path) -> dict[str, Any]:
    moved = dict(stage)
    moved["deps"] = [f"{UP}/{file}" for dep in stage["deps"] for file in _files(dep, root)]
    for kind in OUTPUTS:
        if kind in stage:
            paths = [next(iter(out)) if isinstance(out, dict) else out for out in stage[kind]]
            moved[kind] = [{f"{UP}/{path}": {"cache": False, "persist": True}} for path in paths]
    return moved


def _files(dep: str, root: Path) -> list[str]:
    folder = root / dep
    if not dep.startswith("src/") or not folder.is_dir():
        return [dep]
    return sorted(
        str(path.relative_to(root))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
