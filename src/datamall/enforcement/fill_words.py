"""What the page of a morning says of fill levels, in tables and in words."""

import numpy as np
import pandas as pd

from datamall.enforcement.fills import Limits
from datamall.enforcement.words import counted
from datamall.requirements import Absent, passes_absent

# How a reason in `fills.levels` begins.
KIND = r"^(stuck|dead|silent|impossible|emptied since it was read|not looked at by a crew)"


@passes_absent
def believed(levels: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """Return how many containers are how full, and how many levels are not believed, and why.

    Returns
    -------
    pandas.DataFrame
        band, containers and oldest (hours since the reading; NaN where none is believed).
    """
    known = levels[levels["why"] == ""]
    edges = [limits.must_empty, limits.may_empty, limits.low]
    names = [
        f"{edges[0]:g} % and more: must be emptied",
        f"{edges[1]:g} to {edges[0]:g} %: may be emptied",
        f"{edges[2]:g} to {edges[1]:g} %",
        f"under {edges[2]:g} %",
    ]
    band = np.select([known["level"] >= edge for edge in edges], names[:3], names[3])
    ages = known["age"].groupby(band)
    rows = [(name, int(ages.size().get(name, 0)), ages.max().get(name, np.nan)) for name in names]
    kinds = levels.loc[levels["why"] != "", "why"].str.extract(KIND, expand=False)
    rows += [
        (f"not believed: {name}", int(number), np.nan)
        for name, number in kinds.value_counts().sort_index().items()
    ]
    return pd.DataFrame(rows, columns=["band", "containers", "oldest"])


@passes_absent
def set_aside(levels: pd.DataFrame) -> pd.DataFrame:
    """Return the containers whose level is not believed: cluster, read (last) and why."""
    own = levels.loc[levels["why"] != "", ["cluster", "read", "why"]]
    return own.sort_values(["why", "cluster"], ignore_index=True)


@passes_absent
def in_rounds(rounds: pd.DataFrame, levels: pd.DataFrame, limits: Limits) -> pd.DataFrame:
    """Return how full the containers of today's rounds are.

    Parameters
    ----------
    rounds
        As from `morning.todays_rounds`.
    levels, limits
        As from and for `levels`.

    Returns
    -------
    pandas.DataFrame
        truck, stops, known (of which a level is believed), could_wait (of these under `Limits.low`)
        and must_empty (of these as full as that).
    """
    level = levels.set_index("cluster")["level"].reindex(rounds["place"]).to_numpy()
    table = pd.DataFrame(
        {
            "truck": rounds["truck"].to_numpy(),
            "stops": 1,
            "known": np.isfinite(level).astype(int),
            "could_wait": (level < limits.low).astype(int),
            "must_empty": (level >= limits.must_empty).astype(int),
        }
    )
    return table.groupby("truck", as_index=False).sum()


def caption_of_rounds(table: pd.DataFrame | Absent, limits: Limits) -> str:
    """Say how many stops of today's rounds could have waited, and why none is left out."""
    if isinstance(table, Absent):
        return table.reason
    stops, read, low = (int(table[name].sum()) for name in ("stops", "known", "could_wait"))
    return (
        f"Of {counted(stops, 'stop')} of today's rounds a level is believed of {read:,}, and "
        f"{low:,} of these are under {limits.low:g} %: what a round by fill level could leave out. "
        "None is left out here. Amsterdam stopped such rounds in 2021, as levels were unreliable, "
        "nobody followed the results, and complaints rose; Twente Milieu saves a fifth by them."
    )
