"""The audit: every check of a plan, under every label, with one verdict of three on all of them.

PASS needs evidence from every gating check that each gap lies inside its tolerance (equivalence
tests, TOST; Schuirmann 1987); then the error of a wrong PASS is that of one comparison
(intersection–union test, Berger 1982). FAIL needs evidence that one lies outside, at an error that
is shared among all comparisons that gate (`datamall.fairness.multiplicity`). Otherwise, and where
the answer depends on what counts as the outcome, there is NOT ENOUGH EVIDENCE.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from datamall.errors import DatamallError
from datamall.fairness import (
    changes,
    comparison,
    identification,
    multiplicity,
    recoding,
    stages,
    steps,
    sweeps,
)
from datamall.fairness.cells import Cells
from datamall.fairness.counting import TOTAL
from datamall.fairness.inference import beside, ends
from datamall.fairness.metrics import find
from datamall.fairness.plan import AS_RECORDED, Check, Meaning, Plan
from datamall.fairness.recoding import Counts
from datamall.fairness.steps import Selection, Study
from datamall.fairness.subgroups import REST
from datamall.fairness.summary import Verdict, summary
from datamall.fairness.verdict import detectable, judged, middle, sides

NO_LABEL = -1
_FIGURES = ["study", "check", "label", "by", "group", "metric", "estimand", "source"]
FIGURES = [*_FIGURES, "successes", "trials", "rate", "low", "high"]
COMPARISONS = [
    *("study", "check", "label", "by", "group", "metric", "estimand", "source", "people", "gates"),
    *("successes", "trials", "other_successes", "other_trials"),
    *("rate", "other_rate", "gap", "gap_low", "gap_high", "all_low", "all_high"),
    *("p_inside", "p_outside", "p_outside_holm", "detectable_low", "detectable_high"),
    *("verdict", "identified", "why", "not_judged"),
]

_CORNERS = [
    f"{p}{v}_{end}"
    for p in ("", "other_")
    for v in ("successes", "trials")
    for end in ("low", "high")
]


@dataclass(frozen=True, eq=False)
class Audit:
    """The results of an audit, as tidy tables.

    Attributes
    ----------
    plan
        What was asked.
    figures
        One row per check, label and group: check, label, by, group, metric, estimand, source (how
        the rate is known), successes, trials, rate, low, high (limits at the plan's level, each
        for itself; for a list nothing but rounding is between them).
    comparisons
        One row per check, label and group that is compared: as in `figures`; people; gates;
        rate, other_rate; gap (of the kind of the tolerance); gap_low, gap_high (each holds with
        the plan's level: PASS is both inside the tolerance); all_low, all_high (all gaps of the
        check at once); p_inside, p_outside (evidence that it is inside, or outside),
        p_outside_holm (shared among all that gate), detectable_low and detectable_high (gaps that
        would have been found with the plan's power; approximate for joined rates), verdict;
        identified, why (not); not_judged (why a group does not gate).
    checks
        One row per check, in the order of the plan: check, metric, estimand, norm, gating, kind,
        low, high, reason (of the tolerance), verdict, fragile (depends on the label), identified,
        why, compared, failed, unclear and not_judged (groups), and of the group that is furthest
        from the tolerance, by the evidence: label, by, group, rate, other_rate, gap, gap_low,
        gap_high, all_low, all_high, detectable (smallest gap that would have been found).
    labels
        One row per check and label: check, label, verdict, by, group, gap, gap_low, gap_high.
    recorded
        See `datamall.fairness.identification.recorded`; empty if the plan reads no results.
    changes
        What was done to groups, labels and tolerances; see `datamall.fairness.changes`.
    verdict
        See `Verdict`.
    """

    plan: Plan
    counts: Counts | Selection
    figures: pd.DataFrame
    comparisons: pd.DataFrame
    checks: pd.DataFrame
    labels: pd.DataFrame
    recorded: pd.DataFrame
    changes: pd.DataFrame
    verdict: Verdict

    @cached_property
    def stages(self) -> pd.DataFrame:
        """Stages of the selection; see `datamall.fairness.stages.decompose`; empty without."""
        if isinstance(self.counts, Selection) or not self.plan.stages:
            return pd.DataFrame()
        if "stage" not in self.counts.axes:
            return pd.DataFrame()
        return stages.decompose(
            self.counts,
            self.plan.stages,
            self.plan.groups,
            reference=self.plan.reference,
            level=self.plan.level,
        )

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """Share with the outcome by score band; see `datamall.fairness.sweeps.calibration`.

        Of the random arm where the plan names one, else of all who have an outcome; under the
        first label. Empty without bands or outcomes.
        """
        cells, plan = self.counts, self.plan
        if not isinstance(cells, Cells) or "score_band" not in cells.axes:
            return pd.DataFrame()
        how = plan.identification
        if how is not None and identification.design(comparison.labelled(cells, plan), how)[0]:
            cells = cells.where(arm=how.random)
        cells = comparison.labelled(cells, plan)
        if not cells.counts[..., :2].any():
            return pd.DataFrame()
        return sweeps.calibration(cells, plan.groups, reference=plan.reference, level=plan.level)

    @cached_property
    def capacities(self) -> pd.DataFrame:
        """Each check on decisions if fewer or more people could be selected; empty without bands.

        One row per capacity and check: capacity (share of the number now, or of the plan's),
        selected (people), check, verdict, by, group, gap, gap_low, gap_high.
        """
        if not isinstance(self.counts, Cells) or "score_band" not in self.counts.axes:
            return pd.DataFrame()
        cells = self.counts
        now = self.plan.capacity or int(cells.counts[:, 1].sum())
        out = []
        for share in sweeps.CAPACITIES:
            moved = sweeps.decide(cells, sweeps.threshold_for(cells, share * now))
            own = summary(_judge(moved, self.plan)[2], self.plan)[0]
            own = own[["check", "verdict", "by", "group", "gap", "gap_low", "gap_high"]]
            selected = int(moved.counts[:, 1].sum())
            out.append(own.assign(capacity=share, selected=selected))
        table = pd.concat(out, ignore_index=True)
        return table[["capacity", "selected", *table.columns[:-2]]]


def audit(
    counts: Counts | Selection,
    spec: Plan | Mapping[str, Any],
    *,
    registered: Plan | Mapping[str, Any] | None = None,
) -> Audit:
    """Audit counts by a plan.

    Parameters
    ----------
    counts
        `Cells`, or `Bounds` where counts were rounded or hidden. Keys: the attributes of the plan,
        the recorded result if labels read it, and the roles arm, stage and score_band; what else
        there is, is summed over. Or a `datamall.fairness.steps.Selection`: then each check names
        its step.
    spec
        The plan, as a mapping or a `Plan`; see `datamall.fairness.plan`.
    registered
        The plan that was fixed beforehand; what differs from it is shown in `changes`.

    Returns
    -------
    Audit

    Raises
    ------
    DatamallError
        If the plan cannot be, names keys, values or a reference group that do not exist, or the
        counts are weighted.
    """
    plan = Plan.read(spec)
    if isinstance(counts, Selection):
        return _sum_up(counts, plan, registered, *_of_selection(counts, plan))
    comparison.check_keys(counts, plan)
    merged: Counts = counts
    for axis, into in plan.merge.items():
        merged = recoding.merge(merged, axis, into)
    return _sum_up(merged, plan, registered, *_judge(merged, plan))


def _sum_up(
    counts: Counts | Selection,
    plan: Plan,
    registered: Plan | Mapping[str, Any] | None,
    recorded: pd.DataFrame,
    figures: pd.DataFrame,
    comparisons: pd.DataFrame,
) -> Audit:
    checks, labels, verdict = summary(comparisons, plan)
    before = None if registered is None else Plan.read(registered)
    return Audit(
        plan,
        counts,
        figures[FIGURES],
        comparisons.reindex(columns=COMPARISONS),
        checks,
        labels,
        recorded,
        changes.made(counts, plan, before),
        verdict,
    )


def _judge(counts: Counts, plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the recorded results, the figures and the judged comparisons."""
    recorded = pd.DataFrame()
    if plan.result and "arm" in counts.axes:
        recorded = identification.recorded(counts, plan.result)
    alone = recorded[recorded["one_arm_only"]] if len(recorded) else recorded
    one_arm = dict(zip(alone["result"], alone["arms"], strict=True)) if len(alone) else {}
    figures, rows = [], []
    for check in plan.checks:
        for label in comparison.labels(plan, check):
            own, compared = comparison.make(counts, plan, check, label, one_arm)
            figures.append(own)
            reading = list(plan.labels).index(label) if label in plan.labels else NO_LABEL
            rows.append(_about(compared, check, plan, reading))
    return recorded, pd.concat(figures, ignore_index=True), _verdicts(rows, plan)


def _of_selection(
    selection: Selection, plan: Plan
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the recorded results, the figures and the judged comparisons of all studies."""
    for check in plan.checks:
        if check.step is None:
            raise DatamallError(
                f"Check {check.name} names no step of the selection: write for example "
                "step: {to: chosen, of: flagged}."
            )
    results: dict[str, pd.DataFrame] = {}
    figures, rows = [], []
    names = dict.fromkeys(name for check in plan.checks for name in check.groups)
    for study in selection.studies([*names]):
        if study.name not in results and study.results:
            results[study.name] = identification.by_arm(*study.by_arm()).assign(study=study.name)
        for check in plan.checks:
            if study.attribute not in check.groups:
                continue
            check = replace(check, groups=(study.attribute,))
            for reading, label, meaning in _readings(study, plan, check):
                own = results.get(study.name, pd.DataFrame({"one_arm_only": []}))
                read, why = _without_one_arm(own, check, meaning)
                # Printed sums of results are those of the definition as it was.
                sums = label if read == meaning else ""
                counts = steps.counts(study, plan, check, sums, read)
                if counts is None:
                    continue
                why = why if "arm" in counts.axes else ""
                of_check, compared = comparison.compare(counts, plan, check, label, why)
                figures.append(of_check.assign(study=study.name))
                compared = compared.assign(study=study.name)
                rows.append(_about(compared, check, plan, reading))
    recorded = pd.concat(results.values(), ignore_index=True) if results else pd.DataFrame()
    if not rows:
        nothing = pd.DataFrame(columns=[*COMPARISONS, "reading"])
        return recorded, pd.DataFrame(columns=FIGURES), nothing
    return recorded, pd.concat(figures, ignore_index=True), _verdicts(rows, plan)


def _readings(study: Study, plan: Plan, check: Check) -> list[tuple[int, str, Meaning]]:
    """Return the definitions of the outcome under which a check is made in a study."""
    if not check.needs_outcome:
        return [(NO_LABEL, AS_RECORDED, {})]
    if check.outcome:
        there = study.results and set(study.results) <= set(check.outcome)
        return [(NO_LABEL, AS_RECORDED, check.outcome)] if there else []
    return [(i, name, meaning) for i, (name, meaning) in enumerate(study.labels(plan))]


def _without_one_arm(recorded: pd.DataFrame, check: Check, meaning: Meaning) -> tuple[Meaning, str]:
    """Leave out results that were recorded in one arm only, where arms would be joined by them."""
    alone = recorded[recorded["one_arm_only"].astype(bool)]
    alone = (
        alone[[meaning.get(result) is not None for result in alone["result"]]]
        if len(alone)
        else alone
    )
    joined = find(check.metric).given != (TOTAL, TOTAL) and check.of != "investigated"
    if not joined or not len(alone):
        return meaning, ""
    why = " and ".join(
        f"{row.result} was recorded in the arm {row.arms} only" for row in alone.itertuples()
    )
    return {**meaning, **dict.fromkeys(alone["result"])}, why


def _about(table: pd.DataFrame, check: Check, plan: Plan, reading: int) -> pd.DataFrame:
    """Add what the plan says about each comparison, and whether it gates."""
    tolerance, out = check.tolerance, plan.leave_out
    why = np.full(len(table), "", object)
    named = zip(table["by"], table["group"], strict=True) if out else ()
    for i, (by, group) in enumerate(named):
        values = dict(zip(by.split(" × "), group.split(" × "), strict=False))
        left = [f"{k} {v}" for k, v in values.items() if v in map(str, out.get(k, ()))]
        why[i] = f"the plan leaves out {' and '.join(left)}" if left else ""
    small = (table["people"] < plan.smallest).to_numpy() & (why == "")
    why[small] = f"fewer than {plan.smallest} people"
    twice = multiplicity.mirrored(table, tolerance) & (check.reference == REST)
    gates = check.gating & (why == "")
    return beside(table, {"not_judged": why, "gates": gates, "twice": twice, "reading": reading})


def _verdicts(tables: list[pd.DataFrame], plan: Plan) -> pd.DataFrame:
    """Judge all comparisons: those that gate under one label together, others check by check."""
    table = pd.concat(tables, ignore_index=True)
    checks = {check.name: check for check in plan.checks}
    number = len(table)
    tested = ("p_outside_holm", "detectable_low", "detectable_high")
    found: dict[str, np.ndarray] = {name: np.full(number, np.nan) for name in tested}
    found["verdict"] = (
        table["verdict"].to_numpy().astype(object) if "verdict" in table else found[tested[0]]
    ).astype(object)
    # Checks that need no outcome belong to the family of every label, and are judged in the first;
    # so do those of a study that has fewer definitions of the outcome than another.
    last = table.groupby("study")["reading"].transform("max")
    for reading in reversed(range(max([0, *table["reading"]]) + 1)):
        first = (table["reading"] == 0) & (last < reading)
        own = (table["reading"] == NO_LABEL) | (table["reading"] == reading) | first
        together_ = np.where(table["gates"], "", table["check"] + table["not_judged"])
        for name in np.unique(together_[own].astype(str)):
            rows = np.flatnonzero(own & (together_ == name))
            part = table.iloc[rows].reset_index(drop=True)
            before = {column: values[rows] for column, values in found.items()}
            for column, values in _family(part, before, checks, plan).items():
                found[column][rows] = values
    # No gap would have been found where the rate is not identified.
    for end in ("detectable_low", "detectable_high"):
        found[end][~table["identified"].to_numpy(bool)] = np.nan
    return beside(table, found)


def _family(
    own: pd.DataFrame, before: dict[str, np.ndarray], checks: Mapping[str, Check], plan: Plan
) -> dict[str, np.ndarray]:
    """Return what comparisons that are judged together come to, and `before` where they do not."""
    census = (own["estimand"] == "list").to_numpy()
    twice = own["twice"].to_numpy(bool)
    if twice.any():
        names = ["study", "check", "label", "by"]
        twice = twice & (own[names] == own[names].shift()).all(axis=1).to_numpy(bool)
    among = own["p_outside"].notna().to_numpy() & ~twice
    share = _shares(own, among, checks, plan.level)
    p = np.where(among, own["p_outside"], np.nan)
    adjusted = multiplicity.weighted_holm(p, np.where(among, share, 1.0))
    # The second of two groups says what the first said.
    adjusted, share = (np.where(twice, np.r_[np.nan, v[:-1]], v) for v in (adjusted, share))
    fresh = judged(own[["p_inside", "p_outside"]], plan.level, adjusted)
    verdict = np.where(census, before["verdict"], fresh["verdict"].to_numpy().astype(object))
    found = np.stack([before["detectable_low"], before["detectable_high"]], axis=1)
    for name in own["check"].unique():
        mine = (own["check"] == name).to_numpy() & (share > 0) & ~census
        for gaps, part in _detectable(own, mine, checks[name], share, plan):
            found[part] = gaps
    low, high = found.T
    tested = {"p_outside_holm": adjusted, "detectable_low": low, "detectable_high": high}
    return tested | {"verdict": verdict}


def _detectable(
    own: pd.DataFrame, mine: np.ndarray, check: Check, share: np.ndarray, plan: Plan
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the gaps that would have been found, from the size of groups or from their errors."""
    if "error_low" in own:
        joined = mine & own["error_low"].notna().to_numpy()
        yield _from_errors(own[joined], check, share[joined], plan), joined
    if "trials" not in own:
        return
    bounded = own["trials_high"].notna() if "trials_high" in own else pd.Series(False, own.index)
    for part, columns in ((mine & bounded, []), (mine & ~bounded, _CORNERS)):
        part = part.to_numpy(bool) & (own["trials"].notna() | bounded).to_numpy(bool)
        if part.any():
            one, other = ends(own[part].drop(columns=columns, errors="ignore"))
            tail = (1 - plan.level) * share[part] / sides(check.tolerance)
            gaps = detectable(middle(one), middle(other), check.tolerance, tail, plan.power)
            yield np.stack(gaps, axis=1), part


def _from_errors(own: pd.DataFrame, check: Check, share: np.ndarray, plan: Plan) -> np.ndarray:
    """Return detectable gaps of joined rates: approximate, their errors taken as normal."""
    edges, ratio = check.tolerance, check.tolerance.kind == "ratio"
    z = ndtri(plan.power) - ndtri((1 - plan.level) * share / sides(edges))
    out = []
    for edge, error, sign in ((edges.low, "error_high", -1), (edges.high, "error_low", 1)):
        if edge is None:
            out.append(np.full(len(own), np.nan))
            continue
        step = sign * z * own[error].to_numpy()
        found = edge * np.exp(step) if ratio else edge + step
        rate = own["other_rate"] * found if ratio else own["other_rate"] + found
        # No group has a rate beyond 0 and 1, however far from that of the others.
        there = np.isfinite(found) & (ratio | (np.abs(found) <= 1)) & ~((rate < 0) | (rate > 1))
        out.append(np.where(there, found, np.nan))
    return np.stack(out, axis=1)


def _shares(
    own: pd.DataFrame, among: np.ndarray, checks: Mapping[str, Check], level: float
) -> np.ndarray:
    """Return the share of the error of each comparison: equal for checks, then by depth, size."""
    share, names = np.zeros(len(own)), own.loc[among, "check"].unique()
    code, kinds = pd.factorize(own["by"])
    depth = np.array([by.count(" × ") + 1 for by in kinds], int)[code]
    for name in names:
        mine = among & (own["check"] == name).to_numpy()
        pairs = [f"{p}{v}" for p in ("", "other_") for v in ("successes", "trials")]
        effect = np.ones(len(own))
        if set(pairs) <= set(own) and own.loc[mine, pairs].notna().all(axis=None):
            x, n, y, m = own[pairs].to_numpy(float).T
            rate = (x[mine] + y[mine]).sum() / max((n[mine] + m[mine]).sum(), 1)
            effect = multiplicity.effects(np.nan_to_num(n), rate, checks[name].tolerance)
        share += multiplicity.weights(depth, effect, level, mine) / len(names)
    return share
