"""Each check of the registered plan on one selection whose numbers are reckoned by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from datamall.fairness import Audit, Plan
from datamall.fairness.intervals import gap_limits
from datamall.fraud.audit import display, knowledge, sources
from datamall.project import load_parameters

SECTION = load_parameters(Path(__file__).parents[2])["fraud_audit"]
GROUPS = ("A", "B", "C")
# Arm, band, how far they came, result, objection: people of A, B and C.
PEOPLE: dict[tuple[str, str, str, str, str], tuple[int, int, int]] = {
    ("none", "other", "", "none", ""): (765, 862, 418),
    ("none", "high", "", "none", ""): (60, 40, 20),
    ("profile", "high", "chosen", "none", ""): (10, 6, 4),
    ("profile", "high", "visited", "nothing", ""): (40, 20, 8),
    ("profile", "high", "visited", "unclear", ""): (6, 3, 2),
    ("profile", "high", "visited", "administrative", ""): (7, 2, 2),
    ("profile", "high", "visited", "administrative", "rejected"): (3, 2, 1),
    ("profile", "high", "visited", "administrative", "upheld"): (2, 1, 1),
    ("profile", "high", "visited", "unlawful", ""): (13, 7, 3),
    ("profile", "high", "visited", "unlawful", "rejected"): (4, 1, 2),
    ("profile", "high", "visited", "unlawful", "upheld"): (3, 1, 0),
    ("signal", "other", "chosen", "none", ""): (3, 2, 1),
    ("signal", "other", "visited", "nothing", ""): (14, 6, 3),
    ("signal", "high", "visited", "nothing", ""): (5, 2, 1),
    ("signal", "other", "visited", "unlawful", ""): (7, 4, 2),
    ("follow-up", "other", "visited", "nothing", ""): (4, 2, 1),
    ("follow-up", "other", "visited", "unlawful", ""): (2, 1, 1),
    ("random", "other", "chosen", "none", ""): (2, 1, 1),
    ("random", "other", "visited", "nothing", ""): (30, 25, 20),
    ("random", "other", "visited", "unlawful", ""): (4, 3, 2),
    ("random", "other", "visited", "administrative", ""): (2, 2, 1),
    ("random", "high", "visited", "nothing", ""): (8, 4, 3),
    ("random", "high", "visited", "unclear", ""): (1, 1, 1),
    ("random", "high", "visited", "unlawful", ""): (5, 2, 2),
}
# Taken on and could be, of A and of B and C together.
SHARES = {
    "flagged": (167, 1000, 92 + 50, 1500),
    # Of the flagged, those drawn (14; 7 and 6) or reported (5; 2 and 1) were no longer to choose.
    "chosen": (88, 167 - 14 - 5, 43 + 23, (92 - 7 - 2) + (50 - 6 - 1)),
    "visited": (160, 175, 89 + 56, 98 + 62),
    "picked": (88, 1000, 43 + 23, 1500),
    "reported": (29, 1000 - 52, 14 + 7, 1500 - 38 - 30),
    "found": (4 + 2 + 5, 50, 7 + 5, 37 + 29),
    "harsher": (38, 38 + 14, 19 + 12, (19 + 7) + (12 + 5)),
    "objected": (3 + 2 + 4 + 3, 38 + 14, 5 + 4, 26 + 17),
    "upheld": (2 + 3, 12, 2 + 1, 9),
    "hit rate": (12 + 20, 78, 14 + 9, 37 + 19),
}
# Of A, and of B and C together: people, and of those drawn who nothing was found in, of how many.
WRONGLY = (
    # Profile, signal and follow-up; of all but those who were drawn (52; 38 and 30), of whom 50
    # (37 and 29) were visited.
    (46 + 19 + 4) / ((1000 - 52) * 39 / 50),
    (23 + 8 + 2 + 10 + 4 + 1) / ((1500 - 38 - 30) * 54 / 66),
)


def odds(flagged: float, left: float) -> float:
    return flagged / (flagged + left)


RATES = {
    "wrongly visited": WRONGLY,
    "wrongly flagged": (
        odds(167 * 9 / 14, 833 * 30 / 36),
        odds(142 * 9 / 13, 1358 * 45 / 53),
    ),
    "missed": (
        odds(833 * 6 / 36, 167 * 5 / 14),
        odds(1358 * 8 / 53, 142 * 4 / 13),
    ),
}


def counted() -> pd.DataFrame:
    """Return the counts of `PEOPLE` by stage, as an office would that rounds nothing."""
    rows = []
    for (arm, band, reached, result, objection), numbers in PEOPLE.items():
        stages = {
            "population": True,
            "flagged": band == "high",
            "chosen": reached != "",
            "visited": reached == "visited",
            "finding": result != "none",
            "objection": objection != "",
            "upheld": objection == "upheld",
        }
        for stage in (name for name, there in stages.items() if there):
            outcome = result if stage == "finding" else "none"
            rows += [
                ("Town 2025", "origin", group, arm, band, stage, outcome, number)
                for group, number in zip(GROUPS, numbers, strict=True)
            ]
    table = pd.DataFrame(rows, columns=[*sources.KEYS, "people"])
    return table.groupby(sources.KEYS)["people"].sum().reset_index().assign(rounding=1)


def audited(table: pd.DataFrame, *names: str) -> Audit:
    """Return the audit by the plan, or by these of its checks."""
    plan = Plan.read({k: v for k, v in SECTION.items() if k != "crossed"} | {"groups": ["origin"]})
    if names:
        plan = replace(plan, checks=tuple(c for c in plan.checks if c.name in names))
    official = sources.official({"welfare.audit_counts": table})
    result = knowledge.judged(official, plan)
    assert isinstance(result, Audit)
    return result


@pytest.fixture(scope="module")
def town() -> Audit:
    return audited(counted())


def row(result: Audit, check: str, group: str = "A") -> pd.Series:
    """Return a comparison under the first definition of a mistake."""
    table = result.comparisons
    return table[table["check"].eq(check) & table["group"].eq(group)].iloc[0]


def test_every_check_of_the_plan_is_reckoned_here() -> None:
    assert {check["name"] for check in SECTION["checks"]} == {*SHARES, *RATES}
    assert [sum(numbers) for numbers in zip(*PEOPLE.values(), strict=True)] == [1000, 1000, 500]


@pytest.mark.parametrize("check", SHARES)
def test_a_share_by_hand(town: Audit, check: str) -> None:
    found = row(town, check)
    numbers = ["successes", "trials", "other_successes", "other_trials"]
    x, n, y, m = SHARES[check]
    assert found[numbers].tolist() == [x, n, y, m]
    assert found["gap"] == pytest.approx((x / n) / (y / m), rel=1e-12)
    # Printed for a group by itself: 95 %.
    figures = town.figures[town.figures["check"].eq(check) & town.figures["group"].eq("A")].iloc[0]
    exact = binomtest(x, n).proportion_ci(0.95, "exact")
    assert [figures["rate"], figures["low"], figures["high"]] == pytest.approx([x / n, *exact])
    # The gaps of three groups at once at 95 %, both ends; and each end of a test by itself.
    pair = [(np.array(float(a)), np.array(float(b))) for a, b in ((x, n), (y, m))]
    for name, tail in (("all", 0.025 / 3), ("gap", 0.05)):
        ends = [float(v) for v in gap_limits(pair[0], pair[1], tail, "ratio")]
        assert [found[f"{name}_low"], found[f"{name}_high"]] == pytest.approx(ends), name


@pytest.mark.parametrize("check", RATES)
def test_a_rate_of_everybody_by_hand(town: Audit, check: str) -> None:
    found = row(town, check)
    one, other = RATES[check]
    assert [found["rate"], found["other_rate"]] == pytest.approx([one, other], rel=1e-12)
    assert found["gap"] == pytest.approx(one / other, rel=1e-12)
    assert found["all_low"] < found["gap_low"] < one / other < found["gap_high"] < found["all_high"]
    figures = town.figures[town.figures["check"].eq(check) & town.figures["group"].eq("A")].iloc[0]
    assert figures["low"] < figures["rate"] < figures["high"]


def test_the_visits_of_each_arm_of_the_selection_count(town: Audit) -> None:
    whole = row(town, "wrongly visited")["rate"]
    for arm, nothing in {"profile": 46, "signal": 19, "follow-up": 4}.items():
        table = counted()
        gone = table["arm"].eq(arm) & table["stage"].ne("population")
        less = row(audited(table[~gone], "wrongly visited"), "wrongly visited")["rate"]
        assert less == pytest.approx(whole * (69 - nothing) / 69), arm


@pytest.mark.slow
@pytest.mark.parametrize(("rounding", "hidden"), [(5, 0), (10, 0), (5, 10)])
def test_limits_from_rounded_and_hidden_counts_hold_those_of_the_exact_ones(
    town: Audit, rounding: int, hidden: int
) -> None:
    table = sources.official({"welfare.audit_counts": counted()})
    # A statistics office prints a nought where nobody is.
    every = table[["study", "attribute", "stage"]].drop_duplicates()
    for name in ("group", "arm", "band", "outcome"):
        every = every.merge(pd.DataFrame({name: table[name].unique()}), how="cross")
    every = every[every["stage"].eq("finding") | every["outcome"].isin(["none", "total"])]
    table = every.merge(table.drop(columns="rounding"), how="left")
    people = table["people"].fillna(0).astype(int)
    rounded = ((people + rounding // 2) // rounding * rounding).astype("Int64")
    table = table.assign(rounding=rounding, people=rounded.mask(people < hidden))
    result = knowledge.judged(table, town.plan)
    assert isinstance(result, Audit)
    assert set(result.comparisons["check"]) == {*SHARES, *RATES}
    keys = ["check", "label", "group"]
    both = town.comparisons.merge(result.comparisons, on=keys, suffixes=("", "_rounded"))
    assert len(both) == len(result.comparisons)
    for name in ("gap", "all"):
        assert (both[f"{name}_low_rounded"] <= both[f"{name}_low"] * (1 + 1e-9)).all()
        assert (both[f"{name}_high_rounded"] >= both[f"{name}_high"] * (1 - 1e-9)).all()
    for name in ("p_inside", "p_outside"):
        assert (both[f"{name}_rounded"] >= both[name] * (1 - 0.01)).all()
    # They are no excuse to say nothing.
    wide = both["all_low_rounded"].gt(0).groupby(both["check"]).any()
    assert wide[["flagged", "visited", "picked"]].all()


def test_what_is_said_is_what_was_counted(town: Audit) -> None:
    shown = display.printable(display.comparisons(town))
    shown = shown[shown["people"].eq("people from A")].set_index("check")
    rates = {name: (x / n, y / m) for name, (x, n, y, m) in SHARES.items()} | RATES
    for name, (one, other) in rates.items():
        check = display.check_of(town, name)
        among = f"people from A {check.among}".strip()
        one, other = (display.frequency(round(1000 * rate, 1)) for rate in (one, other))
        said = f"Of 1,000 {among}, {one} {check.done}; of 1,000 others, {other}: "
        assert knowledge.sentence(shown.loc[name], check).startswith(said)
