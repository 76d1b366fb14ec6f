"""Stores of persons lie encrypted: bound to their place, the same bytes, a key outside."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tiny_mall import make_project, write_store

from datamall.errors import DatamallError
from datamall.mall import closed_stores, vault
from datamall.mall.access import checkout
from datamall.mall.authorities import Authority
from datamall.mall.contracts import load_contracts
from datamall.mall.intake import intake
from datamall.mall.vault import Seal

TABLE = pa.table({"client": ["KLANT1", "KLANT2"], "year": [2025, 2025]})
OWN = bytes(range(64))
STORE = "welfare.protected"


def authority(name: str = "city", synthetic: bool = False) -> Authority:
    return Authority(name, "City", synthetic, "", {}, {})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def content() -> bytes:
    written = BytesIO()
    pq.write_table(TABLE, written)
    return written.getvalue()


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    return Seal(OWN, STORE, "1.0.0", 1).close(tmp_path / "part-00000.parquet", content())


def test_what_is_closed_opens_again_and_shows_nothing(closed: Path) -> None:
    assert closed.name == "part-00000.parquet.siv"
    assert [path.name for path in closed.parent.iterdir()] == [closed.name]
    assert b"KLANT1" not in closed.read_bytes() and b"PAR1" not in closed.read_bytes()
    assert Seal(OWN, STORE, "1.0.0", 1).open(closed) == TABLE


def test_same_rows_give_the_same_bytes(closed: Path) -> None:
    before = closed.read_bytes()
    path = closed.with_suffix("")
    assert Seal(OWN, STORE, "1.0.0", 1).close(path, content()) == closed
    assert closed.read_bytes() == before


@pytest.mark.parametrize(
    "seal",
    [
        Seal(bytes(64), STORE, "1.0.0", 1),
        Seal(OWN, "welfare.clients", "1.0.0", 1),
        Seal(OWN, STORE, "1.0.1", 1),
        Seal(OWN, STORE, "1.0.0", 2),
    ],
)
def test_nothing_opens_under_another_key_store_version_or_number(closed: Path, seal: Seal) -> None:
    with pytest.raises(DatamallError, match=r"part-00000.* does not open with the key"):
        seal.open(closed)


def test_nothing_opens_under_another_name_or_changed(closed: Path) -> None:
    moved = closed.with_name("part-00001.parquet.siv")
    shutil.copy(closed, moved)
    content = bytearray(closed.read_bytes())
    content[40] ^= 1
    closed.write_bytes(bytes(content))
    for path in (moved, closed):
        with pytest.raises(DatamallError, match="does not open"):
            Seal(OWN, STORE, "1.0.0", 1).open(path)


def test_a_key_is_a_file_of_its_owner_outside_the_project(home: Path) -> None:
    with pytest.raises(DatamallError, match="no key for the stores of persons of city"):
        vault.key(authority())
    path = vault.make_key(authority())
    assert path.is_relative_to(home) and path.stat().st_mode & 0o777 == 0o600
    assert len(vault.key(authority())) == 64
    with pytest.raises(DatamallError, match="already"):
        vault.make_key(authority())
    path.chmod(0o640)
    with pytest.raises(DatamallError, match="Others can read the key"):
        vault.key(authority())
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(DatamallError, match="is no key: it must hold 128"):
        vault.key(authority())


def test_invented_data_have_a_public_key_and_no_file(home: Path) -> None:
    assert vault.key(authority("demo", True)) == vault.key(authority("other", True))
    with pytest.raises(DatamallError, match="invented"):
        vault.make_key(authority("demo", True))
    assert not home.exists()


def people(project: Path) -> None:
    """Let a city that is not invented deliver people."""
    raw = project / "data" / "raw" / "city"
    raw.mkdir(parents=True)
    (raw / "people.csv").write_text(
        "client,origin\nKLANT1,Europe\nKLANT2,Netherlands\nKLANT3,Mars\n"
    )
    mapping = {
        **{"authority": "city", "title": "City", "synthetic": False},
        "files": {"people": {"path": "people.csv", "format": "csv"}},
        "stores": {
            STORE: {
                "file": "people",
                "columns": {name: {"from": name} for name in ("client", "origin")},
            }
        },
    }
    place = project / "data" / "authorities" / "city.yaml"
    place.write_text(yaml.safe_dump(mapping), "utf-8")


def test_persons_are_taken_in_with_a_key_alone_and_never_lie_open(
    tmp_path: Path, home: Path
) -> None:
    project = make_project(tmp_path / "project")
    people(project)
    with pytest.raises(DatamallError, match="make one with `datamall key city`"):
        intake(project, "city", STORE)
    stores = project / "data" / "stores" / "city"
    assert not stores.exists() or list(stores.iterdir()) == []
    vault.make_key(authority())
    report = intake(project, "city", STORE)
    assert (report["accepted"], report["quarantined"]) == (2, 1)
    folder = stores / STORE
    names = ["part-00000.parquet.siv", "quarantine.parquet.siv", "store.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    for path in folder.iterdir():
        assert not [word for word in (b"KLANT1", b"Mars", b"PAR1") if word in path.read_bytes()]
    manifest = json.loads((folder / "store.json").read_text("utf-8"))
    found = closed_stores.rows(project, folder, manifest, authority())
    assert found["origin"].to_pylist() == ["Europe", "Netherlands"]
    vault.key_file("city").unlink()
    vault.make_key(authority())
    with pytest.raises(DatamallError, match="does not open with the key of this authority"):
        closed_stores.rows(project, folder, manifest, authority())


def test_the_door_opens_what_is_closed(tmp_path: Path) -> None:
    project, folder = make_project(tmp_path / "project"), tmp_path / "extract"
    folder.mkdir()
    columns = {"client": ["a", "b"], "year": [2025, 2023]}
    for store, column in (("welfare.clients", "benefit"), ("welfare.investigations", "arm")):
        place = write_store(project, store, pa.table({**columns, column: [None, None]}))
        manifest = json.loads((place / "store.json").read_text("utf-8"))
        (place / "quarantine.parquet").write_bytes(b"")
        contract = load_contracts(project)[store]
        parts = [place / part["name"] for part in manifest["parts"]]
        closed = closed_stores.close(
            project, authority("demo", True), contract, place, place, parts
        )
        about = {"store": store, "sealed": True, "parts": closed[0]}
        (place / "store.json").write_text(json.dumps(manifest | about))
    checkout(project, "demo", "fraud-profile", folder)
    table = pq.read_table(folder / "welfare.clients")
    assert table["year"].to_pylist() in ([2025, 2023], [2023, 2025])
    assert len(set(table["client"].to_pylist())) == 2
