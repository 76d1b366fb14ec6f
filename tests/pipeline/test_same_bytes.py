"""Same input, same bytes: on one thread and two, on an old processor and a new one."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

STORES = (
    *("shared.neighbourhoods", "enforcement.containers", "enforcement.inspections"),
    "enforcement.reports",
)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def produce(project: Path, cli: Callable, threads: str, **environment: str) -> dict[str, str]:
    for store in STORES:
        done = cli(project, "intake", store, "--threads", threads, **environment)
        assert done.returncode == 0, done.stderr
    for command in (("report", "enforcement", "--threads", threads), ("index",)):
        done = cli(project, *command, **environment)
        assert done.returncode == 0, done.stderr
    return digests(project / "data" / "stores") | digests(project / "reports")


@pytest.mark.slow
def test_threads_and_processor_features_do_not_change_a_byte(project: Path, cli: Callable) -> None:
    reduced = " ".join(name for name in __cpu_dispatch__ if __cpu_features__[name])
    assert reduced, "this processor has nothing to switch off, so the test could not fail"
    committed = digests(project / "reports")
    done = cli(project, "demo")
    assert done.returncode == 0, done.stderr
    one = produce(project, cli, "1")
    two = produce(project, cli, "2", NPY_DISABLE_CPU_FEATURES=reduced)
    assert one == two
    assert committed.items() <= one.items(), "the pages in git are not those of this code"
