"""What the gate says and writes, to the word and to the byte."""

import json
from pathlib import Path

import pytest
import yaml

from datamall import gate
from datamall.errors import DatamallError
from datamall.provenance import canonical_digest, method_digest
from tests.unit.test_gate import AUDIT, CITY, Project, passes

NEVER_RUN = f"{AUDIT} has not been run: run `datamall report {AUDIT}`."
NO_PLAN = f"No plan of {AUDIT} has been registered for {CITY}."


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_the_gate_says_all_that_it_knows(project: Project) -> None:
    nothing = {
        "report": AUDIT,
        "open": False,
        "reasons": [NO_PLAN, NEVER_RUN],
        "verdict": None,
        "plan": canonical_digest({"tolerance": 1.25})[:12],
        "method": method_digest(project.root)[:12],
        "data": canonical_digest({"welfare.audit_counts": ["first"]})[:12],
        "registered_by": None,
        "audits_since_registration": 0,
        "other_plans_tried": 0,
        "versions_of_data": 0,
    }
    assert gate.decide(project.root, CITY, AUDIT, passes) == nothing
    for tolerance in (1.3, 1.4, 1.25):
        project.plan(tolerance=tolerance)
        project.audit("PASS")
    project.register()
    project.data("next year")
    assert project.audit("PASS") == nothing | {
        "open": True,
        "reasons": [],
        "verdict": "PASS",
        "data": canonical_digest({"welfare.audit_counts": ["next year"]})[:12],
        "registered_by": "ethics committee",
        "audits_since_registration": 1,
        "versions_of_data": 2,
    }
    project.data("first")
    decided = project.audit("PASS")
    assert (decided["audits_since_registration"], decided["other_plans_tried"]) == (1, 2)
    assert decided["reasons"] == [
        "These data had been audited before this plan was registered; a plan can only be tested on "
        "data that nobody had audited."
    ]


def test_each_reason_is_a_sentence(project: Project) -> None:
    project.register()
    project.audit("FAIL")
    assert project.audit("PASS")["reasons"] == [
        "The same plan and data gave FAIL and PASS: the method, or the mapping, was changed in "
        "between."
    ]
    assert project.audit("FAIL")["reasons"][0] == (
        "The verdict of the audit is FAIL; only PASS opens the gate."
    )
    project.plan(groups=["sex"])
    assert gate.decide(project.root, CITY, AUDIT, passes)["reasons"] == [
        "The plan was changed after it was registered: groups: absent → ['sex']; "
        "tolerance: 1.25 → absent. The committee has to register it anew.",
        f"The results of {AUDIT} are of another plan or method, or of other data: run `datamall "
        f"report {AUDIT}` again.",
    ]


def test_another_method_is_a_sentence_with_both_digests(project: Project) -> None:
    project.register()
    path = project.root / "src" / "datamall" / "fairness" / "verdict.py"
    path.parent.mkdir(parents=True)
    before = method_digest(project.root)
    path.write_text("LEVEL = 0.9\n", "utf-8")
    now = method_digest(project.root)
    sentence = (
        "The method that judges was changed after the plan was registered, or was not kept then "
        "({} → {}): the committee has to register the plan anew."
    )
    assert project.audit("PASS")["reasons"] == [sentence.format(before[:12], now[:12])]
    own = yaml.safe_load((project.audits / "register.yaml").read_text("utf-8"))
    text = yaml.safe_dump([{k: v for k, v in own[0].items() if k != "method"}])
    (project.audits / "register.yaml").write_text(text, "utf-8")
    assert project.audit("PASS")["reasons"] == [sentence.format("not kept", now[:12])]


def test_many_differences_are_counted(project: Project) -> None:
    own = {f"k{i}": 1 for i in range(10)}
    project.plan(**own)
    project.register()
    project.plan(**dict.fromkeys(own, 2))
    said = "; ".join(f"k{i}: 1 → 2" for i in range(8))
    assert gate.decide(project.root, CITY, AUDIT, passes)["reasons"][0] == (
        f"The plan was changed after it was registered: {said}; and 2 more. The committee has to "
        "register it anew."
    )
    project.plan(**dict(reversed(own.items())))
    order = f"order: {', '.join(own)} → {', '.join(reversed(own))}"
    assert (
        f"registered: {order}. The" in gate.decide(project.root, CITY, AUDIT, passes)["reasons"][0]
    )
    project.plan(**{name: 1 if name in ("k0", "k9") else 2 for name in own})
    said = "; ".join(f"k{i}: 1 → 2" for i in range(1, 9))
    assert (
        f"registered: {said}. The" in gate.decide(project.root, CITY, AUDIT, passes)["reasons"][0]
    )


def test_entries_are_told_apart_by_name_only_where_all_have_one(project: Project) -> None:
    project.plan(checks=[{"name": "flagged"}, {"within": 1}])
    project.register()
    project.plan(checks=[{"name": "flagged"}, {"within": 2}])
    assert (
        "registered: checks: [{'name': 'flagged'}, {'within': 1}] → [{'name': 'flagged'}, "
        "{'within': 2}]. The"
    ) in gate.decide(project.root, CITY, AUDIT, passes)["reasons"][0]


def test_what_is_no_audit_has_no_plan(project: Project) -> None:
    reports = {name: {"purposes": [name], "package": "fraud"} for name in (AUDIT, "traffic")}
    sections = {"reports": reports, AUDIT: {}, "traffic": {}}
    (project.root / "params.yaml").write_text(yaml.safe_dump(sections), "utf-8")
    with pytest.raises(DatamallError) as refused:
        gate.decide(project.root, CITY, "fraud", passes)
    assert str(refused.value) == (
        "No report called 'fraud' in params.yaml under reports: there are fraud_audit, traffic."
    )


def test_results_that_name_no_plan_and_no_verdict_are_counted_once(project: Project) -> None:
    project.audit("PASS")
    folder = project.root / "reports" / "results" / AUDIT
    (folder / "provenance.json").write_text("{}", "utf-8")
    (folder / "answer.json").write_text("{}", "utf-8")
    for _ in range(2):
        gate.record(project.root, CITY, AUDIT)
    last = gate.journal(project.root, CITY)
    assert [(run.plan, run.method, run.verdict) for run in last[1:]] == [("", "", "NO VERDICT")]


def test_journal_register_and_gate_are_kept_to_the_byte(project: Project) -> None:
    project.plan(groups=["één ouder"], tolerance=1.25)
    gate.register(project.root, CITY, AUDIT, " commissie ", "Zoals besproken – één keer. ")
    (project.root / "reports").mkdir()
    project.plan(groups=["één ouder"], tolerance=2.0)
    decided = gate.write(project.root, CITY, AUDIT, passes)
    assert "tolerance: 1.25 → 2.0" in decided["reasons"][0]
    project.plan(groups=["één ouder"], tolerance=1.25)
    assert (project.root / "reports" / "gate.json").read_bytes() == (
        json.dumps(decided, indent=1, ensure_ascii=False) + "\n"
    ).encode()
    method = method_digest(project.root)
    assert (project.audits / "register.yaml").read_bytes().decode() == (
        "- report: fraud_audit\n  by: commissie\n  reason: Zoals besproken – één keer.\n  runs: 0\n"
        f"  plan:\n    groups:\n    - één ouder\n    tolerance: 1.25\n  method: {method}\n"
    )
    assert gate.registrations(project.root, CITY)[0].plan["groups"] == ["één ouder"]
    project.audit("PASS\r\nné")
    plan = canonical_digest({"groups": ["één ouder"], "tolerance": 1.25})
    data = canonical_digest({"welfare.audit_counts": ["first"]})
    assert (project.audits / "journal.csv").read_bytes().decode() == (
        f'report,plan,method,data,verdict\nfraud_audit,{plan},{method},{data},"PASS\r\nné"\n'
    )
    assert gate.journal(project.root, CITY) == [gate.Run(AUDIT, plan, method, data, "PASS\r\nné")]


def test_what_cannot_be_put_in_place_leaves_the_old_and_says_which(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.register()
    project.audit("PASS")
    gate.write(project.root, CITY, AUDIT, passes)
    files = [*project.audits.iterdir(), project.root / "reports" / "gate.json"]
    before = {path: path.read_bytes() for path in files}
    project.plan(tolerance=2.0)

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    for work in (
        lambda: project.audit("FAIL"),
        project.register,
        lambda: gate.write(project.root, CITY, AUDIT, passes),
    ):
        with pytest.raises(OSError, match="no space"):
            work()
    assert {path: path.read_bytes() for path in files} == before
    for path in files:
        assert path.with_name(path.name + ".partial").is_file()


@pytest.mark.parametrize(
    "text",
    ["", "not a journal\n", "a,b,c,d,e\n", "report,plan,method,data,verdict\nfraud_audit,p\n"],
    ids=["empty", "text", "other columns", "a short line"],
)
def test_a_damaged_journal_is_one_sentence(project: Project, text: str) -> None:
    project.audits.mkdir(parents=True)
    (project.audits / "journal.csv").write_text(text, "utf-8")
    with pytest.raises(DatamallError) as refused:
        gate.decide(project.root, CITY, AUDIT, passes)
    assert str(refused.value) == (
        "data/audits/demo/journal.csv is not the journal that Datamall keeps: restore it from git."
    )


def test_a_damaged_register_is_one_sentence(project: Project) -> None:
    project.audits.mkdir(parents=True)
    (project.audits / "register.yaml").write_text("- {report: 1}\n", "utf-8")
    with pytest.raises(DatamallError) as refused:
        gate.decide(project.root, CITY, AUDIT, passes)
    assert str(refused.value) == (
        "data/audits/demo/register.yaml is not the register that Datamall keeps: restore it from "
        "git."
    )


def test_a_register_that_is_no_yaml_is_named(project: Project) -> None:
    project.audits.mkdir(parents=True)
    (project.audits / "register.yaml").write_text("- report: a\n  report: b\n", "utf-8")
    with pytest.raises(DatamallError, match=r"data/audits/demo/register\.yaml"):
        gate.decide(project.root, CITY, AUDIT, passes)


def test_what_a_registered_plan_says_as_text_is_text(project: Project) -> None:
    project.plan(leave_out={"origin": ["0014"]}, level=0.9)
    project.register()
    path = project.audits / "register.yaml"
    path.write_text(path.read_text("utf-8").replace("'0014'", "0014"), "utf-8")
    (entry,) = gate.registrations(project.root, CITY)
    assert entry.plan["leave_out"] == {"origin": ["0014"]}


@pytest.mark.parametrize(
    ("by", "reason", "sentence"),
    [
        (" ", "As discussed.", r"Who decides \(--by\) must be one line"),
        ("ethics committee", " ", r"The reason \(--reason\) must be one line"),
        ("ethics committee", "Ask 999990019.", r"The reason \(--reason\) holds a citizen service"),
    ],
)
def test_a_registration_without_a_reason_or_a_role_is_none(
    project: Project, by: str, reason: str, sentence: str
) -> None:
    with pytest.raises(DatamallError, match=sentence):
        gate.register(project.root, CITY, AUDIT, by, reason)
    assert not project.audits.exists()


def test_an_authority_whose_name_leads_elsewhere_is_one_sentence(project: Project) -> None:
    with pytest.raises(DatamallError) as refused:
        gate.decide(project.root, "../demo", AUDIT, passes)
    assert str(refused.value) == (
        "'../demo' is no name of an authority: give that of a file in data/authorities."
    )


def test_what_is_registered_already_is_one_sentence(project: Project) -> None:
    project.register()
    with pytest.raises(DatamallError) as refused:
        project.register()
    assert str(refused.value) == (
        f"This plan of {AUDIT} is registered already: nothing was changed."
    )
