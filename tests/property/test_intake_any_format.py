"""The same records are the same store, in whatever format they come."""

import csv
import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_intake import STORE, column, fields, folder, quarantined, stored, write_project

from datamall.errors import DatamallError
from datamall.mall.intake import intake

NAMES = ("Nr", "Dag", "Aantal", "Gewicht", "Opmerking")
WIDTHS = (6, 11, 8, 8, 30)
Record = tuple[str, ...]
record = st.tuples(
    st.sampled_from(["a", "b", "c", "dd", "é", "Total", ""]),
    st.sampled_from(["01-01-2025", "31-12-2025", "31-02-2025", ""]),
    st.sampled_from(["1", "3,0", "3,5", "x", "", "-", "2"]),
    st.sampled_from(["", "1,5", "10", "n.b."]),
    st.text(alphabet="ab é\u0301\u00a0;,\"'{}", max_size=12).map(
        lambda text: " ".join(text.split())
    ),
)
# A blank line of fixed width is no record.
records = st.lists(record.filter(any), min_size=1, max_size=12)


def csv_of(rows: list[Record], header: bool = True, **marks: Any) -> bytes:
    text = io.StringIO()
    marks = {"delimiter": ";", "lineterminator": "\n", **marks}
    csv.writer(text, **marks).writerows([NAMES, *rows] if header else rows)
    return text.getvalue().encode()


def zipped(content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("x.csv", content)
    return target.getvalue()


def keyed(rows: list[Record]) -> list[dict[str, str]]:
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


def features(rows: list[Record]) -> bytes:
    listed = [{"type": "Feature", "properties": row, "geometry": None} for row in keyed(rows)]
    return json.dumps({"type": "FeatureCollection", "features": listed}).encode()


def fixed(rows: list[Record]) -> bytes:
    lines = (
        "".join(text.ljust(width) for text, width in zip(row, WIDTHS, strict=True)) for row in rows
    )
    return "".join(f"{line}\n" for line in lines).encode()


STARTS = [1 + sum(WIDTHS[:n]) for n in range(len(WIDTHS))]
PLACES = {
    name: f"{start}-{start + width - 1}"
    for name, start, width in zip(NAMES, STARTS, WIDTHS, strict=True)
}
CSV = {"format": "csv", "separator": ";"}
FORMS: dict[str, tuple[dict[str, Any], Callable[[list[Record]], bytes], int]] = {
    # name: words of the mapping, writer, number of the first record
    "csv": (CSV, csv_of, 2),
    "titles": ({**CSV, "header_row": 3}, lambda rows: b"A title; x\n\n" + csv_of(rows), 4),
    "sep": ({**CSV, "separator": "|"}, lambda rows: b"sep=|\n" + csv_of(rows, delimiter="|"), 2),
    "headless": ({**CSV, "columns": [*NAMES]}, lambda rows: csv_of(rows, header=False), 1),
    "utf-16": (
        {**CSV, "encoding": "utf-16"}, lambda rows: csv_of(rows).decode().encode("utf-16"), 2
    ),
    "gz": (CSV, lambda rows: gzip.compress(csv_of(rows)), 2),
    "zip": (CSV, lambda rows: zipped(csv_of(rows)), 2),
    "json": ({"format": "json"}, lambda rows: json.dumps(keyed(rows)).encode(), 1),
    "deep": (
        {"format": "json", "records": "a.b"},
        lambda rows: json.dumps({"a": {"n": 1, "b": keyed(rows)}}).encode(),
        1,
    ),
    "jsonl": (
        {"format": "jsonl"},
        lambda rows: b"".join(json.dumps(row).encode() + b"\n" for row in keyed(rows)),
        1,
    ),
    "geojson": ({"format": "geojson"}, features, 1),
    "fixed": ({"format": "fixed", "columns": PLACES}, fixed, 1),
}  # fmt: skip


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records)
def test_the_same_records_are_the_same_store_in_any_format(rows: list[Record]) -> None:
    def contract(document: dict[str, Any]) -> None:
        document["schema"][0]["properties"][5] = column("note", "string")

    found = {}
    for name, (words, write, first) in FORMS.items():

        def authority(document: dict[str, Any], words: dict[str, Any] = words) -> None:
            document["files"]["list"] = {
                "path": "things", "decimal": ",", "thousands": ".", "date_format": "%d-%m-%Y",
                "missing": ["-", "n.b."], **words,
            }  # fmt: skip
            fields(document).pop("colour")
            fields(document)["note"] = {"from": "Opmerking"}

        with tempfile.TemporaryDirectory() as place:
            root = write_project(Path(place), {"things": write(rows)}, contract, authority)
            try:
                report = intake(root, "tiny", STORE)
            except DatamallError as error:
                found[name] = [str(error).split(":")[0]]
                continue
            part = (folder(root) / "part-00000.parquet").read_bytes()
            apart = [(row["row"] - first, row["reason"]) for row in quarantined(root)]
            assert len(stored(root)) == report["accepted"]
            assert report["parsed"] == len(rows) == report["accepted"] + report["quarantined"]
            # But for the file that it came in.
            del report["deliveries"]
            found[name] = [part, report, apart]
    assert all(result == found["csv"] for result in found.values())
