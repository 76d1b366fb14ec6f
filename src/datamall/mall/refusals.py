"""In the kernel: say in words what the door refuses, and tell the guard outside.

An extension of IPython. It is a courtesy of the kernel to the person at the screen and no part of
the wall: the guard believes nothing of it.
"""

import errno
import os
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

DOOR = "DATAMALL_DOOR"  # as in datamall.mall.door, which takes longer to import
# The folders of a project in which a kernel has no business; where it lies no kernel is told.
CLOSED = re.compile(r"[/\\]data[/\\](?:keys|log|raw|seals|stores)(?:[/\\]|$)")
OPENING = ("open", "os.listdir", "os.scandir")  # events that Python tells before it opens a path
REFUSED = (errno.EACCES, errno.EPERM, errno.EXDEV)
SIGNS = ("permission denied", "operation not permitted", "cross-device link")
INTERRUPTED = "KeyboardInterrupt caught in kernel"
MAY = (
    "a kernel reads Python, src/ and its own extract, and writes in its work folder. Data come by "
    "extract(), results go out by show(): see docs/the-door.md"
)
MAY_NOT = (
    "a kernel has no network, no programs but Python, no shared memory, and no say over other "
    "programs, or over owner, mode and times of files: see docs/the-door.md"
)


def load_ipython_extension(shell: Any) -> None:
    """Have errors of the wall said in words from now on."""
    usual: Callable[..., None] = shell.showtraceback

    def worded(exc_tuple: Any = None, *arguments: Any, **settings: Any) -> None:
        *_, error, _ = exc_tuple or shell._get_exc_info()
        kind = in_words(error)
        if kind is not None:
            _tell(kind)
        usual(exc_tuple, *arguments, **settings)

    shell.showtraceback = worded
    sys.addaudithook(_noticing())
    # A kernel is interrupted before it is asked to end: where that comes between two messages it
    # says so as an error, which is none.
    shell.kernel.log.addFilter(lambda record: not record.getMessage().startswith(INTERRUPTED))


def _noticing() -> Callable[[str, tuple[Any, ...]], None]:
    """Return a hook that tells of the first path in a closed folder that Python opens.

    What a cell catches never becomes an error of the cell. Libraries that open files by themselves
    are not seen here; the wall refuses them all the same.
    """
    told = [False]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if told[0] or event not in OPENING or not isinstance(arguments[0], str | bytes):
            return
        if CLOSED.search(os.path.abspath(os.fsdecode(arguments[0]))):  # noqa: PTH100
            told[0] = True
            _tell("file")

    return hook


def _tell(kind: str) -> None:
    with suppress(OSError, ValueError):
        number = int(os.environ.get(DOOR, ""))
        with socket.fromfd(number, socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.send(kind.encode())


def in_words(error: BaseException | None) -> str | None:
    """Turn an error of the wall into a sentence; return ``file``, ``call``, or None for others."""
    if isinstance(error, OSError) and error.errno in REFUSED:
        about = error.filename
        kind = "call" if about is None else "file"
        sentence = f"The door refuses this: {MAY_NOT}."
        if about is not None:
            named = os.fsdecode(about) if isinstance(about, str | bytes | os.PathLike) else about
            sentence = f"The door refuses {named!r}: {MAY}."
        for part in ("errno", "strerror", "filename", "filename2"):
            with suppress(AttributeError):
                delattr(error, part)
        error.args = (sentence,)
        return kind
    text = str(error).casefold()
    if isinstance(error, Exception) and any(sign in text for sign in SIGNS):
        error.args = (f"{error} (The door refuses this: {MAY}.)",)
        return "file"
    return None
