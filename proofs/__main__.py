"""Run a study (``python -m proofs run STUDY``), or print what all found (``python -m proofs``)."""

import sys
from pathlib import Path

import pandas as pd

from datamall.project import find_root, load_parameters
from datamall.provenance import canonical_digest, file_digests
from datamall.reporting.notebooks import run
from proofs import effects, flows, plans, routes, streets_words, words

# Of each study: its modules here, what it judges, and all that it takes of params.yaml.
STUDIES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "fairness": (
        ["coverage", "power", "printed", "resampling", "verdicts", "words", "worlds"],
        ["fairness", "fraud/audit/sources.py", "fraud/disclosure.py", "small_numbers.py"],
        ["fraud_audit"],
    ),
    "effects": (
        ["cities", "discs", "effects"],
        [
            *(
                f"enforcement/{name}.py"
                for name in ("effect", "expectation", "hotspots", "information", "knowledge")
            ),
            *(f"enforcement/{name}.py" for name in ("pooling", "spatial", "sums")),
        ],
        [],
    ),
    "streets": (
        ["junctions", "streets", "streets_words", "towns"],
        ["fairness/intervals.py", "threads.py", "traffic"],
        [],
    ),
    "flows": (
        ["flows"],
        [f"traffic/{name}.py" for name in ("cube", "effect", "information", "serial")],
        [],
    ),
    "routes": (["routes"], ["demo", "enforcement", "enforcement/routing"], ["demo", "morning"]),
    "plans": (
        ["plans"],
        [
            "fairness/intervals.py",
            *(
                f"traffic/{name}.py"
                for name in ("safety", "search", "signals", "simulate", "timing")
            ),
        ],
        [],
    ),
}


def files(root: Path, study: str) -> list[Path]:
    """Return the files on which a study rests."""
    modules, judged, _ = STUDIES[study]
    folder, source = root / "proofs", root / "src" / "datamall"
    found = [folder / f"{study}.ipynb", folder / "__init__.py", folder / "__main__.py"]
    found += [folder / f"{name}.py" for name in modules]
    for name in judged:
        path = source / name
        found += [path] if path.suffix else sorted(path.glob("*.py"))
    return found


def main() -> None:
    """Write proofs/results from a notebook, or print the lines of all."""
    root = find_root()
    out = root / "proofs" / "results"
    if sys.argv[1:2] == ["run"]:
        [study] = sys.argv[2:]
        digests = file_digests(root, files(root, study))
        for name in STUDIES[study][2]:
            digests[f"params.yaml: {name}"] = canonical_digest(load_parameters(root)[name])
        notebook = root / "proofs" / f"{study}.ipynb"
        run(root, "demo", notebook, parameters={}, provenance=digests, out_folder=out)
        return
    for study, names, say in (
        ("fairness", ("grid", "intervals", "power", "identified"), words.lines),
        ("effects", ("estimates", "hot_spots"), effects.lines),
        (
            "streets",
            ("called", "jumps", "unchanged", "healthy", "odd", "verdicts", "promised"),
            streets_words.lines,
        ),
        ("flows", ("estimates",), flows.lines),
        ("routes", ("paired",), routes.lines),
        ("plans", ("near",), plans.lines),
    ):
        tables = [pd.read_csv(out / "results" / study / f"{name}.csv") for name in names]
        print("\n".join(say(*tables)))


if __name__ == "__main__":
    main()
