"""Trucks that take no common kind of waste, planned apart: it changes nothing, and is quicker."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from datamall.enforcement.routing.plan import Plan
from datamall.enforcement.routing.redirect import Redirect, redirect
from datamall.enforcement.routing.refusals import LEFT_OUT
from datamall.enforcement.routing.settings import Settings

TAKES = "takes_"


def redirect_by_kinds(
    wanted: pd.DataFrame,
    rest: pd.DataFrame,
    trucks: pd.DataFrame,
    states: pd.DataFrame,
    sites: pd.DataFrame | None,
    settings: Settings,
    **day: Any,
) -> Redirect:
    """Return `redirect` of trucks that take no common kind of waste, each alone.

    Parameters
    ----------
    wanted, rest, trucks, sites, settings, day
        See `redirect`.
    states
        The trucks under way, or at the depot: its `under_way`.
    """
    made = []
    for names, kinds in _apart(trucks):
        own, state = (table[table["truck"].isin(names)] for table in (trucks, states))
        left = rest[rest["truck"].isin(names)]
        wants = wanted[wanted["kind"].isin(kinds)]
        made.append(redirect(wants, left, own, state, sites, settings, **day))
    taken = set().union(*(kinds for _, kinds in _apart(trucks)))
    nobody = wanted[~wanted["kind"].isin(taken)].assign(reason="no truck takes this kind of waste")
    plans = [one.plan for one in made]
    return Redirect(
        Plan(
            _joined(one.stops for one in plans),
            _joined([*(one.left_out for one in plans), nobody[list(LEFT_OUT)]]),
            _joined(one.refusals for one in plans).drop_duplicates(ignore_index=True),
        ),
        *(_joined(getattr(one, name) for one in made) for name in ("nothing", "changes", "trucks")),
    )


def _joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return tables below each other; an empty one has no say in the types of columns."""
    every = [*tables]
    return pd.concat([own for own in every if len(own)] or every[:1], ignore_index=True)


def _apart(trucks: pd.DataFrame) -> list[tuple[set[str], set[str]]]:
    """Return groups of trucks of which no two take a common kind of waste, with their kinds."""
    groups: list[tuple[set[str], set[str]]] = []
    kinds = [str(name) for name in trucks if str(name).startswith(TAKES)]
    for row in trucks.to_dict("records"):
        own = {name.removeprefix(TAKES) for name in kinds if row[name] == "yes"}
        names = {str(row["truck"])}
        for group in [one for one in groups if one[1] & own]:
            groups.remove(group)
            names, own = names | group[0], own | group[1]
        groups.append((names, own))
    return groups
