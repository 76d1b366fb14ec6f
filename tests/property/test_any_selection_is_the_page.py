"""Any selection, as an office or the department prints it: page and `datamall audit` are one call.

``DATAMALL_TABLES=10000 pytest -m slow tests/property/test_any_selection_is_the_page.py`` draws so
many tables; without it, 240.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from datamall.fairness import Plan, specification
from datamall.fairness.steps import ALL, KEYS
from datamall.fraud import disclosure
from datamall.fraud.audit import knowledge, sources

RESULTS = ("nothing", "mistake", "unclear")
ARMS = ("none", "random", "profile", "signal")
LABELS = {
    "mistake": {"nothing": False, "mistake": True, "unclear": None},
    "mistake or unclear": {"nothing": False, "mistake": True, "unclear": True},
}
CHOSEN = ["profile", "signal"]
CHECKS: tuple[dict[str, Any], ...] = (
    {"name": "flagged", "metric": "selection_rate", "step": {"to": "flagged"}},
    {"name": "chosen", "metric": "selection_rate", "step": {"of": "flagged", "to": "chosen"}},
    {"name": "wrongly flagged", "metric": "fpr", "step": {"to": "flagged"}},
    {"name": "missed", "metric": "fnr", "step": {"to": "flagged"}},
    {"name": "wrongly visited", "metric": "fpr", "step": {"to": "visited", "arms": CHOSEN}},
    {"name": "found among the drawn", "metric": "base_rate"}
    | {"step": {"to": "finding", "arms": ["random"]}},
)
TOLERANCES = (
    {"kind": "ratio", "within": 1.25, "reason": "a test"},
    {"kind": "ratio", "high": 1.5, "reason": "a test"},
    {"kind": "difference", "within": 0.05, "reason": "a test"},
)
PRINTS = ("Town 2025", "Office 2025", "own counts 2025")  # exact; rounded; rounded and hidden
TABLES = int(os.environ.get("DATAMALL_TABLES", "240"))


def drawn(rng: np.random.Generator) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return counts as printed, and a plan."""
    study = PRINTS[rng.integers(3)]
    largest = [4, 30, 300, 3000][rng.integers(4)]
    rows = []
    for group in "abcd"[: rng.integers(2, 5)]:
        for arm in ARMS:
            for band in ("high", "other"):
                own = rng.integers(largest + 1) * rng.integers(2)  # half of the places are empty
                there = {"population": own, "flagged": own if band == "high" else 0}
                if arm != "none":
                    # Somebody is drawn everywhere, or nothing could be said of anybody.
                    own = max(own, 1 if arm == "random" else 0)
                    there |= {"population": own, "chosen": own, "visited": own}
                    there["flagged"] = own if band == "high" else 0
                    found = rng.multinomial(own, rng.dirichlet(np.ones(len(RESULTS))))
                    results = dict(zip(RESULTS, found, strict=True))
                    rows += [(study, "g", group, arm, band, "finding", k, results[k])
                             for k in RESULTS]  # fmt: skip
                    for label, meaning in LABELS.items():
                        for value in (True, False):
                            said = sum(results[k] for k, v in meaning.items() if v is value)
                            outcome = f"{label}: {'yes' if value else 'no'}"
                            rows.append((study, "g", group, arm, band, "finding", outcome, said))
                rows += [(study, "g", group, arm, band, stage, ALL, n)
                         for stage, n in there.items()]  # fmt: skip
    table = pd.DataFrame(rows, columns=[*KEYS, "people"])
    results_ = table[table["stage"].eq("finding") & table["outcome"].isin(RESULTS)]
    table = pd.concat([table, results_.assign(outcome=ALL)], ignore_index=True)
    for name in ("group", "arm", "band"):
        table = pd.concat([table, table.assign(**{name: ALL})], ignore_index=True)
    table = table.groupby(KEYS)["people"].sum().reset_index()
    if study == PRINTS[0]:
        table = table.assign(rounding=1)
    elif study == PRINTS[1]:
        step = int(rng.choice([3, 5, 10]))
        table = table.assign(people=(table["people"] + step // 2) // step * step, rounding=step)
    else:
        people = disclosure.counts(table["people"])
        table = table.assign(people=people, rounding=disclosure.ROUNDING)
    picked = rng.choice(len(CHECKS), rng.integers(1, 3), replace=False)
    checks = [CHECKS[i] | {"tolerance": TOLERANCES[rng.integers(3)]} for i in sorted(picked)]
    labels = dict(list(LABELS.items())[: rng.integers(1, 3)])
    plan = {"groups": ["g"], "identification": {"random": "random"}, "high_bands": ["high"]}
    return table, plan | {"checks": checks, "labels": labels}


def same(seed: int, folder: Path) -> None:
    """Assert that the page and a specification of the same counts say the same."""
    table, plan = drawn(np.random.default_rng(seed))
    ours = knowledge.judged(table.astype({"people": "Int64"}), Plan.read(plan))
    printed = table.astype({"people": object})
    printed.loc[table["people"].isna(), "people"] = "<10"
    printed.rename(columns={"people": "count"}).to_csv(folder / "counts.csv", index=False)
    tallies = [study for study in table["study"].unique() if sources.is_own(study)]
    spec = plan | {"sheet": "counts.csv", "tallies": tallies}
    (folder / "audit.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), "utf-8")
    theirs = specification.run(folder / "audit.yaml")
    if not hasattr(ours, "verdict"):
        assert not len(theirs.comparisons), seed
        return
    assert theirs.verdict == ours.verdict, seed
    for name in ("comparisons", "figures", "checks", "labels"):
        pd.testing.assert_frame_equal(
            getattr(theirs, name), getattr(ours, name), obj=f"{name} of {seed}"
        )


# Of those at the end three had differences of rounded counts that were fewer than nobody; in the
# last a result of one arm was left out, and printed sums of results still held it.
@pytest.mark.parametrize("seed", [*range(4), 72, 184, 224, 928])
def test_any_selection_is_the_page(seed: int, tmp_path: Path) -> None:
    same(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(24))
def test_any_selection_of_many_is_the_page(part: int, tmp_path: Path) -> None:
    for seed in range(part, TABLES, 24):
        same(seed, tmp_path)
