import pandas as pd
import pytest

from datamall.requirements import REGISTRY, Absent, needs, passes_absent


def test_a_chapter_runs_or_names_what_it_lacks() -> None:
    @needs("Habits", "a.b.count", varying=("a.b.role",))
    def habits(data: dict[str, pd.DataFrame]) -> int:
        """Add up."""
        return int(data["a.b"]["count"].sum())

    full = pd.DataFrame({"role": ["x", "y"], "count": [1, 2]})
    assert habits({"a.b": full}) == 3
    assert habits.__name__ == "habits"

    lacking = habits({"a.b": full[["role"]]})
    assert isinstance(lacking, Absent)
    assert lacking.chapter == "Habits"
    assert "a.b.count" in lacking.reason
    assert "role" not in lacking.reason

    assert "one value only" in habits({"a.b": full.assign(role="x")}).reason
    assert "deliver a.b.count and a.b.role." in habits({"a.b": full[[]]}).reason
    assert habits({}).reason == "Not possible here: the authority does not deliver the store a.b."


def test_a_column_without_any_value_is_not_there() -> None:
    @needs("Spells", "a.b.count")
    def spells(data: dict[str, pd.DataFrame]) -> list[str]:
        """Return the columns that the chapter sees."""
        return list(data["a.b"])

    table = pd.DataFrame({"count": [1, 2], "again": [None, "x"]})
    assert spells({"a.b": table}) == ["count", "again"]
    assert spells({"a.b": table.assign(again=None), "a.c": table.head(0)}) == ["count"]
    never = spells({"a.b": table.assign(count=None)})
    assert never.reason == "Not possible here: a.b.count was never filled."
    assert (
        spells({"a.b": table.head(0)}).reason == "Not possible here: the store a.b holds no rows."
    )
    # Where no value is an answer the chapter sees all.
    whole = needs("Spells", "a.b.count", blank=True)(lambda data: list(data["a.b"]))
    assert whole({"a.b": table.assign(count=None)}) == ["count", "again"]


def test_registers_of_the_mall_may_be_empty() -> None:
    reasons = needs("Reasons", "mall.reasons.reason")(lambda data: len(data["mall.reasons"]))
    assert reasons({"mall.reasons": pd.DataFrame({"reason": []})}) == 0


def test_chapters_are_registered_under_their_package() -> None:
    def chapter(data: object) -> None:
        """Do nothing."""

    chapter.__module__ = "datamall.somewhere.knowledge"
    needs("Title", "a.b.c")(chapter)
    assert [c.title for c in REGISTRY.pop("somewhere")] == ["Title"]


def test_what_follows_from_a_gap_is_that_gap() -> None:
    gap = Absent("Rates", "Not possible here: no counts.")
    calls = []

    @passes_absent
    def add(first: int, second: int = 1) -> int:
        """Add."""
        calls.append(first)
        return first + second

    assert add(1, second=2) == 3
    assert add(gap) is gap
    assert add(1, second=gap) is gap
    assert calls == [1]
    assert gap.head(20) is gap
    assert gap[gap["kind"] == "all places"] is gap


def test_nobody_goes_through_what_is_missing_for_ever() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        set(Absent("A", "No looks."))
