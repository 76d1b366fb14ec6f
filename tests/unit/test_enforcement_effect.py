"""Effects of actions, reckoned by hand or by statsmodels, and inputs that tell too little."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from datamall.enforcement import effect, effects
from datamall.errors import DatamallError
from datamall.requirements import Absent

FIRST, BEGUN = "2025-01-06", "2025-03-03"
INSPECTIONS = "enforcement.inspections"


def looks(rows: list[tuple[str, str, int, int]], days: int = 7) -> pd.DataFrame:
    """Return inspections: cluster, period_start, inspections, with_waste."""
    columns = ["cluster", "period_start", "inspections", "with_waste"]
    table = pd.DataFrame(rows, columns=columns)
    table["period_start"] = pd.to_datetime(table["period_start"])
    return table.assign(period_days=days, observer_role="cleaning crew")


def extract(
    after: list[tuple[str, str, int, int]], before: tuple[int, int] = (20, 10)
) -> dict[str, pd.DataFrame]:
    """Return an extract in which all places were alike before the action began."""
    clusters = sorted({row[0] for row in after})
    early = [(c, day, *before) for c in clusters for day in (FIRST, "2025-02-03")]
    return {INSPECTIONS: looks(early + after)}


def actions(begun: dict[str, str], waiting: tuple[str, ...] = (), **more: str) -> pd.DataFrame:
    rows = [(c, day, "treated" if waiting or more else "") for c, day in begun.items()]
    rows += [(c, None, "control") for c in waiting]
    return pd.DataFrame(rows, columns=["cluster", "first_day", "drawn"]).assign(action="boards")


TREATED, WAITING = ("A1", "A2", "A3"), ("B1", "B2", "B3", "B4")
AFTER = [
    *[(c, "2025-03-03", n, y) for c, n, y in zip(TREATED, (20, 30, 25), (8, 9, 5), strict=True)],
    *[(c, "2025-04-07", n, y) for c, n, y in zip(TREATED, (22, 18, 30), (6, 8, 7), strict=True)],
    *[(c, "2025-03-03", 25, y) for c, y in zip(WAITING, (15, 11, 12, 14), strict=True)],
    *[(c, "2025-04-07", 20, y) for c, y in zip(WAITING, (9, 10, 12, 7), strict=True)],
]


@pytest.fixture
def data() -> dict[str, pd.DataFrame]:
    return extract(AFTER)


def row(table: pd.DataFrame | Absent, about: str = effect.OWN) -> pd.Series:
    assert isinstance(table, pd.DataFrame)
    return table[table["about"].eq(about) & table["method"].ne(effect.NAIVE)].iloc[0]


def by_lot() -> pd.DataFrame:
    return actions(dict.fromkeys(TREATED, BEGUN), WAITING)


def ratio(table: pd.DataFrame, treated: Sequence[str]) -> float:
    """Return the logarithm of the ratio of rates by a Poisson model with months."""
    table = table[table["period_start"] >= BEGUN]
    month = pd.get_dummies(table["period_start"].dt.month, dtype=float)
    own = table["cluster"].isin(treated).astype(float)
    model = sm.GLM(
        table["with_waste"],
        pd.concat([month, own.rename("own")], axis=1).rename(columns=str),
        offset=np.log(table["inspections"]),
        family=sm.families.Poisson(),
    )
    return float(model.fit().params["own"])


def test_with_places_alike_the_effect_is_that_of_a_poisson_model_with_months(
    data: dict[str, pd.DataFrame],
) -> None:
    found = row(effect.effects(data, by_lot()))
    assert found["method"] == effect.DRAWN
    assert np.log1p(found["estimate"]) == pytest.approx(ratio(data[INSPECTIONS], TREATED), abs=1e-6)
    assert (found["places"], found["compared"], found["looks"]) == (3, 4, 145)


def test_interval_is_that_of_leaving_out_one_place_at_a_time() -> None:
    rng = np.random.default_rng(7)
    own, others = [f"A{k}" for k in range(10)], [f"B{k}" for k in range(12)]
    after = [
        (c, day, 30, rng.binomial(30, rng.beta(6, 14 if c < "B" else 8)))
        for c in (*own, *others)
        for day in (BEGUN, "2025-04-07")
    ]
    data = extract(after)
    plan = actions(dict.fromkeys(own, BEGUN), tuple(others))
    found, table = row(effect.effects(data, plan)), data[INSPECTIONS]
    whole = ratio(table, own)
    left = [ratio(table[table["cluster"].ne(c)], own) - whole for c in (*own, *others)]
    low, high = np.log1p([found["low"], found["high"]])
    assert (high + low) / 2 == pytest.approx(whole, abs=1e-6)
    # Student's t with 9 degrees of freedom: 10 places less 1.
    width = 2.262157 * np.sqrt(np.square(left).sum())
    assert (high - low) / 2 == pytest.approx(width, rel=0.02)
    # Power .8: 0.883404 with the same degrees of freedom.
    both = (high - low) / 2 * (1 + 0.883404 / 2.262157)
    assert found["findable"] == pytest.approx(1 - np.exp(-both), rel=1e-5)


def test_one_month_by_hand() -> None:
    after = [("A1", BEGUN, 40, 10), ("A2", BEGUN, 40, 14)]
    after += [("B1", BEGUN, 50, 25), ("B2", BEGUN, 50, 35)]
    plan = actions(dict.fromkeys(("A1", "A2"), BEGUN), ("B1", "B2"))
    found = row(effect.effects(extract(after), plan))
    assert found["estimate"] == pytest.approx((24 / 80) / (60 / 100) - 1)  # -0.5
    naive = effect.effects(extract(after), plan).set_index("method").loc[effect.NAIVE]
    assert naive["estimate"] == pytest.approx((24 / 80) / (40 / 80) - 1)  # -0.4
    assert pd.isna(naive["verdict"])


def test_chosen_places_are_expected_to_get_better_by_themselves() -> None:
    """All places are alike in truth; one had bad luck before, and is like the others again."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(200):
        for day in pd.date_range("2025-01-06", periods=24, freq="14D"):
            rows.append((f"C{number:03d}", str(day.date()), 5, rng.binomial(5, 0.4)))
    table = looks(rows, 14)
    day = "2025-07-07"
    early = table[table["period_start"] < "2025-06-20"].groupby("cluster")["with_waste"].sum()
    worst = early.sort_values(ascending=False, kind="stable").index[:40]
    found = effect.effects({INSPECTIONS: table}, actions(dict.fromkeys(worst, day)))
    naive = found.set_index("method").loc[effect.NAIVE]
    assert naive["high"] < 0
    own = row(found)
    assert own["method"] == effect.CITY and own["low"] < 0 < own["high"]
    assert abs(own["estimate"]) < 0.5 * abs(naive["estimate"])


def test_places_that_start_later_are_compared_until_they_do() -> None:
    """A1 starts in March, B1 in April; what B1 does from then on says nothing of March."""
    months = ("2025-03-03", "2025-04-07")
    counts = {"A1": (4, 4), "A2": (6, 6), "B1": (10, 1), "B2": (10, 1)}
    after = [(c, m, 20, y) for c, ys in counts.items() for m, y in zip(months, ys, strict=True)]
    begun = {"A1": months[0], "A2": months[0], "B1": months[1], "B2": months[1]}
    found = row(effect.effects(extract(after), actions(begun, drawn="all")))
    assert found["method"] == effect.DRAWN
    # In April nobody waits: March alone tells, 10 of 40 where 20 of 40 would have been found.
    assert found["estimate"] == pytest.approx(-0.5)
    assert (found["places"], found["compared"], found["looks"]) == (2, 2, 40)


def test_a_period_in_which_the_action_began_is_left_out(data: dict[str, pd.DataFrame]) -> None:
    before = row(effect.effects(data, by_lot()))
    half = looks([(c, "2025-02-26", 50, 0) for c in TREATED])
    table = pd.concat([data[INSPECTIONS], half], ignore_index=True)
    after = row(effect.effects({INSPECTIONS: table}, by_lot()))
    pd.testing.assert_series_equal(before, after)


def test_habits_of_observers_are_no_effect() -> None:
    """Officers, who record twice the odds, come to the places of the action afterwards."""
    rows = []
    clusters = [f"{side}{number}" for side in "AB" for number in range(8)]
    for number, cluster in enumerate(clusters):
        for week, day in enumerate(pd.date_range(FIRST, periods=16, freq="7D")):
            for role, found in (("cleaning crew", 10), ("enforcement officer", 15)):
                late = day >= pd.Timestamp(BEGUN)
                own = role == "enforcement officer"
                if late and own != cluster.startswith("A"):
                    continue
                wave = (number + week) % 3 - 1
                rows.append((cluster, day, 7, role, 20 if own else 30, found + wave))
    columns = ["cluster", "period_start", "period_days", "observer_role"]
    table = pd.DataFrame(rows, columns=[*columns, "inspections", "with_waste"])
    plan = actions(dict.fromkeys(clusters[:8], BEGUN), tuple(clusters[8:]))
    found = effect.effects({INSPECTIONS: table}, plan)
    # Crews find 1 in 3, officers 3 in 4 at the same places.
    assert abs(row(found)["estimate"]) < 0.02
    assert found.set_index("method").loc[effect.NAIVE, "estimate"] > 0.3


def test_neighbours_are_no_comparison_and_are_told_apart() -> None:
    after = [("A1", BEGUN, 40, 10), ("A2", BEGUN, 40, 10)]
    after += [("N1", BEGUN, 40, 30), ("N2", BEGUN, 40, 30)]
    after += [(f"B{k}", BEGUN, 40, 20 + (-1) ** k) for k in range(6)]
    data = extract(after)
    clusters = sorted({r[0] for r in after})
    x = {"A1": 0, "A2": 1000, "N1": 90, "N2": 1090}
    far = {f"B{k}": 5000 + 1000 * k for k in range(6)}
    data["enforcement.containers"] = pd.DataFrame(
        {"cluster": clusters, "x": [float({**x, **far}[c]) for c in clusters], "y": 0.0}
    )
    plan = actions(dict.fromkeys(("A1", "A2"), BEGUN))
    found = effect.effects(data, plan, near=100.0)
    assert row(found)["estimate"] == pytest.approx(-0.5, abs=1e-6)
    assert row(found)["compared"] == 6
    beside = row(found, effect.NEIGHBOURS)
    assert beside["estimate"] == pytest.approx(0.5, abs=1e-6)
    assert beside["verdict"] in (effect.DISPLACED, effect.NOT_ENOUGH)
    with pytest.raises(DatamallError, match="x and y"):
        effect.effects({INSPECTIONS: data[INSPECTIONS]}, plan, near=100.0)


def test_what_should_not_move_is_judged_by_itself(data: dict[str, pd.DataFrame]) -> None:
    table = data[INSPECTIONS]
    moved = table.assign(bulky=table["with_waste"])
    found = effect.effects({INSPECTIONS: moved}, by_lot(), unaffected="bulky")
    own, other = row(found), row(found, "bulky, which should not move")
    assert other["estimate"] == own["estimate"]
    assert other["verdict"] != own["verdict"] or own["verdict"] == effect.NOT_ENOUGH
    missing = effect.effects(data, by_lot(), unaffected="bulky")
    assert isinstance(missing, Absent) and "bulky" in missing.reason


@pytest.mark.parametrize(
    ("low", "high", "words", "verdict"),
    [
        (-0.3, -0.1, effect.EFFECT, effect.HELPED),
        (0.1, 0.3, effect.EFFECT, effect.WORSE),
        (-0.05, 0.4, effect.EFFECT, effect.NO_EFFECT),
        (-0.15, 0.01, effect.EFFECT, effect.NOT_ENOUGH),
        (np.nan, np.nan, effect.EFFECT, effect.NOT_ENOUGH),
        (-0.05, 0.05, effect.FALSIFIED, effect.UNMOVED),
        (-0.05, 0.4, effect.FALSIFIED, effect.NOT_ENOUGH),
        (0.1, 0.3, effect.FALSIFIED, effect.MOVED),
        (-0.3, -0.1, effect.SPILLED, effect.CLEANER),
        (0.1, 0.3, effect.SPILLED, effect.DISPLACED),
    ],
)
def test_verdicts(low: float, high: float, words: tuple[str, str, str], verdict: str) -> None:
    assert effect._judged(effect.Found(0, low, high), 0.1, words) == verdict


def test_a_month_without_data_changes_nothing(data: dict[str, pd.DataFrame]) -> None:
    """In May only places of the action were looked at, in June only those that wait."""
    more = looks([("A1", "2025-05-05", 20, 20), ("B1", "2025-06-02", 20, 20)])
    table = pd.concat([data[INSPECTIONS], more], ignore_index=True)
    pd.testing.assert_series_equal(
        row(effect.effects({INSPECTIONS: table}, by_lot())), row(effect.effects(data, by_lot()))
    )


def test_one_place_has_an_estimate_and_no_interval(data: dict[str, pd.DataFrame]) -> None:
    found = row(effect.effects(data, actions({"A1": BEGUN}, WAITING)))
    assert found["estimate"] < 0 and np.isnan([found["low"], found["high"]]).all()
    assert found["verdict"] == effect.NOT_ENOUGH


def test_where_all_places_have_the_action_nothing_can_be_compared(
    data: dict[str, pd.DataFrame],
) -> None:
    found = effect.effects(data, actions(dict.fromkeys((*TREATED, *WAITING), BEGUN)))
    assert row(found)["verdict"] == effect.NOT_ENOUGH and np.isnan(row(found)["estimate"])
    assert found.set_index("method").loc[effect.NAIVE, "estimate"] < 0


def test_nobody_looked_before_or_afterwards(data: dict[str, pd.DataFrame]) -> None:
    for day in ("2024-01-01", "2025-12-01"):
        plan = actions(dict.fromkeys(TREATED, day), WAITING)
        assert row(effect.effects(data, plan))["verdict"] == effect.NOT_ENOUGH
    assert isinstance(effect.effects({INSPECTIONS: data[INSPECTIONS][:0]}, by_lot()), Absent)


def test_no_find_at_all_has_the_limit_of_garwood() -> None:
    after = [(c, BEGUN, 100, 0) for c in ("A1", "A2")] + [(c, BEGUN, 100, 50) for c in WAITING]
    found = row(
        effect.effects(extract(after), actions(dict.fromkeys(("A1", "A2"), BEGUN), WAITING))
    )
    assert (found["estimate"], found["low"]) == (-1, -1)
    # 100 finds were to be expected, of which none came: at most -ln(.025) = 3.689.
    assert found["high"] == pytest.approx(3.688879 / 100 - 1, abs=1e-6)
    assert found["verdict"] == effect.HELPED


def test_a_find_everywhere_among_those_who_wait_tells_nothing() -> None:
    after = [(c, BEGUN, 10, 5) for c in TREATED] + [(c, BEGUN, 10, 10) for c in WAITING]
    assert np.isnan(row(effect.effects(extract(after), by_lot()))["estimate"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="first_day"), "no column first_day"),
        (lambda t: t.assign(drawn="yes"), "'yes' at place A1"),
        (lambda t: pd.concat([t, t[:1]]), "A1 stands twice in boards"),
        (lambda t: t.assign(first_day=None), "A1 has no first day in boards"),
    ],
)
def test_what_is_wrong_with_actions_is_said(
    data: dict[str, pd.DataFrame], change: object, says: str
) -> None:
    with pytest.raises(DatamallError, match=says):
        effect.effects(data, change(by_lot()))  # type: ignore[operator]


def test_no_action_is_said() -> None:
    found = effect.effects(extract(AFTER), by_lot().assign(drawn="control"))
    assert isinstance(found, Absent)


def found_of(verdict: str, low: float, high: float, action: str = "inform and enforce") -> dict:
    return {
        "action": action,
        "about": effect.OWN,
        "method": effect.DRAWN,
        "low": low,
        "high": high,
        "places": 50,
        "looks": 3000,
        "verdict": verdict,
    }


def test_measured_ranges_replace_assumed_ones() -> None:
    table = pd.DataFrame([found_of(effect.HELPED, -0.28, -0.12)])
    record = effect.measured(table, "residual")
    assert record.iloc[0].to_dict() == {
        "cause": "residual",
        "action": "inform and enforce",
        "low": 0.12,
        "high": 0.28,
        "source": "measured beside places drawn to wait: 3,000 looks at 50 places",
    }
    known = effects.replaced(record).set_index("cause")
    assert known.loc["residual", ["low", "high"]].to_list() == [0.12, 0.28]
    assert known.drop("residual").equals(effects.EFFECTS.set_index("cause").drop("residual"))
    assert effects.EFFECTS.set_index("cause").loc["residual", "high"] == 0.2  # untouched


def test_nothing_is_replaced_without_evidence_or_where_something_else_changed() -> None:
    unsure = pd.DataFrame([found_of(effect.NOT_ENOUGH, -0.4, 0.1)])
    assert effect.measured(unsure, "residual").empty
    helped = found_of(effect.HELPED, -0.28, -0.12)
    moved = {**helped, "about": "bulky, which should not move", "verdict": effect.MOVED}
    assert effect.measured(pd.DataFrame([helped, moved]), "residual").empty
    worse = effect.measured(pd.DataFrame([found_of(effect.WORSE, 0.1, 0.3)]), "residual")
    assert worse[["low", "high"]].to_numpy().tolist() == [[0, 0]]
    assert effects.replaced(effect.measured(unsure, "residual")).equals(effects.EFFECTS)


def test_an_unknown_effect_is_refused() -> None:
    record = effect.measured(pd.DataFrame([found_of(effect.HELPED, -0.3, -0.1)]), "residual")
    with pytest.raises(DatamallError, match="no effect that a plan uses"):
        effects.replaced(record.assign(cause="litter"))
    with pytest.raises(DatamallError, match="is measured twice"):
        effects.replaced(pd.concat([record, record]))


def test_every_method_says_what_it_identifies() -> None:
    assert set(effect.IDENTIFIED) == {effect.DRAWN, effect.CITY, effect.NAIVE}


def test_without_actions_their_absence_is_the_answer(data: dict[str, pd.DataFrame]) -> None:
    none = Absent("Did it help?", "The authority delivers no actions.")
    assert effect.effects(data, none, outcome="bulky") is none
