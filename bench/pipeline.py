"""Budgets of the demo's pipeline, measured in a clone of what is committed.

Prints one table: what, seconds, budget, ratio. No test times anything; this is the one place.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORK = ROOT / "bench" / ".work" / "clone"
ENVIRONMENT = os.environ | {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    # The clone's own modules, not those of the project that is installed.
    "PYTHONPATH": str(WORK / "src"),
    "DVC_NO_ANALYTICS": "1",
}


def seconds(*command: str) -> float:
    """Run a command in the clone; return its wall time in seconds."""
    start = time.perf_counter()
    subprocess.run(command, cwd=WORK, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(WORK)], check=True)
    rows = [("make the demo's raw files", seconds("datamall", "demo"), 20.0)]
    megabytes = sum(f.stat().st_size for f in (WORK / "data/raw/demo").iterdir()) / 1e6
    rows.append(("dvc repro --force", seconds("dvc", "repro", "--force"), 120.0))
    rows.append(("dvc repro, nothing changed", seconds("dvc", "repro"), 3.0))
    notebook = WORK / "notebooks" / "enforcement.ipynb"
    changed = json.loads(notebook.read_text("utf-8"))
    changed["cells"][0]["source"].append("\n\nChanged.")
    notebook.write_text(json.dumps(changed, indent=1, ensure_ascii=False) + "\n", "utf-8")
    rows.append(("dvc repro, one notebook changed", seconds("dvc", "repro"), 15.0))
    print(f"{'what':<34}{'seconds':>9}{'budget':>9}{'ratio':>8}")
    for what, measured, budget in rows:
        print(f"{what:<34}{measured:>9.1f}{budget:>9.0f}{measured / budget:>8.2f}")
    print(f"{'raw data of the demo (MB)':<34}{megabytes:>9.1f}{150:>9}{megabytes / 150:>8.2f}")


if __name__ == "__main__":
    main()
