"""The commands of a day: plan it at half past six, and change rounds under way."""

import csv
import json
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

import click

from datamall.cli_options import AUTHORITY, THREADS
from datamall.errors import DatamallError
from datamall.project import find_root, put, reports_folder

MORNING = "morning"
OF_TRUCKS = "enforcement."
ROUNDS = "rounds"  # purpose
OUTLINES = "shared.outlines"
PLAN = "plan.csv"


@click.command()
@click.option(
    *("--date", "day"),
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    help="The day, such as 2026-01-05; its plan is valid until the evening.",
)
@AUTHORITY
@THREADS
def morning(day: datetime, authority: str, threads: int | None) -> None:
    """Take in what arrived, plan the rounds of a day, and write a sheet for each crew."""
    from datamall.mall.authorities import load_authority
    from datamall.mall.door import Door, Extract
    from datamall.mall.places import GRID
    from datamall.memory import give_back
    from datamall.reporting import crew, pages
    from datamall.running import make

    give_back()
    root = find_root()
    mapping = load_authority(root, authority)
    _take_in(root, authority, mapping.stores)
    make(root, authority, MORNING, threads or 1, day=f"{day:%Y-%m-%d}")
    results = reports_folder(root, authority) / "results" / MORNING
    click.echo(json.loads((results / "answer.json").read_text("utf-8"))["sentence"])
    stops = results / "stops.csv"
    if not stops.is_file():
        click.echo("There is no plan, so that no crew gets a sheet: the fixed rounds hold.")
        return
    with stops.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    folder = _sheets(root, authority, day.date())
    about = pages.about_authority(root, authority)
    with Door(root, authority, [ROUNDS], "sheets of crews") as door:
        background = Extract(door.hand_out(ROUNDS)).get(OUTLINES)
    crs = about.get("crs", GRID)
    sheets = crew.write(folder, about, day.date(), rows, crs, background=background)
    put(folder / PLAN, stops.read_text("utf-8"))
    click.echo(f"  {reports_folder(root, authority).relative_to(root) / 'morning.html'}")
    click.echo(
        f"  {folder.relative_to(root)}: {len(sheets) // 2} sheets and routes, for crews alone"
    )


@click.command()
@click.option(
    *("--at", "moment"),
    type=click.DateTime(["%Y-%m-%d %H:%M"]),
    required=True,
    help='Day and time, such as "2026-01-05 10:40": nothing later is known.',
)
@AUTHORITY
def redirect(moment: datetime, authority: str) -> None:
    """Change rounds under way for what was reported and found since; beside doing nothing."""
    import pandas as pd

    from datamall.enforcement import morning as planning
    from datamall.enforcement import on_the_way, redirect_words
    from datamall.mall.authorities import load_authority
    from datamall.mall.door import Door, Extract
    from datamall.mall.places import GRID
    from datamall.memory import give_back
    from datamall.project import load_parameters
    from datamall.reporting import crew, pages

    give_back()
    root = find_root()
    mapping = load_authority(root, authority)
    planned = pd.read_csv(
        _plan(root, authority, moment), dtype={"truck": str, "place": str, "kind": str}
    )
    _take_in(root, authority, mapping.stores)
    parameters = load_parameters(root)
    own, purposes = parameters[MORNING], parameters["reports"][MORNING]["purposes"]
    with Door(root, authority, purposes, "redirect") as door:
        data = planning.together(*(Extract(door.hand_out(purpose)) for purpose in purposes))
    made, new, rows, avoids = on_the_way.changed(data, planned, pd.Timestamp(moment), own)
    for sentence in redirect_words.sentences(made, new):
        click.echo(sentence)
    click.echo(avoids)
    if not len(rows):
        return
    about = pages.about_authority(root, authority)
    folder = _sheets(root, authority, moment.date()) / f"{moment:%H%M}"
    crew.write(
        *(folder, about, moment.date(), rows.to_dict("records"), about.get("crs", GRID)),
        changed=f"{moment:%-H:%M}",
        background=data.get(OUTLINES),
    )
    put(folder / PLAN, rows.to_csv(index=False, lineterminator="\n"))
    click.echo(f"  {folder.relative_to(root)}: the rest of each round, for crews alone")


def _take_in(root: Path, authority: str, stores: Iterable[str]) -> None:
    """Take in what arrived for city management, and the background; name what is held back."""
    from datamall.mall.deliveries import HELD_BACK
    from datamall.pipeline import take_in

    own = [name for name in stores if name.startswith(OF_TRUCKS) or name == OUTLINES]
    take_in(root, authority, own)
    for store in own:
        path = reports_folder(root, authority) / "quality" / f"{store}.json"
        for one in json.loads(path.read_text("utf-8"))["deliveries"]:
            if one["state"] == HELD_BACK:
                click.echo(f"{store}: {one['file']} is held back, and not known here. {one['why']}")


def _sheets(root: Path, authority: str, day: date) -> Path:
    """Return the folder of a day's sheets, outside git; changes are in folders within."""
    return root / "data" / "crew" / authority / f"{day:%Y-%m-%d}"


def _plan(root: Path, authority: str, moment: datetime) -> Path:
    """Return the plan that holds at a moment: the last change before it, or that of the morning."""
    folder = _sheets(root, authority, moment.date())
    changed = sorted(folder.glob(f"[0-9][0-9][0-9][0-9]/{PLAN}"))
    before = [path for path in changed if path.parent.name < f"{moment:%H%M}"]
    path = [folder / PLAN, *before][-1]
    if not path.is_file():
        raise DatamallError(
            f"There is no plan of {moment:%Y-%m-%d} to change: make it first, "
            f"`datamall morning --authority {authority} --date {moment:%Y-%m-%d}`."
        )
    return path


COMMANDS = (morning, redirect)
