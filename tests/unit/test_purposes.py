"""What law and contracts ask for before a purpose is granted anything about people."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from tiny_mall import make_project, write_store

from datamall.errors import DatamallError
from datamall.mall.access import checkout
from datamall.mall.contracts import load_contracts
from datamall.mall.door import Door
from datamall.mall.log import logbook
from datamall.mall.purposes import FORBIDDEN, Refused, load_purposes, people

CLIENTS, PROTECTED = "welfare.clients", "welfare.protected"
BASIS = {
    "gdpr": "9(2)(g)",
    "statute": "An act of parliament, art. 1",
    "decided_by": "municipal council",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "extract"
    made.mkdir()
    return made


def change(project: Path, purpose: str, edit: Callable[[dict], object]) -> None:
    path = project / "data" / "purposes.yaml"
    register = yaml.safe_load(path.read_text("utf-8"))
    edit(register[purpose])
    path.write_text(yaml.safe_dump(register, sort_keys=False), encoding="utf-8")


def load(project: Path) -> dict:
    return load_purposes(project, load_contracts(project))


def keep_protected(project: Path) -> None:
    """Take in three made-up people."""
    write_store(
        project,
        PROTECTED,
        pa.table(
            {
                "client": ["A1", "A2", "A3"],
                "origin": ["Netherlands", "Europe", "outside Europe"],
                "nationality": ["Dutch", "other", "both"],
                "disability": ["no", "yes", None],
            }
        ),
    )


def ask_for_protected(**link: Any) -> Callable[[dict], object]:
    def edit(purpose: dict) -> None:
        purpose["stores"] = {PROTECTED: {"columns": ["client", "origin"], **link}}

    return edit


def forbidden_columns(root: Path) -> list[tuple[str, str]]:
    return [
        (name, column.name)
        for name, contract in load_contracts(root).items()
        for column in contract.columns
        if (column.profiling or "").startswith(FORBIDDEN)
    ]


def test_no_purpose_of_the_project_that_profiles_gets_a_forbidden_column(root: Path) -> None:
    forbidden = set(forbidden_columns(root))
    assert len(forbidden) > 20
    profiling = [purpose for purpose in load(root).values() if purpose.profiling]
    assert [purpose.name for purpose in profiling] == ["fraud-profile"]
    for grant in profiling[0].grants:
        assert not {(grant.store, name) for name in grant.names} & forbidden


def test_each_forbidden_column_is_refused_to_a_purpose_that_profiles(project: Path) -> None:
    path = project / "data" / "purposes.yaml"
    whole = path.read_bytes()
    for store, column in forbidden_columns(project):
        if store not in ("welfare.clients", "welfare.investigations"):
            continue
        change(
            project,
            "fraud-profile",
            lambda p, s=store, c=column: p["stores"][s]["columns"].append(c),
        )
        with pytest.raises(Refused, match=f"of '{column}'") as refusal:
            load(project)
        assert refusal.value.code == "forbidden-for-profiling"
        path.write_bytes(whole)
    load(project)


def test_a_forbidden_column_is_refused_however_it_is_asked_for(project: Path) -> None:
    wish = {"grain": {"neighbourhood": "value"}, "sums": ["benefit"]}
    change(project, "fraud-profile", lambda p: p["stores"].update({CLIENTS: wish}))
    with pytest.raises(Refused, match="leave the column out"):
        load(project)


def test_a_purpose_that_does_not_profile_may_count_by_it(project: Path) -> None:
    grants = {grant.store: grant for grant in load(project)["fraud-audit"].grants}
    assert "sex" in grants["welfare.investigations"].names
    change(project, "fraud-audit", lambda p: p.update(profiling=True))
    with pytest.raises(Refused, match="forbidden-for-profiling"):
        load(project)


@pytest.mark.parametrize(
    "link",
    [
        {},
        {"link_basis": None},
        {"link_basis": {}},
        {"link_basis": "9(2)(g)"},
        {"link_basis": BASIS | {"gdpr": "6(1)(e)"}},
        {"link_basis": BASIS | {"gdpr": "9(2)(k)"}},
        {"link_basis": BASIS | {"statute": " "}},
        {"link_basis": {k: v for k, v in BASIS.items() if k != "decided_by"}},
        {"link_basis": BASIS | {"because": "it is handy"}},
    ],
)
def test_the_door_refuses_a_link_to_persons_without_a_basis(
    project: Path, folder: Path, link: dict
) -> None:
    keep_protected(project)
    change(project, "fraud-audit", ask_for_protected(**link))
    with Door(project, "demo", ["fraud-audit"]) as door:
        answer = door.answer(b'{"purpose": "fraud-audit"}')
        assert "no-basis-for-link" in answer["refused"]
        assert list(door.extracts.iterdir()) == []
    with pytest.raises(Refused) as refusal:
        checkout(project, "demo", "fraud-audit", folder)
    assert refusal.value.code == "no-basis-for-link"
    assert list(folder.iterdir()) == []


def test_with_a_basis_it_is_handed_out_and_said_in_the_register(
    project: Path, folder: Path
) -> None:
    keep_protected(project)
    change(project, "fraud-audit", ask_for_protected(link_basis=BASIS))
    about = checkout(project, "demo", "fraud-audit", folder)
    assert about["personal"] is True
    assert about["stores"][PROTECTED]["columns"] == ["client", "origin"]
    assert about["stores"][PROTECTED]["rows"] == 3
    [grant] = load(project)["fraud-audit"].grants
    assert grant.link_basis == BASIS


def test_a_basis_where_none_is_needed_is_a_mistake(project: Path) -> None:
    change(project, "fraud-profile", lambda p: p["stores"][CLIENTS].update(link_basis=BASIS))
    with pytest.raises(DatamallError, match="asks for no link_basis; remove it"):
        load(project)


def test_profiling_is_true_or_false(project: Path) -> None:
    change(project, "fraud-profile", lambda p: p.update(profiling="sometimes"))
    with pytest.raises(DatamallError, match="profiling is 'sometimes': it must be true or false"):
        load(project)


def test_the_columns_of_persons_are_those_of_the_stores_that_a_purpose_gets(root: Path) -> None:
    contracts = load_contracts(root)
    assert people(root, contracts, ["fraud-profile"]) == {"client"}
    assert people(root, contracts, ["enforcement", "traffic", "no such purpose"]) is None
    # Of households nothing names a person, and still it is a page about people.
    households = dict(contracts)
    households[CLIENTS] = replace(contracts[CLIENTS], counted="households")
    assert people(root, households, ["fraud-profile"]) == {"client"}  # of its other store


STREET = "enforcement.reports"


@pytest.mark.parametrize(
    ("purpose", "store", "wish"),
    [
        ("fraud-profile", STREET, {"columns": ["cluster", "x", "y"]}),
        ("enforcement", CLIENTS, {"columns": ["client", "year"]}),
        # Added up or not: what is put beside each other is put beside each other.
        ("enforcement", CLIENTS, {"grain": {"neighbourhood": "value"}, "sums": ["benefit"]}),
    ],
)
def test_a_purpose_gets_no_two_stores_that_may_not_be_joined(
    project: Path, purpose: str, store: str, wish: dict
) -> None:
    change(project, purpose, lambda p: p.update(processes_personal_data=True))
    change(project, purpose, lambda p: p["stores"].update({store: wish}))
    with pytest.raises(
        Refused, match=r"forbids to join \(registered by place for clean"
    ) as refusal:
        load(project)
    assert refusal.value.code == "forbidden-join"
    # Nothing but the pair is wrong with it.
    for name in ("clients", "investigations"):
        contract = project / "data" / "contracts" / "welfare" / f"{name}.yaml"
        said = yaml.safe_load(contract.read_text("utf-8"))
        said["customProperties"] = said["customProperties"][:1]
        contract.write_text(yaml.safe_dump(said), "utf-8")
    assert store in {grant.store for grant in load(project)[purpose].grants}


def test_nor_does_one_kernel_by_two_purposes(project: Path) -> None:
    """Each is permitted, and a kernel that has both could join them."""
    people = pa.table({"client": ["A1"], "year": [2025], "flagged": ["yes"], "people": [1]})
    write_store(project, "welfare.investigations", people, parts=1)
    change(project, "fraud-audit", lambda p: p["stores"].pop("welfare.audit_counts"))

    def asked(door: Door, purpose: str) -> dict[str, str]:
        return door.answer(json.dumps({"purpose": purpose}).encode())

    for first, then in (("enforcement", "fraud-audit"), ("fraud-audit", "enforcement")):
        with Door(project, "demo") as door:
            assert "folder" in asked(door, first)
            assert f"beside {first} gets welfare" in asked(door, then)["refused"]
            assert [made.name for made in door.extracts.iterdir()] == [first]
            *_, last = logbook.read(project)
            assert (last.said["purpose"], last.said["reason"]) == (then, "forbidden-join")
            assert "folder" in asked(door, first)
        with Door(project, "demo") as door:
            assert "folder" in asked(door, then)
