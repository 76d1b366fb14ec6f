"""What the log of use costs of a checkout of the demo, in one run: its share, and milliseconds.

The log and the folder of the extract lie in a temporary folder. Most of an entry is the disk's
answer that it has it. The first checkout of a version of a store of persons also makes its tags,
unless intake has; later ones only compare them.

    python bench/log.py
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from datamall.mall import access
from datamall.mall.log import logbook, uses
from datamall.project import find_root

PURPOSES = ("enforcement", "traffic", "fraud-profile", "fraud-audit", "mall")
REPEATS = 16


def timed(work: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """Return a function that does the same, and adds what it took to a list."""

    def measured(*arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            spent.append(time.perf_counter() - start)

    return measured


def main() -> None:
    root = find_root(Path(__file__))
    logged: list[float] = []
    access._persons = timed(access._persons, logged)
    uses.granted = timed(uses.granted, logged)
    print(f"{'checkout':16}{'whole (ms)':>12}{'log (ms)':>10}{'share':>8}{'first time':>12}")
    with tempfile.TemporaryDirectory() as name:
        os.environ[logbook.ELSEWHERE] = f"{name}/log"
        for purpose in PURPOSES:
            runs = []
            for number in range(REPEATS):
                logged.clear()
                folder = Path(name, f"{purpose}-{number}")
                folder.mkdir()
                start = time.perf_counter()
                access.checkout(root, "demo", purpose, folder)
                runs.append((time.perf_counter() - start, sum(logged)))
            whole, log = map(median, zip(*runs[1:], strict=True))
            shares = f"{log / whole:>8.1%}{runs[0][1] / runs[0][0]:>12.1%}"
            print(f"{purpose:16}{whole * 1e3:>12.0f}{log * 1e3:>10.1f}{shares}")


if __name__ == "__main__":
    main()
