"""A decision by one person, for other results, expired or forged lets nobody make a list.

Each try is made by the command line, refused with its own reason, hands out nothing, and is in the
log of use with the code of that reason.
"""

import base64
import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from decided_mall import AUDIT, LATER, PEOPLE, TODAY, Mall, make_mall

from datamall import cli_decisions, recount
from datamall.cli import main
from datamall.mall.seal import keys
from datamall.mall.seal.envelope import sign, statement
from datamall.yamlfile import dump


@pytest.fixture
def mall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mall:
    made = make_mall(tmp_path, monkeypatch)
    monkeypatch.chdir(made.root)
    monkeypatch.setattr(recount, "verdict", lambda *_: "PASS")
    monkeypatch.setattr(cli_decisions, "today", lambda: TODAY)
    return made


def tried(mall: Mall, *arguments: str) -> str:
    """Run a command that has to be refused; return the sentence."""
    done = CliRunner().invoke(main, [*arguments, "--authority", "city"])
    assert done.exit_code == 1, done.output
    assert done.output.startswith("datamall: ") and done.output.count("\n") == 1
    return done.output


def envelope_of(mall: Mall) -> dict:
    found: dict = json.loads(mall.file().read_text())
    return found


def payload_of(mall: Mall) -> dict:
    found: dict = json.loads(base64.b64decode(envelope_of(mall)["payload"]))
    return found


def put(mall: Mall, envelope: dict, number: int = 1) -> None:
    mall.file(number).write_text(json.dumps(envelope, indent=1) + "\n")


def by_the_producer_alone(mall: Mall) -> None:
    mall.acts("anna")
    mall.decide()


def by_one_person_for_both_roles(mall: Mall) -> None:
    mall.acts("anna")
    mall.decide()
    mall.sign()


def by_one_key_under_both_names(mall: Mall) -> None:
    """Whoever can write data/keys gives the committee the steward's key."""
    by_the_producer_alone(mall)
    path = mall.root / "data" / "keys" / "city.yaml"
    steward = keys.public(mall.root, mall.mapping)["steward"].public_bytes_raw().hex()
    path.write_text(dump({"committee": steward, "steward": steward}))


def with_a_signature_under_the_name_of_another_key(mall: Mall) -> None:
    by_the_producer_alone(mall)
    envelope, known = envelope_of(mall), keys.public(mall.root, mall.mapping)
    from datamall.mall.seal.envelope import key_id

    own = envelope["signatures"][0]
    envelope["signatures"].append({"keyid": key_id(known["committee"]), "sig": own["sig"]})
    put(mall, envelope)


def with_both_keys_and_no_log(mall: Mall) -> None:
    """Whoever has both keys signs by hand."""
    mall.decided()
    said = payload_of(mall)
    said["predicate"]["until"] = "2099-12-31"
    both = [keys.private(mall.mapping, role) for role in ("committee", "steward")]
    put(mall, sign(said, both))


def edited_after_signing(mall: Mall) -> None:
    mall.decided()
    envelope, said = envelope_of(mall), payload_of(mall)
    said["predicate"]["until"] = "2099-12-31"
    envelope["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
    put(mall, envelope)


def permitting_what_was_not_permitted(mall: Mall) -> None:
    mall.acts("anna")
    mall.decide(permits=[])
    mall.acts("bert")
    mall.sign()
    envelope, said = envelope_of(mall), payload_of(mall)
    said["predicate"]["permits"] = ["worklist"]
    envelope["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
    put(mall, envelope)


def for_other_results(mall: Mall) -> None:
    mall.decided()
    mall.results("Do not deploy")


def with_a_result_that_came_later(mall: Mall) -> None:
    mall.decided()
    folder = mall.root / "reports" / "city" / "results" / AUDIT
    (folder / "checks.csv").write_text("check\n")


def replayed_on_new_data(mall: Mall) -> None:
    """The figures are as they were, and the people are others."""
    mall.decided()
    old = mall.file().read_bytes()
    mall.people({f"BU7{name}": said for name, said in PEOPLE.items()})
    mall.results()
    mall.file().write_bytes(old)


def brought_back_after_it_was_replaced(mall: Mall) -> None:
    mall.decided()
    mall.decide(permits=[], decided="Stop", why="A court said so.")
    mall.sign(2)
    mall.file(2).unlink()


def of_another_authority(mall: Mall) -> None:
    mall.decided()
    said = payload_of(mall)
    said["predicate"]["authority"] = "demo"
    both = [keys.private(mall.mapping, role) for role in ("committee", "steward")]
    put(mall, sign(said, both))


def of_another_report(mall: Mall) -> None:
    mall.decided()
    content = statement({}, "urn:datamall:decision", {"authority": "city", "report": "traffic"})
    put(mall, sign(content, [keys.private(mall.mapping, "committee")]))


def that_was_never_made(mall: Mall) -> None:
    del mall


def without_the_one_before_it(mall: Mall) -> None:
    mall.decided()
    shutil.move(mall.file(1), mall.file(2))


WAYS: list[tuple[Callable[[Mall], None], str]] = [
    (by_the_producer_alone, "lacks-signature"),
    (by_one_person_for_both_roles, "one-person"),
    (by_one_key_under_both_names, "one-key"),
    (with_a_signature_under_the_name_of_another_key, "altered"),
    (with_both_keys_and_no_log, "not-in-log"),
    (edited_after_signing, "altered"),
    (permitting_what_was_not_permitted, "altered"),
    (for_other_results, "other-results"),
    (with_a_result_that_came_later, "other-results"),
    (replayed_on_new_data, "other-results"),
    (brought_back_after_it_was_replaced, "replaced"),
    (of_another_authority, "altered"),
    (of_another_report, "altered"),
    (that_was_never_made, "no-decision"),
    (without_the_one_before_it, "altered"),
]


@pytest.mark.parametrize(("way", "code"), WAYS, ids=[way.__name__ for way, _ in WAYS])
def test_it_lets_nobody_make_a_list(
    mall: Mall, way: Callable[[Mall], None], code: str, tmp_path: Path
) -> None:
    way(mall)
    mall.acts("carl")
    assert f"({code})" in tried(mall, "worklist", AUDIT, str(tmp_path / "list"), "--by", "desk")
    assert not (tmp_path / "list").exists() and mall.said("checkout") == []
    assert f"({code})" in tried(mall, "resolve", AUDIT, "0" * 16, "--by", "caseworker")
    for event, role in (("worklist", "desk"), ("resolve", "caseworker")):
        (entry,) = mall.said(event)
        assert (entry["outcome"], entry["reason"], entry["role"]) == ("refused", code, role)
        assert (entry["account"], entry["report"]) == ("carl", AUDIT)


def test_the_same_by_two_people_does(mall: Mall, tmp_path: Path) -> None:
    mall.decided()
    mall.acts("carl")
    done = CliRunner().invoke(
        main, ["worklist", AUDIT, str(tmp_path / "list"), "--by", "desk", "--authority", "city"]
    )
    assert done.exit_code == 0 and done.output.startswith("2 people are on the list"), done.output


@pytest.mark.parametrize("clock", [LATER + timedelta(1), TODAY])
def test_an_expired_decision_permits_nothing_even_if_the_clock_was_set_back(
    mall: Mall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: date
) -> None:
    mall.decided()
    mall.written_on(LATER + timedelta(1))
    monkeypatch.setattr(cli_decisions, "today", lambda: clock)
    assert "(expired)" in tried(mall, "worklist", AUDIT, str(tmp_path / "list"), "--by", "desk")
    assert not (tmp_path / "list").exists()
    assert mall.said("worklist")[0]["reason"] == "expired"


def test_who_made_the_list_learns_nobody(mall: Mall, tmp_path: Path) -> None:
    mall.decided()
    mall.acts("carl")
    lines = mall.list_to(tmp_path / "list", role="desk")
    for role in ("desk", "caseworker"):
        assert "(made-the-list)" in tried(mall, "resolve", AUDIT, lines[0], "--by", role)
    codes = [(s["outcome"], s["reason"]) for s in mall.said("resolve")]
    assert codes == [("refused", "made-the-list")] * 2


def test_what_somebody_types_does_not_reach_the_log(mall: Mall, tmp_path: Path) -> None:
    """A service number in the place of an audit, a pseudonym or a decision."""
    mall.decided()
    for arguments in (
        ("worklist", "123456782", str(tmp_path / "list"), "--by", "desk"),
        ("resolve", AUDIT, "123456782", "--by", "desk"),
        ("decide", "123456782", "--sign", "1", "--by", "steward"),
        ("decide", AUDIT, "--came-of", "9", "--text", "123456782", "--by", "steward"),
        ("worklist", AUDIT, str(tmp_path / "list"), "--by", "123456782"),
    ):
        tried(mall, *arguments)
    assert "123456782" not in (mall.root / "data" / "log" / "entries.log").read_text()
    # Three were no names; one named nobody, and one no decision.
    assert [one["reason"] for one in mall.said("request")] == ["malformed"] * 3
    assert [one["reason"] for one in mall.said("resolve")] == ["no-list"]
    assert len(mall.said("outcome")) == 1 and mall.said("worklist") == []


def test_a_name_that_leads_out_of_the_project_is_none(mall: Mall, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    for name in ("../x", "..", "city/../..", "/x"):
        for command in (("decide", AUDIT), ("worklist", AUDIT, "x", "--by", "desk")):
            done = CliRunner().invoke(main, [*command, "--authority", name])
            assert done.exit_code == 1 and "cannot be the name of" in done.output
    assert sorted(tmp_path.iterdir()) == before
