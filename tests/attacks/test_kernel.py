"""Kernels behind the door live like other kernels, and leave nothing behind."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from conftest import Kernel
from jupyter_client.provisioning import KernelProvisionerFactory
from nbclient import NotebookClient
from tiny_mall import make_project

from datamall.errors import DatamallError
from datamall.mall import kernel as module
from datamall.mall import sandbox
from datamall.mall.kernel import behind_the_door
from datamall.mall.log import logbook

LOAD = "from datamall.mall.door import extract; print(len(extract('enforcement')))"


@pytest.mark.slow
def test_restart_opens_a_new_door_and_stop_deletes_everything(
    start: Callable[..., Kernel],
) -> None:
    kernel = start()
    assert kernel.run(LOAD).printed == "6\n"
    first = kernel.door.folder
    kernel.client.stop_channels()
    kernel.manager.restart_kernel(now=True)
    kernel.connect()
    assert kernel.run(LOAD).printed == "6\n"
    second = kernel.door.folder
    assert first != second
    assert not first.exists()
    kernel.close()
    assert not second.exists()


def test_interrupt_stops_a_cell_and_the_kernel_lives_on(start: Callable[..., Kernel]) -> None:
    kernel = start()
    # Or else ipykernel aborts what comes within a moment of the error, such as the next line.
    code = "import time; print('begun'); time.sleep(60)"
    message = kernel.client.execute(code, stop_on_error=False)
    while kernel.client.get_iopub_msg(timeout=30)["msg_type"] != "stream":
        pass
    kernel.manager.interrupt_kernel()
    reply = kernel.client.get_shell_msg(timeout=30)
    assert reply["parent_header"]["msg_id"] == message
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert kernel.run("print(6 * 7)").printed == "42\n"


def test_edited_code_is_loaded_again(
    start: Callable[..., Kernel], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "src"
    shutil.copytree(root / "src" / "datamall", source / "datamall")
    monkeypatch.setattr(module, "_source", lambda: source)
    edited = source / "datamall" / "greeting.py"
    edited.write_text("def greet():\n    return 'before'\n")
    kernel = start(autoreload=True)
    assert kernel.run("from datamall.greeting import greet; print(greet())").printed == "before\n"
    edited.write_text("def greet():\n    return 'after the edit'\n")
    assert kernel.run("print(greet())").printed == "after the edit\n"


def test_without_autoreload_code_stays_as_it_was(start: Callable[..., Kernel]) -> None:
    assert "UsageError" in start().run("%autoreload 2").printed


def test_a_notebook_runner_gets_kernels_behind_the_door(
    mall: Path, start: Callable[..., Kernel]
) -> None:
    config = behind_the_door(mall, "demo", purposes=["enforcement"], threads=2)
    cell = nbformat.v4.new_code_cell(f"import os\n{LOAD}\nprint(os.environ['OMP_NUM_THREADS'])")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, kernel_name="python3", config=config, timeout=60).execute()
    assert [output.text for output in cell.outputs] == ["6\n2\n"]


@pytest.mark.slow
def test_without_landlock_it_runs_and_says_so_once(
    start: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sandbox, "available", lambda: 0)
    module._warn.cache_clear()
    assert module.isolated() is False
    assert start().run(LOAD).printed == "6\n"
    assert start().run(LOAD).printed == "6\n"
    assert capsys.readouterr().err.count("no Landlock") == 1


def test_data_below_what_a_kernel_must_read_are_refused(start: Callable[..., Kernel]) -> None:
    if not module.isolated():
        pytest.skip("needs a Linux kernel with Landlock")
    with pytest.raises(DatamallError, match="move the project elsewhere"):
        start(Path(sys.base_prefix) / "lib" / "project")


def test_a_log_below_what_a_kernel_must_read_is_refused(
    start: Callable[..., Kernel], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not module.isolated():
        pytest.skip("needs a Linux kernel with Landlock")
    monkeypatch.setenv(logbook.ELSEWHERE, str(Path(sys.base_prefix) / "lib" / "log"))
    with pytest.raises(DatamallError, match="move the log elsewhere"):
        start()


def test_the_log_says_what_a_kernel_was_for(start: Callable[..., Kernel], tmp_path: Path) -> None:
    project = make_project(tmp_path / "mall")
    kernel = start(project, purposes=["enforcement"], occasion="report enforcement")
    assert kernel.run(LOAD).printed == "6\n"
    assert "not-granted" in kernel.run(LOAD.replace("enforcement", "traffic")).error
    said = [entry.said for entry in logbook.read(project)]
    assert [(one["outcome"], one["purpose"]) for one in said] == [
        ("granted", "enforcement"),
        ("refused", "traffic"),
    ]
    assert {one["occasion"] for one in said} == {"report enforcement"}
    # Where the log lies is nothing that a kernel is told.
    shown = kernel.run("import os; print(sorted(os.environ))").printed
    assert "DATAMALL_DOOR" in shown and logbook.ELSEWHERE not in shown


def test_all_kernels_of_a_program_are_behind_the_door(
    start: Callable[..., Kernel], mall: Path
) -> None:
    behind_the_door(mall, "demo")
    assert KernelProvisionerFactory.instance().default_provisioner_name == "datamall"


def test_a_killed_kernel_leaves_nothing(start: Callable[..., Kernel]) -> None:
    kernel = start()
    folder = kernel.door.folder
    kernel.manager.signal_kernel(9)
    for _ in range(100):
        if not kernel.manager.is_alive():
            break
        time.sleep(0.1)
    kernel.close()
    assert not folder.exists()
