"""A project with people, a page that recommends something, and the keys of those who decide."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from tiny_mall import make_project, write_store

from datamall import deciding, decisions, gate, worklist
from datamall.mall import vault
from datamall.mall.authorities import Authority, load_authority
from datamall.mall.log import logbook
from datamall.mall.seal import keys
from datamall.project import file_digest, reports_folder, store_folder

AUDIT, STORE = "fraud_audit", "welfare.investigations"
TODAY, LATER = date(2026, 3, 2), date(2026, 6, 30)
NOON = time(12)
PEOPLE = {"BU1": ("yes", "no"), "BU2": ("yes", "no"), "BU3": ("yes", "yes"), "BU4": ("no", "no")}
LISTED = ["BU1", "BU2"]  # flagged and not chosen, in the last year
DEPLOY, ABOUT = "May be put to the committee", "The selection as it is"


@dataclass
class Mall:
    """A project of one authority, and what people do in it."""

    root: Path
    mapping: Authority
    patch: pytest.MonkeyPatch

    def results(self, first: str = DEPLOY) -> None:
        """Run the audit, as far as decisions see of that."""
        name, root = self.mapping.authority, self.root
        folder = reports_folder(root, name) / "results" / AUDIT
        folder.mkdir(parents=True, exist_ok=True)
        rows = [f"part,recommended,because\n{ABOUT},{first},", "draw,Keep drawing,nobody else can"]
        (folder / "decisions.csv").write_text(" it passes\n".join(rows) + "\n")
        (folder / "answer.json").write_text('{"verdict": "PASS"}')
        manifest = store_folder(root, name, STORE) / "store.json"
        rests_on = {f"store {STORE}": file_digest(manifest), "src/datamall/x.py": "00"}
        (folder / "provenance.json").write_text(json.dumps(rests_on))

    def people(self, people: dict[str, tuple[str, str]]) -> None:
        """Take people in, as a delivery of this authority."""
        flagged, chosen = zip(*people.values(), strict=True)
        before = pa.table(_rows(["BU9"], 2024, ["yes"], ["no"]))
        now = pa.table(_rows(list(people), 2025, list(flagged), list(chosen)))
        path = write_store(self.root, STORE, pa.concat_tables([before, now]), parts=1)
        final = store_folder(self.root, self.mapping.authority, STORE)
        if path != final:
            shutil.rmtree(final, ignore_errors=True)
            final.parent.mkdir(parents=True, exist_ok=True)
            path.rename(final)

    def acts(self, account: str) -> None:
        """Let what follows be done from this account."""
        self.patch.setattr(logbook, "account", lambda: account)

    def written_on(self, day: date) -> None:
        """Let something else be written into the log on a day."""
        self.patch.setattr(logbook, "_now", lambda: datetime.combine(day, NOON, UTC))
        logbook.write(self.root, "key", authority=self.mapping.authority)

    def decide(self, role: str = "steward", **choices: Any) -> int:
        given = {"until": LATER, "as_of": TODAY, "permits": ["worklist"]} | choices
        return deciding.decide(self.root, self.mapping, AUDIT, 1, role, **given)

    def sign(self, number: int = 1, role: str = "committee") -> None:
        deciding.countersign(self.root, self.mapping, AUDIT, number, role)

    def decided(self) -> None:
        """Have two people decide that a list may be made."""
        self.acts("anna")
        self.decide()
        self.acts("bert")
        self.sign()

    def permitted(self, as_of: date = TODAY) -> decisions.Kept:
        return decisions.permitting(self.root, self.mapping, AUDIT, "worklist", as_of)

    def list_to(self, folder: Path, role: str = "steward", as_of: date = TODAY) -> list[str]:
        """Make the list; return its lines."""
        given = (self.root, self.mapping, AUDIT, folder, role, as_of, lambda: gate.PASS)
        count = worklist.make(*given)
        lines = (folder / worklist.FILE).read_text().splitlines()
        assert lines[0] == "pseudonym" and len(lines) == count + 1
        return lines[1:]

    def resolve(self, pseudonym: str, role: str = "caseworker", as_of: date = TODAY) -> str:
        given = (self.root, self.mapping, AUDIT, pseudonym, role, as_of, lambda: gate.PASS)
        return worklist.resolve(*given)

    def file(self, number: int = 1) -> Path:
        return decisions.folder(self.root, self.mapping.authority, AUDIT) / f"{number:03}.json"

    def said(self, event: str) -> list[dict[str, Any]]:
        return [e.said for e in logbook.read(self.root) if e.said["event"] == event]


def _rows(people: list[str], year: int, flagged: list[str], chosen: list[str]) -> dict[str, Any]:
    same = {"year": year, "sex": "female", "age_band": "under 27", "living_form": "single"}
    same |= {"score_band": 20, "arm": "none", "visited": "no", "finding": None, "objection": None}
    columns: dict[str, Any] = {"client": people} | {n: [v] * len(people) for n, v in same.items()}
    columns |= {"flagged": flagged, "chosen": chosen, "people": [1] * len(people)}
    text = ("finding", "objection")
    return {n: pa.array(v, pa.string()) if n in text else v for n, v in columns.items()}


def make_mall(folder: Path, patch: pytest.MonkeyPatch, synthetic: bool = False) -> Mall:
    """Write a project whose gate is open; of a city with keys of its own, or of invented data."""
    patch.delenv(logbook.ELSEWHERE, raising=False)
    patch.setenv("HOME", str(folder / "home"))
    # That the gate opens at all is tested with the gate.
    patch.setattr(gate, "decide", lambda *_: {"reasons": []})
    patch.setattr(logbook, "_now", lambda: datetime.combine(TODAY, NOON, UTC))
    root = make_project(folder / "project")
    name = "demo" if synthetic else "city"
    path = root / "data" / "authorities" / "demo.yaml"
    mapping = yaml.safe_load(path.read_text("utf-8")) | {"authority": name, "synthetic": synthetic}
    path.with_name(f"{name}.yaml").write_text(yaml.safe_dump(mapping), "utf-8")
    mall = Mall(root, load_authority(root, name), patch)
    if not synthetic:
        vault.make_key(mall.mapping)
        for role in ("committee", "steward"):
            keys.make(root, mall.mapping, role)
    mall.people(PEOPLE)
    mall.results()
    return mall
