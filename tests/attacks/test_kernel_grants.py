"""A kernel gets the columns of its report's purposes, and nothing of another purpose."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from conftest import Kernel
from tiny_mall import SECRET, make_project, write_store

from datamall.mall.contracts import Column, arrow_type, load_contracts

HIDDEN = f"hidden-{SECRET}"
HIDDEN_DAY = date(1947, 11, 1)
PURPOSES = ("traffic", "fraud-profile")
LOOK = """
from datamall.mall.door import extract
data = extract({purpose!r})
found = {{store: list(table.columns) for store, table in data.items()}}
values = {{str(value) for table in data.values() for value in table.to_numpy().ravel()}}
print([found, sorted(values), data.personal])
"""


def value(column: Column, granted: bool) -> Any:
    """Return a harmless value where a column is granted, and a telling one where it is not."""
    telling: dict[str, tuple[Any, Any]] = {
        "string": ("harmless", HIDDEN),
        "integer": (1, SECRET),
        "number": (Decimal(1), Decimal(7)),
        "date": (date(2025, 1, 1), HIDDEN_DAY),
    }
    return telling[column.type][0 if granted else 1]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose stores hold what no purpose of the two is granted."""
    project = make_project(tmp_path_factory.mktemp("city"))
    register = yaml.safe_load((project / "data" / "purposes.yaml").read_text("utf-8"))
    contracts = load_contracts(project)
    hidden = 0
    for purpose in PURPOSES:
        for store, wish in register[purpose]["stores"].items():
            columns = contracts[store].columns
            arrays = [pa.array([value(c, c.name in wish["columns"])]) for c in columns]
            schema = pa.schema([(c.name, arrow_type(c)) for c in columns])
            table = pa.table(arrays, names=[c.name for c in columns]).cast(schema)
            write_store(project, store, table, 1)
            hidden += len(columns) - len(wish["columns"])
    assert hidden > 20
    return project


@pytest.mark.parametrize("purpose", PURPOSES)
def test_nothing_beyond_the_grant_is_handed_out(
    city: Path, start: Callable[..., Kernel], purpose: str
) -> None:
    kernel = start(city, purposes=[purpose])
    answer = kernel.run(LOOK.format(purpose=purpose))
    assert answer.error == ""
    columns, values, personal = yaml.safe_load(answer.printed)
    register = yaml.safe_load((city / "data" / "purposes.yaml").read_text("utf-8"))
    stores = register[purpose]["stores"]
    assert columns == {store: wish["columns"] for store, wish in stores.items()}
    assert "harmless" in values
    for secret in (HIDDEN, str(SECRET), str(HIDDEN_DAY)):
        assert not [text for text in values if secret in text]
    assert personal is register[purpose]["processes_personal_data"]
    # Nor do the files of the extract hold it where a table does not show it.
    files = [path for path in kernel.door.extracts.rglob("*") if path.is_file()]
    assert len(files) == len(stores) + 1
    assert not [path for path in files if HIDDEN.encode() in path.read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("own", "other"),
    [("traffic", "fraud-profile"), ("fraud-profile", "traffic"), ("traffic", "mall")],
)
def test_a_kernel_of_one_report_gets_no_purpose_of_another(
    city: Path, start: Callable[..., Kernel], own: str, other: str
) -> None:
    kernel = start(city, purposes=[own])
    refused = kernel.run(f"from datamall.mall.door import extract; extract({other!r})").error
    assert "not-granted" in refused
    assert list(kernel.door.extracts.iterdir()) == []
    # The same purpose is handed out where the report may have it: so this test can fail.
    assert start(city, purposes=[other]).run(LOOK.format(purpose=other)).error == ""
