"""A release is a reviewed copy: sealed by two, noted, and standing where few people lie between."""

import dataclasses
import json
import shutil
import sys
import types
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from released_mall import REPORTS, STORE, make_released, rows, write_gate, write_page, write_store

from datamall import differences, release_checks, releases
from datamall.attackers import Count, Space
from datamall.errors import DatamallError
from datamall.fraud import printed
from datamall.mall import versions
from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts
from datamall.mall.log import logbook
from datamall.mall.seal import keys, seals, signatures

ATTACKED = release_checks.attacked
Change = Callable[..., None]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    made = make_released(tmp_path / "project")

    def rests_on(root: Path, authority: str, name: str) -> Any:
        return json.loads((root / "reports/results" / name / "provenance.json").read_text())

    monkeypatch.setattr(release_checks, "provenance", rests_on)
    monkeypatch.setattr(
        release_checks.gate,
        "decide",
        lambda *given: json.loads((made / "reports/gate.json").read_text()),
    )
    monkeypatch.setattr(release_checks, "attacked", lambda *given: [])
    return made


def seal(project: Path, role: str = "steward") -> None:
    for kind in release_checks.SEALED:
        seals.seal(project, load_authority(project, "demo"), kind, [role])


def make(project: Path, role: str = "steward") -> Path:
    return releases.make(project, load_authority(project, "demo"), role, lambda name: "FAIL")


def countersign(project: Path, number: int = 1, role: str = "committee") -> list[str]:
    return releases.countersign(project, load_authority(project, "demo"), number, role)


def verified(project: Path) -> dict[int, tuple[int, list[str]]]:
    mapping = load_authority(project, "demo")
    return releases.verify(project, mapping, keys.public(project, mapping))


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_release_has_no_draft_mark_and_two_signatures(project: Path) -> None:
    seal(project)
    place = make(project)
    assert place == project / "releases" / "demo" / "1"
    pages = sorted(path.name for path in place.glob("*.html"))
    assert pages == ["fraud_audit.html", "index.html", "mall.html", "trucks.html"]
    for page in place.glob("*.html"):
        assert "Draft" not in page.read_text("utf-8") and "Release 1" in page.read_text("utf-8")
    assert releases.DRAFT in (project / "reports" / "mall.html").read_text()
    assert verified(project)[1][1] == ["steward"]
    assert countersign(project) == ["committee", "steward"]
    ((number, (files, roles)),) = verified(project).items()
    assert (number, roles) == (1, ["committee", "steward"]) and files > 10
    last = [entry.said for entry in logbook.read(project) if entry.said["event"] == "release"]
    assert [(one["number"], one["role"]) for one in last] == [(1, "steward"), (1, "committee")]
    assert len({one["signed"] for one in last}) == 1
    assert not list((project / "releases").rglob("*.partial"))


def test_who_may_not_sign_makes_no_release(project: Path) -> None:
    seal(project)
    with pytest.raises(DatamallError, match="The mayor cannot sign a release"):
        make(project, "mayor")
    assert not (project / "releases" / "demo" / "1").exists()
    refused = [e.said for e in logbook.read(project) if e.said["event"] == "release"]
    assert [one["outcome"] for one in refused] == ["refused"]


def test_one_person_signs_no_release_alone(project: Path) -> None:
    seal(project)
    make(project)
    with pytest.raises(DatamallError, match="lacks that of the committee"):
        countersign(project, role="steward")
    with pytest.raises(DatamallError, match="no release 2"):
        countersign(project, 2)
    countersign(project)
    # Of data that are not invented, one account cannot be two people.
    mapping = load_authority(project, "demo")
    path, known = project / "releases/demo/1/seal.json", keys.public(project, mapping)
    signed = signatures.read(path, known, "The seal")
    signatures.by_two(project, mapping, signed, releases.EVENT)
    real = dataclasses.replace(mapping, synthetic=False)
    with pytest.raises(DatamallError, match="One account signed for both roles"):
        signatures.by_two(project, real, signed, releases.EVENT)


def test_what_was_altered_is_not_signed(project: Path) -> None:
    seal(project)
    flip(make(project))
    with pytest.raises(DatamallError, match=r"mall\.html was altered"):
        countersign(project)
    assert len(json.loads((project / "releases/demo/1/seal.json").read_text())["signatures"]) == 1


def not_sealed(project: Path) -> None:
    pass


def altered(project: Path) -> None:
    seal(project)
    (project / "reports" / "mall.html").write_text("<p>13</p>")


def of_before(project: Path) -> None:
    path = project / "reports" / "results" / "mall" / "provenance.json"
    path.unlink()
    seal(project)


def no_mark(project: Path) -> None:
    page = project / "reports" / "mall.html"
    page.write_text(page.read_text().replace("Draft", "Final"))
    seal(project)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (not_sealed, "stores, method, results of demo are not sealed"),
        (altered, r"reports/mall\.html was altered"),
        (of_before, "mall"),
        (no_mark, "mall has no draft mark"),
    ],
)
def test_what_is_refused_leaves_nothing(
    project: Path, change: Callable[[Path], None], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(project)
    if change is of_before:
        monkeypatch.setattr(release_checks, "provenance", lambda *given: {"store x": "1"})
        says = "is not of the data and the program of now"
    with pytest.raises(DatamallError, match=says):
        make(project)
    assert not list((project / "releases").rglob("*.html"))


def test_what_attackers_find_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seal(project)
    monkeypatch.setattr(release_checks, "attacked", lambda *given: ["2025, signal, unlawful", "x"])
    with pytest.raises(DatamallError, match=r"2025, signal, unlawful.* and 1 numbers more"):
        make(project)
    assert not list((project / "releases").rglob("*.html"))


def again(project: Path, table: pd.DataFrame, number: int = 45) -> Path:
    write_store(project, table)
    for name in REPORTS:
        write_page(project, name, number, "PASS" if name == "fraud_audit" else None)
    quality = project / "reports" / "quality" / f"{STORE}.json"
    quality.write_text(quality.read_text().replace("100", "95"))
    write_gate(project, True)
    seal(project)
    return make(project)


@pytest.mark.parametrize(
    ("now", "anew"),
    [
        (rows(range(1, 100)), False),  # one left
        (rows(range(101)), False),  # one came
        (rows(range(60)), False),  # 40 left and nobody came
        (rows(range(19, 119)), False),  # 19 left, 19 came
        (rows(range(20, 120)), True),
        (pd.concat([rows(range(99)), rows(range(99, 100), arm="random")]), False),  # one is another
        (pd.concat([rows(range(80)), rows(range(80, 100), arm="random")]), True),
        (pd.concat([rows(range(100)), rows(range(1), 2026)]), True),  # another year
        (pd.concat([rows(range(99)), rows(range(100), 2026)]), False),
    ],
)
def test_pages_about_people_stand_until_enough_left_and_came(
    project: Path, now: pd.DataFrame, anew: bool
) -> None:
    seal(project)
    first = content(make(project))
    second = content(again(project, now))
    said = releases.record(project, "demo", 2)
    assert said["reports"] == {"fraud_audit": 1 + anew, "mall": 1 + anew, "trucks": 2}
    noted = [entry.said for entry in logbook.read(project) if entry.said["event"] == "release"]
    assert noted[-1]["stands"] == ([] if anew else ["fraud_audit", "mall"])
    people = [
        name
        for name in first
        if name.startswith(("fraud_audit", "mall", "results/fraud_audit", "results/mall"))
        or name in (f"quality/{STORE}.json", "gate.json")
    ]
    assert len(people) == 12
    assert ({name: first[name] for name in people} == {n: second[n] for n in people}) is not anew
    assert first["trucks.html"] != second["trucks.html"]
    assert ("It is 45." in second["index.html"].decode()) and (
        "It is 50." in second["index.html"].decode()
    ) is not anew
    verified(project)


def test_that_somebody_changed_is_not_told_by_the_number_of_a_page(project: Path) -> None:
    """Nobody left, or one did: pages about people stand in both, with the same badge."""
    seal(project)
    make(project)
    make(project)
    assert set(releases.record(project, "demo", 2)["reports"].values()) == {1}
    again(project, rows(range(1, 100)), 50)
    said = releases.record(project, "demo", 3)["reports"]
    assert (said["mall"], said["trucks"]) == (1, 1)
    parameters = json.loads((project / "reports/results/mall/provenance.json").read_text())
    path = project / "reports/results/trucks/provenance.json"
    path.write_text(json.dumps(parameters | {"params.yaml: trucks": "other"}))
    seal(project)
    make(project)
    assert releases.record(project, "demo", 4)["reports"]["trucks"] == 4


def test_each_release_is_compared_with_all_before(project: Path) -> None:
    """What came back to one person from an older release would be told by that one."""
    seal(project)
    make(project)
    again(project, rows(range(30, 130)))
    again(project, rows(range(1, 101)), 35)
    assert releases.record(project, "demo", 3)["reports"]["fraud_audit"] == 2


def test_in_a_chain_of_releases_none_is_near_another(project: Path) -> None:
    """One person leaves and one comes before each; what is shown never lies one person apart."""
    contract, mapping = load_contracts(project)[STORE], load_authority(project, "demo")
    shown: list[bytes] = []
    for step in range(70):
        table = pa.Table.from_pandas(rows(range(step, 100 + step)), preserve_index=False)
        now = versions.marks(mapping, contract, table)
        known = [versions.keep(project, "demo", STORE, one) for one in shown]
        if release_checks.may_be_shown(project, "demo", STORE, now, known):
            shown.append(now)
    assert len(shown) == 4
    for one in shown:
        for other in shown:
            assert one is other or min(map(min, versions.between(one, other))) >= 20


def test_what_a_store_was_is_needed_and_cannot_be_altered(project: Path) -> None:
    seal(project)
    make(project)
    (kept,) = (logbook.folder(project) / "released").rglob("*.marks")
    kept.write_bytes(kept.read_bytes()[:-1] + b"\0")
    with pytest.raises(DatamallError, match=r"gone or altered"):
        again(project, rows(range(20, 120)))
    assert not (project / "releases" / "demo" / "2").exists()


def test_what_changed_is_written_down(project: Path) -> None:
    seal(project)
    make(project)
    parameters = project / "params.yaml"
    parameters.write_text(parameters.read_text().replace("level: 0.95", "level: 0.9", 1))
    place = again(project, rows(range(20, 120)))
    found = json.loads((place / "changes.json").read_text())
    assert found["data"] == {STORE: "changed"}
    assert found["parameters"] == {"fraud_audit.level": [0.95, 0.9]}
    assert found["code"] == {}
    assert found["figures"]["fraud_audit/numbers"] == [1, 1]
    assert found["verdicts"] == {"fraud_audit": ["FAIL", "PASS"], "gate": ["closed", "open"]}
    said = (place / "changes.md").read_text()
    assert "- fraud_audit.level: 0.95 → 0.9" in said and "- gate: closed → open" in said
    draft = [releases.place_of(project, "demo", name) for name in ("2", "draft")]
    same = differences.compare(draft[0][0], draft[1][0], (draft[0][1], draft[1][1]))
    assert not any(same.values())
    assert differences.words(same).count("No change.") == 5
    with pytest.raises(DatamallError, match="no release 7: there are 1, 2"):
        releases.place_of(project, "demo", "7")
    with pytest.raises(DatamallError, match="no release"):
        releases.place_of(project, "demo", "../1")


def delete_last(place: Path) -> None:
    for path in sorted(place.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    place.rmdir()


def flip(place: Path) -> None:
    page = place / "mall.html"
    page.write_bytes(page.read_bytes().replace(b"50", b"51"))


def add(place: Path) -> None:
    (place / "extra.html").write_text("<p>1</p>")


def take_away(place: Path) -> None:
    (place / "results" / "mall" / "numbers.csv").unlink()


def one_signature(place: Path) -> None:
    envelope = json.loads((place / "seal.json").read_text())
    envelope["signatures"].pop()
    (place / "seal.json").write_text(json.dumps(envelope))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (delete_last, "Release 1 is gone"),
        (flip, r"1/mall\.html was altered"),
        (add, r"extra\.html came after"),
        (take_away, r"numbers\.csv is gone"),
        (one_signature, "lacks the signature of the"),
    ],
)
def test_what_was_altered_is_named(
    project: Path, change: Callable[[Path], None], says: str
) -> None:
    seal(project)
    place = make(project)
    countersign(project)
    change(place)
    with pytest.raises(DatamallError, match=says):
        verified(project)


def test_a_release_that_was_killed_in_the_end_is_there_with_the_next_command(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal(project)
    with monkeypatch.context() as killed:
        killed.setattr(releases.shutil, "rmtree", lambda *given, **how: None)
        killed.setattr(Path, "rename", lambda self, target: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            make(project)
    assert releases.numbers(project, "demo") == []
    assert [*verified(project)] == [1]


def test_dates_of_a_key_are_slices_by_year(project: Path) -> None:
    contract = load_contracts(project)[STORE]
    mapping = load_authority(project, "demo")
    days = [date(2024, 5, 1), date(2024, 6, 1), date(2025, 1, 1)]
    table = pa.table({"client": ["A", "B", "A"], "year": days, "arm": ["none"] * 3})
    less = table.slice(1)
    one, two = (versions.marks(mapping, contract, each) for each in (table, less))
    assert sorted(versions.between(one, two)) == [(0, 0), (1, 0)]
    # Digests under the key, in the order of their bytes: the order of rows is not told.
    assert one == versions.marks(mapping, contract, table.take([2, 0, 1]))
    assert b"A" * 4 not in one


def tables_of(place: Path, **numbers: int) -> Path:
    results = place / "results" / "fraud_audit"
    results.mkdir(parents=True, exist_ok=True)
    lines = [f"{name},{number}" for name, number in numbers.items()]
    (results / "numbers.csv").write_text("\n".join(["who,number", *lines]) + "\n")
    return place


@pytest.fixture
def attackers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let attackers reckon with tables of women, men and all."""
    sexes = {"women": {"sex": frozenset("F")}, "men": {"sex": frozenset("M")}, "all": {}}
    module = types.ModuleType("datamall.fraud.printed")

    def counts(tables: dict[str, pd.DataFrame]) -> list[Count]:
        rows = tables["fraud_audit/numbers"].itertuples()
        return [Count(row.who, sexes[row.who], row.number, row.number) for row in rows]

    about = {
        "space": lambda years: Space(
            {"sex": ("F", "M")}, lambda people: pd.Series(True, index=people.index)
        ),
        "years_of": lambda tables: (),
        "small": lambda tables: {"men": sexes["men"]},
        "counts": counts,
        "FIGURES": printed.FIGURES,
    }
    for name, said in about.items():
        setattr(module, name, said)
    monkeypatch.setitem(sys.modules, "datamall.fraud.printed", module)
    monkeypatch.setattr(release_checks, "attacked", ATTACKED)


def refused(project: Path) -> list[str]:
    said = [entry.said for entry in logbook.read(project) if entry.said["event"] == "release"]
    return [one["reason"] for one in said if one.get("outcome") == "refused"]


@pytest.mark.usefixtures("attackers")
def test_what_follows_from_a_total_and_its_parts_is_refused_and_in_the_log(project: Path) -> None:
    """Nobody prints how many men there are, and everybody can subtract."""
    tables_of(project / "reports", all=51, women=48)
    (project / "reports/results/mall/numbers.csv").unlink()
    seal(project)
    with pytest.raises(DatamallError, match=r"how many people are 'men', fewer than ten.*pinned"):
        make(project)
    assert refused(project) == ["pinned"] and not list((project / "releases").rglob("*.html"))
    tables_of(project / "reports", all=91, women=48)
    seal(project)
    assert make(project).is_dir()


@pytest.mark.usefixtures("attackers")
@pytest.mark.parametrize("figure", ["lowest", "maximum", "median_income", "oldest"])
def test_a_figure_of_one_person_is_refused_and_in_the_log(project: Path, figure: str) -> None:
    tables_of(project / "reports", all=91)
    (project / "reports/results/mall/numbers.csv").unlink()
    path = project / "reports/results/fraud_audit/incomes.csv"
    path.write_text(f"group,people,{figure}\nwomen,25,1234\n")
    seal(project)
    with pytest.raises(DatamallError, match=rf"incomes: nobody has said what '{figure}' tells"):
        make(project)
    assert refused(project) == ["unknown-figure"]
    assert not list((project / "releases").rglob("*.html"))
    path.write_text("group,people,share\nwomen,25,0.3\n")
    seal(project)
    assert make(project).is_dir()


@pytest.mark.usefixtures("attackers")
def test_attackers_reckon_with_all_releases_of_the_same_data(tmp_path: Path, root: Path) -> None:
    """Everybody in one release and women in the next tell how few men there are."""
    first, now = tables_of(tmp_path / "1", all=51), tables_of(tmp_path / "2", women=48)
    used = {"fraud_audit": {STORE: "a"}}

    def attacked(version: str) -> list[str]:
        before = {"fraud_audit": {STORE: version}}
        return release_checks.attacked(root, [(first, before)], now, used)

    assert attacked("a") == ["men"]
    # Of other data: at least 20 people lie between.
    assert attacked("b") == []
    tables_of(tmp_path / "3", women=60)
    with pytest.raises(DatamallError, match="contradict each other"):
        release_checks.attacked(root, [(first, used)], tmp_path / "3", used)


def test_pages_of_places_are_released_with_their_report(project: Path) -> None:
    path = project / "params.yaml"
    parameters = yaml.safe_load(path.read_text("utf-8"))
    about = {"purposes": ["trucks"], "package": "fraud", "of": "trucks", "each": "site"}
    parameters["reports"]["corners"], parameters["corners"] = about, {"site": ""}
    path.write_text(yaml.safe_dump(parameters, sort_keys=False))
    reports = project / "reports"
    (reports / "corners").mkdir()
    for key in ("K1", "K2"):
        (reports / "corners" / f"{key}.html").write_text(f"<html>{releases.DRAFT}{key}</html>\n")
    shutil.copytree(reports / "results" / "trucks", reports / "results" / "corners")
    (reports / "results" / "corners" / "answer.json").rename(
        reports / "results" / "corners" / "answers.json"
    )
    seal(project)
    place = make(project)
    pages = {path.name: path.read_text() for path in (place / "corners").iterdir()}
    assert pages == {
        f"{k}.html": f'<html><p class="badge">Release 1</p>{k}</html>\n' for k in ("K1", "K2")
    }
    assert releases.record(project, "demo", 1)["reports"]["corners"] == 1
    verified(project)
    (place / "corners" / "K1.html").write_text("altered")
    with pytest.raises(DatamallError, match=r"corners/K1\.html"):
        verified(project)
