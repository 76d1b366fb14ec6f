"""Each contract is broken in every way it forbids, one row at a time, and each row is refused.

The rows come from the contracts themselves: a contract that is added is tested without an edit.
Left out are the mall's registers: the door makes them itself, so that no raw rows are taken in.
"""

import csv
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import stores_at_rest
from hypothesis import find
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from datamall.mall.contracts import Column, Contract, load_contracts
from datamall.mall.deliveries import decide
from datamall.mall.expressions import identifier, literal
from datamall.mall.intake import intake

ROOT = Path(__file__).parents[2]
CONTRACTS = {
    name: contract
    for name, contract in load_contracts(ROOT).items()
    if not name.startswith("mall.")
}
ROWS = 300  # more than any contract has mutations
TOWER = {"x": Decimal(155000), "y": Decimal(463000)}  # of Amersfoort, in the Dutch grid
Row = dict[str, Any]


@dataclass(frozen=True)
class Mutation:
    """A change to one valid row, and the reason with which it must be refused."""

    store: str
    name: str
    reason: str
    change: Callable[[Row], list[Row]]


def step(column: Column) -> Any:
    """Return the smallest difference between two values."""
    if column.type == "number":
        scale = int(column.physical_type.rstrip(")").split(",")[1])
        return Decimal(1).scaleb(-scale)
    return timedelta(days=1) if column.type == "date" else 1


def triangle(size: int, last: str = "") -> str:
    """Return an area; `last` is another end of its ring than its beginning."""
    x, y = TOWER["x"], TOWER["y"]
    return f"POLYGON (({x} {y}, {x + size + 1} {y}, {x} {y + size + 1}, {last or f'{x} {y}'}))"


def line(length: int) -> str:
    return f"LINESTRING ({TOWER['x']} {TOWER['y']}, {TOWER['x'] + length + 1} {TOWER['y']})"


def valid_values(column: Column, count: int) -> list[Any]:
    """Return that many valid values, all different where the column allows it."""
    if column.reference:
        store, name = column.reference
        return [row[name] for row in ROWS_OF[store]][:count]
    if column.values:
        return [column.values[i % len(column.values)] for i in range(count)]
    if column.outline:
        return [(triangle if i % 2 else line)(i) for i in range(count)]
    if column.type == "string":
        low, high = max(column.min_length or 1, 1), column.max_length or 20
        numbered = [f"{i:0{min(high, max(low, 3))}d}" for i in range(count)]
        if column.pattern:
            text = st.from_regex(column.pattern, fullmatch=True).filter(
                lambda value: low <= len(value) <= high and value == value.strip()
            )
            if all(re.fullmatch(column.pattern, value) for value in numbered):
                return numbered
            try:
                some = find(st.lists(text, min_size=5, max_size=5, unique=True), lambda _: True)
            except Unsatisfiable:
                some = [find(text, lambda _: True)]
            return [some[i % len(some)] for i in range(count)]
        return numbered
    zero: Any = date(2000, 1, 1) if column.type == "date" else type(step(column))(0)
    first = zero if column.minimum is None else column.minimum
    if column.name in TOWER:  # limits of places are those of the authority's grid
        first = TOWER[column.name]
    values = [first + i * step(column) for i in range(count)]
    return [
        value if column.maximum is None or value <= column.maximum else first for value in values
    ]


def holds(contract: Contract, row: Row) -> list[bool | None]:
    """Return what each rule of a contract says about a row."""
    if not contract.rules:
        return []
    types = {column.name: column.physical_type for column in contract.columns}
    said = {name: "NULL" if value == "" else literal(str(value)) for name, value in row.items()}
    columns = ", ".join(
        f"CAST({value} AS {types[name]}) AS {identifier(name)}" for name, value in said.items()
    )
    rules = ", ".join(rule.expression for rule in contract.rules)
    found = duckdb.sql(f"SELECT {rules} FROM (SELECT {columns})").fetchone()
    assert found is not None
    return list(found)


def free_text(column: Column) -> bool:
    return column.type == "string" and not (column.values or column.pattern or column.reference)


def search(contract: Contract, row: Row, wanted: list[bool], columns: tuple[str, ...]) -> Row:
    """Return the row with other valid values in some columns, so that the rules say `wanted`."""
    chance = random.Random(1)
    choices = {}
    for name in columns:
        column = contract.column(name)
        low, high = column.minimum, column.maximum
        ends = [end for end in (low, high) if end is not None]
        if column.type == "number" and low is not None and low < 0:  # type: ignore[operator]
            ends.append(Decimal(0))
        same = [row[c.name] for c in contract.columns if free_text(c) and free_text(column)]
        nothing = [] if column.required else [""]
        choices[name] = [*valid_values(column, 5), *ends, *same, *nothing]
    for _ in range(2000):
        changed = {**row, **{name: chance.choice(values) for name, values in choices.items()}}
        if [answer is not False for answer in holds(contract, changed)] == wanted:
            return changed
    raise AssertionError(f"no row of {contract.name} found for which its rules say {wanted}")


def another(contract: Contract, row: Row) -> Row:
    """Return another valid row with the same key."""
    for column in contract.columns:
        if column.name not in contract.key:
            # Half of a place would be refused for what it is.
            blank = [] if column.required or column.name in TOWER else [""]
            for value in [*blank, *valid_values(column, 2)]:
                changed = {**row, column.name: value}
                if changed != row and False not in holds(contract, changed):
                    return changed
    raise AssertionError(f"no two rows of {contract.name} with one key")


def valid_rows(contract: Contract) -> list[Row]:
    """Return rows that the contract accepts, each with a key of its own."""
    keyed = [contract.column(name) for name in contract.key]
    values = {column.name: valid_values(column, ROWS) for column in keyed}
    base = {c.name: valid_values(c, 1)[0] for c in contract.columns if c.name not in values}
    first = {**base, **{name: some[0] for name, some in values.items()}}
    free = tuple(sorted({name for rule in contract.rules for name in rule.columns} - set(values)))
    if not all(holds(contract, first)):
        first = search(contract, first, [True] * len(contract.rules), free)
    rows = [{**first, **{name: some[i] for name, some in values.items()}} for i in range(ROWS)]
    if any(set(rule.columns) & set(values) for rule in contract.rules):
        good = [True] * len(contract.rules)
        rows = [r if all(holds(contract, r)) else search(contract, r, good, free) for r in rows]
    assert len({tuple(row[name] for name in contract.key) for row in rows}) == ROWS
    return [{column.name: row[column.name] for column in contract.columns} for row in rows]


def in_order() -> list[str]:
    """Return the stores, each after those that it refers to."""
    done: list[str] = []
    while len(done) < len(CONTRACTS):
        for name, contract in CONTRACTS.items():
            needs = {column.reference[0] for column in contract.columns if column.reference}
            if name not in done and needs <= set(done):
                done.append(name)
    return done


ROWS_OF: dict[str, list[Row]] = {}
for store in in_order():
    ROWS_OF[store] = valid_rows(CONTRACTS[store])


def put(column: Column, value: Any) -> Callable[[Row], list[Row]]:
    return lambda row: [{**row, column.name: value}]


def mutations(contract: Contract) -> Iterator[Mutation]:
    """Yield everything that a contract forbids."""
    for c in contract.columns:

        def broken(name: str, reason: str, value: Any, column: Column = c) -> Mutation:
            change = put(column, value)
            return Mutation(
                contract.name, f"{column.name} {name}", f"{reason}:{column.name}", change
            )

        if c.required:
            yield broken("missing", "required", "")
        if c.minimum is not None:
            yield broken("below minimum", "range", c.minimum - step(c))
        if c.maximum is not None:
            yield broken("above maximum", "range", c.maximum + step(c))
        if c.type == "integer":
            yield broken("with a fraction", "type", "1.5")
        if c.type in ("integer", "number"):
            yield broken("too large for its type", "range", "9" * 40)
            yield broken("as a word", "type", "one")
        if c.type == "date":
            yield broken("of no calendar", "type", "2025-02-30")
        if c.min_length is not None and c.min_length > 1:
            yield broken("too short", "length", "x" * (c.min_length - 1))
        if c.max_length is not None:
            yield broken("too long", "length", "x" * (c.max_length + 1))
        length = max(c.min_length or 1, 1)
        if c.pattern is not None:
            yield broken("against the pattern", "pattern", "\u00a7" * length)
        if c.values is not None:
            yield broken("not in the list", "value", "no such value")
        if c.outline:
            yield broken("of no shape", "outline", "round the church")
            yield broken("not closed", "open_ring", triangle(3, last="1 1"))
        if c.reference is not None:
            yield broken("referring to nothing", "reference", "?" * length)
    for number, rule in enumerate(contract.rules):
        wanted = [i != number for i in range(len(contract.rules))]
        fixed = {name for name in contract.key if not contract.column(name).values}
        free = tuple(sorted(set(rule.columns) - fixed))

        def against(row: Row, wanted: Any = wanted, free: Any = free) -> list[Row]:
            return [search(contract, row, wanted, free)]

        yield Mutation(contract.name, f"against {rule.name}", f"rule:{rule.name}", against)
    yield Mutation(contract.name, "twice", "duplicate", lambda row: [row, row])
    if len(contract.columns) > len(contract.key):
        yield Mutation(
            contract.name,
            "twice, with a difference",
            "conflict",
            lambda row: [row, another(contract, row)],
        )


ALL = [mutation for contract in CONTRACTS.values() for mutation in mutations(contract)]


@dataclass(frozen=True)
class Outcome:
    """What came of a store with broken rows: the report, row → reason, mutation → its rows."""

    report: dict[str, Any]
    reasons: dict[int, str]
    rows: dict[str, range]
    valid: int


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Take in the valid rows of every store, then each store again with its broken rows."""
    root = tmp_path_factory.mktemp("mutations")
    shutil.copytree(ROOT / "data" / "contracts", root / "data" / "contracts")
    (root / "data" / "authorities").mkdir()
    (root / "data" / "raw" / "broken").mkdir(parents=True)
    mapping = {
        "authority": "broken",
        "title": "Broken rows",
        "synthetic": True,
        "files": {name: {"path": f"{name}.csv", "format": "csv"} for name in CONTRACTS},
        "stores": {
            name: {"file": name, "columns": {c.name: {"from": c.name} for c in contract.columns}}
            for name, contract in CONTRACTS.items()
        },
    }
    (root / "data" / "authorities" / "broken.yaml").write_text(json.dumps(mapping))

    def take_in(name: str, lines: list[Row]) -> dict[str, Any]:
        with (root / "data" / "raw" / "broken" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, [column.name for column in CONTRACTS[name].columns])
            writer.writeheader()
            writer.writerows(lines)
        # So much is put aside that it would wait for the steward.
        decide(root, "broken", name, "accepted", f"{name}.csv", "steward", "broken on purpose")
        return intake(root, "broken", name)

    for name in in_order():
        report = take_in(name, ROWS_OF[name])
        assert report["accepted"] == ROWS, (name, report["reasons"])
    found = {}
    for name in reversed(in_order()):  # a store is broken after those that refer to it
        rows = list(ROWS_OF[name])
        lines: list[Row] = []
        places = {}
        for mutation in (mutation for mutation in ALL if mutation.store == name):
            broken = mutation.change(rows.pop())
            places[mutation.name] = range(len(lines) + 2, len(lines) + 2 + len(broken))
            lines += broken
        empty = {column.name: "" for column in CONTRACTS[name].columns if not column.required}
        rows[0] = {**rows[0], **empty}  # allowed, where the rules allow it
        if False in holds(CONTRACTS[name], rows[0]):
            free = {column for rule in CONTRACTS[name].rules for column in rule.columns}
            free -= {*empty, *CONTRACTS[name].key}
            wanted = [True] * len(CONTRACTS[name].rules)
            rows[0] = search(CONTRACTS[name], rows[0], wanted, tuple(sorted(free)))
        report = take_in(name, lines + rows)
        quarantine = stores_at_rest.rows(root, "broken", name, quarantine=True)
        reasons = {row["row"]: row["reason"] for row in quarantine.to_pylist()}
        found[name] = Outcome(report, reasons, places, len(rows))
    return found


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: f"{mutation.store} {mutation.name}")
def test_a_broken_row_is_refused_for_what_is_broken(
    outcomes: dict[str, Outcome], mutation: Mutation
) -> None:
    outcome = outcomes[mutation.store]
    reasons = [outcome.reasons.get(row) for row in outcome.rows[mutation.name]]
    wanted = [mutation.reason] * len(reasons)
    if mutation.reason == "duplicate":
        wanted[0] = None  # the first of two equal rows is kept
    assert reasons == wanted


@pytest.mark.parametrize("store", CONTRACTS)
def test_no_other_row_is_refused(outcomes: dict[str, Outcome], store: str) -> None:
    outcome = outcomes[store]
    broken = {row for rows in outcome.rows.values() for row in rows}
    assert set(outcome.reasons) <= broken
    assert outcome.report["accepted"] == outcome.valid + 1  # and the first of the equal rows


@pytest.mark.parametrize("store", CONTRACTS)
def test_nothing_that_a_contract_says_goes_without_a_mutation(store: str) -> None:
    contract = CONTRACTS[store]
    broken = {mutation.reason for mutation in ALL if mutation.store == store}
    said = {f"rule:{rule.name}" for rule in contract.rules} | {"duplicate"}
    for column in contract.columns:
        said |= {f"required:{column.name}"} if column.required else set()
        for kind, demand in {
            "range": (column.minimum, column.maximum),
            "length": (column.max_length,),
            "pattern": (column.pattern,),
            "value": (column.values,),
            "reference": (column.reference,),
            "outline": (column.outline or None,),
        }.items():
            said |= {f"{kind}:{column.name}"} if set(demand) != {None} else set()
        said |= {f"type:{column.name}"} if column.type != "string" else set()
    assert said <= broken
