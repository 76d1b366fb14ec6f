"""How often what is said of roads, detectors and signal plans is right, where the truth is known.

Each part draws streets from `proofs.junctions`, asks the analysis as the page does, and counts:
ceilings, changes of a road, what is odd of a detector. Plans are judged in `proofs.towns`.
"""

import numpy as np
import pandas as pd

from datamall.fairness.intervals import limits
from datamall.traffic import censoring, changes, events, health
from datamall.traffic.capacity import CUT_OFF, NOT_ENOUGH
from datamall.traffic.cube import KEYS, Cube
from datamall.traffic.levels import ASK
from proofs import junctions
from proofs.junctions import FIRST, Floats, Mood, counts, cube, generator, means, names

NONE = 0  # minutes of a plateau where demand is not cut off
LENGTHS, SHARES = (15, 30, 45, 60), (0.2, 0.5, 1.0)
LOADS = (0.6, 0.75, 0.85)  # of the capacity, in the busiest interval of a usual day
SIZES, SINCE = (0.6, 0.8, 0.9, 1.1, 1.2, 1.4), (2, 4, 8, 16)
DATED = 7  # days by which the date of a change may be off
KINDS = ("not yet", "no longer", "outage", "fault", "real change", "rare event")
LARGE = Mood(city=0.08, week=0.06, hour=0.08, growth=0.1, season=0.15)


def exact(seen: object, of: object) -> tuple[Floats, Floats]:
    """Return the ends of exact 95 % intervals of shares (Clopper and Pearson 1934)."""
    return limits(np.asarray(seen), np.asarray(of), 0.025)


def ceilings(approaches: int, seed: int) -> pd.DataFrame:
    """Draw approaches with and without a ceiling, and return what is said of them.

    Parameters
    ----------
    approaches
        Number for each length of the plateau and share of days, and for each load without one.
    seed
        Seed.

    Returns
    -------
    DataFrame
        known (whether the capacity is), minutes (of the plateau; 0: none), share_of_days, load
        (where there is none), cut_off, not_enough and not_cut_off (numbers of approaches).
    """
    planted = [(minutes, share, np.nan) for minutes in LENGTHS for share in SHARES]
    planted += [(NONE, 0.0, load) for load in LOADS]
    rng = generator(seed, 1)
    cells = [one for one in planted for _ in range(approaches)]
    number, weeks = len(cells), 12
    capacity = rng.uniform(400, 1800, number)
    load = np.array([0.7 if np.isnan(one) else one for _, _, one in cells])
    mood = junctions.USUAL._replace(tilt=0)  # the load is that of both peaks
    count = counts(rng, means(rng, load * capacity, weeks, 15, mood))
    working = np.flatnonzero(np.arange(7 * weeks) % 7 < 5)
    for row, (minutes, share, _) in enumerate(cells):
        days = np.sort(rng.permutation(working)[: round(share * len(working))])
        slots = slice(31, 31 + minutes // 15)
        noise = 1 + 0.015 * rng.standard_normal((len(days), minutes // 15))
        count[row, days, slots] = np.floor(capacity[row] / 4 * noise)
    count = np.minimum(count, np.floor(1.03 * capacity / 4)[:, None, None])
    keys = names(number)
    file = keys[["site", "approach", "movement"]].assign(capacity=capacity)
    tables = []
    for known in (True, False):
        own = file if known else file.iloc[:0]
        found = censoring.plateaus(cube(count, 15, keys), own)
        steps = [found["verdict"] == CUT_OFF, found["verdict"] == NOT_ENOUGH]
        found["place"] = np.select(steps, [0, 1], 2)
        worst = found.groupby(["site", "approach"])["place"].min()
        said = worst.reindex(pd.MultiIndex.from_frame(keys[["site", "approach"]])).to_numpy()
        table = pd.DataFrame(cells, columns=["minutes", "share_of_days", "load"])
        table = table.assign(
            known=known, cut_off=said == 0, not_enough=said == 1, not_cut_off=said == 2
        )
        by = ["known", "minutes", "share_of_days", "load"]
        tables.append(table.groupby(by, dropna=False, as_index=False).sum())
    return pd.concat(tables, ignore_index=True)


def called(table: pd.DataFrame) -> pd.DataFrame:
    """Return precision and recall of "cut off", and how often "not cut off" is wrong.

    Parameters
    ----------
    table
        As from `ceilings`.

    Returns
    -------
    DataFrame
        known, what (a sentence), seen, of, share with low and high (exact 95 %).
    """
    rows: list[tuple[bool, str, int, int]] = []
    for known, own in table.groupby("known", sort=False):
        there = own["minutes"] > NONE
        total = own[["cut_off", "not_enough", "not_cut_off"]].sum(axis=1)
        hits = int(own.loc[there, "cut_off"].sum())
        about = bool(known)
        rows += [
            (about, "right, of those called cut off", hits, int(own["cut_off"].sum())),
            (about, "called cut off, of those that are", hits, int(total[there].sum())),
            (
                about,
                "called not cut off, of those that are",
                int(own.loc[there, "not_cut_off"].sum()),
                int(total[there].sum()),
            ),
            (
                about,
                "called not cut off, of those that are not",
                int(own.loc[~there, "not_cut_off"].sum()),
                int(total[~there].sum()),
            ),
        ]
    result = pd.DataFrame(rows, columns=["known", "what", "seen", "of"])
    return _shares(result)


def _shares(table: pd.DataFrame) -> pd.DataFrame:
    low, high = exact(table["seen"], table["of"])
    share = table["seen"] / table["of"].where(table["of"] > 0)
    return table.assign(share=share, low=low, high=high)


def jumps(approaches: int, seed: int) -> pd.DataFrame:
    """Draw roads that changed among others that did not, and return how many are found.

    Returns
    -------
    DataFrame
        size (level now ÷ then), since (weeks), seen (approaches with a change), of, share, low,
        high and dated (share of the seen, dated within a week).
    """
    rng, weeks = generator(seed, 2), 40
    cells = [(size, since) for size in SIZES for since in SINCE for _ in range(approaches)]
    number = 2 * len(cells)  # as many that did not change
    mean = means(rng, rng.uniform(150, 900, number), weeks, 60)
    begin = []
    for row, (size, since) in enumerate(cells):
        begin.append(7 * (weeks - since) + int(rng.integers(-3, 4)))
        mean[row, begin[-1] :] *= size
    table = changes.changes(cube(counts(rng, mean), 60))
    keys = pd.MultiIndex.from_frame(names(number)[["site", "approach"]])
    place = keys.get_indexer(pd.MultiIndex.from_frame(table[["site", "approach"]].astype(str)))
    result = pd.DataFrame(cells, columns=["size", "since"])
    result["seen"] = np.isin(np.arange(len(cells)), place)
    since = table.assign(place=place).groupby("place")["since"].last().reindex(range(len(cells)))
    off = (since - FIRST).dt.days.to_numpy() - np.array(begin)
    result["dated"] = np.where(result["seen"], np.abs(off) <= DATED, np.nan)
    groups = result.groupby(["size", "since"])
    found = groups["seen"].agg(seen="sum", of="size").reset_index()
    return _shares(found).assign(dated=groups["dated"].mean().to_numpy())


def unchanged(approaches: int, seed: int) -> pd.DataFrame:
    """Draw roads that did not change, and return how many are said to have.

    Returns
    -------
    DataFrame
        truth (what moves their counts), approaches, weeks (of all of them), alarms (approaches with
        a change), per_1000 (in 1,000 weeks of an approach) with low and high.
    """
    rng, weeks = generator(seed, 3), 60
    rows = []
    for truth, mood, lasting in (
        ("nothing but chance", junctions.USUAL, False),
        ("growth of a tenth a year, seasons, restless weeks", LARGE, False),
        ("school holidays of six weeks, no calendar", junctions.USUAL, True),
    ):
        for size in (approaches, changes.MANY - 4):
            alarms, drawn = 0, 0
            while drawn < approaches:
                mean = means(rng, rng.uniform(150, 900, size), weeks, 60, mood)
                if lasting:
                    # Each street feels them more or less.
                    felt = rng.uniform(0.65, 0.95, size)
                    mean[:, 196:238] *= felt[:, None, None]
                table = changes.changes(cube(counts(rng, mean, mood), 60))
                alarms += table.groupby(["site", "approach"]).ngroups
                drawn += size
            place = f"{size} approaches" if size < changes.MANY else "a city"
            rows.append((truth, place, drawn, drawn * weeks, alarms))
    columns = ["truth", "place", "approaches", "weeks", "alarms"]
    return _rates(pd.DataFrame(rows, columns=columns))


def _rates(table: pd.DataFrame) -> pd.DataFrame:
    """Return alarms in 1,000 weeks with exact 95 % limits of a Poisson mean (Garwood 1936)."""
    from scipy.special import gammaincinv

    seen, scale = table["alarms"].to_numpy(float), 1000 / table["weeks"].to_numpy(float)
    low = np.where(seen > 0, gammaincinv(np.maximum(seen, 1e-9), 0.025), 0)
    high = gammaincinv(seen + 1, 0.975)
    return table.assign(per_1000=seen * scale, low=low * scale, high=high * scale)


def said(whole: Cube) -> pd.DataFrame:
    """Return what is said to be odd of detectors, as one of six things.

    Returns
    -------
    DataFrame
        The keys, kind (of `KINDS`), its name in the analysis (also), first_day, last_day.
    """
    faults = health.examine(whole)
    short = events.events(health.healthy(whole, faults), faults).table
    steps = [
        faults["kind"] == health.NOT_YET,
        faults["kind"] == health.NO_LONGER,
        faults["kind"] == health.LOST,
        faults["verdict"] == ASK,
        (faults["kind"] == "zero") & (faults["hours"] < health.A_DAY),
    ]
    kind = np.select(steps, [*KINDS[:3], KINDS[4], KINDS[5]], KINDS[3])
    columns = [*KEYS, "kind", "also", "first_day", "last_day"]
    table = faults.assign(also=faults["kind"], kind=kind)
    hours = short.assign(kind=KINDS[5], also="event", first_day=short["day"], last_day=short["day"])
    return pd.concat([table[columns], hours[columns]], ignore_index=True)


def healthy(detectors: int, seed: int) -> pd.DataFrame:
    """Draw detectors of which nothing is odd, and return what is said all the same.

    Returns
    -------
    DataFrame
        truth (how restless), kind, weeks, alarms, per_1000 with low and high.
    """
    rng, weeks, rows = generator(seed, 4), 26, []
    for truth, mood in (("usual", junctions.USUAL), ("restless", LARGE)):
        for low, high in ((20, 150), (150, 1200)):
            volume = rng.uniform(low, high, detectors)
            found = said(cube(counts(rng, means(rng, volume, weeks, 60, mood), mood), 60))
            rows += [
                (truth, f"{low} to {high} in the busiest hour", kind, detectors * weeks, alarms)
                for kind in KINDS
                for alarms in [int((found["kind"] == kind).sum())]
            ]
    columns = ["truth", "volume", "kind", "weeks", "alarms"]
    return _rates(pd.DataFrame(rows, columns=columns))


def _planted(rng: np.random.Generator, count: Floats, row: int, what: str) -> tuple[int, int]:
    """Plant one thing at a detector, in place, and return its first and last day."""
    days = count.shape[1]
    first = int(rng.integers(40, days - 70))
    lengths = {"no data": 3, "stuck": 2, "flat": 7, "zero": 4, "swapped": 14, "shifted": 14}
    last = first + lengths.get(what, 28) - 1
    own = slice(first, last + 1)
    if what == "not yet counted":
        first, last = 0, first - 1
        count[row, : last + 1] = np.nan
    elif what == "no longer counted":
        last = days - 1
        count[row, first:] = np.nan
    elif what == "no data":
        count[row, own] = np.nan
    elif what == "stuck":
        count[row, own] = count[row, first, 9]
    elif what == "flat":
        count[row, own] = rng.poisson(120, (last - first + 1, 24))
    elif what == "zero":
        count[row, own] = 0
    elif what == "swapped":
        count[[row, row + 1], own] = count[[row + 1, row], own]
    elif what == "shifted":
        part = count[row : row + 4, own].reshape(4, -1)
        count[row : row + 4, own] = np.roll(part, 1, axis=1).reshape(4, -1, 24)
    elif what == "doubled":
        count[row, own] *= 2
    elif what in ("less by 60 %", "more by 60 %"):
        count[row, own] = np.round(count[row, own] * (0.4 if what[0] == "l" else 1.6))
    else:
        last, times = first, 3.0 if what[:3] == "thr" else 0.0
        hours = slice(14, 17)
        count[row, first, hours] = np.round(times * count[row, first, hours])
    return first, last


PLANTED = {
    "not yet counted": KINDS[0],
    "no longer counted": KINDS[1],
    "no data": KINDS[2],
    "stuck": KINDS[3],
    "flat": KINDS[3],
    "zero": KINDS[3],
    "swapped": KINDS[3],
    "shifted": KINDS[3],
    "doubled": KINDS[3],
    "less by 60 %": KINDS[4],
    "more by 60 %": KINDS[4],
    "three times for three hours": KINDS[5],
    "nothing for three hours": KINDS[5],
}


def odd(each: int, seed: int) -> pd.DataFrame:
    """Plant each thing at so many detectors, and return how it is called.

    Returns
    -------
    DataFrame
        what (was planted), kind (what it is), then numbers of detectors: of, seen (called that, on
        half of its days at least), fault (called a fault), nothing (nothing was said of them);
        share (seen ÷ of) with low and high.
    """
    rng, weeks = generator(seed, 5), 26
    things = [what for what in PLANTED for _ in range(each)]
    number = 8 * len(things)  # every second junction is healthy
    volume = rng.uniform(150, 1200, number)
    count = counts(rng, means(rng, volume, weeks, 60))
    days = [_planted(rng, count, 8 * place, what) for place, what in enumerate(things)]
    found = said(cube(count, 60))
    detector = found["detector"].astype(str).to_numpy()
    first, last = ((found[day] - FIRST).dt.days.to_numpy() for day in ("first_day", "last_day"))
    rows = []
    for place, (what, (since, until)) in enumerate(zip(things, days, strict=True)):
        inside = np.minimum(last, until) - np.maximum(first, since) + 1
        # What is said of a longer time than twice that of the thing is said of another.
        near = (2 * inside >= until - since + 1) & (2 * inside >= last - first + 1)
        kinds = set(found["kind"][(detector == f"D{8 * place:05d}") & near])
        rows.append((what, PLANTED[what], PLANTED[what] in kinds, KINDS[3] in kinds, not kinds))
    table = pd.DataFrame(rows, columns=["what", "kind", "seen", "fault", "nothing"])
    groups = table.groupby(["what", "kind"], sort=False)
    result = groups[["seen", "fault", "nothing"]].sum().reset_index()
    result["of"] = groups.size().to_numpy()
    return _shares(result)
