"""Whatever byte of the log is another one, the entry that it belongs to is named."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamall.errors import DatamallError
from datamall.mall.log import logbook


@pytest.fixture(scope="module")
def project() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.delenv(logbook.ELSEWHERE, raising=False)
        for number in range(12):
            logbook.write(Path(name), "gate", report="r" * number, words='é " \\ \n')
        yield Path(name)


@given(st.data())
def test_a_flipped_byte_names_its_entry(project: Path, data: st.DataObject) -> None:
    path = project / "data" / "log" / "entries.log"
    good = path.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1), label="byte")
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != good[at]), label="is now")
    number = good.count(b"\n", 0, at) + 1
    path.write_bytes(good[:at] + bytes([other]) + good[at + 1 :])
    try:
        with pytest.raises(DatamallError, match=rf"^Entry {number} of the log"):
            logbook.whole(project)
    finally:
        path.write_bytes(good)


@given(st.data())
def test_a_flipped_byte_of_the_head_costs_nothing(project: Path, data: st.DataObject) -> None:
    """It is kept for speed and for logs that were cut; the entries do not depend on it."""
    log = project / "data" / "log"
    kept = {path: path.read_bytes() for path in (log / "entries.log", log / "head.json")}
    good = kept[log / "head.json"]
    at = data.draw(st.integers(0, len(good) - 1), label="byte")
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != good[at]), label="is now")
    (log / "head.json").write_bytes(good[:at] + bytes([other]) + good[at + 1 :])
    try:
        before = logbook.whole(project)
        logbook.write(project, "gate")
        assert logbook.whole(project)[:-1] == before
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
