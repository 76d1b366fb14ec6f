"""Run a notebook into a page and its results; keep notebooks clean. Alone knows papermill.

Parameters are checked against the notebook before any kernel starts, because papermill executes
parameter *names* as code. What comes back from the kernel is data, not trusted: see
`datamall.reporting.outputs`.
"""

from __future__ import annotations

import copy
import fcntl
import json
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from datamall.errors import DatamallError
from datamall.imports import without_grammar
from datamall.reporting import pages, records
from datamall.reporting.outputs import check_outputs, join_streams, outputs
from datamall.reporting.parameters import check_parameters, declared
from datamall.reporting.tables import ANSWER, csv_of

with without_grammar():
    import nbformat
    from nbformat import NotebookNode

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
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
    open_ways: Sequence[str] = (),
    people: Collection[str] | None = None,
    decided: Callable[[Path], Sequence[Mapping[str, Any]]] = lambda results: (),
    linked: Callable[[Path], Mapping[str, Mapping[str, str]]] = lambda results: {},
    timeout: int = 900,
) -> None:
    """Run a notebook and write ``<name>.ipynb``, ``<name>.html`` and ``results/<name>/``.

    The results are those of `results`, ``parameters.json`` and ``provenance.json``.

    While it runs, and if it fails, the notebook is ``<name>.failed.ipynb``. What was there before
    stays until everything new is complete. Of two runs at once the second waits, and says so.

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
    open_ways
        What the kernel could do where it runs and should not, in words after "could have".
    people
        Of a page about persons, the columns that hold their numbers; None: a page about things.
    decided
        Folder of the new results → what was decided about them: see `datamall.reporting.pages`.
    linked
        Folder of the new results → column → value → page about it: see `datamall.reporting.places`.
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
    with alone(notebook):
        out_folder.mkdir(parents=True, exist_ok=True)
        failed = out_folder / f"{name}.failed.ipynb"
        executed = execute(source, failed, given, config, timeout, name, people)
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
        write(aside / f"{name}.ipynb", [nbformat.writes(executed), "\n"])
        for file, parts in results(executed, answer):
            write(aside / "results" / file, parts)
        effective = {key: value for key, (value, _, _) in choices.items()}
        write(aside / "results" / "parameters.json", [json_text(effective)])
        # A decision is about all of these bytes: from here on none is added but the provenance.
        made = decided(aside / "results")
        found = linked(aside / "results")
        page = pages.render(
            root, authority, name, executed, choices, provenance, open_ways, made, found
        )
        write(aside / f"{name}.html", [page])
        write(aside / "results" / "provenance.json", [json_text(dict(provenance))])
        final = out_folder / "results" / name
        final.parent.mkdir(exist_ok=True)
        if final.exists():
            final.rename(aside / "old")
        (aside / "results").rename(final)
        for file in (f"{name}.html", f"{name}.ipynb"):
            (aside / file).replace(out_folder / file)
        shutil.rmtree(aside)
        failed.unlink()


@contextmanager
def alone(notebook: Path) -> Iterator[None]:
    """Wait, and say so, while another program runs the same notebook: both would write its page."""
    with notebook.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sentence = f"datamall: another program runs {notebook.name}: waiting for it to end."
            print(sentence, file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write(path: Path, parts: Iterable[str]) -> None:
    """Write a file of text, its lines ended alike on every system."""
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


def execute(
    source: NotebookNode,
    failed: Path,
    parameters: Mapping[str, Any],
    config: Any,
    timeout: int,
    name: str,
    people: Collection[str] | None,
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
            people=people,
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
        join_streams(cell)
    notebook.metadata = _metadata()
    notebook.nbformat, notebook.nbformat_minor = 4, 5


def _tags_only(metadata: Mapping[str, Any]) -> NotebookNode:
    return NotebookNode({"tags": list(metadata["tags"])} if metadata.get("tags") else {})


def _metadata() -> NotebookNode:
    plain = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    return nbformat.from_dict(plain)


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
            yield "metrics.json", [json_text(output.data[ANSWER]["metrics"])]
    yield "absent.json", [json_text(lacking)]
    if answer is not None:
        yield "answer.json", [json_text(dict(answer))]


def json_text(value: Any) -> str:
    """Return the text of a JSON file as results have it."""
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
    if not keeps_outputs(path):
        strip_all_on_save(model, path)


def strip_all_on_save(
    model: dict[str, Any], path: str, contents_manager: Any = None, **kwargs: Any
) -> None:
    """Strip scratch notebooks as well, where they may show persons."""
    if model.get("type") == "notebook" and model.get("content"):
        content = nbformat.from_dict(model["content"])
        strip(content)
        model["content"] = content
