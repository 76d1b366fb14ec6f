"""Joined rates and their limits, reckoned again one number at a time from the printed formulas.

Sums and differences: Zou and Donner 2008. Ratios: Donner and Zou 2012. Proportions: Clopper and
Pearson 1934, from the quantiles of the beta distribution.
"""

from collections.abc import Sequence
from itertools import product
from math import exp, hypot, inf, log, nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, norm

from datamall.fairness.joint_limits import (
    BoundedPart,
    BoundedSample,
    Design,
    Joined,
    Kind,
    Part,
    Sample,
    careful,
)

# Dividing by nobody is expected, and gives no warning.
pytestmark = pytest.mark.filterwarnings("error")

Three = tuple[float, float, float]  # estimate, lower and upper limit
Counts = list[list[int]]  # of each group: people, without and with a mistake
TAIL = 0.01
# The error that the limits of proportions get for it: 0.01 · (0.01 / 0.025)^0.3.
OWN = float(careful(TAIL))
NOTHING: Three = (nan, 0.0, 1.0)
# Of each kind of gap what is said where nothing is known.
OPEN: dict[Kind, tuple[float, float]] = {"difference": (-1.0, 1.0), "ratio": (0.0, inf)}


def of(x: float, n: float, tail: float) -> Three:
    """Return a proportion with its exact limits."""
    low = beta.ppf(tail, x, n - x + 1) if x > 0 else 0.0
    return x / n, float(low), float(beta.isf(tail, x + 1, n - x)) if x < n else 1.0


def times(people: float, share: Three) -> Three:
    return people * share[0], people * share[1], people * share[2]


def added(terms: list[Three]) -> Three:
    value = sum(v for v, _, _ in terms)
    below = sqrt(sum((v - low) ** 2 for v, low, _ in terms))
    above = sqrt(sum((high - v) ** 2 for v, _, high in terms))
    return value, value - below, value + above


def divided(one: Three, other: Three) -> Three:
    """Return a / b: the roots of the equation that (a − R b) has a limit of 0."""
    (a, a_low, a_high), (b, b_low, b_high) = one, other

    def root(near: float, far: float, sign: int) -> float:
        top, bottom = near * (2 * a - near), far * (2 * b - far)
        if far == 0:
            return inf
        return (a * b + sign * sqrt((a * b) ** 2 - top * bottom)) / bottom

    return a / b, root(a_low, b_high, -1), root(a_high, b_low, 1)


def less(one: Three, other: Three) -> Three:
    (a, a_low, a_high), (b, b_low, b_high) = one, other
    return a - b, a - b - hypot(a - a_low, b_high - b), a - b + hypot(a_high - a, b - b_low)


def spread(one: Three, other: Three) -> Three:
    """Return the first with limits as wide as both, on logarithms."""
    (a, a_low, a_high), (b, b_low, b_high) = one, other
    low = a * exp(-hypot(log(a / a_low), log(b / b_low))) if a_low > 0 else 0.0
    return a, low, a * exp(hypot(log(a_high / a), log(b_high / b)))


def turned(rate: Three) -> Three:
    return 1 - rate[0], 1 - rate[2], 1 - rate[1]


def odds(share: Three) -> Three:
    a, low, high = (v / (1 - v) for v in share)
    return a, low, high


def odds_to_share(odd: Three) -> Three:
    a, low, high = (v / (1 + v) for v in odd)
    return a, low, high


def capped(rate: Three) -> Three:
    a, low, high = (min(v, 1.0) for v in rate)
    return a, low, high


def sample(counts: Counts, pool: bool = True) -> Sample:
    """Return a sample of one stratum."""
    people, none, mistakes = (np.array(v)[:, None] for v in zip(*counts, strict=True))
    return Sample(people, none, mistakes, pool)


def table(groups: int) -> pd.DataFrame:
    return pd.DataFrame({"by": "g", "group": range(groups), "people": 0})


def same(got: tuple[Any, ...], wanted: Sequence[tuple[float, ...]], rel: float = 1e-9) -> None:
    """Assert that estimates and limits are those of each group."""
    for found, own in zip(got, zip(*wanted, strict=True), strict=True):
        np.testing.assert_allclose(found, own, rtol=rel, atol=1e-12)


# People, and those without and with a mistake among the visited, of three groups.
FLAGGED = [[40, 12, 8], [30, 9, 6], [80, 20, 30]]
LEFT = [[400, 30, 6], [300, 22, 5], [700, 60, 8]]
DRAWN = [[440, 34, 9], [330, 25, 8], [780, 66, 15]]
POPULATION = 2000.0


def part(
    design: Design = "everybody",
    census: bool = True,
    reference: int | None = None,
    population: float = POPULATION,
    flagged: Counts = FLAGGED,
    left: Counts = LEFT,
    drawn: Counts = DRAWN,
    pool: bool = True,
) -> Part:
    arms = sample(flagged, pool), sample(left), sample(drawn)
    return Part(table(len(flagged)), design, census, reference, *arms, population)


def sides(counts: Counts, reference: int | None) -> tuple[Counts, Counts]:
    """Return counts of each group, and of what it is compared with."""
    if reference is not None:
        return counts, [counts[reference]] * len(counts)
    sums = [sum(v) for v in zip(*counts, strict=True)]
    return counts, [[a - b for a, b in zip(sums, own, strict=True)] for own in counts]


def outcome(counts: list[int], mistake: bool, tail: float, census: bool = False) -> Three:
    """Return a share of the people of one arm; of a list some outcomes are known for certain."""
    people, none, mistakes = counts
    x, n = mistakes if mistake else none, none + mistakes
    value, low, high = of(x, n, tail)
    if census:
        low, high = max(low, x / people), min(high, (x + people - n) / people)
    return value, low, high


def expected(
    metric: str,
    arms: tuple[list[int], list[int], list[int]],
    design: Design,
    census: bool,
    tail: float,
    drawn: int = 0,
) -> Three:
    """Return a rate from the counts of three arms; `drawn`: people of the random arm in all."""
    flagged, left, of_draw = arms
    mistake = metric in ("tpr", "fnr", "ppv", "for", "base_rate")
    if metric == "base_rate":
        return outcome(of_draw, mistake, tail)
    if metric == "ppv":
        return outcome(flagged, mistake, tail, census)
    if metric in ("npv", "for"):
        return outcome(left, mistake, tail) if design == "everybody" else NOTHING
    number = times(flagged[0], outcome(flagged, mistake, tail, census))
    others = times(left[0], outcome(left, mistake, tail))
    chance = of(flagged[0], flagged[0] + left[0], tail)
    if design == "base":
        chance = of(flagged[0], left[0], tail)
    if design == "cases":
        others = times(POPULATION, of(of_draw[2 if mistake else 1], drawn, tail))
        chance = of(flagged[0], POPULATION, tail)
    if not census:
        number = spread(number, odds(chance) if design == "everybody" else chance)
    rate = divided(number, others)
    if design == "everybody":
        rate = odds_to_share(rate)
    rate = capped(rate)
    return turned(rate) if metric in ("fnr", "tnr") else rate


METRICS = ("fpr", "tpr", "fnr", "tnr", "ppv", "npv", "for", "base_rate")
COUNTED: tuple[Design, ...] = ("everybody", "base")
DESIGNS: tuple[Design, ...] = (*COUNTED, "cases")
DRAW = sum(none + mistakes for _, none, mistakes in DRAWN)


def all_expected(
    metric: str, design: Design, census: bool, reference: int | None, tail: float
) -> tuple[list[Three], list[Three]]:
    """Return the rate of each group, and of what it is compared with."""
    arms = [sides(v, reference) for v in (FLAGGED, LEFT, DRAWN)]
    one, other = (
        [
            expected(metric, counts, design, census, tail, DRAW)
            for counts in zip(*(arm[side] for arm in arms), strict=True)
        ]
        for side in (0, 1)
    )
    return one, other


def test_errors_in_the_far_tail_are_made_smaller() -> None:
    for stated, own in [(0.1, 0.1), (0.025, 0.025), (0.0025, 0.0012530), (0.00025, 0.000062797)]:
        assert careful(stated) == pytest.approx(own, rel=1e-4)
    np.testing.assert_allclose(careful(np.array([0.5, TAIL])), [0.5, 0.0075967], rtol=1e-4)


def test_people_with_a_mistake_are_summed_over_strata() -> None:
    """100 and 50 people; 4 of 10 and 9 of 12 have a mistake."""
    strata = Sample(np.array([[100, 50]]), np.array([[6, 3]]), np.array([[4, 9]]), True)
    for mistake, (x, y) in ((True, (4, 9)), (False, (6, 3))):
        terms = [times(100, of(x, 10, 0.05)), times(50, of(y, 12, 0.05))]
        same(strata.sum(mistake, 0.05, False), [added(terms)])
    assert strata.sum(True, 0.05, False)[0] == pytest.approx([77.5])
    assert strata.sum(False, 0.05, False)[0] == pytest.approx([72.5])
    # Nobody was seen to have one: the lower limit is 0, and the upper one is the rule of three.
    clear = Sample(np.array([[100]]), np.array([[59]]), np.array([[0]]), True)
    same(clear.sum(True, 0.05, False), [(0.0, 0.0, 100 * (1 - 0.05 ** (1 / 60)))], rel=0.02)
    same(clear.sum(True, 0.05, False), [(0.0, 0.0, 100 * (1 - 0.05 ** (1 / 59)))])
    same(clear.sum(False, 0.05, False), [(100.0, 100 * 0.05 ** (1 / 59), 100.0)])


def test_a_stratum_without_outcomes_may_be_anything() -> None:
    """30 people more of whom nobody was seen, and a stratum without people."""
    counts = [[100, 50, 30, 0], [6, 3, 0, 0], [4, 9, 0, 0]]
    people, none, mistakes = (np.array([v]) for v in counts)
    value, low, high = added([times(100, of(4, 10, 0.05)), times(50, of(9, 12, 0.05))])
    for census in (False, True):
        got = Sample(people, none, mistakes, True).sum(True, 0.05, census)
        same(got, [(value * 180 / 150, low, high + 30)])
    nobody = Sample(np.array([[30, 20]]), np.zeros((1, 2)), np.zeros((1, 2)), True)
    same(nobody.sum(True, 0.05, False), [(nan, 0.0, 50.0)])


def test_outcomes_of_a_list_that_are_known_are_no_sample() -> None:
    """Of 20 people 8 are known to have a mistake and 2 to have none: 8 to 18 have one."""
    known = sample([[20, 2, 8], [1000, 40, 60], [10, 6, 3]])
    ends = [of(8, 10, 0.025), of(60, 100, 0.025)]
    same(
        known.sum(True, 0.025, True),
        [(16.0, 20 * ends[0][1], 18.0), times(1000, ends[1]), (10 / 3, 3.0, 4.0)],
    )
    assert 20 * ends[0][1] > 8 and 20 * ends[0][2] > 18
    low = 20 * of(2, 10, 0.025)[2]
    same(
        known.sum(False, 0.025, True),
        [(4.0, 2.0, low), times(1000, of(40, 100, 0.025)), (20 / 3, 6.0, 7.0)],
    )
    same(
        known.sum(True, 0.025, False),
        [times(n, of(x, m, 0.025)) for n, x, m in ((20, 8, 10), (1000, 60, 100), (10, 3, 9))],
    )


def test_everybody_else_is_one_sample_or_several() -> None:
    people, none, mistakes = (
        np.array(v) for v in ([[10, 20], [30, 40], [50, 60]], [[1, 2], [3, 4], [5, 6]],
                              [[2, 1], [4, 3], [6, 5]])
    )  # fmt: skip
    for pool in (True, False):
        own = Sample(people, none, mistakes, pool)
        rest, second = own.of(None), own.of(1)
        assert rest.people.tolist() == [[80, 100], [60, 80], [40, 60]]
        assert rest.none.tolist() == [[8, 10], [6, 8], [4, 6]]
        assert rest.mistakes.tolist() == [[10, 8], [8, 6], [6, 4]]
        assert second.people.tolist() == [[30, 40]] * 3
        assert second.none.tolist() == [[3, 4]] * 3
        assert second.mistakes.tolist() == [[4, 3]] * 3
        assert (rest.pool, second.pool) == (pool, pool)
    one = Sample(people, none, mistakes, True).rest(True, 0.05, False)
    shares = [(80, 10, 18), (100, 8, 18)], [(60, 8, 14), (80, 6, 14)], [(40, 6, 10), (60, 4, 10)]
    same(one, [added([times(n, of(x, m, 0.05)) for n, x, m in row]) for row in shares])
    # Whom people chose differs from group to group: then each group is its own sample.
    each = [[times(n, of(x, x + y, 0.05)) for n, x, y in zip(*rows, strict=True)]
            for rows in zip(people, mistakes, none, strict=True)]  # fmt: skip
    several = Sample(people, none, mistakes, False).rest(True, 0.05, False)
    same(several, [added([*each[a], *each[b]]) for a, b in ((1, 2), (0, 2), (0, 1))])
    # Of a list a part is known, of a group and of the others.
    known = sample([[20, 2, 8], [10, 6, 3], [4, 1, 3]], pool=False).rest(False, 0.025, True)
    first, others = (4.0, 2.0, 20 * of(2, 10, 0.025)[2]), ((20 / 3, 6.0, 7.0), (1.0, 1.0, 1.0))
    same(known, [added(list(others)), added([first, others[1]]), added([first, others[0]])])


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("reference", [None, 1])
@pytest.mark.parametrize("census", [True, False])
def test_rates_of_groups_and_of_what_they_are_compared_with(
    design: Design, reference: int | None, census: bool
) -> None:
    own = part(design, census, reference)
    for metric in METRICS:
        wanted = all_expected(metric, design, census, reference, OWN)
        for against in (False, True):
            same(own.rate(metric, TAIL, against), wanted[against])
    for metric in ("accuracy", "selection_rate"):
        same(own.rate(metric, TAIL, False), [NOTHING] * 3)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("reference", [None, 1])
@pytest.mark.parametrize("census", [True, False])
def test_gaps_of_rates(design: Design, reference: int | None, census: bool) -> None:
    own = part(design, census, reference)
    for metric in METRICS:
        if design == "cases" and metric in ("fpr", "tpr"):
            continue
        error = TAIL / 2 if design == "cases" else TAIL
        ones, others = all_expected(metric, design, census, reference, float(careful(error)))
        ratio = [a[0] / b[0] for a, b in zip(ones, others, strict=True)]
        np.testing.assert_allclose(own.ratio(metric), ratio, rtol=1e-9)
        for kind, (least, most) in OPEN.items():
            wanted = []
            for a, b in zip(ones, others, strict=True):
                if design == "cases":
                    # One sample for all: the limits that lie furthest apart, at half the error.
                    wanted.append(
                        (a[1] - b[2], a[2] - b[1])
                        if kind == "difference"
                        else (a[1] / b[2], a[2] / b[1] if b[1] else inf)
                    )
                elif np.isnan(a[0]):
                    wanted.append((least, most))
                else:
                    wanted.append((less if kind == "difference" else divided)(a, b)[1:])
            got = own.gap(metric, TAIL, kind)
            same(got, wanted)


def test_a_ratio_of_rates_from_investigated_people_alone_is_one_of_odds() -> None:
    """As Cornfield's: of the flagged, and of the draw, those of the group for each of the others.

    Wrongly flagged are 12, 9 and 20 people; 34, 25 and 66 of the draw have no mistake. So for the
    first group the odds are 12 / 29 among the flagged and 34 / 91 in the draw.
    """
    for metric, place in (("fpr", 1), ("tpr", 2)):
        for reference, census in product((None, 1), (True, False)):
            own = part("cases", census, reference)
            wanted: list[Three] = []
            for group in range(3):
                x, y = ([side[group][place] for side in sides(arm, reference)]
                        for arm in (FLAGGED, DRAWN))  # fmt: skip
                ends = []
                for (a, b), known in ((x, census), (y, False)):
                    _, low, high = of(a, a + b, OWN)
                    found = ((a + 0.5) / (b + 0.5), low / (1 - low), high / (1 - high))
                    ends.append((a / b,) * 3 if known else found)
                logs = [(log(a), log(low), log(high)) for a, low, high in ends]
                _, low, high = less(logs[0], logs[1])
                wanted.append((x[0] / x[1] / (y[0] / y[1]), exp(low), exp(high)))
            same((own.ratio(metric), *own.gap(metric, TAIL, "ratio")), wanted)
    assert part("cases").ratio("fpr")[0] == pytest.approx((12 / 29) / (34 / 91))


def test_odds_of_nobody_are_open_on_one_side_or_both() -> None:
    """No wrong flag in the first group; nobody like that in its draw in the second; in the third
    neither, of nobody else in the fourth."""
    flagged = [[5, 0, 5], [20, 20, 0], [5, 0, 5], [30, 30, 0]]
    drawn = [[9, 9, 0], [5, 0, 5], [5, 0, 5], [30, 20, 10]]
    for census in (True, False):
        own = part("cases", census, flagged=flagged, left=drawn, drawn=drawn)
        low, high = own.gap("fpr", TAIL, "ratio")
        assert low[0] == 0 and high[0] > 0
        assert low[1] > 0 and high[1] == inf
        assert (low[2], high[2]) == (0, inf)
        assert not np.isnan([low, high]).any()
        np.testing.assert_array_equal(own.ratio("fpr")[:3], [0, inf, nan])
    # Without a list the first has limits: (0 + ½) / (50 + ½) for the odds, and none below.
    one, other = of(0, 50, OWN)[2], of(9, 29, OWN)
    logs = [log(0.5 / 50.5), log(9.5 / 20.5)]
    up = hypot(log(one / (1 - one)) - logs[0], logs[1] - log(other[1] / (1 - other[1])))
    assert high[0] == pytest.approx(exp(logs[0] - logs[1] + up))


def test_the_size_of_groups_is_unknown_without_the_population() -> None:
    """Of investigated people alone the ratio is known, and no rate."""
    known, unknown = part("cases", False), part("cases", False, population=nan)
    for metric in ("fpr", "tpr", "fnr", "tnr"):
        same(unknown.rate(metric, TAIL, False), [NOTHING] * 3)
    for metric in ("ppv", "base_rate"):
        np.testing.assert_array_equal(
            unknown.rate(metric, TAIL, True), known.rate(metric, TAIL, True)
        )
    for metric in ("fpr", "tpr"):
        np.testing.assert_array_equal(
            unknown.gap(metric, TAIL, "ratio"), known.gap(metric, TAIL, "ratio")
        )
        low, high = unknown.gap(metric, TAIL, "difference")
        assert (low.tolist(), high.tolist()) == ([-1.0] * 3, [1.0] * 3)
        ones, others = all_expected(metric, "cases", False, None, float(careful(TAIL / 2)))
        wanted = [(a[1] - b[2], a[2] - b[1]) for a, b in zip(ones, others, strict=True)]
        same(known.gap(metric, TAIL, "difference"), wanted)


def test_groups_of_whom_nothing_was_seen_leave_everything_open() -> None:
    """No outcome of the flagged, of those who were not, or of both; and everybody flagged."""
    flagged = [[40, 0, 0], [40, 12, 8], [40, 0, 0], [40, 12, 8], [40, 12, 8]]
    left = [[400, 30, 6], [400, 0, 0], [400, 0, 0], [0, 0, 0], [400, 30, 6]]
    for design, census in product(COUNTED, (True, False)):
        own = part(design, census, 4, flagged=flagged, left=left, drawn=left)
        value, low, high = own.rate("fpr", TAIL, False)
        assert np.isnan(value[:4]).all() and value[4] > 0
        assert (low[:4].tolist(), high[:4].tolist()) == ([0.0] * 4, [1.0] * 4)
        for kind, ends in OPEN.items():
            least, most = own.gap("fpr", TAIL, kind)
            assert (set(least[:4]), set(most[:4])) == ({ends[0]}, {ends[1]})
        value, low, high = own.rate("base_rate", TAIL, False)
        assert np.isnan(value[1:4]).all()
        assert (low[1:4].tolist(), high[1:4].tolist()) == ([0.0] * 3, [1.0] * 3)
        assert own.rate("ppv", TAIL, False)[1][0] == 0 and own.rate("ppv", TAIL, False)[2][0] == 1


def test_outcomes_of_a_draw_are_a_sample_even_where_most_are_known() -> None:
    """36 of 40 people who were not flagged; the second group is compared with nothing known."""
    left = [[40, 30, 6], [400, 0, 0]]
    own = part("everybody", True, 1, flagged=FLAGGED[:2], left=left, drawn=left)
    number = times(40, outcome(FLAGGED[0], False, OWN, True))
    rate = odds_to_share(divided(number, times(40, of(30, 36, OWN))))
    assert [v[0] for v in own.rate("fpr", TAIL, False)] == pytest.approx(rate)
    for kind, (least, most) in OPEN.items():
        low, high = own.gap("fpr", TAIL, kind)
        assert (low.tolist(), high.tolist()) == ([least] * 2, [most] * 2)


def test_a_rate_is_1_at_most() -> None:
    """Nobody drawn without a mistake: everybody without one was flagged, as far as is known."""
    left = [[100, 0, 6], [400, 30, 6]]
    for design in COUNTED:
        own = part(design, True, flagged=FLAGGED[:2], left=left, drawn=left)
        a, a_low, _ = times(40, outcome(FLAGGED[0], False, OWN, True))
        # With an estimate of b = 0, R² = a_low (2 a − a_low) / b_high².
        low = sqrt(a_low * (2 * a - a_low)) / (100 * of(0, 6, OWN)[2])
        low = low / (1 + low) if design == "everybody" else low
        assert 0.1 < low < 0.9
        for metric, wanted in (("fpr", (1.0, low, 1.0)), ("tnr", (0.0, 0.0, 1 - low))):
            found = [v[0] for v in own.rate(metric, TAIL, False)]
            assert found == pytest.approx(wanted, abs=1e-12)


def test_where_nobody_was_wrongly_flagged_chance_multiplies_the_limit() -> None:
    """0 of 20 people: the upper limit is that of the sample, times that of how many are flagged."""
    flagged, left = [[40, 0, 20], [30, 9, 6]], [[400, 30, 6], [300, 22, 5]]
    for design, n in zip(COUNTED, (440, 400), strict=True):
        own = part(design, False, flagged=flagged, left=left, drawn=left)
        chance = of(40, n, OWN)
        if design == "everybody":
            chance = odds(chance)
        number = (0.0, 0.0, 40 * of(0, 20, OWN)[2] * chance[2] / chance[0])
        high = divided(number, times(400, of(30, 36, OWN)))[2]
        high = high / (1 + high) if design == "everybody" else high
        found = [v[0] for v in own.rate("fpr", TAIL, False)]
        assert found == pytest.approx([0.0, 0.0, high])


def test_chance_of_one_person_who_was_flagged() -> None:
    """1 person, wrongly so, for 400 who were not; and 1 for 300, by 8 wrongly of 16 like them."""
    flagged, left = [[1, 1, 0], [1, 8, 8]], [[400, 30, 6], [300, 22, 5]]
    for design, n in zip(COUNTED, (401, 400), strict=True):
        own = part(design, False, flagged=flagged, left=left, drawn=left)
        chance = of(1, n, OWN)
        number = spread((1.0, OWN, 1.0), odds(chance) if design == "everybody" else chance)
        rate = divided(number, times(400, of(30, 36, OWN)))
        rate = odds_to_share(rate) if design == "everybody" else rate
        found = [v[0] for v in own.rate("fpr", TAIL, False)]
        assert found == pytest.approx(rate)
        chance = of(1, n - 100, OWN)
        number = of(8, 16, OWN)
        number = spread(number, odds(chance) if design == "everybody" else chance)
        rate = divided(number, times(300, of(22, 27, OWN)))
        rate = odds_to_share(rate) if design == "everybody" else rate
        assert [v[1] for v in own.rate("fpr", TAIL, False)] == pytest.approx(rate)


def bounded(*ends: Counts, complete: bool = False) -> BoundedSample:
    """Return a sample from its estimate, its least and its most."""
    people, none, mistakes = (
        np.array([[row[i] for row in counts] for counts in ends], float) for i in range(3)
    )
    return BoundedSample(people, none, mistakes, complete)


def read(counts: Sample) -> list[list[list[float]]]:
    return [v.tolist() for v in (counts.people, counts.none, counts.mistakes)]


def test_corners_of_bounded_counts() -> None:
    """Two groups: people 10 (8 to 12), without a mistake 3 (2 to 4), with one 5 (4 to 7); …"""
    counts = [[10, 3, 5], [20, 6, 9]], [[8, 2, 4], [18, 5, 7]], [[12, 4, 7], [25, 8, 11]]
    some, every = bounded(*counts), bounded(*counts, complete=True)
    corners = {
        (True, True): ([12, 25], [2, 5], [7, 11]),
        (True, False): ([8, 18], [4, 8], [4, 7]),
        (False, True): ([12, 25], [4, 8], [4, 7]),
        (False, False): ([8, 18], [2, 5], [7, 11]),
        (True, None): ([10, 20], [3, 6], [5, 9]),
        (False, None): ([10, 20], [3, 6], [5, 9]),
    }
    for (mistake, up), (people, none, mistakes) in corners.items():
        for copies in (1, 2):
            wanted = [[[v] for v in side] * copies for side in (people, none, mistakes)]
            got = some.corner(mistake, up, copies)
            assert (read(got), got.pool) == (wanted, True)
            got, few = some.among(mistake, up, copies)
            assert (read(got), got.pool, few) == (wanted, True, None)
            # Where all outcomes are known, they are the people.
            got = every.corner(mistake, up, copies)
            wanted[0] = [[a + b] for a, b in zip(none, mistakes, strict=True)] * copies
            assert (read(got), got.pool) == (wanted, True)
            if up is None:
                got, few = every.among(mistake, up, copies)
                assert (read(got), few) == (wanted, None)
    # A number of all people: as many others as there may be, and for chance as few.
    among = {
        (True, True): ([4, 8], [7, 11], [9, 16]),
        (True, False): ([4, 8], [4, 7], [6, 12]),
        (False, True): ([4, 8], [7, 11], [8, 15]),
        (False, False): ([2, 5], [7, 11], [6, 12]),
    }
    for (mistake, up), (none, mistakes, fewest) in among.items():
        got, few = every.among(mistake, up, 2)
        wanted = [[[v] for v in side] * 2 for side in (none, mistakes)]
        assert (read(got)[1:], got.pool) == (wanted, True)
        assert read(got)[0] == [[a + b] for a, b in zip(none, mistakes, strict=True)] * 2
        assert few is not None and few.tolist() == fewest * 2


def bounded_part(design: Design, census: bool, width: int, complete: bool = False) -> BoundedPart:
    """Return groups whose counts may be `width` fewer or more, compared with each other's sum."""
    own: list[Any] = []
    for side in (0, 1):
        arms = []
        for place, arm in enumerate((FLAGGED, LEFT, DRAWN)):
            counts = sides(arm, None)[side]
            ends = [[[v + far for v in row] for row in counts] for far in (0, -width, width)]
            arms.append(bounded(*ends, complete=complete and place == 0))
        own.append(tuple(arms))
    return BoundedPart(table(3), design, census, None, *own)


@pytest.mark.parametrize("design", COUNTED)
@pytest.mark.parametrize("census", [True, False])
def test_bounds_without_width_are_exact_counts(design: Design, census: bool) -> None:
    own, exact = bounded_part(design, census, 0), part(design, census)
    for metric in METRICS:
        for against in (False, True):
            np.testing.assert_array_equal(
                own.rate(metric, TAIL, against), exact.rate(metric, TAIL, against)
            )
        np.testing.assert_array_equal(own.ratio(metric), exact.ratio(metric))
        for kind in OPEN:
            # Of several errors one row each.
            both = own.gap(metric, np.array([0.2, TAIL]), kind)
            for place, tail in enumerate((0.2, TAIL)):
                wanted = exact.gap(metric, tail, kind)
                np.testing.assert_array_equal([v[place] for v in both], wanted)


@pytest.mark.parametrize("design", COUNTED)
@pytest.mark.parametrize("census", [True, False])
def test_limits_of_bounded_counts_are_the_furthest_of_all_their_corners(
    design: Design, census: bool
) -> None:
    """Each count of a group is 1 fewer or 1 more, and each of the others; the draw as the left."""
    own = bounded_part(design, census, 1)
    exact = part(design, census)
    far = np.array(list(product((-1, 1), repeat=6))).reshape(-1, 2, 3)[:, [0, 1, 1]]
    # A row for each group and corner: of the group, and of what it is compared with.
    both = []
    for side in (0, 1):
        near = np.array([sides(arm, None)[side] for arm in (FLAGGED, LEFT, DRAWN)])
        counts = (np.moveaxis(near, 1, 0)[:, None] + far).reshape(-1, 3, 3)
        arms: list[Any] = [sample(counts[:, place].tolist()) for place in range(3)]
        both.append(Part(table(len(counts)), design, census, None, *arms, nan))
    for metric in METRICS:
        ends = []
        for side in (0, 1):
            _, low, high = (v.reshape(3, -1) for v in both[side].rate(metric, TAIL, False))
            ends.append(
                (exact.rate(metric, TAIL, bool(side))[0], low.min(axis=1), high.max(axis=1))
            )
            np.testing.assert_allclose(own.rate(metric, TAIL, bool(side)), ends[-1], rtol=1e-9)
        (_, a_low, a_high), (_, b_low, b_high) = ends
        # Not further than where both are at their worst at once, and further than without width.
        low, high = own.gap(metric, TAIL, "difference")
        assert (low >= a_low - b_high - 1e-12).all() and (high <= a_high - b_low + 1e-12).all()
        for kind in OPEN:
            wide, narrow = own.gap(metric, TAIL, kind), exact.gap(metric, TAIL, kind)
            assert (wide[0] <= narrow[0]).all() and (wide[1] >= narrow[1]).all()


def test_gaps_of_bounded_counts_join_the_group_at_one_end_to_the_others_at_the_other() -> None:
    """The share with a mistake of a random arm: 4 to 6 of the first, 20 to 30 of the second …

    The gap is lowest with 4 of 4 + 15 against 30 of 30 + 60.
    """
    first = [[100, 12, 5], [90, 10, 4], [110, 15, 6]]
    second = [[500, 70, 25], [480, 60, 20], [520, 80, 30]]
    own, other = (bounded(*([row] for row in counts)) for counts in (first, second))
    joined = BoundedPart(table(1), "base", False, None, (own,) * 3, (other,) * 3)
    a, b = [of(5, 17, OWN), of(25, 95, OWN)]
    assert joined.ratio("base_rate") == pytest.approx([a[0] / b[0]])
    assert joined.rate("base_rate", TAIL, True)[0] == pytest.approx([25 / 95])
    lowest = of(4, 19, OWN), of(30, 90, OWN)
    highest = of(6, 16, OWN), of(20, 100, OWN)
    for kind, gap in zip(OPEN, (less, divided), strict=True):
        wanted = gap(*lowest)[1], gap(*highest)[2]
        got = joined.gap("base_rate", TAIL, kind)
        assert [v.item() for v in got] == pytest.approx(wanted)
    # Nobody of the others was drawn, or perhaps nobody: nothing is known.
    for ends in ([[500, 0, 0]] * 3, [[500, 1, 0], [500, 0, 0], [500, 1, 0]]):
        nobody = bounded(*([row] for row in ends))
        for pair in ((own, nobody), (nobody, own)):
            open_ = BoundedPart(table(1), "base", False, None, *((v,) * 3 for v in pair))
            for kind, (least, most) in OPEN.items():
                low, high = open_.gap("base_rate", TAIL, kind)
                if ends[0][1] == 0:
                    assert (low.item(), high.item()) == (least, most)
                assert least <= low.item() <= high.item() <= most


def test_bounded_people_whose_outcomes_are_all_known() -> None:
    """1 to 3 of the flagged with a mistake, 0 to 2 without, of 400 people who were not flagged.

    For the highest share of wrong flags 2 have none, with 3 others: of 5 people of whom 2 are
    counted. Chance is widest if only 2 + 1 people stand behind it.
    """
    flagged = bounded([[3, 1, 2]], [[1, 0, 1]], [[5, 2, 3]], complete=True)
    left, drawn = (bounded(*[[v]] * 3) for v in ([400, 30, 6], [403, 31, 8]))
    others = times(400, of(30, 36, OWN))
    for design in COUNTED:
        joined = BoundedPart(table(1), design, False, None, *[(flagged, left, drawn)] * 2)

        def rate(x: int, n: int, fewest: int, design: str = design) -> Three:
            number = times(n, of(x, n, OWN))
            if design == "everybody":
                chance = odds(of(fewest, fewest + 400, OWN))
            else:
                chance = of(fewest, 400, OWN)
            found = divided(spread(number, chance), others)
            return odds_to_share(found) if design == "everybody" else capped(found)

        got = [v.item() for v in joined.rate("fpr", TAIL, False)]
        assert got[0] == pytest.approx(rate(1, 3, 3)[0])
        assert got[1] == 0.0  # none without a mistake, perhaps
        assert got[2] == pytest.approx(rate(2, 5, 3)[2])
        # Perhaps nobody was flagged, and nobody wrongly: at most what the limit of 0 people says.
        none = bounded([[1, 0, 1]], [[0, 0, 0]], [[2, 0, 2]], complete=True)
        joined = BoundedPart(table(1), design, False, None, *[(none, left, drawn)] * 2)
        share = of(0, 400, OWN)
        most = 400 * (odds(share) if design == "everybody" else share)[2]
        found = divided((0.0, 0.0, most), others)
        high = odds_to_share(found)[2] if design == "everybody" else found[2]
        got = [v.item() for v in joined.rate("fpr", TAIL, False)]
        assert got == pytest.approx([0.0, 0.0, high])


class Straight:
    """A part whose limits are straight lines in the normal deviate z: centre − slope · z, and +."""

    def __init__(self, centre: list[float], slope: list[float], reference: int | None = None):
        self.centre, self.slope = np.array(centre), np.array(slope)
        self.table, self.reference = table(len(centre)), reference

    def gap(self, metric: str, tail: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
        assert metric == "fpr"
        wide = self.slope * norm.isf(tail)
        low, high = self.centre - wide, self.centre + wide
        return (np.exp(low), np.exp(high)) if kind == "ratio" else (low, high)

    def rate(self, metric: str, tail: float, against: bool) -> list[np.ndarray]:
        assert metric == "fpr" and 0 < tail <= 0.5
        return [self.centre + against, self.centre - tail, self.centre + tail]


def straight(*parts: Any) -> Joined:
    return Joined(pd.concat([v.table for v in parts]), "fpr", "everybody", parts)


def test_evidence_is_the_error_at_which_limits_cross_the_tolerance() -> None:
    """In closed form: a centre c that is d inside an edge crosses it at z = d / slope."""
    centre, slope = [0.0, 0.03, 0.2, -0.3, 0.1], [0.02, 0.04, 0.03, 0.05, 0.04]
    low, high = -0.1, 0.15
    # 1 where the limits are outside even at an error of ½.
    to_low = np.array([0.1 / 0.02, 0.13 / 0.04, 0.3 / 0.03, -inf, 0.2 / 0.04])
    to_high = np.array([0.15 / 0.02, 0.12 / 0.04, -inf, 0.45 / 0.05, 0.05 / 0.04])
    above = np.array([-inf, -inf, 0.05 / 0.03, -inf, -inf])
    below = np.array([-inf, -inf, -inf, 0.2 / 0.05, -inf])

    def p(z: np.ndarray) -> np.ndarray:
        """Return the error of a deviate: 1 where never crossed, and no less than at 7½."""
        return np.where(z > 0, norm.sf(np.minimum(z, 7.5)), 1.0)

    joined = straight(Straight(centre[:2], slope[:2]), Straight(centre[2:], slope[2:]))
    for kind in OPEN:
        edges = (low, high) if kind == "difference" else (exp(low), exp(high))
        cases: list[tuple[Any, Any, np.ndarray, np.ndarray]] = [
            (*edges, np.maximum(p(to_low), p(to_high)), np.minimum(p(above), p(below)) * 2),
            (edges[0], None, p(to_low), p(below)),
            (None, edges[1], p(to_high), p(above)),
            (None, None, np.zeros(5), np.zeros(5)),
        ]
        for least, most, inside, outside in cases:
            got = joined.evidence(kind, least, most)
            np.testing.assert_allclose(got[0], inside, rtol=1e-9)
            np.testing.assert_allclose(got[1], np.minimum(outside, 1), rtol=1e-9)
    # Just inside, between the first two deviates that are tried.
    inside, _ = straight(Straight([-0.098], [0.02])).evidence("difference", low, None)
    assert inside.item() == pytest.approx(norm.sf(0.1))
    # An estimate on the edge is never inside, nor outside.
    inside, outside = straight(Straight([0.15], [0.02])).evidence("difference", low, high)
    assert (inside.item(), outside.item()) == (1.0, 1.0)


class Fixed(Straight):
    """A part with the same limits at every error."""

    def gap(self, metric: str, tail: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
        return self.centre, self.slope


def test_limits_at_the_ends_of_a_scale_are_evidence_of_nothing_or_as_strong_as_there_is() -> None:
    """Least and most: 0 and ∞; ∞ and ∞; 0 and 0; not known at all."""
    joined = straight(Fixed([0.0, inf, 0.0, nan], [inf, inf, 0.0, nan]))
    inside, outside = joined.evidence("ratio", 0.8, 1.25)
    strongest = norm.sf(7.5)
    assert inside.tolist() == [1.0] * 4
    np.testing.assert_allclose(outside, [1.0, 2 * strongest, 2 * strongest, 1.0], rtol=1e-9)


class Narrowing(Straight):
    """A part whose limits are 0 and 0 up to z = 1.96, and 0 and 1 from there on."""

    def gap(self, metric: str, tail: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
        return 0 * self.centre, self.centre * (tail < 0.025 - 1e-12)


class Leaping(Straight):
    """A part of which nothing is known below an error of 2.5 %: all limits are endless there."""

    def gap(self, metric: str, tail: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
        endless = np.full(len(self.centre), inf)
        far = tail < 0.025 - 1e-12
        return (-endless, endless) if far else (self.centre - 1, self.centre + 1)


def test_where_limits_leap_evidence_is_that_before_the_leap_or_weaker() -> None:
    """Limits 1 from the centre, that are 3 from the edge, until they leap at z = 1.96."""
    inside, outside = straight(Leaping([0.0], [1.0])).evidence("difference", -4.0, 4.0)
    assert inside.item() == pytest.approx(0.025)
    assert outside.item() == 1.0
    assert straight(Leaping([6.0], [1.0])).evidence("difference", None, 4.0)[1] == pytest.approx(
        0.025
    )


def test_where_a_margin_was_endless_evidence_is_no_stronger_than_there() -> None:
    _, outside = straight(Narrowing([1.0], [1.0])).evidence("ratio", 0.8, None)
    assert outside.item() == pytest.approx(0.025)


def test_joined_groups_are_those_of_all_their_parts() -> None:
    first, second = part("everybody", True, 1), bounded_part("everybody", True, 1)
    third = Straight([1.0], [1.0], 0)
    assert straight(first, third, second).compared.tolist() == [
        *(True, False, True),
        *(False, True, True, True),
    ]
    assert straight(third, third).rate(against=True).tolist() == [2.0, 2.0]
    assert [v.tolist() for v in straight(third, third).limits(0.25)] == [[0.75] * 2, [1.25] * 2]
    both = Joined(pd.concat([first.table, second.table]), "fpr", "everybody", (first, second))
    for against in (False, True):
        wanted = [v.rate("fpr", 0.5, against)[0] for v in (first, second)]
        assert both.rate(against).tolist() == np.concatenate(wanted).tolist()
    assert both.rate().tolist() == both.rate(False).tolist() != both.rate(True).tolist()
    assert both.ratio().tolist() == [*first.ratio("fpr"), *second.ratio("fpr")]
    for place, found in enumerate(both.limits(TAIL)):
        wanted = [v.rate("fpr", TAIL, False)[1 + place] for v in (first, second)]
        assert found.tolist() == np.concatenate(wanted).tolist()
    for kind in OPEN:
        for place, found in enumerate(both.gaps(TAIL, kind)):
            wanted = [v.gap("fpr", TAIL, kind)[place] for v in (first, second)]
            assert found.tolist() == np.concatenate(wanted).tolist()
        # Their evidence is that of each, and the error at which their limits cross.
        edges = (-0.06, 0.08) if kind == "difference" else (0.4, 3.0)
        inside, outside = both.evidence(kind, *edges)
        each = [Joined(v.table, "fpr", "everybody", (v,)) for v in (first, second)]
        apart = [v.evidence(kind, *edges) for v in each]
        assert inside.tolist() == [*apart[0][0], *apart[1][0]]
        assert outside.tolist() == [*apart[0][1], *apart[1][1]]
        for group, p in enumerate(inside):
            assert 0 < p < 0.5
            low, high = (v[group] for v in both.gaps(p, kind))
            # Between the deviates that are tried, limits of a ratio are a little bent.
            near = 1e-3 if kind == "difference" else 1e-2
            assert min(abs(low - edges[0]), abs(high - edges[1])) < near
            assert low > edges[0] - near and high < edges[1] + near
