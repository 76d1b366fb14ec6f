from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

OF_DETECTORS = {"role", "completeness", "speed", "occupancy"}


def test_help_names_every_command(tmp_path: Path, cli: Callable) -> None:
    done = cli(tmp_path, "--help")
    assert done.returncode == 0
    for command in (
        "audit",
        "demo",
        "fetch",
        "parameters",
        "inputs",
        "intake",
        "key",
        "check",
        "checkout",
        "report",
        "register",
        "gate",
        "decide",
        "morning",
        "redirect",
        "usage",
        "verify",
        "release",
        "diff",
        "worklist",
        "resolve",
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_check_tells_what_each_authority_can_run(root: Path, cli: Callable) -> None:
    demo, amsterdam = (cli(root, "check", name).stdout for name in ("demo", "open-data"))
    # What its detectors could tell beside what they count, they do not.
    # The demo gives its junctions in metres instead, as the contract allows, and of reports the
    # place that they are about, not their own position.
    lacking = {line.split()[0] for line in demo.splitlines() if line.endswith("not delivered")}
    # The demo's crews all end when their truck does; its plans are an indication of capacity.
    of_crossings = {"crossing_length", "conflicts"}
    of_places = {"latitude", "longitude", "x", "y"}
    assert lacking <= {*of_places, "shift_end", *of_crossings, *OF_DETECTORS}
    gaps = [line for line in demo.splitlines() if "Not possible here" in line]
    assert gaps and all("enforcement.reports.x" in line for line in gaps)
    # Every report once, and those of one package together, since they share chapters.
    of = "Chapters of "
    headings = [line.removeprefix(of) for line in demo.splitlines() if line.startswith(of)]
    reports = yaml.safe_load((root / "params.yaml").read_text("utf-8"))["reports"]
    assert sorted(" and ".join(headings).split(" and ")) == sorted(reports)
    assert len(headings) == len({about["package"] for about in reports.values()})
    assert "  What is open to all" in demo
    assert "full             not delivered" in amsterdam
    assert "observer_role    one value for all rows" in amsterdam
    assert "Not possible here" in amsterdam
    assert "runs" in amsterdam


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("reports:", "reports: [", "params.yaml is not valid YAML"),
        ("    purposes: [enforcement]", "", "reports.enforcement: purposes is missing"),
        ("enforcement:\n  confidence", "elsewhere:\n  confidence", "section `enforcement`"),
        ("  top: 100", "  top: many", "top"),
        ("  top: 100", "  tops: 100", "tops"),
        ("  top: 100", "  \"x=open('PWNED','w') or 1;zz\": 1", "zz"),
        ("purposes: [enforcement]", "purposes: [curiosity]", "curiosity"),
    ],
)
def test_mistakes_in_params_are_one_sentence(
    project: Path, cli: Callable, old: str, new: str, sentence: str
) -> None:
    path = project / "params.yaml"
    right = path.read_text("utf-8")
    assert old in right
    try:
        path.write_text(right.replace(old, new), encoding="utf-8")
        done = cli(project, "report", "enforcement")
    finally:
        path.write_text(right, encoding="utf-8")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert sentence in done.stderr
    assert not list(project.rglob("PWNED"))


def test_a_refused_checkout_leaves_no_folder(root: Path, tmp_path: Path, cli: Callable) -> None:
    done = cli(root, "checkout", "curiosity", str(tmp_path / "new"))
    assert done.returncode == 1
    assert not (tmp_path / "new").exists()


def test_trouble_with_the_disk_is_one_sentence(root: Path, cli: Callable) -> None:
    done = cli(root, "demo", "--truth", "/dev/null/truth")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
