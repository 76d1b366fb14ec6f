"""From a scratch notebook to the pipeline, by the text of docs/from-scratch-to-pipeline.md."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from nbclient import NotebookClient

from datamall.mall.kernel import behind_the_door
from datamall.reporting import strip

LANGUAGES = ("python", "yaml")


def blocks(guide: str) -> list[tuple[str, str]]:
    """Return (language, text) of every block of code, in order."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```", guide, re.DOTALL | re.MULTILINE)
    return [(language, dedent(text)) for _, language, text in found if language in LANGUAGES]


def notebook(text: str) -> nbformat.NotebookNode:
    """Return a notebook of cells that are written apart by lines of ``# %%``."""
    cells = []
    for kind, source in re.findall(r"^# %%(.*)\n((?:(?!# %%).*\n)*)", text, re.MULTILINE):
        if "[markdown]" in kind:
            lines = [line.removeprefix("#").removeprefix(" ") for line in source.splitlines()]
            cells.append(nbformat.v4.new_markdown_cell("\n".join(lines).strip()))
        else:
            tags = {"tags": ["parameters"]} if "parameters" in kind else {}
            cells.append(nbformat.v4.new_code_cell(source.strip(), metadata=tags))
    return nbformat.v4.new_notebook(cells=cells)


def changed(folder: Path) -> dict[str, str]:
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    lines = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    return {line[3:]: line[:2].strip() for line in lines.splitlines()}


def commit(folder: Path) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "All"]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)


@pytest.mark.slow
def test_by_the_guide_from_scratch_to_the_index_page(
    project: Path, tmp_path: Path, cli: Callable
) -> None:
    folder = tmp_path / "project"
    skipped = shutil.ignore_patterns("raw", "stores", ".git", "__pycache__", "*.ipynb_checkpoints")
    shutil.copytree(project, folder, ignore=skipped)
    commit(folder)
    ours = {"PYTHONPATH": str(folder / "src")}
    assert cli(folder, "demo", **ours).returncode == 0
    enforcement = ("containers", "inspections", "reports", "actions")
    for store in (
        "shared.neighbourhoods",
        "shared.outlines",
        *(f"enforcement.{name}" for name in enforcement),
    ):
        assert cli(folder, "intake", store, **ours).returncode == 0

    guide = (folder / "docs" / "from-scratch-to-pipeline.md").read_text("utf-8")
    code = blocks(guide)
    # Exploring: a scratch notebook gets data by checkout, as in JupyterLab behind the door.
    scratch = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code[0][1])])
    client = NotebookClient(scratch, kernel_name="python3")
    client.config.update(behind_the_door(folder, "demo"))
    ran = client.execute()
    assert "cluster" in json.dumps(ran.cells[0].outputs)
    (folder / "notebooks" / "scratch").mkdir(exist_ok=True)
    nbformat.write(ran, folder / "notebooks" / "scratch" / "idea.ipynb")
    before = set(changed(folder))
    assert not [name for name in before if name.startswith("notebooks/")]  # scratch is ignored

    begin = next(i for i, (_, text) in enumerate(code) if text.startswith('"""Weeks:'))
    files = re.findall(r"^ *`(src/datamall/weeks/\w+\.py)`$", guide, re.MULTILINE)
    assert len(files) == 4
    for name, (_, text) in zip(files, code[begin:], strict=False):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    cells, section, entry, line = (text for _, text in code[begin + 4 :])
    made = folder / "notebooks" / "weeks.ipynb"
    nbformat.write(notebook(cells), made)
    strip.main([str(made)])
    parameters = (folder / "params.yaml").read_text("utf-8")
    parameters = parameters.replace("reports:\n", entry, 1) + "\n" + section
    (folder / "params.yaml").write_text(parameters, "utf-8")
    stages = (folder / "dvc.yaml").read_text("utf-8")
    place = "      enforcement: reports\n"
    assert stages.count(place) == 1
    stages = stages.replace(place, f"{place}      {line}")
    (folder / "dvc.yaml").write_text(stages, "utf-8")
    own = {"notebooks/weeks.ipynb", *files}
    assert set(changed(folder)) - before == own | {"params.yaml", "dvc.yaml"}

    # As `make test` would look at it, in a project that holds it.
    checks = [
        ["-m", "ruff", "check", "."],
        ["-m", "ruff", "format", "--check", "."],
        ["-m", "mypy"],
    ]
    checks.append(["-m", "datamall.reporting.strip", "--check", str(made)])
    tests = ("test_notebooks_are_thin", "test_requirements", "test_index", "test_inputs")
    named = [f"tests/unit/{name}.py" for name in tests]
    checks.append(["-m", "pytest", "-q", "-p", "no:cacheprovider", *named])
    for arguments in checks:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env=os.environ | ours,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    assert cli(folder, "inputs", "reports", **ours).returncode == 0
    here = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "report@weeks"]
    environment = os.environ | ours | {"PATH": here}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads((folder / "reports" / "results" / "weeks" / "answer.json").read_text())
    assert re.fullmatch(r"\d+ of 5[0-3] weeks lie outside the usual range\.", answer["sentence"])
    assert cli(folder, "index", **ours).returncode == 0
    assert answer["sentence"] in (folder / "reports" / "index.html").read_text("utf-8")
    assert "Share of inspections with waste, by week" in cli(folder, "check", "demo", **ours).stdout
