"""What a notebook may try from inside a real kernel, and that it is refused.

Every attack that can be made harmless is also made outside of the sandbox, where it succeeds: so
these tests can fail.
"""

import os
import pwd
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import SECRET_VARIABLE, Kernel
from jupyter_client.manager import KernelManager

from datamall.mall import sandbox

pytestmark = pytest.mark.skipif(
    sandbox.available() < 6, reason="needs a Linux kernel with Landlock (ABI 6, Linux 6.12)"
)

PART = "root/'data/stores/demo/enforcement.containers/part-00000.parquet'"
CHILD = """
import subprocess
done = subprocess.run({command}, capture_output=True, text=True)
if done.returncode:
    raise PermissionError(done.stderr)
"""
LIBC = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)\n"
CHECK = "\nif result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))"

# Attacks that succeed outside of the sandbox without doing any harm.
HARMLESS = {
    "open a store": f"open({PART}, 'rb').read(4)",
    "open a raw file": "open(root/'data/raw/demo/raw.csv').read()",
    "open a mapping": "open(root/'data/authorities/demo.yaml').read()",
    "open the register": "open(root/'data/purposes.yaml').read()",
    "open a notebook beside it": "open(root/'params.yaml').read()",
    "list the stores": "os.listdir(root/'data/stores')",
    "list the project": "os.listdir(root)",
    "open the log of use": "open(root/'data/log/entries.log').read()",
    "list the log of use": "os.listdir(root/'data/log')",
    "list by glob": "next(os.scandir(root/'data'))",
    "pandas": f"import pandas; pandas.read_parquet({PART})",
    "pyarrow": f"import pyarrow.parquet as pq; pq.read_table({PART})",
    "pyarrow dataset": "import pyarrow.dataset as d; d.dataset(root/'data/stores/demo/shared."
    "neighbourhoods', exclude_invalid_files=True).to_table()",
    "numpy memory map": f"import numpy; numpy.memmap({PART})",
    "way up": f"open(os.path.relpath({PART}, os.getcwd()), 'rb')",
    "way up from the extract": "open(str(extracts) + '/../' + os.path.relpath(root/'params.yaml', "
    "extracts.parent))",
    "symbolic link": f"os.symlink({PART}, work/'link'); open(work/'link', 'rb')",
    "link to a folder": "os.symlink(root, work/'up'); open(work/'up/params.yaml')",
    "change of folder": "here = os.getcwd()\nos.chdir(root)\ntry: open('params.yaml')\n"
    "finally: os.chdir(here)",
    "own root folder": f"open('/proc/self/root' + str({PART}), 'rb')",
    "another thread": f"import concurrent.futures as f\n"
    f"with f.ThreadPoolExecutor() as pool: pool.submit(open, {PART}, 'rb').result()",
    "Python child": CHILD.format(
        command=f"[sys.executable, '-c', 'import sys; open(sys.argv[1])', {PART}]"
    ),
    "isolated Python child": CHILD.format(
        command=f"[sys.executable, '-IS', '-c', 'import sys; open(sys.argv[1])', {PART}]"
    ),
    "forked child": f"""
pid = os.fork()
if pid == 0:
    try: os._exit(len(open({PART}, 'rb').read(1)))
    except PermissionError: os._exit(77)
if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 77: raise PermissionError('denied')
""",
    "cat": CHILD.format(command="['/bin/cat', root/'params.yaml']"),
    "shell": CHILD.format(command="['/bin/sh', '-c', 'true']"),
    "program through the loader": CHILD.format(command="[loader, '/bin/cat', root/'params.yaml']"),
    "own program": "p = work/'own.sh'; p.write_text('#!' + sys.executable); p.chmod(0o700)\n"
    + CHILD.format(command="[work/'own.sh']"),
    "DuckDB read_parquet": f"import duckdb; duckdb.read_parquet(str({PART})).fetchall()",
    "DuckDB read_text": "import duckdb; duckdb.sql(f\"FROM read_text('{root}/params.yaml')\").df()",
    "DuckDB COPY TO": "import duckdb\nduckdb.sql(f\"COPY (SELECT 1) TO '{root}/out.csv'\")",
    "DuckDB ATTACH": "import duckdb\nduckdb.sql(f\"ATTACH '{root}/out.duckdb' AS out\")",
    "write into the project": "(root/'out.txt').write_text('x')",
    "write into the code": "p = source/'datamall/out.txt'; p.write_text('x'); p.unlink()",
    "write beside the door": "p = temporary/'datamall.txt'; p.write_text('x'); p.unlink()",
    "another kernel's connection file": "open(other).read()",
    "the parent's environment": "open(f'/proc/{parent}/environ', 'rb').read()",
    "the parent's open files": "os.readlink(f'/proc/{parent}/fd/0')",
    "the parent's root folder": f"open(f'/proc/{{parent}}/root' + str({PART}), 'rb')",
    "the parent's working folder": "os.listdir(f'/proc/{parent}/cwd/')",
    "the parent's memory map": "open(f'/proc/{parent}/maps').read(1) or 1/0",
    "a signal to the parent": "os.kill(parent, 18)",
    "TCP to this machine": "import socket; socket.create_connection(('127.0.0.1', port)).close()",
    "another TCP server": "import socket; socket.create_server(('127.0.0.1', 0)).close()",
    "an abstract socket": "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect(abstract)",
}
# Attacks that do harm where they succeed, or that ordinary systems refuse as well.
HARMFUL = {
    "the parent's memory": "open(f'/proc/{parent}/mem', 'rb').read(1)",
    "read the parent's memory by a call": LIBC + "result = libc.process_vm_readv(parent, "
    "(ctypes.c_void_p * 2)(id(0), 8), 1, (ctypes.c_void_p * 2)(id(0), 8), 1, 0)" + CHECK,
    "trace the parent": LIBC + "result = libc.ptrace(0x4206, parent, None, None)" + CHECK,
    "write into the home folder": "(home/'datamall.txt').write_text('x')",
    "hard link": f"os.link({PART}, work/'hard')",
    "write into the log of use": "open(root/'data/log/entries.log', 'a').write('x')",
    "truncate the log of use": "os.truncate(root/'data/log/entries.log', 0)",
    "move the log of use": "os.rename(root/'data/log', work/'log')",
    "write to the log of use by its own functions": "from datamall.mall.log import logbook\n"
    "try: logbook.write(root, 'gate', open=True)\n"
    "except Exception as error: raise PermissionError(str(error))",
    "delete a store": f"os.unlink({PART})",
    "truncate a store": f"os.truncate({PART}, 0)",
    "move the stores": "os.rename(root/'data/stores', work/'stores')",
    "change the extract": "(extracts/'enforcement/extract.json').write_text('{}')",
    "change the policy": "(extracts.parent/'policy.json').write_text('{}')",
    "read the policy": "open(extracts.parent/'policy.json')",
    "list the door's folder": "os.listdir(extracts.parent)",
    "mount the stores": LIBC + "result = libc.mount(os.fsencode(root/'data'), os.fsencode(work), "
    "None, 4096, None)" + CHECK,
    "a user's own name space": LIBC + "libc.unshare(0x10000000 | 0x20000)\n"
    "result = libc.mount(os.fsencode(root/'data'), os.fsencode(work), None, 4096, None)" + CHECK,
    "more rights": LIBC + f"libc.prctl(38, 0, 0, 0, 0)\nos.setuid(0)\nopen({PART}, 'rb')",
    "the passwords": "open('/etc/shadow')",
}


@pytest.fixture(scope="session")
def prelude(mall: Path, kernel: Kernel) -> Iterator[str]:
    """Return the names that the attacks use, as code; what they aim at is there."""
    raw = mall / "data" / "raw" / "demo"
    raw.mkdir(parents=True)
    (raw / "raw.csv").write_text("4711\n")
    kernel.run("from datamall.mall.door import extract; data = extract('enforcement')")
    loader = next(Path("/").glob("lib*/ld-*.so.*"))
    other = KernelManager()
    other.write_connection_file()
    abstract = f"\0datamall-test-{os.getpid()}"  # of this run: others may run beside it
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(abstract)
        local.listen()
        paths = {
            "root": mall,
            "extracts": kernel.door.extracts,
            "source": Path(sandbox.__file__).parents[2],
            "temporary": Path(tempfile.gettempdir()),
            "home": Path(pwd.getpwuid(os.getuid()).pw_dir),
        }
        yield "\n".join(
            [
                "import os, sys",
                "from pathlib import Path",
                *(f"{name} = Path({str(path)!r})" for name, path in paths.items()),
                f"loader, other = {str(loader)!r}, {other.connection_file!r}",
                f"port, parent = {server.getsockname()[1]}, {os.getpid()}",
                f"abstract = {abstract!r}",
            ]
        )
    other.cleanup_connection_file()


def refused(error: str) -> bool:
    words = ("The door refuses", "denied", "not permitted", "Cannot open", "cannot open")
    return any(word in error for word in words)


@pytest.mark.parametrize("attack", HARMLESS | HARMFUL)
def test_attack_is_refused(kernel: Kernel, prelude: str, attack: str) -> None:
    assert kernel.run(f"{prelude}\nwork = Path.cwd()").error == ""
    answer = kernel.run((HARMLESS | HARMFUL)[attack])
    assert refused(answer.error), answer


@pytest.mark.parametrize("attack", HARMLESS)
def test_attack_succeeds_outside_of_the_sandbox(
    mall: Path, prelude: str, tmp_path: Path, attack: str
) -> None:
    code = f"{prelude}\nwork = Path({str(tmp_path)!r})\n{HARMLESS[attack]}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    for left in ("out.txt", "out.csv", "out.duckdb"):
        (mall / left).unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr


def test_the_extract_is_there(kernel: Kernel, prelude: str) -> None:
    answer = kernel.run("print({name: len(table) for name, table in data.items()})")
    assert answer.error == ""
    assert "'enforcement.inspections': 4" in answer.printed
    # Nothing was changed by the attacks.
    assert kernel.run("print(extract('enforcement').period['last_day'])").printed == "2026-03-01\n"


@pytest.mark.parametrize("name", ["fraud", "../enforcement", "..", "", "enforcement/../x"])
def test_the_door_refuses_what_is_not_granted(kernel: Kernel, prelude: str, name: str) -> None:
    assert "not-granted" in kernel.run(f"extract({name!r})").error


def test_the_environment_holds_nothing_of_the_parent(kernel: Kernel, mall: Path) -> None:
    assert os.environ[SECRET_VARIABLE] == "top secret"
    code = "import os; print(dict(os.environ), open('/proc/self/environ').read())"
    printed = kernel.run(code).printed
    assert "OMP_NUM_THREADS" in printed
    for secret in (SECRET_VARIABLE, "top secret", str(mall), "PYTEST"):
        assert secret not in printed


def test_the_kernel_keeps_no_powers_of_root(kernel: Kernel) -> None:
    lines = kernel.run("print(open('/proc/self/status').read())").printed.splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) in (0, 2)  # 2: the permission bits of files
    assert int(status["CapBnd"], 16) & ~2 == 0 or os.getuid() != 0


def test_the_work_folder_and_computing_work(kernel: Kernel) -> None:
    answer = kernel.run(
        "import duckdb, pandas, subprocess, sys\n"
        "from pathlib import Path\n"
        "Path('note.txt').write_text('mine')\n"
        "duckdb.sql(\"COPY (SELECT 42 AS a) TO 'a.parquet'\")\n"
        "print(pandas.read_parquet('a.parquet')['a'].sum())\n"
        "print(subprocess.check_output([sys.executable, '-c', 'print(1)'], text=True))"
    )
    assert (answer.printed.split(), answer.error) == (["42", "1"], "")
