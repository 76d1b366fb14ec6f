"""Closed stores: the parts of a store of persons or households, each closed for one epoch.

Rows lie apart by the year of their day, under a key of that year alone (`datamall.mall.epochs`):
where it is destroyed they cannot be read any more, in whatever copy, and what is left of the store
goes on. Records that were set apart have a key of their own, since they are of any year.
"""

from collections.abc import Collection, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datamall.errors import DatamallError
from datamall.mall import epochs, vault
from datamall.mall.authorities import Authority
from datamall.mall.contracts import Contract
from datamall.project import file_digest

ASIDE = "aside"  # the epoch of records that were set apart
QUARANTINE = "quarantine.parquet"


def of_rows(table: pa.Table, contract: Contract) -> pa.Array:
    """Return the epoch of each row: the year of its day, as text."""
    dated = contract.dated
    if dated is None or dated not in table.column_names:
        return pa.array([epochs.UNDATED] * table.num_rows, pa.string())
    days = table[dated].combine_chunks()
    years = days if contract.column(dated).type == "integer" else pc.year(days)
    return pc.fill_null(years.cast(pa.string()), epochs.UNDATED)


def close(
    root: Path,
    mapping: Authority,
    contract: Contract,
    plain: Path,
    folder: Path,
    parts: list[Path],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Put the ciphertext of a store's files into a folder, and delete them.

    Rows of an epoch whose key was destroyed are left out: nothing makes another one for them.

    Parameters
    ----------
    root, mapping, contract
        Project folder, authority and contract.
    plain, folder
        Where its rows are in plain text, and where the store is being made.
    parts
        Its open parts.

    Returns
    -------
    list of dict, list of str
        name, rows, sha256 and epoch of each closed part; and the epochs that were left out.

    Raises
    ------
    DatamallError
        When nothing is left, or there is no key.
    """
    store = contract.name
    there: dict[Path, list[str]] = {}
    for path in parts:
        columns = [contract.dated] if contract.dated in pq.read_schema(path).names else []
        found = of_rows(pq.read_table(path, columns=columns or None), contract)
        there[path] = sorted(found.unique().to_pylist())
    every = sorted({epoch for own in there.values() for epoch in own})
    gone = [epoch for epoch in every if epochs.destroyed(root, mapping, store, epoch)]
    count = sum(epoch not in gone for own in there.values() for epoch in own)
    if not count:
        raise DatamallError(
            f"{store}: all rows are of epochs whose keys were destroyed ({', '.join(gone)}): take "
            "these deliveries out of the raw folder."
        )
    listed = []
    for path, own in there.items():
        table = pq.read_table(path)
        of = of_rows(table, contract)
        path.unlink()
        for epoch in own:
            if epoch in gone:
                continue
            rows = table.filter(pc.equal(of, epoch))
            content = BytesIO()
            pq.write_table(rows, content, compression="zstd")
            name = path.name if epoch == epochs.UNDATED else f"{path.stem}-{epoch}.parquet"
            seal = _seal(root, mapping, store, epoch, contract.version, count, make=True)
            closed = seal.close(folder / name, content.getvalue())
            about = {"name": closed.name, "rows": rows.num_rows, "sha256": file_digest(closed)}
            listed.append(about | {"epoch": epoch})
    seal = _seal(root, mapping, store, ASIDE, contract.version, count, make=True)
    seal.close(folder / QUARANTINE, (plain / QUARANTINE).read_bytes())
    (plain / QUARANTINE).unlink()
    return listed, gone


def rows(
    root: Path,
    folder: Path,
    manifest: Mapping[str, Any],
    mapping: Authority,
    quarantine: bool = False,
) -> pa.Table:
    """Return the rows of a closed store, but for those whose keys were destroyed.

    Parameters
    ----------
    root
        Project folder.
    folder, manifest
        The store, and what its ``store.json`` holds.
    mapping
        Whose it is.
    quarantine
        Whether the records that were set apart are wanted, for whoever mends the raw files.

    Raises
    ------
    DatamallError
        When there is no key, or a file does not open with it; `datamall.mall.purposes.Refused`
        with ``epoch-destroyed`` where nothing is left.
    """
    about = (manifest["store"], str(manifest["contract"]["version"]), len(manifest["parts"]))
    store, version, count = about
    if quarantine:
        seal = _seal(root, mapping, store, ASIDE, version, count, make=False)
        return seal.open(folder / f"{QUARANTINE}{vault.SUFFIX}")
    gone = destroyed(root, mapping, manifest)
    left = [part for part in manifest["parts"] if part["epoch"] not in gone]
    tables = []
    for part in left or manifest["parts"][:1]:  # of which the key says that it was destroyed
        seal = _seal(root, mapping, store, part["epoch"], version, count, make=False)
        tables.append(seal.open(folder / part["name"]))
    return pa.concat_tables(tables)


def destroyed(root: Path, mapping: Authority, manifest: Mapping[str, Any]) -> list[str]:
    """Return the epochs of a closed store whose keys were destroyed, in order."""
    known: Collection[str] = {part["epoch"] for part in manifest["parts"]}
    store = manifest["store"]
    return [one for one in sorted(known) if epochs.destroyed(root, mapping, store, one)]


def _seal(
    root: Path,
    mapping: Authority,
    store: str,
    epoch: str,
    version: str,
    count: int,
    *,
    make: bool,
) -> vault.Seal:
    info = f"v1|{store}|{epoch}"
    key = epochs.derived(root, mapping, store, epoch, info, vault.SIZE, make=make)
    return vault.Seal(key, store, version, count)
