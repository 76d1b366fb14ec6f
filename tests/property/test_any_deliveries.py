"""Whatever is delivered, in whatever files: the store is what a reckoning by hand gives.

Random rows, copies, contradictions, faults and corrections, over files in random order; the way a
later file is meant is the mapping's. Where that makes the order irrelevant, any order gives the
same bytes.
"""

import csv
import hashlib
import io
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from town import COLUMNS, STORE, stored

from datamall.mall.intake import intake

DAYS = [f"2025-01-{day:02}" for day in range(6, 14)]
Row = tuple[str, str, int, int, str]  # place, day, seen, with waste, identifier of an event
Key = tuple[str, str]


def project_of(root: Path, folder: Path, later: str, events: bool) -> Path:
    shutil.copytree(root / "data" / "contracts", folder / "data" / "contracts")
    columns = {k: v for k, v in COLUMNS.items() if k != "inspections" or not events}
    store = {"file": "seen", "columns": columns, "later": later}
    # Most rows contradict others here, on purpose.
    store |= {"conflicts": {"at_most": 1, "because": "drawn so"}}
    document = {
        "authority": "town",
        "title": "Any town",
        "synthetic": True,
        "files": {"seen": {"path": "*.csv", "format": "csv", "separator": ","}},
        "stores": {STORE: store | ({"events": ["id"]} if events else {})},
    }
    (folder / "data" / "authorities").mkdir()
    (folder / "data" / "authorities" / "town.yaml").write_text(yaml.safe_dump(document), "utf-8")
    return folder


def take_in(project: Path, files: list[list[Row]]) -> dict[str, Any]:
    raw = project / "data" / "raw" / "town"
    shutil.rmtree(raw, ignore_errors=True)
    for made in ("data/stores", "reports"):
        shutil.rmtree(project / made, ignore_errors=True)
    raw.mkdir(parents=True)
    looked_at = []
    for number, rows in enumerate(files):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [("bin", "day", "seen", "waste", "id"), *rows]
        )
        (raw / f"{number}.csv").write_text(text.getvalue(), "utf-8")
        digest = hashlib.sha256(text.getvalue().encode()).hexdigest()
        looked_at.append({"decision": "accepted", "file": f"{number}.csv", "sha256": digest})
    # Files drawn by chance differ so much that some would wait for the steward.
    decisions = project / "data" / "deliveries" / "town" / f"{STORE}.yaml"
    decisions.parent.mkdir(parents=True, exist_ok=True)
    said = {"by": "steward", "reason": "drawn so"}
    decisions.write_text(yaml.safe_dump([one | said for one in looked_at]), "utf-8")
    return intake(project, "town", STORE)


def store_of(project: Path) -> dict[Key, tuple[int, int]]:
    rows = stored(project)
    found = {(place, day): (seen, waste) for place, day, seen, waste in rows}
    assert len(found) == len(rows)
    return found


def draw(seed: int, events: bool) -> list[list[Row]]:
    """Return files with rows of a few places and days, so that most keys occur several times."""
    random = np.random.default_rng(seed)
    files: list[list[Row]] = []
    for _ in range(int(random.integers(2, 6))):
        start, span = int(random.integers(0, 6)), int(random.integers(1, 3))
        rows: list[Row] = []
        for _ in range(int(random.integers(1, 12))):
            place, day = f"P{random.integers(0, 4)}", DAYS[start + int(random.integers(0, span))]
            # One in twelve has more with waste than were seen: set aside, it must change nothing.
            fault = 5 if random.random() < 1 / 12 else 0
            seen = 1 if events else int(random.integers(1, 4))
            waste = min(seen, int(random.integers(0, 3))) + fault
            rows.append((place, day, seen, waste, f"e{random.integers(0, 12)}"))
            if random.random() < 0.2:
                rows.append(rows[-1])
        files.append(rows)
    return files


def agreed(rows: Iterable[Row], known: Any) -> list[Row]:
    """Return the rows of which all with the same key, or identifier, say the same, once."""
    by: dict[Any, set[Row]] = defaultdict(set)
    for row in rows:
        by[known(row)].add(row)
    return [next(iter(same)) for same in by.values() if len(same) == 1]


def by_hand(files: list[list[Row]], later: str, events: bool) -> dict[Key, tuple[int, int]]:
    sound = [[row for row in rows if row[3] <= row[2]] for rows in files]
    if not events:
        # A statement says nothing of events.
        sound = [[(*row[:4], "") for row in rows] for rows in sound]

    def known(row: Row) -> Any:
        return row[4] if events else row[:2]

    if later == "adds":
        kept = [row for rows in sound for row in agreed(rows, known)]
        if events:
            kept = agreed([row for rows in sound for row in rows], known)
    else:
        left: list[Row] = []
        for number, rows in enumerate(sound):
            after = [row for rows in sound[number + 1 :] for row in rows]
            spans = [(min(r[1] for r in s), max(r[1] for r in s)) for s in sound[number + 1 :] if s]
            for row in rows:
                again = later == "replaces" and any(known(row) == known(one) for one in after)
                told = later == "replaces period" and any(a <= row[1] <= b for a, b in spans)
                if not (again or told):
                    left.append(row)
        kept = agreed(left, known)
    seen: Counter[Key] = Counter()
    waste: Counter[Key] = Counter()
    for row in kept:
        seen[row[:2]] += row[2]
        waste[row[:2]] += row[3]
    return {key: (seen[key], waste[key]) for key in seen}


@pytest.mark.parametrize("events", [False, True], ids=["statements", "events"])
@pytest.mark.parametrize("later", ["conflicts", "replaces", "replaces period", "adds"])
def test_a_store_is_what_a_reckoning_by_hand_gives(
    root: Path, tmp_path: Path, later: str, events: bool
) -> None:
    project = project_of(root, tmp_path / "city", later, events)
    tried = 0
    for seed in range(14):
        files = draw(seed, events)
        expected = by_hand(files, later, events)
        if not expected:
            continue
        report = take_in(project, files)
        assert store_of(project) == expected, seed
        assert report.get("read", report["parsed"]) == sum(map(len, files))
        tried += 1
    assert tried > 10


@pytest.mark.parametrize("later", ["conflicts", "adds"])
def test_an_order_that_does_not_matter_gives_the_same_bytes(
    root: Path, tmp_path: Path, later: str
) -> None:
    project = project_of(root, tmp_path / "city", later, events=False)
    folder = project / "data" / "stores" / "town" / STORE
    for seed in range(3):
        random, files = np.random.default_rng(seed), draw(seed, events=False)
        found = set()
        for _ in range(4):
            order = random.permutation(len(files))
            take_in(
                project, [[files[n][i] for i in random.permutation(len(files[n]))] for n in order]
            )
            found.add(b"".join(part.read_bytes() for part in sorted(folder.glob("part-*"))))
        assert len(found) == 1, seed
