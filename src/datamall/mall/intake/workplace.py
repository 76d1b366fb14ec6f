"""Where intake works: an engine that reaches no file, a folder aside, and one move at the end."""

import ctypes
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from datamall.errors import DatamallError
from datamall.mall.expressions import literal
from datamall.mall.intake.checks import reference_table
from datamall.mall.remains import Private

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def open_engine(
    threads: int, memory: str, spill: Path, references: dict[str, pa.Table]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an engine that reaches no file but its own spill folder."""
    with duckdb.connect(":memory:", config={"threads": threads, "memory_limit": memory}) as engine:
        engine.execute(f"SET temp_directory = {literal(str(spill))}")
        engine.execute("SET enable_external_access = false")
        for column, table in references.items():
            engine.register(reference_table(column), table)
        yield engine


@contextmanager
def aside(target: Path) -> Iterator[Path]:
    """Give a private folder beside the target, deleted at the end if it is still there."""
    folder = target.with_name(f"{target.name}.partial")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatamallError(
                f"{target.name} is being taken in by another process: wait until it is done."
            ) from None
        try:
            if not target.exists() and _old(target).exists():  # of a run that was killed
                _old(target).rename(target)
            clear(folder)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def clear(folder: Path) -> None:
    """Delete what is in a folder."""
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()


@contextmanager
def in_plain(folder: Path, personal: bool) -> Iterator[Path]:
    """Give the folder in which rows may lie in plain text: of persons one in memory, of its own."""
    if not personal:
        yield folder
        return
    with Private(personal=True) as private:
        yield private.path


def swap(folder: Path, target: Path) -> None:
    """Put a complete folder in the place of the target; on failure the old one is still there.

    Where the system can exchange two names at once it does, so that a process that is killed
    leaves the old store or the new one. Elsewhere there is a moment between two moves; what is
    aside then is put back by the next run (`aside`).
    """
    old = _old(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists() and _exchanged(folder, target):
        return
    if target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _old(target: Path) -> Path:
    return target.with_name(f"{target.name}.old.partial")


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders by Linux's ``renameat2``; False where there is no such call."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of linux/fs.h
    return bool(call(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write one of the small files beside the rows."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextmanager
def explained(store: str) -> Iterator[None]:
    """Turn failures of disk and engine into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _no_room(store) from None
        raise
    except duckdb.Error as error:
        if isinstance(error, duckdb.OutOfMemoryException):
            raise DatamallError(
                f"The memory that intake may use does not suffice for {store}, not even on one "
                "thread: call `intake` of datamall.mall.intake with more `memory`."
            ) from None
        if isinstance(error, duckdb.IOException):
            raise _no_room(store) from None
        if isinstance(error, duckdb.DataError):
            raise DatamallError(
                f"An expression for {store} fails on some record ({str(error).splitlines()[0]}): "
                "use try_cast in the mapping, so that such a record is quarantined."
            ) from None
        raise


def _no_room(store: str) -> DatamallError:
    return DatamallError(
        f"There is no room on the disk to take {store} in: free some and try again; the store is "
        "as it was."
    )
