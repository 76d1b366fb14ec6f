"""Same input, same bytes: on one thread and two, on an old processor and a new one."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def produce(project: Path, cli: Callable, threads: str, **environment: str) -> dict[str, str]:
    """Run all that the pipeline runs, in its order; return what was written."""
    stages = yaml.safe_load((project / "dvc.yaml").read_text("utf-8"))["stages"]
    reports = yaml.safe_load((project / "params.yaml").read_text("utf-8"))["reports"]
    stores = stages["intake"]["foreach"]
    handed = [store for store, item in stores.items() if "/results/" in item]
    first = [name for name, about in reports.items() if about.get("hands_over")]
    commands = [("intake", store) for store in stores if store not in handed]
    commands += [("report", name) for name in first] + [("intake", store) for store in handed]
    commands += [("report", name) for name in reports if name not in first]
    own = ("--threads", threads)
    for command in (*((*c, *own) for c in commands), ("gate", "fraud_audit"), ("index",)):
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
    older = {"NPY_DISABLE_CPU_FEATURES": reduced, "OPENBLAS_CORETYPE": "Sandybridge"}
    two = produce(project, cli, "2", **older)
    assert one == two
    assert committed.items() <= one.items(), "the pages in git are not those of this code"
