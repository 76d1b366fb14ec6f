"""How full the demo city's containers are, by their sensors and by crews, with planted faults.

What is thrown in comes by day, between seven in the morning and eleven at night, and the weekly
rounds (`datamall.demo.rounds`) empty each container at its planned moment. A sensor reads that
three times a day, more or less; some are stuck, dead or silent from a day on, and where there is
none a crew that passes says it by eye.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from datamall.demo.draws import Floats, normal, pick, sample, stream
from datamall.demo.fleet import SNAPSHOT
from datamall.demo.rounds import rounds
from datamall.demo.street_world import FillsWorld
from datamall.demo.world import World

HOURS = (6, 14, 22)  # of the readings, local time, each at the sensor's own minute
OPEN = (7 / 24, 23 / 24)  # of the day: nobody throws anything in at night
FAULTS = ("", "stuck", "dead", "silent")
NO_SENSOR = "no sensor"
QUARTER = 25  # to which a crew rounds


class Fills(NamedTuple):
    """Readings as they are sent, before any mess, and what was planted.

    Attributes
    ----------
    readings
        cluster, time (local), source ("sensor" or "crew"), level (whole percent) and state (what
        the platform says of the sensor; "" for a crew), in order of time and cluster.
    truth
        cluster, rise (percent a day, on average), fault (of `FAULTS`, or `NO_SENSOR`), since (the
        moment; NaT for none) and level (when the day of the snapshot begins).
    """

    readings: pd.DataFrame
    truth: pd.DataFrame


def fills(seed: int, world: World, places: pd.DataFrame) -> Fills:
    """Return how full containers are in the last days until the morning of `fleet.SNAPSHOT`.

    Parameters
    ----------
    seed, world
        As for `datamall.demo.city`; the world has rounds and fills.
    places
        `City.places`; dump spots cannot be full.
    """
    knobs = world.fills or FillsWorld()
    rng = stream(seed, "fill levels")
    bins = places[places["kind"] == "container"].reset_index(drop=True)
    number, days = len(bins), knobs.days
    full = (bins["full"] > world.full).to_numpy()
    rise = (knobs.rise * bins["households"]).clip(*knobs.rises) * np.where(full, knobs.small, 1.0)
    rise = rise.to_numpy() * np.exp(knobs.rise_sd * normal(rng, number))
    # Days are counted from `first`, a full turn of the rounds before the first reading.
    first = pd.Timestamp(SNAPSHOT[0]) - pd.Timedelta(days=days + 7)
    thrown = rise[:, None] * np.exp(knobs.day_sd * normal(rng, (number, days + 8)))
    emptied = _emptied(seed, world, places, bins, first, days + 8)
    fault = pick(rng, [1 - sum(knobs.faults), *knobs.faults], number)
    fault[sample(rng, number, round((1 - knobs.sensors) * number))] = len(FAULTS)
    since = 7 + days - 4 - rng.integers(0, days - 6, number) + rng.random(number)
    minute, noise = rng.integers(0, 60, number), normal(rng, (number, days * len(HOURS) + 1))
    # From the first day to six on the morning of the snapshot.
    hours = [day * 24.0 + hour for day in range(7, days + 7) for hour in HOURS]
    hours.append((days + 7) * 24.0 + HOURS[0])
    times = np.array(hours)[None, :] / 24 + minute[:, None] / 1440
    true = _level(thrown, emptied, times)
    said = np.rint((true + knobs.noise * noise).clip(0, 100))
    wrong = times >= np.where(fault > 0, since, np.inf)[:, None]
    held = said[np.arange(number), np.argmax(wrong, axis=1)]
    said = np.where(wrong & (fault == 1)[:, None], held[:, None], said)
    said = np.where(wrong & (fault == 2)[:, None], 0, said)
    known = rng.random(number) < knobs.told
    state = np.full(times.shape, "ok", dtype=object)
    state[wrong & (fault == 2)[:, None]] = "dead"
    state[wrong & ((fault == 1) & known)[:, None]] = "stuck"
    crew = fault == len(FAULTS)
    passes = rng.random(times.shape) < knobs.passes
    sent = np.where(crew[:, None], passes, ~(wrong & (fault == 3)[:, None]))
    eye = QUARTER * np.rint(true / QUARTER)
    row, turn = np.nonzero(sent)
    table = pd.DataFrame(
        {
            "cluster": bins["cluster"].to_numpy()[row],
            "time": first + pd.to_timedelta(np.rint(times[row, turn] * 1440), unit="min"),
            "source": np.where(crew[row], "crew", "sensor"),
            "level": np.where(crew[row], eye[row, turn], said[row, turn]).astype(np.int64),
            "state": np.where(crew[row], "", state[row, turn]),
        }
    )
    names = np.array([*FAULTS, NO_SENSOR], dtype=object)[fault]
    began = first + pd.to_timedelta(np.floor(since * 1440), unit="min")
    at_midnight = _level(thrown, emptied, np.full((number, 1), days + 7.0))[:, 0]
    truth = pd.DataFrame(
        {
            "cluster": bins["cluster"],
            "rise": rise,
            "fault": names,
            "since": pd.Series(began).where((fault > 0) & ~crew),
            "level": at_midnight,
        }
    )
    return Fills(table.sort_values(["time", "cluster"], ignore_index=True), truth)


def _emptied(
    seed: int,
    world: World,
    places: pd.DataFrame,
    bins: pd.DataFrame,
    first: pd.Timestamp,
    days: int,
) -> Floats:
    """Return when each container is emptied, in days since the first; infinite: not on that day."""
    plan = rounds(seed, world, places)
    row = pd.Index(bins["cluster"]).get_indexer(plan["cluster"])
    moments = np.full((len(bins), days), np.inf)
    for day in range(days):
        own = (plan["weekday"] == (first + pd.Timedelta(days=day)).isoweekday()).to_numpy()
        moments[row[own], day] = day + plan["start"].to_numpy()[own] / 1440
    return moments


def _level(thrown: Floats, emptied: Floats, times: Floats) -> Floats:
    """Return the level (percent) of each container at moments of its own, in days."""
    before = np.cumsum(thrown, axis=1) - thrown

    def amount(moment: Floats) -> Floats:
        day = np.floor(moment).astype(np.int64)
        part = ((moment - day - OPEN[0]) / (OPEN[1] - OPEN[0])).clip(0, 1)
        rows = np.arange(len(thrown))[:, None]
        return before[rows, day] + thrown[rows, day] * part

    gone = np.zeros_like(times)
    for day in range(emptied.shape[1]):
        moment = emptied[:, day : day + 1]
        happened = moment <= times
        taken = amount(np.where(np.isfinite(moment), moment, 0.0))
        gone = np.where(happened, taken, gone)
    return (amount(times) - gone).clip(0, 100)
