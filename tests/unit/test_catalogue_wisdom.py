"""What to mend first, what to take back, who decides, and the answer in words."""

import pytest
from registers_by_hand import registers

from datamall.catalogue import information, knowledge, wisdom, words
from datamall.errors import DatamallError
from datamall.reporting.tables import rounded
from datamall.requirements import Absent

GAP = Absent("Anything", "Not possible here.")


def test_the_largest_share_that_a_purpose_needs_comes_first() -> None:
    table = wisdom.to_mend(registers(), 10)
    assert table["fault"].tolist() == [
        "Late reports: no value",
        "Litter: outside the range allowed",
        "The same row again",
        "Day: no number or date",
    ]  # "Litter" lacks values too, but its contract says what that means
    assert table["share"].tolist() == pytest.approx([5 / 50, 3 / 106, 2 / 106, 1 / 106])
    assert table["steward"].tolist() == ["help-desk"] + ["street-desk"] * 3
    assert table["purposes"].tolist() == ["profile"] + ["clean, trucks"] * 3
    assert wisdom.to_mend(registers(), 1)["records"].tolist() == [5]
    with pytest.raises(DatamallError, match="faults is 0"):
        wisdom.to_mend(registers(), 0)


def test_a_fault_that_no_purpose_needs_is_not_on_the_list() -> None:
    data = registers()
    data["mall.grants"] = data["mall.grants"].query("purpose != 'profile'")
    assert "help.people" not in set(wisdom.to_mend(data, 10)["store"])


def test_unused_names_who_decides() -> None:
    table = wisdom.unused(registers())
    assert list(table[["kind", "name", "owner"]].itertuples(index=False, name=None)) == [
        ("purpose", "trucks", "Street"),
        ("store", "help.origin", "help-head"),
        ("columns", "1 column of help.people", "help-head"),
        ("grant", "trucks of street.rounds", "Street"),
    ]


def test_each_recommendation_waits_for_a_decision() -> None:
    data = registers()
    mend, idle = wisdom.to_mend(data, 2), wisdom.unused(data)
    table = wisdom.decision_records(mend, idle)
    assert table["about"].tolist() == [*mend["store"], *idle["name"]]
    assert table["who"].tolist() == [*mend["steward"], *idle["owner"]]
    assert table["recommended"].notna().all()
    assert wisdom.decision_records(mend, GAP) is GAP


def answer(data: dict) -> str:
    return words.answer(
        information.stores(data),
        information.quality(data),
        knowledge.purposes(data),
        knowledge.openness(data),
        wisdom.unused(data),
        information.to_look_at(data),
    )


def test_the_answer_says_what_is_known_and_that_it_is_counted() -> None:
    said = answer(registers())
    assert said == (
        "The mall holds 3 of 4 stores, 200 rows. 3.8 % of the records read broke a rule and were "
        "put aside; others may be wrong too. 1 file is held back until a steward has looked. "
        "3 purposes may use data, 1 about persons; 1 store "
        "serves none. Counted in full, people's records to the nearest 5."
    )


def test_the_answer_before_any_store_was_taken_in() -> None:
    data = registers()
    data["mall.stores"]["state"] = "to be taken in"
    data["mall.stores"]["rows"] = 0
    for name in ("mall.quality", "mall.reasons", "mall.deliveries"):
        data[name] = data[name].head(0)
    assert answer(data).startswith("The mall holds 0 of 4 stores, 0 rows. 3 purposes")
    quality = information.quality(data)
    assert words.describe_quality(quality) == "No store has been taken in yet."
    assert words.metrics(information.stores(data), quality, GAP) == {"stores": 0, "rows": 0}


def test_words_pass_gaps_on() -> None:
    assert (
        words.answer(GAP, GAP, GAP, GAP, GAP, GAP)
        == "Counted in full, people's records to the nearest 5."
    )
    assert words.describe_quality(GAP) == GAP.reason
    assert words.summary(GAP) is GAP
    assert words.metrics(GAP, GAP, GAP) == {}


def test_figure_and_profile_in_words() -> None:
    data = registers()
    said = words.describe_quality(rounded(information.quality(data)))
    assert said.startswith("Of 2 stores, street.bins has the largest share")
    assert "5.7 %" in said and "3.8 %" in said
    table = words.summary(knowledge.profiling(data))
    assert list(table.itertuples(index=False, name=None)) == [
        ("help.origin", "forbidden", 1, 0),
        ("help.people", "forbidden", 1, 0),
        ("help.people", "permitted", 1, 1),
    ]
    metrics = words.metrics(
        information.stores(data), information.quality(data), wisdom.unused(data)
    )
    assert metrics == {
        "stores": 3, "rows": 200, "share_put_aside": pytest.approx(6 / 156), "unused": 4
    }  # fmt: skip
