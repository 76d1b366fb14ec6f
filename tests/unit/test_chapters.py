import pandas as pd

from datamall.chapters import REGISTRY, Gap, needs


def test_a_chapter_runs_or_names_what_it_lacks() -> None:
    @needs("Habits", "a.b.count", varying=("a.b.role",))
    def habits(data: dict[str, pd.DataFrame]) -> int:
        """Add up."""
        return int(data["a.b"]["count"].sum())

    full = pd.DataFrame({"role": ["x", "y"], "count": [1, 2]})
    assert habits({"a.b": full}) == 3
    assert habits.__name__ == "habits"

    lacking = habits({"a.b": full[["role"]]})
    assert isinstance(lacking, Gap)
    assert lacking.chapter == "Habits"
    assert "a.b.count" in lacking.reason
    assert "role" not in lacking.reason

    assert "one value only" in habits({"a.b": full.assign(role="x")}).reason
    assert "a.b.role and a.b.count" not in habits({}).reason
    assert "a.b.count and a.b.role" in habits({}).reason


def test_chapters_are_registered_under_their_package() -> None:
    def chapter(data: object) -> None:
        """Do nothing."""

    chapter.__module__ = "datamall.somewhere.knowledge"
    needs("Title", "a.b.c")(chapter)
    assert [c.title for c in REGISTRY.pop("somewhere")] == ["Title"]
