"""The enforcement page of a large city: this tree against the commit before it worked in cells.

Both make the page from the same stores, whole: door, kernel, figures, results. Time is that of the
program; memory is the most that it and its kernel hold at once. Every table of both is compared.

    python -m bench.enforcement [--places 246900] [--commit 050a5ec]
"""

import argparse

from bench import processes
from bench.pages import Budget, compared
from bench.towns import city

COMMIT = "050a5ec"
BUDGET = Budget(memory=6, time=5, megabytes=1000)


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
        compared("enforcement", stores, options.commit, BUDGET)
    finally:
        processes.remove(stores)


if __name__ == "__main__":
    main()
