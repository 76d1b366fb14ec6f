"""Words: the answer, what is to be seen in the figure, and the headings of tables."""

from typing import TypeAlias

import pandas as pd

from datamall.requirements import Absent, passes_absent

Result: TypeAlias = pd.DataFrame | Absent

# Headings of columns whose names do not say enough.
HEADINGS = {
    "absent": "No value means",
    "basis": "Legal basis",
    "change": "Change",
    "columns": "Columns",
    "counted": "Counts",
    "decided_by_role": "Decided by (role)",
    "gets": "Gets",
    "idle": "Not asked for",
    "least": "At least",
    "link": "Link to persons",
    "meaning": "Why",
    "most": "At most",
    "missing": "Rows without a value",
    "of": "Of columns",
    "open": "May be open",
    "personal": "Personal data",
    "profiling": "For a profile",
    "purposes": "Purposes that need it",
    "reports": "Used by the reports",
    "replaced": "Replaced later",
    "row": "One row is",
    "share": "Share of records",
    "share_put_aside": "Share put aside",
    "used": "A profile uses it",
}


def answer(
    stores: Result,
    quality: Result,
    purposes: Result,
    openness: Result,
    idle: Result,
    look_at: Result,
) -> str:
    """Return the answer of the catalogue, short enough for a small screen.

    Parameters
    ----------
    stores, quality, purposes, openness, idle, look_at
        As from `information.stores`, `information.quality`, `knowledge.purposes`,
        `knowledge.openness`, `wisdom.unused` and `information.to_look_at`. What an Absent would
        have said is left out.
    """
    parts = []
    if not isinstance(stores, Absent):
        known = "" if isinstance(openness, Absent) else f" of {len(openness)}"
        parts.append(f"The mall holds {len(stores)}{known} stores, {stores['rows'].sum():,} rows.")
    if not isinstance(quality, Absent) and len(quality):
        parts.append(
            f"{_share(quality)} of the records read broke a rule and were put aside; others may "
            "be wrong too."
        )
    waiting = 0 if isinstance(look_at, Absent) else int((look_at["state"] == "held back").sum())
    if waiting:
        files = "1 file is" if waiting == 1 else f"{waiting:,} files are"
        parts.append(f"{files} held back until a steward has looked.")
    if not isinstance(purposes, Absent):
        personal = int((purposes["personal"] == "yes").sum())
        may = f"{_counted(len(purposes), 'purpose')} may use data, {personal} about persons"
        kept = 0 if isinstance(idle, Absent) else int((idle["kind"] == "store").sum())
        vain = f"; {_counted(kept, 'store')} {'serves' if kept == 1 else 'serve'} none"
        parts.append(f"{may}{vain if kept else ''}.")
    return " ".join([*parts, "Counted in full, people's records to the nearest 5."])


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _share(quality: pd.DataFrame) -> str:
    """Return the share put aside over all stores, in per cent."""
    aside, read = quality["put_aside"].sum(), (quality["read"] - quality["merged"]).sum()
    return f"{100 * aside / read:.1f} %" if read else "0 %"


def describe_quality(quality: Result) -> str:
    """Say what is to be seen where shares put aside are drawn; as from `information.quality`."""
    if isinstance(quality, Absent):
        return quality.reason
    if not len(quality):
        return "No store has been taken in yet."
    known = quality.dropna(subset=["share_put_aside"])
    if not len(known):
        return "Of each store, too few records were put aside to be told."
    worst = known.sort_values(["share_put_aside", "store"], ascending=[False, True]).iloc[0]
    return (
        f"Of {_counted(len(quality), 'store')}, {worst['store']} has the largest share of records "
        f"put aside, {100 * worst['share_put_aside']:.2g} %; over all stores it is "
        f"{_share(quality)}."
    )


def describe_over_time(deliveries: Result) -> str:
    """Say what is to be seen where shares put aside follow each other; as from `over_time`."""
    if isinstance(deliveries, Absent):
        return deliveries.reason
    if not len(deliveries):
        return "No store has had a second delivery yet."
    order = ["share_put_aside", "store", "number"]
    worst = deliveries.sort_values(order, ascending=[False, True, True]).iloc[0]
    return (
        f"Of {_counted(len(deliveries), 'file')} that were taken in, {worst['file']} for "
        f"{worst['store']} has the largest share of records put aside, "
        f"{100 * worst['share_put_aside']:.2g} %."
    )


@passes_absent
def summary(profiling: pd.DataFrame) -> pd.DataFrame:
    """Count the columns by store and by what a profile may do; as from `knowledge.profiling`.

    Returns
    -------
    pandas.DataFrame
        store, profiling, columns (how many) and used (by a purpose that profiles).
    """
    by = profiling.groupby(["store", "profiling"], as_index=False)
    return by.agg(columns=("title", "size"), used=("used", "sum"))


def metrics(stores: Result, quality: Result, idle: Result) -> dict[str, float]:
    """Return the numbers worth following from run to run, by name."""
    numbers: dict[str, float] = {}
    if not isinstance(stores, Absent):
        numbers |= {"stores": len(stores), "rows": int(stores["rows"].sum())}
    if not isinstance(quality, Absent) and len(quality):
        read = int((quality["read"] - quality["merged"]).sum())
        numbers["share_put_aside"] = int(quality["put_aside"].sum()) / read if read else 0.0
    if not isinstance(idle, Absent):
        numbers["unused"] = len(idle)
    return numbers
