"""Run the studies (``python -m proofs run``), or print what they found (``python -m proofs``)."""

import sys

import pandas as pd

from datamall.project import find_root, load_parameters
from datamall.provenance import canonical_digest, file_digests
from datamall.reporting.notebooks import run
from proofs import words

NAME = "fairness"
PLAN = "fraud_audit"  # all that they take of params.yaml


def main() -> None:
    """Write proofs/results from the notebook, or print its lines."""
    root = find_root()
    folder, out = root / "proofs", root / "proofs" / "results"
    if sys.argv[1:] == ["run"]:
        files = [folder / f"{NAME}.ipynb", *sorted(folder.glob("*.py"))]
        fraud = root / "src" / "datamall" / "fraud"
        files += [fraud / "disclosure.py", fraud / "audit" / "sources.py"]
        files += [
            fraud.parent / "small_numbers.py",
            *sorted((fraud.parent / "fairness").glob("*.py")),
        ]
        digests = file_digests(root, files)
        digests[f"params.yaml: {PLAN}"] = canonical_digest(load_parameters(root)[PLAN])
        notebook = folder / f"{NAME}.ipynb"
        run(root, "demo", notebook, parameters={}, provenance=digests, out_folder=out)
        return
    names = ("grid", "intervals", "power", "identified")
    tables = [pd.read_csv(out / "results" / NAME / f"{name}.csv") for name in names]
    print("\n".join(words.lines(*tables)))


if __name__ == "__main__":
    main()
