"""The traffic page of a large city: this tree against the commit before it worked in cells.

The city is the demo's, ten times over: 220 junctions, a year, 70 million counts. Both make the page
from the same stores, whole: door, kernel, figures, results. Time is that of the program; memory is
the most that it and its kernel hold at once. Every table of both is compared.

    python -m bench.traffic [--copies 10] [--commit 050a5ec]
"""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench import processes
from bench.pages import Budget, measure

COMMIT = "050a5ec"
BUDGET = Budget(memory=10, time=3, megabytes=1000)
STORES = (
    *("shared.calendar", "shared.outlines"),
    *("traffic.junctions", "traffic.measures", "traffic.counts"),  # the counts last: see `city`
)


def city(stores: Path, copies: int) -> int:
    """Write the demo's stores so many times over, each copy with its own junctions.

    Returns the number of counts.
    """
    demo, rows = processes.ROOT / "data" / "stores" / "demo", 0
    for store in STORES:
        parts = sorted((demo / store).glob("part-*"))
        if not parts:
            raise SystemExit(f"{store} is not there: run `make` first, the demo is what is copied.")
        manifest = json.loads((demo / store / "store.json").read_text("utf-8"))
        (stores / store).mkdir(parents=True)
        times = copies if "site" in manifest["columns"] else 1
        manifest["parts"] = [
            _part(parts, stores / store / f"part-{turn:05d}.parquet", turn, times)
            for turn in range(times)
        ]
        rows = manifest["rows"] = sum(part["rows"] for part in manifest["parts"])
        (stores / store / "store.json").write_text(json.dumps(manifest), "utf-8")
    return rows


def _part(parts: list[Path], path: Path, turn: int, times: int) -> dict[str, object]:
    """Write one copy of a store, its junctions named after its turn; return what it is."""
    schema = pq.read_schema(parts[0])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in parts:
            for batch in pq.ParquetFile(part).iter_batches(125_000):
                table = pa.Table.from_batches([batch])
                for column in {"site", "measure"} & set(schema.names) if times > 1 else ():
                    old = table[column].dictionary_encode().combine_chunks()
                    names = pa.array([f"{turn:02d}{n}" for n in old.dictionary.to_pylist()])
                    own = pa.DictionaryArray.from_arrays(old.indices, names).cast(pa.string())
                    place = schema.get_field_index(column)
                    table = table.set_column(place, schema.field(column), own)
                writer.write_table(table)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"name": path.name, "rows": pq.read_metadata(path).num_rows, "sha256": digest}


if __name__ == "__main__":
    measure("traffic", "counts", city, {"copies": 10}, COMMIT, BUDGET)
