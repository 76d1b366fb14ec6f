"""The demo's raw files are made anew without touching what a person put beside them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from datamall.demo import refresh
from datamall.errors import DatamallError


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], dict[str, str]]:
    """Return a function that makes a small demo and says what lies in its folder."""

    def make(folder: Path, seed: int) -> None:
        folder.mkdir(parents=True)
        for number in range(1 + seed % 3):
            (folder / f"counts_{number}.csv").write_text(f"{seed}\n", "utf-8")

    monkeypatch.setattr(refresh, "make", make)

    def run(seed: int) -> dict[str, str]:
        refresh.refresh(tmp_path, seed)
        folder = tmp_path / "data" / "raw" / "demo"
        assert [path.name for path in folder.parent.iterdir()] == ["demo"]
        return {p.name: p.read_text("utf-8") for p in folder.iterdir() if p.name != refresh.MADE}

    return run


def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "raw" / "demo"


def test_what_a_person_put_there_stays(tmp_path: Path, made: Callable) -> None:
    assert made(2) == {f"counts_{n}.csv": "2\n" for n in range(3)}
    (folder(tmp_path) / "counts_today.csv").write_text("7\n", "utf-8")
    assert made(4) == {
        "counts_0.csv": "4\n",
        "counts_1.csv": "4\n",
        "counts_today.csv": "7\n",
    }  # counts_2 was of the earlier seed, and as it had been made
    listed = json.loads((folder(tmp_path) / refresh.MADE).read_text("utf-8"))
    assert sorted(listed) == ["counts_0.csv", "counts_1.csv"]


def test_an_edited_file_is_not_replaced(tmp_path: Path, made: Callable) -> None:
    made(2)
    (folder(tmp_path) / "counts_0.csv").write_text("edited\n", "utf-8")
    (folder(tmp_path) / "counts_2.csv").write_text("kept\n", "utf-8")
    before = {path: path.read_bytes() for path in folder(tmp_path).iterdir()}
    with pytest.raises(DatamallError, match=r"data/raw/demo/counts_0\.csv is not as the demo made"):
        made(4)
    assert {path: path.read_bytes() for path in folder(tmp_path).iterdir()} == before
    (folder(tmp_path) / "counts_0.csv").unlink()
    # An edited file that is no longer made is a person's.
    assert made(4) == {"counts_0.csv": "4\n", "counts_1.csv": "4\n", "counts_2.csv": "kept\n"}


def test_a_file_that_was_there_before_the_first_time(tmp_path: Path, made: Callable) -> None:
    folder(tmp_path).mkdir(parents=True)
    (folder(tmp_path) / "counts_0.csv").write_text("1\n", "utf-8")
    assert made(1)["counts_0.csv"] == "1\n"  # the same bytes
    (folder(tmp_path) / refresh.MADE).unlink()
    with pytest.raises(DatamallError, match="take it elsewhere"):
        made(2)
