"""The audit as a process and on cells against engines, rows and fairlearn, in one run.

Prints time, memory and ratios: of a process its peak, of a step its peak above what was held
before. Row bootstraps are timed for a few replicates and multiplied, marked x. Against them stand,
from cells and on one thread as they are: all gaps with their exact limits, which is what a
bootstrap is for; the whole audit, with verdicts corrected for their number and what could have
been detected; and a bootstrap of the cells (`proofs.resampling`), which the audit does not need. No
test times anything; this is the place.

    python -m bench.fairness            # everything; fairlearn at a million rows takes its time
    python -m bench.fairness 100000     # the processes alone, at so many rows
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from datamall.fairness import Cells, audit
from datamall.fairness.inference import compare
from datamall.fairness.metrics import METRICS, rate
from datamall.fairness.sweeps import thresholds
from datamall.fairness.verdict import Tolerance, verdicts
from proofs.resampling import bootstrap, permutation

ROWS = (100_000, 1_000_000, 10_000_000)
SHAPES = {12: (3, 2, 2), 48: (4, 4, 3), 576: (12, 8, 6)}
REPLICATES = 1000
GROUPS = ["a", "b", "c"]
WORK = Path(__file__).parent / ".work"
CHECKED = {"selection_rate": "selection_rate", "tpr": "true_positive_rate"}
CHECKED |= {"fpr": "false_positive_rate"}
# The same groups, rates and confidence as the plan below, as fairlearn has them.
OTHER = f"""
import sys, pandas as pd
from fairlearn import metrics
frame = pd.read_csv(sys.argv[1])
found = metrics.MetricFrame(
    metrics={{name: getattr(metrics, name) for name in {list(CHECKED.values())}}},
    y_true=frame["y"], y_pred=frame["d"], sensitive_features=frame[{GROUPS}],
    n_boot=100, ci_quantiles=[0.025, 0.975], random_state=1)
print(found.by_group_ci[0].shape, found.difference_ci()[1])
"""


def people(rows: int, groups: int) -> pd.DataFrame:
    """Make people as small integers, the best case for everybody."""
    draw = np.random.Generator(np.random.PCG64(rows + groups))
    frame = {
        name: draw.integers(0, size, rows, dtype=np.uint8)
        for name, size in zip(GROUPS, SHAPES[groups], strict=True)
    }
    frame |= {"d": draw.random(rows) < 0.1, "y": draw.random(rows) < 0.2}
    return pd.DataFrame(frame).astype(np.uint8)


def measured(work: Callable[[], Any], repeats: int = 1) -> tuple[float, float, Any]:
    """Return the least seconds of some repeats, the peak in MB above the start, and the result."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    seconds, result = [], None

    def kilobytes(field: str) -> int:
        return int(next(v for v in status.read_text().splitlines() if field in v).split()[1])

    before = 0
    if clear.exists():  # Linux: forget the peak so far
        clear.write_text("5")
        before = kilobytes("VmRSS")
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    peak = (kilobytes("VmHWM") - before) / 1024 if clear.exists() else float("nan")
    return min(seconds), peak, result


def line(what: str, seconds: float, peak: float, note: str = "") -> None:
    """Print a row of the table."""
    print(f"{what:<58}{seconds:>11.4f}{peak:>9.0f}  {note}", flush=True)


def cells_of_rows(rows: int, groups: int) -> tuple[pd.DataFrame, Cells]:
    """Time the counting of rows, in an engine and in numpy."""
    frame = people(rows, groups)
    relation = duckdb.from_df(frame)
    keys = ", ".join([*GROUPS, "d", "y"])
    repeats = 10 if rows <= 1_000_000 else 5

    def bare() -> pd.DataFrame:
        return relation.aggregate(f"{keys}, count(*) AS n", keys).df()

    def ours() -> Cells:
        return Cells.from_frame(relation, GROUPS, "d", "y")

    title = f"{rows:>10,} rows, {groups} groups: "
    # In turns, so that a busy moment hits both.
    pairs = [(measured(bare), measured(ours)) for _ in range(repeats)]
    least, peak, _ = min((pair[0] for pair in pairs), key=lambda m: m[0])
    line(title + "bare group-by", least, peak)
    seconds, peak, counted = min((pair[1] for pair in pairs), key=lambda m: m[0])
    line(title + "cells in the engine", seconds, peak, f"{seconds / least:.2f} x bare (1.3)")
    seconds, peak, cells = measured(lambda: Cells.from_frame(frame, GROUPS, "d", "y"), repeats)
    line(title + "cells of the DataFrame", seconds, peak, f"{seconds / least:.2f} x bare")
    if cells != counted:
        raise SystemExit("The engine and the DataFrame give different cells.")
    return frame, cells


def rows_bootstrap(frame: pd.DataFrame, groups: int, replicates: int) -> np.ndarray:
    """Resample rows as fast as numpy can: one code for each row, counted where drawn."""
    code = np.zeros(len(frame), np.uint16)
    for name, size in zip([*GROUPS, "d", "y"], (*SHAPES[groups], 2, 2), strict=True):
        code = code * np.uint16(size) + frame[name].to_numpy()
    draw = np.random.Generator(np.random.PCG64(1))
    out = np.zeros((replicates, groups, 3, 3), np.int64)
    for i in range(replicates):
        sample = code[draw.integers(0, len(code), len(code), dtype=np.uint32)]
        out[i, :, :2, :2] = np.bincount(sample, minlength=groups * 4).reshape(groups, 2, 2)
    return rate(out)


def plan() -> dict[str, Any]:
    """Return the plan of the audits: three rates, groups up to three attributes deep."""
    tolerance = {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}
    checks = [{"name": name, "metric": name, "tolerance": tolerance} for name in CHECKED]
    return {"groups": GROUPS, "depth": 3, "checks": checks}


def process(*command: str | Path) -> tuple[float, float]:
    """Run a process; return its seconds and its peak in MB."""
    start = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{command[0]} ended with {running.returncode}.")
    return time.perf_counter() - start, used.ru_maxrss / 1024


def processes(rows: int) -> None:
    """Time the whole audit of a CSV file of people, and fairlearn with a bootstrap of the same."""
    WORK.mkdir(exist_ok=True)
    sheet, spec = WORK / "people.csv", WORK / "people.yaml"
    people(rows, 48).to_csv(sheet, index=False)
    columns = {"decision": "d", "outcome": "y"}
    spec.write_text(json.dumps({"sheet": sheet.name, "columns": columns, **plan()}))
    title = f"{rows:>10,} rows, 48 groups: "
    own, held = process(Path(sys.executable).with_name("datamall"), "audit", spec)
    line(title + "datamall audit, the process", own, held)
    other, peak = process(sys.executable, "-c", OTHER, sheet)
    note = f"{other / own:,.0f} x as long (50), {peak / held:.1f} x the memory (4)"
    line(title + "fairlearn, 100 bootstraps, the process", other, peak, note)


def main() -> None:
    """Measure and print."""
    print(f"{'what':<58}{'seconds':>11}{'peak MB':>9}")
    if len(sys.argv) > 1:
        processes(int(sys.argv[1]))
        return
    # First: what this process holds when it starts another counts as that one's peak, too.
    processes(1_000_000)
    for rows in ROWS:
        for groups in SHAPES:
            frame, cells = cells_of_rows(rows, groups)
            title = f"{rows:>10,} rows, {groups} groups: "
            ways: dict[str, Callable[[], Any]] = {
                # A copy each time: cells remember their groups.
                "gaps with limits": lambda c=cells: compare(replace(c), estimand="procedure"),
                "the whole audit": lambda c=cells: audit(replace(c), plan()),
                f"bootstrap of cells, {REPLICATES:,}": lambda c=cells: bootstrap(
                    c, seed=1, replicates=REPLICATES, threads=1
                ),
            }
            took = {}
            for what, way in ways.items():
                took[what], peak, _ = measured(way, 3)
                line(title + what, took[what], peak)
            few = max(3, 3_000_000 // rows)  # the first touches memory anew
            slow, peak, _ = measured(lambda f=frame, g=groups, n=few: rows_bootstrap(f, g, n))
            slow *= REPLICATES / few
            note = ", ".join(f"{slow / own:,.0f} x the {what}" for what, own in took.items())
            line(title + "bootstrap of rows, x", slow, peak, note)
    tolerance = Tolerance("ratio", 0.8, 1.25)
    names = ["selection_rate"]
    seconds, peak, _ = measured(lambda: permutation(cells, seed=1, depth=3))
    line("permutation, all 818 groups up to three attributes", seconds, peak)
    rows_ = compare(cells, depth=3, estimand="procedure", names=names)
    seconds, peak, _ = measured(lambda: verdicts(rows_, tolerance))
    line(f"verdicts, {len(rows_)} comparisons", seconds, peak)
    banded = people(1_000_000, 576).assign(s=np.arange(1_000_000) % 201)
    fine = Cells.from_frame(banded, GROUPS, "d", "y", score_band="s")
    seconds, peak, _ = measured(lambda: thresholds(fine))
    line("rates at 201 thresholds, 576 groups", seconds, peak)
    fairlearn()


def fairlearn() -> None:
    """Time fairlearn's rates without intervals; equality is tested elsewhere."""
    from fairlearn import metrics as other

    frame = people(100_000, 48)
    functions = {
        "selection_rate": other.selection_rate,
        "tpr": other.true_positive_rate,
        "fpr": other.false_positive_rate,
        "fnr": other.false_negative_rate,
        "tnr": other.true_negative_rate,
    }

    def work() -> pd.DataFrame:
        return other.MetricFrame(
            metrics=functions,
            y_true=frame["y"],
            y_pred=frame["d"],
            sensitive_features=frame[GROUPS],
        ).by_group

    title = f"{100_000:>10,} rows, 48 groups: "
    slow, peak, _ = measured(work)
    line(title + f"fairlearn, {len(functions)} rates, no intervals", slow, peak)
    seconds, peak, _ = measured(lambda: Cells.from_frame(frame, GROUPS, "d", "y").rates(), 3)
    line(
        title + f"cells and {len(METRICS)} rates",
        seconds,
        peak,
        f"fairlearn {slow / seconds:,.0f} x",
    )


if __name__ == "__main__":
    main()
