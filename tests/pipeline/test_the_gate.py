"""The gate opens for a fair city that registered its plan, and for nothing that was tried later."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from datamall.demo import welfare
from datamall.demo.welfare import WelfareWorld

STORE, AUDIT = "welfare.audit_counts", "fraud_audit"
# Large enough to show that nobody is treated otherwise: the demo's nine thousand are too few.
FAIR = replace(
    WelfareWorld(), clients=300_000, profile=27_000, signal=8_000, follow_up=5_000, random=60_000
).none()


@pytest.fixture
def project(project: Path, tmp_path: Path) -> Path:
    """Return a copy of one's own: parameters are changed in it, which others read."""
    return shutil.copytree(project, tmp_path / "project")


def town(project: Path, cli: Callable, name: str, world: WelfareWorld) -> Callable[..., str]:
    """Deliver the counts of a world as those of a town; return what runs commands for it."""
    people = welfare.people(5, world)
    counts = welfare.welfare_counts.count(people[people["year"] == 2025]).drop(columns="exact")
    folder = project / "data" / "raw" / name
    folder.mkdir(parents=True)
    counts.to_csv(folder / "counts.csv", index=False)
    mapping = {
        **{"authority": name, "title": name.title(), "synthetic": True},
        "files": {"counts": {"path": "counts.csv", "format": "csv", "encoding": "utf-8"}},
        "stores": {STORE: {"file": "counts", "columns": {name: {"from": name} for name in counts}}},
    }
    place = project / "data" / "authorities" / f"{name}.yaml"
    place.write_text(yaml.safe_dump(mapping), "utf-8")

    def run(*arguments: str) -> str:
        done = cli(project, *arguments, "--authority", name)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_a_fair_city_with_a_registered_plan_opens_it(project: Path, cli: Callable) -> None:
    run = town(project, cli, "fairtown", FAIR)

    def gate() -> dict:
        assert "The gate of fraud_audit is" in run("gate", AUDIT)
        return json.loads((project / "reports" / "fairtown" / "gate.json").read_text("utf-8"))

    run("intake", STORE)
    run("register", AUDIT, "--by", "ethics committee", "--reason", "As discussed with clients.")
    run("report", AUDIT)
    decided = gate()
    assert decided["verdict"] == "PASS" and decided["open"], decided["reasons"]
    assert decided["audits_since_registration"] == 1

    # Before it opened the verdict was counted again, at the door.
    log = (project / "data" / "log" / "entries.log").read_text("utf-8")
    assert '"occasion":"gate of fraud_audit","outcome":"granted"' in log

    # Even so no list is made: two people would have to sign, and cannot yet.
    refused = cli(project, "worklist", AUDIT, str(project.parent), "--authority", "fairtown")
    assert refused.returncode == 1 and "signed by two people" in refused.stderr
    assert "registered" not in refused.stderr

    # A wider tolerance passes as well, and opens nothing.
    parameters = project / "params.yaml"
    text = parameters.read_text("utf-8")
    assert text.count("within: 1.11") == 2
    # The caseworker may choose twice as many of one group as of another.
    parameters.write_text(text.replace("within: 1.11", "within: 2.0", 1), "utf-8")
    run("report", AUDIT)
    decided = gate()
    assert not decided["open"] and decided["verdict"] == "PASS"
    assert "checks.chosen.tolerance.within: 1.11 → 2.0" in decided["reasons"][0]
    assert decided["other_plans_tried"] == 1
    # Nor does it when it is registered afterwards: these data have been audited.
    run("register", AUDIT, "--by", "ethics committee", "--reason", "Wider.")
    decided = gate()
    assert not decided["open"] and "had been audited before" in decided["reasons"][0]


@pytest.mark.slow
def test_a_verdict_edited_by_hand_opens_nothing(project: Path, cli: Callable) -> None:
    """Neither alone nor with the journal and the gate's own file."""
    run = town(project, cli, "towny", WelfareWorld())
    run("intake", STORE)
    run("register", AUDIT, "--by", "ethics committee", "--reason", "As discussed with clients.")
    run("report", AUDIT)
    reports = project / "reports" / "towny"
    journal = project / "data" / "audits" / "towny" / "journal.csv"
    for path in (reports / "results" / AUDIT / "answer.json", journal):
        text = path.read_text("utf-8")
        assert "FAIL" in text
        path.write_text(text.replace("FAIL", "PASS"), "utf-8")
    run("gate", AUDIT)
    decided = json.loads((reports / "gate.json").read_text("utf-8"))
    assert not decided["open"]
    assert decided["reasons"] == [
        "The results say PASS, and counted again from the stores the verdict is FAIL: the results "
        "were changed. Find out by whom, and run `datamall report fraud_audit`."
    ]
