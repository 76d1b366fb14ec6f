"""A synthetic city of any size: places, inspections by week and role, residents' reports.

The stores are written as intake would: sorted by key, one Parquet part and its manifest each. The
same seed gives the same rows, whatever the machine.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datamall.mall import accepted
from datamall.mall.contracts import load_contracts

ROOT = Path(__file__).parents[1]
START, WEEKS, STEP = np.datetime64("2025-01-06"), 52, 5_000
ROLES = np.array(["cleaning crew", "enforcement officer"])
CAUSES = {"bulky": 0.55, "residual": 0.35, "cardboard": 0.22, "full": 0.07, "broken": 0.02}
CATEGORIES = ["bags beside container", "bulky waste", "container broken", "container full", "other"]
CHANNELS = ["app", "email", "telephone", "unknown", "web"]


def city(stores: Path, places: int, seed: int = 2319) -> int:
    """Write the stores of a city of so many places into a folder; return the inspections' rows.

    As the demo city, whose numbers it takes: about 36 rows a place and year, five reports a place,
    a dump spot in sixteen places, 40 places a neighbourhood and ten neighbourhoods a district.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    areas = -(-places // 400) * 10
    area, district = np.arange(areas), np.arange(areas) // 10
    side = int(np.ceil(np.sqrt(areas)))
    name = np.array([f"GR{place:07d}" for place in range(places)])
    home = np.minimum(np.arange(places) // 40, areas - 1)
    spot = rng.random(places) < 1 / 16
    columns = {
        "neighbourhood": [f"B{number:05d}" for number in area],
        "district": [f"District {number:04d}" for number in district],
        "households": rng.integers(200, 2000, areas),
    }
    _write(stores, "shared.neighbourhoods", [pa.table(columns)])
    corner = np.column_stack([home % side, home // side]) * 400 + [200_000, 500_000]
    metres = (corner + rng.integers(0, 40_000, (places, 2)) / 100).round(2)
    columns = {
        "cluster": name,
        "kind": np.where(spot, "dump spot", "container"),
        "fraction": pa.array(np.where(spot, "", "residual"), mask=spot),
        "x": pa.array(metres[:, 0]).cast(pa.decimal128(9, 2)),
        "y": pa.array(metres[:, 1]).cast(pa.decimal128(9, 2)),
        "households": rng.integers(0, 200, places),
        "neighbourhood": np.array(columns["neighbourhood"])[home],
    }
    _write(stores, "enforcement.containers", [pa.table(columns)])
    # Dirt differs by district, by place and by quarter of the year; officers record more.
    dirt = rng.normal(-1, 0.4, district.max() + 1)[district[home]] + 0.8 * spot
    dirt = dirt + rng.normal(0, 0.7, places)
    often = rng.beta(3, 6, (places, 1, 1)) * [[[1.2], [0.85]]]
    steps = [slice(start, min(start + STEP, places)) for start in range(0, places, STEP)]
    tables = (_inspections(rng, name[own], dirt[own], often[own]) for own in steps)
    rows = _write(stores, "enforcement.inspections", tables)
    _write(stores, "enforcement.reports", [_reports(rng, name, 5 * places)])
    # Nothing was done there, and one border is known.
    texts = ("cluster", "action", "drawn")
    nobody = {"cluster": [], "action": [], "first_day": [], "drawn": []}
    kinds = pa.schema([(n, pa.string() if n in texts else pa.date32()) for n in nobody])
    _write(stores, "enforcement.actions", [pa.table(nobody, kinds)])
    ends = [f"{start} 500000, {start + 400} 500000" for start in (200_000, 200_400)]
    roads = {"kind": ["road"] * 2, "code": ["1", "2"], "name": ["A", "B"]}
    _write(
        stores,
        "shared.outlines",
        [pa.table({**roads, "shape": [f"LINESTRING ({e})" for e in ends]})],
    )
    return rows


def _inspections(
    rng: np.random.Generator, name: np.ndarray, dirt: np.ndarray, often: np.ndarray
) -> pa.Table:
    """Return the rows of some places in the order of place, week and role."""
    looked = rng.random((len(name), WEEKS, 2)) < often.transpose(0, 2, 1)
    looked[:, 0, 0] = True  # every place was seen
    place, week, role = np.nonzero(looked)
    seen = 1 + rng.binomial(3, 0.23, len(place))
    quarter = rng.normal(0, 0.4, (len(name), 4))
    chance = dirt[place] + quarter[place, week // 13] + 0.3 * role
    waste = rng.binomial(seen, 1 / (1 + np.exp(-chance)))
    columns = {
        "cluster": name[place],
        "period_start": START + week.astype("timedelta64[W]"),
        "period_days": np.full(len(place), 7),
        "observer_role": ROLES[role],
        "inspections": seen,
        "with_waste": waste,
    }
    columns |= {cause: rng.binomial(waste, share) for cause, share in CAUSES.items()}
    table = pa.table(columns)
    return table.set_column(1, "period_start", table["period_start"].cast(pa.date32()))


def _reports(rng: np.random.Generator, name: np.ndarray, number: int) -> pa.Table:
    """Return so many reports; three in ten repeat the one that came before them."""
    opened = np.sort(rng.integers(0, WEEKS * 7, number))
    place = rng.integers(0, len(name), number)
    report = np.array([f"M{turn:08d}" for turn in range(number)])
    days = rng.geometric(0.2, number) - 1
    again = np.flatnonzero(rng.random(number) < 0.3)
    again = again[again > 0]
    again = again[~np.isin(again - 1, again)]
    place[again] = place[again - 1]
    opened[again] = opened[again - 1]
    closed = START + (opened + days).astype("timedelta64[D]")
    first = np.full(number, "", dtype=report.dtype)
    first[again] = report[again - 1]
    without, still = rng.random(number) < 0.1, rng.random(number) < 0.05
    columns = {
        "report": report,
        "opened": pa.array(START + opened.astype("timedelta64[D]")).cast(pa.date32()),
        "closed": pa.array(closed, mask=still).cast(pa.date32()),
        "channel": np.array(CHANNELS)[rng.integers(0, len(CHANNELS), number)],
        "category": np.array(CATEGORIES)[rng.integers(0, len(CATEGORIES), number)],
        "cluster": pa.array(name[place], mask=without),
        "duplicate_of": pa.array(first, mask=first == ""),
    }
    return pa.table(columns)


def _write(stores: Path, store: str, tables: object) -> int:
    """Write a store and its manifest; return its rows."""
    folder = stores / store
    folder.mkdir(parents=True)
    part, writer = folder / "part-00000.parquet", None
    for table in tables:
        writer = writer or pq.ParquetWriter(part, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=250_000)
    writer.close()
    with pq.ParquetFile(part) as file:
        rows, columns = file.metadata.num_rows, file.schema_arrow.names
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    parts = [{"name": part.name, "rows": rows, "sha256": digest}]
    contract = accepted.written(load_contracts(ROOT)[store])
    manifest = {"authority": "demo", "store": store, "contract": contract}
    manifest |= {"columns": columns, "rows": rows}
    text = json.dumps({**manifest, "sealed": False, "parts": parts}, indent=1)
    (folder / "store.json").write_text(text, "utf-8")
    return rows
