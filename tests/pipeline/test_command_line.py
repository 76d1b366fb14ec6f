from collections.abc import Callable
from pathlib import Path

import pytest


def test_help_names_every_command(tmp_path: Path, cli: Callable) -> None:
    done = cli(tmp_path, "--help")
    assert done.returncode == 0
    for command in (
        "demo",
        "fetch",
        "intake",
        "check",
        "checkout",
        "report",
        "index",
        "run",
        "lab",
    ):
        assert f"\n  {command} " in done.stdout


def test_outside_a_project_one_sentence_says_where_to_go(tmp_path: Path, cli: Callable) -> None:
    done = cli(tmp_path, "check", "demo")
    assert done.returncode == 1
    assert done.stderr.startswith("datamall: No Datamall project at or above")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("report", "nothing"), "No report called 'nothing'"),
        (("run", "nowhere"), "No authority called 'nowhere'"),
        (("check", "nowhere"), "nowhere"),
        (("intake", "nothing.here"), "nothing.here"),
        (("checkout", "nothing", "{elsewhere}"), "nothing"),
        (("checkout", "enforcement", "inside"), "inside the project"),
    ],
)
def test_mistakes_are_one_sentence(
    root: Path, tmp_path: Path, cli: Callable, command: tuple[str, ...], sentence: str
) -> None:
    done = cli(root, *(part.format(elsewhere=tmp_path / "new") for part in command))
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (root / "inside").exists()


def test_truth_is_kept_out_of_the_project(root: Path, tmp_path: Path, cli: Callable) -> None:
    done = cli(root, "demo", "--truth", str(root / "data" / "truth"))
    assert done.returncode == 1
    assert not (root / "data" / "truth").exists()


def test_check_tells_what_each_authority_can_run(root: Path, cli: Callable) -> None:
    demo, amsterdam = (cli(root, "check", name).stdout for name in ("demo", "open-data"))
    assert "not delivered" not in demo
    assert "Not possible here" not in demo
    assert "full             not delivered" in amsterdam
    assert "observer_role    one value for all rows" in amsterdam
    assert "Not possible here" in amsterdam
    assert "runs" in amsterdam
