"""What is in the stores, and what became of the records."""

import numpy as np
import pandas as pd
import pytest
from registers_by_hand import registers

from datamall.catalogue import information, words
from datamall.errors import DatamallError
from datamall.requirements import Absent


def test_stores_that_were_taken_in_with_their_period() -> None:
    table = information.stores(registers())
    assert table["store"].tolist() == ["help.origin", "help.people", "street.bins"]
    assert table["rows"].tolist() == [50, 50, 100]
    periods = [None if pd.isna(p) else p for p in table["period"]]
    assert periods == [None, "2025-01-01", "2025-01-01 to 2025-12-31"]


def test_keepers_name_every_store_delivered_or_not() -> None:
    table = information.keepers(registers())
    assert table["state"].tolist() == ["taken in"] * 3 + ["not delivered"]
    assert table.set_index("store").loc["street.rounds", "steward"] == "round-desk"


def test_columns_of_stores_that_are_delivered() -> None:
    table = information.columns(registers())
    assert "street.rounds" not in set(table["store"])
    assert len(table) == 8
    litter = table.set_index("title").loc["Litter"]
    assert (litter["missing"], litter["absent"], litter["unit"]) == (40, "none was seen", "items")


def test_share_put_aside_is_of_records_that_were_not_merged() -> None:
    table = information.quality(registers()).set_index("store")
    assert table.loc["street.bins", "share_put_aside"] == pytest.approx(6 / 106)
    assert table.loc["help.people", "share_put_aside"] == 0
    whole = table["merged"] + table["accepted"] + table["put_aside"]
    assert whole.tolist() == table["read"].tolist()


def test_reasons_come_most_frequent_first_and_no_more_than_asked() -> None:
    table = information.reasons(registers(), 2)
    assert table["records"].tolist() == [3, 2]
    assert table["meaning"].tolist() == ["Litter: outside the range allowed", "The same row again"]
    assert table["share"].tolist() == pytest.approx([3 / 106, 2 / 106])
    assert len(information.reasons(registers(), 50)) == 3
    with pytest.raises(DatamallError, match="reasons is 0"):
        information.reasons(registers(), 0)


def test_without_a_register_there_is_a_gap() -> None:
    data = registers()
    del data["mall.quality"]
    gap = information.quality(data)
    assert isinstance(gap, Absent)
    assert "mall.quality" in gap.reason


def test_quality_over_time_is_of_what_was_taken_in_more_than_once() -> None:
    table = information.over_time(registers())
    assert table["file"].tolist() == ["jan.csv", "mar.csv"]  # not what waits, nor an empty file
    assert table["number"].tolist() == [1, 3]
    assert table["share_put_aside"].tolist() == pytest.approx([2 / 60, 4 / 66])
    assert words.describe_over_time(table) == (
        "Of 2 files that were taken in, mar.csv for street.bins has the largest share of records "
        "put aside, 6.1 %."
    )
    data = registers()
    data["mall.deliveries"] = data["mall.deliveries"].head(2)
    assert words.describe_over_time(information.over_time(data)) == (
        "No store has had a second delivery yet."
    )


def test_what_a_steward_has_to_look_at_comes_first() -> None:
    table = information.to_look_at(registers())
    assert table[["file", "state"]].to_numpy().tolist() == [
        ["feb.csv", "held back"],
        ["twice.csv", "withdrawn"],
        ["mar.csv", "taken in"],
    ]
    assert table["steward"].nunique() == 1


def test_what_contradictions_could_change_is_a_share_of_what_was_accepted() -> None:
    table = information.in_conflict(registers()).set_index("title")
    assert table.index.tolist() == ["Looks", "Litter"]
    assert table.loc["Looks", "change"] == pytest.approx(10 / 200)
    assert np.isnan(table.loc["Litter", "change"])


def test_what_was_used_is_counted_over_the_months() -> None:
    assert information.used(registers()).to_dict("split")["data"] == [
        ["clean", "street.bins", "handed out", 5, "2026-01", "2026-03"],
        ["profile", "-", "store-damaged", 4, "2026-03", "2026-03"],
        ["-", "-", "unknown-purpose", 1, "2026-01", "2026-01"],
    ]
    nothing = registers() | {"mall.uses": registers()["mall.uses"].iloc[:0]}
    assert list(information.used(nothing)) == [
        *("purpose", "store", "outcome", "times", "first_month", "last_month")
    ]
