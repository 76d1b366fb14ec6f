"""How near plans come to the best fixed times there are, at junctions drawn by lot.

The best is found by brute force: every division of every cycle of a grid, simulated on days that no
plan was chosen on.
"""

from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from datamall.fairness.intervals import limits
from datamall.traffic import safety, search, simulate, timing
from datamall.traffic.weekly import Floats

WITHIN = 0.02  # of the best: as good
CHOOSING = 30  # days on which a plan is searched, as on the page
QUARTERS = np.array([0.9, 1.1, 1.1, 0.9])  # of the hour's mean flow
SPREAD = 0.05  # of a day's flow around the usual (log)
LONGEST, CYCLE_STEP, GREEN_STEP = 120.0, 4, 2  # seconds
ENOUGH = 0.9  # of what comes, which greens that are tried must serve
PEOPLE = 1.3  # in a passenger car
WEBSTER, SEARCHED, FOLLOWS = "Webster", "searched", "follows the traffic"
HEADINGS = {
    "above": "Above the best",
    "best": "The best",
    "high": "To",
    "hours": "Person-hours",
    "junctions": "Junctions",
    "low": "From",
    "mean": "Above the best (mean)",
    "near": "Within 2 % of the best",
    "phases": "Phases",
    "plan": "Plan",
    "ratio_sum": "Share of time needed (Y)",
    "worst": "Above the best (worst)",
}


@dataclass(frozen=True)
class Drawn:
    """A junction drawn by lot.

    Attributes
    ----------
    junction
        What holds whatever the plan.
    flow
        pcu per hour of each lane group.
    soft
        Cyclists and pedestrians in the hour beside each lane group, shape (2, groups).
    """

    junction: search.Junction
    flow: Floats
    soft: Floats

    @property
    def ratio_sum(self) -> float:
        """Return Y, the share of time that the flows need."""
        ratio = np.zeros(len(self.junction.least))
        np.maximum.at(ratio, self.junction.phase, self.flow / self.junction.saturation)
        return float(ratio.sum())

    def days(self, number: int, rng: np.random.Generator) -> search.Days:
        """Draw what comes in the hour of so many days."""
        level = np.exp(SPREAD * rng.standard_normal((1, number, 1)))
        hour = self.flow[:, None, None] * level * QUARTERS
        came = simulate.arrivals(4 * rng.poisson(hour / 4), 15, rng)
        soft = rng.poisson(self.soft[..., None], (*self.soft.shape, number))
        return search.Days(came, np.full(came.shape[1:], PEOPLE), soft.astype(float))

    def webster(self) -> Floats:
        """Return the greens of the phases by the house's own rule."""
        own = self.junction
        lost, longest = own.lost_time, own.longest_cycle
        # The cycle of now is the longest: so that only Webster's own is ever better.
        return timing.timed(
            self.flow, own.saturation, own.phase, own.least, lost, longest, longest
        )[0]


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a junction of 2 to 4 phases with Y from .3 to .9 that the longest cycle can serve."""
    while True:
        phases = int(rng.integers(2, 5))
        need, lost = rng.uniform(0.3, 0.9), 4.0 * phases
        least = 2 * rng.integers(3, 11, phases).astype(float)  # 6 to 20 s
        ratio = need * (0.5 / phases + 0.5 * rng.dirichlet(np.full(phases, 3.0)))
        both = rng.random(phases) < 0.6  # phases with a second lane group, which needs less
        phase = np.concatenate([np.arange(phases), np.flatnonzero(both)])
        share = np.concatenate([np.ones(phases), rng.uniform(0.4, 1.0, both.sum())])
        saturation = 1800.0 * rng.integers(1, 3, len(phase))
        soft = np.stack([rng.uniform(0, 400, len(phase)), rng.uniform(0, 200, len(phase))])
        own = search.Junction(phase, saturation, least, lost, LONGEST)
        fits = lost + np.maximum(least, ratio * LONGEST).sum() <= LONGEST
        if fits and least.sum() + lost >= safety.CYCLES[0]:
            return Drawn(own, ratio[phase] * share * saturation, soft)


def best(drawn: Drawn, days: search.Days) -> float:
    """Return the fewest person-hours (mean of the days) of all plans of the grid.

    Every cycle in steps of `CYCLE_STEP`, every division in steps of `GREEN_STEP`, without greens
    that serve less than `ENOUGH` of what comes.
    """
    own = drawn.junction
    ratio = np.zeros(len(own.least))
    np.maximum.at(ratio, own.phase, drawn.flow / own.saturation)
    fewest, most = own.rooms
    tried: list[tuple[int, Floats]] = []
    for room in range(fewest, most + 1, CYCLE_STEP):
        needed = ENOUGH * ratio * (room + own.lost_time)
        first = np.maximum(own.least, GREEN_STEP * np.ceil(needed / GREEN_STEP))
        if first.sum() <= room:
            more = np.arange(0, room - first.sum() + 1, GREEN_STEP)
            tried.append((room, first[:, None] + more))
    green = np.concatenate([greens for _, greens in tried], axis=1)
    cycle = np.concatenate([np.full(g.shape[1], room + own.lost_time) for room, g in tried])
    hours = search.hours_of(own, days, green[own.phase], cycle).sum(axis=0).mean(axis=1)
    cost = np.zeros(green.shape)
    np.add.at(cost, own.phase, hours)
    ends = np.cumsum([greens.shape[1] for _, greens in tried])[:-1]
    return min(_least(each) for each in np.split(cost, ends, axis=1))


def _least(cost: Floats) -> float:
    """Return the least sum of one cost of each phase whose steps add up to all there are."""
    *others, last = cost
    steps = np.arange(cost.shape[1])
    left = steps[-1] - reduce(np.add.outer, [steps] * len(others))
    total = reduce(np.add.outer, others)
    return float(np.where(left >= 0, total + last[np.maximum(left, 0)], np.inf).min())


def losses(junctions: int, days: int, seed: int) -> pd.DataFrame:
    """Return what plans lose beside the best of the grid, at junctions drawn by lot.

    Parameters
    ----------
    junctions
        How many.
    days
        Days on which plans are judged and the best is found; others choose.
    seed
        Of all lots.

    Returns
    -------
    DataFrame
        junction, phases, ratio_sum (Y), plan (`WEBSTER`, `SEARCHED`, `FOLLOWS`), hours
        (person-hours in the hour), best (the same of the best fixed times) and above (hours ÷ best
        − 1; a signal that follows the traffic may be below 0).
    """
    rows = []
    for number in range(junctions):
        rng = np.random.Generator(np.random.PCG64([seed, number]))
        drawn = draw(rng)
        own, webster = drawn.junction, drawn.webster()
        chosen = search.choose(own, drawn.days(CHOOSING, rng), webster)
        judged = drawn.days(days, rng)
        both = search.person_hours(own, judged, np.column_stack([webster, chosen]))
        lost = both.sum(axis=(0, 1)).mean(axis=0)
        follows = search.actuated(own, judged, webster).sum(axis=(0, 1)).mean()
        least = min(best(drawn, judged), *lost)
        for plan, hours in zip((WEBSTER, SEARCHED, FOLLOWS), (*lost, follows), strict=True):
            rows.append((number, len(own.least), drawn.ratio_sum, plan, hours, least))
    columns = ["junction", "phases", "ratio_sum", "plan", "hours", "best"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(above=(table["hours"] / table["best"] - 1).round(6))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return how near plans come to the best, of all junctions and by phases.

    Parameters
    ----------
    table
        As from `losses`.

    Returns
    -------
    DataFrame
        plan, phases ("all" first), junctions, near (share within `WITHIN`) with low and high (exact
        95 % limits), mean and worst (share above the best).
    """
    own = table[table["plan"] != FOLLOWS]
    both = pd.concat([own.assign(phases="all"), own.astype({"phases": str})])
    both = both.assign(near=both["above"] <= WITHIN, order=both["phases"].ne("all"))
    groups = both.groupby(["plan", "order", "phases"])
    result = groups.agg(
        junctions=("above", "size"), near=("near", "sum"), mean=("above", "mean"),
        worst=("above", "max"),
    ).reset_index()  # fmt: skip
    low, high = limits(result["near"].to_numpy(), result["junctions"].to_numpy(), 0.025)
    result["near"] = result["near"] / result["junctions"]
    result = result.assign(low=low, high=high)
    return result[["plan", "phases", "junctions", "near", "low", "high", "mean", "worst"]]


def by_load(table: pd.DataFrame) -> pd.DataFrame:
    """Return what each plan loses beside the best fixed times, by the share of time needed.

    Returns
    -------
    DataFrame
        load (Y, in words), plan, above (mean) and junctions.
    """
    ends = np.array([0.3, 0.45, 0.6, 0.75, 0.9])
    place = np.clip(np.searchsorted(ends, table["ratio_sum"], side="right"), 1, len(ends) - 1)
    load = [f"Y {ends[p - 1]:g} to {ends[p]:g}" for p in place]
    groups = table.assign(load=load).groupby(["load", "plan"])["above"]
    return groups.agg(above="mean", junctions="size").reset_index()


def farthest(table: pd.DataFrame, rows: int = 5) -> pd.DataFrame:
    """Return the junctions at which each of the fixed plans is farthest from the best.

    Returns
    -------
    DataFrame
        plan, junction, phases, ratio_sum, hours, best, above; as from `losses`.
    """
    own = table[table["plan"] != FOLLOWS]
    order = own.sort_values(["plan", "above", "junction"], ascending=[True, False, True])
    columns = ["plan", "junction", "phases", "ratio_sum", "hours", "best", "above"]
    return order.groupby("plan").head(rows)[columns].reset_index(drop=True)


def metrics(table: pd.DataFrame) -> dict[str, float]:
    """Return the numbers worth following from version to version; `table` as from `summary`."""
    every = table[table["phases"] == "all"].set_index("plan")
    return {
        f"{name}_{column}": float(every.loc[plan, column])
        for plan, name in ((WEBSTER, "webster"), (SEARCHED, "searched"))
        for column in ("near", "mean", "worst")
    }


def lines(table: pd.DataFrame) -> list[str]:
    """Return the results, a line each; `table` as from `summary`."""
    return [
        f"plans, {row.plan}, phases {row.phases}: within 2 % of the best fixed times at "
        f"{row.near:.3f} of {row.junctions} junctions ({row.low:.3f} to {row.high:.3f}), mean "
        f"{100 * row.mean:.2f} % above, worst {100 * row.worst:.1f} %"
        for row in table.itertuples()
    ]


def answer(table: pd.DataFrame) -> str:
    """Return the answer of the page; `table` as from `summary`."""
    every = table[table["phases"] == "all"].set_index("plan")
    said = [
        f"{100 * row['near']:.1f} % ({100 * row['low']:.1f} to {100 * row['high']:.1f} %; worst "
        f"{100 * row['worst']:.1f} % above)"
        for row in (every.loc[SEARCHED], every.loc[WEBSTER])
    ]
    return (
        f"Of {every.loc[SEARCHED, 'junctions']} junctions drawn by lot, the searched plan is "
        f"within 2 % of the best fixed times at {said[0]}, Webster's at {said[1]}."
    )


def describe(table: pd.DataFrame) -> str:
    """Say how far plans are from the best; `table` as from `by_load`."""
    mean = table.groupby("plan")["above"].mean()
    parts = [f"{plan} {100 * value:+.1f} %" for plan, value in mean.items()]
    return f"Mean person-hours beside the best fixed times: {', '.join(parts)}."
