"""The gate: only a plan registered before anybody audited these data can open it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from datamall import gate
from datamall.errors import DatamallError

AUDIT, CITY = "fraud_audit", "demo"


def passes() -> str:
    """Come to the verdict again: what the stores say, where no test is about that."""
    return gate.PASS


class Project:
    """A project with one audit whose plan, data and verdict can be set."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "data" / "contracts").mkdir(parents=True)
        (root / "src" / "datamall" / "reporting" / "templates").mkdir(parents=True)
        self.plan(tolerance=1.25)
        register = {AUDIT: {"stores": {"welfare.audit_counts": {}}}}
        (root / "data" / "purposes.yaml").write_text(yaml.safe_dump(register), "utf-8")
        self.data("first")

    def plan(self, **section: Any) -> None:
        reports = {AUDIT: {"purposes": [AUDIT], "package": "fraud", "audit": True}}
        (self.root / "params.yaml").write_text(
            yaml.safe_dump({"reports": reports, AUDIT: section}, sort_keys=False), "utf-8"
        )

    def data(self, raw: str, mapping: str = "as agreed") -> None:
        """Take a raw file in, by some mapping of its columns and values."""
        folder = self.root / "data" / "stores" / CITY / "welfare.audit_counts"
        folder.mkdir(parents=True, exist_ok=True)
        manifest = {"mapping_sha256": mapping, "raw": [{"name": "counts.csv", "sha256": raw}]}
        (folder / "store.json").write_text(json.dumps(manifest), "utf-8")

    def audit(self, verdict: str) -> dict[str, Any]:
        """Do what `datamall report` does, but for the analysis; return the gate."""
        folder = self.root / "reports" / "results" / AUDIT
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "answer.json").write_text(json.dumps({"verdict": verdict}), "utf-8")
        rests_on = gate.provenance(self.root, CITY, AUDIT)
        (folder / "provenance.json").write_text(json.dumps(rests_on), "utf-8")
        gate.record(self.root, CITY, AUDIT)
        return gate.decide(self.root, CITY, AUDIT, passes)

    def register(self) -> None:
        gate.register(self.root, CITY, AUDIT, "ethics committee", "As discussed.")

    @property
    def audits(self) -> Path:
        return self.root / "data" / "audits" / CITY


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_pass_under_a_plan_registered_beforehand_opens(project: Project) -> None:
    project.register()
    decided = project.audit("PASS")
    assert decided["open"] and decided["reasons"] == []
    assert decided["registered_by"] == "ethics committee"
    assert decided["audits_since_registration"] == 1


def test_before_it_opens_the_verdict_is_counted_again(project: Project) -> None:
    project.register()
    project.audit("PASS")
    for counted, opens in (("PASS", True), ("FAIL", False), ("NOT ENOUGH EVIDENCE", False)):
        decided = gate.decide(project.root, CITY, AUDIT, lambda counted=counted: counted)
        assert decided["open"] is opens
        assert (
            opens
            or f"the verdict is {counted}: the results were changed" in (decided["reasons"][0])
        )


def test_a_gate_that_is_closed_anyway_counts_nothing(project: Project) -> None:
    project.register()
    project.audit("FAIL")
    decided = gate.decide(project.root, CITY, AUDIT, lambda: pytest.fail("counted"))
    assert not decided["open"]


@pytest.mark.parametrize("verdict", ["FAIL", "NOT ENOUGH EVIDENCE"])
def test_another_verdict_does_not(project: Project, verdict: str) -> None:
    project.register()
    decided = project.audit(verdict)
    assert not decided["open"] and verdict in decided["reasons"][0]


def test_without_registration_or_results_it_is_closed(project: Project) -> None:
    assert len(gate.decide(project.root, CITY, AUDIT, passes)["reasons"]) == 2
    assert "registered" in project.audit("PASS")["reasons"][0]


def test_a_plan_changed_after_registration_opens_nothing_and_is_counted(project: Project) -> None:
    project.register()
    assert not project.audit("FAIL")["open"]
    project.plan(tolerance=2.0)
    decided = project.audit("PASS")
    assert not decided["open"]
    assert "tolerance: 1.25 → 2.0" in decided["reasons"][0]
    assert decided["audits_since_registration"] == 2
    assert decided["other_plans_tried"] == 1


def test_registering_what_passed_on_data_already_audited_opens_nothing(project: Project) -> None:
    project.register()
    project.audit("FAIL")
    project.plan(tolerance=2.0)
    project.audit("PASS")
    project.register()
    decided = project.audit("PASS")
    assert not decided["open"] and "before this plan was registered" in decided["reasons"][0]
    project.data("next year")
    assert project.audit("PASS")["open"]


def test_one_audit_before_the_plan_is_registered_is_enough_to_close_it(project: Project) -> None:
    assert not project.audit("PASS")["open"]
    project.register()
    again = project.audit("PASS")
    assert not again["open"] and "before this plan was registered" in again["reasons"][0]


def check(name: str, within: float, gating: bool = True) -> dict[str, Any]:
    step = {"to": name, "of": "population", "arms": ["profile", "signal"]}
    return {"name": name, "step": step, "tolerance": {"within": within}, "gating": gating}


LABELS = {"any": {"nothing": False, "unlawful": True}, "worst": {"nothing": None, "unlawful": True}}
OWN = {
    "groups": ["origin", "sex"],
    "high_bands": ["high", "1"],
    "labels": LABELS,
    "level": 0.95,
    "checks": [check("flagged", 1.25), check("chosen", 1.11)],
}
# What is changed in the plan, and how the reason says it.
PLANS = {
    "a wider tolerance": (
        {"checks": [check("flagged", 2.5), check("chosen", 1.11)]},
        "checks.flagged.tolerance.within: 1.25 → 2.5",
    ),
    "a group dropped": ({"groups": ["sex"]}, "groups: ['origin', 'sex'] → ['sex']"),
    "a check that no longer decides": (
        {"checks": [check("flagged", 1.25), check("chosen", 1.11, gating=False)]},
        "checks.chosen.gating: True → False",
    ),
    "a check dropped": ({"checks": [check("flagged", 1.25)]}, "checks.chosen: there → absent"),
    "an arm left out": (
        {"checks": [check("flagged", 1.25) | {"step": {"to": "flagged", "of": "population",
            "arms": ["profile"]}}, check("chosen", 1.11)]},
        "checks.flagged.step.arms: ['profile', 'signal'] → ['profile']",
    ),
    "fewer bands that count as high": (
        {"high_bands": ["high"]}, "high_bands: ['high', '1'] → ['high']",
    ),
    "another meaning of a result": (
        {"labels": LABELS | {"any": {"nothing": False, "unlawful": None}}},
        "labels.any.unlawful: True → None",
    ),
    "another label first": (
        {"labels": dict(reversed(LABELS.items()))}, "labels: any, worst → worst, any",
    ),
    "a level that hides": ({"level": 0.999}, "level: 0.95 → 0.999"),
}  # fmt: skip


@pytest.mark.parametrize(("changed", "said"), PLANS.values(), ids=PLANS)
def test_flipping_the_fail_by_another_plan_opens_nothing_however_it_is_registered(
    project: Project, changed: dict[str, Any], said: str
) -> None:
    project.plan(**OWN)
    project.register()
    assert not project.audit("FAIL")["open"]
    project.plan(**OWN | changed)
    before = project.audit("PASS")
    assert not before["open"]
    assert before["other_plans_tried"] == 1
    assert f"after it was registered: {said}" in before["reasons"][0]
    project.register()
    after = project.audit("PASS")
    assert not after["open"]
    assert after["other_plans_tried"] == 1


def test_groups_merged_by_the_mapping_make_no_new_data_and_open_nothing(project: Project) -> None:
    project.register()
    assert not project.audit("FAIL")["open"]
    project.data("first", mapping="Europe and outside Europe are one group")
    merged = project.audit("PASS")
    assert not merged["open"]
    assert "FAIL and PASS" in merged["reasons"][0]
    assert merged["versions_of_data"] == 1
    # Registering again, by another plan even, does not make them new either.
    project.plan(tolerance=1.3)
    project.register()
    again = project.audit("PASS")
    assert not again["open"]
    assert "before this plan was registered" in again["reasons"][0]


def test_an_override_of_one_run_opens_nothing(project: Project) -> None:
    # `dvc exp run -S` writes params.yaml, runs and may put it back: the results are of that plan.
    project.register()
    project.audit("FAIL")
    project.plan(tolerance=9.0)
    project.audit("PASS")
    project.plan(tolerance=1.25)
    decided = gate.decide(project.root, CITY, AUDIT, passes)
    assert not decided["open"]
    assert "another plan" in decided["reasons"][0]


def test_going_back_to_the_registered_plan_shows_what_was_tried(project: Project) -> None:
    project.register()
    project.audit("PASS")
    project.plan(tolerance=2.0, groups=["sex"])
    project.audit("PASS")
    project.plan(tolerance=1.25)
    decided = project.audit("PASS")
    assert decided["open"] and decided["other_plans_tried"] == 1


def test_a_verdict_that_changed_with_the_code_closes(project: Project) -> None:
    project.register()
    project.audit("FAIL")
    decided = project.audit("PASS")
    assert not decided["open"] and "FAIL and PASS" in decided["reasons"][0]


def test_results_of_other_data_or_an_edited_answer_do_not_open(project: Project) -> None:
    project.register()
    project.audit("PASS")
    project.data("changed since")
    assert "other data" in gate.decide(project.root, CITY, AUDIT, passes)["reasons"][0]


def test_the_same_audit_is_counted_once(project: Project) -> None:
    project.register()
    project.audit("PASS")
    before = (project.root / "data" / "audits" / "demo" / "journal.csv").read_bytes()
    project.audit("PASS")
    assert (project.root / "data" / "audits" / "demo" / "journal.csv").read_bytes() == before


def test_the_gate_is_written_open_or_closed(project: Project) -> None:
    (project.root / "reports").mkdir()
    assert gate.write(project.root, CITY, AUDIT, passes)["open"] is False
    assert json.loads((project.root / "reports" / "gate.json").read_text("utf-8"))["open"] is False


@pytest.mark.parametrize(("before", "now"), [(1, True), (3, 3.0), (3, "3")])
def test_a_plan_whose_types_changed_is_another(project: Project, before: Any, now: Any) -> None:
    project.plan(depth=before)
    project.register()
    assert project.audit("PASS")["open"]
    project.plan(depth=now)
    reasons = project.audit("PASS")["reasons"]
    assert f"registered: depth: {before} → {now}." in reasons[0]


def test_words_of_a_registered_plan_stay_as_written(project: Project) -> None:
    words = ["NO", "0014", "yes", "1e5", "2019-01-01", "true", "null", "12:30"]
    project.plan(leave_out={"origin": words}, level=1e-5)
    project.register()
    assert project.audit("PASS")["open"]
    (entry,) = gate.registrations(project.root, CITY)
    assert entry.plan == {"leave_out": {"origin": words}, "level": 1e-5}


def test_the_same_plan_is_not_registered_twice(project: Project) -> None:
    project.register()
    with pytest.raises(DatamallError, match="registered already"):
        project.register()
