"""Run one notebook behind the door and write its page, for `report` and `morning` alike."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from datamall import limits
from datamall.decisions import shown
from datamall.errors import DatamallError
from datamall.mall.contracts import load_contracts
from datamall.mall.kernel import behind_the_door, open_ways
from datamall.mall.log.logbook import refusals
from datamall.mall.purposes import people
from datamall.project import load_parameters, reports_folder
from datamall.provenance import canonical_digest, provenance
from datamall.reporting import places
from datamall.reporting.notebooks import run


def make(root: Path, authority: str, notebook: str, threads: int = 1, **given: Any) -> None:
    """Run a notebook on the extract of its purposes and write its page and results.

    Parameters
    ----------
    root, authority, notebook
        Project folder, authority and the name of the report.
    threads
        Of the kernel; the result is the same.
    given
        Parameters that are others this time than in params.yaml; the page shows them, and its
        provenance is of these.

    Raises
    ------
    DatamallError
        When there is no such report, or `datamall.reporting.notebooks.run` refuses.
    """
    parameters = load_parameters(root)
    reports = parameters["reports"]
    if notebook not in reports:
        raise DatamallError(
            f"No report called {notebook!r} in params.yaml under reports: "
            f"there are {', '.join(sorted(reports))}."
        )
    rests_on = provenance(root, authority, notebook)
    own = parameters[notebook] | given
    rests_on[f"params.yaml: {notebook}"] = canonical_digest(own)
    about, pages = reports[notebook], reports_folder(root, authority)
    if about.get("of"):
        _each(root, authority, notebook, about, rests_on, threads)
        return
    with refusals(root, "report", authority=authority, report=notebook):
        run(
            root,
            authority,
            root / "notebooks" / f"{notebook}.ipynb",
            parameters=own,
            config=behind_the_door(
                root,
                authority,
                purposes=reports[notebook]["purposes"],
                threads=threads,
                occasion=f"report {notebook}",
            ),
            provenance=rests_on,
            decided=partial(shown, root, authority, notebook, rests_on),
            open_ways=open_ways(),
            people=people(root, load_contracts(root), reports[notebook]["purposes"]),
            linked=partial(places.links, reports, notebook),
            out_folder=pages,
        )
    limits.note(root, authority, notebook)
    if reports[notebook].get("audit"):
        from datamall.gate import record

        record(root, authority, notebook)


def _each(
    root: Path,
    authority: str,
    notebook: str,
    about: Mapping[str, Any],
    rests_on: Mapping[str, str],
    threads: int,
) -> None:
    """Make a page for each place that another report lists."""
    pages = reports_folder(root, authority)
    with refusals(root, "report", authority=authority, report=notebook):
        places.run(
            root,
            authority,
            root / "notebooks" / f"{notebook}.ipynb",
            each=about["each"],
            of=about["of"],
            config=behind_the_door(
                root,
                authority,
                purposes=[],
                threads=threads,
                occasion=f"report {notebook}",
                handed=pages / "results" / about["of"],
            ),
            provenance=rests_on,
            out_folder=pages,
            open_ways=open_ways(),
            people=people(root, load_contracts(root), about["purposes"]),
        )
