"""Make one page in this tree and in that of an earlier commit; compare what both cost and say."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import processes


@dataclass(frozen=True)
class Budget:
    """How many times less memory and time this tree is to take, and at most how many megabytes."""

    memory: float
    time: float
    megabytes: float


def page(
    notebook: str, commit: str | None, stores: Path
) -> tuple[processes.Used, dict[str, bytes]]:
    """Make the page in a tree of its own; return what that used, and its tables by name."""
    folder = processes.tree(commit)
    try:
        (folder / "data" / "stores").mkdir(parents=True, exist_ok=True)
        (folder / "data" / "stores" / "demo").symlink_to(stores)
        used = processes.run(folder, "report", notebook)
        results = (folder / "reports" / "results" / notebook).glob("*.csv")
        return used, {path.name: path.read_bytes() for path in results}
    finally:
        processes.remove(folder)


def measure(
    notebook: str,
    what: str,
    city: Callable[[Path, int], int],
    size: dict[str, int],
    commit: str,
    budget: Budget,
) -> None:
    """Make a city, and its page in both trees; print what both used, and what differs.

    Parameters
    ----------
    notebook, what
        The page, and what its rows are.
    city
        Writes stores of some size into a folder; returns the number of rows.
    size
        The option that gives the size, and what it is without.
    commit
        The earlier commit.
    budget
        What is to be kept.
    """
    [(option, usual)] = size.items()
    parser = argparse.ArgumentParser()
    parser.add_argument(f"--{option}", dest="size", type=int, default=usual)
    parser.add_argument("--commit", default=commit)
    options = parser.parse_args()
    stores = processes.WORK / "city"
    processes.remove(stores)
    try:
        rows = city(stores, options.size)
        print(f"Page {notebook} from {rows:,} {what} ({option}: {options.size:,})")
        _compared(notebook, stores, options.commit, budget)
    finally:
        processes.remove(stores)


def _compared(notebook: str, stores: Path, commit: str, budget: Budget) -> None:
    ours, new = page(notebook, None, stores)
    theirs, old = page(notebook, commit, stores)
    print(f"{'':<12}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}")
    for name, used in {commit: theirs, "this tree": ours}.items():
        print(f"{name:<12}{used.seconds:>9.1f}{used.cpu:>9.1f}{used.megabytes:>9,.0f}")
    memory, time = theirs.megabytes / ours.megabytes, theirs.seconds / ours.seconds
    print(f"{memory:.1f} × less memory (budget: {budget.memory:g} × and {budget.megabytes:,g} MB), "
          f"{time:.1f} × faster (budget: {budget.time:g} ×)")  # fmt: skip
    differ = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    print(f"{len(old.keys() & new.keys())} tables compared to the digit, "
          f"{', '.join(differ) or 'none'} differ(s)")  # fmt: skip
    gone, more = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    print(f"gone: {', '.join(gone) or 'none'}; new since: {', '.join(more) or 'none'}")
