"""Error rates of everybody from the outcomes of a few: the truth is inside, at its level.

Worlds are planted: everybody's outcome is known here, and the audit sees those of the random arm
and of the profile arm only. Small cases are enumerated, larger ones drawn.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from datamall.errors import DatamallError
from datamall.fairness import Cells
from datamall.fairness.identification import design, join, recorded, worst_cases
from datamall.fairness.inference import compare
from datamall.fairness.intervals import gap_between, limits
from datamall.fairness.joint_limits import Part, Sample
from datamall.fairness.plan import Identification

REASON = "caseworkers choose among the flagged without regard to the mistake"
BOTH = Identification("random", "profile", reason=REASON)
# People of two groups by decision (no, yes) and outcome (no mistake, mistake). The wrong flags of
# the second are 2.5 times as frequent; its mistakes are more frequent too.
WORLD = np.array([[[5800, 1120], [464, 336]], [[1020, 370], [255, 180]]])
RATIO = (255 / 1275) / (464 / 6264)
NAIVE = (255 / 435) / (464 / 800)


def seen(world: np.ndarray, drawn: np.ndarray, visited: np.ndarray, form: str) -> Cells:
    """Return what an audit gets to see of a world."""
    rows = []
    for g, d, y in np.ndindex(world.shape):
        flag = d if form == "everybody" else None
        rows.append((g, "random", flag, y, drawn[g, d, y]))
        rows.append((g, "profile", d, y, visited[g, d, y]))
        left = world[g, d, y] - drawn[g, d, y] - visited[g, d, y]
        rows += [] if form == "cases" else [(g, "none", d, None, left)]
    frame = pd.DataFrame(rows, columns=["g", "arm", "d", "y", "n"])
    frame = frame.astype({"d": "Int8", "y": "Int8"})
    return Cells.from_frame(frame[frame["n"] > 0], ["g"], "d", "y", arm="arm", count="n")


def draws(form: str, number: int, seed: int = 1, **more: float) -> Iterator[Cells]:
    """Yield what is seen: 450 drawn at random, and of the others who are flagged a share."""
    draw = np.random.Generator(np.random.PCG64(seed))
    for _ in range(number):
        drawn = draw.multivariate_hypergeometric(
            WORLD.ravel(), int(more.get("random", 450)), method="marginals"
        ).reshape(WORLD.shape)
        visited = np.zeros_like(WORLD)
        for g, share in enumerate((more.get("first", 0.4), more.get("second", 0.9))):
            flagged = (WORLD - drawn)[g, 1]
            number_ = int(share * flagged.sum()) if form != "cases" else flagged.sum()
            visited[g, 1] = draw.multivariate_hypergeometric(flagged, number_, method="marginals")
        yield seen(WORLD, drawn, visited, form)


@pytest.mark.parametrize("form", ["everybody", "base", "cases"])
def test_the_design_is_seen_in_the_counts(form: str) -> None:
    assert design(next(draws(form, 1)), BOTH) == (form, "")


@pytest.mark.parametrize("form", ["everybody", "base", "cases"])
@pytest.mark.slow
def test_the_true_ratio_of_wrong_flags_is_inside_at_its_level(form: str) -> None:
    """Errors on both sides of 400 worlds, at 5 % each; the naive ratio is far off."""
    assert [round(v, 2) for v in (NAIVE, RATIO)] == [1.01, 2.7]
    below = above = 0
    estimates = []
    for cells in draws(form, 400):
        found = join(cells, "fpr", BOTH, estimand="list", reference={"g": "0"})
        low, high = found.gaps(0.05, "ratio")
        below, above = below + (low[1] > RATIO), above + (high[1] < RATIO)
        estimates.append(found.ratio()[1])
    # 5 % of 400 are 20; three standard errors of that are 13.
    assert max(below, above) <= 33
    assert np.median(estimates) == pytest.approx(RATIO, rel=0.03)


def test_the_profile_arm_narrows_what_the_random_arm_knows_alone() -> None:
    cells = next(draws("everybody", 1))
    widths = []
    for how in (Identification("random"), BOTH):
        low, high = join(cells, "fpr", how, estimand="list", reference={"g": "0"}).gaps(
            0.025, "ratio"
        )
        widths.append(np.log(high[1] / low[1]))
    assert widths[1] < 0.75 * widths[0]
    # Without a reason the profile arm stands for nobody but itself.
    alone = Identification("random", "profile")
    low, high = join(cells, "fpr", alone, estimand="list", reference={"g": "0"}).gaps(
        0.025, "ratio"
    )
    assert np.log(high[1] / low[1]) == pytest.approx(widths[0])


def test_estimates_by_hand() -> None:
    # 1,000 and 500 people; flagged 100 and 100, of whom 60 and 30 of 100 and 50 were wrongly so;
    # of the others 80 of 100 and 40 of 80 in the random arm had no mistake.
    rows = [
        *[("a", "profile", 1, 0, 60), ("a", "profile", 1, 1, 40)],
        *[("b", "profile", 1, 0, 30), ("b", "profile", 1, 1, 20), ("b", "none", 1, None, 50)],
        *[("a", "random", 0, 0, 80), ("a", "random", 0, 1, 20), ("a", "none", 0, None, 800)],
        *[("b", "random", 0, 0, 40), ("b", "random", 0, 1, 40), ("b", "none", 0, None, 320)],
    ]
    frame = pd.DataFrame(rows, columns=["g", "arm", "d", "y", "n"])
    cells = Cells.from_frame(frame, ["g"], "d", "y", arm="arm", count="n")
    wrong, right = np.array([60, 60]), np.array([720, 200])
    names = ("fpr", "tpr", "ppv", "npv", "fnr", "for")
    rate = {name: join(cells, name, BOTH).rate() for name in names}
    np.testing.assert_allclose(rate["fpr"], wrong / (wrong + right))
    np.testing.assert_allclose(rate["tpr"], [40 / 220, 40 / 240])
    np.testing.assert_allclose(rate["fnr"], 1 - rate["tpr"])
    np.testing.assert_allclose(rate["ppv"], [0.4, 0.4])
    np.testing.assert_allclose(rate["npv"], [0.8, 0.5])
    np.testing.assert_allclose(rate["for"], [0.2, 0.5])
    # All of a's flagged were visited: of this list their share is known without error.
    low, high = join(cells, "ppv", BOTH, estimand="list").limits(0.025)
    assert (low[0], high[0]) == (0.4, 0.4)
    assert low[1] < 0.35 and high[1] > 0.45
    # And 20 of b's 100 are known to be right, 30 to be wrong.
    low, high = join(cells, "ppv", BOTH, estimand="list").limits(1e-12)
    assert (low[1], high[1]) == (0.2, 0.7)


def one_group(
    flagged: int, left: int, wrong: np.ndarray, n: int, right: np.ndarray, m: int
) -> Part:
    """Return a part with one row per outcome of the two samples."""
    size = np.ones((len(wrong), 1))
    x, y = wrong[:, None], right[:, None]
    drawn = Sample((flagged + left) * size, y, m - y, True)
    return Part(
        pd.DataFrame(index=range(len(wrong))),
        "everybody",
        True,
        None,
        Sample(flagged * size, x, n - x, True),
        Sample(left * size, y, m - y, True),
        drawn,
        np.nan,
    )


@pytest.mark.parametrize("p", [0.02, 0.05, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.98])
@pytest.mark.parametrize(("n", "m"), [(5, 20), (20, 20), (20, 100), (100, 50)])
def test_limits_of_an_error_rate_hold_in_small_cells(p: float, q: float, n: int, m: int) -> None:
    """All outcomes of both samples; the people they stand for are many, so nothing is known."""
    x, y = (v.ravel() for v in np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij"))
    likely = binom.pmf(x, n, p) * binom.pmf(y, m, q)
    part = one_group(1000, 9000, x, n, y, m)
    truth = 1000 * p / (1000 * p + 9000 * q)
    for tail in (0.05, 0.025, 0.005, 0.001, 0.0001):
        _, low, high = part.rate("fpr", tail, False)
        assert likely[low > truth].sum() <= tail
        assert likely[high < truth].sum() <= tail


def test_limits_of_a_gap_hold_in_small_cells() -> None:
    """All outcomes of four samples of 8 and 15: two groups, one of which is worse off."""
    n, m = 8, 15
    x, y = (v.ravel() for v in np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij"))
    for (p1, q1), (p2, q2) in (((0.3, 0.8), (0.3, 0.8)), ((0.7, 0.8), (0.2, 0.9))):
        sides = [one_group(100, 900, x, n, y, m), one_group(300, 900, x, n, y, m)]
        chance = [binom.pmf(x, n, p) * binom.pmf(y, m, q) for p, q in ((p1, q1), (p2, q2))]
        odds = [100 * p1 / (900 * q1), 300 * p2 / (900 * q2)]
        rates = [v / (1 + v) for v in odds]
        for tail in (0.05, 0.01, 0.001):
            one, other = (part.rate("fpr", tail, False) for part in sides)
            likely = np.outer(*chance).ravel()
            a = [np.repeat(v, len(x)) for v in one]
            b = [np.tile(v, len(x)) for v in other]
            unit = np.ones(len(likely))
            low, high = gap_between((a[0], unit), (b[0], unit), (a[1], a[2]), (b[1], b[2]), "ratio")
            assert likely[low > rates[0] / rates[1]].sum() <= tail
            assert likely[high < rates[0] / rates[1]].sum() <= tail


def test_the_next_people_are_known_less_well_than_this_list() -> None:
    cells = next(draws("everybody", 1))
    widths = []
    for estimand in ("list", "procedure"):
        found = join(cells, "fpr", BOTH, estimand=estimand, reference={"g": "0"})
        low, high = found.gaps(0.025, "ratio")
        widths.append(np.log(high[1] / low[1]))
    assert widths[0] < widths[1]


def test_tests_and_intervals_of_joined_rates_agree() -> None:
    for cells in draws("everybody", 5, seed=4):
        found = join(cells, "fpr", BOTH, reference={"g": "0"})
        for edge in (1.8, 2.7, 3.4):
            _, outside = found.evidence("ratio", None, edge)
            p = outside[1]
            low = found.gaps(float(np.clip(p, 1e-9, 0.5)), "ratio")[0][1]
            assert p >= 0.5 or low == pytest.approx(edge, rel=2e-3)


def test_a_draw_within_strata_is_put_right_by_their_sizes() -> None:
    """Half of the draw from a tenth of the people, where mistakes are rare: strata undo that."""
    sizes = {("x", "a"): 9000, ("x", "b"): 9000, ("y", "a"): 1000, ("y", "b"): 1000}
    base = {"x": 0.4, "y": 0.1}
    rows: list[tuple[Any, ...]] = []
    for (stratum, g), size in sizes.items():
        mistakes = round(300 * base[stratum])
        rows += [
            (g, stratum, "random", 0, 1, mistakes),
            (g, stratum, "random", 0, 0, 300 - mistakes),
        ]
        rows.append((g, stratum, "none", 0, None, size - 300))
        rows.append((g, stratum, "profile", 1, 0, 50))
    frame = pd.DataFrame(rows, columns=["g", "s", "arm", "d", "y", "n"])
    cells = Cells.from_frame(frame, ["g", "s"], "d", "y", arm="arm", count="n")
    plain, strata = (
        join(cells, "base_rate", Identification("random", strata=s), ["g"]).rate()
        for s in ((), ("s",))
    )
    np.testing.assert_allclose(plain, 0.25)
    np.testing.assert_allclose(strata, (9050 * 0.4 + 1050 * 0.1) / 10_100)


def test_people_whom_no_draw_reached_may_be_anything() -> None:
    cells = next(draws("everybody", 1, random=12, first=0.0, second=0.0))
    found = join(cells, "ppv", BOTH)
    low, high = found.limits(0.025)
    unknown = np.isnan(found.rate())
    assert unknown.any()
    assert (low[unknown] == 0).all() and (high[unknown] == 1).all()


def test_worst_cases_hold_the_truth_and_are_reached() -> None:
    cells = next(draws("everybody", 1))
    table = worst_cases(cells, estimand="list", metric="fpr", reference={"g": "0"})
    row = table.iloc[0]
    # Lowest: the flagged who were not visited were all right to be, and so no false alarms.
    known = cells.where(g="1").counts.sum(axis=0)
    assert row["successes_low"] == known[1, 0]
    assert row["trials_low"] == known[1, 0] + known[0, 0] + known[0, 2]
    assert row["successes_high"] == known[1, 0] + known[1, 2]
    assert row["trials_high"] == known[1, 0] + known[1, 2] + known[0, 0]
    ends = row["successes_low"] / row["trials_low"], row["successes_high"] / row["trials_high"]
    assert ends[0] < 255 / 1275 < ends[1]


@pytest.mark.parametrize(
    ("how", "change", "why"),
    [
        (Identification(), {}, "nobody was investigated at random"),
        (Identification("lottery"), {}, r"nobody is in the random arm \(lottery\)"),
        (BOTH, {"y": None}, "the random arm has no outcomes"),
        (BOTH, {"arm": None}, "they have no arm"),
    ],
)
def test_what_is_not_identified_is_said(how: Identification, change: dict, why: str) -> None:
    frame = next(draws("everybody", 1)).frame.rename(columns={"decision": "d", "outcome": "y"})
    arm = None if "arm" in change else "arm"
    frame = frame.assign(**change)
    cells = Cells.from_frame(frame, ["g"], "d", "y", arm=arm, count="count")
    with pytest.raises(DatamallError, match=f"not identified: .*{why}"):
        join(cells, "fpr", how)


def test_metrics_that_no_arm_gives() -> None:
    with pytest.raises(DatamallError, match="The accuracy of everybody is not identified"):
        join(next(draws("everybody", 1)), "accuracy", BOTH)
    for metric in ("npv", "for"):  # who of the draw was flagged is not known
        with pytest.raises(DatamallError, match=f"The {metric} .* were flagged is not known"):
            join(next(draws("base", 1)), metric, BOTH)
    with pytest.raises(DatamallError, match="needs the number of people in each stratum"):
        join(next(draws("cases", 1)), "fpr", Identification("random", strata=("g",)), ["g"])


def test_the_random_arm_alone_is_its_own_share() -> None:
    """With everybody's flags unknown beyond the draw, the joined rate is the plain one."""
    drawn = np.array([[[290, 60], [20, 30]], [[40, 15], [10, 5]]])
    cells = seen(drawn, drawn, np.zeros_like(drawn), "everybody")
    found = join(cells, "fpr", Identification("random"), reference={"g": "0"})
    plain = compare(cells, estimand="procedure", names=["fpr"], reference={"g": "0"}).iloc[0]
    assert found.rate()[1] == pytest.approx(plain["rate"])
    assert found.ratio()[1] == pytest.approx(plain["ratio"])
    base = join(cells, "base_rate", Identification("random"))
    np.testing.assert_allclose(
        base.limits(0.025), limits(np.array([90, 20]), np.array([400, 70]), 0.025)
    )


def test_results_of_one_arm_only_are_found() -> None:
    frame = pd.DataFrame(
        [
            *[("wrong", "profile", 300), ("wrong", "random", 60), ("right", "profile", 300)],
            *[("right", "random", 240), ("opened", "profile", 200), ("odd", "profile", 2)],
        ],
        columns=["result", "arm", "n"],
    )
    cells = Cells.from_frame(frame, ["result"], arm="arm", count="n")
    table = recorded(cells, "result").set_index("result")
    assert table["one_arm_only"].to_dict() == {
        **{"odd": False, "opened": True},
        **{"right": False, "wrong": False},
    }
    # Two people of one arm only are no wonder: (802 / 1102)².
    assert table.loc["odd", "p"] == pytest.approx(802 * 801 / (1102 * 1101))
    assert table.loc["opened", "absent"] == "random"
