"""A real JupyterLab, driven by a real browser: the notebook opens, runs whole, and is saved."""

import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.slow

STORES = (
    *("shared.neighbourhoods", "shared.outlines", "enforcement.containers"),
    "enforcement.inspections",
    *("enforcement.reports", "enforcement.actions"),
)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
)
# The cells of the open notebook as the page holds them, also those that are out of sight.
CELLS = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = Array.from(panel.content.model.cells).filter(c => c.type === 'code');
  return {
    ready: panel.sessionContext.isReady,
    busy: panel.sessionContext.session?.kernel?.status !== 'idle',
    dirty: panel.context.model.dirty,
    counts: cells.map(cell => cell.executionCount),
    errors: cells.flatMap(cell => cell.outputs.toJSON())
      .filter(output => output.output_type === 'error' || output.name === 'stderr')
      .map(output => output.evalue ?? output.text),
  };
}"""


class Lab:
    """A JupyterLab server in a process of its own."""

    def __init__(self, project: Path, home: Path, temporary: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.token = secrets.token_hex(16)
        settings = {"HOME": str(home), "TMPDIR": str(temporary), "JUPYTER_TOKEN": self.token}
        self.log = home / "lab.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    Path(sys.executable).with_name("datamall"),
                    "lab",
                    "--no-browser",
                    "--allow-root",
                    f"--ServerApp.port={urlsplit(self.address).port}",
                    "--ServerApp.port_retries=0",
                    "--LabApp.expose_app_in_browser=True",
                ],
                cwd=project,
                env=os.environ | settings,
                stdout=log,
                stderr=log,
            )

    def call(self, method: str, path: str, body: dict | None = None) -> tuple[int, Any]:
        """Return the status and the content that the server's interface answers with."""
        request = urllib.request.Request(
            self.address + path,
            method=method,
            headers={"Authorization": f"token {self.token}"},
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                content = response.read().decode()
                is_json = "json" in response.headers["Content-Type"]
                return response.status, json.loads(content) if is_json else content
        except urllib.error.HTTPError as error:
            error.close()
            return error.code, None

    def wait(self) -> None:
        for _ in range(300):
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.call("GET", "/api/status")[0] == 200:
                    return
            except OSError:
                time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def mall(project: Path, cli: Callable) -> Path:
    """Return a copy of the project with the demo's stores."""
    for command in (["demo"], *(["intake", store] for store in STORES)):
        done = cli(project, *command)
        assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="module")
def lab(mall: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with tempfile.TemporaryDirectory() as temporary:
        server = Lab(mall, tmp_path_factory.mktemp("home"), Path(temporary))
        try:
            server.wait()
            yield server
        finally:
            server.stop()
        assert not list(Path(temporary).glob("datamall-*")), "an extract outlived its kernel"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs the operating system's Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield started
        started.close()


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file but those of the log, in which every checkout stands."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and ".ipynb_checkpoints" not in path.parts
        and not path.is_relative_to(folder / "data" / "log")
    }


def until(page: Any, condition: Callable[[dict], bool], seconds: int) -> dict:
    for _ in range(seconds * 2):
        state = page.evaluate(CELLS)
        if condition(state):
            return state
        page.wait_for_timeout(500)
    raise AssertionError(f"waited {seconds} s for the notebook: {state}")


def test_run_all_works_and_saving_leaves_every_file_as_it_was(
    lab: Lab, mall: Path, browser: Any
) -> None:
    before = digests(mall)
    page = browser.new_page()
    hosts: set[str | None] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.goto(f"{lab.address}/lab/tree/notebooks/enforcement.ipynb?token={lab.token}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
    until(page, lambda state: state["ready"] and not state["busy"], 120)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    state = until(
        page, lambda state: (all(state["counts"]) and not state["busy"]) or state["errors"], 240
    )
    assert state["errors"] == []
    assert state["counts"] == list(range(1, len(state["counts"]) + 1))
    assert state["dirty"]
    page.keyboard.press("Control+s")
    until(page, lambda state: not state["dirty"], 60)
    page.close()
    assert digests(mall) == before
    # Nothing is fetched from elsewhere.
    assert hosts <= {"127.0.0.1", None}


def test_the_server_shows_no_data_and_opens_no_terminal(lab: Lab, mall: Path) -> None:
    notebooks = {path.name for path in (mall / "notebooks").glob("[!.]*")}
    listed = lab.call("GET", "/api/contents")[1]["content"]
    names = {entry["name"] for entry in listed}
    assert {"notebooks", "src", "params.yaml"} <= names
    assert "data" not in names
    assert lab.call("GET", "/api/contents/params.yaml")[0] == 200
    assert lab.call("GET", "/files/params.yaml")[0] == 200
    link = mall / "notebooks" / "scratch" / "link"
    link.symlink_to(mall / "data" / "stores")
    assert lab.call("GET", "/api/contents/notebooks/scratch/link/demo")[0] == 404
    link.unlink()
    for path in ("data", "data/raw/demo/buurten.csv", "src/../data/stores", "data/purposes.yaml"):
        assert lab.call("GET", f"/api/contents/{path}")[0] == 404, path
        assert lab.call("GET", f"/files/{path}")[0] == 404, path
    # Neither a copy nor a move makes them visible.
    for source in ("data/raw/demo/buurten.csv", "data/stores", "data", "/"):
        assert lab.call("POST", "/api/contents/notebooks", {"copy_from": source})[0] >= 400, source
    assert lab.call("PATCH", "/api/contents/data", {"path": "notebooks/data"})[0] == 404
    assert lab.call("DELETE", "/api/contents/data")[0] == 404
    assert {path.name for path in (mall / "notebooks").glob("[!.]*")} == notebooks
    assert lab.call("POST", "/api/terminals", {})[0] == 404
    assert list(lab.call("GET", "/api/kernelspecs")[1]["kernelspecs"]) == ["python3"]
