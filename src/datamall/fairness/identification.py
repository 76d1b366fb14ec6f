"""Error rates of everybody from the outcomes of a few: what can be known, and what cannot.

An outcome is recorded for people who were investigated, and those were chosen: selective labels
(Lakkaraju and others 2017). The rate of wrong flags among *them* says little about the rate among
all people who did nothing wrong. It is identified where some were investigated at random. With a
the share of a group that is flagged, and the share without a mistake w₁ among the flagged and w₀
among the others,

    P(flag | no mistake) / P(no flag | no mistake) = a / (1 − a) · w₁ / w₀.

a is known for everybody; w₀ comes from the random arm, w₁ from the random arm and, where the plan
gives a reason, from the profile arm too. These are independent proportions. Three designs:

- *everybody*: all people are counted, and whether those of the random arm were flagged is known;
- *base*: all people are counted, but that is not known; then P(flag | no mistake) = a · w₁ / b, b
  the share without a mistake in the random arm;
- *cases*: only the investigated are counted (as in Sweden); the size of each group then comes from
  the random arm as well, and the ratio between two groups is a ratio of odds, as in a case-control
  study (Cornfield 1951).

How their limits are joined: `datamall.fairness.joint_limits`. Without a random arm nothing of this
is known; what remains are the worst cases (Manski, American Economic Review 80, 1990).
"""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaln

from datamall.errors import DatamallError
from datamall.fairness import counting, metrics, published, recoding
from datamall.fairness.bounds import Bounds
from datamall.fairness.cells import Cells
from datamall.fairness.counting import NO, TOTAL, UNKNOWN, YES
from datamall.fairness.inference import Estimand
from datamall.fairness.joint_limits import (
    BoundedPart,
    BoundedSample,
    Design,
    Joined,
    Part,
    Sample,
)
from datamall.fairness.plan import Identification
from datamall.fairness.subgroups import REST, Reference, row_of

# A result that is absent from an arm by chance alone would be so this seldom.
_BY_CHANCE = 0.05
_ANY = [NO, YES, UNKNOWN]
_KNOWN = [NO, YES]


def design(counts: Cells | Bounds, how: Identification) -> tuple[Design | None, str]:
    """Return how error rates of everybody are identified, or None and why they are not.

    Parameters
    ----------
    counts
        Counts with a key `arm`; people who were not investigated have an unknown outcome. For
        bounds the largest counts decide.
    how
        Which arm is which.
    """
    if how.random is None:
        return None, "nobody was investigated at random"
    if "arm" not in counts.axes:
        return None, "the counts do not say how people were chosen (they have no arm)"
    if how.random not in counts.levels[counts.axes.index("arm")]:
        return None, f"nobody is in the random arm ({how.random})"
    drawn, others = _arms(counts, how.random)
    if not drawn[:, _KNOWN].any():
        return None, "the random arm has no outcomes"
    if not drawn[UNKNOWN].any():
        found: Design = "everybody"
    elif drawn[_KNOWN].any():
        return None, "whether people of the random arm were flagged is known for some of them only"
    elif not others[YES, _KNOWN].any():
        return None, "nobody who was flagged has an outcome"
    else:
        found = "base" if others[NO].any() else "cases"
    if isinstance(counts, Bounds) and (found == "cases" or how.strata):
        return None, "rounded counts are joined where everybody is counted, and without strata"
    return found, ""


def _arms(counts: Cells | Bounds, random: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the (most) people of the random arm and of all others, by decision and outcome."""
    if isinstance(counts, Cells):
        drawn = counts.where(arm=random).counts.sum(axis=0)
        return drawn, counts.counts.sum(axis=0) - drawn
    place = counts.axes.index("arm")
    by_arm = np.moveaxis(counts.high[..., :TOTAL, :TOTAL], place, -3)
    by_arm = by_arm[(-1,) * (len(counts.axes) - 1)][:-1]
    at = counts.levels[place].index(random)
    return by_arm[at], np.delete(by_arm, at, axis=0).sum(axis=0)


def identified(
    counts: Cells | Bounds, metric: str, how: Identification
) -> tuple[Design | None, str]:
    """Return how a rate of everybody is identified, as `design` does for all of them."""
    found, why = design(counts, how)
    own = metrics.find(metric)
    if found and not own.joinable:
        return None, "no arm gives it"
    if found and found != "everybody" and own.given == (NO, TOTAL):
        return None, "whether people of the random arm were flagged is not known"
    return found, why


def join(
    cells: Cells | Bounds,
    metric: str,
    how: Identification,
    by: Sequence[str] | None = None,
    *,
    estimand: Estimand = "procedure",
    reference: Reference = REST,
    depth: int | None = None,
) -> Joined:
    """Return a rate of everybody in each group, put together from all arms.

    Parameters
    ----------
    cells
        Counts with a key `arm`; decision: flagged; outcome: known for the investigated.
    metric
        One that can be joined; see `datamall.fairness.metrics.Metric`.
    how
        Which arm is which; see `datamall.fairness.plan.Identification`.
    by, estimand, reference, depth
        See `datamall.fairness.inference.compare`. For ``"list"`` the flags are what they are, and
        outcomes that are known of all the flagged are no sample; the random arm always is one.

    Raises
    ------
    DatamallError
        If the rate is not identified, or there is no such key or reference group.
    """
    found, why = identified(cells, metric, how)
    if found is None:
        raise DatamallError(f"The {metric} of everybody is not identified: {why}.")
    names = list(cells.groups if by is None else [by] if isinstance(by, str) else by)
    if not names:
        raise DatamallError("There are no groups to compare: name at least one attribute.")
    if found == "cases" and how.strata:
        raise DatamallError(
            "A random arm drawn within strata needs the number of people in each stratum: count "
            "everybody, or leave strata out."
        )
    strata = [name for name in how.strata if name not in names]
    base = cells.by([*names, *strata, "arm"]) if isinstance(cells, Cells) else cells
    parts: list[Part | BoundedPart] = []
    for size in range(1, min(depth, len(names)) + 1) if depth else [len(names)]:
        for own in combinations(names, size):
            make: Any = _part if isinstance(base, Cells) else _bounded_part
            parts.append(make(base, own, how, found, estimand, reference))
    table = pd.concat([part.table for part in parts], ignore_index=True)
    return Joined(table, metric, found, tuple(parts))


def _part(
    base: Cells,
    own: Sequence[str],
    how: Identification,
    found: Design,
    estimand: Estimand,
    reference: Reference,
) -> Part:
    cells = base.by([*own, *(name for name in how.strata if name not in own), "arm"])
    known, group = np.unique(cells.codes[:, : len(own)], axis=0, return_inverse=True)
    strata, stratum = np.unique(cells.codes[:, len(own) : -1], axis=0, return_inverse=True)
    arms = cells.levels[-1]
    drawn = cells.codes[:, -1] == arms.index(how.random)
    profile = cells.codes[:, -1] == (arms.index(how.profile) if how.profile in arms else -1)

    def count(rows: Any, decisions: list[int], outcomes: list[int]) -> np.ndarray:
        out = np.zeros((len(known), max(len(strata), 1)), np.int64)
        people = cells.counts[:, decisions][:, :, outcomes].sum(axis=(1, 2)) * rows
        np.add.at(out, (group.ravel(), stratum.ravel()), people)
        return out

    def sample(rows: Any, decisions: list[int]) -> list[np.ndarray]:
        return [count(rows, decisions, [outcome]) for outcome in _KNOWN]

    everybody, flagged = count(1, _ANY, _ANY), count(1, [YES], _ANY)
    # Where every flagged person has an outcome, these are no sample. Otherwise the profile arm
    # stands for them only by a reason that the plan gives; the random arm always does.
    every = sample(1, [YES])
    complete = (every[0] + every[1] == flagged) & (flagged > 0)
    some = sample(drawn | profile if how.reason else drawn, [YES])
    if found == "cases":
        complete = np.ones(flagged.shape, bool)  # people without an outcome are left out
        flagged = every[0] + every[1]
    none, mistakes = (np.where(complete, a, b) for a, b in zip(every, some, strict=True))
    pool = _poolable(complete, flagged > 0, bool(how.reason))
    of_draw = sample(drawn, _ANY)
    standing = of_draw[0] + of_draw[1] if found == "cases" else everybody
    of_everybody = Sample(standing, of_draw[0], of_draw[1], True)
    # Whether those who were drawn are flagged too is not known: the others stand for themselves.
    left = Sample(everybody - count(drawn, _ANY, _ANY), of_draw[0], of_draw[1], True)
    if found == "everybody":
        not_flagged = sample(drawn, [NO])
        left = Sample(count(1, [NO], _ANY), not_flagged[0], not_flagged[1], True)
    names = pd.DataFrame(
        {name: [cells.levels[i][code] for code in known[:, i]] for i, name in enumerate(own)}
    )
    table = pd.DataFrame(
        {
            "by": " × ".join(own),
            "group": [" × ".join(map(str, row)) for row in names.itertuples(index=False)],
            "people": everybody.sum(axis=1),
        }
    )
    return Part(
        table,
        found,
        estimand == "list",
        None if reference == REST else row_of(names, own, reference),
        Sample(flagged, none, mistakes, pool),
        left,
        of_everybody,
        float(how.population or np.nan),
    )


def _bounded_part(
    counts: Bounds,
    own: Sequence[str],
    how: Identification,
    found: Design,
    estimand: Estimand,
    reference: Reference,
) -> BoundedPart:
    order = [counts.axes.index(name) for name in (*own, "arm")]
    rest = [place for place in range(len(counts.axes)) if place not in order]
    arms, size = counts.levels[order[-1]], len(own)
    drawn = arms.index(how.random)

    def by_group(array: np.ndarray) -> np.ndarray:
        """Return groups and, last, everybody; by arm, decision and outcome."""
        array = np.transpose(array, [*rest, *order, -2, -1])[(-1,) * len(rest)]
        groups = array[(slice(-1),) * size].reshape(-1, *array.shape[size:])
        return np.concatenate([groups, array[(-1,) * size][None]])

    low, high, printed = (by_group(v) for v in (counts.low, counts.high, counts.printed))
    every = np.stack([published.middle(low, high, printed), low, high]).astype(float)
    names = pd.DataFrame(
        list(product(*(counts.levels[place] for place in order[:-1]))), columns=own
    )
    there = np.flatnonzero(every[2, :-1, -1, TOTAL, TOTAL] > 0)
    names, every = names.iloc[there].reset_index(drop=True), every[:, [*there, -1]]
    row = None if reference == REST else row_of(names, own, reference)
    # Whom people chose may differ from group to group, so that the profile arm is no one sample.
    complete = not every[2, -1, -1, YES, UNKNOWN] > 0

    def others(sample: np.ndarray) -> np.ndarray:
        if row is not None:
            return np.broadcast_to(sample[:, [row]], sample[:, :-1].shape)
        groups, (_, least, most) = sample[:, :-1], sample[:, -1]
        below = np.maximum(least - groups[2], groups[1].sum() - groups[1])
        above = np.minimum(most - groups[1], groups[2].sum() - groups[2])
        below, above = np.maximum(below, 0), np.maximum(above, 0)
        return np.stack([np.clip(sample[0, -1] - groups[0], below, above), below, above])

    of_draw = [every[..., drawn, TOTAL, outcome] for outcome in _KNOWN]
    everybody = every[..., -1, TOTAL, TOTAL]
    known = [every[..., -1 if complete else drawn, YES, outcome] for outcome in _KNOWN]
    samples = [[every[..., -1, YES, TOTAL], *known]]
    if found == "everybody":
        samples.append([every[..., -1, NO, TOTAL], *(every[..., drawn, NO, y] for y in _KNOWN)])
    else:
        # Whether those who were drawn are flagged too is not known: the others stand for them.
        least = np.maximum(everybody[1] - every[2, :, drawn, TOTAL, TOTAL], 0)
        most = everybody[2] - every[1, :, drawn, TOTAL, TOTAL]
        left = np.clip(everybody[0] - every[0, :, drawn, TOTAL, TOTAL], least, most)
        samples.append([np.stack([left, least, most]), *of_draw])
    samples.append([everybody, *of_draw])
    table = pd.DataFrame(
        {
            "by": " × ".join(own),
            "group": [" × ".join(map(str, values)) for values in names.itertuples(index=False)],
            "people": every[2, :-1, -1, TOTAL, TOTAL].astype(np.int64),
        }
    )
    one, other = (
        [
            BoundedSample(side(people), side(none), side(mistakes), complete and place == 0)
            for place, (people, none, mistakes) in enumerate(samples)
        ]
        for side in (lambda v: v[:, :-1], others)
    )
    census = estimand == "list"
    return BoundedPart(table, found, census, row, tuple(one), tuple(other))  # type: ignore[arg-type]


def _poolable(complete: np.ndarray, there: np.ndarray, profile: bool) -> bool:
    """Return whether outcomes of the flagged of several groups are one sample.

    They are if everybody's is known, or all are of the random arm; of the profile arm they are not,
    since people may have chosen more in one group than in another.
    """
    return bool(complete[there].all()) or not (profile or complete.any())


def recorded(counts: Cells | Bounds, result: str, arm: str = "arm") -> pd.DataFrame:
    """Return in which arms each result was recorded.

    Parameters
    ----------
    counts
        Counts with a key that holds the recorded result, and one that says the arm.
    result, arm
        These keys.

    Returns
    -------
    DataFrame
        One row per result: `result`, `people`, `arms` (where it occurs, joined by ", "), `absent`
        (arms with other results where it does not), `p` (probability that those arms would have
        none of it if arms made no difference: hypergeometric, exact) and `one_arm_only`: whether it
        occurs in one arm only, and p is below .05 divided by the number of results. For bounds the
        largest counts decide where it occurs.
    """
    known, arms = recoding.levels(counts, result), recoding.levels(counts, arm)
    table = np.zeros((len(known), len(arms)), np.int64)
    if isinstance(counts, Cells):
        part = counts.by([result, arm])
        table[part.codes[:, 0], part.codes[:, 1]] = part.counts.sum(axis=(1, 2))
    else:
        place = [-1] * len(counts.axes) + [TOTAL, TOTAL]
        at: list[Any] = list(place)
        at[counts.axes.index(result)], at[counts.axes.index(arm)] = slice(-1), slice(-1)
        table = counts.high[tuple(at)]
        table = table if counts.axes.index(result) < counts.axes.index(arm) else table.T
    return by_arm(table, known, arms)


def by_arm(table: np.ndarray, known: Sequence[Any], arms: Sequence[Any]) -> pd.DataFrame:
    """Return `recorded` from people by result (rows) and arm (columns)."""
    rows = [i for i, value in enumerate(known) if value != counting.MISSING]
    table, met = table[rows], table[rows].sum(axis=0) > 0
    people, sizes = table.sum(axis=1), table.sum(axis=0)
    absent = (table == 0) & met
    elsewhere = np.where(absent, sizes, 0).sum(axis=1)
    p = np.where(absent.any(axis=1), _none_of(people, elsewhere, int(sizes.sum())), 1.0)
    alone = (table > 0).sum(axis=1) == 1
    return pd.DataFrame(
        {
            "result": [known[i] for i in rows],
            "people": people,
            "arms": [
                ", ".join(str(a) for a, n in zip(arms, row, strict=True) if n) for row in table
            ],
            "absent": [
                ", ".join(str(a) for a, n in zip(arms, row, strict=True) if n) for row in absent
            ],
            "p": p,
            "one_arm_only": alone & (p <= _BY_CHANCE / max(len(rows), 1)),
        }
    )


def _none_of(marked: np.ndarray, drawn: np.ndarray, everybody: int) -> np.ndarray:
    """Return the probability that none of the marked people are among those drawn."""
    left = np.maximum(everybody - marked - drawn, 0)
    log = gammaln(everybody - marked + 1) - gammaln(left + 1)
    log += gammaln(everybody - drawn + 1) - gammaln(everybody + 1)
    return np.where(marked + drawn > everybody, 0.0, np.exp(np.minimum(log, 0)))


def worst_cases(
    counts: Cells | Bounds,
    by: Sequence[str] | None = None,
    *,
    estimand: Estimand,
    metric: str,
    reference: Reference = REST,
    depth: int | None = None,
) -> pd.DataFrame:
    """Return the counts of each comparison where people without an outcome may have had either.

    Parameters
    ----------
    counts, by, estimand, reference, depth
        See `datamall.fairness.inference.compare`.
    metric
        The rate.

    Returns
    -------
    DataFrame
        As `datamall.fairness.Bounds.pairs`, for `datamall.fairness.verdict.verdicts`.
    """
    names = [by] if isinstance(by, str) else list(counts.groups if by is None else by)
    bounds = Bounds.from_cells(counts.by(names)) if isinstance(counts, Cells) else counts
    return bounds.pairs(
        names,
        estimand=estimand,
        reference=reference,
        names=[metric],
        depth=depth,
        unknown=True,
    )
