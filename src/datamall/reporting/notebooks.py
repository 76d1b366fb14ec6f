"""Run a notebook into a page and its results; keep notebooks clean. Alone knows papermill.

Parameters are checked against the notebook before any kernel starts, because papermill executes
parameter *names* as code. What comes back from the kernel is data, not trusted: names of result
files are checked, and an output that could differ from run to run is an error.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from datamall.errors import DatamallError
from datamall.imports import without_grammar
from datamall.reporting import pages, records
from datamall.reporting.parameters import check_parameters, declared
from datamall.reporting.tables import ANSWER, check_name, csv_of

with without_grammar():
    import nbformat
    from nbformat import NotebookNode

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
KINDS = ("table", "numbers", "figure", "absent", "answer")
LEFT_ALONE = ("scratch", "reports")  # folders whose notebooks keep their outputs when saved


def run(
    root: Path,
    authority: str,
    notebook: Path,
    *,
    parameters: Mapping[str, Any],
    config: Any = None,
    provenance: Mapping[str, str],
    out_folder: Path,
    isolated: bool = True,
    decided: Callable[[Path], Sequence[Mapping[str, Any]]] = lambda results: (),
    timeout: int = 900,
) -> None:
    """Run a notebook and write ``<name>.ipynb``, ``<name>.html`` and ``results/<name>/``.

    The results are those of `results`, and ``provenance.json``.

    While it runs, and if it fails, the notebook is ``<name>.failed.ipynb``. What was there before
    stays until everything new is complete.

    Parameters
    ----------
    root
        Project folder.
    authority
        Name of the authority, for the head of the page.
    notebook
        Notebook to run.
    parameters
        Name → value for the cell tagged ``parameters``; others keep the notebook's default.
    config
        traitlets ``Config`` of the kernel manager and its provisioner.
    provenance
        Name → SHA-256 of what the page rests on.
    out_folder
        Folder of the pages.
    isolated
        Whether the kernel runs where it can read nothing but its extract.
    decided
        Folder of the new results → what was decided about them: see `datamall.reporting.pages`.
    timeout
        Seconds that one cell may take.

    Raises
    ------
    DatamallError
        For parameters that do not fit (before any kernel starts), a cell that fails, or an
        output that a report must not hold.
    """
    name = notebook.stem
    source = read(notebook)
    strip(source)  # whatever an editor left in it: outputs, another kernel
    given = check_parameters(source, parameters, name)
    out_folder.mkdir(parents=True, exist_ok=True)
    failed = out_folder / f"{name}.failed.ipynb"
    executed = _execute(source, failed, given, config, timeout, name)
    normalise(executed)
    check_outputs(executed, root, f"Notebook {name}", f"see {failed}")
    choices = {
        key: (given.get(key, known.default), known.allowed, known.help)
        for key, known in declared(source, name).items()
    }
    answer = pages.answered(root, authority, name, executed)
    aside = out_folder / f"{name}.partial"
    shutil.rmtree(aside, ignore_errors=True)
    (aside / "results").mkdir(parents=True)
    _write(aside / f"{name}.ipynb", [nbformat.writes(executed), "\n"])
    for file, parts in results(executed, answer):
        _write(aside / "results" / file, parts)
    made = decided(aside / "results")
    page = pages.render(root, authority, name, executed, choices, provenance, isolated, made)
    _write(aside / f"{name}.html", [page])
    _write(aside / "results" / "provenance.json", [_json(dict(provenance))])
    final = out_folder / "results" / name
    final.parent.mkdir(exist_ok=True)
    if final.exists():
        final.rename(aside / "old")
    (aside / "results").rename(final)
    for file in (f"{name}.html", f"{name}.ipynb"):
        (aside / file).replace(out_folder / file)
    shutil.rmtree(aside)
    failed.unlink()


def _write(path: Path, parts: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(parts)


def read(path: Path) -> NotebookNode:
    """Read a notebook; a missing or broken one is an error."""
    try:
        return nbformat.reads(path.read_text("utf-8"), as_version=4)
    except FileNotFoundError:
        raise DatamallError(f"There is no notebook {path}: check its name.") from None
    except (ValueError, TypeError, AttributeError, LookupError, nbformat.ValidationError):
        raise DatamallError(f"{path} is not a notebook: restore it from git.") from None


def _execute(
    source: NotebookNode,
    failed: Path,
    parameters: Mapping[str, Any],
    config: Any,
    timeout: int,
    name: str,
) -> NotebookNode:
    """Run the notebook in a kernel; it is saved to `failed`, finished or as far as it came."""
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from traitlets.config import Config

    from datamall.reporting.engine import NAME

    settings = Config({"KernelManager": {"transport_encryption": "auto"}})
    settings.merge(config or {})
    try:
        return papermill.execute_notebook(
            copy.deepcopy(source),
            str(failed).replace("{", "{{").replace("}", "}}"),  # papermill formats its paths
            parameters=dict(parameters),
            engine_name=NAME,
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=timeout,
            config=settings,
        )
    except papermill.PapermillExecutionError as error:
        lines = [line for line in str(error.evalue).splitlines() if line.strip()]
        said = f"{error.ename}: {lines[-1].strip() if lines else 'no message'}"
        first = next(iter(error.source.strip().splitlines()), "")
        raise DatamallError(
            f"Notebook {name} stopped in cell {error.exec_count} ({first[:60]!r}): {said}; "
            f"see {failed}, mend it and run again."
        ) from None
    except CellTimeoutError:
        raise DatamallError(
            f"Notebook {name}: a cell took more than {timeout} seconds; see {failed} for which."
        ) from None
    except DeadKernelError:
        raise DatamallError(
            f"Notebook {name}: its kernel died, most often for want of memory; "
            f"see {failed} for the last cell that finished."
        ) from None


def normalise(notebook: NotebookNode) -> None:
    """Take from an executed notebook all that differs from run to run; in place."""
    for position, cell in enumerate(notebook.cells):
        cell.id = f"cell-{position:02}"
        cell.metadata = _tags_only(cell.metadata)
        if cell.cell_type != "code":
            continue
        merged: list[NotebookNode] = []
        for output in cell.outputs:
            streams = merged and output.output_type == merged[-1].output_type == "stream"
            if streams and merged[-1].name == output.name:  # chunks depend on timing
                merged[-1].text += output.text
            else:
                merged.append(output)
        cell.outputs = merged
    notebook.metadata = _metadata()
    notebook.nbformat, notebook.nbformat_minor = 4, 5


def _tags_only(metadata: Mapping[str, Any]) -> NotebookNode:
    return NotebookNode({"tags": list(metadata["tags"])} if metadata.get("tags") else {})


def _metadata() -> NotebookNode:
    plain = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    return nbformat.from_dict(plain)


def outputs(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Yield (number of the cell, output) for every output."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield cell.execution_count or 0, output


def check_outputs(notebook: NotebookNode, root: Path, where: str, how: str) -> None:
    """Refuse outputs that a report must not hold.

    Raises
    ------
    DatamallError
        For warnings or other text on stderr, tables and pictures that were not handed to
        `show`, `answer` or `figures`, memory addresses, and paths of this machine.
    """
    places = [re.escape(str(p)) for p in (root.resolve(), tempfile.gettempdir(), Path.home())]
    private = re.compile(rf"\bat 0x[0-9a-fA-F]{{4,}}|(?:{'|'.join(places)}|/tmp)/")
    seen: set[str] = set()
    for number, output in outputs(notebook):
        cell = f"{where}, cell {number}"
        about = output.get("metadata", {}).get("datamall", {})
        data = output.get("data", {})
        if output.output_type == "stream" and output.name == "stderr":
            line = output.text.strip().splitlines()[-1]
            raise DatamallError(f"{cell} warns: {line!r}; mend the cause, {how}.")
        if about.get("kind") not in KINDS and any(
            kind == "text/html" or kind.startswith("image/") for kind in data
        ):
            raise DatamallError(
                f"{cell} shows a table or picture of its own: hand it to show() or to a function "
                f"of figures, so that it has a caption and an alternative text; {how}."
            )
        texts = [output.get("text", ""), *(str(v) for k, v in data.items() if k[:6] != "image/")]
        found = next((m for m in map(private.search, texts) if m), None)
        if found:
            raise DatamallError(
                f"{cell} prints {found.group()!r}, a memory address or a path of this machine, "
                f"which differs from run to run: show a table instead; {how}."
            )
        if about.get("kind") in ("table", "numbers", "absent"):
            name = check_name(about.get("name", ""))
            if name in seen:
                raise DatamallError(f"{cell} uses the name {name!r} again: give it another.")
            seen.add(name)


def results(
    notebook: NotebookNode, answer: Mapping[str, Any] | None
) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the name of a file and the parts of its text for everything that the notebook showed.

    ``<name>.csv`` and ``<name>.json`` per table and figure, ``absent.json`` with the chapters that
    could not run, and ``answer.json`` and ``metrics.json`` if there is an answer.
    """
    lacking: list[dict[str, str]] = []
    for _, output in outputs(notebook):
        about = output.get("metadata", {}).get("datamall", {})
        if about.get("kind") == "absent":
            lacking.append({key: str(about[key]) for key in ("name", "chapter", "reason")})
        elif (table := csv_of(output.get("data", {}))) is not None:
            yield f"{about['name']}.csv", [table.decode("utf-8")]
            yield f"{about['name']}.json", records.json_of(table, about["columns"])
        elif ANSWER in output.get("data", {}):
            yield "metrics.json", [_json(output.data[ANSWER]["metrics"])]
    yield "absent.json", [_json(lacking)]
    if answer is not None:
        yield "answer.json", [_json(dict(answer))]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def strip(notebook: NotebookNode) -> None:
    """Take outputs, execution counts and editors' metadata from a notebook; in place.

    Cell ids and tags stay: they are part of the source.
    """
    for position, cell in enumerate(notebook.cells):
        cell.metadata = _tags_only(cell.metadata)
        cell.setdefault("id", f"cell-{position:02}")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata = _metadata()
    notebook.nbformat, notebook.nbformat_minor = 4, 5


def canonical(notebook: NotebookNode) -> str:
    """Return the text of a notebook as git holds it: stripped, one way of writing."""
    copied = nbformat.from_dict(copy.deepcopy(notebook))
    strip(copied)
    return nbformat.writes(copied).rstrip("\n") + "\n"


def keeps_outputs(path: str) -> bool:
    """Return whether a notebook may keep its outputs: below ``scratch`` or ``reports``."""
    return any(part in LEFT_ALONE for part in PurePosixPath(path).parts[:-1])


def strip_on_save(
    model: dict[str, Any], path: str, contents_manager: Any = None, **kwargs: Any
) -> None:
    """Strip a notebook when JupyterLab saves it: a ``FileContentsManager.pre_save_hook``.

    Saving an unchanged notebook then leaves git clean. Scratch notebooks and reports stay.
    """
    if model.get("type") == "notebook" and model.get("content") and not keeps_outputs(path):
        content = nbformat.from_dict(model["content"])
        strip(content)
        model["content"] = content
