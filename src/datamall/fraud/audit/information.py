"""Information: who was flagged, chosen, visited, found and put right, by group, with intervals."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from datamall.fairness import metrics
from datamall.fairness.intervals import limits
from datamall.fraud.audit import errors
from datamall.fraud.audit.display import THOUSAND, counts_by_group, whose
from datamall.fraud.audit.errors import WRONGLY_VISITED
from datamall.fraud.audit.judge import EVERY, Plan, every_step
from datamall.fraud.audit.sources import TOTAL, definitions, is_own, latest, meaning, outcomes
from datamall.requirements import Absent, passes_absent

ENOUGH = 100  # people in an arm of which something can be said
STAGES = {
    "population": "people in all",
    "flagged": "flagged",
    "chosen": "chosen in any way",
    "visited": "visited in any way",
    "finding": "with a result",
    "objection": "objected",
    "upheld": "put right",
}


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
def shares(counts: pd.DataFrame, plan: Plan, check: str) -> pd.DataFrame | Absent:
    """Return the share of each group to whom something happens, each with its own interval.

    Parameters
    ----------
    counts
        As from `sources`.
    plan
        The plan.
    check
        Name of a check, or ``wrongly visited``.

    Returns
    -------
    pandas.DataFrame
        people, number, of_1000 with low and high. Where counts are rounded, the interval holds
        whatever they were.
    """
    last = latest(counts)
    last = last[last["attribute"].isin(plan.groups)]
    pairs = every_step(last, plan, [check], every_group=True) if len(last) else last
    if not len(pairs):
        return Absent(
            f"People who {EVERY[check].done}", f"Not possible here: no counts of “{check}”."
        )
    tail = (1 - plan.level) / 2
    if check == WRONGLY_VISITED:
        pairs = errors.rates(pairs)
        low, high = errors.rate_interval(pairs, tail)
    else:
        pairs["rate"] = metrics.share(pairs["successes"], pairs["trials"])
        low = limits(pairs["successes_low"], pairs["trials_low"], tail)[0]
        high = limits(pairs["successes_high"], pairs["trials_high"], tail)[1]
    table = pairs.assign(people=whose(pairs), low=low, high=high)
    result = table[["people"]].assign(number=(5 * (table["trials"] / 5).round()).astype("Int64"))
    for column, name in (("rate", "of_1000"), ("low", "low"), ("high", "high")):
        result[name] = (THOUSAND * table[column]).round(1)
    return result.dropna(subset=["of_1000"]).reset_index(drop=True)


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
    others = {tuple(outcomes(own)) for s, own in last.groupby("study") if not is_own(str(s))}
    for study, own in last.groupby("study", sort=True):
        if is_own(str(study)) and tuple(outcomes(own)) in others:
            continue  # the same people, counted by somebody else
        results = _results(own)
        for label in definitions(own, plan.labels):
            read = meaning(label, outcomes(own)) or {}
            told = results.loc[:, [name for name in results if read.get(name) is not None]]
            yes = told.loc[:, [name for name in told if read[name]]].sum(axis=1)
            for arm, recorded in told.sum(axis=1).items():
                rows.append((study, label, arm, recorded, yes[arm]))
    table = pd.DataFrame(rows, columns=["study", "label", "arm", "recorded", "found"])
    share = metrics.share(table["found"].to_numpy(float), table["recorded"].to_numpy(float))
    table = table.assign(of_1000=(THOUSAND * share).round())
    return table.astype({"recorded": "Int64"})[["study", "label", "arm", "recorded", "of_1000"]]


def _results(counts: pd.DataFrame) -> pd.DataFrame:
    """Return people by arm (rows) and recorded result (columns), of everybody in a study."""
    own = counts[counts["attribute"].eq(counts["attribute"].min())]
    own = own[own["stage"].eq("finding") & own["band"].eq(TOTAL) & own["arm"].ne(TOTAL)]
    own = own[own["outcome"].isin(outcomes(counts))]
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
    others = {tuple(outcomes(own)) for s, own in last.groupby("study") if not is_own(str(s))}
    for study, own in last.groupby("study", sort=True):
        if is_own(str(study)) and tuple(outcomes(own)) in others:
            continue  # the same people, counted by somebody else
        results = _results(own)
        results = results[results.sum(axis=1) >= ENOUGH]
        for result in results.columns[(results > 0).sum() == 1] if len(results) > 1 else ():
            arm = results[result].idxmax()
            rows.append((study, result, arm, int(results.loc[arm, result])))
    return pd.DataFrame(rows, columns=["study", "result", "arm", "number"])


@passes_absent
def missing(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return the checks that could not be made, by study.

    Returns
    -------
    pandas.DataFrame
        study, check, decides (yes where the check gates).
    """
    last, rows = latest(counts), []
    keys: Sequence[str] = (*plan.gating, *plan.informing)
    # One attribute of each study says what was counted.
    first = last.groupby("study")["attribute"].transform("min")
    made = every_step(last[last["attribute"].eq(first)], plan, keys)
    for study in sorted(last["study"].unique()):
        there = set(made.loc[made["study"].eq(study), "check"])
        rows += [(study, key, key in plan.gating) for key in keys if key not in there]
    return pd.DataFrame(rows, columns=["study", "check", "decides"])


@passes_absent
def difference_to_fairlearn(counts: pd.DataFrame, plan: Plan) -> pd.DataFrame | Absent:
    """Return the largest difference of this audit's rates to fairlearn's.

    The counts of this very run, as printed, are handed to ``fairlearn.metrics.MetricFrame`` as
    people with a weight.

    Returns
    -------
    pandas.DataFrame
        metric (by fairlearn's name), groups (compared), largest_difference.
    """
    from fairlearn.metrics import (
        MetricFrame,
        false_negative_rate,
        false_positive_rate,
        selection_rate,
    )
    from sklearn.metrics import precision_score

    last = latest(counts)
    last = last[last["attribute"].isin(plan.groups)]
    # Check: fairlearn's function, the truth of those it is about, and what "yes" was decided.
    theirs = {
        "flagged": (selection_rate, 0, 1),
        "wrongly flagged": (false_positive_rate, 0, 1),
        "missed": (false_negative_rate, 1, 0),
        "hit rate": (precision_score, None, 1),
    }
    pairs, rows = every_step(last, plan, list(theirs), every_group=True), []
    if not len(pairs):
        reason = "Not possible here: there are too few people to have a rate."
        return Absent("Checked against another program", reason)
    for check, (function, truth, yes) in theirs.items():
        own = pairs[pairs["check"].eq(check) & pairs["trials"].gt(0) & pairs["successes"].notna()]
        if not len(own):
            continue
        found, of = (own[name].to_numpy(float) for name in ("successes", "trials"))
        rest = of - found
        decided = np.repeat([yes, 1 - yes], len(own)) if truth is not None else 1
        frame = MetricFrame(
            metrics=function,
            y_true=np.repeat([1, 0], len(own)) if truth is None else np.full(2 * len(own), truth),
            y_pred=np.broadcast_to(decided, 2 * len(own)),
            sensitive_features=np.tile(np.arange(len(own)), 2),
            sample_params={"sample_weight": np.concatenate([found, rest])},
        )
        far = np.abs(frame.by_group.to_numpy(float) - found / of)
        rows.append((function.__name__, check, len(own), float(far.max())))
    return pd.DataFrame(rows, columns=["metric", "check", "groups", "largest_difference"])
