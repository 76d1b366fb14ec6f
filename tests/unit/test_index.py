"""The first page: answers, the verdict of the audit in words, and what is not known."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from accessible_page import Page, check

from datamall.reporting import index, tables

SENTENCE = "60 stops are expected to avoid 31 dirty inspections (90 % interval 24 to 39)."
RECORD: dict[str, Any] = {
    "title": "Waste & containers", "question": "Where?", "sentence": SENTENCE, "verdict": None,
    "caution": "**Do not conclude** that neighbours are bad.", "evidence": [],
    "authority": "Demo city", "synthetic": True, "first_day": "2025-01-02",
    "last_day": "2025-10-29", "not_delivered": [],
}  # fmt: skip
REPORTS = {
    "enforcement": {"purposes": ["enforcement"], "package": "enforcement"},
    "audit": {"purposes": ["audit"], "package": "fraud"},
    "a_traffic": {"purposes": ["traffic"], "package": "traffic"},
}
GATE: dict[str, Any] = {
    "report": "audit", "open": False, "reasons": ["Only <PASS> opens the gate."],
    "verdict": "NOT ENOUGH EVIDENCE", "plan": "abc", "data": "def",
    "registered_by": "ethics committee", "audits_since_registration": 3, "other_plans_tried": 2,
    "versions_of_data": 1,
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "authorities"
    folder.mkdir(parents=True)
    (folder / "demo.yaml").write_text("{title: Demo city, synthetic: true, description: Made.}")
    return tmp_path


@pytest.fixture
def out(project: Path) -> Path:
    parameters = {"reports": REPORTS, **{name: {} for name in REPORTS}}
    (project / "params.yaml").write_text(json.dumps(parameters))
    folder = project / "reports"
    gap = {"name": "roles", "chapter": "Roles", "reason": "Not possible here: one role."}
    for name, gaps in (("enforcement", [gap]), ("a_traffic", []), ("removed", [gap])):
        results = folder / "results" / name
        results.mkdir(parents=True)
        (results / "answer.json").write_text(json.dumps({**RECORD, "title": f"About {name}"}))
        (results / "absent.json").write_text(json.dumps(gaps))
    (folder / "quality").mkdir()
    reasons = {"too-high": 45, "range:x": 9, **{f"rare:{k}": 1 for k in range(9)}}
    quality = {"parsed": 12345, "accepted": 12282, "quarantined": 63, "reasons": reasons}
    (folder / "quality" / "enforcement.inspections.json").write_text(json.dumps(quality))
    return folder


def first_page(project: Path, out: Path) -> Page:
    return check(index.write(project, "demo", out).read_text("utf-8"))


def section(page: Page, name: str) -> str:
    """Return the text of a section of the first page, with one space between words."""
    found = re.search(f'<section[^>]* aria-labelledby="{name}">(.*?)</section>', page.html, re.S)
    assert found
    return re.sub(r"\s+", " ", Page(found.group(1)).text)


def test_first_page_holds_steps_answers_gaps_and_quality(project: Path, out: Path) -> None:
    page = first_page(project, out)
    links = [link["href"] for link in page.all("a")]
    assert {"enforcement.html", "a_traffic.html", "enforcement.html#roles"} <= set(links)
    assert "quality/enforcement.inspections.json" in links
    for text in (*index.STEPS, SENTENCE, "Data from 2 January to 29 October 2025", "12,345"):
        assert text in page.text
    assert "too high 45, range: x 9, rare: 0 1" in page.text
    assert "and 5 more reasons" in page.text
    assert "that neighbours are bad" in section(page, "caution")
    before = (out / "index.html").read_bytes()
    first_page(project, out)
    assert (out / "index.html").read_bytes() == before
    assert not list(out.glob("*.partial"))


def test_answers_come_in_the_order_of_params_and_of_no_other_report(
    project: Path, out: Path
) -> None:
    page = first_page(project, out)
    answers = section(page, "answers")
    assert answers.index("About enforcement") < answers.index("About a_traffic")
    assert "About removed" not in page.text
    assert answers.count("Enforcement") == answers.count("Traffic") == 1
    # A report that was never made is said to be missing.
    assert "audit. This report has not been made here" in section(page, "absent")


def test_a_use_case_has_a_name_for_people(project: Path, out: Path) -> None:
    (out / "results" / "a_traffic").rename(out / "results" / "audit")
    assert "Fraud prevention" in section(first_page(project, out), "answers")


def test_without_a_gate_the_first_page_says_that_nobody_audited(project: Path, out: Path) -> None:
    text = section(first_page(project, out), "gate")
    assert "No: nobody has audited here" in text
    assert "nothing is known about fairness" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["the gate is closed", "not enough evidence", "not a finding of fairness"]),
        ({"verdict": "FAIL"}, ["the gate is closed", "evidence that at least one gap"]),
        ({"verdict": None}, ["the gate is closed", "nothing is known about fairness"]),
        (
            {"verdict": "PASS", "open": True, "reasons": []},
            [
                "The gate is open, and only a decision signed by two people",
                "signed by two people",
                "every gap between groups",
            ],
        ),
        ({"registered_by": None}, ["has not been registered by anybody", "so far: 3"]),
        ({"registered_by": "council"}, ["beforehand by the council", "since then: 3"]),
    ],
)
def test_the_gate_in_words(
    project: Path, out: Path, changes: dict[str, Any], said: list[str]
) -> None:
    gate = GATE | changes
    (out / "gate.json").write_text(json.dumps(gate))
    text = section(first_page(project, out), "gate")
    for words in (*said, *gate["reasons"], "other plans tried on the same data: 2"):
        assert words in text
    assert ("every gap between groups" in text) is (gate["verdict"] == "PASS")


@pytest.mark.parametrize("verdict", tables.VERDICTS)
def test_the_verdict_of_an_audit_stands_by_its_answer_in_words(
    project: Path, out: Path, verdict: str
) -> None:
    results = out / "results" / "enforcement"
    record = json.loads((results / "answer.json").read_text())
    (results / "answer.json").write_text(json.dumps(record | {"verdict": verdict}))
    text = section(first_page(project, out), "answers")
    assert f"Verdict: {verdict.lower()}. {index.VERDICTS[verdict]}" in text
    if verdict != "PASS":
        assert "is within what was agreed" not in text


def test_chapters_that_could_not_run_are_one_row_per_reason(project: Path, out: Path) -> None:
    reason = "Not possible here: the authority does not deliver " + " and ".join(
        f"traffic.junctions.column{k}" for k in range(88)
    )
    gaps = [{"name": f"g{k}", "chapter": f"Chapter {k}", "reason": reason} for k in range(9)]
    gaps.append({"name": "roles", "chapter": "Roles", "reason": "Another <reason>."})
    (out / "results" / "a_traffic" / "absent.json").write_text(json.dumps(gaps))
    page = first_page(project, out)
    text = section(page, "absent")
    assert text.count("Not possible here: the authority does not deliver") == 1
    assert "(in full on its page)" in text and "column80" not in text
    assert "Chapter 5; and 3 more" in text and "Chapter 6" not in text
    assert "Another <reason>." in text
    assert "a_traffic.html#g0" in [link["href"] for link in page.all("a")]


def test_first_page_without_reports(project: Path, out: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    page = first_page(project, empty)
    assert "No report has been made yet." in page.text
    assert "Every chapter" not in page.text


def test_pages_of_places_are_told_with_the_report_they_are_part_of(
    project: Path, out: Path
) -> None:
    corners = {"purposes": ["traffic"], "package": "traffic", "of": "a_traffic", "each": "site"}
    parameters = json.loads((project / "params.yaml").read_text("utf-8"))
    parameters["reports"]["corners"], parameters["corners"] = corners, {}
    (project / "params.yaml").write_text(json.dumps(parameters))
    (out / "results" / "corners").mkdir()
    answers = out / "results" / "corners" / "answers.json"
    for number in (0, 2):
        answers.write_text(json.dumps([{"site": f"K{k}"} for k in range(number)]))
        page = first_page(project, out)
        assert ("One page for each site: 2" in page.text) == (number == 2)
        links = [about.get("href") for tag, about in page.tags if tag == "a"]
        assert ("a_traffic.html#corners" in links) == (number == 2)
        # It is no report that could be missing, nor one with an answer of its own.
        assert "corners." not in section(page, "absent")
