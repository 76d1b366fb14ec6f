"""The gate knows the method: what judges is registered with the plan, and a change shuts it."""

from pathlib import Path

import pytest

from datamall import gate
from datamall.errors import DatamallError
from datamall.provenance import method_digest
from tests.unit.test_gate import AUDIT, CITY, Project, passes

JUDGE = "src/datamall/fairness/verdict.py"
CODE = '''"""Verdicts."""

LEVEL = 0.95  # of a PASS


def passes(p: float) -> bool:
    """Return whether there is evidence."""
    return p <= 1 - LEVEL
'''


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    write(project, CODE)
    return project


def write(project: Project, code: str) -> None:
    path = project.root / JUDGE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, "utf-8")


def test_audit_once_like_the_result_then_register_opens_nothing(project: Project) -> None:
    """One audit before the registration is as many as a hundred."""
    assert not project.audit("PASS")["open"]
    project.register()
    decided = project.audit("PASS")
    assert not decided["open"]
    assert "before this plan was registered" in decided["reasons"][0]
    assert decided["audits_since_registration"] == 0


def test_a_method_changed_after_registration_shuts_the_gate(project: Project) -> None:
    project.register()
    assert project.audit("PASS")["open"]
    write(project, CODE.replace("0.95", "0.5"))
    decided = gate.decide(project.root, CITY, AUDIT, passes)
    assert not decided["open"]
    assert "register the plan anew" in decided["reasons"][0]
    assert "another plan or method" in decided["reasons"][1]
    # Audited again by the changed method: still not what was registered.
    decided = project.audit("PASS")
    assert [reason[:10] for reason in decided["reasons"]] == ["The method"]
    # Registered anew it is tested on data that had been audited: no.
    project.register()
    assert "before this plan was registered" in project.audit("PASS")["reasons"][0]
    project.data("next year")
    assert project.audit("PASS")["open"]


def test_words_about_the_method_are_no_method(project: Project) -> None:
    project.register()
    project.audit("PASS")
    words = CODE.replace("Verdicts.", "Three verdicts.").replace("  # of a PASS", "")
    write(
        project, words.replace("there is evidence", "evidence is there").replace("\n\n\n", "\n\n")
    )
    assert project.audit("PASS")["open"]
    # A text that is no docstring is code.
    before = method_digest(project.root)
    write(project, CODE + '\nWORD = "# PASS"\n')
    assert method_digest(project.root) != before


def test_a_registration_without_a_method_has_to_be_made_anew(project: Project) -> None:
    project.register()
    path = project.root / "data" / "audits" / CITY / "register.yaml"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join(x for x in lines if not x.strip().startswith("method")), "utf-8")
    decided = project.audit("PASS")
    assert "not kept" in decided["reasons"][0]
    project.register()  # the same plan, with the method


@pytest.mark.parametrize("name", ["../demo", "demo/..", "", "Demo City"])
def test_an_authority_is_a_name_and_no_path(project: Project, name: str) -> None:
    with pytest.raises(DatamallError, match="no name of an authority"):
        gate.register(project.root, name, AUDIT, "ethics committee", "As discussed.")
    with pytest.raises(DatamallError, match="no name of an authority"):
        gate.decide(project.root, name, AUDIT, passes)


def test_another_definition_first_is_another_plan(project: Project) -> None:
    labels = {"strict": {"fraud": True}, "wide": {"fraud": True, "unclear": True}}
    project.plan(labels=labels)
    project.register()
    assert project.audit("PASS")["open"]
    project.plan(labels=dict(reversed(labels.items())))
    assert "changed after it was registered" in project.audit("PASS")["reasons"][0]


def test_a_difference_is_named_by_its_place(project: Project) -> None:
    def checks(within: float, *more: str) -> list[dict]:
        named = [{"name": name, "gating": True} for name in more]
        return [{"name": "flagged", "tolerance": {"within": within}}, *named]

    project.plan(checks=checks(1.25))
    project.register()
    project.plan(checks=checks(1.5, "chosen"))
    said = project.audit("PASS")["reasons"][0]
    assert "checks.chosen: absent → there; checks.flagged.tolerance.within: 1.25 → 1.5." in said
