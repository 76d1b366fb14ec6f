"""Judge the checks of the audit by the plan that was fixed beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import Bounds, inference, rounded, verdict
from datamall.fraud import disclosure
from datamall.fraud.audit import errors
from datamall.fraud.audit.checks import CHECKS, OF, at_risk, bounds, of_parts, parts_of
from datamall.fraud.audit.errors import WRONGLY_VISITED
from datamall.fraud.audit.sources import TOTAL, definitions, is_own, latest
from datamall.requirements import Absent

COLUMNS = [
    *("study", "attribute", "group", "check", "label", "source"),
    *("successes", "trials", "rate", "other_successes", "other_trials", "other_rate"),
    *("ratio", "low", "high", "verdict", "detectable"),
]
HIGHEST = ("1", "2")  # risk bands, where these are numbered from the highest
EVERY = CHECKS | {WRONGLY_VISITED: errors.ABOUT}


@dataclass(frozen=True)
class Plan:
    """What is compared and what is tolerated: the audit's section of ``params.yaml``.

    Attributes
    ----------
    groups
        Columns of the department's own counts, and attributes of official counts, that gate;
        other attributes of official counts inform.
    gating, informing
        Names of checks: on the first the verdict of the audit depends, the others are shown.
    labels
        Definitions of a mistake found; see `checks.meaning`. The first that a study can
        apply counts, every conclusion is repeated under its rivals.
    ratio
        How many times as often as everybody else something may happen to a group, or the other
        way round.
    ratio_alike
        The same where people are alike in all that may count; see `checks.Check`.
    level
        1 - level is the error of a wrong PASS, and of any wrong FAIL among all gating checks.
    power
        Probability with which a gap counts as detectable.
    """

    groups: Sequence[str]
    gating: Sequence[str]
    informing: Sequence[str]
    labels: Sequence[str]
    ratio: float
    ratio_alike: float
    level: float
    power: float

    def __post_init__(self) -> None:
        """Refuse a plan that names no check, an unknown one, or one twice."""
        named = [*self.gating, *self.informing]
        odd = [name for name in named if name not in EVERY or named.count(name) > 1]
        if odd or not self.gating:
            raise DatamallError(
                f"gating and informing in params.yaml name {odd[0] if odd else 'no check'!r}: name "
                f"each of {', '.join(EVERY)} at most once, and at least one that gates."
            )
        for check in named:
            self.tolerance(check)

    def tolerance(self, check: str) -> verdict.Tolerance:
        """Return what is tolerated of a check."""
        most = self.ratio_alike if EVERY[check].alike else self.ratio
        return verdict.Tolerance("ratio", 1 / most if most > 0 else 0.0, most)

    def label(self, counts: pd.DataFrame) -> str | None:
        """Return the definition of a mistake found that counts for a study."""
        known = definitions(counts, self.labels)
        return known[0] if known else None


def steps(
    counts: pd.DataFrame,
    keys: Sequence[str],
    label: str | None,
    band: str = TOTAL,
    arm: str = "",
    every_group: bool = False,
) -> pd.DataFrame:
    """Return the counts of each group and of everybody else at some steps.

    Parameters
    ----------
    counts
        As from `sources`; several studies and attributes may be in it.
    keys
        Checks; those whose counts are not there are left out.
    label
        Definition of a mistake found; None where there is none.
    band, arm
        Risk band, and another arm than usual, for checks of recorded results.
    every_group
        Whether of two groups both are wanted; else the first: the other is the same comparison
        turned round.

    Returns
    -------
    pandas.DataFrame
        study, attribute, group, check, label (empty where nothing recorded is read), source
        (``own`` or ``official``), and the columns of `datamall.fairness.rounded.pairs` or
        `errors.pairs`; a number that is hidden is the middle of what it can be; missing are
        numbers, hidden or rounded, that are not known within a quarter.
    """
    parts = []
    for (study, attribute), own in counts.groupby(["study", "attribute"], sort=True):
        source = "own" if is_own(str(study)) else "official"
        for key in keys:
            if key == WRONGLY_VISITED:
                table, read = errors.pairs(own, label), label
            else:
                check = CHECKS[key]
                read = label if check.outcome else ""
                table = _compared(bounds(own, parts_of(check, own, label, band, arm)), "base_rate")
                if table is None and key in ("flagged", "chosen"):
                    # Where nobody counted the flagged, they are those of the highest risk.
                    found = of_parts(own, at_risk(HIGHEST, key == "chosen"))
                    table = _compared(found, "selection_rate")
            if table is not None:
                table = table.head(1) if len(table) == 2 and not every_group else table
                table = _filled(table, source == "own")
                about = {"study": study, "attribute": attribute, "check": key, "label": read}
                parts.append(table.assign(**about, source=source))
    if not parts:
        return pd.DataFrame(columns=["study", "attribute", "group", "check", "label", "source"])
    return pd.concat(parts, ignore_index=True)


def _compared(found: Bounds | None, metric: str) -> pd.DataFrame | None:
    if found is None:
        return None
    return rounded.pairs(found, [OF], estimand="procedure", names=[metric])


def _filled(table: pd.DataFrame, own: bool) -> pd.DataFrame:
    """Return comparisons with the middle of what a hidden number can be.

    Numbers of which too little is known are missing: 10 that may be 5 or 15 are no number; of the
    department's own so are those of which, or of whose rest, fewer than 10 people can be.
    """
    table = table.copy()
    for low in [name for name in table if str(name).endswith("_low")]:
        name = str(low).removesuffix("_low")
        ends = np.sort(table[[low, f"{name}_high"]].to_numpy(float), axis=1)
        middle, wide = ends.mean(axis=1), ends[:, 1] - ends[:, 0]
        known = np.where(wide <= middle / 2, np.round(middle), np.nan)
        table[name] = table[name].where(table[name].notna() & np.isfinite(known), known)
    if own:
        for side in {
            name.removesuffix("trials_low") for name in table if name.endswith("trials_low")
        }:
            yes, of = (f"{side}successes", f"{side}trials")
            most, no = table[f"{yes}_high"], table[f"{of}_low"] - table[f"{yes}_low"]
            # A share would tell what is hidden.
            table[yes] = table[yes].where((most >= disclosure.MINIMUM) & (no >= disclosure.MINIMUM))
    return table


def every_step(
    counts: pd.DataFrame, plan: Plan, keys: Sequence[str], **options: Any
) -> pd.DataFrame:
    """Return `steps` for each study under the definition that counts for it."""
    studies = counts.groupby("study", sort=True)
    parts = [steps(own, keys, plan.label(own), **options) for _, own in studies]
    return pd.concat(parts, ignore_index=True)


def judged(pairs: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Judge comparisons that are one family.

    Parameters
    ----------
    pairs
        As from `steps`.
    plan
        Tolerances, level and power.

    Returns
    -------
    pandas.DataFrame
        study, attribute, group, check, label, source; successes, trials and rate of the group and
        (``other_``) of everybody else; ratio with its limits low and high, for all rows at once;
        verdict; detectable (ratio above 1 that would have been found). In the order of the plan's
        checks, then study, attribute and group.
    """
    if not len(pairs):
        return pairs.assign(verdict=[])
    wrong = pairs["check"].eq(WRONGLY_VISITED)
    number = max(int(inference.comparable(pairs).sum()), 1)
    tail, parts = (1 - plan.level) / 2 / number, []
    for (check, composite), own in pairs.assign(w=wrong).groupby(["check", "w"], sort=False):
        tolerance = plan.tolerance(check)
        low, high = tolerance.low or 0.0, tolerance.high or np.inf
        if composite:
            own = errors.rates(own)
            own["low"], own["high"] = errors.interval(own, tail)
            evidence = errors.evidence(own, low, high)
            found = errors.detectable(own, tail, plan.power, high)
        else:
            own = inference.with_gaps(own, tail)
            own = own.rename(columns={"ratio_low": "low", "ratio_high": "high"})
            one, other = inference.ends(own)
            evidence = verdict.evidence(one, other, tolerance)
            middle = [np.floor((side[0] + side[1]) / 2) for side in _sides(own)]
            found = verdict.detectable(
                (middle[0], middle[1]), (middle[2], middle[3]), tolerance, tail, plan.power
            )[1]
        own["p_inside"], own["p_outside"] = evidence
        parts.append(own.assign(detectable=found))
    table = pd.concat(parts, ignore_index=True)
    # A comparison that cannot be made is no chance of a false alarm.
    table["p_outside"] = table["p_outside"].where(inference.comparable(table))
    table = verdict.judged(table, plan.level)
    rank = {key: place for place, key in enumerate((*plan.gating, *plan.informing))}
    order = table.assign(rank=table["check"].map(rank))
    order = order.sort_values(["rank", "study", "attribute", "group"], kind="stable")
    return order[COLUMNS].reset_index(drop=True)


def _sides(table: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return lowest and highest successes and trials of one and of other."""
    names = [f"{side}{what}" for side in ("", "other_") for what in ("successes", "trials")]
    return [(table[f"{n}_low"].to_numpy(float), table[f"{n}_high"].to_numpy(float)) for n in names]


def gate(counts: pd.DataFrame | Absent, plan: Plan) -> pd.DataFrame | Absent:
    """Return the checks that gate, judged together; see `judged`.

    Only the last year of each selection is judged, by the attributes of the plan.
    """
    return _of_plan(counts, plan, plan.gating, "The checks that gate")


def inform(counts: pd.DataFrame | Absent, plan: Plan) -> pd.DataFrame | Absent:
    """Return the checks that inform, judged together as a family of their own; see `gate`."""
    return _of_plan(counts, plan, plan.informing, "The checks that inform")


def _of_plan(
    counts: pd.DataFrame | Absent, plan: Plan, keys: Sequence[str], chapter: str
) -> pd.DataFrame | Absent:
    if isinstance(counts, Absent):
        return counts
    last = latest(counts)
    last = last[last["attribute"].isin(plan.groups)]
    pairs = every_step(last, plan, keys) if len(last) else last
    if not len(pairs):
        names = f"{', '.join(keys)} by {', '.join(plan.groups)}"
        return Absent(chapter, f"Not possible here: no counts allow {names}.")
    return judged(pairs, plan)


def overall(table: pd.DataFrame | Absent, plan: Plan) -> str:
    """Return the verdict of the audit: PASS needs every check that gates, on every attribute.

    A check whose counts are not there is no evidence.
    """
    if isinstance(table, Absent):
        return verdict.NOT_ENOUGH
    complete = set(plan.gating) <= set(table["check"])
    return verdict.overall([*table["verdict"], *([] if complete else [verdict.NOT_ENOUGH])])
