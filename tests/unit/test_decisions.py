"""Decisions: two people sign one about results as they are; a list and a name come only so."""

import hashlib
import json
import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from decided_mall import ABOUT, AUDIT, DEPLOY, LATER, LISTED, PEOPLE, TODAY, Mall, make_mall

from datamall import deciding, decisions, gate, worklist
from datamall.errors import DatamallError
from datamall.fraud.audit import listed
from datamall.mall.door import Door
from datamall.mall.log import logbook
from datamall.mall.purposes import Refused
from datamall.mall.seal import keys


@pytest.fixture
def mall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mall:
    return make_mall(tmp_path, monkeypatch)


def verified(mall: Mall) -> int:
    return decisions.verify(mall.root, mall.mapping, keys.public(mall.root, mall.mapping))


def test_two_people_decide_and_each_signature_is_in_the_log(mall: Mall) -> None:
    mall.decided()
    one = mall.permitted()
    assert (one.said["about"], one.said["decided"], one.said["by"]) == (ABOUT, DEPLOY, "steward")
    assert sorted(one.signed.roles) == ["committee", "steward"]
    log = [(s["account"], s["role"], s["signed"], s["number"]) for s in mall.said("decision")]
    digest = one.signed.digest
    assert log == [("anna", "steward", digest, 1), ("bert", "committee", digest, 1)]
    manifest = "data/stores/city/welfare.investigations/store.json"
    results = "reports/city/results/fraud_audit"
    assert list(one.subjects) == [manifest, f"{results}/answer.json", f"{results}/decisions.csv"]
    assert verified(mall) == 1


def test_the_same_decision_has_the_same_bytes(mall: Mall) -> None:
    mall.decided()
    before = mall.file().read_bytes()
    mall.file().unlink()
    mall.decided()
    assert mall.file().read_bytes() == before


def test_who_decides_otherwise_says_why(mall: Mall) -> None:
    with pytest.raises(DatamallError, match=r"recommended otherwise .*say why"):
        mall.decide(decided="Do not deploy")
    assert mall.said("decision") == []
    mall.decide(decided="Do not deploy", why="Help comes first.", permits=[], dissent=["The desk."])
    (one,) = decisions.kept(mall.root, mall.mapping, AUDIT)
    assert (one.said["decided"], one.said["why_different"]) == (
        "Do not deploy",
        "Help comes first.",
    )
    assert (one.said["recommended"], one.said["dissent"]) == (DEPLOY, ["The desk."])


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"until": TODAY - timedelta(1)}, "would have expired"),
        ({"conditions": [""]}, "A condition must be one line"),
        ({"conditions": ["Not 999990019."]}, "A condition holds a citizen service number"),
        ({"dissent": ["two\nlines"]}, "A dissent must be one line"),
        ({"decided": "x" * 601, "why": "y"}, "What is decided must be one line"),
        ({"role": "mayor"}, "No public key of 'mayor'"),
    ],
)
def test_what_is_no_decision_is_refused_and_leaves_nothing(
    mall: Mall, choices: dict, sentence: str
) -> None:
    with pytest.raises(DatamallError, match=sentence):
        mall.decide(**choices)
    assert not mall.file().exists() and mall.said("decision") == []


def test_what_permits_nothing_needs_one_signature_and_lets_no_list_be_made(mall: Mall) -> None:
    mall.decide(permits=[])
    deciding.came_of(mall.root, mall.mapping, AUDIT, 1, "Nothing yet.", "steward")
    results = mall.root / "reports" / "city" / "results" / AUDIT
    rests_on = json.loads((results / "provenance.json").read_text())
    (row,) = decisions.shown(mall.root, "city", AUDIT, rests_on, results)
    assert (row["roles"], row["lacking"], row["came"]) == (["steward"], [], ["Nothing yet."])
    mall.sign()
    with pytest.raises(Refused, match="no-decision"):
        mall.permitted()


def test_only_behind_an_audit_something_can_be_permitted(mall: Mall) -> None:
    own = mall.root / "reports" / "city" / "results"
    shutil.copytree(own / AUDIT, own / "traffic")
    given = {"until": LATER, "as_of": TODAY, "permits": ["worklist"]}
    with pytest.raises(DatamallError, match="Behind traffic nobody is listed"):
        deciding.decide(mall.root, mall.mapping, "traffic", 1, "steward", **given)


def test_what_is_not_there_is_named(mall: Mall) -> None:
    given = {"until": LATER, "as_of": TODAY}
    with pytest.raises(DatamallError, match="has no recommendation 3"):
        deciding.decide(mall.root, mall.mapping, AUDIT, 3, "steward", **given)
    with pytest.raises(DatamallError, match="No report called 'x'"):
        deciding.decide(mall.root, mall.mapping, "x", 1, "steward", **given)
    with pytest.raises(DatamallError, match=r"nothing to decide about traffic of city: run"):
        deciding.decide(mall.root, mall.mapping, "traffic", 1, "steward", **given)
    with pytest.raises(DatamallError, match="There is no decision 1"):
        mall.sign()


def test_results_of_other_data_cannot_be_decided_on(mall: Mall) -> None:
    mall.people(PEOPLE | {"BU5": ("yes", "no")})
    with pytest.raises(DatamallError, match=r"other data than the stores hold now: run `datamall"):
        mall.decide()


def test_who_signs_second_signs_what_the_page_shows_now(mall: Mall) -> None:
    mall.decide()
    before = mall.file().read_bytes()
    mall.results("Do not deploy")
    with pytest.raises(Refused, match=r"other results: reports/city/results/.*/decisions\.csv"):
        mall.sign()
    assert mall.file().read_bytes() == before


def test_the_same_role_does_not_sign_twice_and_an_interrupted_one_signs_again(mall: Mall) -> None:
    mall.decide()
    with pytest.raises(DatamallError, match="The steward has signed decision 1 already"):
        mall.sign(role="steward")
    # Killed between file and entry: the file is there, and counts only after it was signed again.
    shutil.rmtree(mall.root / "data" / "log")
    logbook.write(mall.root, "key", authority="city")
    mall.acts("bert")
    mall.sign()
    with pytest.raises(Refused, match="does not know that the steward signed"):
        mall.permitted()
    mall.acts("anna")
    mall.sign(role="steward")
    assert mall.permitted()


def test_without_the_log_nothing_is_signed(mall: Mall) -> None:
    mall.decide()
    before = mall.file().read_bytes()
    entries = mall.root / "data" / "log" / "entries.log"
    entries.write_bytes(entries.read_bytes()[:-9])
    with pytest.raises(DatamallError, match="was cut"):
        mall.sign()
    with pytest.raises(DatamallError, match="was cut"):
        mall.decide()
    assert mall.file().read_bytes() == before and not mall.file(2).exists()


def test_a_later_decision_takes_the_place_of_an_earlier_one(mall: Mall) -> None:
    mall.decided()
    mall.decide(permits=[], decided="Stop", why="A court said so.")
    with pytest.raises(Refused, match=r"Decision 1 .* a later one is\. \(replaced\)"):
        mall.permitted()
    # Also when it is taken away again.
    mall.file(2).unlink()
    with pytest.raises(Refused, match="replaced"):
        mall.permitted()
    with pytest.raises(Refused, match=r"Decision 2 on fraud_audit is gone"):
        verified(mall)


def test_what_came_of_it_is_what_another_page_measured(mall: Mall) -> None:
    mall.decide(permits=[])
    with pytest.raises(DatamallError, match="no page effects of city that could have measured"):
        deciding.came_of(mall.root, mall.mapping, AUDIT, 1, "", "steward", "effects")
    own = mall.root / "reports" / "city" / "results" / "effects"
    own.mkdir()
    answer = {"sentence": "Board: 31 % less.", "first_day": "2025-01-06", "last_day": "2026-01-04"}
    (own / "answer.json").write_text(json.dumps(answer))
    deciding.came_of(mall.root, mall.mapping, AUDIT, 1, "We go on.", "steward", "effects")
    one = decisions.kept(mall.root, mall.mapping, AUDIT)[1]
    assert one.said["came_of_it"] == (
        "Board: 31 % less. (page effects, 2025-01-06 to 2026-01-04) We go on."
    )
    digest = hashlib.sha256((own / "answer.json").read_bytes()).hexdigest()
    assert one.subjects["reports/city/results/effects/answer.json"] == digest
    results = mall.root / "reports" / "city" / "results" / AUDIT
    rests_on = json.loads((results / "provenance.json").read_text())
    (row,) = decisions.shown(mall.root, "city", AUDIT, rests_on, results)
    assert row["came"] == [one.said["came_of_it"]] and verified(mall) == 2


def test_what_came_of_it_is_written_back_and_shown(mall: Mall) -> None:
    with pytest.raises(DatamallError, match="There is no decision 1"):
        deciding.came_of(mall.root, mall.mapping, AUDIT, 1, "Nothing yet.", "steward")
    mall.decide()
    with pytest.raises(Refused, match="lacks-signature"):
        deciding.came_of(mall.root, mall.mapping, AUDIT, 1, "Nothing yet.", "steward")
    mall.acts("bert")
    mall.sign()
    deciding.came_of(mall.root, mall.mapping, AUDIT, 1, "Two letters sent.", "steward")
    with pytest.raises(DatamallError, match="is what came of a decision, not one"):
        mall.sign(2)
    results = mall.root / "reports" / "city" / "results" / AUDIT
    rests_on = json.loads((results / "provenance.json").read_text())
    (row,) = decisions.shown(mall.root, "city", AUDIT, rests_on, results)
    assert row["came"] == ["Two letters sent."]
    assert (row["current"], row["replaced"], row["lacking"]) == (True, False, [])
    mall.results("Do not deploy")
    mall.decide()
    rows = decisions.shown(mall.root, "city", AUDIT, rests_on, results)
    assert [(r["current"], r["replaced"], r["lacking"]) for r in rows] == [
        (False, True, []),
        (True, False, ["committee"]),
    ]
    assert [s["event"] for s in mall.said("outcome")] == ["outcome"]
    assert verified(mall) == 3


def test_a_list_holds_pseudonyms_in_another_order_and_nothing_else(
    mall: Mall, tmp_path: Path
) -> None:
    many = {f"BU{number:03}": ("yes", "no") for number in range(200)}
    mall.people(many)
    mall.results()
    mall.decided()
    lines = mall.list_to(tmp_path / "one")
    assert len(set(lines)) == 200 and all(worklist.PSEUDONYM.fullmatch(line) for line in lines)
    mall.acts("carl")
    people = [mall.resolve(line) for line in (*lines[:14], lines[-1])]
    assert set(people) <= set(many) and people != sorted(people)
    # The same list has the same bytes, and another decision gives pseudonyms that cannot be joined.
    assert mall.list_to(tmp_path / "two") == lines
    mall.decide(conditions=["In plain language."])
    mall.acts("bert")
    mall.sign(2)
    assert not set(mall.list_to(tmp_path / "three")) & set(lines)
    path = tmp_path / "one" / worklist.FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    entry = mall.said("worklist")[0]
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (entry["outcome"], entry["people"], entry["account"]) == ("granted", 200, "bert")


def test_one_person_is_named_on_record_and_not_to_who_made_the_list(
    mall: Mall, tmp_path: Path
) -> None:
    mall.decided()
    mall.acts("carl")
    lines = mall.list_to(tmp_path / "list", role="desk")
    with pytest.raises(Refused, match=r"Who made the list .*made-the-list"):
        mall.resolve(lines[0], role="caseworker")  # the same account
    mall.acts("dora")
    with pytest.raises(Refused, match="made-the-list"):
        mall.resolve(lines[0], role="desk")  # the same role
    assert mall.said("resolve") == []
    assert sorted(map(mall.resolve, lines)) == LISTED
    first = mall.said("resolve")[0]
    assert (first["pseudonym"], first["account"], first["outcome"]) == (lines[0], "dora", "granted")
    assert "BU1" not in (mall.root / "data" / "log" / "entries.log").read_text()
    for none in ("0" * 16, "BU1", "", "../x", lines[0].upper() + " "):
        with pytest.raises(Refused, match="not-on-list"):
            mall.resolve(none)
    # What the door read is on record as a use, each time.
    used = [(s["occasion"], s["purpose"]) for s in mall.said("checkout")]
    assert used[0] == ("worklist of fraud_audit", "fraud-worklist")
    assert set(used[1:]) == {("resolve of fraud_audit", "fraud-worklist")}


def test_nobody_is_named_without_a_list_under_this_decision(mall: Mall, tmp_path: Path) -> None:
    mall.decided()
    mall.acts("dora")
    with pytest.raises(Refused, match="no-list"):
        mall.resolve("0" * 16)
    mall.acts("carl")
    lines = mall.list_to(tmp_path / "list")
    mall.decide(conditions=["In plain language."])
    mall.acts("bert")
    mall.sign(2)
    mall.acts("dora")
    with pytest.raises(Refused, match="no-list"):
        mall.resolve(lines[0])


def test_a_list_that_would_be_another_one_now_names_nobody(
    mall: Mall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mall.decided()
    lines = mall.list_to(tmp_path / "list")
    mall.acts("dora")
    monkeypatch.setattr(listed, "numbers", lambda data: LISTED[:1])
    with pytest.raises(Refused, match="other-list"):
        mall.resolve(lines[0])
    assert mall.said("resolve") == []


def test_a_list_is_refused_where_it_may_not_lie(mall: Mall, tmp_path: Path) -> None:
    mall.decided()
    with pytest.raises(DatamallError, match="inside the project"):
        mall.list_to(mall.root / "reports")
    full = tmp_path / "full"
    full.mkdir()
    (full / "note").write_text("mine")
    with pytest.raises(DatamallError, match="is not empty"):
        mall.list_to(full)
    assert mall.said("worklist") == []


def test_behind_a_closed_gate_there_is_no_list_and_every_reason_is_said(
    mall: Mall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "decide", lambda *_: {"reasons": ["The verdict is FAIL."]})
    with pytest.raises(Refused) as refused:
        mall.list_to(tmp_path / "list")
    assert refused.value.code == "gate-closed"
    assert "The verdict is FAIL. No decision on fraud_audit of city permits" in str(refused.value)
    assert not (tmp_path / "list").exists()


def test_nobody_to_list_is_no_list(mall: Mall, tmp_path: Path) -> None:
    mall.people({"BU1": ("no", "no")})
    mall.results()
    mall.decided()
    with pytest.raises(Refused, match=r"nobody of city is on it\. \(no-list\)"):
        mall.list_to(tmp_path / "list")


def test_people_come_only_from_stores_that_were_decided_about(mall: Mall, tmp_path: Path) -> None:
    path = mall.root / "reports" / "city" / "results" / AUDIT / "provenance.json"
    path.write_text("{}")
    mall.decided()
    with pytest.raises(DatamallError, match=r"takes people from welfare\.investigations, which"):
        mall.list_to(tmp_path / "list")


def test_no_kernel_and_no_folder_gets_the_rows_of_a_list(mall: Mall) -> None:
    with (
        Door(mall.root, "city", ["fraud-worklist"]) as door,
        pytest.raises(DatamallError, match=r"hands out no extract.*\(inside-only\)"),
    ):
        door.hand_out("fraud-worklist")
    assert mall.said("checkout")[-1]["reason"] == "inside-only"


def test_of_invented_data_one_account_is_enough_and_roles_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mall = make_mall(tmp_path, monkeypatch, synthetic=True)
    mall.decide()
    mall.sign()
    lines = mall.list_to(tmp_path / "list")
    with pytest.raises(Refused, match="made-the-list"):
        mall.resolve(lines[0], role="steward")
    assert mall.resolve(lines[0]) in LISTED


def test_recommendations_are_listed_with_what_was_decided(mall: Mall) -> None:
    mall.decided()
    text = deciding.listed(mall.root, mall.mapping, AUDIT)
    assert text.splitlines() == [
        f"1. {ABOUT}: {DEPLOY}",
        f"   decision 1, until {LATER}: {DEPLOY}",
        "     signed by committee and steward",
        "2. draw: Keep drawing",
    ]


def test_purposes_of_lists_are_kept_inside(root: Path) -> None:
    reports = yaml.safe_load((root / "params.yaml").read_text("utf-8"))["reports"]
    purposes = yaml.safe_load((root / "data" / "purposes.yaml").read_text("utf-8"))
    named = [about["worklist"] for about in reports.values() if "worklist" in about]
    assert named and all(purposes[name]["inside"] is True for name in named)
