"""The command of half past six: take in what arrived, plan the day, write the crews' sheets."""

import csv
import json
from datetime import datetime

import click

from datamall.cli_options import AUTHORITY, THREADS
from datamall.project import find_root, reports_folder

MORNING = "morning"
OF_TRUCKS = "enforcement."


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
    from datamall.mall.places import GRID
    from datamall.memory import give_back
    from datamall.pipeline import take_in
    from datamall.reporting import crew, pages
    from datamall.running import make

    give_back()
    root = find_root()
    mapping = load_authority(root, authority)
    take_in(root, authority, [name for name in mapping.stores if name.startswith(OF_TRUCKS)])
    make(root, authority, MORNING, threads or 1, day=f"{day:%Y-%m-%d}")
    results = reports_folder(root, authority) / "results" / MORNING
    click.echo(json.loads((results / "answer.json").read_text("utf-8"))["sentence"])
    stops = results / "stops.csv"
    if not stops.is_file():
        click.echo("There is no plan, so that no crew gets a sheet: the fixed rounds hold.")
        return
    with stops.open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    folder = root / "data" / "crew" / authority / f"{day:%Y-%m-%d}"
    about = pages.about_authority(root, authority)
    sheets = crew.write(folder, about, day.date(), rows, about.get("crs", GRID))
    click.echo(f"  {reports_folder(root, authority).relative_to(root) / 'morning.html'}")
    click.echo(
        f"  {folder.relative_to(root)}: {len(sheets) // 2} sheets and routes, for crews alone"
    )


COMMANDS = (morning,)
