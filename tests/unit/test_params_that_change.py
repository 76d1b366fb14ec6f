"""A stage runs again when its parameters say something else, be it their type or their order."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from datamall.errors import DatamallError
from datamall.pipeline import write_parameters

# DVC asks a library for what that will no longer give.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

PARAMETERS = """\
demo: {seed: 2319}
city:
  neighbours: 8  # a reason
  weeks: 1
  level: 0.95
audit:
  checks: [{name: flagged, gating: true}]
reports:
  city: {purposes: [city], package: city}
  audit: {purposes: [audit], package: fraud, audit: true}
"""
Change = Callable[[str, str], list[str]]


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    """Return a project of parameters alone."""
    (tmp_path / "params.yaml").write_text(PARAMETERS, "utf-8")
    (tmp_path / "data" / "contracts").mkdir(parents=True)
    purposes = {name: {"stores": {}} for name in ("city", "audit")}
    (tmp_path / "data" / "purposes.yaml").write_text(yaml.safe_dump(purposes), "utf-8")
    (tmp_path / "data" / "authorities").mkdir()
    shutil.copy(root / "data" / "authorities" / "demo.yaml", tmp_path / "data" / "authorities")
    return tmp_path


@pytest.fixture
def change(root: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Return a function that edits params.yaml and says which stages ran, one a section."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.chdir(project)
    stages = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))["stages"]
    report, first = stages["report"], stages["inputs-of-reports"]
    first["deps"] = ["params.yaml"]
    report["foreach"] = {"city": "reports", "audit": "reports"}
    report["do"] = {"cmd": "echo ${key} >>ran", "deps": report["do"]["deps"]}
    pipeline = {"vars": [{"authority": "demo"}], "stages": {"inputs": first, "report": report}}
    (project / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False), "utf-8")
    Repo.init(no_scm=True).close()

    def run(old: str, new: str) -> list[str]:
        parameters, ran = project / "params.yaml", project / "ran"
        text = parameters.read_text("utf-8")
        assert text.count(old) >= 1
        parameters.write_text(text.replace(old, new, 1), "utf-8")
        ran.write_text("", "utf-8")
        with Repo() as repo:
            repo.reproduce()
        return sorted(ran.read_text("utf-8").split())

    return run


@pytest.mark.slow
def test_a_stage_runs_again_when_its_section_says_something_else(change: Change) -> None:
    assert change("demo", "demo") == ["audit", "city"]
    assert change("8  # a reason", "8.0  # another") == ["city"]
    assert change("8.0  #", "8.00  #") == []
    assert change("weeks: 1", "weeks: true") == ["city"]
    assert change("gating: true", "gating: 1") == ["audit"]
    assert change("weeks: true\n  level: 0.95", "level: 0.95\n  weeks: true") == ["city"]
    # To which package a report belongs is said on the index page alone.
    assert change("package: fraud", "package: city") == []


def test_dvc_itself_takes_them_for_equal(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason for the files of inputs: by DVC's own parameters no stage would notice."""
    monkeypatch.chdir(project)
    stages = {"report": {"cmd": "echo", "params": ["city.neighbours"]}}
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), "utf-8")
    Repo.init(no_scm=True).close()
    text = (project / "params.yaml").read_text("utf-8")
    status: list[Any] = []
    for value in ("1", "1.0", "true", "2"):
        (project / "params.yaml").write_text(text.replace("neighbours: 8", f"neighbours: {value}"))
        with Repo() as repo:
            if not status:
                repo.reproduce()
            status.append(repo.status())
    assert [bool(each) for each in status] == [False, False, False, True]


def test_sections_are_written_whole_or_not_at_all(project: Path) -> None:
    write_parameters(project, "demo")
    folder = project / "data" / "parameters" / "demo"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before["demo.json"] == b'{\n "seed": 2319\n}\n'
    (folder / "gone.json").write_text("a section that is no longer there")
    write_parameters(project, "demo")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (project / "params.yaml").write_text("reports: {a: b}")
    for authority, sentence in (("demo", "reports.a: write"), ("../demo", "No authority called")):
        with pytest.raises(DatamallError, match=sentence):
            write_parameters(project, authority)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
