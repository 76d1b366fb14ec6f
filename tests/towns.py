"""Small towns as extracts, damaged in every way that their contracts allow, and their notebooks.

A notebook runs here in one process, on tables made in the test: its own code, without a kernel.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import counted_streets
import duckdb
import nbformat
import numpy as np
import pandas as pd
import pytest

from datamall.mall import door
from datamall.mall.contracts import Column, Contract, load_contracts
from datamall.mall.purposes import load_purposes
from datamall.reporting import canvas, records, tables

ROOT = Path(__file__).parents[1]
Town = dict[str, pd.DataFrame]
CONTRACTS = load_contracts(ROOT)
PURPOSES = load_purposes(ROOT, CONTRACTS)
DAMAGES = ("absent", "all missing", "constant", "nought", "one row")


def town() -> Town:
    """Return one town with all stores of the notebooks, as its departments deliver them."""
    rng = np.random.Generator(np.random.PCG64(1))
    places = _places(rng)
    return {
        "shared.neighbourhoods": pd.DataFrame(
            {"neighbourhood": ["n1", "n2", "n3"], "district": ["North", "South", "South"]}
        ),
        "shared.outlines": _outlines(),
        "enforcement.containers": places,
        "enforcement.inspections": _inspections(rng, places),
        "enforcement.reports": _reports(rng, places),
        "enforcement.rounds": _rounds(places),
        "enforcement.fill_levels": _fill_levels(rng, places),
        "shared.calendar": _calendar(),
        "traffic.junctions": _junctions(),
        "traffic.counts": _counts(),
        "traffic.measures": _measures(),
        "traffic.congested_hours": _congested_hours(),
    }


def _outlines() -> pd.DataFrame:
    square = "POLYGON ((230000 580000, 230500 580000, 230500 580400, 230000 580000))"
    rows = [("district", "North", square), ("water", None, square.replace("580400", "580900"))]
    return pd.DataFrame(rows, columns=["kind", "name", "shape"])


def _places(rng: np.random.Generator) -> pd.DataFrame:
    number = 40
    spot = np.arange(number) >= 34
    return pd.DataFrame(
        {
            "cluster": [f"c{row:02}" for row in range(number)],
            "kind": np.where(spot, "dump spot", "container"),
            "fraction": np.where(spot, None, "residual"),
            "x": 230000.0 + 100 * (np.arange(number) % 7),
            "y": 580000.0 + 100 * (np.arange(number) // 7),
            "neighbourhood": rng.choice(["n1", "n2", "n3"], number),
        }
    )


def _inspections(rng: np.random.Generator, places: pd.DataFrame) -> pd.DataFrame:
    starts = pd.to_datetime(["2025-01-06", "2025-02-03", "2025-04-07"]).astype("datetime64[s]")
    roles = ["cleaning crew", "enforcement officer"]
    index = pd.MultiIndex.from_product([places["cluster"], starts, roles])
    table = index.to_frame(index=False, name=["cluster", "period_start", "observer_role"])
    table["inspections"] = rng.integers(3, 12, len(table))
    rate = rng.beta(2, 5, len(places))[pd.factorize(table["cluster"])[0]]
    table["with_waste"] = rng.binomial(table["inspections"], rate)
    for cause, share in {"bulky": 0.3, "residual": 0.3, "cardboard": 0.2}.items():
        table[cause] = rng.binomial(table["with_waste"], share)
    # A full container need not have waste beside it.
    table["full"] = rng.binomial(table["inspections"], 0.1)
    table["broken"] = rng.binomial(table["inspections"], 0.02)
    return table


def _reports(rng: np.random.Generator, places: pd.DataFrame) -> pd.DataFrame:
    number = 80
    opened = pd.Timestamp("2025-01-06") + pd.to_timedelta(np.sort(rng.integers(0, 90, number)), "D")
    closed = opened + pd.to_timedelta(rng.integers(0, 12, number), "D")
    cluster = rng.choice(places["cluster"].to_numpy(), number)
    again = (rng.random(number) < 0.25) & (np.arange(number) > 0)
    before = np.maximum(np.arange(number) - 1, 0)
    cluster = np.where(again, cluster[before], cluster)
    names = np.array([f"r{row:02}" for row in range(number)], dtype=object)
    at = places.set_index("cluster").loc[cluster]
    unknown = rng.random(number) < 0.2
    return pd.DataFrame(
        {
            "report": names,
            "opened": opened.astype("datetime64[s]"),
            "closed": pd.Series(closed.astype("datetime64[s]")).mask(rng.random(number) < 0.1),
            "channel": rng.choice(["app", "web", "telephone"], number),
            "category": rng.choice(["container full", "bulky waste", "other"], number),
            "cluster": pd.Series(cluster, dtype=object).mask(rng.random(number) < 0.1, None),
            "duplicate_of": pd.Series(np.where(again, names[before], None), dtype=object),
            "x": np.where(unknown, np.nan, at["x"] + rng.integers(0, 2000, number)),
            "y": np.where(unknown, np.nan, at["y"] + rng.integers(0, 2000, number)),
        }
    )


def _rounds(places: pd.DataFrame) -> pd.DataFrame:
    number = len(places)
    return pd.DataFrame(
        {
            "cluster": places["cluster"],
            "weekday": 1 + np.arange(number) % 5,
            "truck": np.where(np.arange(number) % 2, "T1", "T2"),
            "start": 420 + 15 * np.arange(number) % 600,
            "service_seconds": 120,
        }
    )


def _fill_levels(rng: np.random.Generator, places: pd.DataFrame) -> pd.DataFrame:
    """Return levels that rise until the morning of the notebook *morning*, twice a day."""
    days = pd.date_range("2025-12-27", "2026-01-04").astype("datetime64[s]")
    containers = places.loc[places["kind"] == "container", "cluster"]
    index = pd.MultiIndex.from_product([containers, days, [6, 20]])
    table = index.to_frame(index=False, name=["cluster", "day", "hour"])
    turn = table.groupby("cluster").cumcount()
    rise = rng.integers(1, 8, len(containers))[pd.factorize(table["cluster"])[0]]
    table["level"] = (10.0 + rise * turn).clip(upper=100.0)
    return table.assign(minute=15, fraction="residual", source="sensor", state="ok")


def _calendar() -> pd.DataFrame:
    days = pd.date_range(counted_streets.MONDAY, periods=12 * 7).astype("datetime64[s]")
    free = np.arange(len(days)) == 45
    table = pd.DataFrame({"day": days, "holiday": np.where(free, "Feast", None)})
    table["school_holiday"] = np.where((np.arange(len(days)) // 7) == 4, "yes", "no")
    return table.assign(student_moves="no", event=np.where(free, "Market", None))


def _junctions() -> pd.DataFrame:
    table = pd.DataFrame(
        [("J1", "arm 0", "S", "A"), ("J1", "arm 1", "S", "B"), ("J2", "arm 0", "all", "A")],
        columns=["site", "approach", "lane_group", "phase"],
    )
    return table.assign(
        name=["Ring", "Ring", "Canal"],
        x=[230100.0, 230100.0, 230400.0],
        y=[580100.0, 580100.0, 580300.0],
        lanes=1,
        storage_length=[60.0, None, 250.0],
        saturation_flow=1800,
        green=[50, 30, 80],
        cycle=90,
        lost_time=10,
        minimum_green=7,
        pedestrian_time=[12.0, None, 10.0],
    )


def _counts() -> pd.DataFrame:
    keys = pd.DataFrame(
        [
            ("J1", "arm 0", "S", "car", "D0"),
            ("J1", "arm 1", "S", "car", "D1"),
            ("J1", "arm 1", "-", "bike", "D2"),
            ("J2", "arm 0", "-", "car", "D3"),
            ("J1", "arm 0", "-", "bus", "D4"),
        ],
        columns=["site", "approach", "movement", "mode", "detector"],
    )
    count = counted_streets.drawn([700, 400, 90, 500, 8], weeks=11)
    count[1, 20:22] = np.nan
    return counted_streets.table(count, keys)


def _measures() -> pd.DataFrame:
    days = pd.to_datetime(["2025-04-28", "2025-04-14"]).astype("datetime64[s]")
    table = pd.DataFrame({"measure": ["M1", "M2"], "site": ["J1", "J2"], "first_day": days})
    ended = pd.to_datetime([None, "2025-05-11"]).astype("datetime64[s]")
    return table.assign(
        approach=["all", "arm 0"],
        kind=["signal plan", "ban"],
        aimed_at="car",
        aim=["more", "fewer"],
        last_day=ended,
    )


def _congested_hours() -> pd.DataFrame:
    table = pd.DataFrame({"site": ["J1", "J1", "J2"], "weekday": 1, "hour": [7, 8, 8]})
    last = pd.Timestamp("2025-12-29").as_unit("s")
    return table.assign(
        x=[230100.0, 230100.0, 230400.0],
        y=[580100.0, 580100.0, 580300.0],
        basis="volume / capacity",
        weeks=40,
        chance=[0.9, 0.5, 0.8],
        low=[0.8, 0.4, 0.7],
        high=[0.95, 0.6, 0.9],
        counted_to=last,
        last_known=last,
    )


def granted(whole: Mapping[str, pd.DataFrame], purpose: str) -> Town:
    """Return what a purpose hands out of a town: its stores and columns."""
    found = {}
    for grant in PURPOSES[purpose].grants:
        if grant.store not in whole:
            continue
        names = [name for name in grant.names if name in whole[grant.store]]
        found[grant.store] = whole[grant.store][names]
    return found


def lawful(data: Town) -> Town:
    """Return the rows that intake would take in: by the keys, rules and references of contracts."""
    found: Town = {}
    for store, table in data.items():
        contract = CONTRACTS[store]
        key = [name for name in contract.key if name in table and table[name].notna().any()]
        kept = table.drop_duplicates(key) if key else table
        for rule in contract.rules:
            kept = _obeying(kept, rule.expression, contract)
        found[store] = kept.reset_index(drop=True)
    for store, table in found.items():
        for column in CONTRACTS[store].columns:
            if column.reference and column.name in table and column.reference[0] in found:
                other, name = column.reference
                known = found[other].get(name, table[column.name])
                if known.notna().any():
                    inside = table[column.name].isin(known) | table[column.name].isna()
                    table = table[inside].reset_index(drop=True)
        found[store] = table
    return found


def _obeying(table: pd.DataFrame, rule: str, contract: Contract) -> pd.DataFrame:
    """Return the rows that do not break a rule; one on a column that is not here holds."""
    engine = duckdb.connect()
    full = table.assign(
        **{column.name: None for column in contract.columns if column.name not in table}
    )
    engine.register("rows", full.astype(object).where(full.notna(), None).infer_objects())
    held = engine.sql(f"SELECT ({rule}) IS NOT FALSE FROM rows").fetchnumpy()
    return table[np.asarray(next(iter(held.values())), dtype=bool)]


def damages(whole: Town, purpose: str) -> Iterator[tuple[str, Town]]:
    """Yield every damage of a column or store that a contract allows, with its name."""
    data = granted(whole, purpose)
    yield "everything absent", {}
    for store, table in data.items():
        rest = {name: other for name, other in data.items() if name != store}
        yield f"{store} absent", rest
        yield f"{store} alone", {store: table}
        yield f"{store} one row", data | {store: table.head(1)}
        yield f"{store} no row", data | {store: table.head(0)}
        for name in table.columns:
            column = CONTRACTS[store].column(name)
            for damage in DAMAGES[:4]:
                hurt = _hurt(table, column, damage)
                if hurt is not None:
                    yield f"{store}.{name} {damage}", data | {store: hurt}


def _hurt(table: pd.DataFrame, column: Column, damage: str) -> pd.DataFrame | None:
    """Return a table with one column damaged, or None where nothing could be damaged like that."""
    values = table[column.name]
    if damage == "absent":
        return table.drop(columns=column.name)
    if damage == "all missing":
        kind = values.dtype if values.dtype.kind in "fM" else object
        return table.assign(**{column.name: pd.Series(None, index=table.index, dtype=kind)})
    if damage == "constant":
        # Of exposures the most, so that what was found of them still fits.
        value = values.max() if column.name == "inspections" else values.dropna().iloc[0]
        return table.assign(**{column.name: pd.Series(value, table.index, values.dtype)})
    if column.type in ("integer", "number") and not (column.minimum or 0) > 0:
        return table.assign(**{column.name: pd.Series(0, table.index).astype(values.dtype)})
    return None


@cache
def _cells(name: str) -> list[tuple[str, CodeType]]:
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [(cell.id, compile(cell.source, f"{name} {cell.id}", "exec")) for cell in code]


def run(
    name: str, data: Town, monkeypatch: pytest.MonkeyPatch, drawn: bool = False
) -> dict[str, Any]:
    """Run the code of a notebook on an extract; return what it published, by name.

    Parameters
    ----------
    name, data, monkeypatch
        Notebook, extract, and the fixture.
    drawn
        Whether figures are drawn; else only what a figure checks of its table.

    Returns
    -------
    dict
        Name → text of the CSV, or the metadata of an absent chapter; ``answer`` → its sentence.
    """
    published: dict[str, Any] = {}

    def publish(content: dict[str, Any], metadata: dict[str, Any]) -> None:
        about = metadata["datamall"]
        if about["kind"] == "absent":
            published[about["name"]] = about
        elif tables.CSV in content:
            published[about["name"]] = content[tables.CSV]
            # The files of the page: JSON knows no infinite number.
            list(records.json_of(content[tables.CSV].encode(), about["columns"]))
        elif tables.ANSWER in content:
            published["answer"] = content[tables.ANSWER]["sentence"]

    monkeypatch.setattr(door, "extract", lambda purpose, compact=False, on_file=(): data)
    monkeypatch.setattr(tables, "publish", publish)
    if not drawn:
        monkeypatch.setattr(canvas, "png", lambda draw, numbers, height, **_: b"")
    scope: dict[str, Any] = {}
    for _, code in _cells(name):
        exec(code, scope)
    return published
