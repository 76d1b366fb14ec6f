"""System calls that a kernel is refused, that the guard outside writes down, and what is left over.

Each call that can be made harmless also runs outside, where it must succeed; and as an ordinary
user, where these tests run as root.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Kernel
from tiny_mall import make_project

from datamall.mall import kernel as kernels
from datamall.mall import remains, sandbox, syscalls, wall
from datamall.mall.log import logbook

pytestmark = pytest.mark.skipif(
    sandbox.available() < 6 or not syscalls.available(),
    reason="needs a Linux kernel with Landlock (ABI 6, Linux 6.12) and seccomp",
)

NOBODY = 65534
LIBC = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(function, *arguments):
    if getattr(libc, function)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def number(*arguments): call("syscall", *map(ctypes.c_long, arguments))
"""
NUMBERS = {name: numbers for calls in syscalls.CALLS.values() for name, numbers in calls.items()}
HERE = list(syscalls.SECCOMP).index(syscalls.machine() or "x86_64")


def raw(name: str, *arguments: object) -> str:
    return f"number({', '.join(map(str, (NUMBERS[name][HERE], *arguments)))})"


# Kind → attacks; those of HARMLESS succeed outside.
HARMLESS = {
    "file-attributes": {
        "mode": "os.chmod(own, 0o600)",
        "mode of an open file": "os.fchmod(os.open(own, os.O_RDONLY), 0o600)",
        "mode by the newest call": raw("fchmodat2", -100, "id(0)", 0, 0).replace("id(0)", "path"),
        "owner": "os.chown(own, os.getuid(), os.getgid())",
        "owner of an open file": "os.fchown(os.open(own, os.O_RDONLY), os.getuid(), -1)",
        "owner of a link": "os.lchown(own, os.getuid(), os.getgid())",
        "times": "os.utime(own, (1, 1))",
        "times of an open file": "os.utime(os.open(own, os.O_RDONLY), (1, 1))",
        "copy with its mode": "import shutil; shutil.copy(own, own + '2')",
    },
    "network": {
        "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()",
        "IPv6": "socket.socket(socket.AF_INET6).close()",
        "a socket of another program": "socket.socket(socket.AF_UNIX).connect(server)",
        "a datagram to another program": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).close()",
    },
    "shared-memory": {
        "shmget": "call('shmget', 0, 4096, 0o600 | 512)",
        "memfd": "os.close(os.memfd_create('x'))",
    },
    "processes": {
        "own session": "pid = os.fork()\nif pid == 0:\n  try: os.setsid(); os._exit(0)\n"
        "  except OSError: os._exit(7)\n"
        "if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]): raise PermissionError('denied')",
        "own process group": "pid = os.fork()\nif pid == 0:\n  try: os.setpgid(0, 0); os._exit(0)\n"
        "  except OSError: os._exit(7)\n"
        "if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]): raise PermissionError('denied')",
        "priority of another": "os.setpriority(os.PRIO_PROCESS, parent, "
        "os.getpriority(os.PRIO_PROCESS, parent))",
        "limits of another": "import resource; resource.prlimit(parent, resource.RLIMIT_NPROC, "
        "resource.prlimit(os.getpid(), resource.RLIMIT_NPROC))",
    },
    "keys": {"the keyring": raw("keyctl", 0, -4, 1)},
    "system": {"watching files": "call('inotify_init1', 0)"},
}
HARMFUL = {
    "file-attributes": {"extended attribute": "os.setxattr(own, 'user.x', b'1')"},
    "network": {
        "raw packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "another transport": "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)",
        "a virtual machine's socket": "socket.socket(40, socket.SOCK_STREAM)",
    },
    "shared-memory": {"a message queue": "call('msgget', 4711, 0o600)"},
    "processes": {"trace": "call('ptrace', 0x4206, parent, None, None)"},
    "namespaces": {
        "a user's own name space": "call('unshare', 0x10000000)",
        "another root folder": "os.chroot('/')",
    },
    "system": {
        "a ring of calls": raw("io_uring_setup", 1, 0),
        "watching the machine": raw("perf_event_open", 0, 0, -1, -1, 0),
    },
}


def attacks() -> dict[str, tuple[str, str, bool]]:
    return {
        name: (kind, code, harmless)
        for harmless, table in ((True, HARMLESS), (False, HARMFUL))
        for kind, calls in table.items()
        for name, code in calls.items()
    }


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Return the path of another program's socket."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/s")
        listening.listen()
        yield f"{folder}/s"


def prelude(server: str, own: str) -> str:
    return (
        f"{LIBC}\nown, server, parent = {own!r}, {server!r}, {os.getpid()}\n"
        "open(own, 'w').close()\npath = ctypes.cast(own.encode(), ctypes.c_void_p).value\n"
        "name = own.encode(); path = ctypes.cast(name, ctypes.c_void_p).value"
    )


@pytest.mark.parametrize("attack", attacks())
def test_the_call_is_refused_and_in_the_log(
    kernel: Kernel, mall: Path, server: str, attack: str
) -> None:
    kind, code, _ = attacks()[attack]
    assert kernel.run(prelude(server, "own.txt")).error == ""
    answer = kernel.run(code)
    assert re.match("PermissionError: (The door refuses|denied)", answer.error), answer
    assert (kind, "refused") in noticed(mall)


def noticed(project: Path) -> list[tuple[str, str]]:
    entries = (entry.said for entry in logbook.read(project))
    return [(one["reason"], one["outcome"]) for one in entries if one["event"] == "wall"]


def test_each_kind_is_written_down_once_and_says_no_more(
    start: Callable[..., Kernel], tmp_path: Path, server: str
) -> None:
    project = make_project(tmp_path / "mall")
    kernel = start(project, purposes=["enforcement"], occasion="report enforcement")
    assert noticed(project) == []  # nor does a kernel's own start
    kernel.run(prelude(server, "own.txt"))
    for _ in range(3):
        assert kernel.run("os.chmod('own.txt', 0o4711)").error
        assert kernel.run("open('/etc/shadow')").error
    assert noticed(project) == [("file-attributes", "refused"), ("file", "refused")]
    *_, last = logbook.read(project)
    assert set(last.said) - {"at", "account", "role"} == {
        *("event", "outcome", "reason", "occasion", "authority")
    }
    # What a cell catches by itself is caught by the guard, too, where a call is concerned.
    assert kernel.run("try: os.setsid()\nexcept OSError: print('quiet')").printed == "quiet\n"
    assert noticed(project)[2:] == [("processes", "refused")]


@pytest.mark.parametrize("way", ["open({!r})", "os.listdir({!r})", "list(Path({!r}).iterdir())"])
def test_a_store_that_is_reached_for_is_written_down_where_the_cell_catches_the_error(
    start: Callable[..., Kernel], tmp_path: Path, server: str, way: str
) -> None:
    project = make_project(tmp_path / "mall")
    kernel = start(project, purposes=["enforcement"], occasion="report enforcement")
    kernel.run(prelude(server, "own.txt") + "\nfrom pathlib import Path")
    kernel.run("try: open('/etc/shadow')\nexcept OSError: pass")
    assert noticed(project) == []  # libraries look for files of the machine at any time
    attempt = way.format(str(project / "data" / "stores"))
    assert kernel.run(f"try: {attempt}\nexcept OSError: print('quiet')").printed == "quiet\n"
    for _ in range(100):  # the cell does not wait for the guard
        if noticed(project):
            break
        time.sleep(0.05)
    assert noticed(project) == [("file", "refused")]


@pytest.mark.parametrize("attack", [name for name, (*_, harmless) in attacks().items() if harmless])
def test_the_call_succeeds_outside(tmp_path: Path, server: str, attack: str) -> None:
    code = prelude(server, str(tmp_path / "own.txt")) + "\n" + attacks()[attack][1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if "fchmodat2" in done.stderr or "Function not implemented" in done.stderr:
        pytest.skip("this system does not have the call")
    assert done.returncode == 0, done.stderr


def python_of_anybody() -> str | None:
    """Return a Python that an ordinary user can start."""
    for program in (sys.executable, "/usr/bin/python3"):
        command = [program, "-I", "-c", "import ctypes"]
        try:
            subprocess.run(command, check=True, capture_output=True, **ordinary())  # type: ignore[call-overload]
        except (OSError, subprocess.CalledProcessError):
            continue
        return program
    return None


def ordinary() -> dict[str, object]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}


def test_the_same_walls_for_an_ordinary_user(server: str) -> None:
    program = python_of_anybody()
    if program is None:
        pytest.skip("needs a Python that an ordinary user can start")
    Path(server).chmod(0o666)
    Path(server).parent.chmod(0o755)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        work, code = folder / "work", folder / "code"
        for one in (work, code):
            one.mkdir()
        for name in ("sandbox", "syscalls"):
            (code / f"{name}.py").write_text(
                (Path(sandbox.__file__).parent / f"{name}.py").read_text()
            )
        (folder / "secret.txt").write_text("4711")
        everything = ["/usr", "/lib", "/lib64", "/bin", "/etc", "/dev/urandom", "/proc", str(code)]
        run = [program, str(Path(program).resolve()), *map(str, Path("/").glob("lib*/ld-*.so.*"))]
        policy = {
            "read": [*everything, sys.base_prefix, sys.prefix],
            "write": [str(work)],
            "run": run,
        }
        (code / "policy.json").write_text(json.dumps(policy))
        tried = {name: code for name, (_, code, _) in attacks().items()}
        tried["a secret"] = f"open({str(folder / 'secret.txt')!r})"
        tried["a large file"] = "open(own, 'wb').write(b'x' * 2_000_000)"
        (code / "attacks.py").write_text(
            prelude(server, str(work / "own.txt"))
            + f"\nimport json\nfound = {{}}\nfor name, code in {tried!r}.items():\n"
            "  try: exec(code); found[name] = 'done'\n"
            "  except OSError as error: found[name] = error.strerror or str(error)\n"
            "print(json.dumps(found))"
        )
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o644)
        guard, door = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        child = subprocess.Popen(
            [program, "-I", code / "sandbox.py", code / "policy.json", str(door.fileno()),
             "1000000", "--", program, "-I", code / "attacks.py"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=[door.fileno()],
            **ordinary(),
        )  # fmt: skip
        door.close()
        told: list[str] = []
        watch = wall.Watch(work, told.append)
        guard.settimeout(30)
        said, given, *_ = socket.recv_fds(guard, 32, 1)
        assert said == wall.LISTENER
        watch.listen(given[0])
        watch.start(child.kill)
        out, wrong = child.communicate(timeout=60)
        watch.close()
        guard.close()
        assert child.returncode == 0, wrong
        found = json.loads(out)
        assert found.pop("a large file") == "File too large"
        words = {"Operation not permitted", "Permission denied", "denied"}
        assert {name: why for name, why in found.items() if why not in words} == {}
        assert set(told) == {kind for kind, *_ in attacks().values()}


def test_children_do_not_outlive_their_kernel(start: Callable[..., Kernel]) -> None:
    kernel = start()
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "reading, writing = os.pipe()\n"
        "if os.fork() == 0:\n"  # a child of a child, which nobody waits for
        "  if os.fork() == 0: os.write(writing, str(os.getpid()).encode()); time.sleep(600)\n"
        "  os._exit(0)\n"
        "print(child.pid, os.read(reading, 20).decode())"
    )
    pids = list(map(int, kernel.run(code).printed.split()))
    assert len(pids) == 2
    assert all(map(alive, pids))
    kernel.close()
    for _ in range(50):
        if not any(map(alive, pids)):
            break
        time.sleep(0.1)
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def test_a_kernel_that_fills_the_disk_is_ended_and_that_is_in_the_log(
    start: Callable[..., Kernel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 2 << 20
    monkeypatch.setattr(kernels, "MOST_WRITTEN", most)  # of one file
    monkeypatch.setattr(wall, "MOST_WRITTEN", 3 * most)
    project = make_project(tmp_path / "mall")
    kernel = start(project, purposes=["enforcement"])
    large = f"with open('a', 'wb') as file: file.write(bytes({most + 1}))"
    assert "File too large" in kernel.run(large).error
    assert kernel.run(f"open('a', 'wb').write(bytes({most // 2}))").error == ""
    kernel.client.execute(f"for k in range(9): open(str(k), 'wb').write(bytes({most}))")
    for _ in range(100):
        if not kernel.manager.is_alive():
            break
        time.sleep(0.1)
    assert not kernel.manager.is_alive()
    assert ("disk", "refused") in noticed(project)


def test_what_a_system_cannot_do_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels.open_ways() == ()
    monkeypatch.setattr(syscalls, "available", lambda: False)
    assert kernels.open_ways() == (
        "connected to other programs",
        "changed owner, mode and times of files",
    )
    monkeypatch.setattr(sandbox, "available", lambda: 0)
    assert kernels.open_ways()[0] == "read more than its extract"
    assert len(kernels.open_ways()) == 4


HEADERS = (
    Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Path("/usr/include/asm-generic/unistd.h"),
)


@pytest.mark.skipif(not all(path.exists() for path in HEADERS), reason="needs linux-libc-dev")
def test_numbers_are_those_of_the_headers() -> None:
    for column, path in enumerate(HEADERS):
        lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())
        known = {name: int(number) for name, number in lines}
        table = NUMBERS | {name: numbers for name, (_, numbers) in syscalls.PARTLY.items()}
        ours = {name: n[column] for name, n in table.items() if len(n) > column and name in known}
        assert len(ours) > 50
        assert ours == {name: known[name] for name in ours}


@pytest.mark.parametrize("machine", syscalls.SECCOMP)
def test_every_jump_of_the_filter_lands_inside(machine: str) -> None:
    import struct

    code = list(struct.iter_unpack("=HBBI", syscalls.program(machine, syscalls.REFUSE)))
    assert code[-1] == (syscalls.RETURN, 0, 0, syscalls.ALLOW)
    for place, (operation, yes, no, _) in enumerate(code):
        if operation not in (syscalls.LOAD, syscalls.AND, syscalls.RETURN):
            assert place + 1 + max(yes, no) < len(code)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("session", "granted", "refused"),
    [
        ("notebooks/enforcement.ipynb", "enforcement", "traffic"),
        ("notebooks/traffic.ipynb", "traffic", "enforcement"),
        ("notebooks/scratch/enforcement.ipynb", "mall", "enforcement"),
        ("notebooks/scratch/try.ipynb", "mall", "traffic"),
        ("", "mall", "traffic"),
    ],
)
def test_a_kernel_in_the_lab_gets_the_purposes_of_its_notebook(
    start: Callable[..., Kernel], tmp_path: Path, session: str, granted: str, refused: str
) -> None:
    project = make_project(tmp_path / "mall")
    environment = os.environ | ({"JPY_SESSION_NAME": str(project / session)} if session else {})
    kernel = start(project, purposes=["mall"], lab=True, occasion="lab", env=environment)
    ask = "from datamall.mall.door import extract; extract({!r})"
    assert "not-granted" not in kernel.run(ask.format(granted)).error
    assert "not-granted" in kernel.run(ask.format(refused)).error
    assert "lab" in [entry.said["occasion"] for entry in logbook.read(project)][-1]


@pytest.mark.parametrize("attack", ["UDP", "mode", "memfd", "own session", "watching files"])
def test_the_same_walls_in_the_lab(
    start: Callable[..., Kernel], tmp_path: Path, server: str, attack: str
) -> None:
    project = make_project(tmp_path / "mall")
    session = {"JPY_SESSION_NAME": str(project / "notebooks" / "enforcement.ipynb")}
    kernel = start(project, lab=True, autoreload=True, occasion="lab", env=os.environ | session)
    assert kernel.run(prelude(server, "own.txt")).error == ""
    kind, code, _ = attacks()[attack]
    assert kernel.run(code).error.startswith("PermissionError: ")
    assert noticed(project)[0] == (kind, "refused")
    *_, last = logbook.read(project)
    assert last.said["occasion"] == "lab enforcement"


PROGRAM = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from conftest import Kernel
kernel = Kernel(Path(sys.argv[1]), purposes=["enforcement"])
code = "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', "
code += "'import time; time.sleep(600)']); print(child.pid)"
print(kernel.manager.provisioner.pid, kernel.run(code).printed.strip(), flush=True)
import time; time.sleep(600)
"""


@pytest.mark.slow
def test_children_of_a_killed_program_end_with_the_next_command(mall: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, mall, *folders],
            env=os.environ | {"TMPDIR": temporary},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdout is not None
        pids = list(map(int, program.stdout.readline().split()))
        assert len(pids) == 2
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tempfile, "tempdir", temporary)
            remains.sweep()
            assert all(map(alive, pids))  # in use
            program.kill()
            program.wait()
            program.stdout.close()
            assert alive(pids[1])
            assert len(remains.sweep()) >= 1
        for _ in range(50):
            if not any(map(alive, pids)):
                break
            time.sleep(0.1)
        assert not any(map(alive, pids))
        assert list(Path(temporary).glob(f"{remains.PREFIX}*")) == []
