"""Counting, on a city small enough to count by hand."""

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from datamall.enforcement import causes, information, knowledge, words
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
    for function in (information.places, information.totals):
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


def test_a_cause_that_was_never_filled_is_none_anywhere(data: dict[str, pd.DataFrame]) -> None:
    table = data["enforcement.inspections"].assign(bulky=np.nan)
    never = data | {"enforcement.inspections": table}
    without = data | {"enforcement.inspections": table.drop(columns="bulky")}
    rates = knowledge.dirty_rates(never, 0.9)
    shares = causes.place_causes(never, rates)
    assert "bulky" not in {*rates, *shares, *information.places(never)}
    pd.testing.assert_frame_equal(shares, causes.place_causes(without, rates))


def bulky(rows: list[tuple[int, int, int]]) -> pd.Series:
    """Return what is said of bulky waste, from places with n inspections, w with waste, b bulky."""
    columns = ["inspections", "with_waste", "bulky"]
    table = pd.DataFrame(rows, columns=columns).assign(
        cluster=[f"p{n:03}" for n in range(len(rows))]
    )
    return causes.truck_reach({"enforcement.inspections": table}, 0.9).iloc[0]


def test_what_was_found_without_waste_is_no_part_of_the_waste() -> None:
    # Ten checks each: of 100 with waste 31 were bulky, and 200 times it was found without waste.
    row = bulky([(1, 1, 1)] * 31 + [(1, 1, 0)] * 69 + [(1, 0, 1)] * 200 + [(1, 0, 0)] * 50)
    # Single checks tell it exactly, so that the interval is that of 31 of 100.
    assert row[["found", "with_waste", "apart"]].tolist() == [31, 100, 200]
    assert row["share"] == 0.31
    assert 0.2 < row["low"] < 0.31 < row["high"] < 0.42
    assert "at most 31 %" in words.describe_truck(row.to_frame().T.infer_objects())


def test_what_counts_cannot_tell_is_in_the_interval() -> None:
    # Found at a tenth of the checks without waste, so at about a tenth of the 900 others here:
    # of 400 finds about 90 are likely to be among these, 100 at most with waste in the rest.
    apart = [(100, 0, 10)] * 10
    row = bulky([(20, 11, 10)] * 50 + apart)
    assert row["share"] == pytest.approx(500 / 550)
    assert row["low"] < (500 - 0.1 * 450) / 550 < row["share"] <= row["high"] < 1
    assert row["apart"] == 100
    # Never found without waste where there is none: then all of it is taken to be waste.
    sure = bulky([(20, 11, 10)] * 50)
    assert "apart" not in sure
    assert sure["low"] > row["low"]
    # Where no row is without waste, only the least possible is certain: 10 + 11 - 20.
    worst = bulky([(20, 11, 10)] * 50 + [(20, 1, 20)])
    assert worst["low"] < (50 + 1) / 551


def test_an_interval_ends_within_0_and_1_by_itself() -> None:
    # Nearly always found, in places that differ: the ratio's own interval ends above 1.
    row = bulky([(10, 10, 10)] * 9 + [(10, 10, 6)])
    waste, found = np.full(10, 10.0), np.array([10.0] * 9 + [6])
    half = 1.6448536 * np.sqrt(((found - 0.96 * waste) ** 2).sum() * 10 / 9) / 100
    assert 0.96 + half > 1
    # Wilson's, of as many witnesses as that width is worth.
    spread = half**2 / (0.96 * 0.04)
    middle = (0.96 + spread / 2) / (1 + spread)
    width = np.sqrt(0.96 * 0.04 * spread + spread**2 / 4) / (1 + spread)
    assert [row["low"], row["high"]] == pytest.approx([middle - width, middle + width])
    assert row["high"] < 1


def test_no_waste_at_all_leaves_causes_unknown() -> None:
    table = pd.DataFrame(
        {"cluster": ["a", "b"], "inspections": 3, "with_waste": 0, "bulky": [0, 2]}
    )
    truck = causes.truck_reach({"enforcement.inspections": table}, 0.9)
    assert truck[["share", "low", "high"]].isna().all(axis=None)
    assert "nothing is known of what it was" in words.describe_truck(truck)


def test_inspections_alone_give_totals_months_observers_and_causes(
    data: dict[str, pd.DataFrame],
) -> None:
    alone = {"enforcement.inspections": data["enforcement.inspections"]}
    totals = information.totals(alone)
    assert totals["kind"].tolist() == ["all places"]
    assert totals[["places", "inspections", "with_waste"]].to_numpy().tolist() == [[3, 22, 9]]
    assert "registered" not in totals
    pd.testing.assert_frame_equal(information.months(alone), information.months(data))
    habits = knowledge.observer_habits(alone, 0.9)
    pd.testing.assert_frame_equal(habits, knowledge.observer_habits(data, 0.9))
    shares = causes.cause_shares(alone, 0.9)
    whole = causes.cause_shares(data, 0.9)
    whole = whole[whole["kind"] == "all places"].reset_index(drop=True)
    pd.testing.assert_frame_equal(shares, whole)
    rates = knowledge.dirty_rates(alone, 0.9)
    assert rates["rate"].between(0, 1).all()
    assert {"district", "x"}.isdisjoint(rates)
    for chapter in (information.exposure(alone), information.on_map(alone)):
        assert isinstance(chapter, Absent)
        assert "does not deliver the store enforcement.containers" in chapter.reason


def test_a_register_without_kinds_districts_or_positions_still_counts(
    data: dict[str, pd.DataFrame],
) -> None:
    data["enforcement.containers"] = data["enforcement.containers"][["cluster"]]
    totals = information.totals(data)
    assert totals["registered"].tolist() == [4]
    assert totals["kind"].tolist() == ["all places"]
    assert information.registered(data)["kind"].unique().tolist() == ["place"]


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


def test_a_place_that_is_not_in_the_register_is_refused(data: dict[str, pd.DataFrame]) -> None:
    data["enforcement.containers"] = data["enforcement.containers"].tail(3)
    with pytest.raises(DatamallError, match=r"3 rows of .*inspections name a cluster .* e.g. A"):
        information.places(data)


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
