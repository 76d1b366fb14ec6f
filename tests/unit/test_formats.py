"""Eleven public formats, each mapped by one YAML and compared with rows reckoned by hand."""

import gzip
import io
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from datamall.mall.intake import intake

FORMATS = Path(__file__).parents[1] / "formats"
NAMES = sorted(path.parent.name for path in FORMATS.glob("*/mapping.yaml"))


def packed(name: str, content: bytes) -> bytes:
    """Return the text of a raw file as its name says that it is packed."""
    if name.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    if not name.endswith(".zip"):
        return content
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo("counts.csv"), content)  # of 1980, and not of now
    return target.getvalue()


def project(root: Path, own: Path) -> Path:
    """Write a project with the contracts of the city and of these formats, and one authority."""
    for contracts in (Path(__file__).parents[2] / "data" / "contracts", FORMATS / "contracts"):
        shutil.copytree(contracts, root / "data" / "contracts", dirs_exist_ok=True)
    (root / "data" / "authorities").mkdir(parents=True)
    shutil.copy(own / "mapping.yaml", root / "data" / "authorities" / f"{own.name}.yaml")
    (raw := root / "data" / "raw" / own.name).mkdir(parents=True)
    for path in own.glob("raw.*"):
        (raw / path.name).write_bytes(packed(path.name, path.read_bytes()))
    return root


@pytest.mark.parametrize("name", NAMES)
def test_a_public_format_is_taken_in_by_its_mapping(tmp_path: Path, name: str) -> None:
    expected = yaml.safe_load((FORMATS / name / "expected.yaml").read_text("utf-8"))
    found = []
    for threads in (1, 3):
        root = project(tmp_path / str(threads), FORMATS / name)
        report: dict[str, Any] = intake(root, name, expected["store"], threads=threads)
        folder = root / "data" / "stores" / name / expected["store"]
        parts = [pq.read_table(path).to_pylist() for path in sorted(folder.glob("part-*"))]
        rows = [[str(row[c]) for c in expected["columns"]] for part in parts for row in part]
        apart = pq.read_table(folder / "quarantine.parquet").to_pylist()
        found.append([path.read_bytes() for path in sorted(folder.iterdir())])
        assert rows == [[str(cell) for cell in row] for row in expected["rows"]]
        assert {row["row"]: row["reason"] for row in apart} == expected["apart"]
        assert report.get("left_out", 0) == expected.get("left_out", 0)
        merged = report.get("merged", 0)
        read = report.get("read", report["parsed"])
        assert read == len(rows) + len(apart) + merged + expected.get("left_out", 0)
    assert found[0] == found[1]


def test_the_table_in_the_docs_names_every_format(root: Path) -> None:
    text = (root / "docs" / "formats.md").read_text("utf-8")
    linked = re.findall(r"\]\(\.\./tests/formats/([a-z0-9-]+)/mapping\.yaml\)", text)
    assert sorted(linked) == NAMES
    assert len(NAMES) == 11
