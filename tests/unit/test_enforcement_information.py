"""Counting, on a city small enough to count by hand."""

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from datamall.enforcement import causes, information, knowledge
from datamall.errors import DatamallError
from datamall.requirements import Absent

ROWS = [
    # cluster, role, month, inspections, with_waste, bulky, full
    ("A", "cleaning crew", date(2025, 1, 1), 4, 1, 1, 0),
    ("A", "cleaning crew", date(2025, 2, 1), 4, 3, 2, 1),
    ("A", "enforcement officer", date(2025, 1, 1), 2, 2, 1, 1),
    ("B", "cleaning crew", date(2025, 1, 1), 5, 0, 0, 0),
    ("B", "enforcement officer", date(2025, 1, 1), 5, 2, 1, 0),
    ("S", "cleaning crew", date(2025, 1, 1), 2, 1, 1, 0),
]
COLUMNS = [
    *("cluster", "observer_role", "period_start", "inspections", "with_waste", "bulky", "full"),
]


@pytest.fixture
def data() -> dict[str, pd.DataFrame]:
    return {
        "enforcement.inspections": pd.DataFrame(ROWS, columns=COLUMNS),
        "enforcement.containers": pd.DataFrame(
            {
                "cluster": ["A", "B", "S", "never"],
                "kind": ["container", "container", "dump spot", "container"],
                # As a DECIMAL column of a Parquet file arrives.
                "x": [Decimal("100.00"), Decimal("200.50"), Decimal("300.00"), Decimal("1.00")],
                "y": [Decimal("0.00")] * 4,
                "neighbourhood": ["n1", "n2", "n2", "n1"],
            }
        ),
        "shared.neighbourhoods": pd.DataFrame(
            {"neighbourhood": ["n1", "n2"], "district": ["North", "South"]}
        ),
    }


def test_places_add_up_over_roles_and_months(data: dict[str, pd.DataFrame]) -> None:
    table = information.places(data).set_index("cluster")
    assert table["inspections"].to_dict() == {"A": 10, "B": 10, "S": 2}
    assert table["with_waste"].to_dict() == {"A": 6, "B": 2, "S": 1}
    assert table["observed"].tolist() == [0.6, 0.2, 0.5]
    assert table["x"].tolist() == [100.0, 200.5, 300.0]


def test_totals_keep_kinds_apart_and_count_the_never_inspected(
    data: dict[str, pd.DataFrame],
) -> None:
    table = information.totals(data)
    assert table["kind"].tolist() == ["container", "dump spot", "all places"]
    assert table["registered"].tolist() == [3, 1, 4]
    assert table["places"].tolist() == [2, 1, 3]
    assert table["with_waste"].tolist() == [8, 1, 9]


def test_exposure_and_months(data: dict[str, pd.DataFrame]) -> None:
    exposure = information.exposure(data)
    assert exposure[["district", "kind", "inspections"]].to_numpy().tolist() == [
        ["North", "container", 10],
        ["South", "container", 10],
        ["South", "dump spot", 2],
    ]
    months = information.months(data)
    assert months["month"].tolist() == ["2025-01", "2025-02"]
    assert months["inspections"].tolist() == [18, 4]
    assert months["places"].tolist() == [3, 1]


def test_order_of_the_rows_changes_nothing(data: dict[str, pd.DataFrame]) -> None:
    turned = {name: table.iloc[::-1].reset_index(drop=True) for name, table in data.items()}
    for function in (information.cells, information.places, information.totals):
        pd.testing.assert_frame_equal(function(turned), function(data))
    pd.testing.assert_frame_equal(
        knowledge.dirty_rates(turned, 0.9), knowledge.dirty_rates(data, 0.9), check_exact=True
    )


def test_shares_of_causes_by_hand(data: dict[str, pd.DataFrame]) -> None:
    table = causes.cause_shares(data, 0.9).set_index(["kind", "cause"])
    row = table.loc[("all places", "bulky")]
    assert (row["found"], row["with_waste"]) == (6, 9)
    # Residuals 4 - 4, 1 - 4/3, 1 - 2/3 over the places A, B and S.
    error = np.sqrt(2 / 9 * 3 / 2) / 9
    assert row["high"] - row["share"] == pytest.approx(1.6448536 * error, rel=1e-6)
    truck = causes.truck_reach(data, 0.9)
    assert truck["share"].tolist() == pytest.approx([6 / 9, 2 / 9])
    assert truck[["found", "with_waste"]].to_numpy().tolist() == [[6, 9], [2, 9]]
    assert list(table.loc["container"].index) == ["bulky", "full"]
    # A dump spot has no container. All of its one inspection with waste was bulky: Wilson's limit
    # with one witness is n / (n + z²).
    spot = table.loc["dump spot"]
    assert list(spot.index) == ["bulky"]
    assert spot.loc["bulky", ["low", "high"]].tolist() == pytest.approx([1 / (1 + 2.705543), 1])


@pytest.mark.parametrize(("found", "low", "high"), [(0, 0, 0.474195), (1, 0.525805, 1)])
def test_found_never_or_always_still_has_an_interval(
    data: dict[str, pd.DataFrame], found: int, low: float, high: float
) -> None:
    table = data["enforcement.inspections"]
    table["bulky"] = table["with_waste"] * found
    row = causes.cause_shares(data, 0.9).iloc[0]
    # Three places with waste: z² / (n + z²).
    assert [row["share"], row["low"], row["high"]] == pytest.approx([found, low, high], abs=1e-5)
    without = data | {"enforcement.inspections": table.drop(columns="full")}
    truck = causes.truck_reach(without, 0.9)
    assert truck["part"].tolist() == ["bulky, beyond a regular truck"]


def test_a_cause_left_blank_is_not_counted_as_absent(data: dict[str, pd.DataFrame]) -> None:
    table = data["enforcement.inspections"].astype({"bulky": float})
    table.loc[1, "bulky"] = np.nan
    row = causes.cause_shares(data | {"enforcement.inspections": table}, 0.9).iloc[0]
    assert (row["found"], row["with_waste"]) == (4, 6)


def test_an_inspection_with_several_causes_is_divided(data: dict[str, pd.DataFrame]) -> None:
    rates = knowledge.dirty_rates(data, 0.9)
    shares = causes.place_causes(data, rates)
    np.testing.assert_allclose(shares[["bulky", "full", "unknown"]].sum(axis=1), 1)
    assert (shares.set_index("cluster").loc["S", "full"]) == 0


def test_bags_at_a_full_container_belong_to_the_container(data: dict[str, pd.DataFrame]) -> None:
    table = data["enforcement.inspections"].drop(columns="bulky")
    table["residual"] = table["with_waste"]
    poor = data | {"enforcement.inspections": table}
    # One and the same mixture everywhere, so that pooling leaves it as it is.
    table["full"] = table["with_waste"] / 2
    shares = causes.place_causes(poor, knowledge.dirty_rates(poor, 0.9)).set_index("cluster")
    # At half of the inspections the container was full; only bags at the other half are bags.
    assert shares.loc["A", ["full", "residual", "unknown"]].tolist() == pytest.approx([0.5, 0.5, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("shared.neighbourhoods"), "lacks shared.neighbourhoods"),
        (
            lambda d: d.update({"enforcement.inspections": d["enforcement.inspections"].head(0)}),
            "holds no rows",
        ),
        (
            lambda d: d.update({"enforcement.containers": d["enforcement.containers"].tail(3)}),
            "3 rows of enforcement.inspections name a cluster without .* e.g. A",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(
    data: dict[str, pd.DataFrame], change: object, message: str
) -> None:
    change(data)
    with pytest.raises(DatamallError, match=message):
        information.cells(data)


def test_chapters_name_what_is_missing(data: dict[str, pd.DataFrame]) -> None:
    table = data["enforcement.inspections"].assign(observer_role="unknown").drop(columns="bulky")
    poor = data | {"enforcement.inspections": table}
    habits = knowledge.observer_habits(poor, 0.9)
    assert isinstance(habits, Absent)
    assert "observer_role has one value only" in habits.reason
    truck = causes.truck_reach(poor, 0.9)
    assert isinstance(truck, Absent)
    assert "does not deliver enforcement.inspections.bulky" in truck.reason
    without = table.drop(columns=["observer_role", "period_start", "full"])
    rates = knowledge.dirty_rates(data | {"enforcement.inspections": without}, 0.9)
    assert rates["rate"].between(0, 1).all()
