"""Audits reckoned by hand: families, shares of the error, gaps that would have been found.

Shares of the error come from a root finder, adjusted p-values from all subsets of a family (closed
testing), and detectable gaps from the least number that a test finds.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import beta, norm

from datamall.errors import DatamallError
from datamall.fairness import Audit, Bounds, Cells, Plan, audit
from datamall.fairness.auditing import COMPARISONS, FIGURES
from datamall.fairness.intervals import gap_limits
from datamall.fairness.steps import ALL, KEYS, Selection
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS

FOUR_FIFTHS = {"kind": "ratio", "low": 0.8, "high": 1.25, "reason": "four fifths"}
TEN_POINTS_MORE = {"kind": "difference", "low": None, "high": 0.1, "reason": "ten points"}
LEVEL, POWER = 0.9, 0.7
STRICT = {"level": LEVEL, "power": POWER}
Array = np.ndarray


def check(name: str, metric: str = "selection_rate", **more: Any) -> dict[str, Any]:
    return {"name": name, "metric": metric, "tolerance": FOUR_FIFTHS} | more


def plan(*checks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"groups": ["g"], "checks": list(checks)} | more


def cells(**groups: tuple[int, int, int, int]) -> Cells:
    """Return cells from tp, fp, fn, tn of each group."""
    table = pd.DataFrame.from_dict(groups, orient="index", columns=["tp", "fp", "fn", "tn"])
    return Cells.from_confusion(table.reset_index(names="g"), ["g"])


def flagged(**groups: tuple[int, int]) -> Cells:
    return cells(**{name: (x, 0, n - x, 0) for name, (x, n) in groups.items()})


def shares(effect: Sequence[float] | Array, error: float) -> Array:
    """Return the best shares of an error (Roeder and Wasserman 2009), a tenth of it in equal parts.

    `effect`: a gap that should be found, in standard errors.
    """
    e = np.asarray(effect, float)
    c = brentq(lambda c: norm.sf(e / 2 + c / e).sum() - error, -500, 500, xtol=1e-13)
    best = norm.sf(e / 2 + c / e)
    return 0.9 * best / best.sum() + 0.1 / len(e)


def standard_errors(people: Sequence[float] | Array, rate: float, gap: float) -> Array:
    """Return a gap, as a part of the rate, in standard errors of the rate of so many people."""
    return gap * np.sqrt(np.asarray(people, float) * rate / (1 - rate))


def closed(p: Sequence[float] | Array, weights: Sequence[float] | Array) -> Array:
    """Adjust p-values: each is as large as in the subset of its family that speaks least for it."""
    p, weights, out = np.asarray(p, float), np.asarray(weights, float), np.zeros(len(p))
    for subset in range(1, 2 ** len(p)):
        own = [i for i in range(len(p)) if subset >> i & 1]
        least = min(1, (p[own] / weights[own]).min() * weights[own].sum())
        out[own] = np.maximum(out[own], least)
    return out


def found(pair: tuple[float, float], other: tuple[float, float], edge: float, tail: float) -> float:
    """Return the ratio, or the difference if the edge is near 0, that a test finds with the power.

    The least number of successes that the test finds, or of failures on the low side, is sought
    first; then the rate at which so many are seen with the power.
    """
    n, kind = int(pair[1]), "difference" if abs(edge) < 0.5 else "ratio"
    above = edge > 1 or kind == "difference"

    def finds(k: int) -> bool:
        one = (np.array([k if above else n - k]), np.array([n]))
        others = np.array([other[0]]), np.array([other[1]])
        low, high = gap_limits(one, others, tail, kind)  # type: ignore[arg-type]
        return bool(low[0] > edge if above else high[0] < edge)

    least = bisect_left(range(n + 1), True, key=finds)
    if least > n:
        return np.nan
    needed = beta.ppf(POWER, least, n - least + 1)
    rate, base = needed if above else 1 - needed, other[0] / other[1]
    return float(rate / base if kind == "ratio" else rate - base)


def holds(result: Audit, rows: Any, weights: Array, level: float = LEVEL) -> None:
    """Assert that these comparisons are a family, whose error is shared like that."""
    own = result.comparisons[rows] if not isinstance(rows, list) else result.comparisons.iloc[rows]
    assert len(own) == len(weights)
    adjusted = closed(own["p_outside"], weights)
    np.testing.assert_allclose(own["p_outside_holm"], adjusted, rtol=1e-8)
    passes = np.where(own["p_inside"] <= 1 - level, PASS, NOT_ENOUGH)
    assert own["verdict"].tolist() == np.where(adjusted <= 1 - level, FAIL, passes).tolist()


def finds(result: Audit, rows: Any, weights: Array, sides: int = 2) -> None:
    """Assert the detectable gaps of counted comparisons, whose sides share their error."""
    own = result.comparisons.iloc[rows] if isinstance(rows, list) else result.comparisons[rows]
    for (_, row), weight in zip(own.iterrows(), weights, strict=True):
        one = row["successes"], row["trials"]
        other = row["other_successes"], row["other_trials"]
        tail = (1 - LEVEL) * weight / sides
        edges = {"low": 0.8, "high": 1.25} if sides == 2 else {"low": None, "high": 0.1}
        for end, edge in edges.items():
            expected = np.nan if edge is None else found(one, other, edge, tail)
            assert row[f"detectable_{end}"] == pytest.approx(expected, rel=1e-9, nan_ok=True)


def test_two_checks_get_half_the_error_each_and_large_groups_less_than_needed() -> None:
    counts = cells(a=(200, 400, 300, 3100), b=(40, 70, 10, 280), c=(5, 20, 3, 22))
    asked = plan(check("flagged"), check("wronged", "fpr", tolerance=TEN_POINTS_MORE), **STRICT)
    result = audit(counts, asked)
    # Of 4450 people 735 are flagged; of 3892 without the outcome 490.
    ratios = shares(standard_errors([4000, 400, 50], 735 / 4450, np.log(1.25)), 0.1) / 2
    rate = 490 / 3892
    points = shares(standard_errors([3500, 350, 42], rate, 0.1 / rate), 0.1) / 2
    holds(result, slice(None), np.r_[ratios, points])
    finds(result, slice(0, 3), ratios)
    finds(result, slice(3, 6), points, sides=1)
    assert result.comparisons["verdict"].tolist() == [FAIL] * 3 + [PASS, NOT_ENOUGH, FAIL]
    assert result.comparisons["not_judged"].tolist() == [""] * 6
    assert result.comparisons["gates"].tolist() == [True] * 6
    # Both tables count their rows from nought through all checks.
    assert result.figures.index.tolist() == list(range(6))
    assert result.comparisons.index.tolist() == list(range(6))


CROSSED = {
    ("1", "m"): (300, 3000), ("1", "w"): (350, 3000), ("1", "x"): (6, 31),
    ("2", "m"): (130, 1000), ("2", "w"): (90, 1000), ("2", "x"): (5, 30),
    ("3", "m"): (160, 1000), ("3", "w"): (60, 800), ("3", "x"): (2, 20),
    ("4", "m"): (50, 300), ("4", "w"): (2, 29), ("4", "x"): (9, 40),
}  # fmt: skip


def crossed() -> Cells:
    """Return people of two attributes, in groups of which some are small."""
    table = [(int(g), h, x, n - x) for (g, h), (x, n) in CROSSED.items()]
    frame = pd.DataFrame(table, columns=["g", "h", "yes", "no"])
    frame = frame.melt(["g", "h"], var_name="d", value_name="n")
    return Cells.from_frame(frame, ["g", "h"], "d", count="n")


def test_what_is_left_out_is_judged_in_families_of_its_own() -> None:
    left = {"g": [3, 9], "h": ["x"]}
    asked = plan(check("flagged"), groups=["g", "h"], depth=2, leave_out=left, smallest=30)
    result = audit(crossed(), asked | STRICT)
    own = result.comparisons.set_index("group")
    reasons = {
        "the plan leaves out g 3": ["3", "3 × m", "3 × w"],
        "the plan leaves out h x": ["x", "1 × x", "2 × x", "4 × x"],
        "the plan leaves out g 3 and h x": ["3 × x"],
        "fewer than 30 people": ["4 × w"],
        "": ["1", "2", "4", "m", "w", "1 × m", "1 × w", "2 × m", "2 × w", "4 × m"],
    }
    yes, people = map(sum, zip(*CROSSED.values(), strict=True))
    rate = yes / people
    for reason, groups in reasons.items():
        assert own.index[own["not_judged"] == reason].tolist() == groups
        assert own.loc[groups, "gates"].tolist() == [reason == ""] * len(groups)
        effect = standard_errors(own.loc[groups, "trials"], rate, np.log(1.25))
        deep = own.loc[groups, "by"].eq("g × h").to_numpy()
        levels = len(set(deep))
        weights = np.zeros(len(groups))
        for depth in set(deep):
            weights[deep == depth] = shares(effect[deep == depth], 0.1 / levels) / levels
        rows = (result.comparisons["not_judged"] == reason).to_numpy()
        holds(result, rows, weights)
        if not deep.all() and reason:
            finds(result, rows, weights)
    # Thirty people are not fewer than thirty.
    thirty = audit(crossed(), asked | {"leave_out": {}}).comparisons.set_index("group")
    assert thirty.loc["2 × x", "gates"] and thirty.loc["2 × x", "people"] == 30
    assert not thirty.loc["4 × w", "gates"] and thirty.loc["4 × w", "people"] == 29
    assert result.changes.to_numpy().tolist() == [
        ["group left out", "g", "3", "shown, not judged", "yes"],
        ["group left out", "g", "9", "shown, not judged", "yes"],
        ["group left out", "h", "x", "shown, not judged", "yes"],
        ["small groups left out", "all checks", "groups of fewer than 30 people",
         "shown, not judged", "yes"],
    ]  # fmt: skip


def test_a_check_that_informs_is_a_family_and_takes_no_error_from_others() -> None:
    counts = cells(a=(200, 400, 300, 3100), b=(40, 70, 10, 280), c=(5, 20, 3, 22))
    asked = plan(check("flagged"), check("wronged", "fpr", gating=False), **STRICT)
    result = audit(counts, asked)
    gates = shares(standard_errors([4000, 400, 50], 735 / 4450, np.log(1.25)), 0.1)
    informs = shares(standard_errors([3500, 350, 42], 490 / 3892, np.log(1.25)), 0.1)
    assert result.comparisons["gates"].tolist() == [True] * 3 + [False] * 3
    for rows, weights in ((slice(0, 3), gates), (slice(3, 6), informs)):
        holds(result, rows, weights)
        finds(result, rows, weights)


def test_group_names_may_hold_the_sign_of_a_crossing() -> None:
    result = audit(
        flagged(**{"a × b": (10, 100), "c": (10, 100)}), plan(check("flagged"), leave_out={"g": []})
    )
    assert result.comparisons["group"].tolist() == ["a × b", "c"]
    assert result.comparisons["not_judged"].tolist() == ["", ""]


def test_the_second_of_two_groups_says_what_the_first_said() -> None:
    counts = flagged(a=(100, 1000), b=(160, 1000))
    asked = plan(check("one"), check("other", tolerance={**FOUR_FIFTHS, "high": 1.2}), **STRICT)
    own = audit(counts, asked).comparisons
    # One comparison of the first check, whose sides mirror each other; two of the second.
    assert own["p_outside_holm"][0] == own["p_outside_holm"][1]
    half = 0.5
    adjusted = closed(own["p_outside"][[0, 2, 3]], [half, half / 2, half / 2])
    np.testing.assert_allclose(own["p_outside_holm"], adjusted[[0, 0, 1, 2]], rtol=1e-8)
    # Both of a pair are looked for with the whole share of the pair.
    for place, (x, y) in enumerate(((100, 160), (160, 100))):
        for end, edge in (("low", 0.8), ("high", 1.25)):
            expected = found((x, 1000), (y, 1000), edge, 0.1 * half / 2)
            assert own[f"detectable_{end}"][place] == pytest.approx(expected, rel=1e-9)


def test_the_second_of_two_groups_speaks_for_itself_where_the_first_is_left_out() -> None:
    # Selected are 100 and 160 of a thousand, and as many have the outcome.
    counts = cells(a=(40, 60, 60, 840), b=(64, 96, 96, 744))
    asked = plan(check("one"), check("other", "base_rate"), leave_out={"g": ["a"]}, **STRICT)
    result = audit(counts, asked)
    assert result.comparisons["group"].tolist() == ["a", "b"] * 2
    assert result.comparisons["gates"].tolist() == [False, True] * 2
    rows = result.comparisons["gates"].to_numpy()
    holds(result, rows, np.array([0.5, 0.5]))
    finds(result, rows, np.array([0.5, 0.5]))


def test_two_groups_beside_a_reference_are_two_comparisons() -> None:
    counts = flagged(a=(1000, 10_000), b=(1400, 10_000), c=(1450, 10_000))
    result = audit(counts, plan(check("flagged"), reference={"g": "a"}, **STRICT))
    assert result.comparisons["group"].tolist() == ["b", "c"]
    holds(result, slice(None), np.array([0.5, 0.5]))
    finds(result, slice(None), np.array([0.5, 0.5]))


def town() -> Cells:
    """Return people of three groups: some flagged and visited, some drawn at random."""
    columns = ["profile m", "profile n", "random m", "random n", "drawn m", "drawn n", "none"]
    people = {
        "a": (200, 300, 60, 400, 10, 30, 2000),
        "b": (150, 600, 30, 200, 8, 40, 1000),
        "c": (90, 50, 5, 60, 3, 5, 300),
    }
    rows = []
    for group, numbers in people.items():
        for column, number in zip(columns, numbers, strict=True):
            arm, _, result = column.partition(" ")
            taken = arm in ("profile", "drawn")
            arm = "random" if arm == "drawn" else arm
            rows.append((group, taken, arm, result or None, number))
    frame = pd.DataFrame(rows, columns=["g", "d", "arm", "r", "n"])
    return Cells.from_frame(frame, ["g", "r"], "d", arm="arm", count="n")


HOW = {"random": "random", "profile": "profile", "reason": "all who are flagged are visited"}
READ = {"result": "r", "labels": {"found": {"m": True, "n": False}}, "identification": HOW}
POINTS_LESS = {"kind": "difference", "low": -0.02, "high": None, "reason": "two points"}
FAR = {"kind": "difference", "low": -0.73, "high": 0.73, "reason": "nearly anything"}
MIXED = plan(
    check("flagged"),
    check("now", estimand="list"),
    check("wronged", "fpr"),
    check("missed", "fnr", tolerance=POINTS_LESS),
    check("right", "ppv", tolerance=TEN_POINTS_MORE, of="investigated"),
    check("far", "fnr", tolerance=FAR, gating=False),
    **READ,
)
# People of each group, those flagged (all have a result), and those of them with a mistake.
PEOPLE, TAKEN = np.array([3000, 2028, 513]), np.array([540, 798, 148])
RIGHT = np.array([210, 158, 93])


def rows_of(result: Audit, *names: str) -> Array:
    return result.comparisons["check"].isin(names).to_numpy()


def test_lists_counts_and_joined_rates_are_one_family() -> None:
    result = audit(town(), MIXED | STRICT)
    sizes = shares(standard_errors(PEOPLE, TAKEN.sum() / PEOPLE.sum(), np.log(1.25)), 0.1) / 4
    rate = RIGHT.sum() / TAKEN.sum()
    right = shares(standard_errors(TAKEN, rate, 0.1 / rate), 0.1) / 4
    # Joined rates have no counts, and equal shares; the list needs none.
    equal = np.full(3, 1 / 4 / 3)
    gating = rows_of(result, "flagged", "wronged", "missed", "right")
    holds(result, gating, np.r_[sizes, equal, equal, right])
    finds(result, rows_of(result, "flagged"), sizes)
    finds(result, rows_of(result, "right"), right, sides=1)
    now = result.comparisons[rows_of(result, "now")]
    # Ratios of the lists: 540/3000 : 946/2541, 798/2028 : 688/3513, 148/513 : 1338/5028.
    assert now["gap"].round(3).tolist() == [0.483, 2.009, 1.084]
    assert now["verdict"].tolist() == [FAIL, FAIL, PASS]
    assert now[["p_outside_holm", "detectable_low", "detectable_high"]].isna().all(axis=None)
    assert result.recorded["result"].tolist() == ["m", "n"]
    assert not result.recorded["one_arm_only"].any()


def test_gaps_of_joined_rates_would_have_been_found_by_their_standard_errors() -> None:
    table = audit(town(), MIXED | STRICT).comparisons.set_index("check")
    # At this level the limits of a gap are one standard error away.
    joined = [each for each in MIXED["checks"] if each["name"] in ("wronged", "missed")]
    near = audit(town(), MIXED | {"level": norm.cdf(1), "checks": joined}).comparisons
    gap, low, high = near.set_index("check")[["gap", "gap_low", "gap_high"]].to_numpy().T
    wronged, missed = slice(0, 3), slice(3, 6)
    z = norm.ppf(POWER) - norm.ppf(0.1 / 4 / 3 / 2)
    for end, expected in (
        ("low", 0.8 * (gap / high)[wronged] ** z),
        ("high", 1.25 * (gap / low)[wronged] ** z),
    ):
        np.testing.assert_allclose(table.loc["wronged", f"detectable_{end}"], expected, 1e-9)
    z = norm.ppf(POWER) - norm.ppf(0.1 / 4 / 3)
    expected = -0.02 - z * (high - gap)[missed]
    np.testing.assert_allclose(table.loc["missed", "detectable_low"], expected, 1e-9)
    assert table.loc["missed", "detectable_high"].isna().all()
    # No rate lies beyond 0 and 1; of the family of its own this check has all the error.
    others = table.loc["far", "other_rate"].to_numpy()
    z = norm.ppf(POWER) - norm.ppf(0.1 / 3 / 2)
    for end, beyond in (
        ("low", -0.73 - z * (high - gap)[missed]),
        ("high", 0.73 + z * (gap - low)[missed]),
    ):
        assert (np.abs(others + beyond - 0.5) > 0.5).all()
        assert table.loc["far", f"detectable_{end}"].isna().all()


def test_no_ratio_would_have_been_found_that_needs_a_rate_above_one() -> None:
    """Nine of ten have no mistake: a tenth more is the most that there can be."""
    rows = [
        (group, taken, arm, result, number)
        for group, scale in (("a", 8), ("b", 4), ("c", 1))
        for taken, arm, result, number in (
            *((False, "none", None, 100 * scale), (True, "profile", "m", 9 * scale)),
            (True, "profile", "n", 20 * scale),
            *((False, "random", "n", 18 * scale), (False, "random", "m", 2 * scale)),
        )
    ]
    frame = pd.DataFrame(rows, columns=["g", "d", "arm", "r", "n"])
    counts = Cells.from_frame(frame, ["g", "r"], "d", arm="arm", count="n")
    table = audit(counts, plan(check("clean", "npv"), **READ)).comparisons
    assert table["other_rate"].to_numpy() == pytest.approx([0.9] * 3)
    assert table["detectable_high"].isna().all()
    assert (table["detectable_low"] < 0.8).all()
    # As differences: there is room below, and none above.
    apart = {"kind": "difference", "within": 0.05, "reason": "a test"}
    table = audit(counts, plan(check("clean", "npv", tolerance=apart), **READ)).comparisons
    assert table["detectable_high"].isna().all()
    assert ((table["detectable_low"] < -0.1) & (table["detectable_low"] > -0.9)).all()


def test_what_is_not_identified_takes_its_share_and_would_find_nothing() -> None:
    asked = plan(check("wronged", "fpr"), check("flagged"), **READ | {"identification": None})
    result = audit(town(), asked | STRICT)
    wronged, flagged_ = rows_of(result, "wronged"), rows_of(result, "flagged")
    own = result.comparisons[wronged]
    assert set(own["why"]) == {"some people have no outcome, and the plan names no random arm"}
    assert own["verdict"].tolist() == [NOT_ENOUGH] * 3
    assert own[["detectable_low", "detectable_high"]].isna().all(axis=None)
    assert (own["p_outside_holm"] == 1).all()
    # Without a mistake 330 of 730, 640 of 840 and 55 of 115 were flagged.
    worst = shares(standard_errors([730, 840, 115], 1025 / 1685, np.log(1.25)), 0.1) / 2
    sizes = shares(standard_errors(PEOPLE, TAKEN.sum() / PEOPLE.sum(), np.log(1.25)), 0.1) / 2
    holds(result, wronged | flagged_, np.r_[worst, sizes])
    finds(result, flagged_, sizes)
    assert result.comparisons["identified"].tolist() == [False] * 3 + [True] * 3


def test_checks_without_outcome_are_judged_with_the_first_label() -> None:
    more = {"labels": {"found": {"m": True, "n": False}, "other": {"m": False, "n": True}}}
    checks = (check("right", "ppv", of="investigated"), check("flagged"))
    result = audit(town(), plan(*checks, **READ | more) | STRICT)
    labels = ["found"] * 3 + ["other"] * 3 + ["as recorded"] * 3
    assert result.comparisons["label"].tolist() == labels
    flagged_ = shares(standard_errors(PEOPLE, TAKEN.sum() / PEOPLE.sum(), np.log(1.25)), 0.1) / 2
    rate = RIGHT.sum() / TAKEN.sum()
    found_ = shares(standard_errors(TAKEN, rate, np.log(1.25)), 0.1) / 2
    other = shares(standard_errors(TAKEN, 1 - rate, np.log(1.25)), 0.1) / 2
    holds(result, [0, 1, 2, 6, 7, 8], np.r_[found_, flagged_])
    finds(result, [0, 1, 2, 6, 7, 8], np.r_[found_, flagged_])
    # The second label has the same three comparisons beside its own.
    own = result.comparisons
    rows = [3, 4, 5, 6, 7, 8]
    adjusted = closed(own["p_outside"].iloc[rows], np.r_[other, flagged_])[:3]
    np.testing.assert_allclose(own["p_outside_holm"][3:6], adjusted, rtol=1e-8)
    assert not np.allclose(flagged_[0], flagged_[1])


def test_rounded_counts_would_find_gaps_as_the_printed_ones_do() -> None:
    numbers = [("a", 1000, 3000), ("b", 500, 1500), ("c", 100, 900)]
    rows = [(g, d, n) for g, *both in numbers for d, n in zip((1, 0), both, strict=True)]
    frame = pd.DataFrame(rows, columns=["g", "d", "n"])
    bounds = Bounds.from_rounded(frame, ["g"], "d", count="n", rounding=20)
    result = audit(bounds, plan(check("flagged"), **STRICT))
    weights = shares(standard_errors([4000, 2000, 1000], 1600 / 7000, np.log(1.25)), 0.1)
    holds(result, slice(None), weights)
    finds(result, slice(None), weights)


def test_rounded_noughts_would_find_gaps_in_the_middle_of_what_they_can_be() -> None:
    numbers = [("a", 1000, 3000), ("b", 500, 1500), ("c", 0, 900)]
    rows = [(g, d, n) for g, *both in numbers for d, n in zip((1, 0), both, strict=True)]
    frame = pd.DataFrame(rows, columns=["g", "d", "n"])
    bounds = Bounds.from_rounded(frame, ["g"], "d", count="n", rounding=20)
    points = check("points", tolerance=TEN_POINTS_MORE)
    result = audit(bounds, plan(check("flagged"), points, **STRICT))
    # Nought to ten of 910 to 900, and the middle of that; the error is shared by what is printed.
    middles = {"a": (1000, 4000), "b": (500, 2000), "c": (5, 905)}
    others = {"a": (505, 2905), "b": (1005, 4905), "c": (1500, 6000)}
    people, rate = [4000, 2000, 900], 1500 / 6900
    ratios = shares(standard_errors(people, rate, np.log(1.25)), 0.1) / 2
    differences = shares(standard_errors(people, rate, 0.1 / rate), 0.1) / 2
    holds(result, slice(None), np.r_[ratios, differences])
    own = result.comparisons.set_index("group")
    for place_, group in enumerate("abc"):
        both = middles[group], others[group]
        low, high = (found(*both, edge, 0.1 * ratios[place_] / 2) for edge in (0.8, 1.25))
        more = found(*both, 0.1, 0.1 * differences[place_])
        expected = [[low, high], [np.nan, more]]
        gaps = own.loc[group, ["detectable_low", "detectable_high"]].to_numpy(float)
        np.testing.assert_allclose(gaps, expected, rtol=1e-9)


Place = tuple[str, str, str]  # arm, band and result, if any
RESULTS = {"nothing": False, "mistake": True}


def place(
    stayed: int, drawn: dict[str, int], visited: dict[str, int], part: int = 4
) -> dict[Place, int]:
    """Return people of a group: a part of those not chosen is flagged, a third of those drawn.

    `drawn` and `visited`: numbers by recorded result.
    """
    out = {("none", "high", ""): stayed // part, ("none", "low", ""): stayed - stayed // part}
    for result, number in drawn.items():
        out["random", "high", result] = number // 3
        out["random", "low", result] = number - number // 3
    return out | {("profile", "high", result): number for result, number in visited.items()}


def selection(people: dict[tuple[str, str], dict[str, dict[Place, int]]]) -> Selection:
    """Return counts by study and attribute, then group, with every total."""
    rows = []
    for (study, attribute), groups in people.items():
        for group, numbers in groups.items():
            for (arm, band, result), number in numbers.items():
                stages = ["population", *(["flagged"] if band == "high" else [])]
                stages += ["chosen", "visited"] if arm != "none" else []
                found_ = [("finding", result)] if result else []
                for stage, outcome in [*((name, "none") for name in stages), *found_]:
                    rows.append((study, attribute, group, arm, band, stage, outcome, number))
    table = pd.DataFrame(rows, columns=[*KEYS, "people"])
    for name in ("group", "arm", "band", "outcome"):
        table = pd.concat([table, table.assign(**{name: ALL})], ignore_index=True)
        table = table.groupby(KEYS)["people"].sum().reset_index()
    return Selection.read(table.assign(rounding=1))


def drawn(mistake: int, late: int, nothing: int) -> dict[str, int]:
    return {"mistake": mistake, "late": late, "nothing": nothing}


VISITED = drawn(30, 6, 60)
STEPWISE = {"groups": ["g", "h"], "high_bands": ["high"], "identification": {"random": "random"}}
TO_FLAG = {"step": {"to": "flagged"}}
OF_DRAW = {"of": "investigated", "step": {"to": "finding", "arms": ["random"]}}
TWO_YEARS = {
    ("2024", "g"): {
        "a": place(2000, drawn(60, 12, 210), VISITED),
        "b": place(1200, drawn(15, 12, 180), VISITED, 3),
    },
    ("2024", "h"): {
        "m": place(2400, drawn(50, 15, 210), VISITED),
        "w": place(800, drawn(24, 9, 180), VISITED),
    },
    ("2025", "g"): {
        "a": place(2000, drawn(45, 12, 150), VISITED | {"other": 40}),
        "b": place(800, drawn(15, 9, 150), VISITED | {"other": 30}, 3),
    },
    ("2026", "g"): {"a": place(3000, {}, {}), "b": place(1000, {}, {}, 3)},
}


def test_studies_share_one_error_under_each_definition_of_the_outcome() -> None:
    labels = {
        "wide": RESULTS | {"late": True, "other": True},
        "narrow": RESULTS | {"late": False, "other": True},
        "old": RESULTS | {"late": None},
    }
    checks = (check("taken", groups=["g"], **TO_FLAG), check("found", "base_rate", **OF_DRAW))
    result = audit(selection(TWO_YEARS), plan(*checks, **STEPWISE, labels=labels) | STRICT)
    own = result.comparisons
    expected = [("2024", "taken", "as recorded", "g")]
    expected += [("2024", "found", label, by) for by in "gh" for label in labels]
    expected += [("2025", "taken", "as recorded", "g")]
    # Of 2025 the old definition does not say what the other result means.
    expected += [("2025", "found", label, "g") for label in ("wide", "narrow")]
    expected += [("2026", "taken", "as recorded", "g")]
    keys = ["study", "check", "label", "by"]
    assert own[keys].to_numpy().tolist() == [list(key) for key in expected for _ in range(2)]
    figures = result.figures
    assert figures[[*keys, "group"]].equals(own[[*keys, "group"]])
    assert list(figures) == FIGURES and list(own) == COMPARISONS
    assert figures.index.tolist() == own.index.tolist() == list(range(22))
    # Each pair of groups is one comparison, since its tolerance mirrors itself.
    pairs = own.set_index(keys)
    first, second = pairs[::2], pairs[1::2]
    np.testing.assert_array_equal(first["p_outside_holm"], second["p_outside_holm"])
    first = first.sort_index()
    families = {
        "wide": [expected[i] for i in (0, 7, 10, 1, 4, 8)],
        "narrow": [expected[i] for i in (0, 7, 10, 2, 5, 9)],
        "old": [expected[i] for i in (0, 7, 10, 3, 6, 8)],
    }
    counted = ["successes", "trials", "other_successes", "other_trials"]
    for label, family in families.items():
        x, n, y, m = first.loc[family, counted].to_numpy(float).T
        weights = np.zeros(6)
        for mine in (slice(0, 3), slice(3, 6)):
            rate = (x + y)[mine].sum() / (n + m)[mine].sum()
            weights[mine] = shares(standard_errors(n[mine], rate, np.log(1.25)), 0.1) / 2
        adjusted = closed(first.loc[family, "p_outside"], weights)
        # What belongs to the family of every definition is judged in the first.
        for place_, key in enumerate(family):
            if key[2] == label or label == "wide":
                row, weight = first.loc[key], weights[place_]
                assert row["p_outside_holm"] == pytest.approx(adjusted[place_], rel=1e-8)
                gap = found((0, row["trials"]), tuple(row[counted[2:]]), 1.25, 0.1 * weight / 2)
                assert row["detectable_high"] == pytest.approx(gap, rel=1e-9)
    assert first["p_outside_holm"].lt(0.9).all()
    # Of 282 who were drawn in 2024 in group a, 60 and 12; late ones left out, 60 of 270.
    found_ = first.loc["2024", "found"]
    assert found_.loc[("wide", "g"), counted].tolist() == [72, 282, 27, 207]
    assert found_.loc[("narrow", "g"), counted].tolist() == [60, 282, 15, 207]
    assert found_.loc[("old", "g"), counted].tolist() == [60, 270, 15, 195]
    assert result.recorded.index.tolist() == list(range(7))
    recorded = result.recorded.set_index(["study", "result"])
    assert recorded["one_arm_only"].to_dict() == {
        **{("2024", name): False for name in ("late", "mistake", "nothing")},
        **{("2025", name): name == "other" for name in ("late", "mistake", "nothing", "other")},
    }
    assert recorded.loc["2024", "people"].to_dict() == {"late": 36, "mistake": 135, "nothing": 510}
    labels_ = result.labels.set_index(["check", "label"]).index.tolist()
    assert labels_ == [("taken", "as recorded"), *(("found", label) for label in labels)]


def test_results_of_one_arm_are_left_out_where_arms_are_joined() -> None:
    visited = VISITED | {"other": 40, "paid": 50}
    people = {
        ("Town 2025", "g"): {
            "a": place(2000, drawn(60, 12, 210), visited),
            "b": place(1200, drawn(15, 12, 180), visited),
        }
    }
    meaning = RESULTS | {"late": None}
    labels = {
        "wide": meaning | {"other": True, "paid": False},
        "one": meaning | {"other": True, "paid": None},
        "drop": meaning | {"other": None, "paid": None},
    }
    checks = (
        check("wronged", "fpr", **TO_FLAG),
        check("visited", "base_rate", step={"to": "finding"}, outcome=labels["wide"]),
        check("found", "base_rate", **OF_DRAW),
        check("among", "fpr", of="investigated", step={"to": "finding"}),
        check("unsaid", "base_rate", **OF_DRAW, outcome=RESULTS),
    )
    result = audit(selection(people), plan(*checks, **STEPWISE, labels=labels))
    one = result.comparisons[::2].set_index(["check", "label"])
    why = {key: row["why"] for key, row in one.iterrows()}
    only = "was recorded in the arm profile only"
    assert why == {
        ("wronged", "wide"): f"other {only} and paid {only}",
        ("wronged", "one"): f"other {only}",
        ("wronged", "drop"): "",
        # Without arms the late ones, who may be either, are what stands in the way.
        ("visited", "as recorded"): (
            "the counts do not say how people were chosen (they have no arm)"
        ),
        **{("found", label): "" for label in labels},
        **{("among", label): "" for label in labels},
    }
    assert one["identified"].to_dict() == {key: not said for key, said in why.items()}
    # Visited in group a: 90 + 40 found, 270 and 50 not; of the draw 60 of 270.
    assert one.loc[("visited", "as recorded"), ["successes", "trials"]].tolist() == [130, 450]
    assert one.loc[("found", "wide"), ["successes", "trials"]].tolist() == [60, 270]
    # Without a mistake and flagged: 60 visited and 70 of the draw, and 50 who have paid.
    assert one.loc[("among", "wide"), ["successes", "trials"]].tolist() == [180, 320]
    assert one.loc[("among", "drop"), ["successes", "trials"]].tolist() == [130, 270]
    reasons = result.verdict.reasons
    assert reasons[0] == f"wronged is not identified: other {only} and paid {only}."
    assert reasons[-1] == "unsaid compares no group that is judged."
    # Not one comparison is left.
    alone = audit(selection(people), plan(checks[-1], **STEPWISE, labels=labels))
    assert alone.comparisons.empty and list(alone.comparisons) == COMPARISONS
    assert alone.figures.empty and list(alone.figures) == FIGURES
    assert alone.verdict.overall == NOT_ENOUGH
    pd.testing.assert_frame_equal(alone.recorded, result.recorded)


Printed = dict[tuple[str, str, str], tuple[int, int, int]]


def published(printed: Printed, rounding: int) -> Selection:
    """Return counts of a, b and everybody by stage, arm and result, as they are rounded."""
    rows = [
        ("Town 2025", "g", group, arm, ALL, stage, outcome, number, rounding)
        for (stage, arm, outcome), numbers in printed.items()
        for group, number in zip(("a", "b", ALL), numbers, strict=True)
    ]
    return Selection.read(pd.DataFrame(rows, columns=[*KEYS, "people", "rounding"]))


def test_printed_sums_are_not_read_where_a_result_in_them_is_left_out() -> None:
    printed: Printed = {
        ("population", ALL, ALL): (4000, 2000, 6000),
        ("finding", "profile", "nothing"): (200, 100, 300),
        ("finding", "profile", "mistake"): (100, 110, 210),
        ("finding", "profile", "other"): (50, 40, 90),
        ("finding", "random", "nothing"): (300, 200, 500),
        ("finding", "random", "mistake"): (100, 40, 140),
        ("finding", "profile", ALL): (350, 250, 600),
        ("finding", "random", ALL): (400, 240, 640),
    }
    sums: Printed = {
        ("finding", "profile", "wide: yes"): (150, 150, 300),
        ("finding", "profile", "wide: no"): (200, 100, 300),
        ("finding", "random", "wide: yes"): (100, 40, 140),
        ("finding", "random", "wide: no"): (300, 200, 500),
    }
    caught = check("caught", "tpr", step={"to": "visited", "arms": ["profile"]})
    labels = {"wide": {"nothing": False, "mistake": True, "other": True}}
    asked = plan(caught, **STEPWISE, labels=labels)
    without, with_sums = (audit(published(table, 1), asked) for table in (printed, printed | sums))
    why = {"other was recorded in the arm profile only"}
    assert set(without.comparisons["why"]) == set(with_sums.comparisons["why"]) == why
    pd.testing.assert_frame_equal(without.comparisons, with_sums.comparisons)


def test_printed_sums_of_results_are_read_where_they_say_what_is_meant() -> None:
    meaning = {"nothing": False, "mistake": True, "other": True}
    printed: Printed = {
        ("population", ALL, ALL): (4000, 2000, 6000),
        ("flagged", ALL, ALL): (1000, 400, 1400),
        ("finding", ALL, "nothing"): (500, 300, 800),
        ("finding", ALL, "mistake"): (200, 150, 350),
        ("finding", ALL, "other"): (40, 30, 70),
        # Rounded parts add up to 240, 180 and 420, rounded sums to others.
        ("finding", ALL, "wide: yes"): (250, 180, 430),
        ("finding", ALL, "wide: no"): (500, 300, 800),
        ("finding", "random", "nothing"): (300, 200, 500),
        ("finding", "random", "mistake"): (100, 40, 140),
        ("finding", "random", "other"): (10, 10, 20),
    }
    checks = (
        check("hit", "base_rate", of="investigated", step={"to": "finding"}),
        check("found", "base_rate", **OF_DRAW),
    )
    asked = plan(*checks, **STEPWISE, labels={"wide": meaning, "narrow": meaning})
    own = audit(published(printed, 10), asked).comparisons
    # Of the draw nobody printed the sums of the first definition.
    assert own[["check", "label", "group", "successes", "trials"]].to_numpy().tolist() == [
        ["hit", "wide", "a", 250, 750],
        ["hit", "wide", "b", 180, 480],
        ["hit", "narrow", "a", 240, 740],
        ["hit", "narrow", "b", 180, 480],
        ["found", "narrow", "a", 110, 410],
        ["found", "narrow", "b", 50, 250],
    ]


def test_a_check_of_a_selection_names_its_step() -> None:
    counts = selection(TWO_YEARS)
    with pytest.raises(DatamallError) as caught:
        audit(counts, plan(check("taken", **TO_FLAG), check("stepless"), **STEPWISE))
    assert str(caught.value) == (
        "Check stepless names no step of the selection: write for example "
        "step: {to: chosen, of: flagged}."
    )


def test_an_audit_keeps_what_was_asked_counted_and_changed() -> None:
    table = crossed()
    asked = plan(
        check("flagged"), groups=["g", "h"], merge={"g": {"low": [1, 2]}, "h": {"any": ["m", "w"]}}
    )
    result = audit(table, asked, registered=asked | {"level": 0.99})
    assert result.plan == Plan.read(asked)
    assert [merge[:2] for merge in result.counts.merged] == [("g", "low"), ("h", "any")]
    assert result.changes[["what", "where", "before", "after"]].to_numpy().tolist() == [
        ["groups merged", "g", "1, 2", "low"],
        ["groups merged", "h", "m, w", "any"],
        ["level", "plan", "0.99", "0.95"],
    ]
    assert result.comparisons["group"].tolist() == ["3", "4", "low", "any", "x"]
    assert result.recorded.empty
    assert list(result.figures) == FIGURES and list(result.comparisons) == COMPARISONS
    assert audit(table, Plan.read(asked)).changes["what"].tolist() == ["groups merged"] * 2
    with pytest.raises(DatamallError) as caught:
        audit(table, asked | {"groups": ["g", "sex"]})
    assert str(caught.value) == (
        "The plan names 'sex', and the counts have 'g', 'h': give both the same names."
    )
    counts, steps = selection(TWO_YEARS), plan(check("taken", **TO_FLAG), **STEPWISE)
    of_steps = audit(counts, steps, registered=steps | {"power": 0.8, "smallest": 10})
    assert of_steps.counts is counts
    nobody = selection({("2026", "g"): TWO_YEARS["2026", "g"]})
    assert audit(nobody, steps).recorded.empty
    assert of_steps.recorded["study"].unique().tolist() == ["2024", "2025"]
    assert of_steps.changes[["what", "before", "after"]].to_numpy().tolist() == [
        ["smallest", "10", "0"]
    ]
    assert of_steps.checks[["check", "compared"]].to_numpy().tolist() == [["taken", 8]]


def test_arms_without_a_recorded_result_are_counted_as_they_are() -> None:
    rows = [(g, d, arm, 100) for g in "ab" for d in (0, 1) for arm in ("profile", "random")]
    frame = pd.DataFrame(rows, columns=["g", "d", "arm", "n"])
    result = audit(Cells.from_frame(frame, ["g"], "d", arm="arm", count="n"), plan(check("taken")))
    assert result.recorded.empty
    assert result.comparisons["trials"].tolist() == [400, 400]
