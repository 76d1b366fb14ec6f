"""The enforcement page of a large city: this tree against the commit before it worked in cells.

Both make the page from the same stores, whole: door, kernel, figures, results. Time is that of the
program; memory is the most that it and its kernel hold at once. Every table of both is compared.

    python -m bench.enforcement [--places 246900] [--commit 050a5ec]
"""

from bench.pages import Budget, measure
from bench.towns import city

COMMIT = "050a5ec"
BUDGET = Budget(memory=6, time=5, megabytes=1000)

if __name__ == "__main__":
    measure("enforcement", "inspections", city, {"places": 246_900}, COMMIT, BUDGET)
