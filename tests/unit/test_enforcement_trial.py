"""Who starts when, by lot, and what a trial could find: against published formulas and by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from datamall.enforcement import effect, trial
from datamall.errors import DatamallError
from datamall.requirements import Absent

DAY = pd.Timestamp("2026-01-05")


def places(number: int, districts: int = 3) -> pd.DataFrame:
    rows = [(f"C{k:03d}", "container", f"D{k % districts}") for k in range(number)]
    return pd.DataFrame(rows, columns=["cluster", "kind", "district"])


def past(number: int, **more: float) -> pd.DataFrame:
    table = pd.DataFrame({"cluster": [f"C{k:03d}" for k in range(number)]})
    return table.assign(**{"rate": 0.5, "sd": 0.1, "looks": 2.0, "likeness": 0.0, **more})


def test_the_calendar_has_one_row_per_place_and_step_and_is_balanced() -> None:
    table = trial.calendar(places(47), 3, DAY, 4, seed=1)
    assert len(table) == 47 * 3 and not table.duplicated(["cluster", "step"]).any()
    starts = table.drop_duplicates("cluster").groupby("starts").size()
    assert starts.index.tolist() == [1, 2, 3, 4] and starts.max() - starts.min() <= 1
    by_district = table.drop_duplicates("cluster").groupby(["district", "starts"]).size()
    assert (
        by_district.groupby("district").max() - by_district.groupby("district").min()
    ).max() <= 2
    assert table.groupby("step")["day"].first().tolist() == list(
        pd.date_range(DAY, periods=3, freq="28D")
    )
    # Once begun, begun; those who wait never begin.
    assert (table["begun"] == (table["step"] >= table["starts"])).all()
    assert table.loc[table["starts"] == 4, "begun"].sum() == 0
    pd.testing.assert_frame_equal(table, trial.calendar(places(47)[::-1], 3, DAY, 4, seed=1))


@pytest.mark.slow
def test_every_place_starts_at_every_step_equally_often() -> None:
    drawn = np.zeros((10, 3))
    for seed in range(600):
        table = trial.calendar(places(10), 2, DAY, 1, seed).drop_duplicates("cluster")
        drawn[np.arange(10), table["starts"] - 1] += 1
    np.testing.assert_allclose(drawn / 600, 1 / 3, atol=4 * np.sqrt(2 / 9 / 600))
    assert table["chance"].eq(1 / 3).all()


def test_a_calendar_is_a_list_of_actions() -> None:
    table = trial.actions(trial.calendar(places(12), 2, DAY, 2, seed=3), "boards")
    assert table["drawn"].value_counts().to_dict() == {"treated": 8, "control": 4}
    assert set(table["first_day"].dropna()) == {DAY, DAY + pd.Timedelta(days=14)}
    assert len(effect.check_actions(table)) == 12


@pytest.mark.parametrize(
    ("number", "steps", "says"), [(5, 2, "5 places make no 3 groups"), (9, 0, "needs a week")]
)
def test_a_calendar_that_cannot_be_is_refused(number: int, steps: int, says: str) -> None:
    with pytest.raises(DatamallError, match=says):
        trial.calendar(places(number), steps, DAY, 1, seed=1)
    with pytest.raises(DatamallError, match="C000 stands twice"):
        trial.calendar(pd.concat([places(9), places(1)]), 2, DAY, 1, seed=1)


def test_one_step_by_hand() -> None:
    """40 places, half wait: the variance is 4 (sigma² + tau²) / 40."""
    drawn = trial.calendar(places(40), 1, DAY, 10, seed=1)
    within = (1 - 0.5) / (0.5 * 2.0 * 10)  # 20 looks at a place
    error = np.sqrt(4 * (within + (0.1 / 0.5) ** 2) / 40)
    width = t.ppf(0.975, 19) + t.ppf(0.8, 19)
    found = trial.smallest_effect(past(40), drawn, 10)
    assert found == pytest.approx(1 - np.exp(-width * error))
    # Of 20 looks in one quarter, each resembles 19 others: 1 + 19 × .1 as much variance.
    error = np.sqrt(4 * (within * (1 + 19 * 0.1) + (0.1 / 0.5) ** 2) / 40)
    found = trial.smallest_effect(past(40, likeness=0.1), drawn, 10)
    assert found == pytest.approx(1 - np.exp(-width * error))


def test_steps_are_those_of_generalised_least_squares() -> None:
    """Hussey and Hughes's variance is that of the effect in a model with places and steps."""
    drawn = trial.calendar(places(20), 4, DAY, 6, seed=2)
    begun = drawn.pivot_table(index="cluster", columns="step", values="begun").to_numpy(float)
    within, between = (1 - 0.5) / (0.5 * 2.0 * 6), 0.2**2
    design = np.column_stack([np.tile(np.eye(4), (20, 1)), begun.ravel()])
    own = np.linalg.inv(within * np.eye(4) + between)
    variance = np.linalg.inv(design.T @ np.kron(np.eye(20), own) @ design)[-1, -1]
    found = trial.smallest_effect(past(20), drawn, 6)
    ever = (begun.max(axis=1) > 0).sum()
    degrees = min(ever, (begun.min(axis=1) == 0).sum()) - 1
    width = t.ppf(0.975, degrees) + t.ppf(0.8, degrees)
    assert found == pytest.approx(1 - np.exp(-width * np.sqrt(variance)))


def test_a_place_that_nobody_looks_at_adds_nothing() -> None:
    drawn, own = trial.calendar(places(40), 1, DAY, 10, seed=1), past(40)
    few = own.assign(looks=np.where(own.index < 20, 2.0, 1e-9))
    # The other half of the places bears all: twice the variance.
    double = np.log1p(-trial.smallest_effect(few, drawn, 10))
    assert double / np.log1p(-trial.smallest_effect(own, drawn, 10)) == pytest.approx(
        2**0.5, rel=1e-4
    )


def test_weeks_that_are_needed_or_that_do_not_help() -> None:
    drawn = trial.calendar(places(40), 1, DAY, 10, seed=1)
    table = trial.weeks_needed(past(40), drawn, 0.25, longest=26)
    assert table["findable"].is_monotonic_decreasing
    first = table[table["enough"]].iloc[0]
    assert trial.smallest_effect(past(40), drawn, float(first["weeks"])) <= 0.25
    assert trial.smallest_effect(past(40), drawn, float(first["weeks"] - 1)) > 0.25
    says = trial.describe(table, 40, 0.25)
    assert f"steps of {first['weeks']} weeks" in says and "a decrease by 25 %" in says
    never = trial.weeks_needed(past(40, sd=0.4), drawn, 0.1, longest=26)
    assert not never["enough"].any()
    assert "choose more than 40 places" in trial.describe(never, 40, 0.1)


def test_all_places_at_once_or_one_place_find_nothing() -> None:
    drawn = trial.calendar(places(12), 2, DAY, 4, seed=1)
    assert np.isnan(trial.smallest_effect(past(12), drawn.assign(begun=True), 4))
    assert np.isnan(trial.smallest_effect(past(1), drawn, 4))
    table = trial.weeks_needed(past(1), drawn, 0.2, longest=3)
    assert not table["enough"].any() and "too few" in trial.describe(table, 1, 0.2)


def test_past_looks_are_counted_per_week() -> None:
    rows = [
        (f"C{k:03d}", day, 7, 3, k % 3)
        for k in range(30)
        for day in pd.date_range("2025-01-06", periods=30, freq="14D")
    ]
    columns = ["cluster", "period_start", "period_days", "inspections", "with_waste"]
    data = {"enforcement.inspections": pd.DataFrame(rows, columns=columns)}
    found = trial.past_looks(data, ["C000", "C001", "Z"])
    assert found["cluster"].tolist() == ["C000", "C001"]
    # 30 × 3 looks within the 59 weeks from the first day to the end of the last period.
    np.testing.assert_allclose(found["looks"], 90 / 59)
    assert found["rate"].is_monotonic_increasing and (found["sd"] > 0).all()
    assert isinstance(trial.past_looks(data, ["Z"]), Absent)
