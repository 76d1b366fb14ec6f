"""Wisdom: what a steward should mend first, what nobody uses, and who decides."""

from collections.abc import Iterable

import pandas as pd

from datamall.catalogue.information import Tables, at_least_one
from datamall.catalogue.knowledge import PERSONAL, unasked
from datamall.requirements import needs, passes_absent


@needs("What to mend first", "mall.reasons.store", "mall.columns.missing", "mall.grants.purpose")
def to_mend(data: Tables, most: int) -> pd.DataFrame:
    """Return the faults that take the largest share of a store that a purpose needs.

    A fault is a reason for which records were put aside, or a column that a purpose is granted
    and that has no value in some rows. Where the contract says what the lack of a value means, it
    is no fault.

    Parameters
    ----------
    data
        The extract of the purpose mall.
    most
        How many faults to return.

    Returns
    -------
    pandas.DataFrame
        store, steward, fault, records, share (of the records of the store that were not merged;
        for missing values: of its rows), purposes (that need it), the largest share first.

    Raises
    ------
    DatamallError
        When `most` is below 1.
    """
    at_least_one("faults", most)
    grants, counted = data["mall.grants"], data["mall.quality"]
    needing = _purposes(grants, ["store"])
    aside = data["mall.reasons"].merge(counted, on="store", validate="many_to_one")
    aside = aside.assign(
        fault=aside["meaning"], share=aside["records"] / (aside["read"] - aside["merged"])
    ).merge(needing, on="store", validate="many_to_one")
    asked = data["mall.columns"]
    asked = asked[asked["absent"].isna() & (asked["missing"] > 0)]
    lacking = asked.merge(counted, on="store", validate="many_to_one")
    lacking = lacking.assign(
        fault=lacking["title"] + ": no value",
        records=lacking["missing"].astype("int64"),
        share=lacking["missing"] / lacking["accepted"],
    ).merge(_purposes(grants, ["store", "column"]), on=["store", "column"])
    columns = ["store", "fault", "records", "share", "purposes"]
    table = pd.concat([aside[columns], lacking[columns]], ignore_index=True)
    table = table.merge(data["mall.stores"][["store", "steward"]], on="store")
    order = ["share", "store", "fault"]
    # What fewer than ten people's records lack is not told, and hardly the first to mend.
    table = table.dropna(subset=["share"]).astype({"records": "int64", "share": "float64"})
    first = table.sort_values(order, ascending=[False, True, True], ignore_index=True).head(most)
    return first[["store", "steward", "fault", "records", "share", "purposes"]]


def _purposes(grants: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the purposes that are granted a store, or a column, as one text."""
    pairs = grants[[*by, "purpose"]].drop_duplicates().sort_values([*by, "purpose"])
    return pairs.groupby(by, as_index=False).agg(purposes=("purpose", ", ".join))


@needs("Used by nobody", "mall.purposes.reports", "mall.grants.store", "mall.columns.state")
def unused(data: Tables) -> pd.DataFrame:
    """Return what could be taken back or no longer kept, because nobody uses it here.

    Returns
    -------
    pandas.DataFrame
        kind, name, owner (who decides) and why. Kinds: purpose (without a report), store (kept,
        without a purpose), columns (about persons or households, kept, granted to no purpose) and
        grant (of a store that this authority does not deliver).
    """
    purposes, grants = data["mall.purposes"], data["mall.grants"]
    stores = data["mall.stores"].drop(columns="purpose")  # its text, not the name of a purpose
    idle = purposes[purposes["reports"].isna()]
    kept = stores[~stores["store"].isin(grants["store"]) & (stores["state"] != "not delivered")]
    personal = unasked(data).merge(stores[["store", "owner"]], on="store")
    personal = personal[personal["counted"].isin(PERSONAL) & ~personal["store"].isin(kept["store"])]
    vain = grants[["purpose", "store"]].drop_duplicates().merge(stores, on="store")
    vain = (
        vain[vain["state"] == "not delivered"].drop(columns="owner").merge(purposes, on="purpose")
    )
    columns = [
        f"{row.idle} column{'' if row.idle == 1 else 's'} of {row.store}"
        for row in personal.itertuples()
    ]
    rows = [
        *_rows("purpose", idle["purpose"], idle["owner"], "No report checks it out."),
        *_rows("store", kept["store"], kept["owner"], "No purpose uses what is kept."),
        *_rows("columns", columns, personal["owner"], "Personal data that no purpose is granted."),
        *_rows(
            "grant",
            vain["purpose"] + " of " + vain["store"],
            vain["owner"],
            "This authority does not deliver the store.",
        ),
    ]
    return pd.DataFrame(rows, columns=["kind", "name", "owner", "why"])


def _rows(
    kind: str, names: Iterable[str], owners: Iterable[str], why: str
) -> list[tuple[str, str, str, str]]:
    return [(kind, name, owner, why) for name, owner in zip(names, owners, strict=True)]


@passes_absent
def decision_records(mend: pd.DataFrame, idle: pd.DataFrame) -> pd.DataFrame:
    """Return one row per recommendation that people have to decide on.

    Parameters
    ----------
    mend, idle
        As from `to_mend` and `unused`.

    Returns
    -------
    pandas.DataFrame
        about (a store, purpose, columns or grant), who (should look into it), recommended.
    """
    advice = {
        "purpose": "Make its report, or withdraw the purpose",
        "store": "Say which purpose needs it, or stop keeping it",
        "columns": "Say which purpose needs them, or stop keeping them",
        "grant": "Deliver the store, or take the grant back",
    }
    faults = pd.DataFrame(
        {
            "about": mend["store"],
            "who": mend["steward"],
            "recommended": "Mend at the source: " + mend["fault"],
        }
    )
    closed = pd.DataFrame(
        {
            "about": idle["name"],
            "who": idle["owner"],
            "recommended": idle["kind"].map(advice),
        }
    )
    return pd.concat([faults, closed], ignore_index=True)
