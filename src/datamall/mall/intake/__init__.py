"""Intake: raw files → a store that keeps its contract, and a quarantine for what does not.

The raw files are streamed, each row is checked against the contract in one query, sorted by key
and written in parts of fixed size. Every record that was parsed ends in the store or in the
quarantine; the old store stays as it was until the new one is complete.
"""

import json
import shutil
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datamall.errors import DatamallError
from datamall.mall import accepted, closed_stores, deliveries, forgetting, vault
from datamall.mall.authorities import Authority, load_authority
from datamall.mall.contracts import Contract, load_contracts
from datamall.mall.intake.checks import checks_of
from datamall.mall.intake.fill import Filled, fill_store
from datamall.mall.intake.judge import Held, unlike, unlike_before
from datamall.mall.intake.observed import Brought
from datamall.mall.intake.read import RawRecords
from datamall.mall.intake.workplace import (
    aside,
    clear,
    explained,
    in_plain,
    open_engine,
    swap,
    write_json,
)
from datamall.mall.log import logbook, persons
from datamall.mall.protected import protected, sentence
from datamall.project import file_digest, reports_folder, store_folder


def intake(
    root: Path, authority: str, store: str, *, threads: int = 2, memory: str = "400MB"
) -> dict[str, Any]:
    """Take the raw files of one store in.

    Writes, aside and then in one move, ``data/stores/<authority>/<store>/`` with
    ``part-*.parquet`` (sorted by key), ``quarantine.parquet`` (file, row, header where one cell of
    a wide record is meant, reason, detail, raw) and ``store.json``, and ``quality/<store>.json``
    in the authority's reports folder. Where the store counts persons or households, parts and
    quarantine are closed (``.siv``, see `datamall.mall.vault`), and what is written of quality is
    protected (`datamall.mall.protected`).

    Parameters
    ----------
    root
        Project folder.
    authority
        Name of the authority: its mapping is ``data/authorities/<authority>.yaml``.
    store
        ``department.store``.
    threads, memory
        Threads and memory of the engine; the result is the same.

    Returns
    -------
    dict
        The quality report, exact: ``parsed``, ``accepted``, ``quarantined``, ``quarantined_share``,
        ``reasons`` (code → records) and ``missing`` (column → rows without a value). Where the
        mapping leaves records out, or keeps or counts equal rows as one, also ``read`` (all
        records), ``left_out`` and ``merged``, and ``parsed`` is without these. If there are any:
        ``empty_files`` without a record, and ``unchecked_references``, the columns that refer to
        a store that this authority does not deliver. ``deliveries`` has, for each file, what
        became of it (see `datamall.mall.deliveries.told`).

    Raises
    ------
    DatamallError
        When the store counts persons or households and the authority has no key; when the contract
        is less strict than before and not accepted (`datamall.mall.accepted`); when contract
        or mapping have a mistake, a raw file is missing, empty, damaged, changed
        meanwhile or in another form than mapped, a store referred to is not there, all records
        would end in quarantine, a file that was taken in before is another or gone, or there is no
        room on the disk. The old store is untouched.
    """
    contracts = load_contracts(root)
    mapped = load_authority(root, authority, contracts)
    if store not in mapped.stores:
        known = ", ".join(mapped.stores)
        raise DatamallError(f"{authority} delivers no store called {store!r}: there are {known}.")
    with logbook.refusals(root, "intake", authority=authority, store=store):
        return _intake(root, mapped, contracts[store], threads, memory)


def _intake(
    root: Path, mapped: Authority, contract: Contract, threads: int, memory: str
) -> dict[str, Any]:
    """Take the raw files of one store in; return the quality report."""
    authority, store = mapped.authority, contract.name
    mapping = mapped.stores[store]
    accepted.check(root, mapped, contract, by_log=True)
    # Before anything is read: without a key such a store may not be made.
    if contract.personal:
        vault.key(mapped)
        forgetting.mended(root, mapped, store)
    targets = {c.name: c.reference for c in contract.columns if c.reference and mapping.has(c.name)}
    references = {
        name: _reference(root, mapped, store, *target)
        for name, target in targets.items()
        if target[0] in mapped.stores
    }
    unchecked = [name for name in targets if name not in references]
    sound, withdrawn = deliveries.standing(root, authority, store)
    target = store_folder(root, authority, store)
    report_path = reports_folder(root, authority) / "quality" / f"{store}.json"
    with (
        explained(store),
        aside(target) as folder,
        in_plain(folder, contract.personal) as rows,
    ):

        def fill(
            without: Collection[str], threads: int = threads
        ) -> tuple[list[RawRecords], Filled]:
            sources: list[RawRecords] = []
            for source in mapping.sources:
                first = sum(len(before.paths) for before in sources)
                sources.append(RawRecords(root, mapped, source, contract, first, without))
            spill = rows / "spill"
            spill.mkdir()
            try:
                with open_engine(threads, memory, spill, references) as engine:
                    checks = [checks_of(contract, source, references) for source in mapping.sources]
                    filled = fill_store(engine, rows, spill, sources, contract, mapping, checks)
            except duckdb.OutOfMemoryException:
                # Threads race for what the engine may use: two may fail, now and then, where one
                # never does.
                if threads == 1:
                    raise
                clear(rows)
                return fill(without, 1)
            shutil.rmtree(spill)
            return sources, filled

        sources, filled = fill(withdrawn)
        held, notes = unlike(filled[-1], {}, sound)
        while held.keys() & {one.file for some in filled[-1] for one in some}:
            # Without these; what comes after them is judged anew, on what it then brings.
            for part in filled[2]:
                part.unlink()
            sources, filled = fill({*withdrawn, *held})
            held, notes = unlike(filled[-1], held, sound)
        report, manifest, parts, brought = filled
        _check_before(root, mapped, contract, manifest, brought, held, sound, withdrawn)
        empty = sorted({name for source in sources for name in source.empty})
        if empty:
            report["empty_files"] = empty
        if unchecked:
            report["unchecked_references"] = unchecked
        waiting = [(one, why) for one, _, why in held.values()]
        report["deliveries"] = deliveries.told(brought, notes, waiting, withdrawn)
        manifest = {"authority": authority, "store": store, **manifest}
        manifest |= {"sealed": contract.personal}
        if contract.personal:
            manifest["parts"], gone = closed_stores.close(
                *(root, mapped, contract), rows, folder, parts
            )
            if gone:
                left = sum(part["rows"] for part in manifest["parts"])
                report["forgotten"] = manifest["rows"] - left
                manifest["rows"] = left
        else:
            manifest["parts"] = _listed(parts)
        write_json(folder / "store.json", manifest)
        version = file_digest(folder / "store.json")
        who = {}
        person = contract.person
        if person is not None and person in manifest["columns"]:
            numbers = closed_stores.rows(root, folder, manifest, mapped)[person]
            who = persons.keep(root, mapped, store, version, person, numbers).said(person)
        logbook.write(
            root,
            "intake",
            authority=authority,
            store=store,
            version=version,
            contract=contract.version,
            terms=accepted.keep(root, contract),
            **who,
            rows=manifest["rows"],
            put_aside=report["quarantined"],
            deliveries=dict(Counter(one["state"] for one in report["deliveries"])),
        )
        report_path.parent.mkdir(parents=True, exist_ok=True)
        report_aside = report_path.with_suffix(".json.partial")
        try:
            write_json(report_aside, protected(report, contract))
            swap(folder, target)
            report_aside.replace(report_path)
        finally:
            report_aside.unlink(missing_ok=True)
    return report


def _check_before(
    root: Path,
    mapped: Authority,
    contract: Contract,
    manifest: dict[str, Any],
    brought: list[list[Brought]],
    held: Held,
    sound: frozenset[str],
    withdrawn: Collection[str],
) -> None:
    """Refuse a file that was taken in before and is another now, or gone, unless that is known.

    One that is held back, too: without it the store would lose what it said before.
    """
    authority, store = mapped.authority, contract.name
    mapping = mapped.stores[store]
    before = {
        str(one["file"]): one
        for one in deliveries.history(root, authority, store)
        if one["state"] == deliveries.TAKEN_IN
    }
    command = f"datamall deliveries {store} --authority {authority}"
    files = [source.file for source in mapping.sources]
    here = [(one, file, "") for some, file in zip(brought, files, strict=True) for one in some]
    here += [(one, files[number], why) for one, number, why in held.values()]
    for one, file, why in here:
        name, known = one.file, before.get(one.file)
        if known is None or known["sha256"] == one.sha256 or name in sound:
            continue
        if not file.overwritten:
            why = "It has changed since it was taken in: send a correction as a file of its own."
        why = why or unlike_before(one, known) or ""
        if why:
            why = sentence(why, contract)
            raise DatamallError(
                f"{store}: {name} is held back. {why} The store is as it was; to take the file in "
                f"all the same: `{command} --accept {name} --by ROLE --reason WHY`."
            )
    gone = sorted(before.keys() - {one.file for one, _, _ in here} - {*withdrawn})
    old = store_folder(root, authority, store) / "store.json"
    if gone and old.is_file() and _same_mapping(old, manifest):
        raise DatamallError(
            f"{store}: {gone[0]} was taken in before and is not there any more. The store is as it "
            f"was; put the file back, or withdraw it: `{command} --withdraw {gone[0]} --by ROLE "
            "--reason WHY`."
        )


def _same_mapping(old: Path, manifest: dict[str, Any]) -> bool:
    """Whether a store was filled by the mapping of now: another may ask for other files."""
    try:
        return bool(
            json.loads(old.read_text("utf-8"))["mapping_sha256"] == manifest["mapping_sha256"]
        )
    except (ValueError, KeyError, TypeError):
        return False


def _listed(paths: list[Path]) -> list[dict[str, Any]]:
    """Return name, rows and SHA-256 of parts."""
    return [
        {"name": path.name, "rows": pq.read_metadata(path).num_rows, "sha256": file_digest(path)}
        for path in paths
    ]


def _reference(root: Path, mapped: Authority, store: str, target: str, column: str) -> pa.Table:
    """Return the values of a store that was taken in before, for a column that refers to it."""
    authority = mapped.authority
    folder = store_folder(root, authority, target)
    try:
        manifest = json.loads((folder / "store.json").read_text("utf-8"))
        if manifest["sealed"]:
            return closed_stores.rows(root, folder, manifest, mapped).select([column])
        parts = [folder / part["name"] for part in manifest["parts"]]
        return pa.concat_tables(pq.read_table(part, columns=[column]) for part in parts)
    except FileNotFoundError:
        raise DatamallError(
            f"{store} refers to {target}, which has not been taken in for {authority}: run "
            f"`datamall intake {target} --authority {authority}` first."
        ) from None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        raise DatamallError(
            f"The store {target} of {authority} is damaged: run "
            f"`datamall intake {target} --authority {authority}` again."
        ) from None
