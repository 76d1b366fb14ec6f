"""One check under one label: the rates of its groups, and each compared with the others."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from datamall.errors import DatamallError
from datamall.fairness import identification, inference, metrics, published, recoding
from datamall.fairness.bounds import Bounds
from datamall.fairness.cells import Cells
from datamall.fairness.counting import NO, TOTAL, UNKNOWN, YES, named
from datamall.fairness.intervals import limits
from datamall.fairness.plan import AS_RECORDED, Check, Plan
from datamall.fairness.recoding import Counts
from datamall.fairness.verdict import NOT_ENOUGH, evidence, of_list

COUNTED, INVESTIGATED = "counted", "investigated only"
WORST = "worst cases"
JOINED = {
    "everybody": "all arms, with the flags of everybody",
    "base": "all arms, with the base rate of the random arm",
    "cases": "all arms, with group sizes of the random arm",
}


def make(
    counts: Counts, plan: Plan, check: Check, label: str, one_arm: Mapping[Any, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the figures and the comparisons of a check.

    Parameters
    ----------
    counts
        All counts of the audit, merged as the plan says.
    plan, check, label
        What is asked; the label by its name.
    one_arm
        Results that were recorded in one arm only, and in which.

    Returns
    -------
    tuple of DataFrame
        Figures and comparisons; see `datamall.fairness.auditing.Audit`. The comparisons lack what
        depends on other checks.
    """
    metric = metrics.find(check.metric)
    counts = recoding.where(counts, check.where)
    meaning, why = dict(plan.labels.get(label, {})), ""
    if plan.labels and metric.needs_outcomes and check.of == "everybody":
        alone = [v for v in meaning if meaning[v] is not None and v in one_arm]
        if alone and "arm" not in check.where and not _same(plan):
            for value in alone:
                meaning[value] = None
            why = " and ".join(
                f"{value!s} was recorded in the arm {one_arm[value]} only" for value in alone
            )
    if plan.labels and metric.needs_outcomes:
        counts = recoding.label(counts, str(plan.result), meaning)
    elif plan.result:
        counts = _without(counts, plan.result)
    return compare(counts, plan, check, label, why)


def compare(
    counts: Counts, plan: Plan, check: Check, label: str, why: str = ""
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the figures and the comparisons of a check whose outcome has been read.

    Parameters
    ----------
    counts
        The people that the check is about.
    plan, check, label
        See `make`.
    why
        Why arms may not be joined, if so.
    """
    metric = metrics.find(check.metric)
    # Where arms are to be joined, people whose flag is unknown stand for others.
    arms = plan.identification is not None and "arm" not in check.where
    one_sided = metric.criterion == "separation" and _one_sided(counts)
    if one_sided and check.of == "everybody" and _complete(counts, metric, arms):
        # Rates of 1, or of 0, in every group: nothing about those who are not counted.
        why = "everybody who is counted was selected, or nobody was"
        parts = _worst(counts, check, plan)
    elif not metric.needs_outcomes or _complete(counts, metric, arms):
        parts = _counted(counts, check, plan, COUNTED)
    elif check.of == "investigated":
        parts = _counted(counts, check, plan, INVESTIGATED)
    else:
        parts, why = _of_everybody(counts, check, plan, why)
    figures, compared = parts
    identified = compared["source"].iloc[0] != WORST if len(compared) else True
    asked = {"study": "", "check": check.name, "label": label}
    known = {"identified": identified, "why": "" if identified else why}
    return inference.beside(figures, asked), inference.beside(compared, asked | known)


def labelled(counts: Cells, plan: Plan) -> Cells:
    """Return the counts with the outcome under the first label of the plan."""
    if not plan.labels:
        return counts
    labelled_: Cells = recoding.label(counts, str(plan.result), next(iter(plan.labels.values())))
    return labelled_


def _same(plan: Plan) -> bool:
    return plan.identification is not None and bool(plan.identification.same_measurement)


def _without(counts: Counts, result: str) -> Any:
    """Return the counts summed over the recorded result."""
    if isinstance(counts, Cells):
        return counts.by([axis for axis in counts.axes if axis != result])
    values = recoding.levels(counts, result)
    return recoding.label(counts, result, dict.fromkeys(values, None))


def _one_sided(counts: Counts) -> bool:
    """Return whether everybody was selected, or nobody."""
    if isinstance(counts, Cells):
        people = counts.counts.sum(axis=(0, 2))
    else:
        people = counts.high[(-1,) * len(counts.axes)][:TOTAL, TOTAL]
    return not (people[YES] and people[NO])


def _complete(counts: Counts, metric: metrics.Metric, flags: bool) -> bool:
    """Return whether outcomes (and flags) of everybody whom the rate is about are known."""
    if isinstance(counts, Cells):
        people = counts.counts.sum(axis=0)
    else:
        people = counts.high[(-1,) * len(counts.axes)][:TOTAL, :TOTAL]
    open_ = people[metric.decisions, UNKNOWN].any()
    return not (open_ or (flags and people[UNKNOWN].any()))


def _of_everybody(
    counts: Counts, check: Check, plan: Plan, why: str
) -> tuple[tuple[pd.DataFrame, pd.DataFrame], str]:
    how = plan.identification
    if not why and how is None:
        why = "some people have no outcome, and the plan names no random arm"
    if not why and how is not None:
        _, why = identification.identified(counts, check.metric, how)
        if not why:
            return _joined(counts, check, plan), ""
    return _worst(counts, check, plan), why


def _worst(counts: Counts, check: Check, plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = identification.worst_cases(
        counts,
        check.groups,
        estimand=check.estimand,
        metric=check.metric,
        reference=check.reference,
        depth=check.depth,
    )
    return _worst_figures(table, plan), _compared(table, check, plan, WORST)


def _counted(
    counts: Counts, check: Check, plan: Plan, source: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    options: dict[str, Any] = {"names": [check.metric], "depth": check.depth}
    options |= {"estimand": check.estimand}
    if isinstance(counts, Cells):
        inference.check(counts, plan.level)
        figures = inference.intervals(
            counts, check.groups, level=plan.level, simultaneous=False, **options
        )
        table = inference.pairs(counts, check.groups, reference=check.reference, **options)
    else:
        figures = _bounded_figures(counts, check, plan)
        table = counts.pairs(check.groups, reference=check.reference, **options)
        table = _filled(table)
    figures = figures.assign(source=source)
    return figures, _compared(table, check, plan, source)


def _filled(table: pd.DataFrame) -> pd.DataFrame:
    """Return comparisons with numbers that are not printed in the middle of what they can be."""
    table = table.copy()
    for name in ("successes", "trials", "other_successes", "other_trials"):
        ends = np.sort(table[[f"{name}_low", f"{name}_high"]].to_numpy(float), axis=1)
        value = published.middle(ends[:, 0], ends[:, 1], table[name].to_numpy(float))
        # A hidden number that others seem to give is none that it cannot be.
        table[name] = np.clip(value, *ends.T) if name.endswith("successes") else value
    return table


def _bounded_figures(counts: Bounds, check: Check, plan: Plan) -> pd.DataFrame:
    parts = []
    for size in range(1, min(check.depth, len(check.groups)) + 1):
        for own in combinations(check.groups, size):
            keys, corners = counts.corners(own, [check.metric])
            lowest, highest = (corners[:, 0, end] for end in (0, 1))
            ends = np.sort(corners[:, 0], axis=1)
            printed = counts.proportions(own, [check.metric])[1][:, 0]
            printed = published.middle(ends[:, 0], ends[:, 1], printed)
            printed[:, 0] = np.clip(printed[:, 0], *ends[..., 0].T)
            rate = counts.rates(own, [check.metric])[check.metric].to_numpy()
            rate = np.where(np.isnan(rate), metrics.share(*printed.T), rate)
            tail = (1 - plan.level) / 2
            low = limits(lowest[:, 0], lowest[:, 1], tail)[0]
            high = limits(highest[:, 0], highest[:, 1], tail)[1]
            if check.estimand == "list":
                low, high = (
                    np.where(v[:, 1] > 0, metrics.share(*v.T), end)
                    for end, v in enumerate((lowest, highest))
                )
            labels = [" × ".join(map(str, row)) for row in keys.itertuples(index=False)]
            part: dict[str, Any] = {"by": " × ".join(own), "group": labels}
            part |= {"metric": check.metric, "estimand": check.estimand}
            part |= {"successes": printed[:, 0], "trials": printed[:, 1]}
            parts.append(pd.DataFrame(part | {"rate": rate, "low": low, "high": high}))
    return pd.concat(parts, ignore_index=True)


def _worst_figures(table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    figures = table[["by", "group", "metric", "estimand", "successes", "trials"]].copy()
    figures["rate"] = np.nan
    tail = (1 - plan.level) / 2
    (lowest, highest), _ = inference.ends(table)
    census = (table["estimand"] == "list").to_numpy()
    low, high = limits(*lowest, tail)[0], limits(*highest, tail)[1]
    ends = [np.nan_to_num(metrics.share(*v), nan=e) for e, v in enumerate((lowest, highest))]
    figures["low"], figures["high"] = (
        np.where(census, ends[0], low),
        np.where(census, ends[1], high),
    )
    return figures.assign(source=WORST)


def _compared(table: pd.DataFrame, check: Check, plan: Plan, source: str) -> pd.DataFrame:
    """Add rates, gaps and evidence to pairs of counts."""
    kind, both = check.tolerance.kind, (~np.isnan(table["trials"])).to_numpy(bool)
    there, ends = inference.comparable(table), inference.ends(table)
    tails = 1 - plan.level, (1 - plan.level) / 2 / max(int(there.sum()), 1)
    alone, every = (inference.gaps(table, ends, tail, [kind]) for tail in tails)
    out: dict[str, Any] = {
        "rate": alone["rate"],
        "other_rate": alone["other_rate"],
        "gap": alone[kind],
    }
    for end in ("low", "high"):
        out |= {f"gap_{end}": alone[f"{kind}_{end}"], f"all_{end}": every[f"{kind}_{end}"]}
    most = table["trials_high"] if "trials_high" in table else table["trials"]
    census = check.estimand == "list"
    tested: Any = (np.nan, np.nan)
    if source == WORST:
        # What is not identified is no evidence, even where its worst cases happen to agree.
        out |= dict.fromkeys(("rate", "other_rate", "gap"), np.nan)
        tested = tested if census else (1.0, 1.0)
        out["verdict"] = NOT_ENOUGH
    elif census:
        out["verdict"] = of_list(inference.gap_ends(*ends, kind), check.tolerance)
    else:
        inside, outside = evidence(*ends, check.tolerance)
        tested = inside, np.where(there, outside, np.nan)
    out["p_inside"], out["p_outside"] = tested
    out["people"] = np.where(both, table["trials"], most).astype(np.int64)
    return inference.beside(table, out | {"source": source})


def _joined(counts: Counts, check: Check, plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    how = plan.identification
    if how is None:
        raise DatamallError("The plan has no identification: say which arm was drawn at random.")
    kind = check.tolerance.kind
    found = identification.join(
        counts,
        check.metric,
        how,
        check.groups,
        estimand=check.estimand,
        reference=check.reference,
        depth=check.depth,
    )
    source = JOINED[found.design]
    table = found.table.assign(metric=check.metric, estimand=check.estimand, source=source)
    low, high = found.limits((1 - plan.level) / 2)
    figures = table.drop(columns="people").assign(
        successes=np.nan, trials=np.nan, rate=found.rate(), low=low, high=high
    )
    out = table.assign(rate=found.rate(), other_rate=found.rate(against=True))
    out["gap"] = found.ratio() if kind == "ratio" else out["rate"] - out["other_rate"]
    number = max(int(found.compared.sum()), 1)
    for name, tail in (("gap", 1 - plan.level), ("all", (1 - plan.level) / 2 / number)):
        out[f"{name}_low"], out[f"{name}_high"] = found.gaps(tail, kind)
    low, high = found.gaps(float(ndtr(-1)), kind)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = (np.log(v) if kind == "ratio" else v for v in (low, out["gap"].to_numpy(), high))
        least, middle, most = ends
        out["error_low"], out["error_high"] = middle - least, most - middle
    edges = check.tolerance.low, check.tolerance.high
    out["p_inside"], out["p_outside"] = found.evidence(kind, *edges)
    return figures, out[found.compared].reset_index(drop=True)


def check_keys(counts: Counts, plan: Plan) -> None:
    """Refuse a plan that names keys which the counts do not have."""
    wanted = [*plan.groups, *([plan.result] if plan.result else [])]
    wanted += [name for check in plan.checks for name in (*check.groups, *check.where)]
    wanted += list(plan.identification.strata) if plan.identification else []
    absent = [name for name in dict.fromkeys(wanted) if name not in counts.axes]
    if absent:
        raise DatamallError(
            f"The plan names {named(absent)}, and the counts have {named(counts.axes)}: give both "
            "the same names."
        )


def labels(plan: Plan, check: Check) -> list[str]:
    """Return the labels under which a check is repeated; one where it needs no outcome."""
    if not plan.labels or not metrics.find(check.metric).needs_outcomes:
        return [AS_RECORDED]
    return list(plan.labels)
