"""What a change of rounds under way says, truck by truck, beside doing nothing."""

from collections.abc import Iterator

import pandas as pd

from datamall.enforcement.routing import Redirect
from datamall.enforcement.routing.refusals import clock
from datamall.enforcement.words import counted


def sentences(made: Redirect, new: pd.DataFrame) -> Iterator[str]:
    """Yield what changes, for whom, what it wins, and what became of each thing that is new.

    Parameters
    ----------
    made, new
        As from `on_the_way.plan`.
    """
    trucks, changes = made.trucks, made.changes
    places = set(made.plan.left_out["place"])
    for row in made.plan.refusals.itertuples():
        if row.subject not in places:
            yield f"{row.subject}: {row.sentence}"
    if not len(trucks):
        yield "No truck can be redirected: the plan of the morning stands."
        return
    value = trucks["value"].sum() - trucks["value_before"].sum()
    metres = trucks["metres"].sum() - trucks["metres_before"].sum()
    if not len(changes) and not trucks["reordered"].any():
        yield "Nothing is changed: no change gains the threshold."
    else:
        yield (
            f"{counted(int((trucks['gain'] != 0).sum()), 'truck')} of {len(trucks)} change: "
            f"{value:+.1f} dirty days prevented and {metres / 1000:+.1f} km beside doing nothing."
        )
    for row in trucks.itertuples():
        own = changes[changes["truck"] == row.truck]
        if not len(own) and not row.reordered:
            continue
        parts = [
            f"{change} {', '.join(f'{place} ({kind})' for place, kind in pairs)}"
            for change, pairs in (
                (change, [*zip(part["place"], part["kind"], strict=True)])
                for change, part in own.groupby("change")
            )
        ]
        parts += ["another order"] * bool(row.reordered)
        yield (
            f"  {row.truck}: {'; '.join(parts)}. Home at {clock(row.home)}, "
            f"{clock(row.home_before)} by doing nothing; the change is worth "
            f"{row.gain / 60:.0f} minutes of a truck."
        )
    served = {(row.place, row.kind): row for row in made.plan.stops.itertuples()}
    absent = {(row.place, row.kind): row.reason for row in made.plan.left_out.itertuples()}
    for row in new.drop_duplicates(["place", "kind"]).itertuples():
        stop = served.get((row.place, row.kind))
        if stop is not None:
            yield f"  {row.place} ({row.kind}): {stop.truck} at {clock(stop.arrival)}. {row.reason}"
        else:
            why = absent.get((row.place, row.kind), "not thought of")
            yield f"  {row.place} ({row.kind}): no truck: {why}. {row.reason}"
