"""Information: who was flagged, chosen, visited, found and put right, by group, with intervals."""

import numpy as np
import pandas as pd

from datamall.fairness import Audit, metrics
from datamall.fairness.plan import Plan
from datamall.fairness.steps import recorded
from datamall.fairness.words import edges
from datamall.fraud.audit.display import (
    THOUSAND,
    check_of,
    counts_by_group,
    told,
    whose,
)
from datamall.fraud.audit.sources import TOTAL, definitions, is_own, latest
from datamall.requirements import Absent, passes_absent

ENOUGH = 100  # people in an arm of which something can be said
# Not how many were visited: beside those with a result it would tell exactly how few have none.
STAGES = {
    "population": "people in all",
    "flagged": "flagged",
    "chosen": "chosen in any way",
    "finding": "visited, with a result",
    "objection": "objected",
    "upheld": "put right",
}


def plan(plan: Plan) -> pd.DataFrame:
    """Return the plan of the audit as a table: all that shapes its verdict but the definitions.

    Returns
    -------
    pandas.DataFrame
        check, decides (yes where it gates), rate (what is measured, in words), tolerated, reason,
        norm.
    """
    rows = [
        {
            "check": check.name,
            "decides": check.gating,
            "rate": f"of {f'people {check.among}'.strip()}, those who {check.done}",
            "tolerated": edges(check),
            "reason": check.reason,
            "norm": check.norm,
        }
        for check in plan.checks
    ]
    return pd.DataFrame(rows)


def widest(plan: Plan) -> tuple[float | None, float | None]:
    """Return the widest tolerance among the checks that gate; None: an end without a limit."""
    lows = [check.tolerance.low for check in plan.checks if check.gating]
    highs = [check.tolerance.high for check in plan.checks if check.gating]
    return (
        None if None in lows else min((low for low in lows if low is not None), default=None),
        None if None in highs else max((high for high in highs if high is not None), default=None),
    )


@passes_absent
def people(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame | Absent:
    """Return how many people of each group reached each stage in the last year.

    Returns
    -------
    pandas.DataFrame
        See `display.counts_by_group`.
    """
    last = latest(counts)
    return counts_by_group(last[last["attribute"].isin(plan.groups)], STAGES)


@passes_absent
def shares(result: Audit, check: str) -> pd.DataFrame | Absent:
    """Return the share of each group to whom something happens, each with its own interval.

    Parameters
    ----------
    result
        As from `knowledge.judged`.
    check
        Name of a check.

    Returns
    -------
    pandas.DataFrame
        people, number, of_1000 with low and high. Where counts are rounded, the interval holds
        whatever they were.
    """
    figures, done = result.figures, check_of(result, check).done
    own = figures[figures["check"].eq(check) & figures["label"].eq(_first(figures))]
    if not len(own):
        return Absent(f"People who {done}", f"Not possible here: no counts of “{check}”.")
    keys = ["study", "check", "label", "by", "group"]
    people = result.comparisons[[*keys, "people"]]
    table = told(own.merge(people, on=keys, how="left").rename(columns={"by": "attribute"}), result)
    shown = table[["attribute"]].assign(people=whose(table))
    shown["number"] = (5 * (table["people"] / 5).round()).astype("Int64")
    for column, name in (("rate", "of_1000"), ("low", "low"), ("high", "high")):
        shown[name] = (THOUSAND * table[column]).round(1)
    shown = shown.dropna(subset=["of_1000"]).drop(columns="attribute")
    return shown.reset_index(drop=True)


@passes_absent
def labels(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return what counts as a mistake found, by study, and how often it was recorded by arm.

    Returns
    -------
    pandas.DataFrame
        study, label, arm, recorded (people with a result that is not left out), of_1000 with the
        mistake. Own counts only where nobody else counted the same.
    """
    last, rows = latest(counts), []
    for study, own in _by_whoever_counted(last):
        results = _results(own)
        for label, read in definitions(own, plan.labels).items():
            seen = results.loc[:, [name for name in results if read.get(name) is not None]]
            yes = seen.loc[:, [name for name in seen if read[name]]].sum(axis=1)
            for arm, number in seen.sum(axis=1).items():
                rows.append((study, label, arm, number, yes[arm]))
    table = pd.DataFrame(rows, columns=["study", "label", "arm", "recorded", "found"])
    share = metrics.share(table["found"].to_numpy(float), table["recorded"].to_numpy(float))
    table = table.assign(of_1000=(THOUSAND * share).round())
    return table.astype({"recorded": "Int64"})[["study", "label", "arm", "recorded", "of_1000"]]


def _by_whoever_counted(counts: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the studies; the department's own only where nobody else counted the same."""
    studies = [(str(study), own) for study, own in counts.groupby("study", sort=True)]
    others = {tuple(recorded(own)) for study, own in studies if not is_own(study)}
    return [(s, own) for s, own in studies if not (is_own(s) and tuple(recorded(own)) in others)]


def _results(counts: pd.DataFrame) -> pd.DataFrame:
    """Return people by arm (rows) and recorded result (columns), of everybody in a study."""
    own = counts[counts["attribute"].eq(counts["attribute"].min())]
    own = own[own["stage"].eq("finding") & own["band"].eq(TOTAL) & own["arm"].ne(TOTAL)]
    own = own[own["outcome"].isin(list(recorded(counts)))]
    whole = own[own["group"].eq(TOTAL)] if own["group"].eq(TOTAL).any() else own
    return whole.astype({"people": float}).pivot_table(
        index="arm", columns="outcome", values="people", aggfunc="sum", fill_value=0.0
    )


@passes_absent
def only_in(counts: pd.DataFrame) -> pd.DataFrame:
    """Return results that were recorded in one arm only, so that arms cannot be compared by them.

    Returns
    -------
    pandas.DataFrame
        study, result, arm, number; among arms with at least 100 people.
    """
    last, rows = latest(counts), []
    for study, own in _by_whoever_counted(last):
        results = _results(own)
        results = results[results.sum(axis=1) >= ENOUGH]
        for result in results.columns[(results > 0).sum() == 1] if len(results) > 1 else ():
            arm = results[result].idxmax()
            rows.append((study, result, arm, int(results.loc[arm, result])))
    return pd.DataFrame(rows, columns=["study", "result", "arm", "number"])


@passes_absent
def missing(result: Audit) -> pd.DataFrame:
    """Return the checks that could not be made, by study.

    Returns
    -------
    pandas.DataFrame
        study, check, decides (yes where the check gates).
    """
    made, rows = result.comparisons, []
    for study in sorted(made["study"].unique()):
        there = set(made.loc[made["study"].eq(study), "check"])
        rows += [(study, c.name, c.gating) for c in result.plan.checks if c.name not in there]
    return pd.DataFrame(rows, columns=["study", "check", "decides"])


@passes_absent
def difference_to_fairlearn(result: Audit) -> pd.DataFrame | Absent:
    """Return the largest difference of this audit's rates to fairlearn's.

    The counts of this very run, as printed, are handed to ``fairlearn.metrics.MetricFrame`` as
    people with a weight.

    Returns
    -------
    pandas.DataFrame
        metric (by fairlearn's name), groups (compared), largest_difference.
    """
    from fairlearn.metrics import MetricFrame, selection_rate
    from sklearn.metrics import precision_score

    # Metric of a check: fairlearn's function, and whether it asks what is true of the selected.
    theirs = {"selection_rate": (selection_rate, False), "base_rate": (precision_score, True)}
    figures, rows = result.figures, []
    metric = figures["metric"].where(figures["label"].eq(_first(figures)))
    for name, (function, of_truth) in theirs.items():
        own = figures[metric.eq(name) & figures["trials"].gt(0) & figures["successes"].notna()]
        if not len(own):
            continue
        found, of = (own[name].to_numpy(float) for name in ("successes", "trials"))
        weights = np.concatenate([found, of - found])
        sides, all_ = np.repeat([1, 0], len(own)), np.ones(2 * len(own), int)
        frame = MetricFrame(
            metrics=function,
            y_true=sides if of_truth else all_,
            y_pred=all_ if of_truth else sides,
            sensitive_features=np.tile(np.arange(len(own)), 2),
            sample_params={"sample_weight": weights},
        )
        far = np.abs(frame.by_group.to_numpy(float) - found / of)
        checks = ", ".join(own["check"].unique())
        rows.append((function.__name__, checks, len(own), float(far.max())))
    if not rows:
        reason = "Not possible here: there are too few people to have a rate."
        return Absent("Checked against another program", reason)
    return pd.DataFrame(rows, columns=["metric", "check", "groups", "largest_difference"])


def _first(figures: pd.DataFrame) -> pd.Series:
    """Return the definition of the outcome that counts for each row's study."""
    return figures.groupby(["study", "check"])["label"].transform("first")
