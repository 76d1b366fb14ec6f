"""Start a notebook's kernel behind the door: a clean environment, a sandbox, its extract.

The provisioner is registered under the name ``datamall``, so the name of the kernel stays
``python3`` and notebooks need no metadata of their own. `behind_the_door` makes it the one that
starts every kernel of a program.
"""

import json
import os
import shutil
import signal
import sys
import sysconfig
from contextlib import suppress
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Bool, Int, List, Unicode
from traitlets.config import Config

from datamall import memory
from datamall.errors import DatamallError
from datamall.handed import RESULTS
from datamall.mall import sandbox, syscalls
from datamall.mall.door import ENVIRONMENT, Door
from datamall.mall.log import logbook
from datamall.mall.wall import MOST_WRITTEN
from datamall.project import load_parameters, reports_folder

# All that a kernel gets of the environment: a variable may hold a secret.
PASSED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "NPY_DISABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache")
LOADERS = ("/lib64/ld-linux-*", "/lib/ld-linux-*", "/lib/ld-musl-*")
SYSTEM = (
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
    # Jupyter looks for the processes that the kernel has started, DuckDB for its share of memory;
    # what belongs to another process there, like its environment, is refused all the same.
    "/proc",
    "/sys/devices/system",
    "/sys/fs/cgroup",
)


def open_ways() -> tuple[str, ...]:
    """Return what a kernel could do here that it should not, in words that follow on "could have".

    Pages of personal stores must say so.
    """
    version = sandbox.available()
    lacks = {
        "read more than its extract": version < 1,
        "connected to other programs": version < 4 or not syscalls.available(),
        "sent signals to other programs": version < 6,
        "changed owner, mode and times of files": not syscalls.available(),
    }
    return tuple(way for way, lacking in lacks.items() if lacking)


def isolated() -> bool:
    """Return whether kernels run in a sandbox here."""
    return sandbox.available() > 0


def behind_the_door(
    root: Path,
    authority: str,
    *,
    purposes: list[str] | None = None,
    threads: int = 1,
    autoreload: bool = False,
    occasion: str = "",
    lab: bool = False,
    handed: Path | None = None,
) -> Config:
    """Have every kernel that this program starts from now on start behind the door.

    Parameters
    ----------
    root, authority, purposes, occasion
        See `datamall.mall.door.Door`.
    threads
        Threads of the linear algebra in the kernel; results are rounded, so the same.
    autoreload
        Whether edited modules are loaded again before each cell (JupyterLab).
    lab
        Whether a kernel gets the purposes of the report whose notebook it is started for, and
        `purposes` (None: none) where it is for another.
    handed
        Folder of results that a page shows anew: the kernel finds a copy of their JSON in the
        folder ``results`` below its work folder.

    Returns
    -------
    Config
        To be given to whatever starts the kernels: papermill, nbclient, a kernel manager.
    """
    # Jupyter reads this name from one object per program, which no notebook runner configures.
    KernelProvisionerFactory.instance().default_provisioner_name = "datamall"
    settings = {
        "root": str(root),
        "authority": authority,
        "purposes": purposes,
        "threads": threads,
        "autoreload": autoreload,
        "occasion": occasion,
        "lab": lab,
        "handed": str(handed or ""),
    }
    # What a kernel and its client say to each other is encrypted: other users of the machine
    # could listen in on the loopback interface.
    return Config({"DoorProvisioner": settings, "KernelManager": {"transport_encryption": "auto"}})


class DoorProvisioner(LocalProvisioner):
    """Start a kernel on this machine, in a sandbox, with a door of its own.

    The kernel can read Python, the code of this package and its own extract; it can write in a
    work folder that is deleted with the extract. Restarting the kernel gives both anew.
    """

    root = Unicode(help="Project folder.").tag(config=True)
    authority = Unicode(help="Whose data.").tag(config=True)
    purposes = List(
        Unicode(), default_value=None, allow_none=True, help="What may be asked for; None: all."
    ).tag(config=True)
    threads = Int(1, help="Threads of the linear algebra.").tag(config=True)
    autoreload = Bool(False, help="Load edited modules again before each cell.").tag(config=True)
    occasion = Unicode(help="What the kernels are for, in words.").tag(config=True)
    lab = Bool(False, help="Give a kernel the purposes of its notebook.").tag(config=True)
    handed = Unicode(help="Folder of results that the kernel gets.").tag(config=True)
    door: Door | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Open a door; wrap the kernel's command and replace its environment."""
        self._close()
        root = Path(self.root)
        purposes, occasion, handed = self._of_notebook(kwargs.get("env", {}))
        self.door = door = Door(root, self.authority, purposes, occasion)
        manager: Any = self.parent
        # With the door's folder goes its connection file, also after a crash.
        manager.connection_file = str(door.folder / "connection.json")
        kwargs = await super().pre_launch(**kwargs)
        # A kernel writes to its connection file, and may not read the folder it is in: it gets a
        # copy.
        connection = shutil.copy(manager.connection_file, door.work / "connection.json")
        # What Jupyter and IPython set at their start and a kernel may not: that only its owner can
        # delete from this folder, and the mode of a file that is copied to it.
        door.work.chmod(0o1700)
        startup = door.work / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "README").touch()
        if handed and Path(handed).is_dir():
            shutil.copytree(handed, door.work / RESULTS, ignore=shutil.ignore_patterns("*.csv"))
        command = [part.replace(manager.connection_file, str(connection)) for part in kwargs["cmd"]]
        command.append("--HistoryManager.enabled=False")  # it would go with the folder
        if self.autoreload:
            command += [
                f"--IPKernelApp.exec_lines=%{line}"
                for line in ("load_ext autoreload", "autoreload 2")
            ]
        if isolated():
            policy = _policy(door, dict(self.connection_info))
            closed = {(root / "data").resolve(): "project", logbook.folder(root).resolve(): "log"}
            for path, (place, what) in product(map(Path, policy["read"]), closed.items()):
                if place.is_relative_to(path.resolve()):
                    self._close()
                    raise DatamallError(
                        f"A kernel must read {path}, where Python is, but the {what}'s data lie "
                        f"in it: move the {what} elsewhere."
                    )
            (door.folder / "policy.json").write_text(json.dumps(policy), encoding="utf-8")
            fence = [sys.executable, "-I", sandbox.__file__, str(door.folder / "policy.json")]
            limits = [str(door.client.fileno()), str(MOST_WRITTEN), "--"]
            command = [*fence, *limits, *command]
            command.append("--IPKernelApp.extensions=datamall.mall.refusals")
        if missing := open_ways():
            _warn(missing)
        return kwargs | {
            "cmd": command,
            "env": self._environment(door),
            "cwd": str(door.work),
            "pass_fds": (door.client.fileno(),),
        }

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel; from here on it alone has its end of the door, and is watched."""
        info = await super().launch_kernel(cmd, **kwargs)
        if self.door is not None and self.pid is not None:
            self.door.started(self.pid, self._end)
        return info

    async def cleanup(self, restart: bool = False) -> None:
        """Close the door: the extract and the work folder are deleted."""
        self._close()
        await super().cleanup(restart=restart)

    def _end(self) -> None:
        """End the kernel and its children, which cannot leave its process group."""
        if self.pgid:
            with suppress(ProcessLookupError):
                os.killpg(self.pgid, signal.SIGKILL)

    def _of_notebook(self, environment: dict[str, str]) -> tuple[list[str] | None, str, str]:
        """Return the purposes and results that a kernel gets, and what it is for, for the log."""
        if not self.lab:
            return self.purposes, self.occasion, self.handed
        name = Path(environment.get("JPY_SESSION_NAME", ""))
        reports = load_parameters(Path(self.root))["reports"]
        own = Path(self.root, "notebooks", f"{name.stem}.ipynb")
        if name.stem in reports and Path(self.root, name).resolve() == own.resolve():
            about, occasion = reports[name.stem], f"{self.occasion} {name.stem}"
            if of := about.get("of"):  # it is shown what that report found, and no store
                pages = reports_folder(Path(self.root), self.authority)
                return [], occasion, str(pages / "results" / of)
            return list(about["purposes"]), occasion, ""
        return self.purposes or [], self.occasion, ""

    def _close(self) -> None:
        self._end()
        self.pgid = None  # the number may be given to another
        if self.door is not None:
            self.door.close()
            self.door = None

    def _environment(self, door: Door) -> dict[str, str]:
        passed = {name: os.environ[name] for name in PASSED if name in os.environ}
        folders = ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR")
        return (
            passed
            | dict.fromkeys(folders, str(door.work))
            | dict.fromkeys(POOLS, str(self.threads))
            | memory.ENVIRONMENT
            | {
                ENVIRONMENT: str(door.client.fileno()),
                "PYTHONPATH": str(_source()),
                "PYTHONHASHSEED": "0",
                "PYTHONNOUSERSITE": "1",
                # The sandbox lets the kernel listen at its own ports only; the first one is for
                # the output of forked processes. What other addresses there are it is not told.
                "PYTHONWARNINGS": "ignore:Couldn't bind IOPub Pipe,"
                "ignore:Unexpected error discovering local network interfaces",
                "SOURCE_DATE_EPOCH": "0",
                "JOBLIB_MULTIPROCESSING": "0",
            }
        )


def _source() -> Path:
    """Return the folder to import this package from: the kernel runs the code that we run."""
    return Path(__file__).parents[2]


def _policy(door: Door, connection: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what the kernel of a door needs (see `datamall.mall.sandbox`), and no more."""
    python = {Path(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.base_exec_prefix)}
    read = {prefix / folder for prefix in python for folder in ("lib", "lib64", "share", "etc")}
    read |= {prefix / "pyvenv.cfg" for prefix in python}
    read |= {Path(path) for key, path in sysconfig.get_paths().items() if key.endswith("lib")}
    read |= {Path(path) for path in (*LIBRARIES, *SYSTEM)}
    read |= {_source(), door.extracts}
    loaders = {path for pattern in LOADERS for path in Path("/").glob(pattern[1:])}
    return {
        "read": sorted(map(str, read)),
        "write": [str(door.work), "/dev/null"],
        "run": sorted(map(str, loaders | {Path(sys.executable)})),
        "bind": sorted(port for name, port in connection.items() if name.endswith("_port")),
        # The kernel's debugger channel connects to the kernel itself.
        "connect": [connection["shell_port"]],
    }


@cache
def _warn(missing: tuple[str, ...]) -> None:
    print(
        "datamall: this system has no Landlock of Linux 6.12 or newer, or no seccomp, so a kernel "
        f"here could have {', '.join(missing)}; pages of personal stores say so.",
        file=sys.stderr,
    )
