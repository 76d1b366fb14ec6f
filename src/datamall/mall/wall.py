"""The guard at the wall: learns what a kernel is refused there, and how much it writes.

It runs outside of the kernel. Refused system calls come to it from the system itself
(`datamall.mall.syscalls`). What Landlock refuses the system tells nobody but root: of that it hears
from the kernel (`datamall.mall.refusals`).
"""

import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

from datamall.mall import syscalls

LISTENER = b"listener"  # the word that comes with one
SAID_INSIDE = ("file", "call")  # kinds that the kernel tells of itself
DISK = "disk"
MOST_WRITTEN = 4 << 30  # bytes in the work folder; no single file can have more
INTERVAL = 500  # milliseconds


class Watch:
    """Watch one kernel until closed.

    Parameters
    ----------
    work
        The kernel's work folder.
    tell
        Called with the kind of each attempt.
    """

    def __init__(self, work: Path, tell: Callable[[str], None]) -> None:
        self._work, self._tell = work, tell
        self._end: Callable[[], None] = lambda: None
        self._listener: int | None = None
        self._thread: threading.Thread | None = None
        self._wake, self._woken = os.pipe()

    def start(self, end: Callable[[], None]) -> None:
        """Begin to watch; `end` is called when the kernel has written too much."""
        self._end = end
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def listen(self, listener: int) -> None:
        """Take the listener that the sandbox sends before the kernel starts; no second one."""
        if self._listener is not None:
            os.close(listener)
            return
        self._listener = listener
        os.write(self._woken, b".")

    def close(self) -> None:
        """Stop watching."""
        os.write(self._woken, b"x")
        if self._thread is not None:
            self._thread.join()
        for file in (self._wake, self._woken, self._listener):
            if file is not None:
                os.close(file)

    def _run(self) -> None:
        events = select.poll()
        events.register(self._wake, select.POLLIN)
        while True:
            for file, event in events.poll(INTERVAL):
                if file == self._wake:
                    if b"x" in os.read(self._wake, 8):
                        return
                    events.register(self._listener or 0, select.POLLIN)
                elif event & select.POLLIN:
                    syscalls.answer(file, self._tell)
                else:  # nobody is left who could try
                    events.unregister(file)
            if written(self._work) > MOST_WRITTEN:
                self._tell(DISK)
                self._end()
                self._end = lambda: None


def written(folder: Path) -> int:
    """Return how many bytes lie on the disk below a folder."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512  # noqa: PTH118
            except OSError:
                continue  # just gone
    return total
