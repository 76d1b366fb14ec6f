"""Who gets what: the purpose register and the extract."""

import hashlib
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tiny_mall import SECRET, containers, inspections, make_project, write_store

from datamall import rows
from datamall.errors import DatamallError
from datamall.mall import access, extracts
from datamall.mall.access import checkout
from datamall.mall.contracts import load_contracts
from datamall.mall.purposes import Refused, load_purposes

INSPECTIONS = "enforcement.inspections"
REPORTED = {"first_day": "2026-01-07", "last_day": "2026-02-02"}  # days of its reports


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "extract"
    made.mkdir()
    return made


def change(project: Path, edit: Callable[[dict], object]) -> None:
    path = project / "data" / "purposes.yaml"
    register = yaml.safe_load(path.read_text("utf-8"))
    edit(register["enforcement"])
    path.write_text(yaml.safe_dump(register, sort_keys=False), encoding="utf-8")


def load(project: Path) -> dict:
    return load_purposes(project, load_contracts(project))


def test_extract_holds_what_is_granted_and_nothing_else(project: Path, folder: Path) -> None:
    about = checkout(project, "demo", "enforcement", folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "enforcement.actions",
        "enforcement.containers",
        "enforcement.inspections",
        "enforcement.reports",
        "extract.json",
        "shared.neighbourhoods",
        "shared.outlines",
    ]
    assert json.loads((folder / "extract.json").read_text("utf-8")) == about
    granted = yaml.safe_load((project / "data" / "purposes.yaml").read_text("utf-8"))
    stores = granted["enforcement"]["stores"]
    for store in ("shared.neighbourhoods", "enforcement.containers"):
        table = pq.read_table(folder / store)
        assert table.column_names == stores[store]["columns"]
    for path in folder.glob("*/*.parquet"):
        assert SECRET not in pq.read_table(path).to_pandas().to_numpy()
    # The period follows from a column that is itself no part of the extract.
    assert about["period"] == {"first_day": "2026-01-05", "last_day": "2026-03-01"}
    assert about["personal"] is False
    assert about["synthetic"] is True
    assert about["stores"][INSPECTIONS]["rows"] == 4
    assert about["stores"]["enforcement.containers"]["counted"] == "things"
    assert about["stores"]["shared.neighbourhoods"]["not_delivered"] == []


def test_a_last_day_without_a_length_is_the_last_date_itself(project: Path, folder: Path) -> None:
    change(project, lambda p: p["stores"][INSPECTIONS].update(last_day=["period_start"]))
    about = checkout(project, "demo", "enforcement", folder)
    last = max(inspections()["period_start"].to_pylist())
    assert about["period"] == {"first_day": "2026-01-05", "last_day": str(last)}


def test_whole_years_are_a_period(project: Path, folder: Path) -> None:
    for store, column in (("welfare.clients", "benefit"), ("welfare.investigations", "arm")):
        table = pa.table({"client": ["a", "b"], "year": [2025, 2023], column: [None, None]})
        write_store(project, store, table)
    about = checkout(project, "demo", "fraud-profile", folder)
    assert about["period"] == {"first_day": "2023-01-01", "last_day": "2025-12-31"}


def test_sums_equal_those_of_pandas(project: Path, folder: Path) -> None:
    checkout(project, "demo", "enforcement", folder)
    rows = inspections().to_pandas()
    rows["period_start"] = pd.to_datetime(rows["period_start"]).dt.to_period("M").dt.start_time
    keys = ["cluster", "period_start", "observer_role"]
    sums = ["inspections", "with_waste", "bulky", "residual", "cardboard", "full", "broken"]
    expected = rows.groupby(keys)[sums].sum(min_count=1).reset_index()
    table = pq.read_table(folder / INSPECTIONS).to_pandas(date_as_object=False)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


@pytest.mark.parametrize(
    ("fine", "first"), [("week", "2026-01-12"), ("year", "2026-01-01"), ("day", "2026-01-12")]
)
def test_grain_of_a_date(project: Path, folder: Path, fine: str, first: str) -> None:
    change(project, lambda p: p["stores"][INSPECTIONS]["grain"].update(period_start=fine))
    checkout(project, "demo", "enforcement", folder)
    table = pq.read_table(folder / INSPECTIONS).to_pandas()
    officer = table[table["observer_role"] == "enforcement officer"]
    assert officer["period_start"].astype(str).tolist() == [first]


def test_same_rows_whatever_the_parts_and_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    def made(parts: int, threads: int) -> Path:
        name = f"{parts}-{threads}"
        project, folder = make_project(tmp_path / name, parts), tmp_path / f"extract-{name}"
        folder.mkdir()
        checkout(project, "demo", "enforcement", folder, threads=threads)
        return folder

    def digests(folder: Path) -> dict[str, str]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {
            str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
        }

    def rows(folder: Path) -> dict[str, pa.Table]:
        return {p.name: pq.read_table(p) for p in folder.iterdir() if p.is_dir()}

    one, three = made(1, 1), made(3, 2)
    assert digests(made(3, 1)) == digests(three)
    assert rows(one) == rows(three)


def test_a_store_granted_whole_is_handed_out_as_it_lies(project: Path, folder: Path) -> None:
    places = "enforcement.containers"
    store = project / "data" / "stores" / "demo" / places
    names = pq.read_schema(store / "part-00000.parquet").names
    change(project, lambda p: p["stores"].update({places: {"columns": names}}))
    about = checkout(project, "demo", "enforcement", folder)
    parts = sorted(store.glob("part-*"))
    assert len(parts) == 2
    for part in parts:
        assert (folder / places / part.name).read_bytes() == part.read_bytes()
    assert about["stores"][places]["rows"] == containers().num_rows


def test_decimals_add_up_exactly(project: Path, folder: Path) -> None:
    change(
        project,
        lambda p: p["stores"].update(
            {"enforcement.containers": {"grain": {"kind": "value"}, "sums": ["x"]}}
        ),
    )
    checkout(project, "demo", "enforcement", folder)
    table = pq.read_table(folder / "enforcement.containers")
    assert table.to_pylist()[0] == {"kind": "container", "x": Decimal("461000.25")}


def test_sum_of_floating_point_numbers_is_refused(project: Path, folder: Path) -> None:
    table = containers()
    at = table.schema.get_field_index("x")
    write_store(
        project,
        "enforcement.containers",
        table.set_column(at, "x", table["x"].cast(pa.float64())),
    )
    change(
        project,
        lambda p: p["stores"].update(
            {"enforcement.containers": {"grain": {"kind": "value"}, "sums": ["x"]}}
        ),
    )
    with pytest.raises(Refused, match="no exact sum") as refusal:
        checkout(project, "demo", "enforcement", folder)
    assert refusal.value.code == "inexact-sum"
    assert list(folder.iterdir()) == []


def test_columns_that_are_not_delivered_are_left_out_and_listed(
    project: Path, folder: Path
) -> None:
    table = inspections().drop_columns(["observer_role", "full", "period_days"])
    write_store(project, INSPECTIONS, table, 2, ("observer_role", "full", "period_days"))
    about = checkout(project, "demo", "enforcement", folder)
    assert about["stores"][INSPECTIONS]["not_delivered"] == ["observer_role", "full"]
    assert about["period"] == REPORTED  # what residents reported has days of its own
    # Without the role, its rows are added up with those of the other role.
    rows = pq.read_table(folder / INSPECTIONS).to_pylist()
    assert [(r["cluster"], r["inspections"]) for r in rows] == [("c1", 12), ("c1", 6), ("d1", 7)]


def test_a_store_that_is_not_delivered_is_left_out_and_listed(project: Path, folder: Path) -> None:
    path = project / "data" / "authorities" / "demo.yaml"
    mapping = yaml.safe_load(path.read_text("utf-8"))
    del mapping["stores"][INSPECTIONS]
    del mapping["files"]["visits"]
    path.write_text(yaml.safe_dump(mapping), encoding="utf-8")
    about = checkout(project, "demo", "enforcement", folder)
    assert about["stores"][INSPECTIONS]["columns"] == []
    assert "cluster" in about["stores"][INSPECTIONS]["not_delivered"]
    assert not (folder / INSPECTIONS).exists()


def test_an_empty_store_gives_an_empty_extract(project: Path, folder: Path) -> None:
    write_store(project, INSPECTIONS, inspections().slice(0, 0), 1)
    (project / "data" / "stores" / "demo" / INSPECTIONS / "part-00001.parquet").unlink()
    about = checkout(project, "demo", "enforcement", folder)
    assert about["stores"][INSPECTIONS]["rows"] == 0
    assert about["period"] == REPORTED


def test_a_store_of_persons_makes_the_extract_personal(project: Path, folder: Path) -> None:
    path = project / "data" / "contracts" / "enforcement" / "containers.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("value: things", "value: households"), encoding="utf-8")
    # Other purposes get containers too, and would have to say so as well.
    register = project / "data" / "purposes.yaml"
    purposes = yaml.safe_load(register.read_text("utf-8"))
    register.write_text(yaml.safe_dump({"enforcement": purposes["enforcement"]}), encoding="utf-8")
    with pytest.raises(DatamallError, match="set processes_personal_data to true"):
        checkout(project, "demo", "enforcement", folder)
    change(project, lambda p: p.update(processes_personal_data=True))
    with pytest.raises(Refused, match="not taken in under its contract as it is now"):
        checkout(project, "demo", "enforcement", folder)
    write_store(project, "enforcement.containers", containers())
    assert checkout(project, "demo", "enforcement", folder)["personal"] is True


def test_folders_may_have_any_name(tmp_path: Path, folder: Path) -> None:
    project = make_project(tmp_path / "it's [one] * of ?")
    assert checkout(project, "demo", "enforcement", folder)["period"] is not None


@pytest.mark.parametrize("name", ["fraud", "", "../enforcement", "Enforcement", "enforcement\0"])
def test_an_unknown_purpose_is_refused(project: Path, folder: Path, name: str) -> None:
    with pytest.raises(Refused, match="there are enforcement") as refusal:
        checkout(project, "demo", name, folder)
    assert refusal.value.code == "unknown-purpose"
    assert list(folder.iterdir()) == []


def test_an_unknown_authority_is_refused(project: Path, folder: Path) -> None:
    with pytest.raises(DatamallError):
        checkout(project, "../demo", "enforcement", folder)
    assert list(folder.iterdir()) == []


def test_a_store_that_was_not_taken_in_is_refused_before_anything_is_written(
    project: Path, folder: Path
) -> None:
    (project / "data" / "stores" / "demo" / INSPECTIONS / "store.json").unlink()
    with pytest.raises(Refused, match=rf"run `datamall intake {INSPECTIONS}") as refusal:
        checkout(project, "demo", "enforcement", folder)
    assert refusal.value.code == "store-not-taken-in"
    assert list(folder.iterdir()) == []


def test_what_no_page_has_handed_over_yet_is_not_there(project: Path, folder: Path) -> None:
    path = project / "data" / "authorities" / "demo.yaml"
    mapping = yaml.safe_load(path.read_text("utf-8"))
    (file,) = {mapping["stores"][INSPECTIONS]["file"]}
    mapping["files"][file] = {"path": "a.csv", "format": "csv", "result_of": "streets"}
    path.write_text(yaml.safe_dump(mapping, sort_keys=False), "utf-8")
    assert INSPECTIONS in checkout(project, "demo", "enforcement", folder)["stores"]
    (project / "data" / "stores" / "demo" / INSPECTIONS / "store.json").unlink()
    other = folder.with_name("other")
    other.mkdir()
    found = checkout(project, "demo", "enforcement", other)["stores"][INSPECTIONS]
    assert not found["columns"]


@pytest.mark.parametrize("damage", ["missing", "truncated", "another", "same rows", "a value"])
def test_a_damaged_store_is_refused(project: Path, folder: Path, damage: str) -> None:
    part = project / "data" / "stores" / "demo" / INSPECTIONS / "part-00001.parquet"
    if damage == "missing":
        part.unlink()
    elif damage == "truncated":
        part.write_bytes(part.read_bytes()[:-9])
    elif damage == "another":
        pq.write_table(inspections(), part)
    else:
        table = pq.read_table(part)
        if damage == "a value":
            at = table.schema.get_field_index("bulky")
            table = table.set_column(at, "bulky", pa.array([9] * table.num_rows))
        pq.write_table(table, part, compression="zstd")
    with pytest.raises(Refused, match=r"not those that store\.json lists") as refusal:
        checkout(project, "demo", "enforcement", folder)
    assert refusal.value.code == "store-damaged"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["", '{"columns": [', "[]", "null", "{}", '{"columns": ["cluster"]}', '{"columns": 1}', "\xff",
     '{"columns": ["cluster"], "parts": []}', '{"columns": ["cluster"], "parts": [{"rows": 3}]}'],
)  # fmt: skip
def test_a_damaged_manifest_is_refused(project: Path, folder: Path, text: str) -> None:
    path = project / "data" / "stores" / "demo" / INSPECTIONS / "store.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(Refused, match="run `datamall intake") as refusal:
        checkout(project, "demo", "enforcement", folder)
    assert refusal.value.code == "store-damaged"
    assert list(folder.iterdir()) == []


def test_a_manifest_that_lists_another_column_is_refused(project: Path, folder: Path) -> None:
    path = project / "data" / "stores" / "demo" / INSPECTIONS / "store.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["columns"].append("bsn")
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(Refused) as refusal:
        checkout(project, "demo", "enforcement", folder)
    assert refusal.value.code == "store-damaged"


def test_only_the_owner_reads_an_extract(project: Path, folder: Path) -> None:
    (folder / "extract.json").touch(mode=0o644)
    checkout(project, "demo", "enforcement", folder)
    files = {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    folders = {path.stat().st_mode & 0o777 for path in folder.iterdir() if path.is_dir()}
    assert (files, folders) == ({0o600}, {0o700})


def test_the_register_of_the_project_is_sound(root: Path) -> None:
    assert "enforcement" in load(root)


def grant(**entries: object) -> Callable[[dict], object]:
    def edit(purpose: dict) -> None:
        wish = purpose["stores"][INSPECTIONS]
        for key, value in entries.items():
            if value is None:
                wish.pop(key, None)
            else:
                wish[key] = value

    return edit


GRAIN = {"cluster": "value"}
MISTAKES: dict[str, tuple[Callable[[dict], object], str]] = {
    "no title": (lambda p: p.pop("title"), "title is missing: it must be text"),
    "empty question": (
        lambda p: p.update(question=""),
        "question is '': it must be text, not empty",
    ),
    "no statute": (lambda p: p["legal_basis"].pop("statute"), "needs gdpr and statute"),
    "no basis": (lambda p: p.pop("legal_basis"), "legal_basis is missing"),
    "personal is text": (
        lambda p: p.update(processes_personal_data="no"),
        "processes_personal_data is 'no': it must be true or false",
    ),
    "no stores": (lambda p: p.update(stores={}), "stores is {}: it must be"),
    "unknown key": (lambda p: p.update(retention=3), "unknown key 'retention'"),
    "unknown store": (lambda p: p["stores"].update({"x.y": {"columns": ["z"]}}), "no contract"),
    "store is a list": (lambda p: p["stores"].update({INSPECTIONS: []}), "lines here, not"),
    "unknown key of a store": (grant(where="x > 1"), "unknown key 'where'"),
    "neither rows nor sums": (
        grant(grain=None, sums=None, last_day=None),
        "give either columns, or grain and sums",
    ),
    "rows and sums": (grant(columns=["cluster"]), "give either columns, or grain and sums"),
    "grain without sums": (grant(sums=None), "give either columns, or grain and sums"),
    "sums without grain": (grant(grain=None), "give either columns, or grain and sums"),
    "grain is a list": (grant(grain=["cluster"]), "grain is .* it must be `word: value` lines"),
    "columns is text": (
        grant(grain=None, sums=None, columns="cluster"),
        "must be a list",
    ),
    "a column twice": (grant(sums=["bulky", "bulky"]), "'bulky' is listed twice, in lines"),
    "unknown column": (grant(grain={"bsn": "value"}), "no column 'bsn'"),
    "unknown sum": (grant(sums=["bsn"]), "no column 'bsn'"),
    "unknown grain": (
        grant(grain={"period_start": "fortnight"}),
        "'fortnight': it must be value, day",
    ),
    "grain of text": (grant(grain={"cluster": "month"}), "only a date has the grain"),
    "sum of text": (grant(sums=["cluster"], grain={"period_start": "month"}), "no number"),
    "grain and sum": (grant(grain={"bulky": "value"}), "both grain and sum"),
    "last_day of a number": (grant(last_day=["period_days"]), "last_day names a date or a year"),
    "last_day reversed": (
        grant(last_day=["period_days", "period_start"]),
        "last_day names a date or a year, or a date and a whole number",
    ),
    "last_day of three": (
        grant(last_day=["period_start", "period_days", "bulky"]),
        "last_day names a date or a year, or a date and a whole number",
    ),
    "last_day twice": (grant(last_day=["period_start", "period_start"]), "listed twice"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_in_the_register_is_one_sentence(project: Path, mistake: str) -> None:
    edit, sentence = MISTAKES[mistake]
    change(project, edit)
    with pytest.raises(DatamallError, match=sentence) as error:
        load(project)
    assert "data/purposes.yaml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["../x", "Fraud", "a b", "1", ""])
def test_names_of_purposes_are_plain(project: Path, name: str) -> None:
    path = project / "data" / "purposes.yaml"
    register = yaml.safe_load(path.read_text("utf-8"))
    path.write_text(yaml.safe_dump({name: deepcopy(register["enforcement"])}), encoding="utf-8")
    with pytest.raises(DatamallError, match="rename it"):
        load(project)


def test_without_a_register_nothing_is_granted(project: Path) -> None:
    (project / "data" / "purposes.yaml").unlink()
    with pytest.raises(DatamallError, match="nothing is granted"):
        load(project)


@pytest.mark.parametrize("grain", ["month", "value"])
def test_sums_are_the_same_whether_grouped_in_slices_or_at_once(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grain: str
) -> None:
    change(project, lambda p: p["stores"][INSPECTIONS]["grain"].update(period_start=grain))
    made = []
    for size in ("as it lies", 1, 250_000, None):  # None: it is taken not to lie in order
        folder = tmp_path / str(size)
        folder.mkdir()
        with monkeypatch.context() as patch:
            if size != "as it lies":
                patch.setattr(extracts, "as_they_lie", _out_of_order)
                patch.setattr(rows, "SLICE_ROWS", size)
            if size is None:
                patch.setattr(access, "_grouped", _out_of_order)
            if grain == "value" and size == "as it lies":
                patch.setattr(access, "_grouped", _not_needed)
            checkout(project, "demo", "enforcement", folder)
        made.append((folder / "enforcement.inspections" / "part-00000.parquet").read_bytes())
    assert len(set(made)) == 1


def _not_needed(*_: object) -> Iterator[pa.Table]:
    raise AssertionError("What has the grain of the store is grouped.")
    yield


def _out_of_order(*_: object) -> Iterator[pa.Table]:
    raise rows.NotInOrder("Not in order.")
    yield
