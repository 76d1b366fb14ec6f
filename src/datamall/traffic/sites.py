"""Which junctions there are: each has a page of its own, which this list leads to."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from datamall.requirements import Absent
from datamall.traffic import wisdom
from datamall.traffic.cube import Cube

STORE = "traffic.junctions"
TITLE = "One page for each junction"
UNKNOWN = "not known"
HEADINGS = {"needs": "Needs", "detectors": "Series counted", "x": "East (m)", "y": "North (m)"}


def junctions(
    data: Mapping[str, Any], counts: Cube | Absent, plans: pd.DataFrame | Absent
) -> pd.DataFrame | Absent:
    """Return all junctions that are counted or on file, by key.

    Parameters
    ----------
    data
        The extract; of traffic.junctions it takes site, name, x and y, where they are delivered.
    counts
        As from `cube.cells`.
    plans
        As from `wisdom.proposals`.

    Returns
    -------
    pandas.DataFrame
        site, name (as on file, else the key), needs (of `wisdom.NEEDS`; not known, where no plan
        was thought of), detectors (series that are counted: by detector, movement and mode), x and
        y (m; NaN where not delivered). An Absent where there is no junction.
    """
    file = data.get(STORE)
    if file is None or "site" not in file:
        file = pd.DataFrame({"site": []})
    file = file[file["site"].notna()]
    blank = pd.Series(None, index=file.index, dtype=object)
    found = file[["site"]].astype(str)
    found["name"] = file.get("name", blank).astype(object)
    for axis in ("x", "y"):
        found[axis] = file.get(axis, blank).astype(float)
    known = found.groupby("site")[["name", "x", "y"]].first()
    own = [] if isinstance(counts, Absent) else [block.series["site"] for block in counts]
    series = pd.concat([pd.Series(dtype=object), *own]).astype(str).value_counts()
    sites = sorted({*known.index, *series.index})
    if not sites:
        return Absent(TITLE, "Not possible here: no junction is counted or on file.")
    table = known.reindex(sites).rename_axis("site").reset_index()
    table["name"] = table["name"].where(table["name"].notna(), table["site"]).astype(str)
    table["detectors"] = series.reindex(sites, fill_value=0).to_numpy()
    table["needs"] = UNKNOWN
    if not isinstance(plans, Absent):
        thought = table["site"].isin(plans["site"])
        table["needs"] = wisdom.needs(table["site"], plans).where(thought, UNKNOWN)
    return table[["site", "name", "needs", "detectors", "x", "y"]]
