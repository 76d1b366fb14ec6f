"""No contract slips by steps: where each of two changes is free, both together are."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamall.mall.contracts import COUNTED
from datamall.mall.strictness import digest, looser

NAMES = ("client", "year", "sex")


def maybe(values: Any) -> Any:
    return st.none() | values


def without_nothing(about: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in about.items() if value not in (None, False)}


WHOLE = st.integers(-3, 3)
COLUMN = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["bigint", "varchar"]),
        "required": st.booleans(),
        "minimum": maybe(WHOLE.map(str)),
        "maximum": maybe(st.decimals(-3, 3, places=1).map(str)),
        "min_length": maybe(st.integers(0, 3)),
        "max_length": maybe(st.integers(0, 3)),
        "pattern": maybe(st.sampled_from(["[a-z]", "[0-9]"])),
        "values": maybe(st.lists(st.sampled_from("abc"), unique=True, min_size=1).map(sorted)),
        "reference": maybe(st.sampled_from(["a.b.c", "a.d.c"])),
        "identifier": maybe(st.just("citizen service number")),
        "not_for_profiling": st.booleans(),
        "totals": st.booleans(),
    }
).map(without_nothing)
TERMS = st.fixed_dictionaries(
    {
        "store": st.just("a.store"),
        "counted": st.sampled_from(COUNTED),
        "person": maybe(st.just("client")),
        "key": st.lists(st.sampled_from(NAMES), unique=True, min_size=1),
        "link_needs_basis": st.booleans(),
        "retention": st.sampled_from(["1 y", "12 m", "365 d", "5 y", "61 m"]),
        "forbidden_joins": st.lists(st.sampled_from(["b", "c"]), unique=True),
        "tally": maybe(st.just("year")),
        "rules": st.lists(st.sampled_from(["a < b", "b < c"]), unique=True),
        "columns": st.fixed_dictionaries(dict.fromkeys(NAMES, COLUMN)),
    }
)


@st.composite
def changed(draw: st.DrawFn, terms: dict[str, Any]) -> dict[str, Any]:
    """Return terms of which a few were changed: others are hardly ever both free and different."""
    other = draw(TERMS)
    kept = draw(st.sets(st.sampled_from(sorted(terms))))
    found = {name: (terms if name in kept else other)[name] for name in terms}
    columns = {}
    for name in NAMES:
        was, now = terms["columns"][name], other["columns"][name]
        held = draw(st.sets(st.sampled_from(sorted({*was, *now}))))
        mixed = {n: (was if n in held else now).get(n) for n in {*was, *now}}
        columns[name] = without_nothing(mixed | {"type": was["type"]})
    return found | {"columns": columns}


def _make_free(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Put back each term of which the change alone is less strict."""
    for name in before:
        if name != "columns" and looser(before, {**before, name: after[name]}):
            after[name] = before[name]
    for name, own in after["columns"].items():
        was = before["columns"][name]
        for part in {*was, *own}:
            mixed = without_nothing({**was, part: own.get(part)})
            columns = {**before["columns"], name: mixed}
            if looser(before, {**before, "columns": columns}):
                own[part] = was.get(part)
        after["columns"][name] = without_nothing(own)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.data())
def test_two_free_steps_are_one_free_step(data: st.DataObject) -> None:
    first = data.draw(TERMS)
    second = data.draw(changed(first))
    third = data.draw(changed(second))
    for before, after in ((first, second), (second, third)):
        _make_free(before, after)
        assert looser(before, after) == []
    assert looser(first, third) == []


@given(TERMS, TERMS)
def test_what_differs_is_never_free_both_ways(one: dict[str, Any], other: dict[str, Any]) -> None:
    """But for terms that say the same in other words: 12 months, another order, 1 and 1.0."""
    assert looser(one, one) == []
    if digest(one) != digest(other) and not looser(one, other) and not looser(other, one):
        assert set(one["key"]) == set(other["key"]) and set(one["rules"]) == set(other["rules"])
        assert one["counted"] == other["counted"] and one["tally"] == other["tally"]
