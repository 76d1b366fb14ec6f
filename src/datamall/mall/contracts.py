"""Contracts: what a store holds, in the Open Data Contract Standard (ODCS) 3.1.

A contract is checked against the standard's own JSON schema, then against what the standard
leaves open and this house needs: who owns the data, what is counted, a unit for every number.
What a contract demands and intake could not check is refused rather than passed over.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, partial
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from datamall.errors import DatamallError
from datamall.imports import without_grammar
from datamall.mall import joins
from datamall.mall.expressions import columns_of, literal, type_of
from datamall.mall.retention import kept_since
from datamall.yamlfile import load_mapping

COUNTED = ("persons", "households", "things", "public")
PHYSICAL = {
    "string": r"varchar",
    "integer": r"bigint",
    "number": r"decimal\(([1-9]|[12]\d|3[0-8]),\d{1,2}\)",
    "date": r"date",
}
SERVICE_NUMBER = "citizen service number"
OPTIONS = {"minimum", "maximum", "minLength", "maxLength", "pattern"}
NAME = re.compile(r"[a-z][a-z0-9_]*")
REFERENCE = re.compile(
    r"(?P<department>\w+)/(?P<store>\w+)\.yaml#schema/(?P=store)/properties/(?P<column>\w+)"
)


@dataclass(frozen=True)
class Column:
    """One column of a store.

    Attributes
    ----------
    name, title, description
        Name in the data, name for people, meaning.
    type
        ``string``, ``integer``, ``number`` or ``date``.
    physical_type
        SQL type: ``varchar``, ``bigint``, ``decimal(p,s)`` or ``date``.
    required
        Whether each row must have a value.
    minimum, maximum
        Bounds, both allowed themselves; None where there is none.
    min_length, max_length
        Bounds on the number of characters of a string.
    pattern
        Regular expression (RE2) that a string must match in full.
    values
        The only strings allowed.
    reference
        Store and column in which each value must occur.
    unit
        Unit of measurement of an integer or a number.
    absent
        What it means where a row has no value; None where that is a lack.
    family
        Group of columns that tell the same kind of thing about a person.
    profiling
        Whether a profile of people may use it, and why: ``permitted: …`` or ``forbidden: …``.
    additive
        Whether values of events that share a key are added.
    totals
        Whether rows of totals belong to the store, in which the column says so.
    identifier
        What kind of number a text is, if it is one: ``citizen service number``.
    outline
        Whether a text is an outline: `datamall.mall.outlines`.
    """

    name: str
    title: str
    description: str
    type: str
    physical_type: str
    required: bool
    minimum: int | Decimal | date | None
    maximum: int | Decimal | date | None
    min_length: int | None
    max_length: int | None
    pattern: str | None
    values: tuple[str, ...] | None
    reference: tuple[str, str] | None
    unit: str | None
    absent: str | None
    family: str | None
    profiling: str | None
    additive: bool
    totals: bool
    identifier: str | None
    outline: bool


@dataclass(frozen=True)
class Rule:
    """A rule that each row must meet: an SQL expression that must not be false.

    As in SQL, a rule that lacks a value is met.
    """

    name: str
    description: str
    expression: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """What a store holds.

    Attributes
    ----------
    name
        ``department.store``.
    version, title
        Version of the contract; name for people.
    row
        What one row stands for, as a sentence.
    purpose, limitations
        What the data are for, and what they do not tell.
    counted
        What is counted: ``persons``, ``households``, ``things`` or ``public``.
    columns, key, rules
        Columns in order, the names of the key's columns in order, rules across columns.
    department, owner, steward
        Department, and user names of who decides on the data and of who looks after them.
    retention
        How long rows are kept, such as ``3 y``.
    link_needs_basis
        Whether a purpose needs a legal basis of its own to link these rows to persons.
    forbidden_joins
        Stores and departments that no purpose, and no kernel, gets beside these rows.
    tally
        Column that says how many events a row adds up; None: a row is a statement, and two that
        differ under one key contradict each other.
    """

    name: str
    version: str
    title: str
    row: str
    purpose: str
    limitations: str
    counted: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rules: tuple[Rule, ...]
    department: str
    owner: str
    steward: str
    retention: str
    link_needs_basis: bool
    forbidden_joins: tuple[joins.ForbiddenJoin, ...]
    tally: str | None

    @property
    def personal(self) -> bool:
        """Whether rows are about persons or households."""
        return self.counted in ("persons", "households")

    @property
    def person(self) -> str | None:
        """Column with the number of the person that a row is about: the first text of the key."""
        if self.counted != "persons":
            return None
        return next((name for name in self.key if self.column(name).type == "string"), None)

    @property
    def summed(self) -> tuple[str, ...]:
        """Columns that add up: the tally and what is additive with it, none for statements."""
        tallied = [c.name for c in self.columns if c.additive or c.name == self.tally]
        return tuple(tallied) if self.tally else ()

    def column(self, name: str) -> Column:
        """Return a column by its name (KeyError when there is none)."""
        return {column.name: column for column in self.columns}[name]

    @property
    def dated(self) -> str | None:
        """Column with the day or year of a row, of the key if there is one; None: rows have none.

        Retention is reckoned from it.
        """
        for name in self.key:
            column = self.column(name)
            if column.type == "date" or (column.unit, column.type) == ("year", "integer"):
                return name
        return self.period[0] if self.period else None

    @property
    def period(self) -> tuple[str, str | None] | None:
        """The first date column and, for ``x_start``, the column ``x_days`` if there is one."""
        names = {column.name for column in self.columns}
        for column in self.columns:
            if column.type == "date":
                days = column.name.removesuffix("_start") + "_days"
                return column.name, days if days in names else None
        return None


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type of a contract's column."""
    if column.type == "number":
        precision, scale = column.physical_type.removeprefix("decimal(").rstrip(")").split(",")
        return pa.decimal128(int(precision), int(scale))
    return {"string": pa.string(), "integer": pa.int64(), "date": pa.date32()}[column.type]


# Contracts by the bytes they were read from: a process reads all of them several times.
_read: dict[tuple[bytes, str, str], Contract] = {}


def load_contracts(root: Path) -> dict[str, Contract]:
    """Return all contracts of a project by name, each checked on its own and among the others.

    Raises
    ------
    DatamallError
        For the first mistake: file, place in it, what is wrong.
    """
    contracts = {}
    for path in sorted((root / "data" / "contracts").glob("*/*.yaml")):
        name = f"{path.parent.name}.{path.stem}"
        file = path.relative_to(root).as_posix()
        key = (path.read_bytes(), name, file)
        if key not in _read:
            _read[key] = _contract(load_mapping(path, file), name, file)
        contracts[name] = _read[key]
    for contract in contracts.values():
        for column in contract.columns:
            _check_reference(contract, column, contracts)
    joins.check(contracts)
    return contracts


@cache
def _jsonschema() -> ModuleType:
    with without_grammar():
        return import_module("jsonschema")


@cache
def _validator() -> Any:
    text = resources.files("datamall.mall").joinpath("odcs-3.1.0.json").read_text("utf-8")
    return _jsonschema().Draft201909Validator(json.loads(text))


def _check_standard(document: dict[str, Any], file: str) -> None:
    error = _jsonschema().exceptions.best_match(_validator().iter_errors(document))
    if error is not None:
        place = ".".join(str(step) for step in error.absolute_path) or "the top"
        raise DatamallError(
            f"{file} does not follow the Open Data Contract Standard 3.1: at {place}: "
            f"{error.message.splitlines()[0]}."
        )


def _need(place: str, condition: object, sentence: str) -> None:
    if not condition:
        raise DatamallError(f"{place}: {sentence}.")


def _contract(document: dict[str, Any], name: str, file: str) -> Contract:
    _check_standard(document, file)
    need = partial(_need, file)
    need(document["id"] == name, f"the id is {document['id']!r}; for this file it must be {name!r}")
    need(document["apiVersion"] == "v3.1.0", "apiVersion must be v3.1.0")
    counted = _custom(document).get("counted")
    need(
        counted in COUNTED,
        f"say what one row stands for: a custom property `counted` of {', '.join(COUNTED)}",
    )
    link = _custom(document).get("link_needs_basis", False)
    need(isinstance(link, bool), "link_needs_basis must be true or false")
    about = document.get("description") or {}
    need(document.get("name"), "give the store a name for people: `name`")
    team = document.get("team")
    need(isinstance(team, dict) and team.get("members"), "name the people: `team` with `members`")
    roles = {}
    for role in ("owner", "steward"):
        who = [m["username"] for m in document["team"]["members"] if m.get("role") == role]
        need(who, f"the team has no member with the role {role}: add who that is")
        need(len(who) == 1, f"the team has {' and '.join(who)} with the role {role}: keep one")
        roles[role] = who[0]
    terms = {item["property"]: item for item in document.get("slaProperties", [])}
    need(
        "retention" in terms and "unit" in terms["retention"],
        "say how long rows are kept: an slaProperty `retention` with a value and a unit",
    )
    retention = f"{terms['retention']['value']} {terms['retention']['unit']}"
    try:
        kept_since(retention, date.max)
    except DatamallError as error:
        need(False, str(error))
    objects = document.get("schema") or []
    need(len(objects) == 1, f"the schema must hold one table; it holds {len(objects)}")
    table = objects[0]
    properties = table.get("properties") or []
    need(properties, "the table has no properties: add its columns")
    need(not table.get("relationships"), "put each relationship under its own column")
    columns = tuple(_column(item, f"{file}: column {item['name']}") for item in properties)
    need(
        counted in ("persons", "households") or not any(c.identifier for c in columns),
        f"numbers of persons are in it, and it counts {counted}: count persons or households",
    )
    rules = tuple(_rule(item, columns, file) for item in table.get("quality", []))
    return Contract(
        name=name,
        version=document["version"],
        title=document["name"],
        row=table.get("dataGranularityDescription", ""),
        purpose=about.get("purpose", ""),
        limitations=about.get("limitations", ""),
        counted=str(counted),
        columns=columns,
        key=_key(properties, file),
        rules=rules,
        department=document["team"].get("name") or roles["owner"],
        owner=roles["owner"],
        steward=roles["steward"],
        retention=retention,
        link_needs_basis=link,
        forbidden_joins=joins.read(_custom(document).get("forbidden_joins", []), file),
        tally=_tally(table, columns, file),
    )


def _tally(table: dict[str, Any], columns: tuple[Column, ...], file: str) -> str | None:
    name = _custom(table).get("tally")
    keys = [item["name"] for item in table["properties"] if item.get("primaryKey")]
    countable = [c.name for c in columns if c.type == "integer" and c.name not in keys]
    _need(
        file,
        name is None or name in countable,
        f"tally names the column that counts events, one of whole numbers outside the key: there "
        f"are {', '.join(countable) or 'none'}",
    )
    for column in columns:
        if column.additive and (name is None or column.name in (*keys, name)):
            raise DatamallError(
                f"{file}: column {column.name}: additive is for measures of events, beside a "
                "`tally` of the table and outside the key."
            )
    return None if name is None else str(name)


def _custom(item: dict[str, Any]) -> dict[str, Any]:
    return {entry["property"]: entry["value"] for entry in item.get("customProperties", [])}


def _key(properties: list[dict[str, Any]], file: str) -> tuple[str, ...]:
    keys = {
        item.get("primaryKeyPosition"): item for item in properties if item.get("primaryKey", False)
    }
    count = sum(1 for item in properties if item.get("primaryKey", False))
    if not keys or sorted(keys, key=str) != sorted(range(1, count + 1), key=str):
        raise DatamallError(
            f"{file}: the table needs a key: primaryKey with primaryKeyPosition 1, 2, … on the "
            "columns that no two rows share."
        )
    for item in keys.values():
        if not item.get("required", False):
            raise DatamallError(f"{file}: column {item['name']} is in the key: make it required.")
    return tuple(keys[position]["name"] for position in range(1, count + 1))


def _column(item: dict[str, Any], place: str) -> Column:
    def need(condition: object, sentence: str) -> None:
        if not condition:
            raise DatamallError(f"{place}: {sentence}.")

    kind, physical = str(item.get("logicalType")), str(item.get("physicalType", "")).lower()
    need(NAME.fullmatch(item["name"]), "a name is lower-case letters, digits and _")
    need(kind in PHYSICAL, f"logicalType must be one of {', '.join(PHYSICAL)}")
    need(
        re.fullmatch(PHYSICAL[kind], physical),
        f"physicalType {physical!r} does not go with {kind}: use "
        + {"number": "decimal(p,s)"}.get(kind, PHYSICAL[kind]),
    )
    need(item.get("description"), "say what it means: `description`")
    options = item.get("logicalTypeOptions", {})
    for option in sorted(options.keys() - OPTIONS):
        need(False, f"{option} is not checked by intake: use {', '.join(sorted(OPTIONS))}")
    need(not item.get("unique") or item.get("primaryKey"), "`unique` is checked for keys only")
    custom = _custom(item)
    unit, profiling = custom.get("unit"), custom.get("profiling")
    need(
        profiling is None or re.match("(permitted|forbidden): .", str(profiling)),
        "profiling must be `permitted: ` or `forbidden: ` and the reason",
    )
    need(unit or kind not in ("integer", "number"), "give its unit: a custom property `unit`")
    additive = custom.get("additive", False)
    need(isinstance(additive, bool), "additive must be true or false")
    need(not additive or kind in ("integer", "number"), f"a {kind} cannot be added: not additive")
    totals = custom.get("totals", False)
    need(isinstance(totals, bool), "totals must be true or false")
    identifier = custom.get("identifier")
    need(
        identifier is None or (identifier, kind) == (SERVICE_NUMBER, "string"),
        f"identifier must be `{SERVICE_NUMBER}`, of a string",
    )
    outline = custom.get("outline", False)
    need(isinstance(outline, bool), "outline must be true or false")
    need(not outline or (kind == "string" and not options), "an outline is a string without limits")
    bounds = [_bound(options.get(end), kind, place) for end in ("minimum", "maximum")]
    need(None in bounds or bounds[0] <= bounds[1], "minimum is above maximum")
    pattern = options.get("pattern")
    if pattern is not None:
        _clause(f"regexp_full_match('', {literal(pattern)})", {}, place)
    return Column(
        name=item["name"],
        title=item.get("businessName", item["name"]),
        description=item["description"],
        type=kind,
        physical_type=physical,
        required=item.get("required", False),
        minimum=bounds[0],
        maximum=bounds[1],
        min_length=options.get("minLength"),
        max_length=options.get("maxLength"),
        pattern=pattern,
        values=_values(item, kind, place),
        reference=_reference(item, place),
        unit=unit,
        absent=custom.get("absent"),
        family=custom.get("family"),
        profiling=profiling,
        additive=additive,
        totals=totals,
        identifier=identifier,
        outline=outline,
    )


def _bound(value: Any, kind: str, place: str) -> Any:
    convert: dict[str, Callable[[str], Any]] = {"date": date.fromisoformat, "integer": int}
    try:
        return None if value is None else convert.get(kind, Decimal)(str(value))
    except (ValueError, ArithmeticError):
        raise DatamallError(f"{place}: the bound {value!r} is no {kind}.") from None


def _values(item: dict[str, Any], kind: str, place: str) -> tuple[str, ...] | None:
    found = None
    for check in item.get("quality", []):
        values = check.get("arguments", {}).get("validValues")
        if (
            (check.get("metric"), check.get("mustBe"), kind) != ("invalidValues", 0, "string")
            or not isinstance(values, list)
            or not all(isinstance(value, str) for value in values)
            or found
        ):
            raise DatamallError(
                f"{place}: of quality checks on a column intake knows one: library metric "
                "invalidValues with mustBe 0 and, for a string, a list of texts validValues."
            )
        found = tuple(values)
    return found


def _reference(item: dict[str, Any], place: str) -> tuple[str, str] | None:
    relations = item.get("relationships", [])
    if not relations:
        return None
    target = REFERENCE.fullmatch(str(relations[0]["to"]))
    if len(relations) > 1 or not target:
        raise DatamallError(
            f"{place}: give one relationship, `to: "
            "department/store.yaml#schema/store/properties/column`, from data/contracts."
        )
    return f"{target['department']}.{target['store']}", target["column"]


def _check_reference(contract: Contract, column: Column, all_of: Mapping[str, Contract]) -> None:
    if column.reference is None:
        return
    store, name = column.reference
    target = all_of.get(store)
    if target is None or target is contract or target.key != (name,):
        raise DatamallError(
            f"Contract {contract.name}, column {column.name}: it refers to {store}.{name}, which "
            "is not the key of another store: name a column that is."
        )
    if target.column(name).type != column.type:
        raise DatamallError(
            f"Contract {contract.name}, column {column.name}: it is a {column.type} and refers to "
            f"{store}.{name}, a {target.column(name).type}: give both the same type."
        )


def _rule(item: dict[str, Any], columns: tuple[Column, ...], file: str) -> Rule:
    name, text = item.get("name") or "", item.get("implementation")
    place = f"{file}: rule {name or '?'}"
    if item.get("engine") != "datamall" or not isinstance(text, str) or not item.get("description"):
        raise DatamallError(
            f"{place}: of rules on a table intake knows one kind: type custom, engine datamall, "
            "with a name, a description and an SQL expression as implementation."
        )
    if not NAME.fullmatch(name):
        raise DatamallError(f"{place}: a name is lower-case letters, digits and _.")
    types = {column.name: column.physical_type for column in columns}
    used = _clause(text, types, place)
    unknown = [name for name in used if name not in types]
    if unknown:
        raise DatamallError(f"{place}: the contract has no column {unknown[0]}.")
    try:
        kind = type_of(text, types)
    except DatamallError as error:
        raise DatamallError(f"{place}: {error}.") from None
    if kind != "BOOLEAN":
        raise DatamallError(f"{place}: `{text}` gives a {kind.lower()}, not true or false.")
    return Rule(name, item["description"], text, tuple(used))


def _clause(expression: str, types: Mapping[str, str], place: str) -> list[str]:
    try:
        used = columns_of(expression)
        if not used:
            type_of(expression, types)
        return used
    except DatamallError as error:
        raise DatamallError(f"{place}: {error}.") from None
