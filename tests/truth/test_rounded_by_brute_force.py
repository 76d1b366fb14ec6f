"""Limits from rounded counts against those of every exact table that rounds to the printed one.

The tables are small, so that all of them can be gone through. What each says is reckoned here
from its own counts: everybody else is the sum of the other groups, nothing else is known.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from datamall.fairness import Audit, Plan, audit, identification, steps
from datamall.fairness.intervals import gap_limits, limits
from datamall.fairness.joint_limits import BoundedPart, BoundedSample
from datamall.fairness.steps import ALL, KEYS, Selection
from datamall.fairness.verdict import Tolerance, evidence

Array = np.ndarray
EDGE = {"kind": "ratio", "within": 1.25, "reason": "a test"}
CHECK = {"name": "check", "tolerance": EDGE, "gating": True}
# One side of an interval of all gaps at once, and of one test, at 95 %.
ALONE, SLACK = 0.05, 1e-9
RESULTS = ("nothing", "unlawful")
UNPRINTED = -1


def place(stage: str, arm: str = ALL, band: str = ALL, outcome: str = ALL) -> tuple[str, ...]:
    return stage, arm, band, outcome


def selection(printed: Mapping[tuple[str, ...], Sequence[int]], rounding: int) -> Selection:
    """Return a published table: place → counts of a, b, … and last of everybody."""
    rows = []
    for node, people in printed.items():
        groups = [*"abcdef"[: len(people) - 1], ALL]
        stage, arm, band, outcome = node
        rows += [
            ("Town 2025", "sex", group, arm, band, stage, outcome, number, rounding)
            for group, number in zip(groups, people, strict=True)
            if number != UNPRINTED
        ]
    return Selection.read(pd.DataFrame(rows, columns=[*KEYS, "people", "rounding"]))


def planned(**check: Any) -> Plan:
    return Plan.read(
        {
            **{
                "groups": ["sex"],
                "labels": {"unlawful": dict(zip(RESULTS, (False, True), strict=True))},
            },
            **{"identification": {"random": "random"}, "high_bands": ["high"]},
            "checks": [CHECK | check],
        }
    )


def audited(counts: Selection, **check: Any) -> Audit:
    return audit(counts, planned(**check))


def every(printed: Sequence[Sequence[int]], rounding: int, only_ends: bool = False) -> Array:
    """Return all exact tables, shape (tables, counts, groups), that round to a printed one.

    `printed`: of each count the groups, and last everybody.
    """
    half, ways = rounding // 2, []
    for *groups, total in printed:
        step = 2 * half if only_ends else 1
        near = [[max(v + far, 0) for far in range(-half, half + 1, step)] for v in groups]
        own = np.unique(list(product(*near)), axis=0)
        rounds = (total == UNPRINTED) | (np.abs(own.sum(axis=1) - total) <= half)
        ways.append(own[rounds])
    places = np.indices([len(own) for own in ways]).reshape(len(ways), -1)
    return np.stack([own[at] for own, at in zip(ways, places, strict=True)], axis=1)


def others(table: Array) -> Array:
    return table.sum(axis=-1, keepdims=True) - table


def held(result: Audit, low: Array, high: Array, name: str) -> None:
    """Assert that the limits hold those of each exact table (rows) in each group (columns)."""
    found = result.comparisons
    assert (found[f"{name}_low"].to_numpy() <= low.min(axis=0) + SLACK).all(), name
    assert (found[f"{name}_high"].to_numpy() >= high.max(axis=0) * (1 - SLACK)).all(), name


def pairs(x: Array, n: Array) -> tuple[list[Array], list[Array]]:
    both = [x, n], [others(x), others(n)]
    return tuple([v.astype(float) for v in side] for side in both)  # type: ignore[return-value]


# Chosen, and all, of three groups and of everybody: printed to the nearest 5.
SHARES = {
    "totals that agree": ([10, 20, 5, 35], [50, 60, 40, 150]),
    "totals that say more": ([10, 20, 5, 40], [50, 60, 40, 155]),
    "totals that leave one table or two": ([10, 20, 5, 40], [50, 60, 40, 145]),
    "a group of whom perhaps nobody was": ([0, 20, 5, 25], [10, 60, 40, 110]),
}


@pytest.mark.parametrize(("chosen", "people"), SHARES.values(), ids=SHARES)
def test_shares_hold_those_of_every_table(chosen: list[int], people: list[int]) -> None:
    printed = {place("population"): people, place("flagged"): chosen}
    step = {"metric": "selection_rate", "step": {"to": "flagged", "of": "population"}}
    result = audited(selection(printed, 5), **step)
    tables = every([chosen, people], 5)
    x, n = tables[:, 0], tables[:, 1]
    assert len(tables) > 100
    one, other = pairs(x, n)
    for name, tail in (("all", 0.025 / 3), ("gap", ALONE)):
        held(result, *gap_limits(tuple(one), tuple(other), tail, "ratio"), name)
    inside, outside = evidence([tuple(one)] * 2, [tuple(other)] * 2, Tolerance("ratio", 0.8, 1.25))
    found = result.comparisons
    assert (found["p_inside"] >= inside.max(axis=0) - SLACK).all()
    assert (found["p_outside"] >= outside.max(axis=0) - SLACK).all()
    low, high = limits(*one, 0.025)
    assert (result.figures["low"] <= low.min(axis=0) + SLACK).all()
    assert (result.figures["high"] >= high.max(axis=0) - SLACK).all()


def test_where_no_total_is_printed_the_limits_are_those_of_the_worst_table() -> None:
    """Then the two sides are free of each other, and nothing wider is right."""
    found, nothing = [10, 20, 5, UNPRINTED], [40, 40, 35, UNPRINTED]
    printed = {
        place("finding", "random", ALL, "unlawful"): found,
        place("finding", "random", ALL, "nothing"): nothing,
    }
    step = {"to": "finding", "arms": ["random"]}
    result = audited(selection(printed, 5), metric="base_rate", of="investigated", step=step)
    tables = every([found, nothing], 5)
    one, other = pairs(tables[:, 0], tables.sum(axis=1))
    for name, tail in (("all", 0.025 / 3), ("gap", ALONE)):
        low, high = gap_limits(tuple(one), tuple(other), tail, "ratio")
        assert result.comparisons[f"{name}_low"].to_numpy() == pytest.approx(low.min(axis=0))
        assert result.comparisons[f"{name}_high"].to_numpy() == pytest.approx(high.max(axis=0))
    low, high = limits(*one, 0.025)
    assert result.figures["low"].to_numpy() == pytest.approx(low.min(axis=0))
    assert result.figures["high"].to_numpy() == pytest.approx(high.max(axis=0))


def joined(counts: Selection, step: dict[str, Any], metric: str) -> identification.Joined:
    """Return a rate of everybody from rounded counts."""
    plan = planned(metric="fpr", step=step)
    [study] = counts.studies(["sex"])
    label, meaning = study.labels(plan)[0]
    found = steps.counts(study, plan, plan.checks[0], label, meaning)
    assert found is not None and plan.identification is not None
    return identification.join(found, metric, plan.identification, ["sex"])


def of_tables(
    flagged: list[Array], left: list[Array], drawn: list[Array], design: Any
) -> BoundedPart:
    """Return each group of each exact table as a row, and what it is compared with.

    Each argument: people, and those without and with a mistake, by table and group.
    """
    sides = []
    for side in (np.asarray, others):
        own = [
            BoundedSample(*[np.tile(side(v).ravel(), (3, 1)).astype(float) for v in counts], known)
            for counts, known in ((flagged, design == "base"), (left, False), (drawn, False))
        ]
        sides.append(tuple(own))
    table = pd.DataFrame({"group": range(flagged[0].size)})
    return BoundedPart(table, design, False, None, *sides)  # type: ignore[arg-type]


# Printed to the nearest 3, of two groups and of everybody. A total that is 3 more than its parts
# leaves one number for each of them.
BASE = {
    "totals that agree": ([30, 45, 75], [6, 3, 9], [3, 3, 6], [9, 12, 21], [3, 3, 6]),
    "totals that say more": ([30, 45, 75], [6, 3, 9], [3, 3, 9], [9, 12, 21], [3, 3, 6]),
    "totals of the draw that say less": (
        [30, 45, 75], [6, 3, 12], [3, 3, 6], [9, 12, 18], [3, 3, 6],
    ),
    "a group in whom perhaps nothing was found": (
        [30, 45, 75], [0, 6, 6], [3, 3, 6], [0, 12, 12], [3, 3, 6],
    ),
    # Of three groups each count is at one of its ends.
    "three groups": (
        [30, 45, 24, 99], [6, 3, 9, 18], [3, 6, 3, 12], [9, 12, 6, 27], [3, 3, 6, 12],
    ),
    "three groups whose total says more": (
        [30, 45, 24, 102], [6, 3, 9, 18], [3, 6, 3, 12], [9, 12, 6, 27], [3, 3, 6, 12],
    ),
}  # fmt: skip
THREE = BASE["three groups"]


@pytest.mark.parametrize("metric", ["fpr", "tpr", "fnr", "ppv", "base_rate"])
@pytest.mark.parametrize("printed", BASE.values(), ids=BASE)
def test_rates_by_the_base_rate_of_a_draw_hold_those_of_every_table(
    printed: tuple[list[int], ...], metric: str
) -> None:
    nodes = [
        place("population"),
        *(place("finding", arm, ALL, y) for arm in ("profile", "random") for y in RESULTS),
    ]
    counts = selection(dict(zip(nodes, printed, strict=True)), 3)
    found = joined(counts, {"to": "visited", "arms": ["profile"]}, metric)
    assert found.design == "base"
    tables = every(printed, 3, only_ends=len(printed[0]) > 3)
    people, none, some, clear, wrong = tables.transpose(1, 0, 2)
    exact = of_tables(
        [none + some, none, some],
        [people - clear - wrong, clear, wrong],
        [people, clear, wrong],
        "base",
    )
    held_by(found, exact, metric, len(tables))


EVERYBODY = {
    "flags that say more": (
        [60, 90, 150], [15, 12, 24], [6, 3, 9], [3, 3, 6], [9, 12, 21], [3, 6, 12],
    ),
    "people that say more": (
        [60, 90, 153], [15, 12, 27], [6, 3, 12], [3, 3, 6], [9, 12, 21], [3, 6, 9],
    ),
}  # fmt: skip
AGREE = ([60, 90, 150], [15, 12, 27], [6, 3, 9], [3, 3, 6], [9, 12, 21], [3, 6, 9])
ALL_OF_THEM = pytest.param(AGREE, id="totals that agree", marks=pytest.mark.slow)


@pytest.mark.parametrize("metric", ["fpr", "tpr", "fnr", "ppv", "npv", "base_rate"])
@pytest.mark.parametrize(
    "printed", [*(pytest.param(v, id=k) for k, v in EVERYBODY.items()), ALL_OF_THEM]
)
def test_rates_by_the_flags_of_everybody_hold_those_of_every_table(
    printed: tuple[list[int], ...], metric: str
) -> None:
    nodes = [
        place("population"),
        place("flagged"),
        *(place("finding", "random", band, y) for band in ("high", "other") for y in RESULTS),
    ]
    found = joined(selection(dict(zip(nodes, printed, strict=True)), 3), {"to": "flagged"}, metric)
    assert found.design == "everybody"
    tables = every(printed, 3)
    people, flags, none, some, clear, wrong = tables.transpose(1, 0, 2)
    exact = of_tables(
        [flags, none, some],
        [people - flags, clear, wrong],
        [people, none + clear, some + wrong],
        "everybody",
    )
    held_by(found, exact, metric, len(tables))


def held_by(found: identification.Joined, exact: BoundedPart, metric: str, tables: int) -> None:
    """Assert that limits hold those of each exact table, of which enough say anything."""
    value, *ends = (v.reshape(tables, -1) for v in exact.rate(metric, 0.025, False))
    # 0 of 0 people: such a table leaves everything open, and bounds need not.
    said = ~np.isnan(value).any(axis=1)
    assert said.sum() > 300
    least, most = found.limits(0.025)
    assert (least <= ends[0][said].min(axis=0) + SLACK).all()
    assert (most >= ends[1][said].max(axis=0) - SLACK).all()
    for tail in (0.025, ALONE):
        low, high = (v.reshape(tables, -1)[said] for v in exact.gap(metric, tail, "ratio"))
        least, most = found.gaps(tail, "ratio")
        assert (least <= low.min(axis=0) + SLACK).all()
        assert (most >= high.max(axis=0) * (1 - SLACK)).all()


def test_the_audit_of_rounded_counts_says_what_its_limits_say() -> None:
    """The limits above are those that are printed, and that decide."""
    nodes = [
        place("population"),
        *(place("finding", arm, ALL, y) for arm in ("profile", "random") for y in RESULTS),
    ]
    counts = selection(dict(zip(nodes, THREE, strict=True)), 3)
    step = {"to": "visited", "arms": ["profile"]}
    result, found = audited(counts, metric="fpr", step=step), joined(counts, step, "fpr")
    table = result.comparisons
    for name, tail in (("all", 0.025 / 3), ("gap", ALONE)):
        low, high = found.gaps(tail, "ratio")
        assert table[f"{name}_low"].to_numpy() == pytest.approx(low)
        assert table[f"{name}_high"].to_numpy() == pytest.approx(high)
    low, high = found.limits(0.025)
    assert result.figures["low"].to_numpy() == pytest.approx(low)
    assert result.figures["high"].to_numpy() == pytest.approx(high)
    inside, outside = found.evidence("ratio", 0.8, 1.25)
    assert table["p_inside"].to_numpy() == pytest.approx(inside)
    assert table["p_outside"].to_numpy() == pytest.approx(outside)
