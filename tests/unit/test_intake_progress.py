"""What somebody at a terminal sees while a store is taken in, and what nobody sees."""

import io
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from tiny_intake import take_in, write_project

from datamall.mall.intake import progress

BATCH = pa.record_batch({"n": list(range(1500))})


class Screen(io.StringIO):
    """A terminal, or what a program's messages are written to otherwise."""

    terminal = True

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "OFTEN", 0)


def taken_in(screen: Screen, personal: bool) -> str:
    """Return what the screen shows of two files of 1,500 records each."""
    source = SimpleNamespace(paths=["a", "b"], parts=[], empty=[], parsed=0)

    def batches() -> Iterator[pa.RecordBatch]:
        for name in source.paths:
            source.parsed += BATCH.num_rows
            yield BATCH
            source.parts.append(name)

    contract: Any = SimpleNamespace(name="shop.things", personal=personal)
    with redirect_stderr(screen):
        own = progress.Progress(contract, [source])  # type: ignore[list-item]
        read = list(own.reading(batches()))
        assert list(own.checked(read)) == [BATCH, BATCH]
    return screen.getvalue()


def test_files_and_records_are_counted_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LONG", 0)
    said = taken_in(Screen(), personal=False)
    assert "shop.things: files read 1 of 2, 3,000 records [00:00]" in said
    assert "shop.things: rows written 1,500 of 3,000 [00:00]" in said


def test_of_persons_only_files_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LONG", 0)
    said = taken_in(Screen(), personal=True)
    assert "files read 1 of 2 [00:00]" in said
    assert "500" not in said
    assert "000" not in said


def test_nothing_is_said_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LONG", 0)
    monkeypatch.setattr(Screen, "terminal", False)
    assert taken_in(Screen(), personal=False) == ""


def test_a_short_intake_says_nothing_even_on_one(tmp_path: Path) -> None:
    with redirect_stderr(screen := Screen()):
        take_in(write_project(tmp_path))
    assert "files read" not in screen.getvalue()
