"""What residents of the demo city report about waste, and when it is dealt with.

Something to report begins at a place in a week with the chance of waste there (without the weekly
shocks) times `ReportsWorld.incidents`. Residents of a neighbourhood send reports at its own rate
(per day, Poisson) as long as it lies there: where nobody has reported it, until a crew comes by;
once the first report is in, until that one is closed. So who reports often is seen in the repeats,
whatever lies on the street (Liu, Bhandaram and Garg, Nature Computational Science, 2023).
"""

import numpy as np
import pandas as pd

from datamall.demo.draws import Floats, Integers, expit, pick, poisson, sample, stream
from datamall.demo.enforcement import City, base_logit
from datamall.demo.street_world import CATEGORIES, CHANNELS, ReportsWorld

OTHER = CATEGORIES.index("other")


def rates(city: City) -> pd.DataFrame:
    """Return neighbourhood and rate: reports a day on one thing that lies there.

    Evenly spread on the log scale between the bounds, in random order: the same for every seed.
    """
    low, high = _knobs(city).rates
    number = len(city.neighbourhoods)
    rank = sample(stream(city.seed, "who reports"), number, number)
    rate = (low * (high / low) ** ((rank + 0.5) / number)).round(6)
    return pd.DataFrame({"neighbourhood": city.neighbourhoods["neighbourhood"], "rate": rate})


def reports(city: City) -> pd.DataFrame:
    """Draw the reports of the period of the inspections.

    Returns
    -------
    DataFrame
        One row per report in order of arrival: report (number), opened and closed (day; NaT where
        still open at the end), channel, category, cluster (None where it could not be
        established) and duplicate_of (number of the open report that it repeats; None).
    """
    knobs = _knobs(city)
    rng = stream(city.seed, "reports")
    end = 7.0 * len(city.weeks)
    first = _first(rng, city, knobs)
    rate = first["rate"].to_numpy()
    length = (first["closed"] - first["arrived"]).to_numpy()
    parent = np.repeat(np.arange(len(first)), poisson(rng, rate * length))
    again = first.iloc[parent]
    later = again["arrived"].to_numpy() + length[parent] * rng.random(len(parent))
    again = again.assign(arrived=later, channel=_channels(rng, knobs, len(parent)))
    table = pd.concat([first.assign(parent=-1), again.assign(parent=parent)], ignore_index=True)
    lost = sample(rng, len(table), round(knobs.nowhere * len(table)))
    nowhere = table.iloc[lost].assign(place=-1, parent=-1)
    nowhere["channel"] = _channels(rng, knobs, len(lost))
    nowhere["closed"] = nowhere["arrived"] + _days(rng, knobs, nowhere)
    table = pd.concat([table, nowhere], ignore_index=True)
    vague = rng.random(len(table)) < knobs.vague
    table["category"] = table["category"].mask(vague, OTHER)
    row = np.arange(len(table))  # chains were numbered by the row of their first report
    table = table.assign(row=row)[table["arrived"] < end]
    table = table.sort_values(["arrived", "row"], ignore_index=True)
    return _named(city, table, end)


def _first(rng: np.random.Generator, city: City, knobs: ReportsWorld) -> pd.DataFrame:
    """Draw what lies on the street and is reported: the first report of each."""
    places, rate = city.places, rates(city).set_index("neighbourhood")["rate"]
    chance = expit(base_logit(city.world, places)[:, None] + city.weeks["season"].to_numpy())
    place, week = np.nonzero(rng.random(chance.shape) < knobs.incidents * chance)
    number = len(place)
    local = rate.loc[places["neighbourhood"].iloc[place]].to_numpy()
    begun = 7 * (week + rng.random(number))
    silent = -np.log1p(-rng.random(number)) / local
    cleaned = -np.log1p(-rng.random(number)) * knobs.cleaned_days
    shares = places[["full", "broken", "bulky"]].assign(
        bags=places["residual"] + places["cardboard"]
    )
    edges = np.cumsum(shares.to_numpy()[place], axis=1)
    drawn = rng.random(number) * edges[:, -1]
    table = pd.DataFrame(
        {
            "place": place,
            "rate": local,
            "arrived": begun + silent,
            "category": (drawn[:, None] >= edges[:, :-1]).sum(axis=1),
            "channel": _channels(rng, knobs, number),
        }
    )
    table["closed"] = table["arrived"] + _days(rng, knobs, table)
    table = table[silent < cleaned].sort_values(["place", "arrived"], ignore_index=True)
    # What begins while a report on the same place is open belongs to that report.
    kept, place_open, until = [], -1, 0.0
    for one in table.itertuples():
        if one.place != place_open or one.arrived >= until:
            kept.append(one.Index)
            place_open, until = one.place, one.closed
    return table.loc[kept].reset_index(drop=True)


def _channels(rng: np.random.Generator, knobs: ReportsWorld, number: int) -> Integers:
    return pick(rng, knobs.channels, number)


def _days(rng: np.random.Generator, knobs: ReportsWorld, table: pd.DataFrame) -> Floats:
    """Draw the days from a first report to its closing: exponential, by category and channel."""
    usual = np.array(knobs.closing_days)[table["category"]]
    usual = usual * np.array(knobs.channel_delay)[table["channel"]]
    return -np.log1p(-rng.random(len(table))) * usual


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


def _knobs(city: City) -> ReportsWorld:
    return city.world.reports or ReportsWorld()
