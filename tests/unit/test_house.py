"""The plan of the house: who may import whom, one list of dependencies, no traces of a machine."""

import ast
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import yaml

from datamall.modules import of_notebook, reached
from datamall.project import file_digest
from datamall.provenance import RUNNING

# What belongs to no analysis. Every other package is one: it may import itself and fairness.
APART = {"mall", "fairness", "reporting", "demo", "tabular"}
NEUTRAL = {
    "attackers",
    "errors",
    "handed",
    "identifiers",
    "project",
    "rows",
    "small_numbers",
    "memory",
    "threads",
    "requirements",
    "imports",
    "written",
    "yamlfile",
}
READ_FILES = {"mall", "fairness"}  # may import tabular, which is neutral


@cache
def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("datamall.")}


def packages(root: Path) -> set[str]:
    return {path.parent.name for path in (root / "src" / "datamall").glob("*/__init__.py")}


def test_wings_do_not_know_each_other(root: Path) -> None:
    assert packages(root) > APART
    for wing in packages(root):
        allowed = NEUTRAL | {wing} | (set() if wing in APART else {"fairness"})
        allowed |= {"tabular"} if wing in READ_FILES else set()
        for path in (root / "src" / "datamall" / wing).rglob("*.py"):
            assert imported(path) <= allowed, path


def test_what_people_write_is_read_in_one_place(root: Path) -> None:
    """A reader beside it would take `NO` for false and the second of two keys."""
    for path in (root / "src").rglob("*.py"):
        if path.name != "yamlfile.py":
            assert not re.search(r"(import|from) (ruamel\.)?yaml\b", path.read_text("utf-8")), path


def test_only_the_command_line_imports_the_demo(root: Path) -> None:
    for path in (root / "src" / "datamall").rglob("*.py"):
        if path.name != "cli.py" and path.parent.name != "demo":
            assert "demo" not in imported(path), path


def test_reports_start_without_the_grammar_of_addresses() -> None:
    """It takes most of the time in which a report starts, and comes with jsonschema."""
    program = (
        "import sys, datamall.mall.contracts, datamall.reporting.notebooks\n"
        "assert 'jsonschema' in sys.modules and 'rfc3987_syntax.syntax_helpers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_environment_names_what_the_project_depends_on(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[<>=;\[ ]", line)[0] for line in project["dependencies"]}
    conda = yaml.safe_load((root / "environment.yml").read_text("utf-8"))["dependencies"]
    fixed = {"jupyterlab", "papermill", "pandas", "seaborn", "statsmodels", "fairlearn", "dvc"}
    assert fixed <= declared
    names = {line for line in conda if isinstance(line, str)}
    assert names == fixed | {"python=3.11", "git", "make", "pip"}
    assert conda[-1] == {"pip": ["-r requirements.lock"]}


def test_lock_holds_every_dependency_with_hashes_and_no_address(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    lock = (root / "requirements.lock").read_text("utf-8")
    locked = {line.split("==")[0].lower() for line in lock.splitlines() if "==" in line}
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    missing = {re.split(r"[<>=;\[ ]", line)[0].lower() for line in wanted} - locked
    assert not missing
    assert "://" not in lock
    assert lock.count("--hash=sha256:") > len(locked)


def test_nothing_in_git_names_a_machine_or_a_registry(root: Path) -> None:
    # The patterns are put together here so that this file does not hold them.
    paths = "/(" + "|".join(["tmp", "root", "work", "home/[a-z]+"]) + ")/"
    hosts = r"(pypi|pythonhosted|npmjs|debian)\." + "org"
    command = ["git", "grep", "-nIE", f"{paths}|{hosts}", "--", ":!*.lock", ":!LICENSE"]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_guard_finds_large_files_and_private_keys(tmp_path: Path) -> None:
    from datamall.guard import complaints

    large, key, good = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    large.write_bytes(b"0" * 1_000_001)
    key.write_text("-----BEGIN " + "RSA PRIVATE KEY-----\n")
    good.write_text("fine\n")
    assert [sentence.split()[0] for sentence in complaints([large, key, good])] == [
        str(large),
        str(key),
    ]


def test_every_tracked_file_passes_the_guard(root: Path) -> None:
    from datamall.guard import complaints

    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    )
    assert complaints([root / name for name in listed.stdout.splitlines()]) == []


def test_pages_are_those_of_these_files(root: Path) -> None:
    for path in sorted((root / "reports" / "results").glob("*/provenance.json")):
        rests_on = json.loads(path.read_text("utf-8"))
        stale = {
            name
            for name, digest in rests_on.items()
            if (root / name).is_file() and file_digest(root / name) != digest
        }
        notebook = of_notebook(root / "notebooks" / f"{path.parent.name}.ipynb")
        code = reached(root / "src" / "datamall", [*notebook, *RUNNING])
        stale |= {str(file.relative_to(root)) for file in code} - set(rests_on)
        assert not stale, "run make, look at the pages, and commit what it writes"


def test_lock_of_the_pipeline_is_that_of_these_files(root: Path) -> None:
    lock = yaml.safe_load((root / "dvc.lock").read_text("utf-8"))
    stale = {
        entry["path"]
        for stage in lock["stages"].values()
        for entry in stage["deps"]
        if (root / entry["path"]).is_file()
        and not entry["path"].startswith(("data/raw", "data/stores", "data/parameters", "reports"))
        and hashlib.md5((root / entry["path"]).read_bytes()).hexdigest() != entry["md5"]
    }
    assert not stale, "run make, look at the pages, and commit what it writes"


def test_proofs_are_those_of_these_files(root: Path) -> None:
    """What a clone would make again, and find changed, is noticed before anybody clones."""
    dvc = Path(sys.executable).with_name("dvc")
    told = subprocess.run(
        [dvc, "status", "proofs/dvc.yaml", "--json"],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(told.stdout) == {}, "run make proofs, and commit what it writes"
