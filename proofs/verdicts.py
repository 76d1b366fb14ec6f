"""What the audit says of worlds whose truth is known, and how often that is wrong.

The way is that of the gate: the plan of params.yaml, counts as the department prints them, bounds,
limits at the worst counts within them, one family of the checks that gate. An audit takes a tenth
of a second and a study looks at tens of thousands of worlds: so here the same samples, limits and
rules of `datamall.fairness` judge all worlds of a kind in one call, a row for each. Tests hold that
verdicts and limits are those that `audit` gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd

from datamall.fairness import identification, published, steps
from datamall.fairness.bounds import corners_of
from datamall.fairness.counting import NO, TOTAL, UNKNOWN, YES
from datamall.fairness.intervals import gap_between, limits
from datamall.fairness.joint_limits import BoundedPart, BoundedSample, Design, Joined
from datamall.fairness.multiplicity import weighted_holm
from datamall.fairness.plan import Check, Plan
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS, Tolerance
from datamall.project import find_root, load_parameters
from proofs import printed
from proofs.worlds import Drawn, World, draw

FLAGGED, CHOSEN, VISITED, WRONG_VISITS = "flagged", "chosen", "visited", "wrongly visited"
# This one informs: it is judged apart, and its arms are joined by the other design.
WRONG_FLAGS = "wrongly flagged"
GRID = {
    "people": (3000, 9000, 33_000),
    "arm": (0, 150, 450, 1500, 4500),
    "share": (0.018, 0.1, 0.3),
    "flag_gap": (1.0, 1.25, 1.5, 2.7),
}
NAMES = {"people": "caseload", "arm": "random_arm", "share": "group_share", "flag_gap": "gap"}
# One bias at a time, or none; the checks at which it should show.
MECHANISMS: dict[str, tuple[dict[str, float], tuple[str, ...]]] = {
    "nothing": ({}, ()),
    "a true difference": ({"base_gap": 1.5}, ()),
    "a proxy in the profile": ({"flag_gap": 1.8}, (FLAGGED, WRONG_FLAGS, WRONG_VISITS)),
    "caseworkers choose": ({"human_gap": 1.6}, (CHOSEN, WRONG_VISITS)),
    "visits fail": ({"visit_gap": 0.6}, (VISITED, WRONG_VISITS)),
    "findings are recorded": ({"label_gap": 0.8}, ()),
}
# The intervals that the audit prints; each is promised at the level of the plan.
RATES = ("rate of the others", "rate of the group")
LOWER, UPPER, EVERY = "lower end of the gap", "upper end of the gap", "all gaps of the check"


@cache
def plan() -> Plan:
    """Return the plan of params.yaml for two groups, with the checks that are studied here."""
    own = load_parameters(find_root())["fraud_audit"]
    words = ("level", "power", "high_bands", "identification", "labels")
    checks = [c for c in own["checks"] if c["gating"] or c["name"] == WRONG_FLAGS]
    return Plan.read({**{w: own[w] for w in words}, "groups": ["origin"], "checks": checks})


def gating() -> list[str]:
    """Return the checks that decide."""
    return [check.name for check in plan().checks if check.gating]


@dataclass(frozen=True, eq=False)
class Limits:
    """A check on many worlds, group B against group A.

    Attributes
    ----------
    tolerance
        What is accepted.
    tails
        Errors at one end of the interval of the gap.
    low, high
        Limits of the gap, shape (tails, worlds).
    rates
        Lower and upper limits of the rate of A and of B, shape (2 groups, 2 ends, worlds).
    gap
        Its estimate where it is joined from arms (NaN where too much is hidden).
    """

    tolerance: Tolerance
    tails: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rates: np.ndarray
    gap: np.ndarray | None = None

    def at(self, tail: float) -> tuple[np.ndarray, np.ndarray]:
        """Return both limits of the gap at an error."""
        place = np.flatnonzero(np.isclose(self.tails, tail))[0]
        return self.low[place], self.high[place]

    def inside(self, error: float) -> np.ndarray:
        """Return the worlds with evidence that the gap is inside its tolerance."""
        low, high = self.at(error)
        return np.asarray((low > self.tolerance.low) & (high < self.tolerance.high))

    def outside(self, errors: np.ndarray) -> np.ndarray:
        """Return the p-value of "the gap is inside", rounded up to one of some errors, or to 1.

        Faster than the p-value itself, and enough: only at these is anything decided. FAIL looks
        at both ends, so that each has half the error.
        """
        p = np.ones(self.low.shape[1])
        for error in np.sort(errors)[::-1]:
            low, high = self.at(error / 2)
            p = np.where((low > self.tolerance.high) | (high < self.tolerance.low), error, p)
        # A hair less: so that none, times the number of checks, is rounded above the level.
        return p * (1 - 1e-12)


def errors() -> np.ndarray:
    """Return the errors at which Holm's method looks at p-values of the checks that gate."""
    return np.asarray((1 - plan().level) / np.arange(1, len(gating()) + 1))


def checks(drawn: Drawn) -> dict[str, Limits]:
    """Return the limits of each check on every world; of a check that cannot be made there none."""
    own, first = plan(), printed.study(drawn, 0, plan().labels)
    error = 1 - own.level
    # For PASS; for all gaps of a check at once, of which there are two; and for FAIL.
    tails = np.unique([error, error / 4, *errors() / 2])
    found = {}
    for check in own.checks:
        # All definitions read what is recorded here alike: the first stands for them.
        label, meaning = first.labels(own)[0] if check.needs_outcome else ("", {})
        cells = steps.cells(first, own, check, label, meaning)
        if not cells:
            continue
        bounds, arms = printed.assemble(drawn, cells)
        table = steps.assemble(first, cells)
        if not check.needs_outcome:
            found[check.name] = _counted(bounds[:, :, :, -1], check, tails)
            continue
        how = own.identification
        assert how is not None and how.random is not None
        design, why = identification.design(table, how)
        assert design is not None, why
        part = _part(bounds, arms.index(how.random), design)
        joined = Joined(part.table, check.metric, design, (part,))
        found[check.name] = _joined(joined, part, check, tails)
    return found


def _against(bounds: np.ndarray, place: int) -> np.ndarray:
    """Return what a group is compared with: the other one, and everybody less the group.

    `bounds` and the result: least and most, worlds, (groups and everybody,) and so on.
    """
    (low, high), other = bounds, 1 - place
    least = np.maximum(low[:, -1] - high[:, place], low[:, other])
    most = np.minimum(high[:, -1] - low[:, place], high[:, other])
    return np.stack([np.maximum(least, 0), most])


def _counted(bounds: np.ndarray, check: Check, tails: np.ndarray) -> Limits:
    """Return the limits of a share that is counted; as `datamall.fairness.Bounds.pairs`."""
    # Axes: least or most, world, group, decision.
    people = bounds[:2, ..., [YES, NO], TOTAL]

    def corners(sides: np.ndarray) -> np.ndarray:
        """Return the lowest and highest share by successes and trials, then worlds."""
        return np.moveaxis(corners_of(np.moveaxis(sides, 0, -1)), 0, -1)

    one, other = corners(people[:, :, 1]), corners(_against(people, 1))
    kind, edges = check.tolerance.kind, tails[:, None]
    ends = []
    for up in (0, 1):
        pairs = (one[up][0], one[up][1]), (other[1 - up][0], other[1 - up][1])
        own = [limits(x, n, edges) for x, n in pairs]
        ends.append(gap_between(*pairs, *own, kind)[up])
    tail = (1 - plan().level) / 2
    groups = [corners(people[:, :, g]) for g in (0, 1)]
    rates = [[limits(*group[end], tail)[end] for end in (0, 1)] for group in groups]
    return Limits(check.tolerance, tails, ends[0], ends[1], np.array(rates))


def _part(bounds: np.ndarray, drawn: int, design: Design) -> BoundedPart:
    """Return all worlds as one part, a row for each; as of one in `identification`."""
    low, high, shown = bounds
    every = np.stack([published.middle(low, high, shown), low, high])
    complete = not every[2, :, -1, -1, YES, UNKNOWN].any()
    everybody, known = every[..., -1, TOTAL, TOTAL], -1 if complete else drawn
    flagged = [every[..., -1, YES, TOTAL], *(every[..., known, YES, y] for y in (NO, YES))]
    of_draw = [every[..., drawn, TOTAL, y] for y in (NO, YES)]
    if design == "everybody":
        left = [every[..., -1, NO, TOTAL], *(every[..., drawn, NO, y] for y in (NO, YES))]
    else:
        lot = every[..., drawn, TOTAL, TOTAL]
        least, most = np.maximum(everybody[1] - lot[2], 0), everybody[2] - lot[1]
        left = [np.stack([np.clip(everybody[0] - lot[0], least, most), least, most]), *of_draw]

    def against(sample: np.ndarray) -> np.ndarray:
        least, most = _against(sample[1:], 1)
        return np.stack([np.clip(sample[0, :, -1] - sample[0, :, 1], least, most), least, most])

    samples = [flagged, left, [everybody, *of_draw]]
    one, other = (
        tuple(
            BoundedSample(*(side(v) for v in sample), complete and place == 0)
            for place, sample in enumerate(samples)
        )
        for side in (lambda v: v[:, :, 1], against)
    )
    table = pd.DataFrame({"by": "origin", "people": everybody[2, :, 1]})
    return BoundedPart(table, design, False, None, one, other)  # type: ignore[arg-type]


def _joined(joined: Joined, part: BoundedPart, check: Check, tails: np.ndarray) -> Limits:
    low, high = part.gap(check.metric, tails, check.tolerance.kind)
    tail = (1 - plan().level) / 2
    rates = [part.rate(check.metric, tail, against)[1:] for against in (True, False)]
    return Limits(check.tolerance, tails, low, high, np.array(rates), joined.ratio())


def judge(found: Mapping[str, Limits]) -> dict[str, np.ndarray]:
    """Return the verdict on each check that gates on every world, and on all of them ("").

    PASS needs evidence from each; FAIL from any, at an error shared among them. A check that cannot
    be made is no evidence.
    """
    error, there = 1 - plan().level, [name for name in gating() if name in found]
    p = np.stack([found[name].outside(errors()) for name in there], axis=1)
    equal = np.ones(len(there))
    fails = np.stack([weighted_holm(row, equal) for row in p], axis=1) <= error
    inside = np.stack([found[name].inside(error) for name in there])
    each = np.where(fails, FAIL, np.where(inside, PASS, NOT_ENOUGH))
    passes = (each == PASS).all(axis=0) & (len(there) == len(gating()))
    overall = np.where(fails.any(axis=0), FAIL, np.where(passes, PASS, NOT_ENOUGH))
    return {"": overall} | dict(zip(there, each, strict=True))


def truth(world: World) -> dict[str, np.ndarray]:
    """Return the rate of each check in group A and in group B, as planted.

    Of *wrongly visited* that of people who were not drawn at random, as the audit reckons it.
    """
    mistakes = world.rates("mistakes", world.base_gap)
    wrongly, rightly = (world.rates(name, world.flag_gap) for name in ("wrongly", "rightly"))
    chosen = world.rates("chosen", world.human_gap)
    visits = world.rates("visit", world.visit_gap)
    return {
        FLAGGED: (1 - mistakes) * wrongly + mistakes * rightly,
        CHOSEN: chosen,
        VISITED: visits,
        WRONG_VISITS: visits * (world.signals + (1 - world.signals) * wrongly * chosen),
        WRONG_FLAGS: wrongly,
    }


def kind(world: World) -> str:
    """Say whether a world is fair, at the edge of a tolerance, or biased, by the gating checks."""
    rates, far = truth(world), 0.0
    for check in plan().checks:
        if check.gating:
            gap = abs(np.log(rates[check.name][1] / rates[check.name][0]))
            far = max(far, gap / np.log(check.tolerance.high))
    return "at the edge" if np.isclose(far, 1) else "biased" if far > 1 else "fair"


def _counted_verdicts(verdict: np.ndarray) -> dict[str, float]:
    return {
        "p_pass": float((verdict == PASS).mean()),
        "p_fail": float((verdict == FAIL).mean()),
        "p_not_enough": float((verdict == NOT_ENOUGH).mean()),
    }


def grid(worlds: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge worlds of every cell of the grid, and hold every interval against the truth.

    Parameters
    ----------
    worlds
        Worlds a cell.
    seed
        Seed of the draws.

    Returns
    -------
    tuple of DataFrame
        Verdicts: caseload, random_arm, group_share, gap (ratio of the rates of flags, for people
        with and without a mistake alike), truth (fair: all gaps are tolerated; at the edge: one is
        exactly as large as tolerated, so that neither PASS nor FAIL would be right; biased: one is
        larger), worlds, p_pass, p_fail and p_not_enough, of the checks that gate together. And one
        row per cell, check and interval, as from `held`.
    """
    rows, intervals = [], []
    cells = pd.MultiIndex.from_product(GRID.values(), names=GRID).to_frame(index=False)
    cells = cells[2 * cells["arm"] <= cells["people"]]  # nobody draws more than half by lot
    for number, cell in enumerate(cells.itertuples(index=False)):
        world = World(**cell._asdict())
        found = checks(draw(world, worlds, seed + number))
        about = {NAMES[name]: value for name, value in cell._asdict().items()}
        about |= {"truth": kind(world), "worlds": worlds}
        rows.append(about | _counted_verdicts(judge(found)[""]))
        intervals.append(held(found, world).assign(**about))
    return pd.DataFrame(rows), pd.concat(intervals, ignore_index=True)


def held(found: Mapping[str, Limits], world: World) -> pd.DataFrame:
    """Say how often the intervals that the audit prints hold the truth.

    Returns
    -------
    DataFrame
        check, interval, promised and covered (share of worlds).
    """
    error, rows = 1 - plan().level, []
    for name, own in found.items():
        rates = truth(world)[name]
        gap = rates[1] / rates[0]
        for what, ends, rate in zip(RATES, own.rates, rates, strict=True):
            rows.append((name, what, (ends[0] <= rate) & (rate <= ends[1])))
        low, high = own.at(error)
        rows += [(name, LOWER, low <= gap), (name, UPPER, gap <= high)]
        # Of the gaps of two groups, to each other: half the error for each.
        low, high = own.at(error / 4)
        rows.append((name, EVERY, (low <= gap) & (gap <= high)))
    table = pd.DataFrame(rows, columns=["check", "interval", "covered"])
    covered = [float(holds.mean()) for holds in table["covered"]]
    return table.assign(promised=1 - error, covered=covered)


def mechanisms(worlds: int, seed: int) -> pd.DataFrame:
    """Plant one bias at a time and see which check names it.

    Returns
    -------
    DataFrame
        planted, check, should (whether the check should find it), p_pass, p_fail, p_not_enough;
        caseload 33,000, random arm 1,500, group share 0.3.
    """
    rows = []
    for number, (planted, (knobs, where)) in enumerate(MECHANISMS.items()):
        world = replace(World(people=33_000, arm=1500, share=0.3), **knobs)
        found = checks(draw(world, worlds, seed + 1000 + number))
        verdict = judge(found)
        for check in gating():
            about = {"planted": planted, "check": check, "should": check in where}
            rows.append(about | _counted_verdicts(verdict[check]))
    return pd.DataFrame(rows)


def identified(worlds: int, seed: int) -> pd.DataFrame:
    """Hold the interval of the ratio of wrong flags against the planted ratio.

    Returns
    -------
    DataFrame
        random_arm, ratio (planted), covered (share of worlds whose 95 % interval holds it) with
        low and high (95 % limits of the simulation), estimate (median), ends (median of both
        ends), and naive (median of the ratio among investigated people alone).
    """
    rows = []
    for number, arm in enumerate(GRID["arm"]):
        world = World(arm=int(arm), share=0.3, flag_gap=2.7, wrongly=0.08, human_gap=0.6)
        drawn = draw(world, worlds, seed + 2000 + number)
        row = {"random_arm": arm, "ratio": world.flag_gap, "naive": float(np.median(naive(drawn)))}
        own = checks(drawn).get(WRONG_FLAGS)
        if own is not None and own.gap is not None:
            low, high = own.at((1 - plan().level) / 2)
            holds = int(((low <= world.flag_gap) & (world.flag_gap <= high)).sum())
            ends = limits(np.array([holds]), np.array([worlds]), 0.025)
            row |= {"covered": holds / worlds, "low": float(ends[0][0]), "high": float(ends[1][0])}
            row |= {"estimate": float(pd.Series(own.gap).median())}
            row |= {"interval_low": float(np.median(low)), "interval_high": float(np.median(high))}
        rows.append(row)
    return pd.DataFrame(rows)


def naive(drawn: Drawn) -> np.ndarray:
    """Return the ratio of the rates of wrong flags among the investigated alone."""
    clean = [drawn.count("finding", "total", band, "nothing") for band in ("high", "total")]
    rate = clean[0] / np.maximum(clean[1], 1)
    return np.asarray(rate[:, 1] / rate[:, 0])
