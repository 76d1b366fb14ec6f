"""The demo city day by day: waste comes and goes, is looked at, reported and taken away.

Each place has a level, drawn anew (uniform) after an exponential time. While it lies below the
chance of waste that was planted there, waste lies there. That is the two-state Markov chain with
the planted chance as its stationary one and one rate of relaxation; and a role that records more
simply reads the same level against a higher chance. With a level comes what the pile consists of,
and whether residents notice it.

A crew takes away what it finds, with a chance, and a report is closed by taking away what it is
about; an officer only writes down. So a place that is looked at or reported often is somewhat
cleaner than was planted: see `datamall.demo.truth.clusters`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from datamall.demo.draws import Floats, Integers, expit, normal, pick, poisson, sample, stream
from datamall.demo.street_world import ActionWorld, ReportsWorld
from datamall.demo.world import World

ROLES = ("cleaning crew", "enforcement officer")
CAUSES = ("bulky", "residual", "cardboard", "full", "broken")
_RESIDUAL = CAUSES.index("residual")
_CATEGORY = np.array([2, 3, 3, 0, 1])  # what a pile mainly is → how residents call it


@dataclass
class Street:
    """What lies at each place on a morning; all of shape (places,) but `kinds`.

    Attributes
    ----------
    level
        Drawn with each pile: it lies there while this is below the chance of the week.
    gone
        Whether it was taken away: nothing lies there until the level is drawn anew.
    noticed
        Whether residents notice it.
    main, kinds
        What it mainly is (position in `CAUSES`; their number for none of them), and of what it
        consists, shape (`CAUSES`, places).
    closes, here
        Time at which the open report on the place will be closed (infinite without one), and
        whether what it is about lies where inspectors look.
    """

    level: Floats
    gone: np.ndarray
    noticed: np.ndarray
    main: Integers
    kinds: np.ndarray
    closes: Floats
    here: np.ndarray


def year(
    seed: int, world: World, places: pd.DataFrame, weeks: pd.DataFrame, base: Floats, rate: Floats
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Walk through the days: what lies where, who looks, who reports, and what is done.

    Parameters
    ----------
    seed, world
        As for `datamall.demo.city`.
    places, weeks
        As in `datamall.demo.City`.
    base
        Log-odds of waste for a crew, without season and weekly shocks, shape (places,).
    rate
        Reports a day of residents on one thing that lies there, shape (places,).

    Returns
    -------
    tuple of DataFrame
        `City.tallies`, `City.incidents` and `City.actions`.
    """
    looking, lying, reporting = (
        stream(seed, name) for name in ("inspections", "piles", "incidents")
    )
    number = len(places)
    rounds, attention = (places[name].to_numpy() for name in ("rounds", "officer_attention"))
    start, shock = looking.random(number), normal(lying, number)
    memory, bags = np.zeros(number), np.zeros(number)
    street = Street(
        *(np.ones(number), np.ones(number, bool), np.zeros(number, bool)),
        *(np.zeros(number, np.int64), np.zeros((len(CAUSES), number), bool)),
        *(np.full(number, np.inf), np.zeros(number, bool)),
    )
    actions, prevented = _no_actions(), np.zeros(number)
    tallies, incidents = [], []
    for day in range(7 * len(weeks)):
        if day % 7 == 0:
            logit = base + weeks["season"].iloc[day // 7] + world.shock_sd * shock
            chance = np.stack([expit(logit), expit(logit + np.log(world.observer_odds_ratio))])
            kept = world.shock_persistence
            shock = kept * shock + np.sqrt(1 - kept**2) * normal(lying, number)
        if world.actions and day == 7 * world.actions.after_weeks:
            actions = _draw_actions(seed, world.actions, bags, day)
            prevented[actions.loc[actions["drawn"], "place"]] = world.actions.effect
        closed = street.closes < day
        street.gone |= closed
        street.closes[closed] = np.inf
        quiet = np.isinf(street.closes)  # no open report
        anew = lying.random(number) < (-np.expm1(-world.relaxation) if day else 1)
        _renew(lying, world, places, street, np.flatnonzero(anew & quiet), prevented)
        lies = np.where(quiet, ~street.gone & (street.level < chance), street.here)
        looks = np.stack(
            [
                _crew(looking, world, start + rounds * (day / 7), rounds / 7),
                _officers(looking, world, attention * (1 + memory) ** world.feedback),
            ]
        )
        found = looks * lies
        tallies.append(_tally(day, looks, found, street.kinds))
        memory = world.memory ** (1 / 7) * memory + found.sum(axis=0)
        bags += (found * street.kinds[_RESIDUAL]).sum(axis=0)
        # What was reported is left to whom it was passed on.
        taken = (found[0] > 0) & (looking.random(number) < world.crew_cleans)
        street.gone |= taken & quiet
        if world.reports:
            incidents.append(_report(reporting, world.reports, street, quiet, chance[0], day, rate))
    # The register numbers places, and time numbers days, in the order of the key.
    table = pd.concat(tallies).sort_values(
        ["cluster", "period_start", "observer_role"], ignore_index=True
    )
    cluster = places["cluster"].to_numpy()
    table = table.assign(
        cluster=cluster[table["cluster"]],
        period_start=_days(weeks, table["period_start"]),
        observer_role=np.array(ROLES, dtype=object)[table["observer_role"]],
    )
    actions = actions.assign(
        cluster=cluster[actions["place"]], first_day=_days(weeks, actions["day"])
    )
    types = {"place": "int64", "opened": "float64", "closed": "float64"}
    types |= {"category": "int64", "channel": "int64"}
    happened = pd.concat(incidents) if incidents else pd.DataFrame(columns=list(types))
    return (
        table,
        happened.astype(types).sort_values(["place", "opened"], ignore_index=True),
        actions[["cluster", "first_day", "drawn"]],
    )


def _days(weeks: pd.DataFrame, day: pd.Series) -> pd.Series:
    """Return the dates of days, numbered from the first Monday."""
    return weeks["week"].iloc[0] + pd.to_timedelta(day, unit="D")


def _renew(
    rng: np.random.Generator,
    world: World,
    places: pd.DataFrame,
    street: Street,
    where: Integers,
    prevented: Floats,
) -> None:
    """Draw anew what lies at some places; there an action keeps a share of the bags away."""
    number = len(street.level)
    street.level[where] = rng.random(number)[where]
    street.gone[where] = False
    incidents = world.reports.incidents if world.reports else 0.0
    street.noticed[where] = (rng.random(number) < incidents)[where]
    main, kinds = _piles(rng, places)
    kept = rng.random(number) < prevented
    kept &= kinds[_RESIDUAL]
    kinds[_RESIDUAL] &= ~kept
    street.gone[where] = (kept & ~kinds.any(axis=0))[where]
    # What is left of a pile of bags is called by what else it holds.
    main = np.where(kept & (main == _RESIDUAL), kinds.argmax(axis=0), main)
    street.main[where], street.kinds[:, where] = main[where], kinds[:, where]


def _piles(rng: np.random.Generator, places: pd.DataFrame) -> tuple[Integers, np.ndarray]:
    """Draw what a pile at each place mainly is, in proportion to the shares, and all that it holds.

    Each cause is in a pile with its own share. Where these add up to less than 1, some piles hold
    none of them.
    """
    shares = places[list(CAUSES)].to_numpy().T
    first = shares / np.maximum(shares.sum(axis=0), 1)
    main = (rng.random(len(places)) >= np.cumsum(first, axis=0)).sum(axis=0)
    # So that a cause that is not the main one still comes to its share.
    kinds = rng.random(shares.shape) < (shares - first) / (1 - first).clip(1e-9)
    kinds[main[main < len(CAUSES)], np.flatnonzero(main < len(CAUSES))] = True
    return main, kinds


def _tally(day: int, looks: Integers, found: Integers, kinds: np.ndarray) -> pd.DataFrame:
    """Write down what was looked at on a day, and what was found."""
    role, place = np.nonzero(looks)
    waste = found[role, place]
    counts = {"inspections": looks[role, place], "with_waste": waste}
    counts |= {name: waste * own[place] for name, own in zip(CAUSES, kinds, strict=True)}
    keys = {"cluster": place, "period_start": day, "observer_role": role}
    return pd.DataFrame(keys | counts)


def _report(
    rng: np.random.Generator,
    knobs: ReportsWorld,
    street: Street,
    quiet: np.ndarray,
    chance: Floats,
    day: int,
    rate: Floats,
) -> pd.DataFrame:
    """Draw the first reports of a day, each with the time at which it will be closed."""
    number = len(rate)
    known = quiet & ~street.gone & (street.main < len(CAUSES))
    here = known & street.noticed & (street.level < chance)
    elsewhere = known & (street.level > 1 - knobs.around_the_corner() * chance)
    draws = rng.random((4, number))
    place = np.flatnonzero((here | elsewhere) & (draws[0] < -np.expm1(-rate)))
    opened = day + draws[1, place]
    category = _CATEGORY[street.main[place]]
    channel = pick(rng, knobs.channels, number)[place]
    closed = opened + closing_days(knobs, draws[2, place], category, channel)
    street.closes[place], street.here[place] = closed, here[place]
    columns = {"place": place, "opened": opened, "closed": closed}
    return pd.DataFrame(columns | {"category": category, "channel": channel})


def closing_days(
    knobs: ReportsWorld, uniform: Floats, category: Integers, channel: Integers
) -> Floats:
    """Return the days from a first report to its closing: exponential, by category and channel."""
    usual = np.array(knobs.closing_days)[category] * np.array(knobs.channel_delay)[channel]
    return -np.log1p(-uniform) * usual


def _crew(rng: np.random.Generator, world: World, before: Floats, rounds: Floats) -> Integers:
    """Return the looks of a crew: the rounds that come due on a day, less those that fall out."""
    due = np.floor(before + rounds) - np.floor(before)
    return (due * (rng.random(len(rounds)) >= world.crew_skips)).astype(np.int64)


def _officers(rng: np.random.Generator, world: World, weight: Floats) -> Integers:
    """Return the looks of the officers: a fixed expected total, shared out by weight."""
    return poisson(rng, world.officer_looks / 7 * len(weight) * weight / weight.sum())


def _no_actions() -> pd.DataFrame:
    return pd.DataFrame({"place": [], "day": [], "drawn": []}).astype(
        {"place": np.int64, "day": np.int64, "drawn": bool}
    )


def _draw_actions(seed: int, knobs: ActionWorld, bags: Floats, day: int) -> pd.DataFrame:
    """Draw half of the places where bags were found most often: they get the action."""
    chosen = np.sort(np.argsort(-bags, kind="stable")[: round(knobs.places * len(bags))])
    drawn = np.zeros(len(chosen), dtype=bool)
    drawn[sample(stream(seed, "actions"), len(chosen), len(chosen) // 2)] = True
    return pd.DataFrame({"place": chosen, "day": day, "drawn": drawn})
