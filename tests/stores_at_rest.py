"""Reading a store that was taken in, closed or not."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datamall.mall import closed_stores
from datamall.mall.authorities import load_authority


def rows(root: Path, authority: str, store: str, *, quarantine: bool = False) -> pa.Table:
    """Return the rows of a store, or the records that were set apart."""
    folder = root / "data" / "stores" / authority / store
    manifest = json.loads((folder / "store.json").read_text("utf-8"))
    if manifest["sealed"]:
        mapping = load_authority(root, authority)
        return closed_stores.rows(root, folder, manifest, mapping, quarantine)
    parts = [folder / part["name"] for part in manifest["parts"]]
    files = [folder / "quarantine.parquet"] if quarantine else parts
    return pa.concat_tables(map(pq.read_table, files))
