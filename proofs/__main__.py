"""Run the studies (``python -m proofs run``), or print what they found (``python -m proofs``)."""

import sys

import pandas as pd

from datamall.project import file_digest, find_root
from datamall.reporting.notebooks import run
from proofs import words

NAME = "fairness"


def main() -> None:
    """Write proofs/results from the notebook, or print its lines."""
    root = find_root()
    folder, out = root / "proofs", root / "proofs" / "results"
    if sys.argv[1:] == ["run"]:
        files = [folder / f"{NAME}.ipynb", *sorted(folder.glob("*.py"))]
        fraud = root / "src" / "datamall" / "fraud"
        files += [root / "params.yaml", fraud / "disclosure.py", fraud / "audit" / "sources.py"]
        files += sorted((root / "src" / "datamall" / "fairness").glob("*.py"))
        digests = {str(path.relative_to(root)): file_digest(path) for path in files}
        notebook = folder / f"{NAME}.ipynb"
        run(root, "demo", notebook, parameters={}, provenance=digests, out_folder=out)
        return
    names = ("grid", "intervals", "power", "identified")
    tables = [pd.read_csv(out / "results" / NAME / f"{name}.csv") for name in names]
    print("\n".join(words.lines(*tables)))


if __name__ == "__main__":
    main()
