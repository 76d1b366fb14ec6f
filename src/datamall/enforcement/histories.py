"""What was known of each place on a morning: the last look or closing, and the open reports."""

from typing import Any

import numpy as np
import pandas as pd

from datamall.enforcement.information import Tables
from datamall.enforcement.sums import INSPECTIONS, recorded_causes
from datamall.rows import Rows

REPORTS = "enforcement.reports"
STOPS = "enforcement.stop_results"
FILLS = "enforcement.fill_levels"
# Of a report; or of what was last found, by a crew that took it away.
CLOSED = "report closed"
FOUND, NOTHING = "found", "nothing"
# Days that a report has been open: up to so many, and how a page calls it.
AGES = {2: "1 to 2 days", 7: "3 to 7 days", 10**6: "over a week"}
DAY = np.timedelta64(1, "D")


def before(data: Tables, day: pd.Timestamp) -> dict[str, Any]:
    """Return the extract as it was known on the morning of a day: nothing of that day or later.

    A report that was closed on that day or later was still open; one that came in was not there.
    At a moment of the day what is known of that day by then counts, too.
    """
    known = dict(data)
    if INSPECTIONS in data:
        seen = data[INSPECTIONS]
        seen = seen.whole() if isinstance(seen, Rows) else seen
        known[INSPECTIONS] = seen[seen["period_start"].astype("datetime64[s]") < day]
    if "opened" in data.get(REPORTS, pd.DataFrame()):
        table = data[REPORTS]
        table = table[table["opened"].astype("datetime64[s]") < day]
        if "closed" in table:
            closed = table["closed"].astype("datetime64[s]")
            table = table.assign(closed=closed.where(closed < day))
        known[REPORTS] = table
    for store in (STOPS, FILLS):
        if {"day", "minute"} <= set(data.get(store, pd.DataFrame())):
            known[store] = data[store][moments(data[store]) < day]
    return known


def moments(table: pd.DataFrame) -> pd.Series:
    """Return day, hour (where there is one) and minute of a table as one time."""
    minute = table["minute"] + (60 * table["hour"] if "hour" in table else 0)
    return table["day"].astype("datetime64[s]") + pd.to_timedelta(minute, unit="min")


def looks(data: Tables) -> pd.DataFrame:
    """Return the looks: cluster, day, role, found (0 or 1) and the causes found, in order of day.

    Looks of one role at one place on one day are one, at which waste was found if any found it.
    """
    seen = data[INSPECTIONS]
    seen = seen.whole() if isinstance(seen, Rows) else seen
    causes = recorded_causes(seen)
    role = seen["observer_role"].astype(str) if "observer_role" in seen else "unknown"
    table = pd.DataFrame(
        {
            "cluster": seen["cluster"].astype(str),
            "day": seen["period_start"].astype("datetime64[s]"),
            "role": role,
            "found": (seen["with_waste"] > 0).astype("int64"),
            **{cause: (seen[cause].fillna(0) > 0).astype("int64") for cause in causes},
        }
    )
    keys = ["cluster", "day", "role"]
    return table.groupby(keys, as_index=False).max().sort_values(["day", "cluster", "role"])


def first_reports(data: Tables) -> pd.DataFrame:
    """Return reports at known places: cluster, category, opened and closed; first ones, as known.

    Empty where reports are not delivered, or not where, when or until when.
    """
    names = ["cluster", "category", "opened", "closed"]
    table = data.get(REPORTS, pd.DataFrame())
    if not {"cluster", "opened", "closed"} <= set(table):
        empty = dict.fromkeys(names[:2], "object") | dict.fromkeys(names[2:], "datetime64[s]")
        return pd.DataFrame(columns=names).astype(empty)
    if "duplicate_of" in table:
        table = table[table["duplicate_of"].isna()]
    table = table.dropna(subset="cluster")
    category = table["category"].astype(str) if "category" in table else "any"
    days = {name: table[name].astype("datetime64[s]") for name in names[2:]}
    return table[["cluster"]].astype(str).assign(category=category, **days)[names]


def events(
    seen: pd.DataFrame, reports: pd.DataFrame, cleared: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what happened at each place: cluster, day, event and the causes found, by day.

    Of several on one day the last counts: a closing, else a look that found something. What a crew
    cleared (cluster and day, as from `crews.cleared`) is as good as closed.
    """
    result = np.where(seen["found"] > 0, FOUND, NOTHING)
    own = seen.assign(event=seen["role"] + ": " + result, order=seen["found"])
    done = reports.dropna(subset="closed")[["cluster", "closed"]]
    done = done.rename(columns={"closed": "day"})
    if cleared is not None and len(cleared):
        done = pd.concat([done, cleared], ignore_index=True)
    done = done.assign(event=CLOSED, order=2)
    table = pd.concat([own.drop(columns=["role", "found"]), done], ignore_index=True)
    table["cluster"] = table["cluster"].astype(seen["cluster"].dtype)
    table = table.sort_values(["day", "cluster", "order", "event"], ignore_index=True)
    return table.drop_duplicates(["cluster", "day"], keep="last").drop(columns="order")


def mornings(asked: pd.DataFrame, happened: pd.DataFrame, reports: pd.DataFrame) -> pd.DataFrame:
    """Add to places and days what was known on that morning.

    Parameters
    ----------
    asked
        cluster and day, among other columns; in order of day.
    happened, reports
        As from `events` and `first_reports`.

    Returns
    -------
    pandas.DataFrame
        `asked` with event ("" for none), days (since it, NaN for none), the causes found then
        (``last_…``), open (reports), category and age of the oldest ("" for none) and oldest (its
        days).
    """
    last = happened.rename(
        columns={"day": "since"} | {c: f"last_{c}" for c in recorded_causes(happened)}
    )
    table = asked.reset_index(drop=True).assign(row=np.arange(len(asked)))
    table = pd.merge_asof(
        table,
        last,
        left_on="day",
        right_on="since",
        by="cluster",
        allow_exact_matches=False,
    )
    table["days"] = np.floor((table["day"] - table["since"]) / DAY)
    table["event"] = table["event"].fillna("")
    told = table[["row", "cluster", "day"]].merge(reports, on="cluster")
    told = told[(told["opened"] < told["day"]) & ~(told["closed"] < told["day"])]
    told = told.sort_values(["row", "opened", "category"])
    oldest = told.drop_duplicates("row").set_index("row")
    table["open"] = (
        told["row"].value_counts().reindex(table["row"]).fillna(0).astype(int).to_numpy()
    )
    table["category"] = oldest["category"].reindex(table["row"]).fillna("").to_numpy()
    age = np.floor((oldest["day"] - oldest["opened"]) / DAY).reindex(table["row"]).to_numpy()
    names = np.array(["", *AGES.values()], dtype=object)
    position = 1 + np.searchsorted(list(AGES), np.nan_to_num(age, nan=1))
    table["oldest"], table["age"] = age, names[np.where(np.isnan(age), 0, position)]
    return table.drop(columns=["row", "since"])
