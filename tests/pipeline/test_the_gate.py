"""The gate opens for a fair city that registered its plan, and for nothing that was tried later."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from datamall.demo import welfare
from datamall.demo.welfare import WelfareWorld

STORE, INVESTIGATIONS = "welfare.audit_counts", "welfare.investigations"
AUDIT = "fraud_audit"


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

    return runner(project, cli, name)


def runner(project: Path, cli: Callable, name: str) -> Callable[..., str]:
    """Return what runs commands for an authority that have to succeed."""

    def run(*arguments: str) -> str:
        done = cli(project, *arguments, "--authority", name)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def refused(project: Path, cli: Callable, name: str, *arguments: str) -> str:
    done = cli(project, *arguments, "--authority", name)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stdout + done.stderr
    return done.stderr


def events(project: Path, event: str) -> list[dict]:
    lines = (project / "data" / "log" / "entries.log").read_text("utf-8").splitlines()
    said = [json.loads(line.partition(" ")[2]) for line in lines]
    return [one for one in said if one["event"] == event]


@pytest.mark.slow
def test_behind_the_gate_of_a_fair_city_two_people_let_a_list_be_made(
    project: Path, cli: Callable, tmp_path: Path
) -> None:
    """The walk of docs/the-decision.md."""
    city, listed = "fair-city", tmp_path / "list"
    run = runner(project, cli, city)

    def gate() -> dict:
        assert "The gate of fraud_audit is" in run("gate", AUDIT)
        return json.loads((project / "reports" / city / "gate.json").read_text("utf-8"))

    made = cli(project, "demo", "--fair")
    assert made.returncode == 0, made.stderr
    for store in (INVESTIGATIONS, STORE):
        run("intake", store)
    run("register", AUDIT, "--by", "ethics committee", "--reason", "As discussed with clients.")
    run("report", AUDIT)
    decided = gate()
    assert decided["verdict"] == "PASS" and decided["open"], decided["reasons"]
    assert decided["audits_since_registration"] == 1

    # Before it opened the verdict was counted again, at the door.
    log = (project / "data" / "log" / "entries.log").read_text("utf-8")
    assert '"occasion":"gate of fraud_audit","outcome":"granted"' in log

    # An open gate alone makes no list, nor does the signature of one.
    make = ("worklist", AUDIT, str(listed), "--by", "desk")
    assert "(no-decision)" in refused(project, cli, city, *make)
    assert "1. The selection as it is: May be put to the committee" in run("decide", AUDIT)
    choices = ("--about", "1", "--until", "2099-12-31", "--permits", "worklist")
    run("decide", AUDIT, "--by", "steward", *choices, "--condition", "A letter comes first.")
    assert "(lacks-signature)" in refused(project, cli, city, *make)
    assert not listed.exists()
    run("decide", AUDIT, "--sign", "1", "--by", "committee")

    assert "people are on the list" in run(*make)
    head, *lines = (listed / "worklist.csv").read_text("ascii").splitlines()
    people = pd.read_csv(project / "data" / "raw" / city / "investigations.csv")
    wanted = people[people["flagged"].eq("yes") & people["chosen"].eq("no")]["client"]
    assert head == "pseudonym" and len(set(lines)) == len(lines) == len(wanted) > 1000
    resolve = ("resolve", AUDIT, lines[0], "--by")
    assert "(made-the-list)" in refused(project, cli, city, *resolve, "desk")
    assert run(*resolve, "caseworker").strip() in set(wanted)
    said = [(one["outcome"], one.get("reason")) for one in events(project, "worklist")]
    assert said == [("refused", "no-decision"), ("refused", "lacks-signature"), ("granted", None)]
    said = [(one["outcome"], one["role"]) for one in events(project, "resolve")]
    assert said == [("refused", "desk"), ("granted", "caseworker")]

    # What came of it is written back, and the page shows it; the results are the same bytes.
    run("decide", AUDIT, "--came-of", "1", "--by", "steward", "--text", "Ten letters were sent.")
    page = project / "reports" / city / "fraud_audit.html"
    results = {path: path.read_bytes() for path in (page.parent / "results" / AUDIT).iterdir()}
    assert "Nothing has been decided" in page.read_text("utf-8")
    run("report", AUDIT)
    html = page.read_text("utf-8")
    for text in ("A letter comes first.", "signed by committee and steward", "Ten letters were"):
        assert text in html
    assert "it does not count" not in html
    changed = {path.name for path, content in results.items() if path.read_bytes() != content}
    assert changed == {"provenance.json"}
    assert "decisions: 2 files as signed" in run("verify")
    assert "people are on the list" in run(*make[:2], str(tmp_path / "again"), "--by", "desk")
    again = tmp_path / "again" / "worklist.csv"
    assert again.read_bytes() == (listed / "worklist.csv").read_bytes()

    # A wider tolerance passes as well, and opens nothing.
    parameters = project / "params.yaml"
    text = parameters.read_text("utf-8")
    assert text.count("within: 1.11") == 2
    # The caseworker may choose twice as many of one group as of another.
    parameters.write_text(text.replace("within: 1.11", "within: 2.0", 1), "utf-8")
    run("report", AUDIT)
    decided = gate()
    assert not decided["open"] and decided["verdict"] == "PASS"
    assert "(gate-closed)" in refused(project, cli, city, *resolve, "caseworker")
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


@pytest.mark.slow
def test_in_the_demo_not_to_deploy_is_signed_which_is_a_normal_end(
    project: Path, cli: Callable, tmp_path: Path
) -> None:
    run = runner(project, cli, "demo")
    assert cli(project, "demo").returncode == 0
    for store in (INVESTIGATIONS, STORE):
        run("intake", store)
    run("report", AUDIT)
    run("gate", AUDIT)
    assert "1. The selection as it is: Do not deploy" in run("decide", AUDIT)
    run("decide", AUDIT, "--about", "1", "--by", "steward", "--until", "2099-12-31")
    run("decide", AUDIT, "--sign", "1", "--by", "committee")
    run("report", AUDIT)
    html = (project / "reports" / "fraud_audit.html").read_text("utf-8")
    assert "<dt>Decided</dt><dd>Do not deploy</dd>" in html and "does not count" not in html
    sentence = refused(project, cli, "demo", "worklist", AUDIT, str(tmp_path / "x"), "--by", "desk")
    assert "(gate-closed)" in sentence and "No decision on fraud_audit of demo permits" in sentence
