"""The door: one line in, one line out; a private folder that does not outlive it."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from tiny_mall import make_project

from datamall.errors import DatamallError
from datamall.mall import access, remains, sandbox
from datamall.mall.door import LONGEST_REQUEST, Door, extract
from datamall.mall.log import logbook


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("mall"))


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a temporary folder of our own, in which folders in memory lie as well."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setattr(remains, "IN_MEMORY", Path(folder))
        yield Path(folder)


@pytest.fixture
def door(project: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with Door(project, "demo", ["enforcement", "fraud"]) as opened:
        monkeypatch.setenv("DATAMALL_DOOR", str(opened.client.fileno()))
        yield opened


def connected(door: Door) -> socket.socket:
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(door.client, [b"ask"], [theirs.fileno()])
    return ours


def ask(door: Door, line: bytes) -> dict:
    with connected(door) as connection:
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            return json.loads(stream.readline())


def test_extract_gives_tables_by_store(door: Door) -> None:
    data = extract("enforcement")
    assert list(data) == [
        "shared.neighbourhoods",
        "shared.outlines",
        "enforcement.containers",
        "enforcement.inspections",
        "enforcement.reports",
        "enforcement.actions",
    ]
    assert len(data) == 6
    places, inspections = data["enforcement.containers"], data["enforcement.inspections"]
    assert str(places["x"].dtype) == "float64"
    assert places["x"].tolist() == [230000.25, 231000.0, 5.0]
    assert str(inspections["period_start"].dtype).startswith("datetime64")
    assert data.period == {"first_day": "2026-01-05", "last_day": "2026-03-01"}
    assert (data.purpose, data.authority, data.synthetic) == ("enforcement", "demo", True)
    assert data.not_delivered == ("enforcement.reports.x", "enforcement.reports.y")
    assert "3 rows" in repr(data)


def test_the_same_purpose_is_materialised_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = access.checkout

    def counting(*arguments: object, **named: object) -> dict:
        made.append(arguments[2])
        return original(*arguments, **named)

    monkeypatch.setattr(access, "checkout", counting)
    assert ask(door, b'{"purpose": "enforcement"}\n') == ask(door, b'{"purpose": "enforcement"}\n')
    assert made == ["enforcement"]


def test_folders_are_private_and_deleted(project: Path, temporary: Path) -> None:
    with Door(project, "demo") as door:
        folder = Path(door.answer(b'{"purpose": "enforcement"}')["folder"])
        assert folder.is_dir()
        assert stat.S_IMODE(door.folder.stat().st_mode) == 0o700
        (door.work / "note").write_text("mine")
        assert sorted(path.name for path in door.folder.iterdir()) == [
            remains.MARK,
            "extract",
            "work",
        ]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("purposes", [None, ["enforcement"]])
def test_what_a_killed_run_left_is_swept_and_what_is_in_use_is_not(
    project: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, purposes: list[str] | None
) -> None:
    monkeypatch.undo()  # persons in memory, where this system has that
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    code = (
        "import sys, time; from pathlib import Path; from datamall.mall.door import Door\n"
        f"print(Door(Path(sys.argv[1]), 'demo', {purposes}).folder, flush=True); time.sleep(600)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, project],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    left = Path(child.stdout.readline().strip())
    own = temporary / "datamall-notes"  # somebody's own, whatever its name
    own.mkdir()
    (own / "note.txt").write_text("mine")
    with Door(project, "demo"):
        assert left.is_dir()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert (left.parent == temporary) is (purposes is not None or not remains.in_memory())
    with Door(project, "demo"):
        assert not left.exists()
    assert [path.name for path in own.iterdir()] == ["note.txt"]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"enforcement\n",
        b"[]\n",
        b'{"purpose": 1}\n',
        b'{"purpose": ["enforcement"]}\n',
        b'{"purpose": "enforcement", "authority": "open-data"}\n',
        b'{"PURPOSE": "enforcement"}\n',
        b"\xff\xfe\n",
        b"\x80\x04\x95\n",
        b"[" * 999 + b"\n",
        b'{"purpose": "' + b"e" * LONGEST_REQUEST + b'"}\n',
        b"",
    ],
)
def test_anything_else_than_a_short_line_is_refused(door: Door, line: bytes) -> None:
    assert "takes one short line" in ask(door, line)["refused"]
    assert list(door.extracts.iterdir()) == []


def test_a_purpose_that_was_not_granted_is_refused(door: Door, project: Path) -> None:
    with pytest.raises(DatamallError, match=r"may not check out 'traffic'.*\(not-granted\)"):
        extract("traffic")
    with pytest.raises(DatamallError, match=r"No purpose called 'fraud'.*\(unknown-purpose\)"):
        extract("fraud")
    with (
        Door(project, "demo", []) as closed,
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(DatamallError, match="but nothing"),
    ):
        patch.setenv("DATAMALL_DOOR", str(closed.client.fileno()))
        extract("enforcement")


@pytest.mark.parametrize("name", ["../enforcement", "/etc", ".", "", "enforcement/", "a\0b"])
def test_names_that_are_paths_are_refused(project: Path, temporary: Path, name: str) -> None:
    with Door(project, "demo") as door:
        answer = door.answer(json.dumps({"purpose": name}).encode())
        assert "(unknown-purpose)" in answer["refused"]
        assert list(door.extracts.iterdir()) == []


def test_a_failure_inside_tells_the_kernel_no_details(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> dict:
        raise RuntimeError("row 7 of the raw file: 4711")

    monkeypatch.setattr(access, "checkout", fail)
    refused = ask(door, b'{"purpose": "enforcement"}\n')["refused"]
    assert "RuntimeError" in refused
    assert "4711" not in refused
    assert "4711" in caplog.text
    assert sorted(path.name for path in door.folder.iterdir()) == [remains.MARK, "extract", "work"]


def test_a_client_that_says_nothing_does_not_block_the_door(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datamall.mall import door as module

    monkeypatch.setattr(module, "PATIENCE", 0.2)
    with connected(door):
        assert "folder" in ask(door, b'{"purpose": "enforcement"}\n')


def test_without_a_door_a_sentence_says_where_to_find_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATAMALL_DOOR", raising=False)
    with pytest.raises(DatamallError, match="make lab"):
        extract("enforcement")
    for gone in ("door", "987", ""):
        monkeypatch.setenv("DATAMALL_DOOR", gone)
        sentence = "is closed: restart the kernel" if gone else "make lab"
        with pytest.raises(DatamallError, match=sentence):
            extract("enforcement")


@pytest.mark.parametrize("said", [b"", b"ask", b"listener", b"x" * 99, b"\xff", b"disk"])
def test_what_is_no_request_does_not_disturb_the_door(
    door: Door, project: Path, said: bytes
) -> None:
    before = len(list(logbook.read(project)))
    door.client.send(said)
    with open(os.devnull, "rb") as file:  # no socket to answer at  # noqa: PTH123
        socket.send_fds(door.client, [b"ask"], [file.fileno()])
        socket.send_fds(door.client, [said], [file.fileno()])
    assert "folder" in ask(door, b'{"purpose": "enforcement"}\n')
    assert [entry.said["event"] for entry in logbook.read(project)][before:] == ["checkout"]


def test_each_landlock_version_is_asked_for_the_rights_it_has() -> None:
    files = {abi: sandbox.handled(abi)[0] for abi in range(1, 8)}
    assert [files[abi].bit_length() for abi in range(1, 8)] == [13, 14, 15, 15, 16, 16, 16]
    assert [sandbox.handled(abi)[1] for abi in (3, 4, 7)] == [0, 3, 3]
    assert [sandbox.handled(abi)[2] for abi in (5, 6, 7)] == [0, 3, 3]
    assert sandbox.handled(0) == (0, 0, 0)


def test_landlock_is_there_on_linux_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert sandbox.available() == 0


def test_stores_on_file_are_handed_out_as_rows(door: Door) -> None:
    data = extract("enforcement", on_file=["enforcement.inspections"])
    whole = extract("enforcement")["enforcement.inspections"]
    rows = data["enforcement.inspections"]
    assert (len(rows), rows.columns) == (len(whole), list(whole))
    read = pd.concat(rows.slices(), ignore_index=True)
    pd.testing.assert_frame_equal(read.astype({"cluster": str, "observer_role": str}), whole)
