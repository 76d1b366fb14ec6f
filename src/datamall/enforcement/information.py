"""Information: what was counted, by whom and where, before any judgement."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from datamall.enforcement.sums import COUNTS, INSPECTIONS, recorded_causes, sums
from datamall.errors import DatamallError
from datamall.requirements import needs

_PLACES, _AREAS = "enforcement.containers", "shared.neighbourhoods"
COUNTED = tuple(f"{INSPECTIONS}.{name}" for name in ("cluster", *COUNTS))
DISTRICTS = (
    *(f"{_PLACES}.{name}" for name in ("cluster", "neighbourhood")),
    *(f"{_AREAS}.{name}" for name in ("neighbourhood", "district")),
)
ON_MAP = tuple(f"{_PLACES}.{name}" for name in ("cluster", "x", "y"))
# What may be known of a place besides its name.
ABOUT = ("kind", "district", "x", "y")
PLACE, ALL_PLACES = "place", "all places"  # the kind where none is delivered; all kinds together
# Store → DataFrame, but for inspections that stay on file (`onfile.read`).
Tables = Mapping[str, Any]


def known_of(table: pd.DataFrame) -> list[str]:
    """Return the columns of a table that say which place it is and what is known of it."""
    return ["cluster", *(name for name in ABOUT if name in table)]


@needs("Registered places", f"{_PLACES}.cluster")
def registered(data: Tables) -> pd.DataFrame:
    """Return the places of the register.

    Returns
    -------
    pandas.DataFrame
        cluster, kind (`PLACE` where none is delivered), then district and x, y (m), as far as
        delivered.
    """
    table = data[_PLACES]
    areas = data.get(_AREAS, pd.DataFrame())
    if "neighbourhood" in table and {"neighbourhood", "district"} <= set(areas):
        table = table.merge(areas, on="neighbourhood", how="left")
    table = table if "kind" in table else table.assign(kind=PLACE)
    table = table[known_of(table)]
    return table.astype(dict.fromkeys({"x", "y"} & set(table), "float64"))


def _located(table: pd.DataFrame, data: Tables) -> pd.DataFrame:
    """Add what is known of the places to `Sums.places`."""
    if "cluster" not in data.get(_PLACES, pd.DataFrame()):
        return table.assign(kind=PLACE)
    places = registered(data)
    table = table.merge(places, on="cluster", how="left", validate="many_to_one", indicator=True)
    strange = table["_merge"].ne("both")
    strange |= table["district"].isna() if "district" in table else False
    if strange.any():
        raise DatamallError(
            f"{int(table.loc[strange, 'rows'].sum())} rows of {INSPECTIONS} name a cluster without "
            f"a registered place or district, e.g. {table.loc[strange, 'cluster'].min()}: take the "
            "stores in again."
        )
    return table


@needs("Places", *COUNTED)
def places(data: Tables) -> pd.DataFrame:
    """Return one row per inspected place: the sums over roles and periods.

    Parameters
    ----------
    data
        The extract: enforcement.inspections and, as far as delivered, enforcement.containers and
        shared.neighbourhoods.

    Returns
    -------
    pandas.DataFrame
        cluster, kind, district, x, y (m), inspections, with_waste, observed (with_waste per
        inspection), then the causes recorded; ordered by cluster. District and x, y as far as
        delivered; kind is `PLACE` where none is.

    Raises
    ------
    DatamallError
        When an inspected place is not registered, in a register that is delivered.
    """
    table = _located(sums(data[INSPECTIONS]).places.reset_index(), data)
    table["observed"] = table["with_waste"] / table["inspections"]
    columns = [*known_of(table), *COUNTS, "observed", *recorded_causes(table)]
    return table.sort_values("cluster", ignore_index=True)[columns]


@needs("Map of the places", *COUNTED, *ON_MAP)
def on_map(data: Tables) -> pd.DataFrame:
    """Return the inspected places, which have x and y, as from `places`."""
    return places(data)


def by_kind(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield `ALL_PLACES` and then each kind of place, if kinds are known, with its rows."""
    yield ALL_PLACES, table
    if set(table["kind"]) != {PLACE}:
        yield from table.groupby("kind")


@needs("Totals", *COUNTED)
def totals(data: Tables) -> pd.DataFrame:
    """Return places, inspections and inspections with waste of each kind of place.

    Returns
    -------
    pandas.DataFrame
        kind (the last row: all places), registered (places, where the register is delivered),
        places (inspected at least once), inspections, with_waste, share (with_waste per
        inspection), inspections_per_place, correlation (Pearson's, over places, of inspections
        with inspections with waste: near 1, a map of counts is a map of inspectors).
    """
    whole, *kinds = by_kind(places(data))
    rows = []
    for kind, own in (*kinds, whole):
        pair = own[["inspections", "with_waste"]]
        row = _summed(own.assign(kind=kind), ["kind"])
        rows.append(row.assign(correlation=pair.corr().iloc[0, 1]))
    result = pd.concat(rows, ignore_index=True)
    if "cluster" in data.get(_PLACES, pd.DataFrame()):
        register = registered(data)
        number = {kind: len(own) for kind, own in by_kind(register)}
        result.insert(1, "registered", result["kind"].map(number).astype(int))
    return result


@needs("Where inspectors go", *COUNTED, *DISTRICTS)
def exposure(data: Tables) -> pd.DataFrame:
    """Return how often places are looked at in each district, in alphabetical order.

    Returns
    -------
    pandas.DataFrame
        district, kind, places, inspections, with_waste, share, inspections_per_place.
    """
    return _summed(places(data), ["district", "kind"])


@needs("Through the year", *COUNTED, varying=(f"{INSPECTIONS}.period_start",))
def months(data: Tables) -> pd.DataFrame:
    """Return inspections and what they found in each month.

    Returns
    -------
    pandas.DataFrame
        month (YYYY-MM), places, inspections, with_waste, share, inspections_per_place.
    """
    table = sums(data[INSPECTIONS]).months.reset_index()
    return _per_place(table.assign(month=table["month"].dt.strftime("%Y-%m")))


def _summed(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Sum counts per group, the rates beside them."""
    result = table.groupby(by, as_index=False).agg(
        places=("cluster", "nunique"),
        inspections=("inspections", "sum"),
        with_waste=("with_waste", "sum"),
    )
    return _per_place(result)


def _per_place(table: pd.DataFrame) -> pd.DataFrame:
    """Set the rates beside the counts."""
    share = table["with_waste"] / table["inspections"]
    return table.assign(share=share, inspections_per_place=table["inspections"] / table["places"])
