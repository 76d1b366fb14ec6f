"""What counts as less strict, one change at a time; what is more strict does not."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_mall import ROOT

from datamall.mall.contracts import load_contracts
from datamall.mall.strictness import digest, looser, terms

STORE = "welfare.investigations"
TEXT = (ROOT / "data" / "contracts" / "welfare" / "investigations.yaml").read_text("utf-8")


def of(folder: Path, *changes: tuple[str, str], store: str = STORE) -> dict[str, Any]:
    """Return the terms of the contract with texts in it replaced, the first of each."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    contracts = folder / "data" / "contracts"
    shutil.copytree(ROOT / "data" / "contracts", contracts)
    path = contracts / "welfare" / "investigations.yaml"
    path.write_text(text, "utf-8")
    return terms(load_contracts(folder)[store])


NUMBER = (
    "required: true\n        primaryKey: true\n        primaryKeyPosition: 1",
    "required: true\n        primaryKey: true\n        primaryKeyPosition: 1\n"
    "        customProperties: [{property: identifier, value: citizen service number}]",
)
NEW = (
    "      - name: sex\n",
    "      - {name: origin, description: Origin, logicalType: string, physicalType: varchar}\n"
    "      - name: sex\n",
)
LINK = (
    "{property: counted, value: persons}",
    "{property: counted, value: persons}\n  - {property: link_needs_basis, value: true}",
)
JOINS = "property: forbidden_joins"
TRAFFIC = "      - {to: traffic, because: registered by place for traffic (GDPR 5(1)(b))}\n"
BAND = "logicalTypeOptions: {minimum: 1, maximum: 20}"
# From the stricter contract to the less strict one, and in which words.
LOOSER: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]], str]] = {
    "persons become things": ([], [("value: persons", "value: things")], "counts things"),
    "persons become households": ([], [("value: persons", "value: households")], "households"),
    "things become public": (
        [("value: persons", "value: things")],
        [("value: persons", "value: public")],
        "counts public and no longer things",
    ),
    "kept longer": ([], [("value: 5, unit: y", "value: 61, unit: m")], "kept for 61 m"),
    "a wider range": ([], [(BAND, BAND.replace("1,", "0,"))], "has the minimum 0"),
    "no upper end": ([], [(BAND, "logicalTypeOptions: {minimum: 1}")], "has the maximum none"),
    "longer texts": ([], [("maxLength: 20", "maxLength: 21")], "has the max length 21"),
    "another pattern": ([], [("'[A-Z0-9]+'", "'.*'")], "has another pattern"),
    "another type": ([], [("type: bigint", "type: bigint")], ""),
    "one more value": ([], [('"female", "male"', '"female", "male", "x"')], "allows values"),
    "a rule is gone": ([], [("visited = 'yes'\"", "true\"")], "rule `finding IS NULL"),
    "profiling allowed": ([], [("forbidden: protected", "permitted: now")], "for profiling"),
    "a number unmarked": ([NUMBER], [], "has another identifier, or none"),
    "a column more": ([], [NEW], "column origin is new, in a store of persons"),
    "no basis for a link": ([LINK], [], "needs no legal basis"),
    "no forbidden joins": ([], [(JOINS, "property: unused")], "beside those of enforcement"),
    "one forbidden join less": ([], [(TRAFFIC, "")], "beside those of traffic"),
    "the person is renamed": ([], [("name: client", "name: file")], "no longer the number"),
    "a wider key": (
        [],
        [
            (
                "      - name: sex\n",
                "      - {name: part, description: P, logicalType: string, physicalType: varchar, "
                "required: true, primaryKey: true, primaryKeyPosition: 3}\n      - name: sex\n",
            )
        ],
        "its key is client, year, part",
    ),
    "no longer required": (
        [],
        [("physicalType: varchar\n        required: true\n        quality", "physicalType: varchar"
          "\n        required: false\n        quality")],
        "is no longer required",
    ),
}  # fmt: skip
del LOOSER["another type"]


@pytest.mark.parametrize(("before", "after", "words"), LOOSER.values(), ids=LOOSER)
def test_less_strict_is_told_one_by_one(
    tmp_path: Path, before: list[tuple[str, str]], after: list[tuple[str, str]], words: str
) -> None:
    strict, loose = of(tmp_path / "a", *before), of(tmp_path / "b", *after)
    said = looser(strict, loose)
    assert words in " ".join(said) and digest(strict) != digest(loose)
    # The other way round nothing of that kind is less strict.
    back = looser(loose, strict)
    assert not back or all(any(w in one for w in ("another", "no longer", "new")) for one in back)
    assert looser(strict, strict) == [] == looser(loose, loose)


def test_wording_is_no_term(tmp_path: Path) -> None:
    reworded = of(tmp_path / "a", ("name: Selection and", "name: Selecting and"))
    assert digest(reworded) == digest(of(tmp_path / "b"))


def test_another_type_cannot_be_compared(tmp_path: Path) -> None:
    contract = of(tmp_path)
    other = {**contract, "columns": {**contract["columns"], "sex": {"type": "bigint"}}}
    assert looser(contract, other) == ["column sex is stored as bigint and no longer varchar"]


def test_a_column_that_is_gone_is_not_less_strict(tmp_path: Path) -> None:
    contract = of(tmp_path)
    columns = {name: about for name, about in contract["columns"].items() if name != "objection"}
    assert looser(contract, {**contract, "columns": columns}) == []


def test_every_contract_of_this_project_is_as_it_was_accepted(root: Path) -> None:
    from datamall.mall import accepted
    from datamall.mall.authorities import load_authority

    contracts = load_contracts(root)
    for path in sorted((root / "data" / "authorities").glob("*.yaml")):
        mapping = load_authority(root, path.stem, contracts)
        for store in mapping.stores:
            (*_, last) = accepted.records(root, mapping, store)
            assert last.demanded == terms(contracts[store]), f"datamall contract {store}"
            assert last.version == contracts[store].version
            accepted.check(root, mapping, contracts[store])


def test_a_retention_is_a_number_of_years_months_or_days(tmp_path: Path) -> None:
    from datamall.errors import DatamallError

    with pytest.raises(DatamallError, match=r"investigations.yaml: '5 lustra' is no retention"):
        of(tmp_path, ("value: 5, unit: y", "value: 5, unit: lustra"))
    assert yaml.safe_load(TEXT)["slaProperties"][0]["value"] == 5
