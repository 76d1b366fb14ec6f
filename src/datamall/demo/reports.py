"""What residents of the demo city report about waste, and when it is dealt with.

Residents of a neighbourhood send reports at its own rate (per day, Poisson) as long as something
lies there that they notice: the first one while nobody has taken it away, and once it is in,
further ones until it is closed, which takes away what it is about. So who reports often is seen in
the repeats, whatever lies on the street (Liu, Bhandaram and Garg, Nature Computational Science,
2023). First reports come from `datamall.demo.days`; a few are about what lies around the corner,
where no inspector of the place looks.
"""

import numpy as np
import pandas as pd

from datamall.demo.days import closing_days
from datamall.demo.draws import pick, poisson, sample, stream
from datamall.demo.enforcement import City, reporting_rates
from datamall.demo.street_world import CATEGORIES, CHANNELS, ReportsWorld

OTHER = CATEGORIES.index("other")


def reports(city: City) -> pd.DataFrame:
    """Draw the reports of the period of the inspections.

    Returns
    -------
    DataFrame
        One row per report in order of arrival: report (number), opened and closed (day; NaT where
        still open at the end), channel, category, cluster (None where it could not be
        established) and duplicate_of (number of the open report that it repeats; None).
    """
    knobs = city.world.reports or ReportsWorld()
    rng = stream(city.seed, "reports")
    end = 7.0 * len(city.weeks)
    first = city.incidents.rename(columns={"opened": "arrived"})
    rate = reporting_rates(city.seed, city.world, city.neighbourhoods)
    area = city.places["neighbourhood"].iloc[first["place"]]
    local = rate.set_index("neighbourhood")["rate"][area].to_numpy()
    length = (first["closed"] - first["arrived"]).to_numpy()
    parent = np.repeat(np.arange(len(first)), poisson(rng, local * length))
    again = first.iloc[parent]
    later = again["arrived"].to_numpy() + length[parent] * rng.random(len(parent))
    again = again.assign(arrived=later, channel=pick(rng, knobs.channels, len(parent)))
    table = pd.concat([first.assign(parent=-1), again.assign(parent=parent)], ignore_index=True)
    lost = sample(rng, len(table), round(knobs.nowhere * len(table)))
    nowhere = table.iloc[lost].assign(place=-1, parent=-1)
    nowhere["channel"] = pick(rng, knobs.channels, len(lost))
    nowhere["closed"] = nowhere["arrived"] + closing_days(
        knobs,
        rng.random(len(lost)),
        nowhere["category"].to_numpy(),
        nowhere["channel"].to_numpy(),
    )
    table = pd.concat([table, nowhere], ignore_index=True)
    vague = rng.random(len(table)) < knobs.vague
    table["category"] = table["category"].mask(vague, OTHER)
    row = np.arange(len(table))  # chains were numbered by the row of their first report
    table = table.assign(row=row)[table["arrived"] < end]
    table = table.sort_values(["arrived", "row"], ignore_index=True)
    return _named(city, table, end)


def _named(city: City, table: pd.DataFrame, end: float) -> pd.DataFrame:
    """Write numbers, days and names."""
    monday = city.weeks["week"].iloc[0]
    opened = monday + pd.to_timedelta(np.floor(table["arrived"]), unit="D")
    closed = monday + pd.to_timedelta(np.floor(table["closed"]), unit="D")
    number = np.array(
        [f"M{day.year}-{turn + 1:05d}" for turn, day in enumerate(opened)], dtype=object
    )
    turn_of = dict(zip(table["row"], range(len(table)), strict=True))
    first = [turn_of.get(parent, -1) for parent in table["parent"]]
    clusters = [*city.places["cluster"], None]
    return pd.DataFrame(
        {
            "report": number,
            "opened": opened,
            "closed": closed.where(table["closed"] < end),
            "channel": np.array(CHANNELS, dtype=object)[table["channel"]],
            "category": np.array(CATEGORIES, dtype=object)[table["category"]],
            "cluster": np.array(clusters, dtype=object)[table["place"]],
            "duplicate_of": np.array([*number, None], dtype=object)[first],
        }
    )
