"""What is in the stores, and what became of the records."""

import pandas as pd
import pytest
from registers_by_hand import registers

from datamall.catalogue import information
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
