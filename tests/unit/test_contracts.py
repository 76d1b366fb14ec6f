"""Contracts: read as they are, and refused in one sentence where they are wrong."""

import json
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tiny_intake import STORE, column, write_project

from datamall.errors import DatamallError
from datamall.mall.contracts import Rule, load_contracts
from datamall.mall.joins import forbidden


def test_a_contract_is_read_in_full(tmp_path: Path) -> None:
    contract = load_contracts(write_project(tmp_path))[STORE]
    assert (contract.name, contract.version, contract.title) == (STORE, "1.0.0", "Things")
    assert (contract.counted, contract.key) == ("things", ("id",))
    assert (contract.owner, contract.steward) == ("shopkeeper", "clerk")
    assert contract.retention == "1 y"
    assert contract.period == ("day", None)
    identity, day, amount, weight, colour, _ = contract.columns
    assert (identity.min_length, identity.max_length, identity.pattern) == (1, 3, "[a-z]+")
    assert (day.minimum, day.maximum) == (date(2025, 1, 1), date(2025, 12, 31))
    assert (amount.minimum, amount.maximum, amount.unit) == (0, 1000, "kg")
    assert weight.maximum == Decimal(5000)
    assert colour.values == ("red", "blue")
    assert contract.rules == (
        Rule(
            "light_enough",
            "Heavier than ten kilograms each.",
            "weight <= 10 * amount + 0.25",
            ("weight", "amount"),
        ),
    )


def test_the_contracts_of_the_project(root: Path) -> None:
    contracts = load_contracts(root)
    assert {"enforcement.containers", "enforcement.inspections"} <= set(contracts)
    inspections = contracts["enforcement.inspections"]
    assert inspections.column("cluster").reference == ("enforcement.containers", "cluster")
    assert inspections.period == ("period_start", "period_days")


def test_people_on_benefit_lie_beside_nothing_that_was_registered_by_place(root: Path) -> None:
    contracts = load_contracts(root)
    people = [name for name, contract in contracts.items() if contract.personal]
    places = [name for name in contracts if name.startswith(("enforcement.", "traffic."))]
    assert len(people) == 3 and len(places) == 14
    for person in people:
        found = [(own, other) for own, other, _ in forbidden([person, *places], contracts)]
        assert found == [(person, place) for place in sorted(places)]


def test_the_schema_is_the_official_one(root: Path, shared: Path) -> None:
    official = shared / "standards" / "odcs" / "odcs-json-schema-v3.1.0.json"
    ours = root / "src" / "datamall" / "mall" / "odcs-3.1.0.json"
    assert ours.read_bytes() == official.read_bytes()


def table(contract: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = contract["schema"][0]
    return found


def field(number: int, **change: Any) -> Callable[[dict[str, Any]], None]:
    """Return an edit of one column; None takes a key away."""

    def edit(contract: dict[str, Any]) -> None:
        described = table(contract)["properties"][number]
        described.update(change)
        for name in [name for name, value in change.items() if value is None]:
            del described[name]

    return edit


def rule(**change: Any) -> Callable[[dict[str, Any]], None]:
    return lambda contract: table(contract)["quality"][0].update(change)


def join(to: Any, because: str = "no ground") -> Callable[[dict[str, Any]], None]:
    said = {"property": "forbidden_joins", "value": [{"to": to, "because": because}]}
    return lambda contract: contract["customProperties"].append(said)


LIBRARY = {"type": "library", "metric": "rowCount", "mustBe": 1}
OTHER = {"to": "shop/other.yaml#schema/other/properties/id"}
MISTAKES = [
    (lambda c: c.pop("version"), "does not follow the Open Data Contract Standard 3.1: at the top"),
    (field(0, logicalType="word"), r"at schema.0.properties.0.logicalType: 'word' is not one of"),
    (field(0, required="yes"), r"at schema.0.properties.0.required: 'yes' is not of type"),
    (lambda c: c.update(id="shop.other"), "the id is 'shop.other'; for this file it must be"),
    (lambda c: c.update(apiVersion="v3.0.2"), "apiVersion must be v3.1.0"),
    (lambda c: c.update(customProperties=[]), "`counted` of persons, households, things, public"),
    (lambda c: c["customProperties"][0].update(value="people"), "`counted` of persons"),
    (lambda c: c.pop("name"), "give the store a name for people"),
    (lambda c: c.pop("team"), "name the people: `team`"),
    (lambda c: c["team"]["members"].pop(0), "no member with the role owner"),
    (lambda c: c["team"]["members"].pop(1), "no member with the role steward"),
    (
        lambda c: c["team"]["members"][1].update(role="owner"),
        "shopkeeper and clerk with the role",
    ),
    (lambda c: c["customProperties"].append({"property": "counted", "value": "public"}), "twice"),
    (join("shop"), "which is no other store and no other department"),
    (join(STORE), "names 'shop.things', which is no other store"),
    (join("market.stalls"), "names 'market.stalls', which is no other store"),
    (join("market", ""), "forbidden_joins, number 1: because is '': it must be text, not empty"),
    (join(["market"]), "forbidden_joins, number 1: to is"),
    (
        lambda c: c["customProperties"].append({"property": "forbidden_joins", "value": "market"}),
        "forbidden_joins is a list, each with `to` and `because`",
    ),
    (lambda c: c.pop("slaProperties"), "how long rows are kept"),
    (lambda c: c["slaProperties"][0].pop("unit"), "how long rows are kept"),
    (
        lambda c: c["schema"].append({"name": "others"}),
        "the schema must hold one table; it holds 2",
    ),
    (lambda c: table(c).pop("properties"), "the table has no properties"),
    (field(1, name="id"), "the name 'id' is listed twice, in line 1: keep one of the two"),
    (field(1, name="Day"), "column Day: a name is lower-case letters, digits and _"),
    (field(1, logicalType="timestamp"), "column day: logicalType must be one of string, integer"),
    (field(1, physicalType="varchar"), "physicalType 'varchar' does not go with date: use date"),
    (field(3, physicalType="double"), r"does not go with number: use decimal\(p,s\)"),
    (field(1, description=None), "column day: say what it means"),
    (field(2, customProperties=None), "column amount: give its unit"),
    (field(2, unique=True), "`unique` is checked for keys only"),
    (
        field(2, logicalTypeOptions={"multipleOf": 5}),
        "multipleOf is not checked by intake: use maxLength, maximum, minLength, minimum, pattern",
    ),
    (
        field(2, logicalTypeOptions={"minimum": 5, "maximum": 4}),
        "column amount: minimum is above maximum",
    ),
    (field(1, logicalTypeOptions={"minimum": "soon"}), "the bound 'soon' is no date"),
    (field(2, logicalTypeOptions={"minimum": 0.5}), "the bound 0.5 is no integer"),
    (field(0, logicalTypeOptions={"pattern": "("}), "column id: `regexp.* cannot be worked out"),
    (field(4, quality=[LIBRARY]), "of quality checks on a column intake knows one"),
    (field(0, primaryKey=None, primaryKeyPosition=None), "the table needs a key"),
    (field(0, primaryKeyPosition=2), "the table needs a key: primaryKey with primaryKeyPosition 1"),
    (field(0, required=False), "column id is in the key: make it required"),
    (field(4, relationships=[{"to": "other.id"}]), "column colour: give one relationship, `to: "),
    (field(4, relationships=[OTHER]), "refers to shop.other.id, which is not the key of another"),
    (
        field(4, relationships=[{"to": "shop/things.yaml#schema/things/properties/id"}]),
        "refers to shop.things.id, which is not the key of another",
    ),
    (rule(engine="soda"), "rule light_enough: of rules on a table intake knows one kind"),
    (rule(name="Light enough"), "rule Light enough: a name is lower-case"),
    (rule(implementation="weight <="), "`weight <=` is no SQL expression"),
    (rule(implementation="height < 2"), "the contract has no column height"),
    (rule(implementation="weight < day"), "`weight < day` cannot be worked out"),
    (rule(implementation="weight + 1"), r"`weight \+ 1` gives a decimal.*, not true or false"),
    (rule(implementation="sum(weight) > 1"), "cannot be worked out"),
    (lambda c: table(c)["quality"].append(table(c)["quality"][0]), "the name .* is listed twice"),
]


@pytest.mark.parametrize(("edit", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    write_project(tmp_path, contract=edit)
    with pytest.raises(DatamallError) as caught:
        load_contracts(tmp_path)
    said = str(caught.value)
    assert re.search(sentence, said), said
    assert "things" in said
    assert said.endswith(".")
    assert "\n" not in said


def test_a_reference_has_the_type_of_its_target(tmp_path: Path) -> None:
    write_project(tmp_path, contract=field(2, relationships=[OTHER]))
    other = json.loads((tmp_path / "data/contracts/shop/things.yaml").read_text())
    other["id"] = "shop.other"
    table(other)["properties"] = table(other)["properties"][:1]
    table(other)["quality"] = []
    (tmp_path / "data/contracts/shop/other.yaml").write_text(json.dumps(other))
    with pytest.raises(DatamallError, match=r"amount: it is a integer and refers to shop\.other"):
        load_contracts(tmp_path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: 1\nb: 2\na: 3\n", "the key 'a' is given twice, in lines 1 and 3: keep one"),
        (b"a: [1\n", "is not valid YAML, line 2"),
        (b"a: \xe9\n", r"is not UTF-8 \(byte offset 3\)"),
        (b"- a\n", "must hold `key: value` lines"),
    ],
)
def test_yaml_that_cannot_be_meant(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = write_project(tmp_path) / "data/contracts/shop/things.yaml"
    path.write_bytes(content)
    with pytest.raises(DatamallError, match=f"data/contracts/shop/things.yaml.*{sentence}"):
        load_contracts(tmp_path)


def test_days_of_a_period(tmp_path: Path) -> None:
    def period(contract: dict[str, Any]) -> None:
        table(contract)["properties"][1]["name"] = "week_start"
        table(contract)["properties"].append(column("week_days", "integer"))

    assert load_contracts(write_project(tmp_path, contract=period))[STORE].period == (
        "week_start",
        "week_days",
    )
