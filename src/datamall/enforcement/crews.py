"""What crews say of their stops: what was taken away, and where a driver does not go."""

import numpy as np
import pandas as pd

from datamall.enforcement import histories
from datamall.enforcement.information import Tables
from datamall.enforcement.sums import recorded_causes

# What a truck can take of what is found, and which report says so. A broken container is for a
# mechanic.
KINDS = {
    "bulky": "bulky waste",
    "full": "container full",
    "residual": "bags beside container",
    "cardboard": "",
}
STOPS, TRUCKS = histories.STOPS, "enforcement.trucks"
REFUSED = "refused"
# A parked car is gone tomorrow; what else a driver names is held to last for so many days.
PASSING = ("parked car", "too much")
LASTING_DAYS = 7


def stops(data: Tables) -> pd.DataFrame:
    """Return what came of each stop: cluster, truck, time, day, result and reason, by time.

    Empty where it is not delivered.
    """
    names = ["cluster", "truck", "time", "day", "result", "reason"]
    table = data.get(STOPS, pd.DataFrame())
    if not {"cluster", "truck", "day", "minute", "result"} <= set(table):
        kinds = dict.fromkeys(names, "object") | dict.fromkeys(names[2:4], "datetime64[s]")
        return pd.DataFrame(columns=names).astype(kinds)
    own = table.assign(
        time=histories.moments(table),
        day=table["day"].astype("datetime64[s]"),
        cluster=table["cluster"].astype(str),
        truck=table["truck"].astype(str),
        reason=table.get("reason"),
    )
    return own.sort_values(["time", "truck", "cluster"], ignore_index=True)[names]


def takes(data: Tables, kind: str) -> set[str]:
    """Return the trucks that can take a kind of waste."""
    trucks = data.get(TRUCKS, pd.DataFrame())
    if not {"truck", f"takes_{kind}"} <= set(trucks):
        return set()
    return set(trucks.loc[trucks[f"takes_{kind}"] == "yes", "truck"].astype(str))


def cleared(data: Tables, seen: pd.DataFrame) -> pd.DataFrame:
    """Return the stops after which what was last found does not lie there: cluster and day.

    Parameters
    ----------
    data
        The extract, as it was known (`histories.before`).
    seen
        As from `histories.looks`.

    Notes
    -----
    A stop that was done, or at which nothing lay, says so of what its truck can take, and of
    nothing else: a lift that empties the container leaves the sofa beside it. Of a find and a stop
    of one day nobody knows which was first, so that the find stands.
    """
    own = stops(data)
    own = own[own["result"] != REFUSED]
    if own.empty:
        return seen[["cluster", "day"]].iloc[:0]
    causes = recorded_causes(seen)
    finds = seen.loc[seen["found"] > 0, ["cluster", "day", *causes]]
    finds = finds.assign(found_on=finds["day"]).sort_values("day")
    own = pd.merge_asof(own, finds, on="day", by="cluster").dropna(subset="found_on")
    own = own[own["found_on"] < own["day"]]
    there, able = own[causes].to_numpy(bool), own["truck"]
    taken = np.array([able.isin(takes(data, cause)) for cause in causes]).reshape(len(causes), -1)
    all_taken = there.any(axis=1) & (~there | taken.T).all(axis=1)
    return own.loc[all_taken, ["cluster", "day"]].drop_duplicates(ignore_index=True)


def reports(data: Tables) -> pd.DataFrame:
    """Return `histories.first_reports`, closed once a crew that takes what they say was there."""
    told = histories.first_reports(data)
    return told.assign(closed=told["closed"].fillna(been(data, told)))


def been(data: Tables, told: pd.DataFrame) -> pd.Series:
    """Return for each report the first day since on which a crew that takes it was there, or NaT.

    Parameters
    ----------
    data
        The extract, as it was known.
    told
        cluster, category and opened.
    """
    visits = stops(data)
    visits = visits[visits["result"] != REFUSED]
    able = pd.DataFrame(
        [(category, truck) for kind, category in KINDS.items() for truck in takes(data, kind)],
        columns=["category", "truck"],
        dtype=object,
    )
    own = told[["cluster", "category", "opened"]].reset_index(names="row")
    own = own.merge(able, on="category").merge(visits, on=["cluster", "truck"])
    first = own[own["day"] >= own["opened"]].groupby("row")["day"].min()
    return first.reindex(told.index).astype("datetime64[s]")


def vetoes(data: Tables, moment: pd.Timestamp) -> pd.DataFrame:
    """Return where drivers do not go: truck and place.

    A refusal holds on its day; for `LASTING_DAYS` where the reason is none of `PASSING`, unless
    the truck has served the place since.
    """
    own = stops(data)
    last = own.drop_duplicates(["truck", "cluster"], keep="last")
    last = last[last["result"] == REFUSED]
    days = (moment.normalize() - last["day"]).dt.days
    holds = (days == 0) | ((days < LASTING_DAYS) & ~last["reason"].isin(PASSING))
    own = last[holds].rename(columns={"cluster": "place"})
    return own[["truck", "place"]].sort_values(["truck", "place"], ignore_index=True)
