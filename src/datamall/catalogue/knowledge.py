"""Knowledge: who may use what for which purpose, what is open to all, and what is asked in vain."""

import pandas as pd

from datamall.catalogue.information import Tables
from datamall.requirements import needs

OPEN = ("things", "public")  # what may be open; persons and households never are
PERSONAL = ("persons", "households")
NOBODY = "no purpose uses it"
NO_BASIS = "needs a legal basis of its own, and no purpose has one"
_GRANTS = ("mall.grants.purpose", "mall.grants.store", "mall.grants.column")


@needs("Purposes", "mall.purposes.purpose", "mall.purposes.statute")
def purposes(data: Tables) -> pd.DataFrame:
    """Return one row per purpose.

    Returns
    -------
    pandas.DataFrame
        purpose, question, basis (article of the GDPR and statute), owner, personal, profiling
        and reports (that check it out), ordered by purpose.
    """
    table = data["mall.purposes"]
    basis = "GDPR " + table["gdpr"] + "; " + table["statute"]
    names = ["owner", "personal", "profiling", "reports"]
    return table[["purpose", "question"]].assign(basis=basis, **{n: table[n] for n in names})


@needs("Who may use what", "mall.stores.store", *_GRANTS, "mall.grants.use")
def uses(data: Tables) -> pd.DataFrame:
    """Return one row per store and purpose that uses it; a store that none uses has one too.

    Returns
    -------
    pandas.DataFrame
        store, purpose (or `NOBODY`), gets (rows or counts), columns (their names, with the grain
        where they are made coarser) and of (how many columns the contract has), ordered by store
        and purpose.
    """
    keys = ["store", "column"]
    place = data["mall.columns"][[*keys, "position"]]
    grants = data["mall.grants"].merge(place, on=keys, validate="many_to_one")
    handed = grants[grants["use"] != "first and last day"].sort_values("position", kind="stable")
    note = handed["use"].where(handed["use"].str.startswith("by "), "")
    text = handed["column"] + (" (" + note + ")").where(note != "", "")
    by = ["store", "purpose", "shape"]
    table = handed.assign(columns=text).groupby(by, as_index=False)["columns"].agg(", ".join)
    of = data["mall.columns"].groupby("store", as_index=False).agg(of=("column", "size"))
    everything = data["mall.stores"][["store"]].merge(of, on="store", how="left")
    joined = everything.merge(table, on="store", how="left").rename(columns={"shape": "gets"})
    joined["purpose"] = joined["purpose"].fillna(NOBODY)
    order = joined.sort_values(["store", "purpose"], ignore_index=True)
    return order[["store", "purpose", "gets", "columns", "of"]]


@needs("What a profile of people may use", "mall.columns.profiling", "mall.grants.purpose")
def profiling(data: Tables) -> pd.DataFrame:
    """Return one row per column about which a contract says whether a profile may use it.

    Returns
    -------
    pandas.DataFrame
        store, title, profiling (permitted or forbidden), reason, used (whether a purpose that
        profiles gets it), what is permitted first.
    """
    table = data["mall.columns"].dropna(subset=["profiling"]).reset_index(drop=True)
    said = table["profiling"].str.split(": ", n=1)
    profile = data["mall.purposes"].query("profiling == 'yes'")["purpose"]
    grants = data["mall.grants"]
    granted = grants[grants["purpose"].isin(profile)][["store", "column"]]
    keys = pd.MultiIndex.from_frame(granted)
    used = pd.MultiIndex.from_frame(table[["store", "column"]]).isin(keys)
    result = pd.DataFrame(
        {
            "store": table["store"],
            "title": table["title"],
            "profiling": said.str[0],
            "reason": said.str[1],
            "used": used,
        }
    )
    order = ["profiling", "store"]
    return result.sort_values(order, ascending=[False, True], kind="stable", ignore_index=True)


@needs("What is open to all", "mall.stores.store", "mall.stores.counted", "mall.grants.purpose")
def openness(data: Tables) -> pd.DataFrame:
    """Return one row per store: whether it may be open to everybody.

    Returns
    -------
    pandas.DataFrame
        store, counted, open (bool), why, and link (where a link to persons needs a legal basis of
        its own: which purpose has one; else None), what is open first.
    """
    table, grants = data["mall.stores"], data["mall.grants"]
    why = {
        "public": "Known to everybody already, or official counts.",
        "things": "Counts things: open by default; its owner names the reason if it is not.",
        "households": "Stands for households: only protected counts leave the mall.",
        "persons": "Stands for persons: never open; only protected counts leave the mall.",
    }
    based = grants.dropna(subset=["link_basis"])[["store", "purpose", "link_basis"]]
    based = based.drop_duplicates().sort_values(["store", "purpose"])
    text = based["purpose"] + " (" + based["link_basis"] + ")"
    named = {store: "; ".join(found) for store, found in text.groupby(based["store"])}
    needed = zip(table["store"], table["link_needs_basis"] == "yes", strict=True)
    result = pd.DataFrame(
        {
            "store": table["store"],
            "counted": table["counted"],
            "open": table["counted"].isin(OPEN),
            "why": table["counted"].map(why),
            "link": [named.get(store, NO_BASIS) if asks else None for store, asks in needed],
        }
    )
    return result.sort_values("open", ascending=False, kind="stable", ignore_index=True)


@needs("Columns that nobody asks for", "mall.columns.state", *_GRANTS)
def unasked(data: Tables) -> pd.DataFrame:
    """Return one row per store that keeps columns which no purpose is granted.

    Returns
    -------
    pandas.DataFrame
        store, counted, idle (how many such columns), of (how many are delivered) and columns
        (their titles), stores of persons and households first.
    """
    keys = ["store", "column"]
    kept = data["mall.columns"].query("state != 'not delivered'")
    granted = pd.MultiIndex.from_frame(data["mall.grants"][keys])
    idle = kept[~pd.MultiIndex.from_frame(kept[keys]).isin(granted)]
    table = idle.groupby("store", as_index=False).agg(
        idle=("column", "size"), columns=("title", ", ".join)
    )
    of = kept.groupby("store", as_index=False).agg(of=("column", "size"))
    table = table.merge(of, on="store").merge(data["mall.stores"][["store", "counted"]], on="store")
    table = table.assign(first=~table["counted"].isin(PERSONAL)).sort_values(["first", "store"])
    return table[["store", "counted", "idle", "of", "columns"]].reset_index(drop=True)


@needs("Asked in vain", *_GRANTS, "mall.columns.state")
def asked_in_vain(data: Tables) -> pd.DataFrame:
    """Return one row per purpose and store of which this authority lacks what is granted.

    Returns
    -------
    pandas.DataFrame
        purpose, store, columns (names of those not delivered), of (how many are granted).
    """
    keys = ["store", "column"]
    table = data["mall.grants"].merge(
        data["mall.columns"][[*keys, "state"]], on=keys, validate="many_to_one"
    )
    by = ["purpose", "store"]
    lacking = table[table["state"] == "not delivered"]
    names = lacking.groupby(by, as_index=False).agg(columns=("column", ", ".join))
    granted = table.groupby(by, as_index=False).agg(of=("column", "size"))
    return names.merge(granted, on=by, how="left")
