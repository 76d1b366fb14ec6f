"""The gate before any list of people: open only for a plan that was registered beforehand.

An audit is a promise: groups, tolerances, labels and gating checks are fixed, with their reasons,
before the outcome is known. The plan is a section of ``params.yaml``; registering copies it into
``data/audits/<authority>/register.yaml``, with the digest of the method: the modules that judge.
Every audit that runs leaves one line per plan, method, data and verdict in ``journal.csv`` beside
it, so that trying again until the verdict pleases is counted, shown and opens nothing. Data are the
raw files: groups that are merged or left out by the mapping of an authority make no new data of
them.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from datamall.errors import DatamallError
from datamall.identifiers import sentence
from datamall.project import load_parameters, put, reports_folder, store_folder
from datamall.provenance import METHOD, canonical_digest, method_digest, provenance
from datamall.yamlfile import PLAN_TEXTS, dump, load

FIELDS = ("report", "plan", "method", "data", "verdict")
PASS = "PASS"
STORE = "store "  # how provenance names the manifest of a store
NAME = re.compile("[a-z0-9][a-z0-9_-]*")
MOST = 8  # differences between two plans that are named
ABSENT = object()
SHORT = 12  # digits of a digest that people compare


@dataclass(frozen=True)
class Run:
    """One audit that ran: digests of its plan, method and raw data, and its verdict."""

    report: str
    plan: str
    method: str
    data: str
    verdict: str


@dataclass(frozen=True)
class Registration:
    """A plan that was fixed beforehand, by whom and why, and how many audits had run by then.

    `method` is the digest of the modules that judge; empty where it was not kept.
    """

    report: str
    by: str
    reason: str
    runs: int
    plan: dict[str, Any]
    method: str = ""


def folder(root: Path, authority: str) -> Path:
    """Return the folder of an authority's register and journal of audits.

    Raises
    ------
    DatamallError
        When the name is no name: it must not lead out of the folder.
    """
    if not NAME.fullmatch(authority):
        raise DatamallError(
            f"{authority!r} is no name of an authority: give that of a file in data/authorities."
        )
    return root / "data" / "audits" / authority


def journal(root: Path, authority: str) -> list[Run]:
    """Return the audits that ran, in the order in which they first did.

    Raises
    ------
    DatamallError
        When the journal was changed into something that it cannot hold.
    """
    path = folder(root, authority) / "journal.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    if not lines or tuple(lines[0]) != FIELDS or any(len(line) != len(FIELDS) for line in lines):
        raise DatamallError(
            f"data/audits/{authority}/journal.csv is not the journal that Datamall keeps: restore "
            "it from git."
        )
    return [Run(*line) for line in lines[1:]]


def registrations(root: Path, authority: str) -> list[Registration]:
    """Return the plans that were registered for an authority, in order.

    Raises
    ------
    DatamallError
        When the file is damaged.
    """
    path = folder(root, authority) / "register.yaml"
    place = f"data/audits/{authority}/register.yaml"
    if not path.is_file():
        return []
    try:
        return [Registration(**entry) for entry in load(path, place, PLAN_TEXTS) or []]
    except TypeError:
        raise DatamallError(
            f"{place} is not the register that Datamall keeps: restore it from git."
        ) from None


def record(root: Path, authority: str, report: str) -> None:
    """Write down that an audit ran, unless the same plan, data and verdict are there already."""
    latest = _latest(root, authority, report)
    known = journal(root, authority)
    if latest is None:
        return
    run = replace(latest, data=_data(root, authority, report))
    if run in known:
        return
    path = folder(root, authority) / "journal.csv"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows(astuple(r) for r in [*known, run])
    put(path, text.getvalue())


def register(root: Path, authority: str, report: str, by: str, reason: str) -> Registration:
    """Fix the plan of an audit as it stands in params.yaml.

    Parameters
    ----------
    by
        Role of who decides, such as ``ethics committee``; no name of a person.
    reason
        Why this plan, in a sentence.

    Raises
    ------
    DatamallError
        When the report is no audit, or this plan is the one registered last.
    """
    plan, method = _plan(root, report), method_digest(root)
    there = [entry for entry in registrations(root, authority) if entry.report == report]
    if there and _same(there[-1].plan, plan) and there[-1].method == method:
        raise DatamallError(f"This plan of {report} is registered already: nothing was changed.")
    runs = sum(run.report == report for run in journal(root, authority))
    who, why = sentence(by, "who decides (--by)"), sentence(reason, "the reason (--reason)")
    entry = Registration(report, who, why, runs, plan, method)
    text = dump([vars(each) for each in [*registrations(root, authority), entry]])
    path = folder(root, authority) / "register.yaml"
    put(path, text)
    return entry


def decide(root: Path, authority: str, report: str, again: Callable[[], str]) -> dict[str, Any]:
    """Return whether the gate is open, and why not.

    Parameters
    ----------
    root, authority, report
        Project folder, authority and audit.
    again
        Comes to the verdict from the stores (`datamall.recount.verdict`), and is asked before the
        gate would open: results are files, which somebody could have changed.

    Returns
    -------
    dict
        ``report``, ``open``, ``reasons`` (sentences; empty when open), ``verdict`` of the latest
        audit, ``plan``, ``method`` and ``data`` (digests), ``registered_by``,
        ``audits_since_registration``, ``other_plans_tried`` on the same data, and
        ``versions_of_data`` audited so far.
    """
    latest, plan = _latest(root, authority, report), _plan(root, report)
    digest, data = canonical_digest(plan), _data(root, authority, report)
    method = method_digest(root)
    ran = [run for run in journal(root, authority) if run.report == report]
    own = [entry for entry in registrations(root, authority) if entry.report == report]
    last = own[-1] if own else None
    others = sorted({run.plan for run in ran if run.data == data and run.plan != digest})
    reasons = []
    if last is None:
        reasons.append(f"No plan of {report} has been registered for {authority}.")
    elif not _same(last.plan, plan):
        reasons.append(
            f"The plan was changed after it was registered: {_difference(last.plan, plan)}. "
            "The committee has to register it anew."
        )
    elif last.method != method:
        reasons.append(
            "The method that judges was changed after the plan was registered, or was not kept "
            f"then ({last.method[:SHORT] or 'not kept'} → {method[:SHORT]}): the committee has to "
            "register the plan anew."
        )
    elif any(run.data == data for run in ran[: last.runs]):
        reasons.append(
            "These data had been audited before this plan was registered; a plan can only be "
            "tested on data that nobody had audited."
        )
    if latest is None:
        reasons.append(f"{report} has not been run: run `datamall report {report}`.")
    elif (latest.plan, latest.method, latest.data) != (
        *(digest, method),
        _stores(provenance(root, authority, report)),
    ):
        reasons.append(
            f"The results of {report} are of another plan or method, or of other data: run "
            f"`datamall report {report}` again."
        )
    elif latest.verdict != PASS:
        reasons.append(f"The verdict of the audit is {latest.verdict}; only PASS opens the gate.")
    verdicts = {run.verdict for run in ran if (run.plan, run.data) == (digest, data)}
    if len(verdicts) > 1:
        reasons.append(
            f"The same plan and data gave {' and '.join(sorted(verdicts))}: the method, or the "
            "mapping, was changed in between."
        )
    if not reasons and (counted := again()) != PASS:
        reasons.append(
            f"The results say {PASS}, and counted again from the stores the verdict is {counted}: "
            f"the results were changed. Find out by whom, and run `datamall report {report}`."
        )
    return {
        "report": report,
        "open": not reasons,
        "reasons": reasons,
        "verdict": latest.verdict if latest else None,
        "plan": digest[:SHORT],
        "method": method[:SHORT],
        "data": data[:SHORT],
        "registered_by": last.by if last else None,
        "audits_since_registration": len(ran) - last.runs if last else len(ran),
        "other_plans_tried": len(others),
        "versions_of_data": len({run.data for run in ran}),
    }


def write(root: Path, authority: str, report: str, again: Callable[[], str]) -> dict[str, Any]:
    """Write ``gate.json`` beside the pages; return what it holds. A closed gate is no failure."""
    gate = decide(root, authority, report, again)
    path = reports_folder(root, authority) / "gate.json"
    put(path, json.dumps(gate, indent=1, ensure_ascii=False) + "\n")
    return gate


def _plan(root: Path, report: str) -> dict[str, Any]:
    parameters = load_parameters(root)
    if report not in parameters["reports"]:
        raise DatamallError(
            f"No report called {report!r} in params.yaml under reports: "
            f"there are {', '.join(parameters['reports'])}."
        )
    plan: dict[str, Any] = parameters[report]
    return plan


def _data(root: Path, authority: str, report: str) -> str:
    """Return the digest of the raw files that an audit rests on, in whatever way they are read."""
    raw = {}
    for name in sorted(provenance(root, authority, report)):
        if name.startswith(STORE):
            store = name.removeprefix(STORE)
            manifest = (store_folder(root, authority, store) / "store.json").read_text("utf-8")
            raw[store] = sorted(file["sha256"] for file in json.loads(manifest)["raw"])
    return canonical_digest(raw)


def _stores(rests_on: Mapping[str, str]) -> str:
    """Return the digest of the stores that results rest on."""
    stores = {name: digest for name, digest in rests_on.items() if name.startswith(STORE)}
    return canonical_digest(dict(sorted(stores.items())))


def _latest(root: Path, authority: str, report: str) -> Run | None:
    """Return the audit whose results are there: of which plan and stores, and its verdict."""
    results = reports_folder(root, authority) / "results" / report
    try:
        answer = json.loads((results / "answer.json").read_text("utf-8"))
        rests_on = json.loads((results / "provenance.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    plan, method = rests_on.get(f"params.yaml: {report}", ""), rests_on.get(METHOD, "")
    return Run(report, plan, method, _stores(rests_on), answer.get("verdict") or "NO VERDICT")


def _difference(registered: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """Return what differs between two plans, as ``path: registered → now``, at most `MOST`."""
    parts = list(_differences("", registered, plan))
    more = f"; and {len(parts) - MOST} more" if len(parts) > MOST else ""
    return "; ".join(parts[:MOST]) + more


def _differences(path: str, before: Any, now: Any) -> Iterator[str]:
    """Yield differences; entries of a list that have a name are compared by it."""
    sides = [_named(side) for side in (before, now)]
    if ABSENT not in (before, now) and _same(before, now):
        return
    if not all(isinstance(side, Mapping) for side in sides):
        whole = [
            "absent" if s is ABSENT else "there" if isinstance(s, Mapping) else s for s in sides
        ]
        yield f"{path}: {whole[0]} → {whole[1]}"
        return
    if set(sides[0]) == set(sides[1]) and [*sides[0]] != [*sides[1]]:
        yield f"{path or 'order'}: {' → '.join(', '.join(map(str, side)) for side in sides)}"
    for name in sorted({*sides[0], *sides[1]}, key=str):
        below = (side.get(name, ABSENT) for side in sides)
        yield from _differences(f"{path}.{name}".lstrip("."), *below)


def _named(value: Any) -> Any:
    entries = isinstance(value, list) and all(isinstance(v, Mapping) and "name" in v for v in value)
    return {str(entry["name"]): entry for entry in value} if entries and value else value


def _same(one: Any, other: Any) -> bool:
    """Whether two plans say the same in the same order, types included: 1 is not true."""
    return canonical_digest(one) == canonical_digest(other)
