"""How many one-line faults the tests notice: `make mutants` prints it and fails below 95 %.

mutmut plants faults in the modules that pyproject.toml lists, one at a time, and runs the tests
that reach each, the quickest first. Faults that live are printed with what they change; those that
change nothing are explained in docs/mutants.md. What was tried is kept in mutants/, so that a run
goes on where the last one stopped; names such as ``datamall.gate*`` try a part.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEAST = 0.95
# How the tests of a fault end that was noticed: one fails, pytest stops, or time runs out.
NOTICED = {1, 3, 24, -24, 36, 152, 255}
# Whoever forgets an encoding gets that of the machine, which is noticed by a warning.
ENVIRONMENT = os.environ | {"PYTHONWARNDEFAULTENCODING": "1"}


def main() -> None:
    """Plant the faults, print the shares that were noticed, list the others."""
    program = Path(sys.executable).with_name("mutmut")
    log = ROOT / "mutants" / "run.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        ran = subprocess.run(
            [program, "run", *sys.argv[1:]],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdout=file,
            stderr=file,
            check=False,
        )
    if ran.returncode:
        raise SystemExit(f"mutmut stopped; the end of {log.relative_to(ROOT)} says why.")
    few, live = [], []
    for path in sorted((ROOT / "mutants" / "src").rglob("*.meta")):
        found = json.loads(path.read_text("utf-8"))["exit_code_by_key"]
        codes = {name: code for name, code in found.items() if code is not None}
        if not codes:
            continue
        own = [name for name, code in codes.items() if code not in NOTICED]
        killed = 1 - len(own) / len(codes)
        module = path.relative_to(ROOT / "mutants" / "src").with_suffix("").as_posix()
        print(f"{module:<48}{len(codes):>6} faults{killed:>8.1%} noticed")
        live += own
        few += [module] if killed < LEAST else []
    for name in live:
        shown = subprocess.run(
            [program, "show", name], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
        ).stdout
        changed = [line for line in shown.splitlines() if line.startswith(("- ", "+ "))]
        print(f"\n{name}", *(f"  {line}" for line in changed), sep="\n")
    if few:
        raise SystemExit(f"\nFewer than {LEAST:.0%} are noticed in {', '.join(few)}.")


if __name__ == "__main__":
    main()
