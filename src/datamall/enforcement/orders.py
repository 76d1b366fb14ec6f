"""The rounds of a day beside what drivers do without a plan: down a list, or to the nearest."""

import pandas as pd

from datamall.enforcement import crews, histories
from datamall.enforcement.information import Tables
from datamall.enforcement.morning import REGULAR, SITES, TITLE, TRUCKS, at_the_depot, todays_rounds
from datamall.enforcement.routing import Redirect, Settings
from datamall.enforcement.routing.orders import ANY, in_other_order
from datamall.requirements import Absent, passes_absent

PLANNED, NOTHING = "the plan", "nothing but the regular rounds"
LISTED, NEAREST = "the plan's stops down the list", "the plan's stops, nearest first"
ALL_LISTED, ALL_NEAREST = "all places down the list", "all places, nearest first"
WAYS = (PLANNED, ALL_LISTED, ALL_NEAREST, LISTED, NEAREST, NOTHING)
FREE, BOUND = "without a regular round", "with a regular round"
SUMS = ["stops", "musts", "value", "metres", "seconds"]
HEADINGS = {
    "hours": "Hours",
    "km": "Kilometres",
    "musts": "Of these must",
    "per_hour": "Dirty days an hour",
    "stops": "Stops",
    "trucks": "Trucks",
    "value": "Dirty days prevented",
    "way": "How",
}


@passes_absent
def driven(
    data: Tables, made: Redirect, wanted: pd.DataFrame, day: pd.Timestamp, settings: Settings
) -> pd.DataFrame | Absent:
    """Return what each truck does by the plan and without it.

    Parameters
    ----------
    data, wanted, day, settings
        As for `morning.plan`, from which `made` is.

    Returns
    -------
    pandas.DataFrame
        way (of `WAYS`), truck, trucks (`BOUND`: it has a regular round today; else `FREE`), stops,
        musts, value (dirty days prevented), metres, seconds (from the start of the shift until it
        is home; 0 where it stays).

    Notes
    -----
    The list has the regular round in its order, then what must be served, then the rest; what
    prevents most first. Of the plan's stops each truck has those that the plan gives it, so that
    the order alone is compared; of all places that the plan thought of (`ALL_LISTED`,
    `ALL_NEAREST`) the truck that is free first takes the next. Value is what the model expects, in
    each of these alike.
    """
    if made.trucks.empty:
        return Absent(TITLE, "Not possible here: no truck can drive.")
    trucks, rounds = data[TRUCKS].astype({"truck": str}), todays_rounds(data, day)
    every = wanted.assign(may=wanted["demand"] != "must", value=-wanted["value"])
    every = every.merge(rounds[["truck", "turn", "place", "kind"]], "left", ["place", "kind"])
    every.loc[every["reason"] != REGULAR, ["truck", "turn"]] = None
    every = every.sort_values(["turn", "may", "value", "place", "kind"], ignore_index=True)
    own = every.drop(columns="truck").merge(made.plan.stops[["truck", "place", "kind"]])
    lists = {
        (ALL_LISTED, False): every.fillna({"truck": ANY}),
        (ALL_NEAREST, True): every.fillna({"truck": ANY}),
        (LISTED, False): own,
        (NEAREST, True): own,
    }
    ends = {PLANNED: "", NOTHING: "_before"}
    names = ["stops", "musts", "value", "metres", "home"]
    tables = {
        way: made.trucks[["truck"]].join(
            made.trucks[[n + end for n in names]].set_axis(names, axis=1)
        )
        for way, end in ends.items()
    }
    for (way, nearest), listed in lists.items():
        tables[way] = in_other_order(
            *(wanted, listed, trucks, at_the_depot(trucks), data.get(SITES), settings),
            nearest=nearest,
            weekday=day.isoweekday(),
            vetoes=crews.vetoes(histories.before(data, day), day),
        )
    table = pd.concat([tables[way].assign(way=way) for way in WAYS], ignore_index=True)
    begins = 60 * table["truck"].map(trucks.set_index("truck")["shift_start"]).astype(float)
    seconds = (table["home"] - begins).where(table["stops"] > 0, 0)
    bound = table["truck"].isin(rounds["truck"]).map({True: BOUND, False: FREE})
    return table.assign(trucks=bound, seconds=seconds)[["way", "truck", "trucks", *SUMS]]


@passes_absent
def beside(table: pd.DataFrame) -> pd.DataFrame:
    """Return the ways side by side.

    Parameters
    ----------
    table
        As from `driven`.

    Returns
    -------
    pandas.DataFrame
        trucks, way, stops, musts, value (dirty days), km, hours and per_hour (dirty days an hour),
        of all these trucks together.
    """
    total = table.groupby(["trucks", "way"], as_index=False)[SUMS].sum()
    total["order"] = total["way"].map(WAYS.index)
    total = total.sort_values(["trucks", "order"], ascending=[False, True], ignore_index=True)
    hours = total["seconds"] / 3600
    return total[["trucks", "way", "stops", "musts", "value"]].assign(
        km=total["metres"] / 1000, hours=hours, per_hour=total["value"] / hours.where(hours > 0)
    )


def caption(table: pd.DataFrame | Absent) -> str:
    """Say in one sentence what a plan is worth; `table` as from `beside`."""
    if isinstance(table, Absent):
        return table.reason
    own = table.groupby("way")[["value", "km", "hours"]].sum().reindex(list(WAYS))
    own = own[own["hours"] > 0]
    parts = [
        f"{row.Index} {row.value / row.hours:.2f} dirty days an hour in {row.km:,.0f} km"
        for row in own.itertuples()
    ]
    return f"All trucks: {'; '.join(parts)}"
