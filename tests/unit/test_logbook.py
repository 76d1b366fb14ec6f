"""The log of use: an entry is whole or absent, nothing is altered or cut unseen, all may write."""

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from datamall.errors import DatamallError
from datamall.mall.log import logbook
from datamall.mall.log.logbook import folder, hashes, read, whole, witness, write
from datamall.mall.log.merkle import leaf_hash, root


@pytest.fixture(autouse=True)
def usual_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (logbook.ELSEWHERE, logbook.ROLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the file of a log of nine entries."""
    for number in range(9):
        write(tmp_path, "gate", report="fraud_audit", open=bool(number % 2))
    return tmp_path / "data" / "log" / "entries.log"


def project(log: Path) -> Path:
    return log.parents[2]


def test_an_entry_says_when_who_and_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write(tmp_path, "gate", report="a") == 1
    monkeypatch.setenv(logbook.ROLE, "analyst")
    assert write(tmp_path, "gate", report="b") == 2
    assert write(tmp_path, "registration", report="c", role="ethics committee") == 3
    said = [entry.said for entry in read(tmp_path)]
    assert [one["role"] for one in said] == ["not given", "analyst", "ethics committee"]
    assert {one["account"] for one in said} == {pwd.getpwuid(os.geteuid()).pw_name}
    assert said[0]["at"].endswith("+00:00") and said[0]["at"] <= said[1]["at"] <= said[2]["at"]
    assert (said[2]["event"], said[2]["report"]) == ("registration", "c")


def test_lines_are_leaves_of_the_tree_that_the_head_keeps(log: Path) -> None:
    lines = log.read_bytes().splitlines()
    leaves = [leaf_hash(line[65:]) for line in lines]
    assert [line[:64].decode() for line in lines] == [leaf.hex() for leaf in leaves]
    assert whole(project(log)) == leaves
    head = logbook._head(log.parent)
    assert head and head.tree.root == root(leaves) and head.length == log.stat().st_size
    assert {path.name for path in log.parent.iterdir()} == {"entries.log", "head.json"}
    assert log.parent.stat().st_mode & 0o077 == 0 and log.stat().st_mode & 0o077 == 0


def test_without_an_entry_the_log_is_empty_and_whole(tmp_path: Path) -> None:
    assert list(read(tmp_path)) == [] == whole(tmp_path)


def test_what_a_crash_left_of_a_line_is_removed_and_said(log: Path) -> None:
    """Whatever part of it reached the disk, and whether or not the head was written since."""
    good, head = log.read_bytes(), log.with_name("head.json").read_bytes()
    last = good.rindex(b"\n", 0, -1) + 1
    write(project(log), "gate", report="next")
    line = log.read_bytes()[len(good) :]
    for length in range(1, len(line)):
        log.write_bytes(good + line[:length])
        log.with_name("head.json").write_bytes(head)
        assert len(whole(project(log))) == 9
        assert write(project(log), "gate", report="after") == 11
        *_, recovered, after = read(project(log))
        assert (recovered.said["event"], recovered.said["bytes"]) == ("recovered", length)
        assert after.said["report"] == "after"
        assert log.read_bytes().startswith(good)
    assert last > 0


def test_an_entry_without_its_head_counts(log: Path) -> None:
    """The process was killed after the entry was on the disk, and before the head was."""
    head = log.with_name("head.json").read_bytes()
    write(project(log), "gate", report="killed")
    log.with_name("head.json").write_bytes(head)
    assert write(project(log), "gate", report="next") == 11
    assert [entry.said.get("report") for entry in read(project(log))][-2:] == ["killed", "next"]
    log.with_name("head.json").unlink()
    assert write(project(log), "gate", report="no head") == 12
    assert len(whole(project(log))) == 12


@pytest.mark.parametrize("spoilt", [b"", b"\0\0\0", b'{"entries":3}', b"{"])
def test_a_head_that_a_crash_spoilt_is_made_anew(log: Path, spoilt: bytes) -> None:
    log.with_name("head.json").write_bytes(spoilt)
    assert write(project(log), "gate", report="next") == 10
    assert len(whole(project(log))) == 10


def test_a_log_that_was_cut_takes_no_entry(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:6]))
    for ask in (
        lambda: write(project(log), "gate"),
        lambda: whole(project(log)),
        lambda: list(read(project(log))),
    ):
        with pytest.raises(DatamallError, match=r"had 9 entries, and entry 7 is the first one"):
            ask()
    log.unlink()
    with pytest.raises(DatamallError, match="entry 1 is the first one that is gone"):
        write(project(log), "gate")
    assert log.read_bytes() == b""


def test_an_entry_that_was_taken_out_or_moved_is_noticed(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    seen = whole(project(log))
    log.write_bytes(b"".join([*lines[:3], *lines[4:]]))
    with pytest.raises(DatamallError, match="Entry 4 of the log of use was altered"):
        whole(project(log), seen)
    with pytest.raises(DatamallError, match="was cut"):
        write(project(log), "gate")
    log.write_bytes(b"".join([*lines[:3], lines[4], lines[3], *lines[5:]]))
    with pytest.raises(DatamallError, match="Entry 4 of the log of use was altered"):
        whole(project(log), seen)
    with pytest.raises(DatamallError, match=r"head\.json is not of the first 9 entries"):
        whole(project(log))


def test_a_history_written_anew_with_its_head_is_noticed_by_a_witness(
    log: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "witness"
    assert witness(project(log), outside) == 9
    write(project(log), "gate", report="tenth")
    assert witness(project(log), outside) == 10
    assert hashes(outside) == whole(project(log))
    said = [entry.said for entry in read(project(log))]
    for file in log.parent.iterdir():
        file.unlink()
    said[4]["open"] = not said[4]["open"]
    log.write_bytes(b"".join(map(logbook._line, said)))
    kept = outside.read_bytes()
    assert write(project(log), "gate", report="as if nothing were") == 11
    assert len(whole(project(log))) == 11  # by itself it cannot know
    with pytest.raises(DatamallError, match="Entry 5 of the log of use was altered"):
        witness(project(log), outside)
    assert outside.read_bytes() == kept
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:4]))
    log.with_name("head.json").unlink()
    with pytest.raises(DatamallError, match="had 10 entries, and entry 5 is the first"):
        whole(project(log), hashes(outside))
    outside.write_text("no hash\n")
    with pytest.raises(DatamallError, match="is no witness"):
        hashes(outside)


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log").write_text("in the way")
    with pytest.raises(DatamallError, match=r"cannot be written .*\(not-logged\)"):
        write(tmp_path, "gate")


@pytest.mark.parametrize("fails", ["write", "fsync", "short"])
def test_a_disk_that_is_full_leaves_no_part_of_an_entry(
    log: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    before, real = log.read_bytes(), os.write

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if fails == "short":
            patch.setattr(os, "write", lambda file, line: real(file, line[:40]))
        else:
            patch.setattr(os, fails, full)
        with pytest.raises(DatamallError, match=r"\((No space left|no room).*not-logged"):
            write(project(log), "gate")
    assert log.read_bytes() == before
    assert write(project(log), "gate") == 10


def test_the_log_lies_where_it_is_told_to_and_never_elsewhere_in_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    monkeypatch.setenv(logbook.ELSEWHERE, str(outside / "log"))
    write(tmp_path, "gate")
    assert folder(tmp_path) == outside / "log" and (outside / "log" / "entries.log").is_file()
    assert not (tmp_path / "data").exists()
    monkeypatch.setenv(logbook.ELSEWHERE, str(tmp_path / "notebooks"))
    with pytest.raises(DatamallError, match="inside the project"):
        write(tmp_path, "gate")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "data" / "log").mkdir(parents=True)
    (tmp_path / "data" / "log" / "entries.log").symlink_to(target)
    with pytest.raises(DatamallError, match="not-logged"):
        write(tmp_path, "gate")
    assert not target.exists()


def test_processes_write_one_after_the_other(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from datamall.mall.log.logbook import write\n"
        "for number in range(50): write(Path(sys.argv[1]), 'gate', by=sys.argv[2], number=number)"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path, str(name)]) for name in range(6)
    ]
    assert [child.wait() for child in children] == [0] * 6
    said = [entry.said for entry in read(tmp_path)]
    assert len(whole(tmp_path)) == 300
    for name in range(6):
        assert [one["number"] for one in said if one["by"] == str(name)] == list(range(50))


def test_an_entry_can_be_read_by_others(log: Path) -> None:
    """By plain tools: the line without its first 65 characters is JSON."""
    assert json.loads(log.read_text().splitlines()[0][65:])["event"] == "gate"
