"""Killed two hundred times over intake, checkout, report, decide and release: nothing is lost.

A process forks one for each command, so that most of a command's time is its work and not its
imports, and is told when it is over. Each command is killed at a random moment of the time that it
took when it ran to its end. The next command of any kind then clears what was left.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest
import yaml
from released_mall import STORE as SELECTED
from released_mall import make_released

from datamall import decisions, releases
from datamall.mall import remains
from datamall.mall.authorities import load_authority
from datamall.mall.log import logbook
from datamall.mall.seal import keys, seals
from datamall.project import file_digest
from datamall.release_checks import SEALED

WHO = b"PERSOON"
STORE = "welfare.protected"
RUN = """
import json, os, sys
from datamall import gate, provenance, release_checks, recount
from datamall.cli import main
from datamall.fraud.audit import knowledge
import datamall.mall.intake, datamall.mall.kernel, datamall.reporting.notebooks, datamall.releases
import datamall.deciding, datamall.reporting.index, papermill, ipykernel, duckdb

def rests_on(root, authority, name):
    path = root / "reports" / "results" / name / "provenance.json"
    return json.loads(path.read_text()) if path.is_file() else {}

provenance.provenance = release_checks.provenance = rests_on
release_checks.attacked = lambda *given: []
written = lambda root, *given: json.loads((root / "reports" / "gate.json").read_text())
gate.decide = gate.record = written
for line in sys.stdin:
    child = os.fork()
    if not child:
        sys.argv = ["datamall", *json.loads(line)]
        sys.stdin = open(os.devnull)
        os.dup2(2, 1)
        try:
            main()
        except SystemExit as end:
            os._exit(end.code or 0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
NOTEBOOK = """from datamall.mall.door import extract
from datamall.reporting import show

data = extract("enforcement")
show(data["enforcement.containers"][["cluster", "kind"]], name="places", caption="Places")
"""


class Forks:
    """Commands in processes of their own, which can be killed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def run(self, *command: str, delay: float | None = None) -> tuple[int, float]:
        """Return how a command ended, and after how many seconds; killed after a delay."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        child, start = int(self.process.stdout.readline()), time.perf_counter()
        if delay is not None:
            time.sleep(delay)
            with suppress(ProcessLookupError):  # it was done before
                os.kill(child, signal.SIGKILL)
        return int(self.process.stdout.readline()), time.perf_counter() - start


@contextmanager
def forks(project: Path, temporary: Path) -> Iterator[Forks]:
    with (
        (temporary.parent / "said").open("w") as said,
        subprocess.Popen(
            [sys.executable, "-c", RUN],
            cwd=project,
            env=os.environ | {"TMPDIR": str(temporary)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        yield Forks(process)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    made = make_released(tmp_path / "project")
    raw = made / "data" / "raw" / "demo"
    raw.mkdir(parents=True)
    lines = [f"PERSOON{n:05};Europa;andere;nee" for n in range(4000)]
    (raw / "beschermd.csv").write_text(
        "\n".join(["Cliëntnummer;Herkomst;Nationaliteit;Beperking", *lines, ""]), "windows-1252"
    )
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Places\n\nWhere are they?"),
            nbformat.v4.new_code_cell(NOTEBOOK),
        ]
    )
    nbformat.write(notebook, made / "notebooks" / "places.ipynb")
    parameters = yaml.safe_load((made / "params.yaml").read_text("utf-8"))
    parameters["places"] = {}
    parameters["reports"]["places"] = {"purposes": ["enforcement"], "package": "enforcement"}
    (made / "params.yaml").write_text(yaml.safe_dump(parameters, sort_keys=False), "utf-8")
    audit = made / "reports" / "results" / "fraud_audit"
    (audit / "decisions.csv").write_text("part,recommended\nthe selection,Do not deploy\n")
    manifest = made / "data" / "stores" / "demo" / SELECTED / "store.json"
    rests_on = {f"store {SELECTED}": file_digest(manifest)}
    (audit / "provenance.json").write_text(json.dumps(rests_on))
    return made


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def in_plain(*folders: Path) -> list[Path]:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if WHO in path.read_bytes()]


@pytest.mark.slow
def test_nothing_is_lost_and_nobody_is_left_in_plain_text(project: Path, tmp_path: Path) -> None:
    temporary, raw = tmp_path / "t", project / "data" / "raw" / "demo" / "beschermd.csv"
    temporary.mkdir()
    store = project / "data" / "stores" / "demo" / STORE
    page = project / "reports" / "places.html"
    mapping = load_authority(project, "demo")
    known = keys.public(project, mapping)
    generator = random.Random(200)

    def command(name: str, number: int) -> tuple[str, ...]:
        decide = ("decide", "fraud_audit", "--about", "1", "--by", "steward")
        return {
            "intake": ("intake", STORE),
            "checkout": ("checkout", "enforcement", str(tmp_path / f"extract-{number}")),
            "report": ("report", "places"),
            "decide": (*decide, "--until", "2099-12-31"),
            "release": ("release", "--by", "steward"),
        }[name]

    times = {"intake": 60, "checkout": 50, "report": 30, "decide": 30, "release": 30}
    order = generator.sample([*times], counts=times.values(), k=200)
    lasted: dict[str, float] = {}
    killed = dict.fromkeys(times, 0)
    with forks(project, temporary) as forked:

        def whole(name: str, number: int) -> None:
            if name == "release":  # somebody looked at it all first
                for kind in SEALED:
                    seals.seal(project, mapping, kind, ["steward"])
            status, lasted[name] = forked.run(*command(name, number))
            assert status == 0, (name, (tmp_path / "said").read_text()[-2000:])

        for turn, name in enumerate(times):
            whole(name, turn)
        stored, made = content(store), page.read_bytes()
        assert len(stored) > 1 and in_plain(project, temporary) == [raw]
        for number, name in enumerate(order, 10):
            if name == "release":
                for kind in SEALED:
                    seals.seal(project, mapping, kind, ["steward"])
            delay = generator.uniform(0, lasted[name])
            status, _ = forked.run(*command(name, number), delay=delay)
            killed[name] += status == -signal.SIGKILL
            assert forked.run("usage")[0] == 0
            about = (name, number, delay)
            assert content(store) == stored, about
            assert page.read_bytes() == made, about
            assert in_plain(project, temporary) == [raw], about
            assert not in_plain(*remains.IN_MEMORY.glob(f"{remains.PREFIX}*")), about
            logbook.whole(project)
            decisions.kept(project, mapping, "fraud_audit")
            releases.verify(project, mapping, known)
            if number % 10 == 0:
                whole(name, 1000 + number)
                assert content(store) == stored and page.read_bytes() == made
    assert all(killed[name] > times[name] / 4 for name in times), killed
    entries = [entry.said["event"] for entry in logbook.read(project)]
    assert {"intake", "checkout", "decision", "release"} <= set(entries)
