"""A city that is not invented, its people by year, and those who sign for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from tiny_mall import make_project

from datamall.cli import main
from datamall.mall import roles, vault
from datamall.mall.authorities import load_authority
from datamall.mall.log import logbook
from datamall.mall.seal import keys

CITY, STORE = "city", "welfare.investigations"
ROLE = "analyst"
HEADER = "client,year,sex,arm,flagged,chosen,visited,people\n"
PURPOSES = {
    "look": {STORE: {"columns": ["client", "year", "sex"], "last_day": ["year"]}},
    "count": {STORE: {"grain": {"year": "value"}, "sums": ["people"], "last_day": ["year"]}},
}


@dataclass
class City:
    """The project, and what people do in it by the command line."""

    root: Path
    patch: pytest.MonkeyPatch

    def deliver(self, *rows: tuple[str, int]) -> None:
        """Put a delivery of clients and years into the raw folder, as the only one."""
        lines = [f"{client},{year},female,none,no,no,no,1\n" for client, year in rows]
        path = self.root / "data" / "raw" / CITY / "people.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + "".join(lines))

    def acts(self, account: str) -> None:
        self.patch.setattr(logbook, "account", lambda: account)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--authority", CITY])

    def refused(self, *arguments: str) -> str:
        """Run a command that has to be refused, on record; return the sentence."""
        before = len(list(logbook.read(self.root)))
        done = self.run(*arguments)
        assert done.exit_code == 1, done.output
        sentence = done.output.splitlines()[-1]
        assert sentence.startswith("datamall: "), done.output
        *_, last = logbook.read(self.root)
        assert last.number > before and last.said["outcome"] == "refused"
        assert last.said["event"] == {"forget": "epoch"}.get(arguments[0], arguments[0])
        return f"{sentence} [{last.said['reason']}]"

    def done(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        return done.output

    @property
    def contract(self) -> Path:
        return self.root / "data" / "contracts" / "welfare" / "investigations.yaml"

    def record(self, version: str) -> Path:
        return self.contract.parent / "accepted" / f"investigations-{version}.json"

    def edit(self, *changes: tuple[str, str]) -> None:
        """Edit the contract by hand."""
        text = self.contract.read_text("utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.contract.write_text(text, "utf-8")


def make_city(folder: Path, patch: pytest.MonkeyPatch, synthetic: bool = False) -> City:
    """Write the project, with keys unless its data are invented."""
    patch.delenv(logbook.ELSEWHERE, raising=False)
    patch.setenv("HOME", str(folder / "home"))
    city = City(make_project(folder / "project"), patch)
    data = city.root / "data"
    names = HEADER.strip().split(",")
    mapping = {
        **{"authority": CITY, "title": "City", "synthetic": synthetic},
        "files": {"people": {"path": "people.csv", "format": "csv", "overwritten": True}},
        "stores": {STORE: {"file": "people", "columns": {name: {"from": name} for name in names}}},
    }
    (data / "authorities" / f"{CITY}.yaml").write_text(yaml.safe_dump(mapping), "utf-8")
    about: dict[str, Any] = {
        **{"title": "T", "question": "Q", "owner": "O", "processes_personal_data": True},
        "legal_basis": {"gdpr": "6(1)(e)", "statute": "a law"},
        "roles": [ROLE],
    }
    register = {name: {**about, "stores": stores} for name, stores in PURPOSES.items()}
    (data / "purposes.yaml").write_text(yaml.safe_dump(register), "utf-8")
    city.deliver(("K1", 2024), ("K1", 2025), ("K2", 2025))
    if not synthetic:
        loaded = load_authority(city.root, CITY)
        vault.make_key(loaded)
        patch.setattr(roles, "ADMINISTERED", folder / "etc")
        declared = {account: [ROLE] for account in (logbook.account(), "anna", "bert")}
        path = vault.key_file(CITY).with_name(f"{CITY}.roles.yaml")
        path.write_text(yaml.safe_dump(declared))
        path.chmod(0o644)
        for role in ("committee", "steward"):
            keys.make(city.root, loaded, role)
    patch.chdir(city.root)
    return city
