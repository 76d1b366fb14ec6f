"""Pseudonyms of two purposes, or of two epochs, never join; those of one purpose always do."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_mall import make_project, write_store

from datamall.mall import pseudonyms
from datamall.mall.access import checkout
from datamall.mall.authorities import Authority, load_authority
from datamall.mall.log import logbook

CLIENTS, INVESTIGATIONS = "welfare.clients", "welfare.investigations"
NUMBERS = st.frozensets(st.text("0123456789ABK", min_size=1, max_size=9), min_size=1, max_size=40)
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)
YEARS = st.integers(2000, 2035)
DEMO = Authority("demo", "Demo", True, "", {}, {})


@settings(deadline=None)
@given(
    NUMBERS, st.tuples(NAMES, NAMES), st.tuples(st.integers(2000, 2035), st.integers(2000, 2035))
)
def test_the_same_people_have_nothing_in_common(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: frozenset[str],
    purposes: tuple[str, str],
    years: tuple[int, int],
) -> None:
    root = Path(tmp_path_factory.getbasetemp())
    known = {}
    for purpose in purposes:
        for year in map(str, years):
            key = pseudonyms.key_of(root, DEMO, purpose, year)
            table = pa.table({"client": sorted(numbers), "file": sorted(numbers)})
            kinds = {"client": "client", "file": "file"}
            shown = pseudonyms.replaced(table, kinds, key, year)
            for column in kinds:
                values = shown[column].to_pylist()
                assert len(set(values)) == len(numbers)  # and one person is one pseudonym
                assert all(value.startswith(f"{year}-") for value in values)
                known[purpose, year, column] = {value.split("-")[1] for value in values}
    sets = list(known.values())
    assert sum(map(len, sets)) == len(set().union(*sets))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project in which two purposes get the same people, from two stores."""
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    made = make_project(tmp_path / "project")
    about = {
        **{"title": "T", "question": "Q", "owner": "O", "processes_personal_data": True},
        "legal_basis": {"gdpr": "6(1)(e)", "statute": "a law"},
        "stores": {
            CLIENTS: {"columns": ["client", "year", "sex"]},
            INVESTIGATIONS: {"columns": ["client", "year"]},
        },
    }
    register = dict.fromkeys(("one", "other"), about)
    register["inside"] = about | {"inside": True}
    (made / "data" / "purposes.yaml").write_text(yaml.safe_dump(register), "utf-8")
    people = [f"K{number:03}" for number in range(200)]
    years = [2024 + number % 2 for number in range(200)]
    sex = ["female" if number % 3 else "male" for number in range(200)]
    write_store(made, CLIENTS, pa.table({"client": people, "year": years, "sex": sex}))
    write_store(made, INVESTIGATIONS, pa.table({"client": people, "year": years}))
    return made


def handed_out(project: Path, folder: Path, purpose: str, **how: bool) -> dict[str, pa.Table]:
    folder.mkdir()
    checkout(project, "demo", purpose, folder, **how)
    return {name: pq.read_table(folder / name) for name in (CLIENTS, INVESTIGATIONS)}


def test_stores_join_within_an_extract_and_not_beyond_it(project: Path, tmp_path: Path) -> None:
    one, other = (handed_out(project, tmp_path / name, name) for name in ("one", "other"))
    clients, investigated = (one[name].to_pandas() for name in (CLIENTS, INVESTIGATIONS))
    assert len(clients.merge(investigated, on=["client", "year"])) == 200
    theirs = other[CLIENTS].to_pandas()
    assert not set(clients["client"]) & set(theirs["client"])
    # Nor by where they stand: the order of one purpose says nothing about that of another.
    together = (clients["sex"] == theirs["sex"]).mean()
    assert 0.4 < together < 0.7
    assert "K0" not in (tmp_path / "one" / CLIENTS / "part-00000.parquet").read_bytes().decode(
        "latin-1"
    )


def test_the_next_epoch_has_other_names(project: Path, tmp_path: Path) -> None:
    before = handed_out(project, tmp_path / "before", "one")[CLIENTS]
    path = project / "data" / "authorities" / "demo.yaml"
    path.write_text(f"as_of: 2026-05-01\n{path.read_text('utf-8')}", "utf-8")
    after = handed_out(project, tmp_path / "after", "one")[CLIENTS]
    assert {name.split("-")[0] for name in before["client"].to_pylist()} == {"2025"}
    assert {name.split("-")[0] for name in after["client"].to_pylist()} == {"2026"}
    bare = [{n.split("-")[1] for n in t["client"].to_pylist()} for t in (before, after)]
    assert not bare[0] & bare[1]


def test_the_same_stores_give_the_same_bytes(project: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        handed_out(project, tmp_path / name, "one")
    parts = [tmp_path / name / CLIENTS / "part-00000.parquet" for name in ("a", "b")]
    assert parts[0].read_bytes() == parts[1].read_bytes()


def test_a_program_inside_the_door_works_with_numbers(project: Path, tmp_path: Path) -> None:
    found = handed_out(project, tmp_path / "inside", "inside", inside=True)
    assert found[CLIENTS]["client"].to_pylist()[0] == "K000"


def test_each_authority_has_names_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from city_of_persons import CITY, STORE, make_city

    keys = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        city = make_city(tmp_path / name, monkeypatch)
        city.done("intake", STORE)
        mapping = load_authority(city.root, CITY)
        keys.append(pseudonyms.key_of(city.root, mapping, "look", "2025"))
        assert keys[-1] == pseudonyms.key_of(city.root, mapping, "look", "2025")
    assert keys[0] != keys[1]
