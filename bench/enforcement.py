"""The enforcement page of a large city: this tree against the commit before it worked in cells.

Both make the page from the same stores, whole: door, kernel, figures, results. Time is that of the
program; memory is the most that it and its kernel hold at once. Every table of both is compared.

    python -m bench.enforcement [--places 246900] [--commit 050a5ec]
"""

import argparse
from pathlib import Path

from bench import processes
from bench.towns import city

COMMIT = "050a5ec"
BUDGET_MEMORY, BUDGET_TIME, BUDGET_MB = 6.0, 5.0, 1000


def page(commit: str | None, stores: Path) -> tuple[processes.Used, dict[str, bytes]]:
    """Make the page in a tree of its own; return what that used, and its tables by name."""
    folder = processes.tree(commit)
    try:
        (folder / "data" / "stores").mkdir(parents=True, exist_ok=True)
        (folder / "data" / "stores" / "demo").symlink_to(stores)
        used = processes.run(folder, "report", "enforcement")
        results = (folder / "reports" / "results" / "enforcement").glob("*.csv")
        return used, {path.name: path.read_bytes() for path in results}
    finally:
        processes.remove(folder)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--places", type=int, default=246_900)
    parser.add_argument("--commit", default=COMMIT)
    options = parser.parse_args()
    stores = processes.WORK / "city"
    processes.remove(stores)
    try:
        rows = city(stores, options.places)
        print(f"Enforcement page from {rows:,} inspections at {options.places:,} places")
        ours, new = page(None, stores)
        theirs, old = page(options.commit, stores)
    finally:
        processes.remove(stores)
    print(f"{'':<12}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}")
    for name, used in {options.commit: theirs, "this tree": ours}.items():
        print(f"{name:<12}{used.seconds:>9.1f}{used.cpu:>9.1f}{used.megabytes:>9,.0f}")
    memory, time = theirs.megabytes / ours.megabytes, theirs.seconds / ours.seconds
    print(f"{memory:.1f} × less memory (budget: {BUDGET_MEMORY:g} × and {BUDGET_MB:,} MB), "
          f"{time:.1f} × faster (budget: {BUDGET_TIME:g} ×)")  # fmt: skip
    differ = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    print(f"{len(old.keys() & new.keys())} tables compared to the digit, "
          f"{', '.join(differ) or 'none'} differ(s)")  # fmt: skip
    gone, more = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    print(f"gone: {', '.join(gone) or 'none'}; new since: {', '.join(more) or 'none'}")


if __name__ == "__main__":
    main()
