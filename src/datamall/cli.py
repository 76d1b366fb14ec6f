"""The command line. Heavy imports stay inside the commands, so that `--help` is quick."""

import shutil
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from datamall import cli_contracts, cli_decisions, cli_evidence, cli_morning, cli_releases
from datamall.cli_options import AUTHORITY, NAME, THREADS, NotPlain
from datamall.errors import DatamallError
from datamall.project import find_root, load_parameters, reports_folder


class Commands(click.Group):
    """Turn errors that a user can mend into one sentence and exit code 1."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; print a `DatamallError` without its traceback."""
        from datamall.mall.remains import sweep

        sweep()
        try:
            return super().invoke(context)
        except DatamallError as error:
            if isinstance(error, NotPlain):
                _noted()
            click.echo(f"datamall: {error}", err=True)
            sys.exit(1)
        except OSError as error:
            place = f" ({error.filename})" if error.filename else ""
            reason = error.strerror or str(error)
            click.echo(f"datamall: {reason}{place}: mend that and run it again.", err=True)
            sys.exit(1)


def _noted() -> None:
    """Write down that a name was given that is none, where there is a project and a log."""
    from datamall.mall.log import logbook

    with suppress(DatamallError):
        logbook.write(
            find_root(),
            "request",
            outcome="refused",
            reason="malformed",
            occasion="command line",
            authority=None,
            purpose=None,
        )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="datamall")
def main() -> None:
    """Share data by lawful purpose, and turn them into decisions that people can answer for."""


for module in (cli_contracts, cli_decisions, cli_evidence, cli_morning, cli_releases):
    for command in module.COMMANDS:
        main.add_command(command)


@main.command()
@click.option(
    "--truth",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write what was planted to this folder, outside the project's data, for checking.",
)
@click.option("--fair", is_flag=True, help="Make the fair city's in data/raw/fair-city instead.")
def demo(truth: Path | None, fair: bool) -> None:
    """Make the synthetic city's raw files in data/raw/demo (or, with --truth, its truth)."""
    from datamall import demo as city
    from datamall.demo import fair as fair_city
    from datamall.demo.refresh import refresh

    root = find_root()
    section = load_parameters(root).get("demo")
    if not isinstance(section, dict) or "seed" not in section:
        raise DatamallError("params.yaml has no demo.seed: set it to a whole number.")
    seed = section["seed"]
    if truth is not None and fair:
        raise DatamallError("Nothing is planted in the fair city: leave --truth or --fair out.")
    if truth is None:
        refresh(root, seed, fair_city.NAME if fair else "demo")
    else:
        city.truth(truth, seed, root=root)


@main.command()
@click.argument("authority", type=NAME)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds the original files; without it they are downloaded.",
)
def fetch(authority: str, source: Path | None) -> None:
    """Get an authority's original public files, each checked by its SHA-256."""
    from datamall.mall.fetch import fetch as get

    files = get(find_root(), authority, source)
    click.echo(f"{len(files):,} files of {authority}: fetched and checked.")


@main.command()
@AUTHORITY
def parameters(authority: str) -> None:
    """Write the sections of params.yaml apart, so that the pipeline sees which one changed."""
    from datamall.pipeline import write_parameters

    write_parameters(find_root(), authority)


@main.command()
@click.argument("store", type=NAME)
@AUTHORITY
@THREADS
def intake(store: str, authority: str, threads: int | None) -> None:
    """Take raw files into a STORE: validate, set faulty rows apart, write in one order."""
    from datamall.mall.contracts import load_contracts
    from datamall.mall.intake import intake as take_in
    from datamall.mall.protected import protected, said

    root = find_root()
    exact = take_in(root, authority, store, threads=threads or 2)
    contract = load_contracts(root)[store]
    report = protected(exact, contract)
    accepted, aside, parsed = (
        said(report[name], contract) for name in ("accepted", "quarantined", "parsed")
    )
    click.echo(f"{store}: {accepted} rows accepted, {aside} quarantined of {parsed}.")
    for one in report["deliveries"]:
        if one["state"] == "held back":
            click.echo(f"  {one['file']} is held back. {one['why']}")
            click.echo(
                f"  Look at it, then mend it or `datamall deliveries {store} --authority "
                f"{authority} --accept {one['file']} --by ROLE --reason WHY`."
            )


@main.command()
@click.argument("store", type=NAME)
@AUTHORITY
@click.option("--accept", "accepted", metavar="FILE", help="Take in a delivery that is held back.")
@click.option("--withdraw", "withdrawn", metavar="FILE", help="Leave out one that was taken in.")
@click.option("--by", default="", help="Role that decides; no name of a person.")
@click.option("--reason", default="", help="Why, in a sentence; it is kept.")
def deliveries(
    store: str, authority: str, accepted: str | None, withdrawn: str | None, by: str, reason: str
) -> None:
    """List the deliveries of a STORE and what became of each, or decide about one."""
    from datamall.inputs import resting_on
    from datamall.mall.deliveries import decide, listed

    root = find_root()
    if accepted and withdrawn:
        raise DatamallError("Accept a delivery or withdraw one, not both at a time.")
    if not accepted and not withdrawn:
        click.echo(listed(root, authority, store))
        return
    way = "accepted" if accepted else "withdrawn"
    decide(root, authority, store, way, accepted or withdrawn or "", by, reason)
    click.echo(f"{accepted or withdrawn} is {way}. What rests on it is out of date:")
    for name in (store, *resting_on(root, authority, store)):
        click.echo(f"  {name}")
    click.echo(f"`datamall run {authority}` makes it anew; commit data/deliveries with it.")


@main.command()
@click.argument("authority", type=NAME)
@click.option("--role", type=NAME, help="Make the key with which this role signs, instead.")
def key(authority: str, role: str | None) -> None:
    """Make the key file of an AUTHORITY, with which its stores of persons are encrypted."""
    from datamall.mall.authorities import load_authority
    from datamall.mall.log.logbook import noted
    from datamall.mall.seal import keys
    from datamall.mall.vault import make_key

    root = find_root()
    mapping = load_authority(root, authority)
    with noted(root, "key", authority=authority, signs=role):
        path = keys.make(root, mapping, role) if role else make_key(mapping)
    if role:
        click.echo(f"Key written to {path}: keep it to yourself. Commit data/keys with it.")
        return
    click.echo(f"Key written to {path}: keep a copy in a safe place; without it no store opens.")


@main.command()
@click.argument("authority", type=NAME)
def check(authority: str) -> None:
    """Print what the departments of an AUTHORITY deliver and which chapters they can run."""
    from datamall.coverage import coverage

    click.echo(coverage(find_root(), authority))


@main.command()
@click.argument("purpose", type=NAME)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@AUTHORITY
def checkout(purpose: str, folder: Path, authority: str) -> None:
    """Write the extract that a PURPOSE grants into an empty FOLDER outside the project."""
    from datamall.mall.door import Door

    root = find_root()
    target = folder.resolve()
    if target.is_relative_to(root):
        raise DatamallError(
            f"{target} lies inside the project, where an extract could end up in git or in the "
            "cache: name a folder elsewhere."
        )
    if target.exists() and any(target.iterdir()):
        raise DatamallError(f"{target} is not empty: name a new or an empty folder.")
    new = not target.exists()
    with Door(root, authority, occasion="checkout") as door:
        made = door.hand_out(purpose)
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            for path in sorted(made.iterdir()):
                shutil.move(path, target)
        except BaseException:
            for path in target.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if new:
                target.rmdir()
            raise
    click.echo(f"Extract for {purpose!r} written to {target}: delete it when you are done.")


@main.command()
@click.argument("kind", type=click.Choice(["stores", "handing-over", "reports"]))
@AUTHORITY
def inputs(kind: str, authority: str) -> None:
    """Write what the intake of each store, or each report, rests on: see data/inputs."""
    from datamall.inputs import write

    write(find_root(), authority, kind)


@main.command()
@click.argument("notebook", type=NAME)
@AUTHORITY
@THREADS
def report(notebook: str, authority: str, threads: int | None) -> None:
    """Run a NOTEBOOK on the extract of its purpose and write its page and results."""
    from datamall.memory import give_back
    from datamall.running import make

    give_back()
    make(find_root(), authority, notebook, threads or 1)


@main.command()
@click.argument("audit", type=NAME)
@AUTHORITY
@click.option("--by", required=True, help="Role that decides on the plan; no name of a person.")
@click.option("--reason", required=True, help="Why this plan, in a sentence.")
def register(audit: str, authority: str, by: str, reason: str) -> None:
    """Fix the plan of an AUDIT, its section of params.yaml, before its outcome is known."""
    from datamall.gate import register as fix
    from datamall.mall.log.logbook import noted

    root = find_root()
    with noted(root, "registration", role=by, authority=authority, report=audit):
        fix(root, authority, audit, by, reason)
    click.echo(f"The plan of {audit} is registered for {authority}: commit data/audits with it.")


@main.command()
@click.argument("spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the page and the figures; without it, that of the SPEC.",
)
def audit(spec: Path, out: Path | None) -> None:
    """Audit anybody's counts by a SPEC, a YAML file that names a sheet and the plan."""
    from datamall.memory import give_back, let_go, load_scipy_alone

    give_back()
    load_scipy_alone()
    from datamall.fairness import audit as examine
    from datamall.fairness.specification import read
    from datamall.fairness.words import record
    from datamall.reporting.audits import write

    sheet = read(spec)
    let_go()
    found = record(examine(sheet.counts, sheet.plan), sheet.title, sheet.about)
    written = write(found, spec.parent if out is None else out, spec.stem)
    click.echo(found["answer"])
    for path in written:
        click.echo(f"  {path}")


@main.command()
@click.argument("audit", type=NAME)
@AUTHORITY
def gate(audit: str, authority: str) -> None:
    """Write gate.json: whether the AUDIT lets a list of people be made, and why not."""
    from datamall.gate import write
    from datamall.mall.log import logbook
    from datamall.recount import verdict

    root = find_root()
    decided = write(root, authority, audit, partial(verdict, root, authority, audit))
    told = {name: decided[name] for name in ("open", "verdict", "plan", "method", "data")}
    logbook.write(root, "gate", authority=authority, report=audit, **told)
    click.echo(f"The gate of {audit} is {'open' if decided['open'] else 'closed'}.")
    for reason in decided["reasons"]:
        click.echo(f"  {reason}")


@main.command()
@AUTHORITY
def index(authority: str) -> None:
    """Write the index page from the answers of all reports."""
    from datamall.reporting.index import write

    root = find_root()
    write(root, authority, reports_folder(root, authority))


@main.command("run")
@click.argument("authority", type=NAME, default="demo")
@click.option("--force", is_flag=True, help="Run every stage, changed or not.")
def run_pipeline(authority: str, force: bool) -> None:
    """Run all stages of an AUTHORITY that are not up to date."""
    from datamall.mall.deliveries import held_back
    from datamall.pipeline import run

    root = find_root()
    run(root, authority, force)
    page = reports_folder(root, authority).relative_to(root) / "index.html"
    waiting = held_back(root, authority)
    for store, files in waiting.items():
        click.echo(
            f"{store}: {files:,} held back. `datamall deliveries {store} --authority {authority}` "
            "says why."
        )
    click.echo(f"Done: open {page}")


@main.command(context_settings={"ignore_unknown_options": True})
@AUTHORITY
@click.option(
    "--purpose", "purposes", type=NAME, multiple=True, help="Of notebooks that are no report's."
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(authority: str, purposes: tuple[str, ...], options: tuple[str, ...]) -> None:
    """Start JupyterLab on this machine only; each kernel gets the purposes of its notebook."""
    from datamall.mall.lab import launch

    launch(find_root(), authority, list(purposes), list(options))
