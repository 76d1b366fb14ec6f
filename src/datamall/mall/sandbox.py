"""Put a command under Landlock: ``python sandbox.py policy.json -- command…``.

Landlock is the Linux kernel's sandbox for ordinary users: a process gives up rights for itself
and all its children, for good. This file uses the standard library alone and is started by its
path, so that nothing in the working folder or the environment can get in before the fence is up.

The policy is JSON with the keys ``read``, ``write`` and ``run`` (lists of paths; missing ones
are skipped) and ``bind`` and ``connect`` (lists of TCP ports); everything else is refused. What
Landlock does not cover (up to ABI 7) is refused call by call (`datamall.mall.syscalls`), but for
looking up whether a path exists and its size. Constants: ``linux/landlock.h``.
"""

import ctypes
import importlib.util
import json
import os
import resource
import socket
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
PATH_BENEATH, NET_PORT = 1, 2
NO_NEW_PRIVILEGES = 38
DROP_CAPABILITY, LAST_CAPABILITY, MAY_PASS_PERMISSION_BITS = 24, 63, 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE = 1 << 4, 1 << 5
MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_SYM = 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 12
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1

# The rights that each version of the interface (ABI) can take away.
FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
NET = {4: BIND_TCP | CONNECT_TCP}
SCOPES = {6: ABSTRACT_SOCKETS | SIGNALS}
# A rule on a file may not carry rights that only a folder has.
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

READ = READ_FILE | READ_DIR
RUN = READ_FILE | EXECUTE
# Neither running what was written, nor device files.
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | REFER | TRUNCATE
WRITE |= MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM


def available() -> int:
    """Return the version of Landlock's interface in this Linux kernel; 0 if there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1), 0)


def handled(abi: int) -> tuple[int, int, int]:
    """Return the rights over files, TCP ports and scopes that an interface can take away."""
    files, net, scopes = (
        max((mask for since, mask in table.items() if since <= abi), default=0)
        for table in (FILES, NET, SCOPES)
    )
    return files, net, scopes


def restrict(
    read: Iterable[str | Path] = (),
    write: Iterable[str | Path] = (),
    run: Iterable[str | Path] = (),
    bind: Iterable[int] = (),
    connect: Iterable[int] = (),
) -> None:
    """Give up, for this process and all its children, everything but what is named here.

    Parameters
    ----------
    read, write
        Files, or folders with all below, to read, and to read and write.
    run
        Programs that may be started.
    bind, connect
        TCP ports to listen at and to connect to (from ABI 4).

    Raises
    ------
    OSError
        When Landlock is missing or refuses; nothing may be run then.
    """
    files, net, scopes = handled(available())
    libc = _libc()

    def call(number: int, *arguments: object) -> int:
        result: int = libc.syscall(number, *arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), "Landlock: " + os.strerror(ctypes.get_errno()))
        return result

    attributes = struct.pack("QQQ", files, net, scopes)
    ruleset = call(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    for paths, rights in ((read, READ), (write, WRITE), (run, RUN)):
        for path in paths:
            try:
                file = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except (FileNotFoundError, PermissionError):  # nothing to be granted there
                continue
            allowed = files & rights
            if not stat.S_ISDIR(os.fstat(file).st_mode):
                allowed &= OF_A_FILE
            call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", allowed, file), 0)
            os.close(file)
    for ports, right in ((bind, BIND_TCP), (connect, CONNECT_TCP)):
        for port in ports if net else ():
            call(ADD_RULE, ruleset, NET_PORT, struct.pack("QQ", right, port), 0)
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs was refused")
    call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    # Run as root (in a container, say), what is started from here keeps none of root's powers,
    # with which /proc opens the machine's memory; but it still reads files of other owners.
    for capability in set(range(LAST_CAPABILITY + 1)) - {MAY_PASS_PERMISSION_BITS}:
        libc.prctl(DROP_CAPABILITY, capability, 0, 0, 0)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _limit(file_size: int) -> None:
    """Let no file grow beyond a size, and nothing of the memory go to the disk after a crash."""
    for what, most in ((resource.RLIMIT_FSIZE, file_size), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _beside(name: str) -> ModuleType:
    """Load a file of this folder by its path."""
    found = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


if __name__ == "__main__":
    policy, door, file_size, separator, *command = sys.argv[1:]
    assert separator == "--"
    syscalls = _beside("syscalls")
    _limit(int(file_size))
    restrict(**json.loads(Path(policy).read_text("utf-8")))
    listener = syscalls.refuse()
    if listener is not None:  # the guard outside has to have it before anything runs
        with socket.fromfd(int(door), socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            socket.send_fds(connection, [b"listener"], [listener])
    os.execv(command[0], command)
