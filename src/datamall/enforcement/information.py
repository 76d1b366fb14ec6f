"""Information: what was counted, by whom and where, before any judgement."""

from collections.abc import Mapping

import pandas as pd

from datamall.errors import DatamallError
from datamall.requirements import needs

CAUSES = ("bulky", "residual", "cardboard", "full", "broken")
_INSPECTIONS, _PLACES, _AREAS = (
    "enforcement.inspections",
    "enforcement.containers",
    "shared.neighbourhoods",
)
COUNTED = (
    f"{_INSPECTIONS}.inspections",
    f"{_INSPECTIONS}.with_waste",
    f"{_PLACES}.kind",
    f"{_AREAS}.district",
)
Tables = Mapping[str, pd.DataFrame]


def recorded_causes(table: pd.DataFrame) -> list[str]:
    """Return the causes that a table has a column for, in a fixed order."""
    return [cause for cause in CAUSES if cause in table]


def cells(data: Tables) -> pd.DataFrame:
    """Return one row per place, role and period, with what is known of the place.

    Parameters
    ----------
    data
        The extract: stores enforcement.inspections, enforcement.containers and
        shared.neighbourhoods.

    Returns
    -------
    pandas.DataFrame
        cluster, kind, district, x, y (m), observer_role, period_start, inspections, with_waste and
        the causes recorded (numbers of inspections), ordered by its keys.

    Raises
    ------
    DatamallError
        When a store is missing, nothing was inspected or an inspected place is not registered.
    """
    for store in (_INSPECTIONS, _PLACES, _AREAS):
        if store not in data:
            raise DatamallError(f"The extract lacks {store}: add it to the purpose enforcement.")
    seen = data[_INSPECTIONS]
    if seen.empty:
        raise DatamallError(f"{_INSPECTIONS} holds no rows: take in the inspections first.")
    places = data[_PLACES].merge(data[_AREAS], on="neighbourhood", how="left")
    table = seen.merge(places, on="cluster", how="left", validate="many_to_one", indicator=True)
    strange = table["_merge"].ne("both") | table["district"].isna()
    if strange.any():
        raise DatamallError(
            f"{int(strange.sum())} rows of {_INSPECTIONS} name a cluster without a registered "
            f"place or district, e.g. {table.loc[strange, 'cluster'].min()}: take the stores in "
            "again."
        )
    numbers = {"x": "float64", "y": "float64", "inspections": "int64", "with_waste": "int64"}
    # A cause that was left blank stays missing: no answer is not the answer no.
    table = table.astype(numbers | dict.fromkeys(recorded_causes(table), "float64"))
    keys = [k for k in ("cluster", "period_start", "observer_role") if k in table]
    columns = ["cluster", "kind", "district", "x", "y", *keys[1:], "inspections", "with_waste"]
    return table.sort_values(keys, ignore_index=True)[[*columns, *recorded_causes(table)]]


@needs("Places", *COUNTED, f"{_PLACES}.x", f"{_PLACES}.y")
def places(data: Tables) -> pd.DataFrame:
    """Return one row per inspected place: the sums of `cells` over roles and periods.

    Returns
    -------
    pandas.DataFrame
        cluster, kind, district, x, y (m), inspections, with_waste, observed (with_waste per
        inspection), then the causes; ordered by cluster.
    """
    table = cells(data)
    causes = recorded_causes(table)
    keys = ["cluster", "kind", "district", "x", "y"]
    result = table.groupby(keys, as_index=False)[["inspections", "with_waste", *causes]].sum()
    result.insert(7, "observed", result["with_waste"] / result["inspections"])
    return result.sort_values("cluster", ignore_index=True)


@needs("Totals", *COUNTED)
def totals(data: Tables) -> pd.DataFrame:
    """Return places, inspections and inspections with waste of each kind of place.

    Returns
    -------
    pandas.DataFrame
        kind (the last row: all places), registered (places), places (inspected at least once),
        inspections, with_waste, share (with_waste per inspection), inspections_per_place,
        correlation (Pearson's, over places, of inspections with inspections with waste: near 1, a
        map of counts is a map of inspectors).
    """
    table = places(data)
    table = pd.concat([table, table.assign(kind="all places")])
    kinds = [*sorted(set(table["kind"]) - {"all places"}), "all places"]
    result = _summed(table, ["kind"]).set_index("kind").loc[kinds].reset_index()
    registered = data[_PLACES]["kind"].value_counts()
    result.insert(1, "registered", result["kind"].map(registered).fillna(len(data[_PLACES])))
    pairs = {kind: own[["inspections", "with_waste"]] for kind, own in table.groupby("kind")}
    result["correlation"] = [pairs[kind].corr().iloc[0, 1] for kind in kinds]
    return result.astype({"registered": int})


@needs("Where inspectors go", *COUNTED)
def exposure(data: Tables) -> pd.DataFrame:
    """Return how often places are looked at in each district, in alphabetical order.

    Returns
    -------
    pandas.DataFrame
        district, kind, places, inspections, with_waste, share, inspections_per_place.
    """
    return _summed(places(data), ["district", "kind"])


@needs("Through the year", *COUNTED, varying=(f"{_INSPECTIONS}.period_start",))
def months(data: Tables) -> pd.DataFrame:
    """Return inspections and what they found in each month.

    Returns
    -------
    pandas.DataFrame
        month (YYYY-MM), places, inspections, with_waste, share, inspections_per_place.
    """
    table = cells(data)
    table["month"] = pd.to_datetime(table["period_start"]).dt.strftime("%Y-%m")
    return _summed(table, ["month"])


def _summed(table: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Sum counts per group, the rates beside them."""
    result = table.groupby(by, as_index=False).agg(
        places=("cluster", "nunique"),
        inspections=("inspections", "sum"),
        with_waste=("with_waste", "sum"),
    )
    result["share"] = result["with_waste"] / result["inspections"]
    result["inspections_per_place"] = result["inspections"] / result["places"]
    return result
