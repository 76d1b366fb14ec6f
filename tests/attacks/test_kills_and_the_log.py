"""Killed at any moment: the log is whole, and who has an extract has an entry for it."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_mall import make_project

from datamall.mall.log import logbook

CHECKOUT = """
import sys
from pathlib import Path
from datamall.cli import main
project, folder = sys.argv[1:]
import os; os.chdir(project)
print("begun", flush=True)
sys.argv = ["datamall", "checkout", "enforcement", folder]
main()
"""


@pytest.mark.slow
def test_no_extract_without_its_entry_and_no_entry_in_part(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    project = make_project(tmp_path / "project")
    # What a killed checkout leaves is swept by the next one: of this test alone.
    place = tmp_path_factory.mktemp("t")
    environment = os.environ | {"TMPDIR": str(place)}
    whole = moment = 0.0
    generator = random.Random(10)
    folders: list[Path] = []
    for number in range(25):
        folders.append(tmp_path / f"extract-{number}")
        child = subprocess.Popen(
            [sys.executable, "-c", CHECKOUT, project, folders[-1]],
            env=environment,
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        child.stdout.readline()
        start = time.perf_counter()
        if number % 4:  # the others run to their end, so that it is known how long that is
            time.sleep(moment := generator.uniform(0.5, 1.0) * whole)
            child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        if number % 4 == 0:
            whole = time.perf_counter() - start
        entries = sum(1 for entry in logbook.read(project) if entry.said["event"] == "checkout")
        given = sum(folder.exists() and any(folder.iterdir()) for folder in folders)
        assert given <= entries <= number + 1, moment
        logbook.whole(project)
    assert len(folders) / 4 <= given < len(folders)  # some were killed before they were done
    logbook.write(project, "gate")
    assert len(logbook.whole(project)) >= entries + 1
