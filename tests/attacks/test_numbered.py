"""Attacks of docs/attacks.md without a test elsewhere, by number: noticed, and in the log.

Each begins with a project that is sealed and whole (`verify` says so), and changes one thing.
"""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result
from tiny_mall import make_project

from datamall.cli import main
from datamall.errors import DatamallError
from datamall.mall.authorities import load_authority
from datamall.mall.log import logbook
from datamall.mall.seal import keys, seals
from datamall.mall.seal.envelope import sign

STORE = "data/stores/demo/enforcement.containers"
PART = f"{STORE}/part-00000.parquet"
BOTH = ["committee", "steward"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = make_project(tmp_path / "project", parts=1)
    monkeypatch.chdir(made)
    files = {
        "reports/results/fraud_audit/answer.json": '{"verdict": "FAIL"}',
        "reports/mall.html": "<p>12</p>",
        "reports/mall.ipynb": '{"cells": [{"outputs": [{"text": "12"}]}]}',
        "notebooks/mall.ipynb": "{}",
        "requirements.lock": "pandas==3.0.0\n",
        "data/raw/demo/raw.csv": "1;2\n",
    }
    for name, text in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    for number in range(3):  # each another: two that are equal can be swapped
        logbook.write(made, "gate", authority="demo", report=f"audit {number}", open=False)
    for kind in seals.kinds(made, "demo"):
        seals.seal(made, load_authority(made, "demo"), kind, BOTH)
    whole = run("verify", "--witness", str(tmp_path / "witness"))
    assert whole.exit_code == 0, whole.stderr
    return made


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(project: Path) -> None:
        text = (project / name).read_text("utf-8")
        assert old in text
        (project / name).write_text(text.replace(old, new, 1), "utf-8")

    return change


def rows(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def rewrite(project: Path) -> None:
        """Also in the manifest, as whoever writes both would."""
        table = change(pq.read_table(project / PART))
        pq.write_table(table, project / PART)
        manifest = json.loads((project / STORE / "store.json").read_text())
        manifest["rows"] = manifest["parts"][0]["rows"] = table.num_rows
        manifest["parts"][0]["sha256"] = seals.file_digest(project / PART)
        (project / STORE / "store.json").write_text(json.dumps(manifest))

    return rewrite


def flip(project: Path) -> None:
    content = bytearray((project / PART).read_bytes())
    content[len(content) // 2] ^= 1
    (project / PART).write_bytes(bytes(content))


def replay(project: Path) -> None:
    answer = project / "reports/results/fraud_audit/answer.json"
    old = {path: path.read_bytes() for path in (answer, seals.file_of(project, "demo", "results"))}
    answer.write_text('{"verdict": "PASS"}')
    seals.seal(project, load_authority(project, "demo"), "results", BOTH)
    for path, content in old.items():
        path.write_bytes(content)


def by_one_of_two(project: Path) -> None:
    """Whoever has the steward's key alone, and claims both signatures."""
    answer, path = (
        "reports/results/fraud_audit/answer.json",
        seals.file_of(project, "demo", "results"),
    )
    (project / answer).write_text('{"verdict": "PASS"}')
    said = json.loads(base64.b64decode(json.loads(path.read_bytes())["payload"]))
    for one in said["subject"]:
        if one["name"] == answer:
            one["digest"]["sha256"] = seals.file_digest(project / answer)
    steward = keys.private(load_authority(project, "demo"), "steward")
    path.write_text(json.dumps(sign(said, [steward])))


def entries(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def rewrite(project: Path) -> None:
        path = project / "data" / "log" / logbook.ENTRIES
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

    return rewrite


def write_anew(project: Path) -> None:
    folder = project / "data" / "log"
    kept = [entry.said for entry in logbook.read(project)]
    for name in (logbook.ENTRIES, logbook.HEAD):
        (folder / name).unlink()
    for said in kept[1:]:
        event = said.pop("event")
        logbook.write(
            project, event, **{k: v for k, v in said.items() if k not in ("at", "account")}
        )


ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "1 a flipped byte of a store": (flip, PART),
    "3 two rows swapped": (rows(lambda t: t.take([1, 0, *range(2, len(t))])), STORE),
    "4 a row appended": (rows(lambda t: pa.concat_tables([t, t.slice(0, 1)])), STORE),
    "8 an output of the notebook that ran": (
        edit("reports/mall.ipynb", "12", "11"),
        "reports/mall.ipynb was altered",
    ),
    "8 a notebook that ran beside the others": (
        lambda p: (p / "reports/new.ipynb").write_text("{}"),
        "reports/new.ipynb came after",
    ),
    "9 the notebook edited": (edit("notebooks/mall.ipynb", "{}", "{ }"), "notebooks/mall.ipynb"),
    "10 a number of the page": (edit("reports/mall.html", "12", "11"), "reports/mall.html"),
    "11 the verdict": (
        edit("reports/results/fraud_audit/answer.json", "FAIL", "PASS"),
        "reports/results/fraud_audit/answer.json",
    ),
    "13 a verdict signed again by one of two": (
        by_one_of_two,
        "seals/demo/results.json is not the last one in the log",
    ),
    "14 an old seal for its old data": (replay, "is not the last one in the log"),
    "16 an entry cut out": (entries(lambda lines: [*lines[:1], *lines[2:]]), r"was (cut|altered)"),
    "17 the end cut off": (entries(lambda lines: lines[:-2]), "was cut"),
    "18 two entries swapped": (
        entries(lambda lines: [lines[1], lines[0], *lines[2:]]),
        "Entry 1 of the log of use was altered|head.json is not",
    ),
    "19 history written anew": (write_anew, "Entry 1 of the log of use was altered"),
    "21 a page added": (lambda p: (p / "reports/new.html").touch(), "reports/new.html came after"),
    "21 a page removed": (
        lambda p: (p / "reports/mall.html").unlink(),
        "reports/mall.html is gone",
    ),
    "22 the register of purposes": (
        edit(
            "data/purposes.yaml", "processes_personal_data: true", "processes_personal_data: false"
        ),
        "data/purposes.yaml",
    ),
    "22 a contract": (
        edit("data/contracts/welfare/clients.yaml", "persons", "things"),
        "data/contracts/welfare/clients.yaml",
    ),
    "23 an entry dated back": (
        entries(lambda lines: [lines[0].replace(b'"at":"2', b'"at":"1'), *lines[1:]]),
        "Entry 1 of the log of use was altered",
    ),
    "28 the lock of the environment": (
        edit("requirements.lock", "3.0.0", "3.0.1"),
        "requirements.lock",
    ),
}
# A log that was cut or altered at its end takes no entry, and so nothing can be done any more; that
# it was noticed is the next entry of the log that was restored.
NO_ENTRY = ("16", "17")


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_change_is_named_and_in_the_log(project: Path, tmp_path: Path, attack: str) -> None:
    change, sentence = ATTACKS[attack]
    log = project / "data" / "log" / logbook.ENTRIES
    copy = log.read_bytes()
    change(project)
    done = run("verify", "--witness", str(tmp_path / "witness"))
    assert done.exit_code == 1
    assert re.search(sentence, done.stderr), done.stderr
    if attack.split()[0] in NO_ENTRY:
        with pytest.raises(DatamallError, match=r"was (cut|altered)"):
            logbook.write(project, "gate")
        log.write_bytes(copy)
        logbook.write(project, "gate")
        damaged, gate = (entry.said for entry in [*logbook.read(project)][-2:])
        assert (damaged["event"], gate["event"]) == ("damaged", "gate")
        assert re.search(r"was (cut|altered)", damaged["noticed"]["found"])
        assert not (log.parent / logbook.DAMAGED).exists()
    else:
        last = log.read_bytes().splitlines()[-1]
        said = json.loads(last.partition(b" ")[2])
        assert (said["event"], said["outcome"]) == ("verify", "refused")


def register(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def rewrite(project: Path) -> None:
        path = project / "data" / "purposes.yaml"
        content = yaml.safe_load(path.read_text("utf-8"))
        change(content)
        path.write_text(yaml.safe_dump(content), "utf-8")

    return rewrite


def nothing(project: Path) -> None:
    """Change nothing: what is asked for is the attack."""


LOOK = {"columns": ["client", "origin"]}
ASKED: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "30 an undeclared purpose": (nothing, "curiosity", "unknown-purpose"),
    "34 a column outside the contract": (
        register(lambda r: r["traffic"]["stores"]["traffic.counts"]["columns"].append("plate")),
        "traffic",
        "unknown-column",
    ),
    "31 a store without a contract": (
        register(lambda r: r["traffic"]["stores"].update({"health.patients": LOOK})),
        "traffic",
        "unknown-store",
    ),
    "35 a link to what the law protects": (
        register(lambda r: r["fraud-audit"]["stores"].update({"welfare.protected": LOOK})),
        "fraud-audit",
        "no-basis-for-link",
    ),
    "36 two stores whose pair is forbidden": (
        register(
            lambda r: r["fraud-profile"]["stores"].update(
                {"enforcement.reports": {"columns": ["x", "y"]}}
            )
        ),
        "fraud-profile",
        "forbidden-join",
    ),
    "47 a path as the name of a purpose": (nothing, "../secret", "malformed"),
    "46 SQL as the name of a purpose": (nothing, "x' or 1=1; drop table store", "malformed"),
}


@pytest.mark.parametrize("attack", ASKED)
def test_what_is_asked_for_is_refused_and_in_the_log(
    project: Path, tmp_path: Path, attack: str
) -> None:
    change, purpose, code = ASKED[attack]
    change(project)
    done = run("checkout", purpose, str(tmp_path / "out"))
    assert done.exit_code == 1
    assert not (tmp_path / "out").exists()
    *_, last = logbook.read(project)
    assert (last.said["outcome"], last.said["reason"]) == ("refused", code)
    assert "secret" not in json.dumps(last.said) and "drop" not in json.dumps(last.said)


def test_a_report_that_is_stopped_is_in_the_log(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """39, 50, 51, 54: what stops a notebook is in test_notebooks and test_outputs."""

    def stop(*_: object, **__: object) -> None:
        raise DatamallError("Notebook mall, cell 3 shows a citizen service number: 999990019.")

    monkeypatch.setattr("datamall.reporting.notebooks.run", stop)
    monkeypatch.setattr("datamall.provenance.provenance", lambda *_: {})
    assert run("report", "mall").exit_code == 1
    *_, last = logbook.read(project)
    assert (last.said["event"], last.said["outcome"]) == ("report", "refused")
    assert "999990019" not in json.dumps(last.said)


def test_an_extract_has_no_engine_behind_it(project: Path, tmp_path: Path) -> None:
    """49: no `_find_backend()`, `.sql()` or `.op().parent`: rows were written out before."""
    from datamall.mall.access import checkout
    from datamall.mall.door import Extract

    folder = tmp_path / "extract"
    folder.mkdir()
    checkout(project, "demo", "enforcement", folder)
    data = Extract(folder, on_file=["enforcement.inspections"])
    for table in data.values():
        assert not [
            name for name in ("_find_backend", "sql", "op", "query_table") if hasattr(table, name)
        ]
    hidden = "households"
    assert all(hidden not in table for table in map(list, (t.columns for t in data.values())))


def listed(root: Path) -> list[list[str]]:
    lines = (root / "docs" / "attacks.md").read_text("utf-8").splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if re.match(r"\| \d", line)
    ]


NUMBERS = (
    *(1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 13, 14, 16, 17, 18, 19, 21, 22, 23, 28, 29),
    *(30, 31, 32, 33, 34, 35, 36, 38, 39, 41, 42, 44, 46, 47, 48, 49, 50, 51, 54, 56, 57),
)


def test_the_table_has_each_attack_once_and_tests_that_exist(root: Path) -> None:
    table = listed(root)
    assert [int(row[0]) for row in table] == list(NUMBERS)
    for number, _, _, logged, tests in table:
        assert logged.split(":")[0].split(",")[0] in ("yes", "no", "partly"), number
        named = re.findall(r"`([a-z_]+)::([a-z_0-9]+)`", tests)
        assert named, number
        for file, function in named:
            (path,) = (root / "tests").rglob(f"{file}.py")
            assert f"def {function}(" in path.read_text("utf-8"), function


def test_without_the_log_the_missing_signature_is_named(project: Path) -> None:
    """13: as in a clone, which has no log."""
    by_one_of_two(project)
    mapping = load_authority(project, "demo")
    for name in (logbook.ENTRIES, logbook.HEAD):
        (project / "data" / "log" / name).unlink()
    with pytest.raises(DatamallError, match="lacks a signature: it is signed by steward alone"):
        seals.verify(project, mapping, keys.public(project, mapping))


def test_a_notebook_that_failed_is_no_result(project: Path) -> None:
    (project / "reports" / "mall.failed.ipynb").write_text("{}")
    assert run("verify").exit_code == 0
