"""Whether what a container usually gains in a day foretells more than its last reading does."""

import numpy as np
import pandas as pd

from datamall.enforcement import fills, histories
from datamall.enforcement.fills import CREW, FULL, READ, ROUNDS, Limits
from datamall.enforcement.histories import DAY
from datamall.enforcement.information import Tables
from datamall.enforcement.words import counted
from datamall.requirements import Absent, needs

MORNINGS = 3  # some five thousand readings in the demo, each morning a third of a second
TITLE = "What containers usually gain"
BY_RISE, AS_READ = "by its usual rise", "as last read"


@needs(TITLE, *READ)
def foretold(data: Tables, day: pd.Timestamp, limits: Limits) -> pd.DataFrame | Absent:
    """Return how far levels that were foretold lie from those read later on the same day.

    Parameters
    ----------
    data
        The extract.
    day
        The morning: the days before it are judged, each by what was known when it began.
    limits
        See `fills.Limits`.

    Returns
    -------
    pandas.DataFrame
        way (of foretelling), readings, off (mean absolute error in percent of a container) and
        above (how much more was foretold than read, on average). Containers with a round on that
        day or a stop are left out, as are full ones: these cannot rise. Or an `Absent`.
    """
    tables = []
    for turn in range(MORNINGS, 0, -1):
        morning = day - turn * DAY
        known = fills.levels(data, morning, limits)
        if isinstance(known, pd.DataFrame):
            tables.append(_one_day(data, known, morning))
    if not sum(map(len, tables)):
        return Absent(TITLE, "Not possible here: no level of the last days was foretold and read.")
    table = pd.concat(tables)
    rows = []
    for way in (BY_RISE, AS_READ):
        error = table[way] - table["level"]
        rows.append((way, len(error), error.abs().mean(), error.mean()))
    return pd.DataFrame(rows, columns=["way", "readings", "off", "above"]).round(2)


def _one_day(data: Tables, known: pd.DataFrame, morning: pd.Timestamp) -> pd.DataFrame:
    """Return what was foretold of the last readings of a day, and what was read."""
    later = histories.before(data, morning + DAY)
    read = fills.readings(later)
    read = read[(read["time"] >= morning) & (read["source"] != CREW) & (read["state"] != "dead")]
    read = read.drop_duplicates("cluster", keep="last").set_index("cluster")
    own = known[(known["why"] == "") & known["rise"].notna()].set_index("cluster")
    own = own.join(read[["time", "level"]].add_prefix("later_"), how="inner")
    served = fills.emptied(later)
    out = set(served.index[served >= morning])
    rounds = data.get(ROUNDS, pd.DataFrame(columns=["cluster", "weekday"]))
    if {"cluster", "weekday"} <= set(rounds):
        out |= set(rounds.loc[rounds["weekday"] == morning.isoweekday(), "cluster"].astype(str))
    own = own[~own.index.isin(out) & (own["later_level"] < FULL)]
    days = (own["later_time"] - own["read"]) / DAY
    by_rise = np.minimum(own["level"] + own["rise"] * days, FULL)
    return pd.DataFrame({BY_RISE: by_rise, AS_READ: own["level"], "level": own["later_level"]})


def caption(table: pd.DataFrame | Absent) -> str:
    """Say which of the two lies nearer to what was read, and by how much."""
    if isinstance(table, Absent):
        return table.reason
    off = table.set_index("way")["off"]
    nearer, other = (BY_RISE, AS_READ) if off[BY_RISE] < off[AS_READ] else (AS_READ, BY_RISE)
    return (
        f"Levels of the last {counted(MORNINGS, 'day')}, foretold each morning and read later that "
        f"day: {nearer} is nearer, {off[nearer]:.1f} percent off and not {off[other]:.1f}. "
        "Only what may be emptied rests on it."
    )
