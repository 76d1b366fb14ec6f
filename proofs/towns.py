"""How often a signal plan that is recommended is worse on the road of today: towns, one by one.

Each town has a junction of four approaches and something that ordinary towns have: a road that
changed or closed, a wrong capacity on file, demand that is cut off. Plans are proposed from its
counts as on the page. Then queues of the true demand are followed with both plans.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from datamall.requirements import Absent
from datamall.threads import in_order
from datamall.traffic import censoring, changes, health, peaks, plans, signals, wisdom
from proofs import junctions
from proofs.junctions import Floats, counts, cube, generator, means, served, waiting
from proofs.streets import exact

RULES = plans.Rules(longest_cycle=120, headroom=0.2, coverage=0.75, weeks=6)
PEOPLE = peaks.Vehicles(pcu=(1.0, 2.0, 2.0), people=(1.3, 15.0, 1.1))
CONFIDENCE, WORTH = 0.9, 3.0
WEEKS = 16
LOST, PHASE = 8.0, np.array([0, 1, 0, 1])  # approaches in turn
VARIANTS = (
    "as usual",
    "a road closed",
    "closed in the morning",
    "a new road",
    "a new road, some weeks ago",
    "less than a jump",
    "roadworks that are over",
    "demand cut off",
    "true capacity above the file",
    "true capacity below the file",
    "growing",
    "a detector counts twice",
)
MOOD = junctions.USUAL._replace(growth=0)
FULLEST = 0.88  # of a capacity, by mean demand in the busiest quarter, where none is cut off
RISES = 1.25  # of a true capacity above the file, at least
DAYS, FRESH = 40, 200  # on which queues are followed, and the formula's saving is seen


class Town(NamedTuple):
    """A junction: its counts, what is on file, and what is true.

    Attributes
    ----------
    count
        Passages as counted, shape (4, days, 96).
    today
        Mean demand of a usual working day of the road of today, vehicles per hour, (4, 96).
    file, true
        Saturation flow of the four approaches, on file and in truth, vehicles per hour of green.
    green
        Of the plan of now, by approach, in seconds.
    cycle
        Its cycle.
    """

    count: Floats
    today: Floats
    file: Floats
    true: Floats
    green: Floats
    cycle: float


def town(variant: str, seed: int) -> Town:
    """Draw a town."""
    rng = generator(seed, 6, VARIANTS.index(variant))
    lanes = rng.integers(1, 3, 4)
    file = lanes * rng.uniform(1600, 1900, 4).round(-1)
    true = file.copy()
    if variant == "true capacity above the file":
        true[rng.integers(4)] *= rng.uniform(RISES, 1.6)
    if variant == "true capacity below the file":
        true[rng.integers(4)] *= rng.uniform(0.65, 0.85)
    # Flows need so much of the time; the plan of now divides it as somebody once thought right.
    total, first = rng.uniform(0.45, 0.8), rng.uniform(0.3, 0.7)
    need = total * np.array([first, 1 - first])
    ratio = need[PHASE] * np.where(rng.random(4) < 0.5, 1, rng.uniform(0.5, 1, 4))
    flow = ratio * true
    cycle = float(rng.choice([60, 70, 80, 90, 100, 110]))
    wrong = np.clip(need[0] / total + rng.uniform(-0.15, 0.15), 0.25, 0.75)
    green = np.round((cycle - LOST) * wrong)
    greens = np.array([green, cycle - LOST - green])[PHASE]
    tilt = rng.uniform(-0.2, 0.2, 4)
    most = true * greens / cycle / (1 + np.abs(tilt))
    flow = np.minimum(flow, FULLEST * most)  # what comes can pass
    if variant == "demand cut off":
        flow[0] = rng.uniform(1.05, 1.3) * most[0]
    quarters = junctions.shapes(15, tilt)
    mean = means(rng, flow, WEEKS, 15, MOOD, tilt)
    last = np.ones(4)  # level of today, against what it was at first
    if variant == "growing":
        growth = rng.uniform(0.05, 0.3, 4)[:, None]  # a year
        mean *= np.exp(growth * np.arange(7 * WEEKS) / 364)[..., None]
        last = np.exp(growth[:, 0] * 7 * WEEKS / 364)
    if variant == "a road closed":
        last[rng.integers(4)] = 0
        mean *= last[:, None, None]
    elif variant.startswith("a new road"):
        last = rng.uniform(0.5, 1.5, 4)
        weeks = int(rng.integers(1, 6)) if variant == "a new road" else int(rng.integers(6, 12))
        mean[:, 7 * (WEEKS - weeks) :] *= last[:, None, None]
    elif variant == "less than a jump":
        last = rng.uniform(0.81, 1.24, 4)
        mean[:, 7 * (WEEKS - int(rng.integers(3, 12))) :] *= last[:, None, None]
    elif variant == "roadworks that are over":
        begin = 7 * int(rng.integers(2, 8))
        mean[:, begin : begin + 28] *= rng.uniform(0.2, 1.6, (4, 1, 1))
    today = flow[:, None] * last[:, None] * quarters
    if variant == "closed in the morning":
        closed, hours = rng.integers(4), slice(24, 40)
        mean[closed, :, hours], today[closed, hours] = 0, 0
    able = true * greens / cycle / 4
    count = served(counts(rng, mean, MOOD), able[:, None, None])
    if variant == "a detector counts twice":
        count[rng.integers(4), 28:70] *= 2
    return Town(count, today, file, true, greens, cycle)


def register(own: Town) -> pd.DataFrame:
    """Return traffic.junctions of a town."""
    approach = [str(place) for place in range(4)]
    table = pd.DataFrame({"site": "00000", "approach": approach, "lane_group": "all"})
    return table.assign(
        phase=np.array(["A", "B"])[PHASE],
        saturation_flow=own.file,
        green=own.green,
        cycle=own.cycle,
        lost_time=LOST,
        minimum_green=6.0,
        pedestrian_time=10.0,
    )


class Proposed(NamedTuple):
    """The plans of a town: a row per peak, and the greens by approach and peak."""

    table: pd.DataFrame
    green: Floats


def propose(own: Town) -> Proposed:
    """Propose plans as the page does."""
    groups = peaks.lane_groups({"traffic.junctions": register(own)})
    counted = cube(own.count, 15)
    faults = health.examine(counted)
    healthy = health.healthy(counted, faults)
    changed = changes.changes(healthy)
    now = changes.now(healthy, changed)
    plateaus = censoring.plateaus(now, peaks.capacities(groups))
    parts = peaks.peaks(now, groups, None, PEOPLE)
    if isinstance(parts, Absent):
        none = pd.DataFrame({"peak": list(peaks.PEAKS), "verdict": wisdom.REFUSED})
        return Proposed(none, np.full((4, 2), np.nan))
    made = plans.propose(parts, plateaus, RULES, changed)
    table = wisdom.proposals(parts, made, CONFIDENCE, WORTH)
    order = {peak: place for place, peak in enumerate(peaks.PEAKS)}
    table = table.sort_values("peak", key=lambda names: names.map(order), ignore_index=True)
    return Proposed(table, made[0].green)


def plans_of(towns: int, seed: int, variants: tuple[str, ...] = VARIANTS) -> pd.DataFrame:
    """Return every plan of so many towns with what it would do to the queues of today.

    Returns
    -------
    DataFrame
        town, variant, peak, verdict, reason, gain with low and high (person-hours a peak, as
        promised), queues (what the plan saves by queues that are followed with the true demand) and
        formula (what it saves by the formula of the page, in weeks not seen, of the road of today).
    """
    drawn = [town(variants[place % len(variants)], seed + place) for place in range(towns)]
    found = in_order(propose, drawn)
    columns = ["peak", "verdict", "reason", "gain", "low", "high"]
    tables = []
    for place, plan in enumerate(found):
        table = plan.table.reindex(columns=columns).assign(town=place)
        tables.append(table.assign(variant=variants[place % len(variants)]))
    table = pd.concat(tables, ignore_index=True)
    slots = [slice(4 * first, 4 * last) for first, last in peaks.PEAKS.values()]
    flow = np.stack([own.today[:, own_slots] for own in drawn for own_slots in slots])
    true = np.stack([own.true for own in drawn]).repeat(2, axis=0)
    file = np.stack([own.file for own in drawn]).repeat(2, axis=0)
    now = np.stack([own.green for own in drawn]).repeat(2, axis=0)
    cycle = np.array([own.cycle for own in drawn]).repeat(2)
    then = np.concatenate([plan.green.T for plan in found])
    # Both phases and the lost time are the cycle.
    length = then[:, PHASE == 0].max(axis=1) + then[:, PHASE == 1].max(axis=1) + LOST
    given = np.flatnonzero(np.isfinite(length))
    both = (flow, true, np.where(np.isfinite(then), then, 0), length)
    level = _levels(generator(seed, 9), len(given), DAYS)
    before = waiting(generator(seed, 7), flow[given], true[given], now[given], cycle[given], level)
    after = waiting(generator(seed, 7), *(values[given] for values in both), level)
    people = PEOPLE.people[0]
    table["queues"] = np.nan
    table.loc[given, "queues"] = people * (before - after).sum(axis=1)
    table["formula"] = np.nan
    table.loc[given, "formula"] = people * (
        _formula(flow[given], file[given], now[given], cycle[given], seed)
        - _formula(flow[given], file[given], both[2][given], length[given], seed)
    )
    return table


def _formula(flow: Floats, saturation: Floats, green: Floats, cycle: Floats, seed: int) -> Floats:
    """Return mean vehicle-hours a peak by the page's formula, over days that nobody has seen."""
    rng = generator(seed, 8)
    level = _levels(rng, len(flow), FRESH)
    share = (green / cycle[:, None])[..., None]
    total = np.zeros(len(flow))
    for day in range(FRESH):
        mean = flow * level[..., [day]] * np.exp(MOOD.hour * rng.standard_normal(flow.shape))
        volume = 4.0 * rng.poisson(mean / 4)
        capacity = saturation[..., None] * share
        delay = signals.control_delay(volume, capacity, share, cycle[:, None, None]).total
        total += np.nansum(volume / 4 * delay, axis=(1, 2)) / 3600
    return total / FRESH


def _levels(rng: np.random.Generator, plans_made: int, days: int) -> Floats:
    """Return levels of days, (plans, 4, days): those of the town times those of each approach."""
    city = MOOD.city * rng.standard_normal((plans_made, 1, days))
    return np.exp(city + MOOD.week * rng.standard_normal((plans_made, 4, days)))


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Return what is said of the plans of each kind of town, and how often "try it" is wrong.

    Parameters
    ----------
    table
        As from `plans_of`.

    Returns
    -------
    DataFrame
        variant (and all), plans (peaks), tried, kept, doubted, refused (their verdicts), wrong
        (tried, and worse with the true queues), share (wrong ÷ tried) with low and high.
    """
    parts = [(name, own) for name, own in table.groupby("variant", sort=False)]
    rows = []
    for name, own in [*parts, ("all", table)]:
        tried = own[own["verdict"] == wisdom.RECOMMENDED]
        said = [int((own["verdict"] == one).sum()) for one in (wisdom.KEEP, wisdom.DOUBT)]
        none = int((own["verdict"] == wisdom.REFUSED).sum())
        rows.append((name, len(own), len(tried), *said, none, int((tried["queues"] < 0).sum())))
    columns = ["variant", "plans", "tried", "kept", "doubted", "refused", "wrong"]
    result = pd.DataFrame(rows, columns=columns)
    low, high = exact(result["wrong"], result["tried"])
    share = result["wrong"] / result["tried"].where(result["tried"] > 0)
    return result.assign(share=share, low=low, high=high)


def promised(table: pd.DataFrame) -> pd.DataFrame:
    """Return how often the interval of the promised saving holds the true one.

    Parameters
    ----------
    table
        As from `plans_of`.

    Returns
    -------
    DataFrame
        plans (which), truth (by what the true saving is reckoned), towns, covered (in so many all
        intervals hold it), share with low and high, nominal, below and above (plans whose true
        saving lies below or above the interval).
    """
    usual = table["variant"].isin(["as usual", "roadworks that are over", "a road closed"])
    with_plan = table[np.isfinite(table["low"])]
    tried = with_plan["verdict"] == wisdom.RECOMMENDED
    rows = []
    for which, own in (
        ("road as it was, capacity as on file", with_plan[usual.reindex(with_plan.index)]),
        ("to try", with_plan[tried]),
        ("all", with_plan),
    ):
        for truth in ("formula", "queues"):
            below, above = own[truth] < own["low"], own[truth] > own["high"]
            held = (~(below | above)).groupby(own["town"]).all()
            ends = (int(below.sum()), int(above.sum()))
            rows.append((which, truth, len(held), int(held.sum()), *ends))
    columns = ["plans", "truth", "towns", "covered", "below", "above"]
    result = pd.DataFrame(rows, columns=columns)
    low, high = exact(result["covered"], result["towns"])
    share = result["covered"] / result["towns"]
    return result.assign(share=share, low=low, high=high, nominal=CONFIDENCE)
