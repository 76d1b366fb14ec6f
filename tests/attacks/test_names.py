"""Whatever takes a name on the command line takes no path, and writes down that one was given."""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from tiny_mall import make_project

from datamall.cli import main
from datamall.cli_options import NAME
from datamall.mall.log import logbook

# What may be text: paths are types of their own, free words go into records and no path.
TEXT = {"by", "reason", "kind", "accepted", "withdrawn", "options"}
TEXT |= {"decided", "why", "conditions", "dissent", "text"}
TEXT |= {"pseudonym", "before", "after", "epoch"}  # compared with what there is
BAD = ["../x", "/etc", "a/b", "..", ".", "", "A", "DEMO", "a b", "demo\0", "demo\n", "file:x", "é"]
BAD += ["a" * 61, "-", "a..b", "a.b.c", "10; drop table", "' or 1=1"]


def parameters() -> list[tuple[str, click.Parameter]]:
    found = []
    for name, command in main.commands.items():
        for parameter in command.params:
            plain = isinstance(parameter.type, click.types.StringParamType)
            if plain or parameter.type is NAME:
                found.append((name, parameter))
    return found


def given(parameter: click.Parameter) -> str:
    """Return a value that an option takes."""
    if isinstance(parameter.type, click.DateTime):
        return datetime(2026, 1, 5).strftime(parameter.type.formats[0])
    return "x"


def test_every_parameter_that_is_text_is_a_name_or_free_text() -> None:
    names = {(command, p.name) for command, p in parameters() if p.type is NAME}
    assert len(names) > 25
    assert {p.name for _, p in parameters() if p.type is not NAME} <= TEXT


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("names") / "project")


@pytest.mark.parametrize(
    ("command", "parameter"),
    [
        pytest.param(command, p, id=f"{command} {p.name}")
        for command, p in parameters()
        if p.type is NAME
    ],
)
def test_a_path_is_no_name(
    project: Path, monkeypatch: pytest.MonkeyPatch, command: str, parameter: click.Parameter
) -> None:
    monkeypatch.chdir(project)
    before = {path for path in project.parent.rglob("*") if "log" not in path.parts}
    others = [p for p in main.commands[command].params if p.required and p is not parameter]
    options = [one for p in others if isinstance(p, click.Option) for one in (p.opts[0], given(p))]
    order = [p for p in main.commands[command].params if isinstance(p, click.Argument)]
    for bad in BAD:
        values = [bad if p is parameter else "x" for p in order]
        own = [] if parameter in order else [parameter.opts[0], bad]
        arguments = [command, *options, *own, "--", *values]
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 1, (bad, done.output)
        assert "cannot be the name" in done.stderr, (bad, done.stderr)
    assert {path for path in project.parent.rglob("*") if "log" not in path.parts} == before
    entries = [entry.said for entry in logbook.read(project)]
    assert [(e["event"], e["reason"]) for e in entries[-len(BAD) :]] == [
        ("request", "malformed")
    ] * len(BAD)


@pytest.mark.slow
def test_every_command_clears_what_a_killed_one_left(
    tmp_path: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    project = make_project(tmp_path / "project")
    code = (
        "import os, sys, signal; from datamall.mall.remains import Private\n"
        "for personal in (False, True):\n"
        "    left = Private(personal); (left.path / 'persons.txt').write_text('4711')\n"
        "    (left.path / 'closed').mkdir(0); print(left.path, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    for command in (["check", "demo"], ["usage"], ["parameters"]):
        child = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        folders = [Path(line) for line in child.stdout.split()]
        assert len(folders) == 2
        cli(project, *command)
        assert not any(folder.exists() for folder in folders), command
