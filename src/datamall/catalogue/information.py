"""Information: what is in the stores, and what became of the records that were delivered."""

from collections.abc import Mapping

import pandas as pd

from datamall.errors import DatamallError
from datamall.requirements import needs

Tables = Mapping[str, pd.DataFrame]


@needs("Stores", "mall.stores.store", "mall.stores.rows")
def stores(data: Tables) -> pd.DataFrame:
    """Return one row per store that has been taken in.

    Returns
    -------
    pandas.DataFrame
        store, row (what one row stands for), rows (of people rounded to 5, missing
        below 10), period (the days that the rows are about, or None), ordered by store.
    """
    table = data["mall.stores"]
    here = table[table["state"] == "taken in"].reset_index(drop=True)
    days = [here[name].dt.strftime("%Y-%m-%d") for name in ("first_day", "last_day")]
    period = (days[0] + " to " + days[1]).where(days[0] != days[1], days[0])
    return pd.DataFrame(
        {
            "store": here["store"],
            "row": here["row"],
            "rows": here["rows"].astype("Int64"),
            "period": period.astype("str").where(days[0].notna(), None),
        }
    )


@needs("Who answers for the stores", "mall.stores.store", "mall.stores.steward")
def keepers(data: Tables) -> pd.DataFrame:
    """Return one row per store, delivered or not.

    Returns
    -------
    pandas.DataFrame
        store, title, department, owner, steward, counted, retention, state, ordered by store.
    """
    columns = ["title", "department", "owner", "steward", "counted", "retention", "state"]
    return data["mall.stores"][["store", *columns]]


@needs("Columns", "mall.columns.store", "mall.columns.column")
def columns(data: Tables) -> pd.DataFrame:
    """Return one row per column of a store that is delivered, in the order of the contracts.

    Returns
    -------
    pandas.DataFrame
        store, title, description, unit, state, missing (rows without a value) and absent (what
        that means, if it means anything).
    """
    table = _of_delivered(data)
    return table[["store", "title", "description", "unit", "state", "missing", "absent"]].astype(
        {"missing": "Int64"}
    )


def _of_delivered(data: Tables) -> pd.DataFrame:
    known = data["mall.stores"]
    here = known.loc[known["state"] != "not delivered", "store"]
    table = data["mall.columns"]
    return table[table["store"].isin(here)].reset_index(drop=True)


@needs("Quality of the stores", "mall.quality.store", "mall.quality.read")
def quality(data: Tables) -> pd.DataFrame:
    """Return one row per store: what became of the records that were read.

    Returns
    -------
    pandas.DataFrame
        store, read, merged, accepted, put_aside (records; of people rounded to 5, missing below
        10), share_put_aside (of the records that were not merged), files and empty_files, ordered
        by store.
    """
    numbers = ["read", "merged", "accepted", "put_aside"]
    table = data["mall.quality"].astype(dict.fromkeys(numbers, "Int64"))
    share = (table["put_aside"] / (table["read"] - table["merged"])).astype("float64")
    return pd.DataFrame(
        {
            **{name: table[name] for name in ("store", *numbers)},
            "share_put_aside": share,
            "files": table["files"],
            "empty_files": table["empty_files"],
        }
    )


@needs("What records in conflict could change", "mall.conflicts.store", "mall.conflicts.most")
def in_conflict(data: Tables) -> pd.DataFrame:
    """Return one row per store and column that adds up, where records contradict each other.

    Returns
    -------
    pandas.DataFrame
        store, title (of the column), accepted (sum), least and most (the sum if of each
        contradiction the smallest, or the largest, were right), change (largest, as a share of
        what was accepted), the largest change first.
    """
    table = data["mall.conflicts"]
    numbers = table[["accepted", "least", "most"]].astype("float64")
    change = (numbers[["least", "most"]].sub(numbers["accepted"], axis=0)).abs().max(axis=1)
    table = table[["store", "title"]].join(numbers)
    table["change"] = change / numbers["accepted"].where(numbers["accepted"] != 0)
    order = ["change", "store", "title"]
    return table.sort_values(order, ascending=[False, True, True], ignore_index=True)


@needs("Quality over time", "mall.deliveries.store", "mall.deliveries.number")
def over_time(data: Tables) -> pd.DataFrame:
    """Return one row per delivery that was taken in, of stores that had more than one.

    Returns
    -------
    pandas.DataFrame
        store, number (1 is the first that was delivered), file, last_day (of its rows), records,
        share_put_aside (of its records), replaced (records that a later one took the place of),
        ordered by store and number. Empty where no store had a second delivery.
    """
    table = data["mall.deliveries"]
    table = table[(table["state"] == "taken in") & (table["records"] > 0)]
    table = table[table.groupby("store")["number"].transform("size") > 1]
    table = table.assign(share_put_aside=table["put_aside"] / table["records"])
    names = ["store", "number", "file", "last_day", "records", "share_put_aside", "replaced"]
    return table[names].reset_index(drop=True)


@needs("Deliveries to look at", "mall.deliveries.store", "mall.deliveries.state")
def to_look_at(data: Tables) -> pd.DataFrame:
    """Return the deliveries that wait or were withdrawn, or before which something is missing.

    Returns
    -------
    pandas.DataFrame
        store, file, state, why and steward, what waits first.
    """
    table = data["mall.deliveries"].dropna(subset=["why"])
    table = table.merge(data["mall.stores"][["store", "steward"]], on="store")
    order = table["state"].map({"held back": 0, "withdrawn": 1, "taken in": 2})
    table = table.assign(order=order).sort_values(["order", "store", "number"], ignore_index=True)
    return table[["store", "file", "state", "why", "steward"]]


@needs("Why records were put aside", "mall.reasons.store", "mall.reasons.reason")
def reasons(data: Tables, most: int) -> pd.DataFrame:
    """Return the reasons for which most records of each store were put aside.

    Parameters
    ----------
    data
        The extract of the purpose mall.
    most
        How many reasons of each store to return.

    Returns
    -------
    pandas.DataFrame
        store, meaning (the reason in words), records (of people missing below 10), share (of the
        records of the store that were not merged), the most frequent of a store first.

    Raises
    ------
    DatamallError
        When `most` is below 1.
    """
    at_least_one("reasons", most)
    table = data["mall.reasons"].merge(data["mall.quality"], on="store", validate="many_to_one")
    table["share"] = table["records"] / (table["read"] - table["merged"])
    table = table.sort_values(["store", "records", "reason"], ascending=[True, False, True])
    table = table[table.groupby("store").cumcount() < most]
    table = table[["store", "meaning", "records", "share"]].reset_index(drop=True)
    return table.astype({"records": "Int64"})


@needs("What was used", "mall.uses.purpose", "mall.uses.times")
def used(data: Tables) -> pd.DataFrame:
    """Return one row per purpose, store and outcome: how often, as published of the log of use.

    Returns
    -------
    pandas.DataFrame
        purpose, store, outcome (handed out, or the code of a refusal), times, first_month and
        last_month, the most frequent first. Empty where nothing was published.
    """
    table = data["mall.uses"]
    keys = ["purpose", "store", "outcome"]
    found = table.groupby(keys, as_index=False).agg(
        times=("times", "sum"), first_month=("month", "min"), last_month=("month", "max")
    )
    return found.sort_values(["times", *keys], ascending=[False, True, True, True]).reset_index(
        drop=True
    )


def at_least_one(name: str, number: int) -> None:
    """Refuse a length of a list that would leave it empty."""
    if number < 1:
        raise DatamallError(f"{name} is {number}: set it to 1 or more in params.yaml.")
