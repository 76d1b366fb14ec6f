"""System calls that a kernel behind the door does not get: a seccomp filter of our own.

Landlock guards what is in files; it says nothing of sockets other than TCP, of owner, mode, times
and attributes of files, of shared memory, of keys, or of leaving the process group in which all
children of a kernel are ended. Calls to these are refused here. Standard library alone: the sandbox
loads this file by its path, before anything else.

Each refused call is told to a guard outside (a listener, Linux 5.0), which answers it and writes it
down; the kernel can neither forget nor hide it. Where the system has no listeners the calls are
refused all the same. Numbers: ``asm/unistd_64.h`` and ``asm-generic/unistd.h``.
"""

import ctypes
import errno
import fcntl
import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress

SECCOMP = {"x86_64": 317, "aarch64": 277}
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
FOREIGN = 0x4000_0000  # from here on, the numbers of another interface (x32) of x86_64
SET_FILTER, ACTION_AVAILABLE, NEW_LISTENER = 1, 2, 8
ALLOW, TELL, ERROR = 0x7FFF_0000, 0x7FC0_0000, 0x5_0000
REFUSE, UNKNOWN, UNSUPPORTED = (ERROR | e for e in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP))
RECEIVE, SEND = 0xC0502100, 0xC0182101
NOTICE, ANSWER = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")

# Kind → calls, each with its number on x86_64 and, where there is such a call, on aarch64.
CALLS: dict[str, dict[str, tuple[int, ...]]] = {
    "file-attributes": {
        **{"chmod": (90,), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452)},
        **{"chown": (92,), "fchown": (93, 55), "lchown": (94,), "fchownat": (260, 54)},
        **{"utime": (132,), "utimes": (235,), "futimesat": (261,), "utimensat": (280, 88)},
        **{"setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7)},
        **{"removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16)},
        **{"setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469)},
    },
    "shared-memory": {
        **{"shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195)},
        **{"semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192)},
        **{"msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187)},
        **{"mq_open": (240, 180), "mq_unlink": (241, 181)},
        **{"memfd_create": (319, 279), "memfd_secret": (447, 447)},
    },
    "processes": {
        **{"setsid": (112, 157), "setpgid": (109, 154), "setpriority": (141, 140)},
        **{"ptrace": (101, 117), "kcmp": (312, 272), "pidfd_getfd": (438, 438)},
        **{"process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
        **{"ioprio_set": (251, 30), "process_madvise": (440, 440)},
        **{"migrate_pages": (256, 238), "move_pages": (279, 239)},
    },
    "keys": {"add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219)},
    "namespaces": {
        **{"unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39)},
        **{"pivot_root": (155, 41), "chroot": (161, 51), "fsopen": (430, 430)},
        **{"fsmount": (432, 432), "open_tree": (428, 428), "move_mount": (429, 429)},
        **{"mount_setattr": (442, 442), "open_tree_attr": (467, 467)},
    },
    "system": {
        **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282)},
        **{"io_uring_setup": (425, 425), "io_uring_enter": (426, 426)},
        **{"io_uring_register": (427, 427)},
        **{"inotify_init": (253,), "inotify_init1": (294, 26), "fanotify_init": (300, 262)},
        **{"name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265)},
    },
}
# Calls that are refused by what they are asked for.
PARTLY = {
    "socket": ("network", (41, 198)),
    "clone": ("namespaces", (56, 220)),
    "ioctl": ("file-attributes", (16, 29)),
    "prlimit64": ("processes", (302, 261)),
}
CLONE3 = 435  # hides in memory what it is asked for: programs then take clone
INTERNET, STREAM, KIND_OF_SOCKET, TCP = 2, 1, 0xF, 6
NETLINK = 16  # asked by ZeroMQ, at each start, which does without where it is not supported
NEW_NAMESPACES = 0x7E02_0080
# Typing into a terminal, taking one, and the attributes of files (chattr).
CONTROLS = (0x5412, 0x540E, 0x541C, 0x4008_6602, 0x401C_5820)

LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
NUMBER, MACHINE = 0, 4  # places in what a filter is given


def _argument(place: int) -> int:
    """Return where the low half of an argument is; calls here look at no other."""
    return 16 + 8 * place


def machine() -> str | None:
    """Return the name of this machine's calls, or None if they are not known here."""
    name = os.uname().machine
    return name if sys.platform.startswith("linux") and name in SECCOMP else None


def kinds(name: str) -> dict[int, str]:
    """Return the number of each call that is refused, wholly or partly, and its kind."""
    column = list(SECCOMP).index(name)
    whole = ((kind, numbers) for kind, calls in CALLS.items() for numbers in calls.values())
    return {
        numbers[column]: k for k, numbers in (*whole, *PARTLY.values()) if len(numbers) > column
    }


def program(name: str, refuse: int) -> bytes:
    """Return the filter for a machine, as instructions of the Berkeley packet filter.

    Parameters
    ----------
    name
        ``x86_64`` or ``aarch64``.
    refuse
        What to do with a call that is refused.
    """
    column = list(SECCOMP).index(name)
    code: list[tuple[int, int, int, int]] = []

    def step(operation: int, value: int, yes: int = 0, no: int = 0) -> None:
        code.append((operation, yes, no, value))

    def partly(call: str, *block: tuple[int, ...]) -> None:
        step(EQUAL, PARTLY[call][1][column], 0, len(block))
        for line in block:
            step(*line)

    step(LOAD, MACHINE)
    step(EQUAL, ARCHITECTURE[name], 1, 0)
    step(RETURN, refuse)
    step(LOAD, NUMBER)
    step(AT_LEAST, FOREIGN, 0, 1)
    step(RETURN, refuse)
    partial = {numbers[column] for _, numbers in PARTLY.values()}
    for number in sorted({*kinds(name)} - partial):
        step(EQUAL, number, 0, 1)
        step(RETURN, refuse)
    step(EQUAL, CLONE3, 0, 1)
    step(RETURN, UNKNOWN)
    partly(
        "socket",  # TCP over IPv4, as Jupyter's own ports
        *((LOAD, _argument(0)), (EQUAL, NETLINK, 0, 1), (RETURN, UNSUPPORTED)),
        *((EQUAL, INTERNET, 1, 0), (RETURN, refuse)),
        *((LOAD, _argument(1)), (AND, KIND_OF_SOCKET), (EQUAL, STREAM, 1, 0), (RETURN, refuse)),
        *((LOAD, _argument(2)), (EQUAL, 0, 2, 0), (EQUAL, TCP, 1, 0), (RETURN, refuse)),
        (RETURN, ALLOW),
    )
    partly(
        "clone",
        *((LOAD, _argument(0)), (ANY_BIT, NEW_NAMESPACES, 0, 1), (RETURN, refuse), (RETURN, ALLOW)),
    )
    controls = [line for c in CONTROLS for line in ((EQUAL, c, 0, 1), (RETURN, refuse))]
    partly("ioctl", (LOAD, _argument(1)), *controls, (RETURN, ALLOW))
    partly(
        "prlimit64",  # of the process itself
        *((LOAD, _argument(0)), (EQUAL, 0, 1, 0), (RETURN, refuse), (RETURN, ALLOW)),
    )
    step(RETURN, ALLOW)
    return b"".join(struct.pack("=HBBI", *line) for line in code)


def available() -> bool:
    """Return whether this system can filter calls."""
    return machine() is not None and _can(ERROR)


def refuse() -> int | None:
    """Refuse the calls to this process and all its children, for good.

    Returns
    -------
    int or None
        File descriptor at which a guard learns of refused calls; None where there is none.

    Raises
    ------
    OSError
        When the system can filter calls and does not; nothing may be run then.
    """
    name = machine()
    if name is None or not available():
        return None
    listens = _can(TELL)
    code = program(name, TELL if listens else REFUSE)
    buffer = ctypes.create_string_buffer(code)
    filter_ = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    call = ctypes.CDLL(None, use_errno=True).syscall
    result: int = call(SECCOMP[name], SET_FILTER, NEW_LISTENER if listens else 0, filter_)
    if result < 0:
        raise OSError(ctypes.get_errno(), "seccomp: " + os.strerror(ctypes.get_errno()))
    return result if listens else None


def answer(listener: int, tell: Callable[[str], None]) -> None:
    """Refuse the call that waits at a listener, if it still does, after telling its kind."""
    notice = bytearray(NOTICE.size)
    with suppress(OSError):
        fcntl.ioctl(listener, RECEIVE, notice)
        identity, _, _, number, *_ = NOTICE.unpack(notice)
        tell(kinds(machine() or "").get(number, "system"))
        fcntl.ioctl(listener, SEND, bytearray(ANSWER.pack(identity, 0, -errno.EPERM, 0)))


def _can(action: int) -> bool:
    call = ctypes.CDLL(None, use_errno=True).syscall
    number = SECCOMP[machine() or ""]
    return call(number, ACTION_AVAILABLE, 0, struct.pack("=I", action)) == 0
