"""A city beside the demo's in which nobody is treated otherwise: there a gate can open.

People on benefit, how they were selected in 2025 and the official counts of the same, as one tidy
department would deliver them. It is large, since only many people can show that groups are treated
alike; the demo's nine thousand are too few.
"""

from dataclasses import replace
from pathlib import Path

from datamall.demo import welfare
from datamall.demo.welfare_words import INVESTIGATION
from datamall.demo.welfare_world import WelfareWorld

NAME, YEAR = "fair-city", 2025
FAIR = replace(
    WelfareWorld(), clients=300_000, profile=27_000, signal=8_000, follow_up=5_000, random=60_000
).none()


def make(folder: Path, seed: int) -> None:
    """Write ``investigations.csv`` and ``counts.csv``; the same bytes for the same seed.

    Parameters
    ----------
    folder
        Where the files go; what each holds is in ``data/authorities/fair-city.yaml``.
    seed
        Any whole number that is not negative.
    """
    folder.mkdir(parents=True, exist_ok=True)
    people = welfare.people(seed, FAIR)
    people = people[people["year"] == YEAR]
    counts = welfare.welfare_counts.count(people).drop(columns="exact")
    counts.to_csv(folder / "counts.csv", index=False, lineterminator="\n")
    rows = people[list(INVESTIGATION)].replace({True: "yes", False: "no"})
    rows.to_csv(folder / "investigations.csv", index=False, lineterminator="\n")
