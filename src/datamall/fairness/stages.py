"""Stages of a selection: where, between the flag and the upheld objection, a gap comes in.

Of those who were flagged some are chosen by a person, some of these visited, some of these found to
have made a mistake, and some of those object and are right. Each stage has its own rate, of those
who reached it, and the ratios of two groups at all stages multiply to the ratio of the whole way.
So a neutral model with a biased human choice is seen as that, where its flags alone look fair.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from datamall.errors import DatamallError
from datamall.fairness import counting, inference, metrics, recoding
from datamall.fairness.bounds import Bounds
from datamall.fairness.cells import Cells
from datamall.fairness.counting import Labels, named
from datamall.fairness.inference import Estimand
from datamall.fairness.recoding import Counts
from datamall.fairness.subgroups import REST, Reference

WHOLE = "whole way"


def from_people(
    frame: pd.DataFrame,
    groups: Sequence[str],
    stages: Sequence[str],
    *,
    arm: str | None = None,
    score_band: str | None = None,
    count: str | None = None,
    labels: Labels | None = None,
) -> Cells:
    """Count people, or cells, with one column per stage.

    Parameters
    ----------
    frame
        One row per person (or cell, with `count`).
    groups, arm, score_band, count, labels
        See `datamall.fairness.Cells.from_frame`; `labels` reads the columns of stages.
    stages
        Columns in order: did the person pass this stage. A person counts at a stage who passed all
        before it; where whether they passed it is unknown, they count as unknown there.

    Returns
    -------
    Cells
        With a key `stage`; the decision is whether the stage was passed.

    Raises
    ------
    DatamallError
        See `Cells.from_frame`.
    """
    keep = [name for name in (*groups, arm, score_band, count) if name is not None]
    absent = [name for name in (*keep, *stages) if name not in frame.columns]
    if absent or not stages:
        raise DatamallError(
            f"There is no column {named(absent)}." if absent else "Name at least one stage."
        )
    rows, parts = frame, []
    for name in stages:
        part = rows[keep].assign(stage=name, decision=rows[name])
        parts.append(part.astype({"decision": object}))
        meaning = (labels or {}).get(name)
        passed = _passed(rows[name], name, meaning)
        rows = rows[passed]
    own = {"decision": _merged(labels, stages)} if labels else None
    table = pd.concat(parts, ignore_index=True)
    return Cells.from_frame(
        table,
        groups,
        "decision",
        arm=arm,
        stage="stage",
        score_band=score_band,
        count=count,
        labels=own,
    )


def _merged(labels: Labels | None, stages: Sequence[str]) -> dict[Any, bool | None]:
    """Return one reading of the values of all stages, which must not contradict each other."""
    out: dict[Any, bool | None] = {1: True, 0: False}
    out |= {"yes": True, "no": False, "1": True, "0": False}
    given: Mapping[str, Any] = labels or {}
    for name in stages:
        for value, meaning in given.get(name, {}).items():
            if out.setdefault(value, meaning) != meaning:
                raise DatamallError(
                    f"{value!s} means {meaning} at {name} and something else at another stage: "
                    "give the stages columns of yes and no."
                )
    return out


def _passed(column: pd.Series, name: str, meaning: Any) -> np.ndarray:
    """Return who passed a stage."""
    codes, values = counting.encode(column, name)
    read = counting.truth([None, *values], name, {} if meaning is None else {name: meaning})
    return read[np.asarray(codes, int) + 1] == counting.YES


def from_reached(
    frame: pd.DataFrame,
    groups: Sequence[str],
    stage: str,
    order: Sequence[str],
    *,
    count: str,
    rounding: int = 1,
    suppressed_below: int | None = None,
    total: str = "total",
) -> Bounds:
    """Take published counts of how many people reached each stage.

    Parameters
    ----------
    frame
        One row per count: people of a group who reached a stage.
    groups, rounding, suppressed_below, total
        See `datamall.fairness.Bounds.from_rounded`.
    stage
        Column of stages.
    order
        Stages from the first, which everybody reached, to the last.
    count
        Column of counts.

    Returns
    -------
    Bounds
        With a key `stage`: all but the first; the decision is whether it was reached, by those who
        reached the one before.

    Raises
    ------
    DatamallError
        See `Bounds.from_rounded`; or if a stage is not there.
    """
    met = set(map(str, frame[stage].dropna())) if stage in frame else set()
    absent = [name for name in order if name not in met]
    if absent or len(order) < 2:
        raise DatamallError(
            f"Column {stage} has no stage {named(absent)}: there are {named(sorted(met))}."
            if absent
            else "Give at least two stages: the first is everybody."
        )
    parts = []
    for before, after in pairwise(order):
        for name, decision in ((after, "yes"), (before, total)):
            rows = frame[frame[stage] == name]
            parts.append(rows[[*groups, count]].assign(stage=after, decision=decision))
    return Bounds.from_rounded(
        pd.concat(parts, ignore_index=True),
        groups,
        "decision",
        count=count,
        stage="stage",
        rounding=rounding,
        suppressed_below=suppressed_below,
        total=total,
    )


def decompose(
    counts: Counts,
    order: Sequence[str],
    by: Sequence[str] | None = None,
    *,
    reference: Reference = REST,
    depth: int = 1,
    estimand: Estimand = "procedure",
    level: float = 0.95,
) -> pd.DataFrame:
    """Return the rate of each stage by group, and its part in the ratio of the whole way.

    Parameters
    ----------
    counts
        With a key `stage`; the decision is whether the stage was passed.
    order
        Stages from first to last; each is of those who passed the one before.
    by, reference, depth, estimand
        See `datamall.fairness.inference.compare`.
    level
        For all ratios of the table together.

    Returns
    -------
    DataFrame
        One row per group and stage, then one for the `WHOLE` way: `by`, `group`, `stage`,
        `successes`, `trials`, `other_successes`, `other_trials`, `rate`, `other_rate`, `ratio`,
        `ratio_low`, `ratio_high`, and `share`: the logarithm of the ratio, as a part of that of the
        whole way (NaN where that is 0 or unknown). The printed ratios of the stages multiply to
        that of the whole way where the counts are exact.

    Raises
    ------
    DatamallError
        If a stage is not there, or exact counts are not those who passed the stage before.
    """
    stages = recoding.levels(counts, "stage")
    absent = [name for name in order if name not in stages]
    if absent:
        raise DatamallError(f"There is no stage {named(absent)}: there are {named(stages)}.")
    tables = []
    for name in order:
        part = recoding.where(counts, {"stage": name})
        options: dict[str, Any] = {"estimand": estimand, "reference": reference, "depth": depth}
        options["names"] = ["selection_rate"]
        exact = isinstance(part, Cells)
        own = inference.pairs(part, by, **options) if exact else part.pairs(by, **options)
        tables.append(own.assign(stage=name))
    if isinstance(counts, Cells):
        _check_nested(tables)
    whole = _whole(tables[0], tables[-1], reference)
    table = pd.concat([*tables, whole], ignore_index=True)
    tail = (1 - level) / 2 / max(int(inference.comparable(table).sum()), 1)
    table = inference.with_gaps(table, tail)
    logs = np.log(table["ratio"].where(table["ratio"] > 0))
    place = [table["by"], table["group"]]
    total = logs.where(table["stage"] == WHOLE).groupby(place).transform("max")
    table["share"] = (logs / total.where(total != 0)).where(np.isfinite(logs))
    position = table["stage"].map({name: i for i, name in enumerate([*order, WHOLE])})
    first = {key: i for i, key in enumerate(zip(tables[0]["by"], tables[0]["group"], strict=True))}
    group = [first.get(key, len(first)) for key in zip(table["by"], table["group"], strict=True)]
    table = table.assign(position=position, place=group)
    table = table.sort_values(["place", "position"], kind="stable", ignore_index=True)
    counted = [f"{p}{v}" for p in ("", "other_") for v in ("successes", "trials")]
    kept = ["by", "group", "stage", *counted, "rate", "other_rate"]
    return table[[*kept, "ratio", "ratio_low", "ratio_high", "share"]]


def _whole(first: pd.DataFrame, last: pd.DataFrame, reference: Reference) -> pd.DataFrame:
    """Return the comparisons from those at the start to those who passed the last stage."""
    keys = ["by", "group"]
    ends = {v: v for v in first if "trials" in v}
    passed = [v for v in last if "successes" in v]
    both = first[[*keys, "metric", "estimand", *ends]].merge(
        last[[*keys, *passed]], on=keys, how="left"
    )
    if "trials_low" in both:
        both = _corners(both, first, last, keys)
    else:
        # A group of which nobody reached the last stage is not among its comparisons.
        others = last["other_successes"] + (last["successes"] if reference == REST else 0)
        of_others = both["by"].map(others.groupby(last["by"]).first())
        both["other_successes"] = both["other_successes"].fillna(of_others)
        both["successes"] = both["successes"].fillna(0)
    return both.assign(stage=WHOLE)


def _corners(
    both: pd.DataFrame, first: pd.DataFrame, last: pd.DataFrame, keys: list[str]
) -> pd.DataFrame:
    """Return the corners of the whole way: fewest of the most people, and most of the fewest."""
    for prefix in ("", "other_"):
        most, fewest = (
            np.maximum(first[f"{prefix}trials_low"], first[f"{prefix}trials_high"]),
            np.minimum(first[f"{prefix}trials_low"], first[f"{prefix}trials_high"]),
        )
        ends = first[keys].assign(most=most, fewest=fewest)
        ends = both[keys].merge(ends, on=keys, how="left")
        both[f"{prefix}trials_low"] = ends["most"].to_numpy()
        both[f"{prefix}trials_high"] = np.fmax(
            ends["fewest"].to_numpy(), both[f"{prefix}successes_high"].to_numpy()
        )
    return both


def _check_nested(tables: list[pd.DataFrame]) -> None:
    keys = ["by", "group"]
    for before, after in pairwise(tables):
        both = before.merge(after, on=keys, how="left", suffixes=("", "_after"))
        reached = both["trials_after"].fillna(0)
        odd = reached > both["successes"]
        if odd.any():
            row = both[odd].iloc[0]
            raise DatamallError(
                f"Stage {row['stage_after']} counts {row['trials_after']:.0f} people of "
                f"{row['group']}, and {row['successes']} passed {row['stage']} before it: each "
                "stage is of those who passed the one before."
            )


def against(
    counts: Cells,
    arm: str,
    other: str,
    by: Sequence[str] | None = None,
    *,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare whom one way of choosing reaches with whom another does, such as a random draw.

    Parameters
    ----------
    counts
        With a key `arm`.
    arm, other
        Two of its values: the profile and the random draw, or the human process.
    by
        Attributes, one at a time; default: all.
    level
        For all ratios of the table together.

    Returns
    -------
    DataFrame
        One row per group: `by`, `group`, `people` and `other_people` of the group in each arm,
        `share`, `other_share` (of all people of the arm), `ratio`, `ratio_low`, `ratio_high`.
    """
    known = recoding.levels(counts, "arm")
    absent = [name for name in (arm, other) if name not in known]
    if absent:
        raise DatamallError(f"There is no arm {named(absent)}: there are {named(known)}.")
    names = list(counts.groups if by is None else [by] if isinstance(by, str) else by)
    parts = []
    for name in names:
        wide = {}
        for each in (arm, other):
            part = counts.where(arm=each).by([name])
            people = pd.Series(part.counts.sum(axis=(1, 2)), index=part.keys[name].astype(str))
            wide[each] = people
        table = pd.DataFrame(wide).fillna(0).astype(np.int64)
        parts.append(
            pd.DataFrame(
                {
                    "by": name,
                    "group": list(table.index),
                    "people": table[arm].to_numpy(),
                    "other_people": table[other].to_numpy(),
                    "all_": int(table[arm].sum()),
                    "other_all": int(table[other].sum()),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    pairs = table.rename(columns={"people": "successes", "all_": "trials"}).rename(
        columns={"other_people": "other_successes", "other_all": "other_trials"}
    )
    gaps = inference.with_gaps(pairs.assign(estimand="procedure"), (1 - level) / 2 / len(table))
    table["share"] = metrics.share(table["people"], table["all_"])
    table["other_share"] = metrics.share(table["other_people"], table["other_all"])
    for name in ("ratio", "ratio_low", "ratio_high"):
        table[name] = gaps[name]
    return table.drop(columns=["all_", "other_all"])
