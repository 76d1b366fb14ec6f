"""Reports of quality and registers of a store of people print no exact and no small number."""

import json
from pathlib import Path
from typing import Any

import pytest
from registers_by_hand import registers
from tiny_mall import make_project

from datamall.catalogue import information, wisdom, words
from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts
from datamall.mall.protected import protected, said, sentence, years
from datamall.mall.purposes import load_purposes
from datamall.mall.registers import Registers
from datamall.reporting.index import _quality
from datamall.small_numbers import count, parts

STORE = "welfare.clients"


def report(**changes: Any) -> dict[str, Any]:
    one = {
        "file": "bijstand_2025.csv", "sha256": "0" * 64, "delivered": None, "state": "held back",
        "why": "It has 1,234 records for 31 days; from 2025-01-06 on 12.5% were put aside.",
        "records": 1234, "put_aside": 7, "replaced": 13,
        "first_day": "2025-01-07", "last_day": "2025-11-30",
    }  # fmt: skip
    return {
        "parsed": 1234, "accepted": 1203, "quarantined": 31, "quarantined_share": 0.0251216,
        "reasons": {"conflict": 9, "duplicate": 22},
        "missing": {"client": 0, "moves": 3, "skills": 57, "cause": 0},
        "deliveries": [one],
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("exact", "hidden"),
    [
        ({"a": 12, "b": 30}, ""),
        ({"a": 9, "b": 30, "c": 40}, "ab"),
        ({"a": 4, "b": 5, "c": 40}, "abc"),
        ({"a": 4, "b": 6, "c": 40}, "ab"),
        ({"a": 0, "b": 30, "c": None}, "ab"),
    ],
)
def test_parts_below_ten_do_not_follow_from_the_whole(
    exact: dict[str, int | None], hidden: str
) -> None:
    shown = parts(exact)
    assert {name for name in exact if shown[name] is None and exact[name] is not None} == {*hidden}
    assert all(shown[name] == count(exact[name]) for name in exact if name not in hidden)


@pytest.mark.parametrize(
    ("exact", "shown"),
    [(0, None), (9, None), (10, 10), (12, 10), (13, 15), (17_867, 17_865), (None, None)],
)
def test_a_count_of_people_is_rounded_and_hidden_below_ten(
    exact: int | None, shown: int | None
) -> None:
    assert count(exact) == shown
    assert count(shown) == shown


def test_a_report_about_people_is_protected(root: Path) -> None:
    shown = protected(report(), load_contracts(root)[STORE])
    assert (shown["parsed"], shown["accepted"], shown["quarantined"]) == (1235, 1205, 30)
    assert shown["quarantined_share"] == float(f"{30 / 1235:.6g}")
    # 9 would follow from 31 and 22.
    assert shown["reasons"] == {"conflict": None, "duplicate": None}
    # A column that must have a value lacks none; of another, nought is a small number too.
    assert shown["missing"] == {"client": 0, "moves": None, "skills": 55, "cause": None}
    (one,) = shown["deliveries"]
    assert (one["records"], one["put_aside"], one["replaced"]) == (1235, None, 15)
    # With another delivery, 7 would follow from 31 put aside in all.
    second = report()["deliveries"][0] | {"put_aside": 24}
    two = protected(
        report(deliveries=[*report()["deliveries"], second]), load_contracts(root)[STORE]
    )
    assert [one["put_aside"] for one in two["deliveries"]] == [None, None]
    assert one["why"] == "It has … records for … days; from 2025-01-06 on … were put aside."
    assert (one["first_day"], one["last_day"]) == ("2025-01-01", "2025-12-31")
    assert one["file"] == "bijstand_2025.csv"
    assert years(None, None) == (None, None)


def test_a_report_about_things_stays_exact(root: Path) -> None:
    assert protected(report(), load_contracts(root)["enforcement.containers"]) == report()


def test_a_share_of_few_is_hidden(root: Path) -> None:
    shown = protected(report(quarantined=9), load_contracts(root)[STORE])
    assert shown["quarantined"] is None and shown["quarantined_share"] is None


def test_sentences_about_people_hold_no_exact_number(root: Path) -> None:
    people, things = (load_contracts(root)[name] for name in (STORE, "enforcement.containers"))
    assert [said(n, people) for n in (1234, 9)] == ["1,235", "fewer than 10"]
    assert [said(n, things) for n in (1234, 9)] == ["1,234", "9"]
    text = "It has 9,031 records; from earlier ones 10 to 20 were to be expected."
    assert sentence(text, people) == (
        "It has … records; from earlier ones … to … were to be expected."
    )
    assert sentence(text, things) == text


def test_registers_print_no_exact_number_of_people(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    folder = project / "data" / "stores" / "demo" / STORE
    folder.mkdir(parents=True)
    manifest = {"rows": 1203, "raw": [], "first_day": "2025-01-07", "last_day": "2025-11-30"}
    (folder / "store.json").write_text(json.dumps(manifest))
    quality = project / "reports" / "quality"
    quality.mkdir(parents=True, exist_ok=True)
    contracts = load_contracts(project)
    written = protected(report(), contracts[STORE])
    (quality / f"{STORE}.json").write_text(json.dumps(written))
    made = Registers(
        project, load_authority(project, "demo"), contracts, load_purposes(project, contracts)
    )
    (row,) = [r for r in made.table("mall.stores").to_pylist() if r["store"] == STORE]
    assert row["rows"] == 1205
    assert (str(row["first_day"]), str(row["last_day"])) == ("2025-01-01", "2025-12-31")
    (row,) = made.table("mall.quality").to_pylist()
    assert (row["read"], row["accepted"], row["put_aside"]) == (1235, 1205, 30)
    hidden = protected(report(parsed=8), contracts[STORE])
    (quality / f"{STORE}.json").write_text(json.dumps(hidden))
    made = Registers(
        project, load_authority(project, "demo"), contracts, load_purposes(project, contracts)
    )
    assert made.table("mall.quality").to_pylist()[0]["read"] is None
    assert _quality(quality / f"{STORE}.json")["parsed"] is None


def test_the_catalogue_reads_hidden_numbers() -> None:
    data = registers()
    people = data["mall.quality"]["store"] == "help.people"
    data["mall.quality"].loc[people, ["read", "accepted", "put_aside"]] = None
    data["mall.stores"].loc[data["mall.stores"]["store"] == "help.people", "rows"] = None
    stores = information.stores(data)
    assert stores["rows"].isna().sum() == 1
    table = information.quality(data)
    assert table.set_index("store").loc["help.people", "share_put_aside"] != 0
    assert "street.bins has the largest share" in words.describe_quality(table)
    assert "help.people" not in set(wisdom.to_mend(data, 10)["store"])
