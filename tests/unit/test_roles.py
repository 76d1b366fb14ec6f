"""A purpose is for roles: whoever has none of them gets nothing, and that is in the log of use."""

import json
from pathlib import Path

import pytest
import yaml
from decided_mall import Mall, make_mall
from tiny_mall import ROOT

from datamall.errors import DatamallError
from datamall.mall import roles
from datamall.mall.contracts import load_contracts
from datamall.mall.door import Door
from datamall.mall.log import logbook
from datamall.mall.purposes import load_purposes

OWN, OTHER = "research-and-statistics-analyst", "social-affairs-analyst"


@pytest.fixture
def mall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mall:
    """Return a city that is not invented; its accounts have no roles yet."""
    monkeypatch.delenv(logbook.ROLE, raising=False)
    monkeypatch.setattr(roles, "ADMINISTERED", tmp_path / "etc")
    made = make_mall(tmp_path, monkeypatch)
    wish = yaml.safe_load((made.root / "data" / "purposes.yaml").read_text("utf-8"))
    wish["fraud-audit"]["stores"].pop("welfare.audit_counts")
    (made.root / "data" / "purposes.yaml").write_text(yaml.safe_dump(wish), "utf-8")
    made.acts("anna")
    return made


def declare(folder: Path, text: str, mode: int = 0o644) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "city.roles.yaml"
    path.write_text(text)
    path.chmod(mode)
    return path


def own_folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "datamall"


def asked(mall: Mall, purpose: str = "fraud-audit") -> str:
    """Ask at a door; return the refusal, or nothing."""
    with Door(mall.root, mall.mapping.authority, occasion="lab") as door:
        answer = door.answer(json.dumps({"purpose": purpose}).encode())
        made = [path.name for path in door.extracts.iterdir()]
        assert made == ([] if "refused" in answer else [purpose])
    return answer.get("refused", "")


def test_without_the_role_nothing_is_handed_out_and_that_is_in_the_log(
    mall: Mall, tmp_path: Path
) -> None:
    assert f"is granted to {OWN}, which this account is not" in asked(mall)
    declare(own_folder(tmp_path), f"anna: [{OTHER}]\nbert: [{OWN}]\n")
    assert "(role-without-grant)" in asked(mall)
    said = mall.said("checkout")
    assert [(one["outcome"], one["reason"], one["account"]) for one in said] == [
        ("refused", "role-without-grant", "anna")
    ] * 2
    mall.acts("bert")
    assert asked(mall) == ""
    last = mall.said("checkout")[-1]
    assert (last["outcome"], last["role"], last["account"]) == ("granted", OWN, "bert")


def test_who_has_two_roles_asks_in_one(
    mall: Mall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(own_folder(tmp_path), f"anna: [{OTHER}, {OWN}]\n")
    monkeypatch.setenv(logbook.ROLE, OTHER)
    assert "(role-without-grant)" in asked(mall)
    monkeypatch.setenv(logbook.ROLE, OWN)
    assert asked(mall) == ""
    # A role that one gives oneself is none.
    declare(own_folder(tmp_path), f"anna: [{OTHER}]\n")
    assert "(role-without-grant)" in asked(mall)


def test_what_an_administrator_declares_counts_alone(mall: Mall, tmp_path: Path) -> None:
    declare(own_folder(tmp_path), f"anna: [{OWN}]\n")
    assert asked(mall) == ""
    declare(roles.ADMINISTERED, f"bert: [{OWN}]\n")
    assert "(role-without-grant)" in asked(mall)


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [
        (f"anna: [{OWN}]\n", 0o664, "Others can write the roles in .*: run `chmod go-w` on it"),
        (f"anna: [{OWN}]\n", 0o646, "Others can write the roles"),
        (f"anna: {OWN}\n", 0o644, r"give each account a list of roles, `account: \[role\]`"),
        (f"- {OWN}\n", 0o644, "must hold `key: value` lines"),
    ],
)
def test_what_declares_no_roles_gives_none(
    mall: Mall, tmp_path: Path, text: str, mode: int, sentence: str
) -> None:
    declare(own_folder(tmp_path), text, mode)
    with pytest.raises(DatamallError, match=sentence):
        roles.acting(mall.mapping, "fraud-audit", (OWN,))
    assert asked(mall) and mall.said("checkout")[-1]["outcome"] == "refused"


def test_of_invented_data_everybody_has_every_role_and_asks_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(logbook.ROLE, raising=False)
    mall = make_mall(tmp_path, monkeypatch, synthetic=True)
    assert roles.acting(mall.mapping, "fraud-audit", (OWN, OTHER)) == OWN
    monkeypatch.setenv(logbook.ROLE, "traffic-analyst")
    assert "(role-without-grant)" in asked(mall)
    assert mall.said("checkout")[-1]["reason"] == "role-without-grant"
    # What is about nobody is for everybody in the house.
    assert asked(mall, "enforcement") == ""
    assert mall.said("checkout")[-1]["role"] == "traffic-analyst"


def test_persons_are_for_analysts_of_who_answers_for_the_purpose() -> None:
    purposes = load_purposes(ROOT, load_contracts(ROOT))
    assert {name: one.roles for name, one in purposes.items() if one.roles} == {
        "fraud-profile": (OTHER,),
        "fraud-proxies": (OWN,),
        "fraud-audit": (OWN,),
    }


def test_a_purpose_may_name_others(mall: Mall, tmp_path: Path) -> None:
    path = mall.root / "data" / "purposes.yaml"
    register = yaml.safe_load(path.read_text("utf-8"))
    register["enforcement"]["roles"] = ["street-analyst", "auditor"]
    path.write_text(yaml.safe_dump(register), "utf-8")
    assert "is granted to street-analyst, auditor" in asked(mall, "enforcement")
    declare(own_folder(tmp_path), "anna: [auditor]\n")
    assert "(store-not-taken-in)" in asked(mall, "enforcement")
    register["enforcement"]["roles"] = ["../x"]
    path.write_text(yaml.safe_dump(register), "utf-8")
    with pytest.raises(DatamallError, match=r"roles: '\.\./x' is no name of one"):
        load_purposes(mall.root, load_contracts(mall.root))


def test_what_is_public_or_not_delivered_needs_no_role(mall: Mall) -> None:
    path = mall.root / "data" / "authorities" / "city.yaml"
    mapping = yaml.safe_load(path.read_text("utf-8"))
    for store in ("welfare.clients", "welfare.investigations"):
        del mapping["stores"][store]
    path.write_text(yaml.safe_dump(mapping), "utf-8")
    for purpose in ("fraud-audit", "fraud-profile"):
        assert asked(mall, purpose) == ""
        assert mall.said("checkout")[-1]["role"] == "not given"
