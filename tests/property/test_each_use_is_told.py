"""The log as a theorem: what a person is told is each use of that person's rows, and no other.

A row was used where the extract would have been another one without it. So each extract is made
twice, by the stores as they were and by the same stores without the person, and the two are
compared file by file; where numbers are handed out they are also looked up.
"""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
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
from datamall.mall.authorities import load_authority
from datamall.mall.log import logbook
from datamall.mall.log.usage import Span, of_person

PEOPLE = [f"K{number}" for number in range(6)]
CLIENTS, INVESTIGATIONS = "welfare.clients", "welfare.investigations"
PURPOSES = {
    "rows": {CLIENTS: {"columns": ["client", "year"]}},
    "rows-without-numbers": {INVESTIGATIONS: {"columns": ["year", "sex"]}},
    "counts": {INVESTIGATIONS: {"grain": {"year": "value"}, "sums": ["people"]}},
    "one-sum": {CLIENTS: {"grain": {"year": "value"}, "sums": ["reports"]}},
    "both": {
        CLIENTS: {"grain": {"year": "value"}, "sums": ["reports"]},
        INVESTIGATIONS: {"columns": ["client", "sex"]},
        "shared.neighbourhoods": {"columns": ["neighbourhood"]},
    },
    "things": {"enforcement.containers": {"columns": ["cluster"]}},
    "not-delivered": {"welfare.protected": {"columns": ["client", "origin"]}},
}
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Step:
    """What happens on a day: a delivery with these people, or a checkout for this purpose."""

    days: int
    store: str | None
    people: frozenset[str]
    purpose: str


STEPS = st.lists(
    st.builds(
        Step,
        st.integers(0, 40),
        st.sampled_from([None, None, CLIENTS, INVESTIGATIONS]),
        st.frozensets(st.sampled_from(PEOPLE), min_size=1),
        st.sampled_from(sorted(PURPOSES)),
    ),
    min_size=1,
    max_size=7,
)


def deliver(project: Path, store: str, people: frozenset[str]) -> None:
    """Let people be in a store: some for two years, some before what is kept of later ones."""
    rows = [
        {"client": p, "year": year, "sex": ("female", "male")[int(p[1]) % 2]}
        | {"people": 1, "reports": 3}
        for p in sorted(people)
        for year in (2019 if int(p[1]) % 3 == 2 else 2024, 2025)[: 1 + int(p[1]) % 2]
    ]
    own = ["reports"] if store == CLIENTS else ["sex", "people"]
    kinds = {"client": pa.string(), "sex": pa.string()}
    schema = pa.schema([(n, kinds.get(n, pa.int64())) for n in ("client", "year", *own)])
    shutil.rmtree(project / "data" / "stores" / "demo" / store, ignore_errors=True)
    write_store(project, store, pa.Table.from_pylist(rows, schema), 1)


def extract(project: Path, purpose: str) -> dict[str, pa.Table]:
    with tempfile.TemporaryDirectory() as folder:
        checkout(project, "demo", purpose, Path(folder))
        return {path.name: pq.read_table(path) for path in Path(folder).iterdir() if path.is_dir()}


def named(project: Path, purpose: str, table: pa.Table, person: str) -> bool:
    """Whether the pseudonym that a person has for a purpose is in an extract."""
    shown = table["client"].to_pylist()
    epoch = shown[0].split("-")[0] if shown else "2025"
    key = pseudonyms.key_of(project, load_authority(project, "demo"), purpose, epoch)
    return pseudonyms.pseudonym(key, epoch, "client", person) in shown


@pytest.fixture(scope="module")
def projects() -> Iterator[tuple[Path, Path]]:
    """Return the project, and another one for the stores without a person."""
    about = {
        **{"title": "T", "question": "Q", "owner": "O", "processes_personal_data": True},
        "legal_basis": {"gdpr": "6(1)(e)", "statute": "a law"},
    }
    register = {name: {**about, "stores": stores} for name, stores in PURPOSES.items()}
    basis = {"gdpr": "9(2)(g)", "statute": "a law", "decided_by": "council"}
    register["not-delivered"]["stores"]["welfare.protected"]["link_basis"] = basis  # type: ignore
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.delenv(logbook.ELSEWHERE, raising=False)
        made = make_project(Path(folder, "one")), make_project(Path(folder, "other"))
        for project in made:
            (project / "data" / "purposes.yaml").write_text(yaml.safe_dump(register))
            path = project / "data" / "authorities" / "demo.yaml"
            mapping = yaml.safe_load(path.read_text("utf-8"))
            del mapping["stores"]["welfare.protected"]
            used = {source["file"] for source in mapping["stores"].values() if "file" in source}
            mapping["files"] = {n: f for n, f in mapping["files"].items() if n in used}
            path.write_text(yaml.safe_dump(mapping), encoding="utf-8")
        yield made


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    steps=STEPS,
    person=st.sampled_from([*PEOPLE, "K9", "k1"]),
    window=st.tuples(st.integers(0, 200), st.integers(0, 200)),
)
def test_what_a_person_is_told_is_each_use_and_no_other(
    projects: tuple[Path, Path], steps: list[Step], person: str, window: tuple[int, int]
) -> None:
    project, other = projects
    shutil.rmtree(project / "data" / "log", ignore_errors=True)
    clock, used = FIRST, []
    there = dict.fromkeys((CLIENTS, INVESTIGATIONS), frozenset(PEOPLE[:3]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logbook, "_now", lambda: clock)
        for store, people in there.items():
            deliver(project, store, people)
        for step in steps:
            clock += timedelta(days=step.days)
            if step.store:
                there[step.store] = step.people
                deliver(project, step.store, step.people)
                continue
            found = extract(project, step.purpose)
            for store, people in there.items():
                deliver(other, store, people - {person})
            without = extract(other, step.purpose)
            for store, table in found.items():
                differs = not table.equals(without[store])
                if differs:
                    used.append((clock.date(), step.purpose, store))
                if "client" in table.column_names:
                    assert differs == named(project, step.purpose, table, person)
    first, last = (FIRST.date() + timedelta(days=days) for days in sorted(window))
    for span in (Span(), Span(first, last), Span(first), Span(None, last)):
        told = of_person(
            project, load_authority(project, "demo"), person, today=date(2027, 1, 1), span=span
        )
        since, until = span.first or date.min, span.last or date.max
        assert [
            (date.fromisoformat(u.entry.said["at"][:10]), u.entry.said["purpose"], u.store["store"])
            for u in told.uses
        ] == [one for one in used if since <= one[0] <= until]
        assert told.unknown == [] == told.held_back
