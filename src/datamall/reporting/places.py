"""One page for each place, from one notebook whose cells run anew for each, in one kernel.

Such a notebook has a title, parameters of which one names the place, and one cell of code that
runs once; the cells below it run for each place in turn. It estimates nothing: it shows what the
report found of which it is part, so that both say the same. Papermill runs it as one notebook.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamall.errors import DatamallError
from datamall.imports import without_grammar
from datamall.reporting import pages
from datamall.reporting.notebooks import (
    alone,
    canonical,
    execute,
    json_text,
    normalise,
    read,
    strip,
    write,
)
from datamall.reporting.outputs import check_outputs
from datamall.reporting.parameters import check_parameters

with without_grammar():
    import nbformat
    from nbformat import NotebookNode

LONGEST = 60  # letters of the name of a file
PLAIN = re.compile(r"[^A-Za-z0-9_-]+")
INJECTED = {"tags": ["injected-parameters"]}


@dataclass(frozen=True)
class Place:
    """A place: its key in the data, its name for people, which may be empty, and its file."""

    key: str
    name: str
    file: str


def file_names(keys: Collection[str]) -> dict[str, str]:
    """Return key → name of the file of its page, the same for the same keys in any order.

    Letters, digits, ``_`` and ``-`` stay, all else becomes ``-``. A key that this changed, or that
    differs from another in capitals only, which some disks do not tell apart, gets the first eight
    digits of its SHA-256 as well.

    Raises
    ------
    DatamallError
        When two names are alike all the same.
    """
    plain = {key: PLAIN.sub("-", key).strip("-")[:LONGEST].strip("-") for key in keys}
    alike = Counter(key.casefold() for key, name in plain.items() if name == key)
    found: dict[str, str] = {}
    taken: dict[str, str] = {}
    for key, name in sorted(plain.items()):
        if name != key or alike[name.casefold()] > 1:
            digest = hashlib.sha256(key.encode()).hexdigest()[:8]
            name = f"{name or 'place'}-{digest}"
        other = taken.setdefault(name.casefold(), key)
        if other != key:
            raise DatamallError(
                f"The pages of {other!r} and {key!r} would have one name, {name}.html: give one of "
                "them another name in the data."
            )
        found[key] = f"{name}.html"
    return found


def listed(results: Path, report: str, each: str) -> list[Place]:
    """Return the places that have a page, by key, from the results of the report they are part of.

    Parameters
    ----------
    results
        Folder of these results; the table called as the pages' report lists the places.
    report
        Name of the report that makes a page for each, and of its list.
    each
        Column of the list that names the place; a column ``name`` is its name for people.
    """
    path = results / f"{report}.json"
    if not path.is_file():
        return []
    rows = {str(row[each]): str(row.get("name") or "") for row in json.loads(path.read_text())}
    files = file_names(rows)
    return [Place(key, rows[key], files[key]) for key in sorted(rows)]


def links(reports: Mapping[str, Mapping[str, Any]], name: str, results: Path) -> dict[str, Any]:
    """Return column → key → address of the page about it, for the tables of a report's page.

    Parameters
    ----------
    reports
        Section ``reports`` of params.yaml.
    name, results
        The report and the folder of its results.
    """
    return {
        about["each"]: {
            place.key: f"{part}/{place.file}" for place in listed(results, part, about["each"])
        }
        for part, about in reports.items()
        if about.get("of") == name
    }


def run(
    root: Path,
    authority: str,
    notebook: Path,
    *,
    each: str,
    of: str,
    config: Any = None,
    provenance: Mapping[str, str],
    out_folder: Path,
    open_ways: Sequence[str] = (),
    people: Collection[str] | None = None,
    timeout: int = 900,
) -> int:
    """Write ``<name>/<file>.html`` for each place, ``<name>.ipynb`` and ``results/<name>/``.

    What was there before stays until everything new is complete. The results are the answers of
    all pages (``answers.json``), what could not run where no place is known (``absent.json``), and
    ``provenance.json``; the numbers are those of the report `of`.

    Parameters
    ----------
    root, authority, notebook, config, provenance, out_folder, open_ways, people, timeout
        As for `datamall.reporting.notebooks.run`.
    each
        Parameter of the notebook, and column of the list, that names the place.
    of
        Report that these pages are part of: its page links here, and its results list the places.

    Returns
    -------
    int
        How many pages there are.

    Raises
    ------
    DatamallError
        As for `datamall.reporting.notebooks.run`, and when the report `of` has not been made.
    """
    name, source = notebook.stem, read(notebook)
    strip(source)
    results = out_folder / "results" / of
    places, lacking = listed(results, name, each), _absent(results, name)
    if not places and not lacking:
        raise DatamallError(
            f"The pages of {name} show what the report {of} found, which lists none: run "
            f"`datamall report {of} --authority {authority}` first."
        )
    opening, again = _divided(source, name)
    with alone(notebook):
        failed = out_folder / f"{name}.failed.ipynb"
        executed = source
        if places:
            for place in places:
                check_parameters(source, {each: place.key}, name)
            whole = _repeated(source, opening, again, each, places)
            executed = execute(whole, failed, {}, config, timeout, name, people)
            normalise(executed)
        aside = out_folder / f"{name}.partial"
        shutil.rmtree(aside, ignore_errors=True)
        for folder in ("pages", "results"):
            (aside / folder).mkdir(parents=True)
        whole_text = nbformat.writes(executed) + "\n" if places else canonical(source)
        write(aside / f"{name}.ipynb", [whole_text])
        parts = _parts(executed, len(opening), len(again)) if places else iter(())
        answers, about = [], _about(out_folder, of, name, len(places))
        for number, (place, part) in enumerate(zip(places, parts, strict=True)):
            where = f"Notebook {name}, {each} {place.key}"
            check_outputs(part, root, where, f"see {failed}")
            shown = about | {
                "key": place.key,
                "name": place.name if place.name != place.key else "",
                "before": places[number - 1] if number else None,
                "after": places[number + 1] if number + 1 < len(places) else None,
            }
            page = pages.render(root, authority, name, part, {}, provenance, open_ways, place=shown)
            write(aside / "pages" / place.file, [page])
            record = pages.answered(root, authority, name, part) or {}
            answers.append(
                {each: place.key, "name": place.name, "page": f"{name}/{place.file}"}
                | {key: record.get(key) for key in ("sentence", "facts")}
            )
        write(aside / "results" / "answers.json", [json_text(answers)])
        write(aside / "results" / "absent.json", [json_text([] if places else lacking)])
        write(aside / "results" / "provenance.json", [json_text(dict(provenance))])
        (out_folder / "results" / name).parent.mkdir(exist_ok=True)
        for new, final in (
            (aside / "pages", out_folder / name),
            (aside / "results", out_folder / "results" / name),
        ):
            if final.exists():
                final.rename(aside / f"old {new.name}")
            new.rename(final)
        (aside / f"{name}.ipynb").replace(out_folder / f"{name}.ipynb")
        shutil.rmtree(aside)
        failed.unlink(missing_ok=True)
    return len(places)


def _divided(source: NotebookNode, name: str) -> tuple[list[Any], list[Any]]:
    """Return the cells that run once, and those that run for each place."""
    codes = [n for n, cell in enumerate(source.cells) if cell.cell_type == "code"]
    tagged = [n for n in codes if "parameters" in source.cells[n].metadata.get("tags", [])]
    if len(tagged) != 1 or codes[:1] != tagged or len(codes) < 3:
        raise DatamallError(
            f"Notebook {name} makes a page for each place: it must begin with its parameters, one "
            "cell of code that runs once, and then the cells that run for each."
        )
    return source.cells[: codes[1] + 1], source.cells[codes[1] + 1 :]


def _repeated(
    source: NotebookNode, opening: list[Any], again: list[Any], each: str, places: list[Place]
) -> NotebookNode:
    """Return a notebook whose cells run for each place in turn."""
    cells = copy.deepcopy(opening)
    for place in places:
        said = nbformat.v4.new_code_cell(f"{each} = {place.key!r}", metadata=INJECTED)
        cells += [said, *copy.deepcopy(again)]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:02}"
    whole = copy.copy(source)
    whole.cells = cells
    return whole


def _parts(executed: NotebookNode, opening: int, again: int) -> Iterator[NotebookNode]:
    """Yield the notebook of each place, as if it had run alone."""
    head, rest = executed.cells[:opening], executed.cells[opening:]
    for start in range(0, len(rest), again + 1):
        cells = [copy.copy(cell) for cell in (*head, *rest[start : start + again + 1])]
        ran = [cell for cell in cells if cell.cell_type == "code" and cell.execution_count]
        for place, cell in enumerate(ran, start=1):
            cell.execution_count = place
        part = copy.copy(executed)
        part.cells = cells
        yield part


def _about(out_folder: Path, of: str, name: str, number: int) -> dict[str, Any]:
    """Return what all pages say of the one that they are part of."""
    path = out_folder / "results" / of / "answer.json"
    title = json.loads(path.read_text("utf-8"))["title"] if path.is_file() else of
    return {"of": of, "of_title": title, "list": name, "number": number}


def _absent(results: Path, name: str) -> list[dict[str, str]]:
    """Return why there is no place, in the words of the report that would list them."""
    path = results / "absent.json"
    lacking = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return [lack for lack in lacking if lack["name"] == name]
