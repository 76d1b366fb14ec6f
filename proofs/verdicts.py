"""What the audit says of worlds whose truth is known, and how often that is wrong.

An audit takes a tenth of a second, and a study looks at a hundred thousand worlds: so here the same
samples, limits and rules of `datamall.fairness` judge all worlds of a kind in one call, a pair of
rows for each. `tests/proofs` holds that every verdict is the one that `audit` gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from datamall.fairness.intervals import limits
from datamall.fairness.joint_limits import Joined, Part, Sample
from datamall.fairness.multiplicity import weighted_holm
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS, Tolerance, evidence
from proofs.worlds import Drawn, World, draw

LEVEL, LOW, HIGH = 0.95, 0.8, 1.25
TOLERANCE = Tolerance("ratio", LOW, HIGH)
FLAGGED, WRONGLY = "flagged", "wrongly flagged"
CHOSEN, VISITED = "chosen of the flagged", "visited of the chosen"
# What `datamall.fairness.audit` is given where a single world is held against it.
PLAN = {
    "groups": ["origin"],
    "level": LEVEL,
    "identification": {"random": "random", "profile": "profile", "reason": "drawn by lot"},
    "checks": [
        {
            **{"name": name, "metric": metric, "estimand": "procedure", "gating": True},
            "tolerance": {"kind": "ratio", "low": LOW, "high": HIGH, "reason": "four fifths"},
        }
        for name, metric in ((FLAGGED, "selection_rate"), (WRONGLY, "fpr"))
    ],
}
GRID = {
    "people": (3000, 9000, 33_000),
    "arm": (0, 150, 450, 1500, 4500),
    "share": (0.018, 0.1, 0.3),
    "flag_gap": (1.0, 1.25, 1.5, 2.7),
}
TRUTH = {1.0: "fair", 1.25: "at the edge", 1.5: "biased", 2.7: "biased"}
NAMES = {"people": "caseload", "arm": "random_arm", "share": "group_share", "flag_gap": "gap"}
# One bias at a time, or none; the check at which it should show.
MECHANISMS = {
    "nothing": ({}, ()),
    "a true difference": ({"base_gap": 1.5}, ()),
    "a proxy in the profile": ({"flag_gap": 1.7}, (FLAGGED, WRONGLY)),
    "caseworkers choose": ({"human_gap": 1.6}, (CHOSEN,)),
    "visits fail": ({"visit": 0.9, "visit_gap": 0.65}, (VISITED,)),
    "findings are recorded": ({"label_gap": 0.8}, ()),
}


class Paired(Sample):
    """Rows in pairs, each compared with the other of its pair: two groups of one world."""

    def of(self, reference: int | None) -> Sample:
        """Return the other rows of the pairs."""
        swap = np.arange(len(self.people)).reshape(-1, 2)[:, ::-1].ravel()
        return Sample(self.people[swap], self.none[swap], self.mistakes[swap], self.pool)

    def rest(self, mistake: bool, tail: float, census: bool) -> tuple[np.ndarray, ...]:
        """Return the number of people of the other row."""
        return self.of(None).sum(mistake, tail, census)


@dataclass(frozen=True, eq=False)
class Evidence:
    """For each world, p-values that a gap is inside, and outside, its tolerance."""

    inside: np.ndarray
    outside: np.ndarray

    @property
    def verdict(self) -> np.ndarray:
        """Verdict of this check alone."""
        return judge({"": self})


def wrongly(drawn: Drawn) -> Joined | None:
    """Return the rates of wrong flags of all worlds, or None where nobody was drawn by lot."""
    if not drawn.lot.any():
        return None

    def column(counts: np.ndarray) -> np.ndarray:
        return counts.reshape(-1, 1)

    both = drawn.lot[:, :, 1] + drawn.profile
    flagged = Paired(column(drawn.flagged), column(both[..., 0]), column(both[..., 1]), False)
    others = drawn.lot[:, :, 0]
    rest = column(drawn.everybody - drawn.flagged)
    left = Paired(rest, column(others[..., 0]), column(others[..., 1]), True)
    everybody = drawn.lot.sum(axis=2)
    lot = Paired(
        column(drawn.everybody), column(everybody[..., 0]), column(everybody[..., 1]), True
    )
    table = pd.DataFrame({"by": "origin", "people": drawn.everybody.ravel()})
    part = Part(table, "everybody", False, None, flagged, left, lot, float("nan"))
    return Joined(table, "fpr", "everybody", (part,))


def checks(drawn: Drawn) -> dict[str, Evidence]:
    """Return the evidence of each check on every world, group B against group A."""
    found = {
        FLAGGED: _rates(drawn.flagged, drawn.everybody),
        CHOSEN: _rates(drawn.picked, drawn.flagged - drawn.lot[:, :, 1].sum(axis=-1)),
        VISITED: _rates(drawn.visited, drawn.picked),
    }
    joined = wrongly(drawn)
    if joined is None:  # not identified: the worst cases hold any gap
        nothing = np.ones(len(drawn.flagged))
        return found | {WRONGLY: Evidence(nothing, nothing)}
    return found | {WRONGLY: _decided(joined)}


def _decided(joined: Joined) -> Evidence:
    """Return p-values rounded up to the levels at which two checks are decided, or 1.

    Ten times faster than p-values themselves. Each side of the interval is a test; FAIL looks at
    both sides, so that a p-value is twice the error on one of them.
    """
    error, beyond = 1 - LEVEL, np.ones(len(joined.table))
    for level in (error, error / 2):
        low, high = joined.gaps(level / 2, "ratio")
        beyond = np.where((low > HIGH) | (high < LOW), level, beyond)
    low, high = joined.gaps(error, "ratio")
    within = np.where((low >= LOW) & (high <= HIGH), error, 1.0)
    return Evidence(within[1::2], beyond[1::2])


def _rates(x: np.ndarray, n: np.ndarray) -> Evidence:
    one, other = ([(x[:, g], n[:, g])] * 2 for g in (1, 0))
    return Evidence(*evidence(one, other, TOLERANCE))


def judge(found: Mapping[str, Evidence]) -> np.ndarray:
    """Return the verdict on all these checks together, for every world.

    PASS needs evidence from each; FAIL from any, at an error shared among them.
    """
    inside = np.stack([own.inside for own in found.values()])
    outside = np.stack([own.outside for own in found.values()], axis=1)
    equal = np.ones(len(found))
    fails = [weighted_holm(p, equal).min() <= 1 - LEVEL for p in outside]
    passes = (inside <= 1 - LEVEL).all(axis=0)
    return np.where(fails, FAIL, np.where(passes, PASS, NOT_ENOUGH))


def _counted(verdict: np.ndarray) -> dict[str, float]:
    return {
        "p_pass": float((verdict == PASS).mean()),
        "p_fail": float((verdict == FAIL).mean()),
        "p_not_enough": float((verdict == NOT_ENOUGH).mean()),
    }


def grid(worlds: int, seed: int) -> pd.DataFrame:
    """Judge worlds of every cell of the grid.

    Parameters
    ----------
    worlds
        Worlds a cell.
    seed
        Seed of the draws.

    Returns
    -------
    DataFrame
        caseload, random_arm, group_share, gap (ratio of the rates of flags, for people with and
        without a mistake alike), truth (fair: gap 1; at the edge: exactly as large as tolerated, so
        that neither PASS nor FAIL would be right; biased: larger), worlds, p_pass, p_fail and
        p_not_enough: of the audit with the two gating checks of `PLAN`.
    """
    rows = []
    cells = pd.MultiIndex.from_product(GRID.values(), names=GRID).to_frame(index=False)
    cells = cells[2 * cells["arm"] <= cells["people"]]  # nobody draws more than half by lot
    for number, cell in enumerate(cells.itertuples(index=False)):
        found = checks(draw(World(**cell._asdict()), worlds, seed + number))
        verdict = judge({name: found[name] for name in (FLAGGED, WRONGLY)})
        truth = (
            "fair" if cell.flag_gap == 1 else "biased" if cell.flag_gap > HIGH else "at the edge"
        )
        about = {NAMES[name]: value for name, value in cell._asdict().items()}
        rows.append(about | {"truth": truth, "worlds": worlds} | _counted(verdict))
    return pd.DataFrame(rows)


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
        world = World(people=33_000, arm=1500, share=0.3, **knobs)
        for check, found in checks(draw(world, worlds, seed + 1000 + number)).items():
            about = {"planted": planted, "check": check, "should": check in where}
            rows.append(about | _counted(found.verdict))
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
        world = World(arm=arm, share=0.3, flag_gap=2.7, wrongly=0.08, human_gap=0.6)
        drawn = draw(world, worlds, seed + 2000 + number)
        row = {"random_arm": arm, "ratio": world.flag_gap, "naive": float(np.median(naive(drawn)))}
        joined = wrongly(drawn)
        if joined is not None:
            low, high = (v[1::2] for v in joined.gaps((1 - LEVEL) / 2, "ratio"))
            holds = int(((low <= world.flag_gap) & (world.flag_gap <= high)).sum())
            ends = limits(np.array([holds]), np.array([worlds]), 0.025)
            row |= {"covered": holds / worlds, "low": float(ends[0][0]), "high": float(ends[1][0])}
            row |= {"estimate": float(np.median(joined.ratio()[1::2]))}
            row |= {"interval_low": float(np.median(low)), "interval_high": float(np.median(high))}
        rows.append(row)
    return pd.DataFrame(rows)


def naive(drawn: Drawn) -> np.ndarray:
    """Return the ratio of the rates of wrong flags among the investigated alone."""
    flagged = (drawn.lot[:, :, 1, 0] + drawn.profile[..., 0]).astype(float)
    rate = flagged / np.maximum(flagged + drawn.lot[:, :, 0, 0], 1)
    return np.asarray(rate[:, 1] / rate[:, 0])
