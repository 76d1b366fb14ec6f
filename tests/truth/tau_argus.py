"""Make `tau_argus.json` anew: tables hidden by tau-argus, and the intervals that it audits.

tau-argus is the program by which statistical offices hide counts. Its build for Python is no
dependency: ``pip install pytauargus==0.6.0``, then ``python tests/truth/tau_argus.py``.

Its audit takes for granted that no count is below the least one of the whole table, hidden or not;
so each table has a count of nought, and the intervals are what a reader can reckon.
"""

import json
import os
import tempfile
from pathlib import Path

import numpy as np

TWO = {"origin": list("ABCDEF"), "decision": ["no", "yes", "unknown"]}
THREE = {"origin": list("ABCD"), "area": list("NSW"), "decision": ["no", "yes"]}
TABLES = [(TWO, 3), (TWO, 9), (THREE, 5), (THREE, 7)]


def table(keys: dict[str, list[str]], seed: int) -> list[list[object]]:
    """Return all counts with their totals: keys, count, S (shown), U or M (hidden), interval."""
    from pytauargus import protect

    draw = np.random.Generator(np.random.PCG64(seed))
    counts = np.floor(draw.gamma(0.8, 60 if keys is TWO else 40, [len(v) for v in keys.values()]))
    people: dict[str, list[object]] = {name: [] for name in [*keys, "n"]}
    for place in np.ndindex(*counts.shape):
        for _ in range(int(counts[place])):
            for (name, values), at in zip(keys.items(), place, strict=True):
                people[name].append(values[at])
            people["n"].append(1.0)
    done = protect(people, list(keys), response="n", safety_rules="FREQ(10,30)", suppress="OPT(1)")
    audited = {row["cell"]: (int(row["min"]), int(row["max"])) for row in done.engine.audit(0)}
    return [
        [*(row[name].strip() for name in keys), int(row["n"]), row["status"], *audited.get(i, ())]
        for i, row in enumerate(done.tables[0].rows)
    ]


if __name__ == "__main__":
    target = Path(__file__).resolve().with_suffix(".json")
    os.chdir(tempfile.mkdtemp())  # the solver leaves its notes in the folder where it runs
    tables = [{"keys": list(keys), "rows": table(keys, seed)} for keys, seed in TABLES]
    lines = json.dumps(tables).replace("[[", "[\n[").replace("], [", "],\n[").replace("]]", "]\n]")
    target.write_text(lines + "\n", "utf-8")
