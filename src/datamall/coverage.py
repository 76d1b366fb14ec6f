"""What an authority's mapping lets each chapter do."""

import importlib
import pkgutil
from pathlib import Path

from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts
from datamall.mall.purposes import load_purposes
from datamall.mall.registers import is_register
from datamall.project import load_parameters
from datamall.requirements import REGISTRY, Chapter

SHARED = "shared"  # stores of no department


def coverage(root: Path, authority: str) -> str:
    """Return two tables as text: contract columns × mapping, and chapters × what they lack.

    Only of the departments that deliver any store, the others are named in one line. Chapters are
    listed by package, since reports of one package share them. The mall's own registers are made
    by the door for every authority, and stores that all departments share are no department.

    Raises
    ------
    DatamallError
        When the mapping, a contract or params.yaml has a mistake.
    """
    mapping = load_authority(root, authority)
    lines = [f"{mapping.title} ({authority})", ""]
    delivered: dict[str, list[str]] = {}
    constant: set[str] = set()
    contracts = load_contracts(root)
    there = {_department(name) for name in contracts if name in mapping.stores or is_register(name)}
    there.add(SHARED)
    for name, contract in sorted(contracts.items()):
        store = mapping.stores.get(name)
        if is_register(name):
            delivered[name] = [column.name for column in contract.columns]
            continue
        if store is None:
            lines += [f"{name}: not delivered"] if _department(name) in there else []
            continue
        lines.append(name)
        delivered[name] = [c.name for c in contract.columns if store.has(c.name)]
        for column in contract.columns:
            state = "delivered" if store.has(column.name) else "not delivered"
            if store.has(column.name) and store.constant(column.name):
                state = "one value for all rows"
                constant.add(f"{name}.{column.name}")
            lines.append(f"  {column.name:<16} {state}")
    reports: dict[str, list[str]] = {}
    purposes = load_purposes(root, contracts)
    for report, about in load_parameters(root)["reports"].items():
        grants = (g for p in about["purposes"] if p in purposes for g in purposes[p].grants)
        if ({_department(grant.store) for grant in grants} - {SHARED}) & there:
            reports.setdefault(about["package"], []).append(report)
    for package, names in reports.items():
        folder = importlib.import_module(f"datamall.{package}").__path__
        for module in sorted(found.name for found in pkgutil.iter_modules(folder)):
            importlib.import_module(f"datamall.{package}.{module}")
        chapters = [c for c in REGISTRY.get(package, []) if _departments(c) <= there]
        lines += ["", f"Chapters of {' and '.join(names)}"] if chapters else []
        for chapter in chapters:
            lack = chapter.absent(delivered, constant)
            lines.append(f"  {chapter.title:<44} {lack.reason if lack else 'runs'}")
    if absent := sorted({_department(name) for name in contracts} - there):
        lines += ["", f"Not listed, since they deliver nothing here: {', '.join(absent)}"]
    return "\n".join(lines)


def _department(store: str) -> str:
    return store.partition(".")[0]


def _departments(chapter: Chapter) -> set[str]:
    return {_department(name) for name in (*chapter.columns, *chapter.varying)}
