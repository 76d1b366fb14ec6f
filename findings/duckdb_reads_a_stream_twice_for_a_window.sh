#!/usr/bin/env bash
# duckdb 1.5.6, pyarrow 26.0.1.
# Guess beforehand: a query that names a table once scans it once, so that a stream of Arrow batches,
# which can be read once, will do for a window as it does for a grouping.
# Behaviour: the least value over a whole partition (`min(v) OVER (PARTITION BY id)`) is rewritten to
# a grouping that is joined to the rows themselves (optimizer window_self_join), which scans the table
# twice; of a stream that is an error. A row number over the same partition scans once, and a
# materialised common table expression takes the second scan upon itself. Output seen:
#   group: [(1, 5), (2, 7)]
#   row_number: [(1, 5, 1), (1, 6, 2), (2, 7, 1)]
#   min: InvalidInputException: This ArrowArrayStream has already been consumed and cannot be scanned again.
#   min, materialised: [(1, 5, 5), (1, 6, 5), (2, 7, 7)]
#   min, without the optimizer: [(1, 5, 5), (1, 6, 5), (2, 7, 7)]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb==1.5.6 pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import pyarrow as pa


def asked(query: str, *settings: str) -> str:
    table = pa.table({"id": [1, 1, 2], "v": [5, 6, 7]})
    stream = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
    with duckdb.connect() as engine:
        for setting in settings:
            engine.execute(setting)
        engine.register("raw", stream.__arrow_c_stream__())
        try:
            return str(engine.execute(query).fetchall())
        except duckdb.InvalidInputException as error:
            return f"InvalidInputException: {str(error).removeprefix('Invalid Input Error: ')}"


least = "SELECT id, v, min(v) OVER (PARTITION BY id) FROM {} ORDER BY v"
number = "SELECT id, v, row_number() OVER (PARTITION BY id ORDER BY v) FROM raw ORDER BY v"
answers = [(1, 5, 5), (1, 6, 5), (2, 7, 7)]
found = {
    "group": asked("SELECT id, min(v) FROM raw GROUP BY id ORDER BY id"),
    "row_number": asked(number),
    "min": asked(least.format("raw")),
    "min, materialised": asked("WITH once AS MATERIALIZED (FROM raw) " + least.format("once")),
    "min, without the optimizer": asked(
        least.format("raw"), "SET disabled_optimizers = 'window_self_join'"
    ),
}
for name, said in found.items():
    print(f"{name}: {said}")
assert found["group"] == str([(1, 5), (2, 7)])
assert found["row_number"] == str([(1, 5, 1), (1, 6, 2), (2, 7, 1)])
assert "already been consumed" in found["min"]
assert found["min, materialised"] == found["min, without the optimizer"] == str(answers)
PYTHON
