"""Bad input: one sentence, and the store before it as it was."""

import errno
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_intake import GOOD, HEADER, STORE, fields, folder, stored, write_project

from datamall.errors import DatamallError
from datamall.mall.intake import intake
from datamall.mall.intake import write as intake_write
from datamall.mall.intake.fill import fill_store
from datamall.tabular import reading

RAW = "data/raw/tiny/things.csv"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with a store that was taken in before."""
    intake(write_project(tmp_path), "tiny", STORE)
    return tmp_path


def contents(root: Path) -> dict[str, str]:
    """Return every file of stores and reports with its SHA-256."""
    found = [*(root / "data" / "stores").rglob("*"), *(root / "reports").rglob("*")]
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if path.is_file()
    }


def refused(root: Path, **options: str) -> str:
    """Return the sentence with which intake refuses; nothing may have changed."""
    before = contents(root)
    assert before
    with pytest.raises(DatamallError) as caught:
        intake(root, "tiny", STORE, **options)
    assert contents(root) == before
    assert [path.name for path in folder(root).parent.iterdir()] == [STORE]
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def parquet(table: pa.Table | bytes) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        def mapping(document: dict) -> None:
            document["files"]["list"] = {"path": "things.parquet", "format": "parquet"}

        write_project(root, {}, authority=mapping)
        path = root / "data/raw/tiny/things.parquet"
        if isinstance(table, bytes):
            path.write_bytes(table)
        else:
            pq.write_table(table, path)

    return write


TABLE = pa.table(
    {
        "Nr": ["a", "b"],
        "Dag": pa.array([date(2025, 1, 1)] * 2),
        "Aantal": [1, 2],
        "Gewicht": [1.5, None],
        "Kleur": ["rood", "blauw"],
    }
)


def truncated(share: float) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(TABLE, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content[: int(len(content) * share)]


def with_hole() -> bytes:
    content = bytearray(truncated(1))
    content[8:40] = bytes(32)  # pages of the first column
    return bytes(content)


def csv(content: bytes) -> Callable[[Path], object]:
    return lambda root: (root / RAW).write_bytes(content)


def edit(change: Callable[[dict], object]) -> Callable[[Path], object]:
    return lambda root: write_project(root, authority=change)


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        pytest.param(
            lambda root: (root / RAW).unlink(),
            r"no data/raw/tiny/things\*.csv: put it there \(source: the shop\)",
            id="missing file",
        ),
        pytest.param(
            csv(b"Nr;Dag;Kleur\na;01-01-2025;\n"),
            r"things.csv has no column 'Aantal' and no column 'Gewicht': its header is 'Nr', 'Dag'",
            id="missing column",
        ),
        pytest.param(
            csv(GOOD.replace(b";", b",")), "no column 'Nr'.*'Nr,Dag,Aantal", id="wrong separator"
        ),
        pytest.param(
            csv(GOOD.replace(b"Opmerking", b"Dag")), "two columns called 'Dag'", id="header twice"
        ),
        pytest.param(
            csv(GOOD + b"d;01-01-2025;1;;;\x81\n"),
            r"not valid windows-1252: byte 0x81 in line 5 \(byte offset 157\)",
            id="wrong byte",
        ),
        pytest.param(
            edit(lambda document: document["files"]["list"].update(encoding="utf-8")),
            "not valid utf-8: byte 0xe9 in line 4",
            id="wrong encoding",
        ),
        pytest.param(
            edit(lambda document: document["files"]["list"].update(encoding="utf-16")),
            r"things\.csv is not valid utf-16 \(.*BOM\).*utf-16-le or utf-16-be",
            id="no byte-order mark",
        ),
        pytest.param(
            csv(b"\xef\xbb\xbf" + GOOD), "marked as UTF-8.*says windows-1252", id="other encoding"
        ),
        pytest.param(csv(b""), r"things.csv is empty \(0 bytes\)", id="empty"),
        pytest.param(csv(b"\n\n"), "blank lines only", id="blank"),
        pytest.param(csv(HEADER.encode()), "a header and no records", id="header only"),
        pytest.param(
            csv(GOOD + b'd;01-01-2025;1;;;"open\n'),
            "opens a quote after record 5 that is never closed",
            id="open quote",
        ),
        pytest.param(
            csv(HEADER.encode() + b"a;;1;;;\nb;01-01-2025;x;;;\nc;01-01-2025;y;;;\n"),
            "All 3 records for shop.things would end in quarantine, 2 of them for type:amount",
            id="all in quarantine",
        ),
        pytest.param(
            edit(lambda document: fields(document)["day"].update({"from": "Datum"})),
            "no column 'Datum'",
            id="mapping to no column",
        ),
        pytest.param(
            edit(
                lambda document: fields(document).update(
                    weight={"expression": "cast(Kleur AS integer)"}
                )
            ),
            r"An expression for shop.things fails on some record \(Conversion Error.*try_cast",
            id="expression that fails",
        ),
        pytest.param(parquet(truncated(0.7)), "no sound Parquet file", id="truncated parquet"),
        pytest.param(parquet(with_hole()), "no sound Parquet file", id="damaged parquet"),
        pytest.param(parquet(b""), "no sound Parquet file", id="empty parquet"),
        pytest.param(parquet(TABLE.slice(0, 0)), "no records", id="parquet without rows"),
        pytest.param(
            parquet(TABLE.drop_columns(["Dag"])), "no column 'Dag'", id="parquet without column"
        ),
        pytest.param(
            parquet(TABLE.set_column(2, "Aantal", pa.array(["1", "2"]))),
            "column 'Aantal' is string, and shop.things.amount needs integer",
            id="parquet of wrong type",
        ),
        pytest.param(
            parquet(TABLE.set_column(1, "Dag", pa.array(["2025-01-01"] * 2))),
            "column 'Dag' is string, and shop.things.day needs date",
            id="parquet date as text",
        ),
        pytest.param(
            parquet(TABLE.set_column(4, "Kleur", pa.array([["rood"], []]))),
            "a column of type list",
            id="parquet with lists",
        ),
    ],
)
def test_bad_input_is_refused(
    project: Path, break_it: Callable[[Path], object], sentence: str
) -> None:
    break_it(project)
    said = refused(project)
    assert re.search(sentence, said), said


def test_where_a_missing_file_comes_from(project: Path) -> None:
    (project / RAW).unlink()

    def fetched(document: dict) -> None:
        document["files"]["list"].update(path="things.csv", sha256="0" * 64)

    def invented(document: dict) -> None:
        document["synthetic"] = True

    write_project(project, {}, authority=fetched)
    assert "get it with `datamall fetch tiny` (source: the shop)" in refused(project)
    write_project(project, {}, authority=invented)
    assert "make it with `datamall demo`" in refused(project)


def test_one_file_of_several_without_records(project: Path) -> None:
    write_project(project, {"things_2.csv": HEADER.encode()})
    assert "things_2.csv holds a header and no records" in refused(project)


@pytest.mark.parametrize("change", ["appended", "replaced", "deleted"])
def test_a_file_that_changes_while_it_is_read(
    project: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    write = intake_write.write_quarantine

    def meanwhile(*arguments: object) -> object:
        path = project / RAW
        if change == "appended":
            path.write_bytes(GOOD + b"d;01-01-2025;1;;;\n")
        elif change == "replaced":
            path.write_bytes(GOOD.replace(b"31", b"30"))
        else:
            path.unlink()
        return write(*arguments)

    monkeypatch.setattr("datamall.mall.intake.fill.write_quarantine", meanwhile)
    assert "things.csv was changed while it was being read" in refused(project)


def test_a_file_that_vanishes_after_its_header_was_read(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = reading.csv_headers

    def meanwhile(path: Path, *arguments: Any) -> list[str]:
        headers = read(path, *arguments)
        path.unlink()
        return headers

    monkeypatch.setattr(reading, "csv_headers", meanwhile)
    assert "was changed while it was being read" in refused(project)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("place", ["Parts._write", "write_quarantine", "RawRecords._batch"])
def test_a_disk_that_is_full(
    project: Path, monkeypatch: pytest.MonkeyPatch, number: int, place: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, "no room")

    monkeypatch.setattr(f"datamall.mall.intake.fill.{place}", full)
    assert "no room on the disk to take shop.things in" in refused(project)


CHILD = """
import resource, sys
from pathlib import Path
from datamall.mall.intake import intake
from datamall.mall.intake.read import RawRecords

root, store, limit, memory, only_the_engine = sys.argv[1:]
if only_the_engine == "True":
    RawRecords.batches = lambda self, kept: self._all(Path("/dev/null"))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
intake(Path(root), "tiny", store, memory=memory)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "limit", "memory", "only_the_engine", "sentence"),
    [
        pytest.param(50_000, 100_000, "400MB", False, "no room on the disk", id="kept batches"),
        pytest.param(900_000, 1_000_000, "50MB", True, "no room on the disk", id="spilled rows"),
        pytest.param(900_000, 10**9, "20MB", False, "memory .* does not suffice", id="memory"),
    ],
)
def test_limits_in_earnest(
    project: Path, rows: int, limit: int, memory: str, only_the_engine: bool, sentence: str
) -> None:
    def length(contract: dict) -> None:
        options = contract["schema"][0]["properties"][0]["logicalTypeOptions"]
        options.update(maxLength=9, pattern="[a-z0-9]+")

    lines = (f"{chr(97 + n % 26)}{n:07d};01-01-2025;1;;;" for n in range(rows))
    raw = (HEADER + "\n".join(lines)).encode("windows-1252")
    shutil.rmtree(project / "data" / "log")  # as if this contract was the first
    before = contents(write_project(project, raw, contract=length))
    arguments = [str(project), STORE, str(limit), memory, str(only_the_engine)]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert re.search(f"^datamall.errors.DatamallError: .*{sentence}", said), done.stderr
    assert contents(project) == before
    assert [path.name for path in folder(project).parent.iterdir()] == [STORE]


@pytest.mark.parametrize("threads", [1, 2])
def test_where_memory_fails_two_threads_one_does_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    before, tried = contents(project), []

    def fails_once(engine: duckdb.DuckDBPyConnection, rows: Path, *others: Any) -> Any:
        tried.append(engine.execute("SELECT current_setting('threads')").fetchone()[0])
        filled = fill_store(engine, rows, *others)
        if len(tried) == 1:
            (rows / "part-99.parquet").write_bytes(b"half a part")
            raise duckdb.OutOfMemoryException("381.2 of 381.4 MiB used")
        return filled

    monkeypatch.setattr("datamall.mall.intake.fill_store", fails_once)
    if threads == 1:
        with pytest.raises(DatamallError, match="not even on one thread"):
            intake(project, "tiny", STORE, threads=threads)
    else:
        intake(project, "tiny", STORE, threads=threads)
    assert tried == ([1] if threads == 1 else [2, 1])
    assert contents(project) == before


def test_a_fault_of_ours_is_no_quarantine_without_a_trace(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datamall.mall.intake.fill.Repeats.finish", lambda _: [])
    before = contents(project)
    with pytest.raises(Exception, match=r"\d accepted") as caught:
        intake(project, "tiny", STORE)
    assert type(caught.value).__name__ == "LostRecords"
    assert contents(project) == before


def test_the_new_store_takes_the_place_of_the_old_one_or_not_at_all(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def fails(path: Path, target: Path) -> Path:
        if path.name == f"{STORE}.partial":
            raise OSError(errno.ENOSPC, "no room")
        return rename(path, target)

    # As where the system cannot exchange two names at once.
    monkeypatch.setattr("datamall.mall.intake.workplace._exchanged", lambda *_: False)
    monkeypatch.setattr(Path, "rename", fails)
    assert "no room" in refused(project)


def test_what_a_killed_run_had_moved_aside_is_put_back(
    project: Path,
) -> None:
    intake(project, "tiny", STORE)
    before = stored(project)
    folder(project).rename(folder(project).with_name(f"{STORE}.old.partial"))
    (project / RAW).write_bytes(GOOD[:40])
    with pytest.raises(DatamallError):
        intake(project, "tiny", STORE)
    assert stored(project) == before


def test_unknown_store(project: Path) -> None:
    with pytest.raises(DatamallError, match=r"tiny delivers no store called 'shop.x': there are"):
        intake(project, "tiny", "shop.x")


def with_sales(project: Path) -> None:
    """Write a contract for a store, shop.sales, that refers to that of things."""

    def refers(contract: dict) -> None:
        contract["id"] = "shop.sales"
        contract["schema"][0]["properties"][0]["relationships"] = [
            {"to": "shop/things.yaml#schema/things/properties/id"}
        ]

    contract = json.loads((project / "data/contracts/shop/things.yaml").read_text())
    refers(contract)
    (project / "data/contracts/shop/sales.yaml").write_text(json.dumps(contract))


def test_a_store_that_is_referred_to_comes_first(project: Path) -> None:
    def mapping(document: dict) -> None:
        document["stores"]["shop.sales"] = document["stores"][STORE]

    with_sales(project)
    write_project(project, GOOD + b"d;01-01-2025;1;;;\n", authority=mapping)
    assert intake(project, "tiny", "shop.sales")["reasons"] == {"reference:id": 1}
    part = folder(project) / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(DatamallError, match=r"store shop.things of tiny is damaged"):
        intake(project, "tiny", "shop.sales")
    part.unlink()
    with pytest.raises(DatamallError, match=r"run `datamall intake shop.things --authority tiny`"):
        intake(project, "tiny", "shop.sales")


def test_a_reference_to_what_is_not_delivered_is_skipped_and_noted(project: Path) -> None:
    def mapping(document: dict) -> None:
        document["stores"] = {"shop.sales": document["stores"][STORE]}

    with_sales(project)
    write_project(project, authority=mapping)
    report = intake(project, "tiny", "shop.sales")
    assert report["unchecked_references"] == ["id"]
    assert (report["accepted"], report["reasons"]) == (3, {})
    written = project / "reports" / "tiny" / "quality" / "shop.sales.json"
    assert json.loads(written.read_text("utf-8")) == report
