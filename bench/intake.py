"""Intake of millions of inspections against pandas + pandera doing the same work.

Both read one windows-1252 file with semicolons, decimal commas and Dutch dates, check the same
types, ranges, values, rule and key, set faulty rows apart, sort by key and write Parquet. Each
runs in a process of its own; time and peak memory are those of that process.

    python bench/intake.py [--rows 10000000] [--threads 2]
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

WORK = Path(__file__).parent / ".work" / "intake"
RAW = WORK / "data" / "raw" / "bench" / "schouwen.csv"
HEADER = "Clusternummer;Datum;Waarnemer;Aantal schouwen;Met bijplaatsing;Grofvuil;Gewicht (kg)\n"
ROLES = {"Reinigingsploeg": "cleaning crew", "Handhaver (coördinatie)": "enforcement officer"}
CHUNK = 250_000
DAYS = 365
BUDGET_RATIO, BUDGET_MB = 2.0, 1000


def column(name: str, kind: str, physical: str, **more: object) -> dict[str, object]:
    return {
        "name": name, "description": name, "logicalType": kind, "physicalType": physical,
        "required": True, **more,
    }  # fmt: skip


def count(name: str, low: int, high: int, unit: str, kind: str = "integer") -> dict[str, object]:
    physical = "bigint" if kind == "integer" else "decimal(9,2)"
    return column(
        name, kind, physical, logicalTypeOptions={"minimum": low, "maximum": high},
        customProperties=[{"property": "unit", "value": unit}],
    )  # fmt: skip


def key(position: int) -> dict[str, object]:
    return {"primaryKey": True, "primaryKeyPosition": position}


CONTRACT = {
    "apiVersion": "v3.1.0", "kind": "DataContract", "id": "bench.inspections",
    "name": "Inspections", "version": "1.0.0", "status": "active",
    "customProperties": [{"property": "counted", "value": "things"}],
    "team": {"members": [
        {"username": "bench", "role": "owner"}, {"username": "bench", "role": "steward"},
    ]},
    "slaProperties": [{"property": "retention", "value": 1, "unit": "d"}],
    "schema": [{
        "name": "inspections", "logicalType": "object",
        "quality": [{
            "type": "custom", "engine": "datamall", "name": "waste_within_inspections",
            "description": "More with waste than inspections.",
            "implementation": "with_waste <= inspections",
        }],
        "properties": [
            column("cluster", "string", "varchar", **key(1),
                   logicalTypeOptions={"minLength": 9, "maxLength": 9}),
            column("day", "date", "date", **key(2),
                   logicalTypeOptions={"minimum": "2025-01-01", "maximum": "2025-12-31"}),
            column("role", "string", "varchar", **key(3), quality=[{
                "type": "library", "metric": "invalidValues", "mustBe": 0,
                "arguments": {"validValues": list(ROLES.values())},
            }]),
            count("inspections", 1, 100, "inspections"),
            count("with_waste", 0, 100, "inspections"),
            count("bulky", 0, 100, "inspections"),
            count("weight", 0, 1000, "kg", "number"),
        ],
    }],
}  # fmt: skip

AUTHORITY = {
    "authority": "bench", "title": "Bench", "synthetic": True,
    "files": {"visits": {
        "path": RAW.name, "format": "csv", "encoding": "windows-1252", "separator": ";",
        "decimal": ",", "date_format": "%d-%m-%Y",
    }},
    "stores": {"bench.inspections": {"file": "visits", "columns": {
        "cluster": {"from": "Clusternummer"},
        "day": {"from": "Datum"},
        "role": {"from": "Waarnemer", "map": ROLES},
        "inspections": {"from": "Aantal schouwen"},
        "with_waste": {"from": "Met bijplaatsing"},
        "bulky": {"from": "Grofvuil"},
        "weight": {"from": "Gewicht (kg)"},
    }}},
}  # fmt: skip


def make(rows: int) -> None:
    """Write the project and its raw file: the same bytes every time, in no particular order."""
    import numpy as np

    for path, content in {
        "data/contracts/bench/inspections.yaml": CONTRACT,
        "data/authorities/bench.yaml": AUTHORITY,
        "params.yaml": {},
    }.items():
        (WORK / path).parent.mkdir(parents=True, exist_ok=True)
        (WORK / path).write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    days = np.arange(np.datetime64("2025-01-01"), np.datetime64("2026-01-01"))
    dates = [*(f"{str(day)[8:]}-{str(day)[5:7]}-2025" for day in days), "31-02-2025"]
    roles = list(ROLES)
    RAW.parent.mkdir(parents=True, exist_ok=True)
    with RAW.open("w", encoding="windows-1252", newline="") as file:
        file.write(HEADER)
        for start in range(0, rows, CHUNK):
            i = np.arange(start, min(start + CHUNK, rows), dtype=np.int64)
            i[i % 50_021 == 50_020] -= 1  # a row that is delivered twice
            j = (i * 7_368_787 + 12_345) % rows  # scatters the keys; the factor is a prime
            seen = 1 + j * 31 % 97 % 20
            waste = np.minimum(j * 17 % 23, seen)
            seen[i % 10_007 == 0] = 0  # below the minimum
            waste[i % 20_011 == 1] = 99  # breaks the rule
            day = j // 2 % DAYS
            day[i % 30_011 == 2] = DAYS  # no date
            weight = j * 7919 % 100_000
            weight[i % 40_009 == 3] = -1  # no number
            lines = (
                f"GR{c:07d};{dates[d]};{roles[r]};{n};{w};{b};{kilograms(g)}\n"
                for c, d, r, n, w, b, g in zip(
                    (j // (DAYS * 2)).tolist(), day.tolist(), (j % 2).tolist(),
                    seen.tolist(), waste.tolist(), (j * 13 % 7).tolist(),
                    weight.tolist(), strict=True,
                )
            )  # fmt: skip
            file.write("".join(lines))


def kilograms(hundredths: int) -> str:
    return "onbekend" if hundredths < 0 else f"{hundredths // 100},{hundredths % 100:02d}"


def with_datamall(threads: int) -> dict[str, object]:
    from datamall.mall.intake import intake

    start = time.perf_counter()
    report = intake(WORK, "bench", "bench.inspections", threads=threads)
    return {"seconds": time.perf_counter() - start, "accepted": report["accepted"]}


def with_pandas() -> dict[str, object]:
    import pandas as pd
    import pandera.pandas as pa

    start = time.perf_counter()
    # As text: one word in a column of numbers would turn all of it into text anyway.
    raw = pd.read_csv(RAW, sep=";", encoding="windows-1252", dtype=str, keep_default_na=False)
    raw.columns = ["cluster", "day", "role", "inspections", "with_waste", "bulky", "weight"]
    counts = ["inspections", "with_waste", "bulky"]
    frame = raw[["cluster"]].copy()
    frame["day"] = pd.to_datetime(raw["day"], format="%d-%m-%Y", errors="coerce")
    frame["role"] = raw["role"].map(ROLES)
    for name in counts:
        frame[name] = pd.to_numeric(raw[name], errors="coerce").astype("Int64")
    weight = raw["weight"].str.replace(",", ".", regex=False)
    frame["weight"] = pd.to_numeric(weight, errors="coerce")
    check = pa.Check
    schema = pa.DataFrameSchema(
        {
            "cluster": pa.Column(str, check.str_length(9, 9)),
            "day": pa.Column(frame["day"].dtype, check.in_range("2025-01-01", "2025-12-31")),
            "role": pa.Column(str, check.isin(list(ROLES.values()))),
            "inspections": pa.Column("Int64", check.in_range(1, 100)),
            "with_waste": pa.Column("Int64", check.in_range(0, 100)),
            "bulky": pa.Column("Int64", check.in_range(0, 100)),
            "weight": pa.Column(float, check.in_range(0, 1000)),
        },
        checks=check(lambda rows: rows["with_waste"] <= rows["inspections"]),
    )
    try:
        schema.validate(frame, lazy=True)
        bad = frame.index[:0]
    except pa.errors.SchemaErrors as errors:
        bad = pd.Index(errors.failure_cases["index"].dropna().unique())
    good = frame.drop(index=bad)
    repeated = good.duplicated(["cluster", "day", "role"])
    quarantine = raw.loc[bad.union(good.index[repeated])]
    good = good[~repeated].sort_values(["cluster", "day", "role"])
    quarantine.to_parquet(WORK / "pandas-quarantine.parquet", compression="zstd")
    good.to_parquet(WORK / "pandas.parquet", compression="zstd", index=False)
    return {"seconds": time.perf_counter() - start, "accepted": len(good)}


def peak_megabytes() -> float:
    """Return this process's peak memory; ru_maxrss would count the parent's before exec."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))


def child(task: str, *arguments: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--task", task, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--task", choices=["make", "datamall", "pandas"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        tasks = {
            "make": lambda: make(options.rows) or {},
            "datamall": lambda: with_datamall(options.threads),
            "pandas": with_pandas,
        }
        result = tasks[options.task]()
        used = resource.getrusage(resource.RUSAGE_SELF)
        more = {"cpu": used.ru_utime + used.ru_stime, "megabytes": peak_megabytes()}
        print(json.dumps({**result, **more}))
        return
    try:
        child("make", "--rows", str(options.rows))
        ours = child("datamall", "--threads", str(options.threads))
        theirs = child("pandas")
        print(f"Intake of {options.rows:,} records ({RAW.stat().st_size / 1e6:,.0f} MB of CSV)")
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    assert ours["accepted"] == theirs["accepted"], "the two do not accept the same rows"
    print(f"{'':<18}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'accepted':>12}")
    for name, row in {"datamall": ours, "pandas + pandera": theirs}.items():
        print(
            f"{name:<18}{row['seconds']:>9.1f}{row['cpu']:>9.1f}{row['megabytes']:>9,.0f}"
            f"{row['accepted']:>12,.0f}"
        )
    ratio = theirs["seconds"] / ours["seconds"]
    print(f"{ratio:.1f} × faster (budget: {BUDGET_RATIO:g} ×), {ours['megabytes']:,.0f} MB "
          f"(budget: {BUDGET_MB:,} MB)")  # fmt: skip


if __name__ == "__main__":
    main()
