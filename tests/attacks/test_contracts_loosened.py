"""A contract does not become less strict by an edit, a forged record or one person alone.

Each try is made by the command line, refused with its own reason before a raw file is opened, hands
out nothing, and is in the log of use with the code of that reason.
"""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from city_of_persons import CITY, STORE, City, make_city

from datamall.mall import accepted
from datamall.mall.contracts import load_contracts
from datamall.mall.seal import keys
from datamall.mall.seal.envelope import sign, statement
from datamall.mall.strictness import digest, terms

THINGS = ("value: persons}", "value: things}")
RAISED = ("version: 1.0.0", "version: 1.1.0")
WHY = ("--reason", "The law asks for it")
SIGNED = ("contract", STORE, "--by")


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> City:
    made = make_city(tmp_path, monkeypatch)
    made.done("intake", STORE)
    return made


def forged(city: City, *roles: str) -> None:
    """Write a record of the contract as it is now, signed with keys that everybody knows."""
    contract = load_contracts(city.root)[STORE]
    about = {"store": STORE, "version": contract.version, "terms": terms(contract)}
    about |= {"less_strict": [], "reason": "none"}
    content = statement({"terms": digest(terms(contract))}, accepted.KIND, about)
    envelope = sign(content, [keys.invented(role) for role in roles])
    city.record(contract.version).write_text(json.dumps(envelope))


def from_persons_to_things(city: City) -> None:
    city.edit(THINGS)


def with_a_higher_version_alone(city: City) -> None:
    city.edit(THINGS, RAISED)


def with_the_record_taken_away(city: City) -> None:
    city.edit(THINGS, RAISED)
    shutil.rmtree(city.record("1.0.0").parent)


def with_a_record_signed_by_keys_that_everybody_knows(city: City) -> None:
    city.edit(THINGS)
    forged(city, "committee", "steward")


def with_a_forged_record_of_a_higher_version(city: City) -> None:
    city.edit(THINGS, RAISED)
    forged(city, "committee", "steward")


def with_a_record_edited_after_signing(city: City) -> None:
    city.edit(THINGS)
    path = city.record("1.0.0")
    envelope = json.loads(path.read_text())
    said = json.loads(base64.b64decode(envelope["payload"]))
    said["predicate"]["terms"]["counted"] = "things"
    envelope["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
    path.write_text(json.dumps(envelope))


def with_the_record_of_another_contract(city: City) -> None:
    other = load_contracts(city.root)["shared.calendar"]
    path = city.root / "data" / "contracts" / "shared" / "accepted" / "calendar-1.0.0.json"
    assert other.version == "1.0.0"
    city.edit(THINGS)
    shutil.copy(path, city.record("1.0.0"))


def by_one_person(city: City) -> None:
    city.edit(THINGS, RAISED)
    city.acts("anna")
    city.done(*SIGNED, "steward", *WHY)


def by_one_person_for_both_roles(city: City) -> None:
    by_one_person(city)
    city.done(*SIGNED, "committee")


def by_two_people_and_loosened_once_more(city: City) -> None:
    by_one_person(city)
    city.acts("bert")
    city.done(*SIGNED, "committee")
    city.edit(("maxLength: 20", "maxLength: 30"))


def back_to_an_older_version(city: City) -> None:
    """The stricter version is taken in; who liked the older one better brings it back."""
    before = city.contract.read_bytes()
    city.edit(RAISED, ("maxLength: 20", "maxLength: 10"))
    city.done("intake", STORE)
    city.contract.write_bytes(before)


def with_what_the_log_remembers_altered(city: City) -> None:
    shutil.rmtree(city.record("1.0.0").parent)
    city.edit(THINGS)
    (kept,) = (city.root / "data" / "log" / "contracts").iterdir()
    kept.write_text(kept.read_text().replace('"persons"', '"things"'))


EACH = {
    from_persons_to_things: "contract-looser",
    with_a_higher_version_alone: "contract-looser",
    with_the_record_taken_away: "contract-looser",
    with_a_record_signed_by_keys_that_everybody_knows: "contract-looser",
    with_a_forged_record_of_a_higher_version: "lacks-signature",
    with_a_record_edited_after_signing: "contract-altered",
    with_the_record_of_another_contract: "contract-altered",
    by_one_person: "lacks-signature",
    by_one_person_for_both_roles: "one-person",
    by_two_people_and_loosened_once_more: "contract-looser",
    back_to_an_older_version: "contract-looser",
    with_what_the_log_remembers_altered: "contract-altered",
}


@pytest.mark.parametrize(("attack", "code"), EACH.items(), ids=lambda a: getattr(a, "__name__", ""))
def test_nothing_is_taken_in_or_handed_out(
    city: City, tmp_path: Path, attack: Callable[[City], None], code: str
) -> None:
    before = sorted((city.root / "data" / "stores" / CITY / STORE).iterdir())
    attack(city)
    assert city.refused("intake", STORE).endswith(f"[{code}]")
    said = city.refused("checkout", "look", str(tmp_path / "out"))
    # The door asks before anything else whether the records are whole and signed.
    known = ("contract-looser", "contract-altered", "lacks-signature", "other-contract", "mistake")
    assert said.rpartition("[")[2].rstrip("]") in known
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    assert sorted((city.root / "data" / "stores" / CITY / STORE).iterdir()) in (before,)


def test_an_invented_city_is_no_way_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_city(tmp_path, monkeypatch, synthetic=True)
    made.edit(THINGS)
    assert made.refused("intake", STORE).endswith("[contract-looser]")
    assert not (made.root / "data" / "stores" / CITY).exists()


def test_two_people_a_reason_and_a_higher_version_do(city: City, tmp_path: Path) -> None:
    city.edit(("maxLength: 20", "maxLength: 30"))
    assert "Give the contract a version above 1.0.0" in city.refused(*SIGNED, "steward", *WHY)
    city.edit(RAISED)
    assert "Say why" in city.refused(*SIGNED, "steward")
    city.acts("anna")
    assert "column client has the max length 30" in city.done(*SIGNED, "steward", *WHY)
    city.acts("bert")
    city.done(*SIGNED, "committee")
    # What was taken in under the old one is not handed out under the new one.
    said = city.refused("checkout", "look", str(tmp_path / "out"))
    assert "was not taken in under its contract as it is now" in said
    assert said.endswith("[other-contract]")
    city.done("intake", STORE)
    city.done("checkout", "look", str(tmp_path / "out"))
    assert "contracts: " in city.done("verify")
    city.record("1.1.0").unlink()
    assert "version 1.1.0 of the contract welfare.investigations is gone" in city.refused("verify")
