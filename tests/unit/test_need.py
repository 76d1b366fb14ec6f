"""Inspections against need: what is enough, by hand, and verdicts on fair and biased towns."""

import pandas as pd
import pytest

from datamall.enforcement import need
from datamall.errors import DatamallError
from datamall.fairness.verdict import FAIL, NOT_ENOUGH, PASS
from datamall.requirements import Absent

NUMBER = 400


def town(number: int = NUMBER, unfair: bool = False) -> tuple[dict, pd.DataFrame]:
    """Return neighbourhoods of one place each, later ones with more reports.

    A fair town inspects every other one a little more than need calls for; an unfair one none of
    the fifth with the fewest reports.
    """
    names = [f"N{row:03}" for row in range(number)]
    places = pd.DataFrame({"cluster": names, "neighbourhood": names, "kind": "container"})
    told = [name for row, name in enumerate(names) for _ in range(row)]
    reports = pd.DataFrame({"report": range(len(told)), "cluster": told})
    inspections = [100 + (1 if row % 2 else -1) for row in range(number)]
    if unfair:
        inspections[: number // 5] = [5] * (number // 5)
    rates = pd.DataFrame({"cluster": names, "inspections": inspections, "rate": 0.3})
    stores = {"containers": places, "reports": reports, "inspections": looks(rates)}
    return {f"enforcement.{name}": table for name, table in stores.items()}, rates


def looks(rates: pd.DataFrame) -> pd.DataFrame:
    return rates[["cluster", "inspections"]].assign(with_waste=1)


def audited(*given: object, **town_: object) -> pd.DataFrame:
    table = need.audited(need.by_neighbourhood(*town(**town_)), 0.25, 0.95)
    return table.set_index(["by", "group"])


def test_enough_is_as_much_of_the_inspections_as_of_the_need() -> None:
    data, rates = town(40)
    # Twice the need with the same number of inspections; and a place that nobody inspected.
    rates.loc[1, "rate"] = 0.6
    rates = rates.drop(index=3)
    table = need.by_neighbourhood(data, rates).set_index("neighbourhood")
    assert not table.loc["N001", "enough"] and not table.loc["N003", "enough"]
    assert table.loc["N003", "inspections"] == 0
    assert table.loc["N003", "need"] == pytest.approx(rates["rate"].mean())
    assert table.loc["N005", "enough"]
    assert table.loc["N000", "reports per place"] == need.FIFTHS[0]
    assert table.loc["N039", "reports per place"] == need.FIFTHS[-1]
    assert table["places"].value_counts().tolist() == [8] * 5


def test_a_fair_town_passes_and_an_unfair_one_fails_where_it_is_unfair() -> None:
    fair = audited()
    assert set(fair["verdict"]) == {PASS}
    assert fair.loc[("reports per place", need.FIFTHS[0]), "neighbourhoods"] == NUMBER // 5
    unfair = audited(unfair=True).loc["reports per place"]
    row = unfair.loc[need.FIFTHS[0]]
    assert row["verdict"] == FAIL and row["high"] < -0.25 and row["share"] == 0
    assert row["per_need"] == pytest.approx(5 / 0.3)
    assert row["low"] <= row["gap"] < row["high"]


def test_few_neighbourhoods_are_too_few_to_say() -> None:
    table = audited(number=30)
    assert set(table["verdict"]) == {NOT_ENOUGH} and not (table["detectable"] <= 0.25).any()
    said = need.caption(table)
    assert said == f"Of 15 groups of neighbourhoods: 15 {NOT_ENOUGH}"
    data, rates = town(24)
    absent = need.by_neighbourhood(data, rates)
    assert isinstance(absent, Absent) and "fewer than 25 neighbourhoods" in absent.reason
    assert need.audited(absent, 0.25, 0.95) is absent and need.caption(absent) == absent.reason


def test_without_neighbourhoods_or_reports() -> None:
    data, rates = town()
    del data["enforcement.reports"]
    assert "reports per place" not in need.by_neighbourhood(data, rates)
    data["enforcement.containers"] = data["enforcement.containers"].drop(columns="neighbourhood")
    absent = need.by_neighbourhood(data, rates)
    assert isinstance(absent, Absent) and "containers.neighbourhood" in absent.reason
    with pytest.raises(DatamallError, match="need_within is 1"):
        need.audited(need.by_neighbourhood(*town()), 1.0, 0.95)
