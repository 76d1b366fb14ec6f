"""What changed between two releases, or since: data, parameters, code, figures and verdicts."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datamall.yamlfile import PLAN_TEXTS, load_mapping

MOST = 12  # lines of one kind that are told; the record has all
CODE = ("src/", "notebooks/", "data/")
_HEADINGS = {
    "data": "Data",
    "parameters": "Parameters",
    "code": "Code, contracts and purposes",
    "figures": "Figures",
    "verdicts": "Verdicts",
}


def compare(before: Path, after: Path, parameters: tuple[Path, Path]) -> dict[str, dict[str, Any]]:
    """Return what differs between two folders of pages.

    Parameters
    ----------
    before, after
        Folders with ``results``, and ``gate.json`` where there is a gate: releases or the drafts.
    parameters
        The params.yaml of either.

    Returns
    -------
    dict
        ``data``: store → ``new``, ``gone`` or ``changed``; ``parameters``: path → [before, after];
        ``code``: file → as for data; ``figures``: ``report/table`` → rows that are only before and
        only after; ``verdicts``: report, and ``gate`` → [before, after].
    """
    rests_on = [_provenance(folder) for folder in (before, after)]
    stores, code = [
        [{n: d for n, d in one.items() if n.startswith(heads)} for one in rests_on]
        for heads in (("store ",), CODE)
    ]
    values = [dict(_flat("", load_mapping(path, "params.yaml", PLAN_TEXTS))) for path in parameters]
    tables = [_tables(folder) for folder in (before, after)]
    rows = {
        name: [sum(side.values()) for side in (left - right, right - left)]
        for name in sorted({*tables[0], *tables[1]})
        for left, right in [(tables[0].get(name, Counter()), tables[1].get(name, Counter()))]
    }
    verdicts = [_verdicts(folder) for folder in (before, after)]
    return {
        "data": {n.removeprefix("store "): how for n, how in _changed(*stores).items()},
        "parameters": _pairs(*values),
        "code": _changed(*code),
        "figures": {name: pair for name, pair in rows.items() if any(pair)},
        "verdicts": _pairs(*verdicts),
    }


def words(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what changed as Markdown, of each kind at most `MOST`."""
    lines = []
    for kind, heading in _HEADINGS.items():
        lines += [f"## {heading}", ""]
        told = [f"- {name}: {_said(kind, how)}" for name, how in found[kind].items()]
        lines += told[:MOST] or ["No change."]
        lines += [f"- and {len(told) - MOST} more"] if len(told) > MOST else []
        lines.append("")
    return "\n".join(lines).strip() + "\n"


def _said(kind: str, how: Any) -> str:
    if isinstance(how, str):
        return how
    if kind == "figures":
        return f"{how[0]:,} rows before, {how[1]:,} others now"
    return " → ".join("absent" if side is None else f"{side}" for side in how)


def _provenance(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((folder / "results").glob("*/provenance.json")):
        found |= json.loads(path.read_text("utf-8"))
    return found


def _tables(folder: Path) -> dict[str, Counter[tuple[str, ...]]]:
    found = {}
    for path in sorted((folder / "results").glob("*/*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found[f"{path.parent.name}/{path.stem}"] = Counter(map(tuple, csv.reader(file)))
    return found


def _verdicts(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted((folder / "results").glob("*/answer.json")):
        verdict = json.loads(path.read_text("utf-8")).get("verdict")
        found |= {path.parent.name: verdict} if verdict else {}
    gate = folder / "gate.json"
    if gate.is_file():
        found["gate"] = "open" if json.loads(gate.read_text("utf-8"))["open"] else "closed"
    return found


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    said = {(True, False): "gone", (False, True): "new", (True, True): "changed"}
    return {
        name: said[name in before, name in after]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {
        name: [before.get(name), after.get(name)]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of nested parameters by their path; entries with a name go by it."""
    if isinstance(value, list) and all(isinstance(v, Mapping) and "name" in v for v in value):
        value = {str(one["name"]): one for one in value}
    if not isinstance(value, Mapping):
        yield path, value
        return
    for name, below in value.items():
        yield from _flat(f"{path}.{name}".lstrip("."), below)
