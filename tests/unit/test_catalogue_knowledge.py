"""Who may use what, on which basis, and what nobody asks for."""

import pandas as pd
from registers_by_hand import registers

from datamall.catalogue import knowledge


def rows(table: pd.DataFrame, *names: str) -> list[tuple]:
    chosen = table[list(names)].astype("object")
    return list(chosen.where(chosen.notna(), None).itertuples(index=False, name=None))


def test_purposes_name_article_and_statute() -> None:
    table = knowledge.purposes(registers()).set_index("purpose")
    assert table.loc["profile", "basis"] == "GDPR 6(1)(e); Act art. 1"
    assert table.loc["profile", "reports"] == "help, audit"
    assert pd.isna(table.loc["trucks", "reports"])


def test_uses_name_columns_in_the_order_of_the_contract_and_their_grain() -> None:
    table = knowledge.uses(registers())
    assert rows(table, "store", "purpose", "gets", "columns", "of") == [
        ("help.origin", knowledge.NOBODY, None, None, 2),
        ("help.people", "profile", "rows", "client, late", 3),
        ("street.bins", "clean", "counts", "bin, day (by month), litter", 3),
        # A column that only gives the first and the last day is not handed out.
        ("street.bins", "trucks", "rows", "bin", 3),
        ("street.rounds", "trucks", "rows", "bin, truck", 2),
    ]


def test_profiling_says_why_and_whether_a_profile_uses_it() -> None:
    table = knowledge.profiling(registers())
    assert rows(table, "store", "title", "profiling", "reason", "used") == [
        ("help.people", "Late reports", "permitted", "the duty to report: art. 17", True),
        ("help.origin", "Origin", "forbidden", "protected", False),
        ("help.people", "Moves", "forbidden", "stands for origin", False),
    ]


def test_a_purpose_that_does_not_profile_is_no_use_by_a_profile() -> None:
    data = registers()
    data["mall.purposes"]["profiling"] = "no"
    assert not knowledge.profiling(data)["used"].any()


def test_persons_are_never_open() -> None:
    table = knowledge.openness(registers())
    assert table["open"].tolist() == [True, True, False, False]
    assert set(table.loc[~table["open"], "counted"]) == {"persons"}
    assert table.loc[~table["open"], "why"].str.contains("never open").all()


def test_a_link_to_persons_names_who_has_a_basis_or_that_nobody_has() -> None:
    data = registers()
    link = knowledge.openness(data).set_index("store")["link"]
    assert link["help.origin"] == knowledge.NO_BASIS
    assert link.drop("help.origin").isna().all()
    basis = "9(2)(g); Act art. 7"
    asked = {"purpose": "audit", "store": "help.origin", "link_basis": basis}
    more = pd.DataFrame([asked | {"column": c} for c in ("client", "origin")])
    data["mall.grants"] = pd.concat([data["mall.grants"], more], ignore_index=True)
    link = knowledge.openness(data).set_index("store")["link"]
    assert link["help.origin"] == f"audit ({basis})"


def test_what_nobody_asks_for_comes_with_persons_first() -> None:
    data = registers()
    # Nor is a truck asked for then, but nothing of it is kept.
    data["mall.grants"] = data["mall.grants"].query("column not in ['litter', 'truck']")
    assert rows(knowledge.unasked(data), "store", "counted", "idle", "of", "columns") == [
        ("help.origin", "persons", 2, 2, "Client, Origin"),
        ("help.people", "persons", 1, 3, "Moves"),
        ("street.bins", "things", 1, 3, "Litter"),
    ]


def test_what_is_asked_in_vain() -> None:
    table = knowledge.asked_in_vain(registers())
    assert rows(table, "purpose", "store", "columns", "of") == [
        ("trucks", "street.rounds", "bin, truck", 2)
    ]
