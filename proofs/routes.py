"""What a planned day is worth beside the habits that it replaces, over many mornings of the demo.

The city is that of the demo before any mistake is written into its files, so that the study reads
no store. Each morning knows what was seen and reported before it, and nothing later.
"""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from datamall.demo import City, World, city
from datamall.demo.fleet import fleet
from datamall.demo.reports import reports
from datamall.demo.rounds import rounds
from datamall.enforcement import foresight, morning, orders, state
from datamall.enforcement.routing import Settings

BOTH = "all trucks"
BLOCK = 6  # mornings drawn together: the rounds of a week
DRAWS = 4000
HEADINGS = orders.HEADINGS | {
    "better": "Mornings on which the plan is better",
    "day": "Morning",
    "gain": "Gained over nothing (s)",
    "high": "To",
    "km_high": "To ",
    "km_less": "Kilometres less by the plan",
    "km_low": "From ",
    "low": "From",
    "mornings": "Mornings",
    "more": "More by the plan",
    "more_musts": "More that must",
}


def tables(drawn: City) -> dict[str, pd.DataFrame]:
    """Return what the door would hand out of a city that is delivered without a mistake."""
    own = fleet(drawn.seed, drawn.world, drawn.places)
    regular = rounds(drawn.seed, drawn.world, drawn.places)
    return {
        "enforcement.inspections": drawn.tallies,
        "enforcement.reports": reports(drawn),
        "enforcement.containers": drawn.places[
            ["cluster", "kind", "fraction", "x", "y", "neighbourhood"]
        ],
        "shared.neighbourhoods": drawn.neighbourhoods[["neighbourhood", "district"]],
        morning.ROUNDS: regular[["cluster", "weekday", "truck", "start", "service_seconds"]],
        morning.TRUCKS: own.trucks,
        morning.SITES: own.sites,
    }


def mornings(data: dict[str, pd.DataFrame], before: str, number: int) -> list[pd.Timestamp]:
    """Return the last mornings before a day on which regular rounds are driven."""
    driven = set(data[morning.ROUNDS]["weekday"])
    found, day = [], morning.as_day(before)
    while len(found) < number:
        day -= pd.Timedelta(days=1)
        found += [day] * (day.isoweekday() in driven)
    return found[::-1]


def driven(
    parameters: dict[str, Any], seed: int, number: int, world: World | None = None
) -> pd.DataFrame:
    """Plan so many mornings and drive them in other orders, too.

    Parameters
    ----------
    parameters
        Those of the morning in params.yaml.
    seed, world
        Of the demo city; the mornings are the last ones before `day` of the parameters.
    number
        Of mornings.

    Returns
    -------
    pandas.DataFrame
        As from `enforcement.orders.driven`, with day; and gain (s) and more_musts of the plan over
        doing nothing, the same in all rows of a day.

    Raises
    ------
    AssertionError
        When a plan is worse than doing nothing: fewer stops that must be made, or as many and less
        gained than the time it takes.
    """
    data = tables(city(seed, replace(world or World(), traffic=None, welfare=None)))
    settings = Settings(**{field.name: parameters[field.name] for field in fields(Settings)})
    found = []
    for day in mornings(data, parameters["day"], number):
        level = parameters["confidence"]
        learnt = state.fit(data, day, level)
        scores, _ = morning.both(foresight.held_out(data, day, parameters["weeks"], level))
        now = state.today(data, learnt, scores, day)
        wanted = morning.candidates(data, now, learnt, day, parameters["most"])
        made = morning.plan(data, wanted, day, settings)
        table = orders.driven(data, made, wanted, day, settings)
        if not isinstance(table, pd.DataFrame):
            raise AssertionError(table.reason)
        own = made.trucks  # type: ignore[union-attr]
        gain, musts = own["gain"].sum(), (own["musts"] - own["musts_before"]).sum()
        assert musts > 0 or (musts == 0 and gain >= 0), f"{day:%Y-%m-%d} is worse than nothing"
        found.append(table.assign(day=day, gain=int(gain), more_musts=int(musts)))
    return pd.concat(found, ignore_index=True)


def by_morning(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per morning, way and trucks (`FREE`, and `BOTH`).

    Returns
    -------
    pandas.DataFrame
        day, trucks, way, musts, value, km, hours, per_hour (dirty days an hour, 0 where no truck
        leaves), gain, more_musts.
    """
    free = table[table["trucks"] == orders.FREE]
    every = pd.concat([table.assign(trucks=BOTH), free], ignore_index=True)
    keys = ["day", "trucks", "way", "gain", "more_musts"]
    own = every.groupby(keys, as_index=False)[orders.SUMS].sum()
    hours = own["seconds"] / 3600
    return own[[*keys, "musts", "value"]].assign(
        km=own["metres"] / 1000,
        hours=hours,
        per_hour=(own["value"] / hours.where(hours > 0)).fillna(0),
    )


def paired(days: pd.DataFrame, seed: int, confidence: float) -> pd.DataFrame:
    """Return how the plan differs from each other way, morning by morning.

    Parameters
    ----------
    days
        As from `by_morning`.
    seed, confidence
        Of the draws; level of the intervals.

    Returns
    -------
    pandas.DataFrame
        trucks, way, mornings, per_hour and km (means of this way), more (dirty days an hour by the
        plan beyond this way, mean) with low and high, km_less (by the plan) with km_low and
        km_high, and better (mornings on which the plan prevents more an hour).

    Notes
    -----
    The difference of each morning is one observation. Mornings that follow each other are alike
    (the same waste lies there), so that blocks of `BLOCK` mornings in a row are drawn, with the
    first following the last (circular block bootstrap, Politis and Romano 1992).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    number = days["day"].nunique()
    length = min(BLOCK, max(number // 4, 1))
    starts = rng.integers(number, size=(DRAWS, -(-number // length)))
    drawn = ((starts[:, :, None] + np.arange(length)) % number).reshape(DRAWS, -1)[:, :number]
    tails, rows = [(1 - confidence) / 2, (1 + confidence) / 2], []
    for trucks in (BOTH, orders.FREE):
        own = days[days["trucks"] == trucks].sort_values("day")
        plan = own[own["way"] == orders.PLANNED]
        for way in orders.WAYS[1:]:
            other = own[own["way"] == way]
            row = [trucks, way, number, other["per_hour"].mean(), other["km"].mean()]
            more = plan["per_hour"].to_numpy() - other["per_hour"].to_numpy()
            less = other["km"].to_numpy() - plan["km"].to_numpy()
            for difference in (more, less):
                ends = np.quantile(difference[drawn].mean(axis=1), tails)
                row += [difference.mean(), *ends]
            rows.append((*row, int((more > 0).sum())))
    columns = ["trucks", "way", "mornings", "per_hour", "km", "more", "low", "high"]
    columns += ["km_less", "km_low", "km_high", "better"]
    return pd.DataFrame(rows, columns=columns)


def of_plans(days: pd.DataFrame) -> pd.DataFrame:
    """Return each morning's plan beside doing nothing: all trucks."""
    own = days[(days["trucks"] == BOTH) & (days["way"] == orders.PLANNED)]
    return own[["day", "more_musts", "gain", "value", "km", "per_hour"]].reset_index(drop=True)


def means(days: pd.DataFrame) -> pd.DataFrame:
    """Return the dirty days prevented by an hour, mean of the mornings, by way and trucks."""
    own = days.groupby(["trucks", "way"], as_index=False)["per_hour"].mean()
    own["order"] = own["way"].map(orders.WAYS.index)
    return own.sort_values(["order", "trucks"], ignore_index=True)[["way", "trucks", "per_hour"]]


def describe(days: pd.DataFrame) -> str:
    """Say what an hour of all trucks prevents, by way."""
    own = means(days).query("trucks == @BOTH")
    parts = [f"{row.way} {row.per_hour:.2f}" for row in own.itertuples()]
    return f"Dirty days prevented by an hour of all trucks: {', '.join(parts)}."


def metrics(table: pd.DataFrame) -> dict[str, float]:
    """Return what the plan is worth over each other way, all trucks; `table` as from `paired`."""
    own = table[table["trucks"] == BOTH].set_index("way")
    return {
        f"{name} than {way}": float(own.loc[way, column])
        for way in orders.WAYS[1:]
        for name, column in (("more an hour", "more"), ("fewer km", "km_less"))
    }


def lines(table: pd.DataFrame) -> list[str]:
    """Return what the plan is worth, a line for each other way, all trucks."""
    return [
        f"the plan beside {row.way}: {row.more:+.2f} dirty days an hour ({row.low:+.2f} to "
        f"{row.high:+.2f}), {-row.km_less:+.0f} km ({-row.km_high:+.0f} to {-row.km_low:+.0f}), "
        f"better on {row.better} of {row.mornings} mornings"
        for row in table[table["trucks"] == BOTH].itertuples()
    ]


def answer(table: pd.DataFrame) -> str:
    """Return the answer of the page; `table` as from `paired`."""
    own = table[table["trucks"] == BOTH].set_index("way")
    parts = [
        f"{row.more:+.2f} ({row.low:+.2f} to {row.high:+.2f}) than with {row.Index}"
        for row in own.loc[[orders.ALL_LISTED, orders.ALL_NEAREST]].itertuples()
    ]
    alone = own.loc[orders.NEAREST]
    difference = f"{alone['more']:+.2f} ({alone['low']:+.2f} to {alone['high']:+.2f})"
    return (
        f"On {own['mornings'].iloc[0]} mornings an hour of the trucks prevents more dirty days by "
        f"the plan: {' and '.join(parts)}. With the plan's own stops, nearest first, the "
        f"difference is {difference}: the rest comes from the choice of stops. On no morning was "
        "the plan worse than doing nothing."
    )
