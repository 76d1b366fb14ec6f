"""What a report found beyond a limit, noted in the log of use.

A report that checks something against a limit of its parameters names the table in params.yaml
(``limits``); its rows that are beyond it say ``yes`` in the column ``beyond``. How many these are
is written down by the process outside the kernel. What they say is not: a kernel wrote it.
"""

import csv
from pathlib import Path

from datamall.mall.log import logbook
from datamall.project import load_parameters, reports_folder

EVENT = "limit"


def note(root: Path, authority: str, report: str) -> int:
    """Write down what a report that ran found beyond its limit; return how many rows that are.

    Raises
    ------
    DatamallError
        When the log cannot be written.
    """
    table = load_parameters(root)["reports"][report].get("limits")
    path = reports_folder(root, authority) / "results" / report / f"{table}.csv"
    if table is None or not path.is_file():
        return 0
    with path.open(encoding="utf-8", newline="") as file:
        beyond = sum(row.get("beyond") == "yes" for row in csv.DictReader(file))
    if beyond:
        logbook.write(
            root,
            EVENT,
            outcome="noticed",
            authority=authority,
            report=report,
            table=table,
            beyond=beyond,
        )
    return beyond
