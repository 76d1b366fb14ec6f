"""Which exact files a page rests on, without a clock, a commit or a machine."""

import ast
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datamall.modules import of_notebook, reached
from datamall.project import file_digest, load_parameters, reports_folder, store_folder
from datamall.yamlfile import load_mapping

# What runs a notebook and makes its page, whatever it imports itself.
RUNNING = ("datamall.mall.kernel", "datamall.reporting.places", "datamall.decisions")
# What of the use case stands between counts and their verdict: hiding and reading them.
JUDGING = ("audit/knowledge.py", "audit/sources.py", "disclosure.py")
METHOD = "method that judges"
ABOUT = ("title", "synthetic", "description", "as_of")  # of an authority, in its pages
REGISTERS = "mall."  # stores that the door makes from every contract and from what intake wrote


def provenance(root: Path, authority: str, notebook: str) -> dict[str, str]:
    """Return name → SHA-256 of everything that shaped a page.

    The notebook, the modules that it and the kernel can run, the contracts of its stores, what was
    decided on the page, its purposes and parameters (as canonical JSON), the authority's title and
    kind, and the manifest of every input store; the manifest holds the SHA-256 of each part, of
    each raw file and of the mapping. The mall's own registers rest on all stores, mappings and
    purposes, their reports of quality and the list of reports.

    Parameters
    ----------
    root
        Project folder.
    authority
        Name of the authority.
    notebook
        Name of the notebook, a key of ``reports`` in params.yaml.
    """
    parameters = load_parameters(root)
    purposes = load_mapping(root / "data" / "purposes.yaml", "data/purposes.yaml")
    report = parameters["reports"][notebook]
    # A purpose that is not registered has no stores here; the door will refuse it by name.
    stores = sorted({s for p in report["purposes"] for s in purposes.get(p, {}).get("stores", {})})
    registers = any(store.startswith(REGISTERS) for store in stores)
    if registers:
        found = (root / "data" / "contracts").glob("*/*.yaml")
        stores = sorted(f"{path.parent.name}.{path.stem}" for path in found)
    path = root / "notebooks" / f"{notebook}.ipynb"
    files = [
        path,
        *reached(root / "src" / "datamall", [*of_notebook(path), *RUNNING]),
        *(root / "data" / "contracts" / f"{store.replace('.', '/')}.yaml" for store in stores),
    ]
    if registers:
        about = root / "data" / "authorities" / f"{authority}.yaml"
        uses = root / "data" / "usage" / authority / "published.yaml"
        files += [root / "data" / "purposes.yaml", about, uses]
    # What people decided on it, which the page shows, and who signs.
    files += sorted((root / "data" / "decisions" / authority / notebook).glob("*.json"))
    files.append(root / "data" / "keys" / f"{authority}.yaml")
    digests = file_digests(root, files) | about_digest(root, authority)
    for purpose in report["purposes"]:
        digests[f"purpose {purpose}"] = canonical_digest(purposes.get(purpose))
    digests[f"params.yaml: {notebook}"] = canonical_digest(parameters[notebook])
    if report.get("audit"):
        digests[METHOD] = method_digest(root)
    if registers:
        digests["params.yaml: reports"] = canonical_digest(parameters["reports"])
        quality = sorted((reports_folder(root, authority) / "quality").glob("*.json"))
        digests |= {f"quality {path.stem}": file_digest(path) for path in quality}
    if report.get("of"):  # what it shows is what that report found
        found = (reports_folder(root, authority) / "results" / report["of"]).glob("*.json")
        own = {path.name: file_digest(path) for path in sorted(found)}
        digests[f"results of {report['of']}"] = canonical_digest(own)
    for store in stores:
        manifest = store_folder(root, authority, store) / "store.json"
        if manifest.is_file():
            digests[f"store {store}"] = file_digest(manifest)
    return digests


def about_digest(root: Path, authority: str) -> dict[str, str]:
    """Return the SHA-256 of what pages say about an authority; nothing where it has no mapping."""
    path = root / "data" / "authorities" / f"{authority}.yaml"
    if not path.is_file():
        return {}
    known = load_mapping(path, f"data/authorities/{authority}.yaml")
    return {"authority": canonical_digest({name: known.get(name) for name in ABOUT})}


def file_digests(root: Path, files: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of the files that are there, by their path in the project."""
    return {str(path.relative_to(root)): file_digest(path) for path in files if path.is_file()}


def method_digest(root: Path) -> str:
    """Return the SHA-256 of the modules that turn counts into a verdict of the bias audit.

    Comments, docstrings and blank lines are left out: they judge nobody.
    """
    source, text = root / "src" / "datamall", []
    files = [*sorted((source / "fairness").rglob("*.py")), source / "small_numbers.py"]
    files += [source / "fraud" / name for name in JUDGING]
    for path in files:
        if path.is_file():
            text.append(f"{path.relative_to(source).as_posix()}\n{_code(path.read_text('utf-8'))}")
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def _code(source: str) -> str:
    """Return a program without comments, docstrings and blank lines."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            first = node.body[0]
            for row in range(first.lineno - 1, first.end_lineno or first.lineno):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def canonical_digest(value: Any) -> str:
    """Return the SHA-256 of a value's JSON without white space, in the order that it has.

    Order counts: the first definition of an outcome is the one that decides.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
