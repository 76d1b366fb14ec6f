"""Private folders that do not outlive what they are for, also if that was killed.

A folder is locked by the process that made it and holds a mark. One that has the mark and no lock
was left behind: the next command of any kind deletes it. A folder without the mark is somebody's
own, whatever its name. They lie in memory where the system has files there, since they may hold
persons; elsewhere in the folder for temporary files. With a folder end the processes of the kernel
that it was for: they cannot have left its session.
"""

import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

SESSION = "session"  # file with the number and the start of a kernel
PREFIX, MARK = "datamall-", ".datamall-temporary"
SAYS = b"Made by datamall, and deleted by its next command once nobody uses it.\n"
IN_MEMORY = Path("/dev/shm")
ROOM = 512 << 20  # bytes that must be free there; containers often have 64 MB in all


class Private:
    """A folder that only its owner can read, deleted in the end; a context manager.

    Parameters
    ----------
    personal
        Whether it is for persons: then it lies in memory, where the system has that.

    Attributes
    ----------
    path
        The folder.
    """

    def __init__(self, personal: bool) -> None:
        base = IN_MEMORY if personal and in_memory() else Path(tempfile.gettempdir())
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self.path / MARK).write_bytes(SAYS)  # locked first: nobody sweeps it from here on

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def belongs_to(self, kernel: int) -> None:
        """Write down whose folder this is, so that its children end with it also after a kill."""
        if (started := _stat(kernel)) is not None:
            (self.path / SESSION).write_text(f"{kernel} {started[1]}", encoding="ascii")

    def close(self) -> None:
        """Delete the folder."""
        with suppress(OSError):
            _delete(self.path)
        os.close(self._lock)


def in_memory() -> bool:
    """Return whether this system has a place for files in memory, and room in it."""
    there = IN_MEMORY.is_mount() and os.access(IN_MEMORY, os.W_OK)
    return there and shutil.disk_usage(IN_MEMORY).free >= ROOM


def sweep() -> list[Path]:
    """Delete what was left behind; return which folders those were."""
    return [folder for folder in _marked() if _left(folder)]


def _marked() -> Iterator[Path]:
    for base in {Path(tempfile.gettempdir()), IN_MEMORY}:
        for folder in base.glob(f"{PREFIX}*"):
            with suppress(OSError):
                mark = os.open(folder / MARK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                with os.fdopen(mark, "rb") as file:
                    if os.fstat(mark).st_uid == os.getuid() and file.read() == SAYS:
                        yield folder


def _left(folder: Path) -> bool:
    """Delete a folder that nobody has locked; return whether that was so."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False  # just gone
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_uid != os.getuid():
            return False
        _end_session(folder)
        _delete(folder)
        return True
    except OSError:
        return False  # locked: in use
    finally:
        os.close(lock)


def _stat(process: int | str) -> tuple[int, str] | None:
    """Return the session of a process, and when it started; None where that cannot be told."""
    try:
        fields = (
            Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        )
        return int(fields[3]), fields[19]
    except (OSError, IndexError, ValueError):
        return None


def _end_session(folder: Path) -> None:
    """End what is left of the kernel that a folder was for, and nobody else's processes."""
    try:
        kernel, started = (folder / SESSION).read_text("ascii").split()
    except (OSError, ValueError):
        return
    leader = _stat(kernel)
    if leader is not None and leader[1] != started:
        return  # the number was given to another
    for place in Path("/proc").glob("[0-9]*"):
        found = _stat(place.name)
        with suppress(OSError):
            behind_the_wall = "Seccomp:\t2" in (place / "status").read_text("utf-8", "replace")
            if found and found[0] == int(kernel) and behind_the_wall:
                os.kill(int(place.name), signal.SIGKILL)


def _delete(folder: Path) -> None:
    """Delete a folder, its mark last: what a kill leaves of it is swept the next time."""
    for place, below, _ in os.walk(folder):  # what has no rights could not be deleted
        for name in below:
            if not Path(place, name).is_symlink():
                Path(place, name).chmod(0o700)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != MARK:
            path.unlink(missing_ok=True)
    if [path.name for path in folder.iterdir()] == [MARK]:
        (folder / MARK).unlink()
        folder.rmdir()
