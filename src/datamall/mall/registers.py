"""The mall's own registers as stores: contracts, purposes, quality, uses, made at checkout.

No raw file is behind a store ``mall.…``, and no authority maps one: the door makes its rows from
the contracts, the purpose register, the mapping and what intake wrote down. So the catalogue gets
its data as every analysis does, by a purpose, and nothing is written twice.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from datamall.mall.authorities import Authority
from datamall.mall.contracts import Contract, arrow_type
from datamall.mall.log import published
from datamall.mall.protected import years
from datamall.mall.purposes import Purpose, Refused
from datamall.project import load_parameters, reports_folder, store_folder
from datamall.small_numbers import count

DEPARTMENT = "mall."
# What is taken from a manifest and from a report of quality, beside what may be absent.
MANIFEST = ("rows", "raw")
QUALITY = ("parsed", "accepted", "quarantined", "reasons", "missing")
# Codes of intake; those about a column have its name after a colon.
REASONS = {
    "conflict": "Rows with one key differ",
    "crossing_ring": "a border that crosses itself",
    "duplicate": "The same row again",
    "event": "An event without an identifier",
    "excel_error": "a cell that shows an error",
    "exchanged_place": "east and north exchanged",
    "formula": "a formula without its value",
    "half_place": "one coordinate of two",
    "length": "too short or too long",
    "malformed": "Too few or too many fields",
    "no_such_hour": "an hour that clocks left out",
    "number": "no citizen service number",
    "open_ring": "a border that is not closed",
    "outline": "no outline as well-known text",
    "outside_place": "outside the area of the grid",
    "pattern": "not written as the contract says",
    "range": "outside the range allowed",
    "reference": "not in the register it refers to",
    "repeated_header": "The header again",
    "repeated_hour": "an hour that came twice",
    "required": "missing",
    "short_ring": "a border of fewer than three corners",
    "time": "no time stamp as the mapping says",
    "total": "a word for a total",
    "type": "no number or date",
    "unmapped": "a value that the mapping does not know",
    "value": "a value that the contract does not know",
    "zero_place": "a place at 0",
}
Row = dict[str, Any]


def is_register(store: str) -> bool:
    """Return whether a store is one of the mall's own registers."""
    return store.startswith(DEPARTMENT)


class Registers:
    """All that the registers are made from, for one authority.

    Parameters
    ----------
    root
        Project folder.
    mapping
        The authority's mapping.
    contracts, purposes
        Contracts by store, and the purpose register.

    Raises
    ------
    Refused
        When a manifest or a report of quality is damaged.
    """

    def __init__(
        self,
        root: Path,
        mapping: Authority,
        contracts: Mapping[str, Contract],
        purposes: Mapping[str, Purpose],
    ) -> None:
        self._root, self._mapping, self._purposes = root, mapping, purposes
        self._registers = {n: c for n, c in contracts.items() if is_register(n)}
        self._contracts = {n: c for n, c in contracts.items() if not is_register(n)}
        self._manifests = {
            store: _load(store_folder(root, mapping.authority, store) / "store.json", MANIFEST)
            for store in self._contracts
            if store in mapping.stores
        }
        quality = reports_folder(root, mapping.authority) / "quality"
        self._quality = {
            store: report
            for store, manifest in self._manifests.items()
            if manifest and (report := _load(quality / f"{store}.json", QUALITY))
        }

    def table(self, store: str) -> pa.Table:
        """Return a register with the columns of its contract, sorted by its key."""
        makers: dict[str, Callable[[], Iterator[Row]]] = {
            "mall.stores": self._stores,
            "mall.columns": self._columns,
            "mall.purposes": self._uses,
            "mall.grants": self._grants,
            "mall.quality": self._qualities,
            "mall.deliveries": self._deliveries,
            "mall.conflicts": self._conflicts,
            "mall.reasons": self._reasons,
            "mall.uses": self._used,
        }
        contract = self._registers[store]
        rows = sorted(makers[store](), key=lambda row: [row[name] for name in contract.key])
        schema = pa.schema([pa.field(c.name, arrow_type(c)) for c in contract.columns])
        return pa.Table.from_pylist(rows, schema)

    def _stores(self) -> Iterator[Row]:
        for name, contract in self._contracts.items():
            manifest = self._manifests.get(name, {})
            waits = "to be taken in" if name in self._mapping.stores else "not delivered"
            rows = manifest.get("rows")
            first, last = manifest.get("first_day"), manifest.get("last_day")
            if contract.personal:
                first, last = years(first, last)
            yield {
                "store": name,
                "title": contract.title,
                "department": contract.department,
                "row": contract.row,
                "purpose": contract.purpose or None,
                "limitations": contract.limitations or None,
                "counted": contract.counted,
                "owner": contract.owner,
                "steward": contract.steward,
                "retention": contract.retention,
                "version": contract.version,
                "link_needs_basis": _yes(contract.link_needs_basis),
                "state": "taken in" if manifest else waits,
                "rows": count(rows) if contract.personal else rows,
                "first_day": _day(first),
                "last_day": _day(last),
            }

    def _columns(self) -> Iterator[Row]:
        for name, contract in self._contracts.items():
            mapped = self._mapping.stores.get(name)
            missing = self._quality.get(name, {}).get("missing")
            for position, column in enumerate(contract.columns, 1):
                if mapped is None or not mapped.has(column.name):
                    state = "not delivered"
                else:
                    constant = mapped.constant(column.name)
                    state = "one value for all rows" if constant else "delivered"
                lacking = None if missing is None else missing.get(column.name, 0)
                yield {
                    "store": name,
                    "position": position,
                    "column": column.name,
                    "title": column.title,
                    "description": column.description,
                    "type": column.type,
                    "unit": column.unit,
                    "family": column.family,
                    "required": _yes(column.required),
                    "profiling": column.profiling,
                    "absent": column.absent,
                    "state": state,
                    "missing": None if state == "not delivered" else lacking,
                }

    def _uses(self) -> Iterator[Row]:
        reports = load_parameters(self._root)["reports"]
        for purpose in self._purposes.values():
            using = sorted(
                name
                for name, report in reports.items()
                if purpose.name in (*report["purposes"], report.get("worklist"))
            )
            yield {
                "purpose": purpose.name,
                "title": purpose.title,
                "question": purpose.question,
                "gdpr": purpose.legal_basis["gdpr"],
                "statute": purpose.legal_basis["statute"],
                "owner": purpose.owner,
                "personal": _yes(purpose.personal),
                "profiling": _yes(purpose.profiling),
                "reports": ", ".join(using) or None,
            }

    def _grants(self) -> Iterator[Row]:
        for purpose in self._purposes.values():
            for grant in purpose.grants:
                if is_register(grant.store):
                    continue
                uses = dict.fromkeys(grant.last_day or (), "first and last day")
                for name, fine in grant.columns.items():
                    uses[name] = "as delivered" if fine == "value" else f"by {fine}"
                uses |= dict.fromkeys(grant.sums or (), "added up")
                basis = grant.link_basis
                for column, use in uses.items():
                    yield {
                        "purpose": purpose.name,
                        "store": grant.store,
                        "column": column,
                        "use": use,
                        "shape": "rows" if grant.sums is None else "counts",
                        "link_basis": basis and f"{basis['gdpr']}; {basis['statute']}",
                    }

    def _qualities(self) -> Iterator[Row]:
        for name, report in self._quality.items():
            merged = report.get("merged", 0)
            read = None if None in (report["parsed"], merged) else report["parsed"] + merged
            yield {
                "store": name,
                "read": read,
                "merged": merged,
                "accepted": report["accepted"],
                "put_aside": report["quarantined"],
                "files": len(self._manifests[name]["raw"]),
                "empty_files": len(report.get("empty_files", ())),
            }

    def _deliveries(self) -> Iterator[Row]:
        for name, report in self._quality.items():
            for number, one in enumerate(report.get("deliveries", ()), 1):
                days = {key: _day(one[key]) for key in ("first_day", "last_day")}
                kept = ("file", "state", "why", "records", "put_aside", "replaced")
                yield {"store": name, "number": number, **{key: one[key] for key in kept}, **days}

    def _conflicts(self) -> Iterator[Row]:
        for name, report in self._quality.items():
            for column, sums in report.get("in_conflict", {}).items():
                numbers = {end: Decimal(str(value)) for end, value in sums.items()}
                title = self._contracts[name].column(column).title
                yield {"store": name, "column": column, "title": title, **numbers}

    def _used(self) -> Iterator[Row]:
        found = published.read(self._root, self._mapping.authority)
        for one in found.uses:
            yield {**asdict(one), "outcome": "handed out"}
        for refused in found.refused:
            row = asdict(refused)
            yield {"store": "-", "outcome": row.pop("reason"), **row}

    def _reasons(self) -> Iterator[Row]:
        for name, report in self._quality.items():
            for reason, records in report["reasons"].items():
                meaning = _meaning(self._contracts[name], reason)
                yield {"store": name, "reason": reason, "meaning": meaning, "records": records}


def _meaning(contract: Contract, reason: str) -> str:
    """Return why records were put aside, in words; `reason` is a code of intake."""
    code, _, name = reason.partition(":")
    titles = {column.name: column.title for column in contract.columns}
    rules = {rule.name: rule.description for rule in contract.rules}
    if code == "rule":
        return rules.get(name, reason)
    words = REASONS.get(code, reason)
    return f"{titles.get(name, name)}: {words}" if name else words


def _load(path: Path, keys: Iterable[str]) -> dict[str, Any]:
    """Return what intake wrote down; an empty mapping where there is nothing yet."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError:
        content = None
    if not isinstance(content, dict) or not content.keys() >= set(keys):
        sentence = f"{path.parent.name}/{path.name} cannot be read: take that store in again."
        raise Refused("store-damaged", sentence)
    return content


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _day(iso: str | None) -> date | None:
    return date.fromisoformat(iso) if iso else None
