"""A page names what it rests on."""

from pathlib import Path

from datamall.mall.contracts import load_contracts
from datamall.mall.registers import is_register
from datamall.provenance import REGISTERS, provenance


def test_a_page_rests_on_the_contracts_of_its_purposes_alone(root: Path) -> None:
    digests = provenance(root, "demo", "enforcement")
    contracts = {name for name in digests if name.startswith("data/contracts/")}
    assert "data/contracts/enforcement/inspections.yaml" in contracts
    assert "data/contracts/welfare/clients.yaml" not in contracts
    assert not [name for name in digests if name.startswith("quality ")]
    assert all(len(digest) == 64 for digest in digests.values())
    assert {"notebooks/enforcement.ipynb", "src/datamall/mall/purposes.py"} <= set(digests)


def test_the_catalogue_rests_on_everything_that_it_describes(root: Path) -> None:
    digests = provenance(root, "demo", "mall")
    contracts = load_contracts(root)
    for name in contracts:
        assert f"data/contracts/{name.replace('.', '/')}.yaml" in digests
        assert is_register(name) is name.startswith(REGISTERS)
    reported = {path.stem for path in (root / "reports" / "quality").glob("*.json")}
    assert reported
    assert {f"quality {store}" for store in reported} <= set(digests)
    assert "params.yaml: reports" in digests
