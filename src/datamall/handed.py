"""What another report found, as a kernel is handed it: whole tables, and nothing of a store.

The tables are the results of that report, rounded as its page shows them, so that what is made of
them says the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from datamall.errors import DatamallError
from datamall.requirements import Absent

if TYPE_CHECKING:
    import pandas as pd

RESULTS = "results"  # folder of what is handed to a kernel, in its work folder


@dataclass
class Results:
    """What a report found, by table, and what it rests on.

    Attributes
    ----------
    report, by
        Whose results they are, and the column that names the place of a row.
    folder
        Of the results.
    absent
        Table → why it could not be made.
    confidence
        Level of the intervals.
    purpose, authority, synthetic, personal, period, not_delivered
        As of an extract, for the answer of a page.
    """

    report: str
    by: str
    folder: Path
    absent: Mapping[str, Absent]
    confidence: float
    synthetic: bool
    authority: str
    period: Mapping[str, str] | None
    not_delivered: tuple[str, ...]
    purpose: str = ""
    personal: bool = False
    _read: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def level(self) -> str:
        """Return the level of the intervals in words."""
        return f"{100 * self.confidence:g} % interval"

    def at(self, table: str, place: str) -> pd.DataFrame | Absent:
        """Return the rows of a table that are about a place, or why there is no such table.

        Raises
        ------
        DatamallError
            When the report has no table of this name, or one that names no places.
        """
        if table in self.absent:
            return self.absent[table]
        if table not in self._read:
            self._read[table] = self._table(table)
        whole = self._read[table]
        return whole[whole[self.by] == place].reset_index(drop=True) if len(whole) else whole

    def _table(self, name: str) -> pd.DataFrame:
        path = self.folder / f"{name}.json"
        if not path.is_file():
            raise DatamallError(
                f"The results of the report {self.report} have no table {name!r}: run `datamall "
                f"report {self.report}` again, and mend this page if it has another name now."
            )
        import pandas as pd

        table = pd.DataFrame.from_records(json.loads(path.read_text("utf-8")))
        if len(table) and self.by not in table:
            raise DatamallError(
                f"The table {name!r} of the report {self.report} has no column {self.by!r}."
            )
        return table


def handed(report: str, by: str, folder: str | Path = RESULTS) -> Results:
    """Return what a report found, from the folder with the JSON of its results.

    Raises
    ------
    DatamallError
        When the folder is not there or not whole.
    """
    place = Path(folder)
    try:
        said, parameters, lacking = (
            json.loads((place / f"{name}.json").read_text("utf-8"))
            for name in ("answer", "parameters", "absent")
        )
    except FileNotFoundError as error:
        raise DatamallError(
            f"There are no results of the report {report} here "
            f"({Path(error.filename).name} is missing): run `datamall report {report}` first."
        ) from None
    days = {key: said[key] for key in ("first_day", "last_day") if said[key]}
    return Results(
        report=report,
        by=by,
        folder=place,
        absent={one["name"]: Absent(one["chapter"], one["reason"]) for one in lacking},
        confidence=parameters["confidence"],
        synthetic=said["synthetic"],
        authority=said["authority"],
        period=days or None,
        purpose=report,
        not_delivered=tuple(said["not_delivered"]),
    )
