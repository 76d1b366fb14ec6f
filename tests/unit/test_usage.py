"""What the house and one person are told of the log, and what is published of it."""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner
from tiny_mall import make_project, write_store

from datamall.cli import main
from datamall.errors import DatamallError
from datamall.mall.access import checkout
from datamall.mall.authorities import Authority, load_authority
from datamall.mall.contracts import load_contracts
from datamall.mall.log import logbook, merkle, published
from datamall.mall.log.published import check, publish
from datamall.mall.log.usage import Span, Told, counts, of_person, proof
from datamall.mall.log.words import letter, record, table
from datamall.mall.purposes import load_purposes
from datamall.mall.registers import Registers

LATER = date(2027, 1, 1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(logbook.ELSEWHERE, raising=False)
    made = make_project(tmp_path / "project")
    people(made)
    return made


def people(project: Path, *more: str) -> None:
    clients = ["K1", "K2", *more]
    rows = pa.table({"client": clients, "year": [2025] * len(clients)})
    nothing = pa.array([None] * len(clients), pa.int64())
    write_store(project, "welfare.clients", rows.append_column("benefit", nothing), 1)
    write_store(project, "welfare.investigations", rows.append_column("arm", nothing), 1)


def use(project: Path, purpose: str = "fraud-profile") -> None:
    folder = project.with_name("extract")
    folder.mkdir(exist_ok=True)
    checkout(project, "demo", purpose, folder, "report fraud_profile")


def on(monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    monkeypatch.setattr(logbook, "_now", lambda: datetime.fromisoformat(day).replace(tzinfo=UTC))


def demo(project: Path) -> Authority:
    return load_authority(project, "demo")


def told(project: Path, number: str = "K1", today: date = LATER) -> Told:
    return of_person(project, demo(project), number, today=today)


def change(project: Path, edit: Callable[[dict], object]) -> None:
    path = project / "data" / "purposes.yaml"
    register = yaml.safe_load(path.read_text("utf-8"))
    edit(register["fraud-profile"])
    path.write_text(yaml.safe_dump(register, sort_keys=False), encoding="utf-8")


def test_counts_are_by_period_purpose_and_store(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, "2026-01-31T23:59:59")
    use(project)
    on(monkeypatch, "2026-02-01")
    use(project)
    use(project, "enforcement")
    for purpose in ("nothing", "trucks"):
        with pytest.raises(DatamallError):
            use(project, purpose)
    logbook.write(project, "gate", authority="demo")
    logbook.write(project, "gate", authority="city")
    found = counts(project, "demo")
    clients = {key: times for key, times in found.uses.items() if key[2] == "welfare.clients"}
    assert clients == {
        ("2026-01", "fraud-profile", "welfare.clients"): 1,
        ("2026-02", "fraud-profile", "welfare.clients"): 1,
    }
    assert sum(found.uses.values()) == 2 * 2 + 6
    assert found.refused == {
        ("2026-02", "-", "unknown-purpose"): 1,
        ("2026-02", "trucks", "store-not-taken-in"): 1,
    }
    assert found.others == {"gate": 1}
    year = counts(project, "demo", "year", purpose="fraud-profile", store="welfare.clients")
    assert year.uses == {("2026", "fraud-profile", "welfare.clients"): 2}
    assert year.refused == {}
    january = Span(date(2026, 1, 1), date(2026, 1, 31))
    assert sum(counts(project, "demo", span=january).uses.values()) == 2
    lines = table(found).splitlines()
    assert lines[0].split() == ["period", "purpose", "store", "uses"]
    assert "2026-02  -        unknown-purpose" in table(found)
    assert lines[-1] == "Also: gate 1."
    assert table(counts(project, "city", purpose="x", span=january)) == (
        "Nothing of that is in the log of use."
    )


def test_a_person_is_told_in_two_languages(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logbook.ROLE, "social-affairs-analyst")
    on(monkeypatch, "2026-03-02T10:30:00")
    use(project)
    contracts = load_contracts(project)
    dutch, english = (
        letter(told(project, " K1\n"), demo(project), contracts, language)
        for language in ("nl", "en")
    )
    assert "Eén keer gebruikt, op 2026-03-02." in dutch
    assert "2026-03-02 10:30 UTC, regel 1 van het logboek: Prevent mistakes" in dutch
    assert "functie: social-affairs-analyst; aanleiding: report fraud_profile" in dutch
    assert "AVG artikel 6(1)(e); Participatiewet art. 17, 53a and 64" in dutch
    assert "People on welfare benefit. Uw rij zelf: Client, Year, Monthly benefit" in dutch
    assert "Used once, on 2026-03-02." in english and "Your row itself: Client" in english
    use(project)
    assert "Used 2 times, from" in letter(told(project), demo(project), contracts, "en")
    nobody = letter(told(project, "K3"), demo(project), contracts, "nl")
    assert "geen gebruik" in nobody and "2026" not in nobody


def test_every_text_is_there_in_both_languages() -> None:
    from datamall.mall.log.words import LANGUAGES, TEXTS

    for name, texts in TEXTS.items():
        assert tuple(texts) == LANGUAGES, name
        assert texts["nl"].count("{") == texts["en"].count("{"), name


def test_uses_stay_known_when_the_store_is_another(project: Path) -> None:
    use(project)
    people(project, "K3")
    use(project)
    assert [len(told(project, number).uses) for number in ("K1", "K3", "K4")] == [4, 2, 0]


def test_what_is_not_known_any_more_is_said_to_everybody(project: Path) -> None:
    use(project)
    for path in (project / "data" / "log" / "persons" / "welfare.clients").iterdir():
        path.unlink()
    for number in ("K1", "K4"):
        assert [use.store["store"] for use in told(project, number).unknown] == ["welfare.clients"]
    words = letter(told(project, "K4"), demo(project), load_contracts(project), "en")
    assert "Of 1 uses of data on persons it can no longer be told" in words
    assert check(project, "demo") == 1  # gone, as retention may ask for, and not altered


def test_tags_that_were_altered_are_noticed_and_never_believed(project: Path) -> None:
    use(project)
    (path,) = (project / "data" / "log" / "persons" / "welfare.clients").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[16:])  # one person is not to be told
    with pytest.raises(DatamallError, match=r"welfare\.clients is kept otherwise than entry 1"):
        check(project, "demo")
    use(project)  # says what the file says now
    for number in ("K1", "K2"):
        assert len(told(project, number).unknown) == 2
    path.write_bytes(whole)
    with pytest.raises(DatamallError, match=r"welfare\.clients is kept otherwise than entry 2"):
        check(project, "demo")
    assert len(told(project, "K1").uses) == 4


def test_held_back_only_by_law_until_a_day_and_the_same_for_all(project: Path) -> None:
    use(project)
    law = {"statute": "GDPR art. 23; UAVG art. 41(1)(d)", "until": "2027-02-01"}
    change(project, lambda purpose: purpose.update(held_back=law))
    use(project)
    before, after = date(2027, 1, 31), date(2027, 2, 1)
    for number, uses in (("K1", 2), ("K4", 0)):
        found = told(project, number, before)
        assert (len(found.uses), found.held_back) == (uses, [tuple(law.values())])
        found = told(project, number, after)
        assert (len(found.uses), found.held_back) == (uses * 2, [])
    # What was held back when it happened stays so, and nothing is held back afterwards.
    change(project, lambda purpose: purpose.update(held_back={**law, "until": "2099-01-01"}))
    assert len(told(project, "K1", after).uses) == 4
    words = letter(told(project, "K4", before), demo(project), load_contracts(project), "nl")
    assert "UAVG art. 41(1)(d) wordt pas vanaf 2027-02-01 verteld" in words
    for wrong in ({"statute": "x"}, {**law, "until": "soon"}, {**law, "statute": " "}):
        change(project, lambda purpose, wrong=wrong: purpose.update(held_back=wrong))
        with pytest.raises(DatamallError, match="held_back"):
            use(project)


def test_the_same_number_of_another_register_is_somebody_else(project: Path) -> None:
    use(project)
    path = project / "data" / "contracts" / "welfare" / "investigations.yaml"
    path.write_text(path.read_text("utf-8").replace("name: client", "name: dossier"), "utf-8")
    shutil.rmtree(path.parent / "accepted")  # as if it had always been called so
    change(
        project,
        lambda purpose: purpose["stores"].update(
            {"welfare.investigations": {"columns": ["dossier", "arm"]}}
        ),
    )
    rows = pa.table({"dossier": ["K1"], "arm": pa.array([None], pa.int64())})
    write_store(project, "welfare.investigations", rows, 1)
    register = yaml.safe_load((project / "data" / "purposes.yaml").read_text("utf-8"))
    register = {"fraud-profile": register["fraud-profile"]}
    (project / "data" / "purposes.yaml").write_text(yaml.safe_dump(register), "utf-8")
    path = project / "data" / "authorities" / "demo.yaml"
    mapping = yaml.safe_load(path.read_text("utf-8"))
    columns = mapping["stores"]["welfare.investigations"]["columns"]
    columns["dossier"] = columns.pop("client")
    path.write_text(yaml.safe_dump(mapping), "utf-8")
    use(project)
    with pytest.raises(DatamallError, match=r"--kind.*client, dossier"):
        told(project)
    kinds = {
        kind: [
            (one.entry.number, one.store["store"])
            for one in of_person(project, demo(project), "K1", kind, today=LATER).uses
        ]
        for kind in ("client", "dossier")
    }
    assert kinds == {
        "client": [(1, "welfare.clients"), (1, "welfare.investigations"), (2, "welfare.clients")],
        "dossier": [(2, "welfare.investigations")],
    }
    with pytest.raises(DatamallError, match="--kind"):
        of_person(project, demo(project), "K1", "bsn", today=LATER)


def test_a_person_can_prove_that_the_log_has_it_and_learns_no_account(project: Path) -> None:
    for _ in range(5):
        use(project)
    found = told(project)
    shown = record(found, proof(project, [one.entry for one in found.uses]))
    assert len(shown["uses"]) == 10 and set(shown["proofs"]) == set("12345")
    text = json.dumps(shown)
    assert '"role"' in text and '"account"' not in text
    for one in shown["uses"]:
        steps = [bytes.fromhex(step) for step in shown["proofs"][str(one["entry"])]]
        head, leaf = bytes.fromhex(shown["root"]), bytes.fromhex(one["leaf"])
        assert merkle.includes(head, shown["entries"], leaf, one["entry"] - 1, steps)


def test_what_is_published_grows_and_everybody_can_check_that(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatamallError, match="nothing to publish"):
        publish(project, "demo")
    for number in range(1, 4):
        on(monkeypatch, f"2026-0{number}-01")
        use(project)
        use(project, "enforcement")
        path = publish(project, "demo")
    before = path.read_bytes()
    assert publish(project, "demo").read_bytes() == before
    assert b"K1" not in before and b"account" not in before
    found = published.read(project, "demo")
    assert [point.entries for point in found.checkpoints] == [2, 4, 6]
    assert [one.times for one in found.uses if one.store == "welfare.clients"] == [1, 1, 1]
    assert check(project, "demo") == 6
    # What was published is one of the mall's registers, and so gets on its page.
    known, contracts = load_authority(project, "demo"), load_contracts(project)
    uses = Registers(project, known, contracts, load_purposes(project, contracts)).table(
        "mall.uses"
    )
    assert sum(uses["times"].to_pylist()) == 3 * 2 + 3 * 6
    content = yaml.safe_load(before)
    content["checkpoints"][1]["root"] = content["checkpoints"][0]["root"]
    path.write_text(yaml.safe_dump(content), "utf-8")
    with pytest.raises(DatamallError, match="does not begin with the 2 entries"):
        published.read(project, "demo")


def test_what_was_published_notices_a_log_that_was_cut_or_written_anew(project: Path) -> None:
    for _ in range(2):
        use(project)
    publish(project, "demo")
    for _ in range(2):
        use(project)
    publish(project, "demo")
    log = project / "data" / "log" / "entries.log"
    whole, head = log.read_bytes(), log.with_name("head.json").read_bytes()
    log.with_name("head.json").unlink()
    lines = whole.splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3]))
    for ask in (check, publish):
        with pytest.raises(DatamallError, match=r"had 4 entries .* and entry 4 is the first"):
            ask(project, "demo")
    said = [entry.said for entry in logbook.read(project)] + [{"at": "", "event": "gate"}]
    said[2]["purpose"] = "enforcement"
    log.write_bytes(b"".join(map(logbook._line, said)))
    with pytest.raises(DatamallError, match="between entries 3 and 4 it is not what it was"):
        check(project, "demo")
    log.write_bytes(whole)
    log.with_name("head.json").write_bytes(head)
    assert check(project, "demo") == 4


def run(cli: Callable, project: Path, *arguments: str, text: str = "") -> str:
    done: subprocess.CompletedProcess[str] = cli(project, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_command_line_takes_a_number_from_a_file_and_never_as_an_argument(
    project: Path, cli: Callable, tmp_path: Path
) -> None:
    use(project)
    number = tmp_path / "number"
    number.write_text("K1\n")
    said = run(cli, project, "usage", "--number-in", str(number))
    assert "Gebruik van uw gegevens" in said and "Use of your data" in said
    assert "welfare.clients" in run(cli, project, "usage")
    assert cli(project, "usage", "--person", "K1").returncode == 2
    assert cli(project, "usage", "--number", "K1").returncode == 2
    # Who looked somebody up is written down, and not whom.
    *_, last = logbook.read(project)
    assert last.said["event"] == "person" and "K1" not in json.dumps(last.said)


def test_a_number_that_is_asked_for_is_not_shown(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(project)
    monkeypatch.chdir(project)
    done = CliRunner().invoke(main, ["usage", "--person", "--language", "en"], input="K1\n")
    assert "Used once" in done.stdout
    assert "K1" not in done.output


def test_verify_names_the_first_entry_and_brings_the_witness_up_to_date(
    project: Path, cli: Callable, tmp_path: Path
) -> None:
    for _ in range(3):
        use(project)
    witness = tmp_path / "witness"
    assert "3 entries" in run(cli, project, "verify", "--witness", str(witness))
    assert len(witness.read_text().splitlines()) == 3
    log = project / "data" / "log" / "entries.log"
    log.write_bytes(log.read_bytes().replace(b"fraud-profile", b"enforcementx", 1))
    done = cli(project, "verify", "--witness", str(witness))
    assert done.returncode == 1 and "Entry 1 of the log of use was altered" in done.stderr
