"""A destroyed key makes the rows of its epoch unreadable for good, whatever is brought back.

Contracts keep five years, and the authority's day is early in 2021, so that all rows would still be
handed out if it were for retention alone.
"""

import json
import shutil
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from city_of_persons import CITY, STORE, City, make_city
from click.testing import CliRunner

from datamall.cli import main
from datamall.errors import DatamallError
from datamall.mall import epochs, vault
from datamall.mall.authorities import load_authority
from datamall.mall.log import logbook
from datamall.mall.log.usage import of_person

PSEUDONYMS = ("forget", "pseudonyms", "2021", "--by", "steward")
FORGET = ("forget", STORE, "2019", "--by", "steward", "--reason", "A court ordered it")


@pytest.fixture
def city(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> City:
    made = make_city(tmp_path, monkeypatch)
    path = made.root / "data" / "authorities" / f"{CITY}.yaml"
    mapping = yaml.safe_load(path.read_text("utf-8")) | {"as_of": "2021-02-01"}
    path.write_text(yaml.safe_dump(mapping), "utf-8")
    made.deliver(("K1", 2019), ("K2", 2019), ("K2", 2020))
    made.done("intake", STORE)
    return made


def years(city: City, folder: Path) -> list[int]:
    city.done("checkout", "look", str(folder))
    found: list[int] = pq.read_table(folder / STORE)["year"].to_pylist()
    shutil.rmtree(folder)
    return sorted(found)


def key_file(epoch: str = "2019") -> Path:
    return epochs.file_of(CITY, STORE, epoch)


def folder_of(city: City) -> Path:
    return city.root / "data" / "stores" / CITY / STORE


def test_rows_lie_apart_by_epoch_and_open_until_the_key_is_gone(city: City, tmp_path: Path) -> None:
    names = sorted(path.name for path in folder_of(city).glob("part-*"))
    assert names == ["part-00000-2019.parquet.siv", "part-00000-2020.parquet.siv"]
    assert key_file().stat().st_mode & 0o777 == 0o600
    assert years(city, tmp_path / "out") == [2019, 2019, 2020]
    before = {path: path.read_bytes() for path in folder_of(city).iterdir()}
    city.done(*FORGET)
    assert not key_file().exists()
    assert years(city, tmp_path / "out") == [2020]
    # The store is as it was: what is gone is gone in every copy of it.
    assert {path: path.read_bytes() for path in folder_of(city).iterdir()} == before
    said = [entry.said for entry in logbook.read(city.root)]
    (forgotten,) = [one for one in said if one["event"] == "epoch"]
    assert (forgotten["epoch"], forgotten["role"]) == ("2019", "steward")
    assert said[-1]["stores"][0]["part"] == "without-2019"


def test_no_key_that_is_left_opens_it(city: City) -> None:
    mapping = load_authority(city.root, CITY)
    part = folder_of(city) / "part-00000-2019.parquet.siv"
    count = len(json.loads((folder_of(city) / "store.json").read_text())["parts"])
    info = f"v1|{STORE}|2019"
    right = epochs.derived(city.root, mapping, STORE, "2019", info, vault.SIZE, make=False)
    assert vault.Seal(right, STORE, "1.0.0", count).open(part).num_rows == 2
    other = epochs.derived(city.root, mapping, STORE, "2020", info, vault.SIZE, make=False)
    city.done(*FORGET)
    for key in (vault.key(mapping), other):
        with pytest.raises(DatamallError, match="does not open"):
            vault.Seal(key, STORE, "1.0.0", count).open(part)
    with pytest.raises(DatamallError, match="was destroyed"):
        epochs.derived(city.root, mapping, STORE, "2019", info, vault.SIZE, make=True)


def test_a_copy_of_the_key_is_of_no_use_at_the_door(city: City, tmp_path: Path) -> None:
    copy = key_file().read_bytes()
    city.done(*FORGET)
    key_file().write_bytes(copy)
    key_file().chmod(0o600)
    assert years(city, tmp_path / "out") == [2020]
    assert "key of epoch 2019 of welfare.investigations was destroyed, and is back" in (
        city.refused("verify")
    )
    city.done("intake", STORE)
    assert not key_file().exists()
    assert "1 keys destroyed" in city.done("verify")


def test_taking_the_raw_file_in_again_brings_nobody_back(city: City, tmp_path: Path) -> None:
    city.done(*FORGET)
    city.done("intake", STORE)
    assert not key_file().exists()
    report = json.loads(
        (city.root / "reports" / CITY / "quality" / f"{STORE}.json").read_text("utf-8")
    )
    assert report["forgotten"] == 2
    names = [path.name for path in folder_of(city).glob("part-*")]
    assert names == ["part-00000-2020.parquet.siv"]
    assert years(city, tmp_path / "out") == [2020]


def test_the_mark_taken_away_opens_nothing_and_is_noticed(city: City, tmp_path: Path) -> None:
    city.done(*FORGET)
    epochs.mark(city.root, load_authority(city.root, CITY), STORE, "2019").unlink()
    said = city.refused("checkout", "look", str(tmp_path / "out"))
    assert "There is no key for epoch 2019" in said and "[epoch-without-key]" in said
    assert "the mark of that is gone" in city.refused("verify")
    city.done("intake", STORE)  # reads the log, and makes no other key
    assert not key_file().exists() and years(city, tmp_path / "out") == [2020]


def test_who_is_forgotten_was_told_of_earlier_uses_alone(city: City, tmp_path: Path) -> None:
    years(city, tmp_path / "out")
    city.done(*FORGET)
    years(city, tmp_path / "out")
    mapping = load_authority(city.root, CITY)
    told = {
        number: len(of_person(city.root, mapping, number, today=date(2027, 1, 1)).uses)
        for number in ("K1", "K2")
    }
    assert told == {"K1": 1, "K2": 2}


def test_records_that_were_set_apart_go_as_well(city: City) -> None:
    assert key_file("aside").exists()
    city.done(*FORGET)
    assert not key_file("aside").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("2019", "--by", "steward"), "still-kept"),
        (("2031", "--by", "steward", "--reason", "x"), "unknown-epoch"),
        (("../2019", "--by", "steward", "--reason", "x"), "unknown-epoch"),
        (("2019", "--by", "caseworker", "--reason", "x"), "mistake"),
        (("2019", "--by", "../steward", "--reason", "x"), "malformed"),
    ],
)
def test_nobody_destroys_what_is_kept_without_role_and_reason(
    city: City, arguments: tuple[str, ...], code: str
) -> None:
    before = key_file().read_bytes()
    said = [entry.said["event"] for entry in logbook.read(city.root)]
    done = city.run("forget", STORE, *arguments)
    assert done.exit_code == 1
    *_, last = logbook.read(city.root)
    assert last.number == len(said) + 1
    assert (last.said["outcome"], last.said["reason"]) == ("refused", code)
    assert key_file().read_bytes() == before


def test_what_is_not_kept_any_more_needs_no_reason(city: City, tmp_path: Path) -> None:
    path = city.root / "data" / "authorities" / f"{CITY}.yaml"
    path.write_text(path.read_text("utf-8").replace("2021-02-01", "2025-02-01"), "utf-8")
    city.done("forget", STORE, "2019", "--by", "steward")
    assert years(city, tmp_path / "out") == [2020]
    city.run("forget", STORE, "2020", "--by", "steward", "--reason", "all")
    said = city.refused("checkout", "look", str(tmp_path / "out"))
    assert "[epoch-destroyed]" in said


def test_a_key_that_others_can_read_opens_nothing(city: City, tmp_path: Path) -> None:
    key_file().chmod(0o644)
    assert "Others can read the key" in city.refused("checkout", "look", str(tmp_path / "out"))


def test_keys_that_everybody_knows_cannot_be_destroyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_city(tmp_path, monkeypatch, synthetic=True)
    made.done("intake", STORE)
    done = CliRunner().invoke(main, [*FORGET, "--authority", CITY])
    assert done.exit_code == 1
    *_, last = logbook.read(made.root)
    assert (last.said["event"], last.said["reason"]) == ("epoch", "invented")


def test_a_killed_command_is_done_again(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has it, and the key is still there: who does it again, or takes in, ends it."""
    from datamall.mall import forgetting

    with monkeypatch.context() as patch:
        patch.setattr(forgetting, "_destroy", lambda *_: None)
        city.done(*FORGET)
    assert key_file().exists()
    assert "is back" in city.refused("verify")
    city.done(*FORGET)
    assert not key_file().exists() and "1 keys destroyed" in city.done("verify")


def test_pseudonyms_of_a_destroyed_epoch_are_made_for_nobody(city: City, tmp_path: Path) -> None:
    assert years(city, tmp_path / "out") == [2019, 2019, 2020]
    path = epochs.file_of(CITY, epochs.PSEUDONYMS, "2021")
    copy = path.read_bytes()
    assert "say why it has to go" in city.refused(*PSEUDONYMS)
    city.done(*PSEUDONYMS, "--reason", "The year is over")
    path.write_bytes(copy)
    path.chmod(0o600)
    said = city.refused("checkout", "look", str(tmp_path / "out"))
    assert "epoch 2021 of pseudonyms was destroyed" in said and "[epoch-destroyed]" in said
    assert "is back" in city.refused("verify")
