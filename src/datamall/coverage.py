"""What an authority's mapping lets each chapter do."""

import importlib
import pkgutil
from pathlib import Path

from datamall.mall.authorities import load_authority
from datamall.mall.contracts import load_contracts
from datamall.mall.registers import is_register
from datamall.project import load_parameters
from datamall.requirements import REGISTRY


def coverage(root: Path, authority: str) -> str:
    """Return two tables as text: contract columns × mapping, and chapters × what they lack.

    Chapters are listed by package, since reports of one package share them. The mall's own
    registers are made by the door for every authority.

    Raises
    ------
    DatamallError
        When the mapping, a contract or params.yaml has a mistake.
    """
    mapping = load_authority(root, authority)
    lines = [f"{mapping.title} ({authority})", ""]
    delivered: dict[str, list[str]] = {}
    constant: set[str] = set()
    for name, contract in sorted(load_contracts(root).items()):
        store = mapping.stores.get(name)
        if is_register(name):
            delivered[name] = [column.name for column in contract.columns]
            continue
        if store is None:
            lines.append(f"{name}: not delivered")
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
    for report, about in load_parameters(root)["reports"].items():
        reports.setdefault(about["package"], []).append(report)
    for package, names in reports.items():
        folder = importlib.import_module(f"datamall.{package}").__path__
        for module in sorted(found.name for found in pkgutil.iter_modules(folder)):
            importlib.import_module(f"datamall.{package}.{module}")
        lines += ["", f"Chapters of {' and '.join(names)}"]
        for chapter in REGISTRY.get(package, []):
            lack = chapter.absent(delivered, constant)
            lines.append(f"  {chapter.title:<44} {lack.reason if lack else 'runs'}")
    return "\n".join(lines)
