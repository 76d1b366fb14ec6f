"""Sums of the inspections: what chapters need of millions of rows, reckoned in slices of places."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from datamall.rows import Rows

INSPECTIONS = "enforcement.inspections"
CAUSES = ("bulky", "residual", "cardboard", "full", "broken")
COUNTS = ["inspections", "with_waste"]


@dataclass(frozen=True)
class Sums:
    """Sums of the inspections.

    Attributes
    ----------
    places
        One row per inspected place, by cluster, which is the index: rows (of the table),
        inspections, with_waste and the causes recorded.
    visits
        One row per place, role and quarter, in this order: place (position in `places`), role
        (position in `roles`), quarter (a number), inspections, with_waste.
    roles
        Names of the roles in alphabetical order; "unknown" where none are delivered.
    months
        One row per month with inspections: places, inspections, with_waste.
    periods
        Days on which periods begin, in order.
    pairs
        Two roles (`first` before `other`, positions in `roles`) that looked at the same place in
        the same month, and what each counted there: `first_…`, `other_…`, and how many places ×
        months have just these numbers (`times`).
    """

    places: pd.DataFrame
    visits: pd.DataFrame
    roles: list[str]
    months: pd.DataFrame
    periods: np.ndarray
    pairs: pd.DataFrame


def recorded_causes(table: Any) -> list[str]:
    """Return the causes that a table has a column for, in a fixed order."""
    return [cause for cause in CAUSES if cause in table]


def slices(seen: pd.DataFrame | Rows) -> Iterator[pd.DataFrame]:
    """Yield the inspections in slices, all rows of a place in one, with numbers to reckon with.

    A cause that was left blank stays missing: no answer is not the answer no.
    """
    for part in seen.slices() if isinstance(seen, Rows) else (seen,):
        kinds = dict.fromkeys(COUNTS, "int64") | dict.fromkeys(recorded_causes(part), "float64")
        if "period_start" in part:
            kinds["period_start"] = "datetime64[s]"
        yield part.astype(kinds)


def once(seen: pd.DataFrame | Rows, name: str, reckon: Callable[[], Any]) -> Any:
    """Return what is reckoned of the inspections; of those on file it is known the second time."""
    if not isinstance(seen, Rows):
        return reckon()
    if name not in seen.once:
        seen.once[name] = reckon()
    return seen.once[name]


def sums(seen: pd.DataFrame | Rows) -> Sums:
    """Return the sums of the inspections, a table or rows on file."""
    made: Sums = once(seen, f"sums {list(seen)}", partial(_sums, seen))
    return made


def _sums(seen: pd.DataFrame | Rows) -> Sums:
    parts = []
    names: dict[str, int] = {}  # role → code by first appearance
    before = 0
    for own in slices(seen):
        code, found = pd.factorize(own["cluster"])
        clusters = np.asarray(found, dtype=str)
        place = np.argsort(np.argsort(clusters))[code]
        roles = own["observer_role"] if "observer_role" in own else pd.Series("unknown", own.index)
        code, found = pd.factorize(roles)
        role = np.array([names.setdefault(str(name), len(names)) for name in found], int)[code]
        own = own.assign(place=place, role=role)
        index = pd.Index(np.sort(clusters), name="cluster").astype(str)
        parts.append(_of_slice(own, index, before))
        before += len(clusters)
    order = np.array(sorted(names, key=str))
    rank = np.argsort(np.argsort([*names], kind="stable"), kind="stable")
    places, visits, months, periods, pairs = (list(tables) for tables in zip(*parts, strict=True))
    looked = pd.concat(visits, ignore_index=True)
    looked["role"] = rank[looked["role"]].astype("int8")
    told = pd.concat(pairs, ignore_index=True)
    told = _oriented(told, rank)
    return Sums(
        places=pd.concat(places),
        visits=looked.sort_values(["place", "role", "quarter"], ignore_index=True),
        roles=order.tolist(),
        months=pd.concat(months).groupby(level="month").sum(),
        periods=np.unique(np.concatenate(periods)),
        pairs=told.groupby([c for c in told if c != "times"], as_index=False)["times"].sum(),
    )


def _of_slice(own: pd.DataFrame, clusters: pd.Index, before: int) -> tuple[Any, ...]:
    """Return the parts of `Sums` that one slice of places gives; `before`: places before it."""
    by_place = own.groupby("place")
    places = by_place[[*COUNTS, *recorded_causes(own)]].sum()
    places.insert(0, "rows", by_place.size())
    day = own["period_start"].to_numpy() if "period_start" in own else np.zeros(len(own), "M8[s]")
    quarter = day.astype("M8[M]").astype("int64") // 3
    looked = own.assign(quarter=quarter).groupby(["place", "role", "quarter"], as_index=False)
    visits = looked[COUNTS].sum()
    visits["place"] = (visits["place"] + before).astype("int32")
    visits = visits.astype({"role": "int8", "quarter": "int32"} | dict.fromkeys(COUNTS, "int32"))
    month = pd.Series(day.astype("M8[M]"), own.index, name="month")
    by_month = own.groupby(month)
    months = by_month[COUNTS].sum()
    months.insert(0, "places", by_month["place"].nunique())
    return places.set_index(clusters), visits, months, np.unique(day), _pairs(own, month)


def _pairs(own: pd.DataFrame, month: pd.Series) -> pd.DataFrame:
    """Return the pairs of `Sums` among some rows."""
    keys = ["place", "month"]
    by_role = {
        role: rows.groupby(keys)[COUNTS].sum().reset_index()
        for role, rows in own.assign(month=month).groupby("role")
    }
    counted = [f"{who}_{name}" for who in ("first", "other") for name in COUNTS]
    empty = pd.DataFrame(columns=["first", "other", *counted, "times"], dtype="int64")
    tables = [empty]
    for first, other in combinations(by_role, 2):
        both = by_role[first].merge(by_role[other], on=keys, suffixes=("_0", "_1"))
        both = both.drop(columns=keys).set_axis(counted, axis=1)
        both = both[(both["first_inspections"] > 0) & (both["other_inspections"] > 0)]
        same = both.groupby(counted).size().reset_index(name="times")
        tables.append(same.assign(first=first, other=other)[list(empty)])
    return pd.concat(tables, ignore_index=True)


def _oriented(pairs: pd.DataFrame, rank: np.ndarray) -> pd.DataFrame:
    """Return pairs with roles by their alphabetical rank, the lower one first."""
    first, other = (rank[pairs[who].to_numpy(int)] for who in ("first", "other"))
    turned = pd.Series(first > other, pairs.index)
    result = pairs.assign(first=np.minimum(first, other), other=np.maximum(first, other))
    for name in COUNTS:
        one, two = pairs[f"first_{name}"], pairs[f"other_{name}"]
        result[f"first_{name}"], result[f"other_{name}"] = (
            one.mask(turned, two),
            two.mask(turned, one),
        )
    return result
