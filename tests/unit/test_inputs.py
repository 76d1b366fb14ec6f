"""What a stage rests on is all that it can run, and nothing that only its neighbours read."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from datamall import inputs
from datamall.modules import of_notebook, reached
from datamall.project import load_parameters

LOADED = (
    "import sys; print(*(m.__file__ for n, m in sorted(sys.modules.items()) "
    "if n.split('.')[0] == 'datamall' and getattr(m, '__file__', None)), sep='\\n')"
)


def loaded(code: str) -> set[str]:
    """Return the files of this package that a program has loaded at its end."""
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, check=True
    )
    return {path.split("/src/datamall/")[1] for path in ran.stdout.split()}


def imports(notebook: Path) -> str:
    """Return the lines of a notebook that import something."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    nodes = (n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Import | ast.ImportFrom))
    return "\n".join(ast.unparse(node) for node in nodes)


def names(root: Path) -> list[str]:
    return sorted(load_parameters(root)["reports"])


@pytest.mark.slow
def test_all_that_a_notebook_loads_is_among_what_its_page_rests_on(root: Path) -> None:
    source = root / "src" / "datamall"
    for name in names(root):
        notebook = root / "notebooks" / f"{name}.ipynb"
        own = {p.relative_to(source).as_posix() for p in reached(source, of_notebook(notebook))}
        met = loaded(imports(notebook))
        assert met and met <= own, name
        # The method that judges is no part of a page that judges nothing.
        judges = name.startswith("fraud") or name == "enforcement"  # who is looked at, and where
        assert ("fairness/auditing.py" in own) == judges, name
        found = inputs.provenance(root, "demo", name)
        assert {f"src/datamall/{path}" for path in own} < set(found)
        assert "src/datamall/reporting/templates/style.css" in found
        assert "src/datamall/mall/sandbox.py" in found


@pytest.mark.parametrize(
    "module", ["datamall.mall.intake", "datamall.gate", "datamall.reporting.index"]
)
def test_all_that_a_module_loads_is_reached(root: Path, module: str) -> None:
    source = root / "src" / "datamall"
    own = {path.relative_to(source).as_posix() for path in reached(source, [module])}
    assert loaded(f"import {module}") <= own
    assert ("mall/odcs-3.1.0.json" in own) == (module == "datamall.mall.intake")


def test_imports_within_functions_and_of_what_a_module_holds_are_reached(tmp_path: Path) -> None:
    source = tmp_path / "datamall"
    (source / "use" / "texts").mkdir(parents=True)
    (source / "__init__.py").touch()
    (source / "use" / "__init__.py").write_text("from datamall.other import thing\n", "utf-8")
    (source / "use" / "a.py").write_text("def f():\n    from datamall.use import b\n", "utf-8")
    (source / "use" / "b.py").write_text("import datamall.far\nimport os\n", "utf-8")
    (source / "use" / "texts" / "page.txt").touch()
    for name in ("other", "far", "near"):
        (source / f"{name}.py").write_text("from . import nothing\n", "utf-8")
    found = [path.relative_to(source).as_posix() for path in reached(source, ["datamall.use.a"])]
    assert found == [
        "__init__.py", "far.py", "other.py", "use/__init__.py", "use/a.py", "use/b.py",
        "use/texts/page.txt",
    ]  # fmt: skip
    assert reached(source, ["datamall.nowhere.at_all"]) == [source / "__init__.py"]


@pytest.fixture
def city(root: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a project with the demo's mapping and contracts, and two small raw files."""
    for name in ("data/contracts", "data/authorities"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns(".dvc"))
    for name in ("params.yaml", "data/purposes.yaml"):
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "notebooks").mkdir()
    for name in names(root):
        shutil.copy(root / "notebooks" / f"{name}.ipynb", tmp_path / "notebooks")
    (tmp_path / "src").symlink_to(root / "src")
    raw = tmp_path / "data" / "raw" / "demo"
    raw.mkdir(parents=True)
    yield tmp_path


def changed(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> set[str]:
    return {name for name in after if before[name] != after[name]}


def test_a_new_file_concerns_its_store_alone(city: Path) -> None:
    before = inputs.of_stores(city, "demo")
    mapping = yaml.safe_load((city / "data" / "authorities" / "demo.yaml").read_text("utf-8"))
    of_reports = mapping["files"][mapping["stores"]["enforcement.reports"]["file"]]["path"]
    path = city / "data" / "raw" / "demo" / of_reports
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a;b\n", "utf-8")
    after = inputs.of_stores(city, "demo")
    assert changed(before, after) == {"enforcement.reports"}
    assert before["enforcement.reports"][f"raw {of_reports}"] == "not there"


def test_a_mapping_and_a_contract_concern_their_stores_alone(city: Path) -> None:
    before = inputs.of_stores(city, "demo")
    path = city / "data" / "authorities" / "demo.yaml"
    text = path.read_text("utf-8")
    document = yaml.safe_load(text)
    document["stores"]["enforcement.inspections"]["conflicts"] = {"at_most": 0.1, "because": "x"}
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    assert changed(before, inputs.of_stores(city, "demo")) == {"enforcement.inspections"}
    path.write_text(text, "utf-8")
    contract = city / "data" / "contracts" / "enforcement" / "containers.yaml"
    contract.write_text(contract.read_text("utf-8") + "\n", "utf-8")
    assert changed(before, inputs.of_stores(city, "demo")) == {
        "enforcement.actions", "enforcement.containers", "enforcement.fill_levels",
        "enforcement.inspections", "enforcement.reports", "enforcement.rounds",
        "enforcement.stop_results", "enforcement.under_way",
    }  # fmt: skip


def test_a_store_concerns_the_reports_that_read_it(city: Path) -> None:
    before = inputs.of_reports(city, "demo")
    folder = city / "data" / "stores" / "demo" / "welfare.audit_counts"
    folder.mkdir(parents=True)
    (folder / "store.json").write_text("{}", "utf-8")
    assert changed(before, inputs.of_reports(city, "demo")) == {"fraud_audit", "mall", "gate"}


def test_a_purpose_concerns_its_report(city: Path) -> None:
    before = inputs.of_reports(city, "demo")
    path = city / "data" / "purposes.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    document["traffic"]["title"] = "Another title"
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    assert changed(before, inputs.of_reports(city, "demo")) == {"traffic", "junctions", "mall"}


def test_files_are_the_same_bytes_and_old_ones_go(city: Path) -> None:
    inputs.write(city, "demo", "stores")
    folder = city / "data" / "inputs" / "demo" / "stores"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "gone.json").touch()
    inputs.write(city, "demo", "stores")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(before) == 21


def test_reports_that_hand_something_over_are_written_apart(city: Path) -> None:
    """And what they hand over is no raw file: the intake waits for the page's results itself."""
    for kind in ("stores", "handing-over", "reports"):
        inputs.write(city, "demo", kind)
    folder = city / "data" / "inputs" / "demo"
    assert [path.name for path in (folder / "handing-over").iterdir()] == ["traffic.json"]
    others = {path.stem for path in (folder / "reports").iterdir()}
    assert others == {*names(city), "gate", "index"} - {"traffic"}
    own = json.loads((folder / "stores" / "traffic.congested_hours.json").read_text("utf-8"))
    assert not [name for name in own if name.startswith("raw ")]
    assert "mapping of traffic.congested_hours" in own
