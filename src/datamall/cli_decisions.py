"""Commands of people who decide: sign a decision, list people under it, learn who one is."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path

import click

from datamall.cli_options import AUTHORITY, NAME
from datamall.errors import DatamallError
from datamall.project import find_root

DAY = click.DateTime(["%Y-%m-%d"])
BY = click.option(
    "--by", type=NAME, required=True, metavar="ROLE", help="Your role; no name of a person."
)
today = date.today


@click.command()
@click.argument("report", type=NAME)
@AUTHORITY
@click.option("--by", type=NAME, metavar="ROLE", help="Role that decides and signs.")
@click.option("--about", type=int, metavar="NUMBER", help="Recommendation that it is about.")
@click.option("--decided", default="", help="What is decided; as recommended without it.")
@click.option("--why", default="", help="Why it is another than recommended; needed then.")
@click.option("--condition", "conditions", multiple=True, help="Under which condition; repeatable.")
@click.option("--dissent", multiple=True, help="What who was against it said; repeatable.")
@click.option("--until", type=DAY, help="Last day on which it counts, such as 2027-06-30.")
@click.option("--permits", type=click.Choice(["worklist"]), multiple=True, help="What it permits.")
@click.option("--sign", "number", type=int, metavar="DECISION", help="Sign one as well.")
@click.option("--came-of", "made", type=int, metavar="DECISION", help="Say what came of one.")
@click.option("--text", default="", help="What came of it.")
@click.option("--measured-on", type=NAME, metavar="REPORT", help="Its answer is what came of it.")
def decide(
    report: str,
    authority: str,
    by: str | None,
    about: int | None,
    decided: str,
    why: str,
    conditions: tuple[str, ...],
    dissent: tuple[str, ...],
    until: datetime | None,
    permits: tuple[str, ...],
    number: int | None,
    made: int | None,
    text: str,
    measured_on: str | None,
) -> None:
    """List what a REPORT recommends and what was decided; decide, sign, or say what came of it.

    One person decides and signs (--about, --until). What permits a list of people (--permits) needs
    the signatures of two, the steward and the committee: the other looks at it and signs (--sign).
    """
    from datamall import deciding
    from datamall.mall.authorities import load_authority

    root = find_root()
    mapping = load_authority(root, authority)
    asked = [each for each in (about, number, made) if each is not None]
    if not asked:
        click.echo(deciding.listed(root, mapping, report))
        return
    if len(asked) > 1 or not by:
        raise DatamallError("Say who acts (--by), and one of --about, --sign and --came-of.")
    event = "decision" if made is None else "outcome"
    with _on_record(root, event, authority, report, by):
        if about is not None:
            if until is None:
                raise DatamallError("Say until when it counts (--until): no decision is for ever.")
            number = deciding.decide(
                *(root, mapping, report, about, by),
                until=until.date(),
                as_of=today(),
                decided=decided,
                why=why,
                conditions=conditions,
                dissent=dissent,
                permits=permits,
            )
        elif number is not None:
            deciding.countersign(root, mapping, report, number, by)
        elif made is not None:
            deciding.came_of(root, mapping, report, made, text, by, measured_on or "")
    if made is None:
        click.echo(f"Decision {number} on {report} is signed by the {by}.")
    else:
        click.echo(f"What came of decision {made} on {report} is written down.")
    click.echo(f"Commit data/decisions with it; `datamall report {report}` shows it on the page.")


@click.command()
@click.argument("audit", type=NAME)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@AUTHORITY
@BY
def worklist(audit: str, folder: Path, authority: str, by: str) -> None:
    """Write a list of people, as pseudonyms in random order, to a FOLDER outside the project.

    Only behind the open gate of the AUDIT, and under a decision that permits it and is signed by
    two people.
    """
    from datamall import worklist as lists
    from datamall.mall.authorities import load_authority
    from datamall.recount import verdict

    root = find_root()
    mapping = load_authority(root, authority)
    again = partial(verdict, root, authority, audit)
    with _on_record(root, "worklist", authority, audit, by):
        people = lists.make(root, mapping, audit, folder, by, today(), again)
    click.echo(f"{people:,} people are on the list in {folder}: delete it when they are invited.")


@click.command()
@click.argument("audit", type=NAME)
@click.argument("pseudonym")
@AUTHORITY
@BY
def resolve(audit: str, pseudonym: str, authority: str, by: str) -> None:
    """Say who one PSEUDONYM of the list behind an AUDIT is, on record.

    Refused to who made the list, and once the decision does not count any more.
    """
    from datamall import worklist as lists
    from datamall.mall.authorities import load_authority
    from datamall.recount import verdict

    root = find_root()
    mapping = load_authority(root, authority)
    again = partial(verdict, root, authority, audit)
    with _on_record(root, "resolve", authority, audit, by):
        click.echo(lists.resolve(root, mapping, audit, pseudonym, by, today(), again))


COMMANDS = (decide, worklist, resolve)


@contextmanager
def _on_record(root: Path, event: str, authority: str, report: str, by: str) -> Iterator[None]:
    """Write down what is refused here; not what somebody typed that is in no register."""
    from datamall.mall.log import logbook
    from datamall.mall.seal.keys import checked
    from datamall.project import load_parameters

    known = report if report in load_parameters(root)["reports"] else None
    with logbook.refusals(root, event, authority=authority, report=known):
        checked(by)
    with logbook.refusals(root, event, role=by, authority=authority, report=known):
        yield
