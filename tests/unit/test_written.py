"""What a person writes is refused in one sentence: where, what, and what may be written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from datamall.errors import DatamallError
from datamall.written import Ends, Filled, Text, read_as


@dataclass(frozen=True)
class Range:
    kind: Literal["ratio", "difference"]
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise DatamallError("low lies above high: exchange them.")


@dataclass(frozen=True)
class Check:
    name: Text
    range: Range | None = None
    gating: bool = True


@dataclass(frozen=True)
class Plan:
    groups: Annotated[tuple[str, ...], Filled()]
    checks: tuple[Check, ...] = ()
    depth: Annotated[int, Ends(1, 3)] = 1
    level: Annotated[float, Ends(0.5, below=1)] = 0.95
    reference: Literal["rest"] | Mapping[str, str] = "rest"
    labels: Mapping[str, Mapping[str, bool | None]] = field(default_factory=dict)
    anything: Any = None


WHOLE = {
    "groups": ["sex", "origin"],
    "checks": [{"name": "a", "range": {"kind": "ratio", "low": 1, "high": 2}}, {"name": "b"}],
    "depth": 3,
    "level": 0.5,
    "reference": {"sex": "man"},
    "labels": {"any": {"yes": True, "no": False, "unclear": None}},
    "anything": [1, {"x": "y"}],
}


def test_everything_that_is_written_is_read() -> None:
    plan = read_as(Plan, WHOLE, "plan")
    first, second = plan.checks
    assert first == Check("a", Range("ratio", 1.0, 2.0))
    assert first.range is not None and type(first.range.low) is float
    assert second == Check("b")
    assert (plan.groups, plan.depth, plan.level) == (("sex", "origin"), 3, 0.5)
    assert plan.reference == WHOLE["reference"]
    assert plan.labels == WHOLE["labels"]
    assert plan.anything == WHOLE["anything"]


def test_null_is_the_default_of_what_has_one() -> None:
    nothing = dict.fromkeys(["checks", "depth", "level", "reference", "labels"])
    assert read_as(Plan, {"groups": ["sex"], **nothing}, "plan") == Plan(("sex",))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ([1], "plan: write `word: value` lines here, not [1]."),
        ({"groups": None}, "plan: groups is None: it must be a list, each text, not empty."),
        ({"groups": []}, "plan: groups is []: it must be a list, each text, not empty."),
        ({"groups": "sex"}, "plan: groups is 'sex': it must be a list, each text, not empty."),
        ({"groups": ["a", "b", "a"]}, "plan: groups has 'a' twice: keep one."),
        ({"groups": ["a", 2]}, "plan: groups, number 2 is 2: it must be text."),
        ({"depht": 2}, "plan: unknown key 'depht': there are groups, checks, depth, level, "),
        ({"depth": 4}, "plan: depth is 4: it must be a whole number from 1 to 3."),
        ({"depth": True}, "plan: depth is True: it must be a whole number from 1 to 3."),
        ({"depth": 2.0}, "plan: depth is 2.0: it must be a whole number from 1 to 3."),
        ({"level": 1}, "plan: level is 1: it must be a number from 0.5 and below 1."),
        ({"level": "0.9"}, "plan: level is '0.9': it must be a number from 0.5 and below 1."),
        ({"level": float("nan")}, "plan: level is nan: it must be a number"),
        ({"reference": "man"}, "reference is 'man': it must be rest or `word: value` lines."),
        ({"reference": {"sex": 1}}, "plan: reference, sex is 1: it must be text."),
        ({"labels": {"any": {"no": 0}}}, "plan: labels, any, no is 0: it must be true or false."),
        ({"labels": {"any": 3}}, "plan: labels, any is 3: it must be `word: value` lines."),
        ({"checks": "a"}, "plan: checks is 'a': it must be a list, each `word: value` lines."),
        ({"checks": ["a"]}, "plan, checks, number 1: write `word: value` lines here, not 'a'."),
        ({"checks": [{"name": " "}]}, "plan, checks ' ': name is ' ': it must be text, not empty."),
        (
            {"checks": [{"gating": True}]},
            "plan, checks, number 1: name is missing: it must be text",
        ),
        (
            {"checks": [{"name": "a", "gating": 1}]},
            "plan, checks 'a': gating is 1: it must be true",
        ),
        (
            {"checks": [{"name": "a", "range": {"kind": "odds"}}]},
            "plan, checks 'a', range: kind is 'odds': it must be ratio or difference.",
        ),
        (
            {"checks": [{"name": "a", "range": {"kind": "ratio", "low": 2, "high": 1}}]},
            "plan, checks 'a', range: low lies above high: exchange them.",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(change: Any, sentence: str) -> None:
    with pytest.raises(DatamallError) as caught:
        read_as(Plan, WHOLE | change if isinstance(change, dict) else change, "plan")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
